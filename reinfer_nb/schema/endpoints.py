"""The requests of the API: methods, paths and permissions.

The client sends these requests and the sandbox serves them; no other module builds a path. The
seven source operations are as on the product's reference page, the others as in the vendor's
client `re` 0.39.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request.

    Attributes:
        id: Its name in faults and in the sandbox's OpenAPI document.
        does: Verb phrase for messages: "Could not <does>".
        method: The HTTP method.
        path: The path, with parameters such as `{name}`.
        permission: The required permission, in the reference page's words.
    """

    id: str
    does: str
    method: str
    path: str
    permission: str

    @property
    def writes(self) -> bool:
        """True if the request may change something."""
        return self.method != "GET" and self.id != "get_statistics"

    def at(self, **parts: str) -> str:
        """Return the path with its parameters filled in, each quoted as one segment."""
        return self.path.format(**{name: quote(part, safe="") for name, part in parts.items()})

    def url(self, endpoint: str, **parts: str) -> str:
        """Return the URL below an endpoint, which may have a path itself."""
        return endpoint.rstrip("/") + self.at(**parts)


_SOURCES = "/api/v1/sources"
_SOURCE = f"{_SOURCES}/{{project}}/{{name}}"
_SOURCE_BY_ID = f"{_SOURCES}/id:{{id}}"
_PRIVATE_SOURCE = "/api/_private/sources/{project}/{name}"
_PROJECTS = "/api/_private/projects"
_PROJECT = f"{_PROJECTS}/{{project}}"
_BUCKETS = "/api/_private/buckets"
_BUCKET = f"{_BUCKETS}/{{project}}/{{name}}"
_BUCKET_BY_ID = f"{_BUCKETS}/id:{{id}}"
_USERS = "/api/_private/users"
_USER = f"{_USERS}/{{id}}"

# The permissions' names: from the product's reference page, or ours where it has none.
_VIEW, _ADMIN, _VIEW_BUCKETS = "view sources", "sources admin", "view buckets"
_EDIT_MESSAGES = "edit messages"
_LOGIN, _TENANT, _USERS_READ = "to log in", "tenant admin", "view users"

LIST = Call("list_sources", "list the sources", "GET", _SOURCES, _VIEW)
LIST_PROJECT = Call(
    "list_sources_of_project",
    "list the sources of the project",
    "GET",
    f"{_SOURCES}/{{project}}",
    _VIEW,
)
GET = Call("get_source", "get the source", "GET", _SOURCE, _VIEW)
GET_BY_ID = Call("get_source_by_id", "get the source", "GET", _SOURCE_BY_ID, _VIEW)
CREATE = Call("create_source", "create the source", "PUT", _SOURCE, _ADMIN)
UPDATE = Call("update_source", "update the source", "POST", _SOURCE, _ADMIN)
DELETE = Call("delete_source", "delete the source", "DELETE", _SOURCE_BY_ID, _ADMIN)
STATISTICS = Call(
    "get_statistics", "count the comments of the source", "POST", f"{_SOURCE}/statistics", _VIEW
)
COMMENTS = Call(
    "list_comments", "read the comments of the source", "GET", f"{_PRIVATE_SOURCE}/comments", _VIEW
)
COMMENT = Call("get_comment", "get the comment", "GET", f"{_SOURCE}/comments/{{comment}}", _VIEW)
SYNC = Call("sync_comments", "upload the comments", "POST", f"{_SOURCE}/sync", _EDIT_MESSAGES)
CREATE_COMMENTS = Call(
    "create_comments", "create the comments", "PUT", f"{_PRIVATE_SOURCE}/comments", _EDIT_MESSAGES
)
DELETE_COMMENTS = Call(
    "delete_comments", "delete the comments", "DELETE", f"{_SOURCE}/comments", _EDIT_MESSAGES
)

PROJECTS = Call("list_projects", "list the projects", "GET", _PROJECTS, _VIEW)
PROJECT = Call("get_project", "get the project", "GET", _PROJECT, _VIEW)
CREATE_PROJECT = Call("create_project", "create the project", "PUT", _PROJECT, _TENANT)
UPDATE_PROJECT = Call("update_project", "update the project", "POST", _PROJECT, _ADMIN)
DELETE_PROJECT = Call("delete_project", "delete the project", "DELETE", _PROJECT, _ADMIN)

BUCKETS = Call("list_buckets", "list the buckets", "GET", _BUCKETS, _VIEW_BUCKETS)
BUCKET = Call("get_bucket", "get the bucket", "GET", _BUCKET, _VIEW_BUCKETS)
BUCKET_BY_ID = Call("get_bucket_by_id", "get the bucket", "GET", _BUCKET_BY_ID, _VIEW_BUCKETS)
CREATE_BUCKET = Call("create_bucket", "create the bucket", "PUT", _BUCKET, "write buckets")
DELETE_BUCKET = Call("delete_bucket", "delete the bucket", "DELETE", _BUCKET_BY_ID, "write buckets")

ME = Call("get_current_user", "ask who the token belongs to", "GET", "/auth/user", _LOGIN)
REFRESH = Call(
    "refresh_user_permissions",
    "refresh the permissions of the token's user",
    "POST",
    "/auth/refresh-user-permissions",
    _LOGIN,
)
USERS = Call("list_users", "list the users", "GET", _USERS, _USERS_READ)
USER = Call("get_user", "get the user", "GET", _USER, _USERS_READ)
UPDATE_USER = Call("update_user", "change the permissions of the user", "POST", _USER, _TENANT)

# The most comments in a page, and in a request that writes.
MOST_OF_PAGE, MOST_OF_REQUEST = 256, 128

# The JSON names of the permissions on a project.
READ, ADMIN, ADD_COMMENTS = "sources-read", "sources-admin", "sources-add-comments"
READ_BUCKETS, WRITE_BUCKETS, READ_USERS = "buckets-read", "buckets-write", "users-read"
# The permissions that the creator of a project gets on it; some only the product itself uses.
ALL_ON_A_PROJECT = (
    READ,
    ADMIN,
    ADD_COMMENTS,
    "sources-read-sensitive",
    "sources-translate",
    READ_BUCKETS,
    WRITE_BUCKETS,
    READ_USERS,
)
# The permission on the whole tenant to create projects and change users.
TENANT_ADMIN = "tenant-admin"

# Tenants in the vendor's cloud have a path: https://<host>/<org>/<tenant>/reinfer_
TENANT_PATH = re.compile(r"/[^/]+/[^/]+/reinfer_(?=/)")
