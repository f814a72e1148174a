"""What a plan is: the sources to create, update and delete, and what stands in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from reinfer_nb.api import connection
from reinfer_nb.api.client import ApiClient
from reinfer_nb.copies import unshared
from reinfer_nb.errors import ConfigurationError, NotConfigured
from reinfer_nb.frames.tables import table
from reinfer_nb.pickling import Portable
from reinfer_nb.plans.steps import KINDS, Step, by_kind
from reinfer_nb.text import shown

_FRAME = {
    **dict.fromkeys(["action", "id", "owner", "name", "field"], "str"),
    **dict.fromkeys(["before", "after"], "object"),
    "comments": "Int64",
}


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class PlanData(Portable):
    """What would be done on a tenant; `Plan` adds what can be done with it.

    Attributes:
        endpoint: The tenant it was made for; it is applied to no other.
        project: The project it is about; None for all.
        made_at: When the listing it was made from was fetched, in UTC.
        steps: What would be done, a step a source: creates, updates, then deletes.
        problems: What stands in the way, one row each: `row` (`Int64`, of the edited listing, from
            0; missing where it is no single one), `owner`, `name`, `column`, `value`, `reason`
            (`str`), the last of which says what is allowed.
        notes: What else there is to know, a sentence each.
        sizes: How many sources the projects have of which sources would be deleted.
        client: What it is applied with; None where that is to be found when it is needed, as
            after pickling.
    """

    endpoint: str
    project: str | None
    made_at: datetime
    steps: tuple[Step, ...]
    problems: pd.DataFrame
    notes: tuple[str, ...]
    sizes: Mapping[str, int]
    client: ApiClient | None = None

    @property
    def ok(self) -> bool:
        """Whether there are no problems, so that it can be applied."""
        return not len(self.problems)

    @property
    def frame(self) -> pd.DataFrame:
        """What would be done, one row an action and field.

        Columns: `action`, `id` (missing for a source to be made), `owner`, `name`, `field`
        (missing for a delete, and for a source made with nothing but a name) (`str`); `before`,
        `after` (`object`, None for missing); `comments` (`Int64`), those that a delete takes.

        Parquet and Feather have no column for settings of several types; make them texts first:
        `plan.frame.astype({"before": "str", "after": "str"}).to_parquet(path)`.
        """
        rows = [
            (step.kind, step.id, step.owner, step.name, name, before, after, step.comments)
            for step in self.steps
            for name, before, after in _fields(step)
        ]
        return table(_FRAME, rows)

    @property
    def summary(self) -> pd.DataFrame:
        """Counts by project: `owner` (`str`), `create`, `update`, `delete`, `comments` (`int64`).

        The comments are those that the deletes take, as far as they could be counted.
        """
        found = by_kind(self.steps)
        owners = sorted({step.owner for step in self.steps})
        columns: dict[str, Counter[str]] = {
            kind: Counter(step.owner for step in found[kind]) for kind in KINDS
        }
        columns["comments"] = Counter()
        for step in found["delete"]:
            columns["comments"][step.owner] += step.comments or 0
        return pd.DataFrame(
            {"owner": pd.Series(owners, dtype="str")}
            | {
                name: pd.Series([count[owner] for owner in owners], dtype="int64")
                for name, count in columns.items()
            }
        )

    def mass_deletes(self) -> dict[str, int]:
        """Return by project the deletes that need `allow_mass_delete`.

        That is where there are more than 3, and more than a tenth of the project's sources.
        """
        counts = Counter(step.owner for step in self.steps if step.kind == "delete")
        return {
            owner: number
            for owner, number in counts.items()
            if number > 3 and 10 * number > self.sizes.get(owner, 0)
        }


def client_of(plan: PlanData) -> ApiClient:
    """Return the client that a plan is applied with.

    Raises:
        ConfigurationError: It was loaded, and no tenant is configured, or another one.
    """
    if plan.client is not None:
        return plan.client
    # Not by the endpoint: a file must not say where a token goes that is bound to none.
    try:
        client = ApiClient(connection.transport())
    except NotConfigured as error:
        raise NotConfigured(
            f"The plan is for {shown(plan.endpoint, 200)}, and no client came with it. Give the "
            f"client of its tenant: rnb.load_plan(path, client). Otherwise the plan is applied to "
            f"the tenant that is configured, and: {error}"
        ) from None
    if client.endpoint != plan.endpoint:
        raise ConfigurationError(
            f"The plan is for {shown(plan.endpoint, 200)}, and {client.endpoint} is configured. "
            "Give the client of its tenant: rnb.load_plan(path, client)."
        )
    return client


def _fields(step: Step) -> list[tuple[str | None, object, object]]:
    """Return of each field that a step sets its name, and what it is before and after."""
    rows: list[tuple[str | None, object, object]] = [
        (name, step.before(name), after) for name, after in step.settings.items()
    ]
    return rows or [(None, None, None)]
