"""The data of a plan: the sources to create, update and delete, and the problems."""

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
    """The changes to a tenant, as `Plan` documents them; `Plan` adds the methods."""

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
        """True if the plan has no problems and can be applied."""
        return not len(self.problems)

    @property
    def frame(self) -> pd.DataFrame:
        """The changes, one row per step and field.

        Columns: `action`, `id` (missing for a create), `owner`, `name`, `field` (missing for a
        delete, and for a create without settings) (`str`); `before`, `after` (`object`, None for
        missing); `comments` (`Int64`), the comments that a delete removes, or that the tenant
        parses again because `email_transform_tag` or `email_transform_version` changes.

        Parquet and Feather cannot hold values of several types in a column. Convert them first:
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

        The comments are those that the deletes remove, as far as they could be counted.
        """
        steps = by_kind(self.steps)
        owners = sorted({step.owner for step in self.steps})
        columns: dict[str, Counter[str]] = {
            kind: Counter(step.owner for step in steps[kind]) for kind in KINDS
        }
        columns["comments"] = Counter()
        for step in steps["delete"]:
            columns["comments"][step.owner] += step.comments or 0
        return pd.DataFrame(
            {"owner": pd.Series(owners, dtype="str")}
            | {
                name: pd.Series([count[owner] for owner in owners], dtype="int64")
                for name, count in columns.items()
            }
        )

    def mass_deletes(self) -> dict[str, int]:
        """Return the number of deletes in each project that needs `allow_mass_delete`.

        These are projects with more than 3 deletes and more than a tenth of their sources deleted.
        """
        counts = Counter(step.owner for step in self.steps if step.kind == "delete")
        return {
            owner: number
            for owner, number in counts.items()
            if number > 3 and 10 * number > self.sizes.get(owner, 0)
        }


def client_of(plan: PlanData) -> ApiClient:
    """Return the client of a plan, connected to the configured tenant if the plan has none.

    Raises:
        ConfigurationError: No tenant is configured, or another one.
    """
    if plan.client is not None:
        return plan.client
    # The endpoint in the file is not used: a file must not decide where a token is sent.
    try:
        client = ApiClient(connection.transport())
    except NotConfigured as error:
        raise NotConfigured(
            f"The plan is for {shown(plan.endpoint, 200)} and has no client. Give the client: "
            f"rnb.load_plan(path, client). Or configure the tenant: {error}"
        ) from None
    if client.endpoint != plan.endpoint:
        raise ConfigurationError(
            f"The plan is for {shown(plan.endpoint, 200)}, but {client.endpoint} is configured. "
            "Give the client of the plan's tenant: rnb.load_plan(path, client)."
        )
    return client


def _fields(step: Step) -> list[tuple[str | None, object, object]]:
    """Return the name, the old and the new value of each field that a step sets."""
    rows: list[tuple[str | None, object, object]] = [
        (name, step.before(name), after) for name, after in step.settings.items()
    ]
    return rows or [(None, None, None)]
