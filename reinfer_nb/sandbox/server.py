"""The sandbox as a server: uvicorn in a thread of this process, on loopback."""

from __future__ import annotations

import socket
import threading
from collections import deque

import uvicorn
from starlette.types import ASGIApp

from reinfer_nb.errors import ConfigurationError
from reinfer_nb.sandbox.app import Asked, build
from reinfer_nb.sandbox.store import Store

HOST = "127.0.0.1"
HOSTS = frozenset({"127.0.0.1", "localhost"})
# Requests that are remembered.
_LOGGED = 200_000


class Server:
    """A running sandbox.

    Args:
        store: What it serves; closed with it.
        tokens: Tokens by the name of their user.
        port: TCP port on loopback; 0 for any that is free.

    Raises:
        ConfigurationError: The port is taken or may not be used.
    """

    def __init__(self, store: Store, tokens: dict[str, str], port: int) -> None:
        self.store = store
        self.asked: deque[Asked] = deque(maxlen=_LOGGED)
        self._socket = _listening(port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(build(store, tokens, HOSTS, self.asked))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="reinfer_nb-sandbox", daemon=True
        )
        self._thread.start()
        self._server.ready.wait(10)

    def stop(self) -> None:
        """Stop serving, and close the store."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()
        self.store.close()


class _Uvicorn(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="critical",
                server_header=False,
                timeout_keep_alive=60,
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _listening(port: int) -> socket.socket:
    # Named, so that asyncio sees TCP and sends at once what is small.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"The sandbox cannot listen on port {port} of {HOST}: {error.strerror}. Choose "
            "another one, or 0 for any that is free."
        ) from None
    return listening
