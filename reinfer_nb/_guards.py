"""The apostrophes that `to_csv` puts before texts, in listings that another reader has read.

`read_csv` takes them off; `pandas.read_csv` does not know them. What is a guard is for
`_csv_cells` to tell. A tenant may have a text with an apostrophe of its own, so its value decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reinfer_nb import _equality
from reinfer_nb._csv_cells import guarded, unguarded
from reinfer_nb._matching import Positions
from reinfer_nb.fields import fields_of
from reinfer_nb.models import Source
from reinfer_nb.value_types import Text

_KEYS = ("id", "owner", "name")
_TEXTS = [field.name for field in fields_of(Source) if field.type is Text]


@dataclass
class Guards:
    """What became of the guards in a listing.

    Attributes:
        known: How many were taken off to leave just what the tenant has.
        new: The texts that the tenant does not have, of which the guard was taken off.
        left: Those that were left as they are, since the listing does not show that it was in a
            file of `to_csv`.
    """

    known: int = 0
    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def without_in_keys(columns: pd.DataFrame, now: pd.DataFrame, guards: Guards) -> pd.DataFrame:
    """Return a listing without guards in ids and names, which never begin with an apostrophe.

    Args:
        columns: The columns of a listing that a source has by definition.
        now: The listing as the tenant has it.
        guards: Where they are counted.
    """
    columns = columns.copy(deep=False)
    for key in (key for key in _KEYS if key in columns):
        # What the tenant lists in exactly this way is no guard.
        where = columns[key].isin(_candidates(columns[key])) & ~columns[key].isin(now[key])
        if where.any():
            guards.known += int(where.sum())
            columns[key] = columns[key].mask(where, columns[key].str[1:])
    return columns


def without(
    columns: pd.DataFrame, now: pd.DataFrame, there: Positions, guards: Guards
) -> pd.DataFrame:
    """Return a listing without guards in its other texts.

    A guard is taken off where just the tenant's text remains. It is taken off a text that the
    tenant does not have only if other cells show that the listing was in a file of `to_csv`:
    there is such a guard, and no text of the tenant without the guard that it has in such a file.

    Args:
        columns: The columns of a listing, without guards in ids and names.
        now: The listing as the tenant has it.
        there: By row its row in `now`; negative where it has none.
        guards: Where they are counted.
    """
    read, columns = columns, columns.copy(deep=False)
    names = [name for name in _TEXTS if name in columns and name not in _KEYS]
    unknown: list[tuple[str, int, str]] = []
    for name in names:
        texts = columns[name]
        rows = np.flatnonzero(texts.isin(_candidates(texts)))
        cells = texts.to_numpy(dtype=object, copy=True)
        for row in rows.tolist():
            theirs = now[name].iloc[there[row]] if there[row] >= 0 else None
            if cells[row] == theirs:
                continue
            if unguarded(cells[row]) == theirs:
                cells[row] = theirs
                guards.known += 1
            else:
                unknown.append((name, row, cells[row]))
        if len(rows):
            columns[name] = pd.Series(cells, columns.index, dtype=Text.dtype)
    if not unknown:
        return columns
    if not guards.known or any(_has_unguarded(read[name], now[name], there) for name in names):
        guards.left = tuple(text for _, _, text in unknown)
        return columns
    guards.new = tuple(text for _, _, text in unknown)
    for name, row, text in unknown:
        columns.iloc[row, list(columns.columns).index(name)] = unguarded(text)
    return columns


def _has_unguarded(read: pd.Series, theirs: pd.Series, there: Positions) -> bool:
    """Whether a text of the tenant is without the guard that a file of `to_csv` gives it.

    Args:
        read: A column as it was read.
        theirs: That column as the tenant has it.
        there: By row its row in `theirs`; negative where it has none.
    """
    rows = np.flatnonzero(there >= 0)
    texts = read.take(rows)
    texts = texts[~_equality.unequal(texts, theirs.take(there[rows]))]
    return any(guarded(text) != text for text in texts.dropna().unique().tolist())


def _candidates(column: pd.Series) -> list[str]:
    """Return the texts of a column that look as `to_csv` writes them with a guard."""
    texts = column[column.str.startswith("'", na=False)].unique().tolist()
    return [text for text in texts if unguarded(text) != text]
