"""The explorer's tab with the comments of the current source."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.widgets import Explorer, jobs
from reinfer_nb.widgets.explorer.comments.bars import bars
from reinfer_nb.widgets.explorer.comments.pane import CommentsPane
from reinfer_nb.widgets.explorer.source_details import COMMENTS, FIELDS
from tests.api.test_contents import few, tenant_of
from tests.comments.test_archives import everything, lines
from tests.server.test_comments import NAME, new
from tests.waiting import AGES
from tests.widgets.forms.test_forms import texts

__all__ = ["few"]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    monkeypatch.chdir(tmp_path)


def look(ex: Explorer, name: str) -> CommentsPane:
    frame = ex.finder.frame
    place = (frame["owner"] + "/" + frame["name"]).tolist().index(name)
    ex.finder.look_at(int(ex.finder.positions[place]))
    ex.details.tabs.selected_index = COMMENTS
    ex.details.comments.jobs.wait()
    return ex.details.comments


def test_the_tab_shows_activity_and_the_newest_comments(client: rnb.Client) -> None:
    pane = look(rnb.explore(client), "claims/motor-inbox")
    newest = tenant_of(client).page("claims/motor-inbox", limit=20, direction="descending")
    assert [row[0] for row in pane.comments._rows] == [
        f"{pd.Timestamp(one['timestamp']):%Y-%m-%d %H:%M}" for one in newest["comments"]
    ]
    first = newest["comments"][0]
    assert pane.comments._rows[0][1:3] == [
        first["messages"][0]["from"],
        first["messages"][0]["subject"]["text"],
    ]
    months = client.activity(
        "claims/motor-inbox",
        since=str(pd.Timestamp.now("UTC").tz_localize(None).to_period("M") - 23),
        progress=False,
    )
    assert f"{months['num_comments'].sum():,} comments in 24 months" in texts(pane)
    assert pane._chart.value.count("<rect") == 24


def test_a_comment_is_opened_as_text_and_no_markup_is_run(client: rnb.Client, few: str) -> None:
    hostile = {
        **new("<b>id", "2026-04-01T00:00:00Z"),
        "messages": [
            {
                "body": {"text": HOSTILE, "text_markup": HOSTILE},
                "subject": {"text": HOSTILE},
                "from": HOSTILE,
            }
        ],
        "user_properties": {f"string:{HOSTILE}": HOSTILE},
    }
    tenant_of(client).sync(hostile, name=few)
    pane = look(rnb.explore(client), few)
    pane._on_comment(0)
    html = pane._opened.value
    assert "<img" not in html
    assert html.count("&lt;img") >= 4
    assert "&lt;b&gt;id" in html


def test_the_search_narrows_what_is_shown(client: rnb.Client, few: str) -> None:
    strasse = {**new("s", "2026-04-01T00:00:00Z"), "messages": [{"body": {"text": "STRASSE 5"}}]}
    tenant_of(client).sync(strasse, name=few)
    pane = look(rnb.explore(client), few)
    assert len(pane.comments._rows) == 6
    pane.search.value = " straße "
    assert [row[3] for row in pane.comments._rows] == ["STRASSE 5"]
    assert pane.comments._more == "1 of 6: only those with this text."
    pane._on_comment(0)
    assert "STRASSE 5" in pane._opened.value
    pane.search.value = ""
    assert len(pane.comments._rows) == 6


def test_another_source_forgets_the_one_before(client: rnb.Client, few: str) -> None:
    ex = rnb.explore(client)
    pane = look(ex, NAME)
    pane.search.value = "policy"
    pane._on_comment(0)
    assert look(ex, few) is pane
    assert (pane.search.value, pane._opened.value) == ("", "")
    assert len(pane.comments._rows) == 5
    # What was read is not read again when the tab is opened again.
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    ex.details.tabs.selected_index = FIELDS
    ex.details.tabs.selected_index = COMMENTS
    pane.jobs.wait()
    assert len(client.sandbox.requests) == before
    pane.reload.click()
    pane.jobs.wait()
    assert len(client.sandbox.requests) > before


def test_a_source_without_comments_and_an_error_are_told(client: rnb.Client) -> None:
    assert client.sandbox is not None
    name = client.create_source("claims/empty").full_name
    ex = rnb.explore(client)
    pane = look(ex, name)
    assert "0 comments in 24 months; no comments" in texts(pane)
    with client.sandbox.faults.add(Fault.answer(500, on="list_comments")):
        look(ex, NAME)
    assert "internal error" in texts(pane)
    assert pane.comments._rows == []
    pane.reload.click()
    pane.jobs.wait()
    assert len(pane.comments._rows) == 20


def test_a_slow_response_is_not_shown_for_another_source(
    client: rnb.Client, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, usual = threading.Event(), rnb.Client.activity

    def activity(self: rnb.Client, which: Any, **options: Any) -> Any:
        if which.full_name == NAME:
            held.wait(AGES)
        return usual(self, which, **options)

    monkeypatch.setattr(rnb.Client, "activity", activity)
    ex = rnb.explore(client)
    frame = ex.finder.frame
    names = (frame["owner"] + "/" + frame["name"]).tolist()
    ex.finder.look_at(int(ex.finder.positions[names.index(NAME)]))
    ex.details.tabs.selected_index = COMMENTS
    pane = look(ex, few)
    held.set()
    assert len(pane.comments._rows) == 5
    assert "5 comments in 24 months" in texts(pane)


def test_comments_are_archived_in_the_folder_of_the_notebook(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    pane = look(rnb.explore(client), few)
    pane.archive.click()
    pane.jobs.wait()
    (path,) = tmp_path.glob("claims-few-*.jsonl.gz")
    assert lines(path) == everything(client, few)
    assert str(path) in texts(pane)
    assert "not hold the content of attachments" in texts(pane)
    pane.archive.click()
    pane.jobs.wait()
    assert len(list(tmp_path.glob("claims-few-*.jsonl.gz"))) == 2


def test_an_archive_that_was_stopped_goes_on(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = look(rnb.explore(client), NAME)
    usual = rnb.Client.archive
    begun = threading.Event()

    def archive(self: rnb.Client, *arguments: Any, progress: Any) -> Any:
        def told(done: int, total: int) -> None:
            begun.set()
            pane.jobs._current.stopped.wait(AGES)  # type: ignore[union-attr]
            progress(done, total)

        return usual(self, *arguments, progress=told)

    with monkeypatch.context() as patch:
        patch.setattr(rnb.Client, "archive", archive)
        pane.archive.click()
        assert begun.wait(AGES)
        pane.stop.click()
    assert "What was read is kept" in texts(pane)
    (folder,) = tmp_path.glob("*.partial")
    # The thread that was stopped releases the archive.
    for thread in threading.enumerate():
        if thread.name == "reinfer_nb-widget":
            thread.join(AGES)
    pane.archive.click()
    pane.jobs.wait()
    assert lines(folder.with_suffix("")) == everything(client, NAME)


def test_the_comments_of_the_selected_sources_are_archived(
    client: rnb.Client, few: str, tmp_path: Path
) -> None:
    ex = rnb.explore(client)
    assert ex.archive.disabled
    names = [few, NAME]
    ex.search = "few"
    ex.finder.select([int(ex.finder.positions[0])])
    ex.search = "theft-inbox"
    ex.finder.select([*ex.finder.selected, int(ex.finder.positions[0])])
    ex.archive.click()
    ex.jobs.wait()
    (folder,) = tmp_path.glob("archives-*")
    total = 0
    for name in names:
        (path,) = folder.glob(f"{name.replace('/', '-')}-*.jsonl.gz")
        assert lines(path) == everything(client, name)
        total += len(lines(path))
    assert f"{total:,} comments of 2 sources written to {folder}." in texts(ex.bar)


def test_a_source_that_cannot_be_archived_is_told(client: rnb.Client, few: str) -> None:
    ex = rnb.explore(client)
    ex.search = "claims few"
    ex.finder.select([int(ex.finder.positions[0])])
    client.delete_source(few)
    ex.archive.click()
    ex.jobs.wait()
    assert "0 comments of 0 sources written" in texts(ex.bar)
    assert f"1 source could not be archived: {few}" in texts(ex.bar)


def test_a_listing_without_a_tenant_says_so(client: rnb.Client) -> None:
    ex = rnb.explore(client.sources())
    ex.finder.look_at(0)
    ex.details.tabs.selected_index = COMMENTS
    assert "listing without a tenant" in texts(ex.details)


def test_bars_show_every_number_above_zero() -> None:
    html = bars([0, 1, 100_000], ["2026-01", "2026-02", "2026-03"], "Some <b> comments")
    heights = [part.split('"')[1] for part in html.split(" height=")[1:]]
    assert heights == ["57", "0", "2", "56"]
    assert "<title>2026-03: 100,000</title>" in html
    assert 'aria-label="Some &lt;b&gt; comments"' in html
    assert bars([], [], "") != ""


# Columns of the table


def test_activity_adds_columns_for_the_shown_sources(client: rnb.Client) -> None:
    ex = rnb.explore(client)
    ex.search = "theft"
    shown = ex.frame["id"].tolist()
    ex.counting.activity.click()
    ex.jobs.wait()
    expected = client.contents(ex.frame[["owner", "name", "id"]], progress=False)
    for name in ("num_comments", "last_comment_at", "comments_last_month", "comments_usual_month"):
        pd.testing.assert_series_equal(
            ex.frame[name].reset_index(drop=True), expected[name].reset_index(drop=True)
        )
    assert ex.frame["activity"].str.len().isin([0, 13]).all()
    ex.search = ""
    others = ex.frame[~ex.frame["id"].isin(shown)]
    assert others["activity"].isna().all()
    ex.search = "last_comment_at:<2026-01 theft"
    assert set(ex.frame["id"]) <= set(shown)
    # A count of all sources keeps what is known of these.
    ex.search = ""
    ex.statistics.click()
    ex.jobs.wait()
    assert ex.frame["num_comments"].notna().all()
    assert ex.frame["activity"].notna().sum() == len(shown)
