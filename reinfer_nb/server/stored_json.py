"""The JSON of the sandbox, written fast: records in its database, pages of comments."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import msgspec


@functools.cache
def encoder() -> msgspec.json.Encoder:
    """Return a fast encoder, which takes only values of JSON's own types."""
    # Only a sandbox needs it.
    import msgspec

    return msgspec.json.Encoder()


def json_text(record: Mapping[str, Any]) -> str:
    """Return a record as JSON."""
    return json_bytes(record).decode()


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return a JSON object as JSON, in UTF-8."""
    try:
        return encoder().encode(content)
    except (TypeError, UnicodeEncodeError):
        # A value of a type derived from one of JSON's, such as NumPy's texts, or half a character.
        return json.dumps(content).encode()
