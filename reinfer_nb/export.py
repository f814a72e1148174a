"""Listings as CSV and back: exact, fit for spreadsheets, written whole or not at all.

The file is UTF-8 with a byte order mark, which makes Excel read it as such. In it

- a missing value is an empty cell, an empty text is a pair of quotes;
- a timestamp is ISO 8601 in UTC to the microsecond, a truth value `true` or `false`, a list and
  whatever else is no plain value JSON;
- a text that a spreadsheet would take for a formula, or for a number with other digits, has an
  apostrophe before it. So has, in a column that is not of the definition of a source, a text that
  reads like something else than a text. `read_csv` takes these apostrophes away, and no others.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.fields import Flag, Moment, Names, Text, ValueType, Whole, fields_of
from reinfer_nb.files import written_whole
from reinfer_nb.frames import is_missing
from reinfer_nb.models import Source
from reinfer_nb.text import listed, shown

_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (",", ";", "\t")
# What begins a formula in a spreadsheet, in full-width forms too; spaces before it do not help.
_FORMULA = re.compile(" *[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
# Numbers that a spreadsheet gives back digit for digit.
_KEPT_NUMBER = re.compile(r"0|[1-9]\d{0,14}", re.ASCII)
# Columns that the toolkit itself adds to a listing.
_ADDED: Mapping[str, type[ValueType]] = {"num_comments": Whole}


def to_csv(
    df: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    spreadsheet: bool = True,
    sep: str = ",",
) -> Path:
    """Write a listing, or a frame made from one, as CSV; `read_csv` gives it back exactly.

    >>> to_csv(client.sources(), "sources.csv").name
    'sources.csv'

    Args:
        df: The frame. Its index is not written.
        path: Where to; "sources.csv", say.
        overwrite: Replace an older file of that name.
        spreadsheet: Put an apostrophe before texts that a spreadsheet would run as a formula or
            change as a number. Switched off, the file is for programs only; `read_csv` still
            gives back what was written.
        sep: What stands between cells. A spreadsheet set to German or French expects ";".

    Returns:
        The path of the file.

    Raises:
        InvalidInput: The frame has a column twice, one whose name is no text, an index that
            would be lost, or a value that has no exact form in the file.
        FileProblem: There is such a file, or it could not be written; an older one is as it was.
    """
    if not isinstance(df, pd.DataFrame):
        raise InvalidInput(f"to_csv takes a DataFrame, not {shown(df)}.")
    if sep not in _SEPARATORS:
        raise InvalidInput(f'sep is one of "," ";" and a tab, not {shown(sep)}.')
    _check_shape(df)
    types = _types()
    columns = [_written(df[name], types.get(name), spreadsheet=spreadsheet) for name in df.columns]
    names = [_guarded(name, spreadsheet=spreadsheet) for name in df.columns]
    from pyarrow import csv as arrow_csv

    with written_whole(path, overwrite=overwrite) as file:
        file.write(_BOM)
        options = arrow_csv.WriteOptions(delimiter=sep, quoting_style="needed")
        arrow_csv.write_csv(pa.table(columns, names=names), file, options)
    return Path(path)


def read_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a listing that `to_csv` wrote, with values and dtypes as they were.

    >>> df = client.sources()
    >>> read_csv(to_csv(df, "sources.csv")).equals(df)
    True

    A file that a spreadsheet saved again is read too, with whatever separator it chose, if it
    was saved as "CSV UTF-8".

    Args:
        path: The file.

    Returns:
        A frame with the columns of the file, over a `RangeIndex`. Those of a listing have the
        dtypes of `Client.sources`; others are `str`, `Int64`, `Float64`, `boolean` or
        `datetime64[us, UTC]` if all their cells read so, and `object` if some are JSON.

    Raises:
        FileProblem: There is no such file, it is no CSV, or a cell cannot be what its column
            holds; the message names the row and the column.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FileProblem(f"{path} could not be read: {error.strerror}.") from None
    types = _types()
    columns: dict[str, Any] = {}
    for header, cells in _cells(content.removeprefix(_BOM), path):
        name = _unguarded(header)
        if name in columns:
            raise FileProblem(f"{path} has the column {shown(name)} twice.")
        try:
            columns[name] = _read(cells, types.get(name))
        except _Unreadable as error:
            raise FileProblem(
                f"{path}, row {error.row + 2:,}, column {shown(name)}: {error}"
            ) from None
    return pd.DataFrame(columns, copy=False)


def _types() -> dict[str, type[ValueType]]:
    return {**{field.name: field.type for field in fields_of(Source)}, **_ADDED}


# Writing


def _check_shape(df: pd.DataFrame) -> None:
    odd = [name for name in list[Any](df.columns) if not isinstance(name, str) or not name]
    if odd:
        raise InvalidInput(f"A column's name is a text; {listed(map(shown, odd))} is not.")
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"The frame has the column {listed(map(shown, twice))} twice.")
    if df.columns.empty:
        raise InvalidInput("The frame has no columns.")
    if df.index.nlevels > 1 or df.index.name is not None:
        raise InvalidInput(
            "The frame's index would not be written. Make it a column with df.reset_index(), or "
            "drop it with df.reset_index(drop=True)."
        )


def _written(column: pd.Series, known: type[ValueType] | None, *, spreadsheet: bool) -> pa.Array:
    # A column of objects that is not known has each cell as JSON, a text too; what is text and
    # what is not could not be told otherwise.
    as_json = known is None and column.dtype == object
    cells: list[str | None] = []
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            cells.append(None)
            continue
        try:
            if known is not None:
                _check_known(value, known)
            cell = _json(value) if as_json or known is Names else _cell(value)
        except ValueError as error:
            raise InvalidInput(
                f"Column {shown(column.name)}, row {row:,}: {shown(value)} {error}."
            ) from None
        if isinstance(value, str) and not as_json:
            cell = _guarded(cell, free=known is None, spreadsheet=spreadsheet)
        cells.append(cell)
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        raise InvalidInput(
            f"Column {shown(column.name)} holds half a character (a lone surrogate), which no "
            "file can hold. Replace it first."
        ) from None


def _check_known(value: Any, known: type[ValueType]) -> None:
    fits = {
        Text: isinstance(value, str),
        Flag: isinstance(value, bool | np.bool_),
        Whole: (isinstance(value, int | np.integer) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer()),
        Names: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
        Moment: isinstance(value, pd.Timestamp),
    }
    if not fits[known]:
        raise ValueError(f"is not {known.noun}, which that column of a listing holds")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, pd.Timestamp):
        if value.tz is None:
            raise ValueError("has no time zone; give it one with column.dt.tz_localize('UTC')")
        if value.nanosecond:
            raise ValueError("is finer than a microsecond; round it with column.dt.round('us')")
        return value.tz_convert("UTC").isoformat(timespec="microseconds")
    if isinstance(value, int | float | np.number):
        return repr(value.item() if isinstance(value, np.number) else value)
    raise ValueError(f"({type(value).__name__}) has no form in CSV; make it a text first")


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        raise ValueError(
            f"({type(value).__name__}) has no form in CSV; make it a text first"
        ) from None


def _guarded(text: str, *, free: bool = False, spreadsheet: bool = True) -> str:
    if not _is_guarded(text, free=free):
        return text
    # For programs only what `read_csv` would take for something else is guarded.
    if spreadsheet or text.startswith("'") or (free and _reads_as(text) != "text"):
        return "'" + text
    return text


def _unguarded(text: str, *, free: bool = False) -> str:
    return text[1:] if text.startswith("'") and _is_guarded(text[1:], free=free) else text


def _is_guarded(text: str, *, free: bool) -> bool:
    """Whether a text has an apostrophe before it: also if it looks as if it had one already."""
    bare = text.lstrip("'")
    return bool(
        _FORMULA.match(bare)
        or (_NUMBER.fullmatch(bare.strip()) and not _KEPT_NUMBER.fullmatch(bare))
        or (free and _reads_as(bare) != "text")
    )


# Reading


class _Unreadable(ValueError):
    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def _cells(content: bytes, path: str | os.PathLike[str]) -> Iterable[tuple[str, pa.ChunkedArray]]:
    """Return the columns of a CSV: header and cells, missing where a cell is empty, unquoted."""
    from pyarrow import csv as arrow_csv

    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileProblem(
            f"{path} is not UTF-8 (line {line:,}). From a spreadsheet, save it as 'CSV UTF-8'."
        ) from None
    if not text.strip() or "\0" in text:
        raise FileProblem(f"{path} is no CSV: it is empty or holds binary data.")
    if text.count('"') % 2:
        raise FileProblem(f"{path} is cut off or damaged: a quote in it is never closed.")
    first = text.partition("\n")[0]
    sep = max(_SEPARATORS, key=first.count)
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=sep))
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            # In one piece and by one thread, so that an error can tell the row.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=arrow_csv.ParseOptions(
                delimiter=sep,
                newlines_in_values=True,
                # A column that stands alone has empty lines for what is missing.
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        raise FileProblem(f"{path} is no CSV with as many cells in each row: {error}.") from None
    return zip(table.column_names, table.columns, strict=True)


def _read(cells: pa.ChunkedArray, known: type[ValueType] | None) -> Any:
    texts = cells.to_pylist()
    if known is Text:
        return _array([text and _unguarded(text) for text in texts], Text.dtype)
    if known is not None:
        return _array(_each(texts, _READERS[known]), known.dtype)
    kinds = {_reads_as(text) for text in texts if text is not None}
    if kinds == {"whole"} and all(_fits(text) for text in texts if text is not None):
        return _array(_each(texts, int), Whole.dtype)
    if kinds and kinds <= {"whole", "number"}:
        return _array(_each(texts, float), pd.Float64Dtype())
    if kinds == {"flag"}:
        return _array(_each(texts, _flag), Flag.dtype)
    if kinds == {"moment"}:
        return _array(_each(texts, Moment.read), Moment.dtype)
    if "json" in kinds and "text" not in kinds:
        return _array(_each(texts, json.loads), np.dtype(object))
    return _array([text and _unguarded(text, free=True) for text in texts], Text.dtype)


def _reads_as(text: str) -> str:
    """Return what a cell of a column nothing is known of reads as, seen by itself."""
    if text.lower() in ("true", "false"):
        return "flag"
    if _NUMBER.fullmatch(text):
        return "whole" if _WHOLE.fullmatch(text) else "number"
    if text[:1].isdigit():
        try:
            Moment.read(text)
        except ValueError:
            return "text"
        return "moment"
    if text[:1] in ("[", "{", '"') or text == "null":
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "text"
        return "json"
    return "text"


def _fits(text: str) -> bool:
    return -(2**63) <= int(text) < 2**63


def _each(texts: list[str | None], read: Callable[[str], Any]) -> list[Any]:
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(None if text is None else read(text))
        except (ValueError, RecursionError) as error:
            raise _Unreadable(row, f"{shown(text)} {error}.") from None
    return values


def _array(values: list[Any], dtype: Any) -> Any:
    if dtype == np.dtype(object):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return pd.array(values, dtype=dtype)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text.lower() == "true"


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text) or not _fits(text):
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
