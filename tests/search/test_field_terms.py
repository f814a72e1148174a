"""Words `field:value` in a search, checked against plain Python."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reinfer_nb.frames import convert
from reinfer_nb.search import query
from reinfer_nb.search.table_filter import Narrowing
from tests.search.plain_search import PlainSearch

ROWS: list[dict[str, Any]] = [
    {"title": "", "bucket_id": "8f0b", "should_translate": True},
    {"language": "de", "sensitive_properties": ["email", "phone"]},
    {"language": "xlm", "title": None, "email_transform_version": 3},
    {"language": "de-AT", "_kind": "call", "title": "Two\nwords: name:motor"},
    {"owner": "sales", "_kind": "ixp_design", "updated_at": "2023-12-31T00:00:00Z"},
    {"language": None, "updated_at": None, "title": "-minus none"},
]
USUAL = {
    "owner": "claims",
    "language": "en",
    "_kind": "chat",
    "title": "Motor claims",
    "updated_at": "2024-05-31T23:30:00.250000+00:00",
}
LISTING = convert.from_elements(
    [
        {"id": f"{number:016x}", "name": f"motor-{number}", **USUAL, **row}
        for number, row in enumerate(ROWS)
    ]
).assign(num_comments=pd.array([0, 5, 10, 1200, None, 100], dtype="Int64"), team="A:b")


def found(search: str, df: pd.DataFrame = LISTING) -> list[int]:
    narrowing = Narrowing(df)
    narrowing.narrow(search)
    return [int(position) for position in narrowing.positions]


ALL = [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("language:de", [1]),
        ("LANGUAGE:De", [1]),
        ("language:d", [1, 3]),
        ("language:german", [1]),
        ("language:x", [2]),
        ("language:none", [5]),
        ('language:"none"', []),
        ("-language:en", [1, 2, 3, 5]),
        ("-language:none", [0, 1, 2, 3, 4]),
        ("language:any -language:en", [1, 2, 3]),
        ("kind:call", [3]),
        ("kind:document", [4]),
        ("kind:design", [4]),
        ("owner:cla", [0, 1, 2, 3, 5]),
        ("project:claims", [0, 1, 2, 3, 5]),
        ("name:OTOR-3", [3]),
        ("bucket:any", [0]),
        ("bucket:none name:motor-1", [1]),
        ('title:""', [0]),
        ("title:none", [2]),
        ('title:"none"', [5]),
        ('title:"two words"', [3]),
        ('-title:"two words" kind:call', []),
        ('title:"two', [3]),
        ('-"two words" language:d', [1]),
        ("-motor", []),
        ("-motor-0 -1", [2, 3, 4, 5]),
        ('"name:motor"', [3]),
        ('"-minus"', [5]),
        ("properties:phone", [1]),
        ('properties:"email, phone"', [1]),
        ("sensitive:none", [0, 2, 3, 4, 5]),
        ('sensitive_properties:""', [0, 2, 3, 4, 5]),
        ("translated:yes", [0]),
        ("translated:T", [0]),
        ("translated:no", []),
        ("translated:none", [1, 2, 3, 4, 5]),
        ("comments:0", [0]),
        ("comments:>100", [3]),
        ("comments:>=100", [3, 5]),
        ("comments:<5", [0]),
        ("comments:<=5.5", [0, 1]),
        ("comments:5..100", [1, 2, 5]),
        ("comments:100..", [3, 5]),
        ("comments:..5", [0, 1]),
        ("comments:1,200", [3]),
        ("num_comments:none", [4]),
        ("-comments:>5", [0, 1, 4]),
        ("version:3", [2]),
        ("updated:2024", [0, 1, 2, 3]),
        ("updated:2024-05", [0, 1, 2, 3]),
        ("updated:2024-5-31T23", [0, 1, 2, 3]),
        ('updated:"2024-05-31 23:30"', [0, 1, 2, 3]),
        ("updated:2024-05-31T23:31", []),
        ("updated:2024-05-31T23:30:00.25", [0, 1, 2, 3]),
        ("updated:2024-06-01T01:30+02:00", [0, 1, 2, 3]),
        ("updated:>2024-05-31", []),
        ("updated:>=2024-05-31", [0, 1, 2, 3]),
        ("updated:>2024-01-01", [0, 1, 2, 3]),
        ("updated:<2024", [4]),
        ("updated:<=2024", [0, 1, 2, 3, 4]),
        ("updated:2022..2023", [4]),
        ("updated:none", [5]),
        ("created:<2020", []),
        ("team:a", ALL),
        ("team:A:B", ALL),
        ("comments:5.5", []),
        ("comments:>9.6", [2, 3, 5]),
        ("comments:<0.4", [0]),
        ('comments:>"100"', [3]),
        ("updated:2024-05-31T21:30-02:00", [0, 1, 2, 3]),
        ("updated:2024-05-31T23:30:00.250000999", [0, 1, 2, 3]),
        ("updated:9999", []),
        ("title:de", []),
        ("motor-0 -zzz", [0]),
        # Not fields
        ("words:", [3]),
        ("12:30", []),
        ("https://x", []),
        (":", [3]),
        # Not typed in full
        ("language:", ALL),
        ('language:"', ALL),
        ("-language:", ALL),
        ("-", ALL),
        ("claims - motor", ALL),
        ('-"', ALL),
        ("comments:>", ALL),
        ("comments:-", ALL),
        ("comments:..", ALL),
        ("comments:n", ALL),
        ("updated:20", ALL),
        ("updated:>20", ALL),
        ("updated:2024-", [0, 1, 2, 3]),
        ("updated:2024-0", [0, 1, 2, 3]),
        ("updated:2024-05-31T", [0, 1, 2, 3]),
        ("updated:202", ALL),
        ("updated:an", ALL),
        # Cannot be read
        ("comments:abc", []),
        ("-comments:abc", []),
        ("updated:2024-13", []),
        ("-updated:0000", []),
        ('comments:"n"', []),
        ("translated:maybe", []),
    ],
)
def test_fields(search: str, expected: list[int]) -> None:
    assert found(search) == expected
    assert PlainSearch(LISTING).found(search) == expected


@pytest.mark.parametrize(
    ("search", "notes"),
    [
        ("motor language:de -kind:chat 12:30 https://x title:", []),
        ("comments:abc", ["comments:abc: abc is not a number"]),
        ("-comments:abc comments:abc", ["comments:abc: abc is not a number"]),
        ("langauge:de", ["There is no field langauge; did you mean language?"]),
        ("-Projct:x", ["There is no field Projct; did you mean project?"]),
        (
            "updated:2024-02-30",
            [
                "updated:2024-02-30: 2024-02-30 is not a date such as 2024, 2024-05 or 2024-05-31",
            ],
        ),
        ("updated:>20", ["updated:>20: 20 is not complete"]),
        ("translated:x", ["translated:x: x is not yes or no"]),
        ("comments:\u202ex", [r"comments:\u202ex: \u202ex is not a number"]),
        ("comments:>", []),
        (f"{'langauge' * 99}:x", []),
    ],
)
def test_notes(search: str, notes: list[str]) -> None:
    narrowing = Narrowing(LISTING)
    narrowing.narrow(search)
    assert narrowing.search_notes == tuple(notes)
    narrowing.narrow("")
    assert narrowing.search_notes == ()


def test_a_column_that_the_listing_does_not_have_finds_nothing_and_is_told() -> None:
    narrowing = Narrowing(LISTING.drop(columns=["num_comments"]))
    for search in ("comments:>1", "-comments:>1", "comments:none"):
        narrowing.narrow(search)
        assert narrowing.positions.tolist() == []
        note = f"{search.strip('-')}: the comments are not counted yet"
        assert narrowing.search_notes == (note,)
    narrowing = Narrowing(LISTING.drop(columns=["bucket_id"]))
    narrowing.narrow("bucket:x")
    assert narrowing.search_notes == ("bucket:x: this listing has no column bucket_id",)


def test_sources_without_a_count_are_told() -> None:
    counts = pd.Series([1, None, 500, None], dtype="Int64")
    narrowing = Narrowing(pd.DataFrame({"name": list("abcd"), "num_comments": counts}))
    narrowing.narrow("comments:>100")
    assert narrowing.positions.tolist() == [2]
    told = "comments:>100: the comments of 2 sources are not counted"
    assert narrowing.search_notes == (told,)
    narrowing.narrow("comments:none")
    assert narrowing.positions.tolist() == [1, 3]
    assert not narrowing.search_notes


# Arrow keeps NaN beside missing values.
FLOATS = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([[float("nan"), 0.5]])))


@pytest.mark.parametrize(
    ("columns", "search", "expected"),
    [
        ({"x": ["y:b", "a"], "x:y": ["a", "b"]}, "x:y:b", [1]),
        ({"version": ["one", "two"]}, "version:tw", [1]),
        ({"Team Lead": ["a", "b"], "TEAM LEAD": ["b", "a"]}, "team_lead:a", [0]),
        ({"Team Lead": ["a", "b"], "team_lead": ["b", "a"]}, "team_lead:a", [1]),
        ({"Title": ["a", "b"], "title": ["b", "a"]}, "Title:a", [0]),
        ({0: ["a", "b"]}, "0:b", [1]),
        ({"x": [set(), {"a"}]}, "x:none", [0]),
        ({"x": [(), "de", None]}, "x:none", [0, 2]),
        ({"x": [(), "de", ""]}, 'x:""', [0, 2]),
        ({"x": [["a", None], []]}, "x:a", [0]),
        ({"x": FLOATS}, "x:none", [0]),
        ({"x": FLOATS.astype("float32")}, f"x:<{'9' * 50}", [1]),
        ({"language": ["de-AT", "DE-at"]}, "language:de", []),
        ({"language": ["de-AT", "xde"]}, "language:de-", [0]),
        ({"updated_at": ["2024-05-31", "never"]}, "-updated:none -updated:2024", [1]),
        ({"should_translate": ["Yes", "no"]}, "translated:yes", [0]),
        ({"num_comments": ["100", "x"]}, "comments:>20", [0]),
    ],
)
def test_odd_columns(columns: dict[Any, Any], search: str, expected: list[int]) -> None:
    df = pd.DataFrame(columns)
    assert found(search, df) == expected
    assert PlainSearch(df).found(search) == expected


def test_the_help_shows_terms_that_can_be_read() -> None:
    _, _, examples = query.SEARCH_HELP.partition(": ")
    terms = examples.replace("; a minus excludes:", ",").split(", ")
    narrowing = Narrowing(LISTING)
    assert len(terms) == 8
    for term in terms:
        narrowing.narrow(term)
        # Not each source of the listing is counted.
        assert all("not counted" in note for note in narrowing.search_notes)
        (parsed,) = query.terms_of(term, lambda _: True)
        assert parsed.field


# Odd listings

MOMENTS = ["2024-05-31T12:00:00+00:00", "2023-12-31T23:59:59.999999+00:00", None]
WORDS = ["de", "DE", "german", "", "none", "a:b", "e\u0301", "10", "two words", "İ", None]


def texts(dtype: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(WORDS), min_size=4, max_size=4).map(
        lambda cells: pd.Series(cells, dtype=dtype)
    )


def series(cells: list[Any], dtype: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(cells), min_size=4, max_size=4).map(
        lambda drawn: pd.Series(drawn, dtype=dtype)
    )


NOTHING = st.sampled_from(
    ["str", "object", "float64", "Int64", "boolean", "datetime64[us, UTC]"]
).map(lambda dtype: pd.Series([None] * 4, dtype=dtype)) | st.just(
    pd.Series([None] * 4, dtype=pd.ArrowDtype(pa.null()))
)
TEXTS = texts("str") | texts("object") | texts("category") | texts(pd.ArrowDtype(pa.string()))
INTEGERS = [0, 1, 10, -5, 2**53 + 1, None]
NUMBERS = (
    series(INTEGERS, "Int64")
    | series(INTEGERS[:5], "int64")
    | series([0, 1, 10], "uint8")
    | series(INTEGERS, pd.ArrowDtype(pa.int64()))
    | series(INTEGERS[:4], "category")
    | series([0.0, 10.5, -5.0, float("inf"), float("nan")], "float64")
    | series([0.5, 10.0, None], "Float32")
    | series([10, 2.5, None], "object")
    | series([Decimal("10.5"), Decimal(1), None], "object")
)
FLAGS = (
    series([True, False, None], "boolean")
    | series([True, False, None], "object")
    | series([True, False], "bool")
    | series([True, False, None], pd.ArrowDtype(pa.bool_()))
)
INSTANTS = (
    series(
        [None if text is None else pd.Timestamp(text) for text in MOMENTS], "datetime64[us, UTC]"
    )
    | series([None if text is None else pd.Timestamp(text) for text in MOMENTS], "object")
    | series([pd.Timestamp("2024-05-31T12:00"), None], "datetime64[ns]")
    | series([dt.date(2024, 5, 31), None], "object")
    | series([dt.date(2024, 5, 31), None], pd.ArrowDtype(pa.date32()))
    | series(
        [None if text is None else pd.Timestamp(text) for text in MOMENTS],
        pd.ArrowDtype(pa.timestamp("us", "UTC")),
    )
)
TIME_TEXTS = series([*MOMENTS, "never", "2024-05-31", ""], "object") | series(MOMENTS, "str")
LISTS = (
    series([("de", "10"), (), ("",), None], "object")
    | series([["de"], [], None], "object")
    | series([["de", "two words"], [], None], pd.ArrowDtype(pa.list_(pa.string())))
    | series([["de", "two words"], [], None], pd.ArrowDtype(pa.large_list(pa.large_string())))
    | series([["de", "two"], ["", ""], None], pd.ArrowDtype(pa.list_(pa.string(), 2)))
    | series([["de", None], [], None], "object")
    | series([{"de"}, set(), None, "de", ""], "object")
)
MIXED = series(["de", 10, True, None, ("a",), ""], "object")
ANYTHING = NOTHING | TEXTS | NUMBERS | FLAGS | INSTANTS | LISTS | MIXED
COLUMNS = {
    "language": TEXTS | NOTHING | NUMBERS,
    "kind": TEXTS,
    "owner": TEXTS,
    "name": TEXTS | NUMBERS,
    "title": TEXTS | MIXED | NOTHING,
    "bucket_id": TEXTS,
    "updated_at": INSTANTS | TIME_TEXTS | NOTHING,
    "last_modified": INSTANTS,
    "should_translate": FLAGS | NOTHING | series(["Yes", "no", True, None, "x"], "object"),
    "sensitive_properties": LISTS | TEXTS,
    "num_comments": NUMBERS | NOTHING | series(["10", "x", "", None], "object"),
    "last_comment_at": INSTANTS | TIME_TEXTS | NOTHING,
    "comments_usual_month": NUMBERS | NOTHING | series(["10.5", "x", "", None], "object"),
    "Team Lead": ANYTHING,
    "x:y": ANYTHING,
    "Title": TEXTS,
    "version": ANYTHING,
    5: ANYTHING,
    None: TEXTS,
}


@st.composite
def odd_listings(draw: st.DrawFn) -> pd.DataFrame:
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), max_size=5))
    columns = [draw(COLUMNS[name]) for name in names]
    df = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(4))
    df.columns = pd.Index(names, dtype=object)
    return df.iloc[draw(st.sampled_from([[0, 1, 2, 3], [2], []]))]


TYPED_WORDS = (
    "de d german g x none NONE non any a true No f a:b two email, e\u0301 \u00c9 \u0131 \u0130"
    " \ud800"
)
TYPED_NUMBERS = (
    "10 0 >0 >=10 <10.5 <=1 =10 0..10 10.. ..1 > 1,000 1,0 1,0000 -5 + - 10. .5 10.50 x..y .. 1e1"
    " 9007199254740993 >9007199254740992 >=-5 +10 --1 <= \u0661 256 <300 >-1"
)
TYPED_TIMES = (
    "2024 202 20 >2023 <2024-05 <=2024-05-31 >=2024-05-31T12 2023..2024 2024..20 2024-02-30 2024-5"
    " 2024-05-31T12:00:00Z 2023-12-31T23:59:59.9 2023-12-31T23:59:59.9999991 2024-13 2024-0 0000"
    " >9999 9999 2024-05-31T14:00+02:00 2024-05-31T12:00-0200 2024-05-31t12: 2024T12 2024-05-31T9"
    " 2024-05-31T12:0 2024-05-31T12+00 2024-05-31T12:00+2 2023-12-31T. 2023-12-31T23:59.5 2024-"
    " 2024-00 20245 2024-05-311 24-05-31 2023-12-31T24 2023-12-31T23:60 <2024-01-01T00:00:00Z"
)
NUMBERS_TYPED = [*TYPED_NUMBERS.split(), "1" * 400, ">-" + "9" * 5000]
TIMES_TYPED = TYPED_TIMES.split()
QUOTES = [
    *('"two words"', '""', '"', '"none"', '"de', '"2024-05-31 12"', '">0"', '"yes"', '">= 10"'),
    *('" "', '"2024-05-31  12"', '"2024- 5"', '"2024-05-31 12:00 "', '"email, phone"'),
]
JUNK = st.text(st.sampled_from('-":<>=. 10a\n'), max_size=6)
TYPED = st.sampled_from([*TYPED_WORDS.split(), *NUMBERS_TYPED, *TIMES_TYPED, *QUOTES]) | JUNK
ALIASES = {
    "language": ["LANGUAGE"],
    "owner": ["project"],
    "bucket_id": ["bucket"],
    "updated_at": ["updated"],
    "should_translate": ["Translated"],
    "sensitive_properties": ["properties", "sensitive"],
    "num_comments": ["comments"],
    "Team Lead": ["team_lead"],
    "title": ["TITLE"],
}
# What is typed into some columns most of the time.
FITTING = {
    "updated_at": TIMES_TYPED,
    "last_modified": TIMES_TYPED,
    "num_comments": NUMBERS_TYPED,
    "last_comment_at": TIMES_TYPED,
    "comments_usual_month": NUMBERS_TYPED,
    "should_translate": ["yes", "no", "t", "false", "none", '""', "maybe"],
    "sensitive_properties": ["de", "none", "any", '""', '"de, two"', "two"],
}


@st.composite
def searches(draw: st.DrawFn, df: pd.DataFrame) -> str:
    """Draw a search, most of whose fields are columns of the listing."""
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        names = [*map(str, df.columns), draw(st.sampled_from([*map(str, COLUMNS), "tag", "no"]))]
        name = draw(st.sampled_from(names))
        fitting = st.sampled_from(FITTING.get(name, [""]))
        value = draw(fitting | TYPED) if name in FITTING else draw(TYPED)
        name = draw(st.sampled_from([name, *ALIASES.get(name, [])]))
        field = draw(st.sampled_from([f"{name}:"] * 4 + [""]))
        terms.append(draw(st.sampled_from(["", "", "-"])) + field + value)
    return draw(st.sampled_from([" ", "  ", "\n"])).join(terms)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(df=odd_listings(), data=st.data())
def test_odd_listings_are_searched_as_plain_python_does(
    df: pd.DataFrame, data: st.DataObject
) -> None:
    plain = PlainSearch(df)
    for search in data.draw(st.lists(searches(df), min_size=10, max_size=20)):
        assert found(search, df) == plain.found(search), search


@pytest.mark.slow
@given(search=JUNK)
@example("-:a - -- --a")
def test_anything_typed_is_a_search(search: str) -> None:
    assert found(search) == PlainSearch(LISTING).found(search)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(df=odd_listings(), data=st.data())
def test_key_strokes_find_what_a_new_search_finds(df: pd.DataFrame, data: st.DataObject) -> None:
    steps = data.draw(st.lists(searches(df), min_size=2, max_size=5))
    narrowing = Narrowing(pd.concat([df] * 3, ignore_index=True))
    for typed in steps:
        for end in range(len(typed) + 1):
            narrowing.narrow(typed[:end])
            narrowing.positions  # noqa: B018 - searches
        assert narrowing.positions.tolist() == found(typed, narrowing.frame)
        fresh = Narrowing(narrowing.frame)
        fresh.narrow(typed)
        assert narrowing.search_notes == fresh.search_notes
