"""Docstrings for users, also under `python -OO`, which removes them from memory.

They are still in the source file.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable


def docstring(thing: Callable[..., object]) -> str | None:
    """Return the docstring of a function or class, with its indentation cleaned.

    Args:
        thing: A function or class.

    Returns:
        The docstring; None if there is none, or if it was removed and there is no source.
    """
    if sys.flags.optimize < 2:
        return inspect.getdoc(thing)
    # Not `__doc__`: in a dataclass without a docstring it is the signature.
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    definition = tree.body[0] if tree.body else None
    if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return ast.get_docstring(definition)
    return None
