"""Converts the columns of a frame to the cells of a worksheet, and writes worksheets."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile import writer as csv_writer
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, reason_of
from reinfer_nb.excelfile.parts import MARK
from reinfer_nb.excelfile.reader import DTYPES, has_suffix, inferred_dtype, letters
from reinfer_nb.excelfile.values import COLUMNS, Number, serials_of
from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.schema.added_columns import listing_types
from reinfer_nb.schema.value_types import Flag, Moment, Text, ValueType, Whole, cell_text
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled

# Limits of Excel; other programs have the same. The length counts units of UTF-16.
_ROWS, _LENGTH = 1_048_575, 32_767
# Excel shows 15 digits of a number, and no number that is nearer to zero or farther from it.
_WHOLE = range(-(10**15) + 1, 10**15)
_SMALLEST, _LARGEST = 2.3e-308, 9.9e307
_WIDTHS = range(8, 61)
_MEASURED = 1_000  # rows
_TIME_FORMAT = "yyyy-mm-dd hh:mm:ss"
# Texts that XlsxWriter would take for markup, or for one escape where there are two.
_MISTAKEN = re.compile(r"<r>.*</r>|.*_x[0-9a-fA-F]{4}_x[0-9a-fA-F]{4}_.*", re.DOTALL)
_NOT_IN_XML = re.compile(r"_(?=x[0-9a-fA-F]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Column:
    """A column of a worksheet.

    Attributes:
        heading: The heading.
        cells: A text, truth value, whole number, `Number` or None for each row.
        kind: "text", "time" or "other".
    """

    heading: str
    cells: list[Any]
    kind: str

    @property
    def width(self) -> float:
        """The width that most of the first cells need, in characters."""
        if self.kind == "time":
            longest = len(_TIME_FORMAT)
        else:
            texts = (str(cell) for cell in self.cells[:_MEASURED] if cell is not None)
            longest = max((_length(text) for text in texts), default=0)
        # The button of the filter covers three characters of the heading.
        return min(max(longest + 1, _length(self.heading) + 4, _WIDTHS[0]), _WIDTHS[-1])


def _length(text: str) -> int:
    """Return the number of columns that the longest line of a text takes in a terminal."""
    return max(len(line) + sum(c >= "\u1100" for c in line) for line in text[:200].split("\n"))


def check_installed() -> None:
    """Check that workbooks can be written.

    Raises:
        ConfigurationError: XlsxWriter is not installed.
    """
    try:
        import xlsxwriter as _  # noqa: F401 - an import test
    except ImportError:
        raise ConfigurationError(
            "Workbooks are written with XlsxWriter, which is not installed: "
            "pip install 'reinfer_nb[excel]'"
        ) from None


def columns(df: pd.DataFrame, *, exact: bool) -> list[Column]:
    """Return the columns of a worksheet for a frame.

    Args:
        df: The frame.
        exact: False to write columns as texts whose values have no exact form in a file.

    Raises:
        InvalidInput: A worksheet cannot hold the frame.
    """
    if len(df) > _ROWS or len(df.columns) > COLUMNS:
        raise InvalidInput(
            f"The frame has {len(df):,} rows and {len(df.columns):,} columns, but a worksheet "
            f"holds at most {_ROWS:,} rows below the headings and {COLUMNS:,} columns. Write "
            f"parts of it, or {_no_limit()}."
        )
    types = listing_types()
    made = []
    for name in df.columns:
        try:
            made.append(_column(df[name], types.get(name)))
        except InvalidInput:
            if exact:
                raise
            texts = pd.array(list(map(cell_text, df[name])), Text.dtype)
            made.append(_column(pd.Series(texts, name=name), None))
    return made


def _column(column: pd.Series, known: type[ValueType] | None) -> Column:
    name = str(column.name)
    try:
        cells = _cells(column, known)
        if known is None:
            dtype, suffix = _free(column, cells)
        else:
            dtype, suffix = known.dtype, "UTC" if known is Moment else None
        heading = name if suffix is None else f"{name} ({suffix})"
        _check_texts(name, [heading, *cells])
    except UnicodeEncodeError:
        raise InvalidInput(f"Column {shown(name)} {csv_writer.HALF}") from None
    kind = "time" if suffix == "UTC" else "text" if dtype in _TEXTS else "other"
    return Column(heading, cells, kind)


# The dtypes of columns of texts, and of objects and lists, whose cells are JSON.
_TEXTS = (Text.dtype, np.dtype(object))
_SUFFIXES = {dtype: suffix for suffix, dtype in DTYPES.items()}


def _free(column: pd.Series, cells: list[Any]) -> tuple[Any, str | None]:
    """Return the dtype with which a free column is read, and the suffix if cells do not show it."""
    inferred = inferred_dtype(list(map(_as_read, cells)))
    dtype: Any = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return dtype, "JSON"
    if has_time_zone(dtype):
        return Moment.dtype, "UTC"
    if pd.api.types.is_bool_dtype(dtype):
        target: Any = Flag.dtype
    elif pd.api.types.is_integer_dtype(dtype):
        target = Whole.dtype
    elif pd.api.types.is_float_dtype(dtype):
        target = csv_cells.NUMBERS
    else:
        target = Text.dtype if isinstance(dtype, pd.StringDtype) else inferred
    is_needed = target != inferred or has_suffix(str(column.name))
    return target, _SUFFIXES[target] if is_needed else None


def _as_read(cell: Any) -> Any:
    """Return a cell as it may be read: programs write 1.0 as 1."""
    if type(cell) is Number:
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else float(cell)
    return cell


def _check_texts(name: str, cells: list[Any]) -> None:
    """Check that all texts can be encoded, and fit into a cell; the first is the heading."""
    for row, text in enumerate(cells, start=-1):
        # The markup of a character has at most 11 characters.
        if type(text) is not str or (len(text) < _LENGTH // 12 and text.isascii()):
            continue
        length = len(text.encode("utf-16-le")) // 2
        if length > _LENGTH or (_MISTAKEN.fullmatch(text) and len(_markup(text)) > _LENGTH):
            place = "the heading" if row < 0 else f"row {row:,}"
            raise InvalidInput(
                f"Column {shown(name, 200)}, {place}: the text has {length:,} characters, but a "
                f"cell of a workbook holds {_LENGTH:,}, and fewer of markup. Shorten it, or "
                f"{_no_limit()}."
            )


def _no_limit() -> str:
    return f"{spelled('use rnb.to_csv', 'write a CSV')}, which has no such limit"


def _cells(column: pd.Series, known: type[ValueType] | None) -> list[Any]:
    """Return the cells of a column."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.StringDtype) and known in (Text, None):
        texts: list[Any] = pa.array(column.array, pa.large_string()).to_pylist()
        return texts
    if isinstance(dtype, pd.DatetimeTZDtype) and known in (Moment, None):
        instants = pa.array(column.dt.tz_convert(None).to_numpy(), from_pandas=True)
        with suppress(pa.ArrowInvalid):
            return _times(instants.cast(pa.timestamp("us")))
    values = csv_writer.values(column, known)
    if known is Moment or has_time_zone(dtype):
        return _times(pa.array(values, pa.timestamp("us", "UTC")))
    return [_cell(value) for value in values]


def _times(instants: Any) -> list[Any]:
    """Return an Arrow column of times as `Serial`, or as ISO 8601 where that would not be exact."""
    micros = instants.cast(pa.int64())
    serials = serials_of(micros.fill_null(0).to_numpy())
    missing = micros.is_null().to_pylist()
    cells = [None if is_missing else s for s, is_missing in zip(serials, missing, strict=True)]
    for row, serial in enumerate(serials):
        if serial is None and not missing[row]:
            moment = pd.Timestamp(micros[row].as_py(), unit="us", tz="UTC")
            cells[row] = moment.isoformat(timespec="microseconds")
    return cells


def _cell(value: Any) -> Any:
    if type(value) is int:
        return value if value in _WHOLE else str(value)
    if type(value) is float:
        is_shown = value == 0 or _SMALLEST < abs(value) < _LARGEST
        return Number(value) if is_shown else repr(value)
    return value


def write(sheets: Mapping[str, list[Column]], file: BinaryIO) -> None:
    """Write a workbook.

    Args:
        sheets: The columns of each worksheet, by its name.
        file: The file.

    Raises:
        OSError: The file could not be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    with TemporaryDirectory() as folder:
        workbook = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": folder})
        formats = {
            "heading": workbook.add_format({"bold": True, "bg_color": "#DDE6F2", "bottom": 1}),
            "time": workbook.add_format({"num_format": _TIME_FORMAT}),
            # A text typed into such a cell stays a text, also "007" and "=1".
            "text": workbook.add_format({"num_format": "@"}),
            "other": None,
            "mark": workbook.add_format({"num_format": MARK}),
        }
        for name, columns in sheets.items():
            _write_sheet(workbook.add_worksheet(name), columns, formats)
        try:
            workbook.close()
        except XlsxWriterException as error:
            raise FileProblem(f"The workbook could not be written: {reason_of(error)}.") from None


def _write_sheet(sheet: Any, columns: list[Column], formats: Mapping[str, Any]) -> None:
    sheet.freeze_panes(1, 0)
    for number, column in enumerate(columns):
        # Before the rows, which are written at once.
        sheet.set_column(number, number, column.width, formats[column.kind])
    for number, column in enumerate(columns):
        _write_text(sheet, 0, number, column.heading, formats["heading"])
    writers = {str: _write_text, bool: type(sheet).write_boolean}
    row = 0
    for row, cells in enumerate(zip(*(column.cells for column in columns), strict=True), start=1):
        for number, cell in enumerate(cells):
            if cell is not None:
                writers.get(type(cell), type(sheet).write_number)(sheet, row, number, cell)
        if not any(cell is not None for cell in cells):
            sheet.write_blank(row, 0, None, formats["mark"])
    if columns:
        sheet.autofilter(0, 0, row, len(columns) - 1)
        ranges = " ".join(
            f"{letters(number)}1:{letters(number)}{row + 1}"
            for number, column in enumerate(columns)
            if column.kind == "text"
        )
        if ranges:
            sheet.ignore_errors({"number_stored_as_text": ranges})


def _write_text(sheet: Any, row: int, number: int, text: str, style: Any = None) -> None:
    sheet.write_string(row, number, _markup(text) if _MISTAKEN.fullmatch(text) else text, style)


def _markup(text: str) -> str:
    """Return a text as the markup that XlsxWriter writes as it is."""
    escaped = _NOT_IN_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    # As numbers, so that XlsxWriter does not escape the escapes.
    escaped = html.escape(escaped, quote=False).replace("_x", "&#95;x")
    return f'<r><t xml:space="preserve">{escaped}</t></r>'
