"""Comments and their messages, as records."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Self

from reinfer_nb import markup
from reinfer_nb.pickling import Portable
from reinfer_nb.schema.fields import About
from reinfer_nb.schema.records import Record
from reinfer_nb.schema.value_types import Moment, shown_cell
from reinfer_nb.text import counted, visible

_PARTS = ("messages", "user_properties", "attachments")
_KNOWN = frozenset(
    ("body", "subject", "signature", "from", "to", "cc", "bcc", "sent_at", "language")
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Message(Portable):
    """One message of a comment: an email of a thread, or a turn of a call or a chat.

    Attributes:
        text: The text of its body; None if it has none.
        subject: The text of its subject.
        signature: The text of its signature.
        from_: Who sent it.
        to: Who received it.
        cc: Who received a copy.
        bcc: Who received a hidden copy.
        sent_at: When it was sent, in UTC.
        language: Its language.
        extra: Unknown fields, by their JSON name.
    """

    text: str | None = None
    subject: str | None = None
    signature: str | None = None
    from_: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    sent_at: datetime | None = None
    language: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_wire(cls, data: object) -> Self:
        """Return the message of a JSON object; a field that cannot be read is missing.

        Args:
            data: The decoded JSON object.
        """
        known = data if isinstance(data, Mapping) else {}
        return cls(
            text=text_in(known.get("body")),
            subject=text_in(known.get("subject")),
            signature=text_in(known.get("signature")),
            from_=text_or_none(known.get("from")),
            to=_texts(known.get("to")),
            cc=_texts(known.get("cc")),
            bcc=_texts(known.get("bcc")),
            sent_at=moment_or_none(known.get("sent_at")),
            language=text_or_none(known.get("language")),
            extra=types.MappingProxyType(
                {name: value for name, value in known.items() if name not in _KNOWN}
            ),
        )

    def __repr__(self) -> str:
        return f"Message(from_={self.from_!r}, text={visible(self.text or '', 60)!r})"


@dataclass(frozen=True, kw_only=True, repr=False)
class Comment(Record):
    """A comment as the tenant returned it: an email, a call or a chat.

    >>> comment = client.comment("claims/motor-inbox", client.sample("claims/motor-inbox")["id"][0])
    >>> comment.messages[0].language
    'en'

    Attributes:
        messages: Its messages, the first one first.
        user_properties: Its properties by name, such as "string:Team" or "number:Score".
        attachments: Name, size and type of its attachments, as JSON objects.
    """

    id: Annotated[str, About("Identifier in its source: any text.")]
    timestamp: Annotated[datetime, About("When it was sent.")]
    created_at: Annotated[datetime | None, About("When it was uploaded.")] = None
    thread_id: Annotated[str | None, About("Comments of one thread have the same.")] = None
    has_annotations: Annotated[bool | None, About("Whether somebody has annotated it.")] = None
    uid: Annotated[str | None, About("Identifier in the tenant.")] = None
    messages: tuple[Message, ...] = ()
    user_properties: Mapping[str, Any] = field(default_factory=dict, hash=False)
    attachments: tuple[Any, ...] = field(default=(), hash=False)

    def __post_init__(self) -> None:
        parts = dict(self.extra)
        messages, properties, attachments = (parts.pop(name, None) for name in _PARTS)
        # `Record.from_wire` takes all fields that are no plain values for unknown ones.
        object.__setattr__(self, "extra", parts)
        if messages is not None:
            read = tuple(map(Message.from_wire, items_of(messages)))
            object.__setattr__(self, "messages", read)
        if properties is not None:
            known = dict(properties) if isinstance(properties, Mapping) else {}
            object.__setattr__(self, "user_properties", types.MappingProxyType(known))
        if attachments is not None:
            object.__setattr__(self, "attachments", tuple(items_of(attachments)))
        super().__post_init__()

    @property
    def text(self) -> str:
        """The texts of its messages; a line before each one tells which, if there are several."""
        return joined((message.from_, message.text) for message in self.messages)

    @property
    def subject(self) -> str | None:
        """The subject of its first message."""
        return self.messages[0].subject if self.messages else None

    def __repr__(self) -> str:
        subject = f", subject={self.subject!r}" if self.subject else ""
        return (
            f"Comment(id={self.id!r}, timestamp={self.timestamp:%Y-%m-%d %H:%M:%S} UTC{subject}, "
            f"{counted(len(self.messages), 'message')}, text={visible(self.text, 60)!r})"
        )

    def facts(self) -> dict[str, str]:
        """Return what is known of it beside its texts, for people."""
        first = self.messages[0] if self.messages else Message()
        people = {"from": first.from_, "to": ", ".join(first.to), "cc": ", ".join(first.cc)}
        names = [str(file.get("name")) for file in self.attachments if isinstance(file, Mapping)]
        values: dict[str, Any] = {
            "id": self.id,
            "timestamp": self.timestamp,
            "created_at": self.created_at,
            "thread_id": self.thread_id,
            "subject": self.subject,
            **people,
            "language": first.language,
            **self.user_properties,
            "attachments": ", ".join(names),
            "has_annotations": self.has_annotations,
            "uid": self.uid,
            **self.extra,
        }
        return {
            visible(name): shown_cell(value)
            for name, value in values.items()
            if value is not None and value != ""
        }

    def _repr_html_(self) -> str:
        return str(markup.join([markup.facts(self.facts()), markup.block(markup.code(self.text))]))


def text_in(part: object) -> str | None:
    """Return the text of a body, a subject or a signature; None if it has none."""
    return text_or_none(part.get("text")) if isinstance(part, Mapping) else None


def joined(messages: Iterable[tuple[str | None, str | None]]) -> str:
    """Return the texts of messages as one text.

    >>> print(joined([("A. Weber", "Hello"), ("Agent", "Good morning")]))
    --- Message 1 of 2, from A. Weber ---
    Hello
    <BLANKLINE>
    --- Message 2 of 2, from Agent ---
    Good morning

    Args:
        messages: Who sent each message, and its text.
    """
    parts = [(sender, text or "") for sender, text in messages]
    if len(parts) == 1:
        return parts[0][1]
    number = len(parts)
    return "\n\n".join(
        f"--- Message {place} of {number}{f', from {sender}' if sender else ''} ---\n{text}"
        for place, (sender, text) in enumerate(parts, 1)
    )


def text_or_none(value: object) -> str | None:
    """Return a text of a response; None for anything else."""
    return value if isinstance(value, str) else None


def items_of(value: object) -> list[Any]:
    """Return a list of a response; empty for anything else."""
    return value if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in items_of(value) if isinstance(item, str))


def moment_or_none(value: object) -> datetime | None:
    """Return a timestamp of a response, in UTC; None for anything else."""
    try:
        return Moment.read(value)
    except ValueError:
        return None
