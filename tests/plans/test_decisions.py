"""The creates, updates, deletes and problems that follow from an edited listing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import InvalidInput
from reinfer_nb.plans.decisions import Decisions, decisions
from reinfer_nb.plans.edited_listing import Problem
from reinfer_nb.plans.steps import Step

EDITED = "claims/motor-inbox"


@pytest.fixture
def now(client: rnb.Client) -> pd.DataFrame:
    """The fresh listing of the tenant."""
    return client.sources()


@pytest.fixture
def edited(now: pd.DataFrame) -> pd.DataFrame:
    return now.copy()


def decide(edited: Any, now: pd.DataFrame, *args: Any, **how: Any) -> Decisions:
    return decisions(edited, now, *args, **{"of_this_tenant": True, **how})


def steps_of(decided: Decisions) -> list[tuple[str, str, dict[str, Any]]]:
    return [(step.kind, step.full_name, dict(step.settings)) for step in decided.steps]


def only_problem(decided: Decisions) -> Problem:
    (problem,) = decided.problems
    return problem


def test_an_unedited_listing_gives_no_steps(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    decided = decide(edited, now, delete_missing=True)
    assert decided == Decisions((), (), theirs=0, by_name=0, ignored=())


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [
        lambda df: df.sort_values("name"),
        lambda df: df.sample(frac=1, random_state=1).reset_index(),
        lambda df: df.set_index("id", drop=False),
        lambda df: df[df.columns[::-1]],
        lambda df: df.astype({"should_translate": object, "title": object, "language": "category"}),
        lambda df: df.assign(email_transform_version=df["email_transform_version"].astype(float)),
        lambda df: df.assign(updated_at=df["updated_at"].astype(str)),
        lambda df: df.assign(sensitive_properties=df["sensitive_properties"].map(list)),
        lambda df: df.assign(should_translate=df["should_translate"].astype(str)),
        lambda df: pd.read_csv(io.StringIO(df.to_csv(index=False))),
        lambda df: df[["id"]],
        lambda df: df[["name", "owner"]],
        lambda df: df.head(3),
        lambda df: df.head(0),
    ],
)
def test_another_shape_of_the_listing_gives_no_steps(now: pd.DataFrame, shape: Any) -> None:
    decided = decide(shape(now), now)
    assert (decided.steps, decided.problems) == ((), ())


def test_an_edit_updates_only_that_field(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    edited.loc[2, "title"] = "Motor"
    edited.loc[2, "should_translate"] = True
    (step,) = decide(edited, now).steps
    row = now.iloc[2]
    assert (step.kind, step.owner, step.name) == ("update", row["owner"], row["name"])
    assert (step.id, step.row) == (row["id"], 2)
    assert [(name, step.before(name), after) for name, after in step.settings.items()] == [
        ("title", row["title"], "Motor"),
        ("should_translate", False, True),
    ]


def test_a_row_without_an_id_is_matched_by_name(now: pd.DataFrame) -> None:
    row = {"owner": "claims", "name": "motor-inbox", "title": "Motor"}
    for edited in (pd.DataFrame([row]), pd.DataFrame([row | {"id": None}])):
        decided = decide(edited, now)
        assert steps_of(decided) == [("update", EDITED, {"title": "Motor"})]
        assert decided.by_name == 0
        assert not decided.problems


def test_a_row_without_a_source_is_a_create(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    new = {"owner": "claims", "name": "travel", "title": "Travel", "sensitive_properties": ()}
    both = pd.concat([edited, pd.DataFrame([new])])
    assert steps_of(decide(both, now)) == [
        ("create", "claims/travel", {"title": "Travel", "sensitive_properties": ()})
    ]
    bare = pd.DataFrame([{"owner": "claims", "name": "travel"}])
    assert decide(bare, now).steps == (Step("create", "claims", "travel"),)
    assert [step.row for step in decide(bare, now).steps] == [0]


@pytest.mark.slow
def test_missing_rows_are_deleted_only_with_delete_missing(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    less = edited.drop(index=[0, 5])
    assert decide(less, now).steps == ()
    gone = decide(less, now, delete_missing=True).steps
    assert [(step.kind, step.id, step.row) for step in gone] == [
        ("delete", now["id"][row], None) for row in (0, 5)
    ]


def test_a_source_created_after_the_base_is_not_deleted(now: pd.DataFrame) -> None:
    base = now.drop(index=0)
    steps = decide(base.drop(index=5), now, base, delete_missing=True).steps
    assert [(step.kind, step.id) for step in steps] == [("delete", now.loc[5, "id"])]


def test_a_source_whose_row_has_a_problem_is_not_deleted(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    edited.loc[0, "name"] = "renamed"
    decided = decide(edited, now, delete_missing=True)
    assert decided.steps == ()
    assert only_problem(decided).row == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("id", "0123456789abcdef", "id was changed, or the source was deleted and created again"),
        ("owner", "people", "no source can be renamed or moved"),
        ("name", "motor", "no source can be renamed or moved"),
        ("title", None, "is missing, but the tenant has 'Motor claims inbox'. Write an empty text"),
        ("sensitive_properties", None, "Write [] to clear it, or restore the value"),
        ("language", "fr", 'must be one of "en"'),
        ("language", "EN", 'must be one of "en"'),
        ("language", None, "It cannot be cleared. Restore the value"),
        ("kind", "chta", "must be one of"),
        ("should_translate", "perhaps", "must be True or False, not 'perhaps'"),
        ("should_translate", 1, "must be True or False, not 1"),
        ("title", 2024, "must be a text, not 2024"),
        ("title", np.int64(2024), "must be a text, not 2024 (int)"),
        ("sensitive_properties", "salary", "must be a list of texts, not 'salary'"),
        ("sensitive_properties", ["salary", 5], "must be a list of texts"),
        ("email_transform_version", "3.5", "must be a whole number"),
        ("email_transform_version", 2.5, "must be a whole number"),
        ("created_at", "2020-01-01", "is set by the tenant and cannot be changed"),
        ("created_at", "soon", "must be a timestamp, not 'soon'"),
    ],
)
def test_an_invalid_value_is_a_problem_and_no_step(
    now: pd.DataFrame, edited: pd.DataFrame, column: str, value: Any, says: str
) -> None:
    now = now.copy()
    now["sensitive_properties"] = [("salary",)] * len(now)
    edited["sensitive_properties"] = now["sensitive_properties"]
    edited[column] = edited[column].astype(object)
    edited.at[0, column] = value  # noqa: PD008 - a list goes in no other way
    decided = decide(edited, now)
    assert decided.steps == ()
    problem = only_problem(decided)
    assert (problem.row, problem.column) == (0, column)
    assert says in problem.reason


def test_all_problems_are_listed_by_row(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    edited.loc[7, "language"] = "fr"
    edited.loc[3, "title"] = None
    edited.loc[1, "name"] = "other"
    edited = edited.rename(columns={"description": "descripton"})
    problems = decide(edited, now).problems
    assert [(problem.row, problem.column) for problem in problems] == [
        (None, "descripton"),
        (1, "name"),
        (3, "title"),
        (7, "language"),
    ]


def test_an_unknown_column_is_ignored_and_reported(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    decided = decide(edited.assign(num_comments=3, reviewer="Ann"), now)
    assert decided.ignored == ("num_comments", "reviewer")
    assert not decided.problems


def test_a_source_in_two_rows_is_a_problem(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    twice = pd.concat([edited, edited.iloc[[4]].assign(title="other")])
    assert (
        only_problem(decide(twice, now)).reason
        == "is the same source as row 4. Keep one of the two."
    )
    new = pd.DataFrame({"owner": "claims", "name": ["a", "b", "a"]})
    problem = only_problem(decide(new, now))
    assert (problem.row, problem.reason) == (2, "is the same source as row 0. Keep one of the two.")


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["id"], ["owner", "name"], ["id", "owner", "name"]])
@pytest.mark.parametrize("order", [1, -1])
def test_a_source_in_two_rows_of_the_base_is_a_problem(
    now: pd.DataFrame, edited: pd.DataFrame, keys: list[str], order: int
) -> None:
    columns = [*keys, "title", "sensitive_properties"]
    twice = pd.concat([now, now.iloc[[4]].assign(title="other")])[columns]
    edited.loc[4, "title"] = "mine"
    reason = only_problem(decide(edited, now, twice[::order])).reason
    first, second = (4, len(now)) if order == 1 else (0, len(now) - 4)
    assert f"Rows {first} and {second} of the base are the same source" in reason
    assert "Keep one of the two" in reason
    # Two equal rows are no problem.
    same = pd.concat([now, now.iloc[[4]]])[columns]
    assert [kind for kind, *_ in steps_of(decide(edited, now, same[::order]))] == ["update"]


def test_a_missing_value_clears_a_bucket(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    row = int(np.flatnonzero(now["bucket_id"].notna())[0])
    edited.loc[row, "bucket_id"] = None
    (step,) = decide(edited, now).steps
    assert step.settings == {"bucket_id": None}


def test_an_invalid_value_that_the_tenant_has_is_no_problem(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    now = now.assign(kind="clal", language=now["language"].where(now.index != 0, "fr"))
    assert decide(edited.assign(kind="clal", language=now["language"]), now).problems == ()


@pytest.mark.slow
def test_an_edit_older_than_the_source_needs_its_base(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    later = now.assign(
        title=now["title"].where(now.index != 0, "theirs"),
        updated_at=now["updated_at"].where(now.index != 0, pd.Timestamp.now("UTC")),
    )
    assert "older than the source" in only_problem(decide(edited, later)).reason
    edited.loc[0, "description"] = "mine"
    with_base = decide(edited, later, now)
    assert steps_of(with_base) == [("update", EDITED, {"description": "mine"})]
    assert with_base.theirs == 1
    edited.loc[0, "title"] = "mine too"
    problem = only_problem(decide(edited, later, now))
    assert (problem.row, problem.column) == (0, "title")
    assert "You changed it to 'mine too', somebody else to 'theirs'" in problem.reason
    edited.loc[0, "title"] = "theirs"
    assert steps_of(decide(edited, later, now)) == [("update", EDITED, {"description": "mine"})]


@pytest.mark.slow
def test_a_row_that_is_missing_from_the_base_is_compared_with_the_tenant(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    edited.loc[3, "title"] = "mine"
    assert [kind for kind, *_ in steps_of(decide(edited, now, now.drop(index=3)))] == ["update"]
    assert [kind for kind, *_ in steps_of(decide(edited, now, now.head(0)))] == ["update"]
    edited["updated_at"] = edited["updated_at"].where(
        edited.index != 3, pd.Timestamp(2020, 1, 1, tz="UTC")
    )
    assert "older than the source" in only_problem(decide(edited, now, now.drop(index=3))).reason
    assert "set by the tenant" in only_problem(decide(edited, now, now)).reason


@pytest.mark.slow
def test_a_deleted_source_is_created_again_only_without_its_id(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    there = now.drop(index=0)
    assert "the source was deleted" in only_problem(decide(edited, there, now)).reason
    edited.loc[0, "id"] = None
    assert [kind for kind, *_ in steps_of(decide(edited, there, now))] == ["create"]


def test_between_tenants_rows_are_matched_by_name(now: pd.DataFrame, edited: pd.DataFrame) -> None:
    edited["id"] = [f"{number:016x}" for number in range(len(edited))]
    edited["created_at"] = edited["updated_at"] = pd.Timestamp("2020-01-01", tz="UTC")
    edited.loc[0, "title"] = "Motor"
    edited.loc[1, "name"] = "new-here"
    decided = decide(edited, now, of_this_tenant=False)
    assert not decided.problems
    assert decided.by_name == len(edited) - 1
    assert [(kind, name) for kind, name, _ in steps_of(decided)] == [
        ("update", EDITED),
        ("create", f"{edited['owner'][1]}/new-here"),
    ]


def test_a_plan_for_a_project_refuses_rows_of_other_projects(
    now: pd.DataFrame, edited: pd.DataFrame
) -> None:
    claims = now[now["owner"] == "claims"].reset_index(drop=True)
    problems = decide(edited, claims, project="claims").problems
    assert {problem.column for problem in problems} == {"owner"}
    assert len(problems) == (now["owner"] != "claims").sum()
    assert "must be claims, the only project of this plan" in problems[0].reason


@pytest.mark.parametrize(
    ("edited", "says"),
    [
        ([1], "A plan is made of a DataFrame"),
        (pd.DataFrame({"title": ["x"]}), "needs the column 'id', or both 'owner' and 'name'"),
        (pd.DataFrame([[1, 2]], columns=["id", "id"]), "the column 'id' twice"),
    ],
)
def test_a_frame_that_is_not_a_listing_is_refused(
    now: pd.DataFrame, edited: Any, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        decide(edited, now)


def test_rows_that_name_no_source_are_problems(now: pd.DataFrame) -> None:
    rows = [{"id": None, "title": "x"}, {"owner": "claims"}, {"owner": "claims", "name": "a b"}]
    problems = decide(pd.DataFrame(rows), now).problems
    assert [(problem.row, problem.column) for problem in problems] == [
        (0, None),
        (1, None),
        (2, "name"),
    ]
