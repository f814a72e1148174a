"""A client in a child process, and in a process that ends."""

from __future__ import annotations

import os
import pickle
import random
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import reinfer_nb as rnb
from tests.waiting import AGES

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

BEGIN = """
    import atexit, faulthandler, multiprocessing, os, signal, sys, threading, time, warnings
    # A child that hangs shows where.
    faulthandler.enable()
    warnings.simplefilter("ignore", DeprecationWarning)
    import pandas as pd
    import reinfer_nb as rnb

    def client_of(endpoint, token):
        return rnb.connect(endpoint=endpoint, token=token, cache_ttl=0)

    def ask(client, names, times, failures):
        for number in range(times):
            name = names[number % len(names)]
            try:
                got = client.source(name).full_name
            except BaseException as error:
                got = repr(error)
            if got != name:
                failures.append((name, got))

    def tell_the_end_of(pid):
        # Prints whether and how a child exits in time; then exits without waiting for threads.
        deadline = time.monotonic() + 30
        while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
            time.sleep(0.05)
        if not ended[0]:
            os.kill(pid, signal.SIGABRT)
            time.sleep(1)
            os.kill(pid, signal.SIGKILL)
        print("ended", ended[0] == pid, ended[1], flush=True)
        os._exit(0)
"""


def run(code: str, client: rnb.Client, tmp_path: Path, *options: str, begin: str = BEGIN) -> str:
    """Run a script with a client of the sandbox; return its output, stderr included."""
    assert client.sandbox is not None
    script = tmp_path / "script.py"
    given = f"ENDPOINT, TOKEN = {client.endpoint!r}, {client.sandbox.tokens['admin']!r}\n"
    script.write_text(textwrap.dedent(begin) + given + textwrap.dedent(code))
    ended = subprocess.run(
        [sys.executable, *options, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        cwd=tmp_path,
        check=False,
    )
    return ended.stdout


# Forks


@pytest.mark.slow
@needs_fork
def test_a_fork_while_other_threads_send(shared: rnb.Client, tmp_path: Path) -> None:
    output = run(
        """
        client = client_of(ENDPOINT, TOKEN)
        names = client.sources().pipe(lambda df: df["owner"] + "/" + df["name"]).tolist()
        failures, ended = [], threading.Event()

        def work(some):
            while not ended.is_set():
                ask(client, some, 5, failures)
                client.sources()

        threads = [threading.Thread(target=work, args=(names[n:],)) for n in range(4)]
        for thread in threads:
            thread.start()

        def fork():
            for _ in range(5):
                pid = os.fork()
                if pid == 0:
                    wrong = []
                    ask(client, names[::-1], 20, wrong)
                    ok = not wrong and len(client.statistics(client.sources("claims")[:3]))
                    os._exit(0 if ok else 3)
                codes.append(os.waitpid(pid, 0)[1])

        codes = []
        forking = threading.Thread(target=fork)
        forking.start()
        forking.join(100)
        ended.set()
        for thread in threads:
            thread.join(60)
        print("codes", codes, failures)
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines()[-1] == "codes [0, 0, 0, 0, 0] []", output


@pytest.mark.slow
@needs_fork
def test_locks_that_are_held_at_a_fork_do_not_block_the_child(
    shared: rnb.Client, tmp_path: Path
) -> None:
    output = run(
        """
        from tqdm import tqdm
        client = client_of(ENDPOINT, TOKEN)
        df = client.sources("claims")[:3]
        client.statistics(df, progress=True)
        transport, cache = client._transport, client._listings.cache
        pools = {
            pool.pool
            for adapter in transport._session.adapters.values()
            for pool in adapter.poolmanager.pools._container.values()
        }
        held = threading.Event()

        def hold():
            with transport._lock, transport._pacer._lock, cache._lock, tqdm.get_lock():
                for pool in pools:
                    pool.mutex.acquire()
                held.set()
                time.sleep(60)

        threading.Thread(target=hold, daemon=True).start()
        held.wait(30)
        pid = os.fork()
        if pid == 0:
            client.sources()
            client.statistics(df, progress=True)
            # With everything that runs when a process exits.
            sys.exit(0)
        tell_the_end_of(pid)
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines()[-1] == "ended True 0", output


def test_a_client_is_not_sent_to_another_process(shared: rnb.Client) -> None:
    with pytest.raises(TypeError, match="Connect again in the other process"):
        pickle.dumps(shared)


# Exit of a process


@pytest.mark.slow
@pytest.mark.parametrize(
    "opened",
    [
        "explore(client)",
        "create_form(client)",
        "update_form(client, 'claims/motor-inbox')",
        "delete_form(client, 'claims/motor-inbox')",
        "login()",
    ],
)
def test_a_script_ends_in_silence_with_a_widget_open(
    client: rnb.Client, tmp_path: Path, opened: str
) -> None:
    # Imports change the order in which objects are deleted, so this script has no others.
    output = run(
        f"""
        client = rnb.connect(endpoint=ENDPOINT, token=TOKEN)
        widget = rnb.{opened}
        print("the end")
        """,
        client,
        tmp_path,
        begin="import reinfer_nb as rnb\n",
    )
    assert output == "the end\n"


@pytest.mark.slow
@needs_fork
def test_a_token_function_that_runs_at_a_fork_does_not_block_the_child(
    shared: rnb.Client, tmp_path: Path
) -> None:
    output = run(
        """
        called, parent = threading.Event(), os.getpid()

        def token():
            if os.getpid() == parent:
                called.set()
                time.sleep(60)
            return TOKEN

        client = rnb.connect(endpoint=ENDPOINT, token=token)
        threading.Thread(target=client.me, daemon=True).start()
        called.wait(30)
        pid = os.fork()
        if pid == 0:
            # The child's thread may have the same number as the parent's thread.
            client._transport.tenant.token._caller = (
                client._transport.tenant.token._caller and threading.get_ident()
            )
            os._exit(0 if client.me().username else 3)
        tell_the_end_of(pid)
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines()[-1] == "ended True 0", output


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize(
    ("work", "module"),
    [
        ("client.statistics(listing, progress=False)", "reinfer_nb.api.comment_counts"),
        ("client.statistics(listing, progress=False)", "tqdm.auto"),
        ("client.statistics(listing, progress=False)", "tqdm._monitor"),
        ("client.sources(refresh=True)", "reinfer_nb.frames.convert"),
        ("client.plan(listing)", "reinfer_nb.plans.planner"),
    ],
)
def test_an_import_under_way_at_a_fork_does_not_block_the_child(
    shared: rnb.Client, tmp_path: Path, work: str, module: str
) -> None:
    output = run(
        f"""
        class Slow:
            importing = threading.Event()

            def find_spec(self, name, path=None, target=None):
                if name == {module!r}:
                    self.importing.set()
                    time.sleep(1)

        client = client_of(ENDPOINT, TOKEN)
        listing = pd.DataFrame({{"id": [None], "owner": ["claims"], "name": ["motor-inbox"]}})
        sys.meta_path.insert(0, Slow())
        threading.Thread(target=lambda: {work}, daemon=True).start()
        print("importing", Slow.importing.wait(30), flush=True)
        pid = os.fork()
        if pid == 0:
            {work}
            os._exit(0)
        tell_the_end_of(pid)
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines() == ["importing True", "ended True 0"], output


@pytest.mark.slow
@needs_fork
def test_an_import_of_another_library_does_not_block_a_child_that_asks_nothing(
    shared: rnb.Client, tmp_path: Path
) -> None:
    output = run(
        """
        class Slow:
            importing = threading.Event()

            def find_spec(self, name, path=None, target=None):
                if name == "tqdm._monitor":
                    self.importing.set()
                    time.sleep(1)

        sys.meta_path.insert(0, Slow())
        threading.Thread(target=lambda: __import__("tqdm.std"), daemon=True).start()
        print("importing", Slow.importing.wait(30), flush=True)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        tell_the_end_of(pid)
        """,
        shared,
        tmp_path,
    )
    assert output.splitlines() == ["importing True", "ended True 0"], output


@pytest.mark.slow
def test_a_call_when_nothing_can_be_imported_any_more_says_so(
    shared: rnb.Client, tmp_path: Path
) -> None:
    output = run(
        """
        class Last:
            def __init__(self):
                self.client = client_of(ENDPOINT, TOKEN)
                self.error, self.client_of = rnb.ReinferError, client_of

            def __del__(self):
                try:
                    print("rows", len(self.client.sources("claims")))
                except self.error as error:
                    print("ours", error)

        last = Last()
        """,
        shared,
        tmp_path,
    )
    assert re.fullmatch(r"rows 39\n|ours Could not .*process is ending.*\n", output), output


# Each trial is a process that has imported the package and has not called Arrow yet: its thread
# makes the first call, and meanwhile it forks a child that makes the same call.
FORKS_DURING_FIRST_CALL = """
import os, random, signal, sys, threading, time
import pandas as pd
from reinfer_nb.frames import cells

df = pd.DataFrame({"owner": ["claims"], "name": ["motor-inbox"]})
random.seed(SEED)
endings = {}
for _ in range(150):
    trial = os.fork()
    if trial == 0:
        threading.Thread(target=cells.full_names, args=[df], daemon=True).start()
        end = time.perf_counter() + random.random() * 0.002
        while time.perf_counter() < end:
            pass
        child = os.fork()
        if child == 0:
            cells.full_names(df)
            os._exit(0)
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                os._exit(1 if status else 0)
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(trial, 0)[1])
    endings[code] = endings.get(code, 0) + 1
    if code:
        break
print(endings)
"""


@pytest.mark.slow
@needs_fork
def test_a_fork_during_arrow_s_first_call_does_not_block_the_child() -> None:
    seed = random.randrange(1000)
    code = FORKS_DURING_FIRST_CALL.replace("SEED", str(seed))
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=AGES,
    )
    assert ended.stdout == "{0: 150}\n", f"seed {seed}: {ended.stdout}{ended.stderr}"
