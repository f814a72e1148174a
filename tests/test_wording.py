"""Messages name options on the command line, and arguments in Python."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from tests.waiting import AGES

Captured = pytest.CaptureFixture[str]
PACKAGE = Path(rnb.__file__).parent
# Words that only a caller in Python understands.
PYTHON = re.compile(
    r"\b(rnb|client|df|pd|dataclasses)\.\w"  # a module, or an object by its usual name
    r"|(?<![\w.&?])[a-z]+(_[a-z]+)*=(?![=\w]*:)(?!\d)"  # an argument
    r"|\b(?!reinfer_nb)[a-z]+(_[a-z]+)*\(\)"  # a call
    r"|\b(to_csv|read_csv|allow_mass_delete|delete_missing|another_tenant)\b"
    r"|\b(True|False|None)\b"
)
# Modules whose messages no command shows: of notebooks, of pages, of arguments that no command has.
ELSEWHERE = (
    *("widgets", "charts", "markup.py", "server/docs_page.py", "server/openapi.py"),
    *("auth/token_function.py", "audits/rule.py", "server/faults.py", "arguments.py"),
    *("api/source_calls.py", "api/recreation.py", "api/restore_files.py"),
    *("schema/records.py", "schema/validation.py", "comments/comment.py"),
)
# Beginnings of other messages that no command shows, or that name Python on purpose.
ONLY_IN_PYTHON = (
    "stop must be a threading.Event or None",
    "The first argument must be a client",
    " takes a listing: a DataFrame with the columns owner and name",
    " will not be verified, so anybody on the network path",
    "The tenant rejected the token that the function given as token= returned",
    "should_translate = False",
    "If all comments should be in one language: should_translate = True",
    "verify is True, False",
    "Use it\n  from Python:   rnb.connect()",
    "to_csv takes a DataFrame",
    "The frame's index would not be written.",
    'storage_options is a dict of fsspec options such as {"anon": True}',
    " already, and no later time is possible.",
    "What would be done to the sources of a tenant. rnb.load_plan(path) shows it",
    # `apply` and `undo` check before the plan does.
    " To limit a plan to one project, use project=.",
    " To delete them all, use allow_mass_delete=True.",
    " and has no client. Give the client: rnb.load_plan(path, client)",
    " is configured. Give the client of the plan's tenant",
    'delete_missing must be True, False or "tenant"',
    '. True deletes in the projects of the edited listing, "tenant" in all projects.',
    "True or False",
    ". Use force=true to delete all.",
    "The sandbox is not running.",
    '<r><t xml:space="preserve">',
)


def messages(tree: ast.AST, spelled: set[str]) -> Iterator[str]:
    """Yield the texts that are neither docstrings nor words of `spelled`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "spelled":
            continue
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in spelled:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        yield from messages(node, spelled)


def in_python(path: Path) -> list[str]:
    """The texts of a module that only a caller in Python understands."""
    tree = ast.parse(path.read_text())
    names = {
        argument.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "spelled"
        for argument in node.args
        if isinstance(argument, ast.Name)
    }
    return [t for t in messages(tree, names) if " " in t.strip() and PYTHON.search(t)]


def test_no_message_speaks_python_on_the_command_line() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    found = {
        (name, text)
        for name, path in modules.items()
        if not name.startswith(ELSEWHERE)
        for text in in_python(path)
    }
    assert {pair for pair in found if not pair[1].startswith(ONLY_IN_PYTHON)} == set()
    # Nothing is excused that is gone.
    for beginning in ONLY_IN_PYTHON:
        assert any(text.startswith(beginning) for _, text in found), beginning


WRONG = {
    "list --csv taken.csv": "taken.csv exists. Choose another name, or give --overwrite.",
    "audit --format csv --out taken.csv": "give --overwrite.",
    "list --csv new.xlsx": "but this command writes CSV",
    "list --csv new.parquet": "Use a .csv name",
    "plan sources.csv --out taken.csv": "give --overwrite.",
    "plan sources.csv --delete-missing --whole-tenant --project claims": (
        "--whole-tenant deletes in all projects, but --project 'claims' limits"
    ),
    "plan sources.csv --base other/": "--base is a listing of ",
    "compare sources.csv twice.csv": "by more columns with --on.",
    "compare sources.csv sources.csv --on ,": " --on must name at least one column.",
    "audit --now yesterday": "Give an ISO 8601 date or time such as",
    "audit --option days=x": "--option days",
    "record other/": "or give --another-tenant.",
    "comments claims/motor-inbox --csv taken.csv": "give --overwrite.",
    "comments claims/motor-inbox --since soon": "--since is 'soon', which is not a date",
    "comments claims/motor-inbox --until soon --json": "Give an ISO 8601 date or time such as",
    "comments claims/motor-inbox --since 2026 --until 2025": "--since (2026-01-01 00:00) is after",
    "activity --since 1900 --freq day": "or a later --since.",
    "archive claims/motor-inbox taken.csv": "must end in .jsonl or .jsonl.gz",
    "archive claims/motor-inbox taken.jsonl": "give --overwrite.",
    "upload claims/motor-inbox few.jsonl": "To upload them, give --confirm 1.",
    "upload claims/motor-inbox few.jsonl --confirm 2": "To upload them, give --confirm 1.",
    "upload claims/motor-inbox other.jsonl --confirm 0": "there, give --another-source.",
    "upload claims/motor-inbox sources.csv --confirm 1": "line 1 is not JSON",
    "sandbox --new-tokens": "--new-tokens needs --database",
}


@pytest.mark.parametrize("command", WRONG)
def test_errors_of_commands(
    command: str,
    configured: rnb.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    df = configured.sources()
    rnb.to_csv(df, "taken.csv")
    rnb.to_csv(df, "sources.csv")
    rnb.to_csv(pd.concat([df, df.head(1)], ignore_index=True), "twice.csv")
    Path("taken.jsonl").touch()
    comment = {"id": "a", "timestamp": "2026-03-01T09:00:00Z", "messages": []}
    Path("few.jsonl").write_text(json.dumps({"comment": comment}))
    configured.create_source("claims/other")
    configured.archive("claims/other", "other.jsonl", progress=False)
    df.attrs["endpoint"] = "https://cloud.uipath.com/acme/other/reinfer_"
    rnb.History("other/").record(df)
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert WRONG[command] in error
    assert not PYTHON.search(error)


def test_problems_and_notes_of_plans(
    configured: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    df = configured.sources("claims")
    df["should_translate"] = df["should_translate"].astype(object)
    df.loc[0, "id"] = "0123456789abcdef"
    df["updated_at"] = df["updated_at"].mask(df.index == 1, df["created_at"])
    df.loc[1, "title"] = "New"
    df.loc[2, "bucket_id"] = "0123456789abcdef"
    rnb.to_csv(df, "edited.csv")
    assert cli.main(["plan", "edited.csv", "--delete-missing"]) == 1
    out = capsys.readouterr().out
    assert "as --base, or edit a fresh listing" in out
    assert "not a bucket that this token may see. Write" in out
    assert not PYTHON.search(out)
    rnb.to_csv(configured.sources("claims").head(10), "few.csv")
    assert cli.main(["plan", "few.csv", "--delete-missing", "--out", "plan.json"]) == 0
    assert "This needs --allow-mass-delete." in (out := capsys.readouterr().out)
    assert "name it with --project, or plan for the whole tenant with --whole-tenant." in out
    assert not PYTHON.search(out)
    assert cli.main(["apply", "plan.json", "--yes", "--allow-mass-delete", "--journal", "j"]) == 0
    assert not PYTHON.search("".join(capsys.readouterr()))


def test_no_tenant(capsys: Captured) -> None:
    assert cli.main(["list"]) == 2
    error = capsys.readouterr().err
    assert "--context" in error
    assert not PYTHON.search(error)
    # The same message in Python.
    with pytest.raises(rnb.NotConfigured, match=r"rnb\.connect\(endpoint="):
        rnb.connect()


@pytest.mark.slow
def test_a_warning_is_a_line(configured: rnb.Client, tmp_path: Path) -> None:
    file = tmp_path / "cut.csv"
    configured.sources().to_csv(file, index=False, encoding="utf-8-sig")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(rnb.UnreadableWarning):
        cli.main(["compare", str(file)])
    command = [sys.executable, "-m", "reinfer_nb.cli", "compare", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=AGES, check=False)
    assert ended.stderr == (
        f"reinfer-nb: warning: The last line of {file} does not end in a line break. The file may "
        "be cut off: its last row may be incomplete, or more rows may be missing.\n"
    )
