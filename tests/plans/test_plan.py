"""Plans: their steps, problems, texts, files and limits."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests_mock

import reinfer_nb as rnb
from reinfer_nb import Fault, errors

COLUMNS = ["row", "owner", "name", "column", "value", "reason"]


@pytest.fixture
def edited(client: rnb.Client) -> pd.DataFrame:
    """A listing with one edited title, one source removed and one added."""
    df = client.sources()
    df.loc[df["name"] == "motor-inbox", "title"] = "Motor"
    df = df[df["name"] != "weather-inbox"]
    new = pd.DataFrame([{"owner": "claims", "name": "travel", "title": "Travel"}])
    return pd.concat([df, new], ignore_index=True)


@pytest.fixture
def other() -> Iterator[rnb.Client]:
    """A client of another tenant."""
    rows = {
        "id": ["00000000000000a1", "00000000000000a2", "00000000000000a3"],
        "owner": ["claims", "claims", "people"],
        "name": ["motor-inbox", "boats", "boats"],
        "title": ["Motor, elsewhere", "Boats", "Boats"],
        "bucket_id": ["00000000000000b1", None, None],
    }
    with rnb.sandbox(pd.DataFrame(rows)) as made:
        yield made


def request_lines(client: rnb.Client) -> list[str]:
    assert client.sandbox is not None
    return [f"{one.method} {one.path}" for one in client.sandbox.requests]


def reasons(plan: rnb.Plan) -> list[str]:
    return [str(reason) for reason in plan.problems["reason"]]


# Frames and texts


def test_a_plan_only_reads(client: rnb.Client, edited: pd.DataFrame) -> None:
    before = len(request_lines(client))
    plan = client.plan(edited)
    assert plan.ok
    assert request_lines(client)[before:] == ["GET /api/v1/sources"]
    assert (plan.endpoint, plan.project) == (client.endpoint, None)


def test_the_frame_has_a_row_per_step_and_field(client: rnb.Client, edited: pd.DataFrame) -> None:
    edited.loc[edited["name"] == "motor-inbox", "sensitive_properties"] = None
    rows = edited["name"] == "motor-inbox"
    edited.loc[rows, "sensitive_properties"] = pd.Series([("salary",)], index=edited.index[rows])
    edited = pd.concat([edited, pd.DataFrame([{"owner": "claims", "name": "bare"}])])
    table = client.plan(edited, delete_missing=True, project=None).frame
    assert dict(table.dtypes.astype(str)) == {
        **dict.fromkeys(["action", "id", "owner", "name", "field"], "str"),
        **dict.fromkeys(["before", "after"], "object"),
        "comments": "Int64",
    }
    assert table.index.equals(pd.RangeIndex(len(table)))
    motor = client.source("claims/motor-inbox")
    count = client.count_comments("claims/weather-inbox")
    cells = [[None if pd.api.types.is_scalar(c) and pd.isna(c) else c for c in row] for row in
             table.drop(columns="id").itertuples(index=False)]  # fmt: skip
    assert cells == [
        ["create", "claims", "travel", "title", None, "Travel", None],
        ["create", "claims", "bare", None, None, None, None],
        ["update", "claims", "motor-inbox", "title", motor.title, "Motor", None],
        [
            *("update", "claims", "motor-inbox", "sensitive_properties"),
            *(motor.sensitive_properties, ("salary",), None),
        ],
        ["delete", "claims", "weather-inbox", None, None, None, count],
    ]
    assert table["id"].isna().tolist() == [True, True, False, False, False]
    assert table["id"][2] == motor.id


@pytest.mark.parametrize("kind", [list, tuple, set, np.array, pd.Series, iter])
def test_some_steps_of_a_plan(
    client: rnb.Client, edited: pd.DataFrame, kind: Callable[[list[int]], Any]
) -> None:
    plan = client.plan(edited, delete_missing=True)
    some = plan.some(kind([2, 0, 2]))
    assert [step.name for step in plan.steps] == ["travel", "motor-inbox", "weather-inbox"]
    assert [step.name for step in some.steps] == ["travel", "weather-inbox"]
    assert replace(some, steps=plan.steps).to_text() == plan.to_text()
    assert plan.some([]).frame.empty


@pytest.mark.parametrize("bad", [3, -1, True, 1.0, "0", None, float("nan"), "motor-inbox"])
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: [0, bad]], ids=["one", "list"])
def test_a_plan_has_no_other_steps(
    client: rnb.Client, edited: pd.DataFrame, bad: Any, wrap: Callable[[Any], Any]
) -> None:
    plan = client.plan(edited, delete_missing=True)
    text = rf"^steps must be numbers of steps of the plan, from 0 to 2, not {re.escape(repr(bad))}"
    with pytest.raises(rnb.InvalidInput, match=text.replace("'", "['\"]")):
        plan.some(wrap(bad))


def test_an_empty_plan_has_no_steps(client: rnb.Client) -> None:
    plan = client.plan(client.sources())
    with pytest.raises(rnb.InvalidInput, match=r"^steps must be empty, since there are no steps"):
        plan.some([0])


def test_nothing_to_do(client: rnb.Client) -> None:
    plan = client.plan(client.sources())
    assert plan.ok
    assert len(plan.frame) == len(plan.summary) == 0
    assert list(plan.frame.columns)[:2] == ["action", "id"]
    assert "nothing to do" in plan.to_text()
    assert plan.apply(progress=False).ok


def test_the_summary_counts_by_project(client: rnb.Client, edited: pd.DataFrame) -> None:
    edited.loc[edited["owner"] == "people", "description"] = "the same"
    table = client.plan(edited, delete_missing=True).summary
    assert dict(table.dtypes.astype(str)) == {
        "owner": "str",
        **dict.fromkeys(["create", "update", "delete", "comments"], "int64"),
    }
    gone = client.count_comments("claims/weather-inbox")
    people = (edited["owner"] == "people").sum()
    assert table.to_numpy().tolist() == [["claims", 1, 1, 1, gone], ["people", 0, people, 0, 0]]


def test_a_plan_is_displayed_like_a_diff(client: rnb.Client, edited: pd.DataFrame) -> None:
    plan = client.plan(edited, delete_missing=True)
    lines = repr(plan).splitlines()
    count = f"{client.count_comments('claims/weather-inbox'):,}"
    assert lines[0].startswith(
        f"Plan for {client.endpoint}: 1 source to create, 1 source to update (1 field), 1 source "
        "to delete; as of 20"
    )
    assert lines[0].endswith("UTC, just now.")
    assert lines[1] == (
        f"The deletes remove {count} comments. Without an archive, nothing brings comments back."
    )
    assert lines[2:] == [
        "+ claims/travel",
        "    title: Travel",
        "~ claims/motor-inbox",
        "    title: Motor claims inbox -> Motor",
        f"- claims/weather-inbox, with {count} comments",
    ]
    html = plan._repr_html_()
    assert "<del" in html
    assert ">Motor claims inbox</del>" in html
    assert ">Motor</ins>" in html
    assert f"{count} comments</del>" in html


def test_texts_of_a_tenant_are_escaped(client: rnb.Client) -> None:
    client.update_source("claims/motor-inbox", title="<b>$$x$$\x1b[31m</b>")
    edited = client.sources().assign(title="<i>\u202e</i>").head(1)
    plan = client.plan(edited)
    for text in (plan.to_text(), plan.to_html()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<b>$$" not in plan.to_html()
    assert "<i>" not in plan.to_html()


def test_long_plans_are_cut_only_in_their_texts(client: rnb.Client) -> None:
    plan = client.plan(client.sources().assign(description="the same"))
    assert "... and 80 more" in plan.to_text()
    assert "... and 80 more" in plan.to_html()
    assert len(plan.frame) == 130
    assert plan.to_text(None).count("~ ") == 130
    assert "more" not in plan.to_text(None)


def test_a_plan_shows_its_age(client: rnb.Client, edited: pd.DataFrame) -> None:
    plan = client.plan(edited)
    ages = {"5 minutes ago": timedelta(minutes=5.5), "1 day ago": timedelta(hours=25)}
    for unit, age in ages.items():
        assert unit in replace(plan, made_at=datetime.now(UTC) - age).to_text()


# Problems


def test_all_problems_are_listed_at_once_and_nothing_is_sent(
    client: rnb.Client, edited: pd.DataFrame
) -> None:
    edited.loc[3, "language"] = "english"
    edited.loc[4, "name"] = "renamed"
    edited.loc[5, "title"] = None
    edited = edited.rename(columns={"description": "descripton"})
    before = len(request_lines(client))
    plan = client.plan(edited, delete_missing=True)
    assert not plan.ok
    assert list(plan.problems.columns) == COLUMNS
    assert plan.problems["row"].isna().tolist() == [True, False, False, False]
    assert plan.problems["row"].dropna().tolist() == [3, 4, 5]
    assert plan.problems["column"].tolist() == ["descripton", "language", "name", "title"]
    assert plan.problems["name"].tolist()[1:] == [*edited["name"][3:6]]
    assert plan.problems["value"].tolist()[1] == "'english'"
    messages = reasons(plan)
    assert "Did you mean description?" in messages[0]
    assert '"xlm" (Multilingual)' in messages[1]
    assert "cannot be changed" in messages[2]
    assert "Write an empty text to clear it" in messages[3]
    for refused in (plan.apply, plan.rehearse, lambda: plan.save("change.json")):
        with pytest.raises(rnb.InvalidInput) as caught:
            refused()
        for reason in messages:
            assert reason in str(caught.value)
    assert not Path("change.json").exists()
    assert {line.partition(" ")[0] for line in request_lines(client)[before:]} == {"GET"}
    assert "4 problems" in repr(plan)
    assert f"row 3, {edited['owner'][3]}/{edited['name'][3]}, column language" in repr(plan)
    assert "row 3" in plan.to_html()


def test_a_source_in_an_unknown_project_is_a_problem(client: rnb.Client) -> None:
    new = pd.DataFrame({"owner": ["cliams", "claims"], "name": ["a", "b"]})
    plan = client.plan(new)
    assert plan.problems["row"].tolist() == [0]
    assert "is not a project that this token may see" in reasons(plan)[0]
    assert "claims" in reasons(plan)[0]


def test_without_any_visible_project_the_problem_names_none() -> None:
    with rnb.sandbox(data=pd.DataFrame({"owner": [], "name": []})) as empty:
        assert not len(empty.projects())
        plan = empty.plan(pd.DataFrame({"owner": ["claims"], "name": ["a"]}))
    assert reasons(plan) == [
        "is not a project that this token may see. Create it on the tenant first."
    ]


def test_a_project_without_sources_is_known(client: rnb.Client) -> None:
    assert client.sandbox is not None
    client.sandbox.add_project("empty")
    plan = client.plan(pd.DataFrame({"owner": ["empty"], "name": ["a"]}))
    assert plan.ok
    assert plan.rehearse(progress=False).ok
    assert plan.apply(progress=False).ok
    assert client.source("empty/a").owner == "empty"


def test_an_unknown_bucket_is_a_problem(client: rnb.Client) -> None:
    df = client.sources().head(2)
    df["bucket_id"] = pd.Series(["00000000000000b1", None], dtype="str")
    plan = client.plan(df)
    assert plan.problems[["row", "column"]].to_numpy().tolist() == [[0, "bucket_id"]]
    assert "is not a bucket that this token may see" in reasons(plan)[0]


@pytest.mark.slow
def test_a_user_without_the_right_to_list_buckets_may_set_one(client: rnb.Client) -> None:
    assert client.sandbox is not None
    bucket_id = client.buckets().loc[0, "id"]
    rights = {"claims": ["sources-read", "sources-admin"]}
    token = client.sandbox.add_user("keeper", organisation_permissions=rights)
    client.sandbox.faults.add(Fault.answer(403, on="list_buckets"))
    with rnb.connect(endpoint=client.endpoint, token=token) as keeper:
        df = keeper.sources()
        assert keeper.plan(df.head(1).assign(bucket_id=str(bucket_id))).ok
        assert keeper.plan(df.head(1).assign(bucket_id="00000000000000b1")).ok
        df.attrs["endpoint"] = "https://example.com"
        plan = keeper.plan(df.head(1).assign(bucket_id="00000000000000b1"))
        assert "this token sees no buckets" in reasons(plan)[0]


# Projects and bases


@pytest.mark.slow
def test_a_listing_of_one_project_deletes_in_no_other(client: rnb.Client) -> None:
    claims = client.sources("claims")
    plan = client.plan(claims.iloc[1:], delete_missing=True)
    assert plan.project == "claims"
    assert plan.frame[["action", "name"]].to_numpy().tolist() == [["delete", claims["name"][0]]]
    assert "in claims" in plan.to_text()
    bare = claims.iloc[1:].copy()
    bare.attrs = {}
    assert client.plan(bare, claims, delete_missing=True).project == "claims"
    assert len(client.plan(bare, delete_missing=True, project="claims").steps) == 1
    # All rows are of one project; others are deleted only with delete_missing="tenant".
    alone = client.plan(bare, delete_missing=True)
    assert alone.frame[["action", "name"]].to_numpy().tolist() == [["delete", claims["name"][0]]]
    everything = client.plan(bare, delete_missing="tenant")
    sizes = client.sources()["owner"].value_counts()
    much = {owner for owner, size in sizes.items() if size > 3}
    assert set(everything.mass_deletes()) == much - {"claims"}
    with pytest.raises(rnb.InvalidInput, match=r"to one project,.*allow_mass_delete"):
        everything.apply()


@pytest.mark.parametrize("project", ["", "a/b", 5])
def test_an_invalid_project_is_refused(client: rnb.Client, project: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="A project's name is"):
        client.plan(client.sources(), project=project)


@pytest.mark.parametrize("edited", [None, 5, {"id": []}])
def test_an_edited_listing_must_be_a_frame(client: rnb.Client, edited: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="DataFrame"):
        client.plan(edited)


@pytest.mark.slow
def test_a_base_keeps_the_changes_of_others(client: rnb.Client) -> None:
    base = client.sources()
    mine = base.copy()
    first, second, third = (f"claims/{name}" for name in base["name"][:3])
    mine.loc[0, "title"] = "mine"
    mine.loc[1, "title"] = "mine"
    client.update_source(second, title="theirs")
    client.update_source(third, title="theirs")
    plan = client.plan(mine, base)
    assert plan.problems[["row", "column", "value"]].to_numpy().tolist() == [[1, "title", "'mine'"]]
    mine["title"] = base["title"].where(base.index != 0, "mine")
    plan = client.plan(mine, base)
    assert plan.frame[["name", "after"]].to_numpy().tolist() == [[base["name"][0], "mine"]]
    assert any("2 settings that only others have changed" in note for note in plan.notes)
    assert plan.apply(progress=False).ok
    assert [client.source(name).title for name in (first, second, third)] == [
        "mine", "theirs", "theirs",
    ]  # fmt: skip


def test_a_base_of_few_columns_still_shows_that_others_changed_a_source(
    client: rnb.Client,
) -> None:
    df = client.sources("claims")
    base = df[["id", "owner", "name", "updated_at"]]
    client.update_source(f"claims/{df['name'][0]}", title="theirs")
    plan = client.plan(df.iloc[1:], base, delete_missing=True, project="claims")
    assert len(plan.steps) == 0
    assert len(plan.problems) == 1


def test_a_base_of_another_tenant_is_refused(client: rnb.Client, other: rnb.Client) -> None:
    with pytest.raises(rnb.InvalidInput, match="base is a listing of"):
        client.plan(client.sources(), other.sources())


@pytest.mark.slow
def test_a_source_changed_by_others_since_the_base_is_not_deleted(client: rnb.Client) -> None:
    base = client.sources("claims")
    edited = base.iloc[2:]
    client.update_source(f"claims/{base['name'][0]}", title="in use again")
    plan = client.plan(edited, base, delete_missing=True)
    assert plan.frame["name"].tolist() == [base["name"][1]]
    (reason,) = reasons(plan)
    assert f"claims/{base['name'][0]} is not in the edited listing, but somebody else" in reason
    now = client.sources("claims", refresh=True)
    assert len(client.plan(now.iloc[2:], now, delete_missing=True).steps) == 2


def test_a_source_created_after_the_listing_is_not_deleted(client: rnb.Client) -> None:
    edited = client.sources("claims").iloc[1:]
    client.create_source("claims/just-made")
    plan = client.plan(edited, delete_missing=True)
    assert "just-made" not in set(plan.frame["name"])
    assert len(plan.steps) == 1
    assert plan.notes == ("Not deleted: 1 source created after the listing was fetched.",)


@pytest.mark.slow
@pytest.mark.parametrize("delete_missing", ["no", 1, None, "", "Tenant", "*", ["tenant"]])
def test_delete_missing_takes_no_other_value(client: rnb.Client, delete_missing: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match='delete_missing must be True, False or "tenant"'):
        client.plan(client.sources().head(3), delete_missing=delete_missing)


def test_a_source_that_is_listed_twice_is_not_missing(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = client.sources("claims")
    twice = pd.concat([edited, edited.iloc[[0, 0, 1]]], ignore_index=True)
    twice.attrs = edited.attrs
    monkeypatch.setattr(rnb.Client, "sources", lambda *_, **__: twice)
    plan = client.plan(edited.iloc[1:], delete_missing=True, project="claims")
    assert plan.frame[["action", "name"]].to_numpy().tolist() == [["delete", edited["name"][0]]]
    assert len(client.plan(edited, delete_missing=True, project="claims").steps) == 0


def test_a_name_that_no_request_can_contain_is_a_problem(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = client.sources("claims").head(2)
    odd["name"] = ["motor inbox", "fine"]
    monkeypatch.setattr(rnb.Client, "sources", lambda *_, **__: odd)
    plan = client.plan(odd.assign(title="edited"), project="claims")
    assert plan.problems["row"].tolist() == [0]
    assert "'claims/motor inbox'" in reasons(plan)[0]
    assert "cannot be used in a request to update" in reasons(plan)[0]


def test_half_a_character_is_a_problem(client: rnb.Client) -> None:
    df = client.sources().head(2).astype(object)
    df.loc[1, "title"] = "\ud800"
    plan = client.plan(df)
    assert plan.problems[["row", "column"]].to_numpy().tolist() == [[1, "title"]]
    assert "half a character" in reasons(plan)[0]


def test_invalid_attributes_of_a_frame_are_ignored(client: rnb.Client) -> None:
    df = client.sources().head(2).assign(title="edited")
    df.attrs = {"endpoint": ["x"], "project": 5, "fetched_at": "today"}
    plan = client.plan(df, delete_missing=False)
    assert (len(plan.steps), plan.project) == (2, None)


# Between tenants


def test_between_tenants_sources_are_matched_by_name(client: rnb.Client, other: rnb.Client) -> None:
    elsewhere = other.sources()[["id", "owner", "name", "title", "bucket_id"]]
    plan = client.plan(elsewhere[elsewhere["owner"] == "claims"])
    assert plan.problems[["row", "column"]].to_numpy().tolist() == [[0, "bucket_id"]]
    assert other.endpoint in plan.notes[0]
    assert "1 row with another id" in plan.notes[0]
    table = client.plan(elsewhere.drop(columns="bucket_id")).frame
    rows = table[["action", "owner", "name", "field", "after"]].to_numpy().tolist()
    assert ["update", "claims", "motor-inbox", "title", "Motor, elsewhere"] in rows
    assert ["create", "people", "boats", "title", "Boats"] in rows


@pytest.mark.slow
def test_between_tenants_by_file(client: rnb.Client, other: rnb.Client, tmp_path: Path) -> None:
    few = other.sources()[["id", "owner", "name", "title"]]
    df = rnb.read_csv(rnb.to_csv(few, tmp_path / "a.csv"))
    plan = client.plan(df)
    assert plan.problems["column"].tolist() == ["id", "id", "id"]
    assert all("df.attrs['endpoint']" in reason for reason in reasons(plan))
    df.attrs["endpoint"] = other.endpoint
    assert client.plan(df).ok
    # With one known id the listing is from this tenant, so the other ids are problems.
    df.attrs = {}
    df.loc[0, "id"] = client.source("claims/motor-inbox").id
    assert "attrs" not in " ".join(reasons(client.plan(df)))


@pytest.mark.slow
def test_a_copy_of_a_tenant_becomes_the_same(client: rnb.Client) -> None:
    wanted = client.sources()
    with rnb.sandbox(wanted.head(20).drop(columns="id")) as copy:
        assert copy.sandbox is not None
        for project in sorted(set(wanted["owner"]) - set(copy.sources()["owner"])):
            copy.sandbox.add_project(project)
        known = set(copy.buckets()["id"])
        for bucket in sorted(set(wanted["bucket_id"].dropna()) - known):
            copy.sandbox.add_bucket(bucket, "claims")
        assert copy.plan(wanted).apply(progress=False).ok
        assert rnb.compare(wanted, copy.sources(), ["owner", "name"], ignore=[
            "created_at", "updated_at", "last_modified",
        ]).ok  # fmt: skip


# Files


def test_a_plan_is_saved_and_loaded(
    client: rnb.Client, edited: pd.DataFrame, tmp_path: Path
) -> None:
    assert client.sandbox is not None
    edited.loc[1, "title"] = "Größe \x00 \u202e =1+1"
    edited.loc[2, "sensitive_properties"] = None
    plan = client.plan(edited.drop(columns="sensitive_properties"), delete_missing=True)
    path = plan.save(tmp_path / "change.json")
    text = path.read_text()
    assert "Größe" in text
    assert all(token not in text for token in client.sandbox.tokens.values())
    content = json.loads(text)
    assert content["endpoint"] == client.endpoint
    assert content["actions"][0] == {
        "action": "create", "owner": "claims", "name": "travel", "set": {"title": "Travel"},
    }  # fmt: skip
    loaded = rnb.load_plan(path, client)
    assert loaded.steps == plan.steps
    assert (loaded.endpoint, loaded.project, loaded.made_at) == (
        plan.endpoint, plan.project, plan.made_at,
    )  # fmt: skip
    assert dict(loaded.sizes) == dict(plan.sizes) == {"claims": 39}
    pd.testing.assert_frame_equal(loaded.frame, plan.frame)
    assert loaded.to_text() == plan.to_text()


def test_an_existing_file_is_kept(client: rnb.Client, edited: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "change.json"
    path.write_text("precious")
    plan = client.plan(edited)
    with pytest.raises(rnb.FileProblem, match="exists"):
        plan.save(path)
    assert path.read_text() == "precious"
    plan.save(path, overwrite=True)
    assert rnb.load_plan(path, client).steps == plan.steps


def test_a_plan_for_another_tenant_is_refused(
    client: rnb.Client, other: rnb.Client, edited: pd.DataFrame, tmp_path: Path
) -> None:
    path = client.plan(edited).save(tmp_path / "change.json")
    before = request_lines(other)
    with pytest.raises(rnb.InvalidInput, match=r"is a plan for .*, but this client is for"):
        rnb.load_plan(path, other)
    assert request_lines(other) == before


def test_a_plan_is_applied_to_the_configured_tenant(
    configured: rnb.Client, edited: pd.DataFrame, tmp_path: Path
) -> None:
    path = configured.plan(edited).save(tmp_path / "change.json")
    plan = rnb.load_plan(path)
    assert plan.client is None
    assert plan.apply(progress=False).ok
    assert configured.source("claims/travel").title == "Travel"


def test_a_plan_without_a_token_sends_nothing(
    client: rnb.Client, edited: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = client.plan(edited).save(tmp_path / "change.json")
    with pytest.raises(rnb.ConfigurationError):
        rnb.load_plan(path).apply()
    # No token is sent there: neither one of another tenant, nor one without an endpoint.
    before = len(request_lines(client))
    monkeypatch.setenv("REINFER_TOKEN", "abc")
    for endpoint in ("", "https://example.com"):
        monkeypatch.setenv("REINFER_ENDPOINT", endpoint)
        with requests_mock.Mocker() as mocked:
            with pytest.raises(rnb.ConfigurationError):
                rnb.load_plan(path).apply()
            assert mocked.call_count == 0
    assert len(request_lines(client)) == before


def _changed(content: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    *path, last = where.split(".")
    place: Any = content
    for part in path:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("format", "reinfer_nb plan, version 2", "later version"),
        ("endpoint", 5, "are invalid"),
        ("made_at", "yesterday", "no valid made_at"),
        ("sources", {"claims": "many"}, "are invalid"),
        ("actions", {}, "are invalid"),
        ("actions.1.action", "rename", "is not a valid action"),
        ("actions.1.owner", "a/b", "A project's name is"),
        ("actions.0.owner", 12, "A project's name is"),
        ("actions.0.name", None, "full name"),
        ("actions.1.name", "other", "holds another source"),
        ("actions.1.set", {"titel": "x"}, "is not a field"),
        ("actions.1.set", {"title": 5}, "not a text"),
        ("actions.1.set", {"id": "0000000000000000"}, "cannot be given"),
        ("actions.1.set", {"language": "english"}, "must be one of"),
        ("actions.1.set", {"title": None}, "title"),
        ("actions.1.set", {}, "Nothing to update"),
        ("actions.1.was", None, "the previous state of the source"),
        ("actions.1.was.id", "../x", "16 hexadecimal digits"),
        ("actions.1.was.updated_at", "soon", "timestamp"),
        ("actions.0.name", "motor-inbox", "two steps"),
    ],
)
def test_an_invalid_plan_file_is_refused(
    client: rnb.Client, edited: pd.DataFrame, tmp_path: Path, *, where: str, value: Any, said: str
) -> None:
    path = client.plan(edited).save(tmp_path / "change.json")
    content = _changed(json.loads(path.read_text()), where, value)
    path.write_text(json.dumps(content))
    with pytest.raises(rnb.FileProblem, match=said) as caught:
        rnb.load_plan(path, client)
    assert str(path) in str(caught.value)


def test_texts_of_a_plan_file_are_escaped(
    client: rnb.Client, edited: pd.DataFrame, tmp_path: Path
) -> None:
    path = client.plan(edited, project=None).save(tmp_path / "change.json")
    content = json.loads(path.read_text())
    content |= {"notes": ["\x1b[2J\n+ claims/forged"], "project": "\u202e"}
    path.write_text(json.dumps(content))
    text = repr(rnb.load_plan(path, client))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\n+ claims/forged" not in text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"format": 1, "format": 2}', b"a,b\n1,2\n"]
)
def test_another_file_is_refused(client: rnb.Client, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "change.json"
    path.write_bytes(content)
    with pytest.raises(rnb.FileProblem, match=r"change\.json"):
        rnb.load_plan(path, client)
    with pytest.raises(rnb.FileProblem, match=r"nothing\.json"):
        rnb.load_plan(tmp_path / "nothing.json", client)


# Mass deletes and remote changes


@pytest.mark.parametrize("status", [403, 500])
def test_a_plan_says_that_comments_could_not_be_counted(client: rnb.Client, status: int) -> None:
    assert client.sandbox is not None
    claims = client.sources("claims")
    with client.sandbox.faults.add(Fault.answer(status, on="get_statistics", skip=1)):
        plan = client.plan(claims.iloc[2:], delete_missing=True)
    unknown = int(plan.frame["comments"].isna().sum())
    # After an error no more comments are counted.
    assert unknown == 1 or (unknown == 2 and status == 500)
    assert re.search(rf"and those of {unknown} sources? that could not", plan.to_text())
    assert "with comments that could not be counted" in plan.to_text()


def test_moved_lists_the_remote_changes(client: rnb.Client) -> None:
    df = client.sources("claims")
    edited = df.assign(title="the same").head(5)
    new = pd.DataFrame({"owner": ["claims"] * 2, "name": ["a", "b"]})
    plan = client.plan(pd.concat([edited, new]))
    assert len(plan.moved()) == 0
    names = [f"claims/{name}" for name in df["name"][:4]]
    client.update_source(names[0], title="theirs")
    client.delete_source(names[1])
    client.recreate_source(client.delete_source(names[2]))
    client.create_source("claims/b")
    table = plan.moved()
    assert list(table.columns) == ["action", "id", "owner", "name", "what"]
    assert set(table.dtypes.astype(str)) == {"str"}
    changes = dict(zip(table["name"], table["what"], strict=True))
    assert changes.pop("b") == "already exists"
    assert re.fullmatch(r"was changed at 20.* UTC", changes.pop(df["name"][0]))
    assert changes == {
        df["name"][1]: "was deleted",
        df["name"][2]: "was deleted, and another source has its name",
    }


def test_an_old_plan_warns_of_remote_changes(client: rnb.Client) -> None:
    edited = client.sources("claims").assign(title="the same").head(5)
    plan = client.plan(edited)
    client.update_source("claims/motor-inbox", title="theirs")
    old = replace(plan, made_at=datetime.now(UTC) - timedelta(hours=2))
    with pytest.warns(rnb.MovedWarning, match="1 of the 5 sources of this plan changed"):
        result = old.apply(progress=False)
    assert result.counts == {"done": 4, "moved": 1}
    assert client.source("claims/motor-inbox").title == "theirs"


# Rehearsals


@pytest.mark.slow
def test_a_rehearsal_does_not_change_the_tenant(client: rnb.Client, edited: pd.DataFrame) -> None:
    edited.loc[0, "bucket_id"] = client.buckets()["id"].iloc[-1]
    plan = client.plan(edited, delete_missing=True)
    usual, before = client.sources(), len(request_lines(client))
    rehearsal = plan.rehearse(progress=False)
    assert request_lines(client)[before:] == ["GET /api/v1/sources"]
    assert rehearsal.ok
    assert rehearsal.result.counts == {"done": len(plan.steps)}
    assert rehearsal.result.journal is None
    pd.testing.assert_frame_equal(client.sources(refresh=True), usual)
    result = plan.apply(progress=False)
    assert result.counts == rehearsal.result.counts
    comparison = rnb.compare(
        rehearsal.sources,
        client.sources(),
        ["owner", "name"],
        ignore=["created_at", "updated_at", "last_modified"],
    )
    assert comparison.ok
    assert "Nothing was changed on the tenant" in repr(rehearsal)
    assert "Rehearsed on a copy" in rehearsal._repr_html_()
    with pytest.raises(rnb.InvalidInput, match="Rehearse the plan again"):
        rehearsal.result.retry()


@pytest.mark.slow
def test_a_rehearsal_shows_what_would_be_left_alone(client: rnb.Client) -> None:
    plan = client.plan(client.sources("claims").assign(title="the same"))
    client.update_source("claims/motor-inbox", title="theirs")
    rehearsal = plan.rehearse(progress=False)
    assert not rehearsal.ok
    assert rehearsal.result.counts == {"done": 38, "moved": 1}
    titles = rehearsal.sources.set_index("name")["title"]
    assert titles["motor-inbox"] == "theirs"
    assert (titles.drop("motor-inbox") == "the same").all()


# Blank buckets


@pytest.mark.slow
@pytest.mark.parametrize("blank", ["", "  ", None, "from a file"])
def test_a_blank_bucket_is_none(client: rnb.Client, blank: str | None) -> None:
    df = client.sources()
    row = df.index[df["bucket_id"].notna()][0]
    free = df.index[df["bucket_id"].isna()][0]
    edited = df.loc[[row, free]].copy()
    if blank == "from a file":
        file = io.StringIO(edited.assign(bucket_id="").to_csv(index=False))
        edited = pd.read_csv(file, keep_default_na=False, dtype="str")
    else:
        edited["bucket_id"] = pd.Series([blank, blank], edited.index, dtype="str")
    new = pd.DataFrame(
        [{"owner": "claims", "name": "travel", "bucket_id": edited.iloc[0]["bucket_id"]}]
    )
    plan = client.plan(pd.concat([edited.drop(columns="updated_at"), new]))
    assert plan.problems.to_dict("records") == []
    assert [(step.kind, dict(step.settings)) for step in plan.steps][-1] == (
        "update",
        {"bucket_id": None},
    )
    assert len(plan.steps) == 2
    assert plan.apply(progress=False).ok
    assert client.source(f"{df['owner'][row]}/{df['name'][row]}").bucket_id is None


@pytest.mark.parametrize("blank", ["", " \t", None])
def test_a_blank_bucket_detaches(client: rnb.Client, blank: str | None) -> None:
    df = client.sources()
    row = df.loc[df["bucket_id"].notna()].iloc[0]
    assert client.update_source(f"{row['owner']}/{row['name']}", bucket_id=blank).bucket_id is None
    assert client.create_source("claims/travel", bucket_id=blank).bucket_id is None


# Without a tenant


@pytest.mark.slow
@pytest.mark.parametrize("way", ["apply", "moved", "rehearse"])
def test_without_a_configured_tenant_the_client_can_be_given(
    client: rnb.Client, edited: pd.DataFrame, tmp_path: Path, way: str
) -> None:
    path = client.plan(edited).save(tmp_path / "change.json")
    with pytest.raises(errors.NotConfigured) as caught:
        getattr(rnb.load_plan(path), way)()
    assert "rnb.load_plan(path, client)" in str(caught.value)
    assert "rnb.connect(endpoint=" in str(caught.value)


# Settings that make the tenant parse all emails again


def test_an_update_that_parses_all_emails_again_says_so_with_their_number(
    client: rnb.Client,
) -> None:
    edited = client.sources("claims")
    rows = edited["name"].isin(["motor-inbox", "theft-inbox"])
    edited.loc[rows, "email_transform_version"] = 9
    edited.loc[edited["name"] == "glass-inbox", "title"] = "Glass"
    plan = client.plan(edited)
    number = sum(client.count_comments(f"claims/{name}") for name in ("motor-inbox", "theft-inbox"))
    warning = (
        "The tenant parses the emails of 2 sources again, since email_transform_version changes: "
        f"{number:,} comments."
    )
    assert warning in plan.to_text()
    assert warning in plan.to_html()
    assert plan.summary["comments"].sum() == 0
    assert plan.frame.set_index("name")["comments"].notna().to_dict() == {
        "motor-inbox": True,
        "theft-inbox": True,
        "glass-inbox": False,
    }
    edited["email_transform_tag"] = "generic.0.CONVKER5"
    again = client.plan(edited).to_text()
    assert "since email_transform_tag and email_transform_version change:" in again
    edited = client.sources("claims").assign(title="x")
    assert "parses" not in client.plan(edited).to_text()
