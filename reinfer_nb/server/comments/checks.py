"""Checks of the comments in a request, before any of them is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema.endpoints import MOST_OF_REQUEST
from reinfer_nb.server.comments.sample import microseconds
from reinfer_nb.text import shown

# What the tenant sets itself.
_OWN = ("uid", "created_at", "has_annotations")
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float)}


def new_comments(content: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the comments in a request, each with its timestamp in microseconds since 1970.

    Raises:
        InvalidInput: A comment is not as documented; the message names it.
    """
    comments = content.get("comments")
    if not isinstance(comments, list):
        raise InvalidInput("comments must be a list.")
    if len(comments) > MOST_OF_REQUEST:
        raise InvalidInput(f"comments must be at most {MOST_OF_REQUEST}, not {len(comments):,}.")
    checked = [_checked(comment, f"comments[{place}]") for place, comment in enumerate(comments)]
    ids = [comment["id"] for _, comment in checked]
    for comment_id in ids:
        if ids.count(comment_id) > 1:
            raise InvalidInput(f"The id {shown(comment_id)} appears twice.")
    return checked


def moment(value: object, name: str) -> int:
    """Return a timestamp in microseconds since 1970.

    Raises:
        InvalidInput: It is none, or has no time zone.
    """
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidInput(
            f'{name} must be a time with a zone such as "2026-03-01T09:00:00Z", not {shown(value)}.'
        )
    try:
        return microseconds(parsed.astimezone(UTC))
    except OverflowError:
        raise InvalidInput(f"{name} is out of range: {shown(value)}.") from None


def _checked(comment: object, where: str) -> tuple[int, dict[str, Any]]:
    if not isinstance(comment, dict):
        raise InvalidInput(f"{where} must be an object, not {shown(comment)}.")
    comment_id = comment.get("id")
    if not isinstance(comment_id, str) or not comment_id:
        raise InvalidInput(f"{where}.id must be a text, not {shown(comment_id)}.")
    sent = moment(comment.get("timestamp"), f"{where}.timestamp")
    messages = comment.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidInput(f"{where}.messages must be a list with at least one message.")
    for place, message in enumerate(messages):
        _check_message(message, f"{where}.messages[{place}]")
    _check_properties(comment.get("user_properties", {}), f"{where}.user_properties")
    _check_text(comment.get("thread_id"), f"{where}.thread_id")
    attachments = comment.get("attachments")
    if attachments is not None and not _is_list_of(attachments, dict):
        raise InvalidInput(f"{where}.attachments must be a list of objects.")
    return sent, {name: value for name, value in comment.items() if name not in _OWN}


def _check_message(message: object, where: str) -> None:
    if not isinstance(message, dict):
        raise InvalidInput(f"{where} must be an object, not {shown(message)}.")
    for name in ("body", "subject", "signature"):
        content = message.get(name)
        if content is None and name != "body":
            continue
        if not isinstance(content, dict) or not isinstance(content.get("text"), str):
            raise InvalidInput(f"{where}.{name} must be an object with a text.")
    for name in ("to", "cc", "bcc"):
        people = message.get(name)
        if people is not None and not _is_list_of(people, str):
            raise InvalidInput(f"{where}.{name} must be a list of texts.")
    for name in ("from", "language"):
        _check_text(message.get(name), f"{where}.{name}")
    if message.get("sent_at") is not None:
        moment(message["sent_at"], f"{where}.sent_at")


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _check_text(value: object, name: str) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} must be a text, not {shown(value)}.")


def _check_properties(properties: object, where: str) -> None:
    if not isinstance(properties, dict):
        raise InvalidInput(f"{where} must be an object.")
    for name, value in properties.items():
        kind, colon, rest = name.partition(":")
        types = _TYPES.get(kind) if colon and rest else None
        if types is None:
            raise InvalidInput(f"{where}: {shown(name)} must begin with string: or number:.")
        is_number = isinstance(value, int | float)
        if type(value) not in types or (is_number and not math.isfinite(value)):
            raise InvalidInput(f"{where}[{shown(name)}] must be a {kind}, not {shown(value)}.")
