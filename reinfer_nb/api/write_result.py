"""The result of a create or an update: a tenant may return 200 and not change a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reinfer_nb.errors import InDoubtWarning, NotTakenWarning, warn
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import listed, shown

_FIELDS = {field.wire: field for field in fields_of(Source)}
# Values that tenants did not take: by endpoint, then by source id and field. For this process.
_not_taken: dict[str, dict[tuple[str, str], Any]] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """A source after a create or an update.

    Attributes:
        source: The source as the tenant returned it.
        not_taken: The names of fields whose values differ from those sent.
        proven: False if somebody else may have created the source.
    """

    source: Source
    not_taken: tuple[str, ...] = ()
    proven: bool = True

    def remarks(self) -> list[str]:
        """Return the remarks that a person should see, in sentences."""
        remarks = []
        if self.not_taken:
            remarks.append(not_taken_text(self.source, self.not_taken))
        if not self.proven:
            remarks.append(
                f"{self.source.full_name} exists with these settings. It was created by an attempt "
                "whose response was lost, or by somebody else at the same time."
            )
        return remarks

    def warned(self) -> Source:
        """Return the source, with a warning for each remark.

        Warns:
            NotTakenWarning: The values of some fields differ from those sent.
            InDoubtWarning: Somebody else may have created the source.
        """
        kinds: list[type[Warning]] = [NotTakenWarning] * bool(self.not_taken)
        kinds += [InDoubtWarning] * (not self.proven)
        for kind, remark in zip(kinds, self.remarks(), strict=True):
            warn(remark, kind)
        return self.source


def not_taken_text(source: Source, names: Iterable[str]) -> str:
    """Return a sentence about the fields that a tenant did not take, with their values."""
    values = listed(f"{name} (it is {shown(getattr(source, name))})" for name in names)
    return f"The tenant accepted the request for {source.full_name}, but did not take {values}."


def fields_not_taken(content: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields whose values in a response differ from those sent.

    Args:
        content: The source in the response, by names in JSON. A field that is left out is unset if
            it has no default; else it counts as taken.
        body: The settings that were sent, by their names in JSON.
    """
    return tuple(
        _FIELDS[wire].name
        for wire, sent in body.items()
        if not _is_taken(_FIELDS[wire], sent, content)
    )


def _is_taken(field: Field, sent: Any, content: Mapping[str, Any]) -> bool:
    if field.wire not in content and field.about.default is not None:
        return True
    value = content.get(field.wire)
    try:
        value = None if value is None else field.type.read(value)
    except ValueError:
        # There is a warning about the unreadable value already.
        return True
    return field.same(value, sent)


def remember(endpoint: str, source: Source, body: Mapping[str, Any], names: Iterable[str]) -> None:
    """Remember which fields of a source a tenant did not take, until it takes them.

    Args:
        endpoint: The tenant.
        source: The source.
        body: The settings that were sent, by their names in JSON.
        names: The names of the fields that were not taken.
    """
    values = _not_taken.setdefault(endpoint, {})
    for wire, sent in body.items():
        name = _FIELDS[wire].name
        if name in names:
            values[source.id, name] = sent
        else:
            values.pop((source.id, name), None)


def was_not_taken(endpoint: str, source: Source, field: Field, value: Any) -> bool:
    """True if a tenant has not taken this value of a field before, in this process."""
    values = _not_taken.get(endpoint, {})
    key = source.id, field.name
    return key in values and field.same(values[key], value)
