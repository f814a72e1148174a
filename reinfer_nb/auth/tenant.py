"""Finds tenant and token: in arguments, a login, the environment, `re` contexts or the keyring.

A token is only used with the endpoint that it belongs to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from reinfer_nb.auth import keyring_store
from reinfer_nb.auth.endpoint import checked_endpoint, endpoint_shown, is_same_endpoint
from reinfer_nb.auth.re_contexts import (
    Context,
    contexts,
    contexts_file,
    contexts_place,
    read_contexts,
)
from reinfer_nb.auth.secret import BY_FUNCTION, Hidden, Token
from reinfer_nb.auth.token_function import FunctionToken, token_given
from reinfer_nb.constants import CONTEXT, ENDPOINT, TOKEN
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, NotConfigured
from reinfer_nb.files import path_of
from reinfer_nb.text import listed, nearest, shown, visible
from reinfer_nb.wording import spelled

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
    "logged_in",
    "read_contexts",
    "remember_login",
    "resolve",
    "tenant_at",
]

LOGIN = "login"
_ARGUMENT, _VARIABLE = "argument", f"environment variable {TOKEN}"

WAYS = f"""\
Choose a tenant in one of these ways:
  1. rnb.connect(endpoint="https://cloud.uipath.com/<org>/<tenant>/reinfer_", token=...)
  2. rnb.login(), a form in the notebook
  3. the environment variables {ENDPOINT} and {TOKEN}
  4. a context of the vendor's client `re` (re config add ...), by rnb.connect(context=...),
     by {CONTEXT}, or as its current context; the file is {{contexts}}
  5. a practice tenant instead of your own: `with rnb.sandbox() as client:`"""
_WAYS_IN_SHELL = f"""\
Choose a tenant in one of these ways:
  1. the environment variables {ENDPOINT} and {TOKEN}
  2. a context of the vendor's client `re` (re config add ...), by --context, by {CONTEXT},
     or as its current context; the file is {{contexts}}
  3. a practice tenant instead of your own: `reinfer-nb sandbox` shows the variables to set"""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A tenant, and how to connect to it.

    Attributes:
        endpoint: Base URL without a slash at its end; may have a path.
        token: The API token.
        token_from: The origin of the token, for messages.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy; None for that of the environment.
    """

    endpoint: str
    token: Token
    token_from: str
    verify: bool | str = True
    proxy: Hidden | None = None


# The tenant of the login form, for this process only.
_session: dict[str, Tenant] = {}


def logged_in() -> Tenant | None:
    """Return the tenant of the login in this process; None if there is none."""
    return _session.get(LOGIN)


def remember_login(tenant: Tenant) -> Tenant:
    """Make a tenant the default of this process, and return it."""
    _session[LOGIN] = replace(tenant, token_from=LOGIN)
    return _session[LOGIN]


def forget_login(tenant: Tenant | None = None) -> None:
    """End the login; if a tenant is given, only if the login is that one."""
    if tenant is None or tenant is logged_in():
        _session.pop(LOGIN, None)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A tenant that is not checked yet, and may lack endpoint or token."""

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
    """Return the tenant of the arguments, a login, the environment or a context.

    Args:
        endpoint: Base URL; overrides all other settings.
        token: API token, or a function that returns one; overrides all other settings.
        context: Name of a context of the vendor's client.
        verify: Whether to verify certificates, or the path of a CA bundle.
        proxy: URL of a proxy.

    Raises:
        NotConfigured: No tenant is configured; the message lists the ways to do it.
        ConfigurationError: The configuration is incomplete or contradicts itself.
        InvalidInput: The endpoint or the token is invalid.
    """
    own = token if token is None or isinstance(token, Token) else token_given(token)
    del token
    choice = _choose(endpoint, own, context)
    return _tenant(
        replace(
            choice,
            verify=choice.verify if verify is None else verify,
            proxy=proxy or choice.proxy,
        )
    )


def tenant_at(endpoint: str, token: Token | None = None) -> Tenant | None:
    """Return the tenant at an endpoint, for the login form; None if no token is known.

    Args:
        endpoint: Base URL.
        token: The token that was typed. A context of the endpoint still determines whether
            certificates are verified, and the proxy.

    Raises:
        ConfigurationError: There are several tokens, or the stored tokens cannot be read.
        InvalidInput: The endpoint or the token is invalid.
    """
    endpoint = checked_endpoint(endpoint)
    choice = _at(endpoint) if token is None else _with_token(endpoint, token, LOGIN)
    return None if choice.token is None else _tenant(choice)


def _tenant(choice: _Choice) -> Tenant:
    if isinstance(choice.token, FunctionToken):
        choice = replace(choice, token_from=BY_FUNCTION)
    if choice.endpoint is None or choice.token is None:
        raise ConfigurationError(_incomplete(choice))
    return Tenant(
        endpoint=checked_endpoint(choice.endpoint),
        token=_checked_token(choice.token, choice.token_from),
        token_from=choice.token_from,
        verify=_checked_verify(choice.verify),
        proxy=_checked_proxy(choice.proxy),
    )


def _choose(endpoint: str | None, own: Token | None, context: str | None) -> _Choice:
    if context is not None and endpoint is not None:
        raise ConfigurationError("Pass an endpoint or a context, not both.")
    if context is not None:
        return _of_context(_context_named(context), own)
    login = logged_in()
    if endpoint is None and login is not None:
        return _of_login(login, own)
    endpoint = endpoint if endpoint is not None else os.environ.get(ENDPOINT) or None
    if endpoint is None:
        return _without_endpoint(own)
    if own is not None:
        return _Choice(endpoint=endpoint, token=own, token_from=_ARGUMENT)
    choice = _at(endpoint)
    if choice.token is None and _environment_token() is not None:
        raise ConfigurationError(
            f"{TOKEN} belongs to {ENDPOINT} ({shown(os.environ[ENDPOINT])}) and is not sent to "
            f"{shown(endpoint)}. {spelled('Pass token= too', f'Set {ENDPOINT} to it')}."
        )
    return choice


def _at(endpoint: str) -> _Choice:
    """Return an endpoint with its token, if any.

    The token is that of the login, the environment, a context or the system's keyring, in this
    order.
    """
    login = logged_in()
    if login is not None and is_same_endpoint(login.endpoint, endpoint):
        return _of_login(login, None)
    other, token = os.environ.get(ENDPOINT) or None, _environment_token()
    if token is not None and (other is None or is_same_endpoint(other, endpoint)):
        return _Choice(endpoint=endpoint, token=token, token_from=_VARIABLE)
    matching = _contexts_at(endpoint, with_token=True)
    if len(matching) == 1:
        return _of_context(matching[0], None)
    if matching:
        names = listed(shown(context.name) for context in matching)
        raise ConfigurationError(
            f"Several contexts have a token for {shown(endpoint)}: {names}. Choose one with "
            + spelled("context=, or pass the token.", f"--context, or set {TOKEN}.")
        )
    token = keyring_store.kept(checked_endpoint(endpoint))
    if token is not None:
        return _with_token(endpoint, token, keyring_store.NAME)
    return _Choice(endpoint=endpoint, token=None)


def _contexts_at(endpoint: str, *, with_token: bool) -> list[Context]:
    """Return the contexts of an endpoint; only one if it is named by REINFER_CONTEXT or current."""
    matching = [
        context
        for context in read_contexts()
        if is_same_endpoint(context.endpoint, endpoint)
        and not (with_token and context.token is None)
    ]
    name = os.environ.get(CONTEXT)
    preferred = [context for context in matching if context.name == name] or [
        context for context in matching if context.current
    ]
    return preferred[:1] or matching


def _with_token(endpoint: str, token: Token, token_from: str) -> _Choice:
    """Return an endpoint with a token; `verify` and `proxy` are those of its contexts if equal."""
    try:
        matching = _contexts_at(endpoint, with_token=False)
    except ConfigurationError:
        # With a token, a broken contexts file does not matter.
        matching = []
    settings = {(context.verify, context.proxy) for context in matching}
    verify, proxy = settings.pop() if len(settings) == 1 else (True, None)
    return _Choice(
        endpoint=endpoint, token=token, token_from=token_from, verify=verify, proxy=proxy
    )


def _environment_token() -> Token | None:
    return Token(os.environ[TOKEN]) if os.environ.get(TOKEN) else None


def _without_endpoint(own: Token | None) -> _Choice:
    token, name = _environment_token(), os.environ.get(CONTEXT)
    if name:
        return _of_context(_context_named(name), own)
    if token is not None and own is None:
        # The token may be of another tenant, so it is not sent to that of the current context.
        return _Choice(endpoint=None, token=token, token_from=_VARIABLE)
    for context in read_contexts():
        if context.current:
            return _of_context(context, own)
    if own is not None:
        return _Choice(endpoint=None, token=own, token_from=_ARGUMENT)
    raise NotConfigured(
        "No tenant is configured. "
        + spelled(WAYS, _WAYS_IN_SHELL).format(contexts=contexts_place())
    )


def _of_context(context: Context, own: Token | None) -> _Choice:
    return _Choice(
        endpoint=context.endpoint,
        token=own or context.token,
        token_from=_ARGUMENT if own else f'context "{visible(context.name)}"',
        verify=context.verify,
        proxy=context.proxy,
    )


def _of_login(login: Tenant, own: Token | None) -> _Choice:
    return _Choice(
        endpoint=login.endpoint,
        token=own or login.token,
        token_from=_ARGUMENT if own else LOGIN,
        verify=login.verify,
        proxy=login.proxy,
    )


def _incomplete(choice: _Choice) -> str:
    if choice.endpoint is None:
        return (
            f"There is a token ({choice.token_from}) and no endpoint. "
            f"{spelled('Pass endpoint= or set', 'Set')} {ENDPOINT}, such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
        )
    return (
        f"There is no token for {endpoint_shown(choice.endpoint)}. "
        f"{spelled(f'Pass token=, set {TOKEN}, or use rnb.login()', f'Set {TOKEN}')}. Create a "
        "token on the tenant's page under 'My account'."
    )


def _checked_verify(verify: object) -> bool | str:
    """Return whether to verify certificates, or the path of an existing CA bundle."""
    if verify is True or verify is False:
        return verify
    try:
        # Absolute, since the working directory may change before later requests.
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
    """Return the URL of a proxy if it is valid."""
    if proxy is None:
        return None
    scheme = str.__getitem__(proxy, slice(0, proxy.find("://"))) if "://" in proxy else ""
    if scheme.lower() not in ("http", "https"):
        raise InvalidInput(
            "proxy is a URL that begins with http:// or https://, such as http://proxy:8080."
        )
    return proxy


def _checked_token(token: Token, token_from: str) -> Token:
    """Return a token if it is valid; the error does not show it."""
    flaw = token.flaw()
    if flaw is None:
        return token
    if token_from in (_ARGUMENT, LOGIN, BY_FUNCTION):
        raise InvalidInput(f"The token given {flaw}")
    if token_from == _VARIABLE:
        raise InvalidInput(f"{TOKEN} of the environment {flaw}")
    place = "" if token_from == keyring_store.NAME else f" in {contexts_place()}"
    raise ConfigurationError(f"The token of {token_from}{place} {flaw}")


def _context_named(name: object) -> Context:
    if not isinstance(name, str):
        raise InvalidInput(f"The name of a context is a text, not {shown(name)}.")
    stored = {context.name: context for context in read_contexts()}
    if name in stored:
        return stored[name]
    guess = nearest(name, stored)
    if guess:
        hint = f"Did you mean {shown(guess)}?"
    else:
        hint = f"There are {listed(map(shown, stored))}." if stored else "There are none."
    raise ConfigurationError(f"There is no context {shown(name)} in {contexts_place()}. {hint}")
