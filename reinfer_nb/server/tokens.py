"""The tokens that a sandbox accepts, and what its database keeps of them.

A database keeps hashes alone, so that nobody who reads the file can use what is in it. Tokens are
long and random, so a plain hash is enough. Beside those, each process has tokens of its own in
memory: for its own client, and for whoever looks at `Sandbox.tokens`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping, MutableMapping
from typing import TYPE_CHECKING, NamedTuple

from reinfer_nb.auth.secret import Token
from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import hint, shown

if TYPE_CHECKING:
    from reinfer_nb.server.database import Database


class _Kept(NamedTuple):
    """What is kept of a token: its hash, and its length to find it in a text by."""

    digest: str
    length: int


def new_token(name: str) -> str:
    """Return a new token of a user."""
    return f"sandbox-{name}-{secrets.token_urlsafe(18)}"


def checked_tokens(tokens: object) -> dict[str, str]:
    """Return tokens that somebody chose for users, by the name of the user.

    Raises:
        InvalidInput: They are no such mapping, one of them cannot be a token, or two are the same.
    """
    given = {} if tokens is None else tokens
    if not isinstance(given, Mapping):
        raise InvalidInput('tokens is a dictionary such as {"admin": "..."}, by user.')
    for name, token in given.items():
        flaw = Token(token).flaw()
        if flaw:
            raise InvalidInput(f"The token of {shown(name)} {flaw}")
    if len(set(given.values())) < len(given):
        raise InvalidInput("Two users have the same token; a token tells who asks.")
    return dict(given)


class LastingTokens:
    """The tokens that go on working when a sandbox is started again on the same database.

    Args:
        database: Where their hashes are kept.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        rows = database.read("SELECT name, digest, length FROM tokens")
        self._kept = {name: _Kept(digest, length) for name, digest, length in rows}

    def user_of(self, token: bytes) -> str | None:
        """Return the name of the user whose token this is; None for nobody's."""
        digest = _digest(token)
        # All of them are compared, each in constant time.
        names = [
            name
            for name, kept in list(self._kept.items())
            if hmac.compare_digest(kept.digest, digest)
        ]
        return names[0] if names else None

    def is_in(self, text: str) -> bool:
        """Whether a text holds one of the tokens."""
        kept = set(self._kept.values())
        content = text.encode(errors="replace")
        return any(
            _Kept(_digest(content[start : start + length]), length) in kept
            for length in {length for _, length in kept}
            for start in range(len(content) - length + 1)
        )

    def keep(self, tokens: Mapping[str, str]) -> None:
        """Keep tokens by the name of their user, in place of those that were kept before.

        Raises:
            Unwritable: The database cannot be written.
        """
        made = {name: _Kept(_digest(token.encode()), len(token)) for name, token in tokens.items()}
        with self._db.writing():
            for name, kept in made.items():
                statement = "INSERT OR REPLACE INTO tokens (name, digest, length) VALUES (?, ?, ?)"
                self._db.write(statement, name, *kept)
        self._kept |= made

    def begin(
        self,
        names: Collection[str],
        tokens: MutableMapping[str, str],
        given: Mapping[str, str],
        *,
        new: bool,
    ) -> frozenset[str]:
        """Prepare the tokens of a process that starts to serve.

        Args:
            names: All users.
            tokens: The tokens of this process, by user; completed, and changed to those given.
            given: Tokens that the user of the sandbox chose.
            new: Whether the lasting tokens of before end, and those in `tokens` take their place.

        Returns:
            The users whose token in `tokens` is a lasting one.

        Raises:
            InvalidInput: A token is given for somebody who is no user.
            Unwritable: The database cannot be written.
        """
        for name in given:
            if name not in names:
                raise InvalidInput(f"tokens: there is no user {shown(name)}. {hint(name, names)}")
        for name in names:
            tokens.setdefault(name, new_token(name))
        tokens.update(given)
        lasting = {
            name: tokens[name]
            for name in names
            if (new or name in given or name not in self._kept)
            and self.user_of(tokens[name].encode()) != name
        }
        if lasting:
            self.keep(lasting)
        return frozenset(n for n in names if self.user_of(tokens[n].encode()) == n)


class Accepted:
    """All tokens that a running sandbox accepts.

    Args:
        tokens: Those of this process, by user; may change at any time.
        lasting: Those of the database.
    """

    def __init__(self, tokens: Mapping[str, str], lasting: LastingTokens) -> None:
        self._tokens = tokens
        self._lasting = lasting

    def user_of(self, token: bytes) -> str | None:
        """Return the name of the user whose token this is; None for nobody's."""
        # All of them are compared, each in constant time.
        names = [
            name
            for name, known in list(self._tokens.items())
            if hmac.compare_digest(known.encode(), token)
        ]
        kept = self._lasting.user_of(token)
        return names[0] if names else kept

    def is_in(self, text: str) -> bool:
        """Whether a text holds one of the tokens."""
        own = any(token in text for token in list(self._tokens.values()))
        return own or self._lasting.is_in(text)


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()
