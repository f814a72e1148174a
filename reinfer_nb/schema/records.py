"""The records of the API: sources, projects, buckets and users.

The annotations of `Source` are the only definition of a source's fields: frames, checks, forms and
the sandbox are built from them. The facts are from the product's reference page and from the
vendor's command-line client `re` 0.39.1.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Self, TypedDict, TypeVar

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.errors import ProtocolError, UnreadableWarning, warn
from reinfer_nb.pickling import Portable
from reinfer_nb.schema.fields import About, fields_of, read_record
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import listed, shown, visible

_Function = TypeVar("_Function", bound=Callable[..., Any])
LANGUAGES: Mapping[str, str] = types.MappingProxyType(
    {"en": "English", "de": "German", "xlm": "Multilingual"}
)
KINDS: Mapping[str, str] = types.MappingProxyType(
    {
        "call": "calls",
        "chat": "chats",
        "unknown": "not set",
        "ixp_design": "document extraction, at design time",
        "ixp_runtime": "document extraction, at run time",
    }
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Record(Portable):
    """A record of a response: immutable, comparable, shown as text and as HTML.

    Attributes:
        extra: Unknown fields of the response, by their JSON name.
    """

    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", types.MappingProxyType(dict(self.extra)))

    @classmethod
    def from_wire(cls, data: object) -> Self:
        """Return the record of a JSON object in a response.

        Args:
            data: The decoded JSON object; missing and null fields become `None`.

        Raises:
            ProtocolError: It is not an object, or a required field is missing.

        Warns:
            UnreadableWarning: A field could not be read and is `None`.
        """
        noun = cls.__name__.lower()
        if not isinstance(data, dict):
            raise ProtocolError(f"The response holds {shown(data)} instead of a {noun}.")
        values, problems = read_record(cls, data)
        missing = [f.wire for f in fields_of(cls) if f.required and values[f.name] is None]
        if missing:
            raise ProtocolError(f"The {noun} in the response has no readable {listed(missing)}.")
        if problems:
            warn(
                f"Fields of the {noun} {shown(values.get('id') or values['name'])} could not be "
                "read and are shown as missing: " + "; ".join(problems),
                UnreadableWarning,
            )
        return cls(**values)

    def _shown(self) -> dict[str, str]:
        rows = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "extra"}
        rows |= {f"extra[{shown(name)}]": value for name, value in self.extra.items()}
        return {name: _as_text(value) for name, value in rows.items() if value is not None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self._shown().items())})"

    def _facts(self, *without: str) -> dict[str, str]:
        """Return the names and values of the fields that are not missing, for people.

        Args:
            *without: Fields to leave out.
        """
        names = [name for name in self.__dataclass_fields__ if name not in ("extra", *without)]
        rows = {name: getattr(self, name) for name in names}
        facts = {name: shown_cell(value) for name, value in rows.items() if value is not None}
        return facts | {visible(name): _as_text(value) for name, value in self.extra.items()}

    def _repr_html_(self) -> str:
        from reinfer_nb import markup

        return str(markup.facts(self._facts()))


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, Mapping):
        value = dict(value)
    return visible(repr(value))


@dataclass(frozen=True, kw_only=True, repr=False)
class Source(Record):
    """A source of comments, as the tenant last returned it.

    >>> client.source("claims/motor-inbox").language
    'en'

    Missing values are `None`; timestamps are aware, in UTC, to the microsecond. The fields are in
    the order in which a person reads them, as are the columns of a listing.
    """

    owner: Annotated[str, About("The project that owns the source.")]
    name: Annotated[str, About("API name, unique in its project.")]
    title: Annotated[
        str | None,
        About("One line, for people.", create=True, update=True, default=""),
    ] = None
    language: Annotated[
        str | None,
        About(
            "Language of the comments.",
            create=True,
            update=True,
            allowed=LANGUAGES,
            default="en",
            may_be_fixed=True,
        ),
    ] = None
    kind: Annotated[
        str | None,
        About(
            "What the comments are.",
            wire="_kind",
            create=True,
            update=True,
            allowed=KINDS,
            open=True,
            default="unknown",
            may_be_fixed=True,
        ),
    ] = None
    should_translate: Annotated[
        bool | None,
        About("Whether comments are translated.", create=True, update=True, default=False),
    ] = None
    bucket_id: Annotated[
        str | None,
        About(
            "Bucket from which data is loaded.",
            create=True,
            update=True,
            nullable=True,
        ),
    ] = None
    created_at: Annotated[datetime | None, About("When it was created.")] = None
    updated_at: Annotated[datetime | None, About("When its settings last changed.")] = None
    last_modified: Annotated[datetime | None, About("When it last changed.")] = None
    sensitive_properties: Annotated[
        tuple[str, ...] | None,
        About(
            "Properties hidden from users who may not see sensitive ones.",
            create=True,
            update=True,
            default=(),
        ),
    ] = ()
    email_transform_tag: Annotated[
        str | None,
        About("How emails are cleaned on arrival.", create=True, update=True, parses_again=True),
    ] = None
    email_transform_version: Annotated[
        int | None,
        About("Version of the email transform.", create=True, update=True, parses_again=True),
    ] = None
    id: Annotated[str, About("Identifier: 16 hexadecimal digits.")]
    description: Annotated[
        str | None,
        About(
            "Longer text, for people.",
            create=True,
            update=True,
            default="",
            multiline=True,
        ),
    ] = None

    @property
    def full_name(self) -> str:
        """The project and the name, as "project/name"."""
        return f"{self.owner}/{self.name}"

    def to_wire(self) -> dict[str, Any]:
        """Return the source as its JSON object, without missing fields."""
        body = {}
        for column in fields_of(type(self)):
            value = getattr(self, column.name)
            if value is not None:
                body[column.wire] = column.type.write(value)
        return body | dict(self.extra)

    def to_series(self) -> pd.Series:
        """Return the source as a row of a listing, unknown fields included.

        >>> client.source("claims/motor-inbox").to_series()["language"]
        'en'

        Returns:
            A Series of dtype `object` over the columns of `Client.sources`, with the missing
            values of those columns.
        """
        row = {}
        for column in fields_of(type(self)):
            value = getattr(self, column.name)
            if value is None:
                value = column.type.absent
            elif isinstance(value, datetime):
                value = pd.Timestamp(value).as_unit("us")
            row[column.name] = value
        return pd.Series(row | unknown_columns(self.extra, row), dtype=object)


def unknown_columns(extra: Mapping[str, Any], known_columns: object) -> dict[str, Any]:
    """Return unknown fields by column name, without clashes with the known columns.

    Args:
        extra: Unknown fields by their JSON name.
        known_columns: The names of the known columns, as a container.
    """
    return {column_of_unknown(name, known_columns): value for name, value in extra.items()}


def column_of_unknown(name: str, known_columns: Any) -> str:
    """Return the column of an unknown field: its JSON name, prefixed if a known column has it."""
    return f"extra.{name}" if name in known_columns else name


class SourceSettings(TypedDict, total=False):
    """Settings that `Client.create_source` and `Client.update_source` take.

    For completion and type checkers. `Source` is the definition; a test compares the two.
    """

    title: str
    language: str
    kind: str
    should_translate: bool
    bucket_id: str | None
    sensitive_properties: list[str] | tuple[str, ...] | set[str]
    email_transform_tag: str
    email_transform_version: int
    description: str


class _NotGiven:
    """The default of a setting in a signature: the setting is not sent."""

    def __repr__(self) -> str:
        return "…"


def settings_in_signature(function: _Function) -> _Function:
    """Show the keywords of `SourceSettings` in a signature, so that notebooks complete them."""
    signature = inspect.signature(function)
    keywords = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_NOT_GIVEN,
            annotation=type_.__forward_arg__,
        )
        for name, type_ in inspect.get_annotations(SourceSettings).items()
    ]
    first = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    shown = signature.replace(parameters=[*first, *keywords])
    function.__signature__ = shown  # type: ignore[attr-defined]
    return function


_NOT_GIVEN = _NotGiven()


@dataclass(frozen=True, kw_only=True, repr=False)
class Project(Record):
    """A project, which owns sources and buckets, and on which permissions are given."""

    id: Annotated[str | None, About("Identifier, in hexadecimal digits.")] = None
    name: Annotated[str, About("API name.")]
    title: Annotated[
        str | None, About("One line, for people.", create=True, update=True, default="")
    ] = None
    description: Annotated[
        str | None,
        About("Longer text, for people.", create=True, update=True, default="", multiline=True),
    ] = None
    created_at: Annotated[datetime | None, About("When it was created.")] = None
    updated_at: Annotated[datetime | None, About("When it last changed.")] = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Bucket(Record):
    """A bucket, which holds data before it is loaded into sources."""

    id: Annotated[str, About("Identifier: 16 hexadecimal digits.")]
    name: Annotated[str, About("API name, unique in its project.")]
    owner: Annotated[str, About("The project that owns the bucket.")]
    created_at: Annotated[datetime | None, About("When it was created.")] = None


# The fields of a user that are shown in a table of their own.
_PERMISSIONS = ("global_permissions", "organisation_permissions", "sso_global_permissions")


@dataclass(frozen=True, kw_only=True, repr=False)
class User(Record):
    """A user and its permissions."""

    id: Annotated[str, About("Identifier, in hexadecimal digits.")]
    username: Annotated[str, About("Name to log in with.")]
    email: Annotated[str | None, About("Address.")] = None
    created: Annotated[datetime | None, About("When the user was created.")] = None
    global_permissions: Annotated[
        tuple[str, ...] | None, About("Permissions on the whole tenant.", update=True)
    ] = ()
    organisation_permissions: Annotated[
        Mapping[str, tuple[str, ...]] | None,
        About("Permissions on single projects, by project.", update=True),
    ] = field(default_factory=dict, hash=False)
    sso_global_permissions: Annotated[
        tuple[str, ...] | None, About("Permissions on the whole tenant by single sign-on.")
    ] = ()
    verified: Annotated[bool | None, About("Whether the address was confirmed.")] = None

    def _permissions(self) -> dict[str, str]:
        """Return the permissions by project, as texts."""
        permissions = {
            "(all projects)": self.global_permissions,
            "(all projects, by single sign-on)": self.sso_global_permissions,
            **dict(sorted((self.organisation_permissions or {}).items())),
        }
        return {
            visible(project): ", ".join(map(visible, names))
            for project, names in permissions.items()
            if names
        }

    def __repr__(self) -> str:
        permissions = self._permissions() or {"(none)": ""}
        lines = [f"User {visible(self.username)}"]
        for title, facts in (("", self._facts(*_PERMISSIONS)), ("Permissions", permissions)):
            width = max(map(len, facts))
            lines += [title] if title else []
            lines += [f"  {name:{width}}  {visible(text)}".rstrip() for name, text in facts.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from reinfer_nb import markup

        permissions = self._permissions() or {"(none)": ""}
        table = markup.table(("Project", "Permissions"), permissions.items(), "Permissions")
        return str(markup.join([markup.facts(self._facts(*_PERMISSIONS), "User"), table]))

    def may(self, permission: str, project: str) -> bool:
        """True if the user has a permission on a project.

        >>> client.me().may("sources-admin", "claims")
        True

        Args:
            permission: Its JSON name, such as "sources-read" or "sources-admin".
            project: The project's name.

        Raises:
            InvalidInput: An argument is not a text.
        """
        permission = arguments.text(permission, "permission", "sources-read")
        project = arguments.text(project, "project", "claims")
        everywhere = (
            *(self.global_permissions or ()),
            *(self.sso_global_permissions or ()),
        )
        here = (self.organisation_permissions or {}).get(project, ())
        return permission in everywhere or permission in here
