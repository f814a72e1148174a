"""Input and output that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pandas as pd

from reinfer_nb import markup, strict_json
from reinfer_nb.cli import colour
from reinfer_nb.cli.output import give_bytes, note, say
from reinfer_nb.client import Client, connect
from reinfer_nb.csvfile.io import csv_of, to_csv
from reinfer_nb.errors import InvalidInput, NotFound, ReinferError
from reinfer_nb.files import written_whole
from reinfer_nb.frames.row_numbers import FILE_ROW, numbered_as_file
from reinfer_nb.schema.provenance import PROJECT
from reinfer_nb.schema.value_types import python_value
from reinfer_nb.snapshots import listing_source
from reinfer_nb.text import counted, hint, shown, visible, visible_lines

_TENANT = "context:"


def listing_of(
    place: str | None,
    projects: Sequence[str] | None = None,
    *,
    context: str | None = None,
    comments: bool = False,
    may_lack: bool = False,
) -> pd.DataFrame:
    """Return a listing named on the command line.

    Args:
        place: A CSV file, a history or "context:NAME"; None for the configured tenant.
        projects: Only the sources of these projects.
        context: The context of the vendor's client for the tenant.
        comments: Whether to count the comments of a tenant's sources too.
        may_lack: Whether a file or history may have no source of a project.

    Returns:
        The listing; messages about its rows have the row numbers of a spreadsheet.

    Raises:
        ReinferError: The listing cannot be read, or there is no such project.
    """
    if place is not None and not place.startswith(_TENANT):
        if context is not None or comments:
            raise InvalidInput("--context and --comments need a tenant, not a file.")
        df = _listing_at(place, projects)
        if not may_lack:
            check_projects(projects, [df], [place])
        return df
    if place is not None:
        context = place.removeprefix(_TENANT)
    with connect(context=context) as client, suggesting(client, projects):
        df = client.sources(_only(projects))
        return numbered_as_file(client.statistics(df) if comments else df)


def _only(projects: Sequence[str] | None) -> str | list[str] | None:
    """Return the projects as `Client.sources` takes them."""
    names = list(dict.fromkeys(projects or []))
    return names if len(names) > 1 else next(iter(names), None)


def _listing_at(place: str, projects: Sequence[str] | None) -> pd.DataFrame:
    names: list[str | None] = [*dict.fromkeys(projects or [])]
    parts = [listing_source.listing_at(place, name, numbered=True) for name in names or [None]]
    if len(parts) == 1:
        df = parts[0]
    else:
        df = pd.concat(parts)
        df.attrs = parts[0].attrs | {PROJECT: names}
    return df if df.index.name == FILE_ROW else numbered_as_file(df)


def check_projects(
    projects: Sequence[str] | None,
    listings: Sequence[pd.DataFrame],
    places: Sequence[str | None],
) -> None:
    """Raise `InvalidInput` if no listing has a source of one of the projects.

    Args:
        projects: The projects; None for all.
        listings: The sources of these projects.
        places: Where each listing is from, for a suggestion; None for the configured tenant.
    """
    for project in projects or []:
        if any((df["owner"] == project).any() for df in listings):
            continue
        files = [place for place in places if place and not place.startswith(_TENANT)]
        if len(files) == len(places):
            owners = set().union(*(listing_source.listing_at(file)["owner"] for file in files))
            known = sorted(owner for owner in owners if isinstance(owner, str))
            raise InvalidInput(
                f"{' and '.join(map(shown, files))} {'has' if len(files) == 1 else 'have'} no "
                f"source of the project {shown(project)}."
                + (f" {hint(project, known)}" if known else "")
            )


@contextlib.contextmanager
def suggesting(client: Client, projects: Sequence[str] | None) -> Iterator[None]:
    """Context manager that adds the tenant's project of the nearest name to `NotFound`."""
    try:
        yield
    except NotFound as error:
        owners: list[str] = []
        with contextlib.suppress(ReinferError):
            owners = sorted(client.sources()["owner"].dropna().unique())
        unknown = [project for project in projects or [] if project not in owners]
        if not owners or not unknown:
            raise
        raise NotFound(
            f"{error} {hint(unknown[0], owners)}", error.status, error.server_message
        ) from None


def has_bar() -> bool:
    """True if somebody sees a progress bar."""
    return sys.stderr.isatty()


def answer_to(question: str) -> str:
    """Ask on the terminal before something is sent, and return the answer in small letters.

    Raises:
        OSError: The question cannot be shown.
        KeyboardInterrupt: The user pressed Ctrl-C instead.
    """
    # On stderr, since stdout may go to a file. Not with `note`, which ignores errors: nobody may
    # answer a question that was not shown.
    print(question, end="", file=sys.stderr, flush=True)
    try:
        return input().strip().lower()
    except EOFError:
        note()
        return ""
    except KeyboardInterrupt:
        note("\nNothing was sent.")
        raise


def command_line(options: argparse.Namespace, *words: str | os.PathLike[str]) -> str:
    """Return a command of `reinfer-nb` for the same tenant, as a line for the shell."""
    context = ["--context", options.context] if options.context else []
    return visible(shlex.join(["reinfer-nb", *(os.fspath(word) for word in words), *context]))


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
    elif options.format != "text":
        give_bytes(content)
    else:
        say(colour.report(content.decode()), end="")


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
