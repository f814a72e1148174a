"""The numbers behind the charts: groups, moments and sums; knows nothing of drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import as_arrow, column_of, texts_of
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.text import counted, hint, listed, shown, visible

Numbers = npt.NDArray[np.int64]
Moments = npt.NDArray[np.datetime64]

# What an axis of dates can tell apart from a slip of the pen.
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")
# As many bars of a period as can still be told apart, one next to the other.
_BARS = 80
_PERIODS = {
    "second": "s",
    "minute": "m",
    "hour": "h",
    "day": "D",
    "week": "W",
    "month": "M",
    "year": "Y",
}
_MONDAY = np.timedelta64(4, "D")  # the first one, counted from 1970-01-01


@dataclass(frozen=True)
class Groups:
    """Rows in groups, the largest group first.

    Attributes:
        codes: For each row the number of its group.
        names: For each group the text of its rows; None where they say nothing.
        sizes: For each group how many rows it has.
        others: Whether the last group is all that are not shown by name.
    """

    codes: Numbers
    names: list[str | None]
    sizes: Numbers
    others: bool = False

    def first(self, top: int, noun: str) -> Groups:
        """Return the first `top` groups, and all others together as one.

        Args:
            top: How many groups stay by themselves.
            noun: What is counted in the name of the last: "other project".
        """
        rest = len(self.names) - top
        if rest <= 0:
            return self
        names = [*self.names[:top], counted(rest, noun)]
        sizes = np.append(self.sizes[:top], self.sizes[top:].sum())
        return Groups(np.minimum(self.codes, top), names, sizes, others=True)


def grouped(column: pd.Series) -> Groups:
    """Return the rows by what a column holds; groups of one size by name."""
    values = as_arrow(column)
    if values is not None and pa.types.is_dictionary(values.type):
        values = values.dictionary_decode().cast(pa.large_string())
    plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_large_string)
    if values is None or not any(is_kind(values.type) for is_kind in plain):
        values = texts_of(column)
    encoded = values.dictionary_encode()
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    codes = np.asarray(compute.fill_null(encoded.indices, len(names)), dtype=np.int64)
    texts = [*names, None] if encoded.indices.null_count else names
    sizes = np.bincount(codes, minlength=len(texts)).astype(np.int64)
    order = sorted(range(len(texts)), key=lambda at: (-sizes[at], texts[at] is None, texts[at]))
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return Groups(places[codes], [texts[at] for at in order], sizes[order])


def crossed(rows: Groups, columns: Groups) -> Numbers:
    """Return how many rows of a frame are in each of two kinds of groups, as a table."""
    shape = (len(rows.names), len(columns.names))
    cells = rows.codes * shape[1] + columns.codes
    return np.bincount(cells, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)


def paired(first: Groups, second: Groups, order: Sequence[str]) -> Groups:
    """Return rows by two things at once: by the first in an order, then the largest group.

    Args:
        first: Its names come first, before a colon.
        second: Its names come second.
        order: What the names of `first` go by; those that are not in it come last.
    """
    width = max(len(second.names), 1)
    present, codes = np.unique(first.codes * width + second.codes, return_inverse=True)
    sizes = np.bincount(codes.reshape(-1), minlength=len(present)).astype(np.int64)
    pairs = [(first.names[at // width], second.names[at % width]) for at in present.tolist()]
    ranks = [order.index(one) if one in order else len(order) for one, _ in pairs]
    names = [": ".join(text or "not said" for text in pair) for pair in pairs]
    sequence = sorted(range(len(names)), key=lambda at: (ranks[at], -sizes[at], names[at]))
    places = np.empty(len(sequence), dtype=np.int64)
    places[sequence] = np.arange(len(sequence))
    ordered: list[str | None] = [names[at] for at in sequence]
    return Groups(places[codes.reshape(-1)], ordered, sizes[sequence])


def drawable(moments: Moments) -> npt.NDArray[np.bool_]:
    """Return which moments are within the centuries that an axis of dates is drawn for."""
    return (moments >= _FIRST) & (moments < _LAST)


def cumulated(moments: Moments, groups: Groups, steps: int) -> tuple[Moments, Numbers]:
    """Return how many rows there were of each group, at each moment at which that is drawn.

    Args:
        moments: Of each row; none missing.
        groups: Of the same rows.
        steps: How many moments there are at most; where rows have more, they are evenly spaced.

    Returns:
        The moments, from shortly before the first row to the last; and a row a group, a column
        a moment.
    """
    at = np.unique(moments)
    if len(at) > steps:
        whole = np.linspace(0, int((at[-1] - at[0]).astype(np.int64)), steps).astype(np.int64)
        at = at[0] + whole.astype("timedelta64[us]")
    margin = max((at[-1] - at[0]) // 50, np.timedelta64(1, "D"))
    at = np.concatenate([[at[0] - margin], at, [at[-1] + margin]])
    lines = [
        np.searchsorted(np.sort(moments[groups.codes == group]), at, side="right")
        for group in range(len(groups.names))
    ]
    return at, np.array(lines, dtype=np.int64)


def ages(moments: Moments, until: np.datetime64, days: Sequence[int]) -> Numbers:
    """Return how many moments lie within how many days before another one.

    Args:
        moments: Of each row.
        until: What ages are counted to.
        days: The ages at which a bin ends, upwards; a moment of exactly that age is within it.

    Returns:
        The counts: later than `until`, within each of `days`, older, and missing.
    """
    known = moments[~np.isnat(moments)]
    edges = until - np.array([0, *days], dtype="timedelta64[D]")
    # Downwards in time; negated, so that they go upwards as searchsorted wants them.
    places = np.searchsorted(-edges.astype(np.int64), -known.astype(np.int64), side="left")
    later = known > until
    places = np.where(later, 0, np.maximum(places, 1))
    bins = np.bincount(places, minlength=len(days) + 2)
    return np.append(bins, len(moments) - len(known)).astype(np.int64)


@dataclass(frozen=True)
class Bars:
    """Moments put into bars that do not overlap.

    Attributes:
        moments: What each bar is of; the first of its period.
        starts: Where each bar starts.
        widths: How wide each is, up to the next or less.
        codes: For each moment the number of its bar.
        period: What each bar is of: "snapshot", or "day", "week" and so on.
    """

    moments: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    widths: npt.NDArray[Any]
    codes: Numbers
    period: str


def barred(moments: Moments) -> Bars:
    """Return a bar for each distinct moment, or where those would be too thin, for each period."""
    at, codes = np.unique(moments, return_inverse=True)
    day = np.timedelta64(86_400_000_000, "us")
    gap = np.diff(at).min() if len(at) > 1 else day
    if (at[-1] - at[0]) // gap < _BARS:
        width = gap * 4 // 5
        widths = np.full(len(at), width)
        return Bars(at, at - width // 2, widths, codes.astype(np.int64).reshape(-1), "snapshot")
    for name, unit in _PERIODS.items():
        shift = _MONDAY if unit == "W" else np.timedelta64(0, "D")
        present, codes = np.unique(
            (moments - shift).astype(f"datetime64[{unit}]"), return_inverse=True
        )
        starts = present.astype("datetime64[us]") + shift
        ends = (present + 1).astype("datetime64[us]") + shift
        widths = (ends - starts) * 9 // 10
        bars = Bars(starts, starts, widths, codes.astype(np.int64).reshape(-1), name)
        if (present[-1] - present[0]).astype(np.int64) < _BARS:
            break
    return bars


def once(bars: Bars, kinds: Groups, sources: Groups, names: Sequence[str]) -> Numbers:
    """Return how many sources there are of each kind of change in each bar.

    Args:
        bars: Of each change.
        kinds: Of each change, what it is.
        sources: Of each change, the source.
        names: The kinds, in the order of the rows that are returned.
    """
    rows = {"kind": kinds.codes, "bar": bars.codes, "source": sources.codes}
    distinct = pd.DataFrame(rows).drop_duplicates()
    table = np.zeros((len(names), len(bars.starts)), dtype=np.int64)
    places = np.array([names.index(name or "") for name in kinds.names], dtype=np.int64)
    np.add.at(table, (places[distinct["kind"]], distinct["bar"].to_numpy()), 1)
    return table


def columns_of(df: object, names: Iterable[str], what: str = "The listing") -> list[pd.Series]:
    """Return columns of a frame, over an index from 0.

    Raises:
        InvalidInput: It is no frame, or columns are not there.
    """
    df = check_frame(df, f"{what} is a DataFrame")
    found = [(name, column_of(df, name)) for name in names]
    lacking = [name for name, column in found if column is None]
    if lacking:
        have = hint(
            lacking[0] if len(lacking) == 1 else None, (visible(str(c)) for c in df.columns)
        )
        raise InvalidInput(f"{what} has no column {listed(map(shown, lacking))}. {have}")
    return [column.reset_index(drop=True) for _, column in found if column is not None]


def checked_top(top: Any, most: int) -> int:
    """Return how many are shown by name.

    Raises:
        InvalidInput: It is no whole number from 1 to `most`.
    """
    try:
        number = 0 if isinstance(top, bool) else index(top)
    except TypeError:
        number = 0
    if not 1 <= number <= most:
        raise InvalidInput(f"top is a whole number from 1 to {most}, not {shown(top)}.")
    return number
