"""A token from a function, which is called for the first token and when the tenant refuses it."""

from __future__ import annotations

import inspect
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from reinfer_nb.auth.secret import Hidden, Token
from reinfer_nb.errors import ConfigurationError, InvalidInput, ReinferError
from reinfer_nb.forking import renew_in_children
from reinfer_nb.text import visible

__all__ = ["FunctionToken", "token_given"]

_Content = TypeVar("_Content", str, bytes)
# Seconds that a thread waits while the function runs in another thread, in which a user may have to
# log in in a browser.
_LONGEST = 300.0
# Possible secrets in an error message: a JWT, a value named like a secret, the user of a URL, a
# long word with a digit.
_SECRETS = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)+"
    r"|(?P<name>(?:secret|token|password|assertion|key)(?:[\"']\s*:|[\"']?\s*=)\s*[\"']?"
    r"|\b(?:bearer|basic)\s+)[^\s\"'&,;)}]+"
    r"|(?<=://)[^/\s@]+(?=@)"
    r"|(?=[\w~-]*\d)[\w~-]{24,}",
    re.IGNORECASE,
)


class FunctionToken(Token):
    """A token from a function. Safe to use from several threads.

    The function is called when a token is first needed, and again after the tenant has refused the
    current token. Threads that wait for the same token share one call.

    Args:
        function: Called without arguments; returns the token as a text.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(None)
        # In a closure, since a partial function shows its arguments, which may be secrets.
        self._function: Callable[[], Token] = lambda: Token(function())
        self._is_async = inspect.iscoroutinefunction(function)
        self._lock = threading.Lock()
        # The thread in which the function runs.
        self._caller: int | None = None
        # Each call sets a new object, even for the same text, so that a thread can see whether the
        # function was called since the thread took its token.
        self._current: Token | None = None
        # The error of the last call, if it failed.
        self._failure: ReinferError | None = None
        # All returned tokens, the longest first, since one may be the beginning of another.
        self._returned: tuple[Token, ...] = ()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Create a new lock in a child process."""
        self._lock = threading.Lock()
        self._caller = None

    def flaw(self) -> str | None:
        """Return why the function cannot return a token; its tokens are checked in each call."""
        if self._is_async:
            return (
                "is an async function. Pass a function that returns the text of the token itself."
            )
        return None

    @property
    def short_lived(self) -> bool:
        """True if the current token looks like an access token."""
        return self.current().short_lived

    def bearer(self) -> Hidden:
        """Return the value of the `Authorization` header with the current token."""
        return self.current().bearer()

    def current(self) -> Token:
        """Return the current token; the first time, call the function.

        Raises:
            ConfigurationError: The function failed.
            InvalidInput: The function did not return a valid token.
        """
        token, failure = self._current, self._failure
        if token is not None:
            return token
        with self._alone():
            if self._current is not None:
                return self._current
            if self._failure is not failure:
                # The function failed while this thread waited.
                self._raise_failure()
            return self._call()

    def renewed(self, refused: Token) -> Token | None:
        """Return another token after the tenant refused one; None if there is no other.

        The function is called, unless it was already called since `refused` was taken.

        Raises:
            ConfigurationError: The function failed.
            InvalidInput: The function did not return a valid token.
        """
        with self._alone():
            token = self._call() if self._current is refused else self._current
            if token is not None and not token.is_same(refused):
                return token
            self._raise_failure()
            return None

    def hide_in(self, text: str) -> str:
        """Return `text` with all tokens of the function replaced by asterisks."""
        for token in self._returned:
            text = token.hide_in(text)
        return text

    def hide_echo(self, content: _Content) -> _Content:
        """Return a part of a response with all tokens of the function replaced by asterisks."""
        for token in self._returned:
            content = token.hide_echo(content)
        return content

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Context manager that holds the lock, and so waits while another thread calls."""
        if self._caller == threading.get_ident():
            raise ConfigurationError(
                "The function given as token= sends a request with this client, which needs the "
                "token. Let it get the token in another way."
            )
        lock = self._lock
        if not lock.acquire(timeout=_LONGEST):
            raise ConfigurationError(
                f"The function given as token= has not returned within {_LONGEST:.0f} s in "
                "another thread. Call it separately to see why."
            )
        try:
            yield
        finally:
            lock.release()

    def _call(self) -> Token:
        """Call the function, and store its token; the caller holds the lock."""
        problem: BaseException | None
        self._caller = threading.get_ident()
        try:
            token = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again below
            problem = self._problem_of(error)
        else:
            problem = self._store(token)
            if problem is None:
                return token
        finally:
            self._caller = None
        # Raised outside of `except`: with the function's error as context, a traceback could show
        # the variables of the function, including secrets.
        if isinstance(problem, ReinferError):
            # A copy, since a raised error holds the frames of its callers.
            self._failure = type(problem)(str(problem))
            self._current = self._current and self._current.twin()
        raise problem

    def _store(self, token: Token) -> InvalidInput | None:
        """Make a token the current one; if it is invalid, return an error instead."""
        flaw = token.flaw()
        if flaw is not None:
            return InvalidInput(
                f"The value that the function given as token= returned {flaw} The function has to "
                "return the token alone as a text, such as response.json()['access_token']."
            )
        if not any(token.is_same(other) for other in self._returned):
            self._returned = tuple(
                sorted((*self._returned, token), key=lambda each: each.length, reverse=True)
            )
        self._current, self._failure = token, None
        return None

    def _raise_failure(self) -> None:
        """Raise the error of the last call, if it failed, in a thread that waited for it."""
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _problem_of(self, error: BaseException) -> BaseException:
        """Return the error to raise for an error of the function, without frames and secrets."""
        if not isinstance(error, Exception):
            # KeyboardInterrupt or SystemExit.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        try:
            message = str(error)
        except Exception:  # noqa: BLE001 - any error of the function
            message = ""
        message = visible(_SECRETS.sub(_masked, self.hide_in(message)), 300).rstrip(".")
        kind = visible(type(error).__name__, 80)
        return ConfigurationError(
            f"The function given as token= raised {kind}{_place_of(error.__traceback__)}"
            f"{f': {message}' if message else ''}. Call it separately to see why."
        )

    def __repr__(self) -> str:
        return "<token of a function, hidden>"


def token_given(given: object) -> Token:
    """Return the token that a user gave as a text, or as a function that returns a token."""
    if callable(given) and not isinstance(given, str):
        return FunctionToken(given)
    return Token(given)


def _masked(match: re.Match[str]) -> str:
    return f"{match['name'] or ''}***"


def _place_of(trace: TracebackType | None) -> str:
    """Return the line of the function in which an error was raised, also by a nested call."""
    for frame, line in traceback.walk_tb(trace):
        if frame.f_code.co_filename != __file__:
            return f" in line {line} of {visible(frame.f_code.co_name, 80)}"
    return ""
