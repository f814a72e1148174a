"""The command `list`."""

from __future__ import annotations

import argparse
import shutil
import sys

import pandas as pd

from reinfer_nb import strict_json
from reinfer_nb.cli import colour
from reinfer_nb.cli.output import note, say
from reinfer_nb.cli.shared import listing_of
from reinfer_nb.cli.table import DEFAULT, Table
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import elements
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.text import counted, hint, shown

_ALL = "all"
_ORDERS = {":asc": False, ":desc": True}


def run_list(options: argparse.Namespace) -> int:
    """Run the command `list`, and return its exit code."""
    if options.overwrite and not options.csv:
        raise InvalidInput("--overwrite needs --csv FILE.")
    everything = listing_of(None, options.project, context=options.context)
    everything = everything.reset_index(drop=True)
    df = _narrowed(everything, options)
    names = _columns(everything, options.columns)
    if options.csv:
        path = to_csv(df[names], options.csv, overwrite=options.overwrite)
        note(f"{_count(df, everything)} written to {path}")
        _warn_of_plans(names, df, everything)
    elif options.json:
        say(strict_json.text_of(elements.to_elements(df[names]), indent=2))
    elif df.empty:
        of = f" with {shown(options.search)}: none of {counted(len(everything), 'source')}"
        note(f"No sources{of if options.search else ''}.")
    else:
        _print_table(df, everything, options)
    return 0


def _narrowed(df: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Return the rows that `--search` finds, in the order of `--sort`."""
    if not options.search and options.sort is None:
        return df
    narrowing = Narrowing(df)
    narrowing.narrow(options.search)
    if options.sort is not None:
        column, is_descending = options.sort, False
        for ending, order in _ORDERS.items():
            if column.endswith(ending):
                column, is_descending = column.removesuffix(ending), order
        narrowing.sort_by(column, descending=is_descending)
    return df.iloc[narrowing.positions].reset_index(drop=True)


def _columns(df: pd.DataFrame, chosen: str | None) -> list[str]:
    """Return the columns of `--columns`; all by default.

    Raises:
        InvalidInput: The listing has no such column.
    """
    every = list(map(str, df.columns))
    if chosen is None or chosen.strip() == _ALL:
        return every
    names = [name for part in chosen.split(",") if (name := part.strip())]
    for name in names:
        if name not in every:
            raise InvalidInput(f"Unknown column {shown(name)}. {hint(name, every)}")
    if not names:
        raise InvalidInput("--columns names no column. Give names such as name,title, or all.")
    return list(dict.fromkeys(names))


def _count(df: pd.DataFrame, everything: pd.DataFrame) -> str:
    of = "" if len(df) == len(everything) else f"{len(df):,} of "
    return f"{of}{counted(len(everything), 'source')}"


def _warn_of_plans(names: list[str], df: pd.DataFrame, everything: pd.DataFrame) -> None:
    """Note on stderr what a plan cannot do with a file of some columns or some sources."""
    if "id" not in names and not {"owner", "name"} <= set(names):
        note("A plan cannot use this file: it needs the column id, or both owner and name.")
    elif len(df) < len(everything):
        note("Do not use this file with plan --delete-missing: it lacks sources of the tenant.")


def _print_table(df: pd.DataFrame, everything: pd.DataFrame, options: argparse.Namespace) -> None:
    """Print the table: as wide as the terminal and with a count, or in full for other programs."""
    if options.columns is None:
        names = [name for name in map(str, df.columns) if name in DEFAULT]
    else:
        names = _columns(df, options.columns)
    table = Table(df, names)
    if not sys.stdout.isatty():
        # Without a count, so that each line after the first is a source.
        say("\n".join(table.in_full()))
        return
    width = shutil.get_terminal_size().columns
    first, *rows = table.fitting(width, drop=options.columns is None)
    say("\n".join([colour.heading(first), *rows, _count(df, everything)]))
