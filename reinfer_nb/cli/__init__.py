"""The command line `reinfer-nb`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from reinfer_nb.cli.output import flush_output, note, print_warnings, unwritten
from reinfer_nb.cli.parser import parsed
from reinfer_nb.wording import for_shell


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Args:
        arguments: The arguments after the name of the program; by default those of the process.

    Returns:
        0 for success; 1 if an audit or a comparison found something, an edited listing has
        problems, a plan was not done in full, some comments of an upload were refused, or either
        was not confirmed; 2 for an error, with a message on stderr; 130 if it was stopped with
        Ctrl-C.
    """
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape characters that the terminal's encoding does not have.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parsed(arguments)
        with for_shell(), print_warnings():
            module, function = options.run.split(".")
            run = getattr(import_module(f"reinfer_nb.cli.{module}"), function)
            code: int = run(options)
    except SystemExit as end:
        # Raised by argparse after it has printed help, the version or an error.
        raise SystemExit(flush_output(end.code if isinstance(end.code, int) else 0)) from None
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        from reinfer_nb.errors import ReinferError

        if isinstance(error, ReinferError):
            note(f"reinfer-nb: {error}")
            code = 2
        elif isinstance(error, OSError):
            return unwritten(error)
        else:
            raise
    return flush_output(code)


def _open_closed_streams() -> None:
    """Replace the standard streams that the shell has closed (`>&-`).

    A closed stdout becomes a pipe without a reader: the exit code is the usual one, and `apply`
    still notices that the plan cannot be shown.
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
