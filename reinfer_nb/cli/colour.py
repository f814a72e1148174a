"""Colours of the output on a terminal; a file or a pipe never gets an escape code."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_BOLD, _RED, _GREEN, _YELLOW = "1", "31", "32", "33"
# By the first characters of a line: differences, problems, and severities of findings.
_LINES = {
    "+ ": _GREEN,
    "- ": _RED,
    "~ ": _YELLOW,
    "! ": _RED,
    "error: ": _RED,
    "warning: ": _YELLOW,
    "info: ": _BOLD,
}


def is_coloured(stream: TextIO) -> bool:
    """True if a stream is a terminal that shows colours, and the user has not switched them off."""
    # Other consoles of Windows may print the codes.
    is_able = os.name != "nt" or "WT_SESSION" in os.environ
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return is_able and is_wanted and stream.isatty()


def heading(text: str) -> str:
    """Return a line in bold if stdout is coloured."""
    return _coded(text, _BOLD) if is_coloured(sys.stdout) else text


def report(text: str) -> str:
    """Return a report whose first line is bold and whose marks have colours, if stdout has any.

    Args:
        text: The lines, without invisible characters.
    """
    if not is_coloured(sys.stdout):
        return text
    first, *others = text.split("\n")
    return "\n".join([_coded(first, _BOLD), *map(_marked, others)])


def _marked(line: str) -> str:
    for mark, code in _LINES.items():
        if line.startswith(mark):
            return _coded(mark[:-1], code) + line[len(mark) - 1 :]
    return line


def _coded(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text else text
