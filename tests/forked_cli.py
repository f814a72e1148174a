"""A command that runs `python -m reinfer_nb.cli` without the second that its imports take.

A shell can run it with any redirected or closed streams. The command sends its arguments,
environment and open streams to a process that has imported all libraries. That process forks a
child, which sets up its streams as Python does at start.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.waiting import AGES

# Run by the shell. Checks for closed streams before a new file can take their numbers.
_COMMAND = """
import os
open_streams = []
for number in range(3):
    try:
        os.fstat(number)
    except OSError:
        continue
    open_streams.append(number)
import json, socket, sys
asked = [sys.argv[2:], os.getcwd(), dict(os.environ), open_streams]
with socket.socket(socket.AF_UNIX) as line:
    line.connect(sys.argv[1])
    content = json.dumps(asked).encode()
    # At least one descriptor must be sent.
    socket.send_fds(line, [b"%9d" % len(content)], [line.fileno(), *open_streams])
    line.sendall(content)
    code = int(line.recv(9))
sys.exit(code if code >= 0 else 128 - code)
"""

_FORKING = """
import io, json, os, socket, sys
import reinfer_nb.plans.executor, reinfer_nb.audits.report, reinfer_nb.diff.comparison
import reinfer_nb.csvfile.io, reinfer_nb.history.history
import reinfer_nb.plans.plan, reinfer_nb.plans.document
from reinfer_nb import cli

def open_stream(name, number, environment):
    # As `create_stdio` of Python's pylifecycle.c does.
    started = getattr(sys, name)
    unbuffered = bool(number and environment.get("PYTHONUNBUFFERED"))
    mode = "wb" if number else "rb"
    raw = open(number, mode, buffering=0 if unbuffered else -1, closefd=False)
    return io.TextIOWrapper(
        raw,
        encoding=started.encoding,
        errors=started.errors,
        newline="\\n" if number else None,
        line_buffering=not unbuffered and (number == 2 or raw.isatty()),
        write_through=unbuffered,
    )

def become(arguments, folder, environment, numbers, descriptors):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    # None of the descriptors is 0, 1 or 2, which are open in this process.
    given = dict(zip(numbers, descriptors))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = None
        if number in given:
            os.dup2(given[number], number)
            stream = open_stream(name, number, environment)
        else:
            os.close(number)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for descriptor in descriptors:
        os.close(descriptor)

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("ready", flush=True)
while True:
    line, _ = server.accept()
    header, (own, *descriptors), _, _ = socket.recv_fds(line, 9, 4)
    os.close(own)
    content = b""
    while len(content) < int(header):
        content += line.recv(int(header) - len(content))
    child = os.fork()
    if not child:
        line.close()
        server.close()
        become(*json.loads(content), descriptors)
        sys.exit(cli.main())
    for descriptor in descriptors:
        os.close(descriptor)
    line.sendall(b"%9d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    line.close()
"""


class ForkedCli:
    """Creates the command.

    Args:
        folder: A folder with a short path without spaces.

    Attributes:
        command: The words that replace `python -m reinfer_nb.cli`.
    """

    def __init__(self, folder: Path) -> None:
        program = folder / "command.py"
        program.write_text(_COMMAND)
        address = folder / "line"
        # These options make Python start faster.
        self.command = [sys.executable, "-I", "-S", str(program), str(address)]
        self._forking = subprocess.Popen(
            [sys.executable, "-c", _FORKING, str(address)], stdout=subprocess.PIPE, text=True
        )
        assert self._forking.stdout is not None
        assert self._forking.stdout.readline() == "ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forking.terminate()
        self._forking.communicate(timeout=AGES)
