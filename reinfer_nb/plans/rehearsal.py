"""Rehearse a plan on a practice tenant that holds a copy of the tenant's listing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from reinfer_nb.api import connection
from reinfer_nb.api.client import ApiClient
from reinfer_nb.auth.token_function import token_given
from reinfer_nb.concurrency import Progress
from reinfer_nb.plans import executor
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.result_data import ResultData
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import ValueType, is_missing
from reinfer_nb.server.practice_tenant import PracticeTenant


def rehearsed(
    plan: PlanData, *, workers: int, progress: Progress
) -> tuple[ResultData, pd.DataFrame]:
    """Apply a plan to a copy; return the result, and the listing afterwards."""
    client = client_of(plan)
    listing = client.sources(plan.project, refresh=True)
    box = PracticeTenant(_storable(listing))
    with _served(box) as copy, tempfile.TemporaryDirectory() as folder:
        _complete(box, listing, plan)
        copied = replace(plan, endpoint=copy.endpoint, client=copy)
        journal = Path(folder) / "journal.jsonl"
        result = executor.applied(copied, workers=workers, progress=progress, journal=journal)
        sources = copy.sources(refresh=True)
    sources.attrs = dict(listing.attrs)
    return replace(result, plan=plan, journal=None, client=client), sources


@contextmanager
def _served(box: PracticeTenant) -> Iterator[ApiClient]:
    """Context manager that serves a practice tenant and yields a client with its admin token."""
    box.serve()
    try:
        token = token_given(box.tokens["admin"])
        with ApiClient(connection.transport(endpoint=box.endpoint, token=token)) as client:
            yield client
    finally:
        box.stop()


def _storable(listing: pd.DataFrame) -> pd.DataFrame:
    """Return a listing without values of unknown fields that cannot be written as JSON."""
    fields = {field.name for field in fields_of(Source)}
    for name in (name for name in listing.columns if name not in fields):
        storable = [_is_storable(value) for value in listing[name].tolist()]
        if not all(storable):
            cells = listing[name].astype(object).where(pd.Series(storable, listing.index))
            listing = listing.assign(**{name: cells})
    return listing


def _is_storable(value: object) -> bool:
    try:
        json.dumps(ValueType.write(value), allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return is_missing(value)
    return True


def _complete(box: PracticeTenant, listing: pd.DataFrame, plan: PlanData) -> None:
    """Add the projects and buckets that the plan needs and no source has."""
    projects = {step.owner for step in plan.steps} - set(listing["owner"])
    for project in sorted(projects):
        box.add_project(project)
    owners = {
        step.settings["bucket_id"]: step.owner
        for step in plan.steps
        if step.settings.get("bucket_id")
    }
    for bucket_id in owners.keys() - set(listing["bucket_id"]):
        box.add_bucket(bucket_id, owners[bucket_id])
