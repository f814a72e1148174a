"""The requests about the comments of a source."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from reinfer_nb.api.responses import Response
from reinfer_nb.api.retry_policy import RetryHooks
from reinfer_nb.api.transport import Transport
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.endpoints import MOST_OF_PAGE
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.text import shown

Json = dict[str, Any]
_MICROSECOND = timedelta(microseconds=1)


class Span(NamedTuple):
    """A range of time; both ends are included, None is an open end.

    Attributes:
        first: The first moment, in UTC.
        last: The last moment.
    """

    first: datetime | None = None
    last: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """True if a moment is in the range."""
        is_late_enough = self.first is None or moment >= self.first
        return is_late_enough and (self.last is None or moment <= self.last)


class Page(NamedTuple):
    """A page of comments.

    Attributes:
        comments: The comments of the range, as JSON objects.
        continuation: Where the next page begins; None after the last one.
    """

    comments: list[Json]
    continuation: str | None


class CommentCalls:
    """The requests about the comments of a source.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def pages(
        self,
        full_name: str,
        stop: threading.Event,
        span: Span = Span(),  # noqa: B008 - immutable
        *,
        after: str | None = None,
        limit: int | None = None,
        size: int = MOST_OF_PAGE,
        newest_first: bool = False,
        with_markup: bool = False,
    ) -> Iterator[Page]:
        """Yield the pages of the comments in a range of time, in the tenant's order.

        The tenant is told the range, but its edges are decided here.

        Args:
            full_name: "project/name".
            stop: Once set, a failed request is not retried.
            span: The range.
            after: The continuation of an earlier page; None to begin with the first one.
            limit: The most comments of all pages; no page is read that is not needed.
            size: The most comments of a page.
            newest_first: Whether to ask for the newest first; a tenant may ignore this.
            with_markup: Whether to read the texts with markup, too.

        Raises:
            ProtocolError: The tenant repeats a continuation, or a page is not as documented.
            ReinferError: The tenant could not be reached, or rejected a request.
        """
        left = limit
        seen = {after} if after else set()
        # The comments of the page before: a tenant may repeat them at the beginning of the next.
        before: set[str] = set()
        order = {"direction": "descending"} if newest_first else {}
        markup = {"include_markup": "true"} if with_markup else {}
        while left is None or left > 0:
            number = size if left is None else min(size, left)
            bounds = _bounds(span, after)
            comments, following, response = self._page(
                full_name, stop, {"limit": str(number), **bounds, **order, **markup}
            )
            if following in seen:
                raise response.broken("a page that is followed by an earlier one")
            if following:
                seen.add(following)
            inside = [
                comment
                for moment, comment in comments
                if span.holds(moment) and comment["id"] not in before
            ][:left]
            before = {comment["id"] for _, comment in comments}
            left = None if left is None else left - len(inside)
            after = None if _ends_after(comments, span) else following
            yield Page(inside, after)
            if after is None:
                return

    def sync(
        self, full_name: str, stop: threading.Event, comments: Sequence[Json]
    ) -> dict[str, int]:
        """Upload comments in place of those with their ids.

        Args:
            full_name: "project/name".
            stop: Once set, a failed request is not retried.
            comments: At most `MOST_OF_REQUEST` comments as JSON objects.

        Returns:
            How many were `new`, `updated` and `unchanged`.

        Raises:
            ValidationFailed: The tenant refuses one of them.
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.source_name(full_name)
        response = self._transport.send(
            endpoints.SYNC,
            full_name,
            body={"comments": list(comments)},
            hooks=RetryHooks(stop=stop),
            project=project,
            name=name,
        )
        envelope = response.envelope()
        counts = {key: envelope.get(key) for key in ("new", "updated", "unchanged")}
        if not all(type(count) is int and count >= 0 for count in counts.values()):
            raise response.broken("without the numbers of comments")
        return {key: int(str(count)) for key, count in counts.items()}

    def comment(self, full_name: str, comment_id: str) -> Json:
        """Return a comment as a JSON object.

        Args:
            full_name: "project/name".
            comment_id: Its id.

        Raises:
            NotFound: There is no such comment or source.
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.source_name(full_name)
        response = self._transport.send(
            endpoints.COMMENT,
            f"{shown(comment_id)} of {full_name}",
            project=project,
            name=name,
            comment=comment_id,
        )
        comment = response.envelope("comment").get("comment")
        if not isinstance(comment, dict) or comment.get("id") != comment_id:
            raise response.broken("without the comment")
        return comment

    def _page(
        self, full_name: str, stop: threading.Event, parameters: Mapping[str, str]
    ) -> tuple[list[tuple[datetime, Json]], str | None, Response]:
        """Return the comments of a page with their timestamps, its continuation, the response."""
        project, name = validation.source_name(full_name)
        response = self._transport.send(
            endpoints.COMMENTS,
            full_name,
            hooks=RetryHooks(stop=stop),
            parameters=parameters,
            project=project,
            name=name,
        )
        envelope = response.envelope("comments")
        after = envelope.get("continuation") or None
        try:
            comments = [_checked(comment) for comment in envelope["comments"]]
        except (TypeError, KeyError, ValueError):
            raise response.broken(_flaw(envelope.get("comments"))) from None
        if after is not None and not isinstance(after, str):
            raise response.broken("without a readable continuation")
        return comments, after, response


_LATEST = datetime.max.replace(tzinfo=UTC)


def moment_of(comment: Json) -> datetime:
    """Return the timestamp of a comment, in UTC."""
    return Moment.read(comment["timestamp"])


def _checked(comment: Any) -> tuple[datetime, Json]:
    if not isinstance(comment["id"], str):
        raise TypeError
    return moment_of(comment), comment


def _flaw(comments: object) -> str:
    """Return what is wrong with the comments of a page."""
    for place, comment in enumerate(comments if isinstance(comments, list) else ()):
        try:
            _checked(comment)
        except (TypeError, KeyError, ValueError):
            about = comment.get("id") if isinstance(comment, dict) else comment
            return f"with a comment without a readable id or timestamp: {place}, {shown(about)}"
    return "without the comments of the source"


def _bounds(span: Span, after: str | None) -> dict[str, str]:
    """Return the parameters of a request about a range of time, and where its page begins."""
    bounds = {}
    if after is not None:
        bounds["after"] = after
    elif span.first is not None:
        bounds["from_timestamp"] = span.first.isoformat()
    if span.last is not None and span.last < _LATEST:
        bounds["to_timestamp"] = (span.last + _MICROSECOND).isoformat()
    return bounds


def _ends_after(comments: Sequence[tuple[datetime, Json]], span: Span) -> bool:
    """True if a page is in order and ends after a range, so that no later page can be in it."""
    if span.last is None or not comments or comments[-1][0] <= span.last:
        return False
    return all(earlier <= later for (earlier, _), (later, _) in pairwise(comments))
