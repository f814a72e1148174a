"""Changes that know what they overwrite: they stop where the source has moved meanwhile.

The API has no conditional write. Between looking and writing lies the time of one request, in
which somebody else can still come first; it is kept that short, and no more is claimed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reinfer_nb.client import Client
from reinfer_nb.errors import Moved
from reinfer_nb.fields import Field, fields_of
from reinfer_nb.models import Source

Side = Literal["mine", "theirs", "both"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same everywhere.

    Attributes:
        field: Which.
        was: Its value in what the change was made from.
        mine: What it is to become.
        theirs: What somebody else has made of it.
    """

    field: Field
    was: Any
    mine: Any
    theirs: Any

    @property
    def side(self) -> Side:
        """Who changed it; "both" only where what they made of it is not the same."""
        if self.mine == self.was:
            return "theirs"
        return "mine" if self.theirs in (self.was, self.mine) else "both"


def settings_of(source: Source) -> dict[str, Any]:
    """Return what can be written of a source, by field name."""
    return {f.name: getattr(source, f.name) for f in fields_of(Source) if f.may("update")}


def differences(base: Source, mine: Mapping[str, Any], theirs: Source) -> list[Difference]:
    """Return the settings that I, they, or both have changed.

    Args:
        base: The source as both began with it.
        mine: My settings by field name; what is left out is as in `base`.
        theirs: The source as it is now.
    """
    found = []
    for field in fields_of(Source):
        was, now = getattr(base, field.name), getattr(theirs, field.name)
        if field.may("update"):
            difference = Difference(field, was, mine.get(field.name, was), now)
            if not difference.mine == was == now:
                found.append(difference)
    return found


def has_moved(base: Source, now: Source) -> bool:
    """Whether a source is another than it was, for all that a change could overwrite."""
    return (
        base.id != now.id
        or base.updated_at != now.updated_at
        or settings_of(base) != settings_of(now)
    )


def looked_at(client: Client, base: Source) -> Source:
    """Return the source as it is now, if it is still what it was.

    Raises:
        Moved: It is not; `theirs` holds what it is now.
        NotFound: It is gone.
    """
    now = client.source(base)
    if not has_moved(base, now):
        return now
    if base.id != now.id:
        what = f"was deleted, and another one, {now.id}, has its name"
    else:
        when = now.updated_at and f" at {now.updated_at:%Y-%m-%d %H:%M:%S} UTC"
        what = f"was changed{when or ''}"
    raise Moved(f"{base.full_name} {what} since you began. Nothing was written.", base, now)


def update(client: Client, base: Source, settings: Mapping[str, Any]) -> Source:
    """Update a source unless it has moved since `base`, and return it as it is then.

    Args:
        client: The tenant.
        base: The source as the change was made from it.
        settings: As for `Client.update_source`.

    Raises:
        Moved: It has; nothing was written.
        ReinferError: What `Client.update_source` raises.
    """
    looked_at(client, base)
    return client.update_source(base.full_name, **settings)


def delete(client: Client, base: Source, restore_file: str | os.PathLike[str]) -> Source:
    """Delete a source unless it has moved since `base`, and return it as it last was.

    Args:
        client: The tenant.
        base: The source as it was when the delete was decided.
        restore_file: A new file for its settings, written before anything is deleted.

    Raises:
        Moved: It has; nothing was deleted.
        ReinferError: What `Client.delete_source` raises.
    """
    return client.delete_source(looked_at(client, base), restore_file=restore_file)
