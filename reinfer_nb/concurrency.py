"""Many small pieces of work side by side, with a progress bar, and stoppable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown

# No more than the connections that a client keeps.
MOST = 32

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
    progress: bool | Callable[[int, int], object],
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
