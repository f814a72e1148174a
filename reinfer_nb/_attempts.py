"""One step of a plan, carried out where that is still right, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reinfer_nb import guarded
from reinfer_nb._steps import Step
from reinfer_nb.errors import (
    Conflict,
    FileProblem,
    InvalidInput,
    Moved,
    NotFound,
    ProtocolError,
    ReinferError,
)
from reinfer_nb.fields import fields_of
from reinfer_nb.models import Source
from reinfer_nb.text import shown

if TYPE_CHECKING:
    from reinfer_nb.client import Client

DONE, SKIPPED, MOVED, FAILED, LEFT = "done", "skipped", "moved", "failed", "left"
BEGUN = "begun"
STATUSES = (DONE, SKIPPED, MOVED, FAILED, LEFT, BEGUN)


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        status: "done"; "skipped": it was so already; "moved": the source is no longer what the
            plan was made from, and was left alone; "failed"; "left": it was not begun; "begun":
            nobody knows what became of it.
        said: What there is to say of it, the tenant's own words included.
        source: The source as the tenant told of it last: as it was made, changed or deleted; as
            others have made it where it has moved.
        was: The source as it was just before it was changed, where that was seen.
        in_doubt: Whether it failed, and may have been done all the same.
    """

    status: str
    said: str = ""
    source: Source | None = None
    was: Source | None = None
    in_doubt: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is done, by whomever."""
        return self.status in (DONE, SKIPPED)

    @property
    def open(self) -> bool:
        """Whether it is to be tried again."""
        return self.status in (BEGUN, FAILED, LEFT)

    @property
    def unsure(self) -> bool:
        """Whether nobody knows if it was done."""
        return self.in_doubt or self.status == BEGUN

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        sources = {"source": self.source, "was": self.was}
        told = {key: source.to_wire() for key, source in sources.items() if source is not None}
        doubt = {"in_doubt": True} if self.in_doubt else {}
        return {"status": self.status, "said": self.said} | told | doubt

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
        return cls(status, said, source, was, content.get("in_doubt") is True)


def attempt(
    client: Client, step: Step, *, again: bool, stop: threading.Event
) -> tuple[Outcome, ReinferError | None]:
    """Carry out a step where its source is still what it was; return what became of it.

    Args:
        client: The tenant.
        step: The step.
        again: It was begun before, and may have been carried out.
        stop: Once set, nothing is written any more.

    Returns:
        The outcome, and the error that it failed with.
    """
    ways = {"create": _create, "update": _update, "delete": _delete}

    def before(_: object = None) -> None:
        if stop.is_set():
            raise _Stopped

    try:
        return ways[step.kind](client, step, again, before), None
    except _Stopped:
        # What may have been done before is as open as it was.
        return Outcome(BEGUN if again else LEFT, "It was stopped before it was sent."), None
    except ReinferError as error:
        doubt = again or error.in_doubt
        said = f"{error} It may have been done all the same." if doubt else str(error)
        return Outcome(FAILED, said, in_doubt=doubt), error


class _Stopped(Exception):
    """It was stopped before anything was written."""


_Before = Callable[[Source | None], object]


def _create(client: Client, step: Step, again: bool, before: _Before) -> Outcome:  # noqa: FBT001
    there = _there(client, step.full_name) if again else None
    if there is None:
        before(None)
        try:
            return Outcome(DONE, "", client.create_source(step.full_name, **step.settings))
        except Conflict as conflict:
            there = conflict.existing
            if there is None:
                raise
    if _is_made_by(there, step):
        if again:
            return Outcome(DONE, "An earlier attempt made it, whose answer was lost.", there)
        return Outcome(SKIPPED, "There is such a source by now.", there)
    return Outcome(MOVED, "There is another source of this name by now.", there)


def _update(client: Client, step: Step, again: bool, before: _Before) -> Outcome:  # noqa: FBT001
    base = _base(step)
    was: list[Source] = []

    def begin(now: Source) -> None:
        before(now)
        was.append(now)

    try:
        after = guarded.update(client, base, step.settings, before=begin)
    except Moved as moved:
        now = moved.theirs
        if not guarded.is_as_meant(now, base, step.settings):
            said = f"It {guarded.what_moved(base, now)} meanwhile."
            unsure = again or moved.in_doubt
            said += f" {guarded.UNSURE}" * unsure
            return Outcome(MOVED, said, now, in_doubt=unsure)
        if again:
            return Outcome(DONE, "An earlier attempt did it, whose answer was lost.", now)
        return Outcome(SKIPPED, "Somebody else has set the same meanwhile.", now)
    except NotFound as error:
        return Outcome(MOVED, f"It is gone. {error}", in_doubt=again or error.in_doubt)
    return Outcome(DONE, "", after, was[0])


def _delete(client: Client, step: Step, again: bool, before: _Before) -> Outcome:  # noqa: FBT001
    base = _base(step)
    try:
        return Outcome(DONE, "", guarded.delete(client, base, before=before))
    except Moved as moved:
        if moved.theirs.id == base.id or not again:
            said = f"It {guarded.what_moved(base, moved.theirs)} meanwhile."
            return Outcome(MOVED, said, moved.theirs)
    except NotFound:
        if not again:
            return Outcome(SKIPPED, "It is gone already.")
    return Outcome(DONE, "An earlier attempt deleted it, whose answer was lost.", base)


def _base(step: Step) -> Source:
    if step.base is None:
        raise InvalidInput(f"The {step.kind} of {step.full_name} does not say what it was.")
    return step.base


def _there(client: Client, full_name: str) -> Source | None:
    try:
        return client.source(full_name)
    except NotFound:
        return None


def _is_made_by(there: Source, step: Step) -> bool:
    """Whether a source is what a step makes: as it says, all else as a tenant has it by default."""
    others = [f for f in fields_of(Source) if f.may("create") and f.name not in step.settings]
    return guarded.has_all(there, step.settings) and all(
        getattr(there, f.name) in (None, f.type.empty, f.about.default)
        for f in others
        # A tenant may choose a transform by itself.
        if f.about.default is not None or f.about.nullable
    )
