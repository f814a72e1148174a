"""The tokens that a sandbox accepts, in its database and in memory.

The database keeps hashes only, so that the file reveals no token; tokens are long and random, so
a plain hash is enough. Each process has tokens of its own in memory too, for its own client and
for `Sandbox.tokens`.
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


class _Stored(NamedTuple):
    """A stored token: its hash, and its length, which `is_in` needs."""

    digest: str
    length: int


def new_token(name: str) -> str:
    """Return a new random token for a user."""
    return f"sandbox-{name}-{secrets.token_urlsafe(18)}"


def checked_tokens(tokens: object) -> dict[str, str]:
    """Return chosen tokens by user name, after a check.

    Raises:
        InvalidInput: `tokens` is not a mapping, a token is invalid, or two are the same.
    """
    if tokens is None:
        return {}
    if not isinstance(tokens, Mapping):
        raise InvalidInput('tokens must be a dictionary by user, such as {"admin": "..."}.')
    for name, token in tokens.items():
        flaw = Token(token).flaw()
        if flaw:
            raise InvalidInput(f"The token of {shown(name)} {flaw}")
    if len(set(tokens.values())) < len(tokens):
        raise InvalidInput("Two users have the same token. Give each user a token of its own.")
    return dict(tokens)


class LastingTokens:
    """The tokens that still work after a restart with the same database.

    Args:
        database: The database with their hashes.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        rows = database.read("SELECT name, digest, length FROM tokens")
        self._stored = {name: _Stored(digest, length) for name, digest, length in rows}

    def user_of(self, token: bytes) -> str | None:
        """Return the name of the user with this token; None for an unknown token."""
        digest = _digest(token)
        # Compare with all tokens, each in constant time.
        names = [
            name
            for name, stored in list(self._stored.items())
            if hmac.compare_digest(stored.digest, digest)
        ]
        return names[0] if names else None

    def is_in(self, text: str) -> bool:
        """True if a text contains one of the tokens."""
        tokens = set(self._stored.values())
        content = text.encode(errors="replace")
        return any(
            _Stored(_digest(content[start : start + length]), length) in tokens
            for length in {length for _, length in tokens}
            for start in range(len(content) - length + 1)
        )

    def keep(self, tokens: Mapping[str, str]) -> None:
        """Store tokens by user name; each replaces the stored token of its user.

        Raises:
            Unwritable: The database cannot be written.
        """
        new = {name: _Stored(_digest(token.encode()), len(token)) for name, token in tokens.items()}
        with self._db.writing():
            for name, stored in new.items():
                statement = "INSERT OR REPLACE INTO tokens (name, digest, length) VALUES (?, ?, ?)"
                self._db.write(statement, name, *stored)
        self._stored |= new

    def begin(
        self,
        names: Collection[str],
        tokens: MutableMapping[str, str],
        chosen: Mapping[str, str],
        *,
        new: bool,
    ) -> frozenset[str]:
        """Prepare the tokens of a process that starts to serve.

        Args:
            names: All users.
            tokens: The tokens of this process by user name; missing ones are added, and those
                in `chosen` replaced.
            chosen: Tokens chosen by the caller, by user name.
            new: Whether `tokens` replace the stored tokens.

        Returns:
            The users whose token in `tokens` still works after a restart.

        Raises:
            InvalidInput: `chosen` has a name that is not a user's.
            Unwritable: The database cannot be written.
        """
        for name in chosen:
            if name not in names:
                raise InvalidInput(f"tokens: there is no user {shown(name)}. {hint(name, names)}")
        for name in names:
            tokens.setdefault(name, new_token(name))
        tokens.update(chosen)
        lasting = {
            name: tokens[name]
            for name in names
            if (new or name in chosen or name not in self._stored)
            and self.user_of(tokens[name].encode()) != name
        }
        if lasting:
            self.keep(lasting)
        return frozenset(n for n in names if self.user_of(tokens[n].encode()) == n)


class Accepted:
    """All tokens that a running sandbox accepts.

    Args:
        tokens: The tokens of this process, by user name; may change at any time.
        lasting: The tokens in the database.
    """

    def __init__(self, tokens: Mapping[str, str], lasting: LastingTokens) -> None:
        self._tokens = tokens
        self._lasting = lasting

    def user_of(self, token: bytes) -> str | None:
        """Return the name of the user with this token; None for an unknown token."""
        # Compare with all tokens, each in constant time.
        names = [
            name
            for name, own in list(self._tokens.items())
            if hmac.compare_digest(own.encode(), token)
        ]
        lasting_name = self._lasting.user_of(token)
        return names[0] if names else lasting_name

    def is_in(self, text: str) -> bool:
        """True if a text contains one of the tokens."""
        own = any(token in text for token in list(self._tokens.values()))
        return own or self._lasting.is_in(text)


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()
