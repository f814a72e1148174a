"""Carry out one step of a plan, unless its source was changed remotely; return the outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reinfer_nb.api import safe_write
from reinfer_nb.api.conflicts import Conflict, Moved
from reinfer_nb.api.contents import last_copy
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.api.source_identity import is_as_created, is_older, maker_of
from reinfer_nb.api.tenant_clock import Span
from reinfer_nb.api.write_result import Written
from reinfer_nb.comments.archive_file import Archive
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
from reinfer_nb.text import counted, shown

DONE, SKIPPED, MOVED, FAILED, LEFT = "done", "skipped", "moved", "failed", "left"
NOT_TAKEN, BEGUN = "not taken", "begun"
_NOT_SENT = "It was stopped before it was sent."
_LOST_RESPONSE = "An earlier attempt, whose response was lost, {} the source."
STATUSES = (DONE, SKIPPED, NOT_TAKEN, MOVED, FAILED, LEFT, BEGUN)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a step.

    Attributes:
        status: "done"; "skipped": no change was needed; "not taken": the tenant accepted the
            request but did not change some fields or did not delete the source; "moved": the
            source was changed remotely after the plan was made, and was left alone; "failed";
            "left": not begun; "begun": begun, outcome unknown.
        said: The message for the user, with the tenant's own words.
        source: The last version of the source that the tenant returned: as created, updated or
            deleted; for "moved", the remote version.
        was: The source just before the update, if it was requested.
        in_doubt: True if a failed step may still have taken effect, or if somebody else may have
            done a "done" step.
        not_taken: The names of the fields that the tenant did not change.
        first_try: When the request was first sent, by the tenant's clock; None if unknown.
        archive: The archive of the deleted comments; "" without one.
    """

    status: str
    said: str = ""
    source: Source | None = None
    was: Source | None = None
    in_doubt: bool = False
    not_taken: tuple[str, ...] = ()
    first_try: Span | None = None
    archive: str = ""

    @property
    def ok(self) -> bool:
        """True if the source is as the step wants it, whoever did it."""
        return self.status in (DONE, SKIPPED)

    @property
    def open(self) -> bool:
        """True if a retry should try the step again."""
        # The tenant may have carried out a "not taken" delete a moment later.
        deleted_later = self.status == NOT_TAKEN and self.in_doubt and not self.not_taken
        return deleted_later or self.status in (BEGUN, FAILED, LEFT)

    @property
    def unsure(self) -> bool:
        """True if it is unknown whether the step was carried out."""
        return self.in_doubt or self.status == BEGUN

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        sources = {"source": self.source, "was": self.was}
        content: dict[str, Any] = {"status": self.status, "said": self.said}
        content |= {key: source.to_wire() for key, source in sources.items() if source is not None}
        content |= {"in_doubt": True} if self.in_doubt else {}
        content |= {"not_taken": list(self.not_taken)} if self.not_taken else {}
        content |= {"first_try": self.first_try.to_json()} if self.first_try else {}
        content |= {"archive": self.archive} if self.archive else {}
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Outcome:
        """Return the outcome in a line of a journal.

        Raises:
            FileProblem: The line holds no valid outcome.
        """
        status, said = content.get("status"), content.get("said", "")
        if status not in STATUSES or not isinstance(said, str):
            raise FileProblem(f"{shown(status)} is not a valid status.")
        try:
            source, was = (
                None if content.get(key) is None else Source.from_wire(content[key])
                for key in ("source", "was")
            )
        except ProtocolError as error:
            raise FileProblem(str(error)) from None
        names = content.get("not_taken", [])
        if not isinstance(names, list) or not set(names) <= {f.name for f in fields_of(Source)}:
            raise FileProblem(f"{shown(names)} is not a list of fields of a source.")
        first_try = Span.from_json(content.get("first_try"))
        in_doubt = content.get("in_doubt") is True
        archive = content.get("archive", "")
        if not isinstance(archive, str):
            raise FileProblem(f"{shown(archive)} is not the path of an archive.")
        return cls(status, said, source, was, in_doubt, tuple(names), first_try, archive)


# Archives the comments of a source, before it is deleted.
Archiving = Callable[[Source], Archive]


def attempt(
    calls: SourceCalls,
    step: Step,
    *,
    earlier: Outcome | None,
    stop: threading.Event,
    archiving: Archiving | None = None,
) -> tuple[Outcome, ReinferError | None]:
    """Carry out a step unless its source was changed remotely; return the outcome.

    Args:
        calls: The requests to the tenant.
        step: The step.
        earlier: The outcome of an earlier attempt that may have taken effect; None without one.
        stop: Once set, no request that writes is sent.
        archiving: Archives the comments of a source that is deleted; None to do without.

    Returns:
        The outcome, and the error if the step failed.
    """
    functions: dict[str, Callable[..., Outcome]]
    functions = {"create": _create, "update": _update, "delete": partial(_delete, archiving)}
    begin = time.monotonic()

    def before(_: object = None) -> None:
        check(stop)

    try:
        return functions[step.kind](calls, step, earlier, before), None
    except ReinferError as error:
        if isinstance(error, Stopped) and not error.in_doubt:
            # The earlier attempt may still have taken effect.
            if earlier:
                return replace(earlier, status=BEGUN, said=_NOT_SENT), None
            return Outcome(LEFT, _NOT_SENT), None
        if earlier is None and not error.in_doubt:
            return Outcome(FAILED, str(error)), error
        tried_at = begin if error.tried_at is None else error.tried_at
        first_try = earlier.first_try if earlier else calls.tenant_time(tried_at)
        message = f"{error} The change may still have taken effect."
        return Outcome(FAILED, message, in_doubt=True, first_try=first_try), error


def check(stop: threading.Event) -> None:
    """Raise `Stopped` once a step must not be carried out any more."""
    if stop.is_set():
        raise Stopped(_NOT_SENT)


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
            return Outcome(DONE, _LOST_RESPONSE.format("created"), existing)
        if maker == "perhaps we":
            return _outcome(Written(existing, proven=False))
        in_doubt = not is_older(existing, earlier.first_try)
    if is_as_created(existing, body):
        return Outcome(SKIPPED, "A source with these settings already exists.", existing)
    message = "A different source with this name already exists."
    return Outcome(MOVED, message, existing, in_doubt=in_doubt)


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
            unsure = earlier is not None or moved.in_doubt
            message = _moved(base, now) + f" {safe_write.UNSURE}" * unsure
            return Outcome(MOVED, message, now, in_doubt=unsure)
        if earlier:
            return Outcome(DONE, _LOST_RESPONSE.format("updated"), now)
        return Outcome(SKIPPED, "Somebody else has already made the same change.", now)
    except NotFound as error:
        if not calls.is_gone(base):
            raise
        unsure = earlier is not None or error.in_doubt
        return Outcome(MOVED, "The source no longer exists.", in_doubt=unsure)
    return _outcome(written, was[-1])


def _moved(base: Source, now: Source) -> str:
    return f"The source {source_diff.what_moved(base, now)}."


def _outcome(written: Written, was: Source | None = None) -> Outcome:
    """Return the outcome of a create or update that the tenant accepted."""
    message = " ".join(written.remarks())
    status = NOT_TAKEN if written.not_taken else DONE
    return Outcome(
        status, message, written.source, was, not written.proven, not_taken=written.not_taken
    )


def _delete(
    archiving: Archiving | None,
    calls: SourceCalls,
    step: Step,
    earlier: Outcome | None,
    before: _Before,
) -> Outcome:
    base = _base(step)
    try:
        return _deleted(archiving, calls, base, before)
    except last_copy.NotArchived:
        raise
    except NotCarriedOut as error:
        return Outcome(NOT_TAKEN, str(error), in_doubt=True)
    except Moved as moved:
        if moved.theirs.id == base.id or earlier is None:
            return Outcome(MOVED, _moved(base, moved.theirs), moved.theirs)
    except NotFound as error:
        if error.in_doubt or not calls.is_gone(base):
            raise
        if earlier is None:
            return Outcome(SKIPPED, "The source was already deleted.")
    return Outcome(DONE, _LOST_RESPONSE.format("deleted"), base, archive=earlier.archive)


def _deleted(
    archiving: Archiving | None, calls: SourceCalls, base: Source, before: _Before
) -> Outcome:
    """Archive the comments of a source if that is asked for, and delete it."""
    if archiving is None:
        source, remark = safe_write.delete(calls, base, before=before)
        return Outcome(DONE, remark, source)
    # A source that was changed is not archived, since it is not deleted.
    archive = archiving(safe_write.look(calls, base))
    source, remark = safe_write.delete(calls, base, archive=archive, before=before)
    held = f"Its {counted(archive.num_comments, 'comment')} are in {archive.path}."
    return Outcome(DONE, f"{remark} {held}".strip(), source, archive=str(archive.path))


def _base(step: Step) -> Source:
    if step.base is None:
        raise InvalidInput(f"The {step.kind} of {step.full_name} has no source to compare with.")
    return step.base


def _existing(calls: SourceCalls, full_name: str) -> Source | None:
    try:
        return calls.get(full_name)
    except NotFound:
        return None
