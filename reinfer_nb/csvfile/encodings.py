"""Decodes a CSV file of any program to text, and splits the text into rows."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator

from reinfer_nb.csvfile.cells import BOM, SEPARATORS
from reinfer_nb.wording import spelled

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Latin letters in UTF-16 or UTF-32 without a byte order mark, which no UTF-8 text looks like.
_WIDE = re.compile(rb"(?:[^\0]\0+){3}|(?:\0+[^\0]){3}")
_GZIP = b"\x1f\x8b"
# First bytes of other file types, and what to do with the file.
_OTHER_KINDS = {
    b"PK\x03\x04": "a workbook, or a zip archive to unpack.",
    b"\xd0\xcf\x11\xe0": "an old workbook (.xls). Save it as 'CSV UTF-8'",
    b"PAR1": "Parquet, not CSV.",
    b"ARROW1": "Feather, not CSV.",
    b"BZh": "compressed with bzip2. Unpack it first",
    b"\xfd7zXZ": "compressed with xz. Unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Unpack it first",
    b"\xff\xfe\0\0": "UTF-32, which is not supported. Save it as UTF-8",
}
_READERS = {
    b"PK\x03\x04": "rnb.read_excel",
    b"PAR1": "pd.read_parquet",
    b"ARROW1": "pd.read_feather",
}
# Excel's own first line, which names the separator and is not a row of the table.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# The first record of a CSV, and a quoted cell in it.
_RECORD = re.compile(r'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


class NotCSV(ValueError):
    """A file is not a readable CSV; the message completes "x.csv is ..."."""


def unpacked(content: bytes) -> bytes:
    """Return the content of a file, decompressed if it is gzip."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise NotCSV("compressed with gzip, and cut off or damaged.") from None


def ends_within_a_line(content: bytes) -> bool:
    """Return True for a file with a byte order mark whose last line has no line break.

    Programs that write the mark also end the last line, so the file may be cut off.
    """
    if content.startswith(_UTF16):
        return not content.endswith((b"\n\0", b"\r\0", b"\0\n", b"\0\r"))
    return content.startswith(BOM) and content[-1:] not in (b"\r", b"\n")


def text_of(content: memoryview) -> tuple[str, str]:
    """Return the text of a CSV and its separator.

    Raises:
        NotCSV: The content is not a readable CSV.
    """
    text = _decoded(content.tobytes())
    separator_line = _SEPARATOR_LINE.match(text)
    if separator_line:
        text = text[separator_line.end() :]
    if not text.strip():
        raise NotCSV("empty: it has no line of column names.")
    if text.lstrip()[0] in "<{[":
        raise NotCSV("HTML, XML or JSON, not CSV, as its first character shows.")
    if text.count('"') % 2:
        raise NotCSV("cut off or damaged: a quote is never closed.")
    return text, separator_line[1] if separator_line else separator(head_of(text))


def _decoded(content: bytes) -> str:
    for beginning, advice in _OTHER_KINDS.items():
        if content.startswith(beginning):
            reader = _READERS.get(beginning)
            way = spelled(f" Read it with {reader}", " Save it as CSV") if reader else ""
            raise NotCSV(f"{advice}{way}.")
    if content.startswith(_UTF16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise NotCSV(
                "UTF-16, and cut off or damaged. From a spreadsheet, save it as 'CSV UTF-8'."
            ) from None
    if _WIDE.match(content):
        raise NotCSV(
            "UTF-16 or UTF-32 without a byte order mark. Save it as 'CSV UTF-8'"
            + spelled(", or with encoding='utf-16', which writes the mark.", ".")
        )
    bare = content.removeprefix(BOM)
    try:
        return bare.decode()
    except UnicodeDecodeError as error:
        before = bare[: error.start].decode("latin-1")
        row = sum(1 for _ in records(before, separator(head_of(before))))
        raise NotCSV(
            f"not UTF-8 (row {max(row, 1):,}, line {before.count(chr(10)) + 1:,}). From a "
            "spreadsheet, save it as 'CSV UTF-8'. If the encoding is Windows' Western European, "
            "this converts it: "
            + spelled(
                "Path(file).write_bytes(Path(file).read_bytes().decode('cp1252').encode()).",
                "iconv -f cp1252 -t utf-8 FILE > NEW",
            )
        ) from None


def head_of(text: str) -> str:
    """Return the first record of a CSV that is not a blank line."""
    record = _RECORD.match(text, len(text) - len(text.lstrip("\r\n")))
    return record[0] if record else ""


def separator(head: str) -> str:
    """Return the separator that is most frequent in the first record of a CSV."""
    outside = _QUOTED.sub("", head)
    return max(SEPARATORS, key=outside.count)


def is_all_quoted(head: str, sep: str) -> bool:
    """True if all cells of a record are quoted, as in a header that `to_csv` wrote."""
    quoted = _QUOTED.findall(head)
    return bool(quoted) and head == sep.join(quoted)


def records(text: str, sep: str) -> Iterator[list[str | None]]:
    """Yield all rows of a CSV as a spreadsheet shows them, including blank rows.

    Args:
        text: The text of the CSV.
        sep: The separator.

    Yields:
        The cells; an empty unquoted cell is None.
    """
    # A quoted cell with any text behind the closing quote, or an unquoted cell; then its end.
    pattern = re.compile(
        rf'(?:"([^"]*(?:""[^"]*)*)"([^{sep}\r\n]*)|([^{sep}\r\n]*))({sep}|\r\n|\r|\n|\Z)'
    )
    cells: list[str | None] = []
    end = 0
    while end < len(text):
        cell = pattern.match(text, end)
        if cell is None:
            raise NotCSV("cut off or damaged: a quote is never closed.")
        quoted, rest, plain, ending = cell.groups()
        cells.append(plain or None if quoted is None else quoted.replace('""', '"') + rest)
        end = cell.end()
        if ending != sep:
            yield cells
            cells = []
        elif end == len(text):
            yield [*cells, None]


def rows(text: str, sep: str) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the header and the rows of a table, each with its row number in a spreadsheet.

    Rows without any cell are left out. In a file that `to_csv` wrote, only blank lines are left
    out; if it has a single column, a blank line is a missing value.
    """
    ours = is_all_quoted(head_of(text), sep)
    header: list[str | None] | None = None
    for number, cells in enumerate(records(text, sep), start=1):
        is_blank = cells == [None]
        if header is None:
            if any(cell for cell in cells):
                header = cells
                yield number, cells
        elif any(cell is not None for cell in cells) or (
            ours and (not is_blank or len(header) == 1)
        ):
            yield number, cells


def aligned(text: str, sep: str) -> list[list[str | None]]:
    """Return the columns of a CSV whose rows differ in length; each column begins with its header.

    A short row is filled with missing cells. Empty cells beyond the header are left out.

    Raises:
        NotCSV: A row has more cells than the header.
    """
    header, *others = list(rows(text, sep)) or [(1, [])]
    if not header[1]:
        raise NotCSV("empty: it has no line of column names.")
    width = len(header[1])
    table = [header[1]]
    for number, cells in others:
        if any(cells[width:]):
            raise NotCSV(
                f"not a CSV table: row {number:,} has {len(cells):,} cells, and the header has "
                f"{width:,}. A cell that contains the separator needs quotes."
            )
        table.append((cells + [None] * (width - len(cells)))[:width])
    return [list(column) for column in zip(*table, strict=True)]


# A row without any text, or the break after a cell with line breaks that looks like one.
_SPARSE_ROW = re.compile(rb'(?:\A|\n|\r(?!\n))[,;\t" ]*[\r\n]')


def may_skip_rows(content: bytes) -> bool:
    """True if a row of the file may be missing in its table, as rows without any cell are."""
    bare = content.removeprefix(BOM)
    return bare.startswith(_UTF16) or _SPARSE_ROW.search(bare) is not None


def row_numbers(content: bytes) -> list[int]:
    """Return the number in a spreadsheet of each row of a table, without the header."""
    text, sep = text_of(memoryview(content))
    return [number for number, _ in rows(text, sep)][1:]


def row_number(content: memoryview, index: int) -> int:
    """Return the row number in a spreadsheet.

    Args:
        content: The bytes of the file.
        index: The index of the row, counted from 0 without the header.
    """
    text, sep = text_of(content)
    return next(
        (number for place, (number, _) in enumerate(rows(text, sep)) if place == index + 1),
        index + 2,
    )
