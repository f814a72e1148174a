"""What is in the sources: counts in a range of time, activity, and the newest comment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.dates import When, edge
from reinfer_nb.server.comments.store import CommentStore
from tests.server.test_comments import Tenant, new

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


def tenant_of(client: rnb.Client) -> Tenant:
    assert client.sandbox is not None
    return Tenant(client.sandbox)


@pytest.fixture
def few(client: rnb.Client) -> str:
    """A source with five comments, two of them on the edges of February 2026."""
    name = client.create_source("claims/few").full_name
    times = (
        "2026-01-31T23:59:59.999999Z",
        "2026-02-01T00:00:00Z",
        "2026-02-28T23:59:59.999999Z",
        "2026-03-01T00:00:00Z",
        "2026-03-01T00:00:00.000001Z",
    )
    tenant_of(client).sync(*(new(f"c{n}", when) for n, when in enumerate(times)), name=name)
    return name


def asked(client: rnb.Client) -> int:
    assert client.sandbox is not None
    return sum("statistics" in request.path for request in client.sandbox.requests)


# Counting in a range


@pytest.mark.parametrize(
    ("since", "until", "number"),
    [
        (None, None, 5),
        ("2026-02", "2026-02", 2),
        ("2026-02-01", "2026-02-28", 2),
        (pd.Timestamp("2026-02-01"), datetime(2026, 3, 1, tzinfo=UTC), 3),
        ("2026-03", None, 2),
        (None, "2026-01", 1),
        (None, "2025", 0),
        ("2026", "2026", 5),
        ("2026-03-01T01:00:00.000001+01:00", None, 1),
    ],
)
def test_a_range_is_exact_at_both_ends(
    client: rnb.Client, few: str, since: Any, until: Any, number: int
) -> None:
    df = client.statistics(few, since=since, until=until, progress=False)
    is_all = since is None and until is None
    column, other = "num_comments", "comments_in_range"
    if not is_all:
        # Nobody takes the comments of a range for all.
        column, other = other, column
    assert df[column].tolist() == [number]
    assert other not in df


def test_a_range_the_wrong_way_round_is_told_before_anything_is_sent(client: rnb.Client) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    for method in (client.statistics, client.activity):
        with pytest.raises(rnb.InvalidInput, match="is after until"):
            method("claims", since="2026-03", until="2026-01")
        with pytest.raises(rnb.InvalidInput, match="since is 'soon', which is not a date"):
            method("claims", since="soon")
    for freq in ("M", "fortnight", None):
        with pytest.raises(rnb.InvalidInput, match="freq must be one of day, week, month"):
            client.activity("claims", freq)  # type: ignore[arg-type]
    with pytest.raises(rnb.InvalidInput, match="periods of a day"):
        client.activity("claims", "day", since="1900")
    assert len(client.sandbox.requests) == before


# Activity


@pytest.mark.parametrize("freq", ["week", "month", "quarter", "year"])
def test_activity_is_as_one_request_a_period_says(client: rnb.Client, freq: str) -> None:
    df = client.sources("claims").head(6)
    since, until = "2025-02-10T06:00", "2026-02-20"
    activity = client.activity(df, freq, since=since, until=until, progress=False)
    assert list(activity.columns) == ["owner", "name", "id", "period", "num_comments"]
    assert activity["period"].dtype == "datetime64[us, UTC]"
    assert activity["num_comments"].dtype == "Int64"
    begins = activity["period"].unique()
    assert begins[0] == pd.Timestamp(since, tz="UTC")
    last = pd.Timestamp("2026-02-21", tz="UTC")
    for row in activity.itertuples():
        later = begins[begins > row.period]
        end = (later[0] if len(later) else last) - pd.Timedelta("1us")
        count = client.statistics(
            f"{row.owner}/{row.name}",
            since=pd.Timestamp(str(row.period)),
            until=end,
            progress=False,
        )["comments_in_range"].iloc[0]
        assert row.num_comments == count
    total = client.statistics(df, since=since, until=until, progress=False)["comments_in_range"]
    assert activity.groupby("id", sort=False)["num_comments"].sum().tolist() == total.tolist()


def test_the_edges_of_a_month_are_exact(client: rnb.Client, few: str) -> None:
    activity = client.activity(few, since="2026-01", until="2026-04", progress=False)
    assert activity["period"].dt.strftime("%m").tolist() == ["01", "02", "03", "04"]
    assert activity["num_comments"].tolist() == [1, 2, 2, 0]


def test_no_more_requests_than_needed(client: rnb.Client, few: str) -> None:
    client.create_source("claims/empty")
    before = asked(client)
    client.activity("claims/empty", since="2020", until="2026", progress=False)
    assert asked(client) == before + 1
    client.activity(few, since="2025-04", until="2026-03", progress=False)
    # Of twelve months, the first nine without comments take no request each.
    assert asked(client) - before - 1 <= 8
    before = asked(client)
    client.activity("claims/motor-inbox", since="2025-04", until="2026-03", progress=False)
    assert asked(client) == before + 12


def test_comments_that_arrive_meanwhile_give_no_negative_number(
    client: rnb.Client, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, counted = CommentStore.count, iter([1])

    def count(self: CommentStore, *arguments: Any) -> int:
        # The first response is of a time with fewer comments.
        return next(counted, None) or usual(self, *arguments)

    monkeypatch.setattr(CommentStore, "count", count)
    activity = client.activity(few, since="2026-01", until="2026-03", progress=False)
    assert activity["num_comments"].tolist() == [1, 2, 2]


def test_sources_that_cannot_be_counted_are_missing_and_named(client: rnb.Client) -> None:
    df = client.sources("claims").head(2)
    client.delete_source("claims/motor-inbox")
    with pytest.warns(rnb.UnreadableWarning, match="claims/motor-inbox"):
        activity = client.activity(df, "year", since="2025", until="2026", progress=False)
    assert activity["num_comments"].isna().tolist() == [True, True, False, False]
    with pytest.warns(rnb.UnreadableWarning, match="claims/motor-inbox"):
        last = client.last_comment(df, progress=False)["last_comment_at"]
    assert last.isna().tolist() == [True, False]


def test_progress_and_stop(client: rnb.Client) -> None:
    told: list[tuple[int, int]] = []
    df = client.sources("claims").head(5)
    client.activity(df, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 5) for n in range(1, 6)]

    def stop(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.activity(df, progress=stop)


# The newest comment


@pytest.mark.usefixtures("few")
def test_the_newest_comment_takes_one_request_a_source(client: rnb.Client) -> None:
    client.create_source("claims/empty")
    df = client.sources("claims", refresh=True)
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    last = client.last_comment(df, progress=False)
    assert len(client.sandbox.requests) == before + len(df)
    assert last["last_comment_at"].dtype == "datetime64[us, UTC]"
    by_name = last.set_index("name")["last_comment_at"]
    assert by_name["few"] == pd.Timestamp("2026-03-01T00:00:00.000001Z")
    assert pd.isna(by_name["empty"])
    tenant = tenant_of(client)
    for name in ("motor-inbox", "theft-inbox"):
        newest = tenant.page(f"claims/{name}", limit=1, direction="descending")["comments"][0]
        assert by_name[name] == pd.Timestamp(newest["timestamp"])


def test_a_tenant_that_ignores_the_order_is_not_trusted(
    client: rnb.Client, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [few, "claims/theft-inbox"]
    expected = client.last_comment(names, progress=False)["last_comment_at"]
    usual = CommentStore.page

    def page(self: CommentStore, *arguments: Any, **_: Any) -> Any:
        return usual(self, *arguments, descending=False)

    monkeypatch.setattr(CommentStore, "page", page)
    assert tenant_of(client).page(few, direction="descending")["comments"][0]["id"] == "c0"
    last = client.last_comment(names, progress=False)["last_comment_at"]
    assert last.tolist() == expected.tolist()


# Times as people write them


@pytest.mark.parametrize(
    ("when", "first", "last"),
    [
        ("2026", "2026-01-01T00:00:00", "2026-12-31T23:59:59.999999"),
        ("2024-02", "2024-02-01T00:00:00", "2024-02-29T23:59:59.999999"),
        ("today", "2026-03-31T00:00:00", "2026-03-31T23:59:59.999999"),
        (" Yesterday ", "2026-03-30T00:00:00", "2026-03-30T23:59:59.999999"),
        ("now", "2026-03-31T12:30:00", "2026-03-31T12:30:00"),
        ("90 days ago", "2025-12-31T12:30:00", "2025-12-31T12:30:00"),
        ("1 month ago", "2026-02-28T12:30:00", "2026-02-28T12:30:00"),
        ("13 months ago", "2025-02-28T12:30:00", "2025-02-28T12:30:00"),
        ("2 years ago", "2024-03-31T12:30:00", "2024-03-31T12:30:00"),
        ("3 hours ago", "2026-03-31T09:30:00", "2026-03-31T09:30:00"),
        ("2 weeks ago", "2026-03-17T12:30:00", "2026-03-17T12:30:00"),
        ("2026-03-01", "2026-03-01T00:00:00", "2026-03-01T23:59:59.999999"),
        (np.datetime64("2026"), "2026-01-01T00:00:00", "2026-12-31T23:59:59.999999"),
        (np.datetime64("2024-02"), "2024-02-01T00:00:00", "2024-02-29T23:59:59.999999"),
        (pd.Period("2024Q1", "Q"), "2024-01-01T00:00:00", "2024-03-31T23:59:59.999999"),
        (pd.Period("2026-03-01T09", "h"), "2026-03-01T09:00:00", "2026-03-01T09:59:59.999999"),
    ],
)
def test_edges_of_what_a_person_names(when: When, first: str, last: str) -> None:
    for end, expected in ((False, first), (True, last)):
        moment = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        assert edge(when, end=end, now=NOW) == moment
    assert edge(when, now=NOW) <= NOW + timedelta(days=365)


@pytest.mark.parametrize(
    "when",
    [
        *("", "0000", "2026-13", "26-01", "999999 years ago", "5 days", "-1 days ago", "soon"),
        *(pd.NaT, np.datetime64("NaT"), np.datetime64("NaT", "M")),
    ],
)
def test_what_names_no_time_is_told(when: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"not a date or time|outside the years"):
        edge(when, name="since", now=NOW)
