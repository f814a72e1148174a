"""Compare the cells of two columns of any dtypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.schema.value_types import (
    Moment,
    Names,
    Text,
    ValueType,
    is_empty,
    is_missing,
    plain,
)

Flags = npt.NDArray[np.bool_]
# Precision of timestamps in files: milliseconds in JSON and workbooks, seconds in many CSV files.
_COARSE = (np.timedelta64(1, "ms"), np.timedelta64(1, "s"))
# How far programs miss a time when they compute the number of days that workbooks hold.
_MISSED = np.timedelta64(1, "us")


def unequal(left: pd.Series, right: pd.Series, kind: type[ValueType] | None = None) -> Flags:
    """Return a mask of the rows in which two columns differ; missing equals missing.

    Texts, numbers and instants are compared with their kind, whatever the dtype or precision, and
    a list can equal a tuple. An ISO 8601 text can equal an instant, since files read without dates
    hold such texts. An instant without a time zone is in UTC.

    Args:
        left: A column.
        right: A column of the same length.
        kind: The type of the cells, if known. Lists that are sets are compared as sets.
    """
    if kind is Names:
        return _one_by_one(left.tolist(), right.tolist(), _same_sets)
    left, right = _plain(left), _plain(right)
    if kind is Moment or _is_instants(left) != _is_instants(right):
        left, right = instants(left), instants(right)
    for compare in (_compare_texts, _compare_dates, _compare_numbers):
        differ = compare(left, right)
        if differ is not None:
            return differ
    return _one_by_one(left.tolist(), right.tolist(), same)


def changed(left: pd.Series, right: pd.Series, kind: type[ValueType]) -> Flags:
    """Like `unequal`, but ignore differences that arise when a file is written and read.

    In a file written by pandas, empty texts and lists are missing, and timestamps may be truncated
    or rounded to milliseconds or seconds, and a microsecond off.

    Args:
        left: A column that may come from a file.
        right: A column of the same length.
        kind: The type of the cells.
    """
    left, right = _plain(left), _plain(right)
    differ = unequal(left, right, kind)
    if kind is Moment and differ.any() and _is_instants(left) and _is_instants(right):
        differ[differ] = ~_is_coarse(left[differ], right[differ])
    if kind in (Text, Names) and differ.any():
        rows = np.flatnonzero(differ)
        cells = zip(left.take(rows).tolist(), right.take(rows).tolist(), strict=True)
        differ[rows] = [not (is_empty(one) and is_empty(other)) for one, other in cells]
    return differ


def _is_coarse(coarse: pd.Series, exact: pd.Series) -> Flags:
    """Return a mask of the instants in `coarse` that are those in `exact`, cut or rounded."""
    instants, others = (
        column.dt.tz_convert(None).to_numpy(dtype="datetime64[us]") for column in (coarse, exact)
    )
    flags: Flags = np.abs(instants - others) <= _MISSED
    for unit in _COARSE:
        rest = (instants - np.datetime64(0, "us") + _MISSED) % unit
        flags |= (rest <= 2 * _MISSED) & (np.abs(instants - others) < unit + _MISSED)
    return flags


def _one_by_one(left: list[Any], right: list[Any], same: Callable[[Any, Any], bool]) -> Flags:
    # Equal cells of a listing share one object, so there are few distinct pairs.
    numbers, _ = pd.factorize(np.fromiter(map(id, left), np.int64, len(left)))
    others, objects = pd.factorize(np.fromiter(map(id, right), np.int64, len(right)))
    pairs, distinct = pd.factorize(numbers * len(objects) + others)
    examples = np.empty(len(distinct), dtype=np.int64)
    examples[pairs] = np.arange(len(pairs))
    differ = [not same(left[row], right[row]) for row in examples.tolist()]
    return np.array(differ, dtype=np.bool_)[pairs]


def same(left: Any, right: Any) -> bool:
    """True if two cells are equal by the rules of `unequal`."""
    if type(left) is type(right) is tuple and all(type(item) is str for item in left):
        return bool(left == right)
    pairs = [(left, right)]
    # Iterative, since values may be nested deeper than the recursion limit.
    while pairs:
        one, other = map(_item, pairs.pop())
        if isinstance(one, _LISTS) and isinstance(other, _LISTS):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            if one.keys() != other.keys():
                return False
            pairs.extend((item, other[key]) for key, item in one.items())
        elif not _same_items(one, other):
            return False
    return True


_LISTS = (list, tuple)


def _same_items(one: Any, other: Any) -> bool:
    """True if two values are equal, of which at most one is a container."""
    if is_missing(one) or is_missing(other):
        return is_missing(one) and is_missing(other)
    # True does not equal 1 here.
    if isinstance(one, (*_LISTS, Mapping, bool)) or isinstance(other, (*_LISTS, Mapping, bool)):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    return bool(one == other)


def _item(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, datetime) and value.tzinfo is None and value is not pd.NaT:
        return value.replace(tzinfo=UTC)
    return value


def _same_sets(left: Any, right: Any) -> bool:
    try:
        return same(Names.key(left), Names.key(right))
    except TypeError:  # an item that is not hashable
        return same(left, right)


def _plain(column: pd.Series) -> pd.Series:
    """Return a column without categories, and instants of any dtype as pandas dates in UTC."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        try:
            column = column.astype(column.dtype.categories.dtype)
        except ValueError:  # NumPy integers have no missing value
            column = column.astype(object)
    dtype: Any = column.dtype
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_timestamp(dtype.pyarrow_dtype):
        times = column.dt.tz_convert if has_time_zone(dtype) else column.dt.tz_localize
        return pd.Series(times("UTC")).astype(pd.DatetimeTZDtype(dtype.pyarrow_dtype.unit, "UTC"))
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return pd.Series(column.dt.tz_localize("UTC"))
    return column


def _is_instants(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.DatetimeTZDtype)


def instants(column: pd.Series) -> pd.Series:
    """Convert texts and datetimes of a column to instants in UTC.

    If some cells are not instants, these stay unchanged and the dtype is `object`.
    """
    column = _plain(column)
    if _is_instants(column):
        return column
    cells = column.tolist()
    readable = [cell if isinstance(cell, str | datetime) else None for cell in cells]
    dates = pd.Series(readable, column.index, dtype=object, name=column.name)
    read = pd.to_datetime(dates, utc=True, format="ISO8601", errors="coerce")
    is_other = read.isna() & np.array([not is_missing(cell) for cell in cells], dtype=np.bool_)
    return read if not is_other.any() else read.astype(object).where(~is_other, column)


def _compare_texts(left: pd.Series, right: pd.Series) -> Flags | None:
    arrays = [text_array(left), text_array(right)]
    if arrays[0] is None or arrays[1] is None:
        return None
    return unequal_arrays(arrays[0], arrays[1])


def text_array(column: pd.Series) -> Any:
    """Return a column of texts as an Arrow array, or None if it holds other values."""
    if column.dtype.kind not in "OUT" and not isinstance(column.dtype, pd.StringDtype):
        return None
    try:
        values = pa.array(column, type=pa.large_string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, UnicodeError):
        return None
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _compare_dates(left: pd.Series, right: pd.Series) -> Flags | None:
    if not (_is_instants(left) and _is_instants(right)):
        return None
    # pandas compares across units without loss.
    differ = np.asarray(left.array != right.array)
    return differ & ~(left.isna().to_numpy() & right.isna().to_numpy())


def _compare_numbers(left: pd.Series, right: pd.Series) -> Flags | None:
    kinds = left.dtype.kind + right.dtype.kind
    # Integers and floats are compared one by one: a double cannot hold all integers.
    if kinds not in ("bb", "ff") and not set(kinds) <= set("iu"):
        return None
    arrays = [pa.array(column, from_pandas=True) for column in (left, right)]
    if kinds == "ff" or arrays[0].type == arrays[1].type:
        return unequal_arrays(arrays[0], arrays[1])
    try:
        return unequal_arrays(*(values.cast(pa.int64()) for values in arrays))
    except pa.ArrowInvalid:  # more than 63 bits
        return None


def unequal_arrays(left: Any, right: Any) -> Flags:
    """Return a mask of the values in which two Arrow arrays differ; missing equals missing."""
    differ = compute.fill_null(compute.not_equal(left, right), fill_value=True)
    both_missing = compute.and_(compute.is_null(left), compute.is_null(right))
    return np.asarray(compute.and_not(differ, both_missing), dtype=np.bool_)
