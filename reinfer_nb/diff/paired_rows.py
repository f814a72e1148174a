"""The rows that two listings share: which of their fields differ, and which are renamed."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
import pandas as pd

from reinfer_nb.diff import equality
from reinfer_nb.diff.matching import Positions, in_order_of
from reinfer_nb.frames.cells import taken
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import python_value

IDENTITY = ("id", "owner", "name")
_TYPES = {field.name: field.type for field in fields_of(Source)}


class Pairs:
    """The matched rows of two frames.

    Args:
        before: The first frame.
        after: The second frame.
        left: The positions of the rows in the first frame.
        right: The positions of their rows in the second frame.
    """

    def __init__(
        self, before: pd.DataFrame, after: pd.DataFrame, left: Positions, right: Positions
    ) -> None:
        self._before, self._after = before, after
        self._left, self._right = left, right
        # In the order of the first frame, most of its rows can be read without a copy.
        self._order = in_order_of(left, len(before))

    def renamed(self, names: Sequence[str]) -> Positions:
        """Return the pairs in which one of some identity columns differs."""
        differing = [self._differing(name) for name in names]
        return np.unique(np.concatenate([np.empty(0, np.int64), *differing]))

    def changes(
        self,
        fields: Sequence[str],
        keys: Sequence[str],
        implied: Container[str],
        renamed: Positions,
    ) -> pd.DataFrame:
        """Return one row per changed field, in the order of the second frame's rows.

        Args:
            fields: The columns to compare.
            keys: The columns by which the rows were matched.
            implied: Fields that are left out where another field differs, or the pair is renamed.
            renamed: The pairs that are renamed.
        """
        differing = [self._differing(name) for name in fields]
        explained = np.zeros(len(self._right), dtype=bool)
        explained[renamed] = True
        for name, rows in zip(fields, differing, strict=True):
            if name not in implied:
                explained[rows] = True
        differing = [
            rows[~explained[rows]] if name in implied else rows
            for name, rows in zip(fields, differing, strict=True)
        ]
        pairs = np.concatenate([np.empty(0, np.int64), *differing])
        number = np.repeat(np.arange(len(fields)), list(map(len, differing)))
        order = np.lexsort((number, pairs))
        pairs, number = pairs[order], number[order]
        columns = {name: self._identity(name, pairs) for name in self._naming(keys)}
        columns["field"] = pd.Series(np.array(fields, dtype=object)[number], dtype="str")
        sides = {"before": (self._before, self._left), "after": (self._after, self._right)}
        for side, (df, rows) in sides.items():
            by_field = zip(fields, differing, strict=True)
            cells = [df[name].take(rows[places]).to_numpy(object) for name, places in by_field]
            values = np.concatenate([np.empty(0, object), *cells])[order]
            columns[side] = pd.Series(map(python_value, values), dtype=object)
        return pd.DataFrame(columns)

    def renames(
        self, identity: Sequence[str], keys: Sequence[str], pairs: Positions
    ) -> pd.DataFrame:
        """Return one row per renamed pair, as `Comparison.renamed` documents it."""
        others = [name for name in identity if name not in keys]
        columns = {name: self._identity(name, pairs) for name in identity if name in keys}
        for name in others:
            old = self._before[name].take(self._left[pairs])
            columns[f"{name}_before"] = old.reset_index(drop=True)
        for name in others:
            columns[name] = self._identity(name, pairs)
        return pd.DataFrame(columns)

    def _differing(self, name: str) -> Positions:
        """Return the pairs in which a column differs."""
        before = taken(self._before[name], self._left[self._order])
        after = taken(self._after[name], self._right[self._order])
        differ = equality.unequal(before, after, _TYPES.get(name))
        return np.sort(self._order[np.flatnonzero(differ)])

    def _naming(self, keys: Sequence[str]) -> list[str]:
        """Return the columns that identify a source."""
        others = [key for key in keys if key not in IDENTITY]
        return [*others, *(name for name in IDENTITY if name in self._after.columns)]

    def _identity(self, name: str, pairs: Positions) -> pd.Series:
        return self._after[name].take(self._right[pairs]).reset_index(drop=True)
