"""The comments of sources: archived, and uploaded again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from reinfer_nb.api.contents.comment_calls import Span
from reinfer_nb.api.contents.counting import range_of
from reinfer_nb.api.contents.reading import Reading
from reinfer_nb.arguments import flag
from reinfer_nb.comments.archive_file import Archive, checked_path, described
from reinfer_nb.concurrency import checked_workers
from reinfer_nb.dates import When
from reinfer_nb.errors import InvalidInput
from reinfer_nb.files import lasting_path, path_of
from reinfer_nb.forking import importing
from reinfer_nb.schema.records import Source
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.api.contents.uploading import UploadResult


class Keeping(Reading):
    """The methods of a client that archive comments and upload them again."""

    # A text is an iterable of texts, too, but always one source.
    @overload
    def archive(  # type: ignore[overload-overlap]
        self,
        which: str | Source,
        path: str | os.PathLike[str],
        *,
        since: When | None = None,
        until: When | None = None,
        overwrite: bool = False,
        resume: bool = True,
        workers: int = 16,
        progress: bool | Callable[[int, int], object] = True,
    ) -> Archive: ...

    @overload
    def archive(
        self,
        which: pd.DataFrame | os.PathLike[str] | Iterable[str | Source],
        path: str | os.PathLike[str],
        *,
        options: Mapping[str, Any] | None = None,
        workers: int = 16,
        progress: bool | Callable[[int, int], object] = True,
    ) -> pd.DataFrame: ...

    def archive(
        self,
        which: pd.DataFrame | str | Source | os.PathLike[str] | Iterable[str | Source],
        path: str | os.PathLike[str],
        *,
        since: When | None = None,
        until: When | None = None,
        overwrite: bool = False,
        resume: bool = True,
        options: Mapping[str, Any] | None = None,
        workers: int = 16,
        progress: bool | Callable[[int, int], object] = True,
    ) -> Archive | pd.DataFrame:
        """Write the comments of a source to a file, or those of many to a folder.

        >>> archive = client.archive("claims/theft-inbox", "theft.jsonl.gz", progress=False)
        >>> archive.num_comments
        1484

        One source goes to a file with one JSON object a line, `{"comment": {...}}`, which the
        vendor's client `re` reads and writes, too. It gets its name once it is complete and its
        number of comments is that of the tenant's count. Until then its parts are in a folder
        beside it; after a kill, the same call goes on where it was. A side file holds the settings
        of the source.

        Many sources, as a listing or a list, go to a folder or URL of Parquet files by project,
        source and month, `project=claims/source=motor-inbox/month=2026-03/`, which DuckDB, Dask
        and Spark read as they are. Another call fetches the months whose number of comments has
        changed, and the newest month if its newest comment has; a change that leaves all numbers
        as they were is not noticed. Comments that were deleted on the tenant stay. Several writers
        may archive at once.

        Both hold all that the API tells of a comment, texts with markup included. Not in an archive
        are the content of attachments, audio, and annotations.

        Args:
            which: One source: "project/name", 16 hexadecimal digits as in the column `id`, or a
                `Source`. Or many: a listing, the `Path` of one, or a list of projects and sources.
            path: The file; its name ends in ".jsonl.gz", or in ".jsonl" for one that is not
                compressed. For many sources, a folder, or an fsspec URL such as
                "s3://bucket/comments".
            since: Only comments sent at this time or later, as for `statistics`; for a file.
            until: Only comments sent until then; by default, all that there are at the beginning;
                for a file.
            overwrite: Whether an existing file may be replaced.
            resume: Whether to go on with a file that an earlier call has begun. What was read then
                is not read again, also if it has changed since; with False all is read anew.
            options: Options that fsspec needs for the URL.
            workers: Number of concurrent requests, up to 32, each about a range of time.
            progress: Show a progress bar; or a function to call with the number of comments done
                and the total. An exception of the function ends the call.

        Returns:
            Of one source, what the archive holds, with `path` and `num_comments`. Of many, a frame
            with one row a source: `owner`, `name`, `id` (`str`), `num_comments` (`Int64`, the
            tenant's count), `num_fetched`, `num_files` (`Int64`: what was written now).
            `read_archive` reads both.

        Raises:
            InvalidInput: An argument is not valid, or `since` is after `until`.
            NotFound: There is no such source, or the token may not see it.
            FileProblem: The file exists, or could not be written, or an archive of that name was
                begun of another source.
            NotCarriedOut: The number of comments differs from the tenant's count, again and again.
            ConfigurationError: fsspec needs a package for the URL that is not installed.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            UnreadableWarning: Some of many sources could not be archived completely; the message
                names them.
        """
        if not isinstance(which, str | Source):
            if since is not None or until is not None or overwrite is not False:
                raise InvalidInput(
                    "since, until and overwrite are for the file of one source. A folder of many "
                    "sources holds all their comments."
                )
            return self._archive_many(which, path, options, workers=workers, progress=progress)
        with importing():
            from reinfer_nb.api.contents.archiving import Archiver

        file = checked_path(path)
        span = Span(*range_of(since, until))
        overwrite, resume = flag(overwrite, "overwrite"), flag(resume, "resume")
        workers = checked_workers(workers)
        source = self.source(which)
        archiver = Archiver(
            self.calls, self.comment_calls, source, self.endpoint, workers, progress
        )
        return archiver.archive(file, span, overwrite=overwrite, resume=resume)

    def _archive_many(
        self,
        which: object,
        path: object,
        options: Mapping[str, Any] | None,
        *,
        workers: int,
        progress: bool | Callable[[int, int], object],
    ) -> pd.DataFrame:
        with importing():
            from reinfer_nb.api import comment_counts
            from reinfer_nb.api.contents.folder_archiving import FolderArchiver
            from reinfer_nb.comments.archive_folder import ArchiveFolder

        workers = checked_workers(workers)
        folder = ArchiveFolder(path, options)
        folder.connect()
        df = comment_counts.named_sources(self, which, "archive")
        names = comment_counts.names_in(df, "archive")
        archiver = FolderArchiver(
            self.calls, self.comment_calls, self.calls.get, folder, workers, progress
        )
        return archiver.archive(names)

    def upload(
        self,
        which: str | Source,
        archive: str | os.PathLike[str],
        *,
        confirm: int | None = None,
        another_source: bool = False,
        journal: str | os.PathLike[str] | None = None,
        workers: int = 4,
        progress: bool | Callable[[int, int], object] = True,
    ) -> UploadResult:
        """Upload the comments of an archive to a source; this costs AI units.

        >>> archive = client.archive("claims/theft-inbox", "theft.jsonl.gz", progress=False)
        >>> copy = client.create_source("claims/theft-copy")
        >>> client.upload(copy, archive.path, confirm=archive.num_comments, another_source=True,
        ...               progress=False).new == archive.num_comments
        True

        A comment replaces the one with its id, so an upload may be repeated. What the tenant has
        taken is in a journal: after a kill or an error, the same call goes on where it was.

        Args:
            which: "project/name", 16 hexadecimal digits as in the column `id`, or a `Source`.
            archive: The archive, or a file that the vendor's client has written.
            confirm: The number of comments in the archive. The tenant charges 1 AI unit for each
                one that is new or whose text differs; without this number nothing is sent, and the
                error tells it.
            another_source: Allow a source with another name than the archived one, or of another
                tenant.
            journal: A new file for the journal, or that of an upload to go on with; by default a
                file in the state folder of this user.
            workers: Number of concurrent requests, up to 32, each with up to 128 comments.
            progress: As for `archive`.

        Returns:
            How many comments were `new`, `updated` and `unchanged`, and which were `refused`.

        Raises:
            InvalidInput: An argument is not valid, the number is not confirmed, or the archive is
                of another source; nothing was uploaded.
            FileProblem: The archive cannot be read, is cut or is no archive; nothing was uploaded.
                Or the journal could not be written.
            NotFound: There is no such source, or the token may not see it.
            PermissionDenied: The token may not edit its messages.
            ReinferError: The tenant could not be reached, or failed.

        Warns:
            NotTakenWarning: The tenant has refused some comments; the others are uploaded.
        """
        with importing():
            from reinfer_nb.api.contents import uploading

        file = path_of(archive)
        another_source = flag(another_source, "another_source")
        place = None if journal is None else lasting_path(journal)
        workers = checked_workers(workers)
        source, number = checked_upload(self, which, file, another_source=another_source)
        uploading.check_confirmed(confirm, number, source.full_name)
        uploader = uploading.Uploader(self.comment_calls, source, self.endpoint, workers, progress)
        return uploader.upload(file, number, place)


def checked_upload(
    client: Keeping, which: str | Source, archive: Path, *, another_source: bool
) -> tuple[Source, int]:
    """Return the source of an upload, and the number of comments in the archive.

    Args:
        client: The client of the tenant.
        which: As for `Keeping.upload`.
        archive: The path of the archive.
        another_source: As for `Keeping.upload`.

    Raises:
        InvalidInput: The archive is of another source or tenant.
        FileProblem: The archive cannot be read, is cut or is no archive.
        ReinferError: There is no such source, or the tenant could not be reached.
    """
    with importing():
        from reinfer_nb.api.contents import uploading

    number = uploading.count_of(archive)
    held = described(archive)
    source = client.source(which)
    if held is not None and not another_source:
        _check_same(held, source, client.endpoint)
    return source, number


def _check_same(archive: Archive, source: Source, endpoint: str) -> None:
    """Raise `InvalidInput` if an archive is of another source or tenant."""
    if (archive.source.full_name, archive.endpoint) != (source.full_name, endpoint):
        raise InvalidInput(
            f"{visible(str(archive.path), 200)} is of {archive.source.full_name} on "
            f"{archive.endpoint}, not of {source.full_name} on {endpoint}. To upload it there, "
            f"give {spelled('another_source=True', '--another-source')}."
        )
