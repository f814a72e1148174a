"""The explorer: search, facets, a table of sources, and tabs for the selected sources."""
