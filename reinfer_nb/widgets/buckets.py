"""Buckets by name: where the token may see buckets, people need not know their ids."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import ipywidgets as ui

from reinfer_nb.client import Client
from reinfer_nb.errors import ReinferError
from reinfer_nb.schema.fields import Field
from reinfer_nb.text import is_blank, nearest, shown, visible
from reinfer_nb.widgets.controls import FULL, LABELS, Control, TextControl, label_of

# The name of the field that holds the id of a bucket.
BUCKET = "bucket_id"
_SUGGESTED = 20


def bucket_names(client: Client) -> Mapping[str, str]:
    """Return the full name of each bucket by id; empty if the token may not see buckets."""
    names: dict[str, str] = {}
    with contextlib.suppress(ReinferError):
        df = client.buckets()
        columns = (df[name].fillna("").tolist() for name in ("id", "owner", "name"))
        rows = zip(*columns, strict=True)
        names = {key: visible(f"{owner}/{name}") for key, owner, name in rows if key}
    # No dictionary, which `closing` would search for widgets.
    return MappingProxyType(names)


def bucket_controls(client: Client) -> dict[str, Callable[..., Control]]:
    """Return the control of the bucket for `controls_for`, with the names that can be seen."""
    return {BUCKET: partial(BucketControl, names=bucket_names(client))}


class BucketControl(TextControl):
    """A bucket by its full name or its id, which completes the names.

    Args:
        field: The field.
        creating: True for a new source.
        names: The full names of the buckets by id; an id that is not among them is sent as it is
            only if there are no names.
    """

    def __init__(self, field: Field, *, creating: bool, names: Mapping[str, str]) -> None:
        self._names = names
        ordered = sorted(names.items(), key=itemgetter(1))
        self._ids = MappingProxyType({name: key for key, name in ordered})
        super().__init__(field, creating=creating)

    def _input(self) -> Any:
        if not self._names:
            return super()._input()
        return ui.Combobox(
            description=label_of(self.field),
            options=self._suggestions(""),
            placeholder="project/name or id of a bucket",
            style=LABELS,
            layout=FULL,
        )

    def _suggestions(self, typed: str) -> tuple[str, ...]:
        """Return the first names that contain a text; a browser needs no longer list."""
        found = (name for name in self._ids if typed.lower() in name.lower())
        return tuple(islice(found, _SUGGESTED))

    def _on_input(self, change: object) -> None:
        if isinstance(self.input, ui.Combobox):
            self.input.options = self._suggestions(self.input.value)
        super()._on_input(change)

    def _raw(self, value: Any) -> Any:
        return self._names.get(value) or super()._raw(value)

    def _value(self, raw: Any) -> Any:
        text = raw.strip() if isinstance(raw, str) else raw
        if not self._names or is_blank(raw) or text in self._names or text == self.base:
            return super()._value(text)
        if text in self._ids:
            return self._ids[text]
        close = nearest(text, self._ids)
        advice = f"did you mean {visible(close)}?" if close else "choose one from its list"
        raise ValueError(f"names no bucket: {shown(text)} ({advice})")

    def _hint(self) -> str:
        key = self._ids.get(self.input.value)
        return f" This bucket has the id {visible(key)}." if key else super()._hint()
