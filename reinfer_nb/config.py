"""Which tenant, and as whom: endpoint and token from arguments, environment or contexts file.

A token is only ever taken together with the endpoint it belongs to. Knows nothing of requests.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd

from reinfer_nb.errors import ConfigurationError, InvalidInput, NotConfigured
from reinfer_nb.secret import Hidden, Token
from reinfer_nb.text import listed, nearest, shown, visible

ENDPOINT, TOKEN, CONTEXT = "REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT"
_ARGUMENT, _VARIABLE = "argument", f"environment variable {TOKEN}"

WAYS = f"""\
Say which tenant to use, in one of these ways:
  1. rnb.connect(endpoint="https://cloud.uipath.com/<org>/<tenant>/reinfer_", token=...)
  2. the environment variables {ENDPOINT} and {TOKEN}
  3. a context of the vendor's client `re` (re config add ...), by rnb.connect(context=...),
     by {CONTEXT}, or as its current context; the file is {{contexts}}
  4. nothing of your own: `with rnb.sandbox() as client:` is a practice tenant"""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A tenant and a way in.

    Attributes:
        endpoint: Base URL without a slash at its end; may have a path.
        token: The API token.
        token_from: Where the token came from, for a person.
        verify: Whether certificates are verified, or the path of a CA bundle to do it with.
        proxy: URL of a proxy, or None for what the environment says.
    """

    endpoint: str
    token: Token
    token_from: str
    verify: bool | str = True
    proxy: Hidden | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """An entry of the contexts file of the vendor's client."""

    name: str
    endpoint: str
    token: Token | None
    verify: bool = True
    proxy: Hidden | None = None
    current: bool = False


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What was asked for, before it is checked and put together."""

    endpoint: str | None
    token: Token | None
    token_from: str = ""
    verify: bool | str = True
    proxy: Hidden | None = None


def resolve(
    *,
    endpoint: str | None = None,
    token: Token | str | None = None,
    context: str | None = None,
    verify: bool | str | None = None,
    proxy: Hidden | None = None,
) -> Tenant:
    """Return the tenant that the arguments, the environment or the contexts file name.

    Args:
        endpoint: Base URL; more explicit than everything else.
        token: API token; more explicit than everything else.
        context: Name of a context of the vendor's client.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy.

    Raises:
        NotConfigured: Nothing names a tenant; the message lists the ways.
        ConfigurationError: What there is is incomplete or contradicts itself.
        InvalidInput: The endpoint or the token cannot be one.
    """
    own = token if token is None or isinstance(token, Token) else Token(token)
    del token
    chosen = _chosen(endpoint, own, context)
    if chosen.endpoint is None or chosen.token is None:
        raise ConfigurationError(_incomplete(chosen))
    return Tenant(
        endpoint=checked_endpoint(chosen.endpoint),
        token=_checked_token(chosen.token, chosen.token_from),
        token_from=chosen.token_from,
        verify=_checked_verify(chosen.verify if verify is None else verify),
        proxy=_checked_proxy(proxy or chosen.proxy),
    )


def _chosen(endpoint: str | None, own: Token | None, context: str | None) -> _Given:
    if context is not None and endpoint is not None:
        raise ConfigurationError("Give an endpoint or a context, not both.")
    if context is not None:
        return _of_context(_named(context), own)
    there = os.environ.get(ENDPOINT) or None
    theirs = Token(os.environ[TOKEN]) if os.environ.get(TOKEN) else None
    place = endpoint if endpoint is not None else there
    if place is None:
        return _without_endpoint(own, theirs)
    if own is not None:
        return _Given(endpoint=place, token=own, token_from=_ARGUMENT)
    return _at(place, there, theirs)


def _at(place: str, there: str | None, theirs: Token | None) -> _Given:
    """Return the token that belongs to an endpoint: of the environment, or of a context."""
    if theirs is not None and (there is None or _same(there, place)):
        return _Given(endpoint=place, token=theirs, token_from=_VARIABLE)
    matching = [
        known
        for known in read_contexts()
        if known.token is not None and _same(known.endpoint, place)
    ]
    wanted = os.environ.get(CONTEXT)
    preferred = [known for known in matching if known.name == wanted] or [
        known for known in matching if known.current
    ]
    if preferred or len(matching) == 1:
        return _of_context((preferred or matching)[0], None)
    if matching:
        names = listed(shown(known.name) for known in matching)
        raise ConfigurationError(
            f"Several contexts have a token for {shown(place)}: {names}. Say which with context=."
        )
    if theirs is not None:
        raise ConfigurationError(
            f"{TOKEN} belongs to {ENDPOINT} ({shown(there)}) and is not sent to {shown(place)}. "
            "Give token= too."
        )
    return _Given(endpoint=place, token=None)


def _without_endpoint(own: Token | None, theirs: Token | None) -> _Given:
    name = os.environ.get(CONTEXT)
    if name:
        return _of_context(_named(name), own)
    if theirs is not None and own is None:
        # Whose token it is nobody knows; the current context's tenant is not to be told it.
        return _Given(endpoint=None, token=theirs, token_from=_VARIABLE)
    for known in read_contexts():
        if known.current:
            return _of_context(known, own)
    if own is not None:
        return _Given(endpoint=None, token=own, token_from=_ARGUMENT)
    raise NotConfigured("No tenant is configured. " + WAYS.format(contexts=contexts_file()))


def _of_context(context: Context, own: Token | None) -> _Given:
    return _Given(
        endpoint=context.endpoint,
        token=own or context.token,
        token_from=_ARGUMENT if own else f'context "{visible(context.name)}"',
        verify=context.verify,
        proxy=context.proxy,
    )


def _incomplete(chosen: _Given) -> str:
    if chosen.endpoint is None:
        return (
            f"There is a token ({chosen.token_from}) and no endpoint. Give endpoint= or set "
            f"{ENDPOINT}, such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
        )
    return (
        f"There is no token for {shown(chosen.endpoint)}. Give token= or set {TOKEN}; a token is "
        "made on the tenant's page under 'My account'."
    )


def _same(left: str, right: str) -> bool:
    return left.rstrip("/") == right.rstrip("/")


def checked_endpoint(endpoint: object) -> str:
    """Return a base URL in the form that paths are appended to.

    Raises:
        InvalidInput: It is no http(s) URL, carries more than a host and a path, or is plain http
            to anywhere but this machine.
    """
    example = "such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
    if not isinstance(endpoint, str) or not re.fullmatch(r"[!-[\]-~]+", endpoint):
        raise InvalidInput(f"An endpoint is a URL, {example}, not {shown(endpoint)}.")
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"The endpoint {shown(endpoint)} is no URL: {error}.") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The endpoint holds a user name; give the token as token= instead.")
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput(
            f"The endpoint {shown(endpoint)} does not begin with https://, {example}."
        )
    if parts.query or parts.fragment:
        raise InvalidInput(f"The endpoint {shown(endpoint)} holds a ? or #; end it before that.")
    if re.search(r"(^|/)\.\.?(/|$)|%", parts.path) or "/api/v1" in parts.path:
        raise InvalidInput(
            f"The endpoint {shown(endpoint)} is not a base: end it before /api/v1, {example}."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(
            f"The endpoint {shown(endpoint)} is plain http, over which anyone on the way can read "
            "the token. Use https://; plain http is for this machine only."
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _checked_verify(verify: object) -> bool | str:
    """Return whether to verify, or the path of a CA bundle that is there."""
    if verify is True or verify is False:
        return verify
    path = os.fspath(verify) if isinstance(verify, str | os.PathLike) else None
    if not isinstance(path, str) or not path or not os.path.exists(path):  # noqa: PTH110
        raise InvalidInput(
            f"verify is True, False, or the path of a CA bundle that exists, not {shown(verify)}."
        )
    return path


def _checked_proxy(proxy: Hidden | None) -> Hidden | None:
    """Return the URL of a proxy, of which only the scheme is ever shown."""
    if proxy is None:
        return None
    scheme = str.__getitem__(proxy, slice(0, proxy.find("://"))) if "://" in proxy else ""
    if scheme.lower() not in ("http", "https"):
        raise InvalidInput(
            "proxy is a URL that begins with http:// or https://, such as http://proxy:8080."
        )
    return proxy


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, without asking anyone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_token(token: Token, token_from: str) -> Token:
    """Return a token that can go into a header as it is; the error does not show it."""
    flaw = token.flaw()
    if flaw is None:
        return token
    if token_from == _ARGUMENT:
        raise InvalidInput(f"The token given {flaw}")
    if token_from == _VARIABLE:
        raise InvalidInput(f"{TOKEN} of the environment {flaw}")
    raise ConfigurationError(f"The token of {token_from} in {contexts_file()} {flaw}")


def contexts_file() -> Path:
    """Return where the vendor's client keeps its contexts on this machine."""
    import platformdirs

    folder = platformdirs.user_config_path("reinfer", appauthor=False, roaming=True)
    return folder / "contexts.json"


def read_contexts() -> list[Context]:
    """Return the contexts of the vendor's client; none where it has no file.

    Raises:
        ConfigurationError: The file is there and cannot be read.
    """
    file = contexts_file()
    # The error is made outside of `except`: a decoder's own holds the file, and so a token.
    try:
        return _parsed(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        reason = (
            "is not what the vendor's client writes. Mend it with `re config`, or give endpoint= "
            "and token="
        )
    raise ConfigurationError(f"The contexts file {file} {reason.rstrip('.')}.")


def _parsed(file: Path) -> list[Context]:
    content = json.loads(file.read_text("utf-8"), object_hook=_hidden)
    current = content.get("current_context")
    return [_context(entry, current) for entry in content.get("contexts", [])]


def _hidden(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the file with its secrets out of sight."""
    if entry.get("token") is not None:
        entry["token"] = Token(entry["token"])
    if entry.get("proxy") is not None:
        entry["proxy"] = Hidden(entry["proxy"])
    return entry


def _context(entry: Mapping[str, Any], current: str | None) -> Context:
    name, endpoint, token = entry["name"], entry["endpoint"], entry.get("token")
    if not isinstance(name, str) or not isinstance(endpoint, str):
        raise TypeError
    return Context(
        name=name,
        endpoint=endpoint,
        token=token,
        verify=not entry.get("accept_invalid_certificates", False),
        proxy=entry.get("proxy") or None,
        current=name == current,
    )


def _named(name: object) -> Context:
    if not isinstance(name, str):
        raise InvalidInput(f"A context is named by a text, not {shown(name)}.")
    known = {context.name: context for context in read_contexts()}
    if name in known:
        return known[name]
    guess = nearest(name, known)
    there = f"there are {listed(map(shown, known))}" if known else "there are none"
    raise ConfigurationError(
        f"There is no context {shown(name)} in {contexts_file()}"
        + (f"; did you mean {shown(guess)}?" if guess else f"; {there}.")
    )


def contexts() -> pd.DataFrame:
    """Return what the vendor's client has stored on this machine, without the tokens.

    >>> list(contexts().columns)
    ['name', 'endpoint', 'current', 'has_token', 'verify', 'proxy']

    Returns:
        One row a context: `name` and `endpoint` (`str`), and whether it is the current one, has
        a token, verifies certificates, and goes through a proxy (`bool`).

    Raises:
        ConfigurationError: The contexts file is there and cannot be read.
    """
    found = read_contexts()
    return pd.DataFrame(
        {
            "name": pd.Series([context.name for context in found], dtype="str"),
            "endpoint": pd.Series([context.endpoint for context in found], dtype="str"),
            "current": pd.Series([context.current for context in found], dtype="bool"),
            "has_token": pd.Series([context.token is not None for context in found], dtype="bool"),
            "verify": pd.Series([context.verify for context in found], dtype="bool"),
            "proxy": pd.Series([context.proxy is not None for context in found], dtype="bool"),
        }
    )
