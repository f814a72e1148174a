"""Helpers that wait for a condition instead of a fixed time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

# Seconds that anything may take on a busy machine; a longer wait is a fault.
AGES = 60


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + AGES
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@contextmanager
def ctrl_c_once(condition: Callable[[], object]) -> Iterator[None]:
    """Send Ctrl-C as a terminal does, as soon as a condition is true.

    A signal just before the main thread waits for a lock does not end that wait. So the signal is
    repeated until the main thread has handled it; later signals have no effect.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main or main.ident is None:
        pytest.skip("Ctrl-C reaches the main thread only")
    number, over, taken = main.ident, threading.Event(), threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def take(signum: int, frame: FrameType | None) -> None:
        if not taken.is_set():
            taken.set()
            assert callable(usual)
            usual(signum, frame)

    def press() -> None:
        while not condition():
            if over.wait(0.005):
                return
        while not (taken.is_set() or over.is_set()):
            signal.pthread_kill(number, signal.SIGINT)
            taken.wait(0.05)

    thread = threading.Thread(target=press)
    signal.signal(signal.SIGINT, take)
    try:
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
    finally:
        signal.signal(signal.SIGINT, usual)
