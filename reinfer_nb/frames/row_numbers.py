"""How messages number the rows of a frame: from 0, or as a spreadsheet shows the file."""

from __future__ import annotations

import pandas as pd

# The name of an index that holds the row numbers which a spreadsheet shows.
FILE_ROW = "row in the file"


def row_numbers(rows: pd.DataFrame | pd.Series) -> pd.Index:
    """Return the number of each row for messages: that in its file if known, else from 0.

    >>> row_numbers(pd.DataFrame({"id": ["a", "b"]})).tolist()
    [0, 1]
    """
    return rows.index if rows.index.name == FILE_ROW else pd.RangeIndex(len(rows))


def numbered_as_file(df: pd.DataFrame) -> pd.DataFrame:
    """Number the rows of a frame as in a file of these rows, below the header; return the frame.

    >>> row_numbers(numbered_as_file(pd.DataFrame({"id": ["a", "b"]}))).tolist()
    [2, 3]
    """
    df.index = pd.RangeIndex(2, len(df) + 2, name=FILE_ROW)
    return df
