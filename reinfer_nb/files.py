"""Files that are written whole or not at all, and JSON as their content."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reinfer_nb.errors import FileProblem
from reinfer_nb.text import visible


def encoded(content: object, indent: int | None = None) -> bytes:
    """Return JSON that people can read; half a character, which UTF-8 has not, as its escape."""
    return json.dumps(content, ensure_ascii=False, indent=indent).encode(errors="backslashreplace")


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a file to write to, which appears under its name only once all of it is on the disk.

    Whatever happens in between, an older file of that name is whole, and no half file has it.

    Args:
        path: The name it gets. A link is followed.
        overwrite: Whether an older file may be replaced.

    Raises:
        FileProblem: There is an older file and `overwrite` is false, or writing failed.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = _replaceable(path, target, overwrite=overwrite)
    except (OSError, ValueError) as error:
        raise _failed(path, error) from error
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            part.chmod(mode)
        _put(part, target, overwrite=overwrite)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _replaceable(path: str | os.PathLike[str], target: Path, *, overwrite: bool) -> int | None:
    """Return the mode of an older file that may be replaced; None where there is none."""
    if not target.exists():
        return None
    if target.is_dir():
        raise FileProblem(f"{path} is a folder; give the name of a file in it.")
    if not target.is_file():
        raise FileProblem(f"{path} is no ordinary file and is not replaced.")
    if not overwrite:
        raise _exists(path)
    return stat.S_IMODE(target.stat().st_mode)


def _failed(path: str | os.PathLike[str], error: Exception) -> Exception:
    if isinstance(error, FileProblem):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileProblem(
        f"{visible(os.fspath(path), 200)} could not be written: {reason}. What was there before is "
        "as it was."
    )


def _exists(path: str | os.PathLike[str]) -> FileProblem:
    return FileProblem(f"{path} exists. Choose another name, or say overwrite=True.")


def _put(part: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(target)
    else:
        try:
            # Fails where the name was taken meanwhile, as a rename would not.
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:
            # A file system without hard links: the name is taken first, then replaced.
            target.open("xb").close()
            try:
                part.replace(target)
            except OSError:
                target.unlink()
                raise
    if os.name == "posix":
        # The file is there; that its name is on the disk too cannot be had everywhere.
        with contextlib.suppress(OSError):
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
