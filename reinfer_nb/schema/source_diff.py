"""Two versions of a source compared: which settings differ, and who changed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source

_FIELDS = {field.name: field for field in fields_of(Source)}
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
        same = self.field.same
        if same(self.mine, self.was):
            return "theirs"
        return "mine" if same(self.theirs, self.was) or same(self.theirs, self.mine) else "both"


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
            if not (field.same(difference.mine, was) and field.same(was, now)):
                found.append(difference)
    return found


def has_moved(base: Source, now: Source) -> bool:
    """Whether a source is another than it was, for all that a change could overwrite.

    Where both tell when it was updated, what the base does not tell is no difference: listings
    show less of a source than its own page does.
    """
    if base.id != now.id or base.updated_at != now.updated_at:
        return True
    was = settings_of(base)
    if base.updated_at is not None:
        was = _told(was)
    return not has_all(now, was)


def is_as_meant(now: Source, base: Source, settings: Mapping[str, Any]) -> bool:
    """Whether a source is what settings make of what it was, and nothing that is known differs."""
    return now.id == base.id and has_all(now, {**_told(settings_of(base)), **settings})


def has_all(now: Source, settings: Mapping[str, Any]) -> bool:
    """Whether a source has settings, by field name."""
    return all(_FIELDS[name].same(getattr(now, name), value) for name, value in settings.items())


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are there: listings show less of a source than it has."""
    return {name: value for name, value in settings.items() if value not in (None, ())}


def what_moved(base: Source, now: Source) -> str:
    """Return what has become of a source, as a message says it."""
    if base.id != now.id:
        return f"was deleted, and another one, {now.id}, has its name"
    when = now.updated_at
    return "was changed" + (f" at {when:%Y-%m-%d %H:%M:%S} UTC" if when else "")
