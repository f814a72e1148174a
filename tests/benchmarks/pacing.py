"""Requests to a tenant that limits them, against the least time that its limit allows.

    python -m tests.benchmarks.pacing [REQUESTS]

Eight workers ask a server on this machine that answers 429, and asks to wait a second, to what goes
beyond a token bucket or beyond so many requests in each second.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import reinfer_nb as rnb
from tests.limits import Bucket, Limit, LimitedTenant, Windows
from tests.scripted import Scripted, Step, reply

_USER = {"id": "0123456789abcdef", "username": "u", "display_name": "U", "email": "u@example.com"}
_LIMITS: dict[str, Limit] = {
    "20 a second, 5 at once": Bucket(20, 5),
    "40 a second, 5 at once": Bucket(40, 5),
    "20 in each second": Windows(20),
    "40 in each second": Windows(40),
}


def main(requests: int) -> None:
    """Print for each limit how many times as long as its own time the requests take."""
    print(f"{requests:,} requests by eight workers; times the least time that the limit allows")
    for name, limit in _LIMITS.items():
        tenant = LimitedTenant(limit, lambda _: reply({"status": "ok", "user": _USER}))
        with (
            Scripted(Step(tenant), repeat=True) as server,
            rnb.connect(endpoint=server.endpoint, token="t") as client,
            ThreadPoolExecutor(8) as pool,
        ):
            list(pool.map(lambda _, client=client: client.me(), range(requests)))
        seconds = tenant.log[-1][0] - tenant.log[0][0]
        print(f"{name:24} {seconds / limit.least(requests):5.2f}   {len(tenant.refused)} refused")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
