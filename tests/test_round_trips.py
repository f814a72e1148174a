"""Listings that pandas has written and read: formats, edits, and the apostrophes of an export."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import reinfer_nb as rnb

Way = Callable[[pd.DataFrame], pd.DataFrame]
TIMES = ["created_at", "updated_at", "last_modified"]


def for_workbooks(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without time zones, which workbooks cannot store."""
    zoned = map(str, df.select_dtypes("datetimetz"))
    return df.assign(**{name: df[name].dt.tz_localize(None) for name in zoned})


def file_of(df: pd.DataFrame, kind: str, **options: Any) -> io.BytesIO:
    """Return the file that a pandas writer writes."""
    file = io.BytesIO()
    getattr(df, f"to_{kind}")(file, **options)
    return io.BytesIO(file.getvalue())


def csv(df: pd.DataFrame, to: dict[str, Any] | None = None, **options: Any) -> Any:
    return pd.read_csv(file_of(df, "csv", **to or {}), **options)


def excel(df: pd.DataFrame, to: dict[str, Any] | None = None, **options: Any) -> Any:
    return pd.read_excel(file_of(for_workbooks(df), "excel", **to or {}), **options)


def parquet(df: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return pd.read_parquet(file_of(df, "parquet"), **options)


def in_json(df: pd.DataFrame, to: dict[str, Any] | None = None, **options: Any) -> Any:
    to = {"orient": "records"} | (to or {})
    options = {"orient": to["orient"], "lines": to.get("lines", False)} | options
    with warnings.catch_warnings():
        # The deprecated default format is tested as long as pandas has it.
        warnings.filterwarnings("ignore", "The default formatting of datetime")
        warnings.filterwarnings("ignore", "The 'convert_dates' keyword")
        return pd.read_json(file_of(df, "json", **to), **options)


# Formats with pandas' default options; the row labels are kept.
WRITERS: dict[str, Way] = {
    "parquet": parquet,
    "feather": lambda df: pd.read_feather(file_of(df, "feather")),
    "arrow": lambda df: pa.Table.from_pandas(df).to_pandas(),
    "pickle": lambda df: pd.read_pickle(file_of(df, "pickle")),  # noqa: S301 - its own
    "csv": lambda df: csv(df, index_col=0),
    "excel": lambda df: excel(df, index_col=0),
    "json": lambda df: in_json(df, {"orient": "split"}),
    "json with iso": lambda df: in_json(df, {"orient": "split", "date_format": "iso"}),
}
# Formats that keep all values and `attrs`.
# `before` and `after` hold settings of every type, for which Parquet has no column.


# Texts that file formats and readers often change.
ODD_TEXTS = [
    "",
    "plain",
    " padded ",
    "0012",
    "1E5",
    "12345678901234567890",
    "2026-03-01",
    "true",
    "'quoted'",
    "'=1",
    "+44 20",
    "-",
    "@home",
    'a "b", c;d',
    "two\nlines",
    "tab\there",
    "\N{GRINNING FACE} \N{LATIN SMALL LETTER A WITH DIAERESIS}",
    "[]",
    "a\N{NO-BREAK SPACE}b",
]


@contextlib.contextmanager
def tenant_of_odd_texts() -> Iterator[rnb.Client]:
    """Run a tenant with odd texts and lists, and with times to the microsecond."""
    with rnb.sandbox() as client:
        df = client.sources("claims").head(len(ODD_TEXTS) + 1).copy()
    texts = [None, *ODD_TEXTS][: len(df)]
    assert len(texts) == len(df) == len(ODD_TEXTS) + 1
    df["title"] = pd.Series(texts, df.index, dtype="str")
    df["description"] = pd.Series([*ODD_TEXTS, None], df.index, dtype="str")
    lists = [(), ("iban",), ("a b", "c, d", "it's"), ('"', "\\"), None]
    df["sensitive_properties"] = pd.Series(
        [lists[row % 5] for row in range(len(df))], df.index, dtype=object
    )
    df.loc[df.index[::3], "email_transform_version"] = pd.NA
    df.loc[df.index[::4], "should_translate"] = pd.NA
    assert (df["updated_at"].dt.microsecond % 1000 > 0).any()
    with rnb.sandbox(df) as client:
        assert (client.sources()["title"].iloc[2:] == df["title"].iloc[2:].to_numpy()).all()
        yield client


@pytest.fixture(scope="module")
def odd() -> Iterator[rnb.Client]:
    """A tenant with odd texts; for tests that only read."""
    with tenant_of_odd_texts() as client:
        yield client


DTYPES: Any = dict.fromkeys(TIMES, str)
WAYS: dict[str, Way] = {
    **WRITERS,
    "csv, its index a column": csv,
    "csv without index": lambda df: csv(df, {"index": False}),
    "csv as texts": lambda df: csv(df, dtype=str),
    "csv as texts, nothing missing": lambda df: csv(df, dtype=str, keep_default_na=False),
    "csv by pyarrow": lambda df: csv(df, engine="pyarrow", dtype_backend="pyarrow"),
    "csv, nullable": lambda df: csv(df, dtype_backend="numpy_nullable"),
    "csv with dates": lambda df: csv(df, parse_dates=TIMES),
    "csv to the second": lambda df: csv(df, {"date_format": "%Y-%m-%d %H:%M:%S"}),
    "csv with tabs": lambda df: csv(df, {"sep": "\t"}, sep="\t"),
    "excel, its index a column": excel,
    "excel without index": lambda df: excel(df, {"index": False}),
    "excel as texts": lambda df: excel(df, dtype=str),
    "excel with times as text": lambda df: excel(df.astype(DTYPES)),
    "parquet by pyarrow": lambda df: parquet(df, dtype_backend="pyarrow"),
    "parquet, nullable": lambda df: parquet(df, dtype_backend="numpy_nullable"),
    "json records": in_json,
    "json lines": lambda df: in_json(df, {"lines": True}),
    "json columns": lambda df: in_json(df, {"orient": "columns"}),
    "json index": lambda df: in_json(df, {"orient": "index"}),
    "json table": lambda df: in_json(df, {"orient": "table"}),
    "json as it is": lambda df: in_json(df, dtype=False, convert_dates=False),
    "json, nullable": lambda df: in_json(df, dtype_backend="numpy_nullable"),
    "json in seconds": lambda df: in_json(df, {"date_unit": "s"}, convert_dates=False),
    "json in microseconds": lambda df: in_json(df, {"date_unit": "us"}, convert_dates=False),
    "json in nanoseconds": lambda df: in_json(df, {"date_unit": "ns"}, convert_dates=False),
    "json in texts of digits": lambda df: in_json(df, convert_dates=False).astype(DTYPES),
    "json with a missing time": lambda df: in_json(
        df.assign(updated_at=df["updated_at"].where(df.index != df.index[1])), convert_dates=False
    ),
    "arrow without metadata": lambda df: pa.Table.from_pandas(df, preserve_index=True).to_pandas(
        ignore_metadata=True
    ),
    "polars": lambda df: pl.from_pandas(df).to_pandas(),
    "dictionaries": lambda df: pd.DataFrame(df.to_dict("records")),
    "reset index": lambda df: df.reset_index(),
    "index reset twice": lambda df: df.reset_index().reset_index(),
    "indexed by id": lambda df: df.set_index("id", drop=False),
    "objects": lambda df: df.astype(object),
    "texts": lambda df: df.astype(str),
    "converted": lambda df: df.convert_dtypes(),
    "categories": lambda df: df.astype(dict.fromkeys(["title", "kind", "owner"], "category")),
    "without zones": for_workbooks,
    "lists": lambda df: df.assign(
        sensitive_properties=df["sensitive_properties"].map(list, na_action="ignore")
    ),
    "printed lists": lambda df: df.assign(
        sensitive_properties=[str(list(names or ())) for names in df["sensitive_properties"]]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_an_edit_in_what_was_read_is_planned_alone(odd: rnb.Client, way: str) -> None:
    listing = odd.sources()
    back = WAYS[way](listing)
    back["title"] = back["title"].astype(object)
    back.iloc[3, list(back.columns).index("title")] = "Edited"
    for base in (None, WAYS[way](listing)):
        plan = odd.plan(back, base)
        assert plan.problems.to_dict("records") == []
        (step,) = plan.steps
        assert (step.kind, step.name) == ("update", listing["name"].iloc[3])
        assert dict(step.settings) == {"title": "Edited"}


def test_lists_as_numpy_prints_them_are_a_problem(odd: rnb.Client) -> None:
    listing = odd.sources()
    printed = [str(np.array(names or ())) for names in listing["sensitive_properties"]]
    plan = odd.plan(listing.assign(sensitive_properties=printed))
    assert "['a b' 'c, d' \"it's\"]" in printed
    several = [
        row for row, names in enumerate(listing["sensitive_properties"]) if len(names or ()) > 1
    ]
    assert set(plan.problems["row"]) == set(several)
    assert set(plan.problems["column"]) == {"sensitive_properties"}
    assert plan.problems["reason"].str.contains("must be a list of texts").all()
    assert plan.steps == ()


# Texts that `to_csv` guards with an apostrophe, and texts that only look guarded.
GUARDED = ["=SUM(1)", " +44 20", "-", "@home", "0012", "1E5", "2026-03-01", "true", "1,5", "50 %"]
GUARDED += ["'=SUM(1)", "''-", "'quoted", "'", "plain", "12", "", "3 Mar", "\uff1dA1", "\tx"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[rnb.Client]:
    """A tenant with titles that `to_csv` guards, and ids that a spreadsheet would round."""
    with rnb.sandbox() as client:
        df = client.sources("claims").head(len(GUARDED)).copy()
    df["title"] = GUARDED
    df["id"] = [f"{row}234567890123456" for row in range(1, 10)] + [
        f"80858{row}7e40000000" for row in range(10, 1 + len(df))
    ]
    df["id"] = df["id"].str[:16]
    with rnb.sandbox(df) as client:
        yield client


@pytest.fixture
def exported(guarded: rnb.Client, tmp_path: Path) -> pd.DataFrame:
    """The listing as pandas reads it from a file of `to_csv`."""
    df = pd.read_csv(rnb.to_csv(guarded.sources(), tmp_path / "listing.csv"))
    assert df["title"].str.startswith("'").sum() > 12
    assert df["id"].str.startswith("'").any()
    return df


@pytest.mark.slow
@pytest.mark.parametrize("with_base", [False, True])
def test_the_apostrophes_of_an_export_are_taken_off(
    guarded: rnb.Client, exported: pd.DataFrame, *, with_base: bool
) -> None:
    base = exported if with_base else None
    for df in (exported, exported.reset_index(), csv(exported)):
        plan = guarded.plan(df, base, delete_missing=True)
        assert plan.problems.to_dict("records") == []
        assert plan.steps == ()
        assert "apostrophe" in " ".join(plan.notes)
    exported_and_edited = exported.copy()
    exported_and_edited.loc[0, "title"] = "'=SUM(2)"
    exported_and_edited.loc[1, "title"] = "'tis"
    exported_and_edited.loc[2, "title"] = "Edited"
    plan = guarded.plan(exported_and_edited, base)
    assert plan.problems.to_dict("records") == []
    assert [dict(step.settings) for step in plan.steps] == [
        {"title": "=SUM(2)"},
        {"title": "'tis"},
        {"title": "Edited"},
    ]
    assert "=SUM(2)" in " ".join(plan.notes)


@pytest.mark.slow
def test_an_apostrophe_that_somebody_typed_stays(guarded: rnb.Client) -> None:
    listing = guarded.sources()
    assert guarded.plan(listing).steps == ()
    edited = listing.copy()
    edited.loc[14, "title"] = "'=SUM(2)"
    for df in (edited, edited.iloc[[14]], csv(edited, dtype={"id": str})):
        plan = guarded.plan(df)
        assert plan.problems.to_dict("records") == []
        (step,) = plan.steps
        assert dict(step.settings) == {"title": "'=SUM(2)"}
        assert "will be written with the apostrophe" in " ".join(plan.notes)
    # An apostrophe in the tenant's text is kept too.
    assert guarded.plan(listing.iloc[[10]]).steps == ()


def test_a_listing_that_is_only_in_part_from_an_export_keeps_what_is_new(
    guarded: rnb.Client, exported: pd.DataFrame
) -> None:
    both = pd.concat([exported.head(5), guarded.sources().iloc[5:]], ignore_index=True)
    both.loc[2, "title"] = "'=SUM(2)"
    (step,) = guarded.plan(both).steps
    assert dict(step.settings) == {"title": "'=SUM(2)"}
