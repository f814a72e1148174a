"""The columns that the toolkit adds to listings are known wherever listings go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.excelfile.io import read_excel, to_excel
from reinfer_nb.frames import convert
from reinfer_nb.search.table_filter import Narrowing

DTYPES = {
    "num_comments": "Int64",
    "last_comment_at": "datetime64[us, UTC]",
    "comments_last_month": "Int64",
    "comments_usual_month": "Float64",
}
ADDED = list(DTYPES)


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    df = shared.contents(shared.sources("people"), progress=False)
    # As of an empty source, of a young one, and of one that could not be read.
    df.loc[0, ["last_comment_at", "comments_usual_month"]] = None
    df.loc[1, "comments_usual_month"] = None
    df.loc[2, ADDED] = None
    assert df[ADDED].dtypes.astype(str).to_dict() == DTYPES
    return df


FILES = {
    "csv": (rnb.to_csv, rnb.read_csv),
    "csv.gz": (rnb.to_csv, rnb.read_csv),
    "xlsx": (to_excel, read_excel),
}


@pytest.mark.parametrize("rows", [slice(None), slice(0), slice(1), slice(2, 3)])
@pytest.mark.parametrize("ending", FILES)
def test_files_give_the_columns_back(
    listing: pd.DataFrame, tmp_path: Path, ending: str, rows: slice
) -> None:
    write, read = FILES[ending]
    df = listing[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(read(write(df, tmp_path / f"a.{ending}")), df, check_exact=True)


def test_headers_have_no_dtypes(listing: pd.DataFrame, tmp_path: Path) -> None:
    header = rnb.to_csv(listing, tmp_path / "a.csv").read_text("utf-8-sig").split("\n", 1)[0]
    assert set(ADDED) <= set(header.replace('"', "").split(","))


def test_a_file_of_pandas_gives_the_dtypes_back(listing: pd.DataFrame, tmp_path: Path) -> None:
    listing.to_csv(tmp_path / "a.csv", index=False)
    back = rnb.read_csv(tmp_path / "a.csv")
    pd.testing.assert_frame_equal(back[ADDED], listing[ADDED], check_exact=True)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("last_comment_at", "soon", "is not an ISO 8601 timestamp"),
        ("comments_last_month", "1.5", "is not a whole number"),
        ("comments_usual_month", "many", "is not a number"),
    ],
)
def test_a_cell_of_another_type_is_named(
    tmp_path: Path, column: str, cell: str, reason: str
) -> None:
    (tmp_path / "a.csv").write_text(f"id,{column}\na,\nb,{cell}\n")
    with pytest.raises(rnb.FileProblem, match=f"'{cell}' {reason}"):
        rnb.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("value", ["x", True, 1j])
def test_a_value_of_another_type_is_refused(tmp_path: Path, value: Any) -> None:
    df = pd.DataFrame({"id": ["a"], "comments_usual_month": pd.Series([value], dtype=object)})
    for write, name in ((rnb.to_csv, "a.csv"), (to_excel, "a.xlsx")):
        with pytest.raises(rnb.InvalidInput, match=r"is not a number \(float\)"):
            write(df, tmp_path / name)
    assert not list(tmp_path.iterdir())


@given(
    st.lists(st.none() | st.floats(allow_nan=False), min_size=1, max_size=5),
    st.sampled_from(["Float64", "float64", "object", "double[pyarrow]"]),
)
@settings(deadline=None, max_examples=60)
def test_any_number_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float | None], dtype: Any
) -> None:
    folder = tmp_path_factory.mktemp("files")
    expected = pd.Series(numbers, dtype="Float64")
    df = pd.DataFrame({"id": "a", "comments_usual_month": expected.astype(dtype)})
    for ending in ("csv", "xlsx"):
        write, read = FILES[ending]
        back = read(write(df, folder / f"a.{ending}"))["comments_usual_month"]
        assert back.dtype == "Float64"
        assert back.isna().tolist() == expected.isna().tolist()
        assert back.dropna().tolist() == expected.dropna().tolist()


def test_histories_give_the_columns_back(listing: pd.DataFrame, tmp_path: Path) -> None:
    history = rnb.History(tmp_path)
    history.record(listing, when="2026-03-01")
    pd.testing.assert_frame_equal(
        history.load("2026-03-01", project="people"), listing, check_exact=True
    )
    # Further comments make no new version of a source.
    later = listing.assign(last_comment_at=pd.Timestamp("2026-03-02", tz="UTC").as_unit("us"))
    history.record(later, when="2026-03-03")
    assert len(history.timeline(str(listing["id"].iloc[3]))) == 1


def test_plans_ignore_the_columns(client: rnb.Client) -> None:
    base = client.contents(client.sources("people").head(3), progress=False)
    edited = base.assign(title="New", num_comments=1, comments_usual_month=2.5)
    edited["last_comment_at"] = "yesterday"
    plan = client.plan(edited, base)
    assert not len(plan.problems)
    assert set(plan.frame["field"]) == {"title"}


def test_a_practice_tenant_has_them_as_no_fields(listing: pd.DataFrame) -> None:
    df = listing.drop(index=2)
    with rnb.sandbox(data=df) as client:
        assert not set(ADDED) & set(client.sources().columns)
        counts = client.statistics(client.sources(), progress=False).set_index("id")
        expected = df.set_index("id")["num_comments"]
        assert counts["num_comments"][expected.index].tolist() == expected.tolist()


def test_an_update_keeps_them(client: rnb.Client) -> None:
    df = client.contents(client.sources("people").head(3), progress=False)
    full_name = f"people/{df['name'].iloc[1]}"
    source = client.update_source(full_name, title="New")
    replaced = convert.with_source(df, source, ["title"])
    assert replaced is not None
    pd.testing.assert_frame_equal(replaced[0][ADDED], df[ADDED])


@pytest.mark.parametrize("dtypes", ["those of the client", "those of pandas.read_csv"])
def test_the_search_and_the_order_know_them(
    listing: pd.DataFrame, tmp_path: Path, dtypes: str
) -> None:
    listing.to_csv(tmp_path / "a.csv", index=False)
    df = pd.read_csv(tmp_path / "a.csv") if "pandas" in dtypes else listing
    narrowing = Narrowing(df)
    last = listing["last_comment_at"].dt.strftime("%Y-%m")
    usual = listing["comments_usual_month"].astype(float)
    for search, expected in {
        "last_comment_at:<2026-06": last < "2026-06",
        "last_comment_at:2026-11": last == "2026-11",
        "last_comment_at:none": last.isna(),
        "comments_usual_month:>=12.5": usual >= 12.5,
        "comments_last_month:0": (listing["comments_last_month"] == 0).fillna(value=False),
    }.items():
        narrowing.narrow(search)
        assert narrowing.positions.tolist() == np.flatnonzero(expected).tolist(), search
    narrowing.narrow("")
    narrowing.sort_by("last_comment_at", descending=True)
    times = listing["last_comment_at"].iloc[narrowing.positions].dropna()
    assert times.is_monotonic_decreasing


def test_texts_are_ordered_as_times() -> None:
    times = ["2026-03-01 01:00:00+02:00", "2026-03-01 00:30:00+00:00", "2026-02-28 23:30:00Z"]
    narrowing = Narrowing(pd.DataFrame({"name": list("abc"), "last_comment_at": times}))
    narrowing.sort_by("last_comment_at")
    assert narrowing.positions.tolist() == [0, 2, 1]


def test_a_search_in_a_listing_without_them_says_so(shared: rnb.Client) -> None:
    narrowing = Narrowing(shared.sources())
    narrowing.narrow("last_comment_at:2026")
    assert len(narrowing.positions) == 0
    assert "this listing has no column last_comment_at" in "".join(narrowing.search_notes)
