"""Rate limits of tenants: a token bucket, and windows of one second."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from tests.scripted import Asked, reply


class Bucket:
    """A token bucket: `rate` requests per second, and `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, -math.inf

    def allows(self, now: float) -> bool:
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        allowed = self._tokens >= 1
        self._tokens -= allowed
        return allowed

    def least(self, requests: int) -> float:
        return (requests - self.burst) / self.rate

    def retry_after(self, _: float) -> float:
        return 1.0


class Windows:
    """Allows `rate` requests in each second of the clock."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._window, self._count = -1, 0

    def allows(self, now: float) -> bool:
        if int(now) != self._window:
            self._window, self._count = int(now), 0
        self._count += 1
        return self._count <= self.rate

    def least(self, requests: int) -> float:
        return requests / self.rate

    def retry_after(self, now: float) -> float:
        return float(math.ceil(1 - now % 1))


Limit = Bucket | Windows


class LimitedTenant:
    """A tenant that responds with 429 to requests beyond a limit.

    Args:
        limit: The limit.
        onward: Returns the response to an allowed request.
    """

    def __init__(self, limit: Limit, onward: Callable[[Asked], bytes]) -> None:
        self._limit, self._onward, self._lock = limit, onward, threading.Lock()
        # The time of each request, and whether it was allowed.
        self.log: list[tuple[float, bool]] = []

    def __call__(self, asked: Asked) -> bytes:
        with self._lock:
            now = time.monotonic()
            allowed = self._limit.allows(now)
            self.log.append((now, allowed))
        if allowed:
            return self._onward(asked)
        seconds = {"Retry-After": str(int(self._limit.retry_after(now)))}
        return reply({"status": "error"}, 429, seconds)

    @property
    def refused(self) -> list[float]:
        """The times of refused requests."""
        return [moment for moment, allowed in self.log if not allowed]
