"""The archive of a source that is to be deleted: nothing is deleted that is not in it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from reinfer_nb.api.restore_files import file_stem
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.comments.archive_file import Archive, side_path
from reinfer_nb.errors import FileProblem, NotCarriedOut, reason_of
from reinfer_nb.files import lasting_path
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, visible


class NotArchived(NotCarriedOut):
    """An archive does not hold all comments of its source, so the source must not be deleted."""


def check(calls: SourceCalls, archive: Archive) -> None:
    """Raise `NotArchived` unless a source has as many comments as its archive.

    Args:
        calls: The requests about one source.
        archive: The archive of all its comments.
    """
    number = calls.count_comments(archive.source.full_name)
    if number != archive.num_comments:
        raise NotArchived(
            f"{archive.source.full_name} was not deleted: it has {counted(number, 'comment')} now, "
            f"but its archive {visible(str(archive.path), 200)} holds {archive.num_comments:,}. "
            "Perhaps new ones have just arrived. Archive it again under another name, then delete "
            "it."
        )


def new_file(source: Source, folder: str | os.PathLike[str]) -> Path:
    """Return an unused path for the archive of a source, or that of one that was begun.

    Args:
        source: The source.
        folder: The folder; it is created if it is missing.

    Raises:
        FileProblem: It cannot be a folder.
    """
    place = lasting_path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(
            f"{visible(str(place), 200)} cannot be a folder: {reason_of(error)}."
        ) from None
    stem = file_stem(source)
    for number in itertools.count(1):
        path = place / f"{stem}{f'-{number}' if number > 1 else ''}.jsonl.gz"
        if not path.exists() and (not side_path(path).exists() or _is_begun(path)):
            break
    return path


def _is_begun(path: Path) -> bool:
    return path.with_name(f"{path.name}.partial").is_dir()
