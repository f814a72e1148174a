"""Snapshots of the same time, columns that cannot be stored, and listings of other tenants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.errors import InvalidInput
from reinfer_nb.history.tenant_check import tenant
from tests.history.test_history import TENANT, listing_of, of_projects

WHEN = "2026-03-01T09:00"
OTHER = "https://cloud.example/other/prod/reinfer_"


@pytest.fixture
def history(tmp_path: Path) -> rnb.History:
    return rnb.History(tmp_path / "audits")


def titles(df: pd.DataFrame) -> list[str]:
    return df["title"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("when", [WHEN, date(2026, 3, 1), datetime(2026, 3, 1, 9, tzinfo=UTC)])
def test_all_recordings_of_a_moment_can_be_asked_for(
    history: rnb.History, tmp_path: Path, when: Any
) -> None:
    snapshots = [
        history.record(listing_of(of_projects(a=str(number))), when=when) for number in range(4)
    ]
    assert len({str(snapshot) for snapshot in snapshots}) == 4
    for again in (history, rnb.History(tmp_path / "audits")):
        for number, snapshot in enumerate(snapshots):
            assert titles(again.load(snapshot)) == [str(number)]
            assert titles(again.load(snapshot.at)) == [str(number)]
            # The time in the text of a snapshot can be passed to `load`.
            shown = str(snapshot).partition(" at ")[2].removesuffix(" UTC")
            if isinstance(when, date) and not isinstance(when, datetime) and number == 0:
                continue
            assert titles(again.load(shown)) == [str(number)]
        changes = again.compare(snapshots[0], snapshots[3]).frame
        assert changes["after"].tolist() == ["3"]


@pytest.mark.slow
def test_recordings_of_a_moment_of_other_projects_are_apart(history: rnb.History) -> None:
    for number in range(8):
        when = datetime(2026, 3, 1 + number, tzinfo=UTC)
        whole = history.record(listing_of(of_projects(a="whole", b="whole")), when=when)
        piece = history.record(listing_of(of_projects(a="piece"), project="a"), when=when)
        assert whole.at < piece.at
        assert titles(history.load(whole.at, project="a")) == ["whole"]
        assert titles(history.load(piece.at, project="a")) == ["piece"]
        assert titles(history.load(piece)) == ["piece"]
        assert titles(history.load(whole, project="b")) == ["whole"]


def test_there_is_no_moment_after_the_last_one(history: rnb.History) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    history.record(listing_of(of_projects(a="1")), when=last)
    with pytest.raises(InvalidInput, match=r"snapshot of 9999-12-31T23:59:59\.999999\+00:00"):
        history.record(listing_of(of_projects(a="2")), when=last)


def test_what_is_recorded_twice_is_one_snapshot(history: rnb.History) -> None:
    df = listing_of(of_projects(a="x"))
    first, again = history.record(df, when=WHEN), history.record(df, when=WHEN)
    assert first == again
    assert len(history.snapshots()) == 1


def test_a_snapshot_of_elsewhere_is_refused(history: rnb.History, tmp_path: Path) -> None:
    df = listing_of(of_projects(a="x"), project="a")
    snapshot = history.record(df, when=WHEN)
    with pytest.raises(InvalidInput, match="no such snapshot: 1 source of a at 2026-03-01"):
        rnb.History(tmp_path / "elsewhere").load(snapshot)
    with pytest.raises(InvalidInput, match="of another project"):
        history.load(snapshot, project="b")


# What cannot be read back

LONG_AGO = np.array(["1800-01-01", "1900-06-01T12:30", "2020-01-01"], dtype="datetime64[us]")
ZONES: dict[str, Any] = {
    "Monrovia": ZoneInfo("Africa/Monrovia"),
    "Amsterdam": ZoneInfo("Europe/Amsterdam"),
    "Berlin": ZoneInfo("Europe/Berlin"),
    "UTC": UTC,
    "half an hour": timezone(timedelta(hours=5, minutes=30)),
    "seconds": timezone(timedelta(hours=1, seconds=5)),
    "microseconds": timezone(timedelta(hours=1, microseconds=5)),
    "a name of its own": timezone(timedelta(hours=1), "Lab"),
}


def with_own(values: Any) -> pd.DataFrame:
    df = listing_of(of_projects(a="1", b="2", c="3"))
    return df.assign(own=pd.Series(values, index=df.index))


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_is_recorded_only_if_it_comes_back(
    history: rnb.History, zone: str, unit: str
) -> None:
    unit_dtype: Any = f"datetime64[{unit}]"
    own = pd.Series(LONG_AGO).astype(unit_dtype).dt.tz_localize(UTC)
    df = with_own(own.dt.tz_convert(ZONES[zone]))
    recorded_or_refused(history, df)


def arrow(kind: Any) -> Any:
    dtype: Any = f"{kind}[pyarrow]"
    return pd.Series(LONG_AGO).astype(dtype)


OWN: dict[str, Any] = {
    "category": pd.Categorical(["a", "b", "a"]),
    "period": pd.period_range("2020", periods=3, freq="M"),
    "interval": pd.interval_range(0, 3),
    "duration": pd.to_timedelta([1, 2, 3], unit="s"),
    "sparse": pd.arrays.SparseArray([0, 0, 1]),
    "sparse with a fill": pd.arrays.SparseArray([5, 5, 1], fill_value=5),
    "float32": np.array([1.1, 2.2, np.nan], dtype="float32"),
    "Float32": pd.array([1.1, 2.2, None], dtype="Float32"),
    "float16": np.array([1.1, 2.2, np.nan], dtype="float16"),
    "infinite": [np.inf, -np.inf, 0.0],
    "complex": [1j, 2j, 3j],
    "uint64": np.array([2**64 - 1, 0, 5], dtype="uint64"),
    "int8": np.array([-128, 0, 127], dtype="int8"),
    "bytes": [b"a", b"b", b"c"],
    "dates": [date(2020, 1, 1)] * 3,
    "Arrow's dates": pd.Series([date(2020, 1, 1)] * 3, dtype="date32[day][pyarrow]"),
    "Arrow's timestamps": arrow("timestamp[us, tz=UTC]"),
    "Arrow's zone": arrow("timestamp[us, tz=Europe/Amsterdam]"),
    "Arrow's texts": pd.Series(["a", None, "c"], dtype="string[pyarrow]"),
    "Arrow's durations": pd.Series([1, 2, 3], dtype="duration[s][pyarrow]"),
    "objects": [{"a": 1.5}, ["x"], None],
    "keys that are no texts": [{1: 2}] * 3,
    "tuples": [("a",), (), None],
    "arrays": [np.array([1])] * 3,
    "huge": [10**400] * 3,
    "half a character": pd.Series(["\ud800", "a", None], dtype=object),
    "years": np.array(["0001-01-01", "9999-12-31", "NaT"], dtype="datetime64[s]"),
    "years beyond": np.array(["-0044-03-15", "12026-01-01", "NaT"], dtype="datetime64[s]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OWN)
def test_a_column_is_recorded_only_if_it_comes_back(history: rnb.History, kind: str) -> None:
    recorded_or_refused(history, with_own(OWN[kind]))


def recorded_or_refused(history: rnb.History, df: pd.DataFrame) -> None:
    message = ""
    try:
        history.record(df)
    except InvalidInput as error:
        message = str(error)
    if message:
        assert "own" in message
        assert "Convert it" in message
        assert len(history.snapshots()) == 0
        return
    back = rnb.History(history._folder._at._place).load()
    own = df["own"].reset_index(drop=True)
    if isinstance(own.dtype, pd.SparseDtype):
        own = own.astype(own.dtype.subtype)
    pd.testing.assert_series_equal(back["own"], own)


def test_an_old_zone_comes_back(history: rnb.History) -> None:
    own = pd.Series(LONG_AGO).dt.tz_localize(UTC).dt.tz_convert("Africa/Monrovia")
    history.record(with_own(own))
    pd.testing.assert_series_equal(history.load()["own"], own.rename("own"))


# Other tenants


def test_another_tenant_is_refused_unless_it_is_meant(history: rnb.History) -> None:
    history.record(listing_of(of_projects(a="ours")), when="2026-03-01")
    other = listing_of(of_projects(a="theirs"), endpoint=OTHER)
    with pytest.raises(InvalidInput, match="another_tenant=True"):
        history.record(other, when="2026-03-02")
    assert len(history.snapshots()) == 1
    snapshot = history.record(other, when="2026-03-02", another_tenant=True)
    assert snapshot.endpoint == OTHER
    assert history.snapshots()["endpoint"].tolist() == [TENANT, OTHER]
    # Snapshots of different tenants are not compared.
    assert len(history.changes()) == 0
    assert titles(history.load(snapshot)) == ["theirs"]


def test_a_file_of_another_tenant_is_told_by_its_ids(history: rnb.History, tmp_path: Path) -> None:
    with rnb.sandbox() as client:
        rnb.to_csv(client.sources("claims"), tmp_path / "ours.csv")
    ours = rnb.read_csv(tmp_path / "ours.csv")
    theirs = ours.assign(id=[f"{number:016x}" for number in range(len(ours))])
    history.record(ours, when="2026-03-01")
    with pytest.raises(InvalidInput, match="other ids: this listing may be of another tenant"):
        history.record(theirs, when="2026-03-02")
    assert len(history.snapshots()) == 1
    # A source created again, or another project, does not make another tenant.
    history.record(pd.concat([theirs.head(1), ours.iloc[1:]]), when="2026-03-03")
    history.record(theirs.assign(owner="other"), when="2026-03-04")
    history.record(ours, when="2026-03-05", another_tenant=True)


def from_file(df: pd.DataFrame) -> pd.DataFrame:
    """Return a listing as read from a CSV file, which does not name its tenant."""
    df = df.copy()
    df.attrs = {}
    return df


def ours_and_theirs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the listings of two tenants with the same names and different ids."""
    ours = listing_of(of_projects(a="1", b="2"))
    theirs = ours.assign(id=[f"{number:016x}" for number in range(len(ours))])
    theirs.attrs = dict(ours.attrs)
    return ours, theirs


def of_project(df: pd.DataFrame, project: str) -> pd.DataFrame:
    return df[df["owner"] == project].reset_index(drop=True)


OURS, THEIRS = ours_and_theirs()
ORDERS: dict[str, tuple[list[pd.DataFrame], pd.DataFrame]] = {
    "a file, then a listing": ([from_file(OURS)], THEIRS),
    "a file, then a file": ([from_file(OURS)], from_file(THEIRS)),
    "another project last": (
        [of_project(OURS, "a"), of_project(OURS, "b")],
        from_file(of_project(THEIRS, "a")),
    ),
    "without the project last": (
        [OURS, of_project(OURS, "b")],
        from_file(of_project(THEIRS, "a")),
    ),
    "an empty listing last": ([OURS, OURS.head(0)], from_file(THEIRS)),
    "a listing of the tenant, then a file, then a listing": (
        [of_project(OURS, "b"), from_file(of_project(OURS, "a"))],
        THEIRS,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_another_tenant_is_told_by_its_ids_whatever_was_recorded_last(
    history: rnb.History, order: tuple[list[pd.DataFrame], pd.DataFrame]
) -> None:
    earlier, other = order
    for day, listing in enumerate(earlier, 1):
        history.record(listing, when=f"2026-03-0{day}")
    with pytest.raises(InvalidInput, match="another_tenant=True"):
        history.record(other, when="2026-03-09")
    assert len(history.snapshots()) == len(earlier)
    history.record(other, when="2026-03-09", another_tenant=True)


@pytest.mark.slow
def test_files_of_one_tenant_are_recorded_whatever_was_recorded_last(history: rnb.History) -> None:
    pieces = [of_project(OURS, "a"), of_project(OURS, "b"), OURS.head(0), OURS]
    for day, listing in enumerate([*pieces, *map(from_file, pieces), *pieces], 1):
        history.record(listing, when=f"2026-03-{day:02}")
    assert len(history.snapshots()) == 12


def test_a_practice_tenant_with_other_sources_is_another(history: rnb.History) -> None:
    with rnb.sandbox() as first:
        history.record(first.sources())
    with rnb.sandbox() as again:
        df = again.sources()
    assert tenant(first.endpoint) == tenant(again.endpoint)
    history.record(df)
    with rnb.sandbox(listing_of(of_projects(a="x"))) as other:
        listing = other.sources()
    with pytest.raises(InvalidInput, match="another_tenant=True"):
        history.record(listing)
    history.record(listing, another_tenant=True)


def test_the_command_line_takes_another_tenant_when_told(
    configured: rnb.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "audits")
    rnb.History(place).record(listing_of(of_projects(a="x")), when="2020-01-01")
    assert cli.main(["record", place]) == 2
    assert "--another-tenant" in capsys.readouterr().err
    assert cli.main(["record", place, "--another-tenant"]) == 0
    assert rnb.History(place).snapshots()["endpoint"].tolist() == [TENANT, configured.endpoint]
