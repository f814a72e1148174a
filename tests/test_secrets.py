"""The token is sent only to its tenant and appears nowhere else."""

from __future__ import annotations

import copy
import html
import http.client
import json
import logging
import pickle
import re
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

import reinfer_nb as rnb
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.session import Bearer
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.auth.secret import Hidden, Token
from reinfer_nb.auth.token_function import FunctionToken
from reinfer_nb.client import Client
from tests.scripted import DROPPED, RESET, Scripted, Step, reply
from tests.waiting import ctrl_c_once

SENTINEL = "sentinel-c0ffee-token"
SOURCE = {
    "id": "18ba5ce699f8da1f",
    "owner": "acme",
    "name": "support",
    "title": "Support",
    "created_at": "2016-02-10T23:13:28.340295+00:00",
}
ONE = reply({"status": "ok", "source": SOURCE})
LISTING = reply({"status": "ok", "sources": [SOURCE]})
HTML = {"Content-Type": "text/html"}


def client_of(endpoint: str) -> Client:
    tenant = config.resolve(endpoint=endpoint, token=SENTINEL)
    patience = Patience(2)
    return Client(Transport(tenant, timeout=(5, 0.1), patience=patience, sleep=lambda _: None))


@pytest.fixture(autouse=True)
def _no_proxy_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client with the sentinel as its token, after some requests."""
    with Scripted(LISTING, ONE) as server, client_of(server.endpoint) as client:
        client.sources()
        client.source("acme/support")
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {SENTINEL}"}
        yield client


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error with all its causes and contexts."""
    todo, seen = [error], set()
    while todo:
        error = todo.pop()
        if id(error) not in seen:
            seen.add(id(error))
            yield error
            todo += [other for other in (error.__cause__, error.__context__) if other]


def crash_report(error: BaseException, test: str = __file__) -> str:
    """Return everything that a crash report could show of an error, local variables included.

    The frames of the tests are left out, since tests may hold the token.
    """
    texts = []
    for each in chain(error):
        texts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        frames = [
            (frame, line)
            for frame, line in traceback.walk_tb(each.__traceback__)
            if frame.f_code.co_filename not in (__file__, test)
        ]
        texts += traceback.StackSummary.extract(iter(frames), capture_locals=True).format()
        texts += [repr(met) for frame, _ in frames for met in reachable(frame.f_locals.values(), 3)]
    return "\n".join(texts)


def inside(thing: object) -> Iterator[object]:
    if isinstance(thing, Mapping):
        with suppress(TypeError, KeyError, RuntimeError):
            yield from [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        yield from list(thing)
    yield from list(getattr(thing, "__dict__", {}).values())
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            with suppress(AttributeError, ValueError):
                yield getattr(thing, name)


def reachable(things: Iterable[object], depth: int = 6) -> Iterator[object]:
    """Yield all objects reachable over attributes, slots and containers of the client's modules."""
    seen: dict[int, object] = {}
    level = list(things)
    for _ in range(depth + 1):
        level = [thing for thing in level if id(thing) not in seen]
        seen |= {id(thing): thing for thing in level}
        yield from level
        modules = ("reinfer_nb", "requests", "urllib3", "http", "builtins", "collections", "_io")
        own = [
            t
            for t in level
            if not isinstance(t, type) and type(t).__module__.split(".")[0] in modules
        ]
        level = [inner for thing in own for inner in inside(thing)]


# Representations of a client


def test_a_client_shows_no_token(client: Client) -> None:
    transport = client._transport
    auth = Bearer(transport.tenant.token)
    for thing in (client, transport, transport.tenant, transport.tenant.token, auth):
        for text in (str(thing), repr(thing), f"{thing}", repr(getattr(thing, "__dict__", {}))):
            assert SENTINEL not in text
        html = getattr(thing, "_repr_html_", str)()
        assert SENTINEL not in html
    assert "hidden" in repr(transport.tenant)


def test_a_walk_over_attributes_meets_no_token(client: Client) -> None:
    met = list(reachable([client]))
    assert len(met) > 100
    assert any(isinstance(thing, Token) for thing in met)
    for thing in met:
        assert SENTINEL not in repr(thing)
        assert not (isinstance(thing, str) and SENTINEL in str.__str__(thing))
        assert not (isinstance(thing, bytes | bytearray) and SENTINEL.encode() in thing)


def test_a_secret_is_sent_and_not_shown() -> None:
    secret = Token(SENTINEL).bearer()
    assert isinstance(secret, Hidden)
    assert secret.encode("latin-1") == f"Bearer {SENTINEL}".encode()
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", ascii(secret)]
    shown += ["%s" % secret, "{}".format(secret)]  # noqa: UP031, UP032
    shown += [repr([secret]), str({"Authorization": secret})]
    for text in shown:
        assert SENTINEL not in text


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_is_not_copied(client: Client, copied: Callable[[object], object]) -> None:
    tenant = client._transport.tenant
    for thing in (client, tenant.token, tenant.token.bearer()):
        with pytest.raises(TypeError) as caught:
            copied(thing)
        assert SENTINEL not in crash_report(caught.value)
    if copied is not copy.copy:
        for holder in (client._transport, tenant, [client]):
            with pytest.raises(TypeError):
                copied(holder)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_holds_the_token(client: Client, protocol: int) -> None:
    df = client.sources()
    tenant = client._transport.tenant
    for thing in (client, tenant, Bearer(tenant.token)):
        with pytest.raises(TypeError):
            pickle.dumps(thing, protocol)
    assert SENTINEL.encode() not in pickle.dumps(df, protocol)


# Results of a client


def test_frames_and_sources_hold_no_token(tmp_path: Path) -> None:
    with Scripted(LISTING, ONE) as server, client_of(server.endpoint) as client:
        df = client.sources()
        source = client.source("acme/support")
    file = rnb.to_csv(df, tmp_path / "sources.csv")
    html: Any = df  # pandas-stubs know nothing of `_repr_html_`
    for text in (
        repr(df.attrs), df.to_html(), html._repr_html_(), df.astype(str).to_json(),
        file.read_text(), repr(source), str(vars(source)), source._repr_html_(),
        source.to_series().to_string(),
    ):  # fmt: skip
        assert SENTINEL not in text
    assert SENTINEL.encode() not in pickle.dumps((df, source))
    for written in tmp_path.rglob("*"):
        assert not written.is_file() or SENTINEL.encode() not in written.read_bytes()


def test_the_sandbox_keeps_no_token() -> None:
    sandbox = rnb.sandbox()
    with sandbox as client:
        tokens = set(sandbox.tokens.values())
        client.sources()
        with (
            rnb.connect(endpoint=client.endpoint, token=SENTINEL) as stranger,
            pytest.raises(rnb.AuthenticationError) as caught,
        ):
            stranger.sources()
        shown = [repr(sandbox.requests), repr(sandbox), repr(client), crash_report(caught.value)]
        shown.append(repr(sandbox.sources().attrs))
    for text in shown:
        assert SENTINEL not in text
        assert not [token for token in tokens if token in text]


# Errors

FAILURES: dict[str, Step | bytes] = {
    "401": reply({"status": "error", "message": "401 Unauthorized"}, 401),
    "403": reply({"status": "error"}, 403),
    "409": reply({"status": "error"}, 409),
    "429": reply({"status": "error"}, 429, {"Retry-After": "3600"}),
    "503": reply({"status": "error"}, 503),
    "HTML": reply(b"<html>", 200, HTML),
    "HTML with 502": reply(b"<html>", 502, HTML),
    "no JSON": reply(b"{"),
    "not as documented": reply({"status": "ok", "source": {}}),
    "dropped": DROPPED,
    "reset": RESET,
    "cut": Step(reply({}, 200, {"Content-Length": "500"}), close=True),
    "time-out": Step(wait=5),
    "time-out within": Step(reply({}, 200, {"Content-Length": "500"})),
    "not HTTP": Step(b"SSH-2.0\r\n", close=True),
    "not gzip": reply(b"no gzip at all", 200, {"Content-Encoding": "gzip"}),
    "lengths": reply(b"x", 200, {"Content-Length": "1, 2"}),
    "redirect": reply(b"", 302, {"Location": "http://tenant.example/"}),
    "redirect to no port": reply(b"", 302, {"Location": "http://127.0.0.1:port/"}),
    "retry after": reply({}, 429, {"Retry-After": "9" * 5000}),
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_no_failure_tells_the_token(
    failure: Step | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Scripted(failure, repeat=True) as server, client_of(server.endpoint) as client:
        for ask in (
            client.sources,
            lambda: client.source("acme/support"),
            lambda: client.create_source("acme/support", title="Support"),
            lambda: client.update_source("acme/support", title="Support"),
            lambda: client.delete_source("acme/support"),
        ):
            # Including errors of other libraries.
            with pytest.raises(Exception) as caught:
                ask()
            assert SENTINEL not in crash_report(caught.value)
    assert SENTINEL not in caplog.text


@pytest.mark.parametrize(
    "failure", ["401", "503", "dropped", "cut", "time-out", "not HTTP", "not gzip"]
)
def test_no_error_carries_a_request(failure: str) -> None:
    with (
        Scripted(FAILURES[failure], repeat=True) as server,
        client_of(server.endpoint) as client,
        pytest.raises(rnb.ReinferError) as caught,
    ):
        client.source("acme/support")
    for error in chain(caught.value):
        assert type(error).__module__.startswith("reinfer_nb.")


def test_nobody_listening_tells_no_token() -> None:
    with Scripted() as server:
        endpoint = server.endpoint
    with client_of(endpoint) as client, pytest.raises(rnb.ConnectionFailed) as caught:
        client.sources()
    assert SENTINEL not in crash_report(caught.value)


def test_ctrl_c_tells_no_token() -> None:
    with Scripted(Step(wait=60)) as server:
        tenant = config.resolve(endpoint=server.endpoint, token=SENTINEL)
        with (
            Client(Transport(tenant)) as client,
            pytest.raises(KeyboardInterrupt) as caught,
            ctrl_c_once(lambda: server.asked),
        ):
            client.sources()
    assert SENTINEL not in crash_report(caught.value)


@pytest.mark.parametrize("status", [200, 401, 422, 503])
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_token_that_the_other_side_echoes_is_not_shown(
    kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    message = f"who is Bearer {SENTINEL}?"
    content = {"status": "error", "message": message} if kind.endswith("json") else message.encode()
    with (
        Scripted(reply(content, status, {"Content-Type": kind}), repeat=True) as server,
        client_of(server.endpoint) as client,
        pytest.raises(rnb.ReinferError) as caught,
    ):
        client.source("acme/support")
    for error in chain(caught.value):
        assert SENTINEL not in str(error)
        assert SENTINEL not in repr(vars(error))
    assert SENTINEL not in caplog.text


def test_a_redirect_that_echoes_the_token_does_not_show_it() -> None:
    location = f"http://tenant.example/?token={SENTINEL}"
    with (
        Scripted(reply(b"", 302, {"Location": location})) as server,
        client_of(server.endpoint) as client,
        pytest.raises(rnb.ProtocolError) as caught,
    ):
        client.source("acme/support")
    assert SENTINEL not in str(caught.value)


# A token with characters that are escaped in URLs, JSON and HTML.
ODD = "sentinel/c0ffee+token==&<'\"~"
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": quote,
    "quoted whole": lambda token: quote(token, safe=""),
    "quoted with plus": quote_plus,
    "quoted in lower case": lambda token: re.sub(
        "%..", lambda match: match[0].lower(), quote(token, safe="")
    ),
    "JSON": lambda token: json.dumps(token)[1:-1],
    "JSON with slashes": lambda token: json.dumps(token)[1:-1].replace("/", r"\/"),
    "JSON with escapes": lambda token: "".join(
        c if c.isalnum() else f"\\u{ord(c):04x}" for c in token
    ),
    "HTML": html.escape,
    "HTML by numbers": lambda token: re.sub("[^a-z0-9]", lambda m: f"&#{ord(m[0])};", token),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_token_is_hidden_in_whatever_form_it_comes(form: Callable[[str], str]) -> None:
    text = f"before {form(ODD)} after"
    for token in (Token(ODD), FunctionToken(lambda: ODD)):
        assert token.current().bearer() == f"Bearer {ODD}"
        assert token.hide_in(text) == "before *** after"
        assert token.hide_echo(text) == "before *** after"
        assert token.hide_echo(text.encode()) == b"before *** after"


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("place", ["message", "page", "location", "title"])
def test_no_response_shows_a_token_in_another_form(
    form: Callable[[str], str], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = form(ODD)
    responses = {
        "message": reply({"status": "error", "message": f"who is {echo}?"}, 422),
        "page": reply(f"<p>{echo}</p>".encode(), 403, HTML),
        "location": reply(b"", 302, {"Location": f"http://tenant.example/?token={echo}"}),
        "title": reply({"status": "ok", "source": SOURCE | {"created_at": echo}}),
    }
    with (
        Scripted(responses[place], repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=ODD) as client,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        shown = ""
        try:
            client.source("acme/support")
        except rnb.ReinferError as error:
            shown = crash_report(error) + repr(vars(error))
        shown += "".join(str(warning.message) for warning in caught) + caplog.text
    assert shown
    assert echo not in shown
    assert ODD not in shown


@pytest.mark.parametrize(
    "endpoint",
    [
        f"https://h.example/?token={SENTINEL}",
        f"https://h.example/#{SENTINEL}",
        f"https://user:{SENTINEL}@h.example/",
        f"user:{SENTINEL}@h.example/",
        f"ftp://user:{SENTINEL}@h.example/?x#{SENTINEL}",
        f"https://h.example:{SENTINEL}@h/",
        f"https://h.example/ ?{SENTINEL}",
    ],
)
def test_no_message_repeats_what_in_an_endpoint_may_be_a_secret(endpoint: str) -> None:
    for token in ("some-token", None):
        with pytest.raises(rnb.ReinferError) as caught:
            rnb.connect(endpoint=endpoint, token=token)
        assert SENTINEL not in f"{caught.value} {caught.value!r}"


REFUSED = {
    "plain http": ("http://tenant.example", SENTINEL),
    "no URL": ("tenant.example", SENTINEL),
    "query": ("https://tenant.example/?x", SENTINEL),
    "no endpoint": (None, SENTINEL),
    "line": ("https://tenant.example", f"{SENTINEL}\n"),
    "injection": ("https://tenant.example", f"{SENTINEL}\r\nX-Injected: yes"),
    "space": ("https://tenant.example", f"{SENTINEL} "),
    "not Latin": ("https://tenant.example", f"{SENTINEL}é"),
}


def refusal(monkeypatch: pytest.MonkeyPatch, way: str, case: str) -> rnb.ReinferError:
    endpoint, token = REFUSED[case]
    given: dict[str, Any] = {"endpoint": endpoint, "token": token}
    if way == "environment":
        monkeypatch.setenv("REINFER_TOKEN", token)
        if endpoint is not None:
            monkeypatch.setenv("REINFER_ENDPOINT", endpoint)
        given = {}
    with pytest.raises(rnb.ReinferError) as caught:
        rnb.connect(**given)
    return caught.value


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_no_refusal_to_connect_names_the_token(
    monkeypatch: pytest.MonkeyPatch, way: str, case: str
) -> None:
    for error in chain(refusal(monkeypatch, way, case)):
        assert SENTINEL not in str(error)
        assert SENTINEL not in repr(vars(error))


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_no_refusal_to_connect_has_the_token_in_its_traceback(
    monkeypatch: pytest.MonkeyPatch, way: str, case: str
) -> None:
    assert SENTINEL not in crash_report(refusal(monkeypatch, way, case))


def test_a_contexts_file_that_is_broken_tells_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "reinfer" / "contexts.json"
    file.parent.mkdir()
    entry = '{"name": "prod", "endpoint": "https://tenant.example", "token": "%s"%s'
    for ending in ("", "]", ', "proxy"', "}]}x", ', "endpoint": 5}]}'):
        file.write_text('{"contexts": [' + entry % (SENTINEL, ending))
        with pytest.raises(rnb.ConfigurationError) as caught:
            rnb.connect(context="prod")
        for error in chain(caught.value):
            assert SENTINEL not in str(error)


# Logs


def test_no_log_tells_the_token(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "http.client", "reinfer_nb"):
        caplog.set_level(logging.DEBUG, name)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    failure = reply({"status": "error"}, 503)
    redirect = reply(b"", 302, {"Location": "/elsewhere"})
    with Scripted(failure, DROPPED, LISTING, redirect, ONE, ONE, ONE) as server:
        with client_of(server.endpoint) as client:
            with pytest.raises(rnb.ConnectionFailed):
                client.sources()
            client.sources()
            client.source("acme/support")
            client.update_source("acme/support", title="Support")
            client.create_source("acme/support", title="Support")
        # Debug output is on: other connections do print.
        other = http.client.HTTPConnection(server.endpoint.removeprefix("http://"))
        other.request("GET", "/other")
        other.getresponse().read()
        other.close()
    out, err = capfd.readouterr()
    assert "/other" in out
    assert "urllib3" in caplog.text
    assert "Retrying in" in caplog.text
    for text in (caplog.text, out, err):
        assert SENTINEL not in text
        assert "Bearer" not in text
