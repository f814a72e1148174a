"""What has become of the sources of a plan since it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reinfer_nb.frames import convert
from reinfer_nb.frames.tables import table
from reinfer_nb.plans.plan_data import client_of
from reinfer_nb.plans.row_identity import full_names, places
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_moved, what_moved

if TYPE_CHECKING:
    from reinfer_nb.plans.plan_data import PlanData

_GONE = "is gone"
_GONE_OR_HIDDEN = "is gone, or the token may not see it any more"
_COLUMNS = dict.fromkeys(["action", "id", "owner", "name", "what"], "str")


def moved(plan: PlanData) -> pd.DataFrame:
    """Return the sources of a plan that are no longer what it was made from.

    One row an action, as `Plan.moved` documents it.
    """
    client = client_of(plan)
    now = client.sources(plan.project, refresh=True)
    ids = pd.Series([step.id for step in plan.steps], dtype="str")
    names = pd.Series([step.full_name for step in plan.steps], dtype="str")
    by_id, by_name = places(now["id"], ids), places(full_names(now), names)
    sources = iter(convert.to_sources(now.iloc[by_id[by_id >= 0]]))
    # A project of which nothing is listed may be hidden from the token.
    unseen = {step.owner for step in plan.steps} - set(now["owner"])
    hidden = {owner for owner in unseen if not client.calls.has_none(owner, ids.dropna())}
    rows = []
    for step, there, namesake in zip(plan.steps, by_id >= 0, by_name >= 0, strict=True):
        what = _what(step, next(sources) if there else None, named=namesake)
        if what == _GONE and step.owner in hidden:
            what = _GONE_OR_HIDDEN
        if what:
            rows.append((step.kind, step.id, step.owner, step.name, what))
    return table(_COLUMNS, rows)


def _what(step: Step, source: Source | None, *, named: bool) -> str:
    """Return what has happened to the source of a step; empty for nothing.

    Args:
        step: The step.
        source: The source of its id, as it is now.
        named: Whether there is one of its name.
    """
    if step.base is None:
        return "is there by now" if named else ""
    if source is None:
        return "is gone, and another one has its name" if named else _GONE
    return what_moved(step.base, source) if has_moved(step.base, source) else ""
