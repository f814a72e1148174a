"""A search box, facets and a table over a listing, of which only what is looked at travels.

What is searched, sorted and selected is known here, in the kernel; the browser (`finder.js`) is
told the rows in its window. All of that goes as messages, none of it as the widget's state, so
that a notebook saved with its widgets holds nothing of the tenant.
"""

from __future__ import annotations

import contextlib
import heapq
import operator
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import provenance
from reinfer_nb.search.table_filter import Facet, Narrowing
from reinfer_nb.search.text_index import with_instants
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.explorer.selection import Marks, Positions
from reinfer_nb.widgets.explorer.table_cells import columns_of, text_of

# Given as text: anywidget keeps every widget of a path for as long as the process runs.
_HERE = Path(__file__).parent

# As much as one message carries.
_MOST_ROWS = 200
_FIRST_ROWS = 40
_MOST_CHOICES = 200
_LONGEST_LABEL = 60


class Finder(anywidget.AnyWidget):
    """A listing to look through: search, facets and a table whose rows can be selected.

    >>> finder = Finder(client.sources())
    >>> finder.search = "motor"
    >>> finder
    Finder: 7 of 130 sources

    Args:
        df: A listing as `Client.sources` gives it, with counts of comments or without.

    Attributes:
        selected: The positions of the selected rows in the listing, in its order; to observe.
            What is selected stays so while it is filtered away.
        current: The position of the row last moved to, or None; to observe.
        shown: A number that grows whenever other rows are shown or in another order; to observe.
        height: How high the table is, in pixels.
        listed_at: When the listing was fetched, in seconds since 1970; 0 when that is not known.
    """

    _esm = (_HERE / "source_table.js").read_text(encoding="utf-8")
    _css = (_HERE / "source_table.css").read_text(encoding="utf-8")

    height = traitlets.Int(360, min=120).tag(sync=True)
    listed_at = traitlets.Float(0.0).tag(sync=True)
    selected = traitlets.Any((), read_only=True)
    current = traitlets.Int(None, allow_none=True, read_only=True)
    shown = traitlets.Int(0, read_only=True)

    def __init__(self, df: pd.DataFrame) -> None:
        # Messages may come in another thread than the one that runs the cells.
        self._lock = threading.RLock()
        self._narrowing = Narrowing(df)
        self._columns = columns_of(self._narrowing.frame)
        self._only = ""
        # Each grows when the listing, or what is shown of it, is another.
        self._listing = 0
        self._version = 0
        self._marks = Marks(len(self._narrowing.frame))
        self._settled = (0, 0)
        super().__init__(listed_at=_listed_at(df))
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        """Return how much of it is shown, and nothing of what."""
        with self._lock:
            return f"Finder: {self._status()}"

    @property
    def frame(self) -> pd.DataFrame:
        """The rows that are shown, in the order shown, under their labels of the listing."""
        with self._lock:
            return self._narrowing.frame.iloc[self._narrowing.positions]

    @property
    def positions(self) -> Positions:
        """The positions in the listing of the rows that are shown, in the order shown."""
        with self._lock:
            return self._narrowing.positions

    @property
    def search(self) -> str:
        """What is searched for; can be set."""
        return self._narrowing.search

    @search.setter
    def search(self, text: str) -> None:
        with self._lock:
            self._narrowing.narrow(search=text)
            self._changed()

    @property
    def chosen(self) -> Mapping[str, str]:
        """What is chosen of each facet, as `Narrowing.narrow` takes it; can be set."""
        return self._narrowing.chosen

    @chosen.setter
    def chosen(self, values: Mapping[str, str]) -> None:
        with self._lock:
            self._narrowing.narrow(chosen=values)
            self._changed()

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The column that is sorted by and whether downwards, or None; can be set."""
        return self._narrowing.sort

    @sort.setter
    def sort(self, by: tuple[str, bool] | None) -> None:
        with self._lock:
            column, descending = by or (None, False)
            self._narrowing.sort_by(column, descending=descending)
            self._changed()

    @property
    def listings(self) -> int:
        """How many listings were shown before this one."""
        return self._listing

    @property
    def only(self) -> str:
        """What `restrict` was told of the rows that it leaves; "" where it leaves all."""
        return self._only

    def restrict(self, positions: Iterable[int] | None, why: str = "") -> None:
        """Show only some rows, whatever else is searched and chosen, until it is cleared.

        Args:
            positions: Those rows' positions in the listing; None for all.
            why: What they have in common, such as "with missing-title"; shown with their number.
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
            InvalidInput: The listing has no such row; the selection is as it was.
        """
        chosen = [operator.index(position) for position in positions]
        with self._lock:
            size = len(self._narrowing.frame)
            wrong = next((position for position in chosen if not 0 <= position < size), None)
            if wrong is not None:
                raise InvalidInput(
                    f"There is no row at position {wrong:,} in a listing of "
                    f"{counted(size, 'source')}."
                )
            self._marks.put(np.asarray(chosen, dtype=np.int64))
            self._tell(facets=False)
            self._settle()

    def show(self, df: pd.DataFrame) -> None:
        """Show another listing in place of this one, after a refresh for example.

        Search, facets and sort stay where they still apply; a restriction does not. What is
        selected stays selected, and the current row the current one: the source with that id or
        else with that full name.

        Args:
            df: The listing.
        """
        new = Narrowing(df)
        with self._lock:
            old = self._narrowing
            _carry_over(old, new)
            self._marks = self._marks.moved(old.frame, new.frame)
            self._narrowing, self._only = new, ""
            self._columns = columns_of(new.frame)
            self._listing += 1
            self.listed_at = _listed_at(df)
            self._changed()

    def _hear(self, _: object, content: object, __: object) -> None:
        """Do what the browser asks for; a message that makes no sense is passed over."""
        with self._lock:
            facets = self._obey(content)
            if facets is None:
                return
            match content:
                case {"view": str(view), "rows": [int(start), int(stop)]}:
                    self._tell(view, start, stop, facets=facets)
                case _:
                    self._tell(facets=facets)
            self._settle()

    def _obey(self, content: object) -> bool | None:
        """Do what a message asks for; return whether to send the facets, None for no answer."""
        match content:
            case {"kind": "open"}:
                return True
            case {"kind": "look"}:
                return False
            case {"kind": "select", "row": int(row), "how": str(how), **rest}:
                # A late message speaks of rows that are not there any more.
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
            chosen[key] = values[place]
        self._narrowing.narrow(chosen=chosen)

    def _changed(self) -> None:
        """Let everybody know that other rows are shown."""
        self._version += 1
        self._tell()
        self._settle()

    def _settle(self) -> None:
        """Bring what can be observed up to date, all of it before anybody is told.

        After the browser, which need not wait for what observers do.
        """
        settled = (self._version, self._marks.changes)
        if settled == self._settled:
            return
        self._settled = settled
        with self.hold_trait_notifications():
            self.set_trait("selected", tuple(np.flatnonzero(self._marks.mask).tolist()))
            self.set_trait("current", self._marks.current)
            self.set_trait("shown", self._version)

    def _tell(
        self,
        view: str | None = None,
        start: int = 0,
        stop: int = _FIRST_ROWS,
        *,
        facets: bool = True,
    ) -> None:
        """Send what is shown to the browser, as far as it is in the window.

        Args:
            view: The view that asked; all views hear the answer.
            start: The first row of the window.
            stop: The row behind it.
            facets: Whether the choices' counts may have changed too.
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
        shown, marks = self._narrowing.positions, self._marks.mask
        words = [f"{len(shown):,} of {counted(len(marks), 'source')}"]
        if self._only:
            words.append(f"only those {visible(self._only, _LONGEST_LABEL)}")
        if selected := int(np.count_nonzero(marks)):
            words.append(f"{selected:,} selected")
        if hidden := selected - int(np.count_nonzero(marks[shown])):
            words.append(f"{hidden:,} of them not shown")
        return ", ".join(words)

    def _rows(self, positions: Positions) -> list[list[Any]]:
        """Return rows of the listing as they travel: whether selected, then the cells' texts."""
        part = self._narrowing.frame.iloc[positions]
        columns = [with_instants(part.iloc[:, column.place]) for column in self._columns]
        cells = [map(text_of, column) for column in columns]
        flags = self._marks.mask[positions].tolist()
        return [list(row) for row in zip(flags, *cells, strict=True)]

    def _facets(self) -> list[dict[str, Any]]:
        counts, chosen = self._narrowing.counts(), self._narrowing.chosen
        return [
            _wire_of(facet, counts[facet.key], chosen.get(facet.key))
            for facet in self._narrowing.facets
        ]


def _listed_at(df: pd.DataFrame) -> float:
    """Return when a listing was fetched, as the client notes it."""
    when = provenance.fetched_at(df)
    return 0.0 if when is None else when.timestamp()


def _wire_of(facet: Facet, counts: Mapping[str, int], chosen: str | None) -> dict[str, Any]:
    """Return a facet as it travels: options with their place as a text, their text, if empty."""
    choices = facet.choices
    numbers = list(counts.values())
    place = next((i for i, choice in enumerate(choices) if choice.value == chosen), None)
    # Those with most rows, and the chosen one.
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
    """Narrow and sort a listing as another one is, as far as it can be."""
    choices = {facet.key: {choice.value for choice in facet.choices} for facet in new.facets}
    chosen = {key: value for key, value in old.chosen.items() if value in choices.get(key, ())}
    new.narrow(search=old.search, chosen=chosen)
    if old.sort is not None:
        with contextlib.suppress(InvalidInput):
            new.sort_by(old.sort[0], descending=old.sort[1])
