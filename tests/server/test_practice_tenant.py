"""The practice tenant: operations, refusals, data and database files."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.server import app, running
from tests.browser import free_port
from tests.waiting import AGES

JSON = {"Content-Type": "application/json"}
MOTOR = "/api/v1/sources/claims/motor-inbox"


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


class Plain:
    """Raw requests, with the token of a user of the sandbox."""

    def __init__(self, client: rnb.Client, who: str = "admin") -> None:
        self.endpoint = client.endpoint
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {box_of(client).tokens[who]}"

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.endpoint + path, timeout=AGES, **more)


@pytest.fixture
def plain(client: rnb.Client) -> Iterator[Plain]:
    made = Plain(client)
    with made.session:
        yield made


@pytest.fixture(scope="module")
def lasting() -> Iterator[rnb.Client]:
    """A client of a shared sandbox, for tests that may write and do not depend on each other."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def asking(lasting: rnb.Client) -> Iterator[Plain]:
    made = Plain(lasting)
    with made.session:
        yield made


def is_error(answer: requests.Response, status: int | None = None) -> bool:
    """True if a response is an error in the API's envelope."""
    content = json.loads(answer.content)
    return (
        answer.status_code == (status or answer.status_code)
        and 400 <= answer.status_code < 500
        and answer.headers["Content-Type"] == "application/json"
        and set(content) == {"status", "message"}
        and content["status"] == "error"
        and isinstance(content["message"], str)
        and content["message"] != ""
    )


# Start and stop


def test_it_starts_and_stops() -> None:
    box = rnb.sandbox()
    assert repr(box) == "<Sandbox, not running>"
    for use in (lambda: box.endpoint, lambda: box.requests, box.sources):
        with pytest.raises(rnb.ConfigurationError, match="not running"):
            use()
    client = box.start()
    assert client.sandbox is box
    assert box.start() is client
    assert box.endpoint == client.endpoint
    assert repr(box) == f"<Sandbox at {client.endpoint}>"
    assert len(client.sources()) == 130
    address = ("127.0.0.1", urlsplit(client.endpoint).port)
    socket.create_connection(address, timeout=AGES).close()
    box.stop()
    box.stop()
    assert repr(box) == "<Sandbox, not running>"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=AGES)


def test_it_starts_again_as_new() -> None:
    box = rnb.sandbox()
    for _ in range(2):
        with box as client:
            client.create_source("claims/travel")
            assert len(client.sources()) == 131


def test_nobody_needs_to_keep_the_handle() -> None:
    client = rnb.sandbox().__enter__()
    try:
        assert len(client.sources()) == 130
        assert client.me().username == "admin"
    finally:
        box_of(client).stop()


@pytest.mark.slow
def test_a_process_ends_that_did_not_stop_it() -> None:
    code = "import reinfer_nb as rnb; print(len(rnb.sandbox().start().sources()))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=AGES, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (b"130", b"")


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    with rnb.sandbox() as client:
        client.statistics(client.sources().head(9), progress=False)
    left = [t for t in set(threading.enumerate()) - before if t.name == "reinfer_nb-sandbox"]
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(6))
def test_connections_that_come_in_while_it_stops_are_closed(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    halted, queued = threading.Event(), threading.Event()
    shutdown = running._Uvicorn.shutdown

    async def shutdown_with_a_queue(self: Any, sockets: Any = None) -> None:
        # Stop the event loop until connections are queued, then let it run for some turns.
        halted.set()
        assert queued.wait(60)
        for _ in range(turns):
            await asyncio.sleep(0)
        await shutdown(self, sockets)

    monkeypatch.setattr(running._Uvicorn, "shutdown", shutdown_with_a_queue)
    gc.collect()
    box = rnb.sandbox()
    parts = urlsplit(box.start().endpoint)
    with warnings.catch_warnings(record=True) as caught, ExitStack() as lines:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(box.stop)
            assert halted.wait(60)
            for number in range(100):
                line = socket.create_connection((parts.hostname, parts.port), timeout=60)
                lines.enter_context(line)
                if number % 3 == 0:
                    line.sendall(b"GET /auth/user HTTP/1.1\r\nHost: localhost\r\n\r\n")
            queued.set()
            stopped.result(60)
        gc.collect()
    assert [str(one.message) for one in caught] == []


def test_two_at_once_are_two_tenants() -> None:
    with rnb.sandbox() as left, rnb.sandbox() as right:
        assert left.endpoint != right.endpoint
        assert not set(box_of(left).tokens.values()) & set(box_of(right).tokens.values())
        left.delete_source("claims/test")
        assert len(left.sources()) == 129
        assert len(right.sources()) == 130
        with (
            rnb.connect(endpoint=left.endpoint, token=box_of(right).tokens["admin"]) as stranger,
            pytest.raises(rnb.AuthenticationError),
        ):
            stranger.sources()


def test_a_port_that_is_taken_is_said() -> None:
    # The port stays bound, so that the system gives it to nobody else.
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(rnb.ConfigurationError, match=f"port {port}") as caught,
    ):
        rnb.sandbox(port=port).start()
    assert "0 for any free one" in str(caught.value)
    with rnb.sandbox(port=port) as client:
        assert client.endpoint == f"http://127.0.0.1:{port}"
        client.sources()
    # Lingering connections do not prevent a new start on the same port.
    with rnb.sandbox(port=port) as client:
        client.sources()


@pytest.mark.parametrize("port", [-1, 2**16, "80", 1.5, True, None])
def test_a_port_that_is_none_is_refused(port: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="port must be a number"):
        rnb.sandbox(port=port)


@pytest.mark.slow
def test_without_the_extra_it_says_what_to_install() -> None:
    code = """
import sys
import reinfer_nb as rnb

for module in ("uvicorn", "starlette"):
    sys.modules[module] = None
    try:
        rnb.sandbox().start()
    except rnb.ConfigurationError as error:
        print(error)
    del sys.modules[module]
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=AGES, check=True
    )
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 2
    for module, line in zip(("uvicorn", "starlette"), lines, strict=True):
        assert f"needs {module}" in line
        assert "pip install 'reinfer_nb[sandbox]'" in line


# The sample data


def test_the_sample_is_the_same_on_every_start(shared: rnb.Client) -> None:
    with rnb.sandbox() as other:
        pd.testing.assert_frame_equal(other.sources(), shared.sources())
        pd.testing.assert_frame_equal(other.projects(), shared.projects())
        pd.testing.assert_frame_equal(other.buckets(), shared.buckets())
        left, right = (
            client.statistics(client.sources().head(5), progress=False)["num_comments"]
            for client in (other, shared)
        )
        pd.testing.assert_series_equal(left, right)


def test_the_sample_has_the_flaws_of_real_tenants(shared: rnb.Client) -> None:
    df = shared.sources()
    assert len(df) == 130
    assert df["owner"].nunique() == 4
    assert df["id"].is_unique
    assert df["id"].str.fullmatch("[0-9a-f]{16}").all()
    assert not df.duplicated(["owner", "name"]).any()
    assert (df["name"] + "/" + df["owner"]).str.fullmatch("[A-Za-z0-9_/-]+").all()
    assert (df["title"] == "").sum() >= 3
    assert (df["description"] == "").sum() >= 10
    assert df["bucket_id"].isna().sum() >= 10
    end = df["updated_at"].max()
    assert (df["updated_at"] < end - pd.Timedelta("1500D")).sum() >= 10
    assert df["created_at"].max() - df["created_at"].min() > pd.Timedelta("2500D")
    titled = df[df["title"] != ""]
    assert titled.duplicated(["owner", "title"]).sum() >= 3
    assert set(df["language"]) == {"en", "de", "xlm"}
    postfach = df[df["name"].str.endswith("-postfach")]
    assert (postfach["language"] != "de").any()
    assert (df["created_at"] <= df["updated_at"]).all()
    assert df["sensitive_properties"].map(len).gt(0).any()
    assert df["should_translate"].nunique() == 2
    assert df["kind"].nunique() >= 3


def test_the_store_is_what_the_api_tells(client: rnb.Client) -> None:
    client.create_source("people/travel", title="\N{AIRPLANE}", sensitive_properties=["a"])
    client.delete_source("claims/test")
    pd.testing.assert_frame_equal(box_of(client).sources(), client.sources(refresh=True))


# The log of requests


def test_requests_are_logged_without_tokens(client: rnb.Client, viewer: rnb.Client) -> None:
    box = box_of(client)
    client.sources("claims")
    with pytest.raises(rnb.PermissionDenied):
        viewer.create_source("claims/travel")
    with (
        rnb.connect(endpoint=client.endpoint, token="stranger") as stranger,
        pytest.raises(rnb.AuthenticationError),
    ):
        stranger.sources()
    plain = Plain(client)
    plain("GET", "/api/v1/sources/claims%2Fmotor-inbox?x=1")
    plain.session.close()
    assert box.requests == [
        ("GET", "/api/v1/sources/claims", 200, "admin"),
        ("PUT", "/api/v1/sources/claims/travel", 403, "viewer"),
        ("GET", "/api/v1/sources", 401, ""),
        ("GET", "/api/v1/sources/claims%2Fmotor-inbox?x=1", 200, "admin"),
    ]
    assert box.requests[0].method == "GET"
    assert (box.requests[1].status, box.requests[1].who) == (403, "viewer")
    for token in (*box.tokens.values(), "stranger"):
        assert token not in repr(box.requests) + repr(box)
    log = box.requests
    log.clear()
    assert len(box.requests) == 4


# Names as one path segment


def test_a_full_name_may_be_one_segment(plain: Plain) -> None:
    one = "/api/v1/sources/claims%2F"
    apart = plain("GET", MOTOR).json()
    assert plain("GET", one + "motor-inbox").json() == apart
    assert plain("GET", one.lower() + "motor-inbox").json() == apart
    made = plain("PUT", one + "travel", json={"source": {"title": "Travel"}})
    assert made.status_code == 200
    assert made.json()["source"]["name"] == "travel"
    assert made.json()["source"]["owner"] == "claims"
    changed = plain("POST", one + "travel", json={"source": {"title": "Trips"}})
    assert changed.json()["source"]["title"] == "Trips"
    assert plain("GET", "/api/v1/sources/claims/travel").json() == changed.json()
    count: dict[str, Any] = {"comment_filter": {}}
    expected = plain("POST", MOTOR + "/statistics", json=count).json()
    assert plain("POST", one + "motor-inbox/statistics", json=count).json() == expected
    assert expected["statistics"]["num_comments"] > 0
    assert plain("DELETE", f"/api/v1/sources/id:{made.json()['source']['id']}").json() == {
        "status": "ok"
    }
    assert is_error(plain("GET", one + "travel"), 404)


def test_an_answer_holds_what_the_vendor_s_client_asks_for(asking: Plain) -> None:
    needed = "id owner name title description language should_translate created_at updated_at _kind"
    made = asking("PUT", "/api/v1/sources/claims/needed", json={"source": {}}).json()
    rows = [*asking("GET", "/api/v1/sources").json()["sources"], made["source"]]
    for row in rows:
        assert set(needed.split()) <= set(row)
        assert "bucket_id" not in row or isinstance(row["bucket_id"], str)
    assert made["status"] == "ok"
    user = asking("GET", "/auth/user").json()["user"]
    asked = "id username email created global_permissions organisation_permissions verified"
    assert {*asked.split(), "sso_global_permissions"} <= set(user)


def test_an_update_of_nothing_is_fine(asking: Plain) -> None:
    answer = asking("POST", MOTOR, json={"source": {}})
    assert answer.status_code == 200


@pytest.mark.parametrize("base", ["/org/tenant/reinfer_", "/a-b/c.d/reinfer_"])
def test_a_tenant_lives_below_a_path_too(lasting: rnb.Client, base: str) -> None:
    asking = Plain(lasting)
    for path in ("/api/v1/sources", MOTOR, "/api/v1/sources/claims%2Fmotor-inbox", "/auth/user"):
        below, above = asking("GET", base + path), asking("GET", path)
        assert below.status_code == 200
        assert below.json() == above.json()
    asking.session.close()
    token = box_of(lasting).tokens["admin"]
    with rnb.connect(endpoint=lasting.endpoint + base, token=token) as tenant:
        pd.testing.assert_frame_equal(tenant.sources(), lasting.sources(refresh=True))
        assert box_of(lasting).requests[-2].path == base + "/api/v1/sources"
    assert box_of(lasting).requests[-1].path == "/api/v1/sources"


@pytest.mark.parametrize("base", ["/reinfer_", "/org/reinfer_", "/a/b/c/reinfer_", "/a/b/x"])
def test_another_path_is_no_tenant(asking: Plain, base: str) -> None:
    assert is_error(asking("GET", base + "/api/v1/sources"), 404)


# What is refused


def test_an_answer_is_sent_at_once(asking: Plain) -> None:
    # Nagle's algorithm would delay small responses by 40 ms.
    took = []
    for _ in range(20):
        begin = time.perf_counter()
        asking("GET", MOTOR)
        took.append(time.perf_counter() - begin)
    assert statistics.median(took) < 0.03


def test_every_answer_tells_how_long_it_took(asking: Plain) -> None:
    for path in ("/api/v1/sources", "/nowhere"):
        timing = asking("GET", path).headers["Server-Timing"]
        assert re.fullmatch(r"total;dur=\d+(\.\d+)?", timing)
    answer = requests.get(asking.endpoint + "/api/v1/sources", timeout=AGES)
    assert answer.status_code == 401
    assert answer.headers["Server-Timing"].startswith("total;dur=")


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "127.0.0.1:{port}"])
def test_its_own_names_are_answered_to(lasting: rnb.Client, asking: Plain, host: str) -> None:
    port = urlsplit(lasting.endpoint).port
    answer = asking("GET", "/api/v1/sources", headers={"Host": host.format(port=port)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api"),
        ("GET", "/api/v1"),
        ("GET", "/api/v2/sources"),
        ("GET", "/api/v1/sources/"),
        ("GET", "/api/v1/sources/nowhere"),
        ("GET", "/api/v1/sources/claims/nothing"),
        ("GET", "/api/v1/sources/claims/motor-inbox/"),
        ("GET", "/api/v1/sources/claims/motor-inbox/x"),
        ("GET", "/api/v1/sources/id:0000000000000000"),
        ("GET", "/api/v1/sources/id:"),
        ("GET", "/api/v1/sources/id:x%2Fy"),
        ("GET", "/api/v1/sources/claims%252Fmotor-inbox"),
        ("GET", "/api/v1/sources/claims/%00"),
        ("GET", "/api/v1/sources/claims/%ff"),
        ("GET", "/api/v1/sources/claims/%ED%A0%80"),
        ("GET", "/api/v1/sources/claims/%22%3Cscript%3E"),
        ("GET", "/api/v1/sources/claims/' OR '1'='1"),
        ("GET", "/API/V1/SOURCES"),
        ("GET", "//api/v1/sources"),
        ("GET", "/docs/"),
        ("GET", "/favicon.ico"),
        ("DELETE", "/api/v1/sources/id:0000000000000000"),
        ("POST", "/api/v1/sources/claims/nothing"),
        ("PUT", "/api/v1/sources/nowhere/x"),
    ],
)
def test_what_is_not_there_is_404(asking: Plain, method: str, path: str) -> None:
    body: dict[str, Any] | None = {"source": {}} if method in ("PUT", "POST") else None
    assert is_error(asking(method, path, json=body), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/sources"),
        ("PUT", "/api/v1/sources"),
        ("DELETE", "/api/v1/sources"),
        ("PATCH", MOTOR),
        ("DELETE", MOTOR),
        ("OPTIONS", MOTOR),
        ("TRACE", MOTOR),
        ("BREW", MOTOR),
        ("get", MOTOR),
        ("PUT", MOTOR + "/statistics"),
        ("DELETE", "/auth/user"),
        ("POST", "/api/_private/projects"),
    ],
)
def test_another_method_is_405(lasting: rnb.Client, method: str, path: str) -> None:
    parts = urlsplit(lasting.endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=AGES)
    headers = {"Authorization": f"Bearer {box_of(lasting).tokens['admin']}"}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    assert answer.status == 405
    assert answer.headers["Content-Type"] == "application/json"
    assert content["status"] == "error"


def test_a_405_tells_the_methods_there_are(asking: Plain) -> None:
    # As RFC 9110 requires.
    assert "GET" in asking("DELETE", MOTOR).headers.get("Allow", "")


def test_a_name_that_is_taken_is_409(asking: Plain) -> None:
    assert is_error(asking("PUT", MOTOR, json={"source": {}}), 409)
    assert is_error(asking("PUT", MOTOR.replace("s/m", "s%2Fm"), json={"source": {}}), 409)


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
def test_another_content_type_is_415(asking: Plain, method: str, kind: str) -> None:
    answer = asking(method, MOTOR, data=b'{"source": {}}', headers={"Content-Type": kind})
    assert is_error(answer, 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_names_is_taken(asking: Plain, kind: str) -> None:
    answer = asking("POST", MOTOR, data=b'{"source": {}}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize("extra", [1, 1 << 20])
def test_too_large_a_body_is_413(asking: Plain, extra: int) -> None:
    begin = b'{"source": {"title": "'
    body = begin + b"x" * (app._BODY_BYTES + extra - len(begin) - 3) + b'"}}'
    assert is_error(asking("POST", MOTOR, data=body, headers=JSON), 413)


def test_a_large_body_is_taken(asking: Plain) -> None:
    title = "x" * (7 << 20)
    answer = asking("POST", "/api/v1/sources/claims/test", json={"source": {"title": title}})
    assert answer.status_code == 200
    assert answer.json()["source"]["title"] == title
    asking("POST", "/api/v1/sources/claims/test", json={"source": {"title": ""}})


NO_JSON = {
    "nothing": b"",
    "a space": b" ",
    "cut": b'{"source": {"title": "x"',
    "trailing": b'{"source": {}} x',
    "a list": b'[{"source": {}}]',
    "null": b"null",
    "a text": b'"source"',
    "twice": b'{"source": {"title": "a", "title": "b"}}',
    "twice above": b'{"source": {}, "source": {}}',
    "NaN": b'{"source": {"email_transform_version": NaN}}',
    "two BOMs": b'\xef\xbb\xbf\xef\xbb\xbf{"source": {}}',
    "no UTF-8": b'{"source": {"title": "\xff"}}',
    "a raw surrogate": b'{"source": {"title": "\xed\xa0\x80"}}',
    "a raw line break": b'{"source": {"title": "a\nb"}}',
    "a form": b"title=x",
    "deep": b'{"source": ' + b"[" * 100_000,
    "a long number": b'{"source": {"email_transform_version": ' + b"9" * 5000 + b"}}",
}


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_object_is_400(asking: Plain, method: str, body: bytes) -> None:
    assert is_error(asking(method, MOTOR, data=body, headers=JSON), 400)


def test_an_answer_survives_a_body_that_is_cut_off(lasting: rnb.Client) -> None:
    parts = urlsplit(lasting.endpoint)
    token = box_of(lasting).tokens["admin"]
    head = (
        f"POST {MOTOR} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    before = lasting.source("claims/motor-inbox")
    with socket.create_connection((parts.hostname, parts.port), timeout=AGES) as connection:
        connection.sendall(head.encode() + b'{"source": {"title": "half"}}')
    assert lasting.source("claims/motor-inbox") == before


WRONG: dict[str, Any] = {
    "nothing": {},
    "null": {"source": None},
    "a list": {"source": []},
    "a text": {"source": "x"},
    "unknown": {"source": {"titel": "x"}},
    "not the wire's name": {"source": {"kind": "chat"}},
    "id": {"source": {"id": "0" * 16}},
    "name": {"source": {"name": "x"}},
    "created_at": {"source": {"created_at": "2016-02-10T23:13:28Z"}},
    "title null": {"source": {"title": None}},
    "title a number": {"source": {"title": 5}},
    "language": {"source": {"language": "english"}},
    "language null": {"source": {"language": None}},
    "should_translate": {"source": {"should_translate": "false"}},
    "sensitive_properties": {"source": {"sensitive_properties": "email"}},
    "sensitive_properties in it": {"source": {"sensitive_properties": [1]}},
    "version": {"source": {"email_transform_version": 1.5}},
    "version too large": {"source": {"email_transform_version": 2**63}},
    "bucket": {"source": {"bucket_id": "0" * 16}},
    "bucket a text": {"source": {"bucket_id": "x\0y"}},
    "tag": {"source": {"email_transform_tag": "not-a-valid-transform-tag.0.ABCDEFGH"}},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/v1/sources/claims/wrong"), ("POST", MOTOR)]
)
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_wrong_content_is_422_and_changes_nothing(
    asking: Plain, method: str, path: str, body: Any
) -> None:
    before = asking("GET", path).json()
    assert is_error(asking(method, path, json=body), 422)
    assert asking("GET", path).json() == before


def test_an_unknown_transform_tag_is_refused_in_the_vendor_s_words(asking: Plain) -> None:
    answer = asking("POST", MOTOR, json=WRONG["tag"])
    assert answer.json()["message"] == (
        "The value 'not-a-valid-transform-tag.0.ABCDEFGH' is not a valid transform tag."
    )


@pytest.mark.parametrize(
    "name", ["a b", "x" * 257, "%00", "id:x", ".", "a.b", quote("\N{AIRPLANE}"), "%ED%A0%80"]
)
def test_a_name_that_cannot_be_is_422(asking: Plain, name: str) -> None:
    # "." must come percent-encoded, or the client resolves it.
    path = "/api/v1/sources/claims/" + name.replace(".", "%2E")
    connection_path = path if name != "." else "/api/v1/sources/claims%2F%2E"
    assert is_error(asking("PUT", connection_path, json={"source": {}}), 422)


@pytest.mark.parametrize("body", [{}, {"comment_filter": None}, {"comment_filter": []}])
def test_statistics_need_a_filter(asking: Plain, body: Any) -> None:
    assert is_error(asking("POST", MOTOR + "/statistics", json=body), 422)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        r'{"title": "\ud83d"}',
        r'{"description": "\udc00\ud800"}',
        r'{"sensitive_properties": ["\ud83d"]}',
        r'{"_kind": "\ud83d"}',
        r'{"bucket_id": "\ud83d"}',
        r'{"email_transform_tag": "\ud83d"}',
        r'{"\ud83d": "x"}',
        r'{"language": "\ud83d"}',
    ],
)
def test_half_a_character_is_no_reason_to_fail(plain: Plain, source: str) -> None:
    before = plain("GET", MOTOR).json()
    answer = plain("POST", MOTOR, data=f'{{"source": {source}}}'.encode(), headers=JSON)
    assert is_error(answer)
    assert plain("GET", MOTOR).json() == before


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["en", "xlm", "chat", "generic.0.CONVKER5", "0" * 16]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from([field.wire for field in fields_of(rnb.Source)])
BODIES = (
    st.binary(max_size=40)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda source, more: json.dumps({"source": source} | more).encode(),
        st.dictionaries(FIELDS, JSON_VALUES, max_size=3) | JSON_VALUES,
        st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=1),
    )
    | st.builds(
        lambda value: json.dumps({"comment_filter": value}).encode(),
        JSON_VALUES,
    )
)
WORDS = """
claims people motor-inbox fuzzed id:0000000000000000 id: statistics api v1 sources _private
projects buckets auth user reinfer_ .. . %2F %2e%2e %00 %ff ; ?x=1 a%20b
"""
SEGMENTS = st.sampled_from(WORDS.split()) | st.text(max_size=6).map(
    lambda text: quote(text.encode("utf-8", "replace"), safe="")
)
PATHS = (
    st.just(MOTOR)
    | st.just("/api/v1/sources/claims/fuzzed")
    | st.just(MOTOR + "/statistics")
    | st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts))
    | st.lists(SEGMENTS, max_size=3).map(lambda parts: "/api/v1/sources/" + "/".join(parts))
)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"])


@pytest.mark.slow
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(METHODS, PATHS, BODIES)
@example("POST", MOTOR, json.dumps({"source": {"title": "<html>"}}).encode())
@example("PUT", "/api/v1/sources/claims/fuzzed", b'{"source": {}}')
def test_whatever_is_asked_the_answer_is_one(
    asking: Plain, method: str, path: str, body: bytes
) -> None:
    request = requests.Request(method, asking.endpoint + "/", data=body, headers=JSON)
    prepared = asking.session.prepare_request(request)
    # Sent raw: requests would resolve dots and encode again.
    prepared.url = asking.endpoint + path
    answer = asking.session.send(prepared, timeout=AGES)
    assert answer.status_code < 500
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Server-Timing"].startswith("total;dur=")
    content = json.loads(answer.content)
    if answer.status_code != 200:
        assert is_error(answer)
        return
    assert content["status"] == "ok"
    if method in {"PUT", "POST"}:
        # The stored names can be listed.
        assert asking("GET", path.removesuffix("/statistics")).status_code == 200
        assert asking("GET", "/api/v1/sources").status_code == 200


# Data of the caller


@pytest.mark.slow
def test_data_of_one_s_own_is_kept_exactly(shared: rnb.Client, tmp_path: Path) -> None:
    df = shared.sources()
    file = rnb.to_csv(df, tmp_path / "sources.csv")
    for data in (df, file, str(file)):
        with rnb.sandbox(data) as client:
            pd.testing.assert_frame_equal(client.sources(), df)
            pd.testing.assert_frame_equal(box_of(client).sources(), df)
            assert set(client.projects()["name"]) == set(df["owner"])
            assert set(client.buckets()["id"]) == set(df["bucket_id"].dropna())
            assert client.source(df["id"].loc[7]).updated_at == df.loc[7, "updated_at"]


def test_any_part_in_any_order_is_data(shared: rnb.Client) -> None:
    part = shared.sources().sample(20, random_state=1)
    with rnb.sandbox(part) as client:
        pd.testing.assert_frame_equal(client.sources(), part.reset_index(drop=True))


def test_numbers_of_comments_are_data_too(shared: rnb.Client) -> None:
    df = shared.statistics(shared.sources().head(5), progress=False)
    with rnb.sandbox(df) as client:
        again = client.statistics(client.sources(), progress=False)
        pd.testing.assert_frame_equal(again, df)


def test_the_least_data_is_owner_and_name() -> None:
    data = pd.DataFrame({"owner": ["acme", "acme"], "name": ["a", "b"]})
    with rnb.sandbox(data) as client:
        df = client.sources()
        assert df["id"].str.fullmatch("[0-9a-f]{16}").all()
        assert df["language"].tolist() == ["en", "en"]
        assert df["created_at"].notna().all()
        assert client.projects()["name"].tolist() == ["acme"]
        assert client.create_source("acme/c").full_name == "acme/c"


def test_no_rows_are_data(shared: rnb.Client) -> None:
    with rnb.sandbox(shared.sources().head(0)) as client:
        assert len(client.sources()) == 0
        assert len(client.projects()) == 0


def test_unknown_fields_of_data_are_told_again() -> None:
    data = pd.DataFrame({"owner": ["acme"], "name": ["a"], "news": [1], "nested": [{"x": [None]}]})
    with rnb.sandbox(data) as client:
        df = client.sources()
        assert df["news"].tolist() == [1]
        assert df["nested"].tolist() == [{"x": [None]}]
        assert client.update_source("acme/a", title="x").extra == {
            "news": 1,
            "nested": {"x": [None]},
        }


def doubled(df: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([df, df.head(1)])


def same_id(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(id="0" * 16)


def same_name(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(owner="acme", name="a")


def no_owner(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(owner=pd.Series([None] * len(df), dtype="str"))


def no_name(df: pd.DataFrame) -> pd.DataFrame:
    return df.drop(columns="name")


def no_json(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(age=pd.Timestamp("2026-01-01", tz="UTC") - df["created_at"])


def no_count(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(num_comments="many")


def too_many_comments(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(num_comments=2**63)


def endless_comments(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(num_comments=pd.Series([10**400] * len(df), dtype=object))


def fewer_than_no_comments(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(num_comments=-1)


def no_moment(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(updated_at="yesterday")


CANNOT = [
    *(doubled, same_id, same_name, no_owner, no_name, no_json, no_count, no_moment),
    *(too_many_comments, endless_comments, fewer_than_no_comments),
]


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", CANNOT, ids=lambda spoilt: spoilt.__name__)
@pytest.mark.parametrize("in_file", ["memory", "file"])
def test_data_that_cannot_be_is_refused(
    shared: rnb.Client, tmp_path: Path, spoilt: Any, in_file: str
) -> None:
    data = spoilt(shared.sources().head(3))
    database = tmp_path / "box.db" if in_file == "file" else None
    with pytest.raises(rnb.InvalidInput):
        rnb.sandbox(data, database=database).start()
    # No file is left: the same path takes the data once it is fixed.
    with rnb.sandbox(shared.sources().head(3), database=database) as client:
        assert len(client.sources()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("column", ["owner", "name", "id"])
@pytest.mark.parametrize("odd", ["Motor & Co", "a/b", "", "../up"])
def test_a_name_or_an_id_that_no_request_can_ask_for_is_kept_with_a_warning(
    shared: rnb.Client, column: str, odd: str
) -> None:
    data = shared.sources().head(3).reset_index(drop=True)
    data.loc[1, column] = odd
    box = rnb.sandbox(data)
    with pytest.warns(
        UserWarning, match="can be listed, but neither changed nor deleted"
    ) as caught:
        box.start()
    with box as client:
        listing = client.sources()
        assert sorted(listing[column]) == sorted(data[column])
        if column != "id":
            full_name = f"{data['owner'][1]}/{data['name'][1]}"
            with pytest.raises(rnb.InvalidInput):
                client.update_source(full_name, title="Mine")
        assert client.update_source(data["id"][0], title="Mine").title == "Mine"
    (warning,) = (w for w in caught if w.category is UserWarning)
    assert f"{data['owner'][1]}/{data['name'][1]} with the id {data['id'][1]}" in str(
        warning.message
    )
    # The warning points at the caller's line.
    assert warning.filename == __file__


@pytest.mark.parametrize("data", [5, [1], {"owner": ["a"]}])
def test_what_is_no_data_is_refused(data: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="data is a DataFrame, or the path"):
        rnb.sandbox(data).start()


def test_a_csv_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(rnb.FileProblem, match=r"none\.csv"):
        rnb.sandbox(tmp_path / "none.csv").start()


# A database file


def test_a_database_file_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    with rnb.sandbox(database=file) as client:
        made = client.create_source("claims/travel", title="\N{AIRPLANE}")
        client.update_source("claims/motor-inbox", title="Motor")
        client.delete_source("claims/test")
        before, tokens = client.sources(), box_of(client).tokens
    data = pd.DataFrame({"owner": ["acme"], "name": ["a"]})
    with pytest.raises(rnb.InvalidInput, match="has a sandbox already"):
        rnb.sandbox(data, database=file).start()
    for database in (file, str(file)):
        with rnb.sandbox(database=database) as client:
            pd.testing.assert_frame_equal(client.sources(), before)
            assert client.source(made.id) == made
            assert client.projects()["name"].tolist() == [
                "broker-desk", "claims", "customer-service", "people"
            ]  # fmt: skip
            assert not set(box_of(client).tokens.values()) & set(tokens.values())
    assert [path.name for path in tmp_path.iterdir()] == ["box.db"]


def test_no_token_is_in_the_database_file(tmp_path: Path) -> None:
    with rnb.sandbox(database=tmp_path / "box.db") as client:
        client.sources()
        tokens = box_of(client).tokens
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [token for token in tokens.values() if token.encode() in content]


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    file.touch()
    with rnb.sandbox(database=file) as client:
        assert len(client.sources()) == 130


@pytest.mark.parametrize("database", [":memory:", "file:box?mode=memory"])
def test_a_name_of_sqlite_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(rnb.InvalidInput, match="Leave it out for a sandbox in memory"):
        rnb.sandbox(database=database).start()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(rnb.FileProblem):
        rnb.sandbox(database=tmp_path).start()
    with pytest.raises(rnb.FileProblem, match="no folder"):
        rnb.sandbox(database=tmp_path / "none" / "box.db").start()
    assert list(tmp_path.iterdir()) == []


def test_updates_of_different_fields_at_once_are_both_there(lasting: rnb.Client) -> None:
    which = "claims/weather-inbox"
    changes: list[dict[str, Any]] = [
        {"title": "T"},
        {"description": "D"},
        {"language": "xlm"},
        {"kind": "chat"},
        {"should_translate": True},
        {"sensitive_properties": ["a"]},
        {"email_transform_version": 9},
        {"bucket_id": None},
    ]
    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(lambda change: lasting.update_source(which, **change), changes))
    source = lasting.source(which)
    assert (source.title, source.description, source.language, source.kind) == (
        "T", "D", "xlm", "chat"
    )  # fmt: skip
    assert (source.should_translate, source.sensitive_properties) == (True, ("a",))
    assert (source.email_transform_version, source.bucket_id) == (9, None)


def test_a_start_that_fails_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> rnb.Client:
        raise rnb.ConfigurationError

    monkeypatch.setattr("reinfer_nb.client.connect", refuse)
    box = rnb.sandbox()
    before = set(threading.enumerate())
    with pytest.raises(rnb.ConfigurationError):
        box.start()
    assert repr(box) == "<Sandbox, not running>"
    assert not [t for t in set(threading.enumerate()) - before if "sandbox" in t.name]
    with pytest.raises(rnb.InvalidInput, match="cache_ttl"):
        rnb.sandbox(cache_ttl=-1)


def test_a_host_without_a_port_is_this_one(client: rnb.Client) -> None:
    token = {"Authorization": f"Bearer {box_of(client).tokens['admin']}"}
    answer = requests.get(
        f"{client.endpoint}/auth/user", headers=token | {"Host": "localhost"}, timeout=5
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("database", ["/proc/x.db", "/"])
def test_a_place_for_no_file_is_said(database: str) -> None:
    with pytest.raises(rnb.FileProblem, match=r"database|could not be written"):
        rnb.sandbox(database=database).start()


def test_data_of_a_frame_with_a_column_twice_is_refused(shared: rnb.Client) -> None:
    df = shared.sources()
    for odd in (pd.concat([df, df[["title"]]], axis=1), df.rename(columns={"title": 0})):
        with pytest.raises(
            rnb.InvalidInput, match="a column twice, or one whose name is not a text"
        ):
            rnb.sandbox(odd).start()
