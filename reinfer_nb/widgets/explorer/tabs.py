"""The tabs beneath the table of the explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets as ui

from reinfer_nb.widgets.explorer.audit_tab import AuditPane
from reinfer_nb.widgets.explorer.bulk_edit_tab import BulkPane
from reinfer_nb.widgets.explorer.chart_tab import ChartPane
from reinfer_nb.widgets.explorer.compare_tab import ComparePane
from reinfer_nb.widgets.explorer.source_details import Details
from reinfer_nb.widgets.explorer.surroundings import Surroundings

_SOURCE, _AUDIT, _COMPARE, _CHARTS, _BULK = "Source", "Audit", "Compare", "Charts", "Bulk edit"
_Pane = TypeVar("_Pane", bound=ui.Widget)


class Tabs(ui.Tab):
    """The current source, and the tabs for many sources.

    Only the first tab has its pane at the beginning; the others are made when they are first
    opened, so that less is sent to the browser.

    Args:
        details: The pane of the current source.
        around: What the explorer gives the others. Without a tenant there is no bulk edit.
    """

    def __init__(self, details: Details, around: Surroundings) -> None:
        self._around = around
        titles = [_AUDIT, _COMPARE, _CHARTS, *([] if around.client is None else [_BULK])]
        self._places = {title: ui.VBox(layout=_narrow()) for title in titles}
        self._made: dict[str, Any] = {}
        super().__init__(
            children=[details, *self._places.values()], titles=[_SOURCE, *titles], layout=_narrow()
        )
        self.observe(lambda _: self.refresh(), "selected_index")

    @property
    def audit(self) -> AuditPane:
        """The tab with findings."""
        return self._pane(_AUDIT, lambda: AuditPane(self._around))

    @property
    def compare(self) -> ComparePane:
        """The tab that compares with a file or a snapshot."""
        around = self._around
        return self._pane(_COMPARE, lambda: ComparePane(around.finder, around.listing))

    @property
    def charts(self) -> ChartPane:
        """The tab with charts of the filtered sources."""
        return self._pane(_CHARTS, lambda: ChartPane(lambda: self._around.finder.frame))

    @property
    def bulk(self) -> BulkPane:
        """The tab that changes all selected sources.

        Raises:
            AttributeError: The listing can only be read.
        """
        client = self._around.client
        if client is None:
            raise AttributeError("This listing can only be read: it has no bulk edit.")
        return self._pane(_BULK, lambda: BulkPane(client, self._around))

    def _pane(self, title: str, make: Callable[[], _Pane]) -> _Pane:
        """Return the pane of a tab; the first call makes it."""
        if title not in self._made:
            self._made[title] = make()
            self._places[title].children = [self._made[title]]
        pane: _Pane = self._made[title]
        return pane

    def refresh(self) -> None:
        """Update the open tab; the others are updated when they are opened."""
        opened = self.titles[self.selected_index or 0]
        # A rule narrows the table in each tab.
        if opened == _AUDIT or (_AUDIT in self._made and self.audit.rule.value):
            self.audit.refresh()
        if opened == _AUDIT:
            self.audit.show()
        elif opened == _COMPARE:
            self.compare.refresh()
        elif opened == _CHARTS:
            self.charts.refresh()
        elif opened == _BULK:
            self.bulk.follow()

    def forget(self) -> None:
        """Release the listing, and cancel what is pending."""
        for pane in self._made.values():
            if isinstance(pane, AuditPane | ComparePane | ChartPane):
                pane.forget()


def _narrow() -> ui.Layout:
    """Return a layout that may be narrower than its content."""
    return ui.Layout(min_width="0")
