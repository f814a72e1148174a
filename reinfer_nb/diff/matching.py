"""Which row of one listing is a row of another: by the columns that name a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import counted, hint, listed, shown, visible

Positions = npt.NDArray[np.int64]


def matched(before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str]) -> Positions:
    """Return, for each row of the second frame, which row of the first it is; -1 for none.

    Raises:
        InvalidInput: A key is missing or there twice, on either side.
    """
    for side, df in (("before", before), ("after", after)):
        _check(df, side, keys)
    left, right = _codes(before, after, keys)
    _check_unique(before, "before", keys, left)
    _check_unique(after, "after", keys, right)
    there = np.full(max(left.max(initial=-1), right.max(initial=-1)) + 1, -1, dtype=np.int64)
    there[left] = np.arange(len(left))
    return there[right]


def _check(df: pd.DataFrame, side: str, keys: Sequence[str]) -> None:
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"{side} has the column {listed(map(shown, twice))} twice.")
    if not keys:
        raise InvalidInput("on names at least one column.")
    for key in keys:
        if key not in df.columns:
            near = hint(str(key), map(str, df.columns))
            raise InvalidInput(f"{side} has no column {shown(key)} to match rows by. {near}")


def _codes(
    before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str]
) -> tuple[Positions, Positions]:
    """Return a number for each row of both frames, the same where all keys are the same."""
    numbers, *others = (
        _numbered(
            pa.chunked_array([_key_texts(before[key], "before"), _key_texts(after[key], "after")])
        )
        for key in keys
    )
    for codes in others:
        # Numbered anew after each key, so that no product overflows.
        numbers = _numbered(pa.array(numbers * (codes.max(initial=0) + 1) + codes))
    return numbers[: len(before)], numbers[len(before) :]


def _numbered(values: Any) -> Positions:
    """Return a number for each value of an Arrow array, from 0 in the order of appearance."""
    encoded = values.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    return np.asarray(encoded.indices, dtype=np.int64)


def _key_texts(column: pd.Series, side: str) -> Any:
    """Return a column as Arrow texts."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InvalidInput(
            f"{side} has no {column.name} in {counted(len(missing), 'row')} "
            f"({listed(missing, 5)}), and rows are matched by it. Leave those rows out."
        )
    # A file read without dtypes has numbers where ids are digits alone.
    texts = pa.array(column.astype("str"), pa.large_string())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _check_unique(df: pd.DataFrame, side: str, keys: Sequence[str], numbers: Positions) -> None:
    twice = np.bincount(numbers)[numbers] > 1
    if twice.any():
        rows = df.loc[:, list(keys)].iloc[np.flatnonzero(twice)].drop_duplicates()
        told = ("/".join(map(str, row)) for row in rows.itertuples(index=False))
        raise InvalidInput(
            f"{side} has several rows of the same {' and '.join(keys)}: "
            f"{visible(listed(told, 5), 300)}. Rows are matched by it: drop the others, or give "
            "more columns as on=."
        )
