"""What a process that was made by fork does not share with its parent: connections and locks."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """Something with a lock or a connection, which a child process replaces by its own."""

    def renew_after_fork(self) -> None:
        """Replace the locks, which other threads may have held, and the connections."""


_objects: WeakSet[Renewed] = WeakSet()
# Held while a module is imported that a request needs.
_importing = threading.RLock()
# Seconds that a fork waits for such an import.
_LONGEST = 10
# Whether the lock could be taken, for each fork under way.
_waited: list[bool] = []


def renew_in_children(thing: Renewed) -> None:
    """Call a thing's `renew_after_fork` in each process that is forked from this one."""
    _objects.add(thing)


@contextmanager
def importing() -> Iterator[None]:
    """Keep a fork waiting while a module is imported in here.

    A child in which the import of another thread is not done waits for the lock of that import,
    which nobody releases there.
    """
    with _importing:
        yield


def _wait_for_imports() -> None:
    _waited.append(_importing.acquire(timeout=_LONGEST))


def _go_on() -> None:
    if _waited.pop():
        _importing.release()


def _renew() -> None:
    # Nothing is imported in here, and no lock is taken that another thread may have held.
    global _importing  # noqa: PLW0603 - there is one for the process
    _importing = threading.RLock()
    _waited.clear()
    for thing in list(_objects):
        thing.renew_after_fork()
    # Progress bars share a lock. Their module may be in the list before its import is done.
    tqdm = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    if tqdm is not None:
        lock = threading.RLock()
        kinds: list[Any] = [tqdm]
        for kind in kinds:
            kinds += kind.__subclasses__()
            kind.set_lock(lock)


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_imports, after_in_parent=_go_on, after_in_child=_renew)
