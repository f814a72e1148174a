"""Run the command line in this process on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import sys
import termios
import threading
from collections.abc import Sequence

import pytest

from reinfer_nb import cli


def on_terminal(
    arguments: Sequence[str], width: int, columns: str | None = None
) -> tuple[int, str]:
    """Run a command whose stdout is a terminal; return its exit code and what it printed.

    Args:
        arguments: The arguments of the command line.
        width: The width of the terminal.
        columns: The environment variable COLUMNS.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
        except OSError:
            # Linux reports a closed terminal so.
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with pytest.MonkeyPatch.context() as patch:
        stream = os.fdopen(theirs, "w", encoding="utf-8")
        patch.setattr(sys, "stdout", stream)
        # `shutil.get_terminal_size` asks this one.
        patch.setattr(sys, "__stdout__", stream)
        patch.setenv("COLUMNS", columns or "")
        try:
            code = cli.main(arguments)
        finally:
            stream.close()
            reader.join()
            os.close(ours)
    return code, b"".join(parts).decode().replace("\r\n", "\n")
