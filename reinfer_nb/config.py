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
    token: str | None = None,
    context: str | None = None,
    verify: bool | str | None = None,
    proxy: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Tenant:
    """Return the tenant that the arguments, the environment or the contexts file name.

    Args:
        endpoint: Base URL; more explicit than everything else.
        token: API token; more explicit than everything else.
        context: Name of a context of the vendor's client.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy.
        environ: The environment.

    Raises:
        NotConfigured: Nothing names a tenant; the message lists the ways.
        ConfigurationError: What there is is incomplete or contradicts itself.
        InvalidInput: The endpoint or the token cannot be one.
    """
    chosen = _chosen(endpoint, token, context, environ)
    if chosen.endpoint is None or chosen.token is None:
        raise ConfigurationError(_incomplete(chosen))
    if verify is None:
        verify = chosen.verify
    return Tenant(
        endpoint=checked_endpoint(chosen.endpoint),
        token=chosen.token,
        token_from=chosen.token_from,
        verify=verify,
        proxy=Hidden(proxy) if proxy else chosen.proxy,
    )


def _chosen(
    endpoint: str | None, token: str | None, context: str | None, environ: Mapping[str, str]
) -> _Given:
    own = checked_token(token, "The token given") if token is not None else None
    if context is not None and endpoint is not None:
        raise ConfigurationError("Give an endpoint or a context, not both.")
    if context is not None:
        return _of_context(_named(context, environ), own)
    there = environ.get(ENDPOINT) or None
    secret = environ.get(TOKEN)
    theirs = checked_token(secret, f"{TOKEN} of the environment") if secret else None
    place = endpoint or there
    if place is None:
        return _without_endpoint(own, theirs, environ)
    if own is not None:
        return _Given(endpoint=place, token=own, token_from=_ARGUMENT)
    if theirs is not None and (there is None or _same(there, place)):
        return _Given(endpoint=place, token=theirs, token_from=_VARIABLE)
    for known in read_contexts(environ):
        if known.token is not None and _same(known.endpoint, place):
            return _of_context(known, None)
    if theirs is not None:
        raise ConfigurationError(
            f"{TOKEN} belongs to {ENDPOINT} ({shown(there)}) and is not sent to "
            f"{shown(endpoint)}. Give token= too."
        )
    return _Given(endpoint=place, token=None)


def _without_endpoint(
    own: Token | None, theirs: Token | None, environ: Mapping[str, str]
) -> _Given:
    name = environ.get(CONTEXT)
    if name:
        return _of_context(_named(name, environ), own)
    if theirs is not None and own is None:
        # Whose token it is nobody knows; the current context's tenant is not to be told it.
        return _Given(endpoint=None, token=theirs, token_from=_VARIABLE)
    for known in read_contexts(environ):
        if known.current:
            return _of_context(known, own)
    if own is not None:
        return _Given(endpoint=None, token=own, token_from=_ARGUMENT)
    raise NotConfigured("No tenant is configured. " + WAYS.format(contexts=contexts_file(environ)))


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
    if not isinstance(endpoint, str) or not re.fullmatch(r"[!-~]+", endpoint):
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
    if re.search(r"(^|/)\.\.?(/|$)|%|\\", parts.path) or "/api/v1" in parts.path:
        raise InvalidInput(
            f"The endpoint {shown(endpoint)} is not a base: end it before /api/v1, {example}."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(
            f"The endpoint {shown(endpoint)} is plain http, over which anyone on the way can read "
            "the token. Use https://; plain http is for this machine only."
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, without asking anyone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_token(token: object, what: str) -> Token:
    """Return a token.

    Raises:
        InvalidInput: It cannot go into a header as it is. The message does not show it.
    """
    if not isinstance(token, str) or not token:
        raise InvalidInput(f"{what} is no text; a token is one word of printable characters.")
    if not re.fullmatch(r"[!-~]{1,8192}", token):
        raise InvalidInput(
            f"{what} holds a space, a line break or a character that no token has. Copy it again, "
            "without what stands around it (text.strip() takes away line breaks at the ends)."
        )
    return Token(token)


def contexts_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the vendor's client keeps its contexts on this machine."""
    if environ is not os.environ and environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"]) / "reinfer" / "contexts.json"
    import platformdirs

    folder = platformdirs.user_config_path("reinfer", appauthor=False, roaming=True)
    return folder / "contexts.json"


def read_contexts(environ: Mapping[str, str] = os.environ) -> list[Context]:
    """Return the contexts of the vendor's client; none where it has no file.

    Raises:
        ConfigurationError: The file is there and cannot be read.
    """
    file = contexts_file(environ)
    try:
        content = json.loads(file.read_text("utf-8"))
        current = content.get("current_context")
        return [_context(entry, current) for entry in content.get("contexts", [])]
    except FileNotFoundError:
        return []
    except InvalidInput as error:
        raise ConfigurationError(f"The contexts file {file}: {error}") from None
    except OSError as error:
        raise ConfigurationError(
            f"The contexts file {file} cannot be read: {error.strerror}."
        ) from None
    except (ValueError, TypeError, AttributeError, KeyError):
        # Without the cause, whose message may quote the file and with it a token.
        raise ConfigurationError(
            f"The contexts file {file} is not what the vendor's client writes. Mend it with "
            "`re config`, or give endpoint= and token=."
        ) from None


def _context(entry: Mapping[str, Any], current: str | None) -> Context:
    name, endpoint, token = entry["name"], entry["endpoint"], entry.get("token")
    if not isinstance(name, str) or not isinstance(endpoint, str):
        raise TypeError
    return Context(
        name=name,
        endpoint=endpoint,
        token=checked_token(token, f"the token of context {shown(name)}") if token else None,
        verify=not entry.get("accept_invalid_certificates", False),
        proxy=Hidden(entry["proxy"]) if entry.get("proxy") else None,
        current=name == current,
    )


def _named(name: str, environ: Mapping[str, str]) -> Context:
    known = {context.name: context for context in read_contexts(environ)}
    if name in known:
        return known[name]
    guess = nearest(name, known)
    there = f"there are {listed(map(shown, known))}" if known else "there are none"
    raise ConfigurationError(
        f"There is no context {shown(name)} in {contexts_file(environ)}"
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
