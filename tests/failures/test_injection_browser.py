"""Texts of a tenant in a real browser and on a terminal: shown as text, whatever they hold."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.frames import convert, elements
from tests import browser
from tests.cli.terminals import on_terminal
from tests.widget_pages import (
    BREATH,
    EXPLORE,
    HTML,
    ONE_HOST,
    Setup,
    Watch,
    alert,
    button,
    expect_status,
    explorer,
    field,
    fill,
    find,
    pane,
    set_up,
    tab_of,
)

pytestmark = browser.needed()

# HTML of every kind, Markdown, and characters that colour or reorder what follows them.
EVIL = f"\x1b[35;7mANSI \u202ebidi {HTML}**bold**"
CONTROLS = {"\x1b", "\u202e"}
# As the package shows the first ones.
SEEN = r"\x1b[35;7mANSI \u202ebidi"
HOSTILE = {
    "id": "00000000deadbeef",
    "owner": "hostile",
    "name": "hostile",
    "title": f"{HTML}title",
    "description": f"{HTML}\n\ndescription",
    "_kind": f"{HTML}kind",
    "language": f"{HTML}language",
    "bucket_id": f"{HTML}bucket",
    "email_transform_tag": f"{HTML}tag",
    "sensitive_properties": [f"{HTML}one", f"{HTML}two"],
    f"{HTML}name": {"unknown": f"{HTML}value"},
}
# A project and a name that no request can ask for, and a twin for the audit.
OTHERS = [
    {"id": "00000000deadbee1", "owner": EVIL, "name": EVIL, "title": EVIL, "_kind": EVIL},
    {"id": "00000000deadbee2", "owner": "others", "name": "twin", "title": EVIL},
    {"id": "00000000deadbee3", "owner": "others", "name": "triplet", "title": EVIL},
]


@pytest.fixture(scope="module", params=["lab", "voila"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as sample:
        rows = [*elements.to_elements(sample.sources("claims").head(2)), HOSTILE, *OTHERS]
    data = convert.from_elements(rows).assign(num_comments=1_234)
    with warnings.catch_warnings():
        # The sandbox warns of the name that no request can ask for.
        warnings.simplefilter("ignore")
        box = rnb.sandbox(data)
        client = box.start()
    try:
        with client, set_up(request.param, folder, client) as setup:
            yield setup
    finally:
        box.stop()


# Each cell shows something that holds the texts of the tenant. The last one raises an error.
BEGIN = """
import warnings
import matplotlib.pyplot as plt
import pandas as pd
import reinfer_nb as rnb
from matplotlib.text import Text

warnings.simplefilter("ignore")
# Otherwise pandas has "$x$" in its own table of a frame typeset as a formula.
pd.set_option("display.html.use_mathjax", False)
client = rnb.connect()
df = client.sources()
evil = df.set_index("name").loc["twin", "title"]
history = rnb.History("history")
"""
SHOWN = {
    "source": "client.source('others/twin')",
    "comparison": "rnb.compare(df.assign(title=evil + 'old', **{evil: evil}), df)",
    "report": "rnb.audit(df)",
    "plan": "plan = client.plan(df[df['owner'] == 'others'].assign(description=evil)); plan",
    "progress bar and result": "plan.apply()",
    "problems": "client.plan(df.rename(columns={'title': evil}).assign(language=evil))",
    "snapshots": "history.record(df, when='2026-01-01')\n"
    "history.record(df.assign(title=evil + 'new'), when='2026-01-02')\n"
    "history.compare('2026-01-01', '2026-01-02')",
    "chart": "axes = rnb.charts.projects(df, by='kind')\naxes.figure.canvas.draw()\n"
    "for text in axes.figure.findobj(Text): print(text.get_text())\nplt.show()",
    "create form": "rnb.create_form(client, 'hostile')",
    "update form": "rnb.update_form(client, 'others/triplet')",
    "delete form": "rnb.delete_form(client, 'others/triplet')",
    "explorer": "rnb.explore(client)",
    "frame": "df[df['owner'] != 'claims']",
    "error": "client.create_source('hostile/refused')",
}


@ONE_HOST
def test_case_47_texts_are_shown_as_text(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """B a title, description, owner or error message holding `<script>`, `<img onerror>`,
    `</textarea>`, `javascript:` links, Markdown, ANSI escapes or bidi controls: shown as text in
    every table, form, report, chart, progress bar, `_repr_html_` and on the terminal.
    """
    watch = Watch()
    update = Fault.answer(422, message=EVIL, on="update_source", times=1)
    create = Fault.answer(422, message=EVIL, on="create_source")
    with (
        setup.sandbox.faults.add(update),
        setup.sandbox.faults.add(create),
        setup.host.run(BEGIN, *SHOWN.values(), before=watch, height=12_000) as tab,
    ):
        outputs = {
            what: tab.locator(".jp-Cell").nth(number).locator(".jp-Cell-outputWrapper")
            for number, what in enumerate(SHOWN, start=1)
        }
        _check_widgets(tab, outputs, setup)
        tab.evaluate(
            "document.querySelectorAll('.jp-OutputArea details').forEach(d => d.open = true)"
        )
        watch.expect_text_only(tab)
        for what, output in outputs.items():
            shown = output.inner_text()
            # Long texts are shortened in some places.
            assert "</textarea><im" in shown, what
            # A frame is shown by pandas.
            assert what == "frame" or (SEEN[:10] in shown and not CONTROLS & set(shown)), what
        for what in ("source", "comparison", "plan", "update form", "delete form", "error"):
            assert f"{SEEN} {HTML}**bold**" in outputs[what].inner_text(), what
        expect(outputs["chart"].locator("img")).to_have_count(1)
        expect(outputs["progress bar and result"]).to_contain_text("2/2")
    _check_terminal(setup, monkeypatch, tmp_path)


def _check_widgets(tab: Page, outputs: dict[str, Locator], setup: Setup) -> None:
    """Show all texts that the forms and the explorer show after some steps."""
    form = outputs["create form"]
    fill(form, {"Name": "new", "Title": EVIL})
    tab.wait_for_timeout(BREATH)
    button(form, "Create").click()
    expect(alert(form, SEEN).first).to_be_visible()
    form = outputs["update form"]
    fill(form, {"Title": f"{EVIL}mine"})
    setup.client.update_source("others/triplet", title=f"{EVIL}theirs")
    button(form, "Update").click()
    expect(alert(form, "Nothing was written")).to_be_visible()
    form = outputs["delete form"]
    fill(form, {"Full name": "others/triplet"})
    tab.wait_for_timeout(BREATH)
    button(form, "Delete").click()
    expect(form.get_by_role("table")).to_contain_text(f"{SEEN} {HTML}**bold**theirs")
    field(outputs["explorer"], "Search").fill("others")
    expect(outputs["explorer"].get_by_role("grid", name="Sources")).to_contain_text(SEEN)


def _check_terminal(setup: Setup, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", setup.client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", setup.sandbox.tokens["admin"])
    monkeypatch.chdir(folder)
    df = setup.client.sources(refresh=True)
    rnb.to_csv(df.assign(title=f"{EVIL}old"), "old.csv")
    for command in ("list --project others", "audit", "compare old.csv", "plan old.csv"):
        _, printed = on_terminal(command.split(), width=300)
        assert SEEN in printed, command
        # The colours of the package itself are others.
        assert "\x1b[35;7m" not in printed, command
        assert "\u202e" not in printed, command
    with (
        setup.sandbox.faults.add(Fault.answer(422, message=EVIL, on="create_source")),
        pytest.raises(rnb.ValidationFailed) as caught,
    ):
        setup.client.create_source("hostile/refused")
    for text in (str(caught.value), repr(setup.client.source("others/twin"))):
        assert HTML.strip() in text
        assert not CONTROLS & set(text)


def test_case_47_the_tabs_of_a_source_show_text(setup: Setup) -> None:
    """Each tab of the explorer shows the texts of a source, also beside those of a conflict."""
    watch = Watch()
    with setup.host.run(EXPLORE, before=watch) as tab:
        expect(explorer(tab)).to_contain_text("Select a source in the table to see it here.")
        row = find(tab, "hostile")
        expect(row).to_contain_text(f"{HTML}title")
        row.click()
        facts = pane(tab).get_by_role("table")
        for key, value in HOSTILE.items():
            for text in value if isinstance(value, list) else [str(value)]:
                if key in {"description", f"{HTML}name"}:
                    expect(facts).to_contain_text(HTML.strip())
                else:
                    expect(facts).to_contain_text(text)
        watch.expect_text_only(tab)
        tab_of(tab, "JSON").click()
        told_json = json.loads(pane(tab).locator("pre").inner_text())
        assert HOSTILE.items() <= told_json.items()
        watch.expect_text_only(tab)
        tab_of(tab, "Edit").click()
        edit = pane(tab)
        expect(field(edit, "Title")).to_have_value(f"{HTML}title")
        expect(field(edit, "Kind")).to_have_value(f"{HTML}kind")
        expect(field(edit, "Description")).to_have_value(str(HOSTILE["description"]))
        expect(field(edit, "Sensitive properties")).to_have_value(f"{HTML}one\n{HTML}two")
        field(edit, "Title").fill(f"{HTML}mine")
        expect(edit.get_by_role("table")).to_contain_text(f"{HTML}mine")
        watch.expect_text_only(tab)
        setup.client.update_source("hostile/hostile", title=f"{HTML}theirs")
        button(explorer(tab), "Update").click()
        expect(edit.get_by_role("table")).to_contain_text(f"{HTML}theirs")
        watch.expect_text_only(tab)
        tab_of(tab, "Delete").click()
        expect(edit).to_contain_text("1,234 comments would be deleted with it")
        button(explorer(tab), "Count comments").click()
        expect_status(tab, "1,234 comments in 1 source.")
        watch.expect_text_only(tab)
