"""The operations, against the sandbox over a socket, and with the reference responses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.frames import frame_cache
from reinfer_nb.server.access import Asked
from tests.waiting import AGES

REFERENCE = Path(__file__).parent.parent / "reference"
SENT_AT = datetime(2016, 2, 10, 23, 13, 28, 340295, tzinfo=UTC)
CHANGED_AT = datetime(2016, 2, 11, 8, 6, 14, 944290, tzinfo=UTC)


def requests_of(client: rnb.Client) -> list[Asked]:
    assert client.sandbox is not None
    return client.sandbox.requests


def paths(client: rnb.Client) -> list[tuple[str, str]]:
    return [(one.method, one.path) for one in requests_of(client)]


@pytest.fixture(scope="module")
def scratch() -> Iterator[rnb.Client]:
    """A client of a shared sandbox for tests that write and do not depend on each other."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def onlooker(scratch: rnb.Client) -> Iterator[rnb.Client]:
    """A client of the same sandbox as `scratch`, with the viewer's token."""
    assert scratch.sandbox is not None
    token = scratch.sandbox.tokens["viewer"]
    with rnb.connect(endpoint=scratch.endpoint, token=token) as made:
        yield made


# Reading


def test_sources_returns_all_sources_of_the_store(shared: rnb.Client) -> None:
    assert shared.sandbox is not None
    df = shared.sources()
    assert len(df) == 130
    assert isinstance(df.index, pd.RangeIndex)
    pd.testing.assert_frame_equal(df, shared.sandbox.sources(), check_like=False)


def test_attrs_hold_endpoint_project_and_time(shared: rnb.Client) -> None:
    before = pd.Timestamp.now("UTC")
    df = shared.sources("claims", refresh=True)
    assert df.attrs["endpoint"] == shared.endpoint
    assert df.attrs["project"] == "claims"
    assert before <= pd.Timestamp(df.attrs["fetched_at"]) <= pd.Timestamp.now("UTC")
    assert shared.sources().attrs["project"] is None
    assert shared.sandbox is not None
    assert shared.sandbox.tokens["admin"] not in repr(df.attrs)


def test_the_listing_of_a_project_equals_its_rows_in_the_full_listing(shared: rnb.Client) -> None:
    every = shared.sources()
    for project in every["owner"].unique():
        part = every[every["owner"] == project].reset_index(drop=True)
        pd.testing.assert_frame_equal(shared.sources(project), part)


def test_an_unknown_project_is_not_found(shared: rnb.Client) -> None:
    with pytest.raises(rnb.NotFound, match="nowhere") as caught:
        shared.sources("nowhere")
    assert caught.value.status == 404
    assert caught.value.server_message == "404 Not Found"


def test_a_source_is_found_by_name_by_id_and_by_source(shared: rnb.Client) -> None:
    by_name = shared.source("claims/motor-inbox")
    assert by_name.full_name == "claims/motor-inbox"
    assert by_name == shared.source(by_name.id) == shared.source(by_name)
    assert paths(shared)[-3:] == [
        ("GET", "/api/v1/sources/claims/motor-inbox"),
        ("GET", f"/api/v1/sources/id:{by_name.id}"),
        ("GET", "/api/v1/sources/claims/motor-inbox"),
    ]


def test_a_source_equals_its_row_in_the_listing(shared: rnb.Client) -> None:
    df = shared.sources()
    for row in (0, 57, 129):
        source = shared.source(df["id"].loc[row])
        left, right = source.to_series(), df.iloc[row]
        pd.testing.assert_series_equal(left, right, check_names=False)


@pytest.mark.parametrize("which", ["claims/nothing", "nowhere/motor-inbox", "0" * 16])
def test_a_missing_source_is_not_found(shared: rnb.Client, which: str) -> None:
    with pytest.raises(rnb.NotFound, match=which) as caught:
        shared.source(which)
    assert caught.value.status == 404


def test_projects_are_a_frame(shared: rnb.Client) -> None:
    df = shared.projects()
    assert df["name"].tolist() == ["broker-desk", "claims", "customer-service", "people"]
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "id": "str",
        "name": "str",
        "title": "str",
        "description": "str",
        "created_at": "datetime64[us, UTC]",
        "updated_at": "datetime64[us, UTC]",
    }
    assert set(df["name"]) == set(shared.sources()["owner"])


def test_buckets_include_those_of_the_sources(shared: rnb.Client) -> None:
    df = shared.buckets()
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "id": "str",
        "name": "str",
        "owner": "str",
        "created_at": "datetime64[us, UTC]",
    }
    assert set(shared.sources()["bucket_id"].dropna()) <= set(df["id"])


def test_me_is_the_user_of_the_token(scratch: rnb.Client, onlooker: rnb.Client) -> None:
    assert scratch.me().username == "admin"
    assert scratch.me().may("sources-admin", "people")
    looker = onlooker.me()
    assert looker.username == "viewer"
    assert looker.may("sources-read", "claims")
    assert not looker.may("sources-admin", "claims")
    assert looker.organisation_permissions is not None
    assert "people" not in looker.organisation_permissions


# Writing


def test_a_create_without_settings_has_the_defaults(client: rnb.Client) -> None:
    before = datetime.now(UTC)
    source = client.create_source("claims/travel")
    assert (source.owner, source.name, source.full_name) == ("claims", "travel", "claims/travel")
    assert (source.title, source.description, source.language, source.kind) == (
        "", "", "en", "unknown"
    )  # fmt: skip
    assert source.should_translate is False
    assert source.sensitive_properties == ()
    assert source.bucket_id is source.email_transform_tag is None
    assert source.email_transform_version is None
    assert source.created_at is not None
    assert before <= source.created_at <= datetime.now(UTC)
    assert source.created_at == source.updated_at == source.last_modified
    assert source == client.source(source.id)
    assert [one.method for one in requests_of(client)] == ["PUT", "GET"]


def test_a_create_stores_all_settings(client: rnb.Client) -> None:
    settings: dict[str, Any] = {
        "title": "Travel \N{AIRPLANE}",
        "description": "Two\nlines",
        "language": "xlm",
        "kind": "chat",
        "bucket_id": client.buckets()["id"].iloc[0],
        "email_transform_tag": "generic.0.CONVKER5",
        "should_translate": True,
        "sensitive_properties": ["b", "a"],
        "email_transform_version": 3,
    }
    source = client.create_source("claims/travel", **settings)
    found = client.source("claims/travel")
    assert source == found
    for name, value in settings.items():
        assert getattr(found, name) == (("b", "a") if name == "sensitive_properties" else value)
    row = client.sources("claims").iloc[-1]
    assert row["id"] == source.id
    assert row["sensitive_properties"] == ("b", "a")


def test_numpy_values_and_sets_are_converted(client: rnb.Client) -> None:
    source = client.create_source(
        "claims/travel",
        should_translate=np.True_,  # type: ignore[arg-type]
        email_transform_version=np.int64(2),  # type: ignore[arg-type]
        sensitive_properties={"b", "a"},
        title=np.str_("Travel"),
    )
    assert source.should_translate is True
    assert source.email_transform_version == 2
    assert source.sensitive_properties == ("a", "b")
    assert source.title == "Travel"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "New"),
        ("title", ""),
        ("description", "New"),
        ("language", "de"),
        ("kind", "call"),
        ("kind", "something_of_tomorrow"),
        ("bucket_id", None),
        ("email_transform_tag", "generic.0.CONVKER5"),
        ("should_translate", False),
        ("sensitive_properties", ()),
        ("sensitive_properties", ("policy_number", "iban")),
        ("email_transform_version", 7),
    ],
)
def test_an_update_changes_only_the_given_settings(
    scratch: rnb.Client, name: str, value: Any
) -> None:
    before = scratch.source("claims/property-inbox")
    after = scratch.update_source("claims/property-inbox", **{name: value})
    assert getattr(after, name) == value
    moved = {name, "updated_at", "last_modified"}
    for attribute in before.__dataclass_fields__:
        if attribute not in moved:
            assert getattr(after, attribute) == getattr(before, attribute), attribute
    assert after.updated_at is not None
    assert before.updated_at is not None
    assert after.updated_at > before.updated_at
    assert after.last_modified == after.updated_at
    assert after == scratch.source("claims/property-inbox")


def test_every_update_has_a_later_time(scratch: rnb.Client) -> None:
    times = [scratch.update_source("claims/test", title="same").updated_at for _ in range(5)]
    assert times == sorted(set(times), key=str)


def test_an_update_takes_a_name_an_id_or_a_source(scratch: rnb.Client) -> None:
    source = scratch.source("claims/motor-inbox")
    for which in (source.full_name, source.id, source):
        assert scratch.update_source(which, title=f"By {type(which)}").id == source.id


def test_detaching_a_bucket_makes_it_missing(client: rnb.Client) -> None:
    df = client.sources()
    name = df.loc[df["bucket_id"].notna(), "name"].iloc[0]
    owner = df.loc[df["bucket_id"].notna(), "owner"].iloc[0]
    assert client.update_source(f"{owner}/{name}", bucket_id=None).bucket_id is None
    after = client.sources(owner)
    assert after.loc[after["name"] == name, "bucket_id"].isna().all()


def test_a_delete_returns_the_source(client: rnb.Client) -> None:
    source = client.source("claims/motor-inbox")
    assert client.delete_source("claims/motor-inbox") == source
    assert paths(client)[-3:] == [
        ("GET", "/api/v1/sources/claims/motor-inbox"),
        ("DELETE", f"/api/v1/sources/id:{source.id}"),
        # The look if the source is gone.
        ("GET", f"/api/v1/sources/id:{source.id}"),
    ]
    for which in ("claims/motor-inbox", source.id):
        with pytest.raises(rnb.NotFound):
            client.source(which)
        with pytest.raises(rnb.NotFound):
            client.delete_source(which)
    with pytest.raises(rnb.NotFound):
        client.update_source("claims/motor-inbox", title="gone")
    assert source.id not in client.sources()["id"].tolist()


def test_a_delete_spares_a_new_source_of_the_same_name(client: rnb.Client) -> None:
    old = client.delete_source("claims/motor-inbox")
    new = client.create_source("claims/motor-inbox")
    assert new.id != old.id
    with pytest.raises(rnb.NotFound):
        client.delete_source(old)
    assert client.source("claims/motor-inbox") == new


def test_a_create_with_the_same_settings_is_a_conflict_too(client: rnb.Client) -> None:
    made = client.create_source("claims/travel", title="Travel")
    with pytest.raises(rnb.Conflict) as caught:
        client.create_source("claims/travel", title="Travel")
    assert caught.value.existing == made


def test_a_create_in_an_unknown_project_is_not_found(scratch: rnb.Client) -> None:
    with pytest.raises(rnb.NotFound):
        scratch.create_source("nowhere/travel")


# Permissions of a viewer

WRITES: list[Callable[[rnb.Client], object]] = [
    lambda client: client.create_source("claims/travel"),
    lambda client: client.update_source("claims/motor-inbox", title="x"),
    lambda client: client.delete_source("claims/motor-inbox"),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_viewer_writes_nothing(
    scratch: rnb.Client, onlooker: rnb.Client, write: Callable[[rnb.Client], object]
) -> None:
    assert scratch.sandbox is not None
    before = scratch.sandbox.sources()
    with pytest.raises(rnb.PermissionDenied, match="sources admin") as caught:
        write(onlooker)
    assert caught.value.status == 403
    pd.testing.assert_frame_equal(scratch.sandbox.sources(), before)


HIDDEN: list[Callable[[rnb.Client], object]] = [
    lambda client: client.sources("people"),
    lambda client: client.source("people/payroll-inbox"),
    lambda client: client.create_source("people/travel"),
    lambda client: client.update_source("people/payroll-inbox", title="x"),
    lambda client: client.delete_source("people/payroll-inbox"),
]


@pytest.mark.parametrize("look", HIDDEN)
def test_a_viewer_does_not_find_the_hidden_project(
    onlooker: rnb.Client, look: Callable[[rnb.Client], object]
) -> None:
    with pytest.raises(rnb.NotFound):
        look(onlooker)


def test_a_viewer_does_not_find_a_hidden_source_by_id(
    scratch: rnb.Client, onlooker: rnb.Client
) -> None:
    hidden = scratch.source("people/payroll-inbox").id
    for call in (onlooker.source, onlooker.delete_source):
        with pytest.raises(rnb.NotFound):
            call(hidden)


def test_a_viewer_sees_three_projects_and_no_bucket(onlooker: rnb.Client) -> None:
    assert set(onlooker.sources()["owner"]) == {"broker-desk", "claims", "customer-service"}
    assert onlooker.projects()["name"].tolist() == ["broker-desk", "claims", "customer-service"]
    with pytest.raises(rnb.PermissionDenied, match="view buckets"):
        onlooker.buckets()


# Statistics


@pytest.mark.slow
def test_statistics_add_a_column(shared: rnb.Client) -> None:
    listing = shared.sources()
    df = shared.statistics(listing, progress=False)
    assert str(df["num_comments"].dtype) == "Int64"
    assert df["num_comments"].notna().all()
    assert df["num_comments"].sum() > 0
    pd.testing.assert_frame_equal(df.drop(columns="num_comments"), listing)
    assert df.attrs == listing.attrs
    assert "num_comments" not in listing.columns


@pytest.mark.slow
def test_statistics_match_their_rows(shared: rnb.Client) -> None:
    counts = shared.statistics(shared.sources(), progress=False).set_index("id")["num_comments"]
    part = shared.sources().iloc[::-3]
    doubled = pd.concat([part, part.head(4)]).set_index("title", append=True)
    begin = len(requests_of(shared))
    df = shared.statistics(doubled, progress=False, workers=3)
    assert df.index.equals(doubled.index)
    assert df["num_comments"].tolist() == counts[doubled["id"]].tolist()
    sent = [one.path for one in requests_of(shared)[begin:]]
    assert len(sent) == len(set(sent)) == len(part)


def test_statistics_of_no_rows_send_no_requests(shared: rnb.Client) -> None:
    begin = len(requests_of(shared))
    df = shared.statistics(shared.sources().iloc[:0], progress=True)
    assert len(df) == 0
    assert str(df["num_comments"].dtype) == "Int64"
    assert len(requests_of(shared)) <= begin + 1


def test_statistics_of_unknown_sources_are_missing_with_a_warning(shared: rnb.Client) -> None:
    df = shared.sources().head(3).copy()
    df.loc[1, "name"] = "nothing"
    df.loc[2, "name"] = "../../etc"
    with pytest.warns(rnb.UnreadableWarning, match="2 sources could not") as caught:
        result = shared.statistics(df, progress=False)
    assert len(caught) == 1
    assert "claims/nothing (404)" in str(caught[0].message)
    assert "claims/../../etc" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert result["num_comments"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("column", ["owner", "name"])
@pytest.mark.parametrize("missing", [None, ""])
def test_statistics_of_a_missing_name_send_no_request(
    shared: rnb.Client, column: str, missing: str | None
) -> None:
    df = shared.sources().head(1).copy()
    df[column] = pd.Series([missing], dtype="str")
    begin = len(requests_of(shared))
    with pytest.warns(rnb.UnreadableWarning, match=r": \(no name\) \(not a valid name\)"):
        result = shared.statistics(df, progress=False)
    assert result["num_comments"].isna().all()
    assert requests_of(shared)[begin:] == []


@pytest.mark.parametrize("workers", [0, -1, 33, 1.5, True, "8", None])
def test_workers_out_of_range_are_refused(shared: rnb.Client, workers: Any) -> None:
    df = shared.sources()
    begin = len(requests_of(shared))
    with pytest.raises(rnb.InvalidInput, match="workers must be a number from 1 to 32"):
        shared.statistics(df, workers=workers)
    assert len(requests_of(shared)) == begin


@pytest.mark.parametrize("df", [None, 5, [], pd.DataFrame(), pd.DataFrame({"owner": ["claims"]})])
def test_statistics_take_a_listing(shared: rnb.Client, df: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"takes a listing|list .* is empty"):
        shared.statistics(df)


@pytest.mark.parametrize("progress", [True, False])
def test_a_progress_bar_is_shown_when_asked_for(
    shared: rnb.Client, capfd: pytest.CaptureFixture[str], *, progress: bool
) -> None:
    shared.statistics(shared.sources().head(3), progress=progress)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("3/3" in err) is progress
    assert progress or err == ""


# The cache


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def with_clock(client: rnb.Client, ttl: float = 300.0) -> Clock:
    clock = Clock()
    client._listings.cache = frame_cache.Cache(ttl, clock)
    return clock


def test_a_cache_hit_sends_no_request(client: rnb.Client) -> None:
    first = client.sources()
    assert len(requests_of(client)) == 1
    for _ in range(3):
        again = client.sources()
        pd.testing.assert_frame_equal(again, first)
        assert again.attrs == first.attrs
    assert len(requests_of(client)) == 1
    client.sources("claims")
    client.sources("claims")
    client.projects()
    client.projects()
    client.buckets()
    client.buckets()
    assert len(requests_of(client)) == 4


def test_a_listing_expires_after_its_time_to_live(client: rnb.Client) -> None:
    clock = with_clock(client)
    client.sources()
    clock.now += 299.9
    client.sources()
    assert len(requests_of(client)) == 1
    clock.now += 0.1
    client.sources()
    assert len(requests_of(client)) == 2


def test_the_time_to_live_starts_with_the_request(client: rnb.Client) -> None:
    clock = Clock()
    cache = frame_cache.Cache(10.0, clock)

    def slow() -> pd.DataFrame:
        clock.now += 8
        return client.sources(refresh=True)

    cache.get("x", slow)
    clock.now += 3
    cache.get("x", slow)
    assert len(requests_of(client)) == 2


def test_a_time_to_live_of_0_caches_nothing() -> None:
    with rnb.sandbox(cache_ttl=0) as client:
        client.sources()
        client.sources()
        assert len(requests_of(client)) == 2


FAILING_WRITES: list[Callable[[rnb.Client], object]] = [
    lambda client: client.create_source("claims/motor-inbox"),
    lambda client: client.create_source("nowhere/x"),
    lambda client: client.update_source("claims/nothing", title="x"),
    lambda client: client.update_source("claims/test", email_transform_tag="no"),
]


@pytest.mark.parametrize("write", FAILING_WRITES)
def test_a_failed_write_clears_the_cache_too(
    scratch: rnb.Client, write: Callable[[rnb.Client], object]
) -> None:
    scratch.sources()
    with pytest.raises(rnb.AnswerError):
        write(scratch)
    begin = len(requests_of(scratch))
    scratch.sources()
    assert len(requests_of(scratch)) == begin + 1


def test_a_listing_fetched_during_a_write_is_not_cached(client: rnb.Client) -> None:
    cache = frame_cache.Cache(300.0)
    fetched: list[pd.DataFrame] = []

    def fetch() -> pd.DataFrame:
        df = client.sources(refresh=True)
        if not fetched:
            cache.clear()
        fetched.append(df)
        return df

    for expected in (1, 2, 2):
        assert len(cache.get("x", fetch)) == 130
        assert len(fetched) == expected


def test_a_refresh_during_a_write_is_not_cached(client: rnb.Client) -> None:
    cache = frame_cache.Cache(300.0)
    cache.get("x", client.sources)

    def outdated() -> pd.DataFrame:
        df = client.sources(refresh=True)
        client.delete_source("claims/test")
        cache.clear()
        return df

    assert len(cache.get("x", outdated, refresh=True)) == 130
    assert len(cache.get("x", client.sources)) == 129


def test_a_failed_listing_is_not_cached(client: rnb.Client) -> None:
    for _ in range(2):
        with pytest.raises(rnb.NotFound):
            client.sources("nowhere")
    paths = [one.path for one in requests_of(client)]
    assert paths.count("/api/v1/sources/nowhere") == 2


# The responses of the reference page


class Seen(NamedTuple):
    """A received request."""

    method: str
    path: str
    authorization: str
    content_type: str | None
    body: Any


class Tenant(NamedTuple):
    """A server with fixed responses."""

    client: rnb.Client
    seen: list[Seen]


@contextmanager
def tenant(responses: dict[tuple[str, str], bytes], base: str = "") -> Iterator[Tenant]:
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            seen.append(
                Seen(
                    self.command,
                    self.path,
                    self.headers["Authorization"],
                    self.headers["Content-Type"],
                    json.loads(body) if body else None,
                )
            )
            content = responses.get((self.command, self.path))
            if self.command == "DELETE" and content:
                responses.pop(("GET", self.path), None)
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", "application/json")
            content = content or b'{"status": "error", "message": "404 Not Found"}'
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}{base}"
        try:
            with rnb.connect(endpoint=endpoint, token="sesame") as client:
                yield Tenant(client, seen)
        finally:
            server.shutdown()
            thread.join()


def reference(name: str) -> bytes:
    return (REFERENCE / f"{name}.json").read_bytes()


BASES = ["", "/org/tenant/reinfer_"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("project", "path", "name"),
    [
        (None, "/api/v1/sources", "get-all"),
        ("acme", "/api/v1/sources/acme", "get-by-project"),
    ],
)
def test_the_reference_listings(base: str, project: str | None, path: str, name: str) -> None:
    with tenant({("GET", base + path): reference(name)}, base) as (client, seen):
        df = client.sources(project)
    assert seen == [Seen("GET", base + path, "Bearer sesame", None, None)]
    assert len(df) == 1
    assert df.loc[0, "id"] == "18ba5ce699f8da1f"
    assert df.loc[0, "title"] == "An Example Source"
    assert df.loc[0, "sensitive_properties"] == ()
    for column in ("created_at", "updated_at", "last_modified"):
        assert df.loc[0, column] == pd.Timestamp(SENT_AT)
        assert df[column].loc[0].isoformat() == "2016-02-10T23:13:28.340295+00:00"


def is_the_example(source: rnb.Source) -> bool:
    return (
        source.id == "18ba5ce699f8da1f"
        and (source.owner, source.name) == ("<project>", "example")
        and source.title == "An Example Source"
        and source.should_translate is False
        and source.sensitive_properties == ()
        and source.bucket_id is None
        and source.created_at == SENT_AT
        and not source.extra
    )


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("which", "path", "name", "language"),
    [
        ("acme/example", "/api/v1/sources/acme/example", "get-by-name", None),
        ("18ba5ce699f8da1f", "/api/v1/sources/id:18ba5ce699f8da1f", "get-by-id", "en"),
    ],
)
def test_the_reference_source(
    base: str, which: str, path: str, name: str, language: str | None
) -> None:
    with tenant({("GET", base + path): reference(name)}, base) as (client, seen):
        source = client.source(which)
    assert seen == [Seen("GET", base + path, "Bearer sesame", None, None)]
    assert is_the_example(source)
    assert source.language == language
    assert source.updated_at == source.last_modified == SENT_AT


@pytest.mark.parametrize("base", BASES)
def test_the_reference_create(base: str) -> None:
    path = base + "/api/v1/sources/acme/example"
    settings: dict[str, Any] = {
        "title": "An Example Source",
        "description": "An optional long form description.",
        "language": "en",
        "should_translate": False,
        "sensitive_properties": [],
    }
    with tenant({("PUT", path): reference("create")}, base) as (client, seen):
        source = client.create_source("acme/example", **settings)
    body = {"source": settings}
    assert seen == [Seen("PUT", path, "Bearer sesame", "application/json", body)]
    assert is_the_example(source)
    assert source.updated_at == source.last_modified == SENT_AT


@pytest.mark.parametrize("base", BASES)
def test_the_reference_update(base: str) -> None:
    path = base + "/api/v1/sources/acme/example"
    with tenant({("POST", path): reference("update")}, base) as (client, seen):
        source = client.update_source("acme/example", description="An alternative description.")
    body = {"source": {"description": "An alternative description."}}
    assert seen == [Seen("POST", path, "Bearer sesame", "application/json", body)]
    assert is_the_example(source)
    assert source.description == "An alternative description."
    assert source.updated_at == source.last_modified == CHANGED_AT


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("which", ["acme/example", "18ba5ce699f8da1f"])
def test_the_reference_delete(base: str, which: str) -> None:
    by_id = base + "/api/v1/sources/id:18ba5ce699f8da1f"
    look = by_id if "/" not in which else base + "/api/v1/sources/acme/example"
    responses = {("GET", look): reference("get-by-id"), ("DELETE", by_id): reference("delete")}
    with tenant(responses, base) as (client, seen):
        source = client.delete_source(which)
    assert seen == [
        Seen("GET", look, "Bearer sesame", None, None),
        Seen("DELETE", by_id, "Bearer sesame", None, None),
        # The look if the source is gone.
        Seen("GET", by_id, "Bearer sesame", None, None),
    ]
    assert is_the_example(source)


def test_a_kind_is_sent_by_its_json_name() -> None:
    path = "/api/v1/sources/acme/example"
    with tenant({("PUT", path): reference("create")}) as (client, seen):
        client.create_source("acme/example", kind="chat")
    assert seen[0].body == {"source": {"_kind": "chat"}}


def test_no_settings_are_sent_as_an_empty_object() -> None:
    path = "/api/v1/sources/acme/example"
    with tenant({("PUT", path): reference("create")}) as (client, seen):
        client.create_source("acme/example")
    assert seen[0].body == {"source": {}}


def test_a_detached_bucket_is_sent_as_null() -> None:
    path = "/api/v1/sources/acme/example"
    with tenant({("POST", path): reference("update")}) as (client, seen):
        client.update_source("acme/example", bucket_id=None)
    assert seen[0].body == {"source": {"bucket_id": None}}


def test_a_late_response_does_not_replace_a_newer_one() -> None:
    cache = frame_cache.Cache(300)
    begun, done = threading.Event(), threading.Event()

    def slow() -> pd.DataFrame:
        begun.set()
        done.wait(AGES)
        return pd.DataFrame({"title": ["old"]})

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(cache.get, "all", slow)
        begun.wait(AGES)
        cache.get("all", lambda: pd.DataFrame({"title": ["new"]}), refresh=True)
        done.set()
        assert late.result()["title"].tolist() == ["old"]
    assert cache.get("all", slow)["title"].tolist() == ["new"]


@pytest.mark.parametrize("column", ["owner", "name"])
def test_statistics_reject_a_duplicate_column(shared: rnb.Client, column: str) -> None:
    df = shared.sources()
    twice = pd.concat([df, df[[column]]], axis=1)
    with pytest.raises(rnb.InvalidInput, match="statistics takes a listing"):
        shared.statistics(twice)


def test_a_warning_points_at_the_line_of_the_call(client: rnb.Client) -> None:
    df = pd.DataFrame({"owner": ["claims"], "name": ["nowhere"]})
    for ask in (client.statistics, lambda listing: client.statistics(listing, workers=2)):
        with pytest.warns(rnb.UnreadableWarning) as caught:
            ask(df)
        assert caught[0].filename == __file__


def test_dollars_in_a_title_are_not_shown_as_a_formula(client: rnb.Client) -> None:
    shown = client.update_source("claims/motor-inbox", title="From $5 to $10 <b>")._repr_html_()
    assert "tex2jax_ignore mathjax_ignore" in shown
    assert "From $5 to $10 &lt;b&gt;" in shown
