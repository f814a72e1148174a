"""Comments over time: how many a source got in each period, with as few requests as possible.

The API counts the comments of one source in one range of time. A range with comments is halved
until each part is one period: the count of one half gives that of the other, and a range without
comments needs no further request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from reinfer_nb.arguments import choice
from reinfer_nb.dates import edge
from reinfer_nb.errors import InvalidInput
from reinfer_nb.wording import spelled

_FREQUENCIES = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
_MOST_PERIODS = 10_000
_MICROSECOND = timedelta(microseconds=1)


class Period(NamedTuple):
    """A range of time; both ends are included.

    Attributes:
        begin: Its first moment, in UTC.
        end: Its last moment.
    """

    begin: datetime
    end: datetime


def periods(freq: str, since: datetime, until: datetime) -> list[Period]:
    """Return the calendar periods in UTC that cover a range; the first and last one may be shorter.

    >>> [f"{p.begin:%d.%m.}" for p in periods("month", datetime(2026, 1, 15, tzinfo=UTC),
    ...                                       datetime(2026, 3, 1, tzinfo=UTC))]
    ['15.01.', '01.02.', '01.03.']

    Args:
        freq: "day", "week" (from Monday), "month", "quarter" or "year".
        since: The first moment.
        until: The last moment.

    Raises:
        InvalidInput: The frequency is unknown, or the range has too many periods.
    """
    frequency = _FREQUENCIES[choice(freq, "freq", _FREQUENCIES)]
    first, last = (
        pd.Timestamp(moment.replace(tzinfo=None)).to_period(frequency) for moment in (since, until)
    )
    number = (last - first).n + 1
    if number > _MOST_PERIODS:
        begin, end = spelled("since", "--since"), spelled("until", "--until")
        raise InvalidInput(
            f"There are {number:,} periods of a {freq} from {begin} to {end}, and at most "
            f"{_MOST_PERIODS:,} can be counted. Choose a longer period, or a later {begin}."
        )
    starts = [
        period.start_time.to_pydatetime().replace(tzinfo=UTC)
        for period in pd.period_range(first, periods=number, freq=frequency)
    ]
    begins = [since, *starts[1:]]
    ends = [start - _MICROSECOND for start in starts[1:]] + [until]
    return [Period(begin, end) for begin, end in zip(begins, ends, strict=True)]


def first_of_year(freq: str) -> datetime:
    """Return the beginning of the period in which the time twelve months ago lies.

    Args:
        freq: As for `periods`.

    Raises:
        InvalidInput: The frequency is unknown.
    """
    frequency = _FREQUENCIES[choice(freq, "freq", _FREQUENCIES)]
    moment = edge("12 months ago").replace(tzinfo=None)
    begin: datetime = pd.Timestamp(moment).to_period(frequency).start_time.to_pydatetime()
    return begin.replace(tzinfo=UTC)


def counts_of(count: Callable[[datetime, datetime], int], spans: Sequence[Period]) -> list[int]:
    """Return the number of comments of a source in each period.

    Args:
        count: Counts its comments from the first to the second moment, both included.
        spans: The periods, in order and without gaps.
    """
    numbers = [0] * len(spans)
    # Ranges of periods whose sum is known.
    ranges = [(0, len(spans) - 1, count(spans[0].begin, spans[-1].end))]
    while ranges:
        first, last, total = ranges.pop()
        if first == last:
            numbers[first] = total
        elif total:
            middle = (first + last) // 2
            left = count(spans[first].begin, spans[middle].end)
            right = total - left
            if right < 0:
                # Comments have arrived between the requests.
                right = count(spans[middle + 1].begin, spans[last].end)
            ranges += [(first, middle, left), (middle + 1, last, right)]
    return numbers


def table_of(
    df: pd.DataFrame, spans: Sequence[Period], numbers: Sequence[Sequence[int] | None]
) -> pd.DataFrame:
    """Return the frame that `Client.activity` returns.

    Args:
        df: The listing.
        spans: The periods.
        numbers: The numbers of comments of each row in each period; None if they are not known.
    """
    rows = np.repeat(np.arange(len(df)), len(spans))
    columns = {
        name: df[name].iloc[rows].astype("str").reset_index(drop=True)
        for name in ("owner", "name", "id")
        if name in df
    }
    begins = pd.Series([span.begin for span in spans] * len(df), dtype="datetime64[us, UTC]")
    missing = [None] * len(spans)
    counts = [count for row in numbers for count in (missing if row is None else row)]
    return pd.DataFrame(
        {**columns, "period": begins, "num_comments": pd.array(counts, dtype="Int64")}
    )
