"""The commands about comments: `comments`, `activity`, `archive` and `upload`."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault, cli
from tests.api.test_contents import few, tenant_of
from tests.cli.terminals import on_terminal
from tests.cli.test_listings import cells
from tests.cli.test_plans import Terminal
from tests.comments.test_archives import lines
from tests.server.test_comments import new
from tests.waiting import AGES, until

__all__ = ["few"]
Captured = pytest.CaptureFixture[str]
MANY, SOME, SMALL = "claims/motor-inbox", "claims/motor-chat", "claims/theft-inbox"
# Sets a title, clears the screen, turns text around, rings, hides, ends a line.
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\r\u2028\x00red\u200b"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    # Input from a pipe is not a confirmation.
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nyes\n5\n"))


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that sets what is typed at the terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


@pytest.fixture
def hostile(configured: rnb.Client) -> str:
    """A source with texts of many scripts, and others that command a terminal."""
    name = configured.create_source("claims/hostile").full_name
    texts = [
        "\u65e5\u672c\u8a9e " * 300,
        f"{HOSTILE} Hello\n\n\tworld",
        "Gr\u00fc\u00dfe \U0001f4e8",
    ]
    tenant_of(configured).sync(
        *(
            {
                **new(f"c{number}{HOSTILE}", f"2026-03-0{number}T09:00:00Z"),
                "messages": [
                    {"body": {"text": text}, "subject": {"text": text}, "from": text, "to": [text]}
                ],
                "user_properties": {"string:Note": text},
            }
            for number, text in enumerate(texts, 1)
        ),
        name=name,
    )
    return name


def stored(client: rnb.Client, name: str, **bounds: str) -> list[dict[str, Any]]:
    """The comments of a source, read without the package."""
    return tenant_of(client).comments(name, limit=256, include_markup="true", **bounds)


def latest(client: rnb.Client, name: str, number: int) -> list[dict[str, Any]]:
    """The newest comments of a source, read without the package."""
    how = {"limit": number, "include_markup": "true", "direction": "descending"}
    comments: list[dict[str, Any]] = tenant_of(client).page(name, **how)["comments"]
    return comments


def asked(client: rnb.Client, part: str) -> int:
    """How many requests to the tenant had this part in their path."""
    assert client.sandbox is not None
    return sum(part in request.path for request in client.sandbox.requests)


def run(captured: Captured, *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and both outputs."""
    code = cli.main(arguments)
    out, err = captured.readouterr()
    return code, out, err


def raw(out: str) -> list[dict[str, Any]]:
    """The comments of JSON lines."""
    assert out.endswith("\n")
    contents = [json.loads(line) for line in out.split("\n")[:-1]]
    assert all(set(content) == {"comment"} for content in contents)
    return [content["comment"] for content in contents]


def commanding(out: str) -> list[str]:
    """The characters of an output that a terminal would not show."""
    return [
        character
        for character in out
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
    ]


# comments


@pytest.mark.parametrize("width", [40, 70, 80, 120, 200])
def test_a_terminal_gets_the_newest_with_the_beginning_of_their_text(
    configured: rnb.Client, width: int
) -> None:
    code, out = on_terminal(["comments", MANY], width)
    assert code == 0
    heading, *rows, count = out.splitlines()
    newest = latest(configured, MANY, 20)
    assert count == "20 comments, the newest first"
    assert [row[:16] for row in rows] == [
        comment["timestamp"][:16].replace("T", " ") for comment in newest
    ]
    assert max(map(len, [heading, *rows])) <= width
    columns = ["timestamp", "from", "subject", "text"]
    assert heading.split() == columns if width >= 70 else set(heading.split()) < set(columns)
    assert "Message 1 of" not in out
    if width == 200:
        for row, comment in zip(rows, newest, strict=True):
            first = comment["messages"][0]
            assert first["from"] in row
            assert first["subject"]["text"] in row
            assert " ".join(first["body"]["text"].split())[:60] in row


def test_a_pipe_gets_all_columns_in_full(configured: rnb.Client, capsys: Captured) -> None:
    code, out, err = run(capsys, "comments", MANY, "--limit", "3")
    assert (code, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading.split() == list(configured.sample(MANY, 3))
    for row, comment in zip(rows, latest(configured, MANY, 3), strict=True):
        assert row.startswith(f"{comment['id']}  ")
        assert row.endswith(comment["uid"])
        for message in comment["messages"]:
            assert message["body"]["text"].replace("\n", r"\n") in row


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], "c4 c3 c2 c1 c0"),
        (["--limit", "2"], "c4 c3"),
        (["--since", "2026-02"], "c1 c2 c3 c4"),
        (["--until", "2026-02"], "c0 c1 c2"),
        (["--since", "2026-02", "--until", "2026-02"], "c1 c2"),
        (["--since", "2026-02", "--limit", "3"], "c1 c2 c3"),
        (["--since", "2026-03-01T00:00:00.000001+00:00"], "c4"),
        (["--since", "2027"], ""),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.usefixtures("configured")
def test_a_range_is_exact_and_begins_with_the_oldest(
    few: str, capsys: Captured, options: list[str], ids: str, form: str
) -> None:
    how = {"table": [], "json": ["--json"], "csv": ["--csv", "new.csv"]}[form]
    code, out, err = run(capsys, "comments", few, *options, *how)
    assert code == 0
    if form == "json":
        found = [comment["id"] for comment in raw(out)] if ids else []
        assert (err, bool(out)) == ("", bool(ids))
    elif form == "csv":
        found = [] if not ids else rnb.read_csv("new.csv")["id"].tolist()
        assert f"{len(found)} comment{'' if len(found) == 1 else 's'} written to new.csv" in err
    else:
        found = [row.split()[0] for row in out.splitlines()[1:]]
        assert err == ("" if ids else "No comments.\n")
    assert found == ids.split()


def test_more_than_a_page_of_a_range_is_shown(configured: rnb.Client, capsys: Captured) -> None:
    code, out, _ = run(capsys, "comments", SMALL, "--since", "1900", "--json")
    assert code == 0
    assert raw(out) == stored(configured, SMALL)
    # The same bytes as an archive, which `read_archive` and `upload` take.
    configured.archive(SMALL, "theft.jsonl", progress=False)
    assert out.encode() == Path("theft.jsonl").read_bytes()


def test_json_holds_all_that_the_api_tells(
    configured: rnb.Client, hostile: str, capsys: Captured
) -> None:
    extra = {"surprise": {"a": [1, None, 2.5]}, "thread_id": "t"}
    tenant_of(configured).sync(new("more", "2026-04-01T09:00:00Z", **extra), name=hostile)
    code, out, err = run(capsys, "comments", hostile, "--json")
    assert (code, err) == (0, "")
    assert raw(out) == stored(configured, hostile)[::-1]
    assert "\u65e5\u672c\u8a9e" in out
    # With markup, which a table does not need.
    assert raw(run(capsys, "comments", MANY, "--limit", "3", "--json")[1]) == latest(
        configured, MANY, 3
    )


def test_a_page_is_read_when_it_is_needed(configured: rnb.Client) -> None:
    comments = configured.raw_comments(MANY, since="2020")
    assert asked(configured, "/comments?") == 0
    for _ in range(256):
        next(comments)
    assert asked(configured, "/comments?") == 1
    next(comments)
    assert asked(configured, "/comments?") == 2
    assert len(list(configured.raw_comments(MANY, newest=300))) == 300


def test_raw_comments_are_either_a_range_or_the_newest(client: rnb.Client) -> None:
    for options in ({"since": "2020"}, {"until": "2020"}, {"limit": 3}):
        with pytest.raises(rnb.InvalidInput, match="newest takes the place of"):
            client.raw_comments(MANY, newest=2, **options)
    for number in (0, True, "2"):
        with pytest.raises(rnb.InvalidInput, match="newest must be a whole number from 1 on"):
            client.raw_comments(MANY, newest=number)  # type: ignore[arg-type]
    with pytest.raises(rnb.InvalidInput, match="is after until"):
        client.raw_comments(MANY, since="2026", until="2025")
    assert asked(client, "/comments?") == 0


@pytest.mark.parametrize("options", [[], ["--since", "2026-03"]])
@pytest.mark.parametrize("width", [30, 80, 400])
def test_a_comment_cannot_command_the_terminal(
    hostile: str, options: list[str], width: int
) -> None:
    code, out = on_terminal(["comments", hostile, *options], width)
    assert code == 0
    assert commanding(out) == []
    rows = out.splitlines()
    assert len(rows) == 5
    assert max(map(cells, rows)) <= width
    assert (r"\x1b]0;owned\x07" in out) == (width > 30)
    if width == 400:
        assert "Gr\u00fc\u00dfe \U0001f4e8" in out
        assert r"red\u200b Hello world" in out


def test_json_on_a_terminal_is_visible_and_still_json(configured: rnb.Client, hostile: str) -> None:
    code, out = on_terminal(["comments", hostile, "--json"], 80)
    assert code == 0
    assert commanding(out) == []
    assert raw(out) == stored(configured, hostile)[::-1]


def test_a_table_in_a_pipe_has_a_line_a_comment(hostile: str, capsys: Captured) -> None:
    code, out, _ = run(capsys, "comments", hostile)
    assert (code, len(out.split("\n"))) == (0, 5)
    assert commanding(out) == []


def test_csv_holds_the_comments_and_never_replaces_a_file_unasked(
    configured: rnb.Client, hostile: str, capsys: Captured
) -> None:
    Path("mine.csv").write_text("mine")
    code, _, err = run(capsys, "comments", hostile, "--csv", "mine.csv")
    assert (code, "give --overwrite." in err, Path("mine.csv").read_text()) == (2, True, "mine")
    code, out, err = run(capsys, "comments", hostile, "--csv", "mine.csv", "--overwrite")
    assert (code, out) == (0, "")
    assert err == "3 comments written to mine.csv\n"
    df, wanted = rnb.read_csv("mine.csv"), configured.sample(hostile)
    assert df["to"].tolist() == [list(names) for names in wanted["to"]]
    pd.testing.assert_frame_equal(df.drop(columns="to"), wanted.drop(columns="to"))


# activity


def counts(client: rnb.Client, name: str, begins: list[str]) -> list[int]:
    """The comments of a source from each moment to the next, counted one by one."""
    times = [pd.Timestamp(comment["timestamp"]) for comment in stored(client, name)]
    edges = [pd.Timestamp(begin, tz="UTC") for begin in begins]
    return [sum(first <= moment < last for moment in times) for first, last in pairwise(edges)]


RANGE = ("--since", "2025-11", "--until", "2026-03")


def test_activity_has_a_column_a_period_where_it_fits(configured: rnb.Client) -> None:
    names = ["claims/motor-calls", SMALL]
    code, out = on_terminal(["activity", *names, *RANGE], 100)
    assert code == 0
    heading, *rows, count = out.splitlines()
    months = ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
    assert heading.split() == ["owner", "name", *months]
    assert count == "2 sources, 5 months"
    for row, name in zip(rows, names, strict=True):
        owner, source, *found = row.split()
        assert f"{owner}/{source}" == name
        numbers = [int(number.replace(",", "")) for number in found]
        assert numbers == counts(configured, name, [*months, "2026-04"])
        # A number ends where its heading ends.
        assert [match.end() for match in re.finditer(r"\S+", row)][2:] == [
            match.end() for match in re.finditer(r"\S+", heading)
        ][2:]
    assert "," in rows[0]


def test_activity_is_long_where_columns_do_not_fit(configured: rnb.Client) -> None:
    code, out = on_terminal(["activity", SMALL, *RANGE], 60)
    assert code == 0
    heading, *rows, count = out.splitlines()
    assert heading.split() == ["owner", "name", "period", "comments"]
    assert count == "1 source, 5 months"
    months = ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
    wanted = zip(months, counts(configured, SMALL, [*months, "2026-04"]), strict=True)
    assert [row.split() for row in rows] == [
        ["claims", "theft-inbox", month, str(number)] for month, number in wanted
    ]


@pytest.mark.parametrize(
    ("freq", "labels"),
    [
        ("year", ["2025", "2026"]),
        ("quarter", ["2025-Q4", "2026-Q1"]),
        ("week", ["2025-12-29", "2026-01-05"]),
        ("day", ["2026-01-04", "2026-01-05"]),
    ],
)
@pytest.mark.usefixtures("configured")
def test_periods_are_labelled_as_people_write_them(freq: str, labels: list[str]) -> None:
    since, until_when = {
        "year": ("2025", "2026"),
        "quarter": ("2025-10", "2026-03"),
        "week": ("2025-12-29", "2026-01-11"),
        "day": ("2026-01-04", "2026-01-05"),
    }[freq]
    options = ["--freq", freq, "--since", since, "--until", until_when]
    _, out = on_terminal(["activity", SMALL, *options], 100)
    assert out.splitlines()[0].split() == ["owner", "name", *labels]


def test_activity_for_programs(configured: rnb.Client, capsys: Captured) -> None:
    wanted = configured.activity(SMALL, since="2025-11", until="2026-03", progress=False)
    code, out, err = run(capsys, "activity", SMALL, *RANGE)
    assert (code, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading.split() == list(wanted)
    assert [int(row.split()[-1]) for row in rows] == wanted["num_comments"].tolist()
    code, out, err = run(capsys, "activity", SMALL, *RANGE, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [row["num_comments"] for row in found] == wanted["num_comments"].tolist()
    assert [row["period"] for row in found] == [m.isoformat() for m in wanted["period"]]
    assert {(row["owner"], row["name"]) for row in found} == {("claims", "theft-inbox")}
    code, out, err = run(capsys, "activity", SMALL, *RANGE, "--csv", "a.csv")
    assert (code, out, err) == (0, "", "5 rows written to a.csv\n")
    pd.testing.assert_frame_equal(rnb.read_csv("a.csv"), wanted)


def test_activity_of_nothing_in_particular_is_that_of_all_sources(
    configured: rnb.Client, capsys: Captured
) -> None:
    one_month = ("--since", "2026-11", "--until", "2026-11")
    code, out, _ = run(capsys, "activity", "--freq", "year", *one_month, "--json")
    assert code == 0
    assert [row["id"] for row in json.loads(out)] == configured.sources()["id"].tolist()
    code, out, _ = run(capsys, "activity", "people", SMALL, *one_month, "--json")
    rows = [f"{row['owner']}/{row['name']}" for row in json.loads(out)]
    people = configured.sources("people")["name"]
    assert rows == [*(f"people/{name}" for name in people), SMALL]


def test_activity_without_sources_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with rnb.sandbox(pd.DataFrame({"owner": ["acme"], "name": ["a"]})) as client:
        assert client.sandbox is not None
        monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
        monkeypatch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])
        client.delete_source("acme/a")
        assert run(capsys, "activity") == (0, "", "No sources.\n")


# archive


def test_archive_tells_what_it_holds_and_what_not(
    configured: rnb.Client, few: str, capsys: Captured
) -> None:
    code, out, err = run(capsys, "archive", few, "few.jsonl.gz", "--since", "2026-02")
    assert (code, err) == (0, "")
    facts = dict(line.split(":", 1) for line in out.splitlines())
    assert facts["archive"].strip() == "few.jsonl.gz"
    assert facts["source"].strip().startswith(f"{few} (")
    assert facts["comments"].strip() == "4"
    assert facts["since"].strip() == "2026-02-01 00:00:00+00:00"
    assert "attachments" in facts["not in it"]
    assert "annotations" in facts["not in it"]
    assert lines(Path("few.jsonl.gz")) == stored(configured, few)[1:]
    before = Path("few.jsonl.gz").read_bytes()
    code, _, err = run(capsys, "archive", few, "few.jsonl.gz")
    assert (code, "give --overwrite." in err) == (2, True)
    assert Path("few.jsonl.gz").read_bytes() == before
    assert run(capsys, "archive", few, "few.jsonl.gz", "--overwrite")[0] == 0
    assert lines(Path("few.jsonl.gz")) == stored(configured, few)


# upload


@pytest.fixture
def archive(configured: rnb.Client, few: str) -> str:
    """An archive of five comments, which its source has lost."""
    configured.archive(few, "few.jsonl.gz", progress=False)
    configured.delete_source(few)
    configured.create_source(few)
    return "few.jsonl.gz"


def test_nothing_is_uploaded_without_the_number(
    configured: rnb.Client, few: str, archive: str, capsys: Captured
) -> None:
    for confirm in ([], ["--confirm", "4"], ["--confirm", "6"], ["--confirm", "-5"]):
        code, out, err = run(capsys, "upload", few, archive, *confirm)
        assert (code, out) == (2, "")
        assert "costs up to 5 AI units" in err
        assert "To upload them, give --confirm 5." in err
    assert asked(configured, "/sync") == 1  # that of the fixture
    assert run(capsys, "upload", few, archive, "--confirm", "5") == (
        0,
        f"{few}: 5 new, 0 updated, 0 unchanged\n",
        "",
    )
    assert configured.count_comments(few) == 5


@pytest.mark.parametrize("answer", ["5\n", " 5 \n", "y\n", "yes\n", "4\n", "\n", ""])
def test_a_terminal_is_asked_for_the_number(
    configured: rnb.Client, few: str, archive: str, capsys: Captured, answer: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", Terminal(answer))
        code, out, err = run(capsys, "upload", few, archive)
    is_right = "5" in answer
    assert code == (0 if is_right else 1)
    assert "Uploading 5 comments to claims/few costs up to 5 AI units" in err
    assert "Type 5 to upload them: " in err
    assert ("5 new" in out) == is_right
    assert ("Nothing was sent." in err) != is_right
    assert configured.count_comments(few) == (5 if is_right else 0)


def test_a_wrong_archive_is_told_before_the_question(
    configured: rnb.Client, few: str, archive: str, typed: Callable[[str], None], capsys: Captured
) -> None:
    configured.create_source("claims/copy")
    typed("5\n5\n")
    code, _, err = run(capsys, "upload", "claims/copy", archive)
    assert (code, "Type" in err) == (2, False)
    assert "is of claims/few on" in err
    assert "give --another-source." in err
    code, out, _ = run(capsys, "upload", "claims/copy", archive, "--another-source")
    assert (code, out) == (0, "claims/copy: 5 new, 0 updated, 0 unchanged\n")
    assert configured.count_comments(few) == 0


def test_what_changes_while_the_question_waits_is_not_uploaded(
    configured: rnb.Client, few: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def written(number: int) -> None:
        rows = [json.dumps({"comment": new(f"n{n}")}) + "\n" for n in range(number)]
        Path("own.jsonl").write_text("".join(rows))

    def answer() -> str:
        written(900)
        return "3"

    written(3)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr("builtins.input", answer)
    code, _, err = run(capsys, "upload", few, "own.jsonl")
    assert (code, "costs up to 900 AI units" in err) == (2, True)
    assert configured.count_comments(few) == 5


def test_an_empty_archive_needs_no_answer(
    few: str, configured: rnb.Client, typed: Callable[[str], None], capsys: Captured
) -> None:
    assert configured.endpoint
    Path("empty.jsonl").touch()
    typed("")
    code, out, err = run(capsys, "upload", few, "empty.jsonl")
    assert (code, out, err) == (0, f"{few}: 0 new, 0 updated, 0 unchanged\n", "")


def test_refused_comments_are_listed(configured: rnb.Client, few: str, capsys: Captured) -> None:
    bad = {**new(f"bad{HOSTILE}"), "user_properties": {"colour": "red"}}
    rows = [new("good"), bad, new("better")]
    Path("own.jsonl").write_text("".join(json.dumps({"comment": row}) + "\n" for row in rows))
    code, out, err = run(capsys, "upload", few, "own.jsonl", "--confirm", "3")
    assert (code, err) == (1, "")
    first, second = out.splitlines()
    assert first == f"{few}: 2 new, 0 updated, 0 unchanged, 1 refused"
    assert second.startswith(r"! bad\x1b]0;owned")
    assert "must begin with string: or number:" in second
    assert commanding(out) == []
    assert configured.count_comments(few) == 7


@pytest.mark.usefixtures("configured")
def test_ctrl_c_at_the_question_sends_nothing(
    few: str, archive: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def press() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr("builtins.input", press)
    code, out, err = run(capsys, "upload", few, archive)
    assert (code, out) == (130, "")
    assert err.endswith("\nNothing was sent.\n")
    assert "Continue with" not in err


# Errors of all commands


@pytest.mark.parametrize(
    "command",
    [
        "comments claims/motor-inbx",
        "comments claims/motor-inbx --json",
        "comments clams/motor-inbox --since 2026",
        "comments clams/motor-inbox --since 2026 --json",
        "activity claims/motor-inbx",
        "archive claims/motor-inbx new.jsonl",
        "upload clams/motor-inbox own.jsonl --confirm 1",
    ],
)
@pytest.mark.usefixtures("configured")
def test_a_misspelt_source_gets_a_suggestion(command: str, capsys: Captured) -> None:
    Path("own.jsonl").write_text(json.dumps({"comment": new("a")}) + "\n")
    code, out, err = run(capsys, *command.split())
    assert (code, out) == (2, "")
    assert err.endswith("Did you mean claims/motor-inbox?\n")
    assert err.startswith("reinfer-nb: ")
    assert {path.name for path in Path().iterdir()} <= {"own.jsonl", "config", "state"}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("comments claims", "neither a full name nor an id"),
        ("comments claims/motor-inbox --since soon", "--since is 'soon'"),
        ("comments claims/motor-inbox --since 2026-13", "--since is '2026-13'"),
        ("comments claims/motor-inbox --until 0000 --json", "--until is '0000'"),
        ("comments claims/motor-inbox --since 2026-03 --until 2026-02", "Swap them."),
        ("comments claims/motor-inbox --overwrite", "--overwrite needs --csv FILE."),
        ("activity --overwrite", "--overwrite needs --csv FILE."),
        ("activity --since today --until yesterday", "Swap them."),
        ("activity --freq day --since 1970", "Choose a longer period, or a later --since."),
        ("archive claims/motor-inbox a.jsonl --since soon", "--since is 'soon'"),
        ("archive claims/motor-inbox a.csv", "must end in .jsonl or .jsonl.gz"),
        ("upload claims/motor-inbox no.jsonl", "There is no file no.jsonl"),
    ],
)
def test_bad_input_is_told_before_anything_is_read_or_written(
    configured: rnb.Client, command: str, message: str, capsys: Captured
) -> None:
    code, out, err = run(capsys, *command.split())
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert asked(configured, "/comments") == asked(configured, "/statistics") == 0
    assert {path.name for path in Path().iterdir()} <= {"config", "state"}


@pytest.mark.parametrize(
    "command",
    [
        f"comments {MANY} --limit 0",
        f"comments {MANY} --limit -1",
        f"comments {MANY} --limit \u0663",
        f"comments {MANY} --limit 1.5",
        f"comments {MANY} --json --csv a.csv",
        "comments",
        "activity --freq fortnight",
        f"archive {MANY}",
        f"archive {MANY} a.jsonl b.jsonl",
        f"upload {MANY} a.jsonl --confirm all",
        f"upload {MANY} a.jsonl --yes",
    ],
)
def test_a_wrong_command_line_is_refused(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(command.split())
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_without_permission(
    configured: rnb.Client, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert configured.sandbox is not None
    box = configured.sandbox
    Path("own.jsonl").write_text(json.dumps({"comment": new("a")}) + "\n")
    monkeypatch.setenv("REINFER_TOKEN", box.tokens["viewer"])
    before = configured.count_comments(MANY)
    code, out, err = run(capsys, "upload", MANY, "own.jsonl", "--confirm", "1")
    assert (code, out) == (2, "")
    assert "403" in err
    assert configured.count_comments(MANY) == before
    monkeypatch.setenv("REINFER_TOKEN", "wrong-token")
    for command in ("comments", "activity", "archive", "upload"):
        rest = {"archive": ["a.jsonl"], "upload": ["own.jsonl", "--confirm", "1"]}.get(command, [])
        code, out, err = run(capsys, command, MANY, *rest)
        assert (code, out, "401" in err) == (2, "", True), command
        assert "wrong-token" not in err
        # Nothing has begun, so that there is nothing to go on with.
        assert "Continue with" not in err
    assert not Path("a.jsonl").exists()


# Pipes, disks and Ctrl-C, in processes of their own

RUN = [sys.executable, "-m", "reinfer_nb.cli"]


def shell(command: str, forked: list[str]) -> tuple[int, bytes, str]:
    """Run a shell command with $RNB; return the first exit code of its pipeline, both outputs."""
    ended = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "RNB": shlex.join(forked)},
        capture_output=True,
        timeout=AGES,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr.decode()


@pytest.mark.slow
def test_reading_ends_when_the_reader_is_gone(configured: rnb.Client, forked: list[str]) -> None:
    command = f"$RNB comments {MANY} --since 2020 --json | head -1"
    code, out, err = shell(command, forked)
    assert (code, err) == (0, "")
    assert raw(out.decode()) == [stored(configured, MANY)[0]]
    # Of 77 pages; the pipe itself holds some.
    assert asked(configured, "/comments?") - 77 < 10


@pytest.mark.slow
@pytest.mark.parametrize("output", ["| head -1", "| exec 0<&-", ">&-"])
@pytest.mark.parametrize(
    "command", [f"comments {MANY} --limit 900", f"comments {MANY} --json", f"activity {MANY}"]
)
@pytest.mark.usefixtures("configured")
def test_a_closed_pipe_changes_no_exit_code(command: str, output: str, forked: list[str]) -> None:
    code, _, err = shell(f"$RNB {command} {output}", forked)
    assert (code, err) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        f"comments {MANY}",
        f"comments {MANY} --json",
        f"comments {MANY} --since 2026 --json",
        f"activity {MANY}",
        f"activity {MANY} --json",
        f"archive {SMALL} theft.jsonl",
    ],
)
@pytest.mark.usefixtures("configured")
def test_a_full_disk_is_a_message(command: str, forked: list[str]) -> None:
    assert shell(f"$RNB {command} > /dev/full", forked) == (
        2,
        b"",
        "reinfer-nb: the output could not be written: No space left on device\n",
    )


@pytest.mark.slow
def test_a_result_that_cannot_be_printed_is_told_on_stderr(
    configured: rnb.Client, few: str, archive: str, forked: list[str]
) -> None:
    code, _, err = shell(f"$RNB upload {few} {archive} --confirm 5 > /dev/full", forked)
    assert code == 0
    assert err == f"The result could not be printed.\n{few}: 5 new, 0 updated, 0 unchanged\n"
    assert configured.count_comments(few) == 5


@pytest.mark.slow
def test_a_question_that_cannot_be_seen_is_not_answered(
    configured: rnb.Client, few: str, archive: str, forked: list[str]
) -> None:
    script = f"script -qec '$RNB upload {few} {archive} 2>/dev/full' /dev/null <<< 5"
    assert shell(script, forked)[0] == 2
    assert configured.count_comments(few) == 0


@pytest.mark.slow
def test_bytes_are_utf_8_whatever_the_locale(
    configured: rnb.Client, hostile: str, forked: list[str]
) -> None:
    command = f"PYTHONIOENCODING=ascii LC_ALL=C {shlex.join(RUN)} comments {hostile} --json"
    code, out, err = shell(command, forked)
    assert (code, err) == (0, "")
    assert raw(out.decode()) == stored(configured, hostile)[::-1]


def interrupted(
    client: rnb.Client, arguments: list[str], fault: Fault, begun: Callable[[], object]
) -> tuple[int, str, str]:
    """Run a command, press Ctrl-C once it has begun, and return its exit code and outputs."""
    assert client.sandbox is not None
    with client.sandbox.faults.add(fault):
        process = subprocess.Popen(
            [*RUN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(begun)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=AGES)
        finally:
            process.kill()
    assert "Traceback" not in err
    assert client.sandbox.tokens["admin"] not in out + err
    return process.returncode, out, err


def continued(err: str) -> list[str]:
    """The arguments of the command that a message says to continue with."""
    found = re.search(r"Continue with: (reinfer-nb .*)\n", err)
    assert found is not None, err
    return shlex.split(found[1])[1:]


@pytest.mark.slow
def test_an_archive_goes_on_after_ctrl_c(configured: rnb.Client, capsys: Captured) -> None:
    name = "motor inbox.jsonl"
    wanted = [c for c in stored(configured, SOME) if c["timestamp"] >= "2021"]
    reading = asked(configured, "/comments?")
    configured.archive(SOME, "whole.jsonl", since="2021", progress=False)
    whole = asked(configured, "/comments?") - reading

    def is_begun() -> bool:
        sizes = [part.stat().st_size for part in Path(f"{name}.partial").glob("*.part")]
        return sum(map(bool, sizes)) > 3

    code, out, err = interrupted(
        configured,
        # Not the same range in the second call if it were taken as it is written.
        ["archive", SOME, name, "--since", "2021", "--until", "1 hour ago"],
        Fault.wait(0.2, on="list_comments"),
        is_begun,
    )
    assert (code, out) == (130, "")
    assert "What is written so far is kept." in err
    assert not Path(name).exists()
    before = asked(configured, "/comments?")
    code, out, _ = run(capsys, *continued(err))
    assert code == 0
    assert lines(Path(name)) == wanted
    assert not Path(f"{name}.partial").exists()
    assert asked(configured, "/comments?") - before < whole


@pytest.mark.slow
@pytest.mark.parametrize("journal", [[], ["--journal", "my journal.jsonl"]])
def test_an_upload_goes_on_after_ctrl_c(
    configured: rnb.Client, capsys: Captured, journal: list[str]
) -> None:
    whole = configured.archive("claims/motor-archive", "motor.jsonl", progress=False)
    number = whole.num_comments
    assert number == 2_249
    configured.create_source("claims/copy")
    arguments = ["upload", "claims/copy", "motor.jsonl", "--confirm", str(number)]
    arguments.append("--another-source")
    code, out, err = interrupted(
        configured,
        [*arguments, *journal],
        Fault.wait(0.3, on="sync_comments"),
        lambda: asked(configured, "claims/copy/sync") > 8,
    )
    assert (code, out) == (130, "")
    assert "What the tenant has taken is in the journal." in err
    before = configured.count_comments("claims/copy")
    assert 0 < before < number
    sent = asked(configured, "claims/copy/sync")
    again = continued(err)
    assert again == [*arguments, *journal]
    code, out, _ = run(capsys, *again)
    assert code == 0
    assert configured.count_comments("claims/copy") == number
    # Only the batches that were under way are sent twice.
    assert 8 < sent < asked(configured, "claims/copy/sync") <= -(-number // 128) + 4


@pytest.mark.slow
@pytest.mark.usefixtures("configured")
def test_a_progress_bar_is_for_terminals(forked: list[str]) -> None:
    for command in (f"archive {SMALL} a.jsonl", f"activity {SMALL}"):
        code, _, err = shell(f"$RNB {command}", forked)
        assert (code, err) == (0, "")
    script = f"script -qec 'stty rows 24 cols 80; $RNB archive {SMALL} b.jsonl' /dev/null"
    code, out, _ = shell(script, forked)
    assert (code, b"archive: 100%" in out) == (0, True)
