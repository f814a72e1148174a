"""The JSON text of a record in the database of the sandbox."""

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
    try:
        return encoder().encode(record).decode()
    except TypeError:  # A value of a type derived from one of JSON's, such as NumPy's texts.
        return json.dumps(record)
