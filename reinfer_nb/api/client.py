"""The operations of the API on one tenant, with frames and sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn, Self, TypeVar, Unpack

import pandas as pd

from reinfer_nb.api.contents import last_copy
from reinfer_nb.api.contents.comment_calls import CommentCalls
from reinfer_nb.api.contents.keeping import Keeping
from reinfer_nb.api.listings import Listings, concatenated
from reinfer_nb.api.source_calls import SourceCalls, record
from reinfer_nb.api.suggestions import Suggestions
from reinfer_nb.api.transport import Transport
from reinfer_nb.errors import InDoubtWarning, InvalidInput, NotPicklable, warn
from reinfer_nb.files import path_of
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.records import (
    Bucket,
    Project,
    Source,
    SourceSettings,
    User,
    settings_in_signature,
)
from reinfer_nb.text import shown

DEFAULT_TTL = 300.0


class ApiClient(Keeping):
    """The operations of the API on one tenant, with one token; safe in several threads.

    >>> client.sources("claims").shape[0]
    39

    Args:
        transport: Sends the requests.
        cache_ttl: Seconds for which a listing is cached.

    Attributes:
        calls: The requests about one source, without a look before a write.
        comment_calls: The requests about the comments of a source.
        suggestions: Adds similar names to the message about a misspelt one.
    """

    def __init__(self, transport: Transport, *, cache_ttl: float = DEFAULT_TTL) -> None:
        self._transport = transport
        self._listings = Listings(transport, cache_ttl)
        self.calls = SourceCalls(transport, self._listings)
        self.comment_calls = CommentCalls(transport)
        self.suggestions = Suggestions(self._listings)

    @property
    def endpoint(self) -> str:
        """The base URL of the tenant."""
        return self._transport.tenant.endpoint

    def __repr__(self) -> str:
        token_from = self._transport.tenant.token_from
        return f"<{type(self).__name__} of {self.endpoint}, token from {token_from}>"

    def __reduce__(self) -> NoReturn:
        raise NotPicklable(
            "A client holds a token, so it cannot be pickled or copied. Connect again in the other "
            "process."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        self._transport.close()

    # Reading

    def sources(
        self, project: str | Iterable[str] | None = None, *, refresh: bool = False
    ) -> pd.DataFrame:
        """Return the sources that the token may see, of all projects or of some.

        >>> client.sources("claims")[["name", "language"]].head(2)
                     name language
        0     motor-inbox       en
        1  property-inbox       en

        Args:
            project: A project's name, or the names of several projects; all projects by default.
            refresh: Request the listing even if a cached one is still valid.

        Returns:
            One row a source in the order of the API, over a `RangeIndex`; the listings of several
            projects follow one another in the order given. Columns: `owner`, `name`, `title`,
            `language`, `kind` (`str`), `should_translate` (`boolean`), `bucket_id` (`str`),
            `created_at`, `updated_at`, `last_modified` (`datetime64[us, UTC]`),
            `sensitive_properties` (`object`, a tuple of `str` a row), `email_transform_tag`
            (`str`), `email_transform_version` (`Int64`), `id`, `description` (`str`); then fields
            that this version does not know. `attrs` holds JSON values: `endpoint`, `project` (None
            for all projects, a list for several), and `fetched_at`, when the (oldest) listing was
            requested, as an ISO 8601 text in UTC: by this machine's clock, or by the tenant's if
            they differ.

            The listing is cached for `cache_ttl` seconds. The result is a copy: writing to it, or
            to arrays of its columns (`.to_numpy()`), changes neither the cache nor other results.

        Raises:
            InvalidInput: `project` is not a valid name, or an empty list.
            ProtocolError: The response holds sources of another project than `project`.
            ReinferError: The tenant could not be reached or returned no listing.

        Warns:
            UnreadableWarning: Some values could not be read and are missing.
        """
        if project is not None and not isinstance(project, str):
            names = validation.project_names(project, self.suggestions.project_name)
            parts = [self.sources(name, refresh=refresh) for name in names]
            return parts[0] if len(parts) == 1 else concatenated(parts, self.endpoint, names)
        if project is None:
            return self._listings.get(endpoints.LIST, "sources", Source, refresh=refresh)
        with self.suggestions.of_project(project):
            name = validation.project_name(project)
            return self._listings.get(
                endpoints.LIST_PROJECT, "sources", Source, refresh=refresh, project=name
            )

    def projects(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return the projects that the token may see.

        Args:
            refresh: As for `sources`.

        Returns:
            One row a project: `id`, `name`, `title`, `description` (`str`), `created_at`,
            `updated_at` (`datetime64[us, UTC]`), then further fields of the response.
        """
        return self._listings.get(endpoints.PROJECTS, "projects", Project, refresh=refresh)

    def buckets(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return the buckets that the token may see; `bucket_id` in `sources` refers to them.

        >>> client.buckets()[["owner", "name"]].head(2)
                 owner          name
        0  broker-desk  endorsements
        1  broker-desk   commissions

        Args:
            refresh: As for `sources`.

        Returns:
            One row a bucket: `id`, `name`, `owner` (`str`), `created_at`
            (`datetime64[us, UTC]`), then further fields of the response.

        Raises:
            PermissionDenied: The token may not see buckets, which is common.
        """
        return self._listings.get(endpoints.BUCKETS, "buckets", Bucket, refresh=refresh)

    def me(self) -> User:
        """Return the user the token belongs to, with its permissions.

        >>> client.me().username
        'admin'
        """
        return record(self._transport.send(endpoints.ME), "user", User)

    def source(self, which: str | Source) -> Source:
        """Return one source, by its full name or its id.

        >>> client.source("claims/motor-inbox").title
        'Motor claims inbox'

        Args:
            which: "project/name", 16 hexadecimal digits as in the column `id`, or a `Source`.

        Raises:
            InvalidInput: `which` is none of these.
            NotFound: There is no such source, or the token may not see it.
        """
        with self.suggestions.of_source(which):
            return self.calls.get(which.full_name if isinstance(which, Source) else which)

    # Writing

    @settings_in_signature
    def create_source(self, full_name: str, /, **settings: Unpack[SourceSettings]) -> Source:
        """Create a source, and return it as the tenant created it.

        >>> client.create_source("claims/travel", title="Travel claims", language="xlm").language
        'xlm'

        Args:
            full_name: "project/name"; neither can be changed later.
            **settings: `title`, `description`, `language`, `kind`, `bucket_id`,
                `email_transform_tag`, `should_translate`, `sensitive_properties`,
                `email_transform_version`; the tenant has defaults for the others.

        Raises:
            InvalidInput: The name or a value is invalid; nothing was sent.
            Conflict: There is a source of that name; `existing` holds it.
            PermissionDenied: The token is not a sources admin of that project.

        Warns:
            NotTakenWarning: The tenant accepted the request, and some fields are not as given.
            InDoubtWarning: The response to a first attempt was lost, so the source with these
                settings may be one that somebody else created at the same time.
        """
        body = validation.settings("create", settings)
        with self.suggestions.of_new_source(full_name):
            written = self.calls.create(full_name, body)
        return written.warned()

    def recreate_source(self, source: Source, /) -> Source:
        """Create a deleted source again with its settings, and return the new source.

        >>> gone = client.delete_source("claims/motor-inbox")
        >>> client.recreate_source(gone).title
        'Motor claims inbox'

        The new source has a new id and no comments; `upload` brings back those of an archive.

        Args:
            source: The source that `delete_source` returned. Its settings are sent unchanged, even
                those that `create_source` would reject.

        Raises:
            InvalidInput: The name is invalid; nothing was sent.
            Conflict: There is a source of that name; `existing` holds it.
            PermissionDenied: The token is not a sources admin of that project.

        Warns:
            NotTakenWarning: The tenant accepted the request, and some fields are not as given.
            InDoubtWarning: The response to a first attempt was lost, so the source with these
                settings may be one that somebody else created at the same time.
        """
        with self.suggestions.of_new_source(getattr(source, "full_name", None)):
            written = self.calls.recreate(source)
        return written.warned()

    @settings_in_signature
    def update_source(self, which: str | Source, /, **settings: Unpack[SourceSettings]) -> Source:
        """Change the given settings of a source, and return its new version.

        >>> client.update_source("claims/motor-inbox", title="Motor").title
        'Motor'

        Args:
            which: "project/name", an id, or a `Source`; a `Source` is updated by its full name.
            **settings: As for `create_source`; `bucket_id=None` detaches the bucket.

        Raises:
            InvalidInput: A name or value is invalid, or no settings are given; nothing was sent.
            NotFound: There is no such source, or the token may not see it.
            PermissionDenied: The token is not a sources admin of that project.
            ProtocolError: The response is about another source, for example one created meanwhile
                with this name.

        Warns:
            NotTakenWarning: The tenant accepted the request, and some fields are not as given; a
                tenant may allow `language` and `kind` only in a create.
        """
        body = validation.settings("update", settings)
        id_ = which if isinstance(which, str) and validation.is_id(which) else None
        with self.suggestions.of_source(which):
            written = self.calls.update(self._full_name(which), body, id_)
        return written.warned()

    def delete_source(
        self,
        which: str | Source,
        /,
        *,
        restore_file: str | os.PathLike[str] | None = None,
        archive: str | os.PathLike[str] | None = None,
    ) -> Source:
        """Delete a source with all its comments, and return its last version.

        >>> client.delete_source("claims/motor-inbox").title
        'Motor claims inbox'

        Without an archive, nothing brings its comments back. `recreate_source` creates a source
        with the settings of the returned one; `restore` does that from a restore file, and uploads
        the comments of an archive.

        Args:
            which: "project/name", an id, or a `Source`; a `Source` is deleted by its id, so
                never another source with the same name.
            restore_file: A new file for the settings, written before the delete; `restore`
                recreates the source from it.
            archive: A new file for its comments, written before the delete, as for `archive`. The
                source is only deleted if it has as many comments as the archive.

        Raises:
            InvalidInput: `which` is none of these; nothing was sent.
            FileProblem: A file exists or could not be written; nothing was deleted.
            NotFound: There is no such source, or the token may not see it; `in_doubt` is True if
                an earlier attempt may have deleted it, which could not be verified.
            NotCarriedOut: Comments have arrived since they were archived, and nothing was deleted;
                or the tenant accepted the delete, but the source still exists.
            PermissionDenied: The token is not a sources admin of that project.

        Warns:
            InDoubtWarning: The tenant accepted the delete, but it could not be verified.
        """
        if restore_file is not None:
            restore_file = path_of(restore_file)
        source = self.source(which.id if isinstance(which, Source) else which)
        self.calls.check_id(source)
        kept = None if archive is None else self.archive(source, archive, resume=False)
        if restore_file is not None:
            from reinfer_nb.api import restore_files

            restore_files.write(source, self.endpoint, restore_file, kept)
        if kept is not None:
            last_copy.check(self.calls, kept)
        if not self.calls.delete(source) and (remark := self.calls.check_deleted(source)):
            warn(remark, InDoubtWarning)
        return source

    # Private


_Client = TypeVar("_Client", bound=ApiClient)


def check_client(client: object, kind: type[_Client]) -> _Client:
    """Return `client` if it is an instance of `kind`.

    Raises:
        InvalidInput: It is not.
    """
    if isinstance(client, kind):
        return client
    raise InvalidInput(
        "The first argument must be a client, from rnb.connect(), rnb.sandbox().start() or `with "
        f"rnb.sandbox() as client`, not {shown(client)}."
    )
