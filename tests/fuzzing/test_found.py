"""What fuzzing has found, and a few more inputs: only errors of the package come of them."""

from __future__ import annotations

from pathlib import Path
from random import Random, randrange

import pytest

from tests.fuzzing.targets import only_errors_of_the_package, seeds, targets

FOUND = sorted((Path(__file__).parent / "found").glob("*-*"))
# What breaks readers: quotes, brackets, line breaks, NUL, half a character, large numbers, marks.
ODD = [b'"', b"{", b"]", b"\n", b"\r", b"\0", b"\\ud800", b"\xff", b"1e999", b"-", b"null", b"NaN"]
ODD += [
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"9" * 5_000,
    b"[" * 2_000,
    b",",
    b";",
    b"\t",
]
CHANGES = 60


def changed(content: bytes, dice: Random) -> bytes:
    """Return content with a few changes: cut, repeated, overwritten, odd bytes in between."""
    for _ in range(dice.randint(1, 4)):
        begin, end = sorted(dice.randrange(len(content) + 1) for _ in range(2))
        piece = dice.choice([b"", content[begin:end] * 2, dice.choice(ODD), dice.randbytes(3)])
        content = content[:begin] + piece + content[dice.choice([begin, end]) :]
    return content


@pytest.mark.slow
def test_changed_bytes_end_in_errors_of_the_package(tmp_path: Path) -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")
    dice = Random(seed)
    readable = list(seeds(tmp_path))
    with targets() as by_name:
        assert {name for name, _ in readable} == set(by_name)
        for name, content in dict(reversed(readable)).items():
            if name != "error":
                by_name[name](content)
        for name, content in readable:
            for _ in range(CHANGES):
                only_errors_of_the_package(by_name[name], changed(content, dice))


def test_what_was_found_stays_mended() -> None:
    with targets() as by_name:
        for path in FOUND:
            name = path.name.rpartition("-")[0].removesuffix("-crash").removesuffix("-timeout")
            only_errors_of_the_package(by_name[name.replace("-", " ")], path.read_bytes())
