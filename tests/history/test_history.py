"""Histories of a simulated tenant, compared with plain loops over what was recorded."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import convert
from reinfer_nb.schema.value_types import Flag, Moment, Text, Whole, is_missing
from tests.benchmarks.history import Days, by_duckdb
from tests.csvfile.test_io import DTYPES, MOMENTS, OF_TYPE, TEXTS, UNKNOWN, column, maybe, same

Element = dict[str, Any]
BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TENANT = "https://cloud.example/acme/prod/reinfer_"
FIELDS = list(DTYPES)
IDENTITY = ("id", "owner", "name")


def day(number: int) -> datetime:
    return BEGIN + number * DAY


def listing_of(
    elements: list[Element], endpoint: str | None = TENANT, **attrs: Any
) -> pd.DataFrame:
    """Return elements of a response as a listing."""
    df = convert.from_elements(elements)
    tenant = {"endpoint": endpoint, "project": None} if endpoint else {}
    df.attrs.update(**(tenant | attrs))
    return df


def one(**fields: Any) -> pd.DataFrame:
    """Return a listing of one source."""
    return listing_of([{"id": "00000000000000aa", "owner": "claims", "name": "motor"} | fields])


@pytest.fixture
def history(tmp_path: Path) -> rnb.History:
    return rnb.History(tmp_path / "audits")


# A tenant over time


@dataclass
class Kept:
    """An expected snapshot: rows by id, with the cells of a frame."""

    at: datetime
    project: str | None
    rows: dict[str, dict[str, Any]]


def rows_by_id(df: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows of a listing by id, with missing cells as None."""
    rows = (
        {str(name): None if is_missing(cell) else cell for name, cell in row.items()}
        for row in df.to_dict("records")
    )
    return {str(row["id"]): row for row in rows}


class Tenant:
    """A tenant whose sources are created, deleted and changed at random."""

    def __init__(self, seed: int, *, projects: bool = True) -> None:
        self.dice = Random(seed)
        self.sources: list[Element] = []
        self.projects = projects
        self._made = 0
        for _ in range(self.dice.randrange(6)):
            self.add()

    def add(self, full_name: tuple[str, str] | None = None) -> None:
        self._made += 1
        owner, name = full_name or (self.dice.choice("abc"), f"source-{self._made}")
        element = {"id": f"{self._made:016x}", "owner": owner, "name": name}
        self.sources.append(element | {"created_at": "2026-01-01T00:00:00Z"})

    def step(self) -> None:
        """Simulate a day with no change, one change or several changes."""
        dice = self.dice
        for _ in range(dice.choice([0, 0, 1, 1, 2, 5])):
            what = dice.choice(["add", "remove", "again", "rename", "move", *["change"] * 5])
            if what == "add" or not self.sources:
                self.add()
                continue
            source = dice.choice(self.sources)
            if what in ("remove", "again"):
                self.sources.remove(source)
            if what == "again":
                # Another source with the same name.
                self.add((source["owner"], source["name"]))
            elif what == "rename":
                source["name"] = f"renamed-{dice.randrange(10**6)}"
            elif what == "move":
                source["owner"] = dice.choice("abc")
            elif what == "change":
                field, values = dice.choice(list(CHANGES.items()))
                source[field] = dice.choice(values)
        if dice.random() < 0.1:
            self.sources.clear()

    def listing(self, project: str | None) -> pd.DataFrame:
        """Return the listing of the API, in random order."""
        self.dice.shuffle(self.sources)
        chosen = [s for s in self.sources if project in (None, s["owner"])]
        return listing_of(deepcopy(chosen), project=project)


CHANGES: dict[str, list[Any]] = {
    "title": ["One", "Two", "", None],
    "description": ["Two\nlines", "=1+1"],
    "language": ["en", "de"],
    "should_translate": [True, False, None],
    "sensitive_properties": [[], [""], ["email"], ["email", "phone"], ["email,phone"]],
    "email_transform_version": [1, 2**53 + 1],
    "updated_at": ["2026-02-01T00:00:00.000001Z", "2026-02-01T00:00:00Z"],
}


def simulated(where: Path, seed: int, *, projects: bool = True, days: int = 20) -> list[Kept]:
    """Record a tenant on some days, a few of them late, and return the expected snapshots."""
    tenant = Tenant(seed, projects=projects)
    listings: list[tuple[datetime, str | None, pd.DataFrame]] = []
    for number in range(days):
        tenant.step()
        chosen = tenant.dice.choice([None, None, None, "a", "b"]) if projects else None
        listings.append((day(number), chosen, tenant.listing(chosen)))
    late = [item for item in listings if tenant.dice.random() < 0.2]
    in_time = [item for item in listings if all(item is not other for other in late)]
    tenant.dice.shuffle(late)
    for at, _, df in in_time + late:
        rnb.History(where).record(df, when=at)
    return [Kept(at, project, rows_by_id(df)) for at, project, df in listings]


@pytest.fixture(scope="module", params=range(4))
def simulation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[rnb.History, list[Kept]]:
    """A history and its expected snapshots; for tests that only read."""
    where = tmp_path_factory.mktemp("simulated") / "audits"
    kept = simulated(where, request.param)
    return rnb.History(where), kept


def as_it_was(kept: list[Kept], when: datetime, project: str | None) -> Kept | None:
    found = None
    for snapshot in kept:
        if snapshot.at <= when and snapshot.project in (None, project):
            found = snapshot
    return found


@pytest.mark.slow
def test_a_listing_is_loaded_as_it_was(simulation: tuple[rnb.History, list[Kept]]) -> None:
    history, kept = simulation
    moments = [at + delta for at in (k.at for k in kept) for delta in (-DAY / 3, 0 * DAY, DAY / 3)]
    for when in [moments[0], *Random(3).sample(moments, 20)]:
        for project in (None, "a", "b", "nowhere"):
            expected = as_it_was(kept, when, project)
            if expected is None or project == "nowhere":
                with pytest.raises(InvalidInput):
                    history.load(when, project=project)
                continue
            df = history.load(when, project=project)
            rows = expected.rows
            if project is not None:
                rows = {key: row for key, row in rows.items() if row["owner"] == project}
            assert rows_by_id(df) == rows
            assert list(df.columns) == FIELDS
            assert df.attrs == {"endpoint": TENANT, "project": project}
            assert df.index.equals(pd.RangeIndex(len(rows)))


@pytest.mark.slow
def test_snapshots_are_what_was_recorded(simulation: tuple[rnb.History, list[Kept]]) -> None:
    history, kept = simulation
    df = history.snapshots()
    assert df["snapshot_at"].to_list() == [snapshot.at for snapshot in kept]
    assert df["sources"].to_list() == [len(snapshot.rows) for snapshot in kept]
    assert df["project"].astype(object).where(df["project"].notna(), None).to_list() == [
        snapshot.project for snapshot in kept
    ]
    assert set(df["endpoint"]) == {TENANT}
    # A listing recorded late may be written although it equals the one before.
    last: dict[str | None, Kept] = {}
    for snapshot, unchanged in zip(kept, df["unchanged"], strict=True):
        if unchanged:
            assert any(
                earlier.rows == snapshot.rows and earlier.project == snapshot.project
                for earlier in kept
                if earlier.at < snapshot.at
            )
        elif snapshot.project not in last:
            assert not unchanged
        last[snapshot.project] = snapshot


Timeline = list[tuple[datetime, datetime, datetime | None, tuple[str, ...], dict[str, Any]]]


def versions_of(kept: list[Kept], source: str) -> Timeline:
    """Return the expected versions of a source."""
    versions: list[list[Any]] = []
    for snapshot in kept:
        row = snapshot.rows.get(source)
        if row is None:
            if versions and snapshot.project in (None, versions[-1][4]["owner"]):
                versions[-1][2] = versions[-1][2] or snapshot.at
        elif versions and versions[-1][2] is None and versions[-1][4] == row:
            versions[-1][1] = snapshot.at
        else:
            before = versions[-1][4] if versions else row
            changed = tuple(field for field in FIELDS if before[field] != row[field])
            versions.append([snapshot.at, snapshot.at, None, changed, row])
    return [(first, last, gone, changed, row) for first, last, gone, changed, row in versions]


def lines_of(df: pd.DataFrame) -> Timeline:
    rows = df.to_dict("records")
    lines = []
    for row in rows:
        first, last, gone, changed = (
            row[name] for name in ("snapshot_at", "last_seen", "gone_at", "changed")
        )
        cells = {name: None if is_missing(row[name]) else row[name] for name in FIELDS}
        lines.append((first, last, None if is_missing(gone) else gone, changed, cells))
    return lines


@pytest.mark.slow
def test_a_timeline_has_every_version(simulation: tuple[rnb.History, list[Kept]]) -> None:
    history, kept = simulation
    ids = {key for snapshot in kept for key in snapshot.rows}
    for source in ids:
        df = history.timeline(source)
        assert lines_of(df) == versions_of(kept, source)
        assert list(df.columns) == ["snapshot_at", "last_seen", "gone_at", "changed", *FIELDS]
        assert {str(df[name].dtype) for name in list(df)[:3]} == {"datetime64[us, UTC]"}
        assert {name: df[name].dtype for name in FIELDS} == DTYPES


@pytest.mark.slow
def test_a_name_leads_to_every_source_that_ever_had_it(
    simulation: tuple[rnb.History, list[Kept]],
) -> None:
    history, kept = simulation
    named: dict[str, set[str]] = {}
    for snapshot in kept:
        for key, row in snapshot.rows.items():
            named.setdefault(f"{row['owner']}/{row['name']}", set()).add(key)
    for name, ids in named.items():
        lines = lines_of(history.timeline(name))
        assert [line[0] for line in lines] == sorted(line[0] for line in lines)
        for source in ids:
            of_id = [line for line in lines if line[4]["id"] == source]
            assert of_id == versions_of(kept, source)
        assert {line[4]["id"] for line in lines} == ids


def text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value)


Row = tuple[Any, ...]


def differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[Row]:
    """Return the expected differences between two snapshots."""
    rows: set[Row] = set()
    for what, here, there in (("removed", before, after), ("added", after, before)):
        for key in set(here) - set(there):
            row = here[key]
            rows.add((what, *(row[name] for name in IDENTITY), None, None, None))
    for key in set(before) & set(after):
        old, new = before[key], after[key]
        naming = [new[name] for name in IDENTITY]
        names = [f"{row['owner']}/{row['name']}" for row in (old, new)]
        if names[0] != names[1]:
            rows.add(("renamed", *naming, "full name", *names))
        for field in FIELDS:
            if field not in IDENTITY and old[field] != new[field]:
                rows.add(("changed", *naming, field, text(old[field]), text(new[field])))
    return rows


def rows_of(df: pd.DataFrame) -> list[Row]:
    return [
        tuple(None if is_missing(cell) else cell for cell in row)
        for row in df.itertuples(index=False, name=None)
    ]


@pytest.mark.slow
def test_changes_are_those_from_snapshot_to_snapshot(
    simulation: tuple[rnb.History, list[Kept]],
) -> None:
    history, kept = simulation
    expected: list[set[Row]] = []
    last: dict[str | None, Kept] = {}
    for snapshot in kept:
        before = last.get(snapshot.project)
        if before is not None:
            found = differences(before.rows, snapshot.rows)
            expected.append({(snapshot.at, *row) for row in found})
        last[snapshot.project] = snapshot
    df = history.changes(times=True)
    rows = rows_of(df)
    assert set(rows) == set().union(*expected)
    assert len(rows) == len(set(rows))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    middle = day(10)
    assert rows_of(history.changes(middle, times=True)) == [row for row in rows if row[0] >= middle]
    assert rows_of(history.changes(since=day(99))) == []
    assert df.dtypes.equals(history.changes(since=day(99)).dtypes)


@pytest.mark.slow
def test_two_moments_are_compared(simulation: tuple[rnb.History, list[Kept]]) -> None:
    history, kept = simulation
    dice = Random(7)
    whole = [snapshot for snapshot in kept if snapshot.project is None]
    for _ in range(10):
        before, after = dice.choice(whole), dice.choice(whole)
        found = rows_of(history.compare(before.at, after.at, ignore=()).frame)
        assert set(found) == differences(before.rows, after.rows)
    left = as_it_was(kept, whole[0].at, "a")
    right = as_it_was(kept, day(99), "a")
    assert left
    assert right
    pieces = (
        {key: row for key, row in snapshot.rows.items() if row["owner"] == "a"}
        for snapshot in (left, right)
    )
    compared = history.compare(left.at, project="a", ignore=())
    assert set(rows_of(compared.frame)) == differences(*pieces)


# Round trips


PLAIN: list[tuple[Any, st.SearchStrategy[Any], bool]] = [
    (Text.dtype, TEXTS, True),
    (pd.StringDtype(), TEXTS, True),
    (Whole.dtype, st.integers(-(2**63), 2**63 - 1), True),
    (pd.UInt64Dtype(), st.integers(0, 2**64 - 1), True),
    (pd.Float64Dtype(), st.floats(allow_nan=False), True),
    (Flag.dtype, st.booleans(), True),
    (Moment.dtype, MOMENTS, True),
    (np.dtype("bool"), st.booleans(), False),
    (np.dtype("int8"), st.integers(-128, 127), False),
    (np.dtype("int64"), st.integers(-(2**63), 2**63 - 1), False),
    (np.dtype("uint64"), st.integers(0, 2**64 - 1), False),
    (np.dtype("float32"), st.floats(width=32), False),
    (np.dtype("float64"), st.floats(), False),
    (np.dtype("datetime64[us]"), st.datetimes(), True),
    (np.dtype("datetime64[ns]"), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), True),  # noqa: DTZ001
    (pd.DatetimeTZDtype("ns", "Europe/Berlin"), st.integers(0, 2**60), True),
    (pd.ArrowDtype(pa.int64()), st.integers(-(2**63), 2**63 - 1), True),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
ATTRS = st.fixed_dictionaries(
    {},
    optional={
        "endpoint": st.just(TENANT),
        "project": st.sampled_from(["claims", "=x", "Größe"]),
        "fetched_at": MOMENTS.filter(lambda at: at.year < 9999).map(
            lambda at: at.astimezone(UTC).isoformat(timespec="microseconds")
        ),
    },
)


@st.composite
def listings(draw: st.DrawFn) -> pd.DataFrame:
    """Listings with any known columns, and unknown columns of every simple dtype."""
    rows = draw(st.integers(0, 4))

    def cells(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    columns: dict[str, Any] = {
        "id": column(draw(st.lists(TEXTS, min_size=rows, max_size=rows, unique=True)), Text.dtype),
        "owner": column(cells(TEXTS), Text.dtype),
        "name": column(cells(TEXTS), Text.dtype),
        "num_comments": column(cells(maybe(OF_TYPE[Whole])), Whole.dtype),
    }
    for name, kind in KINDS.items():
        columns[name] = column(cells(kind), DTYPES[name])
    names = iter([*UNKNOWN, "extra", "position", "snapshot_at", "date", "changed", *"stuvwxyz"])
    for dtype, values, missing in PLAIN:
        columns[next(names)] = column(cells(maybe(values) if missing else values), dtype)
    columns[next(names)] = column(cells(JSON), np.dtype(object))
    kept = draw(st.sets(st.sampled_from([name for name in columns if name not in IDENTITY])))
    order = draw(st.permutations([*IDENTITY, *sorted(kept)]))
    df = pd.DataFrame({name: columns[name] for name in order}, index=pd.RangeIndex(rows))
    df.attrs |= draw(ATTRS)
    return df


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "title": maybe(TEXTS),
    "should_translate": OF_TYPE[Flag],
    "sensitive_properties": st.lists(TEXTS, max_size=3).map(tuple),
    "email_transform_version": OF_TYPE[Whole],
    "updated_at": OF_TYPE[Moment],
}


@pytest.mark.slow
@given(df=listings())
@settings(max_examples=30, deadline=None)
def test_there_and_back_is_exact(df: pd.DataFrame) -> None:
    before = df.copy(deep=True)
    with TemporaryDirectory() as folder:
        history = rnb.History(folder)
        snapshot = history.record(df, when=BEGIN)
        again = rnb.History(folder).record(df.copy(), when=BEGIN + DAY)
        for when in (BEGIN, None):
            loaded = history.load(when, project=snapshot.project)
            same(loaded, df)
            assert loaded.attrs == ({"project": None} if "endpoint" in df.attrs else {}) | df.attrs
    assert (snapshot.unchanged, again.unchanged) == (False, True)
    same(df, before)


def test_a_listing_without_ids_is_recorded_again(tmp_path: Path) -> None:
    history = rnb.History(tmp_path)
    df = pd.DataFrame({"id": [""], "owner": ["claims"], "name": ["motor"], "title": ["a"]})
    history.record(df, when=BEGIN)
    history.record(df.assign(title="b"), when=BEGIN + DAY)
    assert history.load()["title"].tolist() == ["b"]


@pytest.mark.slow
@pytest.mark.parametrize("cells", [["x", "y"], ["x", None], [None, None], [1, "x"], [True, 1]])
def test_a_column_of_objects_stays_one(history: rnb.History, cells: list[Any]) -> None:
    df = listing_of(two()).assign(more=pd.Series(cells, dtype=object))
    history.record(df)
    same(history.load(), df)


def test_lists_and_objects_of_an_answer_come_back(history: rnb.History) -> None:
    nested = {"b": [1, {"z": None, "a": 2.5}], "a": "\ud800", "c": [float("inf")]}
    df = one(nested=nested, more=[])
    history.record(df)
    same(history.load(), df)


OBJECTS = {
    "a moment": datetime(2026, 3, 1, tzinfo=UTC),
    "a day": date(2026, 3, 1),
    "a tuple": (1, 2),
    "bytes": b"x",
    "a set": {1},
    "a number of NumPy": np.int64(1),
    "a number in a list that is none": [float("nan")],
    "a key that is no text": {1: 2},
    "a frame": pd.DataFrame(),
}
COLUMNS = {
    "categories": pd.Categorical(["x"], categories=["y", "x"], ordered=True),
    "periods": pd.period_range("2026", periods=1, freq="D"),
    "durations": pd.to_timedelta([1], unit="s"),
    "complex numbers": np.array([1j]),
    "intervals": pd.interval_range(0, 1),
    "texts of Arrow": pd.Series(["x"], dtype=pd.ArrowDtype(pa.string())),
    "lists of Arrow": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
}


def object_of(value: Any) -> pd.Series:
    cells = np.empty(1, dtype=object)
    cells[0] = value
    return pd.Series(cells, dtype=object)


@pytest.mark.slow
@pytest.mark.parametrize("value", OBJECTS.values(), ids=list(OBJECTS))
def test_a_cell_without_exact_form_is_refused_and_nothing_written(
    history: rnb.History, tmp_path: Path, value: Any
) -> None:
    with pytest.raises(InvalidInput, match=r"'odd', row 0: .*has no exact form in a snapshot"):
        history.record(one().assign(odd=object_of(value)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", COLUMNS.values(), ids=list(COLUMNS))
def test_a_column_without_exact_form_is_refused_and_nothing_written(
    history: rnb.History, tmp_path: Path, values: Any
) -> None:
    with pytest.raises(InvalidInput, match=r"'odd'.* no exact form in a snapshot"):
        history.record(one().assign(odd=values))
    assert not list(tmp_path.iterdir())


def twice(df: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([df, df], ignore_index=True)


NO_LISTINGS: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "no frame": (lambda df: df.to_dict(), "takes a DataFrame"),
    "no id": (lambda df: df.drop(columns="id"), "Missing: id"),
    "nothing at all": (lambda _: pd.DataFrame(), "Missing: id, owner, name"),
    "a missing owner": (lambda df: df.assign(owner=None), "Missing owner in row 0"),
    "an id twice": (twice, "Several rows have the id '00000000000000aa'"),
    "a column twice": (lambda df: pd.concat([df, df[["title"]]], axis=1), "'title' twice"),
    "another column twice": (lambda df: df.assign(x=1).iloc[:, [*range(15), 15, 15]], "'x' twice"),
    "a column that is a number": (lambda df: df.assign(x=1).rename(columns={"x": 5}), "5"),
    "half a character as a name": (
        lambda df: df.set_axis(pd.Index(["\ud800", *df.columns[1:]], dtype=object), axis=1),
        "name is a text",
    ),
    "half a character": (lambda df: df.assign(title=object_of("\ud800")), "title"),
    "half a count": (lambda df: df.assign(num_comments=1.5), "num_comments"),
    "a flag that is none": (lambda df: df.assign(should_translate="x"), "should_translate"),
}


@pytest.mark.filterwarnings("ignore:.*DataFrame columns.*:UserWarning")
@pytest.mark.parametrize(("of", "said"), NO_LISTINGS.values(), ids=list(NO_LISTINGS))
def test_what_is_no_listing_is_refused_and_nothing_written(
    history: rnb.History, tmp_path: Path, of: Callable[[pd.DataFrame], Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        history.record(of(one()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("when", ["yesterday", 5, "2026-13-01", pd.NaT])
def test_a_moment_that_is_none_is_refused_and_nothing_written(
    history: rnb.History, tmp_path: Path, when: Any
) -> None:
    with pytest.raises(InvalidInput, match="is not a date or time"):
        history.record(one(), when=when)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_very_many_further_columns_come_back(history: rnb.History) -> None:
    wide = pd.DataFrame({f"c{number}": [number, number + 1] for number in range(1000)})
    df = pd.concat([listing_of(two())[["id", "owner", "name"]], wide], axis=1)
    history.record(df)
    same(history.load(), df)


def two() -> list[Element]:
    return [{"id": f"{n:016x}", "owner": "claims", "name": f"source-{n}"} for n in (1, 2)]


def test_a_column_of_one_day_is_in_the_timeline_of_all(history: rnb.History) -> None:
    history.record(one(title="A"), when=day(0))
    more: dict[str, Any] = {"score": [5], "flag": [True], "region": ["süd"], "weight": [0.5]}
    history.record(one(title="B").assign(**more), when=day(1))
    history.record(one(title="C").assign(score="high"), when=day(2))
    df = history.timeline("claims/motor")
    assert [None if is_missing(cell) else cell for cell in df["score"]] == [None, 5, "high"]
    assert [None if is_missing(cell) else cell for cell in df["flag"]] == [None, True, None]
    assert df["region"].fillna("-").to_list() == ["-", "süd", "-"]
    assert df["weight"].fillna(0).to_list() == [0, 0.5, 0]


def test_further_columns_called_as_those_of_a_timeline_do_not_hide_them(
    history: rnb.History,
) -> None:
    history.record(one().assign(changed="x", gone_at="y", position="z"), when=day(0))
    df = history.timeline("claims/motor")
    assert df.columns.is_unique
    assert df["changed"].to_list() == [()]
    assert df["position"].to_list() == ["z"]


# Unchanged


def sources(where: rnb.History) -> list[int]:
    return where.snapshots()["sources"].to_list()


@pytest.mark.slow
def test_an_unchanged_listing_is_a_file_without_rows(history: rnb.History, tmp_path: Path) -> None:
    df = listing_of([{"id": f"{n:016x}", "owner": "o", "name": f"{n}"} for n in range(3000)])
    first = history.record(df, when=day(0))
    second, third = (history.record(df, when=day(number)) for number in (1, 2))
    assert (first.unchanged, second.unchanged, third.unchanged) == (False, True, True)
    big, *small = (
        (tmp_path / "audits" / snapshot.path).stat().st_size for snapshot in (first, second, third)
    )
    assert big > 20_000
    assert max(small) < 10_000
    for number in range(3):
        same(history.load(day(number)), df)
    assert sources(history) == [3000] * 3
    line = history.timeline("o/7").loc[0]
    assert (line["snapshot_at"], line["last_seen"]) == (day(0), day(2))
    assert history.changes().empty
    assert history.compare(day(0), day(2)).ok


def test_another_order_of_rows_is_no_change(history: rnb.History) -> None:
    df = listing_of(two())
    history.record(df, when=day(0))
    assert history.record(df[::-1], when=day(1)).unchanged
    same(history.load(), df)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"title": "B"},
        {"title": None},
        {"sensitive_properties": [""]},
        {"sensitive_properties": ["a", "b"]},
        {"should_translate": False},
        {"updated_at": "2026-01-01T00:00:00.000001Z"},
        {"name": "other"},
        {"unknown": 1},
    ],
)
def test_whatever_differs_is_a_change(history: rnb.History, change: Element) -> None:
    history.record(one(title=""), when=day(0))
    assert not history.record(one(**{"title": ""} | change), when=day(1)).unchanged
    assert not history.record(one(title=""), when=day(2)).unchanged


@pytest.mark.parametrize(
    ("last", "text"), [(["b"], '["b"]'), (["b", "a"], '["b", "a"]'), ([], "[]")]
)
def test_another_item_of_a_list_is_a_change(
    history: rnb.History, last: list[str], text: str
) -> None:
    for number, items in enumerate([["a"], ["c"], last]):
        history.record(one(title="same", sensitive_properties=items), when=day(number))
    df = history.changes()
    assert df["field"].tolist() == ["sensitive_properties"] * 2
    assert df["before"].tolist() == ['["a"]', '["c"]']
    assert df["after"].tolist() == ['["c"]', text]


@pytest.mark.parametrize(
    ("name", "cells", "others"),
    [
        ("sensitive_properties", [["a", "b"], []], [["a"], ["b"]]),
        ("title", ["ab", "c"], ["a", "bc"]),
    ],
)
def test_a_text_that_moves_to_the_next_row_is_a_change(
    history: rnb.History, name: str, cells: list[Any], others: list[Any]
) -> None:
    before, after = (
        listing_of([element | {name: cell} for element, cell in zip(two(), row, strict=True)])
        for row in (cells, others)
    )
    history.record(before, when=day(0))
    assert not history.record(after, when=day(1)).unchanged
    same(history.load(), after)


def test_another_dtype_of_a_further_column_is_a_change(history: rnb.History) -> None:
    before, after = (one().assign(x=pd.Series([1], dtype=dtype)) for dtype in ("Int64", "int32"))
    history.record(before, when=day(0))
    assert not history.record(after, when=day(1)).unchanged
    same(history.load(), after)


def test_the_same_listing_of_the_same_moment_is_recorded_once(
    history: rnb.History, tmp_path: Path
) -> None:
    first = history.record(one(), when=day(0))
    assert rnb.History(tmp_path / "audits").record(one(), when=day(0)) == first
    assert sources(history) == [1]


def test_statistics_added_at_the_same_moment_are_recorded_behind(history: rnb.History) -> None:
    df = one()
    df.attrs["fetched_at"] = BEGIN
    history.record(df)
    counted = df.assign(num_comments=pd.array([5], dtype="Int64"))
    counted.attrs = df.attrs
    snapshot = history.record(counted)
    assert snapshot.at == BEGIN + timedelta(microseconds=1)
    assert history.record(counted) == snapshot
    same(history.load(), counted)
    assert history.load().attrs["fetched_at"] == BEGIN.isoformat(timespec="microseconds")
    assert len(history.timeline("claims/motor")) == 1
    assert history.changes().empty


@pytest.mark.slow
def test_whatever_is_recorded_of_one_moment_the_last_is_last(history: rnb.History) -> None:
    for letter in "ABCDEFGH":
        history.record(one(title=letter), when=day(0))
        assert history.load()["title"].to_list() == [letter]
    assert history.timeline("claims/motor")["title"].to_list() == list("ABCDEFGH")
    assert history.snapshots()["snapshot_at"].is_unique


@pytest.mark.slow
def test_a_day_recorded_late_changes_what_is_told_of_the_day_after(history: rnb.History) -> None:
    for number, title in ((0, "A"), (2, "A"), (1, "B")):
        history.record(one(title=title), when=day(number))
    found = history.changes()[["snapshot_at", "before", "after"]]
    assert rows_of(found) == [(day(1), "A", "B"), (day(2), "B", "A")]
    assert history.timeline("claims/motor")["title"].to_list() == ["A", "B", "A"]
    assert history.load(day(1))["title"].to_list() == ["B"]


@pytest.mark.slow
def test_a_listing_may_become_empty_and_full_again(history: rnb.History) -> None:
    empty = one().iloc[:0]
    unchanged = [
        history.record(df, when=day(number)).unchanged
        for number, df in enumerate([empty, empty, one(), empty, empty, one()])
    ]
    assert unchanged == [False, True, False, False, True, False]
    assert sources(history) == [0, 0, 1, 0, 0, 1]
    same(history.load(day(1)), empty)
    assert history.changes()["what"].to_list() == ["added", "removed", "added"]
    lines = history.timeline("claims/motor")
    assert lines["snapshot_at"].to_list() == [day(2), day(5)]
    assert lines.loc[0, "gone_at"] == day(3)
    assert lines["changed"].to_list() == [(), ()]


# Tenants


def test_another_tenant_is_refused(history: rnb.History, tmp_path: Path) -> None:
    history.record(listing_of(two()), when=day(0))
    history.record(listing_of(two(), endpoint=None), when=day(1))
    other = listing_of(two(), endpoint="https://cloud.example/other/prod/reinfer_")
    with pytest.raises(InvalidInput, match=r"acme.*other.*another folder"):
        rnb.History(tmp_path / "audits").record(other, when=day(2))
    assert sources(history) == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1:2", "localhost:3", "[::1]:4"])
def test_a_practice_tenant_on_another_port_is_the_same(history: rnb.History, host: str) -> None:
    history.record(listing_of(two(), endpoint="http://127.0.0.1:1"), when=day(0))
    df = listing_of(two(), endpoint=f"http://{host}")
    assert history.record(df, when=day(1)).unchanged
    assert history.load().attrs["endpoint"] == f"http://{host}"
    with pytest.raises(InvalidInput, match="another tenant"):
        history.record(listing_of(two()), when=day(2))


def test_a_frame_that_says_nothing_is_recorded_now(history: rnb.History) -> None:
    df = pd.DataFrame({"id": ["x"], "owner": ["o"], "name": ["n"]})
    before = datetime.now(UTC)
    snapshot = history.record(df)
    assert before <= snapshot.at <= datetime.now(UTC)
    assert (snapshot.endpoint, snapshot.project) == (None, None)
    same(history.load(), df)
    assert history.load().attrs == {}


@pytest.mark.parametrize(
    "attrs",
    [
        {"endpoint": 5, "project": ["claims"], "fetched_at": "today"},
        {"endpoint": None, "project": None, "fetched_at": None},
        {"endpoint": "", "project": "", "fetched_at": pd.NaT},
        {"fetched_at": date(2026, 3, 1), "more": object()},
    ],
)
def test_damaged_attrs_say_nothing(history: rnb.History, attrs: dict[str, Any]) -> None:
    df = one()
    df.attrs.clear()
    df.attrs |= attrs
    snapshot = history.record(df)
    assert (snapshot.endpoint, snapshot.project) == (None, None)
    assert history.load().attrs == {}


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ["http://[", "\ud800", "x" * 5000, "\x1b[31m"])
def test_an_endpoint_that_is_none_breaks_nothing(history: rnb.History, endpoint: str) -> None:
    history.record(one(), when=day(0))
    with pytest.raises(InvalidInput, match="another tenant") as caught:
        history.record(listing_of(two(), endpoint=endpoint), when=day(1))
    assert len(str(caught.value)) < 600
    assert "\x1b" not in str(caught.value)


def test_a_message_does_not_show_the_whole_of_a_long_endpoint(history: rnb.History) -> None:
    history.record(listing_of(two(), endpoint="https://" + "x" * 5000), when=day(0))
    with pytest.raises(InvalidInput, match="another tenant") as caught:
        history.record(one(), when=day(1))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "fetched",
    [
        "2026-03-01T09:00:00.000000+00:00",
        pd.Timestamp("2026-03-01T10:00+01:00"),
        datetime(2026, 3, 1, 9),  # noqa: DTZ001 - without a zone it is UTC
        pd.Timestamp("2026-03-01T09:00:00.000000999Z"),
    ],
)
def test_when_it_was_fetched_is_when_it_was_so(history: rnb.History, fetched: Any) -> None:
    df = one()
    df.attrs["fetched_at"] = fetched
    assert history.record(df).at == BEGIN
    assert history.load().attrs["fetched_at"] == BEGIN.isoformat(timespec="microseconds")


def test_a_listing_of_a_client_is_recorded_as_of_when_it_was_fetched(
    shared: rnb.Client, history: rnb.History
) -> None:
    whole, piece = shared.sources(), shared.sources("claims")
    snapshot = history.record(whole)
    assert snapshot.at == datetime.fromisoformat(whole.attrs["fetched_at"])
    assert history.record(piece).project == "claims"
    for df, loaded in ((whole, history.load()), (piece, history.load(project="claims"))):
        same(loaded, df)
        assert loaded.attrs == df.attrs


# Listings of all projects and of one


def of_projects(**titles: str) -> list[Element]:
    return [
        {"id": f"{ord(owner):016x}", "owner": owner, "name": "s", "title": title}
        for owner, title in titles.items()
    ]


@pytest.fixture
def mixed(history: rnb.History) -> rnb.History:
    """Snapshots of all projects on days 0 and 3, of project a on day 1, of project b on day 2."""
    history.record(listing_of(of_projects(a="0", b="0")), when=day(0))
    history.record(listing_of(of_projects(a="1"), project="a"), when=day(1))
    history.record(listing_of([], project="b"), when=day(2))
    history.record(listing_of(of_projects(a="3")), when=day(3))
    return history


def test_without_a_project_only_whole_listings_are_loaded(mixed: rnb.History) -> None:
    assert mixed.load(day(2))["title"].to_list() == ["0", "0"]
    assert mixed.load()["title"].to_list() == ["3"]


def test_of_a_project_the_later_of_its_own_and_the_whole_is_loaded(mixed: rnb.History) -> None:
    found = [mixed.load(day(number), project="a")["title"].to_list() for number in range(4)]
    assert found == [["0"], ["1"], ["1"], ["3"]]
    assert mixed.load(day(1), project="b")["title"].to_list() == ["0"]
    assert mixed.load(day(2), project="b").empty
    assert mixed.load(day(0), project="a").attrs == {"endpoint": TENANT, "project": "a"}


def test_a_source_is_gone_only_where_its_project_was_looked_at(mixed: rnb.History) -> None:
    of_a, of_b = (lines_of(mixed.timeline(f"{project}/s")) for project in "ab")
    assert [(first, last, gone) for first, last, gone, *_ in of_a] == [
        (day(0), day(0), None),
        (day(1), day(1), None),
        (day(3), day(3), None),
    ]
    assert [(first, last, gone) for first, last, gone, *_ in of_b] == [(day(0), day(0), day(2))]


def test_a_history_of_pieces_says_which_there_are(history: rnb.History) -> None:
    history.record(listing_of(of_projects(a="1"), project="a"), when=day(1))
    with pytest.raises(InvalidInput, match=r"only snapshots of single projects: a\. Choose one"):
        history.load()
    with pytest.raises(InvalidInput, match="only snapshots of single projects: a"):
        history.load(project="b")


def test_a_change_is_found_across_listings_that_lack_the_field(history: rnb.History) -> None:
    """The second listing has another column than the first, so no two follow with both."""
    row = {"id": "1" * 16, "owner": "a", "name": "one"}
    for month, more in enumerate(
        [
            {"description": "first"},
            {"language": "en"},
            {"language": "en", "description": "second"},
            {"language": "de"},
        ],
        start=1,
    ):
        history.record(pd.DataFrame([row | more]), when=f"2026-0{month}-01")
    timeline = history.timeline("a/one")
    assert timeline["changed"].tolist() == [(), ("description",), ("language",)]
    assert timeline["snapshot_at"].dt.month.tolist() == [1, 3, 4]


def test_columns_that_a_listing_lacks_are_no_change(history: rnb.History) -> None:
    df = one(title="A", description="D")
    history.record(df, when=day(0))
    history.record(df[["id", "owner", "name", "title"]], when=day(1))
    history.record(one(title="A", description="E"), when=day(2))
    lines = history.timeline("claims/motor")
    assert lines["changed"].to_list() == [(), ("description",)]
    assert lines["last_seen"].to_list() == [day(1), day(2)]


def test_what_came_back_is_held_against_what_it_was(history: rnb.History) -> None:
    history.record(one(title="A"), when=day(0))
    history.record(one().iloc[:0], when=day(1))
    history.record(one(title="B"), when=day(2))
    lines = history.timeline("claims/motor")
    assert lines["changed"].to_list() == [(), ("title",)]
    assert lines["gone_at"].to_list() == [day(1), pd.NaT]


# Arguments


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "title"),
    [
        (date(2026, 3, 2), "1"),
        ("2026-03-02", "1"),
        ("2026-03-02T09:00", "1"),
        ("2026-03-02T08:59:59.999999", "0"),
        ("2026-03-02T10:00+01:00", "1"),
        (pd.Timestamp("2026-03-02T09:00:00.000000999Z"), "1"),
        (date(9999, 12, 31), "2"),
        (None, "2"),
    ],
)
def test_a_moment_may_be_said_in_many_ways(history: rnb.History, when: Any, title: str) -> None:
    for number in range(3):
        history.record(one(title=f"{number}"), when=day(number))
    assert history.load(when)["title"].to_list() == [title]


def test_before_the_first_nothing_is_loaded(history: rnb.History) -> None:
    with pytest.raises(InvalidInput, match=r"audits has no snapshots yet"):
        history.load()
    history.record(one(), when=day(0))
    for when in (date(1, 1, 1), "2026-02-28"):
        with pytest.raises(InvalidInput, match=r"until .*; the first is of 2026-03-01 09:00"):
            history.load(when)


@pytest.mark.parametrize("year", [1, 999, 9999])
def test_the_first_and_the_last_year_are_recorded(history: rnb.History, year: int) -> None:
    at = datetime(year, 1, 1, tzinfo=UTC)
    history.record(one(title="A"), when=day(0))
    history.record(one(title="B"), when=at)
    assert set(history.snapshots()["snapshot_at"]) == {at, day(0)}
    assert history.load(at)["title"].to_list() == ["B"]
    assert f"{year:04}-01-01" in repr(history)


@pytest.mark.parametrize("source", ["claims/other", "00000000000000bb"])
def test_a_source_that_never_was_is_said(history: rnb.History, source: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput, match=f"No snapshot of .*audits has a source '{source}'"):
            history.timeline(source)
        history.record(one(), when=day(0))


@pytest.mark.parametrize("source", ["claims", "", "a/b/c", "claims/", 5, None, "XYZ", ("a", "b")])
def test_what_names_no_source_is_refused(history: rnb.History, source: Any) -> None:
    with pytest.raises(InvalidInput, match=r"full name|project/name"):
        history.timeline(source)


def test_an_empty_history_has_tables_without_rows(history: rnb.History) -> None:
    for df in (history.snapshots(), history.changes()):
        assert df.empty
    empty = {name: str(dtype) for name, dtype in history.snapshots().dtypes.items()}
    history.record(one(), when=day(0))
    history.record(one(title="B"), when=day(1))
    assert empty == {name: str(dtype) for name, dtype in history.snapshots().dtypes.items()}
    assert {str(dtype) for dtype in history.changes().dtypes} == {"str", "datetime64[us, UTC]"}


def test_what_is_done_to_a_frame_reaches_nothing(history: rnb.History) -> None:
    df = one(title="A")
    history.record(df, when=day(0))
    df.loc[0, "title"] = "damaged"
    df.attrs["endpoint"] = "damaged"
    for frame in (history.load(), history.timeline("claims/motor")):
        frame.loc[0, "title"] = "damaged"
        frame.attrs["endpoint"] = "damaged"
    table = history.snapshots()
    table.loc[0, "sources"] = 5
    assert sources(history) == [1]
    assert history.load()["title"].to_list() == ["A"]
    assert history.load().attrs["endpoint"] == TENANT
    assert history.timeline("claims/motor")["title"].to_list() == ["A"]


def test_a_history_that_is_open_sees_what_others_record(
    history: rnb.History, tmp_path: Path
) -> None:
    history.record(one(title="A"), when=day(0))
    history.snapshots()
    rnb.History(tmp_path / "audits").record(one(title="B"), when=day(1))
    assert len(history.snapshots()) == 2
    assert history.load()["title"].to_list() == ["B"]


# How a history is shown


def test_it_shows_itself_in_a_line(history: rnb.History) -> None:
    assert "no snapshots yet" in repr(history)
    snapshot = history.record(one(), when=day(0))
    assert str(snapshot) == "1 source at 2026-03-01 09:00:00 UTC"
    again = history.record(one(), when=day(1))
    assert str(again) == "1 source at 2026-03-02 09:00:00 UTC, unchanged"
    assert repr(history).endswith(f"2 snapshots of {TENANT}, 2026-03-01 to 2026-03-02>")
    assert f"2 snapshots of {TENANT}" in history._repr_html_()


def test_foreign_texts_are_shown_safely(tmp_path: Path) -> None:
    history = rnb.History(tmp_path / "<b>\x1b[31m")
    df = listing_of(of_projects(a="1"), project="<i>\x1b[31m")
    snapshot = history.record(df, when=day(1))
    with pytest.raises(InvalidInput) as caught:
        history.load()
    for shown in (repr(history), str(snapshot), str(caught.value), history._repr_html_()):
        assert "\x1b" not in shown
    assert "<b>\\x1b" not in history._repr_html_()


def test_a_history_is_pickled(history: rnb.History) -> None:
    history.record(one(), when=day(0))
    again = pickle.loads(pickle.dumps(history))  # noqa: S301 - made a line above
    same(again.load(), history.load())


def test_a_history_is_somewhere() -> None:
    for where in ("", 5, None, b"audits", "a\0b"):
        with pytest.raises(InvalidInput, match=r"history is|audits"):
            rnb.History(where)  # type: ignore[arg-type]


# A larger history


@pytest.mark.slow
def test_two_months_of_many_sources_are_told_right(tmp_path: Path) -> None:
    where, kept = tmp_path / "audits", []
    listing = Days(300)
    for number in range(60):
        if number % 7 < 5 and number:
            listing.pass_one(number)
        rnb.History(where).record(listing.df, when=day(number))
        kept.append(Kept(day(number), None, rows_by_id(listing.df)))
    history = rnb.History(where)
    pairs = list(pairwise(kept))
    expected = {(new.at, *row) for old, new in pairs for row in differences(old.rows, new.rows)}
    assert set(rows_of(history.changes(times=True))) == expected
    assert len(expected) > 60 * 10
    moved = [row[2] for row in expected if row[1] in ("renamed", "changed", "removed")]
    first = str(listing.df.loc[0, "id"])
    for source in [first, *Random(1).sample(sorted(set(moved)), 8)]:
        assert lines_of(history.timeline(source)) == versions_of(kept, source)
    for number in (0, 6, 31, 59):
        assert rows_by_id(history.load(day(number))) == kept[number].rows
    versions = versions_of(kept, first)
    found = by_duckdb(where, listing.watched)
    assert found == [(first, row["id"]) for first, _, _, _, row in versions]


# Times of changed sources


def test_changes_show_times_only_where_nothing_else_changed(
    history: rnb.History, client: rnb.Client
) -> None:
    history.record(client.sources(), when=day(1))
    client.update_source("claims/motor-inbox", title="Motor")
    touched = client.sources()
    touched.loc[touched["name"] == "motor-calls", "last_modified"] = pd.Timestamp(day(1))
    history.record(touched, when=day(2))
    found = history.changes()[["name", "field"]].to_numpy().tolist()
    assert sorted(found) == [["motor-calls", "last_modified"], ["motor-inbox", "title"]]
    everything = history.changes(times=True)[["name", "field"]].to_numpy().tolist()
    assert sorted(everything) == sorted(
        [*found, ["motor-inbox", "updated_at"], ["motor-inbox", "last_modified"]]
    )
    shown = history.compare(day(1), day(2)).changed
    assert sorted(shown["field"]) == ["last_modified", "title"]
    with pytest.raises(InvalidInput, match="times must be True or False"):
        history.changes(times="yes")  # type: ignore[arg-type]
