"""Concurrent work on many items, with a progress bar and a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

from reinfer_nb.errors import InvalidInput
from reinfer_nb.forking import importing
from reinfer_nb.text import shown

# The number of connections that a client keeps.
MOST = 32

Progress = bool | Callable[[int, int], object]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def checked_workers(workers: object) -> int:
    """Return a number of workers, or raise `InvalidInput`."""
    if isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= MOST:
        return workers
    raise InvalidInput(f"workers must be a number from 1 to {MOST}, not {shown(workers)}.")


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int, label: str
) -> list[_Result]:
    """Return the results of `work` in the order of the items; uses threads for several items.

    Args:
        work: Called with each item, in a thread or in this one.
        items: The items.
        workers: The number of threads.
        label: The threads' name.
    """
    items = list(items)
    if min(len(items), workers) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers, f"reinfer_nb-{label}") as pool:
        done = as_done(pool, lambda number: work(items[number]), range(len(items)))
        results = {number: future.result() for number, future in done}
    return [results[number] for number in range(len(items))]


def as_done(
    pool: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, Future[_Result]]]:
    """Yield each item and its future in the order of completion.

    No thread can be started while the interpreter exits, or beyond the machine's limit. The
    iterating thread then does the remaining items itself.

    Args:
        pool: The threads.
        work: Called with each item.
        items: The items.
    """
    # Not the pool's futures: if the pool cannot start a thread, `submit` returns none, but has
    # queued the item, and another thread may take it.
    jobs = [(item, threading.Lock(), Future[_Result]()) for item in items]

    def run(item: _Item, claim: threading.Lock, future: Future[_Result]) -> bool:
        """Do an item unless another thread has claimed it; return True if it was done here."""
        if not claim.acquire(blocking=False):
            return False
        try:
            future.set_result(work(item))
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            future.set_exception(error)
        return True

    pending = {future: item for item, _, future in jobs}
    try:
        for job in jobs:
            pool.submit(run, *job)
    except RuntimeError:
        pool.shutdown(wait=True, cancel_futures=True)
        for item, claim, future in jobs:
            if run(item, claim, future):
                del pending[future]
                yield item, future
    # No timeout here: each item limits its own waits.
    for future in as_completed(pending):
        yield pending[future], future


def side_by_side(
    work: Callable[[_Item, threading.Event], _Result],
    items: Collection[_Item],
    *,
    workers: int,
    label: str,
    unit: str,
    progress: Progress,
) -> Iterator[tuple[_Item, _Result]]:
    """Yield each item and its result in the order of completion.

    Args:
        work: Called in a thread with an item and an event; it should end early once that is set.
        items: The items.
        workers: The number of threads.
        label: The job's name in the progress bar.
        unit: The name of an item in the progress bar.
        progress: Whether to show a progress bar; or a function, called with the number of items
            done and the number of all items.

    Raises:
        Exception: The first error of `work` or `progress`. Then, and after Ctrl-C, items not begun
            are dropped, and the event asks running ones to stop, without waiting for them.
    """
    if not items:
        return
    with importing():
        from tqdm.auto import tqdm

    stop = threading.Event()
    pool = ThreadPoolExecutor(workers, f"reinfer_nb-{label}")
    try:
        bar = tqdm(
            as_done(pool, lambda item: work(item, stop), items),
            total=len(items),
            desc=label,
            unit=unit,
            disable=progress is not True,
        )
        for done, (item, future) in enumerate(bar, 1):
            yield item, future.result()
            if callable(progress):
                progress(done, len(items))
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def told(
    progress: Progress, *, total: int, done: int = 0, label: str, unit: str
) -> Iterator[Callable[[int], None]]:
    """Context manager that tells how far a job is.

    Args:
        progress: As for `side_by_side`.
        total: The number of all units; more may turn up.
        done: How many were done before.
        label: The job's name in the progress bar.
        unit: The name of a unit in the progress bar.

    Yields:
        A function to call with the number of units that are done now; any thread may call it.
    """
    with importing():
        from tqdm.auto import tqdm

    lock = threading.Lock()
    with tqdm(
        total=total,
        initial=done,
        desc=label,
        unit=unit,
        disable=progress is not True or not total,
    ) as bar:

        def tell(number: int) -> None:
            nonlocal done
            with lock:
                done += number
                bar.update(number)
                if callable(progress):
                    progress(done, max(total, done))

        yield tell
