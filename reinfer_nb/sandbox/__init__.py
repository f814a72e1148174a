"""A tenant in a box: the API served on this machine, over SQLite, with sample data.

For first steps, for tests and for rehearsals: the client does not know the difference. The parts
below know nothing of the client; this module puts them and a client together.
"""

from __future__ import annotations

import atexit
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reinfer_nb.cache import checked_ttl
from reinfer_nb.client import DEFAULT_TTL, Client
from reinfer_nb.connection import connect
from reinfer_nb.errors import ConfigurationError, InvalidInput
from reinfer_nb.text import shown

if TYPE_CHECKING:
    from reinfer_nb.sandbox.app import Asked
    from reinfer_nb.sandbox.server import Server

__all__ = ["Sandbox", "sandbox"]


def sandbox(
    data: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    database: str | os.PathLike[str] | None = None,
    port: int = 0,
    cache_ttl: float = DEFAULT_TTL,
) -> Sandbox:
    """Return a tenant in a box, to be used in a `with` statement or started with `start`.

    >>> with sandbox() as client:
    ...     len(client.sources())
    130

    It listens on this machine only, and is gone afterwards, unless it has a database file.

    Args:
        data: Sources to fill it with, ids and timestamps kept: a listing, or the path of a CSV
            that `to_csv` wrote. By default the sample company: four projects, 130 sources, eight
            years, with the flaws that real tenants have.
        database: File to keep it in. One that holds a sandbox already is opened as it is.
        port: TCP port; 0 for any that is free.
        cache_ttl: As for `connect`, of the client that `with` gives.

    Raises:
        InvalidInput: An argument cannot be what it should be. When it is started: `data` has the
            same id or name twice, or the database has sources of its own.
        ConfigurationError: When it is started: the extra "sandbox" is not installed, or the port
            is taken.
        FileProblem: When it is started: the database is not a sandbox's; it is left as it is.
    """
    return Sandbox(data, database=database, port=port, cache_ttl=cache_ttl)


class Sandbox:
    """A tenant in a box; `sandbox` makes one, and `client.sandbox` is the one of a client.

    Attributes:
        tokens: A token of a user who may do everything, under "admin", and of one who may only
            look, and not at everything, under "viewer". New ones for each sandbox.
    """

    def __init__(
        self,
        data: pd.DataFrame | str | os.PathLike[str] | None = None,
        *,
        database: str | os.PathLike[str] | None = None,
        port: int = 0,
        cache_ttl: float = DEFAULT_TTL,
    ) -> None:
        if type(port) is not int or not 0 <= port < 2**16:
            raise InvalidInput(f"port is a number from 0 to 65535, not {shown(port)}.")
        checked_ttl(cache_ttl)
        self._data = data
        self._database = None if database is None else Path(database)
        self._port = port
        self._cache_ttl = cache_ttl
        self._server: Server | None = None
        self._client: Client | None = None
        self.tokens = {
            name: f"sandbox-{name}-{secrets.token_urlsafe(18)}" for name in ("admin", "viewer")
        }

    def start(self) -> Client:
        """Start serving, and return a client of it with the admin's token."""
        if self._client is not None:
            return self._client
        self._server = self._served()
        # Not left running when the process ends without `stop`.
        atexit.register(self.stop)
        try:
            self._client = connect(
                endpoint=self.endpoint, token=self.tokens["admin"], cache_ttl=self._cache_ttl
            )
        except BaseException:
            self.stop()
            raise
        self._client.sandbox = self
        return self._client

    def stop(self) -> None:
        """Stop serving. What is in memory is gone; what is in a database file stays."""
        atexit.unregister(self.stop)
        if self._client is not None:
            self._client.close()
        if self._server is not None:
            self._server.stop()
        self._client = self._server = None

    def __enter__(self) -> Client:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Sandbox at {self.endpoint}>" if self._server else "<Sandbox, not running>"

    @property
    def endpoint(self) -> str:
        """The base URL it is served at."""
        return f"http://127.0.0.1:{self._running().port}"

    @property
    def requests(self) -> list[Asked]:
        """What was asked of it, in order: `method`, `path`, `status`, `who`; never a token."""
        return list(self._running().asked)

    def sources(self) -> pd.DataFrame:
        """Return all sources as they are in the store, past the API, as `Client.sources` does."""
        from reinfer_nb.frames import from_elements, from_listing

        store = self._running().store
        names = [project["name"] for project, _ in store.projects()]
        body = '{"sources": [' + ", ".join(store.sources(names)) + "]}"
        _, frame = from_listing(body.encode())
        return from_elements([]) if frame is None else frame

    def _running(self) -> Server:
        if self._server is None:
            raise ConfigurationError(
                "The sandbox is not running. Use `with rnb.sandbox() as client:`, or start()."
            )
        return self._server

    def _served(self) -> Server:
        try:
            from reinfer_nb.sandbox.server import Server
            from reinfer_nb.sandbox.store import Refused, Store
        except ImportError as error:
            raise ConfigurationError(
                f"The sandbox needs {error.name}, which is not installed. Install it with: "
                "pip install 'reinfer_nb[sandbox]'"
            ) from None
        try:
            store = Store(self._database, self._rows())
        except Refused as error:
            raise InvalidInput(f"The data cannot fill a sandbox: {error}.") from None
        try:
            return Server(store, self.tokens, self._port)
        except BaseException:
            store.close()
            raise

    def _rows(self) -> list[dict[str, object]] | None:
        from reinfer_nb.export import read_csv
        from reinfer_nb.frames import to_elements

        data = self._data
        if data is None:
            return None
        if isinstance(data, str | os.PathLike):
            data = read_csv(data)
        if not isinstance(data, pd.DataFrame):
            raise InvalidInput(f"data is a DataFrame or the path of a CSV, not {shown(data)}.")
        return to_elements(data)
