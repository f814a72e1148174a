"""Tokens in this system's keyring: kept when asked to, found again, forgotten.

The package `keyring` is an extra, and is imported when a token is looked for there and no sooner.
A locked keyring may ask its owner to unlock it, in a window that nobody sees on a server. So every
call runs in a thread of its own, which is waited for only so long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from reinfer_nb.auth.secret import Token
from reinfer_nb.errors import ConfigurationError

SERVICE = "reinfer_nb"
NAME = "the system's keyring"
# Seconds after which the user is told what is waited for, and after which the wait ends.
NOTICE, LIMIT = 2.0, 20.0
_WAITING = (
    "Waiting for the system's keyring, up to %.0f seconds. It may be asking for its password in "
    "another window: unlock it there. To do without it, give token= or set REINFER_TOKEN."
)
_SILENT = "it did not reply; it may be locked and asking for its password in another window"

logger = logging.getLogger("reinfer_nb")


class _Silent(Exception):
    """The keyring has not replied in time."""


class _Absent(Exception):
    """There is no keyring that can be used; the message says what to do about it."""


# The call that was given up, as long as the keyring still works on it.
_hanging: list[threading.Event] = []


def _within_limit(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or raise what it raises.

    Raises:
        _Silent: It took too long. Nothing of it is waited for any more.
    """
    if _hanging and not _hanging[-1].wait(NOTICE):
        # Another question would only wait behind the one before.
        raise _Silent
    outcome: list[tuple[Any, BaseException | None]] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            outcome.append((None, error))
        finally:
            done.set()

    # A daemon: a keyring that never replies must not keep the process from ending.
    threading.Thread(target=run, name="reinfer_nb-keyring", daemon=True).start()
    if not done.wait(NOTICE):
        logger.warning(_WAITING, LIMIT)
        if not done.wait(LIMIT - NOTICE):
            _hanging[:] = [done]
            raise _Silent
    value, error = outcome.pop()
    if error is not None:
        raise error
    return value


def unusable() -> str | None:
    """Return why no token can be kept on this system and what to do about it; None if it can."""
    try:
        return _within_limit(_flaw)  # type: ignore[no-any-return]
    except _Silent:
        return f"The system's keyring cannot be used: {_SILENT}."


def _flaw() -> str | None:
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
            "This system has no keyring that can be used. On Linux one comes with a desktop, as "
            "GNOME Keyring or KWallet; a server or a container has none."
        )
    return None


def _asked(call: Callable[[Any], Any]) -> Any:
    """Return what a call returns that is given the package `keyring`, or raise what it raises.

    Raises:
        _Absent: There is no keyring.
        _Silent: It did not reply in time.
    """

    def asking() -> Any:
        flaw = _flaw()
        if flaw is not None:
            raise _Absent(flaw)
        import keyring

        return call(keyring)

    return _within_limit(asking)


def kept(endpoint: str) -> Token | None:
    """Return the token that is kept for an endpoint; None if there is none, or no keyring.

    Args:
        endpoint: Base URL, as `config.checked_endpoint` returns it.

    Raises:
        ConfigurationError: The keyring is there and could not be asked, or did not reply within
            20 seconds: it is locked, for example.
    """

    def look_up(keyring: Any) -> Token | None:
        given = keyring.get_password(SERVICE, endpoint)
        return None if given is None else Token(given)

    # Errors are made outside of `except`: what a backend raises may hold what it was given.
    try:
        token: Token | None = _asked(look_up)
    except _Absent:
        return None
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        why = _why(error)
    else:
        return token
    raise ConfigurationError(
        f"The system's keyring could not be asked for the token of {endpoint}: {why}. Unlock it "
        "and try again, or give the token: token= or the environment variable REINFER_TOKEN."
    )


def keep(endpoint: str, token: Token) -> None:
    """Keep a token for an endpoint, in place of the one that was kept before.

    Args:
        endpoint: Base URL, as `config.checked_endpoint` returns it.
        token: The token.

    Raises:
        ConfigurationError: There is no keyring, or it did not take the token.
    """
    try:
        # A backend needs the text itself; it is in no variable of ours.
        _asked(
            lambda keyring: keyring.set_password(
                SERVICE, endpoint, token.bearer().removeprefix("Bearer ")
            )
        )
    except _Absent as flaw:
        why = str(flaw)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        why = f"The system's keyring did not take it: {_why(error)}."
    else:
        return
    raise ConfigurationError(f"The token was not kept. {why}")


def forget(endpoint: str) -> bool:
    """Take the token of an endpoint out of the keyring, and return whether there was one.

    Args:
        endpoint: Base URL, as `config.checked_endpoint` returns it.

    Raises:
        ConfigurationError: The keyring could not be asked, or did not let go of the token.
    """
    if kept(endpoint) is None:
        return False
    try:
        _asked(lambda keyring: keyring.delete_password(SERVICE, endpoint))
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        why = _why(error)
    else:
        return True
    raise ConfigurationError(
        f"The system's keyring still keeps the token of {endpoint}: {why}. Delete the entry "
        f"{SERVICE!r} in the system's own keyring program."
    )


def _why(error: Exception) -> str:
    """Return what went wrong, in words of ours: those of a backend may show what it was given."""
    if isinstance(error, _Silent):
        return _SILENT
    from keyring.errors import KeyringLocked

    return "it is locked" if isinstance(error, KeyringLocked) else type(error).__name__
