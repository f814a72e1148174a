"""What became of a plan: of each of its actions, in words."""

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
from reinfer_nb.frames.tables import table
from reinfer_nb.pickling import Portable
from reinfer_nb.plans.attempt import DONE, MOVED, NOT_TAKEN, STATUSES, Outcome
from reinfer_nb.plans.display import shown_cell
from reinfer_nb.plans.steps import Step
from reinfer_nb.schema import source_diff
from reinfer_nb.text import counted, listed, more, visible

if TYPE_CHECKING:
    from reinfer_nb.api.client import ApiClient
    from reinfer_nb.plans.plan_data import PlanData

# Why a result may be that of a part.
CTRL_C = "It was stopped by Ctrl-C."
_SHOWN = 50
_HEADS = ("Source", "Action", "Status", "What was said")
_SIDES = ("Source", "Field", "It was", "Mine", "Theirs")
_COLUMNS = dict.fromkeys(["action", "id", "owner", "name", "status", "said"], "str")


@unshared
@dataclass(frozen=True, eq=False, repr=False)
class ResultData(Portable):
    """What became of a plan; `ApplyResult` adds what can be done next.

    Attributes:
        plan: The plan.
        outcomes: What became of each of its steps, in their order.
        journal: The file that all of it is written in; None of a rehearsal.
        stopped: Why it ended before all was tried; empty when it did not.
        client: The tenant; None after pickling, and then found when it is needed.
    """

    plan: PlanData
    outcomes: tuple[Outcome, ...]
    journal: Path | None
    stopped: str
    client: ApiClient | None

    @property
    def ok(self) -> bool:
        """Whether every action was done, or was so already."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def frame(self) -> pd.DataFrame:
        """What became of each action, one row each.

        Columns (all `str`): `action`, `id` (as made, of a source that was created), `owner`,
        `name`, `status`, `said`. Statuses are "done"; "skipped": it was so already; "not taken":
        the tenant accepted it, and left some fields as they were, or did not delete the source;
        "moved": since the plan was made others have changed or deleted the source, or made one of
        its name, and it was left alone; "failed"; "left": it was not begun; "begun": it was not
        waited for, and may have been done.
        """
        rows = [
            (step.kind, _id(step, outcome), step.owner, step.name, outcome.status, outcome.said)
            for step, outcome in zip(self.plan.steps, self.outcomes, strict=True)
        ]
        return table(_COLUMNS, rows)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of `frame` that were not done: not taken, moved, failed, left or begun."""
        return self._rows([not outcome.ok for outcome in self.outcomes])

    @property
    def _remarkable(self) -> pd.DataFrame:
        """The rows of `frame` that were not done, or of which nobody knows by whom."""
        return self._rows([not outcome.ok or outcome.unsure for outcome in self.outcomes])

    def _rows(self, chosen: Sequence[bool]) -> pd.DataFrame:
        # pandas takes an empty list for one of columns.
        return self.frame.loc[np.array(chosen, dtype=np.bool_)]

    @property
    def counts(self) -> dict[str, int]:
        """How many actions have each status, those that none has left out."""
        found = Counter(outcome.status for outcome in self.outcomes)
        return {status: found[status] for status in STATUSES if found[status]}

    def to_text(self, limit: int | None = _SHOWN) -> str:
        """Return it as lines: what was not done, and why.

        Args:
            limit: How many actions are told; None for all.
        """
        limit = arguments.limit(limit)
        lines = [f"{self._where()}: {self._said()}"]
        lines += [visible(self.stopped, 2000)] * bool(self.stopped)
        rows = self._remarkable
        columns = (rows[name][:limit] for name in ("action", "owner", "name", "status", "said"))
        lines += [
            f"! {status}: {action} {visible(f'{owner}/{name}', 120)}: {visible(said, 1000)}"
            for action, owner, name, status, said in zip(*columns, strict=True)
        ]
        lines += more(len(rows), limit)
        return "\n".join(lines + self._go_on())

    def to_html(self, limit: int | None = _SHOWN) -> str:
        """Return it as a piece of HTML: what was not done, and both versions of what has moved.

        Args:
            limit: How many actions are told; None for all.
        """
        limit = arguments.limit(limit)
        parts = [
            markup.block([markup.tag("b", self._where()), f": {self._said()}"]),
            markup.error(self.stopped) if self.stopped else "",
        ]
        failed = self._remarkable
        rows = failed[:limit]
        if len(rows):
            names = rows["owner"] + "/" + rows["name"]
            cells = zip(names, rows["action"], rows["status"], rows["said"], strict=True)
            parts.append(markup.table(_HEADS, cells, "Not done, or in doubt"))
            parts += map(markup.muted, more(len(failed), limit))
        moved = self._moved_rows()
        if moved:
            parts.append(markup.table(_SIDES, moved[:limit], "What others have made of it"))
        return str(markup.join([*parts, *map(markup.muted, self._go_on())]))

    def _moved_rows(self) -> list[tuple[str, ...]]:
        """Return of each setting that differs what it was, what I and what others made of it."""
        rows = []
        for step, outcome in zip(self.plan.steps, self.outcomes, strict=True):
            if outcome.status == MOVED and step.base is not None and outcome.source is not None:
                for found in source_diff.differences(step.base, step.settings, outcome.source):
                    values = (found.was, found.mine, found.theirs)
                    rows.append((step.full_name, found.field.name, *map(shown_cell, values)))
        return rows

    def _where(self) -> str:
        endpoint = visible(self.plan.endpoint, 200)
        return f"Applied to {endpoint}" if self.journal else f"Rehearsed on a copy of {endpoint}"

    def _said(self) -> str:
        counts = [f"{number:,} {status}" for status, number in self.counts.items()]
        return f"{listed(counts) or 'nothing to do'}."

    def _go_on(self) -> list[str]:
        """Return what can be done next, and where it is written down."""
        if self.journal is None:
            return []
        retried = [outcome for outcome in self.outcomes if outcome.open]
        lines = []
        if retried:
            lines.append(f"retry() tries {counted(len(retried), 'action')} again.")
        if {DONE, NOT_TAKEN} & self.counts.keys():
            lines.append("undo() makes a plan that puts back what can be.")
        return [*lines, f"Journal: {visible(str(self.journal))}"]

    def __repr__(self) -> str:
        """Return `to_text`."""
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def _id(step: Step, outcome: Outcome) -> str | None:
    if step.id is None and outcome.source is not None and outcome.status != MOVED:
        return outcome.source.id
    return step.id
