"""`python -O` and `python -OO`: no assertions, and no docstrings in memory."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb

PACKAGE = Path(rnb.__file__).parent

# Runs the public operations and prints their output for users.
SCRIPT = '''
import contextlib, io, json, sys, warnings

warnings.simplefilter("ignore")
import requests
import reinfer_nb as rnb
from reinfer_nb import cli

said = {}


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
    return [code, out.getvalue(), err.getvalue()]


with rnb.sandbox() as client:
    import os
    os.environ["REINFER_ENDPOINT"] = client.endpoint
    os.environ["REINFER_TOKEN"] = client.sandbox.tokens["admin"]
    df = client.sources()
    said["rules"] = rnb.audit_rules()[["rule", "severity", "why"]].to_dict("records")
    now = "2026-07-01"
    said["audit"] = rnb.audit(df, now=now).to_text(None)
    said["audit_html"] = "".join(str(rnb.audit(df, now=now).to_html(3)).split())[:2000]
    said["openapi"] = requests.get(client.endpoint + "/openapi.json").json()
    said["docs"] = len(requests.get(client.endpoint + "/docs").text)

    @rnb.audit_rule(severity="info", needs=["title"])
    def long_title(df, *, longest=60):
        """Long titles are cut in reports.

        They are hard to
        read.
        """
        return df["title"].str.len() > longest

    said["own"] = [long_title.why, rnb.audit(df, rules=[long_title], longest=30, now=now).to_text()]

    explorer = rnb.explore(client)
    explorer.source = client.source("claims/motor-inbox")
    explorer.tabs.selected_index = 1
    explorer.audit.refresh()
    said["findings"] = explorer.audit.report.summary.index.to_list()
    forms = [rnb.create_form(client), rnb.update_form(client, "claims/motor-inbox")]
    forms += [rnb.delete_form(client, "claims/motor-inbox"), rnb.login()]
    said["shown"] = [repr(type(widget)) for widget in [explorer, *forms]]
    axes = [rnb.charts.timeline(df), rnb.charts.freshness(df, now=now), rnb.charts.projects(df)]
    axes.append(rnb.charts.findings(rnb.audit(df, now=now)))
    said["charts"] = [chart.get_title() for chart in axes]

    said["list"] = command("list", "--project", "claims")
    said["csv"] = command("list", "--csv", "sources.csv")
    said["audit_command"] = command("audit", "--now", now, "--rule", "missing-title")
    said["compare"] = command("compare", "sources.csv")
    said["record"] = command("record", "history/")[0]
    said["help"] = [command(*words, "--help") for words in ([], ["audit"], ["plan"], ["apply"])]
    edited = rnb.read_csv("sources.csv").head(2).assign(title=lambda d: d["title"] + "!")
    rnb.to_csv(edited, "edited.csv")
    code, text, _ = command("plan", "edited.csv", "--base", "sources.csv", "--out", "plan.json")
    # The first line has the time of the plan.
    said["plan"] = [code, text.splitlines()[1:]]
    said["apply"] = command("apply", "plan.json", "--yes", "--journal", "j.jsonl")[0]
    said["undo"] = command("undo", "j.jsonl", "--yes", "--journal", "u.jsonl")[0]
    rnb.History("history/").load()
    made = client.create_source("claims/new", title="New")
    client.delete_source(made, restore_file="gone.json")
    said["restored"] = rnb.restore(client, "gone.json").title
    try:
        client.update_source("claims/motor-inbox", titel="x")
    except rnb.InvalidInput as error:
        said["error"] = str(error)
text = json.dumps(said).replace(client.endpoint, "ENDPOINT")
print(text)
'''


def _run(script: Path, folder: Path, *flags: str) -> dict[str, Any]:
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, *flags, str(script)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg"},
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


@pytest.mark.slow
def test_nothing_reads_differently_without_docstrings(tmp_path: Path) -> None:
    script = tmp_path / "operations.py"
    script.write_text(SCRIPT)
    usual = _run(script, tmp_path / "usual")
    dropped = _run(script, tmp_path / "dropped", "-OO")
    for name, result in usual.items():
        assert dropped[name] == result, name


# Run as text, so there is no source file with docstrings.
OWN_RULES = '''
import pandas as pd
import reinfer_nb as rnb

exec(compile("""
@rnb.audit_rule
def long_title(df):
    "Titles are long."
    return df["title"].str.len() > 1

@rnb.audit_rule(id="no-words-at-all")
def undocumented(df):
    return df["title"].str.len() > 1
""", "<nowhere>", "exec"))
rules = rnb.audit_rules().set_index("rule")["why"]
print(rules["long-title"], rules["no-words-at-all"])
df = pd.DataFrame({"id": ["1"], "owner": ["a"], "name": ["b"], "title": ["abc"]})
print(rnb.audit(df, rules=["no-words-at-all"]).findings["message"].to_list())
'''


@pytest.mark.slow
def test_an_own_rule_without_a_docstring_works_where_docstrings_are_dropped() -> None:
    command = [sys.executable, "-OO", "-c", OWN_RULES]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "Long title. No words at all.",
        "['No words at all']",
    ]


@pytest.mark.slow
def test_no_logic_is_in_assertions_and_docstrings_are_read_in_one_place() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path.name}:{getattr(node, 'lineno', 0)}"
            assert not isinstance(node, ast.Assert), place
            if path.name != "docstrings.py":
                name = getattr(node, "attr", getattr(node, "id", ""))
                assert name not in ("__doc__", "getdoc", "__debug__"), place


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_the_command_line_starts(flag: str) -> None:
    command = [sys.executable, flag, "-m", "reinfer_nb.cli", "audit", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
