"""Numbers of comments: one request for each source, many at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

import pandas as pd

from reinfer_nb import errors
from reinfer_nb.concurrency import Progress, checked_workers, side_by_side
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema import validation
from reinfer_nb.text import counted, listed


class CountComments(Protocol):
    """`Client.count_comments`."""

    def __call__(self, which: str, *, stop: threading.Event | None = None) -> int:
        """Return how many comments a source has."""


def each(
    count_comments: CountComments,
    names: Iterable[str],
    *,
    workers: int = 16,
    progress: Progress = False,
) -> Iterator[tuple[str, int | str]]:
    """Yield each full name with its number of comments, or why it could not be counted.

    Args:
        count_comments: `Client.count_comments` of the tenant.
        names: Full names; duplicates are requested once.
        workers: Number of concurrent requests, up to 32.
        progress: As for `side_by_side`.
    """

    def count(which: str, stop: threading.Event) -> int | str:
        try:
            return count_comments(which, stop=stop)
        except errors.InvalidInput:
            return "not a valid name"
        except (errors.NotFound, errors.PermissionDenied) as error:
            return f"{error.status}"

    return side_by_side(
        count,
        sorted(set(names)),
        workers=checked_workers(workers),
        label="statistics",
        unit="source",
        progress=progress,
    )


def with_comments(
    count_comments: CountComments, df: pd.DataFrame, *, workers: int, progress: Progress
) -> pd.DataFrame:
    """Return a listing with a column `num_comments`, as `Client.statistics` documents it."""
    df = validation.check_frame(df, "statistics takes a listing: a DataFrame")
    if list(df.columns).count("owner") != 1 or list(df.columns).count("name") != 1:
        raise errors.InvalidInput(
            "statistics takes a listing: a DataFrame with the columns owner and name, such as "
            "client.sources() returns."
        )
    names = full_names(df).fillna("").tolist()
    counts: dict[str, int | None] = {}
    uncounted = []
    for name, number in each(count_comments, names, workers=workers, progress=progress):
        counts[name] = number if isinstance(number, int) else None
        if not isinstance(number, int):
            uncounted.append(f"{name or '(no name)'} ({number})")
    if uncounted:
        errors.warn(
            f"{counted(len(uncounted), 'source')} could not be counted: {listed(uncounted)}",
            errors.UnreadableWarning,
        )
    column = pd.array([counts[name] for name in names], dtype="Int64")
    return df.assign(num_comments=column)
