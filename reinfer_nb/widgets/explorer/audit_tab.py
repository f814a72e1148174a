"""The audit tab: rules and their findings, which open a source and narrow the table.

Suggestions that are safe can be applied by a plan; see `plan_pane`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ipywidgets as ui
import numpy as np
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.audits.report import AuditReport, audit
from reinfer_nb.audits.text_rules import source_labels
from reinfer_nb.errors import NotCarriedOut, ReinferError
from reinfer_nb.plans.plan import Plan
from reinfer_nb.text import counted
from reinfer_nb.widgets.explorer.export_bar import ReportExport
from reinfer_nb.widgets.explorer.plan_pane import PlanPane
from reinfer_nb.widgets.explorer.row_filter import ALL, RestrictingChoice
from reinfer_nb.widgets.explorer.surroundings import Surroundings
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import words_of
from reinfer_nb.widgets.table.row_list import RowList

_ANY = "*"
_MOST_FINDINGS = 200  # that are listed; the table shows all the sources


@dataclass(frozen=True)
class _Fixes:
    """The suggestions to apply: their rows in the findings, and the audit they are from."""

    audit: int
    rows: tuple[int, ...]


class AuditPane(PlanPane):
    """The audit of a listing; its findings can narrow the table and open a source.

    Args:
        around: What the explorer gives its tabs.

    Attributes:
        report: The last report; None before the first.
        rule: The choice; its value is "" for all sources, "*" for those with any finding, or the
            id of a rule.
        export: The buttons that write the findings to a file.
        rules: The list of the rules with findings.
        findings: The list of the findings of the chosen rule.
    """

    _no_changes = "No changes: the tenant has these values already."
    _outdated = "The suggestions to apply have changed. Ask for the plan again."

    def __init__(self, around: Surroundings) -> None:
        finder = around.finder
        self._finder, self._listing = finder, around.listing
        self._look, self._refusal = around.look, around.refusal
        self._audited: pd.DataFrame | None = None
        self._audits = 0
        self.report: AuditReport | None = None
        # The rows of the report's findings that the list shows.
        self._listed: list[int] = []
        self._listed_rules: list[str] = []
        self.rule = RestrictingChoice("Findings", finder, self._rows)
        self.export = ReportExport("findings", self._exported, self._run)
        self._heading, self._why = ui.HTML(), ui.HTML()
        self.rules = RowList(
            "Rules with findings",
            ("Rule", "Severity", "Findings", "Can be applied", "What it finds"),
            self._on_rule,
        )
        self.findings = RowList(
            "List of findings",
            ("Source", "Severity", "Finding", "Suggestion"),
            self._on_finding,
            self._follow_edit,
        )
        bar = ui.HBox([self.rule, self.export], layout=ui.Layout(**WRAP))
        heads = [bar, self._heading, self.rules, self.findings, self._why]
        super().__init__(around, heads)
        self.rule.observe(lambda _: self.show(), "value")
        self._refresh()

    def __repr__(self) -> str:
        return "Audit of the sources"

    def forget(self) -> None:
        """Release the listing and the report."""
        self.report = self._audited = None

    def refresh(self) -> None:
        """Audit the listing if it is a new one, and narrow the table as chosen."""
        listing = self._listing()
        if listing is self._audited:
            return
        try:
            self.report = audit(listing)
        except ReinferError as error:
            self.report = None
            self._heading.value = markup.error(words_of(error))
        self._audited = listing
        self._audits += 1
        self.export.forget()
        self.rule.offer(_choices(self.report))

    def show(self) -> None:
        """Show the rules, or the findings of the chosen one in sources that the table shows."""
        report, rule = self.report, self.rule.value
        self._listed, self._listed_rules = [], []
        if report is None:
            self.rules.show([])
            self.findings.show([])
            self._follow_edit()
            return
        # Of the sources that the table shows, as all that can be done here.
        shown = self._shown(report)
        part = report.some(shown)
        self._heading.value = markup.status(_heading(part, rule))
        self._listed_rules = list(dict.fromkeys(part.findings["rule"])) if rule == ALL else []
        self.rules.show(_rule_rows(part) if rule == ALL else [])
        if rule == ALL:
            self.findings.show([])
        else:
            self._listed = shown[:_MOST_FINDINGS].tolist()
            rows = report.findings.iloc[self._listed]
            cells = (rows[name].fillna("") for name in ("severity", "message", "suggestion"))
            more = len(shown) - len(self._listed)
            self.findings.show(
                list(zip(source_labels(rows), *cells, strict=True)),
                report.has_fix[self._listed].tolist(),
                f"{counted(more, 'finding')} more: narrow the table to see them." if more else "",
            )
        self._follow_edit()

    def _shown(self, report: AuditReport) -> Any:
        """Return the rows of the chosen rule's findings in sources that the table shows."""
        numbers = _numbers(report, self.rule.value)
        return numbers[np.isin(report.positions[numbers], self._finder.positions)]

    def _rows(self, rule: str) -> tuple[Iterable[int], str]:
        if self.report is None:
            return (), ""
        description = "with any finding" if rule == _ANY else f"with {rule}"
        return self.report.positions[_numbers(self.report, rule)].tolist(), description

    def _on_rule(self, row: int) -> None:
        if row < len(self._listed_rules):
            self.rule.value = self._listed_rules[row]

    def _on_finding(self, row: int) -> None:
        if self.report is not None and row < len(self._listed):
            self._look(int(self.report.positions[self._listed[row]]))

    def _exported(self) -> AuditReport | None:
        """Return the report with the findings of the chosen rule in sources that are shown."""
        return None if self.report is None else self.report.some(self._shown(self.report))

    # The suggestions

    def _edit(self) -> _Fixes:
        """Return the ticked suggestions, or else all safe ones of the rule in shown sources."""
        if self.report is None:
            return _Fixes(self._audits, ())
        ticked = [self._listed[row] for row in sorted(self.findings.ticked)]
        if not ticked:
            numbers = self._shown(self.report)
            ticked = numbers[self.report.has_fix[numbers]].tolist()
        return _Fixes(self._audits, tuple(ticked))

    def _is_complete(self, edit: _Fixes) -> bool:
        return self._client is not None and bool(edit.rows) and not self._reason(edit)

    def _reason(self, edit: _Fixes) -> str:
        """Return why the sources of some suggestions cannot be changed; "" if they can."""
        if self.report is None:
            return ""
        owners = self.report.findings["owner"].iloc[list(edit.rows)]
        return self._refusal(owners.dropna().unique().tolist())

    def _refresh_for(self, edit: _Fixes) -> None:
        self.export.refresh(enabled=self.report is not None and not self.jobs.running)
        self.show_plan.description = f"Apply {counted(len(edit.rows), 'suggestion')}…"
        reason = self._reason(edit) if edit.rows else ""
        self._why.value = markup.error(reason) if reason else ""
        any_fix = self._client is not None and (
            bool(edit.rows) or self._planned is not None or self.result is not None
        )
        self.show_plan.layout.display = None if any_fix else "none"
        self.apply.layout.display = None if any_fix else "none"

    def _planner(self, edit: _Fixes) -> Callable[[], Plan]:
        report, client = self.report, self._client
        if report is None or client is None:
            raise NotCarriedOut("There is no audit to take suggestions from.")
        part = report.some(edit.rows)
        fixed, base = part.fixes(), report.audited
        positions = np.unique(part.positions)
        fields = [
            name
            for name in fixed
            if not fixed[name].iloc[positions].equals(base[name].iloc[positions])
        ]
        columns = list(dict.fromkeys(["id", "owner", "name", *fields]))
        edited, was = fixed.iloc[positions][columns], base.iloc[positions][columns]
        edited.attrs = was.attrs = dict(base.attrs)
        # With the base, what others changed since the audit is not put back.
        return lambda: client.plan(edited, base=was)


def _numbers(report: AuditReport, rule: str) -> Any:
    """Return the rows of the findings of a rule, or of all rules."""
    if rule in (ALL, _ANY):
        return np.arange(len(report.findings))
    return np.flatnonzero(report.findings["rule"] == rule)


def _rule_rows(report: AuditReport) -> list[list[str]]:
    """Return a row for each rule with findings: how many, how many can be applied, and what."""
    table = report.findings[["rule"]].assign(fix=report.has_fix)
    rows = []
    for key, part in table.groupby("rule", sort=False):
        rule = report.rules[str(key)]
        fixes = int(part["fix"].sum())
        why = rule.why.split("\n\n")[0].replace("\n", " ")
        rows.append([rule.id, rule.severity, f"{len(part):,}", f"{fixes:,}" if fixes else "", why])
    return rows


def _choices(report: AuditReport | None) -> list[tuple[str, str]]:
    if report is None or report.ok:
        return []
    counts = report.findings["rule"].value_counts(sort=False)
    return [
        ("sources with any finding", _ANY),
        *(
            (f"{report.rules[str(key)].severity}: {key} ({count:,})", str(key))
            for key, count in counts.items()
        ),
    ]


def _heading(report: AuditReport, rule: str) -> str:
    if rule not in report.rules:
        return report.headline
    return report.rules[rule].why.replace("\n\n", "\n")
