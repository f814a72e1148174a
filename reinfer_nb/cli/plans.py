"""The commands that change a tenant: `plan`, `apply`, `resume` and `undo`.

Nothing is sent before the plan was shown, and confirmed at the terminal or with `--yes`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings

from reinfer_nb.cli.shared import (
    WHERE,
    Commands,
    discard_the_rest,
    listing_of,
    note,
    path_argument,
    say,
)
from reinfer_nb.client import connect
from reinfer_nb.concurrency import checked_workers
from reinfer_nb.errors import FileProblem, InvalidInput, MovedWarning
from reinfer_nb.history import listing_source
from reinfer_nb.plans import attempt, display
from reinfer_nb.plans.plan import ApplyResult, Plan, load_plan, result_of, resume
from reinfer_nb.plans.result_data import CTRL_C
from reinfer_nb.text import counted, visible, visible_lines

_PLAN_CODES = (
    "Exit code: 0 the plan has no problems, 1 the edited listing has problems, 2 an error."
)
_RESUME_CODES = (
    "Exit code: 0 all steps are done, 1 some steps are not (moved, failed, left or not taken), "
    "2 an error, 130 stopped with Ctrl-C."
)
_APPLY_CODES = _RESUME_CODES.replace("not taken),", "not taken) or you did not confirm,")


def add(commands: Commands) -> None:
    """Add the commands `plan`, `apply`, `resume` and `undo`."""
    planning = commands.add_parser(
        "plan",
        help="show what an edited listing would change",
        description=(
            "Show the changes that turn the sources of the configured tenant into an edited "
            f"listing. Nothing is changed. {WHERE}"
        ),
        epilog=f"{_PLAN_CODES} Example: reinfer-nb plan edited.csv --base sources.csv --out "
        "change.json",
    )
    planning.add_argument("edited", metavar="EDITED", help="the edited listing")
    planning.add_argument("--base", metavar="LISTING", help="the listing before the edit")
    planning.add_argument(
        "--delete-missing",
        action="store_true",
        help="delete sources that are missing in EDITED, in the projects of its rows",
    )
    planning.add_argument(
        "--whole-tenant",
        action="store_true",
        help="with --delete-missing: delete in all projects",
    )
    planning.add_argument("--project", metavar="NAME", help="only this project")
    _add_out(planning, "save the plan to a file, for: reinfer-nb apply FILE")
    _add_context(planning)
    planning.set_defaults(run=_plan)

    applying = commands.add_parser(
        "apply",
        help="apply a plan",
        description=(
            "Show a plan, ask, and apply it to the configured tenant. Sources that others have "
            "changed since the plan was made are not touched."
        ),
        epilog=f"{_APPLY_CODES} Example: reinfer-nb apply change.json",
    )
    applying.add_argument(
        "file", type=path_argument, metavar="FILE", help="the file of reinfer-nb plan --out"
    )
    applying.add_argument(
        "--rehearse", action="store_true", help="apply the plan to a copy of the tenant only"
    )
    _add_applying(applying)
    applying.set_defaults(run=_apply)

    resuming = commands.add_parser(
        "resume",
        help="finish an apply that ended early",
        description="Finish an apply that ended early. No step is repeated; you are not asked.",
        epilog=f"{_RESUME_CODES} Example: reinfer-nb resume journal.jsonl",
    )
    _add_journal(resuming)
    _add_workers(resuming)
    _add_context(resuming)
    resuming.set_defaults(run=_resume)

    undoing = commands.add_parser(
        "undo",
        help="undo an apply",
        description=(
            "Show the plan that undoes an apply as far as possible, ask, and apply it. Deleted "
            "comments cannot be restored."
        ),
        epilog=f"{_APPLY_CODES} Example: reinfer-nb undo journal.jsonl",
    )
    _add_journal(undoing)
    _add_out(undoing, "save the plan to a file, and change nothing")
    _add_applying(undoing)
    undoing.set_defaults(run=_undo)


def _add_out(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--out", type=path_argument, metavar="FILE", help=help_text)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE")


def _add_applying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="allow to delete more than 3 sources and more than a tenth of a project",
    )
    parser.add_argument(
        "--journal", type=path_argument, metavar="FILE", help="a new file for the journal"
    )
    _add_workers(parser)
    _add_context(parser)


def _add_journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "done", type=path_argument, metavar="JOURNAL", help="the journal of the apply"
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=8,
        metavar="N",
        help="number of parallel requests, up to 32 (default: 8)",
    )


def _add_context(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--context", help="a context of the vendor's client `re`")


def _plan(options: argparse.Namespace) -> int:
    _check_overwrite(options)
    if options.whole_tenant and not options.delete_missing:
        raise InvalidInput("--whole-tenant needs --delete-missing.")
    # Do not filter a file by project: the plan reports a row with a mistyped owner as a problem.
    # If the row were left out, --delete-missing would delete its source.
    project = None if listing_source.is_file(options.edited) else options.project
    edited = listing_of(options.edited, project=project)
    base = None if options.base is None else listing_of(options.base)
    with connect(context=options.context) as client:
        plan = client.plan(
            edited,
            base,
            delete_missing="tenant" if options.whole_tenant else options.delete_missing,
            project=options.project,
        )
    if not plan.ok:
        say(visible_lines(plan.to_text(None)))
        if options.out:
            note("No file was written.")
        return 1
    if options.out:
        _save(plan, options)
    else:
        say(visible_lines(plan.to_text(None)))
        if plan.steps:
            note("Save the plan with --out FILE, and apply it with: reinfer-nb apply FILE")
    return 0


def _save(plan: Plan, options: argparse.Namespace) -> None:
    # Save first: a reader who stops early (`| head`) has the file too.
    path = plan.save(options.out, overwrite=options.overwrite)
    say(visible_lines(plan.to_text(None)))
    command = _command("apply", path, options)
    note(f"Saved to {visible(str(path))}. Apply it with: {command}")


def _apply(options: argparse.Namespace) -> int:
    checked_workers(options.workers)
    if options.rehearse and options.journal:
        raise InvalidInput("A rehearsal has no journal. Leave out --journal or --rehearse.")
    with connect(context=options.context) as client:
        plan = load_plan(options.file, client)
        return _rehearse_plan(plan, options) if options.rehearse else _apply_plan(plan, options)


def _resume(options: argparse.Namespace) -> int:
    with connect(context=options.context) as client:
        result = resume(client, options.done, workers=options.workers, progress=_has_bar())
    return _report(result, options)


def _undo(options: argparse.Namespace) -> int:
    checked_workers(options.workers)
    _check_overwrite(options)
    if options.out and (options.journal or options.yes):
        raise InvalidInput("--out changes nothing. Leave out --yes and --journal, or --out.")
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
    say(visible_lines(plan.to_text(None)))
    if not plan.steps:
        return 0
    with _without_moved_warning():
        rehearsal = plan.rehearse(workers=options.workers, progress=_has_bar())
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
            progress=_has_bar(),
            journal=options.journal,
            allow_mass_delete=options.allow_mass_delete,
        )
    return _report(result, options)


def _without_moved_warning() -> warnings.catch_warnings[None]:
    """Context manager that hides `MovedWarning`, whose sources are printed anyway."""
    return warnings.catch_warnings(action="ignore", category=MovedWarning)


def _has_bar() -> bool:
    return sys.stderr.isatty()


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
    # On stderr, since stdout may go to a file. Not with `note`, which ignores errors: nobody may
    # answer a question that was not shown.
    print(question, end="", file=sys.stderr, flush=True)
    try:
        answer = input()
    except EOFError:
        answer = ""
        note()
    except KeyboardInterrupt:
        note("\nNothing was sent.")
        raise
    return answer.strip().lower() in expected


def _report(result: ApplyResult, options: argparse.Namespace) -> int:
    """Print the result of a plan and the next commands, and return the exit code."""
    try:
        print(visible_lines(result.to_text(None)), flush=True)
    except OSError:
        # The steps are done, and the exit code reports them; the journal has the details.
        discard_the_rest(sys.stdout)
        note(f"The result could not be printed. Journal: {result.journal}")
    if result.journal is not None:
        counts = result.counts
        if any(outcome.open for outcome in result.outcomes):
            note(f"Continue with: {_command('resume', result.journal, options)}")
        if attempt.MOVED in counts:
            note("For the sources that others have changed, plan again: reinfer-nb plan")
        if {attempt.DONE, attempt.NOT_TAKEN} & counts.keys():
            note(f"Undo it with: {_command('undo', result.journal, options)}")
    return _code(result)


def _code(result: ApplyResult) -> int:
    if result.stopped == CTRL_C:
        return 130
    return 0 if result.ok else 1


def _command(name: str, path: str | os.PathLike[str], options: argparse.Namespace) -> str:
    """Return a command line for the same tenant."""
    words = ["reinfer-nb", name, os.fspath(path)]
    words += ["--context", options.context] if options.context else []
    return visible(shlex.join(words))


def _show(text: str) -> None:
    """Print a text that has to be shown before anything is sent; raise if it cannot be."""
    try:
        print(visible_lines(text), flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
        raise FileProblem(
            "The plan could not be shown in full: the output was closed. Nothing was sent."
        ) from None
