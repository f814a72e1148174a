"""What a call says if the tenant refuses it, or answers oddly, is what somebody last read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from reinfer_nb.schema.records import Source
from tests.api.test_transport import CUT, ONE, SOURCE, no
from tests.failures.test_secrets import client_of
from tests.reports.approval import Approve, approve
from tests.reports.test_messages import outcomes
from tests.scripted import DROPPED, Scripted, Step, reply

__all__ = ["approve"]
CALLS: dict[str, Callable[[Any], object]] = {
    "list": lambda client: client.sources("acme"),
    "get": lambda client: client.source("acme/support"),
    "create": lambda client: client.create_source("acme/support", title="x"),
    "update": lambda client: client.update_source("acme/support", title="x"),
    "delete": lambda client: client.delete_source(Source.from_wire(SOURCE)),
    "count": lambda client: client.count_comments("acme/support"),
    "comments": lambda client: client.comments("acme/support"),
    "projects": lambda client: client.projects(),
    "me": lambda client: client.me(),
}
STATUSES = [
    *(200, 201, 204, 302, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 422, 429),
    *(500, 501, 502, 503, 504, 520, 524, 599),
]
WITHOUT_ID = {"owner": "acme", "name": "support"}
ANSWERS: dict[str, Step | bytes] = {
    "dropped": DROPPED,
    "late": Step(ONE, wait=1),
    "cut": CUT,
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "not JSON": reply(b"{"),
    "a page": reply(b"<html>", 500, {"Content-Type": "text/html"}),
    "a list": reply([1]),
    "an error without a message": reply({}, 400),
    "an error with status 200": reply({"status": "error", "message": "no"}),
    "no status": reply({"source": SOURCE}),
    "nothing else": reply({"status": "ok"}),
    "another source": reply({"status": "ok", "source": SOURCE | {"name": "other"}}),
    "a source without an id": reply({"status": "ok", "source": WITHOUT_ID}),
    "sources of another project": reply({"status": "ok", "sources": [SOURCE | {"owner": "b"}]}),
    "sources that are none": reply({"status": "ok", "sources": [1]}),
    "a redirect elsewhere": reply(b"", 302, {"Location": "http://other.example/"}),
    "a redirect without a target": reply(b"", 307),
}


def outcomes_of(answer: Step | bytes) -> str:
    """Return what each call says if the tenant always answers so."""

    def ask(call: Callable[[Any], object]) -> object:
        with (
            Scripted(answer, repeat=True) as server,
            client_of(server.endpoint) as client,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return call(client)

    return outcomes(ask, CALLS)


def test_statuses(approve: Approve) -> None:
    for status in STATUSES:
        approve(str(status), outcomes_of(no(status)))


def test_answers(approve: Approve) -> None:
    for title, answer in ANSWERS.items():
        approve(title, outcomes_of(answer))
