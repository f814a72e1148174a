"""Reads listings from the files that users give, CSV or Excel."""

from __future__ import annotations

import os

import pandas as pd

from reinfer_nb.csvfile.io import read_csv
from reinfer_nb.excelfile.io import read_excel
from reinfer_nb.files import path_of
from reinfer_nb.schema.validation import check_frame

_WORKBOOKS = (".xlsx", ".xlsm")
_ZIP = b"PK\x03\x04"


def read_listing(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a listing from a file: a workbook with `read_excel`, any other with `read_csv`.

    Raises:
        InvalidInput: `path` is not a path.
        FileProblem: The file could not be read.
    """
    path = path_of(path)
    if path.suffix.lower() in _WORKBOOKS:
        return read_excel(path)
    try:
        with path.open("rb") as file:
            is_workbook = file.read(len(_ZIP)) == _ZIP
    except (OSError, ValueError):
        is_workbook = False
    return read_excel(path) if is_workbook else read_csv(path)


def frame_or_file(given: object, requirement: str) -> pd.DataFrame:
    """Return a listing: the given frame, or the frame that `read_listing` reads from a path.

    Args:
        given: A DataFrame or a path.
        requirement: The start of an error message, such as "audit takes a DataFrame or the path of
            a CSV file or workbook".

    Raises:
        InvalidInput: `given` is neither.
        FileProblem: As in `read_listing`.
    """
    if isinstance(given, str | os.PathLike):
        given = read_listing(given)
    return check_frame(given, requirement)
