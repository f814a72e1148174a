"""The explorer's bulk edit tab, without a browser."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances

import reinfer_nb as rnb
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source, User
from reinfer_nb.widgets import Explorer, jobs
from reinfer_nb.widgets.explorer.bulk_edit_tab import BulkPane
from tests.test_markup import NASTY, Parsed
from tests.waiting import until
from tests.widgets.forms.test_forms import sent, texts, through

THREE = ["claims/motor-inbox", "claims/property-inbox", "claims/theft-chat"]
BULK = 4
CLOCKS = ["updated_at", "last_modified"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


@pytest.fixture
def ex(client: rnb.Client) -> Explorer:
    return rnb.explore(client)


def full_names(df: pd.DataFrame) -> list[str]:
    return (df["owner"] + "/" + df["name"]).tolist()


def select(ex: Explorer, *names: str) -> None:
    listing = full_names(ex.client.sources())
    ex.finder.select([listing.index(name) for name in names])


def opened(client: rnb.Client, *names: str) -> tuple[Explorer, BulkPane]:
    """Return an explorer with the bulk edit tab open and some sources selected, and the tab."""
    ex = rnb.explore(client)
    ex.tabs.selected_index = BULK
    select(ex, *(names or THREE))
    return ex, ex.bulk


def fill(bulk: BulkPane, field: str, raw: Any) -> None:
    """Fill in a raw value; None ticks the box that empties the field."""
    bulk.field.value = field
    if raw is None:
        bulk.emptied.value = True
    else:
        bulk.controls[field].input.value = raw


def show(bulk: BulkPane, field: str = "language", raw: Any = "de") -> str:
    fill(bulk, field, raw)
    bulk.show_plan.click()
    bulk.jobs.wait()
    return texts(bulk)


def wait_for_writes(ex: Explorer) -> None:
    """Wait until the writes and the refresh of the listing are done."""
    ex.bulk.jobs.wait()
    ex.jobs.wait()


def apply(ex: Explorer) -> str:
    ex.bulk.apply.click()
    wait_for_writes(ex)
    return texts(ex.bulk)


def is_shown(widget: Any) -> bool:
    """True if a widget is displayed."""
    return bool(widget.layout.display != "none")


def writes(client: rnb.Client) -> list[Any]:
    assert client.sandbox is not None
    asked = client.sandbox.requests
    return [a for a in asked if a.method != "GET" and "statistics" not in a.path]


def stored(client: rnb.Client) -> pd.DataFrame:
    assert client.sandbox is not None
    return client.sandbox.sources().sort_values("id").set_index("id")


def values(client: rnb.Client, field: str, names: list[str] = THREE) -> list[Any]:
    return [getattr(client.source(name), field) for name in names]


# The selection and the value


def test_a_tab_is_made_when_it_is_opened(shared: rnb.Client) -> None:
    ex = rnb.explore(shared)
    opening = len(_instances)
    ex.tabs.selected_index = BULK
    assert len(_instances) > opening + 50
    made = len(_instances)
    ex.tabs.selected_index = 0
    ex.tabs.selected_index = BULK
    assert len(_instances) == made
    ex.close()


def test_it_is_the_last_tab_and_says_how_many_are_selected(ex: Explorer) -> None:
    assert ex.tabs.titles[-1] == "Bulk edit"
    bulk = ex.bulk
    assert ex.tabs.children[-1].children == (bulk,)
    assert "No source is selected." in texts(ex.bulk)
    assert "Ctrl or Cmd and a click adds a row" in texts(ex.bulk)
    select(ex, *THREE[:1])
    assert "1 source is selected." in texts(ex.bulk)
    assert "Ctrl or Cmd and a click adds a row" in texts(ex.bulk)
    select(ex, *THREE)
    assert "3 sources are selected." in texts(ex.bulk)
    assert "Ctrl" not in texts(ex.bulk)
    ex.search = "motor-inbox"
    assert "3 sources are selected, 2 of them not shown in the table." in texts(ex.bulk)
    ex.search = ""
    assert "3 sources are selected." in texts(ex.bulk)


@pytest.mark.slow
def test_the_fields_are_those_that_an_update_takes(ex: Explorer) -> None:
    expected = [field.name for field in fields_of(Source) if field.may("update")]
    assert [value for _, value in ex.bulk.field.options] == expected
    labels = [label for label, _ in ex.bulk.field.options]
    assert labels[:3] == ["Title", "Language", "Kind"]
    for name in expected:
        ex.bulk.field.value = name
        box = ex.bulk._filled.children[0]
        assert box is ex.bulk.controls[name].box
        assert box.children[0].description in labels


@pytest.mark.slow
def test_a_plan_takes_a_selection_and_a_value(ex: Explorer) -> None:
    bulk = ex.bulk
    assert bulk.show_plan.disabled
    select(ex, *THREE)
    assert bulk.show_plan.disabled
    fill(bulk, "title", "Claims")
    assert not bulk.show_plan.disabled
    fill(bulk, "title", "")
    assert bulk.show_plan.disabled
    fill(bulk, "email_transform_version", "seven")
    assert bulk.show_plan.disabled
    assert "must be a whole number" in texts(bulk)
    fill(bulk, "email_transform_version", "7")
    assert not bulk.show_plan.disabled
    assert "must be" not in texts(bulk)
    assert "Was" not in texts(bulk)
    select(ex)
    assert bulk.show_plan.disabled
    # Not even by late clicks.
    bulk.show_plan.click()
    bulk.apply.click()
    assert not bulk.jobs.running
    assert writes(ex.client) == []


def test_only_what_can_be_empty_can_be_emptied(ex: Explorer) -> None:
    can = []
    for _, name in ex.bulk.field.options:
        ex.bulk.field.value = name
        can += [name] * (ex.bulk.emptied in ex.bulk._filled.children)
    assert can == ["title", "bucket_id", "sensitive_properties", "description"]


def test_a_tick_counts_for_its_field_alone_and_leaves_what_is_typed(ex: Explorer) -> None:
    bulk = ex.bulk
    fill(bulk, "title", "Claims")
    bulk.emptied.value = True
    assert bulk.controls["title"].input.disabled
    assert "browser would change" not in texts(bulk)
    bulk.field.value = "description"
    assert not bulk.emptied.value
    assert not bulk.controls["description"].input.disabled
    bulk.field.value = "title"
    assert not bulk.controls["title"].input.disabled
    assert bulk.controls["title"].input.value == "Claims"


# The plan and its apply


def updates(way: rnb.Client) -> list[Any]:
    """The settings that were sent; a count of comments sends none."""
    return [settings for settings in sent(way, "POST") if settings is not None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("title", "Claims & more", "Claims & more"),
        ("title", None, ""),
        ("description", "One line\nand another", "One line\nand another"),
        ("description", None, ""),
        ("language", "de", "de"),
        ("kind", "chat", "chat"),
        ("kind", "letters", "letters"),
        ("bucket_id", "0123456789abcdef", "0123456789abcdef"),
        ("bucket_id", None, None),
        ("email_transform_tag", "generic.0.CONVKER5", "generic.0.CONVKER5"),
        ("should_translate", "yes", True),
        ("should_translate", "no", False),
        ("sensitive_properties", "salary\nname", ("salary", "name")),
        ("sensitive_properties", None, ()),
        ("email_transform_version", "0", 0),
    ],
)
def test_every_field_can_be_set_and_is_the_only_one(
    client: rnb.Client, field: str, raw: str | None, value: object
) -> None:
    if field == "bucket_id" and raw:
        raw = value = client.buckets()["id"].iloc[-1]
    # Values that differ from the new ones.
    others: dict[str, Any] = {
        "title": "x",
        "description": "x",
        "language": "xlm",
        "kind": "call",
        "bucket_id": client.buckets()["id"].iloc[0],
        "should_translate": value is False,
        "sensitive_properties": ["x"],
        "email_transform_version": 5,
    }
    df = client.sources()
    names = full_names(df[df["email_transform_tag"].isna()])[:3]
    for name in names:
        if field in others:
            client.update_source(name, **{field: others[field]})
    before = stored(client)
    with through(client, lambda _: None) as way:
        ex, bulk = opened(way, *names)
        assert "3 sources to update (3 fields)" in show(bulk, field, raw)
        assert updates(way) == []
        assert bulk.apply.description == "Apply to 3 sources"
        assert "3 of 3 sources are done." in apply(ex)
        wire = next(known.wire for known in fields_of(Source) if known.name == field)
        body = {wire: list(value) if isinstance(value, tuple) else value}
        assert updates(way) == [body] * 3
    assert values(client, field, names) == [value] * 3
    after = stored(client)
    pd.testing.assert_frame_equal(
        after.drop(columns=[field, *CLOCKS]), before.drop(columns=[field, *CLOCKS])
    )
    assert int((after["updated_at"] != before["updated_at"]).sum()) == 3


@pytest.mark.slow
def test_the_plan_is_shown_before_and_the_result_after(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    assert bulk.apply.disabled
    assert not is_shown(bulk.undo)
    assert not is_shown(bulk.retry)
    text = show(bulk)
    assert "Nothing is written before it is applied." in text
    assert all(name in text for name in THREE)
    assert bulk.plan is not None
    assert bulk.plan.to_html() in bulk._plan.value
    assert writes(client) == []
    assert not bulk.apply.disabled
    text = apply(ex)
    assert bulk.result is not None
    assert bulk.result.counts == {"done": 3}
    assert bulk.result.plan is bulk.plan
    assert bulk._result.value == bulk.result.to_html()
    assert bulk._plan.value == ""
    assert bulk.apply.disabled
    # The table shows the new values; the selection and the result stay.
    assert ex.selected["language"].tolist() == ["de"] * 3
    assert set(full_names(ex.selected)) == set(THREE)
    assert "Applied to" in text


@pytest.mark.slow
def test_nothing_that_would_change_is_said(client: rnb.Client) -> None:
    for name in THREE:
        client.update_source(name, language="de")
    _, bulk = opened(client)
    assert "No changes: all selected sources already have this value." in show(bulk)
    assert bulk.apply.disabled


@pytest.mark.slow
def test_the_plan_begins_with_what_the_tenant_has_by_now(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    client.update_source(THREE[0], language="de", title="Theirs")
    text = show(bulk)
    assert "2 sources to update" in text
    assert THREE[0] not in text
    assert "2 of 2 sources are done." in apply(ex)
    assert client.source(THREE[0]).title == "Theirs"


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda ex: select(ex, *THREE[:2]),
        select,
        lambda ex: setattr(ex.bulk.field, "value", "title"),
        lambda ex: setattr(ex.bulk.controls["language"].input, "value", "xlm"),
        lambda ex: setattr(ex.bulk.controls["language"].input, "value", ""),
    ],
)
def test_a_plan_of_something_else_is_taken_away(
    client: rnb.Client, change: Callable[[Explorer], object]
) -> None:
    ex, bulk = opened(client)
    show(bulk)
    change(ex)
    assert bulk._plan.value == ""
    assert "The selection or the value has changed. Show the plan again." in texts(bulk)
    assert bulk.apply.disabled
    assert bulk.apply.description == "Apply"
    # Also with the earlier selection and value again, and with a late click.
    select(ex, *THREE)
    fill(bulk, "language", "de")
    bulk.apply.click()
    wait_for_writes(ex)
    assert bulk.apply.disabled
    assert writes(client) == []


@pytest.mark.slow
def test_a_tick_takes_the_plan_away_too(client: rnb.Client) -> None:
    _, bulk = opened(client)
    show(bulk, "title", "Claims")
    bulk.emptied.value = True
    assert bulk._plan.value == ""
    assert "To update" in show(bulk, "title", None)
    bulk.emptied.value = False
    assert bulk._plan.value == ""


@pytest.mark.slow
def test_what_leaves_the_selection_alone_leaves_the_plan(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    show(bulk)
    ex.search = "motor"
    ex.search = ""
    ex.reload.click()
    ex.jobs.wait()
    assert not bulk.apply.disabled
    assert "3 of 3 sources are done." in apply(ex)


@pytest.mark.slow
def test_another_source_in_the_same_place_takes_the_plan_away(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    show(bulk)
    client.delete_source(THREE[0])
    client.create_source(THREE[0])
    ex.reload.click()
    ex.jobs.wait()
    assert bulk._plan.value == ""
    assert bulk.apply.disabled


@pytest.mark.slow
def test_a_plan_that_comes_too_late_is_not_shown(client: rnb.Client) -> None:
    assert client.sandbox is not None
    ex, bulk = opened(client)
    fill(bulk, "language", "de")
    with client.sandbox.faults.add(rnb.Fault.wait(0.5, on="list_sources")):
        bulk.show_plan.click()
        assert bulk.show_plan.disabled
        select(ex, *THREE[:2])
        bulk.jobs.wait()
    assert "The selection or the value has changed" in texts(bulk)
    assert bulk._plan.value == ""
    assert bulk.apply.disabled


@pytest.mark.slow
def test_problems_are_shown_and_nothing_can_be_applied(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    fill(bulk, "bucket_id", "ffffffffffffffff")
    assert "names no bucket: 'ffffffffffffffff'" in texts(bulk)
    assert bulk.show_plan.disabled
    client.delete_source(THREE[0])
    text = show(bulk, "language", "de")
    assert "The plan cannot be applied." in text
    assert "1 problem" in text
    assert "the source was deleted" in text
    bulk.apply.click()
    wait_for_writes(ex)
    assert [a.method for a in writes(client)] == ["DELETE"]


@pytest.mark.slow
def test_what_somebody_else_changes_meanwhile_is_left_alone(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    show(bulk)
    client.update_source(THREE[1], language="xlm", title="Theirs")
    text = apply(ex)
    assert "2 of 3 sources are done." in text
    assert values(client, "language") == ["de", "xlm", "de"]
    assert bulk.result is not None
    assert bulk.result.counts == {"done": 2, "moved": 1}
    assert f"{THREE[1]}language" in text
    assert "dexlm" in text.split("Changed remotely")[1]
    # A source that was changed remotely is not retried; it needs a new plan.
    assert not is_shown(bulk.retry)
    assert "1 source to update" in show(bulk)


@pytest.mark.slow
def test_a_double_click_applies_once(client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.5)
    ex, bulk = opened(client)
    show(bulk)
    for _ in range(3):
        bulk.apply.click()
    wait_for_writes(ex)
    bulk.apply.click()
    wait_for_writes(ex)
    assert len(writes(client)) == 3


# Stop, undo and retry


@pytest.mark.slow
def test_stopping_loses_nothing(client: rnb.Client) -> None:
    assert client.sandbox is not None
    names = full_names(client.sources())[:40]
    ex, bulk = opened(client, *names)
    show(bulk, "title", "All alike")
    messages: list[str] = []
    bulk._said.observe(lambda change: messages.append(Parsed(change["new"]).text), "value")
    assert not is_shown(bulk.stop)
    with client.sandbox.faults.add(rnb.Fault.wait(0.2, on="update_source")):
        bulk.apply.click()
        assert is_shown(bulk.stop)
        assert bulk.apply.disabled
        until(lambda: any("Applying: " in line for line in messages))
        bulk.stop.click()
        assert bulk.stop.disabled
        wait_for_writes(ex)
    result = bulk.result
    assert result is not None
    assert set(result.counts) == {"done", "left"}
    assert result.counts["done"] + result.counts["left"] == 40
    assert values(client, "title", names).count("All alike") == result.counts["done"]
    text = texts(bulk)
    assert "It was stopped." in text
    assert f"{result.counts['done']} of 40 sources are done." in text
    assert any("waiting for requests that were sent" in line for line in messages)
    assert not is_shown(bulk.stop)
    # A late click on Stop does not affect the next job.
    bulk.stop.click()
    assert "Stopping" not in texts(bulk)
    bulk.retry.click()
    wait_for_writes(ex)
    assert "40 of 40 sources are done." in texts(bulk)
    assert values(client, "title", names) == ["All alike"] * 40


@pytest.mark.slow
def test_undo_shows_its_plan_and_puts_back(client: rnb.Client) -> None:
    before = stored(client)
    ex, bulk = opened(client)
    show(bulk, "title", "All alike")
    apply(ex)
    assert is_shown(bulk.undo)
    sent_so_far = len(writes(client))
    bulk.undo.click()
    bulk.jobs.wait()
    assert bulk.apply.description == "Put back 3 sources"
    assert "Motor claims inbox" in Parsed(bulk._plan.value).text
    assert len(writes(client)) == sent_so_far
    # It is a plan for what was applied, whatever is selected by now.
    select(ex, *THREE[:1])
    fill(bulk, "title", "Another")
    assert bulk.apply.description == "Put back 3 sources"
    assert "3 of 3 sources are done." in apply(ex)
    pd.testing.assert_frame_equal(stored(client).drop(columns=CLOCKS), before.drop(columns=CLOCKS))
    # The next plan is no undo plan.
    select(ex, *THREE)
    show(bulk)
    assert bulk.apply.description == "Apply to 3 sources"


@pytest.mark.slow
def test_what_failed_is_tried_again(client: rnb.Client) -> None:
    assert client.sandbox is not None
    ex, bulk = opened(client)
    show(bulk)
    with client.sandbox.faults.add(rnb.Fault.answer(400, on="update_source", times=2)):
        text = apply(ex)
    assert "1 of 3 sources are done." in text
    assert "Not done" in text
    assert is_shown(bulk.retry)
    bulk.retry.click()
    wait_for_writes(ex)
    assert "3 of 3 sources are done." in texts(bulk)
    assert values(client, "language") == ["de"] * 3
    assert ex.selected["language"].tolist() == ["de"] * 3
    assert not is_shown(bulk.retry)
    assert len([a for a in writes(client) if a.status == 200]) == 3
    # Undo covers the sources of both attempts.
    bulk.undo.click()
    bulk.jobs.wait()
    assert bulk.apply.description == "Put back 3 sources"
    assert is_shown(bulk._between)
    assert "3 of 3 sources are done." in apply(ex)
    assert not is_shown(bulk._between)
    assert "de" not in values(client, "language")


@pytest.mark.slow
def test_what_may_not_be_written_is_said(
    client: rnb.Client, viewer: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex, bulk = opened(viewer)
    text = show(bulk)
    assert "lacks sources-admin" in text
    assert bulk.show_plan.disabled
    assert bulk.plan is None
    # Rights that were lost since the explorer has asked for them.
    monkeypatch.setattr(User, "may", lambda *_: True)
    ex, bulk = opened(viewer)
    show(bulk)
    assert "0 of 3 sources are done." in apply(ex)
    assert not is_shown(bulk.undo)
    assert "de" not in values(client, "language")


@pytest.mark.slow
def test_an_error_leaves_what_is_filled_in(client: rnb.Client) -> None:
    assert client.sandbox is not None
    ex, bulk = opened(client)
    with client.sandbox.faults.add(rnb.Fault.answer(403, on="list_sources", message="Not today")):
        assert "Not today" in show(bulk)
    assert 'role="alert"' in bulk._said.value
    assert bulk.controls["language"].input.value == "de"
    assert "3 sources are selected" in texts(bulk)
    assert "3 sources to update" in show(bulk)
    assert "Not today" not in texts(bulk)
    assert "3 of 3 sources are done." in apply(ex)


@pytest.mark.slow
def test_without_a_journal_nothing_is_written(
    client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex, bulk = opened(client)
    show(bulk)
    (tmp_path / "file").write_text("")
    with monkeypatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
        assert "journal" in apply(ex)
    assert 'role="alert"' in bulk._said.value
    assert writes(client) == []
    # The plan is still shown.
    assert "3 of 3 sources are done." in apply(ex)


# Safety


@pytest.mark.slow
def test_the_repr_tells_nothing_of_the_tenant(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    show(bulk, "title", "Secret")
    apply(ex)
    assert repr(bulk) == "Bulk edit of the sources"


@pytest.mark.slow
@pytest.mark.parametrize("text", NASTY)
def test_no_text_becomes_html(client: rnb.Client, text: str) -> None:
    client.update_source(THREE[0], title=text)
    ex, bulk = opened(client)
    shown = [show(bulk, "title", f"{text}!")]
    client.update_source(THREE[0], title=f"{text}?")
    shown.append(apply(ex))
    assert all(text in text_of_tab for text_of_tab in shown)
    for html in (bulk._plan, bulk._result, bulk._said, bulk._chosen):
        names = {name for name, _ in Parsed(html.value).elements}
        assert not names & {"script", "img", "textarea", "a"}


# Several fields, and a value for each source


@pytest.mark.slow
def test_several_fields_are_set_at_once(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    fill(bulk, "language", "de")
    bulk.add.click()
    assert bulk.others == {"language": "de"}
    assert "Language: de" in texts(bulk)
    assert bulk.field.value == "title"
    fill(bulk, "title", "Three at once")
    text = show(bulk, "title", "Three at once")
    assert "3 sources to update (6 fields)" in text
    # Another set of fields takes the plan away.
    (line,) = bulk._set.children
    line.children[-1].click()
    assert bulk.others == {}
    assert bulk.apply.disabled
    fill(bulk, "language", "de")
    bulk.add.click()
    show(bulk, "title", "Three at once")
    apply(ex)
    assert values(client, "language") == ["de"] * 3
    assert values(client, "title") == ["Three at once"] * 3


@pytest.mark.slow
def test_a_table_gives_each_source_its_own_values(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    bulk.field.value = "title"
    bulk.by_table.value = True
    assert bulk.show_plan.disabled
    bulk.fill.click()
    head, *lines = csv.reader(bulk.table.value.splitlines())
    assert head == ["owner", "name", "title"]
    assert [line[1] for line in lines] == [name.split("/")[1] for name in THREE]
    # What was filled in changes nothing.
    bulk.show_plan.click()
    bulk.jobs.wait()
    assert "No changes" in texts(bulk)
    lines[0][2] = "Edited here"
    # A spreadsheet gives tabs.
    bulk.table.value = "\n".join("\t".join(line) for line in (head, *lines))
    bulk.show_plan.click()
    bulk.jobs.wait()
    assert bulk.apply.description == "Apply to 1 source"
    select(ex)
    assert not bulk.apply.disabled
    apply(ex)
    assert client.source(THREE[0]).title == "Edited here"
    assert len([a for a in writes(client) if a.method == "POST"]) == 1


@pytest.mark.slow
def test_a_table_takes_names_of_buckets_and_empties_fields(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    bucket = client.buckets().iloc[3]
    bulk.by_table.value = True
    name = f"{bucket['owner']}/{bucket['name']}"
    bulk.table.value = (
        f'owner\tname\tbucket_id\ttitle\nclaims\tmotor-inbox\t{name}\t""\n'
        "claims\tproperty-inbox\t\tNew\n"
    )
    text = show(bulk)
    assert f"{name} ({bucket['id']})" in text
    apply(ex)
    source = client.source("claims/motor-inbox")
    assert (source.bucket_id, source.title) == (bucket["id"], "")
    other = client.source("claims/property-inbox")
    assert (other.bucket_id, other.title) == (None, "New")
    # A row is named as in the table, below its headings.
    bulk.table.value = "owner,name,language\nclaims,motor-inbox,de\nclaims,glass-inbox,xx xx\n"
    assert re.search(r"\b3\b", show(bulk).partition("cannot be applied")[2])


@pytest.mark.slow
def test_a_result_without_a_change_keeps_what_can_be_undone(client: rnb.Client) -> None:
    ex, bulk = opened(client)
    show(bulk, "title", "All alike")
    apply(ex)
    select(ex, THREE[0])
    show(bulk, "title", "Another")
    client.update_source(THREE[0], title="Theirs")
    assert "0 of 1 source is done." in apply(ex)
    bulk.undo.click()
    bulk.jobs.wait()
    assert bulk.apply.description == "Put back 3 sources"
    assert "changed since: it will be left alone" in texts(bulk)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words", "sets no field"),
        ("title\nx", "needs the column 'id', or both 'owner' and 'name'"),
        ("owner,name\nclaims,motor-inbox", "sets no field"),
        ("owner,name,title\nclaims,motor-inbx,x", "There is no source 'claims/motor-inbx'"),
        ("owner,name,should_translate\nclaims,motor-inbox,perhaps", "perhaps"),
        ("owner,name,titel\nclaims,motor-inbox,x", "sets no field"),
        ('owner,name,title\nclaims,motor-inbox,"x', "quote"),
    ],
)
def test_what_is_no_table_of_values_is_said(ex: Explorer, text: str, message: str) -> None:
    bulk = ex.bulk
    bulk.by_table.value = True
    bulk.table.value = text
    bulk.show_plan.click()
    bulk.jobs.wait()
    assert message in texts(bulk)
    assert bulk.table.value == text
    assert bulk.apply.disabled
    assert writes(ex.client) == []
