"""A tenant reports success for a write that it has not carried out.

The tenants are sandboxes behind a server that responds to some writes without relaying them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import reinfer_nb as rnb
from reinfer_nb.api import safe_write
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.schema.records import Source
from tests.api.test_write_result import NAME, box_of
from tests.scripted import Asked, Scripted, Step, relay, reply
from tests.widgets.forms.test_forms import deleting, press, texts

OK = reply({"status": "ok"})


@contextmanager
def tenant(
    client: rnb.Client, instead: Callable[[Asked], bytes | None]
) -> Iterator[tuple[rnb.Client, Scripted]]:
    """Connect through a server that returns the response of `instead`, if it has one."""
    onward = relay(client.endpoint)

    def response(asked: Asked) -> bytes:
        replacement = instead(asked)
        return onward(asked) if replacement is None else replacement

    step = Step(response)
    with (
        Scripted(step, repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as made,
    ):
        made._transport.patience = Patience(2, backoff=0.01)
        yield made, server


def keeping(asked: Asked) -> bytes | None:
    """Accept each delete, but carry out none."""
    return OK if asked.method == "DELETE" else None


DELETES: dict[str, Callable[[rnb.Client, Source], object]] = {
    "by name": lambda client, base: client.delete_source(base.full_name),
    "by id": lambda client, base: client.delete_source(base.id),
    "of a source": lambda client, base: client.delete_source(base),
    "safe": lambda client, source: safe_write.delete(client.calls, source),
}


@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
def test_a_delete_that_was_not_carried_out_is_an_error(
    client: rnb.Client, delete: Callable[[rnb.Client, Source], object]
) -> None:
    base = client.source(NAME)
    with tenant(client, keeping) as (mine, server):
        with pytest.raises(
            rnb.NotCarriedOut, match=rf"accepted the delete of {NAME}, .*still exists"
        ) as caught:
            delete(mine, base)
        # The tenant may carry it out a moment later.
        assert caught.value.in_doubt
        # One look before the delete and one after it.
        assert server.methods == ["GET", "DELETE", "GET"]
        assert server.asked[-1].path.endswith(f"id:{base.id}")


@pytest.mark.slow
@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
@pytest.mark.parametrize(
    "response",
    [
        reply({"status": "error", "message": "403 Forbidden"}, 403),
        reply({"status": "error", "message": "down"}, 503),
        reply(b"<html>", 200, {"Content-Type": "text/html"}),
        b"nonsense\r\n\r\n",
    ],
    ids=["forbidden", "down", "page", "broken"],
)
def test_a_delete_that_cannot_be_verified_warns(
    client: rnb.Client, delete: Callable[[rnb.Client, Source], object], response: bytes
) -> None:
    base, deleted = client.source(NAME), []

    def instead(asked: Asked) -> bytes | None:
        if asked.method == "DELETE":
            deleted.append(asked)
        return response if deleted and asked.method == "GET" else None

    with tenant(client, instead) as (mine, _), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        returned = delete(mine, base)
    remark = returned[1] if isinstance(returned, tuple) else str(caught[0].message)
    assert all(warning.category is rnb.InDoubtWarning for warning in caught)
    assert re.search(rf"accepted the delete of {NAME}, but .*could not be verified", remark)
    assert base.id not in set(client.sources(refresh=True)["id"])


@pytest.mark.slow
def test_a_plan_and_a_form_report_a_delete_that_could_not_be_verified(client: rnb.Client) -> None:
    deleted = []

    def instead(asked: Asked) -> bytes | None:
        if asked.method == "DELETE":
            deleted.append(asked)
        look = deleted and asked.method == "GET" and "/id:" in asked.path
        return reply({"status": "error", "message": "403 Forbidden"}, 403) if look else None

    with tenant(client, instead) as (mine, _):
        listing = mine.sources("claims")
        result = mine.plan(listing.drop(index=1), delete_missing=True).apply(progress=False)
        assert result.counts == {"done": 1}
        assert "could not be verified" in result.frame["said"][0]
        form = deleting(mine, typed=NAME)
        press(form)
        assert "could not be verified" in texts(form)
        assert form.result is not None
        assert form.result.full_name == NAME


def test_a_retry_recognises_a_delete_that_took_effect_late(client: rnb.Client) -> None:
    with tenant(client, keeping) as (mine, server):
        listing = mine.sources("claims")
        result = mine.plan(listing.iloc[1:], delete_missing=True).apply(progress=False)
        assert result.counts == {"not taken": 1}
        undo = result.undo()
        assert len(undo.steps) == 0
        assert any("is unknown" in note for note in undo.notes)
        client.delete_source(listing["id"][0])
        methods = len(server.methods)
        retried = result.retry(progress=False)
        assert retried.counts == {"done": 1}
        assert "DELETE" not in server.methods[methods:]
        # An undo recreates the source.
        assert [step.kind for step in retried.undo().steps] == ["create"]


@pytest.mark.slow
def test_a_plan_reports_which_delete_was_not_carried_out(client: rnb.Client) -> None:
    with tenant(client, keeping) as (mine, _):
        listing = mine.sources("claims")
        edited = listing.iloc[1:]
        result = mine.plan(edited, delete_missing=True).apply(progress=False)
        assert result.counts == {"not taken": 1}
        assert "still exists" in result.frame["said"][0]
        assert len(result.failed) == 1
        # There is nothing to undo, and a second plan still has the delete.
        assert len(result.undo().steps) == 0
        again = mine.plan(edited, delete_missing=True)
        assert [step.kind for step in again.steps] == ["delete"]


def test_an_undo_reports_a_delete_that_was_not_carried_out(client: rnb.Client) -> None:
    with tenant(client, keeping) as (mine, _):
        listing = mine.sources("claims")
        made = listing.head(1).drop(columns=["id"]).assign(name="made")
        result = mine.plan(made).apply(progress=False)
        assert result.counts == {"done": 1}
        assert result.undo().apply(progress=False).counts == {"not taken": 1}
    assert client.source("claims/made").title == listing["title"][0]


def test_a_form_reports_a_delete_that_was_not_carried_out(client: rnb.Client) -> None:
    with tenant(client, keeping) as (mine, _):
        form = deleting(mine, typed=NAME)
        press(form)
        assert "still exists" in texts(form)
        assert form.result is None


def test_an_update_that_was_not_stored_is_planned_again(client: rnb.Client) -> None:
    def echo(asked: Asked) -> bytes | None:
        if asked.method != "POST":
            return None
        source = client.source("/".join(asked.path.split("/")[-2:]))
        return reply(
            {"status": "ok", "source": source.to_wire() | json.loads(asked.body)["source"]}
        )

    with tenant(client, echo) as (mine, _):
        edited = mine.sources("claims").head(1).assign(title="Mine")
        plan = mine.plan(edited)
        assert plan.apply(progress=False).counts == {"done": 1}
        again = mine.plan(edited)
        steps = [(step.kind, step.full_name, step.settings) for step in again.steps]
        assert steps == [("update", NAME, {"title": "Mine"})]
