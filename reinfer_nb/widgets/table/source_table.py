"""A search box, facets and a table for a listing.

The kernel searches, sorts and keeps the selection; the browser (`source_table.js`) gets only the
rows in its window. All data goes as messages and never as widget state, so that a notebook saved
with its widgets contains no data of the tenant.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from reinfer_nb.diff.matching import Positions
from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import provenance
from reinfer_nb.text import counted
from reinfer_nb.widgets.table.table_cells import Layout
from reinfer_nb.widgets.table.table_state import FIRST_ROWS, TableState
from reinfer_nb.widgets.table.views import View, checked, fitted

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent
_SCRIPTS = ("elements.js", "menu.js", "source_table.js")


class Finder(anywidget.AnyWidget):
    """A widget to search a listing, with facets and a table whose rows can be selected.

    >>> finder = Finder(client.sources())
    >>> finder.search = "motor"
    >>> finder
    Finder: 7 of 130 sources

    Args:
        df: A listing as `Client.sources` returns it, with counts of comments or without.
        buckets: The names of buckets by id, which are shown beside the ids.

    Attributes:
        selected: The positions of the selected rows in the listing, in its order; can be observed.
            Rows stay selected while a filter hides them.
        current: The position of the current row, or None; can be observed.
        shown: A number that grows whenever the shown rows, their order or the columns change; can
            be observed.
        edits: A number that grows when the current row is to be edited: after Enter or a double
            click; can be observed.
        height: The height of the table, in pixels.
        listed_at: When the listing was fetched, in seconds since 1970; 0 if not known.
    """

    _esm = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    _css = (_HERE / "source_table.css").read_text(encoding="utf-8")

    height = traitlets.Int(360, min=120).tag(sync=True)
    listed_at = traitlets.Float(0.0).tag(sync=True)
    selected = traitlets.Any((), read_only=True)
    current = traitlets.Int(None, allow_none=True, read_only=True)
    shown = traitlets.Int(0, read_only=True)
    edits = traitlets.Int(0, read_only=True)

    def __init__(self, df: pd.DataFrame, buckets: Mapping[str, str] | None = None) -> None:
        # Messages may arrive in another thread than the one that runs the cells.
        self._lock = threading.RLock()
        self._state = TableState(df, buckets or {})
        self._notified = (0, 0, 0)
        super().__init__(listed_at=_listed_at(df))
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return how many rows are shown, without data of the tenant."""
        with self._lock:
            return f"Finder: {self._state.status()}"

    @property
    def frame(self) -> pd.DataFrame:
        """The shown rows in the order shown, with their index labels of the listing."""
        with self._lock:
            narrowing = self._state.narrowing
            return narrowing.frame.iloc[narrowing.positions]

    @property
    def positions(self) -> Positions:
        """The positions of the shown rows in the listing, in the order shown."""
        with self._lock:
            return self._state.narrowing.positions

    @property
    def search(self) -> str:
        """The search, as for `Narrowing.narrow`; can be set."""
        return self._state.narrowing.search

    @search.setter
    def search(self, text: str) -> None:
        with self._lock:
            self._state.narrowing.narrow(search=text)
            self._changed()

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The chosen values of each facet; can be set, with one value or several per facet."""
        return self._state.narrowing.chosen

    @chosen.setter
    def chosen(self, values: Mapping[str, str | Iterable[str]]) -> None:
        with self._lock:
            self._state.narrowing.narrow(chosen=values)
            self._changed()

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The column to sort by, and True if descending; or None. Can be set."""
        return self._state.narrowing.sort

    @sort.setter
    def sort(self, by: tuple[str, bool] | None) -> None:
        with self._lock:
            column, descending = by or (None, False)
            self._state.narrowing.sort_by(column, descending=descending)
            self._changed()

    @property
    def columns(self) -> Layout | None:
        """The columns to show, in this order, with their widths in pixels; can be set.

        A width of None is the standard width; None stands for the standard columns. A column that
        the listing does not have, such as `num_comments` before counting, is left out.
        """
        return None if self._state.layout is None else dict(self._state.layout)

    @columns.setter
    def columns(self, layout: Mapping[str, int | None] | Iterable[str] | None) -> None:
        self.view = {**self.view, "columns": layout}

    @property
    def view(self) -> View:
        """Search, facets, sort and columns, as in `views`; can be set."""
        with self._lock:
            return self._state.view

    @view.setter
    def view(self, view: Mapping[str, Any]) -> None:
        with self._lock:
            self._state.view = view
            self._changed()

    def apply(self, view: Mapping[str, Any]) -> list[str]:
        """Apply a view as far as it fits the listing; return what does not, as sentences.

        Args:
            view: The view, as in `views`.
        """
        with self._lock:
            fitting, notes = fitted(checked(view), self._state.narrowing)
            self.view = fitting
        return notes

    def show_column(self, name: str) -> None:
        """Show a column of the listing, unless it is shown.

        Args:
            name: The name of the column.
        """
        layout = self.columns
        if layout is not None and name not in layout:
            self.columns = {**layout, name: None}

    @property
    def listings(self) -> int:
        """The number of listings shown before this one."""
        return self._state.listing

    @property
    def only(self) -> str:
        """The description that was passed to `restrict`; "" if all rows are allowed."""
        return self._state.only

    def restrict(self, positions: Iterable[int] | None, why: str = "") -> None:
        """Show only some rows, in addition to search and facets, until the table is cleared.

        Args:
            positions: The positions of these rows in the listing; None for all.
            why: A description such as "with missing-title", shown with the number of rows.
        """
        with self._lock:
            self._state.restrict(positions, why)
            self._changed()

    def select(self, positions: Iterable[int]) -> None:
        """Select these rows and no others.

        Args:
            positions: Their positions in the listing.

        Raises:
            InvalidInput: The listing has no such row; the selection is unchanged.
        """
        rows = [operator.index(position) for position in positions]
        with self._lock:
            size = len(self._state.narrowing.frame)
            wrong = next((row for row in rows if not 0 <= row < size), None)
            if wrong is not None:
                raise InvalidInput(
                    f"There is no row at position {wrong:,} in a listing of "
                    f"{counted(size, 'source')}."
                )
            self._state.marks.put(np.asarray(rows, dtype=np.int64))
            self._send_rows(facets=False)
            self._notify()

    def look_at(self, position: int) -> None:
        """Make a row the current one, and scroll to it; select it unless several are selected.

        Args:
            position: Its position in the listing.
        """
        with self._lock:
            self._state.marks.look_at(position)
            self._send_rows(facets=False, reveal=True)
            self._notify()

    def show(self, df: pd.DataFrame, *, changed: int | None = None) -> None:
        """Show a new listing, after a refresh for example.

        Search, facets, sorting and columns stay if they still apply; a restriction ends. Selected
        sources stay selected, and the current one current; they are matched by id or else by full
        name.

        Args:
            df: The listing.
            changed: The position of the only row that differs from the shown listing, and not in
                its id or name; None if any row may differ.
        """
        with self._lock:
            self._state.show(df, changed)
            self.listed_at = _listed_at(df)
            self._changed()

    def _on_message(self, _: object, content: object, __: object) -> None:
        """Handle a message of the browser; ignore a malformed one."""
        if not isinstance(content, dict):
            return
        with self._lock:
            if content.get("kind") == "choices":
                choices = self._state.choices_message(content)
                if choices is not None:
                    self.send(choices)
                return
            changed = self._state.handle(content)
            if changed is None:
                return
            match content:
                case {"view": str(view), "rows": [int(start), int(stop)]}:
                    self._send_rows(view, start, stop, facets=changed)
                case _:
                    self._send_rows(facets=changed)
            self._notify()

    def _changed(self) -> None:
        """Send the shown rows and notify observers after a change."""
        self._state.version += 1
        self._send_rows()
        self._notify()

    def _notify(self) -> None:
        """Set the observable traits, all of them before observers are called.

        Called after the response to the browser, which then need not wait for observers.
        """
        marks = self._state.marks
        state = (self._state.version, marks.changes, self._state.edits)
        if state == self._notified:
            return
        self._notified = state
        with self.hold_trait_notifications():
            self.set_trait("selected", tuple(np.flatnonzero(marks.mask).tolist()))
            self.set_trait("current", marks.current)
            self.set_trait("shown", self._state.version)
            self.set_trait("edits", self._state.edits)

    def _send_rows(
        self,
        view: str | None = None,
        start: int = 0,
        stop: int = FIRST_ROWS,
        *,
        facets: bool = True,
        reveal: bool = False,
    ) -> None:
        """Send the shown rows of a window to the browser; all views get the message."""
        self.send(self._state.rows_message(view, start, stop, facets=facets, reveal=reveal))


def _listed_at(df: pd.DataFrame) -> float:
    """Return when a listing was fetched, in seconds since 1970; 0 if not known."""
    time = provenance.fetched_at(df)
    return 0.0 if time is None else time.timestamp()
