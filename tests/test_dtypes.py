"""What is made of a listing, for every dtype that pandas and pyarrow have for its columns."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import reinfer_nb as rnb
from reinfer_nb.counting import full_names
from reinfer_nb.value_types import is_missing
from reinfer_nb.widgets.finder import Finder

TEXT_DTYPES: dict[str, Any] = {
    "object": object,
    "str": "str",
    "string[python]": pd.StringDtype("python"),
    "string[pyarrow]": pd.StringDtype("pyarrow"),
    "arrow string": pd.ArrowDtype(pa.string()),
    "arrow large_string": pd.ArrowDtype(pa.large_string()),
    "arrow string_view": pd.ArrowDtype(pa.string_view()),
    "arrow dictionary": pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
    "category": "category",
}
FLAG_DTYPES: dict[str, Any] = {
    "boolean": "boolean",
    "object": object,
    "bool": bool,
    "bool[pyarrow]": pd.ArrowDtype(pa.bool_()),
    "category": "category",
}
WHOLE_DTYPES: dict[str, Any] = {
    "Int64": "Int64",
    "Int8": "Int8",
    "float64": "float64",
    "Float64": "Float64",
    "object": object,
    "int64[pyarrow]": pd.ArrowDtype(pa.int64()),
    "double[pyarrow]": pd.ArrowDtype(pa.float64()),
    "decimal[pyarrow]": pd.ArrowDtype(pa.decimal128(10, 0)),
}
MOMENT_DTYPES: dict[str, Any] = {
    **{f"{unit}, UTC": pd.DatetimeTZDtype(unit, "UTC") for unit in ("ns", "us", "ms", "s")},
    "us, Berlin": pd.DatetimeTZDtype("us", "Europe/Berlin"),
    **{f"{unit}, no zone": np.dtype(f"datetime64[{unit}]") for unit in ("ns", "us", "s")},
    "arrow us, UTC": pd.ArrowDtype(pa.timestamp("us", "UTC")),
    "arrow ns, Berlin": pd.ArrowDtype(pa.timestamp("ns", "Europe/Berlin")),
    "arrow us, no zone": pd.ArrowDtype(pa.timestamp("us")),
    "object": object,
    "texts": "str",
}
LIST_DTYPES: dict[str, Any] = {
    "lists": list,
    "tuples": tuple,
    "arrays": lambda names: np.array(names, dtype=object),
    "arrow list": pd.ArrowDtype(pa.list_(pa.string())),
    "arrow large_list": pd.ArrowDtype(pa.large_list(pa.string())),
}
GROUPS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "texts": (
        TEXT_DTYPES,
        ["id", "owner", "name", "title", "description", "language", "kind", "bucket_id"],
    ),
    "flags": (FLAG_DTYPES, ["should_translate"]),
    "whole numbers": (WHOLE_DTYPES, ["email_transform_version"]),
    "moments": (MOMENT_DTYPES, ["created_at", "updated_at", "last_modified"]),
    "lists": (LIST_DTYPES, ["sensitive_properties"]),
}
CASES = [(group, kind) for group, (kinds, _) in GROUPS.items() for kind in kinds]
IDENTITY = ["id", "owner", "name"]


def recast(column: pd.Series, dtype: Any) -> Any:
    """Return a column of a listing as another dtype has it."""
    values: Any = [None if is_missing(cell) else cell for cell in column]
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            zone = kind.tz
            values = column.dt.tz_convert(zone) if zone else column.dt.tz_localize(None)
        elif pa.types.is_decimal(kind):
            values = [None if cell is None else decimal.Decimal(int(cell)) for cell in values]
        array = pa.array(values, kind, from_pandas=True)
        return pd.Series(pd.array(array, dtype=dtype), column.index)
    if isinstance(dtype, np.dtype):
        return column.dt.tz_localize(None).astype(dtype)
    if callable(dtype) and dtype is not object:
        cells = np.empty(len(column), dtype=object)
        for place, value in enumerate(values):
            cells[place] = None if value is None else dtype(value)
        return pd.Series(cells, column.index)
    return column.astype(dtype)


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    with rnb.sandbox() as client:
        client.update_source("claims/motor-inbox", sensitive_properties=["iban", "salary"])
        client.update_source("claims/motor-inbox", email_transform_version=3)
        yield client


@pytest.fixture(scope="module")
def listing(tenant: rnb.Client) -> pd.DataFrame:
    """Give four sources, whose times every unit of time can hold."""
    df = tenant.sources("claims").head(4)
    for name in GROUPS["moments"][1]:
        df[name] = df[name].dt.floor("s")
    return df


class Case:
    """A listing with dtypes of its own, and the same one with the dtypes of `Client.sources`."""

    def __init__(self, listing: pd.DataFrame, group: str, kind: str, *, missing: str) -> None:
        kinds, self.columns = GROUPS[group]
        self.listing = listing
        self.expected = listing.copy()
        for name in self.columns:
            column = listing[name]
            if kind == "bool":
                self.expected[name] = column.fillna(value=False)
            elif name not in IDENTITY:
                rows = (np.arange(len(listing)) % 2 == 0) & (missing == "some")
                self.expected[name] = column.where(rows, None)
        self.df = self.expected.assign(
            **{name: recast(self.expected[name], kinds[kind]) for name in self.columns}
        )


@pytest.fixture(params=["some", "all"])
def missing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, listing: pd.DataFrame, missing: str) -> Case:
    return Case(listing, *request.param, missing=missing)


def shown(report: Any, path: Path) -> int:
    """Show a report in every form, and return the number of lines of its file."""
    assert report.to_text() == repr(report)
    assert report._repr_html_()
    assert "owner" in report.summary
    return len(rnb.read_csv(report.to_csv(path, overwrite=True)))


@pytest.mark.parametrize(
    "case", [c for c in CASES if c[0] in ("texts", "flags")], ids="-".join, indirect=True
)
def test_listings_are_compared(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    for left, right in ((case.expected, case.df), (case.df, case.expected), (case.df, case.df)):
        assert rnb.compare(left, right).ok
    # Another row on each side, and, if anything is missing here, changes.
    left, right = case.listing.iloc[:3], case.listing.iloc[1:]
    expected = rnb.compare(left, case.expected.iloc[1:])
    if "string_view" not in str(case.df.dtypes.iloc[0]):  # pandas cannot select rows of these
        for report in (
            rnb.compare(left, case.df.iloc[1:]),
            rnb.compare(case.df.iloc[:3], right),
        ):
            assert (len(report.added), len(report.removed)) == (1, 1)
            assert len(report.changed) == len(expected.changed) or report.fields == ()
            assert shown(report, path) == 2 + len(report.changed)
    empty = case.df.head(0)
    for before, after, rows in ((empty, case.df, 4), (case.df, empty, 4), (empty, empty, 0)):
        assert shown(rnb.compare(before, after), path) == rows


def test_a_listing_is_planned(case: Case, tenant: rnb.Client) -> None:
    moments = GROUPS["moments"][1]
    df, expected = (frame.drop(columns=moments) for frame in (case.df, case.expected))
    if case.columns == moments:
        df = df.assign(created_at=case.df["created_at"])
        expected = expected.assign(created_at=case.expected["created_at"])
    plan, planned = tenant.plan(df), tenant.plan(expected)
    assert plan.to_text().splitlines()[1:] == planned.to_text().splitlines()[1:]
    assert plan._repr_html_()
    pd.testing.assert_frame_equal(plan.frame, planned.frame)
    pd.testing.assert_frame_equal(plan.problems, planned.problems)
    assert tenant.plan(df.head(0)).ok


def test_a_listing_is_written_as_csv(case: Case, tmp_path: Path) -> None:
    rnb.to_csv(case.expected, tmp_path / "expected.csv")
    try:
        rnb.to_csv(case.df, tmp_path / "listing.csv")
    except rnb.InvalidInput as error:
        assert "time zone" in str(error) or "timestamp" in str(error)  # noqa: PT017
        assert case.columns == GROUPS["moments"][1]
        return
    expected = (tmp_path / "expected.csv").read_text(encoding="utf-8")
    assert (tmp_path / "listing.csv").read_text(encoding="utf-8") == expected
    rnb.to_csv(case.df.head(0), tmp_path / "empty.csv")
    assert rnb.read_csv(tmp_path / "empty.csv").columns.tolist() == case.df.columns.tolist()


@pytest.mark.parametrize(
    "case", [c for c in CASES if c != ("moments", "texts")], ids="-".join, indirect=True
)
def test_a_listing_is_looked_through(case: Case) -> None:
    finders = Finder(case.df), Finder(case.expected)
    for finder in finders:
        finder.search = "motor"
    found, expected = ([f._rows(f.positions), f._facets()] for f in finders)
    assert found == expected
    for finder in finders:
        finder.search = ""
    for name in case.columns:
        for finder in finders:
            finder.sort = (name, True)
        found, expected = (f.positions.tolist() for f in finders)
        assert found == expected, name
    assert full_names(case.df) == full_names(case.expected)
    assert Finder(case.df.head(0)).frame.empty
