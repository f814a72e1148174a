"""Writes that stop if the source has changed, the form for conflicts, and counting comments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api import comment_counts, safe_write
from reinfer_nb.api.conflicts import Moved
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.widgets import UpdateForm, jobs
from reinfer_nb.widgets.forms.conflict import EDIT, MINE, THEIRS, Choice, Conflict
from tests.scripted import Scripted, reply
from tests.test_markup import NASTY, Parsed
from tests.widgets.forms.test_forms import html, opened, press, texts

NAME = "claims/motor-inbox"
WRITABLE = {"title", "description", "language", "kind", "bucket_id", "email_transform_tag"}
WRITABLE |= {"should_translate", "sensitive_properties", "email_transform_version"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


@pytest.fixture
def other(client: rnb.Client) -> Iterator[rnb.Client]:
    """Somebody else on the same tenant, who may do everything too."""
    assert client.sandbox is not None
    with rnb.connect(endpoint=client.endpoint, token=client.sandbox.tokens["admin"]) as made:
        yield made


def methods(client: rnb.Client, since: int = 0) -> list[str]:
    assert client.sandbox is not None
    return [one.method for one in client.sandbox.requests[since:]]


def count(client: rnb.Client) -> int:
    return len(methods(client))


# Differences


def test_settings_are_what_an_update_may_give(shared: rnb.Client) -> None:
    settings = source_diff.settings_of(shared.source(NAME))
    assert set(settings) == WRITABLE == {f.name for f in fields_of(Source) if f.may("update")}
    assert settings["title"] == "Motor claims inbox"


BASE = Source(id="0" * 16, owner="a", name="b", title="was", language="en")


@pytest.mark.parametrize(
    ("mine", "theirs", "side"),
    [
        ("mine", "was", "mine"),
        ("was", "theirs", "theirs"),
        ("mine", "theirs", "both"),
        ("same", "same", "mine"),
        (None, "theirs", "both"),
        # An empty text and None are equal.
        ("", None, "mine"),
        (None, "", "mine"),
    ],
)
def test_who_has_changed_a_setting(mine: str | None, theirs: str | None, side: str) -> None:
    (found,) = source_diff.differences(BASE, {"title": mine}, replace(BASE, title=theirs))
    assert (found.field.name, found.was, found.mine, found.theirs) == ("title", "was", mine, theirs)
    assert found.side == side


def test_omitted_settings_count_as_unchanged_and_fields_of_the_tenant_do_not_count() -> None:
    theirs = replace(BASE, language="de", last_modified=None, created_at=None, id="1" * 16)
    (found,) = source_diff.differences(BASE, {"title": "was"}, theirs)
    assert (found.field.name, found.mine, found.side) == ("language", "en", "theirs")
    assert source_diff.differences(BASE, {}, replace(BASE, id="1" * 16)) == []


def test_has_moved(shared: rnb.Client) -> None:
    source = shared.source(NAME)
    assert source.updated_at is not None
    assert not source_diff.has_moved(source, shared.source(NAME))
    assert not source_diff.has_moved(source, replace(source, last_modified=None, extra={"new": 1}))
    # A value that is missing in a listing may be any value.
    assert not source_diff.has_moved(replace(source, language=None), source)
    assert source_diff.has_moved(replace(source, language=None, updated_at=None), source)
    moment = source.updated_at
    source = replace(source, sensitive_properties=("salary",))
    for changes in (
        {"id": "0" * 16},
        {"title": "else"},
        {"sensitive_properties": ("x",)},
        {"updated_at": moment + timedelta(microseconds=1)},
        {"updated_at": None},
    ):
        assert source_diff.has_moved(source, replace(source, **changes))


def test_another_source_with_my_settings_is_not_my_update() -> None:
    mine = replace(BASE, title="mine")
    assert source_diff.is_as_meant(mine, BASE, {"title": "mine"})
    assert not source_diff.is_as_meant(replace(mine, id="1" * 16), BASE, {"title": "mine"})


# Writing


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_a_write_that_had_to_wait_looks_again(
    client: rnb.Client, other: rnb.Client, kind: str, status: int
) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    client.sandbox.faults.add(Fault.answer(status, retry_after=1, on=f"{kind}_source", times=1))
    # Somebody else changes the source during the wait.
    client._transport._sleep = lambda _: other.update_source(NAME, description="theirs")
    ways: dict[str, Callable[[], object]] = {
        "update": lambda: safe_write.update(client.calls, base, {"title": "mine"}),
        "delete": lambda: safe_write.delete(client.calls, base),
    }
    with pytest.raises(Moved):
        ways[kind]()
    source = other.source(NAME)
    assert (source.title, source.description) == ("Motor claims inbox", "theirs")


def test_a_source_created_anew_during_the_wait_is_not_deleted(
    client: rnb.Client, other: rnb.Client
) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    client.sandbox.faults.add(Fault.answer(429, retry_after=1, on="delete_source", times=1))
    anew: list[Source] = []

    def sleep(_: float) -> None:
        if not anew:
            anew.append(other.recreate_source(other.delete_source(base)))

    client._transport._sleep = sleep
    with pytest.raises(Moved) as caught:
        safe_write.delete(client.calls, base)
    assert caught.value.theirs == anew[0] == other.source(NAME)


@pytest.mark.slow
def test_a_second_look_writes_no_second_restore_file(client: rnb.Client, tmp_path: Path) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    client.sandbox.faults.add(Fault.wait(1.2, on="get_source", times=1))
    file = tmp_path / "restore.json"
    assert safe_write.delete(client.calls, base, file) == (base, "")
    with pytest.warns(rnb.RestoredWarning):
        assert rnb.restore(client, file).title == base.title


@pytest.mark.parametrize("fault", [Fault.drop, Fault.cut])
def test_a_write_whose_response_was_lost_is_sent_once(
    client: rnb.Client, fault: Callable[..., Fault]
) -> None:
    assert client.sandbox is not None
    base = client.source(NAME)
    ways = ("update_source", "delete_source")
    with client.sandbox.faults.add(*(fault(on=way, after=True, times=1) for way in ways)):
        updated = safe_write.update(client.calls, base, {"title": "mine"}).source
        assert updated.title == "mine"
        assert safe_write.delete(client.calls, updated) == (updated, "")
    sent = [one for one in client.sandbox.requests if one.method in ("POST", "DELETE")]
    assert len(sent) == 2
    with pytest.raises(rnb.NotFound):
        client.source(NAME)


def test_an_update_of_an_unchanged_source(client: rnb.Client) -> None:
    base = client.source(NAME)
    before = count(client)
    updated = safe_write.update(client.calls, base, {"title": "Motor", "bucket_id": None}).source
    assert methods(client, before) == ["GET", "POST"]
    assert (updated.title, updated.bucket_id) == ("Motor", None)
    assert client.source(NAME) == updated


def test_an_update_of_a_changed_source_sends_nothing(client: rnb.Client, other: rnb.Client) -> None:
    base = client.source(NAME)
    theirs = other.update_source(NAME, description="theirs")
    before = count(client)
    with pytest.raises(Moved) as caught:
        safe_write.update(client.calls, base, {"title": "mine"})
    assert methods(client, before) == ["GET"]
    assert (caught.value.base, caught.value.theirs) == (base, theirs)
    assert theirs.updated_at is not None
    for part in (NAME, f"{theirs.updated_at:%Y-%m-%d %H:%M:%S} UTC", "Nothing was written"):
        assert part in str(caught.value)
    assert "Source(" not in str(caught.value)
    assert other.source(NAME) == theirs


def test_a_change_and_its_reversal_count_as_changed(client: rnb.Client, other: rnb.Client) -> None:
    base = client.source(NAME)
    other.update_source(NAME, title="x")
    other.update_source(NAME, title=base.title or "")
    with pytest.raises(Moved):
        safe_write.update(client.calls, base, {"title": "mine"})


def test_another_source_of_the_same_name_is_not_written_to(
    client: rnb.Client, other: rnb.Client, tmp_path: Path
) -> None:
    base = client.source(NAME)
    made = other.recreate_source(other.delete_source(NAME))
    file = tmp_path / "kept.json"
    what = f"was deleted, and another one, {made.id}, has its name"
    with pytest.raises(Moved, match=what):
        safe_write.update(client.calls, base, {"title": "mine"})
    with pytest.raises(Moved, match=what):
        safe_write.delete(client.calls, base, file)
    assert not file.exists()
    assert other.source(NAME) == made


def test_a_delete_of_a_changed_source_deletes_and_writes_nothing(
    client: rnb.Client, other: rnb.Client, tmp_path: Path
) -> None:
    base = client.source(NAME)
    other.update_source(NAME, title="theirs")
    before = count(client)
    with pytest.raises(Moved):
        safe_write.delete(client.calls, base, tmp_path / "kept.json")
    assert methods(client, before) == ["GET"]
    assert list(tmp_path.iterdir()) == []


def test_a_delete_of_an_unchanged_source(client: rnb.Client, tmp_path: Path) -> None:
    base = client.source(NAME)
    assert safe_write.delete(client.calls, base, tmp_path / "kept.json") == (base, "")
    assert (tmp_path / "kept.json").exists()
    with pytest.raises(rnb.NotFound):
        client.source(NAME)


def test_a_write_to_a_deleted_source_is_not_found(
    client: rnb.Client, other: rnb.Client, tmp_path: Path
) -> None:
    base = client.source(NAME)
    other.delete_source(NAME)
    with pytest.raises(rnb.NotFound):
        safe_write.update(client.calls, base, {"title": "mine"})
    with pytest.raises(rnb.NotFound):
        safe_write.delete(client.calls, base, tmp_path / "kept.json")
    assert list(tmp_path.iterdir()) == []


# Counting


def test_comments_of_one_source(shared: rnb.Client) -> None:
    source = shared.source(NAME)
    assert shared.count_comments(NAME) == 19640
    assert shared.count_comments(source.id) == shared.count_comments(source) == 19640
    with pytest.raises(rnb.NotFound):
        shared.count_comments("claims/nothing")
    with pytest.raises(rnb.InvalidInput):
        shared.count_comments("nothing")


@pytest.mark.parametrize(
    "statistics", [{}, None, [], {"num_comments": -1}, {"num_comments": 1.5}, {"num_comments": "1"}]
)
def test_an_invalid_count_is_a_protocol_error(statistics: Any) -> None:
    response = reply({"status": "ok", "statistics": statistics})
    with (
        Scripted(response) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
        pytest.raises(rnb.ProtocolError, match="without a number of comments"),
    ):
        client.count_comments(NAME)


@pytest.mark.slow
def test_progress_is_called_for_each_source(shared: rnb.Client) -> None:
    df = shared.sources("claims")
    calls: list[tuple[int, int]] = []
    result = shared.statistics(df, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, len(df)) for done in range(1, len(df) + 1)]
    pd.testing.assert_frame_equal(result, shared.statistics(df, progress=False))
    assert result.loc[result["name"] == "motor-inbox", "num_comments"].item() == 19640
    assert list(result.columns) == [*df.columns, "num_comments"]


def test_an_exception_of_progress_ends_the_counting(client: rnb.Client) -> None:
    def progress(done: int, _: int) -> None:
        if done == 3:
            raise ZeroDivisionError

    df = client.sources()
    before = count(client)
    with pytest.raises(ZeroDivisionError):
        client.statistics(df, workers=1, progress=progress)
    # Requests that were not sent yet are dropped.
    assert len(methods(client, before)) < len(df)


def test_each_name_is_counted_once_and_failures_have_a_reason(client: rnb.Client) -> None:
    before = count(client)
    counts = dict(
        comment_counts.each(
            client.calls.count_comments, [NAME, NAME, "claims/nothing", "", "../x", "a/b/c"]
        )
    )
    assert methods(client, before) == ["POST", "POST"]
    assert counts[NAME] == 19640
    assert counts["claims/nothing"] == "404"
    bad = {counts[name] for name in ("", "../x", "a/b/c")}
    assert bad == {"not a valid name"}


def test_a_set_stop_ends_the_retries() -> None:
    stop = threading.Event()
    stop.set()
    busy = reply({"status": "error", "message": "busy"}, 503)
    with (
        Scripted(busy, repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        with pytest.raises(rnb.Stopped, match=r"status 503.*stopped before it was sent again"):
            client.count_comments(NAME, stop=stop)
        assert len(server.asked) == 1


# The form for conflicts


def conflict(form: UpdateForm) -> Conflict:
    (found,) = (child for child in form.children if isinstance(child, Conflict))
    return found


def choices(form: UpdateForm) -> dict[str, Choice]:
    return {choice.difference.field.name: choice for choice in conflict(form).choices}


@pytest.mark.slow
def test_choices_between_mine_theirs_and_typed_values_are_sent(
    client: rnb.Client, other: rnb.Client
) -> None:
    base = client.source(NAME)
    form = opened(
        client, title="mine", description="mine", kind="mine-kind", should_translate=True,
        sensitive_properties=("same",),
    )  # fmt: skip
    other.update_source(
        NAME, title="theirs", description="theirs", kind="theirs-kind", language="de",
        sensitive_properties=["same"],
    )  # fmt: skip
    before = count(client)
    press(form)
    assert "POST" not in methods(client, before)
    assert set(choices(form)) == {"title", "description", "kind"}
    shown = texts(form)
    for part in (NAME, "mine is kept", "theirs is taken", "choose below", "Motor claims inbox"):
        assert part in shown
    go_on = conflict(form).button
    for name, option in (("title", MINE), ("description", THEIRS), ("kind", EDIT)):
        assert go_on.disabled
        choices(form)[name].options.value = option
    assert choices(form)["kind"].control.box.layout.display is None
    assert choices(form)["kind"].control.input.value == "mine-kind"
    choices(form)["kind"].control.input.value = "calls"
    assert go_on.disabled
    go_on.click()
    choices(form)["kind"].control.input.value = "agreed"
    assert not go_on.disabled
    go_on.click()
    assert "POST" not in methods(client, before)
    preview = texts(form._preview)
    assert all(word in preview for word in ("theirs", "mine", "theirs-kind", "agreed"))
    press(form)
    assert methods(client, before).count("POST") == 1
    now = other.source(NAME)
    chosen: dict[str, Any] = {
        "title": "mine",
        "description": "theirs",
        "kind": "agreed",
        "language": "de",
    }
    chosen |= {"should_translate": True, "sensitive_properties": ("same",)}
    assert source_diff.settings_of(now) == source_diff.settings_of(base) | chosen
    assert form.result == now


def test_settings_that_only_they_changed_are_taken_without_a_choice(
    client: rnb.Client, other: rnb.Client
) -> None:
    form = opened(client, title="mine")
    theirs = other.update_source(NAME, language="de")
    press(form)
    assert choices(form) == {}
    conflict(form).button.click()
    assert (form.source, form.controls["language"].base) == (theirs, "de")
    assert form.controls["title"].input.value == "mine"
    press(form)
    assert source_diff.settings_of(other.source(NAME)) == source_diff.settings_of(theirs) | {
        "title": "mine"
    }


@pytest.mark.slow
@pytest.mark.parametrize("option", [THEIRS, EDIT])
def test_choosing_all_of_theirs_leaves_nothing_to_send(
    client: rnb.Client, other: rnb.Client, option: str
) -> None:
    form = opened(client, title="mine")
    theirs = other.update_source(NAME, title="theirs")
    press(form)
    choice = choices(form)["title"]
    choice.options.value = option
    choice.control.input.value = "theirs"
    conflict(form).button.click()
    assert form.button.disabled
    assert not form.dirty
    assert "Nothing is changed yet" in texts(form)
    assert other.source(NAME) == theirs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "mine", "theirs"),
    [
        ("was", "mine\nin lines", "theirs\r\nin lines"),
        ("was", "mine\nin lines", "theirs\nin\r\nmixed lines"),
        ("was\r\nhere", "mine\r\nin lines", "theirs"),
        ("was", "", "theirs"),
    ],
)
def test_keeping_mine_sends_the_exact_text(
    client: rnb.Client, other: rnb.Client, base: str, mine: str, theirs: str
) -> None:
    other.update_source(NAME, description=base)
    form = opened(client, description=mine)
    assert form.controls["description"].entry().value == mine
    other.update_source(NAME, description=theirs)
    press(form)
    choices(form)["description"].options.value = MINE
    conflict(form).button.click()
    press(form)
    assert other.source(NAME).description == mine


def test_detaching_a_bucket_is_a_choice_too(client: rnb.Client, other: rnb.Client) -> None:
    bucket = next(b for b in client.buckets()["id"] if b != client.source(NAME).bucket_id)
    form = opened(client, bucket_id=None)
    other.update_source(NAME, bucket_id=bucket)
    press(form)
    choices(form)["bucket_id"].options.value = MINE
    conflict(form).button.click()
    press(form)
    assert other.source(NAME).bucket_id is None


@pytest.mark.slow
def test_a_second_change_by_others_stops_the_form_again(
    client: rnb.Client, other: rnb.Client
) -> None:
    form = opened(client, title="mine")
    for theirs in ("theirs", "theirs again"):
        other.update_source(NAME, title=theirs)
        press(form)
        assert choices(form)["title"].difference.theirs == theirs
        choices(form)["title"].options.value = MINE
        conflict(form).button.click()
    press(form)
    assert other.source(NAME).title == "mine"


def test_edits_are_not_lost_if_another_source_is_picked_in_between(
    client: rnb.Client, other: rnb.Client
) -> None:
    form = rnb.update_form(client)
    assert form.picker is not None
    for which in (NAME, "claims/property-inbox"):
        form.picker.input.value = which
        form.picker.button.click()
        form.picker._jobs.wait()
        if form.source == other.source(NAME):
            form.controls["title"].fill("mine")
            other.update_source(NAME, title="theirs")
            press(form)
    assert choices(form)["title"].difference.mine == "mine"
    assert "were not sent" in texts(form)


@pytest.mark.slow
@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_either_side_becomes_html(
    client: rnb.Client, other: rnb.Client, text: str
) -> None:
    form = opened(client, title=f"{text} mine")
    other.update_source(NAME, title=text, description=text)
    press(form)
    names = {name for value in html(conflict(form)) for name in Parsed(value).names}
    assert names <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert f"{text} mine" in texts(form)
