"""Reads the contexts file of the vendor's client `re`, with its tenants and tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reinfer_nb import user_folders
from reinfer_nb.auth.secret import Hidden, Token
from reinfer_nb.constants import ENDPOINT, TOKEN
from reinfer_nb.errors import ConfigurationError, reason_of
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled


@dataclass(frozen=True, kw_only=True)
class Context:
    """An entry of the contexts file."""

    name: str
    endpoint: str
    token: Token | None
    verify: bool = True
    proxy: Hidden | None = None
    current: bool = False


def contexts_file() -> Path:
    """Return the path of the contexts file of the vendor's client on this machine.

    Raises:
        ConfigurationError: This user has no home folder.
    """
    return user_folders.config_of_re() / "contexts.json"


def contexts_place() -> str:
    """Return the path of the contexts file for a message, or a text if there is no home folder."""
    try:
        return visible(str(contexts_file()))
    except ConfigurationError:
        return "the contexts file of the home folder, which this user does not have"


def read_contexts() -> list[Context]:
    """Return the contexts of the vendor's client; empty if there is no contexts file.

    Raises:
        ConfigurationError: The file exists and cannot be read.
    """
    try:
        file = contexts_file()
    except ConfigurationError:
        # Without a home folder, the vendor's client has no contexts.
        return []
    # Raised outside of `except`, since the error of the decoder holds the file with its tokens.
    try:
        return _parsed(file)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = f"cannot be read: {reason_of(error)}"
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        reason = (
            "is not a contexts file of the vendor's client. Fix it with `re config`, or "
            + spelled("pass endpoint= and token=", f"set {ENDPOINT} and {TOKEN}")
        )
    raise ConfigurationError(f"The contexts file {visible(str(file))} {reason}.")


def _parsed(file: Path) -> list[Context]:
    content = json.loads(file.read_text("utf-8-sig"), object_hook=_hidden)
    current = content.get("current_context")
    return [_context(entry, current) for entry in content.get("contexts", [])]


def _hidden(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the file with its token and proxy hidden."""
    if entry.get("token") is not None:
        entry["token"] = Token(entry["token"])
    if entry.get("proxy") is not None:
        entry["proxy"] = Hidden(entry["proxy"])
    return entry


def _context(entry: Mapping[str, Any], current: str | None) -> Context:
    name, endpoint, token = entry["name"], entry["endpoint"], entry.get("token")
    if not isinstance(name, str) or not isinstance(endpoint, str):
        raise TypeError
    # `re config parse-from-url` keeps the query of a browser's address, which requests do not need.
    endpoint = re.split("[?#]", endpoint, maxsplit=1)[0]
    return Context(
        name=name,
        endpoint=endpoint,
        token=token,
        verify=not entry.get("accept_invalid_certificates", False),
        proxy=entry.get("proxy") or None,
        current=name == current,
    )


def contexts() -> pd.DataFrame:
    """Return the contexts of the vendor's client on this machine, without tokens.

    >>> list(contexts().columns)
    ['name', 'endpoint', 'current', 'has_token', 'verify', 'proxy']

    Returns:
        One row per context: `name` and `endpoint` (`str`); `current`, `has_token`, `verify`
        (certificates are verified) and `proxy` (a proxy is used) (`bool`).

    Raises:
        ConfigurationError: The contexts file exists and cannot be read.
    """
    stored = read_contexts()
    return pd.DataFrame(
        {
            "name": pd.Series([context.name for context in stored], dtype="str"),
            "endpoint": pd.Series([context.endpoint for context in stored], dtype="str"),
            "current": pd.Series([context.current for context in stored], dtype="bool"),
            "has_token": pd.Series([context.token is not None for context in stored], dtype="bool"),
            "verify": pd.Series([context.verify for context in stored], dtype="bool"),
            "proxy": pd.Series([context.proxy is not None for context in stored], dtype="bool"),
        }
    )
