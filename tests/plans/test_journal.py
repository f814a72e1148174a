"""The journal of an apply, and `resume` with whatever is left of one."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.journal import Journal
from tests.waiting import AGES, until


def applied_to(client: rnb.Client) -> Counter[tuple[str, str]]:
    """Return the number of times that each write was carried out, by method and path."""
    assert client.sandbox is not None
    return Counter(
        (one.method, one.path)
        for one in client.sandbox.requests
        if one.method in ("PUT", "DELETE") or (one.method == "POST" and "statist" not in one.path)
        if one.status == 200
    )


def box(number: int) -> rnb.Sandbox:
    names = [f"s{n:03}" for n in range(number)]
    return rnb.sandbox(pd.DataFrame({"owner": "acme", "name": names}))


@pytest.fixture
def lines(client: rnb.Client, tmp_path: Path) -> list[bytes]:
    """The lines of a journal with three creates, updates and deletes each, all done."""
    df = client.sources("claims")
    new = pd.DataFrame({"owner": "claims", "name": ["a", "b", "c"]})
    edited = pd.concat([df.iloc[3:6].assign(title="edited"), df.iloc[6:], new])
    plan = client.plan(edited, delete_missing=True, project="claims")
    result = plan.apply(progress=False, journal=tmp_path / "whole.jsonl", workers=1)
    assert result.counts == {"done": 9}
    return (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.slow
def test_resume_finds_the_done_steps_wherever_a_journal_is_cut(
    client: rnb.Client, lines: list[bytes], tmp_path: Path
) -> None:
    assert client.sandbox is not None
    usual = client.sources(refresh=True)
    path = tmp_path / "cut.jsonl"
    for number in range(1, len(lines) + 1):
        for rest in (b"", *([lines[number][:20]] if number < len(lines) else [])):
            path.write_bytes(b"".join(lines[:number]) + rest)
            before = applied_to(client)
            result = rnb.resume(client, path, progress=False)
            statuses = set(result.counts)
            # Steps that the journal does not show as begun are found on the tenant.
            assert statuses <= {"done", "skipped"}, result
            assert applied_to(client) == before
            pd.testing.assert_frame_equal(client.sources(refresh=True), usual)
            # The incomplete line was removed, and the new lines are complete.
            again = path.read_bytes()
            # Without the end of its text, and without the line break alone.
            for lost in (5, 1):
                path.write_bytes(again[:-lost])
                assert rnb.resume(client, path, progress=False).ok
            path.write_bytes(again)
            # A second resume sends no request.
            asked = len(client.sandbox.requests)
            assert rnb.resume(client, path, progress=False).counts == result.counts
            assert len(client.sandbox.requests) == asked


@pytest.mark.slow
def test_an_invalid_journal_is_left_unchanged(
    client: rnb.Client, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "other.jsonl"
    spoilt = lines[0].replace(b"version 1", b"version 2")
    for content, said in (
        (b"", "is not a journal"),
        (b"id,name\n1,2\n", "line 1"),
        (lines[0][:-30], "is not a journal"),
        (spoilt, "later version"),
        (lines[0] + b'{"action": 99, "status": "done"}\n', "which is not in the plan"),
        (lines[0] + b'{"action": 0, "status": "perhaps"}\n', "is not a valid status"),
        (lines[0] + b"broken\n" + lines[1], "line 2"),
        (lines[0] + b"[]\n", "line 2"),
    ):
        path.write_bytes(content)
        with pytest.raises(rnb.FileProblem, match=said) as caught:
            rnb.resume(client, path)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == content
    with pytest.raises(rnb.FileProblem, match=r"nothing\.jsonl"):
        rnb.resume(client, tmp_path / "nothing.jsonl")
    assert not (tmp_path / "nothing.jsonl").exists()


@pytest.mark.slow
def test_a_journal_of_another_tenant_is_refused(
    client: rnb.Client, lines: list[bytes], tmp_path: Path
) -> None:
    del client
    path = tmp_path / "whole.jsonl"
    with box(1) as other:
        assert other.sandbox is not None
        before = len(other.sandbox.requests)
        with pytest.raises(rnb.InvalidInput, match="is the journal of a plan for"):
            rnb.resume(other, path)
        assert len(other.sandbox.requests) == before
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.slow
def test_only_one_process_at_a_time_opens_a_journal(
    client: rnb.Client, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(b"".join(lines[:4]))
    held = Journal.opened(path)
    try:
        with pytest.raises(rnb.FileProblem, match="in use by another process"):
            rnb.resume(client, path)
    finally:
        held.close()
    assert rnb.resume(client, path, progress=False).ok


def test_a_closed_journal_takes_no_line(tmp_path: Path) -> None:
    journal = Journal.begun(tmp_path / "a.jsonl", {"format": "x"})
    journal.write({"n": 1})
    journal.close()
    # Another file may use the same file descriptor now.
    with (tmp_path / "b").open("wb"), pytest.raises(rnb.FileProblem, match="cannot be"):
        journal.write({"n": 2})
    journal.close()
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert (first["format"], second["n"]) == ("x", 1)


@pytest.mark.slow
def test_a_full_disk_stops_the_apply_before_the_request(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = client.plan(client.sources("claims").assign(title="edited"))
    usual: Any = os.write
    written = 0

    def write(number: int, data: bytes) -> int:
        nonlocal written
        if data.startswith(b'{"action"'):
            written += 1
            if written > 10:
                usual(number, data[:7])
                raise OSError(28, "No space left on device")
        return int(usual(number, data))

    path = tmp_path / "journal.jsonl"
    # The same if a part of the line was written.
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(rnb.FileProblem, match="No space left") as caught:
            plan.apply(workers=2, progress=False, journal=path)
        assert str(path) in str(caught.value)
    done = applied_to(client).total()
    begun = path.read_bytes().count(b'"begun"')
    assert done <= begun <= 10
    assert rnb.resume(client, path, progress=False).counts == {"done": 39}
    assert set(applied_to(client).values()) == {1}


def test_lines_before_a_full_disk_are_written_and_later_ones_raise_its_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    journal = Journal.begun(tmp_path / "a.jsonl", {"format": "x"})
    write: Any = os.write
    sync: Any = os.fsync
    syncing, full = threading.Event(), threading.Event()

    def write_or_fail(number: int, data: bytes) -> int:
        if json.loads(data).get("n") == 2:
            full.set()
            raise OSError(28, "No space left on device")
        return int(write(number, data))

    def sync_late(number: int) -> None:
        if not syncing.is_set():
            syncing.set()
            # The second line waits for the lock while the third fails.
            assert full.wait(AGES)
            time.sleep(0.05)
        sync(number)

    monkeypatch.setattr(os, "write", write_or_fail)
    monkeypatch.setattr(os, "fsync", sync_late)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(journal.write, {"n": 0})
        assert syncing.wait(AGES)
        second = pool.submit(journal.write, {"n": 1})
        until(lambda: journal._written == 2)
        third = pool.submit(journal.write, {"n": 2})
        first.result(AGES)
        second.result(AGES)
        with pytest.raises(rnb.FileProblem, match="No space left"):
            third.result(AGES)
    with pytest.raises(rnb.FileProblem, match="No space left"):
        journal.write({"n": 3})
    journal.close()
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line).get("n") for line in lines] == [None, 0, 1]
