"""Give targets bytes that grow out of readable ones; coverage guides what is tried next.

    python -m tests.fuzzing [TARGET ...] [--inputs NUMBER] [--found FOLDER]

It needs `pip install atheris`. Each target runs in a process of its own, with so many inputs. An
input that ends in another error than one of the package, takes longer than ten seconds or more than
2 GB, is kept in the folder, and ends its process with 77.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzzing.targets import seeds

FOUND = Path(__file__).parent / "found"


def main() -> int:
    """Run the targets one after the other; return how many found something."""
    parser = argparse.ArgumentParser("python -m tests.fuzzing", description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--inputs", type=int, default=10_000, help="for each target")
    parser.add_argument("--found", type=Path, default=FOUND, help="where findings are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        corpus: dict[str, Path] = {}
        for number, (name, content) in enumerate(seeds(Path(work))):
            folder = corpus.setdefault(name, Path(work) / "corpus" / name)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}").write_bytes(content)
        failed = 0
        for name in options.targets or corpus:
            command = [
                *(sys.executable, "-m", "tests.fuzzing.one", name, str(corpus[name])),
                f"-artifact_prefix={options.found}/{name.replace(' ', '-')}-",
                *(f"-runs={options.inputs}", "-timeout=10", "-rss_limit_mb=2048"),
                *("-verbosity=0", "-print_final_stats=1"),
            ]
            failed += subprocess.run(command, check=False).returncode != 0
            print(f"{name}: {options.inputs:,} inputs, {failed} targets failed", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
