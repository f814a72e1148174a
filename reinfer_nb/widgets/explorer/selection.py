"""Which rows of a listing are selected, over rows that were never sent to a browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.search.table_filter import Narrowing

Positions = np.ndarray[Any, np.dtype[np.int64]]


class Marks:
    """Which rows of a listing are selected, and from which row the next step goes.

    Args:
        size: How many rows the listing has.

    Attributes:
        mask: Whether a row is selected, by position.
        current: The position of the row last moved to.
        changes: A number that grows whenever other rows are selected.
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

    def change(self, narrowing: Narrowing, row: int, how: str) -> None:
        """Do what a click or a key on a row that is shown asks for.

        Args:
            narrowing: What is shown.
            row: The row's place in it; one that is not there changes nothing.
            how: "only" this row, "toggle" it, "extend" up to it from where the last of the
                others was, "move" to it without selecting it, or "all" that is shown.
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

    def moved(self, old: pd.DataFrame, new: pd.DataFrame) -> Marks:
        """Return the marks on the same sources of another listing."""
        points = [-1 if point is None else point for point in (self.current, self._anchor)]
        marked = np.flatnonzero(self.mask)
        places = _found_again(old, new, np.concatenate([points, marked]).astype(np.int64))
        moved = Marks(len(new))
        moved.mask[places[2:][places[2:] >= 0]] = True
        moved.current, moved._anchor = (None if place < 0 else int(place) for place in places[:2])
        moved.changes = self.changes + 1
        return moved


def _found_again(old: pd.DataFrame, new: pd.DataFrame, positions: Positions) -> Positions:
    """Return where rows of one listing are in another, by id and else by full name; -1 if not."""
    found = np.full(len(positions), -1, dtype=np.int64)
    for columns in (["id"], ["owner", "name"]):
        open_ = np.flatnonzero((found < 0) & (positions >= 0))
        if not len(open_) or not all(name in df for df in (old, new) for name in columns):
            continue
        have = new[columns].reset_index(drop=True).dropna().drop_duplicates()
        places = pd.Series(have.index, index=_keys(have))
        wanted = old[columns].iloc[positions[open_]]
        known = wanted.notna().all(axis=1).to_numpy()
        found[open_[known]] = places.reindex(_keys(wanted[known]), fill_value=-1).to_numpy()
    return found


def _keys(df: pd.DataFrame) -> pd.Index[Any]:
    return pd.MultiIndex.from_frame(df) if df.shape[1] > 1 else pd.Index(df.iloc[:, 0])
