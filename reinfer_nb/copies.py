"""Attributes that return a copy to each reader, so that nobody can change a report."""

from __future__ import annotations

import types
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import pandas as pd

_Class = TypeVar("_Class", bound=type)


def unshared(cls: _Class) -> _Class:
    """Class decorator that protects the attributes of a frozen dataclass against changes.

    A frame is returned as a shallow copy, which pandas copies on write; an array and a dictionary
    are returned read-only.
    """
    for field in fields(cls):
        setattr(cls, field.name, _Unshared(field.name))
    return cls


class _Unshared:
    """An attribute stored in the object's `__dict__`, which copying and pickling use too."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        # As in any dataclass, the class has no attribute for a field without a default.
        if instance is None or self._name not in instance.__dict__:
            raise AttributeError(f"{owner.__name__!r} has no attribute {self._name!r}")
        value = instance.__dict__[self._name]
        return value.copy(deep=False) if isinstance(value, pd.DataFrame) else value

    def __set__(self, instance: object, value: Any) -> None:
        if isinstance(value, np.ndarray):
            # A view cannot be made writable, and nobody else has the copy that owns the data.
            value = value.copy()
            value.flags.writeable = False
            value = value.view()
        elif type(value) is dict:
            value = types.MappingProxyType(dict(value))
        instance.__dict__[self._name] = value
