"""Answers at the border: what came back, and the error that an answer is when it is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from reinfer_nb import errors, strict_json
from reinfer_nb.api.conflicts import Conflict
from reinfer_nb.auth.secret import BY_FUNCTION
from reinfer_nb.schema import endpoints
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import shown, visible

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
class Answer:
    """A whole answer, and how it was come by.

    Attributes:
        call: What was asked.
        what: What it was asked about, such as "acme/support"; may be empty.
        endpoint: Whom.
        token_from: With which token, in words.
        status: HTTP status.
        headers: Headers, case-insensitive.
        body: The body, decompressed.
        attempts: How often it was asked, this time included.
        waited: Seconds from the first asking to this answer.
        in_doubt: An earlier attempt may have been carried out, and only its reply been lost.
        tried_at: When the first attempt was sent that may have been carried out, by
            `time.monotonic`.
        sent_at: When the attempt was sent that got this response.
        scrub: Takes the token out of a text, should the other side have echoed it.
        short_lived: The token is valid for a limited time, as far as its form tells.
    """

    call: Call
    what: str
    endpoint: str
    token_from: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: int = 1
    waited: float = 0.0
    in_doubt: bool = False
    tried_at: float | None = None
    sent_at: float = 0.0
    scrub: Callable[[str], str] = field(default=str, repr=False)
    short_lived: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def could_not(self) -> str:
        """Return the beginning of a message about this answer."""
        about = f" {self.what}" if self.what else ""
        tries = f" after {self.attempts} attempts in {self.waited:.0f} s" * (self.attempts > 1)
        return f"Could not {self.call.does}{about} at {self.endpoint}{tries}"

    def broken(self, reason: str) -> errors.ProtocolError:
        """Return the error for an answer that is not what the API documents."""
        problem = errors.ProtocolError(self._no_response_of_the_api(reason))
        problem.in_doubt = self.call.writes
        problem.tried_at = self.tried_at
        return problem

    def _no_response_of_the_api(self, reason: str) -> str:
        begin = self.scrub(self.body[:10_000].decode("utf-8", "replace"))
        kind = visible(self.scrub(self.headers.get("content-type", "none")), 80)
        return (
            f"{self.could_not()}: the answer (status {self.status}, content type {kind}) is "
            f"{self.scrub(reason)}. {self._check_endpoint()} It begins: "
            f"{visible(begin, 200) or '(nothing)'}"
        )

    def _check_endpoint(self) -> str:
        """Return what to check about the endpoint when the response is none of the API's."""
        advice = "Check that the endpoint is the tenant's and that no proxy answers in its place."
        if self.status >= 500:
            return advice
        hint = hint_at_base if _is_html(self.headers, self.body) else hint_at_missing_base
        return advice + hint(self.endpoint)

    def envelope(self, record: str = "") -> dict[str, Any]:
        """Return the answer's JSON object, of a successful answer.

        Args:
            record: A member in which `NaN` and `Infinity` are returned as `strict_json.NonFinite`.

        Raises:
            ReinferError: The answer is an error, or not what the API documents.
        """
        self.check_status()
        try:
            content = strict_json.decode(self.body, lenient=bool(record))
            others = content.items() if isinstance(content, dict) else ()
            strict_json.refuse_non_finite([value for name, value in others if name != record])
        except strict_json.Malformed as error:
            raise self.broken(str(error)) from None
        return self.check(content)

    def check_status(self) -> None:
        """Raise the error that the answer is by its status and content type, if it is one."""
        if not self.ok:
            raise self._error()
        if self.status == 206:
            raise self.broken("only a part of what was asked for")
        kind = self.headers.get("content-type", "application/json").partition(";")[0].strip()
        if kind.lower() != "application/json" and not kind.lower().endswith("+json"):
            raise self.broken("not JSON by its content type")

    def check(self, content: Any) -> dict[str, Any]:
        """Return the content of a successful answer, if its envelope says so too."""
        if not isinstance(content, dict):
            raise self.broken("no object")
        if content.get("status") != "ok":
            raise self.broken(f"a success that says status {shown(content.get('status'))}")
        return content

    def _error(self) -> errors.ReinferError:
        try:
            content = strict_json.decode(self.body)
        except strict_json.Malformed as error:
            content, reason = None, str(error)
        else:
            reason = "no error envelope"
        if not isinstance(content, dict) or content.get("status") != "error":
            if self.status >= 500 and not isinstance(content, dict):
                # A page or nothing at all: a server in front of the tenant has answered.
                problem: errors.AnswerError = errors.ServerError(
                    self._no_response_of_the_api(reason), self.status
                )
                problem.in_doubt = self.call.writes
                return problem
            if self.status not in (408, 429):
                return self.broken(reason)
            content = {}
        message = content.get("message")
        said = self.scrub(message) if isinstance(message, str) else ""
        default = errors.ServerError if self.status >= 500 else errors.ValidationFailed
        kind = _BY_STATUS.get(self.status, default)
        words = visible(said, 1000).rstrip(".")
        if not re.match(rf"{self.status}\b", words):
            # Many tenants begin the message with the status, as in "404 Not Found".
            words = f"{self.status}: {words}" if words else f"{self.status}"
        problem = kind(
            f"{self.could_not()}: {words}. {self._advice(kind)}",
            self.status,
            said,
        )
        problem.in_doubt = self.call.writes and (
            self.in_doubt or self.status >= 500 or self.status == 408
        )
        problem.tried_at = self.tried_at
        return problem

    def _advice(self, kind: type[errors.AnswerError]) -> str:
        if kind is errors.AuthenticationError and self.token_from == BY_FUNCTION:
            return _REFUSED_AGAIN
        if kind is errors.AuthenticationError and self._token_expires():
            return _EXPIRED.format(token_from=self.token_from)
        advice = _ADVICE_BY_CALL.get(kind, {}).get(self.call.id, _ADVICE[kind])
        advice = advice.format(token_from=self.token_from, permission=self.call.permission)
        if kind is errors.NotFound and advice in (_NO_TENANT, _NO_PROJECT):
            advice += hint_at_missing_base(self.endpoint)
        return advice

    def _token_expires(self) -> bool:
        """Whether the token is one of those that are valid for a limited time only."""
        challenge = self.headers.get("www-authenticate", "").lower()
        return self.short_lived or "expired" in challenge


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    begin = body[:100].lstrip().lower()
    return "html" in headers.get("content-type", "") or begin.startswith((b"<!doctype", b"<html"))


def hint_at_missing_base(endpoint: str) -> str:
    """Return `hint_at_base` for an endpoint that looks like a page of a tenant in the cloud."""
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
    "The tenant refuses the token ({token_from}), and an access token like this one is valid for "
    "a limited time: it has probably expired. Get a new one and connect again, or "
    "give a function that gets one whenever that is needed: "
    "rnb.connect(endpoint=..., token=get_token)."
)
_REFUSED_AGAIN = (
    "The tenant refuses the token that the function given as token= returned, also after the "
    "function was called once more. Check that it returns a token for this tenant, and a new one "
    "each time it is called."
)
_ADVICE: Mapping[type[errors.AnswerError], str] = {
    errors.AuthenticationError: (
        "The tenant does not know the token ({token_from}). A newer token of the same user may "
        "have replaced it, or the practice tenant that made it has ended. Make a new one on the "
        "tenant's page and connect again."
    ),
    errors.PermissionDenied: (
        'The token ({token_from}) lacks the permission "{permission}" there; client.me() shows '
        "those it has."
    ),
    errors.NotFound: "Check the name; what the token may not see is not found either.",
    Conflict: "Something else is at work on the same thing; try again in a while.",
    errors.RateLimited: "Wait a while before asking again, or ask for less at once.",
    errors.ServerError: "The fault is at the tenant; try again later.",
    errors.ValidationFailed: "The tenant refuses the request; its message says why.",
}
_NO_TENANT = "Every tenant has this page. Check that the endpoint is a tenant's."
_NO_PROJECT = "Check the project's name; a project that the token may not see is not found either."
_GONE = (
    "It is gone, or the token may not see it any more: client.sources(project) and client.me() "
    "show which."
)
_CHANGING = "Something else is changing the source; look at what it is now before you try again."
_LOOK_FIRST = "The fault is at the tenant. Look at the source before you try again."
_CHANGE_IT = "The tenant refuses what was asked; change it and try again."
# What to do where that depends on the call, by its id.
_ADVICE_BY_CALL: Mapping[type[errors.AnswerError], Mapping[str, str]] = {
    errors.PermissionDenied: {
        endpoints.ME.id: "The user of the token ({token_from}) may not log in; ask an "
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
        endpoints.GET_BY_ID.id: "Check the id; what the token may not see is not found either.",
        endpoints.CREATE.id: _NO_PROJECT,
        endpoints.UPDATE.id: f"Check the name. {_GONE}",
        endpoints.DELETE.id: _GONE,
    },
    Conflict: {
        endpoints.CREATE.id: "The name is taken; update what is there, or choose another name.",
        **dict.fromkeys((endpoints.UPDATE.id, endpoints.DELETE.id), _CHANGING),
    },
    errors.ServerError: dict.fromkeys(
        (endpoints.CREATE.id, endpoints.UPDATE.id, endpoints.DELETE.id), _LOOK_FIRST
    ),
    errors.ValidationFailed: dict.fromkeys((endpoints.CREATE.id, endpoints.UPDATE.id), _CHANGE_IT),
}
