"""Strict decoding of JSON.

A `Malformed` holds the reason as an adjective, for messages such as "The response is <reason>".
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections import Counter
from typing import Any, NoReturn

from reinfer_nb.nesting import walked
from reinfer_nb.text import shown

# From so many bytes on, fast decoding saves time.
_LONG = 4096
# A text in JSON, or a constant of Python's encoder that is not JSON.
_TEXT_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|Infinity|NaN')


class Malformed(ValueError):
    """The bytes are not the expected JSON."""


class NonFinite:
    """Stands for `NaN` or `Infinity`, which some encoders write though they are not JSON.

    It is no dataclass, so that no encoder takes it for a value of JSON.

    Args:
        name: How it was written.
    """

    def __init__(self, name: str) -> None:
        self.name = name


def refuse_non_finite(value: Any) -> None:
    """Raise `Malformed` if a decoded value holds a `NonFinite`."""
    name = non_finite_in(value)
    if name:
        _refuse_constant(name)


def non_finite_in(value: Any) -> str | None:
    """Return the name of a `NonFinite` in a decoded value; None if there is none."""
    if isinstance(value, str | int | float | None):
        return None
    return next((item.name for item, _ in walked(value) if isinstance(item, NonFinite)), None)


def decode(body: bytes, *, lenient: bool = False) -> Any:
    """Decode a JSON text by RFC 8259; no name may appear twice in an object.

    Lone surrogates, which Python's `json` writes and many decoders refuse, are kept. A byte order
    mark at the beginning is skipped.

    Args:
        body: The text.
        lenient: Whether `NaN` and `Infinity` are returned as `NonFinite`.

    Raises:
        Malformed: It is not UTF-8, has a name twice in an object, holds `NaN` or `Infinity` without
            `lenient`, is nested too deep, or is not JSON.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if len(body) >= _LONG:
        # Not for short texts: the command line can do without the imports.
        from reinfer_nb.strict_json import fast

        with contextlib.suppress(fast.Refused):
            return fast.decode(body)
    try:
        constant = NonFinite if lenient else _refuse_constant
        text = body.decode()
        return json.loads(text, object_pairs_hook=_object, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start:,}") from None
    except RecursionError:
        raise Malformed("nested too deep") from None
    except json.JSONDecodeError as error:
        reason = error.msg.split(" (")[0].lower()
        raise Malformed(f"not JSON: {reason} at character {error.pos:,}") from None
    except Malformed:
        raise
    except ValueError:
        raise Malformed("not readable: a number has too many digits") from None


def text_of(content: object, *, ensure_ascii: bool = True, indent: int | None = None) -> str:
    """Return a value as JSON text; infinity as a number beyond all doubles, `1e999`.

    Args:
        content: Dictionaries, lists, texts, numbers, truth values and None.
        ensure_ascii: As for `json.dumps`.
        indent: As for `json.dumps`.

    Raises:
        ValueError: It holds NaN, or a whole number with too many digits.
        TypeError: It holds a value of another type.
        RecursionError: It is nested too deep.
    """
    text = json.dumps(content, ensure_ascii=ensure_ascii, indent=indent)
    if "Infinity" in text or "NaN" in text:
        text = _TEXT_OR_CONSTANT.sub(_as_json, text)
    return text


def _as_json(piece: re.Match[str]) -> str:
    if piece[0] == "NaN":
        raise ValueError("NaN is not JSON")
    return "1e999" if piece[0] == "Infinity" else piece[0]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Malformed(f"ambiguous: the name {shown(twice)} appears twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"not JSON: it holds {name}")
