"""What both ways to a frame hand over: columns of one part of a listing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from reinfer_nb.schema.value_types import EXACT, INT64


@dataclass
class Columns:
    """Columns of `rows` rows.

    Attributes:
        rows: How many.
        known: By field name: an Arrow column of the field's type, or an array of objects.
        unknown: By JSON name: a plain Arrow column, or a function that makes the list of values.
        problems: What could not be understood: the row, counted in this part, and a line.
    """

    rows: int
    known: dict[str, Any]
    unknown: dict[str, pa.Array | Callable[[], list[Any]]] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def unknown_column(self, name: str) -> pa.Array | list[Any]:
        """Return an unknown field's column, all missing where this part does not have it."""
        column = self.unknown.get(name)
        if column is None:
            return pa.nulls(self.rows)
        return column() if callable(column) else column


def typed(values: list[Any]) -> pa.Array | list[Any]:
    """Return values as a plain Arrow column if they are of one plain type, else as they are.

    Texts, whole numbers of 64 bits, truth values and numbers are plain; `None` is missing.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {str}:
        return pa.array(map(whole_text, values), pa.string())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    numbers = [value for value in values if type(value) is int]
    if kinds == {int} and all(number in INT64 for number in numbers):
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and all(number in EXACT for number in numbers):
        return pa.array(values, pa.float64())
    return values


def whole_text(text: str | None) -> str | None:
    """Return a text that UTF-8 can hold: lone surrogates become the replacement character."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
