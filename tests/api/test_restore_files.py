"""Restore files of deleted sources, and sources recreated from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.api import restore_files
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import settings_of
from reinfer_nb.widgets import jobs
from tests.scripted import Asked, Scripted, Step, relay, reply
from tests.widgets.forms.test_forms import deleting, press, texts

NAME = "claims/motor-inbox"
# With fewer comments, which a form archives.
SMALL = "claims/theft-inbox"
PLAIN = Source(id="18ba5ce699f8da1f", owner="claims", name="motor")
TEXTS = st.one_of(st.text(), st.sampled_from(["\ud800", "a\r\nb\x00", "../x", ""]))


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "source.json"


@pytest.fixture
def second() -> Iterator[rnb.Client]:
    """Another tenant."""
    with rnb.sandbox() as made:
        yield made


# The file


def test_a_restore_file_is_readable(client: rnb.Client, file: Path) -> None:
    client.update_source(NAME, title="Über <b>Motor</b>")
    gone = client.delete_source(NAME, restore_file=file)
    content = json.loads(file.read_text())
    assert content["format"] == "reinfer_nb restore file, version 1"
    assert "Its comments are in the archive, if there is one" in content["about"]
    assert "archive" not in content
    assert content["endpoint"] == client.endpoint
    assert content["source"]["title"] == "Über <b>Motor</b>"
    assert restore_files.read(file) == restore_files.RestoreFile(
        source=gone, endpoint=client.endpoint
    )
    assert client.sandbox is not None
    assert not any(token in file.read_text() for token in client.sandbox.tokens.values())


@pytest.mark.slow
@given(title=TEXTS, names=st.lists(TEXTS), extra=st.dictionaries(TEXTS, st.integers() | TEXTS))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
def test_a_source_is_read_back_as_it_was(
    tmp_path: Path, title: str, names: list[str], extra: dict[str, Any]
) -> None:
    more = {f"unknown {key}": value for key, value in extra.items()}
    source = replace(PLAIN, title=title, sensitive_properties=tuple(names), extra=more)
    path = tmp_path / "kept.json"
    path.unlink(missing_ok=True)
    restore_files.write(source, "https://x.example", path)
    assert restore_files.read(path).source == source


def test_an_existing_file_is_not_overwritten(client: rnb.Client, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("older")
    with pytest.raises(rnb.FileProblem, match="exists"):
        client.delete_source(NAME, restore_file=file)
    assert file.read_text() == "older"
    assert client.source(NAME).name == "motor-inbox"


@pytest.mark.parametrize("bad", ["file/under.json", "folder", "\0.json", "a\0b/x.json", "x" * 300])
def test_a_file_that_cannot_be_written_stops_the_delete(
    client: rnb.Client, tmp_path: Path, bad: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(rnb.FileProblem):
        client.delete_source(NAME, restore_file=f"{tmp_path}/{bad}")
    assert client.source(NAME).name == "motor-inbox"
    assert client.sandbox is not None
    assert "DELETE" not in [one.method for one in client.sandbox.requests]


def test_the_file_is_written_before_the_delete_is_sent(client: rnb.Client, file: Path) -> None:
    onward = relay(client.endpoint)
    names: list[Any] = []

    def respond(asked: Asked) -> bytes:
        if asked.method == "DELETE":
            names.append(json.loads(file.read_text())["source"]["name"])
        return onward(asked)

    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    with (
        Scripted(*[Step(respond)] * 3) as server,
        rnb.connect(endpoint=server.endpoint, token=token) as way,
    ):
        way.delete_source(NAME, restore_file=file)
        assert server.methods == ["GET", "DELETE", "GET"]
    assert names == ["motor-inbox"]


def test_a_rejected_delete_leaves_the_file(viewer: rnb.Client, file: Path) -> None:
    source = viewer.source(NAME)
    with pytest.raises(rnb.PermissionDenied):
        viewer.delete_source(source, restore_file=file)
    assert restore_files.read(file).source == source
    assert viewer.source(NAME) == source


# Its name


@given(TEXTS, TEXTS, TEXTS)
@settings(deadline=None)
def test_a_file_name_is_valid_on_every_system(owner: str, name: str, identifier: str) -> None:
    source = Source(id=identifier, owner=owner * 50, name=name * 50)
    path = restore_files.new_file(source, "folder")
    assert path.parent == Path("folder").resolve()
    assert len(path.name.encode()) < 255


def test_by_default_files_are_in_the_state_folder_of_the_user(tmp_path: Path) -> None:
    path = restore_files.new_file(PLAIN)
    assert path.parent == tmp_path / "state" / "reinfer_nb" / "restore"
    assert path.name.startswith("claims-motor-18ba5ce699f8da1f-")
    assert not path.parent.exists()


# Restoring


def test_a_source_is_recreated(client: rnb.Client, file: Path) -> None:
    settings = {"description": "two\r\nlines", "should_translate": True, "bucket_id": None}
    before = client.update_source(NAME, sensitive_properties=["b", "a"], kind="my-own", **settings)  # type: ignore[arg-type]
    client.delete_source(NAME, restore_file=file)
    with pytest.warns(rnb.RestoredWarning) as caught:
        made = rnb.restore(client, file)
    assert settings_of(made) == settings_of(before)
    assert client.source(NAME) == made
    assert made.id != before.id
    assert client.count_comments(NAME) == 0
    (warning,) = caught
    for part in (NAME, made.id, before.id, "Its comments cannot be restored"):
        assert part in str(warning.message)
    assert Path(warning.filename) == Path(__file__)


def test_the_settings_are_sent_unchanged(file: Path) -> None:
    source = replace(
        PLAIN, title="", language="fr", kind="calls", bucket_id="no bucket", extra={"new": 1}
    )
    created = reply({"status": "ok", "source": source.to_wire()})
    with (
        Scripted(created) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        restore_files.write(source, client.endpoint, file)
        with pytest.warns(rnb.RestoredWarning):
            rnb.restore(client, file)
        (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", "/api/v1/sources/claims/motor")
    assert json.loads(asked.body) == {
        "source": {
            "title": "",
            "language": "fr",
            "_kind": "calls",
            "bucket_id": "no bucket",
            "sensitive_properties": [],
        }
    }


def test_a_name_that_is_taken_is_a_conflict(client: rnb.Client, file: Path) -> None:
    client.delete_source(NAME, restore_file=file)
    existing = client.create_source(NAME, title="Another one")
    with pytest.raises(rnb.Conflict) as caught:
        rnb.restore(client, file)
    assert caught.value.existing == existing
    assert client.source(NAME) == existing


def test_another_tenant_needs_the_argument(
    client: rnb.Client, second: rnb.Client, file: Path
) -> None:
    client.delete_source(NAME, restore_file=file)
    second.delete_source(NAME)
    with pytest.raises(rnb.InvalidInput) as caught:
        rnb.restore(second, file)
    for part in (client.endpoint, second.endpoint, "another_tenant=True"):
        assert part in str(caught.value)
    with pytest.raises(rnb.NotFound):
        second.source(NAME)
    with pytest.warns(rnb.RestoredWarning):
        rnb.restore(second, file, another_tenant=True)
    assert second.source(NAME).title == "Motor claims inbox"


# Invalid files


def changed(file: Path, **changes: Any) -> bytes:
    return json.dumps(json.loads(file.read_text()) | changes).encode()


def test_a_truncated_file_is_rejected(shared: rnb.Client, file: Path) -> None:
    restore_files.write(shared.source(NAME), shared.endpoint, file)
    whole = file.read_bytes().rstrip()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(rnb.FileProblem, match=r"source\.json"):
            rnb.restore(shared, file)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "reinfer_nb restore file, version 2"},
        {"format": None},
        {"endpoint": None},
        {"endpoint": 5},
        {"source": None},
        {"source": []},
        {"source": {"id": "18ba5ce699f8da1f", "name": "motor"}},
    ],
)
def test_a_changed_file_is_rejected(
    shared: rnb.Client, file: Path, changes: dict[str, Any]
) -> None:
    restore_files.write(shared.source(NAME), shared.endpoint, file)
    file.write_bytes(changed(file, **changes))
    assert shared.sandbox is not None
    before = len(shared.sandbox.requests)
    with pytest.raises(rnb.FileProblem, match=r"source\.json"):
        rnb.restore(shared, file)
    assert len(shared.sandbox.requests) == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"5", b"null", b"\xff\xfe", b"id,owner\n1,2\n", b"[" * 10**5, b"{}"]
)
def test_another_kind_of_file_is_rejected(
    shared: rnb.Client, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "foreign.json").write_bytes(content)
    with pytest.raises(rnb.FileProblem, match=r"foreign\.json"):
        rnb.restore(shared, tmp_path / "foreign.json")


def test_a_missing_file_and_a_folder_are_rejected(shared: rnb.Client, tmp_path: Path) -> None:
    with pytest.raises(rnb.FileProblem, match="No such file"):
        rnb.restore(shared, tmp_path / "nothing.json")
    with pytest.raises(rnb.FileProblem, match="directory"):
        rnb.restore(shared, tmp_path)
    with pytest.raises(rnb.FileProblem):
        rnb.restore(shared, "a\0b")


def test_a_file_with_an_invalid_source_name_is_rejected(shared: rnb.Client, file: Path) -> None:
    restore_files.write(replace(PLAIN, owner="../.."), shared.endpoint, file)
    with pytest.raises(rnb.InvalidInput):
        rnb.restore(shared, file)


def test_a_file_with_an_unreadable_value_is_rejected(shared: rnb.Client, file: Path) -> None:
    restore_files.write(replace(PLAIN, title="Motor"), shared.endpoint, file)
    source = json.loads(file.read_text())["source"]
    file.write_bytes(changed(file, source=source | {"title": 5}))
    with pytest.raises(rnb.FileProblem):
        rnb.restore(shared, file)


# The form


def test_a_form_deletes_and_restores(client: rnb.Client, tmp_path: Path) -> None:
    before = client.source(SMALL)
    form = rnb.delete_form(client, SMALL, restore_folder=tmp_path / "kept")
    results: list[Source] = []
    form.observe(lambda change: results.append(change["new"]), "result")
    assert form.restore_button.layout.display == "none"
    form.jobs.wait()
    form.name.value = SMALL
    file = form.restore_file
    assert file is not None
    assert file.parent == (tmp_path / "kept").resolve()
    assert str(file) in texts(form)
    code = form.code
    press(form)
    assert results == [before]
    assert restore_files.read(file).source == before
    with pytest.raises(rnb.NotFound):
        client.source(SMALL)
    assert f"deleted with 1,484 comments. Its settings are in {file}" in texts(form)
    assert (form.code, form.button.disabled, form.name.disabled) == (code, True, True)
    assert form.restore_button.layout.display is None
    form.restore_button.click()
    form.jobs.wait()
    made = client.source(SMALL)
    assert results == [before, made]
    assert made.id != before.id
    assert settings_of(made) == settings_of(before)
    assert made.id in texts(form)
    assert f"Its comments are in {file.with_suffix('')}.jsonl.gz" in texts(form)
    assert form.code == f"rnb.restore(client, {str(file)!r})"
    assert "0 comments would be deleted" in texts(form)
    with rnb.sandbox() as fresh:
        eval(code.replace("kept", "again"), {"client": fresh})  # noqa: S307 - what the form shows
        with pytest.raises(rnb.NotFound):
            fresh.source(SMALL)


def test_a_delete_form_names_the_file_after_a_rejection(viewer: rnb.Client) -> None:
    form = deleting(viewer, SMALL, typed=SMALL)
    file = form.restore_file
    assert file is not None
    press(form)
    assert f"Its settings are in {file}" in texts(form)
    assert "403" in texts(form)
    assert restore_files.read(file).source == viewer.source(SMALL)
    assert form.name.value == SMALL
    assert form.result is None
    # The next attempt writes another file.
    press(form)
    names = [path.name for path in file.parent.glob("*.json")]
    assert sum(not name.endswith(".source.json") for name in names) == 2


@pytest.mark.slow
def test_a_file_problem_stops_the_form(client: rnb.Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    form = rnb.delete_form(client, SMALL, restore_folder=tmp_path / "file")
    form.jobs.wait()
    form.name.value = SMALL
    press(form)
    assert "cannot be created" in texts(form.said)
    assert client.source(SMALL) == form.source


def test_a_form_does_not_report_an_existing_file_as_its_own(client: rnb.Client) -> None:
    form = deleting(client, SMALL, typed=SMALL)
    assert form.restore_file is not None
    form.restore_file.parent.mkdir(parents=True)
    form.restore_file.write_text("somebody else's")
    press(form)
    assert "exists" in texts(form.said)
    assert "Its settings are in" not in texts(form.said)
    assert client.source(SMALL) == form.source


@pytest.mark.parametrize("all_the_same", [False, True])
def test_a_delete_form_stops_if_the_source_has_changed(
    client: rnb.Client, tmp_path: Path, *, all_the_same: bool
) -> None:
    form = deleting(client, SMALL, typed=SMALL)
    theirs = client.update_source(SMALL, title="<b>theirs</b>")
    press(form)
    assert client.source(SMALL) == theirs
    assert "<b>theirs</b>" in texts(form)
    assert not (tmp_path / "state").exists()
    keep, take = form.children[-2].children
    (keep if all_the_same else take).click()
    form.jobs.wait()
    assert form.source == theirs
    assert form.button.disabled is not all_the_same
    if all_the_same:
        press(form)
        assert form.result == theirs
