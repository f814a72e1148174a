"""Which tenant, and as whom: from arguments, a login, the environment, contexts or the keyring.

A token is only ever taken together with the endpoint it belongs to. Knows nothing of requests.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from reinfer_nb.auth import keyring_store
from reinfer_nb.auth.re_contexts import (
    Context,
    contexts,
    contexts_file,
    contexts_place,
    read_contexts,
)
from reinfer_nb.auth.secret import BY_FUNCTION, Hidden, Token
from reinfer_nb.auth.token_function import FunctionToken, token_given
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, NotConfigured
from reinfer_nb.files import path_of
from reinfer_nb.text import listed, nearest, shown, visible

__all__ = [
    "CONTEXT",
    "ENDPOINT",
    "LOGIN",
    "TOKEN",
    "Context",
    "Tenant",
    "checked_endpoint",
    "contexts",
    "contexts_file",
    "forget_login",
    "is_loopback",
    "logged_in",
    "read_contexts",
    "remember_login",
    "resolve",
    "tenant_at",
]

ENDPOINT, TOKEN, CONTEXT = "REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT"
LOGIN = "login"
_ARGUMENT, _VARIABLE = "argument", f"environment variable {TOKEN}"

WAYS = f"""\
Say which tenant to use, in one of these ways:
  1. rnb.connect(endpoint="https://cloud.uipath.com/<org>/<tenant>/reinfer_", token=...)
  2. rnb.login(), a form for the notebook
  3. the environment variables {ENDPOINT} and {TOKEN}
  4. a context of the vendor's client `re` (re config add ...), by rnb.connect(context=...),
     by {CONTEXT}, or as its current context; the file is {{contexts}}
  5. nothing of your own: `with rnb.sandbox() as client:` is a practice tenant"""


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


# The tenant logged in to: by nobody but a form, and for this process only.
_session: dict[str, Tenant] = {}


def logged_in() -> Tenant | None:
    """Return the tenant that was logged in to in this session, if any."""
    return _session.get(LOGIN)


def remember_login(tenant: Tenant) -> Tenant:
    """Use a tenant wherever none is named, from now on in this process, and return it."""
    _session[LOGIN] = replace(tenant, token_from=LOGIN)
    return _session[LOGIN]


def forget_login(tenant: Tenant | None = None) -> None:
    """Forget who is logged in; where a tenant is given, only if it is that one."""
    if tenant is None or tenant is logged_in():
        _session.pop(LOGIN, None)


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
    token: Token | str | Callable[[], str] | None = None,
    context: str | None = None,
    verify: bool | str | None = None,
    proxy: Hidden | None = None,
) -> Tenant:
    """Return the tenant that the arguments, a login, the environment or a context name.

    Args:
        endpoint: Base URL; more explicit than everything else.
        token: API token, or a function that returns one; more explicit than everything else.
        context: Name of a context of the vendor's client.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy.

    Raises:
        NotConfigured: Nothing names a tenant; the message lists the ways.
        ConfigurationError: What there is is incomplete or contradicts itself.
        InvalidInput: The endpoint or the token cannot be one.
    """
    own = token if token is None or isinstance(token, Token) else token_given(token)
    del token
    chosen = _chosen(endpoint, own, context)
    return _tenant(
        replace(
            chosen,
            verify=chosen.verify if verify is None else verify,
            proxy=proxy or chosen.proxy,
        )
    )


def tenant_at(endpoint: str, token: Token | None = None) -> Tenant | None:
    """Return the tenant at an endpoint, as a form asks for it; None where no token is known.

    Args:
        endpoint: Base URL.
        token: The token that was typed. A context of the endpoint then still says whether
            certificates are verified, and through which proxy.

    Raises:
        ConfigurationError: Which token it would be is not unmistakable, or cannot be found out.
        InvalidInput: The endpoint or the token cannot be one.
    """
    place = checked_endpoint(endpoint)
    chosen = _at(place) if token is None else _reached(place, token, LOGIN)
    return None if chosen.token is None else _tenant(chosen)


def _tenant(chosen: _Given) -> Tenant:
    if isinstance(chosen.token, FunctionToken):
        chosen = replace(chosen, token_from=BY_FUNCTION)
    if chosen.endpoint is None or chosen.token is None:
        raise ConfigurationError(_incomplete(chosen))
    return Tenant(
        endpoint=checked_endpoint(chosen.endpoint),
        token=_checked_token(chosen.token, chosen.token_from),
        token_from=chosen.token_from,
        verify=_checked_verify(chosen.verify),
        proxy=_checked_proxy(chosen.proxy),
    )


def _chosen(endpoint: str | None, own: Token | None, context: str | None) -> _Given:
    if context is not None and endpoint is not None:
        raise ConfigurationError("Give an endpoint or a context, not both.")
    if context is not None:
        return _of_context(_named(context), own)
    login = logged_in()
    if endpoint is None and login is not None:
        return _of_login(login, own)
    place = endpoint if endpoint is not None else os.environ.get(ENDPOINT) or None
    if place is None:
        return _without_endpoint(own)
    if own is not None:
        return _Given(endpoint=place, token=own, token_from=_ARGUMENT)
    found = _at(place)
    if found.token is None and _token_of_the_environment() is not None:
        raise ConfigurationError(
            f"{TOKEN} belongs to {ENDPOINT} ({shown(os.environ[ENDPOINT])}) and is not sent to "
            f"{shown(place)}. Give token= too."
        )
    return found


def _at(place: str) -> _Given:
    """Return an endpoint with the token that belongs to it, if there is one.

    Of the login, the environment, a context, or at last the system's keyring.
    """
    login = logged_in()
    if login is not None and _same(login.endpoint, place):
        return _of_login(login, None)
    there, theirs = os.environ.get(ENDPOINT) or None, _token_of_the_environment()
    if theirs is not None and (there is None or _same(there, place)):
        return _Given(endpoint=place, token=theirs, token_from=_VARIABLE)
    matching = _contexts_at(place, with_token=True)
    if len(matching) == 1:
        return _of_context(matching[0], None)
    if matching:
        names = listed(shown(known.name) for known in matching)
        raise ConfigurationError(
            f"Several contexts have a token for {shown(place)}: {names}. Say which with context=, "
            "or give the token."
        )
    kept = keyring_store.kept(checked_endpoint(place))
    if kept is not None:
        return _reached(place, kept, keyring_store.NAME)
    return _Given(endpoint=place, token=None)


def _contexts_at(place: str, *, with_token: bool) -> list[Context]:
    """Return the contexts of an endpoint; only one if it is the one asked for, or current."""
    matching = [
        known
        for known in read_contexts()
        if _same(known.endpoint, place) and not (with_token and known.token is None)
    ]
    wanted = os.environ.get(CONTEXT)
    preferred = [known for known in matching if known.name == wanted] or [
        known for known in matching if known.current
    ]
    return preferred[:1] or matching


def _reached(place: str, token: Token, token_from: str) -> _Given:
    """Return an endpoint with a token of no context, reached as its contexts say, if they agree."""
    try:
        known = _contexts_at(place, with_token=False)
    except ConfigurationError:
        # The file matters to none who has a token.
        known = []
    ways = {(context.verify, context.proxy) for context in known}
    verify, proxy = ways.pop() if len(ways) == 1 else (True, None)
    return _Given(endpoint=place, token=token, token_from=token_from, verify=verify, proxy=proxy)


def _token_of_the_environment() -> Token | None:
    return Token(os.environ[TOKEN]) if os.environ.get(TOKEN) else None


def _without_endpoint(own: Token | None) -> _Given:
    theirs = _token_of_the_environment()
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
    raise NotConfigured("No tenant is configured. " + WAYS.format(contexts=contexts_place()))


def _of_context(context: Context, own: Token | None) -> _Given:
    return _Given(
        endpoint=context.endpoint,
        token=own or context.token,
        token_from=_ARGUMENT if own else f'context "{visible(context.name)}"',
        verify=context.verify,
        proxy=context.proxy,
    )


def _of_login(login: Tenant, own: Token | None) -> _Given:
    return _Given(
        endpoint=login.endpoint,
        token=own or login.token,
        token_from=_ARGUMENT if own else LOGIN,
        verify=login.verify,
        proxy=login.proxy,
    )


def _incomplete(chosen: _Given) -> str:
    if chosen.endpoint is None:
        return (
            f"There is a token ({chosen.token_from}) and no endpoint. Give endpoint= or set "
            f"{ENDPOINT}, such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
        )
    return (
        f"There is no token for {_endpoint_shown(chosen.endpoint)}. Give token=, set {TOKEN}, or "
        "type it into rnb.login(); a token is made on the tenant's page under 'My account'."
    )


def _same(left: str, right: object) -> bool:
    return isinstance(right, str) and left.rstrip("/") == right.rstrip("/")


def checked_endpoint(endpoint: object) -> str:
    """Return a base URL in the form that paths are appended to.

    Raises:
        InvalidInput: It is no http(s) URL, carries more than a host and a path, or is plain http
            to anywhere but this machine.
    """
    example = "such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
    named = _endpoint_shown(endpoint)
    if not isinstance(endpoint, str) or not re.fullmatch(r"[!-[\]-~]+", endpoint):
        raise InvalidInput(f"An endpoint is a URL, {example}, not {named}.")
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"The endpoint {named} is no URL: {error}.") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The endpoint holds a user name; give the token as token= instead.")
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput(f"The endpoint {named} does not begin with https://, {example}.")
    if parts.query or parts.fragment:
        raise InvalidInput(f"The endpoint {named} holds a ? or #; end it before that.")
    if re.search(r"(^|/)\.\.?(/|$)|%", parts.path) or "/api/v1" in parts.path:
        raise InvalidInput(f"The endpoint {named} is not a base: end it before /api/v1, {example}.")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(
            f"The endpoint {named} is plain http, over which anyone on the way can read "
            "the token. Use https://; plain http is for this machine only."
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _endpoint_shown(endpoint: object) -> str:
    """Return an endpoint for a message, without what in it may be a secret."""
    if not isinstance(endpoint, str):
        return shown(endpoint)
    return shown(re.sub(r"(?s)(?<=[?#]).+", "***", re.sub(r"[^/?#]*@", "***@", endpoint)))


def _checked_verify(verify: object) -> bool | str:
    """Return whether to verify, or the path of a CA bundle that is there."""
    if verify is True or verify is False:
        return verify
    try:
        # Absolute, since requests are sent for as long as the client lives.
        path = path_of(verify).absolute()
        exists = path.exists()
    except (FileProblem, InvalidInput, OSError):
        exists = False
    if not exists:
        raise InvalidInput(
            f"verify is True, False, or the path of a CA bundle that exists, not {shown(verify)}."
        )
    return str(path)


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
    if token_from in (_ARGUMENT, LOGIN, BY_FUNCTION):
        raise InvalidInput(f"The token given {flaw}")
    if token_from == _VARIABLE:
        raise InvalidInput(f"{TOKEN} of the environment {flaw}")
    place = "" if token_from == keyring_store.NAME else f" in {contexts_place()}"
    raise ConfigurationError(f"The token of {token_from}{place} {flaw}")


def _named(name: object) -> Context:
    if not isinstance(name, str):
        raise InvalidInput(f"A context is named by a text, not {shown(name)}.")
    known = {context.name: context for context in read_contexts()}
    if name in known:
        return known[name]
    guess = nearest(name, known)
    there = f"there are {listed(map(shown, known))}" if known else "there are none"
    raise ConfigurationError(
        f"There is no context {shown(name)} in {contexts_place()}"
        + (f"; did you mean {shown(guess)}?" if guess else f"; {there}.")
    )
