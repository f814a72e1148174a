"""Errors that hold a source: it was changed by somebody else, or its name is taken."""

from __future__ import annotations

from typing import Any

from reinfer_nb.errors import AnswerError, ReinferError
from reinfer_nb.schema.records import Source


class Moved(ReinferError):
    """A source has changed since the version that a change is based on; nothing was written.

    Attributes:
        base: The source that the change is based on.
        theirs: The source as it is now.
    """

    def __init__(self, message: str, base: Source, theirs: Source) -> None:
        super().__init__(message)
        self.base = base
        self.theirs = theirs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.base, self.theirs), self.__dict__


class Conflict(AnswerError):
    """409: the name is taken; or, except for a create, another request is working on the source.

    Attributes:
        existing: The source that has the name; None if it could not be looked up.
    """

    existing: Source | None = None
