"""What several commands share: where their listing comes from, how their answer is given."""

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
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.files import path_of, written_whole
from reinfer_nb.history import listing_source
from reinfer_nb.schema.value_types import is_missing
from reinfer_nb.text import counted, visible_lines

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no public name
_TENANT = "context:"
WHERE = f"A listing is {listing_source.HELP}, or a tenant of a context of `re` (context:prod)."


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
        return listing_source.listing_at(place, project)
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


def say(text: str, *, end: str = "\n") -> None:
    """Print on stdout. If the reader has closed the pipe (`| head`), the rest is dropped.

    So the exit code tells what the command found, however much of it was read.

    Raises:
        OSError: The output cannot be written, for example because the disk is full.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)


def note(text: str = "", *, end: str = "\n") -> None:
    """Print on stderr, what is invisible as its escape.

    Where that is impossible, nobody can be told, and the command goes on.
    """
    try:
        print(visible_lines(text), end=end, file=sys.stderr, flush=True)
    except OSError:
        discard_the_rest(sys.stderr)


def flush_output(code: int) -> int:
    """Write what is still buffered for stdout, and return the exit code.

    Args:
        code: The exit code so far.

    Returns:
        The same code; 2 if the output could not be written, which is said on stderr.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
    except OSError as error:
        return unwritten(error)
    return code


def unwritten(error: OSError) -> int:
    """Say on stderr why the output could not be written, and return the exit code for that."""
    discard_the_rest(sys.stdout)
    note(f"reinfer-nb: the output could not be written: {error.strerror}")
    return 2


def discard_the_rest(stream: TextIO) -> None:
    """Send what cannot be printed any more nowhere, at the end of the process too."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
    if options.out and options.format == "csv":
        to_csv(table, options.out, overwrite=options.overwrite)
        note(f"{counted(len(table), 'row')} written to {options.out}")
    elif options.out:
        with written_whole(options.out, overwrite=options.overwrite) as file:
            file.write(content)
        note(f"{counted(len(table), 'row')} written to {options.out}")
    elif options.format == "csv" and sys.stdout.isatty():
        # A terminal obeys control characters, which a file or a pipe gets as they are.
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


def _text(_: str, answer: Answer, __: pd.DataFrame) -> bytes:
    return (visible_lines(answer.to_text(None)) + "\n").encode(errors="backslashreplace")


def _csv(_: str, __: Answer, table: pd.DataFrame) -> bytes:
    return csv_of(table)


def _json(_: str, __: Answer, table: pd.DataFrame) -> bytes:
    rows: list[dict[str, Any]] = [
        {str(name): None if is_missing(cell) else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]
    return (strict_json.text_of(rows, indent=2) + "\n").encode()


def _html(title: str, answer: Answer, _: pd.DataFrame) -> bytes:
    content = markup.Markup(answer.to_html(None))
    return markup.page(title, content).encode(errors="backslashreplace")


_FORMS: dict[str, Callable[[str, Answer, pd.DataFrame], bytes]] = {
    "text": _text,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
