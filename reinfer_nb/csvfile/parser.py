"""From the bytes of a CSV to its cells, as Arrow columns of texts; knows not what they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile import encodings
from reinfer_nb.csvfile.cells import BOM, SEPARATORS
from reinfer_nb.csvfile.encodings import NoCSV

# The first record of a CSV, and what in it stands between quotes.
_RECORD = re.compile(rb'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Whatever comes before, a row ends here: the quote neither opens a cell nor is one of two, so if
# it is between quotes it closes them. What follows is not taken for a byte order mark.
_END_OF_ROW = re.compile(rb'[^",;\t\r\n]"\r?\n(?=")')
# In bytes: what one thread reads, how far to look for its end, and what Arrow reads at once, so
# that what the cells are made of is still near at hand.
_PIECE = 8 << 20
_SEARCHED = 1 << 16
_BLOCK = 1 << 20
WORKERS = min(4, os.cpu_count() or 1)


def columns(content: memoryview, kinds: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the columns of a CSV, each with its header, as Arrow columns.

    Their cells are large strings, null where a cell is empty and unquoted; or what `kinds` says,
    if all such columns can be had so.

    Args:
        content: The bytes.
        kinds: By header, the Arrow type to read cells as: timestamps or truth values.

    Raises:
        NoCSV: It is none.
    """
    at_once = _at_once(content, kinds)
    if at_once is not None:
        return _named(at_once, ours=True)
    return _carefully(content)


def _carefully(content: memoryview) -> list[tuple[str, Any]]:
    """Return the columns of a CSV that any program wrote, all as texts."""
    text, sep = encodings.text_of(content)
    head = encodings.head_of(text)
    ours = encodings.is_all_quoted(head, sep)
    is_header_alone = text.strip("\r\n") == head
    if (ours or is_header_alone) and encodings.ends_within_a_line(content.tobytes()):
        raise NoCSV(
            "cut off: its last line is not whole. If nothing is missing, end it with a line break."
        )
    bare = memoryview(text.lstrip("\r\n").encode())
    count = _QUOTED.sub(b"", head.encode()).count(sep.encode()) + 1
    try:
        # In one piece, the headers being its first row.
        table = _read(bare, sep, [pa.large_string()] * count, block_size=len(bare) + 1)
    except pa.ArrowInvalid:
        table = None
    if table is None or not any(column[0].is_valid for column in table.columns):
        # Rows of several lengths, or empty ones before the header.
        columns = encodings.aligned(text, sep)
        cells = (pa.chunked_array([column[1:]], pa.large_string()) for column in columns)
        return _named(zip((column[0] for column in columns), cells, strict=True), ours=ours)
    headers = [column[0].as_py() for column in table.columns]
    table = table.slice(1)
    if not ours:
        table = _without_empty_rows(table)
    return _named(zip(headers, table.columns, strict=True), ours=ours)


def _without_empty_rows(table: Any) -> Any:
    from pyarrow import compute

    filled = compute.is_valid(table.column(0))
    for column in table.columns[1:]:
        filled = compute.or_(filled, compute.is_valid(column))
    return table if compute.all(filled).as_py() in (True, None) else table.filter(filled)


def _named(columns: Iterable[tuple[str | None, Any]], *, ours: bool) -> list[tuple[str, Any]]:
    """Return the columns of a CSV less those without a name that hold nothing of a source.

    These are empty cells beside a table, and the index that pandas writes before it: numbers.

    Args:
        columns: Headers and cells.
        ours: Whether `to_csv` wrote the file. Elsewhere spaces around a name that a listing has
            are left out.

    Raises:
        NoCSV: Another column has no name.
    """
    named: list[tuple[str, Any]] = []
    for number, (header, cells) in enumerate(columns, start=1):
        bare = (header or "").strip()
        if not ours and bare in csv_cells.known_types():
            named.append((bare, cells))
        elif header and (bare or not _is_empty(cells)):
            named.append((header, cells))
        elif not (_is_empty(cells) or (not named and _is_index(cells))):
            raise NoCSV(
                f"no CSV: column {number} has no name in the first row. Name it, or delete it."
            )
    if not named:
        raise NoCSV("no CSV of a table: no column of it has a name.")
    return named


def _is_empty(cells: Any) -> bool:
    return set(cells.unique().to_pylist()) <= {None, ""}


def _is_index(cells: Any) -> bool:
    try:
        return cells.null_count == 0 and bool(cells.cast(pa.int64()) is not None)
    except pa.ArrowInvalid:
        return False


def _at_once(content: memoryview, kinds: Mapping[str, Any]) -> list[tuple[str | None, Any]] | None:
    """Return the columns of a CSV as `to_csv` writes it, read in pieces side by side.

    None of any other, and where Arrow will not have it: that is for the other way to judge.
    """
    marked = content[: len(BOM)] == BOM
    bare = content[len(BOM) :] if marked else content
    record = _RECORD.match(bare)
    head = record[0] if record else b""
    outside = _QUOTED.sub(b"", head)
    sep = max(SEPARATORS, key=lambda sep: outside.count(sep.encode()))
    quoted = _QUOTED.findall(head)
    if not quoted or head != sep.encode().join(quoted) or (marked and bare[-1] not in b"\r\n"):
        return None
    end = _LINE_END.match(bare, len(head))
    rows = bare[end.end() :] if end else bare[:0]
    # Arrow would drop what looks like a mark, but is of the first cell.
    if not rows or rows[: len(BOM)] == BOM:
        return None
    try:
        headers = [cell[1:-1].replace(b'""', b'"').decode() for cell in quoted]
        types = [kinds.get(header, pa.large_string()) for header in headers]
        parts = in_order(
            lambda piece: _read_checked(piece, sep, types),
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
    """Yield the rows of a CSV in pieces of whole ones, as far as their ends are plain to see."""
    start = 0
    for at in range(_PIECE, len(rows), _PIECE):
        end = _END_OF_ROW.search(rows, max(start, at), at + _SEARCHED)
        if end:
            yield rows[start : end.end()]
            start = end.end()
    yield rows[start:]


def _read_checked(piece: memoryview, sep: str, types: list[Any]) -> tuple[int, Any]:
    """Return how many quotes there are in rows of a CSV, and the rows.

    Raises:
        pa.ArrowInvalid: They are not UTF-8, or not rows of those types.
    """
    # All of it: Arrow's CSV reader looks at the cells only, which it may have put together.
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
            # A column that stands alone has empty lines for what is missing.
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
    r"""Return a size of blocks none of which begins within a `\r\n`.

    Arrow drops a line feed there even between quotes.
    """
    for size in range(_BLOCK, _BLOCK + 100):
        ends = range(size, len(piece), size)
        if all(bytes(piece[end - 1 : end + 1]) != b"\r\n" for end in ends):
            return size
    return len(piece) + 1
