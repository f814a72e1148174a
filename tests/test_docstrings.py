"""The examples in docstrings run, each against its own practice tenant."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

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
