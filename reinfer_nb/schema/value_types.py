"""The types of values: each in JSON, in Python, in Arrow and in a frame.

Knows nothing of fields; `fields` says which of these a field's values are.
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

# What the listing endpoint is seen to send, and what Arrow reads too; nothing looser, so that a
# text is either exactly one instant or no instant.
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?[0-5]\d)?)",
    re.ASCII,
)
# How what is not there is told to people.
MISSING = "(missing)"
INT64 = range(-(2**63), 2**63)
# Whole numbers that a double tells from their neighbours.
EXACT = range(-(2**53), 2**53 + 1)


class ValueType:
    """A type of value: in JSON, in Python, in Arrow and in a frame.

    Attributes:
        noun: What to call it in a message.
        json: Its Arrow type as Arrow's JSON reader sees it.
        dtype: Its dtype as a column.
        absent: What a row of a frame holds where the answer has nothing.
        schema: Its JSON Schema.
    """

    noun: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]]
    json: ClassVar[pa.DataType]
    dtype: ClassVar[Any]
    absent: ClassVar[Any]
    empty: ClassVar[Any] = None

    @classmethod
    def read(cls, value: Any, /) -> Any:
        """Return a JSON value as its Python value; raise `ValueError` where it is not one."""
        raise NotImplementedError

    @classmethod
    def check(cls, value: Any, /) -> Any:
        """Return what a user wrote as the JSON to send; raise `ValueError` with the reason."""
        raise NotImplementedError

    @classmethod
    def accept(cls, value: Any, /) -> Any:
        """Return a JSON value as a tenant keeps it; raise `ValueError` where it is not one."""
        try:
            return cls.check(cls.read(value))
        except ValueError:
            raise cls.refuse(value) from None

    @classmethod
    def write(cls, value: Any, /) -> Any:
        """Return what a frame holds as JSON; raise `ValueError` where that has no form for it."""
        if isinstance(value, str | bool):
            return value
        return _plain(value)

    @classmethod
    def key(cls, value: Any, /) -> Any:
        """Return a key that is equal for two values if and only if they mean the same."""
        return value

    @classmethod
    def refuse(cls, value: object) -> ValueError:
        """Return the error for a value of another type."""
        return ValueError(f"must be {cls.noun}, not {shown(value)} ({type(value).__name__})")


def _plain(value: Any) -> Any:
    """Return a cell as JSON; raise `ValueError` where it, or something in it, has no form there."""
    value = plain(value) if isinstance(value, np.generic) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str | bool | int | float | list | tuple | dict | np.ndarray):
        raise ValueError(f"({type(value).__name__}) has no form in JSON")
    if isinstance(value, list | tuple | dict | np.ndarray):
        try:
            return json.loads(json.dumps(value, default=_inner), parse_constant=_infinite)
        except (TypeError, ValueError, RecursionError):
            raise ValueError(
                "holds something that has no form in JSON, such as NaN, or is nested too deep"
            ) from None
    return value


def _infinite(constant: str) -> float:
    """Return an infinite number, which JSON has as one beyond all doubles."""
    if constant == "NaN":
        raise ValueError("NaN is no number in JSON")
    return float(constant)


def _inner(value: Any) -> Any:
    """Return a value inside of a list or dictionary, which `json` does not know, as it knows it."""
    return value.tolist() if isinstance(value, np.ndarray) else _plain(value)


class Text(ValueType):
    """Text; a column of pandas' own `str`, in which missing is missing."""

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
    """True or false; nullable, since absent is not false."""

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
        # 3.0 is a whole number in JSON, which does not tell the two apart; frames out of a
        # database hold decimals.
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
            raise ValueError(f"must fit into 64 bits, which {shown(value)} does not")
        return int(value)


def is_whole(value: object) -> bool:
    """Whether a value is a float or a decimal without a fraction."""
    return (
        isinstance(value, float | np.floating | Decimal)
        and math.isfinite(value)
        and value == int(value)
    )


class Names(ValueType):
    """A set of texts, a list in JSON; a tuple a row, so that no cached frame can be damaged.

    Neither the order of the texts nor how often each is there has a meaning.
    """

    noun = "a list of texts (list or tuple of str)"
    schema: ClassVar[Mapping[str, Any]] = {"type": "array", "items": {"type": "string"}}
    json = pa.list_(pa.string())
    dtype = np.dtype(object)
    absent = None
    empty = ()

    @classmethod
    def read(cls, value: Any, /) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("not a list of texts")
        return tuple(value)

    @classmethod
    def check(cls, value: Any, /) -> list[str]:
        # Parquet gives lists back as arrays.
        value = plain(value) if isinstance(value, np.ndarray) else value
        if not isinstance(value, list | tuple | set | frozenset):
            raise cls.refuse(value)
        for item in value:
            if not isinstance(item, str):
                raise cls.refuse(value)
        return sorted(value) if isinstance(value, set | frozenset) else list(value)

    @classmethod
    def write(cls, value: Any, /) -> list[str]:
        return cls.check(cls.parse(value) if isinstance(value, str) else value)

    @classmethod
    def parse(cls, text: str, /) -> tuple[str, ...]:
        """Return the list that a text in a cell spells; raise `ValueError` where it spells none.

        >>> Names.parse('["salary"]') == Names.parse("('salary',)") == ("salary",)
        True

        It is JSON, or exactly what Python prints of a list or a tuple of texts, since pandas
        writes that into files. Nothing in it is evaluated.
        """
        text = text.strip()
        try:
            return cls.read(json.loads(text))
        except (ValueError, RecursionError):
            pass
        literals = _LITERAL.findall(text[1:-1])
        names = tuple(_ESCAPE.sub(_unescaped, literal[1:-1]) for literal in literals)
        # Only what Python prints in exactly this way: '"a" "b"' is no list of two. Which
        # characters `repr` escapes depends on the version of Python; `ascii` escapes them all.
        if text not in {form(items) for form in (repr, ascii) for items in (names, list(names))}:
            raise ValueError('is no list of texts, such as ["email"]')
        return names

    @classmethod
    def key(cls, value: Any, /) -> Any:
        if isinstance(value, str):
            try:
                value = cls.parse(value)
            except ValueError:
                return value
        listed = isinstance(value, list | tuple | set | frozenset | np.ndarray)
        return frozenset(value) if listed else value


_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_ESCAPE = re.compile(r"\\(?:x(..)|u(....)|U(.{8})|(.))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(match: re.Match[str]) -> str:
    """Return the character that an escape in a printed text stands for."""
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ESCAPED.get(match[4], match[4])
    number = int(digits, 16)
    if number > sys.maxunicode:
        raise ValueError('is no list of texts, such as ["email"]')
    return chr(number)


class Moment(ValueType):
    """An instant, to the microsecond, in UTC. A finer fraction is cut to the microsecond."""

    noun = "a timestamp"
    schema: ClassVar[Mapping[str, Any]] = {"type": "string", "format": "date-time"}
    json = pa.string()
    dtype = pd.DatetimeTZDtype("us", "UTC")
    absent = pd.NaT

    @classmethod
    def read(cls, value: Any, /) -> datetime:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValueError("not an ISO 8601 timestamp with an offset")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("no date and time that exist") from None
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
            raise ValueError("is no timestamp with a time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")


class NamesByProject(ValueType):
    """Lists of texts by project, as permissions are given; never a column."""

    noun = "lists of texts by project"
    schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": Names.schema,
    }
    json = pa.null()
    dtype = np.dtype(object)
    absent = None
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


# By the Python type that a definition says.
VALUE_TYPES: Mapping[Any, type[ValueType]] = {
    str: Text,
    bool: Flag,
    int: Whole,
    tuple[str, ...]: Names,
    datetime: Moment,
    Mapping[str, tuple[str, ...]]: NamesByProject,
}


def has_time_zone(dtype: Any) -> bool:
    """Whether a dtype, of pandas or of Arrow, is one of instants with a time zone."""
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        return pa.types.is_timestamp(kind) and kind.tz is not None
    return isinstance(dtype, pd.DatetimeTZDtype)


def is_missing(value: object) -> bool:
    """Whether a cell of a frame is missing; unlike `pd.isna`, also told of a tuple."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
    )


def is_empty(value: object) -> bool:
    """Whether a value says nothing: it is missing, an empty text or an empty list."""
    if isinstance(value, str | list | tuple | set | frozenset | np.ndarray):
        return len(value) == 0
    return is_missing(value)


def plain(value: Any) -> Any:
    """Return a value with lists in place of numpy's arrays, and Python's own scalars for numpy's.

    Parquet gives lists back as arrays.
    """
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value] if value.ndim else plain(value[()])
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict and any(isinstance(item, np.ndarray) for item in value.values()):
        return {key: plain(item) for key, item in value.items()}
    return value


def cell_text(value: object) -> str | None:
    """Return a cell as a text for people; None where it is missing."""
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, tuple | list | np.ndarray):
        return json.dumps(list(map(str, value)), ensure_ascii=False)
    return str(value)
