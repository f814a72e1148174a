"""Undo and explorer, in a real browser: a person is quicker than the kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import (
    CONNECT,
    EXPLORE,
    Setup,
    alert,
    button,
    field,
    find,
    form_of,
    pane,
    set_up,
    tab_of,
)

pytestmark = browser.needed()


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    with rnb.sandbox() as client, set_up("lab", tmp_path_factory.mktemp("lab"), client) as setup:
        yield setup


# A kernel that takes its time for each message, as on a busy server far away.
SLOW = """
import time
from ipykernel.comm.comm import BaseComm

def _late(self, msg_type, *arguments, publish=BaseComm.publish_msg, **options):
    time.sleep(0.1 if msg_type == "comm_msg" else 0)
    publish(self, msg_type, *arguments, **options)

BaseComm.publish_msg = _late
"""


def test_case_82_a_click_sends_what_was_typed_before_it(setup: Setup) -> None:
    """B a click right after typing, in a kernel that is slower than a person types: what is sent is
    what was typed.
    """
    client = setup.client
    client.create_source("claims/edited-late", title="Before")
    forms = ("rnb.create_form(client, 'claims')", "rnb.update_form(client, 'claims/edited-late')")
    with setup.host.run(CONNECT, *forms, SLOW, height=2400) as tab:
        form = form_of(tab)
        name = field(form, "Name")
        name.press("l")
        expect(button(form, "Create")).to_be_enabled()
        name.press_sequentially("ate-to-come")
        button(form, "Create").click()
        expect(form).to_contain_text("claims/late-to-come is created")
        # What cannot be sent is not sent in part.
        expect(name).to_have_value("")
        name.press("l")
        expect(button(form, "Create")).to_be_enabled()
        name.press_sequentially("ater still")
        button(form, "Create").click()
        expect(alert(form, "later still").first).to_be_visible()
        expect(button(form, "Create")).to_be_disabled()
        form = form_of(tab, 1)
        field(form, "Title").press("End")
        field(form, "Title").press("!")
        expect(button(form, "Update")).to_be_enabled()
        field(form, "Title").press_sequentially(" and after")
        # By keyboard, too.
        button(form, "Update").press("Enter")
        expect(form).to_contain_text("is updated")
        expect(field(form, "Title")).to_have_value("Before! and after")
    assert client.source("claims/edited-late").title == "Before! and after"
    # A form in the explorer, too.
    with setup.host.run(EXPLORE, SLOW) as tab:
        find(tab, "edited-late").click()
        tab_of(tab, "Edit").click()
        title = field(pane(tab), "Title")
        title.press("End")
        title.press("?")
        expect(button(pane(tab), "Update")).to_be_enabled()
        title.press_sequentially(" and later")
        button(pane(tab), "Update").click()
        expect(pane(tab)).to_contain_text("is updated")
    assert client.source("claims/edited-late").title == "Before! and after? and later"
    names = client.sources("claims", refresh=True)["name"]
    assert [one for one in names if one.startswith("l") and "late" in one] == ["late-to-come"]
