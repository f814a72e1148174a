"""A deleted source made again from its restore file."""

from __future__ import annotations

import os

from reinfer_nb.api import restore_files
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.api.write_result import Written
from reinfer_nb.arguments import flag
from reinfer_nb.errors import InvalidInput, RestoredWarning, warn
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown, visible


def restored(
    client: ApiClient, path: str | os.PathLike[str], *, another_tenant: bool = False
) -> tuple[Written, str]:
    """Return what `restore` returns, and what there is to say of it."""
    client = check_client(client, ApiClient)
    another_tenant = flag(another_tenant, "another_tenant")
    kept = restore_files.read(path)
    if kept.endpoint != client.endpoint and not another_tenant:
        raise InvalidInput(
            f"{visible(os.fspath(path), 200)} is of a source of {shown(kept.endpoint, 200)}, and "
            f"this client is of {client.endpoint}. To make the source there, say "
            "another_tenant=True."
        )
    written = client.calls.recreate(kept.source)
    made = written.source
    return written, (
        f"{made.full_name} is there again with the settings it had, under the new id {made.id} "
        f"(it was {visible(kept.source.id)}). Its comments are not: nothing brings those back."
    )


def restore(
    client: ApiClient, path: str | os.PathLike[str], *, another_tenant: bool = False
) -> Source:
    """Make a deleted source again from its restore file: its settings, a new id, no comments.

    >>> gone = client.delete_source("claims/motor-inbox", restore_file="gone.json")
    >>> restore(client, "gone.json").title
    'Motor claims inbox'

    Args:
        client: The tenant to make it on.
        path: The restore file; a delete form shows where it wrote it.
        another_tenant: Make it also on another tenant than the one it was deleted from.

    Returns:
        The source as the tenant made it.

    Raises:
        FileProblem: The file cannot be read, or is no restore file.
        InvalidInput: It is of another tenant.
        Conflict: There is a source of that name; `existing` holds it.
        PermissionDenied: The token is not a sources admin of that project.

    Warns:
        RestoredWarning: Always, once it is done: the id is new and the comments are gone.
        NotTakenWarning: The tenant accepted the request, and some fields are not as they were.
        InDoubtWarning: As for `Client.create_source`.
    """
    written, said = restored(client, path, another_tenant=another_tenant)
    warn(said, RestoredWarning)
    return written.warned()
