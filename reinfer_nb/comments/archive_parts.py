"""An archive that is being written: a folder with a part for each range of time, and a journal.

What the journal tells is on the disk. After a kill the parts are cut to what it tells, and each
range goes on where it was.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from reinfer_nb import strict_json
from reinfer_nb.errors import FileProblem, reason_of
from reinfer_nb.files import written_whole
from reinfer_nb.journal import Journal
from reinfer_nb.text import visible

_JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Progress:
    """How far one range is.

    Attributes:
        size: The bytes of its part that are on the disk.
        count: How many comments these are.
        after: Where the next page begins; None at the beginning, and once it is complete.
        is_complete: True if all its comments are on the disk.
    """

    size: int = 0
    count: int = 0
    after: str | None = None
    is_complete: bool = False


class Parts:
    """The parts of an archive that is being written; ranges may be written side by side.

    Args:
        folder: The folder.
        journal: Its journal.
        head: The first line of the journal.
        progress: How far each range is.
        is_compressed: True to compress the parts.
    """

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        head: Mapping[str, Any],
        progress: list[Progress],
        *,
        is_compressed: bool,
    ) -> None:
        self.head = head
        self._folder, self._journal = folder, journal
        self._progress = progress
        self._is_compressed = is_compressed
        self._lock = threading.Lock()
        self._is_closed = False

    @classmethod
    def begun(cls, folder: Path, head: Mapping[str, Any], *, is_compressed: bool) -> Self:
        """Begin an archive.

        Args:
            folder: A folder that does not exist.
            head: What the archive is of; its `ranges` is a list with an item for each range.
            is_compressed: True to compress the parts.

        Raises:
            FileProblem: The folder exists, or could not be written to.
        """
        journal = Journal.begun(folder / _JOURNAL, head)
        progress = [Progress()] * len(head["ranges"])
        return cls(folder, journal, head, progress, is_compressed=is_compressed)

    @classmethod
    def resumed(cls, folder: Path, *, is_compressed: bool) -> Self | None:
        """Open an archive that was begun; None if there is none.

        Raises:
            FileProblem: It cannot be read or written, or another process is writing it.
        """
        if not (folder / _JOURNAL).exists():
            return None
        journal = Journal.opened(folder / _JOURNAL)
        try:
            head, *lines = journal.lines()
            journal.go_on()
            progress = [Progress()] * len(head["ranges"])
            for line in lines:
                progress[line["range"]] = Progress(
                    line["size"], line["count"], line["after"], line["is_complete"]
                )
        except (FileProblem, LookupError, TypeError, ValueError):
            journal.close()
            raise FileProblem(
                f"{visible(str(folder), 200)} is not the folder of an archive that was begun. "
                "Remove it, or choose another name for the archive."
            ) from None
        parts = cls(folder, journal, head, progress, is_compressed=is_compressed)
        parts._forget_lost()
        return parts

    @property
    def size(self) -> int:
        """The bytes of all parts together."""
        return sum(progress.size for progress in self._progress)

    @property
    def count(self) -> int:
        """How many comments are on the disk."""
        return sum(progress.count for progress in self._progress)

    def progress(self, number: int) -> Progress:
        """Return how far a range is."""
        return self._progress[number]

    def left(self) -> list[int]:
        """Return the ranges that are not complete."""
        return [at for at, progress in enumerate(self._progress) if not progress.is_complete]

    def add(self, number: int, lines: bytes, count: int, after: str | None) -> None:
        """Append comments to the part of a range; they are on the disk once this returns.

        Args:
            number: The range.
            lines: The comments, each as a line.
            count: How many they are.
            after: Where the next page begins; None if these are the last ones.

        Raises:
            FileProblem: They could not be written.
        """
        data = gzip.compress(lines, 6, mtime=0) if self._is_compressed and lines else lines
        # After `close`, a thread that is still running must not write: the next call may be.
        with self._lock:
            self._add(number, data, count, after)

    def _add(self, number: int, data: bytes, count: int, after: str | None) -> None:
        if self._is_closed:
            raise FileProblem("The archive is not being written any more.")
        before = self._progress[number]
        path = self._part(number)
        try:
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                # What the journal does not tell is of a kill, or of a failed write.
                file.truncate(before.size)
                file.seek(before.size)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileProblem(
                f"{visible(str(path), 200)} could not be written: {reason_of(error)}. What is "
                "written so far is kept: archive the source again to go on."
            ) from None
        size, total = before.size + len(data), before.count + count
        self._note(number, Progress(size, total, after, is_complete=after is None))

    def restart(self, number: int) -> None:
        """Forget the comments of a range, to read them again."""
        self._note(number, Progress())

    def put_together(self, path: Path, *, overwrite: bool) -> None:
        """Write the archive from its parts: completely, or not at all.

        Raises:
            FileProblem: The file exists and `overwrite` is false, or it could not be written.
        """
        with written_whole(path, overwrite=overwrite) as file:
            if self._is_compressed and not self.size:
                file.write(gzip.compress(b"", 6, mtime=0))
            for number, progress in enumerate(self._progress):
                if progress.size:
                    with self._part(number).open("rb") as part:
                        _copy(part, file, progress.size)

    def num_ids(self) -> int:
        """Return how many different comments are on the disk."""
        seen: set[int] = set()
        for number, progress in enumerate(self._progress):
            if not progress.size:
                continue
            opened = gzip.open if self._is_compressed else open
            with opened(self._part(number), "rb") as lines:
                seen.update(hash(_id_of(line)) for line in lines)
        return len(seen)

    def close(self) -> None:
        """Close the journal; the archive can be resumed later."""
        with self._lock:
            self._is_closed = True
            self._journal.close()

    def remove(self) -> None:
        """Close the journal and remove the folder."""
        self.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)

    def _forget_lost(self) -> None:
        """Cut each part to what the journal tells, or begin it again if it is smaller."""
        for number, progress in enumerate(self._progress):
            path = self._part(number)
            size = path.stat().st_size if path.exists() else 0
            if size < progress.size:
                self._progress[number] = Progress()
            elif size > progress.size:
                os.truncate(path, progress.size)

    def _note(self, number: int, progress: Progress) -> None:
        self._journal.write({"range": number, **vars(progress)})
        self._progress[number] = progress

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:04}.part"


class _Comment(msgspec.Struct):
    id: str


class _Line(msgspec.Struct):
    comment: _Comment


_DECODER = msgspec.json.Decoder(_Line)


def _id_of(line: bytes) -> str:
    """Return the id of the comment in a line."""
    try:
        return _DECODER.decode(line).comment.id
    except msgspec.DecodeError:
        # msgspec refuses half a character.
        return str(strict_json.decode(line)["comment"]["id"])


def _copy(part: BinaryIO, target: BinaryIO, size: int) -> None:
    """Copy the first bytes of a file."""
    left = size
    while left:
        piece = part.read(min(left, 1 << 20))
        if not piece:
            raise OSError("a part of the archive is lost")
        target.write(piece)
        left -= len(piece)
