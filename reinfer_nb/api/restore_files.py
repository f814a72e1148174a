"""Restore files: the settings of a source that is deleted.

A restore file is JSON that a person can read. It holds the settings, never the comments: those
nothing brings back.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reinfer_nb import strict_json, user_folders
from reinfer_nb.errors import FileProblem, ProtocolError
from reinfer_nb.files import encoded, path_of, written_whole
from reinfer_nb.schema.fields import read_record
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown, visible

_FORMAT = "reinfer_nb restore file, version 1"
_ABOUT = (
    "The settings of a source just before it was deleted. rnb.restore(client, path) makes a new "
    "source with them: a new id, and none of the comments."
)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a restore file holds.

    Attributes:
        source: The source as it was.
        endpoint: The tenant it was on.
    """

    source: Source
    endpoint: str


def default_folder() -> Path:
    """Return the folder of this user in which restore files are kept unless told otherwise.

    Raises:
        FileProblem: This user has no home folder.
    """
    return user_folders.state("the restore file", 'restore_folder="..."') / "restore"


def new_file(source: Source, folder: str | os.PathLike[str] | None = None) -> Path:
    """Return a path for a restore file that nothing has yet.

    Args:
        source: What is to be kept.
        folder: Where; by default `default_folder()`.

    Raises:
        FileProblem: There is no default folder, or `folder` can be none.
    """
    place = default_folder() if folder is None else path_of(folder)
    # What a tenant calls its sources must not lead out of the folder, or beyond a name's length.
    parts = (source.owner[:60], source.name[:100], source.id[:16])
    plain = "-".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in parts)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        return place.resolve() / f"{plain}-{stamp}.json"
    except (OSError, ValueError, RuntimeError) as error:
        # A NUL, links in a circle, or a working folder that was deleted.
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileProblem(f"{shown(str(place), 200)} can be no folder: {reason}.") from None


def keep(source: Source, endpoint: str, path: str | os.PathLike[str]) -> None:
    """Write a restore file, whole and on the disk and read back before this returns.

    Args:
        source: The source as it is.
        endpoint: The tenant it is on.
        path: A new file; its folder is made where there is none.

    Raises:
        FileProblem: There is such a file already, or it could not be written and read back.
    """
    path = path_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileProblem(
            f"The folder of {visible(os.fspath(path), 200)} cannot be made: {reason}."
        ) from None
    content = {
        "format": _FORMAT,
        "about": _ABOUT,
        "endpoint": endpoint,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.to_wire(),
    }
    body = encoded(content, indent=2)
    with written_whole(path, overwrite=False) as file:
        file.write(body + b"\n")
    try:
        same = read(path).source.to_wire() == content["source"]
        problem = "it holds another source than was written"
    except FileProblem as error:
        same, problem = False, str(error)
    if not same:
        with contextlib.suppress(OSError):
            path.unlink()
        raise FileProblem(f"The restore file could not be read back: {problem}")


def read(path: str | os.PathLike[str]) -> Kept:
    """Return what a restore file holds.

    Raises:
        FileProblem: It cannot be read, or is no restore file.
    """
    path = path_of(path)
    name = visible(str(path), 200)
    try:
        content: Any = strict_json.decode(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileProblem(f"{name} cannot be read: {reason}.") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FileProblem(f"{name} is no restore file of this toolkit, or one of a later version.")
    endpoint, source = content.get("endpoint"), content.get("source")
    if not isinstance(endpoint, str) or not isinstance(source, dict):
        raise FileProblem(f"{name} holds no source, or not the tenant it was on.")
    # A setting that cannot be read would silently not be restored.
    problems = read_record(Source, source)[1]
    if problems:
        raise FileProblem(f"{name} holds no source that can be made: {'; '.join(problems)}.")
    try:
        return Kept(source=Source.from_wire(source), endpoint=endpoint)
    except ProtocolError as error:
        raise FileProblem(f"{name} holds no source that can be made: {error}") from None
