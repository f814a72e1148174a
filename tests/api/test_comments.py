"""The comments of a source as frames and records, against what the tenant sends."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.contents import reading
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.server.comments.store import CommentStore
from tests.api.test_contents import few, tenant_of
from tests.conftest import SLOW_EXAMPLES
from tests.scripted import Scripted, reply
from tests.server.test_comments import NAME, new

__all__ = ["few"]
COLUMNS = {
    "id": "str",
    "timestamp": "datetime64[us, UTC]",
    "created_at": "datetime64[us, UTC]",
    "thread_id": "str",
    "from": "str",
    "to": "object",
    "subject": "str",
    "text": "str",
    "language": "str",
    "num_messages": "Int64",
    "num_attachments": "Int64",
    "has_annotations": "boolean",
}
UID = {"uid": "str"}
OFTEN: Any = {"on": "list_comments", "probability": 0.3, "seed": 5}
FAULTS = [
    Fault.answer(429, **OFTEN),
    Fault.answer(502, **OFTEN),
    Fault.drop(**OFTEN),
    Fault.cut(**OFTEN),
]


def ids(df: pd.DataFrame) -> list[str]:
    return df["id"].tolist()


def requests_of(client: rnb.Client) -> list[str]:
    """The paths of the requests for pages of comments."""
    assert client.sandbox is not None
    paths = [request.path for request in client.sandbox.requests]
    return [path for path in paths if "/comments" in path]


# The frame


def test_the_frame_holds_what_the_tenant_sends(client: rnb.Client) -> None:
    sent = tenant_of(client).comments(NAME, limit=100)
    df = client.comments(NAME)
    properties = {"number:Score": "Float64", "string:Team": "str"}
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        **COLUMNS,
        **properties,
        **UID,
    }
    assert list(df.columns) == [*COLUMNS, *properties, *UID]
    assert isinstance(df.index, pd.RangeIndex)
    assert df.attrs == {"endpoint": client.endpoint, "source": NAME}
    json.dumps(df.attrs)
    assert ids(df) == [comment["id"] for comment in sent]
    for row, comment in zip(df.to_dict("records"), sent, strict=True):
        first = comment["messages"][0]
        assert row["timestamp"] == pd.Timestamp(comment["timestamp"])
        assert row["created_at"] == pd.Timestamp(comment["created_at"])
        assert row["from"] == first["from"]
        assert row["to"] == tuple(first.get("to", ()))
        assert row["num_messages"] == len(comment["messages"])
        assert row["num_attachments"] == len(comment.get("attachments", ()))
        assert row["string:Team"] == comment["user_properties"]["string:Team"]
        assert row["uid"] == comment["uid"]
        for message in comment["messages"]:
            assert message["body"]["text"] in row["text"]
        if len(comment["messages"]) == 1:
            assert row["text"] == first["body"]["text"]


def test_texts_of_several_messages_have_a_line_before_each(client: rnb.Client, few: str) -> None:
    turns = [{"body": {"text": "Hello?"}, "from": "A. Weber"}, {"body": {"text": "Yes."}}]
    tenant_of(client).sync({**new("call", "2026-04-01T00:00:00Z"), "messages": turns}, name=few)
    assert client.comments(few, since="2026-04")["text"].tolist() == [
        "--- Message 1 of 2, from A. Weber ---\nHello?\n\n--- Message 2 of 2 ---\nYes."
    ]


def test_odd_fields_are_kept_and_take_no_other_s_column(client: rnb.Client, few: str) -> None:
    odd = {
        **new("odd", "2026-04-01T00:00:00Z"),
        "weight": 7,
        "text": "not the body",
        "from": {"not": "a sender"},
        "string:Team": "no property",
        "user_properties": {"string:Team": "claims", "number:Score": 4, "string:id": "x"},
        "messages": [{"body": {"text": "Hello"}, "mood": "fine", "to": None, "from": None}],
    }
    assert tenant_of(client).sync(odd, name=few).status_code == 200
    df = client.comments(few, since="2026-04")
    assert df["text"].tolist() == ["Hello"]
    assert df["extra.text"].tolist() == ["not the body"]
    assert df["extra.from"].tolist() == [{"not": "a sender"}]
    assert df["from"].isna().all()
    assert df["to"].tolist() == [()]
    assert df["weight"].tolist() == [7]
    assert df["messages.mood"].tolist() == [["fine"]]
    assert df["string:Team"].tolist() == ["claims"]
    assert df["extra.string:Team"].tolist() == ["no property"]
    assert df["string:id"].tolist() == ["x"]
    assert df["number:Score"].dtype == "Float64"
    assert df.columns.is_unique
    assert df.columns[-1] == "uid"


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-02", "2026-02", ["c1", "c2"]),
        ("2026-02-01", pd.Timestamp("2026-02-28"), ["c1"]),
        (None, "2026-01", ["c0"]),
        ("2026-03-01T00:00:00.000001", None, ["c4"]),
        ("2030", None, []),
    ],
)
def test_the_edges_are_exact(
    client: rnb.Client, few: str, since: Any, until: Any, expected: list[str]
) -> None:
    df = client.comments(few, since=since, until=until)
    assert ids(df) == expected
    dtypes = {name: str(dtype) for name, dtype in df.dtypes.items()}
    assert dtypes.items() >= {**COLUMNS, **UID}.items()


def test_a_tenant_that_ignores_the_range_is_not_trusted(
    client: rnb.Client, few: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = CommentStore.page

    def page(self: CommentStore, source: Any, bounds: Any, *others: Any, **more: Any) -> Any:
        return usual(self, source, type(bounds)(), *others, **more)

    monkeypatch.setattr(CommentStore, "page", page)
    assert ids(client.comments(few, since="2026-02", until="2026-02")) == ["c1", "c2"]
    assert ids(client.comments(few, since="2026-02", until="2026-02", limit=1)) == ["c1"]


# Pages


@pytest.mark.parametrize("size", [1, 7, 64, 255])
def test_pages_of_every_size_give_the_same_frame(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    name, since = "claims/motor-inbox", "2026-11"
    expected = client.comments(name, since=since)
    monkeypatch.setattr(reading, "MOST_OF_PAGE", size)
    before = len(requests_of(client))
    pd.testing.assert_frame_equal(client.comments(name, since=since), expected)
    assert len(requests_of(client)) - before == -(-len(expected) // size)


@pytest.mark.parametrize(("limit", "pages"), [(0, 0), (1, 1), (256, 1), (257, 2), (512, 2)])
def test_a_limit_reads_no_page_too_many(client: rnb.Client, limit: int, pages: int) -> None:
    everything = tenant_of(client).comments("claims/liability-inbox", limit=256)
    before = len(requests_of(client))
    df = client.comments("claims/liability-inbox", limit=limit)
    assert len(requests_of(client)) == before + pages
    assert ids(df) == [comment["id"] for comment in everything[:limit]]


def test_frames_of_an_iterator_are_the_frame_in_pieces(client: rnb.Client) -> None:
    name, since = "claims/motor-inbox", "2026-10"
    whole = client.comments(name, since=since)
    frames = list(client.iter_comments(name, since=since, chunk_size=100))
    assert [len(df) for df in frames[:-1]] == [100] * (len(whole) // 100)
    joined = pd.concat(frames)
    pd.testing.assert_frame_equal(joined[whole.columns], whole)
    assert frames[0].attrs == whole.attrs
    before = len(requests_of(client))
    next(client.iter_comments(name, chunk_size=10))
    assert len(requests_of(client)) == before + 1


def comment(number: int, second: int) -> dict[str, Any]:
    return {**new(f"c{number}", f"2026-01-01T00:00:{second:02}Z"), "uid": "u", "created_at": None}


def page_of(after: str | None, *comments: dict[str, Any]) -> bytes:
    return reply({"status": "ok", "comments": list(comments), "continuation": after})


@pytest.mark.parametrize("cycle", [["a", "a"], ["a", "b", "a"]])
def test_a_repeated_continuation_is_an_error(cycle: list[str]) -> None:
    pages = [page_of(after, comment(n, n)) for n, after in enumerate(cycle)]
    with Scripted(*pages) as tenant:
        client = rnb.connect(endpoint=tenant.endpoint, token="x")
        with pytest.raises(rnb.ProtocolError, match="followed by an earlier one"):
            client.comments("a/b")
        assert len(tenant.asked) == len(cycle)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"comments": None},
        {"comments": [None]},
        {"comments": [{"id": 5, "timestamp": "2026-01-01T00:00:00Z"}]},
        {"comments": [{"id": "x", "timestamp": "yesterday"}]},
        {"comments": [], "continuation": 5},
        {},
    ],
)
def test_a_page_that_is_not_as_documented_is_an_error(spoilt: dict[str, Any]) -> None:
    with Scripted(reply({"status": "ok", **spoilt})) as tenant:
        client = rnb.connect(endpoint=tenant.endpoint, token="x")
        with pytest.raises(rnb.ProtocolError, match="without"):
            client.comments("a/b")


def test_comments_in_another_order_are_sorted_and_none_is_missed() -> None:
    pages = [page_of("a", comment(3, 9), comment(2, 5)), page_of(None, comment(0, 2))]
    with Scripted(*pages) as tenant:
        client = rnb.connect(endpoint=tenant.endpoint, token="x")
        df = client.comments("a/b", until="2026-01-01T00:00:05")
    assert ids(df) == ["c0", "c2"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_with_faults_no_comment_is_missing_or_double(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    assert client.sandbox is not None
    client._transport.patience = Patience(100, backoff=0.01)
    monkeypatch.setattr(reading, "MOST_OF_PAGE", 32)
    name = "claims/motor-inbox"
    expected = client.comments(name, since="2026-09")
    with client.sandbox.faults.add(fault) as added:
        pd.testing.assert_frame_equal(client.comments(name, since="2026-09"), expected)
        assert added.struck > 2


# The newest


def test_a_sample_is_the_newest_first(client: rnb.Client) -> None:
    newest = tenant_of(client).page(NAME, limit=256, direction="descending")["comments"]
    before = len(requests_of(client))
    df = client.sample(NAME)
    assert len(requests_of(client)) == before + 1
    assert ids(df) == [comment["id"] for comment in newest[:20]]
    assert len(client.sample("claims/motor-inbox", 300)) == 300
    assert ids(client.sample(NAME, 5)) == ids(df)[:5]


@pytest.mark.parametrize("number", [1, 20, 300])
def test_a_sample_of_a_tenant_that_ignores_the_order_is_the_newest_too(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    expected = client.sample("claims/motor-inbox", number)
    usual = CommentStore.page

    def page(self: CommentStore, *arguments: Any, **_: Any) -> Any:
        return usual(self, *arguments, descending=False)

    monkeypatch.setattr(CommentStore, "page", page)
    before = len(requests_of(client))
    pd.testing.assert_frame_equal(client.sample("claims/motor-inbox", number), expected)
    assert len(requests_of(client)) - before < 8


# One comment


def test_a_comment_is_a_record_with_its_messages(client: rnb.Client, few: str) -> None:
    sent = {
        **new("a/b ü?", "2026-04-01T12:00:00Z"),
        "thread_id": "t",
        "weight": 7,
        "user_properties": {"string:Team": "claims", "number:Score": 4.5},
        "attachments": [{"name": "a.pdf", "size": 5, "content_type": ".pdf"}],
        "messages": [
            {
                "body": {"text": "<b>Hello</b>"},
                "subject": {"text": "Hi"},
                "from": "a@example.com",
                "to": ["b@example.com", "c@example.com"],
                "sent_at": "2026-04-01T12:00:00+02:00",
                "mood": "fine",
            },
            {"body": {"text": "Bye"}, "signature": {"text": "B."}},
        ],
    }
    tenant_of(client).sync(sent, name=few)
    found = client.comment(few, "a/b ü?")
    first, second = found.messages
    assert (first.text, first.subject, first.from_) == ("<b>Hello</b>", "Hi", "a@example.com")
    assert first.to == ("b@example.com", "c@example.com")
    assert first.sent_at == pd.Timestamp("2026-04-01T10:00:00Z")
    assert dict(first.extra) == {"mood": "fine"}
    assert (second.text, second.signature, second.from_) == ("Bye", "B.", None)
    assert dict(found.user_properties) == {"string:Team": "claims", "number:Score": 4.5}
    assert found.attachments == ({"name": "a.pdf", "size": 5, "content_type": ".pdf"},)
    assert (found.thread_id, found.subject, dict(found.extra)) == ("t", "Hi", {"weight": 7})
    html = found._repr_html_()
    assert "<b>Hello" not in html
    assert "&lt;b&gt;Hello" in html
    assert "a.pdf" in html
    assert "Hi" in repr(found)
    by_row = client.comment(client.source(few), client.comments(few, since="2026-04")["id"][0])
    assert by_row == found


def test_a_misspelt_source_or_comment_is_told(client: rnb.Client) -> None:
    with pytest.raises(rnb.NotFound, match="has no comment with this id"):
        client.comment(NAME, "nothing")
    with pytest.raises(rnb.NotFound, match=f"Did you mean {NAME}"):
        client.comment("claims/theft-inbx", "nothing")
    for read in (client.comments, client.sample, lambda name: list(client.iter_comments(name))):
        with pytest.raises(rnb.NotFound, match=f"Did you mean {NAME}"):
            read("claims/theft-inbx")


@pytest.mark.parametrize(
    "arguments",
    [
        {"since": "2026-02", "until": "2026-01"},
        {"since": "soon"},
        {"limit": -1},
        {"limit": 1.5},
        {"limit": True},
    ],
)
def test_bad_arguments_are_told_before_anything_is_sent(
    client: rnb.Client, arguments: dict[str, Any]
) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    for read in (client.comments, client.iter_comments):
        with pytest.raises(rnb.InvalidInput):
            read(NAME, **arguments)
    for number in (0, -1, "5", None):
        with pytest.raises(rnb.InvalidInput, match="n must be"):
            client.sample(NAME, number)  # type: ignore[arg-type]
        with pytest.raises(rnb.InvalidInput, match="chunk_size must be"):
            client.iter_comments(NAME, chunk_size=number)  # type: ignore[arg-type]
    with pytest.raises(rnb.InvalidInput, match="comment_id must be"):
        client.comment(NAME, 5)  # type: ignore[arg-type]
    assert len(client.sandbox.requests) == before


# Whatever is stored


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MESSAGES = st.lists(
    st.fixed_dictionaries({"body": st.fixed_dictionaries({"text": TEXTS})}), min_size=1, max_size=3
)
LISTS = st.lists(
    st.tuples(st.integers(0, 3), TEXTS, MESSAGES, st.dictionaries(TEXTS.map("x_{}".format), TEXTS)),
    max_size=12,
)


@pytest.mark.slow
def test_whatever_is_stored_is_in_the_frame(client: rnb.Client) -> None:
    tenant, numbers = tenant_of(client), iter(range(10**6))

    @settings(SLOW_EXAMPLES, max_examples=30)
    @given(LISTS, st.integers(1, 5))
    def run(contents: list[Any], size: int) -> None:
        name = client.create_source(f"claims/any-{next(numbers)}").full_name
        comments = {
            f"{place}{text}": {
                **new(f"{place}{text}", f"2026-01-0{day + 1}T00:00:00Z"),
                "messages": messages,
                **unknown,
            }
            for place, (day, text, messages, unknown) in enumerate(contents)
        }
        assert tenant.sync(*comments.values(), name=name).status_code == 200
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "MOST_OF_PAGE", size)
            df = client.comments(name)
        order = sorted(comments.values(), key=lambda comment: (comment["timestamp"], comment["id"]))
        assert ids(df) == [comment["id"] for comment in order]
        for row, comment in zip(df.to_dict("records"), order, strict=True):
            for field in set(comment) - {"messages", "timestamp"}:
                assert row[field] == comment[field]
            for message in comment["messages"]:
                assert message["body"]["text"] in row["text"]

    run()
