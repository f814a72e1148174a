"""Cells of frames as values of Python, and as texts."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reinfer_nb.schema.value_types import ValueType, cell_text, python_value, shown_cell


@pytest.mark.parametrize("cell", [None, math.nan, np.float64("nan"), pd.NA, pd.NaT], ids=repr)
def test_missing_cells_are_none(cell: Any) -> None:
    assert python_value(cell) is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (np.int8(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003
        (np.str_("a"), "a"),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([["a"], ["b"]]), [["a"], ["b"]]),
        (np.array("a"), "a"),
        ({"a": np.array([1])}, {"a": [1]}),
        (("a",), ("a",)),
        (np.datetime64("2026-01-01"), pd.Timestamp("2026-01-01")),
    ],
    ids=lambda value: " ".join(repr(value).split()),
)
def test_cells_of_numpy_are_values_of_python(cell: Any, value: Any) -> None:
    found = python_value(cell)
    assert found == value
    assert type(found) is type(value)


def test_arrays_within_json() -> None:
    value = [np.array([1, 2]), {"at": datetime(2026, 1, 1, tzinfo=UTC), "n": np.int64(5)}]
    assert ValueType.write(value) == [[1, 2], {"at": "2026-01-01T00:00:00+00:00", "n": 5}]
    nested = np.array([None, np.array([np.float64(0.5)])], dtype=object)
    assert ValueType.write(nested) == [None, [0.5]]


@pytest.mark.parametrize("cell", [np.array([math.nan]), [{1}], np.array([{"a": math.nan}])])
def test_what_json_cannot_hold_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        ValueType.write(cell)


@pytest.mark.parametrize(
    ("cell", "text", "for_people"),
    [
        (None, None, "(missing)"),
        (pd.NA, None, "(missing)"),
        ("", "", "(empty)"),
        ((), "[]", "(empty)"),
        (np.array([]), "[]", "(empty)"),
        (True, "True", "yes"),
        (np.bool_(False), "False", "no"),  # noqa: FBT003
        (1, "1", "1"),
        (("a", "b, c"), '["a", "b, c"]', '["a", "b, c"]'),
        (pd.Timestamp("2026-01-01T10:00Z"), *["2026-01-01 10:00:00+00:00"] * 2),
    ],
    ids=repr,
)
def test_a_cell_as_text(cell: Any, text: str | None, for_people: str) -> None:
    assert cell_text(cell) == text
    assert shown_cell(cell) == for_people
