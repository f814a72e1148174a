"""Search, facets and sorting of a listing."""
