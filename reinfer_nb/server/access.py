"""Middleware of the sandbox that checks host and token, and logs each request."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reinfer_nb.schema import endpoints
from reinfer_nb.server.tokens import Accepted

# Key in the scope of a function that closes the request's connection.
HANG_UP = "reinfer_nb.hang_up"
# Paths without a token: a browser sends none, and they hold no data of the tenant.
PUBLIC = frozenset({"/openapi.json", "/docs"})


class Asked(NamedTuple):
    """A logged request and the status of its response.

    Attributes:
        method: HTTP method.
        path: Path with its query, without the endpoint.
        status: HTTP status of the response; 0 if the connection was closed without one.
        who: Name of the user; "" for an unknown token.
    """

    method: str
    path: str
    status: int
    who: str


class Hosts:
    """The values of the header `Host` that a server accepts, against DNS rebinding.

    Args:
        names: Names and addresses.
        any_address: Accept every IP address too, for a server that listens on all interfaces.
    """

    def __init__(self, names: Iterable[str], *, any_address: bool = False) -> None:
        self._names = {name.lower() for name in names}
        self._any_address = any_address

    def __contains__(self, host: object) -> bool:
        if not isinstance(host, str):
            return False
        # Remove the port and the brackets of IPv6.
        name = re.sub(r":\d*$", "", host) if not host.endswith("]") else host
        name = name.removeprefix("[").removesuffix("]").lower()
        return name in self._names or (self._any_address and _is_address(name))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class AccessMiddleware:
    """Middleware that checks host and token, and logs each request.

    Args:
        app: The application; it finds the user's name as `user` in the scope.
        tokens: The accepted tokens.
        hosts: The accepted host names.
        asked: The log of requests, without tokens.
    """

    def __init__(self, app: ASGIApp, tokens: Accepted, hosts: Hosts, asked: deque[Asked]) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = hosts
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the application, or refuse it."""
        begin = time.perf_counter()
        headers = dict(scope["headers"])
        user = self._user(headers.get(b"authorization", b""))
        logged = False

        async def send_and_log(message: Message) -> None:
            nonlocal logged
            if message["type"] == "http.response.start":
                logged = True
                # Log first: a caller that has the response finds its request in the log.
                self._log(scope, message["status"], user)
                duration = f"total;dur={(time.perf_counter() - begin) * 1e3:.1f}"
                message["headers"] = [
                    *message["headers"], (b"server-timing", duration.encode()),
                ]  # fmt: skip
            await send(message)

        def hang_up() -> None:
            nonlocal logged
            logged = True
            self._log(scope, 0, user)
            scope[HANG_UP]()

        base = endpoints.TENANT_PATH.match(scope["path"])
        path = scope["path"][base.end() :] if base else scope["path"]
        app: ASGIApp
        if headers.get(b"host", b"").decode("latin-1") not in self._hosts:
            app = error(400, "Unknown host name. Use the address that the sandbox reports.")
        elif user is None and path not in PUBLIC:
            app = error(401, "401 Unauthorized")
        else:
            app = self._app
        try:
            inner = {**scope, "path": path, "user": user, HANG_UP: hang_up}
            await app(inner, receive, send_and_log)
        finally:
            if not logged:
                self._log(scope, 0, user)

    def _user(self, authorization: bytes) -> str | None:
        scheme, _, token = authorization.partition(b" ")
        user = self._tokens.user_of(token)
        return user if scheme.lower() == b"bearer" else None

    def _log(self, scope: Scope, status: int, user: str | None) -> None:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        if self._tokens.is_in(path) or self._tokens.is_in(unquote(path)):
            path = "(hidden: contains a token)"
        self._asked.append(Asked(scope["method"], path, status, user or ""))


def error(status: int, message: str) -> JSONResponse:
    """Return an error response in the API's envelope."""
    return JSONResponse({"status": "error", "message": message}, status)
