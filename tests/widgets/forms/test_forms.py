"""The forms without a browser: their checks, requests and messages, and that no input is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as ui
import pytest

import reinfer_nb as rnb
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import settings_of
from reinfer_nb.widgets import CreateForm, DeleteForm, UpdateForm, jobs
from reinfer_nb.widgets.forms.base_form import Form, call_text
from reinfer_nb.widgets.table.row_list import RowList
from tests.scripted import DROPPED, Asked, Scripted, Step, relay, reply
from tests.test_markup import NASTY, Parsed
from tests.waiting import AGES
from tests.widgets.test_controls import Wider

NAME = "claims/motor-inbox"
NEW = "claims/travel"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


def token_of(client: Client, who: str = "admin") -> str:
    assert client.sandbox is not None
    return client.sandbox.tokens[who]


@contextmanager
def through(client: Client, answer: Callable[[Asked], bytes | None]) -> Iterator[Client]:
    """Context manager: a client of the same tenant through a proxy server.

    Args:
        client: A client of the tenant.
        answer: Returns the response to a request, or None to relay the request to the tenant.
    """
    onward = relay(client.endpoint)
    step = Step(lambda asked: answer(asked) or onward(asked))
    with Scripted(step, repeat=True) as server:
        tenant = config.resolve(endpoint=server.endpoint, token=token_of(client))
        way = Transport(tenant, patience=Patience(2), sleep=lambda _: None)
        with Client(way, cache_ttl=0) as made:
            made.sent = lambda: server.asked  # type: ignore[attr-defined]
            yield made


def sent(client: Client, method: str) -> list[Any]:
    """Return the settings in the requests of a method that a client of `through` has sent."""
    asked: list[Asked] = client.sent()  # type: ignore[attr-defined]
    return [json.loads(a.body or b"{}").get("source") for a in asked if a.method == method]


def no(status: int, message: str) -> bytes:
    return reply({"status": "error", "message": message}, status)


def press(form: Form) -> None:
    form.button.click()
    form.jobs.wait()


def texts(widget: Any) -> str:
    """Return the visible text of a widget and all widgets in it."""
    if isinstance(widget, ui.HTML):
        return Parsed(widget.value).text + "\n"
    if isinstance(widget, RowList):
        return "".join("\n".join(row) + "\n" for row in widget._rows)
    return "".join(texts(child) for child in getattr(widget, "children", ()))


def html(widget: Any) -> list[str]:
    if isinstance(widget, ui.HTML):
        return [widget.value]
    return [value for child in getattr(widget, "children", ()) for value in html(child)]


def filled(client: Client, full_name: str = NEW, **settings: Any) -> CreateForm:
    form = CreateForm(client)
    form.project.value, form.name.value = full_name.split("/")
    for name, value in settings.items():
        form.controls[name].fill(value)
    return form


def opened(client: Client, which: str = NAME, **settings: Any) -> UpdateForm:
    form = rnb.update_form(client, which)
    for name, value in settings.items():
        form.controls[name].fill(value)
    return form


def deleting(client: Client, which: str = NAME, typed: str = "") -> DeleteForm:
    form = rnb.delete_form(client, which)
    form.name.value = typed
    form.jobs.wait()
    return form


# All forms


@pytest.mark.parametrize("form", [CreateForm, UpdateForm])
def test_a_form_is_made_from_its_definition(
    shared: Client, form: type[CreateForm | UpdateForm]
) -> None:
    class Wide(form):  # type: ignore[valid-type, misc]
        definition = Wider

    made = Wide(shared)
    new = {"note", "urgent", "colour", "tags" if form is CreateForm else "weight"}
    assert set(made.controls) - set(form(shared).controls) == new
    if form is UpdateForm:
        made.look_at(Wider(id="0" * 16, owner="a", name="b", weight=5, urgent=True))
        assert made.controls["weight"].input.value == "5"
    boxes = [child for child in made.children if child in [c.box for c in made.controls.values()]]
    assert len(boxes) == len(made.controls)


def test_a_call_is_python_however_long() -> None:
    settings = {"title": "'\"\n\\" * 20, "sensitive_properties": ("a",), "bucket_id": None}
    heard: list[Any] = []

    class Fake:
        def update_source(self, *names: Any, **given: Any) -> None:
            heard.append((names, given))

    text = call_text("update_source", "a/b", settings=settings)
    assert max(map(len, text.splitlines())) > 88
    eval(text, {"client": Fake()})  # noqa: S307 - what the form shows
    assert heard == [(("a/b",), settings | {"sensitive_properties": ["a"]})]


@pytest.mark.slow
@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_the_tenant_becomes_html(client: Client, text: str) -> None:
    client.update_source(NAME, title=text, description=text)
    form = opened(client, description=f"{text} too")
    form._show_code.value = True
    form.controls["title"].refuse(text)
    values = html(form) + html(deleting(client))
    allowed = {"div", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "pre"}
    assert {name for value in values for name in Parsed(value).names} <= allowed
    assert text in texts(form)


@pytest.mark.parametrize("make", [filled, opened, deleting])
def test_a_form_shows_nothing_of_the_tenant_in_its_repr(
    shared: Client, make: Callable[[Client], Form]
) -> None:
    form = make(shared)
    form.jobs.wait()
    assert repr(form).startswith("Form to ")
    assert f" on {shared.endpoint}; cannot be shown in a terminal" in repr(form)


def test_what_is_shown_is_code_only_when_asked_for(shared: Client) -> None:
    form = opened(shared)
    assert form._code.layout.display == "none"
    form._show_code.value = True
    assert form._code.layout.display is None
    assert "Nothing to do yet" in texts(form)
    form.controls["title"].fill("Motor")
    assert "client.update_source('claims/motor-inbox', title='Motor')" in texts(form)


# Creating


def test_create_is_off_until_it_can_be_sent(shared: Client) -> None:
    form = CreateForm(shared)
    assert {"claims", "people"} <= set(form.project.options)
    steps = [
        (form.name, "travel", True),
        (form.project, "claims", False),
        (form.name, "two words", True),
        (form.name, "travel", False),
        (form.controls["email_transform_version"].input, "x", True),
        (form.controls["email_transform_version"].input, "3", False),
        (form.project, "a/b", True),
    ]
    for widget, value, off in steps:
        widget.value = value
        assert form.button.disabled is off, value
        assert (form.code == "") is off
    assert "Each is 1 to 256" not in texts(form)
    assert "each part 1 to 256" in texts(form)


def test_only_what_is_filled_in_is_sent(client: Client) -> None:
    given: dict[str, Any] = {"title": "Travel", "should_translate": False}
    given["sensitive_properties"] = ("a", "b")
    with through(client, lambda _: None) as way:
        form = filled(way, **given)
        results: list[Source] = []
        form.observe(lambda change: results.append(change["new"]), "result")
        before = form.code
        press(form)
        assert sent(way, "PUT") == [given | {"sensitive_properties": ["a", "b"]}]
    made = client.source(NEW)
    assert results == [form.result] == [made]
    assert form.code == before
    assert made.id in texts(form)
    with rnb.sandbox() as fresh:
        again = eval(form.code, {"client": fresh})  # noqa: S307 - what the form shows
        assert settings_of(fresh.source(NEW)) == settings_of(again) == settings_of(made)


def test_a_name_that_is_taken_is_said_beside_it(client: Client) -> None:
    form = filled(client, NAME, title="Mine")
    press(form)
    assert f"A source {NAME} already exists" in Parsed(form._note.value).text
    assert form.button.disabled
    assert client.source(NAME).title == "Motor claims inbox"
    form.name.value = "travel"
    assert "already" not in texts(form._note)
    assert form.controls["title"].input.value == "Mine"
    press(form)
    assert client.source(NEW).title == "Mine"


def test_a_name_that_is_free_again_can_be_taken_again(client: Client) -> None:
    form = filled(client)
    press(form)
    assert form.button.disabled
    client.delete_source(NEW)
    form.name.value = ""
    form.name.value = "travel"
    press(form)
    assert client.source(NEW) == form.result


FAILURES: dict[str, bytes | None] = {
    "500": no(500, "broken"),
    "503 to the end": no(503, "down"),
    "422": no(422, "nobody knows why"),
    "403": no(403, "403 Forbidden"),
    "html": reply(b"<html>", 200, {"Content-Type": "text/html"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_loses_nothing_that_was_typed(client: Client, failure: str) -> None:
    answers: list[bytes | None] = []

    def answer(asked: Asked) -> bytes | None:
        return answers.pop() if answers and asked.method in ("PUT", "POST") else None

    given = {"title": "Travel", "description": "two\nlines", "language": "de", "kind": "chat"}
    with through(client, answer) as way:
        for form in (filled(way, **given), opened(way, **given)):
            answers[:] = [FAILURES[failure]] * (2 if "to the end" in failure else 1)
            press(form)
            assert {name: form.controls[name].entry().value for name in given} == given
            assert 'role="alert"' in form.said.value
            assert "Could not" in texts(form)
            assert form.code
            assert not form.button.disabled
            press(form)
            assert {name: getattr(form.result, name) for name in given} == given


def test_a_broken_connection_loses_nothing_that_was_typed(client: Client) -> None:
    with Scripted(Step(relay(client.endpoint)), DROPPED, repeat=True) as server:
        tenant = config.resolve(endpoint=server.endpoint, token=token_of(client))
        way = Transport(tenant, patience=Patience(2), sleep=lambda _: None)
        with Client(way) as broken:
            form = opened(broken, title="Mine")
            press(form)
    assert form.controls["title"].input.value == "Mine"
    assert "after 2 attempts" in texts(form)
    assert not form.button.disabled


@pytest.mark.slow
@pytest.mark.parametrize("make", [filled, opened])
def test_what_the_tenant_says_of_a_field_stands_beside_it(
    client: Client, make: Callable[..., CreateForm | UpdateForm]
) -> None:
    def answer(asked: Asked) -> bytes | None:
        there = asked.method in ("PUT", "POST")
        return no(422, "The email_transform_tag 'x' is <b>unknown</b>.") if there else None

    with through(client, answer) as way:
        form = make(way, title="Travel", email_transform_tag="x")
        press(form)
    note = form.controls["email_transform_tag"].note
    assert "is <b>unknown</b>" in texts(note)
    assert "unknown" not in texts(form.controls["title"].box)
    form.controls["email_transform_tag"].fill("y")
    assert "unknown" not in texts(note)


def test_a_refusal_does_not_stay_when_another_source_is_looked_at(client: Client) -> None:
    def answer(asked: Asked) -> bytes | None:
        return no(422, "language does not go with that") if asked.method == "POST" else None

    with through(client, answer) as way:
        form = opened(way, title="Travel")
        press(form)
        assert "does not go" in texts(form.controls["language"].box)
        form.look_at(way.source("claims/property-inbox"))
    assert "does not go" not in texts(form)


# Updating


def test_only_what_changed_is_sent(client: Client) -> None:
    with through(client, lambda _: None) as way:
        form = opened(way)
        assert form.button.disabled
        assert form.reset.disabled
        form.controls["title"].input.value = "Motor"
        form.controls["bucket_id"].input.value = ""
        form.controls["language"].input.value = "de"
        form.controls["language"].input.value = "en"
        assert "Would change" in texts(form)
        code = form.code
        press(form)
        assert sent(way, "POST") == [{"title": "Motor", "bucket_id": None}]
    assert form.result == form.source == client.source(NAME)
    assert form.code == code
    assert form.button.disabled
    assert not form.dirty
    with rnb.sandbox() as fresh:
        eval(form.code, {"client": fresh})  # noqa: S307 - what the form shows
        assert settings_of(fresh.source(NAME)) == settings_of(client.source(NAME))


def test_what_would_change_is_shown_and_can_be_taken_back(shared: Client) -> None:
    form = opened(shared, title="Motor", sensitive_properties=("a", "b"))
    preview = texts(form._preview)
    for part in ("Title", "Motor claims inbox", "Motor", "Sensitive properties", '["a", "b"]'):
        assert part in preview
    assert "Language" not in preview
    form.controls["email_transform_version"].input.value = "x"
    assert form.button.disabled
    form.reset.click()
    assert "Nothing is changed yet" in texts(form)
    assert form.controls["title"].input.value == "Motor claims inbox"
    assert form.reset.disabled
    assert form.code == ""


def test_a_source_can_be_picked_and_changes_are_not_lost_by_it(shared: Client) -> None:
    form = rnb.update_form(shared)
    assert form.picker is not None
    assert form.button.disabled
    form.picker.input.value = "motor inb"
    form.picker._loading.wait()
    assert NAME in form.picker.input.options
    assert form.picker.button.disabled
    # Names and ids are searched as texts: no field is read, and a minus excludes nothing.
    for typed, listed in (("motor -inb", True), ("name:motor", False), ("title:", False)):
        form.picker.input.value = typed
        assert (NAME in form.picker.input.options) is listed
    for which, there in (("claims/nothing", False), (NAME, True)):
        form.picker.input.value = which
        form.picker.button.click()
        form.picker._jobs.wait()
        assert (form.source is not None) is there
    form.controls["title"].fill("Mine")
    form.picker.input.value = "claims/property-inbox"
    form.picker.button.click()
    form.picker._jobs.wait()
    assert form.source == shared.source(NAME)
    assert form.controls["title"].input.value == "Mine"
    assert "were not sent" in texts(form)


def test_a_source_can_be_picked_where_none_are_listed(client: Client) -> None:
    def answer(asked: Asked) -> bytes | None:
        return no(500, "broken") if asked.path == "/api/v1/sources" else None

    with through(client, answer) as way:
        form = rnb.update_form(way)
        assert form.picker is not None
        for typed in ("motor", NAME):
            form.picker.input.value = typed
            form.picker._loading.wait()
        form.picker.button.click()
        form.picker._jobs.wait()
    assert form.source == client.source(NAME)


# Deleting; test_restore_files.py has more tests


def test_delete_is_off_until_the_name_is_typed_and_the_comments_are_counted(
    client: rnb.Client,
) -> None:
    held = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.path.endswith("/statistics"):
            held.wait(AGES)

    with through(client, answer) as way:
        form = rnb.delete_form(way, NAME)
        form.name.value = NAME
        assert form.button.disabled
        assert "comments are being counted" in texts(form)
        held.set()
        form.jobs.wait()
        assert not form.button.disabled
        gone = "19,640 comments would be deleted with it."
        warning = f"{gone} Without an archive, nothing brings comments back."
        assert gone in texts(form)
        assert warning not in texts(form)
        form.keep.value = False
        assert warning in texts(form)
        assert form.comments == 19640
        for typed in ("", NAME[:-1], NAME.upper(), f" {NAME}", "claims/property-inbox"):
            form.name.value = typed
            assert form.button.disabled
        form.button.click()
        assert client.source(NAME) == form.source


def test_what_cannot_be_counted_is_said_and_can_be_deleted(client: rnb.Client) -> None:
    def answer(asked: Asked) -> bytes | None:
        return no(500, "<b>broken</b>") if asked.path.endswith("/statistics") else None

    with through(client, answer) as way:
        form = deleting(way, typed=NAME)
        assert "could not be counted" in texts(form)
        assert "<b>broken</b>" in texts(form)
        assert form.comments is None
        # What cannot be counted cannot be archived either.
        press(form)
        assert client.source(NAME) == form.source
        form.keep.value = False
        press(form)
    assert form.result is not None
    assert " comments" not in texts(form.said)


# A tenant that does not return every field


@contextmanager
def without_fields(client: Client, *names: str, everywhere: bool = False) -> Iterator[Client]:
    """Context manager: a client of the tenant whose responses lack these fields.

    Args:
        client: A client of the tenant.
        names: The fields.
        everywhere: All responses lack them; if False, those to updates only.
    """
    onward = relay(client.endpoint)

    def answer(asked: Asked) -> bytes | None:
        if not everywhere and not (asked.method == "POST" and asked.path.count("/") == 5):
            return None
        head, _, body = onward(asked).partition(b"\r\n\r\n")
        content = json.loads(body)
        for source in [content["source"]] if "source" in content else content.get("sources", []):
            for name in names:
                source.pop(name, None)
        return reply(content, int(head.split()[1]))

    with through(client, answer) as way:
        yield way


@pytest.mark.slow
@pytest.mark.parametrize("name", ["description", "language", "should_translate", "updated_at"])
def test_fields_that_the_response_lacks_stay_in_the_form(client: Client, name: str) -> None:
    with without_fields(client, name) as way:
        form = UpdateForm(way, way.source(NAME))
        for title in ("one", "two"):
            form.controls["title"].fill(title)
            press(form)
            assert "is updated: title" in texts(form), texts(form)
            assert form.source == client.source(NAME)
            assert not form.dirty
        assert not any("Was: (missing)" in text for text in html(form))
    assert client.source(NAME).title == "two"


def test_each_result_is_reported_even_if_it_equals_the_last_one(client: Client) -> None:
    with without_fields(client, "updated_at", "last_modified", everywhere=True) as way:
        form = UpdateForm(way, way.source(NAME))
        results: list[Any] = []
        form.observe(lambda change: results.append(change.new.title), "result")
        for title in ("B", "A", "B"):
            if title == "A":  # somebody else
                form.look_at(replace(way.update_source(NAME, title="A"), updated_at=None))
                continue
            form.controls["title"].fill(title)
            press(form)
        assert results == ["B", "B"]


def test_a_second_update_right_after_the_first_is_sent(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 60.0)
    form = opened(client, title="A")
    press(form)
    press(form)  # a double click
    form.controls["title"].fill("B")
    press(form)
    assert client.source(NAME).title == "B"


def test_a_change_that_parses_all_emails_again_says_so_with_their_number(
    client: rnb.Client,
) -> None:
    form = opened(client, NAME, title="Another title")
    assert "parses" not in texts(form)
    form.controls["email_transform_version"].fill(9)
    form._counting.wait()
    message = "If email_transform_version changes, the tenant parses its 19,640 comments again."
    assert message in texts(form)
    form.controls["email_transform_tag"].fill("generic.0.OTHER")
    assert "email_transform_tag and email_transform_version change, the tenant" in texts(form)
    form.reset.click()
    assert "parses" not in texts(form)
