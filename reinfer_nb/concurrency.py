"""Many small pieces of work side by side, with a progress bar, and stoppable."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown

# No more than the connections that a client keeps.
MOST = 32

Progress = bool | Callable[[int, int], object]
# How much faster it gets again, in lanes for all lanes done once.
_GROWTH = 0.25

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def checked_workers(workers: object) -> int:
    """Return a number of workers, or raise `InvalidInput`."""
    if isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= MOST:
        return workers
    raise InvalidInput(f"workers is a number from 1 to {MOST}, not {shown(workers)}.")


def side_by_side(
    work: Callable[[_Item, threading.Event], _Result],
    items: Collection[_Item],
    *,
    workers: int,
    label: str,
    unit: str,
    progress: Progress,
) -> Iterator[tuple[_Item, _Result]]:
    """Yield each item with what work made of it, as they are done.

    Args:
        work: What to do with an item, in a thread; it is to end early once the event is set.
        items: The items.
        workers: How many at once.
        label: What the progress bar calls the work.
        unit: What it calls an item.
        progress: Whether to show it; or what to call with how many are done, and of how many.

    Raises:
        Exception: What `work` raised first, or `progress`. As with Ctrl-C, items not begun are
            dropped then, and nobody waits for those under way, which are told to stop.
    """
    if not items:
        return
    from tqdm.auto import tqdm

    stop = threading.Event()
    pool = ThreadPoolExecutor(workers, f"reinfer_nb-{label}")
    try:
        futures = {pool.submit(work, item, stop): item for item in items}
        bar = tqdm(
            as_completed(futures),
            total=len(futures),
            desc=label,
            unit=unit,
            disable=progress is not True,
        )
        for done, future in enumerate(bar, 1):
            yield futures[future], future.result()
            if callable(progress):
                progress(done, len(futures))
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """How many pieces of work may go on at once: fewer after a wait that was asked for, then more.

    Threads that were all told to wait would all come back at once, to be told again. Half of them
    do, once for each time that they were told; each piece that is done lets some more in.

    Args:
        most: How many at most.
    """

    # Threads that come back within so many seconds were told to wait by the same limit.
    _SAME = 0.5

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._cut_at = -self._SAME
        self._busy = 0
        self._free = threading.Condition()
        # Those that stand there, first come, first served; who comes back goes before.
        self._new: deque[object] = deque()
        self._back: deque[object] = deque()

    def __enter__(self) -> None:
        with self._free:
            self._take(self._new)

    def _take(self, queue: deque[object]) -> None:
        ticket = object()
        queue.append(ticket)
        self._free.wait_for(
            lambda: self._busy < int(self._limit) and (self._back or queue)[0] is ticket
        )
        queue.popleft()
        self._busy += 1
        self._free.notify_all()

    def __exit__(self, *_: object) -> None:
        with self._free:
            self._busy -= 1
            self._limit = min(self._most, self._limit + _GROWTH / self._limit)
            self._free.notify_all()

    def again(self) -> None:
        """Come back from a wait that was asked for, as soon as there is a lane again."""
        with self._free:
            self._busy -= 1
            now = time.monotonic()
            if now - self._cut_at > self._SAME:
                self._cut_at = now
                self._limit = max(1.0, self._limit / 2)
            self._free.notify_all()
            self._take(self._back)
