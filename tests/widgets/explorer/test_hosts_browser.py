"""The explorer where people type and click: keys, focus, columns and a restarted kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import (
    BREATH,
    EXPLORE_ANEW,
    Setup,
    button,
    choose,
    explorer,
    field,
    find,
    grid,
    rows,
    set_up,
    settle,
    show_new_explorer,
    tab_of,
    tab_to,
    table_status,
)

pytestmark = browser.needed()


@pytest.fixture(scope="module", params=["lab", "notebook"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as client, set_up(request.param, folder, client) as setup:
        yield setup


@pytest.fixture(scope="module")
def opened(setup: Setup) -> Iterator[Page]:
    """A page that all tests share, with a button that shows a new explorer."""
    with setup.host.run(EXPLORE_ANEW) as tab:
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    """The page with a new explorer."""
    opened.set_viewport_size({"width": 1280, "height": 900})
    show_new_explorer(opened)
    settle(opened)
    return opened


def heading(tab: Page, text: str) -> Locator:
    return grid(tab).get_by_role("columnheader", name=text, exact=True)


def test_enter_and_a_double_click_open_the_form(setup: Setup, tab: Page) -> None:
    find(tab, "motor-postfach").click()
    tab.keyboard.press("Enter")
    expect(field(explorer(tab).locator(".rnb-edit"), "Title")).to_be_focused()
    field(explorer(tab), "Search").fill("")
    tab.wait_for_timeout(BREATH)
    settle(tab)
    rows(tab).nth(1).dblclick()
    form = explorer(tab).locator(".rnb-edit")
    expect(field(form, "Title")).to_have_value("Property claims inbox")
    field(form, "Title").fill("Property")
    button(explorer(tab), "Update").click()
    expect(form).to_contain_text("claims/property-inbox is updated: title.")
    assert setup.client.source("claims/property-inbox").title == "Property"


def test_the_focus_stays_where_a_button_was_pressed(tab: Page) -> None:
    find(tab, "glass-inbox").click()
    tab.keyboard.press("Enter")
    form = explorer(tab).locator(".rnb-edit")
    field(form, "Title").fill("Glass")
    expect(button(form, "Update")).to_be_enabled()
    button(form, "Update").focus()
    tab.keyboard.press("Enter")
    expect(form).to_contain_text("claims/glass-inbox is updated: title.")
    expect(button(form, "Update")).to_be_disabled()
    assert form.evaluate("node => node.contains(document.activeElement)")
    tab.keyboard.press("Tab")
    # Reset is disabled, too.
    expect(button(form, "Show code")).to_be_focused()
    # The buttons of the plan, of which the first is the first again.
    tab_of(tab, "Bulk edit").click()
    bulk = explorer(tab).locator(".rnb-bulk").last
    field(bulk, "Title").fill("Glass again")
    button(bulk, "Show the plan").click()
    apply = bulk.get_by_role("button", name=re.compile("^Apply to"))
    expect(apply).to_be_enabled()
    apply.focus()
    tab.wait_for_timeout(BREATH)
    tab.keyboard.press("Enter")
    expect(bulk).to_contain_text("1 of 1 source is done.")
    tab_to(tab, button(bulk, "Undo…"), 2)


def test_columns_are_chosen_moved_and_resized(tab: Page) -> None:
    headings = grid(tab).get_by_role("columnheader")
    expect(headings.first).to_have_text("project")
    button(explorer(tab), "Columns").click()
    panel = explorer(tab).locator(".rnb-panel:visible")
    for label in ("project", "kind", "translated"):
        panel.get_by_label(label, exact=True).uncheck()
    expect(headings.first).to_have_text("name")
    expect(panel.get_by_label("comments (count them first)")).to_be_disabled()
    tab.keyboard.press("Escape")
    expect(button(explorer(tab), "Columns")).to_be_focused()
    expect(rows(tab).first.get_by_role("gridcell").nth(1)).to_have_text("Motor claims inbox")
    # Moved with the mouse, and with the keyboard.
    title, language = heading(tab, "title"), heading(tab, "language")
    title.drag_to(language)
    expect(headings.nth(1)).to_have_text("language")
    title.focus()
    tab.keyboard.press("Control+ArrowLeft")
    expect(headings.nth(1)).to_have_text("title")
    expect(title).to_be_focused()
    # It was moved, not sorted.
    expect(title).to_have_attribute("aria-sort", "none")
    # Resized with the mouse, and with the keyboard.
    box = title.bounding_box()
    assert box is not None
    edge = box["x"] + box["width"] - 3, box["y"] + 10
    tab.mouse.move(*edge)
    tab.mouse.down()
    tab.mouse.move(edge[0] + 80, edge[1], steps=4)
    tab.mouse.up()
    settle(tab)
    wider = title.bounding_box()
    assert wider is not None
    assert abs(wider["width"] - box["width"] - 80) < 3
    title.focus()
    tab.keyboard.press("Shift+ArrowLeft")
    settle(tab)
    again = title.bounding_box()
    assert again is not None
    assert abs(wider["width"] - again["width"] - 20) < 3
    expect(title).to_have_attribute("aria-sort", "none")
    # The name stays in view while the others are scrolled.
    grid(tab).evaluate("node => { node.scrollLeft = 400 }")
    name = rows(tab).first.get_by_role("gridcell").first
    left, frame = name.bounding_box(), grid(tab).bounding_box()
    assert left is not None
    assert frame is not None
    assert abs(left["x"] - frame["x"]) < 3
    button(explorer(tab), "Columns").click()
    button(explorer(tab), "Standard columns").click()
    expect(headings.first).to_have_text("project")


def test_no_quick_change_of_the_columns_is_lost(tab: Page) -> None:
    headings = grid(tab).get_by_role("columnheader")
    total = headings.count()
    button(explorer(tab), "Columns").click()
    panel = explorer(tab).locator(".rnb-panel:visible")
    # All within one task of the browser, before the kernel can respond.
    panel.evaluate(
        """(panel, names) => {
          for (const name of names) {
            const lines = [...panel.querySelectorAll("label")];
            lines.find((line) => line.textContent === name).firstChild.click();
          }
        }""",
        ["project", "kind", "translated", "kind"],
    )
    expect(headings).to_have_count(total - 2)
    for name, shown in {"project": False, "kind": True, "translated": False}.items():
        expect(panel.get_by_label(name, exact=True)).to_be_checked(checked=shown)
    tab.keyboard.press("Escape")
    # Moved and resized at once.
    heading(tab, "language").evaluate(
        """(node) => {
          const options = { bubbles: true, cancelable: true };
          for (const key of ["ArrowLeft", "ArrowLeft"])
            node.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey: true, ...options }));
          for (const key of ["ArrowRight", "ArrowRight"])
            node.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: true, ...options }));
        }"""
    )
    expect(headings.first).to_have_text("language")
    settle(tab)
    expect(headings.first).to_have_text("language")
    expect(headings.nth(1)).to_have_text("name")


def test_headings_are_whole(tab: Page) -> None:
    for width in (1600, 1000, 600):
        tab.set_viewport_size({"width": width, "height": 900})
        show_new_explorer(tab)
        settle(tab)
        cut = (
            grid(tab)
            .locator(".rnb-heading")
            .evaluate_all(
                "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth).map(n => n.textContent)"
            )
        )
        assert cut == [], width


def test_a_morning_s_work(setup: Setup, tab: Page) -> None:
    """All German sources without a bucket; those of one project get one."""
    client = setup.client
    choose(explorer(tab), "Language", "German")
    field(explorer(tab), "Search").fill("bucket:none")
    df = client.sources(refresh=True)
    wanted = df[(df["language"] == "de") & df["bucket_id"].isna()]
    expect(table_status(tab)).to_contain_text(f"{len(wanted)} of 130 sources")
    project = wanted["owner"].iloc[0]
    mine = wanted[wanted["owner"] == project]
    choose(explorer(tab), "Project", f"{project} ({len(mine)})")
    expect(table_status(tab)).to_contain_text(f"{len(mine)} of 130 sources")
    settle(tab)
    rows(tab).first.click()
    tab.keyboard.press("Control+a")
    tab_of(tab, "Bulk edit").click()
    bulk = explorer(tab).locator(".rnb-bulk").last
    field(bulk, "Field").select_option("Bucket id")
    bucket = client.buckets().iloc[0]
    field(bulk, "Bucket id").fill(f"{bucket['owner']}/{bucket['name']}")
    button(bulk, "Show the plan").click()
    apply = bulk.get_by_role("button", name=re.compile("^Apply to"))
    expect(apply).to_be_enabled()
    apply.click()
    expect(bulk).to_contain_text(f"{len(mine)} of {len(mine)} source")
    now = client.sources(refresh=True).set_index("id")
    assert set(now.loc[mine["id"], "bucket_id"]) == {bucket["id"]}
    # Put back what is this test's.
    tab.wait_for_timeout(BREATH)
    button(bulk, "Undo…").click()
    put_back = bulk.get_by_role("button", name=re.compile("^Put back"))
    expect(put_back).to_be_enabled()
    put_back.click()
    expect(bulk).to_contain_text("done")
