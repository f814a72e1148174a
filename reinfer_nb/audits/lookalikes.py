"""Find look-alike names among very many, without comparing each pair.

Two names look alike if they differ only in case, hyphens, underscores and digits that resemble
letters. They also look alike if, ignoring case and treating "_" as "-", a single letter from a to z
in a long enough word was inserted, deleted or replaced.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

_Numbers = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.int64]
_SUBSTITUTES = (("-", ""), ("_", ""), ("0", "o"), ("1", "l"), ("5", "s"))
_LETTERS = re.compile(r"[a-z]*")
# Hash constants. Any odd numbers do: pairs with equal hashes are compared exactly afterwards.
_BASE = 0x9E3779B97F4A7C15
_BY_OWNER, _BY_LENGTH, _BY_POSITION = 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93


def pairs(owners: _Rows, names: pa.Array, letters: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows of one project whose names look alike.

    Not every pair is yielded, but every row with a look-alike is in at least one pair. Names that
    differ in a number are a series and do not count; nor do two rows with the same name.

    Args:
        owners: A number for the project of each row.
        names: The names, an Arrow array of texts without missing values.
        letters: The minimum length of a word, in letters, for one letter to count as a typo. In
            short codes such as "uk" and "us" every letter matters.
    """
    keys = _keys(owners, names)
    _, first_rows, name_numbers = np.unique(keys, return_index=True, return_inverse=True)
    if len(first_rows) == len(keys):
        yield from sorted(_distinct_pairs(owners, names, letters))
        return
    rows_by_name: defaultdict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(name_numbers.tolist()):
        rows_by_name[number].append(row)
    row_pairs = set()
    distinct = names.take(pa.array(first_rows))
    for left, right in _distinct_pairs(owners[first_rows], distinct, letters):
        for name, other_name in ((left, right), (right, left)):
            other = int(first_rows[other_name])
            row_pairs |= {(min(row, other), max(row, other)) for row in rows_by_name[name]}
    yield from sorted(row_pairs)


def _distinct_pairs(owners: _Rows, names: pa.Array, letters: int) -> set[tuple[int, int]]:
    """Return the pairs that `pairs` yields, for names that occur once per project."""
    lowered = compute.utf8_lower(names)
    simplified = lowered
    for character, substitute in _SUBSTITUTES:
        simplified = compute.replace_substring(simplified, character, substitute)
    equal = set(_neighbours(_keys(owners, simplified), np.arange(len(owners))))
    hyphened = compute.replace_substring(lowered, "_", "-")
    return equal | {
        pair for pair in _typo_candidates(owners, hyphened) if _is_typo(hyphened, pair, letters)
    }


def _keys(owners: _Rows, texts: pa.Array) -> _Rows:
    """Return a number per row, equal where text and project are equal."""
    codes: _Rows = np.asarray(texts.dictionary_encode().indices, dtype=np.int64)
    return codes * int(owners.max(initial=0) + 1) + owners


def _typo_candidates(owners: _Rows, names: pa.Array) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows whose names may differ in one letter, and at least all that do.

    Each name is hashed once per letter, with that letter deleted; the hash sums its bytes, weighted
    by position. Two names of equal length differ in one position if their hashes without that
    position are equal. Names of two lengths differ in one letter if the hash of the longer one
    without the letter equals the hash of the whole shorter one.
    """
    sizes = np.asarray(compute.binary_length(names), dtype=np.int64)
    rows = np.flatnonzero(sizes)
    texts, sizes = names.filter(pa.array(sizes > 0)), sizes[rows]
    if not len(rows):
        return
    flat = "".join(texts.to_pylist()).encode()
    chars = np.frombuffer(flat, dtype=np.uint8)
    starts = np.cumsum(sizes) - sizes
    name = np.repeat(np.arange(len(rows)), sizes)
    position = np.arange(len(chars)) - starts[name]
    powers = np.full(int(sizes.max()), _BASE, dtype=np.uint64)
    powers[0] = 1
    powers = np.cumprod(powers)
    terms = (chars.astype(np.uint64) + np.uint64(1)) * powers[position]
    sums = np.cumsum(terms)
    sum_before_name = np.concatenate([np.zeros(1, np.uint64), sums])[starts]
    whole = np.add.reduceat(terms, starts)
    head = sums - terms - sum_before_name[name]
    # Deleting a byte moves the bytes after it one position forward, which divides their terms by
    # the base. The base is odd, so it has an inverse modulo 2**64.
    without_char = head + (whole[name] - head - terms) * np.uint64(pow(_BASE, -1, 2**64))
    owner_part = owners[rows].astype(np.uint64) * np.uint64(_BY_OWNER)
    salts = owner_part + sizes.astype(np.uint64) * np.uint64(_BY_LENGTH)
    letter = (chars >= ord("a")) & (chars <= ord("z"))
    without_char, name, position = without_char[letter], name[letter], position[letter]
    # A replaced letter.
    position_part = (position.astype(np.uint64) + np.uint64(1)) * np.uint64(_BY_POSITION)
    keys = without_char + salts[name] + position_part
    repeated = _repeated(keys)
    yield from _neighbours(keys[repeated], rows[name[repeated]])
    # An inserted letter.
    longer = without_char + salts[name] - np.uint64(_BY_LENGTH)
    shorter = compute.index_in(pa.array(longer), value_set=pa.array(whole + salts))
    for index in np.flatnonzero(np.asarray(compute.is_valid(shorter), dtype=np.bool_)):
        left, right = int(rows[name[index]]), int(rows[shorter[int(index)].as_py()])
        yield min(left, right), max(left, right)


def _repeated(keys: _Numbers) -> npt.NDArray[np.bool_]:
    """Return a mask of the numbers that occur more than once."""
    ordered = np.sort(keys)
    duplicates = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.asarray(compute.is_in(pa.array(keys), value_set=pa.array(duplicates)), dtype=np.bool_)


def _neighbours(keys: npt.NDArray[Any], rows: _Rows) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows with the same key, each row with the next one."""
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    for index in np.flatnonzero(keys[1:] == keys[:-1]):
        left, right = int(rows[index]), int(rows[index + 1])
        yield min(left, right), max(left, right)


def _is_typo(names: pa.Array, pair: tuple[int, int], letters: int) -> bool:
    """True if two names differ in one letter of a word that is long enough."""
    short, long = sorted((names[row].as_py() for row in pair), key=len)
    if short == long:
        return False
    differences = (n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b)
    position = next(differences, len(short))
    if short[position + (len(short) == len(long)) :] != long[position + 1 :]:
        return False
    return all(len(_word_at(name, position)) >= letters for name in (short, long))


def _word_at(text: str, position: int) -> str:
    """Return the run of letters around a position, including the letter there."""
    head = _LETTERS.match(text[:position][::-1])
    tail = _LETTERS.match(text, position)
    return (head[0] if head else "") + (tail[0] if tail else "")
