"""A process that works on comments and can be killed at any moment, again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.waiting import AGES

# Forks a worker for each line: what is imported need not be imported again.
_WORKING = """
import json, os, sys, warnings
import reinfer_nb as rnb
import reinfer_nb.api.contents.archiving, reinfer_nb.api.contents.uploading, tqdm.auto

warnings.simplefilter("ignore")
for line in sys.stdin:
    what, endpoint, token, arguments, options = json.loads(line)
    child = os.fork()
    if not child:
        client = rnb.connect(endpoint=endpoint, token=token)
        work = rnb.restore if what == "restore" else getattr(client, what)
        first = [client] if what == "restore" else []
        work(*first, *arguments, **options)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Workers:
    """Processes that call a method of a client, one after the other.

    Args:
        state: The folder for their journals.
    """

    def __init__(self, state: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(state)},
            cwd=Path(__file__).parent.parent,
        )
        self._worker = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=AGES)

    def begin(self, box: Any, what: str, *arguments: object, **options: object) -> None:
        """Begin to call a method of a client of a sandbox."""
        assert self._process.stdin is not None
        line = json.dumps(
            [what, box.endpoint, box.tokens["admin"], arguments, options], default=str
        )
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        self._worker = self._number()

    def kill(self) -> bool:
        """Kill the worker; return False if it had ended before."""
        os.kill(self._worker, signal.SIGKILL)
        code = self._number()
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def end(self) -> None:
        """Wait until the worker has ended without an error."""
        assert self._number() == 0

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())
