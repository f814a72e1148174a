"""The commands that change a tenant: `plan`, `apply`, `resume` and `undo`.

Nothing is sent before the plan was shown, and confirmed at the terminal or with `--yes`.
"""

from __future__ import annotations

import argparse
import sys
import warnings

from reinfer_nb.cli import colour
from reinfer_nb.cli.output import discard_the_rest, note, say
from reinfer_nb.cli.shared import answer_to, command_line, has_bar, listing_of, suggesting
from reinfer_nb.client import connect
from reinfer_nb.concurrency import checked_workers
from reinfer_nb.errors import FileProblem, InvalidInput, MovedWarning
from reinfer_nb.plans import attempt, display
from reinfer_nb.plans.plan import ApplyResult, Plan
from reinfer_nb.plans.result_data import CTRL_C
from reinfer_nb.plans.saved import load_plan, result_of, resume
from reinfer_nb.snapshots import listing_source
from reinfer_nb.text import counted, visible, visible_lines


def run_plan(options: argparse.Namespace) -> int:
    """Run the command `plan`, and return its exit code."""
    _check_overwrite(options)
    if options.whole_tenant and not options.delete_missing:
        raise InvalidInput("--whole-tenant needs --delete-missing.")
    projects = options.project or [None]
    if len(projects) > 1:
        raise InvalidInput(
            "A plan is for one project or for all projects of its rows. Give --project once."
        )
    # Do not filter a file by project: the plan reports a row with a mistyped owner as a problem.
    # If the row were left out, --delete-missing would delete its source.
    is_file = listing_source.is_file(options.edited)
    edited = listing_of(options.edited, None if is_file else options.project)
    base = None if options.base is None else listing_of(options.base)
    with connect(context=options.context) as client, suggesting(client, options.project):
        plan = client.plan(
            edited,
            base,
            delete_missing="tenant" if options.whole_tenant else options.delete_missing,
            project=projects[0],
        )
    if not plan.ok:
        say(colour.report(visible_lines(plan.to_text(None))))
        if options.out:
            note("No file was written.")
        return 1
    if options.out:
        _save(plan, options)
    else:
        say(colour.report(visible_lines(plan.to_text(None))))
        if plan.steps:
            note("Save the plan with --out FILE, and apply it with: reinfer-nb apply FILE")
    return 0


def _save(plan: Plan, options: argparse.Namespace) -> None:
    # Save first: a reader who stops early (`| head`) has the file too.
    path = plan.save(options.out, overwrite=options.overwrite)
    say(colour.report(visible_lines(plan.to_text(None))))
    command = command_line(options, "apply", path)
    note(f"Saved to {visible(str(path))}. Apply it with: {command}")


def run_apply(options: argparse.Namespace) -> int:
    """Run the command `apply`, and return its exit code."""
    checked_workers(options.workers)
    if options.rehearse and (options.journal or options.archive):
        raise InvalidInput(
            "A rehearsal has no journal and archives nothing. Leave out --journal and --archive, "
            "or --rehearse."
        )
    with connect(context=options.context) as client:
        plan = load_plan(options.file, client)
        return _rehearse_plan(plan, options) if options.rehearse else _apply_plan(plan, options)


def run_resume(options: argparse.Namespace) -> int:
    """Run the command `resume`, and return its exit code."""
    with connect(context=options.context) as client:
        result = resume(client, options.done, workers=options.workers, progress=has_bar())
    return _report(result, options)


def run_undo(options: argparse.Namespace) -> int:
    """Run the command `undo`, and return its exit code."""
    checked_workers(options.workers)
    _check_overwrite(options)
    if options.out and (options.journal or options.yes or options.archive):
        raise InvalidInput(
            "--out changes nothing. Leave out --yes, --journal and --archive, or --out."
        )
    with connect(context=options.context) as client:
        result = result_of(client, options.done)
        plan = result.undo()
        if not options.out:
            return _apply_plan(plan, options)
        _save(plan, options)
        return 0


def _check_overwrite(options: argparse.Namespace) -> None:
    if options.overwrite and not options.out:
        raise InvalidInput("--overwrite needs --out FILE.")


def _rehearse_plan(plan: Plan, options: argparse.Namespace) -> int:
    say(colour.report(visible_lines(plan.to_text(None))))
    if not plan.steps:
        return 0
    with _without_moved_warning():
        rehearsal = plan.rehearse(workers=options.workers, progress=has_bar())
    say(visible_lines(rehearsal.to_text(None)))
    return _code(rehearsal.result)


def _apply_plan(plan: Plan, options: argparse.Namespace) -> int:
    """Show a plan, ask, apply it, and return the exit code."""
    _show(plan.to_text(None))
    if not plan.steps:
        return 0
    if not options.allow_mass_delete:
        _check_deletes(plan)
    if not options.yes and not sys.stdin.isatty():
        raise InvalidInput(
            "Cannot ask for confirmation: the input is not a terminal. Nothing was sent. Use "
            "--yes to apply the plan without a question."
        )
    _show(_moved_text(plan))
    if not options.yes and not _confirmed(plan):
        note("Nothing was sent.")
        return 1
    with _without_moved_warning():
        result = plan.apply(
            workers=options.workers,
            progress=has_bar(),
            journal=options.journal,
            archive=options.archive,
            allow_mass_delete=options.allow_mass_delete,
        )
    return _report(result, options)


def _without_moved_warning() -> warnings.catch_warnings[None]:
    """Context manager that hides `MovedWarning`, whose sources are printed anyway."""
    return warnings.catch_warnings(action="ignore", category=MovedWarning)


def _check_deletes(plan: Plan) -> None:
    problem = display.mass_deletes(plan)
    if problem:
        raise InvalidInput(f"{problem} Use --allow-mass-delete if this is intended.")


def _moved_text(plan: Plan) -> str:
    """Return a text on the sources that have changed remotely since the plan was made."""
    moved = plan.moved()
    if moved.empty:
        return "No source of this plan has changed since it was made."
    columns = (moved[name] for name in ("action", "owner", "name", "what"))
    lines = [
        f"! {action} {visible(f'{owner}/{name}', 120)}: {change}"
        for action, owner, name, change in zip(*columns, strict=True)
    ]
    have = "has" if len(moved) == 1 else "have"
    sources = f"{len(moved):,} of {counted(len(plan.steps), 'source')}"
    return "\n".join(
        [f"{sources} {have} changed since the plan was made and will not be touched:", *lines]
    )


def _confirmed(plan: Plan) -> bool:
    """Ask on the terminal whether to apply a plan; True if the answer is the expected one."""
    deletes = [step for step in plan.steps if step.kind == "delete"]
    if deletes:
        lost = f"{counted(len(deletes), 'source')} with {display.all_comments(deletes)}"
        question, expected = f"Type {len(deletes)} to delete {lost}: ", [str(len(deletes))]
    else:
        question, expected = f"Apply this to {visible(plan.endpoint)}? [y/N] ", ["y", "yes"]
    return answer_to(question) in expected


def _report(result: ApplyResult, options: argparse.Namespace) -> int:
    """Print the result of a plan and the next commands, and return the exit code."""
    try:
        print(colour.report(visible_lines(result.to_text(None))), flush=True)
    except OSError:
        # The steps are done, and the exit code reports them; the journal has the details.
        discard_the_rest(sys.stdout)
        note(f"The result could not be printed. Journal: {result.journal}")
    if result.journal is not None:
        counts = result.counts
        if any(outcome.open for outcome in result.outcomes):
            note(f"Continue with: {command_line(options, 'resume', result.journal)}")
        if attempt.MOVED in counts:
            note("For the sources that others have changed, plan again: reinfer-nb plan")
        if {attempt.DONE, attempt.NOT_TAKEN} & counts.keys():
            note(f"Undo it with: {command_line(options, 'undo', result.journal)}")
    return _code(result)


def _code(result: ApplyResult) -> int:
    if result.stopped == CTRL_C:
        return 130
    return 0 if result.ok else 1


def _show(text: str) -> None:
    """Print a text that has to be shown before anything is sent; raise if it cannot be."""
    try:
        print(colour.report(visible_lines(text)), flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
        raise FileProblem(
            "The plan could not be shown in full: the output was closed. Nothing was sent."
        ) from None
