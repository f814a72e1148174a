"""Attributes of which each reader gets an own copy, so that a report goes on saying what is so."""

from __future__ import annotations

import types
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import pandas as pd

_Class = TypeVar("_Class", bound=type)


def unshared(cls: _Class) -> _Class:
    """Let nobody change what an object of a frozen dataclass says through its attributes.

    A frame is returned as a shallow copy, of which pandas copies what is written into; an array
    and a dictionary are returned read-only.
    """
    for field in fields(cls):
        setattr(cls, field.name, _Unshared(field.name))
    return cls


class _Unshared:
    """An attribute that lies in the object's `__dict__`, where copying and pickling look too."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        # A dataclass has no attribute for a field without a default.
        if instance is None or self._name not in instance.__dict__:
            raise AttributeError(f"{owner.__name__!r} has no attribute {self._name!r}")
        value = instance.__dict__[self._name]
        return value.copy(deep=False) if isinstance(value, pd.DataFrame) else value

    def __set__(self, instance: object, value: Any) -> None:
        if isinstance(value, np.ndarray):
            # A copy, whose owner could make it writable, is held by nobody else.
            value = value.copy()
            value.flags.writeable = False
            value = value.view()
        elif type(value) is dict:
            value = types.MappingProxyType(dict(value))
        instance.__dict__[self._name] = value
