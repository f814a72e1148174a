"""The commands that run until you stop them: `lab` and `sandbox`."""

from __future__ import annotations

import argparse
import signal
import threading

from reinfer_nb import errors
from reinfer_nb.cli.output import say
from reinfer_nb.constants import ENDPOINT, TOKEN
from reinfer_nb.sandbox import Sandbox
from reinfer_nb.text import shown


def run_sandbox(options: argparse.Namespace) -> int:
    """Run the command `sandbox`, and return its exit code."""
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


def run_lab(options: argparse.Namespace) -> int:
    """Run the command `lab`, and return its exit code."""
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
