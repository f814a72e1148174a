"""The comments of all sources: stored ones in the database, and those of `sample`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from reinfer_nb.errors import InvalidInput
from reinfer_nb.server.comments.sample import SampleComments, microseconds
from reinfer_nb.server.database import Database
from reinfer_nb.server.refusals import Missing, Taken
from reinfer_nb.server.stored_json import json_text
from reinfer_nb.server.timestamps import now
from reinfer_nb.text import shown

_FIRST, _LAST = -(2**62), 2**62
_END = "end of the sample comments"
# The most rows that are read at once; a page has fewer.
_AT_ONCE = 300


class Bounds(NamedTuple):
    """A range of time in microseconds since 1970; both ends are included."""

    first: int = _FIRST
    last: int = _LAST


class Source(NamedTuple):
    """A source, as the API's JSON object, and how many sample comments it began with."""

    record: Mapping[str, Any]
    samples: int


class _Position(NamedTuple):
    """The place of a comment in the order of all: its timestamp, then its id."""

    moment: int
    id: str


class _Range(NamedTuple):
    """Which comments to read, and in which order.

    Attributes:
        bounds: The range of time.
        after: The comment before the first one; None to begin at the start.
        descending: True for the newest first.
    """

    bounds: Bounds
    after: _Position | None
    descending: bool


class CommentStore:
    """The comments of a practice tenant.

    Args:
        database: Its database.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known_end: int | None = None

    def begin(self) -> None:
        """Let the newest sample comments be of today, inside `writing`."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        statement = "INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)"
        self._db.write(statement, _END, str(microseconds(today)))

    @property
    def _end(self) -> int:
        """When the newest sample comments were sent, in microseconds since 1970."""
        if self._known_end is None:
            rows = self._db.read("SELECT value FROM facts WHERE name = ?", _END)
            if not rows:
                # The file is of an earlier release.
                with self._db.writing():
                    self.begin()
                return self._end
            self._known_end = int(rows[0][0])
        return self._known_end

    def count(self, source: Source, bounds: Bounds) -> int:
        """Return the number of comments of a source in a range of time."""
        samples = self._samples(source)
        first, last = samples.before(bounds.first), samples.before(bounds.last + 1)
        key = source.record["id"]
        with self._db.reading():
            ((hidden,),) = self._db.read(
                "SELECT count(*) FROM comments WHERE source = ? AND place >= ? AND place < ?",
                *(key, first, last),
            )
            ((stored,),) = self._db.read(
                "SELECT count(*) FROM comments WHERE source = ? AND moment BETWEEN ? AND ? "
                "AND body IS NOT NULL",
                *(key, *bounds),
            )
        return last - first - int(hidden) + int(stored)

    def page(
        self, source: Source, bounds: Bounds, limit: int, after: str | None, *, descending: bool
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of comments by timestamp and id, and the continuation of the next page.

        Args:
            source: The source.
            bounds: The range of time.
            limit: The most comments of a page.
            after: The continuation of the page before; None for the first page.
            descending: True for the newest first.

        Raises:
            InvalidInput: `after` is no continuation.
        """
        wanted = _Range(bounds, None if after is None else _position(after), descending)
        with self._db.reading():
            found = list(islice(self._merged(source, wanted), limit + 1))
        page = [comment for _, comment in found[:limit]]
        return page, _continuation(found[limit - 1][0]) if len(found) > limit else None

    def comment(self, source: Source, comment_id: str) -> dict[str, Any]:
        """Return a comment, or raise `Missing`."""
        stored = self._stored(source, comment_id)
        samples = self._samples(source)
        place = samples.place(comment_id)
        if stored is None and place is not None:
            return samples.comment(place)
        if stored is None or stored[0] is None:
            raise Missing
        comment: dict[str, Any] = json.loads(stored[0])
        return comment

    def sync(
        self, source: Source, comments: Sequence[tuple[int, Mapping[str, Any]]]
    ) -> dict[str, int]:
        """Store comments in place of those with their ids, and return how many changed."""
        counts = {"new": 0, "updated": 0, "unchanged": 0}
        with self._db.writing():
            for moment, comment in comments:
                counts[self._put(source, moment, comment)] += 1
        return counts

    def create(self, source: Source, comments: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """Store comments, or raise `Taken` if another comment has one of their ids."""
        with self._db.writing():
            for _, comment in comments:
                existing = self._existing(source, comment["id"])
                if existing is not None and _content(existing) != dict(comment):
                    raise Taken(f"the comment {shown(comment['id'])} exists with other content")
            self.sync(source, comments)

    def delete(self, source: Source, ids: Iterable[str]) -> None:
        """Delete comments; ids without a comment are ignored."""
        samples = self._samples(source)
        with self._db.writing():
            for comment_id in ids:
                place = samples.place(comment_id)
                if place is None:
                    statement = "DELETE FROM comments WHERE source = ? AND id = ?"
                    self._db.write(statement, source.record["id"], comment_id)
                else:
                    moment = samples.moment(place)
                    self._db.write(_PUT, source.record["id"], comment_id, moment, place, None)

    def forget(self, source_id: str) -> None:
        """Delete the comments of a deleted source, inside `writing`."""
        self._db.write("DELETE FROM comments WHERE source = ?", source_id)

    def forget_unowned(self) -> None:
        """Delete the comments of all sources that are gone, inside `writing`."""
        self._db.write("DELETE FROM comments WHERE source NOT IN (SELECT id FROM sources)")

    def _samples(self, source: Source) -> SampleComments:
        return SampleComments(source.record, source.samples, self._end)

    def _stored(self, source: Source, comment_id: str) -> tuple[str | None] | None:
        """Return the body of a stored comment in a tuple; None if none is stored."""
        query = "SELECT body FROM comments WHERE source = ? AND id = ?"
        return next(iter(self._db.read(query, source.record["id"], comment_id)), None)

    def _existing(self, source: Source, comment_id: str) -> dict[str, Any] | None:
        try:
            return self.comment(source, comment_id)
        except Missing:
            return None

    def _put(self, source: Source, moment: int, comment: Mapping[str, Any]) -> str:
        """Store a comment, and return whether it is new, updated or unchanged."""
        existing = self._existing(source, comment["id"])
        if existing is not None and _content(existing) == dict(comment):
            return "unchanged"
        source_id = source.record["id"]
        record = {
            **comment,
            "uid": f"{source_id}.{comment['id']}",
            "created_at": now() if existing is None else existing["created_at"],
            "has_annotations": False,
        }
        place = self._samples(source).place(comment["id"])
        self._db.write(_PUT, source_id, comment["id"], moment, place, json_text(record))
        return "new" if existing is None else "updated"

    def _merged(self, source: Source, wanted: _Range) -> Iterator[tuple[_Position, dict[str, Any]]]:
        """Yield the comments in order: sample comments that are not hidden, and stored ones."""
        descending = wanted.descending
        made = self._samples(source)
        samples, stored = self._sampled(source, wanted), self._read(source, wanted)
        left, right = next(samples, None), next(stored, None)
        while left is not None or right is not None:
            is_left = right is None or (
                left is not None and ((left[0] > right[0]) if descending else (left[0] < right[0]))
            )
            if is_left and left is not None:
                yield left[0], made.comment(left[1])
                left = next(samples, None)
            elif right is not None:
                yield right
                right = next(stored, None)

    def _sampled(self, source: Source, wanted: _Range) -> Iterator[tuple[_Position, int]]:
        """Yield the positions of the sample comments in a range, with their places."""
        bounds, after, descending = wanted
        samples = self._samples(source)
        begin, end = samples.before(bounds.first), samples.before(bounds.last + 1)
        if after is not None:
            place = samples.before(after.moment)
            is_at = place < samples.count and samples.moment(place) == after.moment
            if descending:
                end = min(end, place + (is_at and samples.id(place) < after.id))
            else:
                begin = max(begin, place + (is_at and samples.id(place) <= after.id))
        # Changed and deleted samples are stored ones.
        query = "SELECT place FROM comments WHERE source = ? AND place >= ? AND place < ?"
        order = -1 if descending else 1
        places = range(begin, end)[::order]
        for piece in (places[at : at + _AT_ONCE] for at in range(0, len(places), _AT_ONCE)):
            ends = min(piece), max(piece) + 1
            changed = {place for (place,) in self._db.read(query, source.record["id"], *ends)}
            for place in piece:
                if place not in changed:
                    yield _Position(samples.moment(place), samples.id(place)), place

    def _read(self, source: Source, wanted: _Range) -> Iterator[tuple[_Position, dict[str, Any]]]:
        """Yield the stored comments in a range."""
        bounds, after, descending = wanted
        sign, order = ("<", "DESC") if descending else (">", "ASC")
        position = after or (_Position(_LAST, "") if descending else _Position(_FIRST, ""))
        query = (
            "SELECT moment, id, body FROM comments WHERE source = ? AND moment BETWEEN ? AND ? "  # noqa: S608 - fixed
            f"AND body IS NOT NULL AND (moment, id) {sign} (?, ?) "
            f"ORDER BY moment {order}, id {order} LIMIT {_AT_ONCE}"
        )
        while True:
            rows = self._db.read(query, source.record["id"], *bounds, *position)
            for moment, comment_id, body in rows:
                position = _Position(moment, comment_id)
                yield position, json.loads(body)
            if not rows:
                return


_PUT = "INSERT OR REPLACE INTO comments (source, id, moment, place, body) VALUES (?, ?, ?, ?, ?)"


def _content(comment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client sends of a comment."""
    own = ("uid", "created_at", "has_annotations")
    return {name: value for name, value in comment.items() if name not in own}


def _continuation(position: _Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(text: str) -> _Position:
    try:
        moment, comment_id = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, TypeError):
        moment = comment_id = None
    if type(moment) is not int or not isinstance(comment_id, str):
        raise InvalidInput(f"after must be a continuation of this tenant, not {shown(text)}.")
    return _Position(moment, comment_id)
