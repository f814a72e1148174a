"""Converts whole columns of CSV cells with Arrow.

The rules for a single cell are in `cells`. The functions here apply them in Python only to the few
cells where Arrow cannot be sure of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from reinfer_nb.csvfile import cells as csv_cells

TIMESTAMP = pa.timestamp("us", "UTC")
# The first and the last time that a `datetime` can hold, in microseconds.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999

# Matches every text that needs a guard, and few others: texts that do not begin with a letter or a
# digit, and numbers, dates, a day with a month, or truth values with any trailing characters. The
# pattern is wider than needed, since `\s` and `(?i)` in Arrow's RE2 are not what Python's `strip`
# and `lower` use. Beyond ASCII, these ranges count as letters; they hold no spaces and no signs.
_LETTERS = r"A-Za-z\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{3001}-\x{feff}\x{10000}-\x{10ffff}"
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_MAY_NEED_GUARD = (
    rf"\A(?:[^0-9{_LETTERS}]"
    r"|(?:[0-9][-0-9.,:/%eE+ ]*"
    rf"|(?:[0-9]{{1,2}}[ -]?)?{_MONTH}[A-Za-z]*[ -]?[0-9]{{1,4}}"
    r"|(?i:true|false|inf))[^!-~]*\z)"
)
# In a free column, a timestamp needs a guard too.
_MAY_NEED_GUARD_FREE = rf"{_MAY_NEED_GUARD}|\A[0-9]{{4}}-"


def guarded(texts: Any, *, free: bool, spreadsheet: bool) -> Any:
    """Return texts, each guarded by `cells.guarded`.

    Args:
        texts: An Arrow column of large strings.
        free: True for a free column, which is not a column of a listing.
        spreadsheet: True to guard against spreadsheets too.
    """
    from pyarrow import compute

    pattern = _MAY_NEED_GUARD_FREE if free else _MAY_NEED_GUARD
    return _changed(
        texts,
        compute.match_substring_regex(texts, pattern),
        lambda text: csv_cells.guarded(text, free=free, spreadsheet=spreadsheet),
    )


def unguarded(cells: Any, *, free: bool) -> Any:
    """Return the texts of guarded cells.

    Args:
        cells: An Arrow column of large strings, as `guarded` returns it.
        free: The same value as for `guarded`.
    """
    from pyarrow import compute

    return _changed(
        cells,
        compute.starts_with(cells, "'"),
        lambda cell: csv_cells.unguarded(cell, free=free),
    )


def without_empty_texts(cells: Any) -> Any:
    """Return cells with empty texts replaced by null."""
    from pyarrow import compute

    empty = compute.equal(cells, "")
    if not compute.any(empty).as_py():
        return cells
    return compute.if_else(empty, pa.scalar(None, cells.type), cells)


def _changed(texts: Any, where: Any, change: Callable[[str], str]) -> Any:
    """Return texts, with `change` applied in Python where the mask is true."""
    from pyarrow import compute

    if not compute.any(where).as_py():
        return texts
    if isinstance(texts, pa.ChunkedArray):
        texts, where = texts.combine_chunks(), where.combine_chunks()
    where = where.fill_null(fill_value=False)
    changed = map(change, texts.filter(where).to_pylist())
    return compute.replace_with_mask(texts, where, pa.array(changed, texts.type))


def written_moments(instants: Any) -> Any:
    """Return times as ISO 8601 in UTC with microseconds; None if they do not fit that exactly.

    Args:
        instants: An Arrow column of timestamps of any unit, without zone, in UTC.
    """
    from pyarrow import compute

    try:
        micros = instants.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    if not are_valid_years(micros):
        return None
    texts = compute.binary_replace_slice(micros.cast(pa.string()), 10, 11, "T")
    return compute.binary_join_element_wise(texts, "+00:00", "")


def wholes(cells: Any) -> Any:
    """Return plain decimal integers as numbers; all other cells become null."""
    from pyarrow import compute

    try:
        numbers = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.nulls(len(cells), pa.int64())
    # Arrow also reads hexadecimal digits, but writes decimal ones.
    plain = compute.equal(numbers.cast(cells.type), cells)
    return compute.if_else(plain, numbers, pa.scalar(None, pa.int64()))


def moments(cells: Any) -> Any:
    """Return cells as timestamps if Arrow can read all of them; otherwise all become null.

    Arrow reads the same timestamps as `Moment.read`, and further years.
    """
    try:
        instants = cells.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        return pa.nulls(len(cells), TIMESTAMP)
    return instants if are_valid_years(instants) else pa.nulls(len(cells), TIMESTAMP)


def are_valid_years(instants: Any) -> bool:
    """True if all times are in the years 1 to 9999."""
    from pyarrow import compute

    ends = compute.min_max(instants.cast(pa.int64())).as_py()
    return ends["min"] is None or _FIRST <= ends["min"] <= ends["max"] <= _LAST
