"""The comments of a source, read as frames and records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.api.contents.comment_calls import Span
from reinfer_nb.api.contents.counting import Counting, range_of
from reinfer_nb.comments.comment import Comment
from reinfer_nb.dates import When
from reinfer_nb.errors import InvalidInput, NotFound
from reinfer_nb.forking import importing
from reinfer_nb.schema.endpoints import MOST_OF_PAGE
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown


class Reading(Counting):
    """The methods of a client that read the comments of a source."""

    def comments(
        self,
        which: str | Source,
        *,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the comments of a source, the oldest first.

        >>> df = client.comments("claims/motor-inbox", since="2026-01", limit=500)
        >>> df[["from", "num_messages", "string:Team"]].shape
        (500, 3)

        Args:
            which: "project/name", 16 hexadecimal digits as in the column `id`, or a `Source`.
            since: Only comments sent at this time or later, as for `statistics`.
            until: Only comments sent until then.
            limit: The most comments; all by default. For more than fit into memory, there is
                `iter_comments`.

        Returns:
            One row a comment, over a `RangeIndex`: `id` (`str`), `timestamp`, `created_at`
            (`datetime64[us, UTC]`), `thread_id`, `from` (`str`), `to` (`object`, a tuple of `str` a
            row), `subject`, `text`, `language` (`str`), `num_messages`, `num_attachments`
            (`Int64`), `has_annotations` (`boolean`); then fields that this version does not know;
            then one column a user property: `string:NAME` (`str`), `number:NAME` (`Float64`); last
            `uid` (`str`). `from`, `to`, `subject` and `language` are those of the first message;
            `text` joins the bodies of all messages, each after a line that tells which it is, if
            there are several. `attrs` holds `endpoint` and `source`, its full name.

        Raises:
            InvalidInput: An argument is not valid, or `since` is after `until`.
            NotFound: There is no such source, or the token may not see it.
            PermissionDenied: The token may not read its comments.
            ProtocolError: A page is not as documented, or is followed by an earlier one.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some values could not be read and are missing.
        """
        with importing():
            from reinfer_nb.comments import frame

        span = Span(*range_of(since, until))
        limit = arguments.limit(limit)
        name = self._full_name(which)
        # As flat rows, which are smaller than the comments.
        rows = [frame.row_of(comment) for comment in self._read(name, span, limit=limit)]
        df = frame.frame_of_rows(rows)
        if not df["timestamp"].is_monotonic_increasing:
            df = df.sort_values("timestamp", kind="stable")
        return self._described(df, name)

    def iter_comments(
        self,
        which: str | Source,
        *,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
        chunk_size: int = 10_000,
    ) -> Iterator[pd.DataFrame]:
        """Return an iterator over the comments of a source as frames, for more than fit in memory.

        >>> frames = client.iter_comments("claims/theft-inbox", chunk_size=400)
        >>> [len(df) for df in frames]
        [400, 400, 400, 284]

        Args:
            which: As for `comments`.
            since: As for `comments`.
            until: As for `comments`.
            limit: As for `comments`.
            chunk_size: The number of rows of a frame; the last one may have fewer.

        Returns:
            An iterator over frames as those of `comments`, each over a `RangeIndex` that goes on
            where the one before ended. A frame has columns for the properties of its own comments.

        Raises:
            InvalidInput: As for `comments`.
            NotFound: As for `comments`.
            ReinferError: As for `comments`; the iterator may raise it, too.
        """
        span = Span(*range_of(since, until))
        limit = arguments.limit(limit)
        size = arguments.positive(chunk_size, "chunk_size")
        name = self._full_name(which)

        def frames() -> Iterator[pd.DataFrame]:
            with importing():
                from reinfer_nb.comments import frame

            rows: list[Any] = []
            begin = 0
            for comment in self._read(name, span, limit=limit):
                rows.append(frame.row_of(comment))
                if len(rows) == size:
                    yield self._described(frame.frame_of_rows(rows), name, begin)
                    begin += size
                    rows.clear()
            if rows:
                yield self._described(frame.frame_of_rows(rows), name, begin)

        return frames()

    def raw_comments(
        self,
        which: str | Source,
        *,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
        newest: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Return an iterator over the comments of a source as the API tells them, markup included.

        >>> [raw] = client.raw_comments("claims/motor-inbox", newest=1)
        >>> sorted(raw["messages"][0]["body"])
        ['text', 'text_markup']

        It reads a page when the one before is used up, so memory does not grow with the source.

        Args:
            which: As for `comments`.
            since: As for `comments`.
            until: As for `comments`.
            limit: As for `comments`.
            newest: Instead of a range and a limit: so many of the newest comments, the newest
                first.

        Returns:
            An iterator over JSON objects, the oldest first unless `newest` is given.

        Raises:
            InvalidInput: As for `comments`; or `newest` is given together with one of these.
            NotFound: As for `comments`. The iterator may raise this and the following ones.
            PermissionDenied: As for `comments`.
            ReinferError: As for `comments`.
        """
        span = Span(*range_of(since, until))
        limit = arguments.limit(limit)
        if newest is not None:
            newest = arguments.positive(newest, "newest")
            if limit is not None or span != Span():
                raise InvalidInput("newest takes the place of since, until and limit.")
        name = self._full_name(which)
        if newest is None:
            return self._read(name, span, limit=limit, with_markup=True)
        return iter(self._newest(name, newest, with_markup=True))

    def sample(self, which: str | Source, n: int = 20) -> pd.DataFrame:
        """Return the newest comments of a source, the newest first.

        >>> client.sample("claims/motor-inbox", 3)["timestamp"].is_monotonic_decreasing
        True

        Args:
            which: As for `comments`.
            n: The most comments.

        Returns:
            A frame as that of `comments`.

        Raises:
            InvalidInput: `which` or `n` is not valid.
            NotFound: There is no such source, or the token may not see it.
            ReinferError: As for `comments`.
        """
        with importing():
            from reinfer_nb.comments import frame

        number = arguments.positive(n, "n")
        name = self._full_name(which)
        return self._described(frame.frame_of(self._newest(name, number)), name)

    def comment(self, which: str | Source, comment_id: str) -> Comment:
        """Return one comment of a source, with all its messages.

        >>> client.comment("claims/motor-inbox", "d9ee7bc900000003").messages[0].subject
        'Motor claims inbox 1945'

        Args:
            which: As for `comments`.
            comment_id: The id of the comment, as in the column `id` of `comments`.

        Raises:
            InvalidInput: `which` or `comment_id` is not valid.
            NotFound: There is no such source or comment, or the token may not see it.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: A field could not be read and is `None`.
        """
        comment_id = arguments.text(comment_id, "comment_id", "d9ee7bc900000003")
        if comment_id in ("", ".", ".."):
            # A URL with it would be that of all comments, or of the source.
            raise InvalidInput(
                f"A comment with the id {shown(comment_id)} cannot be asked for alone. Read all "
                "comments of the source to find it."
            )
        name = self._full_name(which)
        try:
            return Comment.from_wire(self.comment_calls.comment(name, comment_id))
        except NotFound:
            # The message about a misspelt source names similar ones.
            self.source(name)
            raise

    def _read(
        self, name: str, span: Span, *, limit: int | None, with_markup: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the comments of a source in a range of time, the oldest first."""
        with self.suggestions.of_source(name):
            pages = self.comment_calls.pages(
                name,
                threading.Event(),
                span,
                limit=limit,
                size=MOST_OF_PAGE,
                with_markup=with_markup,
            )
            for page in pages:
                yield from page.comments

    def _newest(self, name: str, number: int, *, with_markup: bool = False) -> list[dict[str, Any]]:
        """Return the newest comments of a source, the newest first."""
        with importing():
            from reinfer_nb.api.contents import newest

        with self.suggestions.of_source(name):
            return newest.newest(
                self.calls,
                self.comment_calls,
                name,
                threading.Event(),
                number,
                with_markup=with_markup,
            )

    def _described(self, frame: pd.DataFrame, name: str, begin: int = 0) -> pd.DataFrame:
        frame.index = pd.RangeIndex(begin, begin + len(frame))
        frame.attrs = {"endpoint": self.endpoint, "source": name}
        return frame
