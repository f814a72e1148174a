"""Converts listings to the JSON objects of their rows."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.instants import FIRST, LAST
from reinfer_nb.frames.row_numbers import row_numbers
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, ValueType, is_missing
from reinfer_nb.text import shown

# Types whose converted values are cached, and the size of the cache of a column.
_CACHED = {str, bool}
_CACHE_SIZE = 10_000


def to_elements(
    df: pd.DataFrame, *, model: type = Source, finite: bool = False
) -> list[dict[str, Any]]:
    """Return a listing as JSON objects, without missing values.

    Args:
        df: A listing, or part of one; columns that `model` does not have are kept as they are.
        model: The record class of the rows.
        finite: Refuse infinite numbers, which JSON can only write as numbers such as 1e999.

    Raises:
        InvalidInput: A value does not have the type of its column, or cannot be written as JSON.
    """
    if not df.columns.is_unique or not all(isinstance(name, str) for name in df.columns):
        raise InvalidInput("The frame has a column twice, or one whose name is not a text.")
    fields = {field.name: field for field in fields_of(model)}
    columns: dict[str, list[Any]] = {}
    for name in df.columns:
        field = fields.get(name)
        wire = field.wire if field else name.removeprefix("extra.")
        cells = _plain_cells(df[name], field)
        if cells is None:
            cells = _cells(df[name], field, finite=finite)
        # Columns such as "extra.x" and "x" may have one name; the last value that is there counts.
        earlier = columns.get(wire)
        if earlier is not None:
            pairs = zip(earlier, cells, strict=True)
            cells = [first if cell is None else cell for first, cell in pairs]
        columns[wire] = cells
    names = list(columns)
    return [
        {name: cell for name, cell in zip(names, row, strict=True) if cell is not None}
        for row in zip(*columns.values(), strict=True)
    ] or [{} for _ in range(len(df))]


def _plain_cells(column: pd.Series, field: Field | None) -> list[Any] | None:
    """Return cells whose dtype allows no others than JSON values; None for another dtype."""
    dtype = column.dtype
    if field is not None and dtype != field.type.dtype:
        return None
    try:
        if isinstance(dtype, pd.StringDtype | pd.BooleanDtype | pd.Int64Dtype):
            return pa.array(column, from_pandas=True).to_pylist()  # type: ignore[no-any-return]
        if field is not None and field.type is Moment:
            return _moments(pa.array(column, from_pandas=True))
        if field is not None and field.type is Names:
            return _lists(column.tolist())
    except UnicodeEncodeError:  # Half a character, in a column of Python's texts.
        pass
    return None


def _moments(instants: pa.Array) -> list[str | None] | None:
    """Return instants in UTC as `Moment.write` does; None if it cannot write one of them."""
    ends = compute.min_max(instants.cast(pa.int64())).as_py()
    if ends["min"] is not None and not FIRST <= ends["min"] <= ends["max"] <= LAST:
        return None
    texts = instants.cast(pa.timestamp("us")).cast(pa.string())
    with_t = compute.binary_replace_slice(texts, 10, 11, "T")
    return compute.binary_join_element_wise(with_t, "+00:00", "").to_pylist()  # type: ignore[no-any-return]


def _lists(tuples: list[Any]) -> list[Any] | None:
    """Return tuples of texts as lists; None if there are other cells."""
    if set(map(type, tuples)) != {tuple}:
        return None
    # Fails if an item is a list or an object.
    try:
        items = chain.from_iterable(set(tuples))
    except TypeError:
        return None
    return list(map(list, tuples)) if set(map(type, items)) <= {str} else None


def _cells(column: pd.Series, field: Field | None, *, finite: bool) -> list[Any]:
    """Return the cells of a column as JSON values, checked one by one."""
    write = field.type.write if field else ValueType.write
    # Most columns repeat a few values, so these are converted once.
    cache: dict[Any, Any] = {}
    cells: list[Any] = []
    for number, value in enumerate(column.tolist()):
        kind = type(value)
        if kind in _CACHED and (kind, value) in cache:
            cells.append(cache[kind, value])
            continue
        if is_missing(value):
            cells.append(None)
            continue
        try:
            cell = write(value)
            if finite and not isinstance(value, str):
                _refuse_infinite(cell)
            if field:
                field.type.read(cell)
        except ValueError as error:
            row = row_numbers(column)[number]
            raise InvalidInput(
                f"Column {shown(column.name)}, row {row:,}: {shown(value)} {error}."
            ) from None
        if kind in _CACHED and len(cache) < _CACHE_SIZE:
            cache[kind, value] = cell
        cells.append(cell)
    return cells


def _refuse_infinite(value: Any) -> None:
    if type(value) is list and set(map(type, value)) <= {str}:
        return
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError(
            "is or holds inf, which is not a number in JSON. Write it as text, or clear the cell"
        ) from None


def to_sources(df: pd.DataFrame) -> list[Source]:
    """Return the rows of a listing as sources.

    Raises:
        InvalidInput: As in `to_elements`.
        ProtocolError: A row has no id, owner or name.
    """
    return [Source.from_wire(row) for row in to_elements(df)]
