"""The form that updates a source; it sends only the settings that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.api import conflicts, safe_write
from reinfer_nb.api.write_result import Written
from reinfer_nb.client import Client
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import parsing_again
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.buckets import bucket_controls
from reinfer_nb.widgets.controls import (
    NOT_TAKEN,
    Entry,
    button_for,
    controls_for,
    label_of,
)
from reinfer_nb.widgets.entries import changed_settings, entries_of
from reinfer_nb.widgets.forms.base_form import Form, call_text, refused_field
from reinfer_nb.widgets.forms.conflict import Conflict
from reinfer_nb.widgets.forms.source_picker import Picker
from reinfer_nb.widgets.jobs import Jobs


class UpdateForm(Form):
    """The form that updates a source; `update_form` returns one.

    Attributes:
        result: The source after the last update.
        source: The source that the form has opened, or None.
        sent: The names of the fields that the last update has sent.
        controls: The settings to fill in, by field name.
    """

    _noun = "Form to update a source"
    instead = 'client.update_source("project/name", title="...")'

    def __init__(
        self, client: Client, source: Source | None = None, *, picker: bool = True
    ) -> None:
        super().__init__(client, "Update")
        self.source: Source | None = None
        self.sent: tuple[str, ...] = ()
        # What is filled in after an update, until it is edited.
        self._after: dict[str, Any] | None = None
        self.controls = controls_for(
            fields_of(self.definition), "update", self.refresh, bucket_controls(client)
        )
        self.picker = Picker(client, self._on_picked) if picker else None
        self._title = ui.HTML()
        self._preview, self._parsing = ui.HTML(), ui.HTML()
        # How many comments the source has; None if not known.
        self._comments: int | None = None
        self._counting = Jobs()
        self.reset = button_for("Reset", self._on_reset)
        self._fields = [control.box for control in self.controls.values()]
        self._head = [self.picker.box] if self.picker else []
        self.look_at(source)

    @property
    def dirty(self) -> bool:
        """True if there are changes that were not sent."""
        return any(entry.changed for entry in entries_of(self.controls).values())

    def look_at(self, source: Source | None) -> None:
        """Open a source, or none, and drop what was filled in.

        While a request is running, the form keeps its source.
        """
        if self.writing:
            return
        self.source = source
        self._done, self._after = "", None
        self._comments = None
        for name, control in self.controls.items():
            control.show(None if source is None else getattr(source, name))
        self.say("")
        self._show_fields()

    def _on_picked(self, source: Source) -> None:
        if self.source is not None and (self.dirty or self.writing):
            self.say(
                markup.error(
                    f"There are changes to {self.source.full_name} that were not sent. Update or "
                    "Reset first."
                )
            )
            return
        self.look_at(source)

    def _show_fields(self) -> None:
        others = [*self._fields, self._preview, self._parsing]
        fields = [self._title, *others] if self.source else []
        self._show(*self._head, *fields, *self._actions(self.reset))
        self.refresh()

    def _on_reset(self) -> None:
        for control in self.controls.values():
            control.show(control.base)
        self.refresh()

    def _typed(self) -> dict[str, Any]:
        return {name: control.input.value for name, control in self.controls.items()}

    def _pending(self) -> str:
        return self._code_for(entries_of(self.controls))

    def _code_for(self, entries: Mapping[str, Entry]) -> str:
        """Return the code of the update; empty if there is no valid change."""
        settings = changed_settings(entries)
        if self.source is None or not settings:
            return ""
        return call_text("update_source", self.source.full_name, settings=settings)

    def refresh(self) -> None:
        """Update the preview, the buttons and the code."""
        if self.source is not None:
            self._title.value = tag_line(self.source)
        if self._after not in (None, self._typed()) and not self.jobs.running:
            # The message is about the update before.
            self._after = None
            self.say("")
        entries = entries_of(self.controls)
        changes = [
            [label_of(c.field), shown_cell(c.base), shown_cell(entries[name].value)]
            for name, c in self.controls.items()
            if entries[name].changed and entries[name].flaw is None
        ]
        self._preview.value = (
            markup.table(("Would change", "Before", "After"), changes)
            if changes
            else markup.muted("Nothing is changed yet." if self._after is None else "")
        )
        self._show_parsing([name for name, entry in entries.items() if entry.changed])
        dirty = any(entry.changed for entry in entries.values())
        self.reset.disabled = self.jobs.running or not dirty
        pending = self._code_for(entries)
        self._update(pending, ready=bool(pending))

    def _show_parsing(self, changed: list[str]) -> None:
        """Tell that the tenant would parse all comments again, and count them."""
        fields, source = parsing_again(changed), self.source
        self._parsing.value = ""
        if not fields or source is None:
            return
        number = "all its comments"
        if self._comments is not None:
            number = f"its {counted(self._comments, 'comment')}"
        verb = "changes" if len(fields) == 1 else "change"
        self._parsing.value = markup.error(
            f"If {' and '.join(fields)} {verb}, the tenant parses {number} again."
        )
        if self._comments is None and not self._counting.running:

            def show(count: int) -> None:
                if self.source is not None and self.source.id == source.id:
                    self._comments = count
                    self.refresh()

            self._counting.start(
                lambda _: self.client.count_comments(source), show, lambda _: None, clicked=None
            )

    def _on_button(self) -> None:
        entries = entries_of(self.controls)
        base, settings, code = self.source, changed_settings(entries), self._code_for(entries)
        if base is None or not settings:
            return
        sent, self._after = self._typed(), None

        def done(written: Written) -> None:
            self._done = code
            self.source = source = written.source
            for name, control in self.controls.items():
                taken = name not in written.not_taken
                # A value that was not taken stays filled in.
                control.rebase(getattr(source, name), sent[name] if taken else None)
                if not taken:
                    control.refuse(f"The tenant did not take it: {NOT_TAKEN}.")
            names = ", ".join(name for name in settings if name not in written.not_taken)
            message = f"{visible(source.full_name)} is updated: {names}." if names else ""
            self.say_written(message, written)
            self._after = self._typed()
            self.sent = tuple(settings)
            self.result = source

        self._run(
            f"Updating {visible(base.full_name)}",
            lambda _: safe_write.update_completely(self.client.calls, base, settings),
            done,
            failed=lambda error: self._explain(error, settings),
            clicked=code,
        )

    def _explain(self, error: Exception, settings: dict[str, Any]) -> None:
        if isinstance(error, conflicts.Moved):
            self.say("")
            conflict = Conflict(error, settings, lambda mine: self._apply(mine, error.theirs))
            self._show(*self._head, conflict, self.said)
        elif control := refused_field(error, self.controls):
            control.refuse(str(error))

    def _apply(self, mine: dict[str, Any], theirs: Source) -> None:
        """Open the source as it is now, with my settings filled in."""
        self.source = theirs
        for name, control in self.controls.items():
            control.show(getattr(theirs, name))
            if name in mine:
                control.fill(mine[name])
        self._show_fields()


def tag_line(source: Source) -> markup.Markup:
    """Return the heading of a source: its full name and title."""
    title = [f" {source.title}"] if source.title else []
    parts = [markup.tag("strong", source.full_name), *title]
    return markup.block(parts, style="overflow-wrap:anywhere")
