"""The tenant's clock, as derived from the `Date` header of its responses.

Times of this machine are taken by its monotonic clock, and converted to the tenant's clock before
they are compared with times of the tenant.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

# Seconds. `Date` has whole seconds, and many servers update it only once a second.
RESOLUTION = 2.0


@dataclass(frozen=True, slots=True)
class Span:
    """A moment by the tenant's clock, between two times.

    Attributes:
        earliest: The earliest possible time.
        latest: The latest possible time.
    """

    earliest: datetime
    latest: datetime

    def to_json(self) -> list[str]:
        """Return the span as a JSON array of two timestamps."""
        return [self.earliest.isoformat(), self.latest.isoformat()]

    @classmethod
    def from_json(cls, content: Any) -> Self | None:
        """Return the span from a JSON array; None if the content is invalid."""
        try:
            earliest, latest = (datetime.fromisoformat(text) for text in content)
        except (TypeError, ValueError):
            return None
        if earliest.tzinfo is None or latest.tzinfo is None:
            return None
        return cls(earliest, latest)


class TenantClock:
    """The offset between the tenant's clock and this machine's monotonic clock."""

    def __init__(self) -> None:
        # The least and the greatest offset, in seconds, and when they were learned.
        self._offset: tuple[float, float, float] | None = None

    def learn(self, date: str | None, sent: float) -> None:
        """Update the offset from a response.

        Args:
            date: The header `Date` of the response, if it has one.
            sent: When the request was sent, by `time.monotonic`.
        """
        received = time.monotonic()
        date_seconds = timestamp(date)
        if date_seconds is None:
            return
        least, greatest = date_seconds - received, date_seconds + RESOLUTION - sent
        last = self._offset
        if last is not None:
            # A slow response is less exact than a recent quick one. But if this machine was asleep
            # since, which its monotonic clock does not count, the last offset does not fit.
            fits = least <= last[1] and greatest >= last[0]
            drift = (received - last[2]) / 1000
            if fits and greatest - least > last[1] - last[0] + drift:
                return
        self._offset = least, greatest, received

    def at(self, moment: float) -> Span | None:
        """Return the time of the tenant's clock at a moment; None if it is not known yet.

        Args:
            moment: By `time.monotonic`.
        """
        if self._offset is None:
            return None
        try:
            earliest, latest = (
                datetime.fromtimestamp(moment + offset, UTC) for offset in self._offset[:2]
            )
        except (ValueError, OverflowError, OSError):
            return None
        return Span(earliest, latest)


def timestamp(date: str | None) -> float | None:
    """Return the time of an HTTP date in seconds since 1970; None if it is not a date."""
    try:
        moment = parsedate_to_datetime(date or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
