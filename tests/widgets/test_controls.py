"""Controls: made from the fields of a source, with the checks of the client."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

import ipywidgets as ui
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.schema.fields import About, fields_of
from reinfer_nb.schema.records import LANGUAGES, Source
from reinfer_nb.widgets.controls import (
    ChoiceControl,
    Control,
    FlagControl,
    NamesControl,
    TextControl,
    WholeControl,
    control_for,
    controls_for,
    label_of,
)
from tests.test_markup import Parsed

BREAKS = st.text("ab \r\n\t<&\u2028\x0b", max_size=12)
TEXTS = st.one_of(
    st.text(max_size=12), BREAKS, st.sampled_from(["", "\ud800", "a\r\nb", "a\nb\rc"])
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Wider(Source):
    """A source with one more field of each type."""

    note: Annotated[str | None, About("A note.", create=True, update=True, nullable=True)] = None
    urgent: Annotated[bool | None, About("Whether.", create=True, update=True)] = None
    weight: Annotated[int | None, About("How much.", update=True, nullable=True)] = None
    tags: Annotated[tuple[str, ...] | None, About("Tags.", create=True)] = ()
    colour: Annotated[
        str | None, About("Which.", create=True, update=True, allowed={"r": "red", "g": "green"})
    ] = None
    seen: Annotated[str | None, About("Read-only.")] = None


WIDER = {field.name: field for field in fields_of(Wider)}


def control(name: str, base: Any = None, *, creating: bool = False) -> Control:
    made = control_for(WIDER[name], creating=creating)
    made.show(base)
    return made


def note_text(made: Control) -> str:
    return Parsed(made.note.value).text


def in_a_browser(made: Control) -> str:
    """Return the text of the input after a browser has normalised it."""
    text: str = made.input.value
    if isinstance(made.input, ui.Textarea):
        return re.sub(r"\r\n?", "\n", text)
    return re.sub(r"[\r\n]", "", text) if isinstance(made.input, ui.Text) else text


# Made from the fields


@pytest.mark.slow
def test_every_field_that_may_be_written_has_a_control() -> None:
    for operation in ("create", "update"):
        made = controls_for(fields_of(Wider), operation, lambda: None)
        assert list(made) == [n for n, field in WIDER.items() if field.may(operation)]
        for name, one in made.items():
            assert one.input.description == label_of(WIDER[name])
            assert WIDER[name].about.help in note_text(one)


def test_the_type_of_a_field_decides_what_its_control_is() -> None:
    types = {
        "note": TextControl,
        "urgent": FlagControl,
        "weight": WholeControl,
        "tags": NamesControl,
        "colour": ChoiceControl,
        "kind": ChoiceControl,
    }
    assert {name: type(control(name)) for name in types} == types
    inputs = {
        "title": ui.Text,
        "description": ui.Textarea,
        "language": ui.Dropdown,
        "kind": ui.Combobox,
        "tags": ui.Textarea,
    }
    assert {name: type(control(name).input) for name in inputs} == inputs


def test_observers_are_called_after_a_change() -> None:
    calls: list[int] = []
    made = controls_for(fields_of(Source), "update", lambda: calls.append(1))
    made["title"].input.value = "Motor"
    assert calls
    # Also after the input was replaced by one with several lines.
    made["title"].show("two\nlines")
    calls.clear()
    made["title"].input.value = "three\nlines\nnow"
    assert calls


# Current values


@pytest.mark.slow
@given(st.sampled_from(["title", "description", "bucket_id", "kind", "language"]), TEXTS)
@settings(deadline=None)
def test_a_text_is_held_as_it_is_or_not_to_be_edited(name: str, base: str) -> None:
    made = control(name, base)
    assert not made.entry().changed
    if not made.input.disabled:
        made.input.value = in_a_browser(made)
        assert not made.entry().changed
        assert made._value(made.input.value) == base


@pytest.mark.slow
@given(st.sampled_from(["title", "description"]), BREAKS, BREAKS)
@settings(deadline=None)
def test_line_breaks_stay_what_they_were(name: str, base: str, typed: str) -> None:
    made = control(name, base)
    kinds = set(re.findall(r"\r\n|\r|\n", base))
    assert made.input.disabled == (len(kinds) > 1)
    if made.input.disabled:
        return
    made.input.value = re.sub(r"\r\n?", "\n", typed)
    if made.entry().changed:
        (kind,) = kinds or {"\n"}
        assert made.entry().value == re.sub(r"\r\n?|\n", lambda _: kind, typed)


@pytest.mark.slow
@given(st.lists(TEXTS, max_size=4))
@settings(deadline=None)
def test_names_are_held_as_they_are_or_not_to_be_edited(base: list[str]) -> None:
    made = control("sensitive_properties", tuple(base))
    assert not made.entry().changed
    if not made.input.disabled:
        made.input.value = in_a_browser(made)
        assert made.entry().value == tuple(base)
        made.input.value += "\nmore" if base else "more"
        assert made.entry().value == (*base, "more")


@pytest.mark.slow
@given(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)))
@settings(deadline=None)
def test_a_number_is_held_as_it_is(base: int | None) -> None:
    made = control("weight", base)
    assert not made.input.disabled
    assert made.entry().value == base


@pytest.mark.parametrize("base", ["a\r\nb\nc", "a\rb\nc", "half a character \ud800"])
@pytest.mark.parametrize("name", ["title", "description", "note"])
def test_what_a_browser_would_change_is_not_to_be_edited(name: str, base: str) -> None:
    made = control(name, base)
    assert made.input.disabled
    assert "Edit it from Python" in note_text(made)
    made.show("plain")
    assert not made.input.disabled


@pytest.mark.parametrize("name", ["title", "description", "kind", "language", "bucket_id"])
def test_half_a_character_travels_to_no_browser(name: str) -> None:
    made = control(name, "half a character \ud800")
    state = made.input.get_state()
    texts = {key: value for key, value in state.items() if isinstance(value, str | tuple)}
    # As a kernel encodes it; a lone surrogate would raise when the form is shown.
    json.dumps(texts, ensure_ascii=False).encode()


@pytest.mark.parametrize("base", ["fr", "<b>", "\u202e", " en"])
def test_an_unknown_language_stays_choosable(base: str) -> None:
    made = control("language", base)
    assert [value for _, value in made.input.options] == [base, *LANGUAGES]
    assert made.input.value == base
    made.input.value = "de"
    assert made.entry().value == "de"
    made.input.value = base
    assert not made.entry().changed
    assert made.entry().flaw is None


def test_a_flag_that_is_not_said_is_neither_yes_nor_no() -> None:
    made = control("urgent")
    assert made.input.label == "(not set)"
    assert not made.entry().changed
    for text, value in (("yes", True), ("no", False)):
        made.input.value = text
        assert made.entry().value is value
        assert control("urgent", value).input.value == text
        assert [v for _, v in control("urgent", value).input.options] == ["yes", "no"]


# Typed values


def test_emptying_says_nothing_or_null_or_an_empty_text() -> None:
    emptied = control("bucket_id", "18ba5ce699f8da1f")
    emptied.input.value = ""
    assert emptied.entry().changed
    assert emptied.entry().value is None
    numbers = control("weight", 5)
    numbers.input.value = " "
    assert numbers.entry().value is None
    title = control("title", "Motor")
    title.input.value = ""
    assert title.entry().value == ""
    version = control("email_transform_version", 5)
    version.input.value = ""
    assert "cannot be empty" in (version.entry().flaw or "")


def test_names_stand_one_a_line() -> None:
    made = control("sensitive_properties", ("user", "salary, gross"))
    assert made.input.value == "user\nsalary, gross"
    made.input.value = "user\n\n salary \n"
    assert made.entry().value == ("user", " salary ")


@pytest.mark.parametrize(
    ("name", "base", "typed"),
    [
        ("sensitive_properties", ("user",), "user\n"),
        ("sensitive_properties", (), "\n"),
        ("email_transform_version", 5, " 5"),
        ("email_transform_version", 5, "05"),
    ],
)
def test_the_same_value_written_otherwise_is_no_change(name: str, base: Any, typed: str) -> None:
    made = control(name, base)
    made.input.value = typed
    assert made.entry().value == base
    assert not made.entry().changed


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("kind", "calls", "calls"),
        ("kind", "Chat", "Chat"),
        ("email_transform_version", str(2**63), 2**63),
        ("email_transform_version", "1" + "0" * 19, 10**19),
        ("email_transform_version", "-" + "9" * 25, -int("9" * 25)),
    ],
)
def test_a_message_is_that_of_the_client(
    shared: rnb.Client, name: str, raw: str, value: Any
) -> None:
    made = control(name, creating=True)
    made.input.value = raw
    with pytest.raises(rnb.InvalidInput) as caught:
        shared.create_source("claims/never", **{name: value})
    reason = str(caught.value).removeprefix(name)
    assert made.entry().flaw == label_of(made.field) + reason
    assert note_text(made) == label_of(made.field) + reason
    assert 'role="alert"' in made.note.value
    made.input.value = ""
    assert made.entry().flaw is None
    assert made.field.about.help in note_text(made)


@pytest.mark.parametrize("typed", ["five", "5.0", "1e3", "0x5", "\u0665", "5 5", "--5"])
def test_what_is_no_whole_number_is_refused(typed: str) -> None:
    made = control("email_transform_version")
    made.input.value = typed
    assert "whole number" in (made.entry().flaw or "")
    assert made.entry().value is None


def test_the_line_beneath_says_what_was_and_what_a_tenant_takes_by_default() -> None:
    made = control("title", "<i>Motor</i>")
    made.input.value = "Travel"
    assert note_text(made) == "Was: <i>Motor</i>"
    fresh = control("language", creating=True)
    assert "Default: en." in note_text(fresh)
    assert "Default" not in note_text(control("language", "en"))


def test_what_a_tenant_refused_is_said_until_the_value_is_another() -> None:
    made = control("title", "Motor")
    made.input.value = "Travel"
    made.refuse("No <b>such</b> title.")
    assert note_text(made) == "No <b>such</b> title."
    made.input.value = "Travels"
    assert "No" not in note_text(made)
    made.input.value = "Travel"
    assert "No" in note_text(made)
    # The same value of another source was not refused.
    made.show("Travel")
    assert "No" not in note_text(made)


# A new current value while something is typed


def test_rebasing_keeps_what_was_typed_meanwhile() -> None:
    made = control("title", "Motor")
    made.input.value = "Mine"
    made.rebase("Theirs", "Motor")
    assert (made.base, made.input.value, made.entry().changed) == ("Theirs", "Mine", True)
    made.rebase("Mine", "Motor")
    assert not made.entry().changed
    # Also if the typed value equals the earlier current value.
    back = control("title", "Motor")
    back.rebase("Sent", "Sent")
    assert (back.base, back.input.value, back.entry().changed) == ("Sent", "Motor", True)


def test_rebasing_shows_what_the_tenant_made_of_it() -> None:
    made = control("title", "Motor")
    made.input.value = " Sent "
    made.rebase("Sent\nin lines", " Sent ")
    assert (made.input.value, made.entry().changed) == ("Sent\nin lines", False)
    assert isinstance(made.input, ui.Textarea)
    assert made.box.children[0] is made.input


def test_rebasing_a_choice() -> None:
    made = control("language", "fr")
    made.input.value = "de"
    made.rebase("en", "fr")
    assert (made.entry().value, made.entry().changed) == ("de", True)
    made.rebase("de", "fr")
    assert not made.entry().changed
