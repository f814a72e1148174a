"""A key stroke in the search of a listing against a search by hand.

    python -m tests.benchmarks.narrowing [SOURCES]

By hand it is one column and one text; a key stroke searches five columns, finds the rows in
order and counts them for every choice of every facet. The two take turns.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import pandas as pd

from reinfer_nb.search.table_filter import Narrowing
from tests.benchmarks.listing import listing_of

_ROUNDS = 31
_QUERIES = {
    "rare": "99123",
    "common": "source",
    "absent": "nothing of it",
    "one letter": "e",
    "two words": "number 99",
    "two words, one rarer": "number project-7/",
    "phrase": '"number 12"',
}


def by_hand(df: pd.DataFrame, query: str) -> int:
    """Return how many rows a text is found in, as a cell in a notebook would."""
    return len(df[df.title.str.contains(query.replace('"', ""))])


def by_toolkit(narrowing: Narrowing, query: str) -> int:
    """Return how many rows are shown after a key stroke, with everything that follows from it."""
    narrowing.narrow(query)
    narrowing.counts()
    return len(narrowing.positions)


def _took(way: Callable[[], object]) -> float:
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def _made(df: pd.DataFrame) -> float:
    gc.collect()
    return _took(partial(Narrowing, df))


def main(count: int) -> None:
    """Print the ratios for `count` sources."""
    df = listing_of(count)
    made = statistics.median(_made(df) for _ in range(7))
    print(f"{count:,} sources, made ready once: {made * 1e3:.0f} ms")
    narrowing = Narrowing(df)
    states: dict[str, dict[str, str]] = {
        "nothing chosen": {},
        "two facets chosen": {"language": "en", "kind": "chat"},
    }
    worst = 0.0
    for state, chosen in states.items():
        narrowing.narrow("", chosen)
        for name, query in _QUERIES.items():
            hand, ours = [], []
            for _ in range(_ROUNDS):
                narrowing.narrow("")  # as if the query were new
                hand.append(_took(partial(by_hand, df, query)))
                ours.append(_took(partial(by_toolkit, narrowing, query)))
            base, stroke = statistics.median(hand), statistics.median(ours)
            worst = max(worst, stroke / base)
            print(
                f"{state}, {name} ({query}; {len(narrowing.positions):,} shown): by hand "
                f"{base * 1e3:.1f} ms, key stroke {stroke * 1e3:.1f} ms: {stroke / base:.2f} times"
            )
    print(f"worst: {worst:.2f} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
