"""A listing becomes a frame with fixed dtypes and no loss, and both readers agree."""

from __future__ import annotations

import codecs
import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb import strict_json
from reinfer_nb.errors import InvalidInput, UnreadableWarning
from reinfer_nb.frames import arrow_reader, column_reader, convert, json_slices
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import About
from reinfer_nb.schema.records import Source
from tests.frames import by_value

REFERENCE = Path(__file__).parent.parent / "reference"

CONTRACT = {
    "id": "str",
    "owner": "str",
    "name": "str",
    "title": "str",
    "description": "str",
    "language": "str",
    "kind": "str",
    "bucket_id": "str",
    "email_transform_tag": "str",
    "should_translate": "boolean",
    "sensitive_properties": "object",
    "email_transform_version": "Int64",
    "created_at": "datetime64[us, UTC]",
    "updated_at": "datetime64[us, UTC]",
    "last_modified": "datetime64[us, UTC]",
}


def listing(*rows: Any) -> bytes:
    return json.dumps({"sources": rows, "status": "ok"}).encode()


def frame(*rows: Any) -> pd.DataFrame:
    result = convert.from_listing(listing(*rows))[1]
    assert result is not None
    return result


def quiet(*rows: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableWarning)
        return frame(*rows)


def test_the_reference_listing_to_the_microsecond() -> None:
    _, df = convert.from_listing((REFERENCE / "get-all.json").read_bytes())
    assert df is not None
    assert len(df) == 1
    instant = pd.Timestamp("2016-02-10T23:13:28.340295+00:00")
    assert (df.loc[0, ["created_at", "updated_at", "last_modified"]] == instant).all()
    assert df["created_at"].dt.tz is not None
    assert df.loc[0, "sensitive_properties"] == ()
    assert df.loc[0, "should_translate"] is np.False_
    assert pd.isna(df["language"].loc[0])


@pytest.mark.parametrize("rows", [[{}], [{"id": "a"}], [{"id": "a", "title": 5}]])
def test_every_column_is_there_with_its_dtype(rows: list[Any]) -> None:
    df = quiet(*rows)
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == CONTRACT
    assert isinstance(df.index, pd.RangeIndex)
    assert len(df) == len(rows)


def test_no_sources_member_is_no_frame() -> None:
    envelope, df = convert.from_listing(b'{"status": "error", "message": "no"}')
    assert df is None
    assert envelope == {"status": "error", "message": "no"}


def test_unknown_fields_are_kept_behind_the_known_ones() -> None:
    df = frame(
        {
            "zeta": "x",
            "alpha": 1,
            "kind": "theirs",
            "nested": {"a": [1]},
            "day": "2016-02-10",
        },
        {"zeta": None, "alpha": 2, "nested": {"b": 2}, "ratio": 1.5},
    )
    assert list(df.columns[len(CONTRACT) :]) == [
        "alpha", "day", "extra.kind", "nested", "ratio", "zeta"
    ]  # fmt: skip
    assert str(df["alpha"].dtype) == "Int64"
    assert str(df["zeta"].dtype) == str(df["day"].dtype) == "str"
    assert str(df["ratio"].dtype) == "Float64"
    assert df["nested"].tolist() == [{"a": [1]}, {"b": 2}]
    assert df["day"].tolist()[0] == "2016-02-10"
    assert df["extra.kind"].tolist()[0] == "theirs"


def test_half_a_character_does_not_lose_the_row() -> None:
    body = b'{"sources": [{"id": "a", "title": "broken \\ud83d here"}], "status": "ok"}'
    with pytest.warns(UnreadableWarning, match="half a character"):
        _, df = convert.from_listing(body)
    assert df is not None
    assert df.loc[0, "title"] == "broken \N{REPLACEMENT CHARACTER} here"


BROKEN = [
    b"",
    b"[]",
    b"null",
    b"<html></html>",
    b'\xef\xbb\xbf\xef\xbb\xbf{"sources": [], "status": "ok"}',
    b'{"sources": [{"id": "a"}',
    b'{"sources": [{"id": NaN}]}',
    b'{"sources": [{"x": 1}], "x": NaN}',
    b'{"sources": [{"x": 1}, {"sensitive_properties": [Infinity]}]}',
    b'{"sources": [{"id": "a"},]}',
    b'{"sources": [{"id": "a"} {"id": "b"}]}',
    b'{"sources": [{"id": "a"} null]}',
    b'{"sources": [{"id": "a", "id": "b"}]}',
    b'{"sources": [{"x": {"y": 1, "y": 2}}]}',
    b'{"sources": [], "sources": []}',
    b'{"sources": [{"id": "a"}], "sources": []}',
    b'{"sources": {"id": "a"}}',
    b'{"sources": [{"id": "\xff"}]}',
    b'{"sources": [{"id": "a"}], "rows": [1]}]}',
    b'{"sources": [{"id": "a\nb"}]}',
    b'{"sources": [NaN]}',
    b'{"sources": [{"id": "b"}, [NaN]]}',
    b'{"sources": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
]


@pytest.mark.parametrize("body", BROKEN, ids=[repr(body[:50]).replace("\\", "") for body in BROKEN])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(strict_json.Malformed):
        convert.from_listing(body)


@pytest.mark.parametrize("place", ["title", "created_at", "sensitive_properties", "own"])
@pytest.mark.parametrize("edge", [b"[-]", b'{"a":-}'])
def test_values_near_the_limit_of_depth_raise_no_recursion_error(place: str, edge: bytes) -> None:
    before, after = edge.split(b"-")
    for depth in range(960, 1010):
        value = before * depth + b"0" + after * depth
        body = b'{"sources":[{"id":"a","%s":%s},{"id":"b"}]}' % (place.encode(), value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadableWarning)
            try:
                _, df = convert.from_listing(body)
            except strict_json.Malformed as error:
                assert "nested too deep" in str(error)  # noqa: PT017 - either way is right
            else:
                assert df is not None
                assert df["id"].tolist() == ["a", "b"]


def test_a_name_that_is_twice_among_many_is_found_at_once() -> None:
    names = [f'"name-{number}": 1' for number in range(100_000)]
    body = f'{{"sources": [{{"x": {{{", ".join(names)}, "name-99999": 2}}}}]}}'
    # A search that is quadratic takes minutes.
    with pytest.raises(strict_json.Malformed, match="'name-99999' appears twice"):
        convert.from_listing(body.encode())


def test_objects_in_lists_look_like_the_ends_of_sources() -> None:
    rows = [
        {"id": f"{number:016x}", "own": [{"id": 1}, {"id": 2}, {"x": "},{"}] * 3}
        for number in range(9_000)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for size in (1 << 10, 1 << 16):
            patch.setattr(convert, "_ARROW_BYTES", size)
            patch.setattr(convert, "_BYTES", size)
            assert frame(*rows)["own"].tolist() == [row["own"] for row in rows]


def test_a_text_that_looks_like_the_end_of_a_source_is_a_text() -> None:
    title = '"},{"id":"evil"},null,{"x":"' + "}, {" * 5 + "]} null"
    rows = [
        {"id": f"{number:016x}", "title": title, "description": "d" * 400} for number in range(5000)
    ]
    df = frame(*rows)
    assert len(df) == 5000
    assert set(df["title"]) == {title}


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{"indent": 2}, {"separators": (",", ":")}, {}])
def test_the_layout_of_the_json_does_not_matter(layout: dict[str, Any]) -> None:
    rows = [
        {"id": f"{number:016x}", "title": "x\ny", "sensitive_properties": ["a"]}
        for number in range(30_000)
    ]
    body = json.dumps({"status": "ok", "sources": rows}, **layout).encode()
    envelope, df = convert.from_listing(body)
    assert envelope == {"status": "ok"}
    assert df is not None
    pd.testing.assert_frame_equal(df, convert.from_elements(rows))


SOME = [{"id": "a", "x": [{"y": 1}]}, {"id": "b", "title": "]}"}]
USUAL: list[dict[str, Any]] = [
    {"status": "ok", "sources": SOME},
    {"sources": SOME, "status": "ok"},
]
UNUSUAL: list[dict[str, Any]] = [
    {"sources": SOME, "status": "ok", "warnings": ["]"]},
    {"sources": SOME, "warnings": []},
    {"sources": SOME, "page": [{"next": 2}]},
    {"request_id": 'a "sources": [{}]', "sources": SOME, "status": "ok"},
    {"earlier": SOME, "sources": SOME, "later": SOME},
    {"earlier": {"sources": SOME}, "sources": []},
]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("content", USUAL + UNUSUAL)
def test_members_beside_the_listing(content: dict[str, Any], mark: bytes) -> None:
    body = mark + json.dumps(content).encode()
    envelope, df = convert.from_listing(body)
    assert df is not None
    same(df, by_value.frame_of(content["sources"])[0])
    assert envelope == {name: value for name, value in content.items() if name != "sources"}
    _, text = json_slices.located(body, "sources")
    assert json.loads(b"[%s]" % text) == content["sources"]
    if content in USUAL:
        assert text == json_slices.guessed(body, "sources")[1]


def test_a_null_among_many_sources_is_named() -> None:
    rows: list[Any] = [{"id": f"{number:016x}", "title": "x" * 100} for number in range(30_000)]
    rows[5_000] = None
    with pytest.warns(UnreadableWarning, match=r"row 5,000 \(None\)"):
        df = frame(*rows)
    assert np.flatnonzero(df["id"].isna()).tolist() == [5_000]


@pytest.mark.slow
@pytest.mark.parametrize("odd", [0, 17_000, 39_999])
def test_one_odd_row_among_many(odd: int) -> None:
    rows: list[Any] = [
        {
            "id": f"{number:016x}",
            "name": f"n{number}",
            "description": "x" * 60,
            "should_translate": number % 2 == 0,
        }
        for number in range(40_000)
    ]
    rows[odd]["should_translate"] = "yes"
    with pytest.warns(UnreadableWarning, match=f"row {odd:,} "):
        df = frame(*rows)
    assert df["id"].tolist() == [row["id"] for row in rows]
    assert df["should_translate"].isna().sum() == 1
    assert pd.isna(df["should_translate"].loc[odd])


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2016-02-10", "2016-02-10 00:00:00", "5", "true", "\x1f", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat()) | st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from(["T", " ", "t"]),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(["", ".5", ".123456", ".123456789", ".", ",5"]),
    st.sampled_from(["Z", "+00:00", "-08:00", "+0530", "+05", "+24:00", "-00:00", "", "z"]),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXTS,
    "title": TEXTS,
    "_kind": TEXTS,
    "bucket_id": st.none() | TEXTS,
    "should_translate": st.none() | st.booleans(),
    "sensitive_properties": st.lists(TEXTS | st.sampled_from(["email", "phone"]), max_size=4),
    "email_transform_version": st.none() | st.integers(-(2**63), 2**63 - 1),
    "created_at": MOMENTS,
    "updated_at": MOMENTS,
}
UNKNOWN = st.dictionaries(
    st.sampled_from(["x", "y", "kind", "", "extra.kind"]),
    st.sampled_from(["a", "b"]) | st.integers(-9, 9) | st.booleans() | JSON_VALUES,
    max_size=2,
)
WELL = st.builds(
    lambda known, unknown: known | unknown,
    st.fixed_dictionaries({}, optional=KNOWN),
    UNKNOWN,
)
ODD = st.builds(
    lambda row, name, value: row | {name: value},
    WELL,
    st.sampled_from(sorted(KNOWN)),
    JSON_VALUES,
)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    for column in left.columns:
        if left[column].dtype == object:
            assert list(map(repr, left[column])) == list(map(repr, right[column]))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(WELL | ODD | JSON_VALUES, max_size=6))
@example([{"x": 0, "_kind": None}, None, {"x": 0.0}, {"x": "a"}])
@example([{"x": 0}, {"x": 0.5}, {"x": "a"}])
@example([{"id": "a"}, {"id": "b", "x": 1}])
@example([{"title": "\ud83d", "sensitive_properties": ["\udc00"], "x": "\ud83d"}])
@example([{"id": "a"}, dict.fromkeys(["\ud800", "\udc01"], 1), {"x": "\ud83d"}, {"x": 1}])
@example([{"created_at": "0000-12-31T23:59:59-00:01"}, {"created_at": "2024-02-30T00:00:00Z"}])
@example([{"created_at": "0000-12-31T23:59:59-00:01"}])
@example([{"created_at": "9999-12-31T23:59:59.9Z", "updated_at": "0001-01-01T00:00:00Z"}])
def test_all_ways_agree(rows: list[Any]) -> None:
    expected, unreadable = by_value.frame_of(json.loads(json.dumps(rows)))
    for smallest in (1, 1 << 20):
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            patch.setattr(convert, "_ARROW_BYTES", smallest)
            same(frame(*rows), expected)
        assert len(caught) == (unreadable > 0)
        if caught:
            assert str(caught[0].message).startswith(f"{unreadable} value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableWarning)
        same(convert.from_elements(json.loads(json.dumps(rows))), expected)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(WELL, min_size=1, max_size=5))
def test_well_formed_rows_go_the_fast_way_or_are_refused_whole(rows: list[Any]) -> None:
    text = json.dumps(rows)[1:-1].encode()
    try:
        fast = arrow_reader.columns(text, Source)
    except arrow_reader.Refused:
        return
    careful = column_reader.columns(rows, Source)
    assert not careful.problems
    same(convert._assembled([fast], Source), convert._assembled([careful], Source))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_json_never_passes_for_whole(data: st.DataObject) -> None:
    body = bytearray(
        listing({"id": "a", "title": "x, {} ]"}, {"id": "b", "sensitive_properties": ["c"]})
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from(
                [
                    b"",
                    b",",
                    b"}",
                    b"{",
                    b"]",
                    b"[",
                    b'"',
                    b"null",
                    b" ",
                    b"\\",
                    b":",
                    b"\xff",
                    b"\n",
                ]
            )
        )
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableWarning)
        patch.setattr(convert, "_ARROW_BYTES", 1)
        try:
            expected = json_slices.split(bytes(body), "sources")
        except strict_json.Malformed:
            with pytest.raises(strict_json.Malformed):
                convert.from_listing(bytes(body))
            return
        envelope, df = convert.from_listing(bytes(body))
        assert envelope == expected[0]
        if expected[1] is None:
            assert df is None
        else:
            assert df is not None
            same(df, convert.from_elements(expected[1]))


@dataclass(frozen=True, kw_only=True, repr=False)
class Wider(Source):
    """A source with one more field."""

    retention_days: Annotated[
        int | None, About("Days that comments are kept.", create=True, update=True)
    ] = None


def test_a_field_added_to_the_definition_arrives_everywhere() -> None:
    row = {
        "id": "18ba5ce699f8da1f",
        "owner": "acme",
        "name": "support",
        "retention_days": 30,
    }
    _, df = convert.from_listing(listing(row, {}), model=Wider)
    assert df is not None
    assert str(df["retention_days"].dtype) == "Int64"
    assert df["retention_days"].tolist() == [30, pd.NA]

    assert validation.settings("update", {"retention_days": 7}, model=Wider) == {
        "retention_days": 7
    }
    with pytest.raises(InvalidInput, match="retention_days must be a whole number"):
        validation.settings("create", {"retention_days": "seven"}, model=Wider)
    with pytest.raises(InvalidInput, match="Unknown field 'retention_days'"):
        validation.settings("create", {"retention_days": 7})

    series = Wider.from_wire(row).to_series()
    assert series["retention_days"] == 30
    assert list(series.index) == list(df.columns)


def test_a_source_as_a_row_is_the_row_of_the_listing() -> None:
    row = json.loads((REFERENCE / "create.json").read_text())["source"] | {"news": 1}
    left, right = Source.from_wire(row).to_series(), frame(row).iloc[0]
    pd.testing.assert_series_equal(left, right, check_names=False)
    assert isinstance(left["created_at"], pd.Timestamp)
    assert left["created_at"].unit == "us"


# One new version of a source


SETTINGS: list[dict[str, Any]] = [
    {"title": "Mot\u00f6r", "description": ""},
    {"language": "de", "should_translate": True},
    {"bucket_id": "0123456789abcdef"},
    {"sensitive_properties": ["salary", "email"]},
    {"email_transform_tag": "generic.0.CONVKER5", "email_transform_version": 7},
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: next(iter(settings)))
def test_a_listing_with_an_updated_source_equals_a_fresh_one(
    client: rnb.Client, settings: dict[str, Any]
) -> None:
    assert client.sandbox is not None
    if "bucket_id" in settings:
        settings = {"bucket_id": client.buckets()["id"].iloc[-1]}
    listing = client.sources()
    earlier = listing.copy()
    position = 7
    name = f"{listing['owner'][position]}/{listing['name'][position]}"
    client.update_source(name, **settings)
    fresh = client.sources(refresh=True)
    assert not fresh.loc[[position]].equals(listing.loc[[position]])
    replaced = convert.with_source(listing, client.source(name), settings)
    assert replaced is not None
    assert replaced[1] == position
    pd.testing.assert_frame_equal(replaced[0], fresh)
    assert replaced[0].attrs == listing.attrs
    pd.testing.assert_frame_equal(listing, earlier)


@pytest.mark.slow
def test_counts_of_comments_stay(client: rnb.Client) -> None:
    listing = client.statistics(client.sources(), progress=False)
    source = client.update_source("claims/motor-inbox", title="Motor")
    replaced = convert.with_source(listing, source, ["title"])
    assert replaced is not None
    pd.testing.assert_series_equal(replaced[0]["num_comments"], listing["num_comments"])


def test_a_source_that_does_not_fit_needs_a_fresh_listing(client: rnb.Client) -> None:
    listing = client.sources()
    source = client.update_source("claims/motor-inbox", title="Motor")
    assert convert.with_source(listing, source, ["title"]) is not None
    (position,) = np.flatnonzero(listing["id"] == source.id)
    unknown = [None] * len(listing)
    unknown[position] = "since May"  # type: ignore[call-overload]
    later = listing["updated_at"].where(listing["id"] != source.id, pd.Timestamp.now("UTC"))
    not_fitting: list[tuple[pd.DataFrame, Any]] = [
        (listing[listing["id"] != source.id], source),
        (pd.concat([listing, listing.loc[[position]]], ignore_index=True), source),
        # A field that was not sent: new, gone, changed, or missing in the response only.
        (listing, replace(source, extra={"new_field": 1})),
        (listing.assign(note=pd.array(unknown, dtype="str")), source),
        (listing.assign(description="another"), source),
        (listing, replace(source, description=None)),
        (listing.assign(sensitive_properties=listing["id"].map(lambda _: ("a",))), source),
        (listing.assign(title=listing["title"].astype(object)), source),
        # The listing is newer, or nobody knows.
        (listing.assign(updated_at=later), source),
        (listing, replace(source, updated_at=None)),
    ]
    for number, (df, changed) in enumerate(not_fitting):
        assert convert.with_source(df, changed, ["title"]) is None, number
