"""The view for a source that was changed remotely: my and their values, and a choice per field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.api.conflicts import Moved
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.source_diff import Difference
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.widgets.controls import LABELS, Control, button_for, control_for, label_of

MINE, THEIRS, EDIT = "Keep mine", "Take theirs", "Edit"


class Choice:
    """The choice for a field that both sides have changed.

    Args:
        difference: The field with its earlier value, mine and theirs.
        changed: Called when something is chosen or typed.
    """

    def __init__(self, difference: Difference, changed: Callable[[], object]) -> None:
        self.difference = difference
        self.options = ui.RadioButtons(
            options=[MINE, THEIRS, EDIT],
            value=None,
            description=label_of(difference.field),
            style=LABELS,
            layout=ui.Layout(width="auto"),
        )
        self.control: Control = control_for(difference.field)
        self.control.show(difference.theirs)
        self.control.fill(difference.mine)
        self.control.box.layout.display = "none"
        self.control.observe(changed)
        self.box = ui.VBox([self.options, self.control.box])

        def on_choice(_: object) -> None:
            editing = self.options.value == EDIT
            self.control.box.layout.display = None if editing else "none"
            changed()

        self.options.observe(on_choice, "value")

    @property
    def made(self) -> bool:
        """True if a choice was made and its value can be sent."""
        return self.options.value is not None and (
            self.options.value != EDIT or self.control.entry().flaw is None
        )

    def value(self) -> Any:
        """Return the chosen value."""
        if self.options.value == EDIT:
            entry = self.control.entry()
            return entry.value if entry.changed else self.difference.theirs
        mine = self.options.value == MINE
        return self.difference.mine if mine else self.difference.theirs


class Conflict(ui.VBox):
    """Shown in place of a form's fields until the conflict is resolved.

    Args:
        moved: The error, with the source before and after the remote change.
        mine: The settings that were to be sent, by field name.
        decided: Called with the settings to apply to the source as it is now.
    """

    def __init__(
        self,
        moved: Moved,
        mine: Mapping[str, Any],
        decided: Callable[[dict[str, Any]], object],
    ) -> None:
        differences = source_diff.differences(moved.base, mine, moved.theirs)
        self._mine = {d.field.name: d.mine for d in differences if d.side == "mine"}
        self.choices = [Choice(d, self._changed) for d in differences if d.side == "both"]
        self._decided = decided
        self.button = button_for("Continue", self._on_continue, "primary")
        notes = {"mine": "mine is kept", "theirs": "theirs is taken", "both": "choose below"}
        rows = [
            [label_of(d.field), *map(shown_cell, (d.was, d.mine, d.theirs)), notes[d.side]]
            for d in differences
        ]
        heads = ("Field", "Before", "Mine", "Theirs", "")
        same = "No setting has changed."
        parts = [
            ui.HTML(markup.error(str(moved))),
            ui.HTML(markup.table(heads, rows) if rows else markup.muted(same)),
            *(choice.box for choice in self.choices),
            ui.HTML(markup.muted("Nothing is sent yet. The form shows the changes first.")),
            ui.HBox([self.button]),
        ]
        super().__init__(parts, layout=ui.Layout(min_width="0"))
        self._changed()

    def __repr__(self) -> str:
        return "Somebody else has changed the source meanwhile"

    def _changed(self) -> None:
        self.button.disabled = not all(choice.made for choice in self.choices)

    def _on_continue(self) -> None:
        if not self.button.disabled:
            chosen = {c.difference.field.name: c.value() for c in self.choices}
            self._decided(self._mine | chosen)
