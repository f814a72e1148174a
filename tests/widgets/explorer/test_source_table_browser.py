"""The source table in a browser, in JupyterLab and Voilà."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import methodcaller

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import choose, facet

pytestmark = browser.needed()

# Two views of one finder, and a label with its attributes.
FINDER = """
import ipywidgets as ui
import reinfer_nb as rnb
from IPython.display import display
from reinfer_nb.widgets.table.source_table import Finder

client = rnb.sandbox().start()
df = client.sources()
df.loc[2, "title"] = "<img src=x onerror=document.body.remove()> $x$ and $y$"
finder = Finder(df)
state = ui.Label()

def show_state(_=None):
    names = finder.frame["name"].tolist()
    state.value = (
        f"rows {len(names)}, first {names[:1]}, last {names[-1:]}, "
        f"selected {list(finder.selected)}, current {finder.current}"
    )

resets = ui.Label("0")

def reset(_):
    finder.select([])
    finder.search, finder.chosen, finder.sort = "", {}, None
    resets.value = str(int(resets.value) + 1)

def narrow(_):
    finder.search, finder.chosen, finder.sort = "inbox", {"owner": "claims"}, ("name", True)

finder.observe(show_state)
show_state()
buttons = [ui.Button(description="Reset"), ui.Button(description="Narrow from Python")]
buttons[0].on_click(reset)
buttons[1].on_click(narrow)
display(ui.HBox([state, resets, *buttons]), finder)
"""
AGAIN = "display(finder)"

MANY = """
import numpy as np
import reinfer_nb as rnb
from reinfer_nb.widgets.table.source_table import Finder

df = rnb.sandbox().start().sources()
df = df.iloc[np.arange(100_000) % len(df)].reset_index(drop=True)
df["owner"] = [f"project-number-{row % 5000}" for row in range(100_000)]
df["name"] = [f"source-{row}" for row in range(100_000)]
df["id"] = [f"{row:016x}" for row in range(100_000)]
Finder(df)
"""

# More rows than the greatest height of an element in a browser.
MILLION = """
import pandas as pd
from reinfer_nb.widgets.table.source_table import Finder

names = pd.Series(range(1_000_000)).map("source-{}".format).astype("str")
finder = Finder(pd.DataFrame({"owner": "claims", "name": names}))
finder
"""


# While `late` is a list, it queues the messages of the kernel.
LATE = """
const { set, ...rest } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", {
  ...rest,
  set(handler) {
    set.call(this, (event) => {
      if (window.late) window.late.push([event.data, () => handler.call(this, event)]);
      else handler.call(this, event);
    });
  },
});
window.deliver = () => {
  const messages = window.late;
  window.late = null;
  messages.forEach(([, handle]) => handle());
};
window.isLate = (text) => window.late.some(([data]) =>
  (typeof data === "string" ? data : new TextDecoder().decode(data)).includes(text));
"""


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    """The sources that the notebooks use."""
    return shared.sources()


@pytest.fixture(scope="module", params=["voila", "lab"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[browser.Host]:
    folder = tmp_path_factory.mktemp(request.param)
    with browser.host(request.param, folder, shared=True) as running:
        yield running


@pytest.fixture(scope="module")
def opened(host: browser.Host) -> Iterator[Page]:
    """A page with two views of a finder; the tests share it."""
    late = methodcaller("add_init_script", LATE)
    with host.run(FINDER, AGAIN, height=1500, before=late, fresh=True) as tab:
        rows(tab).first.wait_for()
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    """The same page, reset to no search, facets, sorting and selection."""
    # A message of the test before that is still queued would undo the reset.
    for number in range(2):
        expect(grid(opened, number)).to_have_attribute("aria-busy", "false")
    reset(opened)
    expect_state(opened, "rows 130, first ['motor-inbox']", "selected []")
    return opened


def reset(tab: Page) -> None:
    """Reset the finder from Python, and wait for the last of the messages that this sends."""
    count = tab.locator(".widget-label").nth(1)
    before = int(count.inner_text())
    tab.get_by_role("button", name="Reset").click()
    expect(count).to_have_text(f"{before + 1}")
    # Not by its role, which a hidden element does not have.
    expect(view(tab).locator(".rnb-status")).to_have_text("130 of 130 sources")


def view(tab: Page, number: int = 0) -> Locator:
    return tab.locator(".rnb-finder").nth(number)


def grid(tab: Page, number: int = 0) -> Locator:
    return view(tab, number).get_by_role("grid", name="Sources")


def rows(tab: Page, number: int = 0) -> Locator:
    return grid(tab, number).locator(".rnb-body").get_by_role("row")


def row(tab: Page, place: int, number: int = 0) -> Locator:
    return grid(tab, number).locator(f"[role=row][aria-rowindex='{place + 2}']")


def status(tab: Page, number: int = 0) -> Locator:
    return view(tab, number).get_by_role("status")


def header(tab: Page, name: str) -> Locator:
    return grid(tab).get_by_role("columnheader", name=name, exact=True)


def search(tab: Page) -> Locator:
    return view(tab).get_by_label("Search", exact=True)


def expect_state(tab: Page, *texts: str) -> None:
    """Expect texts in the label with the finder's attributes."""
    for text in texts:
        expect(tab.locator(".widget-label").first).to_contain_text(text)


# Narrowing and sorting


def test_search_and_facets_narrow_the_table(tab: Page, listing: pd.DataFrame) -> None:
    texts = listing[["name", "title", "description"]].fillna("").agg(" ".join, axis=1)
    found = listing[texts.str.lower().str.contains("inbox")]
    claims = (found["owner"] == "claims").sum()
    assert 1 < claims < len(found) < 130
    search(tab).press_sequentially("inbox")
    expect(status(tab)).to_have_text(f"{len(found)} of 130 sources")
    expect(grid(tab)).to_have_attribute("aria-rowcount", f"{len(found) + 1}")
    project, kind = facet(view(tab), "Project"), facet(view(tab), "Kind")
    choose(view(tab), "Project", f"claims ({claims})")
    expect(status(tab)).to_have_text(f"{claims} of 130 sources")
    expect(project).to_have_accessible_name("Project claims")
    expect(project).to_be_focused()
    expect_state(tab, f"rows {claims},")
    # The other view shows the same.
    expect(status(tab, 1)).to_have_text(f"{claims} of 130 sources")
    expect(view(tab, 1).get_by_label("Search", exact=True)).to_have_value("inbox")
    # A second value adds its rows.
    both = found["owner"].isin(["claims", "people"]).sum()
    choose(view(tab), "Project", "people")
    expect(status(tab)).to_have_text(f"{both} of 130 sources")
    expect(project).to_have_accessible_name("Project claims or people")
    # Typing narrows the choices; one without rows can be chosen, and cleared.
    kind.click()
    panel = view(tab).locator(".rnb-panel:visible")
    expect(panel.get_by_role("checkbox")).not_to_have_count(1)
    panel.get_by_role("searchbox").fill("cal")
    expect(panel.get_by_role("checkbox")).to_have_count(1)
    expect(panel).to_contain_text("(0)")
    assert browser.axe(tab, ".rnb-finder") == []
    panel.get_by_role("checkbox").check()
    tab.keyboard.press("Escape")
    expect(kind).to_be_focused()
    expect(status(tab)).to_have_text("0 of 130 sources")
    expect(view(tab).get_by_text("No source matches.")).to_be_visible()
    assert browser.axe(tab, ".rnb-finder") == []
    clear = view(tab).get_by_role("button", name="Clear")
    clear.click()
    expect(status(tab)).to_have_text("130 of 130 sources")
    expect(clear).to_be_disabled()
    expect(search(tab)).to_have_value("")
    expect(project).to_have_accessible_name("Project any")


def test_python_narrows_and_sorts_what_the_browser_shows(tab: Page) -> None:
    tab.get_by_role("button", name="Narrow from Python").click()
    expect(status(tab)).not_to_have_text("130 of 130 sources")
    expect(search(tab)).to_have_value("inbox")
    expect(facet(view(tab), "Project")).to_have_accessible_name("Project claims")
    expect(header(tab, "name")).to_have_attribute("aria-sort", "descending")
    expect(rows(tab).first).to_contain_text("weather-inbox")


def test_what_is_being_typed_is_not_overwritten(tab: Page) -> None:
    text = 'motor  "inbox" and more '
    search(tab).press_sequentially(text, delay=5)
    expect(status(tab)).to_have_text("0 of 130 sources")
    expect(search(tab)).to_have_value(text)
    expect(view(tab, 1).get_by_label("Search", exact=True)).to_have_value(text)


def test_a_header_sorts_the_whole_listing_both_ways(tab: Page, listing: pd.DataFrame) -> None:
    names = sorted(listing["name"], key=str.lower)
    name = header(tab, "name")
    name.click()
    expect(name).to_have_attribute("aria-sort", "ascending")
    expect_state(tab, f"first {names[:1]}, last {names[-1:]}")
    expect(rows(tab).first).to_contain_text(names[0])
    name.click()
    expect(name).to_have_attribute("aria-sort", "descending")
    expect_state(tab, f"first {names[-1:]}, last {names[:1]}")
    expect(rows(tab).first).to_contain_text(names[-1])
    name.click()
    expect(name).to_have_attribute("aria-sort", "none")
    expect_state(tab, "first ['motor-inbox']")
    # Two clicks before the first response are two steps.
    name.dblclick()
    expect(name).to_have_attribute("aria-sort", "descending")
    expect_state(tab, f"first {names[-1:]}, last {names[:1]}")


# Selection


def test_selecting_with_the_mouse(tab: Page) -> None:
    row(tab, 2).click()
    expect_state(tab, "selected [2], current 2")
    row(tab, 4).click(modifiers=["Shift"])
    expect_state(tab, "selected [2, 3, 4], current 4")
    row(tab, 3).click(modifiers=["ControlOrMeta"])
    expect_state(tab, "selected [2, 4], current 3")
    expect(status(tab)).to_have_text("130 of 130 sources, 2 selected")
    for number in (0, 1):
        expect(row(tab, 2, number)).to_have_attribute("aria-selected", "true")
        expect(row(tab, 3, number)).to_have_attribute("aria-selected", "false")
        expect(row(tab, 4, number)).to_have_attribute("aria-selected", "true")
    assert tab.evaluate("getSelection().toString()") == ""


def test_keyboard_only(tab: Page) -> None:
    search(tab).focus()
    tab.keyboard.type("claims")
    expect(status(tab)).not_to_have_text("130 of 130 sources")
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Delete")
    expect(status(tab)).to_have_text("130 of 130 sources")
    expect(grid(tab)).to_have_attribute("aria-busy", "false")
    for _ in range(9):
        tab.keyboard.press("Tab")
    # The Clear button is disabled, so the table follows after seven facets and the columns.
    expect(grid(tab)).to_be_focused()
    keys = tab.keyboard
    keys.press("Home")
    expect_state(tab, "selected [0], current 0")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect_state(tab, "selected [2], current 2")
    active = grid(tab).get_attribute("aria-activedescendant")
    expect(row(tab, 2)).to_have_attribute("id", str(active))
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowDown")
    expect_state(tab, "selected [2, 3, 4], current 4")
    keys.press("Control+Space")
    expect_state(tab, "selected [2, 3], current 4")
    keys.press("Control+ArrowDown")
    keys.press("Control+Space")
    expect_state(tab, "selected [2, 3, 5], current 5")
    keys.press("End")
    expect_state(tab, "selected [129], current 129")
    expect(row(tab, 129)).to_be_in_viewport()
    keys.press("PageUp")
    expect_state(tab, "selected [119], current 119")
    keys.press("Control+a")
    expect(status(tab)).to_have_text("130 of 130 sources, 130 selected")
    keys.press("Home")
    keys.press("Shift+End")
    expect(status(tab)).to_have_text("130 of 130 sources, 130 selected")
    # The headings share one tab stop.
    keys.press("Tab")
    keys.press("Home")
    expect(header(tab, "project")).to_be_focused()
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(header(tab, "name")).to_have_attribute("aria-sort", "ascending")
    keys.press("Space")
    expect(header(tab, "name")).to_have_attribute("aria-sort", "descending")
    expect(header(tab, "name")).to_be_focused()
    keys.press("Tab")
    expect(header(tab, "title")).not_to_be_focused()


def test_held_keys_arrive(tab: Page) -> None:
    row(tab, 0).click()
    for _ in range(40):
        tab.keyboard.press("ArrowDown", delay=0)
    expect_state(tab, "selected [40], current 40")
    expect(row(tab, 40)).to_be_in_viewport()
    expect(row(tab, 40)).to_have_attribute("aria-selected", "true")
    expect(grid(tab).locator("[aria-selected=true]")).to_have_count(1)


def test_left_and_right_scroll_sideways(tab: Page) -> None:
    row(tab, 0).click()
    for _ in range(30):
        tab.keyboard.press("ArrowRight")
    expect(header(tab, "id")).to_be_in_viewport()
    for _ in range(30):
        tab.keyboard.press("ArrowLeft")
    expect(header(tab, "project")).to_be_in_viewport()


def test_a_resize_leaves_the_scroll_bar_where_it_was_put(tab: Page) -> None:
    for height, top in ((300, 50 * 28), (200, 20 * 28)):
        # In a frame callback, so that the browser reports the new size before the scrolling.
        grid(tab).evaluate(
            """(node, [height, top]) => new Promise((done) => requestAnimationFrame(() => {
              node.style.height = `${height}px`;
              node.scrollTop = top;
              setTimeout(done, 100);
            }))""",
            [height, top],
        )
        assert grid(tab).evaluate("node => node.scrollTop") == top
        expect(row(tab, top // 28)).to_be_in_viewport()
    # The page is used again.
    grid(tab).evaluate("node => { node.style.height = '' }")


# The browser reports only after the scrolling that the view is shown.
SHOW_AND_SCROLL = """(node, top) => new Promise((done) => requestAnimationFrame(() => {
  node.style.display = "";
  node.querySelector("[role=grid]").scrollTop = top;
  setTimeout(done, 100);
}))"""


def hide(tab: Page) -> None:
    view(tab).evaluate("node => { node.style.display = 'none' }")
    # The browser has reported it.
    tab.wait_for_timeout(100)


def test_a_table_that_is_shown_again_can_be_scrolled_at_once(tab: Page) -> None:
    hide(tab)
    view(tab).evaluate(SHOW_AND_SCROLL, 50 * 28)
    assert grid(tab).evaluate("node => node.scrollTop") == 50 * 28
    expect(row(tab, 50)).to_be_in_viewport()


def test_a_table_that_was_hidden_when_its_rows_came_can_be_scrolled_at_once(tab: Page) -> None:
    tab.get_by_role("button", name="Narrow from Python").click()
    expect(status(tab)).not_to_have_text("130 of 130 sources")
    hide(tab)
    reset(tab)
    view(tab).evaluate(SHOW_AND_SCROLL, 1_000_000)
    expect(row(tab, 129)).to_be_in_viewport()


@pytest.mark.parametrize("cause", ["key", "click", "scroll"])
def test_a_late_response_leaves_the_scroll_bar_where_it_was_put(tab: Page, cause: str) -> None:
    row(tab, 0).click()
    expect_state(tab, "selected [0], current 0")
    tab.keyboard.press("End")
    expect_state(tab, "selected [129], current 129")
    expect(grid(tab)).to_have_attribute("aria-busy", "false")
    tab.evaluate("window.late = []")
    match cause:
        case "key":
            tab.keyboard.press("Home")
        case "click":
            row(tab, 127).click()
        case _:
            grid(tab).evaluate("node => { node.scrollTop = 0 }")
            expect(row(tab, 0)).to_be_in_viewport()
            tab.keyboard.press("Control+a")
    tab.wait_for_function('isLate(`"shown"`)')
    # In one call, so that the response comes before the browser reports the scrolling.
    grid(tab).evaluate("node => { node.scrollTop = 50 * 28; deliver() }")
    expect(grid(tab)).to_have_attribute("aria-busy", "false")
    for place in (50, 55):
        expect(row(tab, place)).to_be_in_viewport()
    assert grid(tab).evaluate("node => node.scrollTop") == 50 * 28


# The notebook around it


# Only JupyterLab has commands on letters.
@pytest.mark.parametrize("host", ["lab"], indirect=True)
def test_a_notebook_takes_no_keys_from_it(tab: Page) -> None:
    cells = tab.locator(".jp-Notebook .jp-Cell")
    project = facet(view(tab), "Project")
    row(tab, 3).click()
    row(tab, 5).click(modifiers=["Shift"])
    for place in (search(tab), project, header(tab, "name"), grid(tab)):
        place.focus()
        for key in ["a", "b", "d", "d", "m", "x", "Enter", "Escape"]:
            tab.keyboard.press(key)
        tab.keyboard.press("ArrowUp")
        expect(place).to_be_focused()
    tab.keyboard.press("Control+a")
    tab.wait_for_timeout(200)
    expect(cells).to_have_count(2)
    expect(tab.locator(".jp-Notebook .jp-Cell.jp-mod-selected")).to_have_count(1)
    expect(tab.locator(".jp-Notebook .jp-MarkdownCell")).to_have_count(0)


# Safety


def test_html_in_a_title_is_text(tab: Page) -> None:
    expect(row(tab, 2)).to_contain_text("<img src=x onerror=document.body.remove()> $x$ and $y$")
    expect(view(tab).locator("img, mjx-container, .MathJax")).to_have_count(0)
    expect(row(tab, 2).get_by_role("gridcell").nth(2)).to_have_attribute(
        "title", re.compile("<img")
    )


def test_what_is_missing_says_so(tab: Page) -> None:
    cell = row(tab, 2).get_by_role("gridcell", name="missing").first
    expect(cell).to_have_text("\N{EN DASH}")


@pytest.mark.parametrize("host", ["lab"], indirect=True)
def test_axe_finds_nothing_serious(host: browser.Host) -> None:
    with host.run(FINDER, width=800) as tab:
        row(tab, 2).click()
        row(tab, 4).click(modifiers=["Shift"])
        header(tab, "title").click()
        expect_state(tab, "selected [2, 3, 4]")
        for theme in browser.THEMES:
            browser.set_theme(tab, theme)
            assert browser.axe(tab, ".rnb-finder") == [], theme
            # A text that can hardly be read is found.
            color = "#bbb" if theme == "light" else "#444"
            style = tab.add_style_tag(content=f".rnb-status {{ color: {color} !important }}")
            (flaw,) = browser.axe(tab, ".rnb-finder")
            assert flaw["id"] == "color-contrast"
            style.evaluate("node => node.remove()")


# Size


# Each host gets the same messages.
@pytest.mark.parametrize("host", ["lab"], indirect=True)
def test_only_a_window_travels(host: browser.Host) -> None:
    received: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.append(len(frame)))

    with host.run(MANY, before=lambda tab: tab.on("websocket", listen)) as tab:
        expect(status(tab)).to_have_text("100,000 of 100,000 sources", timeout=30_000)
        rows(tab).first.wait_for()
        opening = sum(received)
        assert 10_000 < opening < 300_000
        facet(view(tab), "Project").click()
        panel = view(tab).locator(".rnb-panel:visible")
        expect(panel.get_by_role("checkbox")).to_have_count(200)
        expect(panel).to_contain_text("4,800 more: type to find them")
        panel.get_by_role("searchbox").fill("number-4321")
        expect(panel.get_by_role("checkbox")).to_have_count(1)
        tab.keyboard.press("Escape")
        # To the end, by the scroll bar.
        grid(tab).evaluate("node => { node.scrollTop = node.scrollHeight }")
        expect(row(tab, 99_999)).to_contain_text("source-99999", timeout=30_000)
        expect(row(tab, 99_999)).to_be_in_viewport()
        assert rows(tab).count() < 60
        row(tab, 99_999).click()
        tab.keyboard.press("Shift+Home")
        expect(status(tab)).to_have_text("100,000 of 100,000 sources, 100,000 selected")
        expect(row(tab, 0)).to_have_attribute("aria-selected", "true")
        search(tab).fill("source-4321")
        expect(status(tab)).to_contain_text("11 of 100,000 sources, 100,000 selected")
        assert sum(received) - opening < 300_000


# The browser is the same in both.
@pytest.mark.parametrize("host", ["voila"], indirect=True)
def test_the_last_of_a_million_can_be_reached(host: browser.Host) -> None:
    with host.run(MILLION) as tab:
        expect(status(tab)).to_have_text("1,000,000 of 1,000,000 sources", timeout=60_000)
        grid(tab).evaluate("node => { node.scrollTop = node.scrollHeight }")
        expect(row(tab, 999_999)).to_contain_text("source-999999", timeout=30_000)
        row(tab, 999_999).click()
        # Keys move by one row, although the scroll bar is coarser.
        for place in range(999_998, 999_970, -1):
            tab.keyboard.press("ArrowUp")
            expect(row(tab, place)).to_be_in_viewport(ratio=1)
            expect(row(tab, place)).to_have_attribute("aria-selected", "true")
        tab.keyboard.press("Home")
        expect(row(tab, 0)).to_contain_text("source-0")
        expect(row(tab, 0)).to_be_in_viewport(ratio=1)
        grid(tab).evaluate("node => { node.scrollTop = node.scrollHeight / 2 }")
        expect(rows(tab).first).to_contain_text(re.compile(r"source-(49|50)\d{4}"))
