"""The API of the sandbox, as an ASGI application over a store.

Every response is JSON in the API's envelope, errors too. `routes` lists the operations;
`schema.validation` checks the settings of a write.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reinfer_nb import strict_json
from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import validation
from reinfer_nb.server import docs_page, openapi
from reinfer_nb.server.access import AccessMiddleware, Asked, Hosts, error
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.directory import Directory
from reinfer_nb.server.fault_middleware import FaultMiddleware
from reinfer_nb.server.operations import Api, Query
from reinfer_nb.server.refusals import Forbidden, Missing, Refused, Taken, Unwritable
from reinfer_nb.server.routes import SERVED, Served
from reinfer_nb.server.store import Store
from reinfer_nb.server.tokens import Accepted
from reinfer_nb.text import holds_half_character

_BODY_BYTES = 8 << 20
# The page loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


def build(
    store: Store, tokens: Mapping[str, str], hosts: Hosts, faults: Faults, asked: deque[Asked]
) -> ASGIApp:
    """Return the application.

    Args:
        store: The data.
        tokens: Tokens by user name, beside those in the store; may change at any time.
        hosts: The accepted host names.
        faults: The faults to inject; may change at any time.
        asked: The log of requests.
    """
    api = Api(store)
    by_path: dict[str, dict[str, ASGIApp]] = {}
    for served in SERVED:
        operation = Operation(served, api, store.directory)
        methods = by_path.setdefault(served.call.path, {})
        methods[served.call.method] = FaultMiddleware(served.call.id, operation, faults)
    # The id of a comment may hold a slash.
    routes = [
        Route(path.replace("{comment}", "{comment:path}"), ByMethod(methods), methods=list(methods))
        for path, methods in by_path.items()
    ]
    routes += [Route("/openapi.json", _document), Route("/docs", _docs)]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.router.redirect_slashes = False
    return AccessMiddleware(app, Accepted(tokens, store.lasting_tokens), hosts, asked)


# Made when asked for, since most practice tenants start and stop without being asked.
async def _document(_: Request) -> Response:
    return JSONResponse(openapi.document())


async def _docs(_: Request) -> Response:
    page = docs_page.page(openapi.document())
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


class ByMethod:
    """The operations on one path, in one route so that a 405 lists all methods.

    Args:
        apps: Applications by HTTP method.
    """

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; HEAD is handled as GET, and the server sends no body."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._apps[method](scope, receive, send)


class Operation:
    """One operation, from the request to the response.

    Args:
        served: The description of the operation.
        api: The implementation.
        directory: The users.
    """

    def __init__(self, served: Served, api: Api, directory: Directory) -> None:
        self._served = served
        self._api = api
        self._directory = directory
        self._endpoint: Callable[[Query], Response] = getattr(api, served.call.id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        request = Request(scope, receive)
        content: Mapping[str, Any] | Response = {}
        if self._served.call.method in ("PUT", "POST"):
            content = await _content(request)
        if isinstance(content, Response):
            response = content
        else:
            response = await run_in_threadpool(self._respond, request, content)
        await response(scope, receive, send)

    def _respond(self, request: Request, content: Mapping[str, Any]) -> Response:
        try:
            user = self._directory.user_named(request.scope["user"])
            self._api.allow(self._served, user, request.path_params)
            settings: Mapping[str, Any] = {}
            sent = self._served.sent
            if sent is not None:
                value = content.get(sent.key)
                settings = validation.wire_settings(sent.operation, value, model=sent.model)
            return self._endpoint(
                Query(user, request.path_params, request.query_params, content, settings)
            )
        except Missing:
            return error(404, "404 Not Found")
        except Forbidden:
            return error(403, "403 Forbidden")
        except Taken as taken:
            return error(409, f"409 Conflict: {taken}.")
        except (Refused, InvalidInput) as refused:
            return error(422, str(refused))
        except Unwritable as problem:
            return error(503, f"503 Service Unavailable: {problem}.")


async def _content(request: Request) -> Mapping[str, Any] | Response:
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if media_type.lower() != "application/json":
        return error(415, "415 Unsupported Media Type: send application/json.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            return error(413, f"413 Content Too Large: more than {_BODY_BYTES:,} bytes.")
    try:
        content = strict_json.decode(bytes(body))
    except strict_json.Malformed as malformed:
        return error(400, f"400 Bad Request: {malformed}.")
    if not isinstance(content, dict):
        return error(400, "400 Bad Request: send a JSON object.")
    if holds_half_character(content):
        return error(422, "A text contains half a character (a lone surrogate).")
    return content


async def _http_error(_: Request, failure: Exception) -> Response:
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    response = error(status, f"{status} {HTTPStatus(status).phrase}")
    response.headers.update(getattr(failure, "headers", None) or {})
    return response


async def _server_error(_: Request, __: Exception) -> Response:
    return error(500, "500 Internal Server Error")
