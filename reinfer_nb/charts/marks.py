"""What stands for numbers on a chart: areas, bars and cells, in colours that anybody tells apart.

Knows nothing of what the numbers are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reinfer_nb.charts import labels as texts
from reinfer_nb.charts.axes import count_on, date_on, ink, names_inside, room, space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from reinfer_nb.charts.counts import Bars, Moments, Numbers

# Of Okabe and Ito's colours and Paul Tol's "muted", those that people of every kind of colour
# vision tell apart, in an order in which neighbours differ in grey as well.
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
_OTHERS = 0.1  # how much of the colour of the texts is in the grey of all others
_OUTLINED = 60  # bars; thinner ones are all outline
_OUTLINE = 0.6  # points; keeps what is pale visible on a pale ground, what is dark on a dark one


def others(ax: Axes) -> tuple[float, ...]:
    """Return the colour of what has none of its own: a grey that is pale on any ground."""
    from matplotlib.colors import to_rgba

    return to_rgba(ink(ax), _OTHERS)


def patches(ax: Axes, colors: Sequence[Any]) -> list[Patch]:
    """Return what shows colours in a legend."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=color, **_outlined(ax)) for color in colors]


def areas(ax: Axes, at: Moments, heights: Numbers, colors: Sequence[Any], *, taken: float) -> None:
    """Draw areas on top of each other that change at moments.

    Args:
        ax: Where.
        at: The moments.
        heights: A row an area, the first at the bottom, a column a moment.
        colors: Of the areas.
        taken: Points of the width that a legend takes.
    """
    from matplotlib.dates import date2num

    numbers = date2num(at)  # type: ignore[no-untyped-call]
    ax.stackplot(numbers, heights, step="post", colors=colors, **_outlined(ax))
    highest = int(heights[:, -1].sum())
    ax.set_xlim(numbers[0], numbers[-1])
    ax.set_ylim(0, highest * 1.05)
    date_on(ax, taken)
    count_on(ax, "y", highest)


def lying_bars(
    ax: Axes,
    table: Numbers,
    colors: Sequence[Any],
    ends: Sequence[str],
    *,
    names: float,
    beside: float = 0,
) -> None:
    """Draw a bar a row, from the left, with a text at its end.

    Args:
        ax: Where; with rows as `name_rows` makes them.
        table: The parts of the bars: a row a bar, a column a colour.
        colors: Of the parts.
        ends: The texts.
        names: Points of the width that the names take.
        beside: Points of the width that a legend takes.
    """
    starts = table.cumsum(axis=1) - table
    for part, start, color in zip(table.T, starts.T, colors, strict=True):
        ax.barh(range(len(part)), part, left=start, color=color, **_outlined(ax))
    lengths = table.sum(axis=1)
    longest = int(lengths.max())
    prop = texts.font(texts.size_of("ytick.labelsize"))
    width = space(ax, names + beside)
    share = min(max(texts.width_of(end, prop) for end in ends) + 10, width * 0.6) / width
    right = max(longest, 1) / (1 - share)
    count_on(ax, "x", longest, names + beside)
    inside = names_inside(ax, names)
    if inside:  # the bars begin where the names end
        ticks = np.asarray(ax.xaxis.get_major_locator().tick_values(0, right))
        ax.set_xticks(ticks[(ticks >= 0) & (ticks <= right)])
        ax.axvline(0, color=ink(ax), linewidth=0.8)
    ax.set_xlim(-right * names / width if inside else 0, right)
    for row, (length, end) in enumerate(zip(lengths, ends, strict=True)):
        ax.annotate(
            end,
            (length, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=ink(ax),
            fontproperties=prop,
        )


def standing_bars(
    ax: Axes,
    bars: Bars,
    up: Numbers,
    down: Numbers,
    colors: Sequence[Any],
    *,
    beside: float,
    above: float,
) -> None:
    """Draw bars at moments, from zero upwards and downwards.

    Args:
        ax: Where.
        bars: Where they start and how wide they are.
        up: The parts of what is above zero: a row a part, from zero on, a column a bar.
        down: What is below zero, by bar.
        colors: Of the parts above, and of what is below.
        beside: Points of the width that a legend takes.
        above: Points of the height that stay free above.
    """
    from matplotlib.dates import date2num

    left, right = (
        date2num(each)  # type: ignore[no-untyped-call]
        for each in (bars.starts, bars.starts + bars.widths)
    )
    outline = _outlined(ax) if len(left) <= _OUTLINED else {"linewidth": 0}
    bottoms = up.cumsum(axis=0) - up
    for part, bottom, color in zip([*up, -down], [*bottoms, 0 * down], colors, strict=True):
        ax.bar(left, part, right - left, bottom, align="edge", color=color, **outline)
    ax.axhline(0, color=ink(ax), linewidth=0.8)
    margin = max((right[-1] - left[0]) * 0.03, (right - left).max() if len(left) < 3 else 0)
    ax.set_xlim(left[0] - margin, right[-1] + margin)
    highest, lowest = int(up.sum(axis=0).max()), int(down.max())
    whole = max(highest + lowest, 1) * 1.08
    free = whole / (1 - min(above / room(ax)[1], 0.7)) - whole
    ax.set_ylim(-lowest * 1.08, max(highest, 1 - lowest) * 1.08 + free)
    _date_bars(ax, bars, (left + right) / 2, beside)
    count_on(ax, "y", max(highest, lowest))


def cells(ax: Axes, table: Numbers, *, names: float) -> None:
    """Draw a table with its numbers, the larger a number the brighter; where it is 0, nothing.

    Args:
        ax: Where; with rows as `name_rows` makes them.
        table: The numbers.
        names: Points of the width that the names of the rows take.
    """
    from matplotlib.colors import LogNorm

    largest = max(int(table.max()), 2)
    height, width = table.shape
    mesh = ax.pcolormesh(
        np.arange(width + 1) - 0.5,
        np.arange(height + 1) - 0.5,
        np.ma.masked_equal(table, 0),
        cmap="cividis",
        norm=LogNorm(1, largest),
        edgecolors=[ax.get_facecolor()],
        linewidth=1,
    )
    ax.grid(visible=False)
    shades = mesh.to_rgba(table)
    inside = width * names / space(ax, names) if names_inside(ax, names) else 0
    ax.set_xlim(-0.5 - inside, width - 0.5)
    prop = texts.font(texts.size_of("xtick.labelsize"))
    for (row, column), number in np.ndenumerate(table):
        if number:
            ax.text(
                column,
                row,
                f"{number:,}",
                color=_readable_on(shades[row, column]),
                fontproperties=prop,
                ha="center",
                va="center_baseline",
            )


def _date_bars(ax: Axes, bars: Bars, middles: Any, beside: float) -> None:
    """Name each bar by its date where they are few, and else let the axis show dates."""
    prop = texts.font(texts.size_of("xtick.labelsize"))
    dates = [str(moment)[:10] for moment in bars.moments]
    left, right = ax.get_xlim()
    gap = np.diff(middles, append=right).min() / (right - left) * space(ax, beside)
    if bars.period != "snapshot" or texts.width_of(dates[0], prop) * 1.15 > gap:
        date_on(ax, beside)
        return
    if len(set(dates)) < len(dates):
        dates = [str(moment)[:16].replace("T", "\n") for moment in bars.moments]
    ax.set_xticks(middles, labels=dates, fontproperties=prop)


def _outlined(ax: Axes) -> dict[str, Any]:
    return {"edgecolor": ink(ax), "linewidth": _OUTLINE}


def _readable_on(rgba: Any) -> str:
    """Return black or white, whichever is clearer on a ground of ours, whatever the style."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgba]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    # Where black and white are as far from it.
    return "black" if luminance > 0.179 else "white"
