"""Create and label axes: title, legend, and row and column names that fit."""

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

# Points beside row names, and points of a legend besides its texts.
_NAME_PADDING, _HANDLE_WIDTH = 14, 42
_LINE_SPACING = 1.45  # distance of two rows of text, in font sizes
# Points of the width and height that the title, the axis labels and the ticks take.
_LABEL_WIDTH, _LABEL_HEIGHT = 30, 66
# The layout can enlarge axes by up to this factor.
_GROWTH = 1.29
_MIN_WIDTH, _NAMES_WIDTH = 8, 240  # of a new figure: inches, and points for the names of rows
_MAX_VERTICAL = 130  # maximum length of a vertical name, in points
# Names with dollar signs or backslashes are not formulas.
_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def check_installed() -> None:
    """Check that charts can be drawn.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401, ICN001 - an import test
    except ImportError:
        raise ConfigurationError(
            "Charts need matplotlib, which is not installed: pip install 'reinfer_nb[lab]'"
        ) from None


def axes_for(ax: Axes | None, rows: float = 0, columns: int = 0, letters: int = 0) -> Axes:
    """Return `ax`, or the axes of a new figure that is large enough.

    Args:
        ax: Axes, or None.
        rows: The number of rows of text.
        columns: The number of columns of text.
        letters: The number of letters per column.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidInput: `ax` is neither axes nor None.
    """
    check_installed()
    from matplotlib import rcParams
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise InvalidInput(f"ax= must be the Axes of a matplotlib figure, not {shown(ax)}.")
    import matplotlib.pyplot as plt

    width, height = rcParams["figure.figsize"]
    text_width = columns * column_width(letters) + _NAMES_WIDTH + _LABEL_WIDTH
    text_height = (rows + 1) * _row_height() + _LABEL_HEIGHT
    size = (max(width, _MIN_WIDTH, text_width / 72), max(height, text_height / 72))
    return plt.figure(figsize=size, layout="constrained").subplots()


def figure_of(ax: Axes) -> Figure:
    """Return the top-level figure that contains the axes."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InvalidInput("ax= was removed from its figure.")
    return figure


def room(ax: Axes) -> tuple[float, float]:
    """Return the width and height for axes, row names and legend, in points."""
    figure = figure_of(ax)
    box = ax.get_window_extent()
    width, height = box.width * 72 / figure.dpi, box.height * 72 / figure.dpi
    if is_fixed(ax):
        return width, height
    spec = ax.get_subplotspec()
    whole = ax.figure.bbox
    width_share = height_share = 1.0
    if spec is not None:
        rows, columns = spec.get_gridspec().get_geometry()
        height_share, width_share = len(spec.rowspan) / rows, len(spec.colspan) / columns
    width = min(width * _GROWTH, whole.width * width_share * 72 / figure.dpi) - _LABEL_WIDTH
    height = min(height * _GROWTH, whole.height * height_share * 72 / figure.dpi) - _LABEL_HEIGHT
    return max(width, 30), max(height, 30)


def space(ax: Axes, taken: float) -> float:
    """Return the width that is left for the drawing, in points.

    Args:
        ax: The axes.
        taken: The width of row names and legend, in points.
    """
    width = room(ax)[0] - taken
    spec = ax.get_subplotspec()
    if spec is not None and spec.get_gridspec().nrows > 1 and not is_fixed(ax):
        width *= 0.55  # names and legends of axes above and below narrow these axes, too
    return max(width, 30)


def is_fixed(ax: Axes) -> bool:
    """True if axes keep their position, since the figure has no layout engine."""
    return figure_of(ax).get_layout_engine() is None


def rows_in(ax: Axes, taken: float = 0) -> int:
    """Return how many rows of text fit, at least two.

    Args:
        ax: The axes.
        taken: Height used otherwise, in points.
    """
    return max(2, int((room(ax)[1] - taken) / _row_height()))


def names_in_legend(ax: Axes) -> int:
    """Return how many names fit into a legend below its title, at least two."""
    return max(2, int((room(ax)[1] - 16) / (texts.size_of("legend.fontsize") * 1.6)) - 1)


def columns_in(ax: Axes, letters: int, taken: float) -> int:
    """Return how many columns of text fit, at least two.

    Args:
        ax: The axes.
        letters: The number of letters per column.
        taken: Width used otherwise, in points.
    """
    return max(2, int(space(ax, taken) / column_width(letters)))


def column_width(letters: int) -> float:
    """Return the width of a column with so many letters, in points."""
    size = texts.size_of("xtick.labelsize")
    return max(2.4 * size, letters * 0.6 * size + 6)


def ink(ax: Axes) -> Any:
    """Return the style's colour of texts around axes, which contrasts with the background."""
    return ax.xaxis.label.get_color()


def head(ax: Axes, title: str, x: str, y: str) -> None:
    """Set the title and the axis labels."""
    width, height = room(ax)
    ax.set_axisbelow(True)
    for label, text, space in (
        (ax.set_title(""), title, width * 0.9),
        (ax.xaxis.label, x, width * 0.9),
        (ax.yaxis.label, y, height),
    ):
        label.set(text=texts.wrapped(text, space, label.get_fontproperties()), **_PLAIN)


def nothing(ax: Axes, text: str) -> None:
    """Write into empty axes why they are empty."""
    label = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center", color=ink(ax))
    wrapped = texts.wrapped(text, room(ax)[0] * 0.85, label.get_fontproperties())
    label.set(text=wrapped, **_PLAIN)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.minorticks_off()


def name_rows(ax: Axes, names: Sequence[str], share: float, below: float = 0) -> float:
    """Name rows, the first at the top: beside the axes, or inside if they would be cut off.

    Args:
        ax: The axes; row 0 is at y = 0, row 1 at y = 1.
        names: The names of the rows.
        share: The share of the width that the names may take.
        below: Height to keep free below the rows, in points.

    Returns:
        The width that the names take, beside the axes or inside them, in points.
    """
    width, height = room(ax)
    fitted, prop, widest = texts.fitted(names, width * share, "ytick.labelsize")
    ax.set_yticks(range(len(names)), labels=fitted, fontproperties=prop, **_PLAIN)
    ax.yaxis.minorticks_off()
    if names_inside(ax, widest):
        ax.tick_params(axis="y", length=0, pad=-widest - _NAME_PADDING / 2)
    last = len(names) - 0.4
    ax.set_ylim((last + 0.6) / (1 - min(below / height, 0.7)) - 0.6, -0.6)
    return widest + _NAME_PADDING


def names_inside(ax: Axes, width: float) -> bool:
    """True if row names of a width in points would be cut off beside axes."""
    label = texts.size_of("axes.labelsize") * 1.6
    return is_fixed(ax) and width + _NAME_PADDING + label > _free(ax, 0)


def name_columns(ax: Axes, names: Sequence[str], taken: float) -> None:
    """Name columns: horizontally if the names are short, otherwise vertically.

    Args:
        ax: The axes.
        names: The names of the columns.
        taken: Width used otherwise, in points.
    """
    width = space(ax, taken) / len(names) - 6
    height = min(_MAX_VERTICAL, room(ax)[1] * 0.4)
    if is_fixed(ax):
        label = texts.size_of("axes.labelsize") * 1.6
        height = max(_free(ax, 1) - _NAME_PADDING - label, 0)
    _, _, longest = texts.fitted(names, _MAX_VERTICAL, "xtick.labelsize")
    vertical = longest > width and height > width
    fitted, prop, _ = texts.fitted(names, height if vertical else width, "xtick.labelsize")
    ax.set_xticks(range(len(names)), labels=fitted, fontproperties=prop, **_PLAIN)
    ax.tick_params(axis="x", labelrotation=90 if vertical else 0)
    ax.xaxis.minorticks_off()


def count_on(ax: Axes, along: str, largest: int, taken: float = 0) -> None:
    """Label an axis with whole numbers with separators, as many as fit.

    Args:
        ax: The axes.
        along: The axis, "x" or "y".
        largest: The largest number.
        taken: Width used otherwise, in points.
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
    """Label the x axis with short dates; the year or month that they share is at its right end.

    Args:
        ax: The axes.
        taken: Width used otherwise, in points.
    """
    from datetime import UTC

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    fitting = int(space(ax, taken) / (texts.size_of("xtick.labelsize") * 4))
    ticks = max(2, min(fitting, 8))
    locator = AutoDateLocator(tz=UTC, minticks=2, maxticks=ticks)  # type: ignore[no-untyped-call]
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlabel(ax.get_xlabel(), loc="left")  # the right end shows the year or month


def legend(
    ax: Axes, handles: Sequence[Artist], names: Sequence[str], title: str = "", place: str = ""
) -> tuple[float, float]:
    """Add a legend: beside the axes, or inside if the figure has no layout engine.

    Args:
        ax: The axes.
        handles: The artists that show the colours.
        names: The names of the colours.
        title: The title of the legend.
        place: The location inside the axes; by default "upper left".

    Returns:
        The width that the legend takes beside the axes, and the height inside them, in points.
    """
    fixed = is_fixed(ax)
    location: dict[str, Any] = {"loc": place or "upper left"}
    if not fixed:
        location = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
    space = room(ax)[0] * (0.8 if fixed else 0.42) - _HANDLE_WIDTH
    fitted, prop, widest = texts.fitted([title, *names], space, "legend.fontsize")
    # The texts are set below: matplotlib would leave out labels that begin with an underscore.
    box = ax.legend(
        handles,
        [str(number) for number in range(len(names))],
        title=title or None,
        prop=prop,
        title_fontproperties=prop,
        labelcolor=ink(ax),
        alignment="left",
        **location,
    )
    for label, text in zip([box.get_title(), *box.get_texts()], fitted, strict=True):
        label.set(text=text, color=ink(ax), **_PLAIN)
    lines = len(names) + bool(title)
    height = lines * prop.get_size_in_points() * 1.6 + 16
    return (0, height) if fixed else (widest + _HANDLE_WIDTH, 0)


def _row_height() -> float:
    return texts.size_of("ytick.labelsize") * _LINE_SPACING


def _free(ax: Axes, side: int) -> float:
    """Return the distance to the nearest axes or the edge: to the left (0) or below (1)."""
    figure = figure_of(ax)
    box = ax.get_window_extent()
    across = 1 - side
    edge = 0.0
    for neighbour in figure.axes:
        other = neighbour.get_window_extent()
        overlaps = other.min[across] < box.max[across] and other.max[across] > box.min[across]
        if neighbour is not ax and overlaps and other.max[side] <= box.min[side]:
            edge = max(edge, other.max[side])
    return float((box.min[side] - edge) * 72 / figure.dpi)
