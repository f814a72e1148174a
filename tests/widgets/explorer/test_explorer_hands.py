"""What a person does in the explorer: one source at a time, rights, views, exports, duplicates."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import ipywidgets as ui
import openpyxl
import pandas as pd
import pytest
from ipywidgets.widgets import widget

import reinfer_nb as rnb
from reinfer_nb.widgets import Explorer, jobs
from reinfer_nb.widgets.buckets import BucketControl
from reinfer_nb.widgets.explorer.source_details import DELETE, EDIT, FIELDS, JSON
from reinfer_nb.widgets.table import views
from tests.widgets.explorer.test_explorer import (
    NAME,
    OTHER,
    creating,
    looked_at,
    move,
    names,
    on_tab,
)
from tests.widgets.forms.test_forms import press, texts


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("state", "config"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def ex(client: rnb.Client) -> Explorer:
    return rnb.explore(client)


def pane(ex: Explorer, tab: int) -> Any:
    """Open a tab of the current source, and return what it shows."""
    ex.details.tabs.selected_index = tab
    return ex.details.tabs.children[tab]


def delete(ex: Explorer, full_name: str) -> None:
    on_tab(ex, full_name, DELETE)
    ex.details.delete.name.value = full_name
    press(ex.details.delete)
    ex.jobs.wait()


# The current source


@pytest.mark.slow
def test_after_a_delete_all_tabs_tell_of_the_deleted_source(ex: Explorer) -> None:
    move(ex, NAME)
    ex.details.tabs.selected_index = FIELDS
    deleted = ex.client.source(OTHER)
    delete(ex, OTHER)
    assert ex.source is None
    assert f"{OTHER} is deleted." in texts(ex.details)
    assert deleted.id in texts(pane(ex, FIELDS))
    assert NAME.split("/")[1] not in texts(pane(ex, FIELDS))
    assert deleted.id in texts(pane(ex, JSON))
    assert "restore it first" in texts(pane(ex, EDIT))
    assert ex.details.edit not in pane(ex, EDIT).children
    assert ex.details.delete in pane(ex, DELETE).children
    # Until another source is looked at.
    file = ex.details.delete.restore_file
    move(ex, NAME)
    assert f"{OTHER} is deleted. To restore it: rnb.restore(client, {str(file)!r})" in texts(
        ex.details
    )
    assert ex.details.edit in pane(ex, EDIT).children
    assert ex.details.edit.source == ex.source


@pytest.mark.slow
def test_a_restored_source_is_looked_at(ex: Explorer) -> None:
    delete(ex, OTHER)
    ex.details.delete.restore_button.click()
    ex.details.delete.jobs.wait()
    ex.jobs.wait()
    assert looked_at(ex) == OTHER
    assert names(ex.selected) == [OTHER]
    assert ex.source is not None
    assert ex.source.id in texts(pane(ex, FIELDS))
    pane(ex, EDIT)
    assert ex.details.edit.source == ex.source


@pytest.mark.slow
def test_a_created_source_is_looked_at_and_the_form_is_empty(ex: Explorer) -> None:
    ex.search = "nothing like it"
    form = creating(ex)
    form.project.value, form.name.value = "claims", "travel"
    form.controls["title"].fill("Travel")
    press(form)
    ex.jobs.wait()
    assert looked_at(ex) == "claims/travel"
    assert names(ex.selected) == ["claims/travel"]
    assert "not in the table, because of the search" in texts(ex.bar)
    assert (form.project.value, form.name.value) == ("claims", "")
    assert form.controls["title"].input.value == ""
    assert "claims/travel is created" in texts(form)
    assert "already exists" not in texts(form)
    assert form.code.startswith("client.create_source('claims/travel'")
    # The message goes with the next name.
    form.name.value = "t"
    assert "is created" not in texts(form)


@pytest.mark.slow
def test_several_selected_sources_stay_selected_when_one_is_created(ex: Explorer) -> None:
    ex.finder.select([1, 2])
    form = creating(ex)
    form.project.value, form.name.value = "claims", "travel"
    press(form)
    ex.jobs.wait()
    assert len(ex.selected) == 2
    assert looked_at(ex) == "claims/travel"


@pytest.mark.slow
def test_a_source_is_duplicated_into_a_new_one(ex: Explorer, client: rnb.Client) -> None:
    client.update_source(NAME, sensitive_properties=["plate"], description="Two\nlines")
    ex.reload.click()
    ex.jobs.wait()
    move(ex, NAME)
    ex.details.duplicate.click()
    form = ex._new_pane.form
    assert form is not None
    assert form.name.value == ""
    form.name.value = "motor-copy"
    press(form)
    ex.jobs.wait()
    original, copy = client.source(NAME), client.source("claims/motor-copy")
    unlike = ("id", "name", "created_at", "updated_at", "last_modified")
    assert original.to_series().drop(list(unlike)).to_dict() == (
        copy.to_series().drop(list(unlike)).to_dict()
    )


def test_enter_or_a_double_click_opens_the_form(ex: Explorer) -> None:
    ex.tabs.selected_index = 1
    ex.finder._handle_custom_msg({"kind": "edit"}, [])
    # No row is current yet.
    assert ex.tabs.selected_index == 1
    move(ex, NAME)
    ex.finder._handle_custom_msg({"kind": "edit"}, [])
    assert (ex.tabs.selected_index, ex.details.tabs.selected_index) == (0, EDIT)
    assert ex.details.edit.source == ex.source


def test_an_update_takes_its_message_away_when_something_is_typed(ex: Explorer) -> None:
    on_tab(ex, NAME, EDIT)
    form = ex.details.edit
    assert "Nothing is changed yet." in texts(form)
    form.controls["title"].fill("Motor")
    press(form)
    ex.jobs.wait()
    assert "is updated: title" in texts(form)
    assert "Nothing is changed yet." not in texts(form)
    form.controls["title"].input.value = "Motor again"
    assert "is updated" not in texts(form)


@pytest.mark.slow
def test_the_link_to_a_file_goes_with_its_message(ex: Explorer) -> None:
    ex.export.csv.click()
    ex.jobs.wait()
    assert len(ex.bar._files.children) == 1
    ex.reload.click()
    ex.jobs.wait()
    assert ex.bar._files.children == ()


# Rights


@pytest.mark.slow
def test_who_may_only_read_is_told_and_can_change_nothing(viewer: rnb.Client) -> None:
    ex = rnb.explore(viewer)
    assert "New, Duplicate, Edit, Delete, Bulk edit and suggestions are off" in texts(ex)
    assert ex.new.disabled
    assert "sources-admin" in ex.new.tooltip
    move(ex, NAME)
    assert ex.details.duplicate.disabled
    assert "sources-admin" in ex.details.duplicate.tooltip
    for tab in (EDIT, DELETE):
        assert "may read the sources of claims, but not change them" in texts(pane(ex, tab))
        assert not any(isinstance(child, ui.VBox) for child in pane(ex, tab).children)
    ex.bulk.controls["title"].input.value = "New"
    assert ex.bulk.show_plan.disabled
    assert "not change them" in texts(ex.bulk)
    ex.tabs.selected_index = 1
    assert ex.audit.show_plan.disabled
    assert "lacks sources-admin" in texts(ex.audit)


@pytest.mark.slow
def test_rights_are_per_project(client: rnb.Client) -> None:
    assert client.sandbox is not None
    token = client.sandbox.add_user(
        "mixed",
        organisation_permissions={
            "claims": ["sources-read", "sources-admin"],
            "people": ["sources-read"],
        },
    )
    with rnb.connect(endpoint=client.endpoint, token=token) as mixed:
        ex = rnb.explore(mixed)
        assert not ex.new.disabled
        on_tab(ex, NAME, EDIT)
        assert ex.details.edit in pane(ex, EDIT).children
        people = names(ex.frame[ex.frame["owner"] == "people"])[0]
        move(ex, people)
        assert "may read the sources of people" in texts(pane(ex, EDIT))
        ex.bulk.controls["title"].input.value = "New"
        move(ex, NAME)
        assert not ex.bulk.show_plan.disabled
        move(ex, people, "toggle")
        assert ex.bulk.show_plan.disabled
        # Rights that were given since count after a refresh.
        client.sandbox.permit(
            "mixed",
            organisation_permissions={
                project: ["sources-read", "sources-admin"] for project in ("claims", "people")
            },
        )
        ex.reload.click()
        ex.jobs.wait()
        assert not ex.bulk.show_plan.disabled


# Views


def test_a_view_is_a_plain_dictionary(ex: Explorer) -> None:
    empty: dict[str, Any] = {"search": "", "facets": {}, "sort": None, "columns": None}
    assert ex.view == empty
    ex.view = {
        "search": "inbox",
        "facets": {"owner": "claims", "language": ["en", "de"]},
        "sort": ["name", True],
        "columns": ["name", "id"],
    }
    shown = json.loads(json.dumps(ex.view))
    assert shown["search"] == ex.search == "inbox"
    assert shown["facets"] == {"owner": ["=claims"], "language": ["=de", "=en"]} or (
        shown["facets"] == {"owner": ["=claims"], "language": ["=en", "=de"]}
    )
    assert shown["sort"] == ["name", True]
    assert shown["columns"] == {"name": None, "id": None}
    assert set(ex.frame["owner"]) == {"claims"}
    assert ex.frame["name"].str.lower().is_monotonic_decreasing
    again = rnb.explore(ex.client, view=shown)
    pd.testing.assert_frame_equal(again.frame, ex.frame)
    assert again.view == ex.view
    ex.view = {}
    assert ex.view == empty
    assert len(ex.frame) == 130


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("my view", "dictionary"),
        ({"serach": "x"}, "Did you mean 'search'"),
        ({"search": 3}, "must be a text"),
        ({"facets": ["en"]}, "dictionary"),
        ({"facets": {"language": "klingon"}}, "klingon"),
        ({"facets": {"tongue": "en"}}, "tongue"),
        ({"sort": "name"}, "pair"),
        ({"sort": ("nothing", False)}, "no column 'nothing'"),
        ({"columns": []}, "columns"),
        ({"columns": {"titel": None}}, "Did you mean 'title'"),
        ({"columns": {"title": 5}}, "40 to 2,000 pixels"),
        ({"columns": {"title": "wide"}}, "columns"),
        ({"search": "inbox", "sort": ("name", True), "facets": {"owner": "nobody"}}, "nobody"),
    ],
)
def test_a_view_that_is_none_changes_nothing(ex: Explorer, view: object, message: str) -> None:
    ex.view = {"search": "motor", "sort": ("title", False), "facets": {"language": ["en"]}}
    before = ex.view
    with pytest.raises(rnb.InvalidInput, match=message):
        ex.view = view  # type: ignore[assignment]
    assert ex.view == before


@pytest.mark.slow
def test_views_are_kept_under_a_name(ex: Explorer, tmp_path: Path) -> None:
    bar = ex.views
    assert bar.keep.disabled
    assert bar.remove.disabled
    ex.view = {"search": "motor", "columns": {"name": 300, "title": None}}
    bar.name.value = "Motor / übersicht"
    bar.keep.click()
    assert "kept as Motor / übersicht" in texts(ex.bar)
    (file,) = (tmp_path / "config" / "reinfer_nb" / "views").iterdir()
    assert json.loads(file.read_text())["columns"] == {"name": 300, "title": None}
    ex.view = {}
    other = rnb.explore(ex.client, view="Motor / übersicht")
    assert other.search == "motor"
    assert other.views.choice.value == "Motor / übersicht"
    assert not other.views.remove.disabled
    # The same name replaces the view, and the button says so.
    other.views.name.value = "Motor / übersicht"
    assert other.views.keep.description == "Replace the view"
    other.views.name.value = ""
    assert other.views.keep.description == "Keep the view"
    assert other.finder.columns == {"name": 300, "title": None}
    # Of a table that looks otherwise, no view is chosen, so that it can be chosen again.
    for view in ({"search": "x"}, {}):
        other.view = view
        assert other.views.choice.value == ""
        other.views.choice.value = "Motor / übersicht"
        assert other.search == "motor"
        assert other.views.choice.value == "Motor / übersicht"
    other.views.remove.click()
    assert views.kept() == []
    assert other.search == "motor"
    with pytest.raises(rnb.InvalidInput, match="No view is kept as 'Motor'"):
        rnb.explore(ex.client, view="Motor")


@pytest.mark.slow
def test_a_kept_view_that_does_not_fit_any_more_is_applied_as_far_as_it_fits(
    ex: Explorer, tmp_path: Path
) -> None:
    views.keep(
        "old",
        {
            "search": "inbox",
            "facets": {"owner": ["=claims", "=gone"]},
            "sort": ("labels", False),
            "columns": {"name": None, "labels": None},
        },
    )
    ex.views._offer("")
    ex.views.choice.value = "old"
    assert set(ex.frame["owner"]) == {"claims"}
    assert ex.finder.columns == {"name": None}
    assert "No source has 'gone' as owner." in texts(ex.bar)
    assert "cannot be sorted by labels" in texts(ex.bar)
    (file,) = (tmp_path / "config" / "reinfer_nb" / "views").iterdir()
    file.write_text("{")
    with pytest.raises(rnb.FileProblem, match="cannot be read"):
        rnb.explore(ex.client, view="old")
    file.write_text('{"search": 3}')
    with pytest.raises(rnb.FileProblem, match="malformed"):
        rnb.explore(ex.client, view="old")


@pytest.mark.parametrize("name", ["", "  ", "x" * 300, "\ud800", 3])
def test_the_name_of_a_view_must_fit_a_file(name: object) -> None:
    with pytest.raises(rnb.InvalidInput, match="name of a view"):
        views.keep(name, {})  # type: ignore[arg-type]
    assert views.kept() == []


@pytest.mark.slow
def test_counted_comments_are_shown_in_chosen_columns_too(ex: Explorer) -> None:
    ex.view = {"columns": ["name"]}
    ex.view = {**ex.view, "facets": {"owner": "people"}}
    ex.statistics.click()
    ex.jobs.wait()
    assert ex.finder.columns == {"name": None, "num_comments": None}


# What is given to it


@pytest.mark.slow
def test_a_listing_can_be_explored_without_its_tenant(client: rnb.Client, tmp_path: Path) -> None:
    df = client.sources()
    files = [rnb.to_csv(df, tmp_path / "s.csv"), rnb.to_excel(df, tmp_path / "s.xlsx")]
    given: Any
    for given in (df, *files, str(files[0])):
        ex = rnb.explore(given, "claims")
        assert set(ex.frame["owner"]) == {"claims"}
        assert not hasattr(ex, "client")
        assert not hasattr(ex, "bulk")
        assert "A listing that can only be read" in texts(ex)
        move(ex, NAME)
        assert client.source(NAME).id in texts(pane(ex, FIELDS))
        for tab in (EDIT, DELETE):
            assert "can only be read" in texts(pane(ex, tab))
        ex.tabs.selected_index = 1
        assert ex.audit.report is not None
        assert ex.audit.show_plan.layout.display == "none"
        ex.close()


def test_what_is_no_listing_is_said(client: rnb.Client) -> None:
    with pytest.raises(rnb.InvalidInput, match="needs the column owner"):
        rnb.explore(client.sources().drop(columns="owner"))
    with pytest.raises(rnb.InvalidInput, match="explore takes a client"):
        rnb.explore(3)  # type: ignore[arg-type]


@pytest.mark.slow
def test_some_projects_of_a_tenant_can_be_explored(client: rnb.Client) -> None:
    ex = rnb.explore(client, ["claims", "people"])
    assert set(ex.frame["owner"]) == {"claims", "people"}
    ex.reload.click()
    ex.jobs.wait()
    assert set(ex.frame["owner"]) == {"claims", "people"}
    one = rnb.explore(client, "claims")
    assert creating(one).project.value == "claims"


# Exports


@pytest.mark.slow
def test_what_is_shown_or_selected_is_exported(ex: Explorer, tmp_path: Path) -> None:
    ex.search = "motor"
    ex.finder.select([0, 3])
    ex.export.rows.value = "selected"
    ex.export.excel.click()
    ex.jobs.wait()
    (file,) = (tmp_path / "work").iterdir()
    assert file.suffix == ".xlsx"
    # Read by another library than the toolkit reads with.
    sheet = openpyxl.load_workbook(file).worksheets[0]
    head, *lines = sheet.iter_rows(values_only=True)
    place = head.index("name")
    assert [line[place] for line in lines] == ex.selected["name"].tolist()
    file.unlink()
    ex.export.rows.value = "shown"
    ex.export.csv.click()
    ex.jobs.wait()
    (file,) = (tmp_path / "work").iterdir()
    assert rnb.read_csv(file)["name"].tolist() == ex.frame["name"].tolist()
    ex.finder.select([])
    ex.export.rows.value = "selected"
    assert ex.export.csv.disabled
    assert ex.export.excel.disabled


# Buckets


@pytest.mark.slow
def test_buckets_are_shown_found_and_chosen_by_name(ex: Explorer, client: rnb.Client) -> None:
    buckets = client.buckets().set_index("id")
    listing = client.sources()
    full = {key: f"{row['owner']}/{row['name']}" for key, row in buckets.iterrows()}
    with_bucket = listing[listing["bucket_id"].isin(buckets.index)]
    key = with_bucket["bucket_id"].iloc[0]
    ex.chosen = {"bucket": f"={key}"}
    assert set(ex.frame["bucket_id"]) == {key}
    ex.chosen = {}
    ex.search = f"bucket:{full[key]}"
    assert set(ex.frame["bucket_id"]) == {key}
    ex.search = f"bucket:{key}"
    assert set(ex.frame["bucket_id"]) == {key}
    ex.search = "bucket:none"
    assert ex.frame["bucket_id"].isna().all()
    assert len(ex.frame) == int(listing["bucket_id"].isna().sum())
    ex.search = ""
    ex.finder.sort = ("bucket_id", False)
    shown = ex.frame["bucket_id"].dropna().map(full)
    assert shown.str.lower().is_monotonic_increasing
    choices, _ = ex.finder._state.narrowing.facet_choices("bucket", full[key])
    assert [choice.label for _, choice, _ in choices] == [full[key]]


@pytest.mark.slow
def test_a_bucket_is_typed_by_its_name(ex: Explorer, client: rnb.Client) -> None:
    buckets = client.buckets()
    full = f"{buckets['owner'].iloc[2]}/{buckets['name'].iloc[2]}"
    on_tab(ex, OTHER, EDIT)
    control = ex.details.edit.controls["bucket_id"]
    assert isinstance(control, BucketControl)
    assert 0 < len(control.input.options) <= 20
    control.input.value = full[:-1]
    assert control.input.options == (full,)
    assert control.entry().flaw is not None
    assert f"(did you mean {full}?)" in texts(control.box)
    control.input.value = full
    assert control.entry().value == buckets["id"].iloc[2]
    press(ex.details.edit)
    ex.jobs.wait()
    assert client.source(OTHER).bucket_id == buckets["id"].iloc[2]
    assert control.input.value == full
    assert buckets["id"].iloc[2] in texts(control.box)
    control.input.value = ""
    press(ex.details.edit)
    ex.jobs.wait()
    assert client.source(OTHER).bucket_id is None


def test_without_buckets_the_id_is_typed(client: rnb.Client) -> None:
    assert client.sandbox is not None
    token = client.sandbox.add_user(
        "no-buckets", organisation_permissions={"claims": ["sources-read", "sources-admin"]}
    )
    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        ex = rnb.explore(other)
        on_tab(ex, NAME, EDIT)
        control = ex.details.edit.controls["bucket_id"]
        assert control.input.value == client.source(NAME).bucket_id
        control.input.value = "0123456789abcdef"
        assert control.entry().value == "0123456789abcdef"
        assert [facet.label for facet in ex.finder._state.narrowing.facets][3] == "Bucket"


# The end


@pytest.mark.slow
def test_a_closed_explorer_leaves_nothing(client: rnb.Client) -> None:
    before = set(widget._instances)
    ex = rnb.explore(client)
    for tab in range(5):
        ex.tabs.selected_index = tab
    move(ex, NAME)
    for tab in (FIELDS, JSON, EDIT, DELETE):
        pane(ex, tab)
    ex.details.delete.jobs.wait()
    creating(ex)
    listing = weakref.ref(ex._listing)
    ex.close()
    assert set(widget._instances) <= before
    gc.collect()
    assert listing() is None
