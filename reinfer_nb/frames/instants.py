"""Converts a column of timestamps as texts to instants, with Arrow."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.schema.value_types import TIMESTAMP

INSTANT = pa.timestamp("us", "UTC")
_NANOSECONDS = pa.timestamp("ns", "UTC")
_DAY = 86_400_000_000
# The first and the last time that a `datetime` can hold, in microseconds.
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
_FINE = re.compile(r"\.\d{7}")


def instants(texts: pa.Array) -> pa.Array:
    """Return timestamps as instants in UTC; a fraction finer than a microsecond is cut.

    Args:
        texts: The timestamps, as texts.

    Returns:
        An Arrow array of type `INSTANT`.

    Raises:
        ValueError: Arrow cannot read a timestamp; `Moment.read` may still be able to.
    """
    # Looks before it casts, since a cast that fails takes twenty times as long.
    is_fine = len(texts) > 0 and _FINE.search(texts[0].as_py() or "")
    try:
        column = _nanoseconds(texts) if is_fine else texts.cast(INSTANT)
    except pa.ArrowInvalid:
        if is_fine:
            column = texts.cast(INSTANT)
        elif compute.any(compute.match_substring_regex(texts, _FINE.pattern)).as_py():
            column = _nanoseconds(texts)
        else:
            raise
    ends = compute.min_max(column.cast(pa.int64())).as_py()
    # Within a day of the ends, the year in the text may be another one than that in UTC.
    if ends["min"] is not None and not FIRST + _DAY <= ends["min"] <= ends["max"] <= LAST - _DAY:
        raise ValueError("a time that may be outside the years 1 to 9999")
    return column


def _nanoseconds(texts: pa.Array) -> pa.Array:
    column = texts.cast(_NANOSECONDS)
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy() // 1000
    return pa.array(numbers, mask=np.asarray(column.is_null())).cast(INSTANT)


def with_form(texts: pa.Array) -> pa.Array:
    """Return texts with null for those that do not have the form of a timestamp."""
    matches = compute.match_substring_regex(texts, rf"\A(?:{TIMESTAMP.pattern})\z")
    return compute.if_else(matches, texts, pa.scalar(None, texts.type))
