"""The sandbox: its listing beside the frame that is made of it, creates, and filling it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import reinfer_nb as rnb
from reinfer_nb.schema import endpoints
from tests.benchmarks.measuring import Line, Scale, took
from tests.benchmarks.tenants import by_toolkit, listing_of, sandbox_command

_CONNECTIONS = 8


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _listing(scale, Path(folder))
        yield _creates(scale, Path(folder))
    yield _filled(scale)


def _listing(scale: Scale, folder: Path) -> Iterator[Line]:
    """Right after an update the server reads a part of its database again, after the deletion of a
    project all of it.
    """
    count = scale.fewer_sources
    dice, df = Random(1), listing_of(count)
    file = rnb.to_csv(df, folder / "sources.csv")
    with (
        sandbox_command("--data", str(file)) as (endpoint, token),
        rnb.connect(endpoint=endpoint, token=token) as client,
    ):

        def body() -> bytes:
            return client._transport.send(endpoints.LIST).body

        def update() -> None:
            which = df.iloc[dice.randrange(count)]
            client.update_source(f"{which['owner']}/{which['name']}", title=f"{dice.random()}")

        def forget() -> None:
            for call in (endpoints.CREATE_PROJECT, endpoints.DELETE_PROJECT):
                client._transport.send(call, body={"project": {}}, project="passing").envelope()

        before: dict[str, Callable[[], object]] = {
            "after an update": update,
            "again": lambda: None,
            "after the deletion of a project": forget,
        }
        served: dict[str, list[float]] = {when: [] for when in before}
        content, made = body(), []
        for _ in range(scale.rounds(7)):
            for when, prepare in before.items():
                prepare()
                served[when].append(took(body))
            made.append(took(lambda: by_toolkit(content)))
    for when, times in served.items():
        what = f"the sandbox's listing of {count:,} sources, {when}"
        yield Line("sandbox", what, times, "making a frame of it", made, 1)


def _creates(scale: Scale, folder: Path) -> Line:
    creates = 200 if scale.quick else 1_000
    with sandbox_command("--database", str(folder / "tenant.db")) as (endpoint, token):
        clients = [rnb.connect(endpoint=endpoint, token=token) for _ in range(_CONNECTIONS)]
        for client in clients:
            client.me()  # Opens its connection.

        def create(number: int) -> None:
            for turn in range(number, creates, _CONNECTIONS):
                clients[number].create_source(f"claims/new-{turn}", title=f"Number {turn}")

        def create_all() -> None:
            with ThreadPoolExecutor(_CONNECTIONS) as pool:
                list(pool.map(create, range(_CONNECTIONS)))

        milliseconds = took(create_all)
        for client in clients:
            client.close()
    what = f"{creates:,} creates over {_CONNECTIONS} connections, into a database file"
    return Line("sandbox", what, [milliseconds], "limit: 10 ms each", [creates * 10.0], 1)


def _filled(scale: Scale) -> Line:
    df = listing_of(scale.sources)
    times = []
    for _ in range(1 if scale.quick else 3):
        sandbox = rnb.sandbox(df)
        times.append(took(sandbox.start))
        sandbox.stop()
    what = f"`sandbox(data=df)` with {scale.sources:,} sources"
    return Line("sandbox", what, times, "limit: 20 µs for each", [scale.sources * 0.02], 1)
