"""The contexts file of the vendor's client `re`: the tenants it knows, and its tokens for them."""

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
from reinfer_nb.errors import ConfigurationError
from reinfer_nb.text import visible


@dataclass(frozen=True, kw_only=True)
class Context:
    """An entry of the contexts file of the vendor's client."""

    name: str
    endpoint: str
    token: Token | None
    verify: bool = True
    proxy: Hidden | None = None
    current: bool = False


def contexts_file() -> Path:
    """Return where the vendor's client keeps its contexts on this machine.

    Raises:
        ConfigurationError: This user has no home folder.
    """
    return user_folders.config_of_re() / "contexts.json"


def contexts_place() -> str:
    """Return where the contexts file is, as a message says it; also for a user without a home."""
    try:
        return visible(str(contexts_file()))
    except ConfigurationError:
        return "the contexts file of the home folder, which this user does not have"


def read_contexts() -> list[Context]:
    """Return the contexts of the vendor's client; none where it has no file.

    Raises:
        ConfigurationError: The file is there and cannot be read.
    """
    try:
        file = contexts_file()
    except ConfigurationError:
        # Without a home folder the vendor's client has no contexts either.
        return []
    # The error is made outside of `except`: a decoder's own holds the file, and so a token.
    try:
        return _parsed(file)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        reason = (
            "is not what the vendor's client writes. Mend it with `re config`, or give endpoint= "
            "and token="
        )
    raise ConfigurationError(f"The contexts file {visible(str(file))} {reason.rstrip('.')}.")


def _parsed(file: Path) -> list[Context]:
    content = json.loads(file.read_text("utf-8-sig"), object_hook=_hidden)
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
    # `re config parse-from-url` keeps the query of a browser's address; no request needs it.
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
