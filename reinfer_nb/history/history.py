"""Listings kept over time: how each source came to be what it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from reinfer_nb.errors import FileProblem, InvalidInput, ReinferError
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.history import snapshot_table
from reinfer_nb.history import versions as _versions
from reinfer_nb.history.snapshot_store import Folder, stamp, stamp_of
from reinfer_nb.history.snapshot_table import COUNT, FIELDS, About, Snapshot, snapshot_of
from reinfer_nb.schema import provenance, validation
from reinfer_nb.schema.provenance import FETCHED_AT, PROJECT
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.text import counted, listed, nearest, shown, visible

__all__ = ["History", "Snapshot"]

# The columns of a timeline before those of a listing, and what of a version they hold.
_TOLD = {"snapshot_at": "first", "last_seen": "last", "gone_at": "gone", "changed": "changed"}
_CHANGES = ["snapshot_at", "what", "id", "owner", "name", "field", "before", "after"]

_ANOTHER = (
    "Use another folder for another tenant, or say another_tenant=True (on the command line "
    "--another-tenant)."
)


class History:
    """Listings kept over time, in a folder or behind an fsspec URL.

    >>> history = History("audits/")
    >>> print(history.record(client.sources(), when="2026-03-01T09:00"))
    130 sources at 2026-03-01 09:00:00 UTC
    >>> _ = client.update_source("claims/motor-inbox", title="Motor")
    >>> _ = history.record(client.sources(), when="2026-03-02T09:00")
    >>> history.timeline("claims/motor-inbox")["title"].to_list()
    ['Motor claims inbox', 'Motor']

    What lies there is Parquet, partitioned by date, with the same columns in every file: those of
    a listing, `num_comments`, `snapshot_at` and, for what a listing has beyond, JSON in `extra`.
    DuckDB, Dask and Spark read all of it as one table. A file is there whole or not at all, and
    several may write at once. A history is one tenant's.

    Args:
        where: The folder, which is made when something is recorded; or a URL that fsspec knows,
            such as "s3://bucket/audits".
        storage_options: What fsspec needs for the URL.
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
                'storage_options is a dict such as {"anon": True}, as fsspec takes it, not '
                f"{shown(storage_options)}."
            )
        self._folder = Folder(where, options)
        # Files do not change once they are there.
        self._abouts: dict[str, About] = {}

    def record(
        self, df: pd.DataFrame, when: When | None = None, *, another_tenant: bool = False
    ) -> Snapshot:
        """Keep a listing, and return what was kept.

        A listing that is as the last one of the same tenant and project, whatever the order of
        its rows, is kept as a file without rows. Record whole listings: what is not in a piece of
        one counts as gone.

        Args:
            df: The listing, with `id`, `owner` and `name` in each row. Sparse columns are kept as
                dense ones.
            when: When it was so; by default when it was fetched, and where it does not say, now.
                Without a zone it is UTC. Where something was recorded for this moment before,
                this is recorded a microsecond later; `at` of what is returned says so.
            another_tenant: Record also what is of another tenant than what was recorded before.
                Where a listing from a file does not say of which, other ids of the same names do.

        Raises:
            InvalidInput: It is no listing, a value in it has no exact form in a file, or it is of
                another tenant than what was recorded before.
            FileProblem: It could not be written; nothing is half-written.
        """
        df = validation.check_frame(df, "record takes a DataFrame")
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
        about = About(
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
            self._check_tenant(about.endpoint, table)
        while True:
            last = self._last_before(about)
            is_same = last is not None and last[1].is_as(about)
            if last is not None and is_same and last[1].snapshot_at == about.snapshot_at:
                return snapshot_of(*last)
            names = self._folder.names()
            if not any(stamp_of(name).startswith(stamp(about.snapshot_at)) for name in names):
                break
            # What is recorded later is later, by the smallest step there is.
            about = about.a_step_later()
        if last is not None and is_same:
            of = last[1].unchanged_since or last[0]
            about = replace(about, unchanged_since=of if of in names else None)
        name = self._folder.write(table, about)
        self._abouts[name] = about
        return snapshot_of(name, about)

    def snapshots(self) -> pd.DataFrame:
        """Return what was recorded, the oldest first.

        Returns:
            `snapshot_at` (`datetime64[us, UTC]`), `sources` (`int64`), `unchanged` (`bool`),
            `endpoint`, `project` (missing for all projects), `path` (`str`).

        Raises:
            FileProblem: A file could not be read.
        """
        rows = [snapshot_of(name, about) for name, about in self._all()]
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
        """Return the listing as it was: the last that was recorded until then.

        Args:
            when: Until when: a datetime, a date or an ISO 8601 text; a date means its end, and
                what has no zone is in UTC. A `Snapshot` for exactly what `record` has kept. None
                for the last one of all.
            project: Only the sources of this project, from a listing of it or of all projects,
                whichever is later. Without it only listings of all projects count.

        Returns:
            What was recorded, over a `RangeIndex`, its `attrs` saying tenant and time.

        Raises:
            InvalidInput: Nothing was recorded until then, or only of some projects.
            FileProblem: The file could not be read.
        """
        if project is not None:
            # A frame of somebody's own may have an owner that no tenant has.
            project = arguments.text(project, "project", "claims")
        if isinstance(when, Snapshot):
            name, about = self._recorded(when, project)
        else:
            moment = None if when is None else dates.moment(when, end=True)
            of = (None, project)
            last = next(((n, a) for n, a in self._from_the_last(moment) if a.project in of), None)
            if last is None:
                raise InvalidInput(self._nothing(moment, project))
            name, about = last
        table = self._folder.tables([about.unchanged_since or name])
        df = snapshot_table.frame_of(table, about)
        if project is not None and about.project is None:
            attrs = df.attrs | {"project": project}
            df = df[df["owner"] == project].reset_index(drop=True)
            df.attrs = attrs
        return df

    def compare(
        self,
        before: When | Snapshot,
        after: When | Snapshot | None = None,
        on: str | Sequence[str] = "id",
        *,
        project: str | None = None,
        ignore: str | Iterable[str] | None = None,
    ) -> Comparison:
        """Return what differs between two moments, as `compare` does.

        Args:
            before: The first moment, as `load` takes it.
            after: The second; None for the last snapshot.
            on: The columns by which rows are matched.
            project: Only the sources of this project.
            ignore: Columns that are not compared.

        Raises:
            InvalidInput: Nothing was recorded until one of the moments.
        """
        left, right = (self.load(when, project=project) for when in (before, after))
        return compare(left, right, on, ignore=ignore)

    def timeline(self, source: str) -> pd.DataFrame:
        """Return every version of one source that the snapshots show.

        Args:
            source: Its full name, "claims/motor-inbox", which means each source that ever had it;
                or its id.

        Returns:
            One row a version: `snapshot_at`, the first snapshot that shows it; `last_seen`, the
            last in a row; `gone_at`, the first without it (`datetime64[us, UTC]`, missing where
            it is still there or became another version); `changed` (`object`, a tuple of the
            fields that differ from the version before); then the columns of a listing. A change
            of other columns alone, such as `num_comments`, makes no version.

        Raises:
            InvalidInput: No snapshot has such a source.
            FileProblem: A file could not be read.
        """
        self._check_references(there := self._all())
        rows = self._folder.rows_of(source, [n for n, a in there if a.unchanged_since is None])
        if not len(rows):
            where, near = self._folder.where, self._near(source)
            raise InvalidInput(f"No snapshot of {where} has a source {shown(source)}.{near}")
        versions = list(_versions.versions(there, rows))
        versions.sort(key=lambda version: version.first)
        table = rows.take(pa.array([version.row for version in versions], pa.int64()))
        place = table.schema.get_field_index("position")
        table = table.set_column(place, "position", pa.array(np.arange(len(table))))
        dtypes: dict[str, str] = {}
        for name, kind in (item for _, about in there for item in about.dtypes.items()):
            # A column of several dtypes holds what each of them had.
            if name not in _TOLD:
                dtypes[name] = kind if dtypes.get(name, kind) == kind else "object"
        columns = [*FIELDS, *([COUNT] if table[COUNT].null_count < len(table) else []), *dtypes]
        about = replace(there[-1][1], columns=columns, dtypes=dtypes)
        listing = snapshot_table.frame_of(table, about)
        listing.attrs.pop(FETCHED_AT, None)
        for place, (name, attribute) in enumerate(_TOLD.items()):
            dtype = object if name == "changed" else Moment.dtype
            cells = pd.Series([getattr(v, attribute) for v in versions], dtype=dtype)
            listing.insert(place, name, cells)
        return listing

    def changes(self, since: When | None = None) -> pd.DataFrame:
        """Return what changed from snapshot to snapshot.

        Args:
            since: Only what a snapshot shows from then on; a date means its beginning.

        Returns:
            One row a change: `snapshot_at` (`datetime64[us, UTC]`) of the snapshot that shows it,
            `what` ("added", "removed", "changed", "renamed"), `id`, `owner`, `name`, `field`,
            `before`, `after` (`str`). Each snapshot is held against the one before it of the same
            tenant and project; the first of all is none to compare.

        Raises:
            FileProblem: A file could not be read.
        """
        moment = None if since is None else dates.moment(since)
        parts = [pd.DataFrame({name: pd.Series(dtype="str") for name in _CHANGES})]
        self._check_references(there := self._all())
        # Of each file the rows are read once: it comes after one, and then before another.
        tables: dict[str, pa.Table] = {}
        for (before, old), (after, new) in _versions.pairs(there):
            if moment is not None and new.snapshot_at < moment:
                continue
            left = tables.pop(before, None)
            left = self._folder.tables([before]) if left is None else left
            right = tables[after] = self._folder.tables([after])
            left, right = _versions.differing(left, right)
            part = compare(
                snapshot_table.frame_of(left, old), snapshot_table.frame_of(right, new)
            ).frame
            parts.append(part.assign(snapshot_at=new.snapshot_at))
        table = pd.concat(parts, ignore_index=True)[_CHANGES]
        return table.astype(dict.fromkeys(_CHANGES[1:], "str") | {"snapshot_at": Moment.dtype})

    # What is there

    def _all(self) -> list[tuple[str, About]]:
        names = self._folder.names()
        self._abouts |= self._folder.abouts([name for name in names if name not in self._abouts])
        return [(name, self._abouts[name]) for name in names]

    def _from_the_last(self, until: datetime | None = None) -> Iterator[tuple[str, About]]:
        """Yield what is there, the latest first, and read no more of it than is taken."""
        end = "~" if until is None else stamp(until) + "~"
        for name in reversed(self._folder.names()):
            if stamp_of(name) < end:
                if name not in self._abouts:
                    self._abouts[name] = self._folder.about(name)
                yield name, self._abouts[name]

    def _last_before(self, like: About) -> tuple[str, About] | None:
        """Return the last snapshot until then of the same tenant and project."""
        for name, about in self._from_the_last(like.snapshot_at):
            if _versions.scope(about) == _versions.scope(like):
                return name, about
        return None

    def _check_references(self, there: list[tuple[str, About]]) -> None:
        names = {None, *(name for name, _ in there)}
        for name, about in there:
            if about.unchanged_since not in names:
                lost = visible(self._folder.path(str(about.unchanged_since)), 300)
                raise FileProblem(
                    f"{lost} is gone; it was removed, and has the rows of {name}, which was "
                    "unchanged since."
                )

    def _recorded(self, snapshot: Snapshot, project: str | None) -> tuple[str, About]:
        """Return the file of one snapshot."""
        if snapshot.path not in self._folder.names():
            raise InvalidInput(f"{self._folder.where} has no such snapshot: {snapshot}.")
        about = self._folder.about(snapshot.path)
        if project is not None and about.project not in (None, project):
            raise InvalidInput(f"This snapshot is of another project: {snapshot}.")
        return snapshot.path, about

    def _check_tenant(self, endpoint: str | None, table: pa.Table) -> None:
        is_of_another: bool | None = None
        for name, about in self._from_the_last():
            if about.endpoint is None or endpoint is None:
                # A listing from a file does not say of which tenant it is. Its sources tell: the
                # last snapshot that has some of them decides.
                if is_of_another is None and about.sources and len(table):
                    file = about.unchanged_since or name
                    earlier = self._folder.tables([file], ["id", "owner", "name"])
                    is_of_another = _versions.is_of_another(earlier, table)
                if is_of_another:
                    raise InvalidInput(
                        f"{self._folder.where} has sources of the same names under other ids: this "
                        f"listing may be of another tenant. {_ANOTHER}"
                    )
                if is_of_another is False and endpoint is None:
                    return
                continue
            is_same = _versions.tenant(about.endpoint) == _versions.tenant(endpoint)
            if is_same and about.endpoint != endpoint and about.sources and len(table):
                # Of practice tenants, which have other ports each time, the sources tell.
                ids = self._folder.tables([about.unchanged_since or name], ["id"])["id"]
                is_same = bool(set(ids.to_pylist()) & set(table["id"].to_pylist()))
            if not is_same:
                raise InvalidInput(
                    f"This history is of {visible(about.endpoint, 200)}, and the listing of "
                    f"{visible(endpoint, 200)}. {_ANOTHER}"
                )
            return

    def _near(self, source: str) -> str:
        """Return a hint at a full name that the last snapshot has."""
        files = [about.unchanged_since or name for name, about in islice(self._from_the_last(), 1)]
        table = self._folder.tables(files, ["owner", "name"])
        near = nearest(source, (f"{row['owner']}/{row['name']}" for row in table.to_pylist()))
        return f" Did you mean {visible(near)}?" if near else ""

    def _nothing(self, moment: datetime | None, project: str | None) -> str:
        where, there = self._folder.where, self._all()
        if not there:
            return f"Nothing was recorded in {where} yet."
        whole = [about.snapshot_at for _, about in there if about.project in (None, project)]
        if whole:
            return f"Nothing was recorded in {where} until {moment}; the first was at {min(whole)}."
        projects = sorted({about.project for _, about in there if about.project is not None})
        return (
            f"{where} has only listings of the projects {listed(map(visible, projects))}; "
            "say which with project=."
        )

    def _said(self) -> str:
        try:
            names = self._folder.names()
            if not names:
                return "nothing recorded yet"
            tenants = (about.endpoint for _, about in self._from_the_last())
            tenant = next((endpoint for endpoint in tenants if endpoint is not None), None)
        except ReinferError as error:
            return str(error)
        first, last = (name[len("date=") :].partition("/")[0] for name in (names[0], names[-1]))
        of = f" of {visible(tenant, 200)}" if tenant else ""
        return f"{counted(len(names), 'snapshot')}{of}, {first} to {last}"

    def __repr__(self) -> str:
        return f"<History in {self._folder.where}: {self._said()}>"

    def _repr_html_(self) -> str:
        head = markup.tag("b", f"History in {self._folder.where}: ")
        return str(markup.block([head, self._said()]))


def _fetched_at(df: pd.DataFrame) -> datetime | None:
    """Return when a listing was fetched; None where `attrs` do not hold an exact time."""
    if isinstance(df.attrs.get(FETCHED_AT), str | datetime):
        with suppress(InvalidInput):
            return provenance.fetched_at(df)
    return None
