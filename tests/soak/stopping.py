"""A practice tenant that is started, asked by several clients, and stopped under their load."""

from __future__ import annotations

import gc
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import reinfer_nb as rnb
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import tenant as config
from reinfer_nb.client import Client
from tests.soak.measuring import Held, held

CLIENTS = 4


def soak(rounds: int) -> tuple[list[str], list[Held]]:
    """Start and stop one practice tenant so often, each time while clients list its sources.

    Args:
        rounds: How often.

    Returns:
        The warnings about what was not closed; and what this process held after each fifth.
    """
    measured = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        box = rnb.sandbox()
        for number in range(rounds):
            _stopped_under_load(box)
            if (number + 1) % (rounds // 5) == 0:
                measured.append(held())
        del box
        gc.collect()
    unclosed = [str(one.message) for one in warned if issubclass(one.category, ResourceWarning)]
    return unclosed, measured


def _stopped_under_load(box: rnb.Sandbox) -> None:
    client = box.start()
    tenant = config.resolve(endpoint=client.endpoint, token=box.tokens["admin"])
    asked = threading.Barrier(CLIENTS + 1)

    def ask() -> None:
        # It gives up at once: another client would wait for the tenant to come back.
        way = Transport(tenant, patience=Patience(0), sleep=lambda _: None)
        with Client(way, cache_ttl=0) as asking:
            asking.sources()
            asked.wait()
            while True:
                asking.sources()

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask) for _ in range(CLIENTS)]
        asked.wait()
        box.stop()
    client.close()
    for each in asking:
        assert isinstance(each.exception(), rnb.ConnectionFailed), each.exception()
