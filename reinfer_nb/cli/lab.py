"""`reinfer-nb lab`: JupyterLab on the notebooks, on a tenant or on a sandbox of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from reinfer_nb.auth import tenant as config
from reinfer_nb.cli.shared import say
from reinfer_nb.errors import ConfigurationError, FileProblem, NotConfigured
from reinfer_nb.files import path_of
from reinfer_nb.sandbox import Sandbox

FOLDER = "reinfer-notebooks"
# Seconds that JupyterLab has to end after it was told to.
_ENDING = 20.0


def run(
    folder: str | os.PathLike[str],
    *,
    always_sandbox: bool = False,
    browser: bool = True,
    arguments: Sequence[str] = (),
) -> int:
    """Open JupyterLab, and return its exit code when it is closed.

    Args:
        folder: Where the notebooks are put, in a folder of their own.
        always_sandbox: Practise even where a tenant is configured.
        browser: Whether JupyterLab opens a browser.
        arguments: For JupyterLab itself.

    Raises:
        ConfigurationError: JupyterLab is not installed, or what is configured is broken.
        FileProblem: The notebooks could not be copied.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ConfigurationError(
            "JupyterLab is not installed. Install it with: pip install 'reinfer_nb[lab]'"
        )
    folder = path_of(folder)
    with ExitStack() as stack:
        environment = dict(os.environ)
        if always_sandbox or not _configured():
            box = Sandbox()
            stack.enter_context(box)
            # A context of the vendor's client would only be in the way of these two.
            environment.pop(config.CONTEXT, None)
            environment |= {config.ENDPOINT: box.endpoint, config.TOKEN: box.tokens["admin"]}
            why = "as asked" if always_sandbox else "no tenant is configured"
            say(f"Practice tenant at {box.endpoint} ({why}); it ends with JupyterLab.")
        notebooks = copy_notebooks(folder / FOLDER)
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
        first = min(notebooks, default=None)
        if first is not None:
            command.append(f"--LabApp.default_url=/lab/tree/{FOLDER}/{first.name}")
        if not browser:
            command.append("--no-browser")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # In a container everyone is root; JupyterLab would refuse.
            command.append("--allow-root")
        return _until_closed([*command, *arguments], environment)


def _configured() -> bool:
    try:
        tenant = config.resolve()
    except NotConfigured:
        return False
    say(f"Tenant {tenant.endpoint} (token from {tenant.token_from}).")
    return True


def shipped_notebooks() -> list[Path]:
    """Return the notebooks that come with the toolkit, in order."""
    package = Path(__file__).parent.parent
    beside = package.parent / "notebooks"
    # In a checkout they lie beside the package; a wheel has them inside.
    checkout = beside.is_dir() and (package.parent / "pyproject.toml").is_file()
    return sorted((beside if checkout else package / "_notebooks").glob("*.ipynb"))


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks into a folder, and return where they are; older ones stay as they are.

    Raises:
        FileProblem: It could not be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = []
        for notebook in shipped_notebooks():
            target = folder / notebook.name
            there.append(target)
            if target.exists():
                if target.read_bytes() != notebook.read_bytes():
                    say(f"{target} is yours and stays; rename it to get a fresh copy.")
                continue
            shutil.copyfile(notebook, target)
    except OSError as error:
        raise FileProblem(
            f"The notebooks could not be put into {folder}: {error.strerror}."
        ) from None
    return there


def _until_closed(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)

    def end(_: int, __: FrameType | None) -> None:
        process.terminate()

    # A closed terminal too; not every system has a signal for that.
    kinds = [signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
    before = {kind: signal.signal(kind, end) for kind in kinds}
    try:
        while True:
            try:
                # Without a time-out: JupyterLab runs until somebody ends it.
                return process.wait()
            except KeyboardInterrupt:
                # JupyterLab got it too, and asks whether to end; we end when it does.
                continue
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                # It asks nobody, so this is the end of it.
                process.kill()
                process.wait()
