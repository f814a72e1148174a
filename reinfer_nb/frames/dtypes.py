"""Columns of a listing brought to the dtypes of `Client.sources`, whatever became of them since.

Knows nothing of what the listing is for.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import items_of
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, Text
from reinfer_nb.text import listed, shown, visible


def typed(df: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with the dtypes of `Client.sources`, over an index from 0.

    Columns that no source has by definition are as they were.

    Args:
        df: A listing, or a piece of one, whatever pandas or a file made of its columns.

    Raises:
        InvalidInput: A column is there twice, or holds what cannot be of its dtype.
    """
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"The listing has the column {listed(map(shown, twice))} twice.")
    made = df.reset_index(drop=True)
    for known in fields_of(Source):
        if known.name not in made:
            continue
        column = made[known.name]
        try:
            if known.type is Names:
                made[known.name] = pd.Series(_names(column.tolist()), dtype=object)
            elif column.dtype == known.type.dtype:
                continue
            elif column.isna().all():
                made[known.name] = pd.Series(None, index=made.index, dtype=known.type.dtype)
            elif known.type is Moment:
                made[known.name] = _moments(column)
            elif known.type is Text and column.dtype.kind == "f":
                # Identifiers of digits, some of which are missing.
                made[known.name] = column.convert_dtypes().astype(Text.dtype)
            else:
                made[known.name] = column.astype(known.type.dtype)
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"The column {known.name} is not {known.type.noun} in each row: "
                f"{visible(str(error).rstrip('.'), 200)}. A CSV file is read with rnb.read_csv."
            ) from None
    return made


def _moments(column: pd.Series) -> pd.Series:
    texts = column.astype("str")
    instants = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    wrong = texts[instants.isna() & texts.notna()]
    if len(wrong):
        raise ValueError(f"there is {shown(wrong.iloc[0])} in row {wrong.index[0]:,}")
    return instants.astype(Moment.dtype)


def _names(cells: list[Any]) -> list[tuple[str, ...]]:
    try:
        # A listing has few distinct tuples.
        items = {cell: _items(cell) for cell in set(cells)}
        return [items[cell] for cell in cells]
    except TypeError:
        return [_items(cell) for cell in cells]


def _items(cell: Any) -> tuple[str, ...]:
    """Return what is in a cell as texts; pandas reads a list in a file as one text."""
    if isinstance(cell, str):
        try:
            return Names.parse(cell) if cell.strip() else ()
        except ValueError as error:
            raise ValueError(f"{shown(cell)} {error}") from None
    return items_of(cell)
