"""What snapshots in a row tell: which belong together, and the versions of a source in them.

Knows no files; `_snapshots` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import pyarrow as pa

from reinfer_nb._snapshots import FIELDS, About

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def tenant(endpoint: str | None) -> str | None:
    """Return what tells tenants apart: a practice tenant has another port each time."""
    host = urlsplit(endpoint).hostname if endpoint else None
    return "loopback" if host in _LOOPBACK else endpoint


def scope(about: About) -> tuple[str | None, str | None]:
    return tenant(about.endpoint), about.project


def pairs(
    there: Iterable[tuple[str, About]],
) -> Iterator[tuple[tuple[str, About], tuple[str, About]]]:
    """Yield files with rows, each behind the one before it of the same scope."""
    last: dict[tuple[str | None, str | None], tuple[str, About]] = {}
    for name, about in there:
        if about.unchanged_since is None:
            before = last.get(scope(about))
            if before is not None:
                yield before, (name, about)
            last[scope(about)] = name, about


@dataclass
class Version:
    """A source as some snapshots in a row show it.

    Attributes:
        row: Its row in the table.
        first: The first of those snapshots.
        last: The last of them.
        changed: The fields that differ from the version before.
        gone: The first snapshot without the source.
    """

    row: int
    first: datetime
    last: datetime
    changed: tuple[str, ...]
    gone: datetime | None = None


def versions(there: Sequence[tuple[str, About]], rows: pa.Table) -> Iterator[Version]:
    """Yield the versions of each source in a table of rows with their files."""
    contents = [rows[name].to_pylist() for name in FIELDS]
    content = list(zip(*contents, strict=True))
    owners, ids = rows["owner"].to_pylist(), rows["id"].to_pylist()
    files = [path.rpartition("date=")[2] for path in rows["__filename"].to_pylist()]
    where = {key: row for row, key in enumerate(zip(files, ids, strict=True))}
    for source in dict.fromkeys(ids):
        version: Version | None = None
        for name, about in there:
            file = (about.unchanged_since or name).removeprefix("date=")
            row = where.get((file, source))
            at = about.snapshot_at
            if row is None:
                covered = version and about.project in (None, owners[version.row])
                if version is not None and covered:
                    version.gone = at
                    yield version
                    version = None
            elif version is not None and content[row] == content[version.row]:
                version.last = at
            else:
                changed: tuple[str, ...] = ()
                if version is not None:
                    pairs = zip(FIELDS, content[version.row], content[row], strict=True)
                    changed = tuple(field for field, old, new in pairs if old != new)
                    yield version
                version = Version(row, at, at, changed)
        if version is not None:
            yield version
