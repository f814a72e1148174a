"""The commands that run until they are stopped: `lab` and `sandbox`."""

from __future__ import annotations

import argparse
import signal
import threading

from reinfer_nb import errors
from reinfer_nb.auth.tenant import ENDPOINT, TOKEN
from reinfer_nb.cli.shared import Commands, path_argument, say
from reinfer_nb.sandbox import LOOPBACK, Sandbox
from reinfer_nb.text import shown


def add(commands: Commands) -> None:
    """Add the commands `lab` and `sandbox`."""
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the notebooks",
        description=(
            "Open JupyterLab on a copy of the notebooks, on the configured tenant, or on a "
            "practice tenant where none is configured. Files that are there stay as they are."
        ),
        epilog="Example: reinfer-nb lab --folder ~/audits -- --port 9999",
    )
    lab.add_argument(
        "--folder", type=path_argument, default=".", help="where to work; default: here"
    )
    lab.add_argument("--sandbox", action="store_true", help="practise, whatever is configured")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")
    lab.add_argument("jupyter", nargs="*", metavar="-- ARGUMENT", help="for JupyterLab itself")
    lab.set_defaults(run=_lab)

    sandbox = commands.add_parser(
        "sandbox",
        help="serve a practice tenant on this machine until Ctrl-C",
        description="Serve a practice tenant on this machine until Ctrl-C.",
        epilog="Example: reinfer-nb sandbox --port 8008 --database tenant.db",
    )
    sandbox.add_argument(
        "--host", default=LOOPBACK, help="address to listen on; default: this machine only"
    )
    sandbox.add_argument("--port", type=int, default=0, help="TCP port; default: any free one")
    sandbox.add_argument(
        "--database", type=path_argument, metavar="FILE", help="file to keep it in; default: memory"
    )
    sandbox.add_argument(
        "--data", type=path_argument, metavar="CSV", help="sources to fill it with"
    )
    sandbox.add_argument(
        "--new-tokens",
        action="store_true",
        help="end the tokens that the database has had so far, and show new ones",
    )
    sandbox.set_defaults(run=_sandbox)


def _sandbox(options: argparse.Namespace) -> int:
    box = Sandbox(
        options.data,
        database=options.database,
        new_tokens=options.new_tokens,
        host=options.host,
        port=options.port,
    )
    with box:
        admin, viewer = box.tokens["admin"], box.tokens["viewer"]
        say(
            f"A practice tenant is at {box.endpoint}\n"
            f"  admin token:   {admin}\n"
            f"  viewer token:  {viewer}\n"
            f"{_how_long(box, options)}"
            "Use it\n"
            "  from Python:   rnb.connect()   with these in the environment:\n"
            f"                 export {ENDPOINT}={box.endpoint} {TOKEN}={admin}\n"
            f"  from curl:     curl -H 'Authorization: Bearer {admin}' "
            f"{box.endpoint}/api/v1/sources\n"
            f"  from re:       re config add --name sandbox --endpoint {box.endpoint} "
            f"--token {admin}\n"
            "                 re --context sandbox get sources\n"
            f"  in a browser:  {box.endpoint}/docs   tells what it serves\n"
            "Ctrl-C stops it."
        )
        _wait_for_the_end()
    say("The practice tenant is gone." if not options.database else "Stopped.")
    return 0


def _how_long(box: Sandbox, options: argparse.Namespace) -> str:
    """Return the lines that say how long the tokens work which are shown."""
    if not options.database:
        return ""
    if "admin" in box.lasting:
        return (
            "  They go on working when it is started again. Note them: the database keeps only\n"
            "  their hashes.\n"
        )
    return (
        "  These two end with Ctrl-C. The tokens that were shown when the database was made go on\n"
        "  working; if they are lost, start with --new-tokens.\n"
    )


def _wait_for_the_end() -> None:
    """Wait for Ctrl-C or a polite kill."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    # In turns, since some systems deliver no signal to a thread that waits without end.
    while not ended.wait(0.2):
        pass


def _lab(options: argparse.Namespace) -> int:
    from reinfer_nb.cli import lab

    if options.jupyter and not options.jupyter[0].startswith("-"):
        raise errors.InvalidInput(
            f"{shown(options.jupyter[0])} is no option; a folder is given as --folder."
        )
    return lab.run(
        options.folder,
        always_sandbox=options.sandbox,
        browser=not options.no_browser,
        arguments=options.jupyter,
    )
