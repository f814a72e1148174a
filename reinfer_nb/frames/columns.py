"""Column data of one part of a listing, as both readers return it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.frames.instants import INSTANT
from reinfer_nb.schema.value_types import EXACT, INT64, Moment, Text, ValueType

# pandas holds texts as this type, so a column of it needs no conversion.
TEXT = pa.large_string()


def arrow_type(value_type: type[ValueType]) -> pa.DataType:
    """Return the Arrow type of a column of known values."""
    if value_type is Text:
        return TEXT
    return INSTANT if value_type is Moment else value_type.json


@dataclass
class Columns:
    """The columns of one part of a listing.

    Attributes:
        rows: The number of rows.
        known: By field name: an Arrow column of the field's type, or an array of objects.
        unknown: By JSON name: a plain Arrow column, or a function that returns the list of values.
        problems: Unreadable values: the row, counted within this part, and a message.
    """

    rows: int
    known: dict[str, Any]
    unknown: dict[str, pa.Array | Callable[[], Sequence[Any]]] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def unknown_column(self, name: str) -> pa.Array | Sequence[Any]:
        """Return the column of an unknown field; all cells are missing if this part has none."""
        column = self.unknown.get(name)
        if column is None:
            return pa.nulls(self.rows)
        return column() if callable(column) else column


def typed(values: Sequence[Any]) -> pa.Array | Sequence[Any]:
    """Return values as an Arrow column if they have one plain type, else as they are.

    Plain are texts, 64-bit integers, truth values and numbers; `None` is missing.
    """
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {str}:
        return _text_array(values)
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    numbers = [value for value in values if type(value) is int]
    if kinds == {int} and all(number in INT64 for number in numbers):
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and all(number in EXACT for number in numbers):
        return pa.array(values, pa.float64())
    return values


def _text_array(texts: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(texts, TEXT)
    except UnicodeEncodeError:
        return pa.array(map(whole_text, texts), TEXT)


def tuples_of(lists: Sequence[Any]) -> Any:
    """Return lists of texts as tuples; equal lists share one tuple. None if a cell is no such list.

    Raises:
        TypeError: An item of a list is a list or an object.
    """
    if not set(map(type, lists)) <= {list, type(None)}:
        return None
    tuples = [tuple(items or ()) for items in lists]
    distinct = {items: items for items in tuples}
    texts = list(chain.from_iterable(distinct))
    if not set(map(type, texts)) <= {str} or not all(whole_text(text) == text for text in texts):
        return None
    return np.fromiter(map(distinct.__getitem__, tuples), object, len(tuples))


def has_time_zone(dtype: Any) -> bool:
    """True if a dtype of pandas or Arrow holds timestamps with a time zone."""
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        return pa.types.is_timestamp(kind) and kind.tz is not None
    return isinstance(dtype, pd.DatetimeTZDtype)


def whole_text(text: str | None) -> str | None:
    """Return a text with lone surrogates replaced, which UTF-8 cannot encode."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
