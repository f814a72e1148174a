"""Response bodies of limited size, and the targets of redirects."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from reinfer_nb import errors
from reinfer_nb.api.responses import Response, hint_at_base
from reinfer_nb.text import shown

_PIECE = 16 << 20


def body_of(response: requests.Response, limit: int, endpoint: str) -> bytes:
    """Return the body of a response, decompressed.

    Args:
        response: The response, its body not yet read.
        limit: Maximum size of the body in bytes, decompressed.
        endpoint: The base URL of the tenant, for messages.

    Raises:
        ProtocolError: The body is larger.
    """
    length = response.raw.length_remaining
    if length is not None and "content-encoding" not in response.headers:
        _check_size(length, limit, endpoint)
        # One read makes no copies, unlike reading in pieces.
        body: bytes = response.raw.read()
        return body
    pieces = []
    size = 0
    while piece := response.raw.read(_PIECE, decode_content=True):
        size += len(piece)
        _check_size(size, limit, endpoint)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _check_size(size: int, limit: int, endpoint: str) -> None:
    if size > limit:
        raise errors.ProtocolError(
            f"The response from {endpoint} is larger than {limit:,} bytes when decompressed, so it "
            "was not read further."
        )


def redirect_target(response: Response, url: str, *, is_here: bool) -> str:
    """Return the URL that a redirect leads to, if the token may be sent there.

    Args:
        response: The redirect.
        url: The requested URL.
        is_here: True if the tenant is on this machine.

    Raises:
        ProtocolError: The token may not be sent there.
    """
    location = response.headers.get("location", "")
    try:
        target = urljoin(url, location)
        same_host = urlsplit(target)[:2] == urlsplit(url)[:2]
    except ValueError:
        target, same_host = location, False
    if response.call.method != "GET":
        reason = "is not followed, since " + (
            "writes are sent to the endpoint only"
            if response.status in (307, 308)
            else "it would turn the write into a read"
        )
    elif not same_host:
        reason = "leads to another host, port or scheme, where the token is not sent"
    elif not location:
        reason = "has no target"
    else:
        return target
    raise errors.ProtocolError(
        f"{response.could_not()}: the redirect (status {response.status}) to "
        f"{shown(response.scrub(target), 200)} {reason}. Check the endpoint. If the tenant has "
        "another address now, connect to that."
        f"{'' if same_host or is_here else hint_at_base(response.endpoint)}"
    )
