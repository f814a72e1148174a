"""What the sandbox costs: its listing against what the client makes of it, and many creates.

    python -m tests.benchmarks.serving [SOURCES]

The server is a process of its own, as the command line starts it. The time of a listing is that
from the request to the last byte of the body, over loopback and as the package's session reads
it; it takes turns with the time that making a frame of that body needs. Right after an update the
server has to read again a part of its database, after the deletion of a project all of it
("nothing kept"); repeated is the request that follows an update. Creates go over eight keep-alive
connections, and each is on the disk before it is answered.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import reinfer_nb as rnb
from reinfer_nb.schema import endpoints
from tests.benchmarks.listing import _took, by_toolkit, listing_of

_ROUNDS = 7
_CREATES = 1000
_CONNECTIONS = 8


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, str]]:
    """Serve a practice tenant in a process of its own; its endpoint and its admin's token."""
    command = [sys.executable, "-m", "reinfer_nb.cli", "sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            endpoint, token = (process.stdout.readline().split()[-1] for _ in range(2))
            yield endpoint, token
        finally:
            process.terminate()


def listing(count: int, folder: Path) -> None:
    """Print what serving a listing takes, beside what making a frame of it takes."""
    dice, df = Random(1), listing_of(count)
    file = rnb.to_csv(df, folder / "sources.csv")
    with serving("--data", str(file)) as (endpoint, token):
        client = rnb.connect(endpoint=endpoint, token=token)

        def written() -> bytes:
            return client._transport.send(endpoints.LIST).body

        def update() -> None:
            which = df.iloc[dice.randrange(count)]
            client.update_source(f"{which['owner']}/{which['name']}", title=f"{dice.random()}")

        def forget() -> None:
            for call in (endpoints.CREATE_PROJECT, endpoints.DELETE_PROJECT):
                client._transport.send(call, body={"project": {}}, project="passing").envelope()

        body = written()
        made: list[float] = []
        before = {"right after a write": update, "repeated": lambda: None, "nothing kept": forget}
        took: dict[str, list[float]] = {when: [] for when in before}
        for _ in range(_ROUNDS):
            for when, prepare in before.items():
                prepare()
                took[when].append(_timed(written))
                made.append(_took(by_toolkit, body))
        client.close()
    frame = statistics.median(made)
    for when, times in took.items():
        served = statistics.median(times)
        print(
            f"{count:,} sources, {len(body) / 1e6:.0f} MB, {when}: served in {served * 1e3:.0f} ms "
            f"(from {min(times) * 1e3:.0f} to {max(times) * 1e3:.0f}), made a frame in "
            f"{frame * 1e3:.0f} ms: ratio {served / frame:.2f}; {_verdict(1, served / frame)}"
        )


def creates(folder: Path) -> None:
    """Print what creating sources takes, with a database file."""
    file = folder / "tenant.db"
    with serving("--database", str(file)) as (endpoint, token):
        clients = [rnb.connect(endpoint=endpoint, token=token) for _ in range(_CONNECTIONS)]
        for client in clients:
            client.me()  # opens its connection

        def create(number: int) -> None:
            for turn in range(number, _CREATES, _CONNECTIONS):
                clients[number].create_source(f"claims/new-{turn}", title=f"Number {turn}")

        begin = time.perf_counter()
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(create, range(_CONNECTIONS)))
        took = time.perf_counter() - begin
        assert len(clients[0].sources("claims")) > _CREATES
        for client in clients:
            client.close()
    print(
        f"{_CREATES:,} creates over {_CONNECTIONS} connections, into a file: {took:.1f} s, "
        f"{took / _CREATES * 1e3:.1f} ms each; {_verdict(10, took, ' s')}"
    )


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _verdict(most: float, is_: float, unit: str = "") -> str:
    return f"goal: at most {most:g}{unit}, {'met' if is_ <= most else 'MISSED'}"


def main(count: int) -> None:
    """Print both, for a listing of `count` sources."""
    for part in (partial(listing, count), creates):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
