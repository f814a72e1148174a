"""The plan that reverses an applied plan, with notes on what cannot be reversed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from reinfer_nb.plans import planner, problems
from reinfer_nb.plans.attempt import DONE, NOT_TAKEN, Outcome
from reinfer_nb.plans.drift import beside
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.steps import Step, in_order
from reinfer_nb.schema import provenance
from reinfer_nb.schema.fields import Operation, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_all, has_moved
from reinfer_nb.text import counted, listed, shown
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.plans.result_data import ResultData


def undo(result: ResultData) -> PlanData:
    """Return the plan that `ApplyResult.undo` documents."""
    steps, notes = [], [*_general_notes(result)]
    for step, outcome in _pairs(result):
        if outcome.status in (DONE, NOT_TAKEN) and outcome.source is not None:
            if outcome.in_doubt:
                notes.append(
                    f"{step.full_name} is left alone: somebody else may have created it at the "
                    "same time. If it is yours, delete it by its name."
                )
                continue
            reverse_steps, reverse_notes = _reverse(step, outcome, outcome.source)
            steps += reverse_steps
            notes += reverse_notes
    client, project = result.client or client_of(result.plan), result.plan.project
    now = client.sources(project, refresh=True)
    steps, changes = _since(steps, now)
    return PlanData(
        endpoint=result.plan.endpoint,
        project=project,
        made_at=provenance.fetched_at(now) or datetime.now(UTC),
        steps=in_order(planner.with_comments(client, steps)),
        problems=problems.no_problems(),
        notes=(*notes, *changes),
        sizes=planner.sizes(steps, now),
        client=client,
    )


def _since(steps: list[Step], now: pd.DataFrame) -> tuple[list[Step], list[str]]:
    """Return the steps that are still needed, with remarks and notes on what has changed since.

    An update keeps what others have changed in other fields since. Where they have changed the
    same field, or deleted the source, `apply` will leave the step undone, and a remark says so.

    Args:
        steps: The steps that reverse the plan.
        now: The tenant's current listing.
    """
    needed: list[Step] = []
    done: list[str] = []
    for step, source, name_taken in beside(steps, now):
        if step.base is None:
            remark = "it exists again already" if name_taken else step.remark
            needed.append(replace(step, remark=remark))
        elif source is None:
            needed.append(replace(step, remark="it was deleted, or is hidden from the token"))
        elif not _has_moved(step.base, source):
            needed.append(step)
        elif step.kind == "update" and has_all(source, step.settings):
            done.append(step.full_name)
        elif step.kind == "update" and _is_apart(step, source):
            needed.append(replace(step, base=source))
        else:
            needed.append(replace(step, remark="changed since: it will be left alone"))
    return needed, [f"As before already: {listed(done)}."] if done else []


def _is_apart(step: Step, now: Source) -> bool:
    """True if each setting of an update still has the value that the plan gave it."""
    return has_all(now, {name: step.before(name) for name in step.settings})


def _has_moved(base: Source, now: Source) -> bool:
    """True if a source was changed; a listing may lack fields, so its time of update decides."""
    known = base.updated_at is not None and base.updated_at == now.updated_at
    return not known and has_moved(base, now)


def _pairs(result: ResultData) -> Iterable[tuple[Step, Outcome]]:
    return zip(result.plan.steps, result.outcomes, strict=True)


def _general_notes(result: ResultData) -> Iterable[str]:
    """Return notes on deleted comments and on steps with an unknown outcome."""
    deleted = [
        (step, outcome)
        for step, outcome in _pairs(result)
        if step.kind == "delete" and outcome.status == DONE
    ]
    if deleted:
        yield (
            f"{counted(len(deleted), 'deleted source')} can only be created again: with the old "
            "settings, but with a new id and no comments. Without an archive, nothing brings "
            "comments back."
        )
    for step, outcome in deleted:
        if outcome.archive:
            upload = spelled(
                f"client.upload({step.full_name!r}, {outcome.archive!r})",
                f"reinfer-nb upload {step.full_name} {outcome.archive}",
            )
            yield (
                f"The comments of {step.full_name} are in an archive. Once it is created again, "
                f"upload them: {upload}"
            )
    unsure = sum(outcome.unsure and not outcome.ok for outcome in result.outcomes)
    if unsure:
        yield (
            f"The outcome of {counted(unsure, 'step')} is unknown; this plan does not reverse "
            f"{'it' if unsure == 1 else 'them'}. "
            f"{spelled('retry() or rnb.resume', 'reinfer-nb resume')} finds out, unless others "
            "have changed the source since."
        )


def _reverse(step: Step, outcome: Outcome, now: Source) -> tuple[list[Step], list[str]]:
    """Return the step that reverses a step, if there is one, and notes on what it leaves out."""
    if step.kind == "create":
        return [Step("delete", step.owner, step.name, base=now)], []
    if step.kind == "update":
        # The base comes from a listing, which may lack some fields.
        base = outcome.was or step.base
        before = {
            name: getattr(base, name) for name in step.settings if name not in outcome.not_taken
        }
        settings, notes = _writable("update", step.full_name, before)
        return [Step("update", step.owner, step.name, now, settings)] * bool(settings), notes
    comments = "comments" if step.comments is None else counted(step.comments, "comment")
    before = {f.name: getattr(now, f.name) for f in fields_of(Source) if f.may("create")}
    before = {name: value for name, value in before.items() if value is not None}
    settings, notes = _writable("create", step.full_name, before)
    remark = f"old settings, a new id (it was {now.id}), without its {comments}"
    return [Step("create", step.owner, step.name, None, settings, remark=remark)], notes


def _writable(
    operation: Operation, full_name: str, values: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values that the API lets us write, and notes on the others."""
    settings, notes = {}, []
    for field in fields_of(Source):
        if field.name not in values or not field.may(operation):
            continue
        value = values[field.name]
        try:
            field.check(value)
        except ValueError as error:
            reason = f"it was {shown(value)}, which cannot be written: it {error}"
            if value is None:
                reason = "it was missing, and the API cannot clear it"
            notes.append(f"{field.name} of {full_name} is not restored: {reason}.")
        else:
            settings[field.name] = value
    return settings, notes
