"""The import of the package, and commands that only print something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measuring import Line, Scale, output_of, side_by_side

_IMPORT = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    ours, theirs = [], []
    for _ in range(scale.rounds(15)):
        # The names are imported when they are used first.
        ours.append(_import("reinfer_nb; reinfer_nb.connect, reinfer_nb.sandbox"))
        theirs.append(_import("pandas, requests"))
    yield Line(
        "start",
        "`import reinfer_nb`, and `connect` and `sandbox` of it",
        ours,
        "`import pandas, requests`",
        theirs,
        goal=1 / 1.1,
    )
    for option in ("--version", "--help"):
        command = [str(Path(sys.executable).with_name("reinfer-nb")), option]
        yield side_by_side(
            "start",
            f"`reinfer-nb {option}`",
            lambda command=command: output_of(command),  # type: ignore[misc]
            "`python -c pass`",
            lambda: output_of([sys.executable, "-c", "pass"]),
            rounds=15,
            goal=1 / 3,
        )


def _import(modules: str) -> float:
    return float(output_of([sys.executable, "-c", _IMPORT.format(modules)])) * 1e3
