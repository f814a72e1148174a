"""The comments of the practice tenant, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.schema.endpoints import MOST_OF_PAGE

NAME = "claims/theft-inbox"
SIZES = (1, 7, 64, 256)


class Tenant:
    """Requests about comments to a sandbox.

    Args:
        box: The sandbox.
        who: The user whose token is sent.
    """

    def __init__(self, box: rnb.Sandbox, who: str = "admin") -> None:
        self.box = box
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {box.tokens[who]}"

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.box.endpoint}{path}", **more)

    def page(self, name: str = NAME, **parameters: Any) -> dict[str, Any]:
        path = f"/api/_private/sources/{name}/comments"
        response = self.send("GET", path, params=parameters)
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    def comments(self, name: str = NAME, **parameters: Any) -> list[dict[str, Any]]:
        """Return the comments of all pages."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.page(name, **parameters, **after)
            found += page["comments"]
            if not page.get("continuation"):
                return found
            after = {"after": page["continuation"]}

    def sync(self, *comments: dict[str, Any], name: str = NAME) -> requests.Response:
        return self.send("POST", f"/api/v1/sources/{name}/sync", json={"comments": list(comments)})

    def count(self, name: str = NAME, **bounds: str) -> int:
        body = {"comment_filter": {"timestamp": bounds}}
        response = self.send("POST", f"/api/v1/sources/{name}/statistics", json=body)
        assert response.status_code == 200, response.text
        return int(response.json()["statistics"]["num_comments"])

    def comment(self, comment_id: str, name: str = NAME, **parameters: str) -> requests.Response:
        path = f"/api/v1/sources/{name}/comments/{quote(comment_id, safe='')}"
        return self.send("GET", path, params=parameters)


def new(comment_id: str, when: str = "2026-03-01T09:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": comment_id, "timestamp": when, "messages": [{"body": {"text": "x"}}], **more}


@pytest.fixture(scope="module")
def sample() -> Iterator[Tenant]:
    """A tenant whose comments no test changes."""
    with rnb.sandbox() as client:
        assert client.sandbox is not None
        yield Tenant(client.sandbox)


@pytest.fixture
def tenant(client: rnb.Client) -> Tenant:
    assert client.sandbox is not None
    return Tenant(client.sandbox)


# Samples


@pytest.mark.parametrize("limit", SIZES[1:])
def test_pages_of_every_size_give_the_same_comments_in_order(sample: Tenant, limit: int) -> None:
    comments = sample.comments(limit=limit, include_markup="true")
    assert len(comments) == sample.count() > MOST_OF_PAGE
    order = [(comment["timestamp"], comment["id"]) for comment in comments]
    assert order == sorted(set(order))
    assert comments[::-1] == sample.comments(
        limit=limit, include_markup="true", direction="descending"
    )
    assert (
        comments[17] == sample.comment(comments[17]["id"], include_markup="true").json()["comment"]
    )


def test_a_range_has_its_first_moment_and_not_its_last(sample: Tenant) -> None:
    comments = sample.comments(limit=256)
    first, last = comments[100], comments[200]
    bounds = {"from_timestamp": first["timestamp"], "to_timestamp": last["timestamp"]}
    assert sample.comments(**bounds) == comments[100:200]
    # Statistics include both.
    counted = sample.count(minimum=first["timestamp"], maximum=last["timestamp"])
    assert counted == 101
    assert sample.count(minimum=first["timestamp"]) == len(comments) - 100
    assert sample.count(maximum=first["timestamp"]) == 101


def test_texts_have_markup_only_if_it_is_asked_for(sample: Tenant) -> None:
    (plain,) = sample.page(limit=1)["comments"]
    (marked,) = sample.page(limit=1, include_markup="true")["comments"]
    assert "text_markup" in marked["messages"][0]["body"]
    assert "text_markup" not in plain["messages"][0]["body"]
    assert plain == sample.comment(plain["id"]).json()["comment"]


def test_a_company_s_sources_fill_in_different_ways(sample: Tenant) -> None:
    df = sample.box.sources()
    now = datetime.now(UTC)
    newest = {}
    for row in df.itertuples():
        found = sample.page(f"{row.owner}/{row.name}", limit=1, direction="descending")["comments"]
        newest[row.id] = datetime.fromisoformat(found[0]["timestamp"]) if found else None
    silent = [when for when in newest.values() if when and when < now - timedelta(days=90)]
    live = [when for when in newest.values() if when and when > now - timedelta(days=3)]
    assert sum(when is None for when in newest.values()) > 2
    assert len(silent) > 5
    assert len(live) > 80


def test_a_million_comments_are_counted_and_read_at_once() -> None:
    df = pd.DataFrame({"owner": ["claims"], "name": ["many"], "num_comments": [1_000_000]})
    with rnb.sandbox(df) as client:
        assert client.sandbox is not None
        tenant = Tenant(client.sandbox)
        assert tenant.count("claims/many") == 1_000_000
        page = tenant.page("claims/many", limit=256, direction="descending")["comments"]
        assert len({comment["id"] for comment in page}) == 256
        half = page[0]["timestamp"]
        assert tenant.count("claims/many", maximum=half) == 1_000_000


# Writing


def test_an_upload_is_stored_once_and_keeps_what_it_does_not_know(tenant: Tenant) -> None:
    before = tenant.count()
    comment = new(
        "a/b ä?#%",
        odd={"k": [1, None, "\u202e"]},
        user_properties={"string:Team": "claims", "number:Score": 4.5},
        uid="ignored",
    )
    assert tenant.sync(comment).json() == {
        "new": 1,
        "updated": 0,
        "unchanged": 0,
        "status": "ok",
    }
    assert tenant.sync(comment).json()["unchanged"] == 1
    stored = tenant.comment("a/b ä?#%").json()["comment"]
    assert {name: stored[name] for name in comment if name != "uid"} == {
        name: value for name, value in comment.items() if name != "uid"
    }
    assert stored["uid"].endswith(".a/b ä?#%")
    assert tenant.count() == before + 1
    changed = {**comment, "timestamp": "2026-04-01T00:00:00+02:00"}
    assert tenant.sync(changed).json()["updated"] == 1
    again = tenant.comment("a/b ä?#%").json()["comment"]
    assert (again["created_at"], again["uid"]) == (stored["created_at"], stored["uid"])
    assert tenant.count() == before + 1
    assert tenant.count(minimum="2026-03-31T22:00:00Z", maximum="2026-03-31T22:00:00Z") == 1


def test_a_sample_can_be_overwritten_and_deleted(tenant: Tenant) -> None:
    comments = tenant.comments(limit=256)
    first, second, third = (comment["id"] for comment in comments[:3])
    assert tenant.sync(new(first, comments[-1]["timestamp"])).json()["updated"] == 1
    path = f"/api/v1/sources/{NAME}/comments"
    deleted = tenant.send("DELETE", path, params={"id": [second, "no-such-comment"]})
    assert deleted.status_code == 200
    assert tenant.comment(second).status_code == 404
    now = tenant.comments(limit=7)
    assert len(now) == tenant.count() == len(comments) - 1
    assert now[0]["id"] == third
    assert first in {comment["id"] for comment in now[-2:]}
    # It can come back.
    assert tenant.sync(new(second)).json()["new"] == 1
    assert tenant.count() == len(comments)


def test_a_create_refuses_other_content(tenant: Tenant) -> None:
    path = f"/api/_private/sources/{NAME}/comments"
    one = {"comments": [new("one")]}
    before = tenant.count()
    for _ in range(2):
        # The vendor's client takes no other members.
        assert tenant.send("PUT", path, json=one).json() == {"status": "ok"}
        assert tenant.count() == before + 1
    other = {"comments": [new("two"), new("one", thread_id="t")]}
    refused = tenant.send("PUT", path, json=other)
    assert refused.status_code == 409
    assert "'one'" in refused.json()["message"]
    assert tenant.comment("two").status_code == 404


def test_who_may_only_read_reads(tenant: Tenant) -> None:
    viewer = Tenant(tenant.box, "viewer")
    assert viewer.page(limit=2) == tenant.page(limit=2)
    assert viewer.sync(new("x")).status_code == 403
    path = f"/api/v1/sources/{NAME}/comments"
    assert viewer.send("DELETE", path, params={"id": "x"}).status_code == 403
    assert (
        viewer.send("GET", "/api/_private/sources/people/payroll-inbox/comments").status_code == 404
    )


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ({"id": ""}, "comments[1].id"),
        ({"id": 3}, "comments[1].id"),
        ({"timestamp": "2026-03-01"}, "comments[1].timestamp"),
        ({"timestamp": None}, "comments[1].timestamp"),
        ({"messages": []}, "comments[1].messages"),
        ({"messages": [{"body": "x"}]}, "comments[1].messages[0].body"),
        ({"messages": [{"body": {"text": "x"}, "to": "a"}]}, "comments[1].messages[0].to"),
        ({"user_properties": {"Team": "x"}}, "'Team'"),
        ({"user_properties": {"number:Score": "high"}}, "number:Score"),
        ({"user_properties": {"number:Score": True}}, "number:Score"),
        ({"id": "good"}, "appears twice"),
    ],
)
def test_nothing_of_a_request_with_a_bad_comment_is_stored(
    tenant: Tenant, comment: dict[str, Any], message: str
) -> None:
    refused = tenant.sync(new("good"), {**new("bad"), **comment})
    assert refused.status_code == 422
    assert message in refused.json()["message"]
    assert tenant.comment("good").status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "257"},
        {"limit": "x"},
        {"after": "x"},
        {"after": "e30="},
        {"direction": "up"},
        {"from_timestamp": "yesterday"},
        {"include_markup": "yes"},
    ],
)
def test_a_malformed_parameter_is_told(sample: Tenant, parameters: dict[str, str]) -> None:
    refused = sample.send("GET", f"/api/_private/sources/{NAME}/comments", params=parameters)
    assert refused.status_code == 422
    assert next(iter(parameters)) in refused.json()["message"]


def test_a_tenant_in_a_file_keeps_its_comments(tmp_path: Path) -> None:
    database = tmp_path / "tenant.db"
    with rnb.sandbox(database=database) as client:
        assert client.sandbox is not None
        tenant = Tenant(client.sandbox)
        tenant.sync(new("kept"))
        comments = tenant.comments(limit=256)
        other = client.source("claims/glass-inbox")
        tenant.sync(new("gone"), name=other.full_name)
        client.delete_source(other.full_name)
    with rnb.sandbox(database=database) as client:
        assert client.sandbox is not None
        tenant = Tenant(client.sandbox)
        assert tenant.comments(limit=64) == comments
        # A source of the same name has none of them.
        client.create_source(other.full_name)
        assert tenant.comments(other.full_name) == []
        assert tenant.comment("gone", other.full_name).status_code == 404


# Against a dictionary

MOMENTS = st.sampled_from(
    [f"2026-0{month}-01T00:00:00.00000{us}Z" for month in (1, 2) for us in (0, 1)]
)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("sync"), st.text("abcé/ ", min_size=1, max_size=2), MOMENTS),
        st.tuples(st.just("delete"), st.text("abcé/ ", min_size=1, max_size=2), MOMENTS),
        st.tuples(st.just("hide"), st.integers(0, 8), MOMENTS),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(writes=WRITES, limit=st.sampled_from([1, 2, 5]))
def test_stored_and_sample_comments_are_one_list(
    writes: list[tuple[str, Any, str]], limit: int
) -> None:
    df = pd.DataFrame({"owner": ["claims"], "name": ["few"], "num_comments": [9]})
    df["created_at"] = pd.Timestamp("2025-12-01", tz="UTC")
    name = "claims/few"
    with rnb.sandbox(df) as client:
        assert client.sandbox is not None
        tenant = Tenant(client.sandbox)
        kept = {comment["id"]: comment["timestamp"] for comment in tenant.comments(name)}
        ids = sorted(kept)
        for action, key, when in writes:
            comment_id = ids[key] if action == "hide" else key
            if action == "sync":
                tenant.sync(new(comment_id, when), name=name)
                kept[comment_id] = when
            else:
                path = f"/api/v1/sources/{name}/comments"
                tenant.send("DELETE", path, params={"id": comment_id})
                kept.pop(comment_id, None)
        order = sorted((datetime.fromisoformat(when), key) for key, when in kept.items())
        found = tenant.comments(name, limit=limit)
        assert [(datetime.fromisoformat(c["timestamp"]), c["id"]) for c in found] == order
        assert found[::-1] == tenant.comments(name, limit=limit, direction="descending")
        edge = "2026-01-01T00:00:00.000001Z"
        before = [key for moment, key in order if moment <= datetime.fromisoformat(edge)]
        assert tenant.count(name, maximum=edge) == len(before)
        assert tenant.count(name) == len(order)
