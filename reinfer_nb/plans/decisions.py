"""Compare an edited listing with a tenant's, and decide what to create, update and delete.

Sends no requests. All problems are collected, not only the first.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions, in_order_of, places, places_by_id, places_by_name
from reinfer_nb.frames import elements
from reinfer_nb.frames.cells import full_names, taken, text_column
from reinfer_nb.plans.csv_guards import Guards, without, without_in_keys
from reinfer_nb.plans.edited_listing import Intended, Problem, intended
from reinfer_nb.plans.row_identity import NEW, Rows
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, Text, python_value
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled

_FIELDS = {field.name: field for field in fields_of(Source)}
# The text that clears a field of each type.
_CLEARS = {Text: "an empty text", Names: "[]"}
_SET_BY_TENANT = ("created_at", "updated_at", "last_modified")


@dataclass(frozen=True)
class Decisions:
    """The steps and problems of an edited listing.

    Attributes:
        steps: Creates and updates in the order of the edited listing, then deletes in the order
            of the tenant's listing.
        problems: The problems by row; with any, the plan cannot be applied.
        theirs: The number of settings that only others changed since the base.
        by_name: The number of rows that matched a source with another id by project and name.
        ignored: Columns of the edited listing that are not fields of a source.
        outside: By project, the number of sources that are not deleted because the edited listing
            has no source of the project.
        guards: Texts that differ from the tenant's only in form, such as by a guard of `to_csv`.
    """

    steps: tuple[Step, ...]
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
    """Return the steps that turn `now` into `edited`.

    Args:
        edited: The edited listing.
        now: The fresh listing of the tenant.
        base: The listing of this tenant that the edit began with.
        of_this_tenant: True if `edited` comes from the tenant of `now`, so that its ids are valid.
        delete_missing: Delete sources of `now` that are missing from `edited`; with a base, only
            sources that are in the base too.
        project: The project of `now`; None if `now` is the whole tenant.
        everywhere: Delete in all projects of `now`, not only in those with a source in `edited`.

    Raises:
        InvalidInput: A frame is not a listing.
    """
    wanted, guards = intended(edited), Guards()
    wanted = replace(wanted, columns=without_in_keys(wanted.columns, now, guards))
    base, base_problems = (None, []) if base is None else _base(intended(base), now)
    rows = Rows(wanted, now, project, of_this_tenant=of_this_tenant or base is not None)
    references = [(now, rows.there)]
    if base is not None and len(now):
        exists = rows.there >= 0
        origin = _places_in(base, now)[np.where(exists, rows.there, 0)]
        references.append((base, np.where(exists, origin, NEW)))
    columns, same = without(wanted.columns, references, guards)
    wanted = replace(wanted, columns=columns)
    updates = _Updates(rows, wanted, now, base, same)
    changed = [*updates.settings]
    sources = elements.to_sources(now.iloc[rows.there[changed]])
    steps = [
        Step("update", source.owner, source.name, source, updates.settings[row], row=row)
        for row, source in zip(changed, sources, strict=True)
    ]
    problems = [*wanted.problems, *base_problems, *rows.problems, *updates.problems]
    for row in np.flatnonzero(rows.there == NEW).tolist():
        settings, create_problems = _create_settings(wanted, row)
        owner, name = (wanted.columns[key][row] for key in ("owner", "name"))
        steps.append(Step("create", owner, name, settings=settings, row=row))
        problems += create_problems
    steps.sort(key=lambda step: step.row or 0)
    outside: Counter[str] = Counter()
    if delete_missing:
        # A project with creates only is not in scope: the other sources may be left out on purpose.
        scope = None if everywhere else set(now["owner"].take(rows.meant))
        deletes, delete_problems, outside = _deletes(now, rows.meant, base, scope)
        steps += deletes
        problems += delete_problems
    return Decisions(
        tuple(steps),
        tuple(sorted(problems, key=lambda problem: -1 if problem.row is None else problem.row)),
        theirs=updates.theirs,
        by_name=rows.by_name,
        ignored=wanted.ignored,
        outside=dict(outside),
        guards=guards,
    )


def _base(given: Intended, now: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the base without the changes that a file made to its texts, and its problems.

    If rows of the same source differ, the source is a problem and is left out.
    """
    guards = Guards()
    base = without_in_keys(given.columns, now, guards)
    base, _ = without(base, [(now, _places_in(now, base))], guards)
    keys = text_column(base, "id") if "id" in base else full_names(base)
    firsts = places(keys, keys)
    later = np.flatnonzero((firsts >= 0) & (firsts != np.arange(len(base))))
    differ = np.zeros(len(later), dtype=np.bool_)
    for name in base:
        first, again = base[name].take(firsts[later]), base[name].take(later)
        differ |= equality.changed(first, again, _FIELDS[str(name)].type)
    later, numbers = later[differ], given.numbers
    problems = [
        Problem(
            None,
            None,
            None,
            f"Rows {numbers[firsts[row]]:,} and {numbers[row]:,} of the base are the same source "
            f"({shown(keys[row])}) but differ. Keep one of the two in the base.",
        )
        for row in later.tolist()
    ]
    return base[~np.isin(firsts, firsts[later])].reset_index(drop=True), problems


class _Updates:
    """The new settings of existing sources.

    Attributes:
        settings: The settings by row.
        problems: Settings that are invalid, or were changed by others too.
        theirs: The number of settings that only others changed since the base.
    """

    def __init__(
        self,
        rows: Rows,
        wanted: Intended,
        now: pd.DataFrame,
        base: pd.DataFrame | None,
        same: Mapping[str, Flags],
    ) -> None:
        self.settings: dict[int, dict[str, Any]] = {}
        self.problems: list[Problem] = []
        self.theirs = 0
        # In the order of the tenant's listing, which can then be read without a copy.
        self._rows = in_order_of(rows.there, len(now))
        self._at = rows.there[self._rows]
        self._wanted, self._now, self._base, self._same = wanted, now, base, same
        if base is not None:
            self._origin = _places_in(base, now)[self._at]
        for field in _FIELDS.values():
            if field.name in wanted.columns and field.may("update"):
                self._decide(field)
        if rows.same_tenant:
            self._check_timestamps()

    def _decide(self, field: Field) -> None:
        numbers = np.arange(len(self._rows))
        if field.name in self._same:
            numbers = np.flatnonzero(~self._same[field.name][self._rows])
        mine = taken(self._wanted.columns[field.name], self._rows[numbers])
        theirs = taken(self._now[field.name], self._at[numbers])
        differ = equality.changed(mine, theirs, field.type)
        if field.name in self._wanted.readable:
            differ &= self._wanted.readable[field.name][self._rows[numbers]]
        numbers, mine, theirs = numbers[differ], mine[differ], theirs[differ]
        in_base, was = self._in_base(field.name, numbers)
        settable = np.ones(len(numbers), dtype=np.bool_)
        if was is not None:
            by_me = equality.changed(mine, was, field.type) | ~in_base
            by_them = equality.changed(theirs, was, field.type) & in_base
            self.theirs += int((~by_me).sum())
            for index in np.flatnonzero(by_me & by_them).tolist():
                values = _cell(was, index), _cell(mine, index), _cell(theirs, index)
                self._add_conflict(field, values, int(numbers[index]))
            settable = by_me & ~by_them
        for index in np.flatnonzero(settable).tolist():
            self._set(field, _cell(theirs, index), _cell(mine, index), int(numbers[index]))

    def _in_base(self, name: str, numbers: Positions) -> tuple[Flags, pd.Series | None]:
        """Return which sources are in the base, and their values there; None without values."""
        if self._base is None or name not in self._base or not len(self._base):
            return np.zeros(len(numbers), dtype=np.bool_), None
        origin = self._origin[numbers]
        return origin >= 0, self._base[name].take(np.maximum(origin, 0))

    def _set(self, field: Field, before: Any, after: Any, number: int) -> None:
        row = int(self._rows[number])
        if after is None and not field.about.nullable:
            clears = _CLEARS.get(field.type) if field.about.allowed is None else None
            reason = f"is missing, but the tenant has {shown(before)}. " + (
                f"Write {clears} to clear it, or restore the value."
                if clears
                else "It cannot be cleared. Restore the value."
            )
            self.problems.append(Problem(row, field.name, None, reason))
            return
        try:
            field.check(after)
        except ValueError as error:
            self.problems.append(Problem(row, field.name, after, f"{error}."))
            return
        self.settings.setdefault(row, {})[field.name] = after

    def _add_conflict(self, field: Field, values: tuple[Any, ...], number: int) -> None:
        was, mine, theirs = values
        reason = (
            f"was {shown(was)}. You changed it to {shown(mine)}, somebody else to {shown(theirs)}. "
            "Write the value you want into the edited listing, and plan again with a fresh listing "
            "as the base."
        )
        self.problems.append(Problem(int(self._rows[number]), field.name, mine, reason))

    def _check_timestamps(self) -> None:
        """Add problems for edited timestamps, and for rows that are older than the source."""
        for name in (name for name in _SET_BY_TENANT if name in self._wanted.columns):
            mine = taken(self._wanted.columns[name], self._rows)
            theirs = taken(self._now[name], self._at)
            differ = mine.notna().to_numpy() & equality.changed(mine, theirs, Moment)
            numbers = np.flatnonzero(differ)
            in_base, was = self._in_base(name, numbers)
            if was is not None:
                selected = equality.changed(mine.take(numbers), was, Moment) | ~in_base
                numbers, in_base = numbers[selected], in_base[selected]
            for number, is_edited in zip(numbers.tolist(), in_base.tolist(), strict=True):
                row = int(self._rows[number])
                value, current = _cell(mine, number), _cell(theirs, number)
                if name == "created_at" or is_edited:
                    reason = f"is set by the tenant and cannot be changed. Restore {current}."
                elif name == "updated_at" and row in self.settings:
                    reason = (
                        f"is older than the source, which was changed at {current}. Give the "
                        f"listing that the edit began with as {spelled('base=', '--base')}, or "
                        "edit a fresh listing. To restore older settings, drop the columns "
                        "updated_at and last_modified."
                    )
                else:
                    continue
                self.problems.append(Problem(row, name, value, reason))


def _create_settings(wanted: Intended, row: int) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings of a source to create, and the problems with them."""
    settings: dict[str, Any] = {}
    problems = []
    for name, field in _FIELDS.items():
        if name not in wanted.columns or not field.may("create"):
            continue
        if name in wanted.readable and not wanted.readable[name][row]:
            continue
        value = _cell(wanted.columns[name], row)
        if value is None:
            continue
        try:
            field.check(value)
        except ValueError as error:
            problems.append(Problem(row, name, value, f"{error}."))
        else:
            settings[name] = value
    return settings, problems


def _deletes(
    now: pd.DataFrame, listed: Positions, base: pd.DataFrame | None, scope: AbstractSet[str] | None
) -> tuple[list[Step], list[Problem], Counter[str]]:
    """Return the deletes of the sources that are missing from the edited listing.

    Args:
        now: The fresh listing of the tenant.
        listed: The rows of `now` that are in the edited listing.
        base: The listing that the edit began with.
        scope: The projects in which to delete; None for all.

    Returns:
        The deletes; a problem for each source that others have changed; and by project the number
        of missing sources outside the scope.
    """
    missing = np.ones(len(now), dtype=np.bool_)
    missing[listed] = False
    # A tenant may list a source twice.
    missing &= ~now["id"].isin(now["id"].take(listed)).to_numpy()
    missing &= ~now["id"].duplicated().to_numpy()
    problems = []
    if base is not None:
        origin = _places_in(base, now)
        missing &= origin >= 0
    outside: Counter[str] = Counter()
    if scope is not None:
        inside = now["owner"].isin(scope).to_numpy()
        outside.update(now["owner"].to_numpy(dtype=object)[missing & ~inside].tolist())
        missing &= inside
    if base is not None:
        places = np.flatnonzero(missing)
        conflicts = places[_changed(now, base, places, origin)]
        missing[conflicts] = False
        for full_name in full_names(now).take(conflicts):
            reason = (
                f"{full_name} is not in the edited listing, but somebody else has changed it "
                "since the base. Put its row back, or plan again with a fresh listing as the base "
                "to delete it."
            )
            problems.append(Problem(None, None, None, reason))
    sources = elements.to_sources(now.iloc[np.flatnonzero(missing)])
    deletes = [Step("delete", source.owner, source.name, source) for source in sources]
    return deletes, problems, outside


def _changed(now: pd.DataFrame, base: pd.DataFrame, places: Positions, origin: Positions) -> Flags:
    """Return which of the sources at `places` differ from the base."""
    settings = [name for name, field in _FIELDS.items() if field.may("update")]
    changed = np.zeros(len(places), dtype=np.bool_)
    for name in (name for name in ("id", "updated_at", *settings) if name in base):
        was, current = base[name].take(origin[places]), now[name].take(places)
        changed |= equality.changed(was, current, _FIELDS[name].type)
    return changed


def _places_in(base: pd.DataFrame, now: pd.DataFrame) -> Positions:
    """Return the row in the base of each source of the tenant; -1 if there is none."""
    by_id = "id" in base and "id" in now
    return places_by_id(base, now) if by_id else places_by_name(base, now)


def _cell(column: pd.Series, number: int) -> Any:
    return python_value(column.array[number])
