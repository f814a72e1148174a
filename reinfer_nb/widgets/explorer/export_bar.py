"""The choice of what to export, and the buttons that write it as CSV or Excel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as ui
import pandas as pd

from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.excelfile.io import to_excel
from reinfer_nb.text import counted
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.download_link import new_file

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
