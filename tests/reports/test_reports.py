"""Reports say exactly what they said when somebody last read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.api.test_contents import few
from tests.api.test_write_result import through, without
from tests.reports.approval import Approve, approve
from tests.scripted import relay, reply

__all__ = ["approve", "few"]


def shown(report: Any) -> str:
    """Return all that a report shows of itself, in full and cut short, one HTML element a line."""
    texts = [repr(report)]
    if hasattr(report, "to_text"):
        texts += [report.to_text(limit=1)]
        texts += [report.to_html(limit=1)]
    texts.append(report._repr_html_())
    return "\n\n".join(text.replace("><", ">\n<") for text in texts)


# Comparisons


def listing() -> pd.DataFrame:
    """A listing with every kind of column, and times, lists and texts that are missing."""
    rows = [
        {
            "id": f"{number:016x}",
            "owner": "acme" if number < 4 else "shop",
            "name": f"source-{number}",
            "title": None if number == 3 else f"Source {number}",
            "description": "" if number == 2 else "About <b>it</b>",
            "language": "en",
            "should_translate": number % 2 == 0,
            "sensitive_properties": [None, (), ("a",), ("a", "b, c")][number % 4],
            "bucket_id": "8c1a0c0de0000001" if number == 1 else None,
            "created_at": pd.Timestamp("2026-01-01T10:00:00Z") + pd.Timedelta(days=number),
            "updated_at": pd.Timestamp("2026-02-01T10:00:00Z") + pd.Timedelta(days=number),
        }
        for number in range(6)
    ]
    return pd.DataFrame(rows).astype({"should_translate": "boolean"})


def edited(df: pd.DataFrame, row: int, **cells: Any) -> pd.DataFrame:
    """Return a copy with other cells in a row."""
    df = df.copy()
    for name, cell in cells.items():
        column = df[name].tolist()
        column[row] = cell
        df[name] = pd.Series(column, df.index, dtype=df[name].dtype)
    return df


def changed() -> pd.DataFrame:
    """The listing later: two sources gone, two new, and others changed, renamed or only touched."""
    df = listing().iloc[[1, 2, 3, 4]].reset_index(drop=True)
    df = edited(df, 0, title="A title", language="de", sensitive_properties=("z",))
    df = edited(df, 1, should_translate=False, description=None)
    df = edited(df, 2, name="renamed")
    df = edited(df, 3, updated_at=pd.Timestamp("2026-03-01T10:00:00Z"))
    new = listing().iloc[[0, 5]].assign(id=["00000000000000aa", "00000000000000bb"])
    return pd.concat([df, new.assign(name=["new-a", "new-b"])], ignore_index=True)


def test_a_comparison_by_id(approve: Approve) -> None:
    before = listing().assign(only_here="x", also_here=1)
    comparison = rnb.compare(before, changed().assign(new=1))
    approve("shown", shown(comparison))
    approve("summary", comparison.summary)
    approve("frame", comparison.frame)
    for name in ("changed", "renamed"):
        approve(name, getattr(comparison, name))
    approve("one column", shown(rnb.compare(before.drop(columns="also_here"), changed())))


def test_a_comparison_by_name(approve: Approve) -> None:
    comparison = rnb.compare(listing(), changed(), on=["owner", "name"])
    approve("shown", shown(comparison))
    approve("frame", comparison.frame)
    approve("by name alone", shown(rnb.compare(listing(), changed(), on="name", ignore=())))
    approve("ids", rnb.compare(listing(), changed(), ["owner", "name"], ignore="title").renamed)


def test_a_comparison_without_differences(approve: Approve) -> None:
    approve("equal", shown(rnb.compare(listing(), listing())))
    approve("empty", shown(rnb.compare(listing().iloc[:0], listing().iloc[:0])))
    few = listing()[["id", "title"]]
    approve("without names", shown(rnb.compare(few, few.iloc[1:].assign(title="x"))))


# Plans


def edits(client: rnb.Client) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a listing of a project, and an edited copy: updates, creates and deletes."""
    df = client.sources("claims")
    later = df.iloc[2:].reset_index(drop=True)
    later = edited(later, 0, title="Edited <b>title</b>")
    later = edited(later, 1, title="Edited", description="")
    later = edited(later, 2, should_translate=not later["should_translate"][2])
    later = edited(later, 3, sensitive_properties=("a", "b, c"))
    new = edited(later.iloc[[4, 5]], 0, id=None, name="new-a", title="New")
    new = edited(new, 1, id=None, name="new-b", title=None)
    return df, pd.concat([later, new], ignore_index=True)


def test_a_plan(client: rnb.Client, approve: Approve) -> None:
    df, later = edits(client)
    plan = client.plan(later, df, delete_missing=True)
    approve("shown", shown(plan))
    approve("frame", plan.frame)
    rehearsal = plan.rehearse()
    approve("rehearsed", shown(rehearsal))
    result = plan.apply(progress=False)
    approve("applied", shown(result))
    approve("result", result.frame.drop(columns="id"))
    approve("undo", shown(result.undo()))
    approve("nothing", shown(client.plan(client.sources("claims", refresh=True))))
    one = client.plan(client.sources("claims").head(1).assign(title="One"))
    approve("one step", shown(one))


def test_a_plan_with_problems(client: rnb.Client, approve: Approve) -> None:
    df = client.sources("claims").head(6)
    later = edited(edited(df, 1, language="xx"), 2, language=None)
    later = edited(later, 3, name="No Name!")
    later = edited(later, 4, id=df["id"][5])
    plan = client.plan(later, df)
    approve("shown", shown(plan))
    approve("problems", plan.problems)
    with pytest.raises(rnb.InvalidInput) as refused:
        plan.apply(progress=False)
    approve("refused", str(refused.value))


def test_notes_of_plans(client: rnb.Client, approve: Approve, tmp_path: Path) -> None:
    odd = {"title": ["'=1", "a\r\nb", "x" * 40_000, "=2", "plain"], "description": "as it was"}
    rows = pd.DataFrame({"owner": "lab", "name": list("abcde")}).assign(**odd)
    with rnb.sandbox(rows) as tenant:
        df = tenant.sources()
        file = tmp_path / "listing.csv"
        by_pandas = pd.read_csv(rnb.to_csv(df, file))
        notes = {
            "same": tenant.plan(by_pandas),
            "new": tenant.plan(edited(by_pandas, 4, title="'=new")),
            "cut": tenant.plan(edited(df, 2, title="x" * 32_767), df),
            "breaks": tenant.plan(edited(df, 1, title="a\nb")),
            "typed": tenant.plan(edited(edited(df, 4, title="'=3"), 3, title="'=4"), df),
            "more columns": tenant.plan(df.assign(note="x", titel="y")),
            "elsewhere": client.plan(tenant.sources().assign(owner="claims"), project="claims"),
        }
        tenant.update_source("lab/e", title="Of others")
        tenant.create_source("lab/f")
        notes["others"] = tenant.plan(edited(df, 4, description="x"), df)
        notes["later"] = tenant.plan(df.head(4), delete_missing=True)
    for name, plan in notes.items():
        approve(name, "\n".join(plan.notes))


def test_a_mass_delete(client: rnb.Client, approve: Approve) -> None:
    df = client.sources("claims")
    plan = client.plan(df.iloc[:-8], df, delete_missing=True)
    approve("shown", shown(plan))
    with pytest.raises(rnb.InvalidInput) as refused:
        plan.apply(progress=False)
    approve("refused", str(refused.value))


def test_a_result_with_every_outcome(client: rnb.Client, approve: Approve) -> None:
    df = client.sources("claims")
    names = (df["owner"] + "/" + df["name"]).tolist()
    onward, untaken = relay(client.endpoint), without(client, "language")

    def answer(asked: Any) -> bytes:
        if asked.method == "POST" and asked.path.endswith(f"/{names[3]}"):
            return reply({"status": "error", "message": "out <of> order"}, 400)
        return untaken(asked) if asked.path.endswith(f"/{names[4]}") else onward(asked)

    with through(client, answer) as between:
        first = between.sources("claims").head(6)
        plan = between.plan(first.assign(title="Mine", language="xlm"), first)
        client.update_source(names[1], title="Theirs")
        client.delete_source(names[2])
        result = plan.apply(progress=False)
    approve("shown", shown(result))
    approve("frame", result.frame)
    approve("failed", result.failed)
    approve("counts", str(result.counts))


# Records, snapshots and archives


def test_records(client: rnb.Client, approve: Approve) -> None:
    approve("source", shown(client.source("claims/motor-inbox")))
    approve("projects", client.projects())
    (comment,) = client.comments("claims/motor-inbox", limit=1)["id"]
    approve("comment", shown(client.comment("claims/motor-inbox", comment)))
    approve("client", repr(client))
    approve("user", shown(client.me()))


def test_a_history(approve: Approve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    history = rnb.History("audits")
    approve("empty", shown(history))
    for day, df in enumerate((listing(), listing(), changed())):
        snapshot = history.record(df, when=f"2026-04-0{day + 1}")
        approve(f"snapshot {day + 1}", f"{shown(snapshot)}\n\n{snapshot}")
    approve("history", shown(history))
    approve("snapshots", history.snapshots())
    approve("timeline", history.timeline(f"{1:016x}"))
    approve("changes", history.changes())
    later = rnb.History("fields that came later")
    later.record(listing().drop(columns=["description", "bucket_id"]), when="2026-04-01")
    later.record(listing(), when="2026-04-02")
    later.record(listing().drop(columns="description"), when="2026-04-03")
    own = {"checked": True, "rank": 3}
    later.record(changed().assign(**own), when="2026-04-04")
    dtypes = later.timeline(f"{1:016x}").dtypes[list(own)]
    approve("dtypes of one's own columns that came later", dtypes.to_frame())
    approve("fields that came later", later.timeline(f"{1:016x}"))


def test_an_archive_and_its_upload(
    client: rnb.Client,
    few: str,
    approve: Approve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = client.archive(few, "few.jsonl.gz", progress=False)
    approve("archive", shown(archive).replace(archive.source.id, "ID"))
    copy = client.create_source("claims/copy")
    number = archive.num_comments
    result = client.upload(copy, archive.path, confirm=number, another_source=True, progress=False)
    approve("upload", shown(result))
