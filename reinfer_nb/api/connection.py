"""The transport for the configured tenant."""

from __future__ import annotations

from reinfer_nb.api.transport import Transport, checked_timeout
from reinfer_nb.auth import tenant as config
from reinfer_nb.auth.secret import Hidden, Token
from reinfer_nb.errors import InsecureWarning, warn


def transport(
    *,
    endpoint: str | None = None,
    token: Token | None = None,
    context: str | None = None,
    timeout: float | tuple[float, float] = (10.0, 60.0),
    verify: bool | str | None = None,
    proxy: Hidden | None = None,
) -> Transport:
    """Return the transport for the configured tenant, as `connect` documents it.

    Args:
        endpoint: As for `connect`.
        token: The given token; None for none.
        context: As for `connect`.
        timeout: As for `connect`.
        verify: As for `connect`.
        proxy: URL of a proxy, which may hold a password; None for that of the environment.
    """
    tenant = config.resolve(
        endpoint=endpoint, token=token, context=context, verify=verify, proxy=proxy
    )
    if tenant.verify is False:
        warn(
            f"The certificate of {tenant.endpoint} will not be verified, so anybody on the network "
            "path can read the token. Give a CA bundle instead: verify='ca.pem'.",
            InsecureWarning,
        )
    return Transport(tenant, timeout=checked_timeout(timeout))
