"""The steps of a plan, and their form in JSON files."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from reinfer_nb.errors import FileProblem, InvalidInput, ProtocolError
from reinfer_nb.pickling import Portable
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import Operation, fields_of, read_record
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import parsing_again
from reinfer_nb.text import shown

Kind = Literal["create", "update", "delete"]
# In the order of execution: deletes come last.
KINDS: tuple[Kind, ...] = get_args(Kind)
_FIELDS = {field.name: field for field in fields_of(Source)}
_FIELDS_BY_WIRE = {field.wire: field for field in fields_of(Source)}


@dataclass(frozen=True)
class Step(Portable):
    """One source to create, update or delete.

    Attributes:
        kind: "create", "update" or "delete".
        owner: The source's project.
        name: The source's name.
        base: The source when the plan was made; None for a create.
        settings: The new values by field name; empty for a delete.
        comments: How many comments a delete removes, or an update lets the tenant parse again;
            None if unknown, or for others.
        remark: A remark for the reader of the plan.
        row: The row in the edited listing, from 0; None for a delete, and for a step from a file.
    """

    kind: Kind
    owner: str
    name: str
    base: Source | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    comments: int | None = None
    remark: str = ""
    row: int | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", types.MappingProxyType(dict(self.settings)))

    @property
    def full_name(self) -> str:
        """The project and the name, as the API's paths take them."""
        return f"{self.owner}/{self.name}"

    @property
    def touches_comments(self) -> bool:
        """True if it removes comments, or lets the tenant parse all of them again."""
        is_parsing = self.kind == "update" and bool(parsing_again(self.settings))
        return self.kind == "delete" or is_parsing

    @property
    def id(self) -> str | None:
        """The source's id; None for a create."""
        return None if self.base is None else self.base.id

    def before(self, name: str) -> Any:
        """Return the value of a field before the step; None if it has none."""
        return None if self.base is None else getattr(self.base, name)

    def to_json(self) -> dict[str, Any]:
        """Return the step as a JSON object."""
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
        """Return the step that a JSON object describes.

        Raises:
            FileProblem: The object is no valid step.
        """
        if not isinstance(content, dict) or content.get("action") not in KINDS:
            raise FileProblem(f"{shown(content)} is not a valid action.")
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
                f"The {kind} of {owner}/{name} holds another source, {shown(base.full_name)}."
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
    """Return the source before the step; raise `InvalidInput` if a field is invalid."""
    if not isinstance(content, dict):
        raise InvalidInput('the previous state of the source ("was") is missing.')
    problems = read_record(Source, content)[1]
    if problems:
        raise InvalidInput(f"{'; '.join(problems)}.")
    source = Source.from_wire(content)
    if not validation.is_id(source.id):
        raise InvalidInput(f"the id must be {validation.ID_RULE}, not {shown(source.id)}.")
    return source


def _settings(kind: Operation, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidInput(f'"set" must be an object, not {shown(content)}.')
    settings = {}
    for name, value in content.items():
        if name not in _FIELDS_BY_WIRE:
            raise InvalidInput(f"{shown(name)} is not a field of a source.")
        field = _FIELDS_BY_WIRE[name]
        try:
            settings[field.name] = None if value is None else field.type.read(value)
        except ValueError as error:
            raise InvalidInput(f"{name} is {error}: {shown(value)}.") from None
    validation.settings(kind, settings)
    return settings


def by_kind(steps: Iterable[Step]) -> dict[Kind, list[Step]]:
    """Return the steps by kind, in the order of execution."""
    groups: dict[Kind, list[Step]] = {kind: [] for kind in KINDS}
    for step in steps:
        groups[step.kind].append(step)
    return groups


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps in the order of execution."""
    return tuple(sorted(steps, key=lambda step: KINDS.index(step.kind)))
