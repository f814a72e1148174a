"""Cases 1 to 16: requests to a tenant that is slow, failing, lost or not to be trusted."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
import traceback
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util import wait_for_read

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from reinfer_nb.concurrency import MOST
from reinfer_nb.server.active_faults import Added
from reinfer_nb.text import visible
from tests.api import test_tls, test_transport
from tests.certificates import Authority
from tests.scripted import RESET, Asked, Scripted, Step, relay, reply
from tests.waiting import AGES, ctrl_c_once, until

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


def connected(box: rnb.Sandbox, who: str = "admin", **options: Any) -> Client:
    return rnb.connect(endpoint=box.endpoint, token=box.tokens[who], cache_ttl=0, **options)


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
    idle = test_transport.pools_of(client)[0].pool.queue[-1].sock
    until(lambda: wait_for_read(idle, 0))
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


# 5 to 7: writes whose reply was lost

LOST = {
    "drop": Fault.drop(after=True, times=1),
    "cut": Fault.cut(0.5, times=1),
    "503 after": Fault.answer(503, after=True, times=1),
    "page after": Fault.answer(502, body="<h1>Bad gateway</h1>", after=True, times=1),
    "page before": Fault.answer(504, body="<h1>Gateway time-out</h1>", times=1),
}
is_lost = pytest.mark.parametrize("fault", LOST.values(), ids=LOST)


def answers(box: rnb.Sandbox, method: str, ending: str) -> list[int]:
    """Return the statuses of the requests of a method, by the log of the practice tenant."""
    return [
        one.status for one in box.requests if one.method == method and one.path.endswith(ending)
    ]


def first_and(fault: Fault, *, carried_out: int) -> list[int]:
    """Return the statuses of a write that a fault struck, and of its retry.

    Args:
        fault: The fault.
        carried_out: The status of the retry if the first attempt was carried out.
    """
    first = {"drop": 0, "cut": 200, "answer": fault.status}[fault.kind]
    return [first, carried_out if fault.comes_after else 200]


@pytest.mark.slow
@is_lost
@pytest.mark.usefixtures("coarse_clock")
def test_case_05_a_create_whose_reply_was_lost(
    box: rnb.Sandbox, client: Client, fault: Fault
) -> None:
    """S create: the server committed, the reply was lost. The retry's 409 leads to a look-up; if
    what is there is what we sent, the create has succeeded; if not, `Conflict` with what is there.
    Never a second source, never a false error.
    """
    napping(client)
    full_name, before = fresh_name(), len(box.sources())
    settings: dict[str, Any] = {
        "title": "New",
        "sensitive_properties": ["b", "a"],
        "should_translate": True,
    }
    # There is no proof within the resolution of the tenant's clock.
    doubt = pytest.warns(rnb.InDoubtWarning, match=full_name)
    with box.faults.add(fault) as added, doubt if fault.comes_after else nullcontext():
        made = client.create_source(full_name, **settings)
        assert added.struck == 1
    assert made == client.source(full_name)
    assert (made.title, made.should_translate) == ("New", True)
    assert made.sensitive_properties == ("b", "a")
    assert len(box.sources()) == before + 1
    ending = full_name.rpartition("/")[2]
    assert answers(box, "PUT", ending) == first_and(fault, carried_out=409)

    other, old = made_in(box), client.source(MOTOR)
    assert old.created_at is not None
    assert old.created_at < pd.Timestamp.now("UTC") - pd.Timedelta(days=1)
    attempts: dict[rnb.Source, Callable[[], object]] = {
        # Another source has the name; another source with these very settings is older.
        other: lambda: client.create_source(other.full_name, **settings),
        old: lambda: client.recreate_source(old),
    }
    for there, create in attempts.items():
        with box.faults.add(Fault.drop(on="create_source", times=1)) as added:
            with pytest.raises(rnb.Conflict, match=rf"{there.full_name}.*409") as caught:
                create()
            assert added.struck == 1
        assert caught.value.existing == there == client.source(there.full_name)
    assert len(box.sources()) == before + 2


@pytest.mark.slow
@is_lost
def test_case_06_a_delete_whose_reply_was_lost(
    box: rnb.Sandbox, client: Client, fault: Fault
) -> None:
    """S delete: committed, reply lost, retry meets 404: success. A first 404 is `NotFound`."""
    napping(client)
    source, before = made_in(box), len(box.sources())
    # The first request looks the source up.
    with box.faults.add(replace(fault, on=("delete_source",))) as added:
        assert client.delete_source(source.full_name) == source
        assert added.struck == 1
    assert len(box.sources()) == before - 1
    assert answers(box, "DELETE", source.id) == first_and(fault, carried_out=404)
    for which in (source.full_name, source.id, source):
        with pytest.raises(rnb.NotFound):
            client.delete_source(which)
    # Somebody else deletes the source after it was looked up. A 429 shows that nothing was done.
    for limited in ([], [Fault.answer(429, retry_after=1, on="delete_source", times=1)]):
        source = made_in(box)
        with connected(box) as other:
            other.delete_source(source)
        box.faults.add(*limited)
        with pytest.raises(rnb.NotFound, match=source.full_name) as caught:
            client.calls.delete(source)
        assert not caught.value.in_doubt
        assert answers(box, "DELETE", source.id) == [200, *[429] * len(limited), 404]


@pytest.mark.slow
@is_lost
def test_case_07_an_update_whose_reply_was_lost(
    box: rnb.Sandbox, client: Client, fault: Fault
) -> None:
    """S update: repeated safely; the answer is the state after."""
    naps, before = napping(client), made_in(box)
    with box.faults.add(replace(fault, times=2)) as added:
        after = client.update_source(
            before.full_name, title="New", sensitive_properties=["a"], bucket_id=None
        )
        assert added.struck == len(naps) == 2
    first = first_and(fault, carried_out=200)[0]
    assert answers(box, "POST", before.full_name.partition("/")[2]) == [first, first, 200]
    now = replace(before, updated_at=after.updated_at, last_modified=after.last_modified)
    assert after == replace(now, title="New", sensitive_properties=("a",))
    assert after == client.source(before.full_name)
    # An answer that is lost for good tells that it may be done.
    with box.faults.add(Fault.drop(on="update_source", after=True)):
        with pytest.raises(rnb.ConnectionFailed) as caught:
            client.update_source(before.full_name, title="Newer")
        assert caught.value.in_doubt
    assert client.source(before.full_name).title == "Newer"


# 8: errors of the tenant


def test_case_08_what_the_tenant_refuses(
    box: rnb.Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S 401: `AuthenticationError` that says where the token came from (environment, context
    "prod", argument), never the token. 403: `PermissionDenied` naming the permission the
    reference page asks for. 404, 409, 422, other 4xx: their own classes with the server's message.
    """
    with rnb.connect(endpoint=box.endpoint, token=TOKEN) as mine:
        expect_401(mine, "(argument)")
    file = tmp_path / "config" / "reinfer" / "contexts.json"
    file.parent.mkdir(parents=True)
    known = {"name": "prod", "endpoint": box.endpoint, "token": TOKEN}
    file.write_text(json.dumps({"contexts": [known], "current_context": "other"}))
    with rnb.connect(context="prod") as mine:
        expect_401(mine, '(context "prod")')
    monkeypatch.setenv("REINFER_ENDPOINT", box.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", TOKEN)
    with rnb.connect() as mine:
        expect_401(mine, "(environment variable REINFER_TOKEN)")

    there = made_in(box)
    napping(client)
    with connected(box, who="viewer") as viewer:
        for verb in ("PUT", "POST", "DELETE"):
            expect_403(partial(VERBS[verb], viewer, there), "sources admin")
        expect_403(viewer.buckets, "view buckets")
        hidden = partial(viewer.source, "people/payroll-inbox")
        expect(hidden, rnb.NotFound, 404, "404 Not Found")
    with box.faults.add(Fault.answer(403)):
        for read in (client.sources, partial(client.source, MOTOR)):
            expect_403(read, "view sources")

    expect(partial(client.source, "claims/nothing"), rnb.NotFound, 404, "404 Not Found")
    taken = f"409 Conflict: there is a source {there.full_name} already."
    conflict = expect(partial(client.create_source, there.full_name), rnb.Conflict, 409, taken)
    assert isinstance(conflict, rnb.Conflict)
    assert conflict.existing == there
    tag = "a.0.ABCDEFGH"
    wrong = partial(client.update_source, there.full_name, email_transform_tag=tag)
    invalid = f"The value '{tag}' is not a valid transform tag."
    expect(wrong, rnb.ValidationFailed, 422, invalid)
    message = "The value 'x\x1b[31m' is not\u202e valid."
    kinds: dict[int, type[rnb.AnswerError]] = {
        **dict.fromkeys((400, 405, 413, 415, 418, 422, 451), rnb.ValidationFailed),
        404: rnb.NotFound,
        409: rnb.Conflict,
        500: rnb.ServerError,
    }
    for status, kind in kinds.items():
        for ask in VERBS.values():
            with box.faults.add(Fault.answer(status, message=message)) as added:
                error = expect(partial(ask, client, there), kind, status, message)
                # For a suggestion, a 404 leads to listings; a 409 may pass, but for a create.
                assert added.struck == 1 or status in (404, 409)
            assert box.endpoint in str(error)
    assert client.source(there.full_name) == there


def expect(
    ask: Callable[[], object], kind: type[rnb.AnswerError], status: int, message: str
) -> rnb.AnswerError:
    """Expect that a request fails with the tenant's own message."""
    with pytest.raises(rnb.AnswerError) as caught:
        ask()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.server_message) == (status, message)
    assert visible(message).rstrip(".") in str(caught.value)
    return caught.value


def expect_401(client: Client, origin: str) -> None:
    """Expect that a token is refused, and that the error names where it is from."""
    for ask in (client.sources, lambda: client.create_source(fresh_name())):
        with pytest.raises(rnb.AuthenticationError) as caught:
            ask()
        assert caught.value.status == 401
        assert origin in str(caught.value)
        shown = "".join(traceback.format_exception(caught.value))
        assert TOKEN not in shown + repr(caught.value)


def expect_403(ask: Callable[[], object], permission: str) -> None:
    """Expect that a request is refused, and that the error names the permission."""
    with pytest.raises(
        rnb.PermissionDenied, match=f'lacks the permission "{permission}"'
    ) as caught:
        ask()
    assert caught.value.status == 403


# 9 and 10: answers that are not those of the API

HTML = {"Content-Type": "text/html; charset=utf-8"}
READS: list[Callable[[Client], object]] = [
    lambda client: client.sources(),
    lambda client: client.source("acme/support"),
]
# More than is shown, with a change of direction.
LONG = "\u202e" + "é" * 150 + "y" * 300
BOTH = f'"source": {json.dumps(SOURCE)}, "sources": [], "x": "{LONG}"'
PAGE = f"<h1>\x1b[31m\x00\x07\r\n{LONG}"
# The body, the status, the headers and the reason.
GARBLED: dict[str, tuple[str, int, dict[str, str], str]] = {
    "page with 502": (PAGE, 502, HTML, "not JSON"),
    "page with 404": (PAGE, 404, HTML, "not JSON"),
    "page with 200": (PAGE, 200, HTML, "not JSON by its content type"),
    "empty": ("", 200, {}, "not JSON"),
    "empty with 404": ("", 404, {}, "not JSON"),
    "cut": (f'{{"status": "ok", "x": "{LONG}', 200, {}, "not JSON"),
    "array": (f'["{LONG}"]', 200, {}, " object"),
    "twice": (f'{{"status": "error", "status": "ok", {BOTH}}}', 200, {}, "twice"),
    "two marks": (f'\ufeff\ufeff{{"status": "ok", {BOTH}}}', 200, {}, "not JSON"),
    "NaN": (f'{{"status": "ok", "y": NaN, {BOTH}}}', 200, {}, "NaN"),
    "known NaN": ('{"status": "ok", "source": {"id": NaN}, "sources": [{"id": NaN}]}', 200, {}, ""),
    "wrong type": (f'{{"status": "ok", {BOTH}}}', 200, HTML, "not JSON by its content type"),
    "odd type": ("x", 200, {"Content-Type": "text/\x1b[31m\x07"}, "not JSON by its content type"),
}


@pytest.mark.parametrize("name", GARBLED)
def test_case_09_garbled_answers(name: str) -> None:
    """M an HTML page with 502, an empty body, JSON cut in the middle, a JSON array, duplicate keys,
    a BOM, `NaN`, wrong content type: `ProtocolError` with status, content type and the first 200
    characters, with control characters made visible.
    """
    text, status, headers, reason = GARBLED[name]
    content_type = visible(headers.get("Content-Type", "application/json"))
    begin = text if len(text) <= 200 else f"{text[:199]}…"
    with (
        Scripted(reply(text.encode(), status, headers), repeat=True) as server,
        client_of(server.endpoint) as client,
    ):
        for read in READS:
            with pytest.raises(rnb.ReinferError) as caught:
                read(client)
            # A page with 502 is of a server in front of the tenant, which cannot reach it.
            assert type(caught.value) is (rnb.ServerError if status >= 500 else rnb.ProtocolError)
            message = str(caught.value)
            assert message.isprintable()
            assert f"at {server.endpoint}" in message
            assert f"(status {status}, content type {content_type}) is " in message
            assert reason in message
            assert message.endswith(f"The response begins: {visible(begin) or '(empty)'}")


OTHERS = {
    "null": reply(b"null"),
    "text": reply(b'"ok"'),
    "cut listing": reply(b'{"sources": [{"id": "18ba5ce699f8da1f"}, {"id'),
    "not UTF-8": reply(b'{"status": "ok", "source": {"x": "\xff"}, "sources": [{"x": "\xff"}]}'),
    "nothing in it": reply({"status": "ok"}),
    "wrong kind": reply({"status": "ok", "source": [], "sources": {}}),
    "204": reply(b"", 204, {"Content-Length": None}),
}


@pytest.mark.slow
@pytest.mark.parametrize("response", OTHERS.values(), ids=OTHERS)
def test_case_09_other_garbled_answers(response: bytes) -> None:
    """Answers that are no JSON object with what was asked for are told in the same words."""
    head, _, body = response.partition(b"\r\n\r\n")
    status = head.split()[1].decode()
    with Scripted(response, repeat=True) as server, client_of(server.endpoint) as client:
        for read in READS:
            with pytest.raises(rnb.ProtocolError) as caught:
                read(client)
            assert f"(status {status}, content type application/json)" in str(caught.value)
            assert body.decode("utf-8", "replace") in str(caught.value)


CONTRADICTIONS = {
    "200 and error": ({"status": "error", "message": "no such luck"}, 200),
    "200 and no status": ({}, 200),
    "500 and ok": ({"status": "ok"}, 500),
    "404 and ok": ({"status": "ok"}, 404),
}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_case_10_contradictions(contradiction: tuple[dict[str, str], int]) -> None:
    """M 200 with `status: error`; 500 with `status: ok`: `ProtocolError`/error, never success."""
    said, status = contradiction
    response = reply(said | {"source": SOURCE, "sources": [SOURCE]}, status)
    calls: list[Callable[[Client], object]] = [
        *READS,
        lambda client: client.create_source("acme/support", title="Support"),
        lambda client: client.update_source("acme/support", title="Support"),
        lambda client: client.calls.delete(rnb.Source.from_wire(SOURCE)),
    ]
    with Scripted(response, repeat=True) as server, client_of(server.endpoint) as client:
        for call in calls:
            with pytest.raises(rnb.ProtocolError, match=rf"\(status {status}, ") as caught:
                call(client)
            # A write may have been carried out all the same.
            assert caught.value.in_doubt == (server.methods[-1] != "GET")
        assert server.methods == ["GET", "GET", "PUT", "POST", "DELETE"]


# 11: redirects


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def redirect_to(location: str, status: int = 302) -> bytes:
    return reply(b"", status, {"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_case_11_redirects(authority: Authority, status: int) -> None:
    """M redirects: on GET followed within the same host only; on PUT/POST/DELETE refused with an
    error that shows where to; the token never reaches another host, another port or plain http.
    """
    source = rnb.Source.from_wire(SOURCE)
    with Scripted(ONE, repeat=True) as other:
        port = other.endpoint.rpartition(":")[2]
        with Scripted() as server, client_of(server.endpoint) as client:
            for base in ("", server.endpoint):
                server._script.extend(map(Step, (redirect_to(f"{base}/new?x=1", status), ONE)))
                assert client.source("acme/support").title == "Support"
                assert server.asked[-1].path == "/new?x=1"
                assert server.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"
            server.asked.clear()
            for target in (other.endpoint, f"http://localhost:{port}", "http://tenant.example"):
                server._script.append(Step(redirect_to(f"{target}/steal", status)))
                with pytest.raises(rnb.ProtocolError, match=f"to '{target}/steal' leads to an"):
                    client.source("acme/support")
            for target in (server.endpoint, other.endpoint):
                for verb, write in list(VERBS.items())[1:]:
                    server._script.append(Step(redirect_to(f"{target}/new", status)))
                    with pytest.raises(
                        rnb.ProtocolError, match=rf"redirect .* to '{target}/new' is not followed"
                    ) as caught:
                        write(client, source)
                    assert ("into a read" in str(caught.value)) == (status < 304)
                    assert server.methods[-1] == verb
            assert len(server.asked) == 9
        # From https to plain http on the same host.
        tls, bundle = authority.server("127.0.0.1"), str(authority.bundle)
        with Scripted(tls=tls) as server, client_of(server.endpoint, verify=bundle) as client:
            plain = server.endpoint.replace("https://", "http://")
            for target in (plain, other.endpoint):
                server._script.append(Step(redirect_to(f"{target}/steal", status)))
                with pytest.raises(rnb.ProtocolError, match="another host, port or scheme"):
                    client.source("acme/support")
            assert len(server.asked) == 2
        assert other.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "//127.0.0.1:{other}/steal",
        "http://localhost:{own}/steal",
        "https://127.0.0.1:{own}/steal",
        "http://127.0.0.1:{own}@127.0.0.1:{other}/steal",
        "http://me@127.0.0.1:{own}/steal",
        "http://127.0.0.1:{own}\\@127.0.0.1:{other}/steal",
        "ftp://127.0.0.1:{own}/steal",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_case_11_odd_ways_to_another_host(location: str) -> None:
    """However another host is written, the token does not reach it."""
    with Scripted(ONE, repeat=True) as other, Scripted() as server:
        ports = {"own": server.endpoint.split(":")[2], "other": other.endpoint.split(":")[2]}
        target = location.format(**ports)
        server._script.append(Step(redirect_to(target)))
        with (
            client_of(server.endpoint) as client,
            pytest.raises(rnb.ProtocolError, match="redirect") as caught,
        ):
            client.source("acme/support")
        assert len(server.asked) == 1
        assert other.connections == 0
    assert target.removeprefix("//").replace("\\", "\\\\") in str(caught.value)


# 12: netrc and proxies


@contextmanager
def tunnel(server: Scripted) -> Iterator[tuple[str, list[str]]]:
    """Serve a proxy that connects to a server, whatever host is asked for.

    Yields:
        The proxy's endpoint, and the heads of the requests to it.
    """
    heads: list[str] = []

    def carry(here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while piece := here.recv(65_536):
                there.sendall(piece)
        with suppress(OSError):
            there.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                inside, _ = listening.accept()
                sockets.append(inside)
                heads.append(inside.recv(65_536).decode())
                port = int(server.endpoint.rpartition(":")[2])
                outside = socket.create_connection(("127.0.0.1", port))
                sockets.append(outside)
                inside.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for ends in ((inside, outside), (outside, inside)):
                    threads.append(threading.Thread(target=carry, args=ends, daemon=True))
                    threads[-1].start()

    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []
    listening = socket.create_server(("127.0.0.1", 0))
    door = threading.Thread(target=serve, daemon=True)
    door.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heads
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        door.join(AGES)
        for connection in [listening, *sockets]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(AGES)
        for connection in [listening, *sockets]:
            connection.close()


def test_case_12_netrc_and_proxies(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """M `~/.netrc` with an entry for the host: our token is what is sent. Proxies of the
    environment still work.
    """
    file = tmp_path / ".netrc"
    hosts = ("127.0.0.1", "tenant.example")
    file.write_text("".join(f"machine {host} login somebody password else\n" for host in hosts))
    file.chmod(0o600)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for host in hosts:
        assert requests.utils.get_netrc_auth(f"https://{host}/") == ("somebody", "else")
    with (
        Scripted(redirect_to("/elsewhere"), ONE) as server,
        client_of(server.endpoint) as client,
    ):
        assert client.source("acme/support").title == "Support"
        assert [one.headers["authorization"] for one in server.asked] == [f"Bearer {TOKEN}"] * 2

    tls, bundle = authority.server("tenant.example"), str(authority.bundle)
    with Scripted(ONE, repeat=True, tls=tls) as server, tunnel(server) as (proxy, heads):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with client_of("https://tenant.example", verify=bundle) as client:
            assert client.source("acme/support").title == "Support"
            assert client.create_source("acme/support").title == "Support"
            assert [one.headers["authorization"] for one in server.asked] == [f"Bearer {TOKEN}"] * 2
        # The proxy is asked for a connection, and cannot read what goes through it.
        assert len(heads) == 1
        assert heads[0].startswith("CONNECT tenant.example:443 HTTP/1.")
        assert "authorization" not in heads[0].lower()


def test_case_12_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that refuses is told; one that is given comes before that of the environment."""
    with Scripted(reply(b"", 403), repeat=True) as given, Scripted() as other:
        monkeypatch.setenv("HTTPS_PROXY", other.endpoint)
        client = rnb.connect(endpoint="https://tenant.example", token=TOKEN, proxy=given.endpoint)
        monkeypatch.setattr(client._transport, "patience", Patience(1))
        with client, pytest.raises(rnb.ConnectionFailed, match="proxy"):
            client.sources()
        assert (given.connections, other.connections) == (1, 0)
        assert "authorization" not in given.asked[0].headers


def test_case_12_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would be sent the token over plain http, and cannot reach this machine's sandbox."""
    with Scripted(repeat=True) as proxy, Scripted(ONE) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        with client_of(server.endpoint) as client:
            assert client.source("acme/support").title == "Support"
        assert proxy.connections == 0


# 13: plain http and certificates


def test_case_13_plain_http_and_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plain `http://` endpoints: refused unless loopback. A certificate that does not verify:
    refused, with how to give a CA bundle; switching verification off is possible, per client, with
    a warning.
    """
    others = "tenant.example", "10.0.0.1", "0.0.0.0", "127.0.0.1.example.com", "[2001:db8::1]"
    for host in (*others, "localhost.example.com", "2130706433"):
        for scheme in ("http", "HTTP"):
            with pytest.raises(rnb.InvalidInput, match="uses plain http") as refused:
                rnb.connect(endpoint=f"{scheme}://{host}", token=TOKEN)
            assert TOKEN not in str(refused.value)
    with Scripted(ONE, repeat=True) as plain:
        for host in ("127.0.0.1", "localhost"):
            endpoint = plain.endpoint.replace("127.0.0.1", host)
            with rnb.connect(endpoint=endpoint, token=TOKEN) as client:
                assert client.source("acme/support").title == "Support"
    rnb.connect(endpoint="http://[::1]:5000", token=TOKEN).close()

    bundle = str(authority.bundle)
    with Scripted(ONE, repeat=True, tls=authority.server("127.0.0.1")) as server:

        def read(**options: Any) -> str | None:
            with rnb.connect(endpoint=server.endpoint, token=TOKEN, **options) as mine:
                return mine.source("acme/support").title

        refusal = r"certificate of 127.0.0.1:\d+ does not verify: .*rnb.connect\(verify='ca.pem'\)"
        with pytest.raises(rnb.ConnectionFailed, match=refusal):
            read()
        assert server.asked == []
        assert read(verify=bundle) == "Support"
        with monkeypatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", bundle)
            assert read() == "Support"
            patch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
            assert read(verify=bundle) == "Support"
        with pytest.warns(rnb.InsecureWarning, match="will not be verified"):
            insecure = rnb.connect(endpoint=server.endpoint, token=TOKEN, verify=False)
        with insecure, warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureRequestWarning)
            assert insecure.source("acme/support").title == "Support"
            # Another client still verifies.
            with pytest.raises(rnb.ConnectionFailed, match=refusal):
                read()


# 14: threads


def test_case_14_eight_threads(box: rnb.Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """S eight threads over one client: no lost or mixed answers, the pool is large enough not to
    discard connections.
    """
    caplog.set_level(logging.DEBUG)
    df = box.sources()
    expected: dict[str, object] = dict(zip(df["owner"] + "/" + df["name"], df["id"], strict=True))
    # Listings between them, which are longer.
    asked = [name if number % 8 else "" for number, name in enumerate(list(expected)[:64])]
    expected[""] = df["id"].tolist()
    onward, eight = relay(box.endpoint), threading.Barrier(8)

    def together(asked: Asked) -> bytes:
        # Eight requests are under way before the first is answered.
        eight.wait(AGES / 4)
        return onward(asked)

    with (
        Scripted(Step(together), repeat=True) as server,
        client_of(server.endpoint, token=box.tokens["admin"]) as client,
        ThreadPoolExecutor(8) as pool,
    ):

        def answer(name: str) -> object:
            return client.source(name).id if name else client.sources()["id"].tolist()

        assert list(pool.map(answer, asked)) == [expected[name] for name in asked]
        assert len(server.asked) == 64
        assert server.connections == 8
    assert "pool is full" not in caplog.text


# 15: bodies beyond the limit


@contextmanager
def inflating(head: bytes) -> Iterator[str]:
    """Serve responses that inflate to 256 MiB, of which few bytes are sent."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    begin = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(8 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)

    def serve(connection: socket.socket) -> None:
        connection.recv(10_000)
        encoding = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"Content-Type: application/json\r\n" + encoding)
        for part in (begin, *[piece] * 32):
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")

    with test_tls.raw(serve) as port:
        yield f"http://127.0.0.1:{port}"


def test_case_15_a_body_without_end() -> None:
    """M a body that claims gzip and inflates without end: refused at a bound (default 2 GiB) with
    an error.
    """
    with rnb.connect(endpoint="https://tenant.example", token=TOKEN) as usual:
        assert usual._transport.limit == 2 << 30
    heads = (
        b"HTTP/1.1 200 x\r\n",
        b"HTTP/1.1 422 x\r\n",
        b"HTTP/1.1 302 x\r\nLocation: /elsewhere\r\n",
    )
    for head in heads:
        with inflating(head) as endpoint, client_of(endpoint, limit=1 << 20) as client:
            tracemalloc.start()
            try:
                with pytest.raises(
                    rnb.ProtocolError, match="larger than 1,048,576 bytes"
                ) as caught:
                    client.sources()
                assert tracemalloc.get_traced_memory()[1] < 60 << 20
            finally:
                tracemalloc.stop()
            assert endpoint in str(caught.value)


# 16: Ctrl-C


def seconds_of_ctrl_c(work: Callable[[], object], begun: Callable[[], object]) -> float:
    """Press Ctrl-C as soon as some work has begun; return the seconds until it has ended."""
    pressed: list[float] = []

    def due() -> bool:
        if begun():
            pressed.append(time.monotonic())
        return bool(pressed)

    with pytest.raises(KeyboardInterrupt), ctrl_c_once(due):
        work()
    return time.monotonic() - pressed[0]


WORKERS = 4


def list_sources(client: Client) -> object:
    return client.sources()


def count_comments(client: Client) -> object:
    return client.statistics(client.sources("claims"), workers=WORKERS, progress=False)


def has_struck(added: Added, times: int) -> bool:
    return added.struck >= times


INTERRUPTED: dict[str, tuple[Fault, Callable[[Client], object]]] = {
    "a wait for a 429": (Fault.answer(429, retry_after=60), list_sources),
    "a wait for a 503": (Fault.answer(503, retry_after=60), list_sources),
    "a listing": (Fault.wait(2), list_sources),
    "counts": (Fault.wait(2, on="get_statistics"), count_comments),
}


@pytest.mark.parametrize("what", INTERRUPTED)
def test_case_16_ctrl_c(box: rnb.Sandbox, client: Client, what: str) -> None:
    """S Ctrl-C during a wait or a listing: comes back within a second, the client is usable
    afterwards.
    """
    fault, work = INTERRUPTED[what]
    least = WORKERS if work is count_comments else 1
    usual, transport = client.sources(), client._transport
    sleep, asleep = transport._sleep, threading.Event()

    def noted(seconds: float) -> None:
        asleep.set()
        sleep(seconds)

    transport._sleep = noted
    # The machine may be busy in the moment of Ctrl-C.
    for _ in range(3):
        asleep.clear()
        with box.faults.add(fault) as added:
            begun = asleep.is_set if "wait" in what else partial(has_struck, added, least)
            seconds = seconds_of_ctrl_c(partial(work, client), begun)
            # No more requests are sent.
            assert added.struck == least
        begin = time.monotonic()
        pd.testing.assert_frame_equal(client.sources(), usual)
        assert time.monotonic() - begin < AGES / 2
        if seconds < 1:
            break
    assert seconds < 1


def test_case_16_within_an_answer() -> None:
    """A response that stops within its body is left at once, and its connection with it."""
    cut = reply({"status": "ok", "source": SOURCE}, 200, {"Content-Length": "5000"})
    with Scripted(cut, ONE) as server, client_of(server.endpoint) as client:
        assert seconds_of_ctrl_c(lambda: client.source("acme/support"), lambda: server.asked) < 20
        assert client.source("acme/support").title == "Support"
        assert server.connections == 2


def test_case_16_many_waits() -> None:
    """Interrupted waits use up no connections."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    failed = [reply({"status": "error"}, 503)] * (MOST + 2)
    with (
        Scripted(*failed, ONE) as server,
        client_of(server.endpoint, attempts=3, sleep=interrupt) as client,
    ):
        for _ in failed:
            with pytest.raises(KeyboardInterrupt):
                client.source("acme/support")
        assert client.source("acme/support").title == "Support"
        assert server.connections == 1
