"""A server on loopback with scripted responses, valid or not; it records the requests."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.waiting import AGES

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Asked:
    """A received request; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True)
class Step:
    """How the server handles one request.

    Attributes:
        answer: The bytes of the response, or a function of the request that returns them.
        read: Whether the request is read; otherwise the connection is reset.
        wait: Seconds before the response.
        close: Whether the connection is closed afterwards without notice.
    """

    answer: bytes | Callable[[Asked], bytes] = b""
    read: bool = True
    wait: float = 0.0
    close: bool = False


RESET = Step(read=False)
DROPPED = Step(close=True)


def reply(
    content: Any, status: int = 200, headers: Mapping[str, str | None] | None = None
) -> bytes:
    """Return the bytes of a response; other content becomes JSON, headers of None are left out."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    default = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{name}: {text}" for name, text in (default | dict(headers or {})).items() if text]
    return "\r\n".join([f"HTTP/1.1 {status} x", *lines, "", ""]).encode("latin-1") + body


def relay(endpoint: str) -> Callable[[Asked], bytes]:
    """Return a function that forwards a request to another server and returns its response."""

    def carried(asked: Asked) -> bytes:
        connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=AGES)
        try:
            connection.request(asked.method, asked.path, asked.body or None, dict(asked.headers))
            response = connection.getresponse()
            return reply(response.read(), response.status, {"Date": response.getheader("date")})
        finally:
            connection.close()

    return carried


def lost(onward: Callable[[Asked], bytes]) -> Step:
    """Return the step for a request that is carried out, but whose response is lost."""
    return Step(lambda asked: onward(asked)[:0], close=True)


class Scripted:
    """A server that uses one step per request, over all connections.

    Args:
        *steps: The steps; bytes are a response. After the last step, every response is a 418.
        repeat: Repeat the last step instead.
        tls: The SSL context for https.
    """

    def __init__(
        self, *steps: Step | bytes, repeat: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._script = deque(s if isinstance(s, Step) else Step(s) for s in steps)
        self._repeat = repeat
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"
        if tls:
            self._listening = tls.wrap_socket(self._listening, server_side=True)
        self._door = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._door.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._door.join(AGES)
        self._listening.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.settle()

    @property
    def methods(self) -> list[str]:
        """The methods of the requests, in order."""
        return [asked.method for asked in self.asked]

    @property
    def open_connections(self) -> int:
        """The number of connections that are open now."""
        return sum(thread.is_alive() for thread in self._threads)

    def settle(self) -> None:
        """Wait until all connections are closed."""
        for thread in self._threads:
            thread.join(AGES)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with suppress(OSError):
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                self._open.add(connection)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as file:
            while not self._stopped.is_set() and file.peek(1):
                with self._lock:
                    step = self._script[0] if self._script else Step(reply({}, 418))
                    if self._script and not (self._repeat and len(self._script) == 1):
                        self._script.popleft()
                if not step.read:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return
                method, path, _ = file.readline().decode().split(" ", 2)
                headers = {n.lower(): text for n, text in http.client.parse_headers(file).items()}
                asked = Asked(
                    method, path, headers, file.read(int(headers.get("content-length", 0)))
                )
                self.asked.append(asked)
                self._stopped.wait(step.wait)
                connection.sendall(
                    step.answer if isinstance(step.answer, bytes) else step.answer(asked)
                )
                if step.close:
                    return
        self._open.discard(connection)
