"""The sandbox's SQLite database, in memory or in a file, and the checks of an existing file.

One connection behind one lock: writes run one at a time, and a write is on the disk before it
returns. The file is locked against other processes until this process ends.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reinfer_nb.errors import FileProblem, reason_of
from reinfer_nb.files import written_whole
from reinfer_nb.server.refusals import Unwritable

# "RINB": marks the file as a sandbox's.
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
# Files of earlier releases lack these tables; earlier releases open files that have them. A stored
# comment without a body is a sample comment that was deleted, `place` is its place among these.
_LATER = """
CREATE TABLE IF NOT EXISTS tokens (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL, length INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS comments (
    source TEXT NOT NULL, id TEXT NOT NULL, moment INTEGER NOT NULL, place INTEGER, body TEXT,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS comments_by_time ON comments (source, moment, id);
CREATE INDEX IF NOT EXISTS comments_by_place ON comments (source, place);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_HAS_ALL = """
SELECT 1 FROM (SELECT count(*) AS number FROM sqlite_schema
    WHERE name IN ('tokens', 'comments', 'facts')) WHERE number = 3
"""
_NAMES = {"projects", "sources", "buckets", "users"}


class Database:
    """A connection to the database of one sandbox.

    Args:
        file: The database file; None for memory.

    Attributes:
        fresh: Whether the database is empty, and `making` has to fill it.

    Raises:
        FileProblem: The file is not a sandbox's, of another version, or open elsewhere. The
            file is not changed.
    """

    def __init__(self, file: Path | None) -> None:
        self.fresh = file is None or _is_fresh(file)
        self._file = file
        self._lock = threading.RLock()
        self._db = _connection(None if self.fresh else file)
        if not self.fresh and not self.read(_HAS_ALL):
            try:
                with self.writing():
                    self._make(_LATER)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    @contextmanager
    def making(self) -> Iterator[None]:
        """Context manager that creates the tables; the file is written at its end.

        Raises:
            FileProblem: The file cannot be written. No file is left.
        """
        with self.writing():
            self.write(f"PRAGMA application_id = {_APPLICATION}")
            self.write(f"PRAGMA user_version = {_VERSION}")
            self._make(_TABLES + _LATER)
            yield
        if self._file is not None:
            # The database is built in memory: a kill leaves no half-written file.
            content = bytearray(self._db.serialize())
            # Mark the file as WAL now: a kill during a later change of the mode would leave a
            # file that cannot be read without writing to it.
            content[18:20] = b"\2\2"
            _write_new(self._file, content)
            self._db.close()
            self._db = _connection(self._file)
        self.fresh = False

    def _make(self, tables: str) -> None:
        for statement in filter(str.strip, tables.split(";")):
            self.write(statement)

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, or raise `Unwritable`."""
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise Unwritable(str(error)) from None

    def write(self, statement: str, *values: Any) -> int:
        """Execute a statement inside `writing`, and return the number of rows it changed.

        Raises:
            Unwritable: The write failed, for example because the disk is full.
            sqlite3.IntegrityError: The statement violates a constraint of the tables.
        """
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise Unwritable(str(error)) from None

    def write_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute a statement for each row inside `writing`; raises as `write` does."""
        try:
            self._db.executemany(statement, rows)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise Unwritable(str(error)) from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Context manager that keeps writes out between several reads."""
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context manager for a transaction; a nested one is part of the outer one."""
        with self._lock:
            if self._is_writing():
                yield
                return
            self.write("BEGIN IMMEDIATE")
            try:
                yield
                self.write("COMMIT")
            except BaseException:
                # SQLite may have rolled back already, for example because the disk is full.
                if self._is_writing():
                    self._db.execute("ROLLBACK")
                raise

    def _is_writing(self) -> bool:
        return self._db.in_transaction


def _write_new(file: Path, content: bytes | bytearray) -> None:
    """Write a new file atomically, without overwriting one that was created meanwhile."""
    try:
        target = Path(os.path.realpath(file))
    except OSError as error:
        # The working folder was deleted.
        raise FileProblem(f"{file} cannot be written: {reason_of(error)}.") from None
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
            raise FileProblem(
                f"Another process has created {file} meanwhile. Start the sandbox again."
            ) from None
        raise


def _connection(file: Path | None) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            file or ":memory:", isolation_level=None, check_same_thread=False, timeout=1
        )
    except sqlite3.Error as error:
        raise _refused(file, _error_text(error)) from None
    try:
        db.execute("PRAGMA foreign_keys = ON")
        if file is not None:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # Take the lock now rather than at the first write.
            db.execute("BEGIN EXCLUSIVE")
            db.execute("COMMIT")
            # The lock is exclusive, so no process uses the shared memory of an earlier one.
            _files(file)[2].unlink(missing_ok=True)
    except sqlite3.Error as error:
        db.close()
        raise _refused(file, _error_text(error)) from None
    return db


def _refused(file: Path | None, problem: str) -> FileProblem:
    return FileProblem(f"{file} {problem}. The file was not changed.")


def _files(database: Path) -> list[Path]:
    return [database.with_name(database.name + ending) for ending in ("", "-wal", "-shm")]


def _is_fresh(database: Path) -> bool:
    """True if there is no database yet; raise `FileProblem` if the file is not a sandbox's."""
    if database.is_dir():
        raise FileProblem(f"{database} is a folder. Give the path of a database file.")
    if not database.parent.is_dir():
        raise FileProblem(f"There is no folder {database.parent}. Create it first.")
    if not database.exists() or (database.is_file() and not database.stat().st_size):
        return True
    shared_memory = _files(database)[2]
    had_shared_memory = shared_memory.exists()
    busy = False
    try:
        problem = _problem(database)
    except sqlite3.Error as error:
        problem, busy = _error_text(error), _is_busy(error)
    if problem:
        # Reading alone makes SQLite create the file of shared memory.
        if not had_shared_memory and not busy:
            shared_memory.unlink(missing_ok=True)
        raise _refused(database, problem)
    return False


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _error_text(error: sqlite3.Error) -> str:
    if _is_busy(error):
        return "is open in another sandbox or program"
    if _code(error) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN):
        return f"cannot be read or written ({error})"
    return f"is not a valid database ({error})"


def _problem(database: Path) -> str | None:
    """Return why this sandbox cannot open a database, or None if it can."""
    real = database.resolve()
    has_log = any(real.with_name(real.name + ending).exists() for ending in ("-wal", "-journal"))
    # Without a log no process writes to the database; `immutable` makes SQLite create no files.
    mode = "mode=ro" if has_log else "immutable=1"
    db = sqlite3.connect(f"{real.as_uri()}?{mode}", uri=True, timeout=1)
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            return "is a database of another program"
        if version != _VERSION:
            return (
                f"is of version {version}, but this sandbox is of version {_VERSION}; open it "
                "with the reinfer_nb that created it"
            )
        damage = _damage(db)
        if damage is None and not has_log:
            (size,) = db.execute("PRAGMA page_size").fetchone()
            damage = "the file is truncated" if real.stat().st_size % size else None
        return damage and f"is damaged ({damage})"
    finally:
        db.close()


def _damage(db: sqlite3.Connection) -> str | None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    if not tables >= _NAMES:
        return "a table is missing"
    (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        return str(result)
    # The check above does not look into texts.
    return next(filter(None, (_broken_text(db, table) for table in sorted(_NAMES))), None)


def _broken_text(db: sqlite3.Connection, table: str) -> str | None:
    """Return a message on the first row of a table with an unreadable text, or None."""
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
    objects = [name for name in columns if name in ("body", "settings")]
    # As bytes, since SQLite does not check that a text is UTF-8.
    texts = [f"CAST({name} AS BLOB)" for name in columns]
    valid = [
        f"CASE WHEN json_valid({name}) THEN json_type({name}) = 'object' ELSE 0 END"
        for name in objects
    ]
    query = f"SELECT {', '.join(valid + texts)} FROM {table} ORDER BY rowid"  # noqa: S608 - fixed names
    for number, row in enumerate(db.execute(query), 1):
        broken = [name for name, is_valid in zip(objects, row, strict=False) if not is_valid]
        for name, value in zip(columns, row[len(objects) :], strict=True):
            try:
                bytes(value).decode()
            except (TypeError, UnicodeDecodeError):
                broken.append(name)
        if broken:
            return f"the {broken[0]} in row {number:,} of the table {table} cannot be read"
    return None
