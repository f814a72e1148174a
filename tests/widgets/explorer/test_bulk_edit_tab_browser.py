"""The explorer's bulk edit tab, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import (
    BREATH,
    EXPLORE,
    ONE_HOST,
    Looks,
    Setup,
    alert,
    button,
    clear,
    expect_status,
    explorer,
    field,
    grid,
    refresh,
    rows,
    set_up,
    settle,
    tab_of,
    tab_to,
    table_status,
)

pytestmark = browser.needed()

LONG = "word " * 30 + "unbroken" * 40


@pytest.fixture(scope="module", params=["lab", "voila"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as client, set_up(request.param, folder, client) as setup:
        yield setup


@pytest.fixture(scope="module")
def opened(setup: Setup) -> Iterator[Page]:
    with setup.host.run(EXPLORE, height=1400) as tab:
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    """The same page with an empty search and the bulk edit tab open."""
    tab_of(opened, "Bulk edit").click()
    clear(opened)
    return opened


def bulk(tab: Page) -> Locator:
    """Return the content of the tab; the table above has some of the same labels."""
    return explorer(tab).locator(".rnb-bulk")


def languages(client: rnb.Client, names: list[str]) -> list[str | None]:
    return [client.source(f"claims/{name}").language for name in names]


def make(client: rnb.Client, stem: str) -> list[str]:
    """Create three sources, and return their names."""
    names = [f"{stem}-{number}" for number in range(3)]
    for name in names:
        client.create_source(f"claims/{name}", title=name, language="en")
    return names


def select_three(tab: Page, stem: str) -> None:
    field(explorer(tab), "Search").fill(stem)
    expect(table_status(tab)).to_contain_text(re.compile("^3 of "))
    settle(tab)
    expect(rows(tab)).to_have_count(3)
    rows(tab).first.click()
    rows(tab).nth(1).click(modifiers=["Control"])
    rows(tab).nth(2).click(modifiers=["Control"])
    expect(explorer(tab)).to_contain_text("3 sources are selected.")


def test_three_sources_are_set_and_put_back(setup: Setup, tab: Page) -> None:
    client = setup.client
    names = make(client, "bulk")
    refresh(tab, client)
    select_three(tab, "bulk-")
    field(bulk(tab), "Field").select_option("Language")
    field(bulk(tab), "Language").select_option("German (de)")
    expect(button(bulk(tab), "Apply")).to_be_disabled()
    button(bulk(tab), "Show the plan").click()
    expect_status(tab, "Nothing is written before it is applied.")
    plan = bulk(tab).get_by_role("table").filter(has_text="To update (3)")
    expect(plan.get_by_role("rowheader")).to_have_text([f"claims/{name}" for name in names])
    # Another value hides the plan.
    field(bulk(tab), "Language").select_option("Multilingual (xlm)")
    expect(plan).to_have_count(0)
    expect(button(bulk(tab), "Apply")).to_be_disabled()
    field(bulk(tab), "Language").select_option("German (de)")
    tab.wait_for_timeout(BREATH)
    button(bulk(tab), "Show the plan").click()
    expect(plan).to_contain_text("languageende")
    assert languages(client, names) == ["en"] * 3
    button(bulk(tab), "Apply to 3 sources").dblclick()
    expect_status(tab, "3 of 3 sources are done.")
    assert languages(client, names) == ["de"] * 3
    assert len([w for w in setup.writes("/bulk-") if w.method == "POST"]) == 3
    # The table shows the new values, and the sources are still selected.
    for number in range(3):
        expect(rows(tab).nth(number).get_by_text("de", exact=True)).to_be_visible()
        expect(rows(tab).nth(number)).to_have_attribute("aria-selected", "true")
    expect(bulk(tab)).to_contain_text("3 done")
    button(bulk(tab), "Undo…").click()
    expect(plan).to_contain_text("languagedeen")
    assert languages(client, names) == ["de"] * 3
    tab.wait_for_timeout(BREATH)
    button(bulk(tab), "Put back 3 sources").click()
    expect(plan).to_have_count(0)
    expect_status(tab, "3 of 3 sources are done.")
    assert languages(client, names) == ["en"] * 3
    expect(rows(tab).first.get_by_text("en", exact=True)).to_be_visible()


@ONE_HOST
def test_stop(setup: Setup, tab: Page) -> None:
    # A test on another page may have created sources that this page does not list yet.
    refresh(tab, setup.client)
    clear(tab)
    grid(tab).focus()
    tab.keyboard.press("Control+a")
    total = len(setup.client.sources(refresh=True))
    expect(bulk(tab)).to_contain_text(f"{total} sources are selected.")
    field(bulk(tab), "Field").select_option("Title")
    field(bulk(tab), "Title").fill("All alike")
    tab.wait_for_timeout(BREATH)
    button(bulk(tab), "Show the plan").click()
    expect(bulk(tab)).to_contain_text(f"To update ({total})")
    with setup.sandbox.faults.add(rnb.Fault.wait(0.3, on="update_source")):
        button(bulk(tab), f"Apply to {total} sources").click()
        expect(bulk(tab).get_by_role("progressbar")).to_be_visible()
        expect_status(tab, "Applying: ")
        button(bulk(tab), "Stop").click()
        expect_status(tab, f"of {total} sources")
    expect(alert(bulk(tab), "It was stopped.")).to_be_visible()
    expect(button(bulk(tab), "Stop")).to_be_hidden()
    expect(button(bulk(tab), "Try again")).to_be_enabled()
    changed = (setup.client.sources(refresh=True)["title"] == "All alike").sum()
    assert 0 < changed < total
    expect_status(tab, f"{changed} of {total} sources")
    button(bulk(tab), "Undo…").click()
    tab.wait_for_timeout(BREATH)
    button(bulk(tab), f"Put back {changed} sources").click()
    expect_status(tab, f"{changed} of {changed} sources")
    assert not (setup.client.sources(refresh=True)["title"] == "All alike").any()


@ONE_HOST
def test_keyboard_only(setup: Setup, tab: Page) -> None:
    names = make(setup.client, "keys")
    refresh(tab, setup.client)
    keys = tab.keyboard
    field(explorer(tab), "Search").fill("keys-")
    expect(table_status(tab)).to_contain_text(re.compile("^3 of "))
    settle(tab)
    tab_to(tab, grid(tab))
    keys.press("Control+a")
    expect(bulk(tab)).to_contain_text("3 sources are selected.")
    tab_to(tab, field(bulk(tab), "Field"))
    keys.press("Home")
    expect(field(bulk(tab), "Title")).to_be_visible()
    tab_to(tab, field(bulk(tab), "Title"))
    keys.press("Control+a")
    keys.type("By keyboard")
    tab_to(tab, bulk(tab).get_by_label("Empty the field", exact=True))
    keys.press("Space")
    expect(field(bulk(tab), "Title")).to_be_disabled()
    keys.press("Space")
    expect(field(bulk(tab), "Title")).to_be_enabled()
    expect(button(bulk(tab), "Show the plan")).to_be_enabled()
    tab.wait_for_timeout(BREATH)
    tab_to(tab, button(bulk(tab), "Show the plan"))
    keys.press("Enter")
    apply = button(bulk(tab), "Apply to 3 sources")
    expect(apply).to_be_enabled()
    tab_to(tab, apply)
    keys.press("Enter")
    expect_status(tab, "3 of 3 sources are done.")
    titles = [setup.client.source(f"claims/{name}").title for name in names]
    assert titles == ["By keyboard"] * 3


@ONE_HOST
def test_axe_and_width(setup: Setup) -> None:
    client = setup.client
    names = make(client, "look")
    client.update_source(f"claims/{names[0]}", title=LONG)
    with setup.host.run(EXPLORE, width=1600, height=2000) as tab:
        looks = Looks(tab, (500, 1000, 1600), 2000)
        tab_of(tab, "Bulk edit").click()
        expect(bulk(tab)).to_contain_text("No source is selected.")
        expect(button(bulk(tab), "Show the plan")).to_be_disabled()
        looks.at("nothing selected")
        select_three(tab, "look-")
        for name in ("Description", "Sensitive properties", "Kind", "Bucket id"):
            field(bulk(tab), "Field").select_option(name)
            expect(field(bulk(tab), name)).to_be_visible()
        field(bulk(tab), "Bucket id").fill("ffffffffffffffff")
        expect(alert(bulk(tab), "names no bucket")).to_be_visible()
        expect(button(bulk(tab), "Show the plan")).to_be_disabled()
        looks.at("no bucket")
        # A value for each source, in a table.
        button(bulk(tab), "A value for each source").click()
        button(bulk(tab), "Fill in the selected sources").click()
        expect(field(bulk(tab), "Table")).to_have_value(re.compile("bucket_id"))
        field(bulk(tab), "Table").fill("owner,name,title\nclaims,no-such-source,x\n")
        tab.wait_for_timeout(BREATH)
        button(bulk(tab), "Show the plan").click()
        expect(alert(bulk(tab), "There is no source 'claims/no-such-source'")).to_be_visible()
        looks.at("a table")
        button(bulk(tab), "A value for each source").click()
        field(bulk(tab), "Field").select_option("Title")
        field(bulk(tab), "Title").fill(f"{LONG} mine")
        tab.wait_for_timeout(BREATH)
        button(bulk(tab), "Show the plan").click()
        expect(bulk(tab)).to_contain_text("To update (3)")
        looks.at("a plan")
        client.update_source(f"claims/{names[1]}", title="Theirs")
        button(bulk(tab), "Apply to 3 sources").click()
        expect_status(tab, "2 of 3 sources are done.")
        expect(bulk(tab)).to_contain_text("Changed remotely")
        button(bulk(tab), "Undo…").click()
        expect(button(bulk(tab), "Put back 2 sources")).to_be_enabled()
        # On a narrow page the table of five columns has a scroll bar.
        looks.at("a result and its undo", least=501)
    assert looks.flaws == []
