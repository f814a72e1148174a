"""Plans made and applied, and statistics, beside `compare` and loops of requests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import requests

import reinfer_nb as rnb
from reinfer_nb.plans import planner
from tests.benchmarks.measuring import Line, Scale, in_turns, took
from tests.benchmarks.tenants import listing_of, slow_tenant

_CHANGES = 500
_LATENCY = 0.05
# The number of workers, and how many times as fast as the loop it is to be.
_WORKERS = {None: 7.0, 32: 14.0}
_LOOP = "one `requests.post` after another"


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    yield from _making(scale)
    yield from _statistics(scale)
    yield from _applying(scale)


def _making(scale: Scale) -> Iterator[Line]:
    now = listing_of(scale.sources)
    now.attrs = {"endpoint": "https://example.com", "fetched_at": pd.Timestamp.now("UTC")}
    edited = now.sample(frac=1, random_state=1)
    edited.loc[edited.index[:_CHANGES], "title"] = "Another title"
    elsewhere = edited.drop(columns=["id", "created_at", "updated_at", "last_modified"])
    elsewhere.attrs = {"endpoint": "https://example.org"}
    client = rnb.connect(endpoint="https://example.com", token="none")
    ways: dict[str, Callable[[], object]] = {
        "`compare`": lambda: len(rnb.compare(now, edited).changed),
        "a plan": lambda: len(planner.of_listing(client, edited, now).steps),
        "a plan with a base": lambda: len(planner.of_listing(client, edited, now, now).steps),
        "`compare` by name": lambda: len(rnb.compare(now, edited, on=["owner", "name"]).changed),
        "a plan for another tenant": lambda: len(planner.of_listing(client, elsewhere, now).steps),
    }
    assert all(way() == _CHANGES for way in ways.values())
    times = in_turns(ways, scale.rounds(7))
    for name in ways:
        if not name.startswith("a plan"):
            continue
        other = "`compare` by name" if name == "a plan for another tenant" else "`compare`"
        what = f"{name}, {_CHANGES} changes in {scale.sources:,} sources"
        # With a base, three listings are compared.
        goal = None if name == "a plan with a base" else 1 / 1.5
        yield Line("plan", what, times[name], other, times[other], goal)


def _statistics(scale: Scale) -> Iterator[Line]:
    count = 30 if scale.quick else 200
    with tempfile.TemporaryDirectory() as folder, _slow(count, Path(folder)) as (client, post):
        df = client.sources()

        def by_toolkit() -> None:
            result = client.statistics(df, progress=False)
            assert result["num_comments"].notna().all()

        by_toolkit()
        ours, theirs = took(by_toolkit), took(partial(post, "/statistics", {"comment_filter": {}}))
    what = f"statistics of {count} sources, each response 50 ms late"
    yield Line("tenant", what, [ours], _LOOP, [theirs], 10)


@contextmanager
def _slow(
    count: int, folder: Path
) -> Iterator[tuple[rnb.Client, Callable[[str, dict[str, Any]], None]]]:
    """Serve so many sources; a client, and a function that posts to each source in a loop."""
    with (
        slow_tenant(count, folder, _LATENCY) as (endpoint, token),
        rnb.connect(endpoint=endpoint, token=token) as client,
    ):
        df = client.sources()
        headers = {"Authorization": f"Bearer {token}"}

        def post(path: str, body: dict[str, Any]) -> None:
            for owner, name in zip(df["owner"], df["name"], strict=True):
                url = f"{endpoint}/api/v1/sources/{owner}/{name}{path}"
                requests.post(url, json=body, headers=headers, timeout=60).raise_for_status()

        yield client, post


def _applying(scale: Scale) -> Iterator[Line]:
    count = 60 if scale.quick else 1_000
    with tempfile.TemporaryDirectory() as folder, _slow(count, Path(folder)) as (client, post):
        df = client.sources()

        theirs = took(partial(post, "", {"source": {"title": "by a loop"}}))
        for workers, goal in _WORKERS.items():
            edited = df.assign(title=f"by {workers}")[["owner", "name", "title"]]
            options: dict[str, Any] = {} if workers is None else {"workers": workers}
            options |= {"progress": False, "journal": Path(folder) / f"{workers}.jsonl"}
            ours = took(partial(_applied, client.plan(edited), **options))
            given = "" if workers is None else f", `workers={workers}`"
            what = f"{count:,} updates, each response 50 ms late{given}"
            yield Line("tenant", what, [ours], _LOOP, [theirs], goal)


def _applied(plan: rnb.Plan, **options: Any) -> None:
    assert plan.apply(**options).counts == {"done": len(plan.steps)}
