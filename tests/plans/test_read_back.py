"""Journals, plan files and restore files can be read back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb import cli, files, strict_json
from reinfer_nb.api import restore_files
from reinfer_nb.files import encoded
from reinfer_nb.plans import saved
from reinfer_nb.widgets import DeleteForm, jobs

Captured = pytest.CaptureFixture[str]
NAME = "claims/motor-inbox"
# Values that a tenant may send in an unknown field.


NO_JSON: dict[str, Callable[[], Any]] = {
    "NaN": lambda: float("nan"),
    "NaN inside": lambda: [{"a": ["NaN", float("nan")]}],
    "keys that become one": lambda: {1: 2, "1": 3},
    "halves that become one": lambda: "\ud83d" + "\ude00",
    "an object": object,
    "a number of too many digits": lambda: 10**5_000,
    "nested beyond reason": lambda: nested(100_000),
    "bytes": lambda: b"bytes",
}


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("nan"), ["NaN", float("nan")], {"NaN": float("nan")}])
def test_a_json_text_holds_no_nan(value: object) -> None:
    with pytest.raises(ValueError, match="NaN is not JSON"):
        strict_json.text_of(value)


@pytest.mark.slow
@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("indent", [None, 2])
def test_content_that_could_not_be_read_is_not_written(
    value: Callable[[], Any], indent: int | None
) -> None:
    with pytest.raises(rnb.FileProblem, match="cannot be kept in a file and read again"):
        encoded({"a": [value()]}, indent=indent)


@pytest.mark.slow
@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
def test_nothing_is_sent_if_a_plan_cannot_be_written(
    client: rnb.Client, tmp_path: Path, value: Callable[[], Any]
) -> None:
    assert client.sandbox is not None
    plan = client.plan(client.sources("claims").iloc[1:], delete_missing=True)
    (step,) = plan.steps
    assert step.base is not None
    odd = replace(step, base=replace(step.base, extra={"odd": value()}))
    plan = replace(plan, steps=(odd,))
    asked = len(client.sandbox.requests)
    for journal in (None, tmp_path / "journal.jsonl"):
        with pytest.raises(rnb.FileProblem, match="cannot be kept in a file and read again"):
            plan.apply(progress=False, journal=journal)
    with pytest.raises(rnb.FileProblem, match="cannot be kept in a file and read again"):
        plan.save(tmp_path / "change.json")
    with pytest.raises(rnb.FileProblem, match="cannot be kept in a file and read again"):
        restore_files.write(odd.base or step.base, client.endpoint, tmp_path / "gone.json")
    assert len(client.sandbox.requests) == asked
    assert list(tmp_path.glob("*.json*")) == []


def test_a_plan_that_could_not_be_read_again_is_neither_saved_nor_applied(
    client: rnb.Client, tmp_path: Path
) -> None:
    assert client.sandbox is not None
    plan = client.plan(client.sources("claims").head(1).assign(title="Edited"))
    (step,) = plan.steps
    # The step has no source to compare with.
    plan = replace(plan, steps=(replace(step, base=None), replace(step, name="motor-claims")))
    asked = len(client.sandbox.requests)
    with pytest.raises(rnb.FileProblem, match="the previous state of the source"):
        plan.save(tmp_path / "change.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(rnb.FileProblem, match="the previous state of the source"):
        plan.apply(progress=False, journal=tmp_path / "journal.jsonl")
    assert len(client.sandbox.requests) == asked


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": "another"}', b"x" * 300])
def test_a_source_is_deleted_only_after_its_restore_file_was_read_back(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    """Simulate a disk that stores other data than was written."""
    assert client.sandbox is not None
    whole = files.written_whole

    @contextlib.contextmanager
    def damaging(path: Path, *, overwrite: bool) -> Iterator[Any]:
        with whole(path, overwrite=overwrite) as file:
            yield file
        path.write_bytes(damage)

    monkeypatch.setattr(restore_files, "written_whole", damaging)
    with pytest.raises(rnb.FileProblem, match="could not be read back"):
        client.delete_source(NAME, restore_file=tmp_path / "gone.json")
    assert not (tmp_path / "gone.json").exists()
    assert "DELETE" not in {asked.method for asked in client.sandbox.requests}
    assert client.source(NAME).full_name == NAME


def test_a_restore_file_of_another_source_stops_the_delete(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = restore_files.RestoreFile(
        source=client.source(client.sources("claims")["id"][7]), endpoint=client.endpoint
    )
    monkeypatch.setattr(restore_files, "read", lambda _: other)
    with pytest.raises(rnb.FileProblem, match="differs from the one that was written"):
        client.delete_source(NAME, restore_file=tmp_path / "gone.json")
    assert client.source(NAME).full_name == NAME


# Journals


def held_back(client: rnb.Client, journal: str | Path, *, final: bool) -> rnb.ApplyResult:
    """Return the result of a plan with a failed create, so that its delete was left out."""
    assert client.sandbox is not None
    claims = client.sources("claims", refresh=True)
    edited = claims.iloc[1:].copy()
    edited.loc[len(claims)] = None
    edited.loc[len(claims), ["owner", "name"]] = ["claims", "new"]
    plan = client.plan(edited, delete_missing=True, project="claims")
    assert [step.kind for step in plan.steps] == ["create", "delete"]
    if final:
        client.create_source("claims/new", title="Another one")
        return plan.apply(progress=False, journal=journal)
    with client.sandbox.faults.add(rnb.Fault.answer(403, on="create_source")):
        return plan.apply(progress=False, journal=journal)


@pytest.mark.slow
@pytest.mark.parametrize("final", [True, False])
def test_deletes_that_were_left_out_are_in_the_journal(
    client: rnb.Client, tmp_path: Path, *, final: bool
) -> None:
    journal = tmp_path / "journal.jsonl"
    result = held_back(client, journal, final=final)
    held = result.outcomes[1]
    assert held.status == ("moved" if final else "left")
    assert "could not be created first" in held.said
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("action") == 1] == [held.status]
    again = saved.result_of(client, journal)
    assert again.outcomes == result.outcomes
    assert again.counts == result.counts
    resumed = rnb.resume(client, journal, progress=False)
    assert resumed.counts == ({"moved": 2} if final else {"done": 2})


@pytest.mark.slow
def test_an_undo_only_reads_the_journal(
    configured: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    journal = folder / "journal.jsonl"
    edited = configured.sources("claims").head(2).assign(title="Edited")
    configured.plan(edited).apply(progress=False, journal=journal)
    before = journal.read_bytes()
    journal.chmod(0o400)
    folder.chmod(0o500)
    open_file = os.open

    def read_only(path: Any, flags: int, *rest: Any, **how: Any) -> int:
        """Refuse to write in the folder; permissions would not stop an administrator."""
        writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writing and str(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied")
        return open_file(path, flags, *rest, **how)

    monkeypatch.setattr(os, "open", read_only)
    try:
        assert cli.main(["undo", str(journal), "--yes"]) == 0
    finally:
        folder.chmod(0o700)
    assert "2 done" in capsys.readouterr().out
    assert journal.read_bytes() == before
    assert "Edited" not in set(configured.sources("claims", refresh=True)["title"])


# Relative paths


@pytest.mark.slow
def test_a_relative_path_stays_relative_to_the_folder_at_the_call(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    monkeypatch.chdir(here)
    result = held_back(client, "journal.jsonl", final=False)
    assert result.journal == here / "journal.jsonl"
    read = saved.result_of(client, "journal.jsonl")
    history = rnb.History("history")
    # Not a source that the plan deletes.
    people = client.sources("people")
    source = client.source(people["id"].iloc[0])
    form = DeleteForm(client, source, folder="restore")
    rnb.to_csv(client.sources("claims").head(2), "listing.csv")
    box = rnb.sandbox(database="box.sqlite")
    filled = rnb.sandbox(data="listing.csv")
    monkeypatch.chdir(elsewhere)
    assert read.retry(progress=False).counts == {"done": 2}
    assert result.journal.exists()
    history.record(client.sources())
    form.jobs.wait()
    form.name.value = source.full_name
    form.button.click()
    form.jobs.wait()
    with box as opened:
        opened.sources()
    with filled as opened:
        assert len(opened.sources()) == 2
    assert list(elsewhere.iterdir()) == []
    assert {"box.sqlite", "history", "journal.jsonl", "restore"} <= {
        path.name for path in here.iterdir()
    }


def test_a_delete_form_keeps_its_folder_for_the_next_source(
    shared: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    ids = shared.sources("claims")["id"]
    monkeypatch.chdir(here)
    form = DeleteForm(shared, shared.source(ids[0]), folder="restore")
    monkeypatch.chdir(elsewhere)
    form.look_at(shared.source(ids[1]))
    form.jobs.wait()
    assert form.restore_file is not None
    assert form.restore_file.parent == here / "restore"
