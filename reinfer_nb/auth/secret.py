"""Secrets: texts that are sent, but never shown, logged, saved or copied."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from reinfer_nb.errors import NotPicklable
from reinfer_nb.wording import spelled

_Content = TypeVar("_Content", str, bytes)
# The origin of a token that a function returned, as messages show it.
BY_FUNCTION = "the function given"
# Minimum length of a token that is hidden in responses.
_LONG = 16


class Hidden(str):
    """A text that is sent as it is and shown as asterisks.

    Encoding it, as `http.client` does, gives the text. Formatting or printing it gives asterisks,
    and so does its `repr` in a traceback with local variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce__(self) -> NoReturn:
        raise NotPicklable("A secret cannot be pickled or copied. Pass it again where you need it.")


class Token:
    """An API token. Any given value is wrapped before it is checked, so that no error shows it.

    Args:
        given: The token, or an invalid value given as a token.
    """

    __slots__ = ("_reveal",)

    def __init__(self, given: object) -> None:
        # In a closure, so that neither `vars` nor a walk over attributes finds it. Patterns made of
        # it are not bound to names, since the `repr` of a pattern shows its text.
        self._reveal: Callable[[], Any] = lambda: given

    def flaw(self) -> str | None:
        """Return why the value is not a valid token, without showing it; None if it is valid."""
        given = self._reveal()
        if not isinstance(given, str) or not given:
            return "is not a text; a token is one word of printable characters."
        if not re.fullmatch(r"[!-~]{1,8192}", given):
            return (
                "holds a space, a line break or a character that no token has. Copy it again, "
                "without the text around it"
                + spelled(" (text.strip() removes line breaks at the ends).", ".")
            )
        return None

    @property
    def length(self) -> int:
        """The number of characters."""
        return len(self._reveal())

    @property
    def short_lived(self) -> bool:
        """True if it looks like an access token (a JWT), which is valid for a limited time."""
        return bool(re.fullmatch(r"eyJ[\w-]+(\.[\w-]+){2,4}", self._reveal()))

    def bearer(self) -> Hidden:
        """Return the value of the `Authorization` header."""
        # Not an f-string, since subclasses of `str` such as an Enum may format differently.
        return Hidden("Bearer " + self._reveal())

    def current(self) -> Token:
        """Return the token to send: this one."""
        return self

    def renewed(self, refused: Token) -> Token | None:  # noqa: ARG002 - used by `FunctionToken`
        """Return another token after the tenant refused one; None if there is no other."""
        return None

    def is_same(self, other: Token) -> bool:
        """True if another token has the same text."""
        return bool(self._reveal() == other._reveal())

    def twin(self) -> Token:
        """Return a new token object with the same text."""
        return Token(self._reveal())

    def hide_in(self, text: str) -> str:
        """Return `text` with every occurrence of the token replaced by asterisks."""
        if self._has_one_form():
            return text.replace(self._reveal(), "***")
        return re.sub(_any_form(self._reveal()), "***", text)

    def hide_echo(self, content: _Content) -> _Content:
        """Return a part of a response with every occurrence of the token replaced by asterisks.

        A short token is not replaced: no tenant issues one, and it may be an ordinary word.
        """
        if self.length < _LONG:
            return content
        if isinstance(content, str):
            return self.hide_in(content)
        if self._has_one_form():
            return content.replace(self._reveal().encode("ascii"), b"***")
        return re.sub(_any_form(self._reveal()).encode("ascii"), b"***", content)

    def _has_one_form(self) -> bool:
        return re.fullmatch(r"[\w.~-]*", self._reveal(), re.ASCII) is not None

    def __repr__(self) -> str:
        return "<token, hidden>"

    def __reduce__(self) -> NoReturn:
        raise NotPicklable("A token cannot be pickled or copied. Connect again where you need it.")


def _any_form(given: str) -> str:
    """Return a pattern that matches a token also as escaped in a URL, in JSON or in HTML."""
    return "".join(
        character
        if character.isalnum()
        else rf"(?:{re.escape(character)}|(?i:%{ord(character):02x}|\\u00{ord(character):02x}"
        rf"|&#{ord(character)};|&#x{ord(character):x};)|\\{re.escape(character)}"
        rf"|{re.escape(html.escape(character))})"
        for character in given
    )
