"""Python scripts, each run in a process forked from one that has imported all libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.waiting import AGES

# For each line on stdin, forks a process that runs a script as `python SCRIPT` does and writes its
# output to two files.
_FORKING = """
import builtins, json, os, sys
from pathlib import Path
import IPython.core.interactiveshell
import reinfer_nb as rnb
import reinfer_nb.frames.convert

for line in sys.stdin:
    script, folder, environment, *files = json.loads(line)
    child = os.fork()
    if not child:
        for number, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(folder)
        os.environ.update(environment)
        # As in a main module, where tracebacks with local variables do not list all built-in names.
        names = {"__name__": "__main__", "__file__": script, "__builtins__": builtins}
        exec(compile(Path(script).read_text(), script, "exec"), names)
        sys.exit()
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Scripts:
    """Runs scripts, without the second that imports of the package and of IPython take."""

    def __init__(self) -> None:
        self._forking = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forking.communicate(timeout=AGES)

    def run(self, script: Path, environment: Mapping[str, str]) -> str:
        """Run a script in its folder, with more variables; return stdout and stderr."""
        assert self._forking.stdin
        assert self._forking.stdout
        files = [script.with_suffix(".stdout"), script.with_suffix(".stderr")]
        order = [script, script.parent, environment, *files]
        self._forking.stdin.write(json.dumps(order, default=str) + "\n")
        self._forking.stdin.flush()
        assert self._forking.stdout.readline()
        return "".join(file.read_text() for file in files)
