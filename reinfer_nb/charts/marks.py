"""Draw numbers as areas, bars and cells, in colours that everybody can tell apart."""

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
_OTHERS_ALPHA = 0.1  # opacity of the text colour in the grey of "others"
_MAX_OUTLINED = 60  # more bars are too thin for outlines
_OUTLINE_WIDTH = 0.6  # points; keeps colours visible on a similar background


def others(ax: Axes) -> tuple[float, ...]:
    """Return the colour of "others": a grey that is faint on any background."""
    from matplotlib.colors import to_rgba

    return to_rgba(ink(ax), _OTHERS_ALPHA)


def patches(ax: Axes, colors: Sequence[Any]) -> list[Patch]:
    """Return the colour patches of a legend."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=color, **_outlined(ax)) for color in colors]


def areas(
    ax: Axes, times: Moments, heights: Numbers, colors: Sequence[Any], *, taken: float
) -> None:
    """Draw stacked areas whose heights change at some times.

    Args:
        ax: The axes.
        times: The times.
        heights: One row per area, from the bottom up, and one column per time.
        colors: The colours of the areas.
        taken: The width of the legend, in points.
    """
    from matplotlib.dates import date2num

    numbers = date2num(times)  # type: ignore[no-untyped-call]
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
    """Draw one horizontal bar per row, with a text at its end.

    Args:
        ax: The axes, with rows from `name_rows`.
        table: The parts of the bars: one row per bar, one column per colour.
        colors: The colours of the parts.
        ends: The texts.
        names: The width of the row names, in points.
        beside: The width of the legend, in points.
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
    if inside:  # the bars start to the right of the names
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
    """Draw vertical bars from zero upwards and downwards.

    Args:
        ax: The axes.
        bars: The positions and widths of the bars.
        up: The parts above zero: one row per part, from the bottom up, and one column per bar.
        down: The length below zero of each bar.
        colors: The colours of the parts above zero and of the part below.
        beside: The width of the legend, in points.
        above: Height to keep free above the bars, in points.
    """
    from matplotlib.dates import date2num

    left, right = (
        date2num(each)  # type: ignore[no-untyped-call]
        for each in (bars.starts, bars.starts + bars.widths)
    )
    outline = _outlined(ax) if len(left) <= _MAX_OUTLINED else {"linewidth": 0}
    bottoms = up.cumsum(axis=0) - up
    for part, bottom, color in zip([*up, -down], [*bottoms, 0 * down], colors, strict=True):
        ax.bar(left, part, right - left, bottom, align="edge", color=color, **outline)
    ax.axhline(0, color=ink(ax), linewidth=0.8)
    margin = max((right[-1] - left[0]) * 0.03, (right - left).max() if len(left) < 3 else 0)
    ax.set_xlim(left[0] - margin, right[-1] + margin)
    highest, lowest = int(up.sum(axis=0).max()), int(down.max())
    total = max(highest + lowest, 1) * 1.08
    free = total / (1 - min(above / room(ax)[1], 0.7)) - total
    ax.set_ylim(-lowest * 1.08, max(highest, 1 - lowest) * 1.08 + free)
    _date_bars(ax, bars, (left + right) / 2, beside)
    count_on(ax, "y", max(highest, lowest))


def cells(ax: Axes, table: Numbers, *, names: float) -> None:
    """Draw a table of numbers, larger numbers in brighter cells; cells with 0 stay empty.

    Args:
        ax: The axes, with rows from `name_rows`.
        table: The numbers.
        names: The width of the row names, in points.
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
    """Label each bar with its date if the labels fit, otherwise label the axis with dates."""
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
    return {"edgecolor": ink(ax), "linewidth": _OUTLINE_WIDTH}


def _readable_on(rgba: Any) -> str:
    """Return black or white, whichever contrasts more with a background colour."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgba]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    # At this luminance, black and white have equal contrast.
    return "black" if luminance > 0.179 else "white"
