"""Whether a source that a tenant returns is the one that was meant, and who made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reinfer_nb.api.tenant_clock import Span
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source

Maker = Literal["we", "perhaps we", "somebody else"]


def is_what_was_asked(source: Source, asked: str) -> bool:
    """Whether a source is the one of an id or of a full name."""
    if validation.is_id(asked):
        return source.id == asked
    project, _, name = asked.partition("/")
    return source.name == name and is_of_project(source.owner, project)


def is_of_project(owner: object, project: str) -> bool:
    """Whether the `owner` of a source in a response can be the project that was asked for.

    An owner that is no name can be: the responses of the reference page have a placeholder there.
    An empty one cannot.
    """
    return owner == project or (owner != "" and not validation.is_name(owner))


def maker_of(source: Source, body: Mapping[str, Any], first_try: Span | None) -> Maker:
    """Return who made a source that has the name of a create of ours which may have failed.

    We did if the source is what the create makes, and is not older than its first attempt by the
    tenant's clock. Within the resolution of that clock, or without one, nobody can prove it.

    Args:
        source: The source as it is now.
        body: The settings that the create sent, by their names in JSON.
        first_try: When the first attempt was sent, by the tenant's clock; None if not known.
    """
    if not is_as_created(source, body) or is_older(source, first_try):
        return "somebody else"
    if first_try is None or source.created_at is None:
        return "perhaps we"
    return "we" if _oldest(source) >= first_try.latest else "perhaps we"


def is_as_created(source: Source, body: Mapping[str, Any]) -> bool:
    """Whether a source is as a create with some settings makes it.

    Args:
        source: The source.
        body: The settings by their names in JSON; the others are as the tenant has them by default.
    """
    for field in fields_of(Source):
        if not field.may("create"):
            continue
        value, about = getattr(source, field.name), field.about
        if field.wire in body:
            as_meant = field.same(value, body[field.wire])
        else:
            # A tenant may choose a transform by itself.
            chosen = about.default is None and not about.nullable
            as_meant = chosen or value is None or field.same(value, about.default)
        if not as_meant:
            return False
    return True


def is_older(source: Source, first_try: Span | None) -> bool:
    """Whether a source was certainly there before a moment by the tenant's clock."""
    if first_try is None or source.created_at is None:
        return False
    return bool(_oldest(source) < first_try.earliest)


def _oldest(source: Source) -> Any:
    moments = (source.created_at, source.updated_at, source.last_modified)
    return min(moment for moment in moments if moment is not None)
