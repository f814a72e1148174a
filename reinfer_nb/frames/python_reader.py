"""Converts the elements of a listing to columns value by value, and reports unreadable values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb import strict_json
from reinfer_nb.frames.columns import Columns, typed, whole_text
from reinfer_nb.schema.fields import fields_of, read_record
from reinfer_nb.schema.value_types import Moment, ValueType
from reinfer_nb.text import shown


def columns(rows: Sequence[Any], model: type) -> Columns:
    """Return the columns of elements, encoded or decoded.

    Args:
        rows: The elements; any that is not an object becomes a row of missing values.
        model: The record class of the elements.

    Raises:
        strict_json.Malformed: An element has a name twice.
    """
    table = fields_of(model)
    known: dict[str, list[Any]] = {field.name: [] for field in table}
    unknown: dict[str, list[Any]] = {}
    problems: list[tuple[int, str]] = []
    for number, row in enumerate(rows):
        element = strict_json.decode(bytes(row)) if isinstance(row, msgspec.Raw) else row
        is_object = isinstance(element, dict)
        values, messages = read_record(model, element if is_object else {})
        if not is_object:
            messages = [f"the element is not an object: {shown(element)}"]
        for column, cells in known.items():
            cells.append(values[column])
        for column, value in values["extra"].items():
            unknown.setdefault(column, [None] * number).append(value)
        for cells in unknown.values():
            cells.extend([None] * (number + 1 - len(cells)))
        for value in values.values():
            texts = value if isinstance(value, tuple) else (value,)
            if any(isinstance(text, str) and whole_text(text) != text for text in texts):
                messages.append("half a character is shown as \N{REPLACEMENT CHARACTER}")
        name = shown(values.get("id"), 24)
        problems.extend((number, f"({name}): {message}") for message in messages)
    return Columns(
        rows=len(rows),
        known={field.name: _column(field.type, known[field.name]) for field in table},
        unknown={name: _plain(values) for name, values in unknown.items()},
        problems=problems,
    )


def _column(value_type: type[ValueType], values: list[Any]) -> Any:
    if value_type.dtype == np.dtype(object):
        cells = (tuple(map(whole_text, v)) if isinstance(v, tuple) else v for v in values)
        return np.fromiter(cells, object, len(values))
    if value_type.json == pa.string() and value_type is not Moment:
        values = [whole_text(value) for value in values]
    kind = value_type.json
    if isinstance(value_type.dtype, pd.DatetimeTZDtype):
        kind = pa.timestamp(value_type.dtype.unit, str(value_type.dtype.tz))
    return pa.array(values, kind)


def _plain(values: list[Any]) -> Any:
    column = typed(values)
    # Keep integers beside fractions: another part may show that the column holds objects.
    plain = isinstance(column, pa.Array) and column.type != pa.float64()
    return column if plain else lambda: values
