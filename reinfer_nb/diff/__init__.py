"""Two listings compared: which row is which source, and what differs."""
