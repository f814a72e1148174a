"""A response about one source must be about the requested source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.scripted import Scripted, reply

ID, OTHER = "18ba5ce699f8da1f", "28ba5ce699f8da1f"
ONE = {"id": ID, "owner": "lab", "name": "one", "title": "One", "updated_at": None}


def ok(source: dict[str, Any]) -> bytes:
    return reply({"status": "ok", "source": source})


@contextmanager
def tenant(*steps: bytes) -> Iterator[tuple[rnb.Client, Scripted]]:
    with (
        Scripted(*steps) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        yield client, server


def test_existing_in_a_conflict_is_never_another_source() -> None:
    taken = reply({"status": "error", "message": "409 Conflict"}, 409)
    with tenant(taken, ok(ONE | {"name": "other"})) as (client, _):
        with pytest.raises(rnb.Conflict) as caught:
            client.create_source("lab/one")
        assert caught.value.existing is None


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
