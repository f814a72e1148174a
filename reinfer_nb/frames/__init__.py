"""A listing in JSON to a DataFrame, and back. The only place that knows Arrow's JSON reader."""
