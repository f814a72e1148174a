"""JupyterLab as `reinfer-nb lab` opens it, and a real browser to look at it with."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright

# Debian's Chromium as root, and without calls home.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Return the path of a Chromium of this machine, if it has one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def jupyterlab(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `reinfer-nb lab` in a folder, and give its address and the process."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "reinfer_nb.cli", "lab", "--no-browser", *arguments, "--"),
        *(f"--port={port}", "--port-retries=0", "--IdentityProvider.token="),
    ]
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # No question whether to fetch news.
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    own = {
        "PYTHONUNBUFFERED": "1",
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
    }
    log = folder / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **own, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api/status", process, log)
            yield address, process
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[str], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not come up:\n{log.read_text()}")


@contextmanager
def page(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """Give a page of a real browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def open_notebook(tab: Page, address: str, path: str) -> None:
    """Open a notebook, and wait until it is there and its kernel is ready."""
    tab.goto(f"{address}/lab/tree/{path}")
    # By its role: some of JupyterLab's texts are there and hidden.
    tab.get_by_role("button", name="Run this cell and advance").wait_for(timeout=60_000)
    tab.get_by_text("| Idle").wait_for(timeout=60_000)


def run_all_cells(tab: Page, cells: int) -> None:
    """Run the open notebook, which has so many cells of code, from top to bottom."""
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    tab.get_by_text(f"[{cells}]:").first.wait_for(timeout=120_000)
    tab.get_by_text("| Idle").wait_for(timeout=60_000)
