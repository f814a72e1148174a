"""A response that breaks within its headers leaves a write in doubt.

The tenants are sandboxes behind a server that carries out a write and cuts the response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import urllib3

import reinfer_nb as rnb
from reinfer_nb.api import connection_failures, safe_write
from reinfer_nb.api.retry_policy import Patience
from tests.api.test_write_result import NAME, box_of
from tests.scripted import Asked, Scripted, Step, relay

# Where the response is cut: "HTTP/1.1 200 x", "Content-Type: application/json", ...
CUTS: dict[str, Callable[[bytes], int]] = {
    "in the protocol": lambda _: 3,
    "in the status": lambda _: 10,
    "after the status": lambda _: 12,
    "before the end of the first line": lambda response: response.index(b"\r\n"),
    "after the first line": lambda response: response.index(b"\r\n") + 2,
    "in the name of a header": lambda response: response.index(b"\r\n") + 6,
    "in a header": lambda response: response.index(b"application") + 4,
    "after a header": lambda response: response.index(b"\r\n", 20) + 2,
    "before the blank line": lambda response: response.index(b"\r\n\r\n") + 2,
    "in the blank line": lambda response: response.index(b"\r\n\r\n") + 3,
    "after the blank line": lambda response: response.index(b"\r\n\r\n") + 4,
}
METHODS = {"create": "PUT", "update": "POST", "delete": "DELETE"}


@contextmanager
def cutting(
    client: rnb.Client, method: str, cut: Callable[[bytes], int], *, attempts: int = 3
) -> Iterator[tuple[rnb.Client, Scripted]]:
    """Connect through a server that cuts the response to the first request of a method."""
    onward = relay(client.endpoint)

    def begun(asked: Asked) -> bytes:
        response = onward(asked)
        return response[: cut(response)] if asked.method == method else response

    steps = [Step(begun, close=True)] * (3 if method == "GET" else 1)
    with (
        Scripted(*steps, Step(onward), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as made,
    ):
        made._transport.patience = Patience(attempts, backoff=0.01)
        yield made, server


# There is no proof within the resolution of the tenant's clock.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::reinfer_nb.InDoubtWarning")
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_create_is_verified_by_a_look(client: rnb.Client, cut: Callable[[bytes], int]) -> None:
    with cutting(client, "PUT", cut) as (mine, server):
        source = mine.create_source("claims/made", title="Made")
        assert server.methods == ["PUT", "PUT", "GET"]
    assert client.source("claims/made") == source


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_delete_and_an_update_are_retried(
    client: rnb.Client, cut: Callable[[bytes], int]
) -> None:
    base = client.source(NAME)
    with cutting(client, "POST", cut) as (mine, _):
        mine.update_source(NAME, title="Mine")
    assert client.source(NAME).title == "Mine"
    base = client.source(NAME)
    with cutting(client, "DELETE", cut) as (mine, _):
        mine.calls.delete(base)
    assert base.id not in set(client.sources(refresh=True)["id"])


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_safe_update_recognises_its_own_write(
    client: rnb.Client, cut: Callable[[bytes], int]
) -> None:
    base = client.source(NAME)
    onward = relay(client.endpoint)
    cuts: list[bytes] = []

    def begun(asked: Asked) -> bytes:
        response = onward(asked)
        if asked.method == "POST" and not cuts:
            cuts.append(response)
            return response[: cut(response)]
        # The connection of each response is closed, and only one of them unexpectedly.
        return response.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)

    with (
        Scripted(Step(begun, close=True), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as mine,
    ):
        mine._transport.patience = Patience(3, backoff=0.01)
        written = safe_write.update(mine.calls, base, {"title": "Mine"})
        assert server.methods.count("POST") == 1
    assert client.source(NAME) == written.source


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_write_without_a_retry_is_in_doubt(
    client: rnb.Client, cut: Callable[[bytes], int], method: str
) -> None:
    calls: dict[str, Callable[[rnb.Client], object]] = {
        "PUT": lambda mine: mine.create_source("claims/made", title="Made"),
        "POST": lambda mine: mine.update_source(NAME, title="Mine"),
        "DELETE": lambda mine: mine.calls.delete(client.source(NAME)),
    }
    with cutting(client, method, cut, attempts=1) as (mine, _):
        with pytest.raises(rnb.ConnectionFailed, match="failed or broke") as caught:
            calls[method](mine)
        assert caught.value.in_doubt


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_read_is_retried(client: rnb.Client, cut: Callable[[bytes], int]) -> None:
    with cutting(client, "GET", cut, attempts=4) as (mine, server):
        assert mine.source(NAME).full_name == NAME
        assert len(server.asked) == 4


def test_the_innermost_reason_is_told() -> None:
    inner = OSError("no route to that host")
    protocol = urllib3.exceptions.ProtocolError("Connection broken", inner)
    pool = urllib3.HTTPConnectionPool("tenant.example")
    for error in (
        urllib3.exceptions.MaxRetryError(pool, "/api/v1/sources", protocol),
        urllib3.exceptions.MaxRetryError(pool, "/api/v1/sources", inner),
    ):
        wrapped = requests.ConnectionError(error)
        assert connection_failures._innermost(wrapped) == "no route to that host"
