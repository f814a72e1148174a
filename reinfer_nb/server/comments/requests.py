"""The parameters of the requests for comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema.endpoints import MOST_OF_PAGE, MOST_OF_REQUEST
from reinfer_nb.server.comments.checks import moment
from reinfer_nb.server.comments.store import Bounds
from reinfer_nb.text import shown

_PAGE = 64
_MARKUP = ("text_markup", "translated_from_markup")


class Page(NamedTuple):
    """A request for a page of comments.

    Attributes:
        bounds: The range of time.
        limit: The most comments of the page.
        after: The continuation of the page before; None for the first page.
        descending: True for the newest first.
        with_markup: True for the texts with markup, too.
    """

    bounds: Bounds
    limit: int
    after: str | None
    descending: bool
    with_markup: bool

    def shown(self, comment: dict[str, Any]) -> dict[str, Any]:
        """Return a comment as it was asked for."""
        return comment if self.with_markup else without_markup(comment)


def page(parameters: QueryParams) -> Page:
    """Return the page that a request asks for.

    Raises:
        InvalidInput: A parameter is malformed.
    """
    limit = parameters.get("limit", str(_PAGE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_OF_PAGE):
        raise InvalidInput(f"limit must be from 1 to {MOST_OF_PAGE}, not {shown(limit)}.")
    direction = parameters.get("direction", "ascending")
    if direction not in ("ascending", "descending"):
        raise InvalidInput(f"direction must be ascending or descending, not {shown(direction)}.")
    first, last = Bounds()
    if "from_timestamp" in parameters:
        first = moment(parameters["from_timestamp"], "from_timestamp")
    if "to_timestamp" in parameters:
        last = moment(parameters["to_timestamp"], "to_timestamp") - 1
    return Page(
        Bounds(first, last),
        int(limit),
        parameters.get("after"),
        direction == "descending",
        flag(parameters, "include_markup"),
    )


def filtered(content: Mapping[str, Any]) -> Bounds:
    """Return the range of time in a request for statistics; both ends are included.

    Raises:
        InvalidInput: The filter is malformed.
    """
    comment_filter = content.get("comment_filter")
    if not isinstance(comment_filter, dict):
        raise InvalidInput("comment_filter must be an object.")
    timestamp = comment_filter.get("timestamp")
    if timestamp is None:
        return Bounds()
    if not isinstance(timestamp, dict):
        raise InvalidInput("comment_filter.timestamp must be an object.")
    first, last = Bounds()
    if timestamp.get("minimum") is not None:
        first = moment(timestamp["minimum"], "comment_filter.timestamp.minimum")
    if timestamp.get("maximum") is not None:
        last = moment(timestamp["maximum"], "comment_filter.timestamp.maximum")
    return Bounds(first, last)


def ids(parameters: QueryParams) -> list[str]:
    """Return the ids in a request.

    Raises:
        InvalidInput: There are none, or too many.
    """
    given = parameters.getlist("id")
    if not 1 <= len(given) <= MOST_OF_REQUEST:
        raise InvalidInput(f"id must be given 1 to {MOST_OF_REQUEST} times, not {len(given):,}.")
    return given


def flag(parameters: QueryParams, name: str) -> bool:
    """Return a parameter that is true or false; False without it.

    Raises:
        InvalidInput: It is neither.
    """
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidInput(f"{name} must be true or false, not {shown(value)}.")
    return value == "true"


def without_markup(comment: dict[str, Any]) -> dict[str, Any]:
    """Return a comment without the texts with markup."""
    messages = [
        {
            name: {key: text for key, text in part.items() if key not in _MARKUP}
            if isinstance(part, dict)
            else part
            for name, part in message.items()
        }
        for message in comment["messages"]
    ]
    return {**comment, "messages": messages}
