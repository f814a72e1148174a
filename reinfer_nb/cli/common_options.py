"""Options that several commands share.

This module imports little, so that help is shown at once.
"""

from __future__ import annotations

import argparse

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


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
