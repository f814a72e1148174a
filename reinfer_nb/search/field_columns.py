"""The columns of a listing, each prepared to be compared with the values of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.frames.cells import TEXT, as_arrow, instants_of, texts_of
from reinfer_nb.schema.added_columns import ADDED, Number
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import LISTS, Flag, Moment, Names, Text, Whole, is_missing
from reinfer_nb.search.field_values import (
    comparisons,
    number,
    numbers_matching,
    period,
    shown_value,
    times_matching,
)
from reinfer_nb.search.text_index import Haystack, Mask, folded, folded_text, one_line

SOURCE_FIELDS = {field.name: field for field in fields_of(Source)}
# As Arrow makes them of tuples; it joins no other lists.
_LISTS_OF_TEXTS = pa.list_(pa.string())

# The rows that match a value, None if it restricts nothing yet; and the part of the value that is
# not complete. Raises ValueError if the value cannot be read.
Matching = Callable[[str], tuple[Mask | None, str]]


class FieldColumn:
    """A column of a listing, prepared to be compared with values of a search.

    Args:
        name: The name of the column.
        cells: The column.

    Attributes:
        matching: Returns the rows that match a value in lower case.
    """

    def __init__(self, name: str, cells: pd.Series) -> None:
        self._cells = cells
        self._values = _decoded(as_arrow(cells))
        self.matching = _preparation(name, self._values)(cells, self._values)

    @cached_property
    def is_none(self) -> Mask:
        """A mask of the rows without a value: missing ones and empty lists."""
        if self._values is None:
            return np.array([is_missing(cell) or _is_empty_list(cell) for cell in self._cells])
        missing = np.asarray(compute.is_null(self._values, nan_is_null=True), dtype=np.bool_)
        return missing | self.is_empty if _is_list(self._values) else missing

    @cached_property
    def is_empty(self) -> Mask:
        """A mask of the rows with an empty text or an empty list."""
        values = self._values
        if values is None:
            cells = self._cells
            return np.array([_is_empty_list(cell) or _is_empty_text(cell) for cell in cells])
        if values.type == TEXT:
            empty = compute.equal(values, "")
        elif _is_list(values):
            empty = compute.equal(compute.list_value_length(values), 0)
        else:
            return np.zeros(len(values), dtype=np.bool_)
        return np.asarray(empty.fill_null(fill_value=False), dtype=np.bool_)


def _is_list(values: Any) -> bool:
    kind = values.type
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_empty_list(cell: object) -> bool:
    return isinstance(cell, LISTS) and len(cell) == 0


def _is_empty_text(cell: object) -> bool:
    return isinstance(cell, str) and not cell


def _decoded(values: Any) -> Any:
    """Return an Arrow array without categories; None stays None."""
    if values is None or not pa.types.is_dictionary(values.type):
        return values
    decoded = values.dictionary_decode()
    return decoded.cast(TEXT) if pa.types.is_string(decoded.type) else decoded


def _preparation(name: str, values: Any) -> Callable[[pd.Series, Any], Matching]:
    """Return the function that prepares a column: by its field, or else by its values."""
    field = SOURCE_FIELDS.get(name)
    if field is not None:
        codes = field.about.allowed
        return _BY_TYPE[field.type] if codes is None else partial(_code, codes)
    if name in ADDED:
        return _BY_TYPE[ADDED[name]]
    kind = pa.null() if values is None else values.type
    if _is_number(kind):
        return _number
    if pa.types.is_boolean(kind):
        return _flag
    return _time if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else _text


def _is_number(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _texts(cells: pd.Series, values: Any) -> Any:
    """Return the cells as the search compares texts; a missing one is missing."""
    if values is not None and values.type == TEXT:
        texts = values
    elif values is not None and values.type == _LISTS_OF_TEXTS and not values.flatten().null_count:
        texts = compute.binary_join(values, ", ").cast(TEXT)
    else:
        texts = texts_of(cells)
    return folded(one_line(texts))


def _text(cells: pd.Series, values: Any) -> Matching:
    haystack = Haystack(compute.fill_null(_texts(cells, values), ""))
    return lambda value: (haystack.found([value]), "")


def _code(meanings: Mapping[str, str], cells: pd.Series, values: Any) -> Matching:
    encoded = _texts(cells, values).dictionary_encode()
    codes = encoded.dictionary.to_pylist()
    indices = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
    words = {folded_text(code): f" {folded_text(text)}" for code, text in meanings.items()}

    def matching(value: str) -> tuple[Mask, str]:
        if value in codes or value in words:
            matches = [code == value for code in codes]
        else:
            # The meaning has a word that begins with the value.
            word = f" {value}"
            matches = [code.startswith(value) or word in words.get(code, "") for code in codes]
        # The last is for missing codes.
        return np.array([*matches, False], dtype=np.bool_)[indices], ""

    return matching


def _number(cells: pd.Series, values: Any) -> Matching:
    if values is None or not _is_number(values.type):
        # A file that was read as texts.
        texts = pd.Series(texts_of(cells).to_pylist(), dtype=object)
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    else:
        if pa.types.is_decimal(values.type):
            values = values.cast(pa.float64())
        numbers = np.asarray(compute.fill_null(values, 0))
    present = ~np.asarray(compute.is_null(values), dtype=np.bool_) if values is not None else True

    def matching(value: str) -> tuple[Mask | None, str]:
        conditions, incomplete = comparisons(value, number)
        rows = numbers_matching(numbers, conditions) & present if conditions else None
        return rows, incomplete

    return matching


def _time(cells: pd.Series, _: Any) -> Matching:
    times = instants_of(cells)

    def matching(value: str) -> tuple[Mask | None, str]:
        conditions, incomplete = comparisons(value, period)
        return times_matching(times, conditions) if conditions else None, incomplete

    return matching


def _flag(cells: pd.Series, values: Any) -> Matching:
    if values is None or not pa.types.is_boolean(values.type):
        # Flags among other values, or a file that was read as texts.
        texts = _texts(cells, values)
    else:
        texts = compute.if_else(values, "yes", "no")

    def matching(value: str) -> tuple[Mask, str]:
        for words in (("yes", "true"), ("no", "false")):
            if any(word.startswith(value) for word in words):
                rows = compute.is_in(texts, pa.array(words, texts.type))
                return np.asarray(rows, dtype=np.bool_), ""
        raise ValueError(f"{shown_value(value)} is not yes or no")

    return matching


_BY_TYPE: Mapping[type, Callable[[pd.Series, Any], Matching]] = {
    Text: _text,
    Names: _text,
    Whole: _number,
    Number: _number,
    Flag: _flag,
    Moment: _time,
}
