"""The table of the README: ranges of the ratios of the whole table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.measuring import Line

# What a row says, and which lines it covers.
_ROWS = (
    ("a listing in JSON to a frame: 1 to 100 sources", r"10?0? sources?"),
    ("… 1,000; 10,000 sources", r"10?,000 sources$"),
    (
        "… 100,000 sources; a tenth of the cells null or absent; umlauts",
        r"100,000 sources, (all fields|fields of|a tenth|umlauts)",
    ),
    ("… with unknown fields", r"100,000 sources, an unknown"),
    ("… with odd values, dates or members", r"100,000 sources, (one odd|1 %|dates|esc|another)"),
    ("… over HTTP on one machine: 1,000; 100,000 sources", r".* sources over HTTP on"),
    ("… its peak memory: 100,000; 1,000,000 sources", r"peak memory"),
    ("`compare`", r"`compare`"),
    ("a plan of 500 changes", r"a plan(,| for)"),
    ("statistics of 200 sources, each response 50 ms late", r"statistics"),
    ("1,000 updates, each response 50 ms late: by default; `workers=32`", r".* updates"),
    ("all audit rules", r"all rules over 100,000 sources$"),
    ("`to_csv`", r"`to_csv`"),
    ("`read_csv`", r"`read_csv`"),
    ("a letter in the search of the explorer", r"a letter"),
    ("`import reinfer_nb`, and its `connect` and `sandbox`", r"`import"),
    ("`reinfer-nb --help` and `--version`", r"`reinfer-nb"),
)
# Beside these, only the whole table shows the ratio.
_OTHERS = "polars|pyarrow|without these rows"


def readme_table(lines: Sequence[Line], facts: Mapping[str, Any]) -> str:
    """Return the table in Markdown, with the date and the machine in its head."""
    head = f"ratio, {facts['date']}, {facts['cores']} cores, Python {facts['python']}"
    rows = [f"| of 100,000 sources, if nothing else is said | {head} | beside |", "|---|---|---|"]
    for label, pattern in _ROWS:
        of_row: dict[str, list[float]] = {}
        for line in lines:
            if re.match(pattern, line.what) and not re.search(_OTHERS, line.other):
                of_row.setdefault(line.other, []).append(line.ratio)
        if of_row:
            ratios = [ratio for each in of_row.values() for ratio in each]
            low, high = (f"{bound:.2g}" for bound in (min(ratios), max(ratios)))
            span = low if low == high else f"{low} to {high}"
            rows.append(f"| {label} | {span} | {'; '.join(of_row)} |")
    return "\n".join(rows) + "\n"
