"""Comments counted by month and archived, beside loops of requests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import requests

import reinfer_nb as rnb
from reinfer_nb.schema.endpoints import MOST_OF_PAGE
from tests.benchmarks.measuring import Line, Scale, took
from tests.benchmarks.tenants import slow_tenant

_LATENCY = 0.05
_LOOP = "one `requests` after another"


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    with tempfile.TemporaryDirectory() as folder:
        yield _activity(scale, Path(folder))
        yield _archive(scale, Path(folder))


def _activity(scale: Scale, folder: Path) -> Line:
    """Comments by month: the loop asks about each month of each source."""
    count, months = (10, 12) if scale.quick else (130, 24)
    with (
        slow_tenant(count, folder, _LATENCY, comments=2_000) as (endpoint, token),
        rnb.connect(endpoint=endpoint, token=token) as client,
    ):
        df = client.sources()
        begins = pd.period_range(end=pd.Period.now("M"), periods=months, freq="M")
        headers = {"Authorization": f"Bearer {token}"}

        found: list[int] = []

        def by_toolkit() -> None:
            activity = client.activity(df, since=str(begins[0]), progress=False)
            found.append(int(activity["num_comments"].sum()))

        def by_loop() -> None:
            total = 0
            for owner, name in zip(df["owner"], df["name"], strict=True):
                for month in begins:
                    bounds = {
                        "minimum": f"{month.start_time.isoformat()}Z",
                        "maximum": f"{month.end_time.isoformat(timespec='microseconds')}Z",
                    }
                    answer = requests.post(
                        f"{endpoint}/api/v1/sources/{owner}/{name}/statistics",
                        json={"comment_filter": {"timestamp": bounds}},
                        headers=headers,
                        timeout=60,
                    )
                    total += answer.json()["statistics"]["num_comments"]
            found.append(total)

        ours, theirs = took(by_toolkit), took(by_loop)
        assert found[0] == found[1]
    what = f"comments of {count} sources by month, {months} months, each response 50 ms late"
    return Line("tenant", what, [ours], _LOOP, [theirs], 10)


def _archive(scale: Scale, folder: Path) -> Line:
    """All comments of a source: the loop reads one page after another, and writes nothing."""
    count = 20_000 if scale.quick else 100_000
    with (
        slow_tenant(1, folder, _LATENCY, comments=count) as (endpoint, token),
        rnb.connect(endpoint=endpoint, token=token) as client,
    ):
        (source,) = client.sources().to_dict("records")
        name = f"{source['owner']}/{source['name']}"
        headers = {"Authorization": f"Bearer {token}"}
        files = iter(range(10**6))

        def by_toolkit() -> None:
            path = folder / f"{next(files)}.jsonl.gz"
            assert client.archive(name, path, progress=False).num_comments == count

        def by_loop() -> None:
            total = 0
            after: dict[str, str] = {}
            while True:
                answer = requests.get(
                    f"{endpoint}/api/_private/sources/{name}/comments",
                    params={"limit": str(MOST_OF_PAGE), "include_markup": "true", **after},
                    headers=headers,
                    timeout=60,
                ).json()
                total += len(answer["comments"])
                if not answer.get("continuation"):
                    break
                after = {"after": answer["continuation"]}
            assert total == count

        ours, theirs = took(by_toolkit), took(by_loop)
    what = f"an archive of {count:,} comments, each response 50 ms late"
    return Line("tenant", what, [ours], "one page after another", [theirs], 4)
