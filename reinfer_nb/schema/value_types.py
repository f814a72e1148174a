"""The types of values, and how each is held in JSON, Python, Arrow and a frame.

This module knows no fields; `fields` gives each field one of these types.
"""

from __future__ import annotations

import json
import math
import re
import sys
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.text import shown

# The timestamps that the listing endpoint sends and that Arrow can read. Stricter than ISO 8601, so
# that every text that matches is exactly one instant.
TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?[0-5]\d)?)",
    re.ASCII,
)
# The types of lists of texts in a cell.
LISTS = (tuple, list, set, frozenset, np.ndarray)
INT64 = range(-(2**63), 2**63)
# The whole numbers that a double represents exactly.
EXACT = range(-(2**53), 2**53 + 1)


class ValueType:
    """A type of value.

    Attributes:
        noun: Its name in messages.
        schema: Its JSON Schema.
        json: Its Arrow type in Arrow's JSON reader.
        dtype: Its dtype as a column.
        absent: The missing value in a row of a frame.
        empty: The missing value as an attribute of a record.
    """

    noun: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]]
    json: ClassVar[pa.DataType]
    dtype: ClassVar[Any]
    absent: ClassVar[Any] = None
    empty: ClassVar[Any] = None

    @classmethod
    def read(cls, value: Any, /) -> Any:
        """Return the Python value of a JSON value; raise `ValueError` if its type is wrong."""
        raise NotImplementedError

    @classmethod
    def check(cls, value: Any, /) -> Any:
        """Return the JSON to send for a user's value; raise `ValueError` with the reason."""
        raise NotImplementedError

    @classmethod
    def accept(cls, value: Any, /) -> Any:
        """Return a JSON value as a tenant stores it; raise `ValueError` if its type is wrong."""
        try:
            return cls.check(cls.read(value))
        except ValueError:
            raise cls.refuse(value) from None

    @classmethod
    def write(cls, value: Any, /) -> Any:
        """Return the JSON of a cell; raise `ValueError` if it cannot be written as JSON."""
        if isinstance(value, str | bool):
            return value
        return _to_json(value)

    @classmethod
    def key(cls, value: Any, /) -> Any:
        """Return a key that is equal for two values if and only if they mean the same."""
        return value

    @classmethod
    def refuse(cls, value: object) -> ValueError:
        """Return the error for a value of another type."""
        return ValueError(f"must be {cls.noun}, not {shown(value)} ({type(value).__name__})")


def _to_json(value: Any) -> Any:
    """Return the JSON of a cell; raise `ValueError` if a part of it cannot be written as JSON."""
    value = plain(value) if isinstance(value, np.generic) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    if not isinstance(value, list | tuple | dict | np.ndarray):
        raise ValueError(f"({type(value).__name__}) cannot be written as JSON")
    try:
        return json.loads(json.dumps(plain(value), default=_to_json), parse_constant=_constant)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "holds something that cannot be written as JSON, such as NaN, or is nested too deep"
        ) from None


def _constant(name: str) -> float:
    """Return infinity, which JSON can write as a number beyond all doubles; refuse NaN."""
    if name == "NaN":
        raise ValueError("NaN is not JSON")
    return float(name)


class Text(ValueType):
    """Text; a column of pandas' dtype `str`."""

    noun = "text (str)"
    schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    json = pa.string()
    dtype = pd.StringDtype(na_value=np.nan)
    absent = math.nan

    @classmethod
    def read(cls, value: Any, /) -> str:
        if not isinstance(value, str):
            raise ValueError("not a text")
        return value

    @classmethod
    def check(cls, value: Any, /) -> str:
        if not isinstance(value, str):
            raise cls.refuse(value)
        return str(value)


class Flag(ValueType):
    """True or false; nullable, since a missing flag is not false."""

    noun = "True or False"
    schema: ClassVar[Mapping[str, Any]] = {"type": "boolean"}
    json = pa.bool_()
    dtype = pd.BooleanDtype()
    absent = pd.NA

    @classmethod
    def read(cls, value: Any, /) -> bool:
        if not isinstance(value, bool):
            raise ValueError("not true or false")
        return value

    @classmethod
    def check(cls, value: Any, /) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise cls.refuse(value)
        return bool(value)


class Whole(ValueType):
    """A whole number of 64 bits."""

    noun = "a whole number (int)"
    schema: ClassVar[Mapping[str, Any]] = {
        "type": "integer",
        "format": "int64",
        "minimum": -(2**63),
        "maximum": 2**63 - 1,
    }
    json = pa.int64()
    dtype = pd.Int64Dtype()
    absent = pd.NA

    @classmethod
    def read(cls, value: Any, /) -> int:
        # JSON does not distinguish 3.0 from 3, and frames read from a database hold decimals.
        if is_whole(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value not in INT64:
            raise ValueError("not a whole number of 64 bits")
        return value

    @classmethod
    def check(cls, value: Any, /) -> int:
        if not isinstance(value, int | np.integer) or isinstance(value, bool):
            raise cls.refuse(value)
        if int(value) not in INT64:
            raise ValueError(f"must fit into 64 bits, not {shown(value)}")
        return int(value)


def is_whole(value: object) -> bool:
    """True if a value is a float or a decimal without a fraction."""
    return (
        isinstance(value, float | np.floating | Decimal)
        and math.isfinite(value)
        and value == int(value)
    )


class Names(ValueType):
    """A set of texts: a list in JSON, and a tuple in a frame, so that nobody can edit cached cells.

    The order of the texts and repeated texts have no meaning.
    """

    noun = "a list of texts (list or tuple of str)"
    schema: ClassVar[Mapping[str, Any]] = {"type": "array", "items": {"type": "string"}}
    json = pa.list_(pa.string())
    dtype = np.dtype(object)
    empty = ()

    @classmethod
    def read(cls, value: Any, /) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("not a list of texts")
        return tuple(value)

    @classmethod
    def check(cls, value: Any, /) -> list[str]:
        value = plain(value)
        if not isinstance(value, list | tuple | set | frozenset) or not all(
            isinstance(item, str) for item in value
        ):
            raise cls.refuse(value)
        return sorted(value) if isinstance(value, set | frozenset) else list(value)

    @classmethod
    def write(cls, value: Any, /) -> list[str]:
        return cls.check(cls.parse(value) if isinstance(value, str) else value)

    @classmethod
    def parse(cls, text: str, /) -> tuple[str, ...]:
        """Parse a list of texts out of a cell's text; raise `ValueError` if it is none.

        >>> Names.parse('["salary"]') == Names.parse("('salary',)") == ("salary",)
        True

        The text is JSON, or exactly the `repr` of a list or tuple of texts, which pandas writes
        into files. Nothing is evaluated.
        """
        text = text.strip()
        try:
            return cls.read(json.loads(text))
        except (ValueError, RecursionError):
            pass
        literals = _LITERAL.findall(text[1:-1])
        names = tuple(_ESCAPE.sub(_unescaped, literal[1:-1]) for literal in literals)
        # Accept only the exact `repr`: '("a" "b")' is not a list of two texts. Which characters
        # `repr` escapes depends on the version of Python; `ascii` escapes all of them.
        if text not in {form(items) for form in (repr, ascii) for items in (names, list(names))}:
            raise ValueError('is not a list of texts such as ["email"]')
        return names

    @classmethod
    def key(cls, value: Any, /) -> Any:
        if isinstance(value, str):
            try:
                value = cls.parse(value)
            except ValueError:
                return value
        return frozenset(value) if isinstance(value, LISTS) else value


_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(match: re.Match[str]) -> str:
    """Return the character of an escape in a `repr`; an empty text if there is none."""
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ESCAPED.get(match[4], match[4])
    number = int(digits, 16)
    return chr(number) if number <= sys.maxunicode else ""


class Moment(ValueType):
    """An instant in UTC. A fraction finer than a microsecond is cut."""

    noun = "a timestamp"
    schema: ClassVar[Mapping[str, Any]] = {"type": "string", "format": "date-time"}
    json = pa.string()
    dtype = pd.DatetimeTZDtype("us", "UTC")
    absent = pd.NaT

    @classmethod
    def read(cls, value: Any, /) -> datetime:
        if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
            raise ValueError("not an ISO 8601 timestamp with an offset")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not a date and time that exist") from None
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("outside the years 1 to 9999 in UTC") from None

    @classmethod
    def check(cls, _: Any, /) -> str:
        raise ValueError("is set by the tenant")

    @classmethod
    def write(cls, value: Any, /) -> str:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError("is not a timestamp with a time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")


class NamesByProject(ValueType):
    """Lists of texts by project, such as permissions; never a column."""

    noun = "lists of texts by project"
    schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": Names.schema,
    }
    json = pa.null()
    dtype = np.dtype(object)
    empty: ClassVar[Mapping[str, tuple[str, ...]]] = types.MappingProxyType({})

    @classmethod
    def read(cls, value: Any, /) -> Mapping[str, tuple[str, ...]]:
        if not isinstance(value, dict):
            raise ValueError("not an object of lists")
        return types.MappingProxyType({key: Names.read(item) for key, item in value.items()})

    @classmethod
    def check(cls, value: Any, /) -> dict[str, list[str]]:
        if not isinstance(value, Mapping):
            raise cls.refuse(value)
        return {key: Names.check(item) for key, item in value.items()}


# The value type of each Python type that a record may declare.
VALUE_TYPES: Mapping[Any, type[ValueType]] = {
    str: Text,
    bool: Flag,
    int: Whole,
    tuple[str, ...]: Names,
    datetime: Moment,
    Mapping[str, tuple[str, ...]]: NamesByProject,
}


def is_missing(value: object) -> bool:
    """True if a cell is missing; unlike `pd.isna`, takes tuples too."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
    )


def is_empty(value: object) -> bool:
    """True if a value is missing, an empty text or an empty list."""
    if isinstance(value, (str, *LISTS)):
        return len(value) == 0
    return is_missing(value)


def plain(value: Any) -> Any:
    """Convert NumPy's scalars and arrays, which Parquet has for lists, to Python's values."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value] if value.ndim else plain(value[()])
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict and any(isinstance(item, np.ndarray) for item in value.values()):
        return {key: plain(item) for key, item in value.items()}
    return value


def python_value(cell: Any) -> Any:
    """Return a cell as a Python value; None if it is missing."""
    return None if is_missing(cell) else plain(cell)


def cell_text(value: object) -> str | None:
    """Return a cell as a text for frames and files; None if it is missing."""
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, tuple | list | dict | np.ndarray):
        return json.dumps(plain(value), ensure_ascii=False, default=str)
    return str(value)


def shown_cell(value: object) -> str:
    """Return a cell as a text for people."""
    if is_empty(value):
        return "(missing)" if is_missing(value) else "(empty)"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return str(cell_text(value))
