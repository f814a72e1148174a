"""How many comments the sources have, over time, and when the newest was sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

import pandas as pd

from reinfer_nb.api.contents.comment_calls import CommentCalls
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.api.suggestions import Suggestions
from reinfer_nb.concurrency import checked_workers
from reinfer_nb.dates import When, edge
from reinfer_nb.errors import InvalidInput
from reinfer_nb.forking import importing
from reinfer_nb.schema import validation
from reinfer_nb.schema.added_columns import COMMENTS
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled


class Counting:
    """The methods of a client that count the comments of its sources.

    Attributes:
        calls: The requests about one source.
        comment_calls: The requests about the comments of a source.
        suggestions: Adds similar names to the message about a misspelt one.
    """

    calls: SourceCalls
    comment_calls: CommentCalls
    suggestions: Suggestions

    @property
    def endpoint(self) -> str:
        """The base URL of the tenant."""
        raise NotImplementedError

    def sources(
        self, project: str | Iterable[str] | None = None, *, refresh: bool = False
    ) -> pd.DataFrame:
        """Return the sources of all projects or of some."""
        raise NotImplementedError

    def source(self, which: str | Source) -> Source:
        """Return one source."""
        raise NotImplementedError

    def statistics(
        self,
        which: pd.DataFrame | str | Source | os.PathLike[str] | Iterable[str | Source],
        *,
        since: When | None = None,
        until: When | None = None,
        workers: int = 20,
        progress: bool | Callable[[int, int], object] = True,
    ) -> pd.DataFrame:
        """Return a listing with the number of comments of each source.

        >>> client.statistics("claims/motor-inbox", progress=False)["num_comments"]
        0    19640
        Name: num_comments, dtype: Int64
        >>> recent = client.statistics("claims", since="90 days ago", progress=False)

        Args:
            which: A listing, or rows of one, whose columns `owner` and `name` are used; the `Path`
                of a listing, as for `audit`; a project ("claims"); a source ("claims/motor-inbox",
                its id, or a `Source`); or a list of projects and sources. A text without a slash is
                a project, unless it is 16 hexadecimal digits: then it is a source's id, or the
                project of that name if the listing of the tenant has no source with that id.
            since: Only comments sent at this time or later: a datetime, a date, a text such as
                "2026-03-01T12:00", "2026-01" (the whole month), "2025", "yesterday" or "90 days
                ago". Without a zone it is UTC.
            until: Only comments sent until then; a day, a month or a year is included as a whole.
            workers: Number of concurrent requests, up to 32.
            progress: Show a progress bar; or a function to call with the number of sources done
                and the total. An exception of the function ends the counting.

        Returns:
            The listing, each source once if it was given by names, with a column `num_comments`
            (`Int64`), missing where there is no such source or the token may not see it. With
            `since` or `until` the column is `comments_in_range`, so that nobody takes it for all.

        Raises:
            InvalidInput: `which` is none of these, `workers` is out of range, a time cannot be
                read, or `since` is after `until`.
            NotFound: There is no such project or source, or the token may not see it.
            FileProblem: A file could not be read or is not a CSV file.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some sources could not be counted; the message names them.
        """
        with importing():
            from reinfer_nb.api import comment_counts

        workers = checked_workers(workers)
        begin, end = range_of(since, until)
        df = comment_counts.named_sources(self, which, "statistics")

        def count(name: str, stop: threading.Event) -> int:
            return self.calls.count_comments(name, stop, begin, end)

        counts = comment_counts.of_each(count, df, "statistics", workers=workers, progress=progress)
        column = COMMENTS if begin is None and end is None else "comments_in_range"
        return df.assign(**{column: pd.array(counts, dtype="Int64")})

    def activity(
        self,
        which: pd.DataFrame | str | Source | os.PathLike[str] | Iterable[str | Source],
        freq: str = "month",
        *,
        since: When | None = None,
        until: When = "now",
        workers: int = 20,
        progress: bool | Callable[[int, int], object] = True,
    ) -> pd.DataFrame:
        """Return the number of comments of each source in each period of time.

        >>> df = client.activity("claims/motor-inbox", since="2026-01", until="2026-03",
        ...                      progress=False)
        >>> df["period"].dt.strftime("%Y-%m").tolist()
        ['2026-01', '2026-02', '2026-03']

        A source without comments in the whole range takes one request, any other at most one for
        each period.

        Args:
            which: As for `statistics`.
            freq: "day", "week" (from Monday), "month", "quarter" or "year", in UTC.
            since: The beginning of the first period, as for `statistics`; by default the beginning
                of the period in which the time twelve months ago lies.
            until: The end of the last period; the first and the last one may be shorter.
            workers: Number of sources that are counted at the same time, up to 32.
            progress: As for `statistics`.

        Returns:
            One row a source and period, over a `RangeIndex`, in the order of the sources and of
            time: `owner`, `name`, `id` (`str`), `period` (`datetime64[us, UTC]`, when it begins),
            `num_comments` (`Int64`), missing where the source could not be counted.

        Raises:
            InvalidInput: As for `statistics`; or `freq` is unknown, or gives too many periods.
            NotFound: There is no such project or source, or the token may not see it.
            FileProblem: A file could not be read or is not a CSV file.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some sources could not be counted; the message names them.
        """
        with importing():
            from reinfer_nb.api import comment_counts
            from reinfer_nb.api.contents import activity

        workers = checked_workers(workers)
        if since is None:
            since = activity.first_of_year(freq)
        begin, end = range_of(since, until)
        if begin is None or end is None:
            raise InvalidInput("activity needs a time for since and one for until.")
        spans = activity.periods(freq, begin, end)
        df = comment_counts.named_sources(self, which, "activity")

        def counts(name: str, stop: threading.Event) -> list[int]:
            return activity.counts_of(
                lambda begin, end: self.calls.count_comments(name, stop, begin, end), spans
            )

        numbers = comment_counts.of_each(counts, df, "activity", workers=workers, progress=progress)
        return activity.table_of(df, spans, numbers)

    def last_comment(
        self,
        which: pd.DataFrame | str | Source | os.PathLike[str] | Iterable[str | Source],
        *,
        workers: int = 20,
        progress: bool | Callable[[int, int], object] = True,
    ) -> pd.DataFrame:
        """Return a listing with the time of each source's newest comment.

        >>> df = client.last_comment("claims/motor-inbox", progress=False)
        >>> bool(df["last_comment_at"].notna().all())
        True

        Args:
            which: As for `statistics`.
            workers: Number of concurrent requests, up to 32; one request a source.
            progress: As for `statistics`.

        Returns:
            The listing with a column `last_comment_at` (`datetime64[us, UTC]`): when the newest
            comment was sent, missing for a source without comments, or that could not be asked.

        Raises:
            InvalidInput: As for `statistics`.
            NotFound: There is no such project or source, or the token may not see it.
            FileProblem: A file could not be read or is not a CSV file.
            ProtocolError: A response is not as documented.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some sources could not be asked about; the message names them.
        """
        with importing():
            from reinfer_nb.api import comment_counts
            from reinfer_nb.api.contents import newest

        workers = checked_workers(workers)
        df = comment_counts.named_sources(self, which, "last_comment")

        def ask(name: str, stop: threading.Event) -> newest.Newest:
            return newest.newest_at(self.calls, self.comment_calls, name, stop)

        found = comment_counts.of_each(ask, df, "last_comment", workers=workers, progress=progress)
        times = [None if answer is None else answer.at for answer in found]
        return df.assign(last_comment_at=pd.Series(times, df.index, "datetime64[us, UTC]"))

    def contents(
        self,
        which: pd.DataFrame | str | Source | os.PathLike[str] | Iterable[str | Source],
        *,
        workers: int = 20,
        progress: bool | Callable[[int, int], object] = True,
    ) -> pd.DataFrame:
        """Return a listing with what shows whether each source still gets comments.

        >>> df = client.contents("claims/motor-inbox", progress=False)
        >>> df["num_comments"].tolist()
        [19640]
        >>> bool(df["comments_last_month"].item() > 0)
        True

        `audit` has rules for these columns: `empty`, `silent` and `declining`. A source without
        comments takes one request, one whose comments are all older than 13 months two, any other
        at most 16.

        Args:
            which: As for `statistics`.
            workers: Number of sources that are asked about at the same time, up to 32.
            progress: As for `statistics`.

        Returns:
            The listing with the columns `num_comments` (`Int64`); `last_comment_at`
            (`datetime64[us, UTC]`), when the newest comment was sent, missing without comments;
            `comments_last_month` (`Int64`), the comments of the last full calendar month in UTC;
            and `comments_usual_month` (`Float64`), the median of the twelve months before that one,
            from the month of the source's first comment on, missing if these are fewer than three.
            All are missing where there is no such source or the token may not see it.

        Raises:
            InvalidInput: As for `statistics`.
            NotFound: There is no such project or source, or the token may not see it.
            FileProblem: A file could not be read or is not a CSV file.
            ProtocolError: A response is not as documented.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some sources could not be counted; the message names them.
        """
        with importing():
            from reinfer_nb.api import comment_counts
            from reinfer_nb.api.contents import vitality

        workers = checked_workers(workers)
        df = comment_counts.named_sources(self, which, "contents")

        ask = vitality.asking(self.calls, self.comment_calls)
        found = comment_counts.of_each(ask, df, "contents", workers=workers, progress=progress)
        return df.assign(**vitality.columns_of(found, df.index))

    def count_comments(self, which: str | Source, *, stop: threading.Event | None = None) -> int:
        """Return how many comments a source has.

        >>> client.count_comments("claims/motor-inbox")
        19640

        Args:
            which: "project/name", 16 hexadecimal digits as in the column `id`, or a `Source`.
            stop: Once set, a failed request is not retried.

        Raises:
            InvalidInput: `which` is none of these.
            NotFound: There is no such source, or the token may not see it.
            Stopped: `stop` was set while the request waited to be retried.
        """
        event: object = stop
        if event is not None and not isinstance(event, threading.Event):
            raise InvalidInput(f"stop must be a threading.Event or None, not {shown(event)}.")
        # A program that counts many sources has no use for suggestions.
        with self.suggestions.of_source(which if stop is None else None):
            return self.calls.count_comments(self._full_name(which), stop)

    def _full_name(self, which: str | Source) -> str:
        if validation.is_id(which):
            which = self.source(which)
        return which.full_name if isinstance(which, Source) else which


def range_of(since: When | None, until: When | None) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last moment of a range of time.

    Raises:
        InvalidInput: A time cannot be read, or they are the wrong way round.
    """
    first, last = spelled("since", "--since"), spelled("until", "--until")
    begin = None if since is None else edge(since, name=first)
    end = None if until is None else edge(until, end=True, name=last)
    if begin is not None and end is not None and begin > end:
        raise InvalidInput(
            f"{first} ({begin:%Y-%m-%d %H:%M}) is after {last} ({end:%Y-%m-%d %H:%M}). Swap them."
        )
    return begin, end
