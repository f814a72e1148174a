"""The form that deletes a source: its comments are archived first, and can be restored."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.widgets import DeleteForm, jobs
from tests.api.test_contents import few, tenant_of
from tests.api.test_uploads import contents, followed_by_a_comment
from tests.comments.test_archives import everything, lines
from tests.server.test_comments import new
from tests.waiting import AGES
from tests.widgets.forms.test_forms import press, texts

__all__ = ["few"]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


def opened(client: rnb.Client, name: str, folder: Path) -> DeleteForm:
    form = rnb.delete_form(client, name, restore_folder=folder)
    form.jobs.wait()
    form.name.value = name
    return form


def is_shown(widget: Any) -> bool:
    return widget.layout.display is None


def test_comments_are_archived_first_and_restored_after_a_question(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    before = everything(client, few)
    form = opened(client, few, tmp_path)
    assert is_shown(form.keep)
    assert form.archive is not None
    assert f"its comments to {form.archive}" in texts(form)
    assert f"archive='{form.archive}'" in form.code
    archive = form.archive
    press(form)
    assert lines(archive) == before
    assert f"its comments in {archive}" in texts(form)
    with pytest.raises(rnb.NotFound):
        client.source(few)
    assert form.comments_button.description == "Restore with 5 comments…"
    assert not is_shown(form.confirm_button)
    form.comments_button.click()
    assert "costs up to 5 AI units" in texts(form)
    assert not is_shown(form.comments_button)
    with pytest.raises(rnb.NotFound):
        client.source(few)
    assert form.confirm_button.description == "Upload 5 comments for up to 5 AI units"
    form.confirm_button.click()
    form.jobs.wait()
    assert "5 comments were uploaded" in texts(form)
    assert contents(everything(client, few)) == contents(before)
    assert "confirm=5" in form.code


def test_the_code_does_the_same(client: rnb.Client, few: str, tmp_path: Path) -> None:
    form = opened(client, few, tmp_path)
    assert form.archive is not None
    eval(form.code, {"client": client})  # noqa: S307 - what the form says
    assert len(lines(form.archive)) == 5


def test_without_the_archive_the_settings_alone_are_restored(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    form = opened(client, few, tmp_path)
    form.keep.value = False
    assert form.archive is None
    assert "Without an archive, nothing brings comments back." in texts(form)
    assert "archive=" not in form.code
    press(form)
    assert list(tmp_path.glob("*.jsonl.gz")) == []
    assert not is_shown(form.comments_button)
    form.restore_button.click()
    form.jobs.wait()
    assert client.count_comments(few) == 0


def test_a_source_without_comments_needs_no_archive(client: rnb.Client, tmp_path: Path) -> None:
    name = client.create_source("claims/empty").full_name
    form = opened(client, name, tmp_path)
    assert not is_shown(form.keep)
    assert form.archive is None
    press(form)
    assert form.deleted is not None


def test_a_source_with_new_comments_is_kept_and_the_next_attempt_archives_them(
    client: rnb.Client, few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = opened(client, few, tmp_path)
    first = form.archive
    with monkeypatch.context() as patch:
        patch.setattr(rnb.Client, "archive", followed_by_a_comment(client, few))
        press(form)
    assert "was not deleted: it has 6 comments now" in texts(form)
    assert client.count_comments(few) == 6
    assert form.archive != first
    press(form)
    assert form.deleted is not None
    assert form.archive is not None
    assert len(lines(form.archive)) == 6


def test_archiving_can_be_stopped_and_nothing_is_deleted(
    client: rnb.Client, few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun, usual = threading.Event(), threading.Event(), rnb.Client.archive

    def archive(self: rnb.Client, *arguments: Any, **options: Any) -> Any:
        begun.set()
        held.wait(AGES)
        return usual(self, *arguments, **options)

    form = opened(client, few, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(rnb.Client, "archive", archive)
        form.button.click()
        assert begun.wait(AGES)
        form.refresh()
        assert is_shown(form.stop_button)
        form.stop_button.click()
        held.set()
        form.jobs.wait()
    assert "Stopped." in texts(form)
    assert client.count_comments(few) == 5
    press(form)
    assert form.deleted is not None


def test_a_delete_that_is_under_way_is_not_stopped(
    client: rnb.Client, few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reinfer_nb.api import safe_write

    held, begun, usual = threading.Event(), threading.Event(), safe_write.delete

    def delete(*arguments: Any, **options: Any) -> Any:
        begun.set()
        held.wait(AGES)
        return usual(*arguments, **options)

    form = opened(client, few, tmp_path)
    monkeypatch.setattr(safe_write, "delete", delete)
    form.button.click()
    assert begun.wait(AGES)
    form.stop_button.click()
    assert "too late" in texts(form)
    held.set()
    form.jobs.wait()
    assert form.deleted is not None
    assert form.result is not None


def test_comments_that_arrive_in_an_empty_source_keep_it(
    client: rnb.Client, tmp_path: Path
) -> None:
    name = client.create_source("claims/filling").full_name
    form = opened(client, name, tmp_path)
    tenant_of(client).sync(new("first"), name=name)
    press(form)
    assert "was not deleted: it has 1 comment by now" in texts(form)
    form.jobs.wait()
    # The next attempt archives it.
    assert is_shown(form.keep)
    press(form)
    assert form.deleted is not None
    assert form.archive is not None
    assert len(lines(form.archive)) == 1


def test_a_source_that_cannot_be_counted_is_not_deleted_without_an_answer(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    assert client.sandbox is not None
    with client.sandbox.faults.add(rnb.Fault.answer(500, on="get_statistics")):
        form = opened(client, few, tmp_path)
        assert is_shown(form.keep)
        press(form)
        assert form.deleted is None
        form.keep.value = False
        press(form)
    assert form.deleted is not None
