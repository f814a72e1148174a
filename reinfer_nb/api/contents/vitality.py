"""Is a source alive? Its comments, the newest one, and the last month beside the usual one."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from reinfer_nb.api.contents.activity import Period, counts_of
from reinfer_nb.api.contents.comment_calls import CommentCalls
from reinfer_nb.api.contents.newest import newest_at
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.dates import edge

# The months that tell what is usual: a year, so that no season is missing.
_USUAL_MONTHS = 12
# The median of fewer months says nothing.
_FEWEST_MONTHS = 3
_MICROSECOND = timedelta(microseconds=1)

_COLUMNS = ("num_comments", "last_comment_at", "comments_last_month", "comments_usual_month")

# Counts the comments of a source from the first to the second moment; None is an open end.
Count = Callable[[datetime | None, datetime | None], int]


class Contents(NamedTuple):
    """What is in a source.

    Attributes:
        num_comments: The number of its comments.
        last_comment_at: When the newest was sent; None without comments.
        comments_last_month: The number of comments of the last full month.
        comments_usual_month: The median of the months before; None if they are too few.
        months: The numbers of comments of all these months, the last full one at the end.
    """

    num_comments: int
    last_comment_at: datetime | None
    comments_last_month: int
    comments_usual_month: float | None
    months: tuple[int, ...]


def present() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def full_months(now: datetime) -> list[Period]:
    """Return the last thirteen full calendar months in UTC, the last one at the end.

    >>> months = full_months(datetime(2026, 3, 31, 12, tzinfo=UTC))
    >>> len(months), f"{months[0].begin:%Y-%m-%d}", f"{months[-1].end:%Y-%m-%d}"
    (13, '2025-02-01', '2026-02-28')

    Args:
        now: The present moment, in UTC.
    """
    this_month = edge(f"{now:%Y-%m}")
    begins = [
        edge(f"{number} months ago", now=this_month) for number in range(_USUAL_MONTHS + 1, -1, -1)
    ]
    return [Period(begin, following - _MICROSECOND) for begin, following in pairwise(begins)]


def asking(
    calls: SourceCalls, comments: CommentCalls
) -> Callable[[str, threading.Event], Contents]:
    """Return a function that asks what is in a source, by its full name.

    Args:
        calls: The requests about one source.
        comments: The requests about its comments.
    """
    months = full_months(present())

    def ask(name: str, stop: threading.Event) -> Contents:
        return contents_of(
            lambda begin, end: calls.count_comments(name, stop, begin, end),
            lambda: newest_at(calls, comments, name, stop).at,
            months,
        )

    return ask


def contents_of(
    count: Count, newest: Callable[[], datetime | None], months: Sequence[Period]
) -> Contents:
    """Return what is in a source, with as few requests as possible.

    Args:
        count: Counts its comments in a range of time.
        newest: Asks when its newest comment was sent.
        months: The months, as `full_months` returns them.
    """
    total = count(None, None)
    if not total:
        return Contents(0, None, 0, None, (0,) * len(months))
    last = newest()
    # There is nothing to count in the months after the newest comment.
    filled = [month for month in months if last is None or month.begin <= last]
    numbers = counts_of(count, filled) if filled else []
    counts = (*numbers, *[0] * (len(months) - len(numbers)))
    *usual, last_month = counts
    first = next((place for place, number in enumerate(usual) if number), len(usual))
    # Months without comments count only after the first comment of the source.
    if first and _has_older(count, total, numbers, months, last):
        first = 0
    usual = usual[first:]
    median = float(statistics.median(usual)) if len(usual) >= _FEWEST_MONTHS else None
    return Contents(total, last, last_month, median, counts)


def _has_older(
    count: Count,
    total: int,
    numbers: Sequence[int],
    months: Sequence[Period],
    last: datetime | None,
) -> bool:
    """True if a source has comments from before the months."""
    if sum(numbers) >= total:
        return False
    if last is not None and last <= months[-1].end:
        # All others are older.
        return True
    return count(None, months[0].begin - _MICROSECOND) > 0


def columns_of(answers: Sequence[Contents | None], index: pd.Index) -> dict[str, pd.Series]:
    """Return the columns that `Client.contents` adds to a listing.

    Args:
        answers: What is in the source of each row; None if that is not known.
        index: The index of the listing.
    """
    dtypes = ("Int64", "datetime64[us, UTC]", "Int64", "Float64")
    return {
        name: pd.Series(
            [None if answer is None else answer[place] for answer in answers], index, dtype
        )
        for place, (name, dtype) in enumerate(zip(_COLUMNS, dtypes, strict=True))
    }
