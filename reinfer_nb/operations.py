"""The requests of the API: the one place where their paths are built.

The client sends them, the sandbox serves them; neither writes a path of its own. Paths and
permissions of the seven source operations are those of the product's reference page, the others
those the vendor's client `re` 0.39.1 asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request.

    Attributes:
        does: What it does, as a message says it: "could not" comes before it.
        method: The HTTP method.
        path: Its path, the parts to fill in given as `{name}`.
        permission: The permission it asks for, in the reference page's words.
    """

    does: str
    method: str
    path: str
    permission: str

    def at(self, **parts: str) -> str:
        """Return the path with its parts filled in, each as one segment of it."""
        return self.path.format(**{name: quote(part, safe="") for name, part in parts.items()})

    def url(self, endpoint: str, **parts: str) -> str:
        """Return the URL at an endpoint, which may have a path of its own."""
        return endpoint.rstrip("/") + self.at(**parts)


LIST = Call("list the sources", "GET", "/api/v1/sources", "view sources")
LIST_PROJECT = Call(
    "list the sources of the project", "GET", "/api/v1/sources/{project}", "view sources"
)
GET = Call("get the source", "GET", "/api/v1/sources/{project}/{name}", "view sources")
GET_BY_ID = Call("get the source", "GET", "/api/v1/sources/id:{id}", "view sources")
CREATE = Call("create the source", "PUT", "/api/v1/sources/{project}/{name}", "sources admin")
UPDATE = Call("update the source", "POST", "/api/v1/sources/{project}/{name}", "sources admin")
DELETE = Call("delete the source", "DELETE", "/api/v1/sources/id:{id}", "sources admin")
STATISTICS = Call(
    "count the comments of the source",
    "POST",
    "/api/v1/sources/{project}/{name}/statistics",
    "view sources",
)
PROJECTS = Call("list the projects", "GET", "/api/_private/projects", "view sources")
BUCKETS = Call("list the buckets", "GET", "/api/_private/buckets", "view buckets")
ME = Call("ask who the token belongs to", "GET", "/auth/user", "to log in")

# The same permissions by the names they have on the wire.
READ, ADMIN, READ_BUCKETS = "sources-read", "sources-admin", "buckets-read"

# Tenants in the vendor's cloud live below a path: https://<host>/<org>/<tenant>/reinfer_
TENANT_PATH = re.compile(r"/[^/]+/[^/]+/reinfer_(?=/)")
