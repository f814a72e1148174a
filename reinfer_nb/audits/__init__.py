"""Rules over a listing, and the report of what they find."""
