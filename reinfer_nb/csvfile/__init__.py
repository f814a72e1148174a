"""A listing to a CSV file that spreadsheets open as it is, and back."""
