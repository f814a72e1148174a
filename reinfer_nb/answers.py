"""Answers at the border: what came back, and the error that an answer is when it is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reinfer_nb import errors, wire
from reinfer_nb.operations import Call
from reinfer_nb.text import shown, visible

_BY_STATUS: Mapping[int, type[errors.AnswerError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.RateLimited,
}


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
        scrub: Takes the token out of a text, should the other side have echoed it.
    """

    call: Call
    what: str
    endpoint: str
    token_from: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    attempts: int = 1
    waited: float = 0.0
    in_doubt: bool = False
    scrub: Callable[[str], str] = field(default=str, repr=False)

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
        begin = self.scrub(self.body[:10_000].decode("utf-8", "replace"))
        kind = visible(self.scrub(self.headers.get("content-type", "none")), 80)
        problem = errors.ProtocolError(
            f"{self.could_not()}: the answer (status {self.status}, content type {kind}) is "
            f"{self.scrub(reason)}. Check that the endpoint is "
            f"the tenant's and that no proxy answers in its place. It begins: "
            f"{visible(begin, 200) or '(nothing)'}"
        )
        problem.in_doubt = self.call.writes
        return problem

    def envelope(self) -> dict[str, Any]:
        """Return the answer's JSON object, of a successful answer.

        Raises:
            ReinferError: The answer is an error, or not what the API documents.
        """
        self.check_status()
        try:
            content = wire.decode(self.body)
        except wire.Malformed as error:
            raise self.broken(str(error)) from None
        return self.check(content)

    def check_status(self) -> None:
        """Raise the error that the answer is by its status and content type, if it is one."""
        if not self.ok:
            raise self._error()
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
            content = wire.decode(self.body)
        except wire.Malformed as error:
            content, reason = None, str(error)
        else:
            reason = "no error envelope"
        if not isinstance(content, dict) or content.get("status") != "error":
            if self.status != 429:
                return self.broken(reason)
            content = {}
        message = content.get("message")
        said = self.scrub(message) if isinstance(message, str) else ""
        default = errors.ServerError if self.status >= 500 else errors.ValidationFailed
        kind = _BY_STATUS.get(self.status, default)
        heard = f": {visible(said, 1000).rstrip(chr(46))}" if said else ""
        problem = kind(
            f"{self.could_not()}: {self.status}{heard}. {self._advice(kind)}",
            self.status,
            said,
        )
        problem.in_doubt = self.call.writes and (self.in_doubt or self.status >= 500)
        return problem

    def _advice(self, kind: type[errors.AnswerError]) -> str:
        advice = _ADVICE.get(kind, "The tenant refuses what was asked; change it and try again.")
        return advice.format(token_from=self.token_from, permission=self.call.permission)


_ADVICE: Mapping[type[errors.AnswerError], str] = {
    errors.AuthenticationError: (
        "The tenant does not know the token ({token_from}). Only the newest token of a user is "
        "valid; make one on the tenant's page and connect again."
    ),
    errors.PermissionDenied: (
        'The token ({token_from}) lacks the permission "{permission}" there; client.me() shows '
        "those it has."
    ),
    errors.NotFound: "Check the name; what the token may not see is not found either.",
    errors.Conflict: "The name is taken; update what is there, or choose another name.",
    errors.RateLimited: "Wait a while before asking again, or ask for less at once.",
    errors.ServerError: "The fault is at the tenant; try again later.",
}
