"""From the bytes of a CSV to columns of a frame; knows no files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.csvfile import arrow_cells, parser
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile.cells import FLAGS, NUMBERS, WHOLE, fits, reads_as
from reinfer_nb.schema.value_types import EXACT, Flag, Moment, Names, Text, ValueType, Whole
from reinfer_nb.text import shown


class Unreadable(ValueError):
    """A cell cannot be what its column holds.

    Attributes:
        row: Its row, counted from 0 without the header.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def columns(content: memoryview) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the columns of a CSV: the name, and a function that gives the array of a frame.

    That function raises `Unreadable` where a cell cannot be what its column holds.

    Raises:
        NoCSV: It is none.
    """
    types = csv_cells.known_types()

    def read(pair: tuple[str, Any]) -> tuple[str, Callable[[], Any]]:
        name, dtype = csv_cells.column_of(pair[0])
        future: Future[Any] = Future()
        try:
            future.set_result(_column(pair[1], types.get(name), dtype))
        except Exception as error:  # noqa: BLE001 - raised by the function that is returned
            future.set_exception(error)
        return name, future.result

    yield from in_order(read, _cells(content, types), workers=parser.WORKERS, label="csv")


def _cells(content: memoryview, types: Mapping[str, type[ValueType]]) -> list[tuple[str, Any]]:
    """Return the columns of a CSV by header: of a listing's timestamps and flags already values."""
    kinds = {name: _KINDS[type_] for name, type_ in types.items() if type_ in _KINDS}
    columns = parser.columns(content, kinds)
    if all(arrow_cells.exist(cells) for _, cells in columns if cells.type == _KINDS[Moment]):
        return columns
    return parser.columns(content, {})


# As what Arrow reads nothing but what is one, and as what we would.
_KINDS = {Moment: arrow_cells.TIMESTAMP, Flag: pa.bool_()}


def _column(cells: Any, known: type[ValueType] | None, dtype: Any) -> Any:
    """Return the cells of a column as the array of a frame.

    Args:
        cells: The cells, as `_cells` returns them.
        known: The type, of a column of a listing.
        dtype: The dtype that the header says, of another column; None if it says none.

    Raises:
        Unreadable: A cell cannot be what the column holds.
    """
    if cells.type != pa.large_string():
        return (known.dtype if known else dtype).__from_arrow__(cells)
    filled = arrow_cells.without_empty_texts(cells)
    if known is not None:
        dtype = known.dtype
    elif dtype is None:
        dtype = _dtype_by(filled)
    if dtype == Text.dtype:
        return dtype.__from_arrow__(arrow_cells.unguarded(cells, free=known is None))
    # Of any other type an empty text is none: some programs put quotes around every cell.
    texts = filled.combine_chunks()
    if dtype in _PLAIN:
        return dtype.__from_arrow__(_plain_and_odd(texts, *_PLAIN[dtype]))
    if known is Names:
        return _distinct(texts, Names.parse)
    if dtype == np.dtype(object):
        return _objects(_each(texts.to_pylist(), _object))
    return pd.array(_each(texts.to_pylist(), _flag if dtype == Flag.dtype else _number), dtype)


def _dtype_by(texts: Any) -> Any:
    """Return the dtype that the cells of a column tell which nothing says one of."""
    if texts.null_count == len(texts):
        return Text.dtype
    for dtype, (plain, _) in _PLAIN.items():
        if plain(texts).null_count == texts.null_count:
            return dtype
    kinds = _kinds(texts)
    if len(kinds) == 1:
        return _DTYPES[kinds.pop()]
    if kinds == {"whole", "number"}:
        wholes = (int(text) for text in _valid(texts) if WHOLE.fullmatch(text))
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
    """Return what the cells read as; of a text only that there is one."""
    kinds: set[str] = set()
    for text in _valid(texts):
        kind = reads_as(text)
        if kind == "text":
            return {kind}
        kinds.add(kind)
    return kinds


def _valid(texts: Any) -> Iterator[str]:
    """Yield the cells that are there, not all made at once: the first may be enough."""
    for start in range(0, len(texts), 1000):
        yield from texts.slice(start, 1000).drop_null().to_pylist()


def _plain_and_odd(texts: Any, plain: Callable[[Any], Any], read: Callable[[str], Any]) -> Any:
    """Return cells as values: those that Arrow is sure of at once, the others one by one."""
    from pyarrow import compute

    values = plain(texts)
    if values.null_count == texts.null_count:
        return values
    odd = compute.and_(compute.is_valid(texts), compute.is_null(values))
    try:
        read_one_by_one = _each(texts.filter(odd).to_pylist(), read)
    except Unreadable as error:
        error.row = int(np.flatnonzero(odd)[error.row])
        raise
    return compute.replace_with_mask(values, odd, pa.array(read_one_by_one, values.type))


def _distinct(texts: Any, read: Callable[[str], Any]) -> Any:
    """Return cells as an array of objects, each distinct cell read once."""
    encoded = texts.dictionary_encode()
    try:
        values = _each(encoded.dictionary.to_pylist(), read)
    except Unreadable as error:
        error.row = encoded.indices.index(error.row).as_py()
        raise
    # The last of them is what a missing cell is.
    return _objects([*values, None])[encoded.indices.fill_null(len(values)).to_numpy()]


def _each(texts: list[str | None], read: Callable[[str], Any]) -> list[Any]:
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(None if text is None else read(text))
        except (ValueError, RecursionError) as error:
            raise Unreadable(row, f"{shown(text)} {error}.") from None
    return values


def _objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _flag(text: str) -> bool:
    flag = FLAGS.get(text.lower())
    if flag is None:
        raise ValueError("is neither true nor false")
    return flag


_WHOLE_DOUBLE = re.compile(r"([+-]?[0-9]{1,15})\.0+\Z")


def _whole(text: str) -> int:
    # A column with missing cells is one of doubles in pandas.
    text = _WHOLE_DOUBLE.sub(r"\1", text)
    if not WHOLE.fullmatch(text) or not fits(text):
        raise ValueError("is no whole number of 64 bits")
    return int(text)


def _moment(text: str) -> Any:
    try:
        return Moment.read(text)
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def _object(text: str) -> Any:
    # A spreadsheet writes them in capitals.
    if text.lower() in FLAGS:
        return FLAGS[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number") from None


# The dtypes of which Arrow reads the cells that are plainly so, and what reads the others.
_PLAIN: Mapping[Any, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    Whole.dtype: (arrow_cells.wholes, _whole),
    Moment.dtype: (arrow_cells.moments, _moment),
}
