"""Listings as CSV and back: exact, fit for spreadsheets, written whole or not at all.

The file is UTF-8 with a byte order mark, which makes Excel read it as such. In it

- a missing value is an empty cell, an empty text is a pair of quotes;
- a timestamp is ISO 8601 in UTC to the microsecond, a truth value `true` or `false`, a list JSON;
- a text that a spreadsheet would run as a formula, or rewrite as a number or a date, has an
  apostrophe before it. So has, in a column that is not of the definition of a source, a text that
  reads like something else. `read_csv` takes these apostrophes away, and no others;
- a column that is not of the definition and whose cells do not tell its dtype says it in its
  name: "labels (JSON)" for objects, "retention (Int64)" where all are missing.
"""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb import arguments
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile import encodings, reader, writer
from reinfer_nb.errors import FileProblem, InvalidInput, UnreadableWarning, warn
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.schema.value_types import has_time_zone
from reinfer_nb.text import listed, shown, visible


def to_csv(
    df: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    spreadsheet: bool = True,
    sep: str = ",",
) -> Path:
    """Write a listing, or a frame made from one, as CSV; `read_csv` gives it back exactly.

    Other dtypes than those of a listing come back as the nullable one of their kind.

    >>> to_csv(client.sources(), "sources.csv").name
    'sources.csv'

    Args:
        df: The frame. Its index is not written.
        path: Where to; "sources.csv", say. A name that ends in ".gz" is compressed with gzip.
        overwrite: Replace an older file of that name.
        spreadsheet: Put an apostrophe before texts that a spreadsheet would run as a formula or
            rewrite as a number or a date. Switched off, the file is for programs only; `read_csv`
            still gives back what was written.
        sep: What stands between cells. A spreadsheet set to German or French expects ";".

    Returns:
        The path of the file.

    Raises:
        InvalidInput: The frame has a column twice, one whose name is no text, an index that
            would be lost, or a value that has no exact form in the file; or `path` is none, or
            the name of a file of another kind, such as "sources.xlsx".
        FileProblem: There is such a file, or it could not be written; an older one is as it was.
    """
    df = check_frame(df, "to_csv takes a DataFrame")
    spreadsheet = arguments.flag(spreadsheet, "spreadsheet")
    separator: object = sep
    if not isinstance(separator, str) or separator not in csv_cells.SEPARATORS:
        raise InvalidInput(f'sep is one of "," ";" and a tab, not {shown(sep)}.')
    target = path_of(path)
    _check_ending(target)
    table = _table(df, spreadsheet=spreadsheet)
    with written_whole(target, overwrite=overwrite) as file:
        if target.suffix.lower() == ".gz":
            # Without the time, so that the same listing makes the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _put(table, packed, sep)
        else:
            _put(table, file, sep)
    return target


# Endings of names for files of other kinds, and what to do.
_WORKBOOK = (
    "a workbook, and to_csv writes CSV, which a spreadsheet would not open under that name. Give a "
    "name that ends in .csv; Excel, LibreOffice and Google Sheets open that file"
)
_PACKED = "a compression that to_csv does not write. Give a name that ends in .csv or .csv.gz"
_OTHER_ENDINGS = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), _WORKBOOK),
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z"), _PACKED),
    ".parquet": "Parquet, and to_csv writes CSV. Use df.to_parquet(path), or a name in .csv",
    ".feather": "Feather, and to_csv writes CSV. Use df.to_feather(path), or a name in .csv",
    ".json": "JSON, and to_csv writes CSV. Use df.to_json(path), or a name in .csv",
    ".pkl": "a pickle, and to_csv writes CSV. Use df.to_pickle(path), or a name in .csv",
}


def _check_ending(target: Path) -> None:
    kind = _OTHER_ENDINGS.get(target.suffix.lower())
    if kind:
        raise InvalidInput(f"{shown(target.name)} is the name of {kind}.")


def csv_of(df: pd.DataFrame) -> bytes:
    """Return a frame as the bytes that `to_csv` writes, for where there is no file.

    Raises:
        InvalidInput: As `to_csv` does.
    """
    file = io.BytesIO()
    _put(_table(df, spreadsheet=True), file, ",")
    return file.getvalue()


def _table(df: pd.DataFrame, *, spreadsheet: bool) -> pa.Table:
    """Return a frame as the texts of the cells, in columns named as in the file."""
    _check_shape(df)
    types = csv_cells.known_types()
    columns = []
    names = []
    for name in df.columns:
        cells = writer.cells(df[name], types.get(name), spreadsheet=spreadsheet)
        columns.append(cells)
        dtype = None if name in types else _said(name, df[name].dtype, cells)
        names.append(csv_cells.named(name, dtype))
    return pa.table(columns, names=names)


def _put(table: pa.Table, file: BinaryIO | io.BufferedIOBase, sep: str) -> None:
    from pyarrow import csv

    file.write(csv_cells.BOM)
    csv.write_csv(table, file, csv.WriteOptions(delimiter=sep, quoting_style="needed"))


def read_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a listing that `to_csv` wrote, with values and dtypes as they were.

    >>> df = client.sources()
    >>> read_csv(to_csv(df, "sources.csv")).equals(df)
    True

    A file that pandas or a spreadsheet wrote is read too: with `,`, `;` or tabs, in UTF-8 or
    UTF-16, compressed with gzip or not. The index that pandas writes before the columns, rows
    without any cell and empty cells beside the table are left out; a row that is too short has
    missing cells.

    Args:
        path: The file.

    Returns:
        A frame with the columns of the file, over a `RangeIndex`. Those of a listing have the
        dtypes of `Client.sources`; others are `str`, `Int64`, `Float64`, `boolean` or
        `datetime64[us, UTC]` if all their cells read so, or as their name says. A cell reads as a
        number only if the number is written so again: "007", "+44123" and "1E5" are texts.

    Raises:
        FileProblem: There is no such file, it is no CSV, or a cell cannot be what its column
            holds; the message names the column, and the row as a spreadsheet counts them.

    Warns:
        UnreadableWarning: A file with a byte order mark ends without a line break, and so may
            be cut off.
    """
    path = path_of(path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileProblem(f"{visible(os.fspath(path))} could not be read: {reason}.") from None
    columns: dict[str, Any] = {}
    name = ""
    try:
        content = encodings.unpacked(content)
        for name, array in reader.columns(memoryview(content)):
            if name in columns:
                raise FileProblem(f"{path} has the column {shown(name)} twice.")
            columns[name] = array()
    except reader.Unreadable as error:
        row = encodings.row_number(memoryview(content), error.row)
        raise FileProblem(f"{path}, row {row:,}, column {shown(name)}: {error}") from None
    except encodings.NoCSV as error:
        raise FileProblem(f"{path} is {error}") from None
    if encodings.ends_within_a_line(content):
        warn(
            f"The last line of {path} does not end in a line break. If the file was cut off, the "
            "last row is not whole, or rows are missing behind it.",
            UnreadableWarning,
        )
    return pd.DataFrame(columns, copy=False)


def frame_or_file(given: object, requirement: str) -> pd.DataFrame:
    """Return a listing that was given as a frame, or as the path of a CSV file.

    Args:
        given: The value.
        requirement: What is allowed, as the message begins: "audit takes a DataFrame or the path
            of a CSV file".

    Raises:
        InvalidInput: It is neither.
        FileProblem: As `read_csv` does.
    """
    if isinstance(given, str | os.PathLike):
        given = read_csv(given)
    return check_frame(given, requirement)


def _check_shape(df: pd.DataFrame) -> None:
    odd = [name for name in list[Any](df.columns) if not _is_name(name)]
    if odd:
        raise InvalidInput(
            f"A column's name is a text that a file can hold; {listed(map(shown, odd))} is not."
        )
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


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and whole_text(name) == name


def _said(name: str, dtype: Any, cells: Any) -> str | None:
    """Return what the name of a column says of its dtype, where its cells do not tell it."""
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return "JSON"
    if cells.null_count < len(cells) and not csv_cells.says_dtype(name):
        return None
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "Int64"
    if pd.api.types.is_float_dtype(dtype):
        return "Float64"
    if has_time_zone(dtype):
        return "timestamp"
    return "text" if csv_cells.says_dtype(name) else None
