"""Acknowledged writes survive: kills, many writers, a full disk, other programs on the file.

Killed servers run as processes of their own. The failure cases 50 to 52 are in `tests/failures`.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from random import Random, randrange
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import pytest

import reinfer_nb as rnb
from reinfer_nb.server.store import Store
from tests.conftest import Tally
from tests.waiting import until

SOURCES = "/api/v1/sources"
WRITERS = 8

Json = dict[str, Any]


class Line:
    """A keep-alive connection to a sandbox."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, settings: Json | None = None) -> tuple[int, Json]:
        body = None if settings is None else json.dumps({"source": settings})
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.getheader("content-type") == "application/json", content[:200]
        answer: Json = json.loads(content)
        assert answer["status"] == ("ok" if response.status == 200 else "error")
        return response.status, answer

    def listing(self) -> dict[str, Json]:
        """Return the sources by name."""
        status, answer = self("GET", SOURCES)
        assert status == 200
        return {source["name"]: source for source in answer["sources"]}

    def close(self) -> None:
        self._connection.close()


def line_of(client: rnb.Client) -> Line:
    assert client.sandbox is not None
    return Line(client.endpoint, client.sandbox.tokens["admin"])


# Forks a process for each line on stdin, which does that work on a database; forking saves the
# time of the imports. A process may be killed after a number of system calls, so that the tests
# see every state in which a kill can leave the file.
_FORKING = """
import ctypes, os, signal, sys
from pathlib import Path
import reinfer_nb.server.running
from reinfer_nb import cli
from reinfer_nb.server.store import Store

libc = ctypes.CDLL(None)
ptrace, TRACE_ME, SYSTEM_CALL = libc.ptrace, 0, 24
# The kernel kills this process when its parent dies.
PARENT_DEATH_SIGNAL = 1
libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)

def serve(file):
    return cli.main(["sandbox", "--database", file])

def make(file):
    Store(Path(file)).close()

def write(file):
    store = Store(Path(file))
    made = store.create("claims", "new", {"title": "N", "description": "d" * 9000})
    os.write(1, b"done\\n")
    store.update("claims", "motor-inbox", {"title": "M", "description": "e" * 9000})
    os.write(1, b"done\\n")
    store.delete(made["id"])
    os.write(1, b"done\\n")
    store.close()

def stepped(child, calls):
    status = os.waitpid(child, 0)[1]
    # Each call stops twice, before and after.
    for _ in range(2 * calls):
        if os.WIFEXITED(status):
            return status
        ptrace(SYSTEM_CALL, child, None, None)
        status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        return status
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]

for line in sys.stdin:
    work, calls, file = line.rstrip().split(" ", 2)
    child = os.fork()
    if not child:
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        print("began", os.getpid(), flush=True)
        if calls != "all":
            if ptrace(TRACE_ME, 0, None, None):
                print("untraceable", flush=True)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGSTOP)
        os._exit({"serve": serve, "make": make, "write": write}[work](file) or 0)
    status = os.waitpid(child, 0)[1] if calls == "all" else stepped(child, int(calls))
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


class Forking:
    """Runs work on databases in forked processes, one at a time.

    Attributes:
        pid: Process id of the parent of the forked processes.
    """

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = self._popen.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.kill()
        self._popen.communicate(timeout=60)

    def begin(self, work: str, file: Path, calls: int | str = "all") -> int:
        """Start work, and return the id of the process that does it."""
        assert self._popen.stdin
        self._popen.stdin.write(f"{work} {calls} {file}\n")
        self._popen.stdin.flush()
        began, number = self.next_line().split()
        assert began == "began"
        return int(number)

    def next_line(self) -> str:
        """Return the next line that the process prints, or "ended" and its exit code."""
        assert self._popen.stdout
        return self._popen.stdout.readline()

    def stepped(self, work: str, calls: int, file: Path) -> tuple[bool, int]:
        """Do work, but kill it after a number of system calls.

        Returns:
            Whether it was killed, and how many writes were done before.
        """
        self.begin(work, file, calls)
        done = 0
        while (said := self.next_line()) == "done\n":
            done += 1
        if said == "untraceable\n":
            self.next_line()
            pytest.skip("no process may watch the system calls of another one here")
        assert said in ("ended 0\n", "ended -9\n")
        return said == "ended -9\n", done


@pytest.fixture(scope="module")
def forking() -> Iterator[Forking]:
    if sys.platform != "linux":
        pytest.skip("forks, limits and traces as Linux does")
    with Forking() as made:
        yield made


class Process:
    """`reinfer-nb sandbox --database FILE` as a process, killed at the end of the context.

    Attributes:
        pid: Its process id.
        code: Its exit code, once it has ended.
    """

    def __init__(self, forking: Forking, file: Path) -> None:
        self._forking = forking
        self.pid = forking.begin("serve", file)
        self._said = ""
        self.code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            self.end(signal.SIGKILL)

    def line(self) -> Line:
        """Return a connection to the sandbox, once it serves."""
        while "viewer token" not in self._said:
            assert self.code is None, self._said
            self.hear()
        words = self._said.split()
        self.endpoint = words[words.index("at") + 1]
        self.token = words[words.index("admin") + 2]
        return Line(self.endpoint, self.token)

    def hear(self) -> str:
        """Return the next line that it prints, or "ended" and its exit code."""
        line = self._forking.next_line()
        if line.startswith("ended"):
            self.code = int(line.split()[-1])
        assert line
        self._said += line
        return line

    def end(self, number: int) -> None:
        """Send a signal, and wait for the end."""
        os.kill(self.pid, number)
        self.ended()

    def refused(self) -> str:
        """Wait for the end of a process that must not start to serve, and return its output."""
        self.ended(refused=True)
        assert self.code == 2
        return self._said

    def ended(self, *, refused: bool = False) -> None:
        """Wait for the end of the process; with `refused`, fail if it starts to serve."""
        while self.code is None:
            self.hear()
            assert not (refused and "practice tenant" in self._said)


class Attempt(NamedTuple):
    """A write that was sent."""

    method: str
    name: str
    settings: Json


class Writer:
    """Creates, updates and deletes sources of its own, and records the acknowledged writes.

    Attributes:
        sources: Its sources by name, as in the last response about each.
        open: The write that was sent and has no response yet.
        acknowledged: The number of acknowledged writes.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.sources: dict[str, Json] = {}
        self.open: Attempt | None = None
        self.acknowledged = 0
        self._prefix = f"writer-{number}-"
        self._dice = Random(seed)
        self._made = 0

    def write(self, line: Line) -> None:
        """Write until the connection breaks."""
        with closing(line):
            while True:
                self.open = attempt = self._next()
                try:
                    status, answer = line(*self._request(attempt))
                except (OSError, http.client.HTTPException):
                    return
                assert status == 200, answer
                self._take(attempt, answer.get("source"))
                self.acknowledged += 1
                self.open = None

    def _next(self) -> Attempt:
        kind = self._dice.choice(["PUT", "PUT", "POST", "POST", "DELETE"])
        if not self.sources or (kind == "PUT" and len(self.sources) < 20):
            self._made += 1
            return Attempt("PUT", f"{self._prefix}{self._made}", self._settings())
        name = self._dice.choice(list(self.sources))
        return Attempt("DELETE", name, {}) if kind == "DELETE" else self._update(name)

    def _update(self, name: str) -> Attempt:
        settings = self._settings()
        kept = self._dice.sample(list(settings), self._dice.randint(1, len(settings)))
        return Attempt("POST", name, {key: settings[key] for key in kept})

    def _settings(self) -> Json:
        """Return settings of some bytes, or of several pages of the database."""
        dice = self._dice
        return {
            "title": f"Überschrift {dice.random()}",
            "description": f"{dice.random()} " * dice.choice([0, 1, 10, 1000]),
            "language": dice.choice(["en", "de", "xlm"]),
            "should_translate": dice.random() < 0.5,
            "sensitive_properties": [str(dice.random()) for _ in range(dice.randrange(4))],
            "_kind": dice.choice(["call", "chat", "unknown"]),
        }

    def _request(self, attempt: Attempt) -> tuple[str, str, Json | None]:
        if attempt.method == "DELETE":
            return "DELETE", f"{SOURCES}/id:{self.sources[attempt.name]['id']}", None
        return attempt.method, f"{SOURCES}/claims/{attempt.name}", attempt.settings

    def _take(self, attempt: Attempt, source: Json | None) -> None:
        """Check the result of a write, and record it."""
        old = self.sources.pop(attempt.name, None)
        if attempt.method == "DELETE":
            assert source is None
            return
        assert source is not None
        assert source["updated_at"] == source["last_modified"]
        if old is None:
            times = dict.fromkeys(
                ("created_at", "updated_at", "last_modified"), source["updated_at"]
            )
            old = {"id": source["id"], "owner": "claims", "name": attempt.name, **times}
            assert len(source["id"]) == 16
        else:
            assert source["updated_at"] > old["updated_at"]
        times = {key: source[key] for key in ("updated_at", "last_modified")}
        assert source == {**old, **times, **attempt.settings}
        self.sources[attempt.name] = source

    def check(self, there: Mapping[str, Json]) -> None:
        """Check the sources against the acknowledged writes; the open write may be done or not."""
        mine = {name: source for name, source in there.items() if name.startswith(self._prefix)}
        if self.open is not None:
            name = self.open.name
            if mine.get(name) != self.sources.get(name):
                self._take(self.open, mine.get(name))
            self.open = None
        assert mine.keys() == self.sources.keys()
        assert mine == self.sources


def is_intact(file: Path) -> bool:
    """True if SQLite finds a copy of a database intact."""
    copy = file.parent / "copy"
    copy.mkdir()
    for path in (file, file.with_name(f"{file.name}-wal")):
        if path.exists():
            shutil.copy(path, copy)
    with closing(sqlite3.connect(copy / file.name)) as db:
        found = db.execute("PRAGMA integrity_check").fetchall()
    shutil.rmtree(copy)
    return found == [("ok",)]


# Kills


def content_of(file: Path) -> list[Json]:
    store = Store(file)
    with closing(store):
        found: list[Json] = json.loads(b"".join(store.listing()))
        assert len(store.directory.projects()) == 4
        assert [user.name for user in store.directory.users()] == ["admin", "viewer"]
    return found


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_kill_at_any_moment_of_its_making_leaves_a_whole_sandbox_or_none(
    forking: Forking, tmp_path: Path, tally: Tally
) -> None:
    folder = tmp_path / "work"
    file = folder / "box.db"
    wrong: list[str] = []
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice, calls, kills = Random(seed), 0, 0
    killed = True
    seen: set[tuple[tuple[str, bytes], ...]] = set()
    while killed:
        folder.mkdir()
        killed, _ = forking.stepped("make", calls, file)
        left = {path.name: path.stat().st_size for path in folder.iterdir()}
        # Most calls change nothing on the disk.
        state = tuple(sorted(files_in(folder).items()))
        if state not in seen:
            seen.add(state)
            try:
                assert len(content_of(file)) == 130
                assert not [path for path in folder.glob("box.db*") if path != file]
            except (rnb.ReinferError, AssertionError, sqlite3.Error) as error:
                wrong.append(f"after {calls} calls, {left}: {error!r}")
        shutil.rmtree(folder)
        kills += killed
        # Other calls in each run: all of them would take too long.
        calls += dice.randint(1, 11)
    assert kills > 10
    assert len(seen) > 3
    assert not wrong, f"{len(wrong)} of {kills}, such as {wrong[0]}"
    tally("kills while a file was made", kills)


@pytest.mark.slow
def test_a_kill_at_any_moment_of_a_write_leaves_it_whole_or_not_at_all(
    forking: Forking, tmp_path: Path, tally: Tally
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    unclean(origin / "box.db")
    folder = tmp_path / "work"
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice, calls, kills = Random(seed), 0, 0
    killed = True
    seen: set[tuple[object, ...]] = set()
    while killed:
        shutil.copytree(origin, folder)
        killed, done = forking.stepped("write", calls, folder / "box.db")
        # Most calls change nothing on the disk.
        state = (done, *(part for file in sorted(files_in(folder).items()) for part in file))
        if state not in seen:
            seen.add(state)
            now = {source["name"]: source for source in content_of(folder / "box.db")}
            step = next(step for step in range(4) if is_after(step, now))
            assert step in ((done, done + 1) if killed else (3,)), f"after {calls} calls"
            assert now["unclean"]["title"] == "U"
            assert len(now) == 131 + (step in (1, 2))
            assert [path.name for path in folder.iterdir()] == ["box.db"]
            assert is_intact(folder / "box.db")
        shutil.rmtree(folder)
        kills += killed
        # Other calls in each run: all of them would take too long.
        calls += dice.randint(1, 8)
    assert len(seen) > 10
    tally("kills while a file was written", kills)


def is_after(step: int, now: dict[str, Json]) -> bool:
    """True if the sources are in the state after that number of the three writes."""
    new, motor = now.get("new"), now["motor-inbox"]
    if new is not None and (new["title"], new["description"]) != ("N", "d" * 9000):
        return False
    changed = (motor["title"], motor["description"]) == ("M", "e" * 9000)
    unchanged = motor["updated_at"] == motor["last_modified"] and motor["title"] != "M"
    return (new is not None) == (step in (1, 2)) and (changed if step >= 2 else unchanged)


def unclean(file: Path) -> None:
    """Leave a file as a kill does: the last writes are in the WAL only."""
    making = file.parent / "making"
    making.mkdir()
    store = Store(making / file.name)
    with closing(store):
        store.create("claims", "unclean", {"title": "U"})
        # In a process of its own: closing the file here would drop SQLite's locks of this process.
        subprocess.run(
            ["cp", *map(str, making.iterdir()), str(file.parent)], check=True, timeout=60
        )
    shutil.rmtree(making)
    assert file.with_name(f"{file.name}-wal").stat().st_size


@pytest.mark.slow
def test_stopping_while_writers_write_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    writers = [Writer(number, randrange(2**32)) for number in range(WRITERS)]
    for seconds in (0.05, 0.2, 0.5):
        box = rnb.sandbox(database=file)
        client = box.start()
        with ThreadPoolExecutor(WRITERS) as pool:
            writing = [pool.submit(writer.write, line_of(client)) for writer in writers]
            time.sleep(seconds)
            until(lambda: sum(writer.acknowledged for writer in writers) > WRITERS)
            box.stop()
            for each in writing:
                each.result(60)
        assert [path.name for path in tmp_path.iterdir()] == ["box.db"]
        with rnb.sandbox(database=file) as client, closing(line_of(client)) as line:
            there = line.listing()
        for writer in writers:
            writer.check(there)
    assert sum(writer.acknowledged for writer in writers) > WRITERS


# Two sandboxes on one file

OPEN_ELSEWHERE = "box.db is open in another sandbox or program"


@pytest.mark.slow
def test_a_second_sandbox_on_a_file_is_refused_and_the_first_goes_on(
    forking: Forking, tmp_path: Path
) -> None:
    file = tmp_path / "box.db"
    (tmp_path / "link.db").symlink_to(file)
    others = [file, tmp_path / "link.db", tmp_path / ".." / tmp_path.name / "box.db"]
    with rnb.sandbox(database=file) as client:
        client.create_source("claims/before")
        for number, other in enumerate(others):
            with pytest.raises(rnb.FileProblem, match="is open in another sandbox or program"):
                rnb.sandbox(database=other).start()
            client.create_source(f"claims/after-{number}")
        with Process(forking, file) as process:
            assert OPEN_ELSEWHERE in process.refused()
        client.create_source("claims/last")
        before = client.sources()
        assert len(before) == 135
    assert {path.name for path in tmp_path.iterdir()} == {"box.db", "link.db"}
    with rnb.sandbox(database=file) as client:
        assert client.sources().equals(before)


@pytest.mark.slow
def test_the_file_of_a_killed_sandbox_opens(forking: Forking, tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    with Process(forking, file) as process:
        with closing(process.line()) as line:
            with pytest.raises(rnb.FileProblem, match=OPEN_ELSEWHERE):
                rnb.sandbox(database=file).start()
            status, answer = line("PUT", f"{SOURCES}/claims/kept", {"title": "K"})
            assert status == 200
        process.end(signal.SIGKILL)
    with rnb.sandbox(database=file) as client, closing(line_of(client)) as line:
        assert line.listing()["kept"] == answer["source"]


@pytest.mark.slow
def test_of_many_that_start_at_once_one_at_most_has_the_file(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    made: list[str] = []
    for turn in range(4):
        begin = threading.Barrier(6)

        def start(number: int, turn: int = turn, begin: threading.Barrier = begin) -> str | None:
            box = rnb.sandbox(database=file)
            begin.wait(60)
            try:
                client = box.start()
            except rnb.FileProblem as problem:
                assert "box.db" in str(problem)  # noqa: PT017 - both ends are fine
                assert "overwrite" not in str(problem)  # noqa: PT017 - nothing of the caller's
                return None
            try:
                return client.create_source(f"claims/new-{turn}-{number}").id
            finally:
                box.stop()

        with ThreadPoolExecutor(6) as pool:
            made += [source_id for source_id in pool.map(start, range(6)) if source_id]
        assert is_intact(file)
        with rnb.sandbox(database=file) as client:
            after = client.sources()
        assert set(made) <= set(after["id"])
        assert len(after) == 130 + len(made)


@pytest.mark.slow
@pytest.mark.parametrize("stays", [True, False], ids=["stays", "goes"])
@pytest.mark.parametrize("empty", [True, False], ids=["an empty file", "no file"])
def test_a_sandbox_that_has_come_since_the_look_is_not_taken_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stays: bool, empty: bool
) -> None:
    file = tmp_path / "box.db"
    if empty:
        file.touch()
    connect = sqlite3.connect
    first = rnb.sandbox(database=file)
    made: list[str] = []

    def after_the_first(*arguments: Any, **more: Any) -> Any:
        if not made:
            made.append("")
            made[0] = first.start().create_source("claims/kept").id
            if not stays:
                first.stop()
        return connect(*arguments, **more)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", after_the_first)
            # The second may be refused, or find the data of the first.
            with suppress(rnb.FileProblem), rnb.sandbox(database=file) as client:
                assert not stays
                assert made[0] in set(client.sources()["id"])
        if stays:
            made.append(first.start().create_source("claims/kept-too").id)
    finally:
        first.stop()
    with rnb.sandbox(database=file) as client:
        assert set(made) <= set(client.sources()["id"])


# A full disk


class Disk:
    """A folder for a database on a disk that can be filled.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        """Leave hardly any room for a process."""
        size = max(path.stat().st_size for path in self.folder.iterdir())
        limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 5000, limit))

    def free(self, pid: int) -> None:
        """Make room again."""
        limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit))


class SmallDisk(Disk):
    """A file system of a megabyte."""

    def fill(self, pid: int) -> None:
        del pid
        with (self.folder / "filling").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self, pid: int) -> None:
        del pid
        (self.folder / "filling").unlink()


@pytest.fixture(params=["limit", "mounted"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limit":
        yield Disk(folder)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_refuses_writes_and_loses_none(forking: Forking, disk: Disk) -> None:
    file = disk.folder / "box.db"
    sources: dict[str, Json] = {}

    def fill(line: Line, turn: int) -> None:
        """Write until the disk is full, and check that the refused write is not stored."""
        for number in range(1000):
            name = f"new-{turn}-{number}"
            settings = {"description": name * 2000}
            status, answer = line("PUT", f"{SOURCES}/claims/{name}", settings)
            if status != 200:
                break
            sources[name] = answer["source"]
        assert (status, answer["message"][:4]) == (503, "503 ")
        assert line("GET", f"{SOURCES}/claims/{name}")[0] == 404
        status, _ = line("POST", f"{SOURCES}/claims/new-0-0", settings)
        assert status == 503
        assert line("GET", f"{SOURCES}/claims/new-0-0")[1]["source"] == sources["new-0-0"]
        assert {n: s for n, s in line.listing().items() if n.startswith("new-")} == sources

    with Process(forking, file) as first:
        with closing(first.line()) as line:
            before = line.listing()
            status, answer = line("PUT", f"{SOURCES}/claims/new-0-0", {"title": "first"})
            assert status == 200
            sources["new-0-0"] = answer["source"]
            for turn in (1, 2):
                disk.fill(first.pid)
                fill(line, turn)
                disk.free(first.pid)
                status, answer = line("PUT", f"{SOURCES}/claims/new-{turn}-x", {"title": "on"})
                assert status == 200, answer
                sources[f"new-{turn}-x"] = answer["source"]
            disk.fill(first.pid)
            fill(line, 3)
        first.end(signal.SIGKILL)
        if isinstance(disk, SmallDisk):
            disk.free(first.pid)
        assert is_intact(file)
    with rnb.sandbox(database=file) as client, closing(line_of(client)) as line:
        assert line.listing() == before | sources
        assert line("PUT", f"{SOURCES}/claims/last", {"title": "on"})[0] == 200


@pytest.mark.slow
def test_a_start_on_a_full_disk_takes_nothing_away(forking: Forking, tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    with rnb.sandbox(database=file) as client, closing(line_of(client)) as line:
        before = line.listing()
    whole = file.read_bytes()
    limits = resource.prlimit(forking.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(forking.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with Process(forking, file) as process:
            if "practice tenant" in (said := process.hear()):
                with closing(process.line()) as line:
                    assert line.listing() == before
                    assert line("PUT", f"{SOURCES}/claims/new", {"title": "N"})[0] == 503
            else:
                # The file is valid; the disk is full.
                assert "box.db" in said
                assert "not a valid database" not in said
    finally:
        resource.prlimit(forking.pid, resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == whole
    with rnb.sandbox(database=file) as client, closing(line_of(client)) as line:
        assert line.listing() == before


# Files of other programs

# Another program that works on a database of its own until its stdin is closed.
_OTHER = """
import os, sqlite3, sys
file, mode, statements, end = sys.argv[1:]
db = sqlite3.connect(file, isolation_level=None)
db.execute(f"PRAGMA journal_mode = {mode}")
db.execute("PRAGMA cache_size = 1")
db.execute("CREATE TABLE IF NOT EXISTS sources (id INTEGER PRIMARY KEY, text TEXT)")
db.executemany("INSERT INTO sources (text) VALUES (?)", [("x" * 900,)] * 50)
for statement in filter(None, statements.split(";")):
    db.execute(statement).fetchall()
if end == "kill":
    os.kill(os.getpid(), 9)
print("ready", flush=True)
sys.stdin.read()
if end == "commit":
    db.execute("COMMIT")
db.close()
"""
_CHANGE = "BEGIN IMMEDIATE; UPDATE sources SET text = text || 'y'"
OTHERS = {
    "open": ("DELETE", "", "close"),
    "open, WAL": ("WAL", "", "close"),
    "being read": ("DELETE", "BEGIN; SELECT * FROM sources", "commit"),
    "being read, WAL": ("WAL", "BEGIN; SELECT * FROM sources", "commit"),
    "being written": ("DELETE", _CHANGE, "commit"),
    "being written, WAL": ("WAL", _CHANGE, "commit"),
    "locked": ("DELETE", "BEGIN EXCLUSIVE", "commit"),
    "locked, WAL": ("WAL", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", "commit"),
    "killed": ("DELETE", _CHANGE, "kill"),
    "killed, WAL": ("WAL", _CHANGE, "kill"),
    "killed, WAL, all written": ("WAL", "", "kill"),
}


def beside(file: Path) -> dict[str, bytes | None]:
    """Return the files in a folder; for shared memory, which readers change, the name only."""
    # In a process of its own: closing the file here would drop SQLite's locks of this process.
    code = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"
    return {
        path.name: None
        if path.name.endswith("-shm")
        else subprocess.run(
            [sys.executable, "-S", "-c", code, str(path)], capture_output=True, check=True
        ).stdout
        for path in file.parent.iterdir()
    }


@pytest.mark.slow
@pytest.mark.parametrize("which", OTHERS)
def test_another_program_s_database_is_left_alone(tmp_path: Path, which: str) -> None:
    file = tmp_path / "other.db"
    end = OTHERS[which][-1]
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(file), *OTHERS[which]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        other.stdout.readline()
        before = beside(file)
        with pytest.raises(rnb.FileProblem, match=r"other\.db .*\. The file was not changed"):
            rnb.sandbox(database=file).start()
        assert beside(file) == before
        other.communicate()
        assert other.returncode == (-9 if end == "kill" else 0)
    with closing(sqlite3.connect(file)) as db:
        ((count, size),) = db.execute("SELECT count(*), max(length(text)) FROM sources")
        assert (count, size) == (50, 901 if "written" in which and end == "commit" else 900)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_program_that_opens_its_database_meanwhile_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.db"
    command = [sys.executable, "-c", _OTHER, str(file), "WAL", "", "close"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]
    connect = sqlite3.connect
    others: list[subprocess.Popen[bytes]] = []

    def after_the_other(*arguments: Any, **more: Any) -> Any:
        if not others:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            others.append(subprocess.Popen(command, **pipes))  # type: ignore[call-overload]
            assert others[0].stdout
            assert others[0].stdout.readline() == b"ready\n"
        return connect(*arguments, **more)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", after_the_other)
            with pytest.raises(rnb.FileProblem, match=r"other\.db .*\. The file was not changed"):
                rnb.sandbox(database=file).start()
    finally:
        for other in others:
            other.kill()
            other.communicate()
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM sources").fetchone() == (100,)
