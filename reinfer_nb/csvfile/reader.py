"""Converts the bytes of a CSV to columns of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.csvfile import arrow_cells, parser
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile.cells import NUMBERS, WHOLE, reads_as
from reinfer_nb.schema.added_columns import listing_types
from reinfer_nb.schema.value_types import EXACT, Flag, Moment, Names, Text, ValueType, Whole
from reinfer_nb.text import shown


class Unreadable(ValueError):
    """A cell is invalid for its column.

    Attributes:
        row: The row of the cell, counted from 0 without the header.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def columns(content: memoryview) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the columns of a CSV: the name, and a function that returns the array of a frame.

    The function raises `Unreadable` if a cell is invalid for its column.

    Raises:
        NotCSV: The content is not a readable CSV.
    """
    types = listing_types()

    def read(pair: tuple[str, Any]) -> tuple[str, Callable[[], Any]]:
        name, dtype = csv_cells.column_of(pair[0])
        future: Future[Any] = Future()
        try:
            future.set_result(_column(pair[1], types.get(name), dtype))
        except Exception as error:  # noqa: BLE001 - raised by the returned function
            future.set_exception(error)
        return name, future.result

    yield from in_order(read, _cells(content, types), workers=parser.WORKERS, label="csv")


def _cells(content: memoryview, types: Mapping[str, type[ValueType]]) -> list[tuple[str, Any]]:
    """Return headers and cells: values for a listing's timestamps and flags, else texts."""
    arrow_types = {n: _ARROW_TYPES[type_] for n, type_ in types.items() if type_ in _ARROW_TYPES}
    columns = parser.columns(content, arrow_types)
    times = [cells for _, cells in columns if cells.type == arrow_cells.TIMESTAMP]
    return columns if all(map(arrow_cells.are_valid_years, times)) else parser.columns(content, {})


# Types for which Arrow's CSV reader accepts the same cells as we do.
_ARROW_TYPES = {Moment: arrow_cells.TIMESTAMP, Flag: pa.bool_()}


def _column(cells: Any, known: type[ValueType] | None, dtype: Any) -> Any:
    """Return the cells of a column as the array of a frame.

    Args:
        cells: The cells, as `_cells` returns them.
        known: The type of a column of a listing; None for a free column.
        dtype: The dtype in the header of a free column; None if the header has none.

    Raises:
        Unreadable: A cell is invalid for the column.
    """
    if cells.type != pa.large_string():
        return (known.dtype if known else dtype).__from_arrow__(cells)
    filled = arrow_cells.without_empty_texts(cells)
    if known is not None:
        dtype = known.dtype
    elif dtype is None:
        dtype = _inferred_dtype(filled)
    if dtype == Text.dtype:
        return dtype.__from_arrow__(arrow_cells.unguarded(cells, free=known is None))
    # For other types, an empty text is a missing value: some programs quote every cell.
    texts = filled.combine_chunks()
    if dtype in _READERS:
        return dtype.__from_arrow__(_values(texts, *_READERS[dtype]))
    if known is Names:
        return _distinct(texts, Names.parse)
    if dtype == np.dtype(object):
        return np.fromiter(_each(texts.to_pylist(), csv_cells.json_value), object)
    read = csv_cells.flag if dtype == Flag.dtype else csv_cells.number
    return pd.array(_each(texts.to_pylist(), read), dtype)


def _inferred_dtype(texts: Any) -> Any:
    """Return the dtype of a column that its cells show."""
    if texts.null_count == len(texts):
        return Text.dtype
    for dtype, (read_all, _) in _READERS.items():
        if read_all(texts).null_count == texts.null_count:
            return dtype
    kinds = _kinds(texts)
    if len(kinds) == 1:
        return _DTYPES[kinds.pop()]
    if kinds == {"whole", "number"}:
        wholes = (int(text) for text in _present(texts) if WHOLE.fullmatch(text))
        if all(whole in EXACT for whole in wholes):
            return NUMBERS
    return Text.dtype


_DTYPES: Mapping[str, Any] = {
    "whole": Whole.dtype,
    "number": NUMBERS,
    "flag": Flag.dtype,
    "moment": Moment.dtype,
    "text": Text.dtype,
}


def _kinds(texts: Any) -> set[str]:
    """Return the types of the cells; only "text" if there is any text."""
    kinds: set[str] = set()
    for text in _present(texts):
        kind = reads_as(text)
        if kind == "text":
            return {kind}
        kinds.add(kind)
    return kinds


def _present(texts: Any) -> Iterator[str]:
    """Yield the cells that are not missing, converted in batches: the first may be enough."""
    for start in range(0, len(texts), 1000):
        yield from texts.slice(start, 1000).drop_null().to_pylist()


def _values(texts: Any, read_all: Callable[[Any], Any], read: Callable[[str], Any]) -> Any:
    """Return cells as values, read by Arrow where possible, and one by one elsewhere."""
    from pyarrow import compute

    values = read_all(texts)
    if values.null_count == texts.null_count:
        return values
    unread = compute.and_(compute.is_valid(texts), compute.is_null(values))
    try:
        others = _each(texts.filter(unread).to_pylist(), read)
    except Unreadable as error:
        error.row = int(np.flatnonzero(unread)[error.row])
        raise
    return compute.replace_with_mask(values, unread, pa.array(others, values.type))


def _distinct(texts: Any, read: Callable[[str], Any]) -> Any:
    """Return cells as an array of objects; each distinct cell is read once."""
    encoded = texts.dictionary_encode()
    try:
        values = _each(encoded.dictionary.to_pylist(), read)
    except Unreadable as error:
        error.row = encoded.indices.index(error.row).as_py()
        raise
    # The additional None at the end stands for missing cells.
    return np.fromiter([*values, None], object)[encoded.indices.fill_null(len(values)).to_numpy()]


def _each(texts: list[str | None], read: Callable[[str], Any]) -> list[Any]:
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(None if text is None else read(text))
        except (ValueError, RecursionError) as error:
            raise Unreadable(row, f"{shown(text)} {error}.") from None
    return values


# By dtype: the reader of a column by Arrow, which leaves other cells null, and that of a cell.
_READERS: Mapping[Any, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    Whole.dtype: (arrow_cells.wholes, csv_cells.whole),
    Moment.dtype: (arrow_cells.moments, csv_cells.moment),
}
