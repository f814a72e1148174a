"""Processes without a usable home folder, as in containers and services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest

import reinfer_nb as rnb
from reinfer_nb import user_folders

# Runs a user's operations and prints the result of each, or its error (class, whether it is a
# `ReinferError`, message). The first run has a home folder and does all lazy imports, since later
# users may not be able to read the interpreter's files. Then one forked process runs the operations
# for each kind of missing home.
SCRIPT = r"""
import contextlib, importlib.metadata, io, json, os, sys, warnings

import keyring

# With keyring, a version is read by importlib_metadata, which imports more when it is first used.
importlib.metadata.version("reinfer_nb")
warnings.simplefilter("ignore")
import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.widgets.forms.deletion_form import DeleteForm

endpoint, token, top, *kinds = sys.argv[1:]
kind, folder = "before", f"{top}/before"
os.mkdir(folder)
results = {}
number = 0


def attempt(operation):
    try:
        value = operation()
    except BaseException as error:
        results[operation.__name__] = [
            type(error).__name__, isinstance(error, rnb.ReinferError), str(error)
        ]
    else:
        results[operation.__name__] = value


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(arguments)
    return [code, err.getvalue()]


def everything():
    global number
    number += 1
    os.environ.update(REINFER_ENDPOINT=endpoint, REINFER_TOKEN=token)
    client = rnb.connect()
    client.cache_ttl = 0
    df = client.sources("claims")

    @attempt
    def me():
        return client.me().username

    @attempt
    def contexts():
        return len(rnb.contexts())

    @attempt
    def named_context():
        rnb.connect(context="prod")

    @attempt
    def plan_file():
        plan = client.plan(df.head(1).assign(title=f"T{number}{kind}"))
        return str(plan.save(f"{folder}/plan-{number}.json"))

    @attempt
    def apply():
        plan = client.plan(df.head(1).assign(title=f"T{number}{kind}"))
        return plan.apply(progress=False).ok

    results["sent"] = client.source(df["id"][0]).title == f"T{number}{kind}"

    @attempt
    def apply_with_journal():
        plan = client.plan(df.head(1).assign(title=f"J{number}{kind}"))
        return plan.apply(progress=False, journal=f"{folder}/j-{number}.jsonl").ok

    @attempt
    def delete_form():
        form = rnb.delete_form(client, "claims/motor-inbox")
        while form.jobs.running:
            form.jobs.wait()
        form.name.value = "claims/motor-inbox"
        return [form._facts.value, form.button.disabled, str(form.restore_file)]

    @attempt
    def delete_form_with_folder():
        form = rnb.delete_form(client, "claims/motor-inbox", restore_folder=folder)
        while form.jobs.running:
            form.jobs.wait()
        form.name.value = "claims/motor-inbox"
        return form.button.disabled

    @attempt
    def forms():
        rnb.login(), rnb.explore(client), rnb.create_form(client), rnb.update_form(client)

    @attempt
    def read_tilde():
        rnb.read_csv("~/missing.csv")

    @attempt
    def command_list():
        return command("list", "--project", "claims")

    @attempt
    def command_apply():
        return command("apply", results["plan_file"], "--yes")

    for name in ("REINFER_ENDPOINT", "REINFER_TOKEN"):
        del os.environ[name]

    @attempt
    def not_configured():
        rnb.connect()

    @attempt
    def endpoint_only():
        rnb.connect(endpoint=endpoint)


everything()
for kind in kinds:
    child = os.fork()
    if not child:
        break
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{kind}: failed")
else:
    sys.exit()
folder = f"{top}/{kind}"
os.chdir(folder)
for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
    os.environ.pop(name, None)
if kind == "no entry":
    import pwd

    def nobody(_):
        raise KeyError("uid not found")

    pwd.getpwuid = nobody
else:
    home = f"{folder}/home"
    os.mkdir(home)
    os.chmod(home, {"unreadable": 0o000, "read-only": 0o555}.get(kind, 0o700))
    if kind == "missing":
        os.environ["HOME"] = "/nonexistent"
    elif kind == "a device":
        os.environ["HOME"] = "/dev/null"
    elif kind != "another user":
        os.environ["HOME"] = home
    os.chown(home, 12345, 12345)
    os.setgid(12345)
    os.setuid(12345)
results.clear()
everything()
print(json.dumps([kind, results]))
"""

ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)
NAMES = ["no entry", "another user", "missing", "a device", "unreadable", "read-only"]
KINDS = [NAMES[0], *(pytest.param(name, marks=ROOT) for name in NAMES[1:])]


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    """A folder that every user may write to; other users have no access to `tmp_path`."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        Path(made).chmod(0o777)
        yield Path(made)


@pytest.fixture(scope="module")
def results_by_kind(shared: rnb.Client, top: Path) -> dict[str, dict[str, Any]]:
    """The result of each operation, for each kind of missing home that can be tested here."""
    assert shared.sandbox is not None
    kinds = NAMES
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        kinds = NAMES[:1]
    for kind in kinds:
        (top / kind).mkdir()
        (top / kind).chmod(0o777)
    environment = {
        **{
            key: text for key, text in os.environ.items() if not key.startswith(("XDG_", "REINFER"))
        },
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "HOME": str(top / "home before"),
        "MPLCONFIGDIR": str(top / "matplotlib"),
    }
    arguments = [shared.endpoint, shared.sandbox.tokens["admin"], str(top), *kinds]
    ended = subprocess.run(
        [*(sys.executable, "-c", SCRIPT), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    results = dict(json.loads(line) for line in ended.stdout.splitlines() if line[:1] == "[")
    assert list(results) == kinds
    return results


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="users and home folders are another matter")
@pytest.mark.xdist_group("without_home")
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_home_only_what_needs_one_fails_and_says_what_to_do(
    results_by_kind: dict[str, dict[str, Any]], top: Path, kind: str
) -> None:
    results, folder = results_by_kind[kind], top / kind
    foreign = {
        name: result
        for name, result in results.items()
        if isinstance(result, list) and len(result) == 3 and result[1] is False
        if name != "delete_form"
    }
    assert not foreign
    # Operations that need no folder work.
    assert results["me"] == "admin"
    assert results["apply_with_journal"] is True
    assert results["delete_form_with_folder"] is False
    assert results["forms"] is None
    assert results["command_list"] == [0, ""]
    # Operations that need contexts find none, unless the folder exists and cannot be read.
    if kind == "unreadable":
        assert "Permission denied" in results["contexts"][2]
    else:
        assert results["contexts"] == 0
        assert results["not_configured"][0] == "NotConfigured"
        assert "no token" in results["endpoint_only"][2]
    assert results["named_context"][0] == "ConfigurationError"
    # Operations that write say how to give another folder, before anything is sent.
    assert results["apply"][0] == "FileProblem"
    assert 'journal="journal.jsonl"' in results["apply"][2]
    assert results["sent"] is False
    code, message = results["command_apply"]
    assert code == 2
    assert "--journal journal.jsonl" in message
    facts, disabled, restore_file = results["delete_form"]
    if restore_file == "None":
        assert disabled
        assert "restore_folder=" in facts
        assert "HOME" in facts
    # No folder named "~" is created.
    assert not [path for path in folder.rglob("*") if path.name == "~"]


FOLDERS = """
import os
import reinfer_nb as rnb
from reinfer_nb.widgets.explorer.download_link import new_file

client = rnb.sandbox().start()
df = client.sources()
plan = client.plan(df.head(1).assign(title="x"))
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
for operation in (
    lambda: new_file("sources"),
    lambda: rnb.to_csv(df, "x.csv"),
    lambda: rnb.History("h").record(df),
    lambda: plan.save("p.json"),
    lambda: plan.apply(progress=False, journal="j.jsonl"),
    lambda: rnb.sandbox(database="x.db").start(),
):
    try:
        operation()
    except rnb.ReinferError:
        print("ours")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder in use cannot be deleted")
def test_a_working_folder_that_was_deleted_is_an_error_of_ours(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FOLDERS],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout.split()) == (0, ["ours"] * 6), ended.stderr


def raising(error: Exception) -> Callable[..., Path]:
    def look_up(*_: object, **__: object) -> Path:
        raise error

    return look_up


# Behaviour of releases of platformdirs and Python for a user without a home folder.
WITHOUT_HOME: dict[str, Callable[..., Path]] = {
    "RuntimeError": raising(RuntimeError("Could not determine home directory.")),
    "KeyError": raising(KeyError("getpwuid(): uid not found: 4242")),
    "OSError": raising(OSError("no such user")),
    "tilde": lambda *_, **__: Path("~/.local/state/reinfer_nb"),
}


@pytest.mark.parametrize("look_up", WITHOUT_HOME.values(), ids=WITHOUT_HOME)
def test_whatever_platformdirs_does_without_a_home_is_an_error_of_ours(
    look_up: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_state_path", look_up)
    monkeypatch.setattr(platformdirs, "user_config_path", look_up)
    with pytest.raises(rnb.FileProblem, match=r"no home folder.*set HOME or XDG_STATE_HOME"):
        user_folders.state("the journal", 'journal="j"')
    with pytest.raises(rnb.ConfigurationError, match="no home folder"):
        user_folders.config_of_re()
