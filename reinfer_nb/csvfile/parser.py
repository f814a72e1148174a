"""Parses the bytes of a CSV to Arrow columns of texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.csvfile import encodings
from reinfer_nb.csvfile.cells import BOM, SEPARATORS
from reinfer_nb.csvfile.encodings import NotCSV
from reinfer_nb.schema.added_columns import listing_types

# The first record of a CSV, and a quoted cell in it.
_RECORD = re.compile(rb'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_LINE_END = re.compile(rb"\r\n|\r|\n")
# A place where a row certainly ends: the quote neither opens a cell nor is part of a double quote,
# so it closes a quoted cell. The next piece begins with a quote, not with a byte order mark.
_END_OF_ROW = re.compile(rb'[^",;\t\r\n]"\r?\n(?=")')
# In bytes: the size of a piece for one thread, how far to search for its end, and the block size of
# Arrow, small enough for the processor's cache.
_PIECE = 8 << 20
_SEARCHED = 1 << 16
_BLOCK = 1 << 20
WORKERS = min(4, os.cpu_count() or 1)


def columns(content: memoryview, types: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the columns of a CSV as pairs of a header and an Arrow column.

    The cells are large strings; an empty unquoted cell is null. Columns in `types` have that type
    instead, if Arrow can read all of these columns so.

    Args:
        content: The bytes of the file.
        types: Arrow types by header, for timestamps and truth values.

    Raises:
        NotCSV: The content is not a readable CSV.
    """
    columns = _read_ours(content, types)
    if columns is not None:
        return _with_names(columns, ours=True)
    return _read_any(content)


def _read_any(content: memoryview) -> list[tuple[str, Any]]:
    """Return the columns of a CSV of any program, all as texts."""
    text, sep = encodings.text_of(content)
    head = encodings.head_of(text)
    ours = encodings.is_all_quoted(head, sep)
    is_header_alone = text.strip("\r\n") == head
    if (ours or is_header_alone) and encodings.ends_within_a_line(content.tobytes()):
        raise NotCSV(
            "cut off: its last line is incomplete. If nothing is missing, add a line break at the "
            "end."
        )
    bare = memoryview(text.lstrip("\r\n").encode())
    count = _QUOTED.sub(b"", head.encode()).count(sep.encode()) + 1
    try:
        # As a single block, with the headers as the first row.
        table = _read(bare, sep, [pa.large_string()] * count, block_size=len(bare) + 1)
    except pa.ArrowInvalid:
        table = None
    if table is None or not any(column[0].is_valid for column in table.columns):
        # Rows of different lengths, or empty rows before the header.
        columns = encodings.aligned(text, sep)
        cells = (pa.chunked_array([column[1:]], pa.large_string()) for column in columns)
        return _with_names(zip((column[0] for column in columns), cells, strict=True), ours=ours)
    headers = [column[0].as_py() for column in table.columns]
    table = table.slice(1)
    if not ours:
        table = _without_empty_rows(table)
    return _with_names(zip(headers, table.columns, strict=True), ours=ours)


def _without_empty_rows(table: Any) -> Any:
    from pyarrow import compute

    has_cells = compute.is_valid(table.column(0))
    for column in table.columns[1:]:
        has_cells = compute.or_(has_cells, compute.is_valid(column))
    return table if compute.all(has_cells).as_py() in (True, None) else table.filter(has_cells)


def _with_names(columns: Iterable[tuple[str | None, Any]], *, ours: bool) -> list[tuple[str, Any]]:
    """Return the columns with a name.

    Columns without a name may be empty cells beside the table, or the numbered index that pandas
    writes as the first column.

    Args:
        columns: Headers and cells.
        ours: True if `to_csv` wrote the file. In other files, spaces around the names of a
            listing's columns are removed.

    Raises:
        NotCSV: Any other column has no name.
    """
    named: list[tuple[str, Any]] = []
    for number, (header, cells) in enumerate(columns, start=1):
        bare = (header or "").strip()
        if not ours and bare in listing_types():
            named.append((bare, cells))
        elif header and (ours or bare or not _is_empty(cells)):
            named.append((header, cells))
        elif not (_is_empty(cells) or (not named and _is_index(cells))):
            raise NotCSV(
                f"not a CSV table: column {number} has no name in the first row. Name it, or "
                "delete it."
            )
    if not named:
        raise NotCSV("not a CSV table: no column has a name.")
    return named


def _is_empty(cells: Any) -> bool:
    return set(cells.unique().to_pylist()) <= {None, ""}


def _is_index(cells: Any) -> bool:
    try:
        return cells.null_count == 0 and bool(cells.cast(pa.int64()) is not None)
    except pa.ArrowInvalid:
        return False


def _read_ours(
    content: memoryview, types: Mapping[str, Any]
) -> list[tuple[str | None, Any]] | None:
    """Return the columns of a file that `to_csv` wrote, read in pieces by several threads.

    None for any other file, and if Arrow refuses it; then `_read_any` decides.
    """
    has_bom = content[: len(BOM)] == BOM
    bare = content[len(BOM) :] if has_bom else content
    record = _RECORD.match(bare)
    head = record[0] if record else b""
    outside = _QUOTED.sub(b"", head)
    sep = max(SEPARATORS, key=lambda sep: outside.count(sep.encode()))
    quoted = _QUOTED.findall(head)
    if not quoted or head != sep.encode().join(quoted) or (has_bom and bare[-1] not in b"\r\n"):
        return None
    end = _LINE_END.match(bare, len(head))
    rows = bare[end.end() :] if end else bare[:0]
    # Arrow would drop bytes of the first cell that look like a byte order mark.
    if not rows or rows[: len(BOM)] == BOM:
        return None
    try:
        headers = [cell[1:-1].replace(b'""', b'"').decode() for cell in quoted]
        column_types = [types.get(header, pa.large_string()) for header in headers]
        parts = in_order(
            lambda piece: _read_checked(piece, sep, column_types),
            _pieces(rows),
            workers=WORKERS,
            label="csv",
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    if sum(quotes for quotes, _ in parts) % 2:
        return None
    table = pa.concat_tables(table for _, table in parts)
    return list(zip(headers, table.columns, strict=True))


def _pieces(rows: memoryview) -> Iterator[memoryview]:
    """Yield the rows of a CSV in pieces, split only where a row certainly ends."""
    start = 0
    for at in range(_PIECE, len(rows), _PIECE):
        end = _END_OF_ROW.search(rows, max(start, at), at + _SEARCHED)
        if end:
            yield rows[start : end.end()]
            start = end.end()
    yield rows[start:]


def _read_checked(piece: memoryview, sep: str, types: list[Any]) -> tuple[int, Any]:
    """Return the number of quotes in a piece of a CSV, and its rows.

    Raises:
        pa.ArrowInvalid: The piece is not UTF-8, or does not have these columns and types.
    """
    # Validates the whole piece, since Arrow's CSV reader checks only the cells, after unquoting.
    ends = pa.py_buffer(np.array([0, len(piece)], np.int64))
    pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(piece)).validate(full=True)
    octets = np.frombuffer(piece, np.uint8)
    blocks = (octets[start : start + _BLOCK] for start in range(0, len(octets), _BLOCK))
    quotes = sum(int(np.count_nonzero(block == ord('"'))) for block in blocks)
    return quotes, _read(piece, sep, types, block_size=_block_size(piece))


def _read(piece: memoryview, sep: str, types: list[Any], *, block_size: int) -> Any:
    from pyarrow import csv

    names = [f"f{number}" for number in range(len(types))]
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(piece)),
        read_options=csv.ReadOptions(
            column_names=names,
            use_threads=False,
            block_size=block_size,
        ),
        parse_options=csv.ParseOptions(
            delimiter=sep,
            newlines_in_values=True,
            # In a single column, an empty line is a missing value.
            ignore_empty_lines=len(names) > 1,
        ),
        convert_options=csv.ConvertOptions(
            check_utf8=False,
            column_types=dict(zip(names, types, strict=True)),
            true_values=["true", "TRUE"],
            false_values=["false", "FALSE"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def _block_size(piece: memoryview) -> int:
    r"""Return a block size with which no block begins within a `\r\n`.

    There, Arrow would drop the line feed even between quotes.
    """
    for size in range(_BLOCK, _BLOCK + 100):
        ends = range(size, len(piece), size)
        if all(bytes(piece[end - 1 : end + 1]) != b"\r\n" for end in ends):
            return size
    return len(piece) + 1
