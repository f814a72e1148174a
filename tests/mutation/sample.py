"""Let mutmut judge a random sample of its breaks, and print how many nobody noticed."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from tests.mutation.mypy_of_copies import NAMES_ONLY

# mutmut's exit codes.
VERDICTS = {0: "survived", 33: "no test", 37: "told by mypy", None: "not judged"}
VERDICTS |= dict.fromkeys([1, 3], "killed by a test")
# Every other one means that the tests did not end, or that the process was killed.
OTHER = "did not end"
UNNOTICED = ("survived", "no test")


def verdicts() -> dict[str, str]:
    """Return mutmut's verdict on each break."""
    return {
        name: VERDICTS.get(code, OTHER)
        for file in sorted(Path("mutants").rglob("*.meta"))
        for name, code in json.loads(file.read_text())["exit_code_by_key"].items()
    }


def package_of(name: str) -> str:
    """Return the package of a break, such as `plans`."""
    return name.split(".")[1]


def main(each: int, seed: int) -> int:
    """Judge a sample and print the result.

    Args:
        each: Number of breaks of each package.
        seed: Chooses the breaks.
    """
    # It makes the breaks and then refuses the name; `mutmut` has no command for the first alone.
    names_only = os.environ | {NAMES_ONLY: "yes"}
    subprocess.run(["mutmut", "run", "no break has this name"], check=False, env=names_only)
    names = defaultdict(list)
    for name in verdicts():
        names[package_of(name)].append(name)
    dice = random.Random(seed)
    sample = [
        name
        for package in sorted(names)
        for name in dice.sample(names[package], min(each, len(names[package])))
    ]
    ended = subprocess.run(["mutmut", "run", *sample], check=False)
    judged = verdicts()
    counts = {
        package: Counter(judged[name] for name in sample if package_of(name) == package)
        for package in sorted(names)
    }
    for package, count in counts.items():
        print(f"{package}: {', '.join(f'{count[kind]} {kind}' for kind in sorted(count))}")
    total = sum(counts.values(), Counter())
    unnoticed = sum(total[kind] for kind in UNNOTICED)
    number = total.total() - total["not judged"]
    print(f"{unnoticed} of {number} unnoticed; each package {each}, seed {seed}:")
    print("\n".join(name for name in sample if judged[name] in UNNOTICED))
    return ended.returncode
