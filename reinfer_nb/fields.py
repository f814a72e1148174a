"""How the annotations of a class become a table of fields: the one place types are explained.

`About` says of a field what its Python type cannot; `fields_of` reads the table off a class.
Frames, checks, the sandbox and everything else that needs to know a field asks the table.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.text import listed, nearest, shown

Operation = Literal["create", "update"]

# What the listing endpoint is seen to send, and what Arrow reads too; nothing looser, so that a
# text is either exactly one instant or no instant.
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?[0-5]\d)?)",
    re.ASCII,
)
INT64 = range(-(2**63), 2**63)
# Whole numbers that a double tells from their neighbours.
EXACT = range(-(2**53), 2**53 + 1)


@dataclass(frozen=True, slots=True)
class About:
    """What the API says of a field beyond its Python type; goes into `typing.Annotated`.

    Attributes:
        help: One line for a person: what the field means.
        wire: The field's name in JSON, where it differs from the attribute's.
        create: May be given when a source is created.
        update: May be given when a source is updated.
        nullable: May be given as `None`, which clears it.
        allowed: The values that may be written, each with its meaning.
        open: Values beyond `allowed` may exist and may be written; only near misses are refused.
        default: What the tenant takes when a create leaves the field out.
        multiline: Longer text that a form gives more than a line.
    """

    help: str
    wire: str | None = None
    create: bool = False
    update: bool = False
    nullable: bool = False
    allowed: Mapping[str, str] | None = None
    open: bool = False
    default: Any = None
    multiline: bool = False


class ValueType:
    """A type of value: in JSON, in Python, in Arrow and in a frame.

    Attributes:
        noun: What to call it in a message.
        json: Its Arrow type as Arrow's JSON reader sees it.
        dtype: Its dtype as a column.
        absent: What a row of a frame holds where the answer has nothing.
    """

    noun: ClassVar[str]
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
    def write(cls, value: Any, /) -> Any:
        """Return what a frame holds as JSON; raise `ValueError` where that has no form for it."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, datetime):
            return value.isoformat()
        if not isinstance(value, str | bool | int | float | list | tuple | dict):
            raise ValueError(f"({type(value).__name__}) has no form in JSON")
        return value

    @classmethod
    def refuse(cls, value: object) -> ValueError:
        """Return the error for a value of another type."""
        return ValueError(f"must be {cls.noun}, not {shown(value)} ({type(value).__name__})")


class Text(ValueType):
    """Text; a column of pandas' own `str`, in which missing is missing."""

    noun = "text (str)"
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
    json = pa.int64()
    dtype = pd.Int64Dtype()
    absent = pd.NA

    @classmethod
    def read(cls, value: Any, /) -> int:
        # 3.0 is a whole number in JSON, which does not tell the two apart.
        if isinstance(value, float) and value.is_integer():
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


class Names(ValueType):
    """A list of texts; a tuple a row, so that a cached frame cannot be damaged through it."""

    noun = "a list of texts (list or tuple of str)"
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
        if not isinstance(value, list | tuple | set | frozenset):
            raise cls.refuse(value)
        for item in value:
            if not isinstance(item, str):
                raise cls.refuse(value)
        return sorted(value) if isinstance(value, set | frozenset) else list(value)

    @classmethod
    def write(cls, value: Any, /) -> list[str]:
        return cls.check(value)


class Moment(ValueType):
    """An instant, to the microsecond, in UTC. A finer fraction is cut to the microsecond."""

    noun = "a timestamp"
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
    def check(cls, _: Any, /) -> Any:
        raise ValueError("is set by the tenant")


_VALUE_TYPES: Mapping[Any, type[ValueType]] = {
    str: Text,
    bool: Flag,
    int: Whole,
    tuple[str, ...]: Names,
    datetime: Moment,
    Mapping[str, tuple[str, ...]]: NamesByProject,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the table.

    Attributes:
        name: The attribute, and the column of a frame.
        type: What its values are.
        about: What else is known of it.
        required: An answer about one source must have it.
    """

    name: str
    type: type[ValueType]
    about: About
    required: bool

    @property
    def wire(self) -> str:
        """The field's name in JSON."""
        return self.about.wire or self.name

    def may(self, operation: Operation) -> bool:
        """Whether the field may be given in a create or an update."""
        return self.about.create if operation == "create" else self.about.update

    def check(self, value: Any) -> Any:
        """Return the JSON to send for a value a user gave; raise `ValueError` with the reason."""
        if value is None and self.about.nullable:
            return None
        allowed = self.about.allowed
        if allowed is None:
            return self.type.check(value)
        if isinstance(value, str) and value in allowed:
            return str(value)
        near = nearest(value, allowed) if isinstance(value, str) else None
        if self.about.open and isinstance(value, str) and value and near is None:
            return str(value)
        choices = listed(f'"{choice}" ({meaning})' for choice, meaning in allowed.items())
        raise ValueError(f"must be one of {choices}, not {shown(value)}")


def fields_of(model: type) -> tuple[Field, ...]:
    """Return the table of fields of a dataclass, in the order of its annotations.

    Args:
        model: A dataclass whose fields are `Annotated[type, About(...)]`; others are passed over.
    """
    return _table(model)


@functools.cache
def _table(model: Any) -> tuple[Field, ...]:
    hints = typing.get_type_hints(model, include_extras=True)
    table = []
    for attribute in dataclasses.fields(model):
        hint = hints[attribute.name]
        about = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, About)), None)
        if about is None:
            continue
        inner = typing.get_args(hint)[0]
        arms = typing.get_args(inner) if isinstance(inner, types.UnionType) else (inner,)
        (plain,) = (arm for arm in arms if arm is not types.NoneType)
        table.append(
            Field(
                attribute.name,
                _VALUE_TYPES[plain],
                about,
                required=types.NoneType not in arms,
            )
        )
    return tuple(table)


def read_record(model: type, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a JSON object as the attributes of `model`, with what could not be understood.

    Args:
        model: A dataclass with a table of fields.
        data: The JSON object.

    Returns:
        The attributes by name, `None` (or the empty tuple) for what is absent or null or cannot
        be understood, unknown fields by their JSON name under `extra`; and for each field that
        could not be understood a line that says so.
    """
    values: dict[str, Any] = {}
    problems = []
    known = set()
    for field in fields_of(model):
        known.add(field.wire)
        value = data.get(field.wire)
        if value is None:
            values[field.name] = field.type.empty
            continue
        try:
            values[field.name] = field.type.read(value)
        except ValueError as error:
            values[field.name] = None
            problems.append(f"{field.wire} is {error}: {shown(value)}")
    values["extra"] = {name: value for name, value in data.items() if name not in known}
    return values, problems


def is_missing(value: object) -> bool:
    """Whether a cell of a frame is missing; unlike `pd.isna`, also told of a tuple."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
    )
