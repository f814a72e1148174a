"""Lists and dictionaries within one another, as JSON has them: however deep, without recursion."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

# Levels of lists and dictionaries that every part of the toolkit takes. Python's own JSON, `repr`
# and comparison need a level of recursion for each, of the thousand that there are.
DEEPEST = 600

_ATOMS = {str, int, float, bool, type(None)}


def walked(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield a value and all in its lists, tuples and dictionaries, each with how deep it lies."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        yield item, depth
        if isinstance(item, dict):
            waiting.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, list | tuple):
            waiting.extend((inner, depth + 1) for inner in item)


def is_too_deep(value: Any) -> bool:
    """Whether more than `DEEPEST` lists and dictionaries lie within one another."""
    if type(value) in _ATOMS:
        return False
    return any(depth >= DEEPEST for item, depth in walked(value) if isinstance(item, dict | list))


def is_json(value: Any) -> bool:
    """Whether JSON gives a value back as it was, tuples and keys that are no texts not being so."""
    for item, depth in walked(value):
        if type(item) is dict:
            if depth >= DEEPEST or not all(type(key) is str for key in item):
                return False
        elif type(item) is list:
            if depth >= DEEPEST:
                return False
        elif type(item) not in _ATOMS:
            return False
    return True


def copied(value: Any) -> Any:
    """Return a deep copy of a value, as `copy.deepcopy` makes it."""
    result = [value]
    waiting: list[tuple[Any, Any]] = [(result, 0)]
    while waiting:
        container, key = waiting.pop()
        item = container[key]
        kind = type(item)
        if kind in _ATOMS:
            continue
        if kind is dict:
            container[key] = dict(item)
            waiting.extend(zip(repeat(container[key]), item, strict=False))
        elif kind is list:
            container[key] = list(item)
            waiting.extend(zip(repeat(container[key]), range(len(item)), strict=False))
        else:
            container[key] = copy.deepcopy(item)
    return result[0]


class _Place(NamedTuple):
    """Stands for a list or a dictionary among pieces."""

    number: int


def taken_apart(value: dict[str, Any]) -> list[Any]:
    """Return the lists and dictionaries of a value side by side, for `put_together`."""
    containers: list[Any] = [value]

    def piece(item: Any) -> Any:
        if type(item) not in (dict, list):
            return item
        containers.append(item)
        return _Place(len(containers) - 1)

    # The list grows while it is gone through.
    return [
        {key: piece(item) for key, item in container.items()}
        if type(container) is dict
        else [piece(item) for item in container]
        for container in containers
    ]


def put_together(pieces: list[Any]) -> Any:
    """Return the value that `taken_apart` made pieces of; they become parts of it."""
    for container in pieces:
        items = container.items() if type(container) is dict else enumerate(container)
        for key, item in list(items):
            if type(item) is _Place:
                container[key] = pieces[item.number]
    return pieces[0]
