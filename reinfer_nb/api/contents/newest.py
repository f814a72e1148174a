"""The newest comments of a source, and the oldest one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from reinfer_nb.api.contents.comment_calls import CommentCalls, Span, moment_of
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.schema.endpoints import MOST_OF_PAGE

_MICROSECOND = timedelta(microseconds=1)


class Newest(NamedTuple):
    """When the newest comment of a source was sent; None if it has none."""

    at: datetime | None


def newest_at(
    calls: SourceCalls, comments: CommentCalls, full_name: str, stop: threading.Event
) -> Newest:
    """Return when the newest comment of a source was sent; arguments as for `newest`."""
    found = newest(calls, comments, full_name, stop, 1)
    return Newest(moment_of(found[0]) if found else None)


def oldest_at(
    comments: CommentCalls,
    full_name: str,
    stop: threading.Event,
    span: Span = Span(),  # noqa: B008 - immutable
) -> datetime | None:
    """Return when the oldest comment of a source in a range was sent; None if there is none.

    Args:
        comments: The requests about its comments.
        full_name: "project/name".
        stop: Once set, a failed request is not retried.
        span: The range of time.
    """
    found = _read(comments, full_name, stop, span, limit=1)
    return moment_of(found[0]) if found else None


def newest(
    calls: SourceCalls,
    comments: CommentCalls,
    full_name: str,
    stop: threading.Event,
    number: int,
    *,
    with_markup: bool = False,
) -> list[dict[str, Any]]:
    """Return the newest comments of a source as JSON objects, the newest first.

    A tenant that ignores the order returns the oldest ones: then the range of time is halved until
    the rest holds not many more than are asked for.

    Args:
        calls: The requests about one source.
        comments: The requests about its comments.
        full_name: "project/name".
        stop: Once set, a failed request is not retried.
        number: The most comments.
        with_markup: Whether to read the texts with markup, too.

    Raises:
        ReinferError: The tenant could not be reached, or rejected a request.
    """
    # Of two comments the order can be seen.
    limit = max(number, 2)
    found = _read(
        comments, full_name, stop, limit=limit, newest_first=True, with_markup=with_markup
    )
    moments = [moment_of(comment) for comment in found]
    if len(found) == limit and any(earlier < later for earlier, later in pairwise(moments)):
        begin = _begin(calls, full_name, stop, number, moments[0])
        found = _read(comments, full_name, stop, Span(begin), with_markup=with_markup)
    return sorted(found, key=moment_of, reverse=True)[:number]


def _read(
    comments: CommentCalls, full_name: str, stop: threading.Event, *arguments: Any, **options: Any
) -> list[dict[str, Any]]:
    pages = comments.pages(full_name, stop, *arguments, **options)
    return [comment for page in pages for comment in page.comments]


def _begin(
    calls: SourceCalls, full_name: str, stop: threading.Event, number: int, oldest: datetime
) -> datetime:
    """Return a moment with at least that number of comments at or after it, and not many more."""
    begin, end = oldest, datetime.now(UTC) + timedelta(days=1)
    enough = max(MOST_OF_PAGE, 2 * number)
    while end - begin > _MICROSECOND:
        middle = begin + (end - begin) / 2
        count = calls.count_comments(full_name, stop, middle)
        if count < number:
            end = middle
            continue
        begin = middle
        if count <= enough:
            break
    return begin
