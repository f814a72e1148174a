"""Whole columns of cells by Arrow, which leaves to Python the few it cannot be sure of.

Knows no frames and no files. What a single cell says is for `csv_cells` to tell; here is only
found, without looking at each in Python, where it says nothing special.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from reinfer_nb.csvfile import cells as csv_cells

TIMESTAMP = pa.timestamp("us", "UTC")
# Microseconds of the first and the last instant that Python's datetime has.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999

# What every text that is guarded looks like, and few others do. It begins with neither a letter
# nor a digit; or it is, but for spaces and the like at its end, short and dull: digits with what
# makes dates and numbers of them, a day and a month, a truth value. Arrow has RE2, in which `\s`
# and `(?i)` are not what Python's `strip` and `lower` take for it; so this says more than needed.
# Beyond ASCII a letter is whatever is of these ranges, in which are no spaces and no signs.
_LETTERS = r"A-Za-z\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{3001}-\x{feff}\x{10000}-\x{10ffff}"
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_PERHAPS_GUARDED = (
    rf"\A(?:[^0-9{_LETTERS}]"
    r"|(?:[0-9][-0-9.,:/%eE+ ]*"
    rf"|(?:[0-9]{{1,2}}[ -]?)?{_MONTH}[A-Za-z]*[ -]?[0-9]{{1,4}}"
    r"|(?i:true|false|inf))[^!-~]*\z)"
)
# In a column that nothing is known of, a timestamp too.
_PERHAPS_GUARDED_FREE = rf"{_PERHAPS_GUARDED}|\A[0-9]{{4}}-"


def guarded(texts: Any, *, free: bool, spreadsheet: bool) -> Any:
    """Return texts as `csv_cells.guarded` writes each of them.

    Args:
        texts: An Arrow column of large strings.
        free: Whether the column is one that nothing is known of.
        spreadsheet: Whether it is to be safe from a spreadsheet too.
    """
    from pyarrow import compute

    pattern = _PERHAPS_GUARDED_FREE if free else _PERHAPS_GUARDED
    return _changed(
        texts,
        compute.match_substring_regex(texts, pattern),
        lambda text: csv_cells.guarded(text, free=free, spreadsheet=spreadsheet),
    )


def unguarded(cells: Any, *, free: bool) -> Any:
    """Return the texts that `guarded` was given.

    Args:
        cells: What it returned, or any other Arrow column of large strings.
        free: As it was given.
    """
    from pyarrow import compute

    return _changed(
        cells,
        compute.starts_with(cells, "'"),
        lambda cell: csv_cells.unguarded(cell, free=free),
    )


def without_empty_texts(cells: Any) -> Any:
    """Return cells with null in place of empty texts."""
    from pyarrow import compute

    empty = compute.equal(cells, "")
    if not compute.any(empty).as_py():
        return cells
    return compute.if_else(empty, pa.scalar(None, cells.type), cells)


def _changed(texts: Any, where: Any, change: Callable[[str], str]) -> Any:
    from pyarrow import compute

    if not compute.any(where).as_py():
        return texts
    if isinstance(texts, pa.ChunkedArray):
        texts, where = texts.combine_chunks(), where.combine_chunks()
    where = where.fill_null(fill_value=False)
    changed = map(change, texts.filter(where).to_pylist())
    return compute.replace_with_mask(texts, where, pa.array(changed, texts.type))


def written_moments(instants: Any) -> Any:
    """Return instants as ISO 8601 in UTC to the microsecond; None if that is not all they are.

    Args:
        instants: An Arrow column of timestamps of any unit, in UTC without saying so.
    """
    from pyarrow import compute

    try:
        micros = instants.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    if not exist(micros):
        return None
    texts = compute.binary_replace_slice(micros.cast(pa.string()), 10, 11, "T")
    return compute.binary_join_element_wise(texts, "+00:00", "")


def wholes(cells: Any) -> Any:
    """Return the cells that plainly are whole numbers as such; null in place of any other."""
    from pyarrow import compute

    try:
        numbers = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.nulls(len(cells), pa.int64())
    # Arrow takes hexadecimal digits too, but writes none.
    plain = compute.equal(numbers.cast(cells.type), cells)
    return compute.if_else(plain, numbers, pa.scalar(None, pa.int64()))


def moments(cells: Any) -> Any:
    """Return cells as timestamps if all plainly are; null in place of all of them if not.

    What Arrow reads as one is one to us too, but for the years.
    """
    try:
        instants = cells.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        return pa.nulls(len(cells), TIMESTAMP)
    return instants if exist(instants) else pa.nulls(len(cells), TIMESTAMP)


def exist(instants: Any) -> bool:
    """Whether instants are all of the years 1 to 9999."""
    from pyarrow import compute

    ends = compute.min_max(instants.cast(pa.int64())).as_py()
    return ends["min"] is None or _FIRST <= ends["min"] <= ends["max"] <= _LAST
