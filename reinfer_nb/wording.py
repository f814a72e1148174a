"""Advice in the words of its reader: Python's in a notebook, options in a shell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class _Reader:
    # Of the process, not of the context: threads of a command raise errors too.
    is_in_shell = False


@contextlib.contextmanager
def for_shell() -> Iterator[None]:
    """Context manager in which messages name options of `reinfer-nb` instead of arguments."""
    before, _Reader.is_in_shell = _Reader.is_in_shell, True
    try:
        yield
    finally:
        _Reader.is_in_shell = before


def spelled(python: str, shell: str) -> str:
    """Return the part of a message that depends on where it is read.

    >>> spelled("overwrite=True", "--overwrite")
    'overwrite=True'
    >>> with for_shell():
    ...     spelled("overwrite=True", "--overwrite")
    '--overwrite'

    Call this function when the message is made, not when the module is imported.

    Args:
        python: The words for a caller in Python.
        shell: The words for a user of the command line.
    """
    return shell if _Reader.is_in_shell else python
