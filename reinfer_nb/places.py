"""Listings that are kept somewhere, each named by one text: a CSV file, or a folder with a history.

For where a person says it: the command line, a box in a form.
"""

from __future__ import annotations

import re
from pathlib import Path

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

    Args:
        place: The path of a CSV file; or the folder or URL of a history, perhaps with "@" and a
            moment behind it, as `History.load` takes one.
        project: Only the sources of this project.

    Raises:
        InvalidInput: There is no such file or folder, or the history has nothing that early.
        FileProblem: It cannot be read.
    """
    where = Path(place).expanduser()
    if where.is_file():
        df = read_csv(where)
        return df if project is None else df[df["owner"] == project]
    split = _AS_IT_WAS.fullmatch(place)
    folder, moment = (split[1], split[2]) if split else (place, None)
    if "://" in folder or Path(folder).expanduser().is_dir():
        return History(folder).load(moment, project=project)
    raise InvalidInput(f"There is no file or folder {shown(place)}. A listing is {HELP}.")
