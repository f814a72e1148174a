"""The steps of a plan: what each does to which source, as Python has it and as a file holds it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from reinfer_nb.errors import FileProblem, InvalidInput, ProtocolError
from reinfer_nb.pickling import Portable
from reinfer_nb.plans.decisions import Kind
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import Operation, fields_of, read_record
from reinfer_nb.schema.records import Source
from reinfer_nb.text import shown

# The order in which they are carried out: what a delete takes is taken last.
KINDS: tuple[Kind, ...] = get_args(Kind)
_FIELDS = {known.name: known for known in fields_of(Source)}


@dataclass(frozen=True)
class Step(Portable):
    """One source to create, update or delete.

    Attributes:
        kind: "create", "update" or "delete".
        owner: The source's project.
        name: Its name.
        base: The source as the step was decided on; None for one to be made.
        settings: What it sets, by field name; empty for a delete.
        comments: How many comments a delete takes with it; None where nobody knows.
        remark: What else there is to say of it.
    """

    kind: Kind
    owner: str
    name: str
    base: Source | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    comments: int | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", types.MappingProxyType(dict(self.settings)))

    @property
    def full_name(self) -> str:
        """The project and the name, as the API's paths take them."""
        return f"{self.owner}/{self.name}"

    @property
    def id(self) -> str | None:
        """The source's id; None for one to be made."""
        return None if self.base is None else self.base.id

    def before(self, name: str) -> Any:
        """Return what a field is before the step; None where there is nothing."""
        return None if self.base is None else getattr(self.base, name)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        content: dict[str, Any] = {"action": self.kind, "owner": self.owner, "name": self.name}
        if self.settings:
            content["set"] = {
                _FIELDS[name].wire: None if value is None else _FIELDS[name].type.write(value)
                for name, value in self.settings.items()
            }
        if self.base is not None:
            content["was"] = self.base.to_wire()
        if self.comments is not None:
            content["comments"] = self.comments
        return content | ({"remark": self.remark} if self.remark else {})

    @classmethod
    def from_json(cls, content: object) -> Step:
        """Return the step that a JSON object is.

        Raises:
            FileProblem: It is none, or one that could not be carried out.
        """
        if not isinstance(content, dict) or content.get("action") not in KINDS:
            raise FileProblem(f"{shown(content)} is no action.")
        kind: Kind = content["action"]
        owner, name = content.get("owner"), content.get("name")
        try:
            owner = validation.project_name(owner)
            name = validation.full_name(f"{owner}/{name}" if isinstance(name, str) else name)[1]
            base = None if kind == "create" else _source(content.get("was"))
            settings = {} if kind == "delete" else _settings(kind, content.get("set", {}))
        except (InvalidInput, ProtocolError) as error:
            raise FileProblem(f"The {kind} of {shown(owner)}/{shown(name)}: {error}") from None
        if base is not None and (base.owner, base.name) != (owner, name):
            raise FileProblem(
                f"The {kind} of {owner}/{name} holds {shown(base.full_name)}, which is another one."
            )
        comments, remark = content.get("comments"), content.get("remark", "")
        return cls(
            kind,
            owner,
            name,
            base,
            settings,
            comments if type(comments) is int else None,
            remark if isinstance(remark, str) else "",
        )


def _source(content: object) -> Source:
    """Return the source a step was decided on, every field of it read."""
    if not isinstance(content, dict):
        raise InvalidInput("it does not say what the source was.")
    problems = read_record(Source, content)[1]
    if problems:
        raise InvalidInput(f"{'; '.join(problems)}.")
    source = Source.from_wire(content)
    if not validation.is_id(source.id):
        raise InvalidInput(f"the id {shown(source.id)} is not {validation.ID_RULE}.")
    return source


def _settings(kind: Operation, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidInput(f"it sets {shown(content)}, which is no object.")
    by_wire = {known.wire: known for known in _FIELDS.values()}
    settings = {}
    for name, value in content.items():
        if name not in by_wire:
            raise InvalidInput(f"{shown(name)} is no field of a source.")
        known = by_wire[name]
        try:
            settings[known.name] = None if value is None else known.type.read(value)
        except ValueError as error:
            raise InvalidInput(f"{name} is {error}: {shown(value)}.") from None
    validation.settings(kind, settings)
    return settings


def by_kind(steps: Iterable[Step]) -> dict[Kind, list[Step]]:
    """Return steps by what they do, in the order in which that is done."""
    found: dict[Kind, list[Step]] = {kind: [] for kind in KINDS}
    for step in steps:
        found[step.kind].append(step)
    return found


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return steps in the order in which they are carried out."""
    return tuple(sorted(steps, key=lambda step: KINDS.index(step.kind)))
