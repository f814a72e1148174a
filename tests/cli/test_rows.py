"""Messages about a CSV number its rows as a spreadsheet shows them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def row_of(file: str, encoding: str, separator: str, name: str) -> int:
    """The row in which a spreadsheet shows a name, counted by Python's csv reader."""
    with Path(file).open(encoding=encoding, newline="") as lines:
        # A blank line is a row without cells.
        rows = enumerate(csv.reader(lines, delimiter=separator), start=1)
        (number,) = (number for number, cells in rows if name in cells)
    return number


def rewritten(write: Callable[[list[str]], list[str]], encoding: str = "utf-8") -> None:
    """Change the lines of listing.csv, whose cells have no line breaks."""
    lines = Path("listing.csv").read_text("utf-8-sig").splitlines()
    Path("listing.csv").write_text("\n".join(write(lines)) + "\n", encoding, newline="")


SHAPES: dict[str, tuple[Callable[[], None], str, str]] = {
    "as exported": (lambda: None, "utf-8-sig", ","),
    "blank lines": (lambda: rewritten(lambda x: [x[0], "", *x[1:3], "", "", *x[3:]]), "utf-8", ","),
    "blank lines first": (lambda: rewritten(lambda x: ["", "", *x]), "utf-8", ","),
    "rows without cells": (
        lambda: rewritten(lambda x: [x[0].replace('"', ""), ",,,", *x[1:4], ",,,", *x[4:]]),
        "utf-8",
        ",",
    ),
    "semicolons, UTF-16": (
        lambda: rewritten(
            lambda x: [line.replace(",", ";").replace('"', "") for line in [x[0], ",,,", *x[1:]]],
            "utf-16",
        ),
        "utf-16",
        ";",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("above", ["a word", "with\n\nbreaks"])
def test_problems_of_a_plan(
    shape: str, above: str, configured: rnb.Client, capsys: Captured
) -> None:
    df = configured.sources()[["id", "owner", "name", "language"]].head(9)
    df.loc[[5, 7], "language"] = "english"
    df.loc[8, "id"] = df["id"][2]
    rnb.to_csv(df, "listing.csv")
    make, encoding, separator = SHAPES[shape]
    make()
    text = Path("listing.csv").read_bytes().decode(encoding)
    cell = f'"{df["name"][0]}"' if f'"{df["name"][0]}"' in text else df["name"][0]
    Path("listing.csv").write_bytes(text.replace(cell, f'"{above}"', 1).encode(encoding))
    numbers = [row_of("listing.csv", encoding, separator, df["name"][row]) for row in (5, 7)]
    assert cli.main(["plan", "listing.csv"]) == 1
    out = capsys.readouterr().out
    for number, row in zip(numbers, (5, 7), strict=True):
        assert f"! row {number}, {df['owner'][row]}/{df['name'][row]}, column language" in out


def test_rows_of_the_same_source(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources().head(3)
    rnb.to_csv(pd.concat([df, df.tail(1).assign(title="x")], ignore_index=True), "twice.csv")
    rnb.to_csv(df, "once.csv")
    assert cli.main(["plan", "twice.csv"]) == 1
    assert "row 5, " in (out := capsys.readouterr().out)
    assert "it is the same source as row 4." in out
    assert cli.main(["plan", "once.csv", "--base", "twice.csv"]) == 1
    assert "Rows 4 and 5 of the base" in capsys.readouterr().out
    # In Python, rows count from 0.
    problems = configured.plan(rnb.read_csv("twice.csv")).problems
    assert problems["row"].tolist() == [3]
    assert "row 2." in problems["reason"][0]


def test_rows_of_one_project_keep_their_numbers(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources()
    first = int(df.index[df["owner"] == "people"][0])
    assert first > 0
    df.loc[first, "id"] = None
    rnb.to_csv(df, "listing.csv")
    assert cli.main(["compare", "listing.csv", "--project", "people"]) == 2
    assert f"no id in 1 row ({first + 2})" in capsys.readouterr().err
    assert cli.main(["record", "audits/", "--from", "listing.csv"]) == 2
    assert f"Missing id in row {first + 2}." in capsys.readouterr().err


def test_rows_of_a_practice_tenant(capsys: Captured) -> None:
    Path("data.csv").write_text("owner,name,score\na,b,1.5\n\na,c,inf\n")
    assert cli.main(["sandbox", "--data", "data.csv"]) == 2
    assert "row 4: inf" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["csv", "json", "html", "text"])
@pytest.mark.usefixtures("configured")
def test_reports_of_files_are_written(form: str, configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources()
    rnb.to_csv(df, "before.csv")
    rnb.to_csv(df.tail(100).assign(title="x").reset_index(drop=True), "after.csv")
    for command in (["compare", "before.csv", "after.csv"], ["audit", "--from", "after.csv"]):
        assert cli.main([*command, "--format", form]) == 1
        assert capsys.readouterr().err == ""
    assert cli.main(["record", "audits/", "--from", "after.csv"]) == 0
    pd.testing.assert_frame_equal(
        rnb.History("audits/").load(), rnb.read_csv("after.csv"), check_like=True
    )
