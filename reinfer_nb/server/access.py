"""The door of the sandbox: what each request passes before anything is done for it.

Host, token, and the log of what was asked. Knows no operation.
"""

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

# Where the scope holds a function that closes the request's connection.
HANG_UP = "reinfer_nb.hang_up"
# Who asks for them in a browser has no token to send, and they tell nothing of the tenant.
OPEN = frozenset({"/openapi.json", "/docs"})


class Asked(NamedTuple):
    """A request that the sandbox was asked, and what it answered.

    Attributes:
        method: HTTP method.
        path: Path with its query, without the endpoint.
        status: HTTP status of the answer; 0 where the connection was dropped instead.
        who: Name of the user; "" for a token that is nobody's.
    """

    method: str
    path: str
    status: int
    who: str


class Hosts:
    """The names that a server answers to, so that no page of another site can speak to it.

    Args:
        names: Names and addresses.
        any_address: Whether it answers to all addresses too: it listens on several.
    """

    def __init__(self, names: Iterable[str], *, any_address: bool = False) -> None:
        self._names = {name.lower() for name in names}
        self._any_address = any_address

    def __contains__(self, host: object) -> bool:
        if not isinstance(host, str):
            return False
        # Less the port, if one is given, and the brackets of IPv6.
        name = re.sub(r":\d*$", "", host) if not host.endswith("]") else host
        bare = name.removeprefix("[").removesuffix("]").lower()
        return bare in self._names or (self._any_address and _is_address(bare))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Door:
    """An application behind a door.

    Args:
        app: The application; finds the user's name as `user` in the scope.
        tokens: The tokens that are accepted.
        hosts: Names this server answers to.
        asked: Where requests are logged, without tokens.
    """

    def __init__(self, app: ASGIApp, tokens: Accepted, hosts: Hosts, asked: deque[Asked]) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = hosts
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        begin = time.perf_counter()
        headers = dict(scope["headers"])
        who = self._user(headers.get(b"authorization", b""))
        started = False

        async def told(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                # Before the answer leaves: who has it finds the request in the log.
                self._log(scope, message["status"], who)
                duration = f"total;dur={(time.perf_counter() - begin) * 1e3:.1f}"
                message["headers"] = [
                    *message["headers"], (b"server-timing", duration.encode()),
                ]  # fmt: skip
            await send(message)

        def hang_up() -> None:
            nonlocal started
            started = True
            # Before the connection is closed, likewise.
            self._log(scope, 0, who)
            scope[HANG_UP]()

        base = endpoints.TENANT_PATH.match(scope["path"])
        path = scope["path"][base.end() :] if base else scope["path"]
        app: ASGIApp
        if headers.get(b"host", b"").decode("latin-1") not in self._hosts:
            app = error(400, "This server does not go by that name.")
        elif who is None and path not in OPEN:
            app = error(401, "401 Unauthorized")
        else:
            app = self._app
        try:
            inner = {**scope, "path": path, "user": who, HANG_UP: hang_up}
            await app(inner, receive, told)
        finally:
            if not started:
                self._log(scope, 0, who)

    def _user(self, authorization: bytes) -> str | None:
        scheme, _, token = authorization.partition(b" ")
        user = self._tokens.user_of(token)
        return user if scheme.lower() == b"bearer" else None

    def _log(self, scope: Scope, status: int, who: str | None) -> None:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        if self._tokens.is_in(path) or self._tokens.is_in(unquote(path)):
            path = "(left out: it holds a token)"
        self._asked.append(Asked(scope["method"], path, status, who or ""))


def error(status: int, message: str) -> JSONResponse:
    """Return an error in the API's envelope."""
    return JSONResponse({"status": "error", "message": message}, status)
