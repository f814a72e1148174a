"""The files of a history: a Parquet file a snapshot, written whole or not at all.

`<folder>/date=2026-11-25/20261125T064933.123456Z-1f2e3d4c.parquet`, so that names sort by time and
Hive's partitions are dates. Knows nothing of what snapshots mean to one another; that is `history`.
"""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from reinfer_nb.concurrency import in_order
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput
from reinfer_nb.files import is_url, lasting_path, written_whole
from reinfer_nb.history.snapshot_table import COUNT, FIELDS, FILE_NAME, SCHEMA, About
from reinfer_nb.schema import validation
from reinfer_nb.text import listed, shown, visible

_KEY = b"reinfer_nb"
_ROWS_OF_GROUP = 2048
# Footers read at once; behind a URL each takes its time.
_READERS = 16


def stamp(at: datetime) -> str:
    """Return a moment in UTC as names of files have it."""
    text = at.replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.replace("-", "").replace(":", "") + "Z"


def stamp_of(name: str) -> str:
    """Return the moment in the name of a file, by which it sorts; behind it what sets it apart."""
    return name.partition("/")[2]


def _about_in(file: Any) -> About:
    """Return what an open file says of itself."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(file).metadata or {}
    return msgspec.json.decode(metadata.get(_KEY, b""), type=About)


class Folder:
    """The files of a history, in a folder of this machine or behind an fsspec URL.

    Args:
        where: Its path or URL.
        options: What fsspec needs for it.
    """

    def __init__(self, where: object, options: Mapping[str, Any]) -> None:
        where = os.fspath(where) if isinstance(where, os.PathLike) else where
        self._options = dict(options)
        if isinstance(where, str) and is_url(where) and "\0" not in where:
            self._place = where
        else:
            try:
                # What is relative is so to where the history was made, wherever one goes later.
                self._place = str(lasting_path(where))
            except (FileProblem, InvalidInput, OSError) as error:
                raise InvalidInput(
                    "A history is in a folder such as 'audits/', or behind a URL; not "
                    f"{shown(where)}. {error}"
                ) from None
        self.where = visible(re.sub(r"://[^/@]*@", "://***@", str(where)), 200)

    @cached_property
    def _found(self) -> tuple[Any, str]:
        """The file system, and the folder in it; some connect as soon as they are made."""
        if not is_url(self._place):
            from fsspec.implementations.local import LocalFileSystem

            return LocalFileSystem(), self._place.rstrip("/")
        from fsspec.core import url_to_fs

        try:
            files, folder = url_to_fs(self._place, **self._options)
        except ImportError as error:
            raise ConfigurationError(f"{self.where} needs what is missing: {error}.") from None
        except OSError as error:
            raise self._failed("reached", error) from error
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"{self.where} is no place for a history: {visible(str(error), 200)}."
            ) from None
        return files, folder.rstrip("/")

    @property
    def _fs(self) -> Any:
        return self._found[0]

    @property
    def _root(self) -> str:
        return self._found[1]

    @property
    def is_local(self) -> bool:
        """Whether it is of this machine."""
        protocols = self._fs.protocol
        return "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def path(self, name: str) -> str:
        """Return the full path of a file."""
        return f"{self._root}/{name}"

    def names(self) -> list[str]:
        """Return the files of the history, the oldest first; others are passed over.

        Raises:
            FileProblem: The folder could not be looked at.
        """
        try:
            found = self._local() if self.is_local else self._remote()
        except OSError as error:
            raise self._failed("looked at", error) from error
        ours = [name for name in found if re.match(FILE_NAME, name)]
        return sorted(ours, key=stamp_of)

    def _local(self) -> list[str]:
        try:
            days = [day for day in os.scandir(self._root) if day.name.startswith("date=")]
        except FileNotFoundError:
            return []
        return [
            f"{day.name}/{f.name}" for day in days if day.is_dir() for f in os.scandir(day.path)
        ]

    def _remote(self) -> list[str]:
        self._fs.invalidate_cache()
        if not self._fs.exists(self._root):
            return []
        return [path[len(self._root) + 1 :] for path in self._fs.find(self._root)]

    def write(self, table: pa.Table, about: About) -> str:
        """Write a snapshot, whole or not at all, and return the name of its file.

        Args:
            table: The rows, as `table_of` makes them; left out where they are in another file.
            about: What the file says of itself.

        Raises:
            FileProblem: It could not be written.
        """
        from pyarrow import parquet

        rows = table if about.unchanged_since is None else table.slice(0, 0)
        moments = pa.repeat(
            pa.scalar(about.snapshot_at, SCHEMA.field("snapshot_at").type), len(rows)
        )
        rows = rows.add_column(0, SCHEMA.field(0), moments)
        file = io.BytesIO()
        parquet.write_table(
            rows.replace_schema_metadata({_KEY: msgspec.json.encode(about)}),
            file,
            compression="zstd",
            row_group_size=_ROWS_OF_GROUP,
            write_page_checksum=True,
        )
        file.seek(0)
        try:
            _about_in(file)
        except (pa.ArrowException, ValueError) as error:
            raise InvalidInput(
                "Nothing was recorded: what the listing says of itself could not be read back: "
                f"{visible(str(error), 150)}. Look at its columns and attrs."
            ) from None
        day = f"date={about.snapshot_at.date().isoformat()}"
        stem = f"{stamp(about.snapshot_at)}-{secrets.token_hex(4)}"
        name = f"{day}/{stem}.parquet"
        try:
            if self.is_local:
                path = Path(self.path(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(path, overwrite=False) as target:
                    target.write(file.getbuffer())
            else:
                # Under a name that no reader of Parquet looks for, until it is whole.
                part = self.path(f"{day}/.{stem}.part")
                self._fs.makedirs(self.path(day), exist_ok=True)
                self._fs.pipe_file(part, file.getvalue())
                self._fs.mv(part, self.path(name))
        except FileProblem:
            raise
        except OSError as error:
            raise self._failed("written to", error) from error
        return name

    def abouts(self, names: Sequence[str]) -> dict[str, About]:
        """Return what several files say of themselves, as `about` does."""
        abouts = in_order(self.about, names, workers=_READERS, label="history")
        return dict(zip(names, abouts, strict=True))

    def about(self, name: str) -> About:
        """Return what a file says of itself.

        Raises:
            FileProblem: It is none of a history, or is cut.
        """
        try:
            with self._fs.open(self.path(name), "rb") as file:
                about = _about_in(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(name, error) from error
        newer = sorted(set(about.columns) - {*FIELDS, COUNT, *about.dtypes})
        if newer:
            raise FileProblem(
                f"{visible(self.path(name), 300)} was made by a newer version of reinfer_nb: "
                f"this one does not know its columns {listed(map(visible, newer))}."
            )
        return about

    def tables(
        self, names: Sequence[str], columns: Iterable[str] | None = None, rows: Any = None
    ) -> pa.Table:
        """Return the rows of several files as one table.

        Args:
            names: The files.
            columns: Those that are wanted; None for all.
            rows: An Arrow expression that they fulfil; None for all.

        Raises:
            FileProblem: One of them is damaged, or gone.
        """
        from pyarrow import dataset
        from pyarrow.fs import LocalFileSystem

        if not names:
            return SCHEMA.empty_table()
        # Looking for a few rows in very many files, it would take half as long again.
        checked = dataset.ParquetFragmentScanOptions(page_checksum_verification=rows is None)
        try:
            files = dataset.dataset(
                [self.path(name) for name in names],
                schema=SCHEMA,
                format=dataset.ParquetFileFormat(default_fragment_scan_options=checked),
                # Arrow reads files of this machine itself, on all cores.
                filesystem=LocalFileSystem() if self.is_local else self._fs,
            )
            wanted = None if columns is None else list(columns)
            return files.to_table(columns=wanted, filter=rows)
        except (pa.ArrowException, OSError) as error:
            # Which of them it was is asked only now.
            for name in names[: len(names) if len(names) > 1 else 0]:
                self.tables([name], columns, rows)
            raise self._unreadable(names[0], error) from error

    def rows_of(self, source: str, names: Sequence[str]) -> pa.Table:
        """Return the rows of a source in some files, with the file of each."""
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
                f"{path} is gone; it was removed, with the rows of this snapshot or of later ones "
                "that were unchanged since."
            )
        return FileProblem(
            f"{path} is no snapshot of a history, or is damaged: {visible(str(error), 150)}. "
            "Move it elsewhere to go on without it."
        )

    def _failed(self, done: str, error: OSError) -> FileProblem:
        reason = error.strerror or visible(str(error), 150)
        return FileProblem(f"{self.where} could not be {done}: {reason}.")
