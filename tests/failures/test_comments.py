"""Comments and their archives: none is lost, doubled or changed on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.api.test_comments import comment, ids, page_of
from tests.api.test_contents import few, tenant_of
from tests.api.test_uploads import contents, copy, followed_by_a_comment, syncs
from tests.comments.test_archive_folders import folder, held
from tests.comments.test_archives import MANY, answers, everything, file, interrupt, lines
from tests.scripted import Scripted, Step, reply
from tests.server.test_comments import NAME, new

__all__ = ["copy", "few", "file", "folder"]


def test_case_73_a_comment_that_moves_to_another_month(
    client: rnb.Client, few: str, folder: Path
) -> None:
    """S a comment that moves to another month, so that it is in two files of an archive: fetched
    again, and read once, as the tenant has it.
    """
    client.archive([few], folder, progress=False)
    tenant_of(client).sync(new("c4", "2026-04-09T00:00:00Z"), name=few)
    assert client.archive([few], folder, progress=False)["num_fetched"].tolist() == [2]
    assert [comment["timestamp"][:10] for comment in held(folder, few)][-1] == "2026-04-09"
    df = rnb.read_archive(folder)
    assert df["id"].tolist() == ["c0", "c1", "c2", "c3", "c4"]
    assert str(df["timestamp"].iloc[-1])[:10] == "2026-04-09"


def test_case_74_a_comment_that_comes_twice(client: rnb.Client, file: Path) -> None:
    """M a page that repeats comments of the page before, or a comment that comes twice: there once,
    and it hides no other; nothing is deleted that is not in the archive.
    """
    twice = [new("a"), new("a"), new("b")]
    source = client.source(NAME).to_wire()
    with Scripted(answers(source, twice, 3), repeat=True) as tenant:
        odd = rnb.connect(endpoint=tenant.endpoint, token="x")
        with pytest.raises(rnb.NotCarriedOut, match="but its pages hold 2"):
            odd.delete_source(NAME, archive=file)
        assert "DELETE" not in tenant.methods
    assert not file.exists()


def test_case_74_a_page_that_repeats_comments() -> None:
    """Comments that the next page repeats come once."""
    pages = [page_of("a", comment(0, 0), comment(1, 1)), page_of("", comment(1, 1), comment(2, 1))]
    with Scripted(*pages) as tenant:
        client = rnb.connect(endpoint=tenant.endpoint, token="x")
        assert ids(client.comments("a/b")) == ["c0", "c1", "c2"]


def test_case_75_a_number_that_no_upload_could_send(client: rnb.Client, file: Path) -> None:
    """M a number in a comment that no upload could send, such as `1e400`: no archive and no delete,
    never null in its place.
    """
    source = client.source(NAME).to_wire()
    body = json.dumps({"status": "ok", "comments": [{**new("a"), "weight": 1.5}]})
    pages = Step(
        lambda asked: (
            reply(body.replace("1.5", "1e400").encode())
            if "/comments" in asked.path
            else answers(source, [], 1).answer(asked)
        )
    )
    with Scripted(pages, repeat=True) as tenant:
        odd = rnb.connect(endpoint=tenant.endpoint, token="x")
        with pytest.raises(rnb.ProtocolError, match="'a' holds NaN or Infinity"):
            odd.delete_source(NAME, archive=file)
        assert "DELETE" not in tenant.methods


def test_case_76_an_archive_before_a_delete(
    client: rnb.Client, few: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S an archive before a delete, after one that was interrupted: read anew; a comment that
    arrives after it stops the delete.
    """
    interrupt(few, file, client, monkeypatch)
    edited = [{**comment, "weight": 5} for comment in everything(client, few)]
    tenant_of(client).sync(*edited, name=few)
    client.delete_source(few, archive=file)
    assert [comment["weight"] for comment in lines(file)] == [5] * 5


def test_case_76_a_comment_that_arrives_after_the_archive(
    client: rnb.Client, few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment that arrives after the archive stops the delete."""
    monkeypatch.setattr(rnb.Client, "archive", followed_by_a_comment(client, few))
    with pytest.raises(rnb.NotCarriedOut, match=r"was not deleted: it has 6 comments now.*holds 5"):
        client.delete_source(few, archive=tmp_path / "gone.jsonl.gz")
    assert client.count_comments(few) == 6


def test_case_77_an_upload_that_stopped(client: rnb.Client, copy: str, file: Path) -> None:
    """S an upload that stopped on its way and is called again: no batch is sent twice but those
    under way, and every comment is there.
    """
    archive = client.archive(MANY, file, progress=False)
    confirmed = {"confirm": archive.num_comments, "another_source": True}

    def stop(done: int, _: int) -> None:
        if done > 4_000:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        client.upload(copy, file, **confirmed, progress=stop)  # type: ignore[arg-type]
    first = syncs(client)
    told: list[int] = []
    result = client.upload(
        copy,
        file,
        **confirmed,  # type: ignore[arg-type]
        progress=lambda done, _: told.append(done),
    )
    assert told[0] > 4_000
    assert result.new + result.unchanged == archive.num_comments
    # Only what was under way at the error may be sent twice.
    assert first + (syncs(client) - first) <= -(-5_969 // 128) + 20
    assert contents(everything(client, copy)) == contents(lines(file))


def test_case_78_ids_that_would_ask_for_something_else(client: rnb.Client) -> None:
    """S a comment's id "", "." or "..", which would ask for something else: refused before anything
    is sent.
    """
    box = client.sandbox
    assert box is not None
    before = len(box.requests)
    for name in ("", ".", ".."):
        with pytest.raises(rnb.InvalidInput, match="cannot be asked for alone"):
            client.comment(NAME, name)
    assert len(box.requests) == before


@pytest.mark.parametrize("writer", ["to_csv", "to_excel"])
def test_case_79_comments_to_files_and_back(
    client: rnb.Client, tmp_path: Path, writer: str
) -> None:
    """S comments to CSV and Excel and back: the same frame, receivers as lists."""
    df = client.comments("claims/motor-inbox", limit=30)
    name = {"to_csv": "comments.csv", "to_excel": "comments.xlsx"}[writer]
    getattr(rnb, writer)(df, tmp_path / name)
    back = getattr(rnb, writer.replace("to_", "read_"))(tmp_path / name)
    assert back["to"].tolist() == [list(receivers) for receivers in df["to"]]
    pd.testing.assert_frame_equal(back.drop(columns="to"), df.drop(columns="to"))
