"""Background jobs: one at a time, stoppable, with callbacks in the loop that started them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.client import Client
from reinfer_nb.widgets import DeleteForm, UpdateForm, jobs
from reinfer_nb.widgets.forms.base_form import Form
from reinfer_nb.widgets.jobs import Job, Jobs, Stopped
from tests.scripted import Asked
from tests.waiting import AGES
from tests.widgets.forms.test_forms import NAME, deleting, filled, no, opened, texts, through


class Recorder:
    """Jobs, and the calls of their callbacks in order."""

    def __init__(self) -> None:
        self.running: list[bool] = []
        self.progress: list[tuple[int, int]] = []
        self.done: list[Any] = []
        self.failed: list[Exception | None] = []
        self.threads: set[threading.Thread] = set()
        self.jobs = Jobs(self.running.append, self._on_progress)

    def _on_progress(self, done: int, total: int) -> None:
        self.threads.add(threading.current_thread())
        self.progress.append((done, total))

    def finish(self, result: Any) -> None:
        self.threads.add(threading.current_thread())
        self.done.append(result)

    def start(self, work: Callable[[Job], Any], *, clicked: str | None = "") -> bool:
        return self.jobs.start(work, self.finish, self.failed.append, clicked=clicked)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event that the work waits for."""
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


def test_a_job_runs_in_a_thread_and_returns_its_result(recorder: Recorder) -> None:
    assert recorder.start(lambda _: threading.current_thread())
    recorder.jobs.wait()
    assert recorder.done[0] is not threading.main_thread()
    assert recorder.running == [True, False]
    assert recorder.failed == []
    assert not recorder.jobs.running


@pytest.mark.usefixtures("_quick")
def test_one_at_a_time(recorder: Recorder, gate: threading.Event) -> None:
    assert recorder.start(lambda _: gate.wait(AGES) and "first")
    assert recorder.jobs.running
    assert not recorder.start(lambda _: "second")
    assert not recorder.start(lambda _: "third", clicked=None)
    gate.set()
    recorder.jobs.wait()
    assert recorder.done == ["first"]
    assert recorder.start(lambda _: "fourth")
    recorder.jobs.wait()
    assert recorder.done == ["first", "fourth"]
    assert recorder.running == [True, False] * 2


def test_a_click_right_after_the_end_of_a_job_is_part_of_a_double_click(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 3600.0)
    assert recorder.start(lambda _: 1)
    recorder.jobs.wait()
    assert not recorder.start(lambda _: 2)
    # A click on another button is no double click.
    assert recorder.start(lambda _: 4, clicked="another button")
    recorder.jobs.wait()
    # A job without a click is no part of a double click.
    assert recorder.start(lambda _: 3, clicked=None)
    recorder.jobs.wait()
    assert recorder.done == [1, 4, 3]
    other = Recorder()
    assert other.start(lambda _: 1, clicked=None)
    other.jobs.wait()
    assert other.start(lambda _: 2)
    other.jobs.wait()
    assert other.done == [1, 2]


@pytest.mark.parametrize("error", [rnb.InvalidInput("no"), ZeroDivisionError("no")])
def test_an_exception_is_reported(recorder: Recorder, error: Exception) -> None:
    def work(_: Job) -> None:
        raise error

    recorder.start(work)
    recorder.jobs.wait()
    assert recorder.failed == [error]
    assert recorder.done == []
    assert recorder.running == [True, False]


@pytest.mark.usefixtures("_quick")
def test_stopping_does_not_wait_and_drops_a_late_result(
    recorder: Recorder, gate: threading.Event
) -> None:
    seen: list[Job] = []
    ended = threading.Event()

    def work(job: Job) -> str:
        seen.append(job)
        try:
            gate.wait(AGES)
            job.progress(1, 2)
        finally:
            ended.set()
        return "late"

    recorder.start(work)
    recorder.jobs.stop()
    assert recorder.failed == [None]
    assert not recorder.jobs.running
    recorder.jobs.wait(0)
    # The end of the stopped job does not affect the next job.
    assert recorder.start(lambda _: "next")
    recorder.jobs.wait()
    gate.set()
    assert ended.wait(AGES)
    assert seen[0].stopped.is_set()
    assert recorder.done == ["next"]
    assert recorder.progress == []
    recorder.jobs.stop()
    assert recorder.failed == [None]


def test_a_stopped_job_raises_when_it_reports_progress() -> None:
    job = Job(lambda *_: None)
    job.progress(1, 3)
    job.stopped.set()
    with pytest.raises(Stopped):
        job.progress(2, 3)


def test_progress_is_reported_at_intervals_and_at_the_end(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(10**6))
    # 0.03 seconds pass between two calls.
    clock = SimpleNamespace(monotonic=lambda: 1000 + next(now) * 0.03)
    monkeypatch.setattr(jobs, "time", clock)

    def work(job: Job) -> None:
        for done in range(1, 1001):
            job.progress(done, 1000)

    recorder.start(work)
    recorder.jobs.wait()
    assert recorder.progress[0] == (1, 1000)
    assert recorder.progress[-1] == (1000, 1000)
    assert [done for done, _ in recorder.progress] == [*range(1, 1000, 4), 1000]


def test_waiting_has_an_end(recorder: Recorder, gate: threading.Event) -> None:
    recorder.start(lambda _: gate.wait(AGES))
    with pytest.raises(rnb.ReinferError, match=r"0\.01 s"):
        recorder.jobs.wait(0.01)
    gate.set()
    recorder.jobs.wait()


@pytest.mark.usefixtures("_quick")
def test_waiting_includes_a_job_that_a_callback_started(
    gate: threading.Event,
) -> None:
    made = Jobs()
    began = threading.Event()
    done: list[object] = []

    def work(_: Job) -> str:
        began.set()
        gate.wait(AGES)
        return "second"

    made.start(lambda _: None, lambda _: made.start(work, done.append, done.append), done.append)
    assert began.wait(AGES)
    with pytest.raises(rnb.ReinferError):
        made.wait(0.1)
    gate.set()
    made.wait()
    assert done == ["second"]


@pytest.mark.usefixtures("_quick")
def test_waiting_includes_running_callbacks(gate: threading.Event) -> None:
    made = Jobs()
    ended = threading.Event()

    def callback(_: object) -> None:
        # This job ends before this callback.
        made.start(lambda _: None, lambda _: ended.set(), lambda _: None)
        ended.wait(AGES)
        gate.wait(AGES)

    made.start(lambda _: None, callback, lambda _: None)
    assert ended.wait(AGES)
    with pytest.raises(rnb.ReinferError):
        made.wait(0.1)
    gate.set()
    made.wait()


def test_inside_a_loop_callbacks_run_on_the_loop(recorder: Recorder) -> None:
    def work(job: Job) -> threading.Thread:
        job.progress(1, 1)
        return threading.current_thread()

    async def cell() -> None:
        assert recorder.start(work)
        while recorder.jobs.running:  # noqa: ASYNC110 - as a kernel's loop goes on
            await asyncio.sleep(0.01)

    asyncio.run(cell())
    assert recorder.done[0] is not threading.main_thread()
    assert recorder.threads == {threading.current_thread()}
    assert recorder.progress == [(1, 1)]


def test_a_result_is_not_lost_if_the_loop_is_closed(
    recorder: Recorder, gate: threading.Event
) -> None:
    async def cell() -> None:
        recorder.start(lambda _: gate.wait(AGES) and "after")

    asyncio.run(cell())
    gate.set()
    recorder.jobs.wait()
    assert recorder.done == ["after"]


# Jobs in forms

# A source with few comments, which a form archives before it deletes them.
FEW = "claims/recovery-chat"


def deleting_few(client: Client) -> DeleteForm:
    return deleting(client, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("make", [filled, opened, deleting_few])
def test_a_double_click_sends_one_request(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Client], Form],
    *,
    failing: bool,
) -> None:
    held, writes = threading.Event(), ("PUT", "POST", "DELETE")

    def answer(asked: Asked) -> bytes | None:
        if asked.method not in writes or asked.path.endswith("/statistics"):
            return None
        held.wait(AGES)
        return no(500, "broken") if failing else None

    with through(client, answer) as way:
        form = make(way)
        if isinstance(form, DeleteForm):
            form.name.value = FEW
        elif isinstance(form, UpdateForm):
            form.controls["title"].fill("Mine")
        monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 3600.0)
        form.button.click()
        assert form.button.disabled
        form.button.click()
        held.set()
        form.jobs.wait()
        form.button.click()
        form.jobs.wait()
        asked: list[Asked] = way.sent()  # type: ignore[attr-defined]
        done = [a for a in asked if a.method in writes and not a.path.endswith("/statistics")]
        assert len(done) == 1


@pytest.mark.usefixtures("_quick")
def test_the_count_is_for_the_opened_source(client: rnb.Client) -> None:
    held = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.path.endswith("motor-inbox/statistics"):
            held.wait(AGES)

    with through(client, answer) as way:
        form = rnb.delete_form(way, NAME)
        form.look_at(way.source("claims/property-inbox"))
        form.name.value = "claims/property-inbox"
        held.set()
        form.jobs.wait()
        assert form.comments == client.count_comments("claims/property-inbox")
        assert not form.button.disabled


@pytest.mark.usefixtures("_quick")
def test_a_source_picked_during_a_delete_is_not_shown_as_deleted(
    client: rnb.Client,
) -> None:
    held = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.method == "DELETE":
            held.wait(AGES)

    with through(client, answer) as way:
        form = rnb.delete_form(way)
        assert form.picker is not None
        for which in (FEW, "claims/property-inbox"):
            form.picker.input.value = which
            form.picker._loading.wait()
            form.picker.button.click()
            form.picker._jobs.wait()
            if which == FEW:
                form.jobs.wait()
                form.name.value = FEW
                form.button.click()
        held.set()
        form.jobs.wait()
        # The form either keeps its source or has opened the other one.
        assert form.source is not None
        gone = form.source.full_name == FEW
        assert ("It is deleted" in texts(form)) is gone
        assert (form.restore_button.layout.display is None) is gone
        assert form.restore_file is not None
        assert form.restore_file.exists() is gone


@pytest.mark.slow
@pytest.mark.usefixtures("_quick")
def test_a_job_that_ends_at_once_shows_its_message(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce(threading.Thread):
        def start(self) -> None:
            self.run()

    ex = rnb.explore(client)
    monkeypatch.setattr(jobs, "threading", SimpleNamespace(Thread=AtOnce, Event=threading.Event))
    ex.reload.click()
    assert "130 sources listed" in texts(ex.bar._said)
    form = opened(client, title="Motor")
    form.button.click()
    assert "is updated" in texts(form.said)
    assert not form.writing
