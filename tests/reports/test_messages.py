"""Refusals say exactly what they said when somebody last read them."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import errors
from reinfer_nb.csvfile.io import csv_of
from reinfer_nb.frames import convert
from reinfer_nb.schema import fields, records, validation, value_types
from reinfer_nb.schema.value_types import ValueType
from tests.api.test_contents import few
from tests.reports.approval import Approve, approve
from tests.reports.test_reports import edited, listing

__all__ = ["approve", "few"]
Calls = dict[str, Callable[[], object]]
FIELDS = fields.fields_of(records.Source)
ODD: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "a fraction": 0.5,
    "not a number": float("nan"),
    "many digits": 2**63,
    "true": True,
    "a text": "x",
    "a long text": "x" * 300,
    "an empty text": "",
    "half a character": "\ud800",
    "a list of numbers": [1],
    "a list of half characters": ["\ud800"],
    "an object": {"a": 1},
    "a set": {"a"},
    "a time without a zone": datetime(2026, 1, 1),  # noqa: DTZ001
    "a day": "2026-01-01",
    "a thirteenth month": "2026-13-01T00:00:00Z",
    "a time before the year 1": "0001-01-01T00:00:00+14:00",
    "a list as JSON": '["a", "b, c"]',
    "a list as Python": "['\\x41', \"\\u00e4's\", '\\U0001f600', '\\n\\t\\\\']",
    "a list that is cut": "['a', ",
}


def outcomes(call: Callable[[Any], object], given: Mapping[str, Any]) -> str:
    """Return what a call returns or raises for each of several arguments."""
    lines = []
    for title, argument in given.items():
        try:
            text = repr(call(argument))
        except UnicodeError:
            # A kind of ValueError that nobody meant to raise.
            raise
        except (errors.ReinferError, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
        lines.append(f"{title}: {text}")
    return "\n".join(lines)


def refusals(calls: Calls) -> str:
    """Return what each of several calls raises."""
    return outcomes(lambda call: call(), calls)


# Values, names and ids


def test_value_types(approve: Approve) -> None:
    for kind in vars(value_types).values():
        if isinstance(kind, type) and issubclass(kind, ValueType) and kind is not ValueType:
            for method in ("read", "check", "write"):
                approve(f"{kind.__name__}.{method}", outcomes(getattr(kind, method), ODD))
    cells = [*ODD.values(), pd.NaT, pd.NA, np.True_, np.array(["a"]), ("a", "b, c"), ()]
    texts = [f"{value_types.cell_text(cell)!r} {value_types.shown_cell(cell)!r}" for cell in cells]
    approve("texts", "\n".join(texts))


def test_settings(approve: Approve) -> None:
    for field in FIELDS:
        given = {title: {field.name: value} for title, value in ODD.items()}
        approve(field.name, outcomes(partial(validation.settings, "update"), given))
    parsed = [
        "[]",
        "()",
        '["a"]',
        "('a',)",
        "['a' 'b']",
        "['\\x41', '\\u00e4', '\\U0001f600', '\\n']",
    ]
    approve("lists as text", outcomes(value_types.Names.parse, {text: text for text in parsed}))
    approve("schema", json.dumps([field.schema() for field in FIELDS], indent=1))
    wrong = {
        "two problems": {"language": 5, "title": 5},
        "nothing": {},
        "an unknown field": {"titel": "x"},
        "a field of the tenant": {"created_at": "x"},
    }
    approve("refused", outcomes(partial(validation.settings, "update"), wrong))
    # As the practice tenant replies.
    sent = wrong | {f"another type of {f.name}": {f.wire: 5} for f in FIELDS if f.may("update")}
    approve("sent", outcomes(partial(validation.wire_settings, "update"), sent))


def test_unreadable_values(approve: Approve) -> None:
    identity = {"id": "0" * 16, "owner": "acme", "name": "a"}
    odd: dict[str, Any] = {"number": 5, "text": "x", "list": ["a", 5], "object": {"a": None}}
    for title, value in odd.items():
        of_kind = {f.wire: value for f in FIELDS if f.wire not in identity}
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            records.Source.from_wire(identity | of_kind)
            convert.from_elements([identity | of_kind, identity])
        approve(title, "\n\n".join(str(each.message) for each in warned))


def test_names_and_ids(approve: Approve, client: rnb.Client) -> None:
    names = ["", "x", "a/b/c", "A/b", "a/B", "/b", "a/", "a b/c", "a/" + "x" * 300, "\ud800/x"]
    odd = [5, b"a/b", ["a/b"], float("nan"), pd.NA]
    given = {repr(name): name for name in [*names, *odd]}
    for call in (client.source, client.create_source, client.delete_source, client.sources):
        approve(call.__name__, outcomes(call, given))
    for another in (client.statistics, client.comments, client.recreate_source):
        approve(another.__name__, outcomes(another, given))


# Frames and files


def test_comparisons_and_snapshots(approve: Approve, tmp_path: Path) -> None:
    df: Any = listing()
    twice = pd.concat([df, df])
    beside = pd.concat([df, df], axis=1)
    history: Any = rnb.History(tmp_path / "audits")
    compare: Any = rnb.compare
    record = history.record
    when = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    record(df, when=when)
    fine = pd.Timestamp("2026-01-01T00:00:00.000000001Z")
    calls: Calls = {
        "rows twice": lambda: compare(df, twice),
        "a column twice": lambda: compare(df, beside),
        "no key": lambda: compare(df, df.drop(columns="id")),
        "another key": lambda: compare(df, df, on="titel"),
        "no keys": lambda: compare(df, df, on=[]),
        "a key of numbers": lambda: compare(df, df, on=[5]),
        "a number as key": lambda: compare(df, df, on=5),
        "a missing key": lambda: compare(edited(df, 2, id=None), df),
        "an ignored column": lambda: compare(df, df, ignore="titel"),
        "no listing": lambda: compare(5, df),
        "no file": lambda: compare("nothing.csv", df),
        "recorded without an id": lambda: record(df.drop(columns=["id", "name"])),
        "recorded with a missing id": lambda: record(edited(df, 2, id=None)),
        "recorded without ids": lambda: record(df.assign(id=None)),
        "recorded twice": lambda: record(twice),
        "another tenant perhaps": lambda: record(df, another_tenant="yes"),
        "recorded at the last time": lambda: record(changed(df), when=when),
        "half a character": lambda: record(edited(df.astype(object), 1, title="\ud800")),
        "odd counts": lambda: record(df.assign(num_comments=0.5)),
        "too fine": lambda: record(df.assign(created_at=fine)),
        "intervals": lambda: record(df.assign(x=pd.interval_range(0, 6))),
        "objects": lambda: record(df.assign(x=[{1}] * 6)),
        "a number as a name": lambda: record(df.rename(columns={"title": 5})),
        "no such project": lambda: history.load(project="acmee"),
        "no such time": lambda: history.load("2001-01-01"),
        "no such time of a project": lambda: history.load("2001-01-01", project="acme"),
        "no such source": lambda: history.timeline("acme/sources-1"),
        "options": lambda: rnb.History("x", storage_options="anon"),  # type: ignore[arg-type]
    }
    approve("refused", refusals(calls))


def changed(df: pd.DataFrame) -> pd.DataFrame:
    """Return a listing in which a title differs."""
    return edited(df, 0, title="Another")


def test_damaged_histories(approve: Approve, tmp_path: Path) -> None:
    def cut(file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-100])

    damages: dict[str, tuple[int, Callable[[Path], object]]] = {
        "gone": (0, Path.unlink),
        "cut": (2, cut),
        "foreign": (2, listing().to_parquet),
    }
    for title, (number, damage) in damages.items():
        history = rnb.History(tmp_path / title)
        for day in (1, 2, 3):
            history.record(listing() if day < 3 else changed(listing()), when=f"2026-04-0{day}")
        damage(sorted((tmp_path / title).rglob("*.parquet"))[number])
        history = rnb.History(tmp_path / title)
        calls: Calls = {
            "snapshots": partial(count, history.snapshots),
            "load": partial(count, history.load),
            "load an old one": partial(count, history.load, "2026-04-01"),
            "timeline": partial(count, history.timeline, f"{1:016x}"),
            "changes": partial(count, history.changes),
            "record": partial(history.record, changed(listing()), when="2026-04-04"),
        }
        approve(title, refusals(calls))


def count(call: Callable[..., pd.DataFrame], *arguments: object) -> str:
    """Return how many rows a call returns."""
    return f"{len(call(*arguments))} rows"


FILES: dict[str, bytes] = {
    "empty": b"",
    "html": b"<html></html>",
    "no names": b",,\na,b,c\n",
    "a name missing": b"id,,name\na,b,c\n",
    "a name twice": b"id,id\na,b\n",
    "a long row": b"id,name\na,b,c\n",
    "a quote that is not closed": b'id,title\na,"b\n',
    "the last line cut": b"id,title\r\na,b",
    "latin": "id,title\na,Größe\n".encode("cp1252"),
    "utf-16 without a mark": "id,title\na,b\n".encode("utf-16-le"),
    "utf-16 cut": "id,title\na,b\n".encode("utf-16")[:-1],
    "gzip cut": gzip.compress(b"id,title\na,b\n" * 100)[:-9],
    "not true or false": b"id,should_translate\na,maybe\n",
    "not a time": b"id,created_at\na,yesterday\n",
    "not a list": b"id,sensitive_properties\na,x\n",
    "not a number": b"id,num_comments\na,many\n",
    "a large number": b"id,num_comments\na,99999999999999999999\n",
    "a column of whole numbers": b"id,x (Int64)\na,b\n",
    "a column of JSON": b"id,x (JSON)\na,{\n",
    "a column of numbers": b"id,x (float64)\na,z\n",
    "a column of truth values": b"id,x (boolean)\na,2\n",
    "a column of times": b"id,x (datetime64[us, UTC])\na,2026-13-01T00:00:00Z\n",
    "columns of each kind": (
        b"id,a (JSON),b (Int64),c (float64),d (boolean),e\n"
        b'a,TRUE,3.0,1e3,FALSE,2026-01-01T00:00:00Z\nb,"{""x"": 1}",,,,\n'
    ),
}


def test_csv_files(approve: Approve, tmp_path: Path) -> None:
    def read(content: bytes) -> object:
        file = tmp_path / "x.csv"
        file.write_bytes(content)
        return rnb.read_csv(file).to_dict("list")

    approve("read", outcomes(read, FILES))
    df: Any = listing()
    path, write = tmp_path / "y.csv", partial(rnb.to_csv, overwrite=True)
    calls: Calls = {
        "an index": lambda: write(df.set_index("id"), path),
        "no columns": lambda: write(df[[]], path),
        "a column twice": lambda: write(pd.concat([df, df], axis=1), path),
        "a number as a name": lambda: write(df.rename(columns={"title": 5}), path),
        "half a character": lambda: write(edited(df.astype(object), 1, title="\ud800"), path),
        "a set": lambda: write(df.assign(x=[{1}] * 6), path),
        "no time zone": lambda: write(df.assign(at=pd.Timestamp("2026-01-01")), path),
        "too fine": lambda: write(df.assign(at=pd.Timestamp(1, tz="UTC", unit="ns")), path),
        "a number as owner": lambda: write(df.assign(owner=5), path),
        "a separator": lambda: write(df, path, sep="|"),
        "a workbook": lambda: write(df, tmp_path / "x.xlsx"),
        "no folder": lambda: write(df, tmp_path / "none" / "x.csv"),
        "no frame": lambda: write([], path),  # type: ignore[arg-type]
        "a file that is not there": lambda: rnb.read_csv(tmp_path / "none.csv"),
        "another kind of file": lambda: rnb.read_csv(tmp_path / "none.parquet"),
    }
    approve("refused", refusals(calls))
    odd: Any = [True, 1, 0.5, ["a"], {"a": [1]}, None]
    mixed = df.assign(x=odd, at=pd.Timestamp("2026-01-01T00:00Z"))
    for title, options in {
        "as a spreadsheet": {},
        "plain": {"spreadsheet": False},
        "semicolons": {"sep": ";"},
        "tabs": {"sep": "\t"},
    }.items():
        write(mixed, path, **options)  # type: ignore[arg-type]
        approve(title, path.read_bytes().decode())
    approve("as bytes", csv_of(mixed).decode())


# Plans


def test_edited_listings(approve: Approve, client: rnb.Client) -> None:
    # Sources without a missing value; in each plan, the first ones have an odd value each.
    df: Any = client.sources().dropna().reset_index(drop=True)
    for field in FIELDS:
        later = df.astype(object)
        later[field.name] = pd.Series(
            [*ODD.values(), *df[field.name].iloc[len(ODD) :]], dtype=object
        )
        problems = client.plan(later, df).problems
        assert set(problems["row"]) <= {*range(len(ODD))}
        said = {
            title: problems.loc[problems["row"] == row, "reason"].tolist()
            for row, title in enumerate(ODD)
        }
        approve(field.name, "\n".join(f"{title}: {reasons}" for title, reasons in said.items()))
    df = client.sources("claims").head(3)
    plan: Any = client.plan
    calls: Calls = {
        "a column twice": lambda: plan(pd.concat([df, df], axis=1), df),
        "no names": lambda: plan(df[["title"]], df),
        "no frame": lambda: plan([], df),
        "delete_missing": lambda: plan(df, df, delete_missing="all"),
        "a project": lambda: plan(df, df, project="claims", delete_missing="tenant"),
    }
    approve("refused", refusals(calls))


def with_odd(content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Return JSON objects that each have another odd value under a name."""
    odd: dict[str, Any] = {"none": None, "number": 5, "text": "x", "list": [1], "object": {"a": []}}
    return {title: content | {name: value} for title, value in odd.items()}


def test_files_of_plans(approve: Approve, client: rnb.Client, tmp_path: Path) -> None:
    df = client.sources("claims").head(2)
    plan = client.plan(df.assign(title=["x", "y"]), df)
    whole = json.loads(plan.save(tmp_path / "plan.json").read_text())
    approve("plan", json.dumps(whole | {"made_at": "TIME"}, indent=1))
    step = whole["actions"][0]
    file = tmp_path / "odd.json"

    def read(content: object) -> object:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return rnb.load_plan(file, client).frame["after"].tolist()

    for name in whole:
        approve(f"plan with another {name}", outcomes(read, with_odd(whole, name)))
    for name in [*step, "comments", "remark"]:
        steps = with_odd(step, name).items()
        plans = {title: whole | {"actions": [other]} for title, other in steps}
        approve(f"step with another {name}", outcomes(read, plans))
    wrong = {
        "twice the same": whole | {"actions": [step, step]},
        "an unknown field": whole | {"actions": [step | {"set": {"titel": "x"}}]},
        "another source": whole | {"actions": [step | {"name": "another"}]},
        "another tenant": whole | {"endpoint": "https://other.example"},
        "no JSON": "{",
    }
    approve("refused", outcomes(read, wrong))
    nothing: Calls = {"no file": lambda: rnb.load_plan(tmp_path / "none.json", client)}
    approve("no file", refusals(nothing))


def test_journals(approve: Approve, client: rnb.Client, tmp_path: Path) -> None:
    df = client.sources("claims").head(2)
    plan = client.plan(df.assign(title=["x", "y"]), df)
    journal = tmp_path / "apply.jsonl"
    plan.apply(progress=False, journal=journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    head, first = lines[0], next(line for line in lines[1:] if "status" in line)

    def read(contents: tuple[object, object]) -> object:
        journal.write_text("".join(json.dumps(content) + "\n" for content in contents))
        return rnb.resume(client, journal, progress=False).counts

    for name in head:
        heads = {title: (other, first) for title, other in with_odd(head, name).items()}
        approve(f"head with another {name}", outcomes(read, heads))
    for name in [*first, "source", "was", "not_taken", "in_doubt", "archive", "first_try"]:
        others = {title: (head, other) for title, other in with_odd(first, name).items()}
        approve(f"line with another {name}", outcomes(read, others))


# Comments and archives


def test_comments_and_archives(
    client: rnb.Client, few: str, approve: Approve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    any_client: Any = client
    comments, activity = any_client.comments, any_client.activity
    archive = partial(any_client.archive, progress=False)
    upload = partial(any_client.upload, progress=False)
    path = archive(few, "few.jsonl").path
    content = path.read_text()
    Path("twice.jsonl").write_text(content + content.splitlines()[0] + "\n")
    Path("cut.jsonl").write_text(content[:-9])
    Path("other.txt").write_text(content)
    Path("journal.jsonl").write_text('{"upload": 5}\n')
    Path("a file").touch()
    calls: Calls = {
        "a range that ends before it begins": lambda: comments(
            few, since="2026-02", until="2026-01"
        ),
        "a time that is none": lambda: comments(few, since="soon"),
        "a limit": lambda: comments(few, limit=-1),
        "stop": lambda: any_client.count_comments(few, stop=5),
        "an id": lambda: client.comment(few, ""),
        "another id": lambda: client.comment(few, "nothing"),
        "newest": lambda: client.raw_comments(few, newest=5, since="2026-01"),
        "a sample": lambda: client.sample(few, 0),
        "pieces": lambda: client.iter_comments(few, chunk_size=0),
        "an unknown period": lambda: activity(
            "claims", since="2026-01", until="2026-02", freq="mnth"
        ),
        "too many periods": lambda: activity(few, since="0001", until="9999", freq="day"),
        "statistics of nothing": lambda: any_client.statistics([]),
        "statistics of a frame without names": lambda: any_client.statistics(listing()[["title"]]),
        "statistics of a number": lambda: any_client.statistics(5),
        "a name that is taken": lambda: archive(few, "few.jsonl"),
        "a name of another kind": lambda: archive(few, "few.csv"),
        "a folder that cannot be made": lambda: archive(few, "a file/few.jsonl"),
        "many sources in a range": lambda: archive([few], "folder", since="2026-01"),
        "many sources without any": lambda: archive([], "folder"),
        "workers": lambda: archive(few, "more.jsonl", workers=0),
        "an upload without a number": lambda: upload(few, path),
        "an upload with another number": lambda: upload(few, path, confirm=4),
        "an upload to another source": lambda: upload("claims/motor-inbox", path, confirm=5),
        "an upload with a comment twice": lambda: upload(few, "twice.jsonl", confirm=6),
        "an upload that was cut": lambda: upload(few, "cut.jsonl", confirm=5),
        "an upload of another kind": lambda: upload(few, "other.txt", confirm=5),
        "an upload of nothing": lambda: upload(few, "none.jsonl", confirm=5),
        "a journal": lambda: upload(few, path, confirm=5, journal="journal.jsonl"),
        "reading what was cut": lambda: rnb.read_archive("cut.jsonl"),
        "reading another kind": lambda: rnb.read_archive("other.txt"),
        "reading nothing": lambda: rnb.read_archive("none"),
    }
    approve("refused", refusals(calls).replace(client.source(few).id, "ID"))


def test_restore_files(client: rnb.Client, approve: Approve, tmp_path: Path) -> None:
    gone = client.delete_source("claims/motor-inbox", restore_file=tmp_path / "gone.json")
    whole = json.loads((tmp_path / "gone.json").read_text())
    approve("file", json.dumps(whole | {"written_at": "TIME"}, indent=1))
    file = tmp_path / "odd.json"

    def read(content: object) -> object:
        file.write_text(json.dumps(content))
        with rnb.sandbox() as another, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            another.delete_source("claims/motor-inbox")
            source = rnb.restore(another, file, another_tenant=True)
            return source.full_name, [str(one.message).replace(source.id, "ID") for one in told]

    for name in whole:
        approve(f"a file with another {name}", outcomes(read, with_odd(whole, name)))
    any_client: Any = client
    calls: Calls = {
        "no file": lambda: rnb.restore(client, tmp_path / "none.json"),
        "no client": lambda: rnb.restore(any_client.source, tmp_path / "gone.json"),
        "no source": lambda: any_client.recreate_source(5),
        "a file that exists": lambda: client.delete_source(
            "claims/glass-inbox", restore_file=tmp_path / "gone.json"
        ),
    }
    approve("refused", refusals(calls))
    assert gone.id in str(whole)
