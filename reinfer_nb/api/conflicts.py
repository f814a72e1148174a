"""Errors that carry a source: somebody else was faster."""

from __future__ import annotations

from typing import Any

from reinfer_nb.errors import AnswerError, ReinferError
from reinfer_nb.schema.records import Source


class Moved(ReinferError):
    """A source is no longer what a change was made from; nothing was written.

    Attributes:
        base: The source as the change was made from it.
        theirs: The source as it is now.
    """

    def __init__(self, message: str, base: Source, theirs: Source) -> None:
        super().__init__(message)
        self.base = base
        self.theirs = theirs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.base, self.theirs), self.__dict__


class Conflict(AnswerError):
    """409: the name is taken; or, for anything but a create, something else is at work on it.

    Attributes:
        existing: The source that has the name, when it could be looked up.
    """

    existing: Source | None = None
