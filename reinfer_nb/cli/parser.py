"""The commands and options of the command line.

This module imports little, so that help is shown at once; a command imports what it needs.
"""

from __future__ import annotations

import argparse

from reinfer_nb.cli.comment_options import add_comments
from reinfer_nb.cli.common_options import (
    add_context,
    add_csv_or_json,
    add_overwrite,
    file_path,
)
from reinfer_nb.constants import ENDPOINT, LISTING_PLACES, LOOPBACK, SEVERITIES, TOKEN, VERSION

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from reinfer_nb.cli.common_options import Commands

NEVER = "never"
_ONE = "only this project"
_SEVERAL = f"{_ONE}; repeatable"
_WHERE = f"A listing is {LISTING_PLACES}, or the tenant of a context of `re` (context:prod)."
_CODES = "Exit code: 0 nothing found, 1 something found, 2 an error."
_PLAN_CODES = (
    "Exit code: 0 the plan has no problems, 1 the edited listing has problems, 2 an error."
)
_RESUME_CODES = (
    "Exit code: 0 all steps are done, 1 some steps are not (moved, failed, left or not taken), "
    "2 an error, 130 stopped with Ctrl-C."
)
_APPLY_CODES = _RESUME_CODES.replace("not taken),", "not taken) or you did not confirm,")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    The option `run` of the result names the function of the command, such as "plans.run_apply".
    """
    result = argparse.ArgumentParser(
        prog="reinfer-nb",
        description="Manage the sources of a UiPath Communications Mining tenant.",
        epilog=(
            f"The tenant comes from {ENDPOINT} and {TOKEN}, or from the vendor's client `re`. "
            "Example: reinfer-nb list --project claims --csv claims.csv"
        ),
    )
    result.add_argument("--version", action="version", version=f"reinfer-nb {VERSION}")
    commands = result.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_servers, _add_listings, add_comments, _add_reports, _add_plans):
        add(commands)
    return result


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command line; print an error and exit if there are unknown ones."""
    commands = parser()
    options, unknown = commands.parse_known_args(arguments)
    if unknown:
        words = " ".join(unknown)
        takes_project = hasattr(options, "project") and not unknown[0].startswith("-")
        advice = f" A project is given as: --project {unknown[0]}" if takes_project else ""
        commands.error(f"unrecognized arguments: {words}{advice and '.'}{advice}")
    return options


def _add_servers(commands: Commands) -> None:
    """Add the commands `lab` and `sandbox`."""
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab with the notebooks",
        description=(
            "Open JupyterLab with a copy of the notebooks, on the configured tenant, or on a "
            "practice tenant if none is configured. Existing files are not overwritten."
        ),
        epilog="Example: reinfer-nb lab --folder ~/audits -- --port 9999",
    )
    lab.add_argument(
        "--folder",
        type=file_path,
        default=".",
        help="folder to work in; default: the current one",
    )
    lab.add_argument("--sandbox", action="store_true", help="always use a practice tenant")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")
    lab.add_argument("jupyter", nargs="*", metavar="-- ARGUMENT", help="argument for JupyterLab")
    lab.set_defaults(run="servers.run_lab")

    sandbox = commands.add_parser(
        "sandbox",
        help="serve a practice tenant on this machine until Ctrl-C",
        description="Serve a practice tenant on this machine until Ctrl-C.",
        epilog="Example: reinfer-nb sandbox --port 8008 --database tenant.db",
    )
    sandbox.add_argument(
        "--host", default=LOOPBACK, help="address to listen on; default: this machine only"
    )
    sandbox.add_argument("--port", type=int, default=0, help="TCP port; default: any free one")
    sandbox.add_argument(
        "--database", type=file_path, metavar="FILE", help="file for the data; default: memory"
    )
    sandbox.add_argument("--data", type=file_path, metavar="FILE", help="sources to fill it with")
    sandbox.add_argument(
        "--new-tokens",
        action="store_true",
        help="revoke the tokens of the database, and show new ones",
    )
    sandbox.set_defaults(run="servers.run_sandbox")


def _add_listings(commands: Commands) -> None:
    """Add the command `list`."""
    listing = commands.add_parser(
        "list",
        help="list the sources",
        description=(
            "List the sources of the configured tenant. A terminal gets the columns that fit its "
            "width, and a count; a pipe gets all usual columns in full. --columns, --sort and "
            "--search also apply to --csv and --json, which have all columns by default."
        ),
        epilog="Example: reinfer-nb list --project claims --search motor --sort updated_at:desc",
    )
    _add_project(listing, _SEVERAL)
    listing.add_argument(
        "--columns", metavar="NAMES", help="these columns, such as name,title; all for all"
    )
    listing.add_argument(
        "--sort", metavar="COLUMN", help="sort by this column; COLUMN:desc for the largest first"
    )
    listing.add_argument(
        "--search",
        metavar="TEXT",
        help="only sources with all these words in id, full name, title or description",
    )
    add_csv_or_json(listing, "print JSON, with the names of the API")
    add_context(listing)
    listing.set_defaults(run="listings.run_list")


def _add_reports(commands: Commands) -> None:
    """Add the commands `audit`, `compare` and `record`."""
    auditing = commands.add_parser(
        "audit",
        help="find problems of the sources",
        description=f"Find problems of the sources of the configured tenant. {_WHERE}",
        epilog=f"{_CODES} Example: reinfer-nb audit --project claims --fail-on warning",
    )
    _add_listing(auditing, _SEVERAL)
    auditing.add_argument(
        "--rule", action="append", metavar="ID", help="only this rule; repeatable"
    )
    auditing.add_argument(
        "--ignore", action="append", default=[], metavar="ID", help="skip this rule; repeatable"
    )
    auditing.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set an option of a rule, such as days=180; repeatable",
    )
    auditing.add_argument(
        "--now", metavar="MOMENT", help="compute ages at this moment (ISO 8601); default: now"
    )
    auditing.add_argument(
        "--fail-on",
        choices=(*SEVERITIES, NEVER),
        default=SEVERITIES[-1],
        metavar="SEVERITY",
        help="exit with 1 for findings of at least this severity: "
        f"{', '.join(SEVERITIES)} or {NEVER} (default: info)",
    )
    _add_output(auditing)
    auditing.set_defaults(run="reports.run_audit")

    comparing = commands.add_parser(
        "compare",
        help="show the differences between two listings",
        description=f"Show added, removed, changed and renamed sources. {_WHERE}",
        epilog=f"{_CODES} Example: reinfer-nb compare sources.csv",
    )
    comparing.add_argument("before", metavar="BEFORE", help="a listing")
    comparing.add_argument(
        "after", nargs="?", metavar="AFTER", help="a listing; default: the configured tenant"
    )
    comparing.add_argument(
        "--on",
        default="id",
        metavar="COLUMNS",
        help="columns to match rows by; between tenants: owner,name (default: id)",
    )
    comparing.add_argument(
        "--ignore", action="append", metavar="COLUMN", help="skip this column; repeatable"
    )
    _add_project(comparing, _SEVERAL)
    add_context(comparing, ", for AFTER")
    _add_output(comparing)
    comparing.set_defaults(run="reports.run_compare")

    recording = commands.add_parser(
        "record",
        help="record the listing in a history",
        description=f"Record the listing in a history, to compare with later. {_WHERE}",
        epilog="Example: reinfer-nb record audits/ (once a day, from cron)",
    )
    recording.add_argument("history", metavar="FOLDER", help="a folder or an fsspec URL")
    _add_listing(recording, _ONE)
    recording.add_argument(
        "--another-tenant",
        action="store_true",
        help="record a listing of another tenant than the last snapshot",
    )
    recording.set_defaults(run="reports.run_record")


def _add_project(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--project", action="append", metavar="PROJECT", help=help_text)


def _add_listing(parser: argparse.ArgumentParser, help_text: str) -> None:
    _add_project(parser, help_text)
    parser.add_argument(
        "--from", dest="place", metavar="LISTING", help="use this listing; default: the tenant"
    )
    add_context(parser)
    parser.add_argument("--comments", action="store_true", help="count the comments too")


def _add_plans(commands: Commands) -> None:
    """Add the commands `plan`, `apply`, `resume` and `undo`."""
    planning = commands.add_parser(
        "plan",
        help="show what an edited listing would change",
        description=(
            "Show the changes that turn the sources of the configured tenant into an edited "
            f"listing. Nothing is changed. {_WHERE}"
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
    _add_project(planning, _ONE)
    _add_out(planning, "save the plan to a file, for: reinfer-nb apply FILE")
    add_context(planning)
    planning.set_defaults(run="plans.run_plan")

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
        "file", type=file_path, metavar="FILE", help="the file of reinfer-nb plan --out"
    )
    applying.add_argument(
        "--rehearse", action="store_true", help="apply the plan to a copy of the tenant only"
    )
    _add_applying(applying)
    applying.set_defaults(run="plans.run_apply")

    resuming = commands.add_parser(
        "resume",
        help="finish an apply that ended early",
        description="Finish an apply that ended early. No step is repeated; you are not asked.",
        epilog=f"{_RESUME_CODES} Example: reinfer-nb resume journal.jsonl",
    )
    _add_journal(resuming)
    _add_workers(resuming)
    add_context(resuming)
    resuming.set_defaults(run="plans.run_resume")

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


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options for the output of a report."""
    parser.add_argument(
        "--format",
        choices=("text", "csv", "json", "html"),
        default="text",
        help="format of the output; html is a page for a browser (default: text)",
    )
    parser.add_argument("--out", type=file_path, metavar="FILE", help="write to a file")
    add_overwrite(parser)
