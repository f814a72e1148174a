"""What several commands share: where their listing comes from, how their answer is given."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pandas as pd

from reinfer_nb import markup, places
from reinfer_nb.connection import connect
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.export import csv_of
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.text import counted, visible

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no public name
_TENANT = "context:"
WHERE = f"A listing is {places.HELP}, or a tenant of a context of `re` (context:prod)."


def listing_of(
    place: str | None,
    *,
    project: str | None = None,
    context: str | None = None,
    comments: bool = False,
) -> pd.DataFrame:
    """Return the listing that is meant on the command line.

    Args:
        place: As `WHERE` tells; None for the configured tenant.
        project: Only the sources of this project.
        context: The context of the vendor's client that says the tenant.
        comments: Whether the comments of a tenant's sources are counted as well.

    Raises:
        ReinferError: It cannot be had.
    """
    if place is not None and not place.startswith(_TENANT):
        if context is not None or comments:
            raise InvalidInput("--context and --comments go with a tenant, not with a file.")
        return places.listing_at(place, project)
    if place is not None:
        context = place.removeprefix(_TENANT)
    with connect(context=context) as client:
        df = client.sources(project)
        return client.statistics(df) if comments else df


def path_argument(text: str) -> Path:
    """Return the path that an argument of the command line is.

    Raises:
        argparse.ArgumentTypeError: It is none, such as an empty text; the command does not run.
    """
    try:
        return path_of(text)
    except (FileProblem, InvalidInput) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def visible_lines(text: str) -> str:
    """Return text of a tenant or a file fit for a terminal, its line breaks kept."""
    return "\n".join(map(visible, text.split("\n")))


def discard_the_rest() -> None:
    """Let what cannot be printed any more go nowhere, at the end of the process too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Answer(Protocol):
    """What a command found, in each of the forms it is given in."""

    def to_text(self, limit: int | None = None) -> str:
        """Return it as lines."""

    def to_html(self, limit: int | None = None) -> str:
        """Return it as a piece of HTML."""


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options by which an answer is given."""
    parser.add_argument(
        "--format",
        choices=("text", "csv", "json", "html"),
        default="text",
        help="of the answer; html is a page for a browser (default: text)",
    )
    parser.add_argument("--out", type=path_argument, metavar="FILE", help="write it to a file")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE")


def give(options: argparse.Namespace, title: str, answer: Answer, table: pd.DataFrame) -> None:
    """Print an answer in the form that is asked for, or write it to the file.

    Args:
        options: Those of `add_output`.
        title: What a page is called.
        answer: For text and HTML.
        table: For CSV and JSON; all texts.

    Raises:
        FileProblem: The file is there, or could not be written.
    """
    if options.overwrite and not options.out:
        raise InvalidInput("--overwrite goes with --out FILE.")
    content = _FORMS[options.format](title, answer, table)
    if options.out:
        with written_whole(options.out, overwrite=options.overwrite) as file:
            file.write(content)
        print(f"{counted(len(table), 'row')} written to {options.out}", file=sys.stderr)
    elif hasattr(sys.stdout, "buffer") and options.format != "text":
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        print(content.decode(), end="")


def _text(_: str, answer: Answer, __: pd.DataFrame) -> bytes:
    return (answer.to_text(None) + "\n").encode(errors="backslashreplace")


def _csv(_: str, __: Answer, table: pd.DataFrame) -> bytes:
    return csv_of(table)


def _json(_: str, __: Answer, table: pd.DataFrame) -> bytes:
    rows: list[dict[str, Any]] = [
        {str(name): None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]
    return (json.dumps(rows, indent=2) + "\n").encode()


def _html(title: str, answer: Answer, _: pd.DataFrame) -> bytes:
    content = markup.Markup(answer.to_html(None))
    return markup.page(title, content).encode(errors="backslashreplace")


_FORMS: dict[str, Callable[[str, Answer, pd.DataFrame], bytes]] = {
    "text": _text,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
