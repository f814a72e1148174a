"""Failures that were found from outside, each of which went wrong once: those in a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

import reinfer_nb as rnb
from tests import browser
from tests.scripted import Asked, Scripted, Step, reply
from tests.test_markup import Parsed
from tests.test_visible import check, element, nasty
from tests.test_visible import tenant as nasty_tenant
from tests.waiting import AGES
from tests.widget_pages import (
    BREATH,
    EXPLORE,
    HTML,
    ONE_HOST,
    Setup,
    Watch,
    button,
    expect_status,
    explorer,
    field,
    find,
    pane,
    set_up,
    settle,
    tab_of,
    table_status,
)
from tests.widgets.test_hosts import outputs

pytestmark = browser.needed()

NAME = "claims/motor-inbox"
ALL_OF_THEM = re.compile(r"^(\d+) of \1 sources")


@pytest.fixture(scope="module", params=["lab", "notebook"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as client, set_up(request.param, folder, client) as setup:
        yield setup


# 70: widgets that were closed, and kernels that were restarted

# Runs code in the kernel of the notebook that a page shows, and waits for its end.
EXECUTE = """async (code) => {
  const panels = [...jupyterapp.shell.widgets("main")];
  const { kernel } = panels.find((panel) => panel.sessionContext).sessionContext.session;
  await kernel.requestExecute({ code, store_history: false }).done;
}"""
# True once the kernel has been restarted.
RESTARTED = """() => {
  const panels = [...jupyterapp.shell.widgets("main")];
  const { session } = panels.find((panel) => panel.sessionContext).sessionContext;
  return session.kernel?.status === "idle" && session.kernel.connectionStatus === "connected";
}"""
BEGIN = """
import gc, ipywidgets as ui, json, pathlib
from ipywidgets.widgets import widget

def objects():
    gc.collect()
    return len(gc.get_objects())

opened = set(widget._instances)
"""
END = """
left = [type(widget._instances[one]).__name__ for one in set(widget._instances) - opened]
pathlib.Path("left.json").write_text(json.dumps([left, objects() - before]))
ui.Widget.close_all()
"""
# How often explorers are opened; a hundred times is for a test without a browser.
TIMES = 8


def restart_kernel(tab: Page) -> None:
    """Restart the kernel by the menu, and expect the explorer to say so."""
    tab.get_by_role("menuitem", name="Kernel", exact=True).click()
    tab.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    tab.locator(".jp-Dialog .jp-mod-accept").click()
    told = explorer(tab).get_by_role("alert").filter(has_text="Run the cell again")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("kernel was restarted")
    # Nothing else takes input any more.
    search = explorer(tab).locator("input").first
    assert search.evaluate("node => node.closest('[inert]') !== null")
    # A server that is stopped while a kernel restarts would never end.
    tab.wait_for_function(RESTARTED, timeout=60_000)


@ONE_HOST
def test_case_70_closed_widgets_and_a_restarted_kernel(setup: Setup) -> None:
    """B widgets closed by `Widget.close_all()`, explorers opened and closed a hundred times: later
    ones work, memory is flat; a kernel restarted under an explorer is said.
    """
    form_cell = "rnb.create_form(client, 'claims')"
    # The page is not used again.
    with setup.host.run(EXPLORE, form_cell, fresh=True) as tab:
        expect(table_status(tab)).to_contain_text(ALL_OF_THEM)
        tab.evaluate(EXECUTE, BEGIN)
        for number in range(TIMES):
            tab.evaluate(
                EXECUTE, f"one = rnb.explore(client)\none.details.show(client.source({NAME!r}))"
            )
            tab.evaluate(EXECUTE, "one.close()")
            if number == 2:
                tab.evaluate(EXECUTE, "before = objects()")
        tab.evaluate(EXECUTE, END)
        left, grown = json.loads((setup.host.folder / "left.json").read_text())
        assert left == []
        # One explorer has more than a thousand objects of Python.
        assert grown < 3_000
        # Widgets that are opened after the others were closed.
        assert tab.evaluate(browser.RUN_ALL)
        expect(table_status(tab)).to_contain_text(ALL_OF_THEM)
        settle(tab)
        row = find(tab, "motor-postfach")
        row.click()
        expect(row).to_have_attribute("aria-selected", "true")
        expect(explorer(tab).locator(".rnb-details")).to_contain_text("claims/motor-postfach")
        form = tab.locator(".jp-OutputArea-output").nth(1)
        name = f"after-{setup.host.kind}"
        field(form, "Name").fill(name)
        button(form, "Create").click()
        expect(form.get_by_role("status")).to_contain_text(f"claims/{name} is created")
        restart_kernel(tab)


# 71: keys, and what is looked at

FORMS = (
    "rnb.create_form(client)",
    f"rnb.update_form(client, '{NAME}')",
    f"rnb.delete_form(client, '{NAME}')",
    "rnb.login()",
)
CONTROLS = "input, select, textarea, button, summary, [tabindex='0'], [role=tab], a[href]"


def cells(tab: Page) -> Locator:
    return tab.locator(".jp-Notebook .jp-Cell")


# Marks the controls that can be used and were not typed on before.
MARK = """(place, controls) => {
  for (const node of place.querySelectorAll(controls))
    if (node.checkVisibility() && !node.disabled && !node.dataset.typed) node.dataset.typed = "now";
}"""


def type_on_controls(tab: Page, place: Locator, number: int) -> int:
    """Type keys that are commands of a notebook on each control in a place; return how many."""
    place.evaluate(MARK, CONTROLS)
    controls = place.locator("[data-typed=now]").element_handles()
    for control in controls:
        control.evaluate("node => { node.focus(); node.dataset.typed = 'before'; }")
        # Two cells more, and one fewer.
        tab.keyboard.type("ddbb")
    assert cells(tab).count() == number
    return len(controls)


def show_new(tab: Page) -> Locator:
    button(explorer(tab), "New source").click()
    return explorer(tab).locator(".rnb-new")


def expect_looked_at(tab: Page, full_name: str, source_id: str, *, deleted: bool = False) -> None:
    """Expect that each tab of the current source shows a source."""
    details = explorer(tab).locator(".rnb-details")
    expect(details).to_contain_text(full_name)
    for name in ("Fields", "JSON"):
        tab_of(tab, name).click()
        expect(pane(tab)).to_contain_text(source_id)
    tab_of(tab, "Edit").click()
    if deleted:
        expect(pane(tab)).to_contain_text("restore it first")
        expect(pane(tab).get_by_role("textbox")).to_have_count(0)
    else:
        expect(field(pane(tab), "Title")).to_have_value(f"Title of {full_name}")
    tab_of(tab, "Comments").click()
    tab_of(tab, "Delete").click()
    if not deleted:
        expect(field(pane(tab), "Full name")).to_be_visible()
        expect(pane(tab)).to_contain_text(full_name)
        expect(button(pane(tab), "Restore")).to_have_count(0)


@ONE_HOST
def test_case_71_keys_and_tabs(setup: Setup) -> None:
    """B keys typed on any control of an explorer or form never reach the notebook; after delete,
    restore and create every tab shows what is looked at now.
    """
    client, full_name = setup.client, f"claims/keys-{setup.host.kind}"
    with setup.host.run(EXPLORE, *FORMS) as tab:
        expect(table_status(tab)).to_contain_text(" sources")
        settle(tab)
        number = cells(tab).count()
        new = show_new(tab)
        expect(field(new, "Project")).to_be_focused()
        tab.keyboard.press("Tab")
        expect(field(new, "Name")).to_be_focused()
        # Created: each tab shows the new source.
        field(new, "Project").fill("claims")
        field(new, "Name").fill(full_name.partition("/")[2])
        field(new, "Title").fill(f"Title of {full_name}")
        button(new, "Create").click()
        expect_status(tab, f"{full_name} is created")
        made = client.source(full_name)
        expect_looked_at(tab, full_name, made.id)
        # Deleted.
        field(pane(tab), "Full name").fill(full_name)
        button(pane(tab), "Delete").click()
        expect_status(tab, f"{full_name} is deleted")
        expect_looked_at(tab, full_name, made.id, deleted=True)
        # Restored.
        tab.wait_for_timeout(BREATH)
        button(explorer(tab), "Restore").click()
        expect_status(tab, "under the new id")
        back = client.source(full_name)
        assert back.id != made.id
        expect_looked_at(tab, full_name, back.id)
        # Keys on every control in every tab.
        typed = 0
        for name in ("Audit", "Compare", "Charts", "Bulk edit", "Source"):
            tab_of(tab, name).click()
            box = explorer(tab).locator(".jupyter-widget-tab").first
            typed += type_on_controls(tab, box, number)
        for name in ("Fields", "JSON", "Comments", "Edit", "Delete"):
            tab_of(tab, name).click()
            typed += type_on_controls(tab, pane(tab), number)
        typed += type_on_controls(tab, explorer(tab), number)
        for form in tab.locator(".jp-OutputArea-output").all()[1:]:
            typed += type_on_controls(tab, form, number)
        assert typed > 80
        # A click beside the fields takes the focus to no cell, either.
        explorer(tab).locator(".rnb-foot").click()
        for key in "ddxa":
            tab.keyboard.press(key)
        expect(cells(tab)).to_have_count(number)
        expect(tab.locator(".jp-Notebook .jp-MarkdownCell")).to_have_count(0)
        expect(table_status(tab)).to_be_visible()
        # Other keys still do what they do: arrows go from tab to tab.
        tab_of(tab, "Source").focus()
        tab.keyboard.press("ArrowRight")
        expect(tab_of(tab, "Audit")).to_be_focused()
    assert client.source(full_name).title == f"Title of {full_name}"


# 72: reports everywhere

# The reports of a listing with columns of every dtype backend, and how they are made.
REPORTS = """
import warnings

warnings.simplefilter("ignore")
import pandas as pd
import reinfer_nb as rnb

client = rnb.connect(endpoint={endpoint!r}, token="a-token")
listing = client.sources()
listings = [
    listing,
    listing.convert_dtypes(dtype_backend="numpy_nullable"),
    listing.convert_dtypes(dtype_backend="pyarrow"),
    listing.astype(object),
    listing.astype(dict.fromkeys(["id", "owner", "name", "title", "language"], "category")),
]
# Fields with nasty names are on one side of the comparison only.
after = listing.drop(columns=[name for name in listing if "<img" in name])
after["title"] = ["first title", "second title"]

def reports(df):
    edited = df.assign(title=["third title", "fourth title"])
    return [rnb.audit(df), rnb.compare(df, after), client.plan(edited.iloc[1:])]
"""
TAGS = f"{HTML}field"


def tenant(asked: Asked) -> bytes:
    """Return the response of a tenant whose fields have nasty names: ANSI, bidi and tags."""
    if asked.path.endswith("/sources") and asked.method == "GET":
        plain = {"id": "28ba5ce699f8da1f", "owner": "acme", "name": "plain", "title": "Plain"}
        more: dict[str, Any] = {TAGS: nasty("value"), nasty(TAGS): {nasty(TAGS): [TAGS]}}
        times = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
        sources = [element(**more, **times), {**element(**more, **times), **plain}]
        return reply({"status": "ok", "sources": sources})
    return nasty_tenant(asked)


def expect_inert(html: str) -> None:
    """Expect the text of reports in HTML: nothing hidden, and no element of the tenant."""
    check(html)
    parsed = Parsed(html)
    assert not {"img", "script"} & set(parsed.names)
    # The package itself may use "b".
    assert "<b>bold" not in html


def in_marimo(folder: Path, code: str) -> list[str]:
    """Return the reports as marimo shows them, each in a cell."""
    shown = [f"reports(listings[{df}])[{report}]" for df in range(5) for report in range(3)]
    lines = "\n".join(f"    {line}" if line else "" for line in code.splitlines())
    text = f"import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n{lines}\n"
    text += "    return listings, reports\n" + "".join(
        f"\n@app.cell\ndef _(listings, reports):\n    {cell}\n    return\n" for cell in shown
    )
    (folder / "tried.py").write_text(text)
    command = [sys.executable, "-m", "marimo", "export", "html", "tried.py", "-o", "tried.html"]
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        check=True,
        timeout=3 * AGES,
    )
    found = outputs((folder / "tried.html").read_text())[1:]
    assert [kind for kind, _ in found] == ["text/html"] * len(shown)
    return [content for _, content in found]


def test_case_72_reports_everywhere(setup: Setup, tmp_path: Path) -> None:
    """reports shown in JupyterLab, Notebook 7, marimo, a terminal, for frames of every dtype
    backend; names of fields from the tenant with ANSI, bidi, tags: text, visible, inert.
    """
    watch = Watch()
    with Scripted(Step(tenant), repeat=True) as server:
        code = REPORTS.format(endpoint=server.endpoint)
        shows = [f"display(*reports(listings[{number}]))" for number in range(5)]
        with setup.host.run(code, *shows, before=watch, fresh=True) as tab:
            reports = tab.locator(".jp-OutputArea-output")
            expect(reports).to_have_count(15)
            tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            for report in reports.all():
                expect(report.locator("table").first).to_be_visible()
                check(report.inner_text())
            # Comparisons and plans name the fields that are not of a source.
            for number, title in product(range(5), ["second title", "fourth title"]):
                report = reports.nth(3 * number + (1 if title == "second title" else 2))
                expect(report).to_contain_text(title)
                expect(report).to_contain_text("</textarea><img src=x")
            watch.expect_text_only(tab)
        if setup.host.kind == "lab":
            for number, html in enumerate(in_marimo(tmp_path, code)):
                expect_inert(html)
                assert number % 3 == 0 or "&lt;img src=x" in html
            script = f"{code}\nfor df in listings:\n    print(*reports(df), sep='\\n')\n"
            ended = subprocess.run(
                [sys.executable, "-c", script], capture_output=True, timeout=AGES, check=True
            )
            printed = ended.stdout.decode()
            check(printed)
            assert printed.count("second title") == printed.count("fourth title") == 5
            assert printed.count("</textarea><img src=x") >= 10
            assert ended.stderr == b""
