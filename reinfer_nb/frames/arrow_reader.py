"""Converts the elements of a JSON listing to columns with Arrow, which is fast and strict.

Rows with a value of another type are refused as a whole; `python_reader` reads them instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import compute, json

from reinfer_nb.frames.columns import Columns
from reinfer_nb.nesting import DEEPEST
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.value_types import Moment, Names

_TIMESTAMP = pa.timestamp("us", "UTC")
# The first and the last time that a `datetime` can hold, in microseconds.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
# Types that Arrow infers without changing a value. It would turn a text that looks like a date into
# a date, a large integer into a float, and would give each object the members of all others.
_PLAIN = {pa.string(), pa.int64(), pa.bool_(), pa.null()}


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
    rows = _read(text, pa.struct([(field.wire, field.type.json) for field in table]))
    known: dict[str, Any] = {}
    for number, field in enumerate(table):
        column = rows.field(number)
        if field.type is Moment:
            column = _moments(column)
        elif field.type is Names:
            column = _tuples(column)
        known[field.name] = column
    unknown: dict[str, Any] = {}
    to_decode = []
    for number in range(len(table), rows.type.num_fields):
        name = rows.type.field(number).name
        if rows.type.field(number).type in _PLAIN:
            unknown[name] = rows.field(number)
        elif _is_too_deep(rows.type.field(number).type):
            raise Refused(f"{name} is nested too deeply")
        else:
            to_decode.append(name)
    unknown |= _decoded(text, to_decode)
    return Columns(rows=len(rows), known=known, unknown=unknown)


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
                unexpected_field_behavior="infer",
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


def _moments(column: pa.Array) -> pa.Array:
    try:
        instants = column.cast(_TIMESTAMP)
    except pa.ArrowInvalid as error:
        raise Refused(str(error)) from None
    ends = compute.min_max(instants.cast(pa.int64())).as_py()
    if ends["min"] is not None and not _FIRST <= ends["min"] <= ends["max"] <= _LAST:
        raise Refused("a time outside the years 1 to 9999")
    return instants


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


def _is_too_deep(kind: pa.DataType) -> bool:
    """True if a type is nested more deeply than a cell may be."""
    pending = [(kind, 1)]
    while pending:
        inner, depth = pending.pop()
        if not pa.types.is_nested(inner):
            continue
        if depth > DEEPEST:
            return True
        pending.extend((inner.field(number).type, depth + 1) for number in range(inner.num_fields))
    return False


def _decoded(text: bytes | memoryview, names: list[str]) -> dict[str, Callable[[], list[Any]]]:
    """Return a function for each name, which returns this member of all elements."""
    if not names:
        return {}
    try:
        elements = _DECODER.decode(b"".join((b"[", text, b"]")))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(str(error)) from None
    return {name: functools.partial(_member, elements, name) for name in names}


def _member(elements: list[dict[str, Any]], name: str) -> list[Any]:
    return [element.get(name) for element in elements]


_DECODER = msgspec.json.Decoder(list[dict[str, Any]])
