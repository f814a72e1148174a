"""Create and label axes: title, legend, and row and column names that fit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from reinfer_nb.charts import labels as texts
from reinfer_nb.errors import ConfigurationError, InvalidInput
from reinfer_nb.text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points beside row names, and points of a legend besides its texts.
_NAME_PADDING, _HANDLE_WIDTH = 14, 42
# Points of the width and height that the title, the axis labels and the ticks take.
_LABEL_WIDTH, _LABEL_HEIGHT = 30, 66
_MIN_WIDTH, _NAMES_WIDTH = 8, 240  # of a new figure: inches, and points for the names of rows
_MAX_VERTICAL = 130  # maximum length of a vertical name, in points


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


def column_width(largest: int) -> float:
    """Return the width of a column of numbers or vertical names, in points."""
    check_installed()
    size = texts.size_of("xtick.labelsize")
    return max(2.4 * size, texts.width_of(f"{largest:,}", size) + 6)


class Chart:
    """Axes to draw a chart on, and the room on them.

    Args:
        ax: Axes, or None for those of a new figure that is large enough.
        rows: The number of rows of text.
        columns: The width of the columns of text, in points.

    Attributes:
        ax: The axes.
        width: The width for row names, the drawing and the legend, in points.
        height: The height for the drawing, in points.
        inside: The share of the height that a legend inside the axes takes.
        ink: The style's colour of texts around axes, which contrasts with the background.
        others: The colour of "others": a grey that is faint on any background.
        outlined: The settings of outlines, which keep colours visible on a similar background.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidInput: `ax` is neither axes nor None, or its figure is missing.
    """

    def __init__(self, ax: Axes | None, rows: int = 0, columns: float = 0) -> None:
        check_installed()
        from matplotlib.axes import Axes
        from matplotlib.colors import to_rgba

        if ax is not None and not isinstance(ax, Axes):
            raise InvalidInput(f"ax= must be the Axes of a matplotlib figure, not {shown(ax)}.")
        self._row_height = texts.size_of("ytick.labelsize") * 1.45
        self.ax = self._new_axes(rows, columns) if ax is None else ax
        root = self.ax.get_figure(root=True)
        if root is None:
            raise InvalidInput("ax= was removed from its figure.")
        grid: Any = self.ax.get_gridspec()
        if hasattr(grid, "shrunk_from"):  # another chart was drawn on the axes
            self.ax.set_subplotspec(grid.shrunk_from)
        self._figure: Any = self.ax.figure
        self._fixed = root.get_layout_engine() is None
        self._box, self._cell = self._areas()
        width, height = np.multiply(self._figure.bbox.size, 72 / root.dpi).tolist()
        self._box_width = self._box.width * width
        right = min(self._box.x1, self._cell.x1) if self._fixed else self._cell.x1
        self.width: float = max((right - self._cell.x0) * width - _LABEL_WIDTH, 30.0)
        self.height: float = max(self._cell.height * height - _LABEL_HEIGHT, 30.0)
        if self._fixed:  # the title is above the box, the axis label below it
            low = max(self._box.y0 * height, self._cell.y0 * height + 40)
            self.height = max(min(self.height, self._box.y1 * height - low), 30.0)
        self._taken = self.inside = self._rows = 0.0
        self.ink = self.ax.xaxis.label.get_color()
        self.others = to_rgba(self.ink, 0.1)
        self.outlined: dict[str, Any] = {"edgecolor": self.ink, "linewidth": 0.6}

    @property
    def space(self) -> float:
        """The width for the drawing, without row names and legend, in points."""
        spec = self.ax.get_subplotspec()
        several = spec is not None and spec.get_gridspec().nrows > 1 and not self._fixed
        # In a column of axes, the widest names and legend narrow all drawings.
        return max((self.width - self._taken) * (0.55 if several else 1), 30.0)

    @property
    def max_rows(self) -> int:
        """How many rows of text fit, at least two."""
        return max(2, int(self.height * (1 - self.inside) / self._row_height))

    @property
    def max_colors(self) -> int:
        """How many names fit into a legend below its title, at least two."""
        return max(2, int((self.height - 16) / (texts.size_of("legend.fontsize") * 1.6)) - 1)

    def head(self, title: str, x: str, y: str) -> None:
        """Set the title and the axis labels."""
        title = texts.wrapped(title, self.width * 0.7, "axes.titlesize")
        self.ax.set(title=title, xlabel=x, ylabel=y, axisbelow=True)

    def empty(self, reason: str) -> Axes:
        """Write into empty axes why they are empty, and return them."""
        text = texts.wrapped(reason, self.width * 0.7, "font.size")
        place: Any = {"transform": self.ax.transAxes, "ha": "center", "va": "center"}
        self.ax.text(0.5, 0.5, text, color=self.ink, **place)
        self.ax.set(xticks=[], yticks=[])
        self.ax.minorticks_off()
        return self.finished()

    def name_rows(self, names: Sequence[str], share: float) -> None:
        """Name rows in a share of the width, the first row at the top and at y = 0."""
        fitted, size, widest = texts.fitted(names, self.width * share, "ytick.labelsize")
        self.ax.set_yticks(range(len(names)), labels=fitted, fontsize=size, **texts.PLAIN)
        self.ax.yaxis.minorticks_off()
        self.ax.set_ylim((len(names) + 0.2) / (1 - self.inside) - 0.6, -0.6)
        self._taken += widest + _NAME_PADDING
        self._rows = len(names) * self._row_height / (1 - self.inside)

    def name_columns(self, names: Sequence[str]) -> None:
        """Name columns: horizontally if all names are short, otherwise vertically."""
        longest = min(_MAX_VERTICAL, self.height * 0.4)
        fitted, size, widest = texts.fitted(names, longest, "xtick.labelsize")
        style: Any = {"fontsize": size, "rotation": 90 * (widest > self.space / len(names) - 6)}
        self.ax.set_xticks(range(len(names)), labels=fitted, **style, **texts.PLAIN)
        self.ax.xaxis.minorticks_off()

    def count_on(self, axis: str, largest: int) -> None:
        """Label the axis "x" or "y" with whole numbers with separators, as many as fit."""
        from matplotlib.ticker import MaxNLocator

        width = len(f"{largest:,}") * texts.size_of("xtick.labelsize")
        number: Any = "auto" if axis == "y" else max(1, min(int(self.space / width), 6))
        numbered = self.ax.yaxis if axis == "y" else self.ax.xaxis
        numbered.set_major_locator(MaxNLocator(number, steps=[1, 2, 2.5, 5, 10], integer=True))
        numbered.set_major_formatter(lambda value, _: f"{abs(round(value)):,}")

    def date_on_x(self) -> None:
        """Label the x axis with short dates; the year or month they share is at its right end."""
        from matplotlib import dates

        number = max(2, min(int(self.space / (texts.size_of("xtick.labelsize") * 4)), 8))
        locator = dates.AutoDateLocator(tz=UTC, minticks=2, maxticks=number)  # type: ignore[no-untyped-call]
        self.ax.xaxis.set_major_locator(locator)
        self.ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
        self.ax.set_xlabel(self.ax.get_xlabel(), loc="left")

    def legend(
        self, colors: Sequence[Any], names: Sequence[str], title: str = "", place: str = ""
    ) -> None:
        """Add a legend beside the axes, or inside at a place if there is no layout engine."""
        from matplotlib.patches import Patch

        space = self.width * 0.42
        style: Any = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
        if self._fixed:
            space = min(self.width, self._box_width) * (0.65 if place else 0.8)
            style = {"loc": place or "upper left"}
        space -= _HANDLE_WIDTH
        fitted, size, widest = texts.fitted([title, *names], space, "legend.fontsize")
        if self._fixed:
            self.inside = min(0.7, (len(fitted) * size * 1.6 + 16) / self.height)
        else:
            self._taken += widest + _HANDLE_WIDTH
        style |= {"fontsize": size, "title_fontsize": size, "alignment": "left"}
        patches = [Patch(facecolor=color, **self.outlined) for color in colors]
        box = self.ax.legend(patches, fitted[1:], title=fitted[0] or None, **style)
        for text in (box.get_title(), *box.get_texts()):
            text.set(color=self.ink, **texts.PLAIN)

    def finished(self) -> Axes:
        """Return the axes; without a layout engine, shrink them to keep texts in the figure."""
        if self._fixed:
            box, cell = self._box, self._cell.padded(-0.01)
            outer: Any = self.ax.get_tightbbox(for_layout_only=True)
            outer = outer.transformed(self._figure.transSubfigure.inverted())
            low = np.maximum(box.min, cell.min + np.subtract(box.min, outer.min))
            high = np.minimum(box.max, cell.max + np.subtract(box.max, outer.max))
            pixels = self._figure.bbox.height * (high[1] - low[1])
            if pixels * 72 / self._figure.dpi < self._rows:
                # The rows would overlap; without more space between the axes, their texts may.
                low[1], high[1] = box.y0, box.y1
            self._shrink(low, np.maximum(high, low + 0.05))
        return self.ax

    def _shrink(self, low: Any, high: Any) -> None:
        """Move the lower left and the upper right corner of the axes."""
        spec = self.ax.get_subplotspec()
        if spec is None:
            self.ax.set_position((*low, *(high - low)))
            self.ax.set_in_layout(True)  # set_position excludes axes from tight bounding boxes
        else:  # within their place in the grid, so that tight_layout() can be called later
            (left, bottom), (right, top) = low - self._box.min, self._box.max - high
            ratios = {
                "width_ratios": (left, high[0] - low[0], right),
                "height_ratios": (top, high[1] - low[1], bottom),
            }
            grid: Any = spec.subgridspec(3, 3, wspace=0, hspace=0, **ratios)
            grid.shrunk_from = spec
            self.ax.set_subplotspec(grid[1, 1])

    def _new_axes(self, rows: int, columns: float) -> Axes:
        import matplotlib.pyplot as plt

        width, height = plt.rcParams["figure.figsize"]
        width = max(width, _MIN_WIDTH, (columns + _NAMES_WIDTH + _LABEL_WIDTH) / 72)
        height = max(height, ((rows + 1) * self._row_height + _LABEL_HEIGHT) / 72)
        return plt.figure(figsize=(width, height), layout="constrained").subplots()

    def _areas(self) -> tuple[Any, Any]:
        """Return the box of the axes, and the part of the figure for them and their texts."""
        from matplotlib.transforms import Bbox

        box, spec = self.ax.get_position(), self.ax.get_subplotspec()
        if spec is None:
            return box, box if len(self._figure.axes) > 1 else Bbox.unit()
        bottoms, tops, lefts, rights = spec.get_gridspec().get_grid_positions(self._figure)
        x = np.append(0, np.cumsum(rights - lefts)) / np.sum(rights - lefts)
        y = 1 - np.append(0, np.cumsum(tops - bottoms)) / np.sum(tops - bottoms)
        if spec.get_topmost_subplotspec() is not spec:  # a grid in a grid
            x = lefts[0] + x * (rights[-1] - lefts[0])
            y = bottoms[-1] + y * (tops[0] - bottoms[-1])
        rows, columns = spec.rowspan, spec.colspan
        return box, Bbox([[x[columns.start], y[rows.stop]], [x[columns.stop], y[rows.start]]])
