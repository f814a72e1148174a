"""A year of a tenant: what recording, looking back and the disk cost.

    python -m tests.benchmarks.history [SOURCES] [DAYS]

A snapshot a day; on a working day some twenty sources are added, removed, renamed or changed, at
the weekend none. DuckDB asks the same files for the same timeline and takes turns.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd

import reinfer_nb as rnb
from reinfer_nb.schema.fields import fields_of
from tests.benchmarks.listing import listing_of

_BEGIN = datetime(2025, 1, 1, 6, tzinfo=UTC)
_ROUNDS = 5
_CHANGES = 20


class Days:
    """A listing from day to day, the same for the same number of sources.

    Attributes:
        df: The listing of the day.
        watched: The full name of a source that changes every month.
    """

    def __init__(self, sources: int) -> None:
        # Further ones wait to be added.
        self._stock = listing_of(sources + sources // 2)
        self.df = self._stock.iloc[:sources].reset_index(drop=True)
        self._next = sources
        self._dice = Random(2)
        self.watched = self.df["owner"].iloc[0] + "/" + self.df["name"].iloc[0]

    def pass_one(self, number: int) -> None:
        """Let a working day pass: fourteen changes, two renames, two removals and two additions."""
        dice, df = self._dice, self.df.copy()
        rows = dice.sample(range(1, len(df)), _CHANGES - 2)
        moment = pd.Timestamp(_BEGIN + timedelta(days=number))
        for row in rows[:14]:
            field = dice.choice(["title", "description", "language"])
            df.loc[row, field] = f"{field} of day {number}"
            df.loc[row, ["updated_at", "last_modified"]] = moment
        for row in rows[14:16]:
            df.loc[row, "name"] = f"renamed-{number}-{row}"
        if number % 30 == 0:
            df.loc[0, "title"] = f"Title of day {number}"
        more = self._stock.iloc[self._next : self._next + 2]
        self._next += 2
        self.df = pd.concat([df.drop(index=rows[16:]), more], ignore_index=True)


def recorded(where: Path, sources: int, days: int) -> tuple[Days, list[float], list[float]]:
    """Record so many days, and return what it took with changes, and without."""
    listing = Days(sources)
    changed: list[float] = []
    unchanged: list[float] = []
    for number in range(days):
        day = _BEGIN + timedelta(days=number)
        working = day.weekday() < 5
        if working and number:
            listing.pass_one(number)
        # Each day is a process of its own, which knows nothing yet.
        took, snapshot = timed(partial(rnb.History(where).record, listing.df, when=day))
        (unchanged if snapshot.unchanged else changed).append(took)
    return listing, changed, unchanged


def by_duckdb(where: Path, source: str) -> list[tuple[datetime, str]]:
    """Return when each version of a source is first seen, with its id, as DuckDB finds it.

    Args:
        where: The history, of whole listings only.
        source: Its full name.
    """
    content = ", ".join(f'"{field.name}"' for field in fields_of(rnb.Source))
    query = """
        WITH snapshots AS (
            SELECT snapshot_at, row_number() OVER (ORDER BY snapshot_at) AS number
            FROM (SELECT DISTINCT snapshot_at FROM files)
        ), versions AS (
            SELECT id, snapshot_at, number, row(CONTENT) AS content
            FROM files JOIN snapshots USING (snapshot_at)
            WHERE id IN (SELECT id FROM files WHERE owner = ? AND name = ?)
        )
        SELECT snapshot_at, id FROM versions
        WINDOW one AS (PARTITION BY id ORDER BY number)
        QUALIFY number - 1 IS DISTINCT FROM lag(number) OVER one
            OR content IS DISTINCT FROM lag(content) OVER one
        ORDER BY snapshot_at, id
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_parquet(f"{where}/**/*.parquet").create_view("files")
        found = connection.execute(query.replace("CONTENT", content), source.split("/")).fetchall()
    return [(at.astimezone(UTC), of_id) for at, of_id in found]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that something takes, and what it returns."""
    gc.collect()
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def main(sources: int, days: int) -> None:
    """Print what a year costs."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "audits"
        listing, changed, unchanged = recorded(where, sources, days)
        one = f"{statistics.median(changed) * 1e3:.0f} ms"
        if unchanged:
            one += f", unchanged {statistics.median(unchanged) * 1e3:.0f} ms"
        size = sum(file.stat().st_size for file in where.rglob("*.parquet"))
        print(f"{sources:,} sources, {days} days: record {one}; {size / 1e6:.0f} MB on the disk")
        of_id = str(listing.df.loc[0, "id"])
        ways: dict[str, Callable[[], Any]] = {
            "timeline by name": lambda: rnb.History(where).timeline(listing.watched),
            "timeline by id": lambda: rnb.History(where).timeline(of_id),
            "timeline by name in DuckDB": lambda: by_duckdb(where, listing.watched),
            "load": lambda: rnb.History(where).load("2025-01-31"),
            "snapshots": lambda: rnb.History(where).snapshots(),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                times[name].append(timed(way)[0])
        for name, each in times.items():
            print(f"{name}: {statistics.median(each):.2f} s")
        took, found = timed(lambda: rnb.History(where).changes())
        print(f"changes of all days: {took:.1f} s, {len(found):,} rows")


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], *("10000", "365")[len(sys.argv) - 1 :])))
