"""The table of sources: search, facets, columns, selection; and a short list of rows."""
