"""The vendor's client `re` takes the sandbox for a tenant."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.conftest import Tally
from tests.scripted import Scripted, Step, relay

PROGRAM = shutil.which("re")


def version_of(program: str | None) -> str | None:
    """Return which version of the vendor's client a program is; None for another program."""
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=30)
    found = re.fullmatch(r"(?:reinfer-cli|re) (\d+\.\d+\.\d+)", done.stdout.decode().strip())
    return found[1] if found else None


VERSION = version_of(PROGRAM)
if VERSION is None:
    pytest.skip(
        "the vendor's client `re` is not on the PATH; see tests/interop/README.md",
        allow_module_level=True,
    )
VIEWER = "7669657765720002"


@dataclass(frozen=True)
class Ran:
    """A command that ended: what it printed and said, and what it asked the sandbox."""

    status: int
    rows: list[dict[str, Any]]
    told: str
    asked: list[str]

    @property
    def row(self) -> dict[str, Any]:
        """The one object that it printed."""
        (row,) = self.rows
        return row


def run(*arguments: str, told: str = "", environment: dict[str, str] | None = None) -> Any:
    """Run the client as in a terminal without colours."""
    plain = {"NO_COLOR": "1", "NO_PROXY": "*"} | (environment or {})
    left = {name: text for name, text in os.environ.items() if name != "RUST_LOG"}
    return subprocess.run(
        [str(PROGRAM), *arguments],
        input=told,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=left | plain,
    )


class Vendor:
    """The vendor's client on a sandbox.

    Args:
        client: A client of the sandbox.
        base: The path that the tenant has there.
        who: Whose token it has.
    """

    def __init__(self, client: rnb.Client, base: str = "", who: str = "admin") -> None:
        assert client.sandbox is not None
        self.box = client.sandbox
        self.base = base
        self.who = who
        self.endpoint = self.box.endpoint + base
        self.commands = 0

    def __call__(self, *arguments: str, told: str = "", output: str = "json") -> Ran:
        """Run a command, whatever comes of it."""
        before = len(self.box.requests)
        token = self.box.tokens[self.who]
        front = ["--endpoint", self.endpoint, "--token", token, "-o", output]
        done = run(*front, *arguments, told=told)
        self.commands += 1
        assert token not in done.stdout + done.stderr
        asked = self.box.requests[before:]
        assert all(one.who == self.who and one.path.startswith(self.base) for one in asked)
        requests = [f"{one.method} {one.path.removeprefix(self.base)}" for one in asked]
        assert requests[:1] == ["GET /auth/user"]
        rows = [json.loads(line) for line in done.stdout.splitlines()] if output == "json" else []
        return Ran(done.returncode, rows, done.stderr + done.stdout, requests[1:])

    def does(self, *arguments: str, told: str = "") -> Ran:
        """Run a command that succeeds."""
        ran = self(*arguments, told=told)
        assert ran.status == 0, ran.told
        assert " |- " not in ran.told
        return ran

    def fails(self, *arguments: str, told: str = "") -> Ran:
        """Run a command that fails, and says why."""
        ran = self(*arguments, told=told)
        assert (ran.status, ran.rows) == (1, []), ran.told
        assert "An error occurred" in ran.told
        return ran


@pytest.fixture(params=["", "/org/tenant/reinfer_"], ids=["a host", "a path"])
def vendor(client: rnb.Client, request: pytest.FixtureRequest, tally: Tally) -> Iterator[Vendor]:
    made = Vendor(client, request.param)
    yield made
    tally(f"commands of the vendor's client {VERSION} on the sandbox", made.commands)


REFRESH = "POST /auth/refresh-user-permissions"
SOURCES, BUCKETS = "GET /api/v1/sources", "GET /api/_private/buckets"
PROJECTS = "/api/_private/projects"
# What it prints of a source: all it requires, and two that may be missing.
PRINTED = {
    "id", "owner", "name", "title", "description", "language", "should_translate", "created_at",
    "updated_at", "bucket_id", "_kind", "email_transform_tag",
}  # fmt: skip


def source_path(full_name: str) -> str:
    return "/api/v1/sources/" + full_name.replace("/", "%2F")


def bucket_path(full_name: str) -> str:
    return "/api/_private/buckets/" + full_name.replace("/", "%2F")


def is_printed(row: dict[str, Any], source: pd.Series) -> bool:
    """Whether what it prints of a source is what our client tells of it."""
    same = [name for name in PRINTED if name not in {"_kind", "created_at", "updated_at"}]
    mine = {name: None if pd.isna(source[name]) else source[name] for name in same}
    moments = all(pd.Timestamp(row[name]) == source[name] for name in ("created_at", "updated_at"))
    theirs = {name: row[name] for name in same}
    return set(row) == PRINTED and moments and (theirs, row["_kind"]) == (mine, source["kind"])


# get sources


def test_sources_are_listed(vendor: Vendor, client: rnb.Client) -> None:
    ran = vendor.does("get", "sources")
    assert ran.asked == [SOURCES, BUCKETS]
    df = client.sources().sort_values(["owner", "name"])
    assert len(ran.rows) == len(df) == 130
    assert all(
        is_printed(row, source) for row, (_, source) in zip(ran.rows, df.iterrows(), strict=True)
    )


def test_one_source_by_name_and_id(vendor: Vendor, client: rnb.Client) -> None:
    source = client.source("claims/motor-inbox")
    by_name = vendor.does("get", "sources", "claims/motor-inbox")
    assert by_name.asked == [f"GET {source_path('claims/motor-inbox')}", BUCKETS]
    by_id = vendor.does("get", "sources", source.id)
    assert by_id.asked == [f"{SOURCES}/id:{source.id}", BUCKETS]
    assert by_id.row == by_name.row
    assert is_printed(by_name.row, source.to_series())
    ran = vendor.fails("get", "sources", "claims/nothing")
    assert "API request failed with 404 Not Found: 404 Not Found" in ran.told
    assert vendor.fails("get", "sources", "0" * 16).asked == [f"{SOURCES}/id:{'0' * 16}"]


def test_the_table_has_the_bucket_and_the_comments(vendor: Vendor, client: rnb.Client) -> None:
    ran = vendor("get", "sources", "claims/motor-inbox", "--stats", output="table")
    name = source_path("claims/motor-inbox")
    assert (ran.status, ran.asked) == (
        0, [f"GET {name}", BUCKETS, f"POST {name}/statistics"],
    )  # fmt: skip
    (line,) = [line for line in ran.told.splitlines() if "claims/motor-inbox " in line]
    source = client.source("claims/motor-inbox")
    assert line.split()[-1] == str(client.count_comments(source)) == "19640"
    assert all(text in line for text in (source.id, " motor ", "Motor claims inbox", "CONVKER5"))


def test_statistics_are_asked_one_after_another(vendor: Vendor, client: rnb.Client) -> None:
    desk = ["sources-read", "buckets-read"]
    permissions = {"claims": [], "customer-service": [], "broker-desk": desk}
    vendor.box.permit("viewer", organisation_permissions=permissions)
    vendor.who = "viewer"
    ran = vendor.does("get", "sources", "--stats")
    names = sorted(client.sources("broker-desk")["name"])
    assert [row["name"] for row in ran.rows] == names
    assert ran.asked == [SOURCES, BUCKETS] + [
        f"POST {source_path(f'broker-desk/{name}')}/statistics" for name in names
    ]


def test_a_token_without_buckets_lists_no_sources(vendor: Vendor, viewer: rnb.Client) -> None:
    vendor.who = "viewer"
    ran = vendor.fails("get", "sources")
    assert ran.asked == [SOURCES, BUCKETS]
    assert "Operation to list buckets has failed." in ran.told
    assert "API request failed with 403 Forbidden: 403 Forbidden" in ran.told
    # Ours can.
    assert len(viewer.sources()) == 109
    claims = ["sources-read", "buckets-read"]
    vendor.box.permit("viewer", organisation_permissions={"claims": claims})
    assert len(vendor.does("get", "sources").rows) == 109


# create source, update source, delete source


def test_a_source_with_nothing_said_of_it(vendor: Vendor, client: rnb.Client) -> None:
    ran = vendor.does("create", "source", "claims/travel")
    assert ran.asked == [REFRESH, f"PUT {source_path('claims/travel')}"]
    made = client.source("claims/travel")
    assert f"New source `claims/travel` [id: {made.id}] created successfully" in ran.told
    assert ran.row | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "owner": "claims",
        "name": "travel",
        "title": "",
        "description": "",
        "language": "en",
        "should_translate": False,
        "created_at": "",
        "updated_at": "",
        "bucket_id": None,
        "_kind": "unknown",
        "email_transform_tag": None,
    }
    assert is_printed(ran.row, made.to_series())


def test_a_source_with_everything_said_of_it(vendor: Vendor, client: rnb.Client) -> None:
    bucket = client.buckets().set_index(["owner", "name"])["id"]["claims", "motor"]
    for number, named in enumerate(("claims/motor", bucket)):
        full_name = f"people/travel_{number}"
        ran = vendor.does(
            *("create", "source", full_name, "--title", "Travel \N{AIRPLANE}"),
            *("--description", "A\nB", "--language", "xlm", "--should-translate", "true"),
            *("--bucket", named, "--kind", "call", "--transform-tag", "generic.0.CONVKER5"),
        )
        looked_up = [f"GET {bucket_path('claims/motor')}"] if "/" in named else []
        assert ran.asked == [REFRESH, *looked_up, f"PUT {source_path(full_name)}"]
        made = client.source(full_name)
        assert is_printed(ran.row, made.to_series())
        assert (made.title, made.description) == ("Travel \N{AIRPLANE}", "A\nB")
        assert (made.language, made.should_translate, made.kind) == ("xlm", True, "call")
        assert (made.bucket_id, made.email_transform_tag) == (bucket, "generic.0.CONVKER5")


def test_an_unknown_transform_tag_is_refused(vendor: Vendor, client: rnb.Client) -> None:
    tag = "not-a-valid-transform-tag.0.ABCDEFGH"
    message = (
        "API request failed with 422 Unprocessable Entity: "
        f"The value '{tag}' is not a valid transform tag."
    )
    before = client.source("claims/motor-inbox")
    for command in ("create source claims/travel", "update source claims/motor-inbox"):
        assert message in vendor.fails(*command.split(), "--transform-tag", tag).told
    assert client.source("claims/motor-inbox") == before
    with pytest.raises(rnb.NotFound):
        client.source("claims/travel")


def test_a_source_is_updated(vendor: Vendor, client: rnb.Client) -> None:
    before = client.source("claims/motor-inbox")
    path = source_path("claims/motor-inbox")
    asked = [REFRESH, f"GET {path}", f"POST {path}"]
    for arguments, settings in (
        (["--title", "T"], {"title": "T"}),
        (["--description", ""], {"description": ""}),
        (["--should-translate", "false"], {"should_translate": False}),
        (["--detach-bucket"], {"bucket_id": None}),
        (["--bucket", str(before.bucket_id)], {"bucket_id": before.bucket_id}),
        ([], {}),
    ):
        ran = vendor.does("update", "source", "claims/motor-inbox", *arguments)
        assert ran.asked == asked
        assert "Source `claims/motor-inbox`" in ran.told
        after = client.source("claims/motor-inbox")
        assert is_printed(ran.row, after.to_series())
        moved = {"updated_at": after.updated_at, "last_modified": after.last_modified}
        expected = before.to_series().to_dict() | settings | moved
        assert {k: v for k, v in after.to_series().items() if k not in settings} == {
            k: v for k, v in expected.items() if k not in settings
        }
        assert {name: getattr(after, name) for name in settings} == settings
        assert after.updated_at is not None
        assert before.updated_at is not None
        assert after.updated_at > before.updated_at
        before = after


def test_a_source_is_updated_by_its_id(vendor: Vendor, client: rnb.Client) -> None:
    source = client.source("claims/motor-inbox")
    ran = vendor.does("update", "source", source.id, "--bucket", "people/leave")
    assert ran.asked == [
        REFRESH,
        f"{SOURCES}/id:{source.id}",
        f"GET {bucket_path('people/leave')}",
        f"POST {source_path('claims/motor-inbox')}",
    ]
    bucket = client.buckets().set_index("name")["id"]["leave"]
    assert client.source(source.id).bucket_id == bucket == ran.row["bucket_id"]


def test_a_source_is_deleted(vendor: Vendor, client: rnb.Client) -> None:
    first, second = client.source("claims/test"), client.source("broker-desk/demo")
    ran = vendor.does("delete", "source", "claims/test")
    assert ran.asked == [
        f"GET {source_path('claims/test')}",
        f"DELETE /api/v1/sources/id:{first.id}",
    ]
    assert (ran.rows, "Deleted source." in ran.told) == ([], True)
    ran = vendor.does("delete", "source", second.id)
    assert (ran.rows, ran.asked) == ([], [f"DELETE /api/v1/sources/id:{second.id}"])
    assert not {first.id, second.id} & set(client.sources(refresh=True)["id"])
    for which in ("claims/test", first.id):
        assert "404 Not Found" in vendor.fails("delete", "source", which).told


def test_who_may_not_write_is_told(vendor: Vendor, client: rnb.Client) -> None:
    vendor.who = "viewer"
    before = client.sources()
    for status, command in (
        ("403 Forbidden", "create source claims/travel"),
        ("404 Not Found", "create source people/travel"),
        ("403 Forbidden", "update source claims/motor-inbox --title T"),
        ("403 Forbidden", "delete source claims/motor-inbox"),
        ("403 Forbidden", "create bucket claims/travel"),
        ("403 Forbidden", f"create project mine --user-ids {VIEWER}"),
        ("403 Forbidden", "update project claims --title T"),
        ("403 Forbidden", "delete project claims --force"),
        ("404 Not Found", "delete project people --force"),
        ("404 Not Found", "get projects people"),
        ("403 Forbidden", "get users"),
    ):
        assert f"API request failed with {status}: {status}" in vendor.fails(*command.split()).told
    pd.testing.assert_frame_equal(client.sources(refresh=True), before)
    assert "mine" not in set(client.projects()["name"])


# Projects


def test_a_project_from_its_making_to_its_end(vendor: Vendor, client: rnb.Client) -> None:
    ran = vendor.does(
        *("create", "project", "travel", "--title", "Travel", "--description", "D"),
        *("--user-ids", VIEWER),
    )
    # Made, it waits until the project is listed; here it is at once.
    assert ran.asked == [
        REFRESH, f"PUT {PROJECTS}/travel", REFRESH, f"GET {PROJECTS}", REFRESH,
    ]  # fmt: skip
    assert (ran.row["name"], ran.row["title"], ran.row["description"]) == ("travel", "Travel", "D")
    listed = vendor.does("get", "projects")
    assert listed.asked == [f"GET {PROJECTS}"]
    assert [row["name"] for row in listed.rows] == sorted(client.projects(refresh=True)["name"])
    one = vendor.does("get", "projects", "travel")
    assert (one.asked, one.row, ran.row in listed.rows) == (
        [f"GET {PROJECTS}/travel"], ran.row, True,
    )  # fmt: skip
    # Who is named may do everything in it.
    vendor.who = "viewer"
    vendor.does("create", "bucket", "travel/inbox")
    vendor.does("create", "source", "travel/inbox", "--bucket", "travel/inbox")
    vendor.who = "admin"
    ran = vendor.does("update", "project", "travel", "--title", "Trips")
    assert ran.asked == [REFRESH, f"POST {PROJECTS}/travel"]
    assert (ran.row["title"], ran.row["description"]) == ("Trips", "D")
    assert client.projects(refresh=True).set_index("name")["title"]["travel"] == "Trips"
    ran = vendor.fails("delete", "project", "travel")
    assert ran.asked == [f"DELETE {PROJECTS}/travel"]
    assert "422 Unprocessable Entity: The project 'travel' has 1 source and 1 bucket" in ran.told
    assert client.source("travel/inbox").owner == "travel"
    ran = vendor.does("delete", "project", "travel", "--force")
    assert (ran.asked, ran.rows) == ([f"DELETE {PROJECTS}/travel?force=true"], [])
    assert "travel" not in set(client.projects(refresh=True)["name"])
    assert "travel" not in {*client.sources()["owner"], *client.buckets()["owner"]}
    vendor.does("create", "project", "travel", "--user-ids", "61646d696e000001")
    vendor.who = "viewer"
    vendor.fails("get", "projects", "travel")
    vendor.who = "admin"
    vendor.does("delete", "project", "travel")


def test_a_project_for_nobody_is_refused(vendor: Vendor, client: rnb.Client) -> None:
    ran = vendor.fails("create", "project", "travel", "--user-ids", "0" * 16)
    assert "422 Unprocessable Entity: There is no user '0000000000000000'." in ran.told
    assert "travel" not in set(client.projects()["name"])


# Buckets


def test_a_bucket_from_its_making_to_its_end(vendor: Vendor, client: rnb.Client) -> None:
    path = bucket_path("people/travel")
    made = vendor.does("create", "bucket", "people/travel-2", "--title", "Travel").row
    ran = vendor.does("create", "bucket", "people/travel-1")
    assert ran.asked == [REFRESH, f"PUT {path}-1"]
    assert set(ran.row) == {"id", "name", "owner", "created_at"}
    listed = vendor.does("get", "buckets")
    assert listed.asked == [BUCKETS]
    df = client.buckets(refresh=True).sort_values(["owner", "name"])
    assert [row["id"] for row in listed.rows] == df["id"].tolist()
    assert [row["name"] for row in listed.rows if row["owner"] == "people"][-2:] == [
        "travel-1", "travel-2",
    ]  # fmt: skip
    one = vendor.does("get", "buckets", "people/travel-1")
    assert (one.asked, one.row) == ([f"GET {path}-1"], ran.row)
    one = vendor.does("get", "buckets", made["id"])
    assert (one.asked, one.row) == ([f"{BUCKETS}/id:{made['id']}"], made)
    client.update_source("people/travel-inbox", bucket_id=made["id"])
    failed = vendor.fails("delete", "bucket", made["id"])
    assert "422 Unprocessable Entity: The bucket 'people/travel-2' feeds 1 source" in failed.told
    vendor.does("update", "source", "people/travel-inbox", "--detach-bucket")
    gone = vendor.does("delete", "bucket", made["id"])
    assert (gone.asked, gone.rows) == ([f"DELETE /api/_private/buckets/id:{made['id']}"], [])
    gone = vendor.does("delete", "bucket", "people/travel-1")
    by_id = f"DELETE /api/_private/buckets/id:{ran.row['id']}"
    assert (gone.asked, "Deleted bucket." in gone.told) == ([f"GET {path}-1", by_id], True)
    assert not {made["id"], ran.row["id"]} & set(client.buckets(refresh=True)["id"])


# Users


def test_users_and_what_they_may(vendor: Vendor, client: rnb.Client, viewer: rnb.Client) -> None:
    me = vendor.does("get", "current-user")
    assert (me.asked, me.row["username"]) == (["GET /auth/user"], "admin")
    everybody = vendor.does("get", "users")
    assert everybody.asked == ["GET /api/_private/users"]
    assert sorted(row["username"] for row in everybody.rows) == ["admin", "viewer"]
    # The client filters.
    some = vendor.does("get", "users", "--project", "people")
    assert (some.asked, [row["username"] for row in some.rows]) == (everybody.asked, ["admin"])
    one = vendor.does("get", "users", "--user", VIEWER, "--project", "claims")
    assert (one.asked, one.row["username"]) == ([f"GET /api/_private/users/{VIEWER}"], "viewer")
    assert not viewer.me().may("sources-admin", "people")
    line = {"id": VIEWER, "organisation_permissions": {"people": ["sources-read", "sources-admin"]}}
    ran = vendor.does("update", "users", told=json.dumps(line) + "\n")
    assert ran.asked == [REFRESH, f"POST /api/_private/users/{VIEWER}"]
    assert "Successfully updated 1 users" in ran.told
    assert viewer.me().may("sources-admin", "people")
    assert viewer.me().may("sources-read", "claims")
    assert viewer.create_source("people/mine").owner == client.source("people/mine").owner


def test_there_is_nothing_to_refresh(vendor: Vendor) -> None:
    ran = vendor.fails("auth", "refresh")
    assert ran.asked == [REFRESH, REFRESH]
    assert "Permissions refresh not relevant for user" in ran.told


def test_a_token_of_nobody_is_told(vendor: Vendor) -> None:
    done = run("--endpoint", vendor.endpoint, "--token", "another", "get", "sources")
    assert (done.returncode, done.stdout) == (1, "")
    assert "API request failed with 401 Unauthorized: 401 Unauthorized" in done.stderr


# What it sends


def test_its_bodies_are_those_that_are_written_down(client: rnb.Client) -> None:
    vendor = Vendor(client)
    bucket = client.source("claims/motor-inbox").bucket_id
    with Scripted(Step(relay(client.endpoint)), repeat=True) as between:
        vendor.endpoint = between.endpoint
        for command, method, path, body in (
            ("create source claims/a", "PUT", source_path("claims/a"), {"source": {}}),
            (
                "create source claims/b --title T --should-translate false --kind chat",
                "PUT",
                source_path("claims/b"),
                {"source": {"title": "T", "should_translate": False, "_kind": "chat"}},
            ),
            (
                "update source claims/a --title T",
                "POST",
                source_path("claims/a"),
                {"source": {"title": "T", "bucket_id": None}},
            ),
            (
                "update source claims/motor-inbox",
                "POST",
                source_path("claims/motor-inbox"),
                {"source": {"bucket_id": bucket}},
            ),
            (
                "get sources claims/a --stats",
                "POST",
                source_path("claims/a") + "/statistics",
                {"comment_filter": {}},
            ),
            (
                "create bucket claims/a --title T",
                "PUT",
                bucket_path("claims/a"),
                {"bucket": {"bucket_type": "emails", "title": "T"}},
            ),
            (
                f"create project a --user-ids {VIEWER} 61646d696e000001",
                "PUT",
                f"{PROJECTS}/a",
                {"project": {}, "user_ids": [VIEWER, "61646d696e000001"]},
            ),
            ("update project a --title T", "POST", f"{PROJECTS}/a", {"project": {"title": "T"}}),
            ("auth refresh", "POST", "/auth/refresh-user-permissions", {}),
        ):
            between.asked.clear()
            vendor(*command.split())
            sent = [one for one in between.asked if (one.method, one.path) == (method, path)]
            assert sent, (command, between.asked)
            assert json.loads(sent[0].body) == body
            assert sent[0].headers["content-type"] == "application/json"
            token = vendor.box.tokens["admin"]
            assert {one.headers["authorization"] for one in between.asked} == {f"Bearer {token}"}
            assert all(not one.body for one in between.asked if one.method in ("GET", "DELETE"))


# When something goes wrong


def test_what_goes_wrong_once_is_tried_again(client: rnb.Client) -> None:
    source = client.source("claims/test")
    box = Vendor(client).box
    faults = [
        rnb.Fault.answer(503, on="create_source", times=1),
        rnb.Fault.answer(409, on="create_bucket", times=1),
        rnb.Fault.answer(429, on="update_source", times=1, retry_after=1),
        rnb.Fault.drop(on="delete_source", after=True, times=1),
    ]
    box.faults.add(*faults)
    commands = [
        "create source claims/travel",
        "create bucket claims/travel",
        "update source claims/motor-inbox --title T",
        "delete source claims/test",
    ]

    def run_it(command: str) -> tuple[int, str]:
        front = ("--endpoint", box.endpoint, "--token", box.tokens["admin"])
        done = run(*front, *command.split())
        return done.returncode, done.stderr

    # It waits five seconds each time: side by side.
    with ThreadPoolExecutor(len(commands)) as pool:
        ended = list(pool.map(run_it, commands))
    for (status, told), fault in zip(ended, faults, strict=True):
        assert status == 0, told
        assert told.count("retrying after 5s.") == box.faults.struck(fault) == 1
    assert client.source("claims/travel").title == ""
    assert "travel" in set(client.buckets()["name"])
    assert client.source("claims/motor-inbox").title == "T"
    with pytest.raises(rnb.NotFound):
        client.source(source.id)
    answered = Counter(one.status for one in box.requests if one.method in ("PUT", "DELETE"))
    # The delete was carried out, and its answer lost; it takes the 404 for success.
    assert answered == {503: 1, 409: 1, 0: 1, 404: 1, 200: 2}


def test_statistics_are_not_tried_again(vendor: Vendor) -> None:
    with vendor.box.faults.add(rnb.Fault.answer(503, on="get_statistics", times=1)) as added:
        ran = vendor.fails("get", "sources", "claims/motor-inbox", "--stats")
        assert added.struck == 1
    assert "API request failed with 503 Service Unavailable: 503 Service Unavailable" in ran.told


def test_a_page_of_a_gateway_is_no_answer(vendor: Vendor) -> None:
    page = rnb.Fault.answer(403, body="<html>Blocked</html>", on="list_sources")
    with vendor.box.faults.add(page):
        assert "Could not parse JSON response." in vendor.fails("get", "sources").told


# Its contexts


def config(*arguments: str) -> Any:
    done = run("config", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def test_a_context_that_it_adds_is_ours_too(client: rnb.Client) -> None:
    box = Vendor(client).box
    below = box.endpoint + "/org/tenant/reinfer_"
    config("add", "--name", "dev", "--endpoint", box.endpoint, "--token", box.tokens["admin"])
    config("add", "--name", "look", "--endpoint", below, "--token", box.tokens["viewer"])
    found = rnb.contexts().set_index("name")
    assert found["current"].to_dict() == {"dev": True, "look": False}
    assert found["has_token"].all()
    assert found["verify"].all()
    assert not found["proxy"].any()
    for context, who, base in (
        (None, "admin", ""), ("dev", "admin", ""), ("look", "viewer", "/org/tenant/reinfer_"),
    ):  # fmt: skip
        with rnb.connect(context=context) as tenant:
            assert tenant.me().username == who
            asked = box.requests[-1]
            assert (asked.path, asked.who) == (base + "/auth/user", who)
    # What it has made current is current for us, from then on.
    config("use", "look")
    assert config("current").stdout.strip() == "look"
    assert rnb.contexts().set_index("name")["current"].to_dict() == {"dev": False, "look": True}
    with rnb.connect() as tenant:
        assert len(tenant.sources()) == 109
    config("delete", "look")
    assert rnb.contexts()["name"].tolist() == ["dev"]
    assert not rnb.contexts()["current"].any()
    with pytest.raises(rnb.ConfigurationError):
        rnb.connect()


def test_a_context_from_the_address_of_a_page_is_ours_too(client: rnb.Client) -> None:
    box = Vendor(client).box
    page = f"{box.endpoint}/org/tenant/reinfer_/sources/claims"
    config("parse-from-url", "--url", page, "--token", box.tokens["admin"])
    with rnb.connect(context="org/tenant") as tenant:
        assert len(tenant.sources()) == 130
    assert box.requests[-1].path.startswith("/org/tenant/reinfer_/api/v1/sources")


def test_a_context_as_it_is_written_down_is_both_s(client: rnb.Client, tmp_path: Path) -> None:
    box = Vendor(client).box
    context = {
        "name": "dev",
        "endpoint": box.endpoint + "/org/tenant/reinfer_",
        "token": box.tokens["admin"],
        "accept_invalid_certificates": False,
        "proxy": None,
    }
    file = tmp_path / "config" / "reinfer" / "contexts.json"
    file.parent.mkdir(parents=True)
    for current, required in (("dev", False), (None, True)):
        content = {"current_context": current, "contexts": [context]}
        file.write_text(json.dumps(content | {"context_is_required": required}))
        assert rnb.contexts()["current"].tolist() == [current == "dev"]
        with rnb.connect(context="dev") as tenant:
            assert tenant.source("claims/motor-inbox").owner == "claims"
        done = run("--context", "dev", "-o", "json", "get", "projects")
        assert len(done.stdout.splitlines()) == len(client.projects()) == 4, done.stderr
    assert run("get", "projects").returncode == 1
    with pytest.raises(rnb.ConfigurationError):
        rnb.connect()


def test_what_the_command_says_to_type_works() -> None:
    command = [sys.executable, "-m", "reinfer_nb.cli", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            lines = list(iter(served.stdout.readline, "Ctrl-C stops it.\n"))
            typed = [line[line.index(" re ") :] for line in lines if " re " in line]
            assert [line.split()[1] for line in typed] == ["config", "--context"]
            done = [run(*shlex.split(line)[1:]) for line in typed]
        finally:
            served.terminate()
    assert [one.returncode for one in done] == [0, 0], done
    assert "claims/motor-inbox" in done[1].stdout
