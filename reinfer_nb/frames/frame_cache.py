"""A cache of the listings of one client, and so of one token."""

from __future__ import annotations

import contextlib
import marshal
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
    """A cached frame.

    Attributes:
        frame: The frame; nobody else can change its data.
        fetched_at: When the frame was fetched, by the cache's clock.
        wall_time: The same moment by `time.time`.
        mutable: The cells of columns with mutable objects, by name and marshalled.
    """

    frame: pd.DataFrame
    fetched_at: float
    wall_time: float
    mutable: Mapping[str, bytes]

    @classmethod
    def of(cls, frame: pd.DataFrame, fetched_at: float, wall_time: float) -> _Entry:
        """Return an entry that shares no mutable data with copies of a frame."""
        kept = frame.copy(deep=False)
        mutable: dict[str, bytes] = {}
        is_object = frame.dtypes == np.dtype(object)
        for name in frame.columns[is_object.to_numpy()]:
            cells = frame[name].tolist()
            if not {list, dict}.isdisjoint(map(type, cells)):
                mutable[name] = marshal.dumps(cells)
                kept[name] = pd.Series(None, kept.index, dtype=object)
        return cls(kept, fetched_at, wall_time, mutable)

    def copy(self) -> pd.DataFrame:
        """Return a copy that shares no mutable data with the entry.

        pandas does not copy texts, since Arrow's arrays are immutable; the copy of 100,000 rows
        takes about a millisecond. Unmarshalling is ten times as fast as copying object by object.
        """
        copied = self.frame.copy()
        for name, cells in self.mutable.items():
            copied[name] = pd.Series(marshal.loads(cells), copied.index, dtype=object)  # noqa: S302 - from this process
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
        if entry is None or refresh or self._age(entry) >= self.ttl:
            fetched_at, wall_time = self._clock(), time.time()
            frame = fetch()
            if self.ttl > 0:
                self._keep(scope, _Entry.of(frame, fetched_at, wall_time), writes)
            return frame.copy()
        return entry.copy()

    def valid(self) -> dict[Hashable, pd.DataFrame]:
        """Return the frames that have not expired, by scope; only to be read, not a copy.

        Columns with mutable objects are empty.
        """
        with self._lock:
            entries = dict(self._entries)
        return {
            scope: entry.frame for scope, entry in entries.items() if self._age(entry) < self.ttl
        }

    def _age(self, entry: _Entry) -> float:
        """Return the age of an entry in seconds.

        A monotonic clock may stand still while the machine is asleep; the time of day may be set.
        """
        return max(self._clock() - entry.fetched_at, time.time() - entry.wall_time)

    def _keep(self, scope: Hashable, entry: _Entry, writes: int) -> None:
        with self._lock:
            # A frame fetched during a write may be outdated.
            newest = self._entries.get(scope, entry)
            if writes == self._writes and newest.fetched_at <= entry.fetched_at:
                self._entries[scope] = entry

    def clear(self) -> None:
        """Clear the cache, and do not cache frames that are being fetched."""
        with self._lock:
            self._entries.clear()
            self._writes += 1
