"""The tenant's clock, as far as the `Date` of its responses shows it.

Two clocks are never compared directly: what happened here is dated by this machine's monotonic
clock, and translated.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

# `Date` has whole seconds, and many servers renew it only once a second.
RESOLUTION = 2.0


@dataclass(frozen=True, slots=True)
class Span:
    """A moment by the tenant's clock, known to lie between two times.

    Attributes:
        earliest: It was not before.
        latest: It was not after.
    """

    earliest: datetime
    latest: datetime

    def to_json(self) -> list[str]:
        """Return it as a JSON array of two timestamps."""
        return [self.earliest.isoformat(), self.latest.isoformat()]

    @classmethod
    def from_json(cls, content: Any) -> Self | None:
        """Return the span that a JSON array is; None if it is none."""
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
        # The least and the greatest offset, in seconds, and when that was learned.
        self._offset: tuple[float, float, float] | None = None

    def learn(self, date: str | None, sent: float) -> None:
        """Learn from a response.

        Args:
            date: Its header `Date`, if it has one.
            sent: When the request was sent, by `time.monotonic`.
        """
        received = time.monotonic()
        shown = timestamp(date)
        if shown is None:
            return
        least, greatest = shown - received, shown + RESOLUTION - sent
        known = self._offset
        if known is not None:
            # A slow response says less than a quick one did a short while ago; but this machine
            # may have been asleep since, which its monotonic clock does not count.
            fits = least <= known[1] and greatest >= known[0]
            drift = (received - known[2]) / 1000
            if fits and greatest - least > known[1] - known[0] + drift:
                return
        self._offset = least, greatest, received

    def at(self, moment: float) -> Span | None:
        """Return what the tenant's clock showed at a moment; None while that is not known.

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
    """Return the time of an HTTP date in seconds since 1970; None if it is no date."""
    try:
        moment = parsedate_to_datetime(date or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
