"""Conversion of a user's datetime, date or text to a datetime in UTC."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled

When = str | datetime | date | np.datetime64 | pd.Period


def moment(when: When, *, end: bool = False, name: str = "") -> datetime:
    """Return a datetime in UTC; a value without a time zone is in UTC already.

    >>> moment("2026-03-01", end=True)
    datetime.datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)

    Args:
        when: A datetime, a date, or an ISO 8601 text. Fractions finer than a microsecond are cut.
        end: Whether a date without a time means the end of the day; otherwise its beginning.
        name: The argument's name in messages.

    Raises:
        InvalidInput: It is not a date or time, or it is outside the years 1 to 9999.
    """
    subject = f"{name} is {shown(when)}, which" if name else shown(when)
    try:
        value = _parsed(when)
        if isinstance(value, pd.Timestamp):
            value = value.to_pydatetime(warn=False)
        elif not isinstance(value, datetime):
            value = datetime.combine(value, time.max if end else time.min)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{subject} is outside the years 1 to 9999 in UTC.") from None
    except ValueError:
        forms = spelled("a datetime, a date, or an ISO 8601 text", "an ISO 8601 date or time")
        raise InvalidInput(
            f"{subject} is not a date or time. Give {forms} such as '2026-03-01' or "
            "'2026-03-01T12:00'."
        ) from None


def _parsed(when: object) -> datetime | date:
    if isinstance(when, str):
        try:
            return date.fromisoformat(when)
        except ValueError:
            return datetime.fromisoformat(when)
    if isinstance(when, np.datetime64):
        unit = np.datetime_data(when)[0]
        if unit in ("Y", "M", "W"):
            raise ValueError("longer than a day")
        when = when.item() if unit == "D" else pd.Timestamp(when)
    if when is pd.NaT or not isinstance(when, date):
        raise ValueError("not a date or time")
    return when


_AGO = re.compile(r"(\d{1,6}) +(hour|day|week|month|year)s? +ago")
_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_MONTHS = {"month": 1, "year": 12}
_PERIOD = re.compile(r"(\d{4})(?:-(\d{2}))?")


def edge(when: When, *, end: bool = False, name: str = "", now: datetime | None = None) -> datetime:
    """Return the first or the last moment of what a person names, in UTC.

    >>> edge("2026-02", end=True)
    datetime.datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)
    >>> edge("90 days ago", now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    datetime.datetime(2025, 12, 1, 12, 0, tzinfo=datetime.timezone.utc)

    Args:
        when: As for `moment`; or a year, a month, a period of pandas, "today", "yesterday" or a
            time ago, in hours, days, weeks, months or years.
        end: True for the last microsecond of a period, year, month or day; otherwise the first one.
        name: The argument's name in messages.
        now: The present moment, for a time ago; by default the clock's.

    Raises:
        InvalidInput: It names no time, or one outside the years 1 to 9999.
    """
    present = datetime.now(UTC) if now is None else now
    if isinstance(when, pd.Period):
        when = when.end_time if end else when.start_time
    elif isinstance(when, np.datetime64) and np.datetime_data(when)[0] in ("Y", "M"):
        when = str(when)
    if isinstance(when, str):
        text = when.strip().lower()
        if text in ("now", "today", "yesterday"):
            if text == "now":
                return present
            return moment(present.date() - timedelta(days=text == "yesterday"), end=end)
        if ago := _AGO.fullmatch(text):
            return _before(present, int(ago[1]), ago[2], when)
        if (period := _PERIOD.fullmatch(text)) and int(period[2] or 1) in range(1, 13):
            year, month = int(period[1]), int(period[2] or (12 if end else 1))
            if year:
                day = calendar.monthrange(year, month)[1] if end else 1
                return moment(date(year, month, day), end=end)
    return moment(when, end=end, name=name)


def _before(present: datetime, number: int, unit: str, when: str) -> datetime:
    """Return the moment that is a number of units before the present."""
    try:
        if unit in _LENGTHS:
            return present - number * _LENGTHS[unit]
        months = present.year * 12 + present.month - 1 - number * _MONTHS[unit]
        year, month = divmod(months, 12)
        day = min(present.day, calendar.monthrange(year, month + 1)[1])
        return present.replace(year=year, month=month + 1, day=day)
    except (OverflowError, ValueError, calendar.IllegalMonthError):
        raise InvalidInput(f"{shown(when)} is outside the years 1 to 9999 in UTC.") from None
