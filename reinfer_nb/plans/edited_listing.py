"""Read an edited listing, cell by cell, whatever dtypes pandas or a file gave its columns.

A cell with an invalid value becomes a `Problem` instead of an error, so that the user sees all
invalid cells at once. Knows no tenant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.csvfile.cells import FLAGS, WHOLE
from reinfer_nb.dates import moment
from reinfer_nb.diff.equality import Flags
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.row_numbers import row_numbers
from reinfer_nb.schema.added_columns import ADDED
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.schema.value_types import (
    Flag,
    Moment,
    Names,
    Text,
    ValueType,
    Whole,
    is_whole,
    python_value,
)
from reinfer_nb.text import holds_half_character, is_blank, listed, nearest, shown
from reinfer_nb.wording import spelled


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why an edited listing cannot be applied.

    Attributes:
        row: The row of the listing, from 0; None if the problem is not in a single row.
        column: The column; None if the problem is not in a single column.
        value: The value of the cell.
        reason: What is wrong, and what to do.
    """

    row: int | None
    column: str | None
    value: Any
    reason: str


@dataclass(frozen=True)
class Intended:
    """An edited listing with typed columns.

    Attributes:
        columns: The columns that are fields of a source, with the dtypes of `Client.sources` and
            an index from 0.
        readable: By column, True for each cell that could be read; columns without unreadable
            cells are left out.
        ignored: The other columns.
        problems: The cells that could not be read, and misspelled columns.
        numbers: The number of each row for messages, see `row_numbers`.
    """

    columns: pd.DataFrame
    readable: Mapping[str, Flags] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    numbers: pd.Index = field(default_factory=lambda: pd.RangeIndex(0))


def intended(edited: object) -> Intended:
    """Return an edited listing with typed columns.

    Raises:
        InvalidInput: It is not a frame, has a column twice, or has no columns that name a source.
    """
    edited = check_frame(edited, "A plan is made of a DataFrame")
    if not edited.columns.is_unique:
        names = listed(map(shown, edited.columns[edited.columns.duplicated()].unique()))
        raise InvalidInput(f"The edited listing has the column {names} twice.")
    if "id" not in edited and not {"owner", "name"} <= set(edited.columns):
        raise InvalidInput(
            "The edited listing needs the column 'id', or both 'owner' and 'name'."
            + spelled(" If they are in the index, make them columns with df.reset_index().", "")
        )
    table = {field.name: field for field in fields_of(Source)}
    others = [name for name in edited.columns if name not in table]
    problems = [
        Problem(None, str(name), None, f"is not a column of a listing. Did you mean {near}?")
        for name in others
        if (near := _near_column(name, [field for field in table if field not in edited]))
    ]
    columns, readable = {}, {}
    for name in (name for name in table if name in edited):
        columns[name], bad = _typed(edited[name].reset_index(drop=True), table[name])
        if table[name].about.nullable and table[name].type is Text:
            # Some readers return a blank cell of a file as a text.
            columns[name] = columns[name].where(columns[name].str.strip() != "")
        if bad:
            readable[name] = np.ones(len(edited), dtype=np.bool_)
            readable[name][[problem.row or 0 for problem in bad]] = False
            problems += bad
    return Intended(
        pd.DataFrame(columns, index=pd.RangeIndex(len(edited))),
        readable,
        tuple(map(str, others)),
        tuple(problems),
        row_numbers(edited),
    )


def _near_column(name: object, unused: list[str]) -> str | None:
    """Return the field that a misspelled column probably means; None if there is none."""
    return nearest(name, unused) if isinstance(name, str) and name not in ADDED else None


def _typed(column: pd.Series, field: Field) -> tuple[pd.Series, list[Problem]]:
    dtype = field.type.dtype
    if column.dtype == dtype and (field.type is not Names or _are_names(column)):
        return column, []
    if field.type is Moment and isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC"), []
    read = _READERS[field.type]
    cells = np.empty(len(column), dtype=object)
    problems = []
    for row, value in enumerate(map(python_value, column.array)):
        # Some readers return an empty cell of a file as an empty text.
        if value is None or (field.type is not Text and is_blank(value)):
            continue
        try:
            cells[row] = read(value)
        except ValueError as error:
            problems.append(Problem(row, field.name, value, str(error)))
    return pd.Series(cells, index=column.index, dtype=dtype), problems


def _are_names(column: pd.Series) -> bool:
    """True if all cells are tuples of valid texts."""
    cells = column.tolist()
    if not set(map(type, cells)) <= {tuple}:
        return False
    try:
        # A listing has few distinct tuples.
        items = list({item for names in set(cells) for item in names})
    except TypeError:
        return False
    return set(map(type, items)) <= {str} and not holds_half_character(items)


def _text(value: Any) -> str:
    if isinstance(value, str):
        if holds_half_character(value):
            raise ValueError(
                f"holds half a character (lone surrogate): {shown(value)}. Replace it."
            )
        return str(value)
    # Leading zeros are lost, and "2024" cannot be told from "2024.0".
    hint = (
        spelled(" Read a CSV file with rnb.read_csv.", "")
        + " In a workbook, give the cell the number format of texts, and type it again."
        if isinstance(value, int | float)
        else ""
    )
    raise ValueError(f"must be a text, not {shown(value)} ({type(value).__name__}).{hint}")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in FLAGS:
        return FLAGS[value.strip().lower()]
    raise ValueError(f"must be {spelled('True or False', 'true or false')}, not {shown(value)}.")


def _whole(value: Any) -> int:
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = int(value)
    # pandas makes a column of integers with missing cells a column of floats.
    if is_whole(value):
        value = int(value)
    try:
        return Whole.check(value)
    except ValueError as error:
        raise ValueError(f"{error}.") from None


def _names(value: Any) -> tuple[str, ...]:
    try:
        given = Names.parse(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(
            f"must be a list of texts, not {shown(value)}. In a file, write "
            """["salary"], or [] for an empty list."""
        ) from None
    try:
        names = tuple(Names.check(given))
    except ValueError as error:
        raise ValueError(f"{error}.") from None
    if holds_half_character(names):
        raise ValueError(f"holds half a character (lone surrogate): {shown(value)}. Replace it.")
    return names


# A number is a time since 1970 in nanoseconds, microseconds, milliseconds (as in
# `DataFrame.to_json`) or seconds. Each row has the smallest number of a unit, and the unit in
# microseconds. Each unit covers the years 1973 to 5138, so that the units do not overlap.
_UNITS = ((1e17, 1e-3), (1e14, 1), (1e11, 1e3), (1e8, 1e6))
_DIGITS = re.compile(r"\d{9,19}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(value: Any) -> datetime:
    number = value.strip() if isinstance(value, str) else value
    if isinstance(number, str) and _DIGITS.fullmatch(number):
        number = int(number)
    if isinstance(number, int | float) and not isinstance(number, bool):
        for smallest, microseconds in _UNITS:
            if smallest <= number < 1000 * smallest:
                return _EPOCH + timedelta(microseconds=round(float(number) * microseconds))
    try:
        return moment(value)
    except InvalidInput:
        raise ValueError(f"must be a timestamp, not {shown(value)}.") from None


_READERS: Mapping[type[ValueType], Callable[[Any], Any]] = {
    Text: _text,
    Flag: _flag,
    Whole: _whole,
    Names: _names,
    Moment: _moment,
}
