"""The commands about comments: `comments`, `activity`, `archive` and `upload`."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from reinfer_nb import strict_json
from reinfer_nb.api.contents.counting import range_of
from reinfer_nb.api.contents.keeping import checked_upload
from reinfer_nb.api.contents.uploading import UploadResult, check_confirmed, price
from reinfer_nb.cli import colour
from reinfer_nb.cli.output import discard_the_rest, give_bytes, note, say
from reinfer_nb.cli.shared import answer_to, command_line, has_bar
from reinfer_nb.cli.table import Table
from reinfer_nb.client import Client, connect
from reinfer_nb.comments.archive_file import line_of
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.errors import (
    AuthenticationError,
    ConnectionFailed,
    InvalidInput,
    NotTakenWarning,
    RateLimited,
    ServerError,
)
from reinfer_nb.frames import elements
from reinfer_nb.text import counted, replaced, visible, visible_lines

_NEWEST = 20
_SHOWN = ["timestamp", "from", "subject", "text"]
_WHITE = re.compile(r"[ \t\r\n]+")
# After these the same command may go on.
_INTERRUPTIONS = (
    KeyboardInterrupt,
    ConnectionFailed,
    ServerError,
    RateLimited,
    AuthenticationError,
)
_LABELS = {"month": "%Y-%m", "year": "%Y"}


def run_comments(options: argparse.Namespace) -> int:
    """Run the command `comments`, and return its exit code."""
    _check_overwrite(options)
    has_range = options.since is not None or options.until is not None
    with connect(context=options.context) as client:
        if options.json:
            _stream(_raw_comments(client, options, has_range=has_range))
            return 0
        if has_range:
            df = client.comments(
                options.source, since=options.since, until=options.until, limit=options.limit
            )
        else:
            df = client.sample(options.source, options.limit or _NEWEST)
    if options.csv:
        path = to_csv(df, options.csv, overwrite=options.overwrite)
        note(f"{counted(len(df), 'comment')} written to {path}")
    elif df.empty:
        note("No comments.")
    elif sys.stdout.isatty():
        order = "oldest" if has_range else "newest"
        _print_beginnings(df, f"{counted(len(df), 'comment')}, the {order} first")
    else:
        say("\n".join(Table(df, list(df.columns)).in_full()))
    return 0


def _check_overwrite(options: argparse.Namespace) -> None:
    if options.overwrite and not options.csv:
        raise InvalidInput("--overwrite needs --csv FILE.")


def _raw_comments(
    client: Client, options: argparse.Namespace, *, has_range: bool
) -> Iterator[dict[str, Any]]:
    if not has_range:
        return client.raw_comments(options.source, newest=options.limit or _NEWEST)
    return client.raw_comments(
        options.source, since=options.since, until=options.until, limit=options.limit
    )


def _stream(comments: Iterable[Mapping[str, Any]]) -> None:
    """Print comments as lines of an archive until the reader closes the pipe."""
    is_terminal = sys.stdout.isatty()
    for comment in comments:
        line = line_of(comment)
        if is_terminal:
            # Still JSON: invisible characters become its escapes.
            text = replaced(line.decode().rstrip("\n"), lambda char, _: json.dumps(char)[1:-1])
            line = f"{text}\n".encode()
        if not give_bytes(line):
            return


def _print_beginnings(df: pd.DataFrame, count: str) -> None:
    """Print the most important columns as wide as the terminal, and a line with the count."""
    width = shutil.get_terminal_size().columns
    # More than a cell of that width shows; long texts would take long to measure.
    longest = 8 * width
    # The texts of several messages are joined, after a line that tells which message it is.
    texts = [
        text.partition("\n")[2] if isinstance(text, str) and number > 1 else text
        for text, number in zip(df["text"], df["num_messages"], strict=True)
    ]
    beginnings = df[_SHOWN].assign(
        subject=[_beginning(subject, longest) for subject in df["subject"]],
        text=[_beginning(text, longest) for text in texts],
    )
    table = Table(beginnings, _SHOWN, always=["timestamp"], further=["subject", "text"])
    _print_table(table, width, count)


def _beginning(text: object, longest: int) -> str:
    """Return the beginning of a text on one line."""
    if not isinstance(text, str):
        return ""
    line = _WHITE.sub(" ", text[: 2 * longest]).strip()
    return line if len(text) <= 2 * longest and len(line) <= longest else f"{line[:longest]}…"


def _print_table(table: Table, width: int, count: str, *, drop: bool = True) -> None:
    first, *rows = table.fitting(width, drop=drop)
    say("\n".join([colour.heading(first), *rows, count]))


def run_activity(options: argparse.Namespace) -> int:
    """Run the command `activity`, and return its exit code."""
    _check_overwrite(options)
    # Before anything is requested.
    since, until = range_of(options.since, options.until)
    with connect(context=options.context) as client:
        df = client.activity(
            options.names or client.sources(),
            options.freq,
            since=since or options.since,
            until=until or options.until,
            progress=has_bar(),
        )
    if options.csv:
        path = to_csv(df, options.csv, overwrite=options.overwrite)
        note(f"{counted(len(df), 'row')} written to {path}")
    elif options.json:
        say(strict_json.text_of(elements.to_elements(df), indent=2))
    elif df.empty:
        note("No sources.")
    elif sys.stdout.isatty():
        _print_activity(df, options.freq)
    else:
        say("\n".join(Table(df, list(df.columns)).in_full()))
    return 0


def _print_activity(df: pd.DataFrame, freq: str) -> None:
    """Print a column a period if the terminal is wide enough, otherwise a row a period."""
    width = shutil.get_terminal_size().columns
    number = df["period"].nunique()
    labels = [_label(period, freq) for period in df["period"].iloc[:number]]
    counts = ["" if pd.isna(count) else f"{count:,}" for count in df["num_comments"]]
    names = df.iloc[::number][["owner", "name"]].reset_index(drop=True)
    columns = {}
    for place, label in enumerate(labels):
        cells = counts[place::number]
        longest = max(map(len, [label, *cells]))
        columns[label.rjust(longest)] = [cell.rjust(longest) for cell in cells]
    wide = names.assign(**columns)
    table = Table(wide, list(wide.columns))
    if not table.fits(width):
        longest = max(map(len, counts))
        long = df[["owner", "name"]].assign(
            period=labels * len(names), comments=[count.rjust(longest) for count in counts]
        )
        table = Table(long, list(long.columns))
    count = f"{counted(len(names), 'source')}, {counted(number, freq)}"
    _print_table(table, width, count, drop=False)


def _label(period: pd.Timestamp, freq: str) -> str:
    """Return a period as people write it; a day or a week by its first date."""
    if freq == "quarter":
        return f"{period.year:04}-Q{period.quarter}"
    return period.strftime(_LABELS.get(freq, "%Y-%m-%d"))


def run_archive(options: argparse.Namespace) -> int:
    """Run the command `archive`, and return its exit code."""
    # Once, so that the command that goes on is about the same range: "90 days ago" changes.
    since, until = range_of(options.since, options.until)
    again = command_line(
        options,
        *("archive", options.source, options.path),
        *_given("--since", since),
        *_given("--until", until),
        *(["--overwrite"] if options.overwrite else []),
    )
    parts = options.path.with_name(f"{options.path.name}.partial")
    with (
        connect(context=options.context) as client,
        _telling_how_to_go_on(again, "What is written so far is kept.", parts.is_dir),
    ):
        archive = client.archive(
            options.source,
            options.path,
            since=since,
            until=until,
            overwrite=options.overwrite,
            progress=has_bar(),
        )
    say(_fact_lines(archive.facts()))
    return 0


def _given(option: str, moment: datetime | None) -> list[str]:
    return [] if moment is None else [option, moment.isoformat()]


@contextlib.contextmanager
def _telling_how_to_go_on(
    command: str, kept: str, is_begun: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Context manager that notes how to go on if the work is interrupted.

    Args:
        command: The command that goes on.
        kept: What is kept, as a sentence.
        is_begun: Returns False if there is nothing to go on with.
    """
    try:
        yield
    except _INTERRUPTIONS:
        if is_begun():
            # The progress bar has not ended its line.
            note(end="\n" if has_bar() else "")
            note(f"{kept} Continue with: {command}")
        raise


def run_upload(options: argparse.Namespace) -> int:
    """Run the command `upload`, and return its exit code."""
    with connect(context=options.context) as client:
        source, number = checked_upload(
            client, options.source, options.archive, another_source=options.another_source
        )
        confirm = options.confirm
        if confirm is None and sys.stdin.isatty():
            question = f"{price(number, source.full_name)}\nType {number} to upload them: "
            if number and answer_to(visible_lines(question)) != str(number):
                note("Nothing was sent.")
                return 1
            confirm = number
        check_confirmed(confirm, number, source.full_name)
        again = command_line(
            options,
            *("upload", options.source, options.archive, "--confirm", str(number)),
            *(["--another-source"] if options.another_source else []),
            *(["--journal", options.journal] if options.journal else []),
        )
        with (
            _telling_how_to_go_on(again, "What the tenant has taken is in the journal."),
            # The refused comments are printed anyway.
            warnings.catch_warnings(action="ignore", category=NotTakenWarning),
        ):
            # Checks the archive again: it may have changed while the question waited.
            result = client.upload(
                source,
                options.archive,
                confirm=confirm,
                another_source=options.another_source,
                journal=options.journal,
                progress=has_bar(),
            )
    _report(result)
    return 0 if result.ok else 1


def _report(result: UploadResult) -> None:
    """Print the numbers of comments, and which were refused and why."""
    facts = result.facts()
    numbers = ", ".join(f"{number} {name}" for name, number in facts.items() if name != "source")
    refused = [f"! {visible(name)}: {visible(why)}" for name, why in result.refused.items()]
    text = "\n".join([f"{facts['source']}: {numbers}", *refused])
    try:
        print(colour.report(text), flush=True)
    except OSError:
        # The comments are uploaded, and the exit code tells whether some were refused.
        discard_the_rest(sys.stdout)
        note(f"The result could not be printed.\n{text}")


def _fact_lines(facts: Mapping[str, str]) -> str:
    longest = max(map(len, facts))
    return "\n".join(
        f"{visible(name)}:{' ' * (longest - len(name))} {visible(value)}"
        for name, value in facts.items()
    )
