"""Paths that people give; files that are written whole or not at all; JSON as their content."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reinfer_nb import strict_json
from reinfer_nb.arguments import flag
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.text import shown, visible


def is_url(place: object) -> bool:
    """Return True for a text such as "s3://bucket/audits", which is no path on this machine."""
    return isinstance(place, str) and "://" in place


def path_of(path: object) -> Path:
    """Return the path on this machine that a person gave; "~" stands for the home folder.

    Giving the result to this function again changes nothing.

    Args:
        path: A text or an `os.PathLike`.

    Returns:
        The path, relative if it was given so.

    Raises:
        InvalidInput: It is no text or `Path`, or it is empty or a URL.
        FileProblem: No file can have this path, or the home folder it names is not known.
    """
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str):
        if hasattr(path, "read") or hasattr(path, "write"):
            raise InvalidInput(
                f"A file is given by its path, not as an open file or a buffer ({shown(path)}). "
                "Give the path of a file on this machine, such as 'sources.csv'."
            )
        raise InvalidInput(
            f"A path is a text such as 'sources.csv', or a Path; {shown(path)} is neither."
        )
    if not text:
        raise InvalidInput("The path is empty. Give one such as 'sources.csv'.")
    if is_url(text):
        raise InvalidInput(
            f"{shown(text)} is a URL, and only a file on this machine can be used here. Give its "
            "path, and copy the file from or to the URL with another tool."
        )
    try:
        possible = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise FileProblem(
            f"No file can be called {shown(text)}: take the NUL or the half character out of it."
        )
    return _at_home(text)


def lasting_path(path: object) -> Path:
    """Return a path as `path_of` does, absolute: it is used later, maybe from another folder.

    Raises:
        InvalidInput: As `path_of`.
        FileProblem: As `path_of`, or the working folder was deleted.
    """
    given = path_of(path)
    try:
        return given.absolute()
    except OSError as error:
        raise FileProblem(f"{shown(str(given), 200)} cannot be found: {error.strerror}.") from None


def _at_home(text: str) -> Path:
    """Return a path with its "~" or "~user" replaced by that home folder."""
    expanded = os.path.expanduser(text)  # noqa: PTH111 - leaves an unknown user's "~name" as it is
    result = Path(expanded)
    if not str(result).startswith("~"):
        return result
    try:
        # Also "./~" is a name, which must not become the home folder when it is looked at again.
        result = result.absolute()
    except OSError as error:
        raise FileProblem(f"{shown(text, 200)} cannot be found: {error.strerror}.") from None
    home, *rest = Path(text).parts
    is_folder = bool(rest) or home == "~"
    if text.startswith("~") and is_folder and not os.path.lexists(home):
        raise FileProblem(
            f"The home folder {shown(home)} of {shown(text, 200)} is not known. Write the path "
            "from the root of the file system instead."
        )
    return result


def encoded(content: object, indent: int | None = None) -> bytes:
    """Return JSON that people can read, and from which `wire.decode` reads the same again.

    Half a character, which UTF-8 has not, is its escape. A number beyond all doubles, which Python
    reads as infinity, is written as such a number.

    Args:
        content: Objects, lists, texts, numbers, truth values and None.
        indent: As for `json.dumps`.

    Raises:
        FileProblem: It holds what would not be read as the same again.
    """
    try:
        plain = json.dumps(content, ensure_ascii=False)
        text = strict_json.text_of(content, ensure_ascii=False, indent=indent)
        body = text.encode(errors="backslashreplace")
        same = json.dumps(strict_json.decode(body), ensure_ascii=False) == plain
        reason = "a part of it would be read as another one"
    except RecursionError:
        same, reason = False, "it is nested beyond reason"
    except (TypeError, ValueError) as error:
        same, reason = False, visible(str(error), 200)
    if not same:
        raise FileProblem(f"This cannot be kept in a file and read again: {reason}.")
    return body


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a file to write to, which appears under its name only once all of it is on the disk.

    Whatever happens in between, an older file of that name is whole, and no half file has it.

    Args:
        path: The name it gets, as `path_of` takes it. A link is followed.
        overwrite: Whether an older file may be replaced.

    Raises:
        InvalidInput: `path` is no path on this machine, or `overwrite` is no truth value.
        FileProblem: There is an older file and `overwrite` is false, or writing failed.
    """
    path = path_of(path)
    overwrite = flag(overwrite, "overwrite")
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
