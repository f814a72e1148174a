"""Secrets: values that are used and never shown, logged, saved or copied."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from reinfer_nb.errors import NotPicklable

_Content = TypeVar("_Content", str, bytes)
# Where a token came from, for a person, if a function returned it.
BY_FUNCTION = "the function given"
# Characters from which on a token is taken for one wherever it stands.
_LONG = 16


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
        raise NotPicklable("A secret is not pickled or copied. Give it anew where it is needed.")


class Token:
    """An API token. What was given is in here from the start, so that no error can show it.

    Args:
        given: The token, or what was given for one.
    """

    __slots__ = ("_reveal",)

    def __init__(self, given: object) -> None:
        # In a closure, so that neither `vars` nor a walk over attributes meets it. No pattern made
        # of it is bound to a name either: the `repr` of a pattern shows it.
        self._reveal: Callable[[], Any] = lambda: given

    def flaw(self) -> str | None:
        """Return why it can be no token, without showing it; None if it can be one."""
        given = self._reveal()
        if not isinstance(given, str) or not given:
            return "is no text; a token is one word of printable characters."
        if not re.fullmatch(r"[!-~]{1,8192}", given):
            return (
                "holds a space, a line break or a character that no token has. Copy it again, "
                "without what stands around it (text.strip() takes away line breaks at the ends)."
            )
        return None

    @property
    def length(self) -> int:
        """The number of its characters."""
        return len(self._reveal())

    @property
    def short_lived(self) -> bool:
        """Whether it has the form of an access token (a JWT), which is valid for a limited time."""
        return bool(re.fullmatch(r"eyJ[\w-]+(\.[\w-]+){2,4}", self._reveal()))

    def bearer(self) -> Hidden:
        """Return the value of the `Authorization` header."""
        # Not formatted: some kinds of text, such as members of an Enum, format as something else.
        return Hidden("Bearer " + self._reveal())

    def current(self) -> Token:
        """Return the token to send: this one, which does not change."""
        return self

    def renewed(self, refused: Token) -> Token | None:  # noqa: ARG002 - of those that change
        """Return another token than one that the tenant refused; None if there is no other."""
        return None

    def is_same(self, other: Token) -> bool:
        """Whether another token has the same text."""
        return bool(self._reveal() == other._reveal())

    def twin(self) -> Token:
        """Return another object with the same text."""
        return Token(self._reveal())

    def hide_in(self, text: str) -> str:
        """Return `text` with the token, should it be in there, replaced by asterisks."""
        if self._has_one_form():
            return text.replace(self._reveal(), "***")
        return re.sub(_any_form(self._reveal()), "***", text)

    def hide_echo(self, content: _Content) -> _Content:
        """Return a part of a response with the token, should it be in there, replaced.

        A token that is short may be a word that a response holds for another reason; no tenant
        makes one, and it is left alone here.
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
        raise NotPicklable("A token is not pickled or copied. Connect again where it is needed.")


def _any_form(given: str) -> str:
    """Return a pattern of a token in whatever form a URL, JSON or HTML has it."""
    return "".join(
        character
        if character.isalnum()
        else rf"(?:{re.escape(character)}|(?i:%{ord(character):02x}|\\u00{ord(character):02x}"
        rf"|&#{ord(character)};|&#x{ord(character):x};)|\\{re.escape(character)}"
        rf"|{re.escape(html.escape(character))})"
        for character in given
    )
