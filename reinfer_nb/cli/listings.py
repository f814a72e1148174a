"""The command `list`."""

from __future__ import annotations

import argparse

import pandas as pd

from reinfer_nb import errors, strict_json
from reinfer_nb.cli.shared import Commands, note, path_argument, say
from reinfer_nb.client import connect
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.frames import elements
from reinfer_nb.text import counted, visible

_SHOWN = ("id", "owner", "name", "title", "language", "kind", "updated_at")


def add(commands: Commands) -> None:
    """Add the command `list`."""
    listing = commands.add_parser(
        "list",
        help="list the sources",
        description="List the sources of the configured tenant, or of one of its projects.",
        epilog="Example: reinfer-nb list claims --csv claims.csv",
    )
    listing.add_argument("project", nargs="?", metavar="PROJECT", help="only this project")
    output = listing.add_mutually_exclusive_group()
    output.add_argument("--csv", type=path_argument, metavar="FILE", help="write a CSV file")
    output.add_argument("--json", action="store_true", help="print JSON, with all fields")
    listing.add_argument("--overwrite", action="store_true", help="replace an existing FILE")
    listing.add_argument("--context", help="a context of the vendor's client `re`")
    listing.set_defaults(run=_list)


def _list(options: argparse.Namespace) -> int:
    if options.overwrite and not options.csv:
        raise errors.InvalidInput("--overwrite needs --csv FILE.")
    with connect(context=options.context) as client:
        df = client.sources(options.project)
    if options.csv:
        path = to_csv(df, options.csv, overwrite=options.overwrite)
        note(f"{counted(len(df), 'source')} written to {path}")
    elif options.json:
        say(strict_json.text_of(elements.to_elements(df), indent=2))
    elif df.empty:
        note("No sources.")
    else:
        say(_table(df))
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
