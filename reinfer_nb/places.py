"""Listings that are kept somewhere, each named by one text: a CSV file, or a folder with a history.

For where a person says it: the command line, a box in a form. Knows no tenant.
"""

from __future__ import annotations

import os
import re

import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.export import read_csv
from reinfer_nb.history import History
from reinfer_nb.text import shown

# An address may hold an "@" itself; a moment begins with a year and a month.
_AS_IT_WAS = re.compile(r"(.+)@(\d{4}-\d\d.*)")
HELP = (
    "a CSV file (sources.csv) or a folder with a history (audits/), perhaps as it was at a moment "
    "(audits/@2026-03-01)"
)


def listing_at(place: str, project: str | None = None) -> pd.DataFrame:
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
    path = os.path.expanduser(place)  # noqa: PTH111 - takes a "~" of nobody as it is
    if os.path.isfile(path):  # noqa: PTH113 - whatever the text is, it is true or false
        return _of_project(read_csv(path), place, project)
    if _is_folder(place):
        return History(place).load(project=project)
    split = _AS_IT_WAS.fullmatch(place)
    if split and (_is_folder(split[1]) or "://" in split[1]):
        return History(split[1]).load(split[2], project=project)
    if "://" in place:
        return History(place).load(project=project)
    raise InvalidInput(f"There is no file or folder {shown(place)}. A listing is {HELP}.")


def _is_folder(place: str) -> bool:
    return os.path.isdir(os.path.expanduser(place))  # noqa: PTH111, PTH112 - as above


def _of_project(df: pd.DataFrame, place: str, project: str | None) -> pd.DataFrame:
    if project is None:
        return df
    if "owner" not in df:
        raise InvalidInput(
            f"{shown(place)} has no column owner, which says of which project it is."
        )
    return df[df["owner"] == project].reset_index(drop=True)
