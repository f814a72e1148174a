"""Requests to a tenant that limits them, beside the least time that its limit allows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import reinfer_nb as rnb
from tests.benchmarks.measuring import Line, Scale
from tests.limits import Bucket, Limit, LimitedTenant, Windows
from tests.scripted import Scripted, Step, reply

_USER = {"id": "0123456789abcdef", "username": "u", "display_name": "U", "email": "u@example.com"}
_LIMITS: dict[str, Limit] = {
    "20 a second, 5 at once": Bucket(20, 5),
    "40 a second, 5 at once": Bucket(40, 5),
    "20 in each second": Windows(20),
    "40 in each second": Windows(40),
}


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    requests = 100 if scale.quick else 400
    for name, limit in list(_LIMITS.items())[: 1 if scale.quick else None]:
        tenant = LimitedTenant(limit, lambda _: reply({"status": "ok", "user": _USER}))
        with (
            Scripted(Step(tenant), repeat=True) as server,
            rnb.connect(endpoint=server.endpoint, token="t") as client,
            ThreadPoolExecutor(8) as pool,
        ):
            list(pool.map(lambda _, client=client: client.me(), range(requests)))
        milliseconds = (tenant.log[-1][0] - tenant.log[0][0]) * 1e3
        yield Line(
            "tenant",
            f"{requests} requests by eight workers to a tenant that allows {name}",
            [milliseconds],
            "the least time that it allows",
            [limit.least(requests) * 1e3],
            goal=1 / 1.5,
        )
