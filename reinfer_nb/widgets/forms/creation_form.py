"""The form that creates a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ui

from reinfer_nb import errors, markup
from reinfer_nb.api import conflicts
from reinfer_nb.api.write_result import Written
from reinfer_nb.client import Client
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import visible
from reinfer_nb.widgets.buckets import bucket_controls
from reinfer_nb.widgets.controls import (
    BENEATH,
    FULL,
    LABELS,
    controls_for,
)
from reinfer_nb.widgets.entries import changed_settings, entries_of
from reinfer_nb.widgets.forms.base_form import Form, call_text, refused_field

_MOST_PROJECTS = 500

# The CSS class of the input for the name.
NAME = "rnb-name"


class CreateForm(Form):
    """The form that creates a source; `create_form` returns one.

    Attributes:
        result: The last source that was created.
        controls: The settings to fill in, by field name.
    """

    _noun = "Form to create a source"
    instead = 'client.create_source("project/name", title="...")'

    def __init__(self, client: Client, project: str = "") -> None:
        super().__init__(client, "Create")
        self.project = ui.Combobox(
            value=project,
            description="Project",
            options=_projects(client),
            placeholder="choose or type",
            style=LABELS,
            layout=FULL,
        )
        self.name = ui.Text(description="Name", style=LABELS, layout=FULL)
        self.name.add_class(NAME)
        self._note = ui.HTML(layout=BENEATH)
        self._taken: str | None = None
        self._refused: str | None = None
        self.controls = controls_for(
            fields_of(self.definition), "create", self.refresh, bucket_controls(client)
        )
        for part in (self.project, self.name):
            part.observe(lambda _: self._on_name(), "value")
        boxes = [control.box for control in self.controls.values()]
        self._show(self.project, self.name, self._note, *boxes, *self._actions())
        self.refresh()

    @property
    def full_name(self) -> str:
        """The full name that is filled in."""
        return f"{self.project.value}/{self.name.value}"

    def fill_from(self, source: Source) -> None:
        """Fill in the project and the settings of a source; its name stays open.

        Args:
            source: The source to duplicate.
        """
        self.project.value = source.owner
        for name, control in self.controls.items():
            control.fill(getattr(source, name))
        self.refresh()

    def _flaw(self) -> str | None:
        """Return what is wrong with the full name; None if nothing is, or it is incomplete."""
        if not self.project.value or not self.name.value:
            return None
        try:
            validation.full_name(self.full_name)
        except errors.InvalidInput as error:
            return str(error)
        if self.full_name == self._taken:
            return f"A source {self.full_name} already exists. Choose another name."
        return None

    def _on_name(self) -> None:
        # Earlier errors are about the earlier name.
        self._taken = self._refused = None
        if not self.jobs.running:
            # The last message was about another name.
            self.say("")
        self.refresh()

    def _pending(self) -> str:
        settings = changed_settings(entries_of(self.controls))
        named = bool(self.project.value and self.name.value)
        if settings is None or not named or self._flaw() is not None:
            return ""
        return call_text("create_source", self.full_name, settings=settings)

    def refresh(self) -> None:
        """Update the messages, the button and the code."""
        flaw = self._flaw() or self._refused
        rule = f"Project and name cannot be changed later. Each is {validation.NAME_RULE}."
        self._note.value = markup.error(flaw) if flaw else markup.muted(rule)
        super().refresh()

    def _on_button(self) -> None:
        code, settings = self._pending(), changed_settings(entries_of(self.controls))
        if not code or settings is None:
            return
        full_name = self.full_name
        sent = {name: control.input.value for name, control in self.controls.items()}

        def done(written: Written) -> None:
            self._empty(full_name, sent)
            self._done = code
            message = f"{full_name} is created, with the id {visible(written.source.id)}."
            self.say_written(message if written.proven else "", written)
            self.result = written.source

        self._run(
            f"Creating {full_name}",
            lambda _: self.client.calls.create(full_name, validation.settings("create", settings)),
            done,
            failed=lambda error: self._explain(error, full_name),
        )

    def _empty(self, full_name: str, sent: Mapping[str, Any]) -> None:
        """Empty the form for the next source in the same project, but for what was typed since.

        Args:
            full_name: The full name that was sent.
            sent: The raw value of each input when the request was sent.
        """
        if full_name == self.full_name:
            self.name.value = ""
        for name, control in self.controls.items():
            control.rebase(None, sent[name])

    def _mark_taken(self, full_name: str) -> None:
        """Remember that a name is taken, unless another name is filled in by now."""
        if full_name == self.full_name:
            self._taken = full_name

    def _explain(self, error: Exception, full_name: str) -> None:
        if isinstance(error, conflicts.Conflict):
            self._mark_taken(full_name)
        elif isinstance(error, errors.NotFound | errors.PermissionDenied):
            self._refused = str(error) if full_name == self.full_name else None
        elif control := refused_field(error, self.controls):
            control.refuse(str(error))


def _projects(client: Client) -> list[str]:
    """Return the projects to choose from; an empty list if they cannot be listed."""
    try:
        names = client.projects()["name"]
    except errors.ReinferError:
        try:
            names = client.sources()["owner"].drop_duplicates()
        except errors.ReinferError:
            return []
    return [name for name in names.dropna().head(_MOST_PROJECTS) if validation.is_name(name)]
