"""From the bytes of a CSV to columns of a frame."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb._csv_cells import BOM, FLAGS, NUMBERS, SEPARATORS, WHOLE, fits, reads_as, unguarded
from reinfer_nb.text import shown, visible
from reinfer_nb.value_types import EXACT, Flag, Moment, Names, Text, ValueType, Whole

# The first record of a CSV, and what in it stands between quotes.
_RECORD = re.compile(r'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_WORKBOOK = b"PK\x03\x04"


class NoCSV(ValueError):
    """The bytes are no CSV; the message says what they are instead."""


class Unreadable(ValueError):
    """A cell cannot be what its column holds.

    Attributes:
        row: Its row, counted from 0 without the header.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def cells(content: bytes) -> Iterator[tuple[str, list[str | None]]]:
    """Yield the columns of a CSV: header and cells, None where a cell is empty and unquoted.

    Raises:
        NoCSV: It is none.
    """
    from pyarrow import csv

    text = _text(content)
    record = _RECORD.match(text)
    header = _QUOTED.sub("", record[0] if record else "")
    sep = max(SEPARATORS, key=header.count)
    count = header.count(sep) + 1
    names = [f"f{number}" for number in range(count)]
    encoded = text.encode()
    try:
        table = csv.read_csv(
            io.BytesIO(encoded),
            # In one piece and by one thread, so that an error can tell the row.
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(encoded) + 1, column_names=names
            ),
            parse_options=csv.ParseOptions(
                delimiter=sep,
                newlines_in_values=True,
                # A column that stands alone has empty lines for what is missing.
                ignore_empty_lines=count > 1,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        reason = visible(str(error), 200)
        raise NoCSV(f"no CSV with as many cells in each row: {reason}.") from None
    for number, column in enumerate(table.columns, start=1):
        name = column[0].as_py()
        if not name:
            raise NoCSV(f"no CSV: column {number} has no name in the first row.")
        yield name, column.slice(1).to_pylist()


def _text(content: bytes) -> str:
    """Return the content of a file that may be a CSV."""
    if content.startswith(_WORKBOOK):
        raise NoCSV("a workbook. Save it as 'CSV UTF-8'.")
    bare = content.removeprefix(BOM)
    try:
        text = bare.decode().lstrip("\r\n")
    except UnicodeDecodeError as error:
        line = bare.count(b"\n", 0, error.start) + 1
        raise NoCSV(
            f"not UTF-8 (line {line:,}). From a spreadsheet, save it as 'CSV UTF-8'."
        ) from None
    if not text.strip():
        raise NoCSV("empty, without even a line of column names.")
    if text.lstrip()[0] in "<{[":
        raise NoCSV("HTML, XML or JSON by its first line, and no CSV.")
    if text.count('"') % 2:
        raise NoCSV("cut off or damaged: a quote in it is never closed.")
    # This toolkit and spreadsheets, which write the mark, end the last line too.
    if content.startswith(BOM) and text[-1] not in "\r\n":
        raise NoCSV("cut off: its last line is not whole.")
    return text


def column(texts: list[str | None], known: type[ValueType] | None, dtype: Any) -> Any:
    """Return the cells of a column as the array of a frame.

    Args:
        texts: The cells.
        known: The type, of a column of a listing.
        dtype: The dtype that the header says, of another column; None if it says none.

    Raises:
        Unreadable: A cell cannot be what the column holds.
    """
    if known is Text:
        return _array([text and unguarded(text) for text in texts], Text.dtype)
    if known is not None:
        return _array(_each(texts, _READERS[known]), known.dtype)
    kinds = {reads_as(text) for text in texts if text is not None}
    if dtype is None:
        dtype = _dtype_by(kinds, texts)
    if dtype == Text.dtype:
        return _array([text and unguarded(text, free=True) for text in texts], dtype)
    return _array(_each(texts, _FREE_READERS[dtype]), dtype)


def _dtype_by(kinds: set[str], texts: list[str | None]) -> Any:
    if kinds == {"whole"}:
        return Whole.dtype
    if kinds == {"flag"}:
        return Flag.dtype
    if kinds == {"moment"}:
        return Moment.dtype
    if kinds and kinds <= {"whole", "number"}:
        wholes = [int(text) for text in texts if text is not None and WHOLE.fullmatch(text)]
        if all(whole in EXACT for whole in wholes):
            return NUMBERS
    return Text.dtype


def _each(texts: list[str | None], read: Callable[[str], Any]) -> list[Any]:
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(None if text is None else read(text))
        except (ValueError, RecursionError) as error:
            raise Unreadable(row, f"{shown(text)} {error}.") from None
    return values


def _array(values: list[Any], dtype: Any) -> Any:
    if dtype == np.dtype(object):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return pd.array(values, dtype=dtype)


def _flag(text: str) -> bool:
    flag = FLAGS.get(text.lower())
    if flag is None:
        raise ValueError("is neither true nor false")
    return flag


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text) or not fits(text):
        raise ValueError("is no whole number of 64 bits")
    return int(text)


def _moment(text: str) -> Any:
    try:
        return Moment.read(text)
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def _names(text: str) -> tuple[str, ...]:
    try:
        return Names.read(json.loads(text))
    except (ValueError, RecursionError):
        raise ValueError('is no list of texts, such as ["email"]') from None


_READERS: Mapping[type[ValueType], Callable[[str], Any]] = {
    Flag: _flag,
    Whole: _whole,
    Moment: _moment,
    Names: _names,
}


def _object(text: str) -> Any:
    # A spreadsheet writes them in capitals.
    if text.lower() in FLAGS:
        return FLAGS[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number") from None


_FREE_READERS: Mapping[Any, Callable[[str], Any]] = {
    np.dtype(object): _object,
    Whole.dtype: _whole,
    NUMBERS: _number,
    Flag.dtype: _flag,
    Moment.dtype: _moment,
}
