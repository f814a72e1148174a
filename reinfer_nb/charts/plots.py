"""Draw charts of a listing, an audit or a history, for a notebook or a report.

Every function draws on given axes or on those of a new figure, and returns the axes. Fonts and text
colours are those of the current matplotlib style.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reinfer_nb.arguments import choice
from reinfer_nb.charts import counts as count
from reinfer_nb.charts import marks
from reinfer_nb.charts.axes import Chart, check_installed, column_width
from reinfer_nb.constants import SEVERITIES
from reinfer_nb.dates import When, moment
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import full_names, instants_of, texts_of
from reinfer_nb.schema import provenance
from reinfer_nb.schema.records import KINDS, LANGUAGES
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.text import counted, listed, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "activity",
    "changes",
    "check_installed",
    "findings",
    "freshness",
    "projects",
    "timeline",
]

_TAKES = "The listing must be"
_STEPS = 400  # times in a timeline; more would not be visible
_AGES = {
    "within 7 days": 7.0,
    "8 to 30 days": 30.0,
    "31 to 90 days": 90.0,
    "91 to 365 days": 365.0,
    "1 to 2 years": 730.0,
    "over 2 years": np.inf,
}
# The share of the width for names of projects, of rules and of ages.
_NAMES, _RULE_NAMES, _AGE_NAMES = 0.3, 0.45, 0.4
_MAX_RULES = 40  # with a row each
# From the bottom up; "removed" is below zero.
_CHANGES = {"changed": "#0072B2", "renamed": "#DDCC77", "added": "#44AA99", "removed": "#882255"}


def timeline(
    df: pd.DataFrame | str | os.PathLike[str], *, top: int = 8, ax: Axes | None = None
) -> Axes:
    """Draw how many sources there were over time, and in which projects.

    >>> ax = timeline(client.sources(), top=2)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 other projects (53)', 'customer-service (38)', 'claims (39)']

    Sources are counted from the time they were created. Deleted sources are not in the listing and
    are therefore not counted.

    Args:
        df: A listing, with the columns `owner` and `created_at`, or its path, as for `audit`.
        top: How many projects have their own area, from 1 to 9, the largest first; fewer if the
            axes are too low to name them.
        ax: The axes to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        FileProblem: A file could not be read or is not a CSV file.
        ConfigurationError: matplotlib is not installed.
    """
    df = listing_of(df, _TAKES)
    owner, created = count.columns_of(df, ("owner", "created_at"))
    top = count.checked_top(top, len(marks.PALETTE))
    chart = Chart(ax, rows=top + 1)
    moments = instants_of(created)
    dated = count.drawable(moments)
    undated = int((~dated).sum())
    title = "Sources over time, by project"
    if undated and dated.any():
        title += f"\n{undated:,} of {counted(len(df), 'source')} without a date not shown"
    chart.head(title, "Created", "Sources")
    if not dated.any():
        return chart.empty("No source has a creation date" if len(df) else "No sources")
    groups = count.grouped(owner[dated]).first(min(top, chart.max_colors - 1), "other project")
    colors = _colors(chart, groups)
    chart.legend(colors[::-1], groups.with_sizes()[::-1])
    marks.areas(chart, *count.cumulated(moments[dated], groups, _STEPS), colors)
    return chart.finished()


def freshness(
    df: pd.DataFrame | str | os.PathLike[str], *, now: When | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how long ago the settings of the sources last changed.

    >>> ax = freshness(client.sources(), now="2026-07-01")
    >>> [label.get_text() for label in ax.texts][:3]
    ['2 (2%)', '4 (3%)', '5 (4%)']

    Args:
        df: A listing, with the column `updated_at`, or its path, as for `audit`.
        now: The time that ages are counted to. By default the time at which the listing was
            fetched or, if that is not recorded, the time of the call. Without a time zone: UTC.
        ax: The axes to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        FileProblem: A file could not be read or is not a CSV file.
        ConfigurationError: matplotlib is not installed.
    """
    df = listing_of(df, _TAKES)
    (updated,) = count.columns_of(df, ("updated_at",))
    when = provenance.fetched_at(df) if now is None else moment(now, name="now")
    until = np.datetime64((when or datetime.now(UTC)).replace(tzinfo=None), "us")
    updates = instants_of(updated)
    chart = Chart(ax, rows=len(_AGES) + 2)
    chart.head(f"Age of the last update, as of {str(until)[:10]}", "Sources", "Last updated")
    if np.isnat(updates).all():
        return chart.empty("No source has an update date" if len(df) else "No sources")
    numbers = count.ages(updates, until, _AGES)
    # "In the future" and "not set" have a row only if they have sources.
    numbers = numbers[(numbers > 0) | numbers.index.isin(list(_AGES))]
    chart.name_rows(list(numbers.index), _AGE_NAMES)
    dated = numbers.index != "not set"
    table = np.stack([numbers * dated, numbers * ~dated], axis=1)
    ends = [_with_share(number, len(df)) for number in numbers]
    marks.lying_bars(chart, table, [marks.PALETTE[0], chart.others], ends)
    return chart.finished()


def projects(
    df: pd.DataFrame | str | os.PathLike[str],
    by: str = "kind",
    *,
    top: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of sources by project, and what kinds of sources they are.

    >>> ax = projects(client.sources(), by="language")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['English (en) (96)', 'Multilingual (xlm) (19)', 'German (de) (15)']

    If all other projects together would dwarf those shown, they have a number but no bar.

    Args:
        df: A listing, with the column `owner`, or its path, as for `audit`.
        by: The column whose values divide the bars, or "bucket" for with and without a bucket. Of
            many values, the eight most frequent are shown, and the others together.
        top: How many projects have a bar, from 1 to 200, the largest first; fewer if the axes are
            too low to name them.
        ax: The axes to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        FileProblem: A file could not be read or is not a CSV file.
        ConfigurationError: matplotlib is not installed.
    """
    if not isinstance(by, str):
        raise InvalidInput(f"by= must be the name of a column, or 'bucket', not {shown(by)}.")
    df = listing_of(df, _TAKES)
    owner, column = count.columns_of(df, ("owner", "bucket_id" if by == "bucket" else by))
    top = count.checked_top(top, 200)
    if by == "bucket":
        column = column.notna().map({True: "with", False: "without"})
    sizes, values = count.grouped(owner), count.grouped(column, "missing")
    chart = Chart(ax, rows=min(top, len(sizes.names)) + 1)
    chart.head("Sources by project", "Sources", "Project")
    if df.empty:
        return chart.empty("No sources")
    values = _labelled(by, values).first(min(8, chart.max_colors - 1), "other value")
    colors = _colors(chart, values)
    chart.legend(colors, values.with_sizes(), _TITLES.get(by, by), "lower right")
    groups = sizes.first(min(top, chart.max_rows - 1), "other project")
    table = groups.crossed(values.codes, len(values.names))
    if groups.others and groups.sizes[-1] > 2 * groups.sizes[0]:
        table[-1] = 0
    chart.name_rows(groups.names, _NAMES)
    marks.lying_bars(chart, table, colors, [f"{number:,}" for number in groups.sizes])
    return chart.finished()


def activity(activity: Any, *, by: str = "project", top: int = 8, ax: Axes | None = None) -> Axes:
    """Draw how many comments were sent over time, and in which projects or sources.

    >>> df = client.activity("claims", since="2026-01", until="2026-06", progress=False)
    >>> ax = activity(df, by="source", top=2)
    >>> ax.get_legend().get_texts()[0].get_text().rpartition(" ")[0]
    '37 other sources'

    Each area is as high as the comments of a period are many. The first and the last period may be
    shorter than the others, and so have fewer comments.

    Args:
        activity: The result of `Client.activity`: a frame with the columns `owner`, `name`,
            `period` and `num_comments`, one row per source and period.
        by: "project", or "source" for an area for each source.
        top: How many projects or sources have their own area, from 1 to 9, those with most comments
            first, the others together; fewer if the axes are too low to name them.
        ax: The axes to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, an argument is invalid, or a row has no valid `period` or
            `num_comments`.
        ConfigurationError: matplotlib is not installed.
    """
    choice(by, "by", ("project", "source"))
    names = ("owner", "name", "period", "num_comments")
    owner, name, period, number = count.columns_of(activity, names, "The frame of client.activity")
    top = count.checked_top(top, len(marks.PALETTE))
    moments, numbers = instants_of(period), count.wholes(number)
    if not count.drawable(moments).all():
        raise InvalidInput("period is missing or not a valid time in some rows of the activity.")
    sources = full_names(pd.DataFrame({"owner": owner, "name": name}))
    chart = Chart(ax, rows=top + 1)
    title = f"Comments over time, by {by}"
    uncounted, total = (part.nunique(dropna=False) for part in (sources[numbers < 0], sources))
    if uncounted:
        title += f"\n{uncounted:,} of {counted(total, 'source')} not counted"
    times, codes, label = count.stepped(moments)
    chart.head(title, "Sent", label)
    numbers = np.maximum(numbers, 0)
    if not numbers.any():
        return chart.empty("No comments" if len(numbers) else "No sources")
    groups = count.grouped(owner) if by == "project" else count.grouped(sources, "(no name)")
    groups = groups.weighted(numbers)
    groups = groups.first(min(top, chart.max_colors - 1), f"other {by}")
    colors = _colors(chart, groups)
    chart.legend(colors[::-1], groups.with_sizes()[::-1])
    heights = groups.crossed(codes, len(times), numbers)
    # The last period is drawn up to its end.
    heights[:, -1] = heights[:, -2]
    marks.areas(chart, times, heights, colors)
    return chart.finished()


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

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, or an argument is invalid.
        ConfigurationError: matplotlib is not installed.
    """
    df = report if isinstance(report, pd.DataFrame) else getattr(report, "findings", report)
    names = ("rule", "severity", "owner")
    rule, severity, owner = count.columns_of(df, names, "The table of findings")
    top = count.checked_top(top, 50)
    owners, rules = count.grouped(owner), count.paired(severity, rule, SEVERITIES)
    column = column_width(rules.sizes.max(initial=0))
    rows, columns = min(len(rules.names), _MAX_RULES), min(top, len(owners.names)) + 1
    chart = Chart(ax, rows=rows + _VERTICAL_ROWS, columns=columns * column)
    chart.head("Findings by rule and project", "Project", "Rule")
    if not len(owners.codes):
        return chart.empty("No findings")
    rules = rules.first(min(_MAX_RULES, chart.max_rows - 1), "other rule")
    chart.name_rows(rules.with_sizes(), _RULE_NAMES)
    owners = owners.first(min(top, max(1, int(chart.space / column) - 1)), "other project")
    marks.cells(chart, rules.crossed(owners.codes, len(owners.names)))
    chart.name_columns(owners.names)
    return chart.finished()


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

    Returns:
        The axes.

    Raises:
        InvalidInput: A column is missing, an argument is invalid, or a row has no valid
            `snapshot_at` or `what`.
        ConfigurationError: matplotlib is not installed.
    """
    method = getattr(changes, "changes", None)
    df = method() if callable(method) and not isinstance(changes, pd.DataFrame) else changes
    snapshot_at, what, source = count.columns_of(df, ("snapshot_at", "what", "id"), "The changes")
    moments, kinds = instants_of(snapshot_at), texts_of(what).to_pandas()
    unknown = [kind for kind in kinds.unique() if kind not in _CHANGES]
    if unknown:
        raise InvalidInput(f"what must be one of {listed(_CHANGES)}, not {shown(unknown[0])}.")
    if not count.drawable(moments).all():
        raise InvalidInput("snapshot_at is missing or not a valid time in some of the changes.")
    chart = Chart(ax)
    if not len(moments):
        chart.head("Changes by snapshot", "Snapshot", "Sources")
        return chart.empty("No changes")
    bars = count.barred(moments)
    chart.head(f"Changes by {bars.period}", bars.period.capitalize(), "Sources")
    numbers = count.once(bars, kinds, texts_of(source).to_pandas(), list(_CHANGES))
    names = [f"{name} ({sum(row):,})" for name, row in zip(_CHANGES, numbers, strict=True)]
    colors = list(_CHANGES.values())
    order = [2, 1, 0, 3]  # from the top, as the bars are stacked
    chart.legend([colors[n] for n in order], [names[n] for n in order])
    marks.standing_bars(chart, bars, numbers, colors)
    return chart.finished()


_VERTICAL_ROWS = 9  # height of a vertical project name, in rows of text
_TITLES = {
    "kind": "Kind",
    "language": "Language",
    "bucket": "Bucket",
    "should_translate": "Translated",
}
_MEANINGS = {"kind": KINDS, "language": LANGUAGES}


def _with_share(number: int, total: int) -> str:
    share = number / total
    return f"{number:,} ({share:.0%})" if share >= 0.005 else f"{number:,} (<1%)" if number else "0"


def _labelled(by: str, values: count.Groups) -> count.Groups:
    """Return groups of values with their labels as names."""
    labels = {name: f"{meaning} ({name})" for name, meaning in _MEANINGS.get(by, {}).items()}
    if set(values.names) <= {"True", "False", "missing"}:
        labels = {"True": "yes", "False": "no"}
    return replace(values, names=[labels.get(name, name) for name in values.names])


def _colors(chart: Chart, groups: count.Groups) -> list[Any]:
    colors = marks.PALETTE[: len(groups.names) - groups.others]
    return [*colors, chart.others] if groups.others else [*colors]
