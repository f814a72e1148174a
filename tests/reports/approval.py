"""Texts beside those that somebody has read, in `approved`.

After a change of words, `APPROVE=yes python -m pytest tests/reports` writes them anew: read what
`git diff` shows, and commit it.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

APPROVED = Path(__file__).parent / "approved"
Approve = Callable[[str, object], None]
# What differs from run to run, and what is written in its place.
VARYING = [
    (r"http://127\.0\.0\.1:\d+", "http://tenant"),
    (r"attempts in \d+ s", "attempts in N s"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d{8}T\d{6}(\.\d+)?Z", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+\+00:00|(\.\d+)? UTC)", "TIME"),
    (r"(?<=TIME)-[0-9a-f]{8}(?=\.parquet)", "-NUMBER"),
    # In the words of Arrow.
    (r"(?<=or not a snapshot: ).*?(?=Move the file|$)", "WHY. "),
    (r"datetime\.datetime\([^()]*\)", "TIME"),
    (r"object at 0x[0-9a-f]+", "object"),
    (r' style="[^"]*"| class="[^"]*"', ""),
]


@pytest.fixture
def approve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Approve]:
    """Compare titles and texts, or frames, with the approved ones of this test, at its end."""
    parts: list[str] = []

    def add(title: str, text: object) -> None:
        shown = text.to_csv(lineterminator="\n") if isinstance(text, pd.DataFrame) else str(text)
        parts.append(f"== {title} ==\n\n{shown.rstrip()}\n")

    yield add
    text = "\n\n".join(parts).replace(str(tmp_path), "FOLDER")
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    file = APPROVED / f"{request.node.name.removeprefix('test_')}.txt"
    if os.environ.get("APPROVE"):
        file.write_text(text)
    lines = difflib.unified_diff(file.read_text().splitlines(), text.splitlines(), lineterm="")
    difference = "\n".join(lines)
    assert not difference, f"{file}:\n{difference}"
