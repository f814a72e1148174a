"""What comes back from a tenant: a body within its limit, and where a redirect leads."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from reinfer_nb import errors
from reinfer_nb.api.responses import Answer, hint_at_base
from reinfer_nb.text import shown

_PIECE = 16 << 20


def body_of(response: requests.Response, limit: int, endpoint: str) -> bytes:
    """Return the body of a response, decompressed.

    Args:
        response: The response, its body not yet read.
        limit: Bytes that the body may have, decompressed.
        endpoint: Where it comes from, for messages.

    Raises:
        ProtocolError: The body is larger.
    """
    announced = response.raw.length_remaining
    if announced is not None and "content-encoding" not in response.headers:
        _bounded(announced, limit, endpoint)
        # In one piece, without the copies that reading in pieces makes.
        body: bytes = response.raw.read()
        return body
    pieces = []
    size = 0
    while piece := response.raw.read(_PIECE, decode_content=True):
        size += len(piece)
        _bounded(size, limit, endpoint)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _bounded(size: int, limit: int, endpoint: str) -> None:
    if size > limit:
        raise errors.ProtocolError(
            f"The answer from {endpoint} is larger than {limit:,} bytes "
            "once decompressed, and was not read further."
        )


def followed(answer: Answer, url: str, *, is_here: bool) -> str:
    """Return where a redirect leads, if the token may go there.

    Args:
        answer: The redirect.
        url: What was asked for.
        is_here: Whether the tenant is on this machine.

    Raises:
        ProtocolError: The token may not go there.
    """
    location = answer.headers.get("location", "")
    try:
        target = urljoin(url, location)
        same = urlsplit(target)[:2] == urlsplit(url)[:2]
    except ValueError:
        target, same = location, False
    if answer.call.method != "GET":
        reason = "is not followed, since " + (
            "what is written is sent to no other address than the endpoint"
            if answer.status in (307, 308)
            else "it would silently become a read"
        )
    elif not same:
        reason = "leads to another host, port or scheme, where the token does not go"
    elif not location:
        reason = "leads nowhere"
    else:
        return target
    raise errors.ProtocolError(
        f"{answer.could_not()}: the redirect (status {answer.status}) to "
        f"{shown(answer.scrub(target), 200)} "
        f"{reason}. Check the endpoint; if the tenant has moved, connect to where it is now."
        f"{'' if same or is_here else hint_at_base(answer.endpoint)}"
    )
