"""Converts a JSON listing to a DataFrame and back; only this package uses Arrow's JSON reader."""

import pyarrow as pa
from pyarrow import compute

# Arrow prepares itself at the first call of a function. A process that is forked while another
# thread makes this call would wait for its end forever.
compute.equal(pa.array([""]), "")
