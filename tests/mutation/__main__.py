"""`python -m tests.mutation mypy` is for mutmut; `sample` judges a part of the breaks."""

from __future__ import annotations

import argparse
import sys

from tests.mutation import mypy_of_copies, sample


def main() -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("mypy", help="what mypy says of mutmut's copies, for mutmut itself")
    part = commands.add_parser("sample", help="break each package of the core some times")
    part.add_argument("--each", type=int, default=30, help="breaks of each package (default: 30)")
    part.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    given = parser.parse_args()
    if given.command == "mypy":
        mypy_of_copies.main()
        return 0
    return sample.main(given.each, given.seed)


if __name__ == "__main__":
    sys.exit(main())
