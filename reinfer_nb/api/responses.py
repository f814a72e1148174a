"""Responses of a tenant, and the errors and advice for responses that report a failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from reinfer_nb import errors, strict_json
from reinfer_nb.api.conflicts import Conflict
from reinfer_nb.api.tenant_clock import Instant
from reinfer_nb.auth.secret import BY_FUNCTION
from reinfer_nb.schema import endpoints
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import shown, visible
from reinfer_nb.wording import spelled

_Content = TypeVar("_Content")
_BY_STATUS: Mapping[int, type[errors.AnswerError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    408: errors.ServerError,
    409: Conflict,
    429: errors.RateLimited,
}
# Hosts of the vendor's cloud, on which an endpoint has a path.
_CLOUD = re.compile(r"\.uipath\.(com|us)$")


@dataclass(frozen=True)
class Response:
    """A complete response to a call.

    Attributes:
        call: The call.
        subject: What the call is about, such as "acme/support"; may be empty.
        endpoint: The base URL of the tenant.
        token_from: Where the token is from, in words.
        sent: When the request was sent that got this response.
        status: HTTP status.
        headers: Headers, case-insensitive.
        body: The body, decompressed.
        attempts: Number of attempts, including the one that got this response.
        waited: Seconds from the first attempt to this response.
        in_doubt: True if an earlier attempt may have taken effect and lost its response.
        tried_at: When the first attempt that may have taken effect was sent, by `time.monotonic`.
        scrub: Removes the token from a text, in case the tenant echoed it.
        short_lived: True if the token's format shows that it is valid for a limited time.
    """

    call: Call
    subject: str
    endpoint: str
    token_from: str
    sent: Instant
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: int = 1
    waited: float = 0.0
    in_doubt: bool = False
    tried_at: float | None = None
    scrub: Callable[[str], str] = field(default=str, repr=False)
    short_lived: bool = False

    @property
    def ok(self) -> bool:
        """True if the status is 2xx."""
        return 200 <= self.status < 300

    def could_not(self) -> str:
        """Return the beginning of an error message about this response."""
        about = f" {self.subject}" if self.subject else ""
        tries = f" after {self.attempts} attempts in {self.waited:.0f} s" * (self.attempts > 1)
        return f"Could not {self.call.does}{about} at {self.endpoint}{tries}"

    def broken(self, reason: str) -> errors.ProtocolError:
        """Return the error for a response that does not follow the API's documentation."""
        error = errors.ProtocolError(self._malformed(reason))
        error.in_doubt = self.call.writes
        error.tried_at = self.tried_at
        return error

    def _malformed(self, reason: str) -> str:
        beginning = self.scrub(self.body[:10_000].decode("utf-8", "replace"))
        content_type = visible(self.scrub(self.headers.get("content-type", "none")), 80)
        return (
            f"{self.could_not()}: the response (status {self.status}, content type {content_type}) "
            f"is {self.scrub(reason)}. {self._endpoint_advice()} The response begins: "
            f"{visible(beginning, 200) or '(empty)'}"
        )

    def _endpoint_advice(self) -> str:
        """Return what to check about the endpoint if the response is not from the API."""
        advice = "Check that the endpoint is the tenant's and that no proxy answers in its place."
        if self.status >= 500:
            return advice
        hint = hint_at_base if _is_html(self.headers, self.body) else hint_at_missing_base
        return advice + hint(self.endpoint)

    def envelope(self, record: str = "") -> dict[str, Any]:
        """Return the JSON object of a successful response.

        Args:
            record: A member in which `NaN` and `Infinity` are returned as `strict_json.NonFinite`.

        Raises:
            ReinferError: The response is an error, or not as documented.
        """

        def parse(body: bytes) -> tuple[Any, None]:
            content = strict_json.decode(body, lenient=bool(record))
            others = content.items() if isinstance(content, dict) else ()
            strict_json.refuse_non_finite([value for name, value in others if name != record])
            return content, None

        return self.parsed(parse)[0]

    def parsed(
        self, parse: Callable[[bytes], tuple[Any, _Content]]
    ) -> tuple[dict[str, Any], _Content]:
        """Return the parsed body of a successful response.

        Args:
            parse: Returns the JSON object of a body, and further content.

        Raises:
            ReinferError: The response is an error, or not as documented.
        """
        if not self.ok:
            raise self._error()
        if self.status == 206:
            raise self.broken("incomplete")
        content_type = self.headers.get("content-type", "application/json").lower()
        media_type = content_type.partition(";")[0].strip()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise self.broken("not JSON by its content type")
        try:
            envelope, content = parse(self.body)
        except strict_json.Malformed as error:
            raise self.broken(str(error)) from None
        if not isinstance(envelope, dict):
            raise self.broken("not a JSON object")
        if envelope.get("status") != "ok":
            raise self.broken(
                f"not a success: its JSON has the status {shown(envelope.get('status'))}"
            )
        return envelope, content

    def _error(self) -> errors.ReinferError:
        try:
            content = strict_json.decode(self.body)
        except strict_json.Malformed as malformed:
            content, reason = None, str(malformed)
        else:
            reason = "not an error as the API documents it"
        if not isinstance(content, dict) or content.get("status") != "error":
            if self.status >= 500 and not isinstance(content, dict):
                # A page or an empty body: the response is from a server in front of the tenant.
                error: errors.AnswerError = errors.ServerError(self._malformed(reason), self.status)
                error.in_doubt = self.call.writes
                return error
            if self.status not in (408, 429):
                return self.broken(reason)
            content = {}
        message = content.get("message")
        server_message = self.scrub(message) if isinstance(message, str) else ""
        default = errors.ServerError if self.status >= 500 else errors.ValidationFailed
        kind = _BY_STATUS.get(self.status, default)
        words = visible(server_message, 1000).rstrip(".")
        if not re.match(rf"{self.status}\b", words):
            # Many tenants begin the message with the status, as in "404 Not Found".
            words = f"{self.status}: {words}" if words else f"{self.status}"
        error = kind(
            f"{self.could_not()}: {words}. {self._advice(kind)}", self.status, server_message
        )
        error.in_doubt = self.call.writes and (
            self.in_doubt or self.status >= 500 or self.status == 408
        )
        error.tried_at = self.tried_at
        return error

    def _advice(self, kind: type[errors.AnswerError]) -> str:
        if kind is errors.AuthenticationError and self.token_from == BY_FUNCTION:
            return _REJECTED_AGAIN
        if kind is errors.AuthenticationError and self._token_expires():
            renewed = spelled(_RENEWED, "Set a new token and run the command again.")
            return f"{_EXPIRED.format(token_from=self.token_from)} {renewed}"
        advice = _ADVICE_BY_CALL.get(kind, {}).get(self.call.id, _ADVICE[kind])
        advice = advice.format(
            token_from=self.token_from,
            permission=self.call.permission,
            permissions=spelled(
                "client.me() shows its permissions.", "An administrator of the tenant can grant it."
            ),
            sources=spelled(
                "client.sources(project) and client.me() show which",
                "reinfer-nb list shows the sources that it may see",
            ),
        )
        if kind is errors.NotFound and advice in (_NO_TENANT, _NO_PROJECT):
            advice += hint_at_missing_base(self.endpoint)
        return advice

    def _token_expires(self) -> bool:
        """True if the token is valid for a limited time only."""
        challenge = self.headers.get("www-authenticate", "").lower()
        return self.short_lived or "expired" in challenge


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    begin = body[:100].lstrip().lower()
    return "html" in headers.get("content-type", "") or begin.startswith((b"<!doctype", b"<html"))


def hint_at_missing_base(endpoint: str) -> str:
    """Return `hint_at_base` if the endpoint looks like a page of a tenant in the cloud; else ""."""
    host, path = urlsplit(endpoint).hostname or "", urlsplit(endpoint).path.strip("/")
    return hint_at_base(endpoint) if path or _CLOUD.search(host) else ""


def hint_at_base(endpoint: str) -> str:
    """Return a sentence about the base URL if an endpoint may be a page of the tenant; else ""."""
    scheme, netloc, path, _, _ = urlsplit(endpoint)
    folders = path.strip("/").split("/")
    if folders[-1] == "reinfer_":
        return ""
    tenant = folders[:2] if len(folders) > 1 else ["<org>", "<tenant>"]
    base = urlunsplit((scheme, netloc, "/".join([*tenant, "reinfer_"]), "", ""))
    return f" The address of the API in UiPath's cloud ends in /reinfer_, such as {base}."


_EXPIRED = (
    "The tenant rejected the token ({token_from}). Access tokens like this one are valid for a "
    "limited time, so it has probably expired."
)
_RENEWED = (
    "Connect again with a new token, or with a function that gets one when needed: "
    "rnb.connect(endpoint=..., token=get_token)."
)
_REJECTED_AGAIN = (
    "The tenant rejected the token that the function given as token= returned, also after the "
    "function was called once more. Check that it returns a token for this tenant, and a new one "
    "each time it is called."
)
_ADVICE: Mapping[type[errors.AnswerError], str] = {
    errors.AuthenticationError: (
        "The tenant does not know the token ({token_from}). A newer token of the same user may "
        "have replaced it, or the practice tenant that made it has ended. Make a new token on the "
        "tenant's page and connect again."
    ),
    errors.PermissionDenied: (
        'The token ({token_from}) lacks the permission "{permission}" there. {permissions}'
    ),
    errors.NotFound: "Check the name. A source that the token may not see is not found either.",
    Conflict: "Another request is working on the same object. Try again later.",
    errors.RateLimited: "Wait before you try again, or send fewer requests at once.",
    errors.ServerError: "The tenant reported an internal error. Try again later.",
    errors.ValidationFailed: "The tenant rejected the request. Its message says why.",
}
_NO_TENANT = "Every tenant serves this path. Check that the endpoint is a tenant's."
_NO_PROJECT = "Check the project's name. A project that the token may not see is not found either."
_NO_SOURCE = "The source does not exist any more, or the token may not see it any more: {sources}."
_CHANGING = "Another request is changing the source. Check the source before you try again."
_CHECK_FIRST = "The tenant reported an internal error. Check the source before you try again."
_REJECTED = "The tenant rejected these settings. Change them and try again."
# Advice that depends on the call, by its id.
_ADVICE_BY_CALL: Mapping[type[errors.AnswerError], Mapping[str, str]] = {
    errors.PermissionDenied: {
        endpoints.ME.id: "The user of the token ({token_from}) may not log in. Ask an "
        "administrator of the tenant.",
    },
    errors.NotFound: {
        **dict.fromkeys(
            (
                call.id
                for call in vars(endpoints).values()
                if isinstance(call, Call) and "{" not in call.path
            ),
            _NO_TENANT,
        ),
        endpoints.LIST_PROJECT.id: _NO_PROJECT,
        endpoints.GET_BY_ID.id: "Check the id. A source that the token may not see is not found "
        "either.",
        endpoints.COMMENT.id: "The source has no comment with this id.",
        endpoints.CREATE.id: _NO_PROJECT,
        endpoints.UPDATE.id: f"Check the name. {_NO_SOURCE}",
        endpoints.DELETE.id: _NO_SOURCE,
    },
    Conflict: {
        endpoints.CREATE.id: "The name is taken. Update the existing source, or choose another "
        "name.",
        **dict.fromkeys((endpoints.UPDATE.id, endpoints.DELETE.id), _CHANGING),
    },
    errors.ServerError: dict.fromkeys(
        (endpoints.CREATE.id, endpoints.UPDATE.id, endpoints.DELETE.id), _CHECK_FIRST
    ),
    errors.ValidationFailed: dict.fromkeys((endpoints.CREATE.id, endpoints.UPDATE.id), _REJECTED),
}
