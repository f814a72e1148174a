"""Snapshots in a folder: their files, and the listings in them."""
