"""The order of tests for mutmut: those that may find a break soon come first."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

# Tests that take longer, in seconds, come last.
LONG = 1.0
STATS = Path("mutmut-stats.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with quick tests of the broken package, and run each file's tests together."""
    package = os.environ.get("MUTANT_UNDER_TEST", "").partition(".")[2].partition(".")[0]
    if not package or not STATS.exists():
        return
    durations = json.loads(STATS.read_text())["duration_by_test"]
    times = Counter[Path]()
    for item in items:
        times[item.path] += durations.get(item.nodeid, 0)

    def rank(item: pytest.Item) -> tuple[bool, bool, float, str]:
        is_long = durations.get(item.nodeid, 0) > LONG
        return is_long, item.path.parent.name != package, times[item.path], str(item.path)

    items.sort(key=rank)
