"""A client with a token function gets a new token when the tenant refuses the old one."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from tests.failures.test_secrets import SOURCE, chain, crash_report, reachable
from tests.scripted import Asked, Scripted, Step, relay, reply
from tests.scripts import Scripts
from tests.test_tracebacks import run, script_of, scripts
from tests.waiting import AGES

__all__ = ["scripts"]

OLD, NEW = "sentinel-c0ffee-token-of-yesterday", "sentinel-c0ffee-token-of-today"
MARK = "sentinel-c0ffee"
ONE = reply({"status": "ok", "source": SOURCE})
REFUSED = reply({"status": "error", "message": "401 Unauthorized"}, 401)


class Issuer:
    """A function that returns given things one by one, and then repeats the last one."""

    def __init__(self, *things: object) -> None:
        self.things = list(things)
        self.calls = 0

    def __call__(self) -> Any:
        thing = self.things[min(self.calls, len(self.things) - 1)]
        self.calls += 1
        if isinstance(thing, BaseException):
            raise thing
        return thing


def client_of(endpoint: str, function: Callable[[], Any]) -> Client:
    tenant = config.resolve(endpoint=endpoint, token=function)
    transport = Transport(tenant, timeout=(5, 60), patience=Patience(3), sleep=lambda _: None)
    return Client(transport, cache_ttl=0)


def token_of(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def accepts(token: str, accepted: bytes = ONE) -> Step:
    """Return the step of a tenant that accepts one token."""
    return Step(lambda asked: accepted if token_of(asked) == token else REFUSED)


def read(client: Client) -> object:
    return client.source("acme/support")


WRITES: dict[str, tuple[str, Callable[[Client], object]]] = {
    "create": ("PUT", lambda client: client.create_source("claims/new", title="x")),
    "update": ("POST", lambda client: client.update_source("claims/motor-inbox", title="x")),
    "delete": ("DELETE", lambda client: client.delete_source("claims/motor-inbox")),
}


# When the function is called


def test_it_is_called_when_a_token_is_needed_and_not_before() -> None:
    issuer = Issuer(OLD)
    with Scripted(ONE, repeat=True) as server:
        with rnb.connect(endpoint=server.endpoint, token=issuer, cache_ttl=0) as client:
            assert issuer.calls == 0
            for _ in range(3):
                client.source("acme/support")
        assert issuer.calls == 1
        assert [token_of(asked) for asked in server.asked] == [OLD] * 3


def test_reads_go_on_with_a_new_token(client: rnb.Client) -> None:
    assert client.sandbox is not None
    tokens = client.sandbox.tokens
    issuer = Issuer("not-known-any-more", tokens["viewer"])
    with rnb.connect(endpoint=client.endpoint, token=issuer, cache_ttl=0) as fresh:
        assert fresh.me().username == "viewer"
        assert fresh.me().username == "viewer"
        assert len(fresh.sources()) > 0
    assert issuer.calls == 2


@pytest.mark.parametrize("kind", WRITES)
def test_writes_go_on_with_a_new_token_and_happen_once(client: rnb.Client, kind: str) -> None:
    assert client.sandbox is not None
    issuer = Issuer("not-known-any-more", client.sandbox.tokens["admin"])
    method, write = WRITES[kind]
    with client_of(client.endpoint, issuer) as fresh:
        write(fresh)
    statuses = [row.status for row in client.sandbox.requests if row.method == method]
    assert statuses.count(200) == 1
    assert issuer.calls == 2
    names = set(client.sources()["name"])
    assert ("new" in names) == (kind == "create")
    assert ("motor-inbox" in names) == (kind != "delete")


@pytest.mark.parametrize("kind", WRITES)
def test_a_refused_write_itself_is_sent_once_more(kind: str) -> None:
    issuer = Issuer(OLD, NEW)
    method, write = WRITES[kind]
    known = [OLD]

    def respond(asked: Asked) -> bytes:
        if asked.method == method:
            # From the first write on, the tenant accepts only the new token.
            known[:] = [NEW]
        if token_of(asked) not in known:
            return REFUSED
        if kind == "delete" and asked.method == "GET" and known == [NEW]:
            return reply({"status": "error", "message": "404 Not Found"}, 404)
        name = "new" if kind == "create" else "motor-inbox"
        source = SOURCE | {"owner": "claims", "name": name, "title": "x"}
        return reply({"status": "ok", "source": source})

    with (
        Scripted(Step(respond), repeat=True) as server,
        client_of(server.endpoint, issuer) as fresh,
    ):
        write(fresh)
        sent = [(token_of(asked), asked.body) for asked in server.asked if asked.method == method]
    assert [token for token, _ in sent] == [OLD, NEW]
    assert sent[0][1] == sent[1][1]
    assert issuer.calls == 2


@pytest.mark.parametrize(
    ("returned", "sent"), [((OLD,), [OLD]), ((OLD, NEW), [OLD, NEW]), ((OLD, NEW, "x"), [OLD, NEW])]
)
def test_a_request_is_repeated_once_and_only_with_another_token(
    returned: tuple[str, ...], sent: list[str]
) -> None:
    issuer = Issuer(*returned)
    with Scripted(REFUSED, repeat=True) as server, client_of(server.endpoint, issuer) as client:
        with pytest.raises(rnb.AuthenticationError, match="a new one each time it is called") as e:
            read(client)
        assert [token_of(asked) for asked in server.asked] == sent
        assert issuer.calls == 2
        # Each further request calls the function once more, which may return a new token by then.
        with pytest.raises(rnb.AuthenticationError):
            read(client)
        assert issuer.calls == 3
    assert MARK not in crash_report(e.value, __file__)


def test_a_text_is_not_sent_again() -> None:
    with Scripted(REFUSED, repeat=True) as server:
        with (
            rnb.connect(endpoint=server.endpoint, token=OLD) as client,
            pytest.raises(rnb.AuthenticationError),
        ):
            read(client)
        assert len(server.asked) == 1


def test_a_write_looks_again_before_it_is_repeated() -> None:
    issuer = Issuer(OLD, NEW)
    looks: list[tuple[bool, int]] = []
    with (
        Scripted(accepts(NEW), repeat=True) as server,
        client_of(server.endpoint, issuer) as client,
    ):
        calls = client.calls.with_hooks(
            look=lambda in_doubt: looks.append((in_doubt, len(server.asked)))
        )
        calls.update("acme/support", {"title": "Support"})
        assert looks == [(False, 1)]
        assert len(server.asked) == 2


def test_an_expired_token_given_as_a_text_is_told_of_the_function() -> None:
    expired = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2lnbmF0dXJl"
    with (
        Scripted(REFUSED, repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=expired) as client,
        pytest.raises(rnb.AuthenticationError, match=r"token=get_token\)"),
    ):
        read(client)


# Threads


def together(function: Callable[[], object]) -> list[object]:
    """Run a function in eight threads at once, and return what each returned or raised."""
    barrier = threading.Barrier(8)

    def one(_: int) -> object:
        barrier.wait(AGES)
        try:
            return function()
        except rnb.ReinferError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (NEW, rnb.Source),
        (OLD, rnb.AuthenticationError),
        (OSError("no network"), rnb.ConfigurationError),
        (None, rnb.InvalidInput),
    ],
    ids=["new", "same", "failed", "none"],
)
def test_eight_threads_that_meet_a_401_share_one_call(after: object, kind: type) -> None:
    issuer = Issuer(OLD, after)
    met = threading.Barrier(8)

    def respond(asked: Asked) -> bytes:
        if token_of(asked) == NEW:
            return ONE
        if len(server.asked) > 1:
            # No thread gets its 401 before all have sent the old token.
            met.wait(AGES)
        return REFUSED

    with Scripted(Step(ONE), Step(respond), repeat=True) as server:
        with client_of(server.endpoint, issuer) as client:
            read(client)
            outcomes = together(lambda: read(client))
        assert [type(outcome) for outcome in outcomes] == [kind] * 8
        assert issuer.calls == 2


@pytest.mark.parametrize(
    ("first", "kind"),
    [(NEW, rnb.Source), (OSError("no network"), rnb.ConfigurationError), (None, rnb.InvalidInput)],
    ids=["token", "failed", "none"],
)
def test_eight_threads_that_need_the_first_token_share_one_call(first: object, kind: type) -> None:
    going, calls = threading.Event(), Issuer(first)
    waiting: list[int] = []

    def get_token() -> Any:
        assert going.wait(AGES)
        return calls()

    with (
        Scripted(accepts(NEW), repeat=True) as server,
        client_of(server.endpoint, get_token) as client,
    ):
        token: Any = client._transport.tenant.token
        alone = token._alone

        def counted() -> Any:
            waiting.append(1)
            if len(waiting) == 8:
                going.set()
            return alone()

        token._alone = counted
        outcomes = together(lambda: read(client))
    assert [type(outcome) for outcome in outcomes] == [kind] * 8
    assert calls.calls == 1


def test_a_function_that_asks_the_client_itself_does_not_wait_for_itself() -> None:
    clients: list[Client] = []

    def get_token() -> str:
        read(clients[0])
        return NEW

    with Scripted(ONE, repeat=True) as server, client_of(server.endpoint, get_token) as client:
        clients.append(client)
        with pytest.raises(rnb.ConfigurationError, match="Let it get the token in another way"):
            read(client)
        assert not server.asked


# What is no token


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        b"sentinel-c0ffee",
        {"access_token": MARK},
        "",
        f"{MARK}\n",
        f" {MARK}",
        f"{MARK} {MARK}",
        f"{MARK}-ü",
        f"{MARK}\r\nX-Other: 1",
        MARK * 1000,
    ],
    ids=lambda bad: repr(bad)[:30],
)
@pytest.mark.parametrize("earlier", [(), (OLD,)], ids=["first", "renewed"])
def test_what_is_no_token_is_refused_and_not_shown(earlier: tuple[str, ...], bad: object) -> None:
    issuer = Issuer(*earlier, bad)
    with Scripted(REFUSED, repeat=True) as server, client_of(server.endpoint, issuer) as client:
        with pytest.raises(rnb.InvalidInput, match=r"has to return the token alone") as caught:
            read(client)
        assert len(server.asked) == len(earlier)
        assert issuer.calls == len(earlier) + 1
    assert MARK not in crash_report(caught.value, __file__)


@pytest.mark.parametrize("wrap", [lambda f: f, functools.partial], ids=["plain", "partial"])
def test_an_async_function_is_refused_when_the_client_is_made(wrap: Callable[..., Any]) -> None:
    async def get_token() -> str:
        return NEW

    with pytest.raises(rnb.InvalidInput, match="async"):
        rnb.connect(endpoint="https://tenant.example", token=wrap(get_token))


def test_it_is_called_again_after_it_failed() -> None:
    issuer = Issuer(OSError("no network"), None, NEW)
    with (
        Scripted(accepts(NEW), repeat=True) as server,
        client_of(server.endpoint, issuer) as client,
    ):
        with pytest.raises(rnb.ConfigurationError, match=r"OSError in line .*: no network"):
            read(client)
        with pytest.raises(rnb.InvalidInput):
            read(client)
        read(client)


# What it raises

URL = f"https://user:{MARK}@identity.example/token?client_secret={MARK}&scope=x"


@pytest.mark.parametrize(
    "message",
    [
        f"the token {OLD} is not accepted",
        f"cannot reach {URL}",
        json.dumps({"client_secret": MARK, "x": 1}),
        repr({"access_token": MARK}),
        f"Authorization: Bearer {MARK}",
        f"header Basic {MARK}",
        "eyJzZW50aW5lbC1jMGZmZWU.eyJleHAiOjF9.sentinel-c0ffee",
        f"unknown word {MARK}-of-a-user-somewhere",
    ],
)
@pytest.mark.parametrize("earlier", [(), (OLD,)], ids=["first", "renewed"])
def test_what_it_raises_becomes_ours_without_its_secrets(
    message: str, earlier: tuple[str, ...]
) -> None:
    if OLD in message and not earlier:
        pytest.skip("nobody has seen that token")
    issuer = Issuer(*earlier, "never reached")

    def get_token() -> str:
        secret = MARK
        if issuer.calls < len(earlier):
            return str(issuer())
        raise RuntimeError(message) from OSError(secret)

    with (
        Scripted(REFUSED, repeat=True) as server,
        client_of(server.endpoint, get_token) as client,
        pytest.raises(rnb.ConfigurationError, match=r"RuntimeError in line .* of get_token") as e,
    ):
        read(client)
    assert list(chain(e.value)) == [e.value]
    assert MARK not in crash_report(e.value, __file__)


def test_a_harmless_message_is_told() -> None:
    issuer = Issuer(OSError(111, "Connection refused: identity.example:443, invalid_client"))
    with (
        client_of("http://127.0.0.1:1", issuer) as client,
        pytest.raises(rnb.ConfigurationError, match=r"refused: identity\.example:443, invalid_cl"),
    ):
        read(client)


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("after", [OSError("no network"), None], ids=["failed", "none"])
def test_a_write_that_was_tried_before_stays_in_doubt(after: object, *, writes: bool) -> None:
    issuer = Issuer(OLD, after)
    lost = reply({"status": "error"}, 502)
    with (
        Scripted(lost, REFUSED, repeat=True) as server,
        client_of(server.endpoint, issuer) as client,
        pytest.raises((rnb.ConfigurationError, rnb.InvalidInput)) as caught,
    ):
        client.update_source("acme/support", title="x") if writes else read(client)
    assert caught.value.in_doubt == writes
    assert caught.value.tried_at is not None


def test_a_plan_stops_where_no_token_is_to_be_had(client: rnb.Client, tmp_path: Path) -> None:
    assert client.sandbox is not None
    issuer = Issuer(client.sandbox.tokens["admin"], OSError("no network"))
    df = client.sources("claims")
    df["title"] = "other"
    onward, expired = relay(client.endpoint), threading.Event()
    step = Step(lambda asked: REFUSED if expired.is_set() else onward(asked))
    with Scripted(step, repeat=True) as server, client_of(server.endpoint, issuer) as fresh:
        plan = fresh.plan(df)
        assert len(plan.steps) > 10
        expired.set()
        result = plan.apply(workers=8, journal=tmp_path / "journal.jsonl", progress=False)
    assert not result.ok
    assert "would fail too" in repr(result)
    assert issuer.calls < 8


# Which tenant


def test_a_function_needs_an_endpoint_as_a_text_does(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(NEW)
    with pytest.raises(rnb.ConfigurationError, match=r"a token .the function given. and no endp"):
        rnb.connect(token=issuer)
    with pytest.raises(rnb.InvalidInput, match="plain http"):
        rnb.connect(endpoint="http://tenant.example", token=issuer)
    monkeypatch.setenv("REINFER_ENDPOINT", "https://tenant.example")
    monkeypatch.setenv("REINFER_TOKEN", "other")
    with rnb.connect(token=issuer) as client:
        assert repr(client) == ("<Client of https://tenant.example, token from the function given>")
    assert issuer.calls == 0


def test_a_context_says_where_and_the_function_says_who() -> None:
    file = config.contexts_file()
    file.parent.mkdir(parents=True)
    context = {"name": "prod", "endpoint": "https://tenant.example", "token": "other"}
    file.write_text(json.dumps({"contexts": [context]}))
    with rnb.connect(context="prod", token=Issuer(NEW)) as client:
        assert client._transport.tenant.token_from == "the function given"
        assert "".join(client._transport.tenant.token.bearer()) == f"Bearer {NEW}"


# What shows it


def test_nothing_shows_a_token_or_what_the_function_holds() -> None:
    function = functools.partial(lambda _: issuer(), "sentinel-c0ffee-secret")
    issuer = Issuer(OLD, NEW)
    with (
        Scripted(accepts(NEW), repeat=True) as server,
        client_of(server.endpoint, function) as client,
    ):
        source = client.source("acme/support")
        tenant = client._transport.tenant
        texts = [repr(client), str(tenant), repr(vars(tenant)), repr(vars(tenant.token))]
        texts += [repr(vars(client)), repr(vars(client._transport)), repr(source)]
        met = list(reachable([client]))
        texts += [repr(thing) for thing in met]
        texts += [str.__str__(thing) for thing in met if isinstance(thing, str)]
        for copied in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError) as caught:
                copied(tenant.token)
            texts.append(crash_report(caught.value, __file__))
        assert any(thing is tenant.token for thing in met)
        assert issuer.calls == 2
    assert not [text for text in texts if MARK in text]


def test_all_tokens_that_it_returned_are_hidden_where_the_tenant_echoes_them() -> None:
    # One is the beginning of another.
    issuer = Issuer(OLD, f"{OLD}-2", f"{OLD}-2-3", f"{OLD}-2-3")
    echo = f"{OLD}-2-3 or {OLD}-2 or {OLD}"
    with (
        Scripted(reply({"status": "error", "message": echo}, 401), repeat=True) as server,
        client_of(server.endpoint, issuer) as client,
    ):
        for _ in range(3):
            with pytest.raises(rnb.AuthenticationError) as caught:
                read(client)
    assert "*** or *** or ***" in str(caught.value)
    assert MARK not in crash_report(caught.value, __file__)


FUNCTION = """
    import os, signal
    from reinfer_nb.api.retry_policy import Patience
    def get_token():
        secret = open({file!r}).read()
        {last}
    client = rnb.connect(endpoint=client.endpoint, token=get_token)
    client._transport.patience = Patience(backoff=0.01)
"""
LAST = {
    "raised": "raise RuntimeError(f'refused: {secret}')",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT); [0 for _ in range(10**9)]",
    "no token": "return {'access_token': secret}",
    "two lines": "return secret + chr(10)",
    "cannot connect": "return secret",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Verbose", "captured"])
@pytest.mark.parametrize("last", LAST)
def test_no_verbose_traceback_shows_what_is_in_the_function(
    scripts: Scripts, tmp_path: Path, how: str, last: str
) -> None:
    function = FUNCTION.format(file=str(tmp_path / "token"), last=LAST[last])
    cell = "client.update_source('acme/support', title='x')"
    code = textwrap.dedent(function) + textwrap.dedent(script_of(how, cell))
    output = run(scripts, code, tmp_path, "http://127.0.0.1:1")
    assert "after" in output
    assert ("KeyboardInterrupt" in output) == (last == "Ctrl-C")
    expected = {
        "raised": "of get_token: refused: ***",
        "Ctrl-C": "KeyboardInterrupt",
        "no token": "returned is not a text",
        "two lines": "returned holds a space, a line break",
        "cannot connect": "ConnectionFailed: Could not ",
    }
    assert expected[last] in output
    assert "sentinel" not in output
