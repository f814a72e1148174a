"""The operations of the sandbox, with their permissions and responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.endpoints import (
    ADMIN,
    READ,
    READ_BUCKETS,
    READ_USERS,
    TENANT_ADMIN,
    WRITE_BUCKETS,
)
from reinfer_nb.server.comments import checks, requests
from reinfer_nb.server.comments.store import Source as Commented
from reinfer_nb.server.directory import User
from reinfer_nb.server.refusals import Forbidden, Missing
from reinfer_nb.server.routes import Served
from reinfer_nb.server.store import Store
from reinfer_nb.server.stored_json import json_bytes
from reinfer_nb.text import shown


class Query(NamedTuple):
    """A request to an operation.

    Attributes:
        user: The user who sent it.
        parts: The parts of the path, by name.
        parameters: The query parameters of the URL; one may appear several times.
        content: The JSON object in the body; empty without a body.
        settings: The settings in `content`, checked; empty without any.
    """

    user: User
    parts: Mapping[str, str]
    parameters: QueryParams
    content: Mapping[str, Any]
    settings: Mapping[str, Any]


class Api:
    """The operations on a store, one method each, by the names of `Fault.operations()`.

    All of them raise `Missing` for objects that the user may not see, and `Forbidden` for
    operations that the user may not do; those that write raise as the store does.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directory = store.directory

    def allow(self, served: Served, user: User, parts: Mapping[str, str]) -> None:
        """Raise `Missing` or `Forbidden` if a request is refused whatever its content."""
        if served.call is endpoints.UPDATE_USER:
            self._user(user, parts["id"])
        if served.needs == TENANT_ADMIN:
            if not user.is_tenant_admin:
                raise Forbidden
        elif served.needs:
            self._project(user, parts["project"])
            _check_permission(user, parts["project"], served.needs)

    # Sources

    def list_sources(self, query: Query) -> Response:
        return _Listing(self._store.listing(query.user.where(READ)))

    def list_sources_of_project(self, query: Query) -> Response:
        return _Listing(self._store.listing({query.parts["project"]}))

    def get_source(self, query: Query) -> Response:
        return _ok("source", self._store.source(query.parts["project"], query.parts["name"]))

    def get_source_by_id(self, query: Query) -> Response:
        source = self._store.source_by_id(query.parts["id"])
        _check_permission(query.user, source["owner"], READ)
        return _ok("source", source)

    def create_source(self, query: Query) -> Response:
        project, name = validation.full_name(f"{query.parts['project']}/{query.parts['name']}")
        return _ok("source", self._store.create(project, name, query.settings))

    def update_source(self, query: Query) -> Response:
        project, name = query.parts["project"], query.parts["name"]
        return _ok("source", self._store.update(project, name, query.settings))

    def delete_source(self, query: Query) -> Response:
        source = self._store.source_by_id(query.parts["id"])
        _check_permission(query.user, source["owner"], ADMIN)
        self._store.delete(source["id"])
        return _done()

    # Comments

    def get_statistics(self, query: Query) -> Response:
        source = self._commented(query)
        count = self._store.comments.count(source, requests.filtered(query.content))
        statistics = {"num_comments": count, "label_counts": {}, "label_timeseries": []}
        return _ok("statistics", statistics)

    def list_comments(self, query: Query) -> Response:
        source, page = self._commented(query), requests.page(query.parameters)
        comments, continuation = self._store.comments.page(
            source, page.bounds, page.limit, page.after, descending=page.descending
        )
        content: dict[str, Any] = {"comments": [page.shown(comment) for comment in comments]}
        if continuation is not None:
            content["continuation"] = continuation
        body = json_bytes({**content, "status": "ok"})
        return Response(body, media_type="application/json")

    def get_comment(self, query: Query) -> Response:
        comment = self._store.comments.comment(self._commented(query), query.parts["comment"])
        with_markup = requests.flag(query.parameters, "include_markup")
        return _ok("comment", comment if with_markup else requests.without_markup(comment))

    def sync_comments(self, query: Query) -> Response:
        comments = checks.new_comments(query.content)
        counts = self._store.comments.sync(self._commented(query), comments)
        return JSONResponse({**counts, "status": "ok"})

    def create_comments(self, query: Query) -> Response:
        comments = checks.new_comments(query.content)
        self._store.comments.create(self._commented(query), comments)
        # The vendor's client refuses a response with anything else.
        return _done()

    def delete_comments(self, query: Query) -> Response:
        ids = requests.ids(query.parameters)
        self._store.comments.delete(self._commented(query), ids)
        return _done()

    def _commented(self, query: Query) -> Commented:
        return self._store.commented(query.parts["project"], query.parts["name"])

    # Projects

    def list_projects(self, query: Query) -> Response:
        visible = [p for p in self._directory.projects() if query.user.on(p["name"])]
        return _ok("projects", visible)

    def get_project(self, query: Query) -> Response:
        return _ok("project", self._project(query.user, query.parts["project"]))

    def create_project(self, query: Query) -> Response:
        name = validation.project_name(query.parts["project"])
        ids = query.content.get("user_ids", [])
        if not isinstance(ids, list) or not all(isinstance(user_id, str) for user_id in ids):
            raise InvalidInput(f"user_ids must be a list of texts, not {shown(ids)}.")
        project = self._directory.create_project(name, query.settings, query.user, ids)
        return _ok("project", project)

    def update_project(self, query: Query) -> Response:
        name = query.parts["project"]
        return _ok("project", self._directory.update_project(name, query.settings))

    def delete_project(self, query: Query) -> Response:
        name = query.parts["project"]
        force = query.parameters.get("force", "false")
        if force not in ("true", "false"):
            raise InvalidInput(f"force must be true or false, not {shown(force)}.")
        self._store.delete_project(name, force=force == "true")
        return _done()

    # Buckets

    def list_buckets(self, query: Query) -> Response:
        projects = query.user.where(READ_BUCKETS)
        if projects is None:
            return _ok("buckets", self._directory.buckets())
        if not projects:
            raise Forbidden
        return _ok("buckets", [b for b in self._directory.buckets() if b["owner"] in projects])

    def get_bucket(self, query: Query) -> Response:
        return _ok("bucket", self._directory.bucket(query.parts["project"], query.parts["name"]))

    def get_bucket_by_id(self, query: Query) -> Response:
        bucket = self._directory.bucket_by_id(query.parts["id"])
        _check_permission(query.user, bucket["owner"], READ_BUCKETS)
        return _ok("bucket", bucket)

    def create_bucket(self, query: Query) -> Response:
        project, name = query.parts["project"], query.parts["name"]
        if not validation.is_name(name):
            raise InvalidInput(
                f"The name of a bucket must be {validation.NAME_RULE}, not {shown(name)}."
            )
        return _ok("bucket", self._directory.create_bucket(project, name, query.settings))

    def delete_bucket(self, query: Query) -> Response:
        bucket = self._directory.bucket_by_id(query.parts["id"])
        _check_permission(query.user, bucket["owner"], WRITE_BUCKETS)
        self._directory.delete_bucket(bucket["id"])
        return _done()

    # Users

    def get_current_user(self, query: Query) -> Response:
        return _ok("user", query.user.record)

    def refresh_user_permissions(self, _: Query) -> Response:
        # Null: permissions are never stale here, so there was nothing to refresh.
        return _ok("permissions_refreshed", None)

    def list_users(self, query: Query) -> Response:
        if not query.user.is_tenant_admin and query.user.where(READ_USERS) == set():
            raise Forbidden
        users = self._directory.users()
        return _ok("users", [user.record for user in users if _sees(query.user, user)])

    def get_user(self, query: Query) -> Response:
        return _ok("user", self._user(query.user, query.parts["id"]).record)

    def update_user(self, query: Query) -> Response:
        return _ok("user", self._directory.update_user(query.parts["id"], query.settings).record)

    def _project(self, user: User, name: str) -> dict[str, Any]:
        if not user.on(name):
            raise Missing
        return self._directory.project(name)

    def _user(self, user: User, user_id: str) -> User:
        other = self._directory.user(user_id)
        if not _sees(user, other):
            raise Missing
        return other


def _check_permission(user: User, project: str, permission: str) -> None:
    permissions = user.on(project)
    if not permissions:
        raise Missing
    if permission not in permissions:
        raise Forbidden


def _sees(user: User, other: User) -> bool:
    """True if a user may see another one: itself, users of its projects, or all as tenant admin."""
    if user.is_tenant_admin or user.record["id"] == other.record["id"]:
        return True
    projects = user.where(READ_USERS)
    others = set(other.record["organisation_permissions"])
    return bool(others if projects is None else projects & others)


def _ok(key: str, value: Any) -> Response:
    return JSONResponse({key: value, "status": "ok"})


def _done() -> Response:
    return JSONResponse({"status": "ok"})


class _Listing(Response):
    """The response with a listing, sent in pieces since it may be long."""

    media_type = "application/json"

    def __init__(self, sources: list[bytes | memoryview]) -> None:
        super().__init__()
        self._pieces = [b'{"sources": ', *sources, b', "status": "ok"}']
        self.headers["content-length"] = str(sum(map(len, self._pieces)))

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send the response."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
