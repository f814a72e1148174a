"""The read-only commands `audit`, `compare` and `record`."""

from __future__ import annotations

import argparse
from typing import Any

from reinfer_nb.audits.report import audit
from reinfer_nb.audits.rule import chosen
from reinfer_nb.cli.output import say
from reinfer_nb.cli.parser import NEVER
from reinfer_nb.cli.shared import check_projects, give, listing_of
from reinfer_nb.diff.comparison import compare
from reinfer_nb.errors import InvalidInput
from reinfer_nb.history.history import History
from reinfer_nb.text import shown, visible_lines


def run_audit(options: argparse.Namespace) -> int:
    """Run the command `audit`, and return its exit code."""
    rules = chosen(options.rule, options.ignore)
    defaults = {name: default for rule in rules for name, default in rule.options.items()}
    settings = dict(_setting(text, defaults) for text in options.option)
    df = listing_of(
        options.place, options.project, context=options.context, comments=options.comments
    )
    report = audit(df, rules, options.now, **settings)
    give(options, "Audit of sources", report, report.findings)
    if options.fail_on == NEVER:
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


def run_compare(options: argparse.Namespace) -> int:
    """Run the command `compare`, and return its exit code."""
    before = listing_of(options.before, options.project, may_lack=True)
    after = listing_of(options.after, options.project, context=options.context, may_lack=True)
    check_projects(options.project, [before, after], [options.before, options.after])
    keys = [name for part in options.on.split(",") if (name := part.strip())]
    comparison = compare(before, after, keys, ignore=options.ignore)
    give(options, "Comparison of sources", comparison, comparison.frame)
    return 0 if comparison.ok else 1


def run_record(options: argparse.Namespace) -> int:
    """Run the command `record`, and return its exit code."""
    df = listing_of(
        options.place, options.project, context=options.context, comments=options.comments
    )
    snapshot = History(options.history).record(df, another_tenant=options.another_tenant)
    say(visible_lines(str(snapshot)))
    return 0
