"""Undo and explorer: others work in the tenant meanwhile, and people are quick."""

from __future__ import annotations

from typing import Any

import pytest

import reinfer_nb as rnb
from tests.plans.test_undo import B, C, D, result
from tests.widgets.explorer.test_audit_tab import AUDIT

__all__ = ["result"]


def test_case_80_what_is_as_before_is_no_step(client: rnb.Client, result: rnb.ApplyResult) -> None:
    """What is as before already is no step."""
    before = result.plan.steps[1].base
    assert before is not None
    assert before.title is not None
    assert before.description is not None
    client.update_source(B, title=before.title, description=before.description)
    plan = result.undo()
    assert len(plan.steps) == 3
    assert plan.notes == (f"As before already: {B}.",)
    assert B not in plan.to_html().replace(plan.notes[0], "")


def test_case_80_undo_looks_at_the_tenant_again(
    client: rnb.Client, result: rnb.ApplyResult
) -> None:
    """S a plan to undo looks at the tenant again: what is as before is no step, what others have
    changed is told and left alone.
    """
    client.update_source(C, title="Theirs")
    client.delete_source(D)
    plan = result.undo()
    remarks = {step.full_name: step.remark for step in plan.steps if step.remark}
    assert remarks == {
        C: "changed since: it will be left alone",
        D: "it was deleted, or is hidden from the token",
    }
    for remark in remarks.values():
        assert remark in plan.to_html()
        assert remark in plan.to_text()
    undone = plan.apply(progress=False)
    assert undone.counts == {"done": 2, "moved": 2}
    assert client.source(C).title == "Theirs"


def test_case_81_choices_and_the_chosen_one(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M new choices of a drop-down and the chosen one reach the browser in one message, so that no
    key in between is undone.
    """
    ex = rnb.explore(client)
    ex.views.name.value = "mine"
    sent: list[set[str]] = []

    def send(message: dict[str, Any], **_: object) -> None:
        sent.append(set(message["state"]))

    for choice, change in (
        (ex.audit.rule, lambda: setattr(ex.tabs, "selected_index", AUDIT)),
        (ex.views.choice, ex.views.keep.click),
    ):
        monkeypatch.setattr(choice, "_send", send)
        change()
        # A second message with the choice would undo a key that was pressed in between.
        assert [names for names in sent if "index" in names] == [{"index", "_options_labels"}], sent
        sent.clear()
