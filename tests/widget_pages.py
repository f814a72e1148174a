"""Helpers for the browser tests of the widgets: a tenant with a notebook host, and expectations."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

import reinfer_nb as rnb
from reinfer_nb.server.access import Asked
from tests import browser
from tests.waiting import until

# For tests with a fixture `setup` for each host: the hosts show the same widgets.
ONE_HOST = pytest.mark.parametrize("setup", ["lab"], indirect=True)

# Milliseconds: a click that follows a response sooner counts as part of a double click.
BREATH = 600
HTML = (
    "</textarea><img src=x onerror='window.__hit=1;alert(1)'><b>bold</b>"
    "<script>window.__hit=2</script> $x$ [a](javascript:alert(2)) "
)


@dataclass
class Setup:
    """A client of a tenant, and a notebook host with the admin's token for this tenant."""

    client: rnb.Client
    host: browser.Host

    @property
    def sandbox(self) -> rnb.Sandbox:
        assert self.client.sandbox is not None
        return self.client.sandbox

    def writes(self, path: str) -> list[Asked]:
        """Return the write requests with a text in their path."""
        return [
            r
            for r in self.sandbox.requests
            if path in r.path and r.method != "GET" and "statistics" not in r.path
        ]


@contextmanager
def set_up(kind: browser.Kind, folder: Path, client: rnb.Client) -> Iterator[Setup]:
    """Run JupyterLab or Voilà in a folder, with a sandbox configured in its kernels."""
    assert client.sandbox is not None
    environment = {
        "REINFER_ENDPOINT": client.endpoint,
        "REINFER_TOKEN": client.sandbox.tokens["admin"],
        "VIEWERS_TOKEN": client.sandbox.tokens["viewer"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    with browser.host(kind, folder, environment=environment, shared=True) as host:
        yield Setup(client, host)


def button(form: Locator, name: str) -> Locator:
    return form.get_by_role("button", name=name, exact=True)


def field(form: Locator, label: str) -> Locator:
    return form.get_by_label(label, exact=True)


def fill(form: Locator, values: Mapping[str, str]) -> None:
    for label, value in values.items():
        field(form, label).fill(value)


def expect_held(form: Locator, values: Mapping[str, str]) -> None:
    for label, value in values.items():
        expect(field(form, label)).to_have_value(value)


def expect_beneath(message: Locator, control: Locator) -> None:
    """Wait until a message is directly beneath a control: it may first be shown elsewhere, too."""

    def beneath() -> bool:
        message_box, control_box = message.bounding_box(), control.bounding_box()
        if message_box is None or control_box is None:
            return False
        return 0 <= message_box["y"] - control_box["y"] - control_box["height"] < 25

    expect(message).to_be_visible()
    until(beneath)


def alert(form: Locator, text: str) -> Locator:
    return form.get_by_role("alert").filter(has_text=text)


# Forms

CONNECT = "import reinfer_nb as rnb\nclient = rnb.connect()"


def form_of(tab: Page, place: int = 0) -> Locator:
    """Return one of the forms on the page, by its place."""
    return tab.locator(".jp-OutputArea-output").nth(place)


def axe(tab: Page, *, table: bool = True) -> list[tuple[str, str, str]]:
    """Return the problems that axe finds in the outputs: rules, summaries and elements.

    Args:
        tab: The page.
        table: Whether to look at the rows of the table, which take most of axe's time.
    """
    except_for = None if table else ".rnb-body"
    found = browser.axe(tab, ".jp-OutputArea-output", except_for=except_for)
    return [
        (flaw["id"], node["failureSummary"], node["html"][:300])
        for flaw in found
        for node in flaw["nodes"]
    ]


def holding(client: rnb.Client, text: str) -> pd.DataFrame:
    """Return the sources that a search for a text should find."""
    df = client.sources(refresh=True)
    texts = df[["id", "owner", "name", "title", "description"]].fillna("")
    return df[texts.agg("\n".join, axis=1).str.contains(text, case=False)]


def tab_to(tab: Page, place: Locator, most: int = 40, *, key: str = "Tab") -> None:
    """Press Tab, or Shift+Tab to go back, until an element has the focus."""
    for _ in range(most):
        tab.keyboard.press(key)
        if place.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"{place} was not reached with {most} times {key}")


# The explorer

EXPLORE = "import reinfer_nb as rnb\nclient = rnb.connect()\nex = rnb.explore(client)\nex"

# One page for most tests: starting a kernel and loading a page takes longer than most of them.
EXPLORE_ANEW = """
import ipywidgets as ui
import reinfer_nb as rnb

client = rnb.connect()
anew = ui.Button(description="New explorer", tooltip="0")
box = ui.VBox([anew])

def show(_):
    for old in box.children[1:]:
        old.close()
    # Tests change the tenant.
    client.sources(refresh=True)
    box.children = [anew, rnb.explore(client)]
    anew.tooltip = str(int(anew.tooltip) + 1)

anew.on_click(show)
box
"""


def explorer(tab: Page) -> Locator:
    return tab.locator(".jp-OutputArea-output").first


def show_new_explorer(tab: Page) -> None:
    """Show a new explorer of the whole listing on a page with `EXPLORE_ANEW`."""
    anew = button(explorer(tab), "New explorer")
    number = int(anew.get_attribute("title") or 0)
    anew.click()
    # Set once the new explorer is shown.
    expect(anew).to_have_attribute("title", f"{number + 1}")
    expect(table_status(tab)).to_have_text(re.compile(r"^(\d+) of \1 sources$"))


def grid(tab: Page) -> Locator:
    return explorer(tab).get_by_role("grid", name="Sources")


def rows(tab: Page) -> Locator:
    return grid(tab).locator(".rnb-body").get_by_role("row")


def facet(view: Locator, label: str) -> Locator:
    """Return the button that opens the menu of a facet."""
    box = view.locator(".rnb-facet").filter(has=view.page.locator(f'label:text-is("{label}")'))
    return box.locator(".rnb-menu-button")


def choose(view: Locator, label: str, *choices: str) -> None:
    """Tick choices of a facet, and close its menu.

    Args:
        view: The explorer or the table.
        label: The label of the facet.
        *choices: The beginnings of the labels of the choices.
    """
    facet(view, label).click()
    panel = view.locator(".rnb-panel:visible")
    for choice in choices:
        panel.get_by_label(re.compile(rf"^{re.escape(choice)}")).check()
    view.page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


def table_status(tab: Page) -> Locator:
    return explorer(tab).locator(".rnb-status")


def settle(tab: Page) -> None:
    """Wait until the kernel has responded to everything typed and clicked in the table.

    The first letters of a search may already show the expected row. But a row that is selected
    before the response to the last letter belongs to an older version, and is not selected.
    """
    expect(grid(tab)).to_have_attribute("aria-busy", "false")


def clear(tab: Page) -> None:
    """Show all sources: clear search, facets and restrictions."""
    tab.wait_for_timeout(BREATH)
    # After a write of the test before, the listing may still be refreshed.
    expect(button(explorer(tab), "Refresh")).to_be_enabled()
    settle(tab)
    expect(table_status(tab)).to_contain_text(" of ")
    if button(explorer(tab), "Clear").is_enabled():
        button(explorer(tab), "Clear").click()
    expect(table_status(tab)).to_contain_text(re.compile(r"^(\d+) of \1 "))
    settle(tab)


def tab_of(tab: Page, name: str) -> Locator:
    return explorer(tab).get_by_role("tab", name=name, exact=True)


def expect_tab(tab: Page, name: str) -> None:
    """Expect that a tab is open: the kernel fills the tab of a source before it opens it."""
    expect(tab_of(tab, name)).to_have_attribute("aria-selected", "true")


def find(tab: Page, name: str) -> Locator:
    """Search for the only source with a name, and return its row."""
    field(explorer(tab), "Search").fill(name)
    expect(table_status(tab)).to_contain_text(re.compile(r"^1 of "))
    settle(tab)
    expect(rows(tab)).to_have_count(1)
    expect(rows(tab).first).to_contain_text(name)
    return rows(tab).first


def refresh(tab: Page, client: rnb.Client) -> None:
    """Refresh the listing after a source was created elsewhere."""
    tab.wait_for_timeout(BREATH)
    button(explorer(tab), "Refresh").click()
    total = len(client.sources(refresh=True))
    expect(table_status(tab)).to_contain_text(f" of {total} sources")


def pane(tab: Page) -> Locator:
    """Return the open tab of the current source."""
    return explorer(tab).locator(
        ".rnb-details .jupyter-widget-tab > .widget-tab-contents > :visible"
    )


def expect_status(tab: Page, text: str) -> None:
    """Expect a status message with a text."""
    expect(explorer(tab).get_by_role("status").filter(has_text=text).first).to_be_visible()


# Expectations


class Watch:
    """Checks that no text of the tenant runs as a script or becomes an element or a formula."""

    def __init__(self) -> None:
        self.dialogs: list[str] = []

    def __call__(self, tab: Page) -> None:
        tab.on("dialog", self._on_dialog)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def expect_text_only(self, tab: Page) -> None:
        # The package itself may use "b", and pictures of charts.
        foreign = "img:not([src^='data:image/png']), script, b:text-is('bold'), a[href^=javascript]"
        made = tab.locator(".jp-OutputArea").locator(foreign)
        expect(made).to_have_count(0)
        expect(tab.locator(".jp-OutputArea").locator("mjx-container, .MathJax")).to_have_count(0)
        assert tab.evaluate("window.__hit") is None
        assert self.dialogs == []


def expect_to_fit(tab: Page) -> None:
    """Expect every control within the page, and no horizontal scroll bar.

    Waits a moment for the layout, which a tab that was just opened may need.
    """
    for _ in range(25):
        outside = _outside(tab)
        if not outside:
            return
        tab.wait_for_timeout(200)
    raise AssertionError(outside)


class Looks:
    """Looks at one state of a page of JupyterLab after the other: it must fit into each width.

    axe, which takes long, checks each state in both themes, each at one of the widths in turn; the
    rows of the table in the first state only.

    Args:
        tab: The page.
        widths: The widths.
        height: The height.

    Attributes:
        flaws: What axe has found: the state, the theme, the width and the flaw.
    """

    def __init__(self, tab: Page, widths: Sequence[int], height: int) -> None:
        self._tab, self._widths, self._height = tab, deque(widths), height
        self._themes = [*browser.THEMES]
        self._has_looked = False
        self.flaws: list[tuple[str, browser.Theme, int, tuple[str, str, str]]] = []

    def at(self, where: str, *, least: int = 0, settled: Callable[[], object] = bool) -> None:
        """Look at the present state.

        Args:
            where: Its name.
            least: It need not fit into less.
            settled: Waits until the page shows it, after a change of the width.
        """
        self.expect_to_fit(least=least, settled=settled)
        # The page has the last width and the first theme already.
        for theme in self._themes:
            browser.set_theme(self._tab, theme)
            self._resize(self._widths[-1], settled)
            flaws = axe(self._tab, table=not self._has_looked)
            self.flaws += [(where, theme, self._widths[-1], flaw) for flaw in flaws]
            self._widths.rotate()
        self._themes.reverse()
        self._has_looked = True

    def expect_to_fit(self, *, least: int = 0, settled: Callable[[], object] = bool) -> None:
        """Expect that the present state fits into each width, without a look by axe."""
        for width in self._widths:
            self._resize(width, settled)
            if width >= least:
                expect_to_fit(self._tab)

    def _resize(self, width: int, settled: Callable[[], object]) -> None:
        self._tab.set_viewport_size({"width": width, "height": self._height})
        settled()


def _outside(tab: Page) -> list[str]:
    found: list[str] = tab.evaluate(
        """() => {
          const wrong = [];
          const controls = "input, select, textarea, button, [role=tab], a, pre, table";
          for (const output of document.querySelectorAll(".jp-OutputArea-output")) {
            const { left, right } = output.getBoundingClientRect();
            for (const node of output.querySelectorAll(controls)) {
              const box = node.getBoundingClientRect();
              if (box.width && (box.left < left - 1 || box.right > right + 1))
                wrong.push(`${node.tagName} ${node.textContent}: ${box.left} to ${box.right}`);
            }
            for (let node = output; node; node = node.parentElement) {
              const scrolls = /auto|scroll/.test(getComputedStyle(node).overflowX);
              if ((scrolls || !node.parentElement) && node.scrollWidth > node.clientWidth)
                wrong.push(`${node.tagName} ${node.className}: ${node.scrollWidth}`);
            }
          }
          return wrong;
        }"""
    )
    return found
