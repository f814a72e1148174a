"""Reports are written as workbooks, with one worksheet for each kind of row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import FileProblem


def sheets(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of each worksheet, as openpyxl reads them."""
    book = openpyxl.load_workbook(path)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def test_an_audit_has_a_sheet_of_rules_and_one_per_severity(
    shared: rnb.Client, tmp_path: Path
) -> None:
    report = rnb.audit(shared.sources())
    tables = sheets(report.to_excel(tmp_path / "audit.xlsx"))
    assert list(tables) == ["rules", "projects", "error", "warning", "info"]
    headings, *rows = tables["rules"]
    assert headings == ("rule", "severity", "findings", "sources", "finds", "skipped")
    assert {str(row[0]) for row in rows} == {*report.rules, *report.skipped}
    counts = report.findings["rule"].value_counts()
    for rule, severity, findings, sources, finds, skipped in rows:
        if rule in report.rules:
            assert severity == report.rules[str(rule)].severity
            assert findings == counts.get(rule, 0)
            assert sources == report.findings.loc[report.findings["rule"] == rule, "id"].nunique()
            assert finds
            assert skipped is None
        else:
            assert findings is None
            assert report.skipped[str(rule)] in str(skipped)
    for severity in ("error", "warning", "info"):
        part = report.findings[report.findings["severity"] == severity]
        assert [row[5] for row in tables[severity][1:]] == part["message"].tolist()
    assert len(tables["projects"]) == len(report.summary) + 1


def test_an_audit_without_rules_or_findings_is_written(tmp_path: Path) -> None:
    report = rnb.audit(pd.DataFrame({"id": ["1" * 16]}), rules=["missing-title"])
    tables = sheets(report.to_excel(tmp_path / "audit.xlsx"))
    assert len(tables["rules"]) == 2
    assert len(tables["warning"]) == 1


def test_a_comparison_has_a_sheet_of_each_kind(shared: rnb.Client, tmp_path: Path) -> None:
    before = shared.sources()
    after = before.drop(index=[1, 2]).reset_index(drop=True)
    after.loc[0, "title"] = "=1+1"
    after.loc[0, "should_translate"] = not after.loc[0, "should_translate"]
    after.loc[5, "name"] = "another"
    comparison = rnb.compare(before, after)
    path = comparison.to_excel(tmp_path / "changes.xlsx")
    tables = sheets(path)
    assert list(tables) == ["summary", "added", "removed", "changed", "renamed"]
    place = tables["removed"][0].index("id")
    assert [row[place] for row in tables["removed"][1:]] == before["id"].iloc[[1, 2]].tolist()
    assert len(tables["added"]) == 1
    assert [row[-1] for row in tables["changed"][1:]] == [
        "=1+1",
        str(after.loc[0, "should_translate"]),
    ]
    assert tables["renamed"][1][-1] == "another"
    assert tables["summary"][0] == ("owner", "added", "removed", "changed", "renamed")
    removed = rnb.read_excel(path, "removed")
    pd.testing.assert_frame_equal(removed, comparison.removed)
    with pytest.raises(FileProblem, match="overwrite=True"):
        comparison.to_excel(path)
    comparison.to_excel(path, overwrite=True)


def test_listings_without_names_or_with_odd_dtypes_are_written(tmp_path: Path) -> None:
    before = pd.DataFrame({"key": [1, 2], "when": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    after = pd.DataFrame({"key": [2, 3], "when": pd.to_timedelta(["1s", "2s"]), "x": [1j, np.nan]})
    comparison = rnb.compare(before, after, on="key")
    tables = sheets(comparison.to_excel(tmp_path / "changes.xlsx"))
    assert tables["renamed"] == []
    assert tables["removed"][1] == (1, "2026-01-01 00:00:00")
    assert tables["added"][1][0] == 3
