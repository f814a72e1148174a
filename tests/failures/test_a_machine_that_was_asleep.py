"""A machine that was asleep: its monotonic clock stood still, everybody else's went on.

The sleep is simulated: the time of day jumps, here and in the tenant's `Date`.
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
from tests.scripted import Asked, Scripted, Step, relay

NAME = "claims/motor-inbox"


class Bed:
    """Where the machine sleeps; `asleep` are the seconds so far."""

    asleep = 0.0

    def rest(self) -> None:
        self.asleep += 3600.0


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed, awake = Bed(), time.time
    monkeypatch.setattr(time, "time", lambda: awake() + bed.asleep)
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
        date = formatdate(time.time(), usegmt=True).encode()
        return re.sub(rb"Date: [^\r]+", b"Date: " + date, response)

    assert client.sandbox is not None
    with (
        Scripted(Step(answer, close=True), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=client.sandbox.tokens["admin"]) as mine,
    ):
        mine._transport.patience = Patience(backoff=0.01)
        yield mine, creates


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
