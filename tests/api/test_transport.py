"""Requests over real sockets: failures, retries and errors.

The failure cases themselves are in tests/failures/test_reaching_the_tenant.py.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from requests.adapters import HTTPAdapter

import reinfer_nb as rnb
from reinfer_nb.api import responses
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from reinfer_nb.concurrency import MOST
from tests.scripted import DROPPED, RESET, Scripted, Step, reply
from tests.waiting import AGES, until

pytestmark = pytest.mark.usefixtures("no_proxy")

TOKEN = "token-of-these-tests"
MOMENTS = ("created_at", "updated_at", "last_modified")
SOURCE = {
    "id": "18ba5ce699f8da1f",
    "owner": "acme",
    "name": "support",
    "title": "Support",
    "language": "en",
    "created_at": "2016-02-10T23:13:28.340295+00:00",
    "updated_at": "2016-02-10T23:13:28.340295+00:00",
}
ONE = reply({"status": "ok", "source": SOURCE})
LISTING = reply({"status": "ok", "sources": [SOURCE]})
CUT = Step(reply({"status": "ok", "source": SOURCE}, 200, {"Content-Length": "5000"}), close=True)

Reach = Callable[..., Client]


def no(status: int, message: str = "no such luck", **headers: str) -> bytes:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return reply({"status": "error", "message": message}, status, named)


def later(**duration: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**duration), usegmt=True)


@pytest.fixture
def naps() -> list[float]:
    """The seconds that clients of `reach` would have slept."""
    return []


@pytest.fixture
def reach(naps: list[float]) -> Iterator[Reach]:
    """Return a function that connects to an endpoint, with three attempts and without sleeping."""
    with ExitStack() as stack:

        def make(
            endpoint: str,
            *,
            token: str = TOKEN,
            attempts: int = 3,
            verify: Any = None,
            **options: Any,
        ) -> Client:
            tenant = config.resolve(endpoint=endpoint, token=token, verify=verify)
            given: dict[str, Any] = {"patience": Patience(attempts), "sleep": naps.append}
            given |= options
            return stack.enter_context(Client(Transport(tenant, **given), cache_ttl=0))

        yield make


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """Return the result of a function, or fail if it takes too long."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(function()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert done, f"no result within {seconds} s"
    return done[0]


# Retry-After


@pytest.mark.parametrize(
    "retry_after",
    ["soon", "-5", "1.5", "NaN", "9" * 400, "9" * 5000, "Mon, 01 Jan 99999 00:00:00 GMT"],
    ids=["word", "negative", "fraction", "NaN", "400 digits", "5000 digits", "year 99999"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_an_invalid_retry_after_does_not_crash(
    reach: Reach, naps: list[float], status: int, retry_after: str
) -> None:
    with Scripted(no(status, retry_after=retry_after), ONE) as server:
        try:
            assert reach(server.endpoint).source("acme/support").title == "Support"
        except (rnb.RateLimited, rnb.ServerError):
            assert "9999" in retry_after
    assert all(0 <= nap <= 120 for nap in naps)


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "1" + "0" * 12])
def test_a_huge_retry_after_fails_at_once(reach: Reach, naps: list[float], value: str) -> None:
    with Scripted(no(429, retry_after=value), repeat=True) as server:
        with pytest.raises(rnb.RateLimited, match="asks to wait") as caught:
            reach(server.endpoint).source("acme/support")
        assert len(server.asked) == 1
    assert naps == []
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("ahead", [timedelta(days=30), timedelta(days=-30)], ids=str)
def test_a_retry_after_date_is_read_by_the_tenants_clock(
    reach: Reach, naps: list[float], ahead: timedelta
) -> None:
    now = datetime.now(UTC) + ahead
    until, date = (format_datetime(m, usegmt=True) for m in (now + timedelta(seconds=9), now))
    with Scripted(no(429, retry_after=until, date=date), ONE) as server:
        assert reach(server.endpoint).source("acme/support").title == "Support"
    assert len(naps) == 1
    assert 8 <= naps[0] <= 11


@pytest.mark.parametrize("body", [no(429), reply(b"<html>", 429, {"Content-Type": "text/html"})])
def test_a_429_for_all_attempts_is_rate_limited(reach: Reach, body: bytes) -> None:
    with Scripted(body, repeat=True) as server:
        with pytest.raises(rnb.RateLimited, match=r"after 3 attempts in \d+ s"):
            reach(server.endpoint).source("acme/support")
        assert len(server.asked) == 3


# Temporary failures

TEMPORARY = (502, 503, 504)


@pytest.mark.slow
@pytest.mark.parametrize(
    "failure",
    [
        *(no(status) for status in TEMPORARY),
        reply(b"<html>", 502),
        DROPPED,
        RESET,
        CUT,
        Step(b"SSH-2.0\r\n", close=True),
    ],
    ids=[
        *map(str, TEMPORARY),
        "html",
        "dropped",
        "reset",
        "cut",
        "not HTTP",
    ],
)
def test_a_read_is_retried(reach: Reach, failure: Step | bytes) -> None:
    with Scripted(failure, failure, LISTING) as server:
        assert reach(server.endpoint).sources()["name"].tolist() == ["support"]


def test_a_503_for_all_attempts_is_the_tenants_own_error(reach: Reach) -> None:
    with (
        Scripted(no(503, "down for maintenance"), repeat=True) as server,
        pytest.raises(rnb.ServerError, match="503: down for maintenance") as caught,
    ):
        reach(server.endpoint).sources()
    assert caught.value.status == 503
    assert caught.value.server_message == "down for maintenance"


def test_a_closed_port_is_a_failed_connection(reach: Reach) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(rnb.ConnectionFailed, match="after 3 attempts") as caught:
        reach(endpoint).sources()
    assert endpoint in str(caught.value)
    assert not isinstance(caught.value, rnb.Timeout)


def test_a_500_is_not_retried(reach: Reach) -> None:
    with Scripted(no(500), LISTING) as server:
        with pytest.raises(rnb.ServerError):
            reach(server.endpoint).sources()
        assert len(server.asked) == 1


# Creates whose response was lost


def test_a_conflict_at_the_first_attempt_holds_the_existing_source(reach: Reach) -> None:
    with Scripted(no(409), ONE) as server:
        with pytest.raises(rnb.Conflict) as caught:
            reach(server.endpoint).create_source("acme/support", title="Support")
        assert server.methods == ["PUT", "GET"]
    assert caught.value.existing is not None
    assert caught.value.existing.id == "18ba5ce699f8da1f"


def test_a_conflict_with_a_hidden_source_is_a_conflict(reach: Reach) -> None:
    with Scripted(DROPPED, no(409), no(404)) as server, pytest.raises(rnb.Conflict) as caught:
        reach(server.endpoint).create_source("acme/support", title="Support")
    assert caught.value.existing is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("age", "maker"),
    [
        (timedelta(), "perhaps we"),
        (timedelta(seconds=3), "somebody else"),
        (timedelta(seconds=20), "somebody else"),
        (timedelta(seconds=-20), "we"),
        (timedelta(minutes=5), "somebody else"),
        (timedelta(days=365), "somebody else"),
    ],
    ids=str,
)
# The tenant's clock decides, not this machine's.
@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=30), timedelta(days=-30)], ids=str)
def test_the_age_of_the_existing_source_shows_who_created_it(
    reach: Reach, ahead: timedelta, age: timedelta, maker: str
) -> None:
    now = datetime.now(UTC) + ahead
    there = SOURCE | dict.fromkeys(MOMENTS, (now - age).isoformat())
    refused = no(409, date=format_datetime(now, usegmt=True))
    with Scripted(DROPPED, refused, reply({"status": "ok", "source": there})) as server:
        client = reach(server.endpoint)
        if maker == "we":
            assert client.create_source("acme/support", title="Support").id == SOURCE["id"]
        elif maker == "perhaps we":
            with pytest.warns(rnb.InDoubtWarning):
                assert client.create_source("acme/support", title="Support").id == SOURCE["id"]
        else:
            with pytest.raises(rnb.Conflict) as caught:
                client.create_source("acme/support", title="Support")
            assert caught.value.existing is not None
            assert caught.value.existing.id == SOURCE["id"]
            assert not caught.value.in_doubt


@pytest.mark.parametrize("zone", ["+0000", "-0000", ""])
@pytest.mark.usefixtures("coarse_clock")
def test_a_date_is_read_whatever_its_zone_looks_like(reach: Reach, zone: str) -> None:
    refused = no(409, date=later().replace("GMT", zone).strip())
    new = SOURCE | dict.fromkeys(MOMENTS, datetime.now(UTC).isoformat())
    found = reply({"status": "ok", "source": new})
    with Scripted(DROPPED, refused, found, DROPPED, refused, ONE) as server:
        client = reach(server.endpoint)
        with pytest.warns(rnb.InDoubtWarning):
            assert client.create_source("acme/support", title="Support").id == SOURCE["id"]
        with pytest.raises(rnb.Conflict):
            client.create_source("acme/support", title="Support")


@pytest.mark.parametrize("date", [None, "no date", "Mon, 01 Jan 99999 00:00:00 GMT"])
def test_without_a_readable_date_the_settings_decide(reach: Reach, date: str | None) -> None:
    refused = reply({"status": "error"}, 409, {"Date": date})
    with Scripted(DROPPED, refused, ONE, DROPPED, refused, ONE) as server:
        client = reach(server.endpoint)
        with pytest.warns(rnb.InDoubtWarning):
            assert client.create_source("acme/support", title="Support").id == SOURCE["id"]
        with pytest.raises(rnb.Conflict):
            client.create_source("acme/support", title="Another")


def test_an_attempt_that_got_a_429_has_created_nothing(reach: Reach) -> None:
    # A 429 shows that the first attempt was not carried out.
    there = SOURCE | dict.fromkeys(MOMENTS, datetime.now(UTC).isoformat())
    found = reply({"status": "ok", "source": there})
    with Scripted(no(429), no(409, date=later()), found) as server, pytest.raises(rnb.Conflict):
        reach(server.endpoint).create_source("acme/support", title="Support")


# Malformed responses

HTML = {"Content-Type": "text/html; charset=utf-8"}


PAGES = {"html": b"<html>down", "text": b"upstream gone", "nothing": b"", "list": b"[]"}


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 501, 502, 503, 520, 524, 525, 530, 599])
@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
def test_a_page_of_a_server_in_front_is_a_server_error(
    reach: Reach, status: int, body: bytes
) -> None:
    response = reply(body, status, HTML)
    with Scripted(response, repeat=True) as server:
        client = reach(server.endpoint, attempts=1)
        with pytest.raises(rnb.ServerError, match=f"status {status}, content type text/html") as c:
            client.sources()
        assert c.value.status == status
        assert not c.value.in_doubt
        assert body.decode() in str(c.value)
        with pytest.raises(rnb.ServerError) as c:
            client.update_source("acme/support", title="x")
        assert c.value.in_doubt


@pytest.mark.parametrize("status", [404, 409, 422, 500])
def test_a_status_at_the_beginning_of_the_message_is_not_repeated(
    reach: Reach, status: int
) -> None:
    with Scripted(no(status, f"{status} Such Trouble: x."), repeat=True) as server:
        client = reach(server.endpoint)
        with pytest.raises(rnb.AnswerError) as caught:
            client.source("acme/support")
        assert f": {status} Such Trouble: x. " in str(caught.value)
        # As a word: a port may hold the same digits.
        assert len(re.findall(rf"\b{status}\b", str(caught.value))) == 1
        server._script[0] = Step(no(status, f"{status}00 rows"))
        with pytest.raises(rnb.AnswerError, match=f": {status}: {status}00 rows"):
            client.source("acme/support")


JWT = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "challenge", "expires"),
    [
        (JWT, None, True),
        (TOKEN, 'Bearer error="invalid_token", error_description="The token expired"', True),
        (TOKEN, 'Bearer realm="x"', False),
        (TOKEN, None, False),
        ("eyJ.x", None, False),
    ],
)
def test_the_advice_for_a_401_depends_on_the_kind_of_token(
    reach: Reach, token: str, challenge: str | None, *, expires: bool
) -> None:
    headers = {"WWW-Authenticate": challenge}
    with (
        Scripted(reply({"status": "error"}, 401, headers), repeat=True) as server,
        pytest.raises(rnb.AuthenticationError) as caught,
    ):
        reach(server.endpoint, token=token).sources()
    assert ("has probably expired" in str(caught.value)) == expires
    assert ("newer token" in str(caught.value)) != expires
    assert "argument" in str(caught.value)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/org/tenant/portal_", "/org/tenant/reinfer_"),
        ("/org/tenant/reinfer_/sources", "/org/tenant/reinfer_"),
        ("/org/tenant", "/org/tenant/reinfer_"),
        ("", "/<org>/<tenant>/reinfer_"),
        ("/org/tenant/reinfer_", None),
    ],
)
def test_a_page_instead_of_the_api_has_a_hint_at_its_address(
    reach: Reach, status: int, path: str, base: str | None
) -> None:
    with Scripted(reply(b"<!DOCTYPE html><html>", status, HTML), repeat=True) as server:
        with pytest.raises(rnb.ProtocolError) as caught:
            reach(server.endpoint + path).sources()
        hint = f"such as {server.endpoint}{base}."
    assert (hint in str(caught.value)) == (base is not None)
    assert ("such as" in str(caught.value)) == (base is not None)


JSON_404S = {
    "of the API": reply({"status": "error", "message": "404 Not Found"}, 404),
    "of another service": reply({"message": "no such route", "errorCode": 1002}, 404),
}
LISTED: dict[str, Callable[[rnb.Client], object]] = {
    "sources": lambda client: client.sources(),
    "of a project": lambda client: client.sources("lab"),
    "projects": lambda client: client.projects(),
    "buckets": lambda client: client.buckets(),
    "me": lambda client: client.me(),
}


@pytest.mark.slow
@pytest.mark.parametrize("response", JSON_404S.values(), ids=JSON_404S)
@pytest.mark.parametrize("call", LISTED.values(), ids=LISTED)
@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/org/tenant/portal_", "/org/tenant/reinfer_"),
        ("/org/tenant", "/org/tenant/reinfer_"),
        ("/org", "/<org>/<tenant>/reinfer_"),
    ],
)
def test_a_404_of_a_page_of_the_tenant_has_a_hint_at_the_address_of_the_api(
    reach: Reach, call: Callable[[rnb.Client], object], response: bytes, path: str, base: str
) -> None:
    with Scripted(response, repeat=True) as server:
        with pytest.raises((rnb.NotFound, rnb.ProtocolError)) as caught:
            call(reach(server.endpoint + path))
        assert str(caught.value).count(f"such as {server.endpoint}{base}.") == 1


@pytest.mark.parametrize("response", JSON_404S.values(), ids=JSON_404S)
@pytest.mark.parametrize("call", LISTED.values(), ids=LISTED)
@pytest.mark.parametrize("path", ["/org/tenant/reinfer_", ""])
def test_a_404_of_the_tenants_own_address_has_no_hint(
    reach: Reach, call: Callable[[rnb.Client], object], response: bytes, path: str
) -> None:
    with Scripted(response, repeat=True) as server:
        with pytest.raises((rnb.NotFound, rnb.ProtocolError)) as caught:
            call(reach(server.endpoint + path))
        assert "such as" not in str(caught.value)


def test_a_404_about_one_source_has_no_hint(reach: Reach) -> None:
    with Scripted(JSON_404S["of the API"], repeat=True) as server:
        client = reach(server.endpoint + "/org/tenant/portal_")
        for call in (client.source, client.count_comments):
            with pytest.raises(rnb.NotFound) as caught:
                call("lab/one")
            assert "such as" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "hints"),
    [
        ("https://cloud.uipath.com", True),
        ("https://CLOUD.uipath.com/", True),
        ("https://staging.uipath.com/org/tenant", True),
        ("https://govcloud.uipath.us/org", True),
        ("https://cloud.uipath.com/org/tenant/reinfer_", False),
        ("https://acme.reinfer.io", False),
        ("https://uipath.example.com", False),
        ("https://notuipath.com", False),
    ],
)
def test_hint_at_missing_base(endpoint: str, *, hints: bool) -> None:
    assert bool(responses.hint_at_missing_base(endpoint)) is hints


@pytest.mark.parametrize(
    "response",
    [
        reply(b"x", 200, {"Content-Type": "x" * 5000}),
        reply({"status": "x" * 5000, "source": {}}),
        reply(b'{"%s": 1, "%s": 2}' % (b"x" * 5000, b"x" * 5000)),
        reply({"status": "ok", "source": {"id": "x" * 5000}}),
    ],
    ids=["content type", "status", "twice", "field"],
)
def test_a_message_stays_short(reach: Reach, response: bytes) -> None:
    with Scripted(response) as server, pytest.raises(rnb.ProtocolError) as caught:
        reach(server.endpoint).source("acme/support")
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    "response",
    [reply(b"<html>", 200, HTML), reply(b"", 200), reply([]), reply({"status": "odd"}), no(99)],
    ids=["page", "empty", "list", "status", "code"],
)
@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.create_source("acme/support", title="x"),
        lambda client: client.update_source("acme/support", title="x"),
        lambda client: client.delete_source(f"{1:016x}"),
    ],
    ids=["create", "update", "delete"],
)
def test_a_write_with_a_malformed_response_is_in_doubt(
    reach: Reach, write: Callable[[rnb.Client], object], response: bytes
) -> None:
    with (
        Scripted(response, repeat=True) as server,
        pytest.raises(rnb.ReinferError) as caught,
    ):
        write(reach(server.endpoint))
    # A read cannot have changed anything.
    assert caught.value.in_doubt == ({asked.method for asked in server.asked} != {"GET"})


def test_a_response_beyond_its_content_length_does_not_spoil_the_next(reach: Reach) -> None:
    with Scripted(ONE + LISTING, ONE) as server:
        client = reach(server.endpoint)
        assert client.source("acme/support").title == "Support"
        assert client.source("acme/support").title == "Support"


# Redirects


def redirect_to(location: str, status: int = 302) -> bytes:
    return reply(b"", status, {"Location": location})


@pytest.mark.parametrize(
    "location",
    ["", "http://[", "http://127.0.0.1:port/", "http://127.0.0.1:99999/", "/\xff\xfe", "\x1b[31m"],
)
def test_a_redirect_without_a_valid_target_is_a_protocol_error(reach: Reach, location: str) -> None:
    response = redirect_to(location) if location else reply(b"", 302)
    with Scripted(response, ONE) as server, ExitStack() as stack:
        # The last two may be followed, since they stay within the host.
        if not location.startswith(("/", "\x1b")):
            stack.enter_context(pytest.raises(rnb.ProtocolError))
        reach(server.endpoint).source("acme/support")


def test_redirects_in_a_circle_end(reach: Reach) -> None:
    with Scripted(redirect_to("/again"), repeat=True) as server:
        with pytest.raises(rnb.ProtocolError, match="redirect"):
            reach(server.endpoint).sources()
        assert len(server.asked) < 20


# Connections


FAILURES = {
    "cut": CUT,
    "dropped": DROPPED,
    "garbled": reply(b"<html>"),
    "redirect": redirect_to("http://tenant.example/"),
    "too large": reply(b"x" * 5000),
    "422": no(422),
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_failures_do_not_use_up_the_connections(reach: Reach, failure: Step | bytes) -> None:
    steps = [failure] * (MOST + 2)
    with Scripted(*steps, ONE) as server:
        client = reach(server.endpoint, attempts=1, limit=4000)

        def ask() -> str | None:
            for _ in steps:
                with pytest.raises(rnb.ReinferError):
                    client.source("acme/support")
            return client.source("acme/support").title

        assert within(AGES, ask) == "Support"


def pools_of(client: Client) -> list[Any]:
    """Return the client's connection pools. A traceback that is kept refers to them too."""
    adapter = client._transport._session.get_adapter(client.endpoint)
    assert isinstance(adapter, HTTPAdapter)
    pools = adapter.poolmanager.pools
    return [pools[key] for key in pools.keys()]  # noqa: SIM118 - it cannot be iterated over


def test_close_ends_all_connections_though_something_refers_to_them(reach: Reach) -> None:
    with Scripted(ONE, ONE) as server:
        client = reach(server.endpoint)
        client.source("acme/support")
        pools = pools_of(client)
        assert server.open_connections == 1
        client.close()
        until(lambda: server.open_connections == 0)
        assert len(pools) == 1
        assert client.source("acme/support").title == "Support"


def test_close_ends_a_connection_in_use_after_its_response(reach: Reach) -> None:
    with Scripted(Step(ONE, wait=0.2)) as server, ThreadPoolExecutor(1) as threads:
        client = reach(server.endpoint)
        waiting = threads.submit(client.source, "acme/support")
        until(lambda: len(server.asked) == 1)
        pools = pools_of(client)
        client.close()
        assert waiting.result().title == "Support"
        until(lambda: server.open_connections == 0)
        assert len(pools) == 1


# Compressed responses


def test_compressed_responses_are_read(reach: Reach) -> None:
    body = gzip.compress(json.dumps({"status": "ok", "source": SOURCE}).encode())
    with Scripted(reply(body, 200, {"Content-Encoding": "gzip"})) as server:
        assert reach(server.endpoint).source("acme/support").title == "Support"
        assert "gzip" in server.asked[0].headers["accept-encoding"]


# Other failures


def test_a_conflict_without_the_existing_source_is_a_conflict(reach: Reach) -> None:
    with Scripted(no(409), no(500)) as server, pytest.raises(rnb.Conflict) as caught:
        reach(server.endpoint).create_source("acme/support", title="Support")
    assert caught.value.existing is None


@pytest.mark.parametrize(
    "returned",
    [
        {"id": "18ba5ce699f8da1f", "owner": "acme", "name": "other"},
        {"id": "18ba5ce699f8da1f", "owner": "other", "name": "support"},
        {"id": "", "owner": "acme", "name": "support"},
        {"id": "../evil", "owner": "acme", "name": "support"},
    ],
    ids=str,
)
def test_a_delete_rejects_a_response_about_another_source(
    reach: Reach, returned: dict[str, str]
) -> None:
    with Scripted(reply({"source": returned, "status": "ok"})) as server:
        with pytest.raises(rnb.ProtocolError, match=r"Nothing was deleted|is about"):
            reach(server.endpoint).delete_source("acme/support")
        assert server.methods == ["GET"]


@pytest.mark.slow
def test_a_failed_count_leaves_no_waiting_threads(reach: Reach) -> None:
    limited = Step(no(429, Retry_After="60"))
    with Scripted(Step(no(500), wait=0.5), limited, repeat=True) as server:
        waiting = reach(server.endpoint, attempts=9, sleep=time.sleep)
        df = pd.DataFrame({"owner": "acme", "name": [f"s{number}" for number in range(4)]})
        with pytest.raises(rnb.ServerError):
            waiting.statistics(df, workers=4, progress=False)
        ended = time.monotonic() + 5
        while any("statistics" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < ended
            time.sleep(0.01)


def test_an_error_of_a_library_itself_is_not_retried(
    reach: Reach, naps: list[float], tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    client = reach("https://127.0.0.1:9", verify=str(bundle))
    bundle.unlink()
    with pytest.raises(rnb.ConnectionFailed):
        client.me()
    assert naps == []


def test_an_error_of_another_kind_has_no_context(
    reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = reach("http://127.0.0.1:9")

    def send(*_: object, **__: object) -> None:
        # The headers of the request hold the token.
        raise RuntimeError("odd") from OSError("headers")

    monkeypatch.setattr(client._transport._session, "send", send)
    with pytest.raises(RuntimeError, match="odd") as caught:
        client.sources()
    assert caught.value.__context__ is caught.value.__cause__ is None
