"""Recreation of a deleted source from its restore file, and of its comments from an archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from reinfer_nb.api import restore_files
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.api.contents import uploading
from reinfer_nb.api.write_result import Written
from reinfer_nb.arguments import flag
from reinfer_nb.comments.archive_file import described
from reinfer_nb.errors import InvalidInput, ReinferError, RestoredWarning, warn
from reinfer_nb.files import path_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, shown, visible
from reinfer_nb.wording import spelled


class _Kept(NamedTuple):
    """An archive that is to be uploaded."""

    path: Path
    num_comments: int
    remark: str


def restored(
    client: ApiClient,
    path: str | os.PathLike[str],
    *,
    archive: str | os.PathLike[str] | None = None,
    confirm: int | None = None,
    another_tenant: bool = False,
    progress: bool | Callable[[int, int], object] = True,
) -> tuple[Written, str]:
    """Recreate a source as `restore` does; return the result and a message about it."""
    client = check_client(client, ApiClient)
    another_tenant = flag(another_tenant, "another_tenant")
    deleted = restore_files.read(path)
    if deleted.endpoint != client.endpoint and not another_tenant:
        raise InvalidInput(
            f"{visible(os.fspath(path), 200)} is for a source of {shown(deleted.endpoint, 200)}, "
            f"but this client is connected to {client.endpoint}. To create the source there, give "
            "another_tenant=True."
        )
    name = deleted.source.full_name
    kept = None
    if archive is not None:
        kept = _checked(path_of(archive), deleted.source, confirm)
    with client.suggestions.of_new_source(name):
        written = client.calls.recreate(deleted.source)
    source = written.source
    message = (
        f"{source.full_name} was recreated with its settings, under the new id {source.id} "
        f"(before: {visible(deleted.source.id)})."
    )
    if kept is None:
        return written, f"{message} {_about_comments(deleted, source)}"
    upload = spelled(
        f"client.upload({source.full_name!r}, {str(kept.path)!r}, confirm={kept.num_comments})",
        f"reinfer-nb upload {source.full_name} {kept.path}",
    )
    try:
        result = client.upload(
            source,
            kept.path,
            confirm=kept.num_comments,
            another_source=True,
            progress=progress,
        )
    except (ReinferError, KeyboardInterrupt) as error:
        error.add_note(f"{message} Its comments are not complete yet. To go on: {upload}")
        raise
    taken = kept.num_comments - len(result.refused)
    verb = "was" if taken == 1 else "were"
    return written, (
        f"{message} {counted(taken, 'comment')} {verb} uploaded from "
        f"{visible(str(kept.path), 200)}.{kept.remark}"
    )


def _checked(path: Path, source: Source, confirm: int | None) -> _Kept:
    """Return the archive of a deleted source, before anything is sent."""
    number = uploading.count_of(path)
    held = described(path)
    if held is not None and held.source.id != source.id:
        raise InvalidInput(
            f"{visible(str(path), 200)} is the archive of {held.source.full_name} "
            f"({held.source.id}), not of {source.full_name} ({source.id}) as it was deleted."
        )
    uploading.check_confirmed(confirm, number, source.full_name)
    remark = ""
    if held is not None and not held.is_whole:
        remark = " The archive holds those of a range of time only; the source had others."
    return _Kept(path, number, remark)


def _about_comments(deleted: restore_files.RestoreFile, source: Source) -> str:
    if deleted.archive is None:
        return "Its comments cannot be restored without an archive."
    upload = spelled(
        f"client.upload({source.full_name!r}, {str(deleted.archive)!r})",
        f"reinfer-nb upload {source.full_name} {deleted.archive}",
    )
    return f"Its comments are in {visible(str(deleted.archive), 200)}. To upload them: {upload}"


def restore(
    client: ApiClient,
    path: str | os.PathLike[str],
    *,
    archive: str | os.PathLike[str] | None = None,
    confirm: int | None = None,
    another_tenant: bool = False,
) -> Source:
    """Recreate a deleted source from its restore file, and its comments from an archive.

    >>> gone = client.delete_source("claims/motor-inbox", restore_file="gone.json")
    >>> restore(client, "gone.json").title
    'Motor claims inbox'

    The new source has a new id. Comments are uploaded with the ids that they had.

    Args:
        client: The client of the tenant.
        path: The restore file; a delete form shows its path.
        archive: The archive of its comments; without it, the new source has none.
        confirm: The number of comments in the archive, since the tenant charges 1 AI unit for each;
            as for `Client.upload`.
        another_tenant: Allow another tenant than the one that the source was deleted from.

    Returns:
        The new source.

    Raises:
        FileProblem: A file cannot be read, or is neither a restore file nor an archive.
        InvalidInput: The restore file is of another tenant, the archive of another source, or the
            number of comments is not confirmed; nothing was sent.
        Conflict: There is a source of that name; `existing` holds it.
        PermissionDenied: The token is not a sources admin of that project.
        ReinferError: As for `Client.upload`; a note tells how to go on with the upload.

    Warns:
        RestoredWarning: Always, after the create: the id is new, and where the comments are.
        NotTakenWarning: The tenant accepted the request, but some fields are not as they were, or
            some comments were refused.
        InDoubtWarning: As for `Client.create_source`.
    """
    written, message = restored(
        client, path, archive=archive, confirm=confirm, another_tenant=another_tenant
    )
    warn(message, RestoredWarning)
    return written.warned()
