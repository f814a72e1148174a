"""A `requests` session that never prints the token and follows no redirects.

All waits are bounded: for a connection of the pool, and for a response that arrives byte by byte.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import queue
import socket
import threading
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from reinfer_nb.api.connection_failures import TOTAL, TooLong, mark_unsent
from reinfer_nb.auth.secret import Token
from reinfer_nb.concurrency import MOST
from reinfer_nb.forking import renew_in_children

# Seconds to wait for a connection of the pool while all are in use.
_POOL_WAIT = 120.0


class _Bounded(io.RawIOBase):
    """The bytes of a socket, with a deadline for all reads besides the time-out of each read."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket) -> None:
        self._raw = raw
        self._connection = connection
        self._timeout = connection.gettimeout()
        self._deadline = time.monotonic() + TOTAL * (self._timeout or 0)

    def readable(self) -> bool:
        """Return True; `io.BufferedReader` requires it."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read into a buffer, and return the number of bytes."""
        if self._timeout:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise TooLong
            self._connection.settimeout(min(remaining, self._timeout))
        # The type stubs of `io.RawIOBase` lack `readinto`.
        raw: Any = self._raw
        try:
            count: int | None = raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() < self._deadline:
                raise
            raise TooLong from None
        return count

    def close(self) -> None:
        """Close the file of the socket."""
        self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """A buffer that notes if its last line ended with a line break."""

    ended = True

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line."""
        line = super().readline(size)
        self.ended = line.endswith(b"\n")
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = self._lines = _Lines(_Bounded(self.fp.detach(), sock))

    def begin(self) -> None:
        """Read the headers. http.client does not notice if the connection ends within them."""
        super().begin()
        if not self._lines.ended:
            self.close()
            raise ConnectionAbortedError("the connection was closed within the headers")


class _Quiet(HTTPConnection):
    # With a `debuglevel`, http.client would print every header, including the token.
    debuglevel = 0
    response_class = _Response

    def connect(self) -> None:
        """Connect; mark errors as raised before anything was sent."""
        try:
            super().connect()
        except Exception as error:
            mark_unsent(error)
            raise


class _QuietHTTPS(_Quiet, HTTPSConnection):
    pass


class _Connections(queue.LifoQueue[Any]):
    """The idle connections of a pool. A child process only closes them when it ends."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._closed = False
        renew_in_children(self)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Return an idle connection; None, for a new one, once the pool was closed.

        urllib3 calls this with `block=False` only to close the connections, also when the process
        ends. `atexit` functions that were registered earlier run after that, and may send requests.
        """
        if not block:
            self._closed = True
        elif self._closed:
            try:
                return super().get(block=False)
            except queue.Empty:
                return None
        return super().get(block, timeout)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Keep a connection that is idle now; close it if the pool was closed."""
        if self._closed and item is not None:
            item.close()
            item = None
        super().put(item, block, timeout)

    def close(self) -> None:
        """Close the idle connections now, and others when they are put back."""
        with contextlib.suppress(queue.Empty):
            while True:
                if (connection := self.get(block=False)) is not None:
                    connection.close()

    def renew_after_fork(self) -> None:
        """Replace the locks in a child process."""
        self.mutex = threading.Lock()
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)


class _QuietPool(HTTPConnectionPool):
    ConnectionCls = _Quiet
    QueueCls = _Connections

    def _get_conn(self, timeout: float | None = None) -> Any:
        return super()._get_conn(_POOL_WAIT if timeout is None else timeout)


class _QuietHTTPSPool(_QuietPool, HTTPSConnectionPool):
    ConnectionCls = _QuietHTTPS


class _Adapter(HTTPAdapter):
    """Pooled keep-alive connections that never print what they send."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _QuietPool, "https": _QuietHTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _QuietPool, "https": _QuietHTTPSPool}
        return manager

    def close(self) -> None:
        """Close all connections now; urllib3 waits until nothing refers to their pool."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - urllib3 refuses to iterate over it
                if pool := manager.pools.get(key):
                    pool.pool.close()
        super().close()


class Session(requests.Session):
    """A session of pooled keep-alive connections; safe to send with from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self.headers["User-Agent"] = "reinfer_nb"
        self.headers["Accept"] = "application/json"
        self.headers["Accept-Encoding"] = "gzip, deflate"
        adapter = _Adapter(pool_connections=4, pool_maxsize=MOST, max_retries=0, pool_block=True)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, so that `requests` prepares no redirect and reads no body without limit."""


class Bearer(AuthBase):
    """Adds the token to each request; with it, `requests` does not use `~/.netrc`."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with the token added."""
        request.headers["Authorization"] = self._token.bearer()
        return request
