"""The button that archives the comments of the selected sources: one file each, in one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets as ui
import pandas as pd

from reinfer_nb import errors
from reinfer_nb.api.contents import last_copy
from reinfer_nb.client import Client
from reinfer_nb.frames import elements
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, listed
from reinfer_nb.widgets.explorer.download_link import new_file
from reinfer_nb.widgets.explorer.toolbar import Toolbar
from reinfer_nb.widgets.jobs import Job, Stopped


class BulkArchive:
    """The archives of some sources, written one after the other.

    Args:
        client: The tenant.
        sources: The sources.
        folder: The folder for the files; it is created if it is missing.

    Attributes:
        ids: The ids of the sources.
        left: The sources that are not archived yet.
    """

    def __init__(self, client: Client, sources: list[Source], folder: Path) -> None:
        self._client, self._folder = client, folder
        self.ids = {source.id for source in sources}
        self.left = sources
        self._total, self._num_comments = len(sources), 0
        self._failures: list[str] = []

    def run(self, job: Job) -> None:
        """Archive those that are left; raises `jobs.Stopped` if the job is stopped."""

        def check(*_: object) -> None:
            if job.stopped.is_set():
                raise Stopped

        while self.left:
            job.progress(self._total - len(self.left), self._total)
            source = self.left[0]
            try:
                path = last_copy.new_file(source, self._folder)
                archive = self._client.archive(source, path, progress=check)
            except (errors.NotFound, errors.PermissionDenied, errors.NotCarriedOut) as error:
                self._failures.append(f"{source.full_name} ({error})")
            else:
                self._num_comments += archive.num_comments
            self.left = self.left[1:]

    @property
    def message(self) -> str:
        """What was archived, and what could not be."""
        done = counted(self._total - len(self._failures), "source")
        comments = counted(self._num_comments, "comment")
        message = f"{comments} of {done} written to {self._folder}."
        if self._failures:
            count = counted(len(self._failures), "source")
            message += f" {count} could not be archived: {listed(self._failures)}"
        return message


class ArchiveButton(ui.Button):
    """Archives the comments of the selected sources; a click after a stop goes on.

    Args:
        client: The tenant; None for a listing that can only be read.
        selected: Returns the selected sources.
        bar: Runs the job and shows its message.
    """

    def __init__(
        self, client: Client | None, selected: Callable[[], pd.DataFrame], bar: Toolbar
    ) -> None:
        self._client, self._selected, self._bar = client, selected, bar
        self._archives: BulkArchive | None = None
        super().__init__(
            description="Archive comments",
            tooltip="Archive the comments of the selected sources",
            layout=ui.Layout(width="auto"),
        )
        self.on_click(lambda _: self._on_click())

    def refresh(self, *, busy: bool) -> None:
        """Disable the button while a job is running, or if no source is selected."""
        self.disabled = busy or not len(self._selected())

    def _on_click(self) -> None:
        if self._client is None:
            return
        try:
            sources = elements.to_sources(self._selected())
            archives = self._archives
            if archives is None or archives.ids != {source.id for source in sources}:
                folder = new_file("archives").with_suffix("")
                archives = BulkArchive(self._client, sources, folder)
        except errors.ReinferError as error:
            self._bar.fail(error)
            return
        self._archives = archives

        def done(_: object) -> None:
            self._archives = None
            self._bar.say(archives.message)

        self._bar.start("Archiving the comments of the selected sources", archives.run, done)
