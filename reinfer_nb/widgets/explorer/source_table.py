"""A search box, facets and a table for a listing.

The kernel searches, sorts and keeps the selection; the browser (`source_table.js`) gets only the
rows in its window. All data goes as messages and never as widget state, so that a notebook saved
with its widgets contains no data of the tenant.
"""

from __future__ import annotations

import contextlib
import heapq
import operator
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from reinfer_nb.diff.matching import Positions
from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import provenance
from reinfer_nb.search.facets import Facet
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.search.text_index import with_instants
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.explorer.selection import Marks
from reinfer_nb.widgets.explorer.table_cells import columns_of, text_of

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent

# Limits of one message.
_MOST_ROWS = 200
_FIRST_ROWS = 40
_MOST_CHOICES = 200
_LONGEST_LABEL = 60


class Finder(anywidget.AnyWidget):
    """A widget to search a listing, with facets and a table whose rows can be selected.

    >>> finder = Finder(client.sources())
    >>> finder.search = "motor"
    >>> finder
    Finder: 7 of 130 sources

    Args:
        df: A listing as `Client.sources` returns it, with counts of comments or without.

    Attributes:
        selected: The positions of the selected rows in the listing, in its order; can be observed.
            Rows stay selected while a filter hides them.
        current: The position of the current row, or None; can be observed.
        shown: A number that grows whenever the shown rows or their order change; can be observed.
        height: The height of the table, in pixels.
        listed_at: When the listing was fetched, in seconds since 1970; 0 if not known.
    """

    _esm = (_HERE / "source_table.js").read_text(encoding="utf-8")
    _css = (_HERE / "source_table.css").read_text(encoding="utf-8")

    height = traitlets.Int(360, min=120).tag(sync=True)
    listed_at = traitlets.Float(0.0).tag(sync=True)
    selected = traitlets.Any((), read_only=True)
    current = traitlets.Int(None, allow_none=True, read_only=True)
    shown = traitlets.Int(0, read_only=True)

    def __init__(self, df: pd.DataFrame) -> None:
        # Messages may arrive in another thread than the one that runs the cells.
        self._lock = threading.RLock()
        self._narrowing = Narrowing(df)
        self._columns = columns_of(self._narrowing.frame)
        self._only = ""
        # Counters of the listings, and of the changes of the shown rows.
        self._listing = 0
        self._version = 0
        self._marks = Marks(len(self._narrowing.frame))
        self._notified = (0, 0)
        super().__init__(listed_at=_listed_at(df))
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return how many rows are shown, without data of the tenant."""
        with self._lock:
            return f"Finder: {self._status()}"

    @property
    def frame(self) -> pd.DataFrame:
        """The shown rows in the order shown, with their index labels of the listing."""
        with self._lock:
            return self._narrowing.frame.iloc[self._narrowing.positions]

    @property
    def positions(self) -> Positions:
        """The positions of the shown rows in the listing, in the order shown."""
        with self._lock:
            return self._narrowing.positions

    @property
    def search(self) -> str:
        """The search, as for `Narrowing.narrow`; can be set."""
        return self._narrowing.search

    @search.setter
    def search(self, text: str) -> None:
        with self._lock:
            self._narrowing.narrow(search=text)
            self._changed()

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The chosen values of each facet; can be set, with one value or several per facet."""
        return self._narrowing.chosen

    @chosen.setter
    def chosen(self, values: Mapping[str, str | Iterable[str]]) -> None:
        with self._lock:
            self._narrowing.narrow(chosen=values)
            self._changed()

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The column to sort by, and True if descending; or None. Can be set."""
        return self._narrowing.sort

    @sort.setter
    def sort(self, by: tuple[str, bool] | None) -> None:
        with self._lock:
            column, descending = by or (None, False)
            self._narrowing.sort_by(column, descending=descending)
            self._changed()

    @property
    def listings(self) -> int:
        """The number of listings shown before this one."""
        return self._listing

    @property
    def only(self) -> str:
        """The description that was passed to `restrict`; "" if all rows are allowed."""
        return self._only

    def restrict(self, positions: Iterable[int] | None, why: str = "") -> None:
        """Show only some rows, in addition to search and facets, until the table is cleared.

        Args:
            positions: The positions of these rows in the listing; None for all.
            why: A description such as "with missing-title", shown with the number of rows.
        """
        with self._lock:
            self._narrowing.restrict(positions)
            self._only = "" if positions is None else why or "some"
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
            size = len(self._narrowing.frame)
            wrong = next((row for row in rows if not 0 <= row < size), None)
            if wrong is not None:
                raise InvalidInput(
                    f"There is no row at position {wrong:,} in a listing of "
                    f"{counted(size, 'source')}."
                )
            self._marks.put(np.asarray(rows, dtype=np.int64))
            self._send_rows(facets=False)
            self._notify()

    def show(self, df: pd.DataFrame, *, changed: int | None = None) -> None:
        """Show a new listing, after a refresh for example.

        Search, facets and sorting stay if they still apply; a restriction ends. Selected sources
        stay selected, and the current one current; they are matched by id or else by full name.

        Args:
            df: The listing.
            changed: The position of the only row that differs from the shown listing, and not in
                its id or name; None if any row may differ.
        """
        new = Narrowing(df) if changed is None else self._narrowing.with_row(changed, df)
        with self._lock:
            old = self._narrowing
            _carry_over(old, new)
            marks = self._marks
            self._marks = marks.moved(old.frame, new.frame) if changed is None else marks.kept()
            self._narrowing, self._only = new, ""
            self._columns = columns_of(new.frame)
            self._listing += 1
            self.listed_at = _listed_at(df)
            self._changed()

    def _on_message(self, _: object, content: object, __: object) -> None:
        """Handle a message of the browser; ignore a malformed one."""
        with self._lock:
            facets = self._handle(content)
            if facets is None:
                return
            match content:
                case {"view": str(view), "rows": [int(start), int(stop)]}:
                    self._send_rows(view, start, stop, facets=facets)
                case _:
                    self._send_rows(facets=facets)
            self._notify()

    def _handle(self, content: object) -> bool | None:
        """Handle a message; return True to respond with facets, None for no response."""
        match content:
            case {"kind": "open"}:
                return True
            case {"kind": "look"}:
                return False
            case {"kind": "select", "row": int(row), "how": str(how), **rest}:
                # A late message may be about rows that are no longer shown.
                if rest.get("version") == self._version:
                    self._marks.change(self._narrowing, row, how)
                return False
            case {"kind": "search", "text": str(text)}:
                self._narrowing.narrow(search=text)
            case {"kind": "choose", "facet": str(key), **rest}:
                if rest.get("listing") == self._listing:
                    self._choose(key, rest.get("choice"))
            case {"kind": "clear"}:
                self._narrowing.narrow(search="", chosen={})
                self._narrowing.restrict(None)
                self._only = ""
            case {"kind": "sort", "column": str() | None as column, **rest}:
                with contextlib.suppress(InvalidInput):
                    self._narrowing.sort_by(column, descending=rest.get("descending") is True)
            case _:
                return None
        self._version += 1
        return True

    def _choose(self, key: str, place: object) -> None:
        choices = {facet.key: facet.choices for facet in self._narrowing.facets}.get(key, ())
        values = {str(i): choice.value for i, choice in enumerate(choices)}
        chosen = dict(self._narrowing.chosen)
        if place == "":
            chosen.pop(key, None)
        elif isinstance(place, str) and place in values:
            chosen[key] = (values[place],)
        self._narrowing.narrow(chosen=chosen)

    def _changed(self) -> None:
        """Send the shown rows and notify observers after a change."""
        self._version += 1
        self._send_rows()
        self._notify()

    def _notify(self) -> None:
        """Set the observable traits, all of them before observers are called.

        Called after the response to the browser, which then need not wait for observers.
        """
        state = (self._version, self._marks.changes)
        if state == self._notified:
            return
        self._notified = state
        with self.hold_trait_notifications():
            self.set_trait("selected", tuple(np.flatnonzero(self._marks.mask).tolist()))
            self.set_trait("current", self._marks.current)
            self.set_trait("shown", self._version)

    def _send_rows(
        self,
        view: str | None = None,
        start: int = 0,
        stop: int = _FIRST_ROWS,
        *,
        facets: bool = True,
    ) -> None:
        """Send the shown rows of a window to the browser.

        Args:
            view: The view that sent the request; all views get the response.
            start: The first row of the window.
            stop: The row after the window.
            facets: True if the counts of the choices may have changed.
        """
        narrowing, marks = self._narrowing, self._marks
        positions = narrowing.positions
        start = max(0, min(start, len(positions)))
        window = positions[start : max(start, min(stop, start + _MOST_ROWS))]
        message: dict[str, Any] = {
            "kind": "shown",
            "view": view,
            "listing": self._listing,
            "version": self._version,
            "marks": marks.changes,
            "status": self._status(),
            "count": len(positions),
            "current": None if marks.current is None else narrowing.rank(marks.current),
            "search": narrowing.search,
            "only": visible(self._only),
            "sort": narrowing.sort,
            "start": start,
            "rows": self._rows(window),
        }
        if facets:
            message["columns"] = [column.wire for column in self._columns]
            message["facets"] = self._facets()
        self.send(message)

    def _status(self) -> str:
        positions, mask = self._narrowing.positions, self._marks.mask
        parts = [f"{len(positions):,} of {counted(len(mask), 'source')}"]
        if self._only:
            parts.append(f"only those {visible(self._only, _LONGEST_LABEL)}")
        if selected := int(np.count_nonzero(mask)):
            parts.append(f"{selected:,} selected")
        if hidden := selected - int(np.count_nonzero(mask[positions])):
            parts.append(f"{hidden:,} of them not shown")
        return ", ".join(parts)

    def _rows(self, positions: Positions) -> list[list[Any]]:
        """Return rows for a message: True if selected, then the texts of the cells."""
        part = self._narrowing.frame.iloc[positions]
        columns = [with_instants(part.iloc[:, column.place]) for column in self._columns]
        cells = [map(text_of, column) for column in columns]
        flags = self._marks.mask[positions].tolist()
        return [list(row) for row in zip(flags, *cells, strict=True)]

    def _facets(self) -> list[dict[str, Any]]:
        counts, chosen = self._narrowing.counts(), self._narrowing.chosen
        return [
            _facet_message(facet, counts[facet.key], chosen.get(facet.key, ()))
            for facet in self._narrowing.facets
        ]


def _listed_at(df: pd.DataFrame) -> float:
    """Return when a listing was fetched, in seconds since 1970; 0 if not known."""
    time = provenance.fetched_at(df)
    return 0.0 if time is None else time.timestamp()


def _facet_message(
    facet: Facet, counts: Mapping[str, int], chosen: Sequence[str]
) -> dict[str, Any]:
    """Return a facet for a message; an option is its index as text, its label, True if empty.

    The drop-down can show one chosen value: the first.
    """
    choices = facet.choices
    numbers = list(counts.values())
    place = next((i for i, choice in enumerate(choices) if choice.value in chosen[:1]), None)
    # The choices with most rows, and the chosen one.
    shown = set(heapq.nlargest(_MOST_CHOICES, range(len(choices)), numbers.__getitem__))
    if place is not None and place not in shown:
        shown.remove(min(shown, key=numbers.__getitem__))
        shown.add(place)
    options: list[tuple[str | None, str, bool]] = [("", "any", False)]
    for i in sorted(shown):
        label = visible(choices[i].label, _LONGEST_LABEL)
        options.append((str(i), f"{label} ({numbers[i]:,})", not numbers[i]))
    if (more := len(choices) - _MOST_CHOICES) > 0:
        options.append((None, f"{more:,} more: search for them", True))
    return {
        "key": facet.key,
        "label": facet.label,
        "chosen": "" if place is None else str(place),
        "options": options,
    }


def _carry_over(old: Narrowing, new: Narrowing) -> None:
    """Apply search, facets and sorting of a listing to a new one, as far as they apply."""
    choices = {facet.key: {choice.value for choice in facet.choices} for facet in new.facets}
    chosen = {
        key: [value for value in values if value in choices.get(key, ())]
        for key, values in old.chosen.items()
        if key in choices
    }
    new.narrow(search=old.search, chosen=chosen)
    if old.sort is not None:
        with contextlib.suppress(InvalidInput):
            new.sort_by(old.sort[0], descending=old.sort[1])
