"""A listing of many sources to CSV and back: the toolkit's way against that of pandas.

    python -m tests.benchmarks.exporting [SOURCES]

Both take turns, each with the file that it wrote itself. pandas gets the timestamps back, but
tuples as texts, and it can tell neither an empty text from a missing one nor "NA" from it.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import reinfer_nb as rnb
from reinfer_nb.frames import convert
from tests.benchmarks.listing import _TIMES, _row

_ROUNDS = 9


def _full_row(number: int, dice: Random) -> dict[str, Any]:
    """Return a source that has all fields, some of them now and then."""
    row = _row(number, dice)
    row["description"] = f"What arrives at desk {number} is loaded every night, by the data team."
    if dice.random() < 0.5:
        row["email_transform_tag"] = dice.choice(["html.v1", "html.v2"])
        row["email_transform_version"] = dice.randrange(1, 9)
    return row


def _foreign_row(number: int, dice: Random) -> dict[str, Any]:
    row = _full_row(number, dice)
    return row | {
        "title": f"Schäden in Überlingen, Büro {number}",
        "description": f'Fragen zu "{number}",\nund alles Übrige',
    }


def _medians(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return what each way takes, in seconds; they take turns."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            gc.collect()
            begin = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in took.items()}


def _print(title: str, ways: dict[str, Callable[[], object]]) -> None:
    medians = _medians(ways)
    ours = medians["toolkit"]
    others = ", ".join(
        f"{name} {took * 1e3:.0f} ms ({took / ours:.1f} times as long)"
        for name, took in medians.items()
        if name != "toolkit"
    )
    print(f"{title}: toolkit {ours * 1e3:.0f} ms, {others}")


def _compare(title: str, df: pd.DataFrame, folder: Path, **how: Any) -> None:
    times = list(_TIMES)
    by_hand, by_toolkit = folder / "by_hand.csv", folder / "by_toolkit.csv"
    sep = how.get("sep", ",")
    _print(
        f"{title}, written",
        {
            "to_csv of pandas": lambda: df.to_csv(by_hand, index=False, sep=sep),
            "toolkit": lambda: rnb.to_csv(df, by_toolkit, overwrite=True, **how),
        },
    )
    ways: dict[str, Callable[[], object]] = {
        "read_csv of pandas": lambda: pd.read_csv(by_hand, sep=sep, parse_dates=times),
        "toolkit": lambda: rnb.read_csv(by_toolkit),
    }
    if not df["description"].str.contains("\n").any():
        # It refuses files in which a line break is in a text.
        ways["with engine='pyarrow'"] = lambda: pd.read_csv(
            by_hand, sep=sep, parse_dates=times, engine="pyarrow"
        )
    _print(f"{title}, read", ways)
    pd.testing.assert_frame_equal(rnb.read_csv(by_toolkit), df)


def main(count: int) -> None:
    """Print the ratios for `count` sources."""
    shapes = {"plain texts": _full_row, "umlauts, quotes and line breaks": _foreign_row}
    with TemporaryDirectory() as folder:
        for shape, row in shapes.items():
            dice = Random(1)
            df = convert.from_elements([row(number, dice) for number in range(count)])
            title = f"{count:,} sources, {shape}"
            _compare(title, df, Path(folder))
            _compare(f"{title}, sep=';'", df, Path(folder), sep=";")
            _compare(f"{title}, for programs only", df, Path(folder), spreadsheet=False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
