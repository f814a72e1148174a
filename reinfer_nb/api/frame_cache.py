"""Listings that were fetched a short while ago, by one client and so with one token."""

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
    """Return a time to live in seconds, or raise `InvalidInput`."""
    if isinstance(ttl, bool):
        pass
    elif isinstance(ttl, int | float | np.integer | np.floating) and ttl >= 0:
        with contextlib.suppress(OverflowError):
            return float(ttl)
    raise InvalidInput(
        f"cache_ttl is seconds, 0 for no cache and math.inf for a cache without end, not "
        f"{shown(ttl)}."
    )


@dataclass(frozen=True)
class _Kept:
    """A frame, and which of its columns hold objects that could be changed in place."""

    frame: pd.DataFrame
    fetched_at: float
    fragile: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, fetched_at: float) -> _Kept:
        objects = (name for name in frame.columns if frame[name].dtype == object)
        fragile = (
            name for name in objects if not {list, dict}.isdisjoint(map(type, frame[name].tolist()))
        )
        return cls(frame, fetched_at, tuple(fragile))

    def copied(self) -> pd.DataFrame:
        """Return a copy that shares nothing with the frame that can be changed.

        pandas copies no texts, since Arrow's arrays never change; the copy of 100,000 rows takes
        a few milliseconds.
        """
        copied = self.frame.copy()
        for name in self.fragile:
            values = nesting.copied(self.frame[name].tolist())
            copied[name] = pd.Series(values, self.frame.index, dtype=object)
        return copied


class Cache:
    """Frames by what they list. What is returned is a copy of its own, to do with as one likes.

    A shallow copy would not do: pandas copies what is written to by its own methods, but not what
    is written to through `.array`, or through `.values` of a nullable column. Nor can a buffer of
    Arrow, which is read-only, be written to by pandas' methods once nothing else refers to it.

    Args:
        ttl: Seconds that a frame is good for; 0 keeps none.
        clock: What tells the seconds.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}
        self._writes = 0
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Take a lock of one's own, in a child process."""
        self._lock = threading.Lock()

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
            kept = self._kept.get(scope)
            writes = self._writes
        if kept is None or refresh or self._clock() - kept.fetched_at >= self.ttl:
            fetched_at = self._clock()
            kept = _Kept.of(fetch(), fetched_at)
            with self._lock:
                # What was on its way while something was written may be from before that.
                newest = self._kept.get(scope, kept)
                if self.ttl > 0 and writes == self._writes and newest.fetched_at <= fetched_at:
                    self._kept[scope] = kept
        return kept.copied()

    def clear(self) -> None:
        """Forget all, and what is being fetched too: something was or is being written."""
        with self._lock:
            self._kept.clear()
            self._writes += 1
