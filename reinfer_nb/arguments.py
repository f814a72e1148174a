"""Checks of arguments that many public functions take; each raises `InvalidInput`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

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
    raise InvalidInput(f"{name} must be True or False, not {shown(value)}.")


def limit(value: object) -> int | None:
    """Return the number of lines of each kind that a report shows; None for all."""
    if value is None:
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0:
        return int(value)
    raise InvalidInput(
        f"limit must be a whole number from 0 on, or None for all, not {shown(value)}."
    )


def positive(value: object, name: str) -> int:
    """Return a whole number from 1 on.

    Args:
        value: The number.
        name: The argument, as the message calls it.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
        return int(value)
    raise InvalidInput(f"{name} must be a whole number from 1 on, not {shown(value)}.")


def choice(value: object, name: str, choices: Iterable[str]) -> str:
    """Return a text that is one of `choices`.

    Args:
        value: The value.
        name: The argument, as the message calls it.
        choices: The texts that are allowed.
    """
    allowed = list(choices)
    if isinstance(value, str) and value in allowed:
        return str(value)
    raise InvalidInput(f"{name} must be one of {listed(allowed)}, not {shown(value)}.")


def text(value: object, name: str, example: str) -> str:
    """Return a text.

    Args:
        value: The value.
        name: The argument, as the message calls it.
        example: A valid text, for the message.
    """
    if isinstance(value, str):
        if holds_half_character(value):
            raise InvalidInput(
                f"{name} is {shown(value)}, which holds half a character (a lone surrogate). "
                "Replace that character."
            )
        return str(value)
    raise InvalidInput(f"{name} must be a text such as {example!r}, not {shown(value)}.")


def permission_names(value: object, name: str) -> list[str]:
    """Return a collection of permission names as a list."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        names = list(value)
        if all(isinstance(item, str) and not holds_half_character(item) for item in names):
            return list(map(str, names))
    raise InvalidInput(
        f'{name} must be a list of permissions such as ["sources-read"], not {shown(value)}.'
    )


def numbers(value: Any, count: int, name: str, what: str) -> npt.NDArray[np.int64]:
    """Return the numbers of some of `count` things as an array.

    Args:
        value: An iterable of the numbers, counted from 0.
        count: How many things there are.
        name: The argument, as the message calls it.
        what: What the numbers are of, such as "rows of the findings".
    """
    is_one = isinstance(value, str) or not hasattr(value, "__iter__")
    given: list[Any] = [value] if is_one else list(value)
    if given and not count:
        raise InvalidInput(f"{name} must be empty, since there are no {what}.")
    for number in given:
        is_whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
        if not (is_whole and 0 <= number < count):
            raise InvalidInput(
                f"{name} must be numbers of {what}, from 0 to {count - 1:,}, not {shown(number)}."
            )
    return np.array(given, dtype=np.int64)
