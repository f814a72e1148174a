"""The compare tab: compares the listing with a file or a snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import ipywidgets as ui
import numpy as np
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.constants import LISTING_PLACES
from reinfer_nb.diff.comparison import Comparison, compare
from reinfer_nb.snapshots import listing_source
from reinfer_nb.text import visible
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.export_bar import ReportExport
from reinfer_nb.widgets.explorer.row_filter import RestrictingChoice
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job
from reinfer_nb.widgets.table.source_table import Finder

_ENDINGS = (".csv", ".xlsx")
_MOST_FILES = 20
_KINDS = ("added", "changed", "renamed")


class ComparePane(ui.VBox):
    """The changes since a stored listing.

    Args:
        finder: The table, which can be narrowed to the differences.
        listing: Returns the listing that the table shows.

    Attributes:
        place: The input for the path of the other listing.
        comparison: The last comparison; None before the first.
        export: The buttons that write the differences to a file.
    """

    def __init__(self, finder: Finder, listing: Callable[[], pd.DataFrame]) -> None:
        self._listing = listing
        self.comparison: Comparison | None = None
        self._compared: pd.DataFrame | None = None
        self._said = JobLine(self._refresh)
        self.jobs = self._said.jobs
        self.place = ui.Combobox(
            description="With",
            options=_files(),
            placeholder="sources.csv or audits/@2026-03-01",
            continuous_update=False,
            layout=ui.Layout(width="28em", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.button = button_for("Compare", self._on_compare, "primary")
        self.kind = RestrictingChoice("Differences", finder, self._rows)
        self.export = ReportExport("differences", lambda: self.comparison, self._said.run)
        self._title, self._result = ui.HTML(), ui.HTML()
        # Shown with a comparison.
        bar = ui.HBox([self.kind, self.export], layout=WRAP)
        self._found = ui.VBox(
            [self._title, bar, self._result], layout=ui.Layout(min_width="0", display="none")
        )
        self._help = ui.HTML(markup.muted(f"The listing is compared with {LISTING_PLACES}."))
        super().__init__(
            [
                ui.HBox([self.place, self.button], layout=WRAP),
                self._help,
                self._said,
                self._found,
            ],
            layout=ui.Layout(min_width="0"),
        )

    def __repr__(self) -> str:
        return "Comparison of the sources"

    def forget(self) -> None:
        """Release the listing and the comparison."""
        self.comparison = self._compared = None

    def refresh(self) -> None:
        """Offer the files by now, and show a message if the comparison is of an older listing."""
        self.place.options = _files()
        if self.comparison is not None and self._compared is not self._listing():
            self._said.say("The listing has changed. Compare again.")
            self.kind.offer([])

    def _refresh(self) -> None:
        self.button.disabled = self.jobs.running
        self.export.refresh(enabled=self.comparison is not None and not self.jobs.running)

    def _on_compare(self) -> None:
        place, listing = self.place.value.strip(), self._listing()
        if not place:
            self._said.say(markup.error("Type where the other listing is."))
            return

        def work(_: Job) -> Comparison:
            return compare(listing_source.listing_at(place), listing)

        def done(comparison: Comparison) -> None:
            self.comparison, self._compared = comparison, listing
            self._title.value = markup.status(f"Compared with {visible(place)}.")
            self._result.value = comparison.to_html()
            counts = {kind: len(self._rows(kind)[0]) for kind in _KINDS}
            self.kind.offer([(f"{k} ({n:,})", k) for k, n in counts.items() if n])
            self._found.layout.display = None

        if self._said.run("Comparing", work, done):
            # The last comparison was with another listing.
            self.comparison = self._compared = None
            self._result.value = ""
            self.kind.offer([])
            self.export.forget()
            self._found.layout.display = "none"

    def _rows(self, kind: str) -> tuple[list[int], str]:
        if self.comparison is None:
            return [], ""
        ids = getattr(self.comparison, kind)["id"]
        return np.flatnonzero(self._listing()["id"].isin(ids)).tolist(), f"that were {kind}"


def _files() -> list[str]:
    """Return the names of the newest listings in the folder of the notebook."""
    with contextlib.suppress(OSError):
        files = [path for path in Path().iterdir() if path.suffix in _ENDINGS and path.is_file()]
        files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [path.name for path in files[:_MOST_FILES]]
    return []
