"""The garbage collector is paused while many objects are made, and not longer."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.frames import column_reader, convert
from reinfer_nb.garbage import no_collections
from tests.waiting import AGES


def test_the_state_before_is_the_state_after() -> None:
    with no_collections():
        with no_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@contextmanager
def pause_in_another_thread() -> Iterator[None]:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with no_collections():
            inside.set()
            leave.wait(AGES)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(AGES)
    try:
        yield
    finally:
        leave.set()
        thread.join(AGES)


def test_the_last_thread_ends_the_pause() -> None:
    with pause_in_another_thread():
        with no_collections():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fails(*_: object) -> None:
        seen.append(gc.isenabled())
        raise ZeroDivisionError

    monkeypatch.setattr(column_reader.Reader, "columns", fails)
    with pytest.raises(ZeroDivisionError):
        convert.from_listing(b'{"sources": [{}], "status": "ok"}')
    assert seen == [False]
    assert gc.isenabled()


def test_a_sandbox_collects_again() -> None:
    with rnb.sandbox(pd.DataFrame({"owner": ["a"], "name": ["s"]})):
        assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_collects() -> None:
    with pause_in_another_thread():
        child = os.fork()
        if not child:
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
