"""The forms in a real JupyterLab, in Voilà, and in a real browser: what was typed is never lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import reinfer_nb as rnb
from reinfer_nb.server.store import Store
from tests import browser
from tests.waiting import AGES
from tests.widget_pages import (
    BREATH,
    CONNECT,
    HTML,
    Setup,
    Watch,
    alert,
    button,
    expect_beneath,
    expect_held,
    field,
    fill,
    form_of,
    set_up,
)

pytestmark = browser.needed()


# The hosts show the same forms, so one is enough.
@pytest.fixture(scope="module", params=["lab"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as client, set_up(request.param, folder, client) as setup:
        yield setup


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event that all writes of the tenant wait for."""
    gate = threading.Event()

    def waiting(write: Any) -> Any:
        def wait_and_write(*arguments: Any) -> Any:
            assert gate.wait(AGES)
            return write(*arguments)

        return wait_and_write

    for name in ("create", "update", "delete"):
        monkeypatch.setattr(Store, name, waiting(getattr(Store, name)))
    yield gate
    gate.set()


def test_case_30_an_update_form_shows_both_versions(setup: Setup, gate: threading.Event) -> None:
    """A form that was opened before a change of somebody else asks what to keep, and writes it."""
    gate.set()
    name = "claims/contested"
    settings = {"title": "T", "description": "D", "email_transform_version": 1, "kind": "call"}
    made = setup.client.create_source(name, **settings)  # type: ignore[arg-type]
    watch = Watch()
    with setup.host.run(CONNECT, "rnb.update_form(client)", before=watch) as tab:
        form = form_of(tab)
        # Suggested by a part of its name.
        field(form, "Source").fill("contest")
        expect(form.locator(f"datalist option[value='{name}']")).to_have_count(1)
        fill(form, {"Source": name})
        button(form, "Open").click()
        expect(field(form, "Title")).to_have_value("T")
        expect(button(form, "Update")).to_be_disabled()
        fill(
            form,
            {
                "Title": "My title",
                "Description": "My description",
                "Email transform version": "2",
                "Sensitive properties": "mine",
            },
        )
        changes = form.get_by_role("table").filter(has_text="Would change")
        expect(changes).to_contain_text("My title")
        theirs = setup.client.update_source(
            name,
            title=f"{HTML}theirs",
            description="Their description",
            email_transform_version=3,
            kind="chat",
        )
        before = setup.writes(name)
        button(form, "Update").dblclick()
        expect(alert(form, "Nothing was written")).to_be_visible()
        assert setup.client.source(name) == theirs
        assert setup.writes(name) == before
        watch.expect_text_only(tab)
        row = form.get_by_role("row").filter(has=tab.get_by_role("rowheader", name="Title"))
        expect(row.get_by_role("cell")).to_have_text(
            ["T", "My title", f"{HTML}theirs", "choose below"]
        )
        # A choice for each field that both sides have changed.
        go_on = form.get_by_role("button", name="Continue")
        for group, choice in (
            ("Title", "Keep mine"),
            ("Description", "Take theirs"),
            ("Email transform version", "Edit"),
        ):
            expect(go_on).to_be_disabled()
            radios = form.locator(".widget-radio").filter(has_text=group)
            radios.get_by_label(choice, exact=True).check()
        expect(form.locator(".widget-radio")).to_have_count(3)
        version = form.get_by_role("textbox", name="Email transform version")
        expect(version).to_have_value("2")
        version.fill("four")
        expect(go_on).to_be_disabled()
        version.fill("4")
        go_on.click()
        # Back in the form, with nothing written yet.
        expect_held(
            form,
            {
                "Title": "My title",
                "Description": "Their description",
                "Email transform version": "4",
                "Sensitive properties": "mine",
                "Kind": "chat",
            },
        )
        assert setup.client.source(name) == theirs
        watch.expect_text_only(tab)
        button(form, "Show code").click()
        expect(form.locator("pre")).to_have_text(
            f"client.update_source(\n    '{name}',\n    title='My title',\n"
            "    sensitive_properties=['mine'],\n    email_transform_version=4,\n)"
        )
        gate.clear()
        tab.wait_for_timeout(BREATH)
        button(form, "Update").dblclick()
        expect(form.get_by_role("progressbar")).to_be_visible()
        expect(button(form, "Update")).to_be_disabled()
        gate.set()
        expect(form.get_by_role("status")).to_contain_text(f"{name} is updated")
        expect(button(form, "Update")).to_be_disabled()
        # A double click and a fast response.
        fill(form, {"Title": "My second title"})
        tab.wait_for_timeout(BREATH)
        button(form, "Update").dblclick()
        expect(form.get_by_role("status")).to_contain_text("is updated: title.")
        tab.wait_for_timeout(300)
        assert len(setup.writes(name)) == len(before) + 2
    now = setup.client.source(name)
    assert now.id == made.id
    assert (now.title, now.description, now.kind) == (
        "My second title",
        "Their description",
        "chat",
    )
    assert (now.email_transform_version, now.sensitive_properties) == (4, ("mine",))


def test_case_37_a_delete_form_needs_the_full_name(setup: Setup, gate: threading.Event) -> None:
    """B the delete form's button stays off until the full name is typed; a double click sends one
    request.
    """
    gate.set()
    name = "claims/doomed"
    made = setup.client.create_source(name, title=f"{HTML}doomed", kind="chat")
    watch = Watch()
    with setup.host.run(CONNECT, f"rnb.delete_form(client, '{name}')", before=watch) as tab:
        form = form_of(tab)
        delete, typed = button(form, "Delete"), field(form, "Full name")
        expect(alert(form, "0 comments would be deleted with it")).to_be_visible()
        for text in ("doomed", "claims/", "claims/doome", "claims/doomed ", "Claims/doomed"):
            typed.fill(text)
            expect(typed).to_have_value(text)
            tab.wait_for_timeout(100)
            expect(delete).to_be_disabled()
        typed.fill(name)
        expect(delete).to_be_enabled()
        # Somebody else has changed it meanwhile.
        theirs = setup.client.update_source(name, title=f"{HTML}theirs")
        delete.click()
        expect(alert(form, "Nothing was written")).to_be_visible()
        expect(form.get_by_role("table")).to_contain_text(f"{HTML}theirs")
        watch.expect_text_only(tab)
        assert setup.client.source(name) == theirs
        form.get_by_role("button", name="Take theirs: do not delete it").click()
        tab.wait_for_timeout(BREATH)
        expect(typed).to_have_value("")
        expect(delete).to_be_disabled()
        typed.fill(name)
        expect(delete).to_be_enabled()
        gate.clear()
        delete.dblclick()
        expect(form.get_by_role("progressbar")).to_be_visible()
        expect(delete).to_be_disabled()
        gate.set()
        status = form.get_by_role("status")
        expect(status).to_contain_text(f"{name} is deleted with 0 comments. Its settings are in /")
        with pytest.raises(rnb.NotFound):
            setup.client.source(name)
        path = Path(status.inner_text().split("Its settings are in ")[1])
        assert path.is_relative_to(setup.host.folder / "state")
        assert made.id in path.read_text()
        watch.expect_text_only(tab)
        # Restored, also with a double click.
        gate.clear()
        tab.wait_for_timeout(BREATH)
        button(form, "Restore").dblclick()
        expect(button(form, "Restore")).to_be_disabled()
        gate.set()
        expect(status).to_contain_text("was recreated with its settings, under the new id")
        back = setup.client.source(name)
        expect(status).to_contain_text(back.id)
        watch.expect_text_only(tab)
        methods = [r.method for r in setup.writes("claims/doomed")]
        deletes = [r for r in setup.writes(made.id) if r.method == "DELETE"]
        assert methods == ["PUT", "POST", "PUT"]
        assert len(deletes) == 1
    assert back.id != made.id
    assert (back.title, back.kind) == (theirs.title, "chat")


def test_case_38_a_refused_create_keeps_what_was_typed(setup: Setup, gate: threading.Event) -> None:
    """B a form whose request fails keeps everything the user typed and shows the message beside the
    field it is about.
    """
    watch = Watch()
    with setup.host.run(CONNECT, "rnb.create_form(client, 'claims')", before=watch) as tab:
        form = form_of(tab)
        create = button(form, "Create")
        expect(create).to_be_disabled()
        # An invalid value has a message beside its field while it is typed.
        fill(form, {"Name": "tra vel", "Email transform version": "two"})
        expect_beneath(
            alert(form, "must be a whole number"), field(form, "Email transform version")
        )
        expect_beneath(alert(form, "tra vel"), field(form, "Name"))
        expect(create).to_be_disabled()
        typed = {
            "Name": "taken",
            "Title": f"{HTML}title",
            "Description": f"{HTML}\ndescription",
            "Kind": f"{HTML}kind",
            "Bucket id": "",
            "Email transform tag": f"{HTML}tag",
            "Sensitive properties": f"{HTML}one\n{HTML}two",
            "Email transform version": "3",
        }
        fill(form, typed)
        field(form, "Language").select_option("German (de)")
        field(form, "Should translate").select_option("yes")
        expect(create).to_be_enabled()
        button(form, "Show code").click()
        expect(form.locator("pre")).to_contain_text("client.create_source(\n    'claims/taken',")
        expect(form.locator("pre")).to_contain_text("<b>bold</b>")
        watch.expect_text_only(tab)
        # Meanwhile somebody else has created a source with that name.
        gate.set()
        setup.client.create_source("claims/taken", title="Theirs")
        create.click()
        expect_beneath(alert(form, "claims/taken already").first, field(form, "Name"))
        expect(create).to_be_disabled()
        expect_held(form, typed)
        assert setup.client.source("claims/taken").title == "Theirs"
        # The tenant's error message contains the typed text.
        fill(form, {"Name": "mine"})
        tab.wait_for_timeout(BREATH)
        create.click()
        expect(alert(form, "is not a valid transform tag").first).to_be_visible()
        expect_held(form, typed | {"Name": "mine"})
        watch.expect_text_only(tab)
        # A double click and a slow response.
        fill(form, {"Email transform tag": ""})
        gate.clear()
        tab.wait_for_timeout(BREATH)
        create.dblclick()
        expect(create).to_be_disabled()
        expect(form.get_by_role("progressbar")).to_be_visible()
        gate.set()
        expect(form.get_by_role("status")).to_contain_text("claims/mine is created")
        expect(create).to_be_disabled()
        assert [r.status for r in setup.writes("claims/mine")] == [422, 200]
        # A double click and a fast response.
        fill(form, {"Name": "mine-too"})
        tab.wait_for_timeout(BREATH)
        create.dblclick()
        expect(form.get_by_role("status")).to_contain_text("claims/mine-too is created")
        tab.wait_for_timeout(300)
        assert [r.status for r in setup.writes("claims/mine-too")] == [200]
        watch.expect_text_only(tab)
        # The tenant's error stands beside the field that it is about.
        label, value = "Email transform tag", "no.tag"
        fill(form, {"Name": "refused", label: value})
        tab.wait_for_timeout(BREATH)
        create.click()
        expect(alert(form, value).first).to_be_visible()
        expect_held(form, {label: value})
        expect_beneath(alert(form, value).first, field(form, label))
        fill(form, {label: ""})
        # A bucket that is not one is told while it is typed.
        fill(form, {"Bucket id": "0123456789abcdef"})
        expect_beneath(alert(form, "names no bucket"), field(form, "Bucket id"))
        expect(create).to_be_disabled()
    made = setup.client.source("claims/mine")
    assert (made.title, made.description) == (typed["Title"], typed["Description"])
    assert (made.language, made.kind) == ("de", typed["Kind"])
    assert made.sensitive_properties == (f"{HTML}one", f"{HTML}two")
    assert (made.should_translate, made.email_transform_version) == (True, 3)


def test_case_38_who_may_not_write_loses_nothing(setup: Setup) -> None:
    """Each of the three forms keeps what was typed if the token lacks the permission."""
    cells = (
        "import os, reinfer_nb as rnb\nclient = rnb.connect(token=os.environ['VIEWERS_TOKEN'])",
        "rnb.create_form(client, 'claims')",
        "rnb.update_form(client, 'claims/motor-inbox')",
        "rnb.delete_form(client, 'claims/motor-inbox', restore_folder='kept')",
    )
    before = setup.client.source("claims/motor-inbox")
    with setup.host.run(*cells, height=2400) as tab:
        for place, (action, typed) in enumerate(
            {
                "Create": {"Name": "not-mine", "Title": "Typed"},
                "Update": {"Title": "Typed", "Description": "Also typed"},
                "Delete": {"Full name": "claims/motor-inbox"},
            }.items()
        ):
            form = form_of(tab, place)
            fill(form, typed)
            if action == "Update":
                # Each change moves the button, also between its press and its release.
                expect(form.get_by_role("table")).to_contain_text("Also typed")
            button(form, action).click()
            expect(alert(form, "lacks the permission").first).to_be_visible()
            expect(form.get_by_role("progressbar")).to_have_count(0)
            expect_held(form, typed)
            expect(button(form, action)).to_be_enabled()
        expect_beneath(
            alert(form_of(tab), "lacks the permission").first,
            field(form_of(tab), "Name"),
        )
        # Each attempt writes a file of its own.
        kept = alert(form, "Its settings are in")
        first = kept.inner_text()
        tab.wait_for_timeout(BREATH)
        button(form, "Delete").click()
        expect(kept).not_to_have_text(first)
    refused = [r.status for r in setup.writes("") if r.who == "viewer"]
    assert refused == [403] * 4
    assert setup.client.source("claims/motor-inbox") == before
    files = [path.name for path in (setup.host.folder / "kept").glob("*.json")]
    assert sum(not name.endswith(".source.json") for name in files) == 2
