"""A morning's work in the explorer in JupyterLab: each part that no other browser test walks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import (
    BREATH,
    EXPLORE,
    Setup,
    button,
    choose,
    clear,
    expect_status,
    expect_tab,
    explorer,
    field,
    find,
    grid,
    pane,
    rows,
    set_up,
    settle,
    tab_of,
    table_status,
)

pytestmark = browser.needed()

READING = (
    "import os, reinfer_nb as rnb\n"
    "ex = rnb.explore(rnb.connect(token=os.environ['VIEWERS_TOKEN']))\nex"
)
# A listing without its tenant.
LISTING = "import reinfer_nb as rnb\nex = rnb.explore(rnb.connect().sources('claims'))\nex"


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    with rnb.sandbox() as client, set_up("lab", tmp_path_factory.mktemp("lab"), client) as setup:
        yield setup


@pytest.fixture(scope="module")
def opened(setup: Setup) -> Iterator[Page]:
    with setup.host.run(EXPLORE) as tab:
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    clear(opened)
    tab_of(opened, "Source").click()
    return opened


def missing(client: rnb.Client) -> pd.DataFrame:
    df = client.sources(refresh=True)
    return df[df["title"].fillna("") == ""]


def test_suggestions_are_applied_and_one_is_put_back(setup: Setup, tab: Page) -> None:
    client, before = setup.client, missing(setup.client)
    tab_of(tab, "Audit").click()
    audit = explorer(tab)
    audit.get_by_role("button", name="missing-title", exact=True).click()
    expect(table_status(tab)).to_contain_text(f"{len(before)} of ")
    # A row of the findings opens its source.
    first = f"{before['owner'].iloc[0]}/{before['name'].iloc[0]}"
    audit.get_by_role("button", name=first, exact=True).click()
    expect(explorer(tab).locator(".rnb-details")).to_contain_text(first)
    expect_tab(tab, "Source")
    tab_of(tab, "Audit").click()
    button(audit, f"Apply {len(before)} suggestions…").click()
    expect(audit).to_contain_text("Nothing is written before it is applied.")
    assert len(missing(client)) == len(before)
    button(audit, f"Apply to {len(before)} sources").click()
    expect_status(tab, f"{len(before)} of {len(before)} sources are done.")
    assert missing(client).empty
    tab.wait_for_timeout(BREATH)
    button(audit, "Undo…").click()
    # Not in the findings, which go when the listing after the write has come.
    steps = audit.get_by_role("table", name="Sources of the plan")
    steps.get_by_label(f"Choose {first}", exact=True).check()
    button(audit, "Put back 1 source").click()
    expect_status(tab, "1 of 1 source is done.")
    assert missing(client)["id"].tolist() == before["id"].tolist()[:1]
    # The rest can still be put back, and a plan can be discarded.
    tab.wait_for_timeout(BREATH)
    button(audit, "Undo…").click()
    expect(button(audit, f"Put back {len(before) - 1} sources")).to_be_enabled()
    button(audit, "Discard the plan").click()
    expect(button(audit, "Apply")).to_be_disabled()


def test_views_are_kept_and_chosen(tab: Page) -> None:
    field(explorer(tab), "Search").fill("language:de")
    expect(table_status(tab)).not_to_contain_text("130 of")
    settle(tab)
    field(explorer(tab), "Keep as").fill("German")
    button(explorer(tab), "Keep the view").click()
    expect_status(tab, "The view is kept as German.")
    button(explorer(tab), "Clear").click()
    expect(field(explorer(tab), "View")).to_have_value("(none chosen)")
    field(explorer(tab), "View").select_option("German")
    expect(field(explorer(tab), "Search")).to_have_value("language:de")
    field(explorer(tab), "Keep as").fill("German")
    expect(button(explorer(tab), "Replace the view")).to_be_enabled()
    field(explorer(tab), "Keep as").fill("")
    button(explorer(tab), "Remove the view").click()
    expect_status(tab, "The view German is removed.")


def test_what_is_selected_is_exported_copied_and_duplicated(setup: Setup, tab: Page) -> None:
    choose(explorer(tab), "Project", "claims", "people")
    settle(tab)
    rows(tab).nth(1).click()
    tab.keyboard.press("Shift+ArrowDown")
    expect(table_status(tab)).to_contain_text("2 selected")
    field(explorer(tab), "Export").select_option("selected sources")
    expect(button(explorer(tab), "Export Excel")).to_be_enabled()
    button(explorer(tab), "Export Excel").click()
    expect_status(tab, "2 sources written to ")
    with tab.expect_download() as download:
        explorer(tab).get_by_text(re.compile("^Download sources-.*xlsx$")).click()
    written = rnb.read_excel(setup.host.folder / download.value.suggested_filename)
    assert len(written) == 2
    # The message and the link go with the next step.
    button(explorer(tab), "Refresh").click()
    expect_status(tab, "130 sources listed.")
    expect(explorer(tab).get_by_text(re.compile("^Download sources-"))).to_have_count(0)
    name = f"{written['owner'].iloc[1]}/{written['name'].iloc[1]}"
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(explorer(tab), "Copy id").click()
    expect(explorer(tab).get_by_text("Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == setup.client.source(name).id
    button(explorer(tab), "Duplicate…").click()
    form = explorer(tab).locator(".rnb-new")
    expect(field(form, "Name")).to_be_focused()
    expect(field(form, "Title")).to_have_value(setup.client.source(name).title or "")
    tab.keyboard.type("a-copy")
    expect(button(form, "Create")).to_be_enabled()
    button(form, "Create").click()
    expect(form).to_contain_text("a-copy is created")
    # The new source is looked at, and the form is empty for the next one.
    expect(explorer(tab).locator(".rnb-details")).to_contain_text(
        f"{written['owner'].iloc[1]}/a-copy"
    )
    expect(field(form, "Name")).to_have_value("")
    button(explorer(tab), "Hide new source").click()


def test_buckets_have_names(setup: Setup, tab: Page) -> None:
    bucket = setup.client.buckets().iloc[0]
    name = f"{bucket['owner']}/{bucket['name']}"
    field(explorer(tab), "Search").fill(f'bucket:"{name}"')
    expect(table_status(tab)).not_to_contain_text("130 of")
    settle(tab)
    rows(tab).first.click()
    expect(pane(tab)).to_contain_text(f"{bucket['id']} ({name})")
    tab_of(tab, "Edit").click()
    expect(field(pane(tab), "Bucket id")).to_have_value(name)


def test_who_may_only_read_is_told(setup: Setup) -> None:
    with setup.host.run(READING) as tab:
        expect(explorer(tab)).to_contain_text("Duplicate, Edit, Delete, Bulk edit and suggestions")
        expect(button(explorer(tab), "New source")).to_be_disabled()
        find(tab, "motor-postfach").click()
        expect(button(explorer(tab), "Duplicate…")).to_be_disabled()
        tab_of(tab, "Edit").click()
        expect(pane(tab)).to_contain_text("may read the sources of claims, but not change them")
        tab_of(tab, "Bulk edit").click()
        expect(button(explorer(tab), "Show the plan")).to_be_disabled()


def test_a_listing_is_explored_without_its_tenant_and_closed(setup: Setup) -> None:
    with setup.host.run(LISTING, "ex.close()") as tab:
        # The second cell has closed it.
        expect(tab.locator(".rnb-explorer .rnb-finder")).to_have_count(0)
    with setup.host.run(LISTING) as tab:
        count = len(setup.client.sources("claims", refresh=True))
        expect(table_status(tab)).to_contain_text(f"{count} of {count} sources")
        expect(explorer(tab)).to_contain_text("A listing that can only be read")
        expect(tab_of(tab, "Bulk edit")).to_have_count(0)
        expect(button(explorer(tab), "New source")).to_have_count(0)
        rows(tab).nth(2).dblclick()
        expect(grid(tab)).to_be_visible()
        expect(pane(tab)).to_contain_text("can only be read")
