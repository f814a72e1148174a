"""What has to be done on a tenant so that it is as an edited listing says.

Decides; sends nothing and asks for nothing. All that stands in the way is listed at once.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions
from reinfer_nb.plans.csv_guards import Guards, without, without_in_keys
from reinfer_nb.plans.edited_listing import Intended, Problem, intended
from reinfer_nb.plans.row_identity import NEW, Rows, cell, full_names, places
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, Text
from reinfer_nb.text import shown

Kind = Literal["create", "update", "delete"]
_FIELDS = {field.name: field for field in fields_of(Source)}
# What clears a field that can be cleared.
_CLEARS = {Text: "an empty text", Names: "[]"}
_SET_BY_TENANT = ("created_at", "updated_at", "last_modified")


@dataclass(frozen=True, slots=True)
class Setting:
    """A field that an action sets.

    Attributes:
        field: Which.
        before: What it is on the tenant; None where there is nothing.
        after: What it is to be; None clears it.
    """

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do on the tenant.

    Attributes:
        kind: "create", "update" or "delete".
        owner: The source's project.
        name: Its name.
        id: Its id on the tenant; None for one to be made.
        row: The row of the edited listing that asks for it; None for a delete.
        settings: What it sets; empty for a delete.
        place: The row of the tenant's listing that it is about; None for one to be made.
    """

    kind: Kind
    owner: str
    name: str
    id: str | None
    row: int | None
    settings: tuple[Setting, ...] = ()
    place: int | None = None


@dataclass(frozen=True)
class Decisions:
    """What is to be done, and what stands in the way.

    Attributes:
        actions: Creates and updates in the order of the rows, then deletes in that of the tenant.
        problems: What stands in the way, by row; with any, nothing should be done.
        theirs: How many settings are left as others changed them since the base.
        by_name: How many rows are of a source with another id, known by project and name.
        ignored: Columns of the edited listing that are none of a source.
        outside: By project, how many sources are not deleted since the edited listing has no
            source of their project.
        guards: What became of texts that differ in form alone, as by a guard of `to_csv`.
    """

    actions: tuple[Action, ...]
    problems: tuple[Problem, ...]
    theirs: int
    by_name: int
    ignored: tuple[str, ...]
    outside: Mapping[str, int] = dataclasses.field(default_factory=dict)
    guards: Guards = dataclasses.field(default_factory=Guards)


def decisions(
    edited: object,
    now: pd.DataFrame,
    base: pd.DataFrame | None = None,
    *,
    of_this_tenant: bool,
    delete_missing: bool = False,
    project: str | None = None,
    everywhere: bool = False,
) -> Decisions:
    """Return what has to be done so that `now` becomes what `edited` says.

    Args:
        edited: The edited listing.
        now: The listing as the tenant has it, fresh.
        base: The listing of this tenant that the edit began with.
        of_this_tenant: Whether `edited` comes from the tenant of `now`, so that an id in it is
            an id there.
        delete_missing: Delete what `now` has and `edited` has not; with a base, only what that
            has too.
        project: The project that `now` is a listing of; None for one of all.
        everywhere: Delete in all projects of `now`, not only in those of which `edited` has a
            source.

    Raises:
        InvalidInput: A frame is no listing.
    """
    wanted, guards = intended(edited), Guards()
    wanted = replace(wanted, columns=without_in_keys(wanted.columns, now, guards))
    began, ambiguous = (None, []) if base is None else _base(intended(base).columns, now)
    rows = Rows(wanted, now, project, of_this_tenant=of_this_tenant or began is not None)
    references = [(now, rows.there)]
    if began is not None and len(now):
        is_there = rows.there >= 0
        origin = _places_in(began, now)[np.where(is_there, rows.there, 0)]
        references.append((began, np.where(is_there, origin, NEW)))
    wanted = replace(wanted, columns=without(wanted.columns, references, guards))
    updating = _Updating(rows, wanted, now, began)
    changed = np.array([*updating.settings], dtype=np.int64)
    actions = [
        Action("update", owner, name, id_, row, tuple(updating.settings[row]), place)
        for owner, name, id_, row, place in _named(now, rows.there[changed], changed)
    ]
    problems = [*wanted.problems, *ambiguous, *rows.problems, *updating.problems]
    for row in np.flatnonzero(rows.there == NEW).tolist():
        settings, wrong = _created(wanted, row)
        owner, name = (wanted.columns[key][row] for key in ("owner", "name"))
        actions.append(Action("create", owner, name, None, row, tuple(settings)))
        problems += wrong
    actions.sort(key=lambda action: action.row or 0)
    outside: Counter[str] = Counter()
    if delete_missing:
        # A row that makes the first source of a project says nothing of what else is in there.
        scope = None if everywhere else set(now["owner"].take(rows.meant))
        deletes, others, outside = _deletes(now, rows.meant, began, scope)
        actions += deletes
        problems += others
    return Decisions(
        tuple(actions),
        tuple(sorted(problems, key=lambda problem: -1 if problem.row is None else problem.row)),
        theirs=updating.theirs,
        by_name=rows.by_name,
        ignored=wanted.ignored,
        outside=dict(outside),
        guards=guards,
    )


def _base(base: pd.DataFrame, now: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return a base with its texts as they were before they went through a file, and its problems.

    A source in several rows that differ is a problem, and the base is returned without it.
    """
    guards = Guards()
    base = without_in_keys(base, now, guards)
    base = without(base, [(now, _places_in(now, base))], guards)
    keys = base["id"] if "id" in base else full_names(base)
    firsts = places(keys, keys.where(keys != ""))
    later = np.flatnonzero((firsts >= 0) & (firsts != np.arange(len(base))))
    differ = np.zeros(len(later), dtype=np.bool_)
    for name in base:
        first, again = base[name].take(firsts[later]), base[name].take(later)
        differ |= equality.changed(first, again, _FIELDS[str(name)].type)
    later = later[differ]
    problems = [
        Problem(
            None,
            None,
            None,
            f"Row {row:,} of the base is the same source as its row {firsts[row]:,} "
            f"({shown(keys[row])}), and they differ: keep one of the two in the base.",
        )
        for row in later.tolist()
    ]
    return base[~np.isin(firsts, firsts[later])].reset_index(drop=True), problems


class _Updating:
    """What is to be set of the sources that are there.

    Attributes:
        settings: By row.
        problems: Settings that cannot be, and those that others changed meanwhile.
        theirs: How many settings stay as others changed them since the base.
    """

    def __init__(
        self, rows: Rows, wanted: Intended, now: pd.DataFrame, base: pd.DataFrame | None
    ) -> None:
        self.settings: dict[int, list[Setting]] = {}
        self.problems: list[Problem] = []
        self.theirs = 0
        self._rows = np.flatnonzero(rows.there >= 0)
        self._at = rows.there[self._rows]
        self._wanted, self._now, self._base = wanted, now, base
        if base is not None:
            self._origin = _places_in(base, now)[self._at]
        for field in _FIELDS.values():
            if field.name in wanted.columns and field.may("update"):
                self._decide(field)
        if rows.same_tenant:
            self._check_tenants()

    def _decide(self, field: Field) -> None:
        mine = self._wanted.columns[field.name].take(self._rows)
        theirs = self._now[field.name].take(self._at)
        differ = equality.changed(mine, theirs, field.type)
        if field.name in self._wanted.readable:
            differ &= self._wanted.readable[field.name][self._rows]
        found = np.flatnonzero(differ)
        known, was = self._in_base(field.name, found)
        if was is not None:
            by_me = equality.changed(mine.take(found), was, field.type) | ~known
            by_them = equality.changed(theirs.take(found), was, field.type) & known
            self.theirs += int((~by_me).sum())
            for number in np.flatnonzero(by_me & by_them).tolist():
                values = cell(was, number), *(cell(x, found[number]) for x in (mine, theirs))
                self._both(field, values, int(found[number]))
            found = found[by_me & ~by_them]
        for number in found.tolist():
            self._set(field, cell(theirs, number), cell(mine, number), number)

    def _in_base(self, name: str, found: Positions) -> tuple[Flags, pd.Series | None]:
        """Return which of some rows the base has, and what it has there; None without any."""
        if self._base is None or name not in self._base or not len(self._base):
            return np.zeros(len(found), dtype=np.bool_), None
        origin = self._origin[found]
        return origin >= 0, self._base[name].take(np.maximum(origin, 0))

    def _set(self, field: Field, before: Any, after: Any, number: int) -> None:
        row = int(self._rows[number])
        if after is None and not field.about.nullable:
            clears = _CLEARS.get(field.type) if field.about.allowed is None else None
            reason = f"is missing, where the tenant has {shown(before)}; that clears nothing. " + (
                f"Write {clears} to clear it, or put it back." if clears else "Put it back."
            )
            self.problems.append(Problem(row, field.name, None, reason))
            return
        try:
            field.check(after)
        except ValueError as error:
            self.problems.append(Problem(row, field.name, after, f"{error}."))
            return
        self.settings.setdefault(row, []).append(Setting(field.name, before, after))

    def _both(self, field: Field, values: tuple[Any, ...], number: int) -> None:
        was, mine, theirs = values
        reason = (
            f"was {shown(was)}; you made it {shown(mine)}, and somebody else {shown(theirs)} "
            "meanwhile. Write what it is to be into the edited listing, and plan it with a "
            "listing made anew as the base."
        )
        self.problems.append(Problem(int(self._rows[number]), field.name, mine, reason))

    def _check_tenants(self) -> None:
        """Find what only the tenant sets, and rows that are older than what it has."""
        for name in (name for name in _SET_BY_TENANT if name in self._wanted.columns):
            mine = self._wanted.columns[name].take(self._rows)
            theirs = self._now[name].take(self._at)
            differ = mine.notna().to_numpy() & equality.changed(mine, theirs, Moment)
            found = np.flatnonzero(differ)
            known, was = self._in_base(name, found)
            if was is not None:
                edited = equality.changed(mine.take(found), was, Moment)
                found, known = found[edited | ~known], known[edited | ~known]
            for number, in_base in zip(found.tolist(), known.tolist(), strict=True):
                row = int(self._rows[number])
                value, there = cell(mine, number), cell(theirs, number)
                if name == "created_at" or in_base:
                    reason = f"is set by the tenant and cannot be changed: put back {there}."
                elif name == "updated_at" and row in self.settings:
                    reason = (
                        f"says that the row is older than the source, which was changed at {there}."
                        " Give the listing that the edit began with as base=, or edit a new one; "
                        "or, to put back what an older listing says, drop its columns updated_at "
                        "and last_modified."
                    )
                else:
                    continue
                self.problems.append(Problem(row, name, value, reason))


def _created(wanted: Intended, row: int) -> tuple[list[Setting], list[Problem]]:
    """Return what a source to be made is given, and what it cannot be."""
    settings, problems = [], []
    for name, field in _FIELDS.items():
        if name not in wanted.columns or not field.may("create"):
            continue
        if name in wanted.readable and not wanted.readable[name][row]:
            continue
        value = cell(wanted.columns[name], row)
        if value is None:
            continue
        try:
            field.check(value)
        except ValueError as error:
            problems.append(Problem(row, name, value, f"{error}."))
        else:
            settings.append(Setting(name, None, value))
    return settings, problems


def _deletes(
    now: pd.DataFrame, kept: Positions, base: pd.DataFrame | None, scope: AbstractSet[str] | None
) -> tuple[list[Action], list[Problem], Counter[str]]:
    """Return the deletes of what no row is about, in some projects.

    Args:
        now: The listing as the tenant has it.
        kept: The rows of it that rows of the edited listing are about.
        base: The listing that the edit began with.
        scope: The projects; None for all.

    Returns:
        The deletes; the sources that others have changed, as problems; and by project how many
        sources would be deleted if the scope were all projects.
    """
    gone = np.ones(len(now), dtype=np.bool_)
    gone[kept] = False
    # A tenant may list a source twice.
    gone &= ~now["id"].isin(now["id"].take(kept)).to_numpy() & ~now["id"].duplicated().to_numpy()
    problems = []
    if base is not None:
        origin = _places_in(base, now)
        gone &= origin >= 0
    outside: Counter[str] = Counter()
    if scope is not None:
        inside = now["owner"].isin(scope).to_numpy()
        outside.update(now["owner"].to_numpy(dtype=object)[gone & ~inside].tolist())
        gone &= inside
    if base is not None:
        places = np.flatnonzero(gone)
        for owner, name, _, place in _named(now, places[_changed(now, base, places, origin)]):
            gone[place] = False
            reason = (
                f"{owner}/{name} is not in the edited listing, and somebody else has changed it "
                "since the base. Put its row back; or, if it is to be deleted all the same, plan "
                "it with a listing made anew as the base."
            )
            problems.append(Problem(None, None, None, reason))
    actions = [
        Action("delete", owner, name, id_, None, place=place)
        for owner, name, id_, place in _named(now, np.flatnonzero(gone))
    ]
    return actions, problems, outside


def _changed(now: pd.DataFrame, base: pd.DataFrame, places: Positions, origin: Positions) -> Flags:
    """Return which sources, at some places, are not as the base has them."""
    settings = [name for name, field in _FIELDS.items() if field.may("update")]
    changed = np.zeros(len(places), dtype=np.bool_)
    for name in (name for name in ("id", "updated_at", *settings) if name in base):
        was, there = base[name].take(origin[places]), now[name].take(places)
        changed |= equality.changed(was, there, _FIELDS[name].type)
    return changed


def _named(now: pd.DataFrame, places: Positions, *others: Positions) -> Iterable[tuple[Any, ...]]:
    """Return owner, name and id of the sources at some places, then what else belongs to them."""
    columns = (now[key].take(places) for key in ("owner", "name", "id"))
    return zip(*columns, *(other.tolist() for other in (*others, places)), strict=True)


def _places_in(base: pd.DataFrame, now: pd.DataFrame) -> Positions:
    """Return where the base has each source of the tenant; -1 for those it has not."""
    if "id" in base and "id" in now:
        return places(base["id"], now["id"])
    return places(full_names(base), full_names(now))
