"""From what is configured to a client."""

from __future__ import annotations

from collections.abc import Callable

from reinfer_nb import config
from reinfer_nb.client import DEFAULT_TTL, Client
from reinfer_nb.errors import InsecureWarning, warn
from reinfer_nb.fresh_token import token_given
from reinfer_nb.secret import Hidden
from reinfer_nb.transport import Transport, checked_timeout


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
    tenant = config.resolve(
        endpoint=endpoint, token=secret, context=context, verify=verify, proxy=hidden
    )
    if tenant.verify is False:
        warn(
            f"The certificate of {tenant.endpoint} will not be verified: whoever is on the way "
            "there can read the token. Better give a CA bundle: verify='ca.pem'.",
            InsecureWarning,
        )
    return Client(Transport(tenant, timeout=checked_timeout(timeout)), cache_ttl=cache_ttl)
