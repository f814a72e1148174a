"""Loads a listing that a text or path names: a CSV or Excel file, or a folder with a history.

Every function that takes a listing takes such a path too.
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
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.text import shown

# A path or URL may hold an "@" itself, so a time must begin with a year and a month.
_AT_TIME = re.compile(r"(.+)@(\d{4}-\d\d.*)")


# Files that are not read from a URL.
_ENDINGS = (".csv", ".csv.gz", ".tsv", ".txt", ".xlsx", ".xlsm")


def listing_of(given: object, verb: str) -> pd.DataFrame:
    """Return a listing: the given frame, or the one that `listing_at` loads from a path.

    Args:
        given: A DataFrame, or a text or path as for `listing_at`.
        verb: The start of an error message, such as "audit takes" or "before must be".

    Raises:
        InvalidInput: `given` is neither.
        FileProblem: As in `listing_at`.
    """
    if isinstance(given, str | os.PathLike):
        return check_frame(listing_at(given), verb)
    return check_frame(
        given, f"{verb} a DataFrame, or the path of a CSV or Excel file or a history"
    )


def listing_at(
    place: str | os.PathLike[str], project: str | None = None, *, numbered: bool = False
) -> pd.DataFrame:
    """Return the listing in a file or a history.

    >>> from reinfer_nb.history.history import History
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
        InvalidInput: `place` is not a path, the history has no snapshot that old, or `project` is
            given and the file has no column `owner`.
        FileProblem: There is no such file or folder, or it cannot be read.
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
        return _recorded(text, None, project)
    split = _AT_TIME.fullmatch(text)
    if split and (_is_folder(split[1]) or is_url(split[1])):
        return _recorded(split[1], split[2], project)
    if is_url(text) and not text.lower().endswith(_ENDINGS):
        return _recorded(text, None, project)
    if is_url(text):
        path_of(text)  # says that a file at a URL cannot be read
    raise FileProblem(
        f"There is no file or folder {shown(text, 200)}. A listing is {LISTING_PLACES}."
    )


def _recorded(where: str, when: str | None, project: str | None) -> pd.DataFrame:
    # Only here, since a CSV file needs none of it.
    from reinfer_nb.snapshots.archive import Archive

    return Archive(where).load(when, project=project)


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
