"""Plans and results from the files that were kept of them: plans and journals."""

from __future__ import annotations

import os

from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.concurrency import Progress
from reinfer_nb.errors import InvalidInput
from reinfer_nb.plans import document, executor
from reinfer_nb.plans.plan import ApplyResult, Plan, apply_result_of, plan_of
from reinfer_nb.text import shown
from reinfer_nb.wording import spelled


def load_plan(path: str | os.PathLike[str], client: ApiClient | None = None) -> Plan:
    """Return a plan that `Plan.save` wrote.

    >>> _ = client.plan(client.sources().head(1).assign(title="Motor")).save("change.json")
    >>> load_plan("change.json", client).frame[["action", "name", "field", "after"]]
       action         name  field  after
    0  update  motor-inbox  title  Motor

    Args:
        path: The file.
        client: The tenant's client; by default the configured tenant, connected when needed.

    Raises:
        FileProblem: The file cannot be read, or is not a valid plan.
        InvalidInput: The plan is for another tenant.
    """
    if client is not None:
        client = check_client(client, ApiClient)
    plan = plan_of(document.read(path, client))
    if client is not None and client.endpoint != plan.endpoint:
        raise InvalidInput(
            f"{path} is a plan for {shown(plan.endpoint, 200)}, but "
            + spelled(
                f"this client is for {client.endpoint}. Make a plan for this tenant with "
                "client.plan(...).",
                f"{client.endpoint} is configured. Make a plan for this tenant with reinfer-nb "
                "plan.",
            )
        )
    return plan


def resume(
    client: ApiClient,
    journal: str | os.PathLike[str],
    *,
    workers: int = 20,
    progress: Progress = True,
) -> ApplyResult:
    """Finish an apply that ended early, from its journal; nothing is done twice.

    >>> plan = client.plan(client.sources().head(1).assign(title="Motor"))
    >>> result = plan.apply(progress=False, journal="motor.jsonl")
    >>> resume(client, "motor.jsonl", progress=False).frame["status"]
    0    done
    Name: status, dtype: str

    A step that was under way is checked first, and done only if it was not. A failed step is tried
    again. If all steps are done, no request is sent.

    Args:
        client: The tenant of the plan.
        journal: The file; `ApplyResult.journal` names it.
        workers: The number of sources changed at once, up to 32.
        progress: As for `Plan.apply`.

    Returns:
        The outcome of each step, including those done before.

    Raises:
        FileProblem: The file cannot be read, is not a journal, or is still being written.
        InvalidInput: The journal belongs to another tenant, or `workers` is out of range.
    """
    return apply_result_of(executor.resumed(client, journal, workers=workers, progress=progress))


def result_of(client: ApiClient, journal: str | os.PathLike[str]) -> ApplyResult:
    """Return the result of a plan as its journal holds it; no request is sent.

    Args:
        client: The tenant that the plan was applied to.
        journal: The file; `ApplyResult.journal` names it.

    Raises:
        FileProblem: The file cannot be read, is not a journal, or is still being written.
        InvalidInput: The journal belongs to another tenant.
    """
    return apply_result_of(executor.result_of(client, journal))
