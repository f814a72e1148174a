"""The delete of a source as a background job, which can archive its comments first."""

from __future__ import annotations

import threading
from pathlib import Path

from reinfer_nb.api import safe_write
from reinfer_nb.api.contents.last_copy import NotArchived
from reinfer_nb.client import Client
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted
from reinfer_nb.widgets.jobs import Job, Stopped


class Deletion:
    """One delete of a source.

    Args:
        client: The tenant.
        source: The source as it was looked at.
        restore_file: A new file for its settings.
        archive: A new file for its comments; None to delete them for good.
        is_empty: True if the source has no comments; with new ones it is not deleted.

    Attributes:
        kept: The archive, once it is complete.
    """

    def __init__(
        self,
        client: Client,
        source: Source,
        restore_file: Path,
        archive: Path | None,
        *,
        is_empty: bool,
    ) -> None:
        self._is_empty = is_empty
        self._client, self._source = client, source
        self._restore_file, self._archive = restore_file, archive
        self._lock = threading.Lock()
        self._job: Job | None = None
        self.kept: Archive | None = None

    def run(self, job: Job) -> tuple[Source, str]:
        """Archive and delete; return the source, and a remark as `safe_write.delete` does.

        Raises:
            Stopped: It was stopped while it archived; nothing was deleted.
            ReinferError: As for `Client.archive` and `safe_write.delete`.
        """
        if self._archive is not None:
            with self._lock:
                self._job = job
            # A source that was changed is not archived, since it is not deleted.
            safe_write.look(self._client.calls, self._source)
            kept = self._client.archive(
                self._source, self._archive, resume=False, progress=job.progress
            )
            with self._lock:
                self._job = None
                if job.stopped.is_set():
                    raise Stopped
            self.kept = kept
        return safe_write.delete(
            self._client.calls,
            self._source,
            self._restore_file,
            archive=self.kept,
            before=self._check_empty,
        )

    def _check_empty(self, source: Source) -> None:
        if self._is_empty and (number := self._client.calls.count_comments(source.full_name)):
            raise NotArchived(
                f"{source.full_name} was not deleted: it has {counted(number, 'comment')} by now. "
                "Look at the form again."
            )

    def stop(self) -> bool:
        """Stop archiving; return False if it is too late, since the delete is under way."""
        with self._lock:
            if self._job is None:
                return False
            self._job.stopped.set()
            return True
