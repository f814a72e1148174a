"""The buttons that write sources, findings and differences as CSV or Excel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import ipywidgets as ui
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.excelfile.io import to_excel
from reinfer_nb.text import counted
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.download_link import Saved, new_file
from reinfer_nb.widgets.forms.base_form import WRAP

SHOWN, SELECTED = "shown", "selected"


class ExportBar(ui.HBox):
    """Exports the shown or the selected sources.

    Args:
        frame: Returns the shown or the selected sources.
        start: Starts a job: the text of its progress, its work, and what is called with its result.
        written: Called with a message and the file that was written.

    Attributes:
        rows: The choice of the sources: "shown" or "selected".
        csv: The button that writes a CSV file.
        excel: The button that writes an Excel file.
    """

    def __init__(
        self,
        frame: Callable[[str], pd.DataFrame],
        start: Callable[..., object],
        written: Callable[[str, Path], object],
    ) -> None:
        self._frame, self._start, self._written = frame, start, written
        self.rows = ui.Dropdown(
            description="Export",
            options=[("shown sources", SHOWN), ("selected sources", SELECTED)],
            layout=ui.Layout(width="17em", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.csv = button_for("Export CSV", lambda: self._on_export("CSV", "csv", to_csv))
        self.excel = button_for("Export Excel", lambda: self._on_export("Excel", "xlsx", to_excel))
        super().__init__([self.rows, self.csv, self.excel])

    def __repr__(self) -> str:
        return "Export of sources"

    def refresh(self, *, busy: bool) -> None:
        """Disable the buttons while a job is running, or if there is nothing to export."""
        nothing = self.rows.value == SELECTED and not len(self._frame(SELECTED))
        self.csv.disabled = self.excel.disabled = busy or nothing

    def _on_export(self, name: str, ending: str, write: Callable[..., Path]) -> None:
        frame = self._frame(self.rows.value)

        def work(_: Any) -> Path:
            return write(frame, new_file("sources", ending))

        def done(file: Path) -> None:
            self._written(f"{counted(len(frame), 'source')} written to {file}", file)

        self._start(f"Writing the {name} file", work, done)


class Report(Protocol):
    """A report that writes itself to a file, such as an audit or a comparison."""

    def to_csv(self, path: Path) -> Path:
        """Write a CSV file."""

    def to_excel(self, path: Path) -> Path:
        """Write an Excel file."""


class ReportExport(ui.VBox):
    """Exports a report, and shows a link to the file.

    Args:
        noun: What the report has, such as "findings": in labels and as the beginning of file names.
        report: Returns the report to write; None if there is none.
        start: As for `ExportBar`.

    Attributes:
        csv: The button that writes a CSV file.
        excel: The button that writes an Excel file.
    """

    def __init__(
        self, noun: str, report: Callable[[], Report | None], start: Callable[..., object]
    ) -> None:
        self._noun, self._report, self._start = noun, report, start
        self.csv = button_for(f"{noun.title()} as CSV", lambda: self._on_export("CSV", "csv"))
        self.excel = button_for(
            f"{noun.title()} as Excel", lambda: self._on_export("Excel", "xlsx")
        )
        self._files = ui.VBox()
        super().__init__([ui.HBox([self.csv, self.excel], layout=WRAP), self._files])

    def __repr__(self) -> str:
        return f"Export of {self._noun}"

    def forget(self) -> None:
        """Remove the link, which belongs to an older report."""
        with dropping(self._files):
            self._files.children = []

    def refresh(self, *, enabled: bool) -> None:
        """Enable the buttons, or disable them as while a job is running or without a report."""
        self.csv.disabled = self.excel.disabled = not enabled

    def _on_export(self, name: str, ending: str) -> None:
        report = self._report()
        if report is None:
            return

        def work(_: Any) -> Path:
            file = new_file(self._noun, ending)
            return report.to_excel(file) if ending == "xlsx" else report.to_csv(file)

        def done(file: Path) -> None:
            message = markup.status(f"{self._noun.title()} written to {file}")
            self._files.children = [ui.HTML(message), Saved(file)]

        self.forget()
        self._start(f"Writing the {name} file", work, done)
