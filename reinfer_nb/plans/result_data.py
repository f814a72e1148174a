"""The result of a plan: the outcome of each step, as text, HTML and a frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.copies import unshared
from reinfer_nb.frames.cells import full_names
from reinfer_nb.frames.tables import table
from reinfer_nb.pickling import Portable
from reinfer_nb.plans.attempt import DONE, MOVED, NOT_TAKEN, STATUSES, Outcome
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import counted, listed, more, visible
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.api.client import ApiClient
    from reinfer_nb.plans.plan_data import PlanData

# The value of `stopped` after Ctrl-C.
CTRL_C = "It was stopped by Ctrl-C."
_SHOWN = 50
_HEADS = ("Source", "Action", "Status", "Details")
_CHANGE_HEADS = ("Source", "Field", "Before", "Plan", "Now")
_COLUMNS = dict.fromkeys(["action", "id", "owner", "name", "status", "said"], "str")


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class ResultData(Portable):
    """The result of a plan, as `ApplyResult` documents it, which adds `retry` and `undo`."""

    plan: PlanData
    outcomes: tuple[Outcome, ...]
    journal: Path | None
    stopped: str
    client: ApiClient | None

    @property
    def ok(self) -> bool:
        """True if every step is done, or needed no change."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def frame(self) -> pd.DataFrame:
        """The outcomes, one row per step.

        Columns (all `str`): `action`, `id` (the new id for a created source), `owner`, `name`,
        `status`, `said`. Statuses are "done"; "skipped": no change was needed; "not taken": the
        tenant accepted the request but did not change some fields or did not delete the source;
        "moved": after the plan was made others changed or deleted the source, or created one with
        its name, and it was left alone; "failed"; "left": not begun; "begun": begun, outcome
        unknown.
        """
        rows = [
            (step.kind, _id(step, outcome), step.owner, step.name, outcome.status, outcome.said)
            for step, outcome in zip(self.plan.steps, self.outcomes, strict=True)
        ]
        return table(_COLUMNS, rows)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of `frame` that are not taken, moved, failed, left or begun."""
        return self._rows([not outcome.ok for outcome in self.outcomes])

    @property
    def _reported(self) -> pd.DataFrame:
        """The rows of `frame` that were not done, or that somebody else may have done."""
        return self._rows([not outcome.ok or outcome.unsure for outcome in self.outcomes])

    def _rows(self, mask: Sequence[bool]) -> pd.DataFrame:
        # pandas would take an empty list for a list of columns.
        return self.frame.loc[np.array(mask, dtype=np.bool_)]

    @property
    def counts(self) -> dict[str, int]:
        """The number of steps by status, without the statuses that no step has."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        return {status: counts[status] for status in STATUSES if counts[status]}

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return the result as text: the steps that were not done, and why.

        Args:
            limit: The number of steps to show; None for all.
        """
        limit = arguments.limit(limit)
        lines = [f"{self._title()}: {self._counts_text()}"]
        lines += [visible(self.stopped, 2000)] * bool(self.stopped)
        rows = self._reported
        columns = (rows[name][:limit] for name in ("action", "owner", "name", "status", "said"))
        lines += [
            f"! {status}: {action} {visible(f'{owner}/{name}', 120)}: {visible(said, 1000)}"
            for action, owner, name, status, said in zip(*columns, strict=True)
        ]
        lines += more(len(rows), limit)
        return "\n".join(lines + self._next_steps())

    def to_html(self, limit: int | None = _SHOWN) -> str:
        """Return the result as HTML: the steps that were not done, and the remote changes.

        Args:
            limit: The number of steps to show; None for all.
        """
        limit = arguments.limit(limit)
        parts = [
            markup.block([markup.tag("b", self._title()), f": {self._counts_text()}"]),
            markup.error(self.stopped) if self.stopped else "",
        ]
        reported = self._reported
        rows = reported[:limit]
        if len(rows):
            names = full_names(rows)
            cells = zip(names, rows["action"], rows["status"], rows["said"], strict=True)
            parts.append(markup.table(_HEADS, cells, "Not done, or in doubt"))
            parts += map(markup.muted, more(len(reported), limit))
        moved = self._moved_rows()
        if moved:
            parts.append(markup.table(_CHANGE_HEADS, moved[:limit], "Changed remotely"))
        return str(markup.join([*parts, *map(markup.muted, self._next_steps())]))

    def _moved_rows(self) -> list[tuple[str, ...]]:
        """Return the changed settings of "moved" sources: before, in the plan, and now."""
        rows = []
        for step, outcome in zip(self.plan.steps, self.outcomes, strict=True):
            if outcome.status == MOVED and step.base is not None and outcome.source is not None:
                for change in source_diff.differences(step.base, step.settings, outcome.source):
                    values = (change.was, change.mine, change.theirs)
                    rows.append((step.full_name, change.field.name, *map(shown_cell, values)))
        return rows

    def _title(self) -> str:
        endpoint = visible(self.plan.endpoint, 200)
        return f"Applied to {endpoint}" if self.journal else f"Rehearsed on a copy of {endpoint}"

    def _counts_text(self) -> str:
        counts = [f"{number:,} {status}" for status, number in self.counts.items()]
        return f"{listed(counts) or 'nothing to do'}."

    def _next_steps(self) -> list[str]:
        """Return the lines that name `retry`, `undo` and the journal."""
        if self.journal is None:
            return []
        number = sum(outcome.open for outcome in self.outcomes)
        lines = []
        if number:
            lines.append(spelled(f"retry() tries {counted(number, 'step')} again.", ""))
        if {DONE, NOT_TAKEN} & self.counts.keys():
            text = "undo() returns a plan that reverses the changes, as far as possible."
            lines.append(spelled(text, ""))
        folders = sorted({str(Path(o.archive).parent) for o in self.outcomes if o.archive})
        lines += [f"Archived comments: {visible(folder)}" for folder in folders]
        return [*filter(None, lines), f"Journal: {visible(str(self.journal))}"]

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def _id(step: Step, outcome: Outcome) -> str | None:
    if step.id is None and outcome.source is not None and outcome.status != MOVED:
        return outcome.source.id
    return step.id
