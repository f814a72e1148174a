"""The problems of a plan as a frame."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reinfer_nb.frames.row_numbers import row_numbers
from reinfer_nb.frames.tables import table
from reinfer_nb.plans.edited_listing import Problem
from reinfer_nb.schema.value_types import cell_text
from reinfer_nb.text import shown

_COLUMNS = {"row": "Int64"} | dict.fromkeys(["owner", "name", "column", "value", "reason"], "str")


def no_problems() -> pd.DataFrame:
    """Return an empty frame of problems."""
    return framed((), pd.DataFrame())


def framed(problems: Iterable[Problem], edited: pd.DataFrame) -> pd.DataFrame:
    """Return problems as a frame, with the owner and name in their rows.

    Args:
        problems: The problems.
        edited: The edited listing.
    """
    numbers = row_numbers(edited)
    rows = [
        (
            None if problem.row is None else int(numbers[problem.row]),
            _text(edited, "owner", problem.row),
            _text(edited, "name", problem.row),
            _encodable(problem.column),
            None if problem.value is None else shown(problem.value, 1000),
            problem.reason,
        )
        for problem in problems
    ]
    return table(_COLUMNS, rows)


def _text(edited: pd.DataFrame, column: str, row: int | None) -> str | None:
    if row is None or column not in edited:
        return None
    return _encodable(cell_text(edited[column].iloc[row]))


def _encodable(text: str | None) -> str | None:
    """Return a text that pandas can store as UTF-8: half characters are escaped."""
    return None if text is None else text.encode(errors="backslashreplace").decode()
