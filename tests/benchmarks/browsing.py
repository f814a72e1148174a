"""The explorer in JupyterLab in a real browser, with 100,000 sources; needs Chromium.

The times are those of the page: from running the cell to drawn rows, and from a key pressed in the
search to the new number of sources. Sent are all bytes on the page's connections to the kernel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, WebSocket

import reinfer_nb as rnb
from tests import browser
from tests.benchmarks.measuring import Line, Scale
from tests.benchmarks.tenants import body_of, by_toolkit, rows_of
from tests.widget_pages import button, choose, set_up

_CONNECT = "import reinfer_nb as rnb\nclient = rnb.connect()\ndf = client.sources()"
_EXPLORE = "ex = rnb.explore(client)\nex"
_TYPED = ("number 99", "language:en data", "source")

# Runs the last cell again, and returns the milliseconds until its table has rows.
_OPEN = """async () => {
  const { shell, commands } = jupyterapp;
  const notebook = [...shell.widgets("main")].find((panel) => panel.sessionContext);
  notebook.content.activeCellIndex = 1;
  const old = document.querySelector(".rnb-finder");
  const ready = (table) =>
    table && table !== old && table.querySelector(".rnb-body [role=row]") &&
    table.querySelector(".rnb-status").textContent.includes(" of ");
  const begin = performance.now();
  commands.execute("notebook:run-cell");
  while (!ready(document.querySelector(".rnb-finder")))
    await new Promise((resolve) => requestAnimationFrame(resolve));
  return performance.now() - begin;
}"""
# Notes when a key is pressed in the search, and when the number of sources changes.
_LISTEN = """() => {
  const note = (name) => () => { window[name] = performance.now(); };
  document.querySelector(".rnb-search input").addEventListener("input", note("typed"), true);
  new MutationObserver(note("counted")).observe(
    document.querySelector(".rnb-status"),
    { childList: true, characterData: true, subtree: true },
  );
}"""


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part; none in a quick run, or without Chromium."""
    if scale.quick or browser.chromium() is None:
        print("The explorer in a browser is measured in a full run, with Chromium.")
        return
    listing = by_toolkit(body_of(rows_of(scale.sources)))
    received: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.append(len(frame)))

    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            rnb.sandbox(listing) as client,
            set_up("lab", _made(Path(folder) / "notebooks"), client) as setup,
            setup.host.run(
                *(_CONNECT, _EXPLORE),
                before=lambda tab: tab.on("websocket", listen),
                fresh=True,
                height=1600,
            ) as tab,
        ):
            yield from _opened(scale, tab, received)
            yield from _typed(scale, tab)
    finally:
        browser.close_browser()
        browser.stop_servers()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _opened(scale: Scale, tab: Page, received: list[int]) -> Iterator[Line]:
    times, sizes = [], []
    for _ in range(scale.rounds(7)):
        tab.wait_for_timeout(2_000)
        begin = sum(received)
        times.append(float(tab.evaluate(_OPEN)))
        tab.wait_for_timeout(2_000)
        sizes.append((sum(received) - begin) / 1e3)
    what = f"an explorer of {scale.sources:,} sources opened in a browser"
    yield Line("browsing", what, times, "limit: 1,000 ms", [1_000.0], 1)
    yield Line("browsing", f"{what}: sent", sizes, "limit: 300 KB", [300.0], 1, "KB")


def _typed(scale: Scale, tab: Page) -> Iterator[Line]:
    explorer: Any = tab.locator(".rnb-explorer")
    tab.evaluate(_LISTEN)
    for state in ("", ", with a facet", ", with a facet and columns chosen"):
        if state.endswith("facet"):
            choose(explorer, "Language", "German")
        if state.endswith("chosen"):
            button(explorer, "Columns").click()
            panel = tab.locator(".rnb-panel:visible")
            for column in ("project", "kind"):
                panel.get_by_label(column, exact=True).uncheck()
            tab.keyboard.press("Escape")
        times: list[float] = []
        for text in _TYPED:
            explorer.locator(".rnb-search input").fill("")
            for letter in text:
                # Longer than any response, so that each key is counted alone.
                tab.wait_for_timeout(400)
                tab.evaluate("window.counted = null")
                explorer.locator(".rnb-search input").press(letter)
                tab.wait_for_timeout(400)
                if tab.evaluate("window.counted") is not None:
                    times.append(tab.evaluate("window.counted - window.typed"))
        what = f"a key in the search of {scale.sources:,} sources to the new count{state}"
        slowest = [max(times)]
        yield Line("browsing", what, times, "limit: 150 ms", [150.0], 1)
        yield Line("browsing", f"{what}, the slowest", slowest, "limit: 150 ms", [150.0], 1)
