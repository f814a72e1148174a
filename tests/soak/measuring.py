"""Memory, open files and sockets of this process."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """What this process holds.

    Attributes:
        megabytes: Its memory.
        files: Its open files and sockets.
    """

    megabytes: float
    files: int


def held() -> Held:
    """Return what this process holds, after a collection of garbage."""
    gc.collect()
    # C keeps memory that was freed, for the next call; it is not held.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    size = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Held(size, len(list(Path("/proc/self/fd").iterdir())))


def growth(measured: Sequence[Held]) -> str:
    """Return what was held first and last, for people."""
    first, last = measured[0], measured[-1]
    return (
        f"{first.megabytes:.1f} to {last.megabytes:.1f} MB, {first.files} to {last.files} files "
        "and sockets"
    )
