"""The commands that run until you stop them: `lab` and `sandbox`."""

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
        help="open JupyterLab with the notebooks",
        description=(
            "Open JupyterLab with a copy of the notebooks, on the configured tenant, or on a "
            "practice tenant if none is configured. Existing files are not overwritten."
        ),
        epilog="Example: reinfer-nb lab --folder ~/audits -- --port 9999",
    )
    lab.add_argument(
        "--folder",
        type=path_argument,
        default=".",
        help="folder to work in; default: the current one",
    )
    lab.add_argument("--sandbox", action="store_true", help="always use a practice tenant")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")
    lab.add_argument("jupyter", nargs="*", metavar="-- ARGUMENT", help="argument for JupyterLab")
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
        "--database", type=path_argument, metavar="FILE", help="file for the data; default: memory"
    )
    sandbox.add_argument(
        "--data", type=path_argument, metavar="CSV", help="sources to fill it with"
    )
    sandbox.add_argument(
        "--new-tokens",
        action="store_true",
        help="revoke the tokens of the database, and show new ones",
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
            f"{_validity(box, options)}"
            "Use it\n"
            "  from Python:   rnb.connect()   with these environment variables:\n"
            f"                 export {ENDPOINT}={box.endpoint} {TOKEN}={admin}\n"
            f"  from curl:     curl -H 'Authorization: Bearer {admin}' "
            f"{box.endpoint}/api/v1/sources\n"
            f"  from re:       re config add --name sandbox --endpoint {box.endpoint} "
            f"--token {admin}\n"
            "                 re --context sandbox get sources\n"
            f"  in a browser:  {box.endpoint}/docs   describes the API\n"
            "Ctrl-C stops it."
        )
        _wait_for_signal()
    say("Stopped." if options.database else "Stopped. The data was in memory and is deleted.")
    return 0


def _validity(box: Sandbox, options: argparse.Namespace) -> str:
    """Return lines on how long the shown tokens work."""
    if not options.database:
        return ""
    if "admin" in box.lasting:
        return (
            "  The tokens still work after a restart. Note them: the database has only their\n"
            "  hashes.\n"
        )
    return (
        "  These tokens work until Ctrl-C. The tokens of the first start still work; if you have\n"
        "  lost them, use --new-tokens.\n"
    )


def _wait_for_signal() -> None:
    """Wait for SIGINT (Ctrl-C) or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    # With a timeout: some systems deliver no signal to a thread that waits without one.
    while not stopped.wait(0.2):
        pass


def _lab(options: argparse.Namespace) -> int:
    from reinfer_nb.cli import lab

    if options.jupyter and not options.jupyter[0].startswith("-"):
        raise errors.InvalidInput(
            f"{shown(options.jupyter[0])} is not an option. Give a folder with --folder."
        )
    return lab.run(
        options.folder,
        always_sandbox=options.sandbox,
        browser=not options.no_browser,
        arguments=options.jupyter,
    )
