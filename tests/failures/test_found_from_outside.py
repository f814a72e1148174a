"""Failures that were found from outside, each of which went wrong once."""

from __future__ import annotations

import codecs
import csv
import gc
import gzip
import importlib
import inspect
import io
import json
import pkgutil
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from itertools import permutations, product
from pathlib import Path, PurePosixPath
from typing import Any

import ipywidgets as ui
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
from ipywidgets.widgets import widget as registry

import reinfer_nb as rnb
from reinfer_nb import Fault, strict_json
from reinfer_nb.api import connection_failures, restore_files, safe_write, session
from reinfer_nb.api.contents.uploading import UploadResult
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.plans import saved
from reinfer_nb.plans.decisions import decisions
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Names
from reinfer_nb.snapshots.listing_source import listing_at
from reinfer_nb.widgets.controls import control_for
from reinfer_nb.widgets.explorer.source_details import EDIT
from tests.api.test_tls import client_of, raw
from tests.api.test_transport import no
from tests.api.test_write_result import language_plan, through, without
from tests.certificates import Authority
from tests.csvfile.test_elsewhere import cells_of
from tests.limits import Bucket, LimitedTenant
from tests.plans.test_empty_values import KINDS_OF_NOTHING, with_value
from tests.plans.test_scope import bare, with_project
from tests.schema.test_lists_as_text import edited as edited_names
from tests.scripted import Asked, Scripted, Step, relay, reply
from tests.test_paths import at_home
from tests.test_paths import plan as plan_of_titles
from tests.test_processes import run
from tests.test_round_trips import WAYS, WRITERS, tenant_of_odd_texts
from tests.waiting import AGES, until

NAME = "claims/motor-inbox"


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


@contextmanager
def somebody_else(client: rnb.Client) -> Iterator[rnb.Client]:
    """Connect to the same tenant a second time."""
    token = box_of(client).tokens["admin"]
    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        yield other


# 53: what a plan may delete


def through_parquet(df: pd.DataFrame, folder: Path) -> pd.DataFrame:
    bare(df).to_parquet(folder / "listing.parquet")
    return pd.read_parquet(folder / "listing.parquet")


def through_excel(df: pd.DataFrame, folder: Path) -> pd.DataFrame:
    # A cell of a spreadsheet has no time zone.
    times = {str(name): df[name].astype(str) for name in df.select_dtypes("datetimetz")}
    df.assign(**times).to_excel(folder / "listing.xlsx", index=False)
    return pd.read_excel(folder / "listing.xlsx")


def through_our_csv(df: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return rnb.read_csv(rnb.to_csv(df, folder / "listing.csv"))


def merged(df: pd.DataFrame, _: Path) -> pd.DataFrame:
    contacts = pd.DataFrame({"id": df["id"], "contact": "somebody"})
    return df.merge(contacts, on="id")


SHAPES: dict[str, Callable[[pd.DataFrame, Path], pd.DataFrame]] = {
    "as it is": lambda df, _: df,
    "no attributes": lambda df, _: bare(df),
    "merge": merged,
    "concat": lambda df, _: pd.concat([df.iloc[:5].assign(x=1), bare(df.iloc[5:])]),
    "concat of two": lambda df, _: pd.concat([df.iloc[:5], df.iloc[5:]]),
    "groupby": lambda df, _: df.groupby("owner", group_keys=False)[list(df)].apply(lambda g: g),
    "pandas CSV": lambda df, _: pd.read_csv(io.StringIO(df.to_csv(index=False))),
    "our CSV": through_our_csv,
    "Parquet": through_parquet,
    "Excel": through_excel,
    "ids only": lambda df, _: bare(df[["id"]]),
    "names only": lambda df, _: bare(df[["owner", "name"]]),
    "attributes of another project": lambda df, _: with_project(df, "people"),
    "attributes of no project": lambda df, _: with_project(df, "nowhere"),
    "attributes of the tenant": lambda df, _: with_project(df, None),
}


@pytest.fixture(scope="module")
def small(shared: rnb.Client) -> Iterator[rnb.Client]:
    """A tenant with ten sources a project: a plan asks for the comments of each that it deletes."""
    with rnb.sandbox(shared.sources().groupby("owner").head(10)) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("projects", [("claims",), ("claims", "people")], ids=["one", "two"])
def test_case_53_deletes_stay_in_the_projects_of_the_listing(
    small: rnb.Client, tmp_path: Path, shape: str, projects: tuple[str, ...]
) -> None:
    """S a plan with deletes made of one project's listing that went through merge, concat, CSV or
    Parquet: nothing outside the projects in it is planned.
    """
    whole = small.sources()
    listing = (
        small.sources("claims")
        if len(projects) == 1
        else pd.concat([small.sources(name) for name in projects], ignore_index=True)
    )
    listing = listing.sort_values(["name", "owner"])
    gone, edited = listing.iloc[[3, 7]], listing.drop(index=listing.index[[3, 7]])
    assert set(projects) == set(edited["owner"])
    shaped = SHAPES[shape](edited, tmp_path)
    plan = small.plan(shaped, delete_missing=True)
    assert plan.ok, plan
    assert {(step.kind, step.id) for step in plan.steps} == {("delete", id_) for id_ in gone["id"]}
    # "tenant" deletes in all projects, whatever the attributes of the frame are.
    plan = small.plan(shaped, delete_missing="tenant")
    assert plan.ok, plan
    assert {step.id for step in plan.steps} == set(whole["id"]) - set(edited["id"])


# 54: fields that a tenant does not take


def test_case_54_a_field_that_was_not_taken(client: rnb.Client, tmp_path: Path) -> None:
    """M a tenant that answers 200 to a create or update and leaves a field as it was: the outcome
    says which field was not taken; never "done".
    """
    new = pd.DataFrame({"owner": ["claims"], "name": ["fresh"], "language": ["de"]})
    with through(client, without(client, "language", "_kind")) as stubborn:
        plan = language_plan(stubborn, title="mine")
        assert not any("did not take" in note for note in plan.notes)
        result = plan.apply(progress=False, journal=tmp_path / "journal")
        assert result.counts == {"not taken": 2}
        assert not result.ok
        assert len(result.failed) == 2
        assert result.frame["said"].str.contains(r"did not take language \(it is 'en'\)").all()
        for shown in (result.to_text(), result.to_html()):
            assert "not taken" in shown
            assert "did not take language" in shown
        # The journal has these outcomes too, and a resume does not retry them.
        again = rnb.resume(stubborn, tmp_path / "journal", progress=False)
        assert again.outcomes == result.outcomes
        assert [outcome.not_taken for outcome in again.outcomes] == [("language",)] * 2
        # The undo plans only the fields that were taken.
        undo = again.undo()
        assert [dict(step.settings).keys() for step in undo.steps] == [{"title"}] * 2
        assert undo.apply(progress=False).counts == {"done": 2}
        result = stubborn.plan(new).apply(progress=False)
        assert result.counts == {"not taken": 1}
        assert [outcome.not_taken for outcome in result.outcomes] == [("language",)]
        assert "did not take language" in result.frame["said"][0]
        (step,) = result.undo().steps
        assert (step.kind, step.full_name) == ("delete", "claims/fresh")


def test_case_54_calls_warn_at_their_own_line(client: rnb.Client) -> None:
    """A create and an update outside of a plan warn of the fields that were not taken."""
    not_taken = pytest.warns(rnb.NotTakenWarning, match=rf"{NAME}, .*language \(it is 'en'\)")
    both = pytest.warns(rnb.NotTakenWarning, match=r"language \(it is 'en'\), kind|language .* and")
    with through(client, without(client, "language", "_kind")) as stubborn:
        with not_taken as caught:
            source = stubborn.update_source(NAME, language="xlm", title="x")
        assert (source.language, source.title) == ("en", "x")
        assert caught[0].filename == __file__
        with both:
            source = stubborn.create_source("claims/fresh", language="de", kind="chat", title="x")
        assert (source.language, source.kind, source.title) == ("en", "unknown", "x")


# 55: answers about another source

ID, OTHER_ID = "18ba5ce699f8da1f", "28ba5ce699f8da1f"
ONE = {"id": ID, "owner": "lab", "name": "one", "title": "One", "updated_at": None}
BASE = Source.from_wire(ONE)
OTHERS: dict[str, dict[str, Any]] = {
    "another name": ONE | {"name": "other"},
    "another project": ONE | {"owner": "other"},
    "another case": ONE | {"name": "One"},
    "no project": ONE | {"owner": ""},
    "half of both": ONE | {"owner": "lab/one", "name": ""},
}
Call = Callable[[rnb.Client], object]
BY_NAME: dict[str, Call] = {
    "source": lambda client: client.source("lab/one"),
    "source of a source": lambda client: client.source(BASE),
    "update": lambda client: client.update_source("lab/one", title="x"),
    "update of a source": lambda client: client.update_source(BASE, title="x"),
    "create": lambda client: client.create_source("lab/one", title="x"),
    "recreate": lambda client: client.recreate_source(BASE),
    "delete": lambda client: client.delete_source("lab/one"),
    "archive": lambda client: client.archive("lab/one", "one.jsonl.gz", progress=False),
    "safe update": lambda client: safe_write.update(client.calls, BASE, {"title": "x"}),
    "safe delete": lambda client: safe_write.delete(client.calls, BASE),
    "update form": lambda client: rnb.update_form(client, "lab/one"),
    "delete form": lambda client: rnb.delete_form(client, "lab/one"),
}
BY_ID: dict[str, Call] = {
    "source": lambda client: client.source(ID),
    "update": lambda client: client.update_source(ID, title="x"),
    "delete": lambda client: client.delete_source(ID),
    "delete of a source": lambda client: client.delete_source(BASE),
    "count": lambda client: client.count_comments(ID),
    "comment": lambda client: client.comment(ID, "aa"),
    "comments": lambda client: client.comments(ID),
    "chunks of comments": lambda client: next(client.iter_comments(ID)),
    "raw comments": lambda client: next(client.raw_comments(ID)),
    "sample": lambda client: client.sample(ID),
    "archive": lambda client: client.archive(ID, "one.jsonl.gz", progress=False),
    "update form": lambda client: rnb.update_form(client, ID),
}


@contextmanager
def scripted(*steps: bytes | Step, repeat: bool = False) -> Iterator[tuple[rnb.Client, Scripted]]:
    """Connect to a server that sends these bytes."""
    with (
        Scripted(*steps, repeat=repeat) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        yield client, server


def test_case_55_an_answer_about_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M an answer about another source than the one asked for: `ProtocolError`, on every call about
    one source.
    """
    monkeypatch.chdir(tmp_path)
    for call, (what, other) in product(BY_NAME, OTHERS.items()):
        with scripted(reply({"status": "ok", "source": other})) as (client, server):
            with pytest.raises(
                rnb.ProtocolError, match=r"is about .*, not about lab/one"
            ) as caught:
                BY_NAME[call](client)
            assert len(server.asked) == 1, (call, what)
            assert caught.value.in_doubt is (server.methods[0] != "GET"), (call, what)
    other_id = reply({"status": "ok", "source": ONE | {"id": OTHER_ID}})
    for call, ask in BY_ID.items():
        with scripted(other_id) as (client, server):
            with pytest.raises(rnb.ProtocolError, match=f"is about .*{OTHER_ID}.*, not about {ID}"):
                ask(client)
            assert server.methods == ["GET"], call
    assert list(tmp_path.iterdir()) == []


# 56: whose create it was


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_case_56_a_name_that_somebody_else_takes(
    client: rnb.Client, request: pytest.FixtureRequest, when: str
) -> None:
    """S a create that fails in passing while somebody else makes that name, before or after: never
    taken for ours without proof, never deleted by undo.
    """
    faults, name = box_of(client).faults, "claims/fresh"
    new = pd.DataFrame({"owner": ["claims"], "name": ["fresh"], "title": ["x"]})
    plan = client.plan(new)
    with somebody_else(client) as other:
        if when == "before":
            theirs = other.create_source(name, title="x")
            # Longer than the resolution of the tenant's clock.
            threading.Event().wait(3.1)
            client._transport.patience = Patience(backoff=0.01)
            with (
                faults.add(Fault.answer(502, on="create_source", times=1)),
                pytest.raises(rnb.Conflict) as caught,
            ):
                client.create_source(name, title="x")
            assert caught.value.existing == theirs
            assert not caught.value.in_doubt
        else:
            request.getfixturevalue("coarse_clock")
        for status in (500, 502):
            client._transport.patience = Patience(attempts=1)
            if when == "after":
                other.delete_source(name) if status == 502 else None
            with faults.add(Fault.answer(status, on="create_source", times=1)):
                result = plan.apply(progress=False)
            if when == "after":
                assert result.counts == {"failed": 1}
                theirs = other.create_source(name, title="x")
            if result.counts == {"failed": 1}:
                result = result.retry(progress=False)
            undo = result.undo()
            assert len(undo.steps) == 0
            if when == "before":
                assert result.counts == {"skipped": 1}
            else:
                assert result.counts == {"done": 1}
                assert result.outcomes[0].in_doubt
                assert "or by somebody else at the same time" in result.to_text()
                assert any("claims/fresh is left alone" in note for note in undo.notes)
            undo.apply(progress=False)
            assert client.source(name) == theirs


# 57: the look before a guarded write


def guarded(client: rnb.Client, mine: rnb.Client, kind: str, name: str, folder: Path) -> object:
    """Begin with a source as it is now, and write to it if it has not changed."""
    base = client.source(name)
    if kind == "update":
        return lambda: safe_write.update(mine.calls, base, {"title": "mine"})
    if kind == "delete":
        return lambda: safe_write.delete(mine.calls, base, folder / f"{base.id}.json")
    if kind == "form":
        form = rnb.delete_form(mine, base)
        form.jobs.wait()
        form.name.value = name

        def press() -> None:
            form.button.click()
            form.jobs.wait()
            assert form.result is None
            raise rnb.Moved("as the form says", base, base)

        return press
    listing = client.sources("claims")
    plan = client.plan(listing[listing["id"] != base.id], delete_missing=True)
    object.__setattr__(plan, "client", mine)
    object.__setattr__(plan, "endpoint", mine.endpoint)

    def apply() -> None:
        assert plan.apply(progress=False).counts == {"moved": 1}
        raise rnb.Moved("as the outcome says", base, base)

    return apply


@pytest.mark.slow
def test_case_57_a_look_that_was_slow(client: rnb.Client, tmp_path: Path) -> None:
    """S a guarded delete or update whose own look had to wait, was retried or was slow, while
    somebody changed the source: nothing is written.
    """
    cases = list(product(["update", "delete", "form", "plan"], ["slow", "429", "502"]))
    names = [f"claims/{name}" for name in client.sources("claims")["name"].head(len(cases))]
    onward, begun = relay(client.endpoint), threading.Event()

    def changing(base: Source, what: str) -> Callable[[Asked], bytes]:
        """Relay requests; change the source during the first look at it, and hold that look up."""
        changed = threading.Event()

        def carried(asked: Asked) -> bytes:
            response = onward(asked)
            about = asked.path.endswith(base.full_name) or base.id in asked.path
            if not begun.is_set() or asked.method != "GET" or not about or changed.is_set():
                return response
            changed.set()
            with somebody_else(client) as other:
                other.update_source(base.full_name, description="theirs")
            if what == "slow":
                # The response is from before the change, and arrives long after it.
                threading.Event().wait(1.2)
                return response
            headers = {"Retry-After": "1"} if what == "429" else {}
            return reply({"status": "error", "message": "busy"}, int(what), headers)

        return carried

    def attempt(write: Callable[[], object]) -> None:
        with pytest.raises(rnb.Moved):
            write()

    with ExitStack() as stack:
        bases = [client.source(name) for name in names]
        writes: list[Any] = []
        for base, (kind, what) in zip(bases, cases, strict=True):
            mine = stack.enter_context(through(client, changing(base, what)))
            writes.append(guarded(client, mine, kind, base.full_name, tmp_path))
        begun.set()
        with ThreadPoolExecutor(len(cases)) as pool:
            attempts = [pool.submit(attempt, write) for write in writes]
        for done, base, case in zip(attempts, bases, cases, strict=True):
            done.result()
            now = client.source(base.full_name)
            assert (now.id, now.title, now.description) == (base.id, base.title, "theirs"), case


# 58: a token that loses its permission


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_case_58_a_token_that_loses_its_permission(client: rnb.Client, kind: str) -> None:
    """S a token that loses its permission between plan and apply: a 404 is not told as "gone"."""
    box = box_of(client)
    rights = {"claims": ["sources-admin", "sources-read"]}
    token = box.add_user("engineer", organisation_permissions=rights)
    with rnb.connect(endpoint=client.endpoint, token=token) as mine:
        listing = mine.sources("claims")
        plan = (
            mine.plan(listing.head(1).assign(title="mine"))
            if kind == "update"
            else mine.plan(listing.iloc[1:], delete_missing=True)
        )
        box.permit("engineer", organisation_permissions={"claims": []})
        with pytest.raises(rnb.NotFound, match="the token may not see"):
            plan.moved()
        result = plan.apply(progress=False)
        assert result.counts == {"failed": 1}
        said = result.frame["said"][0]
        assert "404" in said
        for wrong in ("already deleted", "no longer exists", "gone"):
            assert wrong not in result.to_text()
        result = result.retry(progress=False)
        assert result.counts == {"failed": 1}
        assert len(client.sources("claims", refresh=True)) == len(listing)
        box.permit("engineer", organisation_permissions=rights)
        assert result.retry(progress=False).counts == {"done": 1}


# 59: sets, and values that are empty

PROPERTIES = ("salary", "iban", "salary-grade")
# PROPERTIES in other orders, and with repeated texts.
ALIKE = [
    *permutations(PROPERTIES),
    (*PROPERTIES, "iban"),
    ("salary-grade", "iban", "iban", "salary", "salary"),
]


def test_case_59_sets_and_empty_values(shared: rnb.Client) -> None:
    """lists that are sets in another order, '' against missing, on any side of a three-way merge:
    no change, no conflict.
    """
    listing = shared.sources("claims").head(6)
    empty = [listing, listing]
    for number, name in product(range(2), KINDS_OF_NOTHING):
        empty[number] = with_value(empty[number], name, KINDS_OF_NOTHING[name][number])
    ordered = [with_value(listing, "sensitive_properties", names) for names in ALIKE[::7]]
    for forms in (empty, ordered):
        for edited, now, base in product(forms, repeat=3):
            for sides in ((edited, now, base), (edited, now)):
                decided = decisions(*sides, of_this_tenant=True)
                assert (decided.steps, decided.problems, decided.theirs) == ((), (), 0)
            # A missing row is deleted, whatever the form of its values in the base.
            missing = edited.iloc[1:]
            decided = decisions(missing, now, base, of_this_tenant=True, delete_missing=True)
            assert decided.problems == ()
            assert [step.kind for step in decided.steps] == ["delete"]
    with rnb.sandbox(with_value(ordered[0], "description", "")) as client:
        listing = client.sources()
        for number, names in enumerate(ALIKE):
            other = with_value(listing, "sensitive_properties", names)
            other = with_value(other, "description", ["", None][number % 2])
            pairs = [(other, None), (other, listing), (listing, other)]
            for mine, before in pairs:
                plan = client.plan(mine, before, delete_missing=True)
                assert plan.ok, plan
                assert plan.steps == (), plan
        plan = client.plan(other.iloc[1:], listing, delete_missing=True)
        assert [step.kind for step in plan.steps] == ["delete"]


# 60: lists written as texts

GOOD: dict[str, tuple[str, ...]] = {
    '["salary", "iban"]': ("salary", "iban"),
    '["salary","iban"]': ("salary", "iban"),
    ' [ "salary" , "iban" ] ': ("salary", "iban"),
    "['salary', 'iban']": ("salary", "iban"),
    "('salary', 'iban')": ("salary", "iban"),
    "('salary',)": ("salary",),
    "['salary']": ("salary",),
    r'["a\u00e4\ud83d\ude00\n\"\\"]': ('aä\N{GRINNING FACE}\n"\\',),
    str(('aä\N{GRINNING FACE}\n"\\', "\x00\xad\u2028'", "it's", "")): (
        'aä\N{GRINNING FACE}\n"\\',
        "\x00\xad\u2028'",
        "it's",
        "",
    ),
    # Another version of Python escapes this character in a `repr`.
    r"('\U0001f600',)": ("\N{GRINNING FACE}",),
    r"['a, b', '], [', '\\n']": ("a, b", "], [", r"\n"),
}
BAD = [
    "[__import__('pathlib').Path('evaluated').touch() or 'a']",
    "__import__('pathlib').Path('evaluated').touch()",
    '["salary" "iban"]',
    "['salary' 'iban']",
    "('salary' 'iban',)",
    "('salary')",
    "('salary', 'iban',)",
    "['salary', ]",
    "['salary'",
    "['salary']]",
    "['salary'] + ['iban']",
    "['salary', iban]",
    '["salary", 5]',
    "['salary', 5]",
    "['salary', None]",
    "['salary', ['iban']]",
    "{'salary', 'iban'}",
    '{"salary": "iban"}',
    "['salary', b'iban']",
    "[r'salary']",
    "[f'{1+1}']",
    "('salary', *('iban',))",
    "['a'.upper()]",
    "['a' * 3]",
    r"['\x41']",
    r"['\x5cn']",
    r"['\a']",
    r"['\N{DEGREE SIGN}']",
    r"['\U00110000']",
    r"['\xzz']",
    "salary",
    "salary, iban",
    "'salary'",
    '"salary"',
    "5",
    "None",
    "nan",
    "[" * 100_000 + "]" * 100_000,
    "(" * 5_000,
    "[" + "'a', " * 5_000,
    "['" + "\\\\" * 50_000,
]
HALVES: list[Any] = [
    *(("a\ud800",), ["a\ud800"], "['a\\ud800']", '["\\udc00", "b"]', {"x", "\udfff"}),
]
(FIELD,) = (field for field in fields_of(Source) if field.type is Names)


@pytest.mark.slow
def test_case_60_lists_written_as_text(
    shared: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lists written as text with a missing comma, escapes, half characters: JSON or a listed
    problem; never evaluated.
    """
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "edited.csv"
    for text, names in GOOD.items():
        frame = edited_names(shared, text)
        (step,) = shared.plan(frame).steps
        assert step.settings == {"sensitive_properties": names}, text
        frame.to_csv(file, index=False)
        assert rnb.read_csv(file)["sensitive_properties"].tolist() == [names], text
        with rnb.sandbox(data=frame) as copy:
            assert copy.sources()["sensitive_properties"].tolist() == [names], text
        assert rnb.compare(frame, edited_names(shared, names)).ok, text
        audited = [rnb.audit(df).findings for df in (frame, edited_names(shared, names))]
        assert audited[0].equals(audited[1]), text
        control = control_for(FIELD)
        control.input.value = text
        assert control.entry().value == names, text
    for text in BAD:
        frame = edited_names(shared, text)
        plan = shared.plan(frame)
        assert plan.steps == (), text
        (problem,) = plan.problems.itertuples()
        assert (problem.column, problem.row) == ("sensitive_properties", 0), text
        assert 'In a file, write ["salary"]' in str(problem.reason), text
        frame.to_csv(file, index=False)
        if text != "nan":
            with pytest.raises(rnb.ReinferError, match="is not a list of texts"):
                rnb.read_csv(file)
        with (
            pytest.raises(rnb.InvalidInput, match="is not a list of texts"),
            rnb.sandbox(data=frame),
        ):
            pass
        with pytest.raises(rnb.InvalidInput, match="is not a list of texts"):
            rnb.audit(frame)
    for cell, new in product(HALVES, [False, True]):
        frame = edited_names(shared, cell)
        if new:
            frame = frame.drop(columns="id").assign(name="new")
        (problem,) = shared.plan(frame).problems.itertuples()
        assert problem.column == "sensitive_properties", cell
        assert "half a character" in str(problem.reason), cell
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


# 61: unknown fields

# Values that a tenant may send in an unknown field.
ODD = {
    "infinite": b"1e999",
    "negative infinite": b"-1e999",
    "infinite inside": b'[1e999, {"a": [-1e999, 1.5]}]',
    "texts like it": rb'["NaN", "-Infinity \" Infinity, NaN", "\\\"", {"Infinity": 1, "NaN": 2}]',
    "deep lists": b"[" * 450 + b"1e999" + b"]" * 450,
    "deep objects": b'{"a": ' * 450 + b"1" + b"}" * 450,
    "a huge number": b"7" * 4_000,
    "500 levels": b"[" * 250 + b'{"a": ' * 250 + b"1" + b"}" * 250 + b"]" * 250,
    "NaN": b"NaN",
    "NaN inside": b'[{"a": [NaN]}]',
    "tiny": b"1e-400",
    "half a character": rb'["\ud800", "\udc00\ud800 x"]',
    "other characters": '["\u2028 \U0001f600 \x7f"]'.encode(),
}


def odd_tenant(client: rnb.Client, odd: bytes) -> Callable[[Asked], bytes]:
    """Relay requests; add an unknown field to sources and comments, and a mark to each body."""
    onward = relay(client.endpoint)

    def added(asked: Asked) -> bytes:
        head, body = onward(asked).split(b"\r\n\r\n", 1)
        for known in (b'"_kind":', b'"has_annotations":'):
            body = body.replace(known, b'"odd": %s, %s' % (odd, known))
        return reply(codecs.BOM_UTF8 + body, int(head.split()[1]))

    return added


@pytest.mark.slow
@pytest.mark.parametrize("what", ODD)
def test_case_61_unknown_fields(client: rnb.Client, tmp_path: Path, what: str) -> None:
    """M unknown fields of `1e999`, NaN, 500 levels, byte order mark: kept or missing with a
    warning; whatever is written (restore file, plan, journal, archive) is read back by our own
    readers.
    """
    odd, chat = ODD[what], "claims/recovery-chat"
    unreadable, no_upload = what.startswith("NaN"), b"1e999" in odd or odd[-3:] == b"NaN"
    expected = None if unreadable else strict_json.decode(odd)
    with (
        through(client, odd_tenant(client, odd)) as tenant,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        source = tenant.source(NAME)
        assert source.extra == {"odd": expected}
        claims = tenant.sources("claims")
        assert bool(caught) is unreadable
        assert all("'odd'" in str(warning.message) for warning in caught)
        edited = claims.iloc[3:]
        edited = edited.assign(title=["Edited"] * 6 + edited["title"].tolist()[6:])
        plan = tenant.plan(edited, delete_missing=True, project="claims")
        again = rnb.load_plan(plan.save(tmp_path / "change.json"), tenant)
        assert [step.to_json() for step in again.steps] == [step.to_json() for step in plan.steps]
        assert len(plan.steps) == 9
        assert len(plan.rehearse(progress=False).sources) == len(edited)
        journal = tmp_path / "journal.jsonl"
        result = plan.apply(progress=False, journal=journal)
        assert result.ok, result
        kept = saved.result_of(tenant, journal)
        assert [o.to_json() for o in kept.outcomes] == [o.to_json() for o in result.outcomes]
        assert len(kept.undo().steps) == len(plan.steps)
        full_name = f"claims/{claims['name'][5]}"
        gone = tenant.delete_source(full_name, restore_file=tmp_path / "gone.json")
        assert gone.extra == source.extra
        assert restore_files.read(tmp_path / "gone.json").source.to_wire() == gone.to_wire()
        assert rnb.restore(tenant, tmp_path / "gone.json").full_name == full_name
        file = tmp_path / "chat.jsonl"
        if no_upload or unreadable:
            # No upload could send such a comment.
            with pytest.raises(rnb.ProtocolError, match="NaN or Infinity"):
                tenant.archive(chat, file, progress=False)
            assert not file.exists()
        else:
            tenant.archive(chat, file, progress=False)
            lines = [strict_json.decode(line) for line in file.read_bytes().splitlines()]
            assert [line["comment"]["odd"] for line in lines] == [expected] * 40
            assert len(rnb.read_archive(file)) == 40


# 62: frames through pandas' files

Frames = tuple[dict[str, pd.DataFrame], rnb.Client]
# Formats that keep all values and `attrs`.
EXACT = ("parquet", "feather", "arrow", "pickle")
# `before` and `after` hold settings of every type, for which Parquet has no column.
SETTINGS = {"Comparison.changed", "Plan.frame"}
# Frames with sources as the tenant has them.
LISTINGS = {
    *("Client.sources", "Client.statistics", "Client.last_comment", "Client.contents"),
    *("read_csv", "read_excel", "History.load", "AuditReport.audited", "Sandbox.sources"),
    *("Comparison.added", "Comparison.removed", "Explorer.frame", "Explorer.selected"),
}


def classes() -> dict[str, type]:
    """Return the classes of the package by name."""
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(rnb.__path__, "reinfer_nb."):
        if not module.name.endswith(("__main__", ".pytest")):
            namespace = vars(importlib.import_module(module.name))
            found |= {name: value for name, value in namespace.items() if inspect.isclass(value)}
    return {
        name: value for name, value in found.items() if value.__module__.startswith("reinfer_nb")
    }


def annotated(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the return annotation of a function, or the annotations of a class's public members."""
    if not inspect.isclass(value):
        yield "", str(getattr(value, "__annotations__", {}).get("return", ""))
        return
    for name, member in inspect.getmembers_static(value):
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isroutine(function):
            yield f".{name}", str(getattr(function, "__annotations__", {}).get("return", ""))
    for kind in value.__mro__:
        for name, annotation in vars(kind).get("__annotations__", {}).items():
            if not name.startswith("_"):
                yield f".{name}", str(annotation)


def public_frames() -> set[str]:
    """Return the public functions and attributes that are frames, also of returned objects."""
    public: dict[str, Any] = {name: getattr(rnb, name) for name in rnb.__all__}
    # What a base class has is found in the public class.
    bases = {base for value in public.values() if inspect.isclass(value) for base in value.__mro__}
    bases -= {value for value in public.values() if inspect.isclass(value)}
    known = {name: value for name, value in classes().items() if value not in bases}
    frames, seen = set(), set[str]()
    while public.keys() - seen:
        for name in public.keys() - seen:
            seen.add(name)
            for member, annotation in annotated(public[name]):
                words = set(re.findall(r"\w+", annotation))
                if "DataFrame" in words:
                    frames.add(f"{name}{member}")
                public |= {word: known[word] for word in words & known.keys()}
    return frames


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frames]:
    """Every public frame, with rows, by the name of its function or attribute; and its tenant."""
    folder = tmp_path_factory.mktemp("frames")
    with rnb.Sandbox() as client:
        box = client.sandbox
        assert box is not None
        before = client.sources()
        history = rnb.History(folder / "history")
        history.record(before)
        edited = before.drop(index=[7, 8]).reset_index(drop=True)
        edited.loc[0, "title"] = "Edited"
        edited.loc[0, "should_translate"] = True
        edited["sensitive_properties"] = [("salary", "iban"), *edited["sensitive_properties"][1:]]
        new = {"owner": "claims", "name": "added", "title": "Added"}
        edited = pd.concat([edited, pd.DataFrame([new])], ignore_index=True)
        edited = edited.astype(before.dtypes.to_dict())
        plan = client.plan(edited, before, delete_missing=True)
        wrong = client.plan(before.head(2).assign(name=["a", "b"], should_translate="perhaps"))
        rehearsal = plan.rehearse(progress=False)
        # One step fails, since somebody else changes that source after the plan was made.
        client.update_source(str(before.loc[0, "id"]), title="By another")
        moved = plan.moved()
        result = plan.apply(progress=False, journal=folder / "journal.jsonl")
        after = client.sources(refresh=True)
        history.record(after)
        renamed = before.copy()
        renamed.loc[3, "name"] = "another-name"
        comparison = rnb.compare(before, renamed.drop(index=[5]))
        larger = rnb.compare(before.drop(index=[6]), after, ignore=())
        report = rnb.audit(after)
        explorer = rnb.explore(client)
        until(lambda: len(explorer.frame))
        explorer.finder.select([0, 1, 2, 3])
        shown, selected = explorer.frame, explorer.selected
        explorer.close()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CONFIG_HOME", str(folder))
            (folder / "reinfer").mkdir()
            context = {"name": "one", "endpoint": "https://one.example", "token": None}
            content = {"current_context": "one", "contexts": [context]}
            (folder / "reinfer" / "contexts.json").write_text(json.dumps(content), "utf-8")
            contexts = rnb.contexts()
        made = {
            "Client.sources": after,
            "Client.projects": client.projects(),
            "Client.buckets": client.buckets(),
            "Client.statistics": client.statistics(after.head(3), progress=False),
            "Client.activity": client.activity(after.head(3), progress=False),
            "Client.last_comment": client.last_comment(after.head(3), progress=False),
            "Client.contents": client.contents(after.head(3), progress=False),
            "Client.comments": client.comments("claims/theft-inbox", limit=20),
            "Client.iter_comments": next(client.iter_comments("claims/theft-inbox", limit=9)),
            "Client.sample": client.sample("claims/theft-inbox"),
            "Client.archive": client.archive(
                ["claims/theft-inbox"], folder / "comments", progress=False
            ),
            "UploadResult.frame": UploadResult(source="a/b", refused={"c": "why"}).frame,
            "read_archive": rnb.read_archive(folder / "comments").head(20),
            "read_csv": rnb.read_csv(rnb.to_csv(after, folder / "listing.csv")),
            "read_excel": rnb.read_excel(rnb.to_excel(after, folder / "listing.xlsx")),
            "History.load": history.load(),
            "History.snapshots": history.snapshots(),
            "History.timeline": history.timeline(str(before.loc[0, "id"])),
            "History.changes": history.changes(),
            "AuditReport.findings": report.findings,
            "AuditReport.summary": report.summary,
            "AuditReport.audited": report.audited,
            "AuditReport.fixes": report.fixes(),
            "audit_rules": rnb.audit_rules(),
            "Comparison.added": larger.added,
            "Comparison.removed": comparison.removed,
            "Comparison.changed": larger.changed,
            "Comparison.renamed": comparison.renamed,
            "Comparison.summary": larger.summary,
            "Comparison.frame": larger.frame,
            "Plan.frame": plan.frame,
            "Plan.summary": plan.summary,
            "Plan.problems": wrong.problems,
            "Plan.moved": moved,
            "ApplyResult.frame": result.frame,
            "ApplyResult.failed": result.failed,
            "Rehearsal.sources": rehearsal.sources,
            "Sandbox.sources": box.sources(),
            "Explorer.frame": shown,
            "Explorer.selected": selected,
            "contexts": contexts,
        }
        yield made, client


def cells(column: pd.Series) -> list[Any]:
    """Return the cells of a column: None for missing values, lists for arrays and tuples."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [list(value) if isinstance(value, tuple | np.ndarray) else value for value in values]


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_case_62_every_frame_through_pandas(frames: Frames, writer: str) -> None:
    """every public frame through pandas' Parquet, Feather, CSV, JSON, Excel, pickle and back into
    `plan`: nothing to do.
    """
    made, client = frames
    assert public_frames() == set(made)
    write_and_read = WRITERS[writer]
    for name, df in made.items():
        assert len(df), name
        if name in SETTINGS and writer in ("parquet", "feather", "arrow"):
            with pytest.raises(pa.ArrowTypeError):
                write_and_read(df)
        # As recommended in the docstrings.
        texts = df.astype({"before": "str", "after": "str"}) if name in SETTINGS else df
        back = write_and_read(texts)
        assert list(back.columns) == list(df.columns), name
        assert len(back) == len(df), name
        if writer in EXACT:
            assert back.attrs == df.attrs, name
            # Arrow fills each dictionary with the keys of all the others.
            columns = [column for column in df.columns if column != "options"]
            assert {column: cells(back[column]) for column in columns} == {
                column: cells(texts[column]) for column in columns
            }, name
        if name in LISTINGS:
            plan = client.plan(back)
            assert (plan.problems.to_dict("records"), plan.steps) == ([], ()), name


@pytest.fixture(scope="module")
def odd() -> Iterator[rnb.Client]:
    """A tenant with odd texts and lists, and with times to the microsecond."""
    with tenant_of_odd_texts() as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_case_62_a_listing_of_odd_texts(odd: rnb.Client, way: str) -> None:
    """A listing that any reader has read plans nothing, with a base and without."""
    listing = odd.sources()
    back = WAYS[way](listing)
    for base in (None, listing):
        plan = odd.plan(back, base, delete_missing=True)
        assert plan.problems.to_dict("records") == []
        assert plan.steps == ()


# 63: CSV files of other programs

PANDAS_CSV: dict[str, dict[str, Any]] = {
    "with its index": {},
    "without": {"index": False},
    "everything quoted": {"quoting": csv.QUOTE_ALL},
    "everything quoted, no index": {"quoting": csv.QUOTE_ALL, "index": False},
    "texts quoted": {"quoting": csv.QUOTE_NONNUMERIC},
    "semicolons": {"sep": ";"},
    "tabs": {"sep": "\t"},
    "UTF-16": {"encoding": "utf-16"},
    "a mark": {"encoding": "utf-8-sig"},
    "CRLF": {"lineterminator": "\r\n"},
    "CR": {"lineterminator": "\r", "index": False},
    "gzip": {"compression": "gzip"},
}

TABLE = [["id", "title", "num_comments"], ["a", "Grüße; alle", "5"], ["b", "", "7"]]
EXPECTED = [["a", "Grüße; alle", 5], ["b", None, 7]]


def as_text(sep: str, end: str = "\r\n", rows: list[list[str]] = TABLE) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=sep, lineterminator=end).writerows(rows)
    return file.getvalue()


FILES: dict[str, str | bytes] = {
    "Excel, CSV UTF-8, German": b"\xef\xbb\xbf" + as_text(";").encode(),
    "Excel, Unicode text": as_text("\t").encode("utf-16"),
    "Excel, Unicode text, the other way round": b"\xfe\xff" + as_text("\t").encode("utf-16-be"),
    "with sep=": "sep=;\r\n" + as_text(";"),
    "with a quoted sep=": '"sep=,"\r\n' + as_text(","),
    "Google Sheets": as_text(",").removesuffix("\r\n"),
    "Numbers": as_text(";", "\n"),
    "LibreOffice": as_text(",", "\n"),
    "old Mac": as_text(",", "\r"),
    "padded to the right": as_text(",", rows=[[*row, "", ""] for row in TABLE]),
    "short rows": as_text(",").replace("b,,7", "b,,7,,,"),
    "blank rows": as_text(",").replace("b,", "\r\n,,\r\n,,,,\r\n\r\nb,") + ",,\r\n\r\n,\r\n",
    "blank rows at first": "\r\n,,\r\n" + as_text(","),
    "a padded header": as_text(",").replace("id,title,num_comments", " id , title,num_comments "),
    "everything quoted": "\n".join(",".join(f'"{cell}"' for cell in row) for row in TABLE) + "\n",
    "gzip": gzip.compress(as_text(",").encode()),
}
REFUSED: list[tuple[bytes, str]] = [
    (
        "id;title\na;Grüße\n".encode("cp1252"),
        r"row 2, line 2.*CSV UTF-8.*decode\('cp1252'\)",
    ),
    ('id;title\n"x\ny";\n\nb;Größe\n'.encode("cp1252"), "row 4, line 5"),
    (b"PK\x03\x04rest", "workbook, or a zip archive to unpack. Read"),
    (b"\xd0\xcf\x11\xe0rest", "workbook .*Save it"),
    (b"PAR1rest", "pd.read_parquet"),
    (b"ARROW1rest", "pd.read_feather"),
    (b"BZh91AY", "bzip2. Unpack"),
    (b"\xfd7zXZ\0", "xz. Unpack"),
    (b"\x28\xb5\x2f\xfd", "Zstandard. Unpack"),
    (gzip.compress(b"id,title\n" * 1000)[:-9], "gzip, and cut off"),
    ("id,title\n".encode("utf-32"), "UTF-32"),
    ("id,title\na,b\n".encode("utf-16")[:-1], "UTF-16, and cut off"),
    *[
        (text.encode(f"utf-{bits}"), "without a byte order mark.*CSV UTF-8")
        for text in ("id,title\na,b\n", "id,title\na,Größe\n")
        for bits in ("16-le", "16-be", "32-le", "32-be")
    ],
]


def read(path: Path, content: str | bytes) -> pd.DataFrame:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return rnb.read_csv(path)


def test_case_63_csv_files_of_other_programs(tmp_path: Path) -> None:
    """CSV as pandas, Google, Excel, LibreOffice write it: index column, short and padded rows,
    blank rows, no last line break, `;`, tab, UTF-16, cp1252, `.gz`: read right, or refused with
    what to do.
    """
    path = tmp_path / "x.csv"
    for name, content in FILES.items():
        back = read(path, content)
        assert list(back.columns) == TABLE[0], name
        assert cells_of(back) == EXPECTED, name
        assert [str(dtype) for dtype in back.dtypes] == ["str", "str", "Int64"], name
    frame = pd.DataFrame(EXPECTED, columns=TABLE[0])
    for name, options in PANDAS_CSV.items():
        frame.to_csv(path, **options)
        assert cells_of(rnb.read_csv(path)) == EXPECTED, name
    frame.to_csv(tmp_path / "x.csv.gz", index=False)
    assert cells_of(rnb.read_csv(tmp_path / "x.csv.gz")) == EXPECTED
    back = read(path, "id,title,n\na,b,5\nc,d\ne\n")
    assert cells_of(back) == [["a", "b", 5], ["c", "d", None], ["e", None, None]]
    for content, advice in REFUSED:
        with pytest.raises(rnb.FileProblem, match=advice):
            read(path, content)


@pytest.mark.slow
@pytest.mark.parametrize("way", PANDAS_CSV)
def test_case_63_a_listing_as_pandas_writes_it(
    shared: rnb.Client, tmp_path: Path, way: str
) -> None:
    """A listing that pandas wrote is read with all values and dtypes, and plans nothing."""
    listing = shared.sources().assign(num_comments=5.0)
    listing["num_comments"] = listing["num_comments"].mask(listing.index == 3)
    options, path = PANDAS_CSV[way], tmp_path / "x.csv"
    shapes = {
        "as it is": listing,
        "sorted": listing.sort_values("title"),
        "filtered": listing[listing["owner"] == "claims"],
        "empty": listing.head(0),
        "an index with names": listing,
    }
    for shape, df in shapes.items():
        named = shape == "an index with names"
        if named and not options.get("index", True):
            continue
        written = df.set_index(["owner", "name"]) if named else df
        written.to_csv(path, **options)
        back = rnb.read_csv(path)
        assert set(back.columns) == set(df.columns), shape
        back = back[df.columns]
        expected = df.assign(num_comments=df["num_comments"].astype("Int64"))
        assert cells_of(back) == cells_of(expected), shape
        assert back.dtypes.to_dict() == expected.dtypes.to_dict(), shape
        plan = shared.plan(back, project="claims" if shape == "filtered" else None)
        assert plan.ok, shape
        assert len(plan.steps) == 0, shape


# 64: identifiers in columns of one's own

IDENTIFIERS = [
    *("8085807e40000000", "00123", "+44123", "INF", "1E5", "-0", "1e5", "1.50", ".5", "5.", "Inf"),
    *("0.10", "1e400", "12345678901234567890", "-007", "1_000", "0x1F", "1.0e3", "NaN", "nan"),
]


@pytest.mark.slow
def test_case_64_identifiers_stay_texts(tmp_path: Path) -> None:
    """columns of one's own with `8085807e40000000`, `00123`, `+44123`, `INF`, `1E5`: text,
    exactly.
    """
    path = tmp_path / "x.csv"
    for cell, beside in product(IDENTIFIERS, [None, "12", "1.5", ""]):
        cells = [cell] if beside is None else [cell, beside]
        back = read(path, "id,own\n" + "".join(f"x,{text}\n" for text in cells))["own"]
        assert str(back.dtype) == "str", cells
        found = [None if pd.isna(text) else text for text in back]
        assert found == [text or None for text in cells], cells
        # Also after a round trip through `to_csv`.
        again = rnb.read_csv(rnb.to_csv(back.to_frame(), path, overwrite=True))
        pd.testing.assert_frame_equal(again, back.to_frame())


# 65 and 66: processes


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_case_65_a_client_in_several_processes(
    shared: rnb.Client, tmp_path: Path, method: str
) -> None:
    """P a client used on both sides of a fork, by `multiprocessing` in all its ways: each has its
    own connections.
    """
    output = run(
        f"""
        def connections(client):
            # The numbers of the connections' sockets, as the system knows them.
            pools = [
                pool.pool
                for adapter in client._transport._session.adapters.values()
                for pool in adapter.poolmanager.pools._container.values()
            ]
            return {{
                os.readlink(f"/proc/self/fd/{{connection.sock.fileno()}}")
                for pool in pools
                for connection in pool.queue
                if connection and connection.sock
            }}

        def child(client, endpoint, token, names, queue):
            client = client or client_of(endpoint, token)
            failures = []
            ask(client, names, 60, failures)
            queue.put((failures, connections(client)))

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            client = client_of(ENDPOINT, TOKEN)
            names = client.sources().pipe(lambda df: df["owner"] + "/" + df["name"]).tolist()
            client.source(names[0])
            queue = context.Queue()
            handed = client if {method!r} == "fork" else None
            children = [
                context.Process(target=child, args=(handed, ENDPOINT, TOKEN, names[n:], queue))
                for n in range(2)
            ]
            for process in children:
                process.start()
            failures = []
            ask(client, names[::-1], 60, failures)
            results = [(failures, connections(client))]
            results += [queue.get(timeout=100) for _ in children]
            print("failures:", *[failures for failures, _ in results])
            used = [one for _, own in results for one in own]
            print("connections:", len(used) >= 3, len(used) == len(set(used)))
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines() == ["failures: [] [] []", "connections: True True"], output


CALLS = {
    "sources": "len(client.sources(refresh=True))",
    "statistics": "len(client.statistics(df, progress=True))",
    "apply": "client.plan(df.assign(title='new')).apply(journal='new.jsonl').counts",
    "audit": "len(rnb.audit(df).findings)",
    "compare": "rnb.compare(df, df.iloc[1:])",
    "record": "rnb.History('history').record(df), rnb.History('history').load(project='claims')",
    "to_csv": "rnb.to_csv(df, 'new.csv')",
    "read_csv": "rnb.read_csv('begin.csv')",
}
# Calls that cannot work without a home folder and with a keyring that waits.
FAILING = {
    "keyring": "rnb.connect(endpoint='https://elsewhere.example/org/t/reinfer_')",
    "journal": "client.plan(df.assign(title='newer')).apply()",
    "context": "rnb.connect(context='prod')",
}
# Takes the home folder away, and asks a keyring that waits for ever.
BARE = """
import pwd

def nobody(_):
    raise KeyError("uid not found")

pwd.getpwuid = nobody
for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
    os.environ.pop(name, None)

import keyring
from keyring.backend import KeyringBackend

class Waiting(KeyringBackend):
    priority = 1.0

    def get_password(self, service, username):
        threading.Event().wait()

    set_password = delete_password = get_password

keyring.set_keyring(Waiting())
from reinfer_nb.auth import keyring_store

keyring_store.NOTICE, keyring_store.LIMIT = 0.2, 0.5
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "first_use", "bare"),
    [
        ("thread", "before", True),
        ("atexit", "before", True),
        ("atexit", "after", True),
        ("atexit", "after, in a thread", False),
        ("thread of atexit", "before", False),
        ("thread of atexit", "after", True),
    ],
)
def test_case_66_calls_while_the_process_ends(
    client: rnb.Client, tmp_path: Path, where: str, first_use: str, *, bare: bool
) -> None:
    """P use in a thread after the main one ended, in `atexit`, under `python -OO`, without HOME,
    with a keyring that waits: works, or an error of ours within seconds.
    """
    # The first function registered with `atexit` runs last: after urllib3 closed its connections.
    output = run(
        f"""
        {BARE.replace(chr(10), chr(10) + " " * 8) if bare else ""}
        client = client_of(ENDPOINT, TOKEN)

        def use():
            global df
            df = client.sources("claims")
            rnb.to_csv(df, "begin.csv")

        first_use = {first_use!r}
        if first_use == "before":
            use()

        def work():
            for name, call in CALLS.items():
                begin = time.monotonic()
                try:
                    eval(call)
                    print("did", name, flush=True)
                except rnb.ReinferError as error:
                    seconds = time.monotonic() - begin
                    print("told", name, "at once" if seconds < 9 else seconds, flush=True)
                except BaseException as error:
                    print("failed", name, repr(error), flush=True)

        def later():
            threading.main_thread().join()
            time.sleep(0.2)
            work()

        where = {where!r}
        if where == "thread":
            threading.Thread(target=later).start()
        elif where == "atexit":
            atexit.register(work)
        else:
            def begin():
                try:
                    thread = threading.Thread(target=work)
                    thread.start()
                except RuntimeError:
                    work()
                else:
                    thread.join()
            atexit.register(begin)

        if first_use == "after":
            use()
        elif first_use == "after, in a thread":
            thread = threading.Thread(target=use)
            thread.start()
            thread.join()
        """.replace("CALLS.items()", f"{CALLS | (FAILING if bare else {})!r}.items()"),
        client,
        tmp_path,
        *["-OO"] * bare,
    )
    lines = [line for line in output.splitlines() if line.startswith(("did", "told", "failed"))]
    told = [f"told {name} at once" for name in FAILING if bare]
    assert lines == [*(f"did {name}" for name in CALLS), *told], output
    assert "Error" not in output


# 67: paths

Use = Callable[[rnb.Client, Any], object]


def record(client: rnb.Client, path: Any) -> object:
    return rnb.History(path).record(client.sources("claims"))


def database(_: rnb.Client, path: Any) -> object:
    with rnb.sandbox(database=path) as other:
        return other.me()


@cache
def reports() -> tuple[rnb.AuditReport, rnb.Comparison]:
    """Return reports of a practice tenant, made once: they are the same for every path."""
    with rnb.sandbox() as client:
        df = client.sources("claims")
    return rnb.audit(df), rnb.compare(df, df.iloc[1:])


def delete_by_form(client: rnb.Client, path: Any) -> object:
    form = rnb.delete_form(client, "claims/motor-inbox", restore_folder=path)
    assert form.restore_file is not None
    form.restore_file.parent.mkdir(parents=True)
    return form.restore_file


# Calls that write a file or a folder.
PATHS_WRITTEN: dict[str, Use] = {
    "to_csv": lambda client, path: rnb.to_csv(client.sources("claims"), path),
    "to_excel": lambda client, path: rnb.to_excel(client.sources("claims"), path),
    "History": record,
    "Plan.save": lambda client, path: plan_of_titles(client).save(path),
    "Plan.apply": lambda client, path: plan_of_titles(client).apply(progress=False, journal=path),
    "delete_source": lambda client, path: client.delete_source(
        "claims/motor-inbox", restore_file=path
    ),
    "delete_form": delete_by_form,
    "AuditReport.to_csv": lambda _, path: reports()[0].to_csv(path),
    "Comparison.to_csv": lambda _, path: reports()[1].to_csv(path),
    "AuditReport.to_excel": lambda _, path: reports()[0].to_excel(path),
    "Comparison.to_excel": lambda _, path: reports()[1].to_excel(path),
    "sandbox(database=)": database,
}


def undone(client: rnb.Client, path: Any) -> object:
    return rnb.resume(client, path, progress=False).undo()


def resumed(client: rnb.Client, path: Any) -> object:
    return rnb.resume(client, path, progress=False)


def filled(_: rnb.Client, path: Any) -> object:
    with rnb.sandbox(path) as other:
        return other.me()


def bundle(_: rnb.Client, path: Any) -> object:
    return rnb.connect(endpoint="https://nobody.invalid", token="x" * 20, verify=path)


# Pairs of calls that write a file or folder and that read it.
PATHS_READ: dict[str, tuple[Use, Use]] = {
    "read_csv": (PATHS_WRITTEN["to_csv"], lambda _, path: rnb.read_csv(path)),
    "read_excel": (PATHS_WRITTEN["to_excel"], lambda _, path: rnb.read_excel(path)),
    "listing_at, a file": (PATHS_WRITTEN["to_csv"], lambda _, path: listing_at(path)),
    "listing_at, a history": (
        PATHS_WRITTEN["History"],
        lambda _, path: listing_at(path, "claims"),
    ),
    "History": (
        PATHS_WRITTEN["History"],
        lambda _, path: rnb.History(path).load(project="claims"),
    ),
    "sandbox(data=)": (PATHS_WRITTEN["to_csv"], filled),
    "load_plan": (PATHS_WRITTEN["Plan.save"], lambda _, path: rnb.load_plan(path)),
    "resume": (PATHS_WRITTEN["Plan.apply"], resumed),
    "undo": (PATHS_WRITTEN["Plan.apply"], undone),
    "restore": (PATHS_WRITTEN["delete_source"], rnb.restore),
    "connect(verify=)": (PATHS_WRITTEN["to_csv"], bundle),
}


PATH_TYPES: dict[str, Callable[[str], Any]] = {
    "text": str,
    "Path": Path,
    "os.PathLike": PurePosixPath,
}


def listing_of(client: rnb.Client) -> bytes:
    """Return the tenant's response with all sources."""
    assert client.sandbox is not None
    response = requests.get(
        client.endpoint + "/api/v1/sources",
        headers={"Authorization": f"Bearer {client.sandbox.tokens['admin']}"},
        timeout=AGES,
    )
    assert response.status_code == 200
    return response.content


NO_PATHS: dict[str, object] = {
    "None": None,
    "5": 5,
    "True": True,
    "nan": float("nan"),
    "huge": 10**400,
    "numpy number": np.int64(5),
    "bytes": b"made",
    "BytesIO": io.BytesIO(b"x"),
    "StringIO": io.StringIO("x"),
    "list": ["made"],
    "empty": "",
    "NUL": "a\0b",
    "half a character": "a\ud800",
    "URL": "s3://bucket/made",
    "file URL": "file:///tmp/made",
    "nobody's home": "~nobody-is-called-so/made",
}


# Values of NO_PATHS that have a meaning for these arguments.
MEANT = {
    "delete_source": ("None",),
    "delete_form": ("None",),
    "Plan.apply": ("None",),
    "sandbox(database=)": ("None",),
    "sandbox(data=)": ("None",),
    "connect(verify=)": ("True", "None"),
}


# These arguments accept URLs.
OF_URLS = ("History", "listing_at, a file", "listing_at, a history")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::reinfer_nb.RestoredWarning")
@pytest.mark.parametrize(
    "name", [*PATHS_WRITTEN, *(name for name in PATHS_READ if name not in PATHS_WRITTEN)]
)
def test_case_67_any_path_that_a_person_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`~`, Path, URL, buffer, None, a number as any path a person gives: one treatment, our
    errors.
    """
    use = PATHS_WRITTEN[name] if name in PATHS_WRITTEN else PATHS_READ[name][1]
    with rnb.sandbox() as client:
        before = listing_of(client)
        at_home(tmp_path / "bad", monkeypatch)
        for bad, path in NO_PATHS.items():
            if bad in MEANT.get(name, ()) or ("URL" in bad and name in OF_URLS):
                continue
            with pytest.raises((rnb.InvalidInput, rnb.FileProblem)) as caught:
                use(client, path)
            assert type(caught.value) in (rnb.InvalidInput, rnb.FileProblem), bad
            message = str(caught.value)
            assert 20 < len(message) < 600, bad
            assert message.isprintable(), bad
        assert listing_of(client) == before
        assert [*tmp_path.rglob("*.*"), *Path().iterdir(), *Path("~").expanduser().iterdir()] == []
    for form, of in PATH_TYPES.items():
        with rnb.sandbox() as client:
            home = at_home(tmp_path / form, monkeypatch)
            if name in PATHS_WRITTEN:
                use(client, of("~/made"))
                assert [path.name for path in home.iterdir()] == ["made"], form
            if name in PATHS_READ:
                make, read_back = PATHS_READ[name]
                make(client, home / "made too")
                read_back(client, of("~/made too"))
            assert list(Path().iterdir()) == [], form


# 68: waits and answers out of the ordinary

NO_WAIT = {
    "word": "soon",
    "negative": "-1",
    "zero": "0",
    "zeros": "0.0",
    "empty": "",
    "twice": "1, 2",
    "sign": "+3",
    "exponent": "1e1",
    "unit": "3s",
    "past": format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True),
    "no date": "Mon, 99 Jan 2030 00:00:00 GMT",
    "other digits": "\xb2",
}
# Values that ask for a wait, and its seconds.
WAITS = {"1.5": 2, "0.01": 1, "7": 7, "7.0": 7, " 7 ": 7, "007": 7}
SUPPORT = reply({"status": "ok", "source": ONE})


def drip(part: str, authority: Authority, *, over_tls: bool) -> None:
    """Expect an error in time from a response that arrives byte by byte."""
    tls = authority.server("127.0.0.1") if over_tls else None
    begin = {
        "head": b"HTTP/1.1 200 OK\r\nX-Drip: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        "pieces": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    }[part]
    drop = b"1\r\nx\r\n" if part == "pieces" else b"x"
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection:
            connection.recv(10_000)
            connection.sendall(begin)
            for _ in range(2000):
                connection.sendall(drop)
                time.sleep(0.05)
            over.set()

    with raw(serve) as port:
        scheme = "https" if over_tls else "http"
        verify = str(authority.bundle) if over_tls else None
        client = client_of(f"{scheme}://127.0.0.1:{port}", verify=verify, timeout=(AGES, 50.0))
        with pytest.raises(rnb.Timeout, match="not complete within 1 s") as caught:
            client.update_source("lab/one", title="x")
        # The complete response would take a hundred seconds at least.
        assert not over.is_set()
    assert caught.value.in_doubt


@pytest.mark.slow
@pytest.mark.usefixtures("no_proxy")
def test_case_68_waits_and_answers_out_of_the_ordinary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M Retry-After `soon`, `-1`, `0`, `1.5`, a past date; 408, 520 to 524; a body that drips; TLS
    spoken to a plain port: bounded, backed off, told apart.
    """
    naps: list[float] = []
    kinds: dict[int, type[rnb.ReinferError]] = {429: rnb.RateLimited, 503: rnb.ServerError}
    for (what, value), status in product(NO_WAIT.items(), kinds):
        naps.clear()
        with Scripted(no(status, retry_after=value or " "), repeat=True) as server:
            patience = Patience(4, 120, 1.0)
            client = client_of(server.endpoint, patience=patience, sleep=naps.append)
            with pytest.raises(kinds[status], match="after 4 attempts"):
                client.source("lab/one")
            assert len(server.asked) == 4, what
        assert len(naps) == 3, what
        for nap, least in zip(naps, (1, 2, 4), strict=True):
            assert least <= nap <= least * 1.5 + 0.1, what
    for value, seconds in WAITS.items():
        naps.clear()
        # Such a 429 uses no attempt.
        with Scripted(*[no(429, retry_after=value)] * 5, SUPPORT) as server:
            client = client_of(server.endpoint, attempts=2, sleep=naps.append)
            assert client.source("lab/one").title == "One"
        assert len(naps) >= 5, value
        assert seconds <= naps[0] < seconds + 1, value
    for status in (408, 520, 521, 522, 523, 524):
        naps.clear()
        for page in (no(status), reply(b"<html>", status), reply(b"", status)):
            with Scripted(page, page, SUPPORT) as server:
                client = client_of(server.endpoint, attempts=3, sleep=naps.append)
                assert client.source("lab/one").title == "One"
            with Scripted(page, repeat=True) as server:
                client = client_of(server.endpoint, attempts=2, sleep=naps.append)
                with pytest.raises(rnb.ServerError, match="after 2 attempts") as caught:
                    client.update_source("lab/one", title="x")
                assert len(server.asked) == 2
                assert caught.value.status == status
                assert caught.value.in_doubt
                with pytest.raises(rnb.ServerError) as caught:
                    client.sources()
                assert not caught.value.in_doubt
        assert len(naps) == 12
    connections: list[object] = []

    def plain(connection: socket.socket) -> None:
        connections.append(connection)
        connection.recv(10_000)
        connection.sendall(reply({}, 400))

    with raw(plain) as port:
        client = client_of(f"https://127.0.0.1:{port}", attempts=3)
        with pytest.raises(rnb.ConnectionFailed, match="does not speak TLS") as failed:
            client.update_source("lab/one", title="x")
    assert not failed.value.in_doubt
    assert "certificate" not in str(failed.value)
    # Another attempt would not help.
    assert len(connections) == 1
    # With a long read time-out, a busy machine does not cause a time-out.
    assert connection_failures.TOTAL == 10
    for module in (connection_failures, session):
        monkeypatch.setattr(module, "TOTAL", 0.02)
    authority = Authority(tmp_path)
    parts = list(product(["head", "body", "pieces"], [False, True]))
    with ThreadPoolExecutor(len(parts)) as pool:
        drips = [pool.submit(drip, part, authority, over_tls=tls) for part, tls in parts]
        for done in drips:
            done.result()


# 69: a rate limit


@pytest.mark.slow
def test_case_69_a_rate_limit(client: rnb.Client) -> None:
    """S a rate limit of 20 a second with a burst of 5 and eight workers: within 1.5 times the
    limit's own time.
    """
    listing, limit = client.sources().head(120), Bucket(20, 5)
    requests = len(listing)
    tenant = LimitedTenant(limit, relay(client.endpoint))
    with through(client, tenant) as limited:
        counted = limited.statistics(listing, workers=8, progress=False)
    assert counted["num_comments"].notna().all()
    moments = [moment for moment, allowed in tenant.log if allowed]
    assert len(moments) == requests
    assert moments[-1] - moments[0] < 1.5 * limit.least(requests)
    assert len(tenant.refused) <= 8 + requests / 5


# 70: explorers that were closed


@pytest.mark.slow
def test_case_70_a_hundred_explorers(shared: rnb.Client) -> None:
    """Explorers opened and closed a hundred times leave no widget and no memory."""
    source = shared.source(NAME)

    def open_and_close(times: int) -> None:
        for number in range(times):
            explorer = rnb.explore(shared)
            if number % 4 == 0:
                explorer.details.show(source)
                explorer.details.tabs.selected_index = EDIT
            explorer.close()
        del explorer
        gc.collect()

    ui.Widget.close_all()
    open_and_close(6)
    # Without tracing, which is slow: the objects of Python, of which one explorer has thousands.
    before = len(gc.get_objects())
    open_and_close(94)
    assert not registry._instances
    assert len(gc.get_objects()) - before < 5_000
