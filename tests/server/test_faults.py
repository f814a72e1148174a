"""Faults on demand: their effect on the wire, the requests that they strike, and the client's
response.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.sandbox import Faults
from tests.waiting import AGES, until

# `Fault` without its types, for wrong calls.
wrong: Any = Fault
USER = "/auth/user"
LISTING = "/api/v1/sources"
MOTOR = "/api/v1/sources/claims/motor-inbox"
ID = "0123456789abcdef"
# A request of each operation.
REQUESTS = {
    "list_sources": ("GET", "/api/v1/sources"),
    "list_sources_of_project": ("GET", "/api/v1/sources/claims"),
    "get_source": ("GET", "/api/v1/sources/claims/motor-inbox"),
    "get_source_by_id": ("GET", f"/api/v1/sources/id:{ID}"),
    "create_source": ("PUT", "/api/v1/sources/claims/motor-inbox"),
    "update_source": ("POST", "/api/v1/sources/claims/motor-inbox"),
    "delete_source": ("DELETE", f"/api/v1/sources/id:{ID}"),
    "get_statistics": ("POST", "/api/v1/sources/claims/motor-inbox/statistics"),
    "list_comments": ("GET", "/api/_private/sources/claims/motor-inbox/comments"),
    "get_comment": ("GET", "/api/v1/sources/claims/motor-inbox/comments/a"),
    "sync_comments": ("POST", "/api/v1/sources/claims/motor-inbox/sync"),
    "create_comments": ("PUT", "/api/_private/sources/claims/motor-inbox/comments"),
    "delete_comments": ("DELETE", "/api/v1/sources/claims/motor-inbox/comments?id=a"),
    "list_projects": ("GET", "/api/_private/projects"),
    "get_project": ("GET", "/api/_private/projects/claims"),
    "create_project": ("PUT", "/api/_private/projects/claims"),
    "update_project": ("POST", "/api/_private/projects/claims"),
    "delete_project": ("DELETE", "/api/_private/projects/claims?force=true"),
    "list_buckets": ("GET", "/api/_private/buckets"),
    "get_bucket": ("GET", "/api/_private/buckets/claims/mail"),
    "get_bucket_by_id": ("GET", f"/api/_private/buckets/id:{ID}"),
    "create_bucket": ("PUT", "/api/_private/buckets/claims/mail"),
    "delete_bucket": ("DELETE", f"/api/_private/buckets/id:{ID}"),
    "get_current_user": ("GET", "/auth/user"),
    "refresh_user_permissions": ("POST", "/auth/refresh-user-permissions"),
    "list_users": ("GET", "/api/_private/users"),
    "get_user": ("GET", f"/api/_private/users/{ID}"),
    "update_user": ("POST", f"/api/_private/users/{ID}"),
}
MAKERS = re.escape("Create one with Fault.wait, .answer, .drop, .cut or .gzip")
BROKEN = (ConnectionError, http.client.HTTPException)
# Faults that end a request before the operation, with their effect.
UNDONE = [Fault.answer(503), Fault.answer(502, body="<h1>Bad gateway</h1>"), Fault.drop()]
numbers = count()


class Heard(NamedTuple):
    """A response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> str:
        content = json.loads(self.body)
        assert set(content) == {"status", "message"}
        assert content["status"] == "error"
        assert self.headers["content-type"] == "application/json"
        return cast("str", content["message"])


class Line(http.client.HTTPConnection):
    """A raw connection without retries, which never reconnects."""

    def __init__(self, box: rnb.Sandbox, who: str = "admin", timeout: float = 60) -> None:
        parts = urlsplit(box.endpoint)
        super().__init__(parts.hostname or "", parts.port, timeout=timeout)
        self.common = {"Authorization": f"Bearer {box.tokens[who]}"}
        self.connect()
        self.auto_open = 0

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> Heard:
        body = json.dumps(content).encode() if content is not None else None
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if body is not None:
            named["Content-Type"] = "application/json"
        self.request(method, path, body, self.common | named)
        answer = self.getresponse()
        found = {name.lower(): text for name, text in answer.getheaders()}
        return Heard(answer.status, found, answer.read())


def ask(
    box: rnb.Sandbox,
    method: str,
    path: str,
    content: Any = None,
    *,
    who: str = "admin",
    **headers: str,
) -> Heard:
    """Send a request over a new connection."""
    if content is None and method in ("PUT", "POST"):
        content = {}
    with closing(Line(box, who)) as line:
        return line.ask(method, path, content, **headers)


def statuses(box: rnb.Sandbox, path: str, times: int) -> list[int]:
    """Send requests over one connection; only for faults that leave it open."""
    with closing(Line(box)) as line:
        return [line.ask("GET", path).status for _ in range(times)]


def names(box: rnb.Sandbox) -> set[str]:
    df = box.sources()
    return set(df["owner"] + "/" + df["name"])


def stored(box: rnb.Sandbox, name: str) -> dict[str, Any]:
    df = box.sources()
    found = df[(df["owner"] == "claims") & (df["name"] == name)].to_dict("records")
    assert len(found) == 1
    return cast("dict[str, Any]", found[0])


def fresh_name() -> str:
    return f"made-{next(numbers)}"


@pytest.fixture(scope="module")
def lasting() -> Iterator[rnb.Sandbox]:
    """A sandbox that tests share."""
    box = rnb.sandbox()
    with box:
        yield box


@pytest.fixture
def box(lasting: rnb.Sandbox) -> Iterator[rnb.Sandbox]:
    """A sandbox without any faults yet."""
    assert len(lasting.faults) == 0
    yield lasting
    lasting.faults.clear()
    # A request that a test left behind would appear in the log of the next one.
    assert lasting._server is not None
    state = lasting._server._server.server_state
    until(lambda: not state.connections and not state.tasks)


@pytest.fixture
def name(box: rnb.Sandbox) -> str:
    """The name of a source in claims that only this test uses."""
    made = fresh_name()
    with closing(Line(box)) as line:
        assert line.ask("PUT", f"{LISTING}/claims/{made}", {"source": {"title": "T"}}).status == 200
    return made


@pytest.fixture
def naps() -> list[float]:
    """The seconds that `client` would have slept."""
    return []


@pytest.fixture
def client(box: rnb.Sandbox, naps: list[float]) -> Iterator[rnb.Client]:
    """A client with three attempts that does not really sleep."""
    token = box.tokens["admin"]
    with rnb.connect(endpoint=box.endpoint, token=token, cache_ttl=0, timeout=AGES) as made:
        made._transport.patience = Patience(3)

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            # Move the clock past the time that was not slept.
            made._transport._pacer.let_go()

        made._transport._sleep = sleep
        yield made


def write(box: rnb.Sandbox, what: str, name: str) -> Heard:
    """Create, update or delete a source; "create" creates a second source."""
    if what == "create":
        return ask(box, "PUT", f"{LISTING}/claims/{name}-2", {"source": {"title": "New"}})
    if what == "update":
        return ask(box, "POST", f"{LISTING}/claims/{name}", {"source": {"title": "New"}})
    return ask(box, "DELETE", f"{LISTING}/id:{stored(box, name)['id']}")


def is_done(box: rnb.Sandbox, what: str, name: str) -> bool:
    """True if a `write` took effect."""
    there = names(box)
    if what == "create":
        return f"claims/{name}-2" in there
    if what == "delete":
        return f"claims/{name}" not in there
    return bool(stored(box, name)["title"] == "New")


WRITES = pytest.mark.parametrize("what", ["create", "update", "delete"])


# Waits


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("seconds", "least"),
    [(0.1, 0.1), ((0.08, 0.1), 0.08), (lambda dice: 0.05 + dice.random() / 20, 0.05), (0, 0)],
    ids=["fixed", "range", "function", "zero"],
)
def test_an_answer_comes_later(
    box: rnb.Sandbox, seconds: Any, least: float, *, after: bool
) -> None:
    usual = ask(box, "GET", MOTOR)
    with box.faults.add(Fault.wait(seconds, after=after)) as added:
        begin = time.monotonic()
        heard = ask(box, "GET", MOTOR)
        assert time.monotonic() - begin >= least
        assert added.struck == 1
    assert (heard.status, heard.body) == (200, usual.body)


def test_waits_are_drawn_by_dice_of_the_seed(box: rnb.Sandbox) -> None:
    def drawn(seed: int) -> list[float]:
        found: list[float] = []

        def draw(dice: random.Random) -> float:
            assert isinstance(dice, random.Random)
            found.append(dice.random())
            return 0.0

        with box.faults.add(Fault.wait(draw, seed=seed)):
            statuses(box, USER, 5)
        return found

    first = drawn(1)
    assert len(set(first)) == 5
    assert drawn(1) == first
    assert drawn(2) != first


def test_a_draw_below_zero_is_no_wait(box: rnb.Sandbox) -> None:
    box.faults.add(Fault.wait(lambda _: -5.0))
    assert ask(box, "GET", USER).status == 200


@pytest.mark.parametrize("draw", [lambda _: "soon", lambda _: 1 / 0], ids=["text", "error"])
def test_a_function_that_fails_is_an_error_and_uses_up_no_other_fault(
    box: rnb.Sandbox, draw: Any
) -> None:
    with box.faults.add(Fault.wait(draw)):
        assert ask(box, "GET", USER).status == 500
        assert ask(box, "GET", USER).status == 500
    assert ask(box, "GET", USER).status == 200


@pytest.mark.slow
@WRITES
@pytest.mark.parametrize("after", [False, True])
def test_a_wait_is_before_or_after_the_write(what: str, *, after: bool) -> None:
    box = rnb.sandbox()
    with box, ThreadPoolExecutor(1) as pool:
        name = "travel"
        ask(box, "PUT", f"{LISTING}/claims/{name}", {"source": {"title": "T"}})
        added = box.faults.add(Fault.wait(10 * AGES, after=after, on=f"{what}_source"))
        asked = pool.submit(write, box, what, name)
        until(lambda: added.struck == 1)
        if after:
            until(lambda: is_done(box, what, name))
        else:
            # Later requests get their responses while this one still waits.
            assert statuses(box, MOTOR, 20) == [200] * 20
            assert not is_done(box, what, name)
        assert not asked.done()
        # `stop` works nevertheless.
        box.stop()
        with suppress(*BROKEN):
            assert asked.result(AGES).message


@pytest.mark.slow
@WRITES
def test_a_write_is_done_though_nobody_waits_for_it(box: rnb.Sandbox, name: str, what: str) -> None:
    # As on a tenant, where a timeout of the client stops no operation.
    gone = stored(box, name)["id"]
    method, path, body = {
        "create": ("PUT", f"{LISTING}/claims/{name}-2", {"source": {}}),
        "update": ("POST", f"{LISTING}/claims/{name}", {"source": {"title": "New"}}),
        "delete": ("DELETE", f"{LISTING}/id:{gone}", None),
    }[what]
    begin = len(box.requests)
    slow = box.faults.add(Fault.wait(0.2, on=f"{what}_source", times=1))
    with closing(Line(box)) as line:
        line.request(method, path, json.dumps(body) if body else None, line.common)
        until(lambda: slow.struck == 1)
    until(lambda: len(box.requests) > begin)
    assert is_done(box, what, name)


# Errors


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (409, "409 Conflict"),
        (429, "429 Too Many Requests"),
        (430, "430"),
        (499, "499"),
        (500, "500 Internal Server Error"),
        (502, "502 Bad Gateway"),
        (503, "503 Service Unavailable"),
        (504, "504 Gateway Timeout"),
        (599, "599"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_error_is_answered_in_the_envelope(
    box: rnb.Sandbox, method: str, status: int, words: str
) -> None:
    box.faults.add(Fault.answer(status))
    heard = ask(box, method, MOTOR, {"source": {"title": "New"}} if method == "POST" else None)
    assert (heard.status, heard.message) == (status, words)
    assert heard.headers["content-length"] == str(len(heard.body))
    assert "retry-after" not in heard.headers


def test_an_error_may_have_a_message_of_its_own(box: rnb.Sandbox) -> None:
    message = 'Wartung bis 17 Uhr "\N{SNOWMAN}" <b>\n'
    box.faults.add(Fault.answer(503, message=message))
    assert ask(box, "GET", USER).message == message


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "text/html; charset=utf-8"),
        ({"content_type": "text/plain; charset=utf-8"}, "text/plain; charset=utf-8"),
        ({"content_type": "application/json"}, "application/json"),
    ],
    ids=["html", "text", "json"],
)
@pytest.mark.parametrize("body", ["<h1>Bad gateway \N{SNOWMAN}</h1>", "", '{"status": "ok"}'])
def test_an_error_may_be_a_page(
    box: rnb.Sandbox, body: str, more: dict[str, Any], kind: str
) -> None:
    box.faults.add(Fault.answer(502, body=body, **more))
    heard = ask(box, "GET", LISTING)
    assert (heard.status, heard.body) == (502, body.encode())
    assert heard.headers["content-type"] == kind
    assert heard.headers["content-length"] == str(len(body.encode()))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "seconds", [0, 1, 2, 3.0, 0.5, 1.5, 3600, 1_000_000, 2_592_000, 123_456_789]
)
def test_retry_after_in_seconds_is_a_whole_number(
    box: rnb.Sandbox, status: int, seconds: float
) -> None:
    # `Retry-After` has whole seconds; fractions are rounded up.
    box.faults.add(Fault.answer(status, retry_after=seconds))
    heard = ask(box, "GET", USER)
    assert heard.status == status
    assert re.fullmatch("[0-9]+", heard.headers["retry-after"])
    assert seconds <= int(heard.headers["retry-after"]) < seconds + 1


DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", [0, 0.3, 2, 3600])
def test_retry_after_by_a_timedelta_is_a_date_from_the_answer_on(
    box: rnb.Sandbox, status: int, seconds: float
) -> None:
    ahead = timedelta(seconds=seconds)
    box.faults.add(Fault.answer(status, retry_after=ahead))
    for _ in range(2):
        begin = datetime.now(UTC)
        heard = ask(box, "GET", USER)
        end = datetime.now(UTC)
        assert heard.status == status
        assert re.fullmatch(DATE, heard.headers["retry-after"])
        date = parsedate_to_datetime(heard.headers["retry-after"])
        assert begin + ahead <= date <= end + ahead + timedelta(seconds=1)
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC), "Mon, 03 Feb 2031 04:05:06 GMT"),
        (
            datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-5))),
            "Mon, 03 Feb 2031 09:05:06 GMT",
        ),
        (datetime(1999, 1, 1, tzinfo=UTC), "Fri, 01 Jan 1999 00:00:00 GMT"),
    ],
    ids=["UTC", "another zone", "long ago"],
)
def test_retry_after_by_a_datetime_is_that_date(
    box: rnb.Sandbox, moment: datetime, expected: str
) -> None:
    box.faults.add(Fault.answer(429, retry_after=moment))
    assert ask(box, "GET", USER).headers["retry-after"] == expected


# Before and after a write


@pytest.mark.slow
@WRITES
@pytest.mark.parametrize("fault", UNDONE, ids=["answer", "page", "drop"])
def test_before_a_write_nothing_is_done(
    box: rnb.Sandbox, name: str, what: str, fault: Fault
) -> None:
    before = box.sources()
    with box.faults.add(fault):
        if fault.kind == "drop":
            with pytest.raises(BROKEN):
                write(box, what, name)
        else:
            assert write(box, what, name).status == fault.status
    pd.testing.assert_frame_equal(box.sources(), before)
    assert write(box, what, name).status == 200
    assert is_done(box, what, name)


@pytest.mark.slow
@WRITES
@pytest.mark.parametrize(
    "fault",
    [
        Fault.answer(503, after=True),
        Fault.answer(502, body="<h1>Bad gateway</h1>", after=True),
        Fault.drop(after=True),
        Fault.cut(0.5),
        Fault.cut(0, after=True),
    ],
    ids=["answer", "page", "drop", "cut", "cut at once"],
)
def test_after_a_write_it_is_done_and_nobody_hears_of_it(
    box: rnb.Sandbox, name: str, what: str, fault: Fault
) -> None:
    with box.faults.add(fault) as added:
        if fault.kind == "answer":
            heard = write(box, what, name)
            assert heard.status == fault.status
            assert (b"Bad gateway" in heard.body) == (fault.body is not None)
            assert b'"source"' not in heard.body
        else:
            with pytest.raises(BROKEN):
                write(box, what, name)
        assert added.struck == 1
    assert is_done(box, what, name)


@pytest.mark.parametrize("after", [False, True])
def test_after_an_operation_that_was_refused_the_fault_is_what_is_heard(
    box: rnb.Sandbox, *, after: bool
) -> None:
    box.faults.add(Fault.answer(503, after=after, on="get_source"))
    assert ask(box, "GET", f"{LISTING}/claims/not-there").status == 503
    assert ask(box, "GET", f"{LISTING}/claims/not-there", who="viewer").status == 503


# Dropped and cut


def raw(box: rnb.Sandbox, path: str, *headers: str) -> bytes:
    """Get a path with exactly these headers, and return all bytes until the end."""
    parts = urlsplit(box.endpoint)
    token = f"Authorization: Bearer {box.tokens['admin']}"
    head = (f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", token, *headers, "", "")
    pieces = []
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=AGES) as line:
        line.sendall("\r\n".join(head).encode())
        with suppress(ConnectionResetError):
            while piece := line.recv(65536):
                pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("path", [USER, LISTING])
def test_a_drop_sends_nothing_at_all(box: rnb.Sandbox, path: str, *, after: bool) -> None:
    box.faults.add(Fault.drop(after=after))
    assert raw(box, path) == b""


def test_a_drop_is_one_on_ipv6_too() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    box = rnb.sandbox(host="::1", faults=Fault.drop(times=1))
    with box:
        with pytest.raises(BROKEN):
            ask(box, "GET", USER)
        assert ask(box, "GET", USER).status == 200


@pytest.mark.parametrize("after", [False, True])
def test_a_drop_does_not_care_for_whom_a_proxy_asks(box: rnb.Sandbox, *, after: bool) -> None:
    with box.faults.add(Fault.drop(after=after)), closing(Line(box)) as bystander:
        assert bystander.sock is not None
        host, port = bystander.sock.getsockname()
        for given in ("192.0.2.7", f"{host}:{port}"):
            with closing(Line(box, timeout=AGES)) as line, pytest.raises(BROKEN):
                line.ask("GET", USER, X_Forwarded_For=given)
        box.faults.clear()
        assert bystander.ask("GET", USER).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_drop_leaves_all_other_connections_alone(
    box: rnb.Sandbox, name: str, *, after: bool
) -> None:
    # Some connections are idle, some have a running request while others are dropped.
    lines = [Line(box) for _ in range(12)]
    assert all(line.ask("GET", USER).status == 200 for line in lines)
    idle, under_way, dropped = lines[:4], lines[4:8], lines[8:]
    asked = len(box.requests)
    slow = box.faults.add(Fault.wait(0.2, on="get_source"))
    drop = box.faults.add(Fault.drop(after=after, on="list_projects"))
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(line.ask, "GET", f"{LISTING}/claims/{name}") for line in under_way]
        until(lambda: slow.struck == 4)
        lost = [pool.submit(line.ask, "GET", "/api/_private/projects") for line in dropped]
        assert all(isinstance(one.exception(), BROKEN) for one in lost)
        assert [one.result().status for one in waiting] == [200] * 4
    assert drop.struck == 4
    box.faults.clear()
    assert all(line.ask("GET", USER).status == 200 for line in idle + under_way)
    for line in lines:
        line.close()
    until(lambda: len(box.requests) == asked + 16)
    assert sorted(one.status for one in box.requests[asked:]) == [0] * 4 + [200] * 12


@pytest.mark.parametrize("share", [0, 0.001, 0.25, 0.5, 0.999, 1, 1.0])
@pytest.mark.parametrize("path", [USER, MOTOR, LISTING, f"{LISTING}/claims/not-there"])
def test_a_cut_sends_a_part_and_never_all(box: rnb.Sandbox, path: str, share: float) -> None:
    whole = ask(box, "GET", path)
    with box.faults.add(Fault.cut(share)) as added:
        with closing(Line(box)) as line:
            line.request("GET", path, headers=line.common)
            answer = line.getresponse()
            assert answer.status == whole.status
            assert answer.headers["Content-Length"] == str(len(whole.body))
            with pytest.raises(http.client.IncompleteRead) as caught:
                answer.read()
        assert added.struck == 1
    size = min(int(len(whole.body) * share), len(whole.body) - 1)
    assert caught.value.partial == whole.body[:size]


def test_a_cut_is_half_if_nothing_is_said(box: rnb.Sandbox) -> None:
    whole = ask(box, "GET", USER).body
    box.faults.add(Fault.cut())
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(box, "GET", USER)
    assert len(caught.value.partial) == len(whole) // 2


# Compressed


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [USER, MOTOR, LISTING, f"{LISTING}/claims", f"{LISTING}/claims/not-there"]
)
@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.8, *;q=0.1"])
@pytest.mark.parametrize("after", [False, True])
def test_gzip_is_for_those_who_accept_it(
    box: rnb.Sandbox, path: str, accepted: str, *, after: bool
) -> None:
    usual = ask(box, "GET", path, Accept_Encoding=accepted)
    assert "content-encoding" not in usual.headers
    with box.faults.add(Fault.gzip(after=after)):
        heard = ask(box, "GET", path, Accept_Encoding=accepted)
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {box.tokens['admin']}"
            content = session.get(box.endpoint + path, timeout=AGES).json()
    assert heard.status == usual.status
    assert heard.headers["content-encoding"] == "gzip"
    assert heard.headers["content-length"] == str(len(heard.body))
    assert heard.headers["content-type"] == "application/json"
    assert "accept-encoding" in heard.headers["vary"].lower()
    assert gzip.decompress(heard.body) == usual.body
    assert content == json.loads(usual.body)
    if path == LISTING:
        assert len(heard.body) < len(usual.body) / 2


@pytest.mark.parametrize("accepted", [None, "identity", "br, deflate", "gzip;q=0", "gzip; q=0.000"])
@pytest.mark.parametrize("path", [USER, LISTING, f"{LISTING}/claims/not-there"])
def test_nobody_else_gets_gzip(box: rnb.Sandbox, path: str, accepted: str | None) -> None:
    usual = ask(box, "GET", path)
    with box.faults.add(Fault.gzip()):
        if accepted is None:
            head, _, body = raw(box, path, "Connection: close").partition(b"\r\n\r\n")
            assert b"content-encoding" not in head.lower()
        else:
            heard = ask(box, "GET", path, Accept_Encoding=accepted)
            assert "content-encoding" not in heard.headers
            body = heard.body
    assert body == usual.body


def test_what_is_written_and_read_is_the_same_compressed(
    box: rnb.Sandbox, client: rnb.Client
) -> None:
    usual = client.sources()
    with box.faults.add(Fault.gzip()) as added:
        pd.testing.assert_frame_equal(client.sources(), usual)
        made = client.create_source(f"claims/{fresh_name()}", title="\N{AIRPLANE}")
        assert client.update_source(made, title="Rail").title == "Rail"
        assert client.source(made.id).title == "Rail"
        with pytest.raises(rnb.NotFound):
            client.source("claims/not-there")
        # After the delete, the client checks that the source is gone.
        client.delete_source(made)
        # The error about the wrong name took two listings, for a suggestion.
        assert added.struck == 10


def test_what_is_compressed_may_be_cut_too(box: rnb.Sandbox) -> None:
    box.faults.add(Fault.gzip(), Fault.cut(0.5))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(box, "GET", LISTING, Accept_Encoding="gzip")
    assert caught.value.partial[:2] == b"\x1f\x8b"
    with pytest.raises(EOFError):
        gzip.decompress(caught.value.partial)


# HEAD, and requests that are not operations


@pytest.mark.parametrize(
    "fault", [Fault.wait(0.01), Fault.cut(0.5), Fault.gzip()], ids=["wait", "cut", "gzip"]
)
def test_a_head_has_no_body_whatever_happens(box: rnb.Sandbox, fault: Fault) -> None:
    usual = ask(box, "HEAD", LISTING)
    with box.faults.add(fault) as added:
        heard = ask(box, "HEAD", LISTING, Accept_Encoding="gzip")
        assert added.struck == 1
    assert (heard.status, heard.body) == (usual.status, b"") == (200, b"")
    assert heard.headers.get("content-encoding") == ("gzip" if fault.kind == "gzip" else None)


def test_a_head_is_the_operation_of_its_get(box: rnb.Sandbox) -> None:
    with box.faults.add(Fault.answer(503, on="list_sources", times=1)):
        assert ask(box, "HEAD", USER).status == 200
        heard = ask(box, "HEAD", LISTING)
        assert (heard.status, heard.body) == (503, b"")
    with box.faults.add(Fault.drop(on="list_sources")), pytest.raises(BROKEN):
        ask(box, "HEAD", LISTING)
    assert ask(box, "HEAD", LISTING).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/source", 404),
        ("GET", "/api/v1/sources/a/b/c", 404),
        ("PATCH", MOTOR, 405),
        ("DELETE", LISTING, 405),
        ("GET", "/openapi.json", 200),
        ("GET", "/docs", 200),
    ],
)
def test_what_is_no_operation_is_never_struck(
    box: rnb.Sandbox, method: str, path: str, status: int
) -> None:
    with box.faults.add(Fault.drop(), Fault.answer(599)) as added:
        assert ask(box, method, path).status == status
        assert added.struck == 0


@pytest.mark.parametrize("base", ["", "/acme/default/reinfer_"])
@pytest.mark.parametrize("path", ["claims/motor-inbox", "claims%2Fmotor-inbox"])
def test_all_forms_of_a_path_are_the_same_operation(box: rnb.Sandbox, base: str, path: str) -> None:
    with box.faults.add(Fault.answer(599, on="get_source")) as added:
        assert ask(box, "GET", f"{base}/api/v1/sources/{path}").status == 599
        assert added.struck == 1


# Which requests


def test_operations_are_all_there_are(box: rnb.Sandbox) -> None:
    document = json.loads(ask(box, "GET", "/openapi.json").body)
    documented = [
        one["operationId"] for path in document["paths"].values() for one in path.values()
    ]
    assert sorted(Fault.operations()) == sorted(REQUESTS) == sorted(documented)
    Fault.operations().clear()
    assert Fault.operations()


@pytest.mark.slow
@pytest.mark.parametrize("operation", Fault.operations())
def test_a_name_strikes_its_operation_and_no_other(box: rnb.Sandbox, operation: str) -> None:
    # The second fault keeps the others from being carried out.
    one = box.faults.add(Fault.answer(418, on=operation))
    others = box.faults.add(Fault.answer(599))
    heard = {name: ask(box, *request).status for name, request in REQUESTS.items()}
    assert heard == {name: 418 if name == operation else 599 for name in REQUESTS}
    assert (one.struck, others.struck) == (1, len(REQUESTS) - 1)


@pytest.mark.parametrize("form", [list, tuple, set, iter])
def test_several_names_strike_each_of_them(
    box: rnb.Sandbox, form: Callable[[list[str]], Iterable[str]]
) -> None:
    on = ["get_source", "list_sources", "delete_bucket"]
    fault = Fault.answer(418, on=form(on))
    box.faults.add(fault, Fault.answer(599))
    heard = {name: ask(box, *request).status for name, request in REQUESTS.items()}
    assert heard == {name: 418 if name in on else 599 for name in REQUESTS}
    assert box.faults.struck(fault) == 3


def test_no_name_strikes_all(box: rnb.Sandbox) -> None:
    fault = Fault.answer(418)
    box.faults.add(fault)
    assert {ask(box, *request).status for request in REQUESTS.values()} == {418}
    assert box.faults.struck(fault) == len(REQUESTS)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"times": 1}, [503, 200, 200, 200, 200]),
        ({"times": 3}, [503, 503, 503, 200, 200]),
        ({"times": None}, [503] * 5),
        ({"skip": 2}, [200, 200, 503, 503, 503]),
        ({"skip": 0, "times": 2}, [503, 503, 200, 200, 200]),
        ({"skip": 1, "times": 2}, [200, 503, 503, 200, 200]),
        ({"skip": 9}, [200] * 5),
        ({"probability": 0}, [200] * 5),
        ({"probability": 0.0, "times": 1}, [200] * 5),
        ({"probability": 1, "seed": 7}, [503] * 5),
        ({"probability": 1.0, "skip": 4}, [200, 200, 200, 200, 503]),
    ],
    ids=str,
)
def test_how_often(box: rnb.Sandbox, more: dict[str, Any], expected: list[int]) -> None:
    with box.faults.add(Fault.answer(503, on="get_current_user", **more)) as added:
        # Requests of other operations are not counted.
        assert statuses(box, MOTOR, 3) == [200] * 3
        assert statuses(box, USER, 5) == expected
        assert added.struck == expected.count(503)


@pytest.mark.slow
def test_the_same_seed_is_the_same_rolls(box: rnb.Sandbox) -> None:
    def rolls(seed: int, *, between: bool = False) -> list[int]:
        fault = Fault.answer(503, on="get_current_user", probability=0.3, seed=seed)
        with box.faults.add(fault), closing(Line(box)) as line:
            heard = []
            for _ in range(100):
                heard.append(line.ask("GET", USER).status)
                if between:
                    assert line.ask("GET", MOTOR).status == 200
            return heard

    first = rolls(1)
    assert set(first) == {200, 503}
    assert 15 <= first.count(503) <= 45
    assert rolls(1) == first
    # Requests of other operations draw no random numbers.
    assert rolls(1, between=True) == first
    assert rolls(2) != first


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.9])
def test_the_share_is_about_the_probability(probability: float) -> None:
    fault = Fault.drop(probability=probability, seed=3)
    faults = Faults([fault])
    struck = sum(len(faults.strike("list_sources")) for _ in range(20_000))
    assert struck == faults.struck(fault)
    assert abs(struck / 20_000 - probability) < 0.015


def test_times_is_exact_among_threads(box: rnb.Sandbox) -> None:
    box.faults.add(Fault.answer(503, times=5, skip=7))
    with ThreadPoolExecutor(8) as pool:
        heard = [*pool.map(lambda _: statuses(box, USER, 10), range(8))]
    assert sum(one.count(503) for one in heard) == 5
    assert sum(one.count(200) for one in heard) == 75


# Several faults on one request


def test_waits_add_up_and_the_first_end_counts(box: rnb.Sandbox) -> None:
    behind = [Fault.answer(502, times=1), Fault.drop(times=1), Fault.wait(30, times=1)]
    first = Fault.answer(503, times=1)
    waits = [Fault.wait(0.06, times=1), Fault.wait((0.05, 0.06), times=1)]
    box.faults.add(*waits, first, *behind)
    begin = time.monotonic()
    assert ask(box, "GET", USER).status == 503
    assert time.monotonic() - begin >= 0.11
    assert [box.faults.struck(fault) for fault in (*waits, first)] == [1, 1, 1]
    assert [box.faults.struck(fault) for fault in behind] == [0, 0, 0]


def test_what_stands_behind_is_not_used_up(box: rnb.Sandbox) -> None:
    box.faults.add(
        Fault.answer(503, times=1),
        Fault.cut(0, times=1),
        Fault.answer(502, times=1, after=True),
        Fault.drop(times=1),
        Fault.answer(504, times=1, skip=1),
    )
    heard: list[object] = []
    for _ in range(7):
        try:
            heard.append(ask(box, "GET", USER).status)
        except BROKEN as error:
            heard.append(type(error))
    dropped = http.client.RemoteDisconnected
    assert heard in (
        [503, http.client.IncompleteRead, 502, dropped, 200, 504, 200],
        [503, http.client.IncompleteRead, 502, ConnectionResetError, 200, 504, 200],
    )


def test_waits_on_both_sides_of_a_write_add_up(box: rnb.Sandbox, name: str) -> None:
    box.faults.add(
        Fault.wait(0.05), Fault.wait(0.06, after=True), Fault.gzip(), Fault.answer(503, after=True)
    )
    begin = time.monotonic()
    assert write(box, "update", name).status == 503
    assert time.monotonic() - begin >= 0.11
    assert is_done(box, "update", name)


@pytest.mark.parametrize("end", [Fault.answer(503), Fault.drop()], ids=["answer", "drop"])
def test_a_wait_that_does_not_come_to_pass_is_none(box: rnb.Sandbox, end: Fault) -> None:
    # A fault counts as struck only if it took effect; otherwise it strikes the next request.
    late = Fault.wait(0.1, after=True)
    box.faults.add(late, end)
    begin = time.monotonic()
    try:
        assert ask(box, "GET", USER).status == 503
    except BROKEN:
        assert end.kind == "drop"
    assert time.monotonic() - begin >= 0.1 * box.faults.struck(late)


def test_a_faulty_answer_is_compressed_or_was_not_struck(box: rnb.Sandbox) -> None:
    compressed = Fault.gzip()
    box.faults.add(compressed, Fault.answer(503, message="no such luck " * 100))
    heard = ask(box, "GET", USER, Accept_Encoding="gzip")
    assert heard.status == 503
    assert (heard.headers.get("content-encoding") == "gzip") == (box.faults.struck(compressed) == 1)


# Adding and removing faults


def test_they_may_change_while_it_runs(box: rnb.Sandbox) -> None:
    with closing(Line(box)) as line:
        assert line.ask("GET", USER).status == 200
        with box.faults.add(Fault.answer(503)) as outer:
            assert line.ask("GET", USER).status == 503
            with box.faults.add(Fault.answer(502)) as inner:
                assert line.ask("GET", USER).status == 503
            assert len(box.faults) == 1
        assert line.ask("GET", USER).status == 200
        box.faults.add(Fault.answer(504))
        assert line.ask("GET", USER).status == 504
        box.faults.clear()
        assert line.ask("GET", USER).status == 200
    assert (outer.struck, inner.struck) == (2, 0)


def test_they_are_gone_when_a_test_fails(box: rnb.Sandbox) -> None:
    with pytest.raises(KeyError), box.faults.add(Fault.drop()):
        raise KeyError
    assert len(box.faults) == 0
    assert ask(box, "GET", USER).status == 200


def test_what_was_added_together_counts_together(box: rnb.Sandbox) -> None:
    one, two = Fault.wait(0), Fault.answer(503, skip=1)
    with box.faults.add(one, two) as added:
        statuses(box, USER, 3)
        assert added.struck == 5
    statuses(box, USER, 2)
    assert added.struck == 5
    assert (box.faults.struck(one), box.faults.struck(two)) == (3, 2)


def test_a_fault_added_again_counts_by_itself(box: rnb.Sandbox) -> None:
    once = Fault.answer(503, times=1)
    with box.faults.add(once) as first:
        assert statuses(box, USER, 2) == [503, 200]
    with box.faults.add(once) as second, box.faults.add(once) as third:
        assert statuses(box, USER, 3) == [503, 503, 200]
        assert box.faults.struck(once) == 3
        assert list(box.faults) == [once, once]
    assert [added.struck for added in (first, second, third)] == [1, 1, 1]
    # Faults are counted by identity, not by equality.
    assert box.faults.struck(Fault.answer(503, times=1)) == 0


def test_they_are_listed_in_order(box: rnb.Sandbox) -> None:
    assert (len(box.faults), list(box.faults), repr(box.faults)) == (0, [], "<Faults: none>")
    given = [Fault.wait(0), Fault.drop(on="get_user"), Fault.wait(0)]
    box.faults.add(given[0])
    box.faults.add(*given[1:])
    assert list(box.faults) == given
    assert all(left is right for left, right in zip(box.faults, given, strict=True))
    assert len(box.faults) == 3
    assert repr(box.faults) == "<Faults: wait, drop, wait>"
    assert box.faults
    # Iterating does not block changes.
    for _ in box.faults:
        box.faults.clear()
    assert not box.faults
    with box.faults.add() as nothing:
        assert nothing.struck == 0


def test_they_change_under_load(box: rnb.Sandbox) -> None:
    stop = threading.Event()
    statuses: set[int] = set()

    def asking(_: int) -> None:
        with closing(Line(box)) as line:
            while not stop.is_set():
                statuses.add(line.ask("GET", USER).status)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(asking, number) for number in range(4)]
        try:
            for _ in range(200):
                with box.faults.add(Fault.answer(418), Fault.wait(0)):
                    box.faults.add(Fault.gzip())
                box.faults.clear()
            with box.faults.add(Fault.answer(418)) as last:
                until(lambda: last.struck > 0)
            until(lambda: 200 in statuses)
        finally:
            stop.set()
        for each in asked:
            each.result()
    assert statuses == {200, 418}


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", [lambda fault: fault, lambda fault: [fault], lambda fault: iter([fault])]
)
def test_a_sandbox_takes_one_or_several(form: Callable[[Fault], Any]) -> None:
    fault = Fault.answer(503, on="get_current_user", times=1)
    box = rnb.sandbox(faults=form(fault))
    assert list(box.faults) == [fault]
    # They may change before the start, too.
    box.faults.add(Fault.answer(502, on="get_current_user", times=1))
    with box:
        assert statuses(box, USER, 3) == [503, 502, 200]
        assert box.faults.struck(fault) == 1


# Invalid faults


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "match"),
    [
        ({"on": "creat_source"}, "'creat_source'.* Did you mean 'create_source'"),
        ({"on": ["get_user", "Get_Bucket_"]}, "'Get_Bucket_'.* Did you mean 'get_bucket'"),
        (
            {"on": "everything"},
            "Unknown operation 'everything'. Choose from list_sources, .*update_us",
        ),
        ({"on": ""}, "Unknown operation ''"),
        ({"on": [5]}, r"on must be a tuple of names, not \(5,\)"),
        ({"on": 5}, r"\bon\b"),
        ({"on": None}, r"\bon\b"),
        ({"time": 3}, "'time'.* Did you mean 'times'"),
        ({"colour": "red"}, "'colour'.* Choose from on, after, times, skip, probability, seed"),
        ({"after": "no"}, "after must be"),
        ({"after": 1}, "after must be"),
        ({"times": 0}, "times must be a whole number of at least 1, not 0"),
        ({"times": -1}, "times must be"),
        ({"times": 1.5}, "times must be"),
        ({"times": True}, "times must be"),
        ({"times": "2"}, "times must be"),
        ({"skip": -1}, "skip must be a whole number of at least 0, not -1"),
        ({"skip": 0.5}, "skip must be"),
        ({"skip": None}, "skip must be"),
        ({"probability": 2}, "probability must be a number from 0 to 1, not 2"),
        ({"probability": -0.1}, "probability must be"),
        ({"probability": float("nan")}, "probability must be"),
        ({"probability": "often"}, "probability must be"),
        ({"probability": True}, "probability must be"),
        ({"probability": None}, "probability must be"),
        ({"seed": "lucky"}, "seed must be"),
        ({"seed": [1]}, "seed must be"),
        ({"seed": None}, "seed must be"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("maker", ["wait", "answer", "drop", "cut", "gzip"])
def test_a_time_to_strike_that_makes_no_sense_is_refused(
    maker: str, when: dict[str, Any], match: str
) -> None:
    first: dict[str, list[Any]] = {"wait": [0.1], "answer": [503]}
    with pytest.raises(rnb.InvalidInput, match=match):
        getattr(wrong, maker)(*first.get(maker, []), **when)


@pytest.mark.parametrize(
    "seconds",
    [
        *(-0.1, float("nan"), float("inf"), 100_000, True, "long", None, [0.1, 0.2]),
        *((0.2, 0.1), (-1, 1), (1, 2, 3), (1, "2"), (), (0, float("nan"))),
    ],
    ids=ascii,
)
def test_a_wait_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="seconds must be a number") as caught:
        Fault.wait(seconds)
    assert repr(seconds) in str(caught.value)


@pytest.mark.parametrize("share", [1.1, -0.5, float("nan"), "half", None, True], ids=ascii)
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="share must be a number from 0 to 1") as caught:
        Fault.cut(share)
    assert repr(share) in str(caught.value)


@pytest.mark.parametrize("status", [200, 304, 399, 600, -503, "503", 503.0, True, None], ids=ascii)
def test_a_status_that_is_no_error_is_refused(status: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="status must be a number from 400 to 599") as caught:
        Fault.answer(status)
    assert repr(status) in str(caught.value)


@pytest.mark.parametrize(
    "retry_after",
    [
        *(-1, "10", True, float("inf"), float("nan"), timedelta.max, timedelta.min),
        datetime(2031, 1, 1),  # noqa: DTZ001 - that is what is wrong with it
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
    ids=ascii,
)
def test_a_retry_after_that_is_none_is_refused(retry_after: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"retry_after must be .*datetime with a time zone"):
        Fault.answer(429, retry_after=retry_after)


@pytest.mark.parametrize(
    "given",
    [
        {"message": 5},
        {"message": "\ud800"},
        {"body": 5},
        {"body": "\ud800"},
        {"body": "", "content_type": 5},
        {"body": "", "content_type": "text/plain\r\nX-Other: 1"},
        {"body": "", "content_type": "text/\N{SNOWMAN}"},
    ],
    ids=ascii,
)
def test_an_answer_that_cannot_be_sent_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(rnb.InvalidInput, match=f"{list(given)[-1]} must be"):
        Fault.answer(503, **given)


def test_a_kind_of_its_own_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="explode"):
        wrong(kind="explode")


@pytest.mark.parametrize("faults", ["drop", 5, [Fault], [None], [[Fault.drop()]]], ids=ascii)
def test_what_is_no_fault_is_refused(faults: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=MAKERS):
        rnb.sandbox(faults=faults)
    with pytest.raises(rnb.InvalidInput, match=MAKERS):
        Faults().add(faults)


def test_none_of_no_operations_is_not_all_of_them(box: rnb.Sandbox) -> None:
    try:
        fault = Fault.answer(503, on=[])
    except rnb.InvalidInput as refused:
        assert "on" in str(refused)  # noqa: PT017 - either is fine
        return
    box.faults.add(fault)
    assert ask(box, "GET", USER).status == 200


def test_if_one_is_refused_none_is_added() -> None:
    faults = Faults([Fault.gzip()])
    with pytest.raises(rnb.InvalidInput):
        faults.add(Fault.drop(), cast("Any", "drop"))
    assert [fault.kind for fault in faults] == ["gzip"]


def test_a_fault_does_not_change() -> None:
    fault: Any = Fault.drop(on=["get_user"])
    with pytest.raises(AttributeError):
        fault.times = 5
    assert fault == Fault.drop(on="get_user")
    assert fault != Fault.drop()


# The log


def test_the_log_tells_what_was_answered_and_to_whom(box: rnb.Sandbox, name: str) -> None:
    path = f"{LISTING}/claims/{name}"
    begin = len(box.requests)
    box.faults.add(
        Fault.answer(429, retry_after=1, on="list_sources", times=1),
        Fault.answer(502, body="<html>", after=True, on="update_source", times=1),
        Fault.drop(on="get_source", times=1),
        Fault.drop(on="list_buckets", after=True, times=1),
        Fault.cut(on="get_statistics", times=1),
        Fault.wait(0.01),
        Fault.gzip(),
    )
    ask(box, "GET", f"{LISTING}?x=1", who="viewer")
    ask(box, "POST", path, {"source": {"title": "New"}})
    with pytest.raises(BROKEN):
        ask(box, "GET", f"{path}?y=%20", who="viewer")
    until(lambda: len(box.requests) == begin + 3)
    with pytest.raises(BROKEN):
        ask(box, "GET", "/api/_private/buckets")
    until(lambda: len(box.requests) == begin + 4)
    with pytest.raises(BROKEN):
        ask(box, "POST", f"{path}/statistics", {"comment_filter": {}})
    ask(box, "GET", f"{LISTING}/claims/not-there")
    ask(box, "GET", path, Accept_Encoding="gzip")
    assert box.requests[begin:] == [
        ("GET", f"{LISTING}?x=1", 429, "viewer"),
        ("POST", path, 502, "admin"),
        ("GET", f"{path}?y=%20", 0, "viewer"),
        ("GET", "/api/_private/buckets", 0, "admin"),
        ("POST", f"{path}/statistics", 200, "admin"),
        ("GET", f"{LISTING}/claims/not-there", 404, "admin"),
        ("GET", path, 200, "admin"),
    ]
    assert not any(token in repr(box.requests) for token in box.tokens.values())


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_who_was_dropped_finds_that_in_the_log(box: rnb.Sandbox, *, after: bool) -> None:
    # A request of an earlier test may still run, and appear in the log too.
    path = f"{USER}?after={after}"
    with box.faults.add(Fault.drop(after=after)):
        for number in range(300):
            with pytest.raises(BROKEN):
                ask(box, "GET", path)
            statuses = [one.status for one in box.requests if one.path == path]
            assert statuses == [0] * (number + 1)


# The next request on the connection


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(),
        Fault.drop(after=True),
        Fault.cut(0),
        Fault.cut(1),
        Fault.answer(503),
        Fault.answer(502, body="", after=True),
        Fault.gzip(),
    ],
    ids=lambda fault: f"{fault.kind} {'after' if fault.after else ''}",
)
@pytest.mark.parametrize("size", [0, 2_000_000])
def test_it_goes_on_serving(box: rnb.Sandbox, name: str, fault: Fault, size: int) -> None:
    body = {"source": {"title": "New", "description": "x" * size}}
    path = f"{LISTING}/claims/{name}"
    with box.faults.add(fault) as added:
        for _ in range(3):
            with closing(Line(box)) as line:
                try:
                    line.ask("POST", path, body, Accept_Encoding="gzip")
                except BROKEN:
                    assert fault.kind in ("drop", "cut")
                else:
                    # The unread rest of the body must not become a part of the next request.
                    box.faults.clear()
                    assert line.ask("GET", path).status == 200
                    box.faults.add(fault)
        assert added.struck >= 1
    box.faults.clear()
    with closing(Line(box)) as line:
        assert [line.ask("GET", path).status for _ in range(3)] == [200] * 3


# The client with faults


@pytest.mark.slow
def test_an_answer_that_takes_ages_is_asked_for_again() -> None:
    # A new sandbox: a slow request appears in the log only when its wait is over.
    with rnb.sandbox() as client:
        assert client.sandbox is not None
        box = client.sandbox
        naps: list[float] = []
        client._transport._sleep = naps.append
        client._transport.timeout = (10, 0.5)
        box.faults.add(Fault.wait(30, on="get_current_user", times=1))
        with suppress(rnb.Timeout):
            # Unless this machine is slow.
            assert client.me().username == "admin"
        assert naps


def test_a_listing_is_not_read_from_before_a_lost_write(box: rnb.Sandbox) -> None:
    token = box.tokens["admin"]
    with rnb.connect(endpoint=box.endpoint, token=token) as client:
        name = fresh_name()
        before = len(client.sources())
        with (
            box.faults.add(Fault.drop(after=True, on="create_source", times=1)),
            box.faults.add(Fault.answer(500, on="create_source")),
            pytest.raises(rnb.ServerError),
        ):
            client.create_source(f"claims/{name}")
        assert len(client.sources()) == before + 1


@pytest.mark.slow
def test_a_bad_day_is_survived_by_many_at_once(box: rnb.Sandbox) -> None:
    token = box.tokens["admin"]
    made = [fresh_name() for _ in range(40)]
    # Threads decide which request a fault strikes. A request is struck 95 times at most, so that
    # none uses up its 100 attempts.
    bad = [
        Fault.answer(429, retry_after=1, probability=0.1, seed=1, times=20),
        Fault.answer(503, probability=0.1, seed=2, after=True, times=25),
        Fault.drop(probability=0.1, seed=3, after=True, times=25),
        Fault.cut(0.5, probability=0.1, seed=4, times=25),
    ]
    box.faults.add(Fault.wait((0, 0.01)), *bad, Fault.gzip(probability=0.5, seed=5))
    with rnb.connect(endpoint=box.endpoint, token=token) as client:
        client._transport.patience = Patience(100, backoff=0)
        client._transport._sleep = lambda _: time.sleep(0.001)

        def work(name: str) -> str:
            # The clock cannot tell whose create without a response it was.
            source = client.calls.create(f"claims/{name}", {"title": name}).source
            client.update_source(source, description=name * 2)
            return str(client.source(source.full_name).description)

        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(work, made)] == [name * 2 for name in made]
    assert all(box.faults.struck(fault) > 5 for fault in bad)
    box.faults.clear()
    df = box.sources()
    found = df[df["name"].isin(made)]
    assert sorted(found["name"]) == sorted(made)
    assert (found["title"] == found["name"]).all()
