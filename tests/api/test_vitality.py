"""Whether sources are alive: `Client.contents`, against all comments read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.api.contents import vitality
from tests.server.test_comments import Tenant, new

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
# The month before NOW, and the twelve before that one.
LAST = "2026-02"
USUAL = [f"2025-{month:02}" for month in range(2, 13)] + ["2026-01"]
COLUMNS = ["num_comments", "last_comment_at", "comments_last_month", "comments_usual_month"]


@pytest.fixture
def march(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's clock is at NOW; that of the practice tenant goes on."""
    monkeypatch.setattr(vitality, "present", lambda: NOW)


def tenant_of(client: rnb.Client) -> Tenant:
    assert client.sandbox is not None
    return Tenant(client.sandbox)


def by_hand(timestamps: Iterable[str]) -> list[Any]:
    """Return the four cells of a source from the timestamps of all its comments."""
    times = sorted(timestamps)
    counts = Counter(time[:7] for time in times)
    since_first = [month for month in USUAL if times and month >= times[0][:7]]
    usual = median(counts[month] for month in since_first) if len(since_first) >= 3 else None
    return [len(times), times[-1] if times else None, counts[LAST], usual]


def row_of(df: pd.DataFrame, name: str) -> list[Any]:
    row = df.loc[df["name"] == name, COLUMNS].astype(object).iloc[0]
    return [None if pd.isna(cell) else cell for cell in row]


def filled(client: rnb.Client, name: str, *times: str) -> str:
    full_name = client.create_source(f"claims/{name}").full_name
    tenant = tenant_of(client)
    for start in range(0, len(times), 100):
        part = times[start : start + 100]
        comments = [new(f"c{start + n}", time) for n, time in enumerate(part)]
        tenant.sync(*comments, name=full_name).raise_for_status()
    return full_name


def months(first: int, number: int, each: int) -> Iterator[str]:
    """Yield times in some months; month 0 is January 2025."""
    for month in range(first, first + number):
        for day in range(1, each + 1):
            yield f"{2025 + month // 12}-{month % 12 + 1:02}-{day:02}T10:00:00Z"


CASES: dict[str, tuple[list[str], list[Any]]] = {
    "empty": ([], [0, None, 0, None]),
    "steady": (list(months(0, 15, 4)), [60, "2026-03-04T10:00Z", 4, 4.0]),
    "falling": ([*months(0, 13, 9), "2026-02-01T00:00:00Z"], [118, "2026-02-01T00:00Z", 1, 9.0]),
    "ended": (list(months(0, 6, 2)), [12, "2025-06-02T10:00Z", 0, 0.0]),
    "ancient": (["2019-05-01T00:00:00Z"], [1, "2019-05-01T00:00Z", 0, 0.0]),
    # January 2026 and the two months before it are the fewest that say what is usual.
    "three": (list(months(10, 3, 7)), [21, "2026-01-07T10:00Z", 0, 7.0]),
    "two": (list(months(11, 3, 7)), [21, "2026-02-07T10:00Z", 7, None]),
    "newborn": (["2026-03-30T00:00:00Z"], [1, "2026-03-30T00:00Z", 0, None]),
    "woken": (["2024-01-01T00:00:00Z", "2026-03-30T00:00:00Z"], [2, "2026-03-30T00:00Z", 0, 0.0]),
    "planned": (["2027-01-01T00:00:00Z"], [1, "2027-01-01T00:00Z", 0, None]),
    "edges": (
        [
            *("2025-01-31T23:59:59.999999Z", "2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z"),
            *("2026-02-28T23:59:59.999999Z", "2026-03-01T00:00:00Z"),
        ],
        [5, "2026-03-01T00:00Z", 2, 0.0],
    ),
    "gap": ([*months(2, 1, 5), *months(9, 5, 6)], [35, "2026-02-06T10:00Z", 6, 0.0]),
    "half": ([*months(7, 3, 2), *months(10, 3, 3)], [15, "2026-01-03T10:00Z", 0, 2.5]),
}


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("name", CASES)
def test_what_is_in_a_source(client: rnb.Client, name: str) -> None:
    times, expected = CASES[name]
    full_name = filled(client, f"a-{name}", *times)
    df = client.contents(full_name, progress=False)
    cells = row_of(df, f"a-{name}")
    expected = [*expected[:1], expected[1] and pd.Timestamp(expected[1]), *expected[2:]]
    assert cells == expected
    hand = by_hand(comment["timestamp"] for comment in tenant_of(client).comments(full_name))
    assert cells == [*hand[:1], hand[1] and pd.Timestamp(hand[1]), *hand[2:]]
    dtypes = ["Int64", "datetime64[us, UTC]", "Int64", "Float64"]
    assert df[COLUMNS].dtypes.astype(str).tolist() == dtypes


@pytest.mark.usefixtures("march")
def test_the_sample_is_as_its_comments_say(client: rnb.Client) -> None:
    counts = client.statistics(client.sources(), progress=False)
    few = counts[counts["num_comments"].between(1, 3000)].head(8)
    df = client.contents(few.drop(columns="num_comments"), progress=False)
    assert list(df.columns) == [*few.columns.drop("num_comments"), *COLUMNS]
    assert df.index.equals(few.index)
    tenant = tenant_of(client)
    for row in df.itertuples():
        hand = by_hand(
            comment["timestamp"] for comment in tenant.comments(f"{row.owner}/{row.name}")
        )
        assert row_of(df, str(row.name)) == [hand[0], pd.Timestamp(hand[1]), *hand[2:]]


def test_a_source_of_the_sample_is_alive_today(client: rnb.Client) -> None:
    row = client.contents("claims/motor-inbox", progress=False).iloc[0]
    assert row["num_comments"] == 19_640
    assert datetime.now(UTC) - row["last_comment_at"] < timedelta(days=35)
    this_month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_month = (this_month - timedelta(days=1)).strftime("%Y-%m")
    month = client.statistics(
        "claims/motor-inbox", since=last_month, until=last_month, progress=False
    )
    assert row["comments_last_month"] == month["comments_in_range"].item() > 0
    assert row["comments_usual_month"] > 0


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize(
    ("name", "most"),
    # The total; the newest; at most 13 counts of months; whether there are older ones.
    [("empty", 1), ("ancient", 2), ("newborn", 4), ("steady", 15), ("three", 7), ("ended", 8)],
)
def test_no_more_requests_than_needed(client: rnb.Client, name: str, most: int) -> None:
    full_name = filled(client, f"a-{name}", *CASES[name][0])
    df = client.sources("claims", refresh=True)
    df = df[df["name"] == f"a-{name}"]
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    client.contents(df, progress=False)
    sent = client.sandbox.requests[before:]
    assert all(full_name in request.path for request in sent)
    assert len(sent) <= most


def test_sources_that_cannot_be_read_are_missing_and_named(client: rnb.Client) -> None:
    df = client.sources("claims").head(2)
    client.delete_source("claims/motor-inbox")
    with pytest.warns(rnb.UnreadableWarning, match=r"1 source could not .*claims/motor-inbox"):
        found = client.contents(df, progress=False)
    assert found[COLUMNS].isna().all(axis=1).tolist() == [True, False]
    assert found["num_comments"].dtype == "Int64"


def test_bad_arguments_are_told_before_anything_is_sent(client: rnb.Client) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    for bad in (5, b"claims", {"a": 1}, [], ["claims", 5], pd.DataFrame({"x": [1]})):
        with pytest.raises(rnb.InvalidInput):
            client.contents(bad)  # type: ignore[arg-type]
    for workers in (0, 33, True, "4"):
        with pytest.raises(rnb.InvalidInput, match="workers"):
            client.contents("claims", workers=workers)  # type: ignore[arg-type]
    assert len(client.sandbox.requests) == before
    with pytest.raises(rnb.NotFound, match="Did you mean claims"):
        client.contents("clams")


def test_an_empty_listing_gets_the_columns(client: rnb.Client) -> None:
    df = client.contents(client.sources("claims").head(0), progress=False)
    assert df[COLUMNS].dtypes.astype(str).tolist() == [
        "Int64",
        "datetime64[us, UTC]",
        "Int64",
        "Float64",
    ]


DAYS = (datetime.fromisoformat(day) for day in ("2024-11-01", "2026-05-01"))
TIMES = st.datetimes(*DAYS).map(lambda time: time.isoformat(timespec="microseconds") + "Z")


@given(st.lists(TIMES, max_size=12))
@settings(deadline=None)
def test_any_comments_give_what_a_plain_loop_gives(times: list[str]) -> None:
    requests = 0

    def count(begin: datetime | None, end: datetime | None) -> int:
        nonlocal requests
        requests += 1
        moments = [datetime.fromisoformat(time) for time in times]
        return sum(
            (begin is None or begin <= moment) and (end is None or moment <= end)
            for moment in moments
        )

    def newest() -> datetime | None:
        nonlocal requests
        requests += 1
        return max((datetime.fromisoformat(time) for time in times), default=None)

    found = vitality.contents_of(count, newest, vitality.full_months(NOW))
    hand = by_hand(times)
    assert list(found[:4]) == [hand[0], hand[1] and datetime.fromisoformat(hand[1]), *hand[2:]]
    assert requests <= (16 if times else 1)


@given(st.datetimes(datetime.fromisoformat("1990-01-01"), timezones=st.just(UTC)))
def test_the_months_are_whole_and_follow_each_other(now: datetime) -> None:
    spans = vitality.full_months(now)
    assert len(spans) == 13
    for span, following in pairwise(spans):
        assert span.end + timedelta(microseconds=1) == following.begin
    assert all(
        span.begin.day == 1 and span.begin.time().isoformat() == "00:00:00" for span in spans
    )
    after = spans[-1].end + timedelta(microseconds=1)
    assert (after.year, after.month, after.day) == (now.year, now.month, 1)


def test_comments_deleted_meanwhile_are_no_error() -> None:
    found = vitality.contents_of(lambda *_: 3, lambda: None, vitality.full_months(NOW))
    assert (found.num_comments, found.last_comment_at) == (3, None)
