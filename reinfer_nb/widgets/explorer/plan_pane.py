"""Base class of the tabs that change many sources: a plan that is shown first, applied and undone.

Only the plan on the screen can be applied, and only while what it was made for is unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.client import Client
from reinfer_nb.plans import executor
from reinfer_nb.plans.attempt import DONE, NOT_TAKEN, SKIPPED
from reinfer_nb.plans.plan import ApplyResult, Plan, apply_result_of
from reinfer_nb.text import counted, listed
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job

_WORKERS = 8
_Result = TypeVar("_Result")


class PlanPane(ui.VBox):
    """A pane with a plan, and the buttons to show, apply and undo it.

    Args:
        client: The tenant; None if nothing can be planned.
        written: Called after sources may have changed.
        heads: The widgets above the buttons.

    Attributes:
        plan: The last plan that was made; None before the first.
        result: The result of the last plan that was applied; None before the first.
    """

    def __init__(
        self, client: Client | None, written: Callable[[], object], heads: list[Any]
    ) -> None:
        self._client, self._written = client, written
        self.plan: Plan | None = None
        self.result: ApplyResult | None = None
        # The edit that the plan on the screen was made for; None if no plan is shown.
        self._planned: object = None
        self._undoing = False
        self._stopping = threading.Event()
        self._stoppable = False
        self._said = JobLine(lambda: self._refresh(), lambda: self._refresh())  # noqa: PLW0108 - of a subclass
        self.jobs = self._said.jobs
        self.show_plan = button_for("Show the plan", self._on_show_plan)
        self.apply = button_for("Apply", self._on_apply, "primary")
        self.undo = button_for("Undo…", self._on_undo)
        self.retry = button_for("Try again", self._on_retry)
        self.stop = button_for("Stop", self._on_stop)
        self._plan, self._result = ui.HTML(), ui.HTML()
        # Shown between a plan and the result of an earlier plan.
        self._between = ui.HTML(
            markup.muted("Result of the last plan that was applied:"),
            layout=ui.Layout(margin="12px 0 0 0"),
        )
        buttons = [self.show_plan, self.apply, self.undo, self.retry, self.stop]
        super().__init__(
            [
                *heads,
                ui.HBox(buttons, layout=WRAP),
                self._said,
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

    _no_changes = "No changes: all selected sources already have this value."
    _outdated = "The selection or the value has changed. Show the plan again."

    # Buttons and messages

    def _follow_edit(self) -> None:
        """Take the plan away if it is for something else by now, and refresh the buttons."""
        if self._planned is not None and self._edit() != self._planned:
            self._hide_plan()
            self._said.say(self._outdated)
        self._refresh()

    def _hide_plan(self) -> None:
        self._planned = None
        self._plan.value = ""

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
        self.show_plan.disabled = busy or not self._is_complete(self._edit())
        self.undo.disabled = self.retry.disabled = busy
        undoable = result is not None and {DONE, NOT_TAKEN} & result.counts.keys()
        retryable = result is not None and any(outcome.open for outcome in result.outcomes)
        self.undo.layout.display = None if undoable else "none"
        self.retry.layout.display = None if retryable else "none"
        self.stop.layout.display = None if busy and self._stoppable else "none"
        self.stop.disabled = self._stopping.is_set()
        both = self._planned is not None and result is not None
        self._between.layout.display = None if both else "none"

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
        if self.jobs.running:
            return
        earlier, self._stoppable = self._stoppable, stoppable
        if not self._said.run(doing, work, done, lambda _: failed()):
            self._stoppable = earlier

    # The plan

    def _on_show_plan(self) -> None:
        edit = self._edit()
        if not self._is_complete(edit):
            return
        make = self._planner(edit)
        self._run(
            "Making the plan", lambda _: make(), lambda plan: self._show(plan, edit, undoing=False)
        )

    def _on_undo(self) -> None:
        result, edit = self.result, self._edit()
        if result is not None:
            self._run(
                "Making the plan to undo",
                lambda _: result.undo(),
                lambda plan: self._show(plan, edit, undoing=True),
            )

    def _show(self, plan: Plan, edit: object, *, undoing: bool) -> None:
        if self._edit() != edit:
            self._said.say(self._outdated)
            return
        self.plan, self._planned, self._undoing = plan, edit, undoing
        self._plan.value = plan.to_html()
        if not plan.ok:
            self._said.say("The plan cannot be applied.")
        elif plan.steps:
            self._said.say("This is the plan. Nothing is written before it is applied.")
        else:
            self._said.say("No changes: nothing can be put back." if undoing else self._no_changes)

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
        client, journal = self._client, self.result.journal if self.result is not None else None
        if client is None or journal is None:
            return
        stop = self._stopping = threading.Event()

        def work(job: Job) -> ApplyResult:
            result = executor.resumed(
                client, journal, workers=_WORKERS, progress=job.progress, stop=stop
            )
            return apply_result_of(result)

        self._run("Trying again", work, self._show_result, self._written, stoppable=True)

    def _on_stop(self) -> None:
        """Start no more sources; the job ends when those that were started are done."""
        if not (self.jobs.running and self._stoppable):
            return
        self._stopping.set()
        self._said.doing("Stopping: waiting for requests that were sent")
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
            names = {name for outcome in result.outcomes for name in outcome.not_taken}
            message += f" The tenant did not take {listed(sorted(names))} of {not_taken:,}."
        self._said.say(markup.error(message) if not_taken else message)
        self._written()
