"""The tenant's clock, as derived from the `Date` header of its responses.

Times of this machine are taken by its monotonic clock, and converted to the tenant's clock before
they are compared with times of the tenant.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

# Seconds. `Date` has whole seconds, and many servers update it only once a second.
RESOLUTION = 2.0
# Seconds. Shorter differences of the two clocks come from corrections of the time of day.
_SHORTEST_SLEEP = 0.1
# The number of offsets that are kept, for the moments of requests under way.
_KEPT = 20


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


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment by the two clocks of this machine.

    Attributes:
        monotonic: By `time.monotonic`, which may stand still while the machine is asleep.
        wall: By `time.time`, which may be set.
    """

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """Return the present moment."""
        return cls(time.monotonic(), time.time())

    def age(self) -> float:
        """Return the seconds since this moment, with those that the machine was asleep."""
        now = Instant.now()
        return now.monotonic - self.monotonic + self.asleep_until(now)

    def asleep_until(self, later: Instant) -> float:
        """Return the seconds to a later moment that the monotonic clock did not count."""
        seconds = (later.wall - self.wall) - (later.monotonic - self.monotonic)
        return seconds if seconds >= _SHORTEST_SLEEP else 0.0


@dataclass(frozen=True, slots=True)
class _Offset:
    """The offset of the tenant's clock while this machine was awake.

    Attributes:
        first: When the first request was sent that it is learned from.
        last: When the last response was received that agrees with it.
        exact_at: When the response was received that made it as exact as it is, by
            `time.monotonic`.
        least: The least offset, in seconds.
        greatest: The greatest one.
    """

    first: Instant
    last: Instant
    exact_at: float
    least: float
    greatest: float

    def extended(self, later: _Offset) -> _Offset | None:
        """Return one offset for the time of this one and of a later one.

        Args:
            later: The later offset.

        Returns:
            The more exact one, over both times; None if they differ, or if this machine was asleep
            in between.
        """
        agrees = later.least <= self.greatest and later.greatest >= self.least
        if not agrees or self.last.asleep_until(later.first):
            return None
        # A slow response is less exact than a recent quick one.
        drift = (later.exact_at - self.exact_at) / 1000
        slack = (later.greatest - later.least) - (self.greatest - self.least)
        exact = self if slack > drift else later
        return replace(exact, first=self.first, last=later.last)

    def plus(self, seconds: float) -> _Offset:
        """Return an offset that is greater by some seconds."""
        return replace(self, least=self.least + seconds, greatest=self.greatest + seconds)


class TenantClock:
    """The offset between the tenant's clock and this machine's monotonic clock.

    The offset grows while this machine is asleep. So a moment has the offset that was learned at
    its time. Between two offsets it may be either of them.
    """

    def __init__(self) -> None:
        self._start = Instant.now()
        self._offsets: tuple[_Offset, ...] = ()

    def learn(self, date: str | None, sent: Instant) -> None:
        """Update the offset from a response.

        Args:
            date: The header `Date` of the response, if it has one.
            sent: When the request was sent.
        """
        received = Instant.now()
        seconds = timestamp(date)
        if seconds is None or sent.asleep_until(received):
            return
        least, greatest = seconds - received.monotonic, seconds + RESOLUTION - sent.monotonic
        learned = _Offset(sent, received, received.monotonic, least, greatest)
        *earlier, last = self._offsets or (learned,)
        extended = last.extended(learned)
        self._offsets = (*earlier, extended) if extended else (*self._offsets, learned)[-_KEPT:]

    def at(self, moment: float) -> Span | None:
        """Return the time of the tenant's clock at a moment; None if it is not known yet.

        Args:
            moment: By `time.monotonic`.
        """
        offsets = self._offsets
        if not offsets:
            return None
        before = next((one for one in reversed(offsets) if one.first.monotonic <= moment), None)
        after = next((one for one in offsets if one.last.monotonic >= moment), None)
        if before is None:
            before = offsets[0].plus(-self._start.asleep_until(offsets[0].first))
        if after is None:
            after = offsets[-1].plus(offsets[-1].last.asleep_until(Instant.now()))
        least, greatest = min(before.least, after.least), max(before.greatest, after.greatest)
        try:
            earliest, latest = (
                datetime.fromtimestamp(moment + offset, UTC) for offset in (least, greatest)
            )
        except (ValueError, OverflowError, OSError):
            return None
        return Span(earliest, latest)

    def time_of(self, instant: Instant) -> datetime:
        """Return a moment as a time that can be compared with times of the tenant.

        It is the time of day on this machine, unless the tenant's clock shows another one. Then it
        is the earliest that the tenant's clock can have shown.

        Args:
            instant: The moment.
        """
        here, span = datetime.fromtimestamp(instant.wall, UTC), self.at(instant.monotonic)
        slack = timedelta(seconds=RESOLUTION)
        if span is None or span.earliest - slack <= here <= span.latest + slack:
            return here
        return span.earliest


def timestamp(date: str | None) -> float | None:
    """Return the time of an HTTP date in seconds since 1970; None if it is not a date."""
    try:
        moment = parsedate_to_datetime(date or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
