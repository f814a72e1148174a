"""Archives of many sources: Parquet files by project, source and month, in a folder or at a URL.

A file is `<folder>/project=claims/source=motor-inbox/month=2026-03/comments-<id>.parquet`, with
the id of its source: another source with the same name has files of its own. It is written
completely or not at all, so several writers may work at once: the last one's file stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from reinfer_nb import strict_json
from reinfer_nb.comments import frame
from reinfer_nb.comments.comment import items_of, joined, moment_or_none, text_in
from reinfer_nb.concurrency import in_order
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.location import Location
from reinfer_nb.schema import validation
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.text import visible

_FORMAT = "reinfer_nb comments, version 1"
_KEY = b"reinfer_nb"
_NAME = re.compile(
    r"project=([\w-]+)/source=([\w-]+)/month=(\d{4}-\d\d)/comments-([0-9a-f]{16})\.parquet",
    re.ASCII,
)
_ROWS_OF_GROUP = 2_048
# Footers are read in parallel, since each takes long at a URL.
_READERS = 16
_TIME = pa.timestamp("us", "UTC")
# The same columns in every file; `comment` holds all that the API tells, as JSON. A comment whose
# timestamp or source has changed is in two files: `archived_at` tells the newer row.
SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("archived_at", _TIME),
        ("id", pa.string()),
        ("timestamp", _TIME),
        ("created_at", _TIME),
        ("thread_id", pa.string()),
        ("from", pa.string()),
        ("to", pa.list_(pa.string())),
        ("subject", pa.string()),
        ("text", pa.string()),
        ("language", pa.string()),
        ("num_messages", pa.int64()),
        ("num_attachments", pa.int64()),
        ("has_annotations", pa.bool_()),
        ("uid", pa.string()),
        ("user_properties", pa.string()),
        ("comment", pa.string()),
    ]
)


class Month(NamedTuple):
    """A month of a source in the archive.

    Attributes:
        counted: How many comments the tenant counted when its file was written. The file may hold
            more: comments that were deleted on the tenant stay.
        newest: The timestamp of the newest comment on the tenant then.
    """

    counted: int
    newest: datetime


class Archived(NamedTuple):
    """A comment in the archive, as a JSON object, with its source and when it was archived."""

    owner: str
    name: str
    archived_at: datetime
    comment: dict[str, Any]


class ArchiveFolder:
    """The files of an archive of many sources.

    Args:
        where: The folder or fsspec URL.
        options: Options that fsspec needs for the URL.
    """

    def __init__(self, where: object, options: Mapping[str, Any] | None = None) -> None:
        self._at = Location(where, options or {}, "An archive of several sources")
        self.where = self._at.where

    def connect(self) -> None:
        """Find the folder, so that a wrong URL is told before anything is sent.

        Raises:
            InvalidInput: There can be no folder at the URL.
            ConfigurationError: fsspec needs a package for it that is not installed.
            FileProblem: It cannot be reached.
        """
        _ = self._at.fs

    def months(self, source: Source) -> dict[str, Month]:
        """Return the months of a source that are in the archive, such as "2026-03".

        Raises:
            FileProblem: The folder or a file in it cannot be read.
        """
        folder = f"project={source.owner}/source={source.name}"
        names = [name for name in self._names(folder) if f"-{source.id}." in name]
        metadata = in_order(self._month, names, workers=_READERS, label="archive")
        return {_month_of(name): month for name, month in zip(names, metadata, strict=True)}

    def write(
        self, source: Source, month: str, comments: Iterable[Mapping[str, Any]], counted: int
    ) -> int:
        """Write a month of a source, and return how many comments came from `comments`.

        Comments of an earlier file that `comments` lacks stay in the new one.

        Args:
            source: The source.
            month: The month, such as "2026-03".
            comments: Its comments as JSON objects, the oldest first; read once.
            counted: How many the tenant counts.

        Raises:
            Miscounted: There are not as many as `counted`; an earlier file stays as it is.
            FileProblem: The file could not be written, or the earlier one not be read.
        """
        from pyarrow import parquet

        folder = f"project={source.owner}/source={source.name}/month={month}"
        name = f"{folder}/comments-{source.id}.parquet"
        seen: set[str] = set()
        newest, archived_at = "", datetime.now(UTC)
        with (
            self._at.written(name, overwrite=True) as file,
            parquet.ParquetWriter(
                file, SCHEMA, compression="zstd", write_page_checksum=True
            ) as writer,
        ):
            rows: list[dict[str, Any]] = []

            def flush() -> None:
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                    rows.clear()

            for comment in comments:
                seen.add(comment["id"])
                newest = max(newest, Moment.write(Moment.read(comment["timestamp"])))
                rows.append({**_row(comment), "source_id": source.id, "archived_at": archived_at})
                if len(rows) == _ROWS_OF_GROUP:
                    flush()
            flush()
            if len(seen) != counted:
                raise Miscounted(len(seen))
            for table in self._earlier(name, seen):
                writer.write_table(table)
            writer.add_key_value_metadata(
                {
                    _KEY: json.dumps(
                        {
                            "format": _FORMAT,
                            "source": source.to_wire(),
                            "counted": counted,
                            "newest": newest,
                        }
                    )
                }
            )
        return len(seen)

    def comments(self, source: str | None = None) -> Iterator[Archived]:
        """Yield the comments of all sources or of one; some may be there twice.

        Args:
            source: The full name of the source; None for all.

        Raises:
            FileProblem: A file is damaged.
            InvalidInput: The archive has no such source.
        """
        from pyarrow import parquet

        folder = ""
        if source is not None:
            project, name = validation.source_name(source)
            folder = f"project={project}/source={name}"
        names = self._names(folder)
        if not names:
            raise InvalidInput(
                f"{self.where} has no comments" + (f" of {source}." if source else ".")
            )
        for path in names:
            owner, name = _source_of(path)
            try:
                with self._at.fs.open(self._at.path(path), "rb") as file:
                    opened = parquet.ParquetFile(file, page_checksum_verification=True)
                    columns = ["archived_at", "comment"]
                    for batch in opened.iter_batches(_ROWS_OF_GROUP, columns=columns):
                        for row in batch.to_pylist():
                            comment = strict_json.decode(row["comment"].encode())
                            yield Archived(owner, name, row["archived_at"], comment)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise self._damaged(path, error) from error

    def _names(self, folder: str) -> list[str]:
        """Return the files below a folder in order; others are ignored."""
        try:
            fs, root = self._at.fs, self._at.root
            fs.invalidate_cache()
            place = f"{root}/{folder}".rstrip("/")
            paths = fs.find(place) if fs.exists(place) else []
        except OSError as error:
            raise self._at.failed("read", error) from error
        names = [path[len(root) + 1 :] for path in paths]
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _month(self, name: str) -> Month:
        from pyarrow import parquet

        try:
            with self._at.fs.open(self._at.path(name), "rb") as file:
                metadata = parquet.read_metadata(file)
            held = json.loads((metadata.metadata or {})[_KEY])
            if held["format"] != _FORMAT:
                raise ValueError("another format")  # noqa: TRY301 - as any other flaw
            return Month(int(held["counted"]), Moment.read(held["newest"]))
        except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
            raise self._damaged(name, error) from error

    def _earlier(self, name: str, seen: set[str]) -> Iterator[pa.Table]:
        """Yield the rows of an earlier file whose comments are not in the new one."""
        from pyarrow import compute, parquet

        if not self._at.fs.exists(self._at.path(name)):
            return
        try:
            with self._at.fs.open(self._at.path(name), "rb") as file:
                opened = parquet.ParquetFile(file, page_checksum_verification=True)
                for batch in opened.iter_batches(_ROWS_OF_GROUP):
                    table = pa.Table.from_batches([batch]).cast(SCHEMA)
                    known = compute.is_in(table["id"], pa.array(sorted(seen), pa.string()))
                    yield table.filter(compute.invert(known))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> FileProblem:
        return FileProblem(
            f"{visible(self._at.path(name), 300)} is damaged, or no file of this archive: "
            f"{reason_of(error)}. Move it elsewhere to continue without it."
        )


class Miscounted(Exception):
    """A month has another number of comments than the tenant counted; `args` holds it."""


def frame_of_folder(
    where: object, source: str | None, options: Mapping[str, Any] | None
) -> pd.DataFrame:
    """Return the comments in a folder as a frame, as `read_archive` documents it."""
    found = list(ArchiveFolder(where, options).comments(source))
    newest: dict[tuple[str, str, str], datetime] = {}
    for one in found:
        key = (one.owner, one.name, one.comment["id"])
        newest[key] = max(one.archived_at, newest.get(key, one.archived_at))
    # Of a comment in two files, the one that was archived last.
    found = [
        one for one in found if one.archived_at == newest[one.owner, one.name, one.comment["id"]]
    ]
    owners, names = [one.owner for one in found], [one.name for one in found]
    df = frame.frame_of([one.comment for one in found])
    # Fields of these names that the API may have some day stay columns of their own.
    others = {name: f"extra.{name}" for name in ("owner", "name") if name in df}
    df = df.rename(columns=others)
    df.insert(0, "owner", pd.Series(owners, dtype="str"))
    df.insert(1, "name", pd.Series(names, dtype="str"))
    return df


def _source_of(path: str) -> tuple[str, str]:
    """Return project and name in the path of a file."""
    match = _NAME.fullmatch(path)
    return (match[1], match[2]) if match else ("", "")


def _month_of(path: str) -> str:
    match = _NAME.fullmatch(path)
    return match[3] if match else ""


def _row(comment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comment as a row; a value of another type is missing, but is in `comment`."""
    messages = [part for part in items_of(comment.get("messages")) if isinstance(part, Mapping)]
    first = messages[0] if messages else {}
    annotated = comment.get("has_annotations")
    text = joined((_text(part.get("from")), text_in(part.get("body"))) for part in messages)
    return {
        "id": _text(comment["id"]),
        "timestamp": Moment.read(comment["timestamp"]),
        "created_at": moment_or_none(comment.get("created_at")),
        "thread_id": _text(comment.get("thread_id")),
        "from": _text(first.get("from")),
        "to": [_text(who) for who in items_of(first.get("to")) if isinstance(who, str)],
        "subject": _text(text_in(first.get("subject"))),
        "text": _text(text) if messages else None,
        "language": _text(first.get("language")),
        "num_messages": len(messages),
        "num_attachments": len(items_of(comment.get("attachments"))),
        "has_annotations": annotated if isinstance(annotated, bool) else None,
        "uid": _text(comment.get("uid")),
        "user_properties": _json(comment.get("user_properties")),
        "comment": _json(comment),
    }


def _text(value: object) -> str | None:
    """Return a text that UTF-8 can encode; half a character is replaced."""
    return whole_text(value) if isinstance(value, str) else None


def _json(value: object) -> str | None:
    # In ASCII, so that half a character stays as its escape.
    return None if value is None else strict_json.text_of(value)
