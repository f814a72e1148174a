"""The table of fields of a record class, read from its annotations.

`About` describes what the Python type of a field cannot; `fields_of` returns the table. Frames,
checks, forms and the sandbox take all they know about fields from it.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reinfer_nb import strict_json
from reinfer_nb.nesting import DEEPEST, is_too_deep
from reinfer_nb.schema.value_types import VALUE_TYPES, ValueType, is_empty
from reinfer_nb.text import holds_half_character, is_blank, listed, nearest, shown

Operation = Literal["create", "update"]


@dataclass(frozen=True, slots=True)
class About:
    """Description of a field beyond its Python type, for `typing.Annotated`.

    Attributes:
        help: The meaning of the field, in one line.
        wire: The field's JSON name, if it differs from the attribute's.
        create: True if a create may set the field.
        update: True if an update may set the field.
        nullable: True if `None` may be given, which clears the field.
        allowed: The values that may be written, each with its meaning.
        open: True if values beyond `allowed` may be written too, except near misses of one.
        default: The tenant's value when a create leaves the field out.
        multiline: True for longer text, which a form shows in several lines.
        may_be_fixed: True if a tenant may accept an update of the field and not change it.
        parses_again: True if a change makes the tenant parse all emails of the source again.
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
    may_be_fixed: bool = False
    parses_again: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the table.

    Attributes:
        name: The attribute, and the column of a frame.
        type: The type of its values.
        about: Its description.
        required: True if every record in a response must have the field.
    """

    name: str
    type: type[ValueType]
    about: About
    required: bool

    @property
    def wire(self) -> str:
        """The field's JSON name."""
        return self.about.wire or self.name

    def may(self, operation: Operation) -> bool:
        """True if the field may be given in a create or an update."""
        return self.about.create if operation == "create" else self.about.update

    def same(self, left: Any, right: Any) -> bool:
        """True if two values mean the same: the order of a set has no meaning.

        An empty text or list equals a missing value: CSV files and some tenants do not distinguish
        them.
        """
        if is_empty(left) or is_empty(right):
            return is_empty(left) and is_empty(right)
        return bool(self.type.key(left) == self.type.key(right))

    def check(self, value: Any) -> Any:
        """Return the JSON to send for a user's value; raise `ValueError` with the reason.

        A blank text clears a nullable field, as an empty cell of a file does.
        """
        if self.about.nullable and (value is None or is_blank(value)):
            return None
        content = self._checked(value)
        if holds_half_character(content):
            raise ValueError(
                f"holds half a character (a lone surrogate), which cannot be sent: {shown(value)}. "
                "Replace that character"
            )
        return content

    def _checked(self, value: Any) -> Any:
        allowed = self.about.allowed
        if allowed is None:
            return self.type.check(value)
        if isinstance(value, str) and value in allowed:
            return str(value)
        near = nearest(value, allowed) if isinstance(value, str) else None
        if self.about.open and isinstance(value, str) and value and near is None:
            return str(value)
        raise self._refuse(value)

    def accept(self, value: Any) -> Any:
        """Return a JSON value as a tenant stores it; raise `ValueError` with the reason.

        As `check`, but an open field takes near misses too: a tenant does not look for typos.
        """
        if value is None and self.about.nullable:
            return None
        allowed = self.about.allowed
        if allowed is None:
            return self.type.accept(value)
        if isinstance(value, str) and (value in allowed or (self.about.open and value)):
            return value
        raise self._refuse(value)

    def _refuse(self, value: Any) -> ValueError:
        meanings = (self.about.allowed or {}).items()
        choices = listed(f'"{choice}" ({meaning})' for choice, meaning in meanings)
        return ValueError(f"must be one of {choices}, not {shown(value)}")

    def schema(self, *, in_response: bool = False) -> dict[str, Any]:
        """Return the JSON Schema of the field's values.

        Args:
            in_response: True for values in responses, False for values in requests.
        """
        schema = {**self.type.schema, "description": self.about.help}
        allowed = self.about.allowed
        if allowed and not in_response:
            meanings = "; ".join(f"{value}: {meaning}" for value, meaning in allowed.items())
            schema["description"] += f" {meanings}."
            schema |= {"minLength": 1} if self.about.open else {"enum": list(allowed)}
        if self.about.nullable and not in_response:
            schema["type"] = [schema["type"], "null"]
        if self.about.default is not None and not in_response:
            default = self.about.default
            schema["default"] = list(default) if isinstance(default, tuple) else default
        return schema


def fields_of(model: type) -> tuple[Field, ...]:
    """Return the table of fields of a dataclass, in the order of its annotations.

    Args:
        model: A dataclass with fields `Annotated[type, About(...)]`; other fields are ignored.
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
                VALUE_TYPES[plain],
                about,
                required=types.NoneType not in arms,
            )
        )
    return tuple(table)


def read_record(model: type, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of a record from its JSON object, and the problems found in it.

    Args:
        model: A dataclass with a table of fields.
        data: The JSON object.

    Returns:
        The attributes by name, with unknown fields by JSON name under `extra`; and a line for each
        problem. A missing or null field is the `empty` of its type, an unreadable one is `None`.

    Raises:
        strict_json.Malformed: A known field holds `NaN` or `Infinity`.
    """
    values: dict[str, Any] = {}
    problems = []
    known_names = set()
    for field in fields_of(model):
        known_names.add(field.wire)
        value = data.get(field.wire)
        strict_json.refuse_non_finite(value)
        if value is None:
            values[field.name] = field.type.empty
            continue
        try:
            values[field.name] = field.type.read(value)
        except ValueError as error:
            values[field.name] = None
            problems.append(f"{field.wire} is {error}: {shown(value)}")
    extra = values["extra"] = {}
    for name, value in data.items():
        if name in known_names:
            continue
        extra[name] = value
        constant = strict_json.non_finite_in(value)
        if constant:
            extra[name] = None
            problems.append(f"{shown(name)} holds {constant}, which is not JSON")
        elif is_too_deep(value):
            extra[name] = None
            problems.append(f"{shown(name)} is nested more than {DEEPEST} levels deep")
    return values, problems
