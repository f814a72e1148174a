"""The command `list`."""

from __future__ import annotations

import argparse

import pandas as pd

from reinfer_nb import errors, strict_json
from reinfer_nb.cli.output import note, say
from reinfer_nb.client import connect
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.frames import elements
from reinfer_nb.text import counted, visible

_SHOWN = ("id", "owner", "name", "title", "language", "kind", "updated_at")


def run_list(options: argparse.Namespace) -> int:
    """Run the command `list`, and return its exit code."""
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
