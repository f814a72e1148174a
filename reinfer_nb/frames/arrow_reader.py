"""Converts the elements of a JSON listing to columns with Arrow, which is fast and strict.

Rows with a value of another type are refused as a whole; `column_reader` reads them instead.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, json

from reinfer_nb.frames import json_slices
from reinfer_nb.frames.columns import TEXT, Columns, arrow_type
from reinfer_nb.frames.instants import instants
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.value_types import Moment, Names

# The Arrow types of unknown values, by type in Python. Others would not arrive unchanged.
_PLAIN = {str: TEXT, int: pa.int64(), bool: pa.bool_(), type(None): pa.null()}


class Refused(ValueError):
    """Arrow cannot read these rows exactly."""


def columns(text: bytes | memoryview, model: type) -> Columns:
    """Return the columns of elements.

    Args:
        text: The elements as JSON, comma-separated, without brackets around them.
        model: The record class of the elements.

    Raises:
        Refused: An element is not an object, a value does not have the type of its field, or an
            object has a name twice.
    """
    table = fields_of(model)
    known_types = [
        (field.wire, TEXT if field.type is Moment else arrow_type(field.type)) for field in table
    ]
    unknown_types = _unknown_types(text, {field.wire for field in table})
    rows = _read(text, pa.struct([*known_types, *unknown_types]))
    known: dict[str, Any] = {}
    for number, field in enumerate(table):
        column = rows.field(number)
        if field.type is Moment:
            column = _moments(column)
        elif field.type is Names:
            column = _tuples(column)
        known[field.name] = column
    unknown = {
        name: rows.field(number) for number, (name, _) in enumerate(unknown_types, len(table))
    }
    return Columns(rows=len(rows), known=known, unknown=unknown)


def _unknown_types(
    text: bytes | memoryview, known: Collection[str]
) -> list[tuple[str, pa.DataType]]:
    """Return the unknown fields of the first element, with the Arrow types of their values.

    Arrow would infer types too, but it would turn a text that looks like a date into a date, and
    give each object the members of all others.
    """
    unknown = []
    for name, value in json_slices.first_element(text).items():
        if name in known:
            continue
        if type(value) not in _PLAIN:
            raise Refused(f"{name} is not of a plain type")
        unknown.append((name, _PLAIN[type(value)]))
    return unknown


def _read(text: bytes | memoryview, element: pa.StructType) -> pa.StructArray:
    # All elements as one list in one row. One element per line would need line breaks between the
    # elements and none inside them, and Arrow crashes if the first line is `null`.
    document = b"".join((b'{"rows":[', text, b"]}"))
    _check_utf8(document)
    try:
        table = json.read_json(
            pa.BufferReader(document),
            # Faster than the default pool, since freed memory is reused without new pages.
            memory_pool=pa.system_memory_pool(),
            read_options=json.ReadOptions(block_size=len(document) + 1, use_threads=False),
            parse_options=json.ParseOptions(
                explicit_schema=pa.schema([("rows", pa.list_(element))]),
                newlines_in_values=True,
                unexpected_field_behavior="error",
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(str(error)) from None
    if table.num_rows != 1 or table.num_columns != 1:
        raise Refused("not one list")
    rows = table["rows"].chunk(0).values
    if rows.null_count:
        raise Refused("an element is null")
    return rows


def _check_utf8(document: bytes) -> None:
    # Arrow's JSON reader does not check the bytes between quotes.
    ends = pa.py_buffer(np.array([0, len(document)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(document)).validate(full=True)
    except pa.ArrowInvalid:
        raise Refused("not UTF-8") from None


def _moments(texts: pa.Array) -> pa.Array:
    try:
        return instants(texts)
    except ValueError as error:
        raise Refused(str(error)) from None


def _tuples(lists: pa.ListArray) -> np.ndarray[Any, Any]:
    """Return lists as tuples; equal lists share one tuple."""
    items = lists.flatten()
    if items.null_count:
        raise Refused("null in a list of texts")
    result = np.empty(len(lists), dtype=object)
    result.fill(())
    if not len(items):
        return result
    encoded = items.dictionary_encode()
    texts = np.array(encoded.dictionary.to_pylist(), dtype=object)
    lengths = _lengths(lists)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    filled = np.flatnonzero(lengths)
    codes = encoded.indices.to_numpy().astype(np.int64)
    base, longest = len(texts) + 1, int(lengths.max())
    if base**longest >= 2**63:
        for row in filled:
            result[row] = tuple(texts[codes[starts[row] : ends[row]]])
        return result
    # Encode each list as one number whose digits are the items, to find the distinct lists.
    digits = codes + 1
    place = np.arange(len(codes)) - np.repeat(starts[filled], lengths[filled])
    numbers = np.add.reduceat(digits * base**place, starts[filled])
    _, firsts, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    tuples = (tuple(texts[codes[starts[row] : ends[row]]]) for row in filled[firsts])
    distinct = np.fromiter(tuples, object, len(firsts))
    result[filled] = distinct[inverse]
    return result


def _lengths(lists: pa.ListArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    lengths = compute.fill_null(compute.list_value_length(lists), 0)
    return np.asarray(lengths, dtype=np.int64)
