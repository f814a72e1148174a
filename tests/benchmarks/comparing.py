"""Two listings compared: the toolkit, a merge by hand, and datacompy where it is installed.

datacompy may need another pandas than the toolkit; then it takes no part.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pandas as pd

import reinfer_nb as rnb
from tests.benchmarks.measuring import Line, Scale, in_turns
from tests.benchmarks.tenants import listing_of

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


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    before, after = two_listings(scale.sources)
    ways: dict[str, Callable[[pd.DataFrame, pd.DataFrame, Any], int]] = {
        '`merge(how="outer", indicator=True)` and a loop over the columns': by_hand,
    }
    if importlib.util.find_spec("datacompy"):
        ways["datacompy"] = by_datacompy
    for on in _KEYS:
        assert by_toolkit(before, after, on) == by_hand(before, after, on)
        calls = {name: partial(way, before, after, on) for name, way in ways.items()}
        times = in_turns(
            {"toolkit": partial(by_toolkit, before, after, on), **calls}, scale.rounds(7)
        )
        what = f"`compare` {scale.sources:,} sources by {'id' if on == 'id' else 'owner and name'}"
        for name in ways:
            goal = 1.5 if name != "datacompy" else 1
            yield Line("compare", what, times["toolkit"], name, times[name], goal)
