"""The explorer in a real JupyterLab, in Voilà, and in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect

import reinfer_nb as rnb
from tests import browser
from tests.waiting import until
from tests.widget_pages import (
    BREATH,
    EXPLORE,
    ONE_HOST,
    Looks,
    Setup,
    alert,
    axe,
    button,
    choose,
    clear,
    expect_status,
    expect_to_fit,
    explorer,
    facet,
    field,
    find,
    grid,
    holding,
    pane,
    refresh,
    rows,
    set_up,
    settle,
    tab_of,
    tab_to,
    table_status,
)

pytestmark = browser.needed()

# Writes the explorer's attributes to a file: when the cell runs, and when the source changes.
TELL = """
import json, os, pathlib

def tell(_=None):
    seen = {
        "frame": ex.frame["name"].tolist(),
        "selected": ex.selected["name"].tolist(),
        "source": ex.source and ex.source.full_name,
        "title": ex.source and ex.source.title,
    }
    pathlib.Path("seen.new").write_text(json.dumps(seen))
    os.replace("seen.new", "seen.json")
"""
OBSERVE = "ex.observe(tell, 'source')"


@pytest.fixture(scope="module", params=["lab", "voila"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as sample:
        data = sample.sources().assign(num_comments=1_234)
    with rnb.sandbox(data) as client, set_up(request.param, folder, client) as setup:
        yield setup


@pytest.fixture(scope="module")
def opened(setup: Setup) -> Iterator[Page]:
    """A page with an explorer that most tests share."""
    # Dark in Voilà, so that both hosts and both themes are looked at.
    theme: browser.Theme = "dark" if setup.host.kind == "voila" else "light"
    with setup.host.run(EXPLORE, TELL, OBSERVE, "tell()", theme=theme) as tab:
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    """The same page with nothing searched for."""
    clear(opened)
    return opened


def attributes_in(folder: Path) -> Any:
    """Return the explorer's attributes from the file, once it exists."""
    path = folder / "seen.json"
    until(path.exists)
    return json.loads(path.read_text())


# Finding and changing


def test_find_and_understand(setup: Setup, tab: Page) -> None:
    folder = setup.host.folder
    expect(explorer(tab)).to_contain_text(f"admin@example.com on {setup.client.endpoint}")
    refresh(tab, setup.client)
    total = len(setup.client.sources())
    found = holding(setup.client, "inbox")
    field(explorer(tab), "Search").fill("inbox")
    expect(table_status(tab)).to_contain_text(f"{len(found)} of {total} sources")
    found = found[found["owner"] == "claims"]
    choose(explorer(tab), "Project", f"claims ({len(found)})")
    expect(table_status(tab)).to_contain_text(f"{len(found)} of {total} sources")
    row = rows(tab).first
    expect(row).to_contain_text("motor-inbox")
    row.click()
    expect(row).to_have_attribute("aria-selected", "true")
    source = setup.client.source("claims/motor-inbox")
    tab_of(tab, "Fields").click()
    expect(pane(tab).get_by_role("table")).to_contain_text(source.id)
    expect(pane(tab).get_by_role("table")).to_contain_text("Longer text, for people.")
    tab_of(tab, "JSON").click()
    text = pane(tab).locator("pre").inner_text()
    assert json.loads(text) == source.to_wire()
    # Observers are called after the tab was filled.
    until(lambda: attributes_in(folder)["source"] == "claims/motor-inbox")
    rows(tab).nth(3).click(modifiers=["Shift"])
    expect(table_status(tab)).to_contain_text("4 selected")
    if setup.host.kind == "lab":
        # A cell that runs after the clicks sees their effect.
        (folder / "seen.json").unlink()
        tab.locator(".jp-Notebook .jp-CodeCell .cm-content").last.click()
        tab.keyboard.press("Control+Enter")
        now, names = attributes_in(folder), found["name"].tolist()
        assert now["frame"] == names
        assert now["selected"] == names[:4]
        assert now["source"] == f"claims/{names[3]}"


def test_change_make_delete_and_restore(setup: Setup, tab: Page) -> None:
    client, folder = setup.client, setup.host.folder
    made = client.create_source("claims/to-change", title="Before")
    refresh(tab, client)
    row = find(tab, "to-change")
    row.click()
    tab_of(tab, "Edit").click()
    expect(field(pane(tab), "Title")).to_have_value("Before")
    field(pane(tab), "Title").fill("After")
    # This line moves the button, also between its press and its release.
    expect(pane(tab)).to_contain_text("Was: Before")
    button(explorer(tab), "Show code").click()
    code = "client.update_source('claims/to-change', title='After')"
    expect(pane(tab).locator("pre")).to_have_text(code)
    button(explorer(tab), "Update").click()
    expect_status(tab, "claims/to-change is updated: title.")
    assert client.source(made.id).title == "After"
    expect(row).to_contain_text("After")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(pane(tab).locator("pre")).to_have_text(code)
    # Create a source.
    button(explorer(tab), "New source").click()
    new = (
        explorer(tab)
        .locator(".widget-vbox")
        .filter(has=tab.get_by_role("button", name="Create", exact=True))
        .last
    )
    field(new, "Project").fill("claims")
    field(new, "Name").fill("brand-new")
    field(new, "Title").fill("Made here")
    button(explorer(tab), "Create").click()
    expect_status(tab, "claims/brand-new is created")
    assert client.source("claims/brand-new").title == "Made here"
    # The form is empty for the next one, and the new source is looked at.
    expect(field(new, "Name")).to_have_value("")
    expect(field(new, "Title")).to_have_value("")
    expect(explorer(tab).locator(".rnb-details")).to_contain_text("claims/brand-new")
    expect(new).not_to_contain_text("already exists")
    expect(find(tab, "brand-new")).to_contain_text("Made here")
    button(explorer(tab), "Hide new source").click()
    expect(button(explorer(tab), "Create")).to_have_count(0)
    # Delete it; its name must be typed.
    rows(tab).first.click()
    new_id = client.source("claims/brand-new").id
    tab_of(tab, "Delete").click()
    name, delete = field(pane(tab), "Full name"), button(explorer(tab), "Delete")
    expect(pane(tab)).to_contain_text("0 comments would be deleted with it")
    expect(delete).to_be_disabled()
    name.fill("claims/brand-ne")
    tab.wait_for_timeout(200)
    expect(delete).to_be_disabled()
    name.fill("claims/brand-new")
    delete.click()
    expect_status(tab, "claims/brand-new is deleted")
    expect(explorer(tab).locator(".rnb-details")).to_contain_text("claims/brand-new is deleted.")
    with pytest.raises(rnb.NotFound):
        client.source("claims/brand-new")
    expect(table_status(tab)).to_contain_text(re.compile("^0 of "))
    assert len(list((folder / "state" / "reinfer_nb" / "restore").iterdir())) == 1
    # Restore it.
    tab.wait_for_timeout(BREATH)
    button(explorer(tab), "Restore").click()
    expect_status(tab, "under the new id")
    expect(table_status(tab)).to_contain_text(re.compile("^1 of "))
    expect(rows(tab).first).to_contain_text("Made here")
    back = client.source("claims/brand-new")
    assert back.id != new_id
    assert back.title == "Made here"
    expect_status(tab, back.id)
    # The restored source is looked at, and can be edited.
    expect(rows(tab).first).to_have_attribute("aria-selected", "true")
    tab_of(tab, "Edit").click()
    expect(field(pane(tab), "Title")).to_have_value("Made here")
    # Refresh after a remote change.
    client.update_source("claims/brand-new", title="Theirs")
    tab.wait_for_timeout(BREATH)
    button(explorer(tab), "Refresh").click()
    expect(rows(tab).first).to_contain_text("Theirs")


@ONE_HOST
def test_what_was_not_sent_stays_with_its_source(setup: Setup, tab: Page) -> None:
    client = setup.client
    for name in ("draft-one", "draft-two"):
        client.create_source(f"claims/{name}", title=name)
    refresh(tab, client)
    find(tab, "draft-one").click()
    tab_of(tab, "Edit").click()
    expect(field(pane(tab), "Title")).to_have_value("draft-one")
    field(pane(tab), "Title").fill("Unsent")
    expect(button(explorer(tab), "Update")).to_be_enabled()
    find(tab, "draft-two").click()
    expect(field(pane(tab), "Title")).to_have_value("draft-two")
    unsent = re.compile("Changes that were not sent: .*claims/draft-one")
    expect(explorer(tab)).to_contain_text(unsent)
    client.update_source("claims/draft-one", title="Theirs")
    find(tab, "draft-one").click()
    expect(field(pane(tab), "Title")).to_have_value("Unsent")
    button(explorer(tab), "Update").click()
    expect(alert(explorer(tab), "Nothing was written")).to_be_visible()
    explorer(tab).get_by_label("Keep mine", exact=True).check()
    button(explorer(tab), "Continue").click()
    expect(field(pane(tab), "Title")).to_have_value("Unsent")
    tab.wait_for_timeout(BREATH)
    button(explorer(tab), "Update").click()
    expect_status(tab, "claims/draft-one is updated: title.")
    expect(rows(tab).first).to_contain_text("Unsent")
    assert client.source("claims/draft-one").title == "Unsent"


# Keyboard


def test_keyboard_only(setup: Setup, tab: Page) -> None:
    setup.client.create_source("claims/by-keyboard", title="Before")
    refresh(tab, setup.client)
    expect(table_status(tab)).to_contain_text(" of ")
    keys = tab.keyboard
    field(explorer(tab), "Search").focus()
    keys.type("by-keyboard")
    expect(table_status(tab)).to_contain_text(re.compile("^1 of "))
    settle(tab)
    expect(rows(tab)).to_have_count(1)
    tab_to(tab, grid(tab))
    keys.press("ArrowDown")
    expect(rows(tab).first).to_have_attribute("aria-selected", "true")
    expect(tab_of(tab, "Fields")).to_be_visible()
    tab_to(tab, tab_of(tab, "Fields"))
    for _ in ("JSON", "Comments", "Edit"):
        keys.press("ArrowRight")
    expect(tab_of(tab, "Edit")).to_be_focused()
    keys.press("Enter")
    title = field(pane(tab), "Title")
    expect(title).to_have_value("Before")
    tab_to(tab, title)
    keys.press("Control+a")
    keys.type("After, by keyboard")
    expect(button(explorer(tab), "Update")).to_be_enabled()
    tab_to(tab, button(explorer(tab), "Update"))
    keys.press("Enter")
    expect_status(tab, "claims/by-keyboard is updated: title.")
    expect(rows(tab).first).to_contain_text("After, by keyboard")
    assert setup.client.source("claims/by-keyboard").title == "After, by keyboard"


# How it looks


@ONE_HOST
def test_axe_and_widths(setup: Setup) -> None:
    long = "word " * 60 + "unbroken" * 60
    name = "a-long-one"
    setup.client.create_source(f"claims/{name}", title=long, description=long)
    with setup.host.run(EXPLORE, width=1600, height=2600) as tab:
        looks = Looks(tab, (1000, 600, 1600), 2600)
        field(explorer(tab), "Search").wait_for()
        looks.at("nothing")
        for label in ("Project", "Updated"):
            facet(explorer(tab), label).click()
            expect(
                explorer(tab).locator(".rnb-panel:visible").get_by_role("checkbox")
            ).not_to_have_count(0)
            looks.at(f"the menu {label}")
            tab.keyboard.press("Escape")
        button(explorer(tab), "Columns").click()
        looks.at("the menu Columns")
        tab.keyboard.press("Escape")
        field(explorer(tab), "Search").fill("created:<nonsense")
        expect(explorer(tab).locator(".rnb-notes")).to_contain_text("nonsense is not a date")
        looks.at("a search that cannot be read")
        find(tab, name).click()
        for title, there in {
            "Fields": pane(tab).get_by_role("table"),
            "JSON": pane(tab).locator("pre"),
            "Edit": field(pane(tab), "Title"),
            "Delete": pane(tab).get_by_text("0 comments would be deleted with it"),
        }.items():
            tab_of(tab, title).click()
            expect(there).to_be_visible()
            looks.at(title)
        button(explorer(tab), "New source").click()
        expect(button(explorer(tab), "Create")).to_be_visible()
        tab_of(tab, "Edit").click()
        field(pane(tab), "Title").fill("Mine")
        field(pane(tab), "Bucket id").fill("no such bucket")
        expect(alert(pane(tab), "names no bucket")).to_be_visible()
        looks.at("no such bucket")
        field(pane(tab), "Bucket id").fill("")
        setup.client.update_source(f"claims/{name}", title=f"{long} theirs")
        button(explorer(tab), "Update").click()
        expect(alert(explorer(tab), "Nothing was written")).to_be_visible()
        button(explorer(tab), "Export CSV").click()
        expect(explorer(tab).get_by_text(re.compile("^Download "))).to_be_visible()
        looks.at("conflict, new and download")
    assert looks.flaws == []


@pytest.mark.parametrize("setup", ["voila"], indirect=True)
def test_axe_and_widths_in_voila(tab: Page) -> None:
    assert browser.theme_of(tab) == "dark"
    find(tab, "motor-postfach").click()
    tab_of(tab, "Edit").click()
    expect(field(pane(tab), "Title")).to_be_visible()
    for width in (600, 1600, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        expect_to_fit(tab)
        assert axe(tab) == []


# Each host gets the same messages.
@ONE_HOST
def test_what_opening_sends(setup: Setup) -> None:
    received: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.append(len(frame)))

    with setup.host.run(EXPLORE, before=lambda tab: tab.on("websocket", listen), fresh=True) as tab:
        expect(rows(tab)).not_to_have_count(0)
        opening = sum(received)
        assert 50_000 < opening < 300_000
        # The widgets of a tab are sent when it is opened.
        tab_of(tab, "Bulk edit").click()
        expect(explorer(tab).get_by_text("No source is selected.")).to_be_visible()
        assert sum(received) > opening + 50_000


# Files


def test_export(setup: Setup, tab: Page) -> None:
    found = holding(setup.client, "inbox")
    field(explorer(tab), "Search").fill("inbox")
    expect(table_status(tab)).to_contain_text(f"{len(found)} of ")
    button(explorer(tab), "Export CSV").click()
    expect_status(tab, f"{len(found)} sources written to ")
    link = explorer(tab).get_by_text(re.compile("^Download sources-.*csv$"))
    with tab.expect_download() as download:
        link.click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"sources-[0-9-]+\.csv", name)
    content = download.value.path().read_bytes()
    assert content == (setup.host.folder / name).read_bytes()
    names = rnb.read_csv(setup.host.folder / name)["name"].tolist()
    assert names == found["name"].tolist()


# Only JupyterLab saves notebooks.
@ONE_HOST
def test_a_saved_notebook_holds_nothing_of_the_tenant(setup: Setup, tab: Page) -> None:
    setup.client.create_source("claims/looked-at", title="Looked at")
    refresh(tab, setup.client)
    find(tab, "looked-at").click()
    tab_of(tab, "Edit").click()
    field(pane(tab), "Title").fill("Not to be kept")
    expect(pane(tab).get_by_role("table")).to_contain_text("Not to be kept")
    title = tab.locator(".lm-TabBar-tab.jp-mod-current .lm-TabBar-tabLabel")
    path = next(setup.host.folder / text for text in title.all_inner_texts() if "tried" in text)
    # A text field of ipywidgets keeps its keys to itself.
    grid(tab).focus()
    tab.keyboard.press("Control+s")
    for _ in range(100):
        saved = path.read_text()
        if "Explorer of" in saved:
            break
        tab.wait_for_timeout(100)
    assert f"Explorer of {setup.client.endpoint}: " in saved
    assert setup.sandbox.tokens["admin"] not in saved
    texts = (
        setup.client.sources(refresh=True)[["title", "description", "id"]]
        .to_numpy()
        .ravel()
        .tolist()
    )
    texts = [text for text in texts if isinstance(text, str) and len(text) > 5]
    assert len(texts) > 200
    assert [text for text in [*texts, "Not to be kept", "looked-at"] if text in saved] == []
