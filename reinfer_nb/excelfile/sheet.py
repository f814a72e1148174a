"""Reads the cells of a worksheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zipfile import ZipFile

import numpy as np

from reinfer_nb.excelfile.parts import Attributes, unescaped, walk
from reinfer_nb.excelfile.values import COLUMNS, Serial, Unusable, serials_of

_EMPTY_ROW = object()
_WHOLE = re.compile(r"-?[1-9]\d*|0", re.ASCII)


class Cells:
    """The cells of a worksheet.

    Attributes:
        rows: The numbers of the rows that have cells, as a spreadsheet shows them.
        columns: Columns from A on, each with one value per row, or fewer. A value is a text, a
            truth value, a number, a `Serial`, `Unusable`, or None.
    """

    def __init__(self, strings: list[str], dates: set[str], marks: set[str], shift: int) -> None:
        self.rows: list[int] = []
        self.columns: list[list[Any]] = []
        self._strings = strings
        self._dates, self._marks, self._shift = dates, marks, shift
        self._row = 0
        self._column = -1
        self._type, self._style = "n", ""
        self._text: str | None = None
        self._is_open = self._is_phonetic = self._is_formula = False

    def read(self, archive: ZipFile, part: str) -> None:
        """Read the cells of a part."""
        walk(
            archive,
            part,
            {
                "row": self._start_row,
                "c": self._start_cell,
                "v": self._open,
                "t": self._open_text,
                "f": self._formula,
                "rPh": self._start_phonetic,
            },
            {"c": self._end_cell, "v": self._close, "t": self._close, "rPh": self._end_phonetic},
            self._append,
        )
        for column in self.columns:
            column.extend([None] * (len(self.rows) - len(column)))

    def _start_row(self, attributes: Attributes) -> None:
        number = attributes.get("r")
        self._row = int(number) if number else self._row + 1
        self._column = -1

    def _start_cell(self, attributes: Attributes) -> None:
        place = attributes.get("r")
        self._column = _column_of(place.rstrip("0123456789")) if place else self._column + 1
        self._type = attributes.get("t", "n")
        self._style = attributes.get("s", "")
        self._text = None
        self._is_formula = False

    def _open(self, _: Attributes) -> None:
        self._is_open = True

    def _open_text(self, _: Attributes) -> None:
        if not self._is_phonetic:
            self._is_open = True
            self._text = self._text or ""

    def _close(self) -> None:
        self._is_open = False

    def _formula(self, _: Attributes) -> None:
        self._is_formula = True

    def _start_phonetic(self, _: Attributes) -> None:
        self._is_phonetic = True

    def _end_phonetic(self) -> None:
        self._is_phonetic = False

    def _append(self, text: str) -> None:
        if self._is_open:
            self._text = text if self._text is None else self._text + text

    def _end_cell(self) -> None:
        value = self._blank() if self._text is None else self._value(self._text)
        if value is None:
            return
        if not self.rows or self.rows[-1] != self._row:
            self.rows.append(self._row)
        if value is _EMPTY_ROW:
            return
        while len(self.columns) <= self._column:
            self.columns.append([])
        column, place = self.columns[self._column], len(self.rows) - 1
        column.extend([None] * (place - len(column)))
        column[place:] = [value]

    def _blank(self) -> Any:
        """Return the value of a cell without text."""
        if not self._is_formula:
            return _EMPTY_ROW if self._style in self._marks else None
        if self._type == "str":
            return ""
        return Unusable(
            None,
            "the file does not hold the value of this formula. Open the file in a spreadsheet "
            "program and save it, or replace the formula by its value.",
        )

    def _value(self, text: str) -> Any:
        kind = self._type
        if kind == "s":
            return self._strings[int(text)]
        if kind in _VALUES:
            return _VALUES[kind](text)
        time = Serial.read(text, self._shift) if self._style in self._dates else None
        if time is not None:
            return time
        return int(text) if _WHOLE.fullmatch(text) else float(text)


def _serial(text: str) -> Any:
    """Return an ISO 8601 time without zone as a `Serial`, or as the text if it cannot hold it."""
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    micros = np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64)
    return serials_of(np.array([micros]))[0] or moment.isoformat()


def _error(text: str) -> Unusable:
    reason = f"the cell has the error {text}. Correct its formula, or clear the cell."
    return Unusable(text, reason)


# How the values of cells are written, by the type of the cell; other cells hold numbers.
_VALUES: Mapping[str, Callable[[str], Any]] = {
    "inlineStr": unescaped,
    "str": unescaped,
    "b": lambda text: text.strip() in ("1", "true"),
    "e": _error,
    "d": _serial,
}


@cache
def _column_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    if not letters.isupper() or number > COLUMNS:
        raise ValueError(f"it has a column {letters}")
    return number - 1
