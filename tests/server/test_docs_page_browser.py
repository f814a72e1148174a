"""The page of the sandbox's API in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import pytest
import requests
from playwright.sync_api import Page, expect

import reinfer_nb as rnb
from tests import browser
from tests.server.test_practice_tenant import box_of
from tests.waiting import AGES

pytestmark = browser.needed()

BASES = ["", "/org/tenant/reinfer_"]
Scheme = Literal["light", "dark"]
SCHEMES: list[Scheme] = ["light", "dark"]


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with browser.page() as page:
        yield page


@pytest.fixture
def tab(window: Page, shared: rnb.Client) -> Page:
    """The page, opened anew."""
    window.set_viewport_size({"width": 1280, "height": 900})
    window.emulate_media(color_scheme="light")
    window.goto(shared.endpoint + "/docs")
    return window


def open_all(tab: Page) -> int:
    """Open all details, and return how many there are."""
    number: int = tab.evaluate(
        """() => {
          const details = document.querySelectorAll("details");
          for (const one of details) one.open = true;
          return details.length;
        }"""
    )
    return number


@pytest.mark.parametrize("base", BASES)
def test_it_asks_for_nothing_but_itself(window: Page, shared: rnb.Client, base: str) -> None:
    asked: list[tuple[str, str]] = []
    told: list[str] = []
    before = len(box_of(shared).requests)
    opened = window.context.browser
    assert opened is not None
    with opened.new_page() as tab:
        tab.on("request", lambda request: asked.append((request.method, request.url)))
        tab.on("console", lambda message: told.append(message.text))
        tab.on("pageerror", lambda error: told.append(str(error)))
        tab.goto(shared.endpoint + base + "/docs", wait_until="networkidle")
        assert open_all(tab) > 23
        tab.wait_for_load_state("networkidle")
        assert asked == [("GET", shared.endpoint + base + "/docs")]
        assert box_of(shared).requests[before:] == [("GET", f"{base}/docs", 200, "")]
        assert told == []
        # The link to the document works too, whatever the base path.
        tab.get_by_role("link", name="openapi.json").click()
        expect(tab).to_have_url(shared.endpoint + base + "/openapi.json")
    document = ("GET", f"{base}/openapi.json", 200, "")
    assert document in box_of(shared).requests[before + 1 :]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_can_read_it(tab: Page, scheme: Scheme) -> None:
    tab.emulate_media(color_scheme=scheme)
    for _ in range(2):
        assert browser.axe(tab, "html") == []
        open_all(tab)
    # The page is dark in dark mode.
    background = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_all_of_it_is_there(tab: Page, shared: rnb.Client) -> None:
    document = requests.get(shared.endpoint + "/openapi.json", timeout=AGES).json()
    expect(tab).to_have_title(document["info"]["title"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            box = tab.locator("details").filter(
                has_text=f"Name in faults: {operation['operationId']}."
            )
            expect(box).to_have_count(1)
            expect(box.locator("summary")).to_contain_text(f"{method.upper()} {path}")
            expect(box.locator("summary")).to_contain_text(operation["summary"])
            expect(box.locator("table").first).to_be_hidden()
            box.locator("summary").click()
            expect(box.locator("table").first).to_be_visible()
            for status in operation["responses"]:
                assert status == "200" or box.get_by_role("cell", name=status, exact=True).count()
    for name in document["components"]["schemas"]:
        box = tab.locator("details").filter(has=tab.locator(f"#{name}"))
        expect(tab.locator(f"#{name} table")).to_be_hidden()
        box.locator("summary").click()
        expect(tab.locator(f"#{name} table")).to_be_visible()


def test_a_link_leads_to_the_object_and_opens_it(tab: Page) -> None:
    listing = tab.locator("details").filter(has_text="Name in faults: list_sources.")
    listing.locator("summary").click()
    listing.get_by_role("link", name="Source", exact=True).click()
    expect(tab).to_have_url(re.compile("#Source$"))
    expect(tab.locator("#Source table")).to_be_in_viewport()


def test_it_can_be_used_with_keys_alone(tab: Page) -> None:
    summary = tab.locator("summary").first
    summary.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("details").first).to_have_attribute("open", "")
    tab.keyboard.press("Tab")
    expect(tab.locator("details").first.get_by_role("link").first).to_be_focused()


@pytest.mark.parametrize("width", [320, 640])
def test_it_fits_a_narrow_window(tab: Page, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    open_all(tab)
    across = tab.evaluate("document.documentElement.scrollWidth")
    assert across <= width
