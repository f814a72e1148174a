"""Journals: files of JSON lines that only grow, each line on the disk before the work goes on.

Knows nothing of what is written. A process that is killed leaves at most its last line unfinished;
whoever goes on with the file begins a new one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from reinfer_nb import wire
from reinfer_nb.errors import FileProblem
from reinfer_nb.files import encoded, written_whole
from reinfer_nb.text import visible


def default_path() -> Path:
    """Return the path of a journal that nothing has yet, in this user's folder for such state."""
    import platformdirs

    folder = platformdirs.user_state_path("reinfer_nb", appauthor=False) / "journals"
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"


_RESUMED = b'{"resumed": true'


class Journal:
    """A journal that is written to, by this process alone; safe in several threads.

    Args:
        path: The file, as a message calls it.
        number: Its descriptor, open for appending.
    """

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self._number = number
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._synced = 0

    @classmethod
    def begun(cls, path: str | os.PathLike[str], head: Mapping[str, Any]) -> Self:
        """Return a new journal with its first line.

        Args:
            path: A new file; its folder is made where there is none.
            head: The first line.

        Raises:
            FileProblem: There is such a file, or it could not be written.
        """
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from None
        # Whole or not at all: what has no first line is no journal to go on with.
        with written_whole(path, overwrite=False) as file:
            file.write(_line(head))
        return cls._open(path)

    @classmethod
    def opened(cls, path: str | os.PathLike[str]) -> tuple[Self, list[dict[str, Any]]]:
        """Return a journal that is there, and its lines, less one that a kill has cut.

        Nothing is written to it before `go_on`.

        Raises:
            FileProblem: It cannot be read or written, another process has it open, or it has a
                line that is none.
        """
        journal = cls._open(path)
        try:
            return journal, _read(path)
        except BaseException:
            journal.close()
            raise

    @classmethod
    def _open(cls, path: str | os.PathLike[str]) -> Self:
        try:
            number = os.open(path, os.O_RDWR | os.O_APPEND)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from None
        try:
            _lock(number)
        except OSError:
            os.close(number)
            raise FileProblem(
                f"{_name(path)} is open in another process, which is still at work on it."
            ) from None
        return cls(Path(path), number)

    def go_on(self) -> None:
        """Begin to write to a journal that is there, in a line of its own.

        Raises:
            FileProblem: It could not be written.
        """
        self._write(b"\n" + _RESUMED + b"}\n")

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line, and return once it is on the disk.

        Raises:
            FileProblem: It could not be written.
        """
        self._write(_line(line))

    def _write(self, data: bytes) -> None:
        try:
            with self._writing:
                while data:
                    data = data[os.write(self._number, data) :]
                self._written += 1
                mine = self._written
            with self._syncing:
                # Whoever waited for the lock finds its line on the disk with those of others.
                if self._synced < mine:
                    self._synced, done = self._written, self._synced
                    try:
                        os.fsync(self._number)
                    except BaseException:
                        self._synced = done
                        raise
        except OSError as error:
            raise _failed(self.path, error) from None

    def close(self) -> None:
        """Close the file, for another process to go on with; a later `write` fails."""
        with self._writing, self._syncing, contextlib.suppress(OSError):
            number, self._number = self._number, -1
            os.close(number)


def _read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    try:
        *lines, _ = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise _failed(path, error) from None
    content: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        try:
            content += [_object(line)] if line else []
        except wire.Malformed as error:
            # What a kill has cut is followed by the line of whoever went on.
            if not lines[number + 1 :] or not lines[number + 1].startswith(_RESUMED):
                raise FileProblem(f"{_name(path)}, line {number + 1:,}, is {error}.") from None
    return content


def _line(content: Mapping[str, Any]) -> bytes:
    return encoded({**content, "at": datetime.now(UTC).isoformat()}) + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    content = wire.decode(line)
    if not isinstance(content, dict):
        raise wire.Malformed("no object")
    return content


def _name(path: str | os.PathLike[str]) -> str:
    return visible(os.fspath(path), 200)


def _failed(path: str | os.PathLike[str], error: Exception) -> FileProblem:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileProblem(f"The journal {_name(path)} cannot be read or written: {reason}.")


if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        # Far behind all that is written, so that others may read.
        os.lseek(number, 2**62, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        os.lseek(number, 0, os.SEEK_END)

else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
