"""Restore files: the settings of a source that is deleted, in readable JSON.

A restore file never holds comments; it names the archive that holds them, if there is one.
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
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.errors import FileProblem, ProtocolError, reason_of
from reinfer_nb.files import encoded, lasting_path, path_of, written_whole
from reinfer_nb.schema.fields import read_record
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown, visible

_FORMAT = "reinfer_nb restore file, version 1"
_ABOUT = (
    "The settings of a source just before it was deleted. rnb.restore(client, path) makes a new "
    "source with them, under a new id. Its comments are in the archive, if there is one."
)


@dataclass(frozen=True, kw_only=True)
class RestoreFile:
    """The content of a restore file.

    Attributes:
        source: The deleted source.
        endpoint: The base URL of its tenant.
        archive: The archive of its comments; None if none was written.
    """

    source: Source
    endpoint: str
    archive: Path | None = None


def default_folder() -> Path:
    """Return the default folder for restore files of this user.

    Raises:
        FileProblem: This user has no home folder.
    """
    return user_folders.state("the restore file", 'restore_folder="..."') / "restore"


def new_file(source: Source, folder: str | os.PathLike[str] | None = None) -> Path:
    """Return an unused path for a restore file.

    Args:
        source: The source to be deleted.
        folder: The folder of the file; by default `default_folder()`.

    Raises:
        FileProblem: There is no default folder, or `folder` cannot be a folder.
    """
    folder_path = default_folder() if folder is None else path_of(folder)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        return folder_path.resolve() / f"{file_stem(source)}-{stamp}.json"
    except (OSError, ValueError, RuntimeError) as error:
        # A NUL, a circle of links, or a deleted working folder.
        raise FileProblem(
            f"{shown(str(folder_path), 200)} cannot be a folder: {reason_of(error)}."
        ) from None


def file_stem(source: Source) -> str:
    """Return the beginning of the name of a file about a source.

    The names of the source can neither lead out of a folder nor make the file's name too long.
    """
    parts = (source.owner[:60], source.name[:100], source.id[:16])
    return "-".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in parts)


def write(
    source: Source, endpoint: str, path: str | os.PathLike[str], archive: Archive | None = None
) -> None:
    """Write a restore file to the disk, and read it back.

    Args:
        source: The source to be deleted.
        endpoint: The base URL of its tenant.
        path: A new file; its folder is created if it is missing.
        archive: The archive of its comments, if there is one.

    Raises:
        FileProblem: The file exists, or could not be written and read back.
    """
    path = path_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise FileProblem(
            f"The folder of {visible(os.fspath(path), 200)} cannot be created: {reason_of(error)}."
        ) from None
    content: dict[str, Any] = {
        "format": _FORMAT,
        "about": _ABOUT,
        "endpoint": endpoint,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.to_wire(),
    }
    if archive is not None:
        content["archive"] = str(lasting_path(archive.path))
    body = encoded(content, indent=2)
    with written_whole(path, overwrite=False) as file:
        file.write(body + b"\n")
    try:
        same = read(path).source.to_wire() == content["source"]
        problem = "its source differs from the one that was written"
    except FileProblem as error:
        same, problem = False, str(error)
    if not same:
        with contextlib.suppress(OSError):
            path.unlink()
        raise FileProblem(f"The restore file could not be read back: {problem}")


def read(path: str | os.PathLike[str]) -> RestoreFile:
    """Return the content of a restore file.

    Raises:
        FileProblem: The file cannot be read, or is not a restore file.
    """
    path = path_of(path)
    name = visible(str(path), 200)
    try:
        content: Any = strict_json.decode(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FileProblem(f"{name} cannot be read: {reason_of(error)}.") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FileProblem(f"{name} is not a restore file, or one of a later version of reinfer_nb.")
    endpoint, source = content.get("endpoint"), content.get("source")
    if not isinstance(endpoint, str) or not isinstance(source, dict):
        raise FileProblem(f"{name} is incomplete: its source or its tenant is missing.")
    # An unreadable setting would not be restored, without any message.
    problems = read_record(Source, source)[1]
    if problems:
        raise FileProblem(f"{name} holds a source that cannot be created: {'; '.join(problems)}.")
    try:
        archive = content.get("archive")
        return RestoreFile(
            source=Source.from_wire(source),
            endpoint=endpoint,
            archive=Path(archive) if isinstance(archive, str) else None,
        )
    except ProtocolError as error:
        raise FileProblem(f"{name} holds a source that cannot be created: {error}") from None
