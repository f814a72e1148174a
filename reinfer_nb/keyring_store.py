"""Tokens in this system's keyring: kept when asked to, found again, forgotten.

The package `keyring` is an extra, and is imported when a token is looked for there and no sooner.
"""

from __future__ import annotations

from reinfer_nb.errors import ConfigurationError
from reinfer_nb.secret import Token

SERVICE = "reinfer_nb"
NAME = "the system's keyring"


def unusable() -> str | None:
    """Return why no token can be kept on this system and what to do about it; None if it can."""
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


def kept(endpoint: str) -> Token | None:
    """Return the token that is kept for an endpoint; None if there is none, or no keyring.

    Args:
        endpoint: Base URL, as `config.checked_endpoint` returns it.

    Raises:
        ConfigurationError: The keyring is there and could not be asked, locked for example.
    """
    if unusable() is not None:
        return None
    import keyring

    # Errors are made outside of `except`: what a backend raises may hold what it was given.
    try:
        given = keyring.get_password(SERVICE, endpoint)
        token = None if given is None else Token(given)
        del given
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        why = _why(error)
    else:
        return token
    raise ConfigurationError(
        f"The system's keyring could not be asked for the token of {endpoint}: {why}. Unlock it "
        "and try again, or give the token."
    )


def keep(endpoint: str, token: Token) -> None:
    """Keep a token for an endpoint, in place of the one that was kept before.

    Args:
        endpoint: Base URL, as `config.checked_endpoint` returns it.
        token: The token.

    Raises:
        ConfigurationError: There is no keyring, or it did not take the token.
    """
    why = unusable()
    if why is None:
        import keyring

        try:
            # A backend needs the text itself; it is in no variable of ours.
            keyring.set_password(SERVICE, endpoint, token.bearer().removeprefix("Bearer "))
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
    import keyring

    try:
        keyring.delete_password(SERVICE, endpoint)
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
    from keyring.errors import KeyringLocked

    return "it is locked" if isinstance(error, KeyringLocked) else type(error).__name__
