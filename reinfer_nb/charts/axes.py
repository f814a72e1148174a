"""Axes to draw on, made or given, with a title, a legend and names that fit into their room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reinfer_nb.charts import labels as texts
from reinfer_nb.errors import ConfigurationError, InvalidInput
from reinfer_nb.text import shown

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is beside the names of rows, and in a legend besides its texts, in points.
_AROUND, _HANDLE = 14, 42
_LINE = 1.45  # heights of a font from one row to the next
# What a title, the names of the axes and their ticks take of a figure, in points.
_SIDE, _ENDS = 30, 66
# How much larger the place of axes is than they are before the layout.
_GROWTH = 1.29
_WIDE, _LONGEST = 8, 240  # the inches of a new figure, and the points of names at its side
_UPRIGHT = 130  # points; as long as a name that stands upright may be
# A name with dollars or backslashes in it is no formula.
_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def check_installed() -> None:
    """Do nothing where charts can be drawn.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401, ICN001 - only whether it is there
    except ImportError:
        raise ConfigurationError(
            "matplotlib, which draws the charts, is not installed: pip install 'reinfer_nb[lab]'"
        ) from None


def axes_for(ax: Axes | None, rows: float = 0, columns: int = 0, letters: int = 0) -> Axes:
    """Return the axes that were given, or those of a new figure that is large enough.

    Args:
        ax: Axes, or None.
        rows: How many rows of text there will be, one above the other.
        columns: How many columns side by side.
        letters: How many letters a column holds.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidInput: `ax` is something else.
    """
    check_installed()
    from matplotlib import rcParams
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise InvalidInput(f"ax= is the Axes of a matplotlib figure, not {shown(ax)}.")
    import matplotlib.pyplot as plt

    width, height = rcParams["figure.figsize"]
    size = (
        max(width, _WIDE, (columns * column_width(letters) + _LONGEST + _SIDE) / 72),
        max(height, ((rows + 1) * _row_height() + _ENDS) / 72),
    )
    return plt.figure(figsize=size, layout="constrained").subplots()


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that axes are in."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InvalidInput("ax= is in no figure any more.")
    return figure


def room(ax: Axes) -> tuple[float, float]:
    """Return the width and height that axes have, with names and a legend, in points."""
    figure = figure_of(ax)
    box = ax.get_window_extent()
    width, height = box.width * 72 / figure.dpi, box.height * 72 / figure.dpi
    if is_fixed(ax):
        return width, height
    place = ax.get_subplotspec()
    whole = ax.figure.bbox
    across = down = 1.0
    if place is not None:
        down, across = (1 / number for number in place.get_gridspec().get_geometry())
        down, across = down * len(place.rowspan), across * len(place.colspan)
    width = min(width * _GROWTH, whole.width * across * 72 / figure.dpi) - _SIDE
    height = min(height * _GROWTH, whole.height * down * 72 / figure.dpi) - _ENDS
    return max(width, 30), max(height, 30)


def space(ax: Axes, taken: float) -> float:
    """Return the width that is left for what is drawn, in points.

    Args:
        ax: Where.
        taken: Points of the width that names and a legend take.
    """
    left = room(ax)[0] - taken
    place = ax.get_subplotspec()
    if place is not None and place.get_gridspec().nrows > 1 and not is_fixed(ax):
        left *= 0.55  # names and legends of those above and below make these narrower too
    return max(left, 30)


def is_fixed(ax: Axes) -> bool:
    """Return whether axes stay where they are, since no layout makes room around them."""
    return figure_of(ax).get_layout_engine() is None


def rows_in(ax: Axes, taken: float = 0) -> int:
    """Return how many rows of text fit one above the other, at least two.

    Args:
        ax: Where.
        taken: Points of the height that something else takes.
    """
    return max(2, int((room(ax)[1] - taken) / _row_height()))


def names_in_legend(ax: Axes) -> int:
    """Return how many names, besides a title, a legend of axes has room for, at least two."""
    return max(2, int((room(ax)[1] - 16) / (texts.size_of("legend.fontsize") * 1.6)) - 1)


def columns_in(ax: Axes, letters: int, taken: float) -> int:
    """Return how many columns of so many letters fit side by side, at least two.

    Args:
        ax: Where.
        letters: How many letters a column holds.
        taken: Points of the width that something else takes.
    """
    return max(2, int(space(ax, taken) / column_width(letters)))


def column_width(letters: int) -> float:
    """Return how wide a column is that holds so many letters, in points."""
    size = texts.size_of("xtick.labelsize")
    return max(2.4 * size, letters * 0.6 * size + 6)


def ink(ax: Axes) -> Any:
    """Return the colour of the texts around axes, which the style chose to be seen."""
    return ax.xaxis.label.get_color()


def head(ax: Axes, title: str, x: str, y: str) -> None:
    """Write the title, and what the axes are of."""
    width, height = room(ax)
    ax.set_axisbelow(True)
    for said, text, space in (
        (ax.set_title(""), title, width * 0.9),
        (ax.xaxis.label, x, width * 0.9),
        (ax.yaxis.label, y, height),
    ):
        said.set(text=texts.wrapped(text, space, said.get_fontproperties()), **_PLAIN)


def nothing(ax: Axes, text: str) -> None:
    """Say in empty axes why they are empty."""
    said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center", color=ink(ax))
    wrapped = texts.wrapped(text, room(ax)[0] * 0.85, said.get_fontproperties())
    said.set(text=wrapped, **_PLAIN)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.minorticks_off()


def name_rows(ax: Axes, names: Sequence[str], share: float, below: float = 0) -> float:
    """Name rows, the first at the top: beside the axes, or inside where they would be cut off.

    Args:
        ax: Where; row 0 is at 0, row 1 at 1.
        names: What the rows are called.
        share: How much of the width the names may take.
        below: Points of the height that stay free beneath the rows.

    Returns:
        How much of the width the names take, beside the axes or inside them, in points.
    """
    width, height = room(ax)
    fitted, prop, widest = texts.fitted(names, width * share, "ytick.labelsize")
    ax.set_yticks(range(len(names)), labels=fitted, fontproperties=prop, **_PLAIN)
    ax.yaxis.minorticks_off()
    if names_inside(ax, widest):
        ax.tick_params(axis="y", length=0, pad=-widest - _AROUND / 2)
    last = len(names) - 0.4
    ax.set_ylim((last + 0.6) / (1 - min(below / height, 0.7)) - 0.6, -0.6)
    return widest + _AROUND


def names_inside(ax: Axes, width: float) -> bool:
    """Return whether names so wide, in points, would be cut off beside axes."""
    label = texts.size_of("axes.labelsize") * 1.6
    return is_fixed(ax) and width + _AROUND + label > _free(ax, 0)


def name_columns(ax: Axes, names: Sequence[str], taken: float) -> None:
    """Name columns, level where the names are short, upright where they are not.

    Args:
        ax: Where.
        names: What the columns are called.
        taken: Points of the width that something else takes.
    """
    step = space(ax, taken) / len(names) - 6
    below = min(_UPRIGHT, room(ax)[1] * 0.4)
    if is_fixed(ax):
        label = texts.size_of("axes.labelsize") * 1.6
        below = max(_free(ax, 1) - _AROUND - label, 0)
    _, _, natural = texts.fitted(names, _UPRIGHT, "xtick.labelsize")
    upright = natural > step and below > step
    fitted, prop, _ = texts.fitted(names, below if upright else step, "xtick.labelsize")
    ax.set_xticks(range(len(names)), labels=fitted, fontproperties=prop, **_PLAIN)
    ax.tick_params(axis="x", labelrotation=90 if upright else 0)
    ax.xaxis.minorticks_off()


def count_on(ax: Axes, along: str, largest: int, taken: float = 0) -> None:
    """Let an axis count in whole numbers with separators, as many of them as have room.

    Args:
        ax: Where.
        along: Which axis, "x" or "y".
        largest: The largest number.
        taken: Points of the width that something else takes.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = ax.xaxis if along == "x" else ax.yaxis
    size = texts.size_of(f"{along}tick.labelsize")
    if along == "x":
        fitting = space(ax, taken) / (texts.width_of(f"{largest:,}", texts.font(size)) * 1.8)
    else:
        fitting = room(ax)[1] / (size * 3)
    axis.set_major_locator(MaxNLocator(max(1, min(int(fitting), 6)), integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(round(value)):,}"))


def date_on(ax: Axes, taken: float = 0) -> None:
    """Let the axis to the right show dates, as short as they can be, of the month at its end.

    Args:
        ax: Where.
        taken: Points of the width that something else takes.
    """
    from datetime import UTC

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    fitting = int(space(ax, taken) / (texts.size_of("xtick.labelsize") * 4))
    most = max(2, min(fitting, 8))
    locator = AutoDateLocator(tz=UTC, minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlabel(ax.get_xlabel(), loc="left")  # the month is at the right


def legend(
    ax: Axes, handles: Sequence[Artist], names: Sequence[str], title: str = "", place: str = ""
) -> tuple[float, float]:
    """Name colours: beside the axes, or inside where nothing makes room for it outside.

    Args:
        ax: Where.
        handles: What shows the colours.
        names: What they are called.
        title: What they tell apart.
        place: Where it is inside; by default "upper left".

    Returns:
        How much it takes of the width beside the axes, and of the height inside them, in points.
    """
    fixed = is_fixed(ax)
    where: dict[str, Any] = {"loc": place or "upper left"}
    if not fixed:
        where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
    space = room(ax)[0] * (0.8 if fixed else 0.42) - _HANDLE
    fitted, prop, widest = texts.fitted([title, *names], space, "legend.fontsize")
    # The texts come later: matplotlib has its own idea of a label with an underscore.
    made = ax.legend(
        handles,
        [str(number) for number in range(len(names))],
        title=title or None,
        prop=prop,
        title_fontproperties=prop,
        labelcolor=ink(ax),
        alignment="left",
        **where,
    )
    for written, text in zip([made.get_title(), *made.get_texts()], fitted, strict=True):
        written.set(text=text, color=ink(ax), **_PLAIN)
    lines = len(names) + bool(title)
    inside = lines * prop.get_size_in_points() * 1.6 + 16
    return (0, inside) if fixed else (widest + _HANDLE, 0)


def _row_height() -> float:
    return texts.size_of("ytick.labelsize") * _LINE


def _free(ax: Axes, side: int) -> float:
    """Return how far it is from axes to their neighbour, or the edge: at the left, or below."""
    figure = figure_of(ax)
    box = ax.get_window_extent()
    across = 1 - side
    edge = 0.0
    for neighbour in figure.axes:
        near = neighbour.get_window_extent()
        beside = near.min[across] < box.max[across] and near.max[across] > box.min[across]
        if neighbour is not ax and beside and near.max[side] <= box.min[side]:
            edge = max(edge, near.max[side])
    return float((box.min[side] - edge) * 72 / figure.dpi)
