"""A moment as a person says it, a datetime, a date or a text, made one in UTC."""

from __future__ import annotations

import re
from datetime import date, datetime

import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown

When = str | datetime | date
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def moment(when: When, *, end: bool = False) -> datetime:
    """Return a moment in UTC; what has no zone is taken to be in UTC.

    >>> moment("2026-03-01", end=True)
    datetime.datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)

    Args:
        when: The moment; a text as ISO 8601.
        end: Whether a date without a time of day means its end; otherwise its beginning.

    Raises:
        InvalidInput: It is none.
    """
    day = (isinstance(when, date) and not isinstance(when, datetime)) or (
        isinstance(when, str) and _DAY.fullmatch(when) is not None
    )
    try:
        moment = pd.Timestamp(when)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"{shown(when)} is no moment, such as '2026-03-01' or a datetime: {error}."
        ) from None
    if pd.isna(moment):
        raise InvalidInput(f"{shown(when)} is no moment.")
    if day and end:
        moment += pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
    moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    return moment.floor("us").to_pydatetime()
