"""A moment as a person says it, a datetime, a date or a text, made one in UTC.

Knows nothing of what is asked for at that moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np
import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown

When = str | datetime | date | np.datetime64


def moment(when: When, *, end: bool = False, name: str = "") -> datetime:
    """Return a moment in UTC; what has no zone is taken to be in UTC.

    >>> moment("2026-03-01", end=True)
    datetime.datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)

    Args:
        when: The moment; a text as ISO 8601. What is finer than a microsecond is cut.
        end: Whether a date without a time of day means its end; otherwise its beginning.
        name: What a message calls it.

    Raises:
        InvalidInput: It is none, or it is outside the years 1 to 9999.
    """
    called = f"{name} is {shown(when)}, which" if name else shown(when)
    try:
        said = _said(when)
        if isinstance(said, pd.Timestamp):
            said = said.to_pydatetime(warn=False)
        elif not isinstance(said, datetime):
            said = datetime.combine(said, time.max if end else time.min)
        return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{called} is outside the years 1 to 9999 in UTC.") from None
    except ValueError:
        raise InvalidInput(
            f"{called} is no moment: give a datetime, a date, or a text as ISO 8601 has it, "
            "such as '2026-03-01' or '2026-03-01T12:00'."
        ) from None


def _said(when: object) -> datetime | date:
    if isinstance(when, str):
        try:
            return date.fromisoformat(when)
        except ValueError:
            return datetime.fromisoformat(when)
    if isinstance(when, np.datetime64):
        unit = np.datetime_data(when)[0]
        if unit in ("Y", "M", "W"):
            raise ValueError("is more than a day")
        when = when.item() if unit == "D" else pd.Timestamp(when)
    if when is pd.NaT or not isinstance(when, date):
        raise ValueError("is no moment")
    return when
