"""Options that several commands share.

This module imports little, so that help is shown at once.
"""

from __future__ import annotations

import argparse

from reinfer_nb.constants import LISTING_PLACES

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ONE = "only this project"
SEVERAL = f"{ONE}; repeatable"
WHERE = f"A listing is {LISTING_PLACES}, or the tenant of a context of `re` (context:prod)."


def add_project(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add the option `--project`."""
    parser.add_argument("--project", action="append", metavar="PROJECT", help=help_text)


def add_context(parser: argparse.ArgumentParser, help_ending: str = "") -> None:
    """Add the option `--context`."""
    parser.add_argument("--context", help=f"a context of the vendor's client `re`{help_ending}")


def add_overwrite(parser: argparse.ArgumentParser, name: str = "FILE") -> None:
    """Add the option `--overwrite` for a file of that name."""
    parser.add_argument("--overwrite", action="store_true", help=f"replace an existing {name}")


def add_csv_or_json(parser: argparse.ArgumentParser, json_help: str) -> None:
    """Add the options `--csv`, `--json` and `--overwrite`."""
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--csv", type=file_path, metavar="FILE", help="write a CSV file")
    output.add_argument("--json", action="store_true", help=json_help)
    add_overwrite(parser)


def file_path(text: str) -> Path:
    """Return an argument of the command line as a path.

    Raises:
        argparse.ArgumentTypeError: The text is not a path, for example since it is empty.
    """
    from reinfer_nb.errors import FileProblem, InvalidInput
    from reinfer_nb.files import path_of

    try:
        return path_of(text)
    except (FileProblem, InvalidInput) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
