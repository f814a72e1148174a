"""Checks of names, settings and frames; each raises `InvalidInput`.

The client checks before it sends a request, the practice tenant when it receives one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema.fields import Field, Operation, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import hint, listed, shown

# The documented rule for names of buckets; assumed for sources and projects too.
NAME_RULE = "1 to 256 of the characters A-Z, a-z, 0-9, _ and -"
ID_RULE = "16 hexadecimal digits in lower case, such as 18ba5ce699f8da1f"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def is_name(text: object) -> bool:
    """True if `text` can be the API name of a source, a project or a bucket."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_id(text: object) -> bool:
    """True if `text` can be the id of a source."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def project_name(text: object) -> str:
    """Return `text` if it can be a project's name.

    Raises:
        InvalidInput: It cannot; the message gives the rule.
    """
    if isinstance(text, str) and is_name(text):
        return text
    raise InvalidInput(f"{shown(text)} is not a project name. A project's name is {NAME_RULE}.")


def project_names(given: object, check: Callable[[object], str] = project_name) -> list[str]:
    """Return the names of several projects, each once.

    Args:
        given: The names, in any collection.
        check: Returns a name if it is valid, as `project_name` does.

    Raises:
        InvalidInput: A name is not valid, or there are none.
    """
    if isinstance(given, pd.DataFrame | bytes) or not isinstance(given, Iterable):
        raise InvalidInput(
            f"sources takes a project's name or a list of names, not {shown(given)}. A name is "
            f"{NAME_RULE}."
        )
    names = list(dict.fromkeys(map(check, given)))
    if not names:
        raise InvalidInput(
            "The list of projects is empty. Leave it out for the sources of all projects."
        )
    return names


def full_name(text: object) -> tuple[str, str]:
    """Return the project and the name of a source given as "project/name".

    >>> full_name("acme/support")
    ('acme', 'support')

    Raises:
        InvalidInput: It is not of that form; the message gives the rule and the wrong part.
    """
    form = 'Give the full name as "project/name", such as "acme/support"'
    if not isinstance(text, str):
        raise InvalidInput(f"{shown(text)} ({type(text).__name__}) is not a text. {form}.")
    owner, slash, name = text.partition("/")
    if not slash:
        raise InvalidInput(f"{shown(text)} has no slash. {form}.")
    for part, noun in ((owner, "project"), (name, "name")):
        if not is_name(part):
            problem = f"the {noun} {shown(part)} is not valid" if part else f"the {noun} is empty"
            raise InvalidInput(f"In {shown(text)} {problem}. {form}, each part {NAME_RULE}.")
    return owner, name


def source_name(which: object) -> tuple[str, str]:
    """Return the project and the name, as `full_name` does, where an id is allowed too."""
    if isinstance(which, str) and "/" not in which:
        raise InvalidInput(
            f"{shown(which)} is neither a full name nor an id. Give the source as "
            f'"project/name" or by its id, {ID_RULE}.'
        )
    return full_name(which)


def settings(
    operation: Operation, given: Mapping[str, Any], *, model: type = Source
) -> dict[str, Any]:
    """Return the settings of a create or an update as the JSON object to send.

    Args:
        operation: Create or update.
        given: The user's values by attribute name.
        model: The record class that defines the fields.

    Raises:
        InvalidInput: A field is unknown or cannot be written, a value has the wrong type or is not
            allowed, or an update has no settings. The message lists all problems.
    """
    table = {field.name: field for field in fields_of(model)}
    body = _checked(table, operation, given, Field.check, model)
    if operation == "update" and not body:
        writable = [name for name, field in table.items() if field.may("update")]
        raise InvalidInput(f"Nothing to update: give at least one of {listed(writable, 20)}.")
    return body


def wire_settings(operation: Operation, body: Any, *, model: type = Source) -> dict[str, Any]:
    """Return the settings in a request, each value checked as a tenant does.

    Args:
        operation: Create or update.
        body: The decoded JSON object, with the fields' JSON names.
        model: The record class that defines the fields.

    Raises:
        InvalidInput: As `settings`, but an update without settings is allowed.
    """
    if not isinstance(body, dict):
        raise InvalidInput(f"{_noun(model)} must be an object, not {shown(body)}.")
    table = {field.wire: field for field in fields_of(model)}
    return _checked(table, operation, body, Field.accept, model)


def _noun(model: type) -> str:
    return model.__name__.lower()


def _checked(
    table: Mapping[str, Field],
    operation: Operation,
    given: Mapping[str, Any],
    check: Callable[[Field, Any], Any],
    model: type,
) -> dict[str, Any]:
    writable = [name for name, field in table.items() if field.may(operation)]
    noun = _noun(model)
    body = {}
    problems = []
    for name, value in given.items():
        field = table.get(name)
        if field is None:
            problems.append(f"Unknown field {shown(name)}. {hint(name, writable)}")
        elif not field.may(operation):
            problems.append(f"{name} cannot be given in {operation}: {_why_not(field, noun)}")
        else:
            try:
                body[field.wire] = check(field, value)
            except ValueError as error:
                problems.append(f"{name} {error}.")
    if problems:
        raise InvalidInput(" ".join(problems))
    return body


def _why_not(field: Field, noun: str) -> str:
    if field.name in ("owner", "name"):
        return f"a {noun} cannot be renamed or moved; its full name is given separately."
    return "the tenant sets it."


def _computable(df: pd.DataFrame) -> pd.DataFrame:
    """Convert columns that pandas or Arrow cannot compute with; return `df` if there are none."""
    conversions = [_conversion(dtype) for dtype in df.dtypes]
    if not any(conversions):
        return df
    # Column by column, since pandas cannot copy a frame with string views.
    columns = {
        number: convert(df.iloc[:, number]) if convert else df.iloc[:, number]
        for number, convert in enumerate(conversions)
    }
    converted = pd.DataFrame(columns, index=df.index)
    converted.columns = df.columns
    converted.attrs = df.attrs
    return converted


def _conversion(dtype: Any) -> Callable[[pd.Series], pd.Series] | None:
    """Return the function that converts a column of this dtype; None if it needs no conversion."""
    if isinstance(dtype, pd.SparseDtype):
        return lambda column: column.astype(dtype.subtype)
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_string_view(dtype.pyarrow_dtype):
        return lambda column: pd.Series(column.tolist(), column.index, dtype="str")
    return None


def check_frame(df: object, requirement: str) -> pd.DataFrame:
    """Return a pandas DataFrame with one level of columns, or raise `InvalidInput`.

    Columns of Arrow's string views become `str`, since pandas cannot select, copy or print them.
    Sparse columns become dense, since Arrow has no sparse type.

    Args:
        df: The value.
        requirement: The beginning of the message, such as "to_csv takes a DataFrame".
    """
    if isinstance(df, pd.DataFrame):
        if df.columns.nlevels > 1:
            raise InvalidInput(
                f"{requirement} with one level of columns, not {df.columns.nlevels}. Keep "
                "one level: df.columns = df.columns.get_level_values(0)."
            )
        return _computable(df)
    kind = type(df)
    name = f"{kind.__module__.partition('.')[0]} {kind.__name__}"
    if hasattr(df, "to_pandas"):
        raise InvalidInput(f"{requirement}, not a {name}. Call .to_pandas() first.")
    if hasattr(df, "collect"):
        raise InvalidInput(f"{requirement}, not a {name}. Call .collect().to_pandas().")
    if hasattr(df, "__dataframe__"):
        raise InvalidInput(
            f"{requirement}, not a {name}. Call pd.api.interchange.from_dataframe(df) first."
        )
    raise InvalidInput(f"{requirement}, not {shown(df)}.")
