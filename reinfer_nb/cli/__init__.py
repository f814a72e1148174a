"""The command line: what a shell, a cron job or a first look needs of the toolkit."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from reinfer_nb import errors
from reinfer_nb.auth.tenant import ENDPOINT, TOKEN
from reinfer_nb.cli import listings, plans, reports, servers
from reinfer_nb.cli.shared import flush_output, note, unwritten


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Args:
        arguments: What stands behind the command's name; by default that of this process.

    Returns:
        0 when it did what was asked; 1 when an audit or a comparison found something, an edited
        listing has problems, a plan was not done in full or not agreed to; 2 when it could not
        (the reason is on stderr); 130 when it was stopped with Ctrl-C.
    """
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding does not have is shown as its escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        code: int = options.run(options)
    except errors.ReinferError as error:
        note(f"reinfer-nb: {error}")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        return unwritten(error)
    except SystemExit as end:
        # Of argparse: help, the version, or a mistake in the options, for which it prints.
        raise SystemExit(flush_output(end.code if isinstance(end.code, int) else 0)) from None
    return flush_output(code)


def _open_what_is_closed() -> None:
    """Open the streams that the shell has closed (`>&-`), as ends of nothing.

    A closed stdout is a pipe that nobody reads: the exit code still tells what the command found,
    and what a person has to see before something is sent is known to be unseen.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - for the life of the process
    if sys.stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        if writer != 1:
            os.close(writer)
        sys.stdout = open(1, "w")  # noqa: SIM115 - likewise
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - likewise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reinfer-nb",
        description="Look after the sources of a UiPath Communications Mining tenant.",
        epilog=(
            f"The tenant is the one of {ENDPOINT} and {TOKEN}, or of the vendor's client `re`. "
            "Example: reinfer-nb list claims --csv claims.csv"
        ),
    )
    version = f"reinfer-nb {metadata.version('reinfer_nb')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    for part in (servers, listings, reports, plans):
        part.add(commands)
    return parser
