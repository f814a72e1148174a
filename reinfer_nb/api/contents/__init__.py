"""What is in the sources: their comments, counted and over time."""
