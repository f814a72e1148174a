"""What an edited listing says of sources, cell by cell, whatever pandas or a file made of it.

A cell that cannot be what its column holds is a problem to list, not an error: whoever edited a
thousand rows wants to hear of all of them at once. Knows no tenant.
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
    is_missing,
    is_whole,
)
from reinfer_nb.text import holds_half_character, is_blank, listed, nearest, shown

# What else listings of the toolkit have.
_COUNTED = ("num_comments",)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps an edited listing from becoming a plan.

    Attributes:
        row: Which row of the listing, from 0; None where it is no single one.
        column: Which column; None where it is no single one.
        value: What is there.
        reason: What is wrong, and what to do.
    """

    row: int | None
    column: str | None
    value: Any
    reason: str


@dataclass(frozen=True)
class Intended:
    """An edited listing as it is meant.

    Attributes:
        columns: Its columns that a source has by definition, each with the dtype of
            `Client.sources`, over an index from 0.
        readable: By column, where its cells could be read; a column without a flag could be
            everywhere.
        ignored: Its other columns.
        problems: What could not be read.
    """

    columns: pd.DataFrame
    readable: Mapping[str, Flags] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def intended(edited: object) -> Intended:
    """Return what an edited listing says.

    Raises:
        InvalidInput: It is no frame, has a column twice, or nothing by which a row is a source.
    """
    edited = check_frame(edited, "A plan is made of a DataFrame")
    if not edited.columns.is_unique:
        twice = edited.columns[edited.columns.duplicated()].unique()
        raise InvalidInput(f"The edited listing has the column {listed(map(shown, twice))} twice.")
    if "id" not in edited and not {"owner", "name"} <= set(edited.columns):
        raise InvalidInput(
            "The edited listing has neither the column 'id' nor both of 'owner' and 'name', so "
            "that no row of it is known to be any source. Where they are its index, make them "
            "columns with df.reset_index()."
        )
    table = {known.name: known for known in fields_of(Source)}
    others = [name for name in edited.columns if name not in table]
    problems = [
        Problem(None, str(name), None, f"is no column of a listing; did you mean {near}?")
        for name in others
        if (near := _meant(name, [known for known in table if known not in edited]))
    ]
    columns, readable = {}, {}
    for name in (name for name in table if name in edited):
        columns[name], bad = _typed(edited[name].reset_index(drop=True), table[name])
        if table[name].about.nullable and table[name].type is Text:
            # A blank cell of a file, which some readers take for a text.
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
    )


def _meant(name: object, unused: list[str]) -> str | None:
    """Return the column that a name of another was probably meant to be, if any."""
    return nearest(name, unused) if isinstance(name, str) and name not in _COUNTED else None


def _typed(column: pd.Series, known: Field) -> tuple[pd.Series, list[Problem]]:
    dtype = known.type.dtype
    if column.dtype == dtype and (known.type is not Names or _are_names(column)):
        return column, []
    if known.type is Moment and isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC"), []
    read = _READERS[known.type]
    cells = np.empty(len(column), dtype=object)
    problems = []
    for row, value in enumerate(column.array):
        # An empty cell of a file, which some readers take for an empty text.
        empty = known.type is not Text and is_blank(value)
        if empty or is_missing(value):
            continue
        try:
            cells[row] = read(value)
        except ValueError as error:
            problems.append(Problem(row, known.name, value, str(error)))
    return pd.Series(cells, index=column.index, dtype=dtype), problems


def _are_names(column: pd.Series) -> bool:
    """Whether all cells are tuples of whole texts; a listing has few distinct ones."""
    cells = column.tolist()
    if not set(map(type, cells)) <= {tuple}:
        return False
    try:
        items = list({item for names in set(cells) for item in names})
    except TypeError:
        return False
    return set(map(type, items)) <= {str} and not holds_half_character(items)


def _text(value: Any) -> str:
    if isinstance(value, str):
        if holds_half_character(value):
            raise ValueError(f"must hold whole characters, not {shown(value)}.")
        return str(value)
    # What zeros it began with is lost, and whether it was "2024" or "2024.0".
    hint = " Read a file with rnb.read_csv." if isinstance(value, int | float | np.number) else ""
    raise ValueError(f"must be a text, not {shown(value)} ({type(value).__name__}).{hint}")


def _flag(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in FLAGS:
        return FLAGS[value.strip().lower()]
    raise ValueError(f"must be True or False, not {shown(value)}.")


def _whole(value: Any) -> int:
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = int(value)
    # A column with missing cells is one of doubles in pandas.
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
            f"must be a list of texts, not {shown(value)}: in a file written as "
            """["salary"], and [] for none."""
        ) from None
    try:
        names = tuple(Names.check(given))
    except ValueError as error:
        raise ValueError(f"{error}.") from None
    if holds_half_character(names):
        raise ValueError(f"must hold whole characters, not {shown(value)}.")
    return names


# Numbers from each of these on, and below the next, are that many microseconds each: seconds,
# milliseconds (what `DataFrame.to_json` writes), microseconds or nanoseconds since 1970. So each
# unit has the years 1973 to 5138, and no number is of two units.
_UNITS = ((1e17, 1e-3), (1e14, 1), (1e11, 1e3), (1e8, 1e6))
_DIGITS = re.compile(r"\d{9,19}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(value: Any) -> datetime:
    number = value.strip() if isinstance(value, str) else value
    if isinstance(number, str) and _DIGITS.fullmatch(number):
        number = int(number)
    if isinstance(number, int | float | np.integer | np.floating) and not isinstance(number, bool):
        for least, microseconds in _UNITS:
            if least <= number < 1000 * least:
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
