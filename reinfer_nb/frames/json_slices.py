"""Finds the elements of a listing in JSON and cuts them into slices, without decoding them."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np

from reinfer_nb import strict_json

# The start of a listing as JSON encoders write it.
_BEGIN = (
    rb"(?:\xef\xbb\xbf)?"
    rb'[ \t\r\n]*\{[ \t\r\n]*(?:"status"[ \t\r\n]*:[ \t\r\n]*"ok"[ \t\r\n]*,[ \t\r\n]*)?'
    rb'"%s"[ \t\r\n]*:[ \t\r\n]*\['
)
# A place between two elements where a listing may be cut; a text may contain it too.
_CUT = rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{%s)"
_FIRST_NAME = re.compile(rb'[ \t\r\n]*\{([ \t\r\n]*"(?:[^"\\]|\\.)*")')
# The number of bytes at the end, and of places after it, where the end of an element is sought.
_NEAR_END, _MOST_CUTS = 100, 20


class Irregular(ValueError):
    """Not a listing of the expected layout; it may still be valid."""


def guessed(body: bytes, key: str) -> tuple[dict[str, Any], memoryview]:
    """Return the envelope of a listing, and its elements as text, without parsing the elements.

    The text may still be wrong. It is right if it is a valid list in brackets.

    Args:
        body: The JSON text of an object whose member `key` is a list.
        key: The member's name, such as "sources".

    Raises:
        Irregular: The layout is not the usual one of JSON encoders; use `located`.
    """
    begin = re.match(_BEGIN % key.encode(), body)
    end = body.rfind(b"]")
    if begin is None or end < begin.end():
        raise Irregular
    # The end of the last element, or the beginning of an empty list, comes before the bracket.
    last = body[max(end - _NEAR_END, begin.end() - 1) : end].rstrip(b" \t\r\n")
    if not last.endswith((b"}", b"[")):
        raise Irregular
    try:
        envelope = strict_json.decode(body[: begin.end()] + body[end:])
    except strict_json.Malformed:
        raise Irregular from None
    envelope.pop(key, None)
    return envelope, memoryview(body)[begin.end() : end]


def located(body: bytes, key: str) -> tuple[dict[str, Any], memoryview]:
    """Return what `guessed` returns, for any layout; it parses the body to find the list.

    Raises:
        Irregular: The body is not an object with such a list, or a name is twice in it; use
            `split`.
    """
    try:
        content = memoryview(body)[len(BOM_UTF8) if body.startswith(BOM_UTF8) else 0 :]
        members = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        text = memoryview(members[key])
    except (msgspec.DecodeError, RecursionError, KeyError):
        raise Irregular from None
    # The text is a view of the body.
    start = _address(text) - _address(memoryview(body))
    end = start + len(text)
    if not 0 <= start < end <= len(body) or text[0] != ord("[") or text != body[start:end]:
        raise Irregular
    try:
        envelope = strict_json.decode(body[:start] + b"null" + body[end:])
    except strict_json.Malformed:
        raise Irregular from None
    del envelope[key]
    return envelope, text[1:-1]


def _address(text: memoryview) -> int:
    return int(np.frombuffer(text, np.uint8).__array_interface__["data"][0])


def slices(text: bytes | memoryview, size: int) -> list[memoryview]:
    """Cut elements into slices of at least `size` bytes.

    A cut is made where the text looks like the end of an element and the start of the next. All
    cuts are right if every slice in brackets is a valid list: the first slice begins with an
    element, so if it is a valid list, it ends between two elements, and so on. Until all slices
    were parsed as lists, no slice may be used.
    """
    view, end = memoryview(text), len(text)
    # Elements often begin with the same name, and objects in them with others.
    first = _FIRST_NAME.match(text)
    cut = re.compile(_CUT % (re.escape(first[1]) if first else b""))
    result = []
    start = 0
    while start < end:
        place = cut.search(text, start + size)
        result.append(view[start : place.start() + 1 if place else end])
        start = place.end() if place else end
    return result


def first_element(text: bytes | memoryview) -> dict[str, Any]:
    """Return the first element of a slice, decoded; empty if it is not found, or not an object."""
    places = islice(re.finditer(_CUT % b"", text), _MOST_CUTS)
    for end in chain((place.start() + 1 for place in places), [len(text)]):
        try:
            element = msgspec.json.decode(text[:end])
        except (msgspec.DecodeError, RecursionError):
            continue
        return element if isinstance(element, dict) else {}
    return {}


def elements(text: bytes | memoryview) -> list[msgspec.Raw]:
    """Return the elements of a slice, still encoded, with checked syntax.

    Raises:
        Irregular: The slice in brackets is not a list.
    """
    try:
        return msgspec.json.decode(b"".join((b"[", text, b"]")), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise Irregular from None


def split(body: bytes, key: str) -> tuple[dict[str, Any], list[Any] | None]:
    """Return the envelope and the decoded elements of a listing; None without the member `key`.

    Slower than `located`, but takes every listing. `NaN` and `Infinity` in elements become
    `strict_json.NonFinite`.

    Raises:
        Malformed: It is not JSON or not an object, or the member is not a list.
    """
    envelope = strict_json.decode(body, lenient=True)
    if not isinstance(envelope, dict):
        raise strict_json.Malformed(f"a {type(envelope).__name__} instead of an object")
    rows = envelope.pop(key, None)
    strict_json.refuse_non_finite(envelope)
    if rows is not None and not isinstance(rows, list):
        raise strict_json.Malformed(
            f"not a listing: {key} is a {type(rows).__name__} instead of a list"
        )
    return envelope, rows
