"""Compute the numbers behind the charts: groups, times and sums. Nothing here draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import TEXT, column_of, texts_of
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.text import counted, hint, listed, shown, visible

Numbers = npt.NDArray[np.int64]
Moments = npt.NDArray[np.datetime64]

# Dates outside this range are treated as errors.
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")
_MAX_BARS = 80  # more bars side by side are unreadable
# The periods that a bar can cover, with their names in pandas; weeks start on Monday.
_PERIODS = {"minute": "min", "hour": "h", "day": "D", "week": "W-SUN", "month": "M", "year": "Y"}


@dataclass(frozen=True)
class Groups:
    """Groups of rows, the largest first.

    Attributes:
        codes: The group number of each row.
        names: The name of each group.
        sizes: The number of rows in each group.
        others: True if the last group combines all groups that are not shown by name.
    """

    codes: Numbers
    names: list[str]
    sizes: Numbers
    others: bool = False

    def first(self, top: int, noun: str) -> Groups:
        """Return the first `top` groups and one of all others, such as "3 other projects"."""
        rest = len(self.names) - top
        if rest <= 0:
            return self
        names = [*self.names[:top], counted(rest, noun)]
        sizes = np.append(self.sizes[:top], self.sizes[top:].sum())
        return Groups(np.minimum(self.codes, top), names, sizes, others=True)

    def weighted(self, weights: Numbers) -> Groups:
        """Return the groups with the sums of their rows' weights as sizes, the largest first."""
        sizes = np.zeros(len(self.names), dtype=np.int64)
        np.add.at(sizes, self.codes, weights)
        order = sorted(range(len(sizes)), key=lambda n: (-sizes[n], self.names[n]))
        names = [self.names[n] for n in order]
        return Groups(np.argsort(order)[self.codes], names, sizes[order])

    def crossed(self, columns: Numbers, number: int, weights: Numbers | int = 1) -> Numbers:
        """Count the rows, or sum their weights, by group and by number of column, as a table."""
        table = np.zeros((len(self.names), number), dtype=np.int64)
        np.add.at(table, (self.codes, columns), weights)
        return table

    def with_sizes(self) -> list[str]:
        """Return the names with the sizes in parentheses."""
        return [f"{name} ({size:,})" for name, size in zip(self.names, self.sizes, strict=True)]


def grouped(
    column: pd.Series, missing: str = "(no project)", rank: Callable[[str], int] = lambda _: 0
) -> Groups:
    """Group rows by value, sorted by rank of the name, then by size, then by name.

    Rows without a value are in the group `missing`.
    """
    # These types are slow to convert value by value.
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    elif pd.api.types.is_bool_dtype(column.dtype):
        column = column.map({True: "True", False: "False"})
    encoded = texts_of(column).dictionary_encode(null_encoding="encode")
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(encoded.indices)
    sizes = np.bincount(codes, minlength=len(names))
    pairs = zip(names, -sizes, strict=True)
    keys = [(rank(name or ""), size, name is None, name) for name, size in pairs]
    order = sorted(range(len(names)), key=keys.__getitem__)
    labels = [missing if names[n] is None else names[n] or "(empty)" for n in order]
    return Groups(np.argsort(order)[codes], labels, sizes[order])


def paired(first: pd.Series, second: pd.Series, order: Sequence[str]) -> Groups:
    """Group rows by two columns, such as "error: unreadable", in the order of the first names."""
    texts = texts_of(first), texts_of(second), pa.scalar(": ", TEXT)
    options: Any = {"null_handling": "replace", "null_replacement": "not set"}
    names = compute.binary_join_element_wise(*texts, **options).to_pandas()
    ranks = {name: number for number, name in enumerate(order, -len(order))}
    return grouped(names, rank=lambda name: ranks.get(name.partition(": ")[0], 0))


def ages(moments: Moments, until: np.datetime64, bins: Mapping[str, float]) -> pd.Series:
    """Count times by their age; the first row is "in the future", the last "not set".

    The bins have their highest age in days, ascending; the last is infinite.
    """
    days = pd.Series((until - moments) / np.timedelta64(1, "D"))
    # Less than a microsecond before `until` is not in the future.
    named = pd.cut(days, [-np.inf, -1e-12, *bins.values()], labels=["in the future", *bins])
    counts = named.cat.add_categories("not set").fillna("not set").value_counts(sort=False)
    return counts.set_axis(counts.index.astype("str"))


def drawable(moments: Moments) -> npt.NDArray[np.bool_]:
    """Return a mask of the times that a date axis can show."""
    return (moments >= _FIRST) & (moments < _LAST)


def cumulated(moments: Moments, groups: Groups, steps: int) -> tuple[Moments, Numbers]:
    """Count the rows of each group up to each of some times.

    At most `steps` times are from the rows or, if the rows have more, evenly spaced; one more is
    before the first row, and one after the last.
    """
    times = np.unique(moments)
    if len(times) > steps:
        times = pd.date_range(times[0], times[-1], periods=steps).to_numpy()
    margin = max((times[-1] - times[0]) // 50, np.timedelta64(1, "D"))
    times = np.concatenate([[times[0] - margin], times, [times[-1] + margin]])
    table = groups.crossed(np.searchsorted(times, moments), len(times))
    return times, table.cumsum(axis=1)


# How long a period can be, in days.
_LENGTHS = {"day": (1, 1), "week": (7, 7), "month": (28, 31), "quarter": (90, 92)}
_LENGTHS |= {"year": (365, 366)}


def stepped(moments: Moments) -> tuple[Moments, Numbers, str]:
    """Return the edges of periods, the number of each row's period, and the label of an axis.

    Args:
        moments: When the period of each row begins. The last one is as long as the one before.
    """
    begins, codes = np.unique(moments, return_inverse=True)
    lengths = np.diff(begins)
    length = lengths[-1] if len(lengths) else np.timedelta64(1, "D")
    # The first period may be shorter than the others.
    days = lengths[1:] / np.timedelta64(1, "D") if len(lengths) > 1 else lengths[:0].astype(float)
    found = [
        name
        for name, (shortest, longest) in _LENGTHS.items()
        if len(days) and shortest <= days.min() and days.max() <= longest
    ]
    label = f"Comments per {found[0] if found else 'period'}"
    return np.append(begins, begins[-1:] + length), codes, label


def wholes(column: pd.Series) -> Numbers:
    """Return a column of numbers of comments; -1 where one is missing.

    Raises:
        InvalidInput: A cell is not a whole number from 0 on.
    """
    try:
        numbers = np.asarray(pd.to_numeric(column).astype("Float64").astype("float64"))
    except (ValueError, TypeError):
        numbers = np.array([np.inf])
    present = numbers[~np.isnan(numbers)]
    # A double holds larger numbers inexactly.
    if not ((present >= 0) & (present < 2**53) & (np.floor(present) == present)).all():
        raise InvalidInput(
            f"{visible(str(column.name))} must hold whole numbers from 0 on in each row."
        )
    return np.asarray(np.nan_to_num(numbers, nan=-1), dtype=np.int64)


@dataclass(frozen=True)
class Bars:
    """Bars that do not overlap, the number of the bar of each time, and the period of a bar."""

    starts: Moments
    ends: Moments
    codes: Numbers
    period: str


def barred(moments: Moments) -> Bars:
    """Return one bar per distinct time or, if those bars would be too thin, one per period."""
    times, codes = np.unique(moments, return_inverse=True)
    gap = np.diff(times).min() if len(times) > 1 else np.timedelta64(86_400_000_000, "us")
    if (times[-1] - times[0]) // gap < _MAX_BARS:
        half = gap * 2 // 5
        return Bars(times - half, times + half, codes, "snapshot")
    present: Any
    for period, frequency in _PERIODS.items():  # noqa: B007 - used after the loop
        periods = pd.PeriodIndex(times, freq=frequency)
        if (periods[-1] - periods[0]).n < _MAX_BARS:
            break
    numbers, present = periods.factorize()
    starts, ends = (each.start_time.to_numpy("datetime64[us]") for each in (present, present + 1))
    return Bars(starts, starts + (ends - starts) * 9 // 10, numbers[codes], period)


def once(bars: Bars, kinds: pd.Series, sources: pd.Series, names: Sequence[str]) -> Numbers:
    """Count the distinct sources by kind of change, in the order of `names`, and by bar."""
    changes = pd.DataFrame({"kind": kinds, "bar": bars.codes, "source": sources})
    distinct = changes.drop_duplicates()
    table = pd.crosstab(distinct["kind"], distinct["bar"])
    return table.reindex(list(names), fill_value=0).to_numpy()


def columns_of(df: object, names: Iterable[str], what: str = "The listing") -> list[pd.Series]:
    """Return columns with a `RangeIndex`, or raise `InvalidInput` if one is missing."""
    df = check_frame(df, f"{what} must be a DataFrame")
    columns = [(name, column_of(df, name)) for name in names]
    missing = [name for name, column in columns if column is None]
    if missing:
        word = missing[0] if len(missing) == 1 else None
        advice = hint(word, (visible(str(name)) for name in df.columns))
        raise InvalidInput(f"{what} has no column {listed(map(shown, missing))}. {advice}")
    return [column.reset_index(drop=True) for _, column in columns if column is not None]


def checked_top(top: Any, most: int) -> int:
    """Return a number of groups, or raise `InvalidInput` unless it is from 1 to `most`."""
    whole = isinstance(top, int | np.integer) and not isinstance(top, bool)
    if not whole or not 1 <= top <= most:
        raise InvalidInput(f"top must be a whole number from 1 to {most}, not {shown(top)}.")
    return int(top)
