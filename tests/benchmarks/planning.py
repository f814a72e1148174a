"""Plans: making one beside `compare`, and applying one beside a loop of `requests.post`.

    python -m tests.benchmarks.planning [SOURCES [UPDATES]]

A plan is made from two frames that are there, as `compare` takes them; what it asks of a tenant
beyond that is not in it. Applied is to a sandbox in a process of its own, in which every request
takes 50 ms longer; the plan looks at each source before it changes it, the loop does not. The two
take turns, each with the same number of updates.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import requests

import reinfer_nb as rnb
from reinfer_nb.plans import planner
from tests.benchmarks.listing import listing_of

_ROUNDS = 7
_CHANGES = 500
_LATENCY = 0.05
_WORKERS = (8, 16, 32)

_SERVING = """
import sys, time
import reinfer_nb as rnb
client = rnb.sandbox(sys.argv[1], faults=rnb.Fault.wait(float(sys.argv[2]))).start()
print(client.endpoint, client.sandbox.tokens["admin"], flush=True)
time.sleep(86_400)
"""


def making(count: int) -> None:
    """Print how long making a plan takes, in times of what `compare` takes."""
    now = listing_of(count)
    now.attrs = {"endpoint": "https://example.com", "fetched_at": pd.Timestamp.now("UTC")}
    edited = now.sample(frac=1, random_state=1)
    edited.loc[edited.index[:_CHANGES], "title"] = "Another title"
    elsewhere = edited.drop(columns=["id", "created_at", "updated_at", "last_modified"])
    elsewhere.attrs = {"endpoint": "https://example.org"}
    client = rnb.connect(endpoint="https://example.com", token="none")
    ways: dict[str, Callable[[], int]] = {
        "compare": lambda: len(rnb.compare(now, edited).changed),
        "a plan": lambda: len(planner.of_listing(client, edited, now).steps),
        "with a base": lambda: len(planner.of_listing(client, edited, now, now).steps),
        "compare by name": lambda: len(rnb.compare(now, edited, on=["owner", "name"]).changed),
        "between tenants": lambda: len(planner.of_listing(client, elsewhere, now).steps),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            gc.collect()
            begin = time.perf_counter()
            assert way() == _CHANGES
            times[name].append(time.perf_counter() - begin)
    print(f"{count:,} sources, {_CHANGES} changes, median of {_ROUNDS}:")
    for name, taken in times.items():
        whose = "compare by name" if name == "between tenants" else "compare"
        ratio = statistics.median(taken) / statistics.median(times[whose])
        print(f"  {name:16} {statistics.median(taken) * 1e3:6.0f} ms, {ratio:.1f} times {whose}")


@contextmanager
def slow_tenant(count: int, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve so many sources, each request 50 ms late; the endpoint and the admin's token."""
    file = rnb.to_csv(listing_of(count), folder / "sources.csv")
    command = [sys.executable, "-c", _SERVING, str(file), str(_LATENCY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            endpoint, token = process.stdout.readline().split()
            yield endpoint, token
        finally:
            process.terminate()


def applying(count: int, folder: Path) -> None:
    """Print how long many updates take, applied and one after another."""
    with slow_tenant(count, folder) as (endpoint, token):
        client = rnb.connect(endpoint=endpoint, token=token)
        headers = {"Authorization": f"Bearer {token}"}
        df = client.sources()
        print(f"{count:,} updates at {_LATENCY * 1e3:.0f} ms:")
        begin = time.perf_counter()
        for owner, name in zip(df["owner"], df["name"], strict=True):
            url = f"{endpoint}/api/v1/sources/{owner}/{name}"
            body = {"source": {"title": "by a loop"}}
            requests.post(url, json=body, headers=headers, timeout=60).raise_for_status()
        alone = time.perf_counter() - begin
        print(f"  one requests.post after another: {alone:.1f} s")
        for workers in _WORKERS:
            plan = client.plan(df.assign(title=f"by {workers}")[["owner", "name", "title"]])
            begin = time.perf_counter()
            result = plan.apply(
                workers=workers, progress=False, journal=folder / f"{workers}.jsonl"
            )
            took = time.perf_counter() - begin
            assert result.counts == {"done": count}
            print(f"  applied, workers={workers:2}: {took:.1f} s, {alone / took:.1f} times as fast")


def main(sources: int, updates: int) -> None:
    """Print the ratios."""
    making(sources)
    with tempfile.TemporaryDirectory() as folder:
        applying(updates, Path(folder))


if __name__ == "__main__":
    numbers = [int(text.replace(",", "")) for text in sys.argv[1:]]
    main(*(numbers + [100_000, 1_000][len(numbers) :]))
