"""JSON decoded fast where the result is exact, and refused everywhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

_DECODER, _ENCODER = msgspec.json.Decoder(), msgspec.json.Encoder()


class Refused(ValueError):
    """Only slow decoding or encoding is exact, or tells what is wrong."""


def decode(document: bytes) -> Any:
    """Return the value of a JSON text in which no object has a name twice.

    Raises:
        Refused: An object has a name twice; a text holds half a character; a number is beyond all
            doubles; or it is not JSON.
    """
    try:
        value = _DECODER.decode(document)
        is_whole = holds_all(document, value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused from None
    if not is_whole:
        raise Refused
    return value


def encode(content: object) -> bytes:
    """Return a value as JSON in one line.

    Raises:
        Refused: It may hold what is not JSON, or a text holds half a character.
    """
    try:
        line = _ENCODER.encode(content)
    except (TypeError, UnicodeEncodeError, RecursionError):
        raise Refused from None
    # Infinity is written as null.
    if b"null" in line:
        raise Refused
    return line


def holds_all(document: bytes | msgspec.Raw, decoded: Any) -> bool:
    """True if a decoded value holds all texts of its JSON, and so all members.

    An object with a name twice has lost a member.
    """
    return quotes_in(document) == quotes_of(decoded)


def quotes_of(decoded: Any) -> int:
    """Return the number of quotation marks around texts in the JSON text of a value."""
    return quotes_in(_ENCODER.encode(decoded))


def quotes_in(document: bytes | msgspec.Raw) -> int:
    """Return the number of quotation marks around texts in a JSON text."""
    count = np.count_nonzero(np.frombuffer(document, np.uint8) == ord('"'))
    text = bytes(document)
    if b"\\" in text:
        count -= text.replace(rb"\\", b"").count(rb"\"")
    return int(count)
