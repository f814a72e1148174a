"""ASGI middleware that injects faults into one operation of the sandbox."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reinfer_nb.server.access import HANG_UP
from reinfer_nb.server.active_faults import Faults, Struck
from reinfer_nb.server.faults import Fault


class FaultMiddleware:
    """Middleware that injects faults into one operation.

    Args:
        operation: The name of the operation.
        app: The application that handles it.
        faults: The faults of the sandbox.
    """

    def __init__(self, operation: str, app: ASGIApp, faults: Faults) -> None:
        self._operation = operation
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request with the faults that strike it."""
        accepted = Headers(scope=scope).get("accept-encoding", "")
        struck = self._faults.strike(self._operation, gzip=_accepts_gzip(accepted))
        after = [strike for strike in struck if strike.fault.comes_after]
        if struck:
            # Read the body now: the operation is carried out even if the caller disconnects.
            receive = await _buffered(receive)
        for strike in struck:
            if not strike.fault.comes_after and await self._ends(strike, scope, receive, send):
                return
        if not after:
            await self._app(scope, receive, send)
            return
        response = await _whole_response(self._app, scope, receive)
        for strike in after:
            if strike.fault.kind == "answer":
                response = _error(strike)
            elif await self._ends(strike, scope, receive, send):
                return
        if any(strike.fault.kind == "gzip" for strike in after):
            response = _compressed(response)
        if after[-1].fault.kind == "cut":
            await _cut(response, after[-1].fault, send)
        else:
            await response(scope, receive, send)

    async def _ends(self, strike: Struck, scope: Scope, receive: Receive, send: Send) -> bool:
        """Wait, send an error or hang up. Return True if the request has ended with that."""
        match strike.fault.kind:
            case "wait":
                await asyncio.sleep(strike.seconds)
                return False
            case "answer":
                await _error(strike)(scope, receive, send)
                return True
            case "drop":
                await _hang_up(scope, receive)
                return True
            case _:
                return False


async def _buffered(receive: Receive) -> Receive:
    """Read the body of a request, and return a `receive` that replays it first."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    messages.reverse()

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _error(strike: Struck) -> Response:
    fault = strike.fault
    after = strike.retry_after()
    headers = {} if after is None else {"Retry-After": after}
    if fault.body is not None:
        return Response(fault.body, fault.status, headers, media_type=fault.content_type)
    message = fault.message or f"{fault.status}"
    if not fault.message and fault.status in set(HTTPStatus):
        message += f" {HTTPStatus(fault.status).phrase}"
    return JSONResponse({"status": "error", "message": message}, fault.status, headers)


async def _whole_response(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    """Return the response of an application once it is complete."""
    response = Response()
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status_code = message["status"]
            response.raw_headers = list(message["headers"])
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    response.body = bytes(body)
    return response


def _accepts_gzip(accepted: str) -> bool:
    """True if a header `Accept-Encoding` accepts gzip."""
    for entry in accepted.lower().split(","):
        name, _, weight = entry.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def _compressed(response: Response) -> Response:
    response.body = gzip.compress(bytes(response.body), 1)
    headers = MutableHeaders(raw=response.raw_headers)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(response.body))
    headers.add_vary_header("Accept-Encoding")
    return response


async def _cut(response: Response, fault: Fault, send: Send) -> None:
    """Send the head and a part of the body; the server then closes the incomplete response."""
    part = response.body[: min(int(len(response.body) * fault.share), len(response.body) - 1)]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
    await send({"type": "http.response.body", "body": bytes(part), "more_body": True})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    hang_up: Callable[[], None] = scope[HANG_UP]
    hang_up()
    # Wait until the server has noticed; otherwise it would send a 500.
    while (await receive())["type"] != "http.disconnect":
        pass
