"""The sample comments of a source: mail, calls and chats, made when they are asked for.

A source has as many sample comments as its number says. Nothing of them is stored: the timestamp,
the id and the content of each follow from the source and its place, so that a million of them cost
neither memory nor time at the start.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reinfer_nb.server.comments import texts
from reinfer_nb.server.comments.dice import Dice
from reinfer_nb.server.timestamps import text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400_000_000
# How sources fill: the share of each kind, the part of their time with comments, and how the
# comments are spread over it; an exponent above 1 means fewer and fewer.
_COURSES = ((0.12, 0.6, 1.0), (0.12, 1.0, 4.0), (0.56, 1.0, 1.0), (0.2, 1.0, 0.6))


def microseconds(moment: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(number: int) -> datetime:
    """Return the moment that is some microseconds after 1970."""
    return _EPOCH + number * _MICROSECOND


class SampleComments:
    """The sample comments of one source, in the order of their timestamps.

    Args:
        source: The source, as the API's JSON object.
        count: How many comments it has.
        end: When the newest comments were sent, in microseconds since 1970.
    """

    def __init__(self, source: Mapping[str, Any], count: int, end: int) -> None:
        self._source, self.count = source, count
        self._digest = hashlib.blake2b(source["id"].encode(), digest_size=8).hexdigest()
        self._begin = min(microseconds(datetime.fromisoformat(source["created_at"])), end - _DAY)
        share, active, self._exponent = int(self._digest[:4], 16) / 0x10000, 1.0, 1.0
        for part, active, self._exponent in _COURSES:  # noqa: B007 - the last one is used
            share -= part
            if share < 0:
                break
        self._span = int((end - self._begin) * active) - count
        self._prefix = self._digest[:8]

    def moment(self, place: int) -> int:
        """Return the timestamp of a comment, in microseconds since 1970; later ones are greater."""
        jitter = (place * 2_654_435_761 % 1_000) / 1_000
        return (
            self._begin
            + place
            + int(self._span * ((place + jitter) / self.count) ** self._exponent)
        )

    def before(self, moment: int) -> int:
        """Return how many comments have a timestamp before a moment."""
        return bisect_left(range(self.count), moment, key=self.moment)

    def id(self, place: int) -> str:
        """Return the id of a comment."""
        return f"{self._prefix}{place:08x}"

    def place(self, comment_id: str) -> int | None:
        """Return the place of the comment with an id; None if there is none."""
        digits = comment_id.removeprefix(self._prefix)
        if len(comment_id) != 16 or len(digits) != 8:
            return None
        place = int(digits, 16) if set(digits) <= set("0123456789abcdef") else self.count
        return place if place < self.count else None

    def comment(self, place: int) -> dict[str, Any]:
        """Return a comment as the API's JSON object."""
        dice = Dice(f"{self._digest}{place}")
        sent = moment_of(self.moment(place))
        content = texts.content(dice, self._source, sent)
        return {
            "id": self.id(place),
            "uid": f"{self._source['id']}.{self.id(place)}",
            "timestamp": text(sent),
            "created_at": text(sent + timedelta(minutes=20)),
            "has_annotations": dice.between(0, 50) == 0,
            **content,
        }
