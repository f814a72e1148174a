"""Match the rows of two listings by key columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import full_names, text_column, texts_of
from reinfer_nb.frames.row_numbers import row_numbers
from reinfer_nb.schema.value_types import cell_text
from reinfer_nb.text import counted, hint, listed, shown, visible
from reinfer_nb.wording import spelled

Positions = npt.NDArray[np.int64]


def matched(before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str]) -> Positions:
    """Return, for each row of `after`, the position of the same source in `before`, or -1.

    Raises:
        InvalidInput: A key is missing or not unique in one of the frames.
    """
    for side, df in (("before", before), ("after", after)):
        _check(df, side, keys)
    left, right = _key_texts(before, keys), _key_texts(after, keys)
    _check_unique(before, "before", keys, left)
    positions = compute.index_in(right, value_set=left)
    # Rows that match different rows differ, so only others can be equal.
    result = np.asarray(compute.fill_null(positions, -1), dtype=np.int64)
    matches = result[result >= 0]
    if len(matches) and np.bincount(matches).max() > 1:
        _check_unique(after, "after", keys, right)
    others = np.flatnonzero(result < 0)
    _check_unique(after.iloc[others], "after", keys, right.take(pa.array(others)))
    return result


def places(reference: pd.Series, column: pd.Series) -> Positions:
    """Return the first position in `reference` of each text in `column`; -1 if there is none."""
    positions = compute.index_in(texts_of(column), value_set=texts_of(reference), skip_nulls=True)
    return np.asarray(compute.fill_null(positions, -1), dtype=np.int64)


def places_by_id(reference: pd.DataFrame, rows: pd.DataFrame) -> Positions:
    """Return the row in `reference` with the id of each row of `rows`; -1 if there is none."""
    return places(text_column(reference, "id"), text_column(rows, "id"))


def places_by_name(reference: pd.DataFrame, rows: pd.DataFrame) -> Positions:
    """Return the row in `reference` with the full name of each row of `rows`; -1 if none."""
    return places(full_names(reference), full_names(rows))


def in_order_of(positions: Positions, count: int) -> Positions:
    """Return the rows with a position of 0 or more, in the order of their positions.

    Args:
        positions: For each row the position of the same source in a listing; negative if it has
            none.
        count: The number of rows of that listing.
    """
    rows = np.flatnonzero(positions >= 0)
    places = np.full(count, -1, dtype=np.int64)
    places[positions[rows]] = rows
    ordered = places[places >= 0]
    # Several rows may have the same position.
    return ordered if len(ordered) == len(rows) else rows[positions[rows].argsort(kind="stable")]


def joined(df: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the cells of each row in some columns, such as "owner/name"."""
    rows = df[list(columns)].itertuples(index=False)
    return ["/".join(cell_text(cell) or "" for cell in row) for row in rows]


def _check(df: pd.DataFrame, side: str, keys: Sequence[str]) -> None:
    if not df.columns.is_unique:
        duplicates = df.columns[df.columns.duplicated()].unique()
        raise InvalidInput(f"{side} has the column {listed(map(shown, duplicates))} twice.")
    if not keys:
        raise InvalidInput(f"{spelled('on', '--on')} must name at least one column.")
    for key in keys:
        if key not in df.columns:
            advice = hint(str(key), map(str, df.columns))
            raise InvalidInput(f"{side} has no column {shown(key)} to match rows by. {advice}")
        missing = np.flatnonzero(df[key].isna())
        if len(missing):
            numbers = listed(row_numbers(df)[missing], 5)
            raise InvalidInput(
                f"{side} has no {key} in {counted(len(missing), 'row')} ({numbers}), "
                "but rows are matched by this column. Remove these rows."
            )


def _key_texts(df: pd.DataFrame, keys: Sequence[str]) -> Any:
    """Return a text for each row of a frame, equal where all keys are equal."""
    *firsts, last = (_texts(df[key]) for key in keys)
    if not firsts:
        return last
    # With their lengths, different keys cannot make the same text.
    lengths = (compute.utf8_length(texts).cast(pa.large_string()) for texts in firsts)
    pieces = [piece for pair in zip(lengths, firsts, strict=True) for piece in pair]
    return compute.binary_join_element_wise(*pieces, last, pa.scalar(":", pa.large_string()))


def _texts(column: pd.Series) -> Any:
    """Return a column without missing cells as Arrow texts."""
    # In a file read without dtypes, ids that consist of digits are numbers.
    texts = pa.array(column.astype("str"), pa.large_string())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _check_unique(df: pd.DataFrame, side: str, keys: Sequence[str], texts: Any) -> None:
    encoded = texts.dictionary_encode()
    if len(encoded.dictionary) < len(encoded):
        numbers = np.asarray(encoded.indices, dtype=np.int64)
        rows = df.iloc[np.flatnonzero(np.bincount(numbers)[numbers] > 1)]
        names = joined(rows.drop_duplicates(list(keys)), keys)
        raise InvalidInput(
            f"{side} has several rows with the same {' and '.join(keys)}: "
            f"{visible(listed(names, 5), 300)}. Remove the duplicates, or match rows by more "
            f"columns with {spelled('on=', '--on')}."
        )
