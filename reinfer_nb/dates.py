"""Conversion of a user's datetime, date or text to a datetime in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np
import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled

When = str | datetime | date | np.datetime64


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
