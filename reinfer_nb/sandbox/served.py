"""What the sandbox serves: each operation with what is sent to it and what it answers.

Said once, as data: routes, checks and the OpenAPI document are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from reinfer_nb import models, operations
from reinfer_nb.fields import About, Operation
from reinfer_nb.models import Project, Source, User
from reinfer_nb.operations import ADMIN, READ, READ_BUCKETS, TENANT_ADMIN, WRITE_BUCKETS, Call


@dataclass(frozen=True)
class Bucket:
    """What a bucket is made with."""

    bucket_type: Annotated[
        str | None,
        About("What lies in it.", create=True, allowed={"emails": "emails"}, default="emails"),
    ] = None
    title: Annotated[str | None, About("One line, for people.", create=True)] = None


@dataclass(frozen=True)
class Sent:
    """The settings that a request sends, under one key of a JSON object.

    Attributes:
        key: The key.
        operation: What they are for.
        model: The definition they are held against.
        beside: JSON Schemas of what may stand beside the key.
    """

    key: str
    operation: Operation
    model: type
    beside: Mapping[str, Any]

    @property
    def schema_name(self) -> str:
        """Its name in the OpenAPI document."""
        prefix, suffix = ("New", "") if self.operation == "create" else ("", "Changes")
        return f"{prefix}{self.model.__name__}{suffix}"


@dataclass(frozen=True)
class Served:
    """An operation.

    Attributes:
        call: Its request.
        key: Where the envelope of its answer holds what was asked for; None for nothing.
        model: What is held there.
        many: Whether it is a list of them.
        sent: The settings it takes.
        needs: The permission on the project of its path, or on the tenant, that is looked at
            before anything else is.
        refusals: The HTTP statuses it may answer beside 200 and those that all may answer.
        force: Whether it takes the query `force=true`.
    """

    call: Call
    key: str | None
    model: type | None
    many: bool = False
    sent: Sent | None = None
    needs: str | None = None
    refusals: tuple[int, ...] = ()
    force: bool = False


def _sent(
    key: str, operation: Operation, model: type, beside: Mapping[str, Any] | None = None
) -> Sent:
    return Sent(key, operation, model, beside or {})


_USER_IDS = {
    "user_ids": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Users who hold everything on it, beside whoever makes it.",
    }
}
_BODY = (413, 415, 422)
_READ = (403, 404)

# The order is that of routes too: a path that begins with "id:" stands before the others.
SERVED = (
    Served(operations.LIST, "sources", Source, many=True),
    Served(operations.GET_BY_ID, "source", Source, refusals=_READ),
    Served(operations.DELETE, None, None, refusals=_READ),
    Served(operations.LIST_PROJECT, "sources", Source, many=True, needs=READ, refusals=_READ),
    Served(operations.STATISTICS, "statistics", None, needs=READ, refusals=(*_READ, *_BODY)),
    Served(operations.GET, "source", Source, needs=READ, refusals=_READ),
    Served(
        operations.CREATE,
        "source",
        Source,
        sent=_sent("source", "create", Source),
        needs=ADMIN,
        refusals=(*_READ, 409, *_BODY),
    ),
    Served(
        operations.UPDATE,
        "source",
        Source,
        sent=_sent("source", "update", Source),
        needs=ADMIN,
        refusals=(*_READ, *_BODY),
    ),
    Served(operations.PROJECTS, "projects", Project, many=True),
    Served(operations.PROJECT, "project", Project, refusals=(404,)),
    Served(
        operations.CREATE_PROJECT,
        "project",
        Project,
        sent=_sent("project", "create", Project, _USER_IDS),
        needs=TENANT_ADMIN,
        refusals=(403, 409, *_BODY),
    ),
    Served(
        operations.UPDATE_PROJECT,
        "project",
        Project,
        sent=_sent("project", "update", Project),
        needs=ADMIN,
        refusals=(*_READ, *_BODY),
    ),
    Served(operations.DELETE_PROJECT, None, None, needs=ADMIN, refusals=(*_READ, 422), force=True),
    Served(operations.BUCKETS, "buckets", models.Bucket, many=True, refusals=(403,)),
    Served(operations.BUCKET_BY_ID, "bucket", models.Bucket, refusals=_READ),
    Served(operations.DELETE_BUCKET, None, None, refusals=(*_READ, 422)),
    Served(operations.BUCKET, "bucket", models.Bucket, needs=READ_BUCKETS, refusals=_READ),
    Served(
        operations.CREATE_BUCKET,
        "bucket",
        models.Bucket,
        sent=_sent("bucket", "create", Bucket),
        needs=WRITE_BUCKETS,
        refusals=(*_READ, 409, *_BODY),
    ),
    Served(operations.ME, "user", User),
    Served(operations.REFRESH, "permissions_refreshed", None, refusals=_BODY),
    Served(operations.USERS, "users", User, many=True, refusals=(403,)),
    Served(operations.USER, "user", User, refusals=_READ),
    Served(
        operations.UPDATE_USER,
        "user",
        User,
        sent=_sent("user", "update", User),
        needs=TENANT_ADMIN,
        refusals=(*_READ, *_BODY),
    ),
)
