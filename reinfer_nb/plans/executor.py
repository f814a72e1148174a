"""Apply plans: in parallel, with a journal, and without overwriting remote changes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from reinfer_nb import errors
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.api.contents import last_copy
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.concurrency import Progress, as_done, checked_workers
from reinfer_nb.errors import FileProblem, InvalidInput, MovedWarning
from reinfer_nb.files import lasting_path
from reinfer_nb.journal import Journal
from reinfer_nb.plans import attempt, document, drift
from reinfer_nb.plans.attempt import Outcome
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.result_data import CTRL_C, ResultData
from reinfer_nb.plans.steps import KINDS
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, shown, visible
from reinfer_nb.wording import spelled

logger = logging.getLogger("reinfer_nb")

_FORMAT = "reinfer_nb journal, version 1"
# A plan of this age is compared with the tenant before it is applied.
_OLD = timedelta(minutes=10)
# Requests at the same time for the archive of one source; several are archived at once.
_AT_ONCE = 2
# After so many server or connection errors in a row, the rest is left for later.
_MAX_FAILURES = 3


def applied(
    plan: PlanData,
    *,
    workers: int,
    progress: Progress,
    journal: str | os.PathLike[str] | None,
    archive: str | os.PathLike[str] | None = None,
    stop: threading.Event | None = None,
) -> ResultData:
    """Carry out a plan, as `Plan.apply` documents it.

    Args:
        plan: The plan; problems and mass deletes are already checked.
        workers: As for `Plan.apply`.
        progress: As for `Plan.apply`.
        journal: As for `Plan.apply`.
        archive: As for `Plan.apply`.
        stop: Once set, no further step is begun.
    """
    checked_workers(workers)
    folder = None if archive is None else lasting_path(archive)
    client = client_of(plan)
    if client.endpoint != plan.endpoint:
        raise InvalidInput(
            f"The plan is for {shown(plan.endpoint, 200)}, but the client is for {client.endpoint}."
        )
    head: dict[str, Any] = {"format": _FORMAT, "plan": document.content_of(plan)}
    if folder is not None:
        head["archive"] = str(folder)
    file = Journal.begun_by_default(head) if journal is None else Journal.begun(journal, head)
    try:
        # Check that `resume` can read the journal before anything is sent.
        _read(file.lines(), client, file.path)
    except BaseException:
        file.close()
        raise
    execution = _Execution(client, plan, file, {}, archive=folder, stop=stop, workers=workers)
    return execution.run(progress)


def resumed(
    client: ApiClient,
    journal: str | os.PathLike[str],
    *,
    workers: int,
    progress: Progress,
    stop: threading.Event | None = None,
) -> ResultData:
    """Finish an apply, as `resume` documents it.

    Args:
        client: The tenant.
        journal: As for `resume`.
        workers: As for `resume`.
        progress: As for `resume`.
        stop: Once set, no further step is begun.
    """
    client = check_client(client, ApiClient)
    checked_workers(workers)
    file = Journal.opened(journal)
    try:
        lines = file.lines()
        plan, outcomes = _read(lines, client, file.path)
        folder = _folder(lines[0])
        file.go_on()
    except BaseException:
        file.close()
        raise
    execution = _Execution(client, plan, file, outcomes, archive=folder, stop=stop, workers=workers)
    return execution.run(progress)


def result_of(client: ApiClient, journal: str | os.PathLike[str]) -> ResultData:
    """Return the result in a journal, as `saved.result_of` documents it.

    Writes nothing, so that what was done can be undone without a `resume`.
    """
    client = check_client(client, ApiClient)
    file = Journal.opened_to_read(journal)
    try:
        plan, outcomes = _read(file.lines(), client, file.path)
    finally:
        file.close()
    return ResultData(plan, _all_outcomes(plan, outcomes), file.path, "", client)


class _Execution:
    """The execution of a plan.

    Args:
        client: The tenant.
        plan: The plan.
        journal: The journal; closed at the end.
        outcomes: The outcomes of earlier attempts, by step number; "begun" for steps that may have
            taken effect.
        archive: The folder for the comments of deleted sources; None to delete them as well.
        stop: Once set, no further step is begun.
        workers: The number of steps carried out at once.
    """

    def __init__(
        self,
        client: ApiClient,
        plan: PlanData,
        journal: Journal,
        outcomes: Mapping[int, Outcome],
        *,
        archive: Path | None,
        stop: threading.Event | None,
        workers: int,
    ) -> None:
        self._workers, self._archive = workers, archive
        self._client, self._plan, self._journal = client, plan, journal
        self._outcomes = dict(outcomes)
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._slowed = False
        self._blocked: dict[str, bool] = {}
        self._failures = 0
        self._stop_reason = ""

    def run(self, progress: Progress) -> ResultData:
        """Carry out the open steps; return the result of the whole plan.

        Raises:
            FileProblem: The journal cannot be written any more, so no further step is begun.
            Exception: What `progress` raised.
        """
        todo = [
            number
            for number in range(len(self._plan.steps))
            if number not in self._outcomes or self._outcomes[number].open
        ]
        try:
            self._run(todo, progress)
        except KeyboardInterrupt:
            # All requests under way have finished by now.
            self._stop_reason = CTRL_C
        except FileProblem as problem:
            raise FileProblem(
                f"{problem} The apply was stopped. Make the journal writable, then continue with "
                + spelled("rnb.resume(client, path).", "reinfer-nb resume.")
            ) from None
        except BaseException as error:
            way = spelled("rnb.resume", "reinfer-nb resume")
            error.add_note(f"The journal is {self._journal.path}. Continue with {way}.")
            raise
        finally:
            self._journal.close()
        return self._result()

    def _run(self, todo: Collection[int], progress: Progress) -> None:
        from tqdm.auto import tqdm

        steps = self._plan.steps
        bar = tqdm(
            total=len(todo), desc="apply", unit="source", disable=not todo or progress is not True
        )
        with bar, ThreadPoolExecutor(self._workers, "reinfer_nb-apply") as pool:
            done = 0
            try:
                for kind in KINDS:
                    self._blocked = self._blocked_projects() if kind == "delete" else {}
                    numbers = [n for n in todo if steps[n].kind == kind]
                    for _, future in as_done(pool, self._do, numbers):
                        future.result()
                        done += 1
                        bar.update()
                        if callable(progress):
                            progress(done, len(todo))
            except BaseException:
                # Begin no further step; leaving the pool waits for the requests under way.
                self._stop.set()
                raise

    def _blocked_projects(self) -> dict[str, bool]:
        """Return the projects with a failed create: True if a retry cannot create the source."""
        blocked: dict[str, bool] = {}
        for number, step in enumerate(self._plan.steps):
            outcome = self._outcomes.get(number)
            if step.kind == "create" and not (outcome and outcome.ok):
                final = outcome is not None and not outcome.open
                blocked[step.owner] = blocked.get(step.owner, False) or final
        return blocked

    def _skip_delete(self, number: int) -> None:
        """Leave out a delete: a source that could not be created may be the replacement."""
        earlier = self._outcomes.get(number)
        # An earlier attempt may have taken effect; its outcome stays.
        if not (earlier and earlier.unsure):
            final = self._blocked[self._plan.steps[number].owner]
            outcome = Outcome(
                attempt.MOVED if final else attempt.LEFT,
                "Not deleted: some sources of this project could not be created first.",
            )
            self._outcomes[number] = outcome
            self._journal.write({"action": number, **outcome.to_json()})

    def _do(self, number: int) -> None:
        """Carry out a step or leave it out; runs in a thread of the pool."""
        if self._stop.is_set():
            return
        if self._plan.steps[number].owner in self._blocked:
            self._skip_delete(number)
        else:
            self._carry_out(number)

    def _carry_out(self, number: int) -> None:
        step, earlier = self._plan.steps[number], self._outcomes.get(number)
        earlier = earlier if earlier and earlier.unsure else None
        first_try = earlier.first_try if earlier else self._client.calls.tenant_time()
        begun = Outcome(attempt.BEGUN, "The outcome is unknown.", first_try=first_try)
        self._journal.write({"action": number, **begun.to_json()})
        self._outcomes[number] = begun
        calls = self._client.calls.with_hooks(stop=self._stop, waited=self._waited)
        archiving = None if self._archive is None else partial(self._archived, number, begun)
        outcome, error = attempt.attempt(
            calls, step, earlier=earlier, stop=self._stop, archiving=archiving
        )
        self._outcomes[number] = outcome
        self._journal.write({"action": number, **outcome.to_json()})
        self._count_failure(error)

    def _archived(self, number: int, begun: Outcome, source: Source) -> Archive:
        """Archive the comments of a source that is to be deleted, and note the archive."""
        if self._archive is None:
            raise ValueError("There is no folder for archives.")
        path = last_copy.new_file(source, self._archive)
        archive = self._client.archive(
            source,
            path,
            resume=False,
            workers=_AT_ONCE,
            progress=lambda *_: attempt.check(self._stop),
        )
        noted = replace(begun, archive=str(path))
        self._journal.write({"action": number, **noted.to_json()})
        self._outcomes[number] = noted
        return archive

    def _waited(self) -> None:
        """Log the first time that the tenant asks to wait."""
        with self._lock:
            first, self._slowed = not self._slowed, True
        if first:
            logger.warning("%s asks to wait between requests.", self._client.endpoint)

    def _count_failure(self, error: errors.ReinferError | None) -> None:
        """Stop the execution if the remaining steps would fail for the same reason."""
        with self._lock:
            if isinstance(
                error, errors.AuthenticationError | errors.ConfigurationError | errors.RateLimited
            ):
                self._failures = _MAX_FAILURES
            elif isinstance(error, errors.ConnectionFailed | errors.ServerError):
                self._failures += 1
            else:
                self._failures = 0
            if self._failures >= _MAX_FAILURES and not self._stop.is_set():
                self._stop.set()
                self._stop_reason = f"It was stopped, since the other steps would fail too: {error}"

    def _result(self) -> ResultData:
        outcomes = _all_outcomes(self._plan, self._outcomes)
        reason = self._stop_reason
        if self._stop.is_set() and not reason and attempt.LEFT in {o.status for o in outcomes}:
            reason = "It was stopped."
        return ResultData(self._plan, outcomes, self._journal.path, reason, self._client)


def _all_outcomes(plan: PlanData, outcomes: Mapping[int, Outcome]) -> tuple[Outcome, ...]:
    """Return the outcome of every step, "left" for those that were not begun."""
    not_begun = Outcome(attempt.LEFT, "Not begun.")
    return tuple(outcomes.get(number, not_begun) for number in range(len(plan.steps)))


def warn_if_moved(plan: PlanData) -> None:
    """Warn of the sources that were changed remotely since an old plan was made."""
    if not plan.steps or datetime.now(UTC) - plan.made_at < _OLD:
        return
    moved = drift.moved(plan)
    if len(moved):
        errors.warn(
            f"{len(moved):,} of the {counted(len(plan.steps), 'source')} of this plan changed "
            f"after it was made on {plan.made_at:%Y-%m-%d at %H:%M} UTC, and will be left alone."
            + spelled(" plan.moved() lists them.", ""),
            MovedWarning,
        )


def _read(
    lines: Sequence[Any], client: ApiClient, path: Path
) -> tuple[PlanData, dict[int, Outcome]]:
    """Return the plan in a journal, and the outcomes of its steps by number."""
    name = visible(str(path), 200)
    head = lines[0] if lines else None
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise FileProblem(f"{name} is not a journal of this toolkit, or is from a later version.")
    try:
        plan = document.plan_of(head.get("plan"), client)
        outcomes = dict(_outcome(line, plan) for line in lines[1:] if "action" in line)
    except FileProblem as problem:
        raise FileProblem(f"{name} is not a valid journal. {problem}") from None
    if plan.endpoint != client.endpoint:
        here = spelled(f"this client is for {client.endpoint}", f"{client.endpoint} is configured")
        raise InvalidInput(
            f"{name} is the journal of a plan for {shown(plan.endpoint, 200)}, but {here}."
        )
    return plan, outcomes


def _folder(head: Mapping[str, Any]) -> Path | None:
    """Return the folder for archives of an apply; None if it has none."""
    folder = head.get("archive")
    if folder is not None and not isinstance(folder, str):
        raise FileProblem(f"{shown(folder)} is not a folder for archives.")
    return None if folder is None else Path(folder)


def _outcome(line: dict[str, Any], plan: PlanData) -> tuple[int, Outcome]:
    number = line["action"]
    if type(number) is not int or not 0 <= number < len(plan.steps):
        raise FileProblem(f"It names the step {shown(number)}, which is not in the plan.")
    return number, Outcome.from_json(line)
