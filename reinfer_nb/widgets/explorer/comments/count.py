"""Counts the comments of sources as a background job."""

from __future__ import annotations

import pandas as pd

from reinfer_nb.api import comment_counts
from reinfer_nb.client import Client
from reinfer_nb.frames.cells import full_names
from reinfer_nb.text import counted
from reinfer_nb.widgets.jobs import Job


class CommentCount:
    """One count of the comments of some sources.

    Args:
        client: The tenant.
        frame: The sources.
        counts: The counts by id, to which those of these sources are added.
    """

    def __init__(self, client: Client, frame: pd.DataFrame, counts: dict[str, int]) -> None:
        self._client, self._counts = client, counts
        ids = dict(zip(full_names(frame).fillna(""), frame["id"], strict=True))
        self._ids = {name: key for name, key in ids.items() if name}
        self._failures = 0

    def run(self, job: Job) -> None:
        """Count; raises `jobs.Stopped` if the job is stopped."""
        for name, count in comment_counts.each(
            self._client.calls.count_comments, list(self._ids), progress=job.progress
        ):
            if isinstance(count, int):
                self._counts[self._ids[name]] = count
            else:
                self._failures += 1

    @property
    def message(self) -> str:
        """How many comments were counted, and how many sources could not be."""
        if not self._ids:
            return "No source is shown, so nothing was counted. Clear the search first."
        total = sum(self._counts.get(key, 0) for key in self._ids.values())
        message = f"{counted(total, 'comment')} in {counted(len(self._ids), 'source')}."
        if self._failures:
            message += f" {counted(self._failures, 'source')} could not be counted."
        return message
