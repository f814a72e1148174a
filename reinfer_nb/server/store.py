"""The data of the sandbox: the sources, and the directory of projects, buckets and users.

Sources are stored as the JSON objects that the API returns.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from reinfer_nb.errors import warn
from reinfer_nb.schema.added_columns import ADDED, COMMENTS
from reinfer_nb.schema.endpoints import ALL_ON_A_PROJECT, READ, TENANT_ADMIN
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.validation import ID_RULE, NAME_RULE, is_id, is_name
from reinfer_nb.schema.value_types import INT64, Whole
from reinfer_nb.server import sample_data
from reinfer_nb.server.comments.store import CommentStore
from reinfer_nb.server.comments.store import Source as Commented
from reinfer_nb.server.database import Database
from reinfer_nb.server.directory import Directory, only
from reinfer_nb.server.listing_cache import Pages
from reinfer_nb.server.refusals import Missing, Refused, Taken
from reinfer_nb.server.stored_json import encoder, json_text
from reinfer_nb.server.timestamps import later, now
from reinfer_nb.server.tokens import LastingTokens
from reinfer_nb.text import holds_half_character, listed, shown

KNOWN_TAG = "generic.0.CONVKER5"
# Rows per check for lone surrogates.
_CHUNK = 1000
_COUNTS = range(INT64[-1] + 1)


class Store:
    """The content of a practice tenant.

    Args:
        database: The database file; None for memory.
        rows: The first sources, as the API's JSON objects; None for the sample company.

    Attributes:
        directory: The projects, buckets and users.
        comments: The comments of the sources.
        lasting_tokens: The tokens in the database, as hashes.

    Raises:
        FileProblem: The file is not a sandbox's, of another version, or open elsewhere. The
            file is not changed.
        Refused: Two rows have the same id or name, a row has no owner or name, or there are
            `rows` and the file has a sandbox already.
    """

    def __init__(
        self, database: Path | None = None, rows: Iterable[Mapping[str, Any]] | None = None
    ) -> None:
        self._db = Database(database)
        self._pages = Pages(self._db)
        self.directory = Directory(self._db)
        self.comments = CommentStore(self._db)
        if not self._db.fresh and rows is not None:
            self._db.close()
            raise Refused(f"{database} has a sandbox already; leave out the data")
        try:
            if self._db.fresh:
                with self._db.making():
                    self._fill(rows)
            self.lasting_tokens = LastingTokens(self._db)
            # Build the pages now, so that the first listing is as fast as the others.
            self._pages.of(None)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # Reading

    def listing(self, projects: AbstractSet[str] | None = None) -> list[bytes | memoryview]:
        """Return the sources of some projects or of all, in the order of their creation.

        Args:
            projects: The projects; None for all.

        Returns:
            The pieces of a JSON array.
        """
        first, *more = self._pages.of(projects) or [b", "]
        # A view removes the first comma without a copy.
        return [b"[", memoryview(first)[2:], *more, b"]"]

    def source(self, owner: str, name: str) -> dict[str, Any]:
        """Return a source by project and name, or raise `Missing`."""
        query = "SELECT body FROM sources WHERE owner = ? AND name = ?"
        return only(self._db.read(query, owner, name))

    def source_by_id(self, source_id: str) -> dict[str, Any]:
        """Return a source by its id, or raise `Missing`."""
        return only(self._db.read("SELECT body FROM sources WHERE id = ?", source_id))

    def commented(self, owner: str, name: str) -> Commented:
        """Return a source for `comments`, or raise `Missing`."""
        query = "SELECT body, comments FROM sources WHERE owner = ? AND name = ?"
        for body, samples in self._db.read(query, owner, name):
            return Commented(json.loads(body), int(samples))
        raise Missing

    # Writing

    def create(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Create and return a source; raise `Taken`, `Refused`, or `Missing` for its project."""
        moment = now()
        source = _defaults() | {"id": secrets.token_hex(8), "owner": owner, "name": name}
        source |= dict.fromkeys(("created_at", "updated_at", "last_modified"), moment)
        source |= settings
        with self._db.writing():
            self.directory.project(owner)
            try:
                self.source(owner, name)
            except Missing:
                self._check(settings)
                self._insert(source, comments=0)
                self._forget(source["id"])
            else:
                raise Taken(f"there is a source {owner}/{name} already")
        return _record(source)

    def update(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change and return a source, or raise `Missing` or `Refused`."""
        with self._db.writing():
            source = self.source(owner, name)
            self._check(settings)
            source |= settings
            moment = later(source["updated_at"])
            source |= dict.fromkeys(("updated_at", "last_modified"), moment)
            record = _record(source)
            self._forget(source["id"])
            statement = "UPDATE sources SET body = ? WHERE id = ?"
            self._db.write(statement, json.dumps(record), source["id"])
        return record

    def delete(self, source_id: str) -> None:
        """Delete a source, or raise `Missing`."""
        with self._db.writing():
            self._forget(source_id)
            self.comments.forget(source_id)
            self._db.write("DELETE FROM sources WHERE id = ?", source_id)

    def delete_project(self, name: str, *, force: bool) -> None:
        """Delete a project with its sources, see `Directory.delete_project`."""
        with self._db.writing():
            self._pages.forget_all()
            self.directory.delete_project(name, force=force)
            self.comments.forget_unowned()

    def _forget(self, source_id: str) -> None:
        """Drop the cached page of a source, or raise `Missing`."""
        for (position,) in self._db.read("SELECT position FROM sources WHERE id = ?", source_id):
            return self._pages.forget(position)
        raise Missing

    def _check(self, settings: Mapping[str, Any]) -> None:
        bucket_id = settings.get("bucket_id")
        if bucket_id is not None:
            try:
                self.directory.bucket_by_id(bucket_id)
            except Missing:
                raise Refused(f"The bucket '{bucket_id}' does not exist.") from None
        tag = settings.get("email_transform_tag")
        if tag is not None and tag != KNOWN_TAG:
            query = "SELECT 1 FROM sources WHERE json_extract(body, '$.email_transform_tag') = ?"
            if not self._db.read(f"{query} LIMIT 1", tag):
                raise Refused(f"The value '{tag}' is not a valid transform tag.")

    # Filling

    def _fill(self, rows: Iterable[Mapping[str, Any]] | None) -> None:
        self.comments.begin()
        projects, buckets, sources = _sample() if rows is None else _from_rows(rows)
        for project in projects:
            self.directory.add_project(project)
        self.directory.add_buckets(buckets)
        _refuse_duplicates(sources)
        self._db.write_many(_INSERT, (_row(*source) for source in _with_progress(sources)))
        names = [project["name"] for project in projects]
        everything = dict.fromkeys(names, ALL_ON_A_PROJECT)
        self.directory.add_user("admin", [TENANT_ADMIN], everything, user_id=sample_data.ADMIN_ID)
        visible = {name: [READ] for name in names if rows is not None or name != sample_data.HIDDEN}
        self.directory.add_user("viewer", [], visible, user_id=sample_data.VIEWER_ID)

    def _insert(self, source: Mapping[str, Any], comments: int) -> None:
        try:
            self._db.write(_INSERT, *_row(source, comments))
        except sqlite3.IntegrityError:
            raise _duplicate(source) from None


_INSERT = "INSERT INTO sources (id, owner, name, body, comments) VALUES (?, ?, ?, ?, ?)"


def _row(source: Mapping[str, Any], comments: int) -> tuple[str, str, str, str, int]:
    text = json_text(_record(source))
    return source["id"], source["owner"], source["name"], text, int(comments)


def _duplicate(source: Mapping[str, Any]) -> Refused:
    full_name = f"{source['owner']}/{source['name']}"
    return Refused(f"the id {source['id']} or the name {full_name} appears twice")


_Objects = list[dict[str, Any]]
_Sources = list[tuple[dict[str, Any], int]]
_Content = tuple[_Objects, _Objects, _Sources]


def _sample() -> _Content:
    """Return projects, buckets and sources of the sample company."""
    return sample_data.projects(), sample_data.buckets(), sample_data.sources()


def _from_rows(rows: Iterable[Mapping[str, Any]]) -> _Content:
    """Return the projects and buckets that the rows of a listing name, and their sources."""
    rows = list(rows)
    _refuse_half_characters(rows)
    moment = now()
    defaults = _defaults() | {"created_at": moment, "updated_at": moment}
    sources = [_completed(row, defaults) for row in rows]
    _warn_of_unreachable([source for source, _ in sources])
    projects = [
        {"id": secrets.token_hex(8), "name": name, "title": name, "description": ""}
        | {"created_at": moment, "updated_at": moment}
        for name in dict.fromkeys(source["owner"] for source, _ in sources)
    ]
    owners = {
        source["bucket_id"]: source["owner"] for source, _ in sources if "bucket_id" in source
    }
    buckets = [
        {"id": bucket_id, "name": f"bucket-{bucket_id}", "owner": owner, "created_at": moment}
        for bucket_id, owner in owners.items()
    ]
    return projects, buckets, sources


def _completed(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return a row of a listing as a source with all fields, and its number of comments."""
    if not isinstance(row.get("owner"), str) or not isinstance(row.get("name"), str):
        raise Refused(f"a row has no owner or no name: {shown(dict(row))}")
    source = {**defaults, **{name: value for name, value in row.items() if value is not None}}
    if "id" not in source:
        source["id"] = secrets.token_hex(8)
    source.setdefault("last_modified", source["updated_at"])
    comments = source.pop(COMMENTS, 0)
    for name in ADDED:
        # They say what was in the source, and are no fields of it.
        source.pop(name, None)
    try:
        comments = comments if type(comments) is int else Whole.read(comments)
    except ValueError:
        comments = -1
    if comments not in _COUNTS:
        raise Refused(
            f"num_comments of {source['owner']}/{source['name']} must be a whole number from 0 to "
            f"{INT64[-1]:,}"
        )
    return source, comments


def _warn_of_unreachable(sources: _Objects) -> None:
    """Warn of sources with a name or an id that no request can have.

    Real tenants have such sources, so the sandbox takes them.
    """
    unreachable = [
        f"{source['owner']}/{source['name']} with the id {source['id']}"
        for source in sources
        if not (is_name(source["owner"]) and is_name(source["name"]) and is_id(source["id"]))
    ]
    if unreachable:
        warn(
            "These sources can be listed, but neither changed nor deleted: "
            f"{listed(unreachable)}. A name must be {NAME_RULE}; an id {ID_RULE}.",
            UserWarning,
        )


def _refuse_half_characters(rows: list[Mapping[str, Any]]) -> None:
    """Raise `Refused` if a text in the rows cannot be encoded as UTF-8."""
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        try:
            encoder().encode(chunk)
        except (UnicodeEncodeError, TypeError):
            _refuse_first_half_character(chunk, start)


def _refuse_first_half_character(rows: list[Mapping[str, Any]], start: int) -> None:
    for number, row in enumerate(rows, start):
        for column, value in row.items():
            if holds_half_character([column, value]):
                raise Refused(
                    f"column {shown(column)}, row {number:,}: {shown(value)} contains half a "
                    "character (a lone surrogate), which no tenant can send"
                )


def _refuse_duplicates(sources: _Sources) -> None:
    ids: set[str] = set()
    names: set[tuple[str, str]] = set()
    for source, _ in sources:
        name = source["owner"], source["name"]
        if source["id"] in ids or name in names:
            raise _duplicate(source)
        ids.add(source["id"])
        names.add(name)


def _with_progress(sources: _Sources) -> Iterable[tuple[dict[str, Any], int]]:
    """Return the sources, with a progress bar if iterating takes over a second."""
    from tqdm.auto import tqdm

    bar: Iterable[tuple[dict[str, Any], int]] = tqdm(
        sources, "Filling the sandbox", unit="source", delay=1.0, leave=False
    )
    return bar


def _defaults() -> dict[str, Any]:
    """Return the default settings of a source."""
    defaults = {field.wire: field.about.default for field in fields_of(Source)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults.items()
        if value is not None
    }


def _record(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a source as the API's JSON object: sorted by name, without null values."""
    return {name: value for name, value in sorted(source.items()) if value is not None}
