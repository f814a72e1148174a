"""Comparison of two listings, also checked against a plain loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.schema.value_types import is_missing


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources()


def position_of(df: pd.DataFrame, name: str) -> int:
    return int(np.flatnonzero(df["name"] == name)[0])


def with_cell(df: pd.DataFrame, name: str, column: str, value: Any) -> pd.DataFrame:
    cells = list(df[column])
    cells[position_of(df, name)] = value
    return df.assign(**{column: pd.Series(cells, index=df.index, dtype=object)})


# Differences


def test_a_tenant_before_and_after(client: rnb.Client) -> None:
    before = client.sources()
    client.update_source("claims/motor-inbox", title="Motor", sensitive_properties=["plate"])
    client.delete_source("claims/test")
    created = client.create_source("people/travel")
    found = rnb.compare(before, client.sources())
    assert not found.ok
    assert found.added["id"].tolist() == [created.id]
    assert list(found.added.columns) == list(before.columns)
    assert found.removed["name"].tolist() == ["test"]
    changed: pd.DataFrame = found.changed.set_index("field")
    assert changed.index.tolist() == ["title", "sensitive_properties"]
    assert set(changed["name"]) == {"motor-inbox"}
    assert changed.loc["title", "before"] == "Motor claims inbox"
    assert changed.loc["title", "after"] == "Motor"
    assert changed.loc["sensitive_properties", "after"] == ("plate",)
    assert found.renamed.empty
    assert found.summary.to_dict("records") == [
        {"owner": "claims", "added": 0, "removed": 1, "changed": 1, "renamed": 0},
        {"owner": "people", "added": 1, "removed": 0, "changed": 0, "renamed": 0},
    ]
    assert found.rows == (130, 130)


def test_a_listing_equals_itself(listing: pd.DataFrame) -> None:
    found = rnb.compare(listing, listing)
    assert found.ok
    for frame in (found.added, found.removed, found.changed, found.renamed, found.summary):
        assert frame.empty
    assert list(found.changed.columns) == ["id", "owner", "name", "field", "before", "after"]
    assert list(found.summary.columns) == ["owner", "added", "removed", "changed", "renamed"]
    assert "title" in found.fields


def test_an_empty_listing_is_compared(listing: pd.DataFrame) -> None:
    empty = listing.head(0)
    assert len(rnb.compare(empty, listing).added) == 130
    assert len(rnb.compare(listing, empty).removed) == 130
    assert rnb.compare(empty, empty).ok


@pytest.mark.slow
def test_order_index_and_dtypes_do_not_matter(listing: pd.DataFrame, tmp_path: Path) -> None:
    rnb.to_csv(listing, tmp_path / "a.csv")
    listing.to_csv(tmp_path / "b.csv", index=False)
    variants = {
        "sorted": listing.sample(frac=1, random_state=1),
        "columns": listing[list(listing.columns)[::-1]],
        "objects": listing.astype(object),
        "categories": listing.astype({"owner": "category", "language": "category"}),
        "lists": listing.assign(sensitive_properties=listing["sensitive_properties"].map(list)),
        "nanoseconds": listing.astype({"created_at": "datetime64[ns, UTC]"}),
        "another time zone": listing.assign(
            updated_at=listing["updated_at"].dt.tz_convert("Asia/Tokyo")
        ),
        "texts": listing.assign(created_at=listing["created_at"].astype(str)),
        "floats": listing.astype({"email_transform_version": "Float64"}),
        "a file": rnb.read_csv(tmp_path / "a.csv"),
        "a plain file": pd.read_csv(tmp_path / "b.csv", keep_default_na=True).assign(
            sensitive_properties=listing["sensitive_properties"],
            # pandas reads an empty text as missing, which would be a difference.
            title=listing["title"],
            description=listing["description"],
        ),
    }
    for variant, other in variants.items():
        assert rnb.compare(listing, other).ok, variant
        assert rnb.compare(other, listing).ok, variant
        assert rnb.compare(listing, other.set_axis(range(7, 137)[::-1])).ok, variant


def test_ids_that_were_read_as_numbers() -> None:
    left = pd.DataFrame({"id": ["1234567890123456", "22"], "title": ["a", "b"]})
    right = pd.DataFrame({"id": [22, 1234567890123456], "title": ["b", "A"]})
    found = rnb.compare(left, right)
    assert found.changed[["before", "after"]].to_numpy().tolist() == [["a", "A"]]
    assert found.summary.empty  # there is no column of projects
    assert found.added.empty
    assert found.removed.empty


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("title", None),
        ("title", ""),
        ("title", "Motor claims inbox "),
        ("should_translate", None),
        ("should_translate", 1),
        ("sensitive_properties", ("b", "c")),
        ("sensitive_properties", ()),
        ("email_transform_version", 7),
        ("email_transform_version", "2"),
        ("email_transform_version", 2**53 + 1),
        ("updated_at", pd.NaT),
        ("updated_at", "soon"),
        ("bucket_id", None),
    ],
)
def test_small_differences_are_found(listing: pd.DataFrame, column: str, value: Any) -> None:
    base = with_cell(listing, "motor-inbox", "sensitive_properties", ("a", "b"))
    base = with_cell(base, "motor-inbox", "should_translate", value=True)
    base = with_cell(base, "motor-inbox", "email_transform_version", 2)
    other = with_cell(base, "motor-inbox", column, value)
    for left, right, side in ((base, other, "after"), (other, base, "before")):
        found = rnb.compare(left, right)
        assert found.changed["field"].tolist() == [column]
        cell = found.changed[side][0]
        assert is_missing(cell) if is_missing(value) else cell == value


def test_whole_numbers_that_a_double_cannot_tell_apart() -> None:
    left = pd.DataFrame({"id": ["a"], "n": pd.array([2**53 + 1], dtype="Int64")})
    right = pd.DataFrame({"id": ["a"], "n": [float(2**53)]})
    assert len(rnb.compare(left, right).changed) == 1


def test_a_whole_number_of_64_bits_is_compared_with_one_of_63() -> None:
    left = pd.DataFrame({"id": ["a"], "n": np.array([2**63 + 5], dtype="uint64")})
    right = pd.DataFrame({"id": ["a"], "n": np.array([7], dtype="int64")})
    assert rnb.compare(left, right).changed["after"].tolist() == [7]
    assert rnb.compare(right, left).changed["after"].tolist() == [2**63 + 5]


@pytest.mark.parametrize("value", [2, None])
def test_a_new_member_of_an_object_is_a_change(value: Any) -> None:
    left = pd.DataFrame({"id": ["a"], "x": [{"k": 1}]})
    right = pd.DataFrame({"id": ["a"], "x": [{"k": 1, "l": value}]})
    for before, after in ((left, right), (right, left)):
        assert rnb.compare(before, after).changed["field"].tolist() == ["x"]


def test_people_read_yes_and_no_and_files_hold_true_and_false(listing: pd.DataFrame) -> None:
    name = listing.loc[listing["should_translate"].eq(other=False), "name"].iloc[0]
    comparison = rnb.compare(listing, with_cell(listing, name, "should_translate", value=True))
    assert f"{name} should_translate: no -> yes" in comparison.to_text()
    assert ">yes</td>" in comparison.to_html()
    assert comparison.frame[["before", "after"]].to_numpy().tolist() == [["False", "True"]]


def test_changes_hold_values_of_python() -> None:
    before = pd.DataFrame({"id": ["1", "2"], "size": [1.0, np.nan], "tags": [("a",), ("b",)]})
    tags = pd.Series([np.array(["a", "c"]), ["d"]], dtype=object)
    after = before.assign(size=np.array([2, 3], dtype="int8"), tags=tags)
    changed = rnb.compare(before, after).changed
    assert changed["before"].tolist() == [1.0, ("a",), None, ("b",)]
    assert changed["after"].tolist() == [2, ["a", "c"], 3, ["d"]]
    kinds = {type(value) for value in [*changed["before"], *changed["after"]]}
    assert kinds == {float, int, tuple, list, type(None)}


def test_a_rename_from_a_missing_name_shows_no_nan(listing: pd.DataFrame) -> None:
    before = with_cell(listing, "motor-inbox", "name", None)
    comparison = rnb.compare(before, listing)
    assert "full name: claims/ -> claims/motor-inbox" in comparison.to_text()
    assert comparison.frame["before"].tolist() == ["claims/"]


def test_renamed_by_id_and_by_name(listing: pd.DataFrame) -> None:
    other = with_cell(listing, "motor-inbox", "name", "motor-mail")
    found = rnb.compare(listing, other)
    assert found.changed.empty
    assert not found.ok
    (row,) = found.renamed.to_dict("records")
    assert (row["name_before"], row["name"], row["owner"]) == (
        "motor-inbox", "motor-mail", "claims",
    )  # fmt: skip
    other = with_cell(listing, "motor-inbox", "id", "0" * 16)
    found = rnb.compare(listing, other, on=["owner", "name"])
    (row,) = found.renamed.to_dict("records")
    assert (row["id"], row["owner"], row["name"]) == ("0" * 16, "claims", "motor-inbox")
    assert row["id_before"] == listing["id"][position_of(listing, "motor-inbox")]
    # All ids differ between tenants; that does not count as a difference.
    assert found.ok


def test_two_tenants(shared: rnb.Client) -> None:
    with rnb.sandbox() as copy:
        for name in ("motor-inbox", "motor-calls"):
            source = copy.source(f"claims/{name}")
            copy.delete_source(source)
            copy.recreate_source(replace(source, title="Other"))
        found = rnb.compare(shared.sources(), copy.sources(), on=["owner", "name"])
    assert set(found.changed.loc[found.changed["field"] == "title", "after"]) == {"Other"}
    assert not {"bucket_id", "created_at", "updated_at"} & set(found.changed["field"])
    assert len(found.renamed) == 2


def test_names_with_a_colon_are_not_those_of_another_project() -> None:
    before = pd.DataFrame({"owner": ["a:b"], "name": ["c"]})
    after = pd.DataFrame({"owner": ["a"], "name": ["b:c"]})
    found = rnb.compare(before, after, on=["owner", "name"])
    assert (len(found.removed), len(found.added)) == (1, 1)


def test_ignored_columns_are_not_compared(listing: pd.DataFrame) -> None:
    other = with_cell(with_cell(listing, "test", "title", "x"), "test", "description", "y")
    assert rnb.compare(listing, other, ignore=["title", "description"]).ok
    assert rnb.compare(listing, other, ignore=["title"]).changed["field"].tolist() == [
        "description"
    ]


def test_columns_of_one_listing_are_reported(listing: pd.DataFrame) -> None:
    found = rnb.compare(listing.assign(team="a"), listing.drop(columns="title"))
    assert found.ok
    assert (found.only_before, found.only_after) == (("title", "team"), ())
    assert "only the first listing has it: title, team" in repr(found)
    assert "title, team" in found._repr_html_()


# Invalid arguments


def test_duplicate_keys_are_named(listing: pd.DataFrame) -> None:
    twice = pd.concat([listing, listing.iloc[[3]]])
    for side, frames in (("before", (twice, listing)), ("after", (listing, twice))):
        with pytest.raises(rnb.InvalidInput, match=f"{side} has several rows") as caught:
            rnb.compare(*frames)
        assert listing["id"][3] in str(caught.value)
        with pytest.raises(rnb.InvalidInput, match=f"claims/{listing['name'][3]}"):
            rnb.compare(*frames, on=["owner", "name"])


def test_a_new_row_that_is_there_twice_is_named() -> None:
    before = pd.DataFrame({"id": ["a"]})
    after = pd.DataFrame({"id": ["a", "b", "b"]})
    with pytest.raises(rnb.InvalidInput, match="after has several rows with the same id: b"):
        rnb.compare(before, after)


def test_missing_keys_are_named(listing: pd.DataFrame) -> None:
    broken = with_cell(listing, "motor-inbox", "id", None)
    with pytest.raises(rnb.InvalidInput, match=r"after has no id in 1 row"):
        rnb.compare(listing, broken)


@pytest.mark.parametrize(
    ("left", "right", "on", "message"),
    [
        ([1], None, "id", "before must be a DataFrame"),
        (None, 5, "id", "after must be a DataFrame"),
        (None, None, "di", "no column 'di'"),
        (None, None, ["owner", "nam"], "Did you mean 'name'"),
        (None, None, [], "at least one column"),
    ],
)
def test_invalid_arguments_are_refused(
    listing: pd.DataFrame, left: Any, right: Any, on: Any, message: str
) -> None:
    with pytest.raises(rnb.InvalidInput, match=message):
        rnb.compare(listing if left is None else left, listing if right is None else right, on)


def test_a_duplicate_column_is_refused(listing: pd.DataFrame) -> None:
    twice = listing.set_axis(["id", *listing.columns[1:-1], "title"], axis=1)
    with pytest.raises(rnb.InvalidInput, match="'title' twice"):
        rnb.compare(listing, twice)


# Display and CSV


def test_unsafe_texts_are_escaped(listing: pd.DataFrame) -> None:
    evil = "\x1b[2J\u202e<img src=x onerror=alert(1)>"
    other = with_cell(listing, "motor-inbox", "title", evil)
    other = with_cell(other, "glass-inbox", "name", evil)
    other = pd.concat([other, other.tail(1).assign(id="0" * 16, name="n", title=evil)])
    found = rnb.compare(listing, other)
    for shown in (repr(found), found._repr_html_()):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "motor-inbox" in shown
        assert "1 added, 0 removed, 1 changed, 1 renamed" in shown
    assert "<img" not in found._repr_html_()
    assert "(missing)" in repr(rnb.compare(listing, with_cell(listing, "test", "title", None)))


def test_long_comparisons_are_shortened(listing: pd.DataFrame) -> None:
    found = rnb.compare(listing, listing.assign(title="x"))
    assert len(found.changed) == 130
    assert "... and 80 more" in repr(found)
    assert "... and 80 more" in found._repr_html_()
    assert "... and 80 more" in repr(rnb.compare(listing.head(0), listing))


def test_a_comparison_is_written_to_csv_and_read(listing: pd.DataFrame, tmp_path: Path) -> None:
    other = with_cell(listing, "motor-inbox", "title", "=1+1")
    other = with_cell(other, "glass-inbox", "name", "glass-mail").drop(
        index=position_of(listing, "test")
    )
    other = pd.concat([other, listing.tail(1).assign(id="0" * 16, name="n")])
    found = rnb.compare(listing, other)
    path = found.to_csv(tmp_path / "diff.csv")
    table = rnb.read_csv(path)
    pd.testing.assert_frame_equal(table, found.frame)
    assert table["what"].tolist() == ["changed", "renamed", "added", "removed"]
    assert table["after"][:2].tolist() == ["=1+1", "claims/glass-mail"]
    assert table["before"][:2].tolist() == ["Motor claims inbox", "claims/glass-inbox"]
    with pytest.raises(rnb.FileProblem, match="exists"):
        found.to_csv(path)


# Against a loop

CELLS = st.sampled_from([None, "", "a", "b", "\N{AIRPLANE}"])
FLAGS = st.sampled_from([None, True, False])
WHOLES = st.sampled_from([None, 0, 1, 2**60])
TUPLES = st.sampled_from([(), ("a",), ("a", "b")])
ROW = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(["p", "q"]),
        "name": st.sampled_from("abc"),
        "title": CELLS,
        "should_translate": FLAGS,
        "email_transform_version": WHOLES,
        "sensitive_properties": TUPLES,
    }
)
LISTINGS = st.dictionaries(st.sampled_from("123456"), ROW, max_size=6)


def as_frame(rows: dict[str, dict[str, Any]], *, objects: bool) -> pd.DataFrame:
    names = [
        "id",
        "owner",
        "name",
        "title",
        "should_translate",
        "email_transform_version",
        "sensitive_properties",
    ]
    df = pd.DataFrame([{"id": key, **row} for key, row in rows.items()], columns=names)
    if objects:
        return df.astype(object)
    return df.astype(
        {
            "id": "str",
            "owner": "str",
            "name": "str",
            "title": "str",
            "should_translate": "boolean",
            "email_transform_version": "Int64",
        }
    )


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(LISTINGS, LISTINGS, st.tuples(st.booleans(), st.booleans()))
def test_the_differences_equal_those_of_a_loop(
    left: dict[str, dict[str, Any]], right: dict[str, dict[str, Any]], objects: tuple[bool, bool]
) -> None:
    found = rnb.compare(as_frame(left, objects=objects[0]), as_frame(right, objects=objects[1]))
    assert found.added["id"].tolist() == [key for key in right if key not in left]
    assert found.removed["id"].tolist() == [key for key in left if key not in right]
    fields = ["title", "should_translate", "email_transform_version", "sensitive_properties"]
    both = [key for key in right if key in left]
    expected = [
        (key, right[key]["owner"], right[key]["name"], f, left[key][f], right[key][f])
        for key in both
        for f in fields
        if left[key][f] != right[key][f]
    ]
    assert list(found.changed.itertuples(index=False, name=None)) == expected
    renamed = [
        key
        for key in both
        if any(left[key][part] != right[key][part] for part in ("owner", "name"))
    ]
    assert found.renamed["id"].tolist() == renamed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pd.period_range("2024", periods=2, freq="M"), pd.period_range("2023", periods=2)),
        (pd.interval_range(0, 2), pd.interval_range(1, 3)),
    ],
    ids=["period", "interval"],
)
def test_values_that_arrow_does_not_know_are_compared(before: Any, after: Any) -> None:
    left = pd.DataFrame({"id": ["1", "2"], "v": before})
    right = pd.DataFrame({"id": ["1", "2"], "v": after})
    assert rnb.compare(left, left.copy()).ok
    comparison = rnb.compare(left, right)
    assert comparison.changed["before"].tolist() == list(before)
    assert "~ 1 v: " in comparison.to_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [([1], ["1"]), ([True], ["True"]), ([None], ["None"]), ([{"a": 1}], ["{'a': 1}"])],
)
def test_different_lists_are_shown_differently(before: Any, after: Any) -> None:
    left, right = (pd.DataFrame({"id": ["1"], "v": [value]}) for value in (before, after))
    (row,) = rnb.compare(left, right).frame.to_dict("records")
    assert row["before"] != row["after"]
    assert json.loads(row["before"]) == before


# Times of changed sources

TIMES = ("updated_at", "last_modified")


def by_cells(before: pd.DataFrame, after: pd.DataFrame, *, times: bool) -> list[tuple[Any, Any]]:
    """Return (id, field) of each difference, cell by cell."""
    found: list[tuple[Any, Any]] = []
    old = {row["id"]: row for row in before.to_dict("records")}
    for new in after.to_dict("records"):
        if new["id"] not in old:
            continue
        fields = [
            name
            for name, value in new.items()
            if not (is_missing(value) and is_missing(old[new["id"]][name]))
            and value != old[new["id"]][name]
        ]
        others = [name for name in fields if name not in TIMES]
        shown = [name for name in fields if times or name in others or not others]
        found += [(new["id"], name) for name in shown if name not in ("owner", "name")]
    return found


EDITS: dict[str, list[Any]] = {
    "title": ["a", "b", None],
    "should_translate": [True, False, None],
    "sensitive_properties": [("a",), ("b",)],
    "name": ["n1", "n2"],
    "updated_at": [*pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True), None],
    "last_modified": list(pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)),
}
EDIT = st.tuples(st.integers(0, 7), st.sampled_from(sorted(EDITS)), st.integers(0, 2))


@given(edits=st.lists(EDIT, max_size=12), order=st.permutations(range(8)))
@settings(max_examples=60)
def test_times_are_reported_where_nothing_else_changed(
    listing: pd.DataFrame, edits: list[tuple[int, str, int]], order: list[int]
) -> None:
    before = listing.head(8)
    columns = {name: list(before[name]) for name in before}
    for row, name, number in edits:
        columns[name][row] = EDITS[name][number % len(EDITS[name])]
    after = pd.DataFrame(
        {
            name: pd.Series(
                cells, dtype=object if name == "sensitive_properties" else before[name].dtype
            )
            for name, cells in columns.items()
        }
    ).iloc[order]
    shown = rnb.compare(before, after)
    assert list(zip(shown.changed["id"], shown.changed["field"], strict=True)) == by_cells(
        before, after, times=False
    )
    everything = rnb.compare(before, after, ignore=())
    assert list(
        zip(everything.changed["id"], everything.changed["field"], strict=True)
    ) == by_cells(before, after, times=True)
    # No source that differs gets lost.
    assert shown.ok == everything.ok
    assert set(everything.changed["id"]) == {*shown.changed["id"]} | (
        {*shown.renamed["id"]} & {*everything.changed["id"]}
    )


def test_a_source_whose_times_alone_differ_counts_as_changed(listing: pd.DataFrame) -> None:
    later = listing["updated_at"].copy()
    later[3] += pd.Timedelta("1us")
    found = rnb.compare(listing, listing.assign(updated_at=later))
    assert found.changed["field"].tolist() == ["updated_at"]
    assert not found.ok
    assert found.summary["changed"].tolist() == [1]
    # A column that is ignored does not hide a change of the times.
    other = listing.assign(updated_at=later, title="x")
    ignored = rnb.compare(listing, other, ignore=["title"])
    assert ignored.changed["field"].tolist() == ["updated_at"]


def test_a_renamed_source_is_reported_without_its_times(listing: pd.DataFrame) -> None:
    later = listing["updated_at"] + pd.Timedelta("1h")
    renamed = listing.head(1).assign(updated_at=later.head(1), name="new")
    found = rnb.compare(listing.head(1), renamed)
    assert (len(found.renamed), len(found.changed)) == (1, 0)
    both = rnb.compare(listing.head(1), renamed, ignore=())
    assert both.changed["field"].tolist() == ["updated_at"]
