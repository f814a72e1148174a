"""A model of the practice tenant, and a state machine that asks both, in random order."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pandas as pd
import pytest
import requests
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

import reinfer_nb as rnb
from tests.waiting import AGES

EVERYTHING = [
    "sources-read",
    "sources-admin",
    "sources-add-comments",
    "sources-read-sensitive",
    "sources-translate",
    "buckets-read",
    "buckets-write",
    "users-read",
]
MADE, CHANGED = "2020-02-10T23:13:28.340295+00:00", "2021-03-01T08:00:00.000001+00:00"
BUCKET = "b" * 16
BEGIN: list[dict[str, Any]] = [
    {
        "id": f"{number + 1:016x}",
        "owner": owner,
        "name": name,
        "title": f"{owner}, {name}",
        "description": "",
        "language": "xlm",
        "_kind": "chat",
        "should_translate": number == 1,
        "sensitive_properties": ["salary"],
        "created_at": MADE,
        "updated_at": CHANGED,
        "last_modified": CHANGED,
    }
    for number, (owner, name) in enumerate((("alpha", "a"), ("alpha", "b"), ("beta", "a")))
]
BEGIN[0]["bucket_id"] = BUCKET
COMMENTS: dict[str, int] = {source["id"]: 7 * number for number, source in enumerate(BEGIN)}
PERMITTED: dict[str, dict[str, list[str]]] = {
    "editor": {"alpha": ["sources-read", "sources-admin", "buckets-read"], "beta": ["users-read"]},
    "auditor": {"beta": ["sources-read"]},
}

# Parts of a path in which requests of one kind differ.
_VARYING = re.compile(
    r"(?<=/)(alpha|beta|gamma|nowhere)((/|%2F)([a-e]|bucket-b+))?|[0-9a-f]{16}|\?.*"
)

# A user whose token the sandbox does not know.
STRANGER = "stranger"
WHO = st.sampled_from([*["admin"] * 6, "editor", "editor", "viewer", "auditor", "guest", STRANGER])
KNOWN = st.sampled_from([*["editor", "viewer", "auditor", "guest"] * 2, "admin"])
PROJECTS = st.sampled_from([*["alpha"] * 4, "beta", "beta", "gamma", "nowhere"])
# "alpha" has most content, so delete it less often.
DELETED = st.sampled_from(["gamma", "gamma", "gamma", "beta", "alpha", "nowhere"])
NAMES = st.sampled_from("abcde")
# An index into the existing objects, or a full name that may exist or not.
PLACES = st.sampled_from([*range(6), 0, 1, ("alpha", "b"), ("beta", "a"), ("nowhere", "a")])
Place = int | tuple[str, str]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
PERMISSIONS = st.just(EVERYTHING) | st.lists(
    st.sampled_from([*EVERYTHING, "something-new"]), max_size=3
)
GLOBAL = st.lists(st.sampled_from(["tenant-admin", *EVERYTHING, "something-new"]), max_size=2)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXTS,
        "description": TEXTS,
        "language": st.sampled_from(["en", "de", "xlm"]),
        "_kind": st.sampled_from(["call", "chat", "unknown", "ixp_design", "something-new"]),
        "should_translate": st.booleans(),
        "sensitive_properties": st.lists(TEXTS, max_size=2),
        "email_transform_tag": st.just("generic.0.CONVKER5"),
        "email_transform_version": st.integers(-(2**63), 2**63 - 1),
    },
)
WRONG: list[dict[str, Any]] = [
    {"title": None},
    {"language": "english"},
    {"should_translate": "true"},
    {"sensitive_properties": "salary"},
    {"email_transform_version": 2**63},
    {"id": "0" * 16},
    {"updated_at": MADE},
    {"titel": "x"},
]
GIVEN = st.one_of(*[SETTINGS] * 5, st.sampled_from(WRONG))
# A bucket by its place; None for none; "unsaid" to leave the field out.
BUCKETS = st.sampled_from(["unsaid", "unsaid", "unsaid", None, None, 0, 0, 1, ("nowhere", "a")])
TITLES = st.fixed_dictionaries({}, optional={"title": TEXTS, "description": TEXTS})

# By project and name.
Rows = dict[tuple[str, str], dict[str, Any]]


class Model:
    """The expected data and permissions, as plain dictionaries.

    Attributes:
        sources: By project and name, in the order of their creation.
        comments: Their numbers of comments, by id.
        projects: By name.
        buckets: By project and name.
        everywhere: Global permissions by user.
        on: Permissions on projects by user and project.
        gone: Ids of deleted objects.
    """

    def __init__(self) -> None:
        self.sources: Rows = {(one["owner"], one["name"]): dict(one) for one in BEGIN}
        self.comments = dict(COMMENTS)
        self.projects: dict[str, dict[str, Any]] = {}
        self.buckets: Rows = {}
        self.everywhere: dict[str, list[str]] = {"admin": ["tenant-admin"]}
        self.on: dict[str, dict[str, list[str]]] = {
            "admin": {"alpha": EVERYTHING, "beta": EVERYTHING},
            "viewer": {"alpha": ["sources-read"], "beta": ["sources-read"]},
            **PERMITTED,
        }
        self.on = {user: dict(held) for user, held in self.on.items()}
        self.gone: list[str] = []

    def held(self, who: str, project: str) -> set[str]:
        """Return the permissions of a user on a project, which may not exist."""
        everywhere = set(self.everywhere.get(who, ())) & set(EVERYTHING)
        return everywhere | set(self.on[who].get(project, ()))

    def may(self, who: str, project: str, permission: str) -> int:
        """Return the expected status of an operation that needs a permission."""
        held = self.held(who, project) if project in self.projects else set()
        return 404 if not held else 200 if permission in held else 403

    def is_admin(self, who: str) -> bool:
        return "tenant-admin" in self.everywhere.get(who, ())

    def sees(self, who: str, other: str) -> bool:
        shared = {p for p in self.on[other] if "users-read" in self.held(who, p)}
        return self.is_admin(who) or who == other or bool(shared)

    def in_order(self, rows: Rows) -> list[dict[str, Any]]:
        return sorted(rows.values(), key=lambda row: (row["owner"], row["id"]))

    def fed_by(self, bucket_id: str) -> list[dict[str, Any]]:
        return [one for one in self.sources.values() if one.get("bucket_id") == bucket_id]

    def is_empty(self, project: str) -> bool:
        return not any(owner == project for owner, _ in [*self.sources, *self.buckets])


@dataclass
class Run:
    """State that all examples share.

    Attributes:
        begin: The database that each example starts with a copy of.
        stopping: Executor that stops sandboxes, which takes a fifth of a second each.
        stopped: Its futures.
        counts: Numbers of examples, requests and restarts.
        answers: Numbers of responses, by request and status.
    """

    begin: Path
    stopping: Executor
    stopped: list[Future[None]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)


class Tenant(RuleBasedStateMachine):
    """A sandbox on a file beside the model, driven over HTTP."""

    run: ClassVar[Run]

    def __init__(self) -> None:
        super().__init__()
        self.counts = self.run.counts
        self.counts["examples"] += 1
        self.file = self.run.begin.with_name(f"{self.counts['examples']}.db")
        shutil.copy(self.run.begin, self.file)
        self.session = requests.Session()
        self.session.trust_env = False
        self.box = rnb.sandbox(database=self.file)
        self.box.start()
        self.steps = 0
        self.restarts = 0
        self.who = "admin"
        self.model = Model()
        self.users = {
            user["username"]: user
            for user in self.expect("admin", 200, "/api/_private/users")["users"]
        }
        projects = self.expect("admin", 200, "/api/_private/projects")["projects"]
        self.model.projects = {project["name"]: project for project in projects}
        (bucket,) = self.expect("admin", 200, "/api/_private/buckets")["buckets"]
        assert (bucket["id"], bucket["owner"]) == (BUCKET, "alpha")
        self.model.buckets["alpha", bucket["name"]] = bucket
        self.ids = {BUCKET, *(one["id"] for one in BEGIN)}

    def teardown(self) -> None:
        self.session.close()
        self.run.stopped.append(self.run.stopping.submit(self.box.stop))

    # Requests

    def expect(
        self, who: str, status: int, path: str, method: str = "GET", body: Any = None
    ) -> dict[str, Any]:
        """Send a request, check the status of the response, and return the response."""
        self.counts["requests"] += 1
        self.who = who
        status = 401 if who == STRANGER or who not in self.box.tokens else status
        token = self.box.tokens.get(who, "sandbox-stranger-x")
        base = "/org/tenant/reinfer_" if self.counts["requests"] % 2 else ""
        answer = self.session.request(
            method,
            self.box.endpoint + base + path,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=AGES,
        )
        content: dict[str, Any] = answer.json()
        assert answer.status_code == status, (who, method, path, body, content)
        self.run.answers[f"{method} {_VARYING.sub('*', path)}", status] += 1
        assert content.get("status") == ("ok" if status == 200 else "error")
        if status == 200:
            return content
        assert set(content) == {"status", "message"}
        assert content["message"]
        return {}

    def has_user(self, who: str) -> bool:
        return who in self.model.on

    def due(self, who: str, *steps: Callable[[], int]) -> int:
        """Return the first status of several checks that is not 200."""
        if not self.has_user(who):
            return 401
        return next((status for step in steps if (status := step()) != 200), 200)

    def status_of(self, rows: Any, key: Any) -> Callable[[], int]:
        return lambda: 200 if key in rows else 404

    def path(self, kind: str, project: str, name: str) -> str:
        # A full name can be written in two ways.
        slash = "/" if self.counts["requests"] % 3 else "%2F"
        root = "/api/v1/sources" if kind == "sources" else "/api/_private/buckets"
        return f"{root}/{quote(project)}{slash}{quote(name)}"

    def id_of(self, rows: Rows, key: tuple[str, str]) -> str:
        """Return the id of an existing object, or else a deleted or random id."""
        if key in rows:
            return str(rows[key]["id"])
        return self.model.gone[-1] if self.model.gone else "0" * 16

    def key(self, rows: Rows, place: Place) -> tuple[str, str]:
        """Return the project and name of the object at a place."""
        if not isinstance(place, int):
            return place
        return list(rows)[place % len(rows)] if rows else ("alpha", "b")

    def new_id(self, row: dict[str, Any]) -> None:
        assert len(row["id"]) == 16
        assert row["id"] not in self.ids
        self.ids.add(row["id"])

    # Sources

    def with_bucket(self, given: dict[str, Any], bucket: Any) -> tuple[dict[str, Any], int]:
        """Return settings with a bucket, and the expected status for that bucket."""
        if bucket == "unsaid":
            return given, 200
        if bucket is None:
            return {**given, "bucket_id": None}, 200
        key = self.key(self.model.buckets, bucket)
        bucket_id = self.id_of(self.model.buckets, key)
        return {**given, "bucket_id": bucket_id}, 200 if key in self.model.buckets else 422

    @rule(who=WHO, project=PROJECTS, name=NAMES, given=GIVEN, bucket=BUCKETS)
    def create(self, who: str, project: str, name: str, given: dict[str, Any], bucket: Any) -> None:
        given, bucket_status = self.with_bucket(given, bucket)
        status = self.due(
            who,
            lambda: self.model.may(who, project, "sources-admin"),
            lambda: 422 if is_wrong(given) else 200,
            self.status_of(self.model.projects, project),
            lambda: 409 if (project, name) in self.model.sources else 200,
            lambda: bucket_status,
        )
        before = datetime.now(UTC)
        path = self.path("sources", project, name)
        answer = self.expect(who, status, path, "PUT", {"source": given})
        if not answer:
            return
        source = answer["source"]
        self.new_id(source)
        moment = source["created_at"]
        assert before <= datetime.fromisoformat(moment) <= datetime.now(UTC)
        expected = {
            "title": "",
            "description": "",
            "language": "en",
            "_kind": "unknown",
            "should_translate": False,
            "sensitive_properties": [],
            **given,
            "id": source["id"],
            "owner": project,
            "name": name,
            **dict.fromkeys(("created_at", "updated_at", "last_modified"), moment),
        }
        assert source == without_none(expected)
        self.model.sources[project, name] = source
        self.model.comments[source["id"]] = 0

    @rule(project=st.sampled_from(["alpha", "beta"]), name=NAMES, given=SETTINGS)
    def create_one_more(self, project: str, name: str, given: dict[str, Any]) -> None:
        # Most other users are refused, and a missing source cannot be changed.
        self.create("admin", project, name, given, "unsaid")

    @rule(place=PLACES, given=SETTINGS, bucket=BUCKETS)
    def update_one_more(self, place: Place, given: dict[str, Any], bucket: Any) -> None:
        self.update("admin", place, given, bucket)

    @rule(who=WHO, place=PLACES, given=GIVEN, bucket=BUCKETS)
    def update(self, who: str, place: Place, given: dict[str, Any], bucket: Any) -> None:
        key = self.key(self.model.sources, place)
        given, bucket_status = self.with_bucket(given, bucket)
        status = self.due(
            who,
            lambda: self.model.may(who, key[0], "sources-admin"),
            lambda: 422 if is_wrong(given) else 200,
            self.status_of(self.model.sources, key),
            lambda: bucket_status,
        )
        answer = self.expect(who, status, self.path("sources", *key), "POST", {"source": given})
        if answer:
            source = answer["source"]
            self.moved(self.model.sources[key], source)
            moments = {name: source[name] for name in ("updated_at", "last_modified")}
            assert source == without_none({**self.model.sources[key], **given, **moments})
            self.model.sources[key] = source

    @rule(who=WHO, place=PLACES)
    def delete(self, who: str, place: Place) -> None:
        key = self.key(self.model.sources, place)
        source_id = self.id_of(self.model.sources, key)
        status = self.due(
            who,
            self.status_of(self.model.sources, key),
            lambda: self.model.may(who, key[0], "sources-admin"),
        )
        path = f"/api/v1/sources/id:{source_id}"
        if self.expect(who, status, path, "DELETE"):
            del self.model.sources[key]
            self.model.gone.append(source_id)

    @rule(who=WHO, source=PLACES, bucket=PLACES, project=PROJECTS, whom=KNOWN)
    def read(self, who: str, source: Place, bucket: Place, project: str, whom: str) -> None:
        self.read_source(who, source)
        self.read_bucket(who, bucket)
        self.read_project(who, project)
        self.read_user(who, whom)

    def read_source(self, who: str, place: Place) -> None:
        project, name = key = self.key(self.model.sources, place)
        source_id = self.id_of(self.model.sources, key)
        there = self.status_of(self.model.sources, key)
        by_name = self.due(who, lambda: self.model.may(who, project, "sources-read"), there)
        by_id = self.due(who, there, lambda: self.model.may(who, project, "sources-read"))
        for status, path in (
            (by_name, self.path("sources", project, name)),
            (by_id, f"/api/v1/sources/id:{source_id}"),
        ):
            answer = self.expect(who, status, path)
            if answer:
                assert answer["source"] == self.model.sources[key]
        path = self.path("sources", project, name) + "/statistics"
        answer = self.expect(who, by_name, path, "POST", {"comment_filter": {}})
        if answer:
            comments = self.model.comments[self.model.sources[key]["id"]]
            assert answer["statistics"]["num_comments"] == comments

    # Projects

    def read_project(self, who: str, project: str) -> None:
        there = self.status_of(self.model.projects, project)
        status = self.due(who, lambda: 200 if self.model.held(who, project) else 404, there)
        answer = self.expect(who, status, f"/api/_private/projects/{project}")
        if answer:
            assert answer["project"] == self.model.projects[project]
        status = self.due(who, lambda: self.model.may(who, project, "sources-read"), there)
        answer = self.expect(who, status, f"/api/v1/sources/{project}")
        if answer:
            expected = [one for one in self.model.sources.values() if one["owner"] == project]
            assert answer["sources"] == expected

    @rule(
        who=WHO,
        project=st.sampled_from(["gamma", "gamma", "beta", "alpha"]),
        given=TITLES,
        members=st.lists(KNOWN | st.just(STRANGER), max_size=2),
    )
    def create_project(
        self, who: str, project: str, given: dict[str, Any], members: list[str]
    ) -> None:
        ids = [self.users[name]["id"] if name in self.users else "f" * 16 for name in members]
        status = self.due(
            who,
            lambda: 200 if self.model.is_admin(who) else 403,
            lambda: 409 if project in self.model.projects else 200,
            lambda: 200 if set(members) <= set(self.users) else 422,
        )
        path, body = f"/api/_private/projects/{project}", {"project": given, "user_ids": ids}
        answer = self.expect(who, status, path, "PUT", body)
        if answer:
            made = answer["project"]
            self.new_id(made)
            assert made["created_at"] == made["updated_at"]
            moments = {name: made[name] for name in ("id", "created_at", "updated_at")}
            expected = {"name": project, "title": "", "description": "", **given, **moments}
            assert made == expected
            self.model.projects[project] = made
            for name in (who, *members):
                self.model.on[name][project] = EVERYTHING

    @rule(who=WHO, project=PROJECTS, given=TITLES)
    def update_project(self, who: str, project: str, given: dict[str, Any]) -> None:
        status = self.due(
            who,
            lambda: self.model.may(who, project, "sources-admin"),
            self.status_of(self.model.projects, project),
        )
        path = f"/api/_private/projects/{project}"
        answer = self.expect(who, status, path, "POST", {"project": given})
        if answer:
            before, made = self.model.projects[project], answer["project"]
            assert later(before, made)
            assert made == {**before, **given, "updated_at": made["updated_at"]}
            self.model.projects[project] = made

    @rule(who=WHO, project=DELETED, force=st.sampled_from(["", "?force=false", "?force=true"]))
    def delete_project(self, who: str, project: str, force: str) -> None:
        status = self.due(
            who,
            lambda: self.model.may(who, project, "sources-admin"),
            self.status_of(self.model.projects, project),
            lambda: 200 if force == "?force=true" or self.model.is_empty(project) else 422,
        )
        if not self.expect(who, status, f"/api/_private/projects/{project}{force}", "DELETE"):
            return
        model = self.model
        del model.projects[project]
        for key in [key for key in model.sources if key[0] == project]:
            model.gone.append(model.sources.pop(key)["id"])
        detached = []
        for key in [key for key in model.buckets if key[0] == project]:
            bucket_id = model.buckets.pop(key)["id"]
            model.gone.append(bucket_id)
            detached += model.fed_by(bucket_id)
        self.detach(detached)
        for held in model.on.values():
            held.pop(project, None)

    def detach(self, sources: list[dict[str, Any]]) -> None:
        """Detach a bucket from its sources in the model, with the time of change from the store."""
        for source in sources:
            stored = self.box.sources().set_index("id").loc[source["id"]]
            moment = stored["updated_at"].isoformat(timespec="microseconds")
            expected = without_none({**source, "bucket_id": None, "updated_at": moment})
            expected["last_modified"] = moment
            self.moved(source, expected)
            self.model.sources[source["owner"], source["name"]] = expected

    # Buckets

    @rule(who=WHO, project=PROJECTS, name=NAMES)
    def create_bucket(self, who: str, project: str, name: str) -> None:
        status = self.due(
            who,
            lambda: self.model.may(who, project, "buckets-write"),
            self.status_of(self.model.projects, project),
            lambda: 409 if (project, name) in self.model.buckets else 200,
        )
        body = {"bucket": {"bucket_type": "emails", "title": "x"}}
        answer = self.expect(who, status, self.path("buckets", project, name), "PUT", body)
        if answer:
            bucket = answer["bucket"]
            self.new_id(bucket)
            assert (bucket["owner"], bucket["name"]) == (project, name)
            assert set(bucket) == {"id", "owner", "name", "created_at"}
            self.model.buckets[project, name] = bucket

    @rule(who=WHO, place=PLACES)
    def delete_bucket(self, who: str, place: Place) -> None:
        key = self.key(self.model.buckets, place)
        bucket_id = self.id_of(self.model.buckets, key)
        status = self.due(
            who,
            self.status_of(self.model.buckets, key),
            lambda: self.model.may(who, key[0], "buckets-write"),
            lambda: 422 if self.model.fed_by(bucket_id) else 200,
        )
        path = f"/api/_private/buckets/id:{bucket_id}"
        if self.expect(who, status, path, "DELETE"):
            self.model.gone.append(self.model.buckets.pop(key)["id"])

    def read_bucket(self, who: str, place: Place) -> None:
        project, name = key = self.key(self.model.buckets, place)
        bucket_id = self.id_of(self.model.buckets, key)
        there = self.status_of(self.model.buckets, key)
        by_name = self.due(who, lambda: self.model.may(who, key[0], "buckets-read"), there)
        by_id = self.due(who, there, lambda: self.model.may(who, key[0], "buckets-read"))
        for status, path in (
            (by_name, self.path("buckets", project, name)),
            (by_id, f"/api/_private/buckets/id:{bucket_id}"),
        ):
            answer = self.expect(who, status, path)
            if answer:
                assert answer["bucket"] == self.model.buckets[key]

    # Users

    @precondition(lambda self: not self.has_user("guest"))
    @rule(everywhere=GLOBAL, on=st.dictionaries(PROJECTS, PERMISSIONS, max_size=2))
    def add_user(self, everywhere: list[str], on: dict[str, list[str]]) -> None:
        def add() -> str:
            return self.box.add_user(
                "guest", organisation_permissions=on, global_permissions=everywhere
            )

        if not set(on) <= set(self.model.projects):
            with pytest.raises(rnb.InvalidInput, match="There is no project"):
                add()
            return
        assert add() == self.box.tokens["guest"]
        self.model.on["guest"] = {}
        self.permitted("guest", everywhere, on)
        user = self.expect("guest", 200, "/auth/user")["user"]
        self.new_id(user)
        self.users["guest"] = user
        with pytest.raises(rnb.InvalidInput, match="guest"):
            add()

    def read_user(self, who: str, whom: str) -> None:
        there = whom in self.users
        status = self.due(who, lambda: 200 if there and self.model.sees(who, whom) else 404)
        user_id = self.users[whom]["id"] if there else "0" * 16
        answer = self.expect(who, status, f"/api/_private/users/{user_id}")
        if answer:
            assert answer["user"] == self.user_json(whom)

    @rule(
        who=WHO,
        whom=KNOWN,
        everywhere=st.none() | GLOBAL,
        on=st.none() | st.dictionaries(PROJECTS, PERMISSIONS, max_size=2),
    )
    def permit(
        self, who: str, whom: str, everywhere: list[str] | None, on: dict[str, list[str]] | None
    ) -> None:
        there = whom in self.users
        status = self.due(
            who,
            lambda: 200 if there and self.model.sees(who, whom) else 404,
            lambda: 200 if self.model.is_admin(who) else 403,
            lambda: 200 if set(on or {}) <= set(self.model.projects) else 422,
        )
        user_id = self.users[whom]["id"] if there else "0" * 16
        given = {"global_permissions": everywhere, "organisation_permissions": on}
        path, body = f"/api/_private/users/{user_id}", {"user": without_none(given)}
        answer = self.expect(who, status, path, "POST", body)
        if answer:
            self.permitted(whom, everywhere, on)
            assert answer["user"] == self.user_json(whom)

    @rule(
        whom=KNOWN,
        everywhere=st.none() | GLOBAL,
        on=st.none() | st.dictionaries(PROJECTS, PERMISSIONS, max_size=2),
    )
    def permit_by_hand(
        self, whom: str, everywhere: list[str] | None, on: dict[str, list[str]] | None
    ) -> None:
        if not self.has_user(whom) or not set(on or {}) <= set(self.model.projects):
            with pytest.raises(rnb.InvalidInput, match="There is no"):
                self.box.permit(whom, organisation_permissions=on, global_permissions=everywhere)
            return
        self.box.permit(whom, organisation_permissions=on, global_permissions=everywhere)
        self.permitted(whom, everywhere, on)

    @precondition(lambda self: not self.model.is_admin("admin"))
    @rule()
    def make_the_admin_one_again(self) -> None:
        on = dict.fromkeys(self.model.projects, EVERYTHING)
        self.box.permit("admin", global_permissions=["tenant-admin"], organisation_permissions=on)
        self.permitted("admin", ["tenant-admin"], on)

    def permitted(
        self, whom: str, everywhere: list[str] | None, on: dict[str, list[str]] | None
    ) -> None:
        if everywhere is not None:
            self.model.everywhere[whom] = everywhere
        held = {**self.model.on[whom], **(on or {})}
        self.model.on[whom] = {project: given for project, given in held.items() if given}

    def user_json(self, name: str) -> dict[str, Any]:
        """Return a user as the API should return it."""
        on = {p: list(dict.fromkeys(given)) for p, given in self.model.on[name].items()}
        everywhere = list(dict.fromkeys(self.model.everywhere.get(name, ())))
        user = {"global_permissions": everywhere, "organisation_permissions": on}
        return {**self.users[name], **user}

    # Restarts and invariants

    @precondition(lambda self: self.restarts < 2)
    @rule()
    def restart(self) -> None:
        self.restarts += 1
        tokens = dict(self.box.tokens)
        self.box.stop()
        self.box.start()
        assert self.box.tokens == tokens
        self.counts["restarts"] += 1

    def moved(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        assert later(before, after)
        assert after["last_modified"] == after["updated_at"]

    @invariant()
    def they_are_told_the_sources(self) -> None:
        # Check as the last caller, as another user, and now and then as all users.
        names = list(self.model.on)
        users = {self.who, names[self.steps % len(names)]} if self.steps % 10 else {*names}
        for who in sorted(users & self.model.on.keys()):
            expected = [
                source
                for (owner, _), source in self.model.sources.items()
                if "sources-read" in self.model.held(who, owner)
            ]
            assert self.expect(who, 200, "/api/v1/sources")["sources"] == expected

    @invariant()
    def the_store_holds_them(self) -> None:
        frame = self.box.sources()
        assert frame["id"].tolist() == [one["id"] for one in self.model.sources.values()]
        for column in ("owner", "name", "title", "language"):
            expected = [one[column] for one in self.model.sources.values()]
            assert frame[column].tolist() == expected
        for column in ("created_at", "updated_at"):
            expected = [pd.Timestamp(one[column]) for one in self.model.sources.values()]
            assert frame[column].tolist() == expected

    @invariant()
    def somebody_is_told_the_rest(self) -> None:
        self.steps += 1
        model = self.model
        who = list(model.on)[self.steps % len(model.on)]
        assert self.expect(who, 200, "/auth/user")["user"] == self.user_json(who)
        assert self.expect(who, 200, "/api/_private/projects")["projects"] == [
            model.projects[name] for name in sorted(model.projects) if model.held(who, name)
        ]
        seen = [
            b
            for b in model.in_order(model.buckets)
            if "buckets-read" in model.held(who, b["owner"])
        ]
        everywhere = "buckets-read" in model.everywhere.get(who, ())
        permitted = everywhere or any("buckets-read" in held for held in model.on[who].values())
        answer = self.expect(who, 200 if permitted else 403, "/api/_private/buckets")
        assert answer.get("buckets", []) == seen
        everywhere = "users-read" in model.everywhere.get(who, ())
        permitted = everywhere or any("users-read" in held for held in model.on[who].values())
        permitted = permitted or model.is_admin(who)
        answer = self.expect(who, 200 if permitted else 403, "/api/_private/users")
        if permitted:
            assert answer["users"] == [
                self.user_json(n) for n in sorted(model.on) if model.sees(who, n)
            ]


def is_wrong(given: dict[str, Any]) -> bool:
    return any(item in given.items() for wrong in WRONG for item in wrong.items())


def without_none(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def later(before: dict[str, Any], after: dict[str, Any]) -> bool:
    moments = (datetime.fromisoformat(one["updated_at"]) for one in (after, before))
    return next(moments) > next(moments)
