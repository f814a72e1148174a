"""A year of a tenant: recording and looking back, beside DuckDB on the same files.

A snapshot a day; on a working day some twenty sources are added, removed, renamed or changed, at
the weekend none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import duckdb
import pandas as pd

import reinfer_nb as rnb
from reinfer_nb.schema.fields import fields_of
from tests.benchmarks.measuring import Line, Scale, side_by_side, took
from tests.benchmarks.tenants import listing_of

_BEGIN = datetime(2025, 1, 1, 6, tzinfo=UTC)
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


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    sources, days = (1_000, 30) if scale.quick else (10_000, 365)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "audits"
        listing = Days(sources)
        recorded, written = [], []
        for number in range(days):
            day = _BEGIN + timedelta(days=number)
            if day.weekday() >= 5:
                continue
            listing.pass_one(number)
            # A new history, as a process of each day has it.
            history = rnb.History(where)
            recorded.append(took(partial(history.record, listing.df, when=day)))
            plain = listing.df.drop(columns="sensitive_properties")
            written.append(took(partial(plain.to_parquet, Path(folder) / "plain.parquet")))
        what = f"a snapshot of {sources:,} sources recorded, in a year of them"
        yield Line("history", what, recorded, "`to_parquet` of pandas", written)
        yield side_by_side(
            "history",
            f"the timeline of a source in {len(recorded)} snapshots",
            lambda: rnb.History(where).timeline(listing.watched),
            "a query of DuckDB",
            partial(by_duckdb, where, listing.watched),
            rounds=scale.rounds(5),
            goal=1,
        )
