"""Two listings held against each other: the toolkit's way, a merge by hand, and datacompy's.

    python -m tests.benchmarks.comparing [SOURCES]

They get the same two frames and take turns. datacompy takes part where it is installed
(`pip install datacompy`, which may want another pandas than the toolkit's other benchmarks ran
with; an environment of its own is best).
"""

from __future__ import annotations

import gc
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

import reinfer_nb as rnb
from tests.benchmarks.listing import listing_of

_ROUNDS = 7
_KEYS = ("id", ["owner", "name"])


def by_toolkit(before: pd.DataFrame, after: pd.DataFrame, on: Any) -> int:
    """Return how many cells `compare` finds changed."""
    return len(rnb.compare(before, after, on=on, ignore=()).changed)


def by_hand(before: pd.DataFrame, after: pd.DataFrame, on: Any) -> int:
    """Return how many cells a merge with a loop over the columns finds changed."""
    merged = before.merge(after, on=on, how="outer", indicator=True, suffixes=("", "_after"))
    both = merged[merged["_merge"] == "both"]
    changed = 0
    for column in before.columns:
        if f"{column}_after" in both:
            left, right = both[column], both[f"{column}_after"]
            changed += int(((left != right) & ~(left.isna() & right.isna())).sum())
    return changed


def by_datacompy(before: pd.DataFrame, after: pd.DataFrame, on: Any) -> int:
    """Return how many cells datacompy finds changed."""
    import datacompy

    keys = [on] if isinstance(on, str) else on
    found = datacompy.PandasCompare(before, after, join_columns=keys)
    return sum(stats["unequal_cnt"] for stats in found.column_stats)


def two_listings(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a listing, and what some weeks make of it: in another order, with some changes."""
    before = listing_of(count)
    gone, changed = count // 200, count // 50
    after = before.drop(index=range(gone)).sample(frac=1, random_state=1).reset_index(drop=True)
    after.loc[: changed - 1, "title"] = "Another title"
    after.loc[changed // 2 : changed, "language"] = "xlm"
    return before, after


def main(count: int) -> None:
    """Print the ratios for `count` sources."""
    before, after = two_listings(count)
    ways: dict[str, Callable[[pd.DataFrame, pd.DataFrame, Any], int]] = {
        "compare": by_toolkit,
        "merge and a loop": by_hand,
    }
    if importlib.util.find_spec("datacompy"):
        ways["datacompy"] = by_datacompy
    else:
        print("datacompy is not installed here and takes no part")
    for on in _KEYS:
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                gc.collect()
                begin = time.perf_counter()
                assert way(before, after, on)
                times[name].append(time.perf_counter() - begin)
        taken = {name: statistics.median(each) for name, each in times.items()}
        ratios = ", ".join(
            f"{name} {median * 1e3:.0f} ms ({median / taken['compare']:.1f})"
            for name, median in taken.items()
        )
        print(f"{count:,} sources by {on if isinstance(on, str) else ' and '.join(on)}: {ratios}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
