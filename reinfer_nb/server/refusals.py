"""Errors of the sandbox's store, which become error responses."""

from __future__ import annotations


class Missing(LookupError):
    """There is no such object, or the user may not see it."""


class Forbidden(PermissionError):
    """The user may see the object, but not do this."""


class Taken(ValueError):
    """There is an object of this name already; the message names it."""


class Refused(ValueError):
    """The content cannot be stored; the message says why."""


class Unwritable(Exception):
    """The database could not be read or written; the message says why."""
