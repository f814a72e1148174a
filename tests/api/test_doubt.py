"""Writes without a response: a look shows if they took effect; else they stay in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api import safe_write
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.server.active_faults import Added
from tests.waiting import until

LOOKS = ["get_source", "get_source_by_id"]
NAME = "claims/motor-inbox"


def faults(client: rnb.Client) -> Any:
    assert client.sandbox is not None
    return client.sandbox.faults


@contextmanager
def meanwhile(
    client: rnb.Client, slow: Added, work: Callable[[rnb.Client], object]
) -> Iterator[None]:
    """Run `work` as another client once a slow fault has struck, and wait for its end."""
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]

    def theirs(other: rnb.Client) -> None:
        until(lambda: slow.struck)
        work(other)

    with (
        rnb.connect(endpoint=client.endpoint, token=token) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        done = pool.submit(theirs, other)
        yield
        done.result()


def describe(other: rnb.Client) -> object:
    return other.update_source(NAME, description="theirs")


def one_update(client: rnb.Client) -> rnb.Plan:
    return client.plan(client.sources("claims").head(1).assign(title="mine"))


def one_delete(client: rnb.Client) -> rnb.Plan:
    return client.plan(client.sources("claims").iloc[1:], delete_missing=True)


def one_create(client: rnb.Client) -> rnb.Plan:
    return client.plan(pd.DataFrame({"owner": ["claims"], "name": ["fresh"]}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan_of", "on", "looks"),
    [(one_update, "update_source", 1), (one_delete, "delete_source", 1)],
    ids=["update", "delete"],
)
def test_a_failed_look_leaves_the_write_in_doubt(
    client: rnb.Client, plan_of: Callable[[rnb.Client], rnb.Plan], on: str, looks: int
) -> None:
    plan = plan_of(client)
    faults(client).add(Fault.answer(500, on=LOOKS, skip=looks, times=1))
    faults(client).add(Fault.drop(on=on, after=True, times=1))
    result = plan.apply(progress=False)
    assert result.counts == {"failed": 1}
    assert "may still have taken effect" in result.frame["said"][0]
    assert any("is unknown" in note for note in result.undo().notes)
    result = result.retry(progress=False)
    assert result.counts == {"done": 1}
    assert len(result.undo().steps) == 1


def test_a_wait_that_is_too_long_leaves_the_write_in_doubt(client: rnb.Client) -> None:
    plan = one_create(client)
    long = Fault.answer(429, retry_after=999, on="create_source", times=1, skip=1)
    faults(client).add(long, Fault.drop(on="create_source", after=True, times=1))
    result = plan.apply(progress=False)
    assert "may still have taken effect" in result.frame["said"][0]
    result = result.retry(progress=False)
    assert result.counts == {"done": 1}
    # There is no proof within the resolution of the tenant's clock.
    assert "somebody else at the same time" in result.to_text()
    undo = result.undo()
    assert len(undo.steps) == 0
    assert any("claims/fresh is left alone" in note for note in undo.notes)


@pytest.mark.slow
def test_a_create_with_two_lost_responses_is_still_ours(client: rnb.Client) -> None:
    client.sources("claims")
    # The doubt begins with the first attempt, not with the last.
    first = Fault.answer(503, retry_after=4, on="create_source", after=True, times=1)
    faults(client).add(first, Fault.answer(503, on="create_source", times=1))
    with pytest.warns(rnb.InDoubtWarning, match="whose response was lost"):
        assert client.create_source("claims/travel", title="Travel").title == "Travel"


@pytest.mark.slow
def test_a_change_by_others_before_the_look_leaves_the_write_in_doubt(client: rnb.Client) -> None:
    assert client.sandbox is not None
    plan = one_update(client)
    base = client.source(NAME)
    slow = faults(client).add(Fault.wait(2.0, on=LOOKS, skip=1, times=1))
    faults(client).add(Fault.drop(on="update_source", after=True, times=1))
    with meanwhile(client, slow, describe):
        result = plan.apply(progress=False)
    assert client.source(NAME).title == "mine"
    assert result.counts == {"moved": 1}
    assert "may have been written before that" in result.frame["said"][0]
    assert any("is unknown" in note for note in result.undo().notes)
    assert base.title != "mine"


@pytest.mark.slow
def test_an_update_in_doubt_does_not_report_that_nothing_was_written(
    client: rnb.Client,
) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    slow = faults(client).add(Fault.wait(2.0, on=LOOKS, skip=1, times=1))
    faults(client).add(Fault.drop(on="update_source", after=True, times=1))
    with (
        meanwhile(client, slow, describe),
        pytest.raises(rnb.Moved, match="may have been written before that") as caught,
    ):
        safe_write.update(client.calls, base, {"title": "mine"})
    assert caught.value.in_doubt
    assert "Nothing was written" not in str(caught.value)


@pytest.mark.slow
def test_a_delete_in_doubt_whose_name_is_taken_took_effect(client: rnb.Client) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    slow = faults(client).add(Fault.wait(2.0, on=LOOKS, skip=1, times=1))
    faults(client).add(Fault.drop(on="delete_source", after=True, times=1))
    with meanwhile(client, slow, lambda other: other.create_source(NAME, title="theirs")):
        assert safe_write.delete(client.calls, base)[0].id == base.id
    assert client.source(NAME).title == "theirs"


def test_a_create_in_doubt_whose_name_another_source_has_stays_in_doubt(
    client: rnb.Client,
) -> None:
    plan = client.plan(pd.DataFrame({"owner": ["claims"], "name": ["fresh"], "title": ["mine"]}))
    with faults(client).add(Fault.answer(500, on="create_source", times=1)):
        result = plan.apply(progress=False)
    assert result.counts == {"failed": 1}
    # Perhaps the first attempt took effect, and others have changed the source since.
    theirs = client.create_source("claims/fresh", title="theirs")
    result = result.retry(progress=False)
    (outcome,) = result.outcomes
    assert (outcome.status, outcome.source, outcome.in_doubt) == ("moved", theirs, True)


def test_a_response_beyond_the_size_limit_leaves_the_write_in_doubt(client: rnb.Client) -> None:
    base = client.source(NAME)
    client._transport.limit = 10
    with pytest.raises(rnb.ProtocolError, match="larger than") as caught:
        client.update_source(base, title="mine")
    assert caught.value.in_doubt
    client._transport.limit = 1 << 30
    assert client.source(NAME).title == "mine"


@pytest.mark.slow
def test_a_source_created_during_the_listing_is_not_deleted(client: rnb.Client) -> None:
    slow = faults(client).add(Fault.wait(2.0, on="list_sources", after=True, times=1))

    def create(other: rnb.Client) -> None:
        # The fault counts as struck a moment before the listing is made.
        time.sleep(0.5)
        other.create_source("claims/theirs")

    with meanwhile(client, slow, create):
        df = client.sources(refresh=True)
    assert "theirs" not in set(df["name"])
    plan = client.plan(df, delete_missing=True)
    assert len(plan.steps) == 0
    assert "Not deleted: 1 source created after the listing was fetched." in plan.notes


@pytest.mark.slow
def test_a_time_without_a_zone_is_in_utc(client: rnb.Client) -> None:
    df = client.sources()
    for moment in (datetime(2000, 1, 1), pd.Timestamp("2000-01-01"), "2000-01-01", 5):  # noqa: DTZ001
        edited = df.iloc[1:].copy()
        edited.attrs["fetched_at"] = moment
        plan = client.plan(edited, delete_missing=True)
        assert len(plan.steps) == (1 if moment == 5 else 0)


def test_a_delete_that_waits_for_a_conflicting_create_is_not_left_for_a_retry(
    client: rnb.Client,
) -> None:
    claims = client.sources("claims")
    new = pd.DataFrame({"owner": ["claims"], "name": ["fresh"], "title": ["mine"]})
    edited = pd.concat([new, claims.iloc[1:]])
    plan = client.plan(edited, delete_missing=True, project="claims")
    client.create_source("claims/fresh", title="theirs")
    result = plan.apply(progress=False)
    statuses = dict(zip(result.frame["action"], result.frame["status"], strict=True))
    assert statuses == {"create": "moved", "delete": "moved"}
    assert "retry()" not in result.to_text()
    assert client.source(f"claims/{claims['name'][0]}").id == claims["id"][0]


@pytest.mark.slow
def test_waiting_for_a_turn_does_not_count_as_waiting_for_the_tenant(client: rnb.Client) -> None:
    client._transport.patience = Patience(longest=3.0)
    df = client.sources("claims").head(2).assign(title="mine")
    plan = client.plan(df)
    faults(client).add(
        Fault.answer(429, retry_after=1, on="update_source", skip=1, times=2),
        Fault.wait(4.0, on="update_source", times=1),
    )
    result = plan.apply(workers=2, progress=False)
    assert result.counts == {"done": 2}, result
