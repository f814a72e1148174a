"""One step of a plan, carried out where that is still right, and what became of it."""

from __future__ import annotations

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
    """

    status: str
    said: str = ""
    source: Source | None = None

    @property
    def open(self) -> bool:
        """Whether it is to be tried again."""
        return self.status in (BEGUN, FAILED, LEFT)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        source = {} if self.source is None else {"source": self.source.to_wire()}
        return {"status": self.status, "said": self.said} | source

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Outcome:
        """Return what a line of a journal tells.

        Raises:
            FileProblem: It tells of none.
        """
        status, said = content.get("status"), content.get("said", "")
        if status not in STATUSES or not isinstance(said, str):
            raise FileProblem(f"{shown(status)} is no status.")
        told = content.get("source")
        try:
            return cls(status, said, None if told is None else Source.from_wire(told))
        except ProtocolError as error:
            raise FileProblem(str(error)) from None


def attempt(client: Client, step: Step, *, again: bool) -> tuple[Outcome, ReinferError | None]:
    """Carry out a step where its source is still what it was; return what became of it.

    Args:
        client: The tenant.
        step: The step.
        again: It was begun before, and may have been carried out.

    Returns:
        The outcome, and the error that it failed with.
    """
    ways = {"create": _create, "update": _update, "delete": _delete}
    try:
        return ways[step.kind](client, step, again=again), None
    except ReinferError as error:
        return Outcome(FAILED, str(error)), error


def _create(client: Client, step: Step, *, again: bool) -> Outcome:
    there = _there(client, step.full_name) if again else None
    if there is None:
        try:
            return Outcome(DONE, "", client.create_source(step.full_name, **step.settings))
        except Conflict as conflict:
            there = conflict.existing
    if there is not None and _has(there, step):
        if again:
            return Outcome(DONE, "An earlier attempt made it, whose answer was lost.", there)
        return Outcome(SKIPPED, "There is such a source by now.", there)
    return Outcome(MOVED, "There is another source of this name by now.", there)


def _update(client: Client, step: Step, *, again: bool) -> Outcome:
    base = _base(step)
    try:
        return Outcome(DONE, "", guarded.update(client, base, step.settings))
    except Moved as moved:
        now = moved.theirs
        if now.id != base.id or not _is_as_meant(now, base, step):
            return Outcome(MOVED, _without_advice(moved), now)
        if again:
            return Outcome(DONE, "An earlier attempt did it, whose answer was lost.", now)
        return Outcome(SKIPPED, "Somebody else has set the same meanwhile.", now)
    except NotFound as error:
        return Outcome(MOVED, f"It is gone. {error}")


def _delete(client: Client, step: Step, *, again: bool) -> Outcome:
    base = _base(step)
    try:
        return Outcome(DONE, "", client.delete_source(guarded.looked_at(client, base)))
    except Moved as moved:
        if moved.theirs.id == base.id or not again:
            return Outcome(MOVED, _without_advice(moved), moved.theirs)
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


def _has(there: Source, step: Step) -> bool:
    """Whether a source has all that a step sets."""
    return all(getattr(there, name) == value for name, value in step.settings.items())


def _is_as_meant(now: Source, base: Source, step: Step) -> bool:
    """Whether a source is what a step makes of what it was, and nothing else differs."""
    return guarded.settings_of(now) == {**guarded.settings_of(base), **step.settings}


def _without_advice(moved: Moved) -> str:
    return str(moved).removesuffix(" Nothing was written.").replace("since you began", "meanwhile")
