"""Converts the columns of any listing to texts, times and Arrow arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.frames.columns import whole_text
from reinfer_nb.schema.value_types import LISTS, Text, is_missing

TEXT = pa.large_string()


def column_of(df: pd.DataFrame, name: str) -> pd.Series | None:
    """Return the first column of a name; None if there is none."""
    places = [place for place, other in enumerate(df.columns) if str(other) == name]
    return df.iloc[:, places[0]] if places else None


def taken(column: pd.Series, positions: np.ndarray[Any, np.dtype[np.int64]]) -> pd.Series:
    """Return the cells at some positions; without a copy if the positions follow each other."""
    if len(positions) and (np.diff(positions) == 1).all():
        return column.iloc[positions[0] : positions[-1] + 1]
    return column.take(positions)


def items_of(cell: Any) -> tuple[str, ...]:
    """Return the items of a cell as texts; a value that is not a list counts as one item."""
    items = cell if isinstance(cell, LISTS) else [] if is_missing(cell) else [cell]
    return tuple(whole_text(str(item)) or "" for item in items)


def as_arrow(column: pd.Series) -> Any:
    """Return a column as an Arrow array; None if its values do not have a common type."""
    try:
        values = pa.array(column, from_pandas=True)
    except (ValueError, TypeError, NotImplementedError, OverflowError):
        return None
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(TEXT)
    if pa.types.is_float16(values.type):  # Arrow cannot sort it.
        values = values.cast(pa.float32())
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def texts_of(column: pd.Series) -> Any:
    """Return a column of any values as an Arrow array of texts."""
    values = as_arrow(column)
    if values is not None and values.type == TEXT:
        return values
    return pa.array([None if is_missing(x) else ", ".join(items_of(x)) for x in column], TEXT)


def as_sets(lists: pa.ListArray) -> pa.ListArray:
    """Return each list sorted and without duplicates."""
    pairs = pa.table({"list": compute.list_parent_indices(lists), "item": lists.flatten()})
    sets = pairs.group_by(["list", "item"]).aggregate([])
    sets = sets.sort_by([("list", "ascending"), ("item", "ascending")]).combine_chunks()
    lengths = np.bincount(np.asarray(sets["list"], dtype=np.int64), minlength=len(lists))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    items = sets["item"].combine_chunks()
    return pa.ListArray.from_arrays(offsets, items, mask=lists.is_null())


def text_column(df: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of any listing as `str`; missing where it is empty, or not in the listing."""
    return pd.Series(_filled_texts(df, name), index=df.index, dtype=Text.dtype)


def full_names(df: pd.DataFrame) -> pd.Series:
    """Return the "owner/name" of each row as `str`; missing where owner or name is missing."""
    owners, names = _filled_texts(df, "owner"), _filled_texts(df, "name")
    joined = compute.binary_join_element_wise(owners, names, pa.scalar("/", TEXT))
    return pd.Series(joined, index=df.index, dtype=Text.dtype)


def _filled_texts(df: pd.DataFrame, name: str) -> Any:
    """Return a column as an Arrow array of texts; null where it is empty, or not in the listing."""
    column = column_of(df, name)
    if column is None:
        return pa.nulls(len(df), TEXT)
    texts = texts_of(column)
    return compute.if_else(compute.equal(texts, ""), pa.scalar(None, TEXT), texts)


def instants_of(column: pd.Series) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Return a column as times in UTC with microseconds; unreadable values become missing."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = pd.Series(texts_of(column).to_pylist(), dtype=object)
    moments = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    return moments.to_numpy(dtype="datetime64[us]")
