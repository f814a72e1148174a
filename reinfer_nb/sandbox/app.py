"""The API of the sandbox, as an ASGI application over a store.

Every answer is JSON in the API's envelope, errors too. What is served, and where, is what
`operations` says; what a write may hold, is what `checks` says.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reinfer_nb import checks, operations, wire
from reinfer_nb.errors import InvalidInput
from reinfer_nb.operations import ADMIN, READ, READ_BUCKETS
from reinfer_nb.sandbox.store import Missing, Refused, Store, Taken

_BODY_BYTES = 8 << 20
_CREATED = "2018-03-01T09:00:00.000000+00:00"
_NOT_FOUND = "404 Not Found"


class Asked(NamedTuple):
    """A request that the sandbox was asked, and what it answered.

    Attributes:
        method: HTTP method.
        path: Path with its query, without the endpoint.
        status: HTTP status of the answer.
        who: "admin", "viewer", or "" for a token that is neither.
    """

    method: str
    path: str
    status: int
    who: str


class User:
    """A user of the sandbox: what its token may do, given the projects there are."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self._store = store

    def permissions(self) -> dict[str, list[str]]:
        """Return the permissions by project; a project that is not in there is not seen."""
        if self.name == "admin":
            all_of_it = [READ, ADMIN, "sources-read-sensitive", "sources-translate", READ_BUCKETS]
            return {project["name"]: all_of_it for project, _ in self._store.projects()}
        return {
            project["name"]: [READ]
            for project, confidential in self._store.projects()
            if not confidential
        }

    def told(self) -> dict[str, Any]:
        """Return the user as the API tells of it."""
        return {
            "id": self.name.encode().hex().zfill(16)[-16:],
            "username": self.name,
            "email": f"{self.name}@example.com",
            "created": _CREATED,
            "global_permissions": [],
            "organisation_permissions": self.permissions(),
            "sso_global_permissions": [],
            "verified": True,
        }


class Door:
    """What each request passes first: host, token, and the log of what was asked.

    Args:
        app: The application behind it.
        users: Users by name.
        tokens: Their tokens, by name.
        hosts: Names this server answers to.
        asked: Where requests are logged.
    """

    def __init__(
        self,
        app: ASGIApp,
        users: Mapping[str, User],
        tokens: Mapping[str, str],
        hosts: frozenset[str],
        asked: deque[Asked],
    ) -> None:
        self._app = app
        self._users = users
        self._tokens = {name: token.encode() for name, token in tokens.items()}
        self._hosts = hosts
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        headers = dict(scope["headers"])
        user = self._user(headers.get(b"authorization", b""))
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Before the answer leaves: who has it finds the request in the log.
                who = user.name if user else ""
                self._asked.append(Asked(scope["method"], path, message["status"], who))
                duration = f"total;dur={(time.perf_counter() - begin) * 1e3:.1f}"
                message["headers"] = [
                    *message["headers"], (b"server-timing", duration.encode()),
                ]  # fmt: skip
            await send(message)

        # Less the port, if one is given.
        host = re.sub(r":\d*$", "", headers.get(b"host", b"").decode("latin-1"))
        app: ASGIApp
        if host.lower() not in self._hosts:
            app = error(400, "This server does not go by that name.")
        elif user is None:
            app = error(401, "401 Unauthorized")
        else:
            base = operations.TENANT_PATH.match(scope["path"])
            if base:
                scope = {**scope, "path": scope["path"][base.end() :]}
            scope["user"] = user
            app = self._app
        await app(scope, receive, told)

    def _user(self, authorization: bytes) -> User | None:
        scheme, _, token = authorization.partition(b" ")
        # All of them are compared, each in constant time.
        found = [name for name, known in self._tokens.items() if hmac.compare_digest(known, token)]
        return self._users[found[0]] if found and scheme.lower() == b"bearer" else None


def error(status: int, message: str) -> JSONResponse:
    """Return an error in the API's envelope."""
    return JSONResponse({"status": "error", "message": message}, status)


def build(
    store: Store, tokens: Mapping[str, str], hosts: frozenset[str], asked: deque[Asked]
) -> ASGIApp:
    """Return the application.

    Args:
        store: What it serves.
        tokens: Tokens by the name of their user, "admin" and "viewer".
        hosts: Names this server answers to, in lower case.
        asked: Where requests are logged.
    """
    api = _Api(store)
    served: tuple[tuple[operations.Call, _Endpoint], ...] = (
        (operations.ME, api.me),
        (operations.PROJECTS, api.projects),
        (operations.BUCKETS, api.buckets),
        (operations.LIST, api.sources),
        (operations.GET_BY_ID, api.source_by_id),
        (operations.DELETE, api.delete),
        (operations.LIST_PROJECT, api.sources_of_project),
        (operations.STATISTICS, api.statistics),
        (operations.GET, api.source),
        (operations.CREATE, api.create),
        (operations.UPDATE, api.update),
    )
    routes = [
        Route(call.path, _serving(endpoint), methods=[call.method]) for call, endpoint in served
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.router.redirect_slashes = False
    users = {name: User(name, store) for name in tokens}
    return Door(app, users, tokens, hosts, asked)


class Query(NamedTuple):
    """What an operation is to do.

    Attributes:
        user: Who asks.
        parts: What the path names.
        content: The JSON object sent; empty where there is none.
    """

    user: User
    parts: Mapping[str, str]
    content: Mapping[str, Any]


_Endpoint = Callable[[Query], Response]


def _serving(endpoint: _Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        content: Mapping[str, Any] | Response = {}
        if request.method in ("PUT", "POST"):
            content = await _content(request)
        if isinstance(content, Response):
            return content
        query = Query(request.scope["user"], request.path_params, content)
        return await run_in_threadpool(_carried_out, endpoint, query)

    return serve


def _carried_out(endpoint: _Endpoint, query: Query) -> Response:
    try:
        return endpoint(query)
    except Missing:
        return error(404, _NOT_FOUND)
    except Taken:
        return error(409, "409 Conflict: there is a source of that name.")
    except (Refused, InvalidInput) as refused:
        return error(422, str(refused))


async def _content(request: Request) -> Mapping[str, Any] | Response:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        return error(415, "415 Unsupported Media Type: send application/json.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            return error(413, f"413 Content Too Large: more than {_BODY_BYTES:,} bytes.")
    try:
        content = wire.decode(bytes(body))
    except wire.Malformed as malformed:
        return error(400, f"400 Bad Request: {malformed}.")
    if not isinstance(content, dict):
        return error(400, "400 Bad Request: an object was due.")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return error(422, "A text holds half a character (a lone surrogate).")
    return content


class _Api:
    """The operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def me(self, query: Query) -> Response:
        return _ok("user", query.user.told())

    def projects(self, query: Query) -> Response:
        seen = query.user.permissions()
        told = [project for project, _ in self._store.projects() if project["name"] in seen]
        return _ok("projects", told)

    def buckets(self, query: Query) -> Response:
        seen = {
            project for project, held in query.user.permissions().items() if READ_BUCKETS in held
        }
        if not seen:
            return error(403, "403 Forbidden")
        return _ok("buckets", [b for b in self._store.buckets() if b["owner"] in seen])

    def sources(self, query: Query) -> Response:
        return _listing(self._store.sources(query.user.permissions()))

    def sources_of_project(self, query: Query) -> Response:
        project = query.parts["project"]
        _allowed(query.user, project)
        return _listing(self._store.sources([project]))

    def source(self, query: Query) -> Response:
        _allowed(query.user, query.parts["project"])
        return _ok("source", self._store.source(query.parts["project"], query.parts["name"]))

    def source_by_id(self, query: Query) -> Response:
        source = self._store.source_by_id(query.parts["id"])
        _allowed(query.user, source["owner"])
        return _ok("source", source)

    def create(self, query: Query) -> Response:
        project, name = query.parts["project"], query.parts["name"]
        if not _allowed(query.user, project, ADMIN):
            return error(403, "403 Forbidden")
        checks.full_name(f"{project}/{name}")
        settings = checks.wire_settings("create", query.content.get("source"))
        return _ok("source", self._store.create(project, name, settings))

    def update(self, query: Query) -> Response:
        project, name = query.parts["project"], query.parts["name"]
        if not _allowed(query.user, project, ADMIN):
            return error(403, "403 Forbidden")
        self._store.source(project, name)
        settings = checks.wire_settings("update", query.content.get("source"))
        return _ok("source", self._store.update(project, name, settings))

    def delete(self, query: Query) -> Response:
        source = self._store.source_by_id(query.parts["id"])
        if not _allowed(query.user, source["owner"], ADMIN):
            return error(403, "403 Forbidden")
        self._store.delete(source["id"])
        return JSONResponse({"status": "ok"})

    def statistics(self, query: Query) -> Response:
        _allowed(query.user, query.parts["project"])
        if not isinstance(query.content.get("comment_filter"), dict):
            raise InvalidInput("comment_filter must be an object.")
        count = self._store.comments(query.parts["project"], query.parts["name"])
        told = {"num_comments": count, "label_counts": {}, "label_timeseries": []}
        return _ok("statistics", told)


def _allowed(user: User, project: str, permission: str = READ) -> bool:
    """Whether a permission is held; raise `Missing` for a project that is not even seen."""
    held = user.permissions().get(project)
    if held is None:
        raise Missing
    return permission in held


def _ok(key: str, value: Any) -> Response:
    return JSONResponse({key: value, "status": "ok"})


def _listing(bodies: list[str]) -> Response:
    body = '{"sources": [' + ", ".join(bodies) + '], "status": "ok"}'
    return Response(body, media_type="application/json")


async def _http_error(_: Request, failure: Exception) -> Response:
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    response = error(status, f"{status} {HTTPStatus(status).phrase}")
    response.headers.update(getattr(failure, "headers", None) or {})
    return response


async def _server_error(_: Request, __: Exception) -> Response:
    return error(500, "500 Internal Server Error")
