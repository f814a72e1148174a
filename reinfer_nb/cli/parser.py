"""The commands and options of the command line.

This module imports little, so that help is shown at once; a command imports what it needs.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from importlib import import_module

from reinfer_nb.cli.common_options import (
    ONE,
    SEVERAL,
    WHERE,
    add_context,
    add_csv_or_json,
    add_overwrite,
    add_project,
    file_path,
)
from reinfer_nb.constants import ENDPOINT, LOOPBACK, SEVERITIES, TOKEN, VERSION

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    _Commands: TypeAlias = argparse._SubParsersAction["_Command"]  # noqa: SLF001 - has no public name

NEVER = "never"
_CODES = "Exit code: 0 nothing found, 1 something found, 2 an error."

# Commands whose options are in another module, and their help.
_OF_COMMENTS = {
    "comments": "show the comments of a source",
    "activity": "count the comments of each month",
    "archive": "write the comments of a source to a file",
    "upload": "upload the comments of an archive to a source; this costs AI units",
}
_OF_PLANS = {
    "plan": "show what an edited listing would change",
    "apply": "apply a plan",
    "resume": "finish an apply that ended early",
    "undo": "undo an apply",
}


class _Command(argparse.ArgumentParser):
    """The parser of the command line or of a command.

    Attributes:
        later: The module whose options are added once the parser is used, and the name of the
            command in it; None if the options are added already.
    """

    later: tuple[str, str] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments after the name of the command."""
        if self.later:
            module, name = self.later
            self.later = None
            import_module(f"reinfer_nb.cli.{module}").OPTIONS[name](self)
        return super().parse_known_args(args, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        # As newer versions of Python do: a reader who is gone changes no exit code.
        with suppress(OSError):
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    The option `run` of the result names the function of the command, such as "plans.run_apply".
    """
    result = _Command(
        prog="reinfer-nb",
        description="Manage the sources of a UiPath Communications Mining tenant.",
        epilog=(
            f"The tenant comes from {ENDPOINT} and {TOKEN}, or from the vendor's client `re`. "
            "Example: reinfer-nb list --project claims --csv claims.csv"
        ),
    )
    result.add_argument("--version", action="version", version=f"reinfer-nb {VERSION}")
    commands = result.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Command
    )
    _add_servers(commands)
    _add_listings(commands)
    _add_later(commands, "comment_options", _OF_COMMENTS)
    _add_reports(commands)
    _add_later(commands, "plan_options", _OF_PLANS)
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


def _add_later(commands: _Commands, module: str, helps: Mapping[str, str]) -> None:
    """Add commands whose options are in another module."""
    for name, help_text in helps.items():
        commands.add_parser(name, help=help_text).later = module, name


def _add_servers(commands: _Commands) -> None:
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


def _add_listings(commands: _Commands) -> None:
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
    add_project(listing, SEVERAL)
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


def _add_reports(commands: _Commands) -> None:
    """Add the commands `audit`, `compare` and `record`."""
    auditing = commands.add_parser(
        "audit",
        help="find problems of the sources",
        description=f"Find problems of the sources of the configured tenant. {WHERE}",
        epilog=f"{_CODES} Example: reinfer-nb audit --project claims --fail-on warning",
    )
    _add_listing(auditing, SEVERAL)
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
        description=f"Show added, removed, changed and renamed sources. {WHERE}",
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
    add_project(comparing, SEVERAL)
    add_context(comparing, ", for AFTER")
    _add_output(comparing)
    comparing.set_defaults(run="reports.run_compare")

    recording = commands.add_parser(
        "record",
        help="record the listing in a history",
        description=f"Record the listing in a history, to compare with later. {WHERE}",
        epilog="Example: reinfer-nb record audits/ (once a day, from cron)",
    )
    recording.add_argument("history", metavar="FOLDER", help="a folder or an fsspec URL")
    _add_listing(recording, ONE)
    recording.add_argument(
        "--another-tenant",
        action="store_true",
        help="record a listing of another tenant than the last snapshot",
    )
    recording.set_defaults(run="reports.run_record")


def _add_listing(parser: argparse.ArgumentParser, help_text: str) -> None:
    add_project(parser, help_text)
    parser.add_argument(
        "--from", dest="place", metavar="LISTING", help="use this listing; default: the tenant"
    )
    add_context(parser)
    parser.add_argument("--comments", action="store_true", help="count the comments too")


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
