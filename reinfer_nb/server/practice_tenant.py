"""The practice tenant: the server with its data, tokens, users and faults, without a client."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.constants import LOOPBACK
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, NotPicklable
from reinfer_nb.files import lasting_path
from reinfer_nb.garbage import no_collections
from reinfer_nb.schema import validation
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.faults import Fault
from reinfer_nb.server.refusals import Missing, Refused, Taken, Unwritable
from reinfer_nb.server.timestamps import now
from reinfer_nb.server.tokens import checked_tokens, new_token
from reinfer_nb.text import listed, shown, visible
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.server.access import Asked
    from reinfer_nb.server.directory import Directory
    from reinfer_nb.server.running import Server


class PracticeTenant:
    """A practice tenant that serves the API on this machine.

    Args:
        data: Sources to fill it with; None for the sample company.
        database: The database file; None for memory.
        tokens: Tokens by user name, in place of random ones.
        new_tokens: Whether to revoke the tokens that the database has so far.
        faults: The faults to inject.
        host: Address to listen on.
        port: TCP port; 0 for any free one.

    Attributes:
        lasting: The users whose token in `tokens` still works after a restart with the same
            database file; on the first start, these are all users.
        faults: The faults to inject; may be changed while it runs.
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
            raise InvalidInput(f"port must be a number from 0 to 65535, not {shown(port)}.")
        if type(host) is not str or not host:
            raise InvalidInput(f"host must be an address such as {LOOPBACK}, not {shown(host)}.")
        self.faults = Faults(() if faults is None else faults)
        # Make the path absolute: `serve` may run in another working folder.
        if isinstance(data, str | os.PathLike):
            data = lasting_path(data)
        elif data is not None:
            data = validation.check_frame(
                data, "data is a DataFrame, or the path of a CSV or Excel file or a history"
            )
        self._data = data
        if isinstance(database, str) and database.startswith((":memory:", "file:")):
            raise InvalidInput(
                f"database must be the path of a file, not {shown(database)}. Leave it out for a "
                "sandbox in memory."
            )
        self._database = None if database is None else lasting_path(database)
        self._host = host
        self._port = port
        self._server: Server | None = None
        new_tokens = arguments.flag(new_tokens, "new_tokens")
        if new_tokens and database is None:
            raise InvalidInput(
                spelled("new_tokens needs database", "--new-tokens needs --database")
                + "; without it, tokens are always new."
            )
        self._chosen_tokens = checked_tokens(tokens)
        self._new_tokens = new_tokens
        self._tokens = {name: new_token(name) for name in ("admin", "viewer")}
        self._tokens |= self._chosen_tokens
        self.lasting: frozenset[str] = frozenset()

    def serve(self) -> None:
        """Start to serve, unless it serves already."""
        if self._server is not None:
            return
        self._server = self._started()
        # Stop also if the process ends without a call of `stop`.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop serving. Data in memory is lost; data in a database file stays."""
        atexit.unregister(self.stop)
        if self._server is not None:
            self._server.stop()
        self._server = None

    def __reduce__(self) -> NoReturn:
        raise NotPicklable(
            "A sandbox cannot be pickled or copied, since it serves in this process. Pass its "
            "endpoint and a token to the other process, and connect there."
        )

    def __repr__(self) -> str:
        return f"<Sandbox at {self.endpoint}>" if self._server else "<Sandbox, not running>"

    @property
    def tokens(self) -> dict[str, str]:
        """A copy of the tokens by user name; they are new for each sandbox.

        "admin" has all permissions; "viewer" may only read, and not all projects.
        """
        return dict(self._tokens)

    @property
    def endpoint(self) -> str:
        """The base URL of the API."""
        server = self._running()
        host = f"[{server.host}]" if ":" in server.host else server.host
        return f"http://{host}:{server.port}"

    @property
    def requests(self) -> list[Asked]:
        """The log of requests, in order: `method`, `path`, `status`, `who`, without tokens."""
        return list(self._running().asked)

    def sources(self) -> pd.DataFrame:
        """Return all sources from the store, past the API, as a frame like `Client.sources`."""
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
        """Create a user, and return its token, which is then in `tokens` too.

        >>> import reinfer_nb as rnb
        >>> box = client.sandbox
        >>> token = box.add_user("auditor", organisation_permissions={"people": ["sources-read"]})
        >>> len(rnb.connect(endpoint=box.endpoint, token=token).sources())
        21

        Args:
            name: Its name: letters, digits, `_` and `-`.
            organisation_permissions: Permissions by project: "sources-read", "sources-admin",
                "buckets-read", "buckets-write", "users-read" and others.
            global_permissions: Permissions everywhere: "tenant-admin" to create projects and
                change users; those above, to hold them on every project.

        Raises:
            InvalidInput: The name is taken or invalid, or there is no such project.
            ConfigurationError: The sandbox is not running.
        """
        if not validation.is_name(name):
            raise InvalidInput(
                f"The name of a user must be {validation.NAME_RULE}, not {shown(name)}."
            )
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
        """Change the permissions of a user.

        >>> client.sandbox.permit("viewer", organisation_permissions={"claims": ["sources-admin"]})

        Args:
            name: Its name.
            organisation_permissions: Permissions by project, in place of the present ones on
                these projects; an empty list removes all.
            global_permissions: Permissions everywhere, in place of the present ones.

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
            directory.update_user(directory.user_named(name).record["id"], changes)

    def add_project(self, name: str) -> None:
        """Create a project without sources, on which the admin has all permissions.

        >>> client.sandbox.add_project("complaints")
        >>> client.create_source("complaints/inbox").owner
        'complaints'

        Args:
            name: Its name: letters, digits, `_` and `-`.

        Raises:
            InvalidInput: The name is taken or invalid.
            ConfigurationError: The sandbox is not running.
        """
        validation.project_name(name)
        directory = self._directory()
        with _as_invalid():
            directory.create_project(name, {}, directory.user_named("admin"), [])

    def add_bucket(self, bucket_id: str, project: str) -> None:
        """Create a bucket, whose id sources may then have as their `bucket_id`.

        >>> client.sandbox.add_bucket("8f0b4d7a1c2e3f60", "claims")
        >>> client.update_source("claims/motor-inbox", bucket_id="8f0b4d7a1c2e3f60").bucket_id
        '8f0b4d7a1c2e3f60'

        Args:
            bucket_id: Its id: 16 hexadecimal digits.
            project: The project that owns it.

        Raises:
            InvalidInput: The id is taken or invalid, or there is no such project.
            ConfigurationError: The sandbox is not running.
        """
        if not validation.is_id(bucket_id):
            raise InvalidInput(
                f"The id of a bucket must be {validation.ID_RULE}, not {shown(bucket_id)}."
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

    def _started(self) -> Server:
        try:
            from reinfer_nb.server.running import Server
        except ImportError as error:
            raise ConfigurationError(
                f"The sandbox needs {error.name}, which is not installed. Install it with: "
                "pip install 'reinfer_nb[sandbox]'"
            ) from None
        from reinfer_nb.server.store import Store

        try:
            with no_collections():
                store = Store(self._database, self._rows())
        except Refused as error:
            raise InvalidInput(f"The sandbox cannot take this data: {error}.") from None
        except Unwritable as error:
            raise _unreadable(self._database, error) from None
        try:
            names = [user.name for user in store.directory.users()]
            lasting = store.lasting_tokens.begin(
                names, self._tokens, self._chosen_tokens, new=self._new_tokens
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
        from reinfer_nb.frames.elements import to_elements
        from reinfer_nb.snapshots.listing_source import listing_at

        data = self._data
        if data is None:
            return None
        if isinstance(data, str | os.PathLike):
            data = listing_at(data, numbered=True)
        return to_elements(data, finite=True)


def _lists(permissions: object) -> dict[str, list[str]]:
    if not isinstance(permissions, Mapping):
        raise InvalidInput(
            'organisation_permissions must be a dict such as {"claims": ["sources-read"]}, not '
            f"{shown(permissions)}."
        )
    return {
        validation.project_name(project): arguments.permission_names(
            names, f"organisation_permissions of the project {project}"
        )
        for project, names in permissions.items()
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
