"""The commands that change a tenant: `plan`, `apply`, `resume` and `undo`.

Nothing is sent before it was shown, and agreed to in words or by `--yes`.
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

_PLANNED = (
    "Exit code: 0 it can be applied or there is nothing to do, 1 the edited listing has problems, "
    "2 it could not be done."
)
_RESUMED = (
    "Exit code: 0 all was done or so already, 1 something has moved, failed, was left "
    "or not taken, "
    "2 it could not be done, 130 ended by Ctrl-C."
)
_APPLIED = _RESUMED.replace("not taken,", "not taken, or it was not agreed to,")


def add(commands: Commands) -> None:
    """Add the commands `plan`, `apply`, `resume` and `undo`."""
    planning = commands.add_parser(
        "plan",
        help="say what an edited listing would change",
        description=(
            "Say what it takes to make the sources of the configured tenant what an edited "
            f"listing says. Nothing is changed. {WHERE}"
        ),
        epilog=f"{_PLANNED} Example: reinfer-nb plan edited.csv --base sources.csv --out "
        "change.json",
    )
    planning.add_argument("edited", metavar="EDITED", help="the listing as it is to be")
    planning.add_argument("--base", metavar="LISTING", help="the listing that the edit began with")
    planning.add_argument(
        "--delete-missing",
        action="store_true",
        help="delete the sources that EDITED has not, in the projects of which it has a source",
    )
    planning.add_argument(
        "--whole-tenant",
        action="store_true",
        help="with --delete-missing: delete in all projects",
    )
    planning.add_argument("--project", metavar="NAME", help="look at this project alone")
    _add_out(planning, "keep the plan in a file, for: reinfer-nb apply FILE")
    _add_context(planning)
    planning.set_defaults(run=_plan)

    applying = commands.add_parser(
        "apply",
        help="carry out a plan",
        description=(
            "Show a plan, ask, and carry it out on the configured tenant. Sources that others "
            "have changed since it was made are left alone."
        ),
        epilog=f"{_APPLIED} Example: reinfer-nb apply change.json",
    )
    applying.add_argument(
        "file",
        type=path_argument,
        metavar="FILE",
        help="what reinfer-nb plan --out has written",
    )
    applying.add_argument(
        "--rehearse", action="store_true", help="do it to a copy of the tenant, and to nothing else"
    )
    _add_applying(applying)
    applying.set_defaults(run=_apply)

    resuming = commands.add_parser(
        "resume",
        help="finish an apply that ended too early",
        description="Finish an apply that ended too early. Nothing is done twice, or asked again.",
        epilog=f"{_RESUMED} Example: reinfer-nb resume journal.jsonl",
    )
    _add_done(resuming)
    _add_workers(resuming)
    _add_context(resuming)
    resuming.set_defaults(run=_resume)

    undoing = commands.add_parser(
        "undo",
        help="put back what an apply has done",
        description=(
            "Show the plan that puts back what an apply has done, as far as that can be, ask, and "
            "carry it out. Nothing brings comments back."
        ),
        epilog=f"{_APPLIED} Example: reinfer-nb undo journal.jsonl",
    )
    _add_done(undoing)
    _add_out(undoing, "keep the plan in a file, and change nothing")
    _add_applying(undoing)
    undoing.set_defaults(run=_undo)


def _add_out(parser: argparse.ArgumentParser, said: str) -> None:
    parser.add_argument("--out", type=path_argument, metavar="FILE", help=said)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE")


def _add_applying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="delete also more than 3 sources that are more than a tenth of a project's",
    )
    parser.add_argument(
        "--journal",
        type=path_argument,
        metavar="FILE",
        help="a new file to keep the journal in",
    )
    _add_workers(parser)
    _add_context(parser)


def _add_done(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "done", type=path_argument, metavar="JOURNAL", help="the file that the apply has named"
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=8,
        metavar="N",
        help="sources under way at once, up to 32 (default: 8)",
    )


def _add_context(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--context", help="a context of the vendor's client `re`")


def _plan(options: argparse.Namespace) -> int:
    _refuse_alone(options)
    if options.whole_tenant and not options.delete_missing:
        raise InvalidInput("--whole-tenant goes with --delete-missing.")
    # A row of a file whose owner is mistyped is told as a problem. Left out as one of another
    # project, its source would be missing, and --delete-missing would delete it.
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
        _keep(plan, options)
    else:
        say(visible_lines(plan.to_text(None)))
        if plan.steps:
            note("Keep it with --out FILE, to apply it: reinfer-nb apply FILE")
    return 0


def _keep(plan: Plan, options: argparse.Namespace) -> None:
    # First the file: who reads only the beginning of the plan has it as well.
    path = plan.save(options.out, overwrite=options.overwrite)
    say(visible_lines(plan.to_text(None)))
    how = _command("apply", path, options)
    note(f"Kept in {visible(str(path))}. Apply it with: {how}")


def _apply(options: argparse.Namespace) -> int:
    checked_workers(options.workers)
    if options.rehearse and options.journal:
        raise InvalidInput("--journal goes with an apply: --rehearse leaves nothing to go on with.")
    with connect(context=options.context) as client:
        plan = load_plan(options.file, client)
        return _rehearsed(plan, options) if options.rehearse else _carried_out(plan, options)


def _resume(options: argparse.Namespace) -> int:
    with connect(context=options.context) as client:
        result = resume(client, options.done, workers=options.workers, progress=_has_bar())
    return _told(result, options)


def _undo(options: argparse.Namespace) -> int:
    checked_workers(options.workers)
    _refuse_alone(options)
    if options.out and (options.journal or options.yes):
        raise InvalidInput(
            "--out keeps the plan and changes nothing: leave out --yes and --journal, or --out."
        )
    with connect(context=options.context) as client:
        result = result_of(client, options.done)
        plan = result.undo()
        if not options.out:
            return _carried_out(plan, options)
        _keep(plan, options)
        return 0


def _refuse_alone(options: argparse.Namespace) -> None:
    if options.overwrite and not options.out:
        raise InvalidInput("--overwrite goes with --out FILE.")


def _rehearsed(plan: Plan, options: argparse.Namespace) -> int:
    say(visible_lines(plan.to_text(None)))
    if not plan.steps:
        return 0
    with _without_moved_warning():
        rehearsal = plan.rehearse(workers=options.workers, progress=_has_bar())
    say(visible_lines(rehearsal.to_text(None)))
    return _code(rehearsal.result)


def _carried_out(plan: Plan, options: argparse.Namespace) -> int:
    """Show a plan, ask, carry it out, and return the exit code."""
    _show(plan.to_text(None))
    if not plan.steps:
        return 0
    if not options.allow_mass_delete:
        _check_deletes(plan)
    if not options.yes and not sys.stdin.isatty():
        raise InvalidInput(
            "Nobody can be asked, since the input is no terminal. Nothing was sent. If the plan is "
            "right, say --yes."
        )
    _show(_moved(plan))
    if not options.yes and not _agreed(plan):
        note("Nothing was sent.")
        return 1
    with _without_moved_warning():
        result = plan.apply(
            workers=options.workers,
            progress=_has_bar(),
            journal=options.journal,
            allow_mass_delete=options.allow_mass_delete,
        )
    return _told(result, options)


def _without_moved_warning() -> warnings.catch_warnings[None]:
    """Leave out the warning of what has moved: it is told in full, before and after."""
    return warnings.catch_warnings(action="ignore", category=MovedWarning)


def _has_bar() -> bool:
    return sys.stderr.isatty()


def _check_deletes(plan: Plan) -> None:
    said = display.mass_deletes(plan)
    if said:
        raise InvalidInput(f"{said} If it is meant, say --allow-mass-delete.")


def _moved(plan: Plan) -> str:
    """Return which sources of a plan have moved since it was made, as lines."""
    moved = plan.moved()
    if moved.empty:
        return "None of its sources has moved since it was made."
    number, steps = len(moved), counted(len(plan.steps), "source")
    columns = (moved[name] for name in ("action", "owner", "name", "what"))
    lines = [
        f"! {action} {visible(f'{owner}/{name}', 120)}: {what}"
        for action, owner, name, what in zip(*columns, strict=True)
    ]
    they = "has moved since it was made, and is" if number == 1 else "have moved since, and are"
    return "\n".join([f"{number:,} of its {steps} {they} left alone:", *lines])


def _agreed(plan: Plan) -> bool:
    """Ask on the terminal whether a plan is to be carried out; only the right answer will do."""
    deletes = [step for step in plan.steps if step.kind == "delete"]
    if deletes:
        gone = f"{counted(len(deletes), 'source')} with {display.all_comments(deletes)}"
        question, right = f"Type {len(deletes)} to delete {gone}: ", [str(len(deletes))]
    else:
        question, right = f"Do this on {visible(plan.endpoint)}? [y/N] ", ["y", "yes"]
    # On stderr, since what is on stdout may go to a file.
    # Not `note`: who cannot see the question is not to answer it.
    print(question, end="", file=sys.stderr, flush=True)
    try:
        answer = input()
    except EOFError:
        answer = ""
        note()
    except KeyboardInterrupt:
        note("\nNothing was sent.")
        raise
    return answer.strip().lower() in right


def _told(result: ApplyResult, options: argparse.Namespace) -> int:
    """Print what became of a plan and how to go on, and return the exit code."""
    try:
        print(visible_lines(result.to_text(None)), flush=True)
    except OSError:
        # What is done is done, and the exit code tells of that; the journal has the rest.
        discard_the_rest(sys.stdout)
        note(f"The result could not be printed. Journal: {result.journal}")
    if result.journal is not None:
        counts = result.counts
        if any(outcome.open for outcome in result.outcomes):
            note(f"Go on with: {_command('resume', result.journal, options)}")
        if attempt.MOVED in counts:
            note("What has moved needs a plan made anew: reinfer-nb plan")
        if {attempt.DONE, attempt.NOT_TAKEN} & counts.keys():
            note(f"Put it back with: {_command('undo', result.journal, options)}")
    return _code(result)


def _code(result: ApplyResult) -> int:
    if result.stopped == CTRL_C:
        return 130
    return 0 if result.ok else 1


def _command(name: str, path: str | os.PathLike[str], options: argparse.Namespace) -> str:
    """Return a command as it is typed, for the same tenant."""
    words = ["reinfer-nb", name, os.fspath(path)]
    words += ["--context", options.context] if options.context else []
    return visible(shlex.join(words))


def _show(text: str) -> None:
    """Print what is to be seen before anything is sent, and see that it arrives."""
    try:
        print(visible_lines(text), flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
        raise FileProblem(
            "The plan could not be shown to its end, since its reader is gone. Nothing was sent."
        ) from None
