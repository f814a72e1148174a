"""Listings that are kept somewhere, each named by one text: a CSV file, or a folder with a history.

For where a person says it: the command line, a box in a form. Knows no tenant.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from reinfer_nb.csvfile.io import read_csv
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.files import is_url, path_of
from reinfer_nb.history.history import History
from reinfer_nb.text import shown

# An address may hold an "@" itself; a moment begins with a year and a month.
_AS_IT_WAS = re.compile(r"(.+)@(\d{4}-\d\d.*)")
HELP = (
    "a CSV file (sources.csv) or a folder with a history (audits/), perhaps as it was at a moment "
    "(audits/@2026-03-01)"
)


def listing_at(place: str | os.PathLike[str], project: str | None = None) -> pd.DataFrame:
    """Return the listing of a place.

    >>> _ = History("audits/").record(client.sources(), when="2026-03-01T09:00")
    >>> len(listing_at("audits/@2026-03-01"))
    130

    Args:
        place: The path of a CSV file; or the folder or URL of a history, perhaps with "@" and a
            moment behind it, as `History.load` takes one.
        project: Only the sources of this project.

    Returns:
        What `read_csv` or `History.load` returns.

    Raises:
        InvalidInput: There is no such file or folder, the history has nothing that early, or the
            file does not say of which project its sources are.
        FileProblem: It cannot be read.
    """
    text = os.fspath(place) if isinstance(place, os.PathLike) else place
    if not isinstance(text, str):
        raise InvalidInput(f"{shown(place)} is neither a text nor a Path. A listing is {HELP}.")
    if is_file(text):
        return _of_project(read_csv(text), text, project)
    if _is_folder(text):
        return History(text).load(project=project)
    split = _AS_IT_WAS.fullmatch(text)
    if split and (_is_folder(split[1]) or is_url(split[1])):
        return History(split[1]).load(split[2], project=project)
    if is_url(text):
        return History(text).load(project=project)
    raise InvalidInput(f"There is no file or folder {shown(place)}. A listing is {HELP}.")


def is_file(place: str) -> bool:
    """Return True if a text is the path of a file that exists."""
    path = _path(place)
    # Whatever the text is, these two are true or false.
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
            f"{shown(place)} has no column owner, which says of which project it is."
        )
    return df[df["owner"] == project].reset_index(drop=True)
