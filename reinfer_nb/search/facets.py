"""The facets of a listing: groups of rows by project, language, kind, bucket and so on.

Values of choices are unambiguous texts: a project, language, kind or property is its name after
"=", so "=en" is English and "=with" is a property named "with"; "" is a missing value; all other
values, such as "without" or "within 7 days", are defined here.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reinfer_nb.frames.cells import TEXT, instants_of, items_of, texts_of
from reinfer_nb.schema.records import KINDS, LANGUAGES
from reinfer_nb.search.text_index import Mask, folded, folded_text, rows_with
from reinfer_nb.text import visible

_WITHIN = (7, 30, 90, 365)
_NOT_WITHIN = (30, 90, 365, 730)
_BUCKET = "bucket_id"
_AGES = sorted({*_WITHIN, *_NOT_WITHIN}, reverse=True)

_Numbers = np.ndarray[Any, np.dtype[np.int64]]
# The group of each row; and for each choice its value, its label and the groups that it shows.
_Groups = tuple[_Numbers, list[tuple[str, str, list[int]]]]

# Facets whose choices are shown in their own order; of all others, those with most rows are first.
IN_ORDER = ("updated",)


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


@dataclass(frozen=True)
class Grouping:
    """The groups of rows that the choices of a facet show."""

    facet: Facet
    codes: _Numbers  # the group of each row
    # Pairs: `positions[i]` is the position of a choice that shows the group `groups[i]`.
    groups: _Numbers
    positions: _Numbers

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The position of each choice by its value."""
        return {choice.value: place for place, choice in enumerate(self.facet.choices)}

    @cached_property
    def _labels(self) -> Any:
        return folded(pa.array([choice.label for choice in self.facet.choices], TEXT))

    def labelled(self, typed: str) -> Mask:
        """Return a mask of the choices whose label contains a text, as the search compares."""
        return rows_with(self._labels, folded_text(typed.strip()))

    def counts(self, rows: _Numbers) -> Mapping[str, int]:
        """Return how many of some rows each choice shows."""
        sizes = np.bincount(self.codes[rows], minlength=self.groups.max(initial=-1) + 1)
        count = len(self.facet.choices)
        totals = np.bincount(self.positions, weights=sizes[self.groups], minlength=count)
        numbers = totals.astype(np.int64).tolist()
        return types.MappingProxyType(dict(zip(self.places, numbers, strict=True)))

    def hidden(self, values: Collection[str]) -> Mask:
        """Return a mask of the rows that none of some choices shows."""
        places = [self.places[value] for value in values]
        hidden = np.ones(self.groups.max(initial=-1) + 1, dtype=np.bool_)
        hidden[self.groups[np.isin(self.positions, places)]] = False
        return hidden[self.codes]


def grouping(
    key: str, column: pd.Series, now: pd.Timestamp | None, names: Mapping[str, str] | None = None
) -> Grouping:
    """Group the rows by a column for its facet.

    Args:
        key: The key of the facet.
        column: Its column of the listing.
        now: The time from which the facet "Updated" counts; None for the current time.
        names: The names of buckets by id.
    """
    label, _, group_rows = FACETS[key]
    if key == "updated":
        codes, choices = _updated(column, now)
    elif key == "bucket":
        codes, choices = _bucket(column, names or {})
    else:
        codes, choices = group_rows(column)
    facet = Facet(key, label, tuple(Choice(value, text) for value, text, _ in choices))
    pairs = [(group, n) for n, (*_, groups) in enumerate(choices) for group in groups]
    groups, positions = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Grouping(facet, codes, groups, positions)


def with_names(df: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a listing with the names of buckets beside their ids, as in "claims/inbox (0123)".

    Args:
        df: The listing; it is returned unchanged if there is nothing to name.
        names: The names of buckets by id.
    """
    if not names or list(df.columns).count(_BUCKET) != 1:
        return df
    texts = texts_of(df[_BUCKET]).dictionary_encode()
    ids = texts.dictionary.to_pylist()
    labels = pa.array([f"{names[key]} ({key})" if key in names else key for key in ids], TEXT)
    column = pd.Series(labels.take(texts.indices), index=df.index, dtype="str")
    return df.assign(**{_BUCKET: column})


def _named(
    column: pd.Series,
    meanings: Mapping[str, str] | None = None,
    label: str = "{meaning} ({name})",
) -> _Groups:
    """Group the rows by text.

    Args:
        column: The column.
        meanings: The meanings of names.
        label: The label of a choice whose name has a meaning.
    """
    encoded = texts_of(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(encoded.indices.fill_null(len(names)), dtype=np.int64)
    choices = []
    for group, name in enumerate(names):
        meaning = (meanings or {}).get(name)
        text = visible(label.format(meaning=meaning, name=name) if meaning else name)
        choices.append((f"={name}", text or "(empty)", [group]))
    choices.sort(key=lambda choice: (choice[1].lower(), choice[0]))
    missing = [("", "(none)", [len(names)])] if encoded.indices.null_count else []
    return codes, choices + missing


def _bucket(column: pd.Series, names: Mapping[str, str]) -> _Groups:
    """Group the rows by bucket if buckets have names, or else by whether they have a bucket."""
    if not names:
        choices = [("with", "with", [0]), ("without", "without", [1])]
        return np.asarray(column.isna(), np.int64), choices
    codes, known = _named(column, names, "{meaning}")
    missing = known.pop()[2] if known and not known[-1][0] else []
    having = [group for *_, groups in known for group in groups]
    return codes, [("with", "with", having), ("without", "without", missing), *known]


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


# By key: the label, the column, and the function that groups its rows.
FACETS: dict[str, tuple[str, str, Callable[..., _Groups]]] = {
    "owner": ("Project", "owner", _named),
    "language": ("Language", "language", partial(_named, meanings=LANGUAGES)),
    "kind": ("Kind", "kind", partial(_named, meanings=KINDS)),
    "bucket": ("Bucket", _BUCKET, _named),
    "should_translate": ("Translated", "should_translate", _translated),
    "sensitive_properties": ("Sensitive properties", "sensitive_properties", _properties),
    "updated": ("Updated", "updated_at", _updated),
}
