"""`reinfer-nb audit`, `compare` and `record`, on a tenant and on files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_audit_says_what_is_wrong_with_the_tenant(configured: rnb.Client, capsys: Captured) -> None:
    assert cli.main(["audit"]) == 1
    out = capsys.readouterr().out
    report = rnb.audit(configured.sources())
    assert out.splitlines()[0] == f"Audit: {report.headline}"
    # All findings; a notebook shows ten for each rule.
    findings = [line for line in out.splitlines() if line.startswith("  ")]
    assert len(findings) == len(report.findings)


@pytest.mark.slow
@pytest.mark.usefixtures("configured")
def test_audit_of_a_project_and_of_some_rules(capsys: Captured) -> None:
    assert (
        cli.main(["audit", "--project", "people", "--rule", "missing-title", "--rule", "stale"])
        == 1
    )
    out = capsys.readouterr().out
    assert "people/" in out
    assert "claims/" not in out
    assert "no-bucket" not in out
    assert cli.main(["audit", "--project", "people", "--ignore", "stale", "--format", "json"]) == 1
    assert "stale" not in {row["rule"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("severity", "rule", "code"),
    [
        ("info", "missing-title", 1),
        ("warning", "missing-title", 1),
        ("error", "missing-title", 0),
        ("info", "stale", 1),
        ("warning", "stale", 0),
        ("never", "missing-title", 0),
    ],
)
def test_audit_fails_from_a_severity_on(
    configured: rnb.Client, severity: str, rule: str, code: int
) -> None:
    assert cli.main(["audit", "--rule", rule, "--fail-on", severity]) == code
    assert len(rnb.audit(configured.sources(), rules=[rule]).findings)


def test_audit_without_findings_succeeds(configured: rnb.Client, capsys: Captured) -> None:
    assert cli.main(["audit", "--rule", "impossible-times"]) == 0
    assert "0 findings in 0 of 130 sources" in capsys.readouterr().out
    assert len(configured.sources()) == 130


def test_options_and_the_moment_of_an_audit(configured: rnb.Client, capsys: Captured) -> None:
    arguments = ["audit", "--rule", "stale", "--format", "csv", "--now", "2026-11-01"]
    assert cli.main([*arguments, "--option", "days=3650"]) == 0
    assert cli.main([*arguments, "--option", "days=100"]) == 1
    table = rnb.audit(configured.sources(), ["stale"], "2026-11-01", days=100).findings
    content = capsys.readouterr().out.split("\ufeff")[-1]
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(content), dtype="str"), table)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "--option", "days"], "--option must be NAME=VALUE"),
        (["audit", "--option", "days=x"], "must be a number, not 'x'"),
        (["audit", "--option", "day=3"], "Did you mean 'days'?"),
        (["audit", "--rule", "stail"], "Did you mean 'stale'?"),
        (["audit", "--now", "soon"], "is not a date or time"),
        (["audit", "--overwrite"], "--overwrite needs --out FILE"),
        (["audit", "--from", "nowhere.csv"], "There is no file or folder 'nowhere.csv'"),
        (["audit", "--from", "listing.csv", "--comments"], "need a tenant, not a file"),
        (["compare", "nowhere.csv"], "There is no file or folder 'nowhere.csv'"),
        (["compare", "listing.csv", "--on", "idd"], "Did you mean 'id'?"),
        (["compare", "context:nobody"], "nobody"),
        (["record", "listing.csv"], "listing.csv"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_with_two(
    configured: rnb.Client, arguments: list[str], said: str, capsys: Captured
) -> None:
    rnb.to_csv(configured.sources(), "listing.csv")
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_the_comments_are_counted_when_asked(configured: rnb.Client, capsys: Captured) -> None:
    assert cli.main(["audit", "--project", "people", "--comments", "--rule", "empty"]) in (
        0,
        1,
    )
    assert configured.sandbox is not None
    asked = [asked for asked in configured.sandbox.requests if asked.path.endswith("/statistics")]
    assert len(asked) == len(configured.sources("people"))
    assert "did not run" not in capsys.readouterr().out


@pytest.mark.slow
def test_audit_as_a_page_that_shows_markup_as_text(
    configured: rnb.Client, capsys: Captured
) -> None:
    configured.update_source("claims/motor-inbox", title="<script>alert(1)</script> \u202e")
    configured.update_source("claims/glass-inbox", title="<script>alert(1)</script> \u202e")
    file = Path("audit.html")
    assert cli.main(["audit", "--format", "html", "--out", str(file)]) == 1
    page = file.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "\u202e" not in page
    assert "http://" not in page
    assert capsys.readouterr().out == ""
    assert cli.main(["audit", "--format", "html", "--out", str(file)]) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.main(["audit", "--format", "html", "--out", str(file), "--overwrite"]) == 1


def test_compare_a_file_with_the_tenant(configured: rnb.Client, capsys: Captured) -> None:
    rnb.to_csv(configured.sources(), "before.csv")
    assert cli.main(["compare", "before.csv"]) == 0
    assert "0 added, 0 removed, 0 changed, 0 renamed" in capsys.readouterr().out
    configured.update_source("claims/motor-inbox", title="\x1b[31mMotor")
    configured.create_source("claims/travel")
    configured.delete_source("claims/test")
    assert cli.main(["compare", "before.csv", "--ignore", "updated_at"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "+ claims/travel" in lines
    assert "- claims/test" in lines
    assert r"~ claims/motor-inbox title: Motor claims inbox -> \x1b[31mMotor" in lines
    assert not any("updated_at" in line for line in lines)
    assert cli.main(["compare", "before.csv", "--format", "json", "--project", "claims"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["what"] for row in rows} == {"added", "removed", "changed"}
    assert {row["owner"] for row in rows} == {"claims"}


def test_compare_two_files_by_name(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources()
    rnb.to_csv(df, "left.csv")
    rnb.to_csv(df.assign(id=df["id"].str[::-1]), "right.csv")
    assert cli.main(["compare", "left.csv", "right.csv"]) == 1
    capsys.readouterr()
    assert cli.main(["compare", "left.csv", "right.csv", "--on", "owner,name"]) == 0
    assert "matched by owner and name" in capsys.readouterr().out


@pytest.mark.slow
def test_record_and_compare_with_what_was(configured: rnb.Client, capsys: Captured) -> None:
    assert cli.main(["record", "audits"]) == 0
    assert "130 sources" in capsys.readouterr().out
    configured.update_source("claims/motor-inbox", title="Motor")
    assert cli.main(["compare", "audits"]) == 1
    assert "claims/motor-inbox title: Motor claims inbox -> Motor" in capsys.readouterr().out
    assert cli.main(["record", "audits"]) == 0
    assert cli.main(["compare", "audits/"]) == 0
    assert cli.main(["audit", "--from", "audits", "--rule", "missing-title"]) == 1
    assert cli.main(["compare", "audits@1999-01-01"]) == 2
    assert len(rnb.History("audits").snapshots()) == 2


def test_a_file_can_be_recorded(configured: rnb.Client, capsys: Captured) -> None:
    rnb.to_csv(configured.sources(), "old.csv")
    assert cli.main(["record", "audits", "--project", "claims", "--from", "old.csv"]) == 0
    assert set(rnb.History("audits").load()["owner"]) == {"claims"}
    assert "sources" in capsys.readouterr().out


@pytest.mark.slow
def test_exit_codes_reach_the_shell(configured: rnb.Client) -> None:
    run = [sys.executable, "-m", "reinfer_nb.cli", "audit", "--rule", "missing-title"]
    found = subprocess.run([*run, "--format", "csv"], capture_output=True, check=False)
    assert found.returncode == 1
    assert found.stdout.startswith(b'\xef\xbb\xbf"rule","severity","id","owner","name"')
    none = subprocess.run([*run, "--fail-on", "error"], capture_output=True, check=False)
    assert none.returncode == 0
    assert configured.sandbox is not None
    assert configured.sandbox.tokens["admin"].encode() not in found.stdout + none.stdout
