"""What the sandbox keeps: the sources, beside them the directory of projects, buckets and users.

Sources are kept as the JSON objects that the API tells of them.
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
from reinfer_nb.schema.endpoints import ALL_ON_A_PROJECT, READ, TENANT_ADMIN
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.validation import ID_RULE, NAME_RULE, is_id, is_name
from reinfer_nb.schema.value_types import INT64, Whole
from reinfer_nb.server import sample_data
from reinfer_nb.server.database import Database
from reinfer_nb.server.directory import Directory, only
from reinfer_nb.server.listing_cache import Pages
from reinfer_nb.server.refusals import Missing, Refused, Taken
from reinfer_nb.server.timestamps import later, now
from reinfer_nb.server.tokens import LastingTokens
from reinfer_nb.text import holds_half_character, listed, shown

KNOWN_TAG = "generic.0.CONVKER5"
# Rows that are looked at in one go.
_CHUNK = 1000


class Store:
    """The content of a tenant in a box.

    Args:
        database: The file to keep it in; None for memory.
        rows: Sources to begin with, as the API tells of them; None for the sample company. A
            file that holds a sandbox already keeps what it has.

    Attributes:
        directory: The projects, buckets and users.
        lasting_tokens: The tokens that the database keeps, as hashes.

    Raises:
        FileProblem: The file is not a sandbox's, of another version, or open elsewhere; it is
            left as it is.
        Refused: Two rows have the same id or the same name, or one has no owner or name.
    """

    def __init__(
        self, database: Path | None = None, rows: Iterable[Mapping[str, Any]] | None = None
    ) -> None:
        self._db = Database(database)
        self._pages = Pages(self._db)
        self.directory = Directory(self._db)
        if not self._db.fresh and rows is not None:
            self._db.close()
            raise Refused(f"{database} holds a sandbox already, which keeps what it has")
        try:
            if self._db.fresh:
                with self._db.making():
                    self._fill(rows)
            self.lasting_tokens = LastingTokens(self._db)
            # The first listing is to cost what the others cost.
            self._pages.of(None)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # Reading

    def listing(self, projects: AbstractSet[str] | None = None) -> list[bytes | memoryview]:
        """Return the sources of some projects, or of all, in the order they were made.

        Args:
            projects: The projects; None for all.

        Returns:
            Pieces of text that joined are a JSON array.
        """
        first, *more = self._pages.of(projects) or [b", "]
        # Without its comma, and without a copy.
        return [b"[", memoryview(first)[2:], *more, b"]"]

    def source(self, owner: str, name: str) -> dict[str, Any]:
        """Return a source by project and name, or raise `Missing`."""
        query = "SELECT body FROM sources WHERE owner = ? AND name = ?"
        return only(self._db.read(query, owner, name))

    def source_by_id(self, source_id: str) -> dict[str, Any]:
        """Return a source by its id, or raise `Missing`."""
        return only(self._db.read("SELECT body FROM sources WHERE id = ?", source_id))

    def comments(self, owner: str, name: str) -> int:
        """Return the number of comments of a source, or raise `Missing`."""
        query = "SELECT comments FROM sources WHERE owner = ? AND name = ?"
        rows = self._db.read(query, owner, name)
        if not rows:
            raise Missing
        return int(rows[0][0])

    # Writing

    def create(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Make a source, and return it; or raise `Taken`, `Refused`, or `Missing` (its project)."""
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
        return _told(source)

    def update(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change settings of a source, and return it; or raise `Missing` or `Refused`."""
        with self._db.writing():
            source = self.source(owner, name)
            self._check(settings)
            source |= settings
            moment = later(source["updated_at"])
            source |= dict.fromkeys(("updated_at", "last_modified"), moment)
            told = _told(source)
            self._forget(source["id"])
            statement = "UPDATE sources SET body = ? WHERE id = ?"
            self._db.write(statement, json.dumps(told), source["id"])
        return told

    def delete(self, source_id: str) -> None:
        """Delete a source, or raise `Missing`."""
        with self._db.writing():
            self._forget(source_id)
            self._db.write("DELETE FROM sources WHERE id = ?", source_id)

    def delete_project(self, name: str, *, force: bool) -> None:
        """Delete a project as `Directory.delete_project` does, its sources with it."""
        with self._db.writing():
            self._pages.forget_all()
            self.directory.delete_project(name, force=force)

    def _forget(self, source_id: str) -> None:
        """Forget the page that a source is told in, or raise `Missing`."""
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
        projects, buckets, sources = _company() if rows is None else _of_rows(rows)
        for project in projects:
            self.directory.add_project(project)
        for bucket in buckets:
            self.directory.add_bucket(bucket, {})
        _refuse_doubles(sources)
        self._db.write_many(_INSERT, (_row(*source) for source in _with_progress(sources)))
        names = [project["name"] for project in projects]
        everything = dict.fromkeys(names, ALL_ON_A_PROJECT)
        self.directory.add_user("admin", [TENANT_ADMIN], everything, user_id=sample_data.ADMIN_ID)
        seen = {name: [READ] for name in names if rows is not None or name != sample_data.HIDDEN}
        self.directory.add_user("viewer", [], seen, user_id=sample_data.VIEWER_ID)

    def _insert(self, source: Mapping[str, Any], comments: int) -> None:
        try:
            self._db.write(_INSERT, *_row(source, comments))
        except sqlite3.IntegrityError:
            raise _double(source) from None


_INSERT = "INSERT INTO sources (id, owner, name, body, comments) VALUES (?, ?, ?, ?, ?)"


def _row(source: Mapping[str, Any], comments: int) -> tuple[str, str, str, str, int]:
    told = _told(source)
    return told["id"], told["owner"], told["name"], json.dumps(told), int(comments)


def _double(source: Mapping[str, Any]) -> Refused:
    full_name = f"{source['owner']}/{source['name']}"
    return Refused(f"the id {source['id']} or the name {full_name} appears twice")


_Objects = list[dict[str, Any]]
_Sources = list[tuple[dict[str, Any], int]]
_Content = tuple[_Objects, _Objects, _Sources]


def _company() -> _Content:
    """Return projects, buckets and sources of the sample company, these with their comments."""
    return sample_data.projects(), sample_data.buckets(), sample_data.sources()


def _of_rows(rows: Iterable[Mapping[str, Any]]) -> _Content:
    """Return the projects and buckets that rows of a listing name, and the rows as sources."""
    rows = list(rows)
    _refuse_half_characters(rows)
    moment = now()
    defaults = _defaults() | {"created_at": moment, "updated_at": moment}
    sources = [_completed(row, defaults) for row in rows]
    _warn_of_odd([source for source, _ in sources])
    projects = {source["owner"]: source for source, _ in sources}
    fed = {source["bucket_id"]: source for source, _ in sources if "bucket_id" in source}
    made = [
        {"id": secrets.token_hex(8), "name": name, "title": name, "description": ""}
        | {"created_at": moment, "updated_at": moment}
        for name in projects
    ]
    buckets = [
        {"id": bucket_id, "name": f"bucket-{bucket_id}", "owner": source["owner"]}
        | {"created_at": moment}
        for bucket_id, source in fed.items()
    ]
    return made, buckets, sources


def _completed(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return a row of a listing as a source that has all a source has, and its comments."""
    if not isinstance(row.get("owner"), str) or not isinstance(row.get("name"), str):
        raise Refused(f"a row has no owner or no name: {shown(dict(row))}")
    given = {name: value for name, value in row.items() if value is not None}
    source = {**defaults, **given}
    if "id" not in source:
        source["id"] = secrets.token_hex(8)
    source.setdefault("last_modified", source["updated_at"])
    comments = source.pop("num_comments", 0)
    try:
        comments = Whole.read(comments)
    except ValueError:
        comments = -1
    if comments < 0:
        raise Refused(
            f"num_comments of {source['owner']}/{source['name']} is not a whole number from 0 to "
            f"{INT64[-1]:,}"
        )
    return source, comments


def _warn_of_odd(sources: _Objects) -> None:
    """Warn of sources with a name or an id that no request can ask for.

    They are kept: the listing of a tenant that has such sources is to fill a sandbox as it is.
    """
    odd = [
        f"{source['owner']}/{source['name']} with the id {source['id']}"
        for source in sources
        if not (is_name(source["owner"]) and is_name(source["name"]) and is_id(source["id"]))
    ]
    if odd:
        warn(
            f"Sources that can be listed, and neither changed nor deleted: {listed(odd)}. A name "
            f"has to be {NAME_RULE}; an id {ID_RULE}.",
            UserWarning,
        )


def _refuse_half_characters(rows: list[Mapping[str, Any]]) -> None:
    """Raise `Refused` where a text in the rows could not be sent as UTF-8."""
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        if holds_half_character(chunk):
            for number, row in enumerate(chunk, start):
                for column, value in row.items():
                    if holds_half_character([column, value]):
                        raise Refused(
                            f"column {shown(column)}, row {number:,}: {shown(value)} holds half a "
                            "character (a lone surrogate), which no tenant can send"
                        )


def _refuse_doubles(sources: _Sources) -> None:
    ids: set[str] = set()
    names: set[tuple[str, str]] = set()
    for source, _ in sources:
        name = source["owner"], source["name"]
        if source["id"] in ids or name in names:
            raise _double(source)
        ids.add(source["id"])
        names.add(name)


def _with_progress(sources: _Sources) -> Iterable[tuple[dict[str, Any], int]]:
    """Return the sources, with a progress bar where going through them takes over a second."""
    from tqdm.auto import tqdm

    bar: Iterable[tuple[dict[str, Any], int]] = tqdm(
        sources, "Filling the sandbox", unit="source", delay=1.0, leave=False
    )
    return bar


def _defaults() -> dict[str, Any]:
    """Return the settings of a source of which nothing was said."""
    defaults = {field.wire: field.about.default for field in fields_of(Source)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults.items()
        if value is not None
    }


def _told(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a source as the API tells of it: by name, without a bucket where there is none."""
    return {name: source[name] for name in sorted(source) if source[name] is not None}
