"""What a process that was made by fork does not share with its parent: connections and locks."""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn, Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """Something with a lock or a connection, which a child process replaces by its own."""

    def renew_after_fork(self) -> None:
        """Replace the locks, which other threads may have held, and the connections."""


_objects: WeakSet[Renewed] = WeakSet()


def renew_in_children(thing: Renewed) -> None:
    """Call a thing's `renew_after_fork` in each process that is forked from this one."""
    _objects.add(thing)


def _renew() -> None:
    for thing in list(_objects):
        thing.renew_after_fork()
    if "tqdm.std" in sys.modules:
        # Progress bars share a lock, which a thread of the parent may have held.
        from tqdm import tqdm

        lock = threading.RLock()
        kinds: list[type[tqdm[NoReturn]]] = [tqdm]
        for kind in kinds:
            kinds += kind.__subclasses__()
            kind.set_lock(lock)


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
