"""What is faster than what, measured side by side in one run; see the modules."""
