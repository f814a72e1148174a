"""Values of cells for which Python has no type: times as days, and cells without a usable value.

A workbook holds a time as the number of days since 30 December 1899. A double keeps the
microseconds of the years 1900 to 2079; other times are written as texts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

COLUMNS = 16_384  # of a worksheet
_DAY = 86_400_000_000  # microseconds
_COARSE = 1000  # microseconds, for numbers of days that a double cannot hold more exactly
_FINE_UNTIL = 65_536  # the number of days, in 2079
_EPOCH = 25_569  # the days from the origin to 1970
# 1 March 1900: Excel and LibreOffice count the days before it differently. Then the year 10000.
_FIRST, _END = 61, 2_958_466


class Number(float):
    """A number that is formatted with all its digits. XlsxWriter asks for 16, too few for times."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return repr(float(self))


class Serial(Number):
    """A time in UTC, in days.

    It is written with the 17 digits that a number may have, also zeros: `read` takes fewer digits
    as a sign that a program rounded the time.
    """

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return f"{float(self):#.17g}"

    @classmethod
    def read(cls, text: str, shift: int) -> Serial | None:
        """Return the time in a cell, or None if programs disagree on which time it is.

        Args:
            text: The number in the cell. LibreOffice writes 15 digits, which are correct to a few
                microseconds, so such a time is rounded to milliseconds.
            shift: Days to add.
        """
        days = float(text) + shift
        if not _FIRST <= days < _END:
            return None
        digits = text.upper().partition("E")[0].replace(".", "").lstrip("0")
        per_day = _DAY // _COARSE
        return cls(days if len(digits) > 15 else round(days * per_day) / per_day)


class Unusable(NamedTuple):
    """A cell whose value is an error, or is not in the file.

    Attributes:
        shown: What a spreadsheet shows; None if that is not in the file.
        reason: What is wrong and what to do; completes "row 3, column title: ".
    """

    shown: str | None
    reason: str


def micros_of(serials: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return times as microseconds since 1970."""
    days = np.floor(serials)
    step = np.where(serials < _FINE_UNTIL, 1, _COARSE)
    rest = (np.rint((serials - days) * _DAY / step) * step).astype(np.int64)
    return (days.astype(np.int64) - _EPOCH) * _DAY + rest


def serials_of(micros: npt.NDArray[np.int64]) -> list[Any]:
    """Return microseconds since 1970 as `Serial`; None for times that it cannot hold exactly."""
    days, rest = np.divmod(micros, _DAY)
    serials = (days + _EPOCH) + rest / _DAY
    exact = (serials >= _FIRST) & (serials < _END) & (micros_of(serials) == micros)
    pairs = zip(serials.tolist(), exact.tolist(), strict=True)
    return [Serial(serial) if is_exact else None for serial, is_exact in pairs]
