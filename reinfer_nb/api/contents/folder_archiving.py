"""Archives the comments of many sources in a folder, and only what is new or changed since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from reinfer_nb import errors
from reinfer_nb.api import comment_counts
from reinfer_nb.api.contents import newest
from reinfer_nb.api.contents.activity import Period, periods
from reinfer_nb.api.contents.comment_calls import CommentCalls, Span
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.comments.archive_folder import ArchiveFolder, Miscounted, Month
from reinfer_nb.concurrency import Progress, side_by_side, told
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, listed, shown

_ATTEMPTS = 3


class _Task(NamedTuple):
    """A month of a source that is to be written."""

    source: Source
    month: str
    span: Period
    counted: int


class _Work(NamedTuple):
    """A source, how many comments it has, and its months that are to be written."""

    source: Source
    total: int
    tasks: tuple[_Task, ...]


@dataclass(frozen=True)
class FolderArchiver:
    """Archives the comments of many sources in one folder.

    Attributes:
        calls: The requests about one source.
        comments: The requests about its comments.
        find: Returns the source with a full name.
        folder: The archive.
        workers: The number of requests at the same time.
        progress: As for `Client.archive`.
    """

    calls: SourceCalls
    comments: CommentCalls
    find: Callable[[str], Source]
    folder: ArchiveFolder
    workers: int
    progress: Progress

    def archive(self, names: list[str]) -> pd.DataFrame:
        """Write what is new or changed, and return the frame that `Client.archive` documents.

        Args:
            names: The full names of the sources.

        Raises:
            FileProblem: A file could not be read or written.
            ReinferError: The tenant could not be reached, or failed.
        """
        works: dict[str, _Work | str] = dict(
            comment_counts.each(self._work, names, workers=self.workers)
        )
        tasks = [
            task for work in works.values() if not isinstance(work, str) for task in work.tasks
        ]
        fetched = dict.fromkeys(works, 0)
        files = dict.fromkeys(works, 0)
        failed = {name: work for name, work in works.items() if isinstance(work, str)}
        for number, answer in self._written(tasks):
            name = tasks[number].source.full_name
            if isinstance(answer, str):
                failed[name] = answer
            else:
                fetched[name] += answer
                files[name] += 1
        if failed:
            reasons = listed(f"{shown(name)} ({reason})" for name, reason in failed.items())
            errors.warn(
                f"{counted(len(failed), 'source')} could not be archived completely: {reasons}",
                errors.UnreadableWarning,
            )
        rows = [_row(name, works[name], fetched[name], files[name]) for name in names]
        dtypes = {"owner": "str", "name": "str", "id": "str"}
        numbers = dict.fromkeys(("num_comments", "num_fetched", "num_files"), "Int64")
        columns = [*dtypes, *numbers]
        return pd.DataFrame(rows, columns=columns).astype({**dtypes, **numbers})

    def _work(self, name: str, stop: threading.Event) -> _Work:
        """Return what is to be written of a source, with as few requests as possible."""
        source = self.find(name)
        total = self.calls.count_comments(name, stop)
        if not total:
            return _Work(source, 0, ())
        known = self.folder.months(source)
        last = newest.newest_at(self.calls, self.comments, name, stop).at
        newest_known = max((month.newest for month in known.values()), default=None)
        is_same = total == sum(month.counted for month in known.values())
        if last is None or (is_same and last == newest_known):
            return _Work(source, total, ())
        first = newest.oldest_at(self.comments, name, stop) or last
        spans = periods("month", _month_begin(first), last)
        forced = {f"{last:%Y-%m}"} if is_same else set()
        tasks = tuple(
            _Task(source, f"{span.begin:%Y-%m}", span, count)
            for span, count in changed(
                lambda begin, end: self.calls.count_comments(name, stop, begin, end),
                spans,
                total,
                known,
                forced,
            )
        )
        return _Work(source, total, tasks)

    def _written(self, tasks: list[_Task]) -> Iterator[tuple[int, int | str]]:
        """Write months side by side; yield the number of comments of each, or why it failed."""
        total = sum(task.counted for task in tasks)
        answers = side_by_side(
            lambda number, stop: self._write(tasks[number], stop),
            range(len(tasks)),
            workers=self.workers,
            label="archive",
            unit="month",
            progress=False,
        )
        with told(self.progress, total=total, label="archive", unit="comment") as tell:
            for number, answer in answers:
                tell(tasks[number].counted)
                yield number, answer

    def _write(self, task: _Task, stop: threading.Event) -> int | str:
        name = task.source.full_name
        number = task.counted
        try:
            for _ in range(_ATTEMPTS):
                try:
                    pages = self.comments.pages(name, stop, Span(*task.span), with_markup=True)
                    comments = (comment for page in pages for comment in page.comments)
                    return self.folder.write(task.source, task.month, comments, number)
                except Miscounted:
                    number = self.calls.count_comments(name, stop, *task.span)
        except (errors.NotFound, errors.PermissionDenied) as error:
            return str(error.status)
        return f"the pages of {task.month} do not hold the {number:,} comments that it has"


def changed(
    count: Callable[[datetime, datetime], int],
    spans: list[Period],
    total: int,
    known: Mapping[str, Month],
    forced: Collection[str],
) -> Iterator[tuple[Period, int]]:
    """Yield the months of a source whose count is not the known one, with the count.

    A range of months with the known sum is not looked at more closely.

    Args:
        count: Counts its comments from the first to the second moment, both included.
        spans: The months, in order and without gaps.
        total: How many comments they have together.
        known: The months in the archive, by their text such as "2026-03".
        forced: Months to yield in any case.
    """
    keys = [f"{span.begin:%Y-%m}" for span in spans]
    counts = [known[key].counted if key in known else 0 for key in keys]
    ranges = [(0, len(spans), total)]
    while ranges:
        first, end, number = ranges.pop()
        if number == sum(counts[first:end]) and not set(forced) & set(keys[first:end]):
            continue
        if end - first == 1:
            if number:
                yield spans[first], number
            continue
        middle = (first + end) // 2
        left = count(spans[first].begin, spans[middle - 1].end)
        right = number - left
        if right < 0:
            # Comments have arrived between the requests.
            right = count(spans[middle].begin, spans[end - 1].end)
        ranges += [(first, middle, left), (middle, end, right)]


def _month_begin(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _row(name: str, work: _Work | str, fetched: int, files: int) -> tuple[Any, ...]:
    owner, _, short = name.partition("/")
    if isinstance(work, str):
        return owner, short, None, None, fetched, files
    return owner, short, work.source.id, work.total, fetched, files
