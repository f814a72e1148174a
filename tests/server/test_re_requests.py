"""The requests of the vendor's client `re`, one by one, as it makes them over a socket.

The fields that `re` requires in each response are written down here again, apart from the
package: `re` refuses a whole response for one missing field or one of another type.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
import requests
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import reinfer_nb as rnb
from reinfer_nb.server import app, running
from reinfer_nb.server.routes import SERVED
from tests.waiting import AGES

# Fields that `re` requires


@dataclass(frozen=True)
class Value:
    """A value of some JSON types, with further constraints and invalid examples."""

    kinds: tuple[type, ...]
    fits: Callable[[Any], bool] = lambda _: True
    never: tuple[object, ...] = ()


@dataclass(frozen=True)
class Many:
    """A list."""

    of: Rule


@dataclass(frozen=True)
class Keyed:
    """An object whose keys are names."""

    of: Rule


@dataclass(frozen=True)
class Shape:
    """An object with required and optional fields."""

    needed: Mapping[str, Rule]
    optional: Mapping[str, Rule] = field(default_factory=dict)


Rule = Value | Many | Keyed | Shape


def is_moment(text: str) -> bool:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
    return re.fullmatch(pattern, text) is not None and datetime.fromisoformat(text).year > 2000


def is_named(text: str) -> bool:
    return re.fullmatch("[A-Za-z0-9_-]{1,256}", text) is not None


TEXT = Value((str,))
FLAG = Value((bool,))
NUMBER = Value((int, float), lambda number: number >= 0, never=(-1,))
NAME = Value((str,), is_named, never=("", "a b", "a/b", "é", "x" * 257))
# `re` accepts only hexadecimal digits in an id.
ID = Value((str,), lambda text: bool(re.fullmatch("[0-9a-f]+", text)), never=("", "0x1", "id:1"))
WORD = Value((str,), bool, never=("",))
MOMENT = Value(
    (str,), is_moment, never=("", "2026-01-01", "2026-01-01T10:00:00", "2026-01-01 10:00:00Z")
)
# False makes `re` fail.
REFRESHED = Value((type(None), bool), lambda done: done is not False, never=(False,))

SOURCE = Shape(
    {
        "id": ID,
        "owner": NAME,
        "name": NAME,
        "title": TEXT,
        "description": TEXT,
        "language": WORD,
        "should_translate": FLAG,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "_kind": WORD,
    },
    {"bucket_id": ID, "email_transform_tag": WORD},
)
PROJECT = Shape(
    {
        "id": ID,
        "name": NAME,
        "title": TEXT,
        "description": TEXT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
)
BUCKET = Shape({"id": ID, "name": NAME, "owner": NAME, "created_at": MOMENT})
USER = Shape(
    {
        "id": ID,
        "username": NAME,
        "email": WORD,
        "created": MOMENT,
        "global_permissions": Many(WORD),
        "organisation_permissions": Keyed(Many(WORD)),
        "sso_global_permissions": Many(WORD),
        "verified": FLAG,
    }
)
NUMBERS = Shape(
    {
        "num_comments": NUMBER,
        "label_counts": Keyed(NUMBER),
        "label_timeseries": Many(Many(Value((str, int, float)))),
    }
)


CONTENT = Shape({"text": TEXT})
MESSAGE = Shape({"body": CONTENT}, {"from": TEXT, "to": Many(TEXT), "sent_at": MOMENT})
COMMENT = Shape(
    {"id": WORD, "uid": WORD, "timestamp": MOMENT, "messages": Many(MESSAGE), "created_at": MOMENT},
    {"thread_id": TEXT, "has_annotations": FLAG},
)
COUNTS = {"new": NUMBER, "updated": NUMBER, "unchanged": NUMBER}


def ok(**held: Rule) -> Shape:
    said = Value((str,), lambda status: status == "ok", never=("OK", "error", ""))
    return Shape({"status": said, **held})


REFUSAL = Shape(
    {
        "status": Value((str,), lambda status: status == "error", never=("ok", "")),
        "message": WORD,
    }
)

ME, REFRESH = "/auth/user", "/auth/refresh-user-permissions"
SOURCES, ONE_SOURCE = "/api/v1/sources", "/api/v1/sources/{full}"
SOURCE_BY_ID, STATISTICS = "/api/v1/sources/id:{id}", "/api/v1/sources/{full}/statistics"
OF_PROJECT = "/api/v1/sources/{project}"
COMMENTS = "/api/_private/sources/{full}/comments"
SYNC = "/api/v1/sources/{full}/sync"
SOME_COMMENTS = "/api/v1/sources/{full}/comments"
ONE_COMMENT = "/api/v1/sources/{full}/comments/{comment}"
PROJECTS, ONE_PROJECT = "/api/_private/projects", "/api/_private/projects/{project}"
BY_FORCE = "/api/_private/projects/{project}?force=true"
BUCKETS, ONE_BUCKET = "/api/_private/buckets", "/api/_private/buckets/{full}"
BUCKET_BY_ID = "/api/_private/buckets/id:{id}"
USERS, ONE_USER = "/api/_private/users", "/api/_private/users/{id}"

ANSWERS: dict[tuple[str, str], Shape] = {
    ("GET", ME): ok(user=USER),
    ("POST", REFRESH): ok(permissions_refreshed=REFRESHED),
    ("GET", SOURCES): ok(sources=Many(SOURCE)),
    ("GET", OF_PROJECT): ok(sources=Many(SOURCE)),
    ("GET", ONE_SOURCE): ok(source=SOURCE),
    ("GET", SOURCE_BY_ID): ok(source=SOURCE),
    ("POST", STATISTICS): ok(statistics=NUMBERS),
    ("GET", COMMENTS): ok(comments=Many(COMMENT)),
    ("PUT", COMMENTS): ok(),
    ("POST", SYNC): ok(**COUNTS),
    ("GET", ONE_COMMENT): ok(comment=COMMENT),
    ("DELETE", SOME_COMMENTS): ok(),
    ("PUT", ONE_SOURCE): ok(source=SOURCE),
    ("POST", ONE_SOURCE): ok(source=SOURCE),
    ("DELETE", SOURCE_BY_ID): ok(),
    ("GET", PROJECTS): ok(projects=Many(PROJECT)),
    ("GET", ONE_PROJECT): ok(project=PROJECT),
    ("PUT", ONE_PROJECT): ok(project=PROJECT),
    ("POST", ONE_PROJECT): ok(project=PROJECT),
    ("DELETE", ONE_PROJECT): ok(),
    ("DELETE", BY_FORCE): ok(),
    ("GET", BUCKETS): ok(buckets=Many(BUCKET)),
    ("GET", ONE_BUCKET): ok(bucket=BUCKET),
    ("GET", BUCKET_BY_ID): ok(bucket=BUCKET),
    ("PUT", ONE_BUCKET): ok(bucket=BUCKET),
    ("DELETE", BUCKET_BY_ID): ok(),
    ("GET", USERS): ok(users=Many(USER)),
    ("GET", ONE_USER): ok(user=USER),
    ("POST", ONE_USER): ok(user=USER),
}


EMAILS: dict[str, Any] = {"bucket": {"bucket_type": "emails"}}


def wrong(rule: Rule, value: Any, at: str = "answer") -> list[str]:
    """Return the problems of a value, by their place in the response."""
    if isinstance(rule, Value):
        fine = type(value) in rule.kinds and rule.fits(value)
        return [] if fine else [f"{at} is {value!r}"]
    if isinstance(rule, Many):
        if type(value) is not list:
            return [f"{at} is no list"]
        inner = [wrong(rule.of, one, f"{at}[{number}]") for number, one in enumerate(value)]
        return list(itertools.chain(*inner))
    if type(value) is not dict:
        return [f"{at} is no object"]
    if isinstance(rule, Keyed):
        names = [f"{at} has the key {name!r}" for name in value if not is_named(name)]
        inner = [wrong(rule.of, one, f"{at}.{name}") for name, one in value.items()]
        return [*names, *itertools.chain(*inner)]
    missing = [f"{at}.{name} is missing" for name in rule.needed if name not in value]
    known = {**rule.needed, **rule.optional}
    inner = [
        wrong(known[name], one, f"{at}.{name}") for name, one in value.items() if name in known
    ]
    return [*missing, *itertools.chain(*inner)]


# Requests as `re` sends them


class Re:
    """Sends requests as `re` does, and checks that each response is what `re` requires."""

    def __init__(self, client: rnb.Client, base: str = "", token: str | None = None) -> None:
        assert client.sandbox is not None
        self.box = client.sandbox
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        token = token or self.box.tokens["admin"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None, **parts: str) -> Any:
        """Return the JSON object of a valid response."""
        answer = self.answer(method, path, body, **parts)
        assert answer.status_code == 200, answer.text
        content = json.loads(answer.content)
        assert wrong(ANSWERS[method, path], content) == []
        return content

    def refused(self, status: int, method: str, path: str, body: Any = None, **parts: str) -> str:
        """Return the message of a valid error response."""
        answer = self.answer(method, path, body, **parts)
        content = json.loads(answer.content)
        assert (answer.status_code, wrong(REFUSAL, content), set(content)) == (
            status, [], {"status", "message"},
        ), (method, path, parts, content)  # fmt: skip
        return str(content["message"])

    def answer(self, method: str, path: str, body: Any, **parts: str) -> requests.Response:
        """Send exactly this request, check that it is logged so, and return the response."""
        at = self.base + path.format(**{k: quote(text, safe="") for k, text in parts.items()})
        answer = self.session.request(method, self.box.endpoint + at, json=body, timeout=AGES)
        assert answer.headers["Content-Type"] == "application/json"
        asked = self.box.requests[-1]
        assert (asked.method, asked.path, asked.status) == (method, at, answer.status_code)
        return answer

    def all(self) -> list[Any]:
        """Return all data, to see whether it has changed."""
        return [self("GET", path) for path in (SOURCES, PROJECTS, BUCKETS, USERS)]


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    """A client of a shared sandbox, for tests that may write under names of their own."""
    with rnb.sandbox() as made:
        yield made


BASES = {"a host": "", "a path": "/org/tenant/reinfer_"}


@pytest.fixture(params=list(BASES.values()), ids=list(BASES))
def base(request: pytest.FixtureRequest) -> str:
    """The path of the tenant below the host."""
    return str(request.param)


@pytest.fixture
def ask(tenant: rnb.Client, base: str) -> Iterator[Re]:
    made = Re(tenant, base)
    with made.session:
        yield made


@pytest.fixture
def viewer(tenant: rnb.Client, base: str) -> Iterator[Re]:
    assert tenant.sandbox is not None
    made = Re(tenant, base, tenant.sandbox.tokens["viewer"])
    with made.session:
        yield made


NUMBERED = itertools.count(1)


def new(what: str) -> str:
    """Return a name that no other test uses."""
    return f"{what}-{next(NUMBERED)}"


@pytest.fixture
def project(ask: Re) -> str:
    """An empty project that only this test uses."""
    name = new("project")
    ask("PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project=name)
    return name


@pytest.fixture
def stranger(tenant: rnb.Client, base: str) -> Iterator[Re]:
    """A user without permissions that only this test uses."""
    assert tenant.sandbox is not None
    made = Re(tenant, base, tenant.sandbox.add_user(new("user")))
    with made.session:
        yield made


def stored(ask: Re, full: str) -> dict[str, Any]:
    """Return a source from the store, past the API; empty if there is none."""
    df = ask.box.sources()
    owner, name = full.split("/")
    rows = df[(df["owner"] == owner) & (df["name"] == name)]
    return {} if rows.empty else dict(rows.iloc[0])


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the fields that differ between two responses, without the time of change."""
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {"updated_at", "last_modified"} & {*before} <= names
    assert after["updated_at"] > before["updated_at"]
    return names - {"updated_at", "last_modified"}


# Any command, create and update first


def test_who_am_i(ask: Re, viewer: Re) -> None:
    me = ask("GET", ME)["user"]
    assert (me["username"], me["verified"]) == ("admin", True)
    assert me["global_permissions"] == ["tenant-admin"]
    everywhere = {one["name"] for one in ask("GET", PROJECTS)["projects"]}
    assert set(me["organisation_permissions"]) == everywhere
    for held in me["organisation_permissions"].values():
        assert {"sources-read", "sources-admin", "buckets-read", "buckets-write"} <= set(held)
    other = viewer("GET", ME)["user"]
    assert (other["username"], other["global_permissions"]) == ("viewer", [])
    assert other["id"] != me["id"]
    assert other["organisation_permissions"]["claims"] == ["sources-read"]
    assert "people" not in other["organisation_permissions"]


def test_refresh_of_permissions_is_not_relevant(ask: Re, viewer: Re) -> None:
    before = ask.all()
    for one in (ask, viewer):
        response = one("POST", REFRESH, {})
        assert response == {"status": "ok", "permissions_refreshed": None}
    assert ask.all() == before


# get sources


def test_sources_and_then_buckets(ask: Re) -> None:
    sources = ask("GET", SOURCES)["sources"]
    df = ask.box.sources()
    for name in ("id", "owner", "name", "title", "description", "language", "should_translate"):
        assert [one[name] for one in sources] == df[name].tolist()
    assert [one["_kind"] for one in sources] == df["kind"].tolist()
    assert [pd.Timestamp(one["updated_at"]) for one in sources] == df["updated_at"].tolist()
    buckets = {one["id"]: one for one in ask("GET", BUCKETS)["buckets"]}
    fed = [one for one in sources if "bucket_id" in one]
    assert len(fed) > 20
    assert all(one["bucket_id"] in buckets for one in fed)


def test_sources_of_a_project(ask: Re, project: str) -> None:
    ask("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/one")
    listed = ask("GET", SOURCES)["sources"]
    for owner, number in (("people", 21), (project, 1)):
        part = ask("GET", OF_PROJECT, project=owner)["sources"]
        assert part == [one for one in listed if one["owner"] == owner]
        assert len(part) == number


def test_one_source_by_name_or_id(ask: Re) -> None:
    for listed in ask("GET", SOURCES)["sources"][::30]:
        full = f"{listed['owner']}/{listed['name']}"
        assert ask("GET", ONE_SOURCE, full=full)["source"] == listed
        assert ask("GET", SOURCE_BY_ID, id=listed["id"])["source"] == listed


def test_there_is_no_such_source(ask: Re) -> None:
    for full in ("claims/nothing", "nowhere/motor-inbox", "claims/Motor-inbox"):
        assert ask.refused(404, "GET", ONE_SOURCE, full=full) == "404 Not Found"
        ask.refused(404, "POST", STATISTICS, {"comment_filter": {}}, full=full)
        ask.refused(404, "POST", ONE_SOURCE, {"source": {"bucket_id": None}}, full=full)
    for source_id in ("0" * 16, "f", "abc", "1" * 40):
        ask.refused(404, "GET", SOURCE_BY_ID, id=source_id)
        ask.refused(404, "DELETE", SOURCE_BY_ID, id=source_id)


# get sources --stats


def counted(ask: Re, full: str) -> Any:
    statistics = ask("POST", STATISTICS, {"comment_filter": {}}, full=full)["statistics"]
    assert set(statistics) == {"num_comments", "label_counts", "label_timeseries"}
    assert (statistics["label_counts"], statistics["label_timeseries"]) == ({}, [])
    return statistics["num_comments"]


def test_statistics_are_stable(ask: Re, project: str) -> None:
    names = [f"{one['owner']}/{one['name']}" for one in ask("GET", SOURCES)["sources"][:9]]
    numbers = [counted(ask, full) for full in names]
    assert len(set(numbers)) > 5
    assert counted(ask, "claims/motor-inbox") == 19640
    ask("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/empty")
    assert counted(ask, f"{project}/empty") == 0
    assert [counted(ask, full) for full in names] == numbers


@pytest.mark.slow
def test_a_restart_changes_nothing(tmp_path: Path, base: str) -> None:
    told: list[Any] = []
    for _ in range(2):
        with rnb.sandbox(database=tmp_path / "tenant.db") as client:
            ask = Re(client, base)
            with ask.session:
                if not told:
                    ids = [one["id"] for one in ask("GET", USERS)["users"]]
                    ask(
                        "PUT",
                        ONE_PROJECT,
                        {"project": {"title": "T"}, "user_ids": ids},
                        project="made",
                    )
                    ask("PUT", ONE_BUCKET, EMAILS, full="made/b")
                    body = {"bucket_id": ask("GET", ONE_BUCKET, full="made/b")["bucket"]["id"]}
                    ask("PUT", ONE_SOURCE, {"source": body}, full="made/travel")
                sources = ask("GET", SOURCES)["sources"]
                names = [f"{one['owner']}/{one['name']}" for one in [*sources[:9], sources[-1]]]
                told.append([*ask.all(), [counted(ask, full) for full in names]])
    assert told[0] == told[1]
    assert told[0][0]["sources"][-1]["name"] == "travel"
    assert told[0][-1][-1] == 0


def test_rows_of_one_s_own_are_whole_too() -> None:
    frame = pd.DataFrame(
        {
            "owner": ["acme", "acme"],
            "name": ["a", "b"],
            "title": ["A", None],
            "language": [None, "de"],
            "bucket_id": ["ab" * 8, None],
            "num_comments": [12, None],
        }
    )
    with rnb.sandbox(frame) as client, requests.Session() as session:
        ask = Re(client)
        ask.session.close()
        ask.session = session
        session.headers["Authorization"] = f"Bearer {ask.box.tokens['admin']}"
        a, b = ask("GET", SOURCES)["sources"]
        assert (a["title"], b["title"], a["language"], b["language"]) == ("A", "", "en", "de")
        assert (a["_kind"], a["bucket_id"], "bucket_id" in b) == ("unknown", "ab" * 8, False)
        assert [counted(ask, "acme/a"), counted(ask, "acme/b")] == [12, 0]
        assert [one["name"] for one in ask("GET", PROJECTS)["projects"]] == ["acme"]
        assert [one["id"] for one in ask("GET", BUCKETS)["buckets"]] == ["ab" * 8]


# create source


def test_a_create_that_names_nothing(ask: Re, project: str) -> None:
    full = f"{project}/travel"
    made = ask("PUT", ONE_SOURCE, {"source": {}}, full=full)["source"]
    assert made["created_at"] == made["updated_at"]
    assert {name: made[name] for name in SOURCE.needed if not name.endswith(("id", "_at"))} == {
        "owner": project,
        "name": "travel",
        "title": "",
        "description": "",
        "language": "en",
        "should_translate": False,
        "_kind": "unknown",
    }
    assert not {"bucket_id", "email_transform_tag"} & set(made)
    assert ask("GET", ONE_SOURCE, full=full)["source"] == made
    assert ask("GET", SOURCES)["sources"][-1] == made
    assert stored(ask, full)["id"] == made["id"]


def options(ask: Re) -> dict[str, Any]:
    """Return the settings that the options of a create send."""
    return {
        "title": "Travel claims",
        "description": "Two lines\nof text \N{AIRPLANE}",
        "language": "xlm",
        "should_translate": True,
        "bucket_id": ask("GET", BUCKETS)["buckets"][0]["id"],
        "_kind": "call",
        "email_transform_tag": "generic.0.CONVKER5",
    }


def test_only_the_options_given(ask: Re, project: str) -> None:
    given = options(ask)
    plain = ask("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/plain")["source"]
    bodies = [{name: value} for name, value in given.items()] + [given]
    for number, body in enumerate(bodies):
        full = f"{project}/s{number}"
        made = ask("PUT", ONE_SOURCE, {"source": body}, full=full)["source"]
        own = {name: made[name] for name in ("id", "name", "created_at", "updated_at")}
        own["last_modified"] = made["last_modified"]
        assert made == plain | body | own
        assert ask("GET", ONE_SOURCE, full=full)["source"] == made
        kept = stored(ask, full)
        assert all(kept[name.removeprefix("_")] == value for name, value in body.items())


@pytest.mark.parametrize("kind", ["chat", "unknown", "ixp_design", "ixp_runtime", "of-next-year"])
def test_any_kind_survives(ask: Re, project: str, kind: str) -> None:
    made = ask("PUT", ONE_SOURCE, {"source": {"_kind": kind}}, full=f"{project}/a")["source"]
    assert made["_kind"] == kind
    assert ask("GET", SOURCE_BY_ID, id=made["id"])["source"] == made


def test_a_source_that_is_there_is_not_made_again(ask: Re) -> None:
    before = ask.all()
    body = {"source": {"title": "Another"}}
    ask.refused(409, "PUT", ONE_SOURCE, body, full="claims/motor-inbox")
    ask.refused(404, "PUT", ONE_SOURCE, body, full="nowhere/motor-inbox")
    assert ask.all() == before


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_unknown_transform_tag(ask: Re, project: str, method: str) -> None:
    full = f"{project}/tagged"
    if method == "POST":
        ask("PUT", ONE_SOURCE, {"source": {}}, full=full)
    before = ask.all()
    tag = "not-a-valid-transform-tag.0.ABCDEFGH"
    body = {"source": {"bucket_id": None, "email_transform_tag": tag}}
    message = ask.refused(422, method, ONE_SOURCE, body, full=full)
    assert message == f"The value '{tag}' is not a valid transform tag."
    assert ask.all() == before


# update source


def test_an_update_changes_what_it_names(ask: Re, project: str) -> None:
    full = f"{project}/inbox"
    before = ask("PUT", ONE_SOURCE, {"source": options(ask)}, full=full)["source"]
    bucket_id = before["bucket_id"]
    for name, value in (
        ("title", "Trips"),
        ("title", ""),
        ("description", ""),
        ("should_translate", False),
        ("email_transform_tag", "generic.0.CONVKER5"),
    ):
        assert ask("GET", ONE_SOURCE, full=full)["source"] == before
        body = {"source": {name: value, "bucket_id": bucket_id}}
        after = ask("POST", ONE_SOURCE, body, full=full)["source"]
        assert changed(before, after) == ({name} if before[name] != value else set())
        assert after[name] == stored(ask, full)[name] == value
        before = after


def test_an_update_that_changes_nothing(ask: Re, project: str) -> None:
    for full, bucket_id in (
        (f"{project}/none", None),
        (f"{project}/one", ask("GET", BUCKETS)["buckets"][0]["id"]),
    ):
        made = {} if bucket_id is None else {"bucket_id": bucket_id}
        before = ask("PUT", ONE_SOURCE, {"source": made}, full=full)["source"]
        after = ask("POST", ONE_SOURCE, {"source": {"bucket_id": bucket_id}}, full=full)["source"]
        assert changed(before, after) == set()
        assert after == ask("GET", ONE_SOURCE, full=full)["source"]


def test_a_bucket_is_attached_and_detached(ask: Re, project: str) -> None:
    full = f"{project}/inbox"
    first, second = (one["id"] for one in ask("GET", BUCKETS)["buckets"][:2])
    before = ask("PUT", ONE_SOURCE, {"source": {"bucket_id": first}}, full=full)["source"]
    for bucket_id in (second, None, first):
        after = ask("POST", ONE_SOURCE, {"source": {"bucket_id": bucket_id}}, full=full)["source"]
        assert changed(before, after) == {"bucket_id"}
        assert after.get("bucket_id", "absent") == (bucket_id or "absent")
        assert ask("GET", ONE_SOURCE, full=full)["source"] == after
        before = after


# delete source


def test_a_source_is_deleted_by_its_id(ask: Re, project: str) -> None:
    full = f"{project}/gone"
    ask("PUT", ONE_SOURCE, {"source": {"title": "T"}}, full=full)
    before = ask.all()
    source_id = ask("GET", ONE_SOURCE, full=full)["source"]["id"]
    assert ask("DELETE", SOURCE_BY_ID, id=source_id) == {"status": "ok"}
    ask.refused(404, "GET", ONE_SOURCE, full=full)
    ask.refused(404, "GET", SOURCE_BY_ID, id=source_id)
    # `re` takes this for success, if its first attempt was carried out.
    ask.refused(404, "DELETE", SOURCE_BY_ID, id=source_id)
    assert ask("GET", SOURCES)["sources"] == before[0]["sources"][:-1]
    assert stored(ask, full) == {}
    again = ask("PUT", ONE_SOURCE, {"source": {}}, full=full)["source"]
    assert (again["id"] != source_id, again["title"]) == (True, "")


# Projects


def test_projects_and_one_of_them(ask: Re, viewer: Re) -> None:
    listed = ask("GET", PROJECTS)["projects"]
    assert {"broker-desk", "claims", "customer-service", "people"} <= {p["name"] for p in listed}
    assert {one["owner"] for one in ask("GET", SOURCES)["sources"]} <= {p["name"] for p in listed}
    for one in listed:
        assert ask("GET", ONE_PROJECT, project=one["name"]) == {"status": "ok", "project": one}
    assert "people" not in {one["name"] for one in viewer("GET", PROJECTS)["projects"]}
    ask.refused(404, "GET", ONE_PROJECT, project="nowhere")


@pytest.mark.parametrize("given", [{}, {"title": "T"}, {"title": "T", "description": "D\nE"}])
def test_a_project_is_listed_once_it_is_made(ask: Re, given: dict[str, str]) -> None:
    name = new("project")
    made = ask("PUT", ONE_PROJECT, {"project": given, "user_ids": []}, project=name)["project"]
    assert made in ask("GET", PROJECTS)["projects"]
    assert ask("GET", ONE_PROJECT, project=name)["project"] == made
    settings = {key: made[key] for key in ("name", "title", "description")}
    assert settings == {"name": name, "title": "", "description": ""} | given
    assert made["created_at"] == made["updated_at"]
    assert ask("GET", OF_PROJECT, project=name)["sources"] == []


def test_who_makes_a_project_and_who_is_named_are_its_admins(ask: Re, stranger: Re) -> None:
    name = new("project")
    me, other = ask("GET", ME)["user"], stranger("GET", ME)["user"]
    assert other["organisation_permissions"] == {}
    assert stranger("GET", PROJECTS)["projects"] == []
    body = {"project": {}, "user_ids": [other["id"]]}
    made = ask("PUT", ONE_PROJECT, body, project=name)["project"]
    for one, before in ((ask, me), (stranger, other)):
        held = one("GET", ME)["user"]["organisation_permissions"]
        assert set(held[name]) >= {
            "sources-read", "sources-admin", "buckets-read", "buckets-write", "users-read",
        }  # fmt: skip
        assert held == before["organisation_permissions"] | {name: held[name]}
    assert stranger("GET", PROJECTS)["projects"] == [made]
    bucket = stranger("PUT", ONE_BUCKET, EMAILS, full=f"{name}/b")
    source = {"bucket_id": bucket["bucket"]["id"]}
    stranger("PUT", ONE_SOURCE, {"source": source}, full=f"{name}/s")
    assert stranger("POST", ONE_PROJECT, {"project": {"title": "T"}}, project=name)
    assert stranger("DELETE", BY_FORCE, project=name) == {"status": "ok"}
    assert stranger("GET", PROJECTS)["projects"] == []


def test_a_project_that_cannot_be_is_not_made(ask: Re) -> None:
    before = ask.all()
    ask.refused(409, "PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project="claims")
    name = new("project")
    no_ids: list[Any] = [["0" * 16], ["admin"], "61646d696e000001", [5], {}]
    for ids in no_ids:
        ask.refused(422, "PUT", ONE_PROJECT, {"project": {}, "user_ids": ids}, project=name)
    no_projects: list[Any] = [{"title": None}, {"titel": "T"}, {"name": "other"}, [], None]
    for sent in no_projects:
        ask.refused(422, "PUT", ONE_PROJECT, {"project": sent, "user_ids": []}, project=name)
    ask.refused(422, "PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project="a b")
    assert ask.all() == before


def test_a_project_is_updated(ask: Re, project: str) -> None:
    ask("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/s")
    sources = ask("GET", OF_PROJECT, project=project)
    before = ask("GET", ONE_PROJECT, project=project)["project"]
    for given in ({"title": "T"}, {"description": "D"}, {}, {"title": "", "description": ""}):
        body = {"project": given}
        after = ask("POST", ONE_PROJECT, body, project=project)["project"]
        assert changed(before, after) == set(given)
        assert {key: after[key] for key in given} == given
        assert ask("GET", ONE_PROJECT, project=project)["project"] == after
        before = after
    assert before in ask("GET", PROJECTS)["projects"]
    assert ask("GET", OF_PROJECT, project=project) == sources
    ask.refused(404, "POST", ONE_PROJECT, {"project": {}}, project="nowhere")


def test_a_project_with_something_in_it_is_not_deleted(ask: Re, project: str) -> None:
    bucket = ask("PUT", ONE_BUCKET, EMAILS, full=f"{project}/b")
    source = ask("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/s")["source"]
    everything = ask.all()
    message = ask.refused(422, "DELETE", ONE_PROJECT, project=project)
    assert all(word in message for word in (project, "1 source", "1 bucket", "force=true"))
    assert ask.all() == everything
    ask("DELETE", SOURCE_BY_ID, id=source["id"])
    ask.refused(422, "DELETE", ONE_PROJECT, project=project)
    ask("DELETE", BUCKET_BY_ID, id=bucket["bucket"]["id"])
    assert ask("DELETE", ONE_PROJECT, project=project) == {"status": "ok"}
    for path in (ONE_PROJECT, OF_PROJECT):
        ask.refused(404, "GET", path, project=project)
    ask.refused(404, "DELETE", ONE_PROJECT, project=project)
    ask.refused(404, "DELETE", BY_FORCE, project=project)


def test_force_deletes_what_is_in_a_project(ask: Re, project: str) -> None:
    others = ask.all()
    bucket = ask("PUT", ONE_BUCKET, EMAILS, full=f"{project}/b")
    bucket_id = bucket["bucket"]["id"]
    own = {"source": {"bucket_id": bucket_id}}
    source = ask("PUT", ONE_SOURCE, own, full=f"{project}/s")["source"]
    # A source of another project, fed by a bucket of this one.
    fed = ask("PUT", ONE_SOURCE, own, full=f"claims/{new('fed')}")["source"]
    assert ask("DELETE", BY_FORCE, project=project) == {"status": "ok"}
    ask.refused(404, "GET", ONE_PROJECT, project=project)
    ask.refused(404, "GET", ONE_SOURCE, full=f"{project}/s")
    ask.refused(404, "GET", SOURCE_BY_ID, id=source["id"])
    ask.refused(404, "GET", ONE_BUCKET, full=f"{project}/b")
    ask.refused(404, "GET", BUCKET_BY_ID, id=bucket_id)
    assert stored(ask, f"{project}/s") == {}
    left = ask("GET", SOURCE_BY_ID, id=fed["id"])["source"]
    assert changed(fed, left) == {"bucket_id"}
    assert "bucket_id" not in left
    ask("DELETE", SOURCE_BY_ID, id=fed["id"])
    sources, projects, buckets, _ = ask.all()
    assert sources == others[0]
    assert [one["name"] for one in projects["projects"]] == [
        one["name"] for one in others[1]["projects"] if one["name"] != project
    ]
    assert buckets == others[2]


def test_nobody_holds_a_new_project_of_an_old_name(ask: Re, stranger: Re, project: str) -> None:
    user_id = stranger("GET", ME)["user"]["id"]
    given = {"user": {"organisation_permissions": {project: ["sources-read", "sources-admin"]}}}
    ask("POST", ONE_USER, given, id=user_id)
    stranger("PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/s")
    ask("DELETE", BY_FORCE, project=project)
    for user in ask("GET", USERS)["users"]:
        assert project not in user["organisation_permissions"]
    ask("PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project=project)
    holders = [u for u in ask("GET", USERS)["users"] if project in u["organisation_permissions"]]
    assert [user["username"] for user in holders] == ["admin"]
    assert stranger("GET", ME)["user"]["organisation_permissions"] == {}
    stranger.refused(404, "GET", ONE_PROJECT, project=project)
    stranger.refused(404, "PUT", ONE_SOURCE, {"source": {}}, full=f"{project}/s")


# Users


def test_users_and_one_of_them(ask: Re) -> None:
    users = ask("GET", USERS)["users"]
    assert {"admin", "viewer"} <= {one["username"] for one in users}
    assert len({one["id"] for one in users}) == len(users)
    for one in users:
        assert ask("GET", ONE_USER, id=one["id"]) == {"status": "ok", "user": one}
    assert ask("GET", ME)["user"] in users
    ask.refused(404, "GET", ONE_USER, id="0" * 16)
    ask.refused(404, "POST", ONE_USER, {"user": {}}, id="0" * 16)


def test_what_a_user_may_is_updated(ask: Re, stranger: Re) -> None:
    user = stranger("GET", ME)["user"]
    full = f"people/{new('source')}"
    body: dict[str, Any] = {"source": {}}
    stranger.refused(404, "PUT", ONE_SOURCE, body, full=full)
    for given, refused in ((["sources-read"], 403), (["sources-read", "sources-admin"], None)):
        permissions = {"people": given, "claims": ["sources-read"]}
        sent = {"user": {"organisation_permissions": permissions}}
        after = ask("POST", ONE_USER, sent, id=user["id"])["user"]
        assert after == user | {"organisation_permissions": permissions}
        assert after == stranger("GET", ME)["user"] == ask("GET", ONE_USER, id=user["id"])["user"]
        if refused:
            stranger.refused(refused, "PUT", ONE_SOURCE, body, full=full)
    made = stranger("PUT", ONE_SOURCE, body, full=full)["source"]
    sent = {"user": {"organisation_permissions": {"people": []}}}
    after = ask("POST", ONE_USER, sent, id=user["id"])["user"]
    assert after["organisation_permissions"] == {"claims": ["sources-read"]}
    stranger.refused(404, "GET", ONE_SOURCE, full=full)
    ask("DELETE", SOURCE_BY_ID, id=made["id"])


def test_what_a_user_may_on_the_whole_tenant_is_updated(ask: Re, stranger: Re) -> None:
    user = stranger("GET", ME)["user"]
    name = new("project")
    stranger.refused(403, "PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project=name)
    sent = {"user": {"global_permissions": ["tenant-admin"]}}
    assert ask("POST", ONE_USER, sent, id=user["id"])["user"] == user | sent["user"]
    stranger("PUT", ONE_PROJECT, {"project": {}, "user_ids": []}, project=name)
    stranger("DELETE", ONE_PROJECT, project=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        {"organisation_permissions": {"nowhere": ["sources-read"]}},
        {"organisation_permissions": {"claims": "sources-read"}},
        {"organisation_permissions": ["claims"]},
        {"organisation_permissions": None},
        {"global_permissions": "tenant-admin"},
        {"global_permissions": [1]},
        {"username": "other"},
        {"id": "0" * 16},
        None,
    ],
)
def test_permissions_that_cannot_be_change_nothing(ask: Re, viewer: Re, sent: Any) -> None:
    before = ask.all()
    ask.refused(422, "POST", ONE_USER, {"user": sent}, id=viewer("GET", ME)["user"]["id"])
    assert ask.all() == before


# Buckets


@pytest.mark.parametrize("more", [{}, {"title": "Incoming \N{ENVELOPE}"}])
def test_a_bucket_is_made_and_deleted(ask: Re, project: str, more: dict[str, str]) -> None:
    full, before = f"{project}/in-box_1", ask("GET", BUCKETS)["buckets"]
    body = {"bucket": {"bucket_type": "emails", **more}}
    made = ask("PUT", ONE_BUCKET, body, full=full)["bucket"]
    assert (made["owner"], made["name"]) == (project, "in-box_1")
    assert ask("GET", ONE_BUCKET, full=full)["bucket"] == made
    assert ask("GET", BUCKET_BY_ID, id=made["id"])["bucket"] == made
    after = ask("GET", BUCKETS)["buckets"]
    assert [one for one in after if one not in before] == [made]
    assert len(after) == len(before) + 1
    ask.refused(409, "PUT", ONE_BUCKET, body, full=full)
    assert ask("DELETE", BUCKET_BY_ID, id=made["id"]) == {"status": "ok"}
    assert ask("GET", BUCKETS)["buckets"] == before
    for method in ("GET", "DELETE"):
        ask.refused(404, method, BUCKET_BY_ID, id=made["id"])
    ask.refused(404, "GET", ONE_BUCKET, full=full)


def test_a_bucket_that_feeds_a_source_is_not_deleted(ask: Re, project: str) -> None:
    bucket_id = ask("PUT", ONE_BUCKET, EMAILS, full=f"{project}/b")["bucket"]["id"]
    ask("PUT", ONE_SOURCE, {"source": {"bucket_id": bucket_id}}, full=f"{project}/s")
    before = ask.all()
    message = ask.refused(422, "DELETE", BUCKET_BY_ID, id=bucket_id)
    assert f"{project}/b" in message
    assert ask.all() == before
    ask("POST", ONE_SOURCE, {"source": {"bucket_id": None}}, full=f"{project}/s")
    ask("DELETE", BUCKET_BY_ID, id=bucket_id)
    # A deleted bucket feeds nothing.
    body = {"source": {"bucket_id": bucket_id}}
    assert bucket_id in ask.refused(422, "POST", ONE_SOURCE, body, full=f"{project}/s")


def test_a_bucket_that_cannot_be_is_not_made(ask: Re, project: str) -> None:
    before = ask.all()
    full = f"{project}/b"
    calls = {"bucket_type": "calls"}
    no_buckets: list[Any] = [calls, {"bucket_type": None}, {"id": "0" * 16}, [], None]
    for sent in no_buckets:
        ask.refused(422, "PUT", ONE_BUCKET, {"bucket": sent}, full=full)
    for name in ("a b", "x" * 257):
        ask.refused(422, "PUT", ONE_BUCKET, EMAILS, full=f"{project}/{name}")
    ask.refused(404, "PUT", ONE_BUCKET, EMAILS, full="nowhere/b")
    assert ask.all() == before


# Missing permissions


@pytest.mark.slow
def test_a_viewer_is_refused_and_changes_nothing(ask: Re, viewer: Re) -> None:
    before = ask.all()
    sources, _, buckets, users = before
    ids = {(one["owner"], one["name"]): one["id"] for one in buckets["buckets"]}
    seen, hidden = ids["claims", "motor"], ids["people", "payroll"]
    me = viewer("GET", ME)["user"]["id"]
    admin = next(one["id"] for one in users["users"] if one["username"] == "admin")
    anything = {"user": {"global_permissions": ["tenant-admin"]}}
    create = {"project": {}, "user_ids": [me]}
    count: dict[str, Any] = {"comment_filter": {}}
    for status, method, path, body, parts in (
        (403, "GET", BUCKETS, None, {}),
        (403, "GET", ONE_BUCKET, None, {"full": "claims/motor"}),
        (404, "GET", ONE_BUCKET, None, {"full": "people/payroll"}),
        (403, "GET", BUCKET_BY_ID, None, {"id": seen}),
        (404, "GET", BUCKET_BY_ID, None, {"id": hidden}),
        (403, "PUT", ONE_BUCKET, EMAILS, {"full": "claims/b"}),
        (404, "PUT", ONE_BUCKET, EMAILS, {"full": "people/b"}),
        (403, "DELETE", BUCKET_BY_ID, None, {"id": seen}),
        (404, "DELETE", BUCKET_BY_ID, None, {"id": hidden}),
        (403, "PUT", ONE_PROJECT, create, {"project": "mine"}),
        # The response does not reveal that the object exists.
        (403, "PUT", ONE_PROJECT, create, {"project": "people"}),
        (404, "GET", ONE_PROJECT, None, {"project": "people"}),
        (403, "POST", ONE_PROJECT, {"project": {"title": "T"}}, {"project": "claims"}),
        (404, "POST", ONE_PROJECT, {"project": {"title": "T"}}, {"project": "people"}),
        (403, "DELETE", ONE_PROJECT, None, {"project": "claims"}),
        (404, "DELETE", ONE_PROJECT, None, {"project": "people"}),
        (403, "DELETE", BY_FORCE, None, {"project": "claims"}),
        (404, "DELETE", BY_FORCE, None, {"project": "people"}),
        (403, "GET", USERS, None, {}),
        (404, "GET", ONE_USER, None, {"id": admin}),
        (403, "POST", ONE_USER, anything, {"id": me}),
        (404, "POST", ONE_USER, anything, {"id": admin}),
        (404, "GET", OF_PROJECT, None, {"project": "people"}),
        (404, "POST", STATISTICS, count, {"full": "people/payroll-inbox"}),
        (403, "PUT", ONE_SOURCE, {"source": {}}, {"full": "claims/mine"}),
        (404, "PUT", ONE_SOURCE, {"source": {}}, {"full": "people/mine"}),
        (403, "POST", ONE_SOURCE, {"source": {}}, {"full": "claims/motor-inbox"}),
        (403, "DELETE", SOURCE_BY_ID, None, {"id": sources["sources"][0]["id"]}),
    ):
        viewer.refused(status, method, path, body, **parts)
    assert ask.all() == before
    # Its own permissions.
    assert viewer("GET", ONE_USER, id=me)["user"]["username"] == "viewer"
    assert viewer("GET", ONE_PROJECT, project="claims")["project"]["name"] == "claims"
    counted(viewer, "claims/motor-inbox")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), ANSWERS, ids=lambda part: part)
def test_no_token_no_answer(tenant: rnb.Client, base: str, method: str, path: str) -> None:
    ask = Re(tenant, base, "unknown")
    parts = {"full": "claims/motor-inbox", "project": "claims", "id": "0" * 16, "comment": "c"}
    body: Any = {} if method in ("PUT", "POST") else None
    with ask.session:
        ask.refused(401, method, path, body, **parts)


# The definition above against real responses, and the reverse


_WHEN = "2026-03-01T09:00:00Z"


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[tuple[str, str], Any]]:
    """A real response to each request."""
    with rnb.sandbox() as client:
        ask = Re(client)
        told: dict[tuple[str, str], Any] = {}

        def keep(method: str, path: str, body: Any = None, **parts: str) -> Any:
            told[method, path] = ask(method, path, body, **parts)
            return told[method, path]

        with ask.session:
            user_id = keep("GET", ME)["user"]["id"]
            keep("POST", REFRESH, {})
            create = {"project": {"title": "T"}, "user_ids": [user_id]}
            for name in ("made", "empty"):
                keep("PUT", ONE_PROJECT, create, project=name)
            keep("POST", ONE_PROJECT, {"project": {"title": "U"}}, project="made")
            keep("GET", ONE_PROJECT, project="made")
            body: dict[str, Any] = {"bucket": {"bucket_type": "emails", "title": "B"}}
            bucket_id = keep("PUT", ONE_BUCKET, body, full="made/b")["bucket"]["id"]
            keep("GET", ONE_BUCKET, full="made/b")
            keep("GET", BUCKET_BY_ID, id=bucket_id)
            body = {"source": {"bucket_id": bucket_id, "email_transform_tag": "generic.0.CONVKER5"}}
            source_id = keep("PUT", ONE_SOURCE, body, full="made/s")["source"]["id"]
            keep("POST", ONE_SOURCE, {"source": {"bucket_id": bucket_id}}, full="made/s")
            keep("GET", ONE_SOURCE, full="made/s")
            keep("GET", SOURCE_BY_ID, id=source_id)
            keep("POST", STATISTICS, {"comment_filter": {}}, full="made/s")
            message = {"body": {"text": "x"}, "from": "a", "to": ["b"], "sent_at": _WHEN}
            comment = {"id": "c1", "timestamp": _WHEN, "messages": [message], "thread_id": "t"}
            keep("PUT", COMMENTS, {"comments": [comment]}, full="made/s")
            keep("POST", SYNC, {"comments": [comment]}, full="made/s")
            keep("GET", COMMENTS, full="made/s")
            keep("GET", ONE_COMMENT, full="made/s", comment="c1")
            deleted = ask.answer("DELETE", f"{SOME_COMMENTS}?id=c1", None, full="made/s")
            told["DELETE", SOME_COMMENTS] = deleted.json()
            for path in (SOURCES, PROJECTS, BUCKETS, USERS):
                keep("GET", path)
            keep("GET", OF_PROJECT, project="made")
            keep("GET", ONE_USER, id=user_id)
            permissions = {"organisation_permissions": {"made": ["sources-read"]}}
            viewer_id = ask("GET", USERS)["users"][1]["id"]
            keep("POST", ONE_USER, {"user": permissions}, id=viewer_id)
            keep("DELETE", SOURCE_BY_ID, id=source_id)
            keep("DELETE", BUCKET_BY_ID, id=bucket_id)
            keep("DELETE", BY_FORCE, project="made")
            keep("DELETE", ONE_PROJECT, project="empty")
        yield told


Place = tuple[str | int, ...]


def places(rule: Rule, value: Any, at: Place = ()) -> Iterator[tuple[Place, Rule, bool]]:
    """Yield the places in a response that the definition covers, and whether each is optional."""
    if isinstance(rule, Shape):
        for name, inner in {**rule.needed, **rule.optional}.items():
            if name in value:
                yield (*at, name), inner, name in rule.needed
                yield from places(inner, value[name], (*at, name))
    elif isinstance(rule, Many) and value:
        yield from places(rule.of, value[-1], (*at, len(value) - 1))
    elif isinstance(rule, Keyed) and value:
        name = next(iter(value))
        yield from places(rule.of, value[name], (*at, name))


def other_than(rule: Rule) -> list[Any]:
    """Return invalid values: of each other JSON type, and the invalid examples of its own."""
    of_all_types: list[Any] = [None, True, 7, 1.5, "text", ["x"], {"x": 1}]
    if isinstance(rule, Value):
        return [one for one in of_all_types if type(one) not in rule.kinds] + list(rule.never)
    kind = list if isinstance(rule, Many) else dict
    return [one for one in of_all_types if type(one) is not kind]


def test_the_definition_has_every_request_that_is_served() -> None:
    served = {
        (one.call.method, one.call.path.replace("{project}/{name}", "{full}")) for one in SERVED
    }
    assert set(ANSWERS) - {("DELETE", BY_FORCE)} == served


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), ANSWERS, ids=lambda part: part)
def test_a_real_answer_with_one_field_broken_is_rejected(
    answers: dict[tuple[str, str], Any], method: str, path: str
) -> None:
    rule, answer = ANSWERS[method, path], answers[method, path]
    assert wrong(rule, answer) == []
    seen = set()
    for at, inner, needed in places(rule, answer):
        seen.add(at[-1])
        broken = copy.deepcopy(answer)
        holder = broken
        for step in at[:-1]:
            holder = holder[step]
        del holder[at[-1]]
        assert bool(wrong(rule, broken)) == needed, at
        for value in other_than(inner):
            holder[at[-1]] = value
            assert wrong(rule, broken) != [], (at, value)
    for shape in _records(rule):
        assert seen >= set(shape.needed) | set(shape.optional)


def _records(rule: Rule) -> list[Shape]:
    """Return the shapes in the envelope of a response."""
    assert isinstance(rule, Shape)
    inner = [one.of if isinstance(one, Many) else one for one in rule.needed.values()]
    return [rule, *(one for one in inner if isinstance(one, Shape))]


# Read-only requests, and the shapes of their responses.
ASKED: list[tuple[str, str, Any, Shape]] = [
    ("GET", SOURCES, None, SOURCE),
    ("GET", ONE_SOURCE, None, SOURCE),
    ("POST", STATISTICS, {"comment_filter": {}}, NUMBERS),
    ("GET", PROJECTS, None, PROJECT),
    ("GET", ONE_PROJECT, None, PROJECT),
    ("GET", BUCKETS, None, BUCKET),
    ("GET", ONE_BUCKET, None, BUCKET),
    ("GET", ME, None, USER),
    ("GET", USERS, None, USER),
]


class Losing:
    """The sandbox's application behind middleware that removes a field from all responses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.field = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and remove the field from the response."""
        response, body = Response(), bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status_code = message["status"]
            body.extend(message.get("body", b""))

        await self.app(scope, receive, collect)
        content = lost(json.loads(body), self.field)
        await JSONResponse(content, response.status_code)(scope, receive, send)


def lost(value: Any, name: str) -> Any:
    """Return JSON without a field, at any depth."""
    if isinstance(value, list):
        return [lost(one, name) for one in value]
    if isinstance(value, dict):
        return {key: lost(one, name) for key, one in value.items() if key != name}
    return value


@pytest.fixture(scope="module")
def losing() -> Iterator[tuple[Losing, Re]]:
    """A sandbox that drops a field, and a caller."""
    made = []

    def build(*args: Any) -> ASGIApp:
        made.append(Losing(app.build(*args)))
        return made[0]

    box = rnb.sandbox()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "build", build)
        client = box.start()
    with box:
        ask = Re(client)
        with ask.session:
            yield made[0], ask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "name"),
    [
        pytest.param(asked, name, id=f"{asked[0]} {asked[1]} without {name}")
        for asked in ASKED
        for name in ("status", *asked[3].needed)
    ],
)
def test_a_sandbox_that_loses_a_field_is_found_out(
    losing: tuple[Losing, Re], asked: tuple[str, str, Any, Shape], name: str
) -> None:
    losing_app, ask = losing
    method, path, body, _ = asked
    full = "claims/motor-inbox" if "sources" in path else "claims/motor"
    losing_app.field = ""
    ask(method, path, body, project="claims", full=full)
    losing_app.field = name
    with pytest.raises(AssertionError, match=f"{name} is missing"):
        ask(method, path, body, project="claims", full=full)
