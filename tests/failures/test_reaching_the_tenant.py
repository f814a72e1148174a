"""Cases 1 to 16: requests to a tenant that is slow, failing, lost or not to be trusted."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from tests.scripted import RESET, Scripted, Step, relay, reply
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy")

TOKEN = "token-of-these-tests"
SOURCE = {"id": "18ba5ce699f8da1f", "owner": "acme", "name": "support", "title": "Support"}
ONE = reply({"status": "ok", "source": SOURCE})
MOTOR = "claims/motor-inbox"
numbers = count()


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Sandbox]:
    """A practice tenant that the tests share."""
    box = rnb.sandbox()
    with box:
        yield box


@pytest.fixture
def box(tenant: rnb.Sandbox) -> Iterator[rnb.Sandbox]:
    """The practice tenant, without faults yet."""
    yield tenant
    tenant.faults.clear()


@pytest.fixture
def client(box: rnb.Sandbox) -> Iterator[Client]:
    """A client of the practice tenant, as a user connects it; it caches nothing."""
    with connected(box) as made:
        yield made


def connected(box: rnb.Sandbox, **options: Any) -> Client:
    return rnb.connect(endpoint=box.endpoint, token=box.tokens["admin"], cache_ttl=0, **options)


def fresh_name() -> str:
    return f"claims/made-{next(numbers)}"


def made_in(box: rnb.Sandbox) -> rnb.Source:
    """Create a source that only one test uses."""
    with connected(box) as client:
        return client.create_source(fresh_name(), title="T", description="D")


def napping(client: Client, patience: Patience | None = None) -> list[float]:
    """Let a client record its waits instead of waiting; return the recorded seconds."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        # The pause that the tenant asked for is over too.
        client._transport._pacer.let_go()

    client._transport.patience = patience or client._transport.patience
    client._transport._sleep = sleep
    return naps


def client_of(
    endpoint: str, *, token: str = TOKEN, attempts: int = 1, verify: Any = None, **options: Any
) -> Client:
    """Return a client that does not wait between its attempts."""
    tenant = config.resolve(endpoint=endpoint, token=token, verify=verify)
    given: dict[str, Any] = {"patience": Patience(attempts), "sleep": lambda _: None}
    return Client(Transport(tenant, **given | options), cache_ttl=0)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the toolkit showed to the user so far."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "reinfer_nb" and record.levelno >= logging.WARNING
    ]


# 1: no answer


def test_case_01_no_answer(
    box: rnb.Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S no answer: a connect time-out of 10 s and a read time-out of 60 s by default, both
    settable; the error names the endpoint and the setting.
    """
    limits: set[float | None] = set()
    settimeout = socket.socket.settimeout

    def noted(connection: socket.socket, seconds: float | None) -> None:
        limits.add(seconds)
        settimeout(connection, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "settimeout", noted)
        client.me()
        assert {10.0, 60.0} <= limits
        for timeout in ((3, 4.5), 7):
            limits.clear()
            with connected(box, timeout=timeout) as mine:
                mine.me()
            assert set(timeout if isinstance(timeout, tuple) else [timeout]) <= limits
            assert not {10.0, 60.0} & limits
    with connected(box, timeout=(30, 0.1)) as mine:
        napping(mine, Patience(2))
        with box.faults.add(Fault.wait(2, on="get_source")) as added:
            with pytest.raises(rnb.Timeout) as caught:
                mine.source(MOTOR)
            assert added.struck == 2
    for part in (box.endpoint, MOTOR, "within 0.1 s", "timeout=(connect, read)", "2 attempts"):
        assert part in str(caught.value)
    with ExitStack() as stack:
        # A server with a full queue accepts no connection.
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        endpoint = f"http://127.0.0.1:{full.getsockname()[1]}"
        client = stack.enter_context(client_of(endpoint, attempts=2, timeout=(0.1, 30)))
        with pytest.raises(rnb.Timeout) as caught:
            client.sources()
    for part in (endpoint, "within 0.1 s", "timeout=(connect, read)", "after 2 attempts"):
        assert part in str(caught.value)


def test_case_01_an_answer_that_has_begun() -> None:
    """A response that stops within its body is no answer either."""
    begun = reply({"status": "ok", "source": SOURCE}, 200, {"Content-Length": "5000"})
    with (
        Scripted(begun, repeat=True) as server,
        client_of(server.endpoint, attempts=2, timeout=(30, 0.1)) as client,
    ):
        with pytest.raises(rnb.Timeout, match=r"within 0.1 s.*timeout=\(connect, read\)"):
            client.source("acme/support")
        assert server.methods == ["GET", "GET"]


# 2: 429


def test_case_02_told_to_wait(
    box: rnb.Sandbox,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """S 429 with `Retry-After` in seconds, and as an HTTP date: waited for, bounded (an hour
    becomes an error that says so), shown to the user, then the answer.
    """
    usual = client.sources()
    box.faults.add(Fault.answer(429, retry_after=1, on="list_sources", times=1))
    begin = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        # Without pytest's handlers, as in a notebook that sets up no logging.
        patch.setattr(logging.root, "handlers", [])
        pd.testing.assert_frame_equal(client.sources(), usual)
    assert time.monotonic() - begin >= 1
    assert f"{box.endpoint}: status 429. Retrying in 1.0 s" in capsys.readouterr().err

    # A 503 may ask for a wait too.
    asked = (429, 20, 20), (429, timedelta(seconds=20), 15), (503, 20, 20)
    for status, retry_after, least in asked:
        caplog.clear()
        fault = Fault.answer(status, retry_after=retry_after, on="list_sources", times=2)
        with connected(box) as mine, box.faults.add(fault) as added:
            naps = napping(mine)
            pd.testing.assert_frame_equal(mine.sources(), usual)
            assert added.struck == len(naps) == 2
        assert all(least <= nap <= 25 for nap in naps)
        for nap, text in zip(naps, messages(caplog), strict=True):
            assert f"status {status}. Retrying in {nap:.1f} s" in text

    naps = napping(client)
    for hour in (3600, timedelta(hours=1)):
        with box.faults.add(Fault.answer(429, retry_after=hour, times=9, on="get_source")) as added:
            with pytest.raises(
                rnb.RateLimited, match=r"asks to wait 3(59|60)\d s.* waits 120 s at most"
            ) as caught:
                client.source(MOTOR)
            assert added.struck == 1
        assert caught.value.status == 429
    assert all(nap < 5 for nap in naps)


# 3: temporary failures


def test_case_03_failures_in_passing(box: rnb.Sandbox, client: Client) -> None:
    """S 502/503/504 and dropped connections on a GET: retried with exponential waits and jitter,
    at most a bounded total; the last error tells how often and how long.
    """
    usual = client.sources()
    naps = napping(client)
    for fault in (Fault.answer(502), Fault.answer(503), Fault.answer(504), Fault.drop()):
        naps.clear()
        with box.faults.add(replace(fault, times=4)) as added:
            pd.testing.assert_frame_equal(client.sources(), usual)
            assert added.struck == len(naps) == 4
        # A connection that was dropped may just have been idle, so it is replaced at once.
        dropped = fault.kind == "drop"
        for nap, least in zip(naps, (0 if dropped else 0.5, 1, 2, 4), strict=True):
            assert least <= nap <= least + 0.25
            assert nap != least or (dropped and least == 0)
        naps.clear()
        with box.faults.add(fault) as added:
            with pytest.raises(rnb.ReinferError) as caught:
                client.sources()
            assert added.struck == 5
        assert type(caught.value) is (rnb.ConnectionFailed if dropped else rnb.ServerError)
        tries = re.search(r"^(.*) after 5 attempts in (\d+) s: ", str(caught.value))
        assert tries
        assert tries[1] == f"Could not list the sources at {box.endpoint}"
        assert sum(naps) - 1 < int(tries[2]) < sum(naps) + 5
    for fault in (Fault.answer(503), Fault.drop(), Fault.answer(429, retry_after=9)):
        naps = napping(client, Patience(1000, longest=30, backoff=1.0))
        with box.faults.add(fault) as added:
            with pytest.raises(rnb.ReinferError, match=r"after \d+ attempts in \d+ s") as caught:
                client.sources()
            assert f"after {added.struck} attempts" in str(caught.value)
            assert added.struck == len(naps) + 1
        assert 10 < sum(naps) <= 30
    assert Transport(client._transport.tenant).patience.longest == 120


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault.answer(503, times=2, after=True),
        Fault.answer(504, times=2, body="<h1>Gateway time-out</h1>"),
        Fault.drop(times=2, after=True),
        Fault.cut(0, times=2),
        Fault.cut(0.5, times=2),
        Fault.cut(1, times=2),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status} {fault.share} {fault.after}",
)
@pytest.mark.parametrize("compressed", [False, True])
def test_case_03_every_read(
    box: rnb.Sandbox, client: Client, fault: Fault, *, compressed: bool
) -> None:
    """Every read is retried, also after an answer that was lost or cut."""
    napping(client)
    usual, motor, me = client.sources(), client.source(MOTOR), client.me()
    if compressed:
        box.faults.add(Fault.gzip())
    for read in (
        lambda: pd.testing.assert_frame_equal(client.sources(), usual),
        lambda: client.source(MOTOR) == motor or pytest.fail("another source"),
        lambda: client.me() == me or pytest.fail("another user"),
    ):
        with box.faults.add(fault) as added:
            read()
            assert added.struck == 2


# 4: idle connections

VERBS: dict[str, Callable[[Client, rnb.Source], object]] = {
    "GET": lambda client, source: client.source(source.full_name),
    "PUT": lambda client, _: client.create_source(fresh_name(), title="T"),
    "POST": lambda client, source: client.update_source(source.full_name, title="New"),
    "DELETE": lambda client, source: client.calls.delete(source),
}


@pytest.mark.parametrize("verb", VERBS)
def test_case_04_an_idle_connection(
    box: rnb.Sandbox,
    client: Client,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """S an idle keep-alive connection closed by the server: unnoticed by the user, on every
    verb.
    """
    assert box._server is not None
    uvicorn = box._server._server
    source, naps = made_in(box), napping(client)
    # The server closes a connection that is idle for a twentieth of a second.
    monkeypatch.setattr(uvicorn.config, "timeout_keep_alive", 0.05)
    client.me()
    until(lambda: not uvicorn.server_state.connections)
    before = len(box.requests)
    VERBS[verb](client, source)
    assert [(one.method, one.status) for one in box.requests[before:]] == [(verb, 200)]
    assert naps == []
    # The server may also close it in the moment in which the next request arrives.
    monkeypatch.undo()
    source, onward, token = made_in(box), relay(box.endpoint), box.tokens["admin"]
    with (
        Scripted(Step(onward), RESET, Step(onward), repeat=True) as server,
        client_of(server.endpoint, token=token, attempts=5, sleep=naps.append) as mine,
    ):
        mine.me()
        VERBS[verb](mine, source)
        assert server.methods == ["GET", verb]
        assert server.connections == 2
    assert naps == [0]
    assert messages(caplog) == []
