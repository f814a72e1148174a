"""Arguments that are frames, texts or lists of texts: accepted and refused values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import reinfer_nb as rnb

Take = Callable[[rnb.Client, Any, Path], object]
TAKERS: dict[str, Take] = {
    "audit": lambda _, df, __: rnb.audit(df),
    "compare": lambda client, df, __: rnb.compare(df, client.sources()),
    "compare with": lambda client, df, __: rnb.compare(client.sources(), df),
    "to_csv": lambda _, df, path: rnb.to_csv(df, path / "frame.csv"),
    "plan": lambda client, df, _: client.plan(df),
    "plan from": lambda client, df, _: client.plan(client.sources(), df),
    "statistics": lambda client, df, _: client.statistics(df, progress=False),
    "record": lambda _, df, path: rnb.History(path / "history").record(df),
    "sandbox": lambda _, df, __: rnb.sandbox(df).start(),
    "freshness": lambda _, df, __: rnb.charts.freshness(df),
    "timeline": lambda _, df, __: rnb.charts.timeline(df),
    "projects": lambda _, df, __: rnb.charts.projects(df),
    "findings": lambda _, df, __: rnb.charts.findings(df),
    "changes": lambda _, df, __: rnb.charts.changes(df),
}


class Exchanged:
    """A frame of a library that has only the interchange protocol."""

    def __dataframe__(self) -> None:
        """Never called."""


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_frames_of_other_libraries_are_refused_with_what_to_do(
    shared: rnb.Client, tmp_path: Path, take: Take
) -> None:
    frame = pl.DataFrame({"id": ["a"], "owner": ["b"], "name": ["c"], "title": ["d"]})
    advice = {
        r"not a polars DataFrame. Call \.to_pandas\(\)": frame,
        r"not a polars LazyFrame. Call \.collect\(\)\.to_pandas\(\)": frame.lazy(),
        r"from_dataframe\(df\)": Exchanged(),
    }
    for message, df in advice.items():
        with pytest.raises(rnb.InvalidInput, match=message):
            take(shared, df, tmp_path)


@pytest.mark.slow
def test_an_audit_takes_the_path_of_a_file(shared: rnb.Client, tmp_path: Path) -> None:
    listing = shared.sources("claims")
    path = rnb.to_csv(listing, tmp_path / "listing.csv")
    report = rnb.audit(listing, now="2026-01-01")
    for file in (path, str(path)):
        assert rnb.audit(file, now="2026-01-01").findings.equals(report.findings)
    with pytest.raises(rnb.FileProblem):
        rnb.audit(tmp_path / "nothing.csv")


def text_of(chart: Any) -> object:
    """Return all texts of a chart."""
    from matplotlib.text import Text

    return [found.get_text() for found in chart.figure.findobj(Text)]


def practice(data: Any) -> list[str]:
    with rnb.sandbox(data) as client:
        return client.sources()["id"].tolist()


# Functions that take a listing or its path, with what their results are compared by.
TAKERS_OF_PATHS: dict[str, Callable[[rnb.Client, Any, Path], object]] = {
    "audit": lambda _, df, __: rnb.audit(df, now="2026-01-01").findings.to_csv(),
    "compare": lambda client, df, __: rnb.compare(df, client.sources()).to_text(),
    "compare with": lambda client, df, __: rnb.compare(client.sources(), df).to_text(),
    "plan": lambda client, df, _: client.plan(df).frame.to_csv(),
    "plan from": lambda client, df, _: client.plan(
        client.sources().assign(title="edited"), df
    ).problems.to_csv(),
    "record": lambda _, df, path: rnb.History(path / "new").record(df, when="2026-01-01").sources,
    "sandbox": lambda _, df, __: practice(df),
    "freshness": lambda _, df, __: text_of(rnb.charts.freshness(df, now="2026-01-01")),
    "timeline": lambda _, df, __: text_of(rnb.charts.timeline(df)),
    "projects": lambda _, df, __: text_of(rnb.charts.projects(df)),
}


@pytest.mark.parametrize("name", TAKERS_OF_PATHS)
def test_a_listing_is_taken_by_its_path_everywhere(
    shared: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    take = TAKERS_OF_PATHS[name]
    monkeypatch.chdir(tmp_path)
    old = shared.sources().assign(title="old").iloc[3:].reset_index(drop=True)
    history = rnb.History("audits")
    history.record(old, when="2026-03-01")
    history.record(shared.sources(), when="2026-04-01")
    rnb.to_csv(old, "old.csv")
    wanted = take(shared, old, tmp_path / "0")
    places = ("old.csv", Path("old.csv"), "audits@2026-03-01", "audits/@2026-03-15")
    for number, place in enumerate(places, 1):
        assert take(shared, place, tmp_path / f"{number}") == wanted, place
    assert take(shared, "audits", tmp_path / "5") != wanted
    for missing in ("nothing.csv", Path("nothing"), "nothing@2026-03-01"):
        with pytest.raises(rnb.FileProblem, match="nothing"):
            take(shared, missing, tmp_path / "6")


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_comparison_takes_the_paths_of_files(
    shared: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    listing = shared.sources("claims")
    edited = listing.assign(title="edited")
    expected = rnb.compare(listing, edited).changed
    sides: dict[str, Any] = {"before": listing, "after": edited}
    path = rnb.to_csv(sides[side], tmp_path / "listing.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for file in (path, str(path), "~/listing.csv"):
        pd.testing.assert_frame_equal(rnb.compare(**{**sides, side: file}).changed, expected)
    with pytest.raises(rnb.FileProblem, match=r"nothing\.csv"):
        rnb.compare(**{**sides, side: tmp_path / "nothing.csv"})
    with pytest.raises(rnb.InvalidInput, match=f"{side} must be a DataFrame, or the path of a CSV"):
        rnb.compare(**{**sides, side: 5})


SPARSE: dict[str, Any] = {
    "whole": pd.arrays.SparseArray([0, 1] * 2),
    "fractions": pd.arrays.SparseArray([float("nan"), 1.0] * 2),
    "texts": pd.arrays.SparseArray(["a", "b"] * 2, fill_value="a"),
    "flags": pd.arrays.SparseArray([True, False] * 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPARSE)
def test_a_sparse_column_is_taken_as_a_dense_one(
    shared: rnb.Client, tmp_path: Path, kind: str
) -> None:
    cells = SPARSE[kind]
    sparse = shared.sources("claims").head(4).assign(own=cells)
    dense = sparse.assign(own=pd.Series(cells.tolist(), dtype=cells.dtype.subtype))
    other = dense.assign(own=[dense["own"][1], *dense["own"][1:]])
    assert rnb.compare(sparse, sparse).ok
    assert rnb.compare(sparse, dense).ok
    for before in (sparse, dense):
        assert rnb.compare(before, other).changed["field"].tolist() == ["own"]
        assert rnb.compare(other, before).changed["field"].tolist() == ["own"]
    assert rnb.compare(dense, rnb.audit(sparse, rules="stale").fixes()).ok
    files = [rnb.to_csv(df, tmp_path / f"{n}.csv") for n, df in enumerate((sparse, dense))]
    assert files[0].read_bytes() == files[1].read_bytes()
    for name in ("plan", "plan from", "statistics", "record", "freshness", "timeline", "projects"):
        TAKERS[name](shared, sparse, tmp_path)


def test_one_ignored_column_may_be_given_as_a_text(shared: rnb.Client) -> None:
    listing = shared.sources("claims")
    edited = listing.assign(title="edited", description="edited")
    for ignore in ("title", ["title"], ("title",), {"title"}, pd.Index(["title"])):
        report = rnb.compare(listing, edited, ignore=ignore)
        assert set(report.changed["field"]) == {"description"}


@pytest.mark.parametrize("argument", ["on", "ignore"])
def test_columns_that_are_none_are_refused(shared: rnb.Client, argument: str) -> None:
    listing = shared.sources("claims")
    given: list[tuple[Any, str]] = [
        ("titel", "Did you mean 'title'"),
        (["titel"], "Did you mean 'title'"),
        (5, f"{argument} must be a column or a list of columns, not 5"),
        ([5], f"{argument} must hold names of columns, not 5"),
        ([["title"]], "must hold names of columns"),
        ({"title": 1}, "must be a column or a list"),
    ]
    for value, message in given:
        with pytest.raises(rnb.InvalidInput, match=message):
            rnb.compare(listing, listing, **{argument: value})


def test_what_only_one_listing_has_may_be_ignored(shared: rnb.Client) -> None:
    listing = shared.sources("claims")
    assert rnb.compare(listing.drop(columns="title"), listing, ignore=["title", "bucket_id"]).ok


def test_a_sandbox_takes_no_faults() -> None:
    with rnb.sandbox(faults=None) as client:
        assert len(client.sources())


def test_listings_of_several_projects_follow_one_another(shared: rnb.Client) -> None:
    whole = shared.sources(refresh=True)
    first, second = list(whole["owner"].unique())[:2]
    df = shared.sources([second, first, second])
    assert df["owner"].unique().tolist() == [second, first]
    assert sorted(df["id"]) == sorted(whole["id"][whole["owner"].isin([first, second])])
    assert isinstance(df.index, pd.RangeIndex)
    assert df.attrs["project"] == [second, first]
    times = [shared.sources(name).attrs["fetched_at"] for name in (first, second)]
    assert df.attrs["fetched_at"] == min(times)
    assert (df.dtypes == shared.sources(second).dtypes).all()
    pd.testing.assert_frame_equal(shared.sources((first,)), shared.sources(first))
    assert shared.sources([first]).attrs["project"] == first
    assert not shared.plan(df).steps


@pytest.mark.parametrize("project", [[], 5, [5], ["a/b"], [None], {"claims": 1, "": 2}])
def test_projects_that_are_none_are_refused(shared: rnb.Client, project: Any) -> None:
    with pytest.raises(rnb.InvalidInput):
        shared.sources(project)


def test_a_listing_of_several_projects_is_no_snapshot(shared: rnb.Client, tmp_path: Path) -> None:
    names = list(shared.sources()["owner"].unique())[:2]
    history = rnb.History(tmp_path / "history")
    with pytest.raises(rnb.InvalidInput, match="Record the listing of each project"):
        history.record(shared.sources(names))
