"""Draw numbers as areas, bars and cells, in colours that everybody can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reinfer_nb.charts import labels as texts

if TYPE_CHECKING:
    from reinfer_nb.charts.axes import Chart
    from reinfer_nb.charts.counts import Bars, Moments, Numbers

# Colours of Okabe and Ito and of Paul Tol's "muted" scheme that people with any colour vision can
# tell apart. They are ordered so that neighbours also differ in grey.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#882255",
    "#DDCC77",
    "#CC6677",
    "#88CCEE",
    "#D55E00",
    "#332288",
    "#CC79A7",
)
_LIGHT = 0.47  # from this part of the colour map "cividis" on, black is more readable than white


def areas(chart: Chart, times: Moments, heights: Numbers, colors: Sequence[Any]) -> None:
    """Draw stacked areas: one row of heights per area, from the bottom up, one column per time.

    They leave room for a legend inside the axes if they are high at the left.
    """
    chart.ax.stackplot(times, heights, step="post", colors=colors, **chart.outlined)
    totals = heights.sum(axis=0)
    highest = int(totals.max())
    rising = bool((np.diff(totals) >= 0).all())
    room = 1 if rising else 1 - chart.inside
    chart.ax.set(xlim=(times[0], times[-1]), ylim=(0, highest * 1.05 / room))
    chart.date_on_x()
    chart.count_on("y", highest)


def lying_bars(chart: Chart, table: Numbers, colors: Sequence[Any], ends: Sequence[str]) -> None:
    """Draw a horizontal bar per row of a table, a part per column, with a text at its end."""
    starts = table.cumsum(axis=1) - table
    for part, start, color in zip(table.T, starts.T, colors, strict=True):
        bars = chart.ax.barh(range(len(part)), part, left=start, color=color, **chart.outlined)
    size, longest = texts.size_of("ytick.labelsize"), int(table.sum(axis=1).max())
    chart.ax.bar_label(bars, ends, padding=4, color=chart.ink, fontsize=size)
    widest = max(texts.width_of(end, size) for end in ends) + 10
    chart.ax.set_xlim(0, max(longest, 1) / (1 - min(widest / chart.space, 0.75)))
    chart.count_on("x", longest)


def standing_bars(chart: Chart, bars: Bars, table: Numbers, colors: Sequence[Any]) -> None:
    """Draw a vertical bar per column of a table, a part per row, from the bottom up.

    The last part is below zero.
    """
    from matplotlib.dates import date2num

    left, right = (date2num(edge) for edge in (bars.starts, bars.ends))  # type: ignore[no-untyped-call]
    *parts, down = table
    bottoms = np.cumsum([down * 0, *parts], axis=0)
    for part, bottom, color in zip([*parts, -down], [*bottoms[:-1], down * 0], colors, strict=True):
        chart.ax.bar(left, part, right - left, bottom, align="edge", color=color, **chart.outlined)
    chart.ax.axhline(0, color=chart.ink, linewidth=0.8)
    margin = max((right[-1] - left[0]) * 0.03, (right - left).max() if len(left) < 3 else 0)
    chart.ax.set_xlim(left[0] - margin, right[-1] + margin)
    highest, lowest = int(bottoms[-1].max()), int(down.max())
    total = max(highest + lowest, 1) * 1.08
    chart.ax.set_ylim(-lowest * 1.08, total / (1 - chart.inside) - lowest * 1.08)
    chart.count_on("y", max(highest, lowest))
    # Each bar has its date if the dates fit, otherwise the axis has dates.
    middles = (left + right) / 2
    low, high = chart.ax.get_xlim()
    gap = np.diff(middles, append=high).min() / (high - low) * chart.space
    if bars.period != "snapshot" or gap < 7 * texts.size_of("xtick.labelsize"):
        chart.date_on_x()
    else:
        dates = pd.DatetimeIndex(bars.starts + (bars.ends - bars.starts) // 2)
        chart.ax.set_xticks(middles, labels=dates.strftime("%Y-%m-%d\n%H:%M"))


def cells(chart: Chart, table: Numbers) -> None:
    """Draw a table of numbers, larger numbers in brighter cells; cells with 0 stay empty."""
    from matplotlib.colors import LogNorm

    norm: Any = LogNorm(1, max(int(table.max()), 2))
    x, y = (np.arange(length) for length in table.shape[::-1])
    style: Any = {"cmap": "cividis", "edgecolors": [chart.ax.get_facecolor()], "linewidth": 1}
    chart.ax.pcolormesh(x, y, np.ma.masked_equal(table, 0), norm=norm, **style)
    chart.ax.grid(visible=False)
    place: Any = {"size": texts.size_of("xtick.labelsize"), "ha": "center", "va": "center_baseline"}
    for (row, column), number in np.ndenumerate(table):
        if number:
            color = "white" if norm(number) < _LIGHT else "black"
            chart.ax.text(column, row, f"{number:,}", color=color, **place)
