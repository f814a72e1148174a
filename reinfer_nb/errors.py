"""Everything the toolkit raises on purpose, as one tree under `ReinferError`.

A message says what happened and what to do next; it never holds a token.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings

from reinfer_nb.text import visible, visible_lines

_HERE = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared as text


class ReinferError(Exception):
    """The root of the tree: catch this one to catch them all.

    Attributes:
        in_doubt: What failed was to write, and may have been carried out all the same.
        tried_at: When the first attempt was sent that may have been carried out, by
            `time.monotonic`; None if that is not known.
    """

    in_doubt = False
    tried_at: float | None = None

    def __str__(self) -> str:
        # A message quotes texts of tenants, files and users, names of fields among them.
        return visible_lines(super().__str__())

    def __repr__(self) -> str:
        return visible(super().__repr__())

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: what happened and where in the user's own code it was.

        The way through the toolkit's inside says nothing to them.
        """
        lines = [f"{type(self).__name__}: {self}"]
        for frame in reversed(traceback.extract_tb(self.__traceback__)):
            if not frame.filename.startswith(_HERE):
                # Without the line itself, in which a token may stand.
                cell = "ipykernel" in frame.filename or frame.filename.startswith("<ipython")
                place = "the cell" if cell else frame.filename
                lines.append(f"  in line {frame.lineno} of {place}")
                break
        return lines


class ConfigurationError(ReinferError):
    """There is no usable endpoint and token, or what there is contradicts itself."""


class NotConfigured(ConfigurationError):
    """Nothing at all says which tenant to talk to."""


class InvalidInput(ReinferError, ValueError):
    """A name or value that cannot be right; nothing was sent and nothing was written."""


class NotPicklable(ReinferError, TypeError):
    """An object that holds a token; pickle and copy may not write it down or double it."""


class FileProblem(ReinferError, OSError):
    """A file that could not be read or written; what was there before is as it was."""


class ConnectionFailed(ReinferError):
    """The endpoint could not be reached, or the connection broke before the answer was whole."""


class Timeout(ConnectionFailed):
    """No connection, or no answer, within the time allowed."""


class Stopped(ReinferError):
    """A request that waited was stopped by whoever asked for it, and was not sent again."""


class ProtocolError(ReinferError):
    """An answer that no healthy tenant gives: not JSON, not the documented shape, a redirect."""


class NotCarriedOut(ProtocolError):
    """A tenant accepted a delete, and the source is still there; it may be deleted later."""

    in_doubt = True


class AnswerError(ReinferError):
    """The tenant said no.

    Attributes:
        status: The HTTP status of the answer.
        server_message: The `message` of the answer, as the tenant wrote it.
    """

    def __init__(self, message: str, status: int = 0, server_message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.server_message = server_message


class AuthenticationError(AnswerError):
    """401: the tenant does not know the token."""


class PermissionDenied(AnswerError):
    """403: the token's user lacks a permission."""


class NotFound(AnswerError):
    """404: no such source or project, or none that the token may see."""


class ValidationFailed(AnswerError):
    """400, 422 and other 4xx: the tenant understood the request and refuses its content."""


class RateLimited(AnswerError):
    """429: too many requests, and the wait asked for is longer than this client waits."""


class ServerError(AnswerError):
    """5xx or 408: the tenant, or a server in front of it, failed and kept failing."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn, and let the warning point at the line outside the toolkit that led here."""
    level = 1
    frame = sys._getframe()  # noqa: SLF001 - what `warnings` itself counts with
    while frame.f_back and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
        level += 1
    warnings.warn(visible_lines(message), category, stacklevel=level)


class UnreadableWarning(UserWarning):
    """Something in an answer could not be understood and is shown as missing."""


class MovedWarning(UserWarning):
    """Sources have changed since a plan was made; they are left alone."""


class NotTakenWarning(UserWarning):
    """A tenant accepted a create or an update, and left some of the fields as they were."""


class InDoubtWarning(UserWarning):
    """A write was accepted, and what became of it could not be verified.

    A source is as it was to be made, and may have been made by somebody else; or a tenant accepted
    a delete, and whether the source is gone could not be looked up.
    """


class RestoredWarning(UserWarning):
    """A source is there again with its settings, and not with its id and its comments."""


class InsecureWarning(UserWarning):
    """The client was told not to verify the endpoint's certificate."""
