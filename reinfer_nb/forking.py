"""Renewal of connections and locks in a forked child process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """An object with locks or connections, which a child process must replace."""

    def renew_after_fork(self) -> None:
        """Replace the locks, which other threads may hold, and the connections."""


_objects: WeakSet[Renewed] = WeakSet()
# Held while a request imports a module.
_importing = threading.RLock()
# Seconds that a fork waits for such an import.
_LONGEST = 10
# For each fork in progress, whether it holds the lock.
_locked: list[bool] = []


def renew_in_children(thing: Renewed) -> None:
    """Call the object's `renew_after_fork` in each process that is forked from this one."""
    _objects.add(thing)


@contextmanager
def importing() -> Iterator[None]:
    """Context manager for imports; a fork waits until they are done.

    If a fork happens during an import in another thread, the child would wait forever for the lock
    of that import.
    """
    with _importing:
        yield


def _wait_for_imports() -> None:
    _locked.append(_importing.acquire(timeout=_LONGEST))


def _release() -> None:
    if _locked.pop():
        _importing.release()


def _renew() -> None:
    # This must not import anything or take a lock that another thread may have held.
    global _importing  # noqa: PLW0603 - one lock per process
    _importing = threading.RLock()
    _locked.clear()
    for thing in list(_objects):
        thing.renew_after_fork()
    # Progress bars share a lock. `sys.modules` may hold their module before its import is done.
    tqdm = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    if tqdm is not None:
        lock = threading.RLock()
        kinds: list[Any] = [tqdm]
        for kind in kinds:
            kinds += kind.__subclasses__()
            kind.set_lock(lock)


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_imports, after_in_parent=_release, after_in_child=_renew)
