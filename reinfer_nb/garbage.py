"""Pauses Python's garbage collector.

While many objects are made, it would visit them again and again, though none of them is garbage.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Pauses:
    """Counts the threads that want no collection now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()

    def renew(self) -> None:
        """End all pauses in a forked child, which has none of the threads."""
        self._lock = threading.Lock()
        if self._count and self._was_enabled:
            gc.enable()
        self._count = 0


_PAUSES = _Pauses()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_PAUSES.renew)


@contextmanager
def no_collections() -> Iterator[None]:
    """Context manager in which the garbage collector does not run, in any thread."""
    _PAUSES.begin()
    try:
        yield
    finally:
        _PAUSES.end()
