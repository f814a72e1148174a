"""The bulk edit tab: sets fields of all selected sources, or takes a small table of values.

Each is a plan that is shown first; see `plan_pane`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets as ui
import numpy as np
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.client import Client
from reinfer_nb.csvfile.io import csv_of, frame_of
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.row_numbers import numbered_as_file
from reinfer_nb.plans.plan import Plan
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import counted, listed, shown
from reinfer_nb.widgets.buckets import BUCKET, bucket_controls
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import FULL, LABELS, Control, button_for, controls_for, label_of
from reinfer_nb.widgets.explorer.plan_pane import PlanPane
from reinfer_nb.widgets.explorer.surroundings import Surroundings
from reinfer_nb.widgets.forms.base_form import WRAP

_HINT = (
    "Click a row of the table to select it. Ctrl or Cmd and a click adds a row, Shift and a click "
    "selects a range, and Ctrl+A selects all rows."
)
_TABLE_HINT = (
    "Paste rows from a spreadsheet, or fill in the selected sources and edit them. The first line "
    "names the columns: id, or owner and name, then the fields to set. To empty a text, write "
    '"" into its cell; an empty cell of bucket_id detaches the bucket. Other sources stay as they '
    "are."
)
# The most rows to fill in for editing; a longer table is no longer small.
_MOST_ROWS = 2_000


class _Unset:
    """Type of the marker for no value, as None is a value."""


_UNSET = _Unset()


@dataclass(frozen=True)
class _Edit:
    """What is to be set.

    Attributes:
        ids: The ids of the selected sources; empty if a table says what to set.
        settings: The fields to set, with their new values.
        table: The table of values; None if it is not used.
    """

    ids: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...] = ()
    table: str | None = None


class BulkPane(PlanPane):
    """Sets fields of all the sources that are selected in the table of sources.

    Args:
        client: The tenant.
        around: What the explorer gives its tabs.

    Attributes:
        field: The choice of the field, by its name.
        controls: The control of each field, by field name.
        emptied: The box to tick to empty the field, whatever is filled in.
        others: The fields that are set besides, with their values.
        add: The button that keeps the field and its value, to set another field too.
        by_table: The button that is down if a table of values is used.
        table: The table of values, as text.
        fill: The button that fills the selected sources into the table.
    """

    def __init__(self, client: Client, around: Surroundings) -> None:
        self._tenant, self._refusal = client, around.refusal
        self._finder, self._listing = around.finder, around.listing
        finder = around.finder
        self.others: dict[str, Any] = {}
        self.controls = controls_for(
            fields_of(Source), "update", self.follow, bucket_controls(client)
        )
        self._helps = {name: control.note.value for name, control in self.controls.items()}
        self.field = ui.Dropdown(
            description="Field",
            options=[(label_of(control.field), name) for name, control in self.controls.items()],
            style=LABELS,
            layout=FULL,
        )
        self.emptied = ui.Checkbox(
            description="Empty the field",
            indent=False,
            layout=ui.Layout(margin="0 0 6px 13.4em", width="auto"),
        )
        self.add = button_for("Set another field too", self._on_add)
        self.by_table = ui.ToggleButton(
            value=False, description="A value for each source", layout=ui.Layout(width="auto")
        )
        self.table = ui.Textarea(
            description="Table",
            rows=8,
            style=LABELS,
            layout=ui.Layout(**FULL | {"max_width": "90em"}),
        )
        self.fill = button_for("Fill in the selected sources", self._on_fill)
        self._chosen = ui.HTML()
        self._set = ui.VBox(layout=ui.Layout(min_width="0"))
        self._filled = ui.VBox(layout=ui.Layout(min_width="0"))
        self._fields = ui.VBox(
            [self._set, self.field, self._filled, ui.HBox([self.add], layout=WRAP)],
            layout=ui.Layout(min_width="0"),
        )
        self._pasted = ui.VBox(
            [ui.HTML(markup.muted(_TABLE_HINT)), ui.HBox([self.fill], layout=WRAP), self.table],
            layout=ui.Layout(min_width="0", display="none"),
        )
        way = ui.HBox([self.by_table], layout=WRAP)
        super().__init__(around, [self._chosen, way, self._fields, self._pasted])
        self.add_class("rnb-bulk")
        self.field.observe(lambda _: self._on_field(), "value")
        self.by_table.observe(lambda _: self._on_way(), "value")
        for part in (self.emptied, self.table):
            part.observe(lambda _: self.follow(), "value")
        finder.observe(lambda _: self.follow(), "selected")
        # A new listing may have another source at the same position.
        finder.observe(lambda _: self.follow(), "shown")
        self._on_field()

    def __repr__(self) -> str:
        return "Bulk edit of the sources"

    # The selection and the values

    @property
    def _control(self) -> Control:
        return self.controls[self.field.value]

    def _edit(self) -> _Edit:
        if self.by_table.value:
            return _Edit((), (), self.table.value)
        ids = self._listing()["id"].iloc[list(self._finder.selected)]
        values, value = dict(self.others), self._value()
        if value is not _UNSET:
            values[self.field.value] = value
        return _Edit(tuple(ids), tuple(values.items()))

    def _is_complete(self, edit: _Edit) -> bool:
        if edit.table is not None:
            return bool(edit.table.strip())
        return bool(edit.ids and edit.settings) and not self._flawed() and not self._reason()

    def _value(self) -> Any:
        """Return the value that is filled in for the chosen field; `_UNSET` if there is none."""
        if self.emptied.value:
            return _empty_value(self._control.field)
        entry = self._control.entry()
        return entry.value if entry.changed and entry.flaw is None else _UNSET

    def _flawed(self) -> bool:
        return not self.emptied.value and self._control.entry().flaw is not None

    def _on_field(self) -> None:
        # The tick was for the field before.
        self.emptied.value = False
        can_be_empty = _empty_value(self._control.field) is not _UNSET
        self._filled.children = [self._control.box, *([self.emptied] if can_be_empty else [])]
        self.follow()

    def _on_way(self) -> None:
        by_table = self.by_table.value
        self._fields.layout.display = "none" if by_table else None
        self._pasted.layout.display = None if by_table else "none"
        self.follow()

    def _on_add(self) -> None:
        """Keep the field and its value, and choose the next field that is not set yet."""
        value = self._value()
        if value is _UNSET:
            return
        self.others[self.field.value] = value
        self._control.show(None)
        self._list_others()
        names = [name for name in self.controls if name not in self.others]
        self.emptied.value = False
        if names:
            self.field.value = names[0]
        self.follow()

    def _list_others(self) -> None:
        lines = []
        for name, value in self.others.items():
            text = f"{label_of(self.controls[name].field)}: {shown_cell(value)}"
            remove = button_for("Do not set", partial(self._on_remove, name))
            remove.tooltip = f"Do not set {label_of(self.controls[name].field)}"
            lines.append(ui.HBox([ui.HTML(markup.block(text)), remove], layout=ui.Layout(**WRAP)))
        with dropping(self._set):
            self._set.children = lines

    def _on_remove(self, name: str) -> None:
        self.others.pop(name, None)
        self._list_others()
        self.follow()

    def _on_fill(self) -> None:
        """Fill the selected sources into the table, with the fields that were chosen."""
        rows = self._listing().iloc[list(self._finder.selected)[:_MOST_ROWS]]
        names = dict.fromkeys(["owner", "name", *self.others, self.field.value])
        self.table.value = csv_of(rows[[name for name in names if name in rows]]).decode(
            "utf-8-sig"
        )

    def follow(self) -> None:
        """Update the tab after a change of the selection or a value."""
        control = self._control
        control.input.disabled = self.emptied.value
        if self.emptied.value or control.entry().flaw is None:
            # Not the control's own note, which shows the value before: each source has its own.
            control.note.value = self._helps[self.field.value]
        self._chosen.value = self._selection_note(len(self._finder.selected))
        self.add.disabled = self._value() is _UNSET
        self.fill.disabled = not self._finder.selected
        self._follow_edit()

    def _selection_note(self, number: int) -> markup.Markup:
        """Return how many sources are selected; if fewer than two, also how to select several."""
        hidden = number - int(np.isin(self._finder.selected, self._finder.positions).sum())
        many = f"{counted(number, 'source')} {'is' if number == 1 else 'are'}" if number else ""
        more = f", {hidden:,} of them not shown in the table" if hidden else ""
        note = markup.block(f"{many or 'No source is'} selected{more}.")
        reason = self._reason()
        hint = markup.muted(_HINT) if number < 2 else ""
        return markup.join([note, hint, markup.error(reason) if reason else ""])

    def _reason(self) -> str:
        """Return why the selected sources cannot all be changed; "" if they can."""
        owners = self._listing()["owner"].iloc[list(self._finder.selected)]
        return self._refusal(owners.dropna().unique().tolist())

    # The plan

    def _planner(self, edit: _Edit) -> Callable[[], Plan]:
        text = edit.table
        if text is not None:
            return lambda: self._plan_of_table(text)
        edited = self._edited(edit)
        return lambda: self._tenant.plan(edited)

    def _plan_of_table(self, text: str) -> Plan:
        plan = self._tenant.plan(self._with_bucket_ids(_read(text)))
        new = [step.full_name for step in plan.steps if step.kind == "create"]
        if new:
            # Most likely a typo; this tab only edits.
            raise InvalidInput(
                f"There is no source {listed(map(shown, new))}. Correct the name, or create it "
                "with New source."
            )
        return plan

    def _with_bucket_ids(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the ids of buckets in place of their names."""
        if BUCKET in table:
            ids = {name: key for key, name in self._around.buckets.items()}
            table[BUCKET] = table[BUCKET].map(lambda text: ids.get(text, text), na_action="ignore")
        return table

    def _edited(self, edit: _Edit) -> pd.DataFrame:
        """Return the selected rows with their id, owner and name, and the new values."""
        listing = self._listing()
        rows = listing.iloc[list(self._finder.selected)][["id", "owner", "name"]]
        columns = {
            name: pd.Series(
                [value] * len(rows), index=rows.index, dtype=self.controls[name].field.type.dtype
            )
            for name, value in edit.settings
        }
        edited = rows.assign(**columns)
        edited.attrs = dict(listing.attrs)
        return edited


def _read(text: str) -> pd.DataFrame:
    """Return a pasted table as a frame; its columns are separated by tabs, commas or semicolons.

    Raises:
        FileProblem: It is not a table, or a cell is invalid for its column.
        InvalidInput: It has no field that can be set.
    """
    table = numbered_as_file(frame_of(text.strip("\n").encode() + b"\n", "The table"))
    settable = {field.name for field in fields_of(Source) if field.may("update")}
    if not settable & set(map(str, table.columns)):
        raise InvalidInput(
            "The table sets no field. Its first line must name the columns: id, or owner and name, "
            "then fields such as title."
        )
    return table


def _empty_value(field: Field) -> Any:
    """Return the value that empties a field; `_UNSET` if it cannot be empty."""
    if field.about.nullable:
        return None
    # Only fields whose default is empty; a tenant takes no empty language, for example.
    return field.about.default if field.about.default in ("", ()) else _UNSET
