"""The practice tenant: who may do what, wrong requests, kills, many writers, and other files."""

from __future__ import annotations

import hmac
import json
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random, randrange
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import reinfer_nb as rnb
from reinfer_nb.server.store import Store
from tests.conftest import SLOW_EXAMPLES, Tally
from tests.server.tenant_model import BEGIN, COMMENTS, PERMITTED, Run, Tenant
from tests.server.test_access import spoken
from tests.server.test_durability import (
    SOURCES,
    WRITERS,
    Forking,
    Json,
    Line,
    Process,
    Writer,
    beside,
    is_intact,
    line_of,
    unclean,
)
from tests.server.test_openapi import (
    CALLS,
    SOURCE_CALLS,
    ask_everything,
    check,
    names_of,
    schema_of,
)
from tests.server.test_practice_tenant import MOTOR, Plain, box_of, is_error
from tests.waiting import AGES, until

# Access

# Other machines cannot reach the first address; the second one stands for an address of this
# machine, since only a server that listens on all addresses answers there.
LOOPBACK, OTHER = "127.0.0.1", "127.0.0.2"
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example:{port}",
    "evil.example:80@127.0.0.1:{port}",
    "10.0.0.1:{port}",
    "0.0.0.0:{port}",
    "",
]
NO_TOKENS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer unknown",
    "Bearer  {admin}",
    "Bearer {admin}x",
    "Bearer {viewer} {admin}",
    "{admin}",
    "Basic {admin}",
    "Token {admin}",
    "Bearer\t{admin}",
    b"Bearer \xff\xfe",
    "Bearer " + "x" * 8000,
]


def test_case_48_access(monkeypatch: pytest.MonkeyPatch) -> None:
    """listens on loopback only unless told otherwise; refuses a foreign `Host`; a missing, unknown
    or malformed token gets 401 in constant time; viewer tokens get 403 on writes; a project outside
    the token's permissions is not shown.
    """
    with rnb.sandbox() as client, rnb.sandbox(host="0.0.0.0") as everywhere:
        _check_addresses(client, everywhere)
        for one, hosts in ((client, FOREIGN_HOSTS), (everywhere, ["evil.example:{port}"])):
            _check_hosts(one, hosts)
        _check_tokens(client, monkeypatch)
        _check_viewer(client)


def _check_addresses(client: rnb.Client, everywhere: rnb.Client) -> None:
    for one, answers in ((client, False), (everywhere, True)):
        assert urlsplit(one.endpoint).hostname == LOOPBACK
        assert len(one.sources()) == 130
        port = urlsplit(one.endpoint).port
        headers = {"Authorization": f"Bearer {box_of(one).tokens['viewer']}"}
        url = f"http://{OTHER}:{port}/api/v1/sources"
        if answers:
            assert requests.get(url, headers=headers, timeout=AGES).status_code == 200
        else:
            with pytest.raises(OSError):
                socket.create_connection((OTHER, port), timeout=2).close()


def _check_hosts(client: rnb.Client, hosts: list[str]) -> None:
    plain, port = Plain(client), urlsplit(client.endpoint).port
    with plain.session:
        for host in hosts:
            answer = plain("GET", "/api/v1/sources", headers={"Host": host.format(port=port)})
            assert is_error(answer), host
            assert "sources" not in answer.json()
        for host in ("localhost:{port}", "LOCALHOST:{port}", "127.0.0.1:{port}"):
            answer = plain("GET", "/api/v1/sources", headers={"Host": host.format(port=port)})
            assert answer.status_code == 200, host


def _check_tokens(client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    box, compare = box_of(client), hmac.compare_digest
    compared: list[object] = []

    def counted(known: Any, given: Any) -> bool:
        compared.append(known)
        return compare(known, given)

    before = box.sources()
    # Each is compared with all tokens, the known ones too, so that the time tells nothing.
    all_tokens = [*box.tokens.values()]
    counts = set()
    with requests.Session() as session, monkeypatch.context() as patch:
        session.trust_env = False
        patch.setattr(hmac, "compare_digest", counted)
        for given in [*NO_TOKENS, *(f"Bearer {token}" for token in all_tokens)]:
            text = given.format(**box.tokens) if isinstance(given, str) else given
            headers = {"Authorization": text} if text is not None else {}
            known = isinstance(text, str) and text.removeprefix("Bearer ") in all_tokens
            known = known and str(text).startswith("Bearer ")
            for method, path in (
                ("GET", "/api/v1/sources"),
                *([] if known else [("GET", "/nowhere"), ("GET", MOTOR), ("PUT", MOTOR + "-x")]),
                *([] if known else [("POST", MOTOR), ("DELETE", f"{SOURCES}/id:{'0' * 16}")]),
            ):
                compared.clear()
                body = {"source": {"title": "x"}} if method in ("PUT", "POST") else None
                answer = session.request(
                    method, client.endpoint + path, headers=headers, json=body, timeout=AGES
                )
                counts.add(len(compared))
                assert {token for token in all_tokens if token.encode() in compared}
                if known:
                    assert answer.status_code == 200
                    continue
                assert is_error(answer, 401), given
                assert not any(token in answer.text for token in all_tokens)
                assert (box.requests[-1].status, box.requests[-1].who) == (401, "")
    assert counts == {2 * len(all_tokens)}
    pd.testing.assert_frame_equal(box.sources(), before)


def _check_viewer(client: rnb.Client) -> None:
    body: dict[str, Any] = {"source": {}}
    before = client.sources(refresh=True)
    shown_id = client.source("claims/glass-inbox").id
    hidden_id = client.source("people/payroll-inbox").id
    viewer = Plain(client, "viewer")
    with viewer.session:
        assert is_error(viewer("PUT", "/api/v1/sources/claims/x", json=body), 403)
        assert is_error(viewer("POST", "/api/v1/sources/claims/glass-inbox", json=body), 403)
        assert is_error(viewer("DELETE", f"/api/v1/sources/id:{shown_id}"), 403)
        assert is_error(viewer("GET", "/api/_private/buckets"), 403)
        for method, path in (
            ("GET", "/api/v1/sources/people"),
            ("GET", "/api/v1/sources/people/payroll-inbox"),
            ("GET", f"/api/v1/sources/id:{hidden_id}"),
            ("DELETE", f"/api/v1/sources/id:{hidden_id}"),
            ("PUT", "/api/v1/sources/people/x"),
            ("POST", "/api/v1/sources/people/payroll-inbox"),
        ):
            answer = viewer(method, path, json=body if method in ("PUT", "POST") else None)
            assert is_error(answer, 404), (method, path)
        stats = "/api/v1/sources/people/payroll-inbox/statistics"
        assert is_error(viewer("POST", stats, json={"comment_filter": {}}), 404)
        # Invalid content does not reveal whether a project exists.
        for project in ("people", "nowhere"):
            answer = viewer("PUT", f"/api/v1/sources/{project}/x", json={"source": {"title": 5}})
            assert is_error(answer, 404)
        for path, kind in (("/api/v1/sources", "sources"), ("/api/_private/projects", "projects")):
            listed = viewer("GET", path).json()[kind]
            owners = {one["owner" if kind == "sources" else "name"] for one in listed}
            assert "people" not in owners
            assert "claims" in owners
    pd.testing.assert_frame_equal(client.sources(refresh=True), before)


# Wrong requests

# By status: user, operation and body.
REFUSED: dict[int, list[tuple[str, str, bytes | None]]] = {
    400: [("admin", "update_source", b"{")],
    401: [("stranger", "list_sources", None)],
    403: [("viewer", "update_source", b'{"source": {}}'), ("viewer", "list_buckets", None)],
    404: [("viewer", "get_source", None), ("viewer", "get_project", None)],
    409: [("admin", "create_source", b'{"source": {}}')],
    413: [("admin", "update_source", b" " * (9 << 20))],
    415: [("admin", "create_project", b"x")],
    422: [
        ("admin", "update_source", b'{"source": {"title": 5}}'),
        ("admin", "delete_project", None),
    ],
}


STATUSES = {200, 401, 403, 404, 409, 422}
DONE = (
    "PUT /api/v1/sources/*",
    "POST /api/v1/sources/*",
    "DELETE /api/v1/sources/id:*",
    "POST /api/_private/users/*",
)


@pytest.mark.slow
def test_case_49_wrong_requests_get_an_error_in_the_envelope(tmp_path: Path, tally: Tally) -> None:
    """S names, methods and bodies that are wrong get 400/404/405/409/413/415/422 with the error
    envelope, never 500 and never HTML: fuzzed with schemathesis from its own OpenAPI document, and
    with hypothesis state machines against a model.
    """
    with rnb.sandbox() as client:
        _check_refusals(client)
    for call in SOURCE_CALLS:
        with rnb.sandbox() as client:
            plain = Plain(client)
            with plain.session:
                ask_everything(client, plain, names_of(client, plain), call, tally)
    _check_against_model(tmp_path, tally)


def _check_refusals(client: rnb.Client) -> None:
    document = requests.get(client.endpoint + "/openapi.json", timeout=AGES).json()
    for status, wrong in REFUSED.items():
        kind = "text/plain" if status == 415 else "application/json"
        # The viewer may not see the project that the 404 is about.
        parts = {"project": "people" if status == 404 else "claims", "name": "motor-inbox"}
        for who, operation_id, body in wrong:
            (call,) = [one for one in CALLS if one.id == operation_id]
            token = box_of(client).tokens.get(who, "stranger")
            answer = requests.request(
                call.method,
                call.url(client.endpoint, **parts),
                data=body,
                headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
                timeout=AGES,
            )
            assert is_error(answer, status)
            check(answer.json(), schema_of(document, call, status))
    headers = {"Authorization": f"Bearer {box_of(client).tokens['admin']}"}
    for path, known in document["paths"].items():
        for method in {"PATCH", "BREW", "PUT", "DELETE"} - {name.upper() for name in known}:
            url = client.endpoint + path.replace("{", "").replace("}", "")
            answer = requests.request(method, url, headers=headers, timeout=AGES)
            assert is_error(answer, 405), (method, path)


def _check_against_model(folder: Path, tally: Tally) -> None:
    # A database to start with: few sources, a bucket, and users with few permissions.
    frame = pd.DataFrame([{**one, "num_comments": COMMENTS[one["id"]]} for one in BEGIN])
    frame = frame.rename(columns={"_kind": "kind"})
    for column in ("created_at", "updated_at", "last_modified"):
        frame[column] = pd.to_datetime(frame[column], format="ISO8601")
    box = rnb.sandbox(frame, database=folder / "begin.db")
    with box:
        for name, on in PERMITTED.items():
            box.add_user(name, organisation_permissions=on)
    with ThreadPoolExecutor(1) as stopping:
        run = Run(folder / "begin.db", stopping)
        # Requests are chosen at random; each of these has to succeed at least once, and each status
        # has to be there.
        for _ in range(4):
            run_state_machine_as_test(
                type("Tenant", (Tenant,), {"run": run}),
                settings=settings(
                    SLOW_EXAMPLES, max_examples=12, stateful_step_count=30, derandomize=False
                ),
            )
            missing = {(request, 200) for request in DONE} - {*run.answers}
            statuses = {status for _, status in run.answers}
            if not missing and statuses >= STATUSES:
                break
    for stopped in run.stopped:
        stopped.result()
    assert statuses == STATUSES
    assert not missing
    for what, number in run.counts.items():
        tally(f"state machine {what}", number)


# Longer than what fits into the buffers between client and server.
REST = b"x" * 5_000_000
PUT = b"PUT /api/v1/sources/claims/x HTTP/1.1\r\nConnection: close\r\nContent-Length: 5000000\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: ", 400),
        (PUT + b"Host: localhost\r\n\r\n", 401),
        (PUT + b"Host: evil.example\r\n\r\n", 400),
    ],
    ids=["nonsense", "long", "no token", "host"],
)
def test_case_85_more_is_sent_than_read(shared: rnb.Client, head: bytes, status: int) -> None:
    """S a client that sends more than is read, such as a header of 5 MB or a body without a token:
    the refusal arrives in the error envelope, and the connection is not reset before.
    """
    actual, _, body = spoken(shared, head + REST)
    assert actual == status
    assert json.loads(body)["status"] == "error"


# Kills and many writers

# Number of processes to kill under load, and at the start.
LIVES, BIRTHS = 8, 3


def of_nobody(there: Mapping[str, Json]) -> dict[str, Json]:
    return {name: source for name, source in there.items() if not name.startswith("writer-")}


@pytest.fixture(scope="module")
def forking() -> Iterator[Forking]:
    with Forking() as made:
        yield made


@pytest.mark.slow
def test_case_50_a_kill_loses_no_acknowledged_write(
    forking: Forking, tmp_path: Path, tally: Tally
) -> None:
    """P kill -9 under load with a file database: every acknowledged write is there afterwards, no
    unacknowledged half.
    """
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice = Random(seed)
    file = tmp_path / "box.db"
    births = dice.sample(range(1, LIVES + BIRTHS), BIRTHS)
    writers = [Writer(number, dice.randrange(2**32)) for number in range(WRITERS)]
    sample: dict[str, Json] = {}
    for life in range(LIVES + BIRTHS):
        with Process(forking, file) as process:
            if life in births:
                time.sleep(dice.uniform(0, 0.1))
            else:
                with closing(process.line()) as line:
                    there = line.listing()
                sample = sample or there
                assert of_nobody(there) == sample
                live(process, writers, there, dice.uniform(0.05, 0.7))
        assert is_intact(file), f"kill {life}"
        tally("kills of a sandbox at work", 1)
    with Process(forking, file) as process:
        with closing(process.line()) as line:
            there = line.listing()
            for writer in writers:
                writer.check(there)
            assert of_nobody(there) == sample
            for name, source in there.items():
                assert line("GET", f"{SOURCES}/{source['owner']}/{name}")[1]["source"] == source
        process.end(signal.SIGTERM)
        assert process.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["box.db"]
    assert is_intact(file)
    tally("writes acknowledged before a kill", sum(writer.acknowledged for writer in writers))


def live(process: Process, writers: list[Writer], there: dict[str, Json], seconds: float) -> None:
    """Check the data of the earlier process, then write at full speed until killed."""
    before = sum(writer.acknowledged for writer in writers)
    for writer in writers:
        writer.check(there)
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [
            pool.submit(writer.write, Line(process.endpoint, process.token)) for writer in writers
        ]
        time.sleep(seconds)
        # On a busy machine there may be no response yet.
        until(lambda: sum(writer.acknowledged for writer in writers) > before)
        process.end(signal.SIGKILL)
        for each in writing:
            each.result()
    assert sum(writer.acknowledged for writer in writers) > before


class Told(NamedTuple):
    """An acknowledged update, and when it was sent and acknowledged."""

    begin: float
    end: float
    sent: Json
    source: Json


@pytest.mark.slow
def test_case_51_a_hundred_writers_of_one_source(tmp_path: Path) -> None:
    """S a hundred concurrent writers: no "database is locked", no lost update."""
    path = f"{SOURCES}/claims/motor-inbox"
    kinds: list[Callable[[str, int], Json]] = [
        lambda text, _: {"title": text},
        lambda text, _: {"description": text},
        lambda text, _: {"sensitive_properties": [text]},
        lambda _, number: {"email_transform_version": number},
    ]
    begin = threading.Barrier(110)
    over = threading.Event()

    def write(client: rnb.Client, number: int) -> list[Told]:
        responses = []
        with closing(line_of(client)) as line:
            begin.wait(60)
            for turn in range(5):
                sent = kinds[number % 4](f"writer {number}, {turn}", number * 10 + turn)
                asked = time.perf_counter()
                status, answer = line("POST", path, sent)
                assert status == 200, answer
                responses.append(Told(asked, time.perf_counter(), sent, answer["source"]))
        return responses

    def read(client: rnb.Client) -> list[Json]:
        with closing(line_of(client)) as line:
            begin.wait(60)
            seen = [line.listing()["motor-inbox"]]
            while not over.is_set():
                seen.append(line.listing()["motor-inbox"])
        return seen

    with rnb.sandbox(database=tmp_path / "box.db") as client:
        with closing(line_of(client)) as line:
            first = line("GET", path)[1]["source"]
        with ThreadPoolExecutor(110) as pool:
            reading = [pool.submit(read, client) for _ in range(10)]
            writing = [pool.submit(write, client, number) for number in range(100)]
            try:
                told = [each.result(60) for each in writing]
            finally:
                over.set()
            seen = [each.result(60) for each in reading]
    with rnb.sandbox(database=tmp_path / "box.db") as client, closing(line_of(client)) as line:
        last = line("GET", path)[1]["source"]
    assert last == one_after_another(first, told)
    states = [first, *(update.source for each in told for update in each)]
    for snapshots in seen:
        assert all(source in states for source in snapshots)
        moments = [source["updated_at"] for source in snapshots]
        assert moments == sorted(moments)


def one_after_another(first: Json, told: list[list[Told]]) -> Json:
    """Check that the updates form a sequence, each changing the one before, and return the last.

    An update that was acknowledged before another was sent must come first.
    """
    for updates in told:
        moments = [update.source["updated_at"] for update in updates]
        assert moments == sorted(set(moments))
    state, latest = first, 0.0
    for update in sorted(
        (update for each in told for update in each),
        key=lambda each: str(each.source["updated_at"]),
    ):
        moment = update.source["updated_at"]
        assert moment > state["updated_at"]
        state = {**state, **update.sent, "updated_at": moment, "last_modified": moment}
        assert update.source == state
        assert update.end > latest
        latest = max(latest, update.begin)
    return state


@pytest.mark.slow
def test_case_51_a_hundred_writers_of_many_sources(tmp_path: Path) -> None:
    """A hundred clients create, update and delete sources, and race for a name."""
    writers = 100
    begin = threading.Barrier(writers)

    with rnb.sandbox(database=tmp_path / "box.db") as client:
        reader = client.sources()

        def write(number: int) -> bool:
            begin.wait(AGES)
            client.create_source(f"claims/writer-{number}", title="new")
            client.update_source(f"claims/writer-{number}", title=f"title {number}")
            client.update_source("claims/motor-inbox", email_transform_version=number)
            client.delete_source(reader["id"].loc[number]) if number >= 90 else client.sources()
            try:
                client.create_source("claims/race", description=str(number))
            except rnb.Conflict as conflict:
                assert conflict.existing is not None  # noqa: PT017 - both ends are fine
                return False
            return True

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert won.count(True) == 1
        after = client.sources()
        requests = box_of(client).requests
        assert {one.status for one in requests if one.method != "GET"} == {200, 409}
        # Deleted sources are looked up, and not found.
        assert [one.status for one in requests if one.method == "GET"].count(404) == 10
    titles = after.set_index("name")["title"]
    assert [titles[f"writer-{number}"] for number in range(writers)] == [
        f"title {number}" for number in range(writers)
    ]
    assert len(after) == 130 + 100 + 1 - 10
    assert after["id"].is_unique
    race = after[after["name"] == "race"]
    assert race["description"].tolist() == [str(won.index(True))]
    with rnb.sandbox(database=tmp_path / "box.db") as client:
        pd.testing.assert_frame_equal(client.sources(), after)


# Other files


def box_file(file: Path) -> None:
    with closing(Store(file)) as store:
        store.create("claims", "new", {})


def text_file(file: Path) -> None:
    file.write_text("id,owner,name\n" * 1000)


def short_file(file: Path) -> None:
    file.write_bytes(b"x")


def foreign_database(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE sources (id TEXT)")
    db.commit()
    db.close()


def another_version(file: Path) -> None:
    box_file(file)
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()


def broken_head(file: Path) -> None:
    box_file(file)
    file.write_bytes(b"\0" * 64 + file.read_bytes()[64:])


def broken_pages(file: Path) -> None:
    box_file(file)
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def broken_schema(file: Path) -> None:
    box_file(file)
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff" * 3996 + content[4096:])


def cut_short(file: Path) -> None:
    box_file(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def missing_table(file: Path) -> None:
    box_file(file)
    db = sqlite3.connect(file)
    db.execute("DROP TABLE sources")
    db.commit()
    db.close()


# What the error says, by what makes the file.
OTHER_FILES: dict[Callable[[Path], None], str] = {
    text_file: "is not a valid database",
    short_file: "is a database of another program",
    foreign_database: "is a database of another program",
    another_version: "is of version 99, but this sandbox is of version 2; open it with the",
    broken_head: "is not a valid database",
    broken_pages: "is not a valid database|is damaged",
    broken_schema: "is not a valid database",
    cut_short: "is not a valid database|is damaged",
    missing_table: "is damaged .a table is missing",
}


def test_case_52_a_foreign_or_broken_file_is_left_alone(tmp_path: Path) -> None:
    """a database of another version or a corrupt file: a clear error, file untouched."""
    for make, message in OTHER_FILES.items():
        file = tmp_path / make.__name__ / "box.db"
        file.parent.mkdir()
        make(file)
        before = file.read_bytes()
        with pytest.raises(rnb.FileProblem, match=rf"(?s)box\.db ({message}).*was not changed\.$"):
            rnb.sandbox(database=file).start()
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir()] == ["box.db"]


def test_case_52_another_version_after_a_kill(tmp_path: Path) -> None:
    """The version is in the file's log only, which stays as it is, too."""
    file = tmp_path / "box.db"
    unclean(file)
    with closing(sqlite3.connect(file)) as db:
        # The change is in the WAL only, as after a kill.
        db.execute("PRAGMA user_version = 99")
        subprocess.run(["cp", "-r", str(tmp_path), f"{tmp_path}-copy"], check=True)
    copy = Path(f"{tmp_path}-copy") / "box.db"
    copy.with_name("box.db-shm").unlink()
    before = beside(copy)
    assert set(before) == {"box.db", "box.db-wal"}
    with pytest.raises(rnb.FileProblem, match="is of version 99"):
        rnb.sandbox(database=copy).start()
    assert beside(copy) == before


def damaged(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a database with one page overwritten, or truncated at or within a page."""
    pages = len(whole) // 4096
    for page in range(1, pages):
        begin, end = whole[: page * 4096], whole[(page + 1) * 4096 :]
        yield f"page {page} of ones", begin + b"\xff" * 4096 + end
        yield f"page {page} of zeros", begin + bytes(4096) + end
        yield f"cut at page {page}", begin
        yield f"cut within page {page}", whole[: page * 4096 + 1000]


def test_case_52_each_damaged_page_is_found(tmp_path: Path) -> None:
    """A file with any page overwritten, or cut anywhere, is refused and left alone."""
    file = tmp_path / "box.db"
    with closing(Store(file)) as store:
        store.create("claims", "long", {"description": "d" * 30_000})
    whole = file.read_bytes()
    missed = []
    for what, content in damaged(whole):
        file.write_bytes(content)
        try:
            Store(file).close()
        except rnb.FileProblem as problem:
            assert "The file was not changed" in str(problem)  # noqa: PT017 - many at once
        else:
            missed.append(what)
        assert file.read_bytes() == content, what
        assert [path.name for path in tmp_path.iterdir()] == ["box.db"], what
    assert missed == []
