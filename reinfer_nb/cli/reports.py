"""The read-only commands `audit`, `compare` and `record`."""

from __future__ import annotations

import argparse
from typing import Any

from reinfer_nb.audits.report import audit
from reinfer_nb.audits.rule import SEVERITIES, chosen
from reinfer_nb.cli.shared import WHERE, Commands, add_output, give, listing_of, say
from reinfer_nb.diff.comparison import compare
from reinfer_nb.errors import InvalidInput
from reinfer_nb.history.history import History
from reinfer_nb.text import shown, visible_lines

_NEVER = "never"
_CODES = "Exit code: 0 nothing found, 1 something found, 2 an error."


def add(commands: Commands) -> None:
    """Add the commands `audit`, `compare` and `record`."""
    auditing = commands.add_parser(
        "audit",
        help="find problems of the sources",
        description=f"Find problems of the sources of the configured tenant. {WHERE}",
        epilog=f"{_CODES} Example: reinfer-nb audit claims --fail-on warning --option days=180",
    )
    _add_listing(auditing)
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
        choices=(*SEVERITIES, _NEVER),
        default=SEVERITIES[-1],
        metavar="SEVERITY",
        help="exit with 1 for findings of at least this severity: "
        f"{', '.join(SEVERITIES)} or {_NEVER} (default: info)",
    )
    add_output(auditing)
    auditing.set_defaults(run=_audit)

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
    comparing.add_argument("--project", help="only this project")
    comparing.add_argument("--context", help="a context of the vendor's client `re`, for AFTER")
    add_output(comparing)
    comparing.set_defaults(run=_compare)

    recording = commands.add_parser(
        "record",
        help="record the listing in a history",
        description=f"Record the listing in a history, to compare with later. {WHERE}",
        epilog="Example: reinfer-nb record audits/ (once a day, from cron)",
    )
    recording.add_argument("history", metavar="FOLDER", help="a folder or an fsspec URL")
    _add_listing(recording)
    recording.add_argument(
        "--another-tenant",
        action="store_true",
        help="record a listing of another tenant than the last snapshot",
    )
    recording.set_defaults(run=_record)


def _add_listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", nargs="?", metavar="PROJECT", help="only this project")
    parser.add_argument(
        "--from", dest="place", metavar="LISTING", help="use this listing; default: the tenant"
    )
    parser.add_argument("--context", help="a context of the vendor's client `re`")
    parser.add_argument("--comments", action="store_true", help="count the comments too")


def _audit(options: argparse.Namespace) -> int:
    rules = chosen(options.rule, options.ignore)
    defaults = {name: default for rule in rules for name, default in rule.options.items()}
    settings = dict(_setting(text, defaults) for text in options.option)
    df = listing_of(
        options.place, project=options.project, context=options.context, comments=options.comments
    )
    report = audit(df, rules, options.now, **settings)
    give(options, "Audit of sources", report, report.findings)
    if options.fail_on == _NEVER:
        return 0
    return 0 if report.only(severity=options.fail_on).ok else 1


def _setting(text: str, defaults: dict[str, Any]) -> tuple[str, Any]:
    """Return the name and value of an option; the value has the type of its default."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--option must be NAME=VALUE, not {shown(text)}.")
    default = defaults.get(name)
    try:
        return name, type(default)(value) if isinstance(default, int | float) else value
    except ValueError:
        raise InvalidInput(f"--option {name} must be a number, not {shown(value)}.") from None


def _compare(options: argparse.Namespace) -> int:
    before = listing_of(options.before, project=options.project)
    after = listing_of(options.after, project=options.project, context=options.context)
    comparison = compare(before, after, options.on.split(","), ignore=options.ignore)
    give(options, "Comparison of sources", comparison, comparison.frame)
    return 0 if comparison.ok else 1


def _record(options: argparse.Namespace) -> int:
    df = listing_of(
        options.place, project=options.project, context=options.context, comments=options.comments
    )
    snapshot = History(options.history).record(df, another_tenant=options.another_tenant)
    say(visible_lines(str(snapshot)))
    return 0
