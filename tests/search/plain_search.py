"""The query language of the search in plain Python: row by row, and without the package's code."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import math
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

SEARCHED = ("id", "owner", "name", "title", "description")
TIMES = ("created_at", "updated_at", "last_modified", "last_comment_at")
CODES = {
    "language": {"en": "English", "de": "German", "xlm": "Multilingual"},
    "kind": {
        "call": "calls",
        "chat": "chats",
        "unknown": "not set",
        "ixp_design": "document extraction, at design time",
        "ixp_runtime": "document extraction, at run time",
    },
}
TEXTS = (*SEARCHED, "bucket_id", "email_transform_tag", "sensitive_properties")
OTHER_NAMES = {
    "project": "owner",
    "comments": "num_comments",
    "bucket": "bucket_id",
    "translated": "should_translate",
    "created": "created_at",
    "updated": "updated_at",
    "modified": "last_modified",
    "properties": "sensitive_properties",
    "sensitive": "sensitive_properties",
    "tag": "email_transform_tag",
    "version": "email_transform_version",
}
FLAGS = ("should_translate",)
NUMBERS = (
    *("num_comments", "comments_last_month", "comments_usual_month"),
    "email_transform_version",
)
OTHER_NAMES |= {name: name for name in (*TEXTS, *TIMES, *CODES, *FLAGS, *NUMBERS)}


def whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def folded(text: str) -> str:
    composed = unicodedata.normalize("NFC", whole(text).replace("\n", " "))
    lowered = "".join("i" if character == "İ" else character.lower() for character in composed)
    return unicodedata.normalize("NFC", lowered.replace("ς", "\u03c3"))


def missing(value: Any) -> bool:
    if isinstance(value, list | tuple | set | np.ndarray):
        return False
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124


# Reading a search, one character at a time


class Part(NamedTuple):
    """A part of a search."""

    excluded: bool
    field: str | None
    value: str
    quoted: bool = False


def parts_of(search: str, column: Callable[[str], str | None]) -> list[Part]:
    parts, rest = [], search
    while rest := rest.lstrip():
        excluded = rest[0] == "-" and rest[1:2].strip() != ""
        rest = rest[1:] if excluded else rest
        if rest[0] == '"':
            value, _, rest = rest[1:].partition('"')
            parts += [Part(excluded, None, value)] if value else []
            continue
        word = ""
        while rest and not rest[0].isspace() and rest[0] != '"':
            word, rest = word + rest[0], rest[1:]
        colons = [place for place, character in enumerate(word) if character == ":"][:5]
        field = next((word[:place] for place in colons[::-1] if column(word[:place])), None)
        if field is None:
            parts += [Part(excluded, None, word)] if set(word) != {"-"} else []
            continue
        value, quoted = word[len(field) + 1 :], False
        if rest[:1] == '"' and value in ("", "=", "<", ">", "<=", ">="):
            phrase, quote, rest = rest[1:].partition('"')
            value, quoted = value + phrase, bool(quote or phrase)
        if value or quoted:
            parts.append(Part(excluded, field, value, quoted))
    return parts


# Values


class Unreadable(Exception):
    """The value of a field cannot be read."""


Test = Callable[[Any], bool]


def test_of_numbers(value: str) -> Test | None:
    def limit(text: str) -> decimal.Decimal | None:
        text = text.strip()
        if text in ("", "+", "-", ".", "+.", "-."):
            return None
        whole_part, point, fraction = text.lstrip("+-").partition(".")
        groups = whole_part.split(",")
        grouped = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        digits = "".join(groups) + fraction
        signs = len(text) - len(text.lstrip("+-"))
        if signs > 1 or not (digits.isascii() and digits.isdigit()):
            raise Unreadable
        if len(groups) > 1 and not grouped:
            raise Unreadable
        sign = "-" if text.startswith("-") else ""
        return decimal.Decimal(
            f"{sign}{''.join(groups) or 0}.{fraction or 0}" if point else f"{sign}{''.join(groups)}"
        )

    def compared(cell: Any, other: decimal.Decimal) -> int:
        left: Any = (
            float(cell) if isinstance(cell, float | np.floating | decimal.Decimal) else int(cell)
        )
        right: Any = float(other) if isinstance(left, float) else other
        if math.isnan(left):
            return 9
        return int(left > right) - int(left < right)

    return _comparison(value, limit, compared)


def test_of_times(value: str) -> Test | None:
    def limit(text: str) -> tuple[dt.datetime, dt.datetime] | None:
        text = text.strip().lower().replace("t", " ")
        if len(text) < 4 and all(character in "0123456789" for character in text):
            return None
        for end in ("-0", "-", " ", ":", "."):
            if text.endswith(end):
                text = text.removesuffix(end)
                break
        return _period(text)

    def compared(cell: Any, period: tuple[dt.datetime, dt.datetime]) -> int:
        moment = _moment(cell)
        if moment is None:
            return 9
        return -1 if moment < period[0] else 1 if moment >= period[1] else 0

    return _comparison(value, limit, compared)


FORMS = {
    "%Y": "years",
    "%Y-%m": "months",
    "%Y-%m-%d": "days",
    "%Y-%m-%d %H": "hours",
    "%Y-%m-%d %H:%M": "minutes",
    "%Y-%m-%d %H:%M:%S": "seconds",
}


def _period(text: str) -> tuple[dt.datetime, dt.datetime]:
    zoned = re.fullmatch(r"(.*? .*?)(?:z|([+-])(\d\d)(?::?([0-5]\d))?)", text)
    shift = dt.timedelta()
    if zoned:
        text, sign, hours, minutes = zoned.groups()
        shift = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        shift = shift if sign == "-" else -shift
    text, point, fraction = text.partition(".")
    if not text.isascii() or "  " in text or "- " in text or text != text.strip():
        raise Unreadable
    if point and not re.fullmatch("[0-9]{1,9}", fraction):
        raise Unreadable
    start, unit = _start(text)
    if point and unit != "seconds":
        raise Unreadable
    microseconds = int(fraction[:6].ljust(6, "0"))
    length = dt.timedelta(microseconds=10 ** (6 - len(fraction[:6])))
    start += shift + dt.timedelta(microseconds=microseconds)
    return start, _end(start, unit) if not point else start + length


def _start(text: str) -> tuple[dt.datetime, str]:
    for form, unit in FORMS.items():
        with contextlib.suppress(ValueError):
            return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC), unit
    raise Unreadable


def _end(start: dt.datetime, unit: str) -> dt.datetime:
    days_of_months = [monthrange(start.year, month)[1] for month in range(1, 13)]
    days = {"years": sum(days_of_months), "months": days_of_months[start.month - 1]}
    length = dt.timedelta(days=days[unit]) if unit in days else dt.timedelta(**{unit: 1})
    try:
        return start + length
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)


def _moment(given: Any) -> dt.datetime | None:
    cell = given
    if isinstance(cell, str):
        try:
            cell = dt.datetime.fromisoformat(cell)
        except ValueError:
            return None
    if isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime()
    if not isinstance(cell, dt.datetime):
        cell = dt.datetime.combine(cell, dt.time())
    return cell.replace(tzinfo=dt.UTC) if cell.tzinfo is None else cell


def _comparison(
    value: str, limit: Callable[[str], Any], compared: Callable[[Any, Any], int]
) -> Test | None:
    """Return a test of a cell; None if there is nothing to compare with yet."""
    signs = {">": (1,), ">=": (0, 1), "<": (-1,), "<=": (-1, 0), "=": (0,)}
    sign = next((sign for sign in (">=", "<=", ">", "<", "=") if value.startswith(sign)), None)
    if sign is not None:
        wanted = [(signs[sign], value.removeprefix(sign))]
    elif ".." in value:
        low, high = value.split("..", 1)
        wanted = [((0, 1), low), ((-1, 0), high)]
    else:
        wanted = [((0,), value)]
    limits = [(results, limit(text)) for results, text in wanted]
    limits = [(results, given) for results, given in limits if given is not None]
    if not limits:
        return None
    return lambda cell: all(compared(cell, given) in results for results, given in limits)


def test_of_flags(value: str) -> Test:
    for words, flag in ((("yes", "true"), True), (("no", "false"), False)):
        if any(word.startswith(value) for word in words):
            return lambda cell: (
                cell.lower() in words
                if isinstance(cell, str)
                else isinstance(cell, bool | np.bool_) and bool(cell) == flag
            )
    raise Unreadable


def text_of(cell: Any) -> str:
    items = cell if isinstance(cell, list | tuple | set | np.ndarray) else [cell]
    return ", ".join(folded(str(item)) for item in items)


def test_of_codes(value: str, cells: list[Any], meanings: dict[str, str]) -> Test:
    codes = {text_of(cell) for cell in cells if not missing(cell)} | set(meanings)
    if value in codes:
        return lambda cell: text_of(cell) == value

    def begins(cell: Any) -> bool:
        words = [text_of(cell), *re.split("(?<= )", folded(meanings.get(text_of(cell), "")))]
        ends = ["".join(words[place:]) for place in range(1, len(words))]
        return any(text.startswith(value) for text in (words[0], *ends))

    return begins


# Columns and rows


def kind_of(name: str, cells: list[Any], dtype: Any) -> str:
    of_name = [(CODES, "code"), (TIMES, "time"), (FLAGS, "flag"), (NUMBERS, "number")]
    for names, kind in (*of_name, (TEXTS, "text")):
        if name in names:
            return kind
    present = [cell for cell in cells if not missing(cell)]
    kinds: set[str] = {_kind_of_cell(cell) for cell in present} or {_kind_of_dtype(dtype)}
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind_of_dtype(dtype: Any) -> str:
    text = str(dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype)
    kinds = {"list": "text", "int|float|double|decimal": "number", "bool": "flag"}
    kinds |= {"date|timestamp": "time", "": "text"}
    return next(kind for words, kind in kinds.items() if re.search(words, text.lower()))


def _kind_of_cell(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "flag"
    if isinstance(cell, int | float | np.integer | np.floating | decimal.Decimal):
        return "number"
    return "time" if isinstance(cell, dt.date) else "text"


class PlainSearch:
    """A listing that is searched row by row."""

    def __init__(self, df: pd.DataFrame) -> None:
        self.names = [str(name) for name in df.columns]
        self.cells = {
            name: [df.iloc[row, self.names.index(name)] for row in range(len(df))]
            for name in self.names
        }
        self.dtypes = {name: df.dtypes.iloc[self.names.index(name)] for name in self.names}
        self.count = len(df)

    def column(self, name: str) -> str | None:
        def plain(text: str) -> str:
            return re.sub(r"\s", "_", folded(text))

        if not name:
            return None
        for same in (name.__eq__, plain(name).__eq__, lambda other: plain(other) == plain(name)):
            for other in self.names:
                if same(other):
                    return other
        return OTHER_NAMES.get(plain(name))

    def found(self, search: str) -> list[int]:
        rows = set(range(self.count))
        for part in parts_of(search, self.column):
            try:
                matching = self._rows(part)
            except Unreadable:
                return []
            if matching is not None:
                rows = rows - matching if part.excluded else rows & matching
        return sorted(rows)

    def _rows(self, part: Part) -> set[int] | None:
        """Return the rows that match a part; None if it restricts nothing."""
        if part.field is None:
            return {row for row in range(self.count) if self._contains(row, folded(part.value))}
        name = str(self.column(part.field))
        cells = self.cells.get(name)
        value = folded(part.value)
        beginning = (
            bool(value)
            and not part.quoted
            and ("none".startswith(value) or "any".startswith(value))
        )
        if cells is None:
            raise Unreadable
        if not value:
            return {
                row for row, cell in enumerate(cells) if not missing(cell) and self._empty(cell)
            }
        if not part.quoted and value in ("none", "any"):
            absent = {row for row, cell in enumerate(cells) if self._absent(cell)}
            return absent if value == "none" else set(range(self.count)) - absent
        try:
            test = self._test(name, cells, value)
        except Unreadable:
            if beginning:
                return None
            raise
        if test is None:
            return None
        return {row for row, cell in enumerate(cells) if not missing(cell) and test(cell)}

    @staticmethod
    def _empty(cell: Any) -> bool:
        return isinstance(cell, str | list | tuple | set | np.ndarray) and len(cell) == 0

    def _absent(self, cell: Any) -> bool:
        return missing(cell) or (not isinstance(cell, str) and self._empty(cell))

    def _test(self, name: str, cells: list[Any], value: str) -> Test | None:
        kind = kind_of(name, cells, self.dtypes[name])
        if kind == "number":
            test = test_of_numbers(value)
            return (
                None if test is None else lambda cell: _is_number(cell) and test(_as_number(cell))
            )
        if kind == "time":
            return test_of_times(value)
        if kind == "flag":
            return test_of_flags(value)
        if kind == "code":
            return test_of_codes(value, cells, CODES[name])
        return lambda cell: value in text_of(cell)

    def _contains(self, row: int, value: str) -> bool:
        def text(name: str) -> str:
            cell = self.cells.get(name, [None] * self.count)[row]
            return "" if missing(cell) else text_of(cell)

        names = [name for name in SEARCHED if name in self.names]
        texts = [text(name) for name in names]
        if {"owner", "name"} <= set(names):
            texts.append(f"{text('owner')}/{text('name')}")
        return any(value in each for each in texts)


def _is_number(cell: Any) -> bool:
    if not isinstance(cell, str):
        return True
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell) is not None


def _as_number(cell: Any) -> Any:
    return float(cell) if isinstance(cell, str) else cell
