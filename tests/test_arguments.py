"""Arguments of a wrong type or out of range are refused by an error that says what to do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import ReinferError

Call = Callable[[Any], object]


@pytest.fixture(scope="module")
def shared_client() -> Iterator[rnb.Client]:
    rows = [{"id": f"{n:016x}", "owner": "lab", "name": f"s{n}"} for n in range(3)]
    with rnb.sandbox(pd.DataFrame(rows)) as client:
        yield client


@pytest.fixture
def calls(shared_client: rnb.Client, tmp_path: Path) -> dict[str, Call]:
    """Public functions as functions of one of their arguments."""
    client, df = shared_client, shared_client.sources()
    plan = client.plan(df.assign(title="x"), project="lab")
    reports: dict[str, Any] = {
        "plan": plan,
        "problems": client.plan(df.assign(language="q")),
        "comparison": rnb.compare(df, df.iloc[1:]),
        "audit": rnb.audit(df),
        "rehearsal": plan.rehearse(progress=False),
        "result": client.plan(df).apply(progress=False, journal=tmp_path / "journal.jsonl"),
    }
    file = tmp_path / "file"
    history = rnb.History(tmp_path / "history")
    limits = {f"limit {name}": report.to_text for name, report in reports.items()}
    limits |= {f"limit {name} html": report.to_html for name, report in reports.items()}
    return limits | {
        "flag to_csv overwrite": lambda odd: rnb.to_csv(df, file, overwrite=odd),
        "flag to_csv spreadsheet": lambda odd: rnb.to_csv(df, file, spreadsheet=odd),
        "flag report": lambda odd: reports["audit"].to_csv(file, overwrite=odd),
        "flag comparison": lambda odd: reports["comparison"].to_csv(file, overwrite=odd),
        "flag plan": lambda odd: plan.save(file, overwrite=odd),
        "flag sources": lambda odd: client.sources(refresh=odd),
        "flag projects": lambda odd: client.projects(refresh=odd),
        "flag buckets": lambda odd: client.buckets(refresh=odd),
        "flag history": lambda odd: history.record(df, another_tenant=odd),
        "flag restore": lambda odd: rnb.restore(client, file, another_tenant=odd),
        "client restore": lambda odd: rnb.restore(odd, file),
        "client resume": lambda odd: rnb.resume(odd, file),
        "client load_plan": lambda odd: rnb.load_plan(file, odd),
        "client explore": rnb.explore,
        "client create_form": rnb.create_form,
        "client update_form": lambda odd: rnb.update_form(odd, "lab/s0"),
        "client delete_form": lambda odd: rnb.delete_form(odd, "lab/s0"),
        "frame to_csv": lambda odd: rnb.to_csv(odd, file),
        "frame plan": client.plan,
        "frame base": lambda odd: client.plan(df, odd),
        "frame statistics": client.statistics,
        "frame record": history.record,
        "frame audit": rnb.audit,
        "frame before": lambda odd: rnb.compare(odd, df),
        "frame after": lambda odd: rnb.compare(df, odd),
        "frame sandbox": lambda odd: rnb.sandbox(odd).start(),
        "frame timeline": rnb.charts.timeline,
        "frame freshness": rnb.charts.freshness,
        "frame projects": rnb.charts.projects,
    }


TWO_LEVELS = pd.MultiIndex.from_tuples([("id", "a"), ("owner", "b"), ("name", "c")])
ODD: dict[str, list[Any]] = {
    "flag": [5, "yes", pd.NA, np.array([True, False]), pd.Series([True, True]), pl.DataFrame()],
    "limit": [-1, 1.5, "x", True, pd.NA, np.array([1, 2]), [], pd.DataFrame()],
    "client": [5, "x", pl.DataFrame({"id": ["a"]}), pd.DataFrame(), rnb.Client],
    "frame": [5, [], pl.DataFrame({"id": ["a"]}), pd.DataFrame([[1, 2, 3]], columns=TWO_LEVELS)],
}
KINDS = {"flag": "True or False", "limit": "from 0 on", "client": "rnb.connect()", "frame": "frame"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_argument_of_a_wrong_type_is_refused_before_anything_is_done(
    calls: dict[str, Call], kind: str, tmp_path: Path
) -> None:
    files = sorted(tmp_path.rglob("*"))
    cases = [(name, odd) for name in calls if name.startswith(kind) for odd in ODD[kind]]
    for name, odd in cases:
        if name == "client explore" and isinstance(odd, str | pd.DataFrame):
            continue  # a listing
        with pytest.raises(rnb.InvalidInput) as caught:
            calls[name](odd)
        assert KINDS[kind].lower() in str(caught.value).lower(), (name, odd)
    assert sorted(tmp_path.rglob("*")) == files


@pytest.mark.slow
def test_truth_values_and_numbers_of_numpy_are_taken(calls: dict[str, Call]) -> None:
    for name, call in calls.items():
        if name.startswith("limit"):
            assert call(np.int64(1)) == call(1), name
            assert call(0) != "", name
    calls["flag to_csv overwrite"](np.False_)
    calls["flag to_csv overwrite"](np.True_)


def test_an_empty_result_shows_itself(shared_client: rnb.Client, tmp_path: Path) -> None:
    result = shared_client.plan(shared_client.sources()).apply(
        progress=False, journal=tmp_path / "journal.jsonl"
    )
    assert "nothing to do" in result.to_text()
    assert "nothing to do" in result.to_html()
    assert list(result.failed.columns) == list(result.frame.columns)


@pytest.mark.parametrize("ttl", [10**400, -1, float("nan"), True, "x", None])
def test_a_time_to_live_that_is_none_is_refused(ttl: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="cache_ttl must be seconds"):
        rnb.sandbox(cache_ttl=ttl)
    with pytest.raises(rnb.InvalidInput, match="cache_ttl must be seconds"):
        rnb.connect(endpoint="http://127.0.0.1:9", token="x", cache_ttl=ttl)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_token_is_not_pickled(shared_client: rnb.Client, way: Call) -> None:
    with pytest.raises(ReinferError, match="Connect again") as caught:
        way(shared_client)
    # As pickle itself; joblib and multiprocessing handle this type.
    assert isinstance(caught.value, TypeError)
    box = shared_client.sandbox
    with pytest.raises(ReinferError, match="sandbox") as caught:
        way(box)
    assert isinstance(caught.value, TypeError)


ODD_CALLS: dict[str, Call] = {
    "fault kind": lambda _: rnb.Fault(kind=np.array(["wait", "drop"])),  # type: ignore[arg-type]
    "fault on": lambda _: rnb.Fault(kind="wait", on=5),  # type: ignore[arg-type]
    "fault on names": lambda _: rnb.Fault(kind="wait", on=([],)),  # type: ignore[arg-type]
    "fault last": lambda _: rnb.Fault(kind="wait").is_undone_by(5),  # type: ignore[arg-type]
    "stop": lambda client: client.count_comments("lab/s0", stop=pd.DataFrame()),
    "permission": lambda client: client.me().may(np.array(["a", "b"]), "lab"),
    "project": lambda client: client.me().may("sources-read", []),
    "mass delete": lambda client: client.plan(client.sources()).apply(
        allow_mass_delete=pd.Series([True, True]), progress=False
    ),
    "storage_options": lambda _: rnb.History("x", storage_options="x"),  # type: ignore[arg-type]
    "recreate": lambda client: client.recreate_source("lab/s0"),
    "permit": lambda client: client.sandbox.permit([]),
    "permissions": lambda client: client.sandbox.add_user("a", global_permissions=5),
    "by project": lambda client: client.sandbox.add_user("a", organisation_permissions=[]),
    "bucket": lambda client: client.sandbox.add_bucket("0" * 16, 2**63),
}


@pytest.mark.parametrize("name", ODD_CALLS)
def test_what_is_refused_names_the_value(shared_client: rnb.Client, name: str) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"\b(not|no)\b"):
        ODD_CALLS[name](shared_client)


@pytest.mark.parametrize("make", [rnb.update_form, rnb.delete_form])
@pytest.mark.parametrize("source", [3, ["claims/motor-inbox"], pd.Series({"id": "a"})])
def test_forms_of_what_is_no_source(shared: rnb.Client, make: Any, source: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"project/name|16 hexadecimal digits"):
        make(shared, source)


@pytest.mark.parametrize("project", [3, ["claims"], None])
def test_a_form_of_what_is_no_project(shared: rnb.Client, project: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="project must be a text such as 'claims'"):
        rnb.create_form(shared, project)


def test_a_frame_is_no_project(shared: rnb.Client) -> None:
    with pytest.raises(rnb.InvalidInput, match="takes a project's name or a list of names"):
        shared.sources(shared.projects())  # type: ignore[arg-type]
