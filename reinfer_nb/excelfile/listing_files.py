"""Reads listings from the files that users give, CSV or Excel."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from reinfer_nb.csvfile.io import read_csv, read_numbered_csv
from reinfer_nb.excelfile.io import read_excel
from reinfer_nb.files import path_of
from reinfer_nb.frames.row_numbers import numbered_as_file

_WORKBOOKS = (".xlsx", ".xlsm")
_ZIP = b"PK\x03\x04"


def read_listing(path: str | os.PathLike[str], *, numbered: bool = False) -> pd.DataFrame:
    """Read a listing from a file: a workbook with `read_excel`, any other with `read_csv`.

    Args:
        path: The file.
        numbered: Number the rows as a spreadsheet shows them, see `row_numbers`.

    Raises:
        InvalidInput: `path` is not a path.
        FileProblem: The file could not be read.
    """
    path = path_of(path)
    if _is_workbook(path):
        df = read_excel(path)
        return numbered_as_file(df) if numbered else df
    return read_numbered_csv(path) if numbered else read_csv(path)


def _is_workbook(path: Path) -> bool:
    """True if a file is a workbook by its name or its first bytes."""
    if path.suffix.lower() in _WORKBOOKS:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except (OSError, ValueError):
        return False
