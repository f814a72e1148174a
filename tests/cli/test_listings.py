"""`reinfer-nb list`: columns that fit the terminal, search, order, columns of files."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from tests.cli.terminals import on_terminal

Captured = pytest.CaptureFixture[str]
LONG = "A title that is much longer than any terminal is wide, " * 6
TITLES = {
    "ideographs": "\u65e5\u672c\u8a9e\u306e\u53d7\u4fe1\u7bb1" * 30,
    "emoji": "\U0001f4e8 Post \U0001f4e8" * 30,
    "marks": "Cafe\u0301 " * 60,
    "plain": LONG,
    "short": "Post",
}


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[rnb.Client]:
    """A configured tenant with titles of all widths."""
    df = pd.DataFrame({"owner": "claims", "name": list(TITLES), "title": list(TITLES.values())})
    with rnb.sandbox(df) as client:
        assert client.sandbox is not None
        monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
        monkeypatch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])
        monkeypatch.setenv("NO_COLOR", "1")
        yield client


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)


def cells(text: str) -> int:
    """The cells of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
@pytest.mark.usefixtures("tenant")
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    code, out = on_terminal(["list"], width)
    assert code == 0
    heading, *rows, count = out.splitlines()
    assert count == "5 sources"
    assert len(rows) == 5
    assert max(map(cells, [heading, *rows])) <= width
    # The room is used: a title is cut only because the terminal ends.
    assert width < 40 or max(map(cells, rows)) > width - 3
    assert width < 40 or out.count("\u2026") >= 4


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.usefixtures("tenant")
def test_cells_begin_below_their_heading(width: int) -> None:
    heading, *rows, _ = on_terminal(["list"], width)[1].splitlines()
    for column in ("name", "title"):
        start = cells(heading[: heading.index(column)])
        for row in rows:
            before = next(row[:end] for end in range(len(row) + 1) if cells(row[:end]) >= start)
            assert cells(before) == start
            assert before.endswith("  ")
            assert not row[len(before)].isspace()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (30, {"owner", "name"}),
        (60, {"owner", "name", "title", "language", "kind"}),
        (200, {"owner", "name", "title", "language", "kind", "updated_at", "id"}),
    ],
)
def test_the_less_important_columns_are_dropped_first(
    tenant: rnb.Client, width: int, columns: set[str]
) -> None:
    heading = on_terminal(["list"], width)[1].splitlines()[0].split()
    # The order is that of the listing.
    assert heading == [name for name in tenant.sources() if name in columns]


@pytest.mark.usefixtures("tenant")
def test_a_user_may_set_the_width() -> None:
    _, out = on_terminal(["list"], 200, columns="50")
    assert 40 < max(map(cells, out.splitlines())) <= 50


def test_a_pipe_gets_all_default_columns_in_full_and_no_count(
    tenant: rnb.Client, capsys: Captured
) -> None:
    assert cli.main(["list"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    heading, *rows = captured.out.splitlines()
    default = {"owner", "name", "title", "language", "kind", "updated_at", "id"}
    assert heading.split() == [name for name in tenant.sources() if name in default]
    assert len(rows) == 5
    for row, title in zip(rows, tenant.sources()["title"], strict=True):
        assert title.strip() in row


def test_columns_are_those_that_were_asked_for(tenant: rnb.Client, capsys: Captured) -> None:
    assert cli.main(["list", "--columns", "title, name"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["title", "name"]
    assert rows[-1].split() == ["Post", "short"]
    # On a terminal, no column that was asked for is dropped.
    assert cli.main(["list", "--columns", "all"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == list(tenant.sources())
    for width in (40, 20):
        heading, *rows, _ = on_terminal(["list", "--columns", "name,title,id"], width)[
            1
        ].splitlines()
        assert len(heading.split()) == 3
        # Cells that cannot be read help nobody, so a very narrow terminal breaks the lines.
        assert max(map(cells, rows)) == (40 if width == 40 else 28)


def test_cells_are_words_for_people(configured: rnb.Client, capsys: Captured) -> None:
    configured.update_source(
        "claims/motor-inbox", should_translate=True, sensitive_properties=["a"]
    )
    options = ["--columns", "name,should_translate,sensitive_properties,bucket_id,created_at"]
    assert cli.main(["list", "--search", "claims/motor-inbox", *options]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    made = configured.source("claims/motor-inbox").created_at
    assert made is not None
    assert ["motor-inbox", "yes", '["a"]', f"{made:%Y-%m-%d}", f"{made:%H:%M}"] in [
        [cell for cell in row if cell != configured.source("claims/motor-inbox").bucket_id]
        for row in rows
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--columns", "nmae"], "Unknown column 'nmae'. Did you mean 'name'?"),
        (["--columns", "xyzzy"], "Choose from "),
        (["--columns", " ,"], "--columns names no column"),
        (["--sort", "updatedat"], "Did you mean updated_at?"),
        (["--sort", "name:down"], "no column 'name:down'"),
    ],
)
@pytest.mark.parametrize("output", [[], ["--json"], ["--csv", "new.csv"]])
@pytest.mark.usefixtures("tenant", "folder")
def test_an_unknown_column_gets_a_suggestion_and_nothing_is_written(
    arguments: list[str], said: str, output: list[str], capsys: Captured
) -> None:
    assert cli.main(["list", *arguments, *output]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert list(Path().iterdir()) == []


def test_order_and_search(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources()
    wanted = df[
        (df["name"] + " " + df["title"] + " " + df["owner"]).str.contains("motor", case=False)
    ]
    assert 0 < len(wanted) < len(df)
    for sort, ascending in (
        ("created_at", True),
        ("created_at:asc", True),
        ("created_at:desc", False),
    ):
        assert cli.main(["list", "--json", "--search", "MOTOR", "--sort", sort]) == 0
        rows = json.loads(capsys.readouterr().out)
        in_order = wanted.sort_values("created_at", ascending=ascending, kind="stable")
        assert [row["id"] for row in rows] == in_order["id"].tolist()
    out = on_terminal(["list", "--search", "motor"], 80)[1]
    assert out.splitlines()[-1] == f"{len(wanted)} of 130 sources"
    assert cli.main(["list", "--search", "no such text"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "No sources with 'no such text': none of 130 sources.\n",
    )


def test_files_have_the_chosen_columns_and_rows(
    configured: rnb.Client, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "part.csv"
    options = ["--search", "motor", "--sort", "title", "--columns", "id,title"]
    assert cli.main(["list", "--csv", str(file), *options]) == 0
    part = rnb.read_csv(file)
    assert list(part.columns) == ["id", "title"]
    assert 0 < len(part) < 130
    assert part["title"].str.lower().is_monotonic_increasing
    assert f"{len(part)} of 130 sources written to" in (err := capsys.readouterr().err)
    assert "--delete-missing" in err
    # A plan can use the file.
    assert not configured.plan(part.assign(title="x"), configured.sources()).problems.size
    assert cli.main(["list", "--csv", str(tmp_path / "names.csv"), "--columns", "name"]) == 0
    assert "A plan cannot use this file" in capsys.readouterr().err
    assert cli.main(["list", "--csv", str(tmp_path / "all.csv")]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    pd.testing.assert_frame_equal(rnb.read_csv(tmp_path / "all.csv"), configured.sources())


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["audit"],
        ["record", "audits/"],
        ["compare", "sources.csv"],
        ["plan", "sources.csv"],
        *(
            [*command, "--from", place]
            for command in (["audit"], ["record", "audits/"])
            for place in ("sources.csv", "history/")
        ),
        ["compare", "sources.csv", "history/"],
        ["plan", "history/"],
    ],
)
def test_a_misspelt_project_gets_a_suggestion(
    arguments: list[str],
    configured: rnb.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    rnb.to_csv(configured.sources(), "sources.csv")
    rnb.History("history/").record(configured.sources())
    assert cli.main([*arguments, "--project", "cliams"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search("Did you mean '?claims'?[?]", captured.err)
    assert cli.main([*arguments, "--project", "claims"]) in (0, 1)


@pytest.mark.parametrize("command", [["list"], ["audit"]])
@pytest.mark.usefixtures("configured")
def test_several_projects(command: list[str], capsys: Captured) -> None:
    several = ["--project", "claims", "--project", "people", "--project", "claims"]
    assert cli.main([*command, *several]) in (0, 1)
    out = capsys.readouterr().out
    assert "claims" in out
    assert "people" in out
    assert "broker-desk" not in out


def test_several_projects_of_a_file(
    configured: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    rnb.to_csv(configured.sources(), "sources.csv")
    several = ["--project", "claims", "--project", "people"]
    assert cli.main(["compare", "sources.csv", *several]) == 0
    count = len(configured.sources(["claims", "people"]))
    assert f"{count} rows before, {count} after" in capsys.readouterr().out
    for command in (["plan", "sources.csv"], ["record", "audits/", "--from", "sources.csv"]):
        assert cli.main([*command, *several]) == 2
        assert "project" in capsys.readouterr().err


def test_a_project_of_one_side_only_can_be_compared(
    configured: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    df = configured.sources()
    rnb.to_csv(df[df["owner"] != "people"].reset_index(drop=True), "before.csv")
    assert cli.main(["compare", "before.csv", "--project", "people"]) == 1
    assert " 0 rows before" in capsys.readouterr().out


def test_a_project_without_its_option_is_told_how(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["list", "claims"])
    assert ended.value.code == 2
    assert "unrecognized arguments: claims. A project is given as: --project claims\n" in (
        capsys.readouterr().err
    )
