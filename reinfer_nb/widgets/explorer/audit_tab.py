"""The audit tab: shows findings, and narrows the table to the sources with a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets as ui
import numpy as np
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.audits.report import AuditReport, audit
from reinfer_nb.audits.text_rules import source_labels
from reinfer_nb.errors import ReinferError
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.download_link import Saved, new_file
from reinfer_nb.widgets.explorer.row_filter import ALL, RestrictingChoice
from reinfer_nb.widgets.explorer.source_table import Finder
from reinfer_nb.widgets.forms.base_form import WRAP, words_of

_ANY = "*"
_MOST_FINDINGS = 50  # that are shown beneath the choice; the table shows all the sources


class AuditPane(ui.VBox):
    """The audit of a listing; its findings can narrow the table.

    Args:
        finder: The table.
        listing: Returns the listing that the table shows.

    Attributes:
        report: The last report; None before the first.
        rule: The choice; its value is "" for all sources, "*" for those with any finding, or the
            id of a rule.
    """

    def __init__(self, finder: Finder, listing: Callable[[], pd.DataFrame]) -> None:
        self._finder, self._listing = finder, listing
        self._audited: pd.DataFrame | None = None
        self.report: AuditReport | None = None
        self.rule = RestrictingChoice("Findings", finder, self._rows)
        self.rule.observe(lambda _: self.show(), "value")
        self.save = button_for("Export findings", self._on_save)
        self._said, self._table, self._files = ui.HTML(), ui.HTML(), ui.VBox()
        super().__init__(
            [ui.HBox([self.rule, self.save], layout=WRAP), self._files, self._said, self._table],
            layout=ui.Layout(min_width="0"),
        )

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
            self._said.value = markup.error(words_of(error))
        self._audited = listing
        self.rule.offer(_choices(self.report))

    def show(self) -> None:
        """Show the chosen findings of the sources that the table shows."""
        report = self.report
        if report is None:
            self._table.value = ""
            return
        part = _part(report, self.rule.value)
        shown = np.isin(part.positions, self._finder.positions)
        findings = part.findings[shown]
        self._said.value = markup.status(_heading(report, self.rule.value))
        rows = findings.head(_MOST_FINDINGS)
        columns = (rows[name].fillna("") for name in ("severity", "message", "suggestion"))
        cells = zip(source_labels(rows), *columns, strict=True)
        heads = ("Source", "Severity", "Finding", "Suggestion")
        more = (
            f"... and {len(findings) - _MOST_FINDINGS:,} more"
            if len(findings) > _MOST_FINDINGS
            else ""
        )
        self._table.value = markup.join(
            [markup.table(heads, cells) if len(findings) else "", markup.muted(more)]
        )

    def _rows(self, rule: str) -> tuple[Iterable[int], str]:
        if self.report is None:
            return (), ""
        description = "with any finding" if rule == _ANY else f"with {rule}"
        return _part(self.report, rule).positions.tolist(), description

    def _on_save(self) -> None:
        if self.report is None:
            return
        try:
            with dropping(self._files):
                self._files.children = [Saved(self.report.to_csv(new_file("findings")))]
        except ReinferError as error:
            self._said.value = markup.error(words_of(error))


def _part(report: AuditReport, rule: str) -> AuditReport:
    return report if rule in (ALL, _ANY) else report.only(rules=[rule])


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
