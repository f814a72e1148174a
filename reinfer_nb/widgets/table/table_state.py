"""What the table of sources shows, and the messages about it to and from the browser.

Knows no widget; `source_table` has the widget.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.diff.matching import Positions
from reinfer_nb.errors import InvalidInput
from reinfer_nb.search.query import SEARCH_HELP
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.search.text_index import folded_text, with_instants
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.table import views
from reinfer_nb.widgets.table.selection import Marks
from reinfer_nb.widgets.table.table_cells import (
    Layout,
    checked_layout,
    columns_of,
    layout_of,
    text_of,
)

# Limits of one message.
_MOST_ROWS = 200
FIRST_ROWS = 40
_MOST_CHOICES = 200
_LONGEST_LABEL = 60


class TableState:
    """A listing with search, facets, sort, columns and selection.

    Args:
        df: The listing.
        buckets: The names of buckets by id.

    Attributes:
        narrowing: The listing with search, facets and sort.
        marks: The selection and the current row.
        only: Why only some rows are allowed; "" if all are.
        layout: The columns to show; None for the standard ones.
        listing: The number of listings shown before this one.
        version: A counter of the changes of the shown rows and columns.
        edits: A counter of the requests to edit the current row.
    """

    def __init__(self, df: pd.DataFrame, buckets: Mapping[str, str]) -> None:
        self._buckets = buckets
        self.narrowing = Narrowing(df, names=buckets)
        self.marks = Marks(len(df))
        self.only = ""
        self.listing = self.version = self.edits = 0
        self.arrange(None)

    def show(self, df: pd.DataFrame, changed: int | None) -> None:
        """Show a new listing, as `Finder.show` describes."""
        old, marks = self.narrowing, self.marks
        if changed is None:
            new = Narrowing(df, names=self._buckets)
            self.marks = marks.moved(old.frame, new.frame)
        else:
            new = old.with_row(changed, df)
            self.marks = marks.kept()
        _carry_over(old, new)
        self.narrowing, self.only = new, ""
        self.arrange(self.layout)
        self.listing += 1

    def arrange(self, layout: Layout | None) -> None:
        """Show these columns; None for the standard ones."""
        self.layout = layout
        self._columns, self._hidden = columns_of(self.narrowing.frame, layout)

    def restrict(self, positions: Iterable[int] | None, why: str = "") -> None:
        """Allow only some rows, as `Finder.restrict` describes."""
        self.narrowing.restrict(positions)
        self.only = "" if positions is None else why or "some"

    @property
    def view(self) -> views.View:
        """Search, facets, sort and columns, as in `views`; can be set.

        Raises:
            InvalidInput: A part is malformed or unknown; nothing is changed then.
        """
        narrowing = self.narrowing
        return {
            "search": narrowing.search,
            "facets": {key: list(values) for key, values in narrowing.chosen.items()},
            "sort": narrowing.sort,
            "columns": None if self.layout is None else dict(self.layout),
        }

    @view.setter
    def view(self, view: Mapping[str, Any]) -> None:
        parts, narrowing = views.checked(view), self.narrowing
        layout = checked_layout(parts["columns"], narrowing.frame)
        before, (column, descending) = narrowing.sort, parts["sort"] or (None, False)
        narrowing.sort_by(column, descending=descending)
        try:
            narrowing.narrow(parts["search"], parts["facets"])
        except InvalidInput:
            column, descending = before or (None, False)
            narrowing.sort_by(column, descending=descending)
            raise
        self.arrange(layout)

    # Messages of the browser

    def handle(self, content: Mapping[str, Any]) -> bool | None:
        """Handle a message.

        Returns:
            True if the shown rows or columns may have changed, False if not, and None for a
            malformed message, which needs no response.
        """
        kind = content.get("kind")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        changed = None if handler is None else handler(self, content)
        self.version += changed is True and kind != "open"
        return changed

    def _open(self, _: Mapping[str, Any]) -> bool:
        return True

    def _look(self, _: Mapping[str, Any]) -> bool:
        return False

    def _edit(self, _: Mapping[str, Any]) -> bool:
        self.edits += self.marks.current is not None
        return False

    def _on_arrange(self, content: Mapping[str, Any]) -> bool | None:
        columns = content.get("columns")
        layout = layout_of(columns, self.narrowing.frame)
        if columns is not None and layout is None:
            return None
        self.arrange(layout)
        return True

    def _select(self, content: Mapping[str, Any]) -> bool | None:
        match content:
            case {"row": int(row), "how": str(how)}:
                # A late message may be about rows that are no longer shown.
                if content.get("version") == self.version:
                    self.marks.change(self.narrowing, row, how)
                return False
        return None

    def _search(self, content: Mapping[str, Any]) -> bool | None:
        text = content.get("text")
        if not isinstance(text, str):
            return None
        self.narrowing.narrow(search=text)
        return True

    def _choose(self, content: Mapping[str, Any]) -> bool | None:
        """Choose or drop a value of a facet by its place; drop all values if the place is None."""
        key, place = content.get("facet"), content.get("choice")
        if not isinstance(key, str):
            return None
        choices = self.narrowing.facet(key).choices if key in self.narrowing.labels else ()
        values = dict(self.narrowing.chosen)
        if content.get("listing") != self.listing:
            return True
        if place is None:
            values.pop(key, None)
        elif type(place) is int and 0 <= place < len(choices):
            value = choices[place].value
            others = [other for other in values.get(key, ()) if other != value]
            values[key] = (*others, value) if content.get("chosen") is True else tuple(others)
        self.narrowing.narrow(chosen=values)
        return True

    def _clear(self, _: Mapping[str, Any]) -> bool:
        self.narrowing.narrow(search="", chosen={})
        self.restrict(None)
        return True

    def _sort(self, content: Mapping[str, Any]) -> bool | None:
        column = content.get("column")
        if not (column is None or isinstance(column, str)):
            return None
        with contextlib.suppress(InvalidInput):
            self.narrowing.sort_by(column, descending=content.get("descending") is True)
        return True

    # Messages to the browser

    def rows_message(
        self, view: str | None, start: int, stop: int, *, facets: bool, reveal: bool
    ) -> dict[str, Any]:
        """Return the message with the shown rows of a window.

        Args:
            view: The view that sent the request.
            start: The first row of the window.
            stop: The row after the window.
            facets: True if the facets or the columns may have changed.
            reveal: True to scroll to the current row.
        """
        narrowing, marks = self.narrowing, self.marks
        positions = narrowing.positions
        start = max(0, min(start, len(positions)))
        window = positions[start : max(start, min(stop, start + _MOST_ROWS))]
        message: dict[str, Any] = {
            "kind": "shown",
            "view": view,
            "listing": self.listing,
            "version": self.version,
            "marks": marks.changes,
            "status": self.status(),
            "count": len(positions),
            "current": None if marks.current is None else narrowing.rank(marks.current),
            "search": narrowing.search,
            "only": visible(self.only),
            "sort": narrowing.sort,
            "start": start,
            "rows": self._rows(window),
            "reveal": reveal,
        }
        if facets:
            message["columns"] = [column.wire for column in self._columns]
            message["hidden"] = self._hidden
            message["facets"] = self._facets()
            message["help"] = SEARCH_HELP
            message["notes"] = [visible(f"{note}.", 300) for note in narrowing.search_notes]
        return message

    def status(self) -> str:
        """Return how many rows are shown and selected."""
        positions, mask = self.narrowing.positions, self.marks.mask
        parts = [f"{len(positions):,} of {counted(len(mask), 'source')}"]
        if self.only:
            parts.append(f"only those {visible(self.only, _LONGEST_LABEL)}")
        if selected := int(np.count_nonzero(mask)):
            parts.append(f"{selected:,} selected")
        if hidden := selected - int(np.count_nonzero(mask[positions])):
            parts.append(f"{hidden:,} of them not shown")
        return ", ".join(parts)

    def _rows(self, positions: Positions) -> list[list[Any]]:
        """Return rows for a message: True if selected, then the texts of the cells."""
        part = self.narrowing.shown.iloc[positions]
        columns = [with_instants(part.iloc[:, column.place]) for column in self._columns]
        cells = [map(text_of, column) for column in columns]
        flags = self.marks.mask[positions].tolist()
        return [list(row) for row in zip(flags, *cells, strict=True)]

    def _facets(self) -> list[dict[str, Any]]:
        """Return each facet with the labels of its chosen values; the choices are asked for."""
        chosen = self.narrowing.chosen
        facets = []
        for key, name in self.narrowing.labels.items():
            values = chosen.get(key, ())
            choices = self.narrowing.facet(key).choices if values else ()
            labels = [visible(c.label, _LONGEST_LABEL) for c in choices if c.value in values]
            facets.append({"key": key, "label": name, "chosen": labels})
        return facets

    def choices_message(self, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the choices of a facet whose labels contain a text; None for no such facet.

        An option is the choice's place, its label, the number of rows that it would show, and True
        if it is chosen.
        """
        key, typed = content.get("facet"), content.get("typed")
        if not (isinstance(key, str) and isinstance(typed, str)):
            return None
        if key not in self.narrowing.labels:
            return None
        choices, matching = self.narrowing.facet_choices(key, typed, _MOST_CHOICES)
        chosen, text = self.narrowing.chosen.get(key, ()), folded_text(typed.strip())
        options = [
            (place, visible(choice.label, _LONGEST_LABEL), count, choice.value in chosen)
            for place, choice, count in choices
        ]
        return {
            "kind": "choices",
            "view": content.get("view"),
            "facet": key,
            "listing": self.listing,
            "options": options,
            "more": matching - sum(text in folded_text(option[1]) for option in options),
        }


_HANDLERS: dict[str, Callable[[TableState, Mapping[str, Any]], bool | None]] = {
    "open": TableState._open,  # noqa: SLF001 - of this module
    "look": TableState._look,  # noqa: SLF001
    "edit": TableState._edit,  # noqa: SLF001
    "arrange": TableState._on_arrange,  # noqa: SLF001
    "select": TableState._select,  # noqa: SLF001
    "search": TableState._search,  # noqa: SLF001
    "choose": TableState._choose,  # noqa: SLF001
    "clear": TableState._clear,  # noqa: SLF001
    "sort": TableState._sort,  # noqa: SLF001
}


def _carry_over(old: Narrowing, new: Narrowing) -> None:
    """Apply search, facets and sorting of a listing to a new one, as far as they apply."""
    chosen: dict[str, list[str]] = {}
    for key in old.chosen.keys() & new.labels.keys():
        values = {choice.value for choice in new.facet(key).choices}
        chosen[key] = [value for value in old.chosen[key] if value in values]
    new.narrow(search=old.search, chosen=chosen)
    if old.sort is not None:
        with contextlib.suppress(InvalidInput):
            new.sort_by(old.sort[0], descending=old.sort[1])
