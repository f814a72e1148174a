"""From the bytes of a CSV to its cells, as Arrow columns of texts; knows not what they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from reinfer_nb._csv_cells import BOM, SEPARATORS
from reinfer_nb.text import visible

# The first record of a CSV, and what in it stands between quotes.
_RECORD = re.compile(rb'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Whatever comes before, a row ends here: the quote neither opens a cell nor is one of two, so if
# it is between quotes it closes them. What follows is not taken for a byte order mark.
_END_OF_ROW = re.compile(rb'[^",;\t\r\n]"\r?\n(?=")')
_WORKBOOK = b"PK\x03\x04"
# In bytes: what one thread reads, how far to look for its end, and what Arrow reads at once, so
# that what the cells are made of is still near at hand.
_PIECE = 8 << 20
_SEARCHED = 1 << 16
_BLOCK = 1 << 20
WORKERS = min(4, os.cpu_count() or 1)


class NoCSV(ValueError):
    """The bytes are no CSV; the message says what they are instead."""


def columns(content: memoryview, kinds: Mapping[str, Any]) -> list[tuple[str | None, Any]]:
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
        return at_once
    bare = memoryview(_text(content).encode())
    sep, _, count = _head(bare)
    try:
        # In one piece, the headers being its first row, so that an error can tell the row.
        table = _read(bare, sep, [pa.large_string()] * count, block_size=len(bare) + 1)
    except pa.ArrowInvalid as error:
        reason = visible(str(error), 200)
        raise NoCSV(f"no CSV with as many cells in each row: {reason}.") from None
    return [(column[0].as_py(), column.slice(1)) for column in table.columns]


def _head(bare: memoryview) -> tuple[str, bytes, int]:
    """Return the separator of a CSV, its first record, and how many cells that has."""
    record = _RECORD.match(bare)
    head = record[0] if record else b""
    outside = _QUOTED.sub(b"", head)
    sep = max(SEPARATORS, key=lambda sep: outside.count(sep.encode()))
    return sep, head, outside.count(sep.encode()) + 1


def _at_once(content: memoryview, kinds: Mapping[str, Any]) -> list[tuple[str | None, Any]] | None:
    """Return the columns of a CSV as `to_csv` writes it, read in pieces side by side.

    None of any other, and where Arrow will not have it: that is for the other way to judge.
    """
    marked = content[: len(BOM)] == BOM
    bare = content[len(BOM) :] if marked else content
    sep, head, _ = _head(bare)
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
        with ThreadPoolExecutor(WORKERS, "reinfer_nb-csv") as pool:
            parts = list(pool.map(lambda piece: _read_checked(piece, sep, types), _pieces(rows)))
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


def _text(content: memoryview) -> str:
    """Return the content of a file that may be a CSV."""
    whole = content.tobytes()
    if whole.startswith(_WORKBOOK):
        raise NoCSV("a workbook. Save it as 'CSV UTF-8'.")
    bare = whole.removeprefix(BOM)
    try:
        text = bare.decode().lstrip("\r\n")
    except UnicodeDecodeError as error:
        line = bare.count(b"\n", 0, error.start) + 1
        raise NoCSV(
            f"not UTF-8 (line {line:,}). From a spreadsheet, save it as 'CSV UTF-8'."
        ) from None
    if not text.strip():
        raise NoCSV("empty, without even a line of column names.")
    if text.lstrip()[0] in "<{[":
        raise NoCSV("HTML, XML or JSON by its first line, and no CSV.")
    if text.count('"') % 2:
        raise NoCSV("cut off or damaged: a quote in it is never closed.")
    # This toolkit and spreadsheets, which write the mark, end the last line too.
    if whole.startswith(BOM) and text[-1] not in "\r\n":
        raise NoCSV("cut off: its last line is not whole.")
    return text


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
