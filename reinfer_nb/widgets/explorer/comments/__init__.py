"""The comments of the sources in the explorer: counted, shown and archived."""
