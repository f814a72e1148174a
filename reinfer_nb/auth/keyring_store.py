"""Stores tokens in the system's keyring.

The package `keyring` is an extra and imported only when needed. A locked keyring may open a window
that asks for a password, which nobody sees on a server. So every call runs in its own thread, with
a timeout.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from reinfer_nb.auth.secret import Token
from reinfer_nb.errors import ConfigurationError
from reinfer_nb.wording import spelled

SERVICE = "reinfer_nb"
NAME = "the system's keyring"
# Seconds until a message tells the user about the wait, and until the timeout.
NOTICE, LIMIT = 2.0, 20.0
_WAITING = (
    "Waiting for the system's keyring, up to %.0f seconds. It may be asking for its password in "
    "another window: unlock it there. To connect without it, %s."
)
_TIMEOUT = "it did not reply; it may be locked and asking for its password in another window"

logger = logging.getLogger("reinfer_nb")


def _without_keyring() -> str:
    return spelled("pass token= or set REINFER_TOKEN", "set REINFER_TOKEN")


class _Timeout(Exception):
    """The keyring has not replied in time."""


class _Unusable(Exception):
    """There is no usable keyring; the message says what to do."""


# The call that timed out, while the keyring is still working on it.
_hanging: list[threading.Event] = []


def _with_timeout(call: Callable[[], Any]) -> Any:
    """Return the result of a call, or raise its error.

    Raises:
        _Timeout: The call took too long; its result is ignored.
    """
    if _hanging and not _hanging[-1].wait(NOTICE):
        # Another call would only wait behind the hanging one.
        raise _Timeout
    outcome: list[tuple[Any, BaseException | None]] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.append((None, error))
        finally:
            done.set()

    # A daemon thread, so that a keyring that never replies does not keep the process alive.
    threading.Thread(target=run, name="reinfer_nb-keyring", daemon=True).start()
    if not done.wait(NOTICE):
        logger.warning(_WAITING, LIMIT, _without_keyring())
        if not done.wait(LIMIT - NOTICE):
            _hanging[:] = [done]
            raise _Timeout
    value, error = outcome.pop()
    if error is not None:
        raise error
    return value


def unusable() -> str | None:
    """Return why the keyring cannot be used and what to do; None if it can be used."""
    try:
        return _with_timeout(_problem)  # type: ignore[no-any-return]
    except _Timeout:
        return f"The system's keyring cannot be used: {_TIMEOUT}."


def _problem() -> str | None:
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        return "The package keyring is not installed: pip install 'reinfer_nb[keyring]'"
    try:
        ring = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return f"The system's keyring cannot be used ({type(error).__name__})."
    if isinstance(ring, fail.Keyring | null.Keyring):
        return (
            "This system has no keyring that can be used. Linux desktops have one, such as GNOME "
            "Keyring or KWallet; servers and containers have none."
        )
    return None


def _ask(call: Callable[[Any], Any]) -> Any:
    """Call a function with the package `keyring`, and return its result or raise its error.

    Raises:
        _Unusable: There is no usable keyring.
        _Timeout: The keyring did not reply in time.
    """

    def checked_call() -> Any:
        problem = _problem()
        if problem is not None:
            raise _Unusable(problem)
        import keyring

        return call(keyring)

    return _with_timeout(checked_call)


def kept(endpoint: str) -> Token | None:
    """Return the stored token of an endpoint; None if there is none, or no usable keyring.

    Args:
        endpoint: Base URL, as `checked_endpoint` returns it.

    Raises:
        ConfigurationError: The keyring could not be read, for example because it is locked, or
            did not reply within 20 seconds.
    """

    def look_up(keyring: Any) -> Token | None:
        password = keyring.get_password(SERVICE, endpoint)
        return None if password is None else Token(password)

    # Raised outside of `except`, since the error of a backend may hold the token.
    try:
        token: Token | None = _ask(look_up)
    except _Unusable:
        return None
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        reason = _reason(error)
    else:
        return token
    raise ConfigurationError(
        f"The system's keyring could not be asked for the token of {endpoint}: {reason}. Unlock it "
        f"and try again, or {_without_keyring()}."
    )


def keep(endpoint: str, token: Token) -> None:
    """Store the token of an endpoint, replacing an earlier one.

    Args:
        endpoint: Base URL, as `checked_endpoint` returns it.
        token: The token.

    Raises:
        ConfigurationError: There is no usable keyring, or it did not store the token.
    """
    try:
        # The text of the token is passed on directly, so that no local variable holds it.
        _ask(
            lambda keyring: keyring.set_password(
                SERVICE, endpoint, token.bearer().removeprefix("Bearer ")
            )
        )
    except _Unusable as problem:
        reason = str(problem)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        reason = f"The system's keyring did not store it: {_reason(error)}."
    else:
        return
    raise ConfigurationError(f"The token was not kept. {reason}")


def forget(endpoint: str) -> bool:
    """Delete the token of an endpoint from the keyring, and return whether there was one.

    Args:
        endpoint: Base URL, as `checked_endpoint` returns it.

    Raises:
        ConfigurationError: The keyring could not be read, or did not delete the token.
    """
    if kept(endpoint) is None:
        return False
    try:
        _ask(lambda keyring: keyring.delete_password(SERVICE, endpoint))
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        reason = _reason(error)
    else:
        return True
    raise ConfigurationError(
        f"The system's keyring still keeps the token of {endpoint}: {reason}. Delete the entry "
        f"{SERVICE!r} in the system's own keyring program."
    )


def _reason(error: Exception) -> str:
    """Return the reason of a failure, without the message of a backend, which may hold a token."""
    if isinstance(error, _Timeout):
        return _TIMEOUT
    from keyring.errors import KeyringLocked

    return "it is locked" if isinstance(error, KeyringLocked) else type(error).__name__
