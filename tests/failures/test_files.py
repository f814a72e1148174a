"""Files: what is written is read back, whole, and nothing else is touched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import reinfer_nb as rnb
from reinfer_nb.api import restore_files
from reinfer_nb.errors import UnreadableWarning
from reinfer_nb.schema.value_types import Text
from reinfer_nb.widgets import jobs
from reinfer_nb.widgets.explorer.comments.pane import CommentsPane
from tests.csvfile import test_io
from tests.history.test_history import day, listing_of, one
from tests.scripted import Scripted, Step, reply
from tests.snapshots import test_snapshot_store as store
from tests.waiting import AGES

# Each with the texts that stay as they are, to the letter.
TEXTS = [
    *(f"{before}{sign}1+1" for sign in test_io.FORMULA for before in ("", " ", "   ", "'", "''")),
    *("1234567890123456", "1e10000000000000", "007", "1.50", "+5", "inf", " 5", "5 "),
]


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_case_39_no_cell_is_a_formula(tmp_path: Path, sep: str) -> None:
    """CSV cells that begin with `=`, `+`, `-`, `@`, tab, CR (and their full-width forms):
    neutralised for spreadsheets by default, and restored exactly by `read_csv`; ids such as
    `1234567890123456` and `1e10000000000000` survive a round trip as text.
    """
    lists = [(text, "x") for text in TEXTS]
    df = test_io.frame_of(
        id=TEXTS, title=TEXTS, **{"note": TEXTS, "=cmd()": TEXTS}, sensitive_properties=lists
    )
    path = rnb.to_csv(df, tmp_path / "x.csv", sep=sep)
    header, *rows = test_io.cells_of(path, sep)
    assert header[3] == "'=cmd()"
    for text, row in zip(TEXTS, rows, strict=True):
        assert row[:4] == ["'" + text] * 4
        assert not row[4].startswith(test_io.FORMULA)
    test_io.same(rnb.read_csv(path), df)
    # A spreadsheet that saves the file again changes none of it,
    path.write_bytes(test_io.saved_again(path.read_bytes(), sep=sep))
    test_io.same(rnb.read_csv(path), df)
    # and texts that are harmless are as they are.
    plain = test_io.frame_of(id=["18ba5ce699f8da1f", "x-1", "it's"], title=["a=b", "0", "a@b.c"])
    path = rnb.to_csv(plain, path, overwrite=True)
    assert test_io.cells_of(path)[1:] == plain.to_numpy().tolist()
    test_io.same(rnb.read_csv(path), plain)


@pytest.mark.slow
def test_case_40_every_title_comes_back(tmp_path: Path) -> None:
    """commas, quotes, line breaks, leading zeros, `NA`, `null`, `None`, `True` as titles: exact
    round trip, dtypes included.
    """
    path = tmp_path / "x.csv"
    # One by one, since the other cells of a column must not help to understand a text,
    for text in test_io.NASTY:
        df = test_io.frame_of(
            id=[text, None], title=["x", text], sensitive_properties=[(text,), ()]
        )
        df["note"] = pd.array([None, text], dtype=Text.dtype)
        df["any"] = test_io.column([[text], {text: text}], np.dtype(object))
        for spreadsheet in (True, False):
            test_io.same(test_io.there_and_back(df, path, spreadsheet=spreadsheet), df)
    # and all at once, as titles of a tenant.
    titles = ["a,b", 'say "hi"', "two\nlines", "007", "NA", "null", "None", "True", *test_io.NASTY]
    data = {"owner": ["acme"] * len(titles), "name": [f"n{n}" for n in range(len(titles))]}
    with rnb.sandbox(pd.DataFrame(data | {"title": titles})) as client:
        df = client.sources()
        assert df["title"].tolist() == titles
        for sep in (",", ";", "\t"):
            back = test_io.there_and_back(df, path, sep=sep)
            test_io.same(back, df)
            assert client.plan(back, df).frame.empty


# Killed, full, forbidden

_SAVING = """
import errno, json, os, resource, sys, tempfile, time
import reinfer_nb as rnb
from reinfer_nb.frames import convert

df = convert.from_elements([
    {"id": f"{n:016x}", "owner": "claims", "name": f"source-{n}", "title": f"{n * n} new"}
    for n in range(2000)
])
SAVE = {
    "csv": lambda folder: rnb.to_csv(df, f"{folder}/sources.csv", overwrite=True),
    "excel": lambda folder: rnb.to_excel(df, f"{folder}/sources.xlsx", overwrite=True),
    "snapshot": lambda folder: rnb.History(f"{folder}/audits").record(df, when="2026-03-01T10:00"),
}

def no_space(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

# Import all that is needed: the one without permissions may not even read Python's own files.
with tempfile.TemporaryDirectory() as folder:
    for save in SAVE.values():
        save(folder)
def wait(descriptor):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(600)

for line in sys.stdin:
    what, how, folder = json.loads(line)
    child = os.fork()
    if not child:
        message = "saved"
        if how == "killed":
            # What was written waits here for the disk.
            os.fsync = wait
        elif how == "full":
            os.fsync = no_space
        elif how == "limited":
            # In the middle of the file: nothing can be written beyond.
            resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        elif os.geteuid() == 0:
            # Whoever may do everything becomes somebody who may not.
            os.seteuid(65534)
        try:
            SAVE[what](folder)
        except rnb.ReinferError as error:
            message = f"{type(error).__name__}: {error}"
        os.write(1, (message.replace("\\n", " ") + "\\n").encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""
REASONS = {
    "full": "No space left on device",
    "limited": "File too large",
    "forbidden": "Permission denied",
}
OLD = listing_of([{"id": "a" * 16, "owner": "claims", "name": "old", "title": "old"}])


@pytest.fixture(scope="module")
def saving() -> Iterator[subprocess.Popen[str]]:
    """A process that saves files, and fails in the way that it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SAVING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate(timeout=AGES)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("how", ["killed", *REASONS])
def test_case_41_no_half_file(saving: subprocess.Popen[str], how: str) -> None:
    """P kill -9, a full disk, a folder without permission during export or snapshot: the old file
    is whole, no half file under the final name, a clear error.
    """
    assert saving.stdin
    assert saving.stdout
    # Not below a folder that only its owner may enter.
    with TemporaryDirectory() as name:
        folder = Path(name)
        rnb.to_csv(OLD, folder / "sources.csv")
        rnb.to_excel(OLD, folder / "sources.xlsx")
        rnb.History(folder / "audits").record(OLD, when="2026-03-01T09:00")
        before = contents(folder)
        places = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        for place in places:
            place.chmod(0o555 if how == "forbidden" else 0o755)
        for what in ("csv", "excel", "snapshot"):
            saving.stdin.write(json.dumps([what, how, name]) + "\n")
            saving.stdin.flush()
            message = saving.stdout.readline()
            if how == "killed":
                os.kill(int(message), signal.SIGKILL)
            else:
                assert message.startswith("FileProblem: ")
                assert REASONS[how] in message
                assert folder.name in message
            assert saving.stdout.readline() == "ended\n"
            left = contents(folder)
            parts = {path for path in left if re.search(r"(^|/)\.[0-9a-f]+\.part$", path)}
            assert {path: body for path, body in left.items() if path not in parts} == before
            assert bool(parts) == (how == "killed")
            test_io.same(rnb.read_csv(folder / "sources.csv"), OLD)
            test_io.same(rnb.read_excel(folder / "sources.xlsx"), OLD)
            test_io.same(rnb.History(folder / "audits").load(), OLD)
        for place in places:
            place.chmod(0o755)
        # What was left behind disturbs nobody.
        rnb.to_csv(one(), folder / "sources.csv", overwrite=True)
        rnb.History(folder / "audits").record(one(), when="2026-03-01T10:00")
        assert len(rnb.History(folder / "audits").snapshots()) == 2


# Existing files, and names


BAD_NAMES = ["../../x", "..", "/etc/passwd", "a/../../b", "C:\\x", "x\0y\n", ""]


def test_case_42_no_other_file_is_written(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """an existing file: overwritten only when asked. A path that leaves the folder given, in names
    we build: impossible.
    """
    df = client.sources()
    edited = df.assign(title="New")
    report, plan = rnb.audit(df), client.plan(edited, df)
    writers: dict[str, Callable[..., object]] = {
        "x.csv": lambda path, **how: rnb.to_csv(df, path, **how),
        "x.xlsx": lambda path, **how: rnb.to_excel(df, path, **how),
        "report.csv": report.to_csv,
        "report.xlsx": report.to_excel,
        "changes.csv": rnb.compare(df, edited).to_csv,
        "plan.json": plan.save,
        "archive.jsonl.gz": lambda path, **how: client.archive("claims/test", path, **how),
    }
    for name, write in writers.items():
        path = tmp_path / name
        path.write_bytes(b"old")
        with pytest.raises(rnb.FileProblem, match=r"exists.*overwrite=True"):
            write(path)
        assert path.read_bytes() == b"old", name
        write(path, overwrite=True)
        assert path.read_bytes() != b"old", name
    # A restore file and a journal are never overwritten.
    for write in (
        lambda path: client.delete_source("claims/motor-inbox", restore_file=path),
        lambda path: plan.apply(journal=path),
    ):
        path = tmp_path / "kept.json"
        path.write_bytes(b"old")
        with pytest.raises(rnb.FileProblem, match="exists"):
            write(path)
        assert path.read_bytes() == b"old"
    assert client.sources(refresh=True).equals(df)
    # Whatever a tenant calls its sources, files about them stay in their folder.
    good = client.source("claims/motor-inbox")
    paths: list[Any] = []
    monkeypatch.chdir(tmp_path)

    def note(_: rnb.Client, source: rnb.Source, path: Path, **__: Any) -> None:
        paths.append(path)
        raise rnb.InvalidInput(source.full_name)

    monkeypatch.setattr(rnb.Client, "archive", note)
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    pane = CommentsPane(client)
    for bad in BAD_NAMES:
        for source in (replace(good, owner=bad), replace(good, name=bad), replace(good, id=bad)):
            paths.append(restore_files.new_file(source, tmp_path))
            pane._source = source
            pane._begun.clear()
            pane._on_archive()
            pane.jobs.wait()
    assert len(paths) == 2 * 3 * len(BAD_NAMES)
    for path in paths:
        assert Path(os.path.normpath(path)).parent == tmp_path.resolve(), path
        assert re.fullmatch(r"[\w.-]+\.(json|jsonl\.gz)", path.name, re.ASCII), path


def test_case_42_an_archive_stays_in_its_folder(tmp_path: Path) -> None:
    """A tenant's names of sources are folders of an archive, if they are names at all."""
    evil = [
        {"id": "a" * 16, "owner": bad, "name": "x"} for bad in BAD_NAMES
    ] + [{"id": "b" * 16, "owner": "acme", "name": bad} for bad in BAD_NAMES]  # fmt: skip
    listing = Step(reply({"status": "ok", "sources": evil}))
    with (
        Scripted(listing, repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
        pytest.warns(UnreadableWarning, match="not a valid name"),
    ):
        client.archive(client.sources(), tmp_path / "archive", progress=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {asked.path for asked in server.asked} == {"/api/v1/sources"}


def test_case_42_a_snapshot_leads_to_no_other_folder(tmp_path: Path) -> None:
    """The file that a snapshot refers to is one of its own history."""
    folder = tmp_path / "audits"
    rnb.History(folder).record(store.some(50), when=day(0))
    (path,) = store.files_of(folder)
    table = parquet.read_table(path)
    metadata = table.schema.metadata[b"reinfer_nb"].decode().replace(" ", "")
    place = '"unchanged_since":null'
    assert place in metadata
    secret = tmp_path / "secret.parquet"
    secret.write_bytes(path.read_bytes())
    for lead in ("../secret.parquet", "/etc/passwd", "date=2026-03-01/../../x.parquet", "", "x", 5):
        lying = metadata.replace(place, f'"unchanged_since":{json.dumps(lead)}')
        store.write_saying(path, lying.encode(), table)
        with pytest.raises(rnb.FileProblem, match=re.escape(path.name)):
            rnb.History(folder).load()


# Two at once

_TEN = """
import sys
import reinfer_nb as rnb
from reinfer_nb.frames import convert

print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    rnb.History(sys.argv[1]).record(convert.from_elements([
        {"id": f"{n:016x}", "owner": "claims", "name": f"{n}", "title": f"{sys.argv[2]} {number}"}
        for n in range(200)
    ]))
"""


@pytest.mark.slow
def test_case_43_two_processes_record(tmp_path: Path) -> None:
    """two processes recording into the same history at once: both snapshots are there and
    readable.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _TEN, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    looks = 0
    while any(process.poll() is None for process in processes):
        if any(tmp_path.rglob("*.parquet")):
            counts = store.query_rows(tmp_path, "SELECT count(*) FROM files GROUP BY snapshot_at")
            # Complete files; two of the same microsecond are counted together.
            assert all(count % 200 == 0 for (count,) in counts)
            assert len(rnb.History(tmp_path).load()) == 200
            looks += 1
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert looks
    history = rnb.History(tmp_path)
    there = history.snapshots()
    titles = [history.load(at)["title"].iloc[0] for at in there["snapshot_at"]]
    assert sorted(titles) == sorted(f"{name} {number}" for name in "ab" for number in range(10))
    assert not list(tmp_path.rglob(".*"))


# Truncated and foreign files

BOM = test_io.BOM
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
NO_LISTINGS = [
    (b"", "is empty"),
    (BOM, "is empty"),
    (b" \r\n\n", "is empty"),
    (b",\n,,\n", "is empty"),
    (PNG, "not UTF-8|binary"),
    (b"PK\x03\x04\x14\0\x06\0", "workbook|damaged"),
    (b'{"sources": [{"id": "a", "title": "b"}]}', "not CSV"),
    ("id,title\n".encode("utf-16")[:-1], "CSV UTF-8"),
    ("id,title\n".encode("utf-32"), "UTF-8"),
    ("id,title\na,b\nc,Gr\xfc\xdfe\n".encode("cp1252"), "line 3"),
    (BOM + b"id\n\xe9\n", "line 2"),
    (b"id,title\na,b\nc,d,e\n", r"[Rr]ow #?3"),
    (b"id,title\na,b\n\n\nc,d,e\n", "row 5 has 3"),
    (b'id,title\n"a\nb\nc",d\ne,f,g\n', "row 3 has 3"),
    (BOM + b"id,title", "cut off"),
    (b'id,title\na,"b\nc,d\n', "never closed"),
    (b'id,title\na,"b', "never closed"),
    (b"id,title,id\na,b,c\n", "'id' twice"),
    (b"=x,'=x\na,b\n", "'=x' twice"),
    (b"id,created_at\na,yesterday\n", "row 2, column 'created_at'"),
    (b"id,should_translate\na,true\nb,WAHR\n", "row 3, column 'should_translate'"),
]


def test_case_44_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """a truncated or foreign file given to `read_csv`, `History`, `compare`: a clear error that
    names file and line or column.
    """
    path = tmp_path / "x.csv"
    for content, said in NO_LISTINGS:
        path.write_bytes(content)
        for read in (rnb.read_csv, lambda path: rnb.compare(path, one())):
            with pytest.raises(rnb.FileProblem, match=said) as caught:
                read(path)
            assert "x.csv" in str(caught.value), content
    # The export of a listing, cut off: the header, a cell, the end.
    whole = rnb.to_csv(store.some(20), path, overwrite=True).read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:size])
        with pytest.raises(rnb.FileProblem, match=r"x\.csv.*(row|line|header|cut off|never)"):
            rnb.compare(one(), path)
    # A history with a file that is cut off, or not its own.
    folder = tmp_path / "audits"
    for number, title in enumerate("AAB"):
        rnb.History(folder).record(store.some(50, title), when=day(number))
    last = store.files_of(folder)[-1]
    snapshot = last.read_bytes()
    uses: list[Callable[[], object]] = [
        *(lambda read=read: read(rnb.History(folder)) for read in store.READERS.values()),
        lambda: rnb.History(folder).record(one(), when=day(9)),
        lambda: rnb.compare(folder, one()),
    ]

    def expect_named(case: object) -> None:
        for number, use in enumerate(uses):
            with pytest.raises(rnb.FileProblem) as caught:
                use()
            assert str(last) in str(caught.value), (case, number)

    for kept in (0, 1, 4, 100, 4000, -100, -8, -1):
        assert kept < len(snapshot)
        last.write_bytes(snapshot[:kept])
        expect_named(kept)
        assert last.name in repr(rnb.History(folder))
    for case, make in store.FOREIGN.items():
        last.unlink()
        make(last)
        expect_named(case)
        if last.is_dir():
            last.rmdir()
        else:
            last.unlink()
        last.write_bytes(snapshot)
    assert len(rnb.History(folder).load()) == 50
