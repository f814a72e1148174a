"""The listing of the sandbox as JSON text, in pages that are kept until they change."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from reinfer_nb.server.database import Database

# Sources in a page: few enough that SQLite puts one together in a millisecond.
_SIZE = 1000


class _Page(NamedTuple):
    owners: frozenset[str]
    text: bytes


class Pages:
    """The JSON objects of all sources, in the order they were made.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._kept: dict[int, _Page] = {}

    def of(self, projects: AbstractSet[str] | None) -> list[bytes]:
        """Return the sources of some projects as pieces of text; each begins with a comma.

        Args:
            projects: The projects; None for all.
        """
        with self._db.reading():
            ((last,),) = self._db.read("SELECT max(position) FROM sources")
            numbers = range(0 if last is None else last // _SIZE + 1)
            texts = [self._text(number, projects) for number in numbers]
        return [text for text in texts if text]

    def forget(self, position: int) -> None:
        """Read the page of a position anew when it is next asked for."""
        self._kept.pop(position // _SIZE, None)

    def forget_all(self) -> None:
        """Read all pages anew when they are next asked for."""
        self._kept.clear()

    def _text(self, number: int, projects: AbstractSet[str] | None) -> bytes:
        if number not in self._kept:
            bounds = number * _SIZE, (number + 1) * _SIZE - 1
            owners = frozenset(owner for (owner,) in self._db.read(_OWNERS, *bounds))
            self._kept[number] = _Page(owners, self._read(number, owners))
        page = self._kept[number]
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
# SQLite puts them together; the plus keeps it from an index by which it would have to sort.
_TEXT = """
SELECT CAST(', ' || group_concat(body, ', ') AS BLOB) FROM (
    SELECT body FROM sources WHERE position BETWEEN ? AND ?
    AND +owner IN (SELECT value FROM json_each(?)) ORDER BY position
)
"""
