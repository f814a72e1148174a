"""Read the numbers and times of a search, and compare columns with them.

A value is read while a person types it: a part that is not complete yet, such as the second limit
of `10..`, restricts nothing.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from reinfer_nb.search.text_index import Mask
from reinfer_nb.text import visible

Numbers = np.ndarray[Any, np.dtype[Any]]
Times = np.ndarray[Any, np.dtype[np.datetime64]]
# A time as typed is a period, such as the year of `updated:2024`: its start, and the next one's.
Period = tuple[np.datetime64, np.datetime64]

_COMPARISON = re.compile(r"(>=|<=|>|<|=)?(.*)", re.DOTALL)
# With or without the commas that the table shows.
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d*)(?:\.\d*)?", re.ASCII)
_TIME = re.compile(
    r"((?!0000)\d{4})(?:-(0?[1-9]|1[0-2])(?:-(0?[1-9]|[12]\d|3[01])(?:[T ]([01]?\d|2[0-3])"
    r"(?::([0-5]?\d)(?::([0-5]?\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d(?::?[0-5]\d)?)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
# The beginning of a next part of a time.
_BEGUN = re.compile(r"(?:-0?|[T :.])\Z", re.IGNORECASE)

T = TypeVar("T")


def comparisons(value: str, read: Callable[[str], T | None]) -> tuple[list[tuple[str, T]], str]:
    """Return the comparisons of a value: its operators, and what to compare with.

    >>> from reinfer_nb.search.field_values import comparisons, number
    >>> comparisons(">=10", number)
    ([('>=', Decimal('10'))], '')
    >>> comparisons("10..20", number)
    ([('>=', Decimal('10')), ('<=', Decimal('20'))], '')

    Args:
        value: A number or time; with one of > >= < <= = before it; or two with ".." between.
        read: Reads a number or time; returns None for one that is not complete yet.

    Returns:
        The comparisons, all of which must hold; and the part that is not complete, "" if none is.

    Raises:
        ValueError: A part cannot be read; the message says why.
    """
    sign, rest = _COMPARISON.fullmatch(value).groups()  # type: ignore[union-attr]
    low, dots, high = rest.partition("..")
    parts = [(">=", low), ("<=", high)] if dots and not sign else [(sign or "=", rest)]
    values = [(sign, part.strip(), read(part.strip())) for sign, part in parts]
    incomplete = next((part for _, part, value in values if value is None), "")
    return [(sign, value) for sign, _, value in values if value is not None], incomplete


def number(text: str) -> Decimal | None:
    """Return a number exactly as typed; None if only its sign or its point is typed."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{shown_value(text)} is not a number")
    digits = text.replace(",", "")
    return Decimal(digits) if digits.strip("+-.") else None


def period(text: str) -> Period | None:
    """Return the period of a time in UTC: a year, month, day, hour, minute, second or a part of it.

    >>> from reinfer_nb.search.field_values import period
    >>> [str(limit)[:10] for limit in period("2024-02")]
    ['2024-02-01', '2024-03-01']

    The beginning of a next part, as in "2024-", is ignored. An incomplete year is None.
    """
    if re.fullmatch(r"\d{0,3}", text, re.ASCII):
        return None
    message = f"{shown_value(text)} is not a date such as 2024, 2024-05 or 2024-05-31"
    match = _TIME.fullmatch(_BEGUN.sub("", text))
    if match is None:
        raise ValueError(message)
    *parts, fraction, zone = match.groups()
    marks = zip(("", "-", "-", "T", ":", ":"), parts, strict=True)
    try:
        whole = np.datetime64("".join(mark + part.zfill(2) for mark, part in marks if part))
    except ValueError:  # such as February 30
        raise ValueError(message) from None
    start, end = whole.astype("datetime64[us]"), (whole + 1).astype("datetime64[us]")
    if fraction:
        digits = fraction[:6]
        start += np.timedelta64(int(digits.ljust(6, "0")), "us")
        end = start + np.timedelta64(10 ** (6 - len(digits)), "us")
    offset = _offset(zone or "Z")
    return start - offset, end - offset


def _offset(zone: str) -> np.timedelta64:
    """Return the offset from UTC of "Z", "+02", "+0200" or "+02:00"."""
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return np.timedelta64(-minutes if zone[0] == "-" else minutes, "m")


def numbers_matching(numbers: Numbers, conditions: list[tuple[str, Decimal]]) -> Mask:
    """Return a mask of the numbers that meet all conditions; NaN meets none."""
    mask = np.ones(len(numbers), dtype=np.bool_)
    for sign, limit in conditions:
        if numbers.dtype.kind == "f":
            mask &= _COMPARE[sign](numbers, np.float64(limit))
        elif sign == "=" and math.floor(limit) != limit:
            mask[:] = False
        else:
            # Exact, also for numbers that a float cannot hold.
            whole = math.floor(limit) if sign in (">", "<=") else math.ceil(limit)
            mask &= _COMPARE[sign](numbers, whole)
    return mask


def times_matching(times: Times, conditions: list[tuple[str, Period]]) -> Mask:
    """Return a mask of the times that meet all conditions; a missing time meets none.

    Before and after a period are outside it: `>2024` begins with 2025, `<=2024` ends with 2024.
    """
    mask = np.ones(len(times), dtype=np.bool_)
    for sign, (start, end) in conditions:
        if sign in ("=", ">="):
            mask &= times >= start
        if sign in ("=", "<="):
            mask &= times < end
        if sign == ">":
            mask &= times >= end
        if sign == "<":
            mask &= times < start
    return mask


def shown_value(text: str) -> str:
    """Return a typed value for a note."""
    return visible(text, 40)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
