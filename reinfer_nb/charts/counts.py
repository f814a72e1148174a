"""Compute the numbers behind the charts: groups, times and sums. Nothing here draws."""

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

# Dates outside this range are treated as errors.
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")
# The most bars that are readable side by side.
_MAX_BARS = 80
_PERIODS = {
    "second": "s",
    "minute": "m",
    "hour": "h",
    "day": "D",
    "week": "W",
    "month": "M",
    "year": "Y",
}
_MONDAY = np.timedelta64(4, "D")  # the first Monday after 1970-01-01


@dataclass(frozen=True)
class Groups:
    """Groups of rows, the largest first.

    Attributes:
        codes: The group number of each row.
        names: The name of each group; None for rows with a missing value.
        sizes: The number of rows in each group.
        others: True if the last group combines all groups that are not shown by name.
    """

    codes: Numbers
    names: list[str | None]
    sizes: Numbers
    others: bool = False

    def first(self, top: int, noun: str) -> Groups:
        """Return the first `top` groups and one group of all others.

        Args:
            top: The number of groups to keep.
            noun: The noun in the name of the last group, such as "other project".
        """
        rest = len(self.names) - top
        if rest <= 0:
            return self
        names = [*self.names[:top], counted(rest, noun)]
        sizes = np.append(self.sizes[:top], self.sizes[top:].sum())
        return Groups(np.minimum(self.codes, top), names, sizes, others=True)


def grouped(column: pd.Series) -> Groups:
    """Group rows by the value of a column; groups of equal size are sorted by name."""
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
    order = sorted(range(len(texts)), key=lambda n: (-sizes[n], texts[n] is None, texts[n]))
    positions = np.empty(len(order), dtype=np.int64)
    positions[order] = np.arange(len(order))
    return Groups(positions[codes], [texts[n] for n in order], sizes[order])


def crossed(rows: Groups, columns: Groups) -> Numbers:
    """Count the rows in each pair of groups, as a table of row groups and column groups."""
    shape = (len(rows.names), len(columns.names))
    cells = rows.codes * shape[1] + columns.codes
    return np.bincount(cells, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)


def paired(first: Groups, second: Groups, order: Sequence[str]) -> Groups:
    """Group rows by two groupings at once, sorted by the first name, then by size.

    Args:
        first: The grouping whose names come first, before a colon.
        second: The grouping whose names come second.
        order: The order of the names of `first`; other names come last.
    """
    width = max(len(second.names), 1)
    present, codes = np.unique(first.codes * width + second.codes, return_inverse=True)
    sizes = np.bincount(codes.reshape(-1), minlength=len(present)).astype(np.int64)
    pairs = [(first.names[code // width], second.names[code % width]) for code in present.tolist()]
    ranks = [order.index(name) if name in order else len(order) for name, _ in pairs]
    names = [": ".join(text or "not set" for text in pair) for pair in pairs]
    sequence = sorted(range(len(names)), key=lambda n: (ranks[n], -sizes[n], names[n]))
    positions = np.empty(len(sequence), dtype=np.int64)
    positions[sequence] = np.arange(len(sequence))
    ordered: list[str | None] = [names[n] for n in sequence]
    return Groups(positions[codes.reshape(-1)], ordered, sizes[sequence])


def drawable(moments: Moments) -> npt.NDArray[np.bool_]:
    """Return a mask of the times that a date axis can show."""
    return (moments >= _FIRST) & (moments < _LAST)


def cumulated(moments: Moments, groups: Groups, steps: int) -> tuple[Moments, Numbers]:
    """Count the rows of each group up to each of some times.

    Args:
        moments: The time of each row; none missing.
        groups: The groups of the same rows.
        steps: The maximum number of times, evenly spaced if the rows have more.

    Returns:
        The times, from shortly before the first row to shortly after the last; and the counts,
        one row per group and one column per time.
    """
    times = np.unique(moments)
    if len(times) > steps:
        span = int((times[-1] - times[0]).astype(np.int64))
        times = times[0] + np.linspace(0, span, steps).astype(np.int64).astype("timedelta64[us]")
    margin = max((times[-1] - times[0]) // 50, np.timedelta64(1, "D"))
    times = np.concatenate([[times[0] - margin], times, [times[-1] + margin]])
    lines = [
        np.searchsorted(np.sort(moments[groups.codes == group]), times, side="right")
        for group in range(len(groups.names))
    ]
    return times, np.array(lines, dtype=np.int64)


def ages(moments: Moments, until: np.datetime64, days: Sequence[int]) -> Numbers:
    """Count times by their age in days.

    Args:
        moments: The times.
        until: The time that ages are counted to.
        days: The highest age of each bin, ascending.

    Returns:
        The counts: later than `until`, in each bin of `days`, older, and missing.
    """
    times = moments[~np.isnat(moments)]
    edges = until - np.array([0, *days], dtype="timedelta64[D]")
    # The edges descend; negating them gives searchsorted the ascending order it needs.
    bins = np.searchsorted(-edges.astype(np.int64), -times.astype(np.int64), side="left")
    bins = np.where(times > until, 0, np.maximum(bins, 1))
    counts = np.bincount(bins, minlength=len(days) + 2)
    return np.append(counts, len(moments) - len(times)).astype(np.int64)


@dataclass(frozen=True)
class Bars:
    """Times assigned to bars that do not overlap.

    Attributes:
        moments: The snapshot time of each bar, or the start of its period.
        starts: The left edge of each bar.
        widths: The width of each bar.
        codes: The bar number of each time.
        period: The period of a bar: "snapshot", or "day", "week" and so on.
    """

    moments: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    widths: npt.NDArray[Any]
    codes: Numbers
    period: str


def barred(moments: Moments) -> Bars:
    """Return one bar per distinct time or, if those bars would be too thin, one per period."""
    times, codes = np.unique(moments, return_inverse=True)
    day = np.timedelta64(86_400_000_000, "us")
    gap = np.diff(times).min() if len(times) > 1 else day
    if (times[-1] - times[0]) // gap < _MAX_BARS:
        width = gap * 4 // 5
        widths = np.full(len(times), width)
        codes = codes.astype(np.int64).reshape(-1)
        return Bars(times, times - width // 2, widths, codes, "snapshot")
    for name, unit in _PERIODS.items():
        shift = _MONDAY if unit == "W" else np.timedelta64(0, "D")
        present, codes = np.unique(
            (moments - shift).astype(f"datetime64[{unit}]"), return_inverse=True
        )
        starts = present.astype("datetime64[us]") + shift
        ends = (present + 1).astype("datetime64[us]") + shift
        widths = (ends - starts) * 9 // 10
        bars = Bars(starts, starts, widths, codes.astype(np.int64).reshape(-1), name)
        if (present[-1] - present[0]).astype(np.int64) < _MAX_BARS:
            break
    return bars


def once(bars: Bars, kinds: Groups, sources: Groups, names: Sequence[str]) -> Numbers:
    """Count the distinct sources with each kind of change in each bar.

    Args:
        bars: The bars of the changes.
        kinds: The changes grouped by kind.
        sources: The changes grouped by source.
        names: The kinds, in the order of the returned rows.
    """
    rows = {"kind": kinds.codes, "bar": bars.codes, "source": sources.codes}
    distinct = pd.DataFrame(rows).drop_duplicates()
    table = np.zeros((len(names), len(bars.starts)), dtype=np.int64)
    kind_rows = np.array([names.index(name or "") for name in kinds.names], dtype=np.int64)
    np.add.at(table, (kind_rows[distinct["kind"]], distinct["bar"].to_numpy()), 1)
    return table


def columns_of(df: object, names: Iterable[str], what: str = "The listing") -> list[pd.Series]:
    """Return columns of a frame with a `RangeIndex`.

    Raises:
        InvalidInput: `df` is not a frame, or columns are missing.
    """
    df = check_frame(df, f"{what} must be a DataFrame")
    columns = [(name, column_of(df, name)) for name in names]
    missing = [name for name, column in columns if column is None]
    if missing:
        word = missing[0] if len(missing) == 1 else None
        advice = hint(word, (visible(str(name)) for name in df.columns))
        raise InvalidInput(f"{what} has no column {listed(map(shown, missing))}. {advice}")
    return [column.reset_index(drop=True) for _, column in columns if column is not None]


def checked_top(top: Any, most: int) -> int:
    """Return the number of groups to show by name.

    Raises:
        InvalidInput: `top` is not a whole number from 1 to `most`.
    """
    try:
        number = 0 if isinstance(top, bool) else index(top)
    except TypeError:
        number = 0
    if not 1 <= number <= most:
        raise InvalidInput(f"top must be a whole number from 1 to {most}, not {shown(top)}.")
    return number
