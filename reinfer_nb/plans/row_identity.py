"""Match the rows of an edited listing with the sources of a tenant.

An id takes precedence over a name. Neither can be changed on the tenant, so a row whose id and name
belong to two sources is a problem.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions, places_by_id, places_by_name
from reinfer_nb.frames.cells import full_names, text_column
from reinfer_nb.plans.edited_listing import Intended, Problem
from reinfer_nb.schema import validation
from reinfer_nb.wording import spelled

# Markers: NEW, to be created; UNCLEAR, could not be matched.
NEW, UNCLEAR = -1, -2


def _of_another_tenant() -> str:
    return " If the listing is from another tenant, " + spelled(
        "set df.attrs['endpoint'] to that tenant's endpoint.",
        "empty its column id: the rows are then matched by project and name.",
    )


class Rows:
    """The rows of an edited listing, matched with the rows of the tenant's listing.

    Attributes:
        there: For each row the row in the tenant's listing; `NEW` for a source to create,
            `UNCLEAR` for a row with a problem.
        problems: The problems of `UNCLEAR` rows.
        meant: The rows of the tenant's listing that any row matches, even one with a problem.
        same_tenant: True if the ids are those of the tenant.
        by_name: The number of rows that matched a source with another id by name.
    """

    def __init__(
        self, intended: Intended, now: pd.DataFrame, project: str | None, *, of_this_tenant: bool
    ) -> None:
        self._df, self._now, self.same_tenant = intended.columns, now, of_this_tenant
        self.problems: list[Problem] = []
        ids, owners, names = (text_column(self._df, key) for key in ("id", "owner", "name"))
        self._names, self._numbers = full_names(self._df), intended.numbers
        by_id = places_by_id(now, self._df)
        by_name = np.full_like(by_id, -1)
        # An id takes precedence, so the other rows need not be looked up by name.
        unknown = np.flatnonzero(by_id < 0)
        if len(unknown):
            by_name[unknown] = places_by_name(now, self._df.iloc[unknown])
        has_id, has_name = ids.notna().to_numpy(), self._names.notna().to_numpy()
        fine = np.ones(len(ids), dtype=np.bool_)
        for key in ("id", "owner", "name"):
            fine &= intended.readable.get(key, np.True_)
        if project is not None:
            elsewhere = fine & (owners.notna() & (owners != project)).to_numpy()
            self._refuse(
                elsewhere,
                "owner",
                lambda _: f"must be {project}, the only project of this plan.",
            )
            fine &= ~elsewhere
        self.there = np.where(by_id >= 0, by_id, by_name)
        self._refuse(
            fine & ~has_id & ~has_name,
            None,
            lambda _: "names no source. Give an id, or both owner and name.",
        )
        self._refuse(
            fine & has_id & (self.there < 0) & ~has_name,
            "id",
            lambda _: "is not the id of a source here. A new source needs owner and name.",
        )
        fine &= has_id & (by_id >= 0) | has_name
        fine &= self._check_names(by_id, fine)
        foreign = fine & has_id & (by_id < 0)
        self.by_name = int((foreign & (by_name >= 0)).sum())
        if of_this_tenant:
            # Without any known id, the listing may be from another tenant, read from a file.
            hint = "" if (by_id >= 0).any() else _of_another_tenant()
            self._refuse(foreign & (by_name >= 0), "id", lambda row: self._other_id(row) + hint)
            self._refuse(
                foreign & (by_name < 0),
                "id",
                lambda _: (
                    "is not the id of an existing source: the source was deleted, or the id is "
                    f"wrong. Drop the row, or leave its id empty to create a new source.{hint}"
                ),
            )
            fine &= ~foreign
            self.by_name = 0
        fine &= self._check_new(fine & (self.there < 0), owners, names)
        # Before UNCLEAR is set: a source whose row has a problem is not missing.
        is_meant = np.zeros(len(now), dtype=np.bool_)
        is_meant[self.there[self.there >= 0]] = True
        self.meant = np.flatnonzero(is_meant)
        self.there[~fine] = UNCLEAR
        self._check_duplicates()

    def _refuse(self, where: Flags, column: str | None, reason: Callable[[int], str]) -> None:
        for row in np.flatnonzero(where).tolist():
            value = None if column is None else self._df[column][row]
            self.problems.append(Problem(row, column, value, reason(row)))

    def _check_names(self, by_id: Positions, fine: Flags) -> Flags:
        """Return True for each row whose owner and name belong to the source of its id."""
        rows = np.flatnonzero(fine & (by_id >= 0))
        same = np.ones(len(fine), dtype=np.bool_)
        for key in (key for key in ("owner", "name") if key in self._df):
            mine, theirs = self._df[key].take(rows), self._now[key].take(by_id[rows])
            wrong = equality.unequal(mine, theirs) & mine.notna().to_numpy()
            for row in rows[wrong].tolist():
                place = by_id[row]
                full = f"{self._now['owner'].iloc[place]}/{self._now['name'].iloc[place]}"
                reason = (
                    f"cannot be changed: this id belongs to {full}, and no source can be renamed "
                    "or moved. Restore it, or leave the id empty to create a new source."
                )
                self.problems.append(Problem(row, key, self._df[key][row], reason))
            same[rows[wrong]] = False
        return same

    def _other_id(self, row: int) -> str:
        other = self._now["id"].iloc[self.there[row]]
        return (
            f"is not the id of {self._names[row]}, which is {other}: the id was changed, or the "
            f"source was deleted and created again. For the existing source, write {other}."
        )

    def _check_new(self, new: Flags, owners: pd.Series, names: pd.Series) -> Flags:
        """Return True for each source to create with a valid project and name."""
        fine = np.ones(len(new), dtype=np.bool_)
        for row in np.flatnonzero(new).tolist():
            for key, value in (("owner", owners[row]), ("name", names[row])):
                if not validation.is_name(value):
                    reason = f"must be {validation.NAME_RULE}."
                    self.problems.append(Problem(row, key, value, reason))
                    fine[row] = False
        return fine

    def _check_duplicates(self) -> None:
        old = np.flatnonzero(self.there >= 0)
        new = np.flatnonzero(self.there == NEW)
        for rows, keys in ((old, pd.Series(self.there[old])), (new, self._names.take(new))):
            codes, _ = pd.factorize(keys)
            firsts = np.unique(codes, return_index=True)[1]
            for number in np.flatnonzero(keys.duplicated().to_numpy()).tolist():
                row, first = int(rows[number]), int(rows[firsts[codes[number]]])
                reason = f"is the same source as row {self._numbers[first]:,}. Keep one of the two."
                self.problems.append(Problem(row, None, None, reason))
                self.there[row] = UNCLEAR
