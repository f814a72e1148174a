"""Secrets: values that are used and never shown, logged, saved or copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn


class Hidden(str):
    """A text that is sent as it is and shown as asterisks.

    What encodes it, as `http.client` does, gets the text; what formats, prints or represents it,
    as a traceback with local variables does, gets asterisks.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


class Token:
    """An API token.

    Args:
        text: The token.
    """

    __slots__ = ("_reveal",)

    def __init__(self, text: str) -> None:
        # In a closure, so that neither `vars` nor a walk over attributes meets it.
        self._reveal: Callable[[], str] = lambda: text

    def bearer(self) -> Hidden:
        """Return the value of the `Authorization` header."""
        return Hidden("Bearer " + self._reveal())

    def hide_in(self, text: str) -> str:
        """Return `text` with the token, should it be in there, replaced by asterisks."""
        return text.replace(self._reveal(), "***")

    def __repr__(self) -> str:
        return "<token, hidden>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled or copied; connect again where it is needed")
