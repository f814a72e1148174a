"""Rules for a single CSV cell: apostrophes as guards, types of cells, dtypes in headers.

A column is free if it is not a column of a listing, so that its type is inferred from its cells.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.schema.value_types import INT64, Flag, Moment, Text, Whole

BOM = b"\xef\xbb\xbf"
SEPARATORS = (",", ";", "\t")
FLAGS = {"true": True, "false": False}
NUMBERS = pd.Float64Dtype()
# Dtypes of free columns, by the suffix of the header.
DTYPES = {
    "JSON": np.dtype(object),
    "Int64": Whole.dtype,
    "Float64": NUMBERS,
    "boolean": Flag.dtype,
    "timestamp": Moment.dtype,
    "text": Text.dtype,
}
WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_SUFFIX = re.compile(rf"(.*) \(({'|'.join(DTYPES)})\)", re.DOTALL)
# The start of a formula in a spreadsheet, also with full-width signs or after spaces.
_FORMULA = re.compile(" *[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf", re.ASCII | re.IGNORECASE)
# Numbers that a spreadsheet keeps digit for digit.
_KEPT_NUMBER = re.compile(r"0|[1-9]\d{0,14}", re.ASCII)
# Texts that a spreadsheet rewrites as a date, a time, a percentage, or a number with a comma.
_REWRITTEN = re.compile(
    r"\d{1,4}[-/.]\d{1,4}([-/.]\d{1,4})?|\d{1,2}:\d{2}(:\d{2})?|[\d.,]+ ?%|\d+(,\d+)+"
    r"|(\d{1,2}[ -]?)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?\d{1,4}",
    re.ASCII | re.IGNORECASE,
)


def has_dtype_suffix(name: str) -> bool:
    """True if the name of a column ends like a header with a dtype, such as "x (Int64)"."""
    return _SUFFIX.fullmatch(name) is not None


def header_of(name: str, dtype: str | None) -> str:
    """Return the header of a column; `dtype` is the suffix for its dtype, or None."""
    return guarded(name if dtype is None else f"{name} ({dtype})")


def column_of(header: str) -> tuple[str, Any]:
    """Return the name of a column, and its dtype or None if the header has no suffix."""
    name = unguarded(header)
    match = _SUFFIX.fullmatch(name)
    return (match[1], DTYPES[match[2]]) if match else (name, None)


def guarded(text: str, *, free: bool = False, spreadsheet: bool = True) -> str:
    """Return a text as a cell, with an apostrophe before it if it needs a guard.

    Args:
        text: The text.
        free: True for a free column.
        spreadsheet: True to guard against spreadsheets too.
    """
    if not _needs_guard(text, free=free):
        return text
    # For programs, guard only what `read_csv` would otherwise read as something else.
    if spreadsheet or text.startswith("'") or (free and reads_as(text) != "text"):
        return "'" + text
    return text


def unguarded(text: str, *, free: bool = False) -> str:
    """Return the text of a cell that `guarded` returned."""
    return text[1:] if text.startswith("'") and _needs_guard(text[1:], free=free) else text


def _needs_guard(text: str, *, free: bool) -> bool:
    """True if a text needs an apostrophe before it, regardless of those that it begins with."""
    bare = text.lstrip("'")
    return bool(
        _FORMULA.match(bare)
        or bare.lower() in FLAGS
        or _REWRITTEN.fullmatch(bare.strip())
        or (_NUMBER.fullmatch(bare.strip()) and not _KEPT_NUMBER.fullmatch(bare))
        or (free and reads_as(bare) != "text")
    )


def reads_as(text: str) -> str:
    """Return the type of a single cell in a free column."""
    if text.lower() in FLAGS:
        return "flag"
    # Only if the number is written the same way. "007", "+44" and "1E5" are identifiers.
    if WHOLE.fullmatch(text):
        return "whole" if fits(text) and str(int(text)) == text else "text"
    if _NUMBER.fullmatch(text):
        return "number" if repr(float(text)) == text else "text"
    if text[:1].isdigit():
        try:
            Moment.read(text)
        except ValueError:
            return "text"
        return "moment"
    return "text"


def fits(text: str) -> bool:
    """True if digits are a whole number of 64 bits."""
    return len(text) <= 20 and int(text) in INT64


def flag(text: str) -> bool:
    """Return the truth value in a cell; raise `ValueError` with the reason if it holds none."""
    value = FLAGS.get(text.lower())
    if value is None:
        raise ValueError("is not true or false")
    return value


_WHOLE_DOUBLE = re.compile(r"([+-]?[0-9]{1,15})\.0+\Z")


def whole(text: str) -> int:
    """Return the whole number in a cell; raise `ValueError` with the reason if it holds none."""
    # pandas writes integers as floats if the column has missing cells.
    text = _WHOLE_DOUBLE.sub(r"\1", text)
    if not WHOLE.fullmatch(text) or not fits(text):
        raise ValueError("is not a whole number of 64 bits")
    return int(text)


def moment(text: str) -> Any:
    """Return the timestamp in a cell; raise `ValueError` with the reason if it holds none."""
    try:
        return Moment.read(text)
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def json_value(text: str) -> Any:
    """Return the JSON value in a cell; raise `ValueError` with the reason if it holds none."""
    # Spreadsheets write truth values in capitals.
    if text.lower() in FLAGS:
        return FLAGS[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None


def number(text: str) -> float:
    """Return the number in a cell; raise `ValueError` with the reason if it holds none."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("is not a number") from None
