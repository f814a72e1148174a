"""What stands in the way of a plan, as a frame."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reinfer_nb.frames.tables import table
from reinfer_nb.plans.edited_listing import Problem
from reinfer_nb.schema.value_types import cell_text
from reinfer_nb.text import shown

_COLUMNS = {"row": "Int64"} | dict.fromkeys(["owner", "name", "column", "value", "reason"], "str")


def no_problems() -> pd.DataFrame:
    """Return the frame of a plan without problems."""
    return framed((), pd.DataFrame())


def framed(problems: Iterable[Problem], edited: pd.DataFrame) -> pd.DataFrame:
    """Return problems as a frame, each with the source that its row names.

    Args:
        problems: The problems.
        edited: The listing that they are of.
    """
    rows = [
        (
            problem.row,
            _named(edited, "owner", problem.row),
            _named(edited, "name", problem.row),
            problem.column,
            None if problem.value is None else shown(problem.value, 1000),
            problem.reason,
        )
        for problem in problems
    ]
    return table(_COLUMNS, rows)


def _named(edited: pd.DataFrame, column: str, row: int | None) -> str | None:
    return None if row is None or column not in edited else cell_text(edited[column].iloc[row])
