"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reinfer_nb.errors import FileProblem


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
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileProblem(f"{path} is a folder; give the name of a file in it.")
    if not overwrite and target.exists():
        raise _exists(path)
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put(part, target, overwrite=overwrite)
    except FileExistsError:
        raise _exists(path) from None
    except FileProblem:
        raise
    except OSError as error:
        raise FileProblem(
            f"{path} could not be written: {error.strerror or error}. What was there before is "
            "as it was."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


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
            part.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
