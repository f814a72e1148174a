"""The explorer's buttons, its background job, the message of the job and the file that it wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.download_link import Saved
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job

_Result = TypeVar("_Result")


class Toolbar(ui.VBox):
    """Buttons, and one job at a time with its progress and its message.

    Args:
        changed: Called when a job starts or ends.
        ended: Called after a job has ended and its result was shown.

    Attributes:
        jobs: The background job.
        stop: The button that stops it.
    """

    def __init__(self, changed: Callable[[], object], ended: Callable[[], object]) -> None:
        self._said = JobLine(changed, ended)
        self.jobs = self._said.jobs
        self.stop = button_for("Stop", self.jobs.stop)
        self._files = ui.VBox()
        super().__init__(layout=ui.Layout(min_width="0"))

    def __repr__(self) -> str:
        return "Buttons of the explorer"

    def arrange(self, rows: Sequence[Sequence[Any]]) -> None:
        """Show these rows of buttons, with the stop button at the end of the first.

        Args:
            rows: The widgets of each row.
        """
        first, *others = rows
        lines = [ui.HBox(list(row), layout=WRAP) for row in ([*first, self.stop], *others)]
        self.children = [*lines, self._said, self._files]

    def say(self, content: markup.Content) -> None:
        """Show a message in place of the last one."""
        self._said.say(content)

    def fail(self, error: Exception | None) -> None:
        """Show an error; None stands for a job that was stopped."""
        self._said.fail(error)

    def show_file(self, message: str, file: Path) -> None:
        """Show a message, and the link to a file."""
        self.say(message)
        with dropping(self._files):
            self._files.children = [Saved(file)]

    def start(
        self,
        doing: str,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        failed: Callable[[Exception | None], object] | None = None,
        *,
        clicked: bool = True,
    ) -> None:
        """Run `work` in the background, unless a job is running, and show progress and errors.

        Args:
            doing: The text of the progress.
            work: Called in a thread of its own.
            done: Called with the result.
            failed: Called with an error after it was shown, or None if the job was stopped.
            clicked: Whether a click has started it.
        """
        name = doing if clicked else None
        if self._said.run(doing, work, done, failed, clicked=name) and clicked:
            # The link belongs to the message before.
            with dropping(self._files):
                self._files.children = []
