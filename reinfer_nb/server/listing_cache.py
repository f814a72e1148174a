"""The listing of the sandbox as JSON text, cached in pages until a source in them changes."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from reinfer_nb.server.database import Database

# Sources per page: few enough that SQLite builds a page in a millisecond.
_SIZE = 1000


class _Page(NamedTuple):
    owners: frozenset[str]
    text: bytes


class Pages:
    """The JSON objects of all sources, in the order of their creation.

    Args:
        database: The database of the sources.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._pages: dict[int, _Page] = {}

    def of(self, projects: AbstractSet[str] | None) -> list[bytes]:
        """Return the sources of some projects as pieces of JSON; each begins with a comma.

        Args:
            projects: The projects; None for all.
        """
        with self._db.reading():
            ((last,),) = self._db.read("SELECT max(position) FROM sources")
            numbers = range(0 if last is None else last // _SIZE + 1)
            texts = [self._text(number, projects) for number in numbers]
        return [text for text in texts if text]

    def forget(self, position: int) -> None:
        """Drop the page that has the source at a position."""
        self._pages.pop(position // _SIZE, None)

    def forget_all(self) -> None:
        """Drop all pages."""
        self._pages.clear()

    def _text(self, number: int, projects: AbstractSet[str] | None) -> bytes:
        if number not in self._pages:
            bounds = number * _SIZE, (number + 1) * _SIZE - 1
            owners = frozenset(owner for (owner,) in self._db.read(_OWNERS, *bounds))
            self._pages[number] = _Page(owners, self._read(number, owners))
        page = self._pages[number]
        if projects is None or page.owners <= projects:
            return page.text
        return self._read(number, page.owners & projects)

    def _read(self, number: int, owners: AbstractSet[str]) -> bytes:
        if not owners:
            return b""
        first, last = number * _SIZE, (number + 1) * _SIZE - 1
        ((text,),) = self._db.read(_TEXT, first, last, json.dumps(sorted(owners)))
        return bytes(text)


_OWNERS = "SELECT DISTINCT owner FROM sources WHERE position BETWEEN ? AND ?"
# The plus makes SQLite ignore the index on the owner, with which it would have to sort.
_TEXT = """
SELECT CAST(', ' || group_concat(body, ', ') AS BLOB) FROM (
    SELECT body FROM sources WHERE position BETWEEN ? AND ?
    AND +owner IN (SELECT value FROM json_each(?)) ORDER BY position
)
"""
