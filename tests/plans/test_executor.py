"""Apply plans over a real socket: steps done, steps left alone, and undo.

What `retry` and `undo` make of a result. The failure cases 30 to 34 are in `tests/failures`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.retry_policy import Patience
from tests.conftest import Tally

WRITABLE = [
    "title",
    "description",
    "language",
    "kind",
    "bucket_id",
    "email_transform_tag",
    "should_translate",
    "sensitive_properties",
    "email_transform_version",
]


def many(number: int) -> pd.DataFrame:
    """Return a listing with a number of sources in one project."""
    return pd.DataFrame({"owner": "acme", "name": [f"s{n:04}" for n in range(number)]})


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


def writes(client: rnb.Client) -> list[tuple[str, str, int]]:
    """Return the requests that write."""
    return [
        (one.method, one.path, one.status)
        for one in box_of(client).requests
        if one.method != "GET" and not one.path.endswith("statistics")
    ]


def settled(listing: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the writable fields of sources, sorted by name; lists as sets."""

    def meaning(value: Any) -> Any:
        if isinstance(value, tuple):
            return frozenset(value)
        return None if pd.isna(value) else value

    rows = listing.sort_values(["owner", "name"])[["owner", "name", *WRITABLE]].astype(object)
    return [{str(k): meaning(v) for k, v in row.items()} for row in rows.to_dict("records")]


def edit_all(client: rnb.Client, title: str = "edited") -> rnb.Plan:
    return client.plan(client.sources(refresh=True).assign(title=title))


# Outcomes


@pytest.mark.slow
def test_all_steps_are_done_in_order_and_nothing_else(client: rnb.Client) -> None:
    df = client.sources("claims")
    df["title"] = "edited"
    edited = pd.concat([df.iloc[2:], many(3).assign(owner="claims")])
    plan = client.plan(edited, delete_missing=True, project="claims")
    before = len(writes(client))
    steps: list[tuple[int, int]] = []
    result = plan.apply(progress=lambda done, total: steps.append((done, total)))
    assert result.ok
    assert not result.stopped
    assert result.counts == {"done": 42}
    assert steps == [(n, 42) for n in range(1, 43)]
    sent = writes(client)[before:]
    assert [method for method, _, _ in sent] == ["PUT"] * 3 + ["POST"] * 37 + ["DELETE"] * 2
    assert {status for _, _, status in sent} == {200}
    assert len(set(sent)) == 42
    table = result.frame
    assert set(table.dtypes.astype(str)) == {"str"}
    assert list(table.columns) == ["action", "id", "owner", "name", "status", "said"]
    assert len(result.failed) == 0
    made = client.source("claims/s0000")
    assert table.set_index("name")["id"]["s0000"] == made.id
    now = client.sources("claims")
    assert settled(now) == settled(pd.concat([df.iloc[2:].astype(object), *[
        pd.DataFrame([client.source(f"claims/s{n:04}").to_series()]) for n in range(3)
    ]]))  # fmt: skip


def test_a_token_function_that_fails_ends_the_apply(client: rnb.Client) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append("")
        if len(asked) > 1:
            raise RuntimeError("no login")
        return box_of(client).tokens["admin"]

    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        plan = edit_all(other)
        with box_of(client).faults.add(Fault.answer(401, on="update_source")):
            result = plan.apply(progress=False, workers=2)
    assert result.counts["left"] > 120
    assert len(asked) < 10


@pytest.mark.slow
def test_the_result_shows_itself(client: rnb.Client) -> None:
    result = edit_all(client).apply(progress=False)
    assert repr(result).splitlines() == [
        f"Applied to {client.endpoint}: 130 done.",
        "undo() returns a plan that reverses the changes, as far as possible.",
        f"Journal: {result.journal}",
    ]
    assert "130 done." in result._repr_html_()


@pytest.mark.slow
def test_a_progress_bar_is_shown(client: rnb.Client, capsys: pytest.CaptureFixture[str]) -> None:
    edit_all(client).apply()
    assert "130/130" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 33, True, "8"])
def test_workers_are_a_number(client: rnb.Client, workers: Any) -> None:
    plan = edit_all(client)
    with pytest.raises(rnb.InvalidInput, match="workers must be a number"):
        plan.apply(workers=workers)
    assert writes(client) == []


def test_the_journal_is_written_to_the_given_path(client: rnb.Client, tmp_path: Path) -> None:
    plan = client.plan(client.sources().head(2).assign(title="Größe"))
    path = tmp_path / "new" / "journal.jsonl"
    result = plan.apply(progress=False, journal=path)
    assert result.journal == path
    head, *lines = map(json.loads, path.read_text().splitlines())
    assert head["plan"]["endpoint"] == client.endpoint
    assert Counter((line["action"], line["status"]) for line in lines) == {
        (n, status): 1 for n in (0, 1) for status in ("begun", "done")
    }
    assert all(token not in path.read_text() for token in box_of(client).tokens.values())
    with pytest.raises(rnb.FileProblem, match="exists"):
        edit_all(client).apply(progress=False, journal=path)
    assert len(writes(client)) == 2


@pytest.mark.slow
def test_by_default_the_journal_is_in_the_folder_for_state(
    client: rnb.Client, tmp_path: Path
) -> None:
    result = edit_all(client).apply(progress=False)
    assert result.journal is not None
    assert result.journal.parent == tmp_path / "state" / "reinfer_nb" / "journals"


def test_without_a_journal_nothing_is_sent(client: rnb.Client, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(rnb.FileProblem, match="journal"):
        edit_all(client).apply(progress=False, journal=tmp_path / "file" / "x.jsonl")
    assert writes(client) == []


# Changed remotely


def test_a_source_changed_remotely_is_not_deleted(client: rnb.Client) -> None:
    claims = client.sources("claims")
    plan = client.plan(claims.iloc[3:], delete_missing=True)
    names = [f"claims/{name}" for name in claims["name"][:3]]
    client.update_source(names[0], title="theirs")
    client.delete_source(names[1])
    result = plan.apply(progress=False)
    assert result.frame["status"].tolist() == ["moved", "skipped", "done"]
    assert client.source(names[0]).title == "theirs"
    with pytest.raises(rnb.NotFound):
        client.source(names[2])


def test_a_field_missing_from_the_listing_is_no_remote_change(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the API reference: a listing without the language, which a single source has."""
    usual = rnb.Client.sources

    def less(self: rnb.Client, *args: Any, **how: Any) -> pd.DataFrame:
        df = usual(self, *args, **how)
        if self.endpoint == client.endpoint:
            df["language"] = pd.Series(None, index=df.index, dtype="str")
        return df

    client.update_source("claims/motor-inbox", language="de")
    monkeypatch.setattr(rnb.Client, "sources", less)
    df = client.sources().head(2).assign(title="edited")
    df["language"] = ["xlm", None]
    result = client.plan(df).apply(progress=False)
    assert result.counts == {"done": 2}
    # Undo takes the old value from the request just before the update.
    assert result.undo().apply(progress=False).ok
    source = client.source("claims/motor-inbox")
    assert (source.title, source.language) == ("Motor claims inbox", "de")


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403, 422])
def test_changes_by_others_after_a_refusal_are_not_ours(client: rnb.Client, status: int) -> None:
    df = client.sources("claims").head(2).assign(title="mine")
    edited = pd.concat([df.head(1), pd.DataFrame({"owner": ["claims"], "name": ["fresh"]})])
    rest = client.sources("claims").iloc[2:]
    plan = client.plan(pd.concat([edited, rest]), delete_missing=True, project="claims")
    ways = ("create_source", "update_source", "delete_source")
    with box_of(client).faults.add(Fault.answer(status, on=ways)):
        result = plan.apply(progress=False)
    assert "done" not in result.counts
    client.create_source("claims/fresh")
    client.update_source(f"claims/{df['name'][0]}", title="mine")
    client.delete_source(f"claims/{df['name'][1]}")
    result = result.retry(progress=False)
    assert result.counts == {"skipped": 3}
    assert len(result.undo().steps) == 0


def test_a_different_source_with_the_same_name_is_not_ours(client: rnb.Client) -> None:
    plan = client.plan(pd.DataFrame({"owner": ["claims"], "name": ["fresh"]}))
    client._transport.patience = Patience(backoff=0.01)
    with box_of(client).faults.add(Fault.drop(on="create_source")):
        result = plan.apply(progress=False)
    assert result.counts == {"failed": 1}
    assert "may still have taken effect" in result.frame["said"][0]
    assert any("The outcome of 1 step is unknown" in note for note in result.undo().notes)
    client.create_source("claims/fresh", title="of somebody else")
    result = result.retry(progress=False)
    assert result.counts == {"moved": 1}
    assert len(result.undo().steps) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["create", "update", "delete"])
@pytest.mark.parametrize("after", [False, True])
def test_a_failed_step_is_done_once_by_a_retry(
    client: rnb.Client, kind: str, *, after: bool
) -> None:
    claims = client.sources("claims")
    edited = {
        "create": pd.concat([claims, pd.DataFrame({"owner": ["claims"], "name": ["fresh"]})]),
        "update": claims.assign(title=claims["title"].where(claims.index > 0, "mine")),
        "delete": claims.iloc[1:],
    }[kind]
    plan = client.plan(edited, delete_missing=True, project="claims")
    on = f"{kind}_source"
    faults = [
        Fault.drop(on=on, after=after),
        Fault.answer(500, on=on, after=after),
        Fault.answer(502, body="<h1>Bad gateway</h1>", on=on, after=after),
    ]
    client._transport.patience = Patience(attempts=1)
    for fault in faults[:1] if after else faults:
        with box_of(client).faults.add(fault):
            result = plan.apply(progress=False)
        assert result.counts == {"failed": 1}
        assert "may still have taken effect" in result.frame["said"][0]
    assert result.retry(progress=False).counts == {"done": 1}
    effects = [one for one in writes(client) if one[2] == 200]
    assert len(effects) == (0 if after else 1)
    undo = result.retry(progress=False).undo()
    if after and kind == "create":
        # Somebody else may have created the source, so undo leaves it alone.
        assert len(undo.steps) == 0
        assert any("claims/fresh is left alone" in note for note in undo.notes)
    else:
        assert len(undo.steps) == 1


def test_after_a_failed_create_no_source_of_the_project_is_deleted(client: rnb.Client) -> None:
    claims, people = client.sources("claims"), client.sources("people")
    new = pd.DataFrame({"owner": ["claims"], "name": ["motor"], "title": ["Motor"]})
    edited = pd.concat([new, claims.iloc[1:], people.iloc[1:]])
    everything = client.sources()
    rest = everything[~everything["owner"].isin(["claims", "people"])]
    plan = client.plan(pd.concat([edited, rest]), delete_missing=True)
    with box_of(client).faults.add(Fault.answer(422, on="create_source")):
        result = plan.apply(progress=False)
    statuses = result.frame.set_index(["action", "owner"])["status"].to_dict()
    assert statuses == {
        ("create", "claims"): "failed",
        ("delete", "claims"): "left",
        ("delete", "people"): "done",
    }
    assert client.source(f"claims/{claims['name'][0]}").id == claims["id"][0]
    assert result.retry(progress=False).counts == {"done": 3}


# Failures


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.answer(401, on="update_source"), "does not know the token"),
        (Fault.answer(429, retry_after=3600, on="update_source"), "asks to wait 3600 s"),
        (Fault.answer(500, on="update_source"), "500"),
    ],
    ids=["401", "429", "500"],
)
def test_an_error_that_affects_all_steps_stops_the_apply(
    client: rnb.Client, fault: Fault, said: str
) -> None:
    plan = edit_all(client)
    with box_of(client).faults.add(fault):
        result = plan.apply(workers=2, progress=False)
    assert "the other steps would fail too" in result.stopped
    assert said in result.stopped
    assert result.counts["left"] > 120
    assert said in repr(result)
    again = result.retry(progress=False)
    assert again.counts == {"done": 130}
    assert Counter(status for _, _, status in writes(client))[200] == 130


# Ctrl-C


@pytest.mark.slow
def test_an_exception_in_progress_stops_the_apply(client: rnb.Client, tmp_path: Path) -> None:
    plan = edit_all(client)

    def progress(done: int, _: int) -> None:
        if done == 20:
            raise RuntimeError("enough")

    path = tmp_path / "journal.jsonl"
    with pytest.raises(RuntimeError, match="enough") as caught:
        plan.apply(progress=progress, journal=path)
    assert str(path) in caught.value.__notes__[0]
    sent = len(writes(client))
    assert 20 <= sent < 130
    result = rnb.resume(client, path, progress=False)
    assert result.counts == {"done": 130}
    assert len(writes(client)) == len(set(writes(client))) == 130


# Undo


@pytest.mark.slow
def test_undo_reverses_what_can_be_reversed(client: rnb.Client) -> None:
    before = client.sources()
    edited = before.assign(title="edited", should_translate=True, bucket_id=None)
    edited = pd.concat([edited.iloc[3:], many(2).assign(owner="claims")], ignore_index=True)
    edited.attrs = before.attrs
    comments = sum(client.count_comments(f"claims/{name}") for name in before["name"][:3])
    result = client.plan(edited, delete_missing=True).apply(progress=False)
    assert result.ok
    plan = result.undo()
    claims = plan.summary.query("owner == 'claims'")
    assert claims[["create", "delete"]].to_numpy().tolist() == [[3, 2]]
    assert plan.notes[0].startswith("3 deleted sources can only be created again:")
    assert "Without an archive, nothing brings comments back." in plan.notes[0]
    assert plan.to_text(None).count("a new id (it was ") == 3
    assert sum(step.comments or 0 for step in result.plan.steps) == comments
    undone = plan.apply(progress=False)
    assert undone.ok
    now = client.sources()
    assert settled(now) == settled(before)
    same = before["id"].isin(now["id"])
    assert (~same).sum() == 3
    redone = undone.undo()
    assert redone.apply(progress=False).ok
    now = client.sources()
    assert settled(now[~now["name"].isin(["s0000", "s0001"])]) == settled(edited.iloc[:-2])


@pytest.mark.slow
def test_undo_leaves_alone_what_others_have_changed_since(client: rnb.Client) -> None:
    result = edit_all(client).apply(progress=False)
    client.update_source("claims/motor-inbox", title="theirs")
    undone = result.undo().apply(progress=False)
    assert undone.counts == {"done": 129, "moved": 1}
    assert client.source("claims/motor-inbox").title == "theirs"


def test_undo_notes_what_it_cannot_restore(client: rnb.Client) -> None:
    df = client.sources()
    bare = df[df["email_transform_tag"].isna()].head(1)
    plan = client.plan(bare.assign(email_transform_tag="generic.0.CONVKER5", title="x"))
    undo = plan.apply(progress=False).undo()
    (note,) = undo.notes
    assert note.startswith("email_transform_tag of ")
    assert "is not restored" in note
    assert undo.frame["field"].tolist() == ["title"]


def test_steps_that_were_not_done_are_not_undone(client: rnb.Client) -> None:
    plan = client.plan(client.sources("claims").head(3).assign(title="mine"))
    client.update_source("claims/motor-inbox", title="theirs")
    undo = plan.apply(progress=False).undo()
    assert len(undo.steps) == 2
    assert "motor-inbox" not in set(undo.frame["name"])


# Any two listings

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_SOURCE: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {
        "title": _TEXTS,
        "description": _TEXTS,
        "language": st.sampled_from(["en", "de", "xlm"]),
        "kind": st.sampled_from(["call", "chat", "unknown"]),
        "bucket_id": st.sampled_from([None, "00000000000000b1", "00000000000000b2"]),
        # Fields that the API cannot clear are never missing here.
        "email_transform_tag": st.sampled_from(["generic.0.CONVKER5"]),
        "should_translate": st.booleans(),
        "sensitive_properties": st.lists(_TEXTS, max_size=3).map(tuple),
        "email_transform_version": st.integers(-(2**63), 2**63 - 1),
    }
)
_NAMES = [(owner, name) for owner in ("acme", "beta") for name in ("a", "b", "c", "d")]
_LISTING = st.dictionaries(st.sampled_from(_NAMES), _SOURCE, max_size=8)


def framed(sources: Mapping[tuple[str, str], Mapping[str, Any]]) -> pd.DataFrame:
    rows = [{"owner": owner, "name": name, **rest} for (owner, name), rest in sources.items()]
    columns = ["owner", "name", *WRITABLE]
    return pd.DataFrame(rows, columns=columns, dtype=object)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(_LISTING, _LISTING)
def test_any_listing_can_become_any_other_and_back(
    tally: Tally,
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[tuple[str, str], Mapping[str, Any]],
    after: dict[tuple[str, str], Mapping[str, Any]],
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    with rnb.sandbox(framed(before)) as client:
        box = box_of(client)
        for owner in {"acme", "beta"} - {owner for owner, _ in before}:
            box.add_project(owner)
        for bucket in {"00000000000000b1", "00000000000000b2"} - set(client.buckets()["id"]):
            box.add_bucket(bucket, "acme")
        usual = client.sources()
        assert settled(usual) == settled(framed(before))
        plan = client.plan(framed(after), delete_missing="tenant")
        assert plan.ok, plan
        result = plan.apply(progress=False, allow_mass_delete=True, journal=folder / "there.jsonl")
        assert result.ok, result
        assert settled(client.sources()) == settled(framed(after))
        assert len(client.plan(framed(after), delete_missing="tenant").steps) == 0
        undo = result.undo()
        back = undo.apply(progress=False, allow_mass_delete=True, journal=folder / "back.jsonl")
        assert back.ok, back
        now = client.sources()
        assert settled(now) == settled(usual)
        # Deleted sources have new ids, all others keep theirs.
        kept = set(before) & set(after)
        for owner, name in kept:
            where = f"owner == '{owner}' and name == '{name}'"
            assert now.query(where)["id"].item() == usual.query(where)["id"].item()
    tally("pairs of listings", 1)
