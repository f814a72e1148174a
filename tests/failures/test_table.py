"""Each case in `cases.md` has a test, with the case's own words as its docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_SECTION, _CASE = re.compile(r"## (.+)"), re.compile(r"(\d+)\. (.+)")
_TEST = re.compile(r"test_case_(\d\d+)_\w+")


def cases() -> Iterator[tuple[int, str, str]]:
    """Yield number, section and words of each case."""
    section = ""
    for line in (HERE / "cases.md").read_text().splitlines():
        if match := _SECTION.fullmatch(line):
            section = match[1]
        elif match := _CASE.fullmatch(line):
            yield int(match[1]), section, match[2]


def modules(section: str) -> list[Path]:
    """Return the files of a section: the one for browser tests is the second."""
    stem = re.sub(r"[^a-z]+", "_", section.partition("(")[0].strip().lower())
    return [HERE / f"test_{stem}.py", HERE / f"test_{stem}_browser.py"]


def held_in(module: Path) -> Iterator[tuple[int, ast.FunctionDef]]:
    """Yield the tests of cases in a file, with the numbers of their cases."""
    if module.exists():
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (match := _TEST.fullmatch(node.name)):
                yield int(match[1]), node


def test_the_cases_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _, _ in cases()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 72


@pytest.mark.parametrize(
    ("number", "section", "words"), list(cases()), ids=[f"{number:02}" for number, _, _ in cases()]
)
def test_a_case_has_a_test_with_its_words(number: int, section: str, words: str) -> None:
    found = [
        " ".join((ast.get_docstring(node) or "").split())
        for module in modules(section)
        for case, node in held_in(module)
        if case == number
    ]
    assert words in found, f"no test_case_{number:02}_... says: {words}"


def test_no_test_is_of_a_case_that_there_is_not() -> None:
    sections = {section for _, section, _ in cases()}
    known = {path for section in sections for path in modules(section)}
    files = {path for path in HERE.glob("test_*.py") if path.name != Path(__file__).name}
    assert files <= known
    numbers = {number for number, _, _ in cases()}
    assert {number for module in files for number, _ in held_in(module)} <= numbers


@pytest.mark.parametrize("module", sorted(HERE.glob("test_*.py")), ids=lambda path: path.stem)
def test_no_test_of_a_case_is_skipped_or_may_fail(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("skip", "skipif", "xfail", "importorskip"), node.lineno
