"""Fields that a tenant did not take, and creates of which it is unclear whose they are.

The tenants here are sandboxes behind a server that changes a request or a response.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault, cli
from reinfer_nb.api import safe_write, tenant_clock
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.schema.records import Source
from tests.scripted import Asked, Scripted, Step, relay, reply
from tests.widgets.forms.test_forms import opened, press, texts

NAME = "claims/motor-inbox"
LOOKS = ["get_source", "get_source_by_id"]


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


@contextmanager
def through(client: rnb.Client, onward: Callable[[Asked], bytes]) -> Iterator[rnb.Client]:
    """Connect to the client's sandbox through a server that handles requests with `onward`."""
    with (
        Scripted(Step(onward), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=box_of(client).tokens["admin"]) as made,
    ):
        yield made


def without(client: rnb.Client, *names: str) -> Callable[[Asked], bytes]:
    """Return a function that relays requests without some settings, so they are not taken."""
    onward = relay(client.endpoint)

    def carried(asked: Asked) -> bytes:
        body = asked.body
        if asked.method in ("PUT", "POST") and not asked.path.endswith("statistics"):
            source = json.loads(body)["source"]
            kept = {name: value for name, value in source.items() if name not in names}
            body = json.dumps({"source": kept}).encode()
        headers = dict(asked.headers) | {"content-length": str(len(body))}
        return onward(Asked(asked.method, asked.path, headers, body))

    return carried


@pytest.fixture
def stubborn(client: rnb.Client) -> Iterator[rnb.Client]:
    """A client of a tenant that takes neither a language nor a kind, and reports success."""
    with through(client, without(client, "language", "_kind")) as made:
        yield made


# Fields not taken


def test_a_recreate_that_was_not_taken_warns_too(stubborn: rnb.Client, tmp_path: Path) -> None:
    with pytest.warns(rnb.NotTakenWarning):
        stubborn.create_source("claims/fresh", language="en", kind="chat")
    gone = Source.from_wire(stubborn.source(NAME).to_wire() | {"language": "de", "name": "other"})
    with pytest.warns(rnb.NotTakenWarning, match="language"):
        stubborn.recreate_source(gone)
    source = stubborn.delete_source("claims/other", restore_file=tmp_path / "kept.json")
    assert source.language == "en"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "returned", "names"),
    [
        ({"sensitive_properties": ["a", "b"]}, {"sensitive_properties": ["b", "a"]}, ()),
        ({"sensitive_properties": []}, {"sensitive_properties": None}, ()),
        ({"sensitive_properties": ["a"]}, {}, ()),
        ({"sensitive_properties": ["a"]}, {"sensitive_properties": []}, ("sensitive_properties",)),
        ({"description": ""}, {}, ()),
        ({"description": ""}, {"description": None}, ()),
        ({"description": ""}, {"description": "still"}, ("description",)),
        ({"bucket_id": None}, {}, ()),
        ({"bucket_id": None}, {"bucket_id": "0" * 16}, ("bucket_id",)),
        ({"bucket_id": "0" * 16}, {}, ("bucket_id",)),
        ({"language": "de"}, {}, ()),
        ({"language": "de"}, {"language": "en"}, ("language",)),
        ({"kind": "chat"}, {"_kind": "unknown"}, ("kind",)),
        ({"should_translate": True}, {"should_translate": False}, ("should_translate",)),
        ({"email_transform_version": 5}, {"email_transform_version": 5.0}, ()),
        ({"email_transform_version": 5}, {}, ("email_transform_version",)),
        ({"email_transform_tag": "generic.0.A"}, {}, ("email_transform_tag",)),
        ({"email_transform_tag": "a"}, {"email_transform_tag": None}, ("email_transform_tag",)),
        ({"title": "x"}, {"title": None}, ("title",)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["create", "update"])
def test_what_counts_as_not_taken(
    kind: str, sent: dict[str, Any], returned: dict[str, Any], names: tuple[str, ...]
) -> None:
    one = {"id": "0" * 16, "owner": "lab", "name": "one"} | returned
    with (
        Scripted(reply({"status": "ok", "source": one})) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        ways: dict[str, Callable[..., Source]] = {
            "create": client.create_source,
            "update": client.update_source,
        }
        if names:
            with pytest.warns(rnb.NotTakenWarning, match=names[0]):
                ways[kind]("lab/one", **sent)
        else:
            ways[kind]("lab/one", **sent)


def language_plan(client: rnb.Client, **settings: str) -> rnb.Plan:
    rows = client.sources("claims", refresh=True)[["id", "owner", "name"]].head(2)
    return client.plan(rows.assign(language="xlm", **settings), project="claims")


@pytest.mark.slow
def test_a_second_plan_has_the_step_and_notes_that_it_was_not_taken(stubborn: rnb.Client) -> None:
    language_plan(stubborn).apply(progress=False)
    plan = language_plan(stubborn)
    assert len(plan.steps) == 2
    (note,) = (note for note in plan.notes if "did not take" in note)
    assert f"language of {NAME}" in note
    # Another value was not sent before.
    rows = stubborn.sources("claims")[["id", "owner", "name"]].head(1).assign(language="de")
    assert not any("did not take" in note for note in stubborn.plan(rows).notes)


def test_fields_not_taken_by_another_tenant_are_not_noted(
    client: rnb.Client, stubborn: rnb.Client
) -> None:
    language_plan(client).apply(progress=False)
    # The memory is per tenant.
    assert not any("did not take" in note for note in language_plan(stubborn).notes)


# Whose create it was


def fresh(client: rnb.Client, title: str = "x") -> rnb.Plan:
    rows = pd.DataFrame({"owner": ["claims"], "name": ["fresh"], "title": [title]})
    return client.plan(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "others",
    [{"description": "theirs"}, {"language": "de"}, {"kind": "chat"}, {"should_translate": True},
     {"sensitive_properties": ["a"]}],
    ids=str,
)  # fmt: skip
def test_a_source_with_other_settings_is_somebody_elses(
    client: rnb.Client, others: dict[str, Any]
) -> None:
    client._transport.patience = Patience(backoff=0.3)
    theirs: list[Source] = []
    with through(client, relay(client.endpoint)) as other:

        def make() -> None:
            theirs.append(other.create_source("claims/fresh", title="x", **others))

        box_of(client).faults.add(Fault.answer(502, on="create_source", times=1))

        def onward(asked: Asked) -> bytes:
            response = relay(client.endpoint)(asked)
            if asked.method == "PUT" and not theirs:
                make()
            return response

        with through(client, onward) as mine:
            mine._transport.patience = Patience(backoff=0.01)
            with pytest.raises(rnb.Conflict) as caught:
                mine.create_source("claims/fresh", title="x")
    assert [caught.value.existing] == theirs


@pytest.mark.usefixtures("coarse_clock")
def test_another_order_of_a_set_is_no_conflict(client: rnb.Client) -> None:
    onward = relay(client.endpoint)
    dropped: list[Asked] = []

    def turned(asked: Asked) -> bytes:
        response = onward(asked)
        if asked.method == "PUT" and not dropped:
            dropped.append(asked)
            return reply({"status": "error"}, 502)
        return response.replace(b'["a","b"]', b'["b","a"]')

    with through(client, turned) as mine:
        mine._transport.patience = Patience(backoff=0.01)
        with pytest.warns(rnb.InDoubtWarning):
            made = mine.create_source("claims/fresh", sensitive_properties=["a", "b"])
    assert made.sensitive_properties == ("b", "a")


@pytest.mark.slow
def test_a_slow_create_whose_response_was_lost_is_ours(client: rnb.Client) -> None:
    # Created after the first attempt by more than the resolution of the tenant's clock.
    plan = fresh(client)
    box_of(client).faults.add(Fault.wait(2 * tenant_clock.RESOLUTION, on="create_source", times=1))
    box_of(client).faults.add(Fault.drop(on="create_source", after=True, times=1))
    result = plan.apply(progress=False)
    assert result.counts == {"done": 1}
    assert result.outcomes[0].in_doubt is False
    assert [step.kind for step in result.undo().steps] == ["delete"]


def test_the_journal_holds_the_first_attempt_by_the_tenants_clock(
    client: rnb.Client, tmp_path: Path
) -> None:
    plan = fresh(client)
    before = datetime.now(UTC)
    plan.apply(progress=False, journal=tmp_path / "journal")
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    (begun,) = (line for line in lines if line.get("status") == "begun")
    earliest, latest = map(datetime.fromisoformat, begun["first_try"])
    assert earliest <= datetime.now(UTC)
    assert latest >= before
    assert latest - earliest < timedelta(minutes=1)


# The look before a write


def test_a_delete_looks_once_before_and_once_after(client: rnb.Client) -> None:
    base = client.source(NAME)
    before = len(box_of(client).requests)
    safe_write.delete(client.calls, base)
    assert [one.method for one in box_of(client).requests[before:]] == [
        "GET",
        "DELETE",
        # The look if the source is gone.
        "GET",
    ]


@pytest.mark.slow
def test_the_time_to_write_the_restore_file_counts_as_part_of_the_look(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from reinfer_nb.api import restore_files

    base = client.source(NAME)
    keep = restore_files.write

    def slowly(*arguments: Any) -> None:
        keep(*arguments)
        client.update_source(NAME, description="theirs")
        threading.Event().wait(1.2)

    monkeypatch.setattr(restore_files, "write", slowly)
    with pytest.raises(rnb.Moved):
        safe_write.delete(client.calls, base, tmp_path / "kept.json")
    assert client.source(NAME).description == "theirs"


@pytest.mark.slow
def test_if_every_look_is_slow_the_last_one_counts(client: rnb.Client) -> None:
    base = client.source(NAME)
    box_of(client).faults.add(Fault.wait(1.1, on=LOOKS))
    before = len(box_of(client).requests)
    safe_write.update(client.calls, base, {"title": "mine"})
    methods = [one.method for one in box_of(client).requests[before:]]
    assert methods == ["GET"] * 3 + ["POST"]


def test_a_write_to_another_source_of_the_same_name_is_reported(client: rnb.Client) -> None:
    base = client.source(NAME)
    onward = relay(client.endpoint)

    def carried(asked: Asked) -> bytes:
        if asked.method == "POST":
            with rnb.connect(
                endpoint=client.endpoint, token=box_of(client).tokens["admin"]
            ) as other:
                other.recreate_source(other.delete_source(NAME))
        return onward(asked)

    with through(client, carried) as mine, pytest.raises(rnb.Moved, match="that one") as caught:
        safe_write.update(mine.calls, base, {"title": "mine"})
    assert caught.value.in_doubt


# Deleted, or hidden


@contextmanager
def hidden(client: rnb.Client) -> Iterator[rnb.Client]:
    """Connect through a server that hides the project from a delete on."""
    onward = relay(client.endpoint)
    lost = threading.Event()
    no = reply({"status": "error", "message": "404 Not Found"}, 404)

    def carried(asked: Asked) -> bytes:
        if asked.method == "DELETE" and not lost.is_set():
            lost.set()
            return reply({"status": "error", "message": "down"}, 503)
        if not lost.is_set():
            return onward(asked)
        if asked.path.endswith("/auth/user"):
            response = onward(asked)
            content = json.loads(response.partition(b"\r\n\r\n")[2])
            content["user"]["organisation_permissions"].pop("claims", None)
            content["user"]["global_permissions"] = []
            return reply(content)
        return no if "claims" in asked.path or "id:" in asked.path else onward(asked)

    with through(client, carried) as made:
        made._transport.patience = Patience(backoff=0.01)
        yield made


def test_a_delete_in_doubt_that_is_hidden_stays_in_doubt(client: rnb.Client) -> None:
    base = client.source(NAME)
    for call in (
        lambda mine: mine.delete_source(NAME),
        lambda mine: safe_write.delete(mine.calls, base),
    ):
        with (
            hidden(client) as mine,
            pytest.raises(rnb.NotFound, match="404") as caught,
        ):
            call(mine)
        assert caught.value.in_doubt
    assert client.source(NAME) == base


def test_a_plan_does_not_report_a_source_that_is_hidden_during_its_delete_as_deleted(
    client: rnb.Client,
) -> None:
    listing = client.sources("claims")
    plan = client.plan(listing.iloc[1:], delete_missing=True)
    with hidden(client) as mine:
        object.__setattr__(plan, "client", mine)
        object.__setattr__(plan, "endpoint", mine.endpoint)
        result = plan.apply(progress=False)
        assert result.counts == {"failed": 1}
        assert "404" in result.frame["said"][0]
        assert "already deleted" not in result.to_text()
        result = result.retry(progress=False)
        assert result.counts == {"failed": 1}
    assert len(client.sources("claims", refresh=True)) == len(listing)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_a_plan_reports_a_deleted_source(client: rnb.Client, kind: str) -> None:
    listing = client.sources("claims")
    plan = (
        client.plan(listing.head(1).assign(title="mine"))
        if kind == "update"
        else client.plan(listing.iloc[1:], delete_missing=True)
    )
    client.delete_source(f"claims/{listing['name'][0]}")
    result = plan.apply(progress=False)
    assert result.counts == ({"moved": 1} if kind == "update" else {"skipped": 1})
    message = "no longer exists" if kind == "update" else "was already deleted"
    assert message in result.frame["said"][0]


def test_the_last_source_of_a_project_is_gone_if_the_user_may_see_the_project() -> None:
    rows = pd.DataFrame({"owner": ["a", "b"], "name": ["one", "two"]})
    with rnb.sandbox(rows) as client:
        base = client.source("a/one")
        assert not client.calls.is_gone(base)
        client.delete_source("a/one")
        assert client.calls.is_gone(base)
        with box_of(client).faults.add(Fault.answer(500, on="get_current_user")):
            assert not client.calls.is_gone(base)
        plan = client.plan(client.sources())
        assert len(plan.moved()) == 0


@pytest.mark.slow
def test_moved_does_not_report_a_hidden_source_as_deleted(client: rnb.Client) -> None:
    assert client.sandbox is not None
    viewer = rnb.connect(endpoint=client.endpoint, token=client.sandbox.tokens["viewer"])
    people = client.sources("people").head(1).assign(title="mine")
    plan = client.plan(people, project=None)
    object.__setattr__(plan, "project", None)
    with viewer:
        object.__setattr__(plan, "client", viewer)
        (what,) = plan.moved()["what"]
    assert what == "was deleted, or the token may not see it any more"
    object.__setattr__(plan, "client", client)
    client.delete_source(f"people/{people['name'].iloc[0]}")
    (what,) = plan.moved()["what"]
    assert what == "was deleted"


# Forms


def test_the_update_form_reports_fields_that_were_not_taken(stubborn: rnb.Client) -> None:
    form = opened(stubborn, language="xlm", title="mine")
    assert "may not take another value" not in form.controls["title"].note.value
    press(form)
    shown_text = texts(form)
    assert f"{NAME} is updated: title." in shown_text
    assert "did not take language (it is 'en')" in shown_text
    # A field that was not taken keeps its input, with a note.
    control = form.controls["language"]
    assert (control.base, control.input.value) == ("en", "xlm")
    assert "did not take it" in control.note.value
    assert stubborn.source(NAME).title == "mine"


def test_the_update_form_does_not_report_an_update_without_changes(stubborn: rnb.Client) -> None:
    form = opened(stubborn, language="xlm")
    press(form)
    assert "is updated" not in texts(form)
    assert "did not take language" in texts(form)


def test_the_create_form_reports_fields_that_were_not_taken(stubborn: rnb.Client) -> None:
    form = rnb.create_form(stubborn, "claims")
    form.name.value = "fresh"
    form.controls["language"].fill("de")
    press(form)
    assert "claims/fresh is created" in texts(form)
    assert "did not take language (it is 'en')" in texts(form)


def test_the_create_form_reports_a_create_without_proof(client: rnb.Client) -> None:
    form = rnb.create_form(client, "claims")
    form.name.value = "fresh"
    box_of(client).faults.add(Fault.drop(on="create_source", after=True, times=1))
    press(form)
    assert "is created" not in texts(form)
    assert "or by somebody else at the same time" in texts(form)
    assert form.result == client.source("claims/fresh")


def test_only_update_forms_note_fields_that_may_be_fixed(client: rnb.Client) -> None:
    update, create = rnb.update_form(client, NAME), rnb.create_form(client)
    for name, control in update.controls.items():
        fixed = name in ("language", "kind")
        assert ("A tenant may not take another value" in control.note.value) is fixed
        assert "may not take" not in create.controls[name].note.value


def test_a_restore_reports_fields_that_were_not_taken(
    client: rnb.Client, stubborn: rnb.Client, tmp_path: Path
) -> None:
    # With few comments, which the form archives.
    name = "claims/recovery-chat"
    client.update_source(name, language="de")
    source = stubborn.source(name)
    form = rnb.delete_form(stubborn, source)
    form.jobs.wait()
    form.name.value = name
    press(form)
    form.restore_button.click()
    form.jobs.wait()
    assert "did not take language (it is 'en')" in texts(form)
    stubborn.delete_source(name, restore_file=tmp_path / "kept.json")
    # The recreated source was in English already.
    with pytest.warns(rnb.RestoredWarning):
        rnb.restore(stubborn, tmp_path / "kept.json")


def test_a_bulk_edit_reports_fields_that_were_not_taken(stubborn: rnb.Client) -> None:
    explorer = rnb.explore(stubborn)
    pane = explorer.bulk
    explorer.tabs.selected_index = explorer.tabs.titles.index("Bulk edit")
    explorer.finder.select([0, 1])
    pane.field.value = "language"
    pane.controls["language"].fill("xlm")
    pane.show_plan.click()
    pane.jobs.wait()
    pane.apply.click()
    pane.jobs.wait()
    assert pane.result is not None
    assert pane.result.counts == {"not taken": 2}
    assert "The tenant did not take language of 2." in texts(pane)


def test_the_command_line_has_an_exit_code_for_fields_not_taken(
    client: rnb.Client,
    stubborn: rnb.Client,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", stubborn.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", box_of(client).tokens["admin"])
    plan, journal = str(language_plan(stubborn).save(tmp_path / "plan")), str(tmp_path / "journal")
    assert cli.main(["apply", plan, "--yes", "--journal", journal]) == 1
    assert "did not take language" in capsys.readouterr().out
    assert cli.main(["resume", journal]) == 1
