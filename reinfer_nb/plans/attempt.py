"""One step of a plan, carried out where that is still right, and what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from reinfer_nb.api import safe_write
from reinfer_nb.api.conflicts import Conflict, Moved
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.api.source_identity import is_as_created, is_older, maker_of
from reinfer_nb.api.tenant_clock import Span
from reinfer_nb.api.write_result import Written
from reinfer_nb.errors import (
    FileProblem,
    InvalidInput,
    NotCarriedOut,
    NotFound,
    ProtocolError,
    ReinferError,
    Stopped,
)
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema import source_diff, validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown

DONE, SKIPPED, MOVED, FAILED, LEFT = "done", "skipped", "moved", "failed", "left"
NOT_TAKEN, BEGUN = "not taken", "begun"
STATUSES = (DONE, SKIPPED, NOT_TAKEN, MOVED, FAILED, LEFT, BEGUN)


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        status: "done"; "skipped": it was so already; "not taken": the tenant accepted it, and left
            some fields as they were, or did not delete the source; "moved": the source is
            no longer what the plan was made from, and was left alone; "failed"; "left": it was not
            begun; "begun": nobody knows what became of it.
        said: What there is to say of it, the tenant's own words included.
        source: The source as the tenant told of it last: as it was made, changed or deleted; as
            others have made it where it has moved.
        was: The source as it was just before it was changed, where that was seen.
        in_doubt: Whether it failed, and may have been done all the same; or it is done, and
            perhaps by somebody else.
        not_taken: The names of the fields that the tenant left as they were.
        first_try: When it was first sent, by the tenant's clock, if that is known.
    """

    status: str
    said: str = ""
    source: Source | None = None
    was: Source | None = None
    in_doubt: bool = False
    not_taken: tuple[str, ...] = ()
    first_try: Span | None = None

    @property
    def ok(self) -> bool:
        """Whether it is done, by whomever."""
        return self.status in (DONE, SKIPPED)

    @property
    def open(self) -> bool:
        """Whether it is to be tried again."""
        # A delete that is not taken may have been carried out a moment later.
        deleted_later = self.status == NOT_TAKEN and self.in_doubt and not self.not_taken
        return deleted_later or self.status in (BEGUN, FAILED, LEFT)

    @property
    def unsure(self) -> bool:
        """Whether nobody knows if it was done."""
        return self.in_doubt or self.status == BEGUN

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        sources = {"source": self.source, "was": self.was}
        told = {key: source.to_wire() for key, source in sources.items() if source is not None}
        more: dict[str, Any] = {"in_doubt": True} if self.in_doubt else {}
        more |= {"not_taken": list(self.not_taken)} if self.not_taken else {}
        more |= {"first_try": self.first_try.to_json()} if self.first_try else {}
        return {"status": self.status, "said": self.said} | told | more

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Outcome:
        """Return what a line of a journal tells.

        Raises:
            FileProblem: It tells of none.
        """
        status, said = content.get("status"), content.get("said", "")
        if status not in STATUSES or not isinstance(said, str):
            raise FileProblem(f"{shown(status)} is no status.")
        try:
            source, was = (
                None if content.get(key) is None else Source.from_wire(content[key])
                for key in ("source", "was")
            )
        except ProtocolError as error:
            raise FileProblem(str(error)) from None
        names = content.get("not_taken", [])
        if not isinstance(names, list) or not set(names) <= {f.name for f in fields_of(Source)}:
            raise FileProblem(f"{shown(names)} are no fields of a source.")
        first_try = Span.from_json(content.get("first_try"))
        in_doubt = content.get("in_doubt") is True
        return cls(status, said, source, was, in_doubt, tuple(names), first_try)


def attempt(
    calls: SourceCalls, step: Step, *, earlier: Outcome | None, stop: threading.Event
) -> tuple[Outcome, ReinferError | None]:
    """Carry out a step where its source is still what it was; return what became of it.

    Args:
        calls: The requests to the tenant.
        step: The step.
        earlier: What became of an earlier try that may have been carried out; None for none.
        stop: Once set, nothing is written any more.

    Returns:
        The outcome, and the error that it failed with.
    """
    ways = {"create": _create, "update": _update, "delete": _delete}
    begin = time.monotonic()

    def before(_: object = None) -> None:
        if stop.is_set():
            raise Stopped("It was stopped before it was sent.")

    try:
        return ways[step.kind](calls, step, earlier, before), None
    except ReinferError as error:
        if isinstance(error, Stopped) and not error.in_doubt:
            said = "It was stopped before it was sent."
            # What may have been done before is as open as it was.
            began = replace(earlier, status=BEGUN, said=said) if earlier else None
            return began or Outcome(LEFT, said), None
        if earlier is None and not error.in_doubt:
            return Outcome(FAILED, str(error)), error
        tried_at = begin if error.tried_at is None else error.tried_at
        first_try = earlier.first_try if earlier else calls.tenant_time(tried_at)
        said = f"{error} It may have been done all the same."
        return Outcome(FAILED, said, in_doubt=True, first_try=first_try), error


_Before = Callable[[Source | None], object]


def _create(calls: SourceCalls, step: Step, earlier: Outcome | None, before: _Before) -> Outcome:
    body = validation.settings("create", step.settings)
    existing = _existing(calls, step.full_name) if earlier else None
    in_doubt = False
    if existing is None:
        before(None)
        try:
            return _outcome(calls.create(step.full_name, body))
        except Conflict as conflict:
            existing, in_doubt = conflict.existing, conflict.in_doubt
            if existing is None:
                raise
    elif earlier:
        maker = maker_of(existing, body, earlier.first_try)
        if maker == "we":
            return Outcome(DONE, "An earlier attempt made it, whose response was lost.", existing)
        if maker == "perhaps we":
            return _outcome(Written(existing, proven=False))
        in_doubt = not is_older(existing, earlier.first_try)
    if is_as_created(existing, body):
        return Outcome(SKIPPED, "There is such a source by now.", existing)
    said = "There is another source of this name by now."
    return Outcome(MOVED, said, existing, in_doubt=in_doubt)


def _update(calls: SourceCalls, step: Step, earlier: Outcome | None, before: _Before) -> Outcome:
    base = _base(step)
    was: list[Source] = []

    def begin(now: Source) -> None:
        before(now)
        was.append(now)

    try:
        written = safe_write.update(calls, base, step.settings, before=begin)
    except Moved as moved:
        now = moved.theirs
        if not source_diff.is_as_meant(now, base, step.settings):
            said = f"It {source_diff.what_moved(base, now)} meanwhile."
            unsure = earlier is not None or moved.in_doubt
            said += f" {safe_write.UNSURE}" * unsure
            return Outcome(MOVED, said, now, in_doubt=unsure)
        if earlier:
            return Outcome(DONE, "An earlier attempt did it, whose response was lost.", now)
        return Outcome(SKIPPED, "Somebody else has set the same meanwhile.", now)
    except NotFound as error:
        if not calls.is_gone(base):
            raise
        return Outcome(MOVED, "It is gone.", in_doubt=earlier is not None or error.in_doubt)
    return _outcome(written, was[-1])


def _outcome(written: Written, was: Source | None = None) -> Outcome:
    """Return what became of a step after which a source is as the tenant returned it."""
    said = " ".join(written.remarks())
    status = NOT_TAKEN if written.not_taken else DONE
    return Outcome(
        status, said, written.source, was, not written.proven, not_taken=written.not_taken
    )


def _delete(calls: SourceCalls, step: Step, earlier: Outcome | None, before: _Before) -> Outcome:
    base = _base(step)
    try:
        source, remark = safe_write.delete(calls, base, before=before)
        return Outcome(DONE, remark, source)
    except NotCarriedOut as error:
        return Outcome(NOT_TAKEN, str(error), in_doubt=True)
    except Moved as moved:
        if moved.theirs.id == base.id or not earlier:
            said = f"It {source_diff.what_moved(base, moved.theirs)} meanwhile."
            return Outcome(MOVED, said, moved.theirs)
    except NotFound as error:
        if error.in_doubt or not calls.is_gone(base):
            raise
        if not earlier:
            return Outcome(SKIPPED, "It is gone already.")
    return Outcome(DONE, "An earlier attempt deleted it, whose response was lost.", base)


def _base(step: Step) -> Source:
    if step.base is None:
        raise InvalidInput(f"The {step.kind} of {step.full_name} does not say what it was.")
    return step.base


def _existing(calls: SourceCalls, full_name: str) -> Source | None:
    try:
        return calls.get(full_name)
    except NotFound:
        return None
