"""The explorer's audit tab: findings open a source, and safe suggestions are applied by a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.widgets import Explorer, jobs
from reinfer_nb.widgets.table.row_list import RowList
from tests.widgets.explorer.test_bulk_edit_tab import is_shown
from tests.widgets.forms.test_forms import texts

AUDIT = 1
RULE = "missing-title"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)


@pytest.fixture
def ex(client: rnb.Client) -> Explorer:
    ex = rnb.explore(client)
    ex.tabs.selected_index = AUDIT
    return ex


def send(table: RowList, **message: object) -> None:
    table._handle_custom_msg(message, [])


def open_row(rows: RowList, text: str) -> None:
    (row,) = (number for number, cells in enumerate(rows._rows) if cells[0] == text)
    send(rows, kind="open", row=row)


def missing(client: rnb.Client) -> pd.DataFrame:
    df = client.sources(refresh=True)
    return df[df["title"].fillna("").str.strip() == ""]


def wait(ex: Explorer) -> None:
    ex.audit.jobs.wait()
    ex.jobs.wait()


def apply_suggestions(ex: Explorer) -> None:
    """Apply all suggestions of the rule."""
    open_row(ex.audit.rules, RULE)
    ex.audit.show_plan.click()
    wait(ex)
    ex.audit.apply.click()
    wait(ex)


@pytest.mark.slow
def test_a_rule_s_row_narrows_and_a_finding_s_row_opens_its_source(ex: Explorer) -> None:
    open_row(ex.audit.rules, RULE)
    assert ex.audit.rule.value == RULE
    assert set(ex.frame["id"]) == set(missing(ex.client)["id"])
    first = ex.audit.findings._rows[0][0]
    open_row(ex.audit.findings, first)
    assert ex.source is not None
    assert ex.source.full_name == first
    assert ex.tabs.selected_index == 0
    assert (ex.selected["owner"] + "/" + ex.selected["name"]).tolist() == [first]


@pytest.mark.slow
def test_the_suggestions_of_a_rule_are_planned_applied_and_put_back(ex: Explorer) -> None:
    client = ex.client
    before = missing(client)
    assert client.sandbox is not None
    open_row(ex.audit.rules, RULE)
    assert ex.audit.show_plan.description == f"Apply {len(before)} suggestions…"
    ex.audit.show_plan.click()
    wait(ex)
    assert len(missing(client)) == len(before)
    assert "Nothing is written before it is applied" in texts(ex.audit)
    assert ex.audit.apply.description == f"Apply to {len(before)} sources"
    ex.audit.apply.click()
    wait(ex)
    assert missing(client).empty
    now = client.sources(refresh=True).set_index("id").loc[before["id"]]
    # A title is made of the name.
    assert (now["title"].str.lower().str.replace(" ", "-") == now["name"].str.lower()).mean() > 0.8
    # The listing is audited anew, without the rule.
    assert RULE not in [row[0] for row in ex.audit.rules._rows]
    ex.audit.undo.click()
    wait(ex)
    ex.audit.apply.click()
    wait(ex)
    assert missing(client)["id"].tolist() == before["id"].tolist()


@pytest.mark.slow
def test_only_ticked_suggestions_are_applied(ex: Explorer) -> None:
    client = ex.client
    before = len(missing(client))
    open_row(ex.audit.rules, RULE)
    send(ex.audit.findings, kind="tick", rows=[0, 2, 99, "1"], ticked=True)
    assert ex.audit.show_plan.description == "Apply 2 suggestions…"
    ex.audit.show_plan.click()
    wait(ex)
    # Another choice takes the plan away.
    send(ex.audit.findings, kind="tick", rows=[2], ticked=False)
    assert ex.audit.apply.disabled
    assert "suggestions to apply have changed" in texts(ex.audit)
    ex.audit.show_plan.click()
    wait(ex)
    name = ex.audit.findings._rows[0][0]
    ex.audit.apply.click()
    wait(ex)
    assert len(missing(client)) == before - 1
    assert client.source(name).title


@pytest.mark.slow
def test_one_of_many_is_put_back_then_others_and_again(ex: Explorer) -> None:
    client, audit = ex.client, ex.audit
    before = missing(client)
    apply_suggestions(ex)
    assert not is_shown(audit.redo)
    audit.undo.click()
    wait(ex)
    rows = [row[0] for row in audit.steps._rows]
    assert rows == (before["owner"] + "/" + before["name"]).tolist()
    assert "title: " in audit.steps._rows[0][1]
    send(audit.steps, kind="tick", rows=[1], ticked=True)
    assert audit.apply.description == "Put back 1 source"
    audit.apply.click()
    wait(ex)
    assert missing(client)["id"].tolist() == before["id"].tolist()[1:2]
    # What is left can still be put back: what was put back is no step any more.
    audit.undo.click()
    wait(ex)
    assert audit.apply.description == f"Put back {len(before) - 1} sources"
    assert f"As before already: {rows[1]}." in texts(audit)
    audit.discard.click()
    assert audit.apply.disabled
    assert not is_shown(audit.discard)
    audit.redo.click()
    wait(ex)
    assert audit.apply.description == "Apply again to 1 source"
    audit.apply.click()
    wait(ex)
    assert missing(client).empty
    assert not is_shown(audit.redo)


@pytest.mark.slow
def test_a_plan_to_undo_stays_when_the_sources_are_listed_again(ex: Explorer) -> None:
    client, audit = ex.client, ex.audit
    before = missing(client)
    apply_suggestions(ex)
    audit.undo.click()
    wait(ex)
    # As the listing after a write may end after Undo was clicked.
    ex.reload.click()
    ex.jobs.wait()
    assert audit.apply.description == f"Put back {len(before)} sources"
    audit.apply.click()
    wait(ex)
    assert missing(client)["id"].tolist() == before["id"].tolist()


@pytest.mark.slow
def test_the_rules_are_of_what_the_table_shows(ex: Explorer) -> None:
    ex.tabs.selected_index = AUDIT
    total = sum(int(row[2]) for row in ex.audit.rules._rows)
    ex.search = "owner:people"
    people = rnb.audit(ex.client.sources()).findings.query("owner == 'people'")
    assert sum(int(row[2]) for row in ex.audit.rules._rows) == len(people) < total
    assert f"{len(people)} findings in " in texts(ex.audit)
    open_row(ex.audit.rules, people["rule"].iloc[-1])
    assert ex.audit.rule.value == people["rule"].iloc[-1]


@pytest.mark.slow
def test_suggestions_are_for_what_the_table_shows(ex: Explorer) -> None:
    open_row(ex.audit.rules, RULE)
    claims = missing(ex.client)
    count = int((claims["owner"] == "claims").sum())
    assert 0 < count < len(claims)
    ex.chosen = {"owner": "claims"}
    assert ex.audit.show_plan.description == f"Apply {count} suggestions…"
    assert len(ex.audit.findings._rows) == count


@pytest.mark.slow
def test_what_others_changed_since_the_audit_is_not_put_back(ex: Explorer) -> None:
    client = ex.client
    open_row(ex.audit.rules, RULE)
    first, second = (row[0] for row in ex.audit.findings._rows[:2])
    client.update_source(first, title="By somebody else")
    client.update_source(second, description="By somebody else")
    ex.audit.show_plan.click()
    wait(ex)
    assert "The plan cannot be applied" in texts(ex.audit)
    assert ex.audit.apply.disabled
    ex.reload.click()
    ex.jobs.wait()
    ex.audit.show_plan.click()
    wait(ex)
    ex.audit.apply.click()
    wait(ex)
    assert client.source(first).title == "By somebody else"
    assert client.source(second).description == "By somebody else"
    assert client.source(second).title


def test_malformed_messages_of_a_list_are_passed_over(ex: Explorer) -> None:
    messages: list[Any] = [None, [], {}, {"kind": "open"}, {"kind": "open", "row": 10**6}]
    for message in messages:
        ex.audit.rules._handle_custom_msg(message, [])
    for rows in (None, "12", [None], [-1], [True]):
        send(ex.audit.findings, kind="tick", rows=rows, ticked=True)
    assert ex.audit.rule.value == ""
    assert ex.audit.findings.ticked == set()


def test_the_state_of_a_list_holds_nothing_of_the_tenant(ex: Explorer) -> None:
    open_row(ex.audit.rules, RULE)
    assert ex.audit.findings._rows
    for rows in (ex.audit.rules, ex.audit.findings):
        state = {name for name in rows.get_state() if not name.startswith("_")}
        assert state <= {"layout", "tabbable", "tooltip"}
