"""Whether a source that a tenant tells of is the one that was meant."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from reinfer_nb import checks
from reinfer_nb.answers import Answer
from reinfer_nb.fields import fields_of
from reinfer_nb.models import Source

# Seconds by which a tenant's clock may differ from the clock its answers are dated with.
_CLOCK_SLACK = 60.0


def is_what_was_asked(source: Source, asked: str) -> bool:
    """Whether a source is the one of an id or of a full name."""
    if checks.is_id(asked):
        return source.id == asked
    owner, _, name = asked.partition("/")
    # An owner that is no name is the placeholder of the reference page's answers.
    return source.name == name and (source.owner == owner or not checks.is_name(source.owner))


def is_ours(there: Source, body: Mapping[str, Any], conflict: Answer, begin: float) -> bool:
    """Whether a source is what a create of ours made whose reply was lost.

    It is when it has what was sent, and is not older than the create by the tenant's clock.
    """
    shown_by = {field.wire: field for field in fields_of(Source)}
    for wire_name, sent in body.items():
        field = shown_by[wire_name]
        found = getattr(there, field.name)
        if not field.same(found, sent):
            return False
    date = conflict.headers.get("date")
    if date is None or there.created_at is None:
        return True
    try:
        now = parsedate_to_datetime(date)
    except ValueError:
        return True
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    age = (now - there.created_at).total_seconds()
    return age <= time.monotonic() - begin + _CLOCK_SLACK
