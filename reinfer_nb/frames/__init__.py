"""Converts a JSON listing to a DataFrame and back; only this package uses Arrow's JSON reader."""
