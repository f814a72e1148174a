"""The explorer's tabs for audit, compare and charts in a browser, in JupyterLab and Voilà."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

import reinfer_nb as rnb
from reinfer_nb.frames import convert, elements
from tests import browser
from tests.widget_pages import (
    BREATH,
    EXPLORE_ANEW,
    HTML,
    ONE_HOST,
    Looks,
    Setup,
    Watch,
    alert,
    button,
    expect_status,
    explorer,
    field,
    find,
    holding,
    pane,
    refresh,
    rows,
    set_up,
    show_new_explorer,
    tab_of,
    tab_to,
    table_status,
)

pytestmark = browser.needed()

CHARTS = (
    "Created over time",
    "Age of the last update",
    "Projects by kind",
    "Projects by language",
    "Findings by project",
)
# Sources with findings, and with HTML in project, kind and language.
HOSTILE = [
    {
        "id": f"00000000deadbee{number}",
        "owner": owner,
        "name": f"{name}-{number}",
        "title": f"{HTML}title",
        "description": f"{HTML}description",
        "_kind": f"{HTML}kind",
        "language": f"{HTML}language",
    }
    for number, (owner, name) in enumerate([*[("hostile", "twin")] * 2, [f"{HTML}project", HTML]])
]
# Milliseconds: before the first chart matplotlib is imported, slow on a busy machine.
FIRST_CHART = 90_000


@pytest.fixture(scope="module", params=["lab", "voila"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as sample:
        data = convert.from_elements([*elements.to_elements(sample.sources()), *HOSTILE])
    sandbox = rnb.sandbox(data)
    with pytest.warns(UserWarning, match="can be listed, but neither changed nor deleted"):
        sandbox.start()
    with sandbox as client, set_up(request.param, folder, client) as setup:
        yield setup


@pytest.fixture(scope="module")
def opened(setup: Setup) -> Iterator[Page]:
    """A page that most tests share, with a button that shows a new explorer."""
    with setup.host.run(EXPLORE_ANEW) as tab:
        yield tab


@pytest.fixture
def tab(opened: Page) -> Page:
    """The page with a new explorer, without earlier choices and comparisons."""
    opened.set_viewport_size({"width": 1280, "height": 1400})
    show_new_explorer(opened)
    return opened


def findings(setup: Setup, *rules: str) -> pd.DataFrame:
    return rnb.audit(setup.client.sources(refresh=True), rules or None).findings


def choose(tab: Page, label: str, choice: str) -> None:
    """Choose the option that begins with a text, in the drop-down of a label."""
    options = field(explorer(tab), label).locator("option")
    # Options have no-break spaces.
    begins = re.escape(choice).replace(r"\ ", r"\s")
    option = options.filter(has_text=re.compile(rf"^{begins}(\s|$)"))
    field(explorer(tab), label).select_option(option.inner_text())


def chosen(tab: Page, label: str) -> Locator:
    return field(explorer(tab), label).locator("option:checked")


def open_audit(tab: Page) -> None:
    tab_of(tab, "Audit").click()
    expect(field(explorer(tab), "Findings")).to_be_visible()
    expect_status(tab, "findings in")


def compare(tab: Page, place: str) -> None:
    """Compare with what is at a place."""
    tab.wait_for_timeout(BREATH)
    field(explorer(tab), "With").fill(place)
    field(explorer(tab), "With").press("Tab")
    button(explorer(tab), "Compare").click()


def expect_chart(tab: Page, kind: str) -> Locator:
    """Expect a chart that is visible as a whole."""
    chart = explorer(tab).get_by_role("img", name=f"{kind}: chart of ")
    svg = chart.locator("svg")
    expect(svg).to_be_visible(timeout=FIRST_CHART)
    # No text exceeds the chart, and the chart does not exceed its box.
    outside = chart.evaluate(
        """node => {
          const svg = node.querySelector("svg");
          const out = (inner, outer) => {
            const [a, b] = [inner.getBoundingClientRect(), outer.getBoundingClientRect()];
            return a.left < b.left - 1 || a.right > b.right + 1
              || a.top < b.top - 1 || a.bottom > b.bottom + 1;
          };
          const texts = [...svg.querySelectorAll("g[id^=text_]")].filter(text => out(text, svg));
          return [...texts, ...(out(svg, node) ? [svg] : [])].map(each => each.outerHTML);
        }"""
    )
    assert outside == []
    assert chart.locator("g[id^=text_]").count() > 5
    # The page needs a moment for its layout after its width has changed.
    for _ in range(25):
        box = svg.bounding_box()
        if box is not None and box["width"] > 300:
            return chart
        tab.wait_for_timeout(200)
    raise AssertionError(box)


def brightness(color: str) -> float:
    """Return the brightness of a CSS colour, from 0 to 255."""
    red, green, blue = map(float, re.findall(r"[\d.]+", color)[:3])
    return 0.3 * red + 0.6 * green + 0.1 * blue


# Audit


def test_a_rule_narrows_the_table_until_it_is_cleared(setup: Setup, tab: Page) -> None:
    found = findings(setup, "twin-titles")
    total = len(setup.client.sources())
    open_audit(tab)
    expect_status(tab, f"{len(findings(setup)):,} findings in")
    choose(tab, "Findings", f"warning: twin-titles ({len(found)})")
    narrowed = f"{len(found)} of {total} sources, only those with twin-titles"
    expect(table_status(tab)).to_have_text(narrowed)
    expect(rows(tab)).to_have_count(len(found))
    expect_status(tab, "Readers of lists and charts cannot tell them apart.")
    table = explorer(tab).get_by_role("table")
    expect(table.get_by_role("rowheader")).to_have_count(len(found))
    motor = found[found["name"].str.contains("motor")]
    field(explorer(tab), "Search").fill("motor")
    expect(table_status(tab)).to_contain_text(f"{len(motor)} of {total} sources, only those")
    sources = (motor["owner"] + "/" + motor["name"]).tolist()
    expect(table.get_by_role("rowheader")).to_have_text(sources)
    expect(table).to_contain_text(motor["message"].iloc[0])
    button(explorer(tab), "Clear").click()
    expect(table_status(tab)).to_have_text(re.compile(rf"^{total} of {total} sources"))
    expect(field(explorer(tab), "Search")).to_have_value("")
    expect(chosen(tab, "Findings")).to_have_text("all sources")
    expect_status(tab, "findings in")


def test_a_source_with_a_finding_is_looked_at(setup: Setup, tab: Page) -> None:
    found = findings(setup, "missing-title")
    open_audit(tab)
    choose(tab, "Findings", f"warning: missing-title ({len(found)})")
    expect(table_status(tab)).to_contain_text("only those with missing-title")
    rows(tab).nth(1).click()
    expect(rows(tab).nth(1)).to_have_attribute("aria-selected", "true")
    tab_of(tab, "Source").click()
    tab_of(tab, "Fields").click()
    expect(pane(tab).get_by_role("table")).to_contain_text(found["id"].iloc[1])
    tab_of(tab, "Audit").click()
    expect(chosen(tab, "Findings")).to_contain_text("missing-title")
    expect(rows(tab)).to_have_count(len(found))


@ONE_HOST
def test_a_fixed_source_is_audited_again(setup: Setup, tab: Page) -> None:
    setup.client.create_source("claims/to-fix")
    refresh(tab, setup.client)
    open_audit(tab)
    found = findings(setup, "missing-title")
    choose(tab, "Findings", f"warning: missing-title ({len(found)})")
    find(tab, "to-fix").click()
    tab_of(tab, "Source").click()
    tab_of(tab, "Edit").click()
    field(pane(tab), "Title").fill("Fixed")
    button(explorer(tab), "Update").click()
    # The source has no finding any more, so the table does not show it.
    expect(table_status(tab)).to_have_text(re.compile("^0 of .*only those with missing-title"))
    tab_of(tab, "Audit").click()
    expect(chosen(tab, "Findings")).to_have_text(f"warning: missing-title ({len(found) - 1})")


def test_findings_are_exported(setup: Setup, tab: Page) -> None:
    open_audit(tab)
    tab.wait_for_timeout(BREATH)
    button(explorer(tab), "Findings as CSV").click()
    link = explorer(tab).get_by_text(re.compile("^Download findings-.*csv$"))
    with tab.expect_download() as download:
        link.click()
    name = download.value.suggested_filename
    assert download.value.path().read_bytes() == (setup.host.folder / name).read_bytes()
    # The audit measures ages up to the time of the listing.
    listed = re.search(r"listed on (\S+) at (\S+) UTC", explorer(tab).inner_text())
    assert listed is not None
    df = setup.client.sources(refresh=True)
    expected = rnb.audit(df, now=f"{listed[1]}T{listed[2]}").findings
    written = rnb.read_csv(setup.host.folder / name)
    assert written["message"].tolist() == expected["message"].tolist()


# Compare


def test_what_is_listed_is_compared_with_a_file(setup: Setup, tab: Page) -> None:
    client = setup.client
    client.create_source("claims/compared", title="Before")
    rnb.to_csv(client.sources(refresh=True), setup.host.folder / "before.csv")
    client.update_source("claims/compared", title="After")
    client.create_source("claims/came-later")
    refresh(tab, client)
    tab_of(tab, "Compare").click()
    expect(field(explorer(tab), "Differences")).to_be_hidden()
    compare(tab, "before.csv")
    changed = explorer(tab).get_by_role("table").filter(has_text="Changed")
    title = changed.get_by_role("row").filter(has_text="comparedtitle")
    expect(title).to_contain_text("BeforeAfter")
    choose(tab, "Differences", "changed (1)")
    expect(table_status(tab)).to_contain_text(re.compile("^1 of .* only those that were changed"))
    expect(rows(tab).first).to_contain_text("compared")
    choose(tab, "Differences", "added (1)")
    expect(table_status(tab)).to_contain_text("only those that were added")
    expect(rows(tab).first).to_contain_text("came-later")
    button(explorer(tab), "Clear").click()
    expect(chosen(tab, "Differences")).to_have_text("all sources")
    button(explorer(tab), "Differences as Excel").click()
    with tab.expect_download() as download:
        explorer(tab).get_by_text(re.compile("^Download differences-.*xlsx$")).click()
    content = download.value.path().read_bytes()
    assert content == (setup.host.folder / download.value.suggested_filename).read_bytes()
    # The comparison is of the earlier listing.
    refresh(tab, client)
    expect_status(tab, "Compare again")


@ONE_HOST
def test_what_is_listed_is_compared_with_a_snapshot(setup: Setup, tab: Page) -> None:
    client = setup.client
    made = client.create_source("claims/snapped", title="First")
    history = rnb.History(setup.host.folder / "audits")
    history.record(client.sources(refresh=True), when="2026-03-01T09:00")
    client.update_source(made.id, title="Second")
    history.record(client.sources(refresh=True), when="2026-04-01T09:00")
    refresh(tab, client)
    tab_of(tab, "Compare").click()
    compare(tab, "audits")
    expect(explorer(tab)).to_contain_text("0 added, 0 removed, 0 changed, 0 renamed")
    compare(tab, "audits/@2026-03-15")
    expect(explorer(tab)).to_contain_text("0 added, 0 removed, 1 changed, 0 renamed")
    title = explorer(tab).get_by_role("table").get_by_role("row").filter(has_text="snappedtitle")
    expect(title).to_contain_text("FirstSecond")


@ONE_HOST
def test_what_cannot_be_compared_is_said(setup: Setup, tab: Page) -> None:
    tab_of(tab, "Compare").click()
    compare(tab, "")
    expect(alert(explorer(tab), "Type where the other listing is.")).to_be_visible()
    compare(tab, f"{HTML}.csv")
    expect(alert(explorer(tab), f"{HTML.strip()}.csv"[:40])).to_be_visible()
    (setup.host.folder / "page.csv").write_text("<html>")
    compare(tab, "page.csv")
    expect(alert(explorer(tab), "not CSV")).to_be_visible()
    expect(button(explorer(tab), "Compare")).to_be_enabled()


# Charts


def test_each_chart_is_drawn_of_what_is_filtered(setup: Setup, tab: Page) -> None:
    tab_of(tab, "Charts").click()
    for kind in CHARTS:
        field(explorer(tab), "Chart").select_option(kind)
        expect_chart(tab, kind)
    found = holding(setup.client, "inbox")
    field(explorer(tab), "Search").fill("inbox")
    of = f"{CHARTS[-1]}: chart of {len(found)} sources"
    expect(explorer(tab).get_by_role("img", name=of)).to_be_visible()


# Keyboard


@ONE_HOST
def test_keyboard_only(tab: Page) -> None:
    keys = tab.keyboard
    field(explorer(tab), "Search").focus()
    tab_to(tab, tab_of(tab, "Source"))
    keys.press("ArrowRight")
    expect(tab_of(tab, "Audit")).to_be_focused()
    keys.press("Enter")
    rule = field(explorer(tab), "Findings")
    expect(rule).to_be_visible()
    expect(rule.locator("option")).not_to_have_count(1)
    tab_to(tab, rule)
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(table_status(tab)).to_contain_text("only those with ")
    expect(chosen(tab, "Findings")).to_contain_text("warning: ")
    # Letters choose an option and are no commands of the notebook: "a" would add a cell.
    keys.type("all")
    expect(chosen(tab, "Findings")).to_have_text("all sources")
    expect(table_status(tab)).not_to_contain_text("only those with ")
    expect(rule).to_be_focused()
    tab.wait_for_timeout(BREATH)
    tab_to(tab, button(explorer(tab), "Findings as CSV"))
    keys.press("Enter")
    expect(explorer(tab).get_by_text(re.compile("^Download findings-"))).to_be_visible()
    tab_to(tab, tab_of(tab, "Audit"), key="Shift+Tab")
    keys.press("ArrowRight")
    keys.press("Enter")
    place = field(explorer(tab), "With")
    expect(place).to_be_visible()
    tab_to(tab, place)
    keys.press("Control+a")
    keys.type("nowhere.csv")
    tab_to(tab, button(explorer(tab), "Compare"))
    keys.press("Enter")
    expect(alert(explorer(tab), "nowhere.csv")).to_be_visible()
    tab_to(tab, tab_of(tab, "Compare"), key="Shift+Tab")
    keys.press("ArrowRight")
    keys.press("Enter")
    kind = field(explorer(tab), "Chart")
    expect(kind).to_be_visible()
    tab_to(tab, kind)
    keys.press("Home")
    expect_chart(tab, CHARTS[0])
    keys.press("ArrowDown")
    expect_chart(tab, CHARTS[1])


# Safety


@ONE_HOST
def test_what_the_tenant_tells_is_text(setup: Setup, tab: Page) -> None:
    rnb.to_csv(setup.client.sources(refresh=True), setup.host.folder / "hostile.csv")
    setup.client.update_source(HOSTILE[0]["id"], title=f"{HTML}mine")
    watch = Watch()
    watch(tab)
    refresh(tab, setup.client)
    field(explorer(tab), "Search").fill("deadbee")
    expect(rows(tab)).to_have_count(len(HOSTILE))
    open_audit(tab)
    choose(tab, "Findings", "sources with any finding")
    # Until the kernel responds, there are the tables of all findings.
    tables = explorer(tab).get_by_role("table")
    expect(tables).to_have_count(1)
    expect(tables).to_contain_text(HTML[:70])
    watch.expect_text_only(tab)
    tab_of(tab, "Compare").click()
    compare(tab, "hostile.csv")
    expect(tables.filter(has_text=f"{HTML}mine")).to_have_count(1)
    watch.expect_text_only(tab)
    compare(tab, f"{HTML}.csv")
    expect(explorer(tab).get_by_role("alert")).to_contain_text("onerror=")
    watch.expect_text_only(tab)
    tab_of(tab, "Charts").click()
    for kind in CHARTS:
        field(explorer(tab), "Chart").select_option(kind)
        chart = expect_chart(tab, kind)
        # Its texts are outlines, and it has no style that would hold for all of the page.
        expect(chart).to_have_text(re.compile(r"^\s*$"))
        watch.expect_text_only(tab)


# How it looks


@ONE_HOST
def test_axe_widths_and_colours(setup: Setup, tab: Page) -> None:
    rnb.to_csv(setup.client.sources(refresh=True).iloc[5:], setup.host.folder / "less.csv")
    looks = Looks(tab, (1000, 600, 1600), 2600)
    field(explorer(tab), "Search").wait_for()
    open_audit(tab)
    looks.at("audit")
    choose(tab, "Findings", "warning: missing-title")
    button(explorer(tab), "Findings as CSV").click()
    expect(explorer(tab).get_by_text(re.compile("^Download "))).to_be_visible()
    looks.at("a rule and a download")
    tab_of(tab, "Compare").click()
    looks.at("nothing compared")
    compare(tab, "less.csv")
    choose(tab, "Differences", "added")
    looks.at("compared")
    compare(tab, f"{'folder/' * 40}nowhere.csv")
    expect(alert(explorer(tab), "folder/folder")).to_be_visible()
    looks.at("an error")
    tab_of(tab, "Charts").click()
    for kind in CHARTS:
        field(explorer(tab), "Chart").select_option(kind)
        chart = expect_chart(tab, kind)
        looks.expect_to_fit(settled=partial(expect_chart, tab, kind))
        title = chart.locator("g[id^=text_] use").first
        ink = title.evaluate("node => getComputedStyle(node).fill")
        assert ink == chart.evaluate("node => getComputedStyle(node).color")
        assert (brightness(ink) > 128) == (browser.theme_of(tab) == "dark")
        # All charts are pictures, around which nothing else changes.
        if kind == CHARTS[0]:
            looks.at(kind, settled=partial(expect_chart, tab, kind))
    assert looks.flaws == []
