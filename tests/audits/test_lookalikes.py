"""Look-alike names, checked against a loop over all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reinfer_nb.audits import lookalikes

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def name_pairs(
    names: list[str], owners: list[int] | None = None, letters: int = 4
) -> list[list[str]]:
    numbers = np.array(owners or [0] * len(names), dtype=np.int64)
    pairs = lookalikes.pairs(numbers, pa.array(names, pa.large_string()), letters)
    return [[names[left], names[right]] for left, right in pairs]


# A second, plain implementation


def simplified(name: str) -> str:
    for old, new in (("-", ""), ("_", ""), ("0", "o"), ("1", "l"), ("5", "s")):
        name = name.lower().replace(old, new)
    return name


def word_length(name: str, position: int) -> int:
    """Return the length of the run of letters around a position."""
    begin = end = position
    while begin > 0 and name[begin - 1] in LETTERS:
        begin -= 1
    while end < len(name) and name[end] in LETTERS:
        end += 1
    return end - begin


def has_typo(left: str, right: str, letters: int) -> bool:
    """Return whether `right` is `left` with one letter replaced or deleted."""
    for at, char in enumerate(left):
        if char not in LETTERS:
            continue
        variants = [left[:at] + left[at + 1 :]]
        if len(right) == len(left) and right[at] in LETTERS and right[at] != char:
            variants.append(left[:at] + right[at] + left[at + 1 :])
        if right in variants:
            return min(word_length(left, at), word_length(right, at)) >= letters
    return False


def alike(left: str, right: str, letters: int) -> bool:
    if left == right:
        return False
    if simplified(left) == simplified(right):
        return True
    one, other = (name.lower().replace("_", "-") for name in (left, right))
    return has_typo(one, other, letters) or has_typo(other, one, letters)


NAMES = st.one_of(
    st.text("aAbB-_", max_size=5),
    st.text("ab01lo5s-", max_size=5),
    st.text("aé.-2", max_size=5),
    st.sampled_from(["motor", "motor2", "Motor", "moto", "motor-a", "mot0r", "m\u00f6tor", ""]),
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), NAMES), max_size=14), st.integers(1, 5))
@example([(0, "aba"), (0, "abb"), (0, "ab-")], 3)
@example([(0, "abba"), (0, "abba"), (0, "abbb")], 4)
@example([(0, "abcde"), (0, "ab-de"), (0, "abfde")], 5)
def test_pairs_equal_those_of_a_loop_over_all_pairs(
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
    # Not every pair is yielded, but every row that has a look-alike.
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
def test_a_typo_is_found_in_either_order(left: str, right: str) -> None:
    assert name_pairs([left, "another", right]) == [[left, right]]
    assert name_pairs([right, left]) == [[right, left]]


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
def test_series_short_codes_and_distant_names_are_not_found(names: list[str]) -> None:
    assert name_pairs(names) == []


def test_the_minimum_word_length_can_be_set() -> None:
    names = ["motor-uk", "motor-us"]
    assert name_pairs(names, letters=3) == []
    assert name_pairs(names, letters=2) == [names]


def test_names_of_two_projects_are_not_alike() -> None:
    names = ["motor-inbox", "motor_inbox", "claims-inbox", "claim-inbox"]
    assert name_pairs(names, [0, 1, 0, 1]) == []
    assert name_pairs(names, [0, 0, 1, 1]) == [names[:2], names[2:]]


def test_a_name_in_two_rows_has_two_pairs() -> None:
    names = ["motor-inbox", "motor-inbox", "motor_inbox"]
    assert name_pairs(names) == [[names[0], names[2]], [names[1], names[2]]]


@pytest.mark.slow
def test_very_long_names_are_compared_too() -> None:
    long = "ab" * 50_000
    names = [long, long + "c", long.replace("a", "A"), long[:-3] + "c" + long[-2:]]
    assert [sorted(map(names.index, pair)) for pair in name_pairs(names)] == [
        [0, 1],
        [0, 2],
        [2, 3],
    ]


@pytest.mark.slow
def test_very_many_look_alikes_are_found_without_all_pairs() -> None:
    names = ["inbox" + "".join(LETTERS[int(d)] for d in f"{n:04}") for n in range(10_000)]
    pairs = name_pairs(names)
    assert {name for pair in pairs for name in pair} == set(names)
    assert len(pairs) < 10 * len(names)
