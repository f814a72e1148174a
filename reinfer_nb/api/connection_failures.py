"""Why a request got no answer: exceptions of libraries in words, without the request inside."""

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
from reinfer_nb.api.responses import Answer
from reinfer_nb.auth.tenant import Tenant
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import visible

# A response has to be complete after so many times the read time-out.
TOTAL = 10
# OpenSSL's reasons for bytes that are no TLS at all.
_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}
_OWN_CA = (
    "it is signed by a CA that this machine does not trust. If your organisation has a CA of its "
    "own, give the path of its bundle: rnb.connect(verify='ca.pem')."
)
_OTHER_NAME = (
    "it is made out to another name. Check the host in the endpoint, and whether a proxy answers "
    "in its place."
)
# By OpenSSL's codes, which Python hands on and does not name.
_UNVERIFIED = {
    2: _OWN_CA,
    9: "it is not valid yet. Check the clock of this machine.",
    10: "it has expired. Check the clock of this machine; if it is right, whoever runs the "
    "endpoint has to renew the certificate.",
    18: _OWN_CA,
    19: _OWN_CA,
    20: _OWN_CA,
    21: _OWN_CA,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

_MAY_BE_HTTPS = " If the server speaks https there, begin the endpoint with https://."


class TooLong(TimeoutError):
    """A response kept coming, and was not complete in the time that a whole one may take."""


def mark_unsent(error: Exception) -> None:
    """Note in an exception that it came up before anything was sent."""
    vars(error)["unsent"] = True


class Failure:
    """Why there was no answer, without the request that a library's exception carries.

    Attributes:
        kind: The error that it becomes.
        reason: In words.
        sent: Whether there was a connection, so that it may have been carried out.
        passing: Whether another attempt may help.
    """

    def __init__(
        self,
        kind: type[errors.ConnectionFailed],
        reason: str,
        error: Exception,
        *,
        passing: bool | None = None,
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.sent = not _is_unsent(error)
        # What a library refuses by itself, an odd proxy or a missing file, it refuses again.
        self.passing = (
            not isinstance(error, ValueError)
            and isinstance(
                error, requests.RequestException | HTTPError | ConnectionError | TimeoutError
            )
            if passing is None
            else passing
        )


def failure_of(error: Exception, tenant: Tenant, timeout: tuple[float, float]) -> Failure:
    """Return why there was no answer.

    Args:
        error: What a library raised.
        tenant: Whom it was about.
        timeout: Seconds for connecting and for reading.
    """
    if isinstance(error, ImportError):
        why = "this process is ending" if sys.is_finalizing() else visible(str(error), 200)
        reason = f"what the request needs could not be imported ({why})."
        return Failure(errors.ConnectionFailed, reason, error, passing=False)
    host = urlsplit(tenant.endpoint).netloc
    timed_out = _timed_out(error, host, timeout)
    if timed_out is not None:
        return Failure(errors.Timeout, timed_out, error, passing=True)
    if any(isinstance(inner, urllib3.exceptions.EmptyPoolError) for inner in _inside(error)):
        return Failure(
            errors.Timeout,
            "all connections of this client have been in use for two minutes. Ask for less at "
            "once, or make a client for each part of the work.",
            error,
            passing=False,
        )
    if _is_unsent(error):
        for inner in _inside(error):
            if isinstance(inner, ssl.SSLError):
                reason, passing = _without_tls(inner, host)
                return Failure(errors.ConnectionFailed, reason, error, passing=passing)
    if isinstance(error, requests.exceptions.ProxyError):
        return Failure(
            errors.ConnectionFailed, "the proxy does not lead there. Check proxy= or the "
            "environment variables HTTPS_PROXY and NO_PROXY.", error,
        )  # fmt: skip
    detail = visible(tenant.token.hide_in(_innermost(error)), 200)
    return Failure(
        errors.ConnectionFailed,
        f"the connection to {host} failed or broke ({detail}). Check the endpoint and the network."
        f"{_MAY_BE_HTTPS if _may_be_https(error, tenant) else ''}",
        error,
    )


def _may_be_https(error: Exception, tenant: Tenant) -> bool:
    """Whether a server that speaks https would have ended a plain http request like that."""
    # What breaks within the body comes from urllib3 itself.
    return (
        urlsplit(tenant.endpoint).scheme == "http"
        and isinstance(error, requests.exceptions.ConnectionError)
        and any(
            isinstance(inner, ConnectionResetError | BrokenPipeError | BadStatusLine)
            for inner in _inside(error)
        )
    )


def _timed_out(error: Exception, host: str, timeout: tuple[float, float]) -> str | None:
    """Return what did not happen in time; None if the failure is another one."""
    connect, read = timeout
    longer = "A longer wait is timeout=(connect, read) of rnb.connect."
    if any(isinstance(inner, TooLong) for inner in _inside(error)):
        return (
            f"the answer from {host} kept coming, and was not complete within {TOTAL * read:g} s, "
            f"ten times the read time-out. {longer}"
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
            f"the connection to {host} was made, and its TLS handshake or the way through the "
            f"proxy did not end within {connect:g} s. Check the network. {longer}"
        )
    return f"no answer from {host} within {read:g} s. {longer}"


def _without_tls(error: ssl.SSLError, host: str) -> tuple[str, bool]:
    """Return why no TLS connection was made, and whether another attempt may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _UNVERIFIED.get(error.verify_code, f"{visible(error.verify_message, 200)}.")
        return f"the certificate of {host} does not verify: {reason}", False
    if error.library == "X509":
        return "the CA bundle given as verify= or by the environment holds no certificates.", False
    if error.reason in _NO_TLS:
        advice = "Check the port in the endpoint, and whether it is one for plain http."
        return f"{host} does not speak TLS. {advice}", False
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    detail = visible(error.reason or str(error), 200)
    return f"the TLS handshake with {host} failed ({detail}).", ended


def _is_unsent(error: BaseException) -> bool:
    """Whether there was not even a connection."""
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
    """Yield an exception and those that it was made of or raised from, the outermost first."""
    while isinstance(error, BaseException):
        yield error
        error = _made_of(error) or error.__cause__


def _made_of(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return next((arg for arg in error.args if isinstance(arg, BaseException)), None)


def _innermost(error: BaseException) -> str:
    """Return what the deepest of the nested exceptions says, less the object that says it."""
    while (inner := _made_of(error)) is not None:
        error = inner
    message = re.sub(r"^\w+\(host=.*?\): ", "", str(error))
    return message or type(error).__name__


def stopped(
    call: Call,
    what: str,
    tenant: Tenant,
    outcome: Answer | Failure | None = None,
    first: float | None = None,
) -> errors.Stopped:
    """Return the error for a request whose wait was stopped.

    Args:
        call: What was to be sent.
        what: What it is about; may be empty.
        tenant: Where to.
        outcome: What the last attempt brought; None if there was none.
        first: When the first attempt was sent that may have been carried out.
    """
    about = f" {what}" if what else ""
    reason, again = "the tenant asked to wait", ""
    if isinstance(outcome, Failure):
        reason, again = f"an attempt failed ({outcome.reason.rstrip('.')})", " again"
    elif outcome is not None and outcome.status != 429:
        reason, again = f"the response to an attempt had status {outcome.status}", " again"
    error = errors.Stopped(
        f"Could not {call.does}{about} at {tenant.endpoint}: {reason}, and it was stopped before "
        f"it was sent{again}."
    )
    error.in_doubt = call.writes and first is not None
    error.tried_at = first
    return error
