"""Every report works for every dtype that pandas and pyarrow have for the columns of a listing.

Each case sets a dtype for every group of columns, so the largest group determines the number of
cases.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

import reinfer_nb as rnb
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema.value_types import is_missing
from reinfer_nb.widgets.table.source_table import Finder
from reinfer_nb.widgets.table.table_cells import columns_of

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
    "int64": "int64",
    "uint8": "uint8",
    "float64": "float64",
    "Float64": "Float64",
    "object": object,
    "category": "category",
    "int64[pyarrow]": pd.ArrowDtype(pa.int64()),
    "double[pyarrow]": pd.ArrowDtype(pa.float64()),
    "decimal[pyarrow]": pd.ArrowDtype(pa.decimal128(10, 0)),
}
MOMENT_DTYPES: dict[str, Any] = {
    **{f"{unit}, UTC": pd.DatetimeTZDtype(unit, "UTC") for unit in ("ns", "us", "ms", "s")},
    "us, Berlin": pd.DatetimeTZDtype("us", "Europe/Berlin"),
    **{f"{unit}, no zone": np.dtype(f"datetime64[{unit}]") for unit in ("ns", "us", "ms", "s")},
    **{
        f"arrow {unit}, UTC": pd.ArrowDtype(pa.timestamp(unit, "UTC"))
        for unit in ("ns", "us", "ms", "s")
    },
    "arrow ns, Berlin": pd.ArrowDtype(pa.timestamp("ns", "Europe/Berlin")),
    "arrow us, no zone": pd.ArrowDtype(pa.timestamp("us")),
    "object": object,
    "datetimes": lambda moment: moment.to_pydatetime(),
    "datetimes, no zone": lambda moment: moment.to_pydatetime().replace(tzinfo=None),
    "texts": "str",
    "Z texts": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "category": "category",
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
    "numbers": (WHOLE_DTYPES, ["email_transform_version"]),
    "moments": (MOMENT_DTYPES, ["created_at", "updated_at", "last_modified"]),
    "lists": (LIST_DTYPES, ["sensitive_properties"]),
}
IDENTITY = ["id", "owner", "name"]
# NumPy dtypes without missing values, and the value that replaces missing cells.
WITHOUT_MISSING: dict[str, Any] = {"bool": False, "int64": 0, "uint8": 0}
MISSING = "some", "all"


def cases(missing: str) -> list[tuple[str, dict[str, str]]]:
    """Return the cases: which cells are missing, and the kind of each column.

    With "some" missing, all columns of a group have the same kind. With "all" missing, the columns
    of a group have different kinds, which needs fewer cases.
    """
    if missing == "some":
        steps = dict.fromkeys(GROUPS, 0)
        number = max(len(kinds) for kinds, _ in GROUPS.values())
    else:
        steps = {
            "moments": len(MOMENT_DTYPES) // 3,
            "texts": 0,
            "flags": 0,
            "numbers": 0,
            "lists": 0,
        }
        number = max(len(TEXT_DTYPES), len(WHOLE_DTYPES), len(MOMENT_DTYPES) // 3)
    return [
        (
            missing,
            {
                name: list(kinds)[(case + place * steps[group]) % len(kinds)]
                for group, (kinds, columns) in GROUPS.items()
                for place, name in enumerate(columns)
            },
        )
        for case in range(number)
    ]


CASES = [case for missing in MISSING for case in cases(missing)]


def recast(column: pd.Series, dtype: Any) -> Any:
    """Return a column of a listing with another dtype."""
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
    if callable(dtype) and dtype not in (object, bool):
        cells = np.empty(len(column), dtype=object)
        for place, value in enumerate(values):
            cells[place] = None if value is None else dtype(value)
        return pd.Series(cells, column.index)
    return column.astype(dtype)


class Case:
    """A listing with the dtypes of the case, and the same with the dtypes of `Client.sources`.

    Attributes:
        listing: The listing with a value in each cell.
        missing: Whether some or all cells are missing.
        kinds: The kind of each column.
        expected: The listing with some or all cells missing.
        df: The same as `expected`, with the dtypes of the case.
        key: Equal for cases with equal `expected`.
    """

    def __init__(self, listing: pd.DataFrame, missing: str, kinds: dict[str, str]) -> None:
        self.listing, self.missing, self.kinds = listing, missing, kinds
        self.expected, self.df = listing.copy(), listing.copy()
        for dtypes, columns in GROUPS.values():
            for name in columns:
                kind, column = kinds[name], listing[name]
                if kind in WITHOUT_MISSING:
                    self.expected[name] = column.fillna(WITHOUT_MISSING[kind])
                elif name not in IDENTITY:
                    rows = (np.arange(len(listing)) % 2 == 0) & (missing == "some")
                    self.expected[name] = column.where(rows, None)
                self.df[name] = recast(self.expected[name], dtypes[kind])
        self.key = (missing, *(kind for kind in kinds.values() if kind in WITHOUT_MISSING))

    def plain(self, group: str) -> pd.DataFrame:
        """Return the listing with the dtypes of `Client.sources` in a group of columns."""
        return self.df.assign(**{name: self.expected[name] for name in GROUPS[group][1]})


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    with rnb.sandbox() as client:
        client.update_source("claims/motor-inbox", sensitive_properties=["iban", "salary"])
        client.update_source("claims/motor-inbox", email_transform_version=3)
        yield client


@pytest.fixture(scope="module")
def listing(tenant: rnb.Client) -> pd.DataFrame:
    """Four sources whose times fit every time unit."""
    df = tenant.sources("claims").head(4)
    for name in GROUPS["moments"][1]:
        df[name] = df[name].dt.floor("s")
    return df


def label(case: tuple[str, dict[str, str]]) -> str:
    """Return the name of a case: the kinds of the first column of each group."""
    missing, kinds = case
    return "; ".join([*(kinds[columns[0]] for _, columns in GROUPS.values()), f"{missing} missing"])


@pytest.fixture(scope="module", params=CASES, ids=label)
def case(request: pytest.FixtureRequest, listing: pd.DataFrame) -> Case:
    return Case(listing, *request.param)


# For tests that do not depend on which cells are missing.
once_for_each_kind = pytest.mark.parametrize(
    "case", cases("some"), ids=label, indirect=True, scope="module"
)


Once = Callable[[Case, Callable[[pd.DataFrame], Any]], Any]


@pytest.fixture(scope="module")
def once() -> Once:
    """Return a function that calls another with the expected listing, and caches the result."""
    made: dict[Any, Any] = {}

    def result(case: Case, make: Callable[[pd.DataFrame], Any]) -> Any:
        key = (make.__qualname__, case.key)
        if key not in made:
            made[key] = make(case.expected)
        return made[key]

    return result


def lines_of_file(report: Any, path: Path) -> int:
    """Show a report in every form, and return the number of lines of its file."""
    assert report.to_text() == repr(report)
    assert report._repr_html_()
    assert "owner" in report.summary
    return len(rnb.read_csv(report.to_csv(path, overwrite=True)))


def named_changes(report: rnb.Comparison) -> list[list[str]]:
    return report.changed[["id", "owner", "name", "field"]].to_numpy().tolist()


@pytest.mark.slow
def test_listings_are_compared(case: Case, once: Once, tmp_path: Path) -> None:
    for left, right in ((case.expected, case.df), (case.df, case.expected)):
        report = rnb.compare(left, right)
        assert report.changed.empty
        assert report.ok
    # Another row on each side, and changes where cells are missing.
    has_string_view = "arrow string_view" in case.kinds.values()
    # pandas cannot select rows of string views.
    df = case.plain("texts") if has_string_view else case.df
    left, right = case.listing.iloc[:3], case.listing.iloc[1:]
    changes = once(
        case,
        lambda df: (
            named_changes(rnb.compare(left, df.iloc[1:])),
            named_changes(rnb.compare(df.iloc[:3], right)),
        ),
    )
    for report, expected in (
        (rnb.compare(left, df.iloc[1:]), changes[0]),
        (rnb.compare(df.iloc[:3], right), changes[1]),
    ):
        assert (len(report.added), len(report.removed)) == (1, 1)
        assert len(report.changed) > 0
        assert named_changes(report) == expected
    assert lines_of_file(report, tmp_path / "report.csv") == 2 + len(report.changed)


@pytest.mark.slow
@once_for_each_kind
def test_listings_without_rows_are_compared(case: Case, tmp_path: Path) -> None:
    empty = case.df.head(0)
    assert lines_of_file(rnb.compare(empty, case.df), tmp_path / "report.csv") == 4
    assert len(rnb.compare(case.df, empty).removed) == 4


@pytest.mark.slow
@once_for_each_kind
def test_another_value_is_a_change(case: Case) -> None:
    names = [columns[-1] for _, columns in GROUPS.values()]
    values: list[Any] = [
        ["c", "d"],
        pd.array([True, False], "boolean"),
        pd.array([3, 4], "Int64"),
        pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
        [("iban",), ("iban", "salary")],
    ]
    after = pd.DataFrame({"id": ["a", "b"], **dict(zip(names, values, strict=True))})
    # The first row is unchanged, the second one changed.
    before = after.iloc[[0, 0]].assign(id=["a", "b"]).reset_index(drop=True)
    dtypes = [
        kinds[case.kinds[name]] for (kinds, _), name in zip(GROUPS.values(), names, strict=True)
    ]
    for name, dtype in zip(names, dtypes, strict=True):
        after[name] = recast(after[name], dtype)
    for left, right in ((before, after), (after, before)):
        report = rnb.compare(left, right, ignore=())
        assert report.changed[["id", "field"]].to_numpy().tolist() == [["b", n] for n in names]


def audited(df: pd.DataFrame) -> tuple[rnb.AuditReport, pd.DataFrame]:
    report = rnb.audit(df, now="2026-11-01")
    return report, rnb.compare(df, report.fixes()).frame


@pytest.mark.slow
def test_a_listing_is_audited(case: Case, once: Once, tmp_path: Path) -> None:
    expected, expected_fixes = once(case, audited)
    report, fixes = audited(case.df)
    pd.testing.assert_frame_equal(report.findings, expected.findings)
    pd.testing.assert_frame_equal(fixes, expected_fixes)
    if case.missing == "all":
        assert lines_of_file(report, tmp_path / "report.csv") == len(report.findings)


@pytest.mark.slow
@once_for_each_kind
def test_a_listing_without_rows_is_audited(case: Case) -> None:
    assert rnb.audit(case.df.head(0)).ok


@pytest.mark.slow
def test_a_listing_is_planned(case: Case, tenant: rnb.Client, once: Once) -> None:
    # A time that differs from the tenant's is a problem of the plan.
    df = case.df.drop(columns=["updated_at", "last_modified"])
    plan = tenant.plan(df)
    planned = once(case, lambda df: tenant.plan(df.drop(columns=["updated_at", "last_modified"])))
    assert plan.to_text().splitlines()[1:] == planned.to_text().splitlines()[1:]
    assert plan._repr_html_()
    pd.testing.assert_frame_equal(plan.frame, planned.frame)
    pd.testing.assert_frame_equal(plan.problems, planned.problems)
    assert tenant.plan(df.head(0)).ok


@pytest.mark.slow
def test_a_listing_is_written_as_csv(case: Case, tmp_path: Path) -> None:
    df = case.df
    moments = GROUPS["moments"][1]
    without_zone = any("no zone" in case.kinds[name] for name in moments)
    texts = any("texts" in case.kinds[name] for name in moments)
    if (without_zone or texts) and case.missing == "some":
        with pytest.raises(
            rnb.InvalidInput, match=r"has no time zone.*tz_localize|is not a timestamp"
        ):
            rnb.to_csv(df, tmp_path / "listing.csv")
        df = case.plain("moments")
    rnb.to_csv(case.expected, tmp_path / "expected.csv")
    rnb.to_csv(df, tmp_path / "listing.csv")
    expected = (tmp_path / "expected.csv").read_text(encoding="utf-8")
    assert (tmp_path / "listing.csv").read_text(encoding="utf-8") == expected
    rnb.to_csv(case.df.head(0), tmp_path / "empty.csv")
    assert rnb.read_csv(tmp_path / "empty.csv").columns.tolist() == case.df.columns.tolist()


@pytest.mark.slow
def test_a_listing_is_recorded(case: Case, tmp_path: Path) -> None:
    history = rnb.History(tmp_path / "history")
    history.record(case.df, when="2026-11-01")
    history.record(case.df.head(0), when="2026-11-02")
    expected = case.expected.assign(
        sensitive_properties=case.expected["sensitive_properties"].map(lambda names: names or ())
    )
    loaded = history.load("2026-11-01", project="claims")
    pd.testing.assert_frame_equal(loaded, expected)
    assert history.changes()["what"].tolist() == ["removed"] * 4


def looked_through(df: pd.DataFrame) -> list[Any]:
    finder = Finder(df)
    finder.search = "motor"
    found: list[Any] = [finder._state._rows(finder.positions), finder._state._facets()]
    found.append(full_names(df).tolist())
    finder.search = ""
    for _, columns in GROUPS.values():
        for name in columns:
            finder.sort = (name, True)
            found.append((name, finder.positions.tolist()))
    return found


@pytest.mark.slow
def test_a_listing_is_looked_through(case: Case, once: Once) -> None:
    assert looked_through(case.df) == once(case, looked_through)
    assert Finder(case.df.head(0)).frame.empty


def drawn(df: pd.DataFrame) -> list[str]:
    figure, axes = plt.subplots(1, 3)
    rnb.charts.freshness(df, now="2026-11-01", ax=axes[0])
    rnb.charts.timeline(df, ax=axes[1])
    rnb.charts.projects(df, by="language", ax=axes[2])
    texts = [
        str(plt.getp(text, "text")) for text in figure.findobj(lambda it: isinstance(it, Text))
    ]
    plt.close(figure)
    return texts


@pytest.mark.slow
@once_for_each_kind
def test_charts_are_drawn(case: Case, once: Once) -> None:
    assert drawn(case.df) == once(case, drawn)


WITH_ZONE = [kind for kind in MOMENT_DTYPES if kind.endswith((", UTC", ", Berlin"))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", WITH_ZONE)
def test_times_of_a_column_of_ones_own_stay_times(
    listing: pd.DataFrame, kind: str, tmp_path: Path
) -> None:
    rows = np.arange(len(listing))
    columns = {"some": rows % 2 == 0, "none": rows < 0}
    df = pd.DataFrame({name: listing["created_at"].where(it) for name, it in columns.items()})
    own = df.apply(recast, dtype=MOMENT_DTYPES[kind])
    headings = [column.wire["heading"] for column in columns_of(own)[0]]
    assert headings == ["some (UTC)", "none (UTC)"]
    back = rnb.read_csv(rnb.to_csv(own, tmp_path / "own.csv"))
    pd.testing.assert_frame_equal(back, df)
