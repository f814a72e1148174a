"""The selection of rows in a listing, including rows that were never sent to the browser."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reinfer_nb.diff.matching import Positions, places_by_id, places_by_name
from reinfer_nb.search.table_filter import Narrowing


class Marks:
    """The selected rows of a listing, the current row, and the anchor of a range.

    Args:
        size: The number of rows in the listing.

    Attributes:
        mask: True for each selected row, by position.
        current: The position of the current row, or None.
        changes: A counter of changes.
    """

    def __init__(self, size: int) -> None:
        self.mask = np.zeros(size, dtype=np.bool_)
        self.current: int | None = None
        self.changes = 0
        self._anchor: int | None = None

    def put(self, positions: Positions) -> None:
        """Select these rows and no others."""
        self.mask[:] = False
        self.mask[positions] = True
        self._anchor = None
        self.changes += 1

    def look_at(self, position: int) -> None:
        """Make a row the current one; select it unless several rows are selected."""
        if np.count_nonzero(self.mask) < 2:
            self.put(np.array([position]))
        self.current = position
        self.changes += 1

    def change(self, narrowing: Narrowing, row: int, how: str) -> None:
        """Change the selection after a click or a key on a shown row.

        Args:
            narrowing: The shown rows.
            row: The place of the row among them; a place outside changes nothing.
            how: Select "only" this row, "toggle" it, "extend" the range from the anchor to it,
                "move" to it without selecting it, or select "all" shown rows.
        """
        positions = narrowing.positions
        if not 0 <= row < len(positions):
            return
        if how == "all":
            self.put(positions)
            return
        position = int(positions[row])
        if how == "only":
            self.put(positions[row : row + 1])
            self._anchor = position
        elif how == "toggle":
            self.mask[position] ^= True
            self._anchor = position
        elif how == "extend":
            anchor = self.current if self._anchor is None else self._anchor
            place = None if anchor is None else narrowing.rank(anchor)
            first, last = sorted((row, row if place is None else place))
            self.put(positions[first : last + 1])
            self._anchor = position if place is None else anchor
        elif how != "move":
            return
        self.current = position
        self.changes += 1

    def kept(self) -> Marks:
        """Return the marks for a new listing with the same sources at the same positions."""
        marks = Marks(len(self.mask))
        marks.mask, marks.current, marks._anchor = self.mask.copy(), self.current, self._anchor
        marks.changes = self.changes + 1
        return marks

    def moved(self, old: pd.DataFrame, new: pd.DataFrame) -> Marks:
        """Return the marks for the same sources in a new listing."""
        points = [-1 if point is None else point for point in (self.current, self._anchor)]
        selected = np.flatnonzero(self.mask)
        by_id, by_name = places_by_id(new, old), places_by_name(new, old)
        # The last one is for a point that is not set.
        rows = np.append(np.where(by_id < 0, by_name, by_id), -1)
        places = rows[np.concatenate([points, selected]).astype(np.int64)]
        marks = Marks(len(new))
        marks.mask[places[2:][places[2:] >= 0]] = True
        marks.current, marks._anchor = (None if place < 0 else int(place) for place in places[:2])
        marks.changes = self.changes + 1
        return marks
