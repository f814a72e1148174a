"""A practice tenant: the server with its data, tokens, users and faults, without a client."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, NotPicklable
from reinfer_nb.files import lasting_path
from reinfer_nb.schema import validation
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.faults import Fault
from reinfer_nb.server.refusals import Missing, Refused, Taken, Unwritable
from reinfer_nb.server.timestamps import now
from reinfer_nb.server.tokens import checked_tokens, new_token
from reinfer_nb.text import listed, shown, visible

if TYPE_CHECKING:
    from reinfer_nb.server.access import Asked
    from reinfer_nb.server.directory import Directory
    from reinfer_nb.server.running import Server

LOOPBACK = "127.0.0.1"


class PracticeTenant:
    """A practice tenant that serves the API on this machine. It knows no client.

    Args:
        data: Sources to fill it with; None for the sample company.
        database: File to keep it in; None for memory.
        tokens: Tokens by user, in place of made-up ones.
        new_tokens: Whether to end the tokens that the database has so far.
        faults: What goes wrong.
        host: Address to listen on.
        port: TCP port; 0 for any that is free.

    Attributes:
        lasting: The users whose token in `tokens` goes on working when a sandbox is started again
            on the same database file: all of them on its first start.
        faults: What goes wrong; may be changed while it runs.
    """

    def __init__(
        self,
        data: pd.DataFrame | str | os.PathLike[str] | None = None,
        *,
        database: str | os.PathLike[str] | None = None,
        tokens: Mapping[str, str] | None = None,
        new_tokens: bool = False,
        faults: Fault | Iterable[Fault] | None = (),
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        if type(port) is not int or not 0 <= port < 2**16:
            raise InvalidInput(f"port is a number from 0 to 65535, not {shown(port)}.")
        if type(host) is not str or not host:
            raise InvalidInput(f"host is an address such as {LOOPBACK}, not {shown(host)}.")
        self.faults = Faults(() if faults is None else faults)
        # It is read when the sandbox is started, maybe from another folder.
        if isinstance(data, str | os.PathLike):
            data = lasting_path(data)
        elif data is not None:
            data = validation.check_frame(data, "data is a DataFrame or the path of a CSV")
        self._data = data
        if isinstance(database, str) and database.startswith((":memory:", "file:")):
            raise InvalidInput(
                f"database is the path of a file, not {shown(database)}, as SQLite says it. Leave "
                "it out for a sandbox in memory."
            )
        self._database = None if database is None else lasting_path(database)
        self._host = host
        self._port = port
        self._server: Server | None = None
        new_tokens = arguments.flag(new_tokens, "new_tokens")
        if new_tokens and database is None:
            raise InvalidInput("new_tokens goes with database; without one, tokens are new anyway.")
        self._given = checked_tokens(tokens)
        self._new_tokens = new_tokens
        self._tokens = {name: new_token(name) for name in ("admin", "viewer")} | self._given
        self.lasting: frozenset[str] = frozenset()

    def serve(self) -> None:
        """Start serving; nothing is done if it serves already."""
        if self._server is not None:
            return
        self._server = self._served()
        # Not left running when the process ends without `stop`.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop serving. What is in memory is gone; what is in a database file stays."""
        atexit.unregister(self.stop)
        if self._server is not None:
            self._server.stop()
        self._server = None

    def __reduce__(self) -> NoReturn:
        raise NotPicklable(
            "A sandbox serves in this process, so it is not pickled or copied. Give its endpoint "
            "and a token to the other process, which connects to it."
        )

    def __repr__(self) -> str:
        return f"<Sandbox at {self.endpoint}>" if self._server else "<Sandbox, not running>"

    @property
    def tokens(self) -> dict[str, str]:
        """A copy of the tokens, new ones for each sandbox, by the name of their user.

        "admin" may do everything, "viewer" may only look, and not at everything.
        """
        return dict(self._tokens)

    @property
    def endpoint(self) -> str:
        """The base URL it is served at."""
        server = self._running()
        host = f"[{server.host}]" if ":" in server.host else server.host
        return f"http://{host}:{server.port}"

    @property
    def requests(self) -> list[Asked]:
        """What was asked of it, in order: `method`, `path`, `status`, `who`; never a token."""
        return list(self._running().asked)

    def sources(self) -> pd.DataFrame:
        """Return all sources as they are in the store, past the API, as `Client.sources` does."""
        from reinfer_nb.frames.convert import from_elements, from_listing

        with _as_invalid():
            body = b"".join((b'{"sources": ', *self._running().store.listing(), b"}"))
        _, frame = from_listing(body)
        return from_elements([]) if frame is None else frame

    def add_user(
        self,
        name: str,
        *,
        organisation_permissions: Mapping[str, Iterable[str]] | None = None,
        global_permissions: Iterable[str] = (),
    ) -> str:
        """Make a user, and return its token; it is in `tokens` too.

        >>> box = client.sandbox
        >>> token = box.add_user("auditor", organisation_permissions={"people": ["sources-read"]})
        >>> len(connect(endpoint=box.endpoint, token=token).sources())
        21

        Args:
            name: Its name: letters, digits, `_` and `-`.
            organisation_permissions: What it may do on projects, by project: "sources-read",
                "sources-admin", "buckets-read", "buckets-write", "users-read" and others.
            global_permissions: What it may do everywhere: "tenant-admin" makes projects and
                changes users; the permissions above count on every project.

        Raises:
            InvalidInput: The name is taken or cannot be one, or a project is not there.
            ConfigurationError: The sandbox is not running.
        """
        if not validation.is_name(name):
            raise InvalidInput(f"A user's name is {validation.NAME_RULE}; {shown(name)} is not.")
        everywhere = arguments.permission_names(global_permissions, "global_permissions")
        by_project = {} if organisation_permissions is None else _lists(organisation_permissions)
        with _as_invalid():
            self._directory().add_user(name, everywhere, by_project)
            token = new_token(name)
            self._running().store.lasting_tokens.keep({name: token})
        self._tokens[name] = token
        if self._database is not None:
            self.lasting |= {name}
        return token

    def permit(
        self,
        name: str,
        *,
        organisation_permissions: Mapping[str, Iterable[str]] | None = None,
        global_permissions: Iterable[str] | None = None,
    ) -> None:
        """Change what a user may do.

        >>> client.sandbox.permit("viewer", organisation_permissions={"claims": ["sources-admin"]})

        Args:
            name: Its name.
            organisation_permissions: What it may do on the projects named here, in place of what
                it might so far; an empty list takes all away.
            global_permissions: What it may do everywhere, in place of what it might so far.

        Raises:
            InvalidInput: There is no such user or project.
            ConfigurationError: The sandbox is not running.
        """
        directory = self._directory()
        if not validation.is_name(name) or name not in self._tokens:
            raise InvalidInput(f"There is no user {shown(name)}; there are {listed(self._tokens)}.")
        changes: dict[str, Any] = {}
        if organisation_permissions is not None:
            changes["organisation_permissions"] = _lists(organisation_permissions)
        if global_permissions is not None:
            changes["global_permissions"] = arguments.permission_names(
                global_permissions, "global_permissions"
            )
        with _as_invalid():
            directory.update_user(directory.user_named(name).told["id"], changes)

    def add_project(self, name: str) -> None:
        """Make a project without sources, on which the admin may do everything.

        >>> client.sandbox.add_project("complaints")
        >>> client.create_source("complaints/inbox").owner
        'complaints'

        Args:
            name: Its name: letters, digits, `_` and `-`.

        Raises:
            InvalidInput: The name is taken or cannot be one.
            ConfigurationError: The sandbox is not running.
        """
        validation.project_name(name)
        directory = self._directory()
        with _as_invalid():
            directory.create_project(name, {}, directory.user_named("admin"), [])

    def add_bucket(self, bucket_id: str, project: str) -> None:
        """Make a bucket, whose id sources may then have as their `bucket_id`.

        >>> client.sandbox.add_bucket("8f0b4d7a1c2e3f60", "claims")
        >>> client.update_source("claims/motor-inbox", bucket_id="8f0b4d7a1c2e3f60").bucket_id
        '8f0b4d7a1c2e3f60'

        Args:
            bucket_id: Its id: 16 hexadecimal digits.
            project: The project that owns it.

        Raises:
            InvalidInput: The id is taken or cannot be one, or there is no such project.
            ConfigurationError: The sandbox is not running.
        """
        if not validation.is_id(bucket_id):
            raise InvalidInput(
                f"The id of a bucket is {validation.ID_RULE}; {shown(bucket_id)} is not."
            )
        validation.project_name(project)
        directory = self._directory()
        bucket = {"id": bucket_id, "name": f"bucket-{bucket_id}", "owner": project}
        with _as_invalid():
            try:
                directory.project(project)
            except Missing:
                raise Refused(f"There is no project {shown(project)}.") from None
            directory.add_bucket({**bucket, "created_at": now()}, {})

    def _directory(self) -> Directory:
        return self._running().store.directory

    def _running(self) -> Server:
        if self._server is None:
            raise ConfigurationError(
                "The sandbox is not running. Use `with rnb.sandbox() as client:`, or start()."
            )
        return self._server

    def _served(self) -> Server:
        try:
            from reinfer_nb.server.running import Server
        except ImportError as error:
            raise ConfigurationError(
                f"The sandbox needs {error.name}, which is not installed. Install it with: "
                "pip install 'reinfer_nb[sandbox]'"
            ) from None
        from reinfer_nb.server.store import Store

        rows = self._rows()
        try:
            store = Store(self._database, rows)
        except Refused as error:
            raise InvalidInput(f"The data cannot fill a sandbox: {error}.") from None
        except Unwritable as error:
            raise _unreadable(self._database, error) from None
        try:
            names = [user.name for user in store.directory.users()]
            lasting = store.lasting_tokens.begin(
                names, self._tokens, self._given, new=self._new_tokens
            )
            self.lasting = lasting if self._database is not None else frozenset()
            return Server(store, self._tokens, self.faults, self._host, self._port)
        except Unwritable as error:
            store.close()
            raise _unreadable(self._database, error) from None
        except BaseException:
            store.close()
            raise

    def _rows(self) -> list[dict[str, object]] | None:
        from reinfer_nb.csvfile.io import read_csv
        from reinfer_nb.frames.convert import to_elements

        data = self._data
        if data is None:
            return None
        data = read_csv(data) if isinstance(data, str | os.PathLike) else data
        return to_elements(data, finite=True)


def _lists(permissions: object) -> dict[str, list[str]]:
    if not isinstance(permissions, Mapping):
        raise InvalidInput(
            'organisation_permissions is a dict such as {"claims": ["sources-read"]}, not '
            f"{shown(permissions)}."
        )
    return {
        validation.project_name(project): arguments.permission_names(
            held, f"organisation_permissions of the project {project}"
        )
        for project, held in permissions.items()
    }


@contextmanager
def _as_invalid() -> Iterator[None]:
    try:
        yield
    except (Refused, Taken) as problem:
        text = str(problem).removesuffix(".")
        raise InvalidInput(f"{text[:1].upper()}{text[1:]}.") from None
    except Unwritable as problem:
        raise _unreadable(None, problem) from None


def _unreadable(database: os.PathLike[str] | None, problem: Unwritable) -> FileProblem:
    file = "of the sandbox" if database is None else visible(str(database), 200)
    return FileProblem(f"The database {file} cannot be read or written: {problem}.")
