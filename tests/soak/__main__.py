"""Let a practice tenant, explorers and starts run for long.

python -m tests.soak [--minutes NUMBER] [--refreshes NUMBER] [--openings NUMBER] [--starts NUMBER]
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from random import randrange

from reinfer_nb.widgets import jobs
from tests.soak import explorer, stopping, tenant
from tests.soak.measuring import growth


def main() -> int:
    """Run all of them, and print what was found; the exit code tells whether that is nothing."""
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--refreshes", type=int, default=1_000)
    parser.add_argument("--openings", type=int, default=200)
    parser.add_argument("--starts", type=int, default=1_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("reinfer_nb").setLevel(logging.CRITICAL)
    # The second of two clicks in quick succession would be ignored.
    jobs._DOUBLE_CLICK = 0.0
    seed = randrange(2**32)
    done, wrong, held = tenant.soak(options.minutes * 60, seed)
    print(f"seed {seed}; {done.total():,} operations: {dict(done)}")
    print(f"wrong: {wrong or 'nothing'}; held: {growth(held)}", flush=True)
    refreshed, opened = explorer.soak(options.refreshes, options.openings)
    print(f"{options.refreshes:,} refreshes of an explorer; held: {growth(refreshed)}")
    print(f"{options.openings:,} explorers opened and closed; held: {growth(opened)}", flush=True)
    unclosed, started = stopping.soak(options.starts)
    print(f"{options.starts:,} starts and stops; held: {growth(started)}")
    print(f"left unclosed: {unclosed or 'nothing'}")
    return int(bool(wrong or unclosed))


if __name__ == "__main__":
    sys.exit(main())
