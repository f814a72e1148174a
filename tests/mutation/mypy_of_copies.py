"""Run mypy over mutmut's copies of the package, and print what only a break can be blamed for.

mutmut puts each break into a copy of its function, beside a copy of the original, and calls them
through a decorator of its own. mypy reports that decorator, too, and what it hides: that is left
out here, by its code, and where the copy of the original has it as well.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

# Set while only the names of the breaks are asked for: mutmut needs minutes to read the errors.
NAMES_ONLY = "TESTS_MUTATION_NAMES_ONLY"
# What mypy says because of the decorator.
CODES = (
    "has-type",
    "ignore-without-code",
    "import-not-found",
    "no-any-return",
    "no-redef",
    "untyped-decorator",
    "unused-ignore",
)


@cache
def copies(file: str) -> list[tuple[range, str, str]]:
    """Return the lines of the copies in a file, the name of the original, and that of the copy."""
    return [
        (range(node.lineno, (node.end_lineno or 0) + 1), *node.name.split("__mutmut_"))  # type: ignore[misc]
        for node in ast.walk(ast.parse(Path(file).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name
    ]


def found() -> Iterator[tuple[tuple[str, str, str], str, dict[str, Any]]]:
    """Yield what mypy finds in a copy: what it is about, which copy it is, and the error."""
    command = [sys.executable, "-m", "mypy", "--output=json"]
    # Errors are what is asked for.
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for error in map(json.loads, output.splitlines()):
        if error["severity"] == "error" and error["code"] not in CODES:
            for lines, name, copy in copies(error["file"]):
                if error["line"] in lines:
                    yield (error["file"], name, error["message"]), copy, error


def main() -> None:
    """Print the errors as mypy does."""
    if NAMES_ONLY in os.environ:
        return
    errors = list(found())
    usual = {about for about, copy, _ in errors if copy == "orig"}
    for about, _, error in errors:
        if about not in usual:
            print(json.dumps(error))
