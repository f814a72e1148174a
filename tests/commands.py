"""Command lines, each run in a process forked from one that has imported all libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.waiting import AGES

# For each line on stdin, forks a process that runs a command line as `python -m reinfer_nb.cli`
# does and writes its output to two files.
_FORKING = """
import json, os, sys
import reinfer_nb.audits.report, reinfer_nb.diff.comparison, reinfer_nb.csvfile.io
import reinfer_nb.history.history, reinfer_nb.plans.plan
from reinfer_nb import cli

for line in sys.stdin:
    arguments, *files = json.loads(line)
    child = os.fork()
    if not child:
        for number, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.exit(cli.main(arguments))
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Commands:
    """Runs command lines.

    Args:
        environment: Variables besides those of this process.
        folder: The working folder of the commands.
        files: A folder for their output.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, files: Path) -> None:
        self._files = [files / "stdout", files / "stderr"]
        self._forking = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forking.communicate(timeout=AGES)

    def run(self, *arguments: str) -> tuple[int, bytes, bytes]:
        """Run a command line; return its exit code, stdout and stderr."""
        assert self._forking.stdin
        assert self._forking.stdout
        line = json.dumps([arguments, *map(str, self._files)])
        self._forking.stdin.write(line + "\n")
        self._forking.stdin.flush()
        code = int(self._forking.stdout.readline())
        out, err = (file.read_bytes() for file in self._files)
        return code, out, err
