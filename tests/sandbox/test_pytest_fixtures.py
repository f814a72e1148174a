"""The pytest fixtures, in a project of a user whose tests run in a pytest process of their own.

The tests of that project are the texts below; a failure here names the failed tests there.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.waiting import AGES

CONFTEST = """
import os
import threading

import pytest
import reinfer_nb as rnb
from reinfer_nb.auth import tenant as config
%s

NAMES = ("REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT")


@pytest.fixture(autouse=True)
def _all_is_as_before():
    before = {name: os.environ.get(name) for name in NAMES}
    login = config.logged_in()
    yield
    assert {name: os.environ.get(name) for name in NAMES} == before
    assert config.logged_in() == login
    assert "reinfer_nb-sandbox" not in [thread.name for thread in threading.enumerate()]
"""

TESTS = '''
import os
import subprocess
import sys
import tempfile

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

import reinfer_nb as rnb
from reinfer_nb import Fault
from reinfer_nb.auth import tenant as config

DELETES = """
import reinfer_nb as rnb

with rnb.connect() as client:
    client.delete_source("claims/test")
    print(client.endpoint, len(client.sources()))
"""


def test_connect_leads_there(reinfer_sandbox):
    with rnb.connect() as client:
        assert client.endpoint == reinfer_sandbox.endpoint
        assert len(client.sources()) == 130
        client.create_source("claims/travel")
        assert client.me().username == "admin"
    assert len(reinfer_sandbox.sources()) == 131
    assert {asked.who for asked in reinfer_sandbox.requests} == {"admin"}


def test_its_endpoint_alone_leads_there_too(reinfer_sandbox):
    with rnb.connect(endpoint=reinfer_sandbox.endpoint) as client:
        assert client.me().username == "admin"


def test_client_is_of_the_same(reinfer_client, reinfer_sandbox):
    assert isinstance(reinfer_client, rnb.Client)
    assert reinfer_client.sandbox is reinfer_sandbox
    reinfer_client.create_source("claims/travel")
    with rnb.connect() as other:
        assert other.source("claims/travel") == reinfer_client.source("claims/travel")


def test_client_alone_is_enough(reinfer_client):
    with rnb.connect() as other:
        assert other.endpoint == reinfer_client.endpoint == os.environ["REINFER_ENDPOINT"]
    assert "REINFER_CONTEXT" not in os.environ


@pytest.mark.parametrize("turn", range(3))
def test_tests_do_not_see_each_other(reinfer_client, reinfer_sandbox, turn):
    assert reinfer_sandbox.requests == []
    assert len(reinfer_sandbox.faults) == 0
    assert len(reinfer_client.sources()) == 130
    reinfer_client.create_source("claims/travel")
    reinfer_client.delete_source("claims/test")
    reinfer_sandbox.faults.add(Fault.drop())


def test_a_process_leads_there(reinfer_sandbox):
    done = subprocess.run(
        [sys.executable, "-c", DELETES], capture_output=True, check=True, timeout=60, text=True
    )
    assert done.stdout.split() == [reinfer_sandbox.endpoint, "129"]
    assert [a.method for a in reinfer_sandbox.requests] == ["GET", "DELETE", "GET", "GET"]


def test_a_notebook_leads_there(reinfer_sandbox):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DELETES)])
    # The ports of a kernel may be taken until it opens them; Windows has nothing else.
    place = f"{tempfile.gettempdir()}/kernel-{os.getpid()}"
    own = {} if sys.platform == "win32" else {"transport": "ipc", "ip": place}
    NotebookClient(notebook, timeout=60, config=Config({"KernelManager": own})).execute()
    (output,) = notebook.cells[0].outputs
    assert output.text.split() == [reinfer_sandbox.endpoint, "129"]
    assert len(reinfer_sandbox.sources()) == 129


@pytest.mark.filterwarnings("ignore::reinfer_nb.InDoubtWarning")
def test_faults_strike_through_the_handle(reinfer_sandbox):
    bad = [
        Fault.answer(503, on="list_sources", times=1),
        Fault.drop(on="create_source", after=True, times=1),
    ]
    with rnb.connect(cache_ttl=0) as client, reinfer_sandbox.faults.add(*bad) as added:
        assert len(client.sources()) == 130
        client.create_source("claims/travel")
        assert added.struck == 2
        assert len(client.sources()) == 131
    statuses = [asked.status for asked in reinfer_sandbox.requests]
    assert statuses == [503, 200, 0, 409, 200, 200]


def test_other_users_are_there(reinfer_sandbox):
    with rnb.connect(
        endpoint=reinfer_sandbox.endpoint, token=reinfer_sandbox.tokens["viewer"]
    ) as viewer, pytest.raises(rnb.PermissionDenied):
        viewer.create_source("claims/travel")


@pytest.mark.parametrize("reinfer_data", [pd.DataFrame({"owner": ["a"], "name": ["b"]}), None])
def test_data_may_be_a_parameter(reinfer_client, reinfer_data):
    assert len(reinfer_client.sources()) == (130 if reinfer_data is None else 1)


@pytest.mark.parametrize("reinfer_data", [5, pd.DataFrame({"owner": ["a"]})])
def test_data_that_cannot_be_is_said(request, reinfer_data):
    with pytest.raises(rnb.InvalidInput, match="data"):
        request.getfixturevalue("reinfer_sandbox")


def test_who_needs_none_has_none(request):
    assert os.environ.get("REINFER_TOKEN") == os.environ.get("TOKEN_OF_THE_DEVELOPER")


@pytest.fixture
def logged_in_elsewhere(_all_is_as_before):
    own = config.resolve(endpoint=os.environ["ELSEWHERE"], token="token-of-a-login")
    yield config.remember_login(own)
    config.forget_login()


def test_a_login_is_set_aside(logged_in_elsewhere, reinfer_sandbox):
    with rnb.connect() as client:
        assert client.endpoint == reinfer_sandbox.endpoint
        assert len(client.sources()) == 130


@pytest.fixture
def login_afterwards(logged_in_elsewhere):
    yield
    assert config.logged_in() == logged_in_elsewhere


def test_a_login_is_back_afterwards(login_afterwards, reinfer_sandbox):
    assert reinfer_sandbox.requests == []


@pytest.fixture
def no_login_afterwards():
    yield
    left = config.logged_in()
    config.forget_login()
    assert left is None


def test_a_login_of_the_test_ends_with_it(no_login_afterwards, reinfer_sandbox):
    token = reinfer_sandbox.tokens["viewer"]
    config.remember_login(config.resolve(endpoint=reinfer_sandbox.endpoint, token=token))
    with rnb.connect() as client:
        assert client.me().username == "viewer"
'''

OF_A_FRAME = """
import pandas as pd
import pytest

import reinfer_nb as rnb


@pytest.fixture
def reinfer_data():
    return pd.DataFrame(
        {
            "id": ["0123456789abcdef", "fedcba9876543210"],
            "owner": ["acme", "acme"],
            "name": ["support", "sales"],
            "title": ["Support", "Sales"],
            "updated_at": pd.to_datetime(["2020-02-03T04:05:06Z", "2021-02-03T04:05:06Z"]),
        }
    )


def test_a_frame_is_the_data(reinfer_client, reinfer_data):
    df = reinfer_client.sources()
    for column in reinfer_data:
        assert df[column].tolist() == reinfer_data[column].tolist()
    with rnb.connect() as client:
        assert client.source("0123456789abcdef").full_name == "acme/support"
"""

OF_A_CSV = """
import pandas as pd
import pytest

import reinfer_nb as rnb


@pytest.fixture(params=[str, lambda path: path], ids=["text", "path"])
def reinfer_data(request, tmp_path):
    file = tmp_path / "tenant.csv"
    with rnb.sandbox() as client:
        rnb.to_csv(client.sources("people"), file)
    return request.param(file)


def test_a_csv_is_the_data(reinfer_client, reinfer_data, reinfer_sandbox):
    expected = rnb.read_csv(reinfer_data)
    with rnb.connect() as client:
        df = client.sources()
    assert len(df) == 21
    pd.testing.assert_frame_equal(df, expected, check_like=True)
    pd.testing.assert_frame_equal(df, reinfer_sandbox.sources())
"""

OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", re.MULTILINE)
NAMES = re.findall(r"^def (test_\w+)", TESTS + OF_A_FRAME + OF_A_CSV, re.MULTILINE)
# Tests that may depend on how the plugin is loaded, or on two parallel processes.
SOME = ["test_connect_leads_there", "test_client_alone_is_enough", "test_a_frame_is_the_data"]
SOME += ["test_tests_do_not_see_each_other", "test_who_needs_none_has_none"]


class Tenant:
    """A server that must get no requests; it counts its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def developers_tenant() -> Iterator[Tenant]:
    tenant = Tenant()
    thread = threading.Thread(target=tenant.serve)
    thread.start()
    try:
        yield tenant
    finally:
        tenant.close()
        thread.join(AGES)


class Run(NamedTuple):
    """The result of a run of pytest."""

    outcomes: Mapping[str, str]
    output: str
    connections: int


def run(project: Path, *options: str, plugins: str, configured_by: str) -> Run:
    """Run the project, in an environment with a configured tenant.

    Args:
        project: Folder to write it into.
        *options: Options of pytest.
        plugins: The line of `conftest.py` that loads the plugin.
        configured_by: How the tenant is configured: by "endpoint" or by "context".
    """
    (project / "conftest.py").write_text(CONFTEST % plugins)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_all.py").write_text(TESTS)
    (project / "test_frame.py").write_text(OF_A_FRAME)
    (project / "test_csv.py").write_text(OF_A_CSV)
    token = "token-of-the-developer"
    with developers_tenant() as tenant:
        context = {"name": "dev", "endpoint": tenant.endpoint, "token": token}
        contexts = {"current_context": "dev", "contexts": [context], "context_is_required": True}
        folder = project / "config" / "reinfer"
        folder.mkdir(parents=True)
        (folder / "contexts.json").write_text(json.dumps(contexts))
        environment = {name: text for name, text in os.environ.items() if "REINFER" not in name}
        environment |= {
            "XDG_CONFIG_HOME": str(project / "config"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "ELSEWHERE": tenant.endpoint,
        }
        if configured_by == "context":
            environment["REINFER_CONTEXT"] = "dev"
        else:
            environment |= {"REINFER_ENDPOINT": tenant.endpoint, "REINFER_TOKEN": token}
            environment["TOKEN_OF_THE_DEVELOPER"] = token
        for name in [name for name in environment if name.startswith(("PYTEST_XDIST", "COV_"))]:
            del environment[name]
        command = [sys.executable, "-m", "pytest", "-W", "error", "-rA", "--tb=short", *options]
        command += ["-p", "no:cacheprovider"]
        done = subprocess.run(
            command,
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        connections = tenant.connections
    outcomes: dict[str, str] = {}
    for outcome, name in OUTCOME.findall(done.stdout):
        if outcomes.get(name, "PASSED") == "PASSED":
            outcomes[name] = outcome
    return Run(outcomes, done.stdout + done.stderr, connections)


def check(done: Run, names: list[str]) -> None:
    """Fail unless all tests of the project passed, and no request went to the configured tenant."""
    wrong = {name: outcome for name, outcome in done.outcomes.items() if outcome != "PASSED"}
    assert wrong == {}, done.output[-8000:]
    assert sorted(done.outcomes) == sorted(names), done.output[-8000:]
    assert done.connections == 0
    assert "token-of-the-developer" not in done.output
    assert re.search(r"\d+ passed.* in [\d.]+s", done.output.splitlines()[-1])
    assert "warning" not in done.output.splitlines()[-1]


@pytest.mark.slow
def test_a_project_that_names_the_plugin_in_its_conftest(tmp_path: Path) -> None:
    plugins = 'pytest_plugins = ["reinfer_nb.sandbox.pytest"]'
    check(run(tmp_path, plugins=plugins, configured_by="endpoint"), NAMES)


@pytest.mark.slow
def test_a_project_that_is_told_of_the_plugin_and_runs_in_two_processes(tmp_path: Path) -> None:
    options = ["-p", "reinfer_nb.sandbox.pytest", "-p", "xdist", "-n", "2", "-k", " or ".join(SOME)]
    check(run(tmp_path, *options, plugins="", configured_by="context"), SOME)
