"""Puts the fixes of findings into the columns of a listing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb.errors import InvalidInput, reason_of
from reinfer_nb.text import shown


def replaced(column: pd.Series, positions: npt.NDArray[np.int64], values: list[Any]) -> pd.Series:
    """Return a column with some cells replaced and the same dtype."""
    cells = column.tolist()
    for position, value in zip(positions, values, strict=True):
        cells[position] = value
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        new = [value for value in dict.fromkeys(values) if value not in dtype.categories]
        dtype = column.cat.add_categories(new).dtype
    elif dtype.kind == "f" and column.isna().all():
        # pandas reads an empty column of a file as float.
        dtype = None
    try:
        result: pd.Series = pd.Series(cells, index=column.index, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"A rule suggests a value that the column {shown(column.name)} cannot hold: "
            f"{reason_of(error)}."
        ) from None
    return result
