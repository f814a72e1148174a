"""Many small pieces of work side by side, with a progress bar, and stoppable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from reinfer_nb.errors import InvalidInput
from reinfer_nb.forking import importing
from reinfer_nb.text import shown

# No more than the connections that a client keeps.
MOST = 32

Progress = bool | Callable[[int, int], object]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def checked_workers(workers: object) -> int:
    """Return a number of workers, or raise `InvalidInput`."""
    if isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= MOST:
        return workers
    raise InvalidInput(f"workers is a number from 1 to {MOST}, not {shown(workers)}.")


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int, label: str
) -> list[_Result]:
    """Return what work makes of each item, in their order; side by side where that may be faster.

    Args:
        work: What to do with an item, in a thread or in this one.
        items: The items.
        workers: How many at once.
        label: What the threads are called.
    """
    numbered = list(enumerate(items))
    if min(len(numbered), workers) < 2:
        return [work(item) for _, item in numbered]
    with ThreadPoolExecutor(workers, f"reinfer_nb-{label}") as pool:
        done = {
            number: future.result()
            for (number, _), future in as_done(pool, lambda pair: work(pair[1]), numbered)
        }
    return [done[number] for number, _ in numbered]


def as_done(
    pool: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, Future[_Result]]]:
    """Yield each item and its future, as they are done.

    While the interpreter ends it starts no threads any more, and a machine may be out of them; the
    thread that iterates does then what is left.

    Args:
        pool: The threads.
        work: What to do with an item.
        items: The items.
    """
    # Futures of our own: a pool that cannot start a thread returns none, though it has queued the
    # item, which one of its other threads may take.
    pieces = [(item, threading.Lock(), Future[_Result]()) for item in items]

    def once(item: _Item, claim: threading.Lock, future: Future[_Result]) -> bool:
        """Do an item that nobody else has taken; return whether it was done here."""
        if not claim.acquire(blocking=False):
            return False
        try:
            future.set_result(work(item))
        except BaseException as error:  # noqa: BLE001 - raised for whoever asks for the result
            future.set_exception(error)
        return True

    waiting = {future: item for item, _, future in pieces}
    try:
        for piece in pieces:
            pool.submit(once, *piece)
    except RuntimeError:
        pool.shutdown(wait=True, cancel_futures=True)
        for item, claim, future in pieces:
            if once(item, claim, future):
                del waiting[future]
                yield item, future
    # Each item bounds its own waits.
    for future in as_completed(waiting):
        yield waiting[future], future


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
