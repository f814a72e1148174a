"""Strict decoding of JSON, and splitting of a listing without decoding it.

A `Malformed` holds the reason as an adjective, for messages such as "The response is <reason>".
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from reinfer_nb.nesting import walked
from reinfer_nb.text import shown

if TYPE_CHECKING:
    import msgspec

# The start of a listing as JSON encoders write it.
_BEGIN = (
    rb"(?:\xef\xbb\xbf)?"
    rb'[ \t\r\n]*\{[ \t\r\n]*(?:"status"[ \t\r\n]*:[ \t\r\n]*"ok"[ \t\r\n]*,[ \t\r\n]*)?'
    rb'"%s"[ \t\r\n]*:[ \t\r\n]*\['
)
# A place between two elements where a listing may be cut; a text may contain it too.
_CUT = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
_MAX_SLICES = 16
_MIN_SLICE = 1 << 20
# A text in JSON, or a constant of Python's encoder that is not JSON.
_TEXT_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|Infinity|NaN')


class Malformed(ValueError):
    """The bytes are not the expected JSON."""


class Irregular(ValueError):
    """A listing cannot be cut into slices; it may still be valid."""


@dataclass(frozen=True)
class NonFinite:
    """Stands for `NaN` or `Infinity`, which some encoders write though they are not JSON."""

    name: str


def refuse_non_finite(value: Any) -> None:
    """Raise `Malformed` if a decoded value holds a `NonFinite`."""
    name = non_finite_in(value)
    if name:
        _refuse_constant(name)


def non_finite_in(value: Any) -> str | None:
    """Return the name of a `NonFinite` in a decoded value; None if there is none."""
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
    try:
        constant = NonFinite if lenient else _refuse_constant
        text = body.removeprefix(codecs.BOM_UTF8).decode()
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
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"ambiguous: the name {shown(twice)} appears twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"not JSON: it holds {name}")


def sliced(body: bytes, key: str) -> tuple[dict[str, Any], list[memoryview]]:
    """Return the envelope of a listing, and its elements as one or more slices of text.

    A cut is made where the text looks like the end of an element and the start of the next. All
    cuts are right if every slice in brackets is a valid list: the first slice begins with an
    element, so if it is a valid list, it ends between two elements, and so on. Until all slices
    were parsed as lists, no slice may be used.

    Args:
        body: The JSON text of an object whose member `key` is a list.
        key: The member's name, such as "sources".

    Raises:
        Irregular: The layout is not the usual one of JSON encoders; use `split`.
    """
    begin = re.match(_BEGIN % key.encode(), body)
    end = body.rfind(b"]")
    if begin is None or end < begin.end():
        raise Irregular
    try:
        envelope = decode(body[: begin.end()] + body[end:])
    except Malformed:
        raise Irregular from None
    envelope.pop(key, None)
    view = memoryview(body)
    size = max(len(body) // _MAX_SLICES, _MIN_SLICE)
    slices = []
    start = begin.end()
    while start < end:
        cut = _CUT.search(body, start + size, end)
        slices.append(view[start : cut.start() + 1 if cut else end])
        start = cut.end() - 1 if cut else end
    return envelope, slices


def elements(text: bytes | memoryview) -> list[msgspec.Raw]:
    """Return the elements of a slice, still encoded, with checked syntax.

    Raises:
        Irregular: The slice in brackets is not a list.
    """
    # Only unusual listings need msgspec.
    import msgspec

    try:
        return msgspec.json.decode(b"".join((b"[", text, b"]")), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise Irregular from None


def split(body: bytes, key: str) -> tuple[dict[str, Any], list[Any] | None]:
    """Return the envelope and the decoded elements of a listing; None without the member `key`.

    Slower than `sliced`, but takes every listing. `NaN` and `Infinity` in elements become
    `NonFinite`.

    Raises:
        Malformed: It is not JSON or not an object, or the member is not a list.
    """
    envelope = decode(body, lenient=True)
    if not isinstance(envelope, dict):
        raise Malformed(f"a {type(envelope).__name__} instead of an object")
    rows = envelope.pop(key, None)
    refuse_non_finite(envelope)
    if rows is not None and not isinstance(rows, list):
        raise Malformed(f"not a listing: {key} is a {type(rows).__name__} instead of a list")
    return envelope, rows
