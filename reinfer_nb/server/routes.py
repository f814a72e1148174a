"""The operations of the sandbox as data: their requests, responses, permissions and errors.

Routes, checks and the OpenAPI document are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from reinfer_nb.schema import endpoints, records
from reinfer_nb.schema.endpoints import (
    ADD_COMMENTS,
    ADMIN,
    MOST_OF_PAGE,
    MOST_OF_REQUEST,
    READ,
    READ_BUCKETS,
    TENANT_ADMIN,
    WRITE_BUCKETS,
    Call,
)
from reinfer_nb.schema.fields import About, Operation
from reinfer_nb.schema.records import Project, Source, User


@dataclass(frozen=True)
class Bucket:
    """The settings of a new bucket."""

    bucket_type: Annotated[
        str | None,
        About("Type of its content.", create=True, allowed={"emails": "emails"}, default="emails"),
    ] = None
    title: Annotated[str | None, About("One line, for people.", create=True)] = None


@dataclass(frozen=True)
class Sent:
    """The settings in a request, under one key of its JSON object.

    Attributes:
        key: The key.
        operation: The operation that they are for.
        model: The definition that they are checked against.
        beside: JSON Schemas of the other members of the JSON object, by key.
    """

    key: str
    operation: Operation
    model: type
    beside: Mapping[str, Any]

    @property
    def schema_name(self) -> str:
        """The name of the schema in the OpenAPI document."""
        prefix, suffix = ("New", "") if self.operation == "create" else ("", "Changes")
        return f"{prefix}{self.model.__name__}{suffix}"


@dataclass(frozen=True)
class Served:
    """An operation.

    Attributes:
        call: Its request.
        key: The key of the content in the envelope of the response; None for none.
        model: The model of the content.
        many: Whether the content is a list.
        sent: The settings in the request.
        needs: The permission on the project of its path, or on the tenant, that is checked
            first.
        refusals: The HTTP statuses of its errors, beside those that all operations have.
        force: Whether it takes the query parameter `force`.
        parameters: The JSON Schemas of its other query parameters, by name.
    """

    call: Call
    key: str | None
    model: type | None
    many: bool = False
    sent: Sent | None = None
    needs: str | None = None
    refusals: tuple[int, ...] = ()
    force: bool = False
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _sent(
    key: str, operation: Operation, model: type, beside: Mapping[str, Any] | None = None
) -> Sent:
    return Sent(key, operation, model, beside or {})


_USER_IDS = {
    "user_ids": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Users who get all permissions on it, as its creator does.",
    }
}
_MARKUP: Mapping[str, Mapping[str, Any]] = {
    "include_markup": {
        "type": "boolean",
        "default": False,
        "description": "Return the texts with markup, too.",
    }
}
_PAGE: Mapping[str, Mapping[str, Any]] = {
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_OF_PAGE,
        "default": 64,
        "description": "The most comments of the page.",
    },
    "after": {"type": "string", "description": "The continuation of the page before."},
    "from_timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "Only comments with this timestamp or a later one.",
    },
    "to_timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "Only comments with a timestamp before this one.",
    },
    "direction": {
        "type": "string",
        "enum": ["ascending", "descending"],
        "default": "ascending",
        "description": "The order by timestamp.",
    },
    **_MARKUP,
}
_IDS: Mapping[str, Mapping[str, Any]] = {
    "id": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "maxItems": MOST_OF_REQUEST,
        "description": "The id of a comment; may be given several times.",
    }
}
_BODY = (413, 415, 422)
_READ = (403, 404)

# Routes are matched in this order: a path with "id:" has to come before the others.
SERVED = (
    Served(endpoints.LIST, "sources", Source, many=True),
    Served(endpoints.GET_BY_ID, "source", Source, refusals=_READ),
    Served(endpoints.DELETE, None, None, refusals=_READ),
    Served(endpoints.LIST_PROJECT, "sources", Source, many=True, needs=READ, refusals=_READ),
    Served(endpoints.STATISTICS, "statistics", None, needs=READ, refusals=(*_READ, *_BODY)),
    Served(
        endpoints.COMMENTS,
        "comments",
        None,
        many=True,
        needs=READ,
        refusals=(*_READ, 422),
        parameters=_PAGE,
    ),
    Served(
        endpoints.COMMENT, "comment", None, needs=READ, refusals=(*_READ, 422), parameters=_MARKUP
    ),
    Served(endpoints.SYNC, "new", None, needs=ADD_COMMENTS, refusals=(*_READ, *_BODY)),
    Served(
        endpoints.CREATE_COMMENTS, None, None, needs=ADD_COMMENTS, refusals=(*_READ, 409, *_BODY)
    ),
    Served(
        endpoints.DELETE_COMMENTS,
        None,
        None,
        needs=ADD_COMMENTS,
        refusals=(*_READ, 422),
        parameters=_IDS,
    ),
    Served(endpoints.GET, "source", Source, needs=READ, refusals=_READ),
    Served(
        endpoints.CREATE,
        "source",
        Source,
        sent=_sent("source", "create", Source),
        needs=ADMIN,
        refusals=(*_READ, 409, *_BODY),
    ),
    Served(
        endpoints.UPDATE,
        "source",
        Source,
        sent=_sent("source", "update", Source),
        needs=ADMIN,
        refusals=(*_READ, *_BODY),
    ),
    Served(endpoints.PROJECTS, "projects", Project, many=True),
    Served(endpoints.PROJECT, "project", Project, refusals=(404,)),
    Served(
        endpoints.CREATE_PROJECT,
        "project",
        Project,
        sent=_sent("project", "create", Project, _USER_IDS),
        needs=TENANT_ADMIN,
        refusals=(403, 409, *_BODY),
    ),
    Served(
        endpoints.UPDATE_PROJECT,
        "project",
        Project,
        sent=_sent("project", "update", Project),
        needs=ADMIN,
        refusals=(*_READ, *_BODY),
    ),
    Served(endpoints.DELETE_PROJECT, None, None, needs=ADMIN, refusals=(*_READ, 422), force=True),
    Served(endpoints.BUCKETS, "buckets", records.Bucket, many=True, refusals=(403,)),
    Served(endpoints.BUCKET_BY_ID, "bucket", records.Bucket, refusals=_READ),
    Served(endpoints.DELETE_BUCKET, None, None, refusals=(*_READ, 422)),
    Served(endpoints.BUCKET, "bucket", records.Bucket, needs=READ_BUCKETS, refusals=_READ),
    Served(
        endpoints.CREATE_BUCKET,
        "bucket",
        records.Bucket,
        sent=_sent("bucket", "create", Bucket),
        needs=WRITE_BUCKETS,
        refusals=(*_READ, 409, *_BODY),
    ),
    Served(endpoints.ME, "user", User),
    Served(endpoints.REFRESH, "permissions_refreshed", None, refusals=_BODY),
    Served(endpoints.USERS, "users", User, many=True, refusals=(403,)),
    Served(endpoints.USER, "user", User, refusals=_READ),
    Served(
        endpoints.UPDATE_USER,
        "user",
        User,
        sent=_sent("user", "update", User),
        needs=TENANT_ADMIN,
        refusals=(*_READ, *_BODY),
    ),
)
