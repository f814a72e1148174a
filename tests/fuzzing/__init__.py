"""Bytes from outside, many and odd: only errors of the package may come of them."""
