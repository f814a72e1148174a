"""A short table whose rows can be opened and ticked.

All data goes as messages and never as widget state, so that a notebook saved with its widgets
contains no data of the tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget

from reinfer_nb.text import visible

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent
_SCRIPTS = ("elements.js", "row_list.js")
_LONGEST_CELL = 300


class RowList(anywidget.AnyWidget):
    """A table of texts; the first cell of a row is a button that opens it.

    Args:
        label: What the rows are, for screen readers.
        heads: The headings.
        opened: Called with the number of the row that was opened.
        ticked: Called after rows were ticked or unticked; None if no row can be ticked.
    """

    _esm = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    _css = (_HERE / "row_list.css").read_text(encoding="utf-8")

    def __init__(
        self,
        label: str,
        heads: Sequence[str],
        opened: Callable[[int], object],
        ticked: Callable[[], object] | None = None,
    ) -> None:
        self._label, self._heads, self._opened, self._on_tick = label, list(heads), opened, ticked
        self._rows: list[list[str]] = []
        self._tickable: list[bool] = []
        self._more = ""
        self.ticked: set[int] = set()
        super().__init__()
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "List of rows"

    def show(
        self, rows: Sequence[Sequence[str]], tickable: Sequence[bool] = (), more: str = ""
    ) -> None:
        """Show other rows, none of them ticked.

        Args:
            rows: The texts of the cells.
            tickable: For each row whether it can be ticked.
            more: A text beneath the table.
        """
        self._rows = [[visible(text, _LONGEST_CELL) for text in row] for row in rows]
        self._tickable, self._more = list(tickable), more
        self.ticked = set()
        self._tell()

    def _tell(self) -> None:
        self.send(
            {
                "kind": "rows",
                "label": self._label,
                "heads": self._heads,
                "rows": self._rows,
                "tickable": self._tickable if self._on_tick else [],
                "ticked": sorted(self.ticked),
                "more": self._more,
            }
        )

    def _on_message(self, _: object, content: object, __: object) -> None:
        """Handle a message of the browser; ignore a malformed one."""
        match content:
            case {"kind": "ask"}:
                self._tell()
            case {"kind": "open", "row": int(row)} if 0 <= row < len(self._rows):
                self._opened(row)
            case {"kind": "tick", "rows": list(rows), "ticked": bool(ticked)}:
                numbers = {row for row in rows if type(row) is int and self._can_tick(row)}
                self.ticked = self.ticked | numbers if ticked else self.ticked - numbers
                if self._on_tick is not None:
                    self._on_tick()

    def _can_tick(self, row: int) -> bool:
        return 0 <= row < len(self._tickable) and self._tickable[row]
