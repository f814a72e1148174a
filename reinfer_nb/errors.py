"""The errors and warnings of the toolkit; all errors are `ReinferError`s.

A message says what happened and what to do next. It never contains a token.
"""

from __future__ import annotations

import os
import sys
import warnings

from reinfer_nb.text import visible, visible_lines

_HERE = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared as text


class ReinferError(Exception):
    """Base class of all errors of the toolkit.

    Attributes:
        in_doubt: True if a failed write may still have taken effect.
        tried_at: The `time.monotonic` at which the first attempt that may have taken effect was
            sent; None if unknown.
    """

    in_doubt = False
    tried_at: float | None = None

    def __str__(self) -> str:
        # Messages quote texts of tenants, files and users.
        return visible_lines(super().__str__())

    def __repr__(self) -> str:
        return visible(super().__repr__())

    def _render_traceback_(self) -> list[str]:
        """Return the short traceback that IPython shows: the message and the user's own line."""
        import traceback

        lines = [f"{type(self).__name__}: {self}"]
        for frame in reversed(traceback.extract_tb(self.__traceback__)):
            if not frame.filename.startswith(_HERE):
                # Without the text of the line, which may contain a token.
                cell = "ipykernel" in frame.filename or frame.filename.startswith("<ipython")
                place = "the cell" if cell else frame.filename
                lines.append(f"  in line {frame.lineno} of {place}")
                break
        return lines


class ConfigurationError(ReinferError):
    """Endpoint and token are missing, unusable or contradictory."""


class NotConfigured(ConfigurationError):
    """No tenant is configured at all."""


class InvalidInput(ReinferError, ValueError):
    """An argument is not valid. Nothing was sent or written."""


class NotPicklable(ReinferError, TypeError):
    """The object holds a token and can be neither pickled nor copied."""


class FileProblem(ReinferError, OSError):
    """A file could not be read or written. An existing file is unchanged."""


class ConnectionFailed(ReinferError):
    """The endpoint could not be reached, or the connection broke during the response."""


class Timeout(ConnectionFailed):
    """No connection or no response within the timeout."""


class Stopped(ReinferError):
    """The caller stopped a request while it waited; it was not retried."""


class ProtocolError(ReinferError):
    """The response is not one of the API: not JSON, of another structure, or a redirect."""


class NotCarriedOut(ProtocolError):
    """The tenant accepted a delete, but the source still exists; it may be deleted later."""

    in_doubt = True


class AnswerError(ReinferError):
    """The tenant responded with an error.

    Attributes:
        status: The HTTP status of the response.
        server_message: The `message` of the response, unchanged.
    """

    def __init__(self, message: str, status: int = 0, server_message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.server_message = server_message


class AuthenticationError(AnswerError):
    """401: the tenant does not accept the token."""


class PermissionDenied(AnswerError):
    """403: the token's user does not have a permission."""


class NotFound(AnswerError):
    """404: the source or project does not exist, or the token may not see it."""


class ValidationFailed(AnswerError):
    """400, 422 and other 4xx: the tenant refused the content of the request."""


class RateLimited(AnswerError):
    """429: too many requests, and the requested wait is longer than the client's limit."""


class ServerError(AnswerError):
    """5xx or 408: the tenant, or a server in front of it, failed in every attempt."""


def reason_of(error: Exception) -> str:
    """Return why a call of Python or of the system failed, for a message; without a full stop."""
    reason = error.strerror if isinstance(error, OSError) else None
    return visible(reason or str(error) or type(error).__name__, 300).rstrip(".")


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning that points at the line that called the toolkit."""
    level = 1
    frame = sys._getframe()  # noqa: SLF001 - as `warnings` counts levels
    while frame.f_back and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
        level += 1
    warnings.warn(visible_lines(message), category, stacklevel=level)


class UnreadableWarning(UserWarning):
    """A value in a response could not be read and is shown as missing."""


class MovedWarning(UserWarning):
    """Sources were changed remotely since the plan was made; they are left unchanged."""


class NotTakenWarning(UserWarning):
    """The tenant accepted a create or an update, but did not change some of the fields."""


class InDoubtWarning(UserWarning):
    """The outcome of a write could not be verified.

    A source has the settings of a create whose response was lost, but somebody else may have
    created it; or the tenant accepted a delete, and the look-up of the source failed.
    """


class RestoredWarning(UserWarning):
    """A source was created again with its settings, but with another id and without comments."""


class InsecureWarning(UserWarning):
    """The client does not verify the endpoint's certificate, as requested."""
