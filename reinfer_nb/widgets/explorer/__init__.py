"""The explorer: search, facets, a table, and tabs for what is selected in it."""
