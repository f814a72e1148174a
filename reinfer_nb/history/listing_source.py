"""Loads a listing that a text names: a CSV or Excel file, or a folder with a history.

Used where a person types the text: on the command line, in a form.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from reinfer_nb.constants import LISTING_PLACES
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.excelfile.listing_files import read_listing
from reinfer_nb.files import is_url, path_of
from reinfer_nb.frames.row_numbers import FILE_ROW
from reinfer_nb.history.history import History
from reinfer_nb.text import shown

# A path or URL may hold an "@" itself, so a time must begin with a year and a month.
_AT_TIME = re.compile(r"(.+)@(\d{4}-\d\d.*)")


def listing_at(
    place: str | os.PathLike[str], project: str | None = None, *, numbered: bool = False
) -> pd.DataFrame:
    """Return the listing in a file or a history.

    >>> _ = History("audits/").record(client.sources(), when="2026-03-01T09:00")
    >>> len(listing_at("audits/@2026-03-01"))
    130

    Args:
        place: The path of a CSV or Excel file; or the folder or URL of a history, optionally
            followed by "@" and a time as `History.load` takes it.
        project: Only the sources of this project.
        numbered: Number the rows of a file as a spreadsheet shows them, see `row_numbers`.

    Returns:
        The listing, as `read_csv`, `read_excel` or `History.load` returns it.

    Raises:
        InvalidInput: There is no such file or folder, the history has no snapshot that old, or
            `project` is given and the file has no column `owner`.
        FileProblem: The file or folder cannot be read.
    """
    text = os.fspath(place) if isinstance(place, os.PathLike) else place
    if not isinstance(text, str):
        raise InvalidInput(
            f"{shown(place)} is not a text or a Path. A listing is {LISTING_PLACES}."
        )
    if is_file(text):
        df = read_listing(text, numbered=numbered)
        return _of_project(df, text, project)
    if _is_folder(text):
        return History(text).load(project=project)
    split = _AT_TIME.fullmatch(text)
    if split and (_is_folder(split[1]) or is_url(split[1])):
        return History(split[1]).load(split[2], project=project)
    if is_url(text):
        return History(text).load(project=project)
    raise InvalidInput(f"There is no file or folder {shown(place)}. A listing is {LISTING_PLACES}.")


def is_file(place: str) -> bool:
    """Return True if a text is the path of a file that exists."""
    path = _path(place)
    # os.path.isfile raises no error, whatever the text is.
    return path is not None and place[-1] != "/" and os.path.isfile(path)  # noqa: PTH113


def _is_folder(place: str) -> bool:
    path = _path(place)
    return path is not None and os.path.isdir(path)  # noqa: PTH112


def _path(place: str) -> Path | None:
    try:
        return path_of(place)
    except (FileProblem, InvalidInput):
        return None


def _of_project(df: pd.DataFrame, place: str, project: str | None) -> pd.DataFrame:
    if project is None:
        return df
    if "owner" not in df:
        raise InvalidInput(
            f"{shown(place)} has no column owner, so its sources cannot be selected by project."
        )
    df = df[df["owner"] == project]
    return df if df.index.name == FILE_ROW else df.reset_index(drop=True)
