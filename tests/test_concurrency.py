"""Work in threads on a machine that cannot start more: each item is done exactly once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from reinfer_nb.concurrency import as_done
from tests.waiting import AGES

ITEMS = range(6)


@pytest.mark.parametrize("taken_by_a_thread", [True, False])
def test_without_more_threads_each_item_is_done_once(
    monkeypatch: pytest.MonkeyPatch,
    *,
    taken_by_a_thread: bool,
) -> None:
    """A pool that cannot start a thread has queued the item, and a free thread may take it."""
    released, second_is_done = threading.Event(), threading.Event()
    counts: Counter[int] = Counter()

    def work(item: int) -> int:
        counts[item] += 1
        if item == 0:
            assert released.wait(AGES)
        if item == 1:
            second_is_done.set()
        return 10 * item

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the library has it
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            released.set()
            super().shutdown(wait=wait)

    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_one(thread: threading.Thread) -> None:
        if started:
            if taken_by_a_thread:
                released.set()
                assert second_is_done.wait(AGES)
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with Pool(4) as pool:
        monkeypatch.setattr(threading.Thread, "start", start_one)
        results = [(item, future.result(AGES)) for item, future in as_done(pool, work, ITEMS)]
        monkeypatch.undo()
    assert sorted(results) == [(item, 10 * item) for item in ITEMS]
    assert counts == dict.fromkeys(ITEMS, 1)
