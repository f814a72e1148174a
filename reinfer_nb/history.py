"""Listings kept over time: how each source came to be what it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb import _snapshots, _versions, checks, markup, moments
from reinfer_nb._snapshots import FIELDS, About, Folder
from reinfer_nb.comparing import Comparison, compare
from reinfer_nb.errors import InvalidInput, ReinferError
from reinfer_nb.moments import When
from reinfer_nb.text import counted, listed, shown, visible
from reinfer_nb.value_types import Moment

_COUNT = "num_comments"
_CHANGES = ["snapshot_at", "what", "id", "owner", "name", "field", "before", "after"]


@dataclass(frozen=True)
class Snapshot:
    """A listing that was recorded.

    Attributes:
        at: When it was so.
        sources: How many there were.
        unchanged: Whether it was as the one before, so that no rows were written.
        endpoint: The tenant; None where the listing did not say.
        project: The project it is of; None for all that the token saw.
        path: Its file, within the history.
    """

    at: datetime
    sources: int
    unchanged: bool
    endpoint: str | None
    project: str | None
    path: str

    def __str__(self) -> str:
        of = f" of {visible(self.project)}" if self.project else ""
        state = ", unchanged" if self.unchanged else ""
        return f"{counted(self.sources, 'source')}{of} at {self.at:%Y-%m-%d %H:%M:%S} UTC{state}"


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
        if not os.fspath(where):
            raise InvalidInput("A history is in a folder such as 'audits/', or behind a URL.")
        self._where = str(os.fspath(where))
        self._options = dict(storage_options or {})
        # Files do not change once they are there.
        self._abouts: dict[str, About] = {}

    @cached_property
    def _folder(self) -> Folder:
        return Folder(self._where, self._options)

    def record(self, df: pd.DataFrame, when: When | None = None) -> Snapshot:
        """Keep a listing, and return what was kept.

        A listing that is as the last one of the same tenant and project, whatever the order of
        its rows, is kept as a file without rows. Record whole listings: what is not in a piece of
        one counts as gone.

        Args:
            df: The listing, with `id`, `owner` and `name` in each row.
            when: When it was so; by default when it was fetched, and where it does not say, now.
                Without a zone it is UTC.

        Raises:
            InvalidInput: It is no listing, a value in it has no exact form in a file, or it is of
                another tenant than what was recorded before.
            FileProblem: It could not be written; nothing is half-written.
        """
        if not isinstance(df, pd.DataFrame):
            raise InvalidInput(f"record takes a DataFrame, not {shown(df)}.")
        fetched_at = df.attrs.get("fetched_at")
        fetched_at = fetched_at if isinstance(fetched_at, datetime) else None
        at = moments.moment(when if when is not None else fetched_at or datetime.now(UTC))
        endpoint, project = (df.attrs.get(name) for name in ("endpoint", "project"))
        table, dtypes = _snapshots.table_of(df, at)
        about = About(
            snapshot_at=at,
            sources=len(df),
            endpoint=endpoint if isinstance(endpoint, str) else None,
            project=project if isinstance(project, str) else None,
            fetched_at=fetched_at,
            digest=_snapshots.digest_of(table),
            columns=[str(name) for name in df.columns],
            dtypes=dtypes,
        )
        self._check_tenant(about.endpoint)
        last = self._last_before(at, about)
        if last is not None:
            name, known = last
            of = known.unchanged_since or name
            same = (known.digest, known.columns, known.dtypes)
            if same == (about.digest, about.columns, about.dtypes):
                if known.snapshot_at == at:
                    return _snapshot(name, known)
                about = replace(about, unchanged_since=of)
                table = table.slice(0, 0)
            elif known.snapshot_at == at:
                # What is recorded later is later, to the smallest step there is.
                at += timedelta(microseconds=1)
                about = replace(about, snapshot_at=at)
                stamps = pa.array([at] * len(table), table.schema.field(0).type)
                table = table.set_column(0, "snapshot_at", stamps)
        name = self._folder.write(table, about)
        self._abouts[name] = about
        return _snapshot(name, about)

    def snapshots(self) -> pd.DataFrame:
        """Return what was recorded, the oldest first.

        Returns:
            `snapshot_at` (`datetime64[us, UTC]`), `sources` (`int64`), `unchanged` (`bool`),
            `endpoint`, `project` (missing for all projects), `path` (`str`).

        Raises:
            FileProblem: A file could not be read.
        """
        rows = [_snapshot(name, about) for name, about in self._all()]
        columns = {
            "snapshot_at": pd.Series([row.at for row in rows], dtype=Moment.dtype),
            "sources": pd.Series([row.sources for row in rows], dtype="int64"),
            "unchanged": pd.Series([row.unchanged for row in rows], dtype="bool"),
        }
        for name in ("endpoint", "project", "path"):
            columns[name] = pd.Series([getattr(row, name) for row in rows], dtype="str")
        return pd.DataFrame(columns)

    def load(self, when: When | None = None, *, project: str | None = None) -> pd.DataFrame:
        """Return the listing as it was: the last that was recorded until then.

        Args:
            when: Until when: a datetime, a date or an ISO 8601 text; a date means its end, and
                what has no zone is in UTC. None for the last one of all.
            project: Only the sources of this project, from a listing of it or of all projects,
                whichever is later. Without it only listings of all projects count.

        Returns:
            What was recorded, over a `RangeIndex`, its `attrs` saying tenant and time.

        Raises:
            InvalidInput: Nothing was recorded until then, or only of some projects.
            FileProblem: The file could not be read.
        """
        moment = None if when is None else moments.moment(when, end=True)
        there = self._all()
        early = [(n, a) for n, a in there if moment is None or a.snapshot_at <= moment]
        fitting = [(n, a) for n, a in early if a.project is None or a.project == project]
        if not fitting:
            raise InvalidInput(self._nothing(there, moment, project))
        name, about = fitting[-1]
        table = self._folder.tables([about.unchanged_since or name])
        df = _snapshots.frame_of(table, about)
        if project is not None and about.project is None:
            attrs = df.attrs | {"project": project}
            df = df[df["owner"] == project].reset_index(drop=True)
            df.attrs = attrs
        return df

    def compare(
        self,
        before: When,
        after: When | None = None,
        on: str | Sequence[str] = "id",
        *,
        project: str | None = None,
        ignore: Iterable[str] | None = None,
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
        there = self._all()
        kept = [name for name, about in there if about.unchanged_since is None]
        rows = self._rows_of(source, kept)
        if not len(rows):
            raise InvalidInput(
                f"No snapshot of {visible(self._where, 100)} has a source {shown(source)}."
            )
        versions = list(_versions.versions(there, rows))
        versions.sort(key=lambda version: version.first)
        table = rows.take(pa.array([version.row for version in versions], pa.int64()))
        place = table.schema.get_field_index("position")
        table = table.set_column(place, "position", pa.array(np.arange(len(table))))
        dtypes = {key: kind for _, about in there for key, kind in about.dtypes.items()}
        columns = [*FIELDS, *([_COUNT] if table[_COUNT].null_count < len(table) else []), *dtypes]
        about = replace(there[-1][1], columns=columns, dtypes=dtypes)
        listing = _snapshots.frame_of(table, about)
        moments = {
            "snapshot_at": [version.first for version in versions],
            "last_seen": [version.last for version in versions],
            "gone_at": [version.gone for version in versions],
        }
        told: dict[str, Any] = {k: pd.Series(v, dtype=Moment.dtype) for k, v in moments.items()}
        told["changed"] = pd.Series([version.changed for version in versions], dtype=object)
        return pd.concat([pd.DataFrame(told), listing], axis=1)

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
        moment = None if since is None else moments.moment(since)
        parts = [pd.DataFrame({name: pd.Series(dtype="str") for name in _CHANGES})]
        for pair in _versions.pairs(self._all()):
            (before, old), (after, new) = pair
            if moment is not None and new.snapshot_at < moment:
                continue
            tables = [self._folder.tables([name]) for name in (before, after)]
            left, right = _snapshots.differing(*tables)
            part = compare(_snapshots.frame_of(left, old), _snapshots.frame_of(right, new)).frame()
            parts.append(part.assign(snapshot_at=new.snapshot_at))
        table = pd.concat(parts, ignore_index=True)[_CHANGES]
        return table.astype(dict.fromkeys(_CHANGES[1:], "str") | {"snapshot_at": Moment.dtype})

    # What is there

    def _all(self) -> list[tuple[str, About]]:
        names = self._folder.names()
        for name in names:
            if name not in self._abouts:
                self._abouts[name] = self._folder.about(name)
        return [(name, self._abouts[name]) for name in names]

    def _from_the_last(self) -> Iterator[tuple[str, About]]:
        for name in reversed(self._folder.names()):
            if name not in self._abouts:
                self._abouts[name] = self._folder.about(name)
            yield name, self._abouts[name]

    def _last_before(self, at: datetime, like: About) -> tuple[str, About] | None:
        """Return the last snapshot until then of the same tenant and project."""
        for name, about in self._from_the_last():
            if about.snapshot_at <= at and _versions.scope(about) == _versions.scope(like):
                return name, about
        return None

    def _check_tenant(self, endpoint: str | None) -> None:
        if endpoint is None:
            return
        for _, about in self._from_the_last():
            if about.endpoint is not None:
                if _versions.tenant(about.endpoint) != _versions.tenant(endpoint):
                    raise InvalidInput(
                        f"This history is of {visible(about.endpoint, 200)}, and the listing of "
                        f"{visible(endpoint, 200)}. Use another folder for another tenant."
                    )
                return

    def _rows_of(self, source: str, names: Sequence[str]) -> pa.Table:
        """Return the rows of a source in some files, with the file of each."""
        from pyarrow import dataset

        ids = [source]
        if not checks.is_id(source):
            owner, name = checks.full_name(source)
            named = (dataset.field("owner") == owner) & (dataset.field("name") == name)
            ids = self._folder.tables(names, ["id"], named)["id"].unique().to_pylist()
        columns = [*_snapshots.SCHEMA.names, "__filename"]
        return self._folder.tables(names, columns, dataset.field("id").isin(ids))

    def _nothing(
        self, there: list[tuple[str, About]], moment: datetime | None, project: str | None
    ) -> str:
        where = visible(self._where, 100)
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
            there = self._all()
        except ReinferError as error:
            return str(error)
        if not there:
            return "nothing recorded yet"
        tenants = {about.endpoint for _, about in there if about.endpoint is not None}
        of = f" of {listed(map(visible, sorted(tenants)), 3)}" if tenants else ""
        first, last = there[0][1].snapshot_at, there[-1][1].snapshot_at
        return f"{counted(len(there), 'snapshot')}{of}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"

    def __repr__(self) -> str:
        return f"<History in {visible(self._where, 200)}: {self._said()}>"

    def _repr_html_(self) -> str:
        return markup.block(
            [markup.tag("b", f"History in {visible(self._where, 200)}: "), self._said()]
        )


def _snapshot(name: str, about: About) -> Snapshot:
    return Snapshot(
        at=about.snapshot_at,
        sources=about.sources,
        unchanged=about.unchanged_since is not None,
        endpoint=about.endpoint,
        project=about.project,
        path=name,
    )
