"""Work beside the notebook: one at once, stoppable, told where it was asked for."""

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


class Told:
    """What came of jobs, in order."""

    def __init__(self) -> None:
        self.running: list[bool] = []
        self.progress: list[tuple[int, int]] = []
        self.done: list[Any] = []
        self.failed: list[Exception | None] = []
        self.threads: set[threading.Thread] = set()
        self.jobs = Jobs(self.running.append, self._went)

    def _went(self, done: int, total: int) -> None:
        self.threads.add(threading.current_thread())
        self.progress.append((done, total))

    def finish(self, result: Any) -> None:
        self.threads.add(threading.current_thread())
        self.done.append(result)

    def start(self, work: Callable[[Job], Any], *, clicked: str | None = "") -> bool:
        return self.jobs.start(work, self.finish, self.failed.append, clicked=clicked)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What holds work up until it is set."""
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


def test_a_job_runs_in_a_thread_and_its_result_is_told(told: Told) -> None:
    assert told.start(lambda _: threading.current_thread())
    told.jobs.wait()
    assert told.done[0] is not threading.main_thread()
    assert told.running == [True, False]
    assert told.failed == []
    assert not told.jobs.running


@pytest.mark.usefixtures("_quick")
def test_one_at_a_time(told: Told, gate: threading.Event) -> None:
    assert told.start(lambda _: gate.wait(AGES) and "first")
    assert told.jobs.running
    assert not told.start(lambda _: "second")
    assert not told.start(lambda _: "third", clicked=None)
    gate.set()
    told.jobs.wait()
    assert told.done == ["first"]
    assert told.start(lambda _: "fourth")
    told.jobs.wait()
    assert told.done == ["first", "fourth"]
    assert told.running == [True, False] * 2


def test_a_second_click_right_after_the_answer_is_the_first_ones(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 3600.0)
    assert told.start(lambda _: 1)
    told.jobs.wait()
    assert not told.start(lambda _: 2)
    # A click on something else is no second one.
    assert told.start(lambda _: 4, clicked="another button")
    told.jobs.wait()
    # What no click asked for is not held up, and does not hold up a click.
    assert told.start(lambda _: 3, clicked=None)
    told.jobs.wait()
    assert told.done == [1, 4, 3]
    other = Told()
    assert other.start(lambda _: 1, clicked=None)
    other.jobs.wait()
    assert other.start(lambda _: 2)
    other.jobs.wait()
    assert other.done == [1, 2]


@pytest.mark.parametrize("error", [rnb.InvalidInput("no"), ZeroDivisionError("no")])
def test_an_exception_is_told(told: Told, error: Exception) -> None:
    def work(_: Job) -> None:
        raise error

    told.start(work)
    told.jobs.wait()
    assert told.failed == [error]
    assert told.done == []
    assert told.running == [True, False]


@pytest.mark.usefixtures("_quick")
def test_stopping_waits_for_nobody_and_drops_what_comes_later(
    told: Told, gate: threading.Event
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

    told.start(work)
    told.jobs.stop()
    assert told.failed == [None]
    assert not told.jobs.running
    told.jobs.wait(0)
    # The next one does not hear of the stopped one's end.
    assert told.start(lambda _: "next")
    told.jobs.wait()
    gate.set()
    assert ended.wait(AGES)
    assert seen[0].stopped.is_set()
    assert told.done == ["next"]
    assert told.progress == []
    told.jobs.stop()
    assert told.failed == [None]


def test_work_that_was_told_to_stop_hears_of_it_where_it_tells_its_progress() -> None:
    job = Job(lambda *_: None)
    job.progress(1, 3)
    job.stopped.set()
    with pytest.raises(Stopped):
        job.progress(2, 3)


def test_progress_is_told_now_and_then_and_the_last_one_always(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(10**6))
    # Three hundredths of a second pass from one to the next.
    clock = SimpleNamespace(monotonic=lambda: 1000 + next(now) * 0.03)
    monkeypatch.setattr(jobs, "time", clock)

    def work(job: Job) -> None:
        for done in range(1, 1001):
            job.progress(done, 1000)

    told.start(work)
    told.jobs.wait()
    assert told.progress[0] == (1, 1000)
    assert told.progress[-1] == (1000, 1000)
    assert [done for done, _ in told.progress] == [*range(1, 1000, 4), 1000]


def test_waiting_has_an_end(told: Told, gate: threading.Event) -> None:
    told.start(lambda _: gate.wait(AGES))
    with pytest.raises(rnb.ReinferError, match=r"0\.01 s"):
        told.jobs.wait(0.01)
    gate.set()
    told.jobs.wait()


@pytest.mark.usefixtures("_quick")
def test_waiting_waits_for_a_job_that_the_first_ones_result_began(
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
def test_waiting_waits_until_all_is_told(gate: threading.Event) -> None:
    made = Jobs()
    ended = threading.Event()

    def told(_: object) -> None:
        # A job that is begun here, and ends first.
        made.start(lambda _: None, lambda _: ended.set(), lambda _: None)
        ended.wait(AGES)
        gate.wait(AGES)

    made.start(lambda _: None, told, lambda _: None)
    assert ended.wait(AGES)
    with pytest.raises(rnb.ReinferError):
        made.wait(0.1)
    gate.set()
    made.wait()


def test_inside_a_loop_all_is_told_on_the_loop(told: Told) -> None:
    def work(job: Job) -> threading.Thread:
        job.progress(1, 1)
        return threading.current_thread()

    async def cell() -> None:
        assert told.start(work)
        while told.jobs.running:  # noqa: ASYNC110 - as a kernel's loop goes on
            await asyncio.sleep(0.01)

    asyncio.run(cell())
    assert told.done[0] is not threading.main_thread()
    assert told.threads == {threading.current_thread()}
    assert told.progress == [(1, 1)]


def test_a_loop_that_is_closed_meanwhile_loses_nothing(told: Told, gate: threading.Event) -> None:
    async def cell() -> None:
        told.start(lambda _: gate.wait(AGES) and "after")

    asyncio.run(cell())
    gate.set()
    told.jobs.wait()
    assert told.done == ["after"]


# What the forms make of it


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("make", [filled, opened, deleting])
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
            form.name.value = NAME
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
def test_a_count_is_of_the_source_that_is_looked_at(client: rnb.Client) -> None:
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
def test_another_source_picked_while_one_is_deleted_is_not_said_to_be_gone(
    client: rnb.Client,
) -> None:
    held = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.method == "DELETE":
            held.wait(AGES)

    with through(client, answer) as way:
        form = rnb.delete_form(way)
        assert form.picker is not None
        for which in (NAME, "claims/property-inbox"):
            form.picker.input.value = which
            form.picker._loading.wait()
            form.picker.button.click()
            form.picker._jobs.wait()
            if which == NAME:
                form.jobs.wait()
                form.name.value = NAME
                form.button.click()
        held.set()
        form.jobs.wait()
        # Either the form stays with what it is at, or it lets go of it.
        assert form.source is not None
        gone = form.source.full_name == NAME
        assert ("It is deleted" in texts(form)) is gone
        assert (form.restore_button.layout.display is None) is gone
        assert form.restore_file is not None
        assert form.restore_file.exists() is gone


@pytest.mark.usefixtures("_quick")
def test_work_that_is_done_at_once_is_said_to_be_done(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce(threading.Thread):
        def start(self) -> None:
            self.run()

    ex = rnb.explore(client)
    monkeypatch.setattr(jobs, "threading", SimpleNamespace(Thread=AtOnce, Event=threading.Event))
    ex.reload.click()
    assert "130 sources listed" in texts(ex._said)
    form = opened(client, title="Motor")
    form.button.click()
    assert "is updated" in texts(form.said)
    assert not form.writing
