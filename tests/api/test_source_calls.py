"""A source counts as deleted only if it is not merely hidden from the token.

The tenants are sandboxes behind a server that hides a project from a token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.api import safe_write
from reinfer_nb.api.retry_policy import Patience
from tests.api.test_write_result import box_of
from tests.scripted import Asked, Scripted, Step, relay, reply

ROWS = pd.DataFrame(
    {"owner": ["lab", "lab", "lab", "solo", "rest"], "name": ["a", "b", "c", "one", "more"]}
)
NOT_FOUND = reply({"status": "error", "message": "404 Not Found"}, 404)
DOWN = reply({"status": "error", "message": "down"}, 503)


@contextmanager
def hiding(
    client: rnb.Client, project: str, *, project_hidden: bool, listing_found: bool = True
) -> Iterator[rnb.Client]:
    """Connect through a server that hides a project from the first delete on.

    That delete is not carried out. The permissions in `/auth/user` stay as they were.
    """
    onward = relay(client.endpoint)
    ids = set(client.sources(project, refresh=True)["id"])
    hidden: list[bool] = []

    def carried(asked: Asked) -> bytes:
        if asked.method == "DELETE" and not hidden:
            hidden.append(True)
            return DOWN
        if not hidden or asked.path.endswith("/auth/user"):
            return onward(asked)
        if asked.path.endswith("/sources"):
            content = json.loads(onward(asked).partition(b"\r\n\r\n")[2])
            rows = [row for row in content["sources"] if row["owner"] != project]
            return reply(content | {"sources": rows})
        if asked.path.endswith(f"/sources/{project}") and listing_found:
            return reply({"status": "ok", "sources": []})
        if asked.path.endswith(f"/projects/{project}"):
            return NOT_FOUND if project_hidden else onward(asked)
        about = f"/{project}" in asked.path or any(f"id:{one}" in asked.path for one in ids)
        return NOT_FOUND if about else onward(asked)

    with (
        Scripted(Step(carried), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as made,
    ):
        made._transport.patience = Patience(backoff=0.01)
        yield made


@contextmanager
def losing(client: rnb.Client, name: str) -> Iterator[rnb.Client]:
    """Connect through a server that loses the response to the first delete of a source."""
    onward = relay(client.endpoint)
    id_ = client.source(name).id
    lost: list[bool] = []

    def carried(asked: Asked) -> bytes:
        response = onward(asked)
        if asked.method == "DELETE" and asked.path.endswith(id_) and not lost:
            lost.append(True)
            return DOWN
        return response

    with (
        Scripted(Step(carried), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as made,
    ):
        made._transport.patience = Patience(backoff=0.01)
        yield made


@pytest.fixture
def client() -> Iterator[rnb.Client]:
    with rnb.sandbox(ROWS) as made:
        yield made


DELETES: dict[str, Callable[[rnb.Client, rnb.Source], object]] = {
    "by name": lambda client, base: client.delete_source(base.full_name),
    "by id": lambda client, base: client.delete_source(base.id),
    "safe": lambda client, source: safe_write.delete(client.calls, source),
}
SEEN: dict[str, Callable[[rnb.Client], object]] = {
    "in the listing of the project": lambda client: client.sources("lab"),
    "in the listing of the tenant": lambda client: client.sources(),
}


@pytest.mark.slow
@pytest.mark.parametrize("listing_found", [True, False])
@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
def test_a_hidden_project_proves_no_delete(
    client: rnb.Client, delete: Callable[[rnb.Client, rnb.Source], object], *, listing_found: bool
) -> None:
    base = client.source("solo/one")
    hidden = hiding(client, "solo", project_hidden=listing_found, listing_found=listing_found)
    with hidden as mine, pytest.raises(rnb.NotFound, match="404") as caught:
        delete(mine, base)
    assert caught.value.in_doubt
    assert client.source("solo/one") == base


@pytest.mark.slow
@pytest.mark.parametrize("project_hidden", [True, False])
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
def test_other_sources_that_vanished_too_prove_no_delete(
    client: rnb.Client,
    delete: Callable[[rnb.Client, rnb.Source], object],
    seen: Callable[[rnb.Client], object],
    *,
    project_hidden: bool,
) -> None:
    base = client.source("lab/b")
    with hiding(client, "lab", project_hidden=project_hidden) as mine:
        seen(mine)
        with pytest.raises(rnb.NotFound, match="404") as caught:
            delete(mine, base)
        # Listings without the project prove nothing.
        assert len(mine.sources("lab", refresh=True)) == 0
        assert "lab" not in set(mine.sources(refresh=True)["owner"])
        assert not mine.calls.is_gone(base)
    assert caught.value.in_doubt
    assert client.source("lab/b") == base


@pytest.mark.slow
@pytest.mark.parametrize("project_hidden", [True, False])
def test_a_plan_leaves_the_delete_of_a_hidden_source_in_doubt(
    client: rnb.Client, *, project_hidden: bool
) -> None:
    with hiding(client, "lab", project_hidden=project_hidden) as mine:
        listing = mine.sources("lab")
        plan = mine.plan(listing.iloc[1:], delete_missing=True)
        result = plan.apply(progress=False)
        assert result.counts == {"failed": 1}
        result = result.retry(progress=False)
        assert result.counts == {"failed": 1}
        assert set(plan.moved()["what"]) == {"was deleted, or the token may not see it any more"}
    assert len(client.sources("lab", refresh=True)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
@pytest.mark.parametrize("seen", [lambda _: None, *SEEN.values()], ids=["not before", *SEEN])
def test_the_only_source_whose_delete_took_effect_is_gone(
    client: rnb.Client,
    delete: Callable[[rnb.Client, rnb.Source], object],
    seen: Callable[[rnb.Client], object],
) -> None:
    base = client.source("solo/one")
    with losing(client, "solo/one") as mine:
        seen(mine)
        delete(mine, base)
    assert client.sources("solo", refresh=True).empty


@pytest.mark.slow
def test_sources_deleted_by_this_client_do_not_count_as_vanished(client: rnb.Client) -> None:
    with losing(client, "lab/c") as mine:
        listing = mine.sources()
        kept = listing[listing["owner"] != "lab"]
        plan = mine.plan(kept, delete_missing="tenant")
        result = plan.apply(progress=False, allow_mass_delete=True)
        assert result.counts == {"done": 3}
    assert set(client.sources(refresh=True)["owner"]) == {"solo", "rest"}


def missing(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [row for row in rows if row["name"] not in ("a", "b")]


def unreadable(key: str, value: object) -> Callable[[list[dict[str, object]]], list[object]]:
    """Return a function that replaces a member of the row of lab/b; the row if `key` is empty."""

    def changed(rows: list[dict[str, object]]) -> list[object]:
        return [
            (row | {key: value} if key else value) if row["name"] == "b" else row for row in rows
        ]

    return changed


NO_PROOF: dict[str, Callable[[list[dict[str, object]]], object]] = {
    "another source is missing too": missing,
    "a row without an id": unreadable("id", None),
    "an invalid id": unreadable("id", "18BA5CE699F8DA1F"),
    "no row": unreadable("", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("listed", NO_PROOF.values(), ids=NO_PROOF)
@pytest.mark.parametrize("delete", DELETES.values(), ids=DELETES)
@pytest.mark.filterwarnings("ignore::reinfer_nb.UnreadableWarning")
def test_an_incomplete_listing_proves_no_delete(
    client: rnb.Client,
    delete: Callable[[rnb.Client, rnb.Source], object],
    listed: Callable[[list[dict[str, object]]], object],
) -> None:
    """The tenant loses the delete, hides the source, and returns an incomplete listing."""
    onward = relay(client.endpoint)
    base = client.source("lab/b")
    lost: list[Asked] = []

    def response(asked: Asked) -> bytes:
        if asked.method == "DELETE":
            lost.append(asked)
            return DOWN if len(lost) == 1 else NOT_FOUND
        if lost and asked.path.endswith(("/lab/b", f"id:{base.id}")):
            return NOT_FOUND
        if lost and asked.path.endswith("/sources/lab"):
            content = json.loads(onward(asked).partition(b"\r\n\r\n")[2])
            return reply(content | {"sources": listed(content["sources"])})
        return onward(asked)

    with (
        Scripted(Step(response), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as mine,
    ):
        mine._transport.patience = Patience(backoff=0.01)
        mine.sources("lab")
        with pytest.raises(rnb.NotFound) as caught:
            delete(mine, base)
        assert caught.value.in_doubt


def test_another_source_that_was_deleted_too_leaves_the_proof(client: rnb.Client) -> None:
    base = client.source("lab/b")
    with losing(client, "lab/b") as mine:
        mine.sources("lab")
        client.delete_source("lab/a")
        assert mine.delete_source("lab/b") == base
