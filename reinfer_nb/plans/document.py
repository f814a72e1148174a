"""Plans as JSON, for `Plan.save`, `load_plan` and the first line of a journal."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reinfer_nb import strict_json
from reinfer_nb.errors import FileProblem, reason_of
from reinfer_nb.files import encoded, path_of, written_whole
from reinfer_nb.plans.plan_data import PlanData
from reinfer_nb.plans.problems import no_problems
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.text import visible

if TYPE_CHECKING:
    from reinfer_nb.api.client import ApiClient

_FORMAT = "reinfer_nb plan, version 1"
_ABOUT = (
    "What would be done to the sources of a tenant. rnb.load_plan(path) shows it, its apply() does "
    "it, and so does: reinfer-nb apply FILE"
)


def content_of(plan: PlanData) -> dict[str, Any]:
    """Return a plan as a JSON object."""
    return {
        "endpoint": plan.endpoint,
        "project": plan.project,
        "made_at": plan.made_at.astimezone(UTC).isoformat(),
        "notes": list(plan.notes),
        "sources": dict(plan.sizes),
        "actions": [step.to_json() for step in plan.steps],
    }


def plan_of(content: object, client: ApiClient | None, *, form: str | None = None) -> PlanData:
    """Return the plan in a JSON object.

    Args:
        content: The object.
        client: The client to apply the plan with.
        form: The expected format of a plan file; None within a journal.

    Raises:
        FileProblem: The object is not a valid plan.
    """
    if not isinstance(content, dict) or content.get("format") != form:
        raise FileProblem("It is not a plan of this toolkit, or is from a later version.")
    endpoint, project = content.get("endpoint"), content.get("project")
    notes, sizes, actions = (content.get(name) for name in ("notes", "sources", "actions"))
    try:
        made_at = Moment.read(content.get("made_at"))
    except ValueError:
        raise FileProblem("It has no valid made_at.") from None
    if (
        not isinstance(endpoint, str)
        or not isinstance(project, str | None)
        or not (isinstance(notes, list) and all(isinstance(note, str) for note in notes))
        or not (isinstance(sizes, dict) and all(type(size) is int for size in sizes.values()))
        or not isinstance(actions, list)
    ):
        raise FileProblem("Its endpoint, project, notes, sources or actions are invalid.")
    steps = tuple(map(Step.from_json, actions))
    names = [step.full_name for step in steps]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise FileProblem(f"It has two steps for {name}.")
    return PlanData(endpoint, project, made_at, steps, no_problems(), tuple(notes), sizes, client)


def write(plan: PlanData, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a plan, as `Plan.save` documents it."""
    content = {"format": _FORMAT, "about": _ABOUT} | content_of(plan)
    target = path_of(path)
    body = encoded(content, indent=2) + b"\n"
    # Check that the file can be read again before it is written.
    plan_of(_decoded(body), None, form=_FORMAT)
    with written_whole(target, overwrite=overwrite) as file:
        file.write(body)
    return target


def read(path: str | os.PathLike[str], client: ApiClient | None) -> PlanData:
    """Return the plan in a file.

    Raises:
        FileProblem: The file cannot be read or is not a valid plan.
    """
    file = path_of(path)
    name = visible(str(file), 200)
    try:
        return plan_of(_decoded(file.read_bytes()), client, form=_FORMAT)
    except FileProblem as problem:
        raise FileProblem(f"{name} is not a valid plan. {problem}") from None
    except (OSError, ValueError) as error:
        raise FileProblem(f"{name} cannot be read: {reason_of(error)}.") from None


def _decoded(body: bytes) -> Any:
    try:
        return strict_json.decode(body)
    except strict_json.Malformed as error:
        raise FileProblem(f"Its JSON is invalid: {error}.") from None
