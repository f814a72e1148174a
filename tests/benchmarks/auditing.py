"""The whole audit of many sources against what listing them costs by hand.

    python -m tests.benchmarks.auditing [SOURCES]

They take turns: all rules over a listing, and the making of that listing as snippets in notebooks
do it, from the same sources. The second listing has something wrong in every row.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

import pandas as pd

import reinfer_nb as rnb
from tests.benchmarks.listing import by_hand, by_toolkit, rows_of

_ROUNDS = 7


def _took(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(count: int) -> None:
    """Print the ratios for `count` sources."""
    rows = rows_of(count)
    bad = {"title": "", "description": "", "bucket_id": None, "_kind": "unknown"}
    for shape, listed in (("as listed", rows), ("all of them bad", [row | bad for row in rows])):
        body = json.dumps({"sources": listed, "status": "ok"}).encode()
        df: pd.DataFrame = by_toolkit(body)
        found = len(rnb.audit(df).findings)
        left, right = [], []
        for _ in range(_ROUNDS):
            left.append(_took(lambda body=body: by_hand(body)))  # type: ignore[misc]
            right.append(_took(lambda df=df: rnb.audit(df)))  # type: ignore[misc]
        listing, audit = statistics.median(left), statistics.median(right)
        print(
            f"{count:,} sources, {shape}: audit {audit * 1e3:.0f} ms with {found:,} findings, "
            f"listing by hand {listing * 1e3:.0f} ms: {audit / listing:.2f} times"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
