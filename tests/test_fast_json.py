"""Fast JSON beside Python's own `json`: the same value, or refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinfer_nb import strict_json
from reinfer_nb.comments import archive_file
from reinfer_nb.errors import ProtocolError
from reinfer_nb.strict_json import fast

TEXTS = st.text(st.characters(codec="utf-8")) | st.sampled_from(['"', '\\"', "\\", "null", "\\\\"])
LAYOUTS = st.fixed_dictionaries(
    {"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 2])}
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30
)


def holds_infinity(value: Any) -> bool:
    """Return whether there is a number beyond all doubles in a value."""
    if isinstance(value, dict):
        return any(map(holds_infinity, value.values()))
    if isinstance(value, list):
        return any(map(holds_infinity, value))
    return isinstance(value, float) and math.isinf(value)


@given(VALUES, LAYOUTS)
def test_the_same_as_json_or_refused(value: Any, layout: dict[str, Any]) -> None:
    text = json.dumps(value, **layout)
    text = text.replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    expected = json.loads(text)
    try:
        decoded = fast.decode(text.encode())
    except fast.Refused:
        assert holds_infinity(expected)
        return
    assert repr(decoded) == repr(expected)


@given(VALUES)
def test_a_line_is_the_value_or_refused(value: Any) -> None:
    try:
        line = fast.encode(value)
    except fast.Refused:
        assert holds_infinity(value) or "null" in json.dumps(value)
        return
    assert b"\n" not in line
    assert repr(json.loads(line)) == repr(value)


@pytest.mark.parametrize(
    "member",
    [
        b'"a": 1, "a": 1',
        b'"a": 1, "\\u0061": 2',
        b'"a\\"b": 1, "a\\"b": 1',
        b'"a": {"b": "\\\\", "b": "\\\\"}',
        b'"a": NaN',
        b'"a": 1e999',
        b'"a": "\\ud800"',
        b'"a": "\xff"',
        b'"a": 1,',
        b'"a": ' + b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_only_slow_decoding_can_judge_is_refused(member: bytes) -> None:
    with pytest.raises(fast.Refused):
        fast.decode(b'{"padding": "%s", %s}' % (b"x" * 5_000, member))


@pytest.mark.parametrize("padding", [0, 10_000])
def test_an_object_with_a_name_twice_is_refused_by_name(padding: int) -> None:
    body = b'{"padding": "%s", "comments": [{"id": "a", "id": "b"}]}' % (b"x" * padding)
    with pytest.raises(strict_json.Malformed, match="the name 'id' appears twice"):
        strict_json.decode(body)


@pytest.mark.parametrize("padding", [0, 10_000])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_no_line_of_an_archive_has_null_for_a_number(padding: int, number: str) -> None:
    text = "x" * padding
    body = f'{{"id": "a", "score": {number}, "padding": "{text}"}}'.encode()
    comment = strict_json.decode(body, lenient=True)
    with pytest.raises(ProtocolError, match="'a' holds NaN or Infinity"):
        archive_file.line_of(comment)
