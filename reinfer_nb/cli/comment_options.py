"""The options of the commands about comments."""

from __future__ import annotations

import argparse

from reinfer_nb.cli.common_options import add_context, add_csv_or_json, add_overwrite, file_path

_WHEN = "such as 2026-03, 2026-03-01T12:00, yesterday or '90 days ago', in UTC"
_PRICE = "The tenant charges 1 AI unit for each comment that is new or whose text differs."
_UPLOAD_CODES = (
    "Exit code: 0 all comments are uploaded, 1 the tenant refused some or you did not confirm, "
    "2 an error, 130 stopped with Ctrl-C."
)


def _add_comments(reading: argparse.ArgumentParser) -> None:
    reading.description = (
        "Show the newest comments of a source, the newest first; or those of a range of time, "
        "the oldest first. A terminal gets the beginning of each text; a pipe gets all columns "
        "in full. --json prints while it reads, so a source may be of any size."
    )
    reading.epilog = (
        "Example: reinfer-nb comments claims/motor-inbox --since 2026-01 --json > new.jsonl"
    )
    _add_source(reading)
    reading.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help="the most comments; default: 20, or all of a range of time",
    )
    _add_range(reading)
    add_csv_or_json(
        reading, "print one JSON object a line, with all that the API tells of a comment"
    )
    add_context(reading)
    reading.set_defaults(run="comments.run_comments")


def _add_activity(counting: argparse.ArgumentParser) -> None:
    counting.description = (
        "Count the comments of sources in each period of time. A terminal gets a row a source "
        "and a column a period if it is wide enough; a pipe gets a row a source and period."
    )
    counting.epilog = (
        "Example: reinfer-nb activity claims people/payroll --freq quarter --since 2024"
    )
    counting.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a project or a source, such as claims or claims/motor-inbox; default: all sources",
    )
    counting.add_argument(
        "--freq",
        choices=("day", "week", "month", "quarter", "year"),
        default="month",
        help="the length of a period (default: month)",
    )
    _add_range(counting, until="now")
    add_csv_or_json(counting, "print JSON")
    add_context(counting)
    counting.set_defaults(run="comments.run_activity")


def _add_archive(archiving: argparse.ArgumentParser) -> None:
    archiving.description = (
        "Write the comments of a source to a file, one JSON object a line, as the API tells "
        "them. After an error or Ctrl-C, the same command goes on where it was."
    )
    archiving.epilog = "Example: reinfer-nb archive claims/motor-inbox motor.jsonl.gz"
    _add_source(archiving)
    archiving.add_argument(
        "path",
        type=file_path,
        metavar="PATH",
        help="the file; its name ends in .jsonl.gz, or in .jsonl without compression",
    )
    _add_range(archiving)
    add_overwrite(archiving, "archive")
    add_context(archiving)
    archiving.set_defaults(run="comments.run_archive")


def _add_upload(uploading: argparse.ArgumentParser) -> None:
    uploading.description = (
        f"Show the price, ask, and upload the comments of an archive to a source. {_PRICE} "
        "After an error or Ctrl-C, the same command goes on where it was."
    )
    uploading.epilog = (
        f"{_UPLOAD_CODES} Example: reinfer-nb upload claims/motor-inbox motor.jsonl.gz"
    )
    _add_source(uploading)
    uploading.add_argument(
        "archive", type=file_path, metavar="ARCHIVE", help="the file of reinfer-nb archive"
    )
    uploading.add_argument(
        "--confirm",
        type=int,
        metavar="N",
        help="do not ask; N is the number of comments in ARCHIVE",
    )
    uploading.add_argument(
        "--another-source",
        action="store_true",
        help="allow a source with another name than the archived one, or of another tenant",
    )
    uploading.add_argument(
        "--journal",
        type=file_path,
        metavar="FILE",
        help="a new file for the journal, or that of an upload to go on with",
    )
    add_context(uploading)
    uploading.set_defaults(run="comments.run_upload")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="a source, such as claims/motor-inbox, or its id"
    )


def _add_range(
    parser: argparse.ArgumentParser, *, since: str | None = None, until: str | None = None
) -> None:
    begin, end = (f"; default: {default}" if default else "" for default in (since, until))
    parser.add_argument(
        "--since",
        default=since,
        metavar="WHEN",
        help=f"only comments sent then or later, {_WHEN}{begin}",
    )
    parser.add_argument(
        "--until",
        default=until,
        metavar="WHEN",
        help=f"only comments sent until then; a day, month or year is included{end}",
    )


def _positive(text: str) -> int:
    """Return an argument of the command line as a whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: It is another text.
    """
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"it must be a whole number from 1 on, not {text!r}")


OPTIONS = {
    "comments": _add_comments,
    "activity": _add_activity,
    "archive": _add_archive,
    "upload": _add_upload,
}
