"""What a request to the sandbox may come to, beside being done."""

from __future__ import annotations


class Missing(LookupError):
    """There is no such thing, or none that the user sees."""


class Forbidden(PermissionError):
    """The user sees it and may not do that."""


class Taken(ValueError):
    """There is one already; the message names it."""


class Refused(ValueError):
    """The content cannot be stored; the message says why."""


class Unwritable(Exception):
    """The database could not be read or written; the message says why."""
