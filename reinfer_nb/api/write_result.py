"""What a create or an update really wrote: a tenant may answer 200 and leave a field as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reinfer_nb.errors import InDoubtWarning, NotTakenWarning, warn
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import listed, shown

_FIELDS = {field.wire: field for field in fields_of(Source)}
# What tenants did not take in this process: by endpoint, the value by source id and field.
_not_taken: dict[str, dict[tuple[str, str], Any]] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """A source after a create or an update.

    Attributes:
        source: The source as the tenant returned it.
        not_taken: The names of fields that were sent and are not as they were sent.
        proven: False if the source may have been made by somebody else.
    """

    source: Source
    not_taken: tuple[str, ...] = ()
    proven: bool = True

    def remarks(self) -> list[str]:
        """Return what a person has to know beside "it is written", a sentence each."""
        remarks = []
        if self.not_taken:
            remarks.append(not_taken_text(self.source, self.not_taken))
        if not self.proven:
            remarks.append(
                f"{self.source.full_name} is there with these settings. Whether an attempt made "
                "it whose response was lost, or somebody else at the same time, cannot be told."
            )
        return remarks

    def warned(self) -> Source:
        """Return the source, and warn of what a caller has to know.

        Warns:
            NotTakenWarning: Some fields are not as they were sent.
            InDoubtWarning: The source may have been made by somebody else.
        """
        kinds: list[type[Warning]] = [NotTakenWarning] * bool(self.not_taken)
        kinds += [InDoubtWarning] * (not self.proven)
        for kind, remark in zip(kinds, self.remarks(), strict=True):
            warn(remark, kind)
        return self.source


def not_taken_text(source: Source, names: Iterable[str]) -> str:
    """Return the sentence that names fields which a tenant did not take, with their values."""
    values = listed(f"{name} (it is {shown(getattr(source, name))})" for name in names)
    return f"The tenant accepted the request for {source.full_name} and did not take {values}."


def fields_not_taken(content: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields that a response shows not to be as they were sent.

    Args:
        content: The source as the response holds it, by names in JSON. Of the fields that it
            leaves out, those without a default are unset; the others may be as they were sent.
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
        # An unreadable value is warned of, and says nothing.
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
    """Whether a tenant has not taken a value of a field of a source before, in this process."""
    values = _not_taken.get(endpoint, {})
    key = source.id, field.name
    return key in values and field.same(values[key], value)
