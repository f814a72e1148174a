"""Access to the sandbox: hosts, addresses, users, and the log of requests."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.cli import servers
from reinfer_nb.server import running
from reinfer_nb.server.access import Hosts
from tests.waiting import AGES, until


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


def spoken(client: rnb.Client, text: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the response to raw bytes: status, headers and body."""
    parts = urlsplit(client.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=AGES) as connection:
        connection.sendall(text)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


# Addresses


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_loopback_has_several_names(host: str) -> None:
    if host == "::1":
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    with rnb.sandbox(host=host) as client:
        assert len(client.sources()) == 130
        assert repr(client.sandbox) == f"<Sandbox at {client.endpoint}>"
        assert ("[::1]" in client.endpoint) == (host == "::1")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a b", "x" * 300])
def test_an_address_of_somebody_else_is_said(host: str) -> None:
    with pytest.raises(rnb.ConfigurationError, match="cannot listen"):
        rnb.sandbox(host=host).start()


@pytest.mark.parametrize("host", ["", None, 5, b"127.0.0.1"])
def test_what_is_no_address_is_refused(host: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="host must be an address"):
        rnb.sandbox(host=host)


def test_hosts_with_and_without_numbers() -> None:
    some = Hosts(["localhost", "::1"])
    for known in ("localhost", "LOCALHOST:80", "localhost:", "[::1]", "[::1]:8008"):
        assert known in some
    for foreign in ("", "[::1", "localhost:80:80", "evil.example", "10.0.0.1", "::1", None):
        assert foreign not in some
    every = Hosts(["localhost"], any_address=True)
    for known in ("10.0.0.1:80", "[fe80::1]:8008", "localhost"):
        assert known in every
    for foreign in ("evil.example", "10.0.0.1.evil.example", "10.0.0", "0x7f.1"):
        assert foreign not in every


# The header `Host`


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET /api/v1/sources HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["nonsense", "no colon", "space", "TLS", "long", "length"],
)
def test_what_is_not_http_is_refused_in_the_envelope(shared: rnb.Client, text: bytes) -> None:
    status, headers, body = spoken(shared, text)
    content = json.loads(body)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert content["status"] == "error"
    assert content["message"].startswith("400 Bad Request")


def test_who_is_refused_and_stays_is_hung_up_on(
    shared: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_LINGER_TIMEOUT", 0.2)
    parts = urlsplit(shared.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=AGES) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 400")

        def is_refused() -> bool:
            try:
                connection.sendall(b"more")
            except OSError:
                return True
            return False

        until(is_refused)


def test_a_405_tells_all_the_methods_of_a_path(shared: rnb.Client) -> None:
    headers = {"Authorization": f"Bearer {box_of(shared).tokens['admin']}"}
    for path, methods in {
        "/api/v1/sources/claims/motor-inbox": {"GET", "HEAD", "PUT", "POST"},
        "/api/_private/projects/claims": {"GET", "HEAD", "PUT", "POST", "DELETE"},
    }.items():
        answer = requests.patch(shared.endpoint + path, headers=headers, timeout=AGES)
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == methods


def test_a_head_is_a_get_without_the_body(shared: rnb.Client) -> None:
    headers = {"Authorization": f"Bearer {box_of(shared).tokens['admin']}"}
    for path in ("/api/v1/sources", "/api/v1/sources/claims/motor-inbox", "/docs"):
        response = requests.get(shared.endpoint + path, headers=headers, timeout=AGES)
        bare = requests.head(shared.endpoint + path, headers=headers, timeout=AGES)
        assert bare.status_code == 200
        assert bare.headers["Content-Length"] == response.headers["Content-Length"]
        assert bare.content == b""
        assert int(response.headers["Content-Length"]) == len(response.content)


def test_a_token_in_the_path_is_not_logged(client: rnb.Client) -> None:
    box = box_of(client)
    token = box.tokens["admin"]
    headers = {"Authorization": f"Bearer {token}"}
    escaped = "".join(f"%{ord(letter):02x}" for letter in token)
    for path in (f"/x?token={token}", f"/{token}", f"/x?token={escaped}", f"/x?{quote(token)}"):
        requests.get(client.endpoint + path, headers=headers, timeout=AGES)
    assert [asked.status for asked in box.requests] == [404] * 4
    for asked in box.requests:
        assert token not in repr(asked)
        assert escaped not in repr(asked)


# Users


def test_a_user_may_what_it_was_given(client: rnb.Client) -> None:
    box = box_of(client)
    token = box.add_user(
        "auditor", organisation_permissions={"people": ["sources-read"], "claims": ["sources-read"]}
    )
    assert box.tokens["auditor"] == token
    with rnb.connect(endpoint=box.endpoint, token=token, cache_ttl=0) as auditor:
        assert set(auditor.sources()["owner"]) == {"people", "claims"}
        assert auditor.me().username == "auditor"
        assert auditor.me().organisation_permissions == {
            "people": ("sources-read",), "claims": ("sources-read",),
        }  # fmt: skip
        with pytest.raises(rnb.PermissionDenied):
            auditor.update_source("claims/test", title="x")
        box.permit("auditor", organisation_permissions={"claims": ["sources-admin"], "people": []})
        auditor.update_source("claims/test", title="x")
        assert auditor.sources().empty
        box.permit("auditor", global_permissions=["sources-read"])
        assert len(auditor.sources()) == 130
        box.permit("auditor", global_permissions=[], organisation_permissions={"claims": ()})
        assert auditor.sources().empty
        assert auditor.projects().empty
    assert box.requests[-1].who == "auditor"


def test_users_of_a_file_get_new_tokens(tmp_path: Any) -> None:
    with rnb.sandbox(database=tmp_path / "box.db") as client:
        old = box_of(client).add_user("auditor", global_permissions=["sources-read"])
    with rnb.sandbox(database=tmp_path / "box.db") as client:
        box = box_of(client)
        assert set(box.tokens) == {"admin", "viewer", "auditor"}
        assert box.tokens["auditor"] != old
        with rnb.connect(endpoint=box.endpoint, token=box.tokens["auditor"]) as auditor:
            assert len(auditor.sources()) == 130


def test_users_that_cannot_be_are_refused(client: rnb.Client) -> None:
    box = box_of(client)
    with pytest.raises(rnb.InvalidInput, match="There is a user admin already"):
        box.add_user("admin")
    with pytest.raises(rnb.InvalidInput, match="The name of a user"):
        box.add_user("a b")
    with pytest.raises(rnb.InvalidInput, match="no project 'nowhere'"):
        box.add_user("x", organisation_permissions={"nowhere": ["sources-read"]})
    assert "x" not in box.tokens
    with pytest.raises(rnb.InvalidInput, match="a list of permissions"):
        box.add_user("x", organisation_permissions={"claims": "sources-read"})
    with pytest.raises(rnb.InvalidInput, match="no user 'nobody'; there are admin, viewer"):
        box.permit("nobody", global_permissions=[])
    with pytest.raises(rnb.InvalidInput, match="no project 'nowhere'"):
        box.permit("viewer", organisation_permissions={"nowhere": []})
    box.add_user("x")
    box.stop()
    with pytest.raises(rnb.ConfigurationError, match="not running"):
        box.add_user("y")


def test_the_command_says_how_to_use_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_wait_for_signal", lambda: None)
    assert cli.main(["sandbox"]) == 0
    output = capsys.readouterr().out
    assert "export REINFER_ENDPOINT=http://127.0.0.1:" in output
    assert "curl -H 'Authorization: Bearer sandbox-admin-" in output
    assert "re config add --name sandbox --endpoint http://127.0.0.1:" in output
    assert "/docs" in output
