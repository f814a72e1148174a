"""Two listings held against each other: what was added, what was removed, what changed.

Knows nothing of where they came from: a tenant, a CSV file, a snapshot, a filtered piece of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.copies import unshared
from reinfer_nb.csvfile.io import frame_or_file, to_csv
from reinfer_nb.diff import equality
from reinfer_nb.diff.matching import Positions, matched
from reinfer_nb.errors import InvalidInput
from reinfer_nb.pickling import Portable
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import MISSING, cell_text, is_missing
from reinfer_nb.text import counted, hint, listed, more, shown, visible

_IDENTITY = ("id", "owner", "name")
# What differs between two tenants though nobody changed anything.
_OF_A_TENANT = ("bucket_id", "created_at", "updated_at", "last_modified")
_TYPES = {field.name: field.type for field in fields_of(Source)}
# Rows of each kind that are shown; all of them are in the frames.
_SHOWN = 50


def compare(
    before: pd.DataFrame | str | os.PathLike[str],
    after: pd.DataFrame | str | os.PathLike[str],
    on: str | Sequence[str] = "id",
    *,
    ignore: str | Iterable[str] | None = None,
) -> Comparison:
    """Return what differs between two listings.

    >>> before = client.sources()
    >>> _ = client.update_source("claims/motor-inbox", title="Motor")
    >>> compare(before, client.sources()).changed[["owner", "name", "field"]].head(1)
        owner         name  field
    0  claims  motor-inbox  title

    Missing equals missing; the order of rows and columns, the index and dtypes do not matter.

    Args:
        before: A listing: of `Client.sources`, `read_csv`, or a piece of one; or the path of a
            CSV file, which is read as `read_csv` does.
        after: Another one.
        on: The column, or columns, by which a row here is a row there. Between two tenants, whose
            ids differ: `["owner", "name"]`.
        ignore: The column, or columns, that are not compared. By default none where `on` is
            `"id"`, and otherwise what differs between tenants in any case: bucket ids and
            timestamps.

    Raises:
        InvalidInput: A key is missing or there twice, on either side, a column of `on` is not
            there, or one of `ignore` is in neither listing. Nothing is compared then.
        FileProblem: A file could not be read, or is no CSV.
    """
    before, after = (
        frame_or_file(given, f"{side} is a DataFrame or the path of a CSV file")
        for side, given in (("before", before), ("after", after))
    )
    keys = _checked_names(on, "on")
    there = matched(before, after, keys)
    both_after = np.flatnonzero(there >= 0)
    both_before = there[both_after]
    gone = np.ones(len(before), dtype=bool)
    gone[both_before] = False
    if ignore is None:
        ignored = [] if keys == ["id"] else list(_OF_A_TENANT)
    else:
        ignored = _checked_columns(ignore, before, after)
    skipped = {*keys, *_IDENTITY, *ignored}
    shared = [name for name in after.columns if name in before.columns]
    fields = [name for name in shared if name not in skipped]
    pairs = _Pairs(before, after, both_before, both_after)
    return Comparison(
        on=tuple(keys),
        fields=tuple(fields),
        only_before=tuple(name for name in before.columns if name not in after.columns),
        only_after=tuple(name for name in after.columns if name not in before.columns),
        added=after.iloc[np.flatnonzero(there < 0)].reset_index(drop=True),
        removed=before.iloc[np.flatnonzero(gone)].reset_index(drop=True),
        changed=pairs.changed(fields, keys),
        renamed=pairs.renamed([name for name in _IDENTITY if name in shared], keys),
        rows=(len(before), len(after)),
    )


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Portable):
    """What differs between two listings; `compare` makes one, and it shows itself.

    Attributes:
        added: The rows that only the second has, with its columns.
        removed: The rows that only the first has, with its columns.
        changed: One row a changed field: `id`, `owner`, `name` as the second has them, `field`,
            `before`, `after` (dtype `object`, None for missing). These hold values of several
            types, for which Parquet and Feather have no column; `frame` has them as texts.
        renamed: One row a source of another name: `id`, `owner_before`, `name_before`, `owner`,
            `name`; compared on owner and name: of another id, `owner`, `name`, `id_before`, `id`.
        on: The columns by which rows were matched.
        fields: The columns that were compared.
        only_before: Columns that only the first has; not compared.
        only_after: Columns that only the second has; not compared.
        rows: How many rows the two have.
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
        """Whether nothing was added, removed or changed, and, matched by id, nothing renamed."""
        renamed = self.on == ("id",) and len(self.renamed)
        return not (len(self.added) or len(self.removed) or len(self.changed) or renamed)

    @property
    def summary(self) -> pd.DataFrame:
        """Counts by project: `owner` (`str`), `added`, `removed`, `changed`, `renamed` (`int64`).

        Projects in which nothing differs are left out. A source that changed in several fields
        counts once.
        """
        columns = {
            what: df["owner"].value_counts() if "owner" in df else pd.Series(dtype="int64")
            for what, df in self._sources().items()
        }
        table = pd.DataFrame(columns).fillna(0).astype("int64").sort_index()
        return table.rename_axis("owner").reset_index()

    @property
    def frame(self) -> pd.DataFrame:
        """All differences as one table, for a file: a row for each source or changed field.

        Columns: `what` ("changed", "renamed", "added", "removed"), `id`, `owner`, `name`, `field`,
        `before`, `after`; all `str`, missing where there is nothing to say.
        """
        parts = {
            "changed": self.changed,
            "renamed": self._renames(),
            "added": self.added,
            "removed": self.removed,
        }
        columns = [*_IDENTITY, "field", "before", "after"]
        texts = [
            pd.DataFrame({name: _texts_of(part, name) for name in columns}, dtype="str").assign(
                what=what
            )
            for what, part in parts.items()
        ]
        table = pd.concat(texts, ignore_index=True)[["what", *columns]]
        return table.astype("str")

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write `frame` to a CSV file that spreadsheets open as it is, and return its path.

        Args:
            path: The file.
            overwrite: Whether an older file may be replaced.

        Raises:
            FileProblem: There is one already, or it cannot be written; nothing is half-written.
        """
        return to_csv(self.frame, path, overwrite=overwrite)

    def _renames(self) -> pd.DataFrame:
        """Return the renamed ones as changed fields: the full name, or the id."""
        told = self.renamed[[name for name in _IDENTITY if name in self.renamed]].copy()
        news = [name for name in _IDENTITY if f"{name}_before" in self.renamed]
        told["field"] = "full name" if "name" in news else "/".join(news)
        for side, columns in (("before", [f"{name}_before" for name in news]), ("after", news)):
            rows = self.renamed[columns].itertuples(index=False)
            told[side] = pd.Series(["/".join(map(str, row)) for row in rows], dtype=object)
        return told

    def _said(self) -> str:
        said = ", ".join(f"{len(df):,} {what}" for what, df in self._sources().items())
        columns = "".join(
            f" Not compared, since only the {which} has it: {listed(names)}."
            for which, names in (("first", self.only_before), ("second", self.only_after))
            if names
        )
        left, right = self.rows
        return (
            f"{said}; {counted(left, 'row')} before, {right:,} after, matched by "
            f"{' and '.join(map(visible, self.on))}.{columns}"
        )

    def _sources(self) -> dict[str, pd.DataFrame]:
        """Return of each kind one row a source."""
        naming = [name for name in self.changed if name not in ("field", "before", "after")]
        return {
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed.drop_duplicates(naming),
            "renamed": self.renamed,
        }

    def _labels(self, df: pd.DataFrame) -> list[str]:
        """Return what rows are called: by project and name, or by their keys."""
        names = ["owner", "name"] if {"owner", "name"} <= set(df.columns) else list(self.on)
        rows = df[names].itertuples(index=False)
        return ["/".join(cell_text(cell) or "" for cell in row) for row in rows]

    def _lines(self, df: pd.DataFrame) -> list[tuple[str, str, str, str]]:
        """Return of changes the source's name, the field, before and after."""
        told = [
            [MISSING if is_missing(cell) else cell_text(cell) for cell in df[side]]
            for side in ("before", "after")
        ]
        return list(zip(self._labels(df), df["field"], *told, strict=True))

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return it as lines: one a source, one a changed field.

        Args:
            limit: How many of each kind are told; None for all.
        """
        limit = arguments.limit(limit)
        lines = [f"Comparison: {self._said()}"]
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
        """Return it as a piece of HTML: a table of each kind of difference.

        Args:
            limit: How many of each kind are told; None for all.
        """
        limit = arguments.limit(limit)
        parts = [markup.block([markup.tag("b", "Comparison: "), self._said()])]
        heads = ("Source", "Field", "Before", "After")
        for title, df in (("Changed", self.changed), ("Renamed", self._renames())):
            if len(df):
                parts.append(markup.table(heads, self._lines(df[:limit]), title))
                parts += map(markup.muted, more(len(df), limit))
        for title, df in (("Added", self.added), ("Removed", self.removed)):
            if len(df):
                few = df[:limit]
                ids, titles = (
                    [text or "" for text in _texts_of(few, name)] for name in ("id", "title")
                )
                rows = zip(self._labels(few), ids, titles, strict=True)
                parts.append(markup.table(("Source", "Id", "Title"), rows, title))
                parts += map(markup.muted, more(len(df), limit))
        return str(markup.join(parts))

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


class _Pairs:
    """Rows of two frames that belong together, by their positions."""

    def __init__(
        self, before: pd.DataFrame, after: pd.DataFrame, left: Positions, right: Positions
    ) -> None:
        self._before, self._after = before, after
        self._left, self._right = left, right

    def changed(self, fields: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Return one row a changed field, in the order of the second frame's rows."""
        found = [(number, self._differing(name)) for number, name in enumerate(fields)]
        at = np.concatenate([np.empty(0, np.int64), *(places for _, places in found)])
        number = np.repeat([n for n, _ in found], [len(places) for _, places in found])
        order = np.lexsort((number, at))
        at, number = at[order], number[order].astype(np.int64)
        columns = {name: self._named(name, at) for name in self._naming(keys)}
        columns["field"] = pd.Series(np.array(fields, dtype=object)[number], dtype="str")
        sides = {"before": (self._before, self._left), "after": (self._after, self._right)}
        for side, (df, rows) in sides.items():
            cells = [_objects(df[fields[n]].take(rows[places])) for n, places in found]
            values = np.concatenate([np.empty(0, object), *cells])
            columns[side] = pd.Series(values[order], dtype=object)
        return pd.DataFrame(columns)

    def renamed(self, identity: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Return one row a pair of which a part of the identity differs that is no key."""
        others = [name for name in identity if name not in keys]
        differs = [self._differing(name) for name in others]
        at = np.unique(np.concatenate([np.empty(0, np.int64), *differs]))
        columns = {name: self._named(name, at) for name in identity if name in keys}
        for name in others:
            old = self._before[name].take(self._left[at])
            columns[f"{name}_before"] = old.reset_index(drop=True)
        for name in others:
            columns[name] = self._named(name, at)
        return pd.DataFrame(columns)

    def _differing(self, name: str) -> Positions:
        before, after = self._before[name].take(self._left), self._after[name].take(self._right)
        return np.flatnonzero(equality.unequal(before, after, _TYPES.get(name)))

    def _naming(self, keys: Sequence[str]) -> list[str]:
        """Return the columns that say which source is meant."""
        others = [key for key in keys if key not in _IDENTITY]
        return [*others, *(name for name in _IDENTITY if name in self._after.columns)]

    def _named(self, name: str, at: Positions) -> pd.Series:
        return self._after[name].take(self._right[at]).reset_index(drop=True)


def _checked_columns(
    ignore: str | Iterable[str], before: pd.DataFrame, after: pd.DataFrame
) -> list[str]:
    """Return the columns to ignore, each of which at least one of the listings has."""
    names = _checked_names(ignore, "ignore")
    columns = [*after.columns, *before.columns, *_OF_A_TENANT]
    for name in names:
        if name not in columns:
            near = hint(name, dict.fromkeys(map(str, columns)))
            raise InvalidInput(f"ignore names {shown(name)}, which no listing has. {near}")
    return names


def _checked_names(names: object, argument: str) -> list[str]:
    """Return the columns that an argument names, one or several."""
    several = [names] if isinstance(names, str) else names
    if not isinstance(several, Iterable) or isinstance(several, Mapping):
        raise InvalidInput(f"{argument} is a column or a list of columns, not {shown(names)}.")
    columns = list(several)
    for name in columns:
        if not isinstance(name, str):
            raise InvalidInput(f"{argument} names columns by their texts, not {shown(name)}.")
    return columns


def _texts_of(df: pd.DataFrame, name: str) -> list[str | None]:
    """Return the cells of a column as texts, all missing where there is no such column."""
    return list(map(cell_text, df[name])) if name in df else [None] * len(df)


def _objects(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return cells as objects, what is missing as None."""
    cells = np.empty(len(column), dtype=object)
    for place, value in enumerate(column.array):
        cells[place] = None if is_missing(value) else value
    return cells
