"""A cache of the listings of one client, and so of one token."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reinfer_nb import nesting
from reinfer_nb.errors import InvalidInput
from reinfer_nb.forking import renew_in_children
from reinfer_nb.text import shown


def checked_ttl(ttl: object) -> float:
    """Return `cache_ttl` as seconds; raise `InvalidInput` if it is not a number of seconds."""
    if isinstance(ttl, bool):
        pass
    elif isinstance(ttl, int | float | np.integer | np.floating) and ttl >= 0:
        with contextlib.suppress(OverflowError):
            return float(ttl)
    raise InvalidInput(
        f"cache_ttl must be seconds, 0 for no cache or math.inf for no expiry, not {shown(ttl)}."
    )


@dataclass(frozen=True)
class _Entry:
    """A cached frame, and the names of its columns with mutable objects."""

    frame: pd.DataFrame
    fetched_at: float
    mutable: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, fetched_at: float) -> _Entry:
        objects = (name for name in frame.columns if frame[name].dtype == object)
        mutable = (
            name for name in objects if not {list, dict}.isdisjoint(map(type, frame[name].tolist()))
        )
        return cls(frame, fetched_at, tuple(mutable))

    def copy(self) -> pd.DataFrame:
        """Return a copy that shares no mutable data with the frame.

        pandas does not copy texts, since Arrow's arrays are immutable; the copy of 100,000 rows
        takes a few milliseconds.
        """
        copied = self.frame.copy()
        for name in self.mutable:
            values = nesting.copied(self.frame[name].tolist())
            copied[name] = pd.Series(values, self.frame.index, dtype=object)
        return copied


class Cache:
    """Cached frames by scope. Callers get copies that they may change.

    A shallow copy is not enough. The copy-on-write of pandas covers its own methods, but not
    writes through `.array`, or through `.values` of a nullable column. And pandas' methods fail on
    a read-only buffer of Arrow that nothing else refers to.

    Args:
        ttl: Seconds for which a frame is cached; 0 for no cache.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._writes = 0
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Replace the lock in a child process."""
        self._lock = threading.Lock()

    def get(
        self, scope: Hashable, fetch: Callable[[], pd.DataFrame], *, refresh: bool = False
    ) -> pd.DataFrame:
        """Return the frame of a scope, fetched if no valid one is cached.

        Args:
            scope: The key of the frame.
            fetch: Returns a new frame.
            refresh: Fetch even if a cached frame is valid.
        """
        with self._lock:
            entry = self._entries.get(scope)
            writes = self._writes
        if entry is None or refresh or self._clock() - entry.fetched_at >= self.ttl:
            fetched_at = self._clock()
            entry = _Entry.of(fetch(), fetched_at)
            with self._lock:
                # A frame fetched during a write may be outdated.
                newest = self._entries.get(scope, entry)
                if self.ttl > 0 and writes == self._writes and newest.fetched_at <= fetched_at:
                    self._entries[scope] = entry
        return entry.copy()

    def clear(self) -> None:
        """Clear the cache, and do not cache frames that are being fetched."""
        with self._lock:
            self._entries.clear()
            self._writes += 1
