"""Work that takes its time, in a thread beside the notebook: one at once, and stoppable.

What comes of it is told where the click came from: in the kernel's own loop if that has one, so
that widgets change in one thread only.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from reinfer_nb.errors import ReinferError

_Result = TypeVar("_Result")

# A second click within this many seconds of the answer belongs to the first.
_DOUBLE_CLICK = 0.5


class Stopped(Exception):
    """Raised inside work that was told to stop."""


class Job:
    """One piece of work, as the work itself sees it.

    Args:
        tell: What is to be told of its progress.
    """

    def __init__(self, tell: Callable[[int, int], object]) -> None:
        self._tell = tell
        self._told = 0.0
        self.stopped = threading.Event()

    def progress(self, done: int, total: int) -> None:
        """Say how far it is; raises `Stopped` once it was told to stop."""
        if self.stopped.is_set():
            raise Stopped
        now = time.monotonic()
        # As often as an eye can follow, and the last one always.
        if done >= total or now - self._told > 0.1:
            self._told = now
            self._tell(done, total)


class Jobs:
    """A place for one job at a time; while one runs, another is not begun.

    Args:
        changed: Called with whether one is running, when that changes.
        progress: Called with how far it is, and out of how much.
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
        self._telling = 0
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
        """Begin a job, unless one is running or has just ended; return whether it was begun.

        Args:
            work: What to do, in a thread of its own.
            done: What to do with what it returns.
            failed: What to do with a `ReinferError`, or with None when it was stopped. Another
                exception goes there too, and is a fault of the toolkit.
            clicked: What was clicked for it, of which a second click may follow by mistake; None
                where nobody clicked.
        """
        second = clicked == self._clicked and time.monotonic() - self._ended < _DOUBLE_CLICK
        if self.running or (second and clicked is not None):
            return False
        loop = running_loop()

        def tell(function: Callable[..., object], *arguments: Any) -> None:
            if loop is None or loop.is_closed():
                function(*arguments)
            else:
                loop.call_soon_threadsafe(function, *arguments)

        self._clicked = clicked
        job = Job(lambda have, total: tell(self._tell_progress, job, have, total))

        def run() -> None:
            try:
                result = work(job)
            except Stopped:
                tell(self._finish, job, failed, None)
            except Exception as error:  # noqa: BLE001 - shown to the user, whatever it is
                tell(self._finish, job, failed, error)
            else:
                tell(self._finish, job, done, result)

        self._current = job
        self._failed = failed
        self._idle.clear()
        self._changed(True)  # noqa: FBT003 - whether it runs
        threading.Thread(target=run, name="reinfer_nb-widget", daemon=True).start()
        return True

    def stop(self) -> None:
        """Tell the job to stop, and wait for it no longer: what it still returns is dropped."""
        job = self._current
        if job is not None:
            job.stopped.set()
            self._finish(job, self._failed, None)

    def wait(self, seconds: float = 30.0) -> None:
        """Wait until no job is running. For scripts; where widgets are clicked it would block."""
        if not self._idle.wait(seconds):
            raise ReinferError(f"The work was not done within {seconds:g} s.")

    def _tell_progress(self, job: Job, done: int, total: int) -> None:
        if job is self._current:
            self._progress(done, total)

    def _finish(self, job: Job, function: Callable[[Any], object], outcome: Any) -> None:
        if job is not self._current:
            return
        self._current = None
        if self._clicked is not None:
            self._ended = time.monotonic()
        self._telling += 1
        try:
            self._changed(False)  # noqa: FBT003 - whether it runs
            function(outcome)
        finally:
            self._telling -= 1
            # Unless what was told has begun another, or is itself still being told.
            if not self.running and not self._telling:
                self._idle.set()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that this is called in, a kernel's for example; None outside of any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
