"""One target in this process, under atheris: NAME CORPUS and options of libFuzzer."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["reinfer_nb"]):
    from tests.fuzzing.targets import only_errors_of_the_package, targets

name, *options = sys.argv[1:]
with targets() as by_name:
    read = by_name[name]

    def give(content: bytes) -> None:
        """Give the target an input."""
        only_errors_of_the_package(read, content)

    atheris.Setup([sys.argv[0], *options], give)
    atheris.Fuzz()
