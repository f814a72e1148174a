"""Archives: written from a tenant and read again, after kills, faults and damage."""

from __future__ import annotations

import errno
import gzip
import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random, randrange
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.contents import archiving, comment_calls
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.comments import archive_file, archive_parts
from tests.api.test_comments import FAULTS
from tests.api.test_contents import few, tenant_of
from tests.conftest import SLOW_EXAMPLES, Tally
from tests.killed import Workers
from tests.scripted import Asked, Scripted, Step, reply
from tests.server.test_comments import NAME, new

__all__ = ["few"]
MANY = "claims/motor-chat"


def lines(path: Path) -> list[Any]:
    """The comments of an archive, read without the package."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    assert not text or text.endswith(b"\n")
    contents = [json.loads(line) for line in text.splitlines()]
    assert all(set(content) == {"comment"} for content in contents)
    return [content["comment"] for content in contents]


def everything(client: rnb.Client, name: str) -> list[Any]:
    """All comments of a source with their markup, read without the package."""
    return tenant_of(client).comments(name, limit=256, include_markup="true")


def pages(client: rnb.Client) -> list[str]:
    assert client.sandbox is not None
    return [one.path for one in client.sandbox.requests if "/comments?" in one.path]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "comments.jsonl.gz"


# Written and read


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_an_archive_holds_what_the_tenant_tells(
    client: rnb.Client, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"theft{suffix}"
    archive = client.archive(NAME, path, progress=False)
    sent = everything(client, NAME)
    assert lines(path) == sent
    assert (archive.path, archive.num_comments) == (path, len(sent))
    assert archive.until == pd.Timestamp(sent[-1]["timestamp"])
    assert "text_markup" in path.read_text() if suffix == ".jsonl" else True
    pd.testing.assert_frame_equal(rnb.read_archive(path), client.comments(NAME))
    assert rnb.read_archive(path).attrs == client.comments(NAME).attrs
    side = json.loads((tmp_path / f"{path.name}.source.json").read_text())
    assert side["source"] == client.source(NAME).to_wire()
    assert side["num_comments"] == len(sent)
    assert "attachments, audio, or annotations" in side["about"]
    assert sorted(child.name for child in tmp_path.iterdir()) == [
        path.name,
        f"{path.name}.source.json",
    ]


def test_many_comments_are_read_in_ranges_of_time(client: rnb.Client, file: Path) -> None:
    before = len(pages(client))
    archive = client.archive(MANY, file, progress=False)
    sent = everything(client, MANY)
    assert archive.num_comments == len(sent) == 5_969
    assert lines(file) == sent
    asked = pages(client)[before:]
    begun = [path for path in asked if "from_timestamp" in path]
    assert len(begun) > 5
    pd.testing.assert_frame_equal(rnb.read_archive(file), client.comments(MANY))


def test_few_comments_take_few_requests(client: rnb.Client, few: str, file: Path) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    client.archive(few, file, progress=False)
    # The source; count, newest; count, page; count.
    assert len(client.sandbox.requests) == before + 6


def test_a_source_without_comments_has_an_archive(client: rnb.Client, file: Path) -> None:
    name = client.create_source("claims/empty").full_name
    assert client.archive(name, file, progress=False).num_comments == 0
    assert lines(file) == []
    df = rnb.read_archive(file)
    pd.testing.assert_frame_equal(df, client.comments(name))


def test_a_range_of_time_is_exact(client: rnb.Client, few: str, file: Path) -> None:
    archive = client.archive(few, file, since="2026-02", until="2026-02", progress=False)
    assert [comment["id"] for comment in lines(file)] == ["c1", "c2"]
    assert archive.since == pd.Timestamp("2026-02-01", tz="UTC")
    assert "2026-02-28" in archive.facts()["until"]


def test_progress_is_told_and_its_error_ends_the_call(client: rnb.Client, file: Path) -> None:
    told: list[tuple[int, int]] = []
    client.archive(MANY, file, progress=lambda *both: told.append(both))
    assert told[-1] == (5_969, 5_969)
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    def stop(done: int, total: int) -> None:
        raise RuntimeError(f"{done} of {total}")

    other = file.with_name("other.jsonl.gz")
    with pytest.raises(RuntimeError, match="of 5969"):
        client.archive(MANY, other, progress=stop)
    assert not other.exists()
    # What is written so far is not read again.
    before = len(pages(client))
    client.archive(MANY, other, progress=False)
    assert len(pages(client)) - before < 5_969 / 256 + 64
    assert lines(other) == lines(file)


def test_the_vendor_s_files_are_read_too(tmp_path: Path) -> None:
    comment = {**new("a"), "uid": "u", "created_at": "2026-01-01T00:00:00Z"}
    path = tmp_path / "vendor.jsonl"
    path.write_text(json.dumps({"comment": comment, "labelling": [], "entities": None}) + "\n")
    df = rnb.read_archive(path)
    assert df["id"].tolist() == ["a"]
    assert df.attrs == {}
    (tmp_path / "no-line-break.jsonl").write_text(json.dumps({"comment": comment}))
    assert len(rnb.read_archive(tmp_path / "no-line-break.jsonl")) == 1


# What a tenant does meanwhile


def test_comments_that_arrive_in_between_are_read_or_told(
    client: rnb.Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, usual = tenant_of(client), comment_calls.CommentCalls.pages
    times = iter(range(3))

    def pages(self: Any, *arguments: Any, **options: Any) -> Any:
        yield from usual(self, *arguments, **options)
        # An old comment arrives once a range was read.
        if (number := next(times, None)) is not None:
            tenant.sync(new(f"late-{number}", "2022-05-05T05:05:05Z"), name=MANY)

    monkeypatch.setattr(comment_calls.CommentCalls, "pages", pages)
    archive = client.archive(MANY, file, progress=False)
    assert archive.num_comments == 5_972
    assert lines(file) == everything(client, MANY)


def test_a_count_that_never_fits_is_an_error_and_leaves_no_archive(
    client: rnb.Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = comment_calls.CommentCalls.pages

    def pages(self: Any, *arguments: Any, **options: Any) -> Any:
        for page in usual(self, *arguments, **options):
            # Requests with a limit look for the oldest and the newest one.
            yield page if "limit" in options else page._replace(comments=page.comments[1:])

    with monkeypatch.context() as patch:
        patch.setattr(comment_calls.CommentCalls, "pages", pages)
        with pytest.raises(rnb.NotCarriedOut, match="but its pages hold"):
            client.archive(NAME, file, progress=False)
    assert not file.exists()
    client.archive(NAME, file, progress=False)
    assert lines(file) == everything(client, NAME)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_with_faults_no_comment_is_missing_or_double(
    client: rnb.Client, file: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.sandbox is not None
    client._transport.patience = Patience(100, backoff=0.01)
    monkeypatch.setattr(archiving, "_FEW", 100)
    with client.sandbox.faults.add(fault) as added:
        client.archive(NAME, file, progress=False)
        assert added.struck > 3
    assert lines(file) == everything(client, NAME)


@pytest.mark.slow
def test_an_archive_goes_on_after_kills_at_any_moment(
    client: rnb.Client, tmp_path: Path, file: Path, tally: Tally
) -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice, kills = Random(seed), 0
    box = client.sandbox
    assert box is not None
    with Workers(tmp_path / "state") as workers, box.faults.add(Fault.wait(0.1)):
        for _ in range(6):
            workers.begin(box, "archive", MANY, file, progress=False, workers=4)
            time.sleep(dice.uniform(0.05, 0.35))
            kills += workers.kill()
            assert not file.exists() or len(lines(file)) == 5_969
        if not file.exists():
            workers.begin(box, "archive", MANY, file, progress=False)
            workers.end()
    assert kills >= 3
    assert lines(file) == everything(client, MANY)
    read = Counter(path for path in pages(client) if "after=" in path)
    # A page is read again only if a kill came before it was on the disk.
    assert sum(read.values()) - len(read) <= kills * 4 * 6
    tally("kills of an archive at work", kills)


def test_an_archive_that_was_complete_when_it_was_killed_is_known(
    client: rnb.Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(archive_parts.Parts, "remove", broken(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            client.archive(NAME, file, progress=False)
    assert file.exists()
    written = file.stat().st_mtime_ns
    before = len(pages(client))
    archive = client.archive(NAME, file, progress=False)
    assert archive.num_comments == len(lines(file))
    assert (file.stat().st_mtime_ns, len(pages(client))) == (written, before)
    assert not file.with_name(f"{file.name}.partial").exists()
    with pytest.raises(rnb.FileProblem, match="exists"):
        client.archive(NAME, file, progress=False)


def test_an_archive_is_never_without_its_description(
    client: rnb.Client, few: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_together = archive_parts.Parts.put_together

    def killed(*given: Any, **named: Any) -> None:
        put_together(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive_parts.Parts, "put_together", killed)
        with pytest.raises(KeyboardInterrupt):
            client.archive(few, file, progress=False)
    assert client.archive(few, file, progress=False).num_comments == 5
    assert archive_file.described(file) is not None


def broken(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# Bad input


def test_what_cannot_be_archived_is_told_before_anything_is_sent(
    client: rnb.Client, tmp_path: Path, file: Path
) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    taken = tmp_path / "taken.jsonl"
    taken.write_text("mine")
    for path, options, kind, message in (
        (tmp_path / "x.csv", {}, rnb.InvalidInput, "must end in .jsonl"),
        ("s3://bucket/x.jsonl.gz", {}, rnb.InvalidInput, "is a URL"),
        (file, {"since": "2026-02", "until": "2026-01"}, rnb.InvalidInput, "is after until"),
        (file, {"workers": 0}, rnb.InvalidInput, "workers must be"),
        (file, {"overwrite": "yes"}, rnb.InvalidInput, "overwrite must be"),
    ):
        with pytest.raises(kind, match=message):
            client.archive(NAME, path, **options)
    assert len(client.sandbox.requests) == before
    for path, message in (
        (taken, "taken.jsonl exists. Choose another name, or give overwrite=True"),
        (taken / "x.jsonl", "cannot be created: "),
    ):
        with pytest.raises(rnb.FileProblem, match=message):
            client.archive(NAME, path)
    assert taken.read_text() == "mine"
    assert len(pages(client)) == 0
    with pytest.raises(rnb.NotFound, match=f"Did you mean {NAME}"):
        client.archive("claims/theft-inbx", file)
    client.archive(NAME, taken, overwrite=True, progress=False)
    assert lines(taken) == everything(client, NAME)


def interrupt(name: str, file: Path, client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read all parts of an archive, and interrupt it before they are put together."""
    with monkeypatch.context() as patch:
        patch.setattr(archive_parts.Parts, "put_together", broken(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            client.archive(name, file, progress=False)


def test_the_parts_of_another_archive_are_left_alone(
    client: rnb.Client, few: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(few, file, client, monkeypatch)
    for name, since in ((NAME, None), (few, "2026-02")):
        with pytest.raises(rnb.FileProblem, match="begun of another source or range"):
            client.archive(name, file, since=since, progress=False)
    client.archive(few, file, progress=False)
    assert lines(file) == everything(client, few)


def test_two_calls_do_not_write_the_same_archive(client: rnb.Client, few: str, file: Path) -> None:
    def again(*_: object) -> None:
        client.archive(few, file, progress=False)

    with pytest.raises(rnb.FileProblem, match="in use by another process"):
        client.archive(few, file, progress=again)


@pytest.mark.parametrize("step", ["fsync", "fdopen", "link"])
def test_a_full_disk_loses_nothing(
    client: rnb.Client, few: str, file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(os, step, broken(error))
        if step == "link":
            patch.setattr(Path, "replace", broken(error))
        with pytest.raises(rnb.FileProblem, match="No space left"):
            client.archive(few, file, progress=False)
    assert not file.exists()
    client.archive(few, file, progress=False)
    assert lines(file) == everything(client, few)


def test_a_part_that_was_lost_is_read_again(
    client: rnb.Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(MANY, file, client, monkeypatch)
    folder = file.with_name(f"{file.name}.partial")
    first, second, third, *_ = sorted(folder.glob("*.part"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-5])
    third.write_bytes(third.read_bytes() + b"rest of a write")
    client.archive(MANY, file, progress=False)
    assert lines(file) == everything(client, MANY)


def test_a_folder_that_is_not_of_an_archive_is_left_alone(
    client: rnb.Client, few: str, file: Path
) -> None:
    folder = file.with_name(f"{file.name}.partial")
    folder.mkdir()
    (folder / "journal.jsonl").write_text('{"ranges": 5}\n')
    with pytest.raises(rnb.FileProblem, match="is not the folder of an archive"):
        client.archive(few, file, progress=False)
    assert (folder / "journal.jsonl").read_text() == '{"ranges": 5}\n'


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_cut_or_changed_archive_is_never_taken_for_a_whole_one(
    client: rnb.Client, few: str, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"few{suffix}"
    client.archive(few, path, progress=False)
    whole = path.read_bytes()
    rows = len(rnb.read_archive(path))
    assert rows == 5
    # Without its last line break a text file is whole.
    for size in range(len(whole) - (suffix == ".jsonl")):
        path.write_bytes(whole[:size])
        with pytest.raises(rnb.FileProblem, match=r"cut|not JSON|holds"):
            rnb.read_archive(path)
    path.write_bytes(whole * 2)
    with pytest.raises(rnb.FileProblem, match=r"holds 10 comments, but had 5"):
        rnb.read_archive(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("owner,name\nclaims,motor\n", "line 1 is not JSON"),
        ("[]\n", "line 1 holds no comment"),
        ('{"comment": {"id": "a"}}\n', "the timestamp of the comment is"),
        ('{"comment": {"id": 5, "timestamp": "2026-01-01T00:00:00Z"}}\n', "the comment has no id"),
        ('{"comment": {"id": "a", "id": "b"}}\n', "appears twice"),
        ("\x00\x00", "not JSON"),
    ],
)
def test_a_foreign_file_is_told(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(content)
    with pytest.raises(rnb.FileProblem, match=message):
        rnb.read_archive(path)


def test_a_foreign_side_file_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(rnb.FileProblem, match="There is no file"):
        rnb.read_archive(tmp_path / "none.jsonl")
    with pytest.raises(rnb.InvalidInput, match="has no comments"):
        rnb.read_archive(tmp_path)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"comment": new("a")}) + "\n")
    for content in ("{}", "[1]", "x", '{"format": "reinfer_nb archive, version 1"}'):
        (tmp_path / "a.jsonl.source.json").write_text(content)
        with pytest.raises(rnb.FileProblem, match="is not the side file of an archive"):
            rnb.read_archive(path)


# What a tenant may answer


def answers(tenant_source: dict[str, Any], comments: list[Any], count: int) -> Any:
    """Return how a tenant answers with these comments, whatever range is asked for."""

    def answer(asked: Asked) -> bytes:
        if asked.path.endswith("/statistics"):
            return reply({"status": "ok", "statistics": {"num_comments": count}})
        if "/comments" in asked.path:
            return reply({"status": "ok", "comments": comments})
        return reply({"status": "ok", "source": tenant_source})

    return Step(answer)


@pytest.mark.parametrize("messages", [None, "x", 5, []])
def test_a_comment_with_odd_messages_can_be_read_again(
    client: rnb.Client, file: Path, messages: Any
) -> None:
    source = client.source(NAME).to_wire()
    odd = {**new("a"), "messages": messages}
    with Scripted(answers(source, [odd], 1), repeat=True) as tenant:
        rnb.connect(endpoint=tenant.endpoint, token="x").archive(NAME, file, progress=False)
    assert lines(file) == [odd]
    assert rnb.read_archive(file)["id"].tolist() == ["a"]


# Whatever is stored


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner,
    max_size=2),
    max_leaves=4,
)  # fmt: skip
TEXTS = st.text(max_size=8)
COMMENTS = st.tuples(
    st.integers(0, 3),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.dictionaries(TEXTS.map("x_{}".format), JSON, max_size=2),
)


@pytest.mark.slow
def test_whatever_is_stored_comes_back(client: rnb.Client, tmp_path: Path) -> None:
    tenant, numbers = tenant_of(client), iter(range(10**6))

    @settings(SLOW_EXAMPLES, max_examples=30)
    @given(st.lists(COMMENTS, max_size=8), st.integers(0, 300), st.sampled_from([1, 5, 256]))
    def run(drawn: list[Any], number: int, size: int) -> None:
        name = client.create_source(f"claims/any-{next(numbers)}").full_name
        contents = (drawn * number)[:number]
        comments = [
            {
                "id": f"{place}/{texts[0]}",
                # Many have the same timestamp.
                "timestamp": f"2026-01-0{day + 1}T00:00:00Z",
                "messages": [{"body": {"text": text}} for text in texts],
                **unknown,
            }
            for place, (day, texts, unknown) in enumerate(contents)
        ]
        for begin in range(0, len(comments), 128):
            assert tenant.sync(*comments[begin : begin + 128], name=name).status_code == 200
        path = tmp_path / f"{name.replace('/', '-')}.jsonl.gz"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(archiving, "_FEW", size)
            archive = client.archive(name, path, progress=False)
        assert archive.num_comments == len(comments)
        own = ("uid", "created_at", "has_annotations")
        found = {
            comment["id"]: {key: value for key, value in comment.items() if key not in own}
            for comment in lines(path)
        }
        assert found == {comment["id"]: comment for comment in comments}
        assert len(lines(path)) == len(comments)
        assert rnb.read_archive(path)["id"].tolist() == [c["id"] for c in lines(path)]

    run()
