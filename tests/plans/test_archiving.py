"""Plans that archive the comments of sources before they delete them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reinfer_nb as rnb
from reinfer_nb.api import safe_write
from tests.api.test_contents import few
from tests.api.test_uploads import contents, followed_by_a_comment
from tests.comments.test_archives import everything, lines

__all__ = ["few"]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


def deleting(client: rnb.Client, *names: str) -> rnb.Plan:
    """A plan that deletes some sources of "claims"."""
    df = client.sources("claims")
    full_names = df["owner"] + "/" + df["name"]
    return client.plan(df[~full_names.isin(names)], df, delete_missing=True)


def archives(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.jsonl.gz"))


def test_sources_are_archived_and_then_deleted(client: rnb.Client, few: str, folder: Path) -> None:
    names = [few, "claims/theft-inbox"]
    before = {name: everything(client, name) for name in names}
    ids = {name: client.source(name).id for name in names}
    result = deleting(client, *names).apply(progress=False, archive=folder)
    assert result.ok
    assert archives(folder) == sorted(
        f"{name.replace('/', '-')}-{ids[name]}.jsonl.gz" for name in names
    )
    for step, outcome in zip(result.plan.steps, result.outcomes, strict=True):
        assert lines(Path(outcome.archive)) == before[step.full_name]
        assert f"comments are in {outcome.archive}" in outcome.said
        with pytest.raises(rnb.NotFound):
            client.source(step.full_name)
    # Undo tells how to bring the comments back.
    undo = result.undo()
    assert undo.apply(progress=False).ok
    codes = [note.partition("upload them: ")[2] for note in undo.notes]
    for code in filter(None, codes):
        with pytest.raises(rnb.InvalidInput) as asked:
            eval(code, {"client": client})  # noqa: S307 - what the note says
        confirm = str(asked.value).rpartition("give ")[2].rstrip(".")
        eval(f"{code[:-1]}, {confirm}, progress=False)", {"client": client})  # noqa: S307
    for name in names:
        assert contents(everything(client, name)) == contents(before[name])


def test_a_source_whose_comments_arrive_meanwhile_is_kept_and_a_retry_archives_again(
    client: rnb.Client, few: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = deleting(client, few)
    with monkeypatch.context() as patch:
        patch.setattr(rnb.Client, "archive", followed_by_a_comment(client, few))
        result = plan.apply(progress=False, archive=folder)
    assert [outcome.status for outcome in result.outcomes] == ["failed"]
    assert "was not deleted: it has 6 comments now" in result.outcomes[0].said
    assert client.count_comments(few) == 6
    again = result.retry(progress=False)
    assert again.ok
    assert len(archives(folder)) == 2
    assert len(lines(Path(again.outcomes[0].archive))) == 6


def test_a_source_that_was_changed_is_neither_archived_nor_deleted(
    client: rnb.Client, few: str, folder: Path
) -> None:
    plan = deleting(client, few)
    client.update_source(few, title="Changed meanwhile")
    result = plan.apply(progress=False, archive=folder)
    assert [outcome.status for outcome in result.outcomes] == ["moved"]
    assert archives(folder) == []
    assert client.count_comments(few) == 5


def test_an_apply_that_was_killed_before_the_delete_goes_on(
    client: rnb.Client, few: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, journal = deleting(client, few), tmp_path / "journal.jsonl"

    def delete(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(safe_write, "delete", delete)
        with pytest.raises(SystemExit):
            plan.apply(progress=False, archive=folder, journal=journal)
    (first,) = archives(folder)
    assert json.loads(journal.read_text().splitlines()[-1])["archive"] == str(folder / first)
    result = rnb.resume(client, journal, progress=False)
    assert result.ok
    # The contents may have changed since the first archive.
    assert len(archives(folder)) == 2
    assert len(lines(Path(result.outcomes[0].archive))) == 5


def test_a_folder_that_cannot_be_written_to_stops_the_deletes(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    result = deleting(client, few).apply(progress=False, archive=taken)
    assert [outcome.status for outcome in result.outcomes] == ["failed"]
    assert "cannot be a folder" in result.outcomes[0].said
    assert client.count_comments(few) == 5
    with pytest.raises(rnb.InvalidInput):
        deleting(client, few).apply(progress=False, archive="s3://bucket/archives")
    assert taken.read_text() == "mine"
