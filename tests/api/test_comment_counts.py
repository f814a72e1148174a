"""`Client.statistics` of what a user names: projects, full names, ids, sources, lists, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.scripted import Asked, Scripted, Step, reply

MOTOR = "claims/motor-inbox"


def counted(client: rnb.Client, which: Any) -> list[tuple[str, int]]:
    """Return full names and numbers of comments, as `statistics` returns them."""
    df = client.statistics(which, progress=False)
    assert df.index.equals(pd.RangeIndex(len(df)))
    assert df["num_comments"].dtype == "Int64"
    names = (df["owner"] + "/" + df["name"]).tolist()
    return list(zip(names, df["num_comments"].tolist(), strict=True))


def by_hand(client: rnb.Client, names: Iterable[str]) -> list[tuple[str, int]]:
    return [(name, client.count_comments(name)) for name in names]


def names_of(client: rnb.Client, project: str) -> list[str]:
    return [f"{project}/{name}" for name in client.sources(project)["name"]]


def test_a_project_is_counted(shared: rnb.Client) -> None:
    df = shared.statistics("people", progress=False)
    assert df.drop(columns="num_comments").equals(shared.sources("people"))
    assert df.attrs == shared.sources("people").attrs
    assert counted(shared, "people") == by_hand(shared, names_of(shared, "people"))


def test_a_source_is_counted_by_any_of_its_names(shared: rnb.Client) -> None:
    source = shared.source(MOTOR)
    for which in (MOTOR, source.id, source, [MOTOR], [source.id, source, MOTOR], (MOTOR,)):
        assert counted(shared, which) == [(MOTOR, 19640)]


def test_a_list_keeps_its_order_and_counts_each_source_once(shared: rnb.Client) -> None:
    people = names_of(shared, "people")
    wanted = [MOTOR, *people, "claims/test"]
    which = [MOTOR, "people", people[0], "claims/test", MOTOR]
    assert counted(shared, which) == by_hand(shared, wanted)
    for collection in (tuple(which), iter(which), pd.Series(which), np.array(which)):
        assert counted(shared, collection) == by_hand(shared, wanted)
    assert shared.statistics(which, progress=False).attrs["project"] == ["claims", "people"]


def test_the_path_of_a_listing_is_counted(shared: rnb.Client, tmp_path: Path) -> None:
    listing = shared.sources().head(3)
    path = rnb.to_csv(listing, tmp_path / "listing.csv")
    rnb.History(tmp_path / "audits").record(listing)
    for which in (path, tmp_path / "audits"):
        assert shared.statistics(which, progress=False).equals(
            shared.statistics(listing, progress=False)
        )


@pytest.mark.parametrize(
    "which",
    [
        "",
        "a/b/c",
        "people/",
        "sources.csv",
        [],
        [None],
        [MOTOR, 5],
        {"people": 1},
        5,
        None,
        b"people",
    ],
)
def test_what_names_nothing_is_refused_before_anything_is_sent(
    shared: rnb.Client, which: Any
) -> None:
    assert shared.sandbox is not None
    before = len(shared.sandbox.requests)
    with pytest.raises(rnb.InvalidInput):
        shared.statistics(which)
    token = shared.sandbox.tokens["admin"]
    with (
        rnb.connect(endpoint=shared.endpoint, token=token) as client,
        pytest.raises(rnb.InvalidInput, match="workers"),
    ):
        client.statistics("people", workers=99)
    assert len(shared.sandbox.requests) == before


def test_a_source_that_is_newer_than_the_cached_listing_is_found(client: rnb.Client) -> None:
    client.sources("claims"), client.sources()
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        new = other.create_source("claims/travel")
    for which in ("claims/travel", new.id):
        assert counted(client, which) == [("claims/travel", 0)]


ID, NAME = "18ba5ce699f8da1f", "28ba5ce699f8da1f"
ROWS = [
    {"id": ID, "owner": "acme", "name": "a"},
    {"id": "3" * 16, "owner": NAME, "name": "b"},
    {"id": "4" * 16, "owner": ID, "name": "c"},
]


@pytest.fixture
def hexadecimal() -> Iterator[rnb.Client]:
    """A tenant with projects whose names have the form of an id; one is the id of a source."""

    def respond(asked: Asked) -> bytes:
        if asked.path.endswith("/statistics"):
            return reply({"status": "ok", "statistics": {"num_comments": 7}})
        return reply({"status": "ok", "sources": ROWS})

    with (
        Scripted(Step(respond), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        yield client


def test_a_text_like_an_id_is_a_source_first_and_then_a_project(hexadecimal: rnb.Client) -> None:
    assert counted(hexadecimal, ID) == [("acme/a", 7)]
    assert counted(hexadecimal, NAME) == [(f"{NAME}/b", 7)]
