"""The bulk edit tab: sets one field of all selected sources, by a plan that is shown first.

Only the plan on the screen can be applied, and only while selection and value are unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import ipywidgets as ui
import numpy as np
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.client import Client
from reinfer_nb.plans import executor
from reinfer_nb.plans.attempt import DONE, NOT_TAKEN, SKIPPED
from reinfer_nb.plans.plan import ApplyResult, Plan, apply_result_of
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted
from reinfer_nb.widgets.controls import FULL, LABELS, Control, button_for, controls_for, label_of
from reinfer_nb.widgets.explorer.source_table import Finder
from reinfer_nb.widgets.forms.base_form import WRAP, words_of
from reinfer_nb.widgets.jobs import Job, Jobs

_WORKERS = 8
_Result = TypeVar("_Result")
_HINT = (
    "Click a row of the table to select it. Ctrl or Cmd and a click adds a row, Shift and a click "
    "selects a range, and Ctrl+A selects all rows."
)


class _Unset:
    """Type of the marker for no value, as None is a value."""


_UNSET = _Unset()


@dataclass(frozen=True)
class _Edit:
    """The selection and the value to set.

    Attributes:
        ids: The ids of the selected sources.
        field: The name of the field to set.
        value: The new value; `_UNSET` if there is no valid one.
    """

    ids: tuple[str, ...]
    field: str
    value: Any

    @property
    def complete(self) -> bool:
        """True if a plan can be made."""
        return bool(self.ids) and self.value is not _UNSET


class BulkPane(ui.VBox):
    """Sets one field of all the sources that are selected in the table.

    Args:
        client: The tenant.
        finder: The table.
        listing: Returns the listing that the table shows.
        written: Called after sources may have changed.

    Attributes:
        field: The choice of the field, by its name.
        controls: The control of each field, by field name.
        emptied: The box to tick to empty the field, whatever is filled in.
        plan: The last plan that was made; None before the first.
        result: The result of the last plan that was applied; None before the first.
    """

    def __init__(
        self,
        client: Client,
        finder: Finder,
        listing: Callable[[], pd.DataFrame],
        written: Callable[[], object],
    ) -> None:
        self._client, self._finder, self._listing = client, finder, listing
        self._written = written
        self.plan: Plan | None = None
        self.result: ApplyResult | None = None
        # The edit that the plan on the screen was made for; None if no plan is shown.
        self._planned: _Edit | None = None
        self._undoing = False
        self._doing = ""
        self._stopping = threading.Event()
        self._stoppable = False
        self.jobs = Jobs(lambda _: self._refresh(), self._show_progress)
        self.controls = controls_for(fields_of(Source), "update", self._follow)
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
        self.show_plan = button_for("Show the plan", self._on_show_plan)
        self.apply = button_for("Apply", self._on_apply, "primary")
        self.undo = button_for("Undo…", self._on_undo)
        self.retry = button_for("Try again", self._on_retry)
        self.stop = button_for("Stop", self._on_stop)
        self._chosen = ui.HTML()
        self._filled = ui.VBox(layout=ui.Layout(min_width="0"))
        self._said = ui.HTML(layout=ui.Layout(min_height="1.5em"))
        self._plan, self._result = ui.HTML(), ui.HTML()
        # Shown between a plan and the result of an earlier plan.
        self._between = ui.HTML(
            markup.muted("Result of the last plan that was applied:"),
            layout=ui.Layout(margin="12px 0 0 0"),
        )
        buttons = [self.show_plan, self.apply, self.undo, self.retry, self.stop]
        super().__init__(
            [
                self._chosen,
                self.field,
                self._filled,
                ui.HBox(buttons, layout=WRAP),
                self._said,
                self._plan,
                self._between,
                self._result,
            ],
            layout=ui.Layout(min_width="0", overflow="hidden"),
        )
        self.add_class("rnb-bulk")
        self.field.observe(lambda _: self._on_field(), "value")
        self.emptied.observe(lambda _: self._follow(), "value")
        finder.observe(lambda _: self._follow(), "selected")
        # A new listing may have another source at the same position.
        finder.observe(lambda _: self._follow(), "shown")
        self._on_field()

    def __repr__(self) -> str:
        return "Bulk edit of the sources"

    # The selection and the value

    @property
    def _control(self) -> Control:
        return self.controls[self.field.value]

    def _edit(self) -> _Edit:
        ids = self._listing()["id"].iloc[list(self._finder.selected)]
        return _Edit(tuple(ids), self.field.value, self._value())

    def _value(self) -> Any:
        if self.emptied.value:
            return _empty_value(self._control.field)
        entry = self._control.entry()
        return entry.value if entry.changed and entry.flaw is None else _UNSET

    def _on_field(self) -> None:
        # The tick was for the field before.
        self.emptied.value = False
        can_be_empty = _empty_value(self._control.field) is not _UNSET
        self._filled.children = [self._control.box, *([self.emptied] if can_be_empty else [])]
        self._follow()

    def _follow(self) -> None:
        """Update the tab after a change of the selection or the value."""
        edit = self._edit()
        control = self._control
        control.input.disabled = self.emptied.value
        if self.emptied.value or control.entry().flaw is None:
            # Not the control's own note, which shows the value before: each source has its own.
            control.note.value = self._helps[edit.field]
        self._chosen.value = self._selection_note(len(edit.ids))
        if self._planned is not None and edit != self._planned:
            self._hide_plan()
            self._say("The selection or the value has changed. Show the plan again.")
        self._refresh()

    def _selection_note(self, number: int) -> markup.Markup:
        """Return how many sources are selected; if fewer than two, also how to select several."""
        hidden = number - int(np.isin(self._finder.selected, self._finder.positions).sum())
        many = f"{counted(number, 'source')} {'is' if number == 1 else 'are'}" if number else ""
        more = f", {hidden:,} of them not shown in the table" if hidden else ""
        note = markup.block(f"{many or 'No source is'} selected{more}.")
        return markup.join([note, markup.muted(_HINT) if number < 2 else ""])

    def _hide_plan(self) -> None:
        self._planned = None
        self._plan.value = ""

    # Buttons and messages

    def _ready(self) -> bool:
        """True if the plan on the screen can be applied."""
        plan = self.plan if self._planned is not None else None
        return plan is not None and plan.ok and bool(plan.steps)

    def _refresh(self) -> None:
        busy, ready, result = self.jobs.running, self._ready(), self.result
        verb = "Put back" if self._undoing else "Apply to"
        steps = len(self.plan.steps) if self.plan is not None else 0
        self.apply.description = f"{verb} {counted(steps, 'source')}" if ready else "Apply"
        self.apply.disabled = busy or not ready
        self.show_plan.disabled = busy or not self._edit().complete
        self.undo.disabled = self.retry.disabled = busy
        undoable = result is not None and {DONE, NOT_TAKEN} & result.counts.keys()
        retryable = result is not None and any(outcome.open for outcome in result.outcomes)
        self.undo.layout.display = None if undoable else "none"
        self.retry.layout.display = None if retryable else "none"
        self.stop.layout.display = None if busy and self._stoppable else "none"
        self.stop.disabled = self._stopping.is_set()
        both = self._planned is not None and result is not None
        self._between.layout.display = None if both else "none"

    def _say(self, content: markup.Content) -> None:
        self._said.value = content if isinstance(content, markup.Markup) else markup.status(content)

    def _show_progress(self, done: int, total: int) -> None:
        self._say(markup.progress(self._doing, done, total))

    def _run(
        self,
        doing: str,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        failed: Callable[[], object] = lambda: None,
        *,
        stoppable: bool = False,
    ) -> None:
        """Run `work` in the background, and show progress and errors."""

        def on_result(result: _Result) -> None:
            self._say("")
            done(result)
            self._refresh()

        def on_failure(error: Exception | None) -> None:
            self._say("Stopped." if error is None else markup.error(words_of(error)))
            failed()
            self._refresh()

        if self.jobs.running:
            return
        earlier = self._said.value, self._doing, self._stoppable
        self._doing, self._stoppable = doing, stoppable
        self._say(markup.progress(doing))
        if not self.jobs.start(work, on_result, on_failure, clicked=doing):
            self._said.value, self._doing, self._stoppable = earlier

    # The plan

    def _on_show_plan(self) -> None:
        edit = self._edit()
        if not edit.complete:
            return
        edited = self._edited(edit)
        self._run(
            "Making the plan",
            lambda _: self._client.plan(edited),
            lambda plan: self._show(plan, edit, undoing=False),
        )

    def _edited(self, edit: _Edit) -> pd.DataFrame:
        """Return the selected rows with their id, owner and name, and the new value."""
        listing = self._listing()
        rows = listing.iloc[list(self._finder.selected)][["id", "owner", "name"]]
        dtype = self._control.field.type.dtype
        column = pd.Series([edit.value] * len(rows), index=rows.index, dtype=dtype)
        edited = rows.assign(**{edit.field: column})
        edited.attrs = dict(listing.attrs)
        return edited

    def _on_undo(self) -> None:
        result, edit = self.result, self._edit()
        if result is not None:
            self._run(
                "Making the plan to undo",
                lambda _: result.undo(),
                lambda plan: self._show(plan, edit, undoing=True),
            )

    def _show(self, plan: Plan, edit: _Edit, *, undoing: bool) -> None:
        if self._edit() != edit:
            self._say("The selection or the value changed meanwhile. Show the plan again.")
            return
        self.plan, self._planned, self._undoing = plan, edit, undoing
        self._plan.value = plan.to_html()
        if not plan.ok:
            self._say("The plan cannot be applied.")
        elif plan.steps:
            self._say("This is the plan. Nothing is written before it is applied.")
        elif undoing:
            self._say("No changes: nothing can be put back.")
        else:
            self._say("No changes: all selected sources already have this value.")

    # Writing

    def _on_apply(self) -> None:
        plan = self.plan
        if plan is None or not self._ready():
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.applied(
                plan, workers=_WORKERS, progress=job.progress, journal=None, stop=stop
            )
            return apply_result_of(result)

        doing = "Putting back" if self._undoing else "Applying"
        self._run(doing, work, self._show_result, self._written, stoppable=True)

    def _on_retry(self) -> None:
        journal = self.result.journal if self.result is not None else None
        if journal is None:
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.resumed(
                self._client, journal, workers=_WORKERS, progress=job.progress, stop=stop
            )
            return apply_result_of(result)

        self._run("Trying again", work, self._show_result, self._written, stoppable=True)

    def _on_stop(self) -> None:
        """Start no more sources; the job ends when those that were started are done."""
        if not (self.jobs.running and self._stoppable):
            return
        self._stopping.set()
        self._doing = "Stopping: waiting for requests that were sent"
        self._say(markup.progress(self._doing))
        self._refresh()

    def _show_result(self, result: ApplyResult) -> None:
        self.result = result
        self._hide_plan()
        self._result.value = result.to_html()
        counts = result.counts
        done, total = counts.get(DONE, 0) + counts.get(SKIPPED, 0), len(result.outcomes)
        message = f"{done:,} of {counted(total, 'source')} {'is' if done == 1 else 'are'} done."
        not_taken = counts.get(NOT_TAKEN, 0)
        if not_taken:
            message += f" The tenant did not take {self._control.field.name} of {not_taken:,}."
        self._say(markup.error(message) if not_taken else message)
        self._written()


def _empty_value(field: Field) -> Any:
    """Return the value that empties a field; `_UNSET` if it cannot be empty."""
    if field.about.nullable:
        return None
    # Only fields whose default is empty; a tenant takes no empty language, for example.
    return field.about.default if field.about.default in ("", ()) else _UNSET
