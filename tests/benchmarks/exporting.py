"""A listing to CSV and Excel and back, beside pandas.

Each reads the file that it wrote itself. pandas returns the timestamps, but tuples as texts, and it
distinguishes neither an empty text nor "NA" from a missing value. It writes no timestamp with a
zone to Excel, and no text that begins with "=" as a text.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

import reinfer_nb as rnb
from tests.benchmarks.measuring import Line, Scale, side_by_side
from tests.benchmarks.tenants import body_of, by_toolkit, rows_of

_TIMES = ["created_at", "updated_at", "last_modified"]


def _full_row(row: dict[str, Any], number: int, dice: Random) -> dict[str, Any]:
    """Return a source that has all fields, some of them now and then."""
    row = row | {
        "description": f"What arrives at desk {number} is loaded every night, by the data team."
    }
    if dice.random() < 0.5:
        row["email_transform_tag"] = dice.choice(["html.v1", "html.v2"])
        row["email_transform_version"] = dice.randrange(1, 9)
    return row


def _foreign_row(row: dict[str, Any], number: int, dice: Random) -> dict[str, Any]:
    return _full_row(row, number, dice) | {
        "title": f"Schäden in Überlingen, Büro {number}",
        "description": f'Fragen zu "{number}",\nund alles Übrige',
    }


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    shapes = {"plain texts": _full_row, "umlauts and line breaks": _foreign_row}
    ways: list[dict[str, Any]] = [{}, {"sep": ";"}, {"spreadsheet": False}]
    if scale.quick:
        del shapes["umlauts and line breaks"], ways[1:]
    for shape, of in shapes.items():
        dice = Random(1)
        rows = [of(row, number, dice) for number, row in enumerate(rows_of(scale.sources))]
        df = by_toolkit(body_of(rows))
        with tempfile.TemporaryDirectory() as folder:
            for options in ways:
                yield from _written_and_read(scale, shape, df, Path(folder), options)
            yield from _workbook(scale, shape, df, Path(folder))


def _written_and_read(
    scale: Scale, shape: str, df: pd.DataFrame, folder: Path, options: dict[str, Any]
) -> Iterator[Line]:
    by_hand, by_toolkit = folder / "by_hand.csv", folder / "by_toolkit.csv"
    sep = options.get("sep", ",")
    given = "".join(f", `{name}={value!r}`" for name, value in options.items())
    what = f"{scale.sources:,} sources, {shape}{given}"
    rounds = scale.rounds(7)
    yield side_by_side(
        "CSV",
        f"`to_csv`, {what}",
        partial(rnb.to_csv, df, by_toolkit, overwrite=True, **options),
        "`to_csv` of pandas",
        partial(df.to_csv, by_hand, index=False, sep=sep),
        rounds=rounds,
        goal=6,
    )
    pd.testing.assert_frame_equal(rnb.read_csv(by_toolkit), df)
    read = partial(pd.read_csv, by_hand, sep=sep, parse_dates=_TIMES)
    yield side_by_side(
        "CSV",
        f"`read_csv`, {what}",
        partial(rnb.read_csv, by_toolkit),
        "`read_csv` of pandas with `parse_dates`",
        read,
        rounds=rounds,
        # The default form is to be faster, no form slower.
        goal=1 if options else 1.5,
    )
    if not scale.quick and not df["description"].str.contains("\n").any():
        yield side_by_side(
            "CSV",
            f"`read_csv`, {what}",
            partial(rnb.read_csv, by_toolkit),
            '`read_csv` of pandas with `parse_dates` and `engine="pyarrow"`',
            partial(read, engine="pyarrow"),
            rounds=rounds,
        )


def _workbook(scale: Scale, shape: str, df: pd.DataFrame, folder: Path) -> Iterator[Line]:
    count = 2_000 if scale.quick else 20_000
    part = df.iloc[:count]
    by_hand, by_toolkit = folder / "by_hand.xlsx", folder / "by_toolkit.xlsx"
    what = f"{count:,} sources, {shape}"

    def write_by_hand() -> None:
        times = {name: part[name].dt.tz_localize(None) for name in _TIMES}
        part.assign(**times).to_excel(by_hand, index=False, engine="xlsxwriter")

    yield side_by_side(
        "Excel",
        f"`to_excel`, {what}",
        partial(rnb.to_excel, part, by_toolkit, overwrite=True),
        "`to_excel` of pandas with XlsxWriter",
        write_by_hand,
        rounds=scale.rounds(3),
        goal=1,
    )
    pd.testing.assert_frame_equal(rnb.read_excel(by_toolkit), part)
    yield side_by_side(
        "Excel",
        f"`read_excel`, {what}",
        partial(rnb.read_excel, by_toolkit),
        "`read_excel` of pandas with openpyxl",
        partial(pd.read_excel, by_hand, engine="openpyxl"),
        rounds=scale.rounds(3),
        goal=2,
    )
