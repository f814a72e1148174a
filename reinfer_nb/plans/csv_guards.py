"""What files and their readers make of texts in a listing, though nobody edited them.

`to_csv` puts apostrophes before texts: `read_csv` takes them off, also where pandas wrote the file
and the apostrophe is the tenant's own; `pandas.read_csv` leaves them all. What is a guard is for
`_csv_cells` to tell. Excel cuts long texts, and Excel and others change line breaks. A tenant's
text may look like any of these, so its value decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from reinfer_nb.csvfile.cells import guarded, unguarded
from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Text

_KEYS = ("id", "owner", "name")
# A listing, and by row of another one the row of it with the same source; negative for none.
Reference = tuple[pd.DataFrame, Positions]
_Form = Literal["known", "lost", "breaks", "cut"]
# How many characters a cell of Excel holds. Excel counts those beyond 16 bits twice, pandas once.
CELL_LENGTH = 32_767
_LINE_BREAK = re.compile("\r\n?")
_TEXTS = [field.name for field in fields_of(Source) if field.type is Text]


@dataclass
class Guards:
    """What became of the texts in a listing that differ in form alone from those they were.

    Attributes:
        known: How many guards were taken off to leave just what the tenant has.
        new: The texts that the tenant does not have, of which the guard was taken off.
        left: Those that were left as they are, since the listing does not show that it was in a
            file of `to_csv`.
        lost: How many texts lack an apostrophe of the tenant's own that looks like a guard.
        breaks: How many texts differ from the tenant's in line breaks alone.
        cut: How many texts are the beginning of the tenant's, and as long as a cell of Excel.
    """

    known: int = 0
    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    lost: int = 0
    breaks: int = 0
    cut: int = 0


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


def without(columns: pd.DataFrame, references: Sequence[Reference], guards: Guards) -> pd.DataFrame:
    """Return a listing in which texts are as they were wherever they differ in form alone.

    A guard is taken off a text that no reference has only if other cells show that the listing was
    in a file of `to_csv`: there is a guard before a text of the tenant, and no text of the tenant
    without the guard that it has in such a file.

    Args:
        columns: The columns of a listing, without guards in ids and names.
        references: The listing as the tenant has it, then others in which the texts may have begun.
        guards: Where the texts are counted.
    """
    read, columns = columns, columns.copy(deep=False)
    now, there = references[0]
    names = [name for name in _TEXTS if name in columns and name not in _KEYS]
    unknown: list[tuple[str, int, str]] = []
    for name in names:
        columns[name], settled = _as_before(columns[name], references, guards)
        is_unknown = read[name].isin(_candidates(read[name])).to_numpy() & ~settled
        rows = np.flatnonzero(is_unknown).tolist()
        unknown += [(name, row, read[name].iloc[row]) for row in rows]
    if not unknown:
        return columns
    if not guards.known or any(_has_unguarded(read[name], now[name], there) for name in names):
        guards.left = tuple(text for _, _, text in unknown)
        return columns
    guards.new = tuple(text for _, _, text in unknown)
    for name, row, text in unknown:
        columns.iloc[row, list(columns.columns).index(name)] = unguarded(text)
    return columns


def _as_before(
    texts: pd.Series, references: Sequence[Reference], guards: Guards
) -> tuple[pd.Series, Flags]:
    """Return a column with each text as the first reference has it from which only form differs.

    Returns:
        The column; and where a reference has the text, be it in another form.
    """
    settled = np.zeros(len(texts), dtype=np.bool_)
    cells = texts.to_numpy(dtype=object, copy=True)
    for listing, places in references:
        if texts.name not in listing:
            continue
        rows = np.flatnonzero((places >= 0) & ~settled)
        mine, others = texts.take(rows), listing[texts.name].take(places[rows])
        differ = equality.unequal(mine, others)
        settled[rows[~differ]] = True
        pairs = zip(rows[differ].tolist(), mine[differ], others[differ], strict=True)
        for row, text, other in pairs:
            form = _form(text, other) if isinstance(text, str) and isinstance(other, str) else None
            if form is not None:
                setattr(guards, form, getattr(guards, form) + 1)
                cells[row], settled[row] = other, True
    return pd.Series(cells, texts.index, dtype=texts.dtype, name=texts.name), settled


def _form(text: str, other: str) -> _Form | None:
    """Return what a file made of a text, if it may be another text that was in one.

    Args:
        text: The text as it was read.
        other: The text as it may have been written.
    """
    if unguarded(text) == other:
        return "known"
    if unguarded(other) == text:
        return "lost"
    lines = [_LINE_BREAK.sub("\n", form) for form in (text, unguarded(text))]
    others = [_LINE_BREAK.sub("\n", form) for form in (other, unguarded(other))]
    if not set(lines).isdisjoint(others):
        return "breaks"
    # A reader may have taken a guard off after the text was cut.
    is_full = any(_fills_cell(form) for form in (text, guarded(text)))
    if is_full and any(whole.startswith(line) for whole in others for line in lines):
        return "cut"
    return None


def _fills_cell(text: str) -> bool:
    return len(text) <= CELL_LENGTH and CELL_LENGTH in (
        len(text),
        len(text.encode("utf-16-le", "surrogatepass")) // 2,
    )


def _has_unguarded(read: pd.Series, theirs: pd.Series, there: Positions) -> bool:
    """Whether a text of the tenant is without the guard that a file of `to_csv` gives it.

    Args:
        read: A column as it was read.
        theirs: That column as the tenant has it.
        there: By row its row in `theirs`; negative where it has none.
    """
    rows = np.flatnonzero(there >= 0)
    texts = read.take(rows)
    texts = texts[~equality.unequal(texts, theirs.take(there[rows]))]
    return any(guarded(text) != text for text in texts.dropna().unique().tolist())


def _candidates(column: pd.Series) -> list[str]:
    """Return the texts of a column that look as `to_csv` writes them with a guard."""
    texts = column[column.str.startswith("'", na=False)].unique().tolist()
    return [text for text in texts if unguarded(text) != text]
