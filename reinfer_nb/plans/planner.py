"""From an edited listing to a plan: the tenant is asked for what is there, and nothing is written.

What the tables of `_decisions` cannot know is looked up here: whether a bucket or a project is
there, and how many comments a delete takes.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reinfer_nb import errors
from reinfer_nb.api import comment_counts
from reinfer_nb.api.write_result import was_not_taken
from reinfer_nb.frames import convert
from reinfer_nb.plans import problems as _problems
from reinfer_nb.plans.csv_guards import CELL_LENGTH
from reinfer_nb.plans.decisions import Action, Decisions, decisions
from reinfer_nb.plans.edited_listing import Problem
from reinfer_nb.plans.plan_data import PlanData
from reinfer_nb.plans.steps import Step, in_order
from reinfer_nb.schema import provenance, validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, listed, shown

if TYPE_CHECKING:
    from reinfer_nb.api.client import ApiClient

# Deletes in all projects of the tenant.
TENANT = "tenant"


def planned(
    client: ApiClient,
    edited: pd.DataFrame,
    base: pd.DataFrame | None = None,
    *,
    delete_missing: bool | Literal["tenant"] = False,
    project: str | None = None,
) -> PlanData:
    """Return what `Client.plan` documents."""
    edited = validation.check_frame(edited, "A plan is made of a DataFrame")
    tenant = isinstance(delete_missing, str) and delete_missing == TENANT
    if not (tenant or isinstance(delete_missing, bool)):
        raise errors.InvalidInput(
            f'delete_missing is True, False or "tenant", not {shown(delete_missing)}: True deletes '
            'in the projects of the edited listing, "tenant" in all projects.'
        )
    if project is not None:
        validation.project_name(project)
        if tenant:
            raise errors.InvalidInput(
                f'delete_missing="tenant" deletes in all projects, and project={shown(project)} '
                "keeps the plan to one. Leave out one of the two."
            )
    began = _endpoint(base)
    if began not in (None, client.endpoint):
        raise errors.InvalidInput(
            f"base is a listing of {shown(began)}, and this client is of {client.endpoint}: a base "
            "is what the tenant had when the edit began. Leave it out between tenants."
        )
    # Attributes of a frame outlive what they were true of; they widen and narrow no deletes.
    everywhere = project is not None or tenant
    if not everywhere:
        project = _only_project(edited, base)
    now = client.sources(project, refresh=True)
    return of_listing(
        client,
        edited,
        now,
        base,
        delete_missing=bool(delete_missing),
        project=project,
        everywhere=everywhere,
    )


def _only_project(edited: object, base: object) -> str | None:
    """Return the project that listings say they are of, if no row is of another one."""
    project = _scope(edited) or _scope(base)
    if not isinstance(edited, pd.DataFrame) or list(edited.columns).count("owner") != 1:
        return None
    owners = edited["owner"].tolist()
    return project if all(isinstance(it, str) and it == project for it in owners) else None


def of_listing(
    client: ApiClient,
    edited: pd.DataFrame,
    now: pd.DataFrame,
    base: pd.DataFrame | None = None,
    *,
    delete_missing: bool = False,
    project: str | None = None,
    everywhere: bool = False,
) -> PlanData:
    """Return the plan that makes a listing of a tenant what an edited one says.

    Args:
        client: The tenant.
        edited: The edited listing.
        now: What the tenant has.
        base: As for `Client.plan`.
        delete_missing: Whether to delete sources that `edited` has not.
        project: The project that `now` is a listing of; None for one of all.
        everywhere: Whether to delete in all projects of `now`, not only in those of `edited`.
    """
    here = _endpoint(edited) in (None, client.endpoint)
    decided = decisions(
        edited,
        now,
        base,
        of_this_tenant=here,
        delete_missing=delete_missing,
        project=project,
        everywhere=everywhere,
    )
    new = [] if base is not None or not here else _newer(decided.actions, edited, now)
    actions = [action for action in decided.actions if action not in new]
    problems = [*decided.problems, *_unaddressable(actions)]
    problems += _unknown_projects(client, actions, now)
    problems += _unknown_buckets(client, actions, now, here=here)
    steps = _steps(actions, now)
    if not problems:
        steps = with_comments(client, steps)
    return PlanData(
        endpoint=client.endpoint,
        project=project,
        made_at=provenance.fetched_at(now) or datetime.now(UTC),
        steps=in_order(steps),
        problems=_problems.framed(problems, edited),
        notes=(*_notes(decided, edited, len(new), here=here), *_not_taken_before(client, steps)),
        sizes=sizes(steps, now),
        client=client,
    )


def _not_taken_before(client: ApiClient, steps: Iterable[Step]) -> Iterable[str]:
    """Return a note on the settings that the tenant accepted before and left as they were."""
    fields = {field.name: field for field in fields_of(Source)}
    found = []
    for step in steps:
        names = [
            name
            for name, value in step.settings.items()
            if step.base and was_not_taken(client.endpoint, step.base, fields[name], value)
        ]
        if names:
            found.append(f"{', '.join(names)} of {step.full_name}")
    if found:
        yield (
            f"The tenant did not take this when it was sent before: {listed(found)}. It accepted "
            "the request and left the setting as it was, and may do so again."
        )


def sizes(steps: Iterable[Step], now: pd.DataFrame) -> Mapping[str, int]:
    """Return how many sources the projects have of which sources would be deleted."""
    losing = {step.owner for step in steps if step.kind == "delete"}
    counts = Counter(now["owner"].tolist()) if losing else Counter()
    return {owner: counts[owner] for owner in sorted(losing)}


def with_comments(client: ApiClient, steps: Sequence[Step]) -> list[Step]:
    """Return steps with the comments that the deletes among them take, as far as told."""
    names = [step.full_name for step in steps if step.kind == "delete"]
    counts: dict[str, int] = {}
    # A plan can be looked at without them; it says where they are not known.
    with contextlib.suppress(errors.ReinferError):
        for name, count in comment_counts.each(client.count_comments, names):
            counts |= {name: count} if isinstance(count, int) else {}
    return [
        replace(step, comments=counts.get(step.full_name)) if step.kind == "delete" else step
        for step in steps
    ]


def _endpoint(df: object) -> str | None:
    return _told(df, "endpoint")


def _scope(df: object) -> str | None:
    return _told(df, "project")


def _told(df: object, key: str) -> str | None:
    """Return what a listing says of itself, if it does."""
    value = df.attrs.get(key) if isinstance(df, pd.DataFrame) else None
    return value if isinstance(value, str) else None


def _steps(actions: Sequence[Action], now: pd.DataFrame) -> list[Step]:
    there = [action.place for action in actions if action.place is not None]
    bases = dict(zip(there, convert.to_sources(now.iloc[there]), strict=True))
    return [
        Step(
            action.kind,
            action.owner,
            action.name,
            None if action.place is None else bases[action.place],
            {setting.field: setting.after for setting in action.settings},
        )
        for action in actions
    ]


def _newer(actions: Sequence[Action], edited: pd.DataFrame, now: pd.DataFrame) -> list[Action]:
    """Return the deletes of sources that are younger than the listing that the edit began with."""
    deletes = [action for action in actions if action.kind == "delete"]
    try:
        fetched_at = provenance.fetched_at(edited) if deletes else None
    except errors.InvalidInput:
        fetched_at = None
    if fetched_at is None:
        return []
    places = [action.place for action in deletes if action.place is not None]
    made_at = now["created_at"].take(places)
    return [action for action, made in zip(deletes, made_at, strict=True) if made > fetched_at]


def _unaddressable(actions: Sequence[Action]) -> list[Problem]:
    """Return what a tenant lists under a name or an id that no request can say."""
    return [
        Problem(
            action.row,
            None,
            None,
            f"is {shown(f'{action.owner}/{action.name}')} with the id {shown(action.id)}, which "
            f"this toolkit cannot {action.kind}: a name is {validation.NAME_RULE}, an id "
            f"{validation.ID_RULE}. Leave it out.",
        )
        for action in actions
        if action.kind != "create"
        and not (
            validation.is_name(action.owner)
            and validation.is_name(action.name)
            and validation.is_id(action.id)
        )
    ]


def _unknown_projects(
    client: ApiClient, actions: Sequence[Action], now: pd.DataFrame
) -> list[Problem]:
    """Return the sources to be made in projects that are not there."""
    made = [action for action in actions if action.kind == "create"]
    known = set(now["owner"]) if made else set()
    if all(action.owner in known for action in made):
        return []
    try:
        known |= set(client.projects(refresh=True)["name"])
    except errors.ReinferError:
        # The tenant will say so itself where there is no such project.
        return []
    reason = (
        "is no project that this token may see: make it on the tenant first, or name one of "
        f"{listed(sorted(map(str, known)))}."
    )
    return [
        Problem(action.row, "owner", action.owner, reason)
        for action in made
        if action.owner not in known
    ]


def _unknown_buckets(
    client: ApiClient, actions: Sequence[Action], now: pd.DataFrame, *, here: bool
) -> list[Problem]:
    """Return the settings of buckets that are not there."""
    given = [
        (action, setting.after)
        for action in actions
        for setting in action.settings
        if setting.field == "bucket_id" and setting.after is not None
    ]
    known = set(now["bucket_id"]) if given else set()
    if all(bucket in known for _, bucket in given):
        return []
    reason = "is no bucket of this tenant that the token may see; client.buckets() lists those"
    try:
        known |= set(client.buckets(refresh=True)["id"])
    except errors.ReinferError:
        if here:
            # Who may not see buckets may yet know one; the tenant refuses what is none.
            return []
        reason = "is of another tenant, and no source here has it; this token may see no buckets"
    reason += ". Write the id of one that is there, or leave it empty."
    return [
        Problem(action.row, "bucket_id", bucket, reason)
        for action, bucket in given
        if bucket not in known
    ]


def _notes(decided: Decisions, edited: pd.DataFrame, new: int, *, here: bool) -> Iterable[str]:
    if not here:
        yield (
            f"The edited listing is of {_endpoint(edited)}: {counted(decided.by_name, 'row')} with "
            "other ids there were taken for the sources of the same project and name here."
        )
    if decided.theirs:
        yield (
            f"{counted(decided.theirs, 'setting')} that others have changed since the base and the "
            "edit has not stay as they are."
        )
    if new:
        they = "is" if new == 1 else "are"
        yield f"{counted(new, 'source')} made since the listing was fetched {they} not deleted."
    if decided.outside:
        number = sum(decided.outside.values())
        projects = listed(f"{owner} ({count:,})" for owner, count in decided.outside.items())
        yield (
            f"{counted(number, 'source')} of projects of which the edited listing has no source "
            f"{'is' if number == 1 else 'are'} not deleted: {projects}. To delete in such a "
            "project too, name it with project=, or plan for the whole tenant with "
            'delete_missing="tenant" (on the command line: --project, --whole-tenant).'
        )
    guards = decided.guards
    if guards.known or guards.new:
        others = f" Not on the tenant: {listed(map(shown, guards.new))}." if guards.new else ""
        yield (
            "The apostrophe that to_csv puts before some texts was taken off "
            f"{counted(guards.known + len(guards.new), 'cell')}.{others}"
        )
    for number, what in (
        (guards.known, "that begin with such an apostrophe"),
        (guards.lost, "that lack an apostrophe, such as to_csv puts, before the tenant's text"),
        (guards.breaks, "that differ from the tenant's text in line breaks alone"),
        (
            guards.cut,
            f"that hold the first {CELL_LENGTH:,} characters of the tenant's text, as Excel does,",
        ),
    ):
        if number:
            yield (
                f"{counted(number, 'cell')} {what} {'is' if number == 1 else 'are'} taken for "
                "what the tenant has, not for an edit; client.update_source sets such a text "
                "if it is meant."
            )
    if guards.left:
        yield (
            "The apostrophe at the beginning of these texts is part of what will be written: "
            f"{listed(map(shown, guards.left))}. If to_csv put it there, read the file with "
            "rnb.read_csv."
        )
    if decided.ignored:
        yield f"Columns that no source has, which were not looked at: {listed(decided.ignored)}."
