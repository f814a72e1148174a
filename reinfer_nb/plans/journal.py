"""Journals: files of JSON lines that only grow, each line on the disk before the work goes on.

Knows nothing of what is written. A process that is killed leaves at most its last line unfinished;
whoever goes on with the file first takes that away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from reinfer_nb import strict_json, user_folders
from reinfer_nb.errors import FileProblem
from reinfer_nb.files import encoded, lasting_path, written_whole
from reinfer_nb.text import visible

_ELSEWHERE = 'journal="journal.jsonl" (or --journal journal.jsonl)'


def default_path() -> Path:
    """Return the path of a journal that nothing has yet, in this user's folder for such state.

    Raises:
        FileProblem: This user has no home folder.
    """
    folder = user_folders.state("the journal", _ELSEWHERE) / "journals"
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"


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
        # What a write raises after the file was closed.
        self._ended_by = OSError(errno.EBADF, "it is closed")
        # As far as there are whole lines.
        self._end = 0

    @classmethod
    def begun(cls, path: str | os.PathLike[str], head: Mapping[str, Any]) -> Self:
        """Return a new journal with its first line.

        Args:
            path: A new file; its folder is made where there is none.
            head: The first line.

        Raises:
            FileProblem: There is such a file, it could not be written, or the line could not be
                read again.
        """
        path = lasting_path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from None
        if os.path.lexists(path):
            raise FileProblem(
                f"{_name(path)} exists, and a journal is a new file. Choose another name."
            )
        # Whole or not at all: what has no first line is no journal to go on with.
        line = _line(head)
        with written_whole(path, overwrite=False) as file:
            file.write(line)
        return cls.opened(path)

    @classmethod
    def begun_by_default(cls, head: Mapping[str, Any]) -> Self:
        """Return a new journal in this user's folder, with its first line.

        Raises:
            FileProblem: There is no such folder, or it cannot be written to; says what to do.
        """
        path = default_path()
        _line(head)
        try:
            return cls.begun(path, head)
        except FileProblem as error:
            raise FileProblem(
                f"{error} Nothing was sent. Give a file that can be written: {_ELSEWHERE}."
            ) from None

    @classmethod
    def opened(cls, path: str | os.PathLike[str]) -> Self:
        """Return a journal that is there; nothing is written to it before `go_on`.

        Raises:
            FileProblem: It cannot be read or written, or another process has it open.
        """
        return cls._opened(path, os.O_RDWR | os.O_APPEND)

    @classmethod
    def opened_to_read(cls, path: str | os.PathLike[str]) -> Self:
        """Return a journal that is there and only read: it may be where nothing can be written.

        Raises:
            FileProblem: It cannot be read, or another process has it open.
        """
        return cls._opened(path, os.O_RDONLY)

    @classmethod
    def _opened(cls, path: str | os.PathLike[str], flags: int) -> Self:
        path = lasting_path(path)
        try:
            number = os.open(path, flags)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from None
        try:
            _lock(number)
        except (BlockingIOError, PermissionError):
            os.close(number)
            raise FileProblem(
                f"{_name(path)} is open in another process, which is still at work on it."
            ) from None
        except OSError:
            # A file system without locks; a journal is worth more than they are.
            pass
        return cls(path, number)

    def go_on(self) -> None:
        """Begin to write to a journal that was read, behind its last whole line.

        Raises:
            FileProblem: It could not be written.
        """
        try:
            os.ftruncate(self._number, self._end)
        except OSError as error:
            raise _failed(self.path, error) from None

    def lines(self) -> list[dict[str, Any]]:
        """Return its lines, less one that a kill has cut.

        Raises:
            FileProblem: It cannot be read, or has a line that is none.
        """
        try:
            whole = self.path.read_bytes()
        except OSError as error:
            raise _failed(self.path, error) from None
        self._end = whole.rfind(b"\n") + 1
        content = []
        for number, line in enumerate(whole[: self._end].split(b"\n")[:-1], 1):
            try:
                content.append(_object(line))
            except strict_json.Malformed as error:
                raise FileProblem(f"{_name(self.path)}, line {number:,}, is {error}.") from None
        return content

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line, and return once it is on the disk.

        Raises:
            FileProblem: It could not be written.
        """
        self._write(_line(line))

    def _write(self, data: bytes) -> None:
        try:
            with self._writing:
                self._check()
                try:
                    while data:
                        data = data[os.write(self._number, data) :]
                except BaseException as error:
                    # A line that was begun is to be the last one.
                    self._end_with(error)
                    raise
                self._written += 1
                mine = self._written
            with self._syncing:
                # Whoever waited for the lock finds its line on the disk with those of others.
                if self._synced < mine:
                    self._check()
                    written = self._written
                    os.fsync(self._number)
                    self._synced = written
        except OSError as error:
            raise _failed(self.path, error) from None

    def _check(self) -> None:
        """Raise the error that closed the file, if it is closed."""
        if self._number < 0:
            raise self._ended_by

    def _end_with(self, error: BaseException) -> None:
        """Close the file after an error, once the lines of other threads are on the disk."""
        with self._syncing:
            if isinstance(error, OSError):
                self._ended_by = error
            with contextlib.suppress(OSError):
                os.fsync(self._number)
                self._synced = self._written
            self._close()

    def _close(self) -> None:
        number, self._number = self._number, -1
        with contextlib.suppress(OSError):
            os.close(number)

    def close(self) -> None:
        """Close the file, for another process to go on with; a later `write` fails."""
        with self._writing, self._syncing:
            self._close()


def _line(content: Mapping[str, Any]) -> bytes:
    return encoded({**content, "at": datetime.now(UTC).isoformat()}) + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    content = strict_json.decode(line)
    if not isinstance(content, dict):
        raise strict_json.Malformed("no object")
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
