"""Input and output that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, Protocol

import pandas as pd

from reinfer_nb import markup, strict_json
from reinfer_nb.cli.output import discard_the_rest, note, say
from reinfer_nb.client import connect
from reinfer_nb.csvfile.io import csv_of, to_csv
from reinfer_nb.errors import InvalidInput
from reinfer_nb.files import written_whole
from reinfer_nb.schema.value_types import python_value
from reinfer_nb.snapshots import listing_source
from reinfer_nb.text import counted, visible_lines

_TENANT = "context:"


def listing_of(
    place: str | None,
    *,
    project: str | None = None,
    context: str | None = None,
    comments: bool = False,
) -> pd.DataFrame:
    """Return a listing named on the command line.

    Args:
        place: The listing, see `WHERE`; None for the configured tenant.
        project: Only the sources of this project.
        context: The context of the vendor's client for the tenant.
        comments: Whether to count the comments of a tenant's sources too.

    Raises:
        ReinferError: The listing cannot be read.
    """
    if place is not None and not place.startswith(_TENANT):
        if context is not None or comments:
            raise InvalidInput("--context and --comments need a tenant, not a file.")
        return listing_source.listing_at(place, project)
    if place is not None:
        context = place.removeprefix(_TENANT)
    with connect(context=context) as client:
        df = client.sources(project)
        return client.statistics(df) if comments else df


class Report(Protocol):
    """The result of a command, as text and as HTML."""

    def to_text(self, limit: int | None = None) -> str:
        """Return the report as lines."""

    def to_html(self, limit: int | None = None) -> str:
        """Return the report as an HTML fragment."""


def give(options: argparse.Namespace, title: str, report: Report, table: pd.DataFrame) -> None:
    """Print a report in the chosen format, or write it to the chosen file.

    Args:
        options: The options of `add_output`.
        title: Title of the HTML page.
        report: The report, for text and HTML.
        table: The report as a table of texts, for CSV and JSON.

    Raises:
        FileProblem: The file exists, or could not be written.
    """
    if options.overwrite and not options.out:
        raise InvalidInput("--overwrite needs --out FILE.")
    content = _FORMATS[options.format](title, report, table)
    if options.out and options.format == "csv":
        to_csv(table, options.out, overwrite=options.overwrite)
        note(f"{counted(len(table), 'row')} written to {options.out}")
    elif options.out:
        with written_whole(options.out, overwrite=options.overwrite) as file:
            file.write(content)
        note(f"{counted(len(table), 'row')} written to {options.out}")
    elif options.format == "csv" and sys.stdout.isatty():
        # Escape control characters for a terminal; a file or a pipe gets them unchanged.
        say(visible_lines("\n".join(content.decode("utf-8-sig").split("\r\n"))), end="")
    elif hasattr(sys.stdout, "buffer") and options.format != "text":
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            discard_the_rest(sys.stdout)
    else:
        say(content.decode(), end="")


def _text(_: str, report: Report, __: pd.DataFrame) -> bytes:
    return (visible_lines(report.to_text(None)) + "\n").encode(errors="backslashreplace")


def _csv(_: str, __: Report, table: pd.DataFrame) -> bytes:
    return csv_of(table)


def _json(_: str, __: Report, table: pd.DataFrame) -> bytes:
    rows: list[dict[str, Any]] = [
        {str(name): python_value(cell) for name, cell in row.items()}
        for row in table.to_dict("records")
    ]
    return (strict_json.text_of(rows, indent=2) + "\n").encode()


def _html(title: str, report: Report, _: pd.DataFrame) -> bytes:
    content = markup.Markup(report.to_html(None))
    return markup.page(title, content).encode(errors="backslashreplace")


_FORMATS: dict[str, Callable[[str, Report, pd.DataFrame], bytes]] = {
    "text": _text,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
