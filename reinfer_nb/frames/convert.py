"""Converts listings to DataFrames: one row per element, every column, fixed dtypes.

Two readers give the same result. `column_reader` takes any elements; `arrow_reader` is faster for
long listings, and refuses the slices that Arrow cannot read exactly.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionArray
from pandas.api.internals import create_dataframe_from_blocks

from reinfer_nb.concurrency import in_order
from reinfer_nb.errors import UnreadableWarning, warn
from reinfer_nb.frames import arrow_reader, column_reader, json_slices
from reinfer_nb.frames.columns import TEXT, Columns, typed, whole_text
from reinfer_nb.garbage import no_collections
from reinfer_nb.schema.added_columns import ADDED
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source, column_of_unknown
from reinfer_nb.schema.value_types import is_missing
from reinfer_nb.text import counted, listed

_MOST_REFUSED = 2
# Arrow reads so many bytes at once at least, and at most a part of the listing.
_ARROW_BYTES, _MAX_SLICES = 1 << 20, 16
# The column reader reads so many bytes at once. More would leave the processor's cache.
_BYTES = 1 << 19
_WORKERS = min(4, os.cpu_count() or 1)


def from_listing(
    body: bytes, *, key: str = "sources", model: type = Source
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Return the response of a listing endpoint as its envelope and a DataFrame.

    Args:
        body: The JSON text, an object with the listing as its member `key`.
        key: The name of the member.
        model: The record class of the elements: `Source`, `Project` or `Bucket`.

    Returns:
        The object without that member, and a frame as `from_elements` returns it, or None if there
        is no such member.

    Raises:
        Malformed: The body is not a JSON object, the member is not a list, or an object has a name
            twice.

    Warns:
        UnreadableWarning: Some values could not be read and are missing; one warning names the
            rows.
    """
    with no_collections():
        envelope, parts = _read(body, key, model)
        if parts is None:
            return envelope, None
        df = _assembled(parts, model)
    _warn(parts)
    return envelope, df


def from_elements(rows: Sequence[Any], *, model: type = Source) -> pd.DataFrame:
    """Return decoded elements of a listing as a DataFrame.

    Args:
        rows: The elements; any that is not an object becomes a row of missing values.
        model: The record class of the elements.

    Returns:
        One row per element, in order, over a `RangeIndex`; the columns of `model` with their
        dtypes, then a column for each unknown field, sorted by name.

    Warns:
        UnreadableWarning: Some values could not be read and are missing; one warning names the
            rows.
    """
    parts = [column_reader.columns(rows, model)]
    _warn(parts)
    return _assembled(parts, model)


# Set by the tenant in each update.
_TIMES = ("updated_at", "last_modified")


def with_source(
    df: pd.DataFrame, source: Source, sent: Collection[str]
) -> tuple[pd.DataFrame, int] | None:
    """Return a listing with the new version of one of its sources, after an update.

    Args:
        df: A listing; it may have the columns that the toolkit adds, such as `num_comments`.
        source: The new version, matched by its id.
        sent: The names of the fields that the update has sent.

    Returns:
        The new listing and the position of the source. None if the listing must be fetched again:
        the source is not in exactly one row, the row may be newer, or anything but the sent fields
        and the time of the update differs.
    """
    positions = np.flatnonzero(df["id"] == source.id)
    if len(positions) != 1 or source.updated_at is None:
        return None
    position = int(positions[0])
    row, new = from_elements([source.to_wire()]), df.copy()
    before = df["updated_at"].iloc[position]
    if is_missing(before) or before > source.updated_at or not set(row.columns) <= set(df.columns):
        return None
    for name in df.columns.drop(list(ADDED), errors="ignore"):
        column = df[name].array
        value = row[name].array[0] if name in row else None
        if name in sent or name in _TIMES:
            if row[name].dtype != df[name].dtype:
                return None
            column = column.copy()
            column[position] = value
            new[name] = column
        elif not _is_same(column[position], value):
            return None
    return new, position


def _is_same(before: Any, after: Any) -> bool:
    if is_missing(before) or is_missing(after):
        return is_missing(before) and is_missing(after)
    return type(before) is type(after) and bool(before == after)


def _read(body: bytes, key: str, model: type) -> tuple[dict[str, Any], list[Columns] | None]:
    """Return the envelope of a listing and the columns of its parts; None without a listing."""
    for find, read in (
        (json_slices.guessed, _parts),
        (json_slices.located, _parts),
        # Cuts into slices may be wrong.
        (json_slices.located, _one_part),
    ):
        try:
            envelope, text = find(body, key)
            return envelope, read(text, model)
        except json_slices.Irregular:
            continue
    envelope, rows = json_slices.split(body, key)
    return envelope, None if rows is None else [column_reader.columns(rows, model)]


def _one_part(text: memoryview, model: type) -> list[Columns]:
    return [column_reader.Reader(model).columns(text)]


def _parts(text: memoryview, model: type) -> list[Columns]:
    """Return the columns of the slices of a listing."""
    reader = column_reader.Reader(model)
    slices = json_slices.slices(text, max(len(text) // _MAX_SLICES, _ARROW_BYTES))
    if len(slices) == 1:
        return [reader.columns(piece) for piece in json_slices.slices(text, _BYTES)]
    refused: list[memoryview] = []

    def by_arrow(text: memoryview) -> Columns | None:
        # Where Arrow has refused several slices, it is not worth while to try the others.
        if len(refused) >= _MOST_REFUSED:
            return None
        try:
            return arrow_reader.columns(text, model)
        except arrow_reader.Refused:
            refused.append(text)
            return None

    read = in_order(by_arrow, slices, workers=_WORKERS, label="listing")
    parts: list[Columns] = []
    for slice_text, part in zip(slices, read, strict=True):
        # Not in the threads: they would wait for the interpreter's lock, and take longer than one.
        pieces = json_slices.slices(slice_text, _BYTES) if part is None else []
        parts += [part] if part else map(reader.columns, pieces)
    return parts


def _assembled(parts: list[Columns], model: type) -> pd.DataFrame:
    parts = parts or [column_reader.columns([], model)]
    columns: dict[str, Any] = {}
    for field in fields_of(model):
        columns[field.name] = _column(field.type.dtype, [part.known[field.name] for part in parts])
    for name in sorted({name for part in parts for name in part.unknown}):
        column = whole_text(name) or ""
        while column in columns:
            column = column_of_unknown(column, columns)
        columns[column] = _unknown([part.unknown_column(name) for part in parts])
    # `pd.DataFrame` takes twice as long.
    blocks = [
        (column if isinstance(column, ExtensionArray) else column.reshape(1, -1), np.array([place]))
        for place, column in enumerate(columns.values())
    ]
    rows = pd.RangeIndex(sum(part.rows for part in parts))
    frame: pd.DataFrame = create_dataframe_from_blocks(
        blocks, index=rows, columns=pd.Index(list(columns))
    )
    return frame


def _column(dtype: Any, pieces: list[Any]) -> Any:
    if isinstance(dtype, np.dtype):
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return dtype.__from_arrow__(pa.chunked_array(pieces))


_UNKNOWN_DTYPES = {
    TEXT: pd.StringDtype(na_value=np.nan),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.float64(): pd.Float64Dtype(),
}


def _unknown(pieces: list[pa.Array | list[Any]]) -> Any:
    """Return the column of an unknown field, of a plain dtype if possible, else of objects."""
    plain = [piece for piece in pieces if isinstance(piece, pa.Array)]
    kinds = {piece.type for piece in plain} - {pa.null()}
    if len(plain) == len(pieces) and len(kinds) == 1:
        (kind,) = kinds
        return _column(_UNKNOWN_DTYPES[kind], [piece.cast(kind) for piece in plain])
    values = [
        value
        for piece in pieces
        for value in (piece.to_pylist() if isinstance(piece, pa.Array) else piece)
    ]
    column = typed(values)
    if isinstance(column, pa.Array) and column.type != pa.null():
        return _column(_UNKNOWN_DTYPES[column.type], [column])
    return np.fromiter(values, object, len(values))


def _warn(parts: list[Columns]) -> None:
    starts = accumulate((part.rows for part in parts), initial=0)
    problems = [
        f"row {start + row:,} {line}"
        for part, start in zip(parts, starts, strict=False)
        for row, line in part.problems
    ]
    if problems:
        rows = counted(sum(part.rows for part in parts), "row")
        warn(
            f"{counted(len(problems), 'value')} in {rows} could not be read and became missing: "
            f"{listed(problems)}",
            UnreadableWarning,
        )
