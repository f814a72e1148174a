"""Draw charts of a listing, an audit or a history, for a notebook or a report.

Every function draws on given axes or on those of a new figure, and returns the axes. Fonts and text
colours are those of the current matplotlib style.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reinfer_nb.charts import axes, marks
from reinfer_nb.charts import counts as count
from reinfer_nb.charts.axes import check_installed
from reinfer_nb.dates import When, moment
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import instants_of
from reinfer_nb.schema import provenance
from reinfer_nb.schema.records import KINDS, LANGUAGES
from reinfer_nb.text import counted, listed, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["changes", "check_installed", "findings", "freshness", "projects", "timeline"]

_STEPS = 400  # times in a timeline; more would not be visible
_AGES = {
    "within 7 days": 7,
    "8 to 30 days": 30,
    "31 to 90 days": 90,
    "91 to 365 days": 365,
    "1 to 2 years": 730,
    "over 2 years": None,
}
# The share of the width for row names, and for names of rules.
_NAMES, _RULE_NAMES = 0.3, 0.45
_SEVERITIES = ("error", "warning", "info")
# The maximum number of rules with a row.
_MAX_RULES = 40
_CHANGE_COLORS = {
    "changed": "#0072B2",
    "renamed": "#DDCC77",
    "added": "#44AA99",
    "removed": "#882255",
}


def timeline(df: pd.DataFrame, *, top: int = 8, ax: Axes | None = None) -> Axes:
    """Draw how many sources there were over time, and in which projects.

    >>> ax = timeline(client.sources(), top=2)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 other projects (53)', 'customer-service (38)', 'claims (39)']

    Sources are counted from the time they were created. Deleted sources are not in the listing and
    are therefore not counted.

    Args:
        df: A listing, with the columns `owner` and `created_at`.
        top: How many projects have their own area, from 1 to 9, the largest first; fewer if the
            axes are too low to name them.
        ax: The axes to draw on; by default those of a new figure.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        ConfigurationError: matplotlib is not installed.
    """
    owner, created = count.columns_of(df, ("owner", "created_at"))
    top = count.checked_top(top, len(marks.PALETTE))
    ax = axes.axes_for(ax, rows=top + 1)
    moments = instants_of(created)
    dated = count.drawable(moments)
    undated = int((~dated).sum())
    title = "Sources over time, by project"
    if undated and dated.any():
        title += f"\n{undated:,} of {counted(len(df), 'source')} without a date not shown"
    axes.head(ax, title, "Created", "Sources")
    if not dated.any():
        axes.nothing(ax, "No source has a creation date" if len(df) else "No sources")
        return ax
    groups = count.grouped(owner[dated]).first(
        min(top, axes.names_in_legend(ax) - 1), "other project"
    )
    colors, names = _colors(ax, groups), _with_sizes(groups, _names(groups))
    beside, _ = axes.legend(ax, marks.patches(ax, colors[::-1]), names[::-1])
    times, heights = count.cumulated(moments[dated], groups, _STEPS)
    marks.areas(ax, times, heights, colors, taken=beside)
    return ax


def freshness(df: pd.DataFrame, *, now: When | None = None, ax: Axes | None = None) -> Axes:
    """Draw how long ago the settings of the sources last changed.

    >>> ax = freshness(client.sources(), now="2026-07-01")
    >>> [label.get_text() for label in ax.texts][:3]
    ['2 (2%)', '4 (3%)', '5 (4%)']

    Args:
        df: A listing, with the column `updated_at`.
        now: The time that ages are counted to. By default the time at which the listing was
            fetched or, if that is not recorded, the time of the call. Without a time zone: UTC.
        ax: The axes to draw on; by default those of a new figure.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        ConfigurationError: matplotlib is not installed.
    """
    (updated,) = count.columns_of(df, ("updated_at",))
    when = provenance.fetched_at(df) if now is None else moment(now, name="now")
    until = np.datetime64((when or datetime.now(UTC)).replace(tzinfo=None), "us")
    updates = instants_of(updated)
    numbers = count.ages(updates, until, [days for days in _AGES.values() if days])
    labels = ["in the future", *_AGES, _NOT_SET]
    # "In the future" and "not set" have a row only if they have sources.
    rows = [row for row in range(len(labels)) if numbers[row] or 0 < row < len(labels) - 1]
    ax = axes.axes_for(ax, rows=len(labels))
    axes.head(ax, f"Age of the last update, as of {str(until)[:10]}", "Sources", "Last updated")
    if np.isnat(updates).all():
        axes.nothing(ax, "No source has an update date" if len(df) else "No sources")
        return ax
    lengths = numbers[rows]
    names = axes.name_rows(ax, [labels[row] for row in rows], _NAMES)
    dated = np.array([labels[row] != _NOT_SET for row in rows])
    table = np.stack([lengths * dated, lengths * ~dated], axis=1)
    ends = [_with_share(int(number), len(df)) for number in lengths]
    marks.lying_bars(ax, table, [marks.PALETTE[0], marks.others(ax)], ends, names=names)
    return ax


def projects(df: pd.DataFrame, by: str = "kind", *, top: int = 20, ax: Axes | None = None) -> Axes:
    """Draw the number of sources by project, and what kinds of sources they are.

    >>> ax = projects(client.sources(), by="language")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['English (en) (96)', 'Multilingual (xlm) (19)', 'German (de) (15)']

    If all other projects together would dwarf those shown, they have a number but no bar.

    Args:
        df: A listing, with the column `owner`.
        by: The column whose values divide the bars, or "bucket" for with and without a bucket. Of
            many values, the eight most frequent are shown, and the others together.
        top: How many projects have a bar, from 1 to 200, the largest first; fewer if the axes are
            too low to name them.
        ax: The axes to draw on; by default those of a new figure.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        ConfigurationError: matplotlib is not installed.
    """
    if not isinstance(by, str):
        raise InvalidInput(f"by= must be the name of a column, or 'bucket', not {shown(by)}.")
    owner, column = count.columns_of(df, ("owner", "bucket_id" if by == "bucket" else by))
    top = count.checked_top(top, 200)
    if by == "bucket":
        column = column.notna().map({True: "with", False: "without"})
    sizes, values = count.grouped(owner), count.grouped(column)
    ax = axes.axes_for(ax, rows=min(top, len(sizes.names)) + 1)
    axes.head(ax, "Sources by project", "Sources", "Project")
    if df.empty:
        axes.nothing(ax, "No sources")
        return ax
    values = values.first(min(8, axes.names_in_legend(ax) - 1), "other value")
    colors = _colors(ax, values)
    labels = _with_sizes(values, _values(by, values))
    beside, inside = axes.legend(
        ax, marks.patches(ax, colors), labels, _TITLES.get(by, by), "lower right"
    )
    groups = sizes.first(min(top, axes.rows_in(ax, inside) - 1), "other project")
    table = count.crossed(groups, values)
    if groups.others and groups.sizes[-1] > 2 * groups.sizes[0]:
        table[-1] = 0
    names = axes.name_rows(ax, _names(groups), _NAMES, inside)
    ends = [f"{number:,}" for number in groups.sizes]
    marks.lying_bars(ax, table, colors, ends, names=names, beside=beside)
    return ax


def findings(report: Any, *, top: int = 15, ax: Axes | None = None) -> Axes:
    """Draw the number of findings of an audit by rule and project.

    >>> from reinfer_nb.audits.report import audit
    >>> ax = findings(audit(client.sources(), rules=["missing-title", "no-bucket"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['warning: missing-title (15)', 'info: no-bucket (69)']

    Rules are sorted by severity, errors at the top, then by the number of findings. The colours
    follow the logarithm of the counts, which are written into the cells.

    Args:
        report: An `AuditReport`, or its findings: a frame with the columns `rule`, `severity`
            and `owner`, one row per finding.
        top: How many projects have a column, from 1 to 50, those with most findings first; fewer
            if the axes are too narrow.
        ax: The axes to draw on; by default those of a new figure.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        ConfigurationError: matplotlib is not installed.
    """
    df = report if isinstance(report, pd.DataFrame) else getattr(report, "findings", report)
    columns = count.columns_of(df, ("rule", "severity", "owner"), "The table of findings")
    top = count.checked_top(top, 50)
    rule, severity, owner = map(count.grouped, columns)
    rules = count.paired(severity, rule, _SEVERITIES)
    letters = len(f"{rule.sizes.max(initial=0):,}")
    wanted = min(len(rules.names), _MAX_RULES), min(top, len(owner.names)) + 1
    ax = axes.axes_for(ax, rows=wanted[0] + _VERTICAL_ROWS, columns=wanted[1], letters=letters)
    axes.head(ax, "Findings by rule and project", "Project", "Rule")
    if not len(owner.codes):
        axes.nothing(ax, "No findings")
        return ax
    rules = rules.first(min(_MAX_RULES, axes.rows_in(ax) - 1), "other rule")
    names = axes.name_rows(ax, _with_sizes(rules, _names(rules)), _RULE_NAMES)
    fitting = axes.columns_in(ax, letters, names) - 1
    owners = owner.first(min(top, fitting), "other project")
    marks.cells(ax, count.crossed(rules, owners), names=names)
    axes.name_columns(ax, _names(owners), names)
    return ax


def changes(changes: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how many sources were added, renamed, changed and removed in each snapshot.

    >>> table = pd.DataFrame({"snapshot_at": ["2026-11-01", "2026-12-01", "2026-12-01"],
    ...                       "what": ["added", "changed", "changed"],
    ...                       "id": ["f0", "f0", "f0"], "field": [None, "title", "language"]})
    >>> ax = changes(table)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['added (1)', 'renamed (0)', 'changed (1)', 'removed (0)']

    Removed sources are below zero. A source that changed in several fields counts once. If there
    are too many snapshots for a bar each, a bar covers a day, a week or a longer period, and counts
    each source once.

    Args:
        changes: A `History`, or the result of its `changes()`: a frame with the columns
            `snapshot_at`, `what` ("added", "renamed", "changed", "removed") and `id`, one row per
            change.
        ax: The axes to draw on; by default those of a new figure.

    Raises:
        InvalidInput: A column is missing, an argument is invalid, or a row has no valid
            `snapshot_at` or `what`.
        ConfigurationError: matplotlib is not installed.
    """
    method = getattr(changes, "changes", None)
    df = method() if callable(method) and not isinstance(changes, pd.DataFrame) else changes
    snapshot_at, what, source = count.columns_of(df, ("snapshot_at", "what", "id"), "The changes")
    moments, kinds = instants_of(snapshot_at), count.grouped(what)
    unknown = [name for name in kinds.names if name not in _CHANGE_COLORS]
    if unknown:
        raise InvalidInput(
            f"what must be one of {listed(_CHANGE_COLORS)}, not {shown(unknown[0])}."
        )
    if not count.drawable(moments).all():
        raise InvalidInput("snapshot_at is missing or not a valid time in some of the changes.")
    ax = axes.axes_for(ax)
    if not len(moments):
        axes.head(ax, "Changes by snapshot", "Snapshot", "Sources")
        axes.nothing(ax, "No changes")
        return ax
    bars = count.barred(moments)
    axes.head(ax, f"Changes by {bars.period}", bars.period.capitalize(), "Sources")
    numbers = count.once(bars, kinds, count.grouped(source), list(_CHANGE_COLORS))
    totals = zip(_CHANGE_COLORS, numbers.sum(axis=1), strict=True)
    names = [f"{name} ({total:,})" for name, total in totals]
    order = [2, 1, 0, 3]  # from the top, as the bars are stacked
    colors = list(_CHANGE_COLORS.values())
    patches = marks.patches(ax, [colors[n] for n in order])
    beside, inside = axes.legend(ax, patches, [names[n] for n in order])
    marks.standing_bars(ax, bars, numbers[:3], numbers[3], colors, beside=beside, above=inside)
    return ax


_NOT_SET = "not set"
_VERTICAL_ROWS = 9  # height of a vertical project name, in rows of text
_TITLES = {
    "kind": "Kind",
    "language": "Language",
    "bucket": "Bucket",
    "should_translate": "Translated",
}
_MEANINGS = {"kind": KINDS, "language": LANGUAGES}
_YES_NO = {"True": "yes", "False": "no"}


def _names(groups: count.Groups, missing: str = "(no project)") -> list[str]:
    return [missing if name is None else name or "(empty)" for name in groups.names]


def _with_sizes(groups: count.Groups, names: list[str]) -> list[str]:
    return [f"{name} ({size:,})" for name, size in zip(names, groups.sizes, strict=True)]


def _with_share(number: int, total: int) -> str:
    share = number / total
    return f"{number:,} ({share:.0%})" if share >= 0.005 else f"{number:,} (<1%)" if number else "0"


def _values(by: str, groups: count.Groups) -> list[str]:
    """Return the labels of values."""
    meanings = _MEANINGS.get(by, {})
    labels = {name: f"{meaning} ({name})" for name, meaning in meanings.items()}
    if set(groups.names) <= {*_YES_NO, None}:
        labels = _YES_NO
    return [labels.get(name, name) for name in _names(groups, "missing")]


def _colors(ax: Axes, groups: count.Groups) -> list[Any]:
    colors = marks.PALETTE[: len(groups.names) - groups.others]
    return [*colors, marks.others(ax)] if groups.others else [*colors]
