"""The options of the commands that change a tenant."""

from __future__ import annotations

import argparse

from reinfer_nb.cli.common_options import (
    ONE,
    WHERE,
    add_context,
    add_overwrite,
    add_project,
    file_path,
)

_PLAN_CODES = (
    "Exit code: 0 the plan has no problems, 1 the edited listing has problems, 2 an error."
)
_RESUME_CODES = (
    "Exit code: 0 all steps are done, 1 some steps are not (moved, failed, left or not taken), "
    "2 an error, 130 stopped with Ctrl-C."
)
_APPLY_CODES = _RESUME_CODES.replace("not taken),", "not taken) or you did not confirm,")


def _add_plan(planning: argparse.ArgumentParser) -> None:
    planning.description = (
        "Show the changes that turn the sources of the configured tenant into an edited "
        f"listing. Nothing is changed. {WHERE}"
    )
    planning.epilog = (
        f"{_PLAN_CODES} Example: reinfer-nb plan edited.csv --base sources.csv --out change.json"
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
    add_project(planning, ONE)
    _add_out(planning, "save the plan to a file, for: reinfer-nb apply FILE")
    add_context(planning)
    planning.set_defaults(run="plans.run_plan")


def _add_apply(applying: argparse.ArgumentParser) -> None:
    applying.description = (
        "Show a plan, ask, and apply it to the configured tenant. Sources that others have "
        "changed since the plan was made are not touched."
    )
    applying.epilog = f"{_APPLY_CODES} Example: reinfer-nb apply change.json"
    applying.add_argument(
        "file", type=file_path, metavar="FILE", help="the file of reinfer-nb plan --out"
    )
    applying.add_argument(
        "--rehearse", action="store_true", help="apply the plan to a copy of the tenant only"
    )
    _add_applying(applying)
    applying.set_defaults(run="plans.run_apply")


def _add_resume(resuming: argparse.ArgumentParser) -> None:
    resuming.description = (
        "Finish an apply that ended early. No step is repeated; you are not asked."
    )
    resuming.epilog = f"{_RESUME_CODES} Example: reinfer-nb resume journal.jsonl"
    _add_journal(resuming)
    _add_workers(resuming)
    add_context(resuming)
    resuming.set_defaults(run="plans.run_resume")


def _add_undo(undoing: argparse.ArgumentParser) -> None:
    undoing.description = (
        "Show the plan that undoes an apply as far as possible, ask, and apply it. Without an "
        "archive, nothing brings deleted comments back."
    )
    undoing.epilog = f"{_APPLY_CODES} Example: reinfer-nb undo journal.jsonl"
    _add_journal(undoing)
    _add_out(undoing, "save the plan to a file, and change nothing")
    _add_applying(undoing)
    undoing.set_defaults(run="plans.run_undo")


def _add_out(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--out", type=file_path, metavar="FILE", help=help_text)
    add_overwrite(parser)


def _add_applying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="allow to delete more than 3 sources and more than a tenth of a project",
    )
    parser.add_argument(
        "--journal", type=file_path, metavar="FILE", help="a new file for the journal"
    )
    parser.add_argument(
        "--archive",
        type=file_path,
        metavar="FOLDER",
        help="archive the comments of deleted sources there first",
    )
    _add_workers(parser)
    add_context(parser)


def _add_journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("done", type=file_path, metavar="JOURNAL", help="the journal of the apply")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=20,
        metavar="N",
        help="number of parallel requests, up to 32 (default: 20)",
    )


OPTIONS = {
    "plan": _add_plan,
    "apply": _add_apply,
    "resume": _add_resume,
    "undo": _add_undo,
}
