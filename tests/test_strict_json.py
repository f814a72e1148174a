"""Unusual JSON of tenants: 5.0 for 5, byte order marks, numbers beyond all doubles."""

from __future__ import annotations

import codecs
import contextlib
import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli, journal, strict_json
from reinfer_nb.cli import shared
from reinfer_nb.cli.parser import parser
from reinfer_nb.frames import elements, json_slices
from tests.scripted import Asked, Scripted, Step, reply

Captured = pytest.CaptureFixture[str]
BOM = codecs.BOM_UTF8


def source_with(member: bytes, number: int = 0) -> bytes:
    """Return the JSON of a source with an additional member."""
    head = b'{"id": "%016x", "owner": "acme", "name": "s%d"' % (number, number)
    return b"%s, %s}" % (head, member)


@contextlib.contextmanager
def tenant_of(*sources: bytes, before: bytes = b"") -> Iterator[rnb.Client]:
    """Yield a client of a tenant with these sources, which responds to each request about one."""
    methods: list[str] = []

    def answer(asked: Asked) -> bytes:
        if asked.method == "GET" and asked.path.rstrip("/").endswith(("/sources", "/acme")):
            return reply(before + b'{"status": "ok", "sources": [%s]}' % b", ".join(sources))
        methods.append(asked.method)
        if methods[-2:] == ["DELETE", "GET"]:
            return reply({"status": "error", "message": "404 Not Found"}, 404)
        return reply(before + b'{"status": "ok", "source": %s}' % sources[0])

    with (
        Scripted(Step(answer), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="t" * 20) as client,
    ):
        yield client


def pickled(value: Any) -> Any:
    """Return a value after pickling and unpickling."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - made here


def strict(text: str | bytes) -> Any:
    """Decode JSON, but refuse `NaN` and `Infinity`."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


# Whole numbers

WHOLE = {"5": 5, "5.0": 5, "5e0": 5, "0.5e1": 5, "0": 0, "0.0": 0, "-0.0": 0, "1e3": 1000}
NO_COUNT = ["5.5", "-1", "-1.0", "1e999", "9223372036854775808", "1e19", '"5"', "true", "null"]


@pytest.mark.slow
@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_number_is_one_however_it_is_written(text: str) -> None:
    count = b'{"status": "ok", "statistics": {"num_comments": %s}}' % text.encode()
    with (
        Scripted(reply(count), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="t" * 20) as client,
    ):
        comments = client.count_comments("acme/s0")
        assert comments == WHOLE[text]
        assert type(comments) is int
        df = pd.DataFrame({"owner": ["acme"], "name": ["s0"]})
        counted = client.statistics(df, progress=False)["num_comments"]
        assert str(counted.dtype) == "Int64"
        assert counted.tolist() == [WHOLE[text]]
    member = b'"email_transform_version": %s' % text.encode()
    with tenant_of(source_with(member), source_with(b'"email_transform_version": 7', 1)) as client:
        version = client.source("acme/s0").email_transform_version
        assert version == WHOLE[text]
        assert type(version) is int
        column = client.sources()["email_transform_version"]
        assert str(column.dtype) == "Int64"
        assert column.tolist() == [WHOLE[text], 7]


@pytest.mark.parametrize("text", NO_COUNT)
def test_what_is_no_number_of_comments_is_refused(text: str) -> None:
    count = b'{"status": "ok", "statistics": {"num_comments": %s}}' % text.encode()
    with (
        Scripted(reply(count)) as server,
        rnb.connect(endpoint=server.endpoint, token="t" * 20) as client,
        pytest.raises(rnb.ProtocolError, match="without a number of comments"),
    ):
        client.count_comments("acme/s0")


# Byte order marks


def test_a_marked_listing_goes_the_fast_way() -> None:
    body = BOM + b'{"sources": [%s], "status": "ok"}' % source_with(b'"title": "t"')
    envelope, text = json_slices.guessed(body, "sources")
    assert envelope == {"status": "ok"}
    assert bytes(text) == source_with(b'"title": "t"')


@pytest.mark.parametrize("body", [BOM, BOM + BOM + b"{}", b" " + BOM + b"{}", b"{}" + BOM])
def test_a_mark_elsewhere_is_refused(body: bytes) -> None:
    with pytest.raises(strict_json.Malformed):
        strict_json.decode(body)


def test_files_that_an_editor_marked_are_read(client: rnb.Client, tmp_path: Path) -> None:
    plan = client.plan(client.sources("claims").assign(title="Marked"))
    file = plan.save(tmp_path / "plan.json")
    gone = client.delete_source("claims/motor-inbox", restore_file=tmp_path / "gone.json")
    for path in (file, tmp_path / "gone.json"):
        path.write_bytes(BOM + path.read_bytes())
    assert rnb.load_plan(file, client).steps == plan.steps
    with pytest.warns(rnb.RestoredWarning):
        assert rnb.restore(client, tmp_path / "gone.json").title == gone.title


def test_a_contexts_file_that_an_editor_marked_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "reinfer" / "contexts.json"
    file.parent.mkdir()
    context = {"name": "dev", "endpoint": "https://dev.example", "token": "t" * 20}
    file.write_bytes(BOM + json.dumps({"current_context": "dev", "contexts": [context]}).encode())
    assert rnb.contexts()["name"].tolist() == ["dev"]


# Numbers beyond all doubles

INFINITE = {"inf": b"1e999", "-inf": b"-1e999", "inside": b'[{"a": [1e999, "Infinity"]}]'}


@pytest.mark.slow
@pytest.mark.parametrize("value", INFINITE.values(), ids=INFINITE)
def test_a_number_beyond_all_doubles_is_kept_everywhere(
    value: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    expected = json.loads(value)
    sources = [source_with(b'"odd": ' + value), source_with(b'"title": "t"', 1)]
    with tenant_of(*sources) as client:
        source = client.source("acme/s0")
        assert source.extra["odd"] == expected
        assert json.loads(strict_json.text_of(source.to_wire()))["odd"] == expected
        df = client.sources()
        assert df["odd"].tolist()[0] == expected
        pd.testing.assert_frame_equal(client.sources(), df)
        assert elements.to_sources(df)[0].extra["odd"] == expected
        plan = client.plan(df.assign(title="new"))
        assert plan.steps[0].base is not None
        assert plan.steps[0].base.extra["odd"] == expected
        again = rnb.load_plan(plan.save(tmp_path / "plan.json"), client)
        assert again.steps == plan.steps
        history = rnb.History(tmp_path / "history")
        history.record(df)
        back = history.load()
        assert back["odd"].tolist()[0] == expected
        monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
        monkeypatch.setenv("REINFER_TOKEN", "t" * 20)
        assert cli.main(["list", "--json"]) == 0
        assert strict(capsys.readouterr().out)[0]["odd"] == expected


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_the_command_line_prints_json_that_every_reader_takes(
    value: float, capsys: Captured
) -> None:
    report = rnb.audit(pd.DataFrame({"owner": ["acme"], "name": ["s0"], "id": ["a" * 16]}))
    table = pd.DataFrame({"share": [1.5, value, None], "name": ["Infinity", "-Infinity", "NaN"]})
    shared.give(parser().parse_args(["audit", "--format", "json"]), "title", report, table)
    assert strict(capsys.readouterr().out) == [
        {"share": 1.5, "name": "Infinity"},
        {"share": value, "name": "-Infinity"},
        {"share": None, "name": "NaN"},
    ]


# Deep nesting

DEEP = {
    "objects": b'{"a": ' * 500 + b"1" + b"}" * 500,
    "lists": b"[" * 500 + b"]" * 500,
    "both": b'[null, {"a": ' * 250 + b'"x"' + b"}]" * 250,
}


@pytest.mark.slow
@pytest.mark.parametrize("value", DEEP.values(), ids=DEEP)
@pytest.mark.filterwarnings("ignore::reinfer_nb.errors.RestoredWarning")
def test_a_deep_value_is_the_same_everywhere(value: bytes, tmp_path: Path) -> None:
    expected = json.loads(value)
    sources = [source_with(b'"odd": ' + value, number) for number in range(3)]
    with tenant_of(*sources) as client:
        source = client.source("acme/s0")
        assert source.extra["odd"] == expected
        assert repr(source).count("[") + repr(source).count("{") >= 500
        assert source._repr_html_()
        for copied in (pickled(source), copy.deepcopy(source)):
            assert copied == source
        copied.extra["odd"].clear()
        assert source.extra["odd"] == expected
        df = client.sources()
        again = client.sources()
        assert again["odd"].tolist() == df["odd"].tolist() == [expected] * 3
        again["odd"][0].clear()
        assert client.sources()["odd"].tolist() == [expected] * 3
        assert repr(df)
        assert df.to_html()
        file = rnb.to_csv(df, tmp_path / "sources.csv")
        assert rnb.read_csv(file)["odd"].tolist() == df["odd"].tolist()
        comparison = rnb.compare(df, client.sources())
        assert len(comparison.changed) == 0
        again["title"] = "new"
        comparison = rnb.compare(df, again)
        assert comparison.changed["field"].tolist() == ["title", "odd", "title", "title"]
        assert comparison.changed["before"][1] == expected
        assert repr(copy.deepcopy(comparison))
        assert comparison.to_html()
        assert len(comparison.frame) == 4
        assert repr(rnb.audit(df))
        history = rnb.History(tmp_path / "history")
        history.record(df)
        assert history.load()["odd"].tolist() == df["odd"].tolist()
        plan = client.plan(df.iloc[1:].assign(title="new"), delete_missing=True)
        for other in (
            rnb.load_plan(plan.save(tmp_path / "plan.json"), client),
            pickled(plan),
            copy.deepcopy(plan),
        ):
            assert [step.base for step in other.steps] == [step.base for step in plan.steps]
            assert repr(other)
            assert other.to_html()
        gone = client.delete_source("acme/s0", restore_file=tmp_path / "gone.json")
        assert gone.extra["odd"] == expected
        assert rnb.restore(client, tmp_path / "gone.json").extra["odd"] == expected


@pytest.mark.parametrize("levels", [600, 601, 700])
@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a": [', b"]}")])
def test_what_is_nested_too_deep_is_missing_and_said(levels: int, start: bytes, end: bytes) -> None:
    levels += levels % 2 if start != b"[" else 0
    times = levels // start.count(b"[") // (1 + start.count(b"{"))
    value = start * times + end * times
    sources = [source_with(b'"odd": ' + value), source_with(b'"odd": [[1]], "title": "t"', 1)]
    kept = levels <= 600
    unread = contextlib.nullcontext() if kept else pytest.warns(rnb.UnreadableWarning, match="odd")
    with tenant_of(*sources) as client:
        with unread:
            df = client.sources()
        assert df["title"].tolist()[1] == "t"
        assert df["odd"].tolist()[1] == [[1]]
        assert (df["odd"][0] is not None) == kept
        unread = contextlib.nullcontext() if kept else pytest.warns(rnb.UnreadableWarning)
        with unread:
            source = client.source("acme/s0")
        assert source.extra["odd"] == df["odd"][0]


# NaN and Infinity


# A plan without steps


def test_the_result_of_a_plan_without_steps_shows_itself(client: rnb.Client) -> None:
    plan = client.plan(client.sources())
    assert not plan.steps
    for result in (plan.apply(progress=False), plan.rehearse(progress=False).result):
        assert result.ok
        assert len(result.frame) == len(result.failed) == 0
        assert list(result.failed.columns) == list(result.frame.columns)
        assert (result.failed.dtypes == result.frame.dtypes).all()
        assert "nothing to do" in repr(result)
        assert "nothing to do" in result.to_html()
        assert not result.undo().steps


def test_a_journal_that_could_not_be_read_again_is_not_begun_and_no_other_file_is_asked_for() -> (
    None
):
    with pytest.raises(rnb.FileProblem) as caught:
        journal.Journal.begun_by_default({"plan": {1: "a", "1": "b"}})
    assert "Give a file" not in str(caught.value)
    assert not journal.default_path().parent.exists()
