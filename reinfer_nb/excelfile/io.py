"""Writes listings as Excel workbooks (.xlsx), and reads workbooks of any program.

- Texts are texts: never formulas, links or numbers. Text columns have the number format of texts,
  so that a text that a person types stays a text too.
- A time is a date of Excel, in UTC as its heading says: "created_at (UTC)". A time that Excel
  cannot hold exactly, before March 1900 or with microseconds after 2078, is an ISO 8601 text.
- A whole number of more than 15 digits is a text, since Excel would round it.
- A missing value is an empty cell, an empty text is a cell with an empty text. Lists and objects
  are JSON texts.
- The heading of an unknown column names its dtype if the cells do not show it.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.csvfile import writer as csv_writer
from reinfer_nb.csvfile.reader import Unreadable
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.excelfile import reader, writer
from reinfer_nb.excelfile.kinds import other_kind
from reinfer_nb.excelfile.sheet import Cells
from reinfer_nb.excelfile.workbook import Workbook
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.text import hint, shown, visible

_SHEET = "sources"
_NOT_XLSX = (
    *(".xls", ".xlsm", ".xlsb", ".ods", ".csv", ".tsv", ".txt", ".gz", ".zip"),
    *(".parquet", ".feather", ".json", ".pkl"),
)


def to_excel(df: pd.DataFrame, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a listing, or a frame made from one, as an Excel workbook.

    `read_excel` reads it back exactly. Dtypes that a listing does not use come back as the nullable
    dtype of their kind. Needs XlsxWriter: `pip install 'reinfer_nb[excel]'`.

    >>> to_excel(client.sources(), "sources.xlsx").name
    'sources.xlsx'

    Args:
        df: The frame. Its index is not written. A tuple of texts comes back as a list.
        path: The file, such as "sources.xlsx".
        overwrite: Replace an existing file.

    Returns:
        The path of the file. Its only worksheet is "sources": with dates and numbers of Excel, a
        filter, and headings that stay in view.

    Raises:
        ConfigurationError: XlsxWriter is not installed.
        InvalidInput: The frame has duplicate columns, a column whose name is not a text, an index
            that would be lost, a value with no exact form in a file, a text of more than 32,767
            characters, or more than 1,048,575 rows or 16,384 columns; or `path` is not a path, or
            names another file type, such as "sources.xls".
        FileProblem: The file exists, or could not be written; an existing file is unchanged.
    """
    df = check_frame(df, "to_excel takes a DataFrame")
    csv_writer.check_shape(df)
    return write_sheets({_SHEET: df}, path, overwrite=overwrite, exact=True)


def write_sheets(
    frames: Mapping[str, pd.DataFrame],
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    exact: bool = False,
) -> Path:
    """Write a workbook with one worksheet for each frame, and return its path.

    Args:
        frames: The frames, by the name of the worksheet. A frame may have no columns.
        path: The file.
        overwrite: Replace an existing file.
        exact: Refuse values that have no exact form in a file, instead of writing them as texts.

    Raises:
        ConfigurationError, InvalidInput, FileProblem: As in `to_excel`.
    """
    overwrite = arguments.flag(overwrite, "overwrite")
    target = path_of(path)
    if target.suffix.lower() in _NOT_XLSX:
        raise InvalidInput(
            f"{shown(target.name)} is the name of another file type, but to_excel writes .xlsx. "
            "Choose a name that ends in .xlsx."
        )
    writer.check_installed()
    for df in frames.values():
        if not df.columns.empty:
            csv_writer.check_shape(df)
    sheets = {name: writer.columns(df, exact=exact) for name, df in frames.items()}
    with written_whole(target, overwrite=overwrite) as file:
        writer.write(sheets, file)
    return target


def read_excel(path: str | os.PathLike[str], sheet: str | None = None) -> pd.DataFrame:
    """Read a listing from an Excel workbook (.xlsx or .xlsm).

    A file that `to_excel` wrote gives exactly the same values and dtypes.

    >>> df = client.sources()
    >>> read_excel(to_excel(df, "sources.xlsx")).equals(df)
    True

    Workbooks of other programs are read too. The first row with cells holds the headings; rows and
    columns without any value are left out, and so is the index that pandas writes. Dates without a
    zone are in UTC. A formula gives the value that the file holds for it.

    Args:
        path: The file.
        sheet: The name of the worksheet; by default the first that is not hidden.

    Returns:
        A frame with the columns of the worksheet, over a `RangeIndex`. Columns of a listing have
        the dtypes of `Client.sources`; others become `str`, `Int64`, `Float64`, `boolean` or
        `datetime64[us, UTC]`, as all their cells or their heading show. A listing's column of
        texts in which some cells are numbers, dates or truth values has dtype `object` and these
        values; `Client.plan` reports them, since a spreadsheet may have changed them.

    Raises:
        InvalidInput: The workbook has no such worksheet.
        FileProblem: The file does not exist or is not such a workbook, or a cell is invalid for its
            column; the message names the column, and the row number of the spreadsheet.
    """
    path = path_of(path)
    if sheet is not None and not isinstance(sheet, str):
        raise InvalidInput(f"sheet must be the name of a worksheet (str), not {shown(sheet)}.")
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise FileProblem(
            f"{visible(os.fspath(path))} could not be read: {reason_of(error)}."
        ) from None
    cells = _cells(path, content, sheet)
    columns: dict[str, Any] = {}
    name = ""
    try:
        for name, array in reader.columns(cells):
            if name in columns:
                raise FileProblem(f"{path} has the column {shown(name)} twice.")
            columns[name] = array()
    except Unreadable as error:
        row = cells.rows[error.row + 1]
        raise FileProblem(f"{path}, row {row:,}, column {shown(name)}: {error}") from None
    except reader.NoTable as error:
        raise FileProblem(f"{path} {error}") from None
    return pd.DataFrame(columns, copy=False)


# Errors of damaged archives and XML.
_DAMAGED = (
    *(BadZipFile, zlib.error, ExpatError, EOFError, OSError),
    *(KeyError, IndexError, ValueError, RuntimeError, StopIteration),
)


def _cells(path: Path, content: bytes, sheet: str | None) -> Cells:
    """Return the cells of a worksheet."""
    kind = other_kind(content)
    if kind is not None:
        raise FileProblem(f"{path} is {kind}.")
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            workbook = Workbook(archive)
            chosen = workbook.first if sheet is None else sheet
            if chosen in workbook.sheets:
                return workbook.cells(chosen)
    except _DAMAGED as error:
        raise FileProblem(
            f"{path} is damaged or not an Excel workbook ({reason_of(error)}). Get the file again, "
            "or open it in a spreadsheet program and save it as .xlsx."
        ) from None
    if chosen is None:
        raise FileProblem(f"{path} has no worksheet.")
    raise InvalidInput(
        f"{path} has no worksheet {shown(chosen)}. "
        + (hint(chosen, workbook.sheets) if workbook.sheets else "It has no worksheets.")
    )
