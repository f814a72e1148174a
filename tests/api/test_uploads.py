"""Uploads of archives: priced, journalled, resumed; and sources restored with their comments."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.contents import comment_calls, uploading
from reinfer_nb.api.retry_policy import Patience
from tests.api.test_contents import few, tenant_of
from tests.comments.test_archives import MANY, broken, everything, file, lines
from tests.conftest import Tally
from tests.killed import Workers
from tests.scripted import Scripted, reply
from tests.server.test_comments import NAME, new

__all__ = ["few", "file"]
OWN = ("uid", "created_at", "has_annotations")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def contents(comments: list[Any]) -> list[Any]:
    """What a client sends of comments."""
    return [{k: v for k, v in comment.items() if k not in OWN} for comment in comments]


def syncs(client: rnb.Client) -> int:
    assert client.sandbox is not None
    return sum(one.path.endswith("/sync") for one in client.sandbox.requests)


def written(path: Path, *comments: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"comment": comment}) + "\n" for comment in comments))
    return path


@pytest.fixture
def copy(client: rnb.Client) -> str:
    return client.create_source("claims/copy").full_name


def followed_by_a_comment(client: rnb.Client, name: str) -> Any:
    """Return `Client.archive` with a comment that arrives in a source after each archive."""
    tenant, usual = tenant_of(client), rnb.Client.archive

    def archive(self: rnb.Client, *arguments: Any, **options: Any) -> Any:
        made = usual(self, *arguments, **options)
        tenant.sync(new("late", "2026-06-01T00:00:00Z"), name=name)
        return made

    return archive


# The price


def test_nothing_is_sent_before_the_number_is_confirmed(
    client: rnb.Client, few: str, file: Path
) -> None:
    client.archive(few, file, progress=False)
    before = syncs(client)
    for confirm in (None, 4, 6, "5", True, 5.0):
        message = r"5 comments to claims/few costs up to 5 AI units.*give confirm=5\."
        with pytest.raises(rnb.InvalidInput, match=message):
            client.upload(few, file, confirm=confirm)  # type: ignore[arg-type]
    assert syncs(client) == before
    result = client.upload(few, file, confirm=5, progress=False)
    assert (result.new, result.updated, result.unchanged, result.ok) == (0, 0, 5, True)


def test_an_archive_of_another_source_is_told(
    client: rnb.Client, few: str, copy: str, file: Path
) -> None:
    client.archive(few, file, progress=False)
    before = syncs(client)
    with pytest.raises(rnb.InvalidInput, match=f"is of {few} on .*, not of {copy}"):
        client.upload(copy, file, confirm=5)
    with rnb.sandbox() as other:
        other.create_source(few)
        with pytest.raises(rnb.InvalidInput, match="another_source=True"):
            other.upload(few, file, confirm=5)
    assert syncs(client) == before
    result = client.upload(copy, file, confirm=5, another_source=True, progress=False)
    assert result.new == 5
    assert contents(everything(client, copy)) == contents(lines(file))


# What is sent


def test_comments_go_in_batches_and_come_back_as_they_were(
    client: rnb.Client, copy: str, file: Path
) -> None:
    archive = client.archive(MANY, file, progress=False)
    told: list[tuple[int, int]] = []
    result = client.upload(
        copy,
        file,
        confirm=archive.num_comments,
        another_source=True,
        progress=lambda *both: told.append(both),
    )
    assert result.new == archive.num_comments == 5_969
    assert told[-1] == (5_969, 5_969)
    assert syncs(client) == -(-5_969 // 128)
    assert contents(everything(client, copy)) == contents(lines(file))
    # Once more changes nothing, and costs nothing.
    again = client.upload(copy, file, confirm=5_969, another_source=True, progress=False)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 5_969)


def test_a_large_comment_makes_a_small_batch(
    client: rnb.Client, copy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "_BYTES", 1_000)
    long = [{"body": {"text": "x" * 600}}]
    comments = [{**new(f"c{n}"), "messages": long} for n in range(3)]
    path = written(tmp_path / "long.jsonl", new("a"), new("b"), *comments)
    assert client.upload(copy, path, confirm=5, progress=False).new == 5
    assert syncs(client) == 3


def test_a_bad_comment_is_told_and_the_rest_goes_on(
    client: rnb.Client, copy: str, tmp_path: Path
) -> None:
    comments = [new(f"c{n:03}") for n in range(300)]
    for place in (0, 130, 131, 299):
        comments[place] = {**comments[place], "user_properties": {"colour": "red"}}
    path = written(tmp_path / "some.jsonl", *comments)
    with pytest.warns(rnb.NotTakenWarning, match="refused 4 of 300 comments: 'c000'"):
        result = client.upload(copy, path, confirm=300, progress=False)
    assert (result.new, result.ok) == (296, False)
    assert result.frame["id"].tolist() == ["c000", "c130", "c131", "c299"]
    assert result.frame["reason"].str.contains("must begin with string: or number:").all()
    assert "c130" in result._repr_html_()
    assert client.count_comments(copy) == 296
    # Three batches; halves only where one was refused.
    assert syncs(client) < 60


def test_a_request_that_is_too_large_is_halved(
    client: rnb.Client, copy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "_BYTES", 100 << 20)
    long = [{"body": {"text": "x" * (1 << 20)}}]
    comments = [{**new(f"c{n:03}"), "messages": long} for n in range(12)]
    path = written(tmp_path / "long.jsonl", *comments)
    assert client.upload(copy, path, confirm=12, progress=False).new == 12


@pytest.mark.parametrize(
    ("comments", "message"),
    [
        ([new("a"), new("b"), new("a")], "holds the comment 'a' twice"),
        ([new("a"), {"id": "b"}], "line 2: the timestamp"),
    ],
)
def test_a_bad_archive_is_told_before_anything_is_sent(
    client: rnb.Client, copy: str, tmp_path: Path, comments: list[Any], message: str
) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    path = written(tmp_path / "bad.jsonl", *comments)
    with pytest.raises(rnb.FileProblem, match=message):
        client.upload(copy, path, confirm=2)
    with pytest.raises(rnb.FileProblem, match="There is no file"):
        client.upload(copy, tmp_path / "none.jsonl", confirm=2)
    assert len(client.sandbox.requests) == before


def test_who_may_only_read_is_told(client: rnb.Client, few: str, file: Path) -> None:
    assert client.sandbox is not None
    client.archive(few, file, progress=False)
    box = client.sandbox
    viewer = rnb.connect(endpoint=box.endpoint, token=box.tokens["viewer"])
    with pytest.raises(rnb.PermissionDenied, match='lacks the permission "edit messages"'):
        viewer.upload(few, file, confirm=5)
    # Nothing was taken, so the upload begins at the beginning.
    assert client.upload(few, file, confirm=5, progress=False).unchanged == 5


def test_a_strange_response_is_an_error(client: rnb.Client, tmp_path: Path) -> None:
    path = written(tmp_path / "some.jsonl", new("a"))
    source = client.source(NAME).to_wire()
    for strange in ({}, {"new": "all", "updated": 0, "unchanged": 0}):
        answers = ({"source": source}, strange)
        with Scripted(*(reply({"status": "ok", **answer}) for answer in answers)) as tenant:
            odd = rnb.connect(endpoint=tenant.endpoint, token="x")
            with pytest.raises(rnb.ProtocolError, match="without the numbers of comments"):
                odd.upload(NAME, path, confirm=1, progress=False)


# The journal


def test_a_journal_of_something_else_is_left_alone(
    client: rnb.Client, few: str, copy: str, file: Path, tmp_path: Path
) -> None:
    client.archive(few, file, progress=False)
    journal = tmp_path / "mine.jsonl"
    client.upload(few, file, confirm=5, journal=journal, progress=False)
    content = journal.read_text()
    assert json.loads(content.splitlines()[0])["endpoint"] == client.endpoint
    assert client.sandbox is not None
    assert client.sandbox.tokens["admin"] not in content
    with pytest.raises(rnb.FileProblem, match="is not the journal of this upload"):
        client.upload(copy, file, confirm=5, journal=journal, another_source=True)
    assert journal.read_text() == content


def test_a_journal_is_of_one_archive_as_it_was(
    client: rnb.Client, copy: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = client.archive(NAME, file, progress=False)
    options: dict[str, Any] = {"confirm": archive.num_comments, "another_source": True}
    options |= {"journal": tmp_path / "mine.jsonl", "workers": 1, "progress": False}
    sync, sent = comment_calls.CommentCalls.sync, list[object]()

    def once(*given: Any, **named: Any) -> Any:
        sent.append(given)
        if len(sent) > 1:
            raise rnb.ConnectionFailed("gone")
        return sync(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(comment_calls.CommentCalls, "sync", once)
        with pytest.raises(rnb.ConnectionFailed):
            client.upload(copy, file, **options)
    # Its batches are others now.
    written(file, *lines(file)[::-1])
    with pytest.raises(rnb.FileProblem, match="is not the journal of this upload"):
        client.upload(copy, file, **options)
    assert len(everything(client, copy)) < archive.num_comments


@pytest.mark.slow
def test_with_faults_every_comment_comes_once(client: rnb.Client, copy: str, file: Path) -> None:
    assert client.sandbox is not None
    archive = client.archive(NAME, file, progress=False)
    client._transport.patience = Patience(100, backoff=0.01)
    often: Any = {"on": "sync_comments", "probability": 0.2}
    faults = [
        Fault.answer(429, **often, seed=1),
        Fault.answer(502, after=True, **often, seed=2),
        Fault.drop(after=True, **often, seed=3),
        Fault.cut(**often, seed=4),
    ]
    with client.sandbox.faults.add(*faults):
        result = client.upload(
            copy, file, confirm=archive.num_comments, another_source=True, progress=False
        )
    assert result.new + result.unchanged == archive.num_comments
    assert contents(everything(client, copy)) == contents(lines(file))


# Deleted and restored


def test_a_source_is_archived_deleted_and_restored_with_its_comments(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    before = everything(client, few)
    settings, archive = tmp_path / "gone.json", tmp_path / "gone.jsonl.gz"
    gone = client.delete_source(few, restore_file=settings, archive=archive)
    assert lines(archive) == before
    assert json.loads(settings.read_text())["archive"] == str(archive)
    with pytest.raises(rnb.InvalidInput, match=r"costs up to 5 AI units.*confirm=5"):
        rnb.restore(client, settings, archive=archive)
    with pytest.raises(rnb.NotFound):
        client.source(few)
    with pytest.warns(rnb.RestoredWarning, match="5 comments were uploaded from"):
        source = rnb.restore(client, settings, archive=archive, confirm=5)
    assert source.id != gone.id
    assert contents(everything(client, few)) == contents(before)


def test_without_its_archive_the_warning_says_where_the_comments_are(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    settings, archive = tmp_path / "gone.json", tmp_path / "gone.jsonl.gz"
    client.delete_source(few, restore_file=settings, archive=archive)
    message = rf"comments are in .*gone.jsonl.gz. To upload them: client.upload\('{few}'"
    with pytest.warns(rnb.RestoredWarning, match=message):
        source = rnb.restore(client, settings)
    assert client.count_comments(source) == 0
    assert client.upload(few, archive, confirm=5, progress=False).new == 5


def test_an_archive_that_cannot_be_written_stops_the_delete(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.jsonl"
    taken.write_text("mine")
    for path, kind in ((taken, rnb.FileProblem), (tmp_path / "x.csv", rnb.InvalidInput)):
        with pytest.raises(kind):
            client.delete_source(few, archive=path, restore_file=tmp_path / "gone.json")
    assert client.count_comments(few) == 5
    assert taken.read_text() == "mine"
    assert not (tmp_path / "gone.json").exists()


def test_restore_checks_the_archive_before_it_creates_the_source(
    client: rnb.Client, few: str, tmp_path: Path, file: Path
) -> None:
    settings = tmp_path / "gone.json"
    client.archive(NAME, file, progress=False)
    number = len(lines(file))
    client.delete_source(few, restore_file=settings)
    with pytest.raises(rnb.InvalidInput, match=f"is the archive of {NAME}"):
        rnb.restore(client, settings, archive=file, confirm=number)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(rnb.FileProblem, match="cut or damaged"):
        rnb.restore(client, settings, archive=file, confirm=number)
    with pytest.raises(rnb.NotFound):
        client.source(few)


def test_an_upload_that_fails_after_the_create_says_how_to_go_on(
    client: rnb.Client, few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, archive = tmp_path / "gone.json", tmp_path / "gone.jsonl.gz"
    client.delete_source(few, restore_file=settings, archive=archive)
    with monkeypatch.context() as patch:
        error = rnb.ServerError("down", 503)
        patch.setattr(comment_calls.CommentCalls, "sync", broken(error))
        with pytest.raises(rnb.ServerError) as raised:
            rnb.restore(client, settings, archive=archive, confirm=5)
    (note,) = raised.value.__notes__
    assert f"{few} was recreated" in note
    code = note.rpartition("To go on: ")[2]
    assert eval(code, {"client": client}).new == 5  # noqa: S307 - what the note says


@pytest.mark.slow
def test_six_thousand_comments_come_back_after_kills_at_every_step(
    client: rnb.Client, tmp_path: Path, tally: Tally
) -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice, kills = Random(seed), 0
    box = client.sandbox
    assert box is not None
    tenant = tenant_of(client)
    extra = [new(f"extra-{n}", "2025-05-05T05:05:05Z") for n in range(31)]
    tenant.sync(*extra, name=MANY)
    before = everything(client, MANY)
    assert len(before) == 6_000
    settings, archive = tmp_path / "gone.json", tmp_path / "gone.jsonl.gz"
    with Workers(tmp_path / "state") as workers, box.faults.add(Fault.wait(0.05)):
        # Archive.
        for _ in range(3):
            workers.begin(box, "archive", MANY, archive, progress=False, workers=4)
            time.sleep(dice.uniform(0.05, 0.4))
            kills += workers.kill()
        if not archive.exists():
            workers.begin(box, "archive", MANY, archive, progress=False)
            workers.end()
        assert lines(archive) == before
        gone = client.delete_source(MANY, restore_file=settings)
        with pytest.warns(rnb.RestoredWarning):
            rnb.restore(client, settings)
        # Upload.
        sent = syncs(client)
        for _ in range(3):
            workers.begin(box, "upload", MANY, archive, confirm=6_000, progress=False)
            time.sleep(dice.uniform(0.2, 0.6))
            if not workers.kill():
                break
            kills += 1
        else:
            workers.begin(box, "upload", MANY, archive, confirm=6_000, progress=False)
            workers.end()
    after = everything(client, MANY)
    assert client.source(MANY).id != gone.id
    assert contents(after) == contents(before)
    # At most what was under way is sent again: four batches a kill.
    assert syncs(client) - sent <= -(-6_000 // 128) + 4 * kills
    tally("kills while comments were archived and uploaded", kills)
    assert kills >= 4
