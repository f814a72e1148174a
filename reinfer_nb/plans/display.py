"""A plan as text and as HTML, both like a diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.plans.steps import Kind, Step, by_kind
from reinfer_nb.schema.source_diff import parsing_again
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import counted, listed, more, visible
from reinfer_nb.wording import spelled

if TYPE_CHECKING:
    from reinfer_nb.plans.plan_data import PlanData

# The number of sources shown of each kind; the frame has all.
LIMIT = 50
_SIGNS: dict[Kind, str] = {"create": "+", "update": "~", "delete": "-"}
_TITLES: dict[Kind, str] = {"create": "To create", "update": "To update", "delete": "To delete"}
_HEADS = ("Source", "Field", "Before", "After")


def to_text(plan: PlanData, limit: int | None) -> str:
    """Return a plan as text."""
    limit = arguments.limit(limit)
    lines = [
        f"Plan for {visible(plan.endpoint, 200)}: {headline(plan)}",
        *_notes(plan),
        *_warnings(plan),
    ]
    if not plan.ok:
        lines += problems_text(plan.problems, limit).split("\n")
    for kind, steps in by_kind(plan.steps).items():
        for step in steps[:limit]:
            comments = f", with {_comments(step)}" if kind == "delete" else ""
            remark = f" ({visible(step.remark, 300)})" if step.remark else ""
            lines.append(f"{_SIGNS[kind]} {visible(step.full_name, 120)}{comments}{remark}")
            for name, value in step.settings.items():
                after = visible(shown_cell(value), 80)
                before = (
                    f"{visible(shown_cell(step.before(name)), 80)} -> " if kind == "update" else ""
                )
                lines.append(f"    {name}: {before}{after}")
        lines += more(len(steps), limit)
    return "\n".join(lines)


def to_html(
    plan: PlanData, limit: int | None, buckets: Mapping[str, str] | None = None
) -> markup.Markup:
    """Return a plan as HTML.

    Args:
        plan: The plan.
        limit: The number of sources to show of each kind; None for all.
        buckets: The names of buckets by id, to show beside the ids.
    """
    limit = arguments.limit(limit)
    parts = [
        markup.block([markup.tag("b", "Plan for "), plan.endpoint, f": {headline(plan)}"]),
        *map(markup.muted, plan.notes),
        *map(markup.error, _warnings(plan)),
    ]
    if not plan.ok:
        parts += problems_html(plan.problems, limit)
    for kind, steps in by_kind(plan.steps).items():
        if steps:
            title = f"{_TITLES[kind]} ({len(steps):,})"
            rows = (row for step in steps[:limit] for row in _rows(step, buckets or {}))
            heads = ("Source", "Comments") if kind == "delete" else _HEADS
            parts.append(markup.table(heads, rows, title))
            parts += map(markup.muted, more(len(steps), limit))
    return markup.join(parts)


def _notes(plan: PlanData) -> list[str]:
    return [visible(note, 1000) for note in plan.notes]


def headline(plan: PlanData) -> str:
    """Return the numbers of steps in a plan, and its age."""
    steps = by_kind(plan.steps)
    updates = sum(len(step.settings) for step in steps["update"])
    texts = {
        "create": f"{counted(len(steps['create']), 'source')} to create",
        "update": f"{counted(len(steps['update']), 'source')} to update "
        f"({counted(updates, 'field')})",
        "delete": f"{counted(len(steps['delete']), 'source')} to delete",
    }
    parts = [texts[kind] for kind in steps if steps[kind]]
    where = f" in {visible(plan.project, 120)}" if plan.project else ""
    return (
        f"{listed(parts) or 'nothing to do'}{where}; as of {plan.made_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{age(plan.made_at)}."
    )


def mass_deletes(plan: PlanData) -> str:
    """Return why a plan needs `allow_mass_delete`; empty if it does not."""
    projects = _mass_deletes(plan)
    return (
        f"The plan deletes {'; '.join(projects)}. That is more than 3 and more than a tenth of a "
        "project. Nothing was sent."
    ) * bool(projects)


def _mass_deletes(plan: PlanData) -> list[str]:
    """Return a text for each project with a mass delete."""
    deletes = by_kind(plan.steps)["delete"]
    return [
        f"{number:,} of the {counted(plan.sizes.get(owner, 0), 'source')} of {visible(owner, 120)} "
        f"with {all_comments([step for step in deletes if step.owner == owner])}"
        for owner, number in plan.mass_deletes().items()
    ]


def age(moment: datetime) -> str:
    """Return the age of a moment in its largest unit, such as "2 hours ago"."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{counted(seconds // size, noun)} ago"
    return "just now"


def problems_text(problems: pd.DataFrame, limit: int | None = LIMIT) -> str:
    """Return problems as text, one line each, with row, column and reason."""
    lines = [f"! {where}: {reason}" for where, reason in _problems(problems[:limit])]
    return "\n".join([_problem_count(problems), *lines, *more(len(problems), limit)])


def problems_html(problems: pd.DataFrame, limit: int | None) -> list[markup.Markup]:
    """Return problems as an HTML table."""
    table = markup.table(("Where", "Problem"), _problems(problems[:limit]))
    return [
        markup.error(_problem_count(problems)),
        table,
        *map(markup.muted, more(len(problems), limit)),
    ]


def _problem_count(problems: pd.DataFrame) -> str:
    return f"{counted(len(problems), 'problem')}. Fix the edited listing and plan again."


def _problems(problems: pd.DataFrame) -> Iterable[tuple[str, str]]:
    columns = (problems[name] for name in ("row", "owner", "name", "column", "reason"))
    for row, owner, name, column, reason in zip(*columns, strict=True):
        parts = [
            "" if pd.isna(row) else f"row {row:,}",
            "" if pd.isna(name) else f"{'' if pd.isna(owner) else owner}/{name}",
            "" if pd.isna(column) else f"column {column}",
        ]
        where = ", ".join(visible(part, 120) for part in parts if part) or "listing"
        yield where, f"{'it ' if not pd.isna(column) or not pd.isna(row) else ''}{reason}"


def _warnings(plan: PlanData) -> list[str]:
    """Return the warnings about what a plan does to comments."""
    return [*_parsing_again(plan), *_deletes(plan)]


def _parsing_again(plan: PlanData) -> list[str]:
    steps = [step for step in plan.steps if step.kind == "update" and step.touches_comments]
    if not steps:
        return []
    fields = sorted({name for step in steps for name in parsing_again(step.settings)})
    warning = (
        f"The tenant parses the emails of {counted(len(steps), 'source')} again, since "
        f"{' and '.join(fields)} {'changes' if len(fields) == 1 else 'change'}: "
        f"{all_comments(steps)}."
    )
    return [warning]


def _deletes(plan: PlanData) -> list[str]:
    deletes = by_kind(plan.steps)["delete"]
    if not deletes:
        return []
    known, unknown = comments_of(deletes)
    others = f", and those of {counted(unknown, 'source')} that could not be counted"
    comments = f"{counted(known, 'comment')}{others * bool(unknown)}"
    warnings = [f"The deletes remove {comments}. Without an archive, nothing brings comments back."]
    projects = _mass_deletes(plan)
    if projects:
        warnings.append(
            f"The plan deletes {'; '.join(projects)}: more than 3 and more than a tenth of a "
            "project. This needs "
            f"{spelled('allow_mass_delete=True', '--allow-mass-delete')}."
        )
    return warnings


def all_comments(deletes: Sequence[Step]) -> str:
    """Return the number of comments that steps remove, or touch, as text."""
    known, unknown = comments_of(deletes)
    others = f" and those of {counted(unknown, 'source')} that could not be counted"
    return counted(known, "comment") + others * bool(unknown)


def comments_of(deletes: Sequence[Step]) -> tuple[int, int]:
    """Return how many comments deletes remove, and for how many sources this is unknown."""
    known = [step.comments for step in deletes if step.comments is not None]
    return sum(known), len(deletes) - len(known)


def _comments(step: Step) -> str:
    if step.comments is None:
        return "comments that could not be counted"
    return counted(step.comments, "comment")


def change_of(step: Step, buckets: Mapping[str, str]) -> str:
    """Return what a step does in a line of text, such as "title: Demo → (empty)"."""
    if step.kind == "delete":
        return step.remark or f"delete, with {_comments(step)}"
    changes = [
        f"{name}: {_cell(name, step.before(name), buckets)} → {_cell(name, value, buckets)}"
        if step.kind == "update"
        else f"{name}: {_cell(name, value, buckets)}"
        for name, value in step.settings.items()
    ]
    return "; ".join([*([step.remark] if step.remark else []), *changes]) or "(default settings)"


def _cell(name: str, value: object, buckets: Mapping[str, str]) -> str:
    """Return the text of a value, with the name of a bucket."""
    text = shown_cell(value)
    bucket = buckets.get(value) if name == "bucket_id" and isinstance(value, str) else None
    return f"{bucket} ({text})" if bucket else text


def _rows(step: Step, buckets: Mapping[str, str]) -> list[tuple[markup.Content, ...]]:
    name = step.full_name
    if step.kind == "delete":
        remark = markup.muted(step.remark) if step.remark else ""
        return [(markup.join([name, remark]), markup.removed(_comments(step)))]
    rows: list[tuple[markup.Content, ...]] = []
    if step.remark:
        rows.append((name, "", "", step.remark))
    for field, after in step.settings.items():
        was = _cell(field, step.before(field), buckets)
        before = markup.removed(was) if step.kind == "update" else ""
        rows.append((name, field, before, markup.added(_cell(field, after, buckets))))
    return rows or [(name, "", "", markup.added("(default settings)"))]
