"""Compare two listings: match their rows and find the differences."""
