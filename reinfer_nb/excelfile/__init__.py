"""Writes listings as Excel workbooks with real dates and numbers, and reads workbooks back."""
