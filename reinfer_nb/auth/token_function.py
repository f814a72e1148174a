"""A token that a function returns: called when a token is needed, and again when it is refused."""

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
# Seconds that a thread waits while the function runs in another thread. Somebody may have to log
# in in a browser meanwhile.
_LONGEST = 300.0
# What may be a secret in the message of an error: a JWT, a value that is named as a secret, the
# user of a URL, a long word with a digit in it.
_SECRETS = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)+"
    r"|(?P<name>(?:secret|token|password|assertion|key)(?:[\"']\s*:|[\"']?\s*=)\s*[\"']?"
    r"|\b(?:bearer|basic)\s+)[^\s\"'&,;)}]+"
    r"|(?<=://)[^/\s@]+(?=@)"
    r"|(?=[\w~-]*\d)[\w~-]{24,}",
    re.IGNORECASE,
)


class FunctionToken(Token):
    """The token of a client that was given a function. Safe to use from several threads.

    The function is called when a token is needed first, and once more after the tenant refused the
    token that it returned last. Threads that wait for the same token share one call.

    Args:
        function: Called without arguments; returns the token as a text.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(None)
        # In a closure: a partial function shows its arguments, which may hold a secret.
        self._function: Callable[[], Token] = lambda: Token(function())
        self._is_async = inspect.iscoroutinefunction(function)
        self._lock = threading.Lock()
        # The thread in which the function runs.
        self._caller: int | None = None
        # Each call makes another object of the same or of another text, so that a thread can tell
        # whether the function was called since it took its token.
        self._current: Token | None = None
        # Why the last call failed.
        self._failure: ReinferError | None = None
        # The longest first, since one may be the beginning of another.
        self._returned: tuple[Token, ...] = ()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Take a lock of one's own, in a child process."""
        self._lock = threading.Lock()
        self._caller = None

    def flaw(self) -> str | None:
        """Return why the function can return no token; what it returns is checked each time."""
        if self._is_async:
            return "is an async function; give one that returns the text of the token itself."
        return None

    @property
    def short_lived(self) -> bool:
        """Whether the current token has the form of an access token."""
        return self.current().short_lived

    def bearer(self) -> Hidden:
        """Return the value of the `Authorization` header with the current token."""
        return self.current().bearer()

    def current(self) -> Token:
        """Return the token that the function returned last; the first time, call it.

        Raises:
            ConfigurationError: The function failed.
            InvalidInput: It returned what cannot be a token.
        """
        token, failure = self._current, self._failure
        if token is not None:
            return token
        with self._alone():
            if self._current is not None:
                return self._current
            if self._failure is not failure:
                # It was called while this thread waited.
                self._fail_again()
            return self._call()

    def renewed(self, refused: Token) -> Token | None:
        """Return another token than one that the tenant refused; None if there is no other.

        The function is called, unless that has happened since `refused` was taken.

        Raises:
            ConfigurationError: The function failed.
            InvalidInput: It returned what cannot be a token.
        """
        with self._alone():
            token = self._call() if self._current is refused else self._current
            if token is not None and not token.is_same(refused):
                return token
            self._fail_again()
            return None

    def hide_in(self, text: str) -> str:
        """Return `text` with every token that the function returned replaced by asterisks."""
        for token in self._returned:
            text = token.hide_in(text)
        return text

    def hide_echo(self, content: _Content) -> _Content:
        """Return a part of a response with every token that the function returned replaced."""
        for token in self._returned:
            content = token.hide_echo(content)
        return content

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock; wait for it only while another thread calls the function."""
        if self._caller == threading.get_ident():
            raise ConfigurationError(
                "The function given as token= asks the client for something that needs the token. "
                "Let it get the token in another way."
            )
        lock = self._lock
        if not lock.acquire(timeout=_LONGEST):
            raise ConfigurationError(
                f"The function given as token= has not returned within {_LONGEST:.0f} s in "
                "another thread. Call it by itself to see why."
            )
        try:
            yield
        finally:
            lock.release()

    def _call(self) -> Token:
        """Call the function, and keep what it returns; the lock is held."""
        problem: BaseException | None
        self._caller = threading.get_ident()
        try:
            token = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again, or as one of our own
            problem = self._problem_of(error)
        else:
            problem = self._remembered(token)
            if problem is None:
                return token
        finally:
            self._caller = None
        # Outside of `except`: an error that has the function's error as its context would show the
        # variables of the function, and secrets among them.
        if isinstance(problem, ReinferError):
            # Another object: one that is raised holds the frames of whoever called.
            self._failure = type(problem)(str(problem))
            self._current = self._current and self._current.twin()
        raise problem

    def _remembered(self, token: Token) -> InvalidInput | None:
        """Keep a token as the current one; if it can be none, return the error instead."""
        flaw = token.flaw()
        if flaw is not None:
            return InvalidInput(
                f"What the function given as token= returned {flaw} The function has to return "
                "the token alone as a text, such as response.json()['access_token']."
            )
        if not any(token.is_same(other) for other in self._returned):
            self._returned = tuple(
                sorted((*self._returned, token), key=lambda one: one.length, reverse=True)
            )
        self._current, self._failure = token, None
        return None

    def _fail_again(self) -> None:
        """Raise what the last call raised, if it failed, in the thread that waited for it."""
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _problem_of(self, error: BaseException) -> BaseException:
        """Return what to raise for what the function raised: without its frames and variables."""
        if not isinstance(error, Exception):
            # Ctrl-C, or the end of the process.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        try:
            message = str(error)
        except Exception:  # noqa: BLE001 - of whatever kind the function's errors are
            message = ""
        message = visible(_SECRETS.sub(_masked, self.hide_in(message)), 300).rstrip(".")
        kind = visible(type(error).__name__, 80)
        return ConfigurationError(
            f"The function given as token= raised {kind}{_place_of(error.__traceback__)}"
            f"{f': {message}' if message else ''}. Call it by itself to see why."
        )

    def __repr__(self) -> str:
        return "<token of a function, hidden>"


def token_given(given: object) -> Token:
    """Return a token, of a text or of a function that returns one."""
    if callable(given) and not isinstance(given, str):
        return FunctionToken(given)
    return Token(given)


def _masked(match: re.Match[str]) -> str:
    return f"{match['name'] or ''}***"


def _place_of(trace: TracebackType | None) -> str:
    """Return where in the function an error was raised; not in what the function calls."""
    for frame, line in traceback.walk_tb(trace):
        if frame.f_code.co_filename != __file__:
            return f" in line {line} of {visible(frame.f_code.co_name, 80)}"
    return ""
