"""Compare versions of a source: which settings differ, and who changed them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source

_FIELDS = {field.name: field for field in fields_of(Source)}
Side = Literal["mine", "theirs", "both"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field with different values in the base, in my settings and in the current source.

    Attributes:
        field: The field.
        was: The value in the base.
        mine: My value.
        theirs: The current value.
    """

    field: Field
    was: Any
    mine: Any
    theirs: Any

    @property
    def side(self) -> Side:
        """Who changed the field; "both" only if the new values differ."""
        same = self.field.same
        if same(self.mine, self.was):
            return "theirs"
        return "mine" if same(self.theirs, self.was) or same(self.theirs, self.mine) else "both"


def settings_of(source: Source) -> dict[str, Any]:
    """Return the values of the fields of a source that can be updated, by field name."""
    return {f.name: getattr(source, f.name) for f in fields_of(Source) if f.may("update")}


def differences(base: Source, mine: Mapping[str, Any], theirs: Source) -> list[Difference]:
    """Return the fields that I, others, or both have changed.

    Args:
        base: The source before both changes.
        mine: My settings by field name; a field without one is unchanged.
        theirs: The current source.
    """
    result = []
    for field in fields_of(Source):
        was, now = getattr(base, field.name), getattr(theirs, field.name)
        if field.may("update"):
            difference = Difference(field, was, mine.get(field.name, was), now)
            if not (field.same(difference.mine, was) and field.same(was, now)):
                result.append(difference)
    return result


def has_moved(base: Source, now: Source) -> bool:
    """True if a source was changed in anything that an update could overwrite.

    If both have the same time of update, a field that is missing in the base is no difference:
    a listing has fewer fields than the response for a single source.
    """
    if base.id != now.id or base.updated_at != now.updated_at:
        return True
    was = settings_of(base)
    if base.updated_at is not None:
        was = _present(was)
    return not has_all(now, was)


def is_as_meant(now: Source, base: Source, settings: Mapping[str, Any]) -> bool:
    """True if a source has the new settings, and is otherwise as in the base."""
    return now.id == base.id and has_all(now, {**_present(settings_of(base)), **settings})


def has_all(now: Source, settings: Mapping[str, Any]) -> bool:
    """True if a source has these settings, by field name."""
    return all(_FIELDS[name].same(getattr(now, name), value) for name, value in settings.items())


def parsing_again(names: Iterable[str]) -> list[str]:
    """Return the fields among some that make the tenant parse all emails again if they change.

    >>> parsing_again(["title", "email_transform_version"])
    ['email_transform_version']

    From the description of the vendor's API.
    """
    return [name for name in names if name in _FIELDS and _FIELDS[name].about.parses_again]


def _present(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not missing; a listing may lack fields that the source has."""
    return {name: value for name, value in settings.items() if value not in (None, ())}


def what_moved(base: Source, now: Source) -> str:
    """Return the words of a message that say how a source was changed."""
    if base.id != now.id:
        return f"was deleted, and another one, {now.id}, has its name"
    when = now.updated_at
    return "was changed" + (f" at {when:%Y-%m-%d %H:%M:%S} UTC" if when else "")
