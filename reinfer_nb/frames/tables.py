"""Builds frames with fixed columns and dtypes from rows of Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def table(dtypes: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a frame over a `RangeIndex`.

    Args:
        dtypes: The dtype of each column, by name; values of "object" columns stay unchanged.
        rows: The rows, each with a value for every column; None is missing.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(dtypes)
    return pd.DataFrame(
        {
            # For objects, since NumPy would turn a list of tuples into a 2-D array.
            name: pd.Series(np.fromiter(values, object, len(rows)), dtype=dtype)
            for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
        },
        index=pd.RangeIndex(len(rows)),
    )
