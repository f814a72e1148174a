"""No traceback shows the token, even with local variables, at whatever point Ctrl-C comes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.scripts import Scripts

SENTINEL = "sentinel-c0ffee-token-of-a-user"
SCRIPT = """
    import socket
    import reinfer_nb as rnb

    client = rnb.connect(endpoint={endpoint!r}, token=open({file!r}).read())
"""


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    with Scripts() as made:
        yield made


def run(scripts: Scripts, code: str, tmp_path: Path, endpoint: str) -> str:
    file = tmp_path / "token"
    file.write_text(SENTINEL)
    script = tmp_path / "script.py"
    begin = textwrap.dedent(SCRIPT).format(endpoint=endpoint, file=str(file))
    script.write_text(begin + textwrap.dedent(code))
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython"), "NO_COLOR": "1"}
    return scripts.run(script, environment)


VERBOSE = """
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance()
    shell.run_line_magic("xmode", {mode!r})
    shell.push({{"client": client}})
    shell.run_cell({cell!r})
    print("after", flush=True)
"""
CAPTURED = """
    import traceback
    try:
        {cell}
    except BaseException as error:
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(captured.format()))
    print("after", flush=True)
"""
CELLS = {"read": "client.sources()", "write": "client.update_source('acme/support', title='x')"}


def script_of(how: str, cell: str) -> str:
    if how == "captured":
        return CAPTURED.format(cell=cell)
    return VERBOSE.format(mode=how, cell=cell)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Verbose", "Context", "captured"])
@pytest.mark.parametrize("point", ["connect", "send", "read"])
def test_ctrl_c_shows_no_token(scripts: Scripts, tmp_path: Path, how: str, point: str) -> None:
    """A real signal at a known point in the library."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        # The system accepts the connection; nobody reads or responds.
        patch = {
            "connect": "name, holder = 'create_connection', connection_module",
            "send": "name, holder = 'sendall', None",
            "read": "name, holder = 'recv_into', None",
        }[point]
        code = f"""
            import os, signal
            import urllib3.util.connection as connection_module
            {patch}
            if holder is not None:
                def interrupted(*args, **kwargs):
                    os.kill(os.getpid(), signal.SIGINT)
                    for _ in range(10**8):
                        pass
                holder.create_connection = interrupted
            else:
                class Socket(socket.socket):
                    pass
                def interrupted(self, *args, **kwargs):
                    os.kill(os.getpid(), signal.SIGINT)
                    for _ in range(10**8):
                        pass
                setattr(Socket, name, interrupted)
                socket.socket = Socket
        """
        output = run(
            scripts,
            textwrap.dedent(code) + textwrap.dedent(script_of(how, CELLS["write"])),
            tmp_path,
            f"http://127.0.0.1:{port}",
        )
    assert "KeyboardInterrupt" in output
    assert "after" in output
    assert SENTINEL not in output


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Verbose", "captured"])
def test_a_signal_while_the_response_is_due_shows_no_token(tmp_path: Path, how: str) -> None:
    """The same without patches: the signal comes after the request has arrived."""
    file = tmp_path / "token"
    file.write_text(SENTINEL)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        script = tmp_path / "script.py"
        begin = textwrap.dedent(SCRIPT).format(
            endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}", file=str(file)
        )
        script.write_text(begin + textwrap.dedent(script_of(how, CELLS["read"])))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")},
        )
        listening.settimeout(60)
        connection, _ = listening.accept()
        with connection:
            assert SENTINEL.encode() in connection.recv(10_000)
            threading.Timer(0.2, process.send_signal, [signal.SIGINT]).start()
            output, _ = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in output
    assert "after" in output
    assert SENTINEL not in output
