"""Archives: files of comments, one JSON object a line, in the form of the vendor's client `re`.

A side file holds the settings of the source; the client `re` does not read it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from reinfer_nb import markup, strict_json
from reinfer_nb.errors import FileProblem, InvalidInput, ProtocolError, reason_of
from reinfer_nb.files import encoded, path_of, written_whole
from reinfer_nb.forking import importing
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.strict_json import fast
from reinfer_nb.text import counted, shown, visible

_FORMAT = "reinfer_nb archive, version 1"
_SUFFIXES = (".jsonl", ".jsonl.gz")
NOT_HELD = (
    "An archive holds all that the API tells of each comment, texts with markup included. It does "
    "not hold the content of attachments, audio, or annotations."
)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive of the comments of one source.

    Attributes:
        path: The file.
        source: The source as it was.
        endpoint: The base URL of its tenant.
        num_comments: How many comments the archive holds.
        since: The first moment of its range of time; None if it has no beginning.
        until: The last moment; for all comments, that of the newest one when it was begun.
        is_whole: True if it holds all comments that there were, of no range of time.
        written_at: When it was completed.
    """

    path: Path
    source: Source
    endpoint: str
    num_comments: int
    since: datetime | None
    until: datetime | None
    is_whole: bool
    written_at: datetime

    def facts(self) -> dict[str, str]:
        """Return what is known of it, for people."""
        return {
            "archive": visible(str(self.path)),
            "source": f"{self.source.full_name} ({self.source.id})",
            "tenant": self.endpoint,
            "comments": f"{self.num_comments:,}",
            "since": "the first" if self.since is None else self.since.isoformat(sep=" "),
            "until": "(no comments)" if self.until is None else self.until.isoformat(sep=" "),
            "not in it": NOT_HELD.split(". ")[1]
            .removeprefix("It does not hold ")
            .removesuffix("."),
        }

    def _repr_html_(self) -> str:
        return str(markup.facts(self.facts()))


def checked_path(path: object) -> Path:
    """Return the path of an archive.

    Raises:
        InvalidInput: It is none, or the name ends in neither .jsonl nor .jsonl.gz.
        FileProblem: No file can have this path.
    """
    given = path_of(path)
    if not given.name.endswith(_SUFFIXES):
        raise InvalidInput(
            f"The name of an archive must end in .jsonl or .jsonl.gz, not {shown(given.name)}."
        )
    return given


def side_path(path: Path) -> Path:
    """Return the path of the side file of an archive."""
    return path.with_name(f"{path.name}.source.json")


def line_of(comment: Mapping[str, Any]) -> bytes:
    """Return a comment as a line of an archive.

    Raises:
        ProtocolError: It holds a value that is not JSON, such as NaN.
    """
    with contextlib.suppress(fast.Refused):
        return fast.encode({"comment": comment}) + b"\n"
    try:
        text = json.dumps({"comment": comment}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise ProtocolError(
            f"The comment {shown(comment['id'])} holds NaN or Infinity, which are not JSON, so it "
            "cannot be written as it is. Report this to the tenant's support."
        ) from None
    # Half a character, which UTF-8 cannot encode, becomes its escape.
    return text.encode(errors="backslashreplace") + b"\n"


def write_side(archive: Archive, *, overwrite: bool) -> None:
    """Write the side file of an archive.

    Raises:
        FileProblem: It exists and `overwrite` is false, or it could not be written.
    """
    content = {
        "format": _FORMAT,
        "about": f"The source of the comments in {archive.path.name}. {NOT_HELD}",
        "endpoint": archive.endpoint,
        "source": archive.source.to_wire(),
        "num_comments": archive.num_comments,
        "since": None if archive.since is None else Moment.write(archive.since),
        "until": None if archive.until is None else Moment.write(archive.until),
        "is_whole": archive.is_whole,
        "written_at": Moment.write(archive.written_at),
    }
    with written_whole(side_path(archive.path), overwrite=overwrite) as file:
        file.write(encoded(content, indent=2) + b"\n")


def described(path: object) -> Archive | None:
    """Return what the side file of an archive tells; None if there is no side file.

    Raises:
        InvalidInput: `path` is no path.
        FileProblem: The side file cannot be read, or is not of an archive.
    """
    given = path_of(path)
    side = side_path(given)
    try:
        body = side.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileProblem(f"{_name(side)} cannot be read: {reason_of(error)}.") from None
    try:
        content = strict_json.decode(body)
        if content["format"] != _FORMAT:
            raise KeyError  # noqa: TRY301 - as any other that is missing
        return Archive(
            path=given,
            source=Source.from_wire(content["source"]),
            endpoint=str(content["endpoint"]),
            num_comments=int(content["num_comments"]),
            since=_moment(content["since"]),
            until=_moment(content["until"]),
            is_whole=bool(content["is_whole"]),
            written_at=Moment.read(content["written_at"]),
        )
    except (ValueError, TypeError, KeyError, ProtocolError):
        raise FileProblem(
            f"{_name(side)} is not the side file of an archive, or one of a later version of "
            "reinfer_nb. Move it away to read the comments alone."
        ) from None


def comments_in(path: object) -> Iterator[dict[str, Any]]:
    """Yield the comments in an archive, or in a file of the vendor's client, as JSON objects.

    Raises:
        FileProblem: The file cannot be read, holds something else, or is cut; this may be raised
            after some comments.
    """
    given = path_of(path)
    archive = described(given)
    number = held = 0
    try:
        with given.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                # An editor may have added an empty line at the end.
                if line.strip():
                    held += 1
                    yield _comment(line, given, number)
    except FileNotFoundError:
        raise FileProblem(f"There is no file {_name(given)}.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileProblem(
            f"{_name(given)} is cut or damaged after line {number:,}: {reason_of(error)}. Archive "
            "the source again, or use a copy of the file."
        ) from None
    except OSError as error:
        raise FileProblem(f"{_name(given)} cannot be read: {reason_of(error)}.") from None
    if archive is not None and held != archive.num_comments:
        raise FileProblem(
            f"{_name(given)} holds {counted(held, 'comment')}, but had "
            f"{archive.num_comments:,} when it was written: it is cut, or was changed."
        )


def frame_of_file(path: Path) -> pd.DataFrame:
    """Return the comments in an archive as a frame, as `read_archive` documents it."""
    with importing():
        from reinfer_nb.comments import frame

    df = frame.frame_of_rows([frame.row_of(comment) for comment in comments_in(path)])
    archive = described(path)
    if archive is not None:
        df.attrs = {"endpoint": archive.endpoint, "source": archive.source.full_name}
    return df


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, which may be compressed, whatever its name."""
    is_compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if is_compressed:
        with gzip.open(file) as content:
            yield from content
    else:
        yield from file


def _comment(line: bytes, path: Path, number: int) -> dict[str, Any]:
    where = f"{_name(path)}, line {number:,}"
    try:
        content = strict_json.decode(line)
    except strict_json.Malformed as error:
        cut = "" if line.endswith(b"\n") else " The file is cut there."
        raise FileProblem(f"{where} is {error}.{cut}") from None
    comment = content.get("comment") if isinstance(content, dict) else None
    if not isinstance(comment, dict):
        raise FileProblem(
            f"{where} holds no comment. Each line of an archive is an object such as "
            '{"comment": {"id": …}}.'
        )
    try:
        Moment.read(comment.get("timestamp"))
    except ValueError as error:
        raise FileProblem(f"{where}: the timestamp of the comment is {error}.") from None
    if not isinstance(comment.get("id"), str):
        raise FileProblem(f"{where}: the comment has no id.")
    return comment


def _moment(value: Any) -> datetime | None:
    return None if value is None else Moment.read(value)


def _name(path: Path) -> str:
    return visible(str(path), 200)
