"""Checks of arguments that many public functions take; each raises `InvalidInput`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import holds_half_character, listed, shown


def flag(value: object, name: str) -> bool:
    """Return a truth value of Python or NumPy as a `bool`.

    Args:
        value: The value.
        name: The argument, as the message calls it.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InvalidInput(f"{name} is True or False, not {shown(value)}.")


def limit(value: object) -> int | None:
    """Return how many lines of each kind a report shows: a whole number from 0 on, or None."""
    if value is None:
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0:
        return int(value)
    raise InvalidInput(f"limit is a whole number from 0 on, or None for all, not {shown(value)}.")


def choice(value: object, name: str, choices: Iterable[str]) -> str:
    """Return a text that is one of several.

    Args:
        value: The value.
        name: The argument, as the message calls it.
        choices: The texts that are allowed.
    """
    allowed = list(choices)
    if isinstance(value, str) and value in allowed:
        return str(value)
    raise InvalidInput(f"{name} is one of {listed(allowed)}, not {shown(value)}.")


def text(value: object, name: str, example: str) -> str:
    """Return a text.

    Args:
        value: The value.
        name: The argument, as the message calls it.
        example: A text that it could be, for the message.
    """
    if isinstance(value, str):
        if holds_half_character(value):
            raise InvalidInput(
                f"{name} is {shown(value)}, which holds half a character (a lone surrogate) that "
                "no tenant has; write it anew."
            )
        return str(value)
    raise InvalidInput(f"{name} is a text such as {example!r}, not {shown(value)}.")


def permission_names(value: object, name: str) -> list[str]:
    """Return the names of permissions in a list or another collection of texts."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        names = list(value)
        if all(isinstance(each, str) and not holds_half_character(each) for each in names):
            return list(map(str, names))
    raise InvalidInput(
        f'{name} is a list of permissions such as ["sources-read"], not {shown(value)}.'
    )
