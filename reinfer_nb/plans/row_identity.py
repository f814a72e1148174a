"""Which source of a tenant each row of an edited listing is, and which rows cannot be told.

Ids go before names: a source keeps both, so that a row whose id and name are of two sources was
edited where no edit can mean anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import compute

from reinfer_nb.diff import equality
from reinfer_nb.diff.equality import Flags
from reinfer_nb.diff.matching import Positions
from reinfer_nb.plans.edited_listing import Intended, Problem
from reinfer_nb.schema import validation
from reinfer_nb.schema.value_types import Text, is_missing

# What a row is that is no source of the tenant, and what one is of which that is not known.
NEW, UNCLEAR = -1, -2
_OF_ANOTHER_TENANT = (
    " Where the listing is of another tenant, say so: df.attrs['endpoint'] = its endpoint."
)


class Rows:
    """Which source of the tenant each row of an edited listing is.

    Attributes:
        there: By row the row of the tenant's listing; `NEW` for a source to be made, `UNCLEAR`
            where there is a problem.
        problems: Those rows', and the columns that say so.
        meant: The rows of the tenant's listing that any row is about, be it with a problem.
        same_tenant: Whether ids are those of the tenant.
        by_name: How many rows with an id are of a source that has another.
    """

    def __init__(
        self, wanted: Intended, now: pd.DataFrame, project: str | None, *, of_this_tenant: bool
    ) -> None:
        self._df, self._now, self.same_tenant = wanted.columns, now, of_this_tenant
        self.problems: list[Problem] = []
        ids, owners, names = (_texts(self._df, key) for key in ("id", "owner", "name"))
        self._names = owners + "/" + names
        by_id = places(now["id"], ids)
        by_name = np.full(len(ids), NEW, dtype=np.int64)
        others = np.flatnonzero(by_id < 0)
        if len(others):
            by_name[others] = places(full_names(now), self._names.take(others))
        has_id, named = ids.notna().to_numpy(), self._names.notna().to_numpy()
        fine = np.ones(len(ids), dtype=np.bool_)
        for key in ("id", "owner", "name"):
            fine &= wanted.readable.get(key, np.True_)
        if project is not None:
            elsewhere = fine & (owners.notna() & (owners != project)).to_numpy()
            self._refuse(
                elsewhere,
                "owner",
                lambda _: f"must be {project}: the plan is for this project alone.",
            )
            fine &= ~elsewhere
        self.there = np.where(by_id >= 0, by_id, by_name)
        self._refuse(
            fine & ~has_id & ~named,
            None,
            lambda _: "says no source: there is neither an id nor both of owner and name.",
        )
        self._refuse(
            fine & has_id & (self.there < 0) & ~named,
            "id",
            lambda _: "is of no source of this tenant, and a new one needs owner and name.",
        )
        fine &= has_id & (by_id >= 0) | named
        fine &= self._check_names(by_id, fine)
        foreign = fine & has_id & (by_id < 0)
        self.by_name = int((foreign & (by_name >= 0)).sum())
        if of_this_tenant:
            # Of none of them: it may well be the listing of another tenant, read from a file.
            hint = "" if (by_id >= 0).any() else _OF_ANOTHER_TENANT
            self._refuse(foreign & (by_name >= 0), "id", lambda row: self._other_id(row) + hint)
            self._refuse(
                foreign & (by_name < 0),
                "id",
                lambda _: (
                    "is of no source that is there: it was deleted meanwhile, or the id is not "
                    f"right. Drop the row; or leave its id empty to make a new source.{hint}"
                ),
            )
            fine &= ~foreign
            self.by_name = 0
        fine &= self._check_new(fine & (self.there < 0), owners, names)
        # Unclear or not: what a row is about is not what is missing.
        self.meant = np.unique(self.there[self.there >= 0])
        self.there[~fine] = UNCLEAR
        self._check_twice()

    def _refuse(self, where: Flags, column: str | None, reason: Callable[[int], str]) -> None:
        for row in np.flatnonzero(where).tolist():
            value = None if column is None else self._df[column][row]
            self.problems.append(Problem(row, column, value, reason(row)))

    def _check_names(self, by_id: Positions, fine: Flags) -> Flags:
        """Return where owner and name are those of the source that the id is of."""
        there = np.flatnonzero(fine & (by_id >= 0))
        same = np.ones(len(fine), dtype=np.bool_)
        for key in (key for key in ("owner", "name") if key in self._df):
            mine, theirs = self._df[key].take(there), self._now[key].take(by_id[there])
            wrong = equality.unequal(mine, theirs) & mine.notna().to_numpy()
            for row in there[wrong].tolist():
                place = by_id[row]
                full = f"{self._now['owner'].iloc[place]}/{self._now['name'].iloc[place]}"
                reason = (
                    f"cannot be changed: this id is of {full}, and no source can be renamed or "
                    "moved. Put it back; or leave the id empty to make a new source."
                )
                self.problems.append(Problem(row, key, self._df[key][row], reason))
            same[there[wrong]] = False
        return same

    def _other_id(self, row: int) -> str:
        other = self._now["id"].iloc[self.there[row]]
        return (
            f"is not that of {self._names[row]}, which is {other}: the id was changed, or the "
            f"source was deleted and made anew. To mean the one that is there, write {other}."
        )

    def _check_new(self, new: Flags, owners: pd.Series, names: pd.Series) -> Flags:
        """Return where a source to be made has a name that can be one."""
        fine = np.ones(len(new), dtype=np.bool_)
        for row in np.flatnonzero(new).tolist():
            for key, said in (("owner", owners[row]), ("name", names[row])):
                if not validation.is_name(said):
                    reason = f"must be {validation.NAME_RULE}, for a source to be made."
                    self.problems.append(Problem(row, key, said, reason))
                    fine[row] = False
        return fine

    def _check_twice(self) -> None:
        sure = np.flatnonzero(self.there >= 0)
        new = np.flatnonzero(self.there == NEW)
        for rows, keys in ((sure, pd.Series(self.there[sure])), (new, self._names.take(new))):
            codes, _ = pd.factorize(keys)
            firsts = np.unique(codes, return_index=True)[1]
            for number in np.flatnonzero(keys.duplicated().to_numpy()).tolist():
                row, first = int(rows[number]), int(rows[firsts[codes[number]]])
                reason = f"is the same source as row {first}: keep one of the two."
                self.problems.append(Problem(row, None, None, reason))
                self.there[row] = UNCLEAR


def _texts(df: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of texts, all missing where there is none; empty ones are missing too."""
    if name not in df:
        return pd.Series(None, index=df.index, dtype=Text.dtype)
    return df[name].where(df[name] != "")


def full_names(df: pd.DataFrame) -> pd.Series:
    """Return the full name of each source; missing where there is no project or no name."""
    return _texts(df, "owner") + "/" + _texts(df, "name")


def places(known: pd.Series, asked: pd.Series) -> Positions:
    """Return where in `known` each of `asked` is first; -1 where it is not, or is missing."""
    found = compute.index_in(
        equality.text_array(asked), value_set=equality.text_array(known), skip_nulls=True
    )
    return np.asarray(compute.fill_null(found, -1), dtype=np.int64)


def cell(column: pd.Series, number: int) -> Any:
    """Return a cell as Python has it; None where it is missing."""
    value = column.array[number]
    if is_missing(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
