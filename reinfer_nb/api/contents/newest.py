"""The newest comment of a source."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from reinfer_nb.api.contents.comment_calls import CommentCalls
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.schema.endpoints import MOST_OF_PAGE

_MICROSECOND = timedelta(microseconds=1)


class Newest(NamedTuple):
    """When the newest comment of a source was sent; None if it has none."""

    at: datetime | None


def of(calls: SourceCalls, comments: CommentCalls, full_name: str, stop: threading.Event) -> Newest:
    """Return when the newest comment of a source was sent.

    One request for the two newest comments is enough. A tenant that ignores the order returns the
    oldest first: then the range of time is halved until the rest fits a page.

    Args:
        calls: The requests about one source.
        comments: The requests about its comments.
        full_name: "project/name".
        stop: Once set, a failed request is not retried.

    Raises:
        ReinferError: The tenant could not be reached, or rejected a request.
    """
    newest = comments.timestamps(full_name, stop, {"limit": "2", "direction": "descending"})
    if len(newest) < 2 or newest[0] >= newest[1]:
        return Newest(max(newest, default=None))
    first, last = newest[0], datetime.now(UTC) + timedelta(days=1)
    while calls.count_comments(full_name, stop, first, last) > MOST_OF_PAGE:
        middle = first + (last - first) / 2
        if calls.count_comments(full_name, stop, middle, last):
            first = middle
        else:
            last = middle
        if last - first <= _MICROSECOND:
            break
    return Newest(max(comments.timestamps(full_name, stop, _page_from(first)), default=first))


def _page_from(moment: datetime) -> dict[str, str]:
    return {"limit": str(MOST_OF_PAGE), "from_timestamp": moment.isoformat()}
