"""The docstrings of public names: all in one style, with examples that run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb


def examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in pkgutil.walk_packages(rnb.__path__, "reinfer_nb."):
        for found in finder.find(importlib.import_module(module.name)):
            if found.examples:
                yield found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::reinfer_nb.RestoredWarning")
@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_example(
    example: doctest.DocTest,
    client: rnb.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    example.globs |= {"client": client, "rnb": rnb}
    runner = doctest.DocTestRunner(
        verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    runner.run(example)
    assert not runner.failures, capsys.readouterr().out


def public_names() -> Iterator[tuple[str, Any]]:
    """Yield the public functions and classes, and the public methods of the classes."""
    for name in rnb.__all__:
        value = getattr(rnb, name)
        if inspect.ismodule(value) and not callable(value):
            for inner in value.__all__:
                yield f"{name}.{inner}", getattr(value, inner)
            continue
        yield name, inspect.unwrap(value.__call__) if inspect.ismodule(value) else value
        for inner in dir(value) if inspect.isclass(value) else ():
            method = inspect.getattr_static(value, inner)
            function = getattr(method, "__func__", method)
            if not inner.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{inner}", function


NAMES = dict(public_names())
FUNCTIONS = {
    name: value
    for name, value in NAMES.items()
    if inspect.isfunction(value) and value.__module__.startswith("reinfer_nb")
}


@pytest.mark.parametrize("public", FUNCTIONS)
def test_a_public_function_says_what_it_returns_and_takes(public: str) -> None:
    function = FUNCTIONS[public]
    doc = inspect.getdoc(function) or ""
    summary = doc.partition("\n\n")[0]
    if function.__annotations__.get("return") not in ("None", "NoReturn", None):
        says = re.match(r"Return |True if |Context manager |.* return ", summary, re.DOTALL)
        assert says or "\nReturns:\n" in doc
    arguments = doc.partition("\nArgs:\n")[2].partition("\n\n")[0]
    code = function.__code__
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        assert name in ("self", "cls") or re.search(rf"(?m)^    {name}: \S", arguments), name


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example(name: str) -> None:
    value, owner = NAMES[name], NAMES.get(name.partition(".")[0]) if "." in name else None
    if inspect.isclass(value) and issubclass(value, Exception | rnb.Source | rnb.Snapshot):
        return
    if inspect.isfunction(value) and not inspect.isclass(owner):
        assert ">>> " in (inspect.getdoc(value) or "")
