"""From the bytes of a file to the text of a CSV and its rows, whichever program wrote it."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator

from reinfer_nb.csvfile.cells import BOM, SEPARATORS

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# How Latin letters look in UTF-16 and UTF-32, with neither a byte order mark nor a text in UTF-8.
_WIDE = re.compile(rb"(?:[^\0]\0+){3}|(?:\0+[^\0]){3}")
_GZIP = b"\x1f\x8b"
# What files of other kinds begin with, and what to do with them.
_OTHER_KINDS = {
    b"PK\x03\x04": (
        "a workbook or a zip archive. Save the workbook as 'CSV UTF-8', or unpack the archive"
    ),
    b"\xd0\xcf\x11\xe0": "an old workbook (.xls). Save it as 'CSV UTF-8'",
    b"PAR1": "Parquet, and no CSV. Read it with pd.read_parquet",
    b"ARROW1": "Feather, and no CSV. Read it with pd.read_feather",
    b"BZh": "compressed with bzip2. Unpack it first",
    b"\xfd7zXZ": "compressed with xz. Unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Unpack it first",
    b"\xff\xfe\0\0": "UTF-32, which is not read. Save it as UTF-8",
}
# Excel's own first line, which says the separator and is no row to a spreadsheet.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# The first record of a CSV, and what in it stands between quotes.
_RECORD = re.compile(r'(?:[^"\r\n]|"(?:[^"]|"")*")*')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


class NoCSV(ValueError):
    """The bytes are no CSV; the message says what they are instead."""


def unpacked(content: bytes) -> bytes:
    """Return what a file holds, without the compression of gzip."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise NoCSV("compressed with gzip, and cut off or damaged.") from None


def ends_within_a_line(content: bytes) -> bool:
    """Return True for a file with a byte order mark whose last line has no line break.

    Programs that write the mark end the last line too.
    """
    if content.startswith(_UTF16):
        return not content.endswith((b"\n\0", b"\r\0", b"\0\n", b"\0\r"))
    return content.startswith(BOM) and content[-1:] not in (b"\r", b"\n")


def text_of(content: memoryview) -> tuple[str, str]:
    """Return the text of a CSV and its separator.

    Raises:
        NoCSV: It is none.
    """
    text = _decoded(content.tobytes())
    said = _SEPARATOR_LINE.match(text)
    if said:
        text = text[said.end() :]
    if not text.strip():
        raise NoCSV("empty, without even a line of column names.")
    if text.lstrip()[0] in "<{[":
        raise NoCSV("HTML, XML or JSON by its first line, and no CSV.")
    if text.count('"') % 2:
        raise NoCSV("cut off or damaged: a quote in it is never closed.")
    return text, said[1] if said else separator(head_of(text))


def _decoded(whole: bytes) -> str:
    for beginning, advice in _OTHER_KINDS.items():
        if whole.startswith(beginning):
            raise NoCSV(f"{advice}.")
    if whole.startswith(_UTF16):
        try:
            return whole.decode("utf-16")
        except UnicodeDecodeError:
            raise NoCSV(
                "UTF-16, and cut off or damaged. From a spreadsheet, save it as 'CSV UTF-8'."
            ) from None
    if _WIDE.match(whole):
        raise NoCSV(
            "UTF-16 or UTF-32 without a byte order mark. Save it as 'CSV UTF-8', or with "
            "encoding='utf-16', which writes the mark."
        )
    bare = whole.removeprefix(BOM)
    try:
        return bare.decode()
    except UnicodeDecodeError as error:
        before = bare[: error.start].decode("latin-1")
        row = sum(1 for _ in records(before, separator(head_of(before))))
        raise NoCSV(
            f"not UTF-8 (row {max(row, 1):,}, line {before.count(chr(10)) + 1:,}). From a "
            "spreadsheet, save it as 'CSV UTF-8'. Where you know that it is of Windows' Western "
            "European encoding, this converts it: "
            "Path(file).write_bytes(Path(file).read_bytes().decode('cp1252').encode())."
        ) from None


def head_of(text: str) -> str:
    """Return the first record of a CSV that is not blank."""
    record = _RECORD.match(text, len(text) - len(text.lstrip("\r\n")))
    return record[0] if record else ""


def separator(head: str) -> str:
    """Return the separator that the first record of a CSV has."""
    outside = _QUOTED.sub("", head)
    return max(SEPARATORS, key=outside.count)


def is_all_quoted(head: str, sep: str) -> bool:
    """Return True if all cells of a record are quoted, as `to_csv` writes the header."""
    quoted = _QUOTED.findall(head)
    return bool(quoted) and head == sep.join(quoted)


def records(text: str, sep: str) -> Iterator[list[str | None]]:
    """Yield the rows of a spreadsheet that opens this text, blank ones too.

    Args:
        text: The text of a CSV.
        sep: Its separator.

    Yields:
        The cells; None for one that is empty and unquoted.
    """
    # A quoted cell and what stands behind its quote, or an unquoted cell; then what ends it.
    pattern = re.compile(
        rf'(?:"([^"]*(?:""[^"]*)*)"([^{sep}\r\n]*)|([^{sep}\r\n]*))({sep}|\r\n|\r|\n|\Z)'
    )
    cells: list[str | None] = []
    end = 0
    while end < len(text):
        cell = pattern.match(text, end)
        if cell is None:
            raise NoCSV("cut off or damaged: a quote in it is never closed.")
        quoted, rest, plain, ending = cell.groups()
        cells.append(plain or None if quoted is None else quoted.replace('""', '"') + rest)
        end = cell.end()
        if ending != sep:
            yield cells
            cells = []
        elif end == len(text):
            yield [*cells, None]


def rows(text: str, sep: str) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the rows that are read, the header first, each with its number in a spreadsheet.

    A row without any cell is left out. Where the header is all quoted, as `to_csv` writes it, only
    blank lines are, and in a single column these are missing values.
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
    """Return the columns of a CSV, each with its header first, whose rows are of several lengths.

    A short row has missing cells at its end. Empty cells beyond the header are left out.

    Raises:
        NoCSV: A row has more cells than the header.
    """
    header, *others = list(rows(text, sep)) or [(1, [])]
    if not header[1]:
        raise NoCSV("empty, without even a line of column names.")
    width = len(header[1])
    table = [header[1]]
    for number, cells in others:
        if any(cells[width:]):
            raise NoCSV(
                f"no CSV with one header for all cells: row {number:,} has {len(cells):,} cells, "
                f"and the header has {width:,}. A cell that holds the separator needs quotes."
            )
        table.append((cells + [None] * (width - len(cells)))[:width])
    return [list(column) for column in zip(*table, strict=True)]


def row_number(content: memoryview, index: int) -> int:
    """Return the number that a spreadsheet gives to a row that was read.

    Args:
        content: The bytes of the file.
        index: The row, counted from 0 without the header.
    """
    text, sep = text_of(content)
    return next(
        (number for place, (number, _) in enumerate(rows(text, sep)) if place == index + 1),
        index + 2,
    )
