"""The tab that sets one field of all selected sources, by a plan that is shown first.

Nothing is written but what the plan on the screen says, and that only while it is the plan of what
is selected and filled in.
"""

from __future__ import annotations

import contextlib
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
from reinfer_nb.plans.plan import ApplyResult, Plan
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
    "A click in the table selects a source; with Ctrl or Cmd it adds one, with Shift all up to it. "
    "Ctrl+A selects all that are shown."
)


class _Nothing:
    """Stands for no value; None is one."""


_NOTHING = _Nothing()


@dataclass(frozen=True)
class _Wish:
    """What is selected and filled in.

    Attributes:
        ids: The selected sources.
        field: The name of the field to set.
        value: What it is to be; `_NOTHING` as long as that cannot be sent.
    """

    ids: tuple[str, ...]
    field: str
    value: Any

    @property
    def whole(self) -> bool:
        """Whether a plan can be made of it."""
        return bool(self.ids) and self.value is not _NOTHING


class BulkPane(ui.VBox):
    """One field, set for all the sources that are selected in the table.

    Args:
        client: The tenant.
        finder: The table.
        listing: Gives the listing that the table is of.
        written: Called after something may have been changed.

    Attributes:
        field: The choice of the field, by its name.
        controls: By field name what is filled in.
        emptied: Whether the field is to be emptied, whatever is filled in.
        plan: The last plan that was made; None before the first.
        result: What became of the last one that was applied; None before that.
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
        # What the plan on the screen is of; None while there is none on it.
        self._planned: _Wish | None = None
        self._back = False
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
            description="Empty it",
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
        # Between a plan and a result, which are not of one another.
        self._between = ui.HTML(
            markup.muted("What became of the last plan that was applied:"),
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
        # Another listing may have another source in the same place.
        finder.observe(lambda _: self._follow(), "shown")
        self._on_field()

    def __repr__(self) -> str:
        return "Bulk edit of the sources"

    # What is selected and filled in

    @property
    def _control(self) -> Control:
        return self.controls[self.field.value]

    def _wish(self) -> _Wish:
        ids = self._listing()["id"].iloc[list(self._finder.selected)]
        return _Wish(tuple(ids), self.field.value, self._value())

    def _value(self) -> Any:
        if self.emptied.value:
            return _empty(self._control.field)
        if self._control.changed:
            with contextlib.suppress(ValueError):
                return self._control.value()
        return _NOTHING

    def _on_field(self) -> None:
        # What was to be emptied is one field, not the next one.
        self.emptied.value = False
        can_be_empty = _empty(self._control.field) is not _NOTHING
        self._filled.children = [self._control.box, *([self.emptied] if can_be_empty else [])]
        self._follow()

    def _follow(self) -> None:
        """Bring everything in line with what is selected and filled in."""
        wish = self._wish()
        control = self._control
        control.input.disabled = self.emptied.value
        if self.emptied.value or control.flaw() is None:
            # A control tells what was there before, which is not one thing for many sources.
            control.note.value = self._helps[wish.field]
        self._chosen.value = self._told(len(wish.ids))
        if self._planned is not None and wish != self._planned:
            self._take_away()
            self._say("The plan was for something else; show it anew.")
        self._refresh()

    def _told(self, number: int) -> markup.Markup:
        """Return how many are selected, and how to select several where they are not yet."""
        hidden = number - int(np.isin(self._finder.selected, self._finder.positions).sum())
        many = f"{counted(number, 'source')} {'is' if number == 1 else 'are'}" if number else ""
        more = f", {hidden:,} of them not shown in the table" if hidden else ""
        said = markup.block(f"{many or 'No source is'} selected{more}.")
        return markup.join([said, markup.muted(_HINT) if number < 2 else ""])

    def _take_away(self) -> None:
        self._planned = None
        self._plan.value = ""

    # What is shown

    def _ready(self) -> bool:
        """Whether there is a plan on the screen that can be applied."""
        shown = self.plan if self._planned is not None else None
        return shown is not None and shown.ok and bool(shown.steps)

    def _refresh(self) -> None:
        busy, ready, result = self.jobs.running, self._ready(), self.result
        what = "Put back" if self._back else "Apply to"
        steps = len(self.plan.steps) if self.plan is not None else 0
        self.apply.description = f"{what} {counted(steps, 'source')}" if ready else "Apply"
        self.apply.disabled = busy or not ready
        self.show_plan.disabled = busy or not self._wish().whole
        self.undo.disabled = self.retry.disabled = busy
        undoable = result is not None and {DONE, NOT_TAKEN} & result.counts.keys()
        again = result is not None and any(outcome.open for outcome in result.outcomes)
        self.undo.layout.display = None if undoable else "none"
        self.retry.layout.display = None if again else "none"
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
        """Do something beside the notebook, and show that it is being done."""

        def finished(result: _Result) -> None:
            self._say("")
            done(result)
            self._refresh()

        def ended(error: Exception | None) -> None:
            self._say("Stopped." if error is None else markup.error(words_of(error)))
            failed()
            self._refresh()

        if self.jobs.running:
            return
        before = self._said.value, self._doing, self._stoppable
        self._doing, self._stoppable = doing, stoppable
        self._say(markup.progress(doing))
        if not self.jobs.start(work, finished, ended, clicked=doing):
            self._said.value, self._doing, self._stoppable = before

    # The plan

    def _on_show_plan(self) -> None:
        wish = self._wish()
        if not wish.whole:
            return
        edited = self._edited(wish)
        self._run(
            "Making the plan",
            lambda _: self._client.plan(edited),
            lambda plan: self._show(plan, wish, back=False),
        )

    def _edited(self, wish: _Wish) -> pd.DataFrame:
        """Return of the selected rows what says which they are, and the one field."""
        listing = self._listing()
        rows = listing.iloc[list(self._finder.selected)][["id", "owner", "name"]]
        dtype = self._control.field.type.dtype
        column = pd.Series([wish.value] * len(rows), index=rows.index, dtype=dtype)
        edited = rows.assign(**{wish.field: column})
        edited.attrs = dict(listing.attrs)
        return edited

    def _on_undo(self) -> None:
        result, wish = self.result, self._wish()
        if result is not None:
            self._run(
                "Making the plan to undo it",
                lambda _: result.undo(),
                lambda plan: self._show(plan, wish, back=True),
            )

    def _show(self, plan: Plan, wish: _Wish, *, back: bool) -> None:
        if self._wish() != wish:
            self._say("Something else was selected or filled in meanwhile; show the plan anew.")
            return
        self.plan, self._planned, self._back = plan, wish, back
        self._plan.value = plan.to_html()
        if not plan.ok:
            self._say("The plan cannot be applied.")
        elif plan.steps:
            self._say("This is the plan. Nothing is written before it is applied.")
        elif back:
            self._say("Nothing can be put back.")
        else:
            self._say("Nothing would change: it is so already.")

    # What is written

    def _on_apply(self) -> None:
        plan = self.plan
        if plan is None or not self._ready():
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.applied(
                plan, workers=_WORKERS, progress=job.progress, journal=None, stop=stop
            )
            return ApplyResult.of(result)

        doing = "Putting back" if self._back else "Applying"
        self._run(doing, work, self._take, self._written, stoppable=True)

    def _on_retry(self) -> None:
        journal = self.result.journal if self.result is not None else None
        if journal is None:
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.resumed(
                self._client, journal, workers=_WORKERS, progress=job.progress, stop=stop
            )
            return ApplyResult.of(result)

        self._run("Trying again", work, self._take, self._written, stoppable=True)

    def _on_stop(self) -> None:
        """Begin no other source; the job goes on until those that were begun are done."""
        if not (self.jobs.running and self._stoppable):
            return
        self._stopping.set()
        self._doing = "Stopping; what was begun is waited for"
        self._say(markup.progress(self._doing))
        self._refresh()

    def _take(self, result: ApplyResult) -> None:
        self.result = result
        self._take_away()
        self._result.value = result.to_html()
        counts = result.counts
        done, total = counts.get(DONE, 0) + counts.get(SKIPPED, 0), len(result.outcomes)
        said = f"{done:,} of {counted(total, 'source')} {'is' if done == 1 else 'are'} done."
        left = counts.get(NOT_TAKEN, 0)
        if left:
            said += f" The tenant did not take {self._control.field.name} of {left:,}."
        self._say(markup.error(said) if left else said)
        self._written()


def _empty(field: Field) -> Any:
    """Return the value that empties a field; `_NOTHING` where none does."""
    if field.about.nullable:
        return None
    # What a tenant itself may have empty; it takes no empty language, for example.
    return field.about.default if field.about.default in ("", ()) else _NOTHING
