"""Why a request got no answer: exceptions of libraries in words, without the request inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3
from urllib3.exceptions import HTTPError

from reinfer_nb import errors
from reinfer_nb.config import Tenant
from reinfer_nb.text import visible


class Failure:
    """Why there was no answer, without the request that a library's exception carries.

    Attributes:
        kind: The error that it becomes.
        reason: In words.
        sent: Whether there was a connection, so that it may have been carried out.
        passing: Whether another attempt may help.
    """

    def __init__(self, kind: type[errors.ConnectionFailed], reason: str, error: Exception) -> None:
        self.kind = kind
        self.reason = reason
        self.sent = not _is_unsent(error)
        # What a library refuses by itself, an odd proxy or a missing file, it refuses again.
        self.passing = not isinstance(error, requests.exceptions.SSLError | ValueError) and (
            isinstance(
                error, requests.RequestException | HTTPError | ConnectionError | TimeoutError
            )
        )


def failure_of(error: Exception, tenant: Tenant, timeout: tuple[float, float]) -> Failure:
    """Return why there was no answer.

    Args:
        error: What a library raised.
        tenant: Whom it was about.
        timeout: Seconds for connecting and for reading.
    """
    host = urlsplit(tenant.endpoint).netloc
    connect, read = timeout
    if isinstance(
        error, requests.exceptions.ConnectTimeout | urllib3.exceptions.ConnectTimeoutError
    ):
        return Failure(
            errors.Timeout,
            f"no connection to {host} within {connect:g} s. Check the network; a longer wait "
            "is timeout=(connect, read) of rnb.connect.",
            error,
        )
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError) or (
        "timed out" in str(error)
    ):
        return Failure(
            errors.Timeout,
            f"no answer from {host} within {read:g} s. A longer wait is "
            "timeout=(connect, read) of rnb.connect.",
            error,
        )
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return Failure(
            errors.ConnectionFailed,
            f"the certificate of {host} does not verify. If your organisation has a CA of its "
            "own, give the path of its bundle: rnb.connect(verify='ca.pem').",
            error,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return Failure(
            errors.ConnectionFailed, "the proxy does not lead there. Check proxy= or the "
            "environment variables HTTPS_PROXY and NO_PROXY.", error,
        )  # fmt: skip
    detail = visible(tenant.token.hide_in(_innermost(error)), 200)
    return Failure(
        errors.ConnectionFailed,
        f"the connection to {host} failed or broke ({detail}). Check the endpoint and the network.",
        error,
    )


def _is_unsent(error: BaseException) -> bool:
    """Whether there was not even a connection."""
    kinds = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.SSLError,
        requests.exceptions.ConnectTimeout,
        requests.exceptions.SSLError,
        ConnectionRefusedError,
    )
    return any(isinstance(inner, kinds) for inner in _inside(error))


def _inside(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it was made of, the outermost first."""
    while isinstance(error, BaseException):
        yield error
        error = getattr(error, "reason", None) or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )


def _innermost(error: BaseException) -> str:
    """Return what the deepest of the nested exceptions says, less the object that says it."""
    *_, inner = _inside(error)
    said = re.sub(r"^\w+\(host=.*?\): ", "", str(inner))
    return said or type(inner).__name__
