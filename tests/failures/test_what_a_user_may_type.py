"""What a user may type: it is checked before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from reinfer_nb.auth import tenant
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.text import shown
from tests.scripted import Scripted

WHICH = "claims/motor-inbox"


def refused(
    client: rnb.Client, action: Callable[..., object], *typed: object, **given: object
) -> str:
    """Return the message of the error that an action raises; check that nothing was sent."""
    assert client.sandbox is not None
    before = client.sandbox.requests
    try:
        action(client, *typed, **given)
    except rnb.InvalidInput as error:
        message = str(error)
    else:
        raise AssertionError(f"{typed!a} {given!a} was not refused")
    assert client.sandbox.requests == before, (typed, given)
    assert message.isprintable(), (typed, given)
    assert len(message) < 500, (typed, given)
    return message


# Names

BY_NAME: list[Callable[..., object]] = [
    rnb.Client.create_source,
    rnb.Client.source,
    lambda client, name: client.update_source(name, title="x"),
    rnb.Client.delete_source,
    rnb.Client.count_comments,
    rnb.Client.comments,
]
# With the part that is wrong.
OF_THE_CASE = {
    "acme": "'acme'",
    "acme/": "the name is empty",
    "/x": "the project is empty",
    "a/b/c": "the name 'b/c'",
    "../x/y": "the project '..'",
    "acme/%2e%2e": "the name '%2e%2e'",
    "acme/x?y": "the name 'x?y'",
    "acme/x#y": "the name 'x#y'",
    "acme/my source": "the name 'my source'",
    "ac me/x": "the project 'ac me'",
    "acme/x\n": r"the name 'x\n'",
    "acme\n/x": r"the project 'acme\n'",
    "acme/x\x00": r"the name 'x\x00'",
    "acme/" + "x" * 257: "the name 'xxxx",
    "x" * 257 + "/x": "the project 'xxxx",
    "acme/\N{PARTY POPPER}": "the name '\N{PARTY POPPER}'",
    "id:abc": "'id:abc'",
}
NO_NAMES: list[Any] = [
    "",
    "/",
    "//",
    "acme//x",
    "acme/x/",
    "../x",
    "acme/..",
    "acme/.",
    "./x",
    "acme/%2F",
    "acme%2Fsupport",
    "acme/x;y",
    "acme/x&y",
    "acme/x:y",
    "acme/x@y",
    "acme\\x",
    "acme/x\\y",
    " acme/x",
    "acme/x ",
    "acme /x",
    "acme/x\r\nHost: evil.example",
    "\x00/x",
    "acme/x\t",
    "acme/stra\N{LATIN SMALL LETTER SHARP S}e",
    "acme/\N{FULLWIDTH LATIN SMALL LETTER X}",
    "acme/\N{KELVIN SIGN}",
    "acme/\N{ARABIC-INDIC DIGIT ONE}",
    "acme/\N{RIGHT-TO-LEFT OVERRIDE}x",
    "acme/\ud83d",
    "acme\N{FRACTION SLASH}x",
    "acme\N{FULLWIDTH SOLIDUS}x",
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


def test_case_17_no_wrong_name_is_sent(shared: rnb.Client) -> None:
    """full names `acme`, `acme/`, `/x`, `a/b/c`, `../x/y`, `acme/%2e%2e`, `acme/x?y`, `acme/x#y`,
    with spaces, newlines, NUL, 257 characters, emoji, `id:abc`: refused before anything is sent,
    with the rule and the offending part; nothing ever reaches another path.
    """
    for by_name in BY_NAME:
        for name in [*OF_THE_CASE, *NO_NAMES, None]:
            message = refused(shared, by_name, name)
            assert "project/name" in message, ascii(name)
            assert OF_THE_CASE.get(name, "") in message, ascii(name)
            if "is not valid" in message or "is empty" in message:
                assert validation.NAME_RULE in message, ascii(name)
    longest = "x" * 256
    assert shared.sandbox is not None
    before = len(shared.sandbox.requests)
    with pytest.raises(rnb.NotFound):
        shared.source(f"claims/{longest}")
    assert shared.sandbox.requests[before].path == f"/api/v1/sources/claims/{longest}"


def test_case_17_no_wrong_project_is_sent(shared: rnb.Client) -> None:
    """The name of a project has the same rule."""
    for name in [*OF_THE_CASE, *NO_NAMES, "acme/x"]:
        # "acme" can be a project, and a tuple of texts is several.
        if not isinstance(name, tuple) and not (isinstance(name, str) and name == "acme"):
            message = refused(shared, rnb.Client.sources, name)
            assert validation.NAME_RULE in message, ascii(name)


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
def test_case_17_what_is_accepted_stays_in_its_two_segments(text: str, endpoint: str) -> None:
    """Whatever is typed, nothing but its own two segments of a path is asked for."""
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
def test_case_17_any_part_stays_in_its_segment(project: str, name: str) -> None:
    """Without any check too, except for dots alone, which `full_name` refuses."""
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


def test_case_18_ids_and_names_are_resolved_or_refused(client: rnb.Client) -> None:
    """an id that is not 16 hex digits; a full name where an id is needed: resolved or refused,
    never guessed.
    """
    assert client.sandbox is not None
    for by_name in BY_NAME:
        for text in NO_IDS:
            message = refused(client, by_name, text)
            assert by_name is rnb.Client.create_source or validation.ID_RULE in message, ascii(text)
    source = client.source(WHICH)
    assert source.id is not None
    # An id is no name to create.
    refused(client, rnb.Client.create_source, source.id)
    # An update needs the name of a source, a delete its id.
    assert client.update_source(source.id, title="By id").id == source.id
    last = client.sandbox.requests[-1]
    assert (last.method, last.path) == ("POST", f"/api/v1/sources/{WHICH}")
    begin = len(client.sandbox.requests)
    assert client.delete_source(WHICH).id == source.id
    sent = [(asked.method, asked.path) for asked in client.sandbox.requests[begin:]]
    assert ("DELETE", f"/api/v1/sources/id:{source.id}") in sent
    # An id of 16 digits that no source has is asked for, and nothing like it is taken.
    with pytest.raises(rnb.NotFound):
        client.source(source.id)


# Settings

WITH_SETTINGS: list[Callable[..., object]] = [
    lambda client, **given: client.create_source("claims/travel", **given),
    lambda client, **given: client.update_source(WHICH, **given),
    lambda client, **given: client.update_source("18ba5ce699f8da1f", **given),
]


TYPING_ERRORS = [
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
]


@pytest.mark.parametrize("write", WITH_SETTINGS)
def test_case_19_an_unknown_field_is_refused(
    shared: rnb.Client, write: Callable[..., object]
) -> None:
    """unknown fields in create or update (`titel=`): refused with the nearest known name."""
    for typed, meant in TYPING_ERRORS:
        message = refused(shared, write, **{typed: "x"})
        assert f"Unknown field {shown(typed)}." in message
        if meant:
            assert f"Did you mean '{meant}'?" in message
        for name in ("title", "language", "bucket_id"):
            # Without a similar name, all are listed.
            assert meant or name in message


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


NOT_WRITABLE = {
    "id": "the tenant sets it",
    "owner": "cannot be renamed or moved",
    "name": "cannot be renamed or moved",
    "created_at": "the tenant sets it",
    "updated_at": "the tenant sets it",
    "last_modified": "the tenant sets it",
}


@pytest.mark.parametrize("write", WITH_SETTINGS)
def test_case_20_a_wrong_value_is_refused(shared: rnb.Client, write: Callable[..., object]) -> None:
    """wrong types and values: `should_translate="false"` refused, `language="english"` refused
    with the allowed values and what they mean, `sensitive_properties="email"` (a string, not a
    list) refused, fields that cannot be updated refused, an update with no field refused.
    """
    for name, value, allowed in NO_VALUES:
        message = refused(shared, write, **{name: value})
        assert message.startswith(f"{name} must "), (name, value)
        assert allowed in message, (name, value)
    for name, reason in NOT_WRITABLE.items():
        message = refused(shared, write, **{name: "x"})
        assert f"{name} cannot be given in" in message
        assert reason in message
    # One wrong value stops all, and all problems are listed at once.
    given = {"titel": "x", "language": "english", "owner": "x", "title": 5, "description": "y"}
    message = refused(shared, write, **given)
    for part in ("Unknown field 'titel'", "language must", "owner cannot", "title must"):
        assert part in message
    for which in (WHICH, "18ba5ce699f8da1f"):
        message = refused(shared, rnb.Client.update_source, which)
        assert message.startswith("Nothing to update: give at least one of title, language")


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


HALVES: list[dict[str, Any]] = [
    {"title": "half \ud83d of one"},
    {"description": "\udc00"},
    {"sensitive_properties": ["a", "\ud83d"]},
    {"kind": "\ud83d"},
    {"bucket_id": "\ud83d"},
    {"email_transform_tag": "\ud800"},
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["title", "description"])
def test_case_21_texts_travel_unchanged(client: rnb.Client, name: str) -> None:
    """a title of 100,000 characters, right-to-left text, combining characters, surrogates: sent
    as they are or refused by the server's own message; never cut silently.
    """
    settings: dict[str, Any]
    for case, text in TEXTS.items():
        settings = {name: text}
        assert getattr(client.update_source(WHICH, **settings), name) == text, case
        assert getattr(client.source(WHICH), name) == text, case
        df = client.sources("claims")
        assert df.loc[df["name"] == "motor-inbox", name].tolist() == [text], case
        assert len(text) == len(client.source(WHICH).to_series()[name]), case
    # What is too long for the tenant is refused in its words, and changes nothing.
    settings = {name: "x" * 9_000_000}
    with pytest.raises(rnb.ValidationFailed) as caught:
        client.update_source(WHICH, **settings)
    assert caught.value.server_message
    assert caught.value.server_message.rstrip(".") in str(caught.value)
    assert getattr(client.source(WHICH), name) == text
    # Half a character is in no UTF-8: it is refused here, and nothing is sent.
    for halved in HALVES:
        field = next(iter(halved))
        for write in WITH_SETTINGS:
            message = refused(client, write, **halved)
            assert f"{field} holds half a character" in message
        source = replace(client.source(WHICH), **halved)
        message = refused(client, rnb.Client.recreate_source, source)
        assert "half a character" in message
    assert getattr(client.source(WHICH), name) == text


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


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("way", ["argument", "environment", "context"])
def test_case_22_a_wrong_token_is_refused(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """a token with a newline, spaces or non-Latin characters: refused before sending (no header
    injection), without echoing it.
    """
    with Scripted(repeat=True) as server:
        for token in NO_TOKENS:
            given: dict[str, Any] = {}
            if way == "argument":
                given = {"endpoint": server.endpoint, "token": token}
            elif not isinstance(token, str) or not token or not is_storable(token):
                continue
            elif way == "environment":
                monkeypatch.setenv("REINFER_ENDPOINT", server.endpoint)
                monkeypatch.setenv("REINFER_TOKEN", token)
            else:
                write_context(server.endpoint, token)
            with pytest.raises((rnb.InvalidInput, rnb.ConfigurationError)) as caught:
                rnb.connect(**given).me()
            message = str(caught.value)
            assert FROM[way] in message, ascii(token)
            for text in (message, repr(caught.value), repr(vars(caught.value))):
                assert "s3cr3t" not in text, ascii(token)
                assert "5353" not in text, ascii(token)
                assert text.isprintable(), ascii(token)
        # Nothing was sent: nobody has so much as connected.
        assert (server.connections, server.asked) == (0, [])


FROM = {
    "argument": "token given",
    "environment": "REINFER_TOKEN of the environment",
    "context": 'context "dev"',
}


def is_storable(token: str) -> bool:
    """True if an environment variable can hold a text."""
    return "\0" not in token and token.encode(errors="ignore").decode() == token


def write_context(endpoint: str, token: str) -> None:
    """Make a context of the vendor's client the current one."""
    file = tenant.contexts_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    entry: dict[str, Any] = {"name": "dev", "endpoint": endpoint, "token": token}
    entry |= {"accept_invalid_certificates": False, "proxy": None}
    file.write_text(json.dumps({"current_context": "dev", "contexts": [entry]}))
