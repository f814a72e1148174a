"""Compares successive snapshots: versions of a source, and rows that differ.

Works on tables; the files are read in `snapshot_store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff.equality import Flags, unequal_arrays
from reinfer_nb.diff.matching import places
from reinfer_nb.frames.cells import as_sets
from reinfer_nb.history.tenant_check import tenant
from reinfer_nb.snapshots.snapshot_table import CONTENT, FIELDS, Metadata


def scope(metadata: Metadata) -> tuple[str | None, str | None]:
    """Return the tenant and the project of a snapshot."""
    return tenant(metadata.endpoint), metadata.project


def pairs(
    files: Iterable[tuple[str, Metadata]],
) -> Iterator[tuple[tuple[str, Metadata], tuple[str, Metadata]]]:
    """Yield each two successive snapshots of a scope that have their rows in different files.

    The name in a pair is that of the file with the rows. A snapshot recorded as unchanged may
    differ from its predecessor, if that was recorded later.
    """
    last: dict[tuple[str | None, str | None], tuple[str, Metadata]] = {}
    for name, metadata in files:
        file = metadata.unchanged_since or name
        before = last.get(scope(metadata))
        if before is not None and before[0] != file:
            yield before, (file, metadata)
        last[scope(metadata)] = file, metadata


@dataclass
class Version:
    """A source that is the same in successive snapshots.

    Attributes:
        row: The row in the table.
        first: The time of the first of these snapshots.
        last: The time of the last of these snapshots.
        changed: The fields that differ from the version before.
        gone: The time of the first snapshot without the source; None if the source is still there
            or the next version follows directly.
    """

    row: int
    first: datetime
    last: datetime
    changed: tuple[str, ...]
    gone: datetime | None = None


def versions(files: Sequence[tuple[str, Metadata]], rows: pa.Table) -> Iterator[Version]:
    """Yield the versions of each source.

    Args:
        files: All files of the history, the oldest first.
        rows: The rows of the sources, as `Folder.rows_of` returns them.
    """
    cells = {name: _comparable(rows[name].combine_chunks()).to_pylist() for name in FIELDS}
    owners, ids = rows["owner"].to_pylist(), rows["id"].to_pylist()
    paths = [path.rpartition("date=")[2] for path in rows["__filename"].to_pylist()]
    row_of = {key: row for row, key in enumerate(zip(paths, ids, strict=True))}
    fields_of = {name: [f for f in FIELDS if f in metadata.columns] for name, metadata in files}
    for source in dict.fromkeys(ids):
        version: Version | None = None
        # The row that had a field last. A field that a listing does not have is not a change.
        last: dict[str, int] = {}
        for name, metadata in files:
            at = metadata.snapshot_at
            row = row_of.get(((metadata.unchanged_since or name).removeprefix("date="), source))
            if row is None:
                covered = version and metadata.project in (None, owners[version.row])
                if version is not None and version.gone is None and covered:
                    version.gone = at
                continue
            fields = fields_of[name]
            changed = tuple(f for f in fields if f in last and cells[f][last[f]] != cells[f][row])
            if version is None or version.gone is not None or changed:
                if version is not None:
                    yield version
                version = Version(row, at, at, changed)
            else:
                version.last = at
                if not last.keys() >= set(fields):
                    version.row = row
            last |= dict.fromkeys(fields, row)
        if version is not None:
            yield version


def differing(before: pa.Table, after: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of each table that are not in the other, or differ there."""
    matches = places(before["id"].to_pandas(), after["id"].to_pandas())
    at_after = np.flatnonzero(matches >= 0)
    at_before = matches[at_after]
    differs = np.zeros(len(at_after), dtype=np.bool_)
    for name in CONTENT:
        left, right = before[name].take(pa.array(at_before)), after[name].take(pa.array(at_after))
        differs |= _unequal(left.combine_chunks(), right.combine_chunks())
    deleted = np.setdiff1d(np.arange(len(before)), at_before)
    added = np.flatnonzero(matches < 0)
    rows_before = np.sort(np.concatenate([deleted, at_before[differs]]))
    rows_after = np.sort(np.concatenate([added, at_after[differs]]))
    return before.take(pa.array(rows_before)), after.take(pa.array(rows_after))


def _unequal(left: pa.Array, right: pa.Array) -> Flags:
    """Return a mask of the cells that differ; missing equals missing."""
    left, right = _comparable(left), _comparable(right)
    if pa.types.is_list(left.type):
        # Arrow cannot compare lists: compare their lengths, then the items of equally long lists.
        unequal = unequal_arrays(compute.list_value_length(left), compute.list_value_length(right))
        rows = np.flatnonzero(~unequal)
        left, right = left.take(pa.array(rows)), right.take(pa.array(rows))
        items = unequal_arrays(left.flatten(), right.flatten())
        unequal[rows[np.asarray(compute.list_parent_indices(left))[items]]] = True
        return unequal
    return unequal_arrays(left, right)


def _comparable(values: pa.Array) -> pa.Array:
    """Return an array in which lists with the same items are equal."""
    return as_sets(values) if pa.types.is_list(values.type) else values
