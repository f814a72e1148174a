"""A response about one source must be about the requested source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.api import safe_write
from reinfer_nb.schema.records import Source
from tests.scripted import Scripted, reply

ID, OTHER = "18ba5ce699f8da1f", "28ba5ce699f8da1f"
ONE = {"id": ID, "owner": "lab", "name": "one", "title": "One", "updated_at": None}
BASE = Source.from_wire(ONE)
OTHERS = {
    "another name": ONE | {"name": "other"},
    "another project": ONE | {"owner": "other"},
    "another case": ONE | {"name": "One"},
    "no project": ONE | {"owner": ""},
    "half of both": ONE | {"owner": "lab/one", "name": ""},
}


def ok(source: dict[str, Any]) -> bytes:
    return reply({"status": "ok", "source": source})


@contextmanager
def tenant(*steps: bytes) -> Iterator[tuple[rnb.Client, Scripted]]:
    with (
        Scripted(*steps) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        yield client, server


CALLS: dict[str, Callable[[rnb.Client], object]] = {
    "source": lambda client: client.source("lab/one"),
    "source of a source": lambda client: client.source(BASE),
    "update": lambda client: client.update_source("lab/one", title="x"),
    "update of a source": lambda client: client.update_source(BASE, title="x"),
    "create": lambda client: client.create_source("lab/one", title="x"),
    "recreate": lambda client: client.recreate_source(BASE),
    "delete by name": lambda client: client.delete_source("lab/one"),
    "safe update": lambda client: safe_write.update(client.calls, BASE, {"title": "x"}),
    "safe delete": lambda client: safe_write.delete(client.calls, BASE),
}
BY_ID: dict[str, Callable[[rnb.Client], object]] = {
    "source": lambda client: client.source(ID),
    "update": lambda client: client.update_source(ID, title="x"),
    "delete": lambda client: client.delete_source(ID),
    "delete of a source": lambda client: client.delete_source(BASE),
    "count": lambda client: client.count_comments(ID),
}


@pytest.mark.slow
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_response_about_another_source_is_an_error(
    call: Callable[[rnb.Client], object], other: dict[str, Any]
) -> None:
    with tenant(ok(other)) as (client, server):
        with pytest.raises(rnb.ProtocolError, match=r"is about .*, not about lab/one") as caught:
            call(client)
        assert len(server.asked) == 1
        assert caught.value.in_doubt is (server.methods[0] != "GET")


@pytest.mark.parametrize("call", BY_ID.values(), ids=BY_ID)
def test_a_response_about_another_id_is_an_error(
    call: Callable[[rnb.Client], object],
) -> None:
    with tenant(ok(ONE | {"id": OTHER})) as (client, server):
        with pytest.raises(rnb.ProtocolError, match=f"is about .*{OTHER}.*, not about {ID}"):
            call(client)
        assert server.methods == ["GET"]


def test_existing_in_a_conflict_is_never_another_source() -> None:
    taken = reply({"status": "error", "message": "409 Conflict"}, 409)
    with tenant(taken, ok(ONE | {"name": "other"})) as (client, _):
        with pytest.raises(rnb.Conflict) as caught:
            client.create_source("lab/one")
        assert caught.value.existing is None


def test_a_form_rejects_a_response_about_another_source() -> None:
    with tenant(*[ok(ONE | {"name": "other"})] * 2) as (client, server):
        with pytest.raises(rnb.ProtocolError, match="not about lab/one"):
            rnb.update_form(client, "lab/one")
        with pytest.raises(rnb.ProtocolError, match="not about lab/one"):
            rnb.delete_form(client, "lab/one")
        assert server.methods == ["GET", "GET"]


def listing(*rows: dict[str, Any]) -> bytes:
    return reply({"status": "ok", "sources": rows})


EDITED = pd.DataFrame({"id": [ID], "owner": ["lab"], "name": ["one"], "title": ["Uno"]})
LISTINGS: dict[str, Callable[[rnb.Client], object]] = {
    "sources": lambda client: client.sources("lab"),
    "sources of several": lambda client: client.sources(["lab"]),
    "plan": lambda client: client.plan(EDITED, project="lab"),
    "plan with deletes": lambda client: client.plan(EDITED, project="lab", delete_missing=True),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        [ONE, ONE | {"id": OTHER, "owner": "other"}],
        [ONE | {"owner": "other"}],
        [ONE | {"owner": "Lab"}],
        [ONE] * 3000 + [ONE | {"owner": "lab "}, ONE | {"owner": "l/ab"}, ONE | {"owner": "other"}],
    ],
    ids=["the whole tenant", "only another project", "another case", "the last of many"],
)
@pytest.mark.parametrize("call", LISTINGS.values(), ids=LISTINGS)
def test_a_listing_of_a_project_holds_no_source_of_another_one(
    call: Callable[[rnb.Client], object], rows: list[dict[str, Any]]
) -> None:
    with tenant(listing(*rows), listing(ONE)) as (client, server):
        with pytest.raises(
            rnb.ProtocolError, match=rf"of the project lab .*about .*{rows[-1]['owner']}.*not"
        ):
            call(client)
        assert server.methods == ["GET"]
        # The listing is not cached either.
        assert client.sources("lab")["owner"].tolist() == ["lab"]


def test_a_listing_with_a_placeholder_as_owner_is_accepted() -> None:
    # A placeholder as on the reference page, and an owner that is unreadable.
    placeholder, nobody = ONE | {"owner": "<project>"}, ONE | {"id": OTHER, "owner": 7}
    with tenant(listing(placeholder, nobody)) as (client, _):
        with pytest.warns(rnb.UnreadableWarning, match="owner"):
            df = client.sources("lab")
        assert df["owner"].tolist()[0] == "<project>"
        assert len(df) == 2


def test_the_listing_of_all_projects_may_hold_any_project() -> None:
    with tenant(listing(ONE, ONE | {"id": OTHER, "owner": "other"})) as (client, _):
        assert client.sources()["owner"].tolist() == ["lab", "other"]


def test_an_update_by_id_of_another_source_with_that_name_is_an_error() -> None:
    namesake = ok(ONE | {"id": OTHER, "title": "x"})
    with tenant(ok(ONE), namesake) as (client, server):
        with pytest.raises(rnb.ProtocolError, match=f"is about .*{OTHER}.*, not about {ID}") as no:
            client.update_source(ID, title="x")
        assert server.methods == ["GET", "POST"]
        assert no.value.in_doubt


def test_a_partial_response_is_an_error() -> None:
    part = reply({"status": "ok", "sources": [ONE]}, 206)
    with (
        tenant(part) as (client, _),
        pytest.raises(rnb.ProtocolError, match="is incomplete"),
    ):
        client.sources()
