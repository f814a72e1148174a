"""Restores the dtypes of `Client.sources` in a listing that pandas or a file has changed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reinfer_nb.errors import InvalidInput, reason_of
from reinfer_nb.frames.cells import items_of
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, Text
from reinfer_nb.text import listed, shown
from reinfer_nb.wording import spelled


def typed(df: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with the dtypes of `Client.sources`, over a `RangeIndex`.

    Other columns stay unchanged.

    Args:
        df: A listing, or a part of one, with any dtypes.

    Raises:
        InvalidInput: A column appears twice, or has a value that does not fit its dtype.
    """
    if not df.columns.is_unique:
        duplicates = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"The listing has the column {listed(map(shown, duplicates))} twice.")
    result = df.reset_index(drop=True)
    for known in fields_of(Source):
        if known.name not in result:
            continue
        column = result[known.name]
        try:
            result[known.name] = _typed(column, known)
        except UnicodeEncodeError:
            raise InvalidInput(
                f"The column {known.name} holds half a character (a lone surrogate). Replace it "
                "first."
            ) from None
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"The column {known.name} is not {known.type.noun} in each row: "
                f"{reason_of(error)}."
                f"{spelled(' Read files with rnb.read_csv or rnb.read_excel.', '')}"
            ) from None
    return result


def _typed(column: pd.Series, known: Field) -> Any:
    if known.type is Names:
        return pd.Series(_names(column.tolist()), dtype=object)
    if column.dtype == known.type.dtype:
        return column
    if column.isna().all():
        return pd.Series(None, index=column.index, dtype=known.type.dtype)
    if known.type is Moment:
        return _moments(column)
    if known.type is Text and column.dtype.kind == "f":
        # Identifiers of digits became floats because some are missing.
        return column.convert_dtypes().astype(Text.dtype)
    return column.astype(known.type.dtype)


def _moments(column: pd.Series) -> pd.Series:
    texts = column.astype("str")
    instants = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    unreadable = texts[instants.isna() & texts.notna()]
    if len(unreadable):
        raise ValueError(f"row {unreadable.index[0]:,} has {shown(unreadable.iloc[0])}")
    return instants.astype(Moment.dtype)


def _names(cells: list[Any]) -> list[tuple[str, ...]]:
    try:
        # A listing has few distinct tuples.
        items = {cell: _items(cell) for cell in set(cells)}
        return [items[cell] for cell in cells]
    except TypeError:
        return [_items(cell) for cell in cells]


def _items(cell: Any) -> tuple[str, ...]:
    """Return the items of a cell; a list that pandas read from a file as a text is parsed."""
    if isinstance(cell, str):
        try:
            return Names.parse(cell) if cell.strip() else ()
        except ValueError as error:
            raise ValueError(f"{shown(cell)} {error}") from None
    return items_of(cell)
