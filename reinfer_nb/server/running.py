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

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reinfer_nb.errors import ConfigurationError
from reinfer_nb.server.access import HANG_UP, Asked, Hosts
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.app import build
from reinfer_nb.server.store import Store

LOOPBACK = "127.0.0.1"
# Requests that are remembered.
_LOGGED = 200_000
# Seconds to start in; a machine that is not busy needs a few hundredths.
_STARTING = 60
# Seconds that aborted connections have to close, which takes one turn of the event loop.
_CLOSING = 5


class Server:
    """A running sandbox.

    Args:
        store: What it serves; closed with it.
        tokens: Tokens by the name of their user; may change while it runs.
        faults: What goes wrong; may change while it runs.
        host: Address to listen on, or a name of one.
        port: TCP port; 0 for any that is free.

    Attributes:
        asked: What was asked of it.
        host: The address it can be reached at from this machine.
        port: The port it listens on.

    Raises:
        ConfigurationError: The address is none of this machine's, or the port is taken or may
            not be used.
    """

    def __init__(
        self, store: Store, tokens: Mapping[str, str], faults: Faults, host: str, port: int
    ) -> None:
        self.store = store
        self.asked: deque[Asked] = deque(maxlen=_LOGGED)
        self._socket = _listening(host, port)
        address, self.port = self._socket.getsockname()[:2]
        self.host, hosts = _known_as(host, address)
        self._server = _Uvicorn(build(store, tokens, hosts, faults, self.asked))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="reinfer_nb-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_STARTING):
            raise ConfigurationError(
                f"The sandbox did not start within {_STARTING} s: this machine is too busy. Try "
                "again."
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
            hang_up = self._hanging_up(scope)
            try:
                await app({**scope, HANG_UP: hang_up}, receive, send)
            except asyncio.CancelledError:
                # The server ends: no answer is better than one that is none of the API's.
                hang_up()
                raise

        super().__init__(
            uvicorn.Config(
                with_hang_up,
                http=_Protocol,
                loop="asyncio",  # `shutdown` knows how this one accepts
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="critical",
                server_header=False,
                proxy_headers=False,  # who asks is who is connected
                timeout_keep_alive=60,
            )
        )
        self.ready = threading.Event()
        self._ended = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Do what is due from time to time, until `end`; its own loop would notice that late."""
        counter = 0
        while not self._ended.is_set():
            await self.on_tick(counter)
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what is under way come to its end for a moment, and close all connections."""
        loop = asyncio.get_running_loop()
        for listening in sockets or ():
            # Windows has no readers, and hands each connection over as soon as it is accepted.
            with contextlib.suppress(NotImplementedError):
                loop.remove_reader(listening)
        # What is accepted gets its protocol before the servers close: a closed server refuses it,
        # and asyncio then leaves its socket open. All tasks of this loop are connections that get
        # their protocol, which takes two turns of the loop, or requests.
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=0.1)
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        until = loop.time() + _CLOSING
        while self.server_state.connections and loop.time() < until:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    def end(self) -> None:
        """End it, from another thread."""
        # A loop that is closed has ended already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)

    def _hanging_up(self, scope: Scope) -> Callable[[], None]:
        def hang_up() -> None:
            for connection in list(self.server_state.connections):
                if isinstance(connection, _Protocol) and connection.client == scope["client"]:
                    connection.transport.abort()

        return hang_up


class _Protocol(H11Protocol):
    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the API's envelope too."""
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
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The sandbox cannot listen on {host}: {error}.") from None
    # Named, so that asyncio sees TCP and sends at once what is small.
    listening = socket.socket(family, kind, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"The sandbox cannot listen on port {port} of {host}: {error.strerror}. Choose "
            "another one, or 0 for any that is free."
        ) from None
    return listening


def _known_as(host: str, address: str) -> tuple[str, Hosts]:
    """Return the address to reach a listening socket at, and the names it answers to."""
    bound = ipaddress.ip_address(address)
    names = {host, address, "localhost", LOOPBACK, "::1"}
    if bound.is_loopback:
        return address, Hosts(names)
    names |= {socket.gethostname(), socket.getfqdn()}
    if not bound.is_unspecified:
        return address, Hosts(names)
    # No page of another site has a number for its name, so all of them are this machine's.
    return (LOOPBACK if bound.version == 4 else "::1"), Hosts(names, any_address=True)
