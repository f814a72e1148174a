"""Converts the cells of a worksheet to columns of a frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile.cells import NUMBERS
from reinfer_nb.csvfile.reader import Unreadable
from reinfer_nb.excelfile.sheet import Cells
from reinfer_nb.excelfile.values import Serial, Unusable, micros_of
from reinfer_nb.schema.added_columns import listing_types
from reinfer_nb.schema.value_types import EXACT, INT64, Flag, Moment, Names, Text, ValueType, Whole
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled

# Dtypes by the suffix of the heading. A time is in UTC, whatever zone its reader is in.
DTYPES = {name: dtype for name, dtype in csv_cells.DTYPES.items() if name != "timestamp"} | {
    "UTC": Moment.dtype
}
_SUFFIX = re.compile(rf"(.*) \(({'|'.join(DTYPES)})\)", re.DOTALL)


class NoTable(ValueError):
    """A worksheet does not hold a table; the message completes "x.xlsx "."""


def has_suffix(name: str) -> bool:
    """True if the name of a column ends like a heading with a dtype, such as "x (UTC)"."""
    return _SUFFIX.fullmatch(name) is not None


def columns(cells: Cells) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the columns of a table: the name, and a function that returns the array of a frame.

    The function raises `Unreadable` if a cell is invalid for its column. Columns without a name
    are left out if they are empty, or the numbered index that pandas writes as the first column.

    Raises:
        NoTable: The worksheet is empty, or another column has no name.
    """
    types = listing_types()
    named = 0
    for number, (heading, *values) in enumerate(cells.columns):
        if heading in (None, ""):
            is_index = not named and set(map(type, values)) == {int}
            if any(value not in (None, "") for value in values) and not is_index:
                raise NoTable(
                    f"is not a table: column {letters(number)} has no name in row "
                    f"{cells.rows[0]:,}, the first row with cells. Name it, or delete it."
                )
            continue
        if isinstance(heading, Unusable):
            raise NoTable(
                f"is not a table: in row {cells.rows[0]:,}, column {letters(number)}, "
                f"{heading.reason}"
            )
        named += 1
        name, suffix = _name_of(text_of(heading), types)
        yield name, partial(_column, values, types.get(name), suffix)
    if not named:
        advice = spelled("Choose another with sheet=.", "Only its first worksheet is read.")
        raise NoTable(f"has no cells in this worksheet. {advice}")


def letters(number: int) -> str:
    """Return the letters of a column, counted from 0."""
    rest, last = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("A") + last)


def text_of(value: Any) -> str:
    """Return the value of a cell as `to_csv` writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Serial):
        return f"{np.datetime_as_string(_instants([value])[0], 'us')}+00:00"
    if isinstance(value, Unusable) and value.shown is not None:
        return value.shown
    return repr(value)


def _name_of(heading: str, known: Container[str]) -> tuple[str, str | None]:
    """Return the name of a column, and the suffix of its heading or None."""
    match = _SUFFIX.fullmatch(heading)
    name, suffix = (match[1], match[2]) if match else (heading, None)
    return name.strip() if name.strip() in known else name, suffix


def _column(values: list[Any], known: type[ValueType] | None, suffix: str | None) -> Any:
    """Return the values of cells as the array of a frame.

    Args:
        values: The values, as `Cells` has them.
        known: The type of a column of a listing; None for a free column.
        suffix: The suffix of the heading; None if it has none.

    Raises:
        Unreadable: A cell is invalid for the column.
    """
    kinds = set(map(type, values))
    if Unusable in kinds:
        _check_usable(values, free=known is None and suffix is None)
    if known is not None:
        dtype = known.dtype
    elif suffix is not None:
        dtype = DTYPES[suffix]
    else:
        dtype = inferred_dtype(values)
    if dtype == Text.dtype:
        return _texts(values, kinds, known)
    if dtype == Moment.dtype:
        return _moments(values, is_utc=suffix == "UTC")
    if dtype == np.dtype(object):
        return np.fromiter(_each(values, _names if known is Names else _json), object)
    return pd.array(_each(values, _READERS[dtype]), dtype)


def _check_usable(values: list[Any], *, free: bool) -> None:
    """Check that no cell is `Unusable`; in a free column, an error is a text."""
    for row, value in enumerate(values):
        if isinstance(value, Unusable) and not (free and value.shown is not None):
            raise Unreadable(row, value.reason)


def inferred_dtype(values: list[Any]) -> Any:
    """Return the dtype of a free column that its cells show."""
    kinds = set(map(type, values)) - {NoneType}
    if str in kinds and len(kinds) > 1 and not any(v for v in values if isinstance(v, str)):
        kinds.remove(str)
    if kinds == {bool}:
        return Flag.dtype
    if kinds == {Serial}:
        return Moment.dtype
    if kinds == {int} and all(v in INT64 for v in values if isinstance(v, int)):
        return Whole.dtype
    if kinds and kinds <= {int, float}:
        wholes = (value for value in values if isinstance(value, int))
        return NUMBERS if all(value in EXACT for value in wholes) else Text.dtype
    return Text.dtype


def _texts(values: list[Any], kinds: set[type], known: type[ValueType] | None) -> Any:
    """Return the cells of a column of texts.

    Numbers, dates and truth values in a listing's column stay what they are: how a text such as an
    id looked before a spreadsheet took it for a number is not known. A plan reports them.
    """
    if kinds <= {str, NoneType}:
        return _text_array(values)
    if known is None:
        texts = [None if value is None else text_of(value) for value in values]
        return _text_array(texts)
    cells = [_timestamp(value) if isinstance(value, Serial) else value for value in values]
    return np.fromiter(cells, object)


def _text_array(texts: list[str | None]) -> Any:
    dtype: Any = Text.dtype
    return dtype.__from_arrow__(pa.array(texts, pa.large_string()))


def _timestamp(serial: Serial) -> pd.Timestamp:
    return pd.Timestamp(_instants([serial])[0], tz="UTC")


def _instants(serials: list[Serial]) -> Any:
    return micros_of(np.array(serials, dtype=np.float64)).astype("datetime64[us]")


def _moments(values: list[Any], *, is_utc: bool) -> Any:
    """Return cells as timestamps; texts without a time zone only if the heading names it."""
    values = [None if value == "" else value for value in values]
    is_time = np.fromiter((type(value) is Serial for value in values), np.bool_, len(values))
    instants = np.full(len(values), "NaT", dtype="datetime64[us]")
    micros = micros_of(np.array([v for v in values if type(v) is Serial], dtype=np.float64))
    if not is_utc:
        # Other programs miss a whole millisecond by a microsecond when they compute the days.
        micros += np.select([micros % 1000 == 1, micros % 1000 == 999], [-1, 1], 0)
    instants[is_time] = micros.astype("datetime64[us]")
    others = [None if type(value) is Serial else value for value in values]
    if others.count(None) < len(others):
        read = partial(_moment, is_utc=is_utc)
        for row, moment in enumerate(_each(others, read)):
            if moment is not None:
                instants[row] = moment.replace(tzinfo=None)
    return pd.DatetimeIndex(instants).tz_localize("UTC").array


def _each(values: list[Any], read: Callable[[Any], Any]) -> list[Any]:
    read_values = []
    for row, value in enumerate(values):
        try:
            read_values.append(None if value is None or value == "" else read(value))
        except (ValueError, RecursionError) as error:
            text = text_of(value) if isinstance(value, Serial) else value
            raise Unreadable(row, f"{shown(text)} {error}.") from None
    return read_values


def _moment(value: Any, *, is_utc: bool) -> Any:
    if not isinstance(value, str):
        raise ValueError("is not a date. Give the cell the number format of a date")
    try:
        return csv_cells.moment(value)
    except ValueError:
        if is_utc:
            with suppress(ValueError):
                return csv_cells.moment(f"{value}Z")
        raise


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return csv_cells.flag(value if isinstance(value, str) else repr(value))


def _whole(value: Any) -> int:
    if isinstance(value, str):
        return csv_cells.whole(value)
    if isinstance(value, int | float) and not isinstance(value, bool | Serial):
        return Whole.read(value)
    raise ValueError("is not a whole number")


def _number(value: Any) -> float:
    if isinstance(value, str):
        return csv_cells.number(value)
    if isinstance(value, bool | Serial):
        raise ValueError("is not a number")
    return float(value)


def _names(value: Any) -> tuple[str, ...]:
    return Names.parse(value if isinstance(value, str) else repr(value))


def _json(value: Any) -> Any:
    if isinstance(value, Serial):
        raise ValueError("is not JSON")
    return csv_cells.json_value(value) if isinstance(value, str) else value


_READERS: Mapping[Any, Callable[[Any], Any]] = {
    Flag.dtype: _flag,
    Whole.dtype: _whole,
    NUMBERS: _number,
}
