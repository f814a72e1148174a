"""The client of a tenant, and the practice tenant that has one.

The two stand together because each has the other as an attribute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reinfer_nb.api import connection
from reinfer_nb.api.client import DEFAULT_TTL, ApiClient
from reinfer_nb.api.frame_cache import checked_ttl
from reinfer_nb.auth.secret import Hidden
from reinfer_nb.auth.token_function import token_given
from reinfer_nb.forking import importing
from reinfer_nb.server.faults import Fault
from reinfer_nb.server.practice_tenant import LOOPBACK, PracticeTenant

if TYPE_CHECKING:
    from reinfer_nb.plans.plan import Plan


class Client(ApiClient):
    """A tenant, as far as its token sees it. Made by `connect`; safe in several threads.

    >>> client.sources("claims").shape[0]
    39

    Attributes:
        endpoint: The base URL of the tenant.
        sandbox: The sandbox this is a client of, when it was made by `rnb.sandbox`; else None.
    """

    sandbox: Sandbox | None = None

    def plan(
        self,
        edited: pd.DataFrame,
        base: pd.DataFrame | None = None,
        *,
        delete_missing: bool | Literal["tenant"] = False,
        project: str | None = None,
    ) -> Plan:
        """Return what it takes to make the tenant's sources what an edited listing says.

        >>> edited = client.sources("claims")
        >>> edited.loc[edited["name"] == "motor-inbox", "title"] = "Motor"
        >>> client.plan(edited).frame[["action", "name", "field", "before", "after"]]
           action         name  field              before  after
        0  update  motor-inbox  title  Motor claims inbox  Motor

        The tenant is asked for its listing anew, and nothing is written. A row is a source by its
        id, or else by `owner` and `name`; a row without an id, of a name that is not there, is a
        source to be made. Columns and rows that are left out mean nothing. What cannot be is in
        the plan's `problems`, all of it, each with its row, its column and what is allowed.

        Args:
            edited: A listing, or any part of one, as it is to be. Its `attrs["endpoint"]` says
                which tenant it is of; that of another one is matched by `owner` and `name`.
            base: The listing that the edit began with. What others have changed since then stays;
                where both have changed the same setting, that is a problem.
            delete_missing: Delete sources that `edited` has not. With True in the projects of which
                `edited` has a source, or in that of `project`; with "tenant" in all projects. With
                a base, only those that it has and nobody has changed since; without, none younger
                than the listing, where its `attrs["fetched_at"]` says how old that is.
            project: Look at this project alone, and delete in it even if `edited` has none of its
                sources.

        Raises:
            InvalidInput: `edited` or `base` is no listing, `base` is of another tenant, or
                `delete_missing` is none of those.
            ReinferError: The tenant could not be reached or did not answer with a listing.
        """
        with importing():
            from reinfer_nb.plans import planner
            from reinfer_nb.plans.plan import Plan

        return Plan.of(
            planner.planned(self, edited, base, delete_missing=delete_missing, project=project)
        )


def connect(
    *,
    endpoint: str | None = None,
    token: str | Callable[[], str] | None = None,
    context: str | None = None,
    cache_ttl: float = DEFAULT_TTL,
    timeout: float | tuple[float, float] = (10.0, 60.0),
    verify: bool | str | None = None,
    proxy: str | None = None,
) -> Client:
    """Return a client of the tenant that is configured. Nothing is sent yet.

    In this order: the arguments; what was logged in to by `login` in this session; the environment
    (`REINFER_ENDPOINT` and `REINFER_TOKEN`, or `REINFER_CONTEXT`); the current context of the
    vendor's client `re`. An endpoint without a token gets the one that was logged in with, or that
    the environment, a context or at last the system's keyring has for it. A token of any of these
    is never sent to another endpoint than its own.

    >>> connect(endpoint=client.endpoint, token="abc")
    <Client of http://127.0.0.1:..., token from argument>

    A token that is valid for an hour is better given as a function, which gets a new one when that
    is needed:

    >>> def get_token():
    ...     # Here: ask the identity server, and return response.json()["access_token"].
    ...     return client.sandbox.tokens["viewer"]
    >>> connect(endpoint=client.endpoint, token=get_token).me().username
    'viewer'

    Args:
        endpoint: Base URL, such as "https://cloud.uipath.com/<org>/<tenant>/reinfer_".
        token: API token, or a function without arguments that returns one. The function is called
            when a token is needed first, and once more after each response that refuses the token
            (401); if it then returns another one, the request is sent once more with that, writes
            too. It may be called from any thread, but never in two at once.
        context: Name of a context of the vendor's client; `contexts` lists them.
        cache_ttl: Seconds that a listing is good for; 0 fetches it each time.
        timeout: Seconds to wait for a connection, and for the next part of an answer; one number
            for both, or two. A whole answer may take ten times the second number.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy; by default what the environment says.

    Raises:
        ConfigurationError: No tenant is configured, or not unmistakably; the message says how.
        InvalidInput: An argument cannot be what it should be. What a function returns is checked
            when it is called: then the calls of the client raise this, or a `ConfigurationError`
            if the function fails.

    Warns:
        InsecureWarning: Certificates will not be verified.
    """
    # Out of sight of a traceback that shows variables.
    secret = None if token is None else token_given(token)
    del token
    hidden = None if proxy is None else Hidden(proxy)
    del proxy
    transport = connection.transport(
        endpoint=endpoint,
        token=secret,
        context=context,
        timeout=timeout,
        verify=verify,
        proxy=hidden,
    )
    return Client(transport, cache_ttl=cache_ttl)


class Sandbox(PracticeTenant):
    """A tenant in a box; `sandbox` makes one, and `client.sandbox` is the one of a client.

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
        cache_ttl: float = DEFAULT_TTL,
    ) -> None:
        checked_ttl(cache_ttl)
        super().__init__(
            data,
            database=database,
            tokens=tokens,
            new_tokens=new_tokens,
            faults=faults,
            host=host,
            port=port,
        )
        self._cache_ttl = cache_ttl
        self._client: Client | None = None

    def start(self) -> Client:
        """Start serving, and return a client of it with the admin's token."""
        if self._client is not None:
            return self._client
        self.serve()
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
        if self._client is not None:
            self._client.close()
        self._client = None
        super().stop()

    def __enter__(self) -> Client:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
