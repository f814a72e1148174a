"""The login form in JupyterLab: a notebook that is saved with widget state contains no token."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import reinfer_nb as rnb
from tests import browser

pytestmark = browser.needed()

FORM = "from reinfer_nb.widgets.forms.login_form import login\nform = login()\nform"
# Everything that the kernel and its libraries log, including each message it receives.
LOGGING = """\
import logging
logging.basicConfig(filename="kernel.log", level="DEBUG", force=True)
get_ipython().kernel.log.setLevel("DEBUG")
get_ipython().kernel.log.propagate = True
get_ipython().kernel.log.handlers.clear()
"""
CONNECT = "import reinfer_nb as rnb\nrnb.connect()"
BOX = ".jp-OutputArea-output .jupyter-widgets"


# How the form is looked at; the last theme is that of the page before and after.
SHOWN: tuple[tuple[browser.Theme, int], ...] = (("dark", 600), ("light", 1600))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Host]:
    """JupyterLab with the setting to save widget state in each notebook."""
    folder = tmp_path_factory.mktemp("lab")
    place = folder / ".settings" / "@jupyter-widgets" / "jupyterlab-manager"
    place.mkdir(parents=True)
    (place / "plugin.jupyterlab-settings").write_text('{"saveState": true}')
    environment = {
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    with browser.host("lab", folder, environment=environment) as host:
        yield host


def token_of(client: rnb.Client, who: str = "viewer") -> str:
    assert client.sandbox is not None
    return client.sandbox.tokens[who]


def saved(tab: Page, host: browser.Host) -> str:
    """Save the notebook by its shortcut, and return the file once the state is in it."""
    (path,) = (host.folder / name for name in [tab.url.rpartition("/")[2]])
    before = path.stat().st_mtime_ns
    tab.keyboard.press("Control+s")
    for _ in range(200):
        is_new = path.stat().st_mtime_ns != before
        text = path.read_text()
        # The server writes in place: for a moment the file is incomplete.
        if is_new and text.endswith("}\n"):
            state = json.loads(text)["metadata"].get("widgets")
            assert state is not None, "widget state was not saved"
            return text
        time.sleep(0.1)
    raise AssertionError("the notebook was not saved")


def typed(tab: Page, endpoint: str, token: str) -> None:
    tab.get_by_label("Endpoint").fill(endpoint)
    tab.get_by_label("Token", exact=True).click()
    tab.keyboard.type(token)


def picture(tab: Page, name: str) -> None:
    """Take a screenshot if the folder for them is set."""
    folder = os.environ.get("REINFER_NB_SHOTS")
    if folder:
        tab.screenshot(path=Path(folder) / f"{name}.png")


def listen(tab: Page, sent: list[Any]) -> None:
    """Record all frames of the page's web sockets, in both directions."""

    def opened(socket: Any) -> None:
        for event in ("framesent", "framereceived"):
            socket.on(event, lambda frame: sent.append(frame))  # noqa: PLW0108 - no builtin

    tab.on("websocket", opened)


def look(tab: Page, name: str) -> None:
    """Expect that the form can be read in both themes and fits into wide and narrow pages."""
    for theme, width in SHOWN:
        browser.set_theme(tab, theme)
        tab.set_viewport_size({"width": width, "height": 900})
        picture(tab, f"login-{theme}-{width}-{name}")
        assert not browser.axe(tab, BOX)
        outside = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert outside <= 0


def test_typed_logged_in_and_never_saved(lab: browser.Host, client: rnb.Client) -> None:
    token = token_of(client)
    wrong = "sentinel-wrong-token"
    with lab.run(FORM, CONNECT) as tab:
        form = tab.locator(BOX).first
        box = tab.get_by_label("Token", exact=True)
        button = tab.get_by_role("button", name="Log in", exact=True)
        assert box.get_attribute("type") == "password"
        assert box.get_attribute("autocomplete") == "off"
        # The endpoint is checked while it is typed.
        tab.get_by_label("Endpoint").fill("http://tenant.example")
        expect(tab.get_by_role("alert")).to_contain_text("plain http")
        look(tab, "endpoint")

        typed(tab, client.endpoint, wrong)
        assert wrong not in saved(tab, lab)
        button.click()
        expect(tab.get_by_role("alert")).to_contain_text("does not know the token")
        assert box.input_value() == wrong
        look(tab, "refused")

        box.fill("")
        tab.keyboard.type(token)
        assert token not in saved(tab, lab)
        # A click within half a second after a response counts as part of a double click.
        tab.wait_for_timeout(600)
        button.click()
        expect(form).to_contain_text("Logged in as viewer@example.com")
        expect(form.get_by_role("rowheader", name="claims")).to_be_visible()
        expect(box).to_have_value("")
        look(tab, "entered")

        cell = tab.locator(".jp-CodeCell").nth(1)
        expect(cell.locator(".jp-OutputArea-output")).to_contain_text("environment variable")
        cell.locator(".jp-InputArea-editor").click()
        tab.keyboard.press("Control+Enter")
        expect(cell.locator(".jp-OutputArea-output")).to_contain_text(
            f"<Client of {client.endpoint}, token from login>"
        )
        text = saved(tab, lab)
        assert "SecretBox" in text
        assert token not in text
        assert wrong not in text

        tab.get_by_role("button", name="Log out", exact=True).click()
        expect(form).to_contain_text("Logged out of")
        cell.locator(".jp-InputArea-editor").click()
        tab.keyboard.press("Control+Enter")
        expect(cell.locator(".jp-OutputArea-output")).to_contain_text("environment variable")
    assert client.sandbox is not None
    assert [asked.status for asked in client.sandbox.requests] == [401, 200]


def test_what_is_typed_is_no_shortcut(lab: browser.Host, client: rnb.Client) -> None:
    assert client.sandbox is not None
    with lab.run(FORM, CONNECT) as tab:
        typed(tab, client.endpoint, "ddxaby00")
        tab.keyboard.press("Control+z")
        tab.get_by_label("Token", exact=True).fill("ddxaby00")
        # Shift+Enter must not run the cell, which would create a new form.
        tab.keyboard.press("Shift+Enter")
        expect(tab.get_by_role("alert")).to_contain_text("does not know the token")
        expect(tab.get_by_label("Token", exact=True)).to_have_value("ddxaby00")
        expect(tab.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)
        assert [asked.status for asked in client.sandbox.requests] == [401]


def test_two_views_share_what_is_typed_and_answer_once(
    lab: browser.Host, client: rnb.Client
) -> None:
    frames: list[Any] = []
    with lab.run(LOGGING + FORM, "form", before=lambda tab: listen(tab, frames)) as tab:
        boxes = tab.get_by_label("Token", exact=True)
        expect(boxes).to_have_count(2)
        tab.get_by_label("Endpoint").first.fill(client.endpoint)
        boxes.first.click()
        tab.keyboard.type(token_of(client))
        expect(boxes.nth(1)).to_have_value(token_of(client))
        boxes.nth(1).press("Enter")
        for output in range(2):
            expect(boxes.nth(output)).to_have_value("")
        expect(tab.get_by_text("Logged in as viewer@example.com")).to_have_count(2)
    assert client.sandbox is not None
    assert [asked.status for asked in client.sandbox.requests] == [200]
    # The token is sent to the kernel once, as bytes, and never sent back.
    holding = [frame for frame in frames if token_of(client).encode() in as_bytes(frame)]
    assert len(frames) > 10
    assert len(holding) == 1
    log = (lab.folder / "kernel.log").read_text()
    assert "'type': 'token'" in log
    assert token_of(client) not in log


def as_bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def test_a_page_that_is_opened_anew_has_an_empty_box(lab: browser.Host, client: rnb.Client) -> None:
    with lab.run(FORM) as tab:
        typed(tab, client.endpoint, "abc")
        saved(tab, lab)
        tab.reload()
        box = tab.get_by_label("Token", exact=True)
        box.wait_for(timeout=60_000)
        expect(box).to_have_value("")
        button = tab.get_by_role("button", name="Log in", exact=True)
        button.click()
        expect(tab.get_by_role("alert")).to_contain_text("Type the token of")
    assert client.sandbox is not None
    assert not client.sandbox.requests
