"""Reads and writes the files of a history: one Parquet file per snapshot.

A file is `<folder>/date=2026-11-25/20261125T064933.123456Z-1f2e3d4c.parquet`: names sort by time,
and Hive partitions are dates. How snapshots relate to each other is decided in `history`.
"""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.location import Location
from reinfer_nb.schema import validation
from reinfer_nb.schema.added_columns import COMMENTS
from reinfer_nb.snapshots.snapshot_table import FIELDS, FILE_NAME, SCHEMA, Metadata
from reinfer_nb.text import listed, visible

_KEY = b"reinfer_nb"
_ROWS_OF_GROUP = 2048
# Footers are read in parallel, since each takes long at a URL.
_READERS = 16


def stamp(at: datetime) -> str:
    """Return a time in UTC in the format of file names."""
    text = at.replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.replace("-", "").replace(":", "") + "Z"


def stamp_of(name: str) -> str:
    """Return a file's name within its day: the stamp of its time, then a random suffix."""
    return name.partition("/")[2]


def _read_metadata(file: Any) -> Metadata:
    """Return the metadata of an open file."""
    from pyarrow import parquet

    values = parquet.read_metadata(file).metadata or {}
    return msgspec.json.decode(values.get(_KEY, b""), type=Metadata)


class Folder:
    """The files of a history, in a local folder or at an fsspec URL.

    Args:
        where: The path or URL of the folder.
        options: Options that fsspec needs for the URL.
    """

    def __init__(self, where: object, options: Mapping[str, Any]) -> None:
        self._at = Location(where, options, "A history")
        self.where = self._at.where

    @property
    def _fs(self) -> Any:
        return self._at.fs

    @property
    def _root(self) -> str:
        return self._at.root

    @property
    def is_local(self) -> bool:
        """True if the folder is on a local file system."""
        return self._at.is_local

    def path(self, name: str) -> str:
        """Return the full path of a file."""
        return self._at.path(name)

    def names(self) -> list[str]:
        """Return the names of all snapshot files, the oldest first; other files are ignored.

        Raises:
            FileProblem: The folder could not be read.
        """
        try:
            names = self._local_names() if self.is_local else self._remote_names()
        except OSError as error:
            raise self._at.failed("read", error) from error
        return sorted((name for name in names if re.match(FILE_NAME, name)), key=stamp_of)

    def _local_names(self) -> list[str]:
        try:
            days = [day for day in os.scandir(self._root) if day.name.startswith("date=")]
        except FileNotFoundError:
            return []
        return [
            f"{day.name}/{f.name}" for day in days if day.is_dir() for f in os.scandir(day.path)
        ]

    def _remote_names(self) -> list[str]:
        self._fs.invalidate_cache()
        if not self._fs.exists(self._root):
            return []
        return [path[len(self._root) + 1 :] for path in self._fs.find(self._root)]

    def write(self, table: pa.Table, metadata: Metadata) -> str:
        """Write a snapshot completely or not at all, and return the name of its file.

        Args:
            table: The rows, as `table_of` returns them; not written if `unchanged_since` names
                the file that has them.
            metadata: The metadata of the file.

        Raises:
            FileProblem: The file could not be written.
        """
        from pyarrow import parquet

        rows = table if metadata.unchanged_since is None else table.slice(0, 0)
        moments = pa.repeat(
            pa.scalar(metadata.snapshot_at, SCHEMA.field("snapshot_at").type), len(rows)
        )
        rows = rows.add_column(0, SCHEMA.field(0), moments)
        file = io.BytesIO()
        parquet.write_table(
            rows.replace_schema_metadata({_KEY: msgspec.json.encode(metadata)}),
            file,
            compression="zstd",
            row_group_size=_ROWS_OF_GROUP,
            write_page_checksum=True,
        )
        file.seek(0)
        try:
            _read_metadata(file)
        except (pa.ArrowException, ValueError) as error:
            raise InvalidInput(
                "Nothing was recorded: the metadata of the listing could not be read back: "
                f"{reason_of(error)}. Check its columns and attrs."
            ) from None
        day = f"date={metadata.snapshot_at.date().isoformat()}"
        stem = f"{stamp(metadata.snapshot_at)}-{secrets.token_hex(4)}"
        name = f"{day}/{stem}.parquet"
        with self._at.written(name) as target:
            target.write(file.getbuffer())
        return name

    def metadata_of_all(self, names: Sequence[str]) -> dict[str, Metadata]:
        """Return the metadata of several files, as `metadata_of` does."""
        metadata = in_order(self.metadata_of, names, workers=_READERS, label="history")
        return dict(zip(names, metadata, strict=True))

    def metadata_of(self, name: str) -> Metadata:
        """Return the metadata of a file.

        Raises:
            FileProblem: The file is not a snapshot, is incomplete, or has unknown columns.
        """
        try:
            with self._fs.open(self.path(name), "rb") as file:
                metadata = _read_metadata(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(name, error) from error
        newer = sorted(set(metadata.columns) - {*FIELDS, COMMENTS, *metadata.dtypes})
        if newer:
            raise FileProblem(
                f"{visible(self.path(name), 300)} was written by a newer version of reinfer_nb. "
                f"This version does not know its columns {listed(map(visible, newer))}."
            )
        return metadata

    def tables(
        self, names: Sequence[str], columns: Iterable[str] | None = None, rows: Any = None
    ) -> pa.Table:
        """Return the rows of several files as one table.

        Args:
            names: The files.
            columns: The columns to return; None for all.
            rows: An Arrow expression that selects rows; None for all.

        Raises:
            FileProblem: A file is damaged or missing.
        """
        from pyarrow import dataset
        from pyarrow.fs import LocalFileSystem

        if not names:
            return SCHEMA.empty_table()
        # Not when a few rows are sought in many files: checksums would cost half the time again.
        checked = dataset.ParquetFragmentScanOptions(page_checksum_verification=rows is None)
        try:
            files = dataset.dataset(
                [self.path(name) for name in names],
                schema=SCHEMA,
                format=dataset.ParquetFileFormat(default_fragment_scan_options=checked),
                # Arrow's own file system reads local files on all cores.
                filesystem=LocalFileSystem() if self.is_local else self._fs,
            )
            selected = None if columns is None else list(columns)
            return files.to_table(columns=selected, filter=rows)
        except (pa.ArrowException, OSError) as error:
            # Read the files one by one, to name the damaged one.
            for name in names if len(names) > 1 else ():
                self.tables([name], columns, rows)
            raise self._unreadable(names[0], error) from error

    def rows_of(self, source: str, names: Sequence[str]) -> pa.Table:
        """Return the rows of a source in some files; `__filename` is the file of each row.

        A full name finds all rows of every source that has this name in one of the files.
        """
        from pyarrow import dataset

        ids = [source]
        if not validation.is_id(source):
            owner, name = validation.full_name(source)
            named = (dataset.field("owner") == owner) & (dataset.field("name") == name)
            ids = self.tables(names, ["id"], named)["id"].unique().to_pylist()
        columns = [*SCHEMA.names, "__filename"]
        return self.tables(names, columns, dataset.field("id").isin(pa.array(ids, pa.string())))

    def _unreadable(self, name: str, error: Exception) -> FileProblem:
        path = visible(self.path(name), 300)
        if isinstance(error, FileNotFoundError):
            return FileProblem(
                f"{path} is missing. It has the rows of this snapshot, or of later ones that "
                "refer to it."
            )
        return FileProblem(
            f"{path} is damaged or not a snapshot: {reason_of(error)}. Move the file "
            "elsewhere to continue without it."
        )
