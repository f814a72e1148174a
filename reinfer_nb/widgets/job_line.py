"""The line of text beneath buttons: the progress of a background job, its error, or a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import ipywidgets as ui

from reinfer_nb import errors, markup
from reinfer_nb.widgets.jobs import Job, Jobs

_Result = TypeVar("_Result")


class JobLine(ui.HTML):
    """Runs one job at a time, and shows its progress and its error.

    Args:
        changed: Called when a job starts or ends, and after its result or its error was shown.
        ended: Called after that, too.

    Attributes:
        jobs: The background job.
    """

    def __init__(
        self, changed: Callable[[], object], ended: Callable[[], object] = lambda: None
    ) -> None:
        self._changed, self._ended = changed, ended
        self._doing = ""
        self.jobs = Jobs(lambda _: changed(), self._show_progress)
        super().__init__(layout=ui.Layout(min_height="1.5em"))

    def __repr__(self) -> str:
        return "Message"

    def say(self, content: markup.Content) -> None:
        """Show a message in place of the last one."""
        self.value = content if isinstance(content, markup.Markup) else markup.status(content)

    def fail(self, error: Exception | None) -> None:
        """Show an error; None stands for a job that was stopped."""
        self.say("Stopped." if error is None else markup.error(words_of(error)))

    def doing(self, text: str) -> None:
        """Show what the running job does."""
        self._doing = text
        self.say(markup.progress(text))

    def run(
        self,
        doing: str,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        failed: Callable[[Exception | None], object] | None = None,
        *,
        clicked: str | None = "",
    ) -> bool:
        """Run `work` in the background; return True if it was started.

        Args:
            doing: The text of the progress.
            work: Called in a thread of its own.
            done: Called with the result.
            failed: Called with the error after it was shown, or with None if the job was stopped.
            clicked: What the click asks for, to recognise a double click: by default `doing`; None
                if no button was clicked.
        """

        def on_result(result: _Result) -> None:
            self.say("")
            done(result)
            end()

        def on_failure(error: Exception | None) -> None:
            self.fail(error)
            if failed is not None:
                failed(error)
            end()

        def end() -> None:
            self._changed()
            self._ended()

        if self.jobs.running:
            return False
        earlier = self.value, self._doing
        self.doing(doing)
        started = self.jobs.start(
            work, on_result, on_failure, clicked=doing if clicked == "" else clicked
        )
        if not started:
            self.value, self._doing = earlier
        return started

    def _show_progress(self, done: int, total: int) -> None:
        self.say(markup.progress(self._doing, done, total))


def words_of(error: Exception) -> str:
    """Return the message to show for an error."""
    if isinstance(error, errors.ReinferError):
        # A note tells how to go on.
        return " ".join([str(error), *getattr(error, "__notes__", ())])
    return f"{type(error).__name__}: {error}. This is a bug in the toolkit."
