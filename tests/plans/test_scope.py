"""The scope of deletes: the projects of the edited listing, however it was made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.plans.decisions import decisions
from reinfer_nb.sandbox import Sandbox

Captured = pytest.CaptureFixture[str]


def bare(df: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a frame without attributes."""
    copy = df.copy()
    copy.attrs = {}
    return copy


def with_project(df: pd.DataFrame, project: str | None) -> pd.DataFrame:
    copy = df.copy()
    copy.attrs["project"] = project
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("with_base", [True, False])
def test_an_empty_listing_deletes_only_in_a_given_scope(
    shared: rnb.Client, *, attributes: bool, with_base: bool
) -> None:
    claims = shared.sources("claims")
    empty = claims.iloc[:0] if attributes else bare(claims.iloc[:0])
    base = (claims,) if with_base else ()
    plan = shared.plan(empty, *base, delete_missing=True)
    assert plan.ok
    assert plan.steps == ()
    (note,) = plan.notes
    assert f"claims ({len(claims)})" in note
    assert 'project=, or plan for the whole tenant with delete_missing="tenant"' in note
    named = shared.plan(empty, *base, delete_missing=True, project="claims")
    assert {step.id for step in named.steps} == set(claims["id"])
    everywhere = shared.plan(empty, *base, delete_missing="tenant")
    whole = claims if with_base else shared.sources()
    assert {step.id for step in everywhere.steps} == set(whole["id"])


@pytest.mark.slow
def test_creating_the_first_source_of_a_project_deletes_no_others(shared: rnb.Client) -> None:
    claims, travel = shared.sources("claims"), shared.sources("people")
    new = pd.DataFrame({"owner": ["people"], "name": ["new"]})
    edited = pd.concat([claims.iloc[1:], new])
    for listing in (edited, with_project(edited, "claims"), with_project(edited, "people")):
        plan = shared.plan(listing, delete_missing=True)
        assert plan.ok, plan
        kinds = [(step.kind, step.full_name) for step in plan.steps]
        first = f"claims/{claims['name'][0]}"
        assert kinds == [("create", "people/new"), ("delete", first)]
        assert f"people ({len(travel)})" in plan.to_text()
    plan = shared.plan(new, delete_missing=True, project="people")
    assert Counter(step.kind for step in plan.steps) == {"create": 1, "delete": len(travel)}


def test_a_note_counts_the_sources_outside_the_scope_by_project(shared: rnb.Client) -> None:
    whole = shared.sources()
    rest = whole[whole["owner"] != "claims"]["owner"].value_counts()
    plan = shared.plan(bare(whole[whole["owner"] == "claims"]), delete_missing=True)
    assert plan.steps == ()
    (note,) = plan.notes
    assert note.startswith(f"Not deleted: {rest.sum()} sources of projects that have no source in")
    for owner, number in rest.items():
        assert f"{owner} ({number})" in note
    # Without deletes there is no note.
    assert shared.plan(bare(whole[whole["owner"] == "claims"])).notes == ()


@pytest.mark.parametrize(
    "word", ["Tenant", "all", "*", "", "claims", 1, 0, None, ["tenant"], np.array(["a", "b"])]
)
def test_any_other_value_of_delete_missing_is_refused(shared: rnb.Client, word: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r'True, False or "tenant", not .*in all projects'):
        shared.plan(shared.sources(), delete_missing=word)


def test_the_whole_tenant_and_a_project_are_refused_together(shared: rnb.Client) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"Leave out one of the two"):
        shared.plan(shared.sources(), delete_missing="tenant", project="claims")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [None, ["id"], ["owner", "name"]], ids=str)
@pytest.mark.parametrize("scope", [{}, {"project": "claims"}, {"delete_missing": "tenant"}])
def test_with_a_base_only_its_sources_are_deleted(
    client: rnb.Client, columns: list[str] | None, scope: dict[str, Any]
) -> None:
    base = client.sources("claims")
    client.create_source("claims/made-since")
    part = base if columns is None else bare(base[columns])
    edited = part.iloc[1:]
    plan = client.plan(edited, part, **{"delete_missing": True} | scope)
    assert plan.ok, plan
    assert [(step.kind, step.id) for step in plan.steps] == [("delete", base["id"][0])]


def test_a_source_that_is_listed_under_two_names_is_not_missing(shared: rnb.Client) -> None:
    claims = shared.sources("claims")
    other_name = claims.iloc[:1].assign(name="other-name")
    # The tenant lists the first source twice, with two names.
    now = pd.concat([claims, other_name], ignore_index=True)
    for first in (claims.iloc[:1], other_name):
        edited = pd.concat([first, claims.iloc[2:]])[["owner", "name"]]
        decided = decisions(edited, now, of_this_tenant=True, delete_missing=True)
        assert decided.problems == ()
        assert [(one.kind, one.id) for one in decided.steps] == [("delete", claims["id"][1])]


# Mass deletes


def test_a_plan_file_without_project_sizes_needs_allow_mass_delete(
    client: rnb.Client, tmp_path: Path
) -> None:
    assert client.sandbox is not None
    claims = client.sources("claims")
    file = client.plan(claims.iloc[4:], delete_missing=True).save(tmp_path / "change.json")
    content = json.loads(file.read_text())
    assert content.pop("sources") == {"claims": len(claims)}
    file.write_text(json.dumps(content | {"sources": {}}))
    plan = rnb.load_plan(file, client)
    with pytest.raises(rnb.InvalidInput, match="allow_mass_delete=True"):
        plan.apply(progress=False)
    assert "DELETE" not in {asked.method for asked in client.sandbox.requests}
    assert len(client.sources("claims", refresh=True)) == len(claims)


def tenant_of(sizes: dict[str, int]) -> Sandbox:
    """Return a client of a tenant with projects of the given sizes."""
    rows = [(owner, f"s-{n}", n) for owner, size in sizes.items() for n in range(size)]
    return rnb.sandbox(data=pd.DataFrame(rows, columns=["owner", "name", "num_comments"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "deleted", "much"),
    [
        (1, 1, False),
        (3, 3, False),
        (4, 4, True),
        (5, 1, False),
        (20, 3, False),
        (20, 4, True),
        (39, 4, True),
        (40, 4, False),
        (41, 4, False),
        (49, 5, True),
        (50, 5, False),
        (100, 11, True),
    ],
)
def test_more_than_three_and_more_than_a_tenth_need_allow_mass_delete(
    size: int, deleted: int, *, much: bool
) -> None:
    assert much is (deleted > 3 and deleted / size > 0.1)
    with tenant_of({"a": size, "b": 30}) as client:
        edited = client.sources("a").iloc[deleted:]
        plan = client.plan(edited, delete_missing=True, project="a")
        assert bool(plan.mass_deletes()) is much
        if much:
            with pytest.raises(rnb.InvalidInput, match="allow_mass_delete=True"):
                plan.apply(progress=False)
        result = plan.apply(progress=False, allow_mass_delete=much)
        assert result.counts == {"done": deleted}


def test_mass_deletes_are_shown_by_project(tmp_path: Path, capsys: Captured) -> None:
    with tenant_of({"a": 10, "b": 20, "c": 50}) as client:
        assert client.sandbox is not None
        whole = client.sources()
        first = whole.groupby("owner").cumcount()
        edited = whole[first >= whole["owner"].map({"a": 4, "b": 3, "c": 6})]
        plan = client.plan(edited, delete_missing=True)
        assert plan.mass_deletes() == {"a": 4, "c": 6}
        lines = (
            "4 of the 10 sources of a with 6 comments",
            "6 of the 50 sources of c with 15 comments",
        )
        with pytest.raises(rnb.InvalidInput) as caught:
            plan.apply(progress=False)
        path = plan.save(tmp_path / "change.json")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REINFER_ENDPOINT", client.endpoint)
            patch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])
            assert cli.main(["apply", str(path), "--yes"]) == 2
        error = capsys.readouterr().err
        for line in lines:
            for text in (str(caught.value), plan.to_text(), plan.to_html(), error):
                assert line in text
        assert " sources of b " not in plan.to_text()
        assert len(client.sources(refresh=True)) == len(whole)


@pytest.mark.slow
def test_the_command_line_has_an_option_for_mass_deletes(
    configured: rnb.Client, tmp_path: Path, capsys: Captured
) -> None:
    claims = configured.sources("claims")
    path = rnb.to_csv(claims.iloc[1:], tmp_path / "edited.csv")
    assert cli.main(["plan", str(path), "--delete-missing"]) == 0
    output = capsys.readouterr().out
    assert "1 source to delete" in output
    assert "--whole-tenant" in output
    assert cli.main(["plan", str(path), "--delete-missing", "--whole-tenant"]) == 0
    number = len(configured.sources()) - len(claims) + 1
    assert f"{number} sources to delete" in capsys.readouterr().out
    assert cli.main(["plan", str(path), "--whole-tenant"]) == 2
    assert "--whole-tenant needs --delete-missing" in capsys.readouterr().err
    words = ["plan", str(path), "--delete-missing", "--whole-tenant", "--project", "claims"]
    assert cli.main(words) == 2
    assert "Leave out one of the two" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("id_", [float("inf"), float("-inf"), 1e300, -2, -1, 5, True])
def test_an_invalid_id_is_a_problem_even_of_a_single_source(
    id_: float,
) -> None:
    with rnb.sandbox(pd.DataFrame({"owner": ["solo"], "name": ["s"], "title": ["t"]})) as client:
        base = client.sources()
        plan = client.plan(base.assign(id=pd.Series([id_])), base)
        assert len(plan.problems) == 1
        assert len(plan.steps) == 0
