"""Reports, sources and errors can be pickled and copied; clients, and so tokens, cannot."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import errors
from reinfer_nb.api import conflicts
from reinfer_nb.errors import ReinferError

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 - its own
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[rnb.Client, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("portable")
    with rnb.sandbox() as client:
        before = client.sources()
        edited = before.head(3).assign(title="Edited")
        plan = client.plan(edited)
        history = rnb.History(folder / "history")
        things: dict[str, Any] = {
            "snapshot": history.record(before),
            "history": history,
            "plan": plan,
            "rehearsal": plan.rehearse(progress=False),
            "result": plan.apply(progress=False, journal=folder / "journal.jsonl"),
            "audit": rnb.audit(before),
            "comparison": rnb.compare(before, client.sources()),
            "source": client.source("claims/motor-inbox"),
            "user": client.me(),
            "fault": rnb.Fault.drop(),
            "frame": before,
        }
        things["undo"] = things["result"].undo()
        yield client, things


NAMES = [
    *("snapshot", "history", "plan", "rehearsal", "result", "audit", "comparison", "source"),
    *("user", "fault", "frame", "undo"),
]


@pytest.mark.slow
@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", NAMES)
def test_results_are_pickled_and_copied(
    things: tuple[rnb.Client, dict[str, Any]], name: str, way: str
) -> None:
    client, all_things = things
    assert set(NAMES) == set(all_things)
    thing = all_things[name]
    copied = COPIES[way](thing)
    assert type(copied) is type(thing)
    assert repr(copied) == repr(thing)
    if hasattr(thing, "_repr_html_"):
        assert copied._repr_html_() == thing._repr_html_()
    if name in ("snapshot", "source", "user", "fault"):
        assert copied == thing
    if name in ("plan", "undo"):
        assert copied.steps == thing.steps
        assert (copied.client is None) == (way == "pickle")
    assert client.sandbox is not None
    for token in client.sandbox.tokens.values():
        assert token.encode() not in pickle.dumps(copied)


@pytest.mark.slow
def test_a_copy_of_a_report_shares_no_rows(things: tuple[rnb.Client, dict[str, Any]]) -> None:
    report = things[1]["audit"]
    copied = copy.deepcopy(report)
    findings = copied.findings
    findings.loc[0, "message"] = "changed"
    assert report.findings.loc[0, "message"] != "changed"
    with pytest.raises(TypeError):
        copy.deepcopy(things[1]["plan"].steps[0]).settings["title"] = "changed"


@pytest.mark.slow
def test_what_was_pickled_goes_on_with_the_configured_tenant(
    things: tuple[rnb.Client, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, all_things = things
    assert client.sandbox is not None
    result = pickle.loads(pickle.dumps(all_things["result"]))  # noqa: S301 - its own
    assert result.client is None
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])
    assert len(result.undo().steps) == 3
    assert result.retry(progress=False).ok
    monkeypatch.delenv("REINFER_ENDPOINT")
    monkeypatch.delenv("REINFER_TOKEN")


@pytest.mark.slow
def test_another_process_shows_a_report_whose_rule_it_does_not_define(
    things: tuple[rnb.Client, dict[str, Any]], tmp_path: Path
) -> None:
    def own(df: pd.DataFrame) -> pd.Series:
        """Says something of every row."""
        return pd.Series("said", index=df.index)

    rule = rnb.audit_rule(own)
    report = rnb.audit(things[1]["frame"].head(2), rules=[rule])
    (tmp_path / "report.pickle").write_bytes(pickle.dumps(report))
    code = (
        "import pickle, sys; report = pickle.load(open(sys.argv[1], 'rb')); print(report)\n"
        "rule = report.rules['own']\n"
        "import reinfer_nb as rnb\n"
        "try: rnb.audit(report.audited, rules=[rule])\n"
        "except rnb.InvalidInput as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "report.pickle")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(repr(report))


def leaves(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from leaves(inner)


@pytest.mark.slow
@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", sorted(set(leaves(ReinferError)), key=repr))
def test_errors_are_pickled_and_copied(
    things: tuple[rnb.Client, dict[str, Any]], kind: type[Any], way: str
) -> None:
    source = things[1]["source"]
    error: Any
    if issubclass(kind, conflicts.Moved):
        error = kind("it changed", source, source)
    elif issubclass(kind, errors.AnswerError):
        error = kind("refused", 409, "the tenant's words")
    else:
        error = kind("it failed")
    error.in_doubt = True
    if kind is conflicts.Conflict:
        error.existing = source
    copied = COPIES[way](error)
    assert type(copied) is kind
    assert (str(copied), copied.args, vars(copied)) == (str(error), error.args, vars(error))
    assert copied.in_doubt
