"""Plans: what would be created, updated and deleted on a tenant, to look at before it is done."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.api import connection
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.concurrency import Progress
from reinfer_nb.copies import unshared
from reinfer_nb.errors import ConfigurationError, InvalidInput, NotConfigured
from reinfer_nb.frames.tables import table
from reinfer_nb.pickling import Portable
from reinfer_nb.plans import display
from reinfer_nb.plans.steps import KINDS, Step, by_kind
from reinfer_nb.text import shown

if TYPE_CHECKING:
    from reinfer_nb.plans.rehearsal import Rehearsal
    from reinfer_nb.plans.result import ApplyResult

_FRAME = {
    **dict.fromkeys(["action", "id", "owner", "name", "field"], "str"),
    **dict.fromkeys(["before", "after"], "object"),
    "comments": "Int64",
}


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class Plan(Portable):
    """What would be done on a tenant; `Client.plan` makes one, and it shows itself.

    Nothing is done before `apply`, and nothing at all where there are `problems`.

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

    def apply(
        self,
        *,
        workers: int = 8,
        progress: Progress = True,
        journal: str | os.PathLike[str] | None = None,
        allow_mass_delete: bool = False,
    ) -> ApplyResult:
        """Do it: creates first, then updates, deletes last, many side by side.

        >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
        >>> plan.apply(progress=False).frame[["action", "name", "status"]]
           action         name status
        0  update  motor-inbox   done

        Each source is looked at again just before it is changed; where it is not what the plan was
        made from, it is left alone. Where a source could not be made, nothing is deleted in its
        project. What is done is written to a journal, before and after each request. Ctrl-C lets
        the requests under way come to their end, and returns what was done.

        After each delete the tenant is asked once whether the source is gone. A create or an update
        is "done" once the response shows the settings that were sent. If you doubt that the tenant
        stores what it returns, plan again: `client.plan(edited)` asks for a fresh listing, and
        still has each step that was not stored.

        Args:
            workers: Sources under way at once, up to 32.
            progress: Show a progress bar; or a function to call with how many are done, and of how
                many.
            journal: A new file to keep the journal in; by default one in the folder for the state
                of programs of this user. `resume` takes it where this process ends too early.
            allow_mass_delete: Delete also more than 3 sources of a project that are more than a
                tenth of its sources.

        Returns:
            What became of each action. What the tenant refuses is in it too; nothing is raised.

        Raises:
            InvalidInput: There are problems, a project would lose more than 3 and more than a
                tenth of its sources, or an argument cannot be; nothing was sent.
            FileProblem: The journal is there already or could not be begun, and nothing was sent;
                or it cannot be written any more.
            Exception: What `progress` raised, after what was under way.
            ConfigurationError: The plan was loaded, and no tenant is configured, or another one.

        Warns:
            MovedWarning: The plan is more than ten minutes old, and sources have moved since.
        """
        from reinfer_nb.plans import executor

        self.check()
        if not arguments.flag(allow_mass_delete, "allow_mass_delete"):
            self._check_deletes()
        executor.tell_moved(self)
        return executor.applied(self, workers=workers, progress=progress, journal=journal)

    def rehearse(self, *, workers: int = 8, progress: Progress = True) -> Rehearsal:
        """Do it to a copy: a sandbox filled with the tenant's listing as it is now.

        >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
        >>> plan.rehearse(progress=False).sources.loc[0, "title"]
        'Motor'

        The tenant is asked for its listing, and for nothing else. What only a tenant knows, such
        as permissions, is not rehearsed.

        Args:
            workers: As for `apply`.
            progress: As for `apply`.

        Returns:
            What became of each action there, and the listing afterwards.

        Raises:
            InvalidInput: There are problems.
            ConfigurationError: The extra "sandbox" is not installed.
        """
        from reinfer_nb.plans import rehearsal

        self.check()
        return rehearsal.rehearsed(self, workers=workers, progress=progress)

    def moved(self) -> pd.DataFrame:
        """Return the sources that are no longer what the plan was made from; `apply` leaves them.

        Asks the tenant for its listing.

        Returns:
            One row an action: `action`, `id`, `owner`, `name`, `what` (all `str`), the last of
            which says what has happened to it.

        Raises:
            ReinferError: The tenant could not be reached or did not answer with a listing.
        """
        from reinfer_nb.plans import drift

        return drift.moved(self)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the plan to a file that people can read and `load_plan` reads; no token is in it.

        Args:
            path: The file; JSON.
            overwrite: Whether an older file may be replaced.

        Raises:
            InvalidInput: There are problems, so that nobody could apply it.
            FileProblem: There is a file already, or it cannot be written; nothing is half-written.
        """
        from reinfer_nb.plans import document

        self.check()
        return document.write(self, path, overwrite=overwrite)

    def check(self) -> None:
        """Raise `InvalidInput`, all problems listed, where there are any."""
        if not self.ok:
            raise InvalidInput(display.problems_text(self.problems))

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

    def _check_deletes(self) -> None:
        said = display.mass_deletes(self)
        if said:
            hint = "" if self.project else " project= keeps a plan to one project."
            raise InvalidInput(f"{said}{hint} If it is meant, say allow_mass_delete=True.")

    def to_text(self, limit: int | None = display.LIMIT) -> str:
        """Return it as lines, like a diff.

        Args:
            limit: How many sources of each kind are told; None for all.
        """
        return display.to_text(self, limit)

    def to_html(self, limit: int | None = display.LIMIT) -> str:
        """Return it as a piece of HTML, like a diff.

        Args:
            limit: How many sources of each kind are told; None for all.
        """
        return str(display.to_html(self, limit))

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def client_of(plan: Plan) -> ApiClient:
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


def load_plan(path: str | os.PathLike[str], client: ApiClient | None = None) -> Plan:
    """Return a plan that `Plan.save` wrote.

    >>> _ = client.plan(client.sources().head(1).assign(title="Motor")).save("change.json")
    >>> load_plan("change.json", client).frame[["action", "name", "field", "after"]]
       action         name  field  after
    0  update  motor-inbox  title  Motor

    Args:
        path: The file.
        client: The tenant. When left out, the one that is configured, once it is needed.

    Raises:
        FileProblem: It cannot be read, is no plan, or holds what could not be applied.
        InvalidInput: It is a plan for another tenant than the client's.
    """
    from reinfer_nb.plans import document

    if client is not None:
        client = check_client(client, ApiClient)
    plan = document.read(path, client)
    if client is not None and client.endpoint != plan.endpoint:
        raise InvalidInput(
            f"{path} is a plan for {shown(plan.endpoint, 200)}, and this client is of "
            f"{client.endpoint}. A plan is applied to no other tenant than its own; make one for "
            "this with client.plan(...)."
        )
    return plan


def _fields(step: Step) -> list[tuple[str | None, object, object]]:
    """Return of each field that a step sets its name, and what it is before and after."""
    rows: list[tuple[str | None, object, object]] = [
        (name, step.before(name), after) for name, after in step.settings.items()
    ]
    return rows or [(None, None, None)]
