"""A frame as a table of text, in full or as wide as a terminal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import pandas as pd
from wcwidth import wcswidth

from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.schema.value_types import is_empty, shown_cell
from reinfer_nb.text import visible

_GAP = "  "
# Of a listing: columns that no terminal is too narrow for, and further ones.
_ALWAYS = ("owner", "name")
_FURTHER = ("title", "language", "kind", "updated_at", "id")
DEFAULT = frozenset((*_ALWAYS, *_FURTHER))
# The width to which a long column may be shortened to make room for another one; by default 16.
_SHORTEST = {"name": 24, "updated_at": 16, "created_at": 16, "last_modified": 16}
# Without a terminal, a cell beyond this width moves the rest of its row instead of all rows.
_ALIGNED = 60


class Table:
    """The cells of a frame as texts that a terminal can show.

    Args:
        df: The frame, such as a listing.
        names: The columns, in the order of the table.
        always: Columns that no terminal is too narrow for.
        further: Further columns, the most important first; others follow them.
    """

    def __init__(
        self,
        df: pd.DataFrame,
        names: Sequence[str],
        *,
        always: Sequence[str] = _ALWAYS,
        further: Sequence[str] = _FURTHER,
    ) -> None:
        self._always, self._further = always, further
        self._texts = {name: [visible(name), *_texts(df[name])] for name in names}
        self._widths = {name: max(map(_width, texts)) for name, texts in self._texts.items()}

    def in_full(self) -> list[str]:
        """Return the heading and the rows with all cells in full."""
        return self._lines({name: min(width, _ALIGNED) for name, width in self._widths.items()})

    def fitting(self, width: int, *, drop: bool) -> list[str]:
        """Return the heading and the rows, with long cells shortened.

        Args:
            width: The width of the terminal, in cells of one letter.
            drop: Leave out the less important columns that do not fit. Otherwise lines are longer
                than the terminal if it is too narrow even for shortened cells.
        """
        names = self._chosen(width) if drop else list(self._texts)
        room = width - len(_GAP) * (len(names) - 1)
        widths = self._shared(names, room, 1 if drop else 8)
        texts = {
            name: [_shortened(text, widths[name]) for text in self._texts[name]] for name in names
        }
        return _lines(texts, widths)

    def fits(self, width: int) -> bool:
        """True if all columns fit a width, all cells as short as they may become."""
        gaps = len(_GAP) * (len(self._texts) - 1)
        return sum(map(self._shortest, self._texts)) + gaps <= width

    def _chosen(self, width: int) -> list[str]:
        """Return the columns that fit a width, all cells as short as they may become."""
        chosen = [name for name in self._always if name in self._texts]
        used = sum(self._shortest(name) + len(_GAP) for name in chosen)
        others = dict.fromkeys([*self._further, *self._texts])
        for name in (name for name in others if name in self._texts and name not in chosen):
            used += self._shortest(name) + len(_GAP)
            if used - len(_GAP) > width:
                break
            chosen.append(name)
        return [name for name in self._texts if name in chosen]

    def _shortest(self, name: str) -> int:
        return min(self._widths[name], _SHORTEST.get(name, 16))

    def _shared(self, names: Sequence[str], room: int, least: int) -> dict[str, int]:
        """Return the width of each column: the largest limit for all with which they fit.

        Args:
            names: The columns.
            room: The width without the gaps.
            least: The width of a column if there is no room for the shortest cells.
        """
        shortest = {name: self._shortest(name) for name in names}
        if sum(shortest.values()) > room:
            shortest = {name: min(self._widths[name], least) for name in names}
        longest = max((self._widths[name] for name in names), default=0)

        def widths(limit: int) -> dict[str, int]:
            return {name: min(self._widths[name], max(limit, shortest[name])) for name in names}

        limit = bisect_right(range(1, longest + 1), room, key=lambda n: sum(widths(n).values()))
        return widths(max(limit, 1))

    def _lines(self, widths: dict[str, int]) -> list[str]:
        return _lines(self._texts, widths)


def _texts(column: pd.Series) -> list[str]:
    if has_time_zone(column.dtype):
        column = column.dt.strftime("%Y-%m-%d %H:%M")
    if isinstance(column.dtype, pd.StringDtype):
        return [visible(text) for text in column.fillna("").tolist()]
    return ["" if is_empty(value) else visible(shown_cell(value)) for value in column]


def _lines(texts: dict[str, list[str]], widths: dict[str, int]) -> list[str]:
    columns = (
        [text + " " * (widths[name] - _width(text)) for text in cells]
        for name, cells in texts.items()
    )
    return [_GAP.join(row).rstrip() for row in zip(*columns, strict=True)]


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for an ideograph or an emoji."""
    if text.isascii():
        return len(text)
    width = wcswidth(text)
    return width if width >= 0 else len(text)


def _shortened(text: str, width: int) -> str:
    """Return a text that takes at most `width` cells, with an ellipsis if a part is left out."""
    if _width(text) <= width:
        return text
    # Beyond this many characters, a cell holds nothing but combining marks.
    beginning = text[: 8 * width]
    count = bisect_right(
        range(len(beginning) + 1), width - 1, key=lambda number: _width(beginning[:number])
    )
    return beginning[: count - 1] + "…"
