"""Converts the columns of a frame to the cells of a CSV."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.csvfile import arrow_cells
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.columns import whole_text
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
from reinfer_nb.text import listed, shown

HALF = "holds half a character (a lone surrogate), which cannot be written. Replace it first."
_NO_FORM = "has no exact form in a file. Convert it to text first"


def check_shape(df: pd.DataFrame) -> None:
    """Check that a file can hold the columns of a frame, and that its index can be left out.

    Raises:
        InvalidInput: It cannot.
    """
    odd = [name for name in list[Any](df.columns) if not _is_name(name)]
    if odd:
        raise InvalidInput(
            "A column's name is a text that can be written to a file, not "
            f"{listed(map(shown, odd))}."
        )
    if not df.columns.is_unique:
        duplicates = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"The frame has the column {listed(map(shown, duplicates))} twice.")
    if df.columns.empty:
        raise InvalidInput("The frame has no columns.")
    if df.index.nlevels > 1 or df.index.name is not None:
        raise InvalidInput(
            "The frame's index would not be written. Make it a column with df.reset_index(), or "
            "drop it with df.reset_index(drop=True)."
        )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and whole_text(name) == name


def cells(column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool) -> Any:
    """Return the cells of a column as an Arrow column of texts; missing values are null.

    Args:
        column: The column.
        known: The type of a column of a listing; None for a free column.
        spreadsheet: True to guard texts against spreadsheets.

    Raises:
        InvalidInput: A value does not fit the column, or has no exact form in CSV.
    """
    try:
        texts = _by_arrow(column, known, spreadsheet=spreadsheet)
        if texts is not None:
            return texts
        return pa.array(_each(column, known, spreadsheet=spreadsheet), pa.string())
    except UnicodeEncodeError:
        raise InvalidInput(f"Column {shown(column.name)} {HALF}") from None


def _by_arrow(column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool) -> Any:
    """Return the cells of a column whose dtype Arrow can write; None for other columns."""
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
# Kinds of dtypes with their column types. Not unsigned integers, which may exceed 64 bits, and not
# floats, which Python writes with other digits.
_WRITTEN_BY_ARROW = {("i", Whole), ("i", None), ("b", Flag), ("b", None)}


def _lists(values: Any) -> Any:
    """Return lists of texts as cells; None if a value is not a list of texts."""
    cache = _ListCells()
    try:
        return pa.array([cache[value] for value in values], pa.string())
    except (TypeError, ValueError):
        return None


class _ListCells(dict[Any, str | None]):
    """A cache of the cells of lists of texts."""

    def __missing__(self, value: Any) -> str | None:
        cell = None if is_missing(value) else _json(_fitting(value, Names), lists=True)
        self[value] = cell
        return cell


def _each(
    column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool
) -> list[str | None]:
    """Return the texts of a column cell by cell; None where a cell is missing."""
    as_json = is_json_column(column, known)
    cells: list[str | None] = []
    for value in values(column, known):
        if value is None:
            cells.append(None)
        elif isinstance(value, str) and not as_json:
            free = known is None
            cells.append(csv_cells.guarded(value, free=free, spreadsheet=spreadsheet))
        else:
            cells.append(_cell(value))
    return cells


def is_json_column(column: pd.Series, known: type[ValueType] | None) -> bool:
    """True if the cells of a column are written as JSON: lists of texts, and any objects."""
    return known is Names or (known is None and column.dtype == object)


def values(column: pd.Series, known: type[ValueType] | None) -> list[Any]:
    """Return the values of a column that files can hold exactly.

    Args:
        column: The column.
        known: The type of a column of a listing; None for a free column.

    Returns:
        Texts, truth values, integers of 64 bits, floats, timestamps in UTC, and None for missing
        values. Lists and objects are JSON texts.

    Raises:
        InvalidInput: A value does not fit the column, or has no exact form in a file.
    """
    as_json = is_json_column(column, known)
    exact: list[Any] = []
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            exact.append(None)
            continue
        try:
            fitting = plain(value) if known is None else _fitting(value, known)
            exact.append(_json(fitting, lists=known is Names) if as_json else _exact(fitting))
        except ValueError as error:
            raise InvalidInput(
                f"Column {shown(column.name)}, row {row:,}: {shown(value)} {error}."
            ) from None
    return exact


def _fitting(value: Any, known: type[ValueType]) -> Any:
    """Return a value of a listing's column, or raise `ValueError` if it has another type."""
    value = plain(value)
    if known is Moment:
        fits = isinstance(value, pd.Timestamp)
    elif known is Names:
        fits = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    else:
        try:
            # Also reads floats such as 3.0: pandas makes them of integers beside missing values.
            value = known.read(value)
        except ValueError:
            fits = False
        else:
            fits = True
    if not fits:
        raise ValueError(f"is not {known.noun}, the type of this column of a listing")
    return value


def _exact(value: Any) -> Any:
    """Return a value, a timestamp in UTC; raise `ValueError` if it has no exact form in a file."""
    if isinstance(value, pd.Timestamp):
        if value.tz is None:
            raise ValueError("has no time zone. Set one with column.dt.tz_localize('UTC')")
        if value.nanosecond:
            raise ValueError("is finer than a microsecond. Round it with column.dt.round('us')")
        return value.tz_convert("UTC")
    if isinstance(value, str | bool | float) or (
        isinstance(value, int) and csv_cells.fits(str(value))
    ):
        return value
    raise ValueError(f"({type(value).__name__}) {_NO_FORM}")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, pd.Timestamp):
        return value.isoformat(timespec="microseconds")
    return repr(value) if isinstance(value, float) else str(value)


def _json(value: Any, *, lists: bool) -> str:
    if type(value) is tuple and all(isinstance(item, str) for item in value):
        # As the receivers of a comment.
        value = list(value)
    if not (lists or is_json(value)):
        raise ValueError(f"({type(value).__name__}) {_NO_FORM}")
    return json.dumps(value, ensure_ascii=False)
