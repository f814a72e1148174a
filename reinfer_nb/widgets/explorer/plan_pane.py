"""Base class of the tabs that change many sources: a plan that is shown first, applied and undone.

Only the plan on the screen can be applied, and only while what it was made for is unchanged. A plan
to undo or redo is made for a result, so it stays whatever is selected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.plans import display, executor
from reinfer_nb.plans.attempt import DONE, NOT_TAKEN, SKIPPED
from reinfer_nb.plans.plan import ApplyResult, Plan, apply_result_of
from reinfer_nb.text import counted, listed
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.surroundings import Surroundings, place_of
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job
from reinfer_nb.widgets.table.row_list import RowList

_WORKERS = 8
_MOST_STEPS = 200  # that are listed; the others are applied as well, unless some are ticked
# What the button does with the plan that is shown.
_APPLY, _PUT_BACK, _AGAIN = "Apply to", "Put back", "Apply again to"
_DOING = {_APPLY: "Applying", _PUT_BACK: "Putting back", _AGAIN: "Applying again"}
_Result = TypeVar("_Result")


class PlanPane(ui.VBox):
    """A pane with a plan, and the buttons to show, apply and undo it.

    Args:
        around: What the explorer gives its tabs.
        heads: The widgets above the buttons.

    Attributes:
        plan: The last plan that was made; None before the first.
        result: The result of the last plan that was applied; None before the first.
        steps: The list of the plan's sources; if some are ticked, only these are applied.
    """

    def __init__(self, around: Surroundings, heads: list[Any]) -> None:
        self._client, self._around = around.client, around
        self.plan: Plan | None = None
        self.result: ApplyResult | None = None
        # What can be undone, and what of it was put back.
        self._applied: ApplyResult | None = None
        self._put_back: ApplyResult | None = None
        # The edit or the result that the plan on the screen was made for; None if none is shown.
        self._planned: object = None
        # What the plan on the screen does, and what the last result did.
        self._verb = self._written_by = _APPLY
        self._stopping = threading.Event()
        self._stoppable = False
        self._said = JobLine(self._refresh)
        self.jobs = self._said.jobs
        self.show_plan = button_for("Show the plan", self._on_show_plan)
        self.apply = button_for("Apply", self._on_apply, "primary")
        self.discard = button_for("Discard the plan", self._on_discard)
        self.undo = button_for("Undo…", self._on_undo)
        self.redo = button_for("Redo…", self._on_redo)
        self.retry = button_for("Try again", self._on_retry)
        self.stop = button_for("Stop", self._on_stop)
        self._plan, self._result = ui.HTML(), ui.HTML()
        # Shown between a plan and the result of an earlier plan.
        self._between = ui.HTML(
            markup.muted("Result of the last plan that was applied:"),
            layout=ui.Layout(margin="12px 0 0 0"),
        )
        self.steps = RowList(
            "Sources of the plan", ("Source", "Change"), self._on_step, self._refresh
        )
        buttons = [
            *(self.show_plan, self.apply, self.discard),
            *(self.undo, self.redo, self.retry, self.stop),
        ]
        super().__init__(
            [
                *heads,
                ui.HBox(buttons, layout=WRAP),
                self._said,
                self.steps,
                self._plan,
                self._between,
                self._result,
            ],
            layout=ui.Layout(min_width="0", overflow="hidden"),
        )

    # Implemented by each pane

    def _edit(self) -> object:
        """Return what a plan would be made for, comparable with ==."""
        raise NotImplementedError

    def _is_complete(self, edit: Any) -> bool:
        """True if a plan can be made for an edit."""
        raise NotImplementedError

    def _planner(self, edit: Any) -> Callable[[], Plan]:
        """Return the function that makes the plan for an edit; it runs in another thread."""
        raise NotImplementedError

    def _refresh_for(self, edit: Any) -> None:
        """Refresh what only this pane has, for what a plan would be made for."""

    _no_changes = "No changes: all selected sources already have this value."
    _outdated = "The selection or the value has changed. Show the plan again."

    # Buttons and messages

    def _follow_edit(self) -> None:
        """Take the plan away if it is for something else by now, and refresh the buttons."""
        if self._planned is not None and self._is_outdated(self._planned):
            self._hide_plan()
            self._said.say(self._outdated)
        self._refresh()

    def _is_outdated(self, planned: object) -> bool:
        """True if a plan was made for another edit; one made for a result is never outdated."""
        return not isinstance(planned, ApplyResult) and planned != self._edit()

    def _hide_plan(self) -> None:
        self._planned = None
        self._plan.value = ""
        self.steps.show([])

    def _ready(self) -> bool:
        """True if the plan on the screen can be applied."""
        plan = self.plan if self._planned is not None else None
        return plan is not None and plan.ok and bool(plan.steps)

    def _refresh(self) -> None:
        busy, ready, result = self.jobs.running, self._ready(), self.result
        number = len(self.steps.ticked) or len(self.plan.steps if self.plan is not None else ())
        self.apply.description = f"{self._verb} {counted(number, 'source')}" if ready else "Apply"
        self.apply.disabled = busy or not ready
        self.discard.disabled = busy
        self.discard.layout.display = None if self._planned is not None else "none"
        edit = self._edit()
        self.show_plan.disabled = busy or not self._is_complete(edit)
        self.undo.disabled = self.redo.disabled = self.retry.disabled = busy
        retryable = result is not None and any(outcome.open for outcome in result.outcomes)
        self.undo.layout.display = None if self._applied is not None else "none"
        self.redo.layout.display = None if self._put_back is not None else "none"
        self.retry.layout.display = None if retryable else "none"
        self.stop.layout.display = None if busy and self._stoppable else "none"
        self.stop.disabled = self._stopping.is_set()
        both = self._planned is not None and result is not None
        self._between.layout.display = None if both else "none"
        self._refresh_for(edit)

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
        earlier, self._stoppable = self._stoppable, stoppable
        if not self._said.run(doing, work, done, lambda _: failed()):
            self._stoppable = earlier

    # The plan

    def _on_show_plan(self) -> None:
        edit = self._edit()
        if not self._is_complete(edit):
            return
        make = self._planner(edit)
        self._run("Making the plan", lambda _: make(), lambda plan: self._show(plan, edit, _APPLY))

    def _on_discard(self) -> None:
        self._hide_plan()
        self._said.say("The plan is discarded. Nothing was written.")
        self._refresh()

    def _on_undo(self) -> None:
        self._plan_reverse(self._applied, "Making the plan to undo", _PUT_BACK)

    def _on_redo(self) -> None:
        self._plan_reverse(self._put_back, "Making the plan to redo", _AGAIN)

    def _plan_reverse(self, result: ApplyResult | None, doing: str, verb: str) -> None:
        if result is not None:
            self._run(doing, lambda _: result.undo(), lambda plan: self._show(plan, result, verb))

    def _show(self, plan: Plan, planned: object, verb: str) -> None:
        if self._is_outdated(planned):
            self._said.say(self._outdated)
            return
        self.plan, self._planned, self._verb = plan, planned, verb
        buckets = self._around.buckets
        self._plan.value = display.to_html(plan, display.LIMIT, buckets)
        shown = plan.steps[:_MOST_STEPS] if len(plan.steps) > 1 and plan.ok else ()
        more = len(plan.steps) - len(shown)
        self.steps.show(
            [(step.full_name, display.change_of(step, buckets)) for step in shown],
            [True] * len(shown),
            f"{counted(more, 'source')} more." if shown and more else "",
        )
        if not plan.ok:
            self._said.say("The plan cannot be applied.")
        elif plan.steps:
            some = " Tick sources to take only these." if shown else ""
            self._said.say(f"This is the plan. Nothing is written before it is applied.{some}")
        else:
            nothing = "No changes: nothing can be put back."
            self._said.say(self._no_changes if verb == _APPLY else nothing)

    def _on_step(self, row: int) -> None:
        """Look at the source of a step."""
        plan = self.plan
        if plan is not None and self._planned is not None and row < len(plan.steps):
            place = place_of(self._around.listing(), plan.steps[row].id)
            if place is not None:
                self._around.look(place)

    # Writing

    def _on_apply(self) -> None:
        plan = self.plan
        if plan is None or not self._ready():
            return
        if self.steps.ticked:
            plan = plan.some(self.steps.ticked)
        verb = self._verb
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.applied(
                plan, workers=_WORKERS, progress=job.progress, journal=None, stop=stop
            )
            return apply_result_of(result)

        self._start_writing(_DOING[verb], work, verb)

    def _on_retry(self) -> None:
        client, journal = self._client, self.result.journal if self.result is not None else None
        if client is None or journal is None:
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.resumed(
                client, journal, workers=_WORKERS, progress=job.progress, stop=stop
            )
            return apply_result_of(result)

        self._start_writing("Trying again", work, self._written_by)

    def _on_stop(self) -> None:
        """Start no more sources; the job ends when those that were started are done."""
        if not (self.jobs.running and self._stoppable):
            return
        self._stopping.set()
        self._said.doing("Stopping: waiting for requests that were sent")
        self._refresh()

    def _start_writing(self, doing: str, work: Callable[[Job], ApplyResult], verb: str) -> None:
        written = self._around.written
        self._run(
            doing, work, lambda result: self._show_result(result, verb), written, stoppable=True
        )

    def _show_result(self, result: ApplyResult, written_by: str) -> None:
        self.result, self._written_by = result, written_by
        self._hide_plan()
        self._result.value = result.to_html()
        counts = result.counts
        # A result without any change leaves what can be undone.
        if {DONE, NOT_TAKEN} & counts.keys():
            if written_by == _APPLY:
                self._applied, self._put_back = result, None
            else:
                self._put_back = result if written_by == _PUT_BACK else None
        total, not_taken = len(result.outcomes), counts.get(NOT_TAKEN, 0)
        verb = "is" if total == 1 else "are"
        message = f"{counts.get(DONE, 0):,} of {counted(total, 'source')} {verb} done."
        if SKIPPED in counts:
            message += f" {counts[SKIPPED]:,} had these values already."
        if not_taken:
            names = {name for outcome in result.outcomes for name in outcome.not_taken}
            message += f" The tenant did not take {listed(sorted(names))} of {not_taken:,}."
        self._said.say(markup.error(message) if not_taken else message)
        self._around.written()
