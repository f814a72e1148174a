"""The command line: what a shell, a cron job or a first look needs of the toolkit."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pandas as pd

from reinfer_nb import errors, frames
from reinfer_nb.config import ENDPOINT, TOKEN
from reinfer_nb.connection import connect
from reinfer_nb.export import to_csv
from reinfer_nb.sandbox import LOOPBACK
from reinfer_nb.text import counted, shown, visible

_SHOWN = ("id", "owner", "name", "title", "language", "kind", "updated_at")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Args:
        arguments: What stands behind the command's name; by default that of this process.

    Returns:
        0 when it did what was asked, 1 when it could not (the reason is on stderr), 130 when it
        was stopped with Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding does not have is shown as its escape.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except errors.ReinferError as error:
        print(f"reinfer-nb: {visible_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who reads has seen enough; nothing more is to be written at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"reinfer-nb: the output could not be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def visible_lines(text: str) -> str:
    """Return text of a tenant fit for a terminal, its line breaks kept."""
    return "\n".join(map(visible, text.split("\n")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reinfer-nb",
        description="Look after the sources of a UiPath Communications Mining tenant.",
        epilog=(
            f"The tenant is the one of {ENDPOINT} and {TOKEN}, or of the vendor's client `re`. "
            "Example: reinfer-nb list claims --csv claims.csv"
        ),
    )
    version = f"reinfer-nb {metadata.version('reinfer_nb')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the notebooks",
        description=(
            "Open JupyterLab on a copy of the notebooks, on the configured tenant, or on a "
            "practice tenant where none is configured. Files that are there stay as they are."
        ),
        epilog="Example: reinfer-nb lab --folder ~/audits -- --port 9999",
    )
    lab.add_argument("--folder", type=Path, default=Path(), help="where to work; default: here")
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
    sandbox.add_argument("--database", type=Path, help="file to keep it in; default: memory")
    sandbox.add_argument("--data", type=Path, metavar="CSV", help="sources to fill it with")
    sandbox.set_defaults(run=_sandbox)

    listing = commands.add_parser(
        "list",
        help="list the sources",
        description="List the sources of the configured tenant, or of one of its projects.",
        epilog="Example: reinfer-nb list claims --csv claims.csv",
    )
    listing.add_argument("project", nargs="?", metavar="PROJECT", help="only those of a project")
    where = listing.add_mutually_exclusive_group()
    where.add_argument("--csv", type=Path, metavar="FILE", help="write them to a CSV file")
    where.add_argument("--json", action="store_true", help="print them as JSON, all fields")
    listing.add_argument("--overwrite", action="store_true", help="replace an existing FILE")
    listing.add_argument("--context", help="a context of the vendor's client `re`")
    listing.set_defaults(run=_list)
    return parser


def _list(options: argparse.Namespace) -> int:
    if options.overwrite and not options.csv:
        raise errors.InvalidInput("--overwrite goes with --csv FILE.")
    with connect(context=options.context) as client:
        df = client.sources(options.project)
    if options.csv:
        path = to_csv(df, options.csv, overwrite=options.overwrite)
        print(f"{counted(len(df), 'source')} written to {path}", file=sys.stderr)
    elif options.json:
        print(json.dumps(frames.to_elements(df), indent=2))
    elif df.empty:
        print("No sources.", file=sys.stderr)
    else:
        print(_table(df))
    return 0


def _table(df: pd.DataFrame) -> str:
    texts = {}
    for column in _SHOWN:
        values = df[column]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.strftime("%Y-%m-%d %H:%M")
        texts[column] = ["" if pd.isna(value) else visible(value, 40) for value in values]
    widths = {name: max(map(len, [name, *cells])) for name, cells in texts.items()}
    rows = [list(texts), *zip(*texts.values(), strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths.values(), strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _sandbox(options: argparse.Namespace) -> int:
    from reinfer_nb.sandbox import Sandbox

    box = Sandbox(options.data, database=options.database, host=options.host, port=options.port)
    with box:
        admin, viewer = box.tokens["admin"], box.tokens["viewer"]
        print(
            f"A practice tenant is at {box.endpoint}\n"
            f"  admin token:   {admin}\n"
            f"  viewer token:  {viewer}\n"
            "Use it\n"
            "  from Python:   rnb.connect()   with these in the environment:\n"
            f"                 export {ENDPOINT}={box.endpoint} {TOKEN}={admin}\n"
            f"  from curl:     curl -H 'Authorization: Bearer {admin}' "
            f"{box.endpoint}/api/v1/sources\n"
            f"  from re:       re config add --name sandbox --endpoint {box.endpoint} "
            f"--token {admin}\n"
            "                 re --context sandbox get sources\n"
            f"  in a browser:  {box.endpoint}/docs   tells what it serves\n"
            "Ctrl-C stops it.",
            flush=True,
        )
        _wait_for_the_end()
    print("The practice tenant is gone." if not options.database else "Stopped.")
    return 0


def _wait_for_the_end() -> None:
    """Wait for Ctrl-C or a polite kill."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    # In turns, since some systems deliver no signal to a thread that waits without end.
    while not ended.wait(0.2):
        pass


def _lab(options: argparse.Namespace) -> int:
    from reinfer_nb import lab

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


if __name__ == "__main__":
    sys.exit(main())
