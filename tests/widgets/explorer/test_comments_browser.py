"""The comments of a source in the explorer in JupyterLab: seen, searched, opened, archived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

import reinfer_nb as rnb
from tests import browser
from tests.api.test_contents import tenant_of
from tests.comments.test_archives import everything, lines
from tests.server.test_comments import new
from tests.widget_pages import (
    EXPLORE,
    HTML,
    Looks,
    Setup,
    button,
    expect_status,
    explorer,
    field,
    find,
    pane,
    rows,
    set_up,
    settle,
    tab_of,
)

pytestmark = browser.needed()
NAME = "claims/hostile"


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    with rnb.sandbox() as client:
        client.create_source(NAME)
        body = {"text": f"{HTML}body", "text_markup": f"{HTML}markup"}
        messages = [{"body": body, "subject": {"text": f"{HTML}subject"}, "from": f"{HTML}sender"}]
        hostile = {**new(f"{HTML}id", "2026-11-01T09:00:00Z"), "messages": messages}
        plain = [new(f"plain-{n}", f"2026-0{n + 1}-01T09:00:00Z") for n in range(4)]
        assert tenant_of(client).sync(hostile, *plain, name=NAME).status_code == 200
        with set_up("lab", tmp_path_factory.mktemp("lab"), client) as setup:
            yield setup


def test_comments_are_seen_searched_opened_and_archived(setup: Setup) -> None:
    with setup.host.run(EXPLORE, height=2400) as tab:
        settle(tab)
        find(tab, "hostile")
        rows(tab).first.click()
        tab_of(tab, "Comments").click()
        expect(pane(tab)).to_contain_text("5 comments in 24 months; newest 2026-11-01")
        expect(pane(tab).get_by_role("img")).to_be_visible()
        # By keyboard: a comment in full, as text.
        opener = pane(tab).get_by_role("button", name="2026-11-01 09:00")
        opener.focus()
        tab.keyboard.press("Enter")
        for part in ("body", "subject", "sender", "id"):
            expect(pane(tab)).to_contain_text(f"{HTML}{part}")
        expect(pane(tab)).not_to_contain_text(f"{HTML}markup")
        assert pane(tab).locator("img, script").count() == 0
        looks = Looks(tab, (1600, 1000, 600), 2400)
        looks.at("a comment")
        field(pane(tab), "Search in these comments").fill("SUBJECT")
        tab.keyboard.press("Tab")
        expect(pane(tab)).to_contain_text("1 of 5: only those with this text.")
        button(pane(tab), "Archive comments").click()
        link = pane(tab).get_by_text(re.compile("^Download claims-hostile-"))
        expect(link).to_be_visible()
        expect(pane(tab)).to_contain_text("does not hold the content of attachments")
        archives: list[Path] = sorted(setup.host.folder.rglob("claims-hostile-*.jsonl.gz"))
        assert lines(archives[-1]) == everything(setup.client, NAME)
        # The newest comment and the last months of the shown sources, in the table.
        button(explorer(tab), "Show activity").click()
        expect_status(tab, "5 comments in 1 source.")
        expect(rows(tab).first).to_contain_text("2026-11-01 09:00")
        expect(rows(tab).first).to_contain_text(re.compile("[▁▂▃▄▅▆▇█]{13}"))
    assert looks.flaws == []
