"""Checks that a returned source is the requested one, and of who created it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reinfer_nb.api.tenant_clock import Span
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source

Maker = Literal["we", "perhaps we", "somebody else"]


def is_requested(source: Source, which: str) -> bool:
    """True if a source has the given id or full name."""
    if validation.is_id(which):
        return source.id == which
    project, _, name = which.partition("/")
    return source.name == name and is_of_project(source.owner, project)


def is_of_project(owner: object, project: str) -> bool:
    """True if the `owner` of a source in a response can be the requested project.

    An owner that is not a valid name can: the reference page shows a placeholder as the owner. An
    empty owner cannot.
    """
    return owner == project or (owner != "" and not validation.is_name(owner))


def maker_of(source: Source, body: Mapping[str, Any], first_try: Span | None) -> Maker:
    """Return who created a source whose name is taken after a create of ours may have failed.

    We did if the source has the settings of the create, and is not older than its first attempt by
    the tenant's clock. Within the resolution of that clock, or without it, there is no proof.

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
    """True if a source is as a create with the settings in `body` would create it.

    Args:
        source: The source.
        body: The settings by their names in JSON; the others have the tenant's defaults.
    """
    for field in fields_of(Source):
        if not field.may("create"):
            continue
        value, about = getattr(source, field.name), field.about
        if field.wire in body:
            as_sent = field.same(value, body[field.wire])
        else:
            # The tenant may choose a transform.
            is_free = about.default is None and not about.nullable
            as_sent = is_free or value is None or field.same(value, about.default)
        if not as_sent:
            return False
    return True


def is_older(source: Source, first_try: Span | None) -> bool:
    """True if a source certainly existed before `first_try`, by the tenant's clock."""
    if first_try is None or source.created_at is None:
        return False
    return bool(_oldest(source) < first_try.earliest)


def _oldest(source: Source) -> Any:
    moments = (source.created_at, source.updated_at, source.last_modified)
    return min(moment for moment in moments if moment is not None)
