"""`Plan`, `ApplyResult` and `Rehearsal`; `saved` loads them from files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.concurrency import Progress
from reinfer_nb.copies import unshared
from reinfer_nb.errors import InvalidInput
from reinfer_nb.plans import display, document, drift, executor, rehearsal
from reinfer_nb.plans import undo as undoing
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.result_data import ResultData
from reinfer_nb.text import counted


@unshared
@dataclass(frozen=True, eq=False, repr=False, init=False)
class Plan(PlanData):
    """The changes to a tenant; `Client.plan` makes a plan, and a notebook displays it.

    >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
    >>> plan.ok, len(plan.moved())
    (True, 0)
    >>> plan.summary
        owner  create  update  delete  comments
    0  claims       0       1       0         0

    Nothing is changed before `apply`. A plan with `problems` cannot be applied.

    Attributes:
        endpoint: The tenant's endpoint; a plan is applied to no other tenant.
        project: The project of the plan; None for the whole tenant.
        made_at: When the tenant's listing was fetched, in UTC.
        steps: One step per source: creates, then updates, then deletes.
        problems: One row per problem: `row` (`Int64`, in the edited listing, from 0; missing if
            the problem is not in a single row), `owner`, `name`, `column`, `value`, `reason`
            (`str`), which says what is allowed.
        notes: Notes for the user, a sentence or two each.
        sizes: The number of sources in each project with a delete.
        client: The client to apply the plan with; None, as after pickling, to connect when needed.
    """

    def apply(
        self,
        *,
        workers: int = 20,
        progress: Progress = True,
        journal: str | os.PathLike[str] | None = None,
        archive: str | os.PathLike[str] | None = None,
        allow_mass_delete: bool = False,
    ) -> ApplyResult:
        """Apply the plan: creates first, then updates, then deletes, each in parallel.

        >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
        >>> plan.apply(progress=False).frame[["action", "name", "status"]]
           action         name status
        0  update  motor-inbox   done

        Each source is requested again just before it is changed. If it was changed remotely since
        the plan was made, it is left alone. If a source could not be created, no source of its
        project is deleted. A journal has a line before and after each step. Ctrl-C waits for the
        requests under way, and returns the result so far.

        After each delete a request checks that the source was deleted. A create or an update is
        "done" once the response shows the settings that were sent. If you doubt that the tenant
        stores what it returns, plan again: `client.plan(edited)` fetches a fresh listing, and has
        each step that was not stored.

        Args:
            workers: The number of sources changed at once, up to 32.
            progress: Show a progress bar; or a function that is called with the number of steps
                done and the number of all steps.
            journal: The path of a new file for the journal; by default a file in the state folder
                of this user. `resume` continues from it if this process ends early.
            archive: A folder for the comments of deleted sources: each is archived first, as
                `Client.archive` does, and deleted only if its archive holds all of them.
            allow_mass_delete: Allow to delete more than 3 sources of a project that are more than a
                tenth of its sources.

        Returns:
            The outcome of each step. A refused step is an outcome too, and raises nothing.

        Raises:
            InvalidInput: The plan has problems, it deletes more than 3 and more than a tenth of
                the sources of a project, or an argument is invalid; nothing was sent.
            FileProblem: The journal exists already or could not be created, and nothing was sent;
                or it cannot be written any more.
            Exception: The exception that `progress` raised, after the requests under way.
            ConfigurationError: The plan was loaded, and no tenant is configured, or another one.

        Warns:
            MovedWarning: The plan is more than ten minutes old, and sources were changed remotely.
        """
        self.check()
        if not arguments.flag(allow_mass_delete, "allow_mass_delete"):
            self._check_deletes()
        executor.warn_if_moved(self)
        return apply_result_of(
            executor.applied(
                self, workers=workers, progress=progress, journal=journal, archive=archive
            )
        )

    def rehearse(self, *, workers: int = 20, progress: Progress = True) -> Rehearsal:
        """Apply the plan to a copy: a practice tenant with a fresh listing of the tenant.

        >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
        >>> plan.rehearse(progress=False).sources.loc[0, "title"]
        'Motor'

        The listing is the only request to the tenant. Rules that only the tenant knows, such as
        permissions, are not rehearsed.

        Args:
            workers: As for `apply`.
            progress: As for `apply`.

        Returns:
            The outcome of each step on the copy, and the listing afterwards.

        Raises:
            InvalidInput: The plan has problems.
            ConfigurationError: The extra "sandbox" is not installed.
        """
        self.check()
        result, sources = rehearsal.rehearsed(self, workers=workers, progress=progress)
        return Rehearsal(apply_result_of(result), sources)

    def moved(self) -> pd.DataFrame:
        """Return the sources changed remotely since the plan was made; `apply` leaves them alone.

        Fetches the tenant's listing.

        Returns:
            One row per step: `action`, `id`, `owner`, `name`, `what` (all `str`), which says how
            the source was changed.

        Raises:
            ReinferError: The listing could not be fetched.
        """
        return drift.moved(self)

    def some(self, steps: Iterable[int]) -> Plan:
        """Return a plan with some of the steps only.

        >>> plan = client.plan(client.sources().head(3).assign(title="Motor"))
        >>> [step.name for step in plan.some([0, 2]).steps]
        ['motor-inbox', 'liability-inbox']

        Args:
            steps: The numbers of the steps to keep, counted from 0 in `steps`.

        Raises:
            InvalidInput: The plan has no such step.
        """
        numbers = arguments.numbers(steps, len(self.steps), "steps", "steps of the plan")
        kept = tuple(self.steps[number] for number in sorted(set(numbers.tolist())))
        return replace(self, steps=kept)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the plan to a readable JSON file without a token, and return its path.

        `load_plan` reads the file.

        Args:
            path: The file.
            overwrite: Replace an existing file.

        Raises:
            InvalidInput: The plan has problems.
            FileProblem: The file exists, or cannot be written; no partial file is left.
        """
        self.check()
        return document.write(self, path, overwrite=overwrite)

    def check(self) -> None:
        """Raise `InvalidInput` with a list of all problems, if there are any."""
        if not self.ok:
            raise InvalidInput(display.problems_text(self.problems))

    def _check_deletes(self) -> None:
        message = display.mass_deletes(self)
        if message:
            hint = "" if self.project else " To limit a plan to one project, use project=."
            raise InvalidInput(f"{message}{hint} To delete them all, use allow_mass_delete=True.")

    def to_text(self, limit: int | None = display.LIMIT) -> str:
        """Return the plan as text, like a diff.

        Args:
            limit: The number of sources to show of each kind; None for all.
        """
        return display.to_text(self, limit)

    def to_html(self, limit: int | None = display.LIMIT) -> str:
        """Return the plan as HTML, like a diff.

        Args:
            limit: The number of sources to show of each kind; None for all.
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
    """The result of a plan, as `Plan.apply` and `resume` return it; a notebook displays it.

    >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
    >>> result = plan.apply(progress=False)
    >>> result.ok, result.counts, len(result.failed)
    (True, {'done': 1}, 0)
    >>> result.retry(progress=False).counts
    {'done': 1}
    >>> result.undo().frame[["action", "name", "field", "after"]]
       action         name  field               after
    0  update  motor-inbox  title  Motor claims inbox

    Attributes:
        plan: The plan.
        outcomes: The outcome of each step, in the order of the plan.
        journal: The journal's path; None for a rehearsal.
        stopped: Why the apply ended early; empty if it did not.
        client: The tenant's client; None after pickling, and then connected when needed.
    """

    plan: Plan

    def retry(self, *, workers: int = 20, progress: Progress = True) -> ApplyResult:
        """Try the failed and the not begun steps again; leave sources changed remotely alone.

        Args:
            workers: The number of sources changed at once, up to 32.
            progress: As for `Plan.apply`.

        Returns:
            The outcome of each step of the plan, including those done before.

        Raises:
            InvalidInput: This is the result of a rehearsal.
            FileProblem: The journal is missing, or cannot be written.
        """
        if self.journal is None:
            raise InvalidInput("A rehearsal cannot be retried. Rehearse the plan again.")
        client = self.client or client_of(self.plan)
        result = executor.resumed(client, self.journal, workers=workers, progress=progress)
        return apply_result_of(result)

    def undo(self) -> Plan:
        """Return a plan that reverses the changes, as far as possible.

        It restores the settings of updated sources and deletes created sources, unless others have
        changed them since: the tenant is listed again, and a remark on a step says so. What others
        have changed in other fields is kept. For deleted sources the plan creates sources with the
        same settings, but with new ids and without comments; its `notes` say how to upload those
        of archives.

        Returns:
            The plan. Its `notes` say what it cannot reverse. Nothing is changed before its `apply`.

        Raises:
            ReinferError: The listing could not be fetched.
        """
        return plan_of(undoing.undo(self))


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class Rehearsal:
    """The result of a plan on a copy of the tenant, as `Plan.rehearse` returns it.

    Attributes:
        result: The outcome of each step on the copy.
        sources: The listing afterwards, with the columns of `Client.sources`.
    """

    result: ApplyResult
    sources: pd.DataFrame

    @property
    def ok(self) -> bool:
        """True if every step is done, or needed no change."""
        return self.result.ok

    def to_text(self, limit: int | None = None) -> str:
        """Return the result as text.

        Args:
            limit: The number of steps to show; None for all.
        """
        return f"{self.result.to_text(limit)}\n{self._note()}"

    def to_html(self, limit: int | None = None) -> str:
        """Return the result as HTML.

        Args:
            limit: The number of steps to show; None for all.
        """
        return str(
            markup.join([markup.Markup(self.result.to_html(limit)), markup.muted(self._note())])
        )

    def _note(self) -> str:
        return (
            f"The copy has {counted(len(self.sources), 'source')} afterwards. Nothing was changed "
            "on the tenant."
        )

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text(50)

    def _repr_html_(self) -> str:
        return self.to_html(50)


def plan_of(plan: PlanData) -> Plan:
    """Return a plan with its verbs."""
    return plan if isinstance(plan, Plan) else Plan(**_content(plan))


def apply_result_of(result: ResultData) -> ApplyResult:
    """Return a result with its verbs."""
    return ApplyResult(**_content(result) | {"plan": plan_of(result.plan)})


def _content(data: PlanData | ResultData) -> dict[str, Any]:
    return {field.name: getattr(data, field.name) for field in fields(data)}
