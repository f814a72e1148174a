"""Plans and forms: nothing of others is overwritten, nothing is done twice, nothing is lost."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random, randrange
from typing import Any, Self

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.widgets import jobs
from tests.conftest import Tally
from tests.limits import LimitedTenant, Windows
from tests.plans.test_executor import box_of, edit_all, many, writes
from tests.plans.test_journal import applied_to, box
from tests.scripted import Scripted, Step, relay
from tests.waiting import AGES, ctrl_c_once, until
from tests.widgets.forms.test_forms import opened, press, texts


@pytest.mark.slow
def test_case_30_what_others_changed_is_left_alone(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S the source moved since the form or plan was made: nothing is overwritten; both versions are
    shown; the rest of the plan goes on.
    """
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    df = client.sources("claims").head(6).assign(title="mine", language="xlm")
    new = pd.DataFrame({"owner": ["claims"] * 2, "name": ["a", "b"], "title": ["mine"] * 2})
    plan = client.plan(pd.concat([df, new]))
    names = [f"claims/{name}" for name in df["name"]]
    form = opened(client, names[0], title="mine")
    client.update_source(names[0], title="theirs")
    client.update_source(names[1], title="mine", language="xlm")
    client.update_source(names[2], description="theirs")
    client.delete_source(names[3])
    client.recreate_source(client.delete_source(names[4]))
    client.create_source("claims/a", title="theirs")
    client.create_source("claims/b", title="mine")
    result = plan.apply(progress=False)
    statuses = dict(zip(result.frame["name"], result.frame["status"], strict=True))
    assert [statuses[name.partition("/")[2]] for name in names] == [
        "moved", "skipped", "moved", "moved", "moved", "done",
    ]  # fmt: skip
    assert (statuses["a"], statuses["b"]) == ("moved", "skipped")
    assert not result.ok
    assert len(result.failed) == 5
    assert client.source(names[0]).title == "theirs"
    assert client.source(names[2]).title != "mine"
    assert client.source("claims/a").title == "theirs"
    messages = result.frame.set_index("name")["said"]
    assert "was changed at 20" in messages[df["name"][0]]
    assert "no longer exists" in messages[df["name"][3]]
    assert "another one" in messages[df["name"][4]]
    html = result.to_html()
    assert "Changed remotely" in html
    for text in (">theirs<", ">mine<", f">{plan.frame['before'][2]}<"):
        assert text in html
    # A retry leaves them alone too.
    before = len(writes(client))
    again = result.retry(progress=False)
    assert again.counts == result.counts
    assert len(writes(client)) == before
    # So does a form that was opened before, which keeps what was typed and shows both versions.
    press(form)
    assert form.result is None
    assert len(writes(client)) == before
    assert client.source(names[0]).title == "theirs"
    assert form.controls["title"].input.value == "mine"
    assert "Nothing was written" in texts(form)
    for text in ("Motor claims inbox", "mine", "theirs"):
        assert text in texts(form)


@pytest.mark.slow
def test_case_31_only_the_failed_step_of_a_thousand_is_done_again() -> None:
    """S one of 1,000 actions fails with 422: the other 999 are done, the result says which failed
    and why, and running it again does only that one.
    """
    with rnb.sandbox(many(1000)) as client:
        plan = edit_all(client)
        fault = Fault.answer(422, message="Titles are out.", on="update_source", skip=500, times=1)
        box_of(client).faults.add(fault)
        result = plan.apply(progress=False)
        assert result.counts == {"done": 999, "failed": 1}
        (failed,) = result.failed.to_dict("records")
        assert "422: Titles are out" in failed["said"]
        assert f"{failed['owner']}/{failed['name']}" in repr(result)
        assert "Titles are out" in result.to_html()
        assert "retry() tries 1 step again" in repr(result)
        before = len(writes(client))
        again = result.retry(progress=False)
        assert again.counts == {"done": 1000}
        assert writes(client)[before:] == [
            ("POST", f"/api/v1/sources/{failed['owner']}/{failed['name']}", 200)
        ]
        assert (client.sources()["title"] == "edited").all()


@pytest.mark.slow
def test_case_33_ctrl_c_returns_what_was_done(client: rnb.Client) -> None:
    """S Ctrl-C in the middle of apply: no new requests, those in flight are waited for, the result
    so far is returned and journalled.
    """
    plan = edit_all(client)
    box_of(client).faults.add(Fault.wait(0.1, on="update_source"))
    with ctrl_c_once(lambda: len(writes(client)) >= 4):
        result = plan.apply(workers=4, progress=False)
    at_return = len(writes(client))
    assert result.stopped == "It was stopped by Ctrl-C."
    assert set(result.counts) == {"done", "left"}
    assert 4 <= result.counts["done"] < 130
    # The requests under way have finished, and no more are sent.
    assert at_return == result.counts["done"]
    time.sleep(0.3)
    assert len(writes(client)) == at_return
    assert result.journal is not None
    ended = [json.loads(line) for line in result.journal.read_text().splitlines()]
    assert sum(line.get("status") == "done" for line in ended) == result.counts["done"]
    box_of(client).faults.clear()
    assert result.retry(progress=False).counts == {"done": 130}
    assert len(writes(client)) == len(set(writes(client))) == 130


@pytest.mark.slow
def test_case_33_after_ctrl_c_no_request_writes(client: rnb.Client) -> None:
    """Steps that were only looked at when Ctrl-C came are not written."""
    plan = edit_all(client)
    looks = box_of(client).faults.add(Fault.wait(1.5, on="get_source"))
    with ctrl_c_once(lambda: looks.struck == 4):
        result = plan.apply(workers=4, progress=False)
    assert result.counts == {"left": 130}
    assert writes(client) == []


@pytest.mark.slow
def test_case_33_ctrl_c_interrupts_the_waits_before_retries(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that waits for its next attempt is no request in flight, so the wait ends."""
    plan = edit_all(client)
    box_of(client).faults.add(Fault.answer(429, retry_after=60, on="update_source"))
    pause, pauses, ended_early = client._transport._pause, list[float](), list[bool]()

    def counted(seconds: float, stop: threading.Event | None) -> bool:
        pauses.append(seconds)
        ended_early.append(pause(seconds, stop))
        return ended_early[-1]

    monkeypatch.setattr(client._transport, "_pause", counted)
    with ctrl_c_once(lambda: len(pauses) == 4):
        result = plan.apply(workers=4, progress=False)
    # Each wait would take about a minute; all were interrupted.
    assert min(pauses) > AGES / 2
    assert ended_early == [True] * 4
    assert result.stopped == "It was stopped by Ctrl-C."
    # After a 429 nothing was changed.
    assert result.counts == {"left": 130}
    box_of(client).faults.clear()
    assert result.retry(progress=False).counts == {"done": 130}


@pytest.mark.slow
def test_case_34_eight_workers_back_off_together(caplog: pytest.LogCaptureFixture) -> None:
    """S 429 storms with eight workers: all back off together; the total time stays within 1.5 times
    the server's own limit.
    """
    number, limit = 8, Windows(4)
    with rnb.sandbox(many(number)) as client:
        limited = LimitedTenant(limit, relay(client.endpoint))
        with Scripted(Step(limited), repeat=True) as server:
            token = box_of(client).tokens["admin"]
            with rnb.connect(endpoint=server.endpoint, token=token) as slow:
                plan = slow.plan(slow.sources().assign(title="slowly"))
                caplog.clear()
                limited.log.clear()
                result = plan.apply(workers=8, progress=False)
        assert result.counts == {"done": number}
        assert (client.sources()["title"] == "slowly").all()
    # Logged once, not for each request.
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert sum("asks to wait between requests" in line for line in warnings) == 1
    assert not [line for line in warnings if "status 429" in line]
    # In each window at most one request per worker is refused: the others wait with it.
    assert limited.refused
    windows = Counter(int(moment) for moment in limited.refused)
    assert max(windows.values()) <= 8
    moments = [moment for moment, allowed in limited.log if allowed]
    assert len(limited.refused) <= 8 + len(moments) / 5
    assert moments[-1] - moments[0] < 1.5 * limit.least(len(moments))


# The number of applies, and how often each is killed before it may finish.
ROUNDS, KILLS = 2, 5


ACTIONS = 150
SOURCES = "/api/v1/sources"


# Imports everything once, then forks an applier for each line on stdin, so that kills do not hit
# the start of Python or the imports. Prints the process id of each applier, then its exit code.
_APPLYING = """
import os
import sys
from pathlib import Path
import reinfer_nb as rnb
import reinfer_nb.plans.executor, reinfer_nb.plans.document

def apply(endpoint, token, plan, journal, out):
    client = rnb.connect(endpoint=endpoint, token=token)
    if Path(journal).exists():
        result = rnb.resume(client, journal, progress=False)
    else:
        result = rnb.load_plan(plan, client).apply(
            progress=False, journal=journal, allow_mass_delete=True
        )
    Path(out).write_text(str(result.counts))

for line in sys.stdin:
    child = os.fork()
    if not child:
        apply(*line.split())
        sys.exit()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Appliers:
    """Processes that apply or resume a plan, one after the other.

    Args:
        out: The file for the counts that an applier writes at its end.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._process = subprocess.Popen(
            [sys.executable, "-c", _APPLYING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        )
        self._applier = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=AGES)

    def begin(self, *arguments: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, [*arguments, self._out])) + "\n")
        self._process.stdin.flush()
        self._applier = self._number()

    def kill(self) -> None:
        os.kill(self._applier, signal.SIGKILL)
        assert self._number() == -signal.SIGKILL

    def end(self) -> str:
        assert self._number() == 0
        return self._out.read_text()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def has_come_to(client: rnb.Client, number: int) -> bool:
    return applied_to(client).total() >= number


def big_plan(client: rnb.Client) -> rnb.Plan:
    """Return a plan of 50 creates, 50 updates and 50 deletes."""
    df = client.sources()
    new = pd.DataFrame({"owner": "acme", "name": [f"new{n:03}" for n in range(50)]})
    edited = pd.concat([df.head(50).assign(title="edited"), new.assign(title="made")])
    return client.plan(edited, delete_missing=True)


def in_journal(path: Path) -> tuple[set[int], set[int]]:
    """Return the numbers of the steps that a journal has as begun, and as done."""
    numbers: dict[str, set[int]] = {"begun": set(), "done": set()}
    content = path.read_bytes() if path.exists() else b""
    # The first line is the plan, and the last one may be incomplete.
    for line in map(json.loads, content.split(b"\n")[1:-1]):
        numbers.setdefault(line["status"], set()).add(line["action"])
    return numbers["begun"], numbers["done"]


def write_of(plan: rnb.Plan, number: int) -> tuple[str, str]:
    """Return the method and the path of the write of a step."""
    step = plan.steps[number]
    place = f"id:{step.id}" if step.kind == "delete" else step.full_name
    return {"create": "PUT", "update": "POST", "delete": "DELETE"}[step.kind], f"{SOURCES}/{place}"


@pytest.mark.slow
@pytest.mark.parametrize("_round", range(ROUNDS))
def test_case_32_resume_finishes_an_apply_that_was_killed(
    tmp_path: Path, tally: Tally, _round: int
) -> None:
    """P kill -9 in the middle of apply: the journal tells what was done, what was in flight is
    looked up, nothing is done twice; resume finishes it.
    """
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice = Random(seed)
    with box(100) as client, Appliers(tmp_path / "counts") as appliers:
        assert client.sandbox is not None
        plan = big_plan(client)
        assert len(plan.steps) == ACTIONS
        path = plan.save(tmp_path / "plan.json")
        journal = tmp_path / "journal.jsonl"
        token = client.sandbox.tokens["admin"]
        # Delays before and after each write, so that kills hit both.
        ways = ("create_source", "update_source", "delete_source")
        client.sandbox.faults.add(
            Fault.wait((0.0, 0.06), on=ways, seed=seed),
            Fault.wait((0.0, 0.06), on=ways, after=True, seed=seed + 1),
            Fault.answer(503, on=ways, probability=0.02, seed=seed + 2),
        )
        server = client.sandbox._running()._server
        # In writes, not in seconds, since a busy machine is slow.
        moments = sorted(dice.sample(range(ACTIONS // 2), KILLS - 1))
        # The number of requests at the kill by step that was under way.
        in_flight: dict[int, int] = {}
        for moment in [*moments, ACTIONS // 2]:
            appliers.begin(client.endpoint, token, path, journal)
            until(partial(has_come_to, client, moment))
            time.sleep(dice.uniform(0.0, 0.1))
            appliers.kill()
            # The tenant may still be handling requests sent before the kill.
            time.sleep(0.15)
            until(lambda: not server.server_state.tasks)
            begun, done_steps = in_journal(journal)
            carried_out = set(applied_to(client))
            assert {write_of(plan, number) for number in done_steps} <= carried_out
            assert carried_out <= {write_of(plan, number) for number in begun}
            in_flight |= dict.fromkeys(begun - done_steps, len(client.sandbox.requests))
        killed_at = applied_to(client)
        appliers.begin(client.endpoint, token, path, journal)
        assert appliers.end() == str({"done": ACTIONS})
        assert 0 < killed_at.total() < ACTIONS, f"seed {seed}: no kill came in the middle"
        # Each write was done exactly once.
        done = applied_to(client)
        assert set(done.values()) == {1}
        assert len(done) == ACTIONS
        assert set(done) == {write_of(plan, number) for number in range(ACTIONS)}
        now = client.sources(refresh=True)
        assert sorted(now["name"]) == [
            *(f"new{n:03}" for n in range(50)), *(f"s{n:03}" for n in range(50)),
        ]  # fmt: skip
        # What was under way at a kill was looked up.
        assert in_flight
        for number, since in in_flight.items():
            step = plan.steps[number]
            looks = [one.path for one in client.sandbox.requests[since:] if one.method == "GET"]
            assert any(step.name in path or (step.id or "no id") in path for path in looks)
        # Another resume sends nothing, and all steps can be undone.
        before = len(client.sandbox.requests)
        result = rnb.resume(client, journal, progress=False)
        assert result.counts == {"done": ACTIONS}
        assert len(client.sandbox.requests) == before
        client.sandbox.faults.clear()
        # Somebody else may have created a source whose create was under way at a kill, so it stays.
        doubtful = {
            step.name
            for step, outcome in zip(plan.steps, result.outcomes, strict=True)
            if outcome.in_doubt
        }
        assert doubtful <= {f"new{n:03}" for n in range(50)}
        assert len(doubtful) < 50
        undo = result.undo()
        counts = undo.summary[["create", "update", "delete"]].to_numpy().tolist()
        assert counts == [[50, 50, 50 - len(doubtful)]]
        undone = undo.apply(progress=False, allow_mass_delete=True, journal=tmp_path / "undo.jsonl")
        assert undone.ok
        names = [*doubtful, *(f"s{n:03}" for n in range(100))]
        assert sorted(client.sources()["name"]) == sorted(names)
    tally("kills of an apply, each followed by a resume", KILLS)


def _set(df: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    cells = df[column].astype(object)
    cells.iloc[2] = value
    return df.assign(**{column: cells})


# By name: the edited listing, the number of sources that `delete_missing` deletes, and either the
# problem (row, column and a part of the reason) or the settings of the only update.
Problem = tuple[int | None, str | None, str]
ODD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], int, Problem | dict[str, Any]]] = {
    "a changed id": (
        lambda df: _set(df, "id", "00000000000000aa"), 0, (2, "id", "the id was changed")
    ),
    "no id": (lambda df: _set(df, "id", "nonsense"), 0, (2, "id", "the id was changed")),
    "a duplicated row": (
        lambda df: pd.concat([df, df.iloc[[2]]]), 0, (130, None, "same source as row 2")
    ),
    "a NaN title": (
        lambda df: _set(df, "title", float("nan")), 0, (2, "title", "is missing, but")
    ),
    "a number for a title": (lambda df: _set(df, "title", 5), 0, (2, "title", "must be a text")),
    "the string True": (
        lambda df: _set(df, "should_translate", "True"), 0, {"should_translate": True}
    ),
    "flags as strings": (
        lambda df: df.assign(should_translate=df["should_translate"].map(str)), 0, {}
    ),
    "another string for a flag": (
        lambda df: _set(df, "should_translate", "perhaps"), 0, (2, "should_translate", "True or")
    ),
    "dates as text": (lambda df: df.assign(updated_at=df["updated_at"].map(str)), 0, {}),
    "dates of another zone": (
        lambda df: df.assign(created_at=df["created_at"].dt.tz_convert("Asia/Tokyo")), 0, {}
    ),
    "another date as text": (
        lambda df: _set(df, "created_at", "2020-01-01"), 0, (2, "created_at", "set by the tenant")
    ),
    "a text that is no date": (
        lambda df: _set(df, "updated_at", "no date"), 0, (2, "updated_at", "a timestamp")
    ),
    "another name": (lambda df: _set(df, "name", "renamed"), 0, (2, "name", "cannot be changed")),
    "another owner": (lambda df: _set(df, "owner", "people"), 0, (2, "owner", "cannot be changed")),
    "an unknown language": (
        lambda df: _set(df, "language", "fr"), 0, (2, "language", "must be one of")
    ),
    "a text that is no list": (
        lambda df: _set(df, "sensitive_properties", "x"), 0, (2, "sensitive_properties", "list")
    ),
    "columns missing": (lambda df: df[["id", "language"]], 0, {}),
    "the id missing": (lambda df: df[["name", "owner", "title"]], 0, {}),
    "columns unknown": (lambda df: df.assign(num_comments=5, mine="x"), 0, {}),
    "a misspelt column": (
        lambda df: df.rename(columns={"title": "tilte"}), 0, (None, "tilte", "Did you mean title")
    ),
    "an index reset": (lambda df: df.reset_index(), 0, {}),
    "an index sorted": (lambda df: df.sort_values("name"), 0, {}),
    "an index of titles": (
        lambda df: df.sample(frac=1, random_state=1).set_index("title", drop=False), 0, {}
    ),
    "rows removed": (lambda df: df.drop(index=range(5)), 5, {}),
    "all rows removed": (lambda df: df.iloc[:0], 0, {}),
    "cells of objects": (lambda df: df.astype(object), 0, {}),
    "read as texts": (
        lambda df: pd.read_csv(io.StringIO(df.to_csv(index=False)), dtype=str), 0, {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", ODD)
def test_case_35_an_odd_frame_has_a_clear_outcome(shared: rnb.Client, shape: str) -> None:
    """a frame with a changed `id`, a duplicated row, a NaN title, a string "True", dates as text,
    columns missing, columns unknown, an index reset or sorted, rows removed (means nothing unless
    deletes were asked for): each has its clear outcome in the plan, before anything is sent.
    """
    edit, deleted, outcome = ODD[shape]
    df = shared.sources()
    edited = edit(df)
    before = len(writes(shared))
    for delete_missing in (False, True):
        plan = shared.plan(edited, delete_missing=delete_missing)
        deletes = [step.full_name for step in plan.steps if step.kind == "delete"]
        updates = [step for step in plan.steps if step.kind != "delete"]
        if isinstance(outcome, dict):
            assert plan.ok, plan
            names = (df["owner"] + "/" + df["name"]).tolist()
            assert deletes == names[: deleted if delete_missing else 0]
            assert [(step.full_name, dict(step.settings)) for step in updates] == (
                [(names[2], outcome)] if outcome else []
            )
        else:
            (problem,) = plan.problems.astype(object).to_dict("records")
            row, column = (
                None if pd.isna(problem[key]) else problem[key] for key in ("row", "column")
            )
            assert (row, column) == outcome[:2]
            assert outcome[2] in problem["reason"]
            assert len(plan.steps) == 0
            with pytest.raises(rnb.InvalidInput, match=re.escape(problem["reason"])):
                plan.apply(progress=False)
        assert ("mine" in " ".join(plan.notes)) is (shape == "columns unknown")
    assert len(writes(shared)) == before


@pytest.mark.slow
@pytest.mark.parametrize(("deleted", "mass"), [(3, False), (4, True)])
def test_case_36_a_mass_delete_must_be_allowed(
    client: rnb.Client, tmp_path: Path, *, deleted: int, mass: bool
) -> None:
    """a delete of more than a tenth of a project's sources needs `allow_mass_delete=True`."""
    claims = client.sources("claims")
    assert len(claims) == 39
    plan = client.plan(claims.iloc[deleted:], delete_missing=True)
    path = plan.save(tmp_path / "change.json")
    for one in (plan, rnb.load_plan(path, client)):
        assert bool(one.mass_deletes()) is mass
        assert ("allow_mass_delete" in one.to_text()) is mass
        assert ("allow_mass_delete" in one.to_html()) is mass
    if mass:
        before = len(box_of(client).requests)
        with pytest.raises(rnb.InvalidInput, match=r"4 of the 39 sources of claims.*a tenth"):
            plan.apply(progress=False)
        assert len(box_of(client).requests) == before
    result = plan.apply(progress=False, allow_mass_delete=mass)
    assert result.ok
    assert len(client.sources("claims")) == 39 - deleted
