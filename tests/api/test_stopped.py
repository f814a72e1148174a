"""A request whose wait is stopped is reported as stopped, and not sent again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import reinfer_nb as rnb
from reinfer_nb.plans import executor
from tests.api.test_write_result import NAME, box_of
from tests.scripted import Asked, Scripted, Step, relay, reply

LIMITED = reply({"status": "error", "message": "429 Too Many Requests"}, 429, {"Retry-After": "3"})
FAILED = reply({"status": "error", "message": "down"}, 503, {"Retry-After": "3"})


class Refusing:
    """A server in front of a sandbox that refuses some requests.

    Attributes:
        refused: The refused requests.
        refuses: True for a request to refuse; the other requests are relayed.
        stop: Set after the first refusal.
    """

    def __init__(
        self, endpoint: str, refuses: Callable[[Asked], bool], response: bytes = LIMITED
    ) -> None:
        self.refused: list[Asked] = []
        self.stop = threading.Event()
        self.refuses: Callable[[Asked], bool] = refuses
        self._onward, self._response = relay(endpoint), response

    def __call__(self, asked: Asked) -> bytes:
        if not self.refuses(asked):
            return self._onward(asked)
        self.refused.append(asked)
        self.stop.set()
        return self._response

    @contextmanager
    def connected(self, token: str) -> Iterator[rnb.Client]:
        """Yield a client that sends its requests to this server."""
        with (
            Scripted(Step(self), repeat=True) as server,
            rnb.connect(endpoint=server.endpoint, token=token) as client,
        ):
            yield client


def admin(client: rnb.Client) -> str:
    """Return the token of the sandbox's admin."""
    return box_of(client).tokens["admin"]


@pytest.mark.parametrize("response", [LIMITED, FAILED], ids=["429", "503"])
def test_a_stopped_count_is_reported_as_stopped(client: rnb.Client, response: bytes) -> None:
    tenant = Refusing(client.endpoint, lambda asked: asked.path.endswith("statistics"), response)
    with tenant.connected(admin(client)) as mine:
        with pytest.raises(rnb.Stopped, match="was stopped before it was sent") as caught:
            mine.count_comments(NAME, stop=tenant.stop)
        assert not caught.value.in_doubt
        assert "Wait before" not in str(caught.value)
        assert len(tenant.refused) == 1


def test_a_stopped_write_that_only_got_429s_is_not_in_doubt(client: rnb.Client) -> None:
    tenant = Refusing(client.endpoint, lambda asked: asked.method == "POST")
    with (
        tenant.connected(admin(client)) as mine,
        pytest.raises(rnb.Stopped) as caught,
    ):
        mine.calls.with_hooks(stop=tenant.stop).update(NAME, {"title": "Mine"})
    assert not caught.value.in_doubt


@pytest.mark.slow
@pytest.mark.parametrize("last", [LIMITED, FAILED], ids=["429", "503"])
def test_a_stopped_write_whose_earlier_attempt_broke_is_in_doubt(last: bytes) -> None:
    stop, begin = threading.Event(), time.monotonic()
    second: list[float] = []

    def stopping(_: Asked) -> bytes:
        second.append(time.monotonic())
        stop.set()
        return last

    broken = reply({"status": "error", "message": "down"}, 503)
    with (
        Scripted(broken, Step(stopping)) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as mine,
    ):
        with pytest.raises(rnb.Stopped, match="was stopped") as caught:
            mine.calls.with_hooks(stop=stop).update(NAME, {"title": "Mine"})
        assert server.methods == ["POST", "POST"]
    assert caught.value.in_doubt
    # The doubt begins with the first attempt.
    assert begin <= (caught.value.tried_at or 0) < second[0] - 0.2


REQUESTS: dict[str, Callable[[Asked], bool]] = {
    "looks": lambda asked: asked.method == "GET" and asked.path.count("/") == 5,
    "writes": lambda asked: asked.method != "GET" and not asked.path.endswith("statistics"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["create", "update", "delete"])
@pytest.mark.parametrize("requests", REQUESTS)
@pytest.mark.parametrize("workers", [1, 4])
def test_steps_that_waited_when_an_apply_was_stopped_are_left_and_resumed(
    client: rnb.Client, requests: str, kind: str, workers: int, tmp_path: Path
) -> None:
    if kind == "create" and requests == "looks":
        pytest.skip("there is no look before a create")
    listing = client.sources("claims")
    count = min(6, len(listing) - 1)
    edited = {
        "create": listing.head(count)
        .drop(columns="id")
        .assign(name=[f"new-{number}" for number in range(count)], bucket_id=None),
        "update": listing.head(count).assign(title="Mine"),
        "delete": listing.iloc[count:],
    }[kind]
    tenant = Refusing(client.endpoint, REQUESTS[requests])
    journal = tmp_path / "journal.jsonl"
    with tenant.connected(admin(client)) as mine:
        plan = mine.plan(edited, delete_missing=kind == "delete")
        assert len(plan.steps) == count
        result = executor.applied(
            plan, workers=workers, progress=False, journal=journal, stop=tenant.stop
        )
        assert result.counts == {"left": count}, result.to_text()
        assert result.stopped == "It was stopped."
        assert "Too Many" not in result.to_text()
        now = client.sources("claims", refresh=True)
        assert now[["id", "title"]].equals(listing[["id", "title"]])
        # The tenant accepts requests again.
        tenant.refuses = lambda _: False
        assert rnb.resume(mine, journal, progress=False).counts == {"done": count}
