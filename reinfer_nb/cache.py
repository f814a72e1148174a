"""Listings that were fetched a short while ago, by one client and so with one token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown


def checked_ttl(ttl: object) -> float:
    """Return a time to live in seconds, or raise `InvalidInput`."""
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl >= 0:
        return float(ttl)
    raise InvalidInput(f"cache_ttl is seconds, 0 for no cache, not {shown(ttl)}.")


class Cache:
    """Frames by what they list. A hit is a shallow copy: pandas copies what is written to.

    Args:
        ttl: Seconds that a frame is good for; 0 keeps none.
        clock: What tells the seconds.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._frames: dict[Hashable, tuple[float, pd.DataFrame]] = {}
        self._writes = 0

    def get(
        self, scope: Hashable, fetch: Callable[[], pd.DataFrame], *, refresh: bool = False
    ) -> pd.DataFrame:
        """Return the frame of a scope, fetched if there is none that is good.

        Args:
            scope: What is listed.
            fetch: How to get it.
            refresh: Fetch in any case.
        """
        with self._lock:
            fetched_at, frame = self._frames.get(scope, (0.0, None))
            writes = self._writes
        if frame is None or refresh or self._clock() - fetched_at >= self.ttl:
            fetched_at = self._clock()
            frame = fetch()
            with self._lock:
                # What was on its way while something was written may be from before that.
                if self.ttl > 0 and writes == self._writes:
                    self._frames[scope] = (fetched_at, frame)
        return frame.copy(deep=False)

    def clear(self) -> None:
        """Forget all, and what is being fetched too: something was or is being written."""
        with self._lock:
            self._frames.clear()
            self._writes += 1
