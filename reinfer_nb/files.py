"""Paths that users give, files that are written completely or not at all, JSON as content."""

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
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.text import shown, visible
from reinfer_nb.wording import spelled


def is_url(place: object) -> bool:
    """True for a text such as "s3://bucket/audits", which is not a path on this machine."""
    return isinstance(place, str) and "://" in place


def path_of(path: object) -> Path:
    """Return a path that a user gave, with "~" replaced by the home folder.

    Calling this function again with the result changes nothing.

    Args:
        path: A text or an `os.PathLike`.

    Returns:
        The path; a relative path stays relative.

    Raises:
        InvalidInput: The path is not a text or `Path`, is empty, or is a URL.
        FileProblem: No file can have this path, or the home folder in it is not known.
    """
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str):
        if hasattr(path, "read") or hasattr(path, "write"):
            raise InvalidInput(
                f"{shown(path)} is an open file or a buffer. "
                "Give the path of a file on this machine, such as 'sources.csv'."
            )
        raise InvalidInput(
            f"A path must be a text such as 'sources.csv' or a Path, not {shown(path)}."
        )
    if not text:
        raise InvalidInput("The path is empty. Give a path such as 'sources.csv'.")
    if is_url(text):
        raise InvalidInput(
            f"{shown(text)} is a URL, but only files on this machine can be used here. Give the "
            "path of a file, and copy the file from or to the URL with another tool."
        )
    try:
        possible = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise FileProblem(
            f"No file can have the name {shown(text)}. Remove the NUL or the half character."
        )
    return _at_home(text)


def lasting_path(path: object) -> Path:
    """Return an absolute path, which stays valid when the working folder changes.

    Raises:
        InvalidInput: As `path_of`.
        FileProblem: As `path_of`, or the working folder was deleted.
    """
    relative = path_of(path)
    try:
        return relative.absolute()
    except OSError as error:
        raise _not_found(str(relative), error) from None


def _not_found(path: str, error: OSError) -> FileProblem:
    return FileProblem(f"{shown(path, 200)} cannot be found: {reason_of(error)}.")


def _at_home(text: str) -> Path:
    """Return a path with "~" or "~user" replaced by the home folder."""
    expanded = os.path.expanduser(text)  # noqa: PTH111 - leaves an unknown user's "~name" as it is
    result = Path(expanded)
    if not str(result).startswith("~"):
        return result
    try:
        # Without the folder, "./~" would become the home folder in another call of `path_of`.
        result = result.absolute()
    except OSError as error:
        raise _not_found(text, error) from None
    home, *rest = Path(text).parts
    is_folder = bool(rest) or home == "~"
    if text.startswith("~") and is_folder and not os.path.lexists(home):
        raise FileProblem(
            f"The home folder {shown(home)} of {shown(text, 200)} is not known. Write the path "
            "from the root of the file system instead."
        )
    return result


def encoded(content: object, indent: int | None = None) -> bytes:
    """Return readable JSON that `strict_json.decode` reads back unchanged.

    Half a character, which UTF-8 cannot encode, is written as its escape. Infinity is written as
    a number beyond all doubles, which Python reads as infinity.

    Args:
        content: Dictionaries, lists, texts, numbers, truth values and None.
        indent: As for `json.dumps`.

    Raises:
        FileProblem: A value would not be read back unchanged.
    """
    try:
        plain = json.dumps(content, ensure_ascii=False)
        text = strict_json.text_of(content, ensure_ascii=False, indent=indent)
        body = text.encode(errors="backslashreplace")
        if json.dumps(strict_json.decode(body), ensure_ascii=False) == plain:
            return body
        reason = "a part of it would be read as another value"
    except RecursionError:
        reason = "it is nested too deep"
    except (TypeError, ValueError) as error:
        reason = reason_of(error)
    raise FileProblem(f"This content cannot be kept in a file and read again: {reason}.")


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Context manager that yields a file, which gets its name once it is completely on the disk.

    If writing fails, an existing file of that name is unchanged, and no partial file is left.

    Args:
        path: The path of the file, as `path_of` takes it. Links are followed.
        overwrite: Whether an existing file may be replaced.

    Raises:
        InvalidInput: `path` is not a path on this machine, or `overwrite` is not a truth value.
        FileProblem: The file exists and `overwrite` is false, or writing failed.
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
    """Return the mode of an existing file that may be replaced; None if no file exists."""
    if not target.exists():
        return None
    if target.is_dir():
        raise FileProblem(f"{path} is a folder. Give the path of a file in it.")
    if not target.is_file():
        raise FileProblem(
            f"{path} is not a regular file and cannot be replaced. Choose another name."
        )
    if not overwrite:
        raise _exists(path)
    return stat.S_IMODE(target.stat().st_mode)


def _failed(path: str | os.PathLike[str], error: Exception) -> Exception:
    if isinstance(error, FileProblem):
        return error
    return FileProblem(
        f"{visible(os.fspath(path), 200)} could not be written: {reason_of(error)}. An existing "
        "file is unchanged."
    )


def _exists(path: str | os.PathLike[str]) -> FileProblem:
    option = spelled("overwrite=True", "--overwrite")
    return FileProblem(f"{path} exists. Choose another name, or give {option}.")


def _put(part: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(target)
    else:
        try:
            # Unlike a rename, this fails if the name was taken in the meantime.
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:
            # Without hard links, reserve the name with an empty file and replace that.
            target.open("xb").close()
            try:
                part.replace(target)
            except OSError:
                target.unlink()
                raise
    if os.name == "posix":
        # Not every file system can sync a folder; the file itself is on the disk already.
        with contextlib.suppress(OSError):
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
