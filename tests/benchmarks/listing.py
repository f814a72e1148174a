"""A listing of many sources: the toolkit's way against what a notebook does by hand.

    python -m tests.benchmarks.listing [SOURCES]

Both get the same bytes and take turns. The three shapes differ in what a row holds.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pandas as pd

from reinfer_nb.frames import convert

_TIMES = ("created_at", "updated_at", "last_modified")
_ROUNDS = 7


def by_hand(body: bytes) -> pd.DataFrame:
    """Return the listing as snippets in notebooks do."""
    df = pd.DataFrame(json.loads(body)["sources"])
    for column in _TIMES:
        df[column] = pd.to_datetime(df[column])
    return df


def by_toolkit(body: bytes) -> pd.DataFrame:
    """Return the listing as `Client.sources` does once it has the body."""
    _, df = convert.from_listing(body)
    assert df is not None
    return df


def rows_of(count: int) -> list[dict[str, Any]]:
    """Return sources as an answer has them, the same for each `count`."""
    dice = Random(1)
    return [_row(number, dice) for number in range(count)]


def listing_of(count: int) -> pd.DataFrame:
    """Return a listing as a client makes it of an answer."""
    return by_toolkit(json.dumps({"sources": rows_of(count), "status": "ok"}).encode())


def _row(number: int, dice: Random) -> dict[str, Any]:
    begin = datetime(2018, 1, 1, tzinfo=UTC)
    made = begin + timedelta(microseconds=dice.randrange(8 * 365 * 86_400 * 10**6))
    moved = made + timedelta(microseconds=dice.randrange(300 * 86_400 * 10**6))
    return {
        "_kind": dice.choice(["unknown", "chat", "call"]),
        "bucket_id": f"{dice.getrandbits(64):016x}",
        "created_at": made.isoformat(timespec="microseconds"),
        "description": "What arrives there is loaded every night. Looked after by the data team.",
        "id": f"{dice.getrandbits(64):016x}",
        "language": dice.choice(["en", "en", "de", "xlm"]),
        "last_modified": moved.isoformat(timespec="microseconds"),
        "name": f"source-{number}",
        "owner": f"project-{number % 50}",
        "sensitive_properties": dice.choice([[], [], ["email"], ["email", "phone"]]),
        "should_translate": dice.random() < 0.2,
        "title": f"Source number {number}",
        "updated_at": moved.isoformat(timespec="microseconds"),
    }


def _reference(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the fields that the reference page shows in a listing."""
    hidden = ("_kind", "bucket_id", "language")
    return {name: value for name, value in row.items() if name not in hidden}


def _foreign(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"title": f"Schäden in Überlingen {row['name']}", "region": "süd"}


def _took(way: Callable[[bytes], pd.DataFrame], body: bytes) -> float:
    gc.collect()
    begin = time.perf_counter()
    df = way(body)
    took = time.perf_counter() - begin
    assert len(df)
    return took


def main(count: int) -> None:
    """Print the ratios for `count` sources."""
    rows = rows_of(count)
    shapes: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "all fields": dict,
        "fields of the reference page": _reference,
        "umlauts and an unknown field": _foreign,
    }
    for shape, of in shapes.items():
        content = {"sources": [of(row) for row in rows], "status": "ok"}
        body = json.dumps(content, ensure_ascii=False).encode()
        left, right = [], []
        for _ in range(_ROUNDS):
            left.append(_took(by_hand, body))
            right.append(_took(by_toolkit, body))
        slow, fast = statistics.median(left), statistics.median(right)
        print(
            f"{count:,} sources, {shape}, {len(body) / 1e6:.0f} MB: by hand {slow * 1e3:.0f} ms, "
            f"toolkit {fast * 1e3:.0f} ms: {slow / fast:.1f} times faster "
            f"(best against best {min(left) / min(right):.1f})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
