"""What the sandbox knows: sources, projects and buckets, in SQLite, in memory or in a file.

One connection behind one lock: a write is whole and on the disk before it returns, and no two
of them meet. Sources are kept as the JSON objects that the API tells of them.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reinfer_nb.errors import FileProblem
from reinfer_nb.fields import fields_of
from reinfer_nb.models import Source
from reinfer_nb.sandbox import company
from reinfer_nb.text import shown

# "RINB": tells a sandbox's file from all others.
_APPLICATION = 0x52494E42
_VERSION = 1
_TABLES = """
CREATE TABLE sources (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, name TEXT NOT NULL,
    body TEXT NOT NULL, comments INTEGER NOT NULL, UNIQUE (owner, name)
);
CREATE TABLE projects (name TEXT PRIMARY KEY, body TEXT NOT NULL, confidential INTEGER NOT NULL);
CREATE TABLE buckets (id TEXT PRIMARY KEY, owner TEXT NOT NULL, body TEXT NOT NULL);
"""
KNOWN_TAG = "generic.0.CONVKER5"


class Missing(LookupError):
    """There is no such thing."""


class Taken(ValueError):
    """There is one already."""


class Refused(ValueError):
    """The content cannot be stored; the message says why."""


class Store:
    """The content of a tenant in a box.

    Args:
        database: The file to keep it in; None for memory.
        rows: Sources to begin with, as the API tells of them; None for the sample company. A
            file that holds a sandbox already keeps what it has.

    Raises:
        FileProblem: The file is not a sandbox's, or of another version; it is left as it is.
        Refused: Two rows have the same id or the same name, or one has no owner or name.
    """

    def __init__(
        self, database: Path | None = None, rows: Iterable[Mapping[str, Any]] | None = None
    ) -> None:
        fresh = database is None or _is_fresh(database)
        if rows is not None and not fresh:
            raise Refused(f"{database} holds a sandbox already, which keeps what it has")
        self._lock = threading.RLock()
        self._db = _opened(database)
        try:
            if database is not None:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            if fresh:
                with self._writing():
                    self._create()
                    self._fill(rows)
        except BaseException:
            self._db.close()
            if fresh and database is not None:
                # Not a file of a sandbox, and not to be taken for one of something else.
                for file in _files(database):
                    file.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    # Reading

    def sources(self, projects: Iterable[str]) -> list[str]:
        """Return the JSON of the sources of some projects, in the order they were made."""
        with self._lock:
            found = self._db.execute("SELECT owner, body FROM sources ORDER BY position")
            wanted = set(projects)
            return [body for owner, body in found if owner in wanted]

    def source(self, owner: str, name: str) -> dict[str, Any]:
        """Return a source by project and name, or raise `Missing`."""
        query = "SELECT body FROM sources WHERE owner = ? AND name = ?"
        return self._one(query, owner, name)

    def source_by_id(self, source_id: str) -> dict[str, Any]:
        """Return a source by its id, or raise `Missing`."""
        return self._one("SELECT body FROM sources WHERE id = ?", source_id)

    def comments(self, owner: str, name: str) -> int:
        """Return the number of comments of a source, or raise `Missing`."""
        with self._lock:
            query = "SELECT comments FROM sources WHERE owner = ? AND name = ?"
            row = self._db.execute(query, (owner, name)).fetchone()
        if row is None:
            raise Missing
        return int(row[0])

    def projects(self) -> list[tuple[dict[str, Any], bool]]:
        """Return the projects, each with whether it is confidential, in the order of names."""
        with self._lock:
            found = self._db.execute("SELECT body, confidential FROM projects ORDER BY name")
            return [(json.loads(body), bool(confidential)) for body, confidential in found]

    def buckets(self) -> list[dict[str, Any]]:
        """Return the buckets, in the order of owners and ids."""
        with self._lock:
            found = self._db.execute("SELECT body FROM buckets ORDER BY owner, id")
            return [json.loads(body) for (body,) in found]

    def _one(self, query: str, *values: str) -> dict[str, Any]:
        with self._lock:
            row = self._db.execute(query, values).fetchone()
        if row is None:
            raise Missing
        source: dict[str, Any] = json.loads(row[0])
        return source

    # Writing

    def create(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Make a source, and return it; or raise `Taken` or `Refused`."""
        now = _text(datetime.now(UTC))
        source = _defaults() | {"id": secrets.token_hex(8), "owner": owner, "name": name}
        source |= dict.fromkeys(("created_at", "updated_at", "last_modified"), now)
        source |= settings
        with self._writing():
            try:
                self.source(owner, name)
            except Missing:
                self._check(settings)
                self._insert(source, comments=0)
            else:
                raise Taken
        return _told(source)

    def update(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change settings of a source, and return it; or raise `Missing` or `Refused`."""
        with self._writing():
            source = self.source(owner, name)
            self._check(settings)
            # Later than before, even where the clock was set back.
            before = datetime.fromisoformat(source["updated_at"])
            now = max(datetime.now(UTC), before + timedelta(microseconds=1))
            source |= settings
            source |= dict.fromkeys(("updated_at", "last_modified"), _text(now))
            told = _told(source)
            statement = "UPDATE sources SET body = ? WHERE id = ?"
            self._db.execute(statement, (json.dumps(told), source["id"]))
        return told

    def delete(self, source_id: str) -> None:
        """Delete a source, or raise `Missing`."""
        with self._writing():
            if not self._db.execute("DELETE FROM sources WHERE id = ?", (source_id,)).rowcount:
                raise Missing

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _check(self, settings: Mapping[str, Any]) -> None:
        bucket_id = settings.get("bucket_id")
        if bucket_id is not None:
            query = "SELECT 1 FROM buckets WHERE id = ?"
            if self._db.execute(query, (bucket_id,)).fetchone() is None:
                raise Refused(f"The bucket '{bucket_id}' does not exist.")
        tag = settings.get("email_transform_tag")
        if tag is not None and tag != KNOWN_TAG:
            query = "SELECT 1 FROM sources WHERE json_extract(body, '$.email_transform_tag') = ?"
            if self._db.execute(query, (tag,)).fetchone() is None:
                raise Refused(f"The value '{tag}' is not a valid transform tag.")

    def _create(self) -> None:
        self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        for statement in filter(str.strip, _TABLES.split(";")):
            self._db.execute(statement)

    def _fill(self, rows: Iterable[Mapping[str, Any]] | None) -> None:
        if rows is None:
            self._fill_with_company()
            return
        now = _text(datetime.now(UTC))
        projects: dict[str, None] = {}
        buckets: dict[str, str] = {}
        for row in rows:
            source, comments = _completed(row, now)
            projects[source["owner"]] = None
            if "bucket_id" in source:
                buckets.setdefault(source["bucket_id"], source["owner"])
            self._insert(source, comments)
        for name in projects:
            about = {"id": secrets.token_hex(8), "name": name, "title": name, "description": ""}
            self._add_project(about | {"created_at": now, "updated_at": now}, confidential=False)
        for bucket_id, owner in buckets.items():
            about = {"id": bucket_id, "name": f"bucket-{bucket_id}", "owner": owner}
            self._add_bucket(about | {"created_at": now})

    def _fill_with_company(self) -> None:
        for source, comments in company.sources():
            self._insert(source, comments)
        for project in company.projects():
            # One project that a viewer does not get to see.
            self._add_project(project, confidential=project["name"] == "people")
        for bucket in company.buckets():
            self._add_bucket(bucket)

    def _insert(self, source: Mapping[str, Any], comments: int) -> None:
        told = _told(source)
        try:
            self._db.execute(
                "INSERT INTO sources (id, owner, name, body, comments) VALUES (?, ?, ?, ?, ?)",
                (told["id"], told["owner"], told["name"], json.dumps(told), int(comments)),
            )
        except sqlite3.IntegrityError:
            full_name = f"{told['owner']}/{told['name']}"
            raise Refused(f"the id {told['id']} or the name {full_name} appears twice") from None

    def _add_project(self, project: Mapping[str, Any], *, confidential: bool) -> None:
        self._db.execute(
            "INSERT INTO projects (name, body, confidential) VALUES (?, ?, ?)",
            (project["name"], json.dumps(project), confidential),
        )

    def _add_bucket(self, bucket: Mapping[str, Any]) -> None:
        self._db.execute(
            "INSERT INTO buckets (id, owner, body) VALUES (?, ?, ?)",
            (bucket["id"], bucket["owner"], json.dumps(bucket)),
        )


def _completed(row: Mapping[str, Any], now: str) -> tuple[dict[str, Any], int]:
    """Return a row of a listing as a source that has all a source has, and its comments."""
    if not isinstance(row.get("owner"), str) or not isinstance(row.get("name"), str):
        raise Refused(f"a row has no owner or no name: {shown(dict(row))}")
    given = {name: value for name, value in row.items() if value is not None}
    source = _defaults() | {"id": secrets.token_hex(8), "created_at": now, "updated_at": now}
    source |= {"last_modified": given.get("updated_at", now)} | given
    comments = source.pop("num_comments", 0)
    if isinstance(comments, float) and comments.is_integer():
        comments = int(comments)
    if type(comments) is not int or comments < 0:
        raise Refused(f"num_comments of {source['owner']}/{source['name']} is no number")
    return source, comments


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


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _opened(database: Path | None) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(database or ":memory:", isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise FileProblem(f"{database} cannot be a database: {error}.") from None
    return db


def _files(database: Path) -> list[Path]:
    return [database.with_name(database.name + ending) for ending in ("", "-wal", "-shm")]


def _is_fresh(database: Path) -> bool:
    """Whether there is nothing yet at a path; raise `FileProblem` where there is something else."""
    if database.is_dir():
        raise FileProblem(f"{database} is a folder; give the name of a database file in it.")
    if not database.parent.is_dir():
        raise FileProblem(f"There is no folder {database.parent} to keep {database.name} in.")
    if not database.exists() or (database.is_file() and not database.stat().st_size):
        return True
    there = [file for file in _files(database) if file.exists()]
    try:
        problem = _problem(database)
    except sqlite3.Error as error:
        problem = f"is no sound database ({error})"
    if problem:
        for file in _files(database):
            # Looking alone makes SQLite leave these two beside a database.
            if file not in there:
                file.unlink(missing_ok=True)
        raise FileProblem(f"{database} {problem}; it is left as it is.")
    return False


def _problem(database: Path) -> str | None:
    """Return why a database is not one of this sandbox."""
    db = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            return "is a database of something else"
        if version != _VERSION:
            return (
                f"is of version {version} and this sandbox of version {_VERSION}, so open it with "
                "the reinfer_nb that made it"
            )
        (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        if sound != "ok" or not {"sources", "projects", "buckets"} <= tables:
            return f"is damaged ({sound})" if sound != "ok" else "is damaged (a table is missing)"
        return None
    finally:
        db.close()
