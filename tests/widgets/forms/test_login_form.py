"""The login form without a browser: login, logout, keyring, and that it never shows the token."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from ipywidgets import embed

import reinfer_nb as rnb
from reinfer_nb.auth import keyring_store
from reinfer_nb.auth import tenant as config
from reinfer_nb.auth.secret import Token
from reinfer_nb.widgets import jobs
from reinfer_nb.widgets.forms.login_form import Login, login
from tests.scripted import Scripted, reply

keyring = pytest.importorskip("keyring", reason="the extra keyring is not installed")

from keyring.backend import KeyringBackend  # noqa: E402 - after the look whether it is there
from keyring.backends import fail, null  # noqa: E402
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError  # noqa: E402

ELSEWHERE = "https://elsewhere.example/org/t/reinfer_"
NOBODY = {"status": "error", "message": "401 Unauthorized"}
USER = {"id": "18ba5ce699f8da1f", "username": "jo", "email": "jo@example.com"}


class Memory(KeyringBackend):
    """A keyring in memory that can be made to fail."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.failure: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append(username)
        if self.failure is not None and isinstance(self.failure, KeyringLocked):
            raise self.failure
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.failure is not None:
            raise type(self.failure)(f"cannot store {password}")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.failure is not None:
            raise self.failure
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def _nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without a login, the user's keyring and the delay for double clicks."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    config.forget_login()
    yield
    config.forget_login()
    keyring.set_keyring(before)


@pytest.fixture
def ring() -> Memory:
    """The system's keyring, in memory."""
    made = Memory()
    keyring.set_keyring(made)
    return made


def token_of(client: rnb.Client, who: str = "admin") -> str:
    assert client.sandbox is not None
    return client.sandbox.tokens[who]


def quiet(form: Login) -> None:
    """Wait until the form is idle; a lookup may start another one."""
    form.jobs.wait()
    form.lookups.wait()
    while form.lookups.running:
        time.sleep(0.01)


def press(form: Login, typed: str | None = None, endpoint: str | None = None) -> None:
    """Fill in the form as a page would, press its button, and wait."""
    if endpoint is not None:
        form.endpoint.value = endpoint
    quiet(form)
    form.token.filled = typed is not None
    form.button.click()
    if typed is not None:
        answer(form, typed.encode())
    quiet(form)


def answer(form: Login, *buffers: bytes, asked: int | None = None) -> None:
    number = form.token._asked if asked is None else asked
    content = {"type": "token", "asked": number}
    form.token._handle_custom_msg(content, [memoryview(buffer) for buffer in buffers])


def logged_in(client: rnb.Client, who: str = "admin", *, keep: bool = False) -> Login:
    form = login()
    quiet(form)
    form.keep.value = keep
    press(form, token_of(client, who), client.endpoint)
    assert form.client is not None, texts(form)
    return form


def client_of(form: Login) -> rnb.Client | None:
    return form.client


def texts(form: Login) -> str:
    return " ".join(part.value for part in form.children if isinstance(part, ipywidgets.HTML))


def bearer(client: rnb.Client) -> str:
    return "".join(client._transport.tenant.token.bearer()).removeprefix("Bearer ")


def contexts_file(content: dict[str, Any]) -> Path:
    file = config.contexts_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def context(name: str, endpoint: str, token: str | None, **more: Any) -> dict[str, Any]:
    entry = {"accept_invalid_certificates": False, "proxy": None}
    return {"name": name, "endpoint": endpoint, "token": token} | entry | more


# Logging in


def test_a_login_works_and_says_what_the_token_may_do(client: rnb.Client) -> None:
    form = login()
    changes: list[Any] = []
    form.observe(changes.append, "client")
    assert client_of(form) is None
    assert repr(form).startswith("Login form, not logged in; cannot be shown in a terminal")
    sent: list[Any] = []
    form.token.send = sent.append
    press(form, token_of(client, "viewer"), client.endpoint + "/")
    assert repr(form.client) == f"<Client of {client.endpoint}, token from login>"
    assert [change["new"] for change in changes] == [form.client]
    assert repr(form) == f"Login: viewer@example.com on {client.endpoint}"
    for text in ("viewer@example.com", "claims", "sources-read"):
        assert text in texts(form)
    assert [content["type"] for content in sent] == ["give", "empty"]
    assert not form.token.filled
    assert not form.button.disabled


def test_what_was_logged_in_to_is_what_connect_gives(client: rnb.Client) -> None:
    logged_in(client, "viewer")
    for made in (rnb.connect(), rnb.connect(endpoint=client.endpoint + "/")):
        assert repr(made) == f"<Client of {client.endpoint}, token from login>"
        assert made.me().username == "viewer"
    own = rnb.connect(token=token_of(client))
    assert own.endpoint == client.endpoint
    assert own.me().username == "admin"
    assert "token from argument" in repr(own)


def test_a_login_goes_before_the_environment_and_the_current_context(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [context("dev", client.endpoint, "dev-token"), context("prod", ELSEWHERE, "prod-token")]
    contexts_file({"current_context": "prod", "contexts": two})
    logged_in(client)
    ours = f"<Client of {client.endpoint}, token from login>"
    assert repr(rnb.connect()) == ours
    monkeypatch.setenv("REINFER_CONTEXT", "prod")
    assert repr(rnb.connect()) == ours
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    assert repr(rnb.connect()) == ours
    assert repr(rnb.connect(endpoint=client.endpoint)) == ours
    assert bearer(rnb.connect(context="dev")) == "dev-token"
    assert bearer(rnb.connect(context="prod")) == "prod-token"
    assert bearer(rnb.connect(endpoint=client.endpoint, token="own")) == "own"
    with pytest.raises(rnb.ConfigurationError, match="not both"):
        rnb.connect(endpoint=client.endpoint, context="dev")


@pytest.mark.slow
@pytest.mark.parametrize("more", ["/x", "x", "0", "@evil.example", ".evil.example"])
def test_another_endpoint_never_gets_the_token(client: rnb.Client, more: str) -> None:
    logged_in(client)
    with pytest.raises(rnb.ReinferError) as caught:
        rnb.connect(endpoint=client.endpoint + more)
    assert token_of(client) not in str(caught.value)
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=ELSEWHERE)


def test_logging_in_again_replaces_what_was(client: rnb.Client) -> None:
    first = logged_in(client, "viewer")
    second = logged_in(client, "admin")
    assert rnb.connect().me().username == "admin"
    # The login of the first form is replaced; it must not end the login of the second.
    first.leave.click()
    quiet(first)
    assert client_of(first) is None
    assert rnb.connect().me().username == "admin"
    assert second.client is not None


def test_logging_out_forgets(client: rnb.Client) -> None:
    form = login()
    assert form.leave.layout.display == "none"
    form.close()
    form = logged_in(client)
    assert not form.leave.layout.display
    form.leave.click()
    quiet(form)
    assert client_of(form) is None
    assert form.leave.layout.display == "none"
    assert f"Logged out of {client.endpoint}" in texts(form)
    assert "not logged in" in repr(form)
    assert config.logged_in() is None
    with pytest.raises(rnb.ConfigurationError, match="No tenant is configured"):
        rnb.connect()
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=client.endpoint)


def test_a_new_form_knows_of_the_login_and_can_end_it(client: rnb.Client) -> None:
    logged_in(client)
    form = login()
    quiet(form)
    assert form.endpoint.value == client.endpoint
    assert "the login of this session" in texts(form)
    assert "already" in texts(form)
    assert client_of(form) is None
    press(form)
    assert form.client is not None
    again = login()
    again.leave.click()
    quiet(again)
    assert config.logged_in() is None


def test_the_ways_name_the_login() -> None:
    with pytest.raises(rnb.ConfigurationError, match=r"rnb\.login\(\)"):
        rnb.connect()


# What goes wrong


def test_a_token_that_is_unknown_is_said_at_the_token_and_nothing_is_lost(
    client: rnb.Client,
) -> None:
    form = login()
    sent: list[Any] = []
    form.token.send = sent.append
    press(form, "wrong-token", client.endpoint)
    assert 'role="alert"' in form._about_token.value
    assert "does not know the token" in form._about_token.value
    assert form._about_endpoint.value == ""
    assert form.token.get_state("invalid") == {"invalid": True}
    assert form.token.filled
    assert [content["type"] for content in sent] == ["give"]
    assert form.endpoint.value == client.endpoint
    assert client_of(form) is None
    assert config.logged_in() is None
    assert not form.button.disabled
    press(form, token_of(client))
    assert form.client is not None
    assert not form.token.invalid
    assert "alert" not in texts(form)


def test_a_double_click_does_not_take_the_message_away(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 60.0)
    form = login()
    press(form, "wrong-token", client.endpoint)
    text = texts(form)
    press(form, "wrong-token")
    assert "does not know the token" in text
    assert texts(form) == text
    assert form.token.invalid
    assert not form.button.disabled
    assert client.sandbox is not None
    assert [asked.status for asked in client.sandbox.requests] == [401]


def test_a_failure_leaves_an_earlier_login_alone(client: rnb.Client) -> None:
    form = logged_in(client)
    press(form, "wrong-token")
    assert form.client is not None
    assert rnb.connect().me().username == "admin"


def test_an_endpoint_that_cannot_be_reached_is_said_at_the_endpoint() -> None:
    with Scripted() as server:
        gone = server.endpoint
    form = login()
    press(form, "abc", gone)
    assert "Check the endpoint" in form._about_endpoint.value
    assert "alert" not in form._about_token.value
    assert form.token.filled
    assert client_of(form) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "status", "where"),
    [
        (NOBODY, 401, "token"),
        ({"status": "error", "message": "no"}, 403, "token"),
        ({"status": "error", "message": "no"}, 404, "endpoint"),
        ({"status": "error", "message": "no"}, 503, "endpoint"),
        ({"status": "ok"}, 200, "endpoint"),
        (b"<html>", 200, "endpoint"),
    ],
)
def test_an_error_stands_beside_what_it_is_about(content: Any, status: int, where: str) -> None:
    with Scripted(reply(content, status), repeat=True) as server:
        form = login()
        press(form, "abc", server.endpoint)
    there, other = form._about_endpoint.value, form._about_token.value
    if where == "token":
        there, other = other, there
    assert "alert" in there
    assert "alert" not in other
    assert client_of(form) is None


def test_what_a_tenant_says_is_no_html() -> None:
    evil = "<img src=x onerror=alert(1)>"
    user = USER | {
        "email": evil,
        "global_permissions": [evil],
        "organisation_permissions": {evil: [evil]},
    }
    responses = [
        reply({"status": "error", "message": evil}, 404),
        reply({"status": "ok", "user": user}),
    ]
    with Scripted(*responses) as server:
        form = login()
        press(form, "abc", server.endpoint)
        assert "&lt;img" in form._about_endpoint.value
        assert "<img" not in texts(form)
        press(form, "abc")
    assert form.client is not None
    assert texts(form).count("&lt;img") >= 4
    assert "<img" not in texts(form)
    assert evil in repr(form)


@pytest.mark.parametrize("typed", ["s3cr3t x", "s3cr3té", "s3cr3t" * 2000, " "])
def test_a_text_that_is_no_token_is_said_at_the_token(client: rnb.Client, typed: str) -> None:
    asked = len(client.sandbox.requests) if client.sandbox else 0
    form = login()
    press(form, typed, client.endpoint)
    assert "alert" in form._about_token.value
    assert "s3cr3t" not in texts(form)
    assert client.sandbox is not None
    assert len(client.sandbox.requests) == asked


def test_blanks_around_a_token_do_not_matter(client: rnb.Client) -> None:
    form = login()
    press(form, f"  {token_of(client)}\n", client.endpoint)
    assert form.client is not None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", ""),
        ("h", ""),
        ("https:", ""),
        ("http://", ""),
        ("x", "does not begin with https://"),
        ("https://", ""),
        ("https://t.example/api/v1", "end it before /api/v1"),
        ("http://t.example", "plain http"),
        ("https://t.example/<b>", ""),
        ("https://me:s3cr3t@t.example", "holds a user name"),
        (" https://t.example ", ""),
    ],
)
def test_the_endpoint_is_checked_while_it_is_typed(typed: str, said: str) -> None:
    form = login()
    form.endpoint.value = typed
    assert said in form._about_endpoint.value
    assert ("alert" in form._about_endpoint.value) == bool(said)
    assert "s3cr3t" not in form._about_endpoint.value
    quiet(form)


def test_no_endpoint_is_said_when_the_button_is_pressed() -> None:
    form = login()
    press(form, "abc")
    assert "Choose an endpoint" in form._about_endpoint.value
    assert form.token._asked == 0


@pytest.mark.parametrize("other", [False, True])
def test_neither_typed_nor_known_is_said_at_the_token(
    monkeypatch: pytest.MonkeyPatch, *, other: bool
) -> None:
    if other:
        monkeypatch.setenv("REINFER_ENDPOINT", "https://env.example")
        monkeypatch.setenv("REINFER_TOKEN", "env-token")
    form = login()
    press(form, None, ELSEWHERE)
    assert f"Type the token of {ELSEWHERE}" in form._about_token.value


def test_a_fault_of_the_toolkit_is_said_as_one(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: rnb.Client) -> None:
        raise KeyError(token_of(client))

    monkeypatch.setattr(rnb.Client, "me", broken)
    form = login()
    press(form, token_of(client), client.endpoint)
    assert "KeyError: this is a bug in the toolkit" in texts(form)
    assert token_of(client) not in texts(form)
    assert not form.button.disabled


# One request at a time, and no unrequested token


def test_a_double_click_asks_once(client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 60.0)
    assert client.sandbox is not None
    form = login()
    form.endpoint.value = client.endpoint
    form.token.filled = True
    sent: list[Any] = []
    form.token.send = sent.append
    form.button.click()
    assert form.button.disabled
    assert form.token.get_state("busy") == {"busy": True}
    form.button.click()
    form.token._handle_custom_msg({"type": "enter"}, [])
    assert sent == [{"type": "give", "asked": 1}]
    answer(form, token_of(client).encode())
    answer(form, token_of(client).encode())
    form.button.click()
    quiet(form)
    form.button.click()
    quiet(form)
    assert form.client is not None
    assert not form.button.disabled
    assert not form.token.busy
    assert [asked.status for asked in client.sandbox.requests] == [200]


def test_enter_in_the_box_is_the_button(client: rnb.Client) -> None:
    form = login()
    form.endpoint.value = client.endpoint
    form.token.filled = True
    form.token._handle_custom_msg({"type": "enter"}, [])
    answer(form, token_of(client).encode())
    quiet(form)
    assert form.client is not None


@pytest.mark.parametrize("filled", [True, False])
def test_enter_may_come_before_the_box_is_known_to_be_filled(
    client: rnb.Client, *, filled: bool
) -> None:
    form = login()
    form.endpoint.value = client.endpoint
    form.token.filled = not filled
    sent: list[Any] = []
    form.token.send = sent.append
    form.token._handle_custom_msg({"type": "enter", "filled": filled}, [])
    assert sent == ([{"type": "give", "asked": 1}] if filled else [])


def test_an_answer_that_nobody_asked_for_is_ignored(client: rnb.Client) -> None:
    form = login()
    form.endpoint.value = client.endpoint
    answer(form, token_of(client).encode())
    answer(form, token_of(client).encode(), asked=1)
    quiet(form)
    assert client_of(form) is None
    form.token.filled = True
    form.button.click()
    answer(form, b"wrong-token", asked=7)
    form.token.give_up()
    answer(form, b"wrong-token")
    assert not form.jobs.running
    assert client_of(form) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "buffers"),
    [
        (None, []),
        ("token", []),
        ([], []),
        ({}, []),
        ({"type": 5}, []),
        ({"type": "token"}, [b"abc"]),
        ({"type": "token", "asked": True}, [b"abc"]),
        ({"type": "token", "asked": "1"}, [b"abc"]),
        ({"type": "token", "asked": 1}, []),
        ({"type": "token", "asked": 1}, None),
        ({"type": "token", "asked": 1, "value": "abc"}, []),
        ({"type": "token", "asked": 1}, [b"abc", b"def"]),
        ({"type": "token", "asked": 1}, [b"\xff"]),
        ({"type": "token", "asked": 1}, ["abc"]),
    ],
)
def test_a_malformed_message_is_ignored(client: rnb.Client, content: Any, buffers: Any) -> None:
    form = login()
    form.endpoint.value = client.endpoint
    form.token.filled = True
    form.button.click()
    form.token._handle_custom_msg(content, buffers)
    assert not form.jobs.running
    # The form still waits for a valid message.
    answer(form, token_of(client).encode())
    quiet(form)
    assert form.client is not None


def test_a_page_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    form = login()
    form.endpoint.value = ELSEWHERE
    form.token.filled = True
    form.button.click()
    form._on_token_timeout(1)
    assert "Type it again" in form._about_token.value
    assert not form.button.disabled
    assert not form.token.filled
    form._on_token_timeout(1)
    answer(form, b"abc")
    assert not form.jobs.running
    quiet(form)


# Known endpoints and tokens


def test_the_endpoints_of_the_contexts_are_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    prod = "https://cloud.uipath.com/org/prod/reinfer_"
    two = [context("dev", ELSEWHERE + "/", None), context("prod", prod, "prod-token")]
    contexts_file({"current_context": "prod", "contexts": [*two, *two]})
    form = login()
    assert form.endpoint.options == (prod, ELSEWHERE)
    assert form.endpoint.value == prod
    assert form.endpoint.description == "Endpoint"
    quiet(form)
    monkeypatch.setenv("REINFER_ENDPOINT", "https://env.example")
    form = login()
    assert form.endpoint.options == ("https://env.example", prod, ELSEWHERE)
    assert form.endpoint.value == "https://env.example"
    quiet(form)


def test_nothing_known_is_nothing_to_choose_from() -> None:
    form = login()
    assert form.endpoint.options == ()
    assert form.endpoint.value == ""
    quiet(form)


def test_a_broken_contexts_file_is_said_and_does_not_matter_to_who_types(
    client: rnb.Client,
) -> None:
    file = contexts_file({})
    file.write_text("{")
    form = login()
    assert "contexts file" in texts(form)
    press(form, token_of(client), client.endpoint)
    assert form.client is not None


def test_a_token_that_is_there_need_not_be_typed(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = context("mine", client.endpoint, token_of(client, "viewer"))
    contexts_file({"current_context": None, "contexts": [mine]})
    form = login()
    form.endpoint.value = ELSEWHERE
    quiet(form)
    assert "May stay empty" not in texts(form)
    form.endpoint.value = client.endpoint
    quiet(form)
    assert "May stay empty: the token from context &quot;mine&quot; is used." in texts(form)
    press(form)
    assert form.client is not None
    assert form.client.me().username == "viewer"
    assert "token from login" in repr(rnb.connect())
    config.forget_login()
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", token_of(client))
    form = login()
    quiet(form)
    assert "environment variable REINFER_TOKEN" in texts(form)
    press(form)
    assert form.client is not None
    assert form.client.me().username == "admin"


def test_a_wrong_token_of_a_context_is_named(client: rnb.Client) -> None:
    contexts_file({"contexts": [context("mine", client.endpoint, "outdated")]})
    form = login()
    press(form, None, client.endpoint)
    assert "context &quot;mine&quot;" in form._about_token.value
    assert "alert" in form._about_token.value


def test_of_several_contexts_none_is_guessed(client: rnb.Client) -> None:
    two = [context("a", client.endpoint, "a-token"), context("b", client.endpoint, "b-token")]
    contexts_file({"contexts": two})
    form = login()
    press(form, None, client.endpoint)
    assert "Several contexts" in form._about_token.value
    press(form, token_of(client))
    assert form.client is not None


@pytest.mark.parametrize("typed", ["own-token", None])
def test_certificates_and_proxy_of_a_context_stay_in_force(
    client: rnb.Client, typed: str | None
) -> None:
    proxy = "http://me:pa55word@proxy.example:3128"
    entry = context(
        "mine", client.endpoint, token_of(client), proxy=proxy, accept_invalid_certificates=True
    )
    contexts_file({"current_context": None, "contexts": [entry]})
    form = login()
    # Requests to this machine use no proxy, so the sandbox responds.
    press(form, typed and token_of(client, "viewer"), client.endpoint)
    assert form.client is not None
    with pytest.warns(rnb.InsecureWarning):
        connected = rnb.connect()
    for made in (form.client, connected):
        tenant = made._transport.tenant
        assert tenant.verify is False
        assert tenant.proxy is not None
        assert "".join(tenant.proxy) == proxy
        assert made.me().username == ("viewer" if typed else "admin")
    assert "certificate is not verified" in texts(form)
    assert "pa55word" not in texts(form)


def test_contexts_that_disagree_leave_certificates_verified() -> None:
    two = [
        context("a", ELSEWHERE, "a-token", accept_invalid_certificates=True),
        context("b", ELSEWHERE, "b-token"),
    ]
    contexts_file({"current_context": None, "contexts": two})
    tenant = config.tenant_at(ELSEWHERE, Token("own"))
    assert tenant is not None
    assert tenant.verify is True
    contexts_file({"current_context": "a", "contexts": two})
    tenant = config.tenant_at(ELSEWHERE, Token("own"))
    assert tenant is not None
    assert tenant.verify is False


# The system's keyring


def test_the_keyring_is_the_last_resort(
    client: rnb.Client, ring: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.kept["reinfer_nb", client.endpoint] = "kept"
    assert bearer(rnb.connect(endpoint=client.endpoint)) == "kept"
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    assert bearer(rnb.connect()) == "kept"
    ring.asked.clear()
    contexts_file({"contexts": [context("mine", client.endpoint, "of-context")]})
    assert bearer(rnb.connect()) == "of-context"
    monkeypatch.setenv("REINFER_TOKEN", "of-env")
    assert bearer(rnb.connect()) == "of-env"
    assert bearer(rnb.connect(token="own")) == "own"
    assert ring.asked == []
    # A token in the environment for another endpoint does not matter.
    config.contexts_file().unlink()
    monkeypatch.setenv("REINFER_ENDPOINT", ELSEWHERE)
    assert bearer(rnb.connect(endpoint=client.endpoint)) == "kept"


def test_logging_out_takes_it_out_of_the_keyring(client: rnb.Client, ring: Memory) -> None:
    form = logged_in(client, keep=True)
    ring.kept["reinfer_nb", ELSEWHERE] = "other"
    form.leave.click()
    quiet(form)
    assert ring.kept == {("reinfer_nb", ELSEWHERE): "other"}
    assert "removed from the keyring" in texts(form)
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=client.endpoint)


def test_a_keyring_that_refuses_does_not_spoil_the_login(client: rnb.Client, ring: Memory) -> None:
    ring.failure = PasswordSetError()
    form = logged_in(client, keep=True)
    assert "did not store it: PasswordSetError" in texts(form)
    assert token_of(client) not in texts(form)
    assert ring.kept == {}
    assert rnb.connect().me().username == "admin"


def test_a_keyring_that_does_not_let_go_is_said(client: rnb.Client, ring: Memory) -> None:
    form = logged_in(client, keep=True)
    ring.failure = PasswordDeleteError()
    form.leave.click()
    quiet(form)
    assert "still keeps the token" in texts(form)
    assert config.logged_in() is None
    assert client_of(form) is None


def test_a_locked_keyring_is_said(client: rnb.Client, ring: Memory) -> None:
    ring.failure = KeyringLocked("s3cr3t")
    with pytest.raises(rnb.ConfigurationError, match="it is locked") as caught:
        rnb.connect(endpoint=client.endpoint)
    assert caught.value.__context__ is None
    form = login()
    form.endpoint.value = client.endpoint
    quiet(form)
    assert "it is locked" in texts(form)
    press(form, token_of(client))
    assert form.client is not None


def test_a_bad_token_of_the_keyring_is_named_and_not_shown(
    client: rnb.Client, ring: Memory
) -> None:
    ring.kept["reinfer_nb", client.endpoint] = "s3cr3t x"
    with pytest.raises(rnb.ConfigurationError, match="system's keyring") as caught:
        rnb.connect(endpoint=client.endpoint)
    assert "s3cr3t" not in str(caught.value)
    assert "contexts" not in str(caught.value)


def test_without_the_package_it_cannot_be_ticked(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    form = login()
    quiet(form)
    assert form.keep.disabled
    assert "pip install &#x27;reinfer_nb[keyring]&#x27;" in texts(form)
    form.keep.value = True
    press(form, token_of(client), client.endpoint)
    assert form.client is not None
    assert "Kept in the keyring" not in texts(form)
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=ELSEWHERE)
    with pytest.raises(rnb.ConfigurationError, match="not installed"):
        keyring_store.keep(ELSEWHERE, Token("abc"))


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_without_a_keyring_it_cannot_be_ticked(backend: type[KeyringBackend]) -> None:
    keyring.set_keyring(backend())
    form = login()
    quiet(form)
    assert form.keep.disabled
    assert "no keyring that can be used" in texts(form)
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=ELSEWHERE)


def test_a_keyring_that_cannot_even_be_found_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(keyring, "get_keyring", broken)
    assert "RuntimeError" in str(keyring_store.unusable())
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=ELSEWHERE)


# The token is nowhere visible


def states(form: Login) -> str:
    """Return the saved state and all attributes of all widgets in a form, as text."""
    todo, parts = [form], []
    while todo:
        widget = todo.pop()
        parts += [
            repr(widget),
            str(widget),
            str(widget.get_state()),
            str(widget._repr_mimebundle_()),
        ]
        parts.append(str({name: getattr(widget, name) for name in widget.trait_names()}))
        todo += getattr(widget, "children", ())
    parts.append(json.dumps(ipywidgets.Widget.get_manager_state(drop_defaults=False)))
    parts.append(json.dumps(embed.embed_data(views=[form])))
    return "\n".join(parts)


def test_no_state_text_or_log_holds_the_token(
    client: rnb.Client, ring: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = token_of(client)
    form = login()
    quiet(form)
    form.keep.value = True
    form.endpoint.value = client.endpoint
    form.token.filled = True
    form.button.click()
    assert token not in states(form)
    answer(form, token.encode())
    assert token not in states(form)
    quiet(form)
    assert form.client is not None
    assert ring.kept
    assert token not in states(form)
    assert "Endpoint" in states(form)
    for thing in (
        form,
        form.client,
        config.logged_in(),
        vars(config),
        vars(form),
        vars(form.token),
    ):
        assert token not in repr(thing)
    press(form, "sentinel-wrong")
    assert "sentinel-wrong" not in states(form)
    form.leave.click()
    quiet(form)
    assert token not in states(form)
    assert "urllib3" in caplog.text
    for secret in (token, "sentinel-wrong"):
        assert secret not in caplog.text


def full_traceback(error: BaseException) -> str:
    """Return an error with its causes and tracebacks, including local variables."""
    lines: list[str] = []
    while True:
        frames = [
            pair
            for pair in traceback.walk_tb(error.__traceback__)
            if pair[0].f_code.co_filename != __file__
        ]
        lines += traceback.StackSummary.extract(iter(frames), capture_locals=True).format()
        lines += [repr(error), str(error), repr(vars(error))]
        inner = error.__cause__ or error.__context__
        if inner is None:
            return "\n".join(lines)
        error = inner


@pytest.mark.parametrize("failure", [PasswordSetError(), RuntimeError(), KeyringLocked()])
def test_no_error_of_the_keyring_tells_the_token(ring: Memory, failure: Exception) -> None:
    ring.failure = failure
    with pytest.raises(rnb.ConfigurationError) as caught:
        keyring_store.keep(ELSEWHERE, Token("sentinel-c0ffee"))
    assert "sentinel-c0ffee" not in full_traceback(caught.value)
    ring.kept["reinfer_nb", ELSEWHERE] = "sentinel-c0ffee"
    with pytest.raises(rnb.ConfigurationError) as caught:
        keyring_store.forget(ELSEWHERE)
    assert "sentinel-c0ffee" not in full_traceback(caught.value)


@pytest.mark.parametrize("typed", ["sentinel-c0ffee x", "sentinel-c0fféé"])
def test_no_refusal_of_a_typed_token_tells_it(typed: str) -> None:
    with pytest.raises(rnb.InvalidInput) as caught:
        config.tenant_at(ELSEWHERE, Token(typed))
    assert "sentinel" not in full_traceback(caught.value)
