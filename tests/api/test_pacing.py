"""The rate of requests after a 429: in a simulation, and over a socket by the server's log."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.api import safe_write
from reinfer_nb.api.pacing import Pacer, Turn
from reinfer_nb.api.retry_policy import RetryHooks
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from reinfer_nb.schema.endpoints import ME
from tests.limits import Bucket, Limit, Windows
from tests.scripted import Asked, Scripted, Step, reply

USER = {"id": "0123456789abcdef", "username": "u", "display_name": "U", "email": "u@example.com"}
USER_RESPONSE = reply({"status": "ok", "user": USER})


class Simulation:
    """Workers that send requests as fast as a pacer allows, in simulated time.

    Args:
        limit: The limit of the tenant.
        requests: Number of requests to send; one that gets a 429 is sent again.
        latency: Seconds from a request to its response, varied by half.
        in_pairs: True if each request is a look and the write after it.
        says: True if a 429 has a `Retry-After`; else each waits for half a second.
    """

    def __init__(
        self,
        limit: Limit,
        requests: int,
        *,
        latency: float = 0.02,
        in_pairs: bool = False,
        says: bool = True,
        workers: int = 8,
    ) -> None:
        self.now, self.sent, self.refused, self.sent_while_held = 0.0, 0, 0, 0
        self.pacer = Pacer(lambda: self.now)
        self._limit, self._left, self._latency, self._says = limit, requests, latency, says
        self._in_pairs = in_pairs
        self._random = random.Random(1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._until = 0.0
        for _ in range(workers):
            self._begin()
        while self._events:
            at, _, event = heapq.heappop(self._events)
            self.now = max(self.now, at)
            event()

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _begin(self) -> None:
        if self._left > 0:
            self._left -= 1 + self._in_pairs
            self._wait("look" if self._in_pairs else "request")

    def _wait(self, what: str) -> None:
        # A look takes the turn of the write after it too.
        turn = self.pacer.turn({"look": 2, "write": 0, "request": 1}[what])

        def wake() -> None:
            if not turn.held and not self.pacer.holds():
                self._send(what)
            elif what == "write":
                self._wait("look")
            else:
                self._wait(what)

        self._at(turn.due, wake)

    def _send(self, what: str) -> None:
        sent_at, way = self.now, self._latency / 2 * self._random.uniform(0.5, 1.5)
        self.sent += 1
        self.sent_while_held += sent_at < self._until

        def arrive() -> None:
            allowed, seconds = self._limit.allows(self.now), self._limit.retry_after(self.now)
            self._at(self.now + way, lambda: respond(allowed=allowed, seconds=seconds))

        def respond(*, allowed: bool, seconds: float) -> None:
            if allowed:
                self.pacer.responded(sent_at)
                if what == "look":
                    self._wait("write")
                else:
                    self._begin()
                return
            self.refused += 1
            seconds = seconds if self._says else self._random.uniform(0.5, 0.75)
            self._until = max(self._until, self.now + seconds)
            self.pacer.refused(sent_at, seconds)
            # A write that had to wait looks again.
            again = "look" if what == "write" else what
            self._at(self.now + seconds, lambda: self._wait(again))

        self._at(self.now + way, arrive)


LIMITS: dict[str, Callable[[], Limit]] = {
    "20 a second": lambda: Bucket(20, 5),
    "4 a second": lambda: Bucket(4, 5),
    "8 a second": lambda: Bucket(8, 5),
    "40 a second": lambda: Bucket(40, 5),
    "20 at once": lambda: Bucket(20, 20),
    "100 at once": lambda: Bucket(20, 100),
    "windows of 4": lambda: Windows(4),
    "windows of 8": lambda: Windows(8),
    "windows of 20": lambda: Windows(20),
    "windows of 40": lambda: Windows(40),
}


@pytest.mark.slow
@pytest.mark.parametrize("latency", [0.02, 0.08])
@pytest.mark.parametrize("in_pairs", [False, True], ids=["reads", "looks and writes"])
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_the_rate_is_close_to_the_tenants_limit(
    limit: Callable[[], Limit], *, in_pairs: bool, latency: float
) -> None:
    tenant = limit()
    requests = int(20 * tenant.rate)
    run = Simulation(tenant, requests, latency=latency, in_pairs=in_pairs)
    assert run.now < 1.5 * tenant.least(requests)
    assert run.refused <= 8 + requests / 5
    # No request is sent during a pause.
    assert run.sent_while_held == 0


def test_without_a_429_the_rate_is_unlimited() -> None:
    clock = [0.0]
    pacer = Pacer(lambda: clock[0])
    for _ in range(1000):
        assert pacer.turn() == Turn(clock[0], held=False)
        pacer.responded(clock[0])
    assert math.isinf(pacer.rate)


def test_the_rate_grows_only_while_requests_wait_and_its_limit_ends_after_a_minute() -> None:
    clock = [100.0]
    pacer = Pacer(lambda: clock[0])
    pacer.refused(pacer.turn().due, 1)
    assert pacer.turn() == Turn(101, held=True)
    clock[0] = 101.0
    assert pacer.turn() == Turn(101, held=False)
    rate = pacer.rate
    for _ in range(40):
        clock[0] += 1
        assert pacer.turn().due == clock[0]
        assert pacer.rate == rate
    assert pacer.turn().due == clock[0] + 1 / rate
    clock[0] += 0.1
    assert pacer.turn().due > clock[0]
    assert pacer.rate > rate
    clock[0] = 161.5
    assert [pacer.turn() for _ in range(9)] == [Turn(161.5, held=False)] * 9


def test_concurrent_429s_lower_the_rate_once() -> None:
    rates = []
    for refused in (1, 8):
        clock = [0.0]
        pacer = Pacer(lambda: clock[0])  # noqa: B023 - used within the round
        sent = [pacer.turn().due for _ in range(10 + refused)]
        clock[0] = 0.1
        for at in sent[refused:]:
            pacer.responded(at)
        for at in sent[:refused]:
            pacer.refused(at, 1)
        clock[0] = 1.1
        pacer.turn()
        rates.append(pacer.rate)
    assert rates[0] == rates[1]


def test_a_look_takes_two_turns_and_its_write_none() -> None:
    clock = [0.0]
    pacer = Pacer(lambda: clock[0])
    pacer.refused(pacer.turn().due, 1)
    clock[0] = 1.0
    assert pacer.turn(2).due == 1
    assert pacer.turn(0).due == 1
    assert pacer.turn(1).due == pytest.approx(1 + 2 / pacer.rate)


def test_after_a_wait_is_ended_a_new_request_is_sent_at_once() -> None:
    clock = [0.0]
    pacer = Pacer(lambda: clock[0])
    pacer.refused(pacer.turn().due, 60)
    assert pacer.turn() == Turn(60, held=True)
    pacer.let_go()
    assert pacer.turn() == Turn(0, held=False)


def test_a_longer_pause_applies_to_requests_that_wait_already() -> None:
    clock = [0.0]
    pacer = Pacer(lambda: clock[0])
    sent = pacer.turn().due
    pacer.refused(sent, 1)
    assert pacer.turn().due == 1
    pacer.refused(sent, 30)
    clock[0] = 1.0
    assert pacer.holds()
    assert pacer.turn() == Turn(30, held=True)


# Over a socket


@contextmanager
def serving(respond: Any) -> Iterator[Client]:
    with Scripted(Step(respond), repeat=True) as server:
        tenant = config.resolve(endpoint=server.endpoint, token="t")
        with Client(Transport(tenant)) as client:
            yield client


@pytest.mark.slow
def test_a_stop_ends_only_its_own_wait() -> None:
    limited = reply({"status": "error"}, 429, {"Retry-After": "3"})
    asked: list[float] = []

    def respond(_: Asked) -> bytes:
        asked.append(time.monotonic())
        return limited if len(asked) == 1 else USER_RESPONSE

    waits = threading.Semaphore(0)
    with serving(respond) as client, ThreadPoolExecutor(2) as pool:
        transport = client._transport
        pause = transport._pause

        def counted(seconds: float, stop: threading.Event | None) -> bool:
            waits.release()
            return pause(seconds, stop)

        transport._pause = counted  # type: ignore[method-assign]
        mine, theirs = threading.Event(), threading.Event()
        first = pool.submit(transport.send, ME, hooks=RetryHooks(stop=mine))
        assert waits.acquire(timeout=10)
        second = pool.submit(transport.send, ME, hooks=RetryHooks(stop=theirs))
        assert waits.acquire(timeout=10)
        mine.set()
        with pytest.raises(rnb.Stopped, match="stopped before it was sent"):
            first.result(10)
        assert second.result(10).status == 200
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 3


def test_a_stop_before_the_first_attempt_is_reported() -> None:
    limited = reply({"status": "error"}, 429, {"Retry-After": "60"})
    asked = threading.Event()

    def respond(_: Asked) -> bytes:
        asked.set()
        return limited

    with serving(respond) as client, ThreadPoolExecutor(1) as pool:
        transport, stop = client._transport, threading.Event()
        waiting = pool.submit(transport.send, ME, hooks=RetryHooks(stop=stop))
        assert asked.wait(10)
        # Until the response has come in.
        while not transport._pacer.holds():
            time.sleep(0.01)
        begin = time.monotonic()
        ended = threading.Event()
        ended.set()
        with pytest.raises(rnb.Stopped, match="stopped before it was sent"):
            transport.send(ME, hooks=RetryHooks(stop=ended))
        stop.set()
        with pytest.raises(rnb.Stopped, match="stopped before it was sent"):
            waiting.result(10)
        assert time.monotonic() - begin < 30


def test_after_a_stop_the_next_request_is_sent_at_once() -> None:
    limited = reply({"status": "error"}, 429, {"Retry-After": "60"})
    responses = iter([limited, USER_RESPONSE])
    with serving(lambda _: next(responses)) as client:
        transport, stop = client._transport, threading.Event()
        stop.set()
        with pytest.raises(rnb.Stopped, match="stopped before it was sent"):
            transport.send(ME, hooks=RetryHooks(stop=stop))
        # Nothing is left to wait for.
        transport._sleep = lambda seconds: pytest.fail(f"it waits {seconds} s")
        assert transport.send(ME).status == 200


def test_an_update_waits_for_its_turn_once_before_its_look(client: Client) -> None:
    source = client.source("claims/motor-inbox")
    pacer, turns = client._transport._pacer, list[int]()
    turn = pacer.turn

    def counted(number: int, waited_until: float) -> Turn:
        turns.append(number)
        return turn(number, waited_until)

    pacer.turn = counted  # type: ignore[assignment,method-assign]
    safe_write.update(client.calls, source, {"title": "mine"})
    safe_write.delete(client.calls, client.source(source.full_name))
    client.me()
    # The delete is followed by a look if the source is gone.
    assert turns == [2, 0, 1, 2, 0, 1, 1]


def test_each_response_but_a_429_counts_for_the_rate() -> None:
    limited = reply({"status": "error"}, 429, {"Retry-After": "0.01"})
    missing = reply({"status": "error", "message": "404 Not Found"}, 404)
    responses = iter([limited, USER_RESPONSE, missing, USER_RESPONSE])
    counted: list[float] = []
    with serving(lambda _: next(responses)) as client:
        client._transport._pacer.responded = counted.append  # type: ignore[assignment,method-assign]
        client._transport._sleep = lambda _: None
        statuses = [client._transport.send(ME).status for _ in range(3)]
    assert statuses == [200, 404, 200]
    assert len(counted) == 3
    assert counted == sorted(set(counted))
