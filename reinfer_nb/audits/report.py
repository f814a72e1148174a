"""Run audit rules over a listing and report their findings.

The listing may come from a tenant, a file or a snapshot, and may be a part of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb import arguments, dates, markup
from reinfer_nb.audits.fixing import replaced
from reinfer_nb.audits.rule import Rule, Severity, chosen, findings_of
from reinfer_nb.audits.rule_counts import rule_counts
from reinfer_nb.audits.text_rules import source_labels
from reinfer_nb.constants import SEVERITIES
from reinfer_nb.copies import unshared
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.dates import When
from reinfer_nb.errors import InvalidInput
from reinfer_nb.excelfile.io import write_sheets
from reinfer_nb.frames import dtypes
from reinfer_nb.pickling import Portable
from reinfer_nb.schema import provenance
from reinfer_nb.schema.value_types import plain
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.text import counted, hint, listed, shown, visible
from reinfer_nb.wording import spelled

_IDENTITY = ("id", "owner", "name")
_COLUMNS = ("rule", "severity", *_IDENTITY, "message", "suggestion")
# How many findings of each rule are shown; `AuditReport.findings` has all of them.
_SHOWN = 10


def audit(
    df: pd.DataFrame | str | os.PathLike[str],
    rules: Iterable[str | Rule] | None = None,
    now: When | None = None,
    *,
    ignore: Iterable[str | Rule] = (),
    **options: Any,
) -> AuditReport:
    """Run audit rules over a listing and return their findings as a report.

    >>> report = audit(client.sources(), rules=["twin-titles", "look-alike-names"])
    >>> report.findings[["rule", "owner", "name"]].head(2)
              rule   owner           name
    0  twin-titles  claims     motor-inbox
    1  twin-titles  claims  property-inbox

    Args:
        df: A listing from `Client.sources`, `read_csv` or `History.load`, or a part of one; or the
            path of a CSV or Excel file ("sources.csv"), or of a history, optionally at a past time
            ("audits/", "audits/@2026-03-01"). A rule is skipped if the listing lacks a column that
            it needs; `skipped` gives the reason.
        rules: Rules or their ids; by default all that `audit_rules` lists.
        now: The time that ages are counted to. By default the time at which the listing was
            fetched or, if that is not recorded, the time of the call. Without a time zone: UTC.
        ignore: Rules, or their ids, to leave out.
        **options: Options of the rules, such as `days=180`; `audit_rules` lists them.

    Raises:
        InvalidInput: A rule or option is unknown, a column of the listing cannot be converted to
            its dtype, or the history has no snapshot that old.
        FileProblem: The file could not be read or is of another type.
    """
    df = listing_of(df, "audit takes")
    selected = chosen(rules, ignore)
    _check_options(selected, options)
    prepared = dtypes.typed(df)
    until = _default_now(df) if now is None else pd.Timestamp(dates.moment(now, name="now"))
    until = until.as_unit("us")
    tables = []
    skipped = {}
    # The most severe rules first, otherwise in the order of `audit_rules`.
    for rule in sorted(selected, key=lambda rule: SEVERITIES.index(rule.severity)):
        missing = [name for name in rule.needs if name not in prepared]
        if missing:
            columns = "column" if len(missing) == 1 else "columns"
            skipped[rule.id] = f"needs the {columns} {listed(missing)}"
            continue
        table = findings_of(rule, prepared, until, options)
        tables.append(table.assign(rule=rule.id, severity=rule.severity))
    return AuditReport(
        *_findings(prepared, tables),
        rules={rule.id: rule for rule in selected if rule.id not in skipped},
        skipped=skipped,
        now=until,
        # The caller may change the original later.
        audited=df.copy(),
    )


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class AuditReport(Portable):
    """The findings of `audit`, displayed as tables in notebooks and as text elsewhere.

    >>> report = audit(client.sources(), rules=["missing-title"])
    >>> report.ok, report.only(severity="error").ok
    (False, True)
    >>> report.summary.head(2)
             owner  missing-title
    0  broker-desk              6
    1       claims              4
    >>> print(report.to_text(limit=1))
    Audit: 15 findings in 15 of 130 sources, as of ...: 15 warnings.
    warning: missing-title (15)
      claims/theft-chat: It has no title.
      ... and 14 more

    Attributes:
        findings: One row per finding, the most severe first: `rule`, `severity`, `id`, `owner`,
            `name`, `message`, `suggestion`; all `str`, missing where there is no value.
        positions: For each finding, the position of its row in the listing (`int64`).
        rules: The rules that ran, by id.
        skipped: The reason for each rule that did not run, by id.
        now: The time that ages were counted to.
        audited: The listing.
    """

    findings: pd.DataFrame
    positions: npt.NDArray[np.int64]
    _safe: pd.DataFrame
    rules: Mapping[str, Rule] = field(kw_only=True)
    skipped: Mapping[str, str] = field(kw_only=True)
    now: pd.Timestamp = field(kw_only=True)
    audited: pd.DataFrame = field(kw_only=True)

    @property
    def ok(self) -> bool:
        """True if there are no findings."""
        return self.findings.empty

    @property
    def summary(self) -> pd.DataFrame:
        """Count of findings by project: `owner` (`str`), one column per rule with any (`int64`).

        The most severe rules come first. The last row counts sources without a project; its owner
        is missing.
        """
        ids = list(dict.fromkeys(self.findings["rule"]))
        table = pd.crosstab(self.findings["owner"].fillna(""), self.findings["rule"])
        table = table.reindex(columns=ids).astype("int64")
        table = table.sort_index(key=lambda owners: owners == "", kind="stable")
        table = table.rename_axis(index="owner", columns=None).reset_index()
        owners = table["owner"].astype("str")
        return table.assign(owner=owners.mask(owners == ""))

    def only(
        self, rules: Iterable[str | Rule] | None = None, severity: Severity = "info"
    ) -> AuditReport:
        """Return a report with the findings of some rules only.

        Args:
            rules: Rules or their ids; None for all.
            severity: The lowest severity to include: "error", "warning", or "info" for all.

        Raises:
            InvalidInput: A rule or the severity is unknown.
        """
        arguments.choice(severity, "severity", SEVERITIES)
        wanted = set(self.rules) if rules is None else {rule.id for rule in chosen(rules)}
        severities = SEVERITIES[: SEVERITIES.index(severity) + 1]
        included = self.findings["rule"].isin(wanted) & self.findings["severity"].isin(severities)
        return replace(
            self._some(np.flatnonzero(included)),
            rules={
                key: rule
                for key, rule in self.rules.items()
                if key in wanted and rule.severity in severities
            },
        )

    def some(self, rows: Iterable[int]) -> AuditReport:
        """Return a report with some of the findings only.

        >>> report = audit(client.sources(), rules=["missing-title"])
        >>> len(report.some([0, 1]).findings)
        2

        Args:
            rows: The rows of `findings` to keep, counted from 0.

        Raises:
            InvalidInput: `findings` has no such row.
        """
        return self._some(
            arguments.numbers(rows, len(self.findings), "rows", "rows of the findings")
        )

    def _some(self, rows: npt.NDArray[np.int64]) -> AuditReport:
        return replace(
            self,
            findings=self.findings.iloc[rows].reset_index(drop=True),
            positions=self.positions[rows],
            _safe=self._safe.iloc[rows].reset_index(drop=True),
        )

    @property
    def has_fix(self) -> npt.NDArray[np.bool_]:
        """For each finding, True if `fixes` applies its suggestion (`bool`)."""
        return (self._safe["field"].notna() & self._safe["value"].notna()).to_numpy(dtype=np.bool_)

    def fixes(self) -> pd.DataFrame:
        """Return the listing with all fixes applied that need no review.

        These set a missing title from the name, remove invisible characters from titles, switch off
        translation of English, and apply the fixes of custom rules. If there are two fixes for one
        cell, the first is used. Select rules with `only`; show the changes with `compare`.

        >>> report = audit(client.sources(), rules=["missing-title"])
        >>> from reinfer_nb.diff.comparison import compare
        >>> compare(client.sources(), report.fixes()).changed["after"].head(2).to_list()
        ['Theft chat', 'Motor postfach']

        Returns:
            The listing, with its index, columns, dtypes and `attrs`. The new values are added to
            the categories of a categorical column.

        Raises:
            InvalidInput: A rule suggests a value that its column cannot hold.
        """
        fixed = self.audited.copy()
        fixed.attrs = self.audited.attrs
        table = self._safe.assign(position=self.positions)[self.has_fix]
        table = table.drop_duplicates(["position", "field"])
        for name, part in table.groupby("field", sort=False):
            column, positions = str(name), part["position"].to_numpy()
            fixed[column] = replaced(fixed[column], positions, part["value"].tolist())
        return fixed

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write `findings` to a CSV file that spreadsheets open as it is, and return its path.

        Args:
            path: The file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            FileProblem: The file exists or cannot be written; no partial file is left.
        """
        return to_csv(self.findings, path, overwrite=overwrite)

    def to_excel(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the report to an Excel workbook, and return its path.

        The worksheets are "rules", with the number of findings of each rule, "projects", which is
        `summary`, and "error", "warning" and "info", with the findings of that severity.

        >>> audit(client.sources()).to_excel("audit.xlsx").name
        'audit.xlsx'

        Args:
            path: The file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            ConfigurationError: XlsxWriter is not installed: `pip install 'reinfer_nb[excel]'`.
            InvalidInput: A worksheet cannot hold a value, as in `to_excel`.
            FileProblem: The file exists or cannot be written; no partial file is left.
        """
        by_severity = {
            severity: self.findings[self.findings["severity"] == severity].reset_index(drop=True)
            for severity in SEVERITIES
        }
        rules = rule_counts(self.rules, self.skipped, self.findings["rule"], self.positions)
        sheets = {"rules": rules, "projects": self.summary, **by_severity}
        return write_sheets(sheets, path, overwrite=overwrite)

    @property
    def headline(self) -> str:
        """The number of findings, in one line."""
        counts = self.findings["severity"].value_counts()
        parts = ", ".join(
            counted(int(counts[name]), name) if name != "info" else f"{counts[name]:,} info"
            for name in SEVERITIES
            if name in counts
        )
        by_severity = f": {parts}" if parts else ""
        sources = len(np.unique(self.positions))
        return (
            f"{counted(len(self.findings), 'finding')} in {sources:,} of "
            f"{counted(len(self.audited), 'source')}, as of {self.now:%Y-%m-%d}{by_severity}."
        )

    def _skipped_text(self) -> str:
        return " ".join(f"{rule} did not run: it {why}." for rule, why in self.skipped.items())

    def _by_rule(self, limit: int | None) -> list[tuple[Rule, list[tuple[str, str, str]], int]]:
        """Return each rule with findings, its first findings as texts, and their total number."""
        limit = arguments.limit(limit)
        parts = []
        for key, part in self.findings.groupby("rule", sort=False):
            first = part if limit is None else part.head(limit)
            texts = [first[name].fillna("").tolist() for name in ("message", "suggestion")]
            lines = list(zip(source_labels(first), *texts, strict=True))
            parts.append((self.rules[str(key)], lines, len(part)))
        return parts

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return the report as text: each rule with findings, then one line per finding.

        Args:
            limit: The maximum number of findings per rule; None for all.
        """
        lines = [f"Audit: {self.headline}"]
        for rule, findings, count in self._by_rule(limit):
            lines.append(f"{rule.severity}: {rule.id} ({count:,})")
            lines += [f"  {name}: {visible(message, 300)}" for name, message, _ in findings]
            lines += _more(count, len(findings))
        if self.skipped:
            lines.append(self._skipped_text())
        return "\n".join(lines)

    def to_html(self, limit: int | None = _SHOWN) -> str:
        """Return the report as HTML: a table of rules, then the findings of each rule.

        Args:
            limit: The maximum number of findings per rule; None for all.
        """
        parts = [markup.block([markup.tag("b", "Audit: "), self.headline])]
        by_rule = self._by_rule(limit)
        if by_rule:
            rows = [(rule.id, rule.severity, f"{n:,}", rule.headline) for rule, _, n in by_rule]
            parts.append(markup.table(("Rule", "Severity", "Findings", "What it finds"), rows))
        for rule, findings, count in by_rule:
            title = markup.tag(
                "summary", [markup.tag("b", rule.id), f" ({count:,})"], style="cursor:pointer"
            )
            inner = [
                markup.muted(rule.why.removeprefix(rule.headline).strip()),
                markup.table(("Source", "Finding", "Suggestion"), findings),
                *map(markup.muted, _more(count, len(findings))),
            ]
            parts.append(markup.tag("details", [title, *inner], style="padding-top:6px"))
        if self.skipped:
            parts.append(markup.muted(self._skipped_text()))
        return str(markup.join(parts))

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def _more(count: int, displayed: int) -> list[str]:
    return [f"  ... and {count - displayed:,} more"] if count > displayed else []


def _findings(
    df: pd.DataFrame, tables: list[pd.DataFrame]
) -> tuple[pd.DataFrame, npt.NDArray[np.int64], pd.DataFrame]:
    """Return the findings of all rules, the positions of their rows, and their fixes."""
    if not tables:
        texts = dict.fromkeys((*_COLUMNS, "field"), pd.Series(dtype="str"))
        tables = [pd.DataFrame(texts | {"value": pd.Series(dtype=object)})]
    table = pd.concat(tables)
    positions = table.index.to_numpy().astype(np.int64)
    table = table.reset_index(drop=True)
    for name in _IDENTITY:
        cells = df[name].take(positions) if name in df else pd.Series(None, index=table.index)
        table[name] = cells.astype("str").array
    findings = table[list(_COLUMNS)].astype("str")
    return findings, positions, table[["field", "value"]]


def _check_options(rules: Iterable[Rule], options: Mapping[str, Any]) -> None:
    defaults = [(name, default) for rule in rules for name, default in rule.options.items()]
    names = dict(defaults)
    for name, value in options.items():
        if name not in names:
            raise InvalidInput(
                f"Unknown option {shown(name)}. "
                + (hint(name, names) if names else "These rules have no options.")
            )
        for option, default in defaults:
            types = (int, float) if type(default) is float else (type(default),)
            if name == option and default is not None and type(plain(value)) not in types:
                argument = spelled(f"{name}=", f"--option {name}")
                raise InvalidInput(
                    f"{argument} takes a value such as {shown(default)}, not {shown(value)}."
                )


def _default_now(df: pd.DataFrame) -> pd.Timestamp:
    """Return the time at which a listing was fetched, or the current time if not recorded."""
    fetched_at = provenance.fetched_at(df)
    return pd.Timestamp.now("UTC") if fetched_at is None else pd.Timestamp(fetched_at)
