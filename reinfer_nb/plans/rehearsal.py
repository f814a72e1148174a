"""A plan tried on a copy: a sandbox that is filled with the tenant's listing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from reinfer_nb import markup
from reinfer_nb.api import connection
from reinfer_nb.api.client import ApiClient
from reinfer_nb.auth.token_function import token_given
from reinfer_nb.concurrency import Progress
from reinfer_nb.copies import unshared
from reinfer_nb.plans import executor
from reinfer_nb.plans.plan import Plan, client_of
from reinfer_nb.plans.result import ApplyResult
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import ValueType, is_missing
from reinfer_nb.server.practice_tenant import PracticeTenant
from reinfer_nb.text import counted


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


def rehearsed(plan: Plan, *, workers: int, progress: Progress) -> Rehearsal:
    """Carry out a plan on a copy, as `Plan.rehearse` documents it."""
    client = client_of(plan)
    listing = client.sources(plan.project, refresh=True)
    box = PracticeTenant(_storable(listing))
    with _served(box) as copy, tempfile.TemporaryDirectory() as folder:
        _complete(box, listing, plan)
        there = replace(plan, endpoint=copy.endpoint, client=copy)
        journal = Path(folder) / "journal.jsonl"
        result = executor.applied(there, workers=workers, progress=progress, journal=journal)
        sources = copy.sources(refresh=True)
    sources.attrs = dict(listing.attrs)
    return Rehearsal(replace(result, plan=plan, journal=None, client=client), sources)


@contextmanager
def _served(box: PracticeTenant) -> Iterator[ApiClient]:
    """Serve a practice tenant, and give a client of its admin."""
    box.serve()
    try:
        token = token_given(box.tokens["admin"])
        with ApiClient(connection.transport(endpoint=box.endpoint, token=token)) as client:
            yield client
    finally:
        box.stop()


def _storable(listing: pd.DataFrame) -> pd.DataFrame:
    """Return a listing without the values of unknown fields that the copy cannot send as JSON."""
    known = {field.name for field in fields_of(Source)}
    for name in (name for name in listing.columns if name not in known):
        has_form = [_has_form(value) for value in listing[name].tolist()]
        if not all(has_form):
            cells = listing[name].astype(object).where(pd.Series(has_form, listing.index))
            listing = listing.assign(**{name: cells})
    return listing


def _has_form(value: object) -> bool:
    try:
        json.dumps(ValueType.write(value), allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return is_missing(value)
    return True


def _complete(box: PracticeTenant, listing: pd.DataFrame, plan: Plan) -> None:
    """Give the copy the projects and buckets that the plan names and no source has."""
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
