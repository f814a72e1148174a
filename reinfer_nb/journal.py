"""Journals: append-only files of JSON lines, each flushed to the disk before the work continues.

This module does not know the content of the lines. A process that is killed leaves at most its
last line incomplete; `Journal.go_on` removes that line before it appends.
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
from reinfer_nb.errors import FileProblem, reason_of
from reinfer_nb.files import encoded, lasting_path, written_whole
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled


def _elsewhere() -> str:
    return spelled('journal="journal.jsonl"', "--journal journal.jsonl")


def default_path() -> Path:
    """Return the path for a new journal in the state folder of this user.

    Raises:
        FileProblem: This user has no home folder.
    """
    folder = user_folders.state("the journal", _elsewhere()) / "journals"
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"


class Journal:
    """An open journal, locked by this process; safe to use from several threads.

    Args:
        path: The file's path, for messages.
        number: The file descriptor, open for appending.
    """

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self._number = number
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._synced = 0
        # The error that a write raises after the file was closed.
        self._closed_by = OSError(errno.EBADF, "it is closed")
        # The position after the last complete line.
        self._end = 0

    @classmethod
    def begun(cls, path: str | os.PathLike[str], head: Mapping[str, Any]) -> Self:
        """Create a journal with its first line.

        Args:
            path: The path of a new file; a missing folder is created.
            head: The first line.

        Raises:
            FileProblem: The file exists, or could not be written.
        """
        path = lasting_path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from None
        if os.path.lexists(path):
            raise FileProblem(
                f"{_name(path)} exists already. A journal must be a new file. Choose another name."
            )
        # Written at once, since a file without a first line cannot be resumed.
        line = _line(head)
        with written_whole(path, overwrite=False) as file:
            file.write(line)
        return cls.opened(path)

    @classmethod
    def begun_by_default(cls, head: Mapping[str, Any]) -> Self:
        """Create a journal in the state folder of this user.

        Raises:
            FileProblem: There is no such folder, or it cannot be written to.
        """
        path = default_path()
        _line(head)
        try:
            return cls.begun(path, head)
        except FileProblem as error:
            raise FileProblem(
                f"{error} Nothing was sent. Give a file that can be written: {_elsewhere()}."
            ) from None

    @classmethod
    def opened(cls, path: str | os.PathLike[str]) -> Self:
        """Open a journal; call `go_on` before the first `write`.

        Raises:
            FileProblem: It cannot be read or written, or another process has it open.
        """
        return cls._opened(path, os.O_RDWR | os.O_APPEND)

    @classmethod
    def opened_to_read(cls, path: str | os.PathLike[str]) -> Self:
        """Open a journal only for reading, perhaps in a folder that cannot be written to.

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
            raise FileProblem(f"{_name(path)} is in use by another process.") from None
        except OSError:
            # The file system has no locks; a journal without a lock is better than none.
            pass
        return cls(path, number)

    def go_on(self) -> None:
        """Prepare for writing after `lines`: remove an incomplete last line.

        Raises:
            FileProblem: It could not be written.
        """
        try:
            os.ftruncate(self._number, self._end)
        except OSError as error:
            raise _failed(self.path, error) from None

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete lines.

        Raises:
            FileProblem: The file cannot be read, or a line is not a JSON object.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise _failed(self.path, error) from None
        self._end = data.rfind(b"\n") + 1
        content = []
        for number, line in enumerate(data[: self._end].split(b"\n")[:-1], 1):
            try:
                content.append(_object(line))
            except strict_json.Malformed as error:
                raise FileProblem(
                    f"{_name(self.path)}, line {number:,} is invalid: {error}."
                ) from None
        return content

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line and flush it to the disk.

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
                    # No line may follow an incomplete one.
                    self._close_after(error)
                    raise
                self._written += 1
                mine = self._written
            with self._syncing:
                # Another thread may have flushed this line while we waited for the lock.
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
            raise self._closed_by

    def _close_after(self, error: BaseException) -> None:
        """Flush the lines of other threads to the disk, then close the file after an error."""
        with self._syncing:
            if isinstance(error, OSError):
                self._closed_by = error
            with contextlib.suppress(OSError):
                os.fsync(self._number)
                self._synced = self._written
            self._close()

    def _close(self) -> None:
        number, self._number = self._number, -1
        with contextlib.suppress(OSError):
            os.close(number)

    def close(self) -> None:
        """Close the file and release its lock; a later `write` fails."""
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
    return FileProblem(f"The journal {_name(path)} cannot be read or written: {reason_of(error)}.")


if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        # Far beyond the end of the file, so that other processes can read it.
        os.lseek(number, 2**62, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        os.lseek(number, 0, os.SEEK_END)

else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
