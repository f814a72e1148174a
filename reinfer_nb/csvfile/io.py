"""Writes listings as CSV files and reads them back exactly.

The file is UTF-8 with a byte order mark, so that Excel reads it as UTF-8:

- a missing value is an empty cell, an empty text is a pair of quotes;
- a timestamp is ISO 8601 in UTC with microseconds, a truth value `true` or `false`, a list JSON;
- a text that a spreadsheet would run as a formula, or rewrite as a number or a date, has an
  apostrophe before it. So has a text in an unknown column that would be read as another type.
  `read_csv` removes these apostrophes and no others;
- the header of an unknown column names its dtype if the cells do not show it: "labels (JSON)" for
  objects, "retention (Int64)" if all cells are missing.
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
from reinfer_nb.errors import FileProblem, InvalidInput, UnreadableWarning, reason_of, warn
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.frames.row_numbers import FILE_ROW, numbered_as_file
from reinfer_nb.schema.added_columns import listing_types
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.text import shown, visible
from reinfer_nb.wording import spelled


def to_csv(
    df: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    spreadsheet: bool = True,
    sep: str = ",",
) -> Path:
    """Write a listing, or a frame made from one, as CSV; `read_csv` reads it back exactly.

    Dtypes that a listing does not use come back as the nullable dtype of their kind.

    >>> to_csv(client.sources(), "sources.csv").name
    'sources.csv'

    Args:
        df: The frame. Its index is not written. A tuple of texts comes back as a list.
        path: The file, such as "sources.csv". A name in ".gz" is compressed with gzip.
        overwrite: Replace an existing file.
        spreadsheet: Put an apostrophe before texts that a spreadsheet would run as a formula or
            rewrite as a number or a date. Use False for files that only programs read; `read_csv`
            reads them back exactly too.
        sep: The separator. A spreadsheet set to German or French expects ";".

    Returns:
        The path of the file.

    Raises:
        InvalidInput: The frame has duplicate columns, a column whose name is not a text, an index
            that would be lost, or a value with no exact form in a file; or `path` is not a path, or
            names another file type, such as "sources.xlsx".
        FileProblem: The file exists, or could not be written; an existing file is unchanged.
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
            # Without a timestamp, so that the same listing gives the same bytes.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(table, packed, sep)
        else:
            _write(table, file, sep)
    return target


# File name extensions of other file types, and what to do.
_WORKBOOK = (
    "a workbook, but {writer} writes CSV, which a spreadsheet would not open under that name. "
    "{workbook} a name that ends in .csv"
)
_PACKED = "a compression that {writer} does not write. Choose a name that ends in .csv or .csv.gz"
_OTHER_ENDINGS = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), _WORKBOOK),
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z"), _PACKED),
    ".parquet": "Parquet, but {writer} writes CSV. Use {method}a .csv name",
    ".feather": "Feather, but {writer} writes CSV. Use {method}a .csv name",
    ".json": "JSON, but {writer} writes CSV. Use {method}a .csv name",
    ".pkl": "a pickle, but {writer} writes CSV. Use {method}a .csv name",
}
_METHODS = {
    ".parquet": "to_parquet",
    ".feather": "to_feather",
    ".json": "to_json",
    ".pkl": "to_pickle",
}


def _check_ending(target: Path) -> None:
    kind = _OTHER_ENDINGS.get(target.suffix.lower())
    if kind:
        method = _METHODS.get(target.suffix.lower())
        kind = kind.format(
            writer=spelled("to_csv", "this command"),
            workbook=spelled(
                "Use rnb.to_excel with a name that ends in .xlsx, or choose", "Choose"
            ),
            method=spelled(f"df.{method}(path), or ", "") if method else "",
        )
        raise InvalidInput(f"{shown(target.name)} is the name of {kind}.")


def csv_of(df: pd.DataFrame) -> bytes:
    """Return the bytes that `to_csv` would write to a file.

    Raises:
        InvalidInput: As in `to_csv`.
    """
    file = io.BytesIO()
    _write(_table(df, spreadsheet=True), file, ",")
    return file.getvalue()


def _table(df: pd.DataFrame, *, spreadsheet: bool) -> pa.Table:
    """Return the cells of a frame as texts, in columns named by the headers of the file."""
    writer.check_shape(df)
    types = listing_types()
    columns, headers = [], []
    for name in df.columns:
        cells = writer.cells(df[name], types.get(name), spreadsheet=spreadsheet)
        columns.append(cells)
        suffix = None if name in types else _dtype_suffix(name, df[name].dtype, cells)
        headers.append(csv_cells.header_of(name, suffix))
    return pa.table(columns, names=headers)


def _write(table: pa.Table, file: BinaryIO | io.BufferedIOBase, sep: str) -> None:
    from pyarrow import csv

    file.write(csv_cells.BOM)
    csv.write_csv(table, file, csv.WriteOptions(delimiter=sep, quoting_style="needed"))


def read_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a listing that `to_csv` wrote, with exactly the same values and dtypes.

    >>> df = client.sources()
    >>> read_csv(to_csv(df, "sources.csv")).equals(df)
    True

    Files of pandas and of spreadsheets are read too: with `,`, `;` or tabs, in UTF-8 or UTF-16,
    optionally compressed with gzip. The index that pandas writes as the first column, rows without
    any cell and empty cells beside the table are left out; a short row is filled with missing
    cells.

    Args:
        path: The file.

    Returns:
        A frame with the columns of the file, over a `RangeIndex`. Columns of a listing have the
        dtypes of `Client.sources`; others become `str`, `Int64`, `Float64`, `boolean` or
        `datetime64[us, UTC]`, as all their cells or their header show. A cell is a number only if
        that number is written the same way: "007", "+44123" and "1E5" are texts.

    Raises:
        FileProblem: The file does not exist or is not a CSV, or a cell is invalid for its column;
            the message names the column, and the row number of a spreadsheet.

    Warns:
        UnreadableWarning: A file with a byte order mark does not end with a line break, so it may
            be cut off.
    """
    return _read(path_of(path))[0]


def read_numbered_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a listing as `read_csv` does, with the row numbers of a spreadsheet as its index.

    Messages about the listing then name these rows, see `row_numbers`.
    """
    df, content = _read(path_of(path))
    numbers = encodings.row_numbers(content) if encodings.may_skip_rows(content) else []
    df = numbered_as_file(df)
    if len(numbers) == len(df):
        df.index = pd.Index(numbers, name=FILE_ROW)
    return df


def _read(path: Path) -> tuple[pd.DataFrame, bytes]:
    """Return the listing in a CSV, and the content of the file, decompressed."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise FileProblem(
            f"{visible(os.fspath(path))} could not be read: {reason_of(error)}."
        ) from None
    return _frame_of(content, str(path))


def frame_of(content: bytes, place: str) -> pd.DataFrame:
    """Return the frame that `read_csv` reads from a file with this content.

    Args:
        content: The content.
        place: Where it is from, for messages.

    Raises:
        FileProblem: As in `read_csv`.

    Warns:
        UnreadableWarning: As in `read_csv`.
    """
    return _frame_of(content, place)[0]


def _frame_of(content: bytes, place: str) -> tuple[pd.DataFrame, bytes]:
    """Return the listing in the content of a CSV, and that content, decompressed."""
    columns: dict[str, Any] = {}
    name = ""
    try:
        content = encodings.unpacked(content)
        for name, array in reader.columns(memoryview(content)):
            if name in columns:
                raise FileProblem(f"{place} has the column {shown(name)} twice.")
            columns[name] = array()
    except reader.Unreadable as error:
        row = encodings.row_number(memoryview(content), error.row)
        raise FileProblem(f"{place}, row {row:,}, column {shown(name)}: {error}") from None
    except encodings.NotCSV as error:
        raise FileProblem(f"{place} is {error}") from None
    if encodings.ends_within_a_line(content):
        warn(
            f"The last line of {place} does not end in a line break. The file may be cut off: its "
            "last row may be incomplete, or more rows may be missing.",
            UnreadableWarning,
        )
    return pd.DataFrame(columns, copy=False), content


def _dtype_suffix(name: str, dtype: Any, cells: Any) -> str | None:
    """Return the header suffix for a column's dtype; None if the cells show the dtype."""
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return "JSON"
    if cells.null_count < len(cells) and not csv_cells.has_dtype_suffix(name):
        return None
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "Int64"
    if pd.api.types.is_float_dtype(dtype):
        return "Float64"
    if has_time_zone(dtype):
        return "timestamp"
    return "text" if csv_cells.has_dtype_suffix(name) else None
