"""A listing becomes JSON objects of the same values, whatever its dtypes."""

from __future__ import annotations

import json
import math
import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinfer_nb.errors import InvalidInput, UnreadableWarning
from reinfer_nb.frames import convert
from reinfer_nb.frames.elements import to_elements
from tests.frames.test_convert import JSON_VALUES, WELL


def one_by_one(df: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a listing as JSON objects, value by value."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(df))]
    for column in df:
        name = "_kind" if column == "kind" else str(column).removeprefix("extra.")
        for row, value in zip(rows, df[column], strict=True):
            if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN
                continue
            row[name] = _json(value)
    return rows


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        return text.rjust(32, "0")
    if isinstance(value, tuple | np.ndarray):
        return list(value)
    return value.item() if isinstance(value, np.generic) else value


def same_json(left: Any, right: Any) -> None:
    assert list(map(repr, left)) == list(map(repr, right))
    json.dumps(left)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(WELL | JSON_VALUES, max_size=5))
def test_the_values_are_those_of_the_frame(rows: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableWarning)
        df = convert.from_elements(json.loads(json.dumps(rows)))
    same_json(to_elements(df), one_by_one(df))


ROWS = [
    {"id": "a", "title": "x", "should_translate": True, "created_at": "2020-01-01T00:00:00.5Z"},
    {"id": "b", "sensitive_properties": ["email"], "email_transform_version": 3, "n": 1, "x": "y"},
    {"id": "c", "title": "", "created_at": "0001-01-01T00:00:00Z", "ratio": 0.5, "x": "\u00fc"},
]


@pytest.mark.parametrize(
    "dtypes",
    [
        {"title": object, "created_at": object, "should_translate": object, "n": object},
        {"title": "string[python]", "x": "string[pyarrow]", "id": "category"},
        {"created_at": "timestamp[us, UTC][pyarrow]", "n": "int64[pyarrow]", "x": "category"},
        {"email_transform_version": "float64", "n": "float64", "ratio": "float32"},
    ],
)
def test_other_dtypes_give_the_same_values(dtypes: dict[str, Any]) -> None:
    df = convert.from_elements(ROWS)
    expected = one_by_one(df)
    for row in expected:
        for name in ("n", "email_transform_version"):
            if name in row and dtypes.get(name) == "float64":
                row[name] = 3 if name == "email_transform_version" else 1.0
    elements = to_elements(df.astype(dtypes))
    assert elements == expected
    json.dumps(elements)


@pytest.mark.parametrize("cell", [5, 1.5, ["a", 1], {"a"}, math.inf])
def test_a_cell_of_another_type_is_refused_with_its_row(cell: Any) -> None:
    titles = pd.Series(["fine", cell], dtype=object)
    df = pd.DataFrame({"owner": ["a", "b"], "sensitive_properties": titles})
    with pytest.raises(InvalidInput, match="row 0: 'fine'"):
        to_elements(df)
    df["sensitive_properties"] = pd.Series([("a",), cell], dtype=object)
    if isinstance(cell, set):
        assert to_elements(df)[1]["sensitive_properties"] == ["a"]
    else:
        with pytest.raises(InvalidInput, match="row 1: "):
            to_elements(df)


def test_equal_instants_keep_their_own_offsets() -> None:
    time = pd.Timestamp("2024-01-01T00:00:00.123456Z")
    df = pd.DataFrame({"x": pd.Series([time, time.tz_convert("Europe/Berlin")], dtype=object)})
    assert [row["x"] for row in to_elements(df)] == [
        "2024-01-01T00:00:00.123456+00:00",
        "2024-01-01T01:00:00.123456+01:00",
    ]


@pytest.mark.parametrize("number", [253_402_300_800_000_000, -62_135_596_800_000_001, -(2**56)])
def test_times_that_iso_8601_cannot_write_are_refused(number: int) -> None:
    column = pd.Series(np.array([number], "M8[us]")).dt.tz_localize("UTC")
    with pytest.raises(InvalidInput, match="created_at"):
        to_elements(pd.DataFrame({"created_at": column}))


def test_lists_of_two_rows_are_two_lists() -> None:
    df = pd.DataFrame({"sensitive_properties": pd.Series([("a",), ("a",)], dtype=object)})
    one, other = to_elements(df)
    one["sensitive_properties"].append("b")
    assert other == {"sensitive_properties": ["a"]}
