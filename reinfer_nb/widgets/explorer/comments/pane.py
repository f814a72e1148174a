"""The comments of the current source: over time, the newest ones, one in full, and an archive."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as ui
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.api.contents import newest
from reinfer_nb.api.restore_files import file_stem
from reinfer_nb.client import Client
from reinfer_nb.comments.archive_file import NOT_HELD, Archive
from reinfer_nb.comments.comment import Comment, Message
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.comments.bars import bars
from reinfer_nb.widgets.explorer.download_link import Saved, new_file
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job, Stopped
from reinfer_nb.widgets.table.row_list import RowList

_NEWEST, _MONTHS = 20, 24
# A link sends the file through the kernel, which is slow for a large one.
_LARGEST_LINK = 20 << 20


class _Contents(NamedTuple):
    """What is known of the comments of a source."""

    source: Source
    months: pd.DataFrame
    comments: list[Comment]


class CommentsPane(ui.VBox):
    """The comments of one source.

    Args:
        client: The tenant.

    Attributes:
        search: Narrows the list to comments with a text.
        comments: The list of the newest comments.
        archive: The button that archives all comments.
        stop: The button that stops reading or archiving.
        jobs: The background job.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._source: Source | None = None
        self._contents: _Contents | None = None
        self._listed: list[Comment] = []
        # Archives that were stopped, by the id of their source: the next one goes on.
        self._begun: dict[str, Path] = {}
        self._chart, self._opened = ui.HTML(), ui.HTML()
        self.search = ui.Text(
            description="Search in these comments",
            layout=ui.Layout(width="28em", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.search.observe(lambda _: self._show_list(), "value")
        self.comments = RowList(
            "Newest comments", ("Sent", "From", "Subject", "Text"), self._on_comment
        )
        self.archive = button_for("Archive comments", self._on_archive)
        self.reload = button_for("Read again", self._read)
        self._said = JobLine(self.refresh)
        self.jobs = self._said.jobs
        self.stop = button_for("Stop", self.jobs.stop)
        self._files = ui.VBox()
        super().__init__(
            [
                self._chart,
                ui.HBox([self.search, self.reload, self.archive, self.stop], layout=WRAP),
                self._said,
                self._files,
                self.comments,
                self._opened,
            ],
            layout=ui.Layout(min_width="0"),
        )
        self.refresh()

    def __repr__(self) -> str:
        return "Comments of a source"

    def look_at(self, source: Source) -> None:
        """Show the comments of a source; those of another one are forgotten."""
        if self._source is not None and source.id == self._source.id:
            return
        self.jobs.stop()
        self._source, self._contents = source, None
        self.search.value = ""
        self._chart.value = self._opened.value = ""
        self._said.say("")
        self._forget_file()
        self._show_list()
        self._read()

    def refresh(self) -> None:
        """Update the buttons."""
        running = self.jobs.running
        self.archive.disabled = self.reload.disabled = running or self._source is None
        self.stop.layout.display = None if running else "none"

    def _forget_file(self) -> None:
        with dropping(self._files):
            self._files.children = []

    def _read(self) -> None:
        source = self._source
        if source is None:
            return

        def work(job: Job) -> _Contents:
            def check(*_: object) -> None:
                if job.stopped.is_set():
                    raise Stopped

            months = self._client.activity(source, since=_first_month(), progress=check)
            check()
            found = newest.newest(
                self._client.calls,
                self._client.comment_calls,
                source.full_name,
                threading.Event(),
                _NEWEST,
            )
            return _Contents(source, months, [Comment.from_wire(data) for data in found])

        def done(contents: _Contents) -> None:
            if self._source is not None and contents.source.id == self._source.id:
                self._contents = contents
                self._show()

        self._said.run("Reading the comments", work, done, clicked=None)

    def _show(self) -> None:
        contents = self._contents
        if contents is None:
            return
        months = contents.months.dropna(subset=["num_comments"])
        numbers = [int(number) for number in months["num_comments"]]
        labels = months["period"].dt.strftime("%Y-%m").tolist()
        newest_at = contents.comments[0].timestamp if contents.comments else None
        last = f"newest {newest_at:%Y-%m-%d}" if newest_at else "no comments"
        heading = f"{counted(sum(numbers), 'comment')} in {_MONTHS} months; {last}"
        chart = bars(numbers, labels, f"Comments by month: {heading}") if any(numbers) else ""
        self._chart.value = markup.block([markup.status(heading), chart])
        self._show_list()

    def _show_list(self) -> None:
        comments = [] if self._contents is None else self._contents.comments
        words = self.search.value.casefold().strip()
        self._listed = [comment for comment in comments if words in _searched(comment)]
        rows = [_row(comment) for comment in self._listed]
        more = ""
        if words and comments:
            more = f"{len(rows)} of {len(comments)}: only those with this text."
        self.comments.show(rows, more=more)

    def _on_comment(self, row: int) -> None:
        if row < len(self._listed):
            comment = self._listed[row]
            # As text: the markup of a comment may hold anything.
            self._opened.value = markup.join(
                [markup.code(comment.text), markup.facts(comment.facts())]
            )

    def _on_archive(self) -> None:
        source = self._source
        if source is None:
            return
        path = self._begun.get(source.id)
        if path is None or path.exists():
            path = new_file(file_stem(source), "jsonl.gz")
        self._begun[source.id] = path
        self._forget_file()

        def done(archive: Archive) -> None:
            self._begun.pop(source.id, None)
            self._said.say(
                f"{counted(archive.num_comments, 'comment')} of {visible(source.full_name)} "
                f"written to {archive.path}. {NOT_HELD}"
            )
            if archive.path.stat().st_size <= _LARGEST_LINK:
                self._files.children = [Saved(archive.path)]

        def failed(error: Exception | None) -> None:
            if error is None:
                self._said.say("Stopped. What was read is kept: archive again to go on.")

        self._said.run(
            "Archiving the comments",
            lambda job: self._client.archive(source, path, progress=job.progress),
            done,
            failed,
        )


def _first_month() -> str:
    """Return the first of the months that are shown; the present one is the last."""
    return str(pd.Timestamp.now("UTC").tz_localize(None).to_period("M") - (_MONTHS - 1))


def _row(comment: Comment) -> list[str]:
    """Return the cells of a comment: of several messages, the first one."""
    first = comment.messages[0] if comment.messages else Message()
    others = len(comment.messages) - 1
    text = (first.text or "").replace("\n", " ")
    more = f" (and {counted(others, 'message')} more)" if others > 0 else ""
    sent = f"{comment.timestamp:%Y-%m-%d %H:%M}"
    return [sent, first.from_ or "", comment.subject or "", f"{text[:160]}{more}"]


def _searched(comment: Comment) -> str:
    """Return the texts of a comment that the search looks in."""
    properties: list[Any] = list(comment.user_properties.values())
    parts = [comment.subject, comment.text, *comment.facts().values(), *properties]
    return "\n".join(str(part) for part in parts if part).casefold()
