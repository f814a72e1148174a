"""The sandbox's SQLite database: in memory or in a file, and what may be opened as one.

One connection behind one lock: a write is whole and on the disk before it returns, and no two
of them meet. The file is locked against other processes; a process that is killed frees it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reinfer_nb.errors import FileProblem
from reinfer_nb.files import written_whole
from reinfer_nb.server.refusals import Unwritable

# "RINB": tells a sandbox's file from all others.
_APPLICATION = 0x52494E42
_VERSION = 2
_TABLES = """
CREATE TABLE projects (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE sources (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL REFERENCES projects ON DELETE CASCADE, name TEXT NOT NULL,
    body TEXT NOT NULL, comments INTEGER NOT NULL, UNIQUE (owner, name)
);
CREATE TABLE buckets (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, settings TEXT NOT NULL, UNIQUE (owner, name)
);
CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
"""
# Not in the files of earlier releases, which open files that have it.
_TOKENS = (
    "CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, digest TEXT NOT NULL, "
    "length INTEGER NOT NULL)"
)
_HAS_TOKENS = "SELECT 1 FROM sqlite_schema WHERE name = 'tokens'"
_NAMES = {"projects", "sources", "buckets", "users"}


class Database:
    """A connection to the database of one sandbox.

    Args:
        file: The file to keep it in; None for memory.

    Attributes:
        fresh: Whether it holds nothing yet, and `making` is to be used.

    Raises:
        FileProblem: The file is not a sandbox's, of another version, or open elsewhere; it is
            left as it is.
    """

    def __init__(self, file: Path | None) -> None:
        self.fresh = file is None or _is_fresh(file)
        self._file = file
        self._lock = threading.RLock()
        self._db = _connection(None if self.fresh else file)
        if not self.fresh and not self.read(_HAS_TOKENS):
            try:
                with self.writing():
                    self.write(_TOKENS)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def making(self) -> Iterator[None]:
        """Make a fresh one: the tables are there inside, and the file once all is in them.

        Raises:
            FileProblem: The file cannot be written; there is none.
        """
        with self.writing():
            self.write(f"PRAGMA application_id = {_APPLICATION}")
            self.write(f"PRAGMA user_version = {_VERSION}")
            for statement in (*filter(str.strip, _TABLES.split(";")), _TOKENS):
                self.write(statement)
            yield
        if self._file is not None:
            # Made in memory: whoever is killed on the way leaves no half of a database.
            content = bytearray(self._db.serialize())
            # A WAL database from the start: a kill while it is changed to one would leave a file
            # that cannot be looked at without writing to it.
            content[18:20] = b"\2\2"
            _put(self._file, content)
            self._db.close()
            self._db = _connection(self._file)
        self.fresh = False

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, or raise `Unwritable`."""
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise Unwritable(str(error)) from None

    def write(self, statement: str, *values: Any) -> int:
        """Carry out a statement inside `writing`, and return how many rows it touched.

        Raises:
            Unwritable: The disk is full, for example.
            sqlite3.IntegrityError: It breaks a rule of the tables.
        """
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise Unwritable(str(error)) from None

    def write_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Carry out a statement for each row inside `writing`; raises what `write` raises."""
        try:
            self._db.executemany(statement, rows)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise Unwritable(str(error)) from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read several times with no write in between."""
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write whole or not at all; what is written inside another one is part of that."""
        with self._lock:
            if self._is_writing():
                yield
                return
            self.write("BEGIN IMMEDIATE")
            try:
                yield
                self.write("COMMIT")
            except BaseException:
                # A full disk may have rolled it back already.
                if self._is_writing():
                    self._db.execute("ROLLBACK")
                raise

    def _is_writing(self) -> bool:
        return self._db.in_transaction


def _put(file: Path, content: bytes | bytearray) -> None:
    """Write a new file whole, never over one that somebody else has made meanwhile."""
    try:
        target = Path(os.path.realpath(file))
    except OSError as error:
        # The working folder was deleted.
        raise FileProblem(f"{file} cannot be written: {error.strerror}.") from None
    try:
        if not target.stat().st_size:
            target.unlink()
    except FileNotFoundError:
        pass
    try:
        with written_whole(target, overwrite=False) as opened:
            opened.write(content)
    except FileProblem:
        if target.exists():
            raise FileProblem(f"{file} was made by another one meanwhile; start again.") from None
        raise


def _connection(file: Path | None) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            file or ":memory:", isolation_level=None, check_same_thread=False, timeout=1
        )
    except sqlite3.Error as error:
        raise FileProblem(f"{file} {_why_not(error)}; it is left as it is.") from None
    try:
        db.execute("PRAGMA foreign_keys = ON")
        if file is not None:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # Takes the lock now, and not with the first write.
            db.execute("BEGIN EXCLUSIVE")
            db.execute("COMMIT")
            # Shared memory is for several; whoever had it open before us has closed it.
            _files(file)[2].unlink(missing_ok=True)
    except sqlite3.Error as error:
        db.close()
        raise FileProblem(f"{file} {_why_not(error)}; it is left as it is.") from None
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
    busy = False
    try:
        problem = _problem(database)
    except sqlite3.Error as error:
        problem, busy = _why_not(error), _is_busy(error)
    if problem:
        shared_memory = _files(database)[2]
        # Looking alone makes SQLite leave it beside a database that nobody has open.
        if shared_memory not in there and not busy:
            shared_memory.unlink(missing_ok=True)
        raise FileProblem(f"{database} {problem}; it is left as it is.")
    return False


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _why_not(error: sqlite3.Error) -> str:
    if _is_busy(error):
        return "is open in another sandbox or program"
    if _code(error) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN):
        return f"cannot be read or written ({error})"
    return f"is no sound database ({error})"


def _problem(database: Path) -> str | None:
    """Return why a database is not one of this sandbox."""
    real = database.resolve()
    beside = any(real.with_name(real.name + ending).exists() for ending in ("-wal", "-journal"))
    # With nothing beside it nobody writes to it, and SQLite is to make nothing there either.
    way = "mode=ro" if beside else "immutable=1"
    db = sqlite3.connect(f"{real.as_uri()}?{way}", uri=True, timeout=1)
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
        damage = _damage(db)
        if damage is None and not beside:
            (size,) = db.execute("PRAGMA page_size").fetchone()
            damage = "it is cut" if real.stat().st_size % size else None
        return damage and f"is damaged ({damage})"
    finally:
        db.close()


def _damage(db: sqlite3.Connection) -> str | None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    if not tables >= _NAMES:
        return "a table is missing"
    (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        return str(sound)
    # Where a text itself is damaged, the check above sees nothing.
    return next(filter(None, (_broken_text(db, table) for table in sorted(_NAMES))), None)


def _broken_text(db: sqlite3.Connection, table: str) -> str | None:
    """Return which row of a table has a text that cannot be read; None if there is none."""
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
    objects = [name for name in columns if name in ("body", "settings")]
    # As bytes, since SQLite itself does not look whether a text is UTF-8.
    texts = [f"CAST({name} AS BLOB)" for name in columns]
    sound = [
        f"CASE WHEN json_valid({name}) THEN json_type({name}) = 'object' ELSE 0 END"
        for name in objects
    ]
    query = f"SELECT {', '.join(sound + texts)} FROM {table} ORDER BY rowid"  # noqa: S608 - names of ours
    for number, row in enumerate(db.execute(query), 1):
        broken = [name for name, good in zip(objects, row, strict=False) if not good]
        for name, value in zip(columns, row[len(objects) :], strict=True):
            try:
                bytes(value).decode()
            except (TypeError, UnicodeDecodeError):
                broken.append(name)
        if broken:
            return f"the {broken[0]} in row {number:,} of the table {table} cannot be read"
    return None
