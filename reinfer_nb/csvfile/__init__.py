"""Writes a listing as a CSV file that spreadsheets can open, and reads it back."""
