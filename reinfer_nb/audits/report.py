"""What is wrong with a listing: rules run over it, and their findings as one report.

Knows nothing of where the listing came from: a tenant, a CSV file, a snapshot, a piece of one.
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
from reinfer_nb.audits.rule import SEVERITIES, Rule, Severity, chosen
from reinfer_nb.audits.text_rules import full_names
from reinfer_nb.copies import unshared
from reinfer_nb.csvfile.io import frame_or_file, to_csv
from reinfer_nb.dates import When
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import dtypes
from reinfer_nb.pickling import Portable
from reinfer_nb.schema import provenance
from reinfer_nb.text import counted, hint, listed, shown, visible

_IDENTITY = ("id", "owner", "name")
_COLUMNS = ("rule", "severity", *_IDENTITY, "message", "suggestion")
# Findings of a rule that are shown; all of them are in `findings`.
_SHOWN = 10


def audit(
    df: pd.DataFrame | str | os.PathLike[str],
    rules: Iterable[str | Rule] | None = None,
    now: When | None = None,
    *,
    ignore: Iterable[str | Rule] = (),
    **options: Any,
) -> AuditReport:
    """Return what is wrong with a listing.

    >>> report = audit(client.sources(), rules=["twin-titles", "look-alike-names"])
    >>> report.findings[["rule", "owner", "name"]].head(2)
              rule   owner           name
    0  twin-titles  claims     motor-inbox
    1  twin-titles  claims  property-inbox

    Args:
        df: A listing: of `Client.sources`, `read_csv`, `History.load`, or a piece of one; or the
            path of a CSV file, which is read as `read_csv` does. A rule that needs a column which
            is not there is passed over, and `skipped` says so.
        rules: Ids or rules; by default all that `audit_rules` lists.
        now: The moment that ages are counted to; by default when the listing was fetched, and
            where it does not say, the time of the call. Without a zone it is UTC.
        ignore: Rules that are left out.
        **options: What can be set of the rules, such as `days=180`; `audit_rules` lists it.

    Raises:
        InvalidInput: There is no such rule or option, or a column of the listing is not of its
            dtype and cannot be made so.
        FileProblem: The file could not be read, or is no CSV.
    """
    df = frame_or_file(df, "audit takes a DataFrame or the path of a CSV file")
    running = chosen(rules, ignore)
    _check_options(running, options)
    prepared = dtypes.typed(df)
    moment = _moment_of(df) if now is None else _moment(now, "now")
    tables = []
    skipped = {}
    # The gravest first, then as the rules are listed.
    for rule in sorted(running, key=lambda rule: SEVERITIES.index(rule.severity)):
        lacking = [name for name in rule.needs if name not in prepared]
        if lacking:
            columns = "column" if len(lacking) == 1 else "columns"
            skipped[rule.id] = f"needs the {columns} {listed(lacking)}"
            continue
        table = rule.find(prepared, moment, options)
        tables.append(table.assign(rule=rule.id, severity=rule.severity))
    return AuditReport(
        *_findings(prepared, tables),
        rules={rule.id: rule for rule in running if rule.id not in skipped},
        skipped=skipped,
        now=moment,
        # As it is now, whatever becomes of the caller's.
        audited=df.copy(),
    )


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class AuditReport(Portable):
    """What is wrong with a listing; `audit` makes one, and it shows itself.

    Attributes:
        findings: One row a finding, the gravest first: `rule`, `severity`, `id`, `owner`, `name`,
            `message`, `suggestion`; all `str`, missing where there is nothing to say.
        positions: For each finding, the position of its row in the listing (`int64`).
        rules: The rules that ran, by id.
        skipped: The rules that did not, by id, with the reason.
        now: The moment that ages were counted to.
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
        """Whether nothing was found."""
        return self.findings.empty

    @property
    def summary(self) -> pd.DataFrame:
        """Findings by project and rule: `owner` (`str`), a column a rule that found some (`int64`).

        The gravest rules come first; a source of which nothing says the project is in the last
        row, whose owner is missing.
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
        """Return the part of the report that some rules found.

        Args:
            rules: Ids or rules; None for all.
            severity: How grave a finding is at least: "error", "warning", or "info" for all.

        Raises:
            InvalidInput: There is no such rule or severity.
        """
        arguments.choice(severity, "severity", SEVERITIES)
        wanted = set(self.rules) if rules is None else {rule.id for rule in chosen(rules)}
        grave = SEVERITIES[: SEVERITIES.index(severity) + 1]
        kept = self.findings["rule"].isin(wanted) & self.findings["severity"].isin(grave)
        places = np.flatnonzero(kept)
        return replace(
            self,
            findings=self.findings.iloc[places].reset_index(drop=True),
            positions=self.positions[places],
            _safe=self._safe.iloc[places].reset_index(drop=True),
            rules={
                key: rule
                for key, rule in self.rules.items()
                if key in wanted and rule.severity in grave
            },
        )

    def fixes(self) -> pd.DataFrame:
        """Return the listing with every suggestion put in that is safe without another look.

        Those are titles made of the name where there was none, invisible characters taken out of
        titles, the translation of English switched off, and what own rules say is safe; of two
        for one cell the first. `only` restricts it to some rules. `compare` shows what it changed.

        >>> report = audit(client.sources(), rules=["missing-title"])
        >>> from reinfer_nb.diff.comparison import compare
        >>> compare(client.sources(), report.fixes()).changed["after"].head(2).to_list()
        ['Theft chat', 'Motor postfach']

        Returns:
            The listing, with its index, columns, dtypes and `attrs`; a column of categories has
            those that are put in as well.

        Raises:
            InvalidInput: A rule suggests a value that cannot be in the column.
        """
        fixed = self.audited.copy()
        fixed.attrs = self.audited.attrs
        table = self._safe.assign(at=self.positions)
        table = table[table["field"].notna() & table["value"].notna()]
        table = table.drop_duplicates(["at", "field"])
        for name, part in table.groupby("field", sort=False):
            column = str(name)
            fixed[column] = _replaced(fixed[column], part["at"].to_numpy(), part["value"].tolist())
        return fixed

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write `findings` to a CSV file that spreadsheets open as it is, and return its path.

        Args:
            path: The file.
            overwrite: Whether an older file may be replaced.

        Raises:
            FileProblem: There is one already, or it cannot be written; nothing is half-written.
        """
        return to_csv(self.findings, path, overwrite=overwrite)

    @property
    def headline(self) -> str:
        """How many findings there are, in one line."""
        counts = self.findings["severity"].value_counts()
        grave = ", ".join(
            counted(int(counts[name]), name) if name != "info" else f"{counts[name]:,} info"
            for name in SEVERITIES
            if name in counts
        )
        found = f": {grave}" if grave else ""
        sources = len(np.unique(self.positions))
        return (
            f"{counted(len(self.findings), 'finding')} in {sources:,} of "
            f"{counted(len(self.audited), 'source')}, as of {self.now:%Y-%m-%d}{found}."
        )

    def _not_run(self) -> str:
        return " ".join(f"{rule} did not run: it {why}." for rule, why in self.skipped.items())

    def _by_rule(self, limit: int | None) -> list[tuple[Rule, list[tuple[str, str, str]], int]]:
        """Return the rules that found something, with source, message and suggestion of some."""
        limit = arguments.limit(limit)
        parts = []
        for key, part in self.findings.groupby("rule", sort=False):
            few = part if limit is None else part.head(limit)
            texts = [few[name].fillna("").tolist() for name in ("message", "suggestion")]
            lines = list(zip(full_names(few), *texts, strict=True))
            parts.append((self.rules[str(key)], lines, len(part)))
        return parts

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return it as lines: each rule that found something, and beneath it a line a finding.

        Args:
            limit: How many findings of a rule are told; None for all.
        """
        lines = [f"Audit: {self.headline}"]
        for rule, findings, count in self._by_rule(limit):
            lines.append(f"{rule.severity}: {rule.id} ({count:,})")
            lines += [f"  {name}: {visible(message, 300)}" for name, message, _ in findings]
            lines += _more(count, len(findings))
        return "\n".join(lines + list(filter(None, [self._not_run()])))

    def to_html(self, limit: int | None = _SHOWN) -> str:
        """Return it as a piece of HTML: a table of the rules, and each with its findings.

        Args:
            limit: How many findings of a rule are told; None for all.
        """
        parts = [markup.block([markup.tag("b", "Audit: "), self.headline])]
        found = self._by_rule(limit)
        if found:
            rows = [(rule.id, rule.severity, f"{n:,}", rule.headline) for rule, _, n in found]
            parts.append(markup.table(("Rule", "Severity", "Findings", "What it finds"), rows))
        for rule, findings, count in found:
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
            parts.append(markup.muted(self._not_run()))
        return str(markup.join(parts))

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def _more(count: int, told: int) -> list[str]:
    return [f"  ... and {count - told:,} more"] if count > told else []


def _findings(
    df: pd.DataFrame, tables: list[pd.DataFrame]
) -> tuple[pd.DataFrame, npt.NDArray[np.int64], pd.DataFrame]:
    """Return what rules found as one table, the rows it is about, and what is safe to set."""
    if not tables:
        nothing = dict.fromkeys((*_COLUMNS, "field"), pd.Series(dtype="str"))
        tables = [pd.DataFrame(nothing | {"value": pd.Series(dtype=object)})]
    table = pd.concat(tables)
    positions = table.index.to_numpy().astype(np.int64)
    table = table.reset_index(drop=True)
    for name in _IDENTITY:
        told = df[name].take(positions) if name in df else pd.Series(None, index=table.index)
        table[name] = told.astype("str").array
    findings = table[list(_COLUMNS)].astype("str")
    return findings, positions, table[["field", "value"]]


def _replaced(column: pd.Series, positions: npt.NDArray[np.int64], values: list[Any]) -> pd.Series:
    """Return a column with some cells replaced, of the same dtype."""
    cells = column.tolist()
    for position, value in zip(positions, values, strict=True):
        cells[position] = value
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        new = [value for value in dict.fromkeys(values) if value not in dtype.categories]
        dtype = column.cat.add_categories(new).dtype
    elif dtype.kind == "f" and column.isna().all():
        # What pandas reads a column of a file as in which nothing is.
        dtype = None
    try:
        replaced: pd.Series = pd.Series(cells, index=column.index, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"A rule suggests a value that cannot be in the column {shown(column.name)}: "
            f"{visible(str(error), 200)}."
        ) from None
    return replaced


def _check_options(rules: Iterable[Rule], options: Mapping[str, Any]) -> None:
    known = [(name, default) for rule in rules for name, default in rule.options.items()]
    for name, value in options.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if name not in dict(known):
            names = dict(known)
            raise InvalidInput(
                f"{shown(name)} is no option of these rules. "
                + (hint(name, names) if names else "They have none.")
            )
        for other, default in known:
            kinds = (int, float) if type(default) is float else (type(default),)
            if name == other and default is not None and type(plain) not in kinds:
                raise InvalidInput(
                    f"{name}= takes a value such as {shown(default)}, not {shown(value)}."
                )


def _moment_of(df: pd.DataFrame) -> pd.Timestamp:
    """Return when a listing was fetched, or now where it does not say."""
    fetched_at = provenance.fetched_at(df)
    return pd.Timestamp.now("UTC") if fetched_at is None else pd.Timestamp(fetched_at).as_unit("us")


def _moment(when: Any, name: str) -> pd.Timestamp:
    return pd.Timestamp(dates.moment(when, name=name)).as_unit("us")
