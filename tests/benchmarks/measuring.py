"""Measures two ways in turns, and the memory of a process of its own."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

# The least milliseconds that a round takes.
_LEAST = 20.0


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        quick: Whether to measure less, as CI does.
    """

    quick: bool = False

    # The number of sources in a long listing.
    sources = 100_000

    @property
    def fewer_sources(self) -> int:
        """The number of sources where a quick run has no time for more."""
        return 20_000 if self.quick else self.sources

    def rounds(self, most: int) -> int:
        """Return how often each way takes its turn, if it is `most` in a full run."""
        return min(3, most) if self.quick else most


@dataclass(frozen=True)
class Line:
    """One line of the table: the toolkit beside another way.

    Attributes:
        part: The part of the toolkit.
        what: What is done.
        ours: The toolkit's figures, one per round.
        other: The other way.
        theirs: Its figures; a single one if it is a limit.
        goal: The least ratio of theirs to ours that is aimed at; None if there is no goal.
        unit: Of the figures.
    """

    part: str
    what: str
    ours: Sequence[float]
    other: str
    theirs: Sequence[float]
    goal: float | None = None
    unit: str = "ms"

    @property
    def figure(self) -> float:
        """The toolkit's median."""
        return statistics.median(self.ours)

    @property
    def ratio(self) -> float:
        """How many times the other way's median is the toolkit's."""
        return statistics.median(self.theirs) / max(self.figure, 1e-9)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the ratios of the rounds."""
        theirs = (
            self.theirs
            if len(self.theirs) == len(self.ours)
            else [*self.theirs[:1]] * len(self.ours)
        )
        ratios = [their / max(our, 1e-9) for our, their in zip(self.ours, theirs, strict=True)]
        if len(ratios) < 2:
            return ratios[0], ratios[0]
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return low, high

    @property
    def is_limit(self) -> bool:
        """True if the other way is a fixed limit and was not measured."""
        return self.other.startswith("limit")

    @property
    def is_met(self) -> bool:
        """True if the goal is met, or there is none."""
        return self.goal is None or self.ratio >= self.goal


def took(work: Callable[[], object]) -> float:
    """Return the milliseconds that something takes, after a collection of garbage."""
    gc.collect()
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each way in each round, after a round that does not count.

    The order of the ways changes from round to round. A round repeats what takes little time, and
    counts the average.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    repeats = {name: max(1, int(_LEAST / max(took(way), 0.01))) for name, way in ways.items()}
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            work = partial(_repeated, ways[name], repeats[name])
            times[name].append(took(work) / repeats[name])
    return times


def _repeated(work: Callable[[], object], repeats: int) -> None:
    for _ in range(repeats):
        work()


def side_by_side(
    part: str,
    what: str,
    ours: Callable[[], object],
    other: str,
    theirs: Callable[[], object],
    *,
    rounds: int,
    goal: float | None = None,
) -> Line:
    """Return a line for two ways that take turns."""
    times = in_turns({"toolkit": ours, other: theirs}, rounds)
    return Line(part, what, times["toolkit"], other, times[other], goal)


_PEAK = """
import json, sys
{prepare}
def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
idle = status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
{work}
print((status("VmHWM") - idle) / 1024)
"""


def peak(prepare: str, work: str, *arguments: str) -> float:
    """Return the peak memory of a process above its idle state, in MB.

    Args:
        prepare: The code before, such as imports.
        work: The code that is measured.
        arguments: For the code, in `sys.argv`.
    """
    code = _PEAK.format(prepare=prepare, work=work)
    return float(output_of([sys.executable, "-c", code, *arguments]).splitlines()[-1])


def has_peak() -> bool:
    """True if this machine tells the peak memory of a process."""
    return sys.platform == "linux"


def output_of(command: Sequence[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def as_json(lines: Sequence[Line], about: dict[str, Any]) -> str:
    """Return the lines as a JSON text, with what is known about the machine."""
    rows = [
        {
            "part": line.part,
            "what": line.what,
            "toolkit": line.figure,
            "unit": line.unit,
            "other": line.other,
            "ratio": line.ratio,
            "quartiles": line.spread,
            "goal": line.goal,
            "met": line.is_met,
        }
        for line in lines
    ]
    return json.dumps({"about": about, "lines": rows}, indent=1)
