"""The table of the README: ranges of the ratios of the whole table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.measuring import Line

# What a row says, and a pattern of the lines for each of its figures.
_ROWS = (
    (
        "a listing in JSON to a frame: 1 to 10,000 sources; 100,000",
        (r"(10?0?|10?,000) sources?$", r"100,000 sources, "),
    ),
    (
        "… over HTTP on one machine: 1,000 sources; 100,000; its peak memory",
        (r"1,000 sources over HTTP", r"100,000 sources over HTTP", r"peak memory"),
    ),
    ("`compare`; a plan of 500 changes", (r"`compare`", r"a plan(,| for)")),
    (
        "each response 50 ms late: 200 statistics; 1,000 updates; with `workers=32`",
        (r"statistics", r".* updates.* late$", r".* updates.*32"),
    ),
    ("all audit rules", (r"all rules over 100,000 sources$",)),
    ("`to_csv`; `read_csv`", (r"`to_csv`", r"`read_csv`")),
    ("a letter in the search of the explorer", (r"a letter",)),
    (
        "the import of `connect` and `sandbox`; `reinfer-nb --help`, `--version`",
        (r"`import", r"`reinfer-nb"),
    ),
)
# Beside these rivals, only the whole table shows the ratio.
_OTHERS = "polars|pyarrow|without these rows|from the cache"


def readme_table(lines: Sequence[Line], facts: Mapping[str, Any]) -> str:
    """Return the table in Markdown, with the date and the machine in its head."""
    head = f"ratio ({facts['date']}, {facts['cores']} cores, Python {facts['python']})"
    rows = [f"| 100,000 sources, if nothing else is said | {head} | beside |", "|---|---|---|"]
    for label, patterns in _ROWS:
        spans, rivals = [], dict[str, None]()
        for pattern in patterns:
            found = [
                line
                for line in lines
                if re.match(pattern, line.what) and not re.search(_OTHERS, line.other)
            ]
            if not found:
                continue
            ratios = [line.ratio for line in found]
            low, high = (f"{bound:.2g}" for bound in (min(ratios), max(ratios)))
            spans.append(low if low == high else f"{low} to {high}")
            rivals |= dict.fromkeys(line.other for line in found)
        if spans:
            rows.append(f"| {label} | {'; '.join(spans)} | {'; '.join(rivals)} |")
    return "\n".join(rows) + "\n"
