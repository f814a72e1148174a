"""The explorer's tabs for audit, compare and charts, without a browser."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.widgets import Explorer, jobs
from reinfer_nb.widgets.explorer import chart_tab
from tests.test_markup import NASTY, Parsed
from tests.widgets.forms.test_forms import texts

SOURCE, AUDIT, COMPARE, CHARTS = range(4)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ex(client: rnb.Client) -> Explorer:
    return rnb.explore(client)


def values(ex: Explorer) -> list[str]:
    return [value for _, value in ex.audit.rule.options]


def reload(ex: Explorer) -> None:
    ex.reload.click()
    ex.jobs.wait()


def compare(ex: Explorer, place: object) -> str:
    ex.tabs.selected_index = COMPARE
    ex.compare.place.value = str(place)
    ex.compare.button.click()
    ex.compare.jobs.wait()
    return texts(ex.compare)


# Audit


@pytest.mark.slow
def test_the_audit_waits_until_it_is_looked_at(ex: Explorer) -> None:
    assert texts(ex.audit.rules) == ""
    ex.tabs.selected_index = AUDIT
    report = ex.audit.report
    assert report is not None
    # It opens with a row for each rule, and how many findings it has.
    counts = report.findings["rule"].value_counts(sort=False)
    assert [row[0] for row in ex.audit.rules._rows] == counts.index.tolist()
    assert [int(row[2]) for row in ex.audit.rules._rows] == counts.tolist()
    pd.testing.assert_frame_equal(report.findings, rnb.audit(ex.frame).findings)
    assert report.headline in texts(ex.audit)
    assert values(ex) == ["", "*", *report.findings["rule"].unique()]


@pytest.mark.slow
def test_a_rule_narrows_the_table_to_what_it_found(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    ex.audit.rule.value = "twin-titles"
    found = rnb.audit(ex.client.sources(), rules=["twin-titles"]).findings
    assert ex.frame["id"].tolist() == sorted(
        found["id"], key=ex.client.sources()["id"].tolist().index
    )
    assert f"{len(found)} of 130 sources, only those with twin-titles" in repr(ex.finder)
    text = texts(ex.audit)
    assert "Readers of lists and charts cannot tell them apart." in text
    assert all(message in text for message in found["message"])
    ex.search = "motor"
    assert set(ex.frame["name"]) == {"motor-inbox", "motor-inbox-2", "motor_inbox"}
    assert "customer-service" not in texts(ex.audit.findings)
    ex.search = ""
    ex.audit.rule.value = ""
    assert len(ex.frame) == 130
    assert ex.finder.only == ""


@pytest.mark.slow
def test_any_finding_is_a_choice_too(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    ex.audit.rule.value = "*"
    assert set(ex.frame["id"]) == set(rnb.audit(ex.client.sources()).findings["id"])


@pytest.mark.slow
def test_clearing_the_table_clears_the_choice(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    ex.audit.rule.value = "missing-title"
    ex.finder._handle_custom_msg({"kind": "clear"}, [])
    assert len(ex.frame) == 130
    assert ex.audit.rule.value == ""


@pytest.mark.slow
def test_another_listing_is_audited_and_narrowed_anew(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    ex.audit.rule.value = "missing-title"
    before = len(ex.frame)
    ex.tabs.selected_index = SOURCE
    ex.client.update_source("claims/theft-chat", title="Theft chat")
    reload(ex)
    assert len(ex.frame) == before - 1
    assert ex.audit.rule.value == "missing-title"
    for name in ex.frame["name"] + ":" + ex.frame["owner"]:
        short, _, owner = name.partition(":")
        ex.client.update_source(f"{owner}/{short}", title=f"{owner} {short}")
    reload(ex)
    assert ex.audit.rule.value == ""
    assert len(ex.frame) == 130


@pytest.mark.slow
def test_counted_comments_are_audited(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    assert "empty" not in values(ex)
    ex.statistics.click()
    ex.jobs.wait()
    assert "empty" in values(ex)
    ex.audit.rule.value = "empty"
    assert ex.frame["num_comments"].eq(0).all()


@pytest.mark.slow
def test_the_findings_that_are_listed_are_written_to_a_file(ex: Explorer, tmp_path: Path) -> None:
    ex.tabs.selected_index = AUDIT
    ex.audit.export.csv.click()
    ex.audit.jobs.wait()
    (file,) = tmp_path.glob("findings-*.csv")
    assert ex.audit.report is not None
    assert len(rnb.read_csv(file)) == len(ex.audit.report.findings)
    message, saved = ex.audit.export._files.children
    assert saved.name == file.name
    assert str(file) in message.value
    # Of one rule and one project, as a workbook.
    ex.audit.rule.value = "missing-title"
    owner = ex.audit.report.findings.query("rule == 'missing-title'")["owner"].iloc[0]
    ex.chosen = {"owner": owner}
    ex.audit.export.excel.click()
    ex.audit.jobs.wait()
    (book,) = tmp_path.glob("findings-*.xlsx")
    sheets = pd.read_excel(book, sheet_name=None)
    findings = pd.concat([sheets[name] for name in ("error", "warning", "info")])
    assert findings["name"].tolist() == ex.frame["name"].tolist() != []
    assert set(findings["rule"]) == {"missing-title"}
    assert set(findings["owner"]) == {owner}
    # Narrowing the table leaves the link; a new listing removes it.
    assert ex.audit.export._files.children[1].name == book.name
    ex.reload.click()
    ex.jobs.wait()
    assert ex.audit.export._files.children == ()


@pytest.mark.slow
def test_differences_are_written_to_a_file(ex: Explorer, tmp_path: Path) -> None:
    df = ex.client.sources()
    file = rnb.to_csv(df.iloc[2:].assign(title="Before"), tmp_path / "before.csv")
    compare(ex, file)
    assert not ex.compare.export.excel.disabled
    # The newest files are offered.
    assert ex.compare.place.options == ("before.csv",)
    ex.compare.export.excel.click()
    ex.compare.jobs.wait()
    (book,) = tmp_path.glob("differences-*.xlsx")
    added = pd.read_excel(book, sheet_name="added")
    assert added["name"].tolist() == df["name"].iloc[:2].tolist()
    assert "Compared with" in texts(ex.compare)
    ex.compare.export.csv.click()
    ex.compare.jobs.wait()
    (written,) = tmp_path.glob("differences-*.csv")
    assert ex.compare.comparison is not None
    assert len(rnb.read_csv(written)) == len(ex.compare.comparison.frame)
    # A folder that is gone loses neither the comparison nor the explorer.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "cwd", Path(tmp_path / "nowhere").stat)
        ex.compare.export.csv.click()
        ex.compare.jobs.wait()
    assert "cannot be found" in texts(ex.compare)
    assert ex.compare.comparison is not None


@pytest.mark.slow
def test_what_is_found_shows_as_text() -> None:
    rows = [{"owner": "acme", "name": f"twin-{n}", "title": " ".join(NASTY)} for n in range(2)]
    with rnb.sandbox(pd.DataFrame(rows)) as client:
        ex = rnb.explore(client)
        ex.tabs.selected_index = AUDIT
        ex.audit.rule.value = "twin-titles"
        # The browser inserts the rows as text.
        parsed = Parsed(ex.audit._heading.value)
        assert not {"script", "img", "b"} & {tag for tag, _ in parsed.elements}
        assert "script" in texts(ex.audit)


# Compare


@pytest.mark.slow
def test_what_is_listed_is_compared_with_a_file(ex: Explorer, tmp_path: Path) -> None:
    rnb.to_csv(ex.client.sources(), tmp_path / "before.csv")
    ex.client.update_source("claims/motor-inbox", title="Motor")
    ex.client.create_source("claims/travel")
    ex.client.delete_source("claims/test")
    reload(ex)
    text = compare(ex, "before.csv")
    assert "1 added, 1 removed, 1 changed, 0 renamed" in text
    assert "Motor claims inbox" in text
    assert [value for _, value in ex.compare.kind.options] == ["", "added", "changed"]
    ex.compare.kind.value = "added"
    assert ex.frame["name"].tolist() == ["travel"]
    assert "only those that were added" in repr(ex.finder)
    ex.compare.kind.value = "changed"
    assert ex.frame["name"].tolist() == ["motor-inbox"]


@pytest.mark.slow
def test_what_is_listed_is_compared_with_a_snapshot(ex: Explorer, tmp_path: Path) -> None:
    history = rnb.History(tmp_path / "audits")
    history.record(ex.client.sources(), when="2026-03-01T09:00")
    ex.client.update_source("claims/motor-inbox", title="Motor")
    reload(ex)
    history.record(ex.client.sources(), when="2026-04-01T09:00")
    assert "0 changed" in compare(ex, "audits")
    assert "1 changed" in compare(ex, "audits/@2026-03-15")
    assert "no file or folder" in compare(ex, "elsewhere/")
    # The comparison before was with another listing.
    assert ex.compare.comparison is None
    assert "1 changed" not in texts(ex.compare)


@pytest.mark.slow
def test_one_choice_lets_go_of_the_table_when_another_takes_it(
    ex: Explorer, tmp_path: Path
) -> None:
    rnb.to_csv(ex.client.sources(), tmp_path / "before.csv")
    ex.client.update_source("claims/motor-inbox", title="Motor")
    reload(ex)
    ex.tabs.selected_index = AUDIT
    ex.audit.rule.value = "missing-title"
    compare(ex, "before.csv")
    ex.compare.kind.value = "changed"
    assert ex.audit.rule.value == ""
    assert ex.frame["name"].tolist() == ["motor-inbox"]
    ex.audit.rule.value = "missing-title"
    assert ex.compare.kind.value == ""
    assert len(ex.frame) == len(rnb.audit(ex.client.sources(), ["missing-title"]).findings)


@pytest.mark.slow
def test_a_comparison_of_an_older_listing_says_so(ex: Explorer, tmp_path: Path) -> None:
    rnb.to_csv(ex.client.sources(), tmp_path / "before.csv")
    assert "0 changed" in compare(ex, "before.csv")
    reload(ex)
    assert "Compare again" in texts(ex.compare)


def test_nothing_typed_is_nothing_compared(ex: Explorer) -> None:
    assert "Type where the other listing is." in compare(ex, " ")


def test_a_file_that_is_none_is_said(ex: Explorer, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("<html>")
    assert "not CSV" in compare(ex, "notes.csv")


# Charts


def svg(ex: Explorer) -> ET.Element:
    """Return the chart, parsed as XML."""
    found = re.search(r"<svg.*</svg>", ex.charts.chart.value, re.DOTALL)
    assert found is not None
    return ET.fromstring(found[0])  # noqa: S314 - made by matplotlib


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(chart_tab._KINDS))
def test_each_chart_is_drawn_in_the_page_s_own_colours(ex: Explorer, kind: str) -> None:
    ex.tabs.selected_index = CHARTS
    ex.charts.kind.value = kind
    drawn = svg(ex)
    assert drawn.tag.endswith("svg")
    assert "currentColor" in ex.charts.chart.value
    assert chart_tab._INK not in ex.charts.chart.value
    assert f'aria-label="{kind}: chart of 130 sources"' in ex.charts.chart.value


@pytest.mark.slow
def test_a_chart_is_of_what_is_filtered(ex: Explorer) -> None:
    ex.tabs.selected_index = CHARTS
    whole = ex.charts.chart.value
    ex.search = "motor"
    assert ex.charts.chart.value != whole
    assert "chart of 7 sources" in ex.charts.chart.value
    ex.search = "no such source"
    assert "chart of 0 sources" in ex.charts.chart.value


def test_a_chart_that_is_not_looked_at_is_not_drawn(ex: Explorer) -> None:
    ex.search = "motor"
    assert ex.charts.chart.value == ""


@pytest.mark.slow
def test_no_text_of_the_tenant_is_in_the_drawing() -> None:
    rows = [{"owner": "acme", "name": f"twin-{n}", "title": " ".join(NASTY)} for n in range(2)]
    with rnb.sandbox(pd.DataFrame(rows)) as client:
        ex = rnb.explore(client)
        ex.tabs.selected_index = CHARTS
        for kind in chart_tab._KINDS:
            ex.charts.kind.value = kind
            assert "<!--" not in ex.charts.chart.value
            tags = {tag for tag, _ in Parsed(ex.charts.chart.value).elements}
            assert not {"script", "img", "b", "a"} & tags


def test_without_matplotlib_it_says_what_to_install(
    ex: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    ex.tabs.selected_index = CHARTS
    assert "pip install 'reinfer_nb[lab]'" in texts(ex.charts)
