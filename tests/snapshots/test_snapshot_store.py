"""Files of a history are complete after any failure, and other tools can read them."""

from __future__ import annotations

import errno
import pickle
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random, randrange
from typing import Any

import dask.dataframe
import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import reinfer_nb as rnb
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, ReinferError
from reinfer_nb.schema.fields import fields_of
from tests.benchmarks.history import by_duckdb
from tests.conftest import Tally
from tests.csvfile.test_io import DTYPES, same
from tests.history.test_history import (
    Kept,
    day,
    listing_of,
    of_projects,
    one,
    rows_by_id,
    simulated,
)
from tests.waiting import AGES

# Number of processes that are killed while they record.
KILLS = 20


def some(count: int, title: str = "A") -> pd.DataFrame:
    return listing_of(
        [
            {"id": f"{number:016x}", "owner": "claims", "name": f"source-{number}", "title": title}
            for number in range(count)
        ]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history of three days: the second unchanged, the third with a change."""
    where = tmp_path / "audits"
    for number, title in enumerate("AAB"):
        rnb.History(where).record(some(50, title), when=day(number))
    return where


def files_of(where: Path) -> list[Path]:
    return sorted(path for path in where.rglob("*") if path.is_file())


READERS: dict[str, Callable[[rnb.History], Any]] = {
    "load": lambda history: history.load(),
    "snapshots": lambda history: history.snapshots(),
    "timeline by name": lambda history: history.timeline("claims/source-7"),
    "timeline by id": lambda history: history.timeline(f"{7:016x}"),
    "changes": lambda history: history.changes(),
    "compare": lambda history: history.compare(day(1), day(2)),
}
reader = pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))


# File names and columns


def test_a_snapshot_is_a_file_of_its_day(folder: Path) -> None:
    names = [path.relative_to(folder).as_posix() for path in files_of(folder)]
    for number, name in enumerate(names):
        at = f"2026030{number + 1}T090000\\.000000Z"
        assert re.fullmatch(rf"date=2026-03-0{number + 1}/{at}-[0-9a-f]{{8}}\.parquet", name)
    assert rnb.History(folder).snapshots()["path"].to_list() == names


def test_making_a_history_touches_nothing(tmp_path: Path) -> None:
    history = rnb.History(tmp_path / "audits")
    repr(history)
    history.snapshots()
    assert not list(tmp_path.iterdir())


def test_every_file_has_the_same_columns(folder: Path) -> None:
    rnb.History(folder).record(some(2).assign(more=1), when=day(3))
    schemas = [parquet.read_schema(path).remove_metadata() for path in files_of(folder)]
    names = [field.name for field in fields_of(rnb.Source)]
    assert schemas[0].names == ["snapshot_at", *names, "num_comments", "extra", "position"]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    kinds = {str(kind) for kind in schemas[0].types}
    lists = {kind for kind in kinds if kind.startswith("list")}
    assert kinds - lists == {"timestamp[us, tz=UTC]", "string", "bool", "int64"}


# Other readers


def query_rows(where: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a DuckDB query on all files, as the table `files`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        files = connection.read_parquet(f"{where}/**/*.parquet", hive_partitioning=True)
        result = files.query("files", query)
        assert result
        return result.fetchall()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Kept]]:
    """A simulated history of whole listings, in a folder with special characters in its name."""
    where = tmp_path_factory.mktemp("others") / "a #%20b=@"
    return where, simulated(where, 5, projects=False, days=30)


@pytest.mark.slow
def test_duckdb_counts_the_same(whole: tuple[Path, list[Kept]]) -> None:
    where, _ = whole
    rows = query_rows(where, "SELECT snapshot_at, date, count(*) FROM files GROUP BY ALL")
    found = {at: (of_day, count) for at, of_day, count in rows}
    snapshots = rnb.History(where).snapshots()
    written = snapshots[~snapshots["unchanged"] & (snapshots["sources"] > 0)]
    assert len(written) > 10
    assert found == {
        at: (at.date(), count)
        for at, count in zip(written["snapshot_at"], written["sources"], strict=True)
    }


@pytest.mark.slow
def test_duckdb_tells_the_same_timelines(tmp_path: Path) -> None:
    # Recorded in order and with a source each day, so that the rows alone show every version.
    dice = Random(1)
    titles = dict.fromkeys("abcde", "0")
    kept = []
    for number in range(20):
        for name in dice.sample("abcde", dice.choice([0, 0, 1, 2])):
            titles[name] = f"{number}"
        there = {
            name: title for name, title in titles.items() if dice.random() < 0.9 or name == "a"
        }
        df = listing_of(of_projects(**there))
        rnb.History(tmp_path).record(df, when=day(number))
        kept.append(df)
    history = rnb.History(tmp_path)
    for name in "abcde":
        versions = history.timeline(f"{name}/s")
        expected = list(zip(versions["snapshot_at"], versions["id"], strict=True))
        assert by_duckdb(tmp_path, f"{name}/s") == expected
        assert len(expected) > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own
def test_dask_and_pandas_read_it(whole: tuple[Path, list[Kept]]) -> None:
    where, kept = whole
    rows = rnb.History(where).snapshots()
    total = rows.loc[~rows["unchanged"], "sources"].sum()
    for df in (dask.dataframe.read_parquet(where).compute(), pd.read_parquet(where)):
        assert len(df) == total
        assert set(df["date"].astype(str)) <= {f"{snapshot.at.date()}" for snapshot in kept}
        assert df["date"].astype(str).eq(df["snapshot_at"].dt.strftime("%Y-%m-%d")).all()
        last = df[df["snapshot_at"] == df["snapshot_at"].max()]
        assert rows_by_id(last[list(DTYPES)]).keys() <= kept[-1].rows.keys() | {*last["id"]}


def test_further_columns_are_json_to_other_readers(tmp_path: Path) -> None:
    df = one().assign(region="süd", score=1.5, at=pd.Timestamp("2026-03-01", tz="UTC"))
    rnb.History(tmp_path).record(df.assign(endless=float("inf")), when=day(0))
    query = """
        SELECT extra->>'region', CAST(extra->'score' AS DOUBLE), extra->>'at', extra->>'endless'
        FROM files
    """
    found = query_rows(tmp_path, query)
    assert [(*row[:2], row[2][:10], row[3]) for row in found] == [("süd", 1.5, "2026-03-01", "inf")]


# Locations


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("audits", "audits/", "two words", "a#b", "100%", "%20", "a=b", "date=2026-01-01", "a@b"),
        *("@2026-03-01", "~", "*", "[a]", "?", "{a}", "a:b", "a::b", "Größe", "'", '"', "a/b/c"),
        *("../up", "a/../b", "./here", " ", "-", "\N{GRINNING FACE}", "new\nline", "a&b;c"),
    ],
)
def test_any_folder_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    if name == "~":
        monkeypatch.setenv("HOME", str(inside / "~"))
    # Relative, absolute and as a path; each records a day, and each reads what all recorded.
    assert_works(name, f"{inside}/{name}", inside / name)
    found = files_of(tmp_path)
    assert len(found) == 3
    assert all(path.is_relative_to((inside / name).resolve()) for path in found)


def assert_works(*forms: str | Path) -> None:
    """Record three days, and read them, in a folder that may be named in several forms."""
    histories = [rnb.History(where) for where in forms]
    for number, title in enumerate("AAB"):
        histories[number % len(forms)].record(one(title=title), when=day(number))
    fresh = rnb.History(forms[0])
    for history in (*histories, fresh):
        assert history.snapshots()["unchanged"].to_list() == [False, True, False]
        same(history.load(), one(title="B"))
        same(history.load(day(1)), one(title="A"))
        assert "3 snapshots" in repr(history)
    assert fresh.timeline("claims/motor")["title"].to_list() == ["A", "B"]
    assert len(fresh.changes()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("url", ["memory://audits", "memory://a b/#%20=@/c/", "memory://"])
def test_a_file_system_in_memory_does(url: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    try:
        assert_works(url)
        assert all(path.endswith(".parquet") for path in memory.find("/"))
    finally:
        memory.store.clear()


def test_a_file_system_that_remembers_its_listings_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    find, remembered = memory.find, dict[str, list[str]]()
    monkeypatch.setattr(memory, "find", lambda path: remembered.setdefault(path, find(path)))
    monkeypatch.setattr(memory, "invalidate_cache", remembered.clear)
    history = rnb.History("memory://remembered")
    history.record(one(title="A"), when=day(0))
    assert len(history.snapshots()) == 1
    rnb.History("memory://remembered").record(one(title="B"), when=day(1))
    assert len(history.snapshots()) == 2
    same(history.load(), one(title="B"))
    memory.store.clear()


@pytest.mark.slow
def test_a_url_of_a_folder_does(tmp_path: Path) -> None:
    assert_works(f"file://{tmp_path}/a #%20=@b")
    assert len(files_of(tmp_path / "a #%20=@b")) == 3


@pytest.mark.slow
def test_a_folder_at_home_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert_works("~/audits")
    assert len(files_of(tmp_path / "audits")) == 3


def test_what_is_relative_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history = rnb.History("audits")
    history.record(one(), when=day(0))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert len(history.snapshots()) == 1


@pytest.mark.parametrize("url", ["nowhere://bucket/audits", "memory+x://a"])
def test_a_url_that_nobody_knows_is_said(url: str) -> None:
    with pytest.raises(ReinferError, match="://"):
        rnb.History(url).snapshots()


def test_a_file_system_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ConfigurationError, match="gcsfs"):
        rnb.History("gs://bucket/audits").snapshots()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for where in (tmp_path / "file", tmp_path / "file" / "audits"):
        history = rnb.History(where)
        with pytest.raises(FileProblem, match="file"):
            history.record(one())
        assert "file" in repr(history)
    with pytest.raises(FileProblem, match="file"):
        rnb.History(tmp_path / "file").load()
    assert (tmp_path / "file").read_bytes() == b"x"


# Foreign files


@pytest.mark.slow
def test_other_files_are_passed_over(folder: Path) -> None:
    before = rnb.History(folder).snapshots()
    first = files_of(folder)[0]
    others = [
        folder / "notes.txt",
        folder / "other.parquet",
        folder / ".DS_Store",
        folder / "date=2026-03-01",
        folder / "date=2026-03-04",
        first.with_name(".0123456789abcdef.part"),
        first.with_name(f".{first.stem}.part"),
        first.with_name("_SUCCESS"),
        first.with_name(f"{first.name}.bak"),
        first.with_name(f"{first.name}\n"),
        folder / "deep" / "date=2026-03-01" / first.name,
        folder / "date=2026-03-1" / first.name,
    ]
    for path in others:
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"foreign")
    (folder / "date=2026-03-05").mkdir()
    history = rnb.History(folder)
    pd.testing.assert_frame_equal(history.snapshots(), before)
    for read in READERS.values():
        read(history)
    history.record(some(50, "C"), when=day(9))
    assert len(history.snapshots()) == 4


@pytest.mark.slow
@reader
@pytest.mark.parametrize("number", [0, 2])
def test_a_file_that_is_damaged_after_it_was_looked_at_is_named(
    folder: Path, read: Callable[[rnb.History], Any], number: int
) -> None:
    history = rnb.History(folder)
    history.snapshots()
    path = files_of(folder)[number]
    path.write_bytes(path.read_bytes()[:-20])
    if read in (READERS["snapshots"], *([READERS["load"]] if number == 0 else [])):
        read(history)
    else:
        with pytest.raises(FileProblem, match=re.escape(str(path))):
            read(history)


def test_of_many_files_the_damaged_one_is_named(folder: Path) -> None:
    *others, last = files_of(folder)
    names = [path.relative_to(folder).as_posix() for path in (*others, last)]
    history = rnb.History(folder)
    assert len(history._folder.tables(names)) == 100
    content = bytearray(last.read_bytes())
    content[4:200] = bytes(196)
    last.write_bytes(content)
    with pytest.raises(FileProblem, match=re.escape(str(last))):
        history._folder.tables(names)


@pytest.mark.slow
def test_a_damaged_byte_of_the_rows_is_never_taken_for_a_row(folder: Path, tally: Tally) -> None:
    last = files_of(folder)[-1]
    content, expected = last.read_bytes(), rnb.History(folder).load()
    # The last eight bytes hold the length of the footer before them.
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    dice, refused = Random(1), 0
    places = dice.sample(range(4, end), 150)
    for place in places:
        last.write_bytes(flipped(content, place, dice))
        try:
            same(rnb.History(folder).load(), expected)
        except FileProblem as error:
            refused += str(last) in str(error)
    assert refused > 100
    tally("damaged bytes of a snapshot", len(places))


@pytest.mark.slow
def test_a_damaged_footer_breaks_nothing_but_its_file(folder: Path, tally: Tally) -> None:
    last = files_of(folder)[-1]
    content, dice = last.read_bytes(), Random(2)
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    places = dice.sample(range(end, len(content)), 150)
    for place in places:
        last.write_bytes(flipped(content, place, dice))
        for read in (READERS["load"], READERS["timeline by id"]):
            with suppress(FileProblem):
                read(rnb.History(folder))
        assert repr(rnb.History(folder))
    tally("damaged bytes of a snapshot", len(places))


def flipped(content: bytes, place: int, dice: Random) -> bytes:
    """Return content with one bit changed."""
    changed = bytearray(content)
    changed[place] ^= 1 << dice.randrange(8)
    return bytes(changed)


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a text": lambda path: path.write_text("id,owner,name\n"),
    "another table": lambda path: parquet.write_table(pa.table({"id": ["x"]}), path),
    "a table that says nonsense": lambda path: write_saying(path, b"nonsense"),
    "a table that says a list": lambda path: write_saying(path, b"[]"),
    "a table that says too little": lambda path: write_saying(path, b"{}"),
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}


def write_saying(path: Path, said: bytes, table: pa.Table | None = None) -> None:
    table = pa.table({"id": ["x"]}) if table is None else table
    parquet.write_table(table.replace_schema_metadata({b"reinfer_nb": said}), path)


@pytest.mark.slow
@reader
def test_a_removed_file_that_others_refer_to_is_named(
    folder: Path, read: Callable[[rnb.History], Any]
) -> None:
    first, second, third = files_of(folder)
    third.unlink()
    first.unlink()
    history = rnb.History(folder)
    if read is READERS["snapshots"]:
        assert history.snapshots()["sources"].to_list() == [50]
        return
    with pytest.raises(FileProblem, match=re.escape(first.name)):
        read(history)
    assert second.exists()


def test_what_is_recorded_after_a_removal_refers_to_nothing_removed(folder: Path) -> None:
    first, _, third = files_of(folder)
    third.unlink()
    first.unlink()
    snapshot = rnb.History(folder).record(some(50), when=day(5))
    assert not snapshot.unchanged
    same(rnb.History(folder).load(), some(50))


def test_a_file_removed_after_it_was_looked_at_is_gone(folder: Path) -> None:
    history = rnb.History(folder)
    history.snapshots()
    files_of(folder)[-1].unlink()
    same(history.load(), some(50))


# Killed, full, forbidden

_RECORDING = """
import os, signal, sys, time
import fsspec.implementations.local
import reinfer_nb as rnb
from pyarrow import dataset, parquet
from reinfer_nb import history
from reinfer_nb.frames import convert

def listing(title):
    return convert.from_elements([
        {"id": f"{n:016x}", "owner": "claims", "name": f"source-{n}", "title": title}
        for n in range(500)
    ])

for line in sys.stdin:
    seconds, folder = line.rstrip().split(" ", 1)
    child = os.fork()
    if not child:
        history, number = rnb.History(folder), 0
        os.write(1, b"began\\n")
        while True:
            number += 1
            snapshot = history.record(listing(f"{os.getpid()} {number // 2}"))
            os.write(1, f"{snapshot.path}\\n".encode())
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks as Linux does")
def test_killed_at_any_moment_all_that_was_acknowledged_is_whole(
    tmp_path: Path, tally: Tally
) -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice = Random(seed)
    acknowledged: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", _RECORDING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        kills = 0
        # On a busy machine the first moments may all lie before the first recording has ended.
        while kills < KILLS or (not acknowledged and kills < 3 * KILLS):
            kills += 1
            longest = 0.2 * max(1, kills / KILLS) ** 3
            process.stdin.write(f"{dice.uniform(0, longest)} {tmp_path}\n")
            process.stdin.flush()
            while (said := process.stdout.readline().rstrip()) != "ended":
                assert said
                acknowledged += [said] * (said != "began")
        process.stdin.close()
    assert acknowledged
    history = rnb.History(tmp_path)
    there = history.snapshots()
    assert set(acknowledged) <= set(there["path"])
    assert len(there) <= len(acknowledged) + kills
    for at in there["snapshot_at"]:
        df = history.load(at)
        assert len(df) == 500
        assert len(set(df["title"])) == 1
    count = query_rows(tmp_path, "SELECT count(*) FROM files")
    assert count == [(500 * int((~there["unchanged"]).sum()),)]
    history.record(one(), when=datetime.now(UTC) + timedelta(days=1))
    assert len(history.snapshots()) == len(there) + 1
    tally("kills while a history was recorded", kills)


_UNTIL_FULL = """
import sys
import reinfer_nb as rnb
from reinfer_nb.frames import convert
from random import Random

dice, recorded, history = Random(1), 0, rnb.History(sys.argv[1])
try:
    for number in range(1000):
        history.record(convert.from_elements([
            {"id": f"{n:016x}", "owner": "claims", "name": f"{n}", "title": f"{dice.random()}"}
            for n in range(1000)
        ]))
        recorded += 1
except rnb.errors.FileProblem as error:
    print(error)
history = rnb.History(sys.argv[1])
assert 0 < recorded == len(history.snapshots())
for at in history.snapshots()["snapshot_at"]:
    assert len(history.load(at)) == 1000
"""


def left_of(process: subprocess.CompletedProcess[str]) -> str:
    if process.returncode == 77 or "unshare failed" in process.stderr:
        pytest.skip("whoever runs the tests may not mount a file system")
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_a_disk_that_is_really_full_leaves_what_was_there(tmp_path: Path) -> None:
    unshare, mount, shell = (shutil.which(name) for name in ("unshare", "mount", "sh"))
    if not (unshare and mount and shell):
        pytest.skip("there is no unshare or no mount")
    script = (
        'set -e; "$1" -t tmpfs -o size=256k none "$2" || exit 77; "$3" -c "$4" "$2"; '
        'find "$2" -type f ! -name "*.parquet"'
    )
    arguments = [mount, str(tmp_path), sys.executable, _UNTIL_FULL]
    message = left_of(
        subprocess.run(
            [unshare, "--mount", shell, "-c", script, "-", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    )
    assert "No space left on device" in message
    assert len(message.splitlines()) == 1


@pytest.mark.slow
def test_a_file_over_the_limit_leaves_what_was_there(tmp_path: Path) -> None:
    rnb.History(tmp_path).record(one(), when=day(0))
    script = _UNTIL_FULL.replace("assert 0 < recorded", "assert recorded + 1")
    script = script.replace("== 1000", "in (1, 1000)")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "File too large" in left_of(done)
    assert [path.suffix for path in files_of(tmp_path)] == [".parquet"]


def test_a_failed_write_elsewhere_leaves_nothing_that_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    history = rnb.History("memory://failing")
    history.record(one(title="A"), when=day(0))

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(memory), "mv", broken)
    with pytest.raises(FileProblem, match="could not be written: Input/output error"):
        history.record(one(title="B"), when=day(1))
    monkeypatch.undo()
    same(history.load(), one(title="A"))
    assert len(memory.glob("/failing/**/*.parquet")) == 1
    memory.store.clear()


# Several at once


@pytest.mark.slow
def test_threads_share_a_history(tmp_path: Path) -> None:
    history = rnb.History(tmp_path)
    together = threading.Barrier(8, timeout=AGES)

    def work(number: int) -> rnb.history.Snapshot:
        together.wait()
        snapshot = history.record(one(title=f"{number}"), when=day(0))
        for read in (history.snapshots, history.load, history.changes, history.__repr__):
            read()
        return snapshot

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(work, range(8)))
    assert {snapshot.path for snapshot in made} == set(history.snapshots()["path"])
    assert len(made) == 8


# Secrets


def test_the_token_is_nowhere(client: rnb.Client, tmp_path: Path) -> None:
    assert client.sandbox
    tokens = [token.encode() for token in client.sandbox.tokens.values()]
    history = rnb.History(tmp_path / "audits")
    df = client.sources()
    df.attrs |= {"token": tokens[0].decode(), "more": {"Authorization": "Bearer secret-word"}}
    snapshot = history.record(df)
    history.record(df, when=snapshot.at + timedelta(days=1))
    contents = [path.read_bytes() for path in files_of(tmp_path)]
    for table in map(parquet.read_table, files_of(tmp_path)):
        contents += [repr(table.schema.metadata).encode(), repr(table.to_pylist()).encode()]
    contents += [repr(history).encode(), repr(snapshot).encode(), pickle.dumps(history)]
    contents += [repr(vars(history)).encode(), history._repr_html_().encode()]
    for content in contents:
        assert not [token for token in [*tokens, b"secret-word"] if token in content]
    assert set(history.load().attrs) == {"endpoint", "project", "fetched_at"}


def test_a_password_in_a_url_is_not_shown() -> None:
    history = rnb.History("memory://user:secret-word@place/audits")
    with pytest.raises(InvalidInput) as caught:
        history.load()
    for shown in (repr(history), history._repr_html_(), str(caught.value)):
        assert "secret-word" not in shown
        assert "place/audits" in shown
    for url in ("nowhere://user:secret-word@place/audits", "https://u:secret-word@[/audits"):
        with pytest.raises(ReinferError) as problem:
            rnb.History(url).snapshots()
        assert "secret-word" not in str(problem.value)
