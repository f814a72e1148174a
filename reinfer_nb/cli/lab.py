"""`reinfer-nb lab`: JupyterLab with the notebooks, on a tenant or a practice tenant."""

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
from reinfer_nb.cli.output import say
from reinfer_nb.errors import ConfigurationError, FileProblem, NotConfigured, reason_of
from reinfer_nb.files import path_of
from reinfer_nb.sandbox import Sandbox

FOLDER = "reinfer-notebooks"
# Seconds to wait for JupyterLab after SIGTERM.
_END_TIMEOUT = 20.0


def run(
    folder: str | os.PathLike[str],
    *,
    always_sandbox: bool = False,
    browser: bool = True,
    arguments: Sequence[str] = (),
) -> int:
    """Run JupyterLab, and return its exit code.

    Args:
        folder: Root folder; the notebooks are copied into a subfolder.
        always_sandbox: Use a practice tenant even if a tenant is configured.
        browser: Whether JupyterLab opens a browser.
        arguments: Arguments for JupyterLab.

    Raises:
        ConfigurationError: JupyterLab is not installed, or the configuration is invalid.
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
            # A context would contradict the two variables below.
            environment.pop(config.CONTEXT, None)
            environment |= {config.ENDPOINT: box.endpoint, config.TOKEN: box.tokens["admin"]}
            reason = "--sandbox" if always_sandbox else "no tenant is configured"
            say(f"Practice tenant at {box.endpoint} ({reason}); it stops with JupyterLab.")
        notebooks = copy_notebooks(folder / FOLDER)
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
        first = min(notebooks, default=None)
        if first is not None:
            command.append(f"--LabApp.default_url=/lab/tree/{FOLDER}/{first.name}")
        if not browser:
            command.append("--no-browser")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # JupyterLab refuses to run as root, which is usual in containers.
            command.append("--allow-root")
        return _run([*command, *arguments], environment)


def _configured() -> bool:
    try:
        tenant = config.resolve()
    except NotConfigured:
        return False
    say(f"Tenant {tenant.endpoint} (token from {tenant.token_from}).")
    return True


def shipped_notebooks() -> list[Path]:
    """Return the paths of the notebooks that come with the toolkit, in order."""
    package = Path(__file__).parent.parent
    beside = package.parent / "notebooks"
    # A checkout has the notebooks beside the package; a wheel has them inside.
    is_checkout = beside.is_dir() and (package.parent / "pyproject.toml").is_file()
    return sorted((beside if is_checkout else package / "_notebooks").glob("*.ipynb"))


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks into a folder without overwriting files, and return their paths.

    Raises:
        FileProblem: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copies = []
        for notebook in shipped_notebooks():
            target = folder / notebook.name
            copies.append(target)
            if not target.exists():
                shutil.copyfile(notebook, target)
            elif target.read_bytes() != notebook.read_bytes():
                say(f"{target} was not overwritten. Rename it to get a new copy.")
    except OSError as error:
        reason = reason_of(error)
        raise FileProblem(f"The notebooks could not be copied to {folder}: {reason}.") from None
    return copies


def _run(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)

    def terminate(_: int, __: FrameType | None) -> None:
        process.terminate()

    # SIGHUP, for a closed terminal, does not exist on every system.
    signals = [signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
    handlers = {number: signal.signal(number, terminate) for number in signals}
    try:
        while True:
            try:
                # Without a timeout: JupyterLab runs until the user ends it.
                return process.wait()
            except KeyboardInterrupt:
                # JupyterLab got Ctrl-C too and asks the user; wait for its end.
                continue
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
