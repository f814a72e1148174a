"""Helpers to run JupyterLab (by `reinfer-nb lab`) and Voilà in a real browser.

A module of tests marks itself with `pytestmark = browser.needed()`, opens one `host` for all its
tests, and each test runs its cells in a page of their own:

    with browser.host("voila", folder) as host, host.run("import reinfer_nb as rnb", ...) as tab:
        tab.get_by_label("Search").fill("motor")
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import pytest
import requests
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import BrowserContext, Error, Page, Playwright, expect, sync_playwright

from tests.kernels import TRANSPORT

# Longer than the default of 5 seconds, for a busy machine.
expect.set_options(timeout=20_000)

Kind = Literal["lab", "notebook", "voila"]
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)

# Lets Debian's Chromium run as root and without requests to its vendor.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


_NONE = (
    "no Chromium: neither on the PATH (Debian: apt install chromium-headless-shell) nor "
    "Playwright's own (playwright install chromium)"
)


_PORTS = itertools.count()

# Servers shared by test modules, since starting a server takes longer than most tests.
_SHARED: dict[tuple[Kind, Path], str] = {}
_SERVERS = contextlib.ExitStack()


@dataclass
class _Browsers:
    """The Playwright of this process, which can have one at a time, and the shared browser.

    Attributes:
        playwright: None while no browser runs.
        shared: The browser that test modules share.
        idle: Pages of JupyterLab that are not in use, by the server's address and their theme.
        stack: Closes the shared browser.
    """

    playwright: Playwright | None = None
    shared: BrowserContext | None = None
    idle: dict[tuple[str, Theme], list[Page]] = field(default_factory=dict)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


_RUNNING = _Browsers()

# The environment of a kernel, in its folder.
_ENVIRONMENT = ".environment.json"


# Ends the kernels of the notebooks that a page shows.
_SHUT_DOWN = """async () => {
  for (const { sessionContext } of jupyterapp.shell.widgets("main"))
    await sessionContext?.shutdown();
}"""
# Opens a notebook in the place of all that a page shows.
_OPEN_INSTEAD = """async (path) => {
  delete window.__hit;
  const { shell, commands } = jupyterapp;
  const notebook = await commands.execute("docmanager:open", { path, factory: "Notebook" });
  for (const other of [...shell.widgets("main")]) if (other !== notebook) other.dispose();
  await notebook.context.ready;
  await notebook.sessionContext.ready;
}"""
# True when Notebook 7 has opened its notebook and has a kernel.
_READY = """() => {
  const [notebook] = window.jupyterapp?.shell.widgets("main") ?? [];
  return notebook?.sessionContext?.isReady && notebook.context.isReady;
}"""
# Runs all cells of the notebook that a page shows, beside no other panel. JupyterLab may put its
# launcher in front of a notebook that was opened while the page was still empty.
RUN_ALL = """async () => {
  const { shell, commands } = jupyterapp;
  const panels = () => [...shell.widgets("main")];
  const notebook = panels().find((panel) => panel.sessionContext);
  const show = () => {
    for (const other of panels()) if (other !== notebook) other.dispose();
    shell.activateById(notebook.id);
  };
  const { content, sessionContext } = notebook;
  show();
  shell.collapseLeft();
  shell.collapseRight();
  await commands.execute("notebook:run-all-cells");
  const busy = () => sessionContext.session?.kernel?.status !== "idle";
  while (busy()) await new Promise((resolve) => setTimeout(resolve, 20));
  show();
  return content.widgets.every((cell) => cell.model.type !== "code" || cell.model.executionCount);
}"""


@functools.cache
def chromium() -> str | None:
    """Return the path of a Chromium of this machine, if it has one."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        with _playwright() as playwright:
            own = playwright.chromium.executable_path
        found = own if Path(own).exists() else None
    return found


def needed() -> pytest.MarkDecorator:
    """Return a mark that skips tests without Chromium; in CI they fail instead."""
    excused = chromium() is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(excused, reason=_NONE)


def free_port() -> int:
    """Return a free port.

    It is below the system's range of ephemeral ports, since the system could give such a port away
    before the server has started. Parallel test processes search from different numbers.
    """
    for number in range(1000):
        port = 10_000 + (os.getpid() * 97 + next(_PORTS) * 7 + number) % 20_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def jupyterlab(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `reinfer-nb lab` in a folder; yield its address and its process."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "reinfer_nb.cli", "lab", "--no-browser", *arguments, "--"),
        *(f"--port={port}", "--port-retries=0", "--IdentityProvider.token="),
        "--LabApp.expose_app_in_browser=True",
        f"--KernelManager.transport={TRANSPORT}",
    ]
    # Do not ask whether to fetch news.
    _set(folder, "notification", fetchNews="false")
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
    }
    address = f"http://127.0.0.1:{port}"
    with _served(command, folder, {**own, **(environment or {})}, f"{address}/api/status") as lab:
        yield address, lab


@contextmanager
def notebook7(
    folder: Path, *, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run Notebook 7 in a folder; yield its address and its process."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--port-retries=0", "--IdentityProvider.token="),
        *(f"--ServerApp.root_dir={folder}", f"--KernelManager.transport={TRANSPORT}"),
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
    }
    _set(folder, "notification", fetchNews="false")
    address = f"http://127.0.0.1:{port}"
    with _served(command, folder, {**own, **(environment or {})}, f"{address}/api/status") as it:
        yield address, it


@contextmanager
def voila(
    notebook: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run Voilà on a notebook; yield its address and its process.

    The page at the address is the app, with a new kernel each time it is opened. For a folder, each
    notebook is at `/voila/render/<name>`.
    """
    port = free_port()
    command = [
        *(sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}"),
        *("--Voila.ip=127.0.0.1", "--show_tracebacks=True"),
        *(f"--KernelManager.transport={TRANSPORT}", *arguments),
    ]
    folder = notebook if notebook.is_dir() else notebook.parent
    own = {"JUPYTER_CONFIG_DIR": str(folder / ".config"), **(environment or {})}
    address = f"http://127.0.0.1:{port}"
    # Wait for a static file, since the page itself would start a kernel.
    with _served(command, folder, own, f"{address}/voila/static/voila.js") as process:
        yield address, process


def _set(folder: Path, name: str, **settings: str) -> None:
    """Write a setting of JupyterLab, which reads it when a page is opened."""
    place = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.jupyterlab-settings").write_text(json.dumps(settings))


@contextmanager
def _served(
    command: list[str], folder: Path, environment: dict[str, str], url: str
) -> Iterator[subprocess.Popen[str]]:
    """Context manager that runs a server, with its output in `lab.log` or `voila.log`."""
    log = folder / f"{'voila' if 'voila' in command else 'lab'}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait_for(url, process, log)
            yield process
        finally:
            process.terminate()
            process.wait(120)


def _wait_for(url: str, process: subprocess.Popen[str], log: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            break
        try:
            if requests.get(url, timeout=2).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.1)
    raise AssertionError(f"The server did not come up:\n{log.read_text()}")


@contextmanager
def _playwright() -> Iterator[Playwright]:
    """Give the Playwright of this process."""
    if _RUNNING.playwright is not None:
        yield _RUNNING.playwright
        return
    with sync_playwright() as playwright:
        _RUNNING.playwright = playwright
        try:
            yield playwright
        finally:
            _RUNNING.playwright = None


@contextmanager
def _browser() -> Iterator[BrowserContext]:
    """Run a browser with a profile of its own, whose pages share a cache of compiled scripts."""
    assert chromium() is not None, _NONE
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        _playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium(), args=_FLAGS
        )
        try:
            yield context
        finally:
            context.close()


@contextmanager
def page(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """Give a page of a real browser."""
    assert chromium() is not None, _NONE
    with _playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def notebook_of(folder: Path, *cells: str, name: str = "tried.ipynb") -> Path:
    """Write a notebook of cells of code, and return where it is."""
    rest: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [{"id": f"cell-{i}", "source": cell, **rest} for i, cell in enumerate(cells)],
    }
    path = folder / name
    path.write_text(json.dumps(notebook))
    return path


# The last errors and console lines of each page, for `page_reports`.
_CONSOLES: WeakKeyDictionary[Page, deque[str]] = WeakKeyDictionary()


def _listen(tab: Page) -> Page:
    """Keep the last errors and console lines of a new page."""
    console = _CONSOLES[tab] = deque[str](maxlen=20)
    tab.on("pageerror", lambda error: console.append(f"{error}"[:500]))
    tab.on("console", lambda line: console.append(f"{line.type}: {line.text[:500]}"))
    return tab


# Reports of pages that were closed because of an error.
_CLOSED: list[str] = []


def page_reports() -> list[str]:
    """Return the reports of the pages in use, and of those closed by an error since the last call.

    A report is the address, the last errors and console lines, and the text of a page.
    """
    idle = [tab for tabs in _RUNNING.idle.values() for tab in tabs]
    tabs = [tab for tab in _CONSOLES if not tab.is_closed() and tab not in idle]
    reports = [*_CLOSED, *map(_report, tabs)]
    _CLOSED.clear()
    return reports


def _report(tab: Page) -> str:
    try:
        text = tab.inner_text("body", timeout=5_000)
        # Between the beginning and the end are rows of a table.
        text = text if len(text) < 5_000 else f"{text[:1_000]}\n[…]\n{text[-4_000:]}"
    except Error as error:
        text = str(error)
    return "\n".join([tab.url, *_CONSOLES[tab], text])


@dataclass
class Host:
    """A running JupyterLab or Voilà, and a browser for it.

    Attributes:
        kind: JupyterLab, Notebook 7 or Voilà.
        address: The URL of the server.
        root: The folder of the server.
        folder: The folder of the notebooks, in `root` or below.
        browser: The browser.
    """

    kind: Kind
    address: str
    root: Path
    folder: Path
    browser: BrowserContext

    @contextmanager
    def run(
        self,
        *cells: str,
        width: int = 1280,
        height: int = 900,
        theme: Theme = "light",
        before: Callable[[Page], object] = lambda _: None,
        fresh: bool = False,
    ) -> Iterator[Page]:
        """Give a page in which a new notebook of these cells has been run, with a new kernel.

        A page of JupyterLab in which a test before has passed is used again: its notebook and
        kernel are gone, and the new notebook is opened in the same JupyterLab.

        Args:
            *cells: The cells' code.
            width: How wide the page is.
            height: How high it is.
            theme: JupyterLab's or Voilà's.
            before: What to do with the page before the notebook is opened, such as listening.
            fresh: Whether the page must be a new one, because `before` adds a script to it.
        """
        path = notebook_of(self.folder, *cells, name=f"tried-{uuid.uuid4().hex[:8]}.ipynb")
        place = path.relative_to(self.root).as_posix()
        idle = _RUNNING.idle.setdefault((self.address, theme), [])
        used = idle.pop() if idle and not fresh else None
        tab = used or _listen(self.browser.new_page())
        reusable = False
        try:
            tab.set_viewport_size({"width": width, "height": height})
            before(tab)
            if self.kind == "notebook":
                tab.goto(f"{self.address}/notebooks/{place}")
                tab.wait_for_function(_READY, timeout=60_000)
                assert tab.evaluate(RUN_ALL), "a cell was not run"
            elif self.kind == "voila":
                tab.goto(f"{self.address}/voila/render/{place}?theme={theme}")
                # Visible after the last cell was run.
                tab.locator("#rendered_cells").wait_for(timeout=60_000)
            elif used:
                tab.evaluate(_OPEN_INSTEAD, place)
                assert tab.evaluate(RUN_ALL), "a cell was not run"
            else:
                _set(self.root, "themes", theme=f"JupyterLab {theme.title()}")
                open_notebook(tab, self.address, place, workspace=path.stem)
                assert tab.evaluate(RUN_ALL), "a cell was not run"
            yield tab
            reusable = self.kind == "lab" and not fresh
        except Exception:
            _CLOSED.append(_report(tab))
            raise
        finally:
            if reusable:
                tab.evaluate(_SHUT_DOWN)
                set_theme(tab, theme)
                idle.append(tab)
            else:
                tab.close()


@contextmanager
def host(
    kind: Kind,
    folder: Path,
    *,
    environment: dict[str, str] | None = None,
    shared: bool = False,
) -> Iterator[Host]:
    """Run JupyterLab or Voilà with a browser, for any number of notebooks.

    Args:
        kind: JupyterLab, Notebook 7 or Voilà.
        folder: The folder for the notebooks.
        environment: Environment variables of their kernels.
        shared: Whether one server on the parent folder serves all folders in it to one browser,
            until `close_browser` and `stop_servers` are called. Otherwise the folder has its own.
    """
    if shared:
        root = folder.parent
        (folder / _ENVIRONMENT).write_text(json.dumps(environment or {}))
        yield Host(kind, _shared(kind, root), root, folder, _shared_browser())
        return
    served = _HOSTS[kind]
    with served(folder, environment=environment) as (address, _), _browser() as own:
        yield Host(kind, address, folder, folder, own)


_HOSTS: dict[Kind, Callable[..., Any]] = {
    "lab": jupyterlab,
    "notebook": notebook7,
    "voila": voila,
}


def _shared(kind: Kind, root: Path) -> str:
    """Return the address of the shared server on a folder; the first call starts it."""
    if (kind, root) not in _SHARED:
        startup = root / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("kernel_startup.py"), startup)
        served = _HOSTS[kind]
        environment = {"IPYTHONDIR": str(root / ".ipython")}
        _SHARED[kind, root], _ = _SERVERS.enter_context(served(root, environment=environment))
    return _SHARED[kind, root]


def _shared_browser() -> BrowserContext:
    """Return the shared browser; the first call starts it."""
    if _RUNNING.shared is None:
        _RUNNING.shared = _RUNNING.stack.enter_context(_browser())
    return _RUNNING.shared


def close_browser() -> None:
    """Close the shared browser. While it runs, asyncio sees Playwright's loop in this thread."""
    _RUNNING.shared = None
    _RUNNING.idle.clear()
    _RUNNING.stack.close()


def stop_servers() -> None:
    """Stop the shared servers."""
    _SHARED.clear()
    _SERVERS.close()


# The background of a page's theme.
_BACKGROUND = 'getComputedStyle(document.body).getPropertyValue("--jp-layout-color0")'


def theme_of(tab: Page) -> Theme:
    """Return the theme of a page of JupyterLab or Voilà."""
    return "light" if tab.evaluate("document.body.dataset.jpThemeLight") == "true" else "dark"


def set_theme(tab: Page, theme: Theme) -> None:
    """Choose a theme in an open JupyterLab, as a person does in its menu."""
    if theme_of(tab) == theme:
        return
    background = tab.evaluate(_BACKGROUND)
    change = 'theme => jupyterapp.commands.execute("apputils:change-theme", { theme })'
    tab.evaluate(change, f"JupyterLab {theme.title()}")
    # Its style sheet is loaded later, and meanwhile a picture covers the page.
    tab.wait_for_function(f"before => {_BACKGROUND} !== before", arg=background)
    is_light = str(theme == "light").lower()
    expect(tab.locator("body")).to_have_attribute("data-jp-theme-light", is_light)
    expect(tab.locator("#jupyterlab-splash")).to_have_count(0)


def next_frames(tab: Page) -> None:
    """Wait until two frames are drawn: observers of sizes react to a change in the next frame."""
    tab.evaluate("new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")


def axe(tab: Page, selector: str, *, except_for: str | None = None) -> list[dict[str, Any]]:
    """Return the serious and critical violations that axe finds within the selector."""
    context = {"include": [[selector]], "exclude": [[except_for]] if except_for else []}
    found = axe_results(tab, "violations", context=context)["violations"]
    return [violation for violation in found if violation["impact"] in {"serious", "critical"}]


def axe_results(
    tab: Page,
    *types: Literal["violations", "incomplete"],
    context: dict[str, Any] | None = None,
    rules: list[str] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Run axe on a page; return its results of these types with all their elements.

    Without `rules`, the default rules of axe run. Passed checks are not returned, since describing
    thousands of elements takes axe longer than checking them.
    """
    options: dict[str, Any] = {"resultTypes": [*types]}
    # Do not preload style sheets of other servers and media; these pages have none.
    options["preload"] = False
    if rules is not None:
        options["runOnly"] = rules
    # In a body without height that hides what overflows, such as JupyterLab's, axe takes all texts
    # for hidden, and does not look at their contrast.
    tab.evaluate("document.body.style.overflow = 'visible'")
    next_frames(tab)
    # Load the script once per page.
    script = "0" if tab.evaluate("'axe' in window") else AXE_SCRIPT
    response = Axe(script).run(tab, context=context, options=options).response
    tab.evaluate("document.body.style.overflow = ''")
    return {type_: response[type_] for type_ in types}


def open_notebook(tab: Page, address: str, path: str, workspace: str | None = None) -> None:
    """Open a notebook, and wait until it is shown and its kernel is ready."""
    inside = f"lab/workspaces/{workspace}" if workspace else "lab"
    tab.goto(f"{address}/{inside}/tree/{path}")
    # By role, since JupyterLab has hidden elements with the same text.
    tab.get_by_role("button", name="Run this cell and advance").wait_for(timeout=60_000)
    tab.get_by_text("| Idle").wait_for(timeout=60_000)


def run_all_cells(tab: Page, cells: int) -> None:
    """Run the `cells` code cells of the open notebook from top to bottom."""
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    tab.get_by_text(f"[{cells}]:").first.wait_for(timeout=120_000)
    tab.get_by_text("| Idle").wait_for(timeout=60_000)
