"""Compare, plan and history beside dictionaries: oracles that share no code with the package."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.plans.decisions import decisions

Row = dict[str, Any]
Rows = list[Row]
TEXTS = ["title", "language", "bucket_id", "description", "email_transform_tag"]
FLAG, WHOLE, NAMES = "should_translate", "email_transform_version", "sensitive_properties"
FIELDS = [*TEXTS, FLAG, WHOLE, NAMES]
IDENTITY = ["id", "owner", "name"]
BUCKETS = ["00000000000000b1", "00000000000000b2"]

# Values that tempt a program: numbers, dates, missing values and formulas as text.
ODD = ["a", "b", "A", " a", "nan", "None", "<NA>", "0", "00123", "1e5", "true", "2026-01-01"]
ODD += [
    "=1+1",
    "'x",
    "''",
    "@x",
    "\N{AIRPLANE}",
    "e\u0301",
    "\u00e9",
    "line\nbreak",
    '"',
    ",",
    "\\",
]
CELLS: dict[str, Sequence[Any]] = {
    "title": [None, "", *ODD],
    "language": ["en", "de", "xlm"],
    "bucket_id": [None, *BUCKETS],
    "description": [None, "", *ODD],
    "email_transform_tag": [None, "generic.0", "generic.1"],
    FLAG: [True, False],
    WHOLE: [None, 0, 1, 2**53 + 1],
    NAMES: [(), ("email",), ("phone",), ("email", "phone")],
}
KEYS = [(f"{number:016x}", owner, f"n{number}") for number in range(5) for owner in ("p", "q")]


@st.composite
def listings(draw: st.DrawFn) -> Rows:
    """Draw a listing as dictionaries: any sources, in any order."""
    chosen = draw(st.lists(st.sampled_from(KEYS), unique_by=lambda key: key[0], max_size=5))
    return [
        dict(zip(IDENTITY, key, strict=True))
        | {name: draw(st.sampled_from(CELLS[name])) for name in FIELDS}
        for key in chosen
    ]


@st.composite
def edits(draw: st.DrawFn, rows: Rows) -> Rows:
    """Draw what somebody made of a listing: other cells, fewer rows, another order."""
    edited = [dict(row) for row in rows]
    for row in edited:
        for name in draw(st.sets(st.sampled_from(FIELDS), max_size=2)):
            row[name] = draw(st.sampled_from(CELLS[name]))
    kept = [row for row in edited if draw(st.integers(0, 5))]
    return draw(st.permutations(kept))


# The same listing in the forms in which people have frames


def _as_client(rows: Rows) -> pd.DataFrame:
    df = pd.DataFrame(rows, columns=[*IDENTITY, *FIELDS], dtype=object)
    dtypes = dict.fromkeys((*IDENTITY, *TEXTS), "str") | {FLAG: "boolean", WHOLE: "Int64"}
    return df.astype(dtypes)


def _as_objects(rows: Rows) -> pd.DataFrame:
    df = pd.DataFrame(rows, columns=[*IDENTITY, *FIELDS], dtype=object)
    missing = [None, float("nan"), pd.NA, pd.NaT]
    for name in FIELDS:
        df[name] = pd.Series(
            [
                missing[place % 4] if value is None else value
                for place, value in enumerate(df[name])
            ],
            dtype=object,
        )
    return df


def _as_arrow(rows: Rows) -> pd.DataFrame:
    df = _as_client(rows)
    return df.convert_dtypes(dtype_backend="pyarrow")


def _as_categories(rows: Rows) -> pd.DataFrame:
    return _as_client(rows).astype(dict.fromkeys((*IDENTITY, *TEXTS, FLAG), "category"))


def _as_numpy(rows: Rows) -> pd.DataFrame:
    df = _as_client(rows)
    df[NAMES] = pd.Series([np.array(value, object) for value in df[NAMES]], dtype=object)
    df[FLAG] = pd.Series(
        [None if value is None else np.bool_(value) for value in df[FLAG]], dtype=object
    )
    return df


def _with_own_index(rows: Rows) -> pd.DataFrame:
    df = _as_client(rows)
    return df.set_axis(pd.Index([f"row {n}" for n in range(len(df))], dtype=object))


FORMS: dict[str, Callable[[Rows], pd.DataFrame]] = {
    form.__name__: form
    for form in (_as_client, _as_objects, _as_arrow, _as_categories, _as_numpy, _with_own_index)
}
FORM = st.sampled_from(sorted(FORMS))


def plain(value: Any) -> Any:
    """Return a cell as a value of Python; None for each missing value."""
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


# Compare


def differences(before: Rows, after: Rows) -> dict[str, Any]:
    """The oracle: what was added, removed, renamed and changed."""
    old, new = ({row["id"]: row for row in rows} for rows in (before, after))
    both = [key for key in new if key in old]
    return {
        "added": [key for key in new if key not in old],
        "removed": [key for key in old if key not in new],
        "renamed": [
            k
            for k in both
            if (old[k]["owner"], old[k]["name"]) != (new[k]["owner"], new[k]["name"])
        ],
        "changed": [
            (key, name, old[key][name], new[key][name])
            for key in both
            for name in FIELDS
            if old[key][name] != new[key][name]
        ],
    }


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data(), listings(), FORM, FORM)
def test_compare_finds_what_dictionaries_find(
    data: st.DataObject, before: Rows, left: str, right: str
) -> None:
    after = data.draw(edits(before) | listings())
    found = rnb.compare(FORMS[left](before), FORMS[right](after))
    changed = found.changed[["id", "field", "before", "after"]].itertuples(index=False, name=None)
    assert {
        "added": found.added["id"].tolist(),
        "removed": found.removed["id"].tolist(),
        "renamed": found.renamed["id"].tolist(),
        "changed": [tuple(map(plain, row)) for row in changed],
    } == differences(before, after)


# Plan


def blank(value: Any) -> Any:
    """Return a value; None for an empty text or list, which mean the same in a plan."""
    value = tuple(sorted(value)) if isinstance(value, tuple) else value
    return None if value in ("", ()) else value


def merged(edited: Rows, now: Rows, base: Rows | None, *, delete: bool) -> dict[str, Any]:
    """The oracle: what a plan must do, by place in the edited listing, and what it must refuse."""
    there, origin = ({row["id"]: row for row in rows} for rows in (now, base or now))
    by_name = {(row["owner"], row["name"]): row["id"] for row in now}
    updates: dict[int, Row] = {}
    creates: dict[int, Row] = {}
    refused: set[tuple[int | None, str | None]] = set()
    kept = set()
    for place, row in enumerate(edited):
        key = row["id"] or by_name.get((row["owner"], row["name"]))
        kept.add(key)
        if key is None:
            given = {name: blank(row[name]) for name in FIELDS}
            creates[place] = {name: value for name, value in given.items() if value is not None}
        for name in FIELDS if key else ():
            # Without a base, every difference is meant.
            was = blank(origin[key][name]) if base and key in origin else object()
            mine, theirs = blank(row[name]), blank(there[key][name])
            if mine in (theirs, was):
                continue
            # An empty cell may be an accident: to clear a field takes an empty text or list.
            is_accident = row[name] is None and name != "bucket_id"
            if is_accident or (base and theirs != was):
                refused.add((place, name))
            else:
                updates.setdefault(place, {})[name] = mine
    gone = [key for key in there if delete and key not in kept and key in origin]
    # Nobody deletes what somebody else has just changed.
    is_same = {
        key: all(blank(there[key][f]) == blank(origin[key][f]) for f in FIELDS) for key in gone
    }
    refused |= {(None, None) for key in gone if not is_same[key]}
    gone = [key for key in gone if is_same[key]]
    return {"updates": updates, "creates": creates, "refused": refused, "deletes": gone}


def named_anew(row: Row, number: int) -> Row:
    """Return a source that is not there yet, with the settings of another."""
    return row | {"id": None, "name": f"new-{number}"}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data(), listings(), st.tuples(FORM, FORM, FORM))
def test_a_plan_is_the_merge_of_dictionaries(
    data: st.DataObject, base: Rows, forms: tuple[str, str, str]
) -> None:
    has_base, delete = data.draw(st.booleans()), data.draw(st.booleans())
    now = data.draw(edits(base)) if has_base else base
    ids = {row["id"] for row in now}
    edited = [row for row in data.draw(edits(base)) if row["id"] in ids]
    added = data.draw(st.lists(st.sampled_from(base), max_size=2)) if base else []
    edited += [named_anew(row, number) for number, row in enumerate(added)]
    # Somebody left out ids, but not names.
    edited = [row | {"id": None} if data.draw(st.booleans()) else row for row in edited]
    frames = [FORMS[form](rows) for form, rows in zip(forms, (edited, now, base), strict=True)]
    decided = decisions(
        frames[0],
        frames[1],
        frames[2] if has_base else None,
        of_this_tenant=True,
        delete_missing=delete,
        everywhere=True,
    )

    def of_kind(kind: str) -> dict[int | None, Row]:
        return {
            step.row: {name: blank(plain(value)) for name, value in step.settings.items()}
            for step in decided.steps
            if step.kind == kind
        }

    assert {
        "updates": of_kind("update"),
        "creates": {
            place: {name: value for name, value in cells.items() if value is not None}
            for place, cells in of_kind("create").items()
        },
        "refused": {(problem.row, problem.column) for problem in decided.problems},
        "deletes": [step.id for step in decided.steps if step.kind == "delete"],
    } == merged(edited, now, base if has_base else None, delete=delete)


# History

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def versions(snapshots: Sequence[tuple[datetime, Rows]], key: str) -> list[tuple[Any, ...]]:
    """The oracle: the versions of a source as (first, last, gone, title ...)."""
    found: list[list[Any]] = []
    is_there = False
    for moment, rows in snapshots:
        row = next((row for row in rows if row["id"] == key), None)
        if row is None:
            if is_there:
                found[-1][2] = moment
            is_there = False
        elif is_there and found[-1][3] == row:
            found[-1][1] = moment
        else:
            found.append([moment, moment, None, row])
            is_there = True
    return [tuple(version) for version in found]


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), first=listings())
def test_a_history_tells_what_dictionaries_tell(
    data: st.DataObject, first: Rows, tmp_path_factory: pytest.TempPathFactory
) -> None:
    history = rnb.History(tmp_path_factory.mktemp("history"))
    snapshots: list[tuple[datetime, Rows]] = []
    rows = first
    for number in range(data.draw(st.integers(1, 5))):
        moment = FIRST + timedelta(days=number)
        history.record(_as_client(rows), when=moment)
        snapshots.append((moment, rows))
        # Somebody edits, deletes, and perhaps creates again what was deleted.
        rows = data.draw(edits(rows) | st.just(rows) | st.just(first))
    for moment, recorded in snapshots:
        # The same rows in another order are not stored again.
        loaded = _rows_of(history.load(moment))
        assert sorted(loaded, key=itemgetter("id")) == sorted(recorded, key=itemgetter("id"))
    told = history.changes()
    expected = [
        (moment, row)
        for (_, before), (moment, after) in pairwise(snapshots)
        for row in _told(differences(before, after))
    ]
    assert sorted(
        zip(told["snapshot_at"], told["what"], told["id"], told["field"].fillna(""), strict=True)
    ) == sorted((moment, *row) for moment, row in expected)
    for key in {row["id"] for _, recorded in snapshots for row in recorded}:
        timeline = history.timeline(key)
        shown = zip(
            *(map(plain, timeline[name]) for name in ("snapshot_at", "last_seen", "gone_at")),
            _rows_of(timeline),
            strict=True,
        )
        assert list(shown) == versions(snapshots, key)


def _rows_of(df: pd.DataFrame) -> Rows:
    rows = df[[*IDENTITY, *FIELDS]].to_dict("records")
    return [{str(name): plain(value) for name, value in row.items()} for row in rows]


def _told(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return differences as (what, id, field)."""
    whole = [(what, key, "") for what in ("added", "removed") for key in found[what]]
    return [*whole, *(("changed", key, name) for key, name, _, _ in found["changed"])]
