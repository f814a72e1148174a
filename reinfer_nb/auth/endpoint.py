"""Base URLs of tenants: how they are checked, compared and shown."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

from reinfer_nb.constants import TOKEN
from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled


def checked_endpoint(endpoint: object) -> str:
    """Return a base URL in the form to which paths are appended.

    Raises:
        InvalidInput: It is not an http(s) URL, has more than a host and a path, or uses plain http
            to another machine.
    """
    example = "such as https://cloud.uipath.com/<org>/<tenant>/reinfer_"
    text = endpoint_shown(endpoint)
    if not isinstance(endpoint, str) or not re.fullmatch(r"[!-[\]-~]+", endpoint):
        raise InvalidInput(f"An endpoint is a URL, {example}, not {text}.")
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"The endpoint {text} is not a valid URL: {error}.") from None
    if parts.username is not None or parts.password is not None:
        way = spelled("Pass the token as token=", f"Give the token in {TOKEN}")
        raise InvalidInput(f"The endpoint holds a user name. {way} instead.")
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput(f"The endpoint {text} does not begin with https://, {example}.")
    if parts.query or parts.fragment:
        raise InvalidInput(f"The endpoint {text} holds a ? or #: end it before that.")
    if re.search(r"(^|/)\.\.?(/|$)|%", parts.path) or "/api/v1" in parts.path:
        raise InvalidInput(
            f"The endpoint {text} is not a base URL: end it before /api/v1, {example}."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(
            f"The endpoint {text} uses plain http, with which others in the network can read the "
            "token. Use https://; plain http is for this machine only."
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def endpoint_shown(endpoint: object) -> str:
    """Return an endpoint for a message, with parts that may be secret masked."""
    if not isinstance(endpoint, str):
        return shown(endpoint)
    return shown(re.sub(r"(?s)(?<=[?#]).+", "***", re.sub(r"[^/?#]*@", "***@", endpoint)))


def is_same_endpoint(left: str, right: object) -> bool:
    """True if two endpoints are equal apart from slashes at the end."""
    return isinstance(right, str) and left.rstrip("/") == right.rstrip("/")


def is_loopback(host: str) -> bool:
    """True if a host name or address is this machine; no name is looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
