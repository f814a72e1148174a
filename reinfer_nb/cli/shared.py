"""Input and output that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeAlias

import pandas as pd

from reinfer_nb import markup, strict_json
from reinfer_nb.client import connect
from reinfer_nb.csvfile.io import csv_of, to_csv
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.history import listing_source
from reinfer_nb.schema.value_types import python_value
from reinfer_nb.text import counted, visible_lines

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no public name
_TENANT = "context:"
WHERE = f"A listing is {listing_source.HELP}, or the tenant of a context of `re` (context:prod)."


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


def path_argument(text: str) -> Path:
    """Return an argument of the command line as a path.

    Raises:
        argparse.ArgumentTypeError: The text is not a path, for example since it is empty.
    """
    try:
        return path_of(text)
    except (FileProblem, InvalidInput) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def say(text: str, *, end: str = "\n") -> None:
    """Print on stdout. If the reader has closed the pipe (`| head`), drop the rest.

    The exit code thus depends on the findings, not on how much of them was read.

    Raises:
        OSError: The output cannot be written, for example because the disk is full.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)


def note(text: str = "", *, end: str = "\n") -> None:
    """Print on stderr, with invisible characters escaped. Ignore errors of the output."""
    try:
        print(visible_lines(text), end=end, file=sys.stderr, flush=True)
    except OSError:
        discard_the_rest(sys.stderr)


def flush_output(code: int) -> int:
    """Write what is still buffered for stdout, and return the exit code.

    Args:
        code: The exit code so far.

    Returns:
        The same code; 2 if the output could not be written, with a message on stderr.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
    except OSError as error:
        return unwritten(error)
    return code


def unwritten(error: OSError) -> int:
    """Report on stderr that the output could not be written, and return the exit code."""
    discard_the_rest(sys.stdout)
    note(f"reinfer-nb: the output could not be written: {reason_of(error)}")
    return 2


def discard_the_rest(stream: TextIO) -> None:
    """Discard further output of a stream, also when Python flushes it at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Report(Protocol):
    """The result of a command, as text and as HTML."""

    def to_text(self, limit: int | None = None) -> str:
        """Return the report as lines."""

    def to_html(self, limit: int | None = None) -> str:
        """Return the report as an HTML fragment."""


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options for the output of a report."""
    parser.add_argument(
        "--format",
        choices=("text", "csv", "json", "html"),
        default="text",
        help="format of the output; html is a page for a browser (default: text)",
    )
    parser.add_argument("--out", type=path_argument, metavar="FILE", help="write to a file")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE")


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
