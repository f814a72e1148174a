"""Snapshots of listings over time, and what changed between them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb import arguments, dates, markup
from reinfer_nb.dates import When
from reinfer_nb.diff.comparison import Comparison, compare
from reinfer_nb.errors import InvalidInput, ReinferError
from reinfer_nb.frames.cells import full_names
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.history import versions as _versions
from reinfer_nb.history.tenant_check import check_tenant
from reinfer_nb.schema import provenance
from reinfer_nb.schema.added_columns import COMMENTS
from reinfer_nb.schema.provenance import FETCHED_AT, PROJECT
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.snapshots import snapshot_table
from reinfer_nb.snapshots.archive import Archive
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.snapshots.snapshot_store import stamp, stamp_of
from reinfer_nb.snapshots.snapshot_table import FIELDS, Metadata, Snapshot, snapshot_of
from reinfer_nb.text import counted, did_you_mean, listed, nearest_source, shown, visible

__all__ = ["History", "Snapshot"]

# The first columns of a timeline, and the attributes of a version that they show.
_VERSION_COLUMNS = {
    "snapshot_at": "first",
    "last_seen": "last",
    "gone_at": "gone",
    "changed": "changed",
}
_CHANGES = ["snapshot_at", "what", "id", "owner", "name", "field", "before", "after"]


class History:
    """Snapshots of a tenant's listings, in a folder or at an fsspec URL.

    >>> history = History("audits/")
    >>> print(history.record(client.sources(), when="2026-03-01T09:00"))
    130 sources at 2026-03-01 09:00:00 UTC
    >>> _ = client.update_source("claims/motor-inbox", title="Motor")
    >>> _ = history.record(client.sources(), when="2026-03-02T09:00")
    >>> history.timeline("claims/motor-inbox")["title"].to_list()
    ['Motor claims inbox', 'Motor']
    >>> len(history.snapshots()), len(history.load("2026-03-01"))
    (2, 130)

    The files are Parquet, partitioned by date. All have the same columns: those of a listing,
    `num_comments`, `snapshot_at`, and `extra` with further columns as JSON. DuckDB, Dask and Spark
    read all files as one table. Several processes may write at once. A history is of one tenant.

    Args:
        where: The folder, which the first `record` creates; or an fsspec URL such as
            "s3://bucket/audits".
        storage_options: Options that fsspec needs for the URL.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        options: object = {} if storage_options is None else storage_options
        if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
            raise InvalidInput(
                'storage_options is a dict of fsspec options such as {"anon": True}, not '
                f"{shown(storage_options)}."
            )
        self._archive = Archive(where, options)
        self._folder = self._archive.folder

    def record(
        self,
        df: pd.DataFrame | str | os.PathLike[str],
        when: When | None = None,
        *,
        another_tenant: bool = False,
    ) -> Snapshot:
        """Record a listing, and return its snapshot.

        If the last snapshot of the same tenant and project has the same rows, in any order, the
        new file has no rows. Record whole listings: a source that is missing counts as deleted.

        Args:
            df: The listing, with `id`, `owner` and `name` in each row, or its path, as for `audit`.
                Sparse columns become dense.
            when: The time of the listing; by default when it was fetched, or now if that is
                unknown. A time without a zone is UTC. If there is a snapshot of this time already,
                the new one is a microsecond later, as its `at` shows.
            another_tenant: Record the listing even if it is of another tenant than the earlier
                snapshots. Where a listing is from a file, which names no tenant, sources of the
                same names with other ids count as those of another tenant.

        Raises:
            InvalidInput: `df` is not a listing, a value cannot be stored exactly, or the listing
                is of another tenant than the earlier snapshots.
            FileProblem: The file could not be written; nothing was recorded. Or the listing's file
                could not be read.
        """
        df = listing_of(df, "record takes")
        another_tenant = arguments.flag(another_tenant, "another_tenant")
        projects = df.attrs.get(PROJECT)
        if isinstance(projects, list) and len(projects) > 1:
            raise InvalidInput(
                f"This listing is of the projects {listed(map(shown, projects))}, and a snapshot "
                "is of one project or of the whole tenant. Record the listing of each project."
            )
        fetched_at = _fetched_at(df)
        endpoint, project = (
            whole_text(text) if isinstance(text, str) and text else None
            for text in (df.attrs.get("endpoint"), df.attrs.get("project"))
        )
        table, dtypes = snapshot_table.table_of(df)
        metadata = Metadata(
            snapshot_at=fetched_at or datetime.now(UTC) if when is None else dates.moment(when),
            sources=len(df),
            endpoint=endpoint,
            project=project,
            fetched_at=fetched_at,
            digest=snapshot_table.digest_of(table),
            columns=list(df.columns),
            dtypes=dtypes,
        )
        if not another_tenant:
            check_tenant(self._folder, self._archive.newest_first(), endpoint, table)
        while True:
            last = self._last_like(metadata)
            is_same = last is not None and last[1].has_rows_of(metadata)
            if last is not None and is_same and last[1].snapshot_at == metadata.snapshot_at:
                return snapshot_of(*last)
            names = self._folder.names()
            if not any(stamp_of(name).startswith(stamp(metadata.snapshot_at)) for name in names):
                break
            metadata = metadata.a_microsecond_later()
        if last is not None and is_same:
            file = last[1].unchanged_since or last[0]
            metadata = replace(metadata, unchanged_since=file if file in names else None)
        name = self._folder.write(table, metadata)
        self._archive.note(name, metadata)
        return snapshot_of(name, metadata)

    def snapshots(self) -> pd.DataFrame:
        """Return a table of all snapshots, the oldest first.

        Returns:
            `snapshot_at` (`datetime64[us, UTC]`), `sources` (`int64`), `unchanged` (`bool`),
            `endpoint`, `project` (missing for all projects), `path` (`str`).

        Raises:
            FileProblem: A file could not be read.
        """
        rows = [snapshot_of(name, metadata) for name, metadata in self._archive.files()]
        columns = {
            "snapshot_at": pd.Series([row.at for row in rows], dtype=Moment.dtype),
            "sources": pd.Series([row.sources for row in rows], dtype="int64"),
            "unchanged": pd.Series([row.unchanged for row in rows], dtype="bool"),
        }
        for name in ("endpoint", "project", "path"):
            columns[name] = pd.Series([getattr(row, name) for row in rows], dtype="str")
        return pd.DataFrame(columns)

    def load(
        self, when: When | Snapshot | None = None, *, project: str | None = None
    ) -> pd.DataFrame:
        """Return the last listing that was recorded at or before a time.

        Args:
            when: The time: a datetime, a date or an ISO 8601 text. A date means the end of its
                day; a time without a zone is UTC. A `Snapshot` loads exactly that one, None the
                last one.
            project: Return only the sources of this project, from the last snapshot of the project
                or of all projects. Without it, only snapshots of all projects are considered.

        Returns:
            The recorded listing over a `RangeIndex`; its `attrs` hold tenant and time.

        Raises:
            InvalidInput: No snapshot is that old, all are of other projects, or no snapshot at all
                has a source of `project`.
            FileProblem: The file could not be read.
        """
        return self._archive.load(when, project=project)

    def compare(
        self,
        before: When | Snapshot,
        after: When | Snapshot | None = None,
        on: str | Sequence[str] = "id",
        *,
        project: str | None = None,
        ignore: str | Iterable[str] | None = None,
    ) -> Comparison:
        """Return the differences of the listings of two times, as `compare` does.

        Args:
            before: The first time, as `load` takes it.
            after: The second time; None for the last snapshot.
            on: The columns by which rows are matched.
            project: Only the sources of this project.
            ignore: Columns that are not compared; see `compare` on the times of changed sources.

        Raises:
            InvalidInput: There is no snapshot at or before one of the times.
        """
        left, right = (self.load(when, project=project) for when in (before, after))
        return compare(left, right, on, ignore=ignore)

    def timeline(self, source: str) -> pd.DataFrame:
        """Return every version of a source that the snapshots show.

        Args:
            source: Its id, or its full name such as "claims/motor-inbox", which finds every source
                that ever had this name.

        Returns:
            One row per version: `snapshot_at`, the first snapshot with this version; `last_seen`,
            the last one; `gone_at`, the first snapshot without the source (all
            `datetime64[us, UTC]`; `gone_at` is missing if the source is still there or a newer
            version follows); `changed` (`object`, a tuple of the fields that differ from the
            version before); then the columns of a listing. A change of other columns alone, such
            as `num_comments`, makes no new version.

        Raises:
            InvalidInput: No snapshot has this source.
            FileProblem: A file could not be read.
        """
        self._archive.check_references(files := self._archive.files())
        rows = self._folder.rows_of(source, [n for n, m in files if m.unchanged_since is None])
        if not len(rows):
            where, hint = self._folder.where, self._name_hint(source)
            raise InvalidInput(f"No snapshot of {where} has a source {shown(source)}.{hint}")
        versions = list(_versions.versions(files, rows))
        versions.sort(key=lambda version: version.first)
        table = rows.take(pa.array([version.row for version in versions], pa.int64()))
        place = table.schema.get_field_index("position")
        table = table.set_column(place, "position", pa.array(np.arange(len(table))))
        dtypes: dict[str, str] = {}
        for name, dtype in (item for _, metadata in files for item in metadata.dtypes.items()):
            # A column that had several dtypes becomes one of objects.
            if name not in _VERSION_COLUMNS:
                dtypes[name] = dtype if dtypes.get(name, dtype) == dtype else "object"
        is_counted = table[COMMENTS].null_count < len(table)
        columns = [*FIELDS, *([COMMENTS] if is_counted else []), *dtypes]
        metadata = replace(files[-1][1], columns=columns, dtypes=dtypes)
        listing = snapshot_table.frame_of(table, metadata)
        listing.attrs.pop(FETCHED_AT, None)
        for place, (name, attribute) in enumerate(_VERSION_COLUMNS.items()):
            kind = object if name == "changed" else Moment.dtype
            cells = pd.Series([getattr(version, attribute) for version in versions], dtype=kind)
            listing.insert(place, name, cells)
        return listing

    def changes(self, since: When | None = None, *, times: bool = False) -> pd.DataFrame:
        """Return what changed from snapshot to snapshot.

        Args:
            since: Only changes that a snapshot of this time or later shows; a date means the start
                of its day.
            times: Also return `updated_at` and `last_modified` of each changed source. By default,
                these are returned only for sources in which nothing else changed.

        Returns:
            One row per change: `snapshot_at` (`datetime64[us, UTC]`) of the snapshot that shows
            it, `what` ("added", "removed", "changed", "renamed"), `id`, `owner`, `name`, `field`,
            `before`, `after` (`str`). Each snapshot is compared with the one before it of the same
            tenant and project.

        Raises:
            FileProblem: A file could not be read.
        """
        moment = None if since is None else dates.moment(since)
        ignore: Sequence[str] | None = () if arguments.flag(times, "times") else None
        parts = [pd.DataFrame({name: pd.Series(dtype="str") for name in _CHANGES})]
        self._archive.check_references(files := self._archive.files())
        # Keeps each table until the next pair, so that every file is read only once.
        tables: dict[str, pa.Table] = {}
        for (before, old), (after, new) in _versions.pairs(files):
            if moment is not None and new.snapshot_at < moment:
                continue
            left = tables.pop(before, None)
            left = self._folder.tables([before]) if left is None else left
            right = tables[after] = self._folder.tables([after])
            left, right = _versions.differing(left, right)
            listings = snapshot_table.frame_of(left, old), snapshot_table.frame_of(right, new)
            part = compare(*listings, ignore=ignore).frame
            parts.append(part.assign(snapshot_at=new.snapshot_at))
        table = pd.concat(parts, ignore_index=True)[_CHANGES]
        return table.astype(dict.fromkeys(_CHANGES[1:], "str") | {"snapshot_at": Moment.dtype})

    def _last_like(self, snapshot: Metadata) -> tuple[str, Metadata] | None:
        """Return the last file of the same tenant and project, not later than a snapshot."""
        for name, metadata in self._archive.newest_first(snapshot.snapshot_at):
            if _versions.scope(metadata) == _versions.scope(snapshot):
                return name, metadata
        return None

    def _name_hint(self, source: str) -> str:
        """Return a question about a similar full name in the last snapshot, or an empty text."""
        last = islice(self._archive.newest_first(), 1)
        files = [metadata.unchanged_since or name for name, metadata in last]
        table = self._folder.tables(files, ["owner", "name"])
        return did_you_mean(nearest_source(source, full_names(table.to_pandas()).dropna()))

    def _summary(self) -> str:
        try:
            names = self._folder.names()
            if not names:
                return "no snapshots yet"
            endpoints = (metadata.endpoint for _, metadata in self._archive.newest_first())
            endpoint = next((each for each in endpoints if each is not None), None)
        except ReinferError as error:
            return str(error)
        first, last = (name[len("date=") :].partition("/")[0] for name in (names[0], names[-1]))
        of = f" of {visible(endpoint, 200)}" if endpoint else ""
        return f"{counted(len(names), 'snapshot')}{of}, {first} to {last}"

    def __repr__(self) -> str:
        return f"<History in {self._folder.where}: {self._summary()}>"

    def _repr_html_(self) -> str:
        head = markup.tag("b", f"History in {self._folder.where}: ")
        return str(markup.block([head, self._summary()]))


def _fetched_at(df: pd.DataFrame) -> datetime | None:
    """Return when a listing was fetched; None if `attrs` hold no valid time."""
    if isinstance(df.attrs.get(FETCHED_AT), str | datetime):
        with suppress(InvalidInput):
            return provenance.fetched_at(df)
    return None
