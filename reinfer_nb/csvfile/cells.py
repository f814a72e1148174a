"""What a cell of our CSV says: guarded texts, what reads as what, columns that say their dtype."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import INT64, Flag, Moment, Text, ValueType, Whole

BOM = b"\xef\xbb\xbf"
SEPARATORS = (",", ";", "\t")
FLAGS = {"true": True, "false": False}
NUMBERS = pd.Float64Dtype()
# The dtypes of columns that are not of the definition, by what their names may say of them.
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
# What begins a formula in a spreadsheet, in full-width forms too; spaces before it do not help.
_FORMULA = re.compile(" *[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf", re.ASCII | re.IGNORECASE)
# Numbers that a spreadsheet gives back digit for digit.
_KEPT_NUMBER = re.compile(r"0|[1-9]\d{0,14}", re.ASCII)
# What a spreadsheet takes for a date, a time, a share, or a number with a comma.
_REWRITTEN = re.compile(
    r"\d{1,4}[-/.]\d{1,4}([-/.]\d{1,4})?|\d{1,2}:\d{2}(:\d{2})?|[\d.,]+ ?%|\d+(,\d+)+"
    r"|(\d{1,2}[ -]?)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?\d{1,4}",
    re.ASCII | re.IGNORECASE,
)
# Columns that the toolkit itself adds to a listing.
_ADDED: Mapping[str, type[ValueType]] = {"num_comments": Whole}


def known_types() -> dict[str, type[ValueType]]:
    """Return the types of the columns that a listing has, by name."""
    return {**{field.name: field.type for field in fields_of(Source)}, **_ADDED}


def says_dtype(name: str) -> bool:
    """Whether the name of a column looks as if it said a dtype."""
    return _SUFFIX.fullmatch(name) is not None


def named(name: str, dtype: str | None) -> str:
    """Return what a column is called in the file, given what its name says of its dtype."""
    return guarded(name if dtype is None else f"{name} ({dtype})")


def column_of(header: str) -> tuple[str, Any]:
    """Return the name of a column and, where the header says it, its dtype."""
    name = unguarded(header)
    said = _SUFFIX.fullmatch(name)
    return (said[1], DTYPES[said[2]]) if said else (name, None)


def guarded(text: str, *, free: bool = False, spreadsheet: bool = True) -> str:
    """Return a text as it is written: with an apostrophe before it, if it needs one.

    Args:
        text: The text.
        free: Whether its column is one that nothing is known of.
        spreadsheet: Whether it is to be safe from a spreadsheet too.
    """
    if not __is_guarded(text, free=free):
        return text
    # For programs only what `read_csv` would take for something else is guarded.
    if spreadsheet or text.startswith("'") or (free and reads_as(text) != "text"):
        return "'" + text
    return text


def unguarded(text: str, *, free: bool = False) -> str:
    """Return the text that `guarded` was given."""
    return text[1:] if text.startswith("'") and __is_guarded(text[1:], free=free) else text


def __is_guarded(text: str, *, free: bool) -> bool:
    """Whether a text has an apostrophe before it: also if it looks as if it had one already."""
    bare = text.lstrip("'")
    return bool(
        _FORMULA.match(bare)
        or bare.lower() in FLAGS
        or _REWRITTEN.fullmatch(bare.strip())
        or (_NUMBER.fullmatch(bare.strip()) and not _KEPT_NUMBER.fullmatch(bare))
        or (free and reads_as(bare) != "text")
    )


def reads_as(text: str) -> str:
    """Return what a cell of a column nothing is known of reads as, seen by itself."""
    if text.lower() in FLAGS:
        return "flag"
    # Only what the number is written as again. Otherwise it is an identifier: "007", "+44", "1E5".
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
    """Whether digits are a whole number of 64 bits."""
    return len(text) <= 20 and int(text) in INT64
