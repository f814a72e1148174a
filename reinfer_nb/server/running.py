"""The sandbox as a server: uvicorn in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reinfer_nb.constants import LOOPBACK
from reinfer_nb.errors import ConfigurationError, reason_of
from reinfer_nb.server.access import HANG_UP, Asked, Hosts
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.app import build
from reinfer_nb.server.store import Store

# Maximum length of the log of requests.
_LOG_LENGTH = 200_000
# Seconds to wait for the start, which takes a few hundredths unless the machine is busy.
_START_TIMEOUT = 60
# Seconds to read what a client goes on to send after its request was refused.
_LINGER_TIMEOUT = 5
# Seconds to wait for aborted connections, which close in the next turn of the event loop.
_CLOSE_TIMEOUT = 5


class Server:
    """A running sandbox.

    Args:
        store: The data; `stop` closes it.
        tokens: Tokens by user name; may change while it runs.
        faults: The faults to inject; may change while it runs.
        host: Address or host name to listen on.
        port: TCP port; 0 for any free one.

    Attributes:
        asked: The log of requests.
        host: Its address for clients on this machine.
        port: The port it listens on.

    Raises:
        ConfigurationError: This machine does not have the address, or the port is taken or may
            not be used.
    """

    def __init__(
        self, store: Store, tokens: Mapping[str, str], faults: Faults, host: str, port: int
    ) -> None:
        self.store = store
        self.asked: deque[Asked] = deque(maxlen=_LOG_LENGTH)
        self._socket = _listening(host, port)
        address, self.port = self._socket.getsockname()[:2]
        self.host, hosts = _hosts(host, address)
        self._server = _Uvicorn(build(store, tokens, hosts, faults, self.asked))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="reinfer_nb-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_START_TIMEOUT):
            raise ConfigurationError(
                f"The sandbox did not start within {_START_TIMEOUT} s: this machine is too busy. "
                "Try again."
            )

    def stop(self) -> None:
        """Stop serving, and close the store."""
        self._server.end()
        self._thread.join(10)
        self._socket.close()
        self.store.close()


class _Uvicorn(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        async def with_hang_up(scope: Scope, receive: Receive, send: Send) -> None:
            hang_up = self._hang_up(scope)
            try:
                await app({**scope, HANG_UP: hang_up}, receive, send)
            except asyncio.CancelledError:
                # The server stops: close rather than send an error outside the API's envelope.
                hang_up()
                raise

        super().__init__(
            uvicorn.Config(
                with_hang_up,
                http=_Protocol,
                loop="asyncio",  # `shutdown` relies on how it accepts connections
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="critical",
                server_header=False,
                proxy_headers=False,  # the caller is the connected peer
                timeout_keep_alive=60,
            )
        )
        self.ready = threading.Event()
        self._ended = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then set `ready`."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Run periodic work until `end`, which uvicorn's own loop would notice later."""
        counter = 0
        while not self._ended.is_set():
            await self.on_tick(counter)
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give running requests a moment to finish, then close all connections."""
        loop = asyncio.get_running_loop()
        for listening in sockets or ():
            # The event loop of Windows has no readers, and needs none removed.
            with contextlib.suppress(NotImplementedError):
                loop.remove_reader(listening)
        # An accepted connection has to get its protocol before the servers close, or asyncio
        # leaves its socket open. That takes two turns of the loop; all other tasks are requests.
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=0.1)
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        deadline = loop.time() + _CLOSE_TIMEOUT
        while self.server_state.connections and loop.time() < deadline:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    def end(self) -> None:
        """Stop the server from another thread."""
        # The loop raises if it is closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)

    def _hang_up(self, scope: Scope) -> Callable[[], None]:
        """Return a function that closes the connection of a request."""

        def hang_up() -> None:
            for connection in list(self.server_state.connections):
                if isinstance(connection, _Protocol) and connection.client == scope["client"]:
                    connection.transport.abort()

        return hang_up


class _Lingering:
    """A transport that reads the rest of a refused request before it closes.

    A connection that is closed with unread bytes is reset, and its client may lose the response.
    """

    def __init__(self, transport: asyncio.Transport, protocol: _Protocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        if self._protocol.conn.their_state in {h11.SEND_BODY, h11.ERROR}:
            self._lingers = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._protocol.loop.call_later(_LINGER_TIMEOUT, self._transport.close)
        else:
            self._transport.close()


class _Protocol(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Lingering(transport, self)))

    def data_received(self, data: bytes) -> None:
        # What follows a refused request is read, and not looked at.
        if not self.transport.is_closing():
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request in the API's envelope."""
        content = {"status": "error", "message": f"400 Bad Request: {msg}"}
        head = [(b"content-type", b"application/json"), (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=head, reason=b"Bad Request"),
            h11.Data(data=json.dumps(content).encode()),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = infos[0]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"The sandbox cannot listen on {host}: {reason_of(error)}."
        ) from None
    # With the protocol named, asyncio sees TCP and sets TCP_NODELAY.
    listening = socket.socket(family, kind, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"The sandbox cannot listen on port {port} of {host}: {reason_of(error)}. Choose "
            "another port, or 0 for any free one."
        ) from None
    return listening


def _hosts(host: str, address: str) -> tuple[str, Hosts]:
    """Return the address for clients on this machine, and the accepted host names."""
    bound = ipaddress.ip_address(address)
    names = {host, address, "localhost", LOOPBACK, "::1"}
    if bound.is_loopback:
        return address, Hosts(names)
    names |= {socket.gethostname(), socket.getfqdn()}
    if not bound.is_unspecified:
        return address, Hosts(names)
    # DNS rebinding needs a host name, so a `Host` that is an IP address is safe.
    return (LOOPBACK if bound.version == 4 else "::1"), Hosts(names, any_address=True)
