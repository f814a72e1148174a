"""What `import reinfer_nb` costs, beside what it cannot do without.

    python -m tests.benchmarks.importing

Each import is timed inside a fresh interpreter; the two take turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

_ROUNDS = 15
_CODE = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def _took(what: str) -> float:
    command = [sys.executable, "-c", _CODE.format(what)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the ratio."""
    needed, ours = [], []
    for _ in range(_ROUNDS):
        needed.append(_took("pandas, requests"))
        ours.append(_took("reinfer_nb"))
    base, whole = statistics.median(needed), statistics.median(ours)
    print(
        f"import pandas, requests: {base * 1e3:.0f} ms; import reinfer_nb: {whole * 1e3:.0f} ms: "
        f"{whole / base:.2f} times that"
    )


if __name__ == "__main__":
    main()
