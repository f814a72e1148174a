"""The snapshots in a folder: finds the one of a time, and returns its listing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from reinfer_nb import arguments, dates
from reinfer_nb.dates import When
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.snapshots import snapshot_table
from reinfer_nb.snapshots.snapshot_store import Folder, stamp, stamp_of
from reinfer_nb.snapshots.snapshot_table import Metadata, Snapshot
from reinfer_nb.text import did_you_mean, listed, nearest, shown, visible
from reinfer_nb.wording import spelled


class Archive:
    """The snapshots in a folder or at an fsspec URL.

    Args:
        where: The folder or URL.
        options: Options that fsspec needs for the URL.

    Attributes:
        folder: The files.
    """

    def __init__(
        self, where: str | os.PathLike[str], options: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = Folder(where, options or {})
        # Cached for good: a file does not change once it is written.
        self._metadata: dict[str, Metadata] = {}

    def note(self, name: str, metadata: Metadata) -> None:
        """Note the metadata of a file that was written."""
        self._metadata[name] = metadata

    def files(self) -> list[tuple[str, Metadata]]:
        """Return all files with their metadata, the oldest first."""
        names = self.folder.names()
        unread = [name for name in names if name not in self._metadata]
        self._metadata |= self.folder.metadata_of_all(unread)
        return [(name, self._metadata[name]) for name in names]

    def newest_first(self, until: datetime | None = None) -> Iterator[tuple[str, Metadata]]:
        """Yield the files up to a time; the metadata is read only as the caller goes on."""
        end = "~" if until is None else stamp(until) + "~"
        for name in reversed(self.folder.names()):
            if stamp_of(name) < end:
                if name not in self._metadata:
                    self._metadata[name] = self.folder.metadata_of(name)
                yield name, self._metadata[name]

    def load(
        self, when: When | Snapshot | None = None, *, project: str | None = None
    ) -> pd.DataFrame:
        """Return the last listing at or before a time, as `History.load` documents it."""
        if project is not None:
            # Checked as a text only: in a user's own frame an owner may be any text.
            project = arguments.text(project, "project", "claims")
        if isinstance(when, Snapshot):
            name, metadata = self._find(when, project)
        else:
            moment = None if when is None else dates.moment(when, end=True)
            scope = (None, project)
            candidates = ((n, m) for n, m in self.newest_first(moment) if m.project in scope)
            last = next(candidates, None)
            if last is None:
                raise InvalidInput(self._no_snapshot_message(moment, project))
            name, metadata = last
        table = self.folder.tables([metadata.unchanged_since or name])
        df = snapshot_table.frame_of(table, metadata)
        if project is not None and metadata.project is None:
            attrs = df.attrs | {"project": project}
            df = df[df["owner"] == project].reset_index(drop=True)
            df.attrs = attrs
            if df.empty:
                self._check_project(project)
        return df

    def check_references(self, files: list[tuple[str, Metadata]]) -> None:
        """Raise `FileProblem` if a file refers to one that is missing."""
        names = {None, *(name for name, _ in files)}
        for name, metadata in files:
            if metadata.unchanged_since not in names:
                path = visible(self.folder.path(str(metadata.unchanged_since)), 300)
                raise FileProblem(
                    f"{path} is missing. It has the rows of {name}, which refers to it."
                )

    def _find(self, snapshot: Snapshot, project: str | None) -> tuple[str, Metadata]:
        """Return the file of a snapshot."""
        if snapshot.path not in self.folder.names():
            raise InvalidInput(f"{self.folder.where} has no such snapshot: {snapshot}.")
        metadata = self.folder.metadata_of(snapshot.path)
        if project is not None and metadata.project not in (None, project):
            raise InvalidInput(f"This snapshot is of another project: {snapshot}.")
        return snapshot.path, metadata

    def _check_project(self, project: str) -> None:
        """Raise `InvalidInput` if no snapshot has a source of a project, which may be misspelt."""
        files = self.files()
        projects = {metadata.project for _, metadata in files} - {None}
        with_rows = [name for name, metadata in files if metadata.unchanged_since is None]
        owners = self.folder.tables(with_rows, ["owner"])["owner"].unique().to_pylist()
        projects.update(owners)
        if project not in projects:
            similar = nearest(project, filter(None, projects))
            raise InvalidInput(
                f"No snapshot of {self.folder.where} has a source of the project "
                f"{shown(project)}.{did_you_mean(similar)}"
            )

    def _no_snapshot_message(self, moment: datetime | None, project: str | None) -> str:
        where, snapshots = self.folder.where, [metadata for _, metadata in self.files()]
        if not snapshots:
            return f"{where} has no snapshots yet."
        moments = [each.snapshot_at for each in snapshots if each.project in (None, project)]
        if moments:
            return f"{where} has no snapshot until {moment}; the first is of {min(moments)}."
        projects = sorted({each.project for each in snapshots if each.project is not None})
        similar = None if project is None else nearest(project, projects)
        return (
            f"{where} has only snapshots of single projects: {listed(map(visible, projects))}. "
            f"Choose one with {spelled('project=', '--project')}.{did_you_mean(similar)}"
        )
