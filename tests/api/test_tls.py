"""TLS and slow responses: errors have their own messages, and writes are in doubt where needed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.api import session
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from reinfer_nb.concurrency import MOST
from tests.certificates import Authority
from tests.scripted import RESET, Scripted, Step, reply
from tests.waiting import AGES, until

pytestmark = pytest.mark.usefixtures("no_proxy")

SOURCE = {"id": "18ba5ce699f8da1f", "owner": "acme", "name": "support", "title": "Support"}
ONE = reply({"status": "ok", "source": SOURCE})
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def client_of(endpoint: str, *, verify: Any = None, attempts: int = 1, **options: Any) -> Client:
    tenant = config.resolve(endpoint=endpoint, token="token-of-these-tests", verify=verify)
    given: dict[str, Any] = {"patience": Patience(attempts), "sleep": lambda _: None}
    return Client(Transport(tenant, **given | options), cache_ttl=0)


@contextmanager
def raw(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Serve each connection with a function, in its own thread; yield the port."""
    connections: list[socket.socket] = []

    def each(connection: socket.socket) -> None:
        with suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                threading.Thread(target=each, args=(connection,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


WRITES: dict[str, Callable[[Client], object]] = {
    "create": lambda client: client.create_source("acme/support", title="x"),
    "update": lambda client: client.update_source("acme/support", title="x"),
}


@pytest.mark.parametrize(
    ("names", "begins", "ends", "trusted", "words"),
    [
        (("tenant.example",), -DAY, DAY, True, "is for another host name"),
        (("127.0.0.2",), -DAY, DAY, True, "is for another host name"),
        (("127.0.0.1",), -2 * DAY, -DAY, True, "it has expired"),
        (("127.0.0.1",), DAY, 2 * DAY, True, "not valid yet"),
        (("127.0.0.1",), -DAY, DAY, False, r"does not trust.*verify='ca.pem'"),
    ],
    ids=["name", "address", "expired", "not yet", "unknown CA"],
)
def test_the_message_tells_why_a_certificate_does_not_verify(
    authority: Authority,
    names: tuple[str, ...],
    begins: timedelta,
    ends: timedelta,
    words: str,
    *,
    trusted: bool,
) -> None:
    tls = authority.server(*names, begins=begins, ends=ends)
    verify = str(authority.bundle) if trusted else None
    with Scripted(ONE, repeat=True, tls=tls) as server:
        client = client_of(server.endpoint, verify=verify, attempts=3)
        for ask in (Client.sources, WRITES["update"]):
            with pytest.raises(
                rnb.ConnectionFailed, match=f"certificate of .* does not verify: .*{words}"
            ) as caught:
                ask(client)
            assert not caught.value.in_doubt
            assert "attempts" not in str(caught.value)
        assert server.asked == []


def resetting(connection: socket.socket) -> None:
    connection.recv(10_000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def saying(*parts: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(10_000)
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_RDWR)

    return serve


NO_RESPONSES: dict[str, Callable[[socket.socket], None]] = {
    "reset": resetting,
    "closed": saying(),
    "an alert of TLS": saying(b"\x15\x03\x03\x00\x02\x02\x46"),
    "a line of nothing": saying(b"\x00\xff\x15\x03\r\n"),
}
BROKEN_LATER: dict[str, Callable[[socket.socket], None]] = {
    "within the headers": saying(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "within the body": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
}
MAY_BE_HTTPS = "If the server uses HTTPS, begin the endpoint with https://."


@pytest.mark.parametrize("serve", NO_RESPONSES.values(), ids=NO_RESPONSES)
def test_plain_http_to_a_port_of_another_protocol_has_a_hint_at_https(
    serve: Callable[[socket.socket], None],
) -> None:
    with raw(serve) as port:
        client = client_of(f"http://127.0.0.1:{port}", attempts=2)
        with pytest.raises(rnb.ConnectionFailed, match="failed or broke") as caught:
            client.update_source("acme/support", title="x")
    assert MAY_BE_HTTPS in str(caught.value)
    assert caught.value.in_doubt


def test_plain_http_to_a_tls_port_has_a_hint_at_https(authority: Authority) -> None:
    with Scripted(ONE, repeat=True, tls=authority.server("127.0.0.1")) as server:
        client = client_of(server.endpoint.replace("https://", "http://"))
        with pytest.raises(rnb.ConnectionFailed) as caught:
            client.source("acme/support")
        assert server.asked == []
    assert MAY_BE_HTTPS in str(caught.value)


@pytest.mark.parametrize("serve", BROKEN_LATER.values(), ids=BROKEN_LATER)
def test_a_response_that_began_in_plain_http_has_no_hint_at_https(
    serve: Callable[[socket.socket], None],
) -> None:
    with raw(serve) as port:
        client = client_of(f"http://127.0.0.1:{port}")
        with pytest.raises(rnb.ConnectionFailed) as caught:
            client.source("acme/support")
    assert "https" not in str(caught.value)


def test_an_https_endpoint_has_no_hint_at_https(authority: Authority) -> None:
    with Scripted(RESET, repeat=True, tls=authority.server("127.0.0.1")) as server:
        client = client_of(server.endpoint, verify=str(authority.bundle))
        with pytest.raises(rnb.ConnectionFailed) as caught:
            client.source("acme/support")
    assert "begin the endpoint" not in str(caught.value)


def test_a_closed_port_has_no_hint_at_https() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(rnb.ConnectionFailed) as caught:
        client_of(f"http://127.0.0.1:{port}").source("acme/support")
    assert "https" not in str(caught.value)


def test_a_bundle_without_certificates_is_reported(authority: Authority, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    with (
        Scripted(ONE, repeat=True, tls=authority.server("127.0.0.1")) as server,
        pytest.raises(rnb.ConnectionFailed, match="bundle"),
    ):
        client_of(server.endpoint, verify=str(bundle)).sources()


def test_a_handshake_that_times_out_is_reported_and_not_in_doubt() -> None:
    ended = threading.Event()
    with raw(lambda _: ended.wait(AGES)) as port:
        client = client_of(f"https://127.0.0.1:{port}", timeout=(0.2, 30.0))
        with pytest.raises(rnb.Timeout, match=r"handshake .* within 0.2 s") as caught:
            client.update_source("acme/support", title="x")
    assert not caught.value.in_doubt


# If bytes are left unread, the connection is reset; else it is closed.
@pytest.mark.slow
@pytest.mark.parametrize("read", [100, 10_000])
def test_a_broken_handshake_is_retried_and_not_in_doubt(read: int) -> None:
    count: list[int] = []

    def cut(connection: socket.socket) -> None:
        count.append(1)
        connection.recv(read)
        connection.close()

    with raw(cut) as port:
        client = client_of(f"https://127.0.0.1:{port}", attempts=3)
        with pytest.raises(rnb.ConnectionFailed, match="after 3 attempts") as caught:
            client.update_source("acme/support", title="x")
    assert not caught.value.in_doubt
    assert "certificate" not in str(caught.value)
    assert len(count) == 3


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("end", ["close", "garbage", "reset"])
@pytest.mark.parametrize("begun", ["", "head", "body"])
def test_a_write_whose_response_breaks_over_tls_is_in_doubt(
    authority: Authority, write: Callable[[Client], object], end: str, begun: str
) -> None:
    tls = authority.server("127.0.0.1")
    head, _, body = reply({"status": "ok", "source": SOURCE}).partition(b"\r\n\r\n")
    part = {"": b"", "head": head[:20], "body": head + b"\r\n\r\n" + body[:10]}[begun]

    def serve(connection: socket.socket) -> None:
        wrapped = tls.wrap_socket(connection, server_side=True)
        wrapped.recv(10_000)
        wrapped.sendall(part)
        plain = socket.socket(fileno=wrapped.detach())
        if end == "garbage":
            plain.sendall(b"this is no record of TLS at all" * 4)
        elif end == "reset":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        plain.close()

    with raw(serve) as port:
        client = client_of(f"https://127.0.0.1:{port}", verify=str(authority.bundle))
        # Headers that end early are read as complete, of an invalid response.
        kinds = (rnb.ConnectionFailed, rnb.ProtocolError)
        with pytest.raises(kinds, match=r"failed or broke|the response") as caught:
            write(client)
        assert caught.value.in_doubt
        with pytest.raises(kinds) as caught:
            client.sources()
        assert not caught.value.in_doubt


@pytest.mark.slow
def test_a_slow_response_within_the_time_outs_is_read() -> None:
    # The response takes longer than the connection time-out, but not longer than the read time-out.
    with Scripted(Step(ONE, wait=0.6)) as server:
        client = client_of(server.endpoint, timeout=(0.5, AGES))
        assert client.source("acme/support").title == "Support"


@pytest.mark.slow
def test_waiting_for_a_free_connection_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_POOL_WAIT", 0.2)
    # The end of the server ends the waits of its responses.
    with Scripted(Step(ONE, wait=10 * AGES), repeat=True) as server, ExitStack() as stack:
        client = stack.enter_context(client_of(server.endpoint, timeout=(AGES, 10 * AGES)))
        threads = [
            threading.Thread(target=lambda: suppressed(client), daemon=True) for _ in range(MOST)
        ]
        for thread in threads:
            thread.start()
        until(lambda: len(server.asked) == MOST)
        with pytest.raises(rnb.Timeout, match="in use") as caught:
            client.update_source("acme/support", title="x")
        assert not caught.value.in_doubt
    for thread in threads:
        thread.join(AGES)


def suppressed(client: Client) -> None:
    with suppress(rnb.ReinferError):
        client.source("acme/support")
