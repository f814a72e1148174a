"""A listing in JSON to a frame, beside the snippet that notebooks use."""

from __future__ import annotations

import importlib.util
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import requests

import reinfer_nb as rnb
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Line, Scale, side_by_side
from tests.benchmarks.tenants import body_of, by_toolkit, rows_of, static_tenant

_TIMES = ("created_at", "updated_at", "last_modified")
_SNIPPET = "`json.loads`, `pd.DataFrame`, three `pd.to_datetime`"

_OVER_HTTP = "`session.get(…).json()`, `pd.DataFrame`, three `pd.to_datetime`"

Row = dict[str, Any]


def by_hand(body: bytes) -> pd.DataFrame:
    """Return the listing as snippets in notebooks do."""
    return _frame(json.loads(body))


def _frame(content: Any) -> pd.DataFrame:
    df = pd.DataFrame(content["sources"])
    for column in _TIMES:
        df[column] = pd.to_datetime(df[column], errors="coerce")
    return df


def quietly(body: bytes) -> pd.DataFrame:
    """Return the listing without the warning of unreadable values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rnb.UnreadableWarning)
        return by_toolkit(body)


def by_polars(body: bytes) -> Any:
    """Return the listing as a snippet with polars does."""
    import polars as pl

    df = pl.DataFrame(json.loads(body)["sources"])
    return df.with_columns(pl.col(_TIMES).str.to_datetime(strict=False))


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    yield from _sizes()
    yield from _shapes(scale)
    yield from _over_http(scale)
    yield from _memory(scale)
    if not scale.quick:
        yield from _cached(scale)


def _sizes() -> Iterator[Line]:
    for count, goal in ((1, 1.0), (10, 1.5), (100, 2.0), (1_000, 3.0), (10_000, 3.0)):
        body = body_of(rows_of(count))
        yield side_by_side(
            "listing",
            f"{count:,} sources" if count > 1 else "1 source",
            partial(by_toolkit, body),
            _SNIPPET,
            partial(by_hand, body),
            # Many also in a quick run: they take little time and vary most.
            rounds=15,
            goal=goal,
        )


def _with(**fields: Callable[[int, Random], Any]) -> Callable[[int, Row, Random], Row]:
    return lambda number, row, dice: (
        row | {name: value(number, dice) for name, value in fields.items()}
    )


def _sometimes(row: Row, number: int, **fields: Any) -> Row:
    return row | fields if number % 100 == 50 else row


def _thinned(row: Row, dice: Random) -> Row:
    return {name: value for name, value in row.items() if name == "id" or dice.random() >= 0.1}


# What a row of each listing is, and the goal.
_SHAPES: dict[str, tuple[Callable[[int, Row, Random], Any], float]] = {
    "all fields": (lambda _, row, __: row, 6),
    "fields of the reference page": (
        lambda _, row, __: {
            name: value
            for name, value in row.items()
            if name not in ("_kind", "bucket_id", "language")
        },
        6,
    ),
    "a tenth null": (
        lambda _, row, dice: {n: v if dice.random() >= 0.1 else None for n, v in row.items()},
        4.5,
    ),
    # Not the first one, in which a rival finds the times.
    "a tenth absent": (lambda number, row, dice: _thinned(row, dice) if number else row, 4.5),
    "umlauts": (_with(title=lambda number, _: f"Schäden in Überlingen, Büro {number}"), 4.5),
    "an unknown field of texts": (_with(x=lambda number, _: f"text {number}"), 2.5),
    "an unknown field of fractions": (_with(x=lambda _, dice: dice.random()), 2.5),
    "an unknown field of dates": (_with(x=lambda _, dice: f"2{dice.randrange(999):03}-01-02"), 2.5),
    "an unknown field of objects": (_with(x=lambda number, _: {"a": number, "b": "text"}), 2.5),
    "an unknown field of objects, each with a name of its own": (
        _with(x=lambda number, _: {f"name-{number}": number}),
        1,
    ),
    "an unknown field of lists": (_with(x=lambda number, _: [number, "text"]), 2.5),
    "an unknown field of mixed types": (
        _with(x=lambda number, dice: dice.choice([number, "text", None, 1.5])),
        1.5,
    ),
    "an unknown field in one row of a hundred": (
        lambda number, row, _: _sometimes(row, number, x="text"),
        1,
    ),
    "an unknown field, null in most rows": (
        lambda number, row, _: _sometimes(row | {"x": None}, number, x="text"),
        1,
    ),
    "one odd value": (lambda number, row, _: row | {"title": 5} if number == 777 else row, 4.2),
    "1 % of titles numbers": (lambda number, row, _: _sometimes(row, number, title=5), 1.5),
    "1 % of dates unreadable": (
        lambda number, row, _: _sometimes(row, number, created_at="soon"),
        1.5,
    ),
    "dates with nine digits": (
        lambda _, row, __: row | {name: row[name].replace("+", "789+") for name in _TIMES},
        2.5,
    ),
    "escaped quotation marks": (_with(title=lambda number, _: f'Called "number {number}"'), 1),
}
# Rows that the snippet cannot read. It gets the listing without them.
_TOO_ODD: dict[str, Callable[[int, Row], Any]] = {
    "1 % of titles with half a character": lambda number, row: _sometimes(
        row, number, title="\ud83d"
    ),
    "1 % of rows null": lambda number, row: None if number % 100 == 50 else row,
}


_QUICK = ("all fields",)


def _shapes(scale: Scale) -> Iterator[Line]:
    count = scale.sources
    rows = rows_of(count)
    for shape in _QUICK if scale.quick else _SHAPES:
        of, goal = _SHAPES[shape]
        dice = Random(2)
        body = body_of([of(number, row, dice) for number, row in enumerate(rows)])
        yield _long(scale, shape, body, body, goal)
    if scale.quick:
        return
    body = body_of(rows)
    for shape, odd in _TOO_ODD.items():
        content = {"sources": [odd(*each) for each in enumerate(rows)], "status": "ok"}
        yield _long(scale, shape, json.dumps(content).encode(), body, None)
    yield _long(scale, "another member before it", body_of(rows, request_id="x"), None, 1)
    if importlib.util.find_spec("polars"):
        yield side_by_side(
            "listing",
            f"{count:,} sources, all fields",
            partial(by_toolkit, body),
            "`json.loads`, `pl.DataFrame`, `str.to_datetime` of polars",
            partial(by_polars, body),
            rounds=scale.rounds(7),
        )


def _long(scale: Scale, shape: str, ours: bytes, theirs: bytes | None, goal: float | None) -> Line:
    return side_by_side(
        "listing",
        f"{scale.sources:,} sources, {shape}",
        partial(quietly, ours),
        _SNIPPET if ours is theirs or theirs is None else f"{_SNIPPET}, without these rows",
        partial(by_hand, ours if theirs is None else theirs),
        rounds=scale.rounds(7),
        goal=goal,
    )


def _over_http(scale: Scale) -> Iterator[Line]:
    for count, goal in ((1_000, 2.5), (scale.sources, 4.5)):
        with (
            tempfile.TemporaryDirectory() as folder,
            static_tenant(body_of(rows_of(count)), Path(folder)) as (endpoint, token),
            rnb.connect(endpoint=endpoint, token=token) as client,
            requests.Session() as session,
        ):
            session.headers["Authorization"] = f"Bearer {token}"
            yield side_by_side(
                "listing",
                f"{count:,} sources over HTTP on this machine",
                partial(client.sources, refresh=True),
                _OVER_HTTP,
                partial(_by_hand_over_http, session, f"{endpoint}/api/v1/sources"),
                rounds=scale.rounds(7) if count > 1_000 else 15,
                goal=goal,
            )


def _by_hand_over_http(session: requests.Session, url: str) -> pd.DataFrame:
    return _frame(session.get(url).json())


_CLIENT = """
import reinfer_nb as rnb
client = rnb.connect(endpoint=sys.argv[1], token=sys.argv[2])
from reinfer_nb.frames import convert
convert.from_listing(b'{"sources": [{"id": "a"}, {"id": "b"}], "status": "ok"}')
"""
_BY_HAND = """
import pandas as pd, requests
session = requests.Session()
pd.to_datetime(pd.DataFrame([{"a": "2020-01-01T00:00:00Z"}])["a"])
"""
_BY_HAND_WORK = """
content = session.get(sys.argv[1] + "/api/v1/sources").json()
df = pd.DataFrame(content["sources"])
for column in ("created_at", "updated_at", "last_modified"):
    df[column] = pd.to_datetime(df[column], errors="coerce")
"""


def _memory(scale: Scale) -> Iterator[Line]:
    if not measuring.has_peak():
        return
    for count in (100_000,) if scale.quick else (100_000, 1_000_000):
        with (
            tempfile.TemporaryDirectory() as folder,
            static_tenant(body_of(rows_of(count)), Path(folder)) as where,
        ):
            ours, theirs = [], []
            for _ in range(1 if scale.quick or count > 100_000 else 3):
                ours.append(measuring.peak(_CLIENT, "df = client.sources()", *where))
                theirs.append(measuring.peak(_BY_HAND, _BY_HAND_WORK, *where))
        yield Line(
            "listing",
            f"peak memory of {count:,} sources over HTTP",
            ours,
            _OVER_HTTP,
            theirs,
            goal=1 / 0.45,
            unit="MB",
        )


def _cached(scale: Scale) -> Iterator[Line]:
    few, many = scale.sources // 100, scale.sources
    for shape in ("all fields", "an unknown field of objects"):
        with (
            _cache_of(few, shape) as from_few,
            _cache_of(many, shape) as from_many,
        ):
            yield side_by_side(
                "listing",
                f"{many:,} sources from the cache, {shape}",
                from_many.sources,
                f"{few:,} sources from the cache",
                from_few.sources,
                rounds=scale.rounds(15),
                # The same time for a hundred times as many sources.
                goal=0.8,
            )


@contextmanager
def _cache_of(count: int, shape: str) -> Iterator[rnb.Client]:
    """Return a client that has cached so many sources."""
    of, _ = _SHAPES[shape]
    dice = Random(2)
    body = body_of([of(number, row, dice) for number, row in enumerate(rows_of(count))])
    with tempfile.TemporaryDirectory() as folder, static_tenant(body, Path(folder)) as where:
        client = rnb.connect(endpoint=where[0], token=where[1], cache_ttl=86_400)
        client.sources()
    yield client
    client.close()
