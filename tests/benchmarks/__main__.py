"""The toolkit beside what people use today, side by side in one run.

    python -m tests.benchmarks [PART ...] [--quick] [--markdown FILE] [--readme FILE] [--json FILE]

Two ways take turns, after a round that does not count. A ratio tells how many times as fast the
toolkit is: the median of the other way, divided by that of the toolkit; with the quartiles of the
rounds. Memory is the peak of a process of its own, above its idle state.

`--quick` measures less, and fails if a ratio is below half its goal, or if the ratios of the
listing are below two thirds of their goals on average, twice in a row. Limits in seconds never
make it fail.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import logging
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Line, Scale, as_json
from tests.benchmarks.readme_table import readme_table

_PARTS = (
    "listing",
    "comparing",
    "planning",
    "auditing",
    "exporting",
    "explorer",
    "browsing",
    "serving",
    "pacing",
    "contents",
    "history",
    "starting",
)
_PACKAGES = ("reinfer_nb", "pandas", "pyarrow", "numpy", "msgspec", "requests", "polars", "duckdb")
# In a quick run a ratio may be so much of its goal, and those of the listing on average.
_LEAST, _LEAST_OF_LISTING = 0.5, 0.67


def about(scale: Scale) -> dict[str, Any]:
    """Return what is known about the machine and the run."""
    versions = {}
    for package in (*_PACKAGES, "datacompy"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": scale.quick,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **versions,
    }


def measured(part: str, scale: Scale) -> list[Line]:
    """Return the lines of a part, and print each as soon as it is measured."""
    lines = []
    for line in importlib.import_module(f"tests.benchmarks.{part}").lines(scale):
        lines.append(line)
        _, what, figure, other, ratio, spread, goal = row_of(line)
        ratio = ratio.strip("*")
        print(
            f"{ratio:>7} ({spread}; goal {goal or 'none'})  {what}: {figure}, {other}", flush=True
        )
    return lines


def row_of(line: Line) -> list[str]:
    """Return a line as the cells of a row."""
    low, high = line.spread
    goal = "" if line.goal is None else f"{line.goal:.2g}"
    return [
        line.part,
        line.what,
        f"{_figure(line.figure)} {line.unit}",
        line.other,
        f"**{line.ratio:.2f}**",
        f"{low:.2f} to {high:.2f}",
        goal if line.is_met else f"{goal}, missed",
    ]


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


_HEAD = ["part", "what", "toolkit", "beside", "ratio", "quartiles", "goal"]


def markdown(lines: Sequence[Line], facts: dict[str, Any]) -> str:
    """Return the lines as a table in Markdown, with the facts before it."""
    head = "; ".join(f"{name} {fact}" for name, fact in facts.items())
    table = [_HEAD, ["---"] * len(_HEAD), *map(row_of, lines)]
    return "\n".join([f"{head}.", "", *(f"| {' | '.join(cells)} |" for cells in table)]) + "\n"


def failures(lines: Sequence[Line]) -> list[str]:
    """Return why a quick run fails: the ratios that are far below their goals."""
    shares = [
        (line, line.ratio / line.goal)
        for line in lines
        if line.goal is not None and not line.is_limit
    ]
    found = [
        f"{line.what}: {line.ratio:.2f} is below half its goal {line.goal:.2g}"
        for line, share in shares
        if share < _LEAST
    ]
    listing = [share for line, share in shares if line.part == "listing"]
    if listing and statistics.geometric_mean(listing) < _LEAST_OF_LISTING:
        found.append(
            f"the listing: {statistics.geometric_mean(listing):.2f} of its goals on average"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(_PARTS))
    parser.add_argument("--quick", action="store_true", help="measure less, and fail if far off")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="also write the README's table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(_PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}")
    # Neither bars nor lines about retries belong in the table.
    os.environ["TQDM_DISABLE"] = "1"
    logging.getLogger("reinfer_nb").setLevel(logging.ERROR)
    scale = Scale(quick=options.quick)
    facts = about(scale)
    print("; ".join(f"{name} {fact}" for name, fact in facts.items()), end="\n\n", flush=True)
    begin = time.monotonic()
    by_part = {part: measured(part, scale) for part in options.parts or _PARTS}
    for part in (part for part in by_part if options.quick and failures(by_part[part])):
        print(f"\nMeasured again, since something else may have disturbed it: {part}", flush=True)
        by_part[part] = measured(part, scale)
    lines = list(chain.from_iterable(by_part.values()))
    print(f"\n{len(lines)} lines in {time.monotonic() - begin:.0f} s")
    if options.markdown:
        options.markdown.write_text(markdown(lines, facts))
    if options.readme:
        options.readme.write_text(readme_table(lines, facts))
    if options.json:
        options.json.write_text(as_json(lines, facts))
    problems = failures(lines) if options.quick else []
    for problem in problems:
        print(f"Too slow: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
