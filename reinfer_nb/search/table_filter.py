"""Filter a listing by search and facets, and sort it, for a table on a screen.

`Narrowing` prepares the texts and groups of a listing once. Each key stroke then costs one pass
over the texts and some counting. Nothing here depends on widgets.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff import equality
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import as_arrow, column_of, texts_of
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.search import query
from reinfer_nb.search.facets import (
    FACETS,
    IN_ORDER,
    Choice,
    Facet,
    Grouping,
    grouping,
    with_names,
)
from reinfer_nb.search.field_terms import FieldTerms
from reinfer_nb.search.text_index import (
    Haystack,
    Mask,
    folded,
    folded_text,
    one_line,
    with_instants,
)
from reinfer_nb.text import listed, nearest, shown, visible

_Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Narrowing:
    """A listing with a search, facets and a sort order, which decide the rows that are shown.

    >>> narrowing = Narrowing(client.sources())
    >>> narrowing.narrow("motor -bucket:none", {"language": ["en", "de"], "owner": "claims"})
    >>> narrowing.frame["name"].iloc[narrowing.positions].iloc[0]
    'motor-inbox'

    A row is found if each word of the search occurs in its id, full name, title or description.
    Case is ignored, a text in double quotes is a phrase, and a line break counts as a space. A word
    `field:value` looks into one column, and a minus before a word, phrase or field excludes the
    rows with it: `motor language:de title:"" comments:>100 -kind:chat`; `field_terms` has the
    rules. A word with a colon that names no field is an ordinary word.

    Args:
        df: A listing, or part of one; there is no facet for a missing column.
        now: The time from which the facet "Updated" counts; by default the current time.
        names: The names of buckets by id, which are shown, found and sorted in place of the ids.
        haystack: The searchable texts of the listing, if there are any yet.
        groupings: The groups of rows of some facets, by key, if there are any yet.

    Attributes:
        frame: A copy of the listing.
        shown: The same with the names of buckets beside their ids.
        labels: The labels of the facets, by key.
    """

    def __init__(
        self,
        df: pd.DataFrame,
        *,
        now: pd.Timestamp | None = None,
        names: Mapping[str, str] | None = None,
        haystack: Haystack | None = None,
        groupings: Mapping[str, Grouping] | None = None,
    ) -> None:
        df = check_frame(df, "A listing must be a DataFrame")
        self._names = names or {}
        self.frame: pd.DataFrame = df.copy()
        self.shown = with_names(self.frame, self._names)
        columns = {key: column_of(self.frame, name) for key, (_, name, _) in FACETS.items()}
        self._columns = {key: column for key, column in columns.items() if column is not None}
        self.labels = {key: FACETS[key][0] for key in self._columns}
        self._now = pd.Timestamp.now("UTC") if now is None else now
        # Made when needed, since most facets are not opened.
        self._groupings = dict(groupings or {})
        self._haystack = haystack or Haystack.of(df)
        self._field_terms = FieldTerms(self.shown)
        self._search, self._notes = "", tuple[str, ...]()
        self._chosen = types.MappingProxyType[str, tuple[str, ...]]({})
        self._hidden: dict[str, Mask] = {}
        self._only: Mask | None = None
        self._sort: tuple[str, bool] | None = None
        self._orders: dict[tuple[str, bool] | None, _Numbers] = {None: np.arange(len(df))}
        # Computed from the state above when needed.
        self._found: Mask | None = None
        self._positions: _Numbers | None = None
        self._counts: dict[str, Mapping[str, int]] = {}

    def with_row(self, position: int, df: pd.DataFrame) -> Narrowing:
        """Return the narrowing of a listing that differs from this one in one row.

        Only the text of this row and the facets that it changes are prepared anew, which takes
        most of the time of a new listing.

        Args:
            position: The position of the row.
            df: The listing.
        """
        before, row = self.frame.iloc[[position]], df.iloc[[position]]
        same = {
            key: grouping
            for key, grouping in self._groupings.items()
            if _is_same_cell(before, row, FACETS[key][1])
        }
        haystack = self._haystack.with_row(position, row)
        return Narrowing(df, names=self._names, haystack=haystack, groupings=same)

    @property
    def facets(self) -> tuple[Facet, ...]:
        """The facets with their choices."""
        return tuple(map(self.facet, self.labels))

    def facet(self, key: str) -> Facet:
        """Return a facet with its choices.

        >>> facet = Narrowing(client.sources()).facet("language")
        >>> facet.label, facet.choices[0].label
        ('Language', 'English (en)')

        Args:
            key: The key of the facet.

        Raises:
            InvalidInput: The listing has no such facet.
        """
        return self._grouping(key).facet

    @property
    def search(self) -> str:
        """The search text, as typed."""
        return self._search

    @property
    def search_notes(self) -> tuple[str, ...]:
        """Short notes about the search: values that cannot be read, and misspelt fields.

        >>> narrowing = Narrowing(client.sources())
        >>> narrowing.narrow("version:abc langauge:de")
        >>> for note in narrowing.search_notes:
        ...     print(note)
        version:abc: abc is not a number
        There is no field langauge; did you mean language?

        A value that cannot be read finds no rows; a misspelt field is an ordinary word.
        """
        self._without(None)
        return self._notes

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The chosen values by facet key, in the order of the choices.

        A facet shows the rows of any of its values; facets that are not here do not filter.
        """
        return self._chosen

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The sort column, and True if descending; None for the listing's own order."""
        return self._sort

    def narrow(
        self,
        search: str | None = None,
        chosen: Mapping[str, str | Iterable[str]] | None = None,
    ) -> None:
        """Change the search, the chosen values of facets, or both.

        Args:
            search: The search text; "" finds all rows, None keeps the current search. Any text is
                a search, and `search_notes` says what could not be read.
            chosen: The value of a choice, or several values, by facet key: rows with any of them
                are shown. A plain name such as "en" also works if no choice has that value. A facet
                without values, and all other facets, are reset. None keeps the current choices.

        Raises:
            InvalidInput: A facet or choice is unknown; nothing was changed.
        """
        if chosen is not None:
            values = {key: self._values(key, given) for key, given in chosen.items()}
            values = {key: choices for key, choices in values.items() if choices}
            self._chosen = types.MappingProxyType(values)
            self._hidden = {key: self._grouping(key).hidden(values[key]) for key in values}
        if search is not None and search != self._search:
            self._search, self._found = search, None
        self._positions = None
        self._counts.clear()

    def restrict(self, positions: Iterable[int] | None) -> None:
        """Show only some rows, in addition to search and facets.

        Args:
            positions: The positions of the rows in `frame`; None for all.
        """
        self._only = None
        if positions is not None:
            self._only = np.zeros(len(self.frame), dtype=np.bool_)
            self._only[np.asarray(list(positions), dtype=np.int64)] = True
        self._positions = None
        self._counts.clear()

    def sort_by(self, column: str | None, *, descending: bool = False) -> None:
        """Sort the rows, ignoring case in texts; missing values are always last.

        Args:
            column: A column of the listing, or None for the listing's own order.
            descending: True for the largest first. Equal rows always keep the listing's order.

        Raises:
            InvalidInput: The listing has no such column.
        """
        sort = None if column is None else (column, bool(descending))
        if column is not None and sort not in self._orders:
            cells = column_of(self.shown, column)
            if cells is None:
                hint = _hint(column, map(str, self.frame.columns))
                raise InvalidInput(f"The listing has no column {shown(column)}.{hint}")
            self._orders[sort] = _order(with_instants(cells), descending=descending)
        self._sort, self._positions = sort, None

    @property
    def positions(self) -> _Numbers:
        """The positions in `frame` of the rows that are shown, in sort order; read-only."""
        if self._positions is None:
            order = self._orders[self._sort]
            self._positions = order[self._without(None)[order]]
            self._positions.setflags(write=False)
        return self._positions

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Return, by facet key and value, how many rows that choice would show.

        All other facets and the search stay as they are. Values are in the order of the choices.
        """
        return {key: self._counted(key) for key in self.labels}

    def _counted(self, key: str) -> Mapping[str, int]:
        if key not in self._counts:
            chosen = key in self._chosen
            rows = np.flatnonzero(self._without(key)) if chosen else self.positions
            self._counts[key] = self._grouping(key).counts(rows)
        return self._counts[key]

    def facet_choices(
        self, key: str, typed: str = "", most: int = 200
    ) -> tuple[list[tuple[int, Choice, int]], int]:
        """Return the choices of a facet for a list that narrows while a person types.

        >>> narrowing = Narrowing(client.sources())
        >>> choices, matching = narrowing.facet_choices("language", "germ")
        >>> [choice.label for _, choice, _ in choices], matching
        (['German (de)'], 1)

        Args:
            key: The key of the facet.
            typed: A text that the labels contain; case and spaces around it are ignored.
            most: The largest number of choices; chosen ones are returned even if they are more.

        Returns:
            Triples of a choice's position in the facet, the choice, and the number of rows that it
            would show, as in `counts`. The chosen ones are first, whatever their labels, then
            those with most rows, or periods of time in their order. And the number of choices
            whose labels contain the text.

        Raises:
            InvalidInput: The facet is unknown.
        """
        facet = self._grouping(key)
        matching = facet.labelled(typed)
        numbers = np.fromiter(self._counted(key).values(), np.int64, len(matching))
        chosen = [facet.places[value] for value in self._chosen.get(key, ())]
        others = matching.copy()
        others[chosen] = False
        rest = np.flatnonzero(others)
        if key not in IN_ORDER:
            rest = rest[np.argsort(-numbers[rest], kind="stable")]
        rest = rest[: max(0, most - len(chosen))]
        choices = facet.facet.choices
        places = [*chosen, *rest.tolist()]
        listed = [(place, choices[place], int(numbers[place])) for place in places]
        return listed, int(np.count_nonzero(matching))

    def rank(self, position: int) -> int | None:
        """Return the index of a row in `positions`; None if the row is not shown.

        Args:
            position: The row's position in `frame`.
        """
        indices = np.flatnonzero(self.positions == position)
        return int(indices[0]) if len(indices) else None

    def _grouping(self, key: str) -> Grouping:
        if key not in self._columns:
            raise InvalidInput(f"Unknown facet {shown(key)}.{_hint(key, self.labels)}")
        if key not in self._groupings:
            column = self._columns[key]
            self._groupings[key] = grouping(key, column, self._now, self._names)
        return self._groupings[key]

    def _values(self, key: str, given: str | Iterable[str]) -> tuple[str, ...]:
        """Return the values of choices that are given by values or plain names, in their order."""
        places = self._grouping(key).places
        is_one = isinstance(given, str | bytes) or not hasattr(given, "__iter__")
        names = [given] if is_one else given
        values = {self._value(key, name) for name in names}
        return tuple(sorted(values, key=places.__getitem__))

    def _value(self, key: str, text: object) -> str:
        """Return the value of a choice that is given by its value or its plain name."""
        places = self._grouping(key).places
        for candidate in (text, f"={text}") if isinstance(text, str) else ():
            if candidate in places:
                return candidate
        plain = [value.removeprefix("=") or '""' for value in places]
        raise InvalidInput(f"Unknown value {shown(text)} of the facet {key!r}.{_hint(text, plain)}")

    def _without(self, key: str | None) -> Mask:
        """Return a mask of the rows that search, restriction and all facets but one show."""
        if self._found is None:
            terms = query.terms_of(self._search, self._field_terms.is_field)
            rows, self._notes = self._field_terms.rows(terms)
            texts = [term for term in terms if term.field is None]
            words, without = (
                {folded_text(term.value) for term in texts if term.is_excluded == is_excluded}
                for is_excluded in (False, True)
            )
            self._found = self._haystack.found(words, without, rows)
        found = self._found if self._only is None else self._found & self._only
        hidden = [mask for facet, mask in self._hidden.items() if facet != key]
        return np.logical_and(found, ~np.logical_or.reduce(hidden)) if hidden else found


def _is_same_cell(before: pd.DataFrame, after: pd.DataFrame, name: str) -> bool:
    """True if two frames of one row have the same cell in a column."""
    left, right = column_of(before, name), column_of(after, name)
    if left is None or right is None:
        return False
    return not equality.unequal(left, right).any()


def _order(column: pd.Series, *, descending: bool) -> _Numbers:
    """Return the positions of the rows sorted by a column: stable, missing values last."""
    values = as_arrow(column)
    kind = pa.null() if values is None else values.type
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        values = one_line(folded(texts_of(column)))
    ranks = np.asarray(compute.rank(values, "ascending", tiebreaker="dense"), dtype=np.int64)
    missing = np.asarray(compute.is_null(values, nan_is_null=True), dtype=np.bool_)
    keys = np.where(missing, len(ranks) + 1, -ranks if descending else ranks)
    return np.argsort(keys, kind="stable")


def _hint(word: object, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: a similar word, or all known words."""
    words = [visible(other) for other in known]
    close = nearest(word, words) if isinstance(word, str) else None
    return f" Did you mean {close}?" if close else f" Available: {listed(words) or 'none'}."
