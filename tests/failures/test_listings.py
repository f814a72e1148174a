"""Listings: nothing is lost, shifted or shared."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import UnreadableWarning
from reinfer_nb.frames import arrow_reader, convert, json_slices
from reinfer_nb.schema.records import Source
from tests.api import test_client
from tests.frames import by_value, test_convert
from tests.scripted import Scripted, reply


def listed(body: bytes) -> pd.DataFrame:
    """Return the listing of a client whose tenant sends these bytes."""
    with (
        Scripted(reply(body)) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        return client.sources()


def dtypes(df: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in df.dtypes.items()}


def test_case_23_no_sources() -> None:
    """zero sources: a frame with all columns and dtypes."""
    with rnb.sandbox(pd.DataFrame({"owner": [], "name": []})) as client:
        frames = [client.sources(), client.sources(), client.sources(refresh=True)]
        counted = client.statistics(frames[0])
        assert dtypes(counted) == test_convert.CONTRACT | {"num_comments": "Int64"}
    with rnb.sandbox(pd.DataFrame({"owner": ["acme"], "name": ["last"]})) as client:
        assert dtypes(client.sources()) == test_convert.CONTRACT
        client.delete_source("acme/last")
        frames += [client.sources(), client.sources("acme")]
    frames.append(listed(b'{"status": "ok", "sources": []}'))
    for df in frames:
        assert len(df) == 0
        assert isinstance(df.index, pd.RangeIndex)
        assert dtypes(df) == test_convert.CONTRACT
        assert df.columns.tolist() == by_value.ORDER


def test_case_24_odd_rows() -> None:
    """fields absent in some rows, null, of another type, unknown, `id` repeated: no row lost, no
    crash; what could not be understood is NaT/NA with one warning that names rows.
    """
    rows: list[Any] = [
        {"id": "a" * 16, "title": 5, "should_translate": "true", "created_at": "yesterday"},
        {"id": "b" * 16, "sensitive_properties": "email", "email_transform_version": 1.5},
        "no object",
        {"id": "c" * 16, "title": "fine", "created_at": "2016-02-10T23:13:28Z"},
        {},
        dict.fromkeys(["id", "title", "should_translate", "sensitive_properties", "updated_at"]),
        {"id": "c" * 16, "title": "again", "retention": 30, "labels": ["x"]},
        {"id": "d" * 16, "retention": None, "labels": {"x": 1}, "email_transform_version": 2},
    ]
    with pytest.warns(UnreadableWarning) as caught:
        df = listed(json.dumps({"status": "ok", "sources": rows}).encode())
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("6 values in 8 rows could not be read and became missing")
    for part in ("row 0", "row 1", "row 2", "'aaaaaaaaaaaaaaaa'", "title is not a text: 5"):
        assert part in message
    none = pd.isna
    assert [None if none(value) else value for value in df["id"]] == [
        "a" * 16, "b" * 16, None, "c" * 16, None, None, "c" * 16, "d" * 16
    ]  # fmt: skip
    assert df["title"].dropna().to_dict() == {3: "fine", 6: "again"}
    assert df["should_translate"].isna().all()
    assert df["created_at"].isna().tolist() == [True] * 3 + [False] + [True] * 4
    assert df["created_at"].loc[0] is pd.NaT
    assert df["sensitive_properties"].tolist() == [(), None, *[()] * 6]
    assert df["email_transform_version"].dropna().to_dict() == {7: 2}
    assert df["retention"].dropna().to_dict() == {6: 30}
    assert df["labels"].dropna().to_dict() == {6: ["x"], 7: {"x": 1}}
    assert dtypes(df) == test_convert.CONTRACT | {"labels": "object", "retention": "Int64"}


TIMES = {
    "2016-02-10T23:13:28.340295+00:00": "2016-02-10T23:13:28.340295+00:00",
    "2016-02-10T23:13:28Z": "2016-02-10T23:13:28+00:00",
    "2016-02-10T23:13:28+05:30": "2016-02-10T17:43:28+00:00",
    "2016-02-10 23:13:28.5-0800": "2016-02-11T07:13:28.500000+00:00",
    "2016-02-10T23:13:28.123456789Z": "2016-02-10T23:13:28.123456+00:00",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999+00:00",
}
NO_TIMES = [
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2016-12-31T23:59:60Z",
    "2016-02-30T00:00:00Z",
    "2016-02-10T23:13:28",
    "2016-02-10",
    "",
    "1455146008",
]


@pytest.fixture
def _far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give this machine a time zone."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_far_away")
def test_case_25_timestamps() -> None:
    """timestamps with `Z`, with other offsets, without microseconds, with nine digits, year 1 and
    9999, leap second, empty: parsed or NaT with a warning; never shifted, never local time.
    """
    assert time.timezone == -(5 * 60 + 30) * 60
    expected = [pd.Timestamp(instant).as_unit("us") for instant in TIMES.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        body = test_convert.listing(*({"created_at": text} for text in TIMES))
        df = listed(body)
    assert df["created_at"].tolist() == expected
    assert dtypes(df) == test_convert.CONTRACT
    # The fast reader reads each alike, or leaves it to the other one.
    fast = {}
    for text in [*TIMES, *NO_TIMES]:
        with suppress(arrow_reader.Refused):
            row = json.dumps({"created_at": text}).encode()
            part = arrow_reader.columns(row, Source)
            fast[text] = convert._assembled([part], Source)["created_at"].loc[0]
    assert len(fast) >= 5
    assert fast == {text: pd.Timestamp(TIMES[text]).as_unit("us") for text in fast}
    texts = [text for pair in zip(TIMES, NO_TIMES, strict=False) for text in pair] + NO_TIMES[7:]
    with pytest.warns(UnreadableWarning) as caught:
        df = listed(test_convert.listing(*({"updated_at": text} for text in texts)))
    assert len(caught) == 1
    assert str(caught[0].message).startswith(f"{len(NO_TIMES)} values in {len(texts)} rows")
    assert "row 1 (None): updated_at" in str(caught[0].message)
    assert df["updated_at"].dropna().tolist() == expected
    assert all(value is pd.NaT for value in df["updated_at"].iloc[1::2])


@pytest.mark.parametrize(
    "count", [1, 1_000, 100_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
)
def test_case_26_both_readers_agree(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1, 1,000, 100,000 and 1,000,000 sources: the same result from the fast and the careful
    path.
    """
    some: list[dict[str, Any]] = [
        {
            "id": f"{number:016x}",
            "name": f"n{number}",
            "title": f'Tit\u00e9l "{number}" }},{{',
            "should_translate": [True, False, None][number % 3],
            "sensitive_properties": ["a", "b"][: number % 3],
            "created_at": f"2016-02-10T23:13:28.{number:06}+0{number % 10}:00",
            "retention": number,
        }
        for number in range(min(count, 1_000))
    ]
    if count > 100_000:
        # Two columns take long enough.
        some = [{name: row[name] for name in ("id", "created_at")} for row in some]
    rows = json.dumps(some)[1:-1]
    body = f'{{"status": "ok", "sources": [{", ".join([rows] * (count // len(some)))}]}}'.encode()
    calls: list[int] = []
    by_arrow = arrow_reader.columns

    def spy(text: memoryview, model: type) -> Any:
        calls.append(len(text))
        return by_arrow(text, model)

    monkeypatch.setattr(arrow_reader, "columns", spy)
    df = listed(body)
    assert len(df) == count
    test_convert.same(df.head(1_000), by_value.frame_of(some)[0])
    if count < 100_000:
        assert calls == []
        _, text = json_slices.located(body, "sources")
        fast = convert._assembled([by_arrow(text, Source)], Source)
        test_convert.same(fast, df)
        return
    assert len(calls) > 2

    def refuse(*_: object) -> Any:
        raise arrow_reader.Refused

    monkeypatch.setattr(arrow_reader, "columns", refuse)
    careful = convert.from_listing(body)[1]
    assert careful is not None
    assert dtypes(careful) == dtypes(df)
    assert careful.equals(df)


def add_column(df: pd.DataFrame) -> None:
    df["mine"] = 1


def set_by_loc(df: pd.DataFrame) -> None:
    df.loc[0, "title"] = "changed"
    df.loc[:, "should_translate"] = True
    df.loc[df.index[-1] + 1] = df.iloc[0]


def set_column(df: pd.DataFrame) -> None:
    df["title"] = "changed"
    df["sensitive_properties"] = [("changed",)] * len(df)


def set_cells(df: pd.DataFrame) -> None:
    df.iloc[0, 0] = "changed"
    df.at[1, "description"] = "changed"  # noqa: PD008
    df.iat[2, df.columns.tolist().index("email_transform_version")] = 99  # noqa: PD009


def sort(df: pd.DataFrame) -> None:
    df.sort_values("name", inplace=True, ignore_index=True)  # noqa: PD002


def drop(df: pd.DataFrame) -> None:
    df.drop(columns="title", inplace=True)  # noqa: PD002
    df.drop(index=[0, 1], inplace=True)  # noqa: PD002


def change_attrs(df: pd.DataFrame) -> None:
    df.attrs["endpoint"] = "changed"
    df.attrs["mine"] = 1


def rename_axes(df: pd.DataFrame) -> None:
    df.index.name = "changed"
    df.columns.name = "changed"
    df.rename(columns={"title": "changed"}, inplace=True)  # noqa: PD002


def write_to_numpy(df: pd.DataFrame) -> None:
    for column in df.columns:
        values = df[column].to_numpy()
        if values.flags.writeable:
            values[:1] = values[-1:]


def change_a_tuple(df: pd.DataFrame) -> None:
    df["sensitive_properties"] = df["sensitive_properties"].map(lambda names: (*names, "changed"))


def write_to_texts(df: pd.DataFrame) -> None:
    df["title"].array[0] = "changed"


def write_to_arrays(df: pd.DataFrame) -> None:
    df["should_translate"].array[:] = True
    df["email_transform_version"].array[:] = 99


def change_a_list(df: pd.DataFrame) -> None:
    df["labels"].loc[0].append("changed")
    df["labels"].loc[1].clear()


CHANGES = [
    add_column,
    set_by_loc,
    set_column,
    set_cells,
    sort,
    drop,
    change_attrs,
    rename_axes,
    write_to_numpy,
    change_a_tuple,
    write_to_texts,
    write_to_arrays,
    change_a_list,
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_case_27_a_changed_frame_leaves_the_cache_alone(
    change: Callable[[pd.DataFrame], None],
) -> None:
    """the user changes the returned frame in place, lists in it included: the cache is
    untouched.
    """
    with rnb.sandbox() as client:
        assert client.sandbox is not None
        store = client.sandbox.sources()
        store["labels"] = [["a", "b"] for _ in range(len(store))]
    with rnb.sandbox(store) as client:
        assert client.sandbox is not None
        stored = client.sandbox.sources()
        # The frame that was fetched, and two out of the cache.
        for _ in range(3):
            df = client.sources()
            attrs = dict(df.attrs)
            try:
                change(df)
            except ValueError as error:
                assert "read-only" in str(error)  # noqa: PT017 - pandas may refuse it
            again = client.sources()
            pd.testing.assert_frame_equal(again, stored)
            assert again["labels"].tolist() == [["a", "b"]] * len(stored)
            assert again.attrs == attrs
            assert again.index.name is None
            assert again.columns.name is None
        assert len(client.sandbox.requests) == 1


def test_case_28_who_sees_which_write(client: rnb.Client) -> None:
    """a write through the client shows in the next listing, whatever the time to live; a write by
    somebody else shows after it, and with `refresh=True` at once.
    """
    assert client.sandbox is not None
    token = client.sandbox.tokens["viewer"]
    with rnb.connect(endpoint=client.endpoint, token=token, cache_ttl=1_000_000) as viewer:
        own, others = test_client.with_clock(client, 1_000_000), test_client.with_clock(viewer)
        for write in OWN_WRITES:
            before = viewer.sources()
            part_before = viewer.sources("claims")
            client.sources()
            client.sources("claims")
            write(client)
            store = client.sandbox.sources()
            part = store[store["owner"] == "claims"].reset_index(drop=True)
            pd.testing.assert_frame_equal(client.sources(), store)
            pd.testing.assert_frame_equal(client.sources("claims"), part)
            # Somebody else sees it after the time to live of the own listing,
            others.now += 299.9
            pd.testing.assert_frame_equal(viewer.sources(), before)
            pd.testing.assert_frame_equal(viewer.sources("claims"), part_before)
            # or at once.
            pd.testing.assert_frame_equal(viewer.sources("claims", refresh=True), part)
            begin = len(client.sandbox.requests)
            pd.testing.assert_frame_equal(viewer.sources("claims"), part)
            assert len(client.sandbox.requests) == begin
            others.now += 0.1
            visible = store[store["owner"] != "people"].reset_index(drop=True)
            pd.testing.assert_frame_equal(viewer.sources(), visible)
            others.now += 1_000
        assert own.now == test_client.Clock.now


OWN_WRITES: list[Callable[[rnb.Client], object]] = [
    lambda client: client.create_source("claims/travel"),
    lambda client: client.update_source("claims/motor-inbox", title="x"),
    lambda client: client.delete_source("claims/motor-inbox"),
]


def test_case_29_two_clients(client: rnb.Client, viewer: rnb.Client) -> None:
    """two clients with two tokens never see each other's cached answers."""
    assert client.sandbox is not None
    for _ in range(2):
        assert len(client.sources()) == 130
        assert len(client.sources("people")) > 0
        assert "people" not in viewer.sources()["owner"].tolist()
        with pytest.raises(rnb.NotFound):
            viewer.sources("people")
        assert len(client.buckets()) > 0
        with pytest.raises(rnb.PermissionDenied):
            viewer.buckets()
        assert len(client.projects()) == len(viewer.projects()) + 1
    asked = [one for one in client.sandbox.requests if one.path == "/api/v1/sources"]
    assert [one.who for one in asked] == ["admin", "viewer"]
