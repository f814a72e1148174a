"""Prints on stdout and stderr, also if a reader has closed the pipe or the disk is full.

This module imports little, so that help is shown at once.
"""

from __future__ import annotations

import contextlib
import os
import sys

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


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


def give_bytes(content: bytes) -> bool:
    """Write bytes to stdout, whatever its encoding; False once the reader has closed the pipe.

    Raises:
        OSError: The output cannot be written, for example because the disk is full.
    """
    try:
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            print(content.decode(), end="", flush=True)
    except BrokenPipeError:
        discard_the_rest(sys.stdout)
        return False
    return True


def note(text: str = "", *, end: str = "\n") -> None:
    """Print on stderr, with invisible characters escaped. Ignore errors of the output."""
    from reinfer_nb.text import visible_lines

    try:
        print(visible_lines(text), end=end, file=sys.stderr, flush=True)
    except OSError:
        discard_the_rest(sys.stderr)


@contextlib.contextmanager
def print_warnings() -> Iterator[None]:
    """Context manager in which a warning is a line on stderr, without the place in the code."""
    import warnings

    def line(message: Warning | str, *_: object) -> str:
        from reinfer_nb.text import visible_lines

        return f"reinfer-nb: warning: {visible_lines(str(message))}\n"

    before = warnings.formatwarning
    warnings.formatwarning = line  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.formatwarning = before


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
    from reinfer_nb.errors import reason_of

    discard_the_rest(sys.stdout)
    note(f"reinfer-nb: the output could not be written: {reason_of(error)}")
    return 2


def discard_the_rest(stream: TextIO) -> None:
    """Discard further output of a stream, also when Python flushes it at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
