"""What snapshots in a row tell: which belong together, and the versions of a source in them.

Knows no files; `_snapshot_files` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff.equality import as_sets
from reinfer_nb.history.snapshot_table import CONTENT, FIELDS, About

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def tenant(endpoint: str | None) -> str | None:
    """Return what tells tenants apart: a practice tenant has another port each time."""
    try:
        host = urlsplit(endpoint).hostname if endpoint else None
    except ValueError:  # It is none, and like no other.
        return endpoint
    return "loopback" if host in _LOOPBACK else endpoint


def is_of_another(before: pa.Table, after: pa.Table) -> bool | None:
    """Return whether two listings are of different tenants, as far as their sources tell.

    In another tenant sources may have the same names, and never the same ids. None if the listings
    have neither an id nor a name in common.
    """
    ids = [set(table["id"].to_pylist()) for table in (before, after)]
    if not ids[0].isdisjoint(ids[1]):
        return False
    names = [
        set(zip(table["owner"].to_pylist(), table["name"].to_pylist(), strict=True))
        for table in (before, after)
    ]
    return None if names[0].isdisjoint(names[1]) else True


def scope(about: About) -> tuple[str | None, str | None]:
    """Return the tenant and the project that a snapshot is of."""
    return tenant(about.endpoint), about.project


def pairs(
    there: Iterable[tuple[str, About]],
) -> Iterator[tuple[tuple[str, About], tuple[str, About]]]:
    """Yield the files that have the rows of snapshots, each behind another one of the same scope.

    A snapshot that was unchanged when it was recorded is none any more where another was recorded
    before it since.
    """
    last: dict[tuple[str | None, str | None], tuple[str, About]] = {}
    for name, about in there:
        file = about.unchanged_since or name
        before = last.get(scope(about))
        if before is not None and before[0] != file:
            yield before, (file, about)
        last[scope(about)] = file, about


@dataclass
class Version:
    """A source as some snapshots in a row show it.

    Attributes:
        row: Its row in the table.
        first: The first of those snapshots.
        last: The last of them.
        changed: The fields that differ from the version before.
        gone: The first snapshot without the source.
    """

    row: int
    first: datetime
    last: datetime
    changed: tuple[str, ...]
    gone: datetime | None = None


def versions(there: Sequence[tuple[str, About]], rows: pa.Table) -> Iterator[Version]:
    """Yield the versions of each source in a table of rows with their files."""
    content = {name: _comparable(rows[name].combine_chunks()).to_pylist() for name in FIELDS}
    owners, ids = rows["owner"].to_pylist(), rows["id"].to_pylist()
    files = [path.rpartition("date=")[2] for path in rows["__filename"].to_pylist()]
    where = {key: row for row, key in enumerate(zip(files, ids, strict=True))}
    told = {name: [field for field in FIELDS if field in about.columns] for name, about in there}
    for source in dict.fromkeys(ids):
        version: Version | None = None
        fields: list[str] = []
        for name, about in there:
            at = about.snapshot_at
            row = where.get(((about.unchanged_since or name).removeprefix("date="), source))
            if row is None:
                covered = version and about.project in (None, owners[version.row])
                if version is not None and version.gone is None and covered:
                    version.gone = at
                continue
            # A listing that lacks a field does not say that it changed.
            shared = [field for field in told[name] if field in fields]
            changed = tuple(
                f for f in shared if version and content[f][version.row] != content[f][row]
            )
            if version is None or version.gone is not None or changed:
                if version is not None:
                    yield version
                version, fields = Version(row, at, at, changed), told[name]
            else:
                version.last = at
                if len(shared) < len(told[name]):
                    version.row, fields = row, told[name]
        if version is not None:
            yield version


def differing(before: pa.Table, after: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of two tables that the other has not, or not so."""
    there = compute.index_in(after["id"], value_set=before["id"].combine_chunks())
    both = np.asarray(compute.is_valid(there), dtype=np.bool_)
    at_after = np.flatnonzero(both)
    at_before = np.asarray(there.filter(pa.array(both)), dtype=np.int64)
    differs = np.zeros(len(at_after), dtype=np.bool_)
    for name in CONTENT:
        left, right = before[name].take(pa.array(at_before)), after[name].take(pa.array(at_after))
        differs |= _unequal(left.combine_chunks(), right.combine_chunks())
    gone = np.setdiff1d(np.arange(len(before)), at_before)
    new = np.flatnonzero(~both)
    rows_before = np.sort(np.concatenate([gone, at_before[differs]]))
    rows_after = np.sort(np.concatenate([new, at_after[differs]]))
    return before.take(pa.array(rows_before)), after.take(pa.array(rows_after))


def _unequal(left: pa.Array, right: pa.Array) -> Any:
    """Return where two arrays differ; missing equals missing."""
    left, right = _comparable(left), _comparable(right)
    if pa.types.is_list(left.type):
        # Arrow compares no lists: first their lengths, then what is in those as long as each other.
        differ = _unequal(compute.list_value_length(left), compute.list_value_length(right))
        rows = np.flatnonzero(~differ)
        left, right = left.take(pa.array(rows)), right.take(pa.array(rows))
        items = _unequal(left.flatten(), right.flatten())
        differ[rows[np.asarray(compute.list_parent_indices(left))[items]]] = True
        return differ
    unequal = compute.fill_null(compute.not_equal(left, right), fill_value=True)
    missing = compute.and_(compute.is_null(left), compute.is_null(right))
    return np.array(compute.and_not(unequal, missing), dtype=np.bool_)


def _comparable(values: pa.Array) -> pa.Array:
    """Return an array in which equal values mean the same: lists are sets."""
    return as_sets(values) if pa.types.is_list(values.type) else values
