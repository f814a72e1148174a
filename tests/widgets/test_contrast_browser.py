"""Enough contrast on light and dark hosts that do not define JupyterLab's colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

import reinfer_nb as rnb
from reinfer_nb import markup
from reinfer_nb.text import visible
from reinfer_nb.widgets.explorer.chart_tab import drawing
from reinfer_nb.widgets.forms.edit_form import tag_line
from reinfer_nb.widgets.table.source_table import Finder
from tests import browser

pytestmark = browser.needed()

PACKAGE = Path(rnb.__file__).parent
TABLE = PACKAGE / "widgets" / "table"
# The default colours of hosts: background and text.
HOSTS = {
    "plain": ("#ffffff", "#000000"),
    "VS Code, light": ("#ffffff", "#3b3b3b"),
    "VS Code, dark": ("#1e1e1e", "#cccccc"),
    "Colab, dark": ("#383838", "#d5d5d5"),
    "marimo, dark": ("#181c1a", "oklch(0.95 0.005 150)"),
    "black": ("#000000", "#ffffff"),
}
# A model as anywidget passes it to a script.
MODEL = """
(state) => {
  const heard = [];
  window.sent = [];
  window.tell = (message) => heard.forEach((function_) => function_(message, []));
  window.model = {
    get: (name) => state[name], set() {}, save_changes() {}, off() {},
    on: (event, function_) => { if (event === "msg:custom") heard.push(function_); },
    send: (message) => window.sent.push(message),
  };
}
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser.page() as page:
        yield page


def open_host(tab: Page, host: str, content: str = "") -> None:
    ground, text = HOSTS[host]
    tab.set_content(
        f"<!DOCTYPE html><html lang=en><title>x</title><body style='background:{ground};"
        f"color:{text};font:13px sans-serif'><main>{content}</main></body></html>"
    )


def pale(tab: Page) -> list[str]:
    """Return the elements with too little contrast, or with a contrast that axe cannot tell."""
    found = browser.axe_results(tab, "violations", "incomplete", rules=["color-contrast"])
    return [
        f"{node['html'][:90]}: {node['any'][0]['data'].get('contrastRatio')}"
        for kind, flaws in found.items()
        for flaw in flaws
        for node in flaw["nodes"]
        # The background of elements that are scrolled out of sight is unknown.
        if not (kind == "incomplete" and node["any"][0]["data"].get("messageKey") == "bgOverlap")
    ]


@pytest.fixture(scope="module")
def reports(shared: rnb.Client) -> str:
    """The HTML of reports, the same on all hosts."""
    df = shared.sources()
    edited = df.iloc[:-3].assign(title="Another title")
    plan = shared.plan(edited, delete_missing=True)
    shown = [
        markup.muted("what stands back"),
        markup.error("what is wrong"),
        markup.status("what happened"),
        markup.progress("Listing", 3, 10),
        markup.code('{"a": 1}'),
        markup.table(("a", "b"), [["1", markup.removed("x")], ["2", markup.added("y")]], "c"),
        tag_line(shared.source("claims/motor-inbox")),
        rnb.audit(df).to_html(3),
        rnb.compare(df, edited).to_html(3),
        plan.to_html(3),
        shared.source("claims/motor-inbox")._repr_html_(),
        drawing("Projects by kind", df),
    ]
    return "".join(shown)


# Elements with a flaw, by the rule of axe that finds it.
FLAWS = {
    "color-contrast": "<p style='color:#bbb;background:#fff'>pale</p>",
    "label": "<input type=text>",
    "button-name": "<button></button>",
    "select-name": "<select><option>a</option></select>",
    "image-alt": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "aria-required-children": "<div role=grid><p>no row</p></div>",
    "aria-valid-attr-value": "<div role=checkbox tabindex=0 aria-checked=odd>box</div>",
    "link-name": "<a href='x.html'></a>",
    "nested-interactive": "<div role=button tabindex=0>a <button>b</button></div>",
    "scrollable-region-focusable": "<div style='height:40px;width:90px;overflow:auto'>"
    "<p style='width:900px'>wide</p><p>first</p><p>out of sight</p></div>",
}


def test_axe_finds_each_kind_of_flaw_and_each_place_of_it(tab: Page) -> None:
    order = "<button>in order</button><p>in order</p>" * 30
    content = "".join(f"<section>{flaw * 2}</section>" for flaw in FLAWS.values())
    open_host(tab, "plain", f"<div>{content}</div>{order}")
    found = browser.axe(tab, "main > div")
    places = {flaw["id"]: len(flaw["nodes"]) for flaw in found}
    # axe ignores elements outside the selector.
    assert browser.axe(tab, "main > button") == []
    assert {rule for rule in FLAWS if places.get(rule, 0) < 2} == set(), places


@pytest.mark.parametrize("host", HOSTS)
def test_reports_can_be_read(tab: Page, reports: str, host: str) -> None:
    open_host(tab, host, reports)
    tab.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true })")
    assert pale(tab) == []


@pytest.mark.parametrize("host", HOSTS)
def test_the_table_can_be_read(
    tab: Page, shared: rnb.Client, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(shared.sources())
    sent: list[Any] = []
    monkeypatch.setattr(finder, "send", lambda content, *_: sent.append(content))
    finder.select([1, 2])
    finder._on_message(finder, {"kind": "open"}, [])
    open_host(tab, host)
    tab.add_style_tag(path=str(TABLE / "source_table.css"))
    tab.evaluate(MODEL, {"height": 240, "listed_at": finder.listed_at})
    show(tab, *(TABLE / name for name in ("elements.js", "menu.js", "source_table.js")))
    tab.evaluate("(message) => tell(message)", json.loads(json.dumps(sent[-1])))
    tab.locator(".rnb-body [role=row]").first.wait_for()
    assert pale(tab) == []


def show(tab: Page, *scripts: Path) -> None:
    tab.evaluate(
        """async (text) => {
          const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { default: widget } = await import(url);
          const made = typeof widget === "function" ? await widget() : widget;
          await made.render({ model: window.model, el: document.querySelector("main") });
        }""",
        "\n".join(script.read_text() for script in scripts),
    )


@pytest.mark.parametrize("host", HOSTS)
def test_the_download_can_be_read_and_goes_nowhere(tab: Page, host: str) -> None:
    open_host(tab, host, "<div style='height:3000px'></div>")
    tab.evaluate(MODEL, {"name": "sources.csv"})
    show(tab, PACKAGE / "widgets" / "explorer" / "download_link.js")
    download = tab.get_by_text("Download sources.csv")
    download.scroll_into_view_if_needed()
    place = tab.evaluate("scrollY")
    assert place > 1000
    assert pale(tab) == []
    download.focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("sent") == [{"piece": 0}]
    assert tab.evaluate("[scrollY, location.hash]") == [place, ""]


def test_no_script_or_markup_has_a_link_to_nowhere() -> None:
    for path in (*PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.py")):
        text = path.read_text()
        assert 'href = "#"' not in text, path
        assert 'href="#"' not in text, path


def test_what_the_browser_calls_ignorable_is_made_visible(tab: Page) -> None:
    codes: list[int] = tab.evaluate(
        r"""() => {
          const hidden = /^[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Zl}\p{Zp}]$/u;
          const found = [];
          for (let code = 0; code < 0x110000; code++) {
            if (hidden.test(String.fromCodePoint(code))) found.push(code);
          }
          return found;
        }"""
    )
    assert len(codes) > 4000
    assert [hex(code) for code in codes if visible(f"a{chr(code)}b") == f"a{chr(code)}b"] == []
