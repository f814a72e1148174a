"""Filter a listing by search and facets, and sort it, for a table on a screen.

`Narrowing` prepares the texts and groups of a listing once. Each key stroke then costs one pass
over the texts and some counting. Nothing here depends on widgets.

Values of choices are unambiguous texts: a project, language, kind or property is its name after
"=", so "=en" is English and "=with" is a property named "with"; "" is a missing value; all other
values, such as "without" or "within 7 days", are defined here.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff import equality
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import as_arrow, column_of, instants_of, items_of, texts_of
from reinfer_nb.schema.records import KINDS, LANGUAGES
from reinfer_nb.schema.validation import check_frame
from reinfer_nb.search.text_index import Haystack, Mask, folded, with_instants
from reinfer_nb.text import listed, nearest, shown, visible

_WITHIN = (7, 30, 90, 365)
_NOT_WITHIN = (30, 90, 365, 730)
_AGES = sorted({*_WITHIN, *_NOT_WITHIN}, reverse=True)

_Numbers = np.ndarray[Any, np.dtype[np.int64]]
# The group of each row; and for each choice its value, its label and the groups that it shows.
_Groups = tuple[_Numbers, list[tuple[str, str, list[int]]]]


@dataclass(frozen=True)
class Choice:
    """A choice of a facet: the value for `Narrowing.narrow`, and a label that is safe to show."""

    value: str
    label: str


@dataclass(frozen=True)
class Facet:
    """A facet by which a listing can be filtered: key for `narrow`, label, ordered choices."""

    key: str
    label: str
    choices: tuple[Choice, ...]


class Narrowing:
    """A listing with a search, facets and a sort order, which decide the rows that are shown.

    >>> narrowing = Narrowing(client.sources())
    >>> narrowing.narrow("motor", {"language": "en"})
    >>> narrowing.frame["name"].iloc[narrowing.positions].iloc[0]
    'motor-inbox'

    A row is found if each word of the search occurs in its id, full name, title or description.
    Case is ignored, a text in double quotes is a phrase, and a line break counts as a space.

    Args:
        df: A listing, or part of one; there is no facet for a missing column.
        now: The time from which the facet "Updated" counts; by default the current time.
        haystack: The searchable texts of the listing, if there are any yet.
        groupings: The groups of rows of some facets, by key, if there are any yet.

    Attributes:
        frame: A copy of the listing.
        facets: The facets.
    """

    def __init__(
        self,
        df: pd.DataFrame,
        *,
        now: pd.Timestamp | None = None,
        haystack: Haystack | None = None,
        groupings: Mapping[str, _Grouping] | None = None,
    ) -> None:
        df = check_frame(df, "A listing must be a DataFrame")
        made = groupings or {}
        self.frame: pd.DataFrame = df.copy()
        columns = {key: column_of(df, name) for key, (_, name, _) in _FACETS.items()}
        self._groupings = {
            key: made.get(key) or _grouping(key, column, now)
            for key, column in columns.items()
            if column is not None
        }
        self.facets: tuple[Facet, ...] = tuple(g.facet for g in self._groupings.values())
        self._haystack = haystack or Haystack.of(df)
        self._search, self._chosen = "", types.MappingProxyType[str, str]({})
        self._hidden: dict[str, Mask] = {}
        self._only: Mask | None = None
        self._sort: tuple[str, bool] | None = None
        self._orders: dict[tuple[str, bool] | None, _Numbers] = {None: np.arange(len(df))}
        # Computed from the state above when needed.
        self._found: Mask | None = None
        self._positions: _Numbers | None = None
        self._counts: dict[str, Mapping[str, int]] | None = None

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
            if _is_same_cell(before, row, _FACETS[key][1])
        }
        return Narrowing(df, haystack=self._haystack.with_row(position, row), groupings=same)

    @property
    def search(self) -> str:
        """The search text, as typed."""
        return self._search

    @property
    def chosen(self) -> Mapping[str, str]:
        """The chosen values by facet key; other facets do not filter."""
        return self._chosen

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The sort column, and True if descending; None for the listing's own order."""
        return self._sort

    def narrow(self, search: str | None = None, chosen: Mapping[str, str] | None = None) -> None:
        """Change the search, the chosen values of facets, or both.

        Args:
            search: The search text; "" finds all rows, None keeps the current search.
            chosen: The values of choices by facet key. A plain name such as "en" also works if no
                choice has that value. All other facets are reset. None keeps the current choices.

        Raises:
            InvalidInput: A facet or choice is unknown; nothing was changed.
        """
        if chosen is not None:
            values = {key: self._value(key, value) for key, value in chosen.items()}
            self._chosen = types.MappingProxyType(values)
            self._hidden = {key: self._groupings[key].hidden(values[key]) for key in values}
        if search is not None and search != self._search:
            self._search, self._found = search, None
        self._positions = self._counts = None

    def restrict(self, positions: Iterable[int] | None) -> None:
        """Show only some rows, in addition to search and facets.

        Args:
            positions: The positions of the rows in `frame`; None for all.
        """
        self._only = None
        if positions is not None:
            self._only = np.zeros(len(self.frame), dtype=np.bool_)
            self._only[np.asarray(list(positions), dtype=np.int64)] = True
        self._positions = self._counts = None

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
            cells = column_of(self.frame, column)
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
        if self._counts is None:
            rows = dict.fromkeys(self._groupings, self.positions)
            rows |= {key: np.flatnonzero(self._without(key)) for key in self._chosen}
            self._counts = {key: g.counts(rows[key]) for key, g in self._groupings.items()}
        return dict(self._counts)

    def rank(self, position: int) -> int | None:
        """Return the index of a row in `positions`; None if the row is not shown.

        Args:
            position: The row's position in `frame`.
        """
        indices = np.flatnonzero(self.positions == position)
        return int(indices[0]) if len(indices) else None

    def _value(self, key: str, text: str) -> str:
        """Return the value of a choice that is given by its value or its plain name."""
        if key not in self._groupings:
            raise InvalidInput(f"Unknown facet {shown(key)}.{_hint(key, self._groupings)}")
        values = [choice.value for choice in self._groupings[key].facet.choices]
        for candidate in (text, f"={text}"):
            if candidate in values:
                return candidate
        plain = [value.removeprefix("=") or '""' for value in values]
        raise InvalidInput(f"Unknown value {shown(text)} of the facet {key!r}.{_hint(text, plain)}")

    def _without(self, key: str | None) -> Mask:
        """Return a mask of the rows that search, restriction and all facets but one show."""
        if self._found is None:
            self._found = self._haystack.found(self._search)
        found = self._found if self._only is None else self._found & self._only
        hidden = [mask for facet, mask in self._hidden.items() if facet != key]
        return np.logical_and(found, ~np.logical_or.reduce(hidden)) if hidden else found


@dataclass(frozen=True)
class _Grouping:
    """The groups of rows that the choices of a facet show."""

    facet: Facet
    codes: _Numbers  # the group of each row
    # Pairs: `positions[i]` is the position of a choice that shows the group `groups[i]`.
    groups: _Numbers
    positions: _Numbers

    def counts(self, rows: _Numbers) -> Mapping[str, int]:
        """Return how many of some rows each choice shows."""
        sizes = np.bincount(self.codes[rows], minlength=self.groups.max(initial=-1) + 1)
        count = len(self.facet.choices)
        totals = np.bincount(self.positions, weights=sizes[self.groups], minlength=count)
        values = (choice.value for choice in self.facet.choices)
        numbers = totals.astype(np.int64).tolist()
        return types.MappingProxyType(dict(zip(values, numbers, strict=True)))

    def hidden(self, value: str) -> Mask:
        """Return a mask of the rows that a choice hides."""
        position = [choice.value for choice in self.facet.choices].index(value)
        hidden = np.ones(self.groups.max(initial=-1) + 1, dtype=np.bool_)
        hidden[self.groups[self.positions == position]] = False
        return hidden[self.codes]


def _is_same_cell(before: pd.DataFrame, after: pd.DataFrame, name: str) -> bool:
    """True if two frames of one row have the same cell in a column."""
    left, right = column_of(before, name), column_of(after, name)
    if left is None or right is None:
        return False
    return not equality.unequal(left, right).any()


def _grouping(key: str, column: pd.Series, now: pd.Timestamp | None) -> _Grouping:
    """Group the rows by a column for its facet."""
    label, _, group_rows = _FACETS[key]
    codes, choices = _updated(column, now) if key == "updated" else group_rows(column)
    facet = Facet(key, label, tuple(Choice(value, text) for value, text, _ in choices))
    pairs = [(group, n) for n, (*_, groups) in enumerate(choices) for group in groups]
    groups, positions = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return _Grouping(facet, codes, groups, positions)


def _named(column: pd.Series, meanings: Mapping[str, str] | None = None) -> _Groups:
    encoded = texts_of(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(encoded.indices.fill_null(len(names)), dtype=np.int64)
    choices = []
    for group, name in enumerate(names):
        meaning = (meanings or {}).get(name)
        label = visible(f"{meaning} ({name})" if meaning else name)
        choices.append((f"={name}", label or "(empty)", [group]))
    choices.sort(key=lambda choice: (choice[1].lower(), choice[0]))
    missing = [("", "(none)", [len(names)])] if encoded.indices.null_count else []
    return codes, choices + missing


def _bucket(column: pd.Series) -> _Groups:
    return np.asarray(column.isna(), np.int64), [("with", "with", [0]), ("without", "without", [1])]


def _translated(column: pd.Series) -> _Groups:
    cells = column.to_numpy(dtype=object).tolist()
    codes = [1 - bool(cell) if type(cell) in (bool, np.bool_) else 2 for cell in cells]
    choices = [("yes", "yes", [0]), ("no", "no", [1]), ("", "not set", [2])]
    return np.array(codes, dtype=np.int64), choices if 2 in codes else choices[:2]


def _properties(column: pd.Series) -> _Groups:
    cells = column.to_numpy(dtype=object).tolist()
    # A listing has few distinct tuples, and equal rows share one tuple object.
    objects = {id(cell): cell for cell in cells}
    groups: dict[tuple[str, ...], int] = {}
    codes = {key: groups.setdefault(items_of(cell), len(groups)) for key, cell in objects.items()}
    rows = np.fromiter(map(codes.__getitem__, map(id, cells)), np.int64, len(cells))
    groups_of: dict[str, list[int]] = {}
    for items, group in groups.items():
        for item in dict.fromkeys(items):
            groups_of.setdefault(item, []).append(group)
    choices = [
        ("with", "with any", [group for items, group in groups.items() if items]),
        ("without", "without any", [group for items, group in groups.items() if not items]),
        *((f"={item}", visible(item) or "(empty)", groups_of[item]) for item in sorted(groups_of)),
    ]
    return rows, [choice for choice in choices if choice[2]]


def _updated(column: pd.Series, now: pd.Timestamp | None) -> _Groups:
    instants = instants_of(column)
    now = pd.to_datetime(pd.Timestamp.now("UTC") if now is None else now, utc=True)
    # The limits ascend in time; each group lies between two of them.
    limits = np.datetime64(now.tz_localize(None), "us") - np.array(_AGES, dtype="timedelta64[D]")
    missing, unknown = np.isnat(instants), len(_AGES) + 1
    codes = np.where(missing, unknown, np.searchsorted(limits, instants, side="right"))
    groups = list(range(unknown))
    choices = {f"within {days} days": groups[_AGES.index(days) + 1 :] for days in _WITHIN}
    choices |= {f"not within {days} days": groups[: _AGES.index(days) + 1] for days in _NOT_WITHIN}
    not_set = [("", "not set", [unknown])] if missing.any() else []
    return codes, [(text, text, shown) for text, shown in choices.items()] + not_set


_FACETS: dict[str, tuple[str, str, Callable[..., _Groups]]] = {
    "owner": ("Project", "owner", _named),
    "language": ("Language", "language", partial(_named, meanings=LANGUAGES)),
    "kind": ("Kind", "kind", partial(_named, meanings=KINDS)),
    "bucket": ("Bucket", "bucket_id", _bucket),
    "should_translate": ("Translated", "should_translate", _translated),
    "sensitive_properties": ("Sensitive properties", "sensitive_properties", _properties),
    "updated": ("Updated", "updated_at", _updated),
}


def _order(column: pd.Series, *, descending: bool) -> _Numbers:
    """Return the positions of the rows sorted by a column: stable, missing values last."""
    values = as_arrow(column)
    kind = pa.null() if values is None else values.type
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        values = folded(texts_of(column))
    ranks = np.asarray(compute.rank(values, "ascending", tiebreaker="dense"), dtype=np.int64)
    missing = np.asarray(compute.is_null(values, nan_is_null=True), dtype=np.bool_)
    keys = np.where(missing, len(ranks) + 1, -ranks if descending else ranks)
    return np.argsort(keys, kind="stable")


def _hint(word: object, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: a similar word, or all known words."""
    words = [visible(other) for other in known]
    close = nearest(word, words) if isinstance(word, str) else None
    return f" Did you mean {close}?" if close else f" Available: {listed(words) or 'none'}."
