"""Texts that files and their readers changed only in form are no edits, and a note says so."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb

APOSTROPHES = ["'=x", "'007", "''=x", "'-", "'+1 line", "'TRUE", "'@team", "'1,5", "' =x", "'\t1"]
LONG = "".join(f"{number:,} " for number in range(9_000))
BREAKS = ["a\r\nb", "a\rb\r\n", "\r\n=x", "a\nb"]
LENGTH = 32_767


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    """A tenant with titles that begin with an apostrophe, long ones, and all line breaks."""
    titles = [*APOSTROPHES, *BREAKS, LONG, "\U0001f600" * LENGTH, "plain", ""]
    df = pd.DataFrame({"owner": "lab", "name": [f"s{n}" for n in range(len(titles))]})
    with rnb.sandbox(df.assign(title=titles, description="as it was")) as client:
        yield client


def by_csv(df: pd.DataFrame, folder: Path) -> pd.DataFrame:
    df.to_csv(folder / "listing.csv", index=False)
    return rnb.read_csv(folder / "listing.csv")


def by_pandas(df: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return pd.read_csv(rnb.to_csv(df, folder / "exported.csv"))


def by_excel(df: pd.DataFrame, folder: Path, engine: Any = "openpyxl") -> pd.DataFrame:
    path = folder / "listing.xlsx"
    times = {str(name): df[name].dt.tz_localize(None) for name in df if df[name].dtype.kind == "M"}
    df.assign(**times).to_excel(path, index=False, engine=engine)
    return pd.read_excel(path)


WAYS: dict[str, Callable[[pd.DataFrame, Path], pd.DataFrame]] = {
    "a file of pandas, read by us": by_csv,
    "a file of ours, read by pandas": by_pandas,
    "a workbook": by_excel,
    "a workbook of XlsxWriter": partial(by_excel, engine="xlsxwriter"),
}


def edited_settings(plan: rnb.Plan) -> list[dict[str, object]]:
    assert plan.problems.to_dict("records") == []
    return [dict(step.settings) for step in plan.steps]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Cell contents too long")
@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_text_that_only_a_file_changed_is_no_edit(
    tenant: rnb.Client, tmp_path: Path, way: str, *, with_base: bool
) -> None:
    listing = tenant.sources()
    read = WAYS[way](listing, tmp_path)
    for base in (listing, read.copy()) if with_base else (None,):
        plan = tenant.plan(read, base, delete_missing=True)
        assert edited_settings(plan) == []
        assert "To set such a text, use client.update_source" in " ".join(plan.notes)
        # Edits in other cells are updates.
        again = read.copy()
        again.loc[0, "title"], again.loc[1, "description"] = "Edited", "=1+1"
        (first, second) = edited_settings(tenant.plan(again, base))
        assert (first, second) == ({"title": "Edited"}, {"description": "=1+1"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "mine", "count"),
    [
        *((text, text[1:], "1 cell without the apostrophe") for text in APOSTROPHES),
        *((text[1:], text, "1 cell with such an apostrophe") for text in APOSTROPHES),
        ("a\r\nb", "a\nb", "1 cell with other line breaks"),
        ("a\nb", "a\rb", "1 cell with other line breaks"),
        (LONG, LONG[:LENGTH], "1 cell cut to"),
        ("\r\n" + LONG, "\n" + LONG[: LENGTH - 1], "1 cell cut to"),
        ("x" + "\U0001f600" * LENGTH, "x" + "\U0001f600" * (LENGTH // 2), "1 cell cut to"),
    ],
)
@pytest.mark.parametrize("side", ["tenant", "base"])
def test_the_forms_of_a_text_are_counted(now: str, mine: str, count: str, side: str) -> None:
    with rnb.sandbox(pd.DataFrame({"owner": ["lab"], "name": ["a"], "title": [now]})) as client:
        base = client.sources()
        edited = base.assign(title=mine)
        if side == "base":
            # Others have changed the text; a difference in form does not overwrite it.
            client.update_source("lab/a", title="Of others")
            plan = client.plan(edited, base)
        else:
            plan = client.plan(edited)
        assert edited_settings(plan) == []
        assert count in " ".join(plan.notes)
        assert client.update_source("lab/a", title=mine).title == mine


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "mine"),
    [
        ("'tis", "tis"),
        ("'", ""),
        ("=x", "''=x"),
        ("a\n\nb", "a\nb"),
        ("a\nb", "a b"),
        (LONG, LONG[: LENGTH - 1]),
        (LONG, LONG[: LENGTH + 1]),
        (LONG, LONG[1 : LENGTH + 1]),
        (LONG[:LENGTH], LONG),
        (LONG[:LENGTH], LONG[: LENGTH - 1] + "#"),
    ],
)
def test_a_change_that_no_file_makes_is_an_edit(now: str, mine: str) -> None:
    with rnb.sandbox(pd.DataFrame({"owner": ["lab"], "name": ["a"], "title": [now]})) as client:
        edited = client.sources().assign(title=mine)
        if mine:
            assert edited_settings(client.plan(edited)) == [{"title": mine}]
            assert edited_settings(client.plan(edited, client.sources())) == [{"title": mine}]
        else:
            # An empty text clears the title.
            assert edited_settings(client.plan(edited)) == [{"title": ""}]


def test_apostrophes_of_a_listing_read_by_pandas_alone(tenant: rnb.Client) -> None:
    listing = tenant.sources()
    read = pd.read_csv(io.StringIO(listing.to_csv(index=False)), dtype="str")
    plan = tenant.plan(read)
    assert edited_settings(plan) == []
    assert "apostrophe" not in " ".join(plan.notes)
