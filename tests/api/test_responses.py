"""The advice of an error fits the operation: a table of operations and statuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.retry_policy import Patience
from tests.scripted import Scripted, reply

NAME = "lab/one"
ONE = {"id": "18ba5ce699f8da1f", "owner": "lab", "name": "one", "title": "One"}
FOUND = reply({"status": "ok", "source": ONE})
# By operation: the call, and the responses before the error.
CALLS: dict[str, tuple[Callable[[rnb.Client], object], list[bytes]]] = {
    "sources": (lambda client: client.sources(), []),
    "project": (lambda client: client.sources("lab"), []),
    "source": (lambda client: client.source(NAME), []),
    "by id": (lambda client: client.source("18ba5ce699f8da1f"), []),
    "count": (lambda client: client.count_comments(NAME), []),
    "me": (lambda client: client.me(), []),
    "buckets": (lambda client: client.buckets(), []),
    "create": (lambda client: client.create_source(NAME, title="x"), []),
    "update": (lambda client: client.update_source(NAME, title="x"), []),
    "delete": (lambda client: client.delete_source(NAME), [FOUND]),
}
KINDS = {
    400: rnb.ValidationFailed,
    401: rnb.AuthenticationError,
    403: rnb.PermissionDenied,
    404: rnb.NotFound,
    409: rnb.Conflict,
    422: rnb.ValidationFailed,
    429: rnb.RateLimited,
    500: rnb.ServerError,
}
READS = ("sources", "project", "source", "by id", "count", "me", "buckets")
TOKEN = dict.fromkeys(CALLS, "The tenant does not know the token (argument).")
RIGHTS = dict.fromkeys(READS, 'lacks the permission "view sources" there') | {
    "buckets": 'lacks the permission "view buckets" there',
    "me": "may not log in. Ask an administrator",
    **dict.fromkeys(("create", "update", "delete"), 'lacks the permission "sources admin" there'),
}
REFUSED = dict.fromkeys(CALLS, "The tenant rejected the request. Its message says why.") | (
    dict.fromkeys(("create", "update"), "rejected these settings. Change them and try again.")
)
ABSENT = {
    **dict.fromkeys(("sources", "me", "buckets"), "Check that the endpoint is a tenant's."),
    **dict.fromkeys(("source", "count"), "Check the name. A source that the token may not see"),
    **dict.fromkeys(("project", "create"), "Check the project's name"),
    "by id": "Check the id. A source that the token may not see",
    **dict.fromkeys(
        ("update", "delete"), "The source does not exist any more, or the token may not"
    ),
}
BUSY = dict.fromkeys(CALLS, "Another request is working on the same object. Try again") | {
    "create": "The name is taken. Update the existing source, or choose another name.",
    **dict.fromkeys(
        ("update", "delete"), "Another request is changing the source. Check the source"
    ),
}
BROKEN = dict.fromkeys(
    CALLS, "The tenant reported an internal error. Try again later."
) | dict.fromkeys(
    ("create", "update", "delete"), "The tenant reported an internal error. Check the source before"
)
ADVICE = {
    400: REFUSED,
    401: TOKEN,
    403: RIGHTS,
    404: ABSENT,
    409: BUSY,
    422: REFUSED,
    429: dict.fromkeys(CALLS, "Wait before you try again"),
    500: BROKEN,
}


@pytest.mark.slow
@pytest.mark.parametrize("status", ADVICE)
@pytest.mark.parametrize("name", CALLS)
def test_the_advice_fits_the_operation(name: str, status: int) -> None:
    ask, before = CALLS[name]
    refused = reply({"status": "error", "message": "no such luck"}, status)
    with (
        Scripted(*before, refused, repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        client._transport.patience = Patience(attempts=1)
        with pytest.raises(KINDS[status]) as caught:
            ask(client)
    message = str(caught.value)
    assert f"{status}: no such luck" in message
    assert ADVICE[status][name] in message
    others = {advice[name] for advice in ADVICE.values()} - {ADVICE[status][name]}
    assert not any(other in message for other in others)


WRITES: dict[str, Callable[[rnb.Client], object]] = {
    "update_source": lambda client: client.update_source("claims/test", title="x"),
    "delete_source": lambda client: client.delete_source("claims/test"),
    "list_sources": lambda client: client.sources(refresh=True),
    "get_statistics": lambda client: client.count_comments("claims/test"),
}


@pytest.mark.parametrize("on", WRITES)
def test_a_temporary_conflict_is_retried(client: rnb.Client, on: str) -> None:
    assert client.sandbox is not None
    client._transport.patience = Patience(backoff=0.01)
    with client.sandbox.faults.add(Fault.answer(409, on=on, times=2)) as added:
        WRITES[on](client)
        assert added.struck == 2


def test_a_create_with_a_conflict_is_not_retried(client: rnb.Client) -> None:
    assert client.sandbox is not None
    fault = Fault.answer(409, on="create_source", times=1)
    with client.sandbox.faults.add(fault), pytest.raises(rnb.Conflict):
        client.create_source("claims/fresh")
    methods = [one.method for one in client.sandbox.requests]
    assert methods.count("PUT") == 1


def test_a_conflict_is_not_in_doubt(client: rnb.Client) -> None:
    assert client.sandbox is not None
    client._transport.patience = Patience(attempts=3, backoff=0.01)
    for call in (WRITES["update_source"], WRITES["delete_source"]):
        with (
            client.sandbox.faults.add(Fault.answer(409, on=["update_source", "delete_source"])),
            pytest.raises(rnb.Conflict) as caught,
        ):
            call(client)
        assert not caught.value.in_doubt
