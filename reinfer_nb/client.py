"""The client of a tenant, and the sandbox: a practice tenant with a client.

Both are in one module because each has the other as an attribute.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reinfer_nb.api import connection
from reinfer_nb.api.client import DEFAULT_TTL, ApiClient
from reinfer_nb.auth.secret import Hidden
from reinfer_nb.auth.token_function import token_given
from reinfer_nb.forking import importing
from reinfer_nb.server.practice_tenant import PracticeTenant

if TYPE_CHECKING:
    from reinfer_nb.plans.plan import Plan


class Client(ApiClient):
    """A client of the part of a tenant that its token can see. Made by `connect`; thread-safe.

    >>> client.sources("claims").shape[0]
    39

    Attributes:
        endpoint: The base URL of the tenant.
        sandbox: The sandbox of this client; None if the tenant is not a sandbox of this process.
    """

    sandbox: Sandbox | None = None

    def plan(
        self,
        edited: pd.DataFrame | str | os.PathLike[str],
        base: pd.DataFrame | str | os.PathLike[str] | None = None,
        *,
        delete_missing: bool | Literal["tenant"] = False,
        project: str | None = None,
    ) -> Plan:
        """Return the plan of changes that make the tenant's sources equal to an edited listing.

        >>> edited = client.sources("claims")
        >>> edited.loc[edited["name"] == "motor-inbox", "title"] = "Motor"
        >>> client.plan(edited).frame[["action", "name", "field", "before", "after"]]
           action         name  field              before  after
        0  update  motor-inbox  title  Motor claims inbox  Motor

        A new listing is requested from the tenant, and nothing is written. Rows are matched to
        sources by `id`, or else by `owner` and `name`; a row without an id and with a new name is a
        source to create. Missing columns and rows change nothing. All rows that cannot be planned
        are in the plan's `problems`, with row, column and the allowed values.

        Args:
            edited: A listing, or any part of one, as it should be; or its path, as for `audit`:
                "edited.csv", "audits/@2026-03-01". Its `attrs["endpoint"]` is its tenant; a listing
                of another tenant is matched by `owner` and `name` only.
            base: The listing before the edit, or its path. Settings that others have changed since
                then are kept; a setting that was changed on both sides is a problem.
            delete_missing: Delete sources that are missing in `edited`: with True in `project`, or
                in the projects of the sources in `edited`; with "tenant" in all projects. With a
                base, only sources that are in it and were not changed remotely; without, only
                sources that are older than the listing, if its `attrs["fetched_at"]` is known.
            project: Plan for this project only; allows to delete all of its sources.

        Raises:
            InvalidInput: `edited` or `base` is not a listing, `base` is of another tenant, or
                `delete_missing` has another value.
            FileProblem: A file could not be read or is not a CSV file.
            ReinferError: The tenant could not be reached or did not return a listing.
        """
        with importing():
            from reinfer_nb.plans import planner
            from reinfer_nb.plans.plan import plan_of

        return plan_of(
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
    """Return a client of the configured tenant. Nothing is sent yet.

    Endpoint and token are taken from, in this order: the arguments; the `login` of this session;
    the environment (`REINFER_ENDPOINT` and `REINFER_TOKEN`, or `REINFER_CONTEXT`); the current
    context of the vendor's client `re`. For an endpoint without a token, the token is taken from
    the login, the environment, a context or the system's keyring. A token from any of these is only
    sent to its own endpoint.

    >>> connect(endpoint=client.endpoint, token="abc")
    <Client of http://127.0.0.1:..., token from argument>

    Give a short-lived token as a function, which gets a new token when needed:

    >>> def get_token():
    ...     # Here: ask the identity server, and return response.json()["access_token"].
    ...     return client.sandbox.tokens["viewer"]
    >>> connect(endpoint=client.endpoint, token=get_token).me().username
    'viewer'

    Args:
        endpoint: Base URL, such as "https://cloud.uipath.com/<org>/<tenant>/reinfer_".
        token: API token, or a function without arguments that returns a token. The function is
            called before the first request, and again after each 401; if it returns a new token,
            the request is sent once more, also if it is a write. The function may be called in any
            thread, but never in two at once.
        context: Name of a context of the vendor's client; `contexts` lists them.
        cache_ttl: Seconds that a listing is cached; 0 turns the cache off.
        timeout: Seconds to wait for a connection and for the next part of a response; one number
            for both, or two. A whole response may take ten times the second number.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy; the default is the proxy of the environment.

    Raises:
        ConfigurationError: No tenant is configured, or the configuration is ambiguous.
        InvalidInput: An argument is not valid. A token that a function returns is checked when
            the function is called: then calls of the client raise this, or `ConfigurationError` if
            the function fails.

    Warns:
        InsecureWarning: Certificates will not be verified.
    """
    # Hidden from tracebacks that show variables.
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
    """A practice tenant on this machine, made by `sandbox`; `client.sandbox` of its client.

    Attributes:
        lasting: The users whose token in `tokens` stays valid when a sandbox is started again on
            the same database file; on the first start, all users.
        faults: The simulated faults; may be changed while the sandbox runs.
        cache_ttl: Seconds for which `client` caches a listing.
    """

    cache_ttl: float = DEFAULT_TTL
    _client: Client | None = None

    def start(self) -> Client:
        """Start serving, and return a client of it with the admin's token."""
        if self._client is not None:
            return self._client
        self.serve()
        try:
            self._client = connect(
                endpoint=self.endpoint, token=self.tokens["admin"], cache_ttl=self.cache_ttl
            )
        except BaseException:
            self.stop()
            raise
        self._client.sandbox = self
        return self._client

    def stop(self) -> None:
        """Stop serving. Data in memory is lost; data in a database file is kept."""
        if self._client is not None:
            self._client.close()
        self._client = None
        super().stop()

    def __enter__(self) -> Client:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
