"""Plans carried out: side by side, journalled, and never over what somebody else has changed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reinfer_nb import errors
from reinfer_nb.api.client import ApiClient, check_client
from reinfer_nb.concurrency import Progress, as_done, checked_workers
from reinfer_nb.errors import FileProblem, InvalidInput, MovedWarning
from reinfer_nb.plans import attempt, document, drift
from reinfer_nb.plans.attempt import Outcome
from reinfer_nb.plans.journal import Journal
from reinfer_nb.plans.plan_data import PlanData, client_of
from reinfer_nb.plans.result_data import CTRL_C, ResultData
from reinfer_nb.plans.steps import KINDS
from reinfer_nb.text import counted, shown, visible

logger = logging.getLogger("reinfer_nb")

_FORMAT = "reinfer_nb journal, version 1"
# From this age on a plan is first held against what the tenant has by now.
_OLD = timedelta(minutes=10)
# So many failures of the tenant itself, one after another, and the rest is left for later.
_TOO_MANY = 3


def applied(
    plan: PlanData,
    *,
    workers: int,
    progress: Progress,
    journal: str | os.PathLike[str] | None,
    stop: threading.Event | None = None,
) -> ResultData:
    """Carry out a plan, as `Plan.apply` documents it.

    Args:
        plan: The plan, its limits checked.
        workers: As for `Plan.apply`.
        progress: As for `Plan.apply`.
        journal: As for `Plan.apply`.
        stop: Once set, no other source is begun.
    """
    checked_workers(workers)
    client = client_of(plan)
    if client.endpoint != plan.endpoint:
        raise InvalidInput(
            f"The plan is for {shown(plan.endpoint, 200)}, and the client is of {client.endpoint}."
        )
    head = {"format": _FORMAT, "plan": document.content_of(plan)}
    kept = Journal.begun_by_default(head) if journal is None else Journal.begun(journal, head)
    try:
        # What could not be read on a bad day is found before anything is sent.
        _read(kept.lines(), client, kept.path)
    except BaseException:
        kept.close()
        raise
    return _Applying(client, plan, kept, {}, stop=stop, workers=workers).run(progress)


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
        stop: Once set, no other source is begun.
    """
    client = check_client(client, ApiClient)
    checked_workers(workers)
    kept = Journal.opened(journal)
    try:
        plan, outcomes = _read(kept.lines(), client, kept.path)
        kept.go_on()
    except BaseException:
        kept.close()
        raise
    return _Applying(client, plan, kept, outcomes, stop=stop, workers=workers).run(progress)


def result_of(client: ApiClient, journal: str | os.PathLike[str]) -> ResultData:
    """Return what became of a plan as far as its journal tells; what it left open stays so.

    Sends nothing and writes nothing: to undo what was done, and no more.

    Args:
        client: The tenant that the plan was applied to.
        journal: The file; `ApplyResult.journal` names it.

    Raises:
        FileProblem: The journal cannot be read, is none, or is still being written.
        InvalidInput: It is of another tenant than the client's.
    """
    client = check_client(client, ApiClient)
    kept = Journal.opened_to_read(journal)
    try:
        plan, outcomes = _read(kept.lines(), client, kept.path)
    finally:
        kept.close()
    return ResultData(plan, _of_all(plan, outcomes), kept.path, "", client)


class _Applying:
    """A plan that is being carried out.

    Args:
        client: The tenant.
        plan: The plan.
        journal: Where it is written down; closed at the end.
        outcomes: What has become of steps already, by their number; "begun" of those that may
            have been carried out.
        stop: Once set, no other source is begun.
        workers: How many sources at once.
    """

    def __init__(
        self,
        client: ApiClient,
        plan: PlanData,
        journal: Journal,
        outcomes: Mapping[int, Outcome],
        *,
        stop: threading.Event | None,
        workers: int,
    ) -> None:
        self._workers = workers
        self._client, self._plan, self._journal = client, plan, journal
        self._outcomes = dict(outcomes)
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._slowed = False
        self._held: dict[str, bool] = {}
        self._failures = 0
        self._why = ""

    def run(self, progress: Progress) -> ResultData:
        """Do what is left to do, and return what became of all.

        Raises:
            FileProblem: The journal cannot be written any more; nothing is done without it.
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
            # All that was under way has come to its end by now.
            self._why = CTRL_C
        except FileProblem as problem:
            raise FileProblem(
                f"{problem} Nothing is done without it; rnb.resume(client, path) goes on once it "
                "can be written."
            ) from None
        except BaseException as error:
            error.add_note(f"What was done is in {self._journal.path}; rnb.resume goes on with it.")
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
                    self._held = self._held_back() if kind == "delete" else {}
                    numbers = [n for n in todo if steps[n].kind == kind]
                    for _, future in as_done(pool, self._do, numbers):
                        future.result()
                        done += 1
                        bar.update()
                        if callable(progress):
                            progress(done, len(todo))
            except BaseException:
                # Nothing new is begun; leaving the pool waits for what is under way.
                self._stop.set()
                raise

    def _held_back(self) -> dict[str, bool]:
        """Return the projects in which a source was to be made and is not there.

        Each with whether that is for good: another try does not make what others have made.
        """
        held: dict[str, bool] = {}
        for number, step in enumerate(self._plan.steps):
            outcome = self._outcomes.get(number)
            if step.kind == "create" and not (outcome and outcome.ok):
                final = outcome is not None and not outcome.open
                held[step.owner] = held.get(step.owner, False) or final
        return held

    def _hold_back(self, number: int) -> None:
        """Leave a delete: what was to be made may be what is to take its place."""
        earlier = self._outcomes.get(number)
        # What may have been done already stays as unsure as it is.
        if not (earlier and earlier.unsure):
            final = self._held[self._plan.steps[number].owner]
            outcome = Outcome(
                attempt.MOVED if final else attempt.LEFT,
                "It was left, since not all that was to be made in this project could be.",
            )
            self._outcomes[number] = outcome
            self._journal.write({"action": number, **outcome.to_json()})

    def _do(self, number: int) -> None:
        """Carry out a step, in a thread, and write down that it is begun and how it ended."""
        if self._stop.is_set():
            return
        if self._plan.steps[number].owner in self._held:
            self._hold_back(number)
        else:
            self._carry_out(number)

    def _carry_out(self, number: int) -> None:
        step, earlier = self._plan.steps[number], self._outcomes.get(number)
        earlier = earlier if earlier and earlier.unsure else None
        first_try = earlier.first_try if earlier else self._client.calls.tenant_time()
        begun = Outcome(attempt.BEGUN, "It may have been done or not.", first_try=first_try)
        self._journal.write({"action": number, **begun.to_json()})
        self._outcomes[number] = begun
        calls = self._client.calls.with_hooks(stop=self._stop, waited=self._waited)
        outcome, error = attempt.attempt(calls, step, earlier=earlier, stop=self._stop)
        self._outcomes[number] = outcome
        self._journal.write({"action": number, **outcome.to_json()})
        self._heed(error)

    def _waited(self) -> None:
        """Log that the tenant asks to wait, the first time that it does."""
        with self._lock:
            first, self._slowed = not self._slowed, True
        if first:
            logger.warning(
                "%s asks to wait between requests; going on more slowly.", self._client.endpoint
            )

    def _heed(self, error: errors.ReinferError | None) -> None:
        """Leave the rest for later where it would fail likewise."""
        with self._lock:
            if isinstance(
                error, errors.AuthenticationError | errors.ConfigurationError | errors.RateLimited
            ):
                self._failures = _TOO_MANY
            elif isinstance(error, errors.ConnectionFailed | errors.ServerError):
                self._failures += 1
            else:
                self._failures = 0
            if self._failures >= _TOO_MANY and not self._stop.is_set():
                self._stop.set()
                self._why = f"It was stopped, since the rest would fail likewise: {error}"

    def _result(self) -> ResultData:
        outcomes = _of_all(self._plan, self._outcomes)
        why = self._why
        if self._stop.is_set() and not why and attempt.LEFT in {o.status for o in outcomes}:
            why = "It was stopped."
        return ResultData(self._plan, outcomes, self._journal.path, why, self._client)


def _of_all(plan: PlanData, outcomes: Mapping[int, Outcome]) -> tuple[Outcome, ...]:
    """Return what has become of every step, those that were not begun included."""
    left = Outcome(attempt.LEFT, "It was not begun.")
    return tuple(outcomes.get(number, left) for number in range(len(plan.steps)))


def tell_moved(plan: PlanData) -> None:
    """Warn of the sources of a plan that have moved since it was made, if that was long ago."""
    if not plan.steps or datetime.now(UTC) - plan.made_at < _OLD:
        return
    moved = drift.moved(plan)
    if len(moved):
        errors.warn(
            f"{len(moved):,} of the {counted(len(plan.steps), 'source')} of this plan have moved "
            f"since it was made on {plan.made_at:%Y-%m-%d at %H:%M} UTC, and are left alone; "
            "plan.moved() lists them.",
            MovedWarning,
        )


def _read(
    lines: Sequence[Any], client: ApiClient, path: Path
) -> tuple[PlanData, dict[int, Outcome]]:
    """Return the plan of a journal, and what has become of its steps by their number."""
    name = visible(str(path), 200)
    head = lines[0] if lines else None
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise FileProblem(f"{name} is no journal of this toolkit, or one of a later version.")
    try:
        plan = document.plan_of(head.get("plan"), client)
        outcomes = dict(_outcome(line, plan) for line in lines[1:] if "action" in line)
    except FileProblem as problem:
        raise FileProblem(f"{name} cannot be taken for a journal. {problem}") from None
    if plan.endpoint != client.endpoint:
        raise InvalidInput(
            f"{name} is of an apply on {shown(plan.endpoint, 200)}, and this client is of "
            f"{client.endpoint}."
        )
    return plan, outcomes


def _outcome(line: dict[str, Any], plan: PlanData) -> tuple[int, Outcome]:
    number = line["action"]
    if type(number) is not int or not 0 <= number < len(plan.steps):
        raise FileProblem(f"It tells of an action {shown(number)}, which the plan has not.")
    return number, Outcome.from_json(line)
