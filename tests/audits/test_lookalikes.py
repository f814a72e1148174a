"""Names that can be taken for one another, against a loop over all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reinfer_nb.audits import lookalikes

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def found(names: list[str], owners: list[int] | None = None, letters: int = 4) -> list[list[str]]:
    numbers = np.array(owners or [0] * len(names), dtype=np.int64)
    pairs = lookalikes.pairs(numbers, pa.array(names, pa.large_string()), letters)
    return [[names[left], names[right]] for left, right in pairs]


# The definition, written down a second time


def bare(name: str) -> str:
    for sign, instead in (("-", ""), ("_", ""), ("0", "o"), ("1", "l"), ("5", "s")):
        name = name.lower().replace(sign, instead)
    return name


def word_length(name: str, at: int) -> int:
    """How long the run of letters is that holds a place, or ends and goes on there."""
    begin = end = at
    while begin > 0 and name[begin - 1] in LETTERS:
        begin -= 1
    while end < len(name) and name[end] in LETTERS:
        end += 1
    return end - begin


def slipped(left: str, right: str, letters: int) -> bool:
    """Whether one letter of `left` is another one in `right`, or is not there."""
    for at, char in enumerate(left):
        if char not in LETTERS:
            continue
        others = [left[:at] + left[at + 1 :]]
        if len(right) == len(left) and right[at] in LETTERS and right[at] != char:
            others.append(left[:at] + right[at] + left[at + 1 :])
        if right in others:
            return min(word_length(left, at), word_length(right, at)) >= letters
    return False


def alike(left: str, right: str, letters: int) -> bool:
    if left == right:
        return False
    if bare(left) == bare(right):
        return True
    one, other = (name.lower().replace("_", "-") for name in (left, right))
    return slipped(one, other, letters) or slipped(other, one, letters)


NAMES = st.one_of(
    st.text("aAbB-_", max_size=5),
    st.text("ab01lo5s-", max_size=5),
    st.text("aé.-2", max_size=5),
    st.sampled_from(["motor", "motor2", "Motor", "moto", "motor-a", "mot0r", "m\u00f6tor", ""]),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), NAMES), max_size=14), st.integers(1, 5))
@example([(0, "aba"), (0, "abb"), (0, "ab-")], 3)
@example([(0, "abba"), (0, "abba"), (0, "abbb")], 4)
@example([(0, "abcde"), (0, "ab-de"), (0, "abfde")], 5)
def test_pairs_are_those_of_a_loop_over_all_pairs(
    rows: list[tuple[int, str]], letters: int
) -> None:
    owners = np.array([owner for owner, _ in rows], dtype=np.int64)
    names = pa.array([name for _, name in rows], pa.large_string())
    pairs = list(lookalikes.pairs(owners, names, letters))
    expected = {
        (left, right)
        for left, right in combinations(range(len(rows)), 2)
        if rows[left][0] == rows[right][0] and alike(rows[left][1], rows[right][1], letters)
    }
    assert set(pairs) <= expected
    assert pairs == sorted(set(pairs))
    # Not each pair is told, but each name that has kin has some.
    assert {row for pair in pairs for row in pair} == {row for pair in expected for row in pair}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("motor-inbox", "motor_inbox"),
        ("motor-inbox", "MotorInbox"),
        ("motor-inbox", "m0tor-inbox"),
        ("claims-line", "c1aims-line"),
        ("sales", "5ales"),
        ("motor-inbox", "motor-imbox"),
        ("motor-inbox", "mootor-inbox"),
        ("motor-inbox", "otor-inbox"),
        ("motor-inbox", "motor-inboxx"),
        ("Motor_inbox", "motor-imbox"),
        ("sch\u00e4den-inbox", "sch\u00e4den-imbox"),
    ],
)
def test_a_slip_is_found_either_way_round(left: str, right: str) -> None:
    assert found([left, "another", right]) == [[left, right]]
    assert found([right, left]) == [[right, left]]


@pytest.mark.parametrize(
    "names",
    [
        ["source-1", "source-2", "source-12"],
        ["team2", "team3"],
        ["motor-uk", "motor-us", "motor-u"],
        ["motor", "motor"],
        ["inbox", "outbox"],
        ["motor-inbox", "mottor-imbox"],
        ["motor2", "motor"],
        ["motorxinbox", "motor.inbox"],
        ["", "a"],
        [""],
        [],
    ],
)
def test_a_series_a_code_and_what_is_far_is_not_found(names: list[str]) -> None:
    assert found(names) == []


def test_the_length_of_a_word_in_which_a_letter_counts_can_be_set() -> None:
    names = ["motor-uk", "motor-us"]
    assert found(names, letters=3) == []
    assert found(names, letters=2) == [names]


def test_names_of_two_projects_are_not_alike() -> None:
    names = ["motor-inbox", "motor_inbox", "claims-inbox", "claim-inbox"]
    assert found(names, [0, 1, 0, 1]) == []
    assert found(names, [0, 0, 1, 1]) == [names[:2], names[2:]]


def test_a_name_that_is_there_twice_has_its_kin_twice() -> None:
    names = ["motor-inbox", "motor-inbox", "motor_inbox"]
    assert found(names) == [[names[0], names[2]], [names[1], names[2]]]


def test_very_long_names_are_compared_too() -> None:
    long = "ab" * 50_000
    names = [long, long + "c", long.replace("a", "A"), long[:-3] + "c" + long[-2:]]
    assert [sorted(map(names.index, pair)) for pair in found(names)] == [[0, 1], [0, 2], [2, 3]]


def test_very_many_alike_names_are_each_found_without_all_pairs() -> None:
    names = ["inbox" + "".join(LETTERS[int(d)] for d in f"{n:04}") for n in range(10_000)]
    pairs = found(names)
    assert {name for pair in pairs for name in pair} == set(names)
    assert len(pairs) < 10 * len(names)
