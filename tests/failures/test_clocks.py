"""A machine that was asleep, or whose clock is wrong.

A sleep is simulated by a time of day that jumps, here and in the tenant's `Date`: the monotonic
clock of a machine that sleeps stands still.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.api import restore_files, safe_write
from reinfer_nb.api.retry_policy import Patience
from tests.api.test_write_result import through
from tests.scripted import Asked, Scripted, Step, relay

NAME = "claims/motor-inbox"
true_time = time.time


class Bed:
    """Where the machine sleeps; `asleep` are the seconds so far."""

    asleep = 0.0

    def rest(self) -> None:
        self.asleep += 3600.0


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = Bed()
    monkeypatch.setattr(time, "time", lambda: true_time() + bed.asleep)
    return bed


@pytest.fixture
def nights(client: rnb.Client, bed: Bed) -> Iterator[tuple[rnb.Client, list[str]]]:
    """Yield a client whose machine sleeps, and loses the response, on the first create."""
    onward, creates = relay(client.endpoint), list[str]()

    def answer(asked: Asked) -> bytes:
        response = onward(asked)
        if asked.method == "PUT":
            creates.append(asked.path)
            if len(creates) == 1:
                bed.rest()
                return b""
        return dated(response, bed.asleep)

    assert client.sandbox is not None
    with (
        Scripted(Step(answer, close=True), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=client.sandbox.tokens["admin"]) as mine,
    ):
        mine._transport.patience = Patience(backoff=0.01)
        yield mine, creates


def dated(response: bytes, seconds: float = 0.0) -> bytes:
    """Return a response whose `Date` is true, or some seconds later."""
    date = formatdate(true_time() + seconds, usegmt=True)
    return re.sub(rb"Date: [^\r]+", f"Date: {date}".encode(), response)


@pytest.mark.parametrize("earlier", [0, 1], ids=["first request", "later request"])
def test_case_83_a_create_whose_response_was_lost_is_ours(
    nights: tuple[rnb.Client, list[str]], earlier: int
) -> None:
    """S a machine that was asleep while a request was under way, or since: a create whose response
    was lost is still ours, a cached listing has expired, a look at a source is taken again before
    it is written.
    """
    mine, creates = nights
    for _ in range(earlier):
        mine.sources("claims")
    with pytest.warns(rnb.InDoubtWarning, match="whose response was lost"):
        made = mine.create_source("claims/travel", title="Travel")
    assert made.title == "Travel"
    assert len(creates) == 2


def test_case_83_a_cached_listing_has_expired(client: rnb.Client, bed: Bed) -> None:
    """A listing from before the night is not taken for one of the last five minutes."""
    assert client.sandbox is not None
    client.sources()
    before = len(client.sandbox.requests)
    client.sources()
    assert len(client.sandbox.requests) == before
    bed.rest()
    client.sources()
    assert len(client.sandbox.requests) == before + 1
    assert "claims" in set(client.sources()["owner"])


def test_case_83_a_look_is_taken_again(
    client: rnb.Client, bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The machine sleeps while a restore file is written, and others change the source."""
    base, keep = client.source(NAME), restore_files.write

    def sleepily(*arguments: Any) -> None:
        keep(*arguments)
        client.update_source(NAME, description="theirs")
        bed.rest()

    monkeypatch.setattr(restore_files, "write", sleepily)
    with pytest.raises(rnb.Moved):
        safe_write.delete(client.calls, base, tmp_path / "kept.json")
    assert client.source(NAME).description == "theirs"


@pytest.mark.parametrize("seconds", [600, -600], ids=["ahead", "behind"])
def test_case_84_what_is_new_is_told_from_what_is_old(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """S a machine whose clock is ten minutes ahead or behind: with `delete_missing`, what others
    created after the listing stays, and what was created before it goes.
    """
    onward = relay(client.endpoint)
    monkeypatch.setattr(time, "time", lambda: true_time() + seconds)
    with through(client, lambda asked: dated(onward(asked))) as mine:
        mine.create_source("claims/old")
        # `Date` has whole seconds.
        time.sleep(3)
        edited = mine.sources("claims").query("name != 'old'")
        client.create_source("claims/theirs")
        plan = mine.plan(edited, delete_missing=True)
    assert [(step.kind, step.full_name) for step in plan.steps] == [("delete", "claims/old")]
    assert "Not deleted: 1 source created after the listing was fetched." in plan.notes
