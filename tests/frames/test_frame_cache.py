"""Changes of a returned frame do not change the cached listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.search.table_filter import Narrowing

COLUMNS = [field.name for field in fields_of(Source)]
# Fields that this version does not know, with each dtype that such a column can have.
UNKNOWN: dict[str, list[Any]] = {
    "seats": [3, 4, None],
    "ratio": [0.5, 1.5, None],
    "archived": [True, False, None],
    "team": ["red", "blue", None],
    "labels": [["a"], ["b", "c"], None],
}


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    """A client of a tenant with three sources that differ in every column."""
    data = pd.DataFrame(
        {
            "owner": ["acme", "acme", "other"],
            "name": ["one", "two", "three"],
            "title": ["One", "Two", None],
            "description": ["first", "second", "third"],
            "language": ["en", "de", "xlm"],
            "should_translate": pd.array([True, False, None], "boolean"),
            "sensitive_properties": [("iban",), ("salary", "iban"), ()],
            "email_transform_version": pd.array([1, 2, None], "Int64"),
            **{name: pd.Series(values, dtype=object) for name, values in UNKNOWN.items()},
        }
    )
    with rnb.sandbox(data) as client:
        yield client


def into_array(column: pd.Series) -> None:
    column.array[0] = column.array[1]


def into_values(column: pd.Series) -> None:
    column.values[0] = column.values[1]  # noqa: PD011 - it is the array itself


def into_numpy(column: pd.Series) -> None:
    values = column.to_numpy()
    values[0] = values[1]


def into_asarray(column: pd.Series) -> None:
    values = np.asarray(column)
    values[0] = values[1]


def into_data(column: pd.Series) -> None:
    array: Any = column.array
    array._data[0] = array._data[1]


def into_mask(column: pd.Series) -> None:
    array: Any = column.array
    array._mask[0] = not array._mask[0]


def into_ndarray(column: pd.Series) -> None:
    array: Any = column.array
    array._ndarray[0] = array._ndarray[1]


def into_a_list(column: pd.Series) -> None:
    column.iloc[0].append("changed")


WRITES = [
    into_array,
    into_values,
    into_numpy,
    into_asarray,
    into_data,
    into_mask,
    into_ndarray,
    into_a_list,
]


def try_to(write: Callable[[pd.Series], None], column: pd.Series) -> None:
    """Write, if the column supports this kind of write."""
    try:
        write(column)
    except AttributeError as error:
        assert "has no attribute" in str(error)  # noqa: PT017
    except (TypeError, ValueError) as error:
        # pandas gives read-only views of some columns.
        assert "read-only" in str(error) or "assignment" in str(error)  # noqa: PT017


def copied(df: pd.DataFrame) -> list[list[Any]]:
    """Return the cells as texts, which are immutable."""
    return [[repr(cell) for cell in df[name].tolist()] for name in df.columns]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Series.values returning")
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_a_write_to_the_array_of_a_column_does_not_change_the_cache(
    tenant: rnb.Client, write: Callable[[pd.Series], None]
) -> None:
    fetched = tenant.sources(refresh=True)
    assert {*COLUMNS, *UNKNOWN} <= set(fetched.columns)
    expected = copied(fetched)
    for column in fetched:
        try_to(write, fetched[column])
    second = tenant.sources()
    assert copied(second) == expected
    for column in second:
        try_to(write, second[column])
    assert copied(tenant.sources()) == expected
    part = tenant.sources("acme", refresh=True)
    several = copied(tenant.sources(["acme", "other"]))
    for column in part:
        try_to(write, part[column])
    assert copied(tenant.sources(["acme", "other"])) == several


def test_the_writes_of_these_tests_have_an_effect() -> None:
    """Otherwise the test above would prove nothing."""
    for dtype, writes in {
        "Int64": (into_array, into_values, into_data, into_mask),
        "boolean": (into_array, into_values, into_data, into_mask),
        "object": (into_array,),
    }.items():
        for write in writes:
            column = pd.Series([1, 0], dtype=dtype)
            expected = repr(column.tolist())
            write(column)
            assert repr(column.tolist()) != expected, (dtype, write)


def by_loc(df: pd.DataFrame, column: str) -> None:
    df.loc[0, column] = df[column].iloc[1]


def by_iloc(df: pd.DataFrame, column: str) -> None:
    df.iloc[0, df.columns.tolist().index(column)] = df[column].iloc[1]


def by_at(df: pd.DataFrame, column: str) -> None:
    df.at[0, column] = df[column].iloc[1]  # noqa: PD008


def by_mask(df: pd.DataFrame, column: str) -> None:
    df.loc[np.array([True, False, False]), column] = df[column].iloc[[1]].to_list()


def by_column(df: pd.DataFrame, column: str) -> None:
    df[column] = df[column].iloc[[1, 1, 2]].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True], ids=["cached", "cleared"])
@pytest.mark.parametrize("edit", [by_loc, by_iloc, by_at, by_mask, by_column])
@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "last_modified"])
def test_a_listing_can_be_edited_by_pandas_methods(
    tenant: rnb.Client, column: str, edit: Callable[[pd.DataFrame, str], None], *, empty: bool
) -> None:
    """Also if the cache is cleared and nothing else refers to the data."""
    df = tenant.sources()
    expected = copied(df)
    second = df[column].tolist()[1]
    if empty:
        tenant._listings.cache.clear()
    if isinstance(second, tuple) and edit is not by_at and edit is not by_column:
        # pandas takes a tuple for several values; `at` sets one cell to a tuple.
        edit = by_at
    edit(df, column)
    assert repr(df[column].tolist()[0]) == repr(second)
    assert copied(tenant.sources()) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Series.values returning")
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_reports_and_filters_keep_copies_of_a_listing(
    tenant: rnb.Client, write: Callable[[pd.Series], None]
) -> None:
    df = tenant.sources().drop(columns="labels")
    report = rnb.audit(df)
    narrowing = Narrowing(df)
    expected = copied(df)
    for column in df:
        try_to(write, df[column])
    assert copied(report.audited) == expected
    assert copied(narrowing.frame) == expected
