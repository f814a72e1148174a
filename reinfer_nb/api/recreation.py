"""Recreation of a deleted source from its restore file."""

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
    with client.suggestions.of_new_source(deleted.source.full_name):
        written = client.calls.recreate(deleted.source)
    source = written.source
    return written, (
        f"{source.full_name} was recreated with its settings, under the new id {source.id} "
        f"(before: {visible(deleted.source.id)}). Its comments cannot be restored."
    )


def restore(
    client: ApiClient, path: str | os.PathLike[str], *, another_tenant: bool = False
) -> Source:
    """Recreate a deleted source from its restore file: its settings, a new id, no comments.

    >>> gone = client.delete_source("claims/motor-inbox", restore_file="gone.json")
    >>> restore(client, "gone.json").title
    'Motor claims inbox'

    Args:
        client: The client of the tenant.
        path: The restore file; a delete form shows its path.
        another_tenant: Allow another tenant than the one that the source was deleted from.

    Returns:
        The new source.

    Raises:
        FileProblem: The file cannot be read, or is not a restore file.
        InvalidInput: The file is of another tenant.
        Conflict: There is a source of that name; `existing` holds it.
        PermissionDenied: The token is not a sources admin of that project.

    Warns:
        RestoredWarning: Always, after the create: the id is new and the comments are gone.
        NotTakenWarning: The tenant accepted the request, but some fields are not as they were.
        InDoubtWarning: As for `Client.create_source`.
    """
    written, message = restored(client, path, another_tenant=another_tenant)
    warn(message, RestoredWarning)
    return written.warned()
