"""JSON as it comes over the wire: decoded strictly, and a listing split without decoding it.

Knows nothing of sources. What is refused here is refused as `Malformed`, with the reason.
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

# How writers of JSON begin a listing; and where one may be cut, which a text may look like too.
_BEGIN = (
    rb"(?:\xef\xbb\xbf)?"
    rb'[ \t\r\n]*\{[ \t\r\n]*(?:"status"[ \t\r\n]*:[ \t\r\n]*"ok"[ \t\r\n]*,[ \t\r\n]*)?'
    rb'"%s"[ \t\r\n]*:[ \t\r\n]*\['
)
_CUT = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
_SLICES = 16
_WORTH_SLICING = 1 << 20
# A text in JSON, or what Python writes for numbers that JSON has not.
_TEXT_OR_NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|Infinity|NaN')


class Malformed(ValueError):
    """The bytes are not the JSON they should be."""


class Irregular(ValueError):
    """A listing that cannot be cut into slices; it may well be whole."""


@dataclass(frozen=True)
class NoNumber:
    """Stands for `NaN` or `Infinity`, which JSON has not and some writers write."""

    name: str


def refuse_no_numbers(value: Any) -> None:
    """Raise `Malformed` if there is a `NoNumber` in a decoded value."""
    name = no_number_in(value)
    if name:
        raise Malformed(f"{name} is not JSON")


def no_number_in(value: Any) -> str | None:
    """Return the name of a `NoNumber` in a decoded value; None where there is none."""
    return next((item.name for item, _ in walked(value) if isinstance(item, NoNumber)), None)


def decode(body: bytes, *, lenient: bool = False) -> Any:
    """Return the value of a JSON text; as RFC 8259 has it, and no name twice in an object.

    A lone surrogate, which Python's own `json` writes and many decoders refuse, is kept. A byte
    order mark at the beginning is passed over.

    Args:
        body: The text.
        lenient: Whether `NaN` and `Infinity` are returned as `NoNumber`.

    Raises:
        Malformed: It is not UTF-8, has a name twice in an object, holds `NaN` or `Infinity` and is
            not to be read leniently, is nested beyond reason, or is not JSON.
    """
    try:
        constant = NoNumber if lenient else _no_constant
        text = body.removeprefix(codecs.BOM_UTF8).decode()
        return json.loads(text, object_pairs_hook=_object, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start:,}") from None
    except RecursionError:
        raise Malformed("nested beyond reason") from None
    except json.JSONDecodeError as error:
        reason = error.msg.split(" (")[0].lower()
        raise Malformed(f"no JSON: {reason} at character {error.pos:,}") from None
    except Malformed:
        raise
    except ValueError:
        raise Malformed("holding a number of more digits than can be read") from None


def text_of(content: object, *, ensure_ascii: bool = True, indent: int | None = None) -> str:
    """Return a value as a JSON text; an infinite number as one beyond all doubles, `1e999`.

    Args:
        content: Objects, lists, texts, numbers, truth values and None.
        ensure_ascii: As for `json.dumps`.
        indent: As for `json.dumps`.

    Raises:
        ValueError: It holds NaN, or a whole number of too many digits.
        TypeError: It holds something else.
        RecursionError: It is nested beyond reason.
    """
    text = json.dumps(content, ensure_ascii=ensure_ascii, indent=indent)
    if "Infinity" in text or "NaN" in text:
        text = _TEXT_OR_NO_NUMBER.sub(_as_json, text)
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
        raise Malformed(f"the name {shown(twice)} appears twice in one object")
    return result


def _no_constant(constant: str) -> NoReturn:
    raise Malformed(f"{constant} is not JSON")


def sliced(body: bytes, key: str) -> tuple[dict[str, Any], list[memoryview]]:
    """Return the envelope of a listing, and its elements as slices of text, several if it is long.

    A slice is cut where one element seems to end and the next one to begin. When each of them is
    a list once it stands in brackets, each was cut so: the first begins where an element does,
    and what begins so and is a list when closed ends between two elements. Until all of them are
    seen to be lists, nothing in any of them is to be trusted.

    Args:
        body: The JSON text of an object whose member `key` is a list.
        key: The member's name, "sources" for example.

    Raises:
        Irregular: It is not laid out as writers of JSON lay it out; `split` has the answer.
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
    size = max(len(body) // _SLICES, _WORTH_SLICING)
    slices = []
    start = begin.end()
    while start < end:
        cut = _CUT.search(body, start + size, end)
        slices.append(view[start : cut.start() + 1 if cut else end])
        start = cut.end() - 1 if cut else end
    return envelope, slices


def elements(text: bytes | memoryview) -> list[msgspec.Raw]:
    """Return the elements of a slice, still encoded and checked for syntax.

    Raises:
        Irregular: It is no list once it stands in brackets.
    """
    # Only listings need it, and only odd ones: not worth the time of every import.
    import msgspec

    try:
        return msgspec.json.decode(b"".join((b"[", text, b"]")), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise Irregular from None


def split(body: bytes, key: str) -> tuple[dict[str, Any], list[Any] | None]:
    """Return the envelope of a listing, and its elements, decoded; or None where it has no list.

    Slow, and takes all that `decode` takes; `NaN` and `Infinity` in elements as `NoNumber`.

    Raises:
        Malformed: It is not JSON, not an object, or the member is not a list.
    """
    whole = decode(body, lenient=True)
    if not isinstance(whole, dict):
        raise Malformed(f"a {type(whole).__name__} where an object was due")
    rows = whole.pop(key, None)
    refuse_no_numbers(whole)
    if rows is not None and not isinstance(rows, list):
        raise Malformed(f"{key} is a {type(rows).__name__} where a list was due")
    return whole, rows
