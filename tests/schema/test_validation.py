"""Users' input is checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.text import shown

WHICH = "claims/motor-inbox"


@pytest.fixture(scope="module")
def scratch() -> Iterator[rnb.Client]:
    """A client of a sandbox for tests that write to one source of it."""
    with rnb.sandbox() as made:
        yield made


def refused(client: rnb.Client, action: Callable[[], object]) -> str:
    """Return the message of the error that an action raises; check that nothing was sent."""
    assert client.sandbox is not None
    before = client.sandbox.requests
    with pytest.raises(rnb.InvalidInput) as caught:
        action()
    assert client.sandbox.requests == before
    return str(caught.value)


BY_NAME: list[Callable[[rnb.Client, Any], object]] = [
    lambda client, name: client.source(name),
    lambda client, name: client.create_source(name),
    lambda client, name: client.update_source(name, title="x"),
    lambda client, name: client.delete_source(name),
]
NO_PROJECTS = [
    "",
    "/",
    "acme/",
    "/x",
    "//",
    "acme//x",
    "a/b/c",
    "acme/x/",
    "../x/y",
    "../x",
    "acme/..",
    "acme/.",
    "./x",
    "acme/%2e%2e",
    "acme/%2F",
    "acme%2Fsupport",
    "acme/x?y",
    "acme/x#y",
    "acme/x;y",
    "acme/x&y",
    "acme/x:y",
    "acme/x@y",
    "acme\\x",
    "acme/x\\y",
    " acme/x",
    "acme/x ",
    "acme /x",
    "acme/my source",
    "acme/x\n",
    "acme/x\r\nHost: evil.example",
    "acme\n/x",
    "acme/x\x00",
    "\x00/x",
    "acme/x\t",
    "acme/" + "x" * 257,
    "x" * 257 + "/x",
    "acme/\N{PARTY POPPER}",
    "acme/stra\N{LATIN SMALL LETTER SHARP S}e",
    "acme/\N{FULLWIDTH LATIN SMALL LETTER X}",
    "acme/\N{KELVIN SIGN}",
    "acme/\N{ARABIC-INDIC DIGIT ONE}",
    "acme/\N{RIGHT-TO-LEFT OVERRIDE}x",
    "acme/\ud83d",
    "acme\N{FRACTION SLASH}x",
    "acme\N{FULLWIDTH SOLIDUS}x",
    "id:abc",
    "id:18ba5ce699f8da1f",
    "id:abc/x",
    "acme/id:18ba5ce699f8da1f",
    "{project}/{name}",
    "acme/{name}",
    "<project>/example",
    "https://evil.example/x",
    5,
    b"acme/x",
    ("acme", "x"),
    pd.NA,
    float("nan"),
]


@pytest.mark.slow
@pytest.mark.parametrize("by_name", BY_NAME)
@pytest.mark.parametrize("name", [*NO_PROJECTS, "acme", None], ids=lambda name: ascii(name)[:40])
def test_no_full_name(
    shared: rnb.Client, by_name: Callable[[rnb.Client, Any], object], name: Any
) -> None:
    message = refused(shared, lambda: by_name(shared, name))
    assert message.isprintable()
    assert "project/name" in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("acme/my source", "name 'my source'"),
        ("ac me/x", "project 'ac me'"),
        ("acme/", "name is empty"),
        ("/x", "project is empty"),
        ("a/b/c", "name 'b/c'"),
        ("../x/y", "project '..'"),
        ("acme/x\n", r"name 'x\n'"),
        ("acme/\N{RIGHT-TO-LEFT OVERRIDE}x", r"name '\u202ex'"),
        ("acme", "'acme'"),
    ],
)
def test_the_offending_part_is_named_with_the_rule(
    shared: rnb.Client, name: str, part: str
) -> None:
    message = refused(shared, lambda: shared.create_source(name))
    assert part in message
    assert validation.NAME_RULE in message or "has no slash" in message or "neither" in message


# A tuple of texts is valid: several projects.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*(name for name in NO_PROJECTS if not isinstance(name, tuple)), "acme/x"],
    ids=lambda name: ascii(name)[:40],
)
def test_no_project(shared: rnb.Client, name: Any) -> None:
    message = refused(shared, lambda: shared.sources(name))
    assert message.isprintable()
    assert validation.NAME_RULE in message


@pytest.mark.parametrize("name", ["a/b", "A-_9/" + "x" * 256, "-/_", "0/00", "deadbeef/deadbeef"])
def test_a_full_name(name: str) -> None:
    assert "/".join(validation.full_name(name)) == name


# Valid names, names with other Unicode letters and slashes, and any texts.
TYPED = (
    st.from_regex(r"\A[A-Za-z0-9_-]{1,8}/[A-Za-z0-9_-]{1,8}\Z")
    | st.from_regex(r"\A\w{1,8}[/\u2215\u2044]\w{1,8}\Z")
    | st.text("aZ09_-/.%:?#&;@\\ \n\r\t\x00{}\u212a\u0661\uff0f\ud83d", max_size=12)
    | st.text(max_size=12)
)


@pytest.mark.slow
@examples(max_examples=500, deadline=None)
@given(TYPED, st.sampled_from(["https://t.example", "https://t.example/org/tenant/reinfer_/"]))
@example("../..", "https://t.example")
@example("acme/x", "https://t.example/")
def test_what_is_accepted_stays_in_its_two_segments(text: str, endpoint: str) -> None:
    try:
        project, name = validation.full_name(text)
    except rnb.InvalidInput:
        return
    assert f"{project}/{name}" == text
    url = endpoints.GET.url(endpoint, project=project, name=name)
    base = endpoint.rstrip("/") + "/api/v1/sources/"
    assert url == base + text
    for sent in (url, requests.Request("GET", url).prepare().url):
        assert sent == url
        parts = urlsplit(sent)
        assert not parts.query
        assert not parts.fragment
        assert [unquote(segment) for segment in parts.path.split("/")[-2:]] == [project, name]


@pytest.mark.slow
@examples(max_examples=300, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_any_part_stays_in_its_segment(project: str, name: str) -> None:
    # Holds without any check, except for dots alone, which `full_name` refuses.
    parts = [part.encode("utf-8", "replace").decode() for part in (project, name)]
    url = endpoints.GET.url("https://t.example", project=parts[0], name=parts[1])
    path = url.removeprefix("https://t.example/api/v1/sources/")
    assert [unquote(segment) for segment in path.split("/")] == parts


# Ids

NO_IDS = [
    "18BA5CE699F8DA1F",
    "18ba5ce699f8da1",
    "18ba5ce699f8da1f0",
    "18ba5ce699f8da1g",
    "deadbeef",
    "0x18ba5ce699f8da",
    " 18ba5ce699f8da1f",
    "18ba5ce699f8da1f\n",
    "\N{FULLWIDTH DIGIT ONE}8ba5ce699f8da1f",
    "motor-inbox",
]


@pytest.mark.parametrize("by_name", BY_NAME)
@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
def test_what_is_neither_id_nor_name_is_refused(
    shared: rnb.Client, by_name: Callable[[rnb.Client, Any], object], text: str
) -> None:
    refused(shared, lambda: by_name(shared, text))


def test_an_id_is_no_name_to_create(shared: rnb.Client) -> None:
    refused(shared, lambda: shared.create_source("18ba5ce699f8da1f"))


def test_a_name_where_an_id_is_needed_is_resolved(client: rnb.Client) -> None:
    source = client.source(WHICH)
    assert client.delete_source(WHICH).id == source.id
    assert client.sandbox is not None
    assert client.sandbox.requests[-1].path == f"/api/v1/sources/id:{source.id}"


def test_an_id_where_a_name_is_needed_is_resolved(scratch: rnb.Client) -> None:
    source = scratch.source(WHICH)
    scratch.update_source(source.id, title="By id")
    assert scratch.sandbox is not None
    last = scratch.sandbox.requests[-1]
    assert (last.method, last.path) == ("POST", f"/api/v1/sources/{WHICH}")


# Settings

WITH_SETTINGS: list[Callable[..., object]] = [
    lambda client, **given: client.create_source("claims/travel", **given),
    lambda client, **given: client.update_source(WHICH, **given),
    lambda client, **given: client.update_source("18ba5ce699f8da1f", **given),
]


@pytest.mark.parametrize("write", WITH_SETTINGS)
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("titel", "title"),
        ("Title", "title"),
        ("descripton", "description"),
        ("lang", None),
        ("languages", "language"),
        ("_kind", "kind"),
        ("bucket", "bucket_id"),
        ("bucketid", "bucket_id"),
        ("sensitive_property", "sensitive_properties"),
        ("should_translated", "should_translate"),
        ("xyzzy", None),
        ("\x1b[31m", None),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_known(
    shared: rnb.Client, write: Callable[..., object], typed: str, meant: str | None
) -> None:
    message = refused(shared, lambda: write(shared, **{typed: "x"}))
    assert message.isprintable()
    assert f"Unknown field {shown(typed)}." in message
    if meant:
        assert f"Did you mean '{meant}'?" in message
    for name in ("title", "language", "bucket_id"):
        assert meant or name in message


@pytest.mark.parametrize("write", WITH_SETTINGS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("id", "the tenant sets it"),
        ("owner", "cannot be renamed or moved"),
        ("name", "cannot be renamed or moved"),
        ("created_at", "the tenant sets it"),
        ("updated_at", "the tenant sets it"),
        ("last_modified", "the tenant sets it"),
    ],
)
def test_what_only_the_tenant_sets_is_refused(
    shared: rnb.Client, write: Callable[..., object], name: str, reason: str
) -> None:
    message = refused(shared, lambda: write(shared, **{name: "x"}))
    assert f"{name} cannot be given in" in message
    assert reason in message


NO_VALUES: list[tuple[str, Any, str]] = [
    ("title", None, "text"),
    ("title", 5, "text"),
    ("title", pd.NA, "text"),
    ("title", float("nan"), "text"),
    ("title", b"x", "text"),
    ("title", ["x"], "text"),
    ("description", None, "text"),
    ("should_translate", "false", "True or False"),
    ("should_translate", "", "True or False"),
    ("should_translate", 0, "True or False"),
    ("should_translate", 1.0, "True or False"),
    ("should_translate", None, "True or False"),
    ("should_translate", pd.NA, "True or False"),
    ("language", "english", '"en" (English)'),
    ("language", "EN", '"xlm" (Multilingual)'),
    ("language", "multilingual", '"xlm" (Multilingual)'),
    ("language", "", '"de" (German)'),
    ("language", None, '"en" (English)'),
    ("language", 1, '"en" (English)'),
    ("language", ["en"], '"en" (English)'),
    ("kind", "", '"chat" (chats)'),
    ("kind", "Chat", '"chat" (chats)'),
    ("kind", "calls", '"call" (calls)'),
    ("kind", None, '"call" (calls)'),
    ("sensitive_properties", "email", "a list of texts"),
    ("sensitive_properties", None, "a list of texts"),
    ("sensitive_properties", ["a", 1], "a list of texts"),
    ("sensitive_properties", ["a", None], "a list of texts"),
    ("sensitive_properties", {"a": 1}, "a list of texts"),
    ("bucket_id", 5, "text"),
    ("bucket_id", float("nan"), "text"),
    ("email_transform_tag", None, "text"),
    ("email_transform_version", "1", "whole number"),
    ("email_transform_version", 1.5, "whole number"),
    ("email_transform_version", 1.0, "whole number"),
    ("email_transform_version", True, "whole number"),
    ("email_transform_version", np.True_, "whole number"),
    ("email_transform_version", None, "whole number"),
    ("email_transform_version", 2**63, "64 bits"),
    ("email_transform_version", -(2**63) - 1, "64 bits"),
    ("email_transform_version", 10**5000, "64 bits"),
]


@pytest.mark.slow
@pytest.mark.parametrize("write", WITH_SETTINGS)
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    NO_VALUES,
    ids=[
        f"{name}-{type(value).__name__}-{number}"
        for number, (name, value, _) in enumerate(NO_VALUES)
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(
    shared: rnb.Client, write: Callable[..., object], name: str, value: Any, allowed: str
) -> None:
    message = refused(shared, lambda: write(shared, **{name: value}))
    assert message.startswith(f"{name} must ")
    assert allowed in message
    assert len(message) < 500


def test_all_problems_are_listed_at_once(shared: rnb.Client) -> None:
    given: dict[str, Any] = {"titel": "x", "language": "english", "owner": "x", "title": 5}
    message = refused(shared, lambda: shared.update_source(WHICH, **given))
    for part in ("Unknown field 'titel'", "language must", "owner cannot", "title must"):
        assert part in message


def test_one_wrong_value_among_right_ones_stops_all(shared: rnb.Client) -> None:
    refused(shared, lambda: shared.create_source("claims/x", title="right", language="english"))


@pytest.mark.parametrize("which", [WHICH, "18ba5ce699f8da1f"])
def test_an_update_of_nothing_is_refused(shared: rnb.Client, which: str) -> None:
    message = refused(shared, lambda: shared.update_source(which))
    assert message.startswith("Nothing to update: give at least one of title, language")


def test_a_kind_of_tomorrow_passes() -> None:
    assert validation.settings("create", {"kind": "video"}) == {"_kind": "video"}


# Texts

TEXTS = {
    "empty": "",
    "spaces": "  x  ",
    "rtl": "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{POP DIRECTIONAL FORMATTING} \u05e9\u05dc\u05d5\u05dd",
    "decomposed": "e\N{COMBINING ACUTE ACCENT}" * 3,
    "composed": "\N{LATIN SMALL LETTER E WITH ACUTE}" * 3,
    "stacked": "x" + "\N{COMBINING RING ABOVE}" * 200,
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "controls": "a\x00b\x1b[31mc\r\n\t\x7f\x85\u2028",
    "not a character": "\uffff\U0010ffff",
    "markup": "<script>alert(1)</script> %s {title} '; DROP TABLE sources; --",
    "json": '"}, {"id": "evil"',
    "null": "null",
    "long": "\N{GREEK SMALL LETTER ALPHA}\N{PARTY POPPER}" * 50_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["title", "description"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_travels_unchanged(scratch: rnb.Client, name: str, text: str) -> None:
    settings: dict[str, Any] = {name: text}
    assert getattr(scratch.update_source(WHICH, **settings), name) == text
    assert getattr(scratch.source(WHICH), name) == text
    df = scratch.sources("claims")
    assert df.loc[df["name"] == "motor-inbox", name].tolist() == [text]
    assert len(text) == len(scratch.source(WHICH).to_series()[name])


@pytest.mark.parametrize("length", [100_000, 9_000_000])
def test_a_title_is_kept_whole_or_refused_by_the_tenant(client: rnb.Client, length: int) -> None:
    title = "x" * length
    try:
        assert client.update_source(WHICH, title=title).title == title
    except rnb.ValidationFailed as refusal:
        assert length > 100_000
        assert refusal.server_message  # noqa: PT017 - either is fine
        title = "Motor claims inbox"
    assert client.source(WHICH).title == title


HALVES: list[dict[str, Any]] = [
    {"title": "half \ud83d of one"},
    {"description": "\udc00"},
    {"sensitive_properties": ["a", "\ud83d"]},
    {"kind": "\ud83d"},
    {"bucket_id": "\ud83d"},
    {"email_transform_tag": "\ud800"},
]


@pytest.mark.parametrize("write", WITH_SETTINGS)
@pytest.mark.parametrize("settings", HALVES, ids=lambda settings: next(iter(settings)))
def test_half_a_character_is_not_sent(
    shared: rnb.Client, write: Callable[..., object], settings: dict[str, Any]
) -> None:
    message = refused(shared, lambda: write(shared, **settings))
    assert message.isprintable()
    assert f"{next(iter(settings))} holds half a character" in message


@pytest.mark.parametrize("settings", HALVES, ids=lambda settings: next(iter(settings)))
def test_half_a_character_is_not_created_again(
    shared: rnb.Client, settings: dict[str, Any]
) -> None:
    source = replace(shared.source(WHICH), **settings)
    assert "half a character" in refused(shared, lambda: shared.recreate_source(source))


@pytest.mark.parametrize(
    "settings",
    [
        {"title": "half \ud83d of one"},
        {"description": "\udc00"},
        {"sensitive_properties": ["\ud83d"]},
        {"kind": "\ud83d"},
        {"bucket_id": "\ud83d"},
        {"email_transform_tag": "\ud83d"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_half_a_character_is_refused_and_harms_nothing(
    client: rnb.Client, settings: dict[str, Any]
) -> None:
    before = client.source(WHICH)
    # Refused before it is sent, or by the tenant.
    with pytest.raises((rnb.InvalidInput, rnb.ValidationFailed)) as caught:
        client.update_source(WHICH, **settings)
    assert str(caught.value).isprintable()
    assert client.source(WHICH) == before


# Tokens

NO_TOKENS = [
    "",
    "s3cr3t\n",
    "\ns3cr3t",
    "s3cr3t\r\nX-Evil: yes",
    "s3cr3t s3cr3t",
    " s3cr3t",
    "s3cr3t\t",
    "s3cr3t\x00",
    "s3cr3t\x7f",
    "s3cr3t\N{NO-BREAK SPACE}",
    "s3cr3t\N{LATIN SMALL LETTER E WITH ACUTE}",
    "s3cr3t\N{CYRILLIC SMALL LETTER A}",
    "s3cr3t\N{ZERO WIDTH SPACE}",
    "s3cr3t\ud83d",
    "s3cr3t" * 2000,
    5353,
    b"s3cr3t",
    ["s3cr3t"],
]


@pytest.mark.parametrize("token", NO_TOKENS, ids=lambda token: ascii(token)[:30])
def test_a_token_that_is_none_is_refused_and_not_shown(shared: rnb.Client, token: Any) -> None:
    message = refused(shared, lambda: rnb.connect(endpoint=shared.endpoint, token=token))
    assert "s3cr3t" not in message
    assert "5353" not in message
    assert "token given" in message
