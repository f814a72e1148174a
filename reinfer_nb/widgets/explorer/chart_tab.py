"""The charts tab: charts of the sources that the table shows."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable
from typing import Any

import ipywidgets as ui
import pandas as pd

from reinfer_nb import charts, markup
from reinfer_nb.audits.report import audit
from reinfer_nb.charts.axes import check_installed
from reinfer_nb.errors import ReinferError
from reinfer_nb.text import counted
from reinfer_nb.widgets.job_line import words_of
from reinfer_nb.widgets.jobs import running_loop

# Placeholder that is replaced by the text colour of the page, which matplotlib cannot know.
_INK = "#010203"
_PAUSE = 0.3  # seconds
_INCHES = (9.0, 4.6)
# Parts to remove: comments, metadata, and the style sheet, which would apply to the whole page.
_DROPPED = re.compile(r"<!--.*?-->|<(metadata|style).*?</\1>", re.DOTALL)
# Replaces the style sheet; also shrinks the chart on a narrow page.
_STYLE = "max-width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt"
_KINDS: dict[str, Callable[[pd.DataFrame, Any], object]] = {
    "Created over time": lambda df, ax: charts.timeline(df, ax=ax),
    "Age of the last update": lambda df, ax: charts.freshness(df, ax=ax),
    "Projects by kind": lambda df, ax: charts.projects(df, "kind", ax=ax),
    "Projects by language": lambda df, ax: charts.projects(df, "language", ax=ax),
    "Findings by project": lambda df, ax: charts.findings(audit(df), ax=ax),
}


class ChartPane(ui.VBox):
    """A chart of the sources that the table shows.

    Args:
        frame: Returns these sources.

    Attributes:
        kind: The choice of the chart.
    """

    def __init__(self, frame: Callable[[], pd.DataFrame]) -> None:
        self._frame = frame
        self._waiting: asyncio.TimerHandle | None = None
        self.kind = ui.Dropdown(
            description="Chart",
            options=list(_KINDS),
            layout=ui.Layout(width="28em", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.kind.observe(lambda _: self.draw(), "value")
        self.chart = ui.HTML()
        super().__init__([self.kind, self.chart], layout=ui.Layout(min_width="0"))

    def __repr__(self) -> str:
        return "Chart of the sources"

    def refresh(self) -> None:
        """Redraw the chart after a pause without further changes, so that typing stays fast."""
        loop = running_loop()
        if self._waiting is not None:
            self._waiting.cancel()
        if loop is None:
            self.draw()
        else:
            if not self.chart.value:
                self.chart.value = markup.progress("Drawing")
            self._waiting = loop.call_later(_PAUSE, self.draw)

    def forget(self) -> None:
        """Cancel a pending redraw."""
        if self._waiting is not None:
            self._waiting.cancel()

    def draw(self) -> None:
        """Draw the chosen chart of the sources that are shown."""
        try:
            self.chart.value = drawing(self.kind.value, self._frame())
        except ReinferError as error:
            self.chart.value = markup.error(words_of(error))


def drawing(kind: str, df: pd.DataFrame) -> markup.Markup:
    """Return a chart as SVG that takes its colours from the page around it.

    Args:
        kind: The name of the chart, as in the choice.
        df: The sources.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    check_installed()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    # Text as outlines, so that no text of the tenant is in the markup.
    settings: Any = {
        **dict.fromkeys(inked, _INK),
        **dict.fromkeys(("legend.facecolor", "legend.edgecolor"), "none"),
        "svg.fonttype": "path",
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=_INCHES, layout="constrained", facecolor="none")
        axes = figure.subplots()
        axes.set_facecolor("none")
        _KINDS[kind](df, axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = _DROPPED.sub("", file.getvalue())
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = svg.replace("<svg", f'<svg style="{_STYLE}"', 1)
    label = f"{kind}: chart of {counted(len(df), 'source')}"
    return markup.tag(
        "div",
        markup.Markup(svg),
        role="img",
        aria_label=label,
        style="color:var(--jp-ui-font-color1, currentColor)",
    )
