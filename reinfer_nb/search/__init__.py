"""Search, facets and order of a listing."""
