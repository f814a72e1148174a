"""Tenant and token come from arguments, then the environment, then the contexts of `re`."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb import errors, user_folders
from reinfer_nb.auth import tenant as config

PROD = "https://cloud.uipath.com/org/prod/reinfer_"
DEV = "https://cloud.uipath.com/org/dev/reinfer_"
ELSEWHERE = "https://elsewhere.example/org/t/reinfer_"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the contexts file of `re`, set by conftest; the file does not exist yet."""
    path = tmp_path / "config" / "reinfer" / "contexts.json"
    path.parent.mkdir(parents=True)
    return path


def context(name: str, endpoint: str, token: str | None, **more: Any) -> dict[str, Any]:
    entry = {"accept_invalid_certificates": False, "proxy": None}
    return {"name": name, "endpoint": endpoint, "token": token} | entry | more


@pytest.fixture
def stored(file: Path) -> Path:
    """A contexts file with two contexts; "dev" is the current one."""
    content = {
        "current_context": "dev",
        "contexts": [context("dev", DEV, "dev-token"), context("prod", PROD + "/", "prod-token")],
        "context_is_required": True,
    }
    file.write_text(json.dumps(content))
    return file


def chosen(**given: Any) -> tuple[str, str, str]:
    """Return endpoint, token and origin of the token, as `connect` would use them."""
    tenant = config.resolve(**given)
    bearer = tenant.token.bearer()
    return tenant.endpoint, "".join(bearer).removeprefix("Bearer "), tenant.token_from


ENV = "environment variable REINFER_TOKEN"


def test_the_contexts_file_is_where_re_keeps_it(file: Path) -> None:
    assert config.contexts_file() == file


# The order


def test_nothing_but_the_current_context(stored: Path) -> None:
    assert stored.exists()
    assert chosen() == (DEV, "dev-token", 'context "dev"')


@pytest.mark.usefixtures("stored")
def test_a_context_by_argument() -> None:
    assert chosen(context="prod") == (PROD, "prod-token", 'context "prod"')


@pytest.mark.parametrize("more", ["?x=1", "/?project=a#b", "#b"])
def test_a_context_made_from_a_browser_s_address(file: Path, more: str) -> None:
    # `re config parse-from-url` keeps the query of the address.
    content = {"current_context": "dev", "contexts": [context("dev", PROD + more, "t")]}
    file.write_text(json.dumps(content | {"context_is_required": True}))
    assert chosen() == (PROD, "t", 'context "dev"')


@pytest.mark.usefixtures("stored")
def test_a_context_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_CONTEXT", "prod")
    assert chosen() == (PROD, "prod-token", 'context "prod"')
    assert chosen(context="dev") == (DEV, "dev-token", 'context "dev"')
    assert chosen(token="own") == (PROD, "own", "argument")


@pytest.mark.usefixtures("stored")
def test_endpoint_and_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", ELSEWHERE)
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    assert chosen() == (ELSEWHERE, "env-token", ENV)
    monkeypatch.setenv("REINFER_CONTEXT", "prod")
    assert chosen() == (ELSEWHERE, "env-token", ENV)
    assert chosen(context="dev") == (DEV, "dev-token", 'context "dev"')
    assert chosen(token="own") == (ELSEWHERE, "own", "argument")
    assert chosen(endpoint=ELSEWHERE + "/") == (ELSEWHERE, "env-token", ENV)
    assert chosen(endpoint=PROD, token="own") == (PROD, "own", "argument")


@pytest.mark.usefixtures("stored")
def test_endpoint_and_token_by_argument() -> None:
    assert chosen(endpoint=ELSEWHERE, token="own") == (ELSEWHERE, "own", "argument")


@pytest.mark.usefixtures("stored")
def test_an_own_token_for_a_context() -> None:
    assert chosen(token="own") == (DEV, "own", "argument")
    assert chosen(context="prod", token="own") == (PROD, "own", "argument")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_an_endpoint_that_a_context_knows_has_its_token(slash: str) -> None:
    assert chosen(endpoint=PROD + slash) == (PROD, "prod-token", 'context "prod"')


@pytest.mark.usefixtures("stored")
def test_an_endpoint_of_the_environment_that_a_context_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    assert chosen() == (PROD, "prod-token", 'context "prod"')


def test_an_endpoint_by_argument_and_a_token_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    assert chosen(endpoint=DEV) == (DEV, "env-token", ENV)


@pytest.mark.usefixtures("stored")
def test_empty_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT"):
        monkeypatch.setenv(name, "")
    assert chosen() == (DEV, "dev-token", 'context "dev"')


# A token stays with its endpoint


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("endpoint", [ELSEWHERE, PROD + "x", "http://127.0.0.1:8000"])
def test_a_token_of_the_environment_stays_with_its_endpoint(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    with pytest.raises(rnb.ConfigurationError, match="REINFER_TOKEN") as caught:
        rnb.connect(endpoint=endpoint)
    assert endpoint in str(caught.value)
    assert "env-token" not in str(caught.value)
    assert chosen(endpoint=DEV) == (DEV, "dev-token", 'context "dev"')


@pytest.mark.usefixtures("stored")
def test_a_token_of_the_environment_is_not_told_to_a_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    with pytest.raises(rnb.ConfigurationError, match="no endpoint") as caught:
        rnb.connect()
    assert "REINFER_ENDPOINT" in str(caught.value)
    assert "env-token" not in str(caught.value)
    assert chosen(context="dev") == (DEV, "dev-token", 'context "dev"')
    monkeypatch.setenv("REINFER_CONTEXT", "prod")
    assert chosen() == (PROD, "prod-token", 'context "prod"')


def test_a_token_of_the_environment_does_not_make_up_for_a_null_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"current_context": "dev", "contexts": [context("dev", DEV, None)]}
    file.write_text(json.dumps(content))
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    with pytest.raises(rnb.ConfigurationError, match="There is no token"):
        rnb.connect(context="dev")


@pytest.mark.usefixtures("stored")
def test_a_token_of_a_context_stays_with_its_endpoint() -> None:
    with pytest.raises(rnb.ConfigurationError, match="There is no token for"):
        rnb.connect(endpoint=ELSEWHERE)


# What is missing or contradicts itself


def test_nothing_at_all_lists_the_ways() -> None:
    with pytest.raises(rnb.ConfigurationError) as caught:
        rnb.connect()
    assert isinstance(caught.value, errors.NotConfigured)
    message = str(caught.value)
    for way in (
        "rnb.connect(endpoint=",
        "REINFER_ENDPOINT",
        "REINFER_TOKEN",
        "REINFER_CONTEXT",
        "rnb.connect(context=",
        "rnb.sandbox()",
        str(config.contexts_file()),
    ):
        assert way in message


@pytest.mark.parametrize("current", [None, "gone"])
def test_no_current_context_is_nothing_configured(file: Path, current: str | None) -> None:
    content = {"current_context": current, "contexts": [context("dev", DEV, "dev-token")]}
    file.write_text(json.dumps(content))
    with pytest.raises(errors.NotConfigured):
        rnb.connect()
    assert chosen(context="dev") == (DEV, "dev-token", 'context "dev"')


def test_a_null_token_needs_one(file: Path) -> None:
    content = {"current_context": "dev", "contexts": [context("dev", DEV, None)]}
    file.write_text(json.dumps(content))
    with pytest.raises(rnb.ConfigurationError, match="There is no token for"):
        rnb.connect()
    assert chosen(token="own") == (DEV, "own", "argument")


def test_a_token_alone_needs_an_endpoint() -> None:
    with pytest.raises(rnb.ConfigurationError, match="no endpoint") as caught:
        rnb.connect(token="s3cr3t")
    assert "s3cr3t" not in str(caught.value)


def test_an_endpoint_alone_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect(endpoint=PROD)
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    with pytest.raises(rnb.ConfigurationError, match="no token for"):
        rnb.connect()


@pytest.mark.usefixtures("stored")
def test_an_endpoint_and_a_context_contradict_each_other() -> None:
    with pytest.raises(rnb.ConfigurationError, match="not both"):
        rnb.connect(endpoint=DEV, context="dev")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("name", "said"),
    [("prd", "Did you mean 'prod'"), ("xyzzy", "There are 'dev', 'prod'"), ("", "There are")],
)
def test_an_unknown_context_is_said_with_those_there_are(name: str, said: str) -> None:
    with pytest.raises(rnb.ConfigurationError) as caught:
        rnb.connect(context=name)
    assert said in str(caught.value)
    assert str(config.contexts_file()) in str(caught.value)


def test_an_unknown_context_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_CONTEXT", "prod")
    with pytest.raises(rnb.ConfigurationError, match="There are none"):
        rnb.connect()


@pytest.mark.usefixtures("stored")
def test_a_context_that_is_no_text_is_refused() -> None:
    name: Any = 5
    with pytest.raises((rnb.ConfigurationError, rnb.InvalidInput)):
        rnb.connect(context=name)


# The contexts file

GOOD = context("dev", DEV, "s3cr3t")
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b's3cr3t {"contexts": [',
    "cut": json.dumps({"current_context": "dev", "contexts": [GOOD]}).encode()[:-9],
    "a list": json.dumps([GOOD]).encode(),
    "null": b"null",
    "contexts null": b'{"contexts": null}',
    "contexts an object": json.dumps({"contexts": {"dev": GOOD}}).encode(),
    "no object": b'{"contexts": ["s3cr3t"]}',
    "no name": json.dumps({"contexts": [GOOD | {"name": None}]}).encode(),
    "no endpoint": json.dumps({"contexts": [{"name": "dev", "token": "s3cr3t"}]}).encode(),
    "endpoint a number": json.dumps({"contexts": [GOOD | {"endpoint": 5}]}).encode(),
    "token a list": json.dumps({"contexts": [GOOD | {"token": ["s3cr3t"]}]}).encode(),
    "token with a line break": json.dumps({"contexts": [GOOD | {"token": "s3cr3t\n"}]}).encode(),
    "no UTF-8": json.dumps({"contexts": [GOOD]}).encode() + b"\xff",
    "UTF-16": json.dumps({"contexts": [GOOD]}).encode("utf-16"),
    "deep": b'{"s3cr3t": ' + b"[" * 200_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_its_tokens_are_not(file: Path, name: str) -> None:
    content = BROKEN[name]
    file.write_bytes(content)
    actions: list[Callable[[], object]] = [rnb.connect, lambda: rnb.connect(context="dev")]
    # An invalid token matters only when it is used.
    actions += [rnb.contexts] * (not name.startswith("token"))
    for action in actions:
        with pytest.raises(rnb.ConfigurationError) as caught:
            action()
        assert str(file) in str(caught.value)
        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", [BROKEN["cut"], BROKEN["no endpoint"]], ids=["cut", "key"])
def test_no_token_of_the_file_hangs_on_an_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(rnb.ConfigurationError) as caught:
        rnb.connect()
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cr3t" not in repr(vars(error))
        assert "s3cr3t" not in str(getattr(error, "doc", ""))
        error = error.__context__


@pytest.mark.parametrize("name", ["no endpoint", "token with a line break"])
def test_no_token_of_the_file_is_among_the_variables_of_a_traceback(file: Path, name: str) -> None:
    file.write_bytes(BROKEN[name])
    with pytest.raises(rnb.ConfigurationError) as caught:
        rnb.connect()
    assert "s3cr3t" not in frames_of_the_package(caught.value)


def test_no_token_of_the_environment_is_among_the_variables_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", "http://plain.example")
    monkeypatch.setenv("REINFER_TOKEN", "s3cr3t")
    with pytest.raises(rnb.InvalidInput) as caught:
        rnb.connect()
    assert "s3cr3t" not in frames_of_the_package(caught.value)


def frames_of_the_package(error: BaseException) -> str:
    """Return the local variables of this package's functions, as a verbose traceback shows them."""
    package = str(Path(rnb.__file__).parent)
    shown = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(package):
            shown += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(shown)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.mkdir()
    with pytest.raises(rnb.ConfigurationError, match="cannot be read") as caught:
        rnb.contexts()
    assert str(file) in str(caught.value)


def test_a_broken_file_does_not_matter_to_who_does_not_need_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"{")
    assert chosen(endpoint=DEV, token="own") == (DEV, "own", "argument")
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    assert chosen() == (PROD, "env-token", ENV)


def test_contexts_are_a_frame_without_tokens(file: Path) -> None:
    content = {
        "current_context": "prod",
        "contexts": [
            context("dev", DEV, None, accept_invalid_certificates=True),
            context("prod", PROD, "s3cr3t", proxy="http://me:pa55word@proxy.example:3128"),
            {"name": "bare", "endpoint": ELSEWHERE},
        ],
    }
    file.write_text(json.dumps(content))
    df = rnb.contexts()
    assert df.to_dict("list") == {
        "name": ["dev", "prod", "bare"],
        "endpoint": [DEV, PROD, ELSEWHERE],
        "current": [False, True, False],
        "has_token": [False, True, False],
        "verify": [False, True, True],
        "proxy": [False, True, False],
    }
    text = df.to_csv() + repr(df) + repr(df.attrs)
    assert "s3cr3t" not in text
    assert "pa55word" not in text


def test_no_file_is_no_contexts_with_the_same_dtypes(tmp_path: Path) -> None:
    assert not (tmp_path / "config").exists()
    df = rnb.contexts()
    assert len(df) == 0
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "name": "str",
        "endpoint": "str",
        "current": "bool",
        "has_token": "bool",
        "verify": "bool",
        "proxy": "bool",
    }
    assert not (tmp_path / "config").exists()


def test_a_file_with_contexts_has_those_dtypes_too(stored: Path) -> None:
    full = rnb.contexts().dtypes
    stored.unlink()
    assert full.equals(rnb.contexts().dtypes)


# Certificates and proxies


def test_certificates_that_are_not_verified_are_warned_of(file: Path) -> None:
    content = {
        "current_context": "dev",
        "contexts": [context("dev", DEV, "s3cr3t", accept_invalid_certificates=True)],
    }
    file.write_text(json.dumps(content))
    with pytest.warns(rnb.InsecureWarning, match="not be verified") as caught:
        client = rnb.connect()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert DEV in str(caught[0].message)
    assert "s3cr3t" not in str(caught[0].message)
    assert client._transport.tenant.verify is False
    # An explicit verify= overrides the context, without a warning.
    assert rnb.connect(verify=True)._transport.tenant.verify is True
    bundle = str(file.with_name("ca.pem"))
    Path(bundle).write_text("")
    assert rnb.connect(verify=bundle)._transport.tenant.verify == bundle


def test_certificates_are_verified_unless_told_not_to() -> None:
    assert rnb.connect(endpoint=DEV, token="own")._transport.tenant.verify is True
    with pytest.warns(rnb.InsecureWarning):
        rnb.connect(endpoint=DEV, token="own", verify=False)


@pytest.mark.parametrize("by_argument", ["yes", ""])
def test_a_proxy_is_used_and_not_shown(file: Path, by_argument: str) -> None:
    proxy = "http://me:pa55word@proxy.example:3128"
    content = {
        "current_context": "dev",
        "contexts": [context("dev", DEV, "s3cr3t", proxy=None if by_argument else proxy)],
    }
    file.write_text(json.dumps(content))
    client = rnb.connect(proxy=proxy) if by_argument else rnb.connect()
    tenant = client._transport.tenant
    assert tenant.proxy is not None
    assert "".join(tenant.proxy) == proxy
    for text in (repr(client), str(client), repr(tenant), f"{tenant.proxy}", repr(vars(tenant))):
        assert "pa55word" not in text
        assert "s3cr3t" not in text


def test_a_client_shows_endpoint_and_where_the_token_is_from(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repr(rnb.connect()) == f'<Client of {DEV}, token from context "dev">'
    by_argument = rnb.connect(endpoint=DEV, token="s3cr3t")
    assert repr(by_argument) == f"<Client of {DEV}, token from argument>"
    stored.unlink()
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    monkeypatch.setenv("REINFER_TOKEN", "s3cr3t")
    assert repr(rnb.connect()) == f"<Client of {PROD}, token from {ENV}>"


def test_a_context_s_name_is_shown_harmlessly(file: Path) -> None:
    name = "\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}"
    content = {"current_context": name, "contexts": [context(name, DEV, "s3cr3t")]}
    file.write_text(json.dumps(content))
    assert repr(rnb.connect()).isprintable()


# Endpoints


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (DEV, DEV),
        (DEV + "/", DEV),
        (DEV + "///", DEV),
        ("https://acme.reinfer.io", "https://acme.reinfer.io"),
        ("https://acme.reinfer.io/", "https://acme.reinfer.io"),
        ("https://acme.reinfer.io:8443/x", "https://acme.reinfer.io:8443/x"),
        ("HTTPS://acme.reinfer.io", "https://acme.reinfer.io"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://localhost:8000/org/tenant/reinfer_/", "http://localhost:8000/org/tenant/reinfer_"),
        ("http://LOCALHOST:8000", "http://LOCALHOST:8000"),
        ("HTTP://localhost", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[::1]", "http://[::1]"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
    ],
)
def test_an_endpoint(given: str, used: str) -> None:
    client = rnb.connect(endpoint=given, token="own")
    assert client.endpoint == used


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://acme.reinfer.io",
        "HTTP://acme.reinfer.io",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
        "http://[2001:db8::1]",
        "http://2130706433",
        "http://0x7f.1",
        "http://localhost@evil.example",
        "http://evil.example#@localhost",
        "http://evil.example\\@localhost",
        "http://evil.example?@localhost",
    ],
)
def test_plain_http_goes_to_this_machine_only(endpoint: str) -> None:
    with pytest.raises(rnb.InvalidInput):
        rnb.connect(endpoint=endpoint, token="own")


def test_plain_http_of_a_context_is_refused_too(file: Path) -> None:
    content = {
        "current_context": "dev",
        "contexts": [context("dev", "http://acme.reinfer.io", "s3cr3t")],
    }
    file.write_text(json.dumps(content))
    with pytest.raises(rnb.InvalidInput, match="plain http") as caught:
        rnb.connect()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("acme.reinfer.io", "https://"),
        ("acme.reinfer.io:443", "https://"),
        ("//acme.reinfer.io", "https://"),
        ("https://", "https://"),
        ("https:///x", "https://"),
        ("https:acme.reinfer.io", "https://"),
        ("ftp://acme.reinfer.io", "https://"),
        ("file:///etc/passwd", "https://"),
        ("javascript:alert(1)", "https://"),
        (" https://acme.reinfer.io", "is a URL"),
        ("https://acme.reinfer.io\n", "is a URL"),
        ("https://acme.reinfer.io/a b", "is a URL"),
        ("https://acme\N{CYRILLIC SMALL LETTER A}.example", "is a URL"),
        ("https://acme.reinfer.io/\ud83d", "is a URL"),
        ("https://acme.reinfer.io:x", "is not a valid URL"),
        ("https://acme.reinfer.io:99999", "is not a valid URL"),
        ("https://[::1", "is not a valid URL"),
        ("https://acme.reinfer.io?x=1", "holds a ?"),
        ("https://acme.reinfer.io/x#y", "holds a ?"),
        ("https://acme.reinfer.io/api/v1", "end it before /api/v1"),
        ("https://acme.reinfer.io/api/v1/", "end it before /api/v1"),
        (DEV + "/api/v1/sources", "end it before /api/v1"),
        ("https://acme.reinfer.io/../x", "not a base"),
        ("https://acme.reinfer.io/x/..", "not a base"),
        ("https://acme.reinfer.io/%2e%2e/x", "not a base"),
        ("https://acme.reinfer.io\\x", "An endpoint is a URL"),
        (5, "is a URL"),
        (b"https://acme.reinfer.io", "is a URL"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_no_endpoint(endpoint: Any, said: str) -> None:
    with pytest.raises(rnb.InvalidInput) as caught:
        rnb.connect(endpoint=endpoint, token="own")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_empty_endpoint_is_not_another_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_ENDPOINT", PROD)
    monkeypatch.setenv("REINFER_TOKEN", "env-token")
    with pytest.raises((rnb.InvalidInput, rnb.ConfigurationError)):
        rnb.connect(endpoint="")


@pytest.mark.parametrize(
    "endpoint",
    ["https://me:s3cr3t@acme.reinfer.io", "https://s3cr3t@acme.reinfer.io", "https://:s3cr3t@x.io"],
)
def test_a_secret_in_the_endpoint_is_refused_and_not_shown(endpoint: str) -> None:
    with pytest.raises(rnb.InvalidInput, match="token=") as caught:
        rnb.connect(endpoint=endpoint, token="own")
    assert "s3cr3t" not in str(caught.value)


# Other arguments


@pytest.mark.parametrize("timeout", [0, -1, "30", None, (1,), (1, 2, 3), (0, 5), True, [1, 2]])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="timeout must be seconds"):
        rnb.connect(endpoint=DEV, token="own", timeout=timeout)


@pytest.mark.parametrize("cache_ttl", [-1, "300", None, True])
def test_a_time_to_live_that_is_none_is_refused(cache_ttl: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="cache_ttl must be seconds"):
        rnb.connect(endpoint=DEV, token="own", cache_ttl=cache_ttl)


@pytest.mark.parametrize("verify", ["", 0, 1, "nowhere.pem", b"ca.pem", []])
def test_what_is_no_word_on_certificates_is_not_taken_for_no(verify: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="verify is True, False"):
        rnb.connect(endpoint=DEV, token="own", verify=verify)


@pytest.mark.parametrize("proxy", ["socks5://me:s3cr3t@proxy", "proxy:8080", 5, ""])
def test_a_proxy_that_is_none_is_refused_and_not_shown(proxy: Any) -> None:
    if proxy == "":
        assert rnb.connect(endpoint=DEV, token="own", proxy=proxy)._transport.tenant.proxy is None
        return
    with pytest.raises(rnb.InvalidInput, match="proxy is a URL") as caught:
        rnb.connect(endpoint=DEV, token="own", proxy=proxy)
    assert "s3cr3t" not in str(caught.value)


@pytest.fixture
def two_of_one(file: Path) -> dict[str, Any]:
    """Two contexts for one endpoint, of users with different permissions."""
    two = [context("admin", DEV, "admin-token"), context("viewer", DEV, "viewer-token")]
    content: dict[str, Any] = {"current_context": "viewer", "contexts": two}
    file.write_text(json.dumps(content))
    return content


@pytest.mark.usefixtures("two_of_one")
def test_of_two_contexts_for_an_endpoint_the_current_one_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 'context "viewer"' in repr(rnb.connect(endpoint=DEV))
    monkeypatch.setenv(config.CONTEXT, "admin")
    assert 'context "admin"' in repr(rnb.connect(endpoint=DEV))
    monkeypatch.setenv(config.ENDPOINT, DEV)
    assert 'context "admin"' in repr(rnb.connect())


def test_of_two_contexts_for_an_endpoint_none_is_guessed(
    two_of_one: dict[str, Any], file: Path
) -> None:
    file.write_text(json.dumps(two_of_one | {"current_context": None}))
    with pytest.raises(rnb.ConfigurationError, match=r"'admin', 'viewer'\. Choose one"):
        rnb.connect(endpoint=DEV)


def test_a_bad_token_does_not_matter_to_who_does_not_need_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [context("good", DEV, "own"), context("bad", PROD, "s3cr3t x")]
    file.write_text(json.dumps({"current_context": "good", "contexts": two}))
    assert 'context "good"' in repr(rnb.connect())
    assert rnb.contexts()["has_token"].tolist() == [True, True]
    monkeypatch.setenv(config.TOKEN, "bad token")
    assert "argument" in repr(rnb.connect(endpoint=DEV, token="own"))
    with rnb.sandbox() as client:
        assert len(client.projects()) == 4


def test_what_is_said_to_a_user_without_a_home_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_folders, "_folder", lambda _: None)
    with pytest.raises(rnb.ConfigurationError) as caught:
        rnb.connect(context="prod")
    assert str(caught.value) == (
        "There is no context 'prod' in the contexts file of the home folder, which this user does "
        "not have. There are none."
    )
    with pytest.raises(
        errors.NotConfigured, match="the file is the contexts file of the home folder"
    ):
        rnb.connect()
