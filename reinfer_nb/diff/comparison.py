"""Compare two listings and report added, removed, changed and renamed sources.

The listings may come from a tenant, a file or a snapshot, and may be parts of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.copies import unshared
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.diff.matching import joined, matched
from reinfer_nb.diff.paired_rows import IDENTITY, Pairs
from reinfer_nb.errors import InvalidInput
from reinfer_nb.excelfile.io import write_sheets
from reinfer_nb.pickling import Portable
from reinfer_nb.schema.value_types import cell_text, shown_cell
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.text import counted, hint, listed, more, shown, visible

# Columns that always differ between two tenants.
_TENANT_SPECIFIC = ("bucket_id", "created_at", "updated_at", "last_modified")
# Fields that every change of a source changes too.
_TIMES = ("updated_at", "last_modified")
# How many rows of each kind are shown; the frames hold all of them.
_SHOWN = 50


def compare(
    before: pd.DataFrame | str | os.PathLike[str],
    after: pd.DataFrame | str | os.PathLike[str],
    on: str | Sequence[str] = "id",
    *,
    ignore: str | Iterable[str] | None = None,
) -> Comparison:
    """Compare two listings and return their differences.

    >>> before = client.sources()
    >>> _ = client.update_source("claims/motor-inbox", title="Motor")
    >>> compare(before, client.sources()).changed[["owner", "name", "field"]]
        owner         name  field
    0  claims  motor-inbox  title

    Missing equals missing; the order of rows and columns, the index and dtypes do not matter. Every
    change of a source also changes its `updated_at` and `last_modified`. So by default these two
    are reported only for sources in which nothing else differs.

    Args:
        before: A listing from `Client.sources` or `read_csv`, or a part of one; or a path, as for
            `audit`: "sources.csv", "audits/", "audits/@2026-03-01".
        after: Another listing or path.
        on: The column, or columns, by which rows are matched. Between two tenants, whose ids
            differ, use `["owner", "name"]`.
        ignore: The column, or columns, that are not compared; all others are, and every difference
            is reported: `ignore=()` also reports the times of each changed source. By default no
            column is ignored if `on` is `"id"`, otherwise those that always differ between tenants:
            bucket ids and timestamps.

    Raises:
        InvalidInput: A key is missing or not unique in a listing, a listing lacks a column of
            `on`, neither listing has a column of `ignore`, or a history has no snapshot that old.
        FileProblem: A file could not be read or is of another type.
    """
    before, after = listing_of(before, "before must be"), listing_of(after, "after must be")
    keys = _checked_names(on, "on")
    positions = matched(before, after, keys)
    both_after = np.flatnonzero(positions >= 0)
    both_before = positions[both_after]
    removed = np.ones(len(before), dtype=bool)
    removed[both_before] = False
    if ignore is None:
        ignored = [] if keys == ["id"] else list(_TENANT_SPECIFIC)
    else:
        ignored = _checked_columns(ignore, before, after)
    skipped = {*keys, *IDENTITY, *ignored}
    shared = [name for name in after.columns if name in before.columns]
    fields = [name for name in shared if name not in skipped]
    pairs = Pairs(before, after, both_before, both_after)
    implied = _TIMES if ignore is None else ()
    identity = [name for name in IDENTITY if name in shared]
    renamed = pairs.renamed([name for name in identity if name not in keys])
    return Comparison(
        on=tuple(keys),
        fields=tuple(fields),
        only_before=tuple(name for name in before.columns if name not in after.columns),
        only_after=tuple(name for name in after.columns if name not in before.columns),
        added=after.iloc[np.flatnonzero(positions < 0)].reset_index(drop=True),
        removed=before.iloc[np.flatnonzero(removed)].reset_index(drop=True),
        changed=pairs.changes(fields, keys, implied, renamed),
        renamed=pairs.renames(identity, keys, renamed),
        rows=(len(before), len(after)),
    )


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Portable):
    """The differences found by `compare`, displayed as tables in notebooks, as text elsewhere.

    >>> before = client.sources()
    >>> _ = client.update_source("claims/motor-inbox", title="Motor")
    >>> comparison = compare(before, client.sources())
    >>> comparison.ok, len(comparison.changed)
    (False, 1)
    >>> comparison.summary
        owner  added  removed  changed  renamed
    0  claims      0        0        1        0
    >>> print(comparison.to_text())
    Comparison: 0 added, 0 removed, 1 changed, 0 renamed; 130 rows before, 130 after, matched by id.
    ~ claims/motor-inbox title: Motor claims inbox -> Motor

    Attributes:
        added: The rows that are only in the second listing, with its columns.
        removed: The rows that are only in the first listing, with its columns.
        changed: One row per changed field: `id`, `owner`, `name` from the second listing, `field`,
            `before`, `after` (dtype `object`, None for missing). The last two hold values of
            several types, which Parquet and Feather cannot store; `frame` has them as texts. See
            `compare` on when `updated_at` and `last_modified` are among the fields.
        renamed: One row per renamed source: `id`, `owner_before`, `name_before`, `owner`, `name`.
            If rows were matched by owner and name, one row per source with another id: `owner`,
            `name`, `id_before`, `id`.
        on: The columns by which rows were matched.
        fields: The columns that were compared.
        only_before: Columns that only the first listing has; not compared.
        only_after: Columns that only the second listing has; not compared.
        rows: The number of rows of both listings.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame
    renamed: pd.DataFrame
    on: tuple[str, ...]
    fields: tuple[str, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    rows: tuple[int, int]

    @property
    def ok(self) -> bool:
        """True if no source was added, removed, changed or, if matched by id, renamed."""
        renamed = self.on == ("id",) and len(self.renamed)
        return not (len(self.added) or len(self.removed) or len(self.changed) or renamed)

    @property
    def summary(self) -> pd.DataFrame:
        """Counts by project: `owner` (`str`), `added`, `removed`, `changed`, `renamed` (`int64`).

        Projects without differences are left out. A source that changed in several fields counts
        once.
        """
        columns = {
            kind: df["owner"].value_counts() if "owner" in df else pd.Series(dtype="int64")
            for kind, df in self._sources().items()
        }
        table = pd.DataFrame(columns).fillna(0).astype("int64").sort_index()
        return table.rename_axis("owner").reset_index()

    @property
    def frame(self) -> pd.DataFrame:
        """All differences as one table, for a file: one row per source or changed field.

        Columns: `what` ("changed", "renamed", "added", "removed"), `id`, `owner`, `name`, `field`,
        `before`, `after`; all `str`, missing where there is no value.
        """
        parts = {
            "changed": self.changed,
            "renamed": self._renames(),
            "added": self.added,
            "removed": self.removed,
        }
        columns = [*IDENTITY, "field", "before", "after"]
        texts = [
            pd.DataFrame({name: _texts_of(part, name) for name in columns}, dtype="str").assign(
                what=kind
            )
            for kind, part in parts.items()
        ]
        table = pd.concat(texts, ignore_index=True)[["what", *columns]]
        return table.astype("str")

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write `frame` to a CSV file that spreadsheets open as it is, and return its path.

        Args:
            path: The file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            FileProblem: The file exists or cannot be written; no partial file is left.
        """
        return to_csv(self.frame, path, overwrite=overwrite)

    def to_excel(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the differences to an Excel workbook, and return its path.

        The worksheets are "summary", with the counts by project, "added" and "removed", with the
        columns of the listings, and "changed" and "renamed", with texts before and after.

        >>> before = client.sources()
        >>> compare(before, before.iloc[1:]).to_excel("changes.xlsx").name
        'changes.xlsx'

        Args:
            path: The file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            ConfigurationError: XlsxWriter is not installed: `pip install 'reinfer_nb[excel]'`.
            InvalidInput: A worksheet cannot hold a value, as in `to_excel`.
            FileProblem: The file exists or cannot be written; no partial file is left.
        """
        texts = {
            side: pd.array(_texts_of(self.changed, side), dtype="str")
            for side in ("before", "after")
        }
        sheets = {
            "summary": self.summary,
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed.assign(**texts),
            "renamed": self.renamed,
        }
        return write_sheets(sheets, path, overwrite=overwrite)

    def _renames(self) -> pd.DataFrame:
        """Return the renamed sources in the form of `changed`; the field is the full name or id."""
        table = self.renamed[[name for name in IDENTITY if name in self.renamed]].copy()
        names = [name for name in IDENTITY if f"{name}_before" in self.renamed]
        table["field"] = "full name" if "name" in names else "/".join(names)
        for side, columns in (("before", [f"{name}_before" for name in names]), ("after", names)):
            table[side] = pd.Series(joined(self.renamed, columns), dtype=object)
        return table

    def _headline(self) -> str:
        counts = ", ".join(f"{len(df):,} {kind}" for kind, df in self._sources().items())
        columns = "".join(
            f" Not compared, since only the {side} listing has it: {listed(names)}."
            for side, names in (("first", self.only_before), ("second", self.only_after))
            if names
        )
        left, right = self.rows
        return (
            f"{counts}; {counted(left, 'row')} before, {right:,} after, matched by "
            f"{' and '.join(map(visible, self.on))}.{columns}"
        )

    def _sources(self) -> dict[str, pd.DataFrame]:
        """Return one row per source for each kind of difference."""
        naming = [name for name in self.changed if name not in ("field", "before", "after")]
        return {
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed.drop_duplicates(naming),
            "renamed": self.renamed,
        }

    def _labels(self, df: pd.DataFrame) -> list[str]:
        """Return the labels of rows: project and name, or the keys."""
        return joined(df, ["owner", "name"] if {"owner", "name"} <= set(df.columns) else self.on)

    def _lines(self, df: pd.DataFrame) -> list[tuple[str, str, str, str]]:
        """Return the source's label, the field, before and after of each change."""
        sides = (map(shown_cell, df[side]) for side in ("before", "after"))
        return list(zip(self._labels(df), df["field"], *sides, strict=True))

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return the differences as text: one line per source or changed field.

        Args:
            limit: The maximum number of lines of each kind; None for all.
        """
        limit = arguments.limit(limit)
        lines = [f"Comparison: {self._headline()}"]
        for sign, df in (("+", self.added), ("-", self.removed)):
            lines += [f"{sign} {visible(name, 120)}" for name in self._labels(df[:limit])]
            lines += more(len(df), limit)
        for df in (self.changed, self._renames()):
            lines += [
                f"~ {visible(name, 120)} {visible(field)}: {visible(old, 80)} -> {visible(new, 80)}"
                for name, field, old, new in self._lines(df[:limit])
            ]
            lines += more(len(df), limit)
        return "\n".join(lines)

    def to_html(self, limit: int | None = _SHOWN) -> str:
        """Return the differences as HTML: one table for each kind.

        Args:
            limit: The maximum number of rows of each kind; None for all.
        """
        limit = arguments.limit(limit)
        parts = [markup.block([markup.tag("b", "Comparison: "), self._headline()])]
        heads = ("Source", "Field", "Before", "After")
        for title, df in (("Changed", self.changed), ("Renamed", self._renames())):
            if len(df):
                parts.append(markup.table(heads, self._lines(df[:limit]), title))
                parts += map(markup.muted, more(len(df), limit))
        for title, df in (("Added", self.added), ("Removed", self.removed)):
            if len(df):
                first = df[:limit]
                ids, titles = (
                    [text or "" for text in _texts_of(first, name)] for name in ("id", "title")
                )
                rows = zip(self._labels(first), ids, titles, strict=True)
                parts.append(markup.table(("Source", "Id", "Title"), rows, title))
                parts += map(markup.muted, more(len(df), limit))
        return str(markup.join(parts))

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def _checked_columns(
    ignore: str | Iterable[str], before: pd.DataFrame, after: pd.DataFrame
) -> list[str]:
    """Return the columns to ignore; at least one of the listings must have each of them."""
    names = _checked_names(ignore, "ignore")
    columns = [*after.columns, *before.columns, *_TENANT_SPECIFIC]
    for name in names:
        if name not in columns:
            advice = hint(name, dict.fromkeys(map(str, columns)))
            raise InvalidInput(f"Unknown column {shown(name)} in ignore. {advice}")
    return names


def _checked_names(names: object, argument: str) -> list[str]:
    """Return the names of an argument that takes one column or several."""
    if isinstance(names, str):
        return [names]
    if not isinstance(names, Iterable) or isinstance(names, Mapping):
        raise InvalidInput(f"{argument} must be a column or a list of columns, not {shown(names)}.")
    columns = list(names)
    for name in columns:
        if not isinstance(name, str):
            raise InvalidInput(f"{argument} must hold names of columns, not {shown(name)}.")
    return columns


def _texts_of(df: pd.DataFrame, name: str) -> list[str | None]:
    """Return the cells of a column as texts; all missing if the frame has no such column."""
    return list(map(cell_text, df[name])) if name in df else [None] * len(df)
