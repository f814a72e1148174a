"""Secrets: the token is sent to its tenant, and appears nowhere else."""

from __future__ import annotations

import copy
import gzip
import html
import http.client
import json
import logging
import os
import pickle
import re
import sys
import traceback
import warnings
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import ipywidgets
import keyring
import pytest
from IPython.core import ultratb
from ipywidgets import embed
from pyarrow import parquet

import reinfer_nb as rnb
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.session import Bearer
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.auth.secret import Hidden, Token
from reinfer_nb.auth.token_function import FunctionToken
from reinfer_nb.cli import lab
from reinfer_nb.client import Client
from reinfer_nb.widgets import jobs
from tests.scripted import DROPPED, RESET, Scripted, Step, reply
from tests.waiting import ctrl_c_once
from tests.widgets.forms import test_login_form

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


# All in one


def texts_of(thing: object) -> list[str]:
    """Return everything in which an object shows itself."""
    texts = [str(thing), repr(thing), f"{thing}", repr(getattr(thing, "__dict__", {}))]
    methods = ("_repr_html_", "_repr_mimebundle_", "to_html")
    return texts + [str(getattr(thing, method, str)()) for method in methods]


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, as it is and unpacked."""
    content = path.read_bytes()
    yield content
    if path.suffix == ".gz":
        yield gzip.decompress(content)
    elif path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as file:
            yield from map(file.read, file.namelist())
    elif path.suffix == ".parquet":
        table = parquet.read_table(path)
        yield f"{table.schema.metadata} {table.to_pylist()}".encode()


# In place of JupyterLab: a child that writes down what it was started with.
CHILD = """
import json, os, pathlib, sys
with pathlib.Path(os.environ["CHILDREN"]).open("a") as file:
    print(json.dumps([sys.orig_argv, dict(os.environ)]), file=file)
"""


def started(endpoint: str, token: str, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """Return command lines and environments of the children of `reinfer-nb lab`.

    The token is first in a contexts file, which is removed again, and then in the environment.
    """
    contexts = Path(os.environ["XDG_CONFIG_HOME"], "reinfer", "contexts.json")
    contexts.parent.mkdir(parents=True)
    entry = {"name": "practice", "endpoint": endpoint, "token": token}
    contexts.write_text(json.dumps({"contexts": [entry], "current_context": "practice"}))
    modules, written = folder / "modules", folder / "children.jsonl"
    (modules / "jupyterlab").mkdir(parents=True)
    (modules / "jupyterlab" / "__init__.py").touch()
    (modules / "jupyterlab" / "__main__.py").write_text(CHILD)
    patch.setenv("PYTHONPATH", str(modules), prepend=os.pathsep)
    patch.setenv("CHILDREN", str(written))
    assert lab.run(folder / "lab", browser=False) == 0
    contexts.unlink()
    patch.setenv("REINFER_ENDPOINT", endpoint)
    patch.setenv("REINFER_TOKEN", token)
    assert lab.run(folder / "lab", always_sandbox=True, browser=False) == 0
    lines = written.read_text().splitlines()
    for command, environment in map(json.loads, lines):
        # A practice tenant's token is handed on, and only so.
        assert environment.get("REINFER_TOKEN", "none") not in repr(command)
    assert "REINFER_TOKEN" in lines[1]
    return lines


def verbose(error: BaseException) -> str:
    """Return an error as IPython's mode Verbose shows it, without the frames of this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return ultratb.VerboseTB("nocolor").text(type(error), error.with_traceback(trace), trace)


def test_case_45_the_token_is_nowhere(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """the token is in none of: `repr`, `str`, `vars` shown by a traceback, exceptions, logs at
    DEBUG (urllib3's and http.client's too), `df.attrs`, snapshots, CSV, journals, HTML output,
    widget state saved with a notebook, pickles, `__dict__` dumps, crash reports, the sandbox's
    log.
    """
    for logger in (None, "urllib3", "requests", "http.client", "reinfer_nb", "uvicorn"):
        caplog.set_level(logging.DEBUG, logger)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    monkeypatch.chdir(tmp_path)
    box = rnb.sandbox(database=tmp_path / "tenant.db")
    with box as admin, rnb.connect(endpoint=box.endpoint, token=box.tokens["admin"]) as client:
        tokens = list(box.tokens.values())
        df = client.sources()
        source = client.update_source("claims/test", title="Test")
        gone = client.delete_source("claims/motor-inbox", restore_file="gone.json")
        edited = df.assign(title=df["title"].fillna("No title yet"))[df["name"] != "motor-inbox"]
        edited.loc[edited.index[3], "description"] = "Edited"
        plan = client.plan(edited, df)
        result = plan.apply(progress=False)
        report, diff = rnb.audit(df), rnb.compare(df, client.sources())
        history = rnb.History("audits")
        snapshot = history.record(df)
        archive = client.archive("claims/test", "test.jsonl.gz", progress=False)
        rnb.to_csv(df, "sources.csv"), rnb.to_excel(df, "sources.xlsx")
        report.to_csv("report.csv"), plan.save("plan.json")
        errors: list[BaseException] = []
        for ask in (
            lambda: client.source("claims/nothing"),
            lambda: client.create_source("claims/test"),
            lambda: client.update_source("claims/test", email_transform_tag="no"),
            lambda: rnb.connect(endpoint="http://tenant.example", token=tokens[0]),
        ):
            with pytest.raises(rnb.ReinferError) as caught:
                ask()
            errors.append(caught.value)
        form, explorer = rnb.update_form(client, source), rnb.explore(client)
        delete, login = rnb.delete_form(client, source), rnb.login()
        login.endpoint.value = client.endpoint
        test_login_form.press(login, tokens[0])
        assert login.client is not None
        things = [
            *(client, admin, df, source, gone, plan, result, report, diff, history, snapshot),
            *(archive, form, explorer, delete, login, login.client, box.requests, client.me()),
            *(rnb.contexts(), plan.frame, result.frame, client.projects(), *errors),
        ]  # fmt: skip
        texts = [text for thing in things for text in texts_of(thing)]
        texts += [show(error) for error in errors for show in (crash_report, verbose)]
        with monkeypatch.context() as patch:
            texts += started(box.endpoint, tokens[0], tmp_path, patch)
        texts += [repr(dict(os.environ)), repr(sys.orig_argv)]
        texts += [repr(frame.attrs) for frame in (df, plan.frame, client.sources(), history.load())]
        texts += map(repr, reachable([client, plan, result, explorer, login, *errors]))
        state = ipywidgets.Widget.get_manager_state(drop_defaults=False)
        texts += [json.dumps(state), json.dumps(embed.embed_data(views=[explorer, login]))]
        contents = [
            pickle.dumps(thing)
            for thing in (df, source, report, diff, history, snapshot, result, plan, *errors)
        ]
        for thing in (client, login.client):
            with pytest.raises(TypeError):
                pickle.dumps(thing)
        login.leave.click()
        test_login_form.quiet(login)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {
        *(".csv", ".xlsx", ".json", ".jsonl", ".gz", ".parquet", ".db"),
    }  # fmt: skip
    contents += [content for path in written for content in unpacked(path)]
    assert "urllib3" in caplog.text
    texts += [caplog.text, *capfd.readouterr()]
    assert len(texts) > 500
    for token in tokens:
        assert not [text[:300] for text in texts if token in text]
        assert not [content[:300] for content in contents if token.encode() in content]


# Representations of a client


def test_case_45_a_client_shows_no_token(client: Client) -> None:
    """A client, its parts and their `vars` show no token."""
    transport = client._transport
    auth = Bearer(transport.tenant.token)
    for thing in (client, transport, transport.tenant, transport.tenant.token, auth):
        for text in (str(thing), repr(thing), f"{thing}", repr(getattr(thing, "__dict__", {}))):
            assert SENTINEL not in text
        html = getattr(thing, "_repr_html_", str)()
        assert SENTINEL not in html
    assert "hidden" in repr(transport.tenant)


def test_case_45_a_walk_over_attributes_meets_no_token(client: Client) -> None:
    """No attribute that can be reached from a client holds the token as a text."""
    met = list(reachable([client]))
    assert len(met) > 100
    assert any(isinstance(thing, Token) for thing in met)
    for thing in met:
        assert SENTINEL not in repr(thing)
        assert not (isinstance(thing, str) and SENTINEL in str.__str__(thing))
        assert not (isinstance(thing, bytes | bytearray) and SENTINEL.encode() in thing)


def test_case_45_a_secret_is_sent_and_not_shown() -> None:
    """A secret is encoded as it is, and formatted as asterisks."""
    secret = Token(SENTINEL).bearer()
    assert isinstance(secret, Hidden)
    assert secret.encode("latin-1") == f"Bearer {SENTINEL}".encode()
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", ascii(secret)]
    shown += ["%s" % secret, "{}".format(secret)]  # noqa: UP031, UP032
    shown += [repr([secret]), str({"Authorization": secret})]
    for text in shown:
        assert SENTINEL not in text


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_case_45_a_client_is_not_copied(client: Client, copied: Callable[[object], object]) -> None:
    """A client and its token cannot be pickled or copied."""
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
def test_case_45_no_pickle_holds_the_token(client: Client, protocol: int) -> None:
    """No pickle of any protocol holds the token."""
    df = client.sources()
    tenant = client._transport.tenant
    for thing in (client, tenant, Bearer(tenant.token)):
        with pytest.raises(TypeError):
            pickle.dumps(thing, protocol)
    assert SENTINEL.encode() not in pickle.dumps(df, protocol)


# Results of a client


def test_case_45_frames_and_sources_hold_no_token(tmp_path: Path) -> None:
    """Frames, sources and files of them hold no token."""
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


def test_case_45_the_sandbox_keeps_no_token() -> None:
    """The log of the practice tenant has no token, known or unknown."""
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
def test_case_45_no_failure_tells_the_token(
    failure: Step | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """No failure of a request shows the token, local variables included."""
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
def test_case_45_no_error_carries_a_request(failure: str) -> None:
    """No error is chained to one of another library, which holds the request."""
    with (
        Scripted(FAILURES[failure], repeat=True) as server,
        client_of(server.endpoint) as client,
        pytest.raises(rnb.ReinferError) as caught,
    ):
        client.source("acme/support")
    for error in chain(caught.value):
        assert type(error).__module__.startswith("reinfer_nb.")


def test_case_45_nobody_listening_tells_no_token() -> None:
    """A refused connection shows no token."""
    with Scripted() as server:
        endpoint = server.endpoint
    with client_of(endpoint) as client, pytest.raises(rnb.ConnectionFailed) as caught:
        client.sources()
    assert SENTINEL not in crash_report(caught.value)


def test_case_45_ctrl_c_tells_no_token() -> None:
    """Ctrl-C shows no token."""
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
def test_case_45_a_token_that_the_other_side_echoes_is_not_shown(
    kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that the tenant sends back is hidden."""
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


def test_case_45_a_redirect_that_echoes_the_token_does_not_show_it() -> None:
    """A token in the target of a redirect is hidden."""
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
def test_case_45_a_token_is_hidden_in_whatever_form_it_comes(form: Callable[[str], str]) -> None:
    """A token is found as escaped in URLs, JSON and HTML."""
    text = f"before {form(ODD)} after"
    for token in (Token(ODD), FunctionToken(lambda: ODD)):
        assert token.current().bearer() == f"Bearer {ODD}"
        assert token.hide_in(text) == "before *** after"
        assert token.hide_echo(text) == "before *** after"
        assert token.hide_echo(text.encode()) == b"before *** after"


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("place", ["message", "page", "location", "title"])
def test_case_45_no_response_shows_a_token_in_another_form(
    form: Callable[[str], str], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An escaped token that the tenant sends back is hidden."""
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
def test_case_45_no_message_repeats_what_in_an_endpoint_may_be_a_secret(endpoint: str) -> None:
    """A secret in an endpoint is not repeated."""
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
def test_case_45_no_refusal_to_connect_names_the_token(
    monkeypatch: pytest.MonkeyPatch, way: str, case: str
) -> None:
    """No refusal to connect names the token."""
    for error in chain(refusal(monkeypatch, way, case)):
        assert SENTINEL not in str(error)
        assert SENTINEL not in repr(vars(error))


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_case_45_no_refusal_to_connect_has_the_token_in_its_traceback(
    monkeypatch: pytest.MonkeyPatch, way: str, case: str
) -> None:
    """No local variable of a refusal holds the token."""
    assert SENTINEL not in crash_report(refusal(monkeypatch, way, case))


def test_case_45_a_contexts_file_that_is_broken_tells_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken file of contexts is named without its tokens."""
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


def test_case_45_no_log_tells_the_token(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No log at DEBUG shows the token, that of http.client and urllib3 included."""
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


# The login form


@pytest.fixture
def tenant() -> Iterator[Client]:
    """A client of a new sandbox."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[test_login_form.Memory]:
    """The system's keyring, in memory, for somebody who has not logged in."""
    before = keyring.get_keyring()
    made = test_login_form.Memory()
    keyring.set_keyring(made)
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    config.forget_login()
    yield made
    config.forget_login()
    keyring.set_keyring(before)


def test_case_46_a_login_is_kept_in_memory(
    tenant: Client, ring: test_login_form.Memory, tmp_path: Path
) -> None:
    """`rnb.login()` keeps the token in memory; storing it in the system keyring happens only when
    ticked.
    """
    assert tenant.sandbox is not None
    tokens = tenant.sandbox.tokens
    # Not ticked: the token is known to this process, and to nothing else.
    form = test_login_form.logged_in(tenant)
    assert not form.keep.value
    assert not form.keep.disabled
    assert rnb.connect().me().username == "admin"
    assert ring.kept == {}
    assert tokens["admin"] not in repr(os.environ)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    config.forget_login()
    with pytest.raises(rnb.ConfigurationError, match="No tenant is configured"):
        rnb.connect()
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=tenant.endpoint)
    # Ticked: only a token that works is stored, and it is found again.
    form = rnb.login()
    test_login_form.quiet(form)
    form.keep.value = True
    test_login_form.press(form, "wrong-token", tenant.endpoint)
    assert ring.kept == {}
    form = test_login_form.logged_in(tenant, "viewer", keep=True)
    assert ring.kept == {("reinfer_nb", tenant.endpoint): tokens["viewer"]}
    assert "Kept in the keyring" in test_login_form.texts(form)
    config.forget_login()
    made = rnb.connect(endpoint=tenant.endpoint + "/")
    assert repr(made) == f"<Client of {tenant.endpoint}, token from the system's keyring>"
    assert made.me().username == "viewer"
    with pytest.raises(rnb.ConfigurationError, match="No tenant is configured"):
        rnb.connect()
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=test_login_form.ELSEWHERE)
    form = rnb.login()
    form.endpoint.value = tenant.endpoint
    test_login_form.quiet(form)
    assert "the system&#x27;s keyring" in test_login_form.texts(form)
    test_login_form.press(form)
    assert form.client is not None
    # Logging out takes it out again.
    form.leave.click()
    test_login_form.quiet(form)
    assert ring.kept == {}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
