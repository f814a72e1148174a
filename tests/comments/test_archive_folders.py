"""Archives of many sources: Parquet by project, source and month, read by DuckDB, Dask and us."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random, randrange
from typing import Any

import duckdb
import fsspec
import pandas as pd
import pytest
from dask import dataframe

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.api.contents import comment_calls, folder_archiving
from reinfer_nb.api.contents.activity import periods
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.comments.archive_folder import Month
from tests.api.test_contents import few, tenant_of
from tests.comments.test_archives import MANY, everything
from tests.conftest import Tally
from tests.killed import Workers
from tests.server.test_comments import NAME, new

__all__ = ["few"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "comments"


def held(folder: Path, name: str) -> list[Any]:
    """The comments of a source in an archive, read with DuckDB and without the package."""
    project, source = name.split("/")
    rows = duckdb.execute(
        f"SELECT comment FROM '{folder}/**/*.parquet' WHERE project = ? AND source = ? "  # noqa: S608
        "ORDER BY timestamp, id",
        [project, source],
    ).fetchall()
    return [json.loads(comment) for (comment,) in rows]


def test_files_hold_what_the_tenant_tells(client: rnb.Client, few: str, folder: Path) -> None:
    df = client.archive([few, NAME], folder, progress=False)
    assert df["num_comments"].tolist() == [5, client.count_comments(NAME)]
    assert df["num_fetched"].tolist() == df["num_comments"].tolist()
    assert df.dtypes.astype("str").to_dict() == {
        **dict.fromkeys(("owner", "name", "id"), "str"),
        **dict.fromkeys(("num_comments", "num_fetched", "num_files"), "Int64"),
    }
    for name in (few, NAME):
        assert held(folder, name) == everything(client, name)
        archived = rnb.read_archive(folder, name)
        expected = client.comments(name)
        pd.testing.assert_frame_equal(archived[list(expected.columns)], expected)
        assert archived.columns[:2].tolist() == ["owner", "name"]
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))
    source = client.source(few)
    assert files[:3] == [
        f"project=claims/source=few/month=2026-0{month}/comments-{source.id}.parquet"
        for month in (1, 2, 3)
    ]
    assert len(files) == df["num_files"].sum()
    assert len(files) == sum(path.is_file() for path in folder.rglob("*"))
    assert len(rnb.read_archive(folder)) == df["num_comments"].sum()


# Dask 2026.8 still uses it.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_duckdb_and_dask_read_the_same_columns_in_every_file(
    client: rnb.Client, few: str, folder: Path
) -> None:
    odd = {**new("odd", "2026-05-05T00:00:00Z"), "weight": 5, "thread_id": "t"}
    tenant_of(client).sync(odd, name=few)
    client.archive([few, NAME], folder, progress=False)
    kinds = {
        tuple(duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall())  # noqa: S608
        for path in folder.rglob("*.parquet")
    }
    assert len(kinds) == 1
    counted = duckdb.execute(
        f"SELECT source, count(*), min(month) FROM '{folder}/**/*.parquet' GROUP BY ALL"  # noqa: S608
    ).fetchall()
    number = client.count_comments(NAME)
    assert sorted((source, count) for source, count, _ in counted) == [
        ("few", 6),
        ("theft-inbox", number),
    ]
    lazy = dataframe.read_parquet(str(folder), columns=["id", "source"])
    assert lazy.compute()["source"].value_counts().to_dict() == {"few": 6, "theft-inbox": number}
    weights = duckdb.execute(
        f"SELECT comment->>'weight' FROM '{folder}/**/*.parquet' WHERE id = 'odd'"  # noqa: S608
    ).fetchall()
    assert weights == [("5",)]


def test_a_second_call_fetches_what_is_new_or_changed(
    client: rnb.Client, few: str, folder: Path
) -> None:
    assert client.sandbox is not None
    client.archive([few, NAME], folder, progress=False)
    before = len(client.sandbox.requests)
    again = client.archive([few, NAME], folder, progress=False)
    # For each source: the listing once, then itself, its count and its newest comment.
    assert len(client.sandbox.requests) <= before + 1 + 3 * 2
    assert again["num_fetched"].tolist() == [0, 0]
    # One that is new, one that is old and arrived late, and two months without changes.
    tenant = tenant_of(client)
    tenant.sync(new("late", "2026-02-02T00:00:00Z"), new("new", "2026-06-01T00:00:00Z"), name=few)
    changed = client.archive([few, NAME], folder, progress=False)
    assert changed["num_fetched"].tolist() == [4, 0]
    assert changed["num_files"].tolist() == [2, 0]
    assert held(folder, few) == everything(client, few)


def test_deleted_comments_and_deleted_sources_stay(
    client: rnb.Client, few: str, folder: Path
) -> None:
    client.archive([few], folder, progress=False)
    before = held(folder, few)
    tenant = tenant_of(client)
    tenant.send("DELETE", f"/api/v1/sources/{few}/comments?id=c1")
    df = client.archive([few], folder, progress=False)
    assert df["num_comments"].tolist() == [4]
    assert held(folder, few) == before
    assert client.archive([few], folder, progress=False)["num_fetched"].tolist() == [0]
    # Another source with the same name has files of its own.
    client.delete_source(few)
    client.create_source(few)
    tenant.sync(new("c0", "2026-01-31T00:00:00Z"), name=few)
    client.archive([few], folder, progress=False)
    assert len(held(folder, few)) == 6
    assert len(list(folder.glob("**/month=2026-01/*.parquet"))) == 2


def test_what_cannot_be_archived_is_told_and_the_rest_is(
    client: rnb.Client, few: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = client.create_source("claims/empty").full_name
    df = client.sources("claims", refresh=True)
    df = df[df["name"].isin(["few", "empty", "theft-inbox"])]
    client.delete_source(NAME)
    with pytest.warns(rnb.UnreadableWarning, match=rf"1 source could not .*'{NAME}' \(404\)"):
        result = client.archive(df, folder, progress=False).set_index("name")
    assert result.loc["few", "num_fetched"] == 5
    assert result.loc["empty", "num_comments"] == 0
    assert result["num_comments"].isna().to_dict()["theft-inbox"]
    assert empty.endswith("empty")
    usual = comment_calls.CommentCalls.pages

    def fewer(self: Any, *arguments: Any, **options: Any) -> Any:
        for page in usual(self, *arguments, **options):
            yield page if "limit" in options else page._replace(comments=page.comments[1:])

    files = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    tenant_of(client).sync(new("more", "2026-03-03T00:00:00Z"), name=few)
    monkeypatch.setattr(comment_calls.CommentCalls, "pages", fewer)
    with pytest.warns(rnb.UnreadableWarning, match="the pages of 2026-03 do not hold the 3"):
        client.archive([few], folder, progress=False)
    # The files from before stay as they are, and no part of a file is left.
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def test_several_writers_at_once_leave_whole_files(client: rnb.Client, folder: Path) -> None:
    clients = [rnb.connect(endpoint=client.endpoint, token=token(client)) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one.archive([NAME], folder, progress=False), clients))
    assert held(folder, NAME) == everything(client, NAME)


def token(client: rnb.Client) -> str:
    assert client.sandbox is not None
    return client.sandbox.tokens["admin"]


@pytest.mark.slow
def test_after_kills_at_any_moment_files_are_whole_and_a_call_completes_them(
    client: rnb.Client, tmp_path: Path, folder: Path, tally: Tally
) -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice, kills = Random(seed), 0
    assert client.sandbox is not None
    with Workers(tmp_path / "state") as workers, client.sandbox.faults.add(Fault.wait(0.1)):
        for _ in range(6):
            workers.begin(client.sandbox, "archive", [MANY], folder, progress=False, workers=4)
            time.sleep(dice.uniform(0.1, 0.6))
            kills += workers.kill()
            if folder.exists() and any(folder.rglob("*.parquet")):
                ids = [comment["id"] for comment in held(folder, MANY)]
                assert len(ids) == len(set(ids))
    client.archive([MANY], folder, progress=False)
    assert held(folder, MANY) == everything(client, MANY)
    tally("kills of an archive of many sources at work", kills)


@pytest.mark.slow
def test_with_faults_no_comment_is_missing_or_double(client: rnb.Client, folder: Path) -> None:
    assert client.sandbox is not None
    client._transport.patience = Patience(100, backoff=0.01)
    often: Any = {"probability": 0.1}
    faults = [
        Fault.answer(502, **often, seed=2),
        Fault.drop(**often, seed=3),
        Fault.cut(**often, seed=4),
    ]
    with client.sandbox.faults.add(*faults):
        client.archive([NAME], folder, progress=False)
    assert held(folder, NAME) == everything(client, NAME)


def test_an_archive_can_be_at_a_url(client: rnb.Client, few: str) -> None:
    where = f"memory://archive-{id(client)}"
    client.archive([few], where, progress=False)
    files = fsspec.filesystem("memory").find(where.removeprefix("memory:/"))
    assert len(files) == 3
    assert all(name.endswith(".parquet") for name in files)
    assert rnb.read_archive(where, few)["id"].tolist() == ["c0", "c1", "c2", "c3", "c4"]
    tenant_of(client).sync(new("late", "2026-02-02T00:00:00Z"), name=few)
    assert client.archive([few], where, progress=False)["num_fetched"].tolist() == [3]
    assert len(rnb.read_archive(where)) == 6
    fsspec.filesystem("memory").rm(where.removeprefix("memory:/"), recursive=True)


def test_bad_input_is_told(client: rnb.Client, few: str, folder: Path, tmp_path: Path) -> None:
    assert client.sandbox is not None
    before = len(client.sandbox.requests)
    archive: Any = client.archive
    for which, where, options, message in (
        ([few], folder, {"since": "2026-01"}, "are for the file of one source"),
        ([few], folder, {"overwrite": True}, "are for the file of one source"),
        ([few], folder, {"workers": 0}, "workers must be"),
        ([], folder, {}, "is empty"),
        ([few], 5, {}, "An archive of several sources is in a folder"),
        (few, folder, {}, "must end in .jsonl"),
        ([few], "nothing://x", {}, "cannot be at nothing://x"),
    ):
        with pytest.raises(rnb.InvalidInput, match=message):
            archive(which, where, **options)
    assert len(client.sandbox.requests) <= before + 2
    client.archive([few], folder, progress=False)
    with pytest.raises(rnb.InvalidInput, match="has no comments of claims/theft-inbox"):
        rnb.read_archive(folder, NAME)
    with pytest.raises(rnb.InvalidInput, match="has no comments"):
        rnb.read_archive(tmp_path)
    file = tmp_path / "few.jsonl"
    client.archive(few, file, progress=False)
    with pytest.raises(rnb.InvalidInput, match="is no folder"):
        rnb.read_archive(file, few)


def test_a_damaged_file_is_named_and_nothing_is_overwritten(
    client: rnb.Client, few: str, folder: Path
) -> None:
    client.archive([few], folder, progress=False)
    first, *_ = sorted(folder.rglob("*.parquet"))
    data = first.read_bytes()
    for spoilt in (b"", data[:-20], b"PAR1" + b"x" * 100 + b"PAR1"):
        first.write_bytes(spoilt)
        with pytest.raises(rnb.FileProblem, match=r"month=2026-01/comments-\w+.parquet is damaged"):
            client.archive([few], folder, progress=False)
        with pytest.raises(rnb.FileProblem, match="is damaged"):
            rnb.read_archive(folder)
        assert first.read_bytes() == spoilt


# Which months are asked about


def test_a_range_with_the_known_sum_takes_one_request() -> None:
    first, last = datetime(2019, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    spans = periods("month", first, last)
    dice = Random(5)
    truth = [dice.randrange(50) for _ in spans]
    asked: list[Any] = []

    def count(begin: datetime, end: datetime) -> int:
        asked.append((begin, end))
        return sum(
            number
            for span, number in zip(spans, truth, strict=True)
            if begin <= span.begin and span.end <= end
        )

    keys = [f"{span.begin:%Y-%m}" for span in spans]
    known = {key: Month(n, first) for key, n in zip(keys, truth, strict=True)}
    found = list(folder_archiving.changed(count, spans, sum(truth), known, ()))
    assert (found, asked) == ([], [])
    truth[40] += 3
    found = list(folder_archiving.changed(count, spans, sum(truth), known, ()))
    assert found == [(spans[40], truth[40])]
    assert len(asked) <= 8
    found = list(folder_archiving.changed(count, spans, sum(truth), known, {"2026-12"}))
    assert {span.begin for span, _ in found} == {spans[40].begin, spans[-1].begin}
    everything = list(folder_archiving.changed(count, spans, sum(truth), {}, ()))
    assert sorted(everything) == [
        (span, number) for span, number in zip(spans, truth, strict=True) if number
    ]
