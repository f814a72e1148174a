"""Find the sources of a plan that were changed remotely since it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from reinfer_nb.diff.matching import places_by_id, places_by_name
from reinfer_nb.frames import elements
from reinfer_nb.frames.tables import table
from reinfer_nb.plans.plan_data import client_of
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_moved, what_moved

if TYPE_CHECKING:
    from reinfer_nb.plans.plan_data import PlanData

_DELETED = "was deleted"
_DELETED_OR_HIDDEN = "was deleted, or the token may not see it any more"
_IDENTITY = dict.fromkeys(["id", "owner", "name"], "str")
_COLUMNS = {"action": "str", **_IDENTITY, "what": "str"}


def moved(plan: PlanData) -> pd.DataFrame:
    """Return the sources that were changed remotely, as `Plan.moved` documents it."""
    client = client_of(plan)
    now = client.sources(plan.project, refresh=True)
    # A project without any listed source may be hidden from the token.
    unlisted = {step.owner for step in plan.steps} - set(now["owner"])
    ids = [step.id for step in plan.steps if step.id is not None]
    hidden = {owner for owner in unlisted if not client.calls.has_none(owner, ids)}
    rows = []
    for step, source, name_taken in beside(plan.steps, now):
        change = _change(step, source, name_taken=name_taken)
        if change == _DELETED and step.owner in hidden:
            change = _DELETED_OR_HIDDEN
        if change:
            rows.append((step.kind, step.id, step.owner, step.name, change))
    return table(_COLUMNS, rows)


def beside(steps: Sequence[Step], now: pd.DataFrame) -> Iterator[tuple[Step, Source | None, bool]]:
    """Yield each step, the listed source with its id, and True if a source has its name.

    Args:
        steps: The steps.
        now: The tenant's current listing.
    """
    identities = table(_IDENTITY, [(step.id, step.owner, step.name) for step in steps])
    by_id, by_name = places_by_id(now, identities), places_by_name(now, identities)
    sources = iter(elements.to_sources(now.iloc[by_id[by_id >= 0]]))
    for step, has_source, name_taken in zip(steps, by_id >= 0, by_name >= 0, strict=True):
        yield step, next(sources) if has_source else None, bool(name_taken)


def _change(step: Step, source: Source | None, *, name_taken: bool) -> str:
    """Return how the source of a step was changed remotely; empty if it was not.

    Args:
        step: The step.
        source: The current source with the same id; None if there is none.
        name_taken: True if there is a source with the same name.
    """
    if step.base is None:
        return "already exists" if name_taken else ""
    if source is None:
        return "was deleted, and another source has its name" if name_taken else _DELETED
    return what_moved(step.base, source) if has_moved(step.base, source) else ""
