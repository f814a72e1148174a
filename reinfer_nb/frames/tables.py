"""Rows of Python values as a frame of given columns and dtypes, also where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def table(dtypes: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a frame over a `RangeIndex`.

    Args:
        dtypes: The columns, each with its dtype; what is of "object" stays what it is.
        rows: The rows, each with a value for every column; None for missing.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(dtypes)
    return pd.DataFrame(
        {
            name: pd.Series(_cells(values) if dtype == "object" else list(values), dtype=dtype)
            for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
        },
        index=pd.RangeIndex(len(rows)),
    )


def _cells(values: Sequence[Any]) -> Any:
    # One by one: numpy would make a table of tuples.
    cells = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        cells[place] = value
    return cells
