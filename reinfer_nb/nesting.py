"""Functions over nested lists and dictionaries, of any depth, without recursion."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

# Levels of nesting that every part of the toolkit takes. Python's JSON, `repr` and comparison need
# a level of recursion for each; Python's default limit is 1000.
DEEPEST = 600

_ATOMS = {str, int, float, bool, type(None)}


def walked(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield a value and all values nested in it, each with its depth."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        yield item, depth
        if isinstance(item, dict):
            pending.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, list | tuple):
            pending.extend((inner, depth + 1) for inner in item)


def is_too_deep(value: Any) -> bool:
    """True if lists and dictionaries are nested more than `DEEPEST` levels deep."""
    if type(value) in _ATOMS:
        return False
    return any(depth >= DEEPEST for item, depth in walked(value) if isinstance(item, dict | list))


def is_json(value: Any) -> bool:
    """True if a value is unchanged by JSON: no tuples, and all keys are texts."""
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
    """Return a deep copy, as `copy.deepcopy` does."""
    result = [value]
    pending: list[tuple[Any, Any]] = [(result, 0)]
    while pending:
        container, key = pending.pop()
        item = container[key]
        kind = type(item)
        if kind in _ATOMS:
            continue
        if kind is dict:
            container[key] = dict(item)
            pending.extend(zip(repeat(container[key]), item, strict=False))
        elif kind is list:
            container[key] = list(item)
            pending.extend(zip(repeat(container[key]), range(len(item)), strict=False))
        else:
            container[key] = copy.deepcopy(item)
    return result[0]


class _Reference(NamedTuple):
    """Stands for the container with this number."""

    number: int


def flattened(value: dict[str, Any]) -> list[Any]:
    """Return all nested lists and dictionaries of a value as one flat list, for `unflattened`."""
    containers: list[Any] = [value]

    def reference(item: Any) -> Any:
        if type(item) not in (dict, list):
            return item
        containers.append(item)
        return _Reference(len(containers) - 1)

    # The list grows during the iteration.
    return [
        {key: reference(item) for key, item in container.items()}
        if type(container) is dict
        else [reference(item) for item in container]
        for container in containers
    ]


def unflattened(containers: list[Any]) -> Any:
    """Return the value that `flattened` flattened; changes the containers."""
    for container in containers:
        items = container.items() if type(container) is dict else enumerate(container)
        for key, item in list(items):
            if type(item) is _Reference:
                container[key] = containers[item.number]
    return containers[0]
