"""Plans and their results, with all that can be done with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.concurrency import Progress
from reinfer_nb.copies import unshared
from reinfer_nb.errors import InvalidInput
from reinfer_nb.plans import display, document, drift, executor, rehearsal
from reinfer_nb.plans import undo as undoing
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.result_data import ResultData
from reinfer_nb.text import counted, shown


@unshared
@dataclass(frozen=True, eq=False, repr=False, init=False)
class Plan(PlanData):
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

    @classmethod
    def of(cls, plan: PlanData) -> Plan:
        """Return a plan with its verbs."""
        return cls(**{field.name: getattr(plan, field.name) for field in fields(plan)})

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
        self.check()
        if not arguments.flag(allow_mass_delete, "allow_mass_delete"):
            self._check_deletes()
        executor.tell_moved(self)
        return ApplyResult.of(
            executor.applied(self, workers=workers, progress=progress, journal=journal)
        )

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
        self.check()
        result, sources = rehearsal.rehearsed(self, workers=workers, progress=progress)
        return Rehearsal(ApplyResult.of(result), sources)

    def moved(self) -> pd.DataFrame:
        """Return the sources that are no longer what the plan was made from; `apply` leaves them.

        Asks the tenant for its listing.

        Returns:
            One row an action: `action`, `id`, `owner`, `name`, `what` (all `str`), the last of
            which says what has happened to it.

        Raises:
            ReinferError: The tenant could not be reached or did not answer with a listing.
        """
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
        self.check()
        return document.write(self, path, overwrite=overwrite)

    def check(self) -> None:
        """Raise `InvalidInput`, all problems listed, where there are any."""
        if not self.ok:
            raise InvalidInput(display.problems_text(self.problems))

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


@unshared
@dataclass(frozen=True, eq=False, repr=False, init=False)
class ApplyResult(ResultData):
    """What became of a plan; `Plan.apply` and `resume` return one, and it shows itself.

    Attributes:
        plan: The plan.
        outcomes: What became of each of its steps, in their order.
        journal: The file that all of it is written in; None of a rehearsal.
        stopped: Why it ended before all was tried; empty when it did not.
        client: The tenant; None after pickling, and then found when it is needed.
    """

    plan: Plan

    @classmethod
    def of(cls, result: ResultData) -> ApplyResult:
        """Return a result with its verbs."""
        content = {field.name: getattr(result, field.name) for field in fields(result)}
        return cls(**content | {"plan": Plan.of(result.plan)})

    def retry(self, *, workers: int = 8, progress: Progress = True) -> ApplyResult:
        """Try again what has failed or was not begun, and nothing else; what moved is left alone.

        Args:
            workers: Sources under way at once, up to 32.
            progress: As for `Plan.apply`.

        Returns:
            What became of each action of the plan, those done before included.

        Raises:
            InvalidInput: It is the result of a rehearsal.
            FileProblem: The journal is gone, or cannot be written.
        """
        if self.journal is None:
            raise InvalidInput("A rehearsal leaves nothing to try again; rehearse the plan anew.")
        client = self.client or client_of(self.plan)
        return resume(client, self.journal, workers=workers, progress=progress)

    def undo(self) -> Plan:
        """Return a plan that puts back what was there before, as far as that can be.

        What was updated gets its settings back, and what was created is deleted, each unless
        others have changed it since. What was deleted is not brought back: new sources are made
        with the settings of those that are gone, under new ids, and without their comments.

        Returns:
            The plan. Its `notes` say what it cannot put back; nothing is done before its `apply`.

        Raises:
            ReinferError: The tenant could not be asked how many comments would go.
        """
        return Plan.of(undoing.undo(self))


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class Rehearsal:
    """What a plan did to a copy of the tenant; `Plan.rehearse` makes one, and it shows itself.

    Attributes:
        result: What became of each action there.
        sources: The listing afterwards, with the columns of `Client.sources`.
    """

    result: ApplyResult
    sources: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether every action was done, or was so already."""
        return self.result.ok

    def to_text(self, limit: int | None = None) -> str:
        """Return it as lines.

        Args:
            limit: How many actions are told; None for all.
        """
        return f"{self.result.to_text(limit)}\n{self._said()}"

    def to_html(self, limit: int | None = None) -> str:
        """Return it as a piece of HTML.

        Args:
            limit: How many actions are told; None for all.
        """
        return str(
            markup.join([markup.Markup(self.result.to_html(limit)), markup.muted(self._said())])
        )

    def _said(self) -> str:
        return (
            f"The copy has {counted(len(self.sources), 'source')} afterwards. Nothing was changed "
            "on the tenant."
        )

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text(50)

    def _repr_html_(self) -> str:
        return self.to_html(50)


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
    if client is not None:
        client = check_client(client, ApiClient)
    plan = Plan.of(document.read(path, client))
    if client is not None and client.endpoint != plan.endpoint:
        raise InvalidInput(
            f"{path} is a plan for {shown(plan.endpoint, 200)}, and this client is of "
            f"{client.endpoint}. A plan is applied to no other tenant than its own; make one for "
            "this with client.plan(...)."
        )
    return plan


def resume(
    client: ApiClient,
    journal: str | os.PathLike[str],
    *,
    workers: int = 8,
    progress: Progress = True,
) -> ApplyResult:
    """Finish an apply that ended too early, from its journal; nothing is done twice.

    >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
    >>> result = plan.apply(progress=False, journal="motor.jsonl")
    >>> resume(client, "motor.jsonl", progress=False).frame["status"]
    0    done
    Name: status, dtype: str

    What was under way is looked up first, and done only where it was not. What had failed is tried
    again. Where all was done, nothing is sent, and what became of it is returned.

    Args:
        client: The tenant of the plan.
        journal: The file; `ApplyResult.journal` names it.
        workers: Sources under way at once, up to 32.
        progress: As for `Plan.apply`.

    Returns:
        What became of each action, those done before included.

    Raises:
        FileProblem: The journal cannot be read, is none, or is still being written.
        InvalidInput: It is of another tenant than the client's, or `workers` is out of range.
    """
    return ApplyResult.of(executor.resumed(client, journal, workers=workers, progress=progress))


def result_of(client: ApiClient, journal: str | os.PathLike[str]) -> ApplyResult:
    """Return what became of a plan as far as its journal tells; nothing is sent.

    Args:
        client: The tenant that the plan was applied to.
        journal: The file; `ApplyResult.journal` names it.

    Raises:
        FileProblem: The journal cannot be read, is none, or is still being written.
        InvalidInput: It is of another tenant than the client's.
    """
    return ApplyResult.of(executor.result_of(client, journal))
