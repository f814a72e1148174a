"""Make a plan from an edited listing; sends requests that read, and none that write.

`decisions` compares the listings. This module asks the tenant for the rest: whether buckets and
projects exist, and how many comments a delete removes or an update lets the tenant parse again.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reinfer_nb import errors
from reinfer_nb.api import comment_counts
from reinfer_nb.api.write_result import was_not_taken
from reinfer_nb.plans import problems as _problems
from reinfer_nb.plans.csv_guards import CELL_LENGTH
from reinfer_nb.plans.decisions import Decisions, decisions
from reinfer_nb.plans.edited_listing import Problem
from reinfer_nb.plans.plan_data import PlanData
from reinfer_nb.plans.steps import Step, in_order
from reinfer_nb.schema import provenance, validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.text import counted, did_you_mean, listed, nearest, shown
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.api.client import ApiClient

# The value of `delete_missing` that deletes in all projects of the tenant.
TENANT = "tenant"


def planned(
    client: ApiClient,
    edited: pd.DataFrame | str | os.PathLike[str],
    base: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    delete_missing: bool | Literal["tenant"] = False,
    project: str | None = None,
) -> PlanData:
    """Return the plan that `Client.plan` documents."""
    edited = listing_of(edited, "A plan is made of")
    base = None if base is None else listing_of(base, "base must be")
    tenant = isinstance(delete_missing, str) and delete_missing == TENANT
    if not (tenant or isinstance(delete_missing, bool)):
        raise errors.InvalidInput(
            f'delete_missing must be True, False or "tenant", not {shown(delete_missing)}. True '
            'deletes in the projects of the edited listing, "tenant" in all projects.'
        )
    if project is not None:
        validation.project_name(project)
        if tenant:
            raise errors.InvalidInput(
                spelled('delete_missing="tenant"', "--whole-tenant")
                + f" deletes in all projects, but {spelled('project=', '--project ')}"
                f"{shown(project)} limits the plan to one. Leave out one of the two."
            )
    base_endpoint = _endpoint(base)
    if base_endpoint not in (None, client.endpoint):
        raise errors.InvalidInput(
            f"{spelled('base', '--base')} is a listing of {shown(base_endpoint)}, but "
            + spelled(f"this client is for {client.endpoint}", f"{client.endpoint} is configured")
            + ". Leave the base out when you copy sources between tenants."
        )
    # The attributes of a frame may be outdated, so they have no effect on the scope of deletes.
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
    """Return the project in the attributes of the listings, unless a row has another project."""
    project = _scope(edited) or _scope(base)
    if not isinstance(edited, pd.DataFrame) or list(edited.columns).count("owner") != 1:
        return None
    owners = edited["owner"].tolist()
    return project if all(isinstance(o, str) and o == project for o in owners) else None


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
    """Return the plan that turns the listing of a tenant into an edited one.

    Args:
        client: The tenant's client.
        edited: The edited listing.
        now: The fresh listing of the tenant.
        base: As for `Client.plan`.
        delete_missing: Delete sources that are missing from `edited`.
        project: The project of `now`; None if `now` is the whole tenant.
        everywhere: Delete in all projects of `now`, not only in those of `edited`.
    """
    same_tenant = _endpoint(edited) in (None, client.endpoint)
    decided = decisions(
        edited,
        now,
        base,
        of_this_tenant=same_tenant,
        delete_missing=delete_missing,
        project=project,
        everywhere=everywhere,
    )
    steps: Sequence[Step] = decided.steps
    if base is None and same_tenant:
        steps = _without_newer(steps, edited)
    new = len(decided.steps) - len(steps)
    problems = [*decided.problems, *_unaddressable(steps)]
    problems += _unknown_projects(client, steps, now)
    problems += _unknown_buckets(client, steps, now, same_tenant=same_tenant)
    if not problems:
        steps = with_comments(client, steps)
    return PlanData(
        endpoint=client.endpoint,
        project=project,
        made_at=provenance.fetched_at(now) or datetime.now(UTC),
        steps=in_order(steps),
        problems=_problems.framed(problems, edited),
        notes=(
            *_notes(decided, edited, new, same_tenant=same_tenant),
            *_not_taken_before(client, steps),
        ),
        sizes=sizes(steps, now),
        client=client,
    )


def _not_taken_before(client: ApiClient, steps: Iterable[Step]) -> Iterable[str]:
    """Return a note on settings that the tenant accepted before but did not change."""
    fields = {field.name: field for field in fields_of(Source)}
    settings = []
    for step in steps:
        names = [
            name
            for name, value in step.settings.items()
            if step.base and was_not_taken(client.endpoint, step.base, fields[name], value)
        ]
        if names:
            settings.append(f"{', '.join(names)} of {step.full_name}")
    if settings:
        yield (
            f"The tenant did not take these settings before: {listed(settings)}. It accepted the "
            "request but did not change the setting, and may do so again."
        )


def sizes(steps: Iterable[Step], now: pd.DataFrame) -> Mapping[str, int]:
    """Return the number of sources in each project with a delete."""
    owners = {step.owner for step in steps if step.kind == "delete"}
    counts = Counter(now["owner"].tolist()) if owners else Counter()
    return {owner: counts[owner] for owner in sorted(owners)}


def with_comments(client: ApiClient, steps: Sequence[Step]) -> list[Step]:
    """Return the steps; deletes and updates that touch all comments with their number of them."""
    names = [step.full_name for step in steps if step.touches_comments]
    counts: dict[str, int] = {}
    # Without the counts a plan is still useful; it shows which are unknown.
    with contextlib.suppress(errors.ReinferError):
        for name, count in comment_counts.each(client.calls.count_comments, names):
            counts |= {name: count} if isinstance(count, int) else {}
    return [
        replace(step, comments=counts.get(step.full_name)) if step.touches_comments else step
        for step in steps
    ]


def _endpoint(df: object) -> str | None:
    return _attribute(df, "endpoint")


def _scope(df: object) -> str | None:
    return _attribute(df, "project")


def _attribute(df: object, key: str) -> str | None:
    """Return a text from the attributes of a frame; None if there is none."""
    value = df.attrs.get(key) if isinstance(df, pd.DataFrame) else None
    return value if isinstance(value, str) else None


def _without_newer(steps: Sequence[Step], edited: pd.DataFrame) -> Sequence[Step]:
    """Return the steps without deletes of sources created after the edited listing was fetched."""
    fetched_at = None
    with contextlib.suppress(errors.InvalidInput):
        fetched_at = provenance.fetched_at(edited)
    if fetched_at is None:
        return steps
    return [step for step in steps if step.kind != "delete" or not _is_newer(step, fetched_at)]


def _is_newer(step: Step, time: datetime) -> bool:
    created_at = step.before("created_at")
    return created_at is not None and bool(created_at > time)


def _unaddressable(steps: Sequence[Step]) -> list[Problem]:
    """Return the sources whose name or id cannot be used in a request."""
    return [
        Problem(
            step.row,
            None,
            None,
            f"is {shown(step.full_name)} with the id {shown(step.id)}, which "
            f"cannot be used in a request to {step.kind} it: a name must be "
            f"{validation.NAME_RULE}, an id {validation.ID_RULE}. Leave this source out.",
        )
        for step in steps
        if step.kind != "create"
        and not (
            validation.is_name(step.owner)
            and validation.is_name(step.name)
            and validation.is_id(step.id)
        )
    ]


def _unknown_projects(client: ApiClient, steps: Sequence[Step], now: pd.DataFrame) -> list[Problem]:
    """Return the sources to create in unknown projects."""
    creates = [step for step in steps if step.kind == "create"]
    projects = set(now["owner"]) if creates else set()
    if all(step.owner in projects for step in creates):
        return []
    try:
        projects |= set(client.projects(refresh=True)["name"])
    except errors.ReinferError:
        # The tenant will refuse the create if there is no such project.
        return []
    others = f", or use one of {listed(sorted(map(str, projects)))}" if projects else ""
    reason = f"is not a project that this token may see. Create it on the tenant first{others}."
    names = [project for project in projects if isinstance(project, str)]
    return [
        Problem(step.row, "owner", step.owner, reason + did_you_mean(nearest(step.owner, names)))
        for step in creates
        if step.owner not in projects
    ]


def _unknown_buckets(
    client: ApiClient, steps: Sequence[Step], now: pd.DataFrame, *, same_tenant: bool
) -> list[Problem]:
    """Return the settings of unknown buckets."""
    buckets = {
        step.row: bucket for step in steps if (bucket := step.settings.get("bucket_id")) is not None
    }
    bucket_ids = set(now["bucket_id"]) if buckets else set()
    if bucket_ids.issuperset(buckets.values()):
        return []
    reason = "is not a bucket that this token may see" + spelled(
        "; client.buckets() lists them", ""
    )
    try:
        bucket_ids |= set(client.buckets(refresh=True)["id"])
    except errors.ReinferError:
        if same_tenant:
            # The user may know an id without the right to list buckets; the tenant checks the id.
            return []
        reason = "is from another tenant, and no source here uses it; this token sees no buckets"
    reason += ". Write the id of an existing bucket, or leave the cell empty."
    return [
        Problem(row, "bucket_id", bucket, reason)
        for row, bucket in buckets.items()
        if bucket not in bucket_ids
    ]


def _notes(
    decided: Decisions, edited: pd.DataFrame, new: int, *, same_tenant: bool
) -> Iterable[str]:
    if not same_tenant:
        yield (
            f"The edited listing is from {_endpoint(edited)}. Matched by project and name: "
            f"{counted(decided.by_name, 'row')} with another id."
        )
    if decided.theirs:
        yield (
            f"Not overwritten: {counted(decided.theirs, 'setting')} that only others have changed "
            "since the base."
        )
    if new:
        yield f"Not deleted: {counted(new, 'source')} created after the listing was fetched."
    if decided.outside:
        number = sum(decided.outside.values())
        projects = listed(f"{owner} ({count:,})" for owner, count in decided.outside.items())
        yield (
            f"Not deleted: {counted(number, 'source')} of projects that have no source in the "
            f"edited listing: {projects}. To delete in such a project too, name it with "
            + spelled(
                'project=, or plan for the whole tenant with delete_missing="tenant".',
                "--project, or plan for the whole tenant with --whole-tenant.",
            )
        )
    guards = decided.guards
    if guards.known or guards.new:
        others = f" Not on the tenant: {listed(map(shown, guards.new))}." if guards.new else ""
        yield (
            "The apostrophe that an export to CSV puts before some texts was removed from "
            f"{counted(guards.known + len(guards.new), 'cell')}.{others}"
        )
    for number, difference in (
        (guards.known, "with such an apostrophe before the tenant's text"),
        (guards.lost, "without the apostrophe that the tenant's text begins with"),
        (guards.breaks, "with other line breaks than the tenant's text"),
        (guards.cut, f"cut to {CELL_LENGTH:,} characters, as Excel does"),
    ):
        if number:
            yield (
                f"Not treated as an edit: {counted(number, 'cell')} {difference}. "
                + spelled(
                    "To set such a text, use client.update_source.",
                    "A plan cannot set such a text.",
                )
            )
    if guards.left:
        yield (
            "These texts will be written with the apostrophe at their beginning: "
            f"{listed(map(shown, guards.left))}."
            + spelled(" If to_csv put it there, read the file with rnb.read_csv.", "")
        )
    if decided.ignored:
        yield f"Ignored columns, which are not fields of a source: {listed(decided.ignored)}."
