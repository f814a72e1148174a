"""Undo the changes that files and their readers make to texts in a listing that nobody edited.

`to_csv` puts an apostrophe, the guard, before some texts; `csvfile.cells` has the rule.
`rnb.read_csv` removes it, even if pandas wrote the file and the apostrophe is the tenant's own.
`pandas.read_csv` keeps it. Excel cuts long texts, and Excel and others change line breaks. A
tenant's text may look like any of these, so each text is compared with the tenant's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pyarrow import compute

from reinfer_nb.csvfile.cells import guarded, unguarded
from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions, in_order_of
from reinfer_nb.frames.cells import taken, texts_of
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Text

_KEYS = ("id", "owner", "name")
# A listing to compare with, and for each row of the edited listing the row of the same source in
# it; negative if there is none.
Reference = tuple[pd.DataFrame, Positions]
_Form = Literal["known", "lost", "breaks", "cut"]
# The limit of a cell in Excel. Excel counts characters beyond 16 bits twice, pandas once.
CELL_LENGTH = 32_767
# openpyxl, and so pandas, leaves the carriage return of a workbook as its escape.
_LINE_BREAK = re.compile("(?:\r|_x000D_)\n?")
_TEXTS = [field.name for field in fields_of(Source) if field.type is Text]


@dataclass
class Guards:
    """Counts of texts that differ from the tenant's only in form.

    Attributes:
        known: The number of guards removed that left the tenant's text.
        new: Texts that the tenant does not have, whose guard was removed.
        left: Texts that the tenant does not have, whose guard was kept because nothing shows that
            the listing was in a file of `to_csv`.
        lost: The number of texts without an apostrophe of the tenant's that looks like a guard.
        breaks: The number of texts that differ only in line breaks.
        cut: The number of texts that Excel cut.
    """

    known: int = 0
    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    lost: int = 0
    breaks: int = 0
    cut: int = 0


def without_in_keys(columns: pd.DataFrame, now: pd.DataFrame, guards: Guards) -> pd.DataFrame:
    """Remove guards from ids and names, which never begin with an apostrophe.

    Args:
        columns: The columns of a listing that are fields of a source.
        now: The fresh listing of the tenant.
        guards: The counts to update.
    """
    columns = columns.copy(deep=False)
    for key in (key for key in _KEYS if key in columns):
        candidates = _candidates(columns[key])
        if not candidates:
            continue
        # A value that the tenant lists in exactly this way has no guard.
        where = columns[key].isin(candidates) & ~columns[key].isin(now[key])
        if where.any():
            guards.known += int(where.sum())
            columns[key] = columns[key].mask(where, columns[key].str[1:])
    return columns


def without(
    columns: pd.DataFrame, references: Sequence[Reference], guards: Guards
) -> tuple[pd.DataFrame, dict[str, Flags]]:
    """Restore the texts that differ from a reference only in form.

    A text that no reference has keeps its guard unless other cells show that the listing was in a
    file of `to_csv`: a text of the tenant has a guard, and none lacks the guard that `to_csv` adds.

    Args:
        columns: The columns of a listing, without guards in ids and names.
        references: The fresh listing of the tenant, then others that the edit may have begun with.
        guards: The counts to update.

    Returns:
        The columns; and for each column of texts, True where the text is that of the first
        reference.
    """
    read, columns = columns, columns.copy(deep=False)
    now, positions = references[0]
    names = [name for name in _TEXTS if name in columns and name not in _KEYS]
    unknown: list[tuple[str, int, str]] = []
    same: dict[str, Flags] = {}
    # In the order of the reference, which can then be read without a copy.
    found = [in_order_of(places, len(listing)) for listing, places in references]
    for name in names:
        columns[name], settled, same[name] = _as_before(columns[name], references, found, guards)
        if candidates := _candidates(read[name]):
            is_unknown = read[name].isin(candidates).to_numpy() & ~settled
            rows = np.flatnonzero(is_unknown).tolist()
            unknown += [(name, row, read[name].iloc[row]) for row in rows]
    if not unknown:
        return columns, same
    if not guards.known or any(_has_unguarded(read[name], now[name], positions) for name in names):
        guards.left = tuple(text for _, _, text in unknown)
        return columns, same
    guards.new = tuple(text for _, _, text in unknown)
    for name, row, text in unknown:
        columns.iloc[row, list(columns.columns).index(name)] = unguarded(text)
    return columns, same


def _as_before(
    texts: pd.Series,
    references: Sequence[Reference],
    found: Sequence[Positions],
    guards: Guards,
) -> tuple[pd.Series, Flags, Flags]:
    """Replace each text by the text of the first reference from which it differs only in form.

    Args:
        texts: The column.
        references: The listings to compare with.
        found: For each reference, the rows that are in it, in its order.
        guards: The counts to update.

    Returns:
        The column; True for each text that a reference has, perhaps in another form; and True for
        each text that is now that of the first reference.
    """
    settled = np.zeros(len(texts), dtype=np.bool_)
    same = np.zeros_like(settled)
    before: dict[int, str] = {}
    for (listing, places), rows_found in zip(references, found, strict=True):
        if texts.name not in listing:
            continue
        rows = rows_found[~settled[rows_found]]
        mine, others = taken(texts, rows), taken(listing[texts.name], places[rows])
        differ = equality.unequal(mine, others)
        settled[rows[~differ]] = True
        pairs = zip(rows[differ].tolist(), mine[differ], others[differ], strict=True)
        for row, text, other in pairs:
            form = _form(text, other) if isinstance(text, str) and isinstance(other, str) else None
            if form is not None:
                setattr(guards, form, getattr(guards, form) + 1)
                before[row], settled[row] = other, True
        if listing is references[0][0]:
            same = settled.copy()
    if before:
        cells = texts.to_numpy(dtype=object, copy=True)
        cells[[*before]] = [*before.values()]
        texts = pd.Series(cells, texts.index, dtype=texts.dtype, name=texts.name)
    return texts, settled, same


def _form(text: str, other: str) -> _Form | None:
    """Return how a text differs in form from another; None if it differs in content.

    Args:
        text: The text in the edited listing.
        other: The text in a reference.
    """
    if unguarded(text) == other:
        return "known"
    if unguarded(other) == text:
        return "lost"
    lines = [_LINE_BREAK.sub("\n", form) for form in (text, unguarded(text))]
    others = [_LINE_BREAK.sub("\n", form) for form in (other, unguarded(other))]
    if not set(lines).isdisjoint(others):
        return "breaks"
    # A reader may have removed a guard after the text was cut.
    rests = {full[len(line) :] for full in others for line in lines if full.startswith(line)}
    if any(_fills_cell(form, rest) for form in (text, guarded(text)) for rest in rests):
        return "cut"
    return None


def _fills_cell(text: str, rest: str) -> bool:
    """True if a cell of Excel that holds a text has no room for the next character.

    Args:
        text: The text in the cell.
        rest: What follows in the text that was to be written.
    """
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    # A character of two units is not cut in two.
    is_full = units == CELL_LENGTH - 1 and rest[:1] > "\uffff"
    return len(text) <= CELL_LENGTH and (is_full or CELL_LENGTH in (len(text), units))


def _has_unguarded(read: pd.Series, theirs: pd.Series, positions: Positions) -> bool:
    """True if a text of the tenant lacks the guard that `to_csv` adds.

    Args:
        read: A column of the edited listing.
        theirs: The column in the listing of the tenant.
        positions: For each row of `read` the row in `theirs`; negative if there is none.
    """
    rows = np.flatnonzero(positions >= 0)
    texts = read.take(rows)
    texts = texts[~equality.unequal(texts, theirs.take(positions[rows]))]
    return any(guarded(text) != text for text in texts.dropna().unique().tolist())


def _candidates(column: pd.Series) -> list[str]:
    """Return the texts of a column that look like texts with a guard."""
    texts = texts_of(column)
    texts = texts.filter(compute.starts_with(texts, "'")).unique().to_pylist()
    return [text for text in texts if unguarded(text) != text]
