"""Converts comments to DataFrames: one row a comment, one column a user property."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import pandas as pd

from reinfer_nb.comments.comment import items_of, joined, text_in, text_or_none
from reinfer_nb.frames import convert
from reinfer_nb.schema.fields import About

_PARTS = ("messages", "user_properties", "attachments")
_NUMBER, _UID = "number:", "uid"
_PROPERTIES = ("string:", _NUMBER)
# How the names of columns begin that are made here.
_MADE = (*_PROPERTIES, "user_properties.", "messages.", "extra.")


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of the frame; `from` is no name of an attribute in Python."""

    id: Annotated[str | None, About("")] = None
    timestamp: Annotated[datetime | None, About("")] = None
    created_at: Annotated[datetime | None, About("")] = None
    thread_id: Annotated[str | None, About("")] = None
    from_: Annotated[str | None, About("", wire="from")] = None
    to: Annotated[tuple[str, ...] | None, About("")] = ()
    subject: Annotated[str | None, About("")] = None
    text: Annotated[str | None, About("")] = None
    language: Annotated[str | None, About("")] = None
    num_messages: Annotated[int | None, About("")] = None
    num_attachments: Annotated[int | None, About("")] = None
    has_annotations: Annotated[bool | None, About("")] = None
    uid: Annotated[str | None, About("")] = None


_OWN = ("id", "timestamp", "created_at", "thread_id", "has_annotations", _UID)
# Columns that are not fields of a comment itself.
_TAKEN = frozenset(
    "from from_ to subject text language num_messages num_attachments".split()  # noqa: SIM905
)
_IN_MESSAGE = frozenset(
    "body subject signature from to cc bcc sent_at language".split()  # noqa: SIM905
)


def row_of(comment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comment as a flat JSON object, from which `frame_of_rows` makes a row.

    Args:
        comment: The comment as a JSON object.
    """
    messages = [part for part in items_of(comment.get("messages")) if isinstance(part, Mapping)]
    properties = comment.get("user_properties")
    first = messages[0] if messages else {}
    row = {name: comment[name] for name in _OWN if name in comment}
    row |= {
        "from": first.get("from"),
        "to": first.get("to"),
        "subject": text_in(first.get("subject")),
        "text": joined(
            (text_or_none(part.get("from")), text_in(part.get("body"))) for part in messages
        )
        if messages
        else None,
        "language": first.get("language"),
        "num_messages": len(messages),
        "num_attachments": len(items_of(comment.get("attachments"))),
    }
    for name, value in comment.items():
        if name not in _OWN and name not in _PARTS:
            is_taken = name in _TAKEN or name.startswith(_MADE)
            row[f"extra.{name}" if is_taken else name] = value
    for name in sorted({name for part in messages for name in part} - _IN_MESSAGE):
        row[f"messages.{name}"] = [part.get(name) for part in messages]
    for name, value in properties.items() if isinstance(properties, Mapping) else ():
        row[name if name.startswith(_PROPERTIES) else f"user_properties.{name}"] = value
    return row


def frame_of(comments: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return comments as a DataFrame, as `Client.comments` documents it.

    Args:
        comments: The comments as JSON objects.

    Warns:
        UnreadableWarning: Some values could not be read and are missing.
    """
    return frame_of_rows([row_of(comment) for comment in comments])


def frame_of_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of `row_of` as a DataFrame."""
    frame = convert.from_elements(rows, model=_Row).rename(columns={"from_": "from"})
    properties = [name for name in frame.columns if name.startswith(_PROPERTIES)]
    for name in properties:
        if name.startswith(_NUMBER) and isinstance(frame[name].dtype, pd.Int64Dtype):
            frame[name] = frame[name].astype("Float64")
    others = [name for name in frame.columns if name not in properties and name != _UID]
    return frame[[*others, *properties, _UID]]
