"""What a user or a request wrote, held against the rules before anything is done with it.

The same checks serve the client, before it sends, and the sandbox, when it receives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema.fields import Field, Operation, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import hint, listed, shown

# The rule of the sibling resource bucket, taken for sources and projects too.
NAME_RULE = "1 to 256 of the characters A-Z, a-z, 0-9, _ and -"
ID_RULE = "16 hexadecimal digits, in lower case, such as 18ba5ce699f8da1f"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def is_name(text: object) -> bool:
    """Whether `text` can be the API name of a source, a project or a bucket."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_id(text: object) -> bool:
    """Whether `text` can be the id of a source."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def project_name(text: object) -> str:
    """Return `text` if it can be a project's name.

    Raises:
        InvalidInput: It cannot; the message gives the rule.
    """
    if isinstance(text, str) and is_name(text):
        return text
    raise InvalidInput(f"A project's name is {NAME_RULE}; {shown(text)} is not.")


def full_name(text: object) -> tuple[str, str]:
    """Return the project and the name of a source given as "project/name".

    >>> full_name("acme/support")
    ('acme', 'support')

    Raises:
        InvalidInput: It is not of that form; the message gives the rule and what breaks it.
    """
    form = 'A source\'s full name is "project/name", as in "acme/support"'
    if not isinstance(text, str):
        raise InvalidInput(f"{form}; {shown(text)} ({type(text).__name__}) is not a text.")
    owner, slash, name = text.partition("/")
    if not slash:
        raise InvalidInput(f"{form}; {shown(text)} has no slash.")
    for part, noun in ((owner, "project"), (name, "name")):
        if not is_name(part):
            what = f"its {noun} {shown(part)} is not" if part else f"its {noun} is empty"
            raise InvalidInput(f"{form}, each part {NAME_RULE}. In {shown(text)} {what}.")
    return owner, name


def source_name(which: object) -> tuple[str, str]:
    """Return what `full_name` returns, for a text that could have been an id as well."""
    if isinstance(which, str) and "/" not in which:
        raise InvalidInput(
            f'A source is named as "project/name" or by its id, {ID_RULE}; '
            f"{shown(which)} is neither."
        )
    return full_name(which)


def settings(
    operation: Operation, given: Mapping[str, Any], *, model: type = Source
) -> dict[str, Any]:
    """Return the settings of a create or an update as the JSON object to send.

    Args:
        operation: Which of the two.
        given: Values by attribute name, as a user wrote them.
        model: The definition they are held against.

    Raises:
        InvalidInput: A field is unknown or may not be written, a value is of the wrong type or
            not allowed, or an update has nothing in it. All problems are listed at once.
    """
    table = {field.name: field for field in fields_of(model)}
    body = _held_against(table, operation, given, Field.check, model)
    if operation == "update" and not body:
        writable = [name for name, field in table.items() if field.may("update")]
        raise InvalidInput(f"Nothing to update: give at least one of {listed(writable, 20)}.")
    return body


def wire_settings(operation: Operation, body: Any, *, model: type = Source) -> dict[str, Any]:
    """Return the object of settings in a request, with each value checked as a tenant does.

    Args:
        operation: Create or update.
        body: The decoded JSON object; names are the wire's.
        model: The definition it is held against.

    Raises:
        InvalidInput: As `settings`, but an update with nothing in it is fine.
    """
    if not isinstance(body, dict):
        raise InvalidInput(f"{_noun(model)} must be an object, not {shown(body)}.")
    table = {field.wire: field for field in fields_of(model)}
    return _held_against(table, operation, body, Field.accept, model)


def _noun(model: type) -> str:
    return model.__name__.lower()


def _held_against(
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
        return f"a {noun} cannot be renamed or moved, and its full name is given beside."
    return "the tenant sets it."


def _computable(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns pandas and Arrow can compute with; the same one if it is one."""
    ways = [_conversion(dtype) for dtype in df.dtypes]
    if not any(ways):
        return df
    # Column by column, since pandas cannot copy a frame with string views.
    columns = {
        number: convert(df.iloc[:, number]) if convert else df.iloc[:, number]
        for number, convert in enumerate(ways)
    }
    converted = pd.DataFrame(columns, index=df.index)
    converted.columns = df.columns
    converted.attrs = df.attrs
    return converted


def _conversion(dtype: Any) -> Callable[[pd.Series], pd.Series] | None:
    """Return how a column is converted to a dtype that can be computed with; None if it is one."""
    if isinstance(dtype, pd.SparseDtype):
        return lambda column: column.astype(dtype.subtype)
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_string_view(dtype.pyarrow_dtype):
        return lambda column: pd.Series(column.tolist(), column.index, dtype="str")
    return None


def check_frame(df: object, requirement: str) -> pd.DataFrame:
    """Return a DataFrame of pandas with one level of columns, or raise `InvalidInput`.

    Columns of Arrow's string views come back as `str`: pandas can hold them, and can neither
    select, copy nor print them. Sparse columns come back dense: Arrow has none.

    Args:
        df: The value.
        requirement: What is allowed, as the message begins: "to_csv takes a DataFrame".
    """
    if isinstance(df, pd.DataFrame):
        if df.columns.nlevels > 1:
            raise InvalidInput(
                f"{requirement} with one level of columns; this one has {df.columns.nlevels}. "
                "Give it the columns of one level: df.columns = df.columns.get_level_values(0)."
            )
        return _computable(df)
    kind = type(df)
    name = f"{kind.__module__.partition('.')[0]} {kind.__name__}"
    if hasattr(df, "to_pandas"):
        raise InvalidInput(f"{requirement}, not a {name}: call .to_pandas() first.")
    if hasattr(df, "collect"):
        raise InvalidInput(f"{requirement}, not a {name}: call .collect().to_pandas().")
    if hasattr(df, "__dataframe__"):
        raise InvalidInput(
            f"{requirement}, not a {name}: call pd.api.interchange.from_dataframe(df) first."
        )
    raise InvalidInput(f"{requirement}, not {shown(df)}.")
