"""Comments as records and frames, and the archives that hold them."""
