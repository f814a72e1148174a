"""Counts the comments of the shown sources as a background job, and adds columns to the listing."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as ui
import pandas as pd

from reinfer_nb.api import comment_counts
from reinfer_nb.api.contents import vitality
from reinfer_nb.api.contents.vitality import Contents
from reinfer_nb.client import Client
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema.added_columns import ACTIVITY, COMMENTS, LAST_COMMENT
from reinfer_nb.text import counted
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.toolbar import Toolbar
from reinfer_nb.widgets.jobs import Job

_BARS = "▁▂▃▄▅▆▇█"


class Counts:
    """What was counted so far, by the id of the source.

    Attributes:
        comments: The number of comments.
        contents: What else is known of them.
    """

    def __init__(self) -> None:
        self.comments: dict[str, int] = {}
        self.contents: dict[str, Contents] = {}

    def clear(self) -> None:
        """Forget all."""
        self.comments.clear()
        self.contents.clear()

    def added_to(self, listing: pd.DataFrame) -> pd.DataFrame:
        """Return a listing with a column for each thing that was counted.

        By id: a source that was created again has a new id and not the old comments.
        """
        columns = {}
        if self.comments:
            counts = [self.comments.get(key) for key in listing["id"]]
            columns[COMMENTS] = pd.Series(counts, listing.index, "Int64")
        if self.contents:
            known = [self.contents.get(key) for key in listing["id"]]
            texts = [None if one is None else sparkline(one.months) for one in known]
            added = vitality.columns_of(known, listing.index)
            added.pop(COMMENTS)
            columns |= added
            columns[ACTIVITY] = pd.Series(texts, listing.index, "str")
        return listing.assign(**columns)


class CommentCount:
    """One count of the comments of some sources.

    Args:
        client: The tenant.
        frame: The sources.
        counts: The counts so far, to which those of these sources are added.
        with_activity: Whether to ask for the newest comment and the last months, too.
    """

    def __init__(
        self, client: Client, frame: pd.DataFrame, counts: Counts, *, with_activity: bool
    ) -> None:
        self._client, self._counts = client, counts
        self._with_activity = with_activity
        ids = dict(zip(full_names(frame).fillna(""), frame["id"], strict=True))
        self._ids = {name: key for name, key in ids.items() if name}
        self._failures = 0

    def run(self, job: Job) -> None:
        """Count; raises `jobs.Stopped` if the job is stopped."""
        client, names = self._client, list(self._ids)
        if self._with_activity:
            ask = vitality.asking(client.calls, client.comment_calls)
            for name, found in comment_counts.each(ask, names, progress=job.progress):
                if isinstance(found, str):
                    self._failures += 1
                else:
                    self._counts.contents[self._ids[name]] = found
                    self._counts.comments[self._ids[name]] = found.num_comments
            return
        for name, count in comment_counts.each(
            client.calls.count_comments, names, progress=job.progress
        ):
            if isinstance(count, int):
                self._counts.comments[self._ids[name]] = count
            else:
                self._failures += 1

    @property
    def message(self) -> str:
        """How many comments were counted, and how many sources could not be."""
        if not self._ids:
            return "No source is shown, so nothing was counted. Clear the search first."
        total = sum(self._counts.comments.get(key, 0) for key in self._ids.values())
        message = f"{counted(total, 'comment')} in {counted(len(self._ids), 'source')}."
        if self._failures:
            message += f" {counted(self._failures, 'source')} could not be counted."
        return message


class CountButtons(ui.HBox):
    """The buttons that count the comments of the shown sources.

    Args:
        client: The tenant; None for a listing that can only be read.
        frame: Returns the shown sources.
        counted: Called with the names of the new columns after a count, also after a part of one.
        bar: Runs the job and shows its message.

    Attributes:
        counts: What was counted so far.
        comments: The button that counts.
        activity: The button that also asks for the newest comment and the last months.
    """

    def __init__(
        self,
        client: Client | None,
        frame: Callable[[], pd.DataFrame],
        counted: Callable[[list[str]], object],
        bar: Toolbar,
    ) -> None:
        self._client, self._frame, self._counted, self._bar = client, frame, counted, bar
        self.counts = Counts()
        self.comments = button_for("Count comments", lambda: self._on_click(with_activity=False))
        self.activity = button_for("Show activity", lambda: self._on_click(with_activity=True))
        self.activity.tooltip = "The newest comment of each source, and the last months"
        super().__init__([self.comments, self.activity])

    def __repr__(self) -> str:
        return "Count of comments"

    def refresh(self, *, busy: bool) -> None:
        """Disable the buttons while a job is running."""
        self.comments.disabled = self.activity.disabled = busy

    def _on_click(self, *, with_activity: bool) -> None:
        if self._client is None:
            return
        count = CommentCount(self._client, self._frame(), self.counts, with_activity=with_activity)
        columns = [COMMENTS, *([LAST_COMMENT, ACTIVITY] if with_activity else [])]

        def done(_: object) -> None:
            self._counted(columns)
            self._bar.say(count.message)

        # After an error the counts so far are kept.
        doing = "Asking about the comments" if with_activity else "Counting comments"
        self._bar.start(doing, count.run, done, lambda _: self._counted(columns))


def sparkline(numbers: tuple[int, ...]) -> str:
    """Return numbers as a small chart of blocks; only 0 has the smallest one.

    >>> sparkline((0, 1, 7, 3))
    '▁▂█▄'
    """
    most = max(numbers, default=0)
    if not most:
        return ""
    highest = len(_BARS) - 1
    return "".join(_BARS[-(-number * highest // most)] for number in numbers)
