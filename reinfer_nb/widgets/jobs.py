"""Background jobs: slow work in a thread of its own, one job at a time, that can be stopped.

Callbacks run in the event loop that started the job, if there is one (a kernel has one), so that
only one thread changes widgets.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from reinfer_nb.errors import ReinferError

_Result = TypeVar("_Result")

# A second click within this many seconds after a job has ended counts as part of a double click.
_DOUBLE_CLICK = 0.5


class Stopped(Exception):
    """Raised inside the work of a job that was stopped."""


class Job:
    """A running job, as its work sees it.

    Args:
        report: Called with the progress: how many are done, and of how many.
    """

    def __init__(self, report: Callable[[int, int], object]) -> None:
        self._report = report
        self._reported_at = 0.0
        self.stopped = threading.Event()

    def progress(self, done: int, total: int) -> None:
        """Report the progress; raises `Stopped` if the job was stopped."""
        if self.stopped.is_set():
            raise Stopped
        now = time.monotonic()
        # Report at most ten times a second, and always at the end.
        if done >= total or now - self._reported_at > 0.1:
            self._reported_at = now
            self._report(done, total)


class Jobs:
    """Runs one job at a time; while a job runs, no other can start.

    Args:
        changed: Called with True when a job starts and with False when it ends.
        progress: Called with the progress: how many are done, and of how many.
    """

    def __init__(
        self,
        changed: Callable[[bool], object] = lambda _: None,
        progress: Callable[[int, int], object] = lambda _, __: None,
    ) -> None:
        self._changed = changed
        self._progress = progress
        self._current: Job | None = None
        self._failed: Callable[[Exception | None], object] = lambda _: None
        self._clicked: str | None = None
        self._callbacks = 0
        self._ended = -_DOUBLE_CLICK
        self._idle = threading.Event()
        self._idle.set()

    @property
    def running(self) -> bool:
        """Whether a job is running."""
        return self._current is not None

    def start(
        self,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        failed: Callable[[Exception | None], object],
        *,
        clicked: str | None = "",
    ) -> bool:
        """Start a job, unless one is running or this is a double click; return True if started.

        Args:
            work: Called in a thread of its own.
            done: Called with the result of `work`.
            failed: Called with the exception of `work`, or with None if the job was stopped. An
                exception that is no `ReinferError` is a bug in the toolkit.
            clicked: Name of the button that was clicked, to recognise a double click; None if no
                button was clicked.
        """
        second = clicked == self._clicked and time.monotonic() - self._ended < _DOUBLE_CLICK
        if self.running or (second and clicked is not None):
            return False
        loop = running_loop()

        def call(function: Callable[..., object], *arguments: Any) -> None:
            if loop is None or loop.is_closed():
                function(*arguments)
            else:
                loop.call_soon_threadsafe(function, *arguments)

        self._clicked = clicked
        job = Job(lambda done, total: call(self._show_progress, job, done, total))

        def run() -> None:
            try:
                result = work(job)
            except Stopped:
                call(self._finish, job, failed, None)
            except Exception as error:  # noqa: BLE001 - every error is shown to the user
                call(self._finish, job, failed, error)
            else:
                call(self._finish, job, done, result)

        self._current = job
        self._failed = failed
        self._idle.clear()
        self._changed(True)  # noqa: FBT003 - running
        threading.Thread(target=run, name="reinfer_nb-widget", daemon=True).start()
        return True

    def stop(self) -> None:
        """Stop the job without waiting for it; a result that comes later is dropped."""
        job = self._current
        if job is not None:
            job.stopped.set()
            self._finish(job, self._failed, None)

    def wait(self, seconds: float = 30.0) -> None:
        """Wait until no job is running. For scripts only: in a kernel it would block the loop."""
        if not self._idle.wait(seconds):
            raise ReinferError(f"The job did not finish within {seconds:g} s.")

    def _show_progress(self, job: Job, done: int, total: int) -> None:
        if job is self._current:
            self._progress(done, total)

    def _finish(self, job: Job, function: Callable[[Any], object], outcome: Any) -> None:
        if job is not self._current:
            return
        self._current = None
        if self._clicked is not None:
            self._ended = time.monotonic()
        self._callbacks += 1
        try:
            self._changed(False)  # noqa: FBT003 - not running
            function(outcome)
        finally:
            self._callbacks -= 1
            # The callback may have started another job, or an outer callback may still run.
            if not self.running and not self._callbacks:
                self._idle.set()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running event loop, such as a kernel's; None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
