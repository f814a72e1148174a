"""What the explorer costs with many sources: bytes to the browser, and a key stroke.

    python -m tests.benchmarks.explorer [SOURCES]

The bytes are those of every message that leaves the kernel until the table is there, styles and
scripts included. A key stroke is all that the kernel does for one: search, counts, and the
answer with the first rows; it takes turns with the search of one column by pandas.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import comm
import pandas as pd
from comm.base_comm import BaseComm

import reinfer_nb as rnb
from reinfer_nb.frames import convert
from tests.benchmarks.listing import rows_of

_ROUNDS = 9
_TYPED = ("number 99", "source", "zzz", "e", "data team project-7")


class Counted(BaseComm):
    """A way to a browser that counts what goes along it."""

    sent = 0

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        """Count a message as it would be sent."""
        text = json.dumps([msg_type, data, metadata, keys], ensure_ascii=False)
        Counted.sent += len(text.encode()) + sum(len(part) for part in buffers or ())


def _took(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(count: int) -> None:
    """Print the bytes and the ratios for `count` sources in 5,000 projects."""
    comm.create_comm = Counted
    rows = [
        row | {"owner": f"project-{number % 5000}"} for number, row in enumerate(rows_of(count))
    ]
    listing = convert.from_elements(rows)
    with rnb.sandbox(listing) as client:
        df = client.sources()
        explorer = rnb.explore(client)
        _hear(explorer, {"kind": "open"})
        print(f"{count:,} sources: opening the explorer sends {Counted.sent / 1e3:.0f} KB")
        for typed in _TYPED:
            _strokes(explorer, df, typed)


def _strokes(explorer: Any, df: pd.DataFrame, typed: str) -> None:
    """Type a text letter by letter, and print what its letters cost."""
    texts = [typed[:end] for end in range(1, len(typed) + 1)]
    ours: dict[str, list[float]] = {text: [] for text in texts}
    pandas: dict[str, list[float]] = {text: [] for text in texts}
    sent = 0
    for _ in range(_ROUNDS):
        explorer.search = ""
        for text in texts:
            before = Counted.sent
            ours[text].append(_took(partial(_hear, explorer, {"kind": "search", "text": text})))
            sent = max(sent, Counted.sent - before)
            pandas[text].append(_took(partial(_by_hand, df, text)))
    own = [statistics.median(ours[text]) for text in texts]
    base = [statistics.median(pandas[text]) for text in texts]
    ratios = [left / right for left, right in zip(own, base, strict=True)]
    print(
        f"  typing {typed!r}: at most {max(own) * 1e3:.1f} ms a letter, {max(ratios):.1f} times "
        f"df[df.title.str.contains(q)] at most, {statistics.median(ratios):.1f} times in the "
        f"median; {sent / 1e3:.0f} KB sent at most; {len(explorer.frame):,} found"
    )


def _by_hand(df: pd.DataFrame, text: str) -> pd.DataFrame:
    return df[df.title.str.contains(text)]


def _hear(explorer: Any, content: dict[str, Any]) -> None:
    data = {"method": "custom", "content": content}
    before = Counted.sent
    explorer.finder.comm.handle_msg({"content": {"data": data}, "buffers": []})
    assert Counted.sent > before, "there was no answer"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
