"""Decides what sample data say: the same for the same seed, and fast to begin."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Dice:
    """Numbers that look random. `random.Random` takes longer to begin than a comment to make.

    Args:
        seed: The same numbers follow from the same text.
    """

    def __init__(self, seed: str) -> None:
        self._left = int.from_bytes(hashlib.blake2b(seed.encode()).digest())

    def between(self, first: int, end: int) -> int:
        """Return a number from `first` to the one before `end`.

        A seed is good for 512 bits: a comment takes about 250 of them.
        """
        self._left, number = divmod(self._left, end - first)
        return first + number

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        self._left, number = divmod(self._left, len(items))
        return items[number]
