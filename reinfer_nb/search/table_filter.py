"""A listing narrowed by search and facets, and sorted: what a table on a screen stands on.

Everything that does not depend on what is asked is worked out once, when a `Narrowing` is made;
a key stroke then costs one pass over the texts and some counting. Knows nothing of widgets.

Values of choices are texts that cannot be taken for each other: a project, language, kind or
property is its name behind "=", so "=en" is English and "=with" a property that is called "with";
"" is what is missing; every other value is one of ours, such as "without" or "within 7 days".
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
# The group of each row; of each choice its value, its label and the groups that it shows.
_Groups = tuple[_Numbers, list[tuple[str, str, list[int]]]]


@dataclass(frozen=True)
class Choice:
    """A choice of a facet: the value that `Narrowing.narrow` takes, and a label safe to show."""

    value: str
    label: str


@dataclass(frozen=True)
class Facet:
    """What a listing can be narrowed by: its key for `narrow`, its label, its choices in order."""

    key: str
    label: str
    choices: tuple[Choice, ...]


class Narrowing:
    """A listing, and which of its rows are shown in what order.

    >>> narrowing = Narrowing(client.sources())
    >>> narrowing.narrow("motor", {"language": "en"})
    >>> narrowing.frame["name"].iloc[narrowing.positions].iloc[0]
    'motor-inbox'

    The search is for words, all of which occur in the id, full name, title or description, in
    any case; a text in double quotes is one phrase. A line break counts as a space.

    Args:
        df: A listing, or part of one; a facet whose column is not there does not appear.
        now: What the facet "Updated" counts from; the time it is made, if not given.

    Attributes:
        frame: The listing. What is done to `df` later does not reach it.
        facets: What it can be narrowed by.
    """

    def __init__(self, df: pd.DataFrame, *, now: pd.Timestamp | None = None) -> None:
        df = check_frame(df, "A listing to look through is a DataFrame")
        self.frame: pd.DataFrame = df.copy()
        columns = {key: column_of(df, name) for key, (_, name, _) in _FACETS.items()}
        self._groupings = {k: _grouping(k, v, now) for k, v in columns.items() if v is not None}
        self.facets: tuple[Facet, ...] = tuple(each.facet for each in self._groupings.values())
        self._haystack = Haystack(df)
        self._search, self._chosen = "", types.MappingProxyType[str, str]({})
        self._misses: dict[str, Mask] = {}
        self._only: Mask | None = None
        self._sort: tuple[str, bool] | None = None
        self._orders: dict[tuple[str, bool] | None, _Numbers] = {None: np.arange(len(df))}
        # What follows from the state above; None until asked for.
        self._found: Mask | None = None
        self._positions: _Numbers | None = None
        self._counts: dict[str, Mapping[str, int]] | None = None

    @property
    def search(self) -> str:
        """What is searched for, as typed."""
        return self._search

    @property
    def chosen(self) -> Mapping[str, str]:
        """The value chosen of each facet by its key; facets that are not in it are open."""
        return self._chosen

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The column that is sorted by and whether downwards; None for the listing's order."""
        return self._sort

    def narrow(self, search: str | None = None, chosen: Mapping[str, str] | None = None) -> None:
        """Search for something else, choose something else, or both.

        Args:
            search: What to search for; "" for everything, None to leave it as it is.
            chosen: Facets by key, each with a choice's value, or with a plain name such as "en"
                where no choice has that value. All others are opened. None leaves all as it is.

        Raises:
            InvalidInput: There is no such facet or choice; everything is as it was.
        """
        if chosen is not None:
            values = {key: self._value(key, value) for key, value in chosen.items()}
            self._chosen = types.MappingProxyType(values)
            self._misses = {key: self._groupings[key].misses(values[key]) for key in values}
        if search is not None and search != self._search:
            self._search, self._found = search, None
        self._positions = self._counts = None

    def restrict(self, positions: Iterable[int] | None) -> None:
        """Show only some rows, whatever else is searched and chosen.

        Args:
            positions: Those rows' positions in `frame`; None for all.
        """
        self._only = None
        if positions is not None:
            self._only = np.zeros(len(self.frame), dtype=np.bool_)
            self._only[np.asarray(list(positions), dtype=np.int64)] = True
        self._positions = self._counts = None

    def sort_by(self, column: str | None, *, descending: bool = False) -> None:
        """Sort what is shown: texts in any case alike, what is missing always last.

        Args:
            column: A column of the listing, or None for the listing's own order.
            descending: From the largest down; rows that are equal keep the listing's order.

        Raises:
            InvalidInput: There is no such column.
        """
        sort = None if column is None else (column, bool(descending))
        if column is not None and sort not in self._orders:
            cells = column_of(self.frame, column)
            if cells is None:
                hint = _hint(column, map(str, self.frame.columns))
                raise InvalidInput(f"{shown(column)} is no column of the listing{hint}")
            self._orders[sort] = _order(with_instants(cells), descending=descending)
        self._sort, self._positions = sort, None

    @property
    def positions(self) -> _Numbers:
        """The positions in `frame` of the rows that are shown, in the order shown; read-only."""
        if self._positions is None:
            order = self._orders[self._sort]
            self._positions = order[self._without(None)[order]]
            self._positions.setflags(write=False)
        return self._positions

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Return by facet key and value how many rows that choice would show, all else as it is.

        The choices are in the order of the facet's.
        """
        if self._counts is None:
            rows = dict.fromkeys(self._groupings, self.positions)
            rows |= {key: np.flatnonzero(self._without(key)) for key in self._chosen}
            self._counts = {key: each.counts(rows[key]) for key, each in self._groupings.items()}
        return dict(self._counts)

    def rank(self, position: int) -> int | None:
        """Return where in `positions` a row of the frame is; None when it is not shown.

        Args:
            position: The row's position in `frame`.
        """
        places = np.flatnonzero(self.positions == position)
        return int(places[0]) if len(places) else None

    def _value(self, key: str, asked: str) -> str:
        """Return the value of the choice that is asked for."""
        if key not in self._groupings:
            raise InvalidInput(f"{shown(key)} is no facet here{_hint(key, self._groupings)}")
        values = [choice.value for choice in self._groupings[key].facet.choices]
        for candidate in (asked, f"={asked}"):
            if candidate in values:
                return candidate
        plain = [value.removeprefix("=") or '""' for value in values]
        raise InvalidInput(f"{shown(asked)} is no choice of {key!r} here{_hint(asked, plain)}")

    def _without(self, key: str | None) -> Mask:
        """Return which rows search, restriction and facets show, one facet left aside."""
        if self._found is None:
            self._found = self._haystack.found(self._search)
        found = self._found if self._only is None else self._found & self._only
        misses = [misses for facet, misses in self._misses.items() if facet != key]
        return np.logical_and(found, ~np.logical_or.reduce(misses)) if misses else found


@dataclass(frozen=True)
class _Grouping:
    """The rows of a listing in groups, and which groups each of a facet's choices shows."""

    facet: Facet
    codes: _Numbers  # the group of each row
    groups: _Numbers  # a group, each at least once, and at the same place in `places`
    places: _Numbers  # a choice that shows it

    def counts(self, rows: _Numbers) -> Mapping[str, int]:
        inside = np.bincount(self.codes[rows], minlength=self.groups.max(initial=-1) + 1)
        count = len(self.facet.choices)
        totals = np.bincount(self.places, weights=inside[self.groups], minlength=count)
        values = (choice.value for choice in self.facet.choices)
        numbers = totals.astype(np.int64).tolist()
        return types.MappingProxyType(dict(zip(values, numbers, strict=True)))

    def misses(self, value: str) -> Mask:
        place = [choice.value for choice in self.facet.choices].index(value)
        outside = np.ones(self.groups.max(initial=-1) + 1, dtype=np.bool_)
        outside[self.groups[self.places == place]] = False
        return outside[self.codes]


def _grouping(key: str, column: pd.Series, now: pd.Timestamp | None) -> _Grouping:
    """Return the rows in groups by a column, as its facet has it."""
    label, _, way = _FACETS[key]
    codes, choices = _updated(column, now) if key == "updated" else way(column)
    facet = Facet(key, label, tuple(Choice(value, text) for value, text, _ in choices))
    pairs = [(group, place) for place, (*_, groups) in enumerate(choices) for group in groups]
    groups, places = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return _Grouping(facet, codes, groups, places)


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
    said = [1 - bool(cell) if type(cell) in (bool, np.bool_) else 2 for cell in cells]
    choices = [("yes", "yes", [0]), ("no", "no", [1]), ("", "not said", [2])]
    return np.array(said, dtype=np.int64), choices if 2 in said else choices[:2]


def _properties(column: pd.Series) -> _Groups:
    cells = column.to_numpy(dtype=object).tolist()
    # A listing has few distinct tuples, each of them one object in many rows.
    objects = {id(cell): cell for cell in cells}
    groups: dict[tuple[str, ...], int] = {}
    codes = {at: groups.setdefault(items_of(cell), len(groups)) for at, cell in objects.items()}
    rows = np.fromiter(map(codes.__getitem__, map(id, cells)), np.int64, len(cells))
    holders: dict[str, list[int]] = {}
    for items, group in groups.items():
        for item in dict.fromkeys(items):
            holders.setdefault(item, []).append(group)
    choices = [
        ("with", "with any", [group for items, group in groups.items() if items]),
        ("without", "without any", [group for items, group in groups.items() if not items]),
        *((f"={item}", visible(item) or "(empty)", holders[item]) for item in sorted(holders)),
    ]
    return rows, [choice for choice in choices if choice[2]]


def _updated(column: pd.Series, now: pd.Timestamp | None) -> _Groups:
    instants = instants_of(column)
    now = pd.to_datetime(pd.Timestamp.now("UTC") if now is None else now, utc=True)
    # The oldest come first: a group lies between one of these moments and the next.
    ages = np.datetime64(now.tz_localize(None), "us") - np.array(_AGES, dtype="timedelta64[D]")
    missing, unknown = np.isnat(instants), len(_AGES) + 1
    codes = np.where(missing, unknown, np.searchsorted(ages, instants, side="right"))
    groups = list(range(unknown))
    choices = {f"within {days} days": groups[_AGES.index(days) + 1 :] for days in _WITHIN}
    choices |= {f"not within {days} days": groups[: _AGES.index(days) + 1] for days in _NOT_WITHIN}
    not_said = [("", "not said", [unknown])] if missing.any() else []
    return codes, [(text, text, shows) for text, shows in choices.items()] + not_said


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
    """Return the rows in the order of a column, equal ones as they are, missing ones last."""
    values = as_arrow(column)
    kind = pa.null() if values is None else values.type
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        values = folded(texts_of(column))
    ranks = np.asarray(compute.rank(values, "ascending", tiebreaker="dense"), dtype=np.int64)
    missing = np.asarray(compute.is_null(values, nan_is_null=True), dtype=np.bool_)
    keys = np.where(missing, len(ranks) + 1, -ranks if descending else ranks)
    return np.argsort(keys, kind="stable")


def _hint(asked: object, known: Iterable[str]) -> str:
    """Return how a message goes on that something is not known."""
    words = [visible(word) for word in known]
    close = nearest(asked, words) if isinstance(asked, str) else None
    return f"; did you mean {close}?" if close else f". There is: {listed(words) or 'none'}."
