"""The explorer without a browser: its attributes, and its update after a form has written."""

from __future__ import annotations

import gc
import gzip
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipywidgets as ui
import pandas as pd
import pytest
from ipywidgets import embed

import reinfer_nb as rnb
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import settings_of
from reinfer_nb.widgets import CreateForm, Explorer, jobs
from reinfer_nb.widgets.explorer.download_link import Saved
from reinfer_nb.widgets.explorer.source_details import DELETE, EDIT, JSON
from tests.scripted import Asked
from tests.test_markup import NASTY, Parsed
from tests.waiting import AGES
from tests.widgets.forms.test_forms import html, no, press, texts, through

NAME = "claims/motor-inbox"
OTHER = "claims/property-inbox"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def ex(client: rnb.Client) -> Explorer:
    return rnb.explore(client)


def row_of(ex: Explorer, full_name: str) -> int:
    shown = ex.frame["owner"] + "/" + ex.frame["name"]
    return shown.tolist().index(full_name)


def move(ex: Explorer, full_name: str, how: str = "only") -> None:
    """Send the message of a click on a row."""
    message = {"kind": "select", "row": row_of(ex, full_name), "how": how}
    ex.finder._handle_custom_msg(message | {"version": ex.finder.shown}, [])


def looked_at(ex: Explorer) -> str | None:
    source: Source | None = ex.source
    return source.full_name if source else None


def names(df: pd.DataFrame) -> list[str]:
    return [f"{owner}/{name}" for owner, name in zip(df["owner"], df["name"], strict=True)]


def comments(ex: Explorer, full_name: str) -> Any:
    return ex.frame["num_comments"].iloc[row_of(ex, full_name)]


def creating(ex: Explorer) -> CreateForm:
    ex.new.click()
    (form,) = ex._new_pane.children
    assert isinstance(form, CreateForm)
    return form


def on_tab(ex: Explorer, full_name: str, tab: int) -> None:
    move(ex, full_name)
    ex.details.tabs.selected_index = tab
    ex.details.delete.jobs.wait()


# From Python


def test_a_search_is_a_text(ex: Explorer) -> None:
    with pytest.raises(rnb.InvalidInput, match="search must be a text such as 'motor', not 3"):
        ex.search = 3  # type: ignore[assignment]


@pytest.mark.slow
def test_what_is_filtered_selected_and_looked_at_is_live(ex: Explorer, client: rnb.Client) -> None:
    listing = client.sources()
    pd.testing.assert_frame_equal(ex.frame, listing)
    assert ex.selected.empty
    assert list(ex.selected.columns) == list(listing.columns)
    ex.search = "motor"
    assert ex.search == "motor"
    assert names(ex.frame)[0] == NAME
    assert 0 < len(ex.frame) < len(listing)
    ex.search = ""
    ex.chosen = {"owner": "claims", "language": "de"}
    assert set(ex.frame["owner"]) == {"claims"}
    assert set(ex.frame["language"]) == {"de"}
    assert set(ex.chosen) == {"owner", "language"}
    ex.chosen = {}
    assert len(ex.frame) == len(listing)
    ex.finder.select([3, 1])
    pd.testing.assert_frame_equal(ex.selected, listing.iloc[[1, 3]])
    assert looked_at(ex) is None
    changes: list[Any] = []
    ex.observe(lambda change: changes.append(change["new"]), "source")
    move(ex, NAME)
    assert changes == [ex.source] == [client.source(NAME)]
    assert names(ex.selected) == [NAME]
    move(ex, OTHER, "extend")
    assert set(names(ex.selected)) >= {NAME, OTHER}
    assert changes[1:] == [client.source(OTHER)]


@pytest.mark.slow
def test_a_column_of_counts_does_not_hinder_looking(ex: Explorer, client: rnb.Client) -> None:
    ex.search = "motor"
    ex.statistics.click()
    ex.jobs.wait()
    move(ex, NAME)
    source: Source | None = ex.source
    assert source is not None
    # The number of comments is no setting of the source.
    assert settings_of(source) == settings_of(client.source(NAME))
    on_tab(ex, NAME, EDIT)
    ex.details.edit.controls["title"].fill("Motor")
    press(ex.details.edit)
    assert client.source(NAME).title == "Motor"


def test_it_opens_for_who_sees_little(client: rnb.Client) -> None:
    def answer(asked: Asked) -> bytes | None:
        return no(403, "403") if asked.path in ("/auth/user", "/api/_private/projects") else None

    with through(client, answer) as way:
        ex = rnb.explore(way)
        assert "Unknown user" in texts(ex)
        assert "claims" in creating(ex).project.options


# The forms in it


@pytest.mark.slow
def test_after_creating_updating_and_deleting_the_listing_is_fresh(
    ex: Explorer, client: rnb.Client
) -> None:
    form = creating(ex)
    form.project.value, form.name.value = "claims", "a-new-one"
    press(form)
    ex.jobs.wait()
    assert "claims/a-new-one" in names(ex.frame)
    on_tab(ex, "claims/a-new-one", EDIT)
    ex.details.edit.controls["title"].fill("Just made")
    press(ex.details.edit)
    ex.jobs.wait()
    assert ex.frame["title"].iloc[row_of(ex, "claims/a-new-one")] == "Just made"
    assert ex.source == client.source("claims/a-new-one")
    assert "is updated: title" in texts(ex.details)
    ex.details.tabs.selected_index = DELETE
    delete = ex.details.delete
    delete.jobs.wait()
    delete.name.value = "claims/a-new-one"
    press(delete)
    ex.jobs.wait()
    assert "claims/a-new-one" not in names(ex.frame)
    assert looked_at(ex) is None
    # The deleted source can still be restored.
    assert delete.restore_button in _all(ex)
    delete.restore_button.click()
    delete.jobs.wait()
    ex.jobs.wait()
    assert "claims/a-new-one" in names(ex.frame)


def listings_asked(client: rnb.Client) -> int:
    """Return how many listings the practice tenant was asked for."""
    assert client.sandbox is not None
    return sum(asked.path == "/api/v1/sources" for asked in client.sandbox.requests)


@pytest.mark.slow
def test_an_update_changes_its_row_without_a_new_listing(ex: Explorer, client: rnb.Client) -> None:
    ex.statistics.click()
    ex.jobs.wait()
    ex.finder.sort = ("title", False)
    ex.chosen = {"owner": "claims"}
    on_tab(ex, NAME, EDIT)
    move(ex, OTHER, "toggle")
    move(ex, NAME, "move")
    before = listings_asked(client)
    for title in ("Zebra crossing", "Aardvark"):
        ex.details.edit.controls["title"].fill(title)
        press(ex.details.edit)
        assert not ex.jobs.running
        assert ex.frame["title"].iloc[row_of(ex, NAME)] == title
        source = client.source(NAME)
        assert ex.source == replace(source, extra={"num_comments": 19640})
        assert f"{NAME}</strong> {title}" in "".join(html(ex.details))
        assert ex.frame["title"].str.lower().is_monotonic_increasing
    assert comments(ex, NAME) == 19640
    assert listings_asked(client) == before
    assert set(names(ex.selected)) == {NAME, OTHER}
    assert (ex.chosen, ex.finder.sort) == ({"owner": ("=claims",)}, ("title", False))
    ex.search = "aardvark"
    assert names(ex.frame) == [NAME]
    ex.search = "zebra"
    assert names(ex.frame) == []
    ex.search, ex.chosen, ex.finder.sort = "", {}, None
    fresh = client.statistics(client.sources(refresh=True), progress=False)
    pd.testing.assert_frame_equal(ex.frame, fresh)


@pytest.mark.slow
def test_after_an_update_an_old_listing_is_fetched_again(ex: Explorer, client: rnb.Client) -> None:
    old = ex._listing.copy()
    old.attrs["fetched_at"] = "2024-05-01T12:00:00+00:00"
    ex._take(old)
    client.update_source(OTHER, title="theirs")
    on_tab(ex, NAME, EDIT)
    ex.details.edit.controls["title"].fill("mine")
    press(ex.details.edit)
    ex.jobs.wait()
    titles = ex.frame["title"]
    assert (titles.iloc[row_of(ex, NAME)], titles.iloc[row_of(ex, OTHER)]) == ("mine", "theirs")


@pytest.mark.slow
def test_a_slow_response_does_not_replace_a_newer_row(ex: Explorer, client: rnb.Client) -> None:
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    on_tab(ex, NAME, EDIT)
    ex.details.edit.controls["title"].fill("mine")
    slow = rnb.Fault.wait(2.0, on="update_source", after=True, times=1)
    with client.sandbox.faults.add(slow), rnb.connect(endpoint=client.endpoint, token=token) as she:
        ex.details.edit.button.click()
        while client.source(NAME).title != "mine":
            time.sleep(0.01)
        she.update_source(NAME, title="theirs")
        ex.reload.click()
        ex.jobs.wait()
        ex.details.edit.jobs.wait()
    ex.jobs.wait()
    assert ex.frame["title"].iloc[row_of(ex, NAME)] == "theirs"


@pytest.mark.slow
def test_an_update_during_a_listing_is_not_lost(
    ex: Explorer, client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_tab(ex, NAME, EDIT)
    listed, updated = client.sources, threading.Event()

    def late(*_: Any, **__: Any) -> pd.DataFrame:
        listing = listed(refresh=True)
        assert updated.wait(30)
        return listing

    monkeypatch.setattr(client, "sources", late)
    ex.reload.click()
    ex.details.edit.controls["title"].fill("mine")
    press(ex.details.edit)
    monkeypatch.setattr(client, "sources", listed)
    updated.set()
    ex.jobs.wait()
    assert ex.frame["title"].iloc[row_of(ex, NAME)] == "mine"


@pytest.mark.slow
def test_a_restored_source_has_not_the_comments_it_had(ex: Explorer, client: rnb.Client) -> None:
    name = "claims/theft-inbox"
    ex.search = "theft-inbox"
    ex.statistics.click()
    ex.jobs.wait()
    assert comments(ex, name) == 1_484
    on_tab(ex, name, DELETE)
    delete = ex.details.delete
    delete.name.value = name
    press(delete)
    delete.restore_button.click()
    delete.jobs.wait()
    ex.jobs.wait()
    assert client.count_comments(name) == 0
    assert comments(ex, name) is pd.NA or comments(ex, name) == 0


@pytest.mark.slow
def test_what_somebody_else_changed_is_there_after_a_refresh(
    ex: Explorer, client: rnb.Client
) -> None:
    on_tab(ex, NAME, JSON)
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        other.update_source(NAME, title="theirs")
    ex.reload.click()
    ex.jobs.wait()
    assert ex.source == client.source(NAME)
    assert '"theirs"' in texts(ex.details)
    assert "130 sources listed" in texts(ex.bar._said)


@pytest.mark.slow
def test_what_was_not_sent_stays_while_others_are_looked_at(
    ex: Explorer, client: rnb.Client
) -> None:
    on_tab(ex, NAME, EDIT)
    ex.details.edit.controls["title"].fill("draft")
    assert "not sent" not in texts(ex.details._unsent)
    move(ex, OTHER)
    assert f"Changes that were not sent: {NAME}." in texts(ex.details)
    other = ex.details.edit
    assert other.source == client.source(OTHER)
    assert not other.dirty
    other.controls["title"].fill("other draft")
    ex.details.tabs.selected_index = JSON
    move(ex, NAME)
    ex.reload.click()
    ex.jobs.wait()
    ex.details.tabs.selected_index = EDIT
    assert ex.details.edit.controls["title"].input.value == "draft"
    assert f"Changes that were not sent: {OTHER}." in texts(ex.details)
    press(ex.details.edit)
    ex.jobs.wait()
    move(ex, OTHER)
    assert ex.details.edit.controls["title"].input.value == "other draft"
    press(ex.details.edit)
    ex.jobs.wait()
    assert "not sent" not in texts(ex.details)
    assert client.source(NAME).title == "draft"
    assert client.source(OTHER).title == "other draft"


@pytest.mark.slow
def test_a_draft_of_what_was_changed_meanwhile_stops(ex: Explorer, client: rnb.Client) -> None:
    on_tab(ex, NAME, EDIT)
    ex.details.edit.controls["title"].fill("draft")
    move(ex, OTHER)
    client.update_source(NAME, title="theirs")
    ex.reload.click()
    ex.jobs.wait()
    move(ex, NAME)
    press(ex.details.edit)
    assert client.source(NAME).title == "theirs"
    assert "was changed at" in texts(ex.details)


@pytest.mark.slow
def test_what_was_not_sent_to_a_source_that_is_gone_is_not_offered(ex: Explorer) -> None:
    name = "claims/recovery-chat"
    on_tab(ex, name, EDIT)
    ex.details.edit.controls["title"].fill("draft")
    on_tab(ex, name, DELETE)
    ex.details.delete.name.value = name
    press(ex.details.delete)
    ex.jobs.wait()
    assert name not in names(ex.frame)
    assert "Select a source to continue" not in texts(ex.details)


# The buttons


@pytest.mark.slow
def test_export_writes_what_is_filtered(ex: Explorer, tmp_path: Path) -> None:
    ex.search = "motor"
    ex.finder.sort = ("updated_at", True)
    ex.statistics.click()
    ex.jobs.wait()
    ex.export.csv.click()
    ex.jobs.wait()
    (file,) = (tmp_path / "work").iterdir()
    assert f"written to {file}" in texts(ex)
    (saved,) = ex.bar._files.children
    assert isinstance(saved, Saved)
    assert saved.name == file.name
    pd.testing.assert_frame_equal(rnb.read_csv(file), ex.frame.reset_index(drop=True))


def test_export_never_replaces_a_file(
    ex: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    clock = SimpleNamespace(now=lambda _: now)
    monkeypatch.setattr("reinfer_nb.widgets.explorer.download_link.datetime", clock)
    older = tmp_path / "work" / "sources-20240501-123000-000000.csv"
    older.write_text("older")
    ex.export.csv.click()
    ex.jobs.wait()
    assert older.read_text() == "older"
    assert "exists" in texts(ex)
    assert ex.bar._files.children == ()


def test_a_file_travels_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sources.csv"
    file.write_bytes(random.Random(0).randbytes(5000))
    saved = Saved(file)
    saved._piece = 1000
    heard: list[tuple[dict[str, Any], bytes]] = []
    monkeypatch.setattr(
        saved, "send", lambda message, data=(): heard.append((message, b"".join(data)))
    )
    for number in (0, *range(1, 6), -1, "0", None):
        saved._handle_custom_msg({"piece": number}, [])
    assert [message for message, _ in heard] == [{"piece": n, "pieces": 6} for n in range(6)]
    assert gzip.decompress(b"".join(data for _, data in heard)) == file.read_bytes()
    file.unlink()
    saved._handle_custom_msg({"piece": 0}, [])
    assert "cannot be read" in heard[-1][0]["failed"]
    assert str(file) in repr(saved)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


@pytest.mark.slow
def test_stopping_the_statistics_keeps_what_was_counted(
    client: rnb.Client, gate: threading.Event
) -> None:
    def answer(asked: Asked) -> None:
        if asked.path.endswith("/statistics") and "/broker-desk/" not in asked.path:
            gate.wait(AGES)

    with through(client, answer) as way:
        ex = rnb.explore(way)
        first = [name for name in names(ex.frame) if name.startswith("broker-desk/")]
        messages: list[str] = []
        ex.bar._said.observe(lambda change: messages.append(Parsed(change["new"]).text), "value")
        ex.statistics.click()
        assert ex.statistics.disabled
        assert ex.stop.layout.display is None
        while len(ex.counting.counts.comments) < len(first):
            time.sleep(0.01)
        ex.stop.click()
        assert not ex.jobs.running
        gate.set()
    assert any("Counting comments: 1 of 130" in line for line in messages)
    assert "Stopped." in messages[-1]
    counted = ex.frame.dropna(subset="num_comments")
    assert set(names(counted)) == set(first)
    assert comments(ex, first[0]) == client.count_comments(first[0])
    assert not ex.statistics.disabled
    assert ex.stop.layout.display == "none"


@pytest.mark.slow
def test_statistics_say_what_they_could_not_count(client: rnb.Client) -> None:
    def answer(asked: Asked) -> bytes | None:
        return no(403, "403") if asked.path.endswith("motor-inbox/statistics") else None

    with through(client, answer) as way:
        ex = rnb.explore(way)
        ex.search = "claims"
        ex.statistics.click()
        ex.jobs.wait()
        assert "1 source could not be counted" in texts(ex.bar._said)
        assert comments(ex, NAME) is pd.NA
        ex.search = ""
        # Sources that were not shown were not counted.
        assert comments(ex, "people/payroll-inbox") is pd.NA
        counted = ex.frame["num_comments"].dropna()
        assert f"{counted.sum():,} comments in" in texts(ex.bar._said)


def test_a_failure_is_said_and_the_listing_stays(client: rnb.Client) -> None:
    fail = threading.Event()
    with through(client, lambda _: no(500, "<b>broken</b>") if fail.is_set() else None) as way:
        ex = rnb.explore(way)
        before = ex.frame
        fail.set()
        ex.reload.click()
        ex.jobs.wait()
    assert "<b>broken</b>" in texts(ex.bar._said)
    assert 'role="alert"' in ex.bar._said.value
    pd.testing.assert_frame_equal(ex.frame, before)


# Data that must not be visible


def _all(widget: Any) -> list[Any]:
    """Return a widget and all widgets in it."""
    return [widget, *(each for child in getattr(widget, "children", ()) for each in _all(child))]


@pytest.mark.slow
def test_no_token_is_in_any_state_or_repr(ex: Explorer, client: rnb.Client) -> None:
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    for tab in (JSON, EDIT, DELETE):
        on_tab(ex, NAME, tab)
    form = creating(ex)
    form._show_code.value = True
    ex.export.csv.click()
    ex.jobs.wait()
    state = embed.embed_data(views=[ex], drop_defaults=False)
    assert token not in json.dumps(state)
    gc.collect()
    assert token not in json.dumps(ui.Widget.get_manager_state(), default=repr)
    for each in [*_all(ex), ex.jobs, client]:
        assert token not in repr(each)
        assert token not in str(vars(each))


@pytest.mark.slow
def test_the_repr_has_counts_and_the_endpoint_only(ex: Explorer, client: rnb.Client) -> None:
    ex.search = "motor"
    move(ex, NAME)
    shown = len(ex.frame)
    expected = f"Explorer of {client.endpoint}: {shown} of 130 sources; "
    assert repr(ex) == expected + ex._advice()
    assert "motor" not in repr(ex) + repr(ex.details) + repr(ex.finder)


def test_the_state_of_the_table_holds_nothing_of_the_tenant(ex: Explorer) -> None:
    ex.search = "motor"
    move(ex, NAME)
    assert "motor" not in json.dumps(ex.finder.get_state(), default=repr)


@pytest.mark.slow
@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_the_tenant_becomes_html(client: rnb.Client, text: str) -> None:
    client.update_source(NAME, title=text, description=text, sensitive_properties=[text])
    ex = rnb.explore(client)
    values = []
    for tab in range(5):
        on_tab(ex, NAME, tab)
        ex.details.comments.jobs.wait()
        ex.details.delete.jobs.wait()
        values += html(ex)
    # The last four are of the small chart.
    allowed = {
        "div",
        "strong",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "pre",
        "span",
        "svg",
        "rect",
        "title",
        "line",
    }
    assert {name for value in values for name in Parsed(value).names} <= allowed
    assert any(text in Parsed(value).text for value in values)
