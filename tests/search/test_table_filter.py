"""Filtering and sorting of a listing, checked against plain Python."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import convert
from reinfer_nb.search.facets import Choice, Facet
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.search.text_index import Haystack
from tests.search.plain_search import PlainSearch, folded, missing, whole

NOW = pd.Timestamp("2025-06-15T12:00:00Z")


def listing(*rows: dict[str, Any]) -> pd.DataFrame:
    return convert.from_elements(
        [{"id": f"{number:016x}", **row} for number, row in enumerate(rows)]
    )


def records(df: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(df.columns, row, strict=True)) for row in df.itertuples(index=False)]


def names(narrowing: Narrowing) -> list[Any]:
    return narrowing.frame["name"].iloc[narrowing.positions].tolist()


def facet(narrowing: Narrowing, key: str) -> Facet:
    return next(facet for facet in narrowing.facets if facet.key == key)


# The expected results, in plain Python


def matches(row: dict[str, Any], search: str) -> bool:
    return matching([row], search) == [0]


def matching(rows: list[dict[str, Any]], search: str) -> list[int]:
    return PlainSearch(pd.DataFrame(rows, dtype=object)).found(search)


def in_choice(row: dict[str, Any], key: str, value: str) -> bool:
    if key in ("owner", "language", "kind"):
        return missing(row[key]) if value == "" else f"={row[key]}" == value
    if key == "bucket":
        return missing(row["bucket_id"]) == (value == "without")
    if key == "should_translate":
        flag = row["should_translate"]
        return value == "" if missing(flag) else value == ("yes" if flag else "no")
    if key == "sensitive_properties":
        names = row["sensitive_properties"]
        return value == ("with" if names else "without") or value.removeprefix("=") in names
    moment = row["updated_at"]
    if missing(moment) or value == "":
        return missing(moment) and value == ""
    how, days = re.fullmatch(r"(within|not within) (\d+) days", value).groups()  # type: ignore[union-attr]
    return bool(moment >= NOW - pd.Timedelta(days=int(days))) == (how == "within")


def shows(row: dict[str, Any], search: str, chosen: dict[str, list[str]]) -> bool:
    return matches(row, search) and all(
        any(in_choice(row, key, value) for value in values) for key, values in chosen.items()
    )


# Texts that are related by case or composition, and others.
BITS = [*"aAÉßİΣ\u212a\u01f0\u2013\0\\.*([_/\n \xa0\ud800\U0001f600", "e\u0301", "J\u030c"]
BITS += ["ΟΣ", "ος", "\\E", "-1"]
ANY = st.characters(exclude_categories=["Cn"])  # unassigned ones differ between Unicode versions
TEXTS = st.lists(st.sampled_from(BITS) | ANY, max_size=6).map("".join)
WHOLE = TEXTS.map(whole)
QUERIES = st.lists(st.sampled_from([*BITS, '"']) | ANY, max_size=8).map("".join)
MOMENTS = st.sampled_from([0, 6.9, 7, 7.1, 30, 90, 364, 365, 366, 730, 800, -3]) | st.floats(0, 900)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "owner": st.sampled_from(["a", "A", "=a", "", "with"]),
        "name": WHOLE,
        "title": WHOLE,
        "description": WHOLE,
        "language": st.sampled_from(["en", "de", "=en", "none"]),
        "_kind": st.sampled_from(["chat", "x"]),
        "bucket_id": st.sampled_from(["b", ""]),
        "should_translate": st.booleans(),
        "sensitive_properties": st.lists(st.sampled_from(["a", "with", "=a", ""]), max_size=3),
        "updated_at": MOMENTS.map(lambda days: (NOW - pd.Timedelta(days=days)).isoformat()),
    },
)
LISTINGS = st.lists(ROWS, max_size=8).map(lambda rows: listing(*rows))


@pytest.mark.slow
@settings(max_examples=80)
@given(texts=st.lists(WHOLE, max_size=6), query=QUERIES)
@example(texts=["motor"], query='"')
@example(texts=["a\nb", "a b", "ab"], query='"a\nb"')
@example(texts=["x", "y"], query="x\ny")
@example(texts=["a" * 5000, "a"], query="a" * 5000)
@example(texts=["\0", "0"], query="\0")
@example(texts=["ΜΕΣΗ", "οδός"], query="ΜΕΣ")
@example(texts=["οδός", "οδό"], query="ΟΔΌΣ")
@example(texts=["J\u030c", "j"], query="\u01f0")
@example(texts=["long a", *"bcdefghi"], query="long b")
def test_a_search_finds_the_same_rows_as_plain_python(texts: list[str], query: str) -> None:
    column = pd.Series(texts, dtype="str")
    df = pd.DataFrame({"title": column, "owner": "n", "name": column[::-1].array})
    narrowing = Narrowing(df)
    narrowing.narrow(query)
    rows = records(df)
    expected = [place for place, row in enumerate(rows) if matches(row, query)]
    assert narrowing.positions.tolist() == expected
    assert narrowing.search == query


@pytest.mark.slow
@settings(max_examples=50)
@given(df=LISTINGS, query=QUERIES | st.just(""), data=st.data())
def test_rows_and_counts_equal_those_of_plain_python(
    df: pd.DataFrame, query: str, data: st.DataObject
) -> None:
    narrowing = Narrowing(df, now=NOW)
    rows = records(df)
    values = {each.key: [choice.value for choice in each.choices] for each in narrowing.facets}
    chosen = {
        key: data.draw(st.lists(st.sampled_from(values[key]), min_size=1, max_size=3))
        for key in data.draw(st.sets(st.sampled_from([key for key in values if values[key]])))
    }
    narrowing.narrow(query, chosen)
    assert narrowing.chosen == {
        key: tuple(value for value in values[key] if value in some) for key, some in chosen.items()
    }
    places = st.sampled_from(range(len(rows))) if rows else st.nothing()
    only = data.draw(st.none() | st.lists(places))
    narrowing.restrict(only)
    allowed = range(len(rows)) if only is None else sorted(set(only))
    shown = [place for place in allowed if shows(rows[place], query, chosen)]
    assert narrowing.positions.tolist() == shown
    assert narrowing.positions.dtype == np.int64
    assert [narrowing.rank(place) for place in shown] == list(range(len(shown)))
    hidden = [place for place in range(len(rows)) if narrowing.rank(place) is None]
    assert sorted(shown + hidden) == list(range(len(rows)))
    counts = narrowing.counts()
    assert list(counts) == list(values)
    for key, numbers in counts.items():
        others = {other: some for other, some in chosen.items() if other != key}
        assert numbers == {
            value: sum(shows(rows[place], query, others | {key: [value]}) for place in allowed)
            for value in values[key]
        }
    # Without a restriction, all rows are shown again.
    narrowing.restrict(None)
    expected = [place for place, row in enumerate(rows) if shows(row, query, chosen)]
    assert narrowing.positions.tolist() == expected


@pytest.mark.slow
@settings(max_examples=40)
@given(rows=st.lists(ROWS, min_size=1, max_size=8), row=ROWS, query=QUERIES, data=st.data())
def test_a_listing_with_one_new_row_is_searched_as_plain_python_does(
    rows: list[dict[str, Any]], row: dict[str, Any], query: str, data: st.DataObject
) -> None:
    before = Narrowing(listing(*rows), now=NOW)
    before.narrow(query)
    shown = before.positions.tolist()
    position = data.draw(st.sampled_from(range(len(rows))))
    df = listing(*rows[:position], row, *rows[position + 1 :])
    narrowing = before.with_row(position, df)
    narrowing.narrow(query)
    expected = [place for place, row in enumerate(records(df)) if matches(row, query)]
    assert narrowing.positions.tolist() == expected
    counts = narrowing.counts()["owner"]
    owners = [df["owner"].iloc[place] for place in expected]
    assert sum(counts.values()) == len(owners)
    assert before.positions.tolist() == shown
    fresh = Narrowing(df)
    fresh.narrow(query)
    others = [key for key in narrowing.counts() if key != "updated"]  # counts from the current time
    assert [narrowing.counts()[key] for key in others] == [fresh.counts()[key] for key in others]
    for field in ("title:e", "language:none", "properties:any", "updated:2025", "translated:yes"):
        before.narrow(field)
        narrowing = before.with_row(position, df)
        narrowing.narrow(field)
        assert narrowing.positions.tolist() == PlainSearch(df).found(field)
    facets = [facet for facet in fresh.facets if facet.key != "updated"]
    assert [facet for facet in narrowing.facets if facet.key != "updated"] == facets


@pytest.mark.slow
@settings(max_examples=60)
@example(cells=["\na", " "], descending=False)
@given(
    cells=st.lists(WHOLE | st.none(), max_size=9)
    | st.lists(st.sampled_from([2**63 - 1, 2**63 - 2, -5, 0, None]), max_size=9)
    | st.lists(st.booleans() | st.none(), max_size=9)
    | st.lists(st.floats(allow_nan=True), max_size=9)
    | st.lists(st.lists(st.sampled_from("abc"), max_size=2).map(tuple) | st.none(), max_size=9)
    | st.lists(st.datetimes(timezones=st.just(UTC)) | st.none(), max_size=9),
    descending=st.booleans(),
)
def test_rows_are_sorted_as_plain_python_sorts_them(cells: list[Any], *, descending: bool) -> None:
    kind = next((type(cell) for cell in cells if cell is not None), str)
    dtype = {str: "str", int: "Int64", bool: "boolean", float: "float64", tuple: "object"}
    column = pd.Series(cells, dtype=dtype.get(kind, "datetime64[us, UTC]"))
    narrowing = Narrowing(pd.DataFrame({"x": column}))
    narrowing.sort_by("x", descending=descending)
    assert narrowing.sort == ("x", descending)

    def key(place: int) -> Any:
        cell = cells[place]
        return folded(", ".join(cell) if kind is tuple else cell) if kind in (str, tuple) else cell

    present = [place for place, cell in enumerate(cells) if not missing(cell)]
    # `sorted` with `reverse` keeps the order of equal items.
    expected = sorted(present, key=key, reverse=descending)
    last = [place for place, cell in enumerate(cells) if missing(cell)]
    assert narrowing.positions.tolist() == expected + last


def test_texts_are_searched_among_some_rows_and_excluded() -> None:
    haystack = Haystack.of(pd.DataFrame({"title": ["ab", "a", "b", "c", "d", "e", "f", "g"]}))
    among = np.arange(8) > 0
    assert haystack.found(["a"], among=among).nonzero()[0].tolist() == [1]
    assert among.tolist() == [False, *[True] * 7]
    assert haystack.found(["a"], ["b"]).nonzero()[0].tolist() == [1]
    assert haystack.found([], ["a", "b", ""]).nonzero()[0].tolist() == [3, 4, 5, 6, 7]
    assert not haystack.found(["a"], ["a"]).any()
    assert haystack.found([""]).all()


COMPANY = listing(
    {"owner": "claims", "name": "motor", "title": "Car Damage", "language": "en", "_kind": "chat"},
    {"owner": "claims", "name": "travel", "title": "Lost\nbags", "language": "de"},
    {"owner": "sales", "name": "motor-leads", "title": "car sales", "language": "xlm"},
    {"owner": "sales", "name": "old", "sensitive_properties": ["email", "email"]},
    {"owner": "\u202esales", "name": "odd", "language": "fr", "_kind": "unknown"},
)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("", "motor travel motor-leads old odd"),
        ("  \t\n", "motor travel motor-leads old odd"),
        ("CAR", "motor motor-leads"),
        ("car motor sales", "motor-leads"),
        ('"car damage"', "motor"),
        ('"damage car"', ""),
        ('"car d', "motor"),
        ("claims/mot", "motor"),
        ('"lost bags"', "travel"),
        ("lostbags", ""),
        (".*", ""),
        ("0000000000000002", "motor-leads"),
        ("chat", ""),
        ('"motor car"', ""),
    ],
)
def test_words_and_phrases(search: str, expected: str) -> None:
    narrowing = Narrowing(COMPANY)
    narrowing.narrow(search)
    assert names(narrowing) == expected.split()


@pytest.mark.slow
def test_the_practice_tenant(shared: rnb.Client) -> None:
    df = shared.statistics(shared.sources())
    narrowing = Narrowing(df)
    assert len(narrowing.positions) == len(df)
    narrowing.sort_by("num_comments", descending=True)
    narrowing.narrow(chosen={"owner": "claims", "language": "en"})
    part = df[(df["owner"] == "claims") & (df["language"] == "en")]
    expected = part.sort_values("num_comments", ascending=False, kind="stable")["num_comments"]
    assert len(part) > 1
    assert df["num_comments"].iloc[narrowing.positions].tolist() == expected.tolist()
    assert narrowing.counts()["language"]["=en"] == len(part)
    assert narrowing.counts()["owner"]["=claims"] == len(part)


def test_facets_and_choices_have_an_order_and_labels() -> None:
    narrowing = Narrowing(COMPANY, now=NOW)
    assert [each.key for each in narrowing.facets] == [
        *("owner", "language", "kind", "bucket", "should_translate"),
        *("sensitive_properties", "updated"),
    ]
    assert [each.label for each in narrowing.facets] == [
        *("Project", "Language", "Kind", "Bucket", "Translated"),
        *("Sensitive properties", "Updated"),
    ]
    assert facet(narrowing, "language").choices == (
        Choice("=en", "English (en)"),
        Choice("=fr", "fr"),
        Choice("=de", "German (de)"),
        Choice("=xlm", "Multilingual (xlm)"),
        Choice("", "(none)"),
    )
    assert Choice("=\u202esales", "\\u202esales") in facet(narrowing, "owner").choices
    assert Choice("=unknown", "not set (unknown)") in facet(narrowing, "kind").choices
    assert facet(narrowing, "sensitive_properties").choices == (
        Choice("with", "with any"),
        Choice("without", "without any"),
        Choice("=email", "email"),
    )
    translated = [choice.label for choice in facet(narrowing, "should_translate").choices]
    assert translated == ["yes", "no", "not set"]


def test_choices_may_be_given_by_plain_names() -> None:
    rows = [{"sensitive_properties": names} for names in (["with"], ["x"], [])]
    narrowing = Narrowing(listing(*rows))
    key = "sensitive_properties"
    for name, value, count in (("with", "with", 2), ("=with", "=with", 1), ("x", "=x", 1)):
        narrowing.narrow(chosen={key: name})
        assert dict(narrowing.chosen) == {key: (value,)}
        assert len(narrowing.positions) == count
    narrowing = Narrowing(listing({"owner": "en"}, {"owner": "=en"}, {}))
    for name, position in (("=en", 0), ("en", 0), ("==en", 1), ("", 2)):
        narrowing.narrow(chosen={"owner": name})
        assert narrowing.positions.tolist() == [position]


def test_a_facet_shows_the_rows_of_any_of_its_values() -> None:
    narrowing = Narrowing(COMPANY)
    names_of = iter(["fr", "de", "de", "=fr"])
    narrowing.narrow(chosen={"language": names_of, "kind": [], "owner": "\u202esales"})
    assert narrowing.chosen == {"language": ("=fr", "=de"), "owner": ("=\u202esales",)}
    assert names(narrowing) == ["odd"]
    narrowing.narrow(chosen={"language": pd.Series(["de", "fr"])})
    assert names(narrowing) == ["travel", "odd"]
    assert narrowing.counts()["language"] == {"=en": 1, "=fr": 1, "=de": 1, "=xlm": 1, "": 1}
    assert narrowing.counts()["owner"] == {"=\u202esales": 1, "=claims": 1, "=sales": 0}
    narrowing.narrow(chosen={"language": ()})
    assert narrowing.chosen == {}
    assert len(names(narrowing)) == 5


def test_choices_whose_label_contains_a_typed_text() -> None:
    narrowing = Narrowing(COMPANY)
    assert narrowing.facet_choices("owner") == (
        [
            (1, Choice("=claims", "claims"), 2),
            (2, Choice("=sales", "sales"), 2),
            (0, Choice("=\u202esales", "\\u202esales"), 1),
        ],
        3,
    )
    narrowing.narrow(chosen={"owner": "claims"})
    shown, matching = narrowing.facet_choices("owner")
    assert ([place for place, *_ in shown], matching) == ([1, 2, 0], 3)
    narrowing.narrow(chosen={"owner": "\u202esales"})
    assert [place for place, *_ in narrowing.facet_choices("owner")[0]] == [0, 1, 2]
    narrowing.narrow(chosen={})
    shown, matching = narrowing.facet_choices("owner", " SALES ", most=1)
    assert ([place for place, *_ in shown], matching) == ([2], 2)
    # The chosen ones are first, with the counts of all other facets and of the search.
    narrowing.narrow("travel", {"owner": ["sales", "\u202esales"]})
    for most, places in ((0, [0, 2]), (1, [0, 2]), (3, [0, 2, 1])):
        shown, matching = narrowing.facet_choices("owner", "CLAIM", most)
        assert ([place for place, *_ in shown], matching) == (places, 1)
        assert [count for *_, count in shown] == [0, 0, 1][: len(shown)]
    assert narrowing.facet_choices("owner", "nobody")[1] == 0
    composed, _ = Narrowing(listing({"owner": "e\u0301t\u00c9"})).facet_choices(
        "owner", "\u00e9te\u0301"
    )
    assert [choice.value for _, choice, _ in composed] == ["=e\u0301t\u00c9"]
    with pytest.raises(InvalidInput, match="Unknown facet 'project'"):
        narrowing.facet_choices("project", "x")


def test_search_choices_and_sorting_stay_until_they_are_changed() -> None:
    narrowing = Narrowing(COMPANY)
    narrowing.narrow("motor", {"owner": "sales"})
    narrowing.sort_by("title")
    narrowing.narrow()
    assert names(narrowing) == ["motor-leads"]
    narrowing.narrow(chosen={})
    assert names(narrowing) == ["motor", "motor-leads"]
    narrowing.narrow("")
    assert names(narrowing) == ["motor", "motor-leads", "travel", "old", "odd"]
    narrowing.sort_by("title", descending=True)
    assert names(narrowing) == ["travel", "motor-leads", "motor", "old", "odd"]
    narrowing.sort_by(None)
    assert narrowing.sort is None
    assert narrowing.positions.tolist() == [0, 1, 2, 3, 4]


def test_a_restriction_stays_when_search_choices_or_sorting_change() -> None:
    narrowing = Narrowing(COMPANY)
    narrowing.restrict([4, 2, 0, 2])
    assert names(narrowing) == ["motor", "motor-leads", "odd"]
    assert narrowing.counts()["owner"] == {"=\u202esales": 1, "=claims": 1, "=sales": 1}
    narrowing.narrow("motor")
    narrowing.sort_by("title", descending=True)
    assert names(narrowing) == ["motor-leads", "motor"]
    assert narrowing.rank(1) is None
    narrowing.narrow("", {"owner": "claims"})
    assert names(narrowing) == ["motor"]
    narrowing.restrict(np.array([1]))
    assert names(narrowing) == ["travel"]
    narrowing.restrict([])
    assert names(narrowing) == []
    assert narrowing.counts()["owner"]["=claims"] == 0
    narrowing.restrict(None)
    assert names(narrowing) == ["travel", "motor"]


def test_unknown_facets_choices_and_columns_are_refused_without_changes() -> None:
    narrowing = Narrowing(COMPANY)
    narrowing.narrow("motor", {"owner": "sales"})
    for chosen, message in (
        ({"langauge": "en"}, "Unknown facet 'langauge'. Did you mean language?"),
        ({"owner": "salse"}, "Unknown value 'salse' of the facet 'owner'. Did you mean sales?"),
        ({"language": "it"}, "Available: en, fr, de, xlm"),
        ({"owner": "claims", "kind": "\x1b"}, r"Unknown value '\x1b'"),
        ({"owner": None}, "Unknown value None of the facet 'owner'"),
        ({"owner": ["claims", "salse"]}, "Unknown value 'salse' of the facet 'owner'."),
        ({"owner": b"sales"}, "Unknown value b'sales' of the facet 'owner'"),
        ({"owner": [["sales"]]}, "Unknown value ['sales'] of the facet 'owner'"),
        ({"owner": 5}, "Unknown value 5 of the facet 'owner'"),
        ({"kind": [], "langauge": []}, "Unknown facet 'langauge'. Did you mean language?"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(message)):
            narrowing.narrow("travel", chosen)  # type: ignore[arg-type]
    message = "The listing has no column 'titel'. Did you mean title?"
    with pytest.raises(InvalidInput, match=re.escape(message)):
        narrowing.sort_by("titel")
    assert (narrowing.search, dict(narrowing.chosen)) == ("motor", {"owner": ("=sales",)})
    assert narrowing.sort is None
    assert names(narrowing) == ["motor-leads"]


def test_results_are_copies_or_read_only() -> None:
    df = COMPANY.copy()
    narrowing = Narrowing(df)
    with pytest.raises(TypeError):
        narrowing.counts()["owner"]["=claims"] = 3  # type: ignore[index]
    narrowing.counts().clear()
    assert narrowing.counts()["owner"]["=claims"] == 2
    with pytest.raises(ValueError, match="read-only"):
        narrowing.positions[0] = 3
    narrowing.sort_by("name", descending=True)
    narrowing.narrow("motor")
    pd.testing.assert_frame_equal(df, COMPANY)
    df.loc[0, "name"] = "other"
    df["new"] = 1
    pd.testing.assert_frame_equal(narrowing.frame, COMPANY)


@pytest.mark.parametrize(
    "df",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame({"owner": ["a"], "kind": [None]}),
        listing(),
        listing({"title": "x"}).drop(columns=["id", "owner", "name"]),
        pd.concat([COMPANY, COMPANY]).drop(columns="description"),
        pd.concat([COMPANY, COMPANY["owner"]], axis=1),
        COMPANY.iloc[1:3],
        COMPANY.astype(object),
        COMPANY.astype({"owner": "category", "updated_at": "datetime64[ns, UTC]"}),
        pd.DataFrame(
            {0: 1, "title": "\ud800", "updated_at": "never", "owner": 5}, [0], dtype=object
        ),
    ],
)
def test_any_part_of_a_listing_is_accepted(df: pd.DataFrame) -> None:
    narrowing = Narrowing(df)
    assert narrowing.positions.tolist() == list(range(len(df)))
    first = narrowing.counts()
    for key, counts in first.items():
        assert sum(counts.values()) >= len(df), key
    narrowing.narrow("nowhere")
    assert narrowing.positions.tolist() == []
    assert narrowing.rank(0) is None
    assert not any(any(counts.values()) for counts in narrowing.counts().values())
    narrowing.narrow("")
    for column in df.columns:
        narrowing.sort_by(str(column))
        assert sorted(narrowing.positions.tolist()) == list(range(len(df)))
    assert narrowing.counts() == first


def test_columns_of_objects_are_sorted_too() -> None:
    df = pd.DataFrame(
        {
            "numbers": pd.Series([10, 9, None, 2.5], dtype=object),
            "mixed": pd.Series(["b", 10, math.nan, {"a": 1}], dtype=object),
            "lists": pd.Series([["b"], ["A", "z"], None, []], dtype=object),
        }
    )
    narrowing = Narrowing(df)
    expected = {"numbers": [3, 1, 0, 2], "mixed": [1, 0, 3, 2], "lists": [3, 1, 0, 2]}
    for column, order in expected.items():
        narrowing.sort_by(column)
        assert narrowing.positions.tolist() == order


def test_ages_are_counted_from_now_in_utc() -> None:
    moments = pd.Series(["2025-06-08T12:00", "2025-06-08T11:59", None], dtype="datetime64[us]")
    df = pd.DataFrame({"updated_at": moments})
    for now in (NOW, NOW.tz_convert("Asia/Tokyo"), NOW.tz_localize(None)):
        counts = Narrowing(df, now=now).counts()["updated"]
        assert (counts["within 7 days"], counts["within 30 days"], counts[""]) == (1, 2, 1)
    recent = pd.DataFrame({"updated_at": [datetime.now(UTC)]})
    assert Narrowing(recent).counts()["updated"]["within 7 days"] == 1
    assert "" not in Narrowing(recent).counts()["updated"]


def test_many_projects_and_flags_as_objects() -> None:
    count = 6000
    owners = [f"p{number % 5000}" for number in range(count)]
    flags = pd.Series([True, None, "yes"] * (count // 3), dtype=object)
    narrowing = Narrowing(pd.DataFrame({"owner": owners, "should_translate": flags}))
    assert len(facet(narrowing, "owner").choices) == 5000
    narrowing.narrow(chosen={"should_translate": "yes"})
    assert sum(narrowing.counts()["owner"].values()) == count // 3
    assert narrowing.counts()["should_translate"] == {"yes": 2000, "no": 0, "": 4000}


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from("ab c"), max_size=6).map("".join), min_size=2, max_size=8))
def test_earlier_searches_do_not_affect_the_result(searches: list[str]) -> None:
    df = listing(*({"name": name, "owner": "x"} for name in ("a", "ab", "abc", "b", "ca", "bc a")))
    narrowing = Narrowing(pd.concat([df] * 5, ignore_index=True))
    for search in searches:
        narrowing.narrow(search)
        fresh = Narrowing(narrowing.frame)
        fresh.narrow(search)
        assert narrowing.positions.tolist() == fresh.positions.tolist()
