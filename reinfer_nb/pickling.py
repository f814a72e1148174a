"""Pickling and copying of dataclasses with read-only mappings or a client.

A pickle never contains the client, since a client holds a token. A copy in the same process
keeps it.
"""

from __future__ import annotations

import copy
import types
from typing import Any, Self

from reinfer_nb.nesting import copied, flattened, unflattened

_CLIENT = "client"


class Portable:
    """Base of dataclasses that can be pickled and copied."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        content = _content(self)
        if _CLIENT in content:
            content[_CLIENT] = None
        proxies = [name for name, value in content.items() if _is_proxy(value)]
        # Flattened, since pickle recurses and fails on deep nesting.
        content |= {name: flattened(dict(content[name])) for name in proxies}
        return _rebuilt, (type(self), content, proxies)

    def __copy__(self) -> Self:
        result: Self = _rebuilt(type(self), _content(self), [])
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        content: dict[str, Any] = {}
        for name, value in _content(self).items():
            if name == _CLIENT:
                content[name] = value
            elif _is_proxy(value):
                content[name] = types.MappingProxyType(copied(dict(value)))
            else:
                content[name] = copy.deepcopy(value, memo)
        result: Self = _rebuilt(type(self), content, [])
        return result


def _content(value: Portable) -> dict[str, Any]:
    names = getattr(value, "__dataclass_fields__", {})
    return {name: getattr(value, name) for name in names}


def _is_proxy(value: object) -> bool:
    return isinstance(value, types.MappingProxyType)


def _rebuilt(cls: Any, content: dict[str, Any], proxies: list[str]) -> Any:
    value = object.__new__(cls)
    content |= {name: types.MappingProxyType(unflattened(content[name])) for name in proxies}
    for name, part in content.items():
        object.__setattr__(value, name, part)
    return value
