"""From the columns of a frame to the cells of a CSV; knows no files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.csvfile import arrow_cells
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.errors import InvalidInput
from reinfer_nb.nesting import is_json
from reinfer_nb.schema.value_types import (
    Flag,
    Moment,
    Names,
    Text,
    ValueType,
    Whole,
    is_missing,
    plain,
)
from reinfer_nb.text import shown

_HALF = "holds half a character (a lone surrogate), which no file can hold; replace it first."


def cells(column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool) -> Any:
    """Return the cells of a column as an Arrow column of texts, null where a value is missing.

    Args:
        column: The column.
        known: Its type, if it is one of a listing.
        spreadsheet: Whether the file is to be safe from a spreadsheet.

    Raises:
        InvalidInput: A value does not fit the column, or has no exact form in the file.
    """
    try:
        at_once = _at_once(column, known, spreadsheet=spreadsheet)
        if at_once is not None:
            return at_once
        return pa.array(_each(column, known, spreadsheet=spreadsheet), pa.string())
    except UnicodeEncodeError:
        raise InvalidInput(f"Column {shown(column.name)} {_HALF}") from None


def _at_once(column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool) -> Any:
    """Return the cells of a column whose dtype says enough of its values; None of another one."""
    values: Any = column.array
    dtype: Any = column.dtype
    if isinstance(dtype, pd.StringDtype) and known in (Text, None):
        texts = pa.array(values, pa.large_string())
        return arrow_cells.guarded(texts, free=known is None, spreadsheet=spreadsheet)
    if isinstance(dtype, pd.DatetimeTZDtype) and known in (Moment, None):
        instants = column.dt.tz_convert(None).to_numpy()
        return arrow_cells.written_moments(pa.array(instants, from_pandas=True))
    if isinstance(values, _NUMBERS_AND_FLAGS) and (dtype.kind, known) in _WRITTEN_BY_ARROW:
        return pa.array(values).cast(pa.string())
    if dtype == np.dtype(object) and known is Names:
        return _lists(values)
    return None


_NUMBERS_AND_FLAGS = (
    pd.arrays.IntegerArray,
    pd.arrays.BooleanArray,
    pd.arrays.NumpyExtensionArray,
)
# By the kind of their dtype. Those without a sign may be beyond 64 bits, and floats have digits
# of their own in Python.
_WRITTEN_BY_ARROW = {("i", Whole), ("i", None), ("b", Flag), ("b", None)}


def _lists(values: Any) -> Any:
    """Return lists of texts as cells, each distinct one made once; None if one is no such list."""
    written = _Written()
    try:
        return pa.array([written[value] for value in values], pa.string())
    except (TypeError, ValueError):
        return None


class _Written(dict[Any, str | None]):
    """The cells of lists of texts, made when first asked for."""

    def __missing__(self, value: Any) -> str | None:
        cell = None if is_missing(value) else _json(_fitting(value, Names), lists=True)
        self[value] = cell
        return cell


def _each(
    column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool
) -> list[str | None]:
    """Return the cells of a column of any values, made one by one."""
    as_json = known is Names or (known is None and column.dtype == object)
    cells: list[str | None] = []
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            cells.append(None)
            continue
        try:
            fitting = plain(value) if known is None else _fitting(value, known)
            cell = _json(fitting, lists=known is Names) if as_json else _cell(fitting)
        except ValueError as error:
            raise InvalidInput(
                f"Column {shown(column.name)}, row {row:,}: {shown(value)} {error}."
            ) from None
        if isinstance(value, str) and not as_json:
            cell = csv_cells.guarded(cell, free=known is None, spreadsheet=spreadsheet)
        cells.append(cell)
    return cells


def _fitting(value: Any, known: type[ValueType]) -> Any:
    """Return a value of a column of the definition, if it is of that column's type."""
    if known is Moment:
        fits = isinstance(value, pd.Timestamp)
    elif known is Names:
        value = plain(value)
        fits = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    else:
        value = value.item() if isinstance(value, np.generic) else value
        try:
            # A whole number became a float where the column once had missing values.
            value = known.read(value)
        except ValueError:
            fits = False
        else:
            fits = True
    if not fits:
        raise ValueError(f"is not {known.noun}, which that column of a listing holds")
    return value


def _cell(value: Any) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, pd.Timestamp):
        if value.tz is None:
            raise ValueError("has no time zone; give it one with column.dt.tz_localize('UTC')")
        if value.nanosecond:
            raise ValueError("is finer than a microsecond; round it with column.dt.round('us')")
        return value.tz_convert("UTC").isoformat(timespec="microseconds")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and csv_cells.fits(str(value)):
        return str(value)
    raise ValueError(f"({type(value).__name__}) has no exact form in CSV; make it a text first")


def _json(value: Any, *, lists: bool) -> str:
    if not (lists or is_json(value)):
        raise ValueError(f"({type(value).__name__}) has no exact form in CSV; make it a text first")
    return json.dumps(value, ensure_ascii=False)
