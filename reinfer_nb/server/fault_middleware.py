"""An operation of the sandbox with the faults that strike it: an ASGI application around one."""

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


class Misbehaving:
    """An operation, as faults leave it.

    Args:
        operation: Its name.
        app: What carries it out.
        faults: The faults of the sandbox.
    """

    def __init__(self, operation: str, app: ASGIApp, faults: Faults) -> None:
        self._operation = operation
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out a request, or what is left of it."""
        accepted = Headers(scope=scope).get("accept-encoding", "")
        struck = self._faults.strike(self._operation, gzip=_takes_gzip(accepted))
        after = [one for one in struck if one.fault.comes_after]
        if struck:
            # Else what is asked would not be done where nobody waits for the answer any more.
            receive = await _read(receive)
        for one in struck:
            if not one.fault.comes_after and await self._struck(one, scope, receive, send):
                return
        if not after:
            await self._app(scope, receive, send)
            return
        response = await _answer(self._app, scope, receive)
        for one in after:
            if one.fault.kind == "answer":
                response = _error(one)
            elif await self._struck(one, scope, receive, send):
                return
        if any(one.fault.kind == "gzip" for one in after):
            response = _compressed(response)
        if after[-1].fault.kind == "cut":
            await _cut(response, after[-1].fault, send)
        else:
            await response(scope, receive, send)

    async def _struck(self, one: Struck, scope: Scope, receive: Receive, send: Send) -> bool:
        """Wait, answer or hang up, and return whether that was the end of it."""
        match one.fault.kind:
            case "wait":
                await asyncio.sleep(one.seconds)
                return False
            case "answer":
                await _error(one)(scope, receive, send)
                return True
            case "drop":
                await _hang_up(scope, receive)
                return True
            case _:
                return False


async def _read(receive: Receive) -> Receive:
    """Return a `receive` that gives what was sent, which is read now, and then what comes."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    messages.reverse()

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _error(one: Struck) -> Response:
    fault = one.fault
    after = one.retry_after()
    headers = {} if after is None else {"Retry-After": after}
    if fault.body is not None:
        return Response(fault.body, fault.status, headers, media_type=fault.content_type)
    known = fault.status in set(HTTPStatus)
    words = f"{fault.status} {HTTPStatus(fault.status).phrase}" if known else f"{fault.status}"
    content = {"status": "error", "message": fault.message or words}
    return JSONResponse(content, fault.status, headers)


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    """Return what an application answers, once it is whole."""
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


def _takes_gzip(accepted: str) -> bool:
    """Whether a header `Accept-Encoding` names gzip, and not to rule it out."""
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
    """Send the head and a part of the body; the server closes what stays without an end."""
    sent = response.body[: min(int(len(response.body) * fault.share), len(response.body) - 1)]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
    await send({"type": "http.response.body", "body": bytes(sent), "more_body": True})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    hang_up: Callable[[], None] = scope[HANG_UP]
    hang_up()
    # Until the server has noticed: it would answer with a 500 otherwise.
    while (await receive())["type"] != "http.disconnect":
        pass
