"""Why a request got no response: exceptions of libraries in words, without the request."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Iterator
from http.client import BadStatusLine
from urllib.parse import urlsplit

import requests
import urllib3
from urllib3.exceptions import HTTPError

from reinfer_nb import errors
from reinfer_nb.api.responses import Response
from reinfer_nb.auth.tenant import Tenant
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled

# A response must be complete within so many times the read time-out.
TOTAL = 10
# OpenSSL's reasons for bytes that are not TLS.
_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}
_OWN_CA = (
    "it is signed by a CA that this machine does not trust. If your organisation has its own CA, "
    "give the path of its bundle: {bundle}."
)
_OTHER_NAME = (
    "it is for another host name. Check the host in the endpoint, and whether a proxy answers in "
    "its place."
)
# By OpenSSL's codes, for which Python has no names.
_UNVERIFIED = {
    2: _OWN_CA,
    9: "it is not valid yet. Check the clock of this machine.",
    10: "it has expired. Check the clock of this machine. If it is right, whoever runs the "
    "endpoint must renew the certificate.",
    18: _OWN_CA,
    19: _OWN_CA,
    20: _OWN_CA,
    21: _OWN_CA,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

_MAY_BE_HTTPS = " If the server uses HTTPS, begin the endpoint with https://."


class TooLong(TimeoutError):
    """A response was still arriving at the deadline for complete responses."""


def mark_unsent(error: Exception) -> None:
    """Mark an exception as raised before anything was sent."""
    vars(error)["unsent"] = True


class Failure:
    """Why a request got no response, without the request that a library's exception holds.

    Attributes:
        kind: The class of the error to raise.
        reason: The reason in words.
        sent: True if there was a connection, so that the request may have taken effect.
        retryable: True if another attempt may help.
    """

    def __init__(
        self,
        kind: type[errors.ConnectionFailed],
        reason: str,
        error: Exception,
        *,
        retryable: bool | None = None,
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.sent = not _is_unsent(error)
        # A library that rejects a setting, such as a missing file, would reject it again.
        self.retryable = (
            not isinstance(error, ValueError)
            and isinstance(
                error, requests.RequestException | HTTPError | ConnectionError | TimeoutError
            )
            if retryable is None
            else retryable
        )


def failure_of(error: Exception, tenant: Tenant, timeout: tuple[float, float]) -> Failure:
    """Return why a request got no response.

    Args:
        error: The exception of a library.
        tenant: The tenant of the request.
        timeout: Seconds for connecting and for reading.
    """
    if isinstance(error, ImportError):
        detail = "this process is ending" if sys.is_finalizing() else errors.reason_of(error)
        reason = f"a module that the request needs could not be imported ({detail})."
        return Failure(errors.ConnectionFailed, reason, error, retryable=False)
    host = urlsplit(tenant.endpoint).netloc
    timed_out = _timed_out(error, host, timeout)
    if timed_out is not None:
        return Failure(errors.Timeout, timed_out, error, retryable=True)
    if any(isinstance(inner, urllib3.exceptions.EmptyPoolError) for inner in _inside(error)):
        return Failure(
            errors.Timeout,
            "all connections of this client have been in use for two minutes. Send fewer requests "
            "at once, or use several clients.",
            error,
            retryable=False,
        )
    if _is_unsent(error):
        for inner in _inside(error):
            if isinstance(inner, ssl.SSLError):
                reason, retryable = _without_tls(inner, host)
                return Failure(errors.ConnectionFailed, reason, error, retryable=retryable)
    if isinstance(error, requests.exceptions.ProxyError):
        return Failure(
            errors.ConnectionFailed,
            f"the connection through the proxy failed. Check {spelled('proxy= or ', '')}the "
            "environment variables HTTPS_PROXY and NO_PROXY.",
            error,
        )
    detail = visible(tenant.token.hide_in(_innermost(error)), 200)
    return Failure(
        errors.ConnectionFailed,
        f"the connection to {host} failed or broke ({detail}). Check the endpoint and the network."
        f"{_MAY_BE_HTTPS if _may_be_https(error, tenant) else ''}",
        error,
    )


def _may_be_https(error: Exception, tenant: Tenant) -> bool:
    """True if the server may have ended an http request because it expects https."""
    # A connection that breaks within the body raises an exception of urllib3 itself.
    return (
        urlsplit(tenant.endpoint).scheme == "http"
        and isinstance(error, requests.exceptions.ConnectionError)
        and any(
            isinstance(inner, ConnectionResetError | BrokenPipeError | BadStatusLine)
            for inner in _inside(error)
        )
    )


def _timed_out(error: Exception, host: str, timeout: tuple[float, float]) -> str | None:
    """Return what did not happen in time; None if the failure is not a time-out."""
    connect, read = timeout
    longer = spelled(
        "To wait longer, use timeout=(connect, read) of rnb.connect.", "Try again later."
    )
    if any(isinstance(inner, TooLong) for inner in _inside(error)):
        return (
            f"the response from {host} was still arriving, and not complete within "
            f"{TOTAL * read:g} s, ten times the read time-out. {longer}"
        )
    if isinstance(
        error, requests.exceptions.ConnectTimeout | urllib3.exceptions.ConnectTimeoutError
    ):
        return f"no connection to {host} within {connect:g} s. Check the network. {longer}"
    kinds = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    if not isinstance(error, kinds) and "timed out" not in str(error):
        return None
    if _is_unsent(error):
        return (
            f"the TLS handshake with {host}, or the connection through the proxy, was not complete "
            f"within {connect:g} s. Check the network. {longer}"
        )
    return f"no response from {host} within {read:g} s. {longer}"


def _without_tls(error: ssl.SSLError, host: str) -> tuple[str, bool]:
    """Return why no TLS connection was made, and True if another attempt may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _UNVERIFIED.get(error.verify_code, f"{visible(error.verify_message, 200)}.")
        if reason is _OWN_CA:
            reason = reason.format(
                bundle=spelled("rnb.connect(verify='ca.pem')", "REQUESTS_CA_BUNDLE=ca.pem")
            )
        return f"the certificate of {host} does not verify: {reason}", False
    if error.library == "X509":
        place = spelled("verify= or the environment", "the environment")
        return (
            f"the CA bundle from {place} holds no certificates. Check the file.",
            False,
        )
    if error.reason in _NO_TLS:
        advice = "Check the port in the endpoint. It may be a port for plain http."
        return f"{host} does not speak TLS. {advice}", False
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    detail = visible(error.reason or str(error), 200)
    return f"the TLS handshake with {host} failed ({detail}).", ended


def _is_unsent(error: BaseException) -> bool:
    """True if no connection was made, so that nothing was sent."""
    kinds = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.EmptyPoolError,
        requests.exceptions.ConnectTimeout,
        ConnectionRefusedError,
    )
    return any(
        isinstance(inner, kinds) or getattr(inner, "unsent", False) for inner in _inside(error)
    )


def _inside(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and the exceptions inside it or that caused it, the outermost first."""
    while isinstance(error, BaseException):
        yield error
        error = _inner(error) or error.__cause__


def _inner(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return next((arg for arg in error.args if isinstance(arg, BaseException)), None)


def _innermost(error: BaseException) -> str:
    """Return the message of the innermost exception, without the repr of its connection."""
    while (inner := _inner(error)) is not None:
        error = inner
    message = re.sub(r"^\w+\(host=.*?\): ", "", str(error))
    return message or type(error).__name__


def stopped(
    call: Call,
    subject: str,
    tenant: Tenant,
    outcome: Response | Failure | None = None,
    doubt_since: float | None = None,
) -> errors.Stopped:
    """Return the error for a request whose wait was stopped.

    Args:
        call: The call to send.
        subject: What the call is about; may be empty.
        tenant: The tenant of the request.
        outcome: The outcome of the last attempt; None if there was none.
        doubt_since: When the first attempt that may have taken effect was sent.
    """
    about = f" {subject}" if subject else ""
    reason, again = "the tenant asked to wait", ""
    if isinstance(outcome, Failure):
        reason, again = f"an attempt failed ({outcome.reason.rstrip('.')})", " again"
    elif outcome is not None and outcome.status != 429:
        reason, again = f"the response to an attempt had status {outcome.status}", " again"
    error = errors.Stopped(
        f"Could not {call.does}{about} at {tenant.endpoint}: {reason}, and the request was stopped "
        f"before it was sent{again}."
    )
    error.in_doubt = call.writes and doubt_since is not None
    error.tried_at = doubt_since
    return error
